//! What can be done with a call: cancel, retry, delete, rename, exchange.
//! A script plays the speech worker.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::assert_error;
use crate::fixtures::{bytes, long_call, scripted_call, scripted_mono, tones};
use crate::server::{Server, Setup, eventually};

/// Who says the turns of a result.
fn speakers(result: &Value) -> Vec<String> {
    result["transcript"]["turns"]
        .as_array()
        .expect("turns")
        .iter()
        .map(|turn| turn["speaker"].as_str().expect("a speaker").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_call_is_cancelled_at_once_and_tried_again() {
    let server = Server::start(&Setup::scripted()).await;
    let slow = server
        .accepted("slow.wav", scripted_call(1), &[("language", "sl")])
        .await;
    let waiting = server.accepted("waiting.wav", scripted_call(2), &[]).await;
    server.transcribing(&slow).await;
    let answer = server.post(&format!("/results/{slow}/retry")).await;
    assert_error("retrying what runs", &answer, 409, "still_running");
    let (status, view) = server.post(&format!("/results/{slow}/cancel")).await;
    assert_eq!(
        (status, &view["status"]),
        (200, &json!("cancelled")),
        "{view}"
    );
    // The worker goes on with the next one long before the 20 s of the first are over.
    server
        .wait(&waiting, 8, "completed", |status| {
            status["status"] == "completed"
        })
        .await;
    let answer = server.post(&format!("/results/{slow}/cancel")).await;
    assert_error("cancelling it twice", &answer, 409, "not_running");
    let answer = server.post(&format!("/results/{waiting}/cancel")).await;
    assert_error("cancelling what is done", &answer, 409, "not_running");
    eventually("the samples are removed", 5, || {
        server.files("work").is_empty()
    })
    .await;
    let (status, view) = server.post(&format!("/results/{slow}/retry")).await;
    assert_eq!(status, 200, "{view}");
    server.transcribing(&slow).await;
    assert_eq!(
        server.get(&format!("/status/{slow}")).await["error"],
        Value::Null
    );
    let (status, _) = server.post(&format!("/results/{slow}/cancel")).await;
    assert_eq!(status, 200);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_can_be_cancelled_and_deleted() {
    let server = Server::start(&Setup::scripted()).await;
    let slow = server
        .accepted("slow.wav", scripted_call(1), &[("language", "sl")])
        .await;
    let cancelled = server.accepted("a.wav", scripted_call(2), &[]).await;
    let deleted = server.accepted("b.wav", scripted_call(3), &[]).await;
    let last = server.accepted("c.wav", scripted_call(4), &[]).await;
    server.transcribing(&slow).await;
    let (status, view) = server.post(&format!("/results/{cancelled}/cancel")).await;
    assert_eq!(
        (status, &view["status"]),
        (200, &json!("cancelled")),
        "{view}"
    );
    for id in [&deleted, &slow] {
        let (status, _) = server
            .send(Method::DELETE, &format!("/results/{id}"), None)
            .await;
        assert_eq!(status, 204, "waiting or running, it is deleted");
        let answer = server
            .send(Method::GET, &format!("/results/{id}"), None)
            .await;
        assert_error("deleted", &answer, 404, "not_found");
    }
    // The one that ran is stopped, so the last one has its turn.
    server
        .wait(&last, 8, "completed", |status| {
            status["status"] == "completed"
        })
        .await;
    assert_eq!(server.results(&[]).await["total"], 2);
    assert_eq!(server.files("audio").len(), 2);
    eventually("the samples are removed", 5, || {
        server.files("work").is_empty()
    })
    .await;
    let (status, _) = server.post(&format!("/results/{cancelled}/retry")).await;
    assert_eq!(status, 200);
    server.completed(&cancelled).await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_wait_for_another_attempt_leaves_no_samples() {
    let server = Server::start(&Setup::scripted()).await;
    for (number, language, code) in [
        (1, "da", "speech_worker_died"),
        (2, "et", "speech_worker_failed"),
    ] {
        let id = server
            .accepted("a.wav", scripted_call(number), &[("language", language)])
            .await;
        let status = server
            .wait(&id, 10, "between two attempts", |status| {
                status["error"].is_object()
            })
            .await;
        assert_eq!(status["error"]["code"], code, "{status}");
        assert_eq!(status["status"], "processing", "{status}");
        let call = server.result(&id).await["call"].clone();
        assert_eq!(call["attempts"], 1, "{call}");

        let (status, _) = server.post(&format!("/results/{id}/cancel")).await;
        assert_eq!(status, 200);
        eventually("the samples are removed", 5, || {
            server.files("work").is_empty()
        })
        .await;
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_speech_worker_s_last_words_are_the_reason() {
    let server = Server::start(&Setup::scripted()).await;
    for number in 1..4 {
        let id = server
            .accepted("a.wav", scripted_call(number), &[("language", "da")])
            .await;
        let status = server
            .wait(&id, 10, "between two attempts", |status| {
                status["error"].is_object()
            })
            .await;
        let message = status["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("the script gives up"), "{message}");
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_does_not_harm_the_next_call() {
    let server = Server::start(&Setup::scripted()).await;
    let warm = server.accepted("warm.wav", scripted_call(1), &[]).await;
    server.completed(&warm).await;
    // Long enough to be caught while it is decoded.
    let long = server.accepted("long.mp3", bytes(&long_call()), &[]).await;
    server
        .wait(&long, 20, "being decoded", |status| {
            status["status"] == "processing" && status["stage"] == "decode"
        })
        .await;
    let next = server.accepted("next.wav", scripted_call(2), &[]).await;
    let (status, _) = server.post(&format!("/results/{long}/cancel")).await;
    assert_eq!(status, 200);
    let status = server
        .wait(&next, 4, "completed or failing", |status| {
            status["status"] == "completed" || status["error"].is_object()
        })
        .await;
    assert_eq!(status["error"], Value::Null, "{status}");
    assert_eq!(server.result(&long).await["call"]["status"], "cancelled");
    eventually("the samples are removed", 5, || {
        server.files("work").is_empty()
    })
    .await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_retrying_at_once() {
    // The worker that is stopped and the one that takes the call up again must not
    // step on each other.
    let server = Server::start(&Setup {
        workers: 2,
        ..Setup::scripted()
    })
    .await;
    let id = server
        .accepted("slow.wav", scripted_call(1), &[("language", "sl")])
        .await;
    for round in 0..6 {
        server.transcribing(&id).await;
        let (status, _) = server.post(&format!("/results/{id}/cancel")).await;
        assert_eq!(status, 200, "round {round}");
        let (status, _) = server.post(&format!("/results/{id}/retry")).await;
        assert_eq!(status, 200, "round {round}");
        let status = server.get(&format!("/status/{id}")).await;
        assert_eq!(status["error"], Value::Null, "round {round}: {status}");
    }
    server.transcribing(&id).await;
    assert!(
        !server.files("work").is_empty(),
        "the samples of the running attempt were removed"
    );
    let (status, _) = server.post(&format!("/results/{id}/cancel")).await;
    assert_eq!(status, 200);
    eventually("the samples are removed", 5, || {
        server.files("work").is_empty()
    })
    .await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_retrying_while_it_is_decoded() {
    let server = Server::start(&Setup {
        workers: 2,
        ..Setup::scripted()
    })
    .await;
    let long = tones(120.0, 192_000, &[410.0, 510.0]);
    let id = server.accepted("long.wav", long, &[]).await;
    server
        .wait(&id, 20, "being decoded", |status| {
            status["status"] == "processing" && status["stage"] == "decode"
        })
        .await;
    for what in ["cancel", "retry"] {
        let (status, view) = server.post(&format!("/results/{id}/{what}")).await;
        assert_eq!(status, 200, "{what}: {view}");
    }
    let status = server
        .wait(&id, 60, "completed or failing", |status| {
            status["status"] == "completed" || status["error"].is_object()
        })
        .await;
    assert_eq!(status["error"], Value::Null, "{status}");
    assert_eq!(server.result(&id).await["call"]["duration_ms"], 120_000);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transcript_outlives_a_failure_to_tell_voices_apart() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted("mono.wav", scripted_mono(1), &[("language", "de")])
        .await;
    let result = server.completed(&id).await;
    assert_eq!(result["call"]["speakers"], "unseparated");
    assert_eq!(speakers(&result), ["unknown"]);
    let text = result["transcript"]["turns"][0]["text"]
        .as_str()
        .expect("text");
    assert!(text.contains("Ромашка") && text.contains("заказ"), "{text}");
    // What needs two parties is null with a reason, never 0; the rest is there.
    let metrics = &result["metrics"];
    for metric in [
        "operator_talk_share",
        "operator_speech_share",
        "interruptions",
        "patience_ms",
        "overtalk_share",
    ] {
        assert_eq!(metrics[metric], Value::Null, "{metric}");
        let reason = metrics["unavailable"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|unavailable| unavailable["metric"] == metric);
        assert_eq!(
            reason.map(|reason| &reason["reason"]),
            Some(&json!("speakers_unknown")),
            "{metric}"
        );
    }
    assert!(metrics["speech_ms"].as_u64() > Some(0), "{metrics}");
    assert_eq!(result["score"]["level"], 3, "{}", result["score"]);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transcript_outlives_a_process_that_dies_of_the_voices() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted("mono.wav", scripted_mono(1), &[("language", "hr")])
        .await;
    // Three attempts, with 5 s and 60 s between them.
    let status = server
        .wait(&id, 120, "an end", |status| {
            status["status"] == "completed" || status["status"] == "failed"
        })
        .await;
    assert_eq!(status["status"], "completed", "{status}");
    let result = server.result(&id).await;
    assert_eq!(result["call"]["speakers"], "unseparated");
    assert_eq!(speakers(&result), ["unknown"]);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mono_call_has_metrics() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("mono.wav", scripted_mono(1), &[]).await;
    let result = server.completed(&id).await;
    assert_eq!(result["call"]["speakers"], "diarized");
    assert_eq!(speakers(&result), ["operator", "client"]);
    assert!(
        result["metrics"]["operator_talk_share"].as_f64() > Some(0.0),
        "{}",
        result["metrics"]
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speakers_are_exchanged_and_stay_so() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    let before = server.completed(&id).await;
    assert_eq!(speakers(&before), ["operator", "client"]);
    let swapped = server.patch(&id, json!({"swap_speakers": true})).await;
    assert_eq!(speakers(&swapped), ["client", "operator"]);
    assert_ne!(
        swapped["score"]["criteria"], before["score"]["criteria"],
        "it is scored again"
    );
    assert_ne!(
        swapped["call"]["overall_percent"],
        before["call"]["overall_percent"]
    );
    assert_eq!(
        swapped["metrics"]["operator_speech_share"],
        before["metrics"]["client_speech_share"]
    );
    assert_eq!(
        server.result(&id).await,
        swapped,
        "what was answered is what is kept"
    );
    // A person's correction survives another recognition.
    let (status, _) = server.post(&format!("/results/{id}/retry")).await;
    assert_eq!(status, 200);
    assert_eq!(
        speakers(&server.completed(&id).await),
        ["client", "operator"]
    );
    let back = server.patch(&id, json!({"swap_speakers": true})).await;
    assert_eq!(back["score"], before["score"]);
    assert_eq!(back["transcript"]["turns"], before["transcript"]["turns"]);
    // Nothing asked, nothing changed.
    let same = server.patch(&id, json!({})).await;
    assert_eq!(same, back);
    let silent = server
        .accepted("silent.wav", scripted_call(2), &[("language", "nn")])
        .await;
    assert_eq!(server.finished(&silent).await, "no_speech");
    let body = Some(json!({"swap_speakers": true}));
    let answer = server
        .send(Method::PATCH, &format!("/results/{silent}"), body)
        .await;
    assert_error("exchanging nobody", &answer, 409, "not_completed");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_corrected() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted(
            "a.wav",
            scripted_call(1),
            &[("operator_name", "Ольга Петрова")],
        )
        .await;
    let other = server
        .accepted(
            "b.wav",
            scripted_call(2),
            &[("operator_name", "ольга петрова")],
        )
        .await;
    server.completed(&id).await;
    server.completed(&other).await;
    let found = server.get("/operators?q=петр").await;
    assert_eq!(
        found["items"],
        json!([{"name": "Ольга Петрова", "calls": 2}]),
        "one person, however written"
    );
    let renamed = server
        .patch(&id, json!({"operator": " Анна  Смирнова "}))
        .await;
    assert_eq!(renamed["call"]["operator"], "Анна Смирнова");
    let found = server.get("/operators?q=").await;
    assert_eq!(
        found["items"],
        json!([{"name": "Анна Смирнова", "calls": 1}, {"name": "Ольга Петрова", "calls": 1}])
    );
    assert_eq!(
        server.results(&[("q", "смирнова")]).await["total"],
        1,
        "the search follows"
    );
    assert_eq!(
        server.results(&[("operator", "АННА СМИРНОВА")]).await["total"],
        1
    );
    let unnamed = server.patch(&id, json!({"operator": null})).await;
    assert_eq!(unnamed["call"]["operator"], Value::Null);
    assert_eq!(server.get("/operators?q=анна").await["items"], json!([]));
    let body = Some(json!({"operator": "я".repeat(121)}));
    let answer = server
        .send(Method::PATCH, &format!("/results/{id}"), body)
        .await;
    assert_error("a name without an end", &answer, 400, "bad_details");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_leaves_nothing() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted(
            "secret.wav",
            scripted_call(1),
            &[("operator_name", "Ольга")],
        )
        .await;
    server.completed(&id).await;
    assert_eq!(server.files("audio").len(), 1);
    let (status, _) = server
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_eq!(status, 204);
    assert_eq!(server.files("audio").len(), 0);
    assert_eq!(server.files("work").len(), 0);
    for path in ["results", "status", "audio", "waveform", "upload/status"] {
        let answer = server
            .send(Method::GET, &format!("/{path}/{id}"), None)
            .await;
        assert_error(path, &answer, 404, "not_found");
    }
    let answer = server
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_error("deleting it twice", &answer, 404, "not_found");
    assert_eq!(server.get("/operators?q=").await["items"], json!([]));
    for query in [vec![], vec![("q", "ромашка")], vec![("q", "secret")]] {
        assert_eq!(server.results(&query).await["total"], 0, "{query:?}");
    }
    let _ = server.stop().await;
}
