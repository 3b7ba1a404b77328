//! A write transaction that remembers what the list of dropped files shows of it.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::RwLockReadGuard;

use redb::WriteTransaction;

use super::super::calls::put;
use super::super::{Store, StoreError, schema};
use super::FileKey;
use crate::domain::{Call, CallId};

/// A write transaction of the store. Calls and dropped files are written and
/// removed through it only, so that none changes unseen.
pub(in crate::store) struct Txn<'s> {
    txn: WriteTransaction,
    store: &'s Store,
    files: RefCell<Vec<FileKey>>,
    calls: RefCell<Vec<CallId>>,
    /// The file is not written anew meanwhile.
    gate: RwLockReadGuard<'s, ()>,
}

impl Deref for Txn<'_> {
    type Target = WriteTransaction;

    fn deref(&self) -> &WriteTransaction {
        &self.txn
    }
}

impl<'s> Txn<'s> {
    pub(in crate::store) fn new(
        txn: WriteTransaction,
        store: &'s Store,
        gate: RwLockReadGuard<'s, ()>,
    ) -> Self {
        Self {
            txn,
            store,
            files: RefCell::default(),
            calls: RefCell::default(),
            gate,
        }
    }

    /// Writes a call.
    pub(in crate::store) fn put_call(&self, call: &Call) -> Result<(), StoreError> {
        self.call_changes(&call.id);
        put(&self.txn, schema::CALLS, call.id.as_str(), call)
    }

    /// A call is removed.
    pub(in crate::store) fn call_changes(&self, id: &CallId) {
        self.calls.borrow_mut().push(id.clone());
    }

    /// What is known of a dropped file is written or removed.
    pub(in crate::store) fn file_changes(&self, user: &str, path: &[u8]) {
        self.files
            .borrow_mut()
            .push((user.to_owned(), path.to_vec()));
    }

    /// Makes it all durable.
    pub(in crate::store) fn commit(self) -> Result<(), StoreError> {
        self.txn.commit()?;
        drop(self.gate);
        let (files, calls) = (self.files.into_inner(), self.calls.into_inner());
        if !files.is_empty() || !calls.is_empty() {
            self.store.listing.wrote(self.store, files, calls);
        }
        Ok(())
    }
}
