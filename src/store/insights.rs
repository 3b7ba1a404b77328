//! Insights of calls, the trackers, and what is still to be made.

use std::collections::HashSet;

use jiff::Timestamp;
use redb::{
    MultimapTableDefinition, ReadableTable, ReadableTableMetadata, TableDefinition,
    WriteTransaction,
};

use super::calls::{get, put};
use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::egress::Pending;
use crate::domain::insight::{Insight, Summary};
use crate::domain::tracker::Trackers;
use crate::domain::{Call, CallId, Transcript};

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// Call id → insight.
pub(super) const INSIGHTS: Table = TableDefinition::new("insights");
/// Calls whose insight the rules are to make (anew) → whether its score is new.
pub(super) const INSIGHTS_DUE: TableDefinition<'static, &'static str, bool> =
    TableDefinition::new("insights_due");
/// Call id → since when a model's summary is owed.
pub(super) const SUMMARIES_DUE: Table = TableDefinition::new("summaries_due");
/// Key of a tracker → ids of the calls in which it was found.
pub(super) const TOPIC_CALLS: MultimapTableDefinition<'static, &'static str, &'static str> =
    MultimapTableDefinition::new("topic_calls");
/// One entry: the trackers in force.
pub(super) const TRACKERS: Table = TableDefinition::new("trackers");

const IN_FORCE: &str = "in force";
/// Key in the table of small values: calls from before there were insights are owed theirs.
const PASSED: &str = "insights_owed";

impl Store {
    /// The trackers in force.
    pub fn trackers(&self) -> Result<Trackers, StoreError> {
        Ok(self.read_one(TRACKERS, IN_FORCE)?.unwrap_or_default())
    }

    /// Changes the trackers, and has all calls looked through again. What `change`
    /// refuses changes nothing.
    pub fn change_trackers<E>(
        &self,
        change: impl FnOnce(&mut Trackers) -> Result<(), E>,
    ) -> Result<Result<Trackers, E>, StoreError> {
        let txn = self.write()?;
        let mut trackers: Trackers = get(&txn, TRACKERS, IN_FORCE)?.unwrap_or_default();
        let revision = trackers.revision + 1;
        if let Err(refused) = change(&mut trackers) {
            return Ok(Err(refused));
        }
        trackers.revision = revision;
        put(&txn, TRACKERS, IN_FORCE, &trackers)?;
        {
            let transcripts = txn.open_table(schema::TRANSCRIPTS)?;
            let mut due = txn.open_table(INSIGHTS_DUE)?;
            for entry in transcripts.iter()? {
                let (key, _) = entry?;
                if due.get(key.value())?.is_none() {
                    due.insert(key.value(), false)?;
                }
            }
        }
        txn.commit()?;
        Ok(Ok(trackers))
    }

    /// Calls that have a transcript and no insight are to get one. It finds what a program
    /// without insights has left, once: all transcripts are passed.
    pub fn owe_missing_insights(&self) -> Result<(), StoreError> {
        let txn = self.write()?;
        if txn.open_table(schema::META)?.get(PASSED)?.is_some() {
            return Ok(());
        }
        {
            let transcripts = txn.open_table(schema::TRANSCRIPTS)?;
            let insights = txn.open_table(INSIGHTS)?;
            let mut due = txn.open_table(INSIGHTS_DUE)?;
            for entry in transcripts.iter()? {
                let (key, _) = entry?;
                if insights.get(key.value())?.is_none() {
                    due.insert(key.value(), false)?;
                }
            }
        }
        txn.open_table(schema::META)?
            .insert(PASSED, [1].as_slice())?;
        txn.commit()?;
        Ok(())
    }

    /// Calls whose insight is to be made by the rules, at most `most`, after `after`; and
    /// whether it is for a new score, not for other trackers.
    pub fn owed_insights(
        &self,
        after: Option<&CallId>,
        most: usize,
    ) -> Result<Vec<(CallId, bool)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(INSIGHTS_DUE)?;
        let after = after.map_or("", CallId::as_str);
        let mut owed = Vec::new();
        for entry in table.range(after..)? {
            let (key, fresh) = entry?;
            if key.value() != after
                && let Ok(id) = CallId::new(key.value().to_owned())
            {
                owed.push((id, fresh.value()));
                if owed.len() >= most {
                    break;
                }
            }
        }
        Ok(owed)
    }

    /// How many insights the rules, and how many summaries a model, are still to make.
    pub fn count_owed_insights(&self) -> Result<(u64, u64), StoreError> {
        let txn = self.read()?;
        Ok((
            txn.open_table(INSIGHTS_DUE)?.len()?,
            txn.open_table(SUMMARIES_DUE)?.len()?,
        ))
    }

    /// The insight of a call.
    pub fn insight(&self, id: &CallId) -> Result<Option<Insight>, StoreError> {
        self.read_one(INSIGHTS, id.as_str())
    }

    /// Calls in which a tracker was found.
    pub fn calls_of_topic(&self, key: &str) -> Result<HashSet<String>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_multimap_table(TOPIC_CALLS)?;
        table
            .get(key)?
            .map(|id| Ok(id?.value().to_owned()))
            .collect()
    }

    /// In how many calls each tracker was found.
    pub fn topic_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_multimap_table(TOPIC_CALLS)?;
        let mut counts = Vec::new();
        for entry in redb::ReadableMultimapTable::iter(&table)? {
            let (key, calls) = entry?;
            counts.push((key.value().to_owned(), calls.len()));
        }
        Ok(counts)
    }

    /// Keeps the insight of a call in place of the one before. False when the
    /// transcript is another one by now, or gone: then nothing is kept, and what is owed
    /// stays owed.
    pub fn keep_insight(&self, id: &CallId, insight: &Insight) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let key = id.as_str();
        let known = get::<Call>(&txn, schema::CALLS, key)?.is_some();
        let transcript: Option<Transcript> = get(&txn, schema::TRANSCRIPTS, key)?;
        if !known || transcript.is_none_or(|t| t.version.number != insight.version) {
            return Ok(false);
        }
        let revision = get::<Trackers>(&txn, TRACKERS, IN_FORCE)?
            .unwrap_or_default()
            .revision;
        if revision != insight.trackers {
            return Ok(false);
        }
        forget_topics(&txn, key)?;
        {
            let mut topics = txn.open_multimap_table(TOPIC_CALLS)?;
            for topic in &insight.topics {
                topics.insert(topic.key.as_str(), key)?;
            }
        }
        put(&txn, INSIGHTS, key, insight)?;
        txn.open_table(INSIGHTS_DUE)?.remove(key)?;
        wait_for_summary(&txn, key, insight)?;
        txn.commit()?;
        Ok(true)
    }

    /// Changes the summary of a call, of this version of its transcript, and whether it
    /// waits for a model. False when there is none of that version any more.
    pub fn keep_summary(
        &self,
        id: &CallId,
        version: u32,
        waits: bool,
        change: impl FnOnce(&mut Summary),
    ) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let key = id.as_str();
        let known: Option<Insight> = get(&txn, INSIGHTS, key)?;
        let Some(mut insight) = known.filter(|known| known.version == version) else {
            return Ok(false);
        };
        change(&mut insight.summary);
        insight.waits = waits;
        insight.made_at = Timestamp::now();
        put(&txn, INSIGHTS, key, &insight)?;
        wait_for_summary(&txn, key, &insight)?;
        txn.commit()?;
        Ok(true)
    }

    /// No model makes summaries any more: what waits keeps that of the rules.
    pub fn stop_summaries(&self) -> Result<(), StoreError> {
        let txn = self.write()?;
        let mut waiting = Vec::new();
        {
            let mut table = txn.open_table(SUMMARIES_DUE)?;
            for entry in table.extract_from_if::<&str, _>(.., |_, _| true)? {
                waiting.push(entry?.0.value().to_owned());
            }
        }
        for key in &waiting {
            if let Some(mut insight) = get::<Insight>(&txn, INSIGHTS, key)? {
                insight.waits = false;
                put(&txn, INSIGHTS, key, &insight)?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    /// No insight is owed for a call: it has no transcript.
    pub fn forget_owed_insight(&self, id: &CallId) -> Result<(), StoreError> {
        let txn = self.write()?;
        txn.open_table(INSIGHTS_DUE)?.remove(id.as_str())?;
        txn.open_table(SUMMARIES_DUE)?.remove(id.as_str())?;
        txn.commit()?;
        Ok(())
    }

    /// The call whose summary waits longest for a model: not one that is still to be
    /// judged, which comes first, nor one whose insight the rules have not made.
    pub fn due_summary(&self, now: Timestamp) -> Result<Option<(CallId, Pending)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(SUMMARIES_DUE)?;
        let judging = txn.open_table(super::judging::JUDGING)?;
        let insights = txn.open_table(INSIGHTS_DUE)?;
        let mut first: Option<(CallId, Pending)> = None;
        for entry in table.iter()? {
            let (key, value) = entry?;
            let pending: Pending = decode(value.value())?;
            let earlier = first
                .as_ref()
                .is_none_or(|(_, known)| pending.since < known.since);
            if earlier
                && pending.not_before <= now
                && judging.get(key.value())?.is_none()
                && insights.get(key.value())?.is_none()
                && let Ok(id) = CallId::new(key.value().to_owned())
            {
                first = Some((id, pending));
            }
        }
        Ok(first)
    }

    /// A summary waits on.
    pub fn postpone_summary(&self, id: &CallId, pending: Pending) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut due = txn.open_table(SUMMARIES_DUE)?;
            let waits = due.get(id.as_str())?.is_some();
            if waits {
                due.insert(id.as_str(), encode(&pending)?.as_slice())?;
            }
        }
        txn.commit()?;
        Ok(())
    }
}

/// The insight of a call is to be made for this version of its transcript, unless it
/// was; another score of the same words changes nothing.
pub(super) fn owe_version(
    txn: &WriteTransaction,
    call: &str,
    version: u32,
) -> Result<(), StoreError> {
    let known: Option<Insight> = get(txn, INSIGHTS, call)?;
    if known.is_none_or(|known| known.version != version) {
        owe(txn, call)?;
    }
    Ok(())
}

/// The insight of a call is to be made anew; with the score, in its transaction.
pub(super) fn owe(txn: &WriteTransaction, call: &str) -> Result<(), StoreError> {
    txn.open_table(INSIGHTS_DUE)?.insert(call, true)?;
    Ok(())
}

fn wait_for_summary(
    txn: &WriteTransaction,
    call: &str,
    insight: &Insight,
) -> Result<(), StoreError> {
    let mut due = txn.open_table(SUMMARIES_DUE)?;
    if !insight.waits {
        due.remove(call)?;
    } else if due.get(call)?.is_none() {
        let pending = Pending {
            since: insight.made_at,
            not_before: insight.made_at,
            attempts: 0,
        };
        due.insert(call, encode(&pending)?.as_slice())?;
    }
    Ok(())
}

/// Takes a call out of the topics that its insight names.
fn forget_topics(txn: &WriteTransaction, call: &str) -> Result<(), StoreError> {
    let Some(known) = get::<Insight>(txn, INSIGHTS, call)? else {
        return Ok(());
    };
    let mut topics = txn.open_multimap_table(TOPIC_CALLS)?;
    for topic in &known.topics {
        topics.remove(topic.key.as_str(), call)?;
    }
    Ok(())
}

/// What a call was about is not known any more.
pub(super) fn forget_call(txn: &WriteTransaction, call: &str) -> Result<(), StoreError> {
    forget_topics(txn, call)?;
    txn.open_table(INSIGHTS)?.remove(call)?;
    txn.open_table(INSIGHTS_DUE)?.remove(call)?;
    txn.open_table(SUMMARIES_DUE)?.remove(call)?;
    Ok(())
}
