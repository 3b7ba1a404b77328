//! The audit by the command line: checked and written out.

use serde::{Deserialize, Serialize};

use crate::domain::audit::{Numbered, Wanted};
use crate::store::Store;

/// Entries that one answer has.
const PAGE: usize = 5000;

/// What can be done with the audit.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "audit")]
pub enum AuditCommand {
    /// Check the chain.
    Verify {
        /// A head that was noted: `number:hash`.
        noted: Option<String>,
    },
    /// Entries after a number, one JSON value a line.
    Export {
        /// 0 for the first.
        after: u64,
    },
}

/// A page of an export.
#[derive(Serialize, Deserialize)]
pub struct Page {
    /// One JSON value a line.
    pub lines: String,
    /// From where to go on.
    pub next: Option<u64>,
}

/// Does the command; the answer is JSON.
pub(super) fn execute(store: &Store, command: &AuditCommand) -> Result<String, String> {
    let answer = match command {
        AuditCommand::Verify { noted } => {
            let found = store.verify_audit(noted.as_deref());
            serde_json::to_string(&found.map_err(|error| error.to_string())?)
        }
        AuditCommand::Export { after } => {
            let found = store.audit_after(&Wanted::default(), *after, PAGE);
            let (entries, next) = found.map_err(|error| error.to_string())?;
            let lines = entries.iter().map(Numbered::line).collect();
            serde_json::to_string(&Page { lines, next })
        }
    };
    answer.map_err(|error| error.to_string())
}
