//! Questions that people ask of calls, the answers, and analyses that ask one
//! question of many calls.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CallId, Speaker};

/// Longest question, in characters.
pub const MAX_QUESTION: usize = 2000;
/// Longest name of a saved question, in characters.
pub const MAX_NAME: usize = 120;

/// Words of a transcript that prove something; never anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Index of the turn in the transcript.
    pub turn_index: usize,
    /// Who says it.
    pub speaker: Speaker,
    /// The words, exactly as in the transcript.
    pub text: String,
    /// First millisecond.
    pub start_ms: u64,
    /// First millisecond after it.
    pub end_ms: u64,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// A language model.
    Model,
    /// A search for the question's words.
    Search,
}

/// Why something is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Stable name.
    pub code: String,
    /// In words.
    pub message: String,
}

impl Why {
    /// With a stable name and words.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Who answered.
    pub kind: AnswerKind,
    /// The answer.
    pub text: String,
    /// What proves it.
    pub quotes: Vec<Quote>,
    /// Whether a quote proves it; never true without quotes.
    pub confirmed: bool,
    /// Why no model answered.
    pub why: Option<Why>,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens read and written.
    pub tokens: (u32, u32),
    /// What they cost, by the prices of the settings.
    pub cost: f64,
    /// Version of the transcript that was asked.
    pub version: u32,
}

/// A question about one call, and its answer once there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Its id: a ULID.
    pub id: String,
    /// The call.
    pub call_id: CallId,
    /// What was asked.
    pub question: String,
    /// The saved question it was.
    pub saved_id: Option<String>,
    /// Name of the account.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// `None` while it is being answered.
    pub found: Option<Finding>,
}

/// A question that is asked again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedQuestion {
    /// Its id: a ULID.
    pub id: String,
    /// Short name.
    pub name: String,
    /// What is asked.
    pub text: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl SavedQuestion {
    /// Without spaces at the ends.
    ///
    /// # Errors
    /// Says which part is wrong and how.
    pub fn tidy(mut self) -> Result<Self, String> {
        self.text = question(&self.text)?;
        self.name = self.name.trim().to_owned();
        let length = self.name.chars().count();
        if length == 0 || length > MAX_NAME || self.name.chars().any(char::is_control) {
            return Err(format!(
                "name: from 1 to {MAX_NAME} characters on one line are needed"
            ));
        }
        Ok(self)
    }
}

/// A question without spaces at its ends.
///
/// # Errors
/// Says what is wrong with it.
pub fn question(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    let strange = |c: char| c.is_control() && c != '\n' && c != '\t';
    if length == 0 || length > MAX_QUESTION || text.chars().any(strange) {
        return Err(format!(
            "question: from 1 to {MAX_QUESTION} characters are needed"
        ));
    }
    if !text.chars().any(char::is_alphanumeric) {
        return Err("question: it has no word".to_owned());
    }
    Ok(text.to_owned())
}

/// Where an analysis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisState {
    /// Calls are being asked.
    Running,
    /// All are.
    Done,
    /// A person stopped it.
    Cancelled,
    /// What it might cost is spent.
    OutOfBudget,
}

/// One question asked of many calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Its id: a ULID.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// The saved question it is.
    pub saved_id: Option<String>,
    /// The filter that chose the calls, as it was sent; `None` where ids were given.
    pub filter: Option<String>,
    /// Calls that the filter let through; more than are asked where the budget says so.
    pub matching: u64,
    /// Calls that are asked.
    pub calls: u32,
    /// What it may cost in all; `None` is no limit of its own.
    pub most_cost: Option<f64>,
    /// Where it is.
    pub state: AnalysisState,
    /// Calls that are done with, whatever came of them.
    pub done: u32,
    /// Of them, with an answer of the model that a quote proves.
    pub confirmed: u32,
    /// Of them, with an answer of any kind.
    pub answered: u32,
    /// Tokens read and written so far.
    pub tokens: (u64, u64),
    /// What they cost.
    pub cost: f64,
    /// Name of the account.
    pub asked_by: String,
    /// When it was started.
    pub asked_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What became of one call of an analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The call.
    pub call_id: CallId,
    /// Its file, when it was asked.
    pub filename: String,
    /// Its operator.
    pub operator: Option<String>,
    /// When the conversation was, else when it arrived.
    pub at: Timestamp,
    /// The answer.
    pub found: Option<Finding>,
    /// Why there is none; `None` with no answer: it waits.
    pub why: Option<Why>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_tidied_or_refused() {
        assert_eq!(question("  Что обещали?\n").as_deref(), Ok("Что обещали?"));
        for bad in ["", "  ", "?!", "a\u{7}b", &"я".repeat(MAX_QUESTION + 1)] {
            assert!(question(bad).is_err(), "{bad:?}");
        }
        let saved = |name: &str| SavedQuestion {
            id: "x".into(),
            name: name.into(),
            text: " Что обещали? ".into(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(
            saved(" Обещания ").tidy().map(|s| s.name),
            Ok("Обещания".into())
        );
        assert!(saved(" ").tidy().is_err_and(|e| e.starts_with("name")));
        assert!(saved("a\nb").tidy().is_err());
    }
}
