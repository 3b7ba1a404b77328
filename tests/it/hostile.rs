//! What is sent to harm is a text like any other. A script plays the speech worker.

use reqwest::Method;
use serde_json::json;

use crate::client::read;
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn names_are_texts_everywhere() {
    let server = Server::start(&Setup::scripted()).await;
    let name = "..\\..\\<img src=x onerror=alert(1)>\u{202e}Set-Cookie: a=b\u{200b}.wav";
    let id = server.accepted(name, scripted_call(1), &[]).await;
    server.completed(&id).await;
    let kept = server.result(&id).await["call"]["filename"]
        .as_str()
        .expect("a name")
        .to_owned();
    assert!(kept.contains("<img src=x onerror=alert(1)>"), "{kept}");
    assert!(
        !kept.contains(['\r', '\n', '\\', '/', '\u{202e}', '\u{200b}']),
        "{kept:?}"
    );
    for format in ["txt", "srt", "vtt", "json"] {
        let path = format!("/results/{id}/transcript?format={format}");
        let answer = server
            .request(Method::GET, &path)
            .send()
            .await
            .expect("a file");
        assert_eq!(answer.status(), 200);
        assert!(!answer.headers().contains_key("set-cookie"), "{format}");
        let disposition = answer.headers()["content-disposition"]
            .to_str()
            .expect("ASCII");
        assert!(
            disposition.starts_with("attachment; filename=\""),
            "{disposition}"
        );
        let kind = answer.headers()["content-type"].to_str().expect("ASCII");
        assert!(!kind.contains("html"), "{kind}");
    }
    // An operator that a spreadsheet would run is shown as it was written.
    let operator = "=HYPERLINK(\"http://x\")";
    server.patch(&id, json!({ "operator": operator })).await;
    assert_eq!(server.result(&id).await["call"]["operator"], operator);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_and_size_of_json_are_bounded() {
    let server = Server::start(&Setup::scripted()).await;
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let bodies = [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        format!("{{\"username\": {}, \"password\": \"x\"}}", deep("[", "]")),
        "{\"username\": \"a\", \"username\": \"b\"".to_owned(),
        "\u{feff}{}".to_owned(),
        "1e999999".to_owned(),
    ];
    for path in [
        "/auth/login",
        "/questions",
        "/erasures/preview",
        "/scorecards/check",
    ] {
        for body in &bodies {
            let request = server
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body.clone());
            let answer = read(request.send().await.expect("an answer")).await;
            let start: String = body.chars().take(20).collect();
            assert!(
                answer.0 == 400 || answer.0 == 413,
                "{path} {start}: {} {}",
                answer.0,
                answer.1
            );
        }
    }
    assert_eq!(server.get("/health").await["status"], "ok");
    let _ = server.stop().await;
}
