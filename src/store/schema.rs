//! The tables, the schema number and the migrations. Run once when the store is opened.

use std::path::Path;

use redb::{
    Database, Key, MultimapTableDefinition, ReadableDatabase, TableDefinition, Value,
    WriteTransaction,
};

use super::StoreError;
use super::rewrite::Tables;

/// Schema written by this program.
pub(super) const SCHEMA: u32 = MIGRATIONS.len() as u32 + 1;

pub(super) type HeadAndBytes = (&'static [u8], &'static [u8]);
type Table = TableDefinition<'static, &'static str, &'static [u8]>;

/// Small values of the store itself: the schema number, keys.
pub(super) const META: Table = TableDefinition::new("meta");
/// Call id → call.
pub(super) const CALLS: Table = TableDefinition::new("calls");
/// SHA-256 → recording.
pub(super) const RECORDINGS: Table = TableDefinition::new("recordings");
/// Call id → job.
pub(super) const JOBS: Table = TableDefinition::new("jobs");
/// (priority, time of queueing in µs, call id) → not before (Unix ms) of each queued job, in the order of claiming.
pub(super) const QUEUE: TableDefinition<'static, (u8, i64, &'static str), i64> =
    TableDefinition::new("queue");
/// Call id → what decoding measured.
pub(super) const ENVELOPES: Table = TableDefinition::new("envelopes");
/// Call id → what was recognized.
pub(super) const RECOGNITIONS: Table = TableDefinition::new("recognitions");
/// Call id → transcript with speaker turns.
pub(super) const TRANSCRIPTS: Table = TableDefinition::new("transcripts");
/// (call id, number) → what is known of an earlier version of the transcript.
pub(super) const VERSIONS: TableDefinition<'static, (&'static str, u32), &'static [u8]> =
    TableDefinition::new("versions");
/// (call id, number) → the transcript of that version, compressed.
pub(super) const VERSION_TEXTS: TableDefinition<'static, (&'static str, u32), &'static [u8]> =
    TableDefinition::new("version_texts");
/// Call id → score.
pub(super) const SCORES: Table = TableDefinition::new("scores");
/// (scorecard id, version) → scorecard.
pub(super) const SCORECARDS: TableDefinition<'static, (&'static str, u32), &'static [u8]> =
    TableDefinition::new("scorecards");
/// Operator name in lower case → operator.
pub(super) const OPERATORS: Table = TableDefinition::new("operators");
/// Operator name in lower case → ids of the operator's calls.
pub(super) const OPERATOR_CALLS: MultimapTableDefinition<'static, &'static str, &'static str> =
    MultimapTableDefinition::new("operator_calls");
/// Employee's id → employee.
pub(super) const EMPLOYEES: Table = TableDefinition::new("employees");
/// (key of the notice, time of arrival in µs) → (head, bytes) of what an outside system sent.
pub(super) const PAYLOADS: TableDefinition<'static, (&'static str, i64), HeadAndBytes> =
    TableDefinition::new("payloads");
/// System and id there → what it told of a conversation.
pub(super) const NOTICES: Table = TableDefinition::new("notices");
/// Id or phone → keys of the notices that have it.
pub(super) const NOTICE_KEYS: MultimapTableDefinition<'static, &'static str, &'static str> =
    MultimapTableDefinition::new("notice_keys");
/// Id or phone → ids of the calls that have it.
pub(super) const CALL_KEYS: MultimapTableDefinition<'static, &'static str, &'static str> =
    MultimapTableDefinition::new("call_keys");
/// Key of the errand → errand.
pub(super) const ERRANDS: Table = TableDefinition::new("errands");
/// (system, not before in Unix ms, key of the errand), in the order of doing.
pub(super) const ERRAND_ORDER: TableDefinition<'static, (&'static str, i64, &'static str), ()> =
    TableDefinition::new("errand_order");
/// Name of an outside system → what is known of it between starts.
pub(super) const PRODUCTS: Table = TableDefinition::new("products");
/// User name → user.
pub(super) const USERS: Table = TableDefinition::new("users");
/// Name → sender of files over SFTP.
pub(super) const SFTP_USERS: Table = TableDefinition::new("sftp_users");

const SCHEMA_KEY: &str = "schema";

/// One step from schema `n` to `n + 1`.
pub(super) type Migration = fn(&WriteTransaction) -> Result<(), StoreError>;

/// `MIGRATIONS[n - 1]` leads from schema `n` to `n + 1`.
pub(super) const MIGRATIONS: &[Migration] = &[keep_versions, keep_details, keep_sessions];

/// To schema 2: earlier versions of transcripts are kept. The transcripts that
/// are there are version 0 as they stand; a program that knows schema 1 only
/// would lose the versions, so it shall not open the store.
fn keep_versions(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(VERSIONS)?;
    txn.open_table(VERSION_TEXTS)?;
    Ok(())
}

/// To schema 3: calls have details and are joined to what outside systems tell. A
/// program that knows schema 2 only would write calls back without them.
fn keep_details(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_multimap_table(CALL_KEYS)?;
    Ok(())
}

/// To schema 4: accounts have roles, a reach and second factors. A program that knows
/// schema 3 only would write them back without, and let everybody see everything.
fn keep_sessions(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(super::sessions::SESSIONS)?;
    Ok(())
}

/// Makes the tables of a new store, or brings an older one to the present
/// schema; before that a copy of the file is kept beside it.
pub(super) fn prepare(
    db: Database,
    path: &Path,
    migrations: &[Migration],
) -> Result<Database, StoreError> {
    let target = migrations.len() as u32 + 1;
    let found = stored_schema(&db)?;
    let db = match found {
        None => db,
        Some(schema) if schema == target => db,
        Some(schema) if schema > target => {
            return Err(StoreError::NewerSchema {
                found: schema,
                known: target,
            });
        }
        Some(schema) => {
            // The copy is taken from a closed file, so that it is consistent.
            drop(db);
            let copy = path.with_extension(format!("schema-{schema}.redb"));
            std::fs::copy(path, &copy).map_err(|source| StoreError::Io {
                path: copy.clone(),
                source,
            })?;
            tracing::info!(from = schema, to = target, copy = %copy.display(), "the store is migrated");
            Database::create(path)?
        }
    };
    let txn = db.begin_write()?;
    if let Some(schema) = found {
        for step in &migrations[schema as usize - 1..] {
            step(&txn)?;
        }
    }
    super::rewrite::each_table(&mut Open(&txn))?;
    txn.open_table(META)?
        .insert(SCHEMA_KEY, target.to_le_bytes().as_slice())?;
    txn.commit()?;
    Ok(db)
}

/// Makes the tables that are not there yet.
struct Open<'t>(&'t WriteTransaction);

impl Tables for Open<'_> {
    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        self.0.open_table(table)?;
        Ok(())
    }

    fn multimap<K: Key + 'static, V: Key + 'static>(
        &mut self,
        table: MultimapTableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        self.0.open_multimap_table(table)?;
        Ok(())
    }
}

fn stored_schema(db: &Database) -> Result<Option<u32>, StoreError> {
    let txn = db.begin_read()?;
    let table = match txn.open_table(META) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let value = table.get(SCHEMA_KEY)?;
    Ok(value.and_then(|value| Some(u32::from_le_bytes(value.value().try_into().ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_mark(txn: &WriteTransaction) -> Result<(), StoreError> {
        txn.open_table(META)?.insert("mark", b"1".as_slice())?;
        Ok(())
    }

    fn fails(_: &WriteTransaction) -> Result<(), StoreError> {
        Err(StoreError::NotFound)
    }

    #[test]
    fn an_older_store_is_migrated_and_a_copy_kept() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("store.redb");
        let open = || Database::create(&path).expect("open");
        drop(prepare(open(), &path, &[]).expect("made"));
        let db = prepare(open(), &path, &[add_mark]).expect("migrated");
        assert_eq!(stored_schema(&db).expect("schema"), Some(2));
        drop(db);
        let copy = Database::create(dir.path().join("store.schema-1.redb")).expect("copy");
        assert_eq!(stored_schema(&copy).expect("schema"), Some(1));
        let newer = prepare(open(), &path, &[]).expect_err("newer").to_string();
        assert!(newer.contains("newer"), "{newer}");
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("store.redb");
        let open = || Database::create(&path).expect("open");
        drop(prepare(open(), &path, &[]).expect("made"));
        assert!(prepare(open(), &path, &[add_mark, fails]).is_err());
        let db = open();
        assert_eq!(stored_schema(&db).expect("schema"), Some(1));
        let txn = db.begin_read().expect("read");
        let meta = txn.open_table(META).expect("meta");
        assert!(meta.get("mark").expect("get").is_none());
    }
}
