//! Several dropped files at once: the archive as real programs open it, and what
//! cannot be asked for.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::assert_error;
use crate::sftp_drop::{put, recording};
use crate::sftp_files::{NAMES, curl, listed, manual};

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_files() {
    let (server, port) = manual().await;
    let client = tempfile::tempdir().expect("a directory");
    for (seed, name) in NAMES.iter().enumerate() {
        let wav = recording(client.path(), "a.wav", seed as u32);
        put(port, &wav, name, &[]);
    }
    let gone = recording(client.path(), "a.wav", 9);
    put(port, &gone, "gone.wav", &[]);
    listed(&server, "state=waiting", 6).await;
    let (status, prepared) = server
        .send(
            Method::POST,
            "/sftp/download/prepare",
            Some(json!({ "all": { "state": "waiting" } })),
        )
        .await;
    assert_eq!(status, 200, "{prepared}");
    assert_eq!(prepared["files"], 6, "{prepared}");
    // Somebody takes one away between choosing and fetching.
    std::fs::remove_file(server.data_dir().join("sftp/files/mango/gone.wav")).expect("removed");
    let path = format!("/sftp/download/{}", prepared["id"].as_str().expect("an id"));
    let (head, archive) = curl(&server, &path, &["--compressed"]);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/zip"), "{head}");
    assert!(
        head.contains("content-disposition: attachment; filename=\"sftp-"),
        "{head}"
    );
    let zip = client.path().join("files.zip");
    std::fs::write(&zip, &archive).expect("written");
    let test = Command::new("unzip")
        .arg("-tq")
        .arg(&zip)
        .output()
        .expect("unzip is installed");
    assert!(
        test.status.success(),
        "{}",
        String::from_utf8_lossy(&test.stdout)
    );
    let script = "import sys, zipfile, hashlib, json
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(json.dumps({i.filename: [i.compress_type, hashlib.sha256(z.read(i)).hexdigest(), i.file_size] for i in z.infolist()}))";
    let read = Command::new("python3")
        .args(["-c", script])
        .arg(&zip)
        .output()
        .expect("python3");
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let members: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    let names: Vec<&String> = members.as_object().expect("members").keys().collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(members["mango/2026/звонок №1 (а).wav"][0] == 0, "{members}");
    assert!(members["not included.txt"].is_array(), "{members}");
    let told = String::from_utf8_lossy(&archive);
    assert!(
        told.contains("mango/gone.wav: there is no such file"),
        "what is missing is told"
    );

    // Straight away, of files by name; and what cannot be asked for.
    let one = json!({ "files": [{ "user": "mango", "path": "deep/er/bytes:abc.wav" }] });
    let request = server.request(Method::POST, "/sftp/download").json(&one);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(&answer.bytes().await.expect("bytes")[..4], b"PK\x03\x04");
    for (body, code) in [
        (json!({}), "bad_selection"),
        (json!({ "files": [], "all": {} }), "bad_selection"),
        (json!({ "files": [] }), "no_files"),
        (
            json!({ "files": [{ "user": "mango", "path": "../x" }] }),
            "bad_name",
        ),
        (json!({ "all": { "stat": "waiting" } }), "bad_request"),
        (json!({ "all": { "state": "lost" } }), "bad_filter"),
    ] {
        let answer = server
            .send(Method::POST, "/sftp/download", Some(body))
            .await;
        assert_error("an archive", &answer, 400, code);
    }
    let answer = server.send(Method::GET, "/sftp/download/none", None).await;
    assert_error(
        "an archive that nobody chose",
        &answer,
        404,
        "download_expired",
    );
    let _ = server.stop().await;
}
