//! The score stage: metrics and the offline rules over a transcript. Called by
//! the pipeline's runner and by `analyze`.

mod evidence;
pub mod metrics;
pub mod phrases;
mod rules;

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
