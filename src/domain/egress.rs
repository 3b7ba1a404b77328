//! What left the machine for a language model, and what the judging queue keeps.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::CallId;

/// One request that was sent to a language model's server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Egress {
    /// When.
    pub at: Timestamp,
    /// About which call.
    pub call_id: CallId,
    /// To whom: host and port.
    pub host: String,
    /// Name of the model.
    pub model: String,
    /// What for.
    pub purpose: Purpose,
    /// How many characters.
    pub chars: u64,
    /// Different pieces of personal data that were hidden in the call so far.
    pub hidden: u32,
    /// `ok`, or the stable name of what went wrong.
    pub outcome: String,
    /// Tokens read by the model, as its server counts.
    pub input_tokens: u32,
    /// Tokens written by it.
    pub output_tokens: u32,
    /// What they cost, by the prices of the settings.
    pub cost: f64,
}

/// What a language model is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To judge a call.
    Score,
    /// To answer a question.
    Question,
    /// To sum a call up.
    Summary,
}

/// What was sent and spent since some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Requests.
    pub requests: u64,
    /// Tokens read by models.
    pub input_tokens: u64,
    /// Tokens written by them.
    pub output_tokens: u64,
    /// What they cost.
    pub cost: f64,
}

/// What was sent to one model in one day.
#[derive(Debug, Clone, PartialEq)]
pub struct DaySpent {
    /// The day, in the zone of the settings.
    pub day: Date,
    /// Name of the model.
    pub model: String,
    /// What was sent and spent.
    pub spent: Spent,
}

impl Spent {
    /// Counts one request.
    pub fn add(&mut self, egress: &Egress) {
        self.requests += 1;
        self.input_tokens += u64::from(egress.input_tokens);
        self.output_tokens += u64::from(egress.output_tokens);
        self.cost += egress.cost;
    }
}

/// A call that waits for a language model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Since when.
    pub since: Timestamp,
    /// Not before this.
    pub not_before: Timestamp,
    /// Answers that could not be used.
    pub attempts: u32,
}
