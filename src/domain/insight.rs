//! What a call was about: a summary, the next step, the client's objections, topics.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::question::{Quote, Why};
use super::score::Engine;

/// Something that was said, in words, with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// In words; those of the call where rules found it.
    pub text: String,
    /// Where it was said; `None`: a model claims it without a proof.
    pub quote: Option<Quote>,
}

/// A short summary of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Who made it. Rules take words of the call, a model writes its own.
    pub by: Engine,
    /// What the call was about; `None` where rules find nothing.
    pub about: Option<Point>,
    /// What was agreed to come next.
    pub next_step: Option<Point>,
    /// What the client objects to.
    pub objections: Vec<Point>,
    /// The model that made it.
    pub model: Option<String>,
    /// Why no model made it.
    pub why: Option<Why>,
}

/// A topic that was touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Key of its tracker.
    pub key: String,
    /// How often.
    pub count: u32,
    /// Where: the first few.
    pub quotes: Vec<Quote>,
}

/// All of it for one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    /// The summary.
    pub summary: Summary,
    /// Whether a model is still to make a better one.
    pub waits: bool,
    /// The topics, in the order of the trackers.
    pub topics: Vec<Topic>,
    /// Version of the transcript it is about.
    pub version: u32,
    /// Revision of the trackers that were looked for.
    pub trackers: u64,
    /// When it was made.
    pub made_at: Timestamp,
}
