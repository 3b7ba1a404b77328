//! HTTPS: a certificate of our own, files that change, an authority (Pebble), and what
//! plain HTTP answers beside it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::fixtures::{model, scripted_call};
use crate::process::Process;
use crate::server::{Server, Setup, eventually};
use crate::tls::{Pebble, certificate, curl, fingerprint, free_ports};

/// With HTTPS on ports of its own.
fn setup(sections: &str) -> Setup {
    Setup {
        sections: format!(
            "[https]\nenabled = true\nlisten = \"127.0.0.1:0\"\nredirect_from = \"127.0.0.1:0\"\n{sections}"
        ),
        ..Setup::scripted()
    }
}

fn address(server: &Server) -> SocketAddr {
    server.https.as_ref().expect("HTTPS").address
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path);
    metadata.expect("it is there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_our_own_is_made_once_and_said() {
    let server = Server::start(&setup("domains = [\"calls.test\", \"127.0.0.1\"]\n")).await;
    let https = server.https.clone().expect("HTTPS");
    assert_eq!(https.names, ["calls.test", "127.0.0.1"]);
    assert_eq!(fingerprint(https.address), Some(https.sha256.clone()));
    let dir = server.data_dir().join("https");
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("self-signed.pem")), 0o600);

    let url = format!("https://{}/api/v1/health", https.address);
    assert!(curl(&[&url]).is_err(), "nobody trusts it by itself");
    for (version, option) in [("2", "--http2"), ("1.1", "--http1.1")] {
        let answer = curl(&["--insecure", option, &url]).expect("an answer");
        assert_eq!((answer.status, answer.version.as_str()), (200, version));
        let told = answer.header("strict-transport-security");
        assert_eq!(told, Some("max-age=31536000"));
    }
    let old = curl(&["--insecure", "--tls-max", "1.1", &url]);
    assert!(old.is_err(), "TLS 1.1 is spoken");
    let plain = curl(&[&format!("{}/api/v1/health", server.base)]).expect("an answer");
    assert_eq!(plain.status, 200);
    assert_eq!(plain.header("strict-transport-security"), None);

    let (data, password) = server.stop().await;
    let again = Server::start_in(
        data,
        Some(password),
        &setup("domains = [\"calls.test\", \"127.0.0.1\"]\n"),
    )
    .await;
    assert_eq!(again.https.as_ref().expect("HTTPS").sha256, https.sha256);
    let _ = again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_sent_on_and_https_does_everything() {
    let server = Server::start(&setup("")).await;
    let https = server.https.clone().expect("HTTPS");
    let from = https.redirect.expect("a redirect");
    let port = https.address.port();
    let to = format!("https://127.0.0.1:{port}/a?b=c");
    let answer = curl(&[&format!("http://{from}/a?b=c")]).expect("an answer");
    assert_eq!(
        (answer.status, answer.header("location")),
        (301, Some(&*to))
    );
    let url = format!("http://{from}/a?b=c");
    let answer = curl(&["--data", "x=1", &url]).expect("an answer");
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some(&*to))
    );
    let url = format!("http://{from}/.well-known/acme-challenge/nothing");
    assert_eq!(curl(&[&url]).expect("an answer").status, 404);
    let evil = curl(&["--header", "Host: a b/@c", &format!("http://{from}/")]);
    assert_eq!(evil.expect("an answer").status, 400);

    // An upload of some megabytes, and a part of its sound.
    let base = format!("https://{}/api/v1", https.address);
    let token = server.token.clone().expect("a token");
    let who = format!("Authorization: Bearer {token}");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("call.wav");
    std::fs::write(&file, scripted_call(60)).expect("a file");
    let form = format!("files=@{}", file.display());
    for option in ["--http2", "--http1.1"] {
        let url = format!("{base}/upload");
        let answer = curl(&[
            "--insecure",
            option,
            "--header",
            &who,
            "--form",
            &form,
            &url,
        ]);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.body);
        let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        let id = body["files"][0]["id"].as_str().expect("an id").to_owned();
        let url = format!("{base}/audio/{id}");
        let range = [
            "--insecure",
            option,
            "--header",
            &who,
            "--range",
            "100-199",
            &url,
        ];
        let part = curl(&range).expect("an answer");
        assert_eq!(part.status, 206);
        assert_eq!(part.header("content-length"), Some("100"));
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_over_when_they_change_unless_they_are_broken() {
    let dir = tempfile::tempdir().expect("a directory");
    let (crt, key) = certificate(dir.path(), "a", "DNS:calls.test", "30");
    let (other_crt, other_key) = certificate(dir.path(), "b", "DNS:calls.test", "30");
    let sections = format!(
        "certificate = \"{}\"\nkey = \"{}\"\n",
        crt.display(),
        key.display()
    );
    let server = Server::start(&setup(&sections)).await;
    let at = address(&server);
    let first = fingerprint(at).expect("a certificate");
    let url = format!("https://calls.test:{}/api/v1/health", at.port());
    let resolve = format!("calls.test:{}:127.0.0.1", at.port());
    let trusted = crt.display().to_string();
    let trusting = ["--resolve", &resolve, "--cacert", &trusted, &url];
    assert_eq!(curl(&trusting).expect("it is trusted").status, 200);

    // A certificate without its key: the pair before stays.
    std::fs::copy(&other_crt, &crt).expect("a copy");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(fingerprint(at).as_ref(), Some(&first));
    // The key comes: the new pair is in force without a restart.
    std::fs::copy(&other_key, &key).expect("a copy");
    eventually("the new pair", 60, || {
        fingerprint(at).is_some_and(|now| now != first)
    })
    .await;
    let second = fingerprint(at);
    // Neither an expired one nor rubbish takes its place.
    let (expired, expired_key) = certificate(dir.path(), "c", "DNS:calls.test", "-1");
    std::fs::copy(expired, &crt).expect("a copy");
    std::fs::copy(expired_key, &key).expect("a copy");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(fingerprint(at), second);
    std::fs::write(&crt, "rubbish").expect("written");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(fingerprint(at), second);
    let _ = server.stop().await;
}

/// A year.
const LONG: u64 = 365 * 24 * 3600;

/// Sections for an authority that looks at `http` and `tls`.
fn acme(http: u16, tls: u16, names: &str, pebble: &Pebble, further: &str) -> Setup {
    Setup {
        sections: format!(
            "[https]\nenabled = true\nlisten = \"127.0.0.1:{tls}\"\nredirect_from = \"127.0.0.1:{http}\"\ndomains = [{names}]\n{}",
            pebble.section(further)
        ),
        ..Setup::scripted()
    }
}

/// Whether the server shows a certificate of the authority for `host`.
fn is_given(pebble: &Pebble, host: &str, port: u16) -> bool {
    let root = pebble.root().display().to_string();
    let url = format!("https://{host}:{port}/api/v1/health");
    let resolve = format!("{host}:{port}:127.0.0.1");
    curl(&["--cacert", &root, "--resolve", &resolve, &url]).is_ok_and(|answer| answer.status == 200)
}

async fn obtains(names: &str, hosts: &[&str], challenge: &str) {
    let [http, tls] = free_ports();
    let pebble = Pebble::start(http, tls, LONG);
    let further = format!("challenge = \"{challenge}\"\n");
    let server = Server::start(&acme(http, tls, names, &pebble, &further)).await;
    let what = format!("a certificate by {challenge}; pebble: {}", pebble.log());
    for host in hosts {
        eventually(&what, 90, || is_given(&pebble, host, tls)).await;
    }
    let log = pebble.log();
    assert!(
        log.contains(&format!("{challenge} challenge")) || log.contains(challenge),
        "{log}"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_gives_a_certificate_over_http() {
    obtains(
        "\"calls.test\", \"www.calls.test\"",
        &["calls.test", "www.calls.test"],
        "http-01",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_gives_a_certificate_over_tls() {
    obtains(
        "\"calls.test\", \"www.calls.test\"",
        &["calls.test", "www.calls.test"],
        "tls-alpn-01",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_gives_a_certificate_for_a_bare_address() {
    obtains("\"127.0.0.1\"", &["127.0.0.1"], "tls-alpn-01").await;
    obtains("\"127.0.0.1\"", &["127.0.0.1"], "http-01").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_authority_gave_is_kept_over_a_restart() {
    let [http, tls] = free_ports();
    let pebble = Pebble::start(http, tls, LONG);
    let setup = acme(http, tls, "\"calls.test\"", &pebble, "");
    let server = Server::start(&setup).await;
    eventually("a certificate", 90, || is_given(&pebble, "calls.test", tls)).await;
    let given = fingerprint(address(&server));
    for file in server.files("https") {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let (data, password) = server.stop().await;
    drop(pebble);
    // The authority is gone: what it gave serves from the first moment.
    let again = Server::start_in(data, Some(password), &setup).await;
    assert_eq!(
        Some(again.https.as_ref().expect("HTTPS").sha256.clone()),
        given
    );
    assert_eq!(fingerprint(address(&again)), given);
    let _ = again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_before_it_ends() {
    let [http, tls] = free_ports();
    let pebble = Pebble::start(http, tls, 40);
    let server = Server::start(&acme(http, tls, "\"calls.test\"", &pebble, "")).await;
    eventually("a certificate", 90, || is_given(&pebble, "calls.test", tls)).await;
    let first = fingerprint(address(&server)).expect("a certificate");
    // It never stops serving a valid one meanwhile.
    eventually("a renewed one", 90, || {
        assert!(is_given(&pebble, "calls.test", tls), "no valid certificate");
        fingerprint(address(&server)).is_some_and(|now| now != first)
    })
    .await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_refuses_is_said_and_https_is_served_all_the_same() {
    let [http, tls, elsewhere] = free_ports();
    // It looks where nobody answers.
    let pebble = Pebble::start(elsewhere, elsewhere, LONG);
    let data = tempfile::tempdir().expect("a directory");
    let wait = |further: &str, said: &'static str| {
        let setup = acme(http, tls, "\"calls.test\"", &pebble, further);
        let dir = data.path().join(format!("store-{}", further.len()));
        let process = Process::start_with(&dir, &model(), &setup.sections);
        async move {
            eventually(said, 60, || process.log().contains(said)).await;
            let url = format!("https://127.0.0.1:{tls}/api/v1/health");
            assert_eq!(curl(&["--insecure", &url]).expect("an answer").status, 200);
            assert!(
                process.log().contains("no new certificate"),
                "{}",
                process.log()
            );
        }
    };
    wait("challenge = \"tls-alpn-01\"\n", "calls.test, TlsAlpn01").await;
    wait(
        "profile = \"tlsserver9\"\n",
        "does not offer \"tlsserver9\"",
    )
    .await;
}
