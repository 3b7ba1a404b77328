//! Wire types of a call's details, and how they are made from what is stored.

use poem_openapi::{Enum, Object};

use super::metadata::DetailsView;
use super::model_note::ModelNoteView;
use super::transcript::TranscriptView;
use super::views::{CallView, SpeakerView};
use crate::domain::metrics::{ByParty, Interruptions, Loudness};
use crate::domain::score::{
    CriterionScore, Engine, Evidence, EvidenceKind, ItemScore, ReasonCode, Score, Verdict,
};
use crate::domain::{Metrics, Recording, Scorecard, Transcript};
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

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum VerdictView {
    Met,
    Failed,
    NotApplicable,
    /// Earns nothing: a model says it was met and cannot prove it.
    Unconfirmed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum ReasonCodeView {
    PhraseFound,
    PhraseAbsent,
    PhraseForbiddenFound,
    PhraseForbiddenAbsent,
    TriggerAbsent,
    SpeakersUnknown,
    MetricOk,
    MetricExceeded,
    MetricBelow,
    MetricUnavailable,
    /// A model says it was said, and its quote is not in the transcript.
    ModelUnconfirmed,
}

/// Why an item got its verdict.
#[derive(Object)]
struct ReasonView {
    code: ReasonCodeView,
    value: Option<f64>,
    threshold: Option<f64>,
    /// `count`, `s`, `percent`, `per_min`, `wpm`, `ratio`, `dbfs`.
    unit: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum EvidenceKindView {
    /// Words that were said and decide the item.
    Quote,
    /// The place where the expected words are missing.
    Expected,
    /// A moment that a metric counts.
    Moment,
    /// The speech that was searched without finding what must not be said.
    Checked,
}

/// Where to listen.
#[derive(Object)]
struct EvidenceView {
    kind: EvidenceKindView,
    /// Null for silence.
    turn_index: Option<u32>,
    speaker: SpeakerView,
    /// Exactly as in the transcript.
    quote: String,
    start_ms: u64,
    end_ms: u64,
}

#[derive(Object)]
struct ItemView {
    key: String,
    name: String,
    name_en: Option<String>,
    weight: f64,
    /// Failing it makes the criterion 0.
    auto_fail: bool,
    verdict: VerdictView,
    reason: ReasonView,
    evidence: Vec<EvidenceView>,
    /// Who judged this item.
    judged_by: EngineView,
    /// Why, in the model's words.
    comment: Option<String>,
}

#[derive(Object)]
struct CriterionScoreView {
    key: String,
    name: String,
    name_en: Option<String>,
    weight: f64,
    percent: Option<f64>,
    /// An automatic fail made it 0.
    auto_failed: bool,
    items: Vec<ItemView>,
}

#[derive(Object)]
struct ScorecardRefView {
    id: String,
    version: u32,
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum EngineView {
    /// The offline rules.
    Rules,
    /// A language model, as far as it could prove what it says.
    Model,
}

impl From<Engine> for EngineView {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Rules => Self::Rules,
            Engine::Model => Self::Model,
        }
    }
}

/// Why a score is not what would come out now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum StaleView {
    /// It was made with another version of the scorecard than the one in force.
    Scorecard,
    /// The transcript has changed since.
    Transcript,
}

#[derive(Object)]
pub(super) struct ScoreView {
    scorecard: ScorecardRefView,
    engine: EngineView,
    /// What a language model has to do with it; null where none is used.
    model: Option<ModelNoteView>,
    /// 1 speakers and language model, 2 rules only, 3 speakers not told apart, 4 no transcript.
    level: u8,
    /// Not what would come out now; `stale_because` says why.
    stale: bool,
    /// Why; the transcript, where both are true.
    stale_because: Option<StaleView>,
    overall_percent: Option<f64>,
    criteria: Vec<CriterionScoreView>,
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
        score: Option<&Score>,
        in_force: &Scorecard,
    ) -> Self {
        Self {
            call: CallView::new(entry, stage_progress),
            details: DetailsView::from(&entry.call.details),
            recording: RecordingView::from(recording),
            transcript: transcript.map(TranscriptView::from),
            metrics: score.map(|score| MetricsView::from(&score.metrics)),
            score: score.map(|score| {
                let summary = entry.call.score.as_ref();
                let outrun = summary.is_some_and(|summary| summary.stale);
                ScoreView::new(score, in_force, outrun)
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

impl ScoreView {
    /// `outrun`: the transcript has changed since.
    pub(super) fn new(score: &Score, in_force: &Scorecard, outrun: bool) -> Self {
        let other_card = (score.scorecard_id.as_str(), score.scorecard_version)
            != (in_force.id.as_str(), in_force.version);
        Self {
            stale: outrun || other_card,
            stale_because: match (outrun, other_card) {
                (true, _) => Some(StaleView::Transcript),
                (false, true) => Some(StaleView::Scorecard),
                (false, false) => None,
            },
            scorecard: ScorecardRefView {
                id: score.scorecard_id.clone(),
                version: score.scorecard_version,
                name: score.scorecard_name.clone(),
            },
            engine: score.engine.into(),
            model: score.model.as_ref().map(ModelNoteView::from),
            level: score.level,
            overall_percent: score.overall_percent,
            criteria: score
                .criteria
                .iter()
                .map(CriterionScoreView::from)
                .collect(),
        }
    }
}

impl From<&CriterionScore> for CriterionScoreView {
    fn from(criterion: &CriterionScore) -> Self {
        Self {
            key: criterion.key.clone(),
            name: criterion.name.clone(),
            name_en: criterion.name_en.clone(),
            weight: criterion.weight,
            percent: criterion.percent,
            auto_failed: criterion.auto_failed,
            items: criterion.items.iter().map(ItemView::from).collect(),
        }
    }
}

impl From<&ItemScore> for ItemView {
    fn from(item: &ItemScore) -> Self {
        Self {
            key: item.key.clone(),
            name: item.name.clone(),
            name_en: item.name_en.clone(),
            weight: item.weight,
            auto_fail: item.auto_fail,
            verdict: match item.verdict {
                Verdict::Met => VerdictView::Met,
                Verdict::Failed => VerdictView::Failed,
                Verdict::NotApplicable => VerdictView::NotApplicable,
                Verdict::Unconfirmed => VerdictView::Unconfirmed,
            },
            reason: ReasonView {
                code: match item.reason.code {
                    ReasonCode::PhraseFound => ReasonCodeView::PhraseFound,
                    ReasonCode::PhraseAbsent => ReasonCodeView::PhraseAbsent,
                    ReasonCode::PhraseForbiddenFound => ReasonCodeView::PhraseForbiddenFound,
                    ReasonCode::PhraseForbiddenAbsent => ReasonCodeView::PhraseForbiddenAbsent,
                    ReasonCode::TriggerAbsent => ReasonCodeView::TriggerAbsent,
                    ReasonCode::SpeakersUnknown => ReasonCodeView::SpeakersUnknown,
                    ReasonCode::MetricOk => ReasonCodeView::MetricOk,
                    ReasonCode::MetricExceeded => ReasonCodeView::MetricExceeded,
                    ReasonCode::MetricBelow => ReasonCodeView::MetricBelow,
                    ReasonCode::MetricUnavailable => ReasonCodeView::MetricUnavailable,
                    ReasonCode::ModelUnconfirmed => ReasonCodeView::ModelUnconfirmed,
                },
                value: item.reason.value,
                threshold: item.reason.threshold,
                unit: item.reason.unit.clone(),
            },
            evidence: item.evidence.iter().map(EvidenceView::from).collect(),
            judged_by: item.judged_by.into(),
            comment: item.comment.clone(),
        }
    }
}

impl From<&Evidence> for EvidenceView {
    fn from(evidence: &Evidence) -> Self {
        Self {
            kind: match evidence.kind {
                EvidenceKind::Quote => EvidenceKindView::Quote,
                EvidenceKind::Expected => EvidenceKindView::Expected,
                EvidenceKind::Moment => EvidenceKindView::Moment,
                EvidenceKind::Checked => EvidenceKindView::Checked,
            },
            turn_index: evidence.turn_index.map(|index| index as u32),
            speaker: evidence.speaker.into(),
            quote: evidence.quote.clone(),
            start_ms: evidence.start_ms,
            end_ms: evidence.end_ms,
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
