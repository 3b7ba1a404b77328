//! What changes something is in the audit although the connection, the server or the disk
//! ends in the middle of it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::Client;
use crate::fixtures::{SmallDisk, model};
use crate::process::Process;
use crate::server::{Server, Setup};

/// Ids of new employees.
async fn hire(admin: &Client, how_many: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..how_many {
        let body = json!({"name": format!("Сотрудник {number}"), "extensions": [], "phones": [], "sip": []});
        let (status, made) = admin.send(Method::POST, "/employees", Some(body)).await;
        assert_eq!(status, 200, "{made}");
        ids.push(made["id"].as_str().expect("an id").to_owned());
    }
    ids
}

/// Sends a request and breaks the connection off after some time, with a reset.
async fn broken_off(client: &Client, request: String, after: Duration) {
    let address = client.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let token = client.token.as_deref().expect("a token");
    let request = format!("{request}\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    tokio::time::sleep(after).await;
    stream
        .set_zero_linger()
        .expect("a connection can be broken off");
}

/// Checks that every one of `ids` that is not there any more has an entry, and that the
/// others have none that says it was done; by outcome how many have which.
async fn told(admin: &Client, ids: &[String]) -> BTreeMap<String, usize> {
    let there = admin.get("/employees").await.to_string();
    let mut outcomes = BTreeMap::new();
    for id in ids {
        let page = admin
            .get(&format!("/audit?subject={id}&action=settings_changed"))
            .await;
        let entries = page["items"].as_array().expect("entries");
        let outcome = |entry: &Value| entry["outcome"].as_str().expect("an outcome").to_owned();
        let found: Vec<String> = entries.iter().map(outcome).collect();
        assert!(found.len() <= 1, "{id} was dismissed once: {page}");
        if there.contains(id.as_str()) {
            assert!(!found.contains(&"done".to_owned()), "{id} is there: {page}");
        } else {
            assert_eq!(found.len(), 1, "{id} is gone: {page}");
        }
        for entry in entries {
            assert_eq!(entry["operation"], "removeEmployee");
            assert_eq!(entry["who"], "admin");
        }
        for outcome in found {
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    let verified = admin.get("/audit/verify").await;
    assert_eq!(verified["whole"], true, "{verified}");
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_for_the_answer_is_written_all_the_same() {
    let server = Server::start(&Setup::scripted()).await;
    let mut all = Vec::new();
    // At another moment each time; until one comes in the middle.
    for _ in 0..10 {
        let ids = hire(&server, 40).await;
        for (number, id) in (0..).zip(&ids) {
            let request = format!("DELETE /api/v1/employees/{id} HTTP/1.1");
            broken_off(&server, request, Duration::from_micros(number * 250)).await;
        }
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        all.extend(ids);
        let outcomes = told(&server, &all).await;
        println!("dismissed and gone away: {outcomes:?}");
        if outcomes.contains_key("unknown") && outcomes.contains_key("done") {
            let page = server.get("/audit?outcome=unknown").await;
            assert_eq!(
                page["items"][0]["detail"],
                "it ended before it was answered"
            );
            let _ = server.stop().await;
            return;
        }
    }
    panic!("no connection ended in the middle");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_was_doing_is_written_at_its_next_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let (mut password, mut all) = (None, Vec::new());
    for round in 0..8 {
        let process = Process::start(&data);
        password = password.or(process.first_password.clone());
        let admin = process
            .admin(password.as_deref().expect("a password"))
            .await;
        let ids = hire(&admin, 12).await;
        all.extend(ids.iter().cloned());
        let dismissing = tokio::spawn(async move {
            for id in ids {
                let path = format!("/employees/{id}");
                let sent = admin.request(Method::DELETE, &path).send().await;
                if sent.is_err() {
                    return true;
                }
            }
            false
        });
        tokio::time::sleep(Duration::from_millis(3 + round * 4)).await;
        process.kill();
        let cut_off = dismissing.await.expect("it ends");
        println!("round {round}: cut off {cut_off}");
    }
    let process = Process::start(&data);
    let admin = process
        .admin(password.as_deref().expect("a password"))
        .await;
    let outcomes = told(&admin, &all).await;
    println!("dismissed: {outcomes:?}");
    assert!(outcomes.contains_key("done"), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_written_nothing_is_done_or_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(_disk) = SmallDisk::at(dir.path(), 64) else {
        return;
    };
    let data = dir.path().join("store");
    let process = Process::start_with_model(&data, &model());
    let password = process.first_password.clone().expect("a password");
    let admin = process.admin(&password).await;
    let ids = hire(&admin, 200).await;
    // As large as it gets.
    let filler = dir.path().join("filler");
    let filled = std::fs::write(&filler, vec![0; 64 << 20]);
    assert!(filled.is_err(), "the disk is full");
    let mut refused = None;
    for id in &ids {
        let path = format!("/employees/{id}");
        let (status, answer) = admin.send(Method::DELETE, &path, None).await;
        if status != 204 {
            assert!(status >= 500, "{status} {answer}");
            refused = Some(id);
            break;
        }
    }
    assert!(refused.is_some(), "a full disk keeps nobody from writing");
    // To look leaves a trace as well, or nothing is seen.
    let (status, answer) = admin.send(Method::GET, "/accounts", None).await;
    assert!(status >= 500, "{status} {answer}");
    assert!(!answer.to_string().contains("admin"), "{answer}");
    process.kill();
    std::fs::remove_file(&filler).expect("removed");
    let process = Process::start_with_model(&data, &model());
    let admin = process.admin(&password).await;
    let outcomes = told(&admin, &ids).await;
    println!("dismissed on a disk that got full: {outcomes:?}");
}
