//! Wire types of a call's details, and how they are made from what is stored.

use poem_openapi::Object;

use super::metadata::DetailsView;
use super::score_view::ScoreView;
use super::transcript::TranscriptView;
use super::views::CallView;
use crate::domain::metrics::{ByParty, Interruptions, Loudness};
use crate::domain::review::ItemReview;
use crate::domain::{Metrics, Recording, Score, Scorecard, Transcript};
use crate::store::Entry;

/// The file and what decoding found in it.
#[derive(Object)]
struct RecordingView {
    /// SHA-256 of the bytes.
    sha256: String,
    size_bytes: u64,
    content_type: String,
    container: Option<String>,
    codec: Option<String>,
    sample_rate_hz: Option<u32>,
    channels: Option<u16>,
    /// Two channels with one signal.
    dual_mono: Option<bool>,
    /// Packets that could not be decoded and were skipped.
    damaged_packets: Option<u32>,
}

#[derive(Object)]
struct InterruptionsView {
    count: u32,
    /// Time both spoke because of it.
    ms: u64,
}

#[derive(Object)]
struct InterruptionsByPartyView {
    operator: InterruptionsView,
    client: InterruptionsView,
}

#[derive(Object)]
struct RateByPartyView {
    operator: Option<f64>,
    client: Option<f64>,
}

#[derive(Object)]
struct LoudnessView {
    rms_dbfs: f64,
    peak_dbfs: f64,
    clipping: bool,
    near_silent: bool,
}

#[derive(Object)]
struct LoudnessByPartyView {
    operator: Option<LoudnessView>,
    client: Option<LoudnessView>,
}

/// A metric that could not be computed.
#[derive(Object)]
struct UnavailableView {
    metric: String,
    /// `speakers_unknown`, `no_speech`, `too_few_turns`.
    reason: String,
}

/// Conversation metrics; shares are 0–100.
#[derive(Object)]
struct MetricsView {
    duration_ms: u64,
    speech_ms: u64,
    /// Of the length of the call.
    operator_talk_share: Option<f64>,
    /// Of the speech of both.
    operator_speech_share: Option<f64>,
    client_speech_share: Option<f64>,
    non_talk_ms: u64,
    non_talk_share: f64,
    longest_pause_ms: u64,
    hold_ms: u64,
    interruptions: Option<InterruptionsByPartyView>,
    overtalk_share: Option<f64>,
    speech_rate_wpm: RateByPartyView,
    pace_mismatch: Option<f64>,
    longest_monologue_ms: Option<u64>,
    customer_story_ms: Option<u64>,
    patience_ms: Option<u64>,
    interactivity_per_min: Option<f64>,
    first_response_ms: Option<u64>,
    loudness: LoudnessByPartyView,
    unavailable: Vec<UnavailableView>,
}

/// Everything about a call.
#[derive(Object)]
pub(super) struct CallDetail {
    call: CallView,
    /// What is told of the call besides its sound.
    details: DetailsView,
    recording: RecordingView,
    transcript: Option<TranscriptView>,
    score: Option<ScoreView>,
    metrics: Option<MetricsView>,
}

impl CallDetail {
    pub(super) fn new(
        entry: &Entry,
        stage_progress: f64,
        recording: &Recording,
        transcript: Option<&Transcript>,
        score: Option<(&Score, &[ItemReview])>,
        in_force: &Scorecard,
    ) -> Self {
        Self {
            call: CallView::new(entry, stage_progress),
            details: DetailsView::from(&entry.call.details),
            recording: RecordingView::from(recording),
            transcript: transcript.map(TranscriptView::from),
            metrics: score.map(|(score, _)| MetricsView::from(&score.metrics)),
            score: score.map(|(score, reviews)| {
                let summary = entry.call.score.as_ref();
                let outrun = summary.is_some_and(|summary| summary.stale);
                ScoreView::new(score, reviews, in_force, outrun)
            }),
        }
    }
}

impl From<&Recording> for RecordingView {
    fn from(recording: &Recording) -> Self {
        let media = recording.media.as_ref();
        Self {
            sha256: recording.sha256.clone(),
            size_bytes: recording.size_bytes,
            content_type: recording.content_type.clone(),
            container: media.map(|media| media.container.clone()),
            codec: media.map(|media| media.codec.clone()),
            sample_rate_hz: media.map(|media| media.sample_rate_hz),
            channels: media.map(|media| media.channels),
            dual_mono: media.map(|media| media.dual_mono),
            damaged_packets: media.map(|media| media.damaged_packets),
        }
    }
}

impl From<Interruptions> for InterruptionsView {
    fn from(interruptions: Interruptions) -> Self {
        Self {
            count: interruptions.count,
            ms: interruptions.overlap_ms,
        }
    }
}

impl From<Loudness> for LoudnessView {
    fn from(loudness: Loudness) -> Self {
        Self {
            rms_dbfs: loudness.rms_dbfs,
            peak_dbfs: loudness.peak_dbfs,
            clipping: loudness.clipping,
            near_silent: loudness.near_silent,
        }
    }
}

impl From<&Metrics> for MetricsView {
    fn from(metrics: &Metrics) -> Self {
        let ByParty { operator, client } = metrics.loudness;
        Self {
            duration_ms: metrics.duration_ms,
            speech_ms: metrics.speech_ms,
            operator_talk_share: metrics.operator_talk_share,
            operator_speech_share: metrics.operator_speech_share,
            client_speech_share: metrics.client_speech_share,
            non_talk_ms: metrics.non_talk_ms,
            non_talk_share: metrics.non_talk_share,
            longest_pause_ms: metrics.longest_pause_ms,
            hold_ms: metrics.hold_ms,
            interruptions: metrics
                .interruptions
                .map(|by_party| InterruptionsByPartyView {
                    operator: by_party.operator.into(),
                    client: by_party.client.into(),
                }),
            overtalk_share: metrics.overtalk_share,
            speech_rate_wpm: RateByPartyView {
                operator: metrics.speech_rate_wpm.operator,
                client: metrics.speech_rate_wpm.client,
            },
            pace_mismatch: metrics.pace_mismatch,
            longest_monologue_ms: metrics.longest_monologue_ms,
            customer_story_ms: metrics.customer_story_ms,
            patience_ms: metrics.patience_ms,
            interactivity_per_min: metrics.interactivity_per_min,
            first_response_ms: metrics.first_response_ms,
            loudness: LoudnessByPartyView {
                operator: operator.map(LoudnessView::from),
                client: client.map(LoudnessView::from),
            },
            unavailable: metrics
                .unavailable
                .iter()
                .map(|unavailable| UnavailableView {
                    metric: unavailable.metric.clone(),
                    reason: unavailable.reason.clone(),
                })
                .collect(),
        }
    }
}
