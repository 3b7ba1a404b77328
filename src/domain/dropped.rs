//! A file that a sender dropped over SFTP, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CallId;

/// A file in a sender's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DroppedFile {
    /// Whose folder.
    pub user: String,
    /// Where in it, with '/' between the parts; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// Its size when it was looked at.
    pub size_bytes: u64,
    /// When it was changed, as the sender says.
    pub modified_at: Timestamp,
    /// Device and number of the file itself; another file under the same name has others.
    pub inode: (u64, u64),
    /// When it was first seen.
    pub arrived_at: Timestamp,
    /// What became of it.
    pub state: DropState,
}

/// What became of a dropped file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropState {
    /// It is being written.
    Receiving,
    /// Its transfer broke off; the sender can go on with it.
    Incomplete,
    /// It is complete and waits for somebody to send it to recognition.
    Waiting,
    /// It became a call.
    Taken(CallId),
    /// The same content was known already as this call.
    Known(CallId),
    /// It is no recording; it is kept and not worked on.
    Other,
    /// It cannot be worked on.
    Refused {
        /// Stable name of the reason.
        code: String,
        /// What is wrong and what to do.
        message: String,
    },
}

impl DropState {
    /// True when nothing more happens to the file by itself.
    pub fn is_final(&self) -> bool {
        match self {
            DropState::Receiving | DropState::Incomplete => false,
            DropState::Waiting
            | DropState::Taken(_)
            | DropState::Known(_)
            | DropState::Other
            | DropState::Refused { .. } => true,
        }
    }

    /// The call it belongs to.
    pub fn call(&self) -> Option<&CallId> {
        match self {
            DropState::Taken(id) | DropState::Known(id) => Some(id),
            _ => None,
        }
    }
}
