//! The real program under hard treatment: killed, starved of its model, stopped.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::fixtures::{bytes, clip, long_call, model};
use crate::process::{Process, alive, signal};
use crate::server::{eventually, files};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start(&data);
    let password = server.first_password.clone().expect("a password");
    let admin = server.admin(&password).await;
    let done = admin
        .accepted("done.mp3", bytes(&clip(6)), &[("operator_name", "Ольга")])
        .await;
    let before = admin.completed(&done).await;
    let hit = admin.accepted("hit.mp3", bytes(&clip(30)), &[]).await;
    let waiting = admin.accepted("waiting.mp3", bytes(&clip(7)), &[]).await;
    admin.transcribing(&hit).await;
    let workers = server.workers();
    assert_eq!(workers.len(), 1);
    server.kill();
    eventually("the speech worker ends with its server", 5, || {
        !alive(workers[0])
    })
    .await;
    std::fs::write(data.join("incoming/half"), "half a file").expect("written");

    let server = Process::start(&data);
    assert_eq!(server.first_password, None);
    let admin = server.admin(&password).await;
    assert_eq!(
        admin.result(&done).await,
        before,
        "what was finished is as it was"
    );
    let status = admin.get(&format!("/status/{hit}")).await;
    assert_eq!(
        status["stage"], "transcribe",
        "it goes on where it was: {status}"
    );
    for id in [&hit, &waiting] {
        let result = admin.completed(id).await;
        assert!(
            !result["transcript"]["turns"]
                .as_array()
                .expect("turns")
                .is_empty()
        );
    }
    assert_eq!(admin.results(&[]).await["total"], 3);
    assert_eq!(admin.results(&[("q", "ромашка")]).await["total"], 3);
    assert!(
        files(&data.join("incoming")).is_empty(),
        "half files are swept"
    );
    assert!(files(&data.join("work")).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_speech_worker_is_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Process::start(&dir.path().join("store"));
    let admin = server
        .admin(server.first_password.as_deref().expect("a password"))
        .await;
    let id = admin.accepted("a.mp3", bytes(&clip(18)), &[]).await;
    admin.transcribing(&id).await;
    let workers = server.workers();
    assert_eq!(workers.len(), 1);
    signal("-KILL", workers[0]);
    let status = admin
        .wait(&id, 3, "waiting for another attempt", |status| {
            status["error"].is_object()
        })
        .await;
    assert_eq!(status["error"]["code"], "speech_worker_died", "{status}");
    assert_eq!(status["status"], "processing", "{status}");
    let result = admin.completed(&id).await;
    assert_eq!(
        result["call"]["error"],
        Value::Null,
        "a success wipes the reason"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_kills_the_speech_worker_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start(&data);
    let admin = server
        .admin(server.first_password.as_deref().expect("a password"))
        .await;
    let id = admin.accepted("a.mp3", bytes(&clip(30)), &[]).await;
    admin.transcribing(&id).await;
    let (status, view) = admin.post(&format!("/results/{id}/cancel")).await;
    assert_eq!((status, &view["status"]), (200, &json!("cancelled")));
    eventually("the speech worker ends", 2, || server.workers().is_empty()).await;
    eventually("the samples are removed", 2, || {
        files(&data.join("work")).is_empty()
    })
    .await;
    assert_eq!(
        admin.get(&format!("/status/{id}")).await["status"],
        "cancelled"
    );
    let (status, view) = admin.post(&format!("/results/{id}/retry")).await;
    assert_eq!(status, 200, "{view}");
    admin.completed(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_model_fails_calls_with_a_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let own = dir.path().join("ggml-own.bin");
    std::fs::write(&own, "this is no model").expect("written");
    let server = Process::start_with_model(&data, &own);
    let admin = server
        .admin(server.first_password.as_deref().expect("a password"))
        .await;
    let health = admin.get("/server").await;
    assert_eq!(
        (&health["status"], &health["model"]["state"]),
        (&json!("degraded"), &json!("invalid")),
        "{health}"
    );
    assert!(
        health["model"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let mut ids = Vec::new();
    for seconds in [6, 7] {
        ids.push(admin.accepted("a.mp3", bytes(&clip(seconds)), &[]).await);
    }
    for id in &ids {
        assert_eq!(admin.finished(id).await, "failed");
        let call = admin.result(id).await["call"].clone();
        let code = call["error"]["code"].as_str().expect("a reason");
        assert!(code.starts_with("model_"), "{call}");
        assert_eq!(call["attempts"], 1, "trying again would not help: {call}");
    }
    assert_eq!(admin.get("/server").await["queue"]["failed"], 2);
    // Cut off in the middle: the header is right.
    let whole = bytes(&model());
    std::fs::write(&own, &whole[..whole.len() / 2]).expect("written");
    let (status, _) = admin.post(&format!("/results/{}/retry", ids[0])).await;
    assert_eq!(status, 200);
    assert_eq!(admin.finished(&ids[0]).await, "failed");
    // Repaired: without a restart.
    std::fs::remove_file(&own).expect("removed");
    std::os::unix::fs::symlink(model(), &own).expect("a link");
    let (status, _) = admin.post(&format!("/results/{}/retry", ids[0])).await;
    assert_eq!(status, 200);
    let result = admin.completed(&ids[0]).await;
    assert_eq!(result["call"]["error"], Value::Null);
    assert_eq!(admin.get("/health").await["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_ends_soon_and_goes_on_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start(&data);
    let password = server.first_password.clone().expect("a password");
    let admin = server.admin(&password).await;
    let id = admin.accepted("a.mp3", bytes(&clip(30)), &[]).await;
    // A page that watches must not keep the server.
    let mut request = admin
        .url("/ws")
        .replace("http://", "ws://")
        .into_client_request()
        .expect("a request");
    let bearer = format!("Bearer {}", admin.token.as_deref().expect("a token"));
    request
        .headers_mut()
        .insert("authorization", bearer.parse().expect("a value"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("a socket");
    admin.transcribing(&id).await;
    let workers = server.workers();
    let (status, took) = server.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(
        workers.iter().all(|pid| !alive(*pid)),
        "speech workers end with it"
    );
    let closed = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(Duration::from_secs(5), closed)
        .await
        .expect("the socket is closed");

    let server = Process::start(&data);
    let admin = server.admin(&password).await;
    admin.transcribing(&id).await;
    let status = admin.get(&format!("/status/{id}")).await;
    assert_eq!(
        status["error"],
        Value::Null,
        "stopping the server is no fault of the call: {status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_long_decoding() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start(&data);
    let admin = server
        .admin(server.first_password.as_deref().expect("a password"))
        .await;
    let id = admin.accepted("long.mp3", bytes(&long_call()), &[]).await;
    let long = admin
        .wait(&id, 20, "being decoded", |status| {
            status["status"] == "processing"
        })
        .await;
    assert_eq!(long["stage"], "decode", "{long}");
    let begun = Instant::now();
    let (status, took) = server.terminate();
    assert!(status.success(), "{status} after {:?}", begun.elapsed());
    assert!(took < Duration::from_secs(3), "{took:?}");
}
