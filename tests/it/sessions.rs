//! Sessions, second factors, invitations, keys and the limits of trying.

use call_analytics::accounts::factor;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, assert_error, read};
use crate::people::{SALES, key, of_team, person, teams};
use crate::server::{Server, Setup};

fn browser() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .cookie_store(true)
        .build()
        .expect("a client")
}

/// The cookies of an answer, `name=value` each.
fn cookies(answer: &reqwest::Response) -> Vec<String> {
    let lines = answer.headers().get_all("set-cookie").iter();
    lines
        .map(|line| line.to_str().expect("text"))
        .map(|line| line.split(';').next().expect("a pair").to_owned())
        .collect()
}

async fn login(server: &Server, client: &reqwest::Client) -> reqwest::Response {
    let body = json!({"username": "admin", "password": server.password});
    let answer = client.post(server.url("/auth/login")).json(&body);
    let answer = answer.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_access_token_is_made_anew_from_the_refresh_cookie() {
    let server = Server::start(&Setup::scripted()).await;
    let http = Client::anonymous(&server.base).http;
    let signed_in = login(&server, &http).await;
    let mut found = cookies(&signed_in);
    found.retain(|cookie| cookie.starts_with("call_analytics_refresh="));
    let refresh = found.remove(0);
    let ask = |cookie: String| {
        let request = http.get(server.url("/auth/me")).header("cookie", cookie);
        async move { request.send().await.expect("an answer") }
    };
    // As a browser whose access token has expired: all it has open asks at once.
    let answers = futures_util::future::join_all((0..6).map(|_| ask(refresh.clone()))).await;
    let mut fresh = Vec::new();
    for answer in &answers {
        assert_eq!(answer.status(), 200);
        fresh.extend(cookies(answer));
    }
    let access: Vec<&String> = fresh
        .iter()
        .filter(|cookie| cookie.starts_with("call_analytics_session="))
        .collect();
    assert_eq!(access.len(), 6, "each answer has an access token");
    let next: Vec<&String> = fresh
        .iter()
        .filter(|cookie| cookie.starts_with("call_analytics_refresh="))
        .collect();
    assert_eq!(next.len(), 1, "the refresh token is replaced once");
    assert_ne!(next[0], &refresh);
    let answer = ask(access[3].clone()).await;
    assert_eq!(answer.status(), 200, "the new access token is good");
    assert!(cookies(&answer).is_empty(), "and nothing is renewed");
    // Twice on, the first one comes back: somebody copied it, and the session ends.
    let again = ask(next[0].clone()).await;
    assert_eq!(again.status(), 200);
    let stolen = ask(refresh.clone()).await;
    assert_eq!(stolen.status(), 401);
    let last = cookies(&again);
    for cookie in last {
        assert_eq!(ask(cookie).await.status(), 401, "the session has ended");
    }
    let entries = server.get("/audit?action=sign_in_failed").await;
    let detail = entries["items"][0]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("old refresh token"), "{entries}");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_refresh_their_tokens() {
    let server = Server::start(&Setup::scripted()).await;
    let body = login(&server, &browser()).await.json::<Value>().await;
    let body = body.expect("JSON");
    let nobody = Client::anonymous(&server.base);
    let refresh = |token: &Value| {
        let body = json!({"refresh_token": token});
        let nobody = nobody.clone();
        async move { nobody.send(Method::POST, "/auth/refresh", Some(body)).await }
    };
    let (status, first) = refresh(&body["refresh_token"]).await;
    assert_eq!(status, 200, "{first}");
    assert_ne!(first["refresh_token"], body["refresh_token"]);
    let mut client = nobody.clone();
    client.token = first["token"].as_str().map(str::to_owned);
    assert_eq!(client.get("/auth/me").await["name"], "admin");
    for bad in ["", "x", "a.b", &"x".repeat(5000)] {
        let answer = refresh(&json!(bad)).await;
        assert_error("a bad refresh token", &answer, 401, "not_signed_in");
    }
    // Out at once, for both tokens.
    let (status, _) = client.post("/auth/logout").await;
    assert_eq!(status, 204);
    let answer = client.send(Method::GET, "/auth/me", None).await;
    assert_error("the access token", &answer, 401, "not_signed_in");
    let answer = refresh(&first["refresh_token"]).await;
    assert_error("the refresh token", &answer, 401, "not_signed_in");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended() {
    let server = Server::start(&Setup::scripted()).await;
    let olga = person(&server, "olga", "viewer", json!({})).await;
    let other = Client::login(&server.base, "olga", &olga.password).await;
    let list = olga.get("/auth/sessions").await;
    let items = list["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{list}");
    assert!(items.iter().all(|item| item["address"] == "127.0.0.1"));
    let foreign = items.iter().find(|item| item["current"] == false);
    let id = foreign.expect("the other one")["id"]
        .as_str()
        .expect("an id");
    let path = format!("/auth/sessions/{id}");
    let answer = server.send(Method::DELETE, &path, None).await;
    assert_error("somebody else's", &answer, 404, "no_such_session");
    let (status, _) = olga.send(Method::DELETE, &path, None).await;
    assert_eq!(status, 204);
    let answer = other.send(Method::GET, "/auth/me", None).await;
    assert_error("the ended one", &answer, 401, "not_signed_in");
    assert_eq!(olga.get("/auth/me").await["name"], "olga");
    // An administrator ends them all, and shuts out.
    let (status, _) = server
        .send(Method::DELETE, "/accounts/olga/sessions", None)
        .await;
    assert_eq!(status, 204);
    let answer = olga.send(Method::GET, "/auth/me", None).await;
    assert_error("ended by the administrator", &answer, 401, "not_signed_in");
    let olga = Client::login(&server.base, "olga", &olga.password).await;
    let disable = json!({"disabled": true});
    let (status, _) = server
        .send(Method::PATCH, "/accounts/olga", Some(disable))
        .await;
    assert_eq!(status, 200);
    let answer = olga.send(Method::GET, "/auth/me", None).await;
    assert_error("shut out", &answer, 401, "not_signed_in");
    let answer = olga.try_login("olga", &olga.password).await;
    assert_error("shut out", &answer, 401, "bad_credentials");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_changes_nothing() {
    let server = Server::start(&Setup::scripted()).await;
    let browser = browser();
    login(&server, &browser).await;
    let send = |headers: Vec<(&'static str, String)>| {
        let mut request = browser.delete(server.url("/auth/sessions"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        async move { read(request.send().await.expect("an answer")).await }
    };
    let own = server.base.clone();
    for headers in [
        vec![("origin", "http://evil.example".to_owned())],
        vec![("origin", "null".to_owned())],
        vec![("sec-fetch-site", "cross-site".to_owned())],
        vec![
            ("sec-fetch-site", "same-site".to_owned()),
            ("origin", own.clone()),
        ],
    ] {
        let what = format!("{headers:?}");
        assert_error(&what, &send(headers).await, 403, "foreign_origin");
    }
    for headers in [
        vec![],
        vec![("origin", own.clone())],
        vec![("sec-fetch-site", "same-origin".to_owned())],
        vec![("sec-fetch-site", "none".to_owned())],
    ] {
        let what = format!("{headers:?}");
        assert_eq!(send(headers).await.0, 204, "{what}");
    }
    // A token is not sent by a browser on its own.
    let other = Client::login(&server.base, "admin", &server.password).await;
    let request = other.request(Method::DELETE, "/auth/sessions");
    let request = request.header("origin", "http://evil.example");
    assert_eq!(request.send().await.expect("an answer").status(), 204);
    let _ = server.stop().await;
}

/// The code of a secret as an authenticator makes it, `steps` from now.
fn code(secret: &str, steps: i64) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bits = String::new();
    for letter in secret.chars() {
        bits += &format!("{:05b}", alphabet.find(letter).expect("Base32"));
    }
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).expect("bits"), 2).expect("bits"))
        .collect();
    let now = Timestamp::from_second(Timestamp::now().as_second() + 30 * steps).expect("a time");
    // The product's own judge says which of all codes is right.
    (0..1_000_000)
        .map(|number| format!("{number:06}"))
        .find(|code| {
            let step = now.as_second().unsigned_abs() / 30;
            factor::step_of(&bytes, code, step - 1, now) == Some(step)
        })
        .expect("a code")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_from_its_secret_to_its_loss() {
    let server = Server::start(&Setup::scripted()).await;
    let olga = person(&server, "olga", "viewer", json!({})).await;
    let password = json!({"password": olga.password});
    let answer = olga
        .send(
            Method::POST,
            "/auth/second-factor",
            Some(json!({"password": "x"})),
        )
        .await;
    assert_error("without the password", &answer, 401, "bad_credentials");
    let confirm = |code: &str| json!({"code": code});
    let path = "/auth/second-factor/confirm";
    let answer = olga.send(Method::POST, path, Some(confirm("000000"))).await;
    assert_error("before it was begun", &answer, 409, "no_pending_factor");
    let begun = olga.send(Method::POST, "/auth/second-factor", Some(password.clone()));
    let (status, begun) = begun.await;
    assert_eq!(status, 200, "{begun}");
    let secret = begun["secret"].as_str().expect("a secret");
    assert!(
        begun["address"]
            .as_str()
            .is_some_and(|a| a.contains(secret))
    );
    let qr = begun["qr"].as_array().expect("a code");
    assert!(qr.len() > 20 && qr[0].as_str().is_some_and(|row| row.starts_with("1111111")));
    let answer = olga.send(Method::POST, path, Some(confirm("12345"))).await;
    assert_error("a wrong code", &answer, 400, "bad_code");
    assert_eq!(
        olga.try_login("olga", &olga.password).await.0,
        200,
        "not asked for before it is proven"
    );
    let first = code(secret, 0);
    let (status, codes) = olga.send(Method::POST, path, Some(confirm(&first))).await;
    assert_eq!(status, 200, "{codes}");
    let recovery: Vec<String> = codes["recovery_codes"]
        .as_array()
        .expect("codes")
        .iter()
        .map(|code| code.as_str().expect("text").to_owned())
        .collect();
    assert_eq!(recovery.len(), 10);
    let sign_in = |code: Option<String>| {
        let body = json!({"username": "olga", "password": olga.password, "code": code});
        let nobody = Client::anonymous(&server.base);
        async move { nobody.send(Method::POST, "/auth/login", Some(body)).await }
    };
    assert_error("no code", &sign_in(None).await, 401, "code_needed");
    let used = sign_in(Some(first)).await;
    assert_error("a code that was used", &used, 401, "bad_code");
    let next = code(secret, 1);
    let (status, body) = sign_in(Some(next.clone())).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["user"]["second_factor"], true);
    let again = sign_in(Some(next)).await;
    assert_error("the same code once more", &again, 401, "bad_code");
    let (status, _) = sign_in(Some(recovery[0].to_uppercase())).await;
    assert_eq!(status, 200, "a recovery code");
    let again = sign_in(Some(recovery[0].clone())).await;
    assert_error("a recovery code once more", &again, 401, "bad_code");
    // Without a password that is right, nothing tells that there is a second factor.
    let wrong = Client::anonymous(&server.base)
        .try_login("olga", "wrong")
        .await;
    assert_error("a wrong password", &wrong, 401, "bad_credentials");
    // Lost: the administrator takes it away.
    let accounts = server.get("/accounts").await;
    let account = accounts["items"].as_array().expect("items");
    let account = account.iter().find(|account| account["name"] == "olga");
    assert_eq!(account.expect("olga")["recovery_codes"], 9);
    let path = "/accounts/olga/second-factor";
    assert_eq!(server.send(Method::DELETE, path, None).await.0, 204);
    assert_eq!(olga.try_login("olga", &olga.password).await.0, 200);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_second_factor_is_needed_nothing_else_is_done_before() {
    let setup = Setup {
        sections: "[accounts]\nsecond_factor = \"admins\"\n".to_owned(),
        ..Setup::scripted()
    };
    let server = Server::start(&setup).await;
    let answer = server.send(Method::GET, "/results", None).await;
    assert_error("an administrator", &answer, 403, "second_factor_needed");
    assert_eq!(server.get("/auth/me").await["must_set_second_factor"], true);
    let body = json!({"password": server.password});
    let begun = server.send(Method::POST, "/auth/second-factor", Some(body));
    let (_, begun) = begun.await;
    let code = code(begun["secret"].as_str().expect("a secret"), 0);
    let body = json!({"code": code});
    let path = "/auth/second-factor/confirm";
    assert_eq!(server.send(Method::POST, path, Some(body)).await.0, 200);
    assert_eq!(server.get("/results").await["total"], 0);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_one_account() {
    let server = Server::start(&Setup::scripted()).await;
    teams(&server).await;
    let invite = json!({"name": "Вера", "role": "supervisor", "reach": of_team(SALES.0)});
    let (status, first) = server
        .send(Method::POST, "/invitations", Some(invite.clone()))
        .await;
    assert_eq!(status, 200, "{first}");
    let (_, made) = server
        .send(Method::POST, "/invitations", Some(invite))
        .await;
    let nobody = Client::anonymous(&server.base);
    let look = |token: &Value| {
        let body = json!({"token": token});
        let nobody = nobody.clone();
        async move {
            nobody
                .send(Method::POST, "/auth/invitation", Some(body))
                .await
        }
    };
    let answer = look(&first["token"]).await;
    assert_error("the one before", &answer, 404, "no_such_invitation");
    let (status, seen) = look(&made["token"]).await;
    assert_eq!((status, &seen["name"]), (200, &json!("Вера")), "{seen}");
    let accept = |password: &str| {
        let body = json!({"token": made["token"], "password": password});
        let nobody = nobody.clone();
        async move {
            nobody
                .send(Method::POST, "/auth/invitation/accept", Some(body))
                .await
        }
    };
    let answer = accept("password123").await;
    assert_error("a weak password", &answer, 400, "weak_password");
    let (status, signed_in) = accept("зелёный трамвай семь").await;
    assert_eq!(status, 200, "{signed_in}");
    assert_eq!(signed_in["user"]["role"], "supervisor");
    assert_eq!(signed_in["user"]["must_change_password"], false);
    let answer = accept("зелёный трамвай семь").await;
    assert_error("once more", &answer, 404, "no_such_invitation");
    Client::login(&server.base, "Вера", "зелёный трамвай семь").await;
    let raw = std::fs::read(server.data_dir().join("call-analytics.redb")).expect("the store");
    let token = made["token"].as_str().expect("a token").as_bytes();
    assert!(
        !raw.windows(token.len()).any(|bytes| bytes == token),
        "the store does not hold the token"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_end_and_are_kept_as_hashes() {
    let server = Server::start(&Setup::scripted()).await;
    let body = json!({"name": "CRM", "scopes": ["calls:read"], "days": 30, "per_minute": 3});
    let (client, id) = key(&server, body).await;
    for _ in 0..3 {
        assert_eq!(client.get("/results").await["total"], 0);
    }
    let request = client.request(Method::GET, "/results");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 429);
    let wait: u64 = answer.headers()["retry-after"]
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("seconds");
    assert!((1..=20).contains(&wait), "{wait}");
    let keys = server.get("/api-keys").await;
    assert_eq!(keys["items"][0]["id"], id.as_str());
    assert!(keys["items"][0]["used_at"].is_string(), "{keys}");
    let secret = client.token.clone().expect("a secret");
    let raw = std::fs::read(server.data_dir().join("call-analytics.redb")).expect("the store");
    let end = &secret.as_bytes()[secret.len() - 30..];
    assert!(!raw.windows(end.len()).any(|bytes| bytes == end));
    for changed in [
        secret[..secret.len() - 1].to_owned(),
        format!("{secret}x"),
        "cak_".to_owned(),
        format!("cak_{id}_"),
    ] {
        let mut other = client.clone();
        other.token = Some(changed);
        let answer = other.send(Method::GET, "/results", None).await;
        assert_error("another key", &answer, 401, "not_signed_in");
    }
    let path = format!("/api-keys/{id}");
    assert_eq!(server.send(Method::DELETE, &path, None).await.0, 204);
    let answer = client.send(Method::GET, "/results", None).await;
    assert_error("a key taken back", &answer, 401, "not_signed_in");
    // A key never does more than its account.
    person(&server, "v", "viewer", json!({})).await;
    let more = json!({"name": "k", "scopes": ["calls:delete"], "days": 1, "user": "v"});
    let answer = server.send(Method::POST, "/api-keys", Some(more)).await;
    assert_error("beyond the role", &answer, 400, "bad_api_key");
    let body = json!({"name": "k", "scopes": ["calls:read"], "days": 1, "user": "v"});
    let (of_viewer, _) = key(&server, body).await;
    assert_eq!(
        server.send(Method::DELETE, "/accounts/v", None).await.0,
        204
    );
    let answer = of_viewer.send(Method::GET, "/results", None).await;
    assert_error("its account is gone", &answer, 401, "not_signed_in");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_let_through_ever_more_slowly() {
    let server = Server::start(&Setup::scripted()).await;
    person(&server, "olga", "viewer", json!({})).await;
    let nobody = Client::anonymous(&server.base);
    let body = json!({"username": "nobody-at-all", "password": "wrong"});
    let mut let_through = 0;
    let wait = loop {
        let request = nobody.request(Method::POST, "/auth/login").json(&body);
        let answer = request.send().await.expect("an answer");
        if answer.status() == 429 {
            let wait = answer.headers()["retry-after"].to_str().expect("text");
            let wait = wait.parse::<u64>().expect("seconds");
            let answer = read(answer).await;
            assert_error("too many", &answer, 429, "too_many_attempts");
            break wait;
        }
        assert_eq!(answer.status(), 401);
        let_through += 1;
        assert!(let_through < 50, "never refused");
    };
    assert_eq!(wait, 1);
    assert!(let_through >= 5, "{let_through}");
    // Another account from the same address still has its own tries.
    let (status, _) = nobody.try_login("admin", &server.password).await;
    assert_eq!(status, 200, "the owner is not locked out by others");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_make_change_and_reset_accounts() {
    let server = Server::start(&Setup::scripted()).await;
    teams(&server).await;
    let make = |body: Value| server.send(Method::POST, "/accounts", Some(body));
    for (body, code) in [
        (json!({"name": "", "role": "viewer"}), "bad_user_name"),
        (json!({"name": "a/b", "role": "viewer"}), "bad_user_name"),
        (json!({"name": "x", "role": "operator"}), "bad_reach"),
        (
            json!({"name": "x", "role": "admin", "reach": of_team("A")}),
            "bad_reach",
        ),
        (
            json!({"name": "x", "role": "viewer", "reach": {"teams": []}}),
            "bad_reach",
        ),
        (
            json!({"name": "x", "role": "viewer", "password": "short"}),
            "weak_password",
        ),
    ] {
        let what = body.to_string();
        assert_error(&what, &make(body).await, 400, code);
    }
    let answer = make(json!({"name": "admin", "role": "viewer"})).await;
    assert_error("a name that is taken", &answer, 409, "user_exists");
    let (_, made) = make(json!({"name": "Пётр", "role": "viewer"})).await;
    let first = made["password"].as_str().expect("a password");
    let mut fresh = Client::anonymous(&server.base);
    let (status, body) = fresh.try_login("Пётр", first).await;
    assert_eq!(status, 200, "{body}");
    fresh.token = body["token"].as_str().map(str::to_owned);
    let answer = fresh.send(Method::GET, "/results", None).await;
    assert_error("before the change", &answer, 403, "password_change_needed");
    let same = json!({"current_password": first, "new_password": first});
    let answer = fresh.send(Method::POST, "/auth/password", Some(same)).await;
    assert_error("the same password", &answer, 400, "same_password");
    let petr = Client::login(&server.base, "Пётр", first).await;
    assert_eq!(petr.get("/results").await["total"], 0);
    // A role at once.
    let change = json!({"role": "supervisor"});
    let path = "/accounts/%D0%9F%D1%91%D1%82%D1%80";
    let (status, view) = server.send(Method::PATCH, path, Some(change)).await;
    assert_eq!(
        (status, &view["role"]),
        (200, &json!("supervisor")),
        "{view}"
    );
    assert_eq!(petr.get("/auth/me").await["role"], "supervisor");
    assert_eq!(petr.get("/questions").await["items"], json!([]));
    let answer = petr.send(Method::GET, "/accounts", None).await;
    assert_error("a supervisor", &answer, 403, "forbidden");
    // Forgotten.
    let (status, reset) = server.post(&format!("{path}/password")).await;
    assert_eq!(status, 200, "{reset}");
    let answer = petr.send(Method::GET, "/auth/me", None).await;
    assert_error("sessions end", &answer, 401, "not_signed_in");
    let again = petr
        .try_login("Пётр", reset["password"].as_str().expect("a password"))
        .await;
    assert_eq!(again.1["user"]["must_change_password"], true);
    // Nobody is left without an administrator.
    for (method, body, code) in [
        (Method::DELETE, None, "own_account"),
        (
            Method::PATCH,
            Some(json!({"disabled": true})),
            "own_account",
        ),
        (Method::PATCH, Some(json!({"role": "viewer"})), "last_admin"),
    ] {
        let answer = server.send(method, "/accounts/admin", body).await;
        assert_error(code, &answer, 409, code);
    }
    assert_eq!(server.send(Method::DELETE, path, None).await.0, 204);
    let listed = server.get("/teams").await;
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(2),
        "{listed}"
    );
    let _ = server.stop().await;
}
