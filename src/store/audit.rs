//! The audit: an append-only table of numbered entries, each chained to the one before.
//!
//! **Encoding.** An entry is kept under its number as one byte (1), the 32 bytes of the
//! hash of the entry before it, and its JSON. The hash of an entry is the SHA-256 of its
//! number (8 bytes, big-endian) and of all these bytes as they are kept; nothing is
//! encoded anew to check it. Before entry 1 stands the hash of zeros. Number and hash of
//! the newest entry are kept apart (the head), and so are those of the last one that was
//! pruned (the anchor), from which what is left goes on.
//!
//! **Begun.** What changes something is written down before it is done, in a table of its
//! own, and leaves that table in the transaction that appends its entry. What is found
//! there at a start was cut off: nobody knows whether it was done, and its entry says so.
//!
//! Who can write to the store can also write a whole new chain, or cut off its end: that
//! shows only against a head that was noted elsewhere.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use sha2::{Digest, Sha256};

use super::{Store, StoreError, schema};
use crate::domain::audit::{Action, Actor, Entry, Fault, Numbered, Verification, Wanted};

/// Number → version, hash of the entry before, JSON.
pub(super) const AUDIT: TableDefinition<'static, u64, &'static [u8]> =
    TableDefinition::new("audit");

/// Ticket → JSON of the entry of what has begun and has not ended.
pub(super) const BEGUN: TableDefinition<'static, u64, &'static [u8]> =
    TableDefinition::new("audit_begun");

const HEAD: &str = "audit_head";
const ANCHOR: &str = "audit_anchor";
const VERSION: u8 = 1;
/// Bytes before the JSON.
const PREFIX: usize = 33;
/// Entries that one request looks through.
const SCANNED: usize = 100_000;
/// Entries that one transaction prunes.
const PRUNED: usize = 10_000;
/// Deeds that are remembered so as not to be written again.
const REMEMBERED: usize = 20_000;

/// Number and hash of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Link {
    number: u64,
    hash: [u8; 32],
}

impl Link {
    const GENESIS: Self = Self {
        number: 0,
        hash: [0; 32],
    };

    fn of(number: u64, value: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(number.to_be_bytes());
        hash.update(value);
        Self {
            number,
            hash: hash.finalize().into(),
        }
    }

    fn bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..].copy_from_slice(&self.hash);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (number, hash) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            number: u64::from_be_bytes(*number),
            hash: hash.try_into().ok()?,
        })
    }

    fn text(self) -> String {
        format!("{}:{}", self.number, super::blobs::hex(&self.hash))
    }
}

fn damaged(source: serde_json::Error) -> StoreError {
    StoreError::Record {
        name: "entry of the audit",
        source,
    }
}

fn parse(number: u64, value: &[u8]) -> Result<Numbered, StoreError> {
    let json = value.get(PREFIX..).unwrap_or_default();
    let entry = serde_json::from_slice(json).map_err(damaged)?;
    Ok(Numbered { number, entry })
}

fn read_link(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Link, StoreError> {
    let value = meta.get(name)?;
    Ok(value
        .and_then(|value| Link::parse(value.value()))
        .unwrap_or(Link::GENESIS))
}

/// What waits for the transaction that is being made durable.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Vec<Arc<Slot>>>,
    writing: Mutex<()>,
    seen: Mutex<HashMap<u64, Instant>>,
    hasher: RandomState,
    tickets: AtomicU64,
}

/// What one thread has to write.
#[derive(Default)]
struct Work {
    begins: Option<(Ticket, Entry)>,
    ends: Option<Ticket>,
    entries: Vec<Entry>,
}

struct Slot {
    work: Work,
    /// Number of the first entry; `Some(None)`: the transaction that it was in failed.
    number: OnceLock<Option<u64>>,
}

/// Something that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Appends entries in a transaction; the number of the first.
pub(super) fn append<'e>(
    txn: &WriteTransaction,
    entries: impl Iterator<Item = &'e Entry>,
) -> Result<u64, StoreError> {
    let mut meta = txn.open_table(schema::META)?;
    let mut table = txn.open_table(AUDIT)?;
    let mut head = read_link(&meta, HEAD)?;
    let first = head.number + 1;
    for entry in entries {
        let mut value = Vec::with_capacity(256);
        value.push(VERSION);
        value.extend_from_slice(&head.hash);
        serde_json::to_writer(&mut value, &entry.clone().tidy()).map_err(damaged)?;
        head = Link::of(head.number + 1, &value);
        table.insert(head.number, value.as_slice())?;
    }
    meta.insert(HEAD, head.bytes().as_slice())?;
    Ok(first)
}

impl Store {
    /// Writes an entry; it is durable when this returns. What several threads write shares
    /// a transaction. Blocks. Returns its number.
    pub fn record(&self, entry: Entry) -> Result<u64, StoreError> {
        self.write_audit(Work {
            entries: vec![entry],
            ..Work::default()
        })
    }

    /// The same, unless the same deed was written within `window`: who reloads a page or
    /// winds a recording forward does not look or play once more.
    pub fn record_once(&self, entry: Entry, window: Duration) -> Result<(), StoreError> {
        self.settle(None, vec![entry], Some(window))
    }

    /// Writes down that something begins; it is durable when this returns, and is only then
    /// to be done. [`Store::settle`] ends it, with the ticket. Blocks.
    pub fn begin(&self, entry: Entry) -> Result<Ticket, StoreError> {
        let ticket = Ticket(self.audit.tickets.fetch_add(1, Ordering::Relaxed));
        self.write_audit(Work {
            begins: Some((ticket, entry)),
            ..Work::default()
        })?;
        Ok(ticket)
    }

    /// Writes the entries of something that ended, which may have begun with a ticket;
    /// without those whose deed was written within `once`. Blocks.
    pub fn settle(
        &self,
        ticket: Option<Ticket>,
        mut entries: Vec<Entry>,
        once: Option<Duration>,
    ) -> Result<(), StoreError> {
        let mut deeds = Vec::new();
        if let Some(window) = once {
            let seen = lock(&self.audit.seen);
            entries.retain(|entry| {
                let deed = self.audit.hasher.hash_one(entry.deed());
                let new = seen.get(&deed).is_none_or(|at| at.elapsed() >= window);
                if new {
                    deeds.push(deed);
                }
                new
            });
        }
        if entries.is_empty() && ticket.is_none() {
            return Ok(());
        }
        self.write_audit(Work {
            begins: None,
            ends: ticket,
            entries,
        })?;
        let Some(window) = once else {
            return Ok(());
        };
        let mut seen = lock(&self.audit.seen);
        if seen.len() >= REMEMBERED {
            seen.retain(|_, at| at.elapsed() < window);
        }
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.extend(deeds.into_iter().map(|deed| (deed, Instant::now())));
        Ok(())
    }

    /// Writes the entries of what had begun when the program ended, before anything else
    /// begins.
    pub(super) fn settle_cut_off(&self) -> Result<(), StoreError> {
        if self.read()?.open_table(BEGUN)?.is_empty()? {
            return Ok(());
        }
        let txn = self.write()?;
        let mut entries = Vec::new();
        {
            let mut begun = txn.open_table(BEGUN)?;
            for row in begun.iter()? {
                let entry: Entry = serde_json::from_slice(row?.1.value()).map_err(damaged)?;
                entries.push(entry.cut_off("the program ended meanwhile"));
            }
            begun.retain(|_, _| false)?;
        }
        append(&txn, entries.iter())?;
        txn.commit()?;
        Ok(())
    }

    fn write_audit(&self, work: Work) -> Result<u64, StoreError> {
        let slot = Arc::new(Slot {
            work,
            number: OnceLock::new(),
        });
        lock(&self.audit.waiting).push(Arc::clone(&slot));
        let _writing = lock(&self.audit.writing);
        if slot.number.get().is_none() {
            // What came meanwhile comes along.
            let batch = std::mem::take(&mut *lock(&self.audit.waiting));
            let written = self.write_now(batch.iter().map(|slot| &slot.work));
            let mut number = written.as_ref().ok().copied();
            for slot in &batch {
                let _ = slot.number.set(number);
                number = number.map(|number| number + slot.work.entries.len() as u64);
            }
            return written.map(|_| slot.number.get().copied().flatten().unwrap_or_default());
        }
        match slot.number.get() {
            Some(Some(number)) => Ok(*number),
            // Perhaps another one's was the reason.
            _ => self.write_now(std::iter::once(&slot.work)),
        }
    }

    fn write_now<'w>(
        &self,
        works: impl Iterator<Item = &'w Work> + Clone,
    ) -> Result<u64, StoreError> {
        let txn = self.write()?;
        {
            let mut begun = txn.open_table(BEGUN)?;
            for work in works.clone() {
                if let Some((ticket, entry)) = &work.begins {
                    let json = serde_json::to_vec(&entry.clone().tidy()).map_err(damaged)?;
                    begun.insert(ticket.0, json.as_slice())?;
                }
                if let Some(ticket) = work.ends {
                    begun.remove(ticket.0)?;
                }
            }
        }
        let first = append(&txn, works.flat_map(|work| &work.entries))?;
        txn.commit()?;
        Ok(first)
    }

    /// Entries before the number `before` (all: `None`), the newest first, at most `most`; and
    /// from where to go on, where there may be more. One call looks through a bounded number.
    pub fn audit_before(
        &self,
        wanted: &Wanted,
        before: Option<u64>,
        most: usize,
    ) -> Result<(Vec<Numbered>, Option<u64>), StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(AUDIT)?;
        let range = table.range(..before.unwrap_or(u64::MAX))?.rev();
        gather(range, wanted, most)
    }

    /// Entries after the number `after`, the oldest first; otherwise as [`Store::audit_before`].
    pub fn audit_after(
        &self,
        wanted: &Wanted,
        after: u64,
        most: usize,
    ) -> Result<(Vec<Numbered>, Option<u64>), StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(AUDIT)?;
        gather(table.range(after.saturating_add(1)..)?, wanted, most)
    }

    /// Checks that all entries are there and as they were written. `noted` is a head that
    /// was noted before, `number:hash`. Reads all of them.
    pub fn verify_audit(&self, noted: Option<&str>) -> Result<Verification, StoreError> {
        let txn = self.read()?;
        let meta = txn.open_table(schema::META)?;
        let table = txn.open_table(AUDIT)?;
        let head = read_link(&meta, HEAD)?;
        let anchor = read_link(&meta, ANCHOR)?;
        let mut found = Verification {
            entries: 0,
            first: None,
            last: None,
            head: head.text(),
            fault: None,
        };
        let noted_number = noted.map(|noted| {
            let number = noted.split(':').next().unwrap_or_default();
            number.parse::<u64>().unwrap_or(u64::MAX)
        });
        let mut last = anchor;
        let mut agrees = noted_number.is_some_and(|number| number < anchor.number)
            || noted.is_some_and(|noted| noted == anchor.text());
        for row in table.iter()? {
            let (number, value) = row?;
            let (number, value) = (number.value(), value.value());
            if let Some(reason) = fault_of(last, number, value) {
                found.fault = Some(Fault {
                    number: last.number + 1,
                    reason,
                });
                return Ok(found);
            }
            last = Link::of(number, value);
            agrees |=
                noted_number == Some(number) && noted.is_some_and(|noted| noted == last.text());
            found.entries += 1;
            found.first.get_or_insert(number);
            found.last = Some(number);
        }
        let fault = |number, reason: &str| Fault {
            number,
            reason: reason.to_owned(),
        };
        if last.number != head.number {
            found.fault = Some(fault(last.number + 1, "entries at the end are missing"));
        } else if last.hash != head.hash {
            let reason = "the newest entry was changed after it was written";
            found.fault = Some(fault(last.number, reason));
        } else if noted.is_some() && !agrees {
            let number = noted_number.unwrap_or_default();
            let reason = "the noted hash is not that of this entry: entries were cut off or all were written anew";
            found.fault = Some(fault(number, reason));
        }
        Ok(found)
    }

    /// Removes entries from before `before`, oldest first, and writes down that it was done;
    /// how many. The chain goes on from the last one that was removed.
    pub fn prune_audit(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut pruned = 0;
        loop {
            let txn = self.write()?;
            let gone = prune(&txn, before)?;
            if let Some((first, anchor)) = gone.filter(|(_, anchor)| anchor.number > 0) {
                let detail = format!("{first}–{}; the last was {}", anchor.number, anchor.text());
                let entry = Entry::new(Actor::System, Action::AuditPruned).saying(detail);
                append(&txn, std::iter::once(&entry))?;
                txn.commit()?;
                let now = anchor.number + 1 - first;
                pruned += now;
                if now < PRUNED as u64 {
                    return Ok(pruned);
                }
            } else {
                return Ok(pruned);
            }
        }
    }
}

/// What is wrong with the entry that follows `last`.
fn fault_of(last: Link, number: u64, value: &[u8]) -> Option<String> {
    if number != last.number + 1 {
        return Some("the entry is missing".to_owned());
    }
    if value.first() != Some(&VERSION) || value.len() < PREFIX {
        return Some("the entry cannot be read".to_owned());
    }
    if value[1..PREFIX] != last.hash {
        return Some(format!(
            "it does not follow from entry {}: one of the two was changed after it was written",
            last.number
        ));
    }
    parse(number, value).err().map(|error| error.to_string())
}

type Row<'a> = Result<
    (
        redb::AccessGuard<'a, u64>,
        redb::AccessGuard<'a, &'static [u8]>,
    ),
    redb::StorageError,
>;

fn gather<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    wanted: &Wanted,
    most: usize,
) -> Result<(Vec<Numbered>, Option<u64>), StoreError> {
    let mut found = Vec::new();
    let mut last = None;
    for (looked, row) in rows.enumerate() {
        if found.len() >= most || looked >= SCANNED {
            return Ok((found, last));
        }
        let (number, value) = row?;
        last = Some(number.value());
        let numbered = parse(number.value(), value.value())?;
        if wanted.is(&numbered.entry) {
            found.push(numbered);
        }
    }
    Ok((found, None))
}

/// Removes some of what is too old, never the newest; the first and the last that went.
fn prune(txn: &WriteTransaction, before: Timestamp) -> Result<Option<(u64, Link)>, StoreError> {
    let mut meta = txn.open_table(schema::META)?;
    let mut table = txn.open_table(AUDIT)?;
    let head = read_link(&meta, HEAD)?;
    let mut gone: Vec<u64> = Vec::new();
    let mut anchor = Link::GENESIS;
    for row in table.iter()?.take(PRUNED) {
        let (number, value) = row?;
        let numbered = parse(number.value(), value.value())?;
        if numbered.entry.at >= before || numbered.number == head.number {
            break;
        }
        anchor = Link::of(numbered.number, value.value());
        gone.push(numbered.number);
    }
    let Some(first) = gone.first().copied() else {
        return Ok(None);
    };
    for number in gone {
        table.remove(number)?;
    }
    meta.insert(ANCHOR, anchor.bytes().as_slice())?;
    Ok(Some((first, anchor)))
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
