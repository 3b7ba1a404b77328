//! The team's own criteria: written on the page, tried, put in force, applied to the past.

use call_analytics::domain::card_version::CardKey;
use call_analytics::domain::rescoring::{Rescoring, RescoringState};
use call_analytics::domain::{CallId, scorecard_toml::DEFAULT_SCORECARD};
use call_analytics::store::Store;
use jiff::Timestamp;
use poem::http::Method;
use serde_json::{Value, json};

use crate::client::assert_error;
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

/// One item that the scripted call meets, one that it does not.
fn card(weight: f64) -> String {
    format!(
        r#"
id = "sales-ru"
name = "Наши правила"

[[criteria]]
key = "standards"
name = "Стандарты"

  [[criteria.items]]
  key = "greeting"
  name = "Поздоровался"
  phrases = ["здравств*"]

  [[criteria.items]]
  key = "discount"
  name = "Назвал скидку"
  weight = {weight}
  phrases = ["скидка"]
"#
    )
}

async fn post(server: &Server, path: &str, body: Value) -> Value {
    let (status, answer) = server.send(Method::POST, path, Some(body)).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn in_force(server: &Server) -> (String, u64) {
    let list = server.get("/scorecards").await;
    let versions = list["versions"].as_array().expect("versions");
    let one: Vec<_> = versions.iter().filter(|v| v["in_force"] == true).collect();
    assert_eq!(one.len(), 1, "{list}");
    (
        one[0]["name"].as_str().expect("a name").to_owned(),
        one[0]["version"].as_u64().expect("a version"),
    )
}

async fn ended(server: &Server, id: &str) -> Value {
    for _ in 0..200 {
        let report = server.get(&format!("/rescorings/{id}")).await;
        if report["order"]["state"] != "running" {
            return report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the order does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_named_as_one_types() {
    let server = Server::start(&Setup::scripted()).await;
    let broken = card(0.0).replace("phrases = [\"скидка\"]", "lexicons = [\"none\"]");
    let checked = post(&server, "/scorecards/check", json!({"text": broken})).await;
    let codes: Vec<_> = checked["faults"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|fault| {
            assert_eq!(
                (&fault["criterion"], &fault["item"]),
                (&json!(0), &json!(1))
            );
            assert_eq!(fault["place"], "criteria.standards.discount");
            fault["code"].as_str().expect("a code").to_owned()
        })
        .collect();
    assert_eq!(codes, ["bad_weight", "no_lexicon", "no_phrases"]);
    let unread = card(1.0).replace("name = \"Поздоровался\"", "naam = \"Поздоровался\"");
    let checked = post(&server, "/scorecards/check", json!({"text": unread})).await;
    assert_eq!(checked["faults"][0]["code"], "form");
    assert!(
        checked["faults"][0]["place"]
            .as_str()
            .is_some_and(|place| place.starts_with("line 9") || place.starts_with("line 11")),
        "{checked}"
    );
    assert_eq!(checked["document"], Value::Null);
    // The form goes there and back without a loss.
    let checked = post(
        &server,
        "/scorecards/check",
        json!({"text": DEFAULT_SCORECARD}),
    )
    .await;
    assert_eq!(checked["faults"], json!([]));
    let document = checked["document"].clone();
    let again = post(&server, "/scorecards/check", json!({"document": document})).await;
    assert_eq!(
        (&again["document"], &again["faults"]),
        (&document, &json!([]))
    );
    let refused = server
        .send(Method::POST, "/scorecards", Some(json!({"text": broken})))
        .await;
    assert_error("publish", &refused, 400, "bad_scorecard");
    assert!(
        refused.1["message"]
            .as_str()
            .is_some_and(|text| text.contains("criteria.standards.discount"))
    );
    let mut odd = document;
    odd["criteria"][0]["items"][0]["metric"] = json!("charm");
    let refused = server
        .send(
            Method::POST,
            "/scorecards/check",
            Some(json!({"document": odd})),
        )
        .await;
    assert_error("an unknown metric", &refused, 400, "bad_scorecard");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_tried_put_in_force_and_applied_to_the_past() {
    let server = Server::start(&Setup::scripted()).await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        let id = server
            .accepted(&format!("{number}.wav"), scripted_call(number), &[])
            .await;
        server.completed(&id).await;
        ids.push(id);
    }
    let before = server.result(&ids[0]).await;
    let draft = post(
        &server,
        "/scorecard-drafts",
        json!({"text": "unfinished ["}),
    )
    .await;
    let path = format!("/scorecard-drafts/{}", draft["id"].as_str().expect("an id"));
    let save = json!({"text": card(3.0), "revision": draft["revision"]});
    let (status, saved) = server.send(Method::PUT, &path, Some(save.clone())).await;
    assert_eq!((status, &saved["name"]), (200, &json!("Наши правила")));
    let stale = server.send(Method::PUT, &path, Some(save)).await;
    assert_error("a draft saved twice", &stale, 409, "stale_draft");

    // Tried: nothing is kept.
    let tried = post(
        &server,
        "/trials",
        json!({"call_id": ids[0], "scorecard": card(3.0)}),
    )
    .await;
    assert_eq!(
        tried["before"]["overall_percent"],
        before["score"]["overall_percent"]
    );
    assert_eq!(tried["after"]["overall_percent"], 25.0);
    let changed = tried["changed"].as_array().expect("changed");
    assert!(changed.iter().any(|item| item["key"] == "discount"
        && item["before"].is_null()
        && item["after"] == "failed"));
    assert!(
        changed
            .iter()
            .any(|item| item["key"] == "farewell" && item["after"].is_null())
    );
    assert!(
        !changed.iter().any(|item| item["key"] == "greeting"),
        "{tried}"
    );
    assert_eq!(server.result(&ids[0]).await["score"], before["score"]);

    // Put in force: what is there is stale, what comes is scored by it.
    let (name, version) = in_force(&server).await;
    let published = post(
        &server,
        "/scorecards",
        json!({"text": card(3.0), "comment": "скидка важнее", "activate": true, "draft_id": draft["id"]}),
    )
    .await;
    assert_eq!(published["version"], version + 1);
    assert_eq!(
        in_force(&server).await,
        ("Наши правила".to_owned(), version + 1)
    );
    assert_eq!(server.get("/scorecards").await["drafts"], json!([]));
    let stale = server.result(&ids[0]).await;
    assert_eq!(stale["score"]["stale_because"], "scorecard");
    let new = server.accepted("new.wav", scripted_call(9), &[]).await;
    assert_eq!(
        server.completed(&new).await["score"]["overall_percent"],
        25.0
    );

    // The past, one call left out.
    let order = post(&server, "/rescorings", json!({"ids": &ids[..2]})).await;
    let report = ended(&server, order["id"].as_str().expect("an id")).await;
    assert_eq!(
        (
            &report["order"]["state"],
            &report["order"]["done"],
            &report["order"]["skipped"]
        ),
        (&json!("completed"), &json!(2), &json!(0))
    );
    assert_eq!(
        report["before"]["overall_percent"],
        before["score"]["overall_percent"]
    );
    assert_eq!(report["after"]["overall_percent"], 25.0);
    assert_eq!(
        (&report["lower"], &report["higher"]),
        (&json!(2), &json!(0))
    );
    assert!(
        report["items"][0]["changed_items"]
            .as_u64()
            .is_some_and(|items| items > 5)
    );
    let after = server.result(&ids[0]).await;
    assert_eq!(after["score"]["overall_percent"], 25.0);
    assert_eq!(after["score"]["stale"], false);
    // No speech work was repeated.
    assert_eq!(after["transcript"], before["transcript"]);
    assert_eq!(after["call"]["attempts"], before["call"]["attempts"]);
    assert_eq!(server.result(&ids[2]).await["score"]["stale"], true);

    // All, by a filter that takes nobody, and back to the built-in one.
    let none = server
        .send(
            Method::POST,
            "/rescorings",
            Some(json!({"filter": {"operator": "Никто"}})),
        )
        .await;
    assert_error("no calls", &none, 400, "no_calls");
    let path = format!("/scorecards/sales-ru/versions/{version}/activate");
    let back = post(&server, &path, json!({})).await;
    assert_eq!(back["history"][0]["by"], "admin");
    assert_eq!(in_force(&server).await, (name, version));
    let order = post(&server, "/rescorings", json!({})).await;
    let report = ended(&server, order["id"].as_str().expect("an id")).await;
    assert_eq!(report["order"]["total"], 4);
    assert_eq!(
        server.result(&ids[0]).await["score"]["overall_percent"],
        before["score"]["overall_percent"]
    );
    let file = server
        .request(Method::GET, "/scorecards/sales-ru/versions/2/file")
        .send()
        .await
        .expect("the file");
    assert!(
        file.headers()["content-disposition"]
            .to_str()
            .is_ok_and(|name| name.ends_with("\"sales-ru-2.toml\""))
    );
    assert_eq!(file.text().await.expect("text"), card(3.0));
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scoring_the_past_outlives_a_restart() {
    let setup = Setup::scripted();
    let server = Server::start(&setup).await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        let id = server
            .accepted(&format!("{number}.wav"), scripted_call(number), &[])
            .await;
        server.completed(&id).await;
        ids.push(CallId::new(id).expect("an id"));
    }
    post(
        &server,
        "/scorecards",
        json!({"text": card(1.0), "activate": true}),
    )
    .await;
    let password = server.password.clone();
    let (data, _) = server.stop().await;
    // A process that was killed leaves this.
    let order = Rescoring {
        id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        state: RescoringState::Running,
        card: CardKey {
            id: "sales-ru".to_owned(),
            version: 2,
        },
        card_name: "Наши правила".to_owned(),
        author: "admin".to_owned(),
        started_at: Timestamp::now(),
        ended_at: None,
        total: 3,
        done: 0,
        skipped: 0,
    };
    let store = Store::open(&data.path().join("store")).expect("the store");
    store.begin_rescoring(&order, &ids).expect("begun");
    let second = store.begin_rescoring(&order, &ids).expect_err("it runs");
    assert!(second.to_string().contains("already"), "{second}");
    drop(store);
    let server = Server::start_in(data, Some(password), &setup).await;
    // What a person put in force is so after the restart.
    assert_eq!(in_force(&server).await, ("Наши правила".to_owned(), 2));
    let report = ended(&server, &order.id).await;
    assert_eq!(report["order"]["done"], 3);
    assert_eq!(
        server.result(ids[0].as_str()).await["score"]["overall_percent"],
        50.0
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_have_versions_and_one_is_in_use() {
    let server = Server::start(&Setup::scripted()).await;
    let first = post(
        &server,
        "/prompts",
        json!({"name": "Строже", "content": "Имя клиента обязательно.", "is_active": true}),
    )
    .await;
    assert_eq!(
        (&first["version"], &first["purpose"], &first["is_active"]),
        (&json!(1), &json!("score"), &json!(true))
    );
    let second = post(
        &server,
        "/prompts",
        json!({"name": "Мягче", "content": "Хватит и намёка.", "purpose": "score", "is_active": true}),
    )
    .await;
    let active = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().expect("items");
        let active = items.iter().filter(|item| item["is_active"] == true);
        active
            .map(|item| item["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(active(&server.get("/prompts").await), ["Мягче"]);
    let path = format!("/prompts/{}", first["id"].as_str().expect("an id"));
    let change = json!({"content": "И отчество.", "is_active": true, "version": 1});
    let (status, changed) = server.send(Method::PUT, &path, Some(change.clone())).await;
    assert_eq!((status, &changed["version"]), (200, &json!(2)), "{changed}");
    let stale = server.send(Method::PUT, &path, Some(change)).await;
    assert_error("an old version", &stale, 409, "stale_prompt");
    let empty = server
        .send(Method::PUT, &path, Some(json!({"content": "  "})))
        .await;
    assert_error("no content", &empty, 400, "prompt_no_content");
    assert_eq!(active(&server.get("/prompts").await), ["Строже"]);
    let versions = server.get(&format!("{path}/versions")).await;
    assert_eq!(versions["items"][1]["content"], "Имя клиента обязательно.");
    let path = format!("/prompts/{}", second["id"].as_str().expect("an id"));
    let removed = server.send(Method::DELETE, &path, None).await;
    assert_eq!(removed.0, 200, "{}", removed.1);
    let gone = server.send(Method::DELETE, &path, None).await;
    assert_error("twice", &gone, 404, "no_such_prompt");
    let _ = server.stop().await;
}
