//! Behind real reverse proxies (Caddy, nginx): below a path that they cut off and below
//! one that they do not, with the page, signing in, a WebSocket and the API's document.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{HeaderMap, LOCATION};
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::Client;
use crate::server::{Server, Setup};
use crate::tls::{Helper, free_ports};

const TRUSTING: &str = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\nbase_path = \"/whole\"\n[calltouch]\nallow = [\"203.0.113.0/24\"]\n";

/// The address that is trusted, and one that is not.
const PROXY: &str = "127.0.0.1";
const OTHER: &str = "127.0.0.2";

fn setup() -> Setup {
    Setup {
        sections: TRUSTING.to_owned(),
        ..Setup::scripted()
    }
}

/// A browser that keeps cookies and follows nothing by itself. `from`: its address, which
/// is not the proxy's.
fn browser(from: &str) -> reqwest::Client {
    let from: std::net::IpAddr = from.parse().expect("an address");
    reqwest::Client::builder()
        .no_proxy()
        .local_address(from)
        .cookie_store(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(60))
        .build()
        .expect("a client")
}

/// The page at `base` (with a slash at its end) works as a whole.
async fn works(server: &Server, base: &str) {
    let http = browser(PROXY);
    let get = |path: String| {
        let request = http.get(format!("{base}{path}"));
        async move { request.send().await.expect("an answer") }
    };
    // Without the slash at the end people are sent to the page.
    if base.matches('/').count() > 3 {
        let answer = http
            .get(base.trim_end_matches('/'))
            .send()
            .await
            .expect("an answer");
        assert!(
            answer.status().is_redirection(),
            "{base}: {}",
            answer.status()
        );
        let to = answer.headers()[LOCATION]
            .to_str()
            .expect("a text")
            .to_owned();
        assert!(
            to.ends_with(
                base.trim_start_matches("http://")
                    .split_once('/')
                    .expect("a path")
                    .1
            ),
            "{to}"
        );
    }
    let page = get(String::new()).await;
    assert_eq!(page.status(), 200, "{base}");
    let page = page.text().await.expect("a page");
    // All that it loads is found from where it is.
    let loaded: Vec<&str> = page
        .split(['"', '\''])
        .filter(|text| text.starts_with("./assets/") || text.starts_with("assets/"))
        .collect();
    assert!(!loaded.is_empty(), "{page}");
    for path in loaded {
        let answer = get(path.trim_start_matches("./").to_owned()).await;
        assert_eq!(answer.status(), 200, "{base}{path}");
    }
    for path in [
        "docs",
        "docs/viewer.js",
        "docs/viewer.css",
        "docs/start.js",
        "api/v1/openapi.json",
    ] {
        let answer = get(path.to_owned()).await;
        assert_eq!(answer.status(), 200, "{base}{path}");
    }

    // Signing in stays: no loop.
    assert_eq!(get("api/v1/auth/me".to_owned()).await.status(), 401);
    let login = http
        .post(format!("{base}api/v1/auth/login"))
        .json(&json!({"username": "admin", "password": server.password}));
    let login = login.send().await.expect("an answer");
    assert_eq!(login.status(), 200, "{base}");
    let cookies: Vec<String> = login
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
        .collect();
    assert_eq!(
        get("api/v1/auth/me".to_owned()).await.status(),
        200,
        "{base}"
    );

    // A WebSocket as a browser opens it, and as another page would.
    let (_, rest) = base.split_once("://").expect("an address");
    let own = format!("http://{}", rest.split('/').next().expect("a host"));
    for (origin, opens) in [(own.as_str(), true), ("http://evil.test", false)] {
        let url = format!("ws://{rest}api/v1/ws");
        let mut request = url.into_client_request().expect("a request");
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse().expect("a value"));
        headers.insert("cookie", cookies.join("; ").parse().expect("a value"));
        let opened = tokio_tungstenite::connect_async(request).await;
        assert_eq!(opened.is_ok(), opens, "{base} from {origin}: {opened:?}");
    }
}

/// How the webhook, which is open to 203.0.113.0/24 only, answers.
async fn hook(from: &str, base: &str, headers: &[(&'static str, &str)]) -> (u16, HeaderMap) {
    let mut request = browser(from).get(format!("{base}api/v1/calltouch/webhook/wrong-secret"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    let headers = answer.headers().clone();
    let body = answer.text().await.expect("a body");
    // Let in by its address, it is refused for its secret.
    let let_in = body.contains("secret");
    (u16::from(let_in), headers)
}

async fn serves(base: &str, log: &Path) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let nobody = Client::anonymous(base.trim_end_matches('/'));
        if nobody.http.get(base).send().await.is_ok() {
            return;
        }
        let said = std::fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < end, "the proxy does not serve: {said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_in_front() {
    let server = Server::start(&setup()).await;
    let app = server.base.trim_start_matches("http://").to_owned();
    let [port] = free_ports();
    let dir = tempfile::tempdir().expect("a directory");
    let config = format!(
        "{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n redir /cut /cut/\n handle_path /cut/* {{\n  reverse_proxy {app}\n }}\n handle /whole* {{\n  reverse_proxy {app}\n }}\n handle {{\n  reverse_proxy {app}\n }}\n}}\n"
    );
    let path = dir.path().join("Caddyfile");
    std::fs::write(&path, config).expect("a config");
    let log = dir.path().join("log");
    let _caddy = Helper::start(
        Command::new("caddy")
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&path)
            .env("HOME", dir.path()),
        &log,
    );
    let base = format!("http://127.0.0.1:{port}");
    serves(&format!("{base}/"), &log).await;
    for path in ["/", "/cut/", "/whole/"] {
        works(&server, &format!("{base}{path}")).await;
    }
    // Caddy believes nobody, so whoever says to be another is not believed either.
    let (let_in, _) = hook(
        OTHER,
        &format!("{base}/"),
        &[("x-forwarded-for", "203.0.113.9")],
    )
    .await;
    assert_eq!(let_in, 0);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_in_front() {
    let server = Server::start(&setup()).await;
    let app = server.base.clone();
    let [port] = free_ports();
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().display();
    let to = "proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; proxy_request_buffering off; client_max_body_size 0;";
    let config = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/errors; events {{}}\nhttp {{ access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\nserver {{ listen 127.0.0.1:{port};\nlocation /cut/ {{ proxy_pass {app}/; {to} }}\nlocation / {{ proxy_pass {app}; {to} }}\n}} }}\n"
    );
    let path = dir.path().join("nginx.conf");
    std::fs::write(&path, config).expect("a config");
    let log = dir.path().join("log");
    let _nginx = Helper::start(
        Command::new("nginx")
            .arg("-p")
            .arg(dir.path())
            .arg("-c")
            .arg(&path),
        &log,
    );
    let base = format!("http://127.0.0.1:{port}");
    serves(&format!("{base}/"), &log).await;
    for path in ["/", "/cut/", "/whole/"] {
        works(&server, &format!("{base}{path}")).await;
    }
    // nginx adds whom it saw: what stands left of that is anybody's word.
    let (let_in, headers) = hook(
        OTHER,
        &format!("{base}/"),
        &[
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
        ],
    )
    .await;
    assert_eq!(let_in, 0);
    assert!(!headers.contains_key("strict-transport-security"));
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_believed_and_nobody_else() {
    let said = [
        ("x-forwarded-for", "198.51.100.1, 203.0.113.9"),
        ("x-forwarded-proto", "https"),
    ];
    let server = Server::start(&setup()).await;
    let (let_in, headers) = hook(PROXY, &format!("{}/", server.base), &said).await;
    assert_eq!(let_in, 1);
    assert!(headers.contains_key("strict-transport-security"));
    let other = [("x-forwarded-for", "203.0.113.9, 198.51.100.1")];
    assert_eq!(hook(PROXY, &format!("{}/", server.base), &other).await.0, 0);
    assert_eq!(
        hook(
            PROXY,
            &format!("{}/", server.base),
            &[("forwarded", "for=203.0.113.9")]
        )
        .await
        .0,
        0
    );
    let _ = server.stop().await;

    let trusting_nobody = Setup {
        sections: "[calltouch]\nallow = [\"203.0.113.0/24\"]\n".to_owned(),
        ..Setup::scripted()
    };
    let server = Server::start(&trusting_nobody).await;
    let (let_in, headers) = hook(PROXY, &format!("{}/", server.base), &said).await;
    assert_eq!(let_in, 0);
    assert!(!headers.contains_key("strict-transport-security"));
    let foreign = server
        .http
        .get(server.url("/ws"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("origin", "http://evil.test")
        .header("x-forwarded-host", "evil.test")
        .bearer_auth(server.token.as_deref().expect("a token"));
    let answer = foreign.send().await.expect("an answer");
    assert_eq!(answer.status(), 400, "whoever asks names the host");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_what_they_may_do() {
    let server = Server::start(&Setup::scripted()).await;
    let nobody = Client::anonymous(&server.base);
    for path in [
        "/",
        "/docs",
        "/docs/viewer.js",
        "/api/v1/health",
        "/api/v1/auth/me",
        "/nowhere",
    ] {
        let answer = nobody
            .http
            .request(Method::GET, format!("{}{path}", server.base));
        let answer = answer.send().await.expect("an answer");
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(
            header("cross-origin-opener-policy"),
            "same-origin",
            "{path}"
        );
        assert_eq!(
            header("cross-origin-resource-policy"),
            "same-origin",
            "{path}"
        );
        let kept = header("cache-control");
        assert_eq!(
            kept == "no-store",
            path.starts_with("/api/"),
            "{path}: {kept}"
        );
        assert!(
            header("permissions-policy").contains("microphone=()"),
            "{path}"
        );
    }
    let page = nobody
        .http
        .get(format!("{}/docs", server.base))
        .send()
        .await;
    let page = page.expect("an answer").text().await.expect("a page");
    assert!(
        !page.contains("<style") && !page.contains("<script>"),
        "{page}"
    );
    let _ = server.stop().await;
}
