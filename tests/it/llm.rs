//! A language model judges what the rules have scored.

use std::time::Duration;

use poem::http::Method;
use serde_json::{Value, json};

use crate::client::assert_error;
use crate::fixtures::scripted_call;
use crate::llm_double::{Double, Fail, KEY, judged};
use crate::server::Server;

fn item<'a>(score: &'a Value, key: &str) -> &'a Value {
    score["criteria"]
        .as_array()
        .expect("criteria")
        .iter()
        .flat_map(|criterion| criterion["items"].as_array().expect("items"))
        .find(|item| item["key"] == key)
        .expect("an item")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_judges_what_the_rules_have_scored() {
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    // The call is done before the model is: it is never held up.
    let done = server.completed(&id).await;
    assert!(done["score"]["overall_percent"].is_number());
    let score = judged(&server, &id).await;
    assert_eq!(
        (&score["engine"], &score["level"]),
        (&json!("model"), &json!(1))
    );
    let greeting = item(&score, "greeting");
    assert_eq!(
        (&greeting["verdict"], &greeting["judged_by"]),
        (&json!("met"), &json!("model"))
    );
    assert_eq!(greeting["comment"], "сказано сразу");
    assert_eq!(greeting["evidence"][0]["start_ms"], 200);
    assert_eq!(item(&score, "calm_pace")["judged_by"], "rules");
    assert_eq!(score["model"]["model"], "small");
    assert_eq!(score["model"]["quotes"], score["model"]["confirmed"]);
    // Asked for in a strict form, and nothing wrong with it.
    double.with(|state| {
        assert_eq!(
            state.requests[0]["response_format"]["json_schema"]["strict"],
            true
        );
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
    // What left the machine is written down.
    let egress = server.get("/llm/egress").await;
    assert_eq!(egress["items"][0]["call_id"], json!(id));
    assert_eq!(egress["items"][0]["outcome"], "ok");
    assert!(
        egress["items"][0]["chars"]
            .as_u64()
            .is_some_and(|chars| chars > 500)
    );
    let standing = server.get("/llm").await;
    assert_eq!(
        (&standing["enabled"], &standing["waiting"]),
        (&json!(true), &json!(0))
    );
    let requests = double.requests() as f64;
    assert_eq!(standing["today"]["cost"].as_f64(), Some(requests * 0.12));
    assert!(!standing.to_string().contains(KEY));
    let spending = server.get("/llm/spending").await;
    assert_eq!(spending["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (
            &spending["items"][0]["model"],
            &spending["items"][0]["spent"]
        ),
        (&json!("small"), &standing["today"])
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stumbles_is_asked_again() {
    let double = Double::start(&[
        Fail::Status(503),
        Fail::TooMany(1),
        Fail::Slow(Duration::from_millis(300)),
    ])
    .await;
    double.with(|state| state.no_schema = true);
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(2), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(score["model"]["state"], "judged");
    // The server takes no schema: an object is asked for from then on.
    double.with(|state| {
        let last = state.requests.last().expect("requests");
        assert_eq!(last["response_format"]["type"], "json_object");
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_invented_earns_nothing() {
    let double = Double::start(&[Fail::Invented, Fail::Invented]).await;
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(3), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(item(&score, "greeting")["verdict"], "unconfirmed");
    assert_eq!(
        item(&score, "greeting")["reason"]["code"],
        "model_unconfirmed"
    );
    assert_eq!(score["model"]["confirmed"], 0);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_money_stops_and_says_so_and_the_call_waits() {
    let double = Double::start(&[Fail::Quota]).await;
    let server = Server::start(&double.setup("")).await;
    let id = server.accepted("a.wav", scripted_call(4), &[]).await;
    let done = server.completed(&id).await;
    assert_eq!(
        (&done["score"]["engine"], &done["score"]["level"]),
        (&json!("rules"), &json!(2))
    );
    let mut standing = Value::Null;
    for _ in 0..100 {
        standing = server.get("/llm").await;
        if !standing["paused"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(standing["paused"]["code"], "llm_quota", "{standing}");
    assert_eq!(standing["waiting"], 1);
    assert_eq!(double.requests(), 1, "it is not asked in vain");
    let score = server.get(&format!("/results/{id}")).await["score"].clone();
    assert_eq!(
        (&score["model"]["state"], &score["model"]["code"]),
        (&json!("waiting"), &json!("llm_quota"))
    );
    // The account is filled up: it goes on where it stood.
    let resumed = server.post("/llm/resume").await;
    assert_eq!(resumed.0, 200, "{}", resumed.1);
    assert_eq!(judged(&server, &id).await["model"]["state"], "judged");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_repaired_and_a_refusal_keeps_the_rules() {
    let double = Double::start(&[Fail::Half]).await;
    let server = Server::start(&double.setup("structured = \"prompt\"\n")).await;
    let id = server.accepted("a.wav", scripted_call(5), &[]).await;
    assert_eq!(judged(&server, &id).await["model"]["state"], "judged");
    double.with(|state| state.fails.push_back(Fail::Status(422)));
    let id = server.accepted("b.wav", scripted_call(6), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(
        (&score["model"]["state"], &score["engine"]),
        (&json!("failed"), &json!("rules"))
    );
    assert_eq!(score["model"]["code"], "llm_refused");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_the_day_is_kept() {
    // One request costs 0.12.
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("daily_budget = 0.1\n")).await;
    let first = server.accepted("a.wav", scripted_call(7), &[]).await;
    let _ = server.completed(&first).await;
    let second = server.accepted("b.wav", scripted_call(8), &[]).await;
    let _ = server.completed(&second).await;
    let mut standing = Value::Null;
    for _ in 0..100 {
        standing = server.get("/llm").await;
        if !standing["paused"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(standing["paused"]["code"], "llm_budget", "{standing}");
    assert_eq!(double.requests(), 1);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_team_tells_the_model_more_and_a_draft_is_tried_with_it() {
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("")).await;
    let body =
        json!({"name": "Наше", "content": "Слово «Ромашка» обязательно.", "is_active": true});
    let (status, prompt) = server.send(Method::POST, "/prompts", Some(body)).await;
    assert_eq!(status, 200, "{prompt}");
    let id = server.accepted("a.wav", scripted_call(9), &[]).await;
    let score = judged(&server, &id).await;
    assert_eq!(score["model"]["prompt"]["name"], "Наше");
    double.with(|state| {
        let system = &state.requests[0]["messages"][0];
        assert_eq!(system["role"], "system");
        assert!(
            system["content"]
                .as_str()
                .is_some_and(|text| text.contains("Слово «Ромашка»"))
        );
    });
    let before = double.requests();
    let body = json!({"call_id": id, "prompt": "Черновик: без поблажек.", "engine": "model"});
    let (status, tried) = server.send(Method::POST, "/trials", Some(body)).await;
    assert_eq!(status, 200, "{tried}");
    assert_eq!(
        (&tried["before"]["engine"], &tried["after"]["engine"]),
        (&json!("model"), &json!("model"))
    );
    double.with(|state| {
        let asked = state.requests[before]["messages"][0]["content"]
            .as_str()
            .expect("text");
        assert!(
            asked.contains("Черновик") && !asked.contains("Ромашка"),
            "{asked}"
        );
        state.fails.push_back(Fail::Status(401));
    });
    let egress = server.get("/llm/egress").await;
    assert_eq!(egress["total"].as_u64(), Some(double.requests() as u64));
    let body = json!({"call_id": id, "engine": "model"});
    let refused = server.send(Method::POST, "/trials", Some(body)).await;
    assert_error("the key is refused", &refused, 502, "llm_denied");
    let _ = server.stop().await;
}
