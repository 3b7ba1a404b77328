//! What a call was about: topics by trackers, summaries by rules and by a model.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::assert_error;
use crate::fixtures::scripted_call;
use crate::llm_double::{Double, Fail};
use crate::server::{Server, Setup};

/// The insight of a call once it is as wanted.
async fn insight(server: &Server, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    for _ in 0..600 {
        seen = server.get(&format!("/results/{id}/insight")).await["insight"].clone();
        if !seen.is_null() && wanted(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{seen}");
}

fn topics(insight: &Value) -> Vec<&str> {
    let topics = insight["topics"].as_array().expect("topics");
    topics.iter().filter_map(|t| t["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn trackers_are_edited_and_all_calls_looked_through_again() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let first = insight(&server, &id, |_| true).await;
    assert_eq!(topics(&first), Vec::<&str>::new());
    let runs = server.result(&id).await["transcript"]["version"].clone();
    let body = json!({"name": "Заказ", "speaker": "client", "phrases": ["заказы"], "except": []});
    let (status, trackers) = server
        .send(Method::POST, "/trackers", Some(body.clone()))
        .await;
    assert_eq!(status, 200, "{trackers}");
    let added = trackers["items"]
        .as_array()
        .and_then(|all| all.last())
        .expect("a tracker");
    let key = added["key"].as_str().expect("a key").to_owned();
    // Found in a call that was there before, in another form of the word, with its place.
    let found = insight(&server, &id, |insight| topics(insight) == ["Заказ"]).await;
    let quote = &found["topics"][0]["quotes"][0];
    assert_eq!(
        (&quote["text"], &quote["start_ms"], &quote["turn_index"]),
        (
            &json!("Добрый день, где мой заказ?"),
            &json!(4200),
            &json!(1)
        )
    );
    assert_eq!(
        server.result(&id).await["transcript"]["version"],
        runs,
        "no speech work"
    );
    // The list is filtered by it.
    assert_eq!(server.results(&[("topic", &key)]).await["total"], 1);
    assert_eq!(server.results(&[("topic", "price")]).await["total"], 0);
    let all = server.get("/trackers").await;
    let listed = all["items"]
        .as_array()
        .and_then(|all| all.last())
        .expect("a tracker");
    assert_eq!(listed["calls"], 1);
    // Said by the operator it is nothing; a fault has its place.
    let path = format!("/trackers/{key}");
    let mut other = body.clone();
    other["speaker"] = json!("operator");
    assert_eq!(server.send(Method::PUT, &path, Some(other)).await.0, 200);
    insight(&server, &id, |insight| topics(insight).is_empty()).await;
    assert_eq!(server.results(&[("topic", &key)]).await["total"], 0);
    for (phrases, place) in [
        (json!([]), "phrases: "),
        (json!(["заказ", "* ..."]), "phrases[1]: "),
        (json!(["а-б"]), "phrases[0]: "),
    ] {
        let bad = json!({"name": "Заказ", "phrases": phrases});
        let answer = server.send(Method::PUT, &path, Some(bad)).await;
        assert_error(place, &answer, 400, "bad_tracker");
        let message = answer.1["message"].as_str().expect("a message");
        assert!(message.starts_with(place), "{message}");
    }
    assert_eq!(server.send(Method::PUT, &path, Some(body)).await.0, 200);
    insight(&server, &id, |insight| topics(insight) == ["Заказ"]).await;
    assert_eq!(server.send(Method::DELETE, &path, None).await.0, 204);
    insight(&server, &id, |insight| topics(insight).is_empty()).await;
    let (status, trackers) = server.post("/trackers/reset").await;
    assert_eq!(status, 200);
    assert!(trackers["items"].to_string().contains("competitor"));
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_a_summary_is_of_the_calls_own_words() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(2), &[]).await;
    server.completed(&id).await;
    let made = insight(&server, &id, |_| true).await;
    let summary = &made["summary"];
    assert_eq!(
        (&summary["by"], &made["waits"]),
        (&json!("rules"), &json!(false))
    );
    assert_eq!(summary["why"]["code"], "llm_off");
    assert_eq!(summary["about"]["text"], "Добрый день, где мой заказ?");
    assert_eq!(summary["about"]["quote"]["start_ms"], 4200);
    assert_eq!(summary["next_step"], Value::Null);
    // Other words, another summary.
    let body = json!({"version": 0, "text": "Хорошо, я вам завтра перезвоню и всё расскажу."});
    let path = format!("/results/{id}/turns/0");
    assert_eq!(server.send(Method::PATCH, &path, Some(body)).await.0, 200);
    let made = insight(&server, &id, |insight| insight["version"] == 1).await;
    assert_eq!(
        made["summary"]["next_step"]["text"],
        "Хорошо, я вам завтра перезвоню и всё расскажу."
    );
    assert_eq!(made["topics"][0]["key"], "callback");
    let path = format!("/results/{id}/insight");
    assert_error("no model", &server.post(&path).await, 409, "llm_off");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_sums_up_what_it_can_prove() {
    let double = Double::start(&[]).await;
    let server = Server::start(&double.setup("summaries = true\n")).await;
    let id = server.accepted("a.wav", scripted_call(3), &[]).await;
    // The call is done before the model is.
    server.completed(&id).await;
    let made = insight(&server, &id, |insight| insight["summary"]["by"] == "model").await;
    let summary = &made["summary"];
    assert_eq!(summary["about"]["text"], "Клиент спрашивает о заказе.");
    assert_eq!(made["waits"], false);
    // What nobody said has no place; what was said has one.
    assert_eq!(summary["next_step"]["text"], "Оператор перезвонит");
    assert_eq!(summary["next_step"]["quote"], Value::Null);
    assert_eq!(summary["objections"][0]["quote"]["start_ms"], 4200);
    // After the judgement, once, and written down.
    double.with(|state| {
        let tasks: Vec<&str> = state
            .requests
            .iter()
            .filter_map(|asked| asked["messages"][0]["content"].as_str())
            .collect();
        let summaries = tasks
            .iter()
            .filter(|task| task.contains("summary —"))
            .count();
        assert_eq!(summaries, 1);
        assert!(tasks.last().is_some_and(|task| task.contains("summary —")));
    });
    let egress = server.get("/llm/egress").await["items"][0].clone();
    assert_eq!(egress["purpose"], "summary");
    // Other trackers leave it as it is, and cost nothing.
    let before = double.requests();
    let body = json!({"name": "Заказ", "phrases": ["заказ"]});
    assert_eq!(
        server.send(Method::POST, "/trackers", Some(body)).await.0,
        200
    );
    let made = insight(&server, &id, |insight| !topics(insight).is_empty()).await;
    assert_eq!(made["summary"]["by"], "model");
    assert_eq!(double.requests(), before);
    // It is made again when somebody asks for it; where that fails it stays.
    double.with(|state| state.fails.push_back(Fail::Quota));
    let (status, again) = server.post(&format!("/results/{id}/insight")).await;
    assert_eq!((status, &again["insight"]["waits"]), (200, &json!(true)));
    let made = insight(&server, &id, |i| !i["summary"]["why"].is_null()).await;
    assert_eq!(made["summary"]["why"]["code"], "llm_quota");
    assert_eq!(made["summary"]["by"], "model");
    assert_eq!(server.post("/llm/resume").await.0, 200);
    let made = insight(&server, &id, |insight| insight["waits"] == false).await;
    assert_eq!(made["summary"]["why"], Value::Null);
    let _ = server.stop().await;
}
