//! Tests of the way from words to turns.

use super::*;
use crate::domain::Segment;
use crate::domain::scorecard_toml::{DEFAULT_SCORECARD, parse};

fn segment(start_ms: u64, text: &str) -> Segment {
    Segment {
        words: text
            .split_whitespace()
            .enumerate()
            .map(|(index, word)| Word {
                start_ms: start_ms + index as u64 * 400,
                end_ms: start_ms + index as u64 * 400 + 350,
                text: word.to_owned(),
                confidence: 1.0,
                corrected: false,
            })
            .collect(),
    }
}

fn channel(segments: Vec<Segment>) -> ChannelRecognition {
    ChannelRecognition {
        speech: segments.iter().map(Segment::span).collect(),
        segments,
        doubtful: Vec::new(),
    }
}

fn recognition(channels: Vec<ChannelRecognition>) -> Recognition {
    Recognition {
        language: "ru".into(),
        model: "test".into(),
        channels,
    }
}

fn rules() -> Rules {
    Rules::compile(parse(DEFAULT_SCORECARD, 1).expect("valid"))
}

fn said(transcript: &Transcript) -> Vec<(Speaker, String)> {
    transcript
        .turns
        .iter()
        .map(|turn| (turn.speaker, turn.text()))
        .collect()
}

const OPERATOR: &str = "Компания Ромашка, меня зовут Ольга, чем могу помочь?";

#[test]
fn a_channel_is_a_speaker_and_turns_alternate() {
    let both = recognition(vec![
        channel(vec![segment(0, "Алло."), segment(9_000, "Где мой заказ?")]),
        channel(vec![
            segment(2_000, OPERATOR),
            segment(12_000, "Сейчас проверю."),
        ]),
    ]);
    let transcript = transcript(&both, &[], &rules(), Known::default());
    assert_eq!(transcript.separation, Separation::Channels);
    use Speaker::{Client, Operator};
    assert_eq!(
        said(&transcript),
        [
            (Client, "Алло.".into()),
            (Operator, OPERATOR.into()),
            (Client, "Где мой заказ?".into()),
            (Operator, "Сейчас проверю.".into()),
        ]
    );
    assert_eq!(
        transcript.party(Operator).map(|party| party.channel),
        Some(1)
    );
    assert_eq!(transcript.coverage_percent, Some(100.0));
}

#[test]
fn who_is_the_operator_can_be_told_and_corrected() {
    let both = recognition(vec![
        channel(vec![segment(0, OPERATOR)]),
        channel(vec![segment(6_000, "Где мой заказ?")]),
    ]);
    let first = |channel, swapped| {
        let known = Known {
            operator_channel: channel,
            swapped,
            ..Known::default()
        };
        let transcript = transcript(&both, &[], &rules(), known);
        assert!(transcript.operator_confidence > Some(0.7));
        transcript.turns[0].speaker
    };
    assert_eq!(first(OperatorChannel::Auto, false), Speaker::Operator);
    assert_eq!(first(OperatorChannel::Auto, true), Speaker::Client);
    assert_eq!(first(OperatorChannel::Right, false), Speaker::Client);
    assert_eq!(first(OperatorChannel::Left, false), Speaker::Operator);
}

#[test]
fn words_of_one_channel_go_to_the_voice_they_overlap() {
    let one = recognition(vec![channel(vec![
        segment(0, OPERATOR),
        segment(5_000, "Где мой заказ?"),
    ])]);
    let voice = |voice, start_ms, end_ms| Voice {
        voice,
        span: Span { start_ms, end_ms },
    };
    let voices = [voice(0, 0, 3_300), voice(1, 4_900, 6_200)];
    let two = transcript(&one, &voices, &rules(), Known::default());
    assert_eq!(two.separation, Separation::Diarized);
    assert_eq!(two.turns.len(), 2);
    assert_eq!(two.turns[1].speaker, Speaker::Client);
}

#[test]
fn where_voices_are_not_told_apart_the_transcript_stands() {
    let one = recognition(vec![channel(vec![segment(0, "Алло. Да, слушаю.")])]);
    let mapped = Known {
        operator_channel: OperatorChannel::Left,
        swapped: true,
        ..Known::default()
    };
    let unknown = transcript(&one, &[], &rules(), mapped);
    assert_eq!(unknown.separation, Separation::Unseparated);
    assert_eq!(unknown.operator_confidence, None);
    assert_eq!(
        said(&unknown),
        [(Speaker::Unknown, "Алло. Да, слушаю.".into())]
    );
}

#[test]
fn missing_words_lower_the_coverage() {
    let mut only = channel(vec![segment(0, "раз два")]);
    only.speech = vec![Span {
        start_ms: 0,
        end_ms: 10_000,
    }];
    let transcript = transcript(&recognition(vec![only]), &[], &rules(), Known::default());
    let coverage = transcript.coverage_percent.expect("speech");
    assert!((13.0..15.0).contains(&coverage), "{coverage}");
    assert!(transcript.may_be_incomplete());
}
