//! Tests of the settings.

use super::*;

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).expect("write");
    let overrides = Overrides {
        config: Some(path),
        ..Overrides::default()
    };
    Config::load(&overrides, |name| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn environment_wins_over_the_file() {
    let text = "listen = \"127.0.0.1:1\"\n[speech]\nmodel = \"small\"\nworkers = 3";
    let config = load(
        text,
        &[
            ("CALL_ANALYTICS_LISTEN", "0.0.0.0:2"),
            ("CALL_ANALYTICS_MODEL", "tiny"),
        ],
    )
    .expect("valid");
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.speech.model, "tiny");
    assert_eq!(config.speech.workers, 3);
}

#[test]
fn endings_of_sound_without_a_header_are_set_and_checked() {
    let config = load("[raw]\npcm = \"alaw 8000 2\"\nsln = \"off\"", &[]).expect("valid");
    let of = |name: &str| config.raw.of(name).map(|format| format.to_string());
    assert_eq!(of("a.pcm").as_deref(), Some("alaw 8000 2"));
    assert_eq!(of("a.ulaw").as_deref(), Some("mulaw 8000 1"));
    assert_eq!(of("a.sln"), None);
    let faults = load("[raw]\npcm = \"mp3\"\nraw = 8000", &[])
        .expect_err("invalid")
        .faults;
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("raw.pcm: \"mp3\""), "{faults:?}");
    assert!(faults[1].starts_with("raw.raw: "), "{faults:?}");
}

#[test]
fn every_fault_is_named_at_once() {
    let text = "listen = \"here\"\ncolour = 1\nmax_upload_mb = \"x\"\n[speech]\nlanguage = \"russian\"\nworkers = 0\n[scoring]\nscorecard = \"/nowhere.toml\"";
    let faults = load(text, &[]).expect_err("invalid").faults;
    for place in [
        "listen:",
        "colour:",
        "max_upload_mb:",
        "speech.language:",
        "speech.workers:",
        "scoring.scorecard:",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(place)),
            "{place} is not in {faults:#?}"
        );
    }
}

#[test]
fn the_map_of_a_source_wins_over_the_general_one() {
    let of = |text: &str| {
        load(text, &[])
            .expect("valid")
            .sources
            .of(Source::Upload)
            .operator_channel
    };
    assert_eq!(of(""), OperatorChannel::Auto);
    let general = "[speech]\noperator_channel = \"right\"\n";
    assert_eq!(of(general), OperatorChannel::Right);
    let own = format!("{general}[sources.upload]\noperator_channel = \"left\"\n");
    assert_eq!(of(&own), OperatorChannel::Left);
    let mango = load("[sources.mango]\noperator_channel = \"left\"", &[]).expect("valid");
    for source in Source::ALL {
        let channel = mango.sources.of(source).operator_channel;
        assert_eq!(channel == OperatorChannel::Left, source == Source::Mango);
        assert_eq!(source.name().parse(), Ok(source));
    }
    let faults = load("[sources.fax]\nspeed = 1", &[])
        .expect_err("invalid")
        .faults;
    assert!(faults[0].starts_with("sources.fax:"), "{faults:?}");
}

#[test]
fn vocabulary_and_prompt_are_kept_trimmed_and_bounded() {
    let config = load(
        "[speech]\nvocabulary = [\" Ромашка \", \"личный кабинет\"]\nprompt = \" Звонок в клинику. \"",
        &[],
    )
    .expect("valid");
    assert_eq!(config.speech.vocabulary, ["Ромашка", "личный кабинет"]);
    assert_eq!(config.speech.prompt, "Звонок в клинику.");
    let many = "слово ".repeat(MAX_BIAS_WORDS + 1);
    let text = format!("[speech]\nvocabulary = [\"{many}\", \"\"]\nprompt = \"a\\u0000b\"");
    let faults = load(&text, &[]).expect_err("invalid").faults;
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert!(
        faults.iter().any(|fault| fault.contains("201 words")),
        "{faults:#?}"
    );
}

#[test]
fn the_example_is_valid_and_says_the_defaults() {
    let example = load(EXAMPLE, &[]).expect("valid");
    let commented: String = EXAMPLE
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|l| l.contains(" = "))
                .unwrap_or(line)
        })
        .filter(|line| !line.starts_with("scorecard"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut explicit = load(&commented, &[]).expect("valid when uncommented");
    explicit.speech.workers = example.speech.workers;
    explicit.data_dir = example.data_dir.clone();
    assert_eq!(explicit, example);
}

#[test]
fn https_names_what_is_missing() {
    let config = load(
        "[https]\nenabled = true\ndomains = [\"Calls.Example.com.\", \"[2001:db8::1]\"]",
        &[],
    );
    let https = config.expect("valid").https;
    let names: Vec<String> = https.names.iter().map(Name::authority).collect();
    assert_eq!(names, ["calls.example.com", "[2001:db8::1]"]);
    assert_eq!(https.source, CertificateSource::SelfSigned);
    assert_eq!(https.redirect_from.map(|at| at.port()), Some(80));
    let of = |text: &str| load(text, &[]).expect_err("invalid").faults;
    for (text, place) in [
        ("[https.acme]\nenabled = true", "https.acme.agree_to_terms:"),
        (
            "[https.acme]\nenabled = true\nagree_to_terms = true",
            "https.domains:",
        ),
        (
            "domains = [\"a.example.com\", \"A.example.com\"]",
            "https.domains:",
        ),
        ("domains = [\"*.example.com\"]", "https.domains:"),
        ("domains = [\"300.1.2.3\"]", "https.domains:"),
        ("certificate = \"/nowhere.pem\"", "https.key:"),
        (
            "certificate = \"/nowhere.pem\"\nkey = \"/nowhere.key\"",
            "https.certificate:",
        ),
        ("redirect_from = \"80\"", "https.redirect_from:"),
        (
            "redirect_from = \"off\"\ndomains = [\"a.example.com\"]\n[https.acme]\nenabled = true\nagree_to_terms = true\nchallenge = \"http-01\"",
            "https.redirect_from:",
        ),
        (
            "[https.acme]\ndirectory = \"http://ca.example.com\"",
            "https.acme.directory:",
        ),
        ("[http]\nbase_path = \"calls\"", "http.base_path:"),
        (
            "[http]\ntrusted_proxies = [\"proxy\"]",
            "http.trusted_proxies:",
        ),
        ("[oidc]\nenabled = true", "oidc.issuer:"),
        ("[oidc]\ndefault_role = \"root\"", "oidc.default_role:"),
    ] {
        let faults = of(&format!("[https]\nenabled = true\n{text}"));
        assert!(
            faults.iter().any(|fault| fault.starts_with(place)),
            "{text}: {faults:#?}"
        );
    }
    // What is off is not looked at.
    assert!(
        load(
            "[https]\ncertificate = \"/nowhere.pem\"\nkey = \"/nowhere.key\"",
            &[]
        )
        .is_ok()
    );
}
