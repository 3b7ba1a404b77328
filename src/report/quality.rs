//! How good the scores are and how they move: disputes, agreement of people and the
//! machine, an operator's percents over time.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Averages, ReportError, Sums, time_of};
use crate::domain::access::Sight;
use crate::domain::agreement::Confusion;
use crate::domain::periods::{Step, day_of};
use crate::domain::review::{Act, Entry as Reviewed, ItemReview};
use crate::domain::score::{Engine, Verdict};
use crate::domain::terms::Terms;
use crate::domain::{Call, CallId};
use crate::store::{Store, StoreError};

/// Calls of a time and of an operator.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Of these operators only.
    pub sight: Sight,
    /// Operator's name, case does not matter.
    pub operator: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

impl Scope {
    fn takes(&self, terms: &Terms, call: &Call) -> bool {
        let time = time_of(call);
        self.sight.sees(call.operator.as_deref())
            && self.from.is_none_or(|from| time >= from)
            && self.to.is_none_or(|to| time < to)
            && terms.pass(call)
    }

    fn terms(&self) -> Terms {
        Terms::default().operator(self.operator.as_deref())
    }
}

/// Where a dispute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeState {
    /// Nobody has settled it.
    Open,
    /// The verdict was changed.
    Accepted,
    /// The verdict stayed.
    Declined,
}

/// A dispute about a verdict.
#[derive(Debug, Clone)]
pub struct Dispute {
    /// The call.
    pub call_id: CallId,
    /// Name of its file.
    pub filename: String,
    /// Its operator.
    pub operator: Option<String>,
    /// When it took place, as far as is known.
    pub call_at: Timestamp,
    /// All that was said of the item.
    pub review: ItemReview,
    /// What disputes it.
    pub opened: Reviewed,
    /// What settled it.
    pub settled: Option<Reviewed>,
    /// What the machine says of the item now; `None` when it is no longer scored.
    pub machine: Option<Verdict>,
}

impl Dispute {
    /// Where it is.
    pub fn state(&self) -> DisputeState {
        match self.settled.as_ref().map(|settled| settled.act) {
            None => DisputeState::Open,
            Some(Act::Accepted) => DisputeState::Accepted,
            Some(_) => DisputeState::Declined,
        }
    }
}

/// A page of disputes.
#[derive(Debug, Default)]
pub struct Disputes {
    /// The latest first.
    pub rows: Vec<Dispute>,
    /// How many there are in that state.
    pub total: u64,
    /// How many are open in all.
    pub open: u64,
}

/// Disputes over all calls in sight; `page` counts from 1, `None` takes those of any state.
pub fn disputes(
    store: &Store,
    sight: &Sight,
    state: Option<DisputeState>,
    page: usize,
    page_size: usize,
) -> Result<Disputes, StoreError> {
    let mut found: Vec<Dispute> = Vec::new();
    let mut open = 0;
    store.each_reviewed(|call, reviews| {
        if !sight.sees(call.operator.as_deref()) {
            return;
        }
        for review in reviews {
            for (opened, settled) in review.disputes() {
                let dispute = Dispute {
                    call_id: call.id.clone(),
                    filename: call.filename.clone(),
                    operator: call.operator.clone(),
                    call_at: time_of(&call),
                    opened: opened.clone(),
                    settled: settled.cloned(),
                    machine: None,
                    review: review.clone(),
                };
                open += u64::from(dispute.settled.is_none());
                if state.is_none_or(|wanted| wanted == dispute.state()) {
                    found.push(dispute);
                }
            }
        }
    })?;
    found.sort_by(|a, b| {
        (b.opened.at, &b.call_id, &b.review.item).cmp(&(a.opened.at, &a.call_id, &a.review.item))
    });
    let total = found.len() as u64;
    let mut rows: Vec<Dispute> = found
        .into_iter()
        .skip((page - 1).saturating_mul(page_size))
        .take(page_size)
        .collect();
    for row in &mut rows {
        let score = store.score(&row.call_id)?;
        let mut items = score
            .iter()
            .flat_map(|score| &score.criteria)
            .flat_map(|criterion| &criterion.items);
        row.machine = items
            .find(|item| item.key == row.review.item)
            .map(|item| item.verdict);
    }
    Ok(Disputes { rows, total, open })
}

/// Which of the people's words agreement is computed from.
#[derive(Debug, Clone, Default)]
pub struct AgreementFilter {
    /// Of which calls.
    pub scope: Scope,
    /// Given on this scorecard.
    pub scorecard: Option<String>,
    /// Given on this version of it.
    pub scorecard_version: Option<u32>,
    /// About verdicts of this machine.
    pub engine: Option<Engine>,
    /// About verdicts of this language model.
    pub model: Option<String>,
}

impl AgreementFilter {
    fn takes(&self, word: &Reviewed) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        same(&self.scorecard, Some(&word.scorecard_id))
            && self
                .scorecard_version
                .is_none_or(|version| version == word.scorecard_version)
            && self.engine.is_none_or(|engine| engine == word.engine)
            && same(&self.model, word.model.as_deref())
    }
}

/// How far people and the machine agree on one item.
#[derive(Debug, Clone)]
pub struct ItemAgreement {
    /// Id of the scorecard.
    pub scorecard_id: String,
    /// Key of the item.
    pub item: String,
    /// Its name, as it was last.
    pub name: String,
    /// Its English name.
    pub name_en: Option<String>,
    /// The pairs of verdicts.
    pub confusion: Confusion,
}

/// How far people and the machine agree.
#[derive(Debug, Clone, Default)]
pub struct Agreement {
    /// The worst first.
    pub items: Vec<ItemAgreement>,
    /// Over all items.
    pub total: Confusion,
    /// Calls that people looked at.
    pub calls: u64,
    /// Words that left the machine's verdict as it was.
    pub confirmed: u64,
    /// Words that changed it.
    pub changed: u64,
}

/// Agreement over all items on which a person's word is in force: what the machine said when
/// the word was given is held against the word.
pub fn agreement(store: &Store, filter: &AgreementFilter) -> Result<Agreement, StoreError> {
    let terms = filter.scope.terms();
    let mut found = Agreement::default();
    // The name is that of the latest word.
    let mut items: BTreeMap<(String, String), (Timestamp, ItemAgreement)> = BTreeMap::new();
    store.each_reviewed(|call, reviews| {
        if !filter.scope.takes(&terms, &call) {
            return;
        }
        let mut looked_at = false;
        for review in &reviews {
            let Some(word) = review.word().filter(|word| filter.takes(word)) else {
                continue;
            };
            looked_at = true;
            if word.to == word.machine {
                found.confirmed += 1;
            } else {
                found.changed += 1;
            }
            let key = (word.scorecard_id.clone(), review.item.clone());
            let (named_at, item) = items.entry(key).or_insert_with(|| {
                let item = ItemAgreement {
                    scorecard_id: word.scorecard_id.clone(),
                    item: review.item.clone(),
                    name: review.name.clone(),
                    name_en: review.name_en.clone(),
                    confusion: Confusion::default(),
                };
                (word.at, item)
            });
            if word.at > *named_at {
                *named_at = word.at;
                item.name.clone_from(&review.name);
                item.name_en.clone_from(&review.name_en);
            }
            item.confusion.add(word.machine, word.to);
        }
        found.calls += u64::from(looked_at);
    })?;
    found.items = items.into_values().map(|(_, item)| item).collect();
    for item in &found.items {
        found.total.plus(&item.confusion);
    }
    found
        .items
        .sort_by(|a, b| a.confusion.rank().total_cmp(&b.confusion.rank()));
    Ok(found)
}

/// The scores of a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Period {
    /// Its first day.
    pub start: Date,
    /// What its calls have; their number is `scored`.
    pub averages: Averages,
}

/// Percents over time, a period after the other; those without calls are among them. A call is
/// in the period in which it took place, by the clock of `zone`. Without an end on one side the
/// periods go as far as there are scored calls.
pub fn dynamics(
    store: &Store,
    scope: &Scope,
    step: Step,
    zone: &TimeZone,
) -> Result<Vec<Period>, ReportError> {
    let terms = scope.terms();
    let mut sums: BTreeMap<Date, Sums> = BTreeMap::new();
    store.each_entry(|entry| {
        let scored = entry
            .call
            .score
            .as_ref()
            .filter(|score| score.overall_percent.is_some());
        if let Some(score) = scored
            && scope.takes(&terms, &entry.call)
        {
            let start = step.start(day_of(time_of(&entry.call), zone));
            sums.entry(start).or_default().add(score);
        }
    })?;
    let first = scope
        .from
        .map(|from| day_of(from, zone))
        .or_else(|| sums.keys().next().copied());
    // The end is the first moment outside.
    let last = scope
        .to
        .map(|to| {
            let inside = to.checked_sub(SignedDuration::from_micros(1));
            day_of(inside.unwrap_or(to), zone)
        })
        .or_else(|| sums.keys().next_back().copied())
        // Where nothing was found and only the beginning is told, there is one period.
        .or(first);
    let (Some(first), Some(last)) = (first.or(last), last) else {
        return Ok(Vec::new());
    };
    let starts = step
        .between(first, last)
        .ok_or(ReportError::TooManyPeriods)?;
    Ok(starts
        .into_iter()
        .map(|start| Period {
            start,
            averages: sums.remove(&start).unwrap_or_default().averages(),
        })
        .collect())
}
