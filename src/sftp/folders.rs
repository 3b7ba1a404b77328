//! The folders of all senders, by name. The receiver of recordings asks here
//! what is open, walks a folder at start, reads and removes files.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::Watch;
use super::beneath::{self, Inside, Root};
use super::folder::{Common, Folder};
use crate::domain::sftp_user::validate_sender_name;

/// A file that was found in a sender's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where, from the root of the folder.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
    /// When it was changed, as the sender says.
    pub modified: SystemTime,
    /// Device and number of the file itself, which stay when it is renamed.
    pub inode: (u64, u64),
    /// Names the file has; more than one when it was linked elsewhere.
    pub names: u64,
    /// The sender closed it and was told that it is on disk; nobody writes it since.
    pub complete: bool,
}

/// The folders of all senders.
pub struct Folders {
    base: PathBuf,
    common: Arc<Common>,
    open: Mutex<HashMap<String, Arc<Folder>>>,
}

impl Folders {
    /// Opens `dir` (made where it is not there): `dir/files/NAME` are the
    /// folders. `keep_free` bytes of the disk are never given to senders.
    pub fn open(dir: &Path, keep_free: u64, watch: Arc<dyn Watch>) -> io::Result<Self> {
        let staging_dir = dir.join("staging");
        match std::fs::remove_dir_all(&staging_dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let base = dir.join("files");
        Root::open(&base)?;
        Ok(Self {
            base,
            common: Arc::new(Common {
                staging: Root::open(&staging_dir)?,
                keep_free,
                watch,
                copies: AtomicU64::new(0),
            }),
            open: Mutex::default(),
        })
    }

    /// The sender's folder; made where it is not there.
    pub(super) fn get(&self, user: &str) -> io::Result<Arc<Folder>> {
        validate_sender_name(user).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = open.get(user).filter(|folder| folder.root().is_there()) {
            return Ok(Arc::clone(folder));
        }
        let common = Arc::clone(&self.common);
        let folder = Arc::new(Folder::open(user, &self.base.join(user), common)?);
        open.insert(user.to_owned(), Arc::clone(&folder));
        Ok(folder)
    }

    /// Names of the folders that are there, also of senders who were removed.
    pub fn users(&self) -> io::Result<Vec<String>> {
        let mut users = Vec::new();
        for entry in std::fs::read_dir(&self.base)? {
            let entry = entry?;
            if let (true, Ok(name)) = (entry.file_type()?.is_dir(), entry.file_name().into_string())
                && validate_sender_name(&name).is_ok()
            {
                users.push(name);
            }
        }
        users.sort();
        Ok(users)
    }

    /// Where the folder is in the file system.
    pub fn path(&self, user: &str) -> PathBuf {
        self.base.join(user)
    }

    /// True while somebody has the file open for writing.
    pub fn is_open(&self, user: &str, path: &Path) -> io::Result<bool> {
        Ok(self.get(user)?.is_open(&Inside::from_path(path)?))
    }

    /// Calls `each` for every ordinary file in the folder.
    pub fn walk(&self, user: &str, mut each: impl FnMut(Found)) -> io::Result<()> {
        let folder = self.get(user)?;
        folder.root().walk(&Inside::default(), &mut |path, stat| {
            if beneath::is_file(stat) {
                each(found(path, stat));
            }
        })
    }

    /// What is at the path, where it is an ordinary file. Makes no folder.
    pub fn find(&self, user: &str, path: &Path) -> io::Result<Found> {
        validate_sender_name(user).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        if !self.base.join(user).is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let path = Inside::from_path(path)?;
        let stat = self.get(user)?.root().stat(&path)?;
        if !beneath::is_file(&stat) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(found(&path, &stat))
    }

    /// Opens a file for reading.
    pub fn read(&self, user: &str, path: &Path) -> io::Result<File> {
        self.get(user)?.read(&Inside::from_path(path)?)
    }

    /// Gives a file a second name outside (a hard link), so that its content can
    /// no longer be changed by the sender. [`io::ErrorKind::ResourceBusy`] while
    /// somebody writes it.
    pub fn link(&self, user: &str, path: &Path, outside: &Path) -> io::Result<()> {
        self.get(user)?.link(&Inside::from_path(path)?, outside)
    }

    /// Removes a file; the watch is told as when the sender does it.
    /// [`io::ErrorKind::ResourceBusy`] while somebody writes it.
    pub fn remove(&self, user: &str, path: &Path) -> io::Result<()> {
        self.get(user)?.remove(&Inside::from_path(path)?, false)
    }

    /// Bytes in the folder.
    pub fn used_bytes(&self, user: &str) -> io::Result<u64> {
        Ok(self.get(user)?.used())
    }
}

fn found(path: &Inside, stat: &rustix::fs::Stat) -> Found {
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    let nanoseconds = Duration::from_nanos(stat.st_mtime_nsec);
    Found {
        path: path.path().to_owned(),
        size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified: SystemTime::UNIX_EPOCH + seconds + nanoseconds,
        inode: (stat.st_dev, stat.st_ino),
        names: stat.st_nlink,
        complete: beneath::is_complete(stat),
    }
}
