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

use crate::domain::{Envelope, Score, Transcript};

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
