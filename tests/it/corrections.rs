//! People correct a transcript: what is kept, scored again and found.
//! A script plays the speech worker.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, assert_error};
use crate::fixtures::{scripted_call, scripted_mono};
use crate::server::{Server, Setup};

/// Status and answer of a correction.
async fn correct(client: &Client, id: &str, turn: u32, body: Value) -> (u16, Value) {
    let path = format!("/results/{id}/turns/{turn}");
    client.send(Method::PATCH, &path, Some(body)).await
}

/// The answer of a correction that succeeds.
async fn corrected(client: &Client, id: &str, turn: u32, body: Value) -> Value {
    let (status, answer) = correct(client, id, turn, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn said(result: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    result["transcript"]["turns"]
        .as_array()
        .expect("turns")
        .iter()
        .map(|turn| (text(&turn["speaker"]), text(&turn["text"])))
        .collect()
}

fn verdict<'a>(result: &'a Value, item: &str) -> &'a Value {
    result["score"]["criteria"]
        .as_array()
        .expect("criteria")
        .iter()
        .flat_map(|criterion| criterion["items"].as_array().expect("items"))
        .find(|one| one["key"] == item)
        .unwrap_or_else(|| panic!("there is no item {item}"))
}

const SAID: &str = "Здравствуйте, компания Ромашка, меня зовут Ольга.";

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_scored_found_and_kept() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    let before = server.completed(&id).await;
    assert_eq!(before["transcript"]["version"], 0);
    assert_eq!(said(&before)[0], ("operator".into(), SAID.into()));
    assert_eq!(verdict(&before, "greeting")["verdict"], "met");

    let text = "Алло, компания Василёк, меня зовут Ольга.";
    let after = corrected(&server, &id, 0, json!({"version": 0, "text": text})).await;
    assert_eq!(said(&after)[0].1, text);
    assert_eq!(after["transcript"]["version"], 1);
    assert_eq!(after["transcript"]["author"], "admin");
    let word =
        |result: &Value, index: usize| result["transcript"]["turns"][0]["words"][index].clone();
    for (index, same) in [(1, true), (2, false), (3, true), (5, true)] {
        assert_eq!(word(&after, index) == word(&before, index), same, "{index}");
    }
    let new = word(&after, 2);
    assert_eq!(
        (&new["corrected"], &new["confidence"]),
        (&json!(true), &json!(1.0))
    );
    let old = word(&before, 2);
    assert_eq!(
        (&new["start_ms"], &new["end_ms"]),
        (&old["start_ms"], &old["end_ms"])
    );
    // Scored at once, of what is written now.
    assert_eq!(verdict(&after, "greeting")["verdict"], "failed");
    assert_eq!(after["score"]["stale"], false);
    assert_eq!(after["call"]["score_stale"], false);
    assert_ne!(
        after["call"]["overall_percent"],
        before["call"]["overall_percent"]
    );
    // Found by what is written now, and by nothing else.
    assert_eq!(server.results(&[("q", "василёк")]).await["total"], 1);
    assert_eq!(server.results(&[("q", "ромашка")]).await["total"], 0);
    assert_eq!(
        server.result(&id).await,
        after,
        "what was answered is what is kept"
    );

    // Who saw the version before is told, and changes nothing.
    let late = correct(&server, &id, 1, json!({"version": 0, "text": "Приказ"})).await;
    assert_error("a late correction", &late, 409, "stale_version");
    let swap = Some(json!({"swap_speakers": true, "version": 0}));
    let late = server
        .send(Method::PATCH, &format!("/results/{id}"), swap)
        .await;
    assert_error("a late exchange", &late, 409, "stale_version");
    assert_eq!(server.result(&id).await, after);
    // The same again is no version.
    let same = corrected(&server, &id, 0, json!({"version": 1, "text": text})).await;
    assert_eq!(same, after);

    let versions = server.get(&format!("/results/{id}/versions")).await;
    let items = versions["items"].as_array().expect("a list");
    assert_eq!(items.len(), 2, "{versions}");
    assert_eq!(items[0]["current"], true);
    assert_eq!(items[0]["author"], "admin");
    assert!(items[0]["made_at"].is_string());
    assert_eq!(items[0]["change"], "edited");
    assert_eq!(items[0]["edit"]["before"], SAID);
    assert_eq!(items[0]["edit"]["after"], text);
    assert_eq!(
        (&items[1]["version"], &items[1]["author"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(items[1]["change"], "recognized");
    assert_eq!(items[1]["model"], "script");
    let first = server.get(&format!("/results/{id}/versions/0")).await;
    assert_eq!(first["turns"], before["transcript"]["turns"]);

    let path = format!("/results/{id}/versions/0/restore");
    let late = server
        .send(Method::POST, &path, Some(json!({"version": 0})))
        .await;
    assert_error("a late restore", &late, 409, "stale_version");
    let (status, restored) = server
        .send(Method::POST, &path, Some(json!({"version": 1})))
        .await;
    assert_eq!(status, 200, "{restored}");
    assert_eq!(restored["transcript"]["version"], 2);
    assert_eq!(
        restored["transcript"]["turns"],
        before["transcript"]["turns"]
    );
    assert_eq!(restored["score"], before["score"]);
    assert_eq!(server.results(&[("q", "ромашка")]).await["total"], 1);
    let versions = server.get(&format!("/results/{id}/versions")).await;
    assert_eq!(versions["items"][0]["change"], "restored");
    assert_eq!(versions["items"][0]["restored_from"], 0);

    // All of it outlives a restart.
    let (data, password) = server.stop().await;
    let server = Server::start_in(data, Some(password), &Setup::scripted()).await;
    let kept = server.get(&format!("/results/{id}/versions")).await;
    assert_eq!(kept, versions);
    assert_eq!(server.result(&id).await, restored);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speakers_are_corrected_and_turns_divided() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("mono.wav", scripted_mono(1), &[]).await;
    let before = server.completed(&id).await;
    let divided = json!({"version": 0, "parts": [
        {"speaker": "operator", "text": "Здравствуйте, компания Ромашка,"},
        {"speaker": "client", "text": "меня зовут Ольга."},
    ]});
    let after = corrected(&server, &id, 0, divided).await;
    let told = said(&after);
    assert_eq!(told.len(), 2, "the client's two turns are one: {told:?}");
    assert_eq!(told[0].1, "Здравствуйте, компания Ромашка,");
    assert!(
        told[1].1.starts_with("меня зовут Ольга. Добрый день"),
        "{told:?}"
    );
    let share = |result: &Value| {
        result["metrics"]["operator_speech_share"]
            .as_f64()
            .expect("a share")
    };
    assert!(
        share(&after) < share(&before),
        "the speech follows the words"
    );
    let both = json!({"version": 1, "speaker": "operator"});
    let after = corrected(&server, &id, 1, both).await;
    assert_eq!(said(&after).len(), 1);
    assert_eq!(said(&after)[0].0, "operator");
    let removed = corrected(&server, &id, 0, json!({"version": 2, "text": ""})).await;
    assert_eq!(said(&removed).len(), 0);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn voices_that_were_not_told_apart_are_told_by_a_person() {
    let server = Server::start(&Setup::scripted()).await;
    let fields = [("language", "de")];
    let id = server.accepted("mono.wav", scripted_mono(1), &fields).await;
    let before = server.completed(&id).await;
    assert_eq!(before["call"]["speakers"], "unseparated");
    assert_eq!(before["transcript"]["operator_confidence"], Value::Null);
    let all = before["transcript"]["turns"][0]["text"]
        .as_str()
        .expect("text");
    let (operator, client) = all.split_at(all.find("Добрый").expect("a question"));
    let divided = json!({"version": 0, "parts": [
        {"speaker": "operator", "text": operator}, {"speaker": "client", "text": client},
    ]});
    let after = corrected(&server, &id, 0, divided).await;
    assert_eq!(after["call"]["speakers"], "diarized");
    assert!(
        after["metrics"]["operator_speech_share"].as_f64() > Some(0.0),
        "{}",
        after["metrics"]
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recognizing_anew_keeps_the_corrections_as_a_version() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let text = "Алло, компания Василёк.";
    corrected(&server, &id, 0, json!({"version": 0, "text": text})).await;
    let (status, _) = server.post(&format!("/results/{id}/retry")).await;
    assert_eq!(status, 200);
    let anew = server.completed(&id).await;
    assert_eq!(said(&anew)[0].1, SAID);
    assert_eq!(
        (
            &anew["transcript"]["version"],
            &anew["transcript"]["author"]
        ),
        (&json!(2), &Value::Null)
    );
    let kept = server.get(&format!("/results/{id}/versions/1")).await;
    assert_eq!(kept["turns"][0]["text"], text);
    let path = format!("/results/{id}/versions/1/restore");
    let (status, restored) = server
        .send(Method::POST, &path, Some(json!({"version": 2})))
        .await;
    assert_eq!(status, 200, "{restored}");
    assert_eq!(said(&restored)[0].1, text);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_corrected() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    let before = server.completed(&id).await;
    let mut answers = Vec::new();
    for (turn, body) in [
        (9, json!({"version": 0, "text": "а"})),
        (0, json!({"version": 0, "speaker": "unknown"})),
        (0, json!({"version": 0, "parts": []})),
        (
            0,
            json!({"version": 0, "parts": [{"speaker": "client", "text": "а"}], "text": "а"}),
        ),
        (0, json!({"version": 0, "text": "а".repeat(100_001)})),
    ] {
        answers.push((body.to_string(), correct(&server, &id, turn, body).await));
    }
    for (what, answer) in &answers {
        let what: String = what.chars().take(80).collect();
        assert_error(&what, answer, 400, "bad_edit");
    }
    let answer = correct(&server, &id, 0, json!({"text": "а"})).await;
    assert_error("no version", &answer, 400, "bad_request");
    assert_eq!(server.result(&id).await, before);
    for path in ["versions/7", "transcript?format=srt&version=7"] {
        let answer = server
            .send(Method::GET, &format!("/results/{id}/{path}"), None)
            .await;
        assert_error(path, &answer, 404, "no_such_version");
    }
    let nobody = Client::anonymous(&server.base);
    let answer = correct(&nobody, &id, 0, json!({"version": 0, "text": "а"})).await;
    assert_error("nobody", &answer, 401, "not_signed_in");

    let slow = server
        .accepted("slow.wav", scripted_call(2), &[("language", "sl")])
        .await;
    server.transcribing(&slow).await;
    let answer = correct(&server, &slow, 0, json!({"version": 0, "text": "а"})).await;
    assert_error("while it is worked on", &answer, 409, "still_running");
    let (status, _) = server.post(&format!("/results/{slow}/cancel")).await;
    assert_eq!(status, 200);
    let answer = correct(&server, &slow, 0, json!({"version": 0, "text": "а"})).await;
    assert_error("without a transcript", &answer, 409, "not_completed");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_sure_the_roles_are_is_told() {
    let server = Server::start(&Setup::scripted()).await;
    let fields = [("direction", "inbound")];
    let id = server.accepted("a.wav", scripted_call(1), &fields).await;
    let result = server.completed(&id).await;
    assert_eq!(result["call"]["direction"], "inbound");
    let sure = result["transcript"]["operator_confidence"]
        .as_f64()
        .expect("a number");
    assert!((0.8..1.0).contains(&sure), "{sure}");
    let swapped = server.patch(&id, json!({"swap_speakers": true})).await;
    assert_eq!(swapped["transcript"]["operator_confidence"], 1.0);
    let fields = [("direction", "outbound")];
    let id = server.accepted("b.wav", scripted_call(2), &fields).await;
    let doubtful = server.completed(&id).await["transcript"]["operator_confidence"].clone();
    assert!(
        doubtful.as_f64() < Some(0.7),
        "the greeting contradicts: {doubtful}"
    );
    let file = crate::client::file("c.wav", scripted_call(3));
    let answer = server
        .upload(vec![file], &[("direction", "sideways")])
        .await;
    assert_error("no direction", &answer, 400, "bad_details");
    let _ = server.stop().await;
}
