//! Calls of the past that are scored again with the scorecard in force.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CallId;
use super::call::ScoreSummary;
use super::card_version::CardKey;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RescoringState {
    /// Calls are being scored; taken up again after a restart.
    Running,
    /// All were.
    Completed,
    /// A person stopped it; what was scored stays so.
    Cancelled,
}

/// One order to score calls again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rescoring {
    /// Stable id, in the order of giving.
    pub id: String,
    /// How far.
    pub state: RescoringState,
    /// With which scorecard.
    pub card: CardKey,
    /// Its name.
    pub card_name: String,
    /// The account that ordered it.
    pub author: String,
    /// When.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many calls.
    pub total: u64,
    /// How many of them are done, those left out included.
    pub done: u64,
    /// How many were left out.
    pub skipped: u64,
}

/// What became of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RescoredState {
    /// Not its turn yet.
    Waiting,
    /// It has a new score.
    Scored,
    /// It has no transcript to score.
    NoTranscript,
    /// It was being worked on; it gets a score by the same scorecard when that ends.
    AtWork,
    /// It was deleted meanwhile.
    Deleted,
    /// Scoring it failed; the log says why.
    Failed,
}

/// One call of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rescored {
    /// Which.
    pub call_id: CallId,
    /// What became of it.
    pub state: RescoredState,
    /// Its percents before.
    pub before: Option<ScoreSummary>,
    /// Its percents right after, by the rules.
    pub after: Option<ScoreSummary>,
    /// Items whose verdict became another.
    pub changed_items: u32,
}
