//! The durable queue of what must be fetched from outside systems, one for all
//! of them, and what is known of each system between starts.

use jiff::Timestamp;
use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::calls::{get, put};
use super::record::decode;
use super::{Store, StoreError, schema};
use crate::domain::notice::Errand;

/// An errand with its past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What is to be fetched.
    pub errand: Errand,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given.
    pub created_at: Timestamp,
    /// It is not tried before.
    pub not_before: Timestamp,
    /// Why the last attempt brought nothing.
    pub last_error: Option<String>,
    /// Nothing more happens by itself.
    pub failed: bool,
}

/// Answer to whoever asks for an errand.
#[derive(Debug)]
pub enum Next {
    /// Do this.
    Errand(Box<Waiting>),
    /// Nothing can be done before this moment.
    WaitUntil(Timestamp),
    /// There is none.
    Idle,
}

/// What is known of an outside system between starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Product {
    /// Nothing is asked of it until the key is another one or a person says so.
    pub stopped: Option<Stopped>,
    /// Nothing is asked of it before.
    pub paused_until: Option<Timestamp>,
    /// What went wrong last, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// The last synchronisation that ended: when, and what it found.
    pub synced: Option<(Timestamp, String)>,
}

/// Why nothing is asked of a system any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when.
    pub at: Timestamp,
    /// In words; no key in it.
    pub reason: String,
    /// Stands for the key that was refused (never the key itself).
    pub key_mark: String,
}

fn place(key: &str, waiting: &Waiting) -> (String, i64, String) {
    (
        waiting.errand.lane(),
        waiting.not_before.as_millisecond(),
        key.to_owned(),
    )
}

/// Writes an errand in the place of `before`, in the order of the queue.
fn write(
    txn: &WriteTransaction,
    before: Option<&Waiting>,
    waiting: &Waiting,
) -> Result<(), StoreError> {
    let key = waiting.errand.key();
    let mut order = txn.open_table(schema::ERRAND_ORDER)?;
    if let Some(before) = before {
        let (lane, at, key) = place(&key, before);
        order.remove((lane.as_str(), at, key.as_str()))?;
    }
    if !waiting.failed {
        let (lane, at, key) = place(&key, waiting);
        order.insert((lane.as_str(), at, key.as_str()), ())?;
    }
    put(txn, schema::ERRANDS, &key, waiting)
}

/// Gives an errand; one that is given already stays, and is done sooner where asked.
pub(super) fn add(
    txn: &WriteTransaction,
    errand: Errand,
    not_before: Timestamp,
) -> Result<bool, StoreError> {
    let key = errand.key();
    let known = get::<Waiting>(txn, schema::ERRANDS, &key)?;
    // What failed is tried again when it is asked for again.
    if let Some(known) = known.as_ref().filter(|known| !known.failed) {
        if known.attempts == 0 && not_before < known.not_before {
            let sooner = Waiting {
                not_before,
                ..known.clone()
            };
            write(txn, Some(known), &sooner)?;
        }
        return Ok(false);
    }
    let waiting = Waiting {
        errand,
        attempts: 0,
        created_at: Timestamp::now(),
        not_before,
        last_error: None,
        failed: false,
    };
    write(txn, known.as_ref(), &waiting)?;
    Ok(true)
}

/// Ends an errand.
pub(super) fn remove(txn: &WriteTransaction, key: &str) -> Result<(), StoreError> {
    if let Some(waiting) = get::<Waiting>(txn, schema::ERRANDS, key)? {
        let (lane, at, key) = place(key, &waiting);
        txn.open_table(schema::ERRAND_ORDER)?
            .remove((lane.as_str(), at, key.as_str()))?;
        txn.open_table(schema::ERRANDS)?.remove(key.as_str())?;
    }
    Ok(())
}

impl Store {
    /// Gives an errand; false when it waits already.
    pub fn give_errand(&self, errand: Errand) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let new = add(&txn, errand, Timestamp::now())?;
        txn.commit()?;
        Ok(new)
    }

    /// The first errand of a lane that may be done at `now`.
    pub fn next_errand(&self, lane: &str, now: Timestamp) -> Result<Next, StoreError> {
        let txn = self.read()?;
        let order = txn.open_table(schema::ERRAND_ORDER)?;
        let name = lane;
        // U+10FFFF is after every key.
        let range = (name, i64::MIN, "")..=(name, i64::MAX, "\u{10ffff}");
        let Some(first) = order.range(range)?.next() else {
            return Ok(Next::Idle);
        };
        let (place, _) = first?;
        let (_, at, key) = place.value();
        let at = Timestamp::from_millisecond(at).unwrap_or(now);
        if at > now {
            return Ok(Next::WaitUntil(at));
        }
        let errands = txn.open_table(schema::ERRANDS)?;
        match errands.get(key)? {
            Some(value) => Ok(Next::Errand(Box::new(decode(value.value())?))),
            None => Err(StoreError::NotFound),
        }
    }

    /// Writes what became of an errand that stays in the queue. One that is no
    /// longer there stays away.
    pub fn keep_errand(&self, waiting: &Waiting) -> Result<(), StoreError> {
        let txn = self.write()?;
        let Some(before) = get::<Waiting>(&txn, schema::ERRANDS, &waiting.errand.key())? else {
            return Ok(());
        };
        write(&txn, Some(&before), waiting)?;
        txn.commit()?;
        Ok(())
    }

    /// Ends an errand.
    pub fn end_errand(&self, errand: &Errand) -> Result<(), StoreError> {
        let txn = self.write()?;
        remove(&txn, &errand.key())?;
        txn.commit()?;
        Ok(())
    }

    /// The errands of a lane: those that wait and those that failed.
    pub fn errands(&self, lane: &str) -> Result<Vec<Waiting>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(schema::ERRANDS)?;
        let from = format!("{lane}/");
        let mut found = Vec::new();
        for entry in table.range(from.as_str()..)? {
            let (key, value) = entry?;
            if !key.value().starts_with(&from) {
                break;
            }
            found.push(decode(value.value())?);
        }
        Ok(found)
    }

    /// Puts the failed errands of a lane into the queue again; says how many.
    pub fn retry_errands(&self, lane: &str) -> Result<u64, StoreError> {
        let failed: Vec<Waiting> = self
            .errands(lane)?
            .into_iter()
            .filter(|waiting| waiting.failed)
            .collect();
        let txn = self.write()?;
        let now = Timestamp::now();
        for waiting in &failed {
            add(&txn, waiting.errand.clone(), now)?;
        }
        txn.commit()?;
        Ok(failed.len() as u64)
    }

    /// What is known of a system.
    pub fn product(&self, lane: &str) -> Result<Product, StoreError> {
        Ok(self.read_one(schema::PRODUCTS, lane)?.unwrap_or_default())
    }

    /// Changes what is known of a system.
    pub fn change_product(
        &self,
        lane: &str,
        change: impl FnOnce(&mut Product),
    ) -> Result<(), StoreError> {
        let txn = self.write()?;
        let before: Product = get(&txn, schema::PRODUCTS, lane)?.unwrap_or_default();
        let mut product = before.clone();
        change(&mut product);
        if product != before {
            put(&txn, schema::PRODUCTS, lane, &product)?;
            txn.commit()?;
        }
        Ok(())
    }
}
