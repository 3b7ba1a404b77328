//! An archive is brought in from the command line: into a server that runs, or
//! into a store that waits, once, whatever breaks off in between.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::fixtures::{model, scripted_call, tones};
use crate::process::{Process, output, program, text};
use crate::server::eventually;

/// 20 files: 15 recordings, 3 of them with the content of others, a damaged one, texts, a link.
fn archive(dir: &Path) -> PathBuf {
    let archive = dir.join("archive");
    std::fs::create_dir_all(archive.join("2026/11")).expect("made");
    let put = |name: String, bytes: &[u8]| {
        std::fs::write(archive.join(name), bytes).expect("written");
    };
    for number in 0..15u32 {
        let name = format!(
            "2026.11.20__10-{number:02}-20__79161234567__79031234567_1132289{number:04}.wav"
        );
        let dir = if number % 2 == 0 { "2026/11/" } else { "" };
        put(format!("{dir}{name}"), &scripted_call(number % 12));
    }
    put("2026/notes.txt".to_owned(), b"text");
    put("list.csv".to_owned(), b"a;b");
    put("text.mp3".to_owned(), b"this is no recording at all");
    put("damaged.wav".to_owned(), b"RIFF\x04\x00\x00\x00WAVE");
    put("empty.ogg".to_owned(), b"");
    std::os::unix::fs::symlink("/etc", archive.join("link")).expect("a link");
    archive
}

fn import(data: &Path, arguments: &[&str], path: &Path) -> Command {
    let mut command = program(data);
    command.env("CALL_ANALYTICS_MODEL", model());
    command.arg("import").args(arguments).arg(path);
    command
}

fn summary(data: &Path, path: &Path) -> (bool, Value) {
    let output = output(&mut import(data, &["--json"], path), None);
    let json = serde_json::from_slice(&output.stdout);
    (
        output.status.success(),
        json.unwrap_or_else(|error| panic!("{error}: {}", text(&output))),
    )
}

fn counters(summary: &Value) -> [u64; 5] {
    ["files", "new", "known", "other", "failed"].map(|name| {
        summary[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {summary}"))
    })
}

/// Names with the time that they tell, as the API shows them.
async fn calls(process: &Process, password: &str) -> Vec<Value> {
    let client = process.admin(password).await;
    let page = client.get("/results?page_size=100&source=import").await;
    page["items"].as_array().expect("items").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_goes_into_the_server_that_runs() {
    let dir = tempfile::tempdir().expect("dir");
    let archive = archive(dir.path());
    let data = dir.path().join("store");
    let process = Process::start(&data);
    let password = process.first_password.clone().expect("made");
    let (well, first) = summary(&data, &archive);
    // The damaged and the empty one are told, and are no success.
    assert!(!well);
    assert_eq!(counters(&first), [20, 12, 3, 3, 2], "{first}");
    let codes: Vec<&str> = first["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|failure| failure["code"].as_str().expect("a code"))
        .collect();
    assert!(codes.contains(&"empty_file"), "{first}");
    let others = first["others"].to_string();
    assert!(
        ["notes.txt", "list.csv", "text.mp3"]
            .iter()
            .all(|name| others.contains(name)),
        "{others}"
    );
    let (_, second) = summary(&data, &archive);
    assert_eq!(counters(&second), [20, 0, 15, 3, 2], "{second}");
    let small = std::fs::metadata(archive.join("text.mp3"))
        .expect("file")
        .len()
        + 12;
    assert_eq!(second["sent_bytes"], small, "what is known is not sent");
    let calls = calls(&process, &password).await;
    assert_eq!(calls.len(), 12);
    for call in &calls {
        let started = call["started_at"].as_str().expect("a time");
        assert!(started.starts_with("2026-11-20T07:"), "{call}");
    }
    // A file by its name, and words for people.
    let one = archive.join("list.csv");
    let said = output(&mut import(&data, &[], &one), None);
    assert!(said.status.success(), "{}", text(&said));
    assert!(text(&said).contains("files: 1, new: 0, known: 0, no recordings: 1, failed: 0"));
    assert!(text(&said).contains("no recording: "));
    let said = output(&mut import(&data, &[], Path::new("/nowhere")), None);
    assert!(!said.status.success() && text(&said).contains("/nowhere"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_waits_in_the_store_for_the_server() {
    let dir = tempfile::tempdir().expect("dir");
    let archive = archive(dir.path());
    let data = dir.path().join("store");
    let said = output(&mut import(&data, &["--dry-run", "--json"], &archive), None);
    assert!(said.status.success(), "{}", text(&said));
    let names: Vec<Value> = String::from_utf8_lossy(&said.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(names.len(), 20);
    let known = names.iter().filter(|name| name["pattern"] == "mango");
    assert_eq!(known.clone().count(), 15, "{names:?}");
    for name in known {
        assert_eq!(name["caller"], "79161234567", "{name}");
        assert!(
            name["started_at"]
                .as_str()
                .expect("a time")
                .starts_with("2026-11-20T07:")
        );
    }
    assert!(
        !data.join("call-analytics.redb").exists(),
        "nothing was done"
    );
    let (_, first) = summary(&data, &archive);
    assert_eq!(counters(&first), [20, 12, 3, 3, 2], "{first}");
    let (_, second) = summary(&data, &archive);
    assert_eq!(counters(&second), [20, 0, 15, 3, 2], "{second}");
    let process = Process::start(&data);
    // Whoever brought the archive in did not take the first password away.
    let password = process.first_password.clone().expect("made");
    assert_eq!(calls(&process, &password).await.len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_or_a_server_that_is_killed_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let archive = dir.path().join("archive");
    std::fs::create_dir(&archive).expect("made");
    for number in 0..60u32 {
        let call = tones(60.0, 8000, &[100.0 + f64::from(number) * 10.0, 900.0]);
        std::fs::write(archive.join(format!("{number:02}.wav")), call).expect("written");
    }
    let data = dir.path().join("store");
    let audio = data.join("audio");
    let kept = || crate::server::files(&audio).len();
    let process = Process::start(&data);
    let password = process.first_password.clone().expect("made");
    let mut killed = import(&data, &[], &archive).spawn().expect("it starts");
    eventually("some are in", 60, || kept() >= 5).await;
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    let some = kept();
    assert!(some < 60, "it was too fast");
    // Now the server goes in the middle.
    let mut orphan = import(&data, &[], &archive).spawn().expect("it starts");
    eventually("more are in", 60, || kept() >= some + 5).await;
    process.kill();
    assert!(!orphan.wait().expect("ended").success());
    let process = Process::start(&data);
    let (well, rest) = summary(&data, &archive);
    assert!(well, "{rest}");
    let [files, new, known, other, failed] = counters(&rest);
    assert_eq!(
        (files, new + known, other, failed),
        (60, 60, 0, 0),
        "{rest}"
    );
    // Each kill may fall between the file and its record.
    assert!(known >= 8, "{rest}");
    assert_eq!(calls(&process, &password).await.len(), 60);
    assert_eq!(kept(), 60);
}

#[test]
fn garbage_on_the_control_socket_ends_that_connection_only() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path().join("store");
    let process = Process::start(&data);
    let open = || std::os::unix::net::UnixStream::connect(data.join("control.sock")).expect("open");
    for rest in [
        &b"nonsense\n"[..],
        b"{\"send\":{\"name\":\"a\",\"size_bytes\":18446744073709551615}}\nabc",
        b"{\"offer\":{\"sha256\":\"../../etc/passwd\"}}\n",
    ] {
        let mut stream = open();
        stream.write_all(b"\"import\"\n").expect("sent");
        stream.write_all(rest).expect("sent");
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("set");
        stream.shutdown(std::net::Shutdown::Write).expect("shut");
        let mut said = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut said).expect("it ends");
    }
    let one = dir.path().join("a.wav");
    std::fs::write(&one, scripted_call(1)).expect("written");
    let (well, summary) = summary(&data, &one);
    assert!(well && summary["new"] == 1, "{summary}");
    drop(process);
}
