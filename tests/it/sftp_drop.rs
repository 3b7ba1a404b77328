//! From a real client's put to a call: what is dropped is taken in once, whole,
//! and not at all when its sender's files wait.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::assert_error;
use crate::fixtures::scripted_mono;
use crate::server::{Server, Setup};

pub(crate) const PASSWORD: &str = "верная лошадь 42";

/// With an SFTP server.
pub(crate) fn setup() -> Setup {
    Setup {
        sections: "[sftp]\nlisten = \"127.0.0.1:0\"\nsettle_ms = 300\nkeep_free_mb = 1".to_owned(),
        ..Setup::scripted()
    }
}

/// The port, after the first sender has a password that is known.
pub(crate) async fn port(server: &Server) -> u64 {
    let (status, answer) = server
        .send(
            Method::PUT,
            "/sftp/users/mango",
            Some(json!({ "password": PASSWORD })),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    server.get("/sftp/server").await["port"]
        .as_u64()
        .expect("a port")
}

/// Puts a file with curl; `more` are further arguments.
pub(crate) fn put(port: u64, file: &Path, to: &str, more: &[&str]) {
    let output = Command::new("curl")
        .args(["-sS", "--insecure", "--ftp-create-dirs", "-u"])
        .arg(format!("mango:{PASSWORD}"))
        .args(more)
        .arg("-T")
        .arg(file)
        .arg(format!("sftp://127.0.0.1:{port}/{to}"))
        .output()
        .expect("curl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The file with this path, once it is in one of the states.
pub(crate) async fn file(server: &Server, path: &str, states: &[&str]) -> Value {
    let start = Instant::now();
    loop {
        let list = server.get("/sftp/files?page_size=200").await;
        let files = list["items"].as_array().expect("a list");
        let found = files.iter().find(|file| file["path"] == path);
        if let Some(found) = found
            && states.iter().any(|state| found["state"] == *state)
        {
            return found.clone();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{path}: {list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A recording of a few seconds in a file.
pub(crate) fn recording(dir: &Path, name: &str, seed: u32) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, scripted_mono(seed)).expect("written");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_becomes_a_call_once() {
    let server = Server::start(&setup()).await;
    let port = port(&server).await;
    let client = tempfile::tempdir().expect("a directory");
    let name = "2021.03.30__10-33-20__79173250913__Ivanov(101)_11322899185_2661322.wav";
    let wav = recording(client.path(), "a.wav", 1);
    put(port, &wav, &format!("2021/{name}"), &[]);
    let taken = file(&server, &format!("2021/{name}"), &["taken"]).await;
    let id = taken["call_id"].as_str().expect("a call").to_owned();
    let result = server.completed(&id).await;
    assert_eq!(result["call"]["source"], "sftp", "{result}");
    assert_eq!(result["call"]["filename"], name);
    assert_eq!(result["call"]["started_at"], "2021-03-30T07:33:20Z");

    // The same content under another name is the same call; a text is kept and left alone.
    put(port, &wav, "again.wav", &[]);
    let text = client.path().join("list.txt");
    std::fs::write(&text, "день;звонки\n").expect("written");
    put(port, &text, "list.txt", &[]);
    assert_eq!(
        file(&server, "again.wav", &["known"]).await["call_id"],
        id.as_str()
    );
    file(&server, "list.txt", &["other"]).await;
    assert_eq!(server.get("/results").await["total"], 1);

    // Written again under its name it is another recording; the first stays as it was.
    let other = recording(client.path(), "b.wav", 2);
    put(port, &other, "again.wav", &[]);
    let second = file(&server, "again.wav", &["taken"]).await;
    assert_ne!(second["call_id"], id.as_str());
    let audio = server.request(Method::GET, &format!("/audio/{id}"));
    let audio = audio
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("bytes");
    assert_eq!(audio, std::fs::read(&wav).expect("read"));
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_sender_can_wait_and_a_broken_one_does_always() {
    let server = Server::start(&setup()).await;
    let port = port(&server).await;
    let (status, answer) = server
        .send(
            Method::PUT,
            "/sftp/users/mango",
            Some(json!({ "mode": "manual" })),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    let client = tempfile::tempdir().expect("a directory");
    let wav = recording(client.path(), "a.wav", 3);
    put(port, &wav, "звонок.wav", &[]);
    file(&server, "звонок.wav", &["waiting"]).await;
    assert_eq!(server.get("/results").await["total"], 0);

    // A client that is cut off in the middle: its file is there, and is not taken.
    let big = client.path().join("big.wav");
    let bytes = scripted_mono(4).repeat(400);
    std::fs::write(&big, &bytes).expect("written");
    let mut cut = Command::new("curl")
        .args(["-sS", "--insecure", "--limit-rate", "200k", "-u"])
        .arg(format!("mango:{PASSWORD}"))
        .arg("-T")
        .arg(&big)
        .arg(format!("sftp://127.0.0.1:{port}/big.wav"))
        .spawn()
        .expect("curl is installed");
    file(&server, "big.wav", &["receiving"]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    cut.kill().expect("it runs");
    cut.wait().expect("it ended");
    file(&server, "big.wav", &["incomplete"]).await;

    let bad = json!({ "files": [{ "user": "mango", "path": "../../secret" }] });
    let answer = server.send(Method::POST, "/sftp/process", Some(bad)).await;
    assert_error("a name that leads out", &answer, 400, "bad_name");
    let names = ["звонок.wav", "big.wav", "gone.wav"];
    let files: Vec<Value> = names
        .iter()
        .map(|path| json!({ "user": "mango", "path": path }))
        .collect();
    let (status, answer) = server
        .send(
            Method::POST,
            "/sftp/process",
            Some(json!({ "files": files })),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    let items = answer["items"].as_array().expect("a list");
    assert_eq!(items[0]["state"], "taken", "{answer}");
    for item in &items[1..] {
        assert!(
            item["state"].is_null() && item["message"].is_string(),
            "{answer}"
        );
    }
    server
        .completed(items[0]["call_id"].as_str().expect("a call"))
        .await;

    // The sender goes on with the broken one; only then it can be taken.
    put(port, &big, "big.wav", &["-C", "-"]);
    file(&server, "big.wav", &["waiting"]).await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_nobody_looked_is_found_at_start() {
    let server = Server::start(&setup()).await;
    let first = port(&server).await;
    let client = tempfile::tempdir().expect("a directory");
    let wav = recording(client.path(), "a.wav", 5);
    put(first, &wav, "a.wav", &[]);
    let taken = file(&server, "a.wav", &["taken"]).await;
    server
        .completed(taken["call_id"].as_str().expect("a call"))
        .await;
    let folder = server.data_dir().join("sftp/files/mango");
    let (data, password) = server.stop().await;

    // One that was acknowledged and of which nothing was written down, one whose
    // writing never ended, and one that is gone.
    std::fs::remove_file(folder.join("a.wav")).expect("removed");
    for (name, mode) in [("b.wav", 0o640), ("c.wav", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let path = recording(&folder, name, 6 + mode);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    }
    let server = Server::start_in(data, Some(password), &setup()).await;
    file(&server, "b.wav", &["taken"]).await;
    file(&server, "c.wav", &["incomplete"]).await;
    let list = server.get("/sftp/files").await;
    assert_eq!(list["total"], 2, "{list}");
    assert_eq!(server.get("/results").await["total"], 2);
    let _ = server.stop().await;
}
