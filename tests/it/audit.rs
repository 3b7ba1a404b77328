//! Who looked at what and changed what is written down, cannot be changed unseen, and is
//! found by the administrator. A script plays the speech worker.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, assert_error, read};
use crate::fixtures::scripted_call;
use crate::process::{output, program, text};
use crate::server::{Server, Setup};
use crate::sftp_drop;

/// Entries with these actions, the oldest first.
async fn entries(server: &Server, query: &str) -> Vec<Value> {
    let page = server.get(&format!("/audit?page_size=500&{query}")).await;
    let mut items = page["items"].as_array().expect("entries").clone();
    items.reverse();
    items
}

async fn member(server: &Server, name: &str, role: &str) -> Client {
    let password = "верная лошадь батарея";
    let output = {
        let mut command = program(&server.data_dir());
        command.args(["user", "add", name, "--role", role, "--password-stdin"]);
        output(&mut command, Some(password))
    };
    assert!(output.status.success(), "{}", text(&output));
    Client::login(&server.base, name, password).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_written_before_its_answer_leaves() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted("79161234567.wav", scripted_call(1), &[])
        .await;
    server.completed(&id).await;
    for _ in 0..3 {
        server.result(&id).await;
    }
    for range in ["bytes=0-99", "bytes=100-199", "bytes=200-"] {
        let request = server.request(Method::GET, &format!("/audio/{id}"));
        let answer = request.header("range", range).send().await.expect("sound");
        assert_eq!(answer.status(), 206);
    }
    let file = server
        .request(Method::GET, &format!("/results/{id}/transcript?format=txt"))
        .header("user-agent", "curl/8")
        .send();
    assert_eq!(file.await.expect("a file").status(), 200);
    server.patch(&id, json!({"operator": "Ольга"})).await;
    let of_call = entries(&server, &format!("subject={id}")).await;
    let actions: Vec<&str> = of_call
        .iter()
        .map(|entry| entry["action"].as_str().expect("an action"))
        .collect();
    // Three looks and three ranges are one look and one play.
    assert_eq!(
        actions,
        ["uploaded", "viewed", "played", "exported", "changed"]
    );
    for entry in &of_call {
        assert_eq!(entry["actor"], "person", "{entry}");
        assert_eq!(entry["who"], "admin", "{entry}");
        assert_eq!(entry["address"], "127.0.0.1", "{entry}");
        assert!(entry["session"].is_string(), "{entry}");
    }
    assert_eq!(of_call[3]["user_agent"], "curl/8");
    assert_eq!(of_call[4]["operation"], "patchResult");

    // Who may not see it leaves a trace, who signs in or fails to as well.
    let viewer = member(&server, "victor", "viewer").await;
    let answer = viewer
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_eq!(answer.0, 403, "{}", answer.1);
    let answer = viewer.send(Method::GET, "/audit", None).await;
    assert_eq!(answer.0, 403, "{}", answer.1);
    let nobody = Client::anonymous(&server.base);
    let answer = nobody.try_login("victor", "wrong password").await;
    assert_error("a wrong password", &answer, 401, "bad_credentials");
    let of_victor = entries(&server, "who=victor").await;
    let told: Vec<(&str, &str, &str)> = of_victor
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().expect("a text");
            (text("actor"), text("action"), text("outcome"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("person", "signed_in", "done"),
            ("person", "deleted", "refused"),
            ("person", "audit_read", "refused"),
            ("nobody", "sign_in_failed", "refused"),
        ]
    );
    let made = entries(&server, "action=accounts_changed").await;
    let made = made.last().expect("an entry");
    assert_eq!(
        (&made["actor"], &made["subject"]),
        (&json!("command_line"), &json!("victor"))
    );

    // Nothing of the client is in it: it stays when the call is erased.
    let everything = server.get("/audit?page_size=500").await.to_string();
    assert!(!everything.contains("79161234567"), "{everything}");
    assert!(!everything.contains("лошадь"), "{everything}");
    let answer = server
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_eq!(answer.0, 204);
    let deleted = entries(&server, "action=deleted&outcome=done").await;
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0]["subject"], id.as_str());

    let verified = server.get("/audit/verify").await;
    assert_eq!(verified["whole"], true, "{verified}");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_verifies_and_exports() {
    let server = Server::start(&Setup::scripted()).await;
    let data = server.data_dir();
    let audit = |arguments: &[&str]| {
        let mut command = program(&data);
        command.arg("audit").args(arguments);
        output(&mut command, None)
    };
    let while_it_runs = audit(&["verify"]);
    assert!(while_it_runs.status.success(), "{}", text(&while_it_runs));
    let said = text(&while_it_runs);
    let head = said
        .lines()
        .find_map(|line| line.strip_prefix("head: "))
        .expect("a head")
        .to_owned();
    let exported = server
        .request(Method::GET, "/audit/export?format=jsonl")
        .send()
        .await
        .expect("a file");
    let disposition = exported.headers()["content-disposition"].clone();
    assert!(
        disposition
            .to_str()
            .expect("ASCII")
            .starts_with("attachment; filename=\"audit-"),
        "{disposition:?}"
    );
    let lines = exported.text().await.expect("text");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["action"], "started");
    assert!(lines.windows(2).all(|two| {
        two[0]["number"].as_u64().expect("a number") + 1 == two[1]["number"].as_u64().expect("one")
    }));
    let csv = server
        .request(Method::GET, "/audit/export?format=csv&who=admin")
        .send();
    let csv = csv.await.expect("a file").text().await.expect("text");
    assert!(csv.starts_with("\u{feff}number;at;actor;who;"), "{csv}");
    for query in [
        "from=gestern",
        "action=nonsense",
        "outcome=x",
        "page_size=0",
    ] {
        let answer = server
            .send(Method::GET, &format!("/audit?{query}"), None)
            .await;
        assert_error(query, &answer, 400, "bad_request");
    }
    let (dir, _) = server.stop().await;
    let alone = audit(&["verify", "--json", "--noted", &head]);
    assert!(alone.status.success(), "{}", text(&alone));
    let found: Value = serde_json::from_slice(&alone.stdout).expect("JSON");
    assert!(found["entries"].as_u64() > Some(3), "{found}");
    let mut other = head.clone();
    let last = if other.pop() == Some('0') { '1' } else { '0' };
    other.push(last);
    let broken = audit(&["verify", "--noted", &other]);
    assert_eq!(broken.status.code(), Some(1), "{}", text(&broken));
    assert!(text(&broken).contains("broken"), "{}", text(&broken));
    let export = audit(&["export"]);
    let lines = String::from_utf8_lossy(&export.stdout).lines().count() as u64;
    assert!(lines > found["entries"].as_u64().expect("a number"));
    drop(dir);
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_over_sftp_are_written_down() {
    let server = Server::start(&sftp_drop::setup()).await;
    let port = sftp_drop::port(&server).await;
    let file = server.data_dir().join("a.txt");
    std::fs::write(&file, "no recording").expect("a file");
    sftp_drop::put(port, &file, "a.txt", &[]);
    let bad = std::process::Command::new("curl")
        .args(["-sS", "--insecure", "-u", "mango:wrong password", "-T"])
        .arg(&file)
        .arg(format!("sftp://127.0.0.1:{port}/b.txt"))
        .output()
        .expect("curl is installed");
    assert!(!bad.status.success());
    let signed_in = entries(&server, "action=signed_in&who=mango").await;
    assert_eq!(signed_in.len(), 1, "{signed_in:?}");
    assert_eq!(signed_in[0]["actor"], "sender");
    assert_eq!(signed_in[0]["operation"], "sftp");
    let failed = entries(&server, "action=sign_in_failed&who=mango").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["address"], "127.0.0.1");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_stay_texts() {
    let server = Server::start(&Setup::scripted()).await;
    let nobody = Client::anonymous(&server.base);
    for name in [
        "=HYPERLINK(\"http://x\")",
        "a\r\nSet-Cookie: x=1",
        "\u{202e}nimda",
    ] {
        let answer = nobody.try_login(name, "wrong password").await;
        assert_eq!(answer.0, 401, "{}", answer.1);
    }
    let request = server.request(
        Method::GET,
        "/audit/export?format=csv&action=sign_in_failed",
    );
    let csv = request.send().await.expect("a file");
    let csv = csv.text().await.expect("text");
    assert!(csv.contains("\"'=HYPERLINK(\"\"http://x\"\")\""), "{csv}");
    assert!(
        csv.contains(";aSet-Cookie: x=1;") && csv.contains(";nimda;"),
        "{csv}"
    );
    assert_eq!(csv.trim_end().lines().count(), 4, "{csv}");
    let me = read(
        server
            .request(Method::GET, "/auth/me")
            .send()
            .await
            .expect("me"),
    )
    .await;
    assert_eq!(me.0, 200);
    let _ = server.stop().await;
}
