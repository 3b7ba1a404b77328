//! The command line besides accounts.

use serde_json::Value;

use crate::fixtures::{clip, ffmpeg, model};
use crate::process::{output, program, text};

#[test]
fn analyze_prints_text_json_and_subtitles() {
    let dir = tempfile::tempdir().expect("a directory");
    let call = clip(11);
    let analyze = |arguments: &[&str]| {
        let mut command = program(dir.path());
        command
            .env("CALL_ANALYTICS_MODEL", model())
            .arg("analyze")
            .args(arguments);
        output(&mut command, None)
    };
    let path = call.to_str().expect("UTF-8");

    // One of two files is bad: the other is done, and the exit code says so.
    let bad = dir.path().join("notes.mp3");
    std::fs::write(&bad, "no recording").expect("written");
    let both = analyze(&[bad.to_str().expect("UTF-8"), path]);
    assert_eq!(both.status.code(), Some(1), "{}", text(&both));
    let (out, err) = (
        String::from_utf8_lossy(&both.stdout),
        String::from_utf8_lossy(&both.stderr),
    );
    assert!(
        err.contains("notes.mp3") && err.lines().count() == 1,
        "{err}"
    );
    for word in [
        "Ромашка",
        "operator",
        "client",
        "Стандарты",
        "Лояльность",
        "Доброжелательность",
        " %",
    ] {
        assert!(out.contains(word), "{word} is not in:\n{out}");
    }
    assert!(
        !out.contains('\u{1b}') && !err.contains('\u{1b}'),
        "no colours or bars without a terminal"
    );

    // The operator is found wherever they are.
    let turned = ffmpeg(
        "turned.mp3",
        "-t 11 -i {call} -filter_complex pan=stereo|c0=c1|c1=c0 -c:a libmp3lame -b:a 64k",
    );
    let json = analyze(&["--json", turned.to_str().expect("UTF-8")]);
    assert!(json.status.success(), "{}", text(&json));
    let lines: Vec<Value> = String::from_utf8_lossy(&json.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["no_speech"], false);
    assert!(
        lines[0]["score"]["overall_percent"].is_number(),
        "{}",
        lines[0]["score"]
    );
    let first = &lines[0]["transcript"]["turns"][0];
    assert_eq!(first["speaker"], "operator", "{first}");
    assert!(first.to_string().contains("Ромашка"), "{first}");

    let srt = analyze(&["--srt", path]);
    assert!(srt.status.success(), "{}", text(&srt));
    let subtitles = String::from_utf8_lossy(&srt.stdout).into_owned();
    let first: Vec<&str> = subtitles.lines().take(4).collect();
    assert_eq!(first[0], "1");
    assert!(
        first[1].starts_with("00:00:0")
            && first[1].contains(" --> 00:00:")
            && first[1].contains(','),
        "{subtitles}"
    );
    assert!(first[2].starts_with("Оператор: "), "{subtitles}");
    let vtt = analyze(&["--vtt", "--names", "en", path]);
    let subtitles = String::from_utf8_lossy(&vtt.stdout).into_owned();
    assert!(
        subtitles.starts_with("WEBVTT\n\n00:00:0") && subtitles.contains("\n<v Operator>"),
        "{subtitles}"
    );

    let left: Vec<_> = std::fs::read_dir(std::env::temp_dir())
        .expect("a directory")
        .flatten()
        .collect();
    let pid = format!("call-analytics-{}", std::process::id());
    assert!(
        left.iter().all(|entry| *entry.file_name() != *pid),
        "samples are removed"
    );
}

#[test]
fn analyze_of_what_cannot_be() {
    let dir = tempfile::tempdir().expect("a directory");
    let fails = |arguments: &[&str], words: &str| {
        let mut command = program(dir.path());
        command
            .env("CALL_ANALYTICS_MODEL", model())
            .arg("analyze")
            .args(arguments);
        let output = output(&mut command, None);
        assert!(
            !output.status.success() && output.status.code() < Some(128),
            "{arguments:?}: {}",
            text(&output)
        );
        assert!(
            text(&output).contains(words),
            "{arguments:?}: {}",
            text(&output)
        );
        assert!(!text(&output).contains("panicked"), "{}", text(&output));
    };
    fails(&["/nowhere/a.mp3"], "/nowhere/a.mp3");
    fails(&[], "FILE");
    fails(&["--language", "russian", "a.mp3"], "that Whisper knows");
    fails(&["--json", "--srt", "a.mp3"], "--srt");
    // Without a model it says what to do, for every file.
    let call = clip(6);
    let mut command = program(dir.path());
    command.arg("analyze").arg(&call);
    let output = output(&mut command, None);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("model pull"), "{}", text(&output));
}

#[test]
fn check_names_every_fault_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("config.toml");
    let check = |text: &str| {
        std::fs::write(&config, text).expect("written");
        let mut command = program(dir.path());
        command
            .env("CALL_ANALYTICS_CONFIG", &config)
            .env("CALL_ANALYTICS_MODEL", model())
            .arg("check");
        output(&mut command, None)
    };
    let good = check("max_upload_mb = 100\n");
    assert!(good.status.success(), "{}", text(&good));
    assert!(text(&good).contains("valid"), "{}", text(&good));
    let bad = check(
        "listen = \"here\"\ncolour = 1\nmax_upload_mb = 0\nlog = \"call_analytics=loud\"\n[speech]\nlanguage = \"russian\"\nworkers = 0\noperator_channel = \"middle\"\n[scoring]\nscorecard = \"/nowhere.toml\"\n[weather]\nsun = true\n",
    );
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad));
    let said = text(&bad);
    for place in [
        "listen:",
        "colour:",
        "max_upload_mb:",
        "speech.language:",
        "speech.workers:",
        "speech.operator_channel:",
        "scoring.scorecard:",
        "weather",
        "log:",
    ] {
        assert!(said.contains(place), "{place} is not in:\n{said}");
    }
    let unknown = check("[speech]\nlanguage = \"zz\"\n");
    assert!(
        text(&unknown).contains("speech.language:"),
        "{}",
        text(&unknown)
    );
    let broken = check("listen = \n");
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken).contains("config.toml"), "{}", text(&broken));
    // A scorecard's faults as well.
    let card = dir.path().join("card.toml");
    std::fs::write(
        &card,
        "id = \"x\"\nname = \"x\"\n[[criteria]]\nkey = \"a\"\n",
    )
    .expect("written");
    let bad = check(&format!("[scoring]\nscorecard = \"{}\"\n", card.display()));
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad));
    assert!(text(&bad).contains("card.toml"), "{}", text(&bad));
    // The server refuses what check refuses, in the same words.
    let mut serve = program(dir.path());
    std::fs::write(&config, "colour = 1\n").expect("written");
    serve.env("CALL_ANALYTICS_CONFIG", &config).arg("serve");
    let serve = output(&mut serve, None);
    assert!(
        !serve.status.success() && text(&serve).contains("colour:"),
        "{}",
        text(&serve)
    );
}

#[test]
fn version_help_and_openapi() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        let output = output(program(dir.path()).args(arguments), None);
        (output.status.code(), text(&output))
    };
    let (code, version) = run(&["version"]);
    assert_eq!(code, Some(0));
    assert!(
        version.starts_with(&format!("call-analytics {}", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    assert!(run(&["--version"]).1.contains(env!("CARGO_PKG_VERSION")));
    let (code, help) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for word in [
        "serve",
        "analyze",
        "check",
        "model",
        "user",
        "openapi",
        "--data-dir",
        "CALL_ANALYTICS_DATA_DIR",
    ] {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
    assert!(!help.contains("speech-worker"), "{help}");
    let (code, _) = run(&["dance"]);
    assert_eq!(code, Some(2));
    let (code, document) = run(&["openapi"]);
    assert_eq!(code, Some(0));
    let document: Value = serde_json::from_str(&document).expect("JSON");
    for path in [
        "/auth/login",
        "/auth/logout",
        "/auth/me",
        "/auth/password",
        "/upload",
        "/upload/audio",
        "/upload/video",
        "/upload/status/{id}",
        "/status/{id}",
        "/results",
        "/results/{id}",
        "/results/{id}/cancel",
        "/results/{id}/retry",
        "/results/{id}/transcript",
        "/results/{id}/turns/{index}",
        "/results/{id}/versions",
        "/results/{id}/versions/{version}",
        "/results/{id}/versions/{version}/restore",
        "/models",
        "/operators",
        "/audio/{id}",
        "/waveform/{id}",
        "/ws",
        "/health",
        "/server",
    ] {
        assert!(
            document["paths"][path].is_object(),
            "{path} is not in the document"
        );
    }
    // None of these made a store.
    assert!(!dir.path().join("call-analytics.redb").exists());
}
