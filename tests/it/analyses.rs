//! One question of many calls: in the background, within a budget, across restarts.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{assert_error, read};
use crate::llm_double::{Double, Fail};
use crate::questions::{answered, ask, ready, sent};
use crate::server::Server;

/// The analysis once it is as wanted.
pub(crate) async fn until(server: &Server, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let page = server.get(&format!("/analysis/{id}")).await;
        if wanted(&page["analysis"]) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{}", server.get(&format!("/analysis/{id}")).await);
}

pub(crate) async fn start(server: &Server, body: Value) -> String {
    let (status, analysis) = server
        .send(Method::POST, "/analysis/start", Some(body))
        .await;
    assert_eq!(status, 200, "{analysis}");
    analysis["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_are_asked_and_taken_away_as_a_table() {
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("concurrency = 2\n")).await;
    let mut calls = Vec::new();
    for number in 10..13 {
        calls.push(ready(&server, number).await);
    }
    server
        .patch(&calls[0], json!({"operator": "=Анна; Иванова"}))
        .await;
    let body =
        json!({"question": "Что с заказом?", "filter": {"status": "completed"}, "most_calls": 2});
    let (status, estimate) = server
        .send(Method::POST, "/analysis/estimate", Some(body.clone()))
        .await;
    assert_eq!(status, 200, "{estimate}");
    assert_eq!(
        (&estimate["matching"], &estimate["calls"]),
        (&json!(3), &json!(2))
    );
    assert!(estimate["cost"].as_f64().is_some_and(|cost| cost > 0.0));
    let id = start(&server, body).await;
    let page = until(&server, &id, |analysis| analysis["state"] == "done").await;
    let analysis = &page["analysis"];
    assert_eq!(
        (
            &analysis["matching"],
            &analysis["calls"],
            &analysis["confirmed"]
        ),
        (&json!(3), &json!(2), &json!(2))
    );
    assert_eq!(
        analysis["cost"].as_f64().map(|cost| (cost * 100.0).round()),
        Some(24.0)
    );
    // The latest first.
    assert_eq!(page["items"][0]["call_id"], json!(calls[2]));
    assert_eq!(page["items"][0]["answer"]["quotes"][0]["start_ms"], 4200);
    // These calls, in the form of `custom-query`, and as files.
    let body = json!({"question": "Что с заказом?", "ids": [calls[0]]});
    let (status, query) = server
        .send(Method::POST, "/analysis/custom-query", Some(body))
        .await;
    assert_eq!((status, &query["answer"]), (200, &Value::Null));
    let id = query["analysis"]["id"].as_str().expect("an id").to_owned();
    until(&server, &id, |analysis| analysis["state"] == "done").await;
    let file = |format: &str| {
        let path = format!("/analysis/{id}/export?format={format}&lang=en");
        server.request(Method::GET, &path).send()
    };
    let csv = file("csv").await.expect("a file");
    assert!(
        csv.headers()["content-disposition"]
            .to_str()
            .is_ok_and(|h| h.contains(".csv"))
    );
    let csv = csv.bytes().await.expect("bytes");
    let text = std::str::from_utf8(&csv).expect("UTF-8");
    assert!(text.starts_with("\u{feff}Call;File;Operator;"), "{text}");
    assert!(text.contains("\"'=Анна; Иванова\""), "{text}");
    assert!(
        text.contains("0:04 Client: «Добрый день, где мой заказ?»"),
        "{text}"
    );
    let (_, json) = read(file("json").await.expect("a file")).await;
    assert_eq!(json["rows"][0]["call_id"], json!(calls[0]));
    assert_eq!(json["rows"][0]["confirmed"], true);
    // Both are listed; the words of a deleted call are gone from the tables.
    assert_eq!(
        server.get("/analysis").await["items"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let gone = format!("/results/{}", calls[0]);
    assert_eq!(server.send(Method::DELETE, &gone, None).await.0, 204);
    let page = server.get(&format!("/analysis/{id}")).await;
    assert_eq!(page["items"][0]["why"]["code"], "deleted");
    assert!(!page["items"].to_string().contains("заказ"));
    let path = format!("/analysis/{id}");
    assert_eq!(server.send(Method::DELETE, &path, None).await.0, 204);
    assert_error(
        "deleted",
        &server.send(Method::GET, &path, None).await,
        404,
        "not_found",
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_keeps_to_its_budget() {
    // A call costs 0.12 and might cost 0.39: of three, one fits into 0.45.
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("")).await;
    for number in 20..23 {
        ready(&server, number).await;
    }
    let body = json!({"question": "Что с заказом?", "filter": {}, "most_cost": 0.45});
    let id = start(&server, body).await;
    let page = until(&server, &id, |analysis| analysis["state"] != "running").await;
    let analysis = &page["analysis"];
    assert_eq!(
        (&analysis["state"], &analysis["answered"], &analysis["done"]),
        (&json!("out_of_budget"), &json!(1), &json!(3))
    );
    assert!(analysis["cost"].as_f64().is_some_and(|cost| cost <= 0.45));
    assert_eq!(page["items"][2]["why"]["code"], "budget");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_goes_on_after_a_restart_and_can_be_stopped() {
    let double = Double::start(&[]).await;
    let setup = double.setup("");
    let server = Server::start(&setup).await;
    for number in 30..33 {
        ready(&server, number).await;
    }
    let slow = |double: &Double| {
        double.with(|state| state.fails.push_back(Fail::Slow(Duration::from_secs(4))));
    };
    double.with(|state| state.requests.clear());
    slow(&double);
    let body = json!({"question": "Что с заказом?", "filter": {}});
    let id = start(&server, body.clone()).await;
    sent(&double).await;
    let (data, password) = server.stop().await;
    double.with(|state| state.fails.clear());
    let server = Server::start_in(data, Some(password), &setup).await;
    let page = until(&server, &id, |analysis| analysis["state"] == "done").await;
    assert_eq!(page["analysis"]["confirmed"], 3);
    slow(&double);
    double.with(|state| state.requests.clear());
    let id = start(&server, body).await;
    sent(&double).await;
    let (status, analysis) = server.post(&format!("/analysis/{id}/cancel")).await;
    assert_eq!((status, &analysis["state"]), (200, &json!("cancelled")));
    let page = server.get(&format!("/analysis/{id}")).await;
    assert_eq!(page["items"][1]["why"]["code"], "cancelled");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_waits_goes_before_an_analysis() {
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("concurrency = 1\n")).await;
    let mut calls = Vec::new();
    for number in 34..37 {
        calls.push(ready(&server, number).await);
    }
    double.with(|state| {
        state.requests.clear();
        state.fails.push_back(Fail::Slow(Duration::from_secs(2)));
    });
    let id = start(&server, json!({"question": "Что?", "ids": calls})).await;
    sent(&double).await;
    let asked = ask(&server, &calls[0], "Что с заказом?").await;
    answered(&server, &calls[0], &asked["id"]).await;
    until(&server, &id, |analysis| analysis["state"] == "done").await;
    double.with(|state| {
        let heard: Vec<bool> = state.requests.iter().map(|r| r["stream"] == true).collect();
        assert_eq!(heard, [false, true, false, false]);
    });
    let _ = server.stop().await;
}
