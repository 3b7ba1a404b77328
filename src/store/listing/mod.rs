//! The list of dropped files, kept in memory. A page of it is filtered by what
//! the name tells and by what its call tells now, and sorted in several ways;
//! decoding 100,000 records and their calls for that takes a second, looking at
//! the rows here milliseconds. It is derived: made at the first look from the
//! tables, and brought up to date before each look with what [`Txn`] says was
//! written since, so no writer has to know what a list shows.

mod index;
mod query;
mod txn;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::ReadableTable;
use tokio::sync::watch;

use super::dropped::DROPPED;
use super::record::decode;
use super::{Entry, Store, StoreError, schema};
use crate::domain::{Call, CallId, DropKind, DroppedFile, Job};
use index::Index;

pub use query::{DroppedFilter, DroppedKey, DroppedSort};
pub(super) use txn::Txn;

/// So many changes are looked at by who makes them, when nobody looks at the list.
const MAX_STALE: usize = 4096;

/// A sender and a path in its folder.
pub(super) type FileKey = (String, Vec<u8>);

/// The list and what it has not seen yet.
pub(super) struct Listing {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// `None` until somebody looks.
    index: Option<Index>,
    files: HashSet<FileKey>,
    calls: HashSet<CallId>,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }
}

/// A file of the list with all that is known of it.
#[derive(Debug, Clone)]
pub struct DroppedRow {
    /// The bytes of its path.
    pub path: Vec<u8>,
    /// The file.
    pub file: DroppedFile,
    /// Where it is.
    pub kind: DropKind,
    /// Its call, where that is there.
    pub entry: Option<Entry>,
}

/// One page of the list.
#[derive(Debug, Clone, Default)]
pub struct DroppedPage {
    /// The files of the page.
    pub rows: Vec<DroppedRow>,
    /// Files that pass the filter.
    pub total: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them can be sent to recognition.
    pub sendable: u64,
}

/// A file that passes a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedName {
    /// Whose folder.
    pub user: String,
    /// The bytes of its path.
    pub path: Vec<u8>,
    /// Its size.
    pub size_bytes: u64,
    /// Where it is.
    pub kind: DropKind,
}

impl Listing {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told by [`Txn::commit`], after the commit: whoever reads the tables after
    /// this sees what was written.
    fn wrote(&self, store: &Store, files: Vec<FileKey>, calls: Vec<CallId>) {
        let mut state = self.lock();
        let mut seen = !files.is_empty();
        if let Some(index) = &state.index {
            let calls: Vec<CallId> = calls
                .into_iter()
                // One that a file just written names is read with the file.
                .filter(|id| index.has_call(id))
                .collect();
            seen |= !calls.is_empty();
            state.calls.extend(calls);
            state.files.extend(files);
            if state.files.len() + state.calls.len() > MAX_STALE
                && let Err(error) = state.refresh(store)
            {
                tracing::error!(%error, "the list of dropped files cannot be brought up to date");
            }
        }
        drop(state);
        if seen {
            self.changed.send_replace(());
        }
    }
}

impl State {
    /// Brings the list up to date. After an error it is made anew by the next who looks.
    fn refresh(&mut self, store: &Store) -> Result<&mut Index, StoreError> {
        let files = std::mem::take(&mut self.files);
        let calls = std::mem::take(&mut self.calls);
        // Begun after the marks were taken: it sees at least what they stand for.
        let txn = store.read()?;
        let dropped = txn.open_table(DROPPED)?;
        let known = txn.open_table(schema::CALLS)?;
        let call = |id: &CallId| -> Result<Option<Call>, StoreError> {
            let value = known.get(id.as_str())?;
            value.map(|value| decode(value.value())).transpose()
        };
        let index = match self.index.take() {
            Some(mut index) => {
                let mut stale = files;
                for id in &calls {
                    index.each_of_call(id, |user, path| {
                        stale.insert((user.to_owned(), path.to_vec()));
                    });
                }
                for (user, path) in stale {
                    let record = dropped.get((user.as_str(), path.as_slice()))?;
                    match record {
                        None => index.remove(&user, &path),
                        Some(record) => {
                            let file: DroppedFile = decode(record.value())?;
                            let call = file.state.call().map(&call).transpose()?.flatten();
                            index.put(&user, &path, &file, call.as_ref());
                        }
                    }
                }
                index
            }
            None => {
                let mut index = Index::default();
                for entry in dropped.iter()? {
                    let (key, record) = entry?;
                    let (user, path) = key.value();
                    let file: DroppedFile = decode(record.value())?;
                    let call = file.state.call().map(&call).transpose()?.flatten();
                    index.put(user, path, &file, call.as_ref());
                }
                index.shrink();
                index
            }
        };
        Ok(self.index.insert(index))
    }
}

impl Store {
    /// Changes whenever the list of dropped files may show something else.
    pub fn watch_dropped(&self) -> watch::Receiver<()> {
        self.listing.changed.subscribe()
    }

    /// Makes the list of dropped files ready, so that the first who looks need not wait.
    pub fn ready_dropped(&self) -> Result<(), StoreError> {
        self.listing.lock().refresh(self).map(drop)
    }

    /// A page of the dropped files that pass a filter: `size` of them from `first` (from 0) on.
    pub fn dropped_page(
        &self,
        filter: &DroppedFilter,
        sort: DroppedSort,
        first: usize,
        size: usize,
    ) -> Result<DroppedPage, StoreError> {
        let (keys, mut page) = {
            let mut state = self.listing.lock();
            let index = state.refresh(self)?;
            query::page(index, filter, sort, first, size)
        };
        page.rows = self.dropped_rows(&keys)?;
        Ok(page)
    }

    /// All dropped files that pass a filter, at most `limit`, by arrival.
    pub fn dropped_matching(
        &self,
        filter: &DroppedFilter,
        limit: usize,
    ) -> Result<Vec<DroppedName>, StoreError> {
        let mut state = self.listing.lock();
        let index = state.refresh(self)?;
        Ok(query::all(index, filter, limit))
    }

    /// What is known of these files, in their order; what is gone meanwhile is left out.
    pub(super) fn dropped_rows(&self, keys: &[FileKey]) -> Result<Vec<DroppedRow>, StoreError> {
        let txn = self.read()?;
        let dropped = txn.open_table(DROPPED)?;
        let calls = txn.open_table(schema::CALLS)?;
        let jobs = txn.open_table(schema::JOBS)?;
        let mut rows = Vec::with_capacity(keys.len());
        for (user, path) in keys {
            let Some(record) = dropped.get((user.as_str(), path.as_slice()))? else {
                continue;
            };
            let file: DroppedFile = decode(record.value())?;
            let mut entry = None;
            if let Some(id) = file.state.call()
                && let Some(call) = calls.get(id.as_str())?
                && let Some(job) = jobs.get(id.as_str())?
            {
                entry = Some(Entry {
                    call: decode::<Call>(call.value())?,
                    job: decode::<Job>(job.value())?,
                });
            }
            rows.push(DroppedRow {
                path: path.clone(),
                kind: DropKind::of(&file.state, entry.is_some()),
                file,
                entry,
            });
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests;
