//! Nothing is shown to nobody, and every refusal has one form.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::{Client, assert_error, read};
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

/// Operations that need no token.
const PUBLIC: [&str; 8] = [
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/invitation",
    "POST /auth/invitation/accept",
    "GET /auth/ways",
    "GET /auth/oidc/start",
    "GET /auth/oidc/callback",
    "GET /health",
];

/// All operations of the OpenAPI document; `id` stands for the parameters.
pub(crate) async fn operations(server: &Server, id: &str) -> Vec<(Method, String)> {
    let document = server.get("/openapi.json").await;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("an item").keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let path = path
                .replace("{id}", id)
                .replace("{file_id}", id)
                .replace("{name}", id)
                .replace("{filename}", id)
                .replace("{index}", "0")
                .replace("{answer}", id)
                .replace("{version}", "0");
            operations.push((method, path));
        }
    }
    assert!(operations.len() > 18, "{operations:?}");
    assert!(
        operations.iter().all(|(_, path)| !path.contains('{')),
        "{operations:?}"
    );
    operations
}

fn token(id: &str, key: &[u8], claims: &Value) -> String {
    let header = Header {
        kid: Some(id.to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(key)).expect("a token")
}

fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock")
        .as_secs() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_without_a_token() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let nobody = Client::anonymous(&server.base);
    for (method, path) in operations(&server, &id).await {
        if PUBLIC.contains(&format!("{method} {path}").as_str()) {
            continue;
        }
        let what = format!("{method} {path}");
        let answer = nobody.send(method.clone(), &path, None).await;
        assert_error(&what, &answer, 401, "not_signed_in");
        // Neither with a body, nor with the headers of a WebSocket.
        let request = nobody
            .request(method, &path)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .json(&json!({"operator": "Никто", "swap_speakers": true}));
        let answer = read(request.send().await.expect("an answer")).await;
        assert_error(&what, &answer, 401, "not_signed_in");
    }
    assert_eq!(server.result(&id).await["call"]["operator"], Value::Null);
    assert_eq!(nobody.get("/health").await, json!({"status": "ok"}));
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_ours() {
    let server = Server::start(&Setup::scripted()).await;
    let good = server.token.clone().expect("a token");
    let session = server.get("/auth/me").await["session"].clone();
    let claims =
        |exp: i64, name: &str| json!({"sub": name, "sid": session, "iat": now(), "exp": exp});
    let (id, key) = (server.token_key.id.as_str(), &server.token_key.secret);
    let alive = now() + 3600;
    let parts: Vec<&str> = good.split('.').collect();
    // {"typ":"JWT","alg":"none"}
    let none = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{}.", parts[1]);
    let other_claims = token(id, key, &claims(alive, "nobody"));
    let other_part = other_claims.split('.').nth(1).expect("claims");
    let bad = [
        (
            "with another key",
            token(id, &[7; 32], &claims(alive, "admin")),
        ),
        ("with an empty key", token(id, b"", &claims(alive, "admin"))),
        ("expired", token(id, key, &claims(now() - 1, "admin"))),
        (
            "without an end",
            token(
                id,
                key,
                &json!({"sub": "admin", "sid": session, "iat": now()}),
            ),
        ),
        ("of an account that is not there", other_claims.clone()),
        (
            "of a session that is not there",
            token(
                id,
                key,
                &json!({"sub": "admin", "sid": "0123", "iat": now(), "exp": alive}),
            ),
        ),
        (
            "of a key that is not there",
            token("0123", key, &claims(alive, "admin")),
        ),
        ("unsigned", none),
        (
            "with other claims",
            format!("{}.{other_part}.{}", parts[0], parts[2]),
        ),
        ("cut off", good[..good.len() - 4].to_owned()),
        ("garbled", "x".repeat(200)),
        ("empty", String::new()),
        ("huge", "a".repeat(6000)),
    ];
    for (what, token) in bad {
        let mut client = server.client.clone();
        client.token = Some(token.clone());
        let answer = client.send(Method::GET, "/auth/me", None).await;
        assert_error(&format!("a bearer {what}"), &answer, 401, "not_signed_in");
        let cookie = Client::anonymous(&server.base)
            .request(Method::GET, "/auth/me")
            .header("cookie", format!("call_analytics_session={token}"));
        let answer = read(cookie.send().await.expect("an answer")).await;
        assert_error(&format!("a cookie {what}"), &answer, 401, "not_signed_in");
    }
    // The same way of making one gives a good one: the list above tests what it says.
    let mut client = server.client.clone();
    client.token = Some(token(id, key, &claims(alive, "admin")));
    assert_eq!(client.get("/auth/me").await["name"], "admin");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_out() {
    let server = Server::start(&Setup::scripted()).await;
    let nobody = Client::anonymous(&server.base);
    for (name, password) in [
        ("admin", "wrong password"),
        ("nobody", server.password.as_str()),
        ("", ""),
        ("admin", ""),
    ] {
        let answer = nobody.try_login(name, password).await;
        assert_error(
            &format!("{name:?} with {password:?}"),
            &answer,
            401,
            "bad_credentials",
        );
    }
    let browser = reqwest::Client::builder()
        .no_proxy()
        .cookie_store(true)
        .build()
        .expect("a client");
    let login = browser
        .post(server.url("/auth/login"))
        .json(&json!({"username": "admin", "password": server.password}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(login.status(), 200);
    let cookies: Vec<String> = login
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().expect("text").to_owned())
        .collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    for cookie in &cookies {
        let attributes: Vec<String> = cookie
            .split(';')
            .map(|part| part.trim().to_lowercase())
            .collect();
        for attribute in ["httponly", "samesite=strict", "path=/"] {
            assert!(
                attributes.iter().any(|found| found == attribute),
                "{attribute} is not in {attributes:?}"
            );
        }
        assert!(
            attributes.iter().any(|found| found.starts_with("max-age=")),
            "{attributes:?}"
        );
        // Over plain HTTP a Secure cookie would never come back, and a domain would leak it.
        assert!(
            !attributes
                .iter()
                .any(|found| found == "secure" || found.starts_with("domain=")),
            "{attributes:?}"
        );
    }
    let body: Value = login.json().await.expect("JSON");
    assert_eq!(body["user"]["name"], "admin");
    assert_eq!(body["user"]["role"], "admin");
    assert!(
        body["expires_at"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z')),
        "{body}"
    );
    let me = browser
        .get(server.url("/auth/me"))
        .send()
        .await
        .expect("an answer");
    let (status, me) = read(me).await;
    assert_eq!((status, &me["name"]), (200, &json!("admin")), "{me}");
    let logout = browser
        .post(server.url("/auth/logout"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(logout.status(), 204);
    let me = browser
        .get(server.url("/auth/me"))
        .send()
        .await
        .expect("an answer");
    assert_error("after signing out", &read(me).await, 401, "not_signed_in");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_all_other_sessions() {
    let server = Server::start(&Setup::scripted()).await;
    let other = Client::login(&server.base, "admin", &server.password).await;
    let change = |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        server.request(Method::POST, "/auth/password").json(&body)
    };
    let answer = read(
        change("wrong", "верная лошадь")
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    assert_error("a wrong current password", &answer, 401, "bad_credentials");
    for weak in ["short", "", "admin", "          "] {
        let answer = read(
            change(&server.password, weak)
                .send()
                .await
                .expect("an answer"),
        )
        .await;
        assert_error(&format!("{weak:?}"), &answer, 400, "weak_password");
    }
    assert_eq!(
        other.get("/auth/me").await["name"],
        "admin",
        "a refusal ends no session"
    );
    let changed = change(&server.password, "верная лошадь")
        .send()
        .await
        .expect("an answer");
    assert_eq!(changed.status(), 204);
    let answer = other.send(Method::GET, "/auth/me", None).await;
    assert_error("another session", &answer, 401, "not_signed_in");
    assert_eq!(
        server.get("/auth/me").await["name"],
        "admin",
        "this session goes on"
    );
    let nobody = Client::anonymous(&server.base);
    let answer = nobody.try_login("admin", &server.password).await;
    assert_error("the old password", &answer, 401, "bad_credentials");
    Client::login(&server.base, "admin", "верная лошадь").await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_one_form() {
    let server = Server::start(&Setup::scripted()).await;
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (method, path) in operations(&server, unknown).await {
        if path.contains(unknown) {
            let reviews = method == Method::POST && path.ends_with("/reviews");
            let takes = [Method::PATCH, Method::PUT].contains(&method)
                || path.ends_with("/restore")
                || reviews;
            let body = takes.then(|| {
                json!({"operator": "x", "name": "x", "version": 0, "text": "",
                    "item": "x", "act": "confirm", "seen_verdict": "met",
                    "revision": if reviews { 0 } else { 1 }})
            });
            let query = if path.ends_with("/transcript") {
                "?format=txt"
            } else if path.starts_with("/sftp/files/") {
                "?user=mango"
            } else {
                ""
            };
            let answer = server
                .send(method.clone(), &format!("{path}{query}"), body)
                .await;
            let (status, code) = if path.starts_with("/sftp/users/") {
                (404, "no_such_sftp_user")
            } else if path.starts_with("/scorecards/") {
                (404, "no_such_scorecard")
            } else if path.starts_with("/scorecard-drafts/") {
                (404, "no_such_draft")
            } else if path.starts_with("/prompts/") {
                (404, "no_such_prompt")
            } else if path.starts_with("/accounts/") {
                (404, "no_such_user")
            } else if path.starts_with("/invitations/") {
                (404, "no_such_invitation")
            } else if path.starts_with("/api-keys/") {
                (404, "no_such_api_key")
            } else if path.starts_with("/auth/sessions/") {
                (404, "no_such_session")
            } else if path.starts_with("/erasures/") {
                (404, "no_such_erasure")
            } else if path.starts_with("/rescorings/") {
                (404, "no_such_rescoring")
            } else if path.starts_with("/pull/sources/") {
                (404, "no_such_source")
            } else if path.starts_with("/sftp/files/") {
                // This server has none.
                (409, "sftp_off")
            } else if path.starts_with("/sftp/download/") {
                (404, "download_expired")
            } else {
                (404, "not_found")
            };
            assert_error(&format!("{method} {path}"), &answer, status, code);
        }
    }
    for id in [
        "x",
        "..",
        "%2e%2e%2fstore",
        "01arz3ndektsv4rrffq69g5fav",
        "%D1%8F",
        "'",
    ] {
        let answer = server
            .send(Method::GET, &format!("/results/{id}"), None)
            .await;
        assert_eq!(answer.0, 404, "{id}: {}", answer.1);
    }
    for path in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/results/a/b",
        "/api/v2/results",
        "/api/v1/results/",
    ] {
        let answer = server
            .http
            .get(format!("{}{path}", server.base))
            .send()
            .await
            .expect("an answer");
        assert_error(path, &read(answer).await, 404, "not_found");
    }
    for (method, path) in [
        (Method::PUT, "/results"),
        (Method::DELETE, "/health"),
        (Method::GET, "/auth/login"),
        (Method::POST, "/status/x"),
    ] {
        let answer = server.send(method.clone(), path, None).await;
        assert_error(
            &format!("{method} {path}"),
            &answer,
            405,
            "method_not_allowed",
        );
    }
    for query in [
        "page=0",
        "page=x",
        "page=-1",
        "page_size=0",
        "page_size=201",
        "score_min=x",
        "score_max=NaN",
        "duration_min=-1",
        "duration_max=x",
        "status=nonsense",
        "source=fax",
        "status=completed,nonsense",
        "sort=nonsense",
        "sort=-",
        "date_from=gestern",
        "date_to=2026-13-01",
    ] {
        let answer = server
            .send(Method::GET, &format!("/results?{query}"), None)
            .await;
        assert_eq!(answer.0, 400, "{query}: {}", answer.1);
        assert_error(
            query,
            &answer,
            400,
            answer.1["code"].as_str().unwrap_or_default(),
        );
    }
    let answer = server
        .http
        .delete(server.url("/openapi.json"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 405, "DELETE /openapi.json");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_understood() {
    let server = Server::start(&Setup::scripted()).await;
    let login = |body: &'static str, kind: &'static str| {
        server
            .http
            .post(server.url("/auth/login"))
            .header("content-type", kind)
            .body(body)
            .send()
    };
    for (body, kind, status) in [
        ("{", "application/json", 400),
        ("{\"username\": \"admin\"}", "application/json", 400),
        (
            "{\"username\": 1, \"password\": []}",
            "application/json",
            400,
        ),
        ("", "application/json", 400),
        ("username=admin", "application/x-www-form-urlencoded", 415),
    ] {
        let answer = read(login(body, kind).await.expect("an answer")).await;
        assert_eq!(answer.0, status, "{kind} {body}: {}", answer.1);
        assert_error(
            body,
            &answer,
            status,
            answer.1["code"].as_str().unwrap_or_default(),
        );
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_websocket_is_for_those_who_are_signed_in() {
    let server = Server::start(&Setup::scripted()).await;
    let host = server.base.trim_start_matches("http://").to_owned();
    let open = |headers: Vec<(&'static str, String)>| {
        let mut request = format!("ws://{host}/api/v1/ws")
            .into_client_request()
            .expect("a request");
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(name, value.parse().expect("a value"));
        }
        async move {
            match tokio_tungstenite::connect_async(request).await {
                Ok(_) => 101,
                Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                    answer.status().as_u16()
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    let token = server.token.clone().expect("a token");
    let bearer = ("authorization", format!("Bearer {token}"));
    let cookie = ("cookie", format!("call_analytics_session={token}"));
    assert_eq!(open(vec![]).await, 401);
    assert_eq!(open(vec![bearer.clone()]).await, 101);
    assert_eq!(
        open(vec![cookie.clone(), ("origin", format!("http://{host}"))]).await,
        101
    );
    assert_eq!(
        open(vec![
            cookie.clone(),
            ("origin", "http://evil.example".into())
        ])
        .await,
        400
    );
    assert_eq!(
        open(vec![cookie.clone(), ("origin", "null".into())]).await,
        400
    );
    assert_eq!(
        open(vec![
            cookie,
            ("origin", format!("http://evil.example/{host}"))
        ])
        .await,
        400
    );
    let _ = server.stop().await;
}
