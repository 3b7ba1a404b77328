//! The way in. [`Intake::accept`] is the only door: the bytes are on disk under
//! their hash before the record and its job are written in one transaction.

pub mod calltouch;
pub mod drop;
mod drop_hand;
mod errands;
pub mod fetch;
pub mod mango;
pub mod names;
pub mod outside;
pub mod pull;
mod web;

pub use web::Fault;

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::valid_language;
use crate::domain::call::Direction;
use crate::domain::details::OperatorBy;
use crate::domain::dropped::NameTold;
use crate::domain::{Call, CallDetails, CallId, Job, Priority, RawEndings, Recording, Source};
use crate::pipeline::Runner;
use crate::pipeline::media::{self, Input, Inspected, MediaError};
use crate::store::{Spool, Store, StoreError};
use names::Names;

/// Longest operator name in characters.
const MAX_OPERATOR_CHARS: usize = 120;
/// Longest file name kept, in characters.
const MAX_FILENAME_CHARS: usize = 255;

/// Why a recording was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The file cannot be used.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The file is larger than allowed.
    #[error("The file is larger than {} MB, the largest size allowed here.", max_bytes / 1_048_576)]
    TooLarge {
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// What came with the file is wrong.
    #[error("{0}")]
    Details(&'static str),
    /// Its call was erased on somebody's request.
    #[error("This recording was erased at a person's request and is not taken in again.")]
    Erased,
    /// A pattern for names is faulty.
    #[error("{0}")]
    Patterns(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is known of a recording that arrives, besides its bytes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Name of the file as the sender gave it.
    pub filename: String,
    /// Our person's name.
    pub operator: Option<String>,
    /// ISO 639-1 code or `auto`.
    pub language: Option<String>,
    /// By which door.
    pub source: Source,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// Order in the queue.
    pub priority: Priority,
    /// When the conversation began.
    pub started_at: Option<Timestamp>,
    /// What else is told of the call.
    pub details: CallDetails,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// A new call.
    New(CallId),
    /// The same bytes are known already as this call.
    Known(CallId),
}

/// Takes recordings in.
pub struct Intake {
    store: Arc<Store>,
    runner: Arc<Runner>,
    max_bytes: u64,
    raw: RawEndings,
    names: Names,
}

impl Intake {
    /// `max_bytes` is the largest file taken; `raw` says which names stand for
    /// sound without a header; `names` reads what else they tell.
    pub fn new(
        store: Arc<Store>,
        runner: Arc<Runner>,
        max_bytes: u64,
        raw: RawEndings,
        names: Names,
    ) -> Self {
        Self {
            store,
            runner,
            max_bytes,
            raw,
            names,
        }
    }

    /// Reads names of files.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Largest file taken, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Begins to take in a file.
    pub fn spool(&self) -> Result<Spool, IntakeError> {
        Ok(self.store.blobs().spool()?)
    }

    /// Begins with a whole file, which gets a second name by `link` ([`crate::store::Blobs::adopt`]).
    fn adopt(
        &self,
        link: impl FnOnce(&std::path::Path) -> std::io::Result<()>,
    ) -> Result<Spool, StoreError> {
        self.store.blobs().adopt(link)
    }

    /// Reads the head of a file that may be taken in; `filename` counts for sound without a header.
    pub fn inspect(&self, file: std::fs::File, filename: &str) -> Result<Inspected, MediaError> {
        let input = Input::named(std::path::Path::new(""), filename, &self.raw);
        media::inspect_file(file, &input)
    }

    /// What a name tells, as lists show it.
    fn told_by_name(&self, filename: &str) -> Result<NameTold, StoreError> {
        let directory = self.store.directory()?;
        let facts = self.names.read(filename, &directory);
        let operator = directory.operator_of(&facts.details);
        let operator = operator.map(|employee| employee.name.clone());
        Ok(NameTold::new(facts, operator))
    }

    fn too_large(&self) -> IntakeError {
        IntakeError::TooLarge {
            max_bytes: self.max_bytes,
        }
    }

    /// Appends bytes; refuses more than the limit.
    pub fn write(&self, spool: &mut Spool, bytes: &[u8]) -> Result<(), IntakeError> {
        if spool.size_bytes() + bytes.len() as u64 > self.max_bytes {
            return Err(self.too_large());
        }
        Ok(spool.write(bytes)?)
    }

    /// Checks the content, makes the bytes durable, and writes record and job. Blocks.
    pub fn accept(&self, spool: Spool, mut arrival: Arrival) -> Result<Accepted, IntakeError> {
        let operator = clean_operator(arrival.operator.as_deref())?;
        if operator.is_some() {
            arrival.details.operator_by = Some(OperatorBy::Person);
        }
        if let Some(language) = &arrival.language
            && !valid_language(language)
        {
            return Err(IntakeError::Details(
                "The language is the code of a language that Whisper knows, such as \"ru\", or \"auto\".",
            ));
        }
        let sha256 = spool.sha256();
        if let Some(known) = self.store.call_of_recording(&sha256)? {
            return Ok(Accepted::Known(known));
        }
        if self.store.is_erased(&sha256)? {
            return Err(IntakeError::Erased);
        }
        let input = Input::named(spool.path(), &arrival.filename, &self.raw);
        let inspected = media::inspect(&input)?;
        self.names.fill(&mut arrival, &self.store.directory()?);
        let size_bytes = spool.size_bytes();
        let now = Timestamp::now();
        let id = CallId::new(ulid::Ulid::generate().to_string())
            .map_err(|_| IntakeError::Details("An id could not be made; try again."))?;
        let recording = Recording {
            sha256: sha256.clone(),
            size_bytes,
            content_type: inspected.content_type,
            call_id: id.clone(),
            media: None,
        };
        let call = Call {
            id: id.clone(),
            sha256,
            filename: clean_filename(&arrival.filename),
            operator,
            language: arrival.language,
            source: arrival.source,
            direction: arrival.direction,
            media: inspected.kind,
            created_at: now,
            started_at: arrival.started_at,
            duration_ms: None,
            speakers_swapped: false,
            separation: None,
            score: None,
            details: arrival.details,
        };
        let job = Job::new(id.clone(), arrival.priority, now);
        match self.store.accept(spool, &recording, &call, &job)? {
            Ok(()) => {
                self.runner.announce(&job);
                self.runner.wake();
                Ok(Accepted::New(id))
            }
            Err(known) => Ok(Accepted::Known(known)),
        }
    }
}

/// A name without control characters and double spaces; empty becomes `None`.
pub fn clean_operator(name: Option<&str>) -> Result<Option<String>, IntakeError> {
    let name: String = name
        .unwrap_or_default()
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if name.chars().count() > MAX_OPERATOR_CHARS {
        return Err(IntakeError::Details(
            "The operator's name is too long: use at most 120 characters.",
        ));
    }
    Ok((!name.is_empty()).then_some(name))
}

/// The last part of a path, without control characters.
fn clean_filename(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| !crate::domain::audit::is_deceptive(*c))
        .take(MAX_FILENAME_CHARS)
        .collect();
    let clean = clean.trim();
    if clean.is_empty() {
        "recording".to_owned()
    } else {
        clean.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_harmless() {
        assert_eq!(clean_filename("../../etc/passwd"), "passwd");
        assert_eq!(clean_filename("C:\\calls\\звонок.mp3"), "звонок.mp3");
        assert_eq!(clean_filename("new\nline.mp3"), "newline.mp3");
        assert_eq!(clean_filename("a\u{202e}3pm.exe"), "a3pm.exe");
        assert_eq!(clean_filename("/"), "recording");
        assert_eq!(clean_filename("   "), "recording");
    }

    #[test]
    fn operators() {
        assert_eq!(
            clean_operator(Some("  Ольга \t Петрова\n"))
                .expect("ok")
                .as_deref(),
            Some("Ольга Петрова")
        );
        assert_eq!(clean_operator(Some(" \u{0}")).expect("ok"), None);
        assert!(clean_operator(Some(&"я".repeat(121))).is_err());
    }
}
