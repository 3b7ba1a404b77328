//! Language models behind any server that speaks the OpenAI protocol: how they are
//! asked, what may leave the machine, and what an answer cost. What is asked is the
//! business of `pipeline::score`. Everything blocks.

mod answer;
mod client;
mod mask;
mod pace;
mod stream;

pub use client::{Client, Heard, Listener, Message, Reply, Role, Shape, Usage};
pub use mask::Mask;

use std::time::Duration;

/// Why a model gave no answer; what can be done is in the variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// Another try later may help.
    #[error("the language model cannot be asked now: {reason}")]
    Later {
        /// Not before this, where the server says so.
        after: Option<Duration>,
        /// In words.
        reason: String,
    },
    /// The account has no money or no quota left: nothing more is asked until
    /// somebody looks after it.
    #[error("the account at the language model's server is exhausted: {0}")]
    Quota(String),
    /// The key is refused.
    #[error("the language model's server refuses the key: {0}")]
    Denied(String),
    /// This request would be refused again.
    #[error("the language model's server refuses the request: {0}")]
    Refused(String),
    /// The answer cannot be used.
    #[error("the language model's answer cannot be used: {0}")]
    Unusable(String),
    /// What the settings allow to be spent in a day is spent.
    #[error("the language model's budget of the day is spent")]
    Budget,
    /// The program stops.
    #[error("stopped")]
    Stopped,
}

impl LlmError {
    /// Stable name.
    pub fn code(&self) -> &'static str {
        match self {
            LlmError::Later { .. } => "llm_unavailable",
            LlmError::Quota(_) => "llm_quota",
            LlmError::Denied(_) => "llm_denied",
            LlmError::Refused(_) => "llm_refused",
            LlmError::Unusable(_) => "llm_unusable",
            LlmError::Budget => "llm_budget",
            LlmError::Stopped => "stopped",
        }
    }
}
