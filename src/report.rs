//! Lists of calls with filters, order, pages and averages. Called by the API.

pub mod quality;

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::domain::access::Sight;
use crate::domain::call::{CriterionSummary, ScoreSummary};
use crate::domain::periods::MAX_PERIODS;
use crate::domain::score::one_decimal;
use crate::domain::terms::Terms;
use crate::domain::{Call, CallId, JobState, Source, Status};
use crate::search::{Search, SearchError, without_yo};
use crate::store::{Entry, Store, StoreError};

/// The list cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The search index failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// More periods than anybody looks at.
    #[error("There are more than {MAX_PERIODS} periods: choose a larger step or fewer days.")]
    TooManyPeriods,
}

/// Which calls; an empty filter takes all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of these operators only.
    pub sight: Sight,
    /// Operator's name, case does not matter.
    pub operator: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Overall percent at least.
    pub score_min: Option<f64>,
    /// Overall percent at most.
    pub score_max: Option<f64>,
    /// With one of these; empty = any.
    pub statuses: Vec<Status>,
    /// Length at least, in milliseconds.
    pub duration_min_ms: Option<u64>,
    /// Length at most, in milliseconds.
    pub duration_max_ms: Option<u64>,
    /// Digits of the caller's number, or a part of the name.
    pub caller: Option<String>,
    /// The same of who was called.
    pub called: Option<String>,
    /// The same of our person's phone or extension.
    pub operator_phone: Option<String>,
    /// An order, whole, case does not matter.
    pub order_id: Option<String>,
    /// By which doors; empty = any.
    pub sources: Vec<Source>,
    /// At one of these levels; empty = any.
    pub levels: Vec<u8>,
    /// A tag, whole, case does not matter.
    pub tag: Option<String>,
    /// An id of another system, whole.
    pub external_id: Option<String>,
    /// Words said, file name, operator.
    pub query: Option<String>,
    /// With an open dispute about a verdict, or without one.
    pub disputed: Option<bool>,
    /// Key of a tracker that was found in it.
    pub topic: Option<String>,
}

/// What a list is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKey {
    /// Time of arrival.
    CreatedAt,
    /// Time of the conversation, else of arrival.
    StartedAt,
    /// Length.
    Duration,
    /// Overall percent.
    Score,
    /// Percent of the criterion with this key.
    Criterion(String),
    /// Operator's name.
    Operator,
    /// File name.
    Filename,
    /// State of the job.
    Status,
}

/// Order of a list; calls without a value come last in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Largest first.
    pub descending: bool,
}

/// Averages over the whole filtered set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Averages {
    /// Calls that have an overall percent.
    pub scored: u64,
    /// Mean of their overall percents, one decimal.
    pub overall_percent: Option<f64>,
    /// Mean of each criterion's percents, one decimal.
    pub criteria: Vec<CriterionSummary>,
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The calls of the page.
    pub entries: Vec<Entry>,
    /// Calls in the whole filtered set.
    pub total: u64,
    /// Averages over the whole filtered set.
    pub averages: Averages,
    /// How many of its calls are at level 1, 2, 3 and 4.
    pub levels: [u64; 4],
}

/// Makes a page; `page` counts from 1.
pub fn list(
    store: &Store,
    search: &Search,
    filter: &Filter,
    sort: &Sort,
    page: usize,
    page_size: usize,
) -> Result<Page, ReportError> {
    let mut entries = select(store, search, filter)?;
    let averages = averages_of(entries.iter().filter_map(|entry| entry.call.score.as_ref()));
    let mut levels = [0; 4];
    for level in entries.iter().filter_map(Entry::level) {
        if let Some(count) = levels.get_mut(usize::from(level).wrapping_sub(1)) {
            *count += 1;
        }
    }
    entries.sort_by(|a, b| order(sort, a, b).then_with(|| by_id(&b.call.id, &a.call.id)));
    let total = entries.len() as u64;
    let entries = entries
        .into_iter()
        .skip((page - 1).saturating_mul(page_size))
        .take(page_size)
        .collect();
    Ok(Page {
        entries,
        total,
        averages,
        levels,
    })
}

/// All calls that pass, in the order of arrival.
///
/// # Errors
/// The store or the index failed.
pub fn select(store: &Store, search: &Search, filter: &Filter) -> Result<Vec<Entry>, ReportError> {
    let found = match &filter.query {
        Some(query) => search.find(query)?,
        None => None,
    };
    let of_topic = match &filter.topic {
        Some(key) => Some(store.calls_of_topic(key)?),
        None => None,
    };
    let terms = Terms::default()
        .operator(filter.operator.as_deref())
        .caller(filter.caller.as_deref())
        .called(filter.called.as_deref())
        .operator_phone(filter.operator_phone.as_deref())
        .order(filter.order_id.as_deref())
        .tag(filter.tag.as_deref())
        .sources(&filter.sources);
    let mut entries = Vec::new();
    store.each_entry(|entry| {
        let wanted = filter.sight.sees(entry.call.operator.as_deref())
            && found
                .as_ref()
                .is_none_or(|ids| ids.contains(entry.call.id.as_str()) || named(filter, &entry))
            && of_topic
                .as_ref()
                .is_none_or(|ids| ids.contains(entry.call.id.as_str()))
            && matches(filter, &terms, &entry);
        if wanted {
            entries.push(entry);
        }
    })?;
    Ok(entries)
}

/// A call that is not in the index (yet) is found by its file name and operator.
fn named(filter: &Filter, entry: &Entry) -> bool {
    if matches!(entry.job.state, JobState::Completed | JobState::NoSpeech) {
        return false;
    }
    let about = format!(
        "{} {}",
        entry.call.filename,
        entry.call.operator.as_deref().unwrap_or_default()
    )
    .to_lowercase();
    let about = without_yo(&about);
    without_yo(filter.query.as_deref().unwrap_or_default())
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .all(|word| about.contains(word))
}

fn by_id(a: &CallId, b: &CallId) -> Ordering {
    a.cmp(b)
}

/// When the conversation took place, as far as is known.
fn time_of(call: &Call) -> Timestamp {
    call.started_at.unwrap_or(call.created_at)
}

fn overall(entry: &Entry) -> Option<f64> {
    entry.call.score.as_ref()?.overall_percent
}

fn matches(filter: &Filter, terms: &Terms, entry: &Entry) -> bool {
    let call = &entry.call;
    let time = time_of(call);
    let within = |value: Option<f64>, min: Option<f64>, max: Option<f64>| {
        (min.is_none() && max.is_none())
            || value.is_some_and(|value| {
                min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max)
            })
    };
    let duration = call.duration_ms.map(|ms| ms as f64);
    filter.from.is_none_or(|from| time >= from)
        && filter.to.is_none_or(|to| time < to)
        && within(overall(entry), filter.score_min, filter.score_max)
        && within(
            duration,
            filter.duration_min_ms.map(|ms| ms as f64),
            filter.duration_max_ms.map(|ms| ms as f64),
        )
        && terms.pass(call)
        && filter.disputed.is_none_or(|wanted| {
            let open = call.score.as_ref().map_or(0, |score| score.disputes);
            (open > 0) == wanted
        })
        && filter.external_id.as_ref().is_none_or(|wanted| {
            call.details
                .external_ids
                .iter()
                .any(|known| known.id == *wanted)
        })
        && (filter.levels.is_empty()
            || entry
                .level()
                .is_some_and(|level| filter.levels.contains(&level)))
        && (filter.statuses.is_empty()
            || filter
                .statuses
                .contains(&Status::of(entry.job.state, entry.job.stage)))
}

fn order(sort: &Sort, a: &Entry, b: &Entry) -> Ordering {
    let number = |entry: &Entry| -> Option<f64> {
        match &sort.key {
            SortKey::CreatedAt => Some(entry.call.created_at.as_microsecond() as f64),
            SortKey::StartedAt => Some(time_of(&entry.call).as_microsecond() as f64),
            SortKey::Duration => entry.call.duration_ms.map(|ms| ms as f64),
            SortKey::Score => overall(entry),
            SortKey::Criterion(key) => {
                entry
                    .call
                    .score
                    .as_ref()?
                    .criteria
                    .iter()
                    .find(|criterion| criterion.key == *key)?
                    .percent
            }
            SortKey::Operator | SortKey::Filename | SortKey::Status => None,
        }
    };
    let text = |entry: &Entry| -> Option<String> {
        match sort.key {
            SortKey::Operator => entry.call.operator.as_ref().map(|name| name.to_lowercase()),
            SortKey::Filename => Some(entry.call.filename.to_lowercase()),
            SortKey::Status => Some(format!("{:?}", entry.job.state)),
            _ => None,
        }
    };
    let directed = |ordering: Ordering| {
        if sort.descending {
            ordering.reverse()
        } else {
            ordering
        }
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => return directed(a.total_cmp(&b)),
        (Some(_), None) => return Ordering::Less,
        (None, Some(_)) => return Ordering::Greater,
        (None, None) => {}
    }
    match (text(a), text(b)) {
        (Some(a), Some(b)) => directed(a.cmp(&b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Averages of these scores.
pub fn averages_of<'a>(scores: impl Iterator<Item = &'a ScoreSummary>) -> Averages {
    let mut sums = Sums::default();
    for score in scores {
        sums.add(score);
    }
    sums.averages()
}

/// Sums that averages are made of.
#[derive(Default)]
struct Sums {
    overall: f64,
    scored: u64,
    criteria: Vec<(CriterionSummary, f64, u32)>,
}

impl Sums {
    fn add(&mut self, score: &ScoreSummary) {
        if let Some(percent) = score.overall_percent {
            self.overall += percent;
            self.scored += 1;
        }
        for criterion in &score.criteria {
            let known = self
                .criteria
                .iter()
                .position(|(summary, ..)| summary.key == criterion.key);
            let at = known.unwrap_or_else(|| {
                self.criteria.push((criterion.clone(), 0.0, 0));
                self.criteria.len() - 1
            });
            if let Some(percent) = criterion.percent {
                let (_, sum, count) = &mut self.criteria[at];
                *sum += percent;
                *count += 1;
            }
        }
    }

    fn averages(self) -> Averages {
        Averages {
            scored: self.scored,
            overall_percent: (self.scored > 0)
                .then(|| one_decimal(self.overall / self.scored as f64)),
            criteria: self
                .criteria
                .into_iter()
                .map(|(summary, sum, count)| CriterionSummary {
                    percent: (count > 0).then(|| one_decimal(sum / f64::from(count))),
                    ..summary
                })
                .collect(),
        }
    }
}

/// Counts of jobs by what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Wait for a worker.
    pub queued: u64,
    /// Are worked on.
    pub running: u64,
    /// Gave up.
    pub failed: u64,
}

/// Counts the jobs.
pub fn queue_counts(store: &Store) -> Result<QueueCounts, StoreError> {
    let mut counts = QueueCounts::default();
    store.each_entry(|entry| match entry.job.state {
        JobState::Queued => counts.queued += 1,
        JobState::Running => counts.running += 1,
        JobState::Failed => counts.failed += 1,
        JobState::Completed | JobState::NoSpeech | JobState::Cancelled => {}
    })?;
    Ok(counts)
}
