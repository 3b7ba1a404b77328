//! Erasing what is kept of a phone number: what there is of it in all tables, orders and
//! reports, and marks by which what was erased is known when it comes again.

use std::collections::HashSet;

use redb::{ReadableMultimapTable, ReadableTable, TableDefinition, WriteTransaction};
use sha2::{Digest, Sha256};

use super::blobs::hex;
use super::calls::{get, put};
use super::record::decode;
use super::{Store, StoreError, analyses, dropped, errands, pulled, questions, reviews, schema};
use crate::domain::erasure::{Erasure, Reason, Removed, Subject};
use crate::domain::notice::{Errand, Notice, Traces};
use crate::domain::question::{Analysis, SavedQuestion};
use crate::domain::{Call, CallId, PullRun, PulledFile};

/// Id → order and report.
pub(super) const ERASURES: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("erasures");
/// What was erased and is not taken in again (`recording/SHA-256`, `notice/MARK`) → since
/// when, Unix seconds.
pub(super) const ERASED: TableDefinition<'static, &'static str, i64> =
    TableDefinition::new("erased");

/// Stands where a number stood.
const GONE: &str = "(erased)";
/// Name of the key of marks.
const SECRET: &str = "erasure_key";

/// Whose, and the bytes of the path.
pub type Names = Vec<(String, Vec<u8>)>;

/// All that is kept of a number, by name; nothing is changed yet.
#[derive(Debug, Default)]
pub struct Kept {
    /// Calls, and why they belong to it.
    pub calls: Vec<(Call, Reason)>,
    /// Keys of notices, those of the calls among them.
    pub notices: Vec<String>,
    /// Senders and paths of files in their folders.
    pub dropped: Names,
    /// Sources and paths of pulled files.
    pub pulled: Names,
}

/// Whether a recording may come again after its call was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is a new call then.
    Welcome,
    /// The same bytes are refused.
    Refused,
}

impl Store {
    /// What is kept of a number. Reads all calls, notices and files.
    pub fn kept_of(&self, subject: &Subject) -> Result<Kept, StoreError> {
        let mut kept = Kept::default();
        self.each_entry(|entry| {
            if let Some(reason) = subject.reason(&entry.call) {
                kept.calls.push((entry.call, reason));
            }
        })?;
        let txn = self.read()?;
        let ids: HashSet<CallId> = kept.calls.iter().map(|(call, _)| call.id.clone()).collect();
        let of_calls = |id: &CallId| ids.contains(id);
        let table = txn.open_table(schema::NOTICES)?;
        let payloads = txn.open_table(schema::PAYLOADS)?;
        for row in table.iter()? {
            let (key, value) = row?;
            let notice: Notice = decode(value.value())?;
            let key = key.value();
            let mut belongs = notice.calls.iter().any(of_calls)
                || subject
                    .reason_of(&notice.details, notice.direction)
                    .is_some();
            // What was not understood of a message is in its bytes only.
            if !belongs && notice.calls.is_empty() {
                belongs = names(&payloads, key, subject)?;
            }
            if belongs {
                kept.notices.push(key.to_owned());
            }
        }
        // Messages that made no notice.
        let mut last = String::new();
        for row in payloads.iter()? {
            let (key, value) = row?;
            let (notice, _) = key.value();
            if notice != last && table.get(notice)?.is_none() {
                let body = String::from_utf8_lossy(value.value().1).into_owned();
                if subject.is_in(&body) {
                    notice.clone_into(&mut last);
                    kept.notices.push(last.clone());
                }
            }
        }
        let calls = txn.open_table(schema::CALLS)?;
        dropped::each(&txn, |user, path, file| {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let ours = file
                .told
                .as_ref()
                .and_then(|told| told.operator_phone.as_ref());
            let belongs = match file.state.call() {
                Some(id) if of_calls(id) => true,
                // A file whose call is there and is not of this number stays with it.
                Some(id) if calls.get(id.as_str())?.is_some() => false,
                _ => subject.is_in(name) && !ours.is_some_and(|number| subject.is_in(&number.text)),
            };
            if belongs {
                kept.dropped.push((user.to_owned(), path.to_vec()));
            }
            Ok(())
        })?;
        let table = txn.open_table(pulled::PULLED)?;
        for row in table.iter()? {
            let (key, value) = row?;
            let (source, path) = key.value();
            let file: PulledFile = decode(value.value())?;
            let belongs = file.outcome.call().is_some_and(of_calls)
                || subject.is_in(&String::from_utf8_lossy(path));
            if belongs && !pulled::is_mark(path) {
                kept.pulled.push((source.to_owned(), path.to_vec()));
            }
        }
        Ok(kept)
    }

    /// Files in senders' folders, and pulled files, that these calls were made of.
    pub fn files_of_calls(&self, ids: &HashSet<CallId>) -> Result<(Names, Names), StoreError> {
        if ids.is_empty() {
            return Ok(Default::default());
        }
        let txn = self.read()?;
        let (mut files, mut fetched) = (Vec::new(), Vec::new());
        dropped::each(&txn, |user, path, file| {
            if file.state.call().is_some_and(|id| ids.contains(id)) {
                files.push((user.to_owned(), path.to_vec()));
            }
            Ok(())
        })?;
        for row in txn.open_table(pulled::PULLED)?.iter()? {
            let (key, value) = row?;
            let file: PulledFile = decode(value.value())?;
            if file.outcome.call().is_some_and(|id| ids.contains(id)) {
                let (source, path) = key.value();
                fetched.push((source.to_owned(), path.to_vec()));
            }
        }
        Ok((files, fetched))
    }

    /// How much would go with a call.
    pub fn weight_of(&self, id: &CallId) -> Result<Removed, StoreError> {
        let txn = self.read()?;
        let key = id.as_str();
        let one = |table| -> Result<u64, StoreError> {
            let table: redb::ReadOnlyTable<&'static str, &'static [u8]> = txn.open_table(table)?;
            Ok(u64::from(table.get(key)?.is_some()))
        };
        let versions = txn.open_table(schema::VERSIONS)?;
        let said = txn.open_table(reviews::REVIEWS)?;
        let answers = txn.open_table(questions::ANSWERS)?;
        let rows = txn.open_multimap_table(analyses::CALL_ROWS)?;
        let end = format!("{key}\u{1}");
        Ok(Removed {
            calls: one(schema::CALLS)?,
            transcripts: one(schema::TRANSCRIPTS)?
                + versions.range((key, 0)..=(key, u32::MAX))?.count() as u64,
            scores: one(schema::SCORES)?
                + said.range((key, "")..(end.as_str(), ""))?.count() as u64,
            answers: answers.range((key, "")..(end.as_str(), ""))?.count() as u64,
            analysis_rows: rows.get(key)?.len(),
            insights: one(super::insights::INSIGHTS)?,
            ..Removed::default()
        })
    }

    /// Removes what was told of conversations, and marks it so that it is not taken in again.
    pub fn erase_notices(&self, keys: &[String], at_s: i64) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        let secret = self.erasure_key()?;
        let txn = self.write()?;
        for key in keys {
            txn.open_table(ERASED)?
                .insert(notice_mark(&secret, key).as_str(), at_s)?;
            let mut gone = 0;
            txn.open_table(schema::PAYLOADS)?.retain_in(
                (key.as_str(), i64::MIN)..=(key.as_str(), i64::MAX),
                |_, _| {
                    gone += 1;
                    false
                },
            )?;
            removed.payloads += gone;
            let Some(notice) = get::<Notice>(&txn, schema::NOTICES, key)? else {
                continue;
            };
            forget_traces(&txn, &notice, key)?;
            for errand in fetches(&notice) {
                let waits = txn
                    .open_table(schema::ERRANDS)?
                    .get(errand.key().as_str())?
                    .is_some();
                if waits {
                    errands::remove(&txn, &errand.key())?;
                    removed.errands += 1;
                }
            }
            txn.open_table(schema::NOTICES)?.remove(key.as_str())?;
            removed.notices += 1;
        }
        txn.commit()?;
        Ok(removed)
    }

    /// Puts a mark in the place of a pulled file's name: it is known as fetched still.
    pub fn erase_pulled(&self, names: &[(String, Vec<u8>)]) -> Result<Removed, StoreError> {
        let key = self.erasure_key()?;
        let txn = self.write()?;
        let mut removed = Removed::default();
        for (source, path) in names {
            removed.pulled_names += u64::from(pulled::mark(&txn, &key, source, path)?);
        }
        txn.commit()?;
        Ok(removed)
    }

    /// Takes a number out of keys, questions, filters and reasons.
    pub fn erase_mentions(&self, subject: &Subject) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        let phone = subject.digits();
        let txn = self.write()?;
        for table in [schema::CALL_KEYS, schema::NOTICE_KEYS] {
            let mut table = txn.open_multimap_table(table)?;
            let (from, to) = (format!("phone:{phone}@"), format!("phone:{phone}A"));
            let mut keys = Vec::new();
            for row in table.range(from.as_str()..to.as_str())? {
                keys.push(row?.0.value().to_owned());
            }
            for key in keys {
                table.remove_all(key.as_str())?;
            }
        }
        let named = |text: &str| subject.is_in(text);
        removed.questions += change::<Analysis>(&txn, analyses::ANALYSES, |analysis| {
            let filter = analysis.filter.as_deref().is_some_and(named);
            let question = named(&analysis.question);
            if filter {
                analysis.filter = Some(GONE.to_owned());
            }
            if question {
                GONE.clone_into(&mut analysis.question);
            }
            filter || question
        })?;
        removed.questions += change::<SavedQuestion>(&txn, questions::SAVED, |saved| {
            let found = named(&saved.text) || named(&saved.name);
            if found {
                GONE.clone_into(&mut saved.text);
                GONE.clone_into(&mut saved.name);
            }
            found
        })?;
        {
            let mut table = txn.open_table(pulled::RUNS)?;
            let mut runs: Vec<PullRun> = Vec::new();
            for row in table.iter()? {
                runs.push(decode(row?.1.value())?);
            }
            for mut run in runs {
                if let Some(error) = run.error.as_mut().filter(|error| named(&error.message)) {
                    GONE.clone_into(&mut error.message);
                    let key = (run.source.as_str(), run.started_at.as_microsecond());
                    table.insert(key, super::record::encode(&run)?.as_slice())?;
                }
            }
        }
        txn.commit()?;
        Ok(removed)
    }

    /// Whether these bytes were erased and are not taken in again.
    pub fn is_erased(&self, sha256: &str) -> Result<bool, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(ERASED)?;
        Ok(table.get(format!("recording/{sha256}").as_str())?.is_some())
    }

    /// Keyed hash of a number, for reports.
    pub fn phone_mark(&self, subject: &Subject) -> Result<String, StoreError> {
        let key = self.erasure_key()?;
        let hash = keyed(&key, &[b"phone", subject.digits().as_bytes()]);
        Ok(hex(&hash))
    }

    /// The key of marks. To be asked for before a transaction begins.
    pub(super) fn erasure_key(&self) -> Result<[u8; 32], StoreError> {
        if let Some(key) = self.erasure_key.get() {
            return Ok(*key);
        }
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).map_err(|_| StoreError::Interrupted)?;
        let key = self.secret(SECRET, || fresh)?;
        Ok(*self.erasure_key.get_or_init(|| key))
    }

    /// Keeps an order or its report.
    pub fn put_erasure(&self, erasure: &Erasure) -> Result<(), StoreError> {
        let txn = self.write()?;
        put(&txn, ERASURES, &erasure.id, erasure)?;
        txn.commit()?;
        Ok(())
    }

    /// All orders with their reports, the latest first.
    pub fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(ERASURES)?;
        table
            .iter()?
            .rev()
            .map(|row| decode(row?.1.value()))
            .collect()
    }

    /// One order.
    pub fn erasure(&self, id: &str) -> Result<Option<Erasure>, StoreError> {
        self.read_one(ERASURES, id)
    }
}

/// SHA-256 of a secret key and parts, each with its length.
pub(super) fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(key);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Marks the bytes of a call as erased.
pub(super) fn refuse_again(
    txn: &WriteTransaction,
    sha256: &str,
    at_s: i64,
) -> Result<(), StoreError> {
    let key = format!("recording/{sha256}");
    txn.open_table(ERASED)?.insert(key.as_str(), at_s)?;
    Ok(())
}

/// Whether what an outside system tells of this was erased.
pub(super) fn is_notice_erased(
    txn: &WriteTransaction,
    secret: &[u8; 32],
    key: &str,
) -> Result<bool, StoreError> {
    let table = txn.open_table(ERASED)?;
    Ok(table.get(notice_mark(secret, key).as_str())?.is_some())
}

fn notice_mark(secret: &[u8; 32], key: &str) -> String {
    format!(
        "notice/{}",
        hex(&keyed(secret, &[b"notice", key.as_bytes()]))
    )
}

/// Takes a notice out of the table by which calls find it.
pub(super) fn forget_traces(
    txn: &WriteTransaction,
    notice: &Notice,
    key: &str,
) -> Result<(), StoreError> {
    let mut table = txn.open_multimap_table(schema::NOTICE_KEYS)?;
    for trace in Traces::from(notice).keys() {
        table.remove(trace.as_str(), key)?;
    }
    Ok(())
}

fn fetches(notice: &Notice) -> Vec<Errand> {
    let recording = |recording: &String| match notice.source {
        crate::domain::Source::Calltouch => Errand::CalltouchRecording {
            site: notice.site.clone(),
            call_id: recording.clone(),
        },
        _ => Errand::MangoRecording {
            entry_id: notice.id.clone(),
            recording_id: recording.clone(),
        },
    };
    notice.recordings.iter().map(recording).collect()
}

/// Whether a message of this notice has the number in its bytes.
fn names(
    table: &redb::ReadOnlyTable<(&'static str, i64), schema::HeadAndBytes>,
    notice: &str,
    subject: &Subject,
) -> Result<bool, StoreError> {
    for row in table.range((notice, i64::MIN)..=(notice, i64::MAX))? {
        let body = String::from_utf8_lossy(row?.1.value().1).into_owned();
        if subject.is_in(&body) {
            return Ok(true);
        }
    }
    Ok(false)
}

type Records = TableDefinition<'static, &'static str, &'static [u8]>;

/// Changes the records that `change` changes; how many those are.
fn change<R: super::record::Record>(
    txn: &WriteTransaction,
    table: Records,
    mut change: impl FnMut(&mut R) -> bool,
) -> Result<u64, StoreError> {
    let mut changed = Vec::new();
    {
        let table = txn.open_table(table)?;
        for row in table.iter()? {
            let (key, value) = row?;
            let mut record: R = decode(value.value())?;
            if change(&mut record) {
                changed.push((key.value().to_owned(), record));
            }
        }
    }
    for (key, record) in &changed {
        put(txn, table, key, record)?;
    }
    Ok(changed.len() as u64)
}

#[cfg(test)]
#[path = "erasures_tests.rs"]
mod tests;
