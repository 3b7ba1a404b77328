//! MANGO OFFICE: its events, its recordings, its statistics, against a double
//! that refuses what the real one would refuse.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::doubles::{Double, Fail, KEY, SALT, sign};
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

/// 2025-07-15 11:03:07 in Moscow.
pub(crate) const BEGIN: i64 = 1_752_566_587;

fn sections(double: &Double) -> String {
    format!(
        "[mango]\napi_key = \"{KEY}\"\napi_salt = \"{SALT}\"\napi_url = \"{}/vpbx\"\nretry_s = 1\n",
        double.base
    )
}

async fn start(double: &Double) -> Server {
    Server::start(&Setup {
        sections: sections(double),
        ..Setup::scripted()
    })
    .await
}

/// Sends an event as MANGO does; returns the status.
pub(crate) async fn event(client: &Client, kind: &str, event: &Value) -> u16 {
    let json = event.to_string();
    send(client, kind, KEY, &sign(&json), &json).await
}

async fn send(client: &Client, kind: &str, key: &str, sign: &str, json: &str) -> u16 {
    let form = [("vpbx_api_key", key), ("sign", sign), ("json", json)];
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    client
        .http
        .post(client.url(&format!("/mango/events/{kind}")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .expect("an answer")
        .status()
        .as_u16()
}

pub(crate) fn summary(entry: &str, phone: &str) -> Value {
    json!({"entry_id": entry, "call_direction": 1, "from": {"number": phone},
        "to": {"extension": "101", "number": "sip:olga@x"}, "line_number": "74951234567",
        "create_time": BEGIN, "talk_time": (BEGIN + 5).to_string(), "end_time": BEGIN + 60,
        "entry_result": 1, "disconnect_reason": 1110})
}

pub(crate) fn added(entry: &str, recording: &str) -> Value {
    json!({"entry_id": entry, "product_id": 1, "user_id": 5, "timestamp": BEGIN + 61, "recording_id": recording})
}

/// Waits until the list has so many calls; returns them.
pub(crate) async fn calls(client: &Client, query: &[(&str, &str)], wanted: usize) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let found = client.results(query).await;
        let items = found["items"].as_array().expect("items").clone();
        if items.len() == wanted {
            return items;
        }
        if Instant::now() > end {
            let (mango, calltouch) = (client.get("/mango").await, client.get("/calltouch").await);
            panic!("{wanted} calls are wanted: {found}\n{mango}\n{calltouch}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn lane(server: &Server, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let state = server.get("/mango").await["lane"].clone();
        if wanted(&state) {
            return state;
        }
        assert!(Instant::now() < end, "{what}: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_and_twice_make_one_call() {
    let double = Double::mango().await;
    double.with(|state| state.recordings.insert("rec-1".into(), scripted_call(1)));
    let server = start(&double).await;
    let employee = json!({"name": "Ольга Щербакова", "extensions": ["101"]});
    assert_eq!(
        server
            .send(Method::POST, "/employees", Some(employee))
            .await
            .0,
        200
    );
    for _ in 0..2 {
        assert_eq!(
            event(&server, "record/added", &added("e-1", "rec-1")).await,
            200
        );
    }
    let id = calls(&server, &[], 1).await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let call = server.result(&id).await;
    assert_eq!(
        (&call["call"]["source"], &call["call"]["started_at"]),
        (&json!("mango"), &Value::Null)
    );
    // The rest comes after the recording, and again.
    let connected = json!({"entry_id": "e-1", "call_state": "Connected", "from": {"number": "79161234567"}, "to": {"extension": "101"}});
    for (kind, message) in [
        ("call", connected),
        ("summary", summary("e-1", "79161234567")),
        ("summary", summary("e-1", "79161234567")),
        ("record/added", added("e-1", "rec-1")),
    ] {
        assert_eq!(event(&server, kind, &message).await, 200);
    }
    let call = server.completed(&id).await;
    assert_eq!(call["call"]["started_at"], "2025-07-15T08:03:07Z");
    assert_eq!(call["call"]["direction"], "inbound");
    assert_eq!(call["call"]["operator"], "Ольга Щербакова");
    let details = &call["details"];
    assert_eq!(details["caller"]["phone"], "79161234567");
    assert_eq!(details["called"]["phone"], "74951234567");
    assert_eq!(
        (&details["waiting_ms"], &details["told_duration_ms"]),
        (&json!(5000), &json!(55_000))
    );
    assert_eq!(details["operator_by"], "directory");
    let payloads = server.get(&format!("/results/{id}/payloads")).await;
    assert_eq!(payloads["items"].as_array().expect("items").len(), 6);
    assert!(!payloads.to_string().contains(SALT));
    for (name, value) in [
        ("callerphone", "8 916 123-45-67"),
        ("calledphone", "4951234567"),
        ("operatorphone", "101"),
        ("source", "mango"),
        ("external_id", "e-1"),
        ("external_id", "rec-1"),
    ] {
        assert_eq!(server.results(&[(name, value)]).await["total"], 1, "{name}");
    }
    for (name, value) in [
        ("callerphone", "79160000000"),
        ("source", "upload"),
        ("external_id", "e"),
        ("order_id", "1"),
        ("tag", "a"),
    ] {
        assert_eq!(server.results(&[(name, value)]).await["total"], 0, "{name}");
    }
    assert_eq!(double.asked("queries/recording"), 1);
    assert_eq!(double.asked("link"), 1);
    // In the other order.
    double.with(|state| state.recordings.insert("rec-2".into(), scripted_call(2)));
    assert_eq!(
        event(&server, "summary", &summary("e-2", "79160000002")).await,
        200
    );
    let completed =
        json!({"entry_id": "e-2", "recording_id": "rec-2", "recording_state": "Completed"});
    assert_eq!(event(&server, "recording", &completed).await, 200);
    let found = calls(&server, &[("callerphone", "79160000002")], 1).await;
    assert_eq!(found[0]["caller"], "79160000002");
    assert!(
        found[0]["filename"]
            .as_str()
            .expect("a name")
            .contains("79160000002")
    );
    double.assert_clean();
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_leaves_nothing() {
    let double = Double::mango().await;
    double.with(|state| state.recordings.insert("rec-1".into(), scripted_call(1)));
    let server = start(&double).await;
    let json = added("e-1", "rec-1").to_string();
    let right = sign(&json);
    for (key, sign, json) in [
        (KEY, sign("{}"), json.as_str()),
        ("another", right.clone(), json.as_str()),
        (KEY, String::new(), json.as_str()),
        (KEY, right.clone(), " {\"entry_id\": \"e-1\"}"),
        (KEY, right[1..].to_owned(), json.as_str()),
    ] {
        assert_eq!(send(&server, "record/added", key, &sign, json).await, 403);
    }
    let empty = server
        .http
        .post(server.url("/mango/events/summary"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(empty.status(), 400);
    assert_eq!(lane(&server, "a state", |_| true).await["waiting"], 0);
    // The exact text counts, whatever it looks like; an unknown kind is taken and forgotten.
    let odd = "{ \"entry_id\":\"e+1 %41\",  \"recording_id\": \"rec-1\"}";
    assert_eq!(
        send(&server, "record/added", KEY, &sign(odd).to_uppercase(), odd).await,
        200
    );
    assert_eq!(send(&server, "sms", KEY, &sign("{}"), "{}").await, 200);
    assert_eq!(
        send(&server, "summary", KEY, &sign("no json"), "no json").await,
        200
    );
    calls(&server, &[("external_id", "e+1 %41")], 1).await;
    double.assert_clean();
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_late_or_breaks_off_comes_in_the_end() {
    let double = Double::mango().await;
    double.with(|state| {
        state.direct = true;
        state.recordings.insert("rec-1".into(), scripted_call(1));
        state.not_ready.insert("rec-1".into(), 2);
        state
            .fails
            .extend([Fail::Status(500), Fail::Broken, Fail::TooMany(2)]);
    });
    let server = start(&double).await;
    let begun = Instant::now();
    assert_eq!(
        event(&server, "record/added", &added("e-1", "rec-1")).await,
        200
    );
    calls(&server, &[], 1).await;
    // 500, a broken body, 429, two times not there, there.
    assert_eq!(double.asked("queries/recording"), 6);
    assert!(
        begun.elapsed() > Duration::from_secs(4),
        "Retry-After is kept"
    );
    let waits = double.with(|state| {
        state
            .log
            .windows(2)
            .map(|two| two[1].2 - two[0].2)
            .collect::<Vec<_>>()
    });
    assert!(waits[2] >= Duration::from_secs(2), "{waits:?}");
    double.assert_clean();
    let state = lane(&server, "done", |lane| lane["waiting"] == 0).await;
    assert_eq!(state["failed"], 0);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_request_is_not_repeated_and_a_locked_key_is_left_alone() {
    let double = Double::mango().await;
    double.with(|state| {
        for number in 1..=2 {
            state
                .recordings
                .insert(format!("rec-{number}"), scripted_call(number));
        }
        state.fails.push_back(Fail::Status(400));
    });
    let server = start(&double).await;
    assert_eq!(
        event(&server, "record/added", &added("e-1", "rec-1")).await,
        200
    );
    let state = lane(&server, "given up", |lane| lane["failed"] == 1).await;
    assert!(state["paused_until"].is_string(), "{state}");
    // Others wait too: one more invalid request would lock the key.
    assert_eq!(
        event(&server, "record/added", &added("e-2", "rec-2")).await,
        200
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(double.asked(""), 1);
    let (data, password) = server.stop().await;
    // Not after a restart either.
    let setup = Setup {
        sections: sections(&double),
        ..Setup::scripted()
    };
    let server = Server::start_in(data, Some(password), &setup).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(double.asked(""), 1);
    assert_eq!(
        lane(&server, "waits", |lane| lane["waiting"] == 1).await["failed"],
        1
    );
    double.assert_clean();
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_stops_everything_until_somebody_resumes() {
    let double = Double::mango().await;
    double.with(|state| {
        state.recordings.insert("rec-1".into(), scripted_call(1));
        state.fails.push_back(Fail::Status(401));
    });
    let server = start(&double).await;
    assert_eq!(
        event(&server, "record/added", &added("e-1", "rec-1")).await,
        200
    );
    let state = lane(&server, "stopped", |lane| lane["stopped"].is_string()).await;
    assert_eq!(
        (&state["waiting"], &state["failed"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        event(&server, "summary", &summary("e-1", "79161234567")).await,
        200
    );
    let (status, _) = server.post("/employees/import/mango").await;
    assert_eq!(status, 400);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(double.asked(""), 1);
    double.with(|state| state.locked = false);
    assert_eq!(server.post("/mango/resume").await.0, 200);
    let found = calls(&server, &[], 1).await;
    assert_eq!(found[0]["caller"], "79161234567");
    assert_eq!(server.post("/employees/import/mango").await.1["added"], 1);
    assert_eq!(server.post("/employees/apply").await.1["calls"], 1);
    assert_eq!(
        calls(&server, &[], 1).await[0]["operator"],
        "Ольга Щербакова"
    );
    double.assert_clean();
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_brings_what_is_missing() {
    let double = Double::mango().await;
    double.with(|state| {
        for number in 1..=3 {
            state
                .recordings
                .insert(format!("rec-{number}"), scripted_call(number));
        }
        state.csv = format!(
            "[rec-1];{BEGIN};{};{};;79161234567;101;sip:a@b;1110;74951234567;abonent;e-1\n\
             [rec-2,rec-3];{BEGIN};{};{};101;;;79160000002;1110;74951234567;abonent;e-2\n\
             [];{BEGIN};{};0;;79160000003;;74951234567;1110;74951234567;abonent;e-3\n",
            BEGIN + 60,
            BEGIN + 5,
            BEGIN + 60,
            BEGIN + 5,
            BEGIN + 9
        );
    });
    let server = start(&double).await;
    assert_eq!(
        event(&server, "record/added", &added("e-1", "rec-1")).await,
        200
    );
    calls(&server, &[], 1).await;
    let range = |from: &str, to: &str| Some(json!({"date_from": from, "date_to": to}));
    let (status, begun) = server
        .send(
            Method::POST,
            "/mango/sync",
            range("2025-07-15", "2025-07-15"),
        )
        .await;
    assert_eq!((status, &begun["errands"]), (200, &json!(1)), "{begun}");
    let found = calls(&server, &[], 3).await;
    assert_eq!(
        double.asked("queries/recording"),
        3,
        "what is here is not fetched again"
    );
    assert_eq!(
        found
            .iter()
            .filter(|call| call["direction"] == "outbound")
            .count(),
        2
    );
    let state = lane(&server, "synced", |lane| lane["synced"].is_string()).await;
    assert_eq!(state["waiting"], 0);
    for (from, to) in [
        ("2025-07-16", "2025-07-15"),
        ("2020-01-01", "2025-07-15"),
        ("x", "2025-07-15"),
    ] {
        assert_eq!(
            server
                .send(Method::POST, "/mango/sync", range(from, to))
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
async fn a_recording_that_came_by_another_door_is_not_downloaded() {
    let double = Double::mango().await;
    double.with(|state| state.recordings.insert("rec-1".into(), scripted_call(9)));
    let server = start(&double).await;
    // Two clients at the same time; the name of the file says who.
    for (number, phone) in [(1, "79161234567"), (2, "79169999999")] {
        let name = format!("2025.07.15__11-03-20__{phone}__101_11322899185_2661322.wav");
        server.accepted(&name, scripted_call(number), &[]).await;
    }
    assert_eq!(
        event(&server, "summary", &summary("e-1", "79161234567")).await,
        200
    );
    assert_eq!(
        event(&server, "record/added", &added("e-1", "rec-1")).await,
        200
    );
    let found = calls(&server, &[("external_id", "e-1")], 1).await;
    assert_eq!(found[0]["caller"], "79161234567");
    assert_eq!(found[0]["source"], "upload");
    lane(&server, "nothing to do", |lane| lane["waiting"] == 0).await;
    assert_eq!(double.asked(""), 0);
    assert_eq!(server.results(&[]).await["total"], 2);
    let _ = server.stop().await;
}
