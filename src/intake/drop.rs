//! From a sender's folder to the pipeline: a file that was closed and has not
//! changed for a while is linked into the store and accepted. Started by `app`;
//! the SFTP server tells what happens ([`Watcher`]), one thread does the rest.
//!
//! What is known of a file is written after the fact and can be lost by a kill;
//! the folders are walked at start, and the file itself says whether its writing
//! was acknowledged ([`Found::complete`]). Taking in the same file twice gives the
//! same call, because its content is the same.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::drop_hand::Later;
use super::{Accepted, Arrival, Intake, IntakeError};
use crate::domain::{CallDetails, DropMode, DropState, DroppedFile, Priority, Source};
use crate::pipeline::media::MediaError;
use crate::sftp::{End, Folders, Found, Watch};
use crate::store::{Store, StoreError};

/// What the store could not do is tried again after this.
const AGAIN: Duration = Duration::from_secs(30);

enum News {
    Opened(String, PathBuf),
    Closed(String, PathBuf, End),
    Renamed(String, PathBuf, PathBuf),
    Removed(String, PathBuf),
    Stop,
}

/// Passes on what the SFTP server tells.
#[derive(Clone)]
pub struct Watcher(mpsc::Sender<News>);

impl Watcher {
    fn tell(&self, news: News) {
        // Nobody listens any more only when the program ends.
        let _ = self.0.send(news);
    }
}

impl Watch for Watcher {
    fn opened(&self, user: &str, path: &Path) {
        self.tell(News::Opened(user.to_owned(), path.to_owned()));
    }

    fn closed(&self, user: &str, path: &Path, end: End) {
        self.tell(News::Closed(user.to_owned(), path.to_owned(), end));
    }

    fn renamed(&self, user: &str, from: &Path, to: &Path) {
        self.tell(News::Renamed(
            user.to_owned(),
            from.to_owned(),
            to.to_owned(),
        ));
    }

    fn removed(&self, user: &str, path: &Path) {
        self.tell(News::Removed(user.to_owned(), path.to_owned()));
    }
}

/// What was told and not yet looked at.
pub struct Told(mpsc::Receiver<News>);

/// The ends of what the SFTP server tells.
pub fn watch() -> (Watcher, Told) {
    let (sender, receiver) = mpsc::channel();
    (Watcher(sender), Told(receiver))
}

/// Why a file cannot be sent to recognition.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// It is being written, or its transfer broke off.
    #[error("the file is not complete: the sender has to finish it")]
    Incomplete,
    /// It is being written.
    #[error("the file is being written: wait until the sender is done with it")]
    BeingWritten,
    /// Too many files were sent already.
    #[error("{0} files wait to be sent already: wait until some of them are")]
    Full(usize),
    /// It cannot be read or linked.
    #[error("the file cannot be read: {0}")]
    Io(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes dropped files in.
#[derive(Clone)]
pub struct DropBox {
    pub(super) folders: Arc<Folders>,
    pub(super) intake: Arc<Intake>,
    pub(super) store: Arc<Store>,
    pub(super) later: Arc<Later>,
}

impl DropBox {
    /// `folders` are those of the SFTP server.
    pub fn new(folders: Arc<Folders>, intake: Arc<Intake>, store: Arc<Store>) -> Self {
        Self {
            folders,
            intake,
            store,
            later: Arc::default(),
        }
    }

    /// Takes a file in although its sender's files wait. Blocks while it is read.
    pub fn process(&self, user: &str, path: &Path) -> Result<DropState, DropError> {
        self.take(user, path, true)?.ok_or(DropError::Missing)
    }

    /// Takes a complete file in, as its sender's mode says or at once; what became of
    /// it, or `None` where there is no such file.
    fn take(&self, user: &str, path: &Path, now: bool) -> Result<Option<DropState>, DropError> {
        let found = match self.folders.find(user, path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Neither a directory nor a link is a file.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
            Err(error) => return Err(DropError::Io(error)),
        };
        let known = self.known(user, &found)?;
        let again = now && known.as_ref().is_some_and(|known| !self.has_call(known));
        if let Some(known) = known.filter(|known| known.state.is_final() && !again) {
            // A record of an earlier version, or of a file that had another name.
            if known.told.is_none() {
                self.keep(user, &found, known.state.clone(), known.duration_ms)?;
            }
            return Ok(Some(known.state));
        }
        let mut duration_ms = None;
        let open = self.folders.is_open(user, path).map_err(DropError::Io)?;
        let state = if open {
            DropState::Receiving
        } else if !found.complete {
            DropState::Incomplete
        } else if !now && self.waits(user)? {
            let waits = self.look_into(user, &found)?;
            duration_ms = waits.1;
            waits.0
        } else {
            self.accept(user, &found)?
        };
        if now && matches!(state, DropState::Receiving | DropState::Incomplete) {
            return Err(DropError::Incomplete);
        }
        self.keep(user, &found, state.clone(), duration_ms)?;
        Ok(Some(state))
    }

    /// True when its call is there: it may have been deleted. Where that cannot be
    /// told nothing is done again.
    fn has_call(&self, known: &DroppedFile) -> bool {
        let call = known.state.call();
        call.is_some_and(|id| !matches!(self.store.entry(id), Ok(None)))
    }

    /// What a file that waits is, as far as its head tells; its length.
    fn look_into(&self, user: &str, found: &Found) -> Result<(DropState, Option<u64>), DropError> {
        if found.size_bytes > self.intake.max_bytes() {
            let state = refused("file_too_large", &self.intake.too_large());
            return Ok((state, None));
        }
        let read = self.folders.read(user, &found.path);
        let file = read.map_err(DropError::Io)?;
        let inspected = self.intake.inspect(file, &found.path.to_string_lossy());
        Ok(match inspected {
            Ok(inspected) => (DropState::Waiting, inspected.duration_ms),
            Err(error) => (unusable(error)?, None),
        })
    }

    /// What is known of this very file, not of another that had its name before.
    fn known(&self, user: &str, found: &Found) -> Result<Option<DroppedFile>, StoreError> {
        let known = self.store.dropped(user, bytes(&found.path))?;
        Ok(known.filter(|known| {
            known.inode == found.inode
                && known.size_bytes == found.size_bytes
                && known.modified_at == time(found)
        }))
    }

    fn waits(&self, user: &str) -> Result<bool, StoreError> {
        let sender = self.store.sftp_user(user)?;
        Ok(sender.is_some_and(|sender| sender.mode == DropMode::Manual))
    }

    fn accept(&self, user: &str, found: &Found) -> Result<DropState, DropError> {
        if found.size_bytes > self.intake.max_bytes() {
            return Ok(refused("file_too_large", &self.intake.too_large()));
        }
        let link = |target: &Path| self.folders.link(user, &found.path, target);
        let spool = match self.intake.adopt(link) {
            Ok(spool) => spool,
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::ResourceBusy => {
                return Ok(DropState::Receiving);
            }
            Err(error) => return Err(error.into()),
        };
        let arrival = Arrival {
            filename: found.path.to_string_lossy().into_owned(),
            operator: None,
            language: None,
            source: Source::Sftp,
            direction: None,
            priority: Priority::Bulk,
            started_at: None,
            details: CallDetails::default(),
        };
        match self.intake.accept(spool, arrival) {
            Ok(Accepted::New(id)) => {
                tracing::info!(call = %id, user, "a dropped recording is taken in");
                Ok(DropState::Taken(id))
            }
            Ok(Accepted::Known(id)) => Ok(DropState::Known(id)),
            Err(IntakeError::Media(error)) => unusable(error),
            Err(IntakeError::Store(error)) => Err(error.into()),
            Err(error @ IntakeError::Erased) => Ok(refused("erased", &error)),
            Err(
                error @ (IntakeError::TooLarge { .. }
                | IntakeError::Details(_)
                | IntakeError::Patterns(_)),
            ) => Ok(refused("refused", &error)),
        }
    }

    fn keep(
        &self,
        user: &str,
        found: &Found,
        state: DropState,
        duration_ms: Option<u64>,
    ) -> Result<(), StoreError> {
        let path = bytes(&found.path);
        let before = self.store.dropped(user, path)?;
        let name = found.path.to_string_lossy();
        let told = match before.as_ref().and_then(|before| before.told.clone()) {
            Some(told) => told,
            None => Box::new(self.intake.told_by_name(&name)?),
        };
        // The same file once more, such as after its times were set, is no other.
        let state = match (&before, state) {
            (Some(before), DropState::Known(id))
                if before.state == DropState::Taken(id.clone()) =>
            {
                DropState::Taken(id)
            }
            (_, state) => state,
        };
        let file = DroppedFile {
            user: user.to_owned(),
            path: name.into_owned(),
            size_bytes: found.size_bytes,
            modified_at: time(found),
            inode: found.inode,
            told: Some(told),
            duration_ms: duration_ms.or_else(|| {
                let before = before.as_ref()?;
                let same = before.inode == found.inode && before.size_bytes == found.size_bytes;
                before.duration_ms.filter(|_| same)
            }),
            arrived_at: match &before {
                Some(before) if before.inode == found.inode => before.arrived_at,
                _ => Timestamp::now(),
            },
            state,
        };
        if before.as_ref() != Some(&file) {
            self.store.put_dropped(path, &file)?;
        }
        Ok(())
    }

    /// Remembers that a file is being written, or that its transfer broke off.
    fn mark(&self, user: &str, path: &Path, state: DropState) -> Result<(), DropError> {
        match self.folders.find(user, path) {
            Ok(found) => Ok(self.keep(user, &found, state, None)?),
            Err(_) => Ok(()),
        }
    }
}

fn refused(code: &str, why: &dyn std::fmt::Display) -> DropState {
    DropState::Refused {
        code: code.to_owned(),
        message: why.to_string(),
    }
}

/// What becomes of a file that is no recording, or one that cannot be read.
fn unusable(error: MediaError) -> Result<DropState, DropError> {
    match error {
        MediaError::Io(error) => Err(DropError::Io(error)),
        MediaError::UnsupportedType => Ok(DropState::Other),
        error => Ok(refused(error.code(), &error)),
    }
}

pub(super) fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn time(found: &Found) -> Timestamp {
    Timestamp::try_from(found.modified).unwrap_or_default()
}

/// The thread that takes dropped files in.
pub struct Receiving {
    stop: mpsc::Sender<News>,
    thread: JoinHandle<()>,
    later: (Arc<Later>, JoinHandle<()>),
}

impl Receiving {
    /// Starts it: first the folders are walked, then `told` is followed. A file is
    /// taken in `settle` after it was closed.
    pub fn start(
        drop_box: DropBox,
        watcher: Watcher,
        told: Told,
        settle: Duration,
    ) -> io::Result<Self> {
        let by_hand = drop_box.clone();
        let later = Arc::clone(&drop_box.later);
        let later_thread = std::thread::Builder::new()
            .name("drop-by-hand".to_owned())
            .spawn(move || by_hand.process_what_waits())?;
        let thread = std::thread::Builder::new()
            .name("drop".to_owned())
            .spawn(move || {
                let mut due = Due::default();
                walk(&drop_box, &mut due);
                if let Err(error) = drop_box.store.ready_dropped() {
                    tracing::error!(%error, "the list of dropped files cannot be made");
                }
                follow(&drop_box, &told.0, settle, due);
            })?;
        Ok(Self {
            stop: watcher.0,
            thread,
            later: (later, later_thread),
        })
    }

    /// Ends it after the file it is at. Blocks.
    pub fn stop(self) {
        let _ = self.stop.send(News::Stop);
        self.later.0.stop();
        for thread in [self.thread, self.later.1] {
            if thread.join().is_err() {
                tracing::error!("a thread that takes dropped files in panicked");
            }
        }
    }
}

/// Files to be looked at, and when.
type Due = HashMap<(String, PathBuf), Instant>;

/// What changed in the folders while nobody watched: all that is there is looked at,
/// all that is not is forgotten.
fn walk(drop_box: &DropBox, due: &mut Due) {
    let users = drop_box.folders.users().unwrap_or_else(|error| {
        tracing::warn!(%error, "the folders of the senders cannot be listed");
        Vec::new()
    });
    for user in users {
        let walked = drop_box.folders.walk(&user, |found| {
            due.insert((user.clone(), found.path), Instant::now());
        });
        if let Err(error) = walked {
            tracing::warn!(%error, user, "the folder of a sender cannot be read");
            return;
        }
    }
    let known = drop_box.store.all_dropped().unwrap_or_else(|error| {
        tracing::error!(%error, "the dropped files cannot be read");
        Vec::new()
    });
    let gone: Vec<(String, Vec<u8>)> = known
        .into_iter()
        .map(|(user, path)| (user, PathBuf::from(OsString::from_vec(path))))
        .filter(|there| !due.contains_key(there))
        .map(|(user, path)| (user, path.into_os_string().into_vec()))
        .collect();
    if let Err(error) = drop_box.store.forget_all_dropped(&gone) {
        tracing::error!(%error, "dropped files that are gone cannot be forgotten");
    }
}

fn follow(drop_box: &DropBox, told: &mpsc::Receiver<News>, settle: Duration, mut due: Due) {
    loop {
        let next = due.values().min().copied();
        let news = match next {
            None => told
                .recv()
                .map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            Some(at) => told.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let done = match news {
            Ok(News::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                look(drop_box, &mut due);
                Ok(())
            }
            Ok(News::Opened(user, path)) => {
                due.remove(&(user.clone(), path.clone()));
                drop_box.mark(&user, &path, DropState::Receiving)
            }
            Ok(News::Closed(user, path, End::Complete)) => {
                due.insert((user, path), Instant::now() + settle);
                Ok(())
            }
            Ok(News::Closed(user, path, End::Broken)) => {
                drop_box.mark(&user, &path, DropState::Incomplete)
            }
            Ok(News::Renamed(user, from, to)) => {
                let moved: Vec<_> = due
                    .extract_if(|(of, path), _| *of == user && path.starts_with(&from))
                    .collect();
                for ((_, path), at) in moved {
                    let rest = path.strip_prefix(&from).unwrap_or(Path::new(""));
                    let path = if rest.as_os_str().is_empty() {
                        to.clone()
                    } else {
                        to.join(rest)
                    };
                    due.insert((user.clone(), path), at);
                }
                let renamed = drop_box
                    .store
                    .rename_dropped(&user, bytes(&from), bytes(&to));
                // What has a name that is known now may be one that was not looked at.
                due.entry((user, to)).or_insert(Instant::now() + settle);
                renamed.map_err(DropError::from)
            }
            Ok(News::Removed(user, path)) => {
                due.retain(|(of, at), _| *of != user || !at.starts_with(&path));
                let forgotten = drop_box.store.forget_dropped(&user, bytes(&path));
                forgotten.map_err(DropError::from)
            }
        };
        if let Err(error) = done {
            tracing::error!(%error, "what became of a dropped file cannot be kept");
        }
    }
}

/// Takes in what is due.
fn look(drop_box: &DropBox, due: &mut Due) {
    let now = Instant::now();
    let ready: Vec<_> = due.extract_if(|_, at| *at <= now).collect();
    for ((user, path), _) in ready {
        match drop_box.take(&user, &path, false) {
            // It is open again: its closing will be told.
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, user, path = %path.display(), "a dropped file cannot be taken in; it is tried again");
                due.insert((user, path), Instant::now() + AGAIN);
            }
        }
    }
}
