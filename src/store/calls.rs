//! Calls, recordings and the outputs of the stages.

use jiff::Timestamp;
use redb::{ReadableTable, WriteTransaction};

use super::record::{Record, decode, encode};
use super::{Again, Spool, Store, StoreError, erasures, joins, operators, schema};
use crate::domain::call::level;
use crate::domain::details::OperatorBy;
use crate::domain::job::Priority;
use crate::domain::{Call, CallId, Envelope, Job, Recognition, Recording, Score, Transcript};

/// A call with its job: what a list shows of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The call.
    pub call: Call,
    /// Its path through the stages.
    pub job: Job,
}

impl Entry {
    /// How much of what is possible was done for it, 1 (all) to 4.
    pub fn level(&self) -> Option<u8> {
        level(&self.call, self.job.state, self.job.stage)
    }
}

type StrTable = redb::TableDefinition<'static, &'static str, &'static [u8]>;

impl Store {
    /// Makes the bytes durable under their hash, then writes the recording, its
    /// call and its job in one transaction. When the same bytes are known already
    /// nothing is written and that call's id is returned as `Err`.
    pub fn accept(
        &self,
        spool: Spool,
        recording: &Recording,
        call: &Call,
        job: &Job,
    ) -> Result<Result<(), CallId>, StoreError> {
        let _files = self.lock_files();
        if let Some(known) = self.call_of_recording(&recording.sha256)? {
            return Ok(Err(known));
        }
        self.blobs.keep(spool)?;
        let txn = self.write()?;
        put(&txn, schema::RECORDINGS, &recording.sha256, recording)?;
        let mut call = call.clone();
        joins::call_arrives(&txn, &mut call)?;
        txn.put_call(&call)?;
        super::jobs::put_job(&txn, None, job)?;
        operators::reassign(&txn, &call.id, None, call.operator.as_deref())?;
        txn.commit()?;
        Ok(Ok(()))
    }

    /// The call that was made of these bytes.
    pub fn call_of_recording(&self, sha256: &str) -> Result<Option<CallId>, StoreError> {
        Ok(self
            .read_one::<Recording>(schema::RECORDINGS, sha256)?
            .map(|recording| recording.call_id))
    }

    /// A call with its job.
    pub fn entry(&self, id: &CallId) -> Result<Option<Entry>, StoreError> {
        let call = self.read_one(schema::CALLS, id.as_str())?;
        let job = self.read_one(schema::JOBS, id.as_str())?;
        Ok(call.zip(job).map(|(call, job)| Entry { call, job }))
    }

    /// Calls `visit` for every call in the order of their ids (oldest arrival first).
    pub fn each_entry(&self, mut visit: impl FnMut(Entry)) -> Result<(), StoreError> {
        let txn = self.read()?;
        let calls = txn.open_table(schema::CALLS)?;
        let jobs = txn.open_table(schema::JOBS)?;
        for (call, job) in calls.iter()?.zip(jobs.iter()?) {
            let (call, job) = (
                decode::<Call>(call?.1.value())?,
                decode::<Job>(job?.1.value())?,
            );
            // Both tables are written and deleted together, so their keys run in step.
            debug_assert_eq!(call.id, job.call_id);
            visit(Entry { call, job });
        }
        Ok(())
    }

    /// The recording with this hash.
    pub fn recording(&self, sha256: &str) -> Result<Option<Recording>, StoreError> {
        self.read_one(schema::RECORDINGS, sha256)
    }

    /// What decoding measured.
    pub fn envelope(&self, id: &CallId) -> Result<Option<Envelope>, StoreError> {
        self.read_one(schema::ENVELOPES, id.as_str())
    }

    /// What was recognized.
    pub fn recognition(&self, id: &CallId) -> Result<Option<Recognition>, StoreError> {
        self.read_one(schema::RECOGNITIONS, id.as_str())
    }

    /// Who said what.
    pub fn transcript(&self, id: &CallId) -> Result<Option<Transcript>, StoreError> {
        self.read_one(schema::TRANSCRIPTS, id.as_str())
    }

    /// The score.
    pub fn score(&self, id: &CallId) -> Result<Option<Score>, StoreError> {
        self.read_one(schema::SCORES, id.as_str())
    }

    /// Names another operator for a call, as a person says.
    pub fn set_operator(&self, id: &CallId, operator: Option<&str>) -> Result<(), StoreError> {
        let txn = self.write()?;
        let mut call: Call = get(&txn, schema::CALLS, id.as_str())?.ok_or(StoreError::NotFound)?;
        operators::reassign(&txn, id, call.operator.as_deref(), operator)?;
        call.operator = operator.map(str::to_owned);
        call.details.operator_by = Some(OperatorBy::Person);
        txn.put_call(&call)?;
        txn.commit()?;
        Ok(())
    }

    /// Removes a call with all that was made of it. Its audio is removed after the records.
    pub fn delete_call(&self, id: &CallId) -> Result<(), StoreError> {
        self.remove_call(id, Again::Welcome)
    }

    /// The same; says whether its recording may come again.
    pub fn remove_call(&self, id: &CallId, again: Again) -> Result<(), StoreError> {
        let _files = self.lock_files();
        let txn = self.write()?;
        let key = id.as_str();
        let call: Call = get(&txn, schema::CALLS, key)?.ok_or(StoreError::NotFound)?;
        let job = get::<Job>(&txn, schema::JOBS, key)?;
        if let Some(job) = &job {
            super::jobs::unqueue(&txn, job)?;
        }
        txn.call_changes(id);
        for table in [
            schema::CALLS,
            schema::JOBS,
            schema::ENVELOPES,
            schema::RECOGNITIONS,
            schema::TRANSCRIPTS,
            schema::SCORES,
        ] {
            txn.open_table(table)?.remove(key)?;
        }
        txn.open_table(super::judging::JUDGING)?.remove(key)?;
        super::versions::remove_all(&txn, key)?;
        super::reviews::remove_all(&txn, key)?;
        super::questions::forget_call(&txn, key)?;
        super::analyses::forget_call(&txn, key)?;
        super::insights::forget_call(&txn, key)?;
        txn.open_table(schema::RECORDINGS)?
            .remove(call.sha256.as_str())?;
        operators::reassign(&txn, id, call.operator.as_deref(), None)?;
        joins::forget(&txn, &call)?;
        if again == Again::Refused {
            erasures::refuse_again(&txn, &call.sha256, Timestamp::now().as_second())?;
        }
        txn.commit()?;
        self.blobs.remove(&call.sha256)?;
        if let Some(job) = job {
            self.blobs.remove_work(id, job.run);
        }
        Ok(())
    }

    /// Removes what an earlier process left half done.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let txn = self.read()?;
        let recordings = txn.open_table(schema::RECORDINGS)?;
        let jobs = txn.open_table(schema::JOBS)?;
        let known = |sha256: &str| !matches!(recordings.get(sha256), Ok(None));
        let at_work = |id: &str| match jobs.get(id) {
            Ok(Some(job)) => decode::<Job>(job.value()).map_or(true, |job| !job.state.is_final()),
            Ok(None) => false,
            Err(_) => true,
        };
        self.blobs.sweep(known, at_work)
    }

    fn lock_files(&self) -> std::sync::MutexGuard<'_, ()> {
        self.files
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn read_one<R: Record>(
        &self,
        table: StrTable,
        key: &str,
    ) -> Result<Option<R>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(table)?;
        table
            .get(key)?
            .map(|value| decode(value.value()))
            .transpose()
    }
}

/// The number that orders a priority in the queue.
pub(super) fn rank(priority: Priority) -> u8 {
    match priority {
        Priority::Interactive => 0,
        Priority::Bulk => 1,
    }
}

pub(super) fn get<R: Record>(
    txn: &WriteTransaction,
    table: StrTable,
    key: &str,
) -> Result<Option<R>, StoreError> {
    let table = txn.open_table(table)?;
    table
        .get(key)?
        .map(|value| decode(value.value()))
        .transpose()
}

pub(super) fn put<R: Record>(
    txn: &WriteTransaction,
    table: StrTable,
    key: &str,
    record: &R,
) -> Result<(), StoreError> {
    txn.open_table(table)?
        .insert(key, encode(record)?.as_slice())?;
    Ok(())
}
