//! A scorecard version applied to a call: verdicts, percents and the evidence
//! for each. No quote, no points.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::call::{CriterionSummary, ScoreSummary};
use super::prompt::PromptRef;
use super::{Metrics, Speaker};

/// Result of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Earned its weight.
    Met,
    /// Lost its weight.
    Failed,
    /// Leaves both sides of the division.
    NotApplicable,
    /// Earns nothing: a model says it was met, and its proof is not in the transcript.
    Unconfirmed,
}

impl Verdict {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Failed => "failed",
            Verdict::NotApplicable => "not_applicable",
            Verdict::Unconfirmed => "unconfirmed",
        }
    }
}

/// Why an item got its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The phrase was said.
    PhraseFound,
    /// The phrase was not said where it was expected.
    PhraseAbsent,
    /// A phrase was said that must not be.
    PhraseForbiddenFound,
    /// The phrase that must not be said was not said.
    PhraseForbiddenAbsent,
    /// What the item answers to (an objection, say) did not happen.
    TriggerAbsent,
    /// The item is about one party and the voices could not be told apart.
    SpeakersUnknown,
    /// The metric is within its bounds.
    MetricOk,
    /// The metric is above its maximum.
    MetricExceeded,
    /// The metric is below its minimum.
    MetricBelow,
    /// The metric cannot be computed for this call.
    MetricUnavailable,
    /// A model says it was said, and its quote is not in the transcript.
    ModelUnconfirmed,
}

/// A reason with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Which.
    pub code: ReasonCode,
    /// The value found: a count or the metric's value.
    pub value: Option<f64>,
    /// The bound it was held against.
    pub threshold: Option<f64>,
    /// Unit of both: `count`, `s`, `percent`, `per_min`, `wpm`, `ratio`, `dbfs`.
    pub unit: Option<String>,
}

/// What a piece of evidence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// Words that were said and decide the item.
    Quote,
    /// The place where the expected words are missing; the quote is what was said there.
    Expected,
    /// A moment a metric counts, such as an interruption or a pause.
    Moment,
    /// The speech that was searched without finding what must not be said; the quote is its first words.
    Checked,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it shows.
    pub kind: EvidenceKind,
    /// Index of the turn in the transcript; `None` for silence.
    pub turn_index: Option<usize>,
    /// Who speaks there.
    pub speaker: Speaker,
    /// The words, exactly as in the transcript; empty for silence.
    pub quote: String,
    /// First millisecond.
    pub start_ms: u64,
    /// First millisecond after it.
    pub end_ms: u64,
}

/// One item's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemScore {
    /// Key in the scorecard.
    pub key: String,
    /// Name as the team wrote it.
    pub name: String,
    /// English name, where given.
    pub name_en: Option<String>,
    /// Weight within the criterion.
    pub weight: f64,
    /// True when failing it makes the criterion 0.
    pub auto_fail: bool,
    /// The result.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Where to listen; at least one entry for met and failed items of a call with words.
    pub evidence: Vec<Evidence>,
    /// Who judged this item.
    #[serde(default)]
    pub judged_by: Engine,
    /// Why, in the model's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// One criterion's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionScore {
    /// Key in the scorecard.
    pub key: String,
    /// Name as the team wrote it.
    pub name: String,
    /// English name, where given.
    pub name_en: Option<String>,
    /// Weight in the overall percent.
    pub weight: f64,
    /// 0–100; `None` when no item applied.
    pub percent: Option<f64>,
    /// True when an automatic fail made it 0.
    pub auto_failed: bool,
    /// The items in the order of the scorecard.
    pub items: Vec<ItemScore>,
}

/// Who judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The offline rules.
    #[default]
    Rules,
    /// A language model, as far as it could prove what it says; the rules for the rest.
    Model,
}

/// Where a language model's judgement of a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// It was not asked yet, or will be asked again.
    Waiting,
    /// The score is its judgement.
    Judged,
    /// It cannot judge this call: the score is that of the rules.
    Failed,
}

/// What a language model has to do with a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelNote {
    /// Where its judgement is.
    pub state: ModelState,
    /// Its name.
    pub model: String,
    /// Stable name of what went wrong last.
    pub code: Option<String>,
    /// The same in words.
    pub message: Option<String>,
    /// Quotes that it gave.
    pub quotes: u32,
    /// Those of them that are in the transcript, said by the right party.
    pub confirmed: u32,
    /// Tokens that it read.
    pub input_tokens: u32,
    /// Tokens that it wrote.
    pub output_tokens: u32,
    /// The team's instructions that it was given; none where the team has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptRef>,
}

impl ModelNote {
    /// Without figures.
    pub fn new(state: ModelState) -> Self {
        Self {
            state,
            model: String::new(),
            code: None,
            message: None,
            quotes: 0,
            confirmed: 0,
            input_tokens: 0,
            output_tokens: 0,
            prompt: None,
        }
    }
}

/// A scorecard version applied to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Id of the scorecard.
    pub scorecard_id: String,
    /// Its version.
    pub scorecard_version: u32,
    /// Its name.
    pub scorecard_name: String,
    /// Who judged.
    pub engine: Engine,
    /// 1 speakers and language model, 2 rules only, 3 speakers not told apart, 4 no transcript.
    pub level: u8,
    /// Weighted mean of the criteria, 0–100; `None` when nothing applied.
    pub overall_percent: Option<f64>,
    /// The criteria in the order of the scorecard.
    pub criteria: Vec<CriterionScore>,
    /// The metrics the score was made with.
    pub metrics: Metrics,
    /// What a language model has to do with it; absent where none is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelNote>,
}

impl Score {
    /// The percents alone; what people say of them is [`super::review::summary`]'s.
    pub fn summary(&self) -> ScoreSummary {
        ScoreSummary {
            overall_percent: self.overall_percent,
            criteria: self
                .criteria
                .iter()
                .map(|criterion| CriterionSummary {
                    key: criterion.key.clone(),
                    name: criterion.name.clone(),
                    name_en: criterion.name_en.clone(),
                    percent: criterion.percent,
                })
                .collect(),
            stale: false,
            level: Some(self.level),
            machine_percent: self.overall_percent,
            changed: 0,
            reviewed: 0,
            disputes: 0,
        }
    }
}

impl Score {
    /// How many items have another verdict in `other`, or are in one of both only.
    pub fn changed_items(&self, other: &Score) -> u32 {
        let verdicts = |score: &Score| -> BTreeMap<String, Verdict> {
            let items = score.criteria.iter().flat_map(|criterion| &criterion.items);
            items.map(|item| (item.key.clone(), item.verdict)).collect()
        };
        let (mine, others) = (verdicts(self), verdicts(other));
        let changed = mine
            .iter()
            .filter(|(key, verdict)| others.get(*key) != Some(verdict))
            .count();
        let new = others.keys().filter(|key| !mine.contains_key(*key)).count();
        u32::try_from(changed + new).unwrap_or(u32::MAX)
    }
}

/// Percent of a criterion: the weighted share of the applicable items that were met, one decimal.
/// A failed automatic-fail item makes it 0. `None` when no item applies.
pub fn criterion_percent(items: &[ItemScore]) -> (Option<f64>, bool) {
    let auto_failed = items
        .iter()
        .any(|item| item.auto_fail && item.verdict == Verdict::Failed);
    let mut met = 0.0;
    let mut total = 0.0;
    for item in items {
        match item.verdict {
            Verdict::Met => {
                met += item.weight;
                total += item.weight;
            }
            Verdict::Failed | Verdict::Unconfirmed => total += item.weight,
            Verdict::NotApplicable => {}
        }
    }
    if auto_failed {
        (Some(0.0), true)
    } else if total > 0.0 {
        (Some(one_decimal(met / total * 100.0)), false)
    } else {
        (None, false)
    }
}

/// Below this share of applicable weight there is no overall percent: one item
/// that happens to apply says nothing about a call.
const MIN_APPLICABLE: f64 = 0.25;

/// Overall percent: the weighted mean of the criteria that have one, one decimal.
/// `None` when less than a quarter of the scorecard's weight applied.
pub fn overall_percent(criteria: &[CriterionScore]) -> Option<f64> {
    let mut sum = 0.0;
    let mut weights = 0.0;
    let (mut applied, mut all) = (0.0, 0.0);
    for criterion in criteria {
        let items: f64 = criterion.items.iter().map(|item| item.weight).sum();
        for item in &criterion.items {
            let share = criterion.weight * item.weight / items;
            all += share;
            if item.verdict != Verdict::NotApplicable {
                applied += share;
            }
        }
        if let Some(percent) = criterion.percent {
            sum += percent * criterion.weight;
            weights += criterion.weight;
        }
    }
    (weights > 0.0 && applied >= all * MIN_APPLICABLE).then(|| one_decimal(sum / weights))
}

/// Rounded to one decimal.
pub fn one_decimal(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(weight: f64, verdict: Verdict, auto_fail: bool) -> ItemScore {
        ItemScore {
            key: "k".into(),
            name: "n".into(),
            name_en: None,
            weight,
            auto_fail,
            verdict,
            reason: Reason {
                code: ReasonCode::PhraseFound,
                value: None,
                threshold: None,
                unit: None,
            },
            evidence: Vec::new(),
            judged_by: Engine::Rules,
            comment: None,
        }
    }

    #[test]
    fn criterion_arithmetic() {
        use Verdict::{Failed, Met, NotApplicable, Unconfirmed};
        let cases: [(&[ItemScore], Option<f64>, bool); 6] = [
            (
                &[item(1.0, Met, false), item(2.0, Failed, false)],
                Some(33.3),
                false,
            ),
            (
                &[item(1.0, Met, false), item(9.0, NotApplicable, false)],
                Some(100.0),
                false,
            ),
            (
                &[item(9.0, Met, false), item(1.0, Failed, true)],
                Some(0.0),
                true,
            ),
            (
                &[item(1.0, Met, false), item(1.0, Unconfirmed, true)],
                Some(50.0),
                false,
            ),
            (&[item(1.0, NotApplicable, true)], None, false),
            (&[], None, false),
        ];
        for (items, percent, auto_failed) in cases {
            assert_eq!(criterion_percent(items), (percent, auto_failed));
        }
    }

    #[test]
    fn overall_leaves_out_criteria_without_a_percent() {
        let criterion = |weight, percent| CriterionScore {
            key: "k".into(),
            name: "n".into(),
            name_en: None,
            weight,
            percent,
            auto_failed: false,
            items: vec![item(1.0, Verdict::Met, false)],
        };
        let criteria = [
            criterion(3.0, Some(100.0)),
            criterion(1.0, Some(0.0)),
            criterion(5.0, None),
        ];
        assert_eq!(overall_percent(&criteria), Some(75.0));
        assert_eq!(overall_percent(&[criterion(1.0, None)]), None);
        let mut mostly_unknown = criterion(1.0, Some(100.0));
        mostly_unknown
            .items
            .push(item(4.0, Verdict::NotApplicable, false));
        assert_eq!(overall_percent(&[mostly_unknown]), None);
    }
}
