//! Calltouch: its webhook in every form, its list of calls, its recordings,
//! against a double that refuses what the real one would refuse.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::doubles::{API_KEY, Double, Fail, SITE};
use crate::fixtures::{bytes, scripted_call};
use crate::mango::{BEGIN, calls};
use crate::server::{Server, Setup, files};

const SECRET: &str = "webhook-secret-0123456789";

fn setup(double: &Double, more: &str) -> Setup {
    let sections = format!(
        "[calltouch]\napi_url = \"{}\"\nwebhook_secret = \"{SECRET}\"\nretry_s = 1\n{more}\n[calltouch.aliases]\nmy_order = \"order_id\"\n[[calltouch.site]]\nid = \"{SITE}\"\napi_key = \"{API_KEY}\"\n",
        double.base
    );
    Setup {
        sections,
        ..Setup::scripted()
    }
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

/// Sends a webhook by GET with these fields; returns the status.
pub(crate) async fn hook(client: &Client, secret: &str, fields: &[(&str, &str)]) -> u16 {
    let path = format!("/calltouch/webhook/{secret}");
    status(client.http.get(client.url(&path)).query(fields)).await
}

async fn lane(server: &Server, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let state = server.get("/calltouch").await["lanes"][0].clone();
        if wanted(&state) {
            return state;
        }
        assert!(Instant::now() < end, "{what}: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_in_every_form_brings_its_recording() {
    let double = Double::calltouch().await;
    double.with(|state| {
        for number in 1..=4 {
            state
                .recordings
                .insert(number.to_string(), scripted_call(number));
        }
        state.not_ready.insert("1".into(), 2);
    });
    let aside = tempfile::tempdir().expect("a directory");
    let more = format!("records_path = \"{}\"", aside.path().display());
    let server = Server::start(&setup(&double, &more)).await;
    let path = server.get("/calltouch").await["webhook_path"]
        .as_str()
        .expect("a path")
        .to_owned();
    assert_eq!(path, format!("/api/v1/calltouch/webhook/{SECRET}"));
    let time = BEGIN.to_string();
    let fields = |id: &'static str, phone: &'static str| -> Vec<(&'static str, String)> {
        [
            ("id", id),
            ("callerphone", phone),
            ("phonenumber", "74951234567"),
            ("calltime", &time),
            ("status", "successful"),
            ("my_order", "A-7"),
            ("utm_source", "yandex"),
            ("tags", "hot"),
            ("record", "1"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
    };
    let url = server.url("/calltouch/webhook");
    let http = &server.http;
    // GET and path; POST form and query; JSON; form with the secret in it.
    assert_eq!(
        status(
            http.get(format!("{url}/{SECRET}"))
                .query(&fields("1", "79160000001"))
        )
        .await,
        200
    );
    assert_eq!(
        status(
            http.post(format!("{url}?secret={SECRET}"))
                .body(form(&fields("2", "79160000002")))
        )
        .await,
        200
    );
    let mut object: serde_json::Map<String, Value> = fields("3", "79160000003")
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    object.insert("secret".into(), SECRET.into());
    object.insert("orders".into(), json!([{"orderId": 5}]));
    assert_eq!(status(http.post(&url).json(&object)).await, 200);
    let mut with_secret = fields("4", "79160000004");
    with_secret.push(("secret", SECRET.to_owned()));
    assert_eq!(status(http.post(&url).body(form(&with_secret))).await, 200);
    let found = calls(&server, &[("source", "calltouch")], 4).await;
    for (name, value, wanted) in [
        ("order_id", "a-7", 4),
        ("order_id", "5", 1),
        ("tag", "HOT", 4),
        ("calledphone", "84951234567", 4),
        ("callerphone", "0000001", 1),
        ("external_id", "3", 1),
        ("duration_min", "7", 4),
        ("duration_min", "9", 0),
    ] {
        for call in &found {
            server.finished(call["id"].as_str().expect("an id")).await;
        }
        assert_eq!(
            server.results(&[(name, value)]).await["total"],
            wanted,
            "{name}={value}"
        );
    }
    for file_id in [
        "1",
        calls(&server, &[("external_id", "1")], 1).await[0]["id"]
            .as_str()
            .expect("an id"),
    ] {
        let metadata = server.get(&format!("/calltouch/metadata/{file_id}")).await;
        assert_eq!(metadata["id"], "1");
        assert_eq!(metadata["details"]["traffic"]["source"], "yandex");
        assert_eq!(metadata["calls"].as_array().expect("calls").len(), 1);
        let body = metadata["payloads"][0]["body"].as_str().expect("a body");
        assert!(
            body.contains("my_order=A-7") && !body.contains(SECRET),
            "{body}"
        );
    }
    assert_eq!(
        server
            .send(Method::GET, "/calltouch/metadata/999", None)
            .await
            .0,
        404
    );
    // What is deleted is gone with all that was told of it, and is not fetched again.
    let first = calls(&server, &[("external_id", "1")], 1).await;
    let path = format!("/results/{}", first[0]["id"].as_str().expect("an id"));
    assert_eq!(server.send(Method::DELETE, &path, None).await.0, 204);
    let metadata = server.get("/calltouch/metadata/1").await;
    assert_eq!(
        (&metadata["payloads"], &metadata["details"]["caller"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(
        hook(&server, SECRET, &[("id", "1"), ("record", "1")]).await,
        200
    );
    lane(&server, "nothing to do", |lane| lane["waiting"] == 0).await;
    assert_eq!(server.results(&[("source", "calltouch")]).await["total"], 3);
    assert_eq!(
        double.asked("/1/download"),
        3,
        "twice not there, then there"
    );
    let put = files(&aside.path().join(SITE));
    assert_eq!(put.len(), 8, "{put:?}");
    assert_eq!(
        bytes(&aside.path().join(SITE).join("3.mp3")),
        scripted_call(3)
    );
    let told = String::from_utf8(bytes(&aside.path().join(SITE).join("3.json"))).expect("a text");
    assert!(told.contains("79160000003"), "{told}");
    double.assert_clean();
    let _ = server.stop().await;
}

fn form(fields: &[(&str, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_secret_nothing_comes_in() {
    let double = Double::calltouch().await;
    let server = Server::start(&setup(&double, "")).await;
    let fields = [("id", "1"), ("record", "1"), ("callerphone", "79160000001")];
    for secret in ["", "wrong", &SECRET[1..], &format!("{SECRET}0")] {
        let wanted = if secret.is_empty() { 404 } else { 403 };
        let got = hook(&server, secret, &fields).await;
        assert!(got == wanted || got == 403, "{secret}: {got}");
    }
    assert_eq!(
        status(
            server
                .http
                .post(server.url("/calltouch/webhook"))
                .json(&json!({"id": "1"}))
        )
        .await,
        403
    );
    assert_eq!(
        status(
            server
                .http
                .post(server.url(&format!("/calltouch/webhook/{SECRET}")))
                .header("content-type", "application/json")
                .body("{")
        )
        .await,
        400
    );
    assert_eq!(
        server
            .send(Method::GET, "/calltouch/metadata/1", None)
            .await
            .0,
        404
    );
    let anonymous = Client::anonymous(&server.base);
    for path in [
        "/calltouch",
        "/mango",
        "/employees",
        "/calltouch/metadata/1",
    ] {
        assert_eq!(
            anonymous.send(Method::GET, path, None).await.0,
            401,
            "{path}"
        );
    }
    let far = Setup {
        sections:
            "[calltouch]\nallow = [\"92.118.66.0/23\"]\n[http]\ntrusted_proxies = [\"127.0.0.1\"]\n"
                .to_owned(),
        ..Setup::scripted()
    };
    let closed = Server::start(&far).await;
    let made = closed.get("/calltouch").await["webhook_path"]
        .as_str()
        .expect("a path")
        .to_owned();
    let made = made.rsplit('/').next().expect("a secret");
    assert_eq!(made.len(), 48, "a secret is made where none is configured");
    assert_eq!(hook(&closed, made, &fields).await, 403);
    let request = closed
        .http
        .get(closed.url(&format!("/calltouch/webhook/{made}")))
        .query(&fields);
    assert_eq!(
        status(request.header("x-forwarded-for", "1.1.1.1, 92.118.67.9")).await,
        200
    );
    let _ = closed.stop().await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_before_and_after_a_recording_is_joined_to_it() {
    let double = Double::calltouch().await;
    let server = Server::start(&setup(&double, "")).await;
    let at = |second: i64| (BEGIN + second).to_string();
    let send = |id: &'static str, phone: &'static str, time: String| {
        let server = &server;
        async move {
            let fields = [
                ("id", id),
                ("callerphone", phone),
                ("calltime", &time),
                ("order_id", id),
                ("manager", "Ольга Петрова"),
            ];
            assert_eq!(hook(server, SECRET, &fields).await, 200);
        }
    };
    // Before; the same client a quarter of an hour earlier; another client at the time.
    send("10", "89161234567", at(10)).await;
    send("11", "89161234567", at(-900)).await;
    send("12", "89169999999", at(0)).await;
    let name = |second: u32, phone: &str| {
        format!("2025.07.15__11-03-{second:02}__{phone}__101_11322899185_266132{second}.wav")
    };
    let before = server
        .accepted(&name(7, "79161234567"), scripted_call(1), &[])
        .await;
    let call = server.completed(&before).await;
    assert_eq!(call["details"]["order_ids"], json!(["10"]));
    assert_eq!(call["call"]["operator"], "Ольга Петрова");
    assert_eq!(call["details"]["operator_by"], "sender");
    // After.
    let after = server
        .accepted(&name(9, "79163333333"), scripted_call(2), &[])
        .await;
    server.completed(&after).await;
    assert_eq!(
        server.result(&after).await["details"]["order_ids"],
        json!([])
    );
    send("13", "+7 916 333-33-33", at(-30)).await;
    let call = server.result(&after).await;
    assert_eq!(call["details"]["order_ids"], json!(["13"]));
    assert_eq!(call["call"]["operator"], "Ольга Петрова");
    assert_eq!(
        server.results(&[("q", "Петрова")]).await["total"],
        2,
        "the search knows the operator"
    );
    // A person's word stands.
    server.patch(&after, json!({"operator": "Пётр"})).await;
    send("13", "+7 916 333-33-33", at(-30)).await;
    assert_eq!(server.result(&after).await["call"]["operator"], "Пётр");
    assert_eq!(server.results(&[]).await["total"], 2);
    assert_eq!(double.asked(""), 0, "nobody said that there are recordings");
    let _ = server.stop().await;
}

fn record(id: u32, phone: &str, successful: bool) -> Value {
    json!({"callId": id, "date": "15/07/2025 11:03:07", "duration": 60, "callerNumber": phone, "phoneNumber": "74951234567",
        "manager": "Ольга", "successful": successful, "uniqueCall": true, "targetCall": false,
        "callTags": [{"category": "c", "type": "t", "names": ["важный"]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_calls_brings_what_is_missing() {
    let double = Double::calltouch().await;
    double.with(|state| {
        for number in 1..=3 {
            state
                .recordings
                .insert(number.to_string(), scripted_call(number));
        }
        state.pages = vec![
            vec![
                record(1, "79160000001", true),
                record(2, "79160000002", false),
            ],
            vec![record(3, "79160000003", true)],
        ];
        state.fails.extend([Fail::Status(503), Fail::TooMany(1)]);
    });
    let server = Server::start(&setup(&double, "")).await;
    let range = |from: &str, to: &str| Some(json!({"date_from": from, "date_to": to}));
    let (status, begun) = server
        .send(
            Method::POST,
            "/calltouch/sync",
            range("2025-01-01", "2025-07-15"),
        )
        .await;
    assert_eq!((status, &begun["errands"]), (200, &json!(3)), "{begun}");
    let found = calls(&server, &[("tag", "важный")], 2).await;
    assert!(
        found
            .iter()
            .all(|call| call["started_at"] == "2025-07-15T08:03:07Z")
    );
    lane(&server, "done", |lane| {
        lane["waiting"] == 0 && lane["failed"] == 0
    })
    .await;
    assert_eq!(
        server.get("/calltouch/metadata/2").await["details"]["answered"],
        false
    );
    // Again, as a bare list: nothing new, and nothing is kept twice.
    double.with(|state| state.bare = true);
    let before = double.asked("download");
    server
        .send(
            Method::POST,
            "/calltouch/sync",
            range("2025-07-15", "2025-07-15"),
        )
        .await;
    lane(&server, "done", |lane| {
        lane["waiting"] == 0
            && lane["synced"]
                .as_str()
                .is_some_and(|what| what.starts_with("2025-07-15"))
    })
    .await;
    assert_eq!(double.asked("download"), before);
    let told = server.get("/calltouch/metadata/1").await;
    assert_eq!(told["payloads"].as_array().expect("payloads").len(), 1);
    for (from, to) in [("2025-07-16", "2025-07-15"), ("2020-01-01", "2025-07-15")] {
        assert_eq!(
            server
                .send(Method::POST, "/calltouch/sync", range(from, to))
                .await
                .0,
            400,
            "{from}"
        );
    }
    double.assert_clean();
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_final_and_the_key_stays_secret() {
    let double = Double::calltouch().await;
    double.with(|state| {
        state.recordings.insert("1".into(), scripted_call(1));
        state.recordings.insert("2".into(), scripted_call(2));
        state.fails.extend([Fail::Status(400), Fail::Status(403)]);
    });
    let server = Server::start(&setup(&double, "")).await;
    assert_eq!(
        hook(&server, SECRET, &[("id", "1"), ("record", "1")]).await,
        200
    );
    lane(&server, "given up", |lane| lane["failed"] == 1).await;
    assert_eq!(
        hook(&server, SECRET, &[("id", "2"), ("record", "1")]).await,
        200
    );
    let state = lane(&server, "stopped", |lane| lane["stopped"].is_string()).await;
    assert!(!state.to_string().contains(API_KEY), "{state}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(double.asked(""), 2, "neither is asked again");
    double.with(|state| state.locked = false);
    assert_eq!(server.post("/calltouch/resume").await.1["errands"], 1);
    calls(&server, &[], 2).await;
    double.assert_clean();
    // Nobody listens: the address, with the key in it, is in no answer.
    let base = double.base.clone();
    drop(double);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        hook(&server, SECRET, &[("id", "3"), ("record", "1")]).await,
        200
    );
    let state = lane(&server, "an error", |lane| {
        lane["waiting"] == 1 && lane["errands"][0]["error"].is_string()
    })
    .await;
    assert!(
        !state.to_string().contains(API_KEY) && !state.to_string().contains(&base),
        "{state}"
    );
    let _ = server.stop().await;
}
