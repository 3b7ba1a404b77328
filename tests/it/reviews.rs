//! People review verdicts: what counts then, disputes, agreement with the machine,
//! percents over time. A script plays the speech worker.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::assert_error;
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

fn items(result: &Value) -> Vec<&Value> {
    let criteria = result["score"]["criteria"].as_array().expect("criteria");
    criteria
        .iter()
        .flat_map(|criterion| criterion["items"].as_array().expect("items"))
        .collect()
}

fn item<'a>(result: &'a Value, key: &str) -> &'a Value {
    let found = items(result).into_iter().find(|item| item["key"] == key);
    found.unwrap_or_else(|| panic!("there is no item {key}"))
}

fn percent(result: &Value) -> f64 {
    result["score"]["overall_percent"]
        .as_f64()
        .expect("a percent")
}

/// Status and answer of a step by somebody who has just looked at the call.
async fn say(server: &Server, id: &str, key: &str, more: Value) -> (u16, Value) {
    let looked_at = server.result(id).await;
    let mut body = json!({
        "item": key,
        "seen_verdict": item(&looked_at, key)["verdict"],
        "revision": item(&looked_at, key)["revision"],
    });
    let fields = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(fields);
    let path = format!("/results/{id}/reviews");
    server.send(Method::POST, &path, Some(body)).await
}

/// The call after a step that succeeds.
async fn said(server: &Server, id: &str, key: &str, more: Value) -> Value {
    let (status, answer) = say(server, id, key, more.clone()).await;
    assert_eq!(status, 200, "{key} {more}: {answer}");
    answer
}

async fn scored_again(server: &Server, id: &str) -> Value {
    let (status, answer) = server
        .post(&format!("/results/{id}/retry?from=score"))
        .await;
    assert_eq!(status, 200, "{answer}");
    server.completed(id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_verdict_counts_everywhere_and_the_machines_stays_visible() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    let other = server.accepted("b.wav", scripted_call(2), &[]).await;
    let before = server.completed(&id).await;
    server.completed(&other).await;
    assert_eq!(item(&before, "greeting")["verdict"], "met");
    assert_eq!(before["call"]["machine_percent"], Value::Null);

    let change = json!({"act": "change", "verdict": "failed", "comment": "Поздоровался робот"});
    let after = said(&server, &id, "greeting", change).await;
    let greeting = item(&after, "greeting");
    assert_eq!(
        (&greeting["verdict"], &greeting["machine_verdict"]),
        (&json!("failed"), &json!("met"))
    );
    assert_eq!(greeting["evidence"], item(&before, "greeting")["evidence"]);
    let word = &greeting["review"];
    assert_eq!(word["author"], "admin");
    assert_eq!(word["comment"], "Поздоровался робот");
    assert_eq!(
        (
            &word["other_scorecard"],
            &word["machine_changed"],
            &word["transcript_version"]
        ),
        (&json!(false), &json!(false), &json!(0))
    );
    assert!(percent(&after) < percent(&before), "{}", after["score"]);
    assert_eq!(
        after["score"]["machine_percent"],
        before["score"]["overall_percent"]
    );
    assert_eq!(after["score"]["changed_items"], 1);

    // Lists, their order, their filters and their averages go by what counts.
    let list = server.results(&[("sort", "score")]).await;
    assert_eq!(list["items"][0]["id"], json!(id));
    assert_eq!(
        list["items"][0]["overall_percent"],
        after["score"]["overall_percent"]
    );
    assert_eq!(
        list["items"][0]["machine_percent"],
        before["score"]["overall_percent"]
    );
    assert_eq!(list["items"][1]["machine_percent"], Value::Null);
    let mean = (percent(&before) + percent(&after)) / 2.0;
    let told = list["averages"]["overall_percent"]
        .as_f64()
        .expect("a mean");
    assert!((told - mean).abs() < 0.051, "{told} is not {mean}");
    let low = format!("{}", percent(&after));
    let found = server.results(&[("score_max", low.as_str())]).await;
    assert_eq!(found["total"], 1);

    // It stands when the call is scored again, and when the transcript is corrected.
    let again = scored_again(&server, &id).await;
    assert_eq!(again["score"], after["score"]);
    assert_eq!(
        again["call"]["overall_percent"], after["score"]["overall_percent"],
        "what lists show is written with the score"
    );
    assert_eq!(again["call"]["changed_items"], 1);
    let path = format!("/results/{id}/turns/0");
    let text = "Алло, компания Василёк, меня зовут Ольга.";
    let body = json!({"version": 0, "text": text});
    let (status, corrected) = server.send(Method::PATCH, &path, Some(body)).await;
    assert_eq!(status, 200, "{corrected}");
    let greeting = item(&corrected, "greeting");
    assert_eq!(
        (&greeting["verdict"], &greeting["machine_verdict"]),
        (&json!("failed"), &json!("failed")),
        "the machine came to the same"
    );
    assert_eq!(greeting["review"]["machine_changed"], true);
    assert_eq!(greeting["review"]["machine_then"], "met");

    // Taken back, the machine's counts again; the history stays.
    let back = said(&server, &id, "greeting", json!({"act": "withdraw"})).await;
    assert_eq!(item(&back, "greeting")["review"], Value::Null);
    assert_eq!(
        back["score"]["overall_percent"],
        back["score"]["machine_percent"]
    );
    let history = server.get(&format!("/results/{id}/reviews")).await;
    assert_eq!(history["items"].as_array().map(Vec::len), Some(1));
    let entries = &history["items"][0]["entries"];
    assert_eq!(
        (
            &entries[0]["act"],
            &entries[0]["from"],
            &entries[0]["to"],
            &entries[0]["machine"]
        ),
        (
            &json!("changed"),
            &json!("met"),
            &json!("failed"),
            &json!("met")
        )
    );
    assert_eq!(entries[1]["act"], "withdrawn");

    // All of it outlives a restart.
    let (data, password) = server.stop().await;
    let server = Server::start_in(data, Some(password), &Setup::scripted()).await;
    assert_eq!(server.get(&format!("/results/{id}/reviews")).await, history);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_stands_under_another_scorecard_and_says_so() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let change = json!({"act": "change", "verdict": "failed", "comment": "нет"});
    let before = said(&server, &id, "greeting", change.clone()).await;
    let card = include_str!("../../assets/scorecard.ru.toml");
    let blocks: Vec<&str> = card.split("[[criteria.items]]").collect();
    let is = |block: &str, key: &str| block.contains(&format!("key = \"{key}\""));
    // One that can be cut out of the text: no criterion begins behind it.
    let doomed = items(&before)
        .iter()
        .filter(|item| item["verdict"] == "met" && item["key"] != "greeting")
        .map(|item| item["key"].as_str().expect("a key").to_owned())
        .find(|key| {
            let block = blocks.iter().find(|block| is(block, key));
            !block.expect("its block").contains("[[criteria]]")
        })
        .expect("something is met");
    said(&server, &id, &doomed, change).await;
    // The same scorecard without that item.
    let kept: Vec<&str> = blocks
        .iter()
        .copied()
        .filter(|block| !is(block, &doomed))
        .collect();
    assert_eq!(kept.len() + 1, blocks.len(), "one item is taken out");
    let (data, password) = server.stop().await;
    let path = data.path().join("card.toml");
    std::fs::write(&path, kept.join("[[criteria.items]]")).expect("written");
    let setup = Setup {
        sections: format!("[scoring]\nscorecard = \"{}\"\n", path.display()),
        ..Setup::scripted()
    };
    let server = Server::start_in(data, Some(password), &setup).await;
    let after = scored_again(&server, &id).await;
    assert_ne!(
        after["score"]["scorecard"]["version"],
        before["score"]["scorecard"]["version"]
    );
    let greeting = item(&after, "greeting");
    assert_eq!(greeting["verdict"], "failed");
    assert_eq!(greeting["review"]["other_scorecard"], true);
    assert_eq!(
        after["call"]["overall_percent"],
        after["score"]["overall_percent"]
    );
    assert_eq!(after["call"]["changed_items"], 1);
    assert_eq!(
        greeting["review"]["scorecard_version"],
        before["score"]["scorecard"]["version"]
    );
    assert!(
        items(&after)
            .iter()
            .all(|item| item["key"] != json!(doomed))
    );
    let history = server.get(&format!("/results/{id}/reviews")).await;
    let scored: Vec<(&Value, &Value)> = history["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| (&item["item"], &item["scored"]))
        .collect();
    assert!(
        scored.contains(&(&json!(doomed), &json!(false))),
        "{scored:?}"
    );
    assert!(
        scored.contains(&(&json!("greeting"), &json!(true))),
        "{scored:?}"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looked_at_something_else_is_told_so() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let path = format!("/results/{id}/reviews");
    let body = |act: &str, verdict: Value, seen: &str, revision: u32| json!({"item": "greeting", "act": act, "verdict": verdict, "comment": "нет", "seen_verdict": seen, "revision": revision});
    let post = |body: Value| server.send(Method::POST, &path, Some(body));
    let first = body("change", json!("failed"), "met", 0);
    assert_eq!(post(first.clone()).await.0, 200);
    for (what, late) in [
        ("the same once more", first),
        (
            "an older revision",
            body("confirm", Value::Null, "failed", 0),
        ),
        (
            "another verdict",
            body("change", json!("not_applicable"), "met", 1),
        ),
    ] {
        let answer = post(late).await;
        assert_error(what, &answer, 409, "stale_review");
        let message = answer.1["message"].as_str().expect("text");
        assert!(message.contains("load the call again"), "{message}");
    }
    for (more, status, code) in [
        (
            json!({"act": "change", "verdict": "failed", "comment": "x"}),
            400,
            "same_verdict",
        ),
        (
            json!({"act": "change", "verdict": "unconfirmed", "comment": "x"}),
            400,
            "bad_verdict",
        ),
        (json!({"act": "change", "comment": "x"}), 400, "bad_verdict"),
        (
            json!({"act": "change", "verdict": "met"}),
            400,
            "bad_comment",
        ),
        (
            json!({"act": "dispute", "comment": "  "}),
            400,
            "bad_comment",
        ),
        (
            json!({"act": "change", "verdict": "met", "comment": "x".repeat(2001)}),
            400,
            "bad_comment",
        ),
        (
            json!({"act": "decline", "comment": "x"}),
            409,
            "not_disputed",
        ),
        (json!({"act": "praise", "comment": "x"}), 400, "bad_request"),
    ] {
        let what = format!("{} {}", more["act"], more["verdict"]);
        let answer = say(&server, &id, "greeting", more).await;
        assert_error(&what, &answer, status, code);
    }
    let mut gone = body("confirm", Value::Null, "met", 0);
    gone["item"] = json!("nothing");
    assert_error("no item", &post(gone).await, 404, "no_such_item");
    let nowhere = "/results/01ARZ3NDEKTSV4RRFFQ69G5FAV/reviews";
    let body = body("confirm", Value::Null, "met", 0);
    let answer = server.send(Method::POST, nowhere, Some(body)).await;
    assert_error("no call", &answer, 404, "not_found");
    let answer = server.send(Method::GET, nowhere, None).await;
    assert_error("no call", &answer, 404, "not_found");
    let history = server.get(&path).await;
    assert_eq!(
        history["items"][0]["entries"].as_array().map(Vec::len),
        Some(1)
    );

    let silent = server
        .accepted("b.wav", scripted_call(2), &[("language", "nn")])
        .await;
    server.finished(&silent).await;
    let request =
        json!({"item": "greeting", "act": "confirm", "seen_verdict": "met", "revision": 0});
    let answer = server
        .send(
            Method::POST,
            &format!("/results/{silent}/reviews"),
            Some(request),
        )
        .await;
    assert_error("without a score", &answer, 409, "not_scored");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disputes_are_listed_and_settled() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted("a.wav", scripted_call(1), &[("operator_name", "Ольга")])
        .await;
    let quiet = server.accepted("b.wav", scripted_call(2), &[]).await;
    let before = server.completed(&id).await;
    server.completed(&quiet).await;
    let failed = items(&before)
        .iter()
        .find(|item| item["verdict"] == "failed" && item["auto_fail"] == false)
        .map(|item| item["key"].as_str().expect("a key").to_owned())
        .expect("something failed");

    let dispute = json!({"act": "dispute", "comment": "Это было сказано"});
    let open = said(&server, &id, &failed, dispute.clone()).await;
    assert_eq!(
        item(&open, &failed)["dispute"]["comment"],
        "Это было сказано"
    );
    assert_eq!(
        item(&open, &failed)["verdict"],
        "failed",
        "nothing is decided"
    );
    assert_eq!(
        open["score"]["overall_percent"],
        before["score"]["overall_percent"]
    );
    assert_eq!(open["call"]["open_disputes"], 1);
    for late in [
        dispute.clone(),
        json!({"act": "change", "verdict": "met", "comment": "x"}),
        json!({"act": "confirm"}),
    ] {
        let answer = say(&server, &id, &failed, late).await;
        assert_error("while it is open", &answer, 409, "disputed");
    }
    said(&server, &id, "greeting", dispute.clone()).await;

    let disputed = server.results(&[("disputed", "true")]).await;
    assert_eq!(
        (&disputed["total"], &disputed["items"][0]["id"]),
        (&json!(1), &json!(id))
    );
    let others = server.results(&[("disputed", "false")]).await;
    assert_eq!(
        (&others["total"], &others["items"][0]["id"]),
        (&json!(1), &json!(quiet))
    );
    let list = server.get("/disputes?state=open").await;
    assert_eq!((&list["total"], &list["open"]), (&json!(2), &json!(2)));
    let row = &list["items"][1];
    assert_eq!(row["item"], json!(failed), "the latest comes first");
    assert_eq!(
        (&row["operator"], &row["filename"], &row["opened"]["author"]),
        (&json!("Ольга"), &json!("a.wav"), &json!("admin"))
    );
    assert_eq!(
        (&row["verdict"], &row["revision"]),
        (&json!("failed"), &json!(1))
    );

    // One is accepted from what the list tells, the other is declined.
    let body = json!({"item": failed, "act": "accept", "verdict": "met", "comment": "Верно",
        "seen_verdict": row["verdict"], "revision": row["revision"]});
    let (status, accepted) = server
        .send(Method::POST, &format!("/results/{id}/reviews"), Some(body))
        .await;
    assert_eq!(status, 200, "{accepted}");
    assert_eq!(item(&accepted, &failed)["verdict"], "met");
    assert_eq!(item(&accepted, &failed)["review"]["act"], "accepted");
    assert!(percent(&accepted) > percent(&before));
    let decline = json!({"act": "decline", "comment": "Машина права"});
    let declined = said(&server, &id, "greeting", decline).await;
    assert_eq!(item(&declined, "greeting")["verdict"], "met");
    assert_eq!(item(&declined, "greeting")["dispute"], Value::Null);
    for (query, total) in [
        ("?state=open", 0),
        ("?state=accepted", 1),
        ("?state=declined", 1),
        ("", 2),
    ] {
        let list = server.get(&format!("/disputes{query}")).await;
        assert_eq!(list["total"], total, "{query}");
        assert_eq!(list["open"], 0);
    }
    let list = server.get("/disputes?state=accepted").await;
    assert_eq!(list["items"][0]["settled"]["comment"], "Верно");
    assert_eq!(server.results(&[("disputed", "true")]).await["total"], 0);
    let page = server.get("/disputes?page=2&page_size=1").await;
    assert_eq!(
        (&page["total"], page["items"].as_array().map(Vec::len)),
        (&json!(2), Some(1))
    );
    for bad in ["/disputes?state=lost", "/disputes?page=0"] {
        let (status, _) = server.send(Method::GET, bad, None).await;
        assert_eq!(status, 400, "{bad}");
    }

    // With the call all of it goes.
    said(&server, &id, &failed, dispute).await;
    let (status, _) = server
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_eq!(status, 204);
    assert_eq!(server.get("/disputes").await["total"], 0);
    assert_eq!(server.get("/quality/agreement").await["all"]["n"], 0);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_is_counted_over_what_people_looked_at() {
    let server = Server::start(&Setup::scripted()).await;
    let mut ids = Vec::new();
    for number in 1..=10 {
        let operator = if number % 2 == 0 {
            "Анна"
        } else {
            "Борис"
        };
        let name = format!("{number}.wav");
        let fields = [("operator_name", operator)];
        ids.push(server.accepted(&name, scripted_call(number), &fields).await);
    }
    for id in &ids {
        server.completed(id).await;
    }
    let nothing = server.get("/quality/agreement").await;
    assert_eq!(
        (&nothing["items"], &nothing["all"]["share"]),
        (&json!([]), &Value::Null)
    );

    let wrong = json!({"act": "change", "verdict": "failed", "comment": "нет"});
    for (number, id) in ids.iter().enumerate() {
        // The machine says met ten times; people disagree with three.
        let more = if number < 3 {
            wrong.clone()
        } else {
            json!({"act": "confirm"})
        };
        said(&server, id, "greeting", more).await;
    }
    // Taken back, it is nobody's word.
    let other = items(&server.result(&ids[0]).await)
        .iter()
        .find(|item| item["key"] != "greeting" && item["verdict"] == "failed")
        .map(|item| item["key"].as_str().expect("a key").to_owned())
        .expect("something failed");
    said(&server, &ids[0], &other, json!({"act": "confirm"})).await;
    said(&server, &ids[0], &other, json!({"act": "withdraw"})).await;
    said(&server, &ids[1], &other, json!({"act": "confirm"})).await;

    let told = server.get("/quality/agreement").await;
    assert_eq!(
        (&told["calls"], &told["confirmed"], &told["changed"]),
        (&json!(10), &json!(8), &json!(3))
    );
    assert_eq!(
        (&told["all"]["n"], &told["all"]["counts"][0]),
        (&json!(11), &json!([7, 3, 0]))
    );
    let [greeting, rare] = &told["items"].as_array().expect("items")[..] else {
        panic!("{told}")
    };
    assert_eq!(greeting["item"], "greeting", "the worst comes first");
    assert_eq!(
        (&greeting["pairs"]["n"], &greeting["pairs"]["share"]),
        (&json!(10), &json!(0.7))
    );
    assert_eq!(
        (&greeting["pairs"]["kappa"], &greeting["pairs"]["no_kappa"]),
        (&Value::Null, &json!("one_category"))
    );
    assert_eq!(
        (&rare["item"], &rare["pairs"]["no_kappa"]),
        (&json!(other), &json!("too_few"))
    );

    for (query, n) in [
        ("operator=анна", 6),
        ("operator=Борис", 5),
        ("operator=Никто", 0),
        ("from=2020-01-01&to=2020-12-31", 0),
        ("from=2020-01-01", 11),
        ("scorecard=nothing", 0),
        ("scorecard_version=1", 11),
        ("scorecard_version=2", 0),
        ("engine=rules", 11),
        ("engine=model", 0),
        ("model=small", 0),
    ] {
        let told = server.get(&format!("/quality/agreement?{query}")).await;
        assert_eq!(told["all"]["n"], n, "{query}");
    }
    let answer = server
        .send(Method::GET, "/quality/agreement?from=yesterday", None)
        .await;
    assert_error("no date", &answer, 400, "bad_filter");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn percents_over_time_are_by_the_clock_of_the_settings() {
    let setup = Setup {
        sections: "[names]\ntime_zone = \"Asia/Vladivostok\"\n".to_owned(),
        ..Setup::scripted()
    };
    let server = Server::start(&setup).await;
    // Names of files tell the time of that zone; in UTC the first two are of one day.
    for (number, operator, name) in [
        (1, "Анна", "2026.01.31__23-59-00__79161234567__102.wav"),
        (2, "Анна", "2026.02.01__00-00-00__79161234567__102.wav"),
        (3, "Борис", "2026.03.05__10-00-00__79161234567__102.wav"),
    ] {
        let fields = [("operator_name", operator)];
        let id = server.accepted(name, scripted_call(number), &fields).await;
        let result = server.completed(&id).await;
        assert!(
            result["call"]["started_at"].is_string(),
            "{}",
            result["call"]
        );
    }
    let periods = |told: &Value| -> Vec<(String, u64)> {
        let list = told["periods"].as_array().expect("periods");
        list.iter()
            .map(|period| {
                let start = period["start"].as_str().expect("a day").to_owned();
                (start, period["scored"].as_u64().expect("a number"))
            })
            .collect()
    };
    let expect = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter()
            .map(|(day, n)| ((*day).to_owned(), *n))
            .collect()
    };
    let told = server.get("/quality/dynamics?step=month").await;
    assert_eq!(told["time_zone"], "Asia/Vladivostok");
    assert_eq!(
        periods(&told),
        expect(&[("2026-01-01", 1), ("2026-02-01", 1), ("2026-03-01", 1)])
    );
    let first = &told["periods"][0];
    assert!(first["overall_percent"].is_number(), "{first}");
    assert_eq!(first["criteria"].as_array().map(Vec::len), Some(3));
    let anna = server.request(Method::GET, "/quality/dynamics").query(&[
        ("operator", "анна"),
        ("step", "day"),
        ("from", "2026-01-30"),
        ("to", "2026-02-02"),
    ]);
    let (status, told) = crate::client::read(anna.send().await.expect("an answer")).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        periods(&told),
        expect(&[
            ("2026-01-30", 0),
            ("2026-01-31", 1),
            ("2026-02-01", 1),
            ("2026-02-02", 0)
        ])
    );
    assert_eq!(told["periods"][0]["overall_percent"], Value::Null);
    let weeks = server
        .get("/quality/dynamics?from=2026-01-31&to=2026-02-01")
        .await;
    assert_eq!(
        periods(&weeks),
        expect(&[("2026-01-26", 2)]),
        "weeks begin on Monday"
    );
    let nobody = server.get("/quality/dynamics?operator=nobody").await;
    assert_eq!(nobody["periods"], json!([]));
    let answer = server
        .send(
            Method::GET,
            "/quality/dynamics?step=day&from=2000-01-01&to=2026-01-01",
            None,
        )
        .await;
    assert_error("too many days", &answer, 400, "too_many_periods");
    let answer = server
        .send(Method::GET, "/quality/dynamics?step=hour", None)
        .await;
    assert_eq!(answer.0, 400);
    let _ = server.stop().await;
}
