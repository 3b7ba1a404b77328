//! What a person does with dropped files: reads them, sends them to recognition,
//! removes them. Called by the API; many files are sent by a thread of their own.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::drop::{DropBox, DropError, bytes};
use crate::pipeline::media::Inspected;

/// Most files that wait to be sent.
const MAX_WAITING: usize = 200_000;

/// Files that a person chose and that are sent to recognition one after the other.
/// They are not written down: after a restart those that are left wait as before.
#[derive(Default)]
pub(super) struct Later {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    files: VecDeque<(String, PathBuf)>,
    stop: bool,
}

impl Later {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread after the file it is at.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    fn next(&self) -> Option<(String, PathBuf)> {
        let mut queue = self.lock();
        loop {
            if queue.stop {
                return None;
            }
            if let Some(file) = queue.files.pop_front() {
                return Some(file);
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl DropBox {
    /// Sends files (sender and path) to recognition, one after the other, and does
    /// not wait for it.
    ///
    /// # Errors
    /// [`DropError::Full`] when very many wait already; none of these is sent then.
    pub fn process_later(
        &self,
        files: impl ExactSizeIterator<Item = (String, PathBuf)>,
    ) -> Result<(), DropError> {
        let mut queue = self.later.lock();
        if queue.files.len() + files.len() > MAX_WAITING {
            return Err(DropError::Full(queue.files.len()));
        }
        queue.files.extend(files);
        drop(queue);
        self.later.changed.notify_all();
        Ok(())
    }

    /// Files that wait to be sent.
    pub fn waiting_to_be_sent(&self) -> usize {
        self.later.lock().files.len()
    }

    /// Sends what waits until it is stopped. Blocks.
    pub(super) fn process_what_waits(&self) {
        while let Some((user, path)) = self.later.next() {
            match self.process(&user, &path) {
                // Removed, or written again, after it was chosen.
                Ok(_) | Err(DropError::Missing | DropError::Incomplete) => {}
                Err(error) => {
                    tracing::error!(%error, user, path = %path.display(), "a dropped file cannot be sent to recognition");
                }
            }
        }
    }

    /// Opens a whole file for reading.
    ///
    /// # Errors
    /// [`DropError::Missing`], and [`DropError::Incomplete`] while it is not whole.
    pub fn open(&self, user: &str, path: &Path) -> Result<File, DropError> {
        let found = self.folders.find(user, path).map_err(missing)?;
        let open = self.folders.is_open(user, path).map_err(DropError::Io)?;
        if open || !found.complete {
            return Err(DropError::Incomplete);
        }
        self.folders.read(user, path).map_err(missing)
    }

    /// What a file is by its head; `None` where it is no recording.
    pub fn inspect(&self, file: File, path: &Path) -> Option<Inspected> {
        self.intake.inspect(file, &path.to_string_lossy()).ok()
    }

    /// Removes files (sender and bytes of the path). Their calls and recordings stay:
    /// those have names of their own. What became of each is in their order.
    pub fn remove(&self, files: &[(String, Vec<u8>)]) -> Vec<Result<(), DropError>> {
        let mut gone = Vec::new();
        let mut done: Vec<Result<(), DropError>> = files
            .iter()
            .map(|(user, path)| {
                let removed = self.remove_one(user, Path::new(OsStr::from_bytes(path)));
                if matches!(removed, Ok(()) | Err(DropError::Missing)) {
                    gone.push((user.clone(), path.clone()));
                }
                removed
            })
            .collect();
        // The thread that takes files in would do so as well, later.
        if let Err(error) = self.store.forget_all_dropped(&gone)
            && let Some(last) = done.last_mut()
        {
            *last = Err(error.into());
        }
        done
    }

    fn remove_one(&self, user: &str, path: &Path) -> Result<(), DropError> {
        match self.folders.find(user, path).map_err(missing) {
            Ok(_) => {}
            // One that somebody took away without us is forgotten.
            Err(DropError::Missing)
                if matches!(self.store.dropped(user, bytes(path)), Ok(Some(_))) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.folders.remove(user, path).map_err(|error| {
            if error.kind() == io::ErrorKind::ResourceBusy {
                DropError::BeingWritten
            } else {
                missing(error)
            }
        })
    }
}

fn missing(error: io::Error) -> DropError {
    match error.kind() {
        // Neither a directory nor a link is a file.
        io::ErrorKind::NotFound
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory => DropError::Missing,
        _ => DropError::Io(error),
    }
}
