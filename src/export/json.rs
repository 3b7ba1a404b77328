//! The JSON form: everything about the transcript, the score with what people said of
//! it, and the way back.

use serde::{Deserialize, Serialize};

use super::Names;
use crate::domain::review::{self, Entry, ItemReview};
use crate::domain::score::{Engine, Score, Verdict};
use crate::domain::transcript::{PartySpeech, Version};
use crate::domain::{Separation, Span, Speaker, Transcript, Turn, Word};

/// Latest time in a file that is read, in milliseconds: no recording is longer.
const MAX_MS: u64 = 24 * 3_600_000;

/// A score and what people said of it.
#[derive(Clone, Copy)]
pub struct Reviewed<'a> {
    /// What the machine says.
    pub score: &'a Score,
    /// What people say.
    pub reviews: &'a [ItemReview],
}

/// The text is not a transcript.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON, or another one.
    #[error("not a transcript as the page, the API or `analyze --json` writes it: {0}")]
    Form(#[from] serde_json::Error),
    /// There are no recordings like this.
    #[error("turn {0} has no words, or its times are impossible")]
    Turn(usize),
}

#[derive(Serialize)]
struct File<'a> {
    filename: &'a str,
    language: &'a str,
    model: &'a str,
    version: u32,
    separation: Separation,
    speech: &'a [PartySpeech],
    turns: Vec<FileTurn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<FileScore<'a>>,
}

#[derive(Serialize)]
struct FileTurn<'a> {
    speaker: Speaker,
    name: Option<&'static str>,
    start_ms: u64,
    end_ms: u64,
    text: String,
    words: &'a [Word],
}

#[derive(Serialize)]
struct FileScore<'a> {
    scorecard_id: &'a str,
    scorecard_version: u32,
    engine: Engine,
    /// With the people's word.
    overall_percent: Option<f64>,
    /// By the machine alone.
    machine_percent: Option<f64>,
    criteria: Vec<FileCriterion<'a>>,
}

#[derive(Serialize)]
struct FileCriterion<'a> {
    key: &'a str,
    name: &'a str,
    percent: Option<f64>,
    machine_percent: Option<f64>,
    items: Vec<FileItem<'a>>,
}

#[derive(Serialize)]
struct FileItem<'a> {
    key: &'a str,
    name: &'a str,
    verdict: Verdict,
    machine_verdict: Verdict,
    /// What people did, the oldest first.
    reviews: &'a [Entry],
}

impl<'a> FileScore<'a> {
    fn new(Reviewed { score, reviews }: Reviewed<'a>) -> Self {
        let counts = review::apply(score, reviews);
        Self {
            scorecard_id: &score.scorecard_id,
            scorecard_version: score.scorecard_version,
            engine: score.engine,
            overall_percent: counts.overall_percent,
            machine_percent: score.overall_percent,
            criteria: score
                .criteria
                .iter()
                .zip(&counts.criteria)
                .map(|(machine, counts)| FileCriterion {
                    key: &machine.key,
                    name: &machine.name,
                    percent: counts.percent,
                    machine_percent: machine.percent,
                    items: machine
                        .items
                        .iter()
                        .zip(&counts.items)
                        .map(|(item, counts)| FileItem {
                            key: &item.key,
                            name: &item.name,
                            verdict: counts.verdict,
                            machine_verdict: item.verdict,
                            reviews: review::of(reviews, &item.key)
                                .map_or(&[], |review| &review.entries),
                        })
                        .collect(),
                })
                .collect(),
        }
    }
}

pub(super) fn write(
    transcript: &Transcript,
    filename: &str,
    names: Names,
    score: Option<Reviewed<'_>>,
) -> String {
    let file = File {
        filename,
        language: &transcript.language,
        model: &transcript.model,
        version: transcript.version.number,
        separation: transcript.separation,
        speech: &transcript.speech,
        turns: transcript
            .turns
            .iter()
            .map(|turn| FileTurn {
                speaker: turn.speaker,
                name: names.of(turn.speaker),
                start_ms: turn.span().start_ms,
                end_ms: turn.span().end_ms,
                text: turn.text(),
                words: &turn.words,
            })
            .collect(),
        score: score.map(FileScore::new),
    };
    // Nothing in it can fail to be written: keys are names, numbers are finite.
    serde_json::to_string_pretty(&file).unwrap_or_default()
}

/// What `analyze --json` writes, as far as it is needed.
#[derive(Deserialize)]
struct Analyzed {
    transcript: Transcript,
    media: Length,
}

#[derive(Deserialize)]
struct Length {
    duration_ms: u64,
}

/// What the page and the API write, as far as it is needed.
#[derive(Deserialize)]
struct Exported {
    language: String,
    model: String,
    separation: Option<Separation>,
    speech: Option<Vec<PartySpeech>>,
    turns: Vec<Turn>,
}

/// Only the key that tells the two forms apart.
#[derive(Deserialize)]
struct Which {
    transcript: Option<serde::de::IgnoredAny>,
}

/// Reads a transcript back, and the length of its recording in milliseconds (of a file that
/// was downloaded: the end of the last word).
///
/// # Errors
/// When it is not one.
pub fn read(text: &str) -> Result<(Transcript, u64), ReadError> {
    let text = text.trim_start_matches('\u{feff}');
    let which: Which = serde_json::from_str(text)?;
    let (transcript, told_ms) = if which.transcript.is_some() {
        let analyzed: Analyzed = serde_json::from_str(text)?;
        (analyzed.transcript, analyzed.media.duration_ms)
    } else {
        let exported: Exported = serde_json::from_str(text)?;
        (exported.into_transcript(), 0)
    };
    let possible = |start_ms: u64, end_ms: u64| start_ms <= end_ms && end_ms <= MAX_MS;
    for (number, turn) in transcript.turns.iter().enumerate() {
        let words = &turn.words;
        let in_order = words.is_sorted_by_key(|word| word.start_ms);
        let right = words
            .iter()
            .all(|word| possible(word.start_ms, word.end_ms));
        if words.is_empty() || !in_order || !right {
            return Err(ReadError::Turn(number));
        }
    }
    let spans = || transcript.speech.iter().flat_map(|party| &party.spans);
    if !spans().all(|span| possible(span.start_ms, span.end_ms)) {
        let fault = "the times of the speech are impossible";
        return Err(ReadError::Form(serde::de::Error::custom(fault)));
    }
    let end_ms = transcript
        .turns
        .iter()
        .map(|turn| turn.span().end_ms)
        .chain(spans().map(|span| span.end_ms))
        .max()
        .unwrap_or(0);
    Ok((transcript, told_ms.clamp(end_ms, MAX_MS)))
}

impl Exported {
    /// Files written before the separation and the speech were in them have neither: an
    /// estimate then, and the words stand for the speech.
    fn into_transcript(self) -> Transcript {
        let unknown = self
            .turns
            .iter()
            .any(|turn| turn.speaker == Speaker::Unknown);
        let separation = self.separation.unwrap_or(if unknown {
            Separation::Unseparated
        } else {
            Separation::Diarized
        });
        let speech = self.speech.unwrap_or_else(|| spoken(&self.turns));
        Transcript {
            language: self.language,
            model: self.model,
            separation,
            speech,
            turns: self.turns,
            coverage_percent: None,
            doubtful: Vec::new(),
            operator_confidence: None,
            voices: 0,
            version: Version::default(),
        }
    }
}

/// Each party's turns as its speech: ordered, not overlapping.
fn spoken(turns: &[Turn]) -> Vec<PartySpeech> {
    let mut parties: Vec<PartySpeech> = Vec::new();
    for turn in turns.iter().filter(|turn| !turn.words.is_empty()) {
        let at = parties
            .iter()
            .position(|party| party.speaker == turn.speaker);
        let at = at.unwrap_or_else(|| {
            parties.push(PartySpeech {
                speaker: turn.speaker,
                channel: 0,
                spans: Vec::new(),
            });
            parties.len() - 1
        });
        parties[at].spans.push(turn.span());
    }
    for party in &mut parties {
        party.spans.sort_by_key(|span| span.start_ms);
        let mut joined: Vec<Span> = Vec::new();
        for span in std::mem::take(&mut party.spans) {
            match joined.last_mut() {
                Some(last) if span.start_ms <= last.end_ms => {
                    last.end_ms = last.end_ms.max(span.end_ms);
                }
                _ => joined.push(span),
            }
        }
        party.spans = joined;
    }
    parties
}
