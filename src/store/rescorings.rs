//! Orders to score calls of the past again, and what became of each call.

use std::ops::Bound;

use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::calls::{get, put};
use super::record::{decode, encode};
use super::{Store, StoreError, judging, schema};
use crate::domain::rescoring::{Rescored, RescoredState, Rescoring, RescoringState};
use crate::domain::{Call, CallId, Job, Score, Transcript};

/// Order's id → order.
pub(super) const RESCORINGS: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("rescorings");
/// (order's id, call id) → what became of the call.
pub(super) const RESCORED: TableDefinition<'static, (&'static str, &'static str), &'static [u8]> =
    TableDefinition::new("rescored");

/// Orders whose reports are kept.
const KEPT: usize = 20;

/// What was computed for one call of an order.
pub enum Outcome {
    /// A score of this version of the transcript.
    Score(u32, Box<Score>),
    /// It is left out.
    Skip(RescoredState),
}

impl Store {
    /// Gives an order for these calls.
    ///
    /// # Errors
    /// [`StoreError::RescoringRuns`] where another one is not done yet.
    pub fn begin_rescoring(&self, order: &Rescoring, calls: &[CallId]) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut orders = txn.open_table(RESCORINGS)?;
            let mut old: Vec<String> = Vec::new();
            for row in orders.iter()? {
                let (key, value) = row?;
                let known: Rescoring = decode(value.value())?;
                if known.state == RescoringState::Running {
                    return Err(StoreError::RescoringRuns);
                }
                old.push(key.value().to_owned());
            }
            let mut rows = txn.open_table(RESCORED)?;
            old.truncate((old.len() + 1).saturating_sub(KEPT));
            for id in &old {
                orders.remove(id.as_str())?;
                rows.retain_in((id.as_str(), "")..=(id.as_str(), "\u{10FFFF}"), |_, _| {
                    false
                })?;
            }
            orders.insert(order.id.as_str(), encode(order)?.as_slice())?;
            for call in calls {
                let row = Rescored {
                    call_id: call.clone(),
                    state: RescoredState::Waiting,
                    before: None,
                    after: None,
                    changed_items: 0,
                };
                let key = (order.id.as_str(), call.as_str());
                rows.insert(key, encode(&row)?.as_slice())?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    /// All orders that are kept, the latest first.
    pub fn rescorings(&self) -> Result<Vec<Rescoring>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(RESCORINGS)?;
        table
            .iter()?
            .rev()
            .map(|row| decode(row?.1.value()))
            .collect()
    }

    /// One order.
    pub fn rescoring(&self, id: &str) -> Result<Option<Rescoring>, StoreError> {
        self.read_one(RESCORINGS, id)
    }

    /// Calls of an order, in the order of arrival, after `after`; at most `most`.
    pub fn rescored(
        &self,
        id: &str,
        after: Option<&CallId>,
        most: usize,
    ) -> Result<Vec<Rescored>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(RESCORED)?;
        let from = match after {
            Some(last) => Bound::Excluded((id, last.as_str())),
            None => Bound::Included((id, "")),
        };
        table
            .range((from, Bound::Included((id, "\u{10FFFF}"))))?
            .take(most)
            .map(|row| decode(row?.1.value()))
            .collect()
    }

    /// Writes what was computed for some calls of an order, in one transaction. A
    /// score is dropped where the call has changed meanwhile. False when the order is
    /// not running any more: then nothing is written.
    pub fn rescore(
        &self,
        id: &str,
        outcomes: &[(CallId, Outcome)],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let Some(mut order) = get::<Rescoring>(&txn, RESCORINGS, id)? else {
            return Ok(false);
        };
        if order.state != RescoringState::Running {
            return Ok(false);
        }
        for (call_id, outcome) in outcomes {
            let row = match outcome {
                Outcome::Skip(state) => skipped(call_id, *state),
                Outcome::Score(version, score) => {
                    let written = write_score(&txn, call_id, *version, score, now)?;
                    match written {
                        Ok((call, row)) => {
                            txn.put_call(&call)?;
                            row
                        }
                        Err(state) => skipped(call_id, state),
                    }
                }
            };
            order.done += 1;
            order.skipped += u64::from(row.state != RescoredState::Scored);
            txn.open_table(RESCORED)?
                .insert((id, call_id.as_str()), encode(&row)?.as_slice())?;
        }
        put(&txn, RESCORINGS, id, &order)?;
        txn.commit()?;
        Ok(true)
    }

    /// An order ends as `state`, where it is still running.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRescoring`].
    pub fn end_rescoring(
        &self,
        id: &str,
        state: RescoringState,
        now: Timestamp,
    ) -> Result<Rescoring, StoreError> {
        let txn = self.write()?;
        let mut order: Rescoring = get(&txn, RESCORINGS, id)?.ok_or(StoreError::NoSuchRescoring)?;
        if order.state == RescoringState::Running {
            order.state = state;
            order.ended_at = Some(now);
            put(&txn, RESCORINGS, id, &order)?;
        }
        txn.commit()?;
        Ok(order)
    }
}

fn skipped(call_id: &CallId, state: RescoredState) -> Rescored {
    Rescored {
        call_id: call_id.clone(),
        state,
        before: None,
        after: None,
        changed_items: 0,
    }
}

/// The call with its new score, or why it has none.
fn write_score(
    txn: &WriteTransaction,
    id: &CallId,
    version: u32,
    score: &Score,
    now: Timestamp,
) -> Result<Result<(Call, Rescored), RescoredState>, StoreError> {
    let key = id.as_str();
    let (Some(mut call), Some(job)) = (
        get::<Call>(txn, schema::CALLS, key)?,
        get::<Job>(txn, schema::JOBS, key)?,
    ) else {
        return Ok(Err(RescoredState::Deleted));
    };
    let transcript: Option<Transcript> = get(txn, schema::TRANSCRIPTS, key)?;
    let current = transcript.is_some_and(|transcript| transcript.version.number == version);
    if !current || !job.state.is_final() {
        return Ok(Err(RescoredState::AtWork));
    }
    let before: Option<Score> = get(txn, schema::SCORES, key)?;
    let row = Rescored {
        call_id: id.clone(),
        state: RescoredState::Scored,
        before: call.score.clone(),
        after: None,
        changed_items: before.map_or(0, |before| before.changed_items(score)),
    };
    judging::put_score(txn, &mut call, score, now)?;
    let row = Rescored {
        after: call.score.clone(),
        ..row
    };
    Ok(Ok((call, row)))
}
