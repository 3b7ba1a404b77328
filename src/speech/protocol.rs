//! What parent and child say to each other: one JSON value a line, requests on
//! the child's standard input, answers on its standard output. The child ends
//! when its standard input ends, so it never outlives the server.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::{Recognition, Span};

/// What the child shall do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Recognize words.
    Transcribe(Transcribe),
    /// Tell voices apart in one channel.
    Diarize(Diarize),
}

/// Recognize words in each channel.
#[derive(Debug, Serialize, Deserialize)]
pub struct Transcribe {
    /// Sample files: 16-bit little-endian, 16 kHz, mono; one a channel.
    pub channels: Vec<PathBuf>,
    /// The ggml file, verified by the parent.
    pub model: PathBuf,
    /// Name of the model for the record.
    pub model_name: String,
    /// ISO 639-1 code or `auto`.
    pub language: String,
    /// Threads to compute with.
    pub threads: usize,
    /// The team's own words (names, products) that shall be recognized; at most
    /// [`crate::config::MAX_BIAS_WORDS`] words in all.
    #[serde(default)]
    pub vocabulary: Vec<String>,
    /// Text that recognition begins with, as if it had been said before; empty for none.
    #[serde(default)]
    pub prompt: String,
}

/// Tell voices apart.
#[derive(Debug, Serialize, Deserialize)]
pub struct Diarize {
    /// Sample file: 16-bit little-endian, 16 kHz, mono.
    pub channel: PathBuf,
    /// Where somebody speaks.
    pub speech: Vec<Span>,
    /// Threads to compute with.
    #[serde(default = "one")]
    pub threads: usize,
}

fn one() -> usize {
    1
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Share of the request that is done, 0–1.
    Progress(f64),
    /// Words.
    Recognized(Recognition),
    /// Voices: who speaks when, with numbers from 0 on. Empty when they could not be told apart.
    Voices(Vec<Voice>),
    /// The request cannot be done.
    Failed(Failure),
}

/// One voice's stretch of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Voice {
    /// Number of the voice, from 0 on.
    pub voice: usize,
    /// When.
    pub span: Span,
}

/// Why a request cannot be done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Stable name of the reason.
    pub code: String,
    /// What to do.
    pub message: String,
    /// False when trying again cannot help.
    pub retryable: bool,
}
