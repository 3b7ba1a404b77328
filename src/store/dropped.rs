//! What is known of the files that senders dropped over SFTP. The key is the
//! path in bytes: not every name is UTF-8.

use redb::{ReadTransaction, ReadableTable, TableDefinition};

use super::record::{decode, encode};
use super::{DroppedRow, Store, StoreError};
use crate::domain::DroppedFile;

/// (sender, path in the sender's folder) → file.
pub(super) const DROPPED: TableDefinition<'static, (&'static str, &'static [u8]), &'static [u8]> =
    TableDefinition::new("dropped_files");

impl Store {
    /// What is known of a file.
    pub fn dropped(&self, user: &str, path: &[u8]) -> Result<Option<DroppedFile>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(DROPPED)?;
        let value = table.get((user, path))?;
        value.map(|value| decode(value.value())).transpose()
    }

    /// Keeps what is known of a file.
    pub fn put_dropped(&self, path: &[u8], file: &DroppedFile) -> Result<(), StoreError> {
        let txn = self.write()?;
        txn.open_table(DROPPED)?
            .insert((file.user.as_str(), path), encode(file)?.as_slice())?;
        txn.file_changes(&file.user, path);
        txn.commit()
    }

    /// Senders and paths of all files.
    pub fn all_dropped(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(DROPPED)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let key = entry?.0;
            let (user, path) = key.value();
            all.push((user.to_owned(), path.to_vec()));
        }
        Ok(all)
    }

    /// What is known of a file, with its call.
    pub fn dropped_row(&self, user: &str, path: &[u8]) -> Result<Option<DroppedRow>, StoreError> {
        let mut rows = self.dropped_rows(&[(user.to_owned(), path.to_vec())])?;
        Ok(rows.pop())
    }

    /// Forgets the file `path` and everything in the directory `path`.
    pub fn forget_dropped(&self, user: &str, path: &[u8]) -> Result<(), StoreError> {
        self.forget_all_dropped(&[(user.to_owned(), path.to_vec())])
    }

    /// The same of several, at once.
    pub fn forget_all_dropped(&self, gone: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        let mut known = Vec::new();
        {
            let txn = self.read()?;
            let table = txn.open_table(DROPPED)?;
            for (user, path) in gone {
                known.extend(keys_at(&table, user, path)?);
            }
        }
        // Most of what is removed twice is known no longer: nothing is written then.
        if known.is_empty() {
            return Ok(());
        }
        let txn = self.write()?;
        {
            let mut table = txn.open_table(DROPPED)?;
            for (user, path) in &known {
                table.remove((user.as_str(), path.as_slice()))?;
                txn.file_changes(user, path);
            }
        }
        txn.commit()
    }

    /// The file `from`, or everything in the directory `from`, is at `to` now; what
    /// was there is replaced.
    pub fn rename_dropped(&self, user: &str, from: &[u8], to: &[u8]) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut table = txn.open_table(DROPPED)?;
            for (_, key) in keys_at(&table, user, from)? {
                let Some(mut file) = table
                    .remove((user, key.as_slice()))?
                    .map(|value| decode::<DroppedFile>(value.value()))
                    .transpose()?
                else {
                    continue;
                };
                let rest = key.get(from.len()..).unwrap_or_default();
                let path = [to, rest].concat();
                if name(&path) != name(&key) {
                    // What it told was of the other name.
                    file.told = None;
                }
                file.path = String::from_utf8_lossy(&path).into_owned();
                table.insert((user, path.as_slice()), encode(&file)?.as_slice())?;
                txn.file_changes(user, &key);
                txn.file_changes(user, &path);
            }
        }
        txn.commit()
    }
}

/// Calls `visit` with sender, path and what is known of every file.
pub(super) fn each(
    txn: &ReadTransaction,
    mut visit: impl FnMut(&str, &[u8], DroppedFile) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for row in txn.open_table(DROPPED)?.iter()? {
        let (key, value) = row?;
        let (user, path) = key.value();
        visit(user, path, decode(value.value())?)?;
    }
    Ok(())
}

/// The keys of the file `path` and of everything in the directory `path`.
fn keys_at(
    table: &impl ReadableTable<(&'static str, &'static [u8]), &'static [u8]>,
    user: &str,
    path: &[u8],
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut keys = Vec::new();
    if table.get((user, path))?.is_some() {
        keys.push((user.to_owned(), path.to_vec()));
    }
    let (first, after) = inside(path);
    for entry in table.range((user, first.as_slice())..(user, after.as_slice()))? {
        keys.push((user.to_owned(), entry?.0.value().1.to_vec()));
    }
    Ok(keys)
}

/// The last part of a path.
fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The first key of what is in a directory, and the first behind it.
fn inside(path: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // '0' follows '/'.
    ([path, b"/"].concat(), [path, b"0"].concat())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::DropState;

    fn file(path: &str) -> DroppedFile {
        DroppedFile {
            user: "mango".to_owned(),
            path: path.to_owned(),
            size_bytes: 1,
            modified_at: Timestamp::UNIX_EPOCH,
            inode: (1, 2),
            arrived_at: Timestamp::UNIX_EPOCH,
            state: DropState::Other,
            duration_ms: None,
            told: None,
        }
    }

    fn paths(store: &Store) -> Vec<String> {
        let all = store.all_dropped().expect("read");
        all.into_iter()
            .map(|(user, path)| {
                let file = store.dropped(&user, &path).expect("read").expect("known");
                assert_eq!(path, file.path.as_bytes());
                file.path
            })
            .collect()
    }

    #[test]
    fn files_follow_their_directory() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("store");
        for path in ["a", "a/1.mp3", "a/б/2.mp3", "a.mp3", "a0"] {
            store
                .put_dropped(path.as_bytes(), &file(path))
                .expect("put");
        }
        store
            .rename_dropped("mango", b"a", "в".as_bytes())
            .expect("moved");
        assert_eq!(paths(&store), ["a.mp3", "a0", "в", "в/1.mp3", "в/б/2.mp3"]);
        store.forget_dropped("mango", "в".as_bytes()).expect("gone");
        assert_eq!(paths(&store), ["a.mp3", "a0"]);
        store.forget_dropped("other", b"a0").expect("nothing");
        assert_eq!(
            store.dropped("mango", b"a0").expect("read"),
            Some(file("a0"))
        );
    }
}
