//! What is known of the servers that recordings are pulled from: their files, the
//! runs, and the keys they showed first. Paths are bytes: not every name is UTF-8.

use jiff::Timestamp;
use redb::{ReadOnlyTable, ReadableTable, TableDefinition, WriteTransaction};

use super::erasures::keyed;
use super::record::{decode, encode};
use super::{Store, StoreError};
use crate::domain::{PullError, PullOutcome, PullRun, PulledFile};

type BySourceAndPath = TableDefinition<'static, (&'static str, &'static [u8]), &'static [u8]>;

/// (source, path there) → file.
pub(super) const PULLED: BySourceAndPath = TableDefinition::new("pulled");
/// (source, begin in µs) → run.
pub(super) const RUNS: TableDefinition<'static, (&'static str, i64), &'static [u8]> =
    TableDefinition::new("pull_runs");
/// Source → (address, fingerprint) of the host key it showed first.
pub(super) const HOST_KEYS: TableDefinition<'static, &'static str, (&'static str, &'static str)> =
    TableDefinition::new("pull_host_keys");

/// Runs that are kept of a source.
const KEPT_RUNS: usize = 500;

/// Begins the key of a file whose name was erased; no path begins with it.
const MARK: &[u8] = b"\0erased/";

/// The files of the sources as they were known at one moment.
pub struct Pulled {
    table: ReadOnlyTable<(&'static str, &'static [u8]), &'static [u8]>,
    key: [u8; 32],
}

/// Whether a key stands for a name that was erased.
pub(super) fn is_mark(path: &[u8]) -> bool {
    path.starts_with(MARK)
}

fn marked(key: &[u8; 32], source: &str, path: &[u8]) -> Vec<u8> {
    let hash = keyed(key, &[b"pulled", source.as_bytes(), path]);
    [MARK, &hash].concat()
}

/// Puts a mark in the place of a file's name; false where there is no such file.
pub(super) fn mark(
    txn: &WriteTransaction,
    key: &[u8; 32],
    source: &str,
    path: &[u8],
) -> Result<bool, StoreError> {
    let mut table = txn.open_table(PULLED)?;
    let Some(mut file) = table
        .remove((source, path))?
        .map(|value| decode::<PulledFile>(value.value()))
        .transpose()?
    else {
        return Ok(false);
    };
    // Reasons can have the name in them.
    file.outcome = PullOutcome::Refused {
        code: "erased".to_owned(),
        message: "What was fetched was erased.".to_owned(),
    };
    let place = marked(key, source, path);
    table.insert((source, place.as_slice()), encode(&file)?.as_slice())?;
    Ok(true)
}

impl Pulled {
    /// What is known of a file.
    pub fn get(&self, source: &str, path: &[u8]) -> Result<Option<PulledFile>, StoreError> {
        let value = match self.table.get((source, path))? {
            Some(value) => Some(value),
            None => {
                let place = marked(&self.key, source, path);
                self.table.get((source, place.as_slice()))?
            }
        };
        value.map(|value| decode(value.value())).transpose()
    }
}

impl Store {
    /// The files as they are known now, for many questions.
    pub fn pulled(&self) -> Result<Pulled, StoreError> {
        Ok(Pulled {
            key: self.erasure_key()?,
            table: self.read()?.open_table(PULLED)?,
        })
    }

    /// Keeps what is known of a file.
    pub fn put_pulled(
        &self,
        source: &str,
        path: &[u8],
        file: &PulledFile,
    ) -> Result<(), StoreError> {
        let txn = self.write()?;
        txn.open_table(PULLED)?
            .insert((source, path), encode(file)?.as_slice())?;
        txn.commit()?;
        Ok(())
    }

    /// Keeps a run; the oldest of its source are forgotten.
    pub fn put_pull_run(&self, run: &PullRun) -> Result<(), StoreError> {
        let source = run.source.as_str();
        let txn = self.write()?;
        {
            let mut table = txn.open_table(RUNS)?;
            let key = (source, run.started_at.as_microsecond());
            table.insert(key, encode(run)?.as_slice())?;
            let mut kept = 0;
            let mut forget = Vec::new();
            for entry in table.range((source, i64::MIN)..=(source, i64::MAX))?.rev() {
                kept += 1;
                if kept > KEPT_RUNS {
                    forget.push(entry?.0.value().1);
                }
            }
            for started in forget {
                table.remove((source, started))?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    /// The runs of a source, or of all, the latest first.
    pub fn pull_runs(&self, source: Option<&str>) -> Result<Vec<PullRun>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(RUNS)?;
        let range = match source {
            Some(source) => table.range((source, i64::MIN)..=(source, i64::MAX))?,
            None => table.iter()?,
        };
        let mut runs = Vec::new();
        for entry in range {
            runs.push(decode::<PullRun>(entry?.1.value())?);
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
        Ok(runs)
    }

    /// Ends the runs that an earlier process did not end.
    pub fn interrupt_pull_runs(&self) -> Result<(), StoreError> {
        for run in self.pull_runs(None)? {
            if run.ended_at.is_none() {
                self.put_pull_run(&PullRun {
                    ended_at: Some(Timestamp::now()),
                    error: Some(PullError {
                        code: "interrupted".to_owned(),
                        message: "The program ended in the middle of the run; the next one goes on where it stopped.".to_owned(),
                    }),
                    ..run
                })?;
            }
        }
        Ok(())
    }

    /// Address and fingerprint of the host key that a source showed first.
    pub fn pinned_host_key(&self, source: &str) -> Result<Option<(String, String)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(HOST_KEYS)?;
        let value = table.get(source)?;
        Ok(value.map(|value| {
            let (address, fingerprint) = value.value();
            (address.to_owned(), fingerprint.to_owned())
        }))
    }

    /// Keeps the host key of a source.
    pub fn pin_host_key(
        &self,
        source: &str,
        address: &str,
        fingerprint: &str,
    ) -> Result<(), StoreError> {
        let txn = self.write()?;
        txn.open_table(HOST_KEYS)?
            .insert(source, (address, fingerprint))?;
        txn.commit()?;
        Ok(())
    }

    /// Forgets the host key of a source; false when none was kept.
    pub fn forget_host_key(&self, source: &str) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let known = txn.open_table(HOST_KEYS)?.remove(source)?.is_some();
        txn.commit()?;
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PullTrigger;

    #[test]
    fn runs_files_and_keys_are_kept_by_source() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("store");
        for number in 0..=(KEPT_RUNS as i64) {
            let mut run = PullRun::begin("a", PullTrigger::Daily);
            run.started_at = Timestamp::from_second(number).expect("a time");
            store.put_pull_run(&run).expect("kept");
        }
        let other = PullRun::begin("b", PullTrigger::Manual);
        store.put_pull_run(&other).expect("kept");
        let runs = store.pull_runs(Some("a")).expect("read");
        assert_eq!(runs.len(), KEPT_RUNS);
        assert_eq!(runs[0].started_at.as_second(), KEPT_RUNS as i64);
        assert_eq!(store.pull_runs(None).expect("read")[0], other);
        store.interrupt_pull_runs().expect("ended");
        let ended = store.pull_runs(None).expect("read");
        assert!(ended.iter().all(|run| run.ended_at.is_some()));
        assert_eq!(ended[0].error.as_ref().expect("why").code, "interrupted");

        let file = PulledFile {
            size_bytes: 3,
            modified_s: Some(1),
            at: Timestamp::UNIX_EPOCH,
            outcome: PullOutcome::Failed {
                message: "no".to_owned(),
            },
            tries: 1,
        };
        store.put_pulled("a", b"\xe7\xe2", &file).expect("kept");
        let pulled = store.pulled().expect("read");
        assert_eq!(pulled.get("a", b"\xe7\xe2").expect("read"), Some(file));
        assert_eq!(pulled.get("b", b"\xe7\xe2").expect("read"), None);

        assert_eq!(store.pinned_host_key("a").expect("read"), None);
        store.pin_host_key("a", "h:22", "SHA256:x").expect("kept");
        let pinned = store.pinned_host_key("a").expect("read");
        assert_eq!(pinned, Some(("h:22".to_owned(), "SHA256:x".to_owned())));
        assert!(store.forget_host_key("a").expect("gone"));
        assert!(!store.forget_host_key("a").expect("nothing"));
    }
}
