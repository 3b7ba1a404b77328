//! Wire types of a transcript, and how they are made from what is stored.

use poem_openapi::Object;

use super::views::SpeakerView;
use crate::domain::Transcript;
use crate::domain::transcript::Author;

#[derive(Object)]
struct WordView {
    start_ms: u64,
    end_ms: u64,
    text: String,
    /// 0–1.
    confidence: f32,
    /// A person wrote it.
    corrected: bool,
}

/// Consecutive words of one speaker.
#[derive(Object)]
struct TurnView {
    index: u32,
    speaker: SpeakerView,
    start_ms: u64,
    end_ms: u64,
    text: String,
    words: Vec<WordView>,
}

/// A stretch of time.
#[derive(Object)]
struct SpanView {
    start_ms: u64,
    end_ms: u64,
}

/// Who said what.
#[derive(Object)]
pub(super) struct TranscriptView {
    /// Number of the version; a correction names the one it was made on.
    version: u32,
    /// Name of the person who made this version; null for the program.
    author: Option<String>,
    /// How sure it is which of the two is the operator, 0–1; null where the speakers are not told apart.
    operator_confidence: Option<f64>,
    /// Voices that have words: three where the call was handed to a colleague, who counts
    /// as the operator; 0 where they were not counted.
    voices: u8,
    /// Speech in which words may be missing.
    doubtful: Vec<SpanView>,
    language: String,
    model: String,
    /// Share of the speech time that words cover.
    coverage_percent: Option<f64>,
    /// True when words cover too little of the speech.
    incomplete: bool,
    turns: Vec<TurnView>,
}

impl From<&Transcript> for TranscriptView {
    fn from(transcript: &Transcript) -> Self {
        Self {
            version: transcript.version.number,
            author: match &transcript.version.author {
                Author::Pipeline => None,
                Author::Person(name) => Some(name.clone()),
            },
            operator_confidence: transcript.operator_confidence,
            voices: transcript.voices,
            doubtful: transcript
                .doubtful
                .iter()
                .map(|span| SpanView {
                    start_ms: span.start_ms,
                    end_ms: span.end_ms,
                })
                .collect(),
            language: transcript.language.clone(),
            model: transcript.model.clone(),
            coverage_percent: transcript.coverage_percent,
            incomplete: transcript.may_be_incomplete(),
            turns: transcript
                .turns
                .iter()
                .enumerate()
                .map(|(index, turn)| TurnView {
                    index: index as u32,
                    speaker: turn.speaker.into(),
                    start_ms: turn.span().start_ms,
                    end_ms: turn.span().end_ms,
                    text: turn.text(),
                    words: turn
                        .words
                        .iter()
                        .map(|word| WordView {
                            start_ms: word.start_ms,
                            end_ms: word.end_ms,
                            text: word.text.clone(),
                            confidence: word.confidence,
                            corrected: word.corrected,
                        })
                        .collect(),
                })
                .collect(),
        }
    }
}
