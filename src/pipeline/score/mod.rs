//! The score stage: metrics and the offline rules over a transcript, and a language
//! model's judgement of what was said. Called by the pipeline and by `analyze`.

mod evidence;
mod judge;
pub mod metrics;
pub mod parts;
pub mod phrases;
pub mod proof;
mod questions;
mod quotes;
mod rules;
#[cfg(test)]
pub(crate) mod test_call;

pub use judge::{Ask, Brief, judge};
pub use questions::{GUARD, MARKS, line};
pub use rules::Rules;

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::card_version::CardKey;
use crate::domain::{Envelope, Score, Transcript};

/// The scorecard in force; another one takes its place while calls are scored.
pub struct InForce(RwLock<Arc<Rules>>);

impl InForce {
    /// These rules are in force.
    pub fn new(rules: Rules) -> Self {
        Self(RwLock::new(Arc::new(rules)))
    }

    /// The rules in force now.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Others are, from now on. What is being scored is scored by those before.
    pub fn replace(&self, rules: Rules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}

/// Which version of which scorecard a score was made with.
pub fn card_of(score: &Score) -> CardKey {
    CardKey {
        id: score.scorecard_id.clone(),
        version: score.scorecard_version,
    }
}

/// Computes the metrics and applies the scorecard. `duration_ms` is the length of the recording.
pub fn score(
    rules: &Rules,
    transcript: &Transcript,
    envelope: &Envelope,
    duration_ms: u64,
) -> Score {
    let metrics = metrics::compute(
        transcript,
        envelope,
        duration_ms,
        &rules.hold,
        &rules.back_channels,
    );
    rules.apply(transcript, metrics)
}
