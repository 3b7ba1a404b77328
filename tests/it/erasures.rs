//! Everything of a number is erased, from every file of the data directory, and does not
//! come back; calls whose time is over are removed. A script plays the speech worker.

use std::path::Path;
use std::time::{Duration, Instant};

use call_analytics::store::Store;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{assert_error, file};
use crate::fixtures::{scripted_call, scripted_mono};
use crate::process::{output, program, text};
use crate::server::{Server, Setup, files};
use crate::sftp_drop;

const PHONE: &str = "79161234567";

/// Files below a directory that have these bytes.
fn having(dir: &Path, part: &str) -> Vec<String> {
    files(dir)
        .into_iter()
        .filter(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            let name = path.to_string_lossy();
            name.contains(part)
                || bytes
                    .windows(part.len())
                    .any(|found| found == part.as_bytes())
        })
        .map(|path| path.display().to_string())
        .collect()
}

async fn done(server: &Server, id: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let report = server.get(&format!("/erasures/{id}")).await;
        if report["done"] == true {
            return report;
        }
        assert!(Instant::now() < end, "{report}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The store, once the server that was stopped has let go of it.
async fn opened(data: &Path) -> Store {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match Store::open(data) {
            Ok(store) => return store,
            Err(error) if Instant::now() > end => panic!("{error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_number_is_left_anywhere() {
    let server = Server::start(&sftp_drop::setup()).await;
    let port = sftp_drop::port(&server).await;
    let name = format!("2026-07-15__10-00-00__{PHONE}__101.wav");
    let uploaded = server.accepted(&name, scripted_call(1), &[]).await;
    let dir = tempfile::tempdir().expect("a directory");
    let sound = dir.path().join("sound.wav");
    std::fs::write(&sound, scripted_mono(2)).expect("a file");
    let dropped = "in/8(916)123-45-67.wav";
    sftp_drop::put(port, &sound, dropped, &[]);
    sftp_drop::file(&server, dropped, &["taken"]).await;
    let other = server
        .accepted(
            "2026-07-15__10-00-00__79990000000__101.wav",
            scripted_call(3),
            &[],
        )
        .await;
    for id in [&uploaded, &other] {
        server.completed(id).await;
    }
    let phrase = "Здравствуйте, компания Ромашка";
    assert!(
        server
            .result(&uploaded)
            .await
            .to_string()
            .contains("Ромашка")
    );
    let version = json!({"version": 0, "text": "Тайное слово кракозябра"});
    let path = format!("/results/{uploaded}/turns/1");
    let (status, answer) = server.send(Method::PATCH, &path, Some(version)).await;
    assert_eq!(status, 200, "{answer}");
    assert!(!having(&server.data_dir(), PHONE).is_empty());

    for bad in ["", "101", "Иван"] {
        let body = Some(json!({ "phone": bad }));
        for path in ["/erasures/preview", "/erasures"] {
            let answer = server.send(Method::POST, path, body.clone()).await;
            assert_error(bad, &answer, 400, "bad_phone");
        }
    }
    let body = json!({"phone": "+7 (916) 123-45-67"});
    let (status, preview) = server
        .send(Method::POST, "/erasures/preview", Some(body.clone()))
        .await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(preview["total"], 2, "{preview}");
    assert_eq!(preview["dropped_files"], 1, "{preview}");
    assert_eq!(server.results(&[]).await["total"], 3, "only shown");

    let (status, order) = server
        .send(Method::POST, "/erasures", Some(body.clone()))
        .await;
    assert_eq!(status, 202, "{order}");
    let id = order["id"].as_str().expect("an id").to_owned();
    let report = done(&server, &id).await;
    assert_eq!(report["left"], json!([]), "{report}");
    assert_eq!(report["removed"]["calls"], 2, "{report}");
    assert_eq!(report["removed"]["dropped_files"], 1, "{report}");
    assert!(
        report["removed"]["transcripts"].as_u64() >= Some(3),
        "{report}"
    );
    assert_eq!(report["masked"], "7••••••••67");
    assert_eq!(report["author"], "admin");
    // What other calls say as well stays, what only this one said is nowhere.
    for part in [PHONE, "9161234567", "916)123-45-67", "кракозябра"] {
        assert_eq!(
            having(&server.data_dir(), part),
            Vec::<String>::new(),
            "{part}"
        );
    }
    assert!(server.result(&other).await.to_string().contains(phrase));
    assert_eq!(server.files("audio").len(), 1);
    let listed = server.get("/results?q=кракозябра").await;
    assert_eq!(listed["total"], 0, "{listed}");

    // The same bytes are refused, by every door; a new call of the number is a new call.
    let (status, answer) = server
        .upload(vec![file("again.wav", scripted_call(1))], &[])
        .await;
    assert!(
        answer.to_string().contains("\"erased\""),
        "{status} {answer}"
    );
    sftp_drop::put(port, &sound, "again.wav", &[]);
    let refused = sftp_drop::file(&server, "again.wav", &["refused"]).await;
    assert!(refused.to_string().contains("erased"), "{refused}");
    server.accepted(&name, scripted_call(4), &[]).await;
    let entries = server.get("/audit?action=erased&page_size=100").await;
    let entries = entries["items"].as_array().expect("entries").clone();
    assert_eq!(
        entries.len(),
        4,
        "the order, two calls, the end: {entries:?}"
    );
    assert!(
        !json!(entries).to_string().contains("9161234567"),
        "{entries:?}"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_taken_up_after_a_restart_and_the_command_line_erases_too() {
    let server = Server::start(&Setup::scripted()).await;
    let name = format!("{PHONE}.wav");
    let id = server.accepted(&name, scripted_call(1), &[]).await;
    server.completed(&id).await;
    let data = server.data_dir();
    let erase = |arguments: &[&str]| {
        let mut command = program(&data);
        command
            .args(["erase", "--phone", "89161234567"])
            .args(arguments);
        output(&mut command, None)
    };
    let shown = erase(&[]);
    assert!(shown.status.success(), "{}", text(&shown));
    assert!(
        text(&shown).contains(&id) && text(&shown).contains("Nothing was erased"),
        "{}",
        text(&shown)
    );
    let erased = erase(&["--yes"]);
    assert!(erased.status.success(), "{}", text(&erased));
    assert!(text(&erased).contains("calls: 1"), "{}", text(&erased));
    assert_eq!(server.results(&[]).await["total"], 0);
    assert_eq!(having(&data, PHONE), Vec::<String>::new());
    let second = server.accepted(&name, scripted_call(2), &[]).await;
    server.completed(&second).await;
    let (dir, password) = server.stop().await;
    // Without a server, and an order that nobody came to do.
    let store = opened(&data).await;
    let erasure = call_analytics::domain::erasure::Erasure {
        id: "01K0000000000000000000000A".into(),
        author: "admin".into(),
        ordered_at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        phone: Some(PHONE.into()),
        masked: "7".into(),
        mark: String::new(),
        removed: Default::default(),
        left: Vec::new(),
        ended_at: None,
        rewritten: false,
    };
    store.put_erasure(&erasure).expect("ordered");
    drop(store);
    let server = Server::start_in(dir, Some(password), &Setup::scripted()).await;
    let report = done(&server, &erasure.id).await;
    assert_eq!(report["removed"]["calls"], 1, "{report}");
    assert_eq!(having(&data, PHONE), Vec::<String>::new());
    let third = server.accepted(&name, scripted_call(3), &[]).await;
    server.completed(&third).await;
    let (dir, _) = server.stop().await;
    drop(opened(&data).await);
    let erased = erase(&["--yes"]);
    assert!(erased.status.success(), "{}", text(&erased));
    assert_eq!(having(&data, PHONE), Vec::<String>::new());
    drop(dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_would_remove_is_listed_first() {
    let sections = "[retention]\nat = \"02:15\"\n[[retention.rules]]\ndays = 30\nstatus = \"failed\"\n\
                    [[retention.rules]]\ndays = 3650\n";
    let server = Server::start(&Setup {
        sections: sections.to_owned(),
        ..Setup::scripted()
    })
    .await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let preview = server.get("/retention/preview").await;
    assert_eq!(preview["at"], "02:15");
    assert_eq!(preview["total"], 0, "{preview}");
    assert_eq!(preview["rules"][0]["status"], "failed");
    assert_eq!(preview["rules"][1]["days"], 3650);
    // The night in eleven years.
    let erasures = server.erasures.upgrade().expect("the server runs");
    let then = Timestamp::now() + SignedDuration::from_hours(24 * 365 * 11);
    let removed = tokio::task::spawn_blocking(move || erasures.tidy(then));
    let removed = removed.await.expect("it ends").expect("well");
    assert_eq!((removed.calls, removed.transcripts), (1, 1));
    let answer = server
        .send(Method::GET, &format!("/results/{id}"), None)
        .await;
    assert_error("a call whose time is over", &answer, 404, "not_found");
    let kept = server.files("audio");
    assert!(kept.is_empty(), "{kept:?}");
    let entries = server.get("/audit?action=retention_enforced").await;
    assert_eq!(entries["items"][0]["subject"], id.as_str(), "{entries}");
    // It may come again: nobody asked for it to be erased.
    server.accepted("a.wav", scripted_call(1), &[]).await;
    let _ = server.stop().await;
}
