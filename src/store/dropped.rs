//! What is known of the files that senders dropped over SFTP. The key is the
//! path in bytes: not every name is UTF-8.

use redb::{ReadableTable, TableDefinition};

use super::record::{decode, encode};
use super::{Store, StoreError};
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
        txn.commit()?;
        Ok(())
    }

    /// All files, by sender and path, with the bytes of their paths.
    pub fn all_dropped(&self) -> Result<Vec<(Vec<u8>, DroppedFile)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(DROPPED)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            all.push((key.value().1.to_vec(), decode(value.value())?));
        }
        Ok(all)
    }

    /// Forgets the file `path` and everything in the directory `path`.
    pub fn forget_dropped(&self, user: &str, path: &[u8]) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut table = txn.open_table(DROPPED)?;
            table.remove((user, path))?;
            let (first, after) = inside(path);
            table.retain_in(
                (user, first.as_slice())..(user, after.as_slice()),
                |_, _| false,
            )?;
        }
        txn.commit()?;
        Ok(())
    }

    /// The file `from`, or everything in the directory `from`, is at `to` now; what
    /// was there is replaced.
    pub fn rename_dropped(&self, user: &str, from: &[u8], to: &[u8]) -> Result<(), StoreError> {
        let txn = self.write()?;
        {
            let mut table = txn.open_table(DROPPED)?;
            let mut moved = Vec::new();
            if let Some(value) = table.remove((user, from))? {
                moved.push((to.to_vec(), decode::<DroppedFile>(value.value())?));
            }
            let (first, after) = inside(from);
            let range = (user, first.as_slice())..(user, after.as_slice());
            for entry in table.extract_from_if(range, |_, _| true)? {
                let (key, value) = entry?;
                let rest = key.value().1.get(from.len()..).unwrap_or_default();
                moved.push(([to, rest].concat(), decode::<DroppedFile>(value.value())?));
            }
            for (path, mut file) in moved {
                file.path = String::from_utf8_lossy(&path).into_owned();
                table.insert((user, path.as_slice()), encode(&file)?.as_slice())?;
            }
        }
        txn.commit()?;
        Ok(())
    }
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
        }
    }

    fn paths(store: &Store) -> Vec<String> {
        let all = store.all_dropped().expect("read");
        for (key, file) in &all {
            assert_eq!(key, file.path.as_bytes());
        }
        all.into_iter().map(|(_, file)| file.path).collect()
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
