//! All tables of the store, and writing its file anew. What is removed from redb stays
//! in unused pages of the file until they are written again, so after an erasure all
//! tables are copied into a new file, which takes the place of the old one while the
//! store is in use. Who writes waits meanwhile; who reads does not.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Database, Key, MultimapTableDefinition, MultimapTableHandle, ReadTransaction, ReadableDatabase,
    ReadableMultimapTable, ReadableTable, TableDefinition, TableHandle, Value, WriteTransaction,
};

use super::schema::{
    CALL_KEYS, CALLS, EMPLOYEES, ENVELOPES, ERRAND_ORDER, ERRANDS, JOBS, META, NOTICE_KEYS,
    NOTICES, OPERATOR_CALLS, OPERATORS, PAYLOADS, PRODUCTS, QUEUE, RECOGNITIONS, RECORDINGS,
    SCORECARDS, SCORES, SFTP_USERS, TRANSCRIPTS, USERS, VERSION_TEXTS, VERSIONS,
};
use super::{
    Store, StoreError, analyses, audit, dropped, erasures, insights, judging, prompts, pulled,
    questions, rescorings, reviews, scorecards, sessions,
};

/// Something to be done with every table.
pub(super) trait Tables {
    /// With a table.
    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), StoreError>;

    /// With a table that has several values of a key.
    fn multimap<K: Key + 'static, V: Key + 'static>(
        &mut self,
        table: MultimapTableDefinition<'static, K, V>,
    ) -> Result<(), StoreError>;
}

/// Every table of the store: a table that is not named here is neither made nor copied.
pub(super) fn each_table(all: &mut impl Tables) -> Result<(), StoreError> {
    for table in [
        META,
        CALLS,
        RECORDINGS,
        JOBS,
        ENVELOPES,
        RECOGNITIONS,
        TRANSCRIPTS,
        SCORES,
        OPERATORS,
        USERS,
        EMPLOYEES,
        NOTICES,
        ERRANDS,
        PRODUCTS,
        SFTP_USERS,
    ] {
        all.table(table)?;
    }
    all.table(audit::AUDIT)?;
    all.table(audit::BEGUN)?;
    all.table(erasures::ERASURES)?;
    all.table(erasures::ERASED)?;
    all.table(dropped::DROPPED)?;
    all.table(judging::JUDGING)?;
    all.table(judging::EGRESS)?;
    all.table(prompts::PROMPTS)?;
    all.table(prompts::PROMPT_VERSIONS)?;
    all.table(reviews::REVIEWS)?;
    all.table(questions::ANSWERS)?;
    all.table(questions::ASKING)?;
    all.table(questions::SAVED)?;
    all.table(analyses::ANALYSES)?;
    all.table(analyses::ROWS)?;
    all.multimap(analyses::CALL_ROWS)?;
    all.table(insights::INSIGHTS)?;
    all.table(insights::INSIGHTS_DUE)?;
    all.table(insights::SUMMARIES_DUE)?;
    all.multimap(insights::TOPIC_CALLS)?;
    all.table(insights::TRACKERS)?;
    all.table(pulled::PULLED)?;
    all.table(pulled::RUNS)?;
    all.table(pulled::HOST_KEYS)?;
    all.table(QUEUE)?;
    all.table(rescorings::RESCORINGS)?;
    all.table(rescorings::RESCORED)?;
    all.table(sessions::SESSIONS)?;
    all.table(sessions::API_KEYS)?;
    all.table(sessions::INVITATIONS)?;
    all.table(sessions::TOKEN_KEYS)?;
    all.table(SCORECARDS)?;
    all.table(scorecards::NOTES)?;
    all.table(scorecards::DRAFTS)?;
    all.table(scorecards::IN_FORCE)?;
    all.table(VERSIONS)?;
    all.table(VERSION_TEXTS)?;
    all.multimap(OPERATOR_CALLS)?;
    all.table(PAYLOADS)?;
    all.table(ERRAND_ORDER)?;
    all.multimap(NOTICE_KEYS)?;
    all.multimap(CALL_KEYS)?;
    Ok(())
}

struct Copy<'t> {
    from: &'t ReadTransaction,
    to: &'t WriteTransaction,
    done: Vec<String>,
}

impl Tables for Copy<'_> {
    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        self.done.push(table.name().to_owned());
        let from = self.from.open_table(table)?;
        let mut to = self.to.open_table(table)?;
        for row in from.iter()? {
            let (key, value) = row?;
            to.insert(key.value(), value.value())?;
        }
        Ok(())
    }

    fn multimap<K: Key + 'static, V: Key + 'static>(
        &mut self,
        table: MultimapTableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        self.done.push(table.name().to_owned());
        let from = self.from.open_multimap_table(table)?;
        let mut to = self.to.open_multimap_table(table)?;
        for row in from.iter()? {
            let (key, values) = row?;
            for value in values {
                to.insert(key.value(), value?.value())?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Writes the store's file anew, so that nothing that was removed is in it. Needs as
    /// much room on the disk as the store has now. Blocks, and whoever writes waits.
    pub fn rewrite(&self) -> Result<(), StoreError> {
        let _nobody_writes = self
            .gate
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path();
        let new = path.with_extension("redb.new");
        let written = self.copy_to(&new);
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        let db = written?;
        std::fs::rename(&new, &path).map_err(StoreError::io(&path))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(StoreError::io(dir))?;
        *self
            .db
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(db);
        Ok(())
    }

    fn copy_to(&self, new: &Path) -> Result<Database, StoreError> {
        // What an earlier process left half done.
        match std::fs::remove_file(new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io(new)(error));
            }
            _ => {}
        }
        let db = Database::create(new)?;
        super::restrict(new)?;
        let from = self.database().begin_read()?;
        let to = db.begin_write()?;
        let mut copy = Copy {
            from: &from,
            to: &to,
            done: Vec::new(),
        };
        each_table(&mut copy)?;
        let tables = from.list_tables()?.map(|table| table.name().to_owned());
        let multimaps = from.list_multimap_tables()?;
        let multimaps = multimaps.map(|table| table.name().to_owned());
        for table in tables.chain(multimaps) {
            if !copy.done.contains(&table) {
                return Err(StoreError::UnknownTable { table });
            }
        }
        to.commit()?;
        Ok(db)
    }

    /// Removes the copies of the store that upgrades have left; how many there were.
    pub fn remove_old_copies(&self) -> Result<u64, StoreError> {
        let path = self.path();
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut removed = 0;
        for entry in std::fs::read_dir(dir).map_err(StoreError::io(dir))? {
            let path = entry.map_err(StoreError::io(dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| {
                name.starts_with("call-analytics.schema-") && name.ends_with(".redb")
            }) {
                std::fs::remove_file(&path).map_err(StoreError::io(&path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn path(&self) -> PathBuf {
        self.blobs.data_dir().join(super::FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::domain::audit::{Action, Actor, Entry};

    #[test]
    fn a_new_file_has_all_and_nothing_that_was_removed() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Arc::new(Store::open(dir.path()).expect("store"));
        let secret = vec![b'#'; 3000];
        let put = |name: &str, value: &[u8]| {
            let txn = store.write().expect("a transaction");
            let mut meta = txn.open_table(schema::META).expect("meta");
            meta.insert(name, value).expect("written");
            drop(meta);
            txn.commit().expect("durable");
        };
        put("kept", b"kept value");
        put("secret", &secret);
        {
            let txn = store.write().expect("a transaction");
            let mut keys = txn.open_multimap_table(CALL_KEYS).expect("keys");
            keys.insert("a", "1").expect("written");
            keys.insert("a", "2").expect("written");
            keys.remove("a", "1").expect("removed");
            drop(keys);
            let mut meta = txn.open_table(schema::META).expect("meta");
            meta.remove("secret").expect("removed");
            drop(meta);
            txn.commit().expect("durable");
        }
        let has = |bytes: &[u8]| {
            let file = std::fs::read(dir.path().join(super::super::FILE)).expect("the file");
            file.windows(bytes.len()).any(|part| part == bytes)
        };
        assert!(has(&secret[..100]), "redb keeps what was removed");
        let before = store.read().expect("a transaction");
        // Others write all the time.
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..20 {
                        let entry = Entry::new(Actor::System, Action::Started);
                        store.record(entry).expect("written");
                    }
                });
            }
            threads.spawn(|| store.rewrite().expect("written anew"));
        });
        assert!(!has(&secret[..100]) && has(b"kept value"));
        drop(before);
        assert_eq!(store.verify_audit(None).expect("verified").entries, 80);
        // It is the file that is opened next, and nobody else can open it now.
        assert!(matches!(
            Store::open(dir.path()),
            Err(StoreError::InUse { .. })
        ));
        drop(store);
        let store = Store::open(dir.path()).expect("store");
        assert_eq!(store.verify_audit(None).expect("verified").entries, 80);
        let txn = store.read().expect("a transaction");
        let keys = txn.open_multimap_table(CALL_KEYS).expect("keys");
        assert_eq!(keys.get("a").expect("read").count(), 1);
        assert!(!dir.path().join("call-analytics.redb.new").exists());
    }

    #[test]
    fn a_table_that_is_not_named_is_not_lost() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("store");
        let other: TableDefinition<'static, u8, u8> = TableDefinition::new("other");
        let txn = store.write().expect("a transaction");
        txn.open_table(other)
            .expect("a table")
            .insert(1, 2)
            .expect("written");
        txn.commit().expect("durable");
        let error = store.rewrite().expect_err("refused").to_string();
        assert!(error.contains("other"), "{error}");
        let txn = store.read().expect("a transaction");
        assert_eq!(
            txn.open_table(other)
                .expect("there")
                .iter()
                .expect("rows")
                .count(),
            1
        );
    }
}
