//! Files outside of the store that belong to a call: what a sender dropped, and the
//! copies in the directory of Calltouch's recordings.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::domain::Call;
use crate::domain::Source;
use crate::domain::details::CALLTOUCH;
use crate::domain::erasure::{Left, LeftReason};
use crate::domain::notice;
use crate::sftp::{End, Folders, Watch};

/// Nobody watches the folders while no SFTP server runs.
struct Nobody;

impl Watch for Nobody {
    fn opened(&self, _: &str, _: &Path) {}
    fn closed(&self, _: &str, _: &Path, _: End) {}
    fn renamed(&self, _: &str, _: &Path, _: &Path) {}
    fn removed(&self, _: &str, _: &Path) {}
}

/// The folders that an SFTP server left, where there are any.
pub(super) fn left_folders(data_dir: &Path) -> Option<Arc<Folders>> {
    let dir = data_dir.join("sftp");
    if !dir.join("files").is_dir() {
        return None;
    }
    Folders::open(&dir, 0, Arc::new(Nobody))
        .inspect_err(|error| tracing::error!(%error, "the folders of senders cannot be opened"))
        .ok()
        .map(Arc::new)
}

/// Removes a file of a sender; one that is gone already is no fault.
pub(super) fn remove_dropped(folders: Option<&Folders>, user: &str, path: &[u8]) -> io::Result<()> {
    let Some(folders) = folders else {
        return Ok(());
    };
    let path = Path::new(OsStr::from_bytes(path));
    match folders.find(user, path) {
        Ok(_) => match folders.remove(user, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The directory in which the recordings of Calltouch are put as well.
pub(super) struct Copies {
    dirs: Vec<PathBuf>,
}

impl Copies {
    pub(super) fn new(config: &Config) -> Self {
        let base = config.calltouch.records_path.as_ref();
        let sites = config.calltouch.sites.iter();
        let dirs = base.map_or_else(Vec::new, |base| {
            sites
                .map(|site| base.join(notice::file_name(&site.id)))
                .collect()
        });
        Self { dirs }
    }

    /// Removes the copies of a call; how many files.
    pub(super) fn remove_of_call(&self, call: &Call, left: &mut Vec<Left>) -> u64 {
        let ids = call.details.external_ids.iter();
        ids.filter(|id| id.system == CALLTOUCH)
            .map(|id| self.remove(&id.id, left))
            .sum()
    }

    /// Removes the copies of what a notice is of.
    pub(super) fn remove_of_notice(&self, key: &str, left: &mut Vec<Left>) -> u64 {
        let prefix = notice::key(Source::Calltouch, "");
        key.strip_prefix(prefix.as_str())
            .map_or(0, |id| self.remove(id, left))
    }

    fn remove(&self, id: &str, left: &mut Vec<Left>) -> u64 {
        let name = notice::file_name(id);
        let mut removed = 0;
        for dir in &self.dirs {
            for ending in ["mp3", "json"] {
                match std::fs::remove_file(dir.join(format!("{name}.{ending}"))) {
                    Ok(()) => removed += 1,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => left.push(Left {
                        reason: LeftReason::Copy,
                        detail: Some(error.to_string()),
                    }),
                }
            }
        }
        removed
    }
}
