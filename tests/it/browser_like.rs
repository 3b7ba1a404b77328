//! Requests as a browser sends them.

use reqwest::Method;

use crate::client::read;
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

/// A form with one file, its name as raw UTF-8 like all browsers write it.
fn form(filename: &str, content: &[u8]) -> Vec<u8> {
    let mut body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{filename}\"\r\nContent-Type: audio/wav\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--x--\r\n");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_files() {
    let server = Server::start(&Setup::scripted()).await;
    let cases = [
        ("Звонок с Ольгой №5.wav", "Звонок с Ольгой №5.wav"),
        ("../../../etc/passwd", "passwd"),
        ("C:\\\\calls\\\\a.wav", "a.wav"),
        (
            "<img src=x onerror=alert(1)>.wav",
            "<img src=x onerror=alert(1)>.wav",
        ),
    ];
    for (number, (sent, kept)) in cases.into_iter().enumerate() {
        let request = server
            .request(Method::POST, "/upload")
            .header("content-type", "multipart/form-data; boundary=x")
            .body(form(sent, &scripted_call(number as u32)));
        let (status, body) = read(request.send().await.expect("an answer")).await;
        assert_eq!(status, 202, "{body}");
        let id = body["files"][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{body}"));
        assert_eq!(
            server.completed(id).await["call"]["filename"],
            kept,
            "{sent}"
        );
    }
    // All of it stays in the data directory, under names that nobody chose.
    assert_eq!(server.files("audio").len(), 4);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recording_is_served_in_pieces() {
    let server = Server::start(&Setup::scripted()).await;
    let wav = scripted_call(1);
    let id = server.accepted("a.wav", wav.clone(), &[]).await;
    let get = |range: Option<&'static str>, encoding: &'static str| {
        let mut request = server
            .request(Method::GET, &format!("/audio/{id}"))
            .header("accept-encoding", encoding);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        async move { request.send().await.expect("an answer") }
    };
    // Chromium asks for media with "identity;q=1, *;q=0", Firefox and programs with gzip.
    for encoding in ["identity;q=1, *;q=0", "identity", "gzip, deflate, br, zstd"] {
        let whole = get(None, encoding).await;
        assert_eq!(whole.status(), 200);
        assert_eq!(whole.headers()["content-type"], "audio/wav");
        assert_eq!(
            whole.headers().get("accept-ranges").map(|v| v.as_bytes()),
            Some(&b"bytes"[..]),
            "{encoding}"
        );
        assert!(
            !whole.headers().contains_key("content-encoding"),
            "{encoding}: sound is not compressed"
        );
        assert_eq!(whole.content_length(), Some(wav.len() as u64), "{encoding}");
        assert_eq!(whole.bytes().await.expect("a body"), wav);
        for (range, from, to) in [
            ("bytes=0-99", 0, 100),
            ("bytes=1000-1999", 1000, 2000),
            ("bytes=5000-", 5000, wav.len()),
            ("bytes=-100", wav.len() - 100, wav.len()),
        ] {
            let piece = get(Some(range), encoding).await;
            assert_eq!(piece.status(), 206, "{encoding}: {range}");
            assert_eq!(piece.headers()["content-type"], "audio/wav");
            assert!(
                !piece.headers().contains_key("content-encoding"),
                "{encoding}: {range}"
            );
            let expected = format!("bytes {from}-{}/{}", to - 1, wav.len());
            assert_eq!(
                piece.headers()["content-range"],
                expected.as_str(),
                "{encoding}: {range}"
            );
            assert_eq!(
                piece.bytes().await.expect("a body"),
                wav[from..to],
                "{encoding}: {range}"
            );
        }
    }
    let beyond = get(Some("bytes=99999999-"), "identity").await;
    assert_eq!(beyond.status(), 416);
    assert!(beyond.json::<serde_json::Value>().await.expect("JSON")["code"].is_string());
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page() {
    let server = Server::start(&Setup::scripted()).await;
    let page = server
        .http
        .get(&server.base)
        .send()
        .await
        .expect("the page");
    assert_eq!(page.status(), 200);
    let headers = page.headers().clone();
    let policy = headers["content-security-policy"]
        .to_str()
        .expect("a policy")
        .to_owned();
    for word in ["unsafe-inline", "unsafe-eval", "*", "http:", "https:"] {
        assert!(!policy.contains(word), "{word} in {policy}");
    }
    for part in [
        "default-src 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "base-uri",
    ] {
        assert!(policy.contains(part), "no {part} in {policy}");
    }
    let html = page.text().await.expect("text");
    // What the policy would not let run.
    assert!(
        !html.contains("<script>") && !html.contains(" style=") && !html.contains("<style"),
        "{html}"
    );
    let mut assets = 0;
    for part in html.split(['"', '\'']) {
        let Some(path) = part.strip_prefix("./") else {
            continue;
        };
        let asset = server
            .http
            .get(format!("{}/{path}", server.base))
            .send()
            .await
            .expect("an asset");
        assert_eq!(asset.status(), 200, "{path}");
        let kind = asset.headers()["content-type"]
            .to_str()
            .expect("a type")
            .to_owned();
        if path.ends_with(".js") {
            assert!(kind.starts_with("text/javascript"), "{path}: {kind}");
        }
        assets += 1;
    }
    assert!(assets >= 2, "{html}");
    for path in [
        "/",
        "/docs",
        "/api/v1/health",
        "/api/v1/results",
        "/api/v1/nowhere",
        "/nowhere",
    ] {
        let answer = server
            .http
            .get(format!("{}{path}", server.base))
            .send()
            .await
            .expect("an answer");
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert!(
            header("content-security-policy").contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!header("referrer-policy").is_empty(), "{path}");
    }
    let _ = server.stop().await;
}
