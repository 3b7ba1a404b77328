//! Calls that wait for a language model, and the ledger of what was sent to one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::calls::{get, put};
use super::record::{decode, encode};
use super::{Store, StoreError, reviews, schema};
use crate::domain::egress::{DaySpent, Egress, Pending, Spent};
use crate::domain::score::ModelState;
use crate::domain::{Call, CallId, Score};

/// Call id → since when it waits.
pub(super) const JUDGING: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("judging");
/// (Unix µs, call id) → what was sent.
pub(super) const EGRESS: TableDefinition<'static, (i64, &'static str), &'static [u8]> =
    TableDefinition::new("egress");

impl Store {
    /// Calls whose turn it is, the longest waiting first, at most `most`; and when the
    /// next one's turn comes.
    pub fn due_judging(
        &self,
        now: Timestamp,
        most: usize,
    ) -> Result<(Vec<CallId>, Option<Timestamp>), StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(JUDGING)?;
        let (mut due, mut next) = (Vec::new(), None);
        for entry in table.iter()? {
            let (key, value) = entry?;
            let pending: Pending = decode(value.value())?;
            if pending.not_before > now {
                next = Some(next.map_or(pending.not_before, |at: Timestamp| {
                    at.min(pending.not_before)
                }));
            } else if let Ok(id) = CallId::new(key.value().to_owned()) {
                due.push((pending.since, id));
            }
        }
        due.sort_by_key(|(since, _)| *since);
        Ok((due.into_iter().take(most).map(|(_, id)| id).collect(), next))
    }

    /// How many calls wait.
    pub fn judging(&self) -> Result<u64, StoreError> {
        Ok(self.read()?.open_table(JUDGING)?.len()?)
    }

    /// A call waits on: not before `not_before`, for the reason that its score tells
    /// from now on. `unusable`: there was an answer, and it could not be used.
    pub fn postpone_judging(
        &self,
        id: &CallId,
        not_before: Timestamp,
        code: &str,
        message: &str,
        unusable: bool,
    ) -> Result<(), StoreError> {
        let txn = self.write()?;
        let key = id.as_str();
        let Some(mut pending) = get_pending(&txn, key)? else {
            return Ok(());
        };
        pending.attempts += u32::from(unusable);
        pending.not_before = not_before;
        put_pending(&txn, key, &pending)?;
        if let Some(mut score) = get::<Score>(&txn, schema::SCORES, key)?
            && let Some(note) = &mut score.model
        {
            note.code = Some(code.to_owned());
            note.message = Some(message.to_owned());
            put(&txn, schema::SCORES, key, &score)?;
        }
        txn.commit()?;
        Ok(())
    }

    /// What is known of a call that waits.
    pub fn pending_judging(&self, id: &CallId) -> Result<Option<Pending>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(JUDGING)?;
        table
            .get(id.as_str())?
            .map(|value| decode(value.value()))
            .transpose()
    }

    /// A call does not wait any more, whatever its score says.
    pub fn forget_judging(&self, id: &CallId) -> Result<(), StoreError> {
        let txn = self.write()?;
        txn.open_table(JUDGING)?.remove(id.as_str())?;
        txn.commit()?;
        Ok(())
    }

    /// Nobody judges any more: all that waits keeps the score of the rules.
    pub fn stop_judging(&self) -> Result<(), StoreError> {
        let txn = self.write()?;
        let mut waiting = Vec::new();
        {
            let mut table = txn.open_table(JUDGING)?;
            for entry in table.extract_from_if::<&str, _>(.., |_, _| true)? {
                waiting.push(entry?.0.value().to_owned());
            }
        }
        for key in &waiting {
            if let Some(mut score) = get::<Score>(&txn, schema::SCORES, key)? {
                score.model = None;
                put(&txn, schema::SCORES, key, &score)?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    /// Writes down what was sent.
    pub fn add_egress(&self, egress: &Egress) -> Result<(), StoreError> {
        let txn = self.write()?;
        txn.open_table(EGRESS)?.insert(
            (egress.at.as_microsecond(), egress.call_id.as_str()),
            encode(egress)?.as_slice(),
        )?;
        txn.commit()?;
        Ok(())
    }

    /// What was sent, the latest first: `most` entries after the first `skipped`, and
    /// how many there are.
    pub fn egress(&self, skipped: usize, most: usize) -> Result<(Vec<Egress>, u64), StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(EGRESS)?;
        let page = table.iter()?.rev().skip(skipped).take(most);
        let page = page.map(|entry| decode(entry?.1.value()));
        Ok((page.collect::<Result<_, _>>()?, table.len()?))
    }

    /// What was sent and spent since `from`.
    pub fn spent_since(&self, from: Timestamp) -> Result<Spent, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(EGRESS)?;
        let mut spent = Spent::default();
        for entry in table.range((from.as_microsecond(), "")..)? {
            spent.add(&decode(entry?.1.value())?);
        }
        Ok(spent)
    }

    /// What was sent and spent since `from`, by day in `zone` and by model, the latest first.
    pub fn spending(&self, from: Timestamp, zone: &TimeZone) -> Result<Vec<DaySpent>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(EGRESS)?;
        let mut days: BTreeMap<(Date, String), Spent> = BTreeMap::new();
        for entry in table.range((from.as_microsecond(), "")..)? {
            let egress: Egress = decode(entry?.1.value())?;
            let day = egress.at.to_zoned(zone.clone()).date();
            days.entry((day, egress.model.clone()))
                .or_default()
                .add(&egress);
        }
        let days = days.into_iter().rev();
        Ok(days
            .map(|((day, model), spent)| DaySpent { day, model, spent })
            .collect())
    }
}

fn get_pending(txn: &WriteTransaction, key: &str) -> Result<Option<Pending>, StoreError> {
    let table = txn.open_table(JUDGING)?;
    table
        .get(key)?
        .map(|value| decode(value.value()))
        .transpose()
}

fn put_pending(txn: &WriteTransaction, key: &str, pending: &Pending) -> Result<(), StoreError> {
    txn.open_table(JUDGING)?
        .insert(key, encode(pending)?.as_slice())?;
    Ok(())
}

/// Writes a call's score, and for lists what it is with what people said of it; what waits for a model is in the queue from then on, what
/// does not is not.
pub(super) fn put_score(
    txn: &WriteTransaction,
    call: &mut Call,
    score: &Score,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = call.id.as_str().to_owned();
    let waits = score
        .model
        .as_ref()
        .is_some_and(|note| note.state == ModelState::Waiting);
    if waits {
        let pending = Pending {
            since: now,
            not_before: now,
            attempts: 0,
        };
        put_pending(txn, &key, &pending)?;
    } else {
        txn.open_table(JUDGING)?.remove(key.as_str())?;
    }
    reviews::summarize(txn, call, score)?;
    put(txn, schema::SCORES, &key, score)
}
