//! FTP Файлы through the API: any name in an address, playing and downloading
//! with real clients, filters over what names and calls tell, removing, and
//! sending again what was deleted.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::calltouch::hook;
use crate::client::assert_error;
use crate::fixtures::scripted_mono;
use crate::server::Server;
use crate::sftp_drop::{PASSWORD, file, port, put, recording, setup};

/// Names with everything that means something in an address, and one that is no
/// UTF-8; each as it stands in the URL of a client.
pub(crate) const NAMES: [&str; 5] = [
    "2026/%D0%B7%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA%20%E2%84%961%20(%D0%B0).wav",
    "a%20b+c%2520d%23e%3Ff%26g=h%3B%25.wav",
    "deep/er/bytes:abc.wav",
    "%FF%D0.wav",
    "x%5Cy%22z%27.wav",
];

/// A server whose sender's files wait, and its SFTP port.
pub(crate) async fn manual() -> (Server, u64) {
    let server = Server::start(&setup()).await;
    let port = port(&server).await;
    set_mode(&server, "manual").await;
    (server, port)
}

async fn set_mode(server: &Server, mode: &str) {
    let mode = Some(json!({ "mode": mode }));
    let (status, answer) = server.send(Method::PUT, "/sftp/users/mango", mode).await;
    assert_eq!(status, 200, "{answer}");
}

/// The list with a query, once it has `total` files.
pub(crate) async fn listed(server: &Server, query: &str, total: u64) -> Value {
    let start = Instant::now();
    loop {
        let list = server
            .get(&format!("/sftp/files?page_size=200&{query}"))
            .await;
        if list["total"] == total {
            return list;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{query}: {list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn paths(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["path"].as_str().expect("a path"))
        .collect()
}

/// What curl gets: head and body.
pub(crate) fn curl(server: &Server, path: &str, more: &[&str]) -> (String, Vec<u8>) {
    let dir = tempfile::tempdir().expect("a directory");
    let (head, body) = (dir.path().join("head"), dir.path().join("body"));
    let output = Command::new("curl")
        .args(["-sS", "--noproxy", "*", "-H"])
        .arg(format!(
            "authorization: Bearer {}",
            server.token.as_deref().expect("a token")
        ))
        .args(more)
        .arg("-D")
        .arg(&head)
        .arg("-o")
        .arg(&body)
        .arg(server.url(path))
        .output()
        .expect("curl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}: {said}");
    let head = std::fs::read_to_string(head)
        .expect("a head")
        .to_lowercase();
    (head, std::fs::read(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_name_is_played_and_removed() {
    let (server, port) = manual().await;
    let client = tempfile::tempdir().expect("a directory");
    let wav = recording(client.path(), "a.wav", 1);
    let bytes = std::fs::read(&wav).expect("read");
    for name in NAMES {
        put(port, &wav, name, &[]);
    }
    let list = listed(&server, "state=waiting", NAMES.len() as u64).await;
    assert!(paths(&list).contains(&"a b+c%20d#e?f&g=h;%.wav"), "{list}");
    assert!(paths(&list).contains(&"2026/звонок №1 (а).wav"), "{list}");
    for item in list["items"].as_array().expect("a list") {
        let name = item["name"].as_str().expect("a name");
        // What the header tells: the length is known before anything is decoded.
        assert!(item["duration_ms"].as_u64() > Some(500), "{item}");
        let path = format!("/sftp/files/{name}/stream?user=mango");
        let (head, body) = curl(&server, &path, &[]);
        assert!(head.starts_with("http/1.1 200"), "{item}: {head}");
        assert!(head.contains("content-type: audio/wav"), "{head}");
        assert!(head.contains("content-disposition: inline"), "{head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        assert!(head.contains("accept-ranges: bytes"), "{head}");
        assert!(!head.contains("content-encoding"), "{head}");
        assert_eq!(body, bytes, "{item}");
        let (head, body) = curl(&server, &path, &["-r", "100-199"]);
        assert!(head.starts_with("http/1.1 206"), "{head}");
        let range = format!("content-range: bytes 100-199/{}", bytes.len());
        assert!(head.contains(&range), "{head}");
        assert_eq!(body, bytes[100..200], "{item}");
        let (head, body) = curl(&server, &path, &["--head"]);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(
            head.contains(&format!("content-length: {}", bytes.len())),
            "{head}"
        );
        assert!(body.len() < 4000, "a HEAD has no body");
        let path = format!("/sftp/files/{name}/download?user=mango");
        let (head, body) = curl(&server, &path, &[]);
        assert!(head.contains("content-disposition: attachment"), "{head}");
        assert!(head.contains("filename*=utf-8''"), "{head}");
        assert_eq!(body, bytes, "{item}");
        let path = format!("/sftp/files/{name}?user=mango");
        let (status, answer) = server.send(Method::DELETE, &path, None).await;
        assert_eq!(status, 204, "{item}: {answer}");
        let answer = server.send(Method::DELETE, &path, None).await;
        assert_error("removed twice", &answer, 404, "no_such_file");
    }
    listed(&server, "", 0).await;
    let used = server.get("/sftp/users").await["items"][0]["used_bytes"].clone();
    assert_eq!(used, 0, "the space is free again");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_file_and_what_is_no_name() {
    let (server, port) = manual().await;
    let client = tempfile::tempdir().expect("a directory");
    let wav = recording(client.path(), "a.wav", 2);
    let text = client.path().join("page.html");
    std::fs::write(&text, "<script>alert(1)</script>").expect("written");
    put(port, &wav, "a.wav", &[]);
    put(port, &text, "page.html", &[]);
    file(&server, "page.html", &["other"]).await;
    file(&server, "a.wav", &["waiting"]).await;
    let path = "/sftp/files/a.wav/stream?user=mango";
    let (head, _) = curl(&server, path, &["-r", "99999999-"]);
    assert!(head.starts_with("http/1.1 416"), "{head}");
    let size = std::fs::metadata(&wav).expect("a file").len();
    assert!(
        head.contains(&format!("content-range: bytes */{size}")),
        "{head}"
    );
    // A part only of the file that the reader has the rest of.
    let (head, _) = curl(&server, path, &[]);
    let etag = |head: &str| -> String {
        let line = head.lines().find_map(|line| line.strip_prefix("etag: "));
        line.expect("an etag").to_owned()
    };
    let known = format!("if-range: {}", etag(&head));
    let (head, _) = curl(&server, path, &["-r", "0-9", "-H", &known]);
    assert!(head.starts_with("http/1.1 206"), "{head}");
    let (head, _) = curl(&server, path, &["-r", "0-9", "-H", "if-range: \"other\""]);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let known = format!("if-none-match: {}", etag(&head));
    let (head, _) = curl(&server, path, &["-H", &known]);
    assert!(head.starts_with("http/1.1 304"), "{head}");
    // What it is counts, not what it is called.
    let (head, _) = curl(&server, "/sftp/files/page.html/stream?user=mango", &[]);
    assert!(
        head.contains("content-type: application/octet-stream"),
        "{head}"
    );

    let long = "a".repeat(5000);
    let far = "a%2F".repeat(900) + "b";
    let wide = "a".repeat(300);
    for (name, user, status) in [
        ("a%2F..%2Fa.wav", "mango", 400),
        ("..%2F..%2Fcall-analytics.redb", "mango", 400),
        ("%2Fetc%2Fpasswd", "mango", 400),
        ("a%00.wav", "mango", 400),
        ("bytes:Li4", "mango", 400),
        (long.as_str(), "mango", 400),
        (wide.as_str(), "mango", 404),
        (far.as_str(), "mango", 404),
        ("A.wav", "mango", 404),
        ("a.wav%2Fb", "mango", 404),
        ("a.wav", "nobody", 404),
        ("a.wav", "..", 400),
        ("a.wav", "%2Fmango", 400),
    ] {
        for (method, end) in [
            (Method::GET, "/stream"),
            (Method::GET, "/download"),
            (Method::DELETE, ""),
        ] {
            let path = format!("/sftp/files/{name}{end}?user={user}");
            let (code, answer) = server.send(method, &path, None).await;
            assert_eq!(code, status, "{name} of {user}{end}: {answer}");
            assert!(answer["message"].is_string(), "{answer}");
        }
    }
    assert!(!server.data_dir().join("sftp/files/nobody").exists());
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_whole_is_neither_read_nor_removed_while_written() {
    let (server, port) = manual().await;
    let client = tempfile::tempdir().expect("a directory");
    let big = client.path().join("big.wav");
    std::fs::write(&big, scripted_mono(4).repeat(400)).expect("written");
    let mut slow = Command::new("curl")
        .args(["-sS", "--insecure", "--limit-rate", "200k", "-u"])
        .arg(format!("mango:{PASSWORD}"))
        .arg("-T")
        .arg(&big)
        .arg(format!("sftp://127.0.0.1:{port}/big.wav"))
        .spawn()
        .expect("curl is installed");
    file(&server, "big.wav", &["receiving"]).await;
    let stream = "/sftp/files/big.wav/stream?user=mango";
    let answer = server.send(Method::GET, stream, None).await;
    assert_error("read while written", &answer, 409, "not_complete");
    let remove = "/sftp/files/big.wav?user=mango";
    let answer = server.send(Method::DELETE, remove, None).await;
    assert_error("removed while written", &answer, 409, "being_written");
    slow.kill().expect("it runs");
    slow.wait().expect("it ended");
    file(&server, "big.wav", &["incomplete"]).await;
    let answer = server.send(Method::GET, stream, None).await;
    assert_error("read while incomplete", &answer, 409, "not_complete");
    let (status, _) = server.send(Method::DELETE, remove, None).await;
    assert_eq!(status, 204);
    listed(&server, "", 0).await;
    let _ = server.stop().await;
}

/// A name as MANGO gives it.
fn mango(day: u32, caller: &str, callee: &str) -> String {
    format!("2021.03.{day:02}__10-33-20__{caller}__{callee}_11322899185_{day}.wav")
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_see_what_names_and_calls_tell() {
    let (server, port) = manual().await;
    let client = tempfile::tempdir().expect("a directory");
    let first = mango(1, "79173250913", "Ivanov(101)");
    let second = mango(2, "79161234567", "Petrov(102)");
    for (seed, name) in [
        (1, first.as_str()),
        (2, second.as_str()),
        (3, "Прочее/Запись.wav"),
    ] {
        let wav = recording(client.path(), "a.wav", seed);
        put(port, &wav, &percent(name), &[]);
    }
    let list = listed(&server, "state=waiting&sort=date", 3).await;
    assert_eq!(
        paths(&list)[..2],
        [first.as_str(), second.as_str()],
        "{list}"
    );
    let item = &list["items"][0];
    assert_eq!(item["started_at"], "2021-03-01T07:33:20Z", "{item}");
    assert_eq!(item["caller"], "79173250913", "{item}");
    assert_eq!(list["sendable"], 3, "{list}");
    for (query, total) in [
        ("q=запись", 1),
        ("q=ПРОЧЕЕ/", 1),
        ("q=2021.03", 2),
        ("q=2021x03", 0),
        ("callerphone=8 (917) 325-09-13", 1),
        ("phone=9161234567", 1),
        ("calledphone=79161234567", 0),
        ("operatorphone=101", 1),
        ("date_from=2021-03-02&date_to=2021-03-02", 1),
        ("date_to=2021-03-31", 2),
        ("user=mango", 3),
        ("user=other", 0),
        ("state=waiting,refused", 3),
        ("state=taken", 0),
        ("duration_min=0.5&duration_max=600", 3),
        ("duration_min=600", 0),
        ("source=sftp", 3),
        ("source=mango,calltouch", 0),
        ("tag=vip", 0),
        ("order_id=77", 0),
    ] {
        let list = server
            .get(&format!("/sftp/files?{}", encode_query(query)))
            .await;
        assert_eq!(list["total"], total, "{query}: {list}");
    }
    for sort in [
        "name",
        "-name",
        "size",
        "-size",
        "duration",
        "-duration",
        "-date",
        "arrived_at",
    ] {
        assert_eq!(
            server.get(&format!("/sftp/files?sort={sort}")).await["total"],
            3
        );
    }
    let by_name = server.get("/sftp/files?sort=-name").await;
    assert_eq!(paths(&by_name), ["Прочее/Запись.wav", &second, &first]);
    let second_page = server
        .get("/sftp/files?sort=-name&page=2&page_size=2")
        .await;
    assert_eq!(paths(&second_page), [first.as_str()]);
    for query in [
        "state=lost",
        "date_from=yesterday",
        "duration_min=-1",
        "sort=owner",
        "page=0",
        "page_size=500",
        "source=fax",
    ] {
        let answer = server
            .send(Method::GET, &format!("/sftp/files?{query}"), None)
            .await;
        assert_error(query, &answer, 400, "bad_filter");
    }

    // Once it is a call, what is told of the call counts, also what is told later.
    let one = json!({ "files": [{ "user": "mango", "path": first }] });
    let (_, done) = server.send(Method::POST, "/sftp/process", Some(one)).await;
    let id = done["items"][0]["call_id"]
        .as_str()
        .expect("a call")
        .to_owned();
    server.completed(&id).await;
    server
        .patch(&id, json!({ "operator": "Сидорова Анна" }))
        .await;
    let query = encode_query("operator=сидорова анна");
    let found = server.get(&format!("/sftp/files?{query}")).await;
    assert_eq!(paths(&found), [first.as_str()], "{found}");
    assert_eq!(found["items"][0]["call_status"], "completed", "{found}");
    let notice = [
        ("id", "555"),
        ("callerphone", "79173250913"),
        ("phonenumber", "74951234567"),
        ("calltime", "1614584000"),
        ("order_id", "77"),
        ("tags", "vip"),
    ];
    let path = server.get("/calltouch").await["webhook_path"].clone();
    let path = path.as_str().expect("a path");
    let (_, secret) = path.rsplit_once('/').expect("a secret");
    assert_eq!(hook(&server, secret, &notice).await, 200);
    for query in ["order_id=77", "tag=VIP", "calledphone=84951234567"] {
        let found = listed(&server, query, 1).await;
        assert_eq!(paths(&found), [first.as_str()], "{query}: {found}");
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_call_is_sent_again_and_all_that_match_at_once() {
    let (server, port) = manual().await;
    let client = tempfile::tempdir().expect("a directory");
    for seed in 0..4 {
        let wav = recording(client.path(), "a.wav", seed);
        put(port, &wav, &format!("{seed}.wav"), &[]);
    }
    let text = client.path().join("list.txt");
    std::fs::write(&text, "день;звонки\n").expect("written");
    put(port, &text, "list.txt", &[]);
    listed(&server, "state=waiting", 4).await;
    let all = json!({ "all": { "q": ".wav" } });
    let (status, answer) = server
        .send(Method::POST, "/sftp/process", Some(all.clone()))
        .await;
    assert_eq!((status, &answer["queued"]), (200, &json!(4)), "{answer}");
    let taken = listed(&server, "state=taken", 4).await;
    let id = taken["items"][0]["call_id"]
        .as_str()
        .expect("a call")
        .to_owned();
    let path = taken["items"][0]["path"]
        .as_str()
        .expect("a path")
        .to_owned();
    server.completed(&id).await;

    let (status, _) = server
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_eq!(status, 204);
    let deleted = listed(&server, "state=deleted", 1).await;
    assert_eq!(paths(&deleted), [path.as_str()]);
    assert_eq!(deleted["items"][0]["call_id"], Value::Null, "{deleted}");
    assert_eq!(deleted["items"][0]["can_be_sent"], true, "{deleted}");
    let (_, answer) = server.send(Method::POST, "/sftp/process", Some(all)).await;
    assert_eq!(answer["queued"], 1, "{answer}");
    let again = file(&server, &path, &["taken"]).await;
    let again = again["call_id"].as_str().expect("a call").to_owned();
    assert_ne!(again, id);
    server.completed(&again).await;

    // The file goes, the call and its recording stay.
    let (status, answer) = server
        .send(
            Method::POST,
            "/sftp/delete",
            Some(json!({ "all": { "state": "taken" } })),
        )
        .await;
    assert_eq!((status, &answer["removed"]), (200, &json!(4)), "{answer}");
    assert_eq!(paths(&listed(&server, "", 1).await), ["list.txt"]);
    let (head, _) = curl(&server, &format!("/audio/{again}"), &["-r", "0-9"]);
    assert!(head.starts_with("http/1.1 206"), "{head}");
    let names = json!({ "files": [
        { "user": "mango", "path": "list.txt" },
        { "user": "mango", "path": "gone.wav" },
    ] });
    let (_, answer) = server.send(Method::POST, "/sftp/delete", Some(names)).await;
    assert_eq!(
        (&answer["removed"], &answer["failed"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );
    assert_eq!(answer["failures"][0]["path"], "gone.wav", "{answer}");
    assert!(!Path::new(&server.data_dir().join("sftp/files/mango/list.txt")).exists());
    let _ = server.stop().await;
}

/// A path as it stands in the URL of a client.
fn percent(path: &str) -> String {
    path.split('/')
        .map(|part| encode_query(part).replace('&', "%26").replace('=', "%3D"))
        .collect::<Vec<_>>()
        .join("/")
}

/// A query whose values are not encoded yet.
fn encode_query(query: &str) -> String {
    query
        .bytes()
        .map(|byte| match byte {
            b'=' | b'&' | b'-' | b'_' | b'.' | b',' | b'/' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
