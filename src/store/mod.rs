//! The embedded store: redb for records, content-addressed files for audio.
//! It is the truth; the search index and work files can be rebuilt from it.
//! All methods block: async callers go through [`Store::run`].

mod analyses;
mod audit;
mod blobs;
mod calls;
mod dropped;
mod employees;
mod erasures;
mod errands;
mod insights;
mod jobs;
mod joins;
mod judging;
mod listing;
mod notices;
mod operators;
mod payloads;
mod prompts;
mod pulled;
mod questions;
mod record;
mod rescorings;
mod reviews;
mod rewrite;
mod schema;
mod scorecards;
mod sessions;
mod sftp_users;
mod users;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable};

pub use audit::Ticket;
pub use blobs::{Blobs, Spool};
pub use calls::Entry;
pub use employees::Imported;
pub use erasures::{Again, Kept, Names};
pub use errands::{Next, Product, Stopped, Waiting};
pub use jobs::{Claim, Retry, StageOutput};
pub use listing::{DroppedFilter, DroppedKey, DroppedName, DroppedPage, DroppedRow, DroppedSort};
pub use notices::News;
pub use operators::Operator;
pub use payloads::Payload;
pub use prompts::PromptChange;
pub use pulled::Pulled;
pub use rescorings::Outcome;
pub use scorecards::{CardVersion, Enforced};
pub use sessions::{Holder, Invited, Renewed, TokenKey};
pub use versions::{KeptVersion, Revision};

/// What the caller can do about it is in the variant.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such record.
    #[error("there is no such record")]
    NotFound,
    /// The job cannot make this move now.
    #[error(transparent)]
    IllegalMove(#[from] crate::domain::job::IllegalMove),
    /// The call waits for work or is being worked on.
    #[error("the call is being worked on")]
    AtWork,
    /// The call has no transcript.
    #[error("the call has no transcript")]
    NotTranscribed,
    /// There is no such version of the transcript.
    #[error("there is no such version of the transcript")]
    NoSuchVersion,
    /// There is no such version of a scorecard.
    #[error("there is no such version of a scorecard")]
    NoSuchCard,
    /// There is no such draft of a scorecard.
    #[error("there is no such draft")]
    NoSuchDraft,
    /// Somebody saved the draft after the person looked at it.
    #[error("the draft was saved by somebody else meanwhile")]
    StaleDraft,
    /// There is no such prompt.
    #[error("there is no such prompt")]
    NoSuchPrompt,
    /// Somebody changed the prompt after the person looked at it.
    #[error("the prompt was changed by somebody else meanwhile")]
    StalePrompt,
    /// Nobody could administer after it.
    #[error("the last administrator stays one")]
    LastAdmin,
    /// There is no such order to score calls again.
    #[error("there is no such order to score calls again")]
    NoSuchRescoring,
    /// Calls are being scored again already.
    #[error("calls are being scored again already")]
    RescoringRuns,
    /// Somebody changed the transcript after the person looked at it.
    #[error("version {current} of the transcript is newer than version {seen}")]
    StaleVersion {
        /// The version the person looked at.
        seen: u32,
        /// The current one.
        current: u32,
    },
    /// The correction is not possible.
    #[error(transparent)]
    Edit(#[from] crate::domain::revise::EditError),
    /// What a person says of a score cannot be taken.
    #[error(transparent)]
    Review(#[from] crate::domain::review::ReviewError),
    /// What the stage needs was never made.
    #[error("the stage '{0}' has nothing to work on")]
    NotReached(crate::domain::Stage),
    /// Another process has the store open.
    #[error("the store {} is in use by another call-analytics process", path.display())]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The store was written by a newer program.
    #[error(
        "the store has schema {found}, which is newer than {known}, the newest that this version knows: install the newer call-analytics again"
    )]
    NewerSchema {
        /// Schema in the file.
        found: u32,
        /// Schema of this program.
        known: u32,
    },
    /// A record cannot be read or written.
    #[error("a record of the kind '{name}' is damaged: {source}")]
    Record {
        /// Kind of record.
        name: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A record has no bytes.
    #[error("a record of the kind '{name}' is empty")]
    Empty {
        /// Kind of record.
        name: &'static str,
    },
    /// A file of the store cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database reports an error.
    #[error("the database reports: {0}")]
    Database(#[from] Box<redb::Error>),
    /// The file has a table that this program does not know.
    #[error("the store has a table '{table}' that this version does not know: it cannot be copied")]
    UnknownTable {
        /// Its name.
        table: String,
    },
    /// The blocking task was lost.
    #[error("the work was interrupted")]
    Interrupted,
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        })*
    };
}
from_redb!(
    DatabaseError,
    TransactionError,
    TableError,
    StorageError,
    CommitError
);

impl StoreError {
    /// True when the disk is full.
    pub fn is_storage_full(&self) -> bool {
        let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
        match self {
            StoreError::Io { source, .. } => full(source),
            StoreError::Database(error) => matches!(&**error, redb::Error::Io(io) if full(io)),
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
        move |source| StoreError::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Name of the store's file.
const FILE: &str = "call-analytics.redb";

/// The open store.
pub struct Store {
    /// Another one after [`Store::rewrite`].
    db: std::sync::RwLock<Arc<Database>>,
    /// Held for reading by who writes: a rewrite waits for them, and they for it.
    gate: std::sync::RwLock<()>,
    blobs: Blobs,
    /// Held while bytes get or lose their final name together with their record,
    /// so that deleting a call cannot take away what arrives at the same moment.
    files: std::sync::Mutex<()>,
    listing: listing::Listing,
    audit: audit::Queue,
    erasure_key: std::sync::OnceLock<[u8; 32]>,
    accounts: tokio::sync::watch::Sender<()>,
}

impl Store {
    /// Opens the store in `data_dir`, making or migrating it as needed.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let blobs = Blobs::open(data_dir)?;
        let path = data_dir.join(FILE);
        let db = Database::create(&path).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.clone() },
            other => other.into(),
        })?;
        restrict(&path)?;
        let db = schema::prepare(db, &path, schema::MIGRATIONS)?;
        let store = Self {
            db: std::sync::RwLock::new(Arc::new(db)),
            gate: std::sync::RwLock::default(),
            blobs,
            files: std::sync::Mutex::default(),
            listing: listing::Listing::default(),
            audit: audit::Queue::default(),
            erasure_key: std::sync::OnceLock::new(),
            accounts: tokio::sync::watch::Sender::new(()),
        };
        store.settle_cut_off()?;
        Ok(store)
    }

    /// The audio files.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Number of the schema in use.
    pub fn schema(&self) -> u32 {
        schema::SCHEMA
    }

    /// Runs `work` on a thread where blocking is allowed.
    pub async fn run<T, F>(self: &Arc<Self>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    {
        let store = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .map_err(|_| StoreError::Interrupted)?
    }

    /// A secret of `N` random bytes kept under `name`; made with `make` at first use.
    pub fn secret<const N: usize>(
        &self,
        name: &str,
        make: impl FnOnce() -> [u8; N],
    ) -> Result<[u8; N], StoreError> {
        let txn = self.write()?;
        let secret = {
            let mut table = txn.open_table(schema::META)?;
            let known = table
                .get(name)?
                .and_then(|value| <[u8; N]>::try_from(value.value()).ok());
            match known {
                Some(secret) => secret,
                None => {
                    let secret = make();
                    table.insert(name, secret.as_slice())?;
                    secret
                }
            }
        };
        txn.commit()?;
        Ok(secret)
    }

    fn read(&self) -> Result<redb::ReadTransaction, StoreError> {
        Ok(self.database().begin_read()?)
    }

    fn database(&self) -> Arc<Database> {
        let db = self.db.read();
        Arc::clone(&db.unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn write(&self) -> Result<listing::Txn<'_>, StoreError> {
        let gate = self.gate.read();
        let gate = gate.unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(listing::Txn::new(
            self.database().begin_write()?,
            self,
            gate,
        ))
    }
}

/// Makes a file readable by its owner only.
fn restrict(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(StoreError::io(path))
}
