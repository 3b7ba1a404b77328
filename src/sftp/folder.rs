//! One sender's folder: what is open for writing, how full it is, and the
//! changes that the rest of the program is told of. A file with a second name
//! (the receiver keeps finished recordings by a hard link) is never written in
//! place: the sender gets a copy of his own.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Dir, OFlags, Stat, StatVfs, Timestamps};
use rustix::io::Errno;

use super::beneath::{self, Inside, Root};
use super::{End, Watch};

/// A folder that seems full is counted again, at most this often.
const RECOUNT: Duration = Duration::from_secs(10);
/// The free space of the disk is looked at this often.
const LOOK_AT_DISK: Duration = Duration::from_secs(1);

/// What all folders share.
pub(super) struct Common {
    /// Copies are made here before they take their place; the same file system.
    pub(super) staging: Root,
    /// Bytes of the disk that senders leave free.
    pub(super) keep_free: u64,
    /// Who is told.
    pub(super) watch: Arc<dyn Watch>,
    /// Numbers for names in `staging`.
    pub(super) copies: AtomicU64,
}

/// How a file is opened for writing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct How {
    pub(super) read: bool,
    pub(super) append: bool,
    pub(super) create: bool,
    pub(super) truncate: bool,
    pub(super) exclusive: bool,
}

/// One sender's folder.
pub(super) struct Folder {
    user: String,
    root: Root,
    common: Arc<Common>,
    writers: Mutex<Writers>,
    space: Mutex<Space>,
}

#[derive(Default)]
struct Writers {
    next: u64,
    /// Where each file open for writing is now; `None`: removed meanwhile.
    open: HashMap<u64, Option<Inside>>,
}

struct Space {
    used: u64,
    quota: u64,
    counted: Instant,
    disk_free: u64,
    disk_seen: Option<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Folder {
    /// Opens the folder and counts what is in it.
    pub(super) fn open(user: &str, path: &Path, common: Arc<Common>) -> io::Result<Self> {
        let root = Root::open(path)?;
        let used = beneath::count(&root)?;
        Ok(Self {
            user: user.to_owned(),
            root,
            common,
            writers: Mutex::default(),
            space: Mutex::new(Space {
                used,
                quota: 0,
                counted: Instant::now(),
                disk_free: 0,
                disk_seen: None,
            }),
        })
    }

    /// The directory.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// Sets the most bytes the folder may hold; 0 for no bound.
    pub(super) fn set_quota(&self, bytes: u64) {
        lock(&self.space).quota = bytes;
    }

    /// Bytes in the folder.
    pub(super) fn used(&self) -> u64 {
        lock(&self.space).used
    }

    /// True while somebody has the file open for writing.
    pub(super) fn is_open(&self, path: &Inside) -> bool {
        lock(&self.writers).is_open(path)
    }

    /// Opens a file for reading.
    pub(super) fn read(&self, path: &Inside) -> io::Result<File> {
        let file = self.root.file(path, OFlags::RDONLY)?;
        beneath::ordinary(&file)?;
        Ok(file)
    }

    /// Opens a file for writing; `folder` is this folder.
    pub(super) fn write(folder: &Arc<Self>, path: &Inside, how: How) -> io::Result<Writing> {
        if path.is_root() {
            return Err(Errno::ISDIR.into());
        }
        // Another connection may change what is there between two looks at it.
        for _ in 0..16 {
            if let Some(writing) = Self::try_write(folder, path, how)? {
                folder.common.watch.opened(&folder.user, path.path());
                return Ok(writing);
            }
        }
        Err(Errno::BUSY.into())
    }

    fn try_write(folder: &Arc<Self>, path: &Inside, how: How) -> io::Result<Option<Writing>> {
        let access = if how.read {
            OFlags::RDWR
        } else {
            OFlags::WRONLY
        };
        let append = if how.append {
            OFlags::APPEND
        } else {
            OFlags::empty()
        };
        let mut writers = lock(&folder.writers);
        let file = match folder.root.file(path, access | append) {
            Ok(_) if how.exclusive && how.create => return Err(Errno::EXIST.into()),
            Ok(file) => file,
            Err(error) if how.create && error.kind() == io::ErrorKind::NotFound => {
                let fresh = OFlags::CREATE | OFlags::EXCL;
                return match folder.root.file(path, access | append | fresh) {
                    Ok(file) => Ok(Some(writers.add(folder, path, file, 0, true))),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
                    Err(error) => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let stat = beneath::ordinary(&file)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if stat.st_nlink > 1 {
            drop(writers);
            return Self::write_a_copy(folder, path, how, &stat);
        }
        let mut writing = writers.add(folder, path, file, size, false);
        drop(writers);
        if how.truncate {
            writing.set_len(0)?;
        }
        Ok(Some(writing))
    }

    /// Puts a copy (or, to be truncated, an empty file) in the place of a file
    /// that has a second name. `None`: it changed meanwhile.
    fn write_a_copy(
        folder: &Arc<Self>,
        path: &Inside,
        how: How,
        old: &Stat,
    ) -> io::Result<Option<Writing>> {
        let staging = &folder.common.staging;
        let name = format!(
            "copy-{}",
            folder.common.copies.fetch_add(1, Ordering::Relaxed)
        );
        let staged = Inside::from_client(name.as_bytes())?;
        let copy = staging.file(&staged, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        let put = || -> io::Result<Option<Writing>> {
            let mut size = 0;
            if !how.truncate {
                let mut source = folder.root.file(path, OFlags::RDONLY)?;
                folder.look_for_space(u64::try_from(old.st_size).unwrap_or(0))?;
                // The kernel shares or copies the blocks itself.
                size = io::copy(&mut source, &mut &copy)?;
                copy.sync_data()?;
            }
            let mut writers = lock(&folder.writers);
            let now = folder.root.stat(path)?;
            if (now.st_dev, now.st_ino) != (old.st_dev, old.st_ino) {
                return Ok(None);
            }
            if how.append {
                rustix::fs::fcntl_setfl(&copy, OFlags::APPEND)?;
            }
            folder.root.take(staging, &name, path)?;
            let file = copy.try_clone()?;
            let writing = writers.add(folder, path, file, size, true);
            drop(writers);
            folder.release(u64::try_from(old.st_size).unwrap_or(0).saturating_sub(size));
            Ok(Some(writing))
        };
        let done = put();
        if !matches!(done, Ok(Some(_))) {
            let _ = staging.remove(&staged);
        }
        done
    }

    /// Makes a directory.
    pub(super) fn mkdir(&self, path: &Inside) -> io::Result<()> {
        self.root.mkdir(path)
    }

    /// Opens a directory for listing.
    pub(super) fn list(&self, path: &Inside) -> io::Result<Dir> {
        self.root.list(path)
    }

    /// Renames a file or directory.
    pub(super) fn rename(&self, from: &Inside, to: &Inside, replace: bool) -> io::Result<()> {
        {
            let mut writers = lock(&self.writers);
            let replaced = self.root.stat(to).ok().filter(beneath::is_file);
            self.root.rename(from, to, replace)?;
            if from != to {
                writers.forget(to);
                writers.follow(from, to);
                if let Some(stat) = replaced {
                    self.release(u64::try_from(stat.st_size).unwrap_or(0));
                }
            }
        }
        self.common
            .watch
            .renamed(&self.user, from.path(), to.path());
        Ok(())
    }

    /// Removes a file or link; unless `written` not while somebody writes it.
    pub(super) fn remove(&self, path: &Inside, written: bool) -> io::Result<()> {
        {
            let mut writers = lock(&self.writers);
            if !written && writers.is_open(path) {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            let stat = self.root.stat(path)?;
            self.root.remove(path)?;
            writers.forget(path);
            if beneath::is_file(&stat) {
                self.release(u64::try_from(stat.st_size).unwrap_or(0));
            }
        }
        self.common.watch.removed(&self.user, path.path());
        Ok(())
    }

    /// Removes an empty directory.
    pub(super) fn rmdir(&self, path: &Inside) -> io::Result<()> {
        self.root.rmdir(path)?;
        self.common.watch.removed(&self.user, path.path());
        Ok(())
    }

    /// Gives a file that nobody writes a second name outside.
    pub(super) fn link(&self, path: &Inside, outside: &Path) -> io::Result<()> {
        // Held, so that nobody opens the file for writing between look and link.
        let writers = lock(&self.writers);
        if writers.is_open(path) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        if !beneath::is_file(&self.root.stat(path)?) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.root.link(path, outside)
    }

    /// Sets access and modification times.
    pub(super) fn set_times(&self, path: &Inside, times: &Timestamps) -> io::Result<()> {
        self.root.set_times(path, times)
    }

    /// Size and free space: of the folder where it has a bound, else of the disk.
    pub(super) fn disk(&self) -> io::Result<StatVfs> {
        let mut disk = rustix::fs::fstatvfs(&self.root)?;
        let block = disk.f_frsize.max(1);
        let kept = self.common.keep_free / block;
        disk.f_bavail = disk.f_bavail.saturating_sub(kept);
        disk.f_bfree = disk.f_bfree.saturating_sub(kept);
        let space = lock(&self.space);
        if space.quota > 0 {
            disk.f_blocks = disk.f_blocks.min(space.quota / block);
            let left = space.quota.saturating_sub(space.used) / block;
            disk.f_bavail = disk.f_bavail.min(left);
            disk.f_bfree = disk.f_bfree.min(left);
        }
        Ok(disk)
    }

    /// Takes `bytes` of what may still be written.
    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut space = lock(&self.space);
        let full =
            |space: &Space| space.quota > 0 && space.used.saturating_add(bytes) > space.quota;
        if full(&space) && space.counted.elapsed() > RECOUNT {
            space.used = beneath::count(&self.root)?;
            space.counted = Instant::now();
        }
        if full(&space) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.look_at_disk(&mut space, bytes)?;
        space.used = space.used.saturating_add(bytes);
        space.disk_free -= bytes;
        Ok(())
    }

    fn look_for_space(&self, bytes: u64) -> io::Result<()> {
        self.look_at_disk(&mut lock(&self.space), bytes)
    }

    fn look_at_disk(&self, space: &mut Space, bytes: u64) -> io::Result<()> {
        let stale = space
            .disk_seen
            .is_none_or(|seen| seen.elapsed() > LOOK_AT_DISK);
        if stale || space.disk_free < bytes {
            let disk = rustix::fs::fstatvfs(&self.root)?;
            space.disk_free =
                (disk.f_bavail.saturating_mul(disk.f_frsize)).saturating_sub(self.common.keep_free);
            space.disk_seen = Some(Instant::now());
        }
        if space.disk_free < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn release(&self, bytes: u64) {
        let mut space = lock(&self.space);
        space.used = space.used.saturating_sub(bytes);
    }
}

impl Writers {
    fn add(
        &mut self,
        folder: &Arc<Folder>,
        path: &Inside,
        file: File,
        size: u64,
        created: bool,
    ) -> Writing {
        self.next += 1;
        self.open.insert(self.next, Some(path.clone()));
        if !created && let Err(error) = rustix::fs::fchmod(&file, beneath::INCOMPLETE) {
            tracing::warn!(%error, "a file that is written again cannot be marked");
        }
        Writing {
            folder: Arc::clone(folder),
            id: self.next,
            file,
            size,
            unsynced: created,
            created,
            ended: false,
        }
    }

    fn is_open(&self, path: &Inside) -> bool {
        self.open.values().any(|open| open.as_ref() == Some(path))
    }

    fn forget(&mut self, path: &Inside) {
        for open in self.open.values_mut() {
            if open.as_ref() == Some(path) {
                *open = None;
            }
        }
    }

    fn follow(&mut self, from: &Inside, to: &Inside) {
        for open in self.open.values_mut().flatten() {
            if let Some(moved) = open.moved(from, to) {
                *open = moved;
            }
        }
    }
}

/// A file that is open for writing. Dropped without [`Writing::close`] it was broken off.
pub(super) struct Writing {
    folder: Arc<Folder>,
    id: u64,
    file: File,
    /// As far as this handle knows.
    size: u64,
    unsynced: bool,
    created: bool,
    ended: bool,
}

impl Writing {
    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes all of `data`; at the end of the file where it was opened to append.
    pub(super) fn write_at(&mut self, data: &[u8], offset: u64, append: bool) -> io::Result<()> {
        let offset = if append { self.size } else { offset };
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|end| i64::try_from(*end).is_ok())
            .ok_or(Errno::FBIG)?;
        let growth = end.saturating_sub(self.size);
        if growth > 0 {
            self.folder.reserve(growth)?;
        }
        self.unsynced = true;
        if let Err(error) = self.file.write_all_at(data, offset) {
            self.folder.release(growth);
            return Err(error);
        }
        self.size = self.size.max(end);
        Ok(())
    }

    /// Cuts the file off or makes it longer.
    pub(super) fn set_len(&mut self, size: u64) -> io::Result<()> {
        let growth = size.saturating_sub(self.size);
        if growth > 0 {
            self.folder.reserve(growth)?;
        }
        self.unsynced = true;
        if let Err(error) = self.file.set_len(size) {
            self.folder.release(growth);
            return Err(error);
        }
        self.folder.release(self.size.saturating_sub(size));
        self.size = size;
        Ok(())
    }

    /// Puts what was written on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        if std::mem::take(&mut self.created) {
            let path = lock(&self.folder.writers).open.get(&self.id).cloned();
            if let Some(Some(path)) = path {
                self.folder.root.sync_dir_of(&path)?;
            }
        }
        Ok(())
    }

    /// The sender is done with the file: it is on disk when this returns, and
    /// marked as complete unless others still write it.
    pub(super) fn close(mut self) -> io::Result<()> {
        let synced = self.sync().and_then(|()| self.complete());
        self.end(if synced.is_ok() {
            End::Complete
        } else {
            End::Broken
        });
        synced
    }

    fn complete(&self) -> io::Result<()> {
        // Held, so that nobody opens it between look and mark.
        let writers = lock(&self.folder.writers);
        let path = writers.open.get(&self.id);
        let same = writers.open.values().filter(|open| Some(*open) == path);
        if same.count() < 2 {
            rustix::fs::fchmod(&self.file, beneath::COMPLETE)?;
        }
        Ok(())
    }

    fn end(&mut self, end: End) {
        self.ended = true;
        let path = lock(&self.folder.writers).open.remove(&self.id).flatten();
        if let Some(path) = path {
            self.folder
                .common
                .watch
                .closed(&self.folder.user, path.path(), end);
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.ended {
            self.end(End::Broken);
        }
    }
}
