//! Small conversations for tests.

use crate::domain::transcript::{PartySpeech, Word};
use crate::domain::{Separation, Speaker, Transcript, Turn};

/// Turns of (speaker, start in seconds, text); half a second a word.
pub(crate) fn conversation(separation: Separation, turns: &[(Speaker, u64, &str)]) -> Transcript {
    let turns: Vec<Turn> = turns
        .iter()
        .map(|(speaker, start_s, text)| Turn {
            speaker: *speaker,
            words: text
                .split_whitespace()
                .enumerate()
                .map(|(index, word)| Word {
                    start_ms: start_s * 1000 + index as u64 * 500,
                    end_ms: start_s * 1000 + index as u64 * 500 + 450,
                    text: word.to_owned(),
                    confidence: 1.0,
                    corrected: false,
                })
                .collect(),
        })
        .collect();
    let party = |speaker, channel| PartySpeech {
        speaker,
        channel,
        spans: turns
            .iter()
            .filter(|turn| turn.speaker == speaker)
            .map(Turn::span)
            .collect(),
    };
    Transcript {
        language: "ru".into(),
        model: "test".into(),
        separation,
        speech: vec![party(Speaker::Operator, 0), party(Speaker::Client, 1)],
        turns,
        coverage_percent: None,
        doubtful: Vec::new(),
        operator_confidence: None,
        voices: 0,
        version: Default::default(),
    }
}

/// Turns of `o text` and `c text`, ten seconds apart.
pub(crate) fn call(turns: &[&str]) -> Transcript {
    let turns: Vec<(Speaker, u64, &str)> = turns
        .iter()
        .enumerate()
        .map(|(at, turn)| match turn.split_once(' ') {
            Some(("o", text)) => (Speaker::Operator, at as u64 * 10, text),
            Some(("c", text)) => (Speaker::Client, at as u64 * 10, text),
            _ => panic!("{turn}: begins with o or c"),
        })
        .collect();
    conversation(Separation::Channels, &turns)
}
