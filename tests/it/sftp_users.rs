//! Senders: the first one, through the command line while the server runs and
//! while not, and through the API.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, assert_error};
use crate::fixtures::model;
use crate::process::{Process, output, program, text};
use crate::server::{Server, Setup};
use crate::sftp_place;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS olga@pbx";
const SFTP: &str = "[sftp]\nlisten = \"127.0.0.1:0\"\nban_after = 1000";

/// Runs `sftp-user …`; returns whether it succeeded and what it printed.
fn sender(data: &Path, arguments: &[&str], input: Option<&str>) -> (bool, String) {
    let mut command = program(data);
    command.arg("sftp-user").args(arguments);
    let output = output(&mut command, input);
    (output.status.success(), text(&output))
}

#[track_caller]
fn done(result: (bool, String), words: &str) -> String {
    assert!(result.0 && result.1.contains(words), "{}", result.1);
    result.1
}

#[track_caller]
fn refused(result: (bool, String), words: &str) {
    assert!(!result.0 && result.1.contains(words), "{}", result.1);
}

/// Whether name and password open the door.
fn signs_in(port: u64, name: &str, password: &str) -> bool {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--insecure", "--user", &format!("{name}:{password}")])
        .arg(format!("sftp://127.0.0.1:{port}/"));
    sftp_place::output(&mut curl).status.success()
}

fn printed_password(said: &str) -> String {
    let word = said.split_whitespace().next_back().expect("a word");
    assert!(word.len() >= 20, "{said}");
    word.to_owned()
}

#[test]
fn the_first_start_makes_mango_and_prints_what_the_exchange_needs() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start_with(&data, &model(), SFTP);
    let line = |words: &str| {
        let found = server.said.lines().find(|line| line.contains(words));
        found
            .unwrap_or_else(|| panic!("{words}: {}", server.said))
            .to_owned()
    };
    let password = printed_password(&line("SFTP user 'mango' was made with the password"));
    let address = line("sftp://127.0.0.1:");
    let port = address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let port = port.expect("a port");
    assert!(line("ssh-ed25519").contains("SHA256:"));
    let rsa = line("ssh-rsa");
    assert!(signs_in(port, "mango", &password));
    assert!(!signs_in(port, "mango", "another password"));
    assert!(
        !server.log().contains(&password),
        "the password is in the log"
    );
    for file in ["host_keys/ed25519", "host_keys/rsa"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(data.join("sftp").join(file)).expect("a key");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }
    drop(server);
    // The second start keeps keys and password and prints no password.
    done(sender(&data, &["remove", "mango"], None), "removed");
    let server = Process::start_with(&data, &model(), SFTP);
    assert!(server.said.contains(&rsa), "{}", server.said);
    assert!(!server.said.contains("SFTP user"), "{}", server.said);
    drop(server);
    done(sender(&data, &["list"], None), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_through_the_command_line() {
    let setup = Setup {
        sections: SFTP.to_owned(),
        ..Setup::scripted()
    };
    let server = Server::start(&setup).await;
    let data = server.data_dir();
    let port = server.get("/sftp/server").await["port"]
        .as_u64()
        .expect("a port");
    let run = move || {
        refused(sender(&data, &["add", "Olga"], None), "a-z");
        refused(sender(&data, &["add", "../up"], None), "a-z");
        refused(
            sender(&data, &["add", "olga", "--password-stdin"], Some("short")),
            "too short",
        );
        let said = done(
            sender(&data, &["add", "olga", "--manual", "--quota-mb", "5"], None),
            "added",
        );
        let first = printed_password(&said);
        refused(sender(&data, &["add", "olga"], None), "already");
        assert!(signs_in(port, "olga", &first));
        let list = done(sender(&data, &["list"], None), "olga\tmanual\tpassword");
        assert!(
            list.contains("5 MB") && list.contains("mango\tauto"),
            "{list}"
        );
        assert!(!list.contains("argon2"), "{list}");
        let passwd = ["passwd", "olga", "--password-stdin"];
        done(
            sender(&data, &passwd, Some("верная лошадь\n")),
            "was changed",
        );
        assert!(!signs_in(port, "olga", &first));
        assert!(signs_in(port, "olga", "верная лошадь"));
        refused(
            sender(&data, &["key", "olga", "add", "-"], Some("nonsense")),
            "not a public key",
        );
        done(
            sender(&data, &["key", "olga", "add", "-"], Some(KEY)),
            "SHA256:",
        );
        let keys = done(sender(&data, &["key", "olga", "list"], None), "olga@pbx");
        let fingerprint = keys.split('\t').next().expect("a fingerprint").to_owned();
        let remove = ["key", "olga", "remove", &fingerprint];
        done(sender(&data, &remove, None), "removed");
        refused(sender(&data, &remove, None), "no key");
        done(
            sender(&data, &["passwd", "olga", "--no-password"], None),
            "",
        );
        assert!(!signs_in(port, "olga", "верная лошадь"));
        done(
            sender(&data, &["remove", "olga"], None),
            "files of 'olga' stay",
        );
        refused(sender(&data, &["remove", "olga"], None), "no SFTP user");
    };
    tokio::task::spawn_blocking(run).await.expect("done");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_through_the_api() {
    let setup = Setup {
        sections: SFTP.to_owned(),
        ..Setup::scripted()
    };
    let server = Server::start(&setup).await;
    let nobody = Client::anonymous(&server.base);
    for path in ["/sftp/server", "/sftp/users"] {
        let answer = nobody.send(Method::GET, path, None).await;
        assert_error(path, &answer, 401, "not_signed_in");
    }
    let about = server.get("/sftp/server").await;
    assert_eq!(about["enabled"], true);
    assert_eq!(about["host_keys"][0]["kind"], "ssh-ed25519");
    let port = about["port"].as_u64().expect("a port");
    assert_eq!(server.get("/server").await["sftp"]["port"], port);

    let new = json!({"name": "branch", "quota_bytes": 1000, "keys": [KEY]});
    let (status, made) = server
        .send(Method::POST, "/sftp/users", Some(new.clone()))
        .await;
    assert_eq!(status, 201, "{made}");
    let first = made["password"].as_str().expect("a password").to_owned();
    assert_eq!(made["user"]["keys"][0]["line"], KEY);
    assert_eq!(made["user"]["mode"], "auto");
    let answer = server.send(Method::POST, "/sftp/users", Some(new)).await;
    assert_error("the same again", &answer, 409, "sftp_user_exists");
    for (body, code) in [
        (json!({"name": "."}), "bad_sftp_user"),
        (json!({"name": "x", "password": "short"}), "bad_sftp_user"),
        (
            json!({"name": "x", "password": "long enough?", "no_password": true}),
            "bad_sftp_user",
        ),
        (json!({"name": "x", "keys": ["nonsense"]}), "bad_sftp_key"),
    ] {
        let answer = server.send(Method::POST, "/sftp/users", Some(body)).await;
        assert_error("a bad one", &answer, 400, code);
    }
    let try_in = |password: String| async move {
        tokio::task::spawn_blocking(move || signs_in(port, "branch", &password))
            .await
            .expect("tried")
    };
    assert!(try_in(first.clone()).await);
    let change = |body: Value| server.send(Method::PUT, "/sftp/users/branch", Some(body));
    let (status, changed) = change(json!({"mode": "manual", "quota_bytes": 0})).await;
    assert_eq!(
        (status, &changed["password"]),
        (200, &Value::Null),
        "{changed}"
    );
    assert_eq!(changed["user"]["mode"], "manual");
    assert_eq!(changed["user"]["has_password"], true);
    assert!(try_in(first.clone()).await, "the password stays");
    let (_, changed) = change(json!({"reset_password": true})).await;
    let second = changed["password"].as_str().expect("a password").to_owned();
    assert!(!try_in(first).await);
    assert!(try_in(second.clone()).await);
    change(json!({"disabled": true})).await;
    assert!(!try_in(second).await);
    let list = server.get("/sftp/users").await;
    let names: Vec<_> = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["branch", "mango"]);
    assert!(!list.to_string().contains("argon2"));
    let gone = server
        .send(Method::DELETE, "/sftp/users/branch", None)
        .await;
    assert_eq!(gone.0, 204);
    let answer = server
        .send(Method::DELETE, "/sftp/users/branch", None)
        .await;
    assert_error("removed", &answer, 404, "no_such_sftp_user");
    server.stop().await;
}
