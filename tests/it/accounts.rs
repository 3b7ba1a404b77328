//! Accounts through the command line, while the server runs and while not.

use std::path::Path;

use reqwest::Method;

use crate::client::{Client, assert_error};
use crate::process::{Process, output, program, text};

/// Runs `user …`; returns whether it succeeded and what it printed.
fn user(data: &Path, arguments: &[&str], password: Option<&str>) -> (bool, String) {
    let mut command = program(data);
    command.arg("user").args(arguments);
    if password.is_some() {
        command.arg("--password-stdin");
    }
    let output = output(&mut command, password);
    (output.status.success(), text(&output))
}

#[track_caller]
fn done(result: (bool, String), words: &str) {
    assert!(result.0 && result.1.contains(words), "{}", result.1);
}

#[track_caller]
fn refused(result: (bool, String), words: &str) {
    assert!(!result.0 && result.1.contains(words), "{}", result.1);
    assert_eq!(
        result.1.trim().lines().count(),
        1,
        "one sentence: {}",
        result.1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_while_the_server_runs_and_while_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start(&data);
    let password = server.first_password.clone().expect("a first password");
    let base = server.base.clone();
    let nobody = Client::anonymous(&base);
    Client::login(&base, "admin", &password).await;

    // While it runs.
    refused(user(&data, &["add", "olga"], Some("short\n")), "too short");
    refused(user(&data, &["add", ""], Some("верная лошадь")), "1 to 64");
    refused(user(&data, &["add", "olga"], None), "--password-stdin");
    done(
        user(
            &data,
            &["add", "olga", "--role", "admin"],
            Some("верная лошадь\n"),
        ),
        "olga",
    );
    refused(
        user(&data, &["add", "olga"], Some("верная лошадь")),
        "already",
    );
    let olga = Client::login(&base, "olga", "верная лошадь").await;
    assert_eq!(olga.get("/auth/me").await["name"], "olga");
    let (listed, list) = user(&data, &["list"], None);
    assert!(
        listed && list.contains("admin\tadmin\t") && list.contains("olga\tadmin\t"),
        "{list}"
    );
    assert!(!list.contains("argon2"), "{list}");
    done(
        user(&data, &["passwd", "olga"], Some("зелёная лошадь")),
        "olga",
    );
    let answer = olga.send(Method::GET, "/auth/me", None).await;
    assert_error("a session before the change", &answer, 401, "not_signed_in");
    let answer = nobody.try_login("olga", "верная лошадь").await;
    assert_error("the old password", &answer, 401, "bad_credentials");
    let olga = Client::login(&base, "olga", "зелёная лошадь").await;
    refused(
        user(&data, &["passwd", "nobody"], Some("верная лошадь")),
        "no user",
    );
    done(user(&data, &["remove", "olga"], None), "removed");
    let answer = olga.send(Method::GET, "/auth/me", None).await;
    assert_error(
        "a session of a removed account",
        &answer,
        401,
        "not_signed_in",
    );
    refused(
        user(&data, &["remove", "admin"], None),
        "last administrator",
    );
    refused(user(&data, &["remove", "olga"], None), "no user");

    // While it does not run.
    let (status, _) = server.terminate();
    assert!(status.success(), "{status}");
    done(user(&data, &["add", "пётр"], Some("верная лошадь")), "пётр");
    done(
        user(&data, &["passwd", "admin"], Some("зелёная лошадь")),
        "admin",
    );
    assert!(user(&data, &["list"], None).1.contains("пётр"));
    let server = Process::start(&data);
    assert_eq!(server.first_password, None, "the password is made once");
    Client::login(&server.base, "пётр", "верная лошадь").await;
    Client::login(&server.base, "admin", "зелёная лошадь").await;
    let answer = Client::anonymous(&server.base)
        .try_login("admin", &password)
        .await;
    assert_error("the first password", &answer, 401, "bad_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_does_not_inherit_the_sessions_of_an_old_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start(&data);
    done(user(&data, &["add", "olga"], Some("верная лошадь")), "olga");
    let before = Client::login(&server.base, "olga", "верная лошадь").await;
    done(user(&data, &["remove", "olga"], None), "removed");
    done(
        user(&data, &["add", "olga"], Some("зелёная лошадь")),
        "olga",
    );
    let answer = before.send(Method::GET, "/auth/me", None).await;
    assert_error(
        "a token of the removed account",
        &answer,
        401,
        "not_signed_in",
    );
}

#[test]
fn the_store_and_its_socket_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let server = Process::start(&data);
    let others = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o077;
    assert_eq!(others(&data), 0, "the data directory");
    for name in ["call-analytics.redb", "control.sock", "audio"] {
        assert_eq!(others(&data.join(name)), 0, "{name}");
    }
    // A second server on the same data says so and ends.
    let mut second = program(&data);
    second.args(["serve", "--listen", "127.0.0.1:0"]);
    let second = output(&mut second, None);
    assert!(!second.status.success());
    assert!(text(&second).contains("in use"), "{}", text(&second));
    // And does not take the first one's socket away.
    done(user(&data, &["list"], None), "admin");
    drop(server);
}
