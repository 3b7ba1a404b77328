//! Tests of the conversation metrics on small conversations whose values can be counted by hand.

use super::*;
use crate::domain::call::ChannelEnvelope;
use crate::domain::transcript::{PartySpeech, Word};

fn span(start_ms: u64, end_ms: u64) -> Span {
    Span { start_ms, end_ms }
}

/// Words of equal length over the span.
fn turn(speaker: Speaker, start_ms: u64, end_ms: u64, text: &str) -> Turn {
    let words: Vec<&str> = text.split_whitespace().collect();
    let length = (end_ms - start_ms) / words.len() as u64;
    Turn {
        speaker,
        words: words
            .iter()
            .enumerate()
            .map(|(index, text)| Word {
                start_ms: start_ms + index as u64 * length,
                end_ms: start_ms + (index as u64 + 1) * length,
                text: (*text).to_owned(),
                confidence: 1.0,
                corrected: false,
            })
            .collect(),
    }
}

fn transcript(separation: Separation, turns: Vec<Turn>) -> Transcript {
    let party = |speaker, channel| PartySpeech {
        speaker,
        channel,
        spans: turns
            .iter()
            .filter(|turn| turn.speaker == speaker)
            .map(Turn::span)
            .collect(),
    };
    let speech = match separation {
        Separation::Unseparated => vec![party(Speaker::Unknown, 0)],
        _ => vec![party(Speaker::Operator, 0), party(Speaker::Client, 1)],
    };
    Transcript {
        language: "ru".into(),
        model: "test".into(),
        separation,
        turns,
        speech,
        coverage_percent: Some(100.0),
        doubtful: Vec::new(),
        operator_confidence: None,
        voices: 0,
        version: Default::default(),
    }
}

fn compute_for(transcript: &Transcript, duration_ms: u64) -> Metrics {
    compute(
        transcript,
        &Envelope::default(),
        duration_ms,
        &Phrases::compile(&["оставайтесь на линии"]),
        &Phrases::compile(&["угу", "да"]),
    )
}

#[test]
fn shares_pauses_and_rates() {
    use Speaker::{Client, Operator};
    let call = transcript(
        Separation::Channels,
        vec![
            turn(
                Operator,
                2_000,
                12_000,
                "один два три четыре пять шесть семь восемь девять десять",
            ),
            turn(Client, 13_000, 18_000, "один два три четыре пять"),
            turn(Operator, 25_000, 30_000, "один два три четыре пять"),
        ],
    );
    let metrics = compute_for(&call, 40_000);
    assert_eq!(metrics.speech_ms, 20_000);
    assert_eq!(metrics.operator_talk_share, Some(37.5));
    assert_eq!(metrics.operator_speech_share, Some(75.0));
    assert_eq!(metrics.client_speech_share, Some(25.0));
    // The silences of 7 s and of 10 s at the end; 2 s at the start and 1 s are too short.
    assert_eq!(metrics.non_talk_ms, 17_000);
    assert_eq!(metrics.non_talk_share, 42.5);
    assert_eq!(
        metrics.longest_pause_ms, 7_000,
        "silence at the ends is no pause"
    );
    assert_eq!(metrics.speech_rate_wpm.operator, Some(60.0));
    assert_eq!(metrics.speech_rate_wpm.client, Some(60.0));
    assert_eq!(metrics.pace_mismatch, Some(1.0));
    assert_eq!(metrics.longest_monologue_ms, Some(10_000));
    assert_eq!(metrics.customer_story_ms, Some(5_000));
    assert_eq!(metrics.patience_ms, Some(7_000));
    assert_eq!(metrics.interactivity_per_min, Some(3.0));
    assert_eq!(metrics.first_response_ms, Some(2_000));
    assert_eq!(metrics.overtalk_share, Some(0.0));
}

#[test]
fn an_interruption_is_counted_and_a_back_channel_is_not() {
    use Speaker::{Client, Operator};
    let call = |words: &str, start| {
        transcript(
            Separation::Channels,
            vec![
                turn(Client, 0, 5_000, "я хотел бы спросить вас об одной вещи"),
                turn(Operator, start, 8_000, words),
            ],
        )
    };
    let broke_in = compute_for(&call("нет подождите сначала я", 4_000), 10_000);
    let interruptions = broke_in.interruptions.expect("known");
    assert_eq!(
        interruptions.operator,
        Interruptions {
            count: 1,
            overlap_ms: 1_000
        }
    );
    assert_eq!(interruptions.client.count, 0);
    assert_eq!(broke_in.interruption_moments[0].span, span(4_000, 5_000));
    assert_eq!(broke_in.overtalk_share, Some(12.5));
    let agreed = compute_for(&call("да угу", 4_000), 10_000);
    assert_eq!(agreed.interruptions.expect("known").operator.count, 0);
    let at_once = compute_for(&call("нет подождите сначала я", 4_800), 10_000);
    assert_eq!(
        at_once.interruptions.expect("known").operator.count,
        0,
        "0.2 s is no interruption"
    );
}

#[test]
fn hold_is_silence_after_an_announcement() {
    use Speaker::{Client, Operator};
    let call = |words: &str| {
        transcript(
            Separation::Channels,
            vec![
                turn(Operator, 0, 3_000, words),
                turn(Client, 23_000, 25_000, "спасибо жду"),
            ],
        )
    };
    assert_eq!(
        compute_for(&call("оставайтесь на линии"), 25_000).hold_ms,
        20_000
    );
    assert_eq!(
        compute_for(&call("минутку вопрос сложный"), 25_000).hold_ms,
        0
    );
}

#[test]
fn without_speakers_two_party_metrics_are_absent_with_a_reason() {
    let call = transcript(
        Separation::Unseparated,
        vec![turn(Speaker::Unknown, 0, 5_000, "один два три четыре пять")],
    );
    let metrics = compute_for(&call, 10_000);
    assert_eq!(metrics.operator_speech_share, None);
    assert!(metrics.interruptions.is_none());
    assert_eq!(metrics.non_talk_ms, 5_000, "silence needs no speakers");
    for metric in TWO_PARTY {
        assert!(
            metrics
                .unavailable
                .iter()
                .any(|u| u.metric == *metric && u.reason == "speakers_unknown"),
            "{metric}"
        );
    }
}

#[test]
fn loudness_is_taken_over_ones_own_speech_only() {
    use Speaker::{Client, Operator};
    let call = transcript(
        Separation::Channels,
        vec![turn(Operator, 0, 100, "да"), turn(Client, 100, 200, "нет")],
    );
    let channel = |rms: [i8; 4], clipped| ChannelEnvelope {
        peak: vec![255, 255, 10, 10],
        rms_dbfs: rms.to_vec(),
        clipped: vec![clipped, 0, 0, 0],
    };
    let envelope = Envelope {
        frame_ms: 50,
        channels: vec![
            channel([-20, -20, -90, -90], 3),
            channel([-10, -10, -60, -60], 0),
        ],
    };
    let none = Phrases::default();
    let metrics = compute(&call, &envelope, 200, &none, &none);
    let operator = metrics.loudness.operator.expect("heard");
    assert_eq!((operator.rms_dbfs, operator.peak_dbfs), (-20.0, 0.0));
    assert!(operator.clipping && !operator.near_silent);
    let client = metrics.loudness.client.expect("heard");
    assert_eq!(client.rms_dbfs, -60.0);
    assert!(client.near_silent && !client.clipping);
}
