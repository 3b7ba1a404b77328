//! A call is worked on again from a stage on, with another model or language.
//! A script plays the speech worker.

use std::path::Path;

use serde_json::{Value, json};

use crate::client::assert_error;
use crate::fixtures::{model, scripted_call};
use crate::server::{Server, Setup};

/// Makes the test model known under another name.
fn install(server: &Server, name: &str) {
    let dir = server.data_dir().join("models");
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join(format!("ggml-{name}.bin"));
    let source: &Path = &model();
    if std::fs::hard_link(source, &path).is_err() {
        std::fs::copy(source, &path).expect("a copy");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_and_language_are_asked_for_and_used() {
    let server = Server::start(&Setup::scripted()).await;
    install(&server, "team");
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    let before = server.completed(&id).await;
    let known = server.get("/models").await;
    assert_eq!(known["default_model"], model().display().to_string());
    assert_eq!(known["default_language"], "ru");
    let find = |name: &str| {
        let models = known["models"].as_array().expect("a list");
        models
            .iter()
            .find(|one| one["name"] == name)
            .cloned()
            .expect("known")
    };
    assert_eq!(find("team")["installed"], true);
    assert_eq!(find("small")["installed"], false);
    assert!(
        known["languages"]
            .as_array()
            .expect("a list")
            .contains(&json!("kk"))
    );

    // The script hears nobody in this language, which shows that it arrives.
    let retry = format!("/results/{id}/retry");
    let (status, view) = server
        .post(&format!("{retry}?model=team&language=nn"))
        .await;
    assert_eq!((status, &view["language"]), (200, &json!("nn")), "{view}");
    assert_eq!(server.finished(&id).await, "no_speech");
    // What was recognized before is still there to be read.
    let versions = server.get(&format!("/results/{id}/versions")).await;
    assert_eq!(versions["items"][0]["current"], false, "{versions}");
    let first = server.get(&format!("/results/{id}/versions/0")).await;
    assert_eq!(first["turns"], before["transcript"]["turns"]);
    let (status, _) = server.post(&format!("{retry}?language=ru")).await;
    assert_eq!(status, 200);
    let anew = server.completed(&id).await;
    assert_eq!(anew["call"]["language"], "ru");
    assert_eq!(anew["transcript"]["turns"], before["transcript"]["turns"]);
    assert_eq!(anew["transcript"]["version"], 1);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_stage_alone_is_done_again() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    let before = server.completed(&id).await;
    let (status, view) = server
        .post(&format!("/results/{id}/retry?from=score"))
        .await;
    assert_eq!(status, 200, "{view}");
    let after = server.completed(&id).await;
    assert_eq!(
        after["transcript"], before["transcript"],
        "it is not recognized again"
    );
    assert_eq!(after["score"], before["score"]);
    let (status, _) = server
        .post(&format!("/results/{id}/retry?from=diarize"))
        .await;
    assert_eq!(status, 200);
    let after = server.completed(&id).await;
    assert_eq!(after["transcript"]["version"], 1);
    assert_eq!(after["transcript"]["turns"], before["transcript"]["turns"]);
    assert_eq!(after["score"]["stale"], false);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted("a.wav", scripted_call(1), &[("language", "nn")])
        .await;
    server.finished(&id).await;
    for (query, status, code) in [
        ("language=zz", 400, "unknown_language"),
        ("model=nothing", 400, "unknown_model"),
        ("model=../secret", 400, "unknown_model"),
        ("model=%2Fetc%2Fpasswd.bin", 400, "unknown_model"),
        ("model=small", 400, "model_not_installed"),
        ("from=score&language=ru", 400, "bad_retry"),
        ("from=yesterday", 400, "bad_request"),
        ("from=score", 409, "not_reached"),
        ("from=diarize", 409, "not_reached"),
    ] {
        let answer = server.post(&format!("/results/{id}/retry?{query}")).await;
        assert_error(query, &answer, status, code);
        if code == "model_not_installed" {
            let message = answer.1["message"].as_str().unwrap_or_default();
            assert!(message.contains("model pull small"), "{message}");
        }
    }
    let result = server.result(&id).await;
    assert_eq!(result["call"]["status"], "no_speech");
    assert_eq!(result["call"]["error"], Value::Null);
    let _ = server.stop().await;
}
