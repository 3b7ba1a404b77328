//! Whisper model files on disk: which ones can be downloaded, which ones are
//! there and whole, and how a team's own fine-tuned model becomes one.
//!
//! Called by the command line (`model list|pull|import|remove`) and by the
//! speech worker, which asks [`ModelStore::resolve`] for a checked path before
//! it lets whisper.cpp load it: whisper.cpp itself accepts a truncated file and
//! then finds no words. Everything here blocks.

mod files;
pub(super) mod ggml;
mod import;
mod manifest;
mod pull;
mod sidecar;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use import::Quantize;
pub use manifest::{Manifest, ManifestEntry};
pub use store::{InstalledModel, ModelPath, ModelState, ModelStore, Origin};

/// How far a download, an import or a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// Bytes done so far, of the bytes that this step writes or reads.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// The step that a [`Progress`] tells about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes arrive from the network.
    Download,
    /// An existing file is read for its SHA-256.
    Check,
    /// Weights are converted and written.
    Convert,
}

/// What can go wrong with model files; each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The name is neither in the manifest nor a file that is there.
    #[error("there is no model {name:?} to download; known names: {known}")]
    UnknownName {
        /// The name as given.
        name: String,
        /// The names of the manifest, comma-separated.
        known: String,
    },
    /// The name cannot be part of a file name.
    #[error(
        "{0:?} cannot be a model name: use letters, digits, '.', '_' and '-' (64 characters at most)"
    )]
    BadName(String),
    /// The models directory has no such file.
    #[error(
        "the model {name:?} is not in {dir}: get it with `call-analytics model pull {name}`, or bring your own with `call-analytics model import PATH --name {name}`"
    )]
    NotInstalled {
        /// The name as given.
        name: String,
        /// The models directory.
        dir: PathBuf,
    },
    /// The file is not a whole whisper.cpp model.
    #[error(
        "{path} is not a usable Whisper model: {reason}; remove it and download or import it again"
    )]
    Invalid {
        /// The model file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file's content is not what was published or imported under its name.
    #[error(
        "{path} has SHA-256 {found}, but {expected} was expected: pull or import it again; your own conversion needs another name (`call-analytics model import {path} --name NAME`)"
    )]
    WrongHash {
        /// The model file.
        path: PathBuf,
        /// The SHA-256 of the manifest or of the import, in hex.
        expected: String,
        /// The SHA-256 of the file, in hex.
        found: String,
    },
    /// The server could not be reached or stopped answering.
    #[error(
        "cannot download {url}: {reason}; check the network, the proxy (HTTPS_PROXY), or set CALL_ANALYTICS_MODEL_MIRROR to a reachable copy. What has arrived is kept and the next try goes on from there"
    )]
    Offline {
        /// What was asked for.
        url: String,
        /// Why it failed.
        reason: String,
    },
    /// The server answered with an error.
    #[error(
        "{url} answered HTTP {status}: the model is not there or the address (CALL_ANALYTICS_MODEL_MIRROR) is wrong"
    )]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status code.
        status: u16,
    },
    /// What was downloaded is not the published file.
    #[error(
        "{url} gave other bytes than published (SHA-256 {found}, expected {expected}); they were thrown away: try again or use another mirror"
    )]
    WrongDownload {
        /// What was asked for.
        url: String,
        /// The published SHA-256, in hex.
        expected: String,
        /// The SHA-256 of what arrived, in hex.
        found: String,
    },
    /// No room for the file.
    #[error(
        "no room left for {path} ({needed_bytes} bytes are needed in all): free some disk space and try again"
    )]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// The size of the whole file.
        needed_bytes: u64,
    },
    /// Another process downloads or imports the same model now.
    #[error("{0} is being written by another process: wait for it")]
    Busy(PathBuf),
    /// The thing to import is of no known kind or cannot be converted.
    #[error("cannot import {path}: {reason}")]
    Import {
        /// What was to be imported.
        path: PathBuf,
        /// Why not, and what would help.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl ModelError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// For the file being written: a full disk is its own case.
    fn write(path: &Path, needed_bytes: u64) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path: path.to_owned(),
                needed_bytes,
            },
            _ => Self::Io {
                path: path.to_owned(),
                source,
            },
        }
    }

    pub(super) fn invalid(path: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    fn import(path: &Path, reason: impl Into<String>) -> Self {
        Self::Import {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Lower-case hexadecimal, as SHA-256 values are written.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        })
}
