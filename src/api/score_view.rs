//! Wire types of a score with what people said of it.

use poem_openapi::{Enum, Object};

use super::model_note::ModelNoteView;
use super::review_view::{OpenDisputeView, ReviewWordView};
use super::views::SpeakerView;
use crate::domain::Scorecard;
use crate::domain::review::{self, ItemReview};
use crate::domain::score::{
    CriterionScore, Engine, Evidence, EvidenceKind, ItemScore, ReasonCode, Score, Verdict,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum VerdictView {
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
    /// What counts: a person's word where there is one, else the machine's.
    verdict: VerdictView,
    /// What the machine says; `reason`, `evidence`, `judged_by` and `comment` are about it.
    machine_verdict: VerdictView,
    reason: ReasonView,
    evidence: Vec<EvidenceView>,
    /// Who judged this item.
    judged_by: EngineView,
    /// Why, in the model's words.
    comment: Option<String>,
    /// Entries about the item; sent back with a review, which a newer entry refuses.
    revision: u32,
    /// The person's word in force.
    review: Option<ReviewWordView>,
    /// The dispute that nobody has settled yet.
    dispute: Option<OpenDisputeView>,
}

#[derive(Object)]
struct CriterionScoreView {
    key: String,
    name: String,
    name_en: Option<String>,
    weight: f64,
    /// With what people said of the verdicts.
    percent: Option<f64>,
    /// By the machine alone.
    machine_percent: Option<f64>,
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
pub(super) enum EngineView {
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
    /// With what people said of the verdicts.
    overall_percent: Option<f64>,
    /// By the machine alone.
    machine_percent: Option<f64>,
    /// Items whose verdict is another one than the machine's.
    changed_items: u32,
    /// Disputes that nobody has settled yet.
    open_disputes: u32,
    criteria: Vec<CriterionScoreView>,
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Met => Self::Met,
            Verdict::Failed => Self::Failed,
            Verdict::NotApplicable => Self::NotApplicable,
            Verdict::Unconfirmed => Self::Unconfirmed,
        }
    }
}

impl From<VerdictView> for Verdict {
    fn from(verdict: VerdictView) -> Self {
        match verdict {
            VerdictView::Met => Self::Met,
            VerdictView::Failed => Self::Failed,
            VerdictView::NotApplicable => Self::NotApplicable,
            VerdictView::Unconfirmed => Self::Unconfirmed,
        }
    }
}

impl From<EngineView> for Engine {
    fn from(engine: EngineView) -> Self {
        match engine {
            EngineView::Rules => Self::Rules,
            EngineView::Model => Self::Model,
        }
    }
}

impl ScoreView {
    /// `outrun`: the transcript has changed since.
    pub(super) fn new(
        score: &Score,
        reviews: &[ItemReview],
        in_force: &Scorecard,
        outrun: bool,
    ) -> Self {
        let counts = review::apply(score, reviews);
        let summary = review::summary(score, reviews);
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
            overall_percent: counts.overall_percent,
            machine_percent: score.overall_percent,
            changed_items: summary.changed,
            open_disputes: summary.disputes,
            criteria: score
                .criteria
                .iter()
                .zip(&counts.criteria)
                .map(|(machine, counts)| CriterionScoreView::new(score, machine, counts, reviews))
                .collect(),
        }
    }
}

impl CriterionScoreView {
    fn new(
        score: &Score,
        machine: &CriterionScore,
        criterion: &CriterionScore,
        reviews: &[ItemReview],
    ) -> Self {
        Self {
            key: criterion.key.clone(),
            name: criterion.name.clone(),
            name_en: criterion.name_en.clone(),
            weight: criterion.weight,
            percent: criterion.percent,
            machine_percent: machine.percent,
            auto_failed: criterion.auto_failed,
            items: machine
                .items
                .iter()
                .map(|item| ItemView::new(score, item, review::of(reviews, &item.key)))
                .collect(),
        }
    }
}

impl ItemView {
    fn new(score: &Score, item: &ItemScore, review: Option<&ItemReview>) -> Self {
        let counts = review.map_or(item.verdict, |review| review.verdict(item.verdict));
        Self {
            revision: review.map_or(0, ItemReview::revision),
            review: review
                .and_then(ItemReview::word)
                .map(|word| ReviewWordView::new(word, item.verdict, score)),
            dispute: review
                .and_then(ItemReview::open_dispute)
                .map(OpenDisputeView::from),
            key: item.key.clone(),
            name: item.name.clone(),
            name_en: item.name_en.clone(),
            weight: item.weight,
            auto_fail: item.auto_fail,
            verdict: counts.into(),
            machine_verdict: item.verdict.into(),
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
