//! Connections of people who mean ill, or whose lines are slow.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::assert_error;
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

/// Generous: a busy machine is no fault.
const LONG: Duration = Duration::from_secs(60);

fn setup(http: &str) -> Setup {
    Setup {
        sections: format!(
            "[http]\n{http}\n[https]\nenabled = true\nlisten = \"127.0.0.1:0\"\nredirect_from = \"127.0.0.1:0\"\n"
        ),
        ..Setup::scripted()
    }
}

fn plain(server: &Server) -> SocketAddr {
    let address = server.base.trim_start_matches("http://");
    address.parse().expect("an address")
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// What comes until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await;
    // A reset closes as well.
    let _ = read.expect("the connection is left open");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn health(server: &Server) -> u16 {
    let nobody = crate::client::Client::anonymous(&server.base);
    nobody.send(reqwest::Method::GET, "/health", None).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_finish_the_head_is_cut_off() {
    let server = Server::start(&setup("header_timeout_s = 1\nidle_timeout_s = 2")).await;
    let https = server.https.as_ref().expect("HTTPS");
    let doors = [plain(&server), https.address, https.redirect.expect("one")];
    for door in doors {
        // Silence, a beginning (of TLS where it is spoken), and a byte now and then.
        let mut silent = connect(door).await;
        let mut begun = connect(door).await;
        begun
            .write_all(b"\x16\x03\x01\x02\x00\x01")
            .await
            .expect("sent");
        let mut slow = connect(door).await;
        let dripping = async {
            let head = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-A: ";
            let _ = slow.write_all(head).await;
            let end = Instant::now() + LONG;
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                if slow.write_all(b"a").await.is_err() {
                    return;
                }
                assert!(Instant::now() < end, "{door}: it may drip for ever");
            }
        };
        dripping.await;
        until_closed(&mut silent).await;
        until_closed(&mut begun).await;
    }
    // After an answer the connection is kept for a while and closed then.
    let mut kept = connect(plain(&server)).await;
    let request = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n";
    kept.write_all(request).await.expect("sent");
    let answer = until_closed(&mut kept).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_must_move() {
    let server = Server::start(&setup(
        "stall_timeout_s = 2\nmin_bytes_per_s = 1000\nidle_timeout_s = 1",
    ))
    .await;
    let token = server.token.clone().expect("a token");
    for path in ["/auth/login", "/upload"] {
        let mut slow = connect(plain(&server)).await;
        let head = format!(
            "POST /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: {}\r\nContent-Length: 1000000\r\n\r\n",
            if path == "/upload" {
                "multipart/form-data; boundary=b"
            } else {
                "application/json"
            }
        );
        slow.write_all(head.as_bytes()).await.expect("sent");
        let (mut from, mut to) = slow.split();
        let dripping = async {
            loop {
                if to.write_all(b" ").await.is_err() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let mut answer = vec![0; 4096];
        let read = tokio::select! {
            read = tokio::time::timeout(LONG, from.read(&mut answer)) => read,
            never = dripping => never,
        };
        let read = read.expect("an answer in time").expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
    }

    // A slow line that moves brings a file over a longer time than the body may stand still.
    let sound = scripted_call(4);
    let form = [
        &b"--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.wav\"\r\n\r\n"[..],
        &sound,
        b"\r\n--b--\r\n",
    ]
    .concat();
    let mut moving = connect(plain(&server)).await;
    let head = format!(
        "POST /api/v1/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        form.len()
    );
    moving.write_all(head.as_bytes()).await.expect("sent");
    for piece in form.chunks(form.len().div_ceil(30)) {
        moving.write_all(piece).await.expect("it is taken");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let answer = until_closed(&mut moving).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_have_bounds() {
    let server = Server::start(&setup("max_body_mb = 1")).await;
    let ask = |head: String| {
        let address = plain(&server);
        async move {
            let mut stream = connect(address).await;
            let _ = stream.write_all(head.as_bytes()).await;
            // Whoever sends on after the answer is there gets it all the same.
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let _ = stream.write_all(b"more").await;
            }
            until_closed(&mut stream).await
        }
    };
    let large = format!("GET / HTTP/1.1\r\nX-A: {}\r\n\r\n", "a".repeat(100_000));
    let answer = ask(large).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:.100}");
    let many = "X-A: 1\r\n".repeat(200);
    let answer = ask(format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:.100}");
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let answer = ask(long).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer:.100}");

    // Two megabytes of JSON, with their length told and without.
    let body = format!("{{\"username\": \"{}\"}}", "a".repeat(2 << 20));
    let url = server.url("/auth/login");
    let json = |body: reqwest::Body| {
        let request = server
            .http
            .post(&url)
            .header("content-type", "application/json");
        request.body(body).send()
    };
    let told = json(body.clone().into()).await.expect("an answer");
    assert_error("told", &crate::client::read(told).await, 413, "too_large");
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = body
        .as_bytes()
        .chunks(10_000)
        .map(|piece| Ok(piece.to_vec()))
        .collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let untold = json(stream).await.expect("an answer");
    let untold = crate::client::read(untold).await;
    assert_error("untold", &untold, 413, "too_large");
    assert_eq!(health(&server).await, 200);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_keep_nobody_out() {
    let server = Server::start(&setup(
        "max_connections = 400\nmax_connections_per_address = 350\nheader_timeout_s = 600",
    ))
    .await;
    let mut held = Vec::new();
    for _ in 0..1000 {
        held.push(connect(plain(&server)).await);
    }
    for _ in 0..5 {
        assert_eq!(health(&server).await, 200);
    }
    // The first of them had to go.
    until_closed(&mut held[0]).await;
    drop(held);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_outlives_every_limit_of_silence() {
    let server = Server::start(&setup(
        "header_timeout_s = 1\nidle_timeout_s = 1\nstall_timeout_s = 1\nmax_connections_per_address = 20",
    ))
    .await;
    let url = server.url("/ws").replace("http://", "ws://");
    let mut request = url.into_client_request().expect("a request");
    let token = format!("Bearer {}", server.token.as_deref().expect("a token"));
    let headers = request.headers_mut();
    headers.insert("authorization", token.parse().expect("a value"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("a socket");
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Nor do those who only wait push it out.
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(connect(plain(&server)).await);
    }
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    let told = tokio::time::timeout(LONG, async {
        while let Some(message) = socket.next().await {
            if message
                .expect("it is open")
                .to_text()
                .is_ok_and(|text| text.contains(&id))
            {
                return true;
            }
        }
        false
    })
    .await;
    assert_eq!(told, Ok(true), "what happens is told");
    let _ = socket.send("closing".into()).await;
    let _ = server.stop().await;
}
