//! The small file beside a model (`ggml-NAME.bin.json`) that remembers its
//! SHA-256, so that a start does not read a gigabyte again, and where an
//! imported model came from. Called by the store only.

use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::ModelError;
use super::files::with_suffix;

/// What is remembered of a model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sidecar {
    /// Size of the file when it was hashed.
    pub(super) size_bytes: u64,
    /// Its modification time then, in nanoseconds since 1970.
    pub(super) modified_ns: u64,
    /// Its SHA-256 then, in hex.
    pub(super) sha256: String,
    /// What it was imported from; absent for a downloaded or hand-copied file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) imported_from: Option<String>,
}

/// Size and time of a file, by which a change is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size_bytes: u64,
    pub(super) modified_ns: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Result<Self, ModelError> {
        let meta = std::fs::metadata(path).map_err(ModelError::io(path))?;
        let modified_ns = meta
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|age| u64::try_from(age.as_nanos()).ok())
            .unwrap_or(0);
        Ok(Self {
            size_bytes: meta.len(),
            modified_ns,
        })
    }
}

impl Sidecar {
    pub(super) fn read(model: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path_of(model)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes the file whole or not at all.
    pub(super) fn write(&self, model: &Path) -> Result<(), ModelError> {
        let path = path_of(model);
        let new = with_suffix(&path, ".new");
        let text = serde_json::to_string_pretty(self).map_err(|e| ModelError::Io {
            path: path.clone(),
            source: e.into(),
        })?;
        std::fs::write(&new, text).map_err(ModelError::io(&new))?;
        std::fs::rename(&new, &path).map_err(ModelError::io(&path))
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            size_bytes: self.size_bytes,
            modified_ns: self.modified_ns,
        }
    }

    pub(super) fn remove(model: &Path) {
        let _ = std::fs::remove_file(path_of(model));
    }
}

fn path_of(model: &Path) -> std::path::PathBuf {
    with_suffix(model, ".json")
}
