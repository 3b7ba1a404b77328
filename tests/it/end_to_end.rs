//! A recording's way through the whole program, with real speech.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::client::{Client, assert_error};
use crate::fixtures::{bytes, clip};
use crate::server::{Server, Setup};

/// Seconds of the call: both parties speak, the operator twice.
const SECONDS: u32 = 18;

fn turns(result: &Value) -> &Vec<Value> {
    result["transcript"]["turns"].as_array().expect("turns")
}

fn text_of(result: &Value, speaker: &str) -> String {
    turns(result)
        .iter()
        .filter(|turn| turn["speaker"] == speaker)
        .filter_map(|turn| turn["text"].as_str())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// Every item has its reason in the recording, and the percents add up.
fn hold_score(result: &Value) {
    let duration = result["call"]["duration_ms"].as_u64().expect("a length");
    let turns = turns(result);
    let criteria = result["score"]["criteria"].as_array().expect("criteria");
    assert_eq!(criteria.len(), 3);
    let (mut sum, mut weights) = (0.0, 0.0);
    for criterion in criteria {
        let (mut met, mut all) = (0.0, 0.0);
        let mut auto_failed = false;
        for item in criterion["items"].as_array().expect("items") {
            let what = format!("{} {}", criterion["key"], item);
            let verdict = item["verdict"].as_str().expect("a verdict");
            let evidence = item["evidence"].as_array().expect("evidence");
            if verdict == "not_applicable" {
                continue;
            }
            all += number(&item["weight"]);
            if verdict == "met" {
                met += number(&item["weight"]);
            } else {
                auto_failed |= item["auto_fail"] == true;
            }
            assert!(!evidence.is_empty(), "no evidence: {what}");
            for evidence in evidence {
                let start = evidence["start_ms"].as_u64().expect("a start");
                let end = evidence["end_ms"].as_u64().expect("an end");
                assert!(
                    start <= end && end <= duration,
                    "outside of the call: {what}"
                );
                let quote = evidence["quote"].as_str().expect("a quote");
                let Some(index) = evidence["turn_index"].as_u64() else {
                    assert_ne!(evidence["kind"], "quote", "a quote from nowhere: {what}");
                    continue;
                };
                let turn = &turns[index as usize];
                let text = turn["text"].as_str().expect("text");
                assert!(text.contains(quote), "{quote:?} is not in {text:?}: {what}");
                assert_eq!(evidence["speaker"], turn["speaker"], "{what}");
                if evidence["kind"] == "quote" {
                    assert!(!quote.is_empty(), "{what}");
                    assert!(
                        turn["start_ms"].as_u64() <= Some(start)
                            && Some(end) <= turn["end_ms"].as_u64(),
                        "outside of its turn: {what}"
                    );
                }
            }
        }
        let percent = if auto_failed { 0.0 } else { met / all * 100.0 };
        assert!(
            (number(&criterion["percent"]) - percent).abs() < 0.06,
            "{criterion}"
        );
        sum += number(&criterion["weight"]) * number(&criterion["percent"]);
        weights += number(&criterion["weight"]);
    }
    let overall = number(&result["score"]["overall_percent"]);
    assert!(
        (overall - sum / weights).abs() < 0.11,
        "{overall} is not {}",
        sum / weights
    );
    assert_eq!(
        result["call"]["overall_percent"],
        result["score"]["overall_percent"]
    );
}

/// Turns are in order, within the call, and made of their words.
fn hold_transcript(result: &Value) {
    let duration = result["call"]["duration_ms"].as_u64().expect("a length");
    let mut last = 0;
    for (index, turn) in turns(result).iter().enumerate() {
        assert_eq!(turn["index"].as_u64(), Some(index as u64));
        let words = turn["words"].as_array().expect("words");
        let text: Vec<&str> = words
            .iter()
            .filter_map(|word| word["text"].as_str())
            .collect();
        assert_eq!(turn["text"].as_str(), Some(text.join(" ").as_str()));
        let start = turn["start_ms"].as_u64().expect("a start");
        assert!(start >= last, "turns are in order");
        last = start;
        let mut at = start;
        for word in words {
            let (start, end) = (
                word["start_ms"].as_u64().expect("a start"),
                word["end_ms"].as_u64().expect("an end"),
            );
            assert!(
                at <= start && start <= end && end <= duration,
                "{word} in {turn}"
            );
            at = start;
            let confidence = number(&word["confidence"]);
            assert!((0.0..=1.0).contains(&confidence), "{word}");
        }
    }
}

fn hold_metrics(result: &Value) {
    let metrics = &result["metrics"];
    assert!(number(&metrics["duration_ms"]) - f64::from(SECONDS * 1000) < 100.0);
    for share in [
        "operator_talk_share",
        "operator_speech_share",
        "client_speech_share",
        "non_talk_share",
        "overtalk_share",
    ] {
        let value = number(&metrics[share]);
        assert!((0.0..=100.0).contains(&value), "{share}: {value}");
    }
    let both = number(&metrics["operator_speech_share"]) + number(&metrics["client_speech_share"]);
    assert!((both - 100.0).abs() < 0.3, "{both}");
    assert!(metrics["speech_ms"].as_u64() > Some(8000), "{metrics}");
    for party in ["operator", "client"] {
        let rate = number(&metrics["speech_rate_wpm"][party]);
        assert!(
            (60.0..300.0).contains(&rate),
            "{party}: {rate} words a minute"
        );
        assert_eq!(metrics["loudness"][party]["near_silent"], false);
    }
    let first = metrics["first_response_ms"].as_u64().expect("a first word");
    assert!((500..3000).contains(&first), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_the_upload_to_its_deletion() {
    let server = Server::start(&Setup::real()).await;
    let nobody = Client::anonymous(&server.base);
    let answer = nobody.try_login("admin", "not the password").await;
    assert_error("a wrong password", &answer, 401, "bad_credentials");

    let mut request = server
        .url("/ws")
        .replace("http://", "ws://")
        .into_client_request()
        .expect("a request");
    let token = server.token.as_deref().expect("a token");
    let cookie = format!("call_analytics_session={token}")
        .parse()
        .expect("a value");
    request.headers_mut().insert("cookie", cookie);
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("a socket");

    let mp3 = bytes(&clip(SECONDS));
    let id = server
        .accepted(
            "Заказ.mp3",
            mp3.clone(),
            &[("operator_name", "Ольга Петрова")],
        )
        .await;

    // Live, without asking.
    let mut frames: Vec<Value> = Vec::new();
    let end = tokio::time::Instant::now() + Duration::from_secs(120);
    while frames
        .last()
        .is_none_or(|frame| frame["status"] != "completed")
    {
        let message = tokio::time::timeout_at(end, socket.next()).await;
        let message = message
            .unwrap_or_else(|_| panic!("not completed: {frames:?}"))
            .expect("open")
            .expect("a frame");
        if let Message::Text(text) = message {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(
                (&frame["type"], &frame["id"]),
                (&json!("call"), &json!(id)),
                "{frame}"
            );
            frames.push(frame);
        }
    }
    let mut stages: Vec<&str> = frames
        .iter()
        .filter_map(|frame| frame["stage"].as_str())
        .collect();
    stages.dedup();
    assert_eq!(
        stages,
        ["decode", "transcribe", "diarize", "score", "index"]
    );
    let mut statuses: Vec<&str> = frames
        .iter()
        .filter_map(|frame| frame["status"].as_str())
        .collect();
    statuses.dedup();
    assert_eq!(statuses, ["queued", "processing", "completed"]);
    let progress: Vec<f64> = frames
        .iter()
        .map(|frame| number(&frame["progress"]))
        .collect();
    assert!(
        progress.is_sorted() && progress.last() == Some(&1.0),
        "{progress:?}"
    );
    let mut inside: Vec<f64> = frames
        .iter()
        .filter(|frame| frame["stage"] == "transcribe")
        .map(|frame| number(&frame["progress"]))
        .collect();
    inside.dedup();
    assert!(
        inside.len() >= 2,
        "the long stage tells how far it is: {progress:?}"
    );

    let result = server.result(&id).await;
    let call = &result["call"];
    assert_eq!(call["speakers"], "channels");
    assert_eq!(call["operator"], "Ольга Петрова");
    assert!(
        call["duration_ms"]
            .as_u64()
            .expect("a length")
            .abs_diff(u64::from(SECONDS) * 1000)
            <= 100,
        "{call}"
    );
    let keys: Vec<&str> = call["criteria"]
        .as_array()
        .expect("criteria")
        .iter()
        .filter_map(|c| c["name"].as_str())
        .collect();
    assert_eq!(keys, ["Стандарты", "Лояльность", "Доброжелательность"]);
    for criterion in call["criteria"].as_array().expect("criteria") {
        assert!(
            (0.0..=100.0).contains(&number(&criterion["percent"])),
            "{criterion}"
        );
    }
    let (operator, client) = (text_of(&result, "operator"), text_of(&result, "client"));
    for word in ["здравствуйте", "ромашка", "ольга"] {
        assert!(
            operator.contains(word) && !client.contains(word),
            "{word}: {operator} / {client}"
        );
    }
    for word in ["добрый день", "заказ", "недел"] {
        assert!(client.contains(word), "{word}: {client}");
    }
    assert_eq!(
        result["transcript"]["incomplete"], false,
        "{}",
        result["transcript"]["coverage_percent"]
    );
    hold_transcript(&result);
    hold_score(&result);
    hold_metrics(&result);

    let wave = server.get(&format!("/waveform/{id}")).await;
    let channels = wave["channels"].as_array().expect("channels");
    assert_eq!(channels.len(), 2);
    for channel in channels {
        let peaks = channel.as_array().expect("peaks");
        let seconds = peaks.len() as f64 / number(&wave["peaks_per_second"]);
        assert!((seconds - f64::from(SECONDS)).abs() < 0.3, "{seconds}");
        let loudest = peaks.iter().map(number).fold(0.0, f64::max);
        assert!((20.0..=255.0).contains(&loudest), "{loudest}");
    }

    let piece = server
        .request(Method::GET, &format!("/audio/{id}"))
        .header("range", "bytes=0-99");
    let piece = piece.send().await.expect("an answer");
    assert_eq!(piece.status(), 206);
    assert_eq!(piece.headers()["content-type"], "audio/mpeg");
    assert_eq!(piece.bytes().await.expect("a body"), mp3[..100]);

    for (query, total) in [("заказы", 1), ("неделя", 1), ("петрова", 1), ("жираф", 0)]
    {
        assert_eq!(
            server.results(&[("q", query)]).await["total"],
            total,
            "{query}"
        );
    }
    let found = server.get("/operators?q=ольг").await;
    assert_eq!(
        found["items"],
        json!([{"name": "Ольга Петрова", "calls": 1}])
    );

    let swapped = server.patch(&id, json!({"swap_speakers": true})).await;
    assert!(text_of(&swapped, "client").contains("ромашка"));
    assert_ne!(
        swapped["score"]["overall_percent"],
        result["score"]["overall_percent"]
    );
    hold_transcript(&swapped);
    hold_score(&swapped);

    let (_, body) = server
        .upload(vec![crate::client::file("other name.mp3", mp3)], &[])
        .await;
    assert_eq!(body["files"][0]["duplicate"], true);
    assert_eq!(body["files"][0]["id"], id.as_str());

    let (status, _) = server
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_eq!(status, 204);
    let answer = server
        .send(Method::GET, &format!("/results/{id}"), None)
        .await;
    assert_error("deleted", &answer, 404, "not_found");
    assert!(
        server.files("audio").is_empty(),
        "the recording is gone from disk"
    );
    let deleted = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message
                && serde_json::from_str::<Value>(&text).expect("JSON")["type"] == "deleted"
            {
                return true;
            }
        }
        false
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(5), deleted)
            .await
            .expect("told")
    );
    let _ = server.stop().await;
}
