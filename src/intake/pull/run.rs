//! One run: the server is listed, what is new is fetched, the oldest first, taken
//! in, and only then marked and tidied away on the server.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::ftp::Ftp;
use super::part::{self, Parts};
use super::remote::{Entry, Fault, Guard, Kind, Remote};
use super::sftp::Sftp;
use super::wanted::{Wanted, join, readable};
use crate::config::{PullAfter, PullProtocol, PullSource};
use crate::domain::pull::same_time;
use crate::domain::{CallDetails, Priority, PullOutcome, PullRun, PulledFile, Source};
use crate::intake::{Accepted, Arrival, Intake, IntakeError};
use crate::pipeline::media::MediaError;
use crate::store::Store;

/// Files of one run; the rest waits for the next.
const MAX_FILES: usize = 200_000;
/// Directories of one run.
const MAX_DIRS: usize = 100_000;
/// Directories within each other.
const MAX_DEPTH: usize = 32;
/// Longest path in bytes.
const MAX_PATH: usize = 4096;
/// Attempts at one thing without any progress.
const ATTEMPTS: u32 = 3;
/// Connections of one run.
const MAX_CONNECTIONS: u32 = 100;
/// Files given up one after the other end the run.
const MAX_GIVEN_UP: u32 = 3;
/// The run is written down this often.
const NOTE: Duration = Duration::from_secs(3);

/// A file that something is to be done with.
struct Candidate {
    path: Vec<u8>,
    size: u64,
    modified_s: Option<i64>,
    /// How often it was tried in vain.
    tries: u32,
    /// Its content is here already; only the server is to be tidied.
    here: bool,
}

/// What a run works with.
pub(super) struct Work<'a> {
    pub(super) source: &'a PullSource,
    pub(super) intake: &'a Intake,
    pub(super) store: &'a Store,
    pub(super) guard: &'a Arc<Guard>,
    pub(super) run: &'a Mutex<PullRun>,
    /// Directory of the parts.
    pub(super) parts: &'a Path,
    /// Bytes of the disk that are left free.
    pub(super) keep_free: u64,
}

/// The connection and how it went so far.
struct Line<'a> {
    work: &'a Work<'a>,
    remote: Option<Box<dyn Remote>>,
    connections: u32,
    /// The last attempt to connect failed.
    unreachable: bool,
}

impl Line<'_> {
    /// The connection, made where there is none.
    fn remote(&mut self) -> Result<&mut dyn Remote, Fault> {
        if self.remote.is_none() {
            if self.connections >= MAX_CONNECTIONS {
                return Err(Fault::Connection("it breaks again and again".to_owned()));
            }
            self.connections += 1;
            self.unreachable = true;
            self.remote = Some(self.work.connect()?);
            self.unreachable = false;
        }
        match self.remote.as_deref_mut() {
            Some(remote) => Ok(remote),
            None => Err(Fault::Connection("there is none".to_owned())),
        }
    }

    /// Does something that may be done again on another connection. `moved` says
    /// how far it got: while it gets further, it is tried again.
    fn again<T>(
        &mut self,
        moved: impl Fn() -> u64,
        mut work: impl FnMut(&mut dyn Remote) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut tries = 0;
        loop {
            let before = moved();
            let done = self.remote().and_then(&mut work);
            let fault = match done {
                Err(fault) if fault.is_passing() => fault,
                done => return done,
            };
            self.remote = None;
            tries = if moved() > before { 0 } else { tries + 1 };
            // Who says nothing at all is not asked again at once.
            let silent = matches!(fault, Fault::Timeout(_)) && self.connections <= 1;
            if tries >= ATTEMPTS || silent || self.connections >= MAX_CONNECTIONS {
                return Err(fault);
            }
            tracing::info!(source = self.work.source.name, %fault, "connecting again");
            self.work
                .guard
                .pause(Duration::from_millis(1000 << tries.min(3)));
            if self.work.guard.stopping() {
                return Err(Fault::Stopped);
            }
        }
    }
}

impl Work<'_> {
    /// Does the run; the counters are in `run`.
    pub(super) fn pull(&self) -> Result<(), Fault> {
        let parts = Parts::open(self.parts).map_err(|error| Fault::local(&error))?;
        let mut line = Line {
            work: self,
            remote: None,
            connections: 0,
            unreachable: false,
        };
        let wanted = Wanted::new(&self.source.include, &self.intake.raw)?;
        let files = line.again(|| 0, |remote| self.list(remote, &wanted))?;
        let stems: HashSet<String> = files.iter().map(|file| part::stem(&file.path)).collect();
        parts.sweep(&stems).map_err(|error| Fault::local(&error))?;
        let mut noted = Instant::now();
        let mut given_up = 0;
        let mut last = Ok(());
        for file in files {
            if self.guard.stopping() {
                return Err(Fault::Stopped);
            }
            match self.one(&mut line, &parts, &file) {
                Ok(()) => (given_up, last) = (0, Ok(())),
                Err(fault @ Fault::File(_)) => self.failed(&file, &fault)?,
                // Another file may do better, a few of them tell that none does.
                Err(fault) if fault.is_passing() => {
                    given_up += 1;
                    self.failed(&file, &fault)?;
                    if given_up >= MAX_GIVEN_UP
                        || line.unreachable
                        || line.connections >= MAX_CONNECTIONS
                    {
                        return Err(fault);
                    }
                    last = Err(fault);
                }
                Err(fault) => return Err(fault),
            }
            if noted.elapsed() > NOTE {
                noted = Instant::now();
                let run = self.counters().clone();
                self.store.put_pull_run(&run)?;
            }
        }
        last
    }

    fn counters(&self) -> std::sync::MutexGuard<'_, PullRun> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> Result<Box<dyn Remote>, Fault> {
        self.guard.renew();
        Ok(match self.source.protocol {
            PullProtocol::Ftp | PullProtocol::Ftps => {
                Box::new(Ftp::connect(self.source, self.guard)?)
            }
            PullProtocol::Sftp => Box::new(Sftp::connect(
                self.source,
                self.guard,
                &mut |fingerprint| self.trust(fingerprint),
            )?),
        })
    }

    /// Whether this is the host key that is expected. Without a word of the
    /// settings it is the one that this address showed first.
    fn trust(&self, found: &str) -> Result<(), Fault> {
        let address = format!("{}:{}", self.source.host, self.source.port);
        let expected = match &self.source.host_key {
            Some(key) => Some(key.clone()),
            None => self
                .store
                .pinned_host_key(&self.source.name)?
                .filter(|(of, _)| *of == address)
                .map(|(_, key)| key),
        };
        match expected {
            Some(expected) if expected != found => Err(Fault::HostKey {
                expected,
                found: found.to_owned(),
            }),
            Some(_) => Ok(()),
            None => {
                tracing::info!(
                    source = self.source.name,
                    found,
                    "the host key is trusted from now on"
                );
                Ok(self
                    .store
                    .pin_host_key(&self.source.name, &address, found)?)
            }
        }
    }

    /// What is to be done, the oldest first.
    fn list(&self, remote: &mut dyn Remote, wanted: &Wanted) -> Result<Vec<Candidate>, Fault> {
        let (mut found, mut skipped) = (0u64, 0u64);
        let known = self.store.pulled()?;
        let oldest = self
            .source
            .max_age_days
            .map(|days| Timestamp::now().as_second() - i64::from(days) * 86_400);
        let root = self.source.dir.as_bytes();
        let skip_dir = match &self.source.after {
            PullAfter::Move(to) => Some(to.as_bytes()),
            PullAfter::Keep | PullAfter::Delete => None,
        };
        let mut files: Vec<Candidate> = Vec::new();
        let mut dirs = VecDeque::from([(root.to_vec(), 0)]);
        let mut seen_dirs = 1;
        while let Some((dir, depth)) = dirs.pop_front() {
            let mut each = |entry: Entry| -> Result<(), Fault> {
                if self.guard.stopping() {
                    return Err(Fault::Stopped);
                }
                let path = join(&dir, &entry.name);
                if path.len() > MAX_PATH {
                    return Ok(());
                }
                match entry.kind {
                    Kind::Other => {}
                    Kind::Dir => {
                        let goes_on = self.source.recursive
                            && depth < MAX_DEPTH
                            && seen_dirs < MAX_DIRS
                            && skip_dir != Some(path.as_slice());
                        if goes_on {
                            seen_dirs += 1;
                            dirs.push_back((path, depth + 1));
                        }
                    }
                    Kind::File => {
                        found += 1;
                        let relative = path.strip_prefix(root).map_or(path.as_slice(), |rest| {
                            rest.strip_prefix(b"/").unwrap_or(rest)
                        });
                        let too_old = oldest.zip(entry.modified_s).is_some_and(|(o, m)| m < o);
                        if entry.size == 0 || too_old || !wanted.has(relative) {
                            skipped += 1;
                            return Ok(());
                        }
                        let before = known.get(&self.source.name, &path)?;
                        match self.candidate(path, &entry, before) {
                            Some(file) if files.len() < MAX_FILES => files.push(file),
                            _ => skipped += 1,
                        }
                    }
                }
                self.told(found, skipped);
                Ok(())
            };
            match remote.list(&dir, &mut each) {
                // A directory that vanished or is closed to us does not end the run.
                Err(fault @ (Fault::Directory(_) | Fault::File(_))) if depth > 0 => {
                    tracing::warn!(source = self.source.name, %fault, "a directory is left out");
                }
                listed => listed?,
            }
        }
        self.told(found, skipped);
        files.sort_by(|a, b| (a.modified_s, &a.path).cmp(&(b.modified_s, &b.path)));
        Ok(files)
    }

    fn told(&self, found: u64, skipped: u64) {
        let mut run = self.counters();
        (run.found, run.skipped) = (found, skipped);
    }

    fn candidate(
        &self,
        path: Vec<u8>,
        entry: &Entry,
        before: Option<PulledFile>,
    ) -> Option<Candidate> {
        let before = before.filter(|before| {
            before.size_bytes == entry.size && same_time(before.modified_s, entry.modified_s)
        });
        let mut file = Candidate {
            path,
            size: entry.size,
            modified_s: entry.modified_s,
            tries: before.as_ref().map_or(0, |before| before.tries),
            here: false,
        };
        match before {
            None => {}
            Some(before) => match &before.outcome {
                PullOutcome::Failed { .. } => {}
                PullOutcome::Refused { .. } => return None,
                PullOutcome::Taken(_) | PullOutcome::Known(_)
                    if self.source.after == PullAfter::Keep =>
                {
                    return None;
                }
                PullOutcome::Taken(_) | PullOutcome::Known(_) => file.here = true,
            },
        }
        Some(file)
    }

    fn one(&self, line: &mut Line<'_>, parts: &Parts, file: &Candidate) -> Result<(), Fault> {
        if file.here {
            self.counters().skipped += 1;
            return self.tidy(line, file);
        }
        if file.size > self.intake.max_bytes() {
            let too_large = self.intake.too_large();
            return self.refuse(file, "file_too_large", &too_large.to_string());
        }
        self.check_space(file)?;
        let part = parts.begin(&file.path, file.size, file.modified_s);
        let mut part = part.map_err(|error| Fault::local(&error))?;
        let mut still = file.size;
        let moved = std::cell::Cell::new(part.length());
        let fetched = line.again(
            || moved.get(),
            |remote| {
                if part.length() < file.size {
                    remote.read(&file.path, part.length(), file.size, &mut |bytes| {
                        if self.guard.stopping() {
                            return Err(Fault::Stopped);
                        }
                        part.write(bytes).map_err(|error| Fault::local(&error))?;
                        moved.set(part.length());
                        self.counters().bytes += bytes.len() as u64;
                        Ok(())
                    })?;
                }
                still = remote.size(&file.path)?.unwrap_or(still);
                if part.length() < file.size && still == file.size {
                    return Err(Fault::Connection("the file broke off".to_owned()));
                }
                Ok(())
            },
        );
        if let Err(fault) = fetched {
            // What has come is not fetched again.
            let kept = if part.length() > 0 {
                part.keep()
            } else {
                part.discard()
            };
            kept.map_err(|error| Fault::local(&error))?;
            return Err(fault);
        }
        if still != file.size || part.length() != file.size {
            // It is being written: the next run takes it.
            self.counters().skipped += 1;
            return part.discard().map_err(|error| Fault::local(&error));
        }
        let outcome = self.accept(file, part.path())?;
        match &outcome {
            PullOutcome::Taken(_) => self.counters().new += 1,
            PullOutcome::Known(_) => self.counters().known += 1,
            PullOutcome::Refused { .. } | PullOutcome::Failed { .. } => self.counters().failed += 1,
        }
        let tidy = self.source.after != PullAfter::Keep && outcome.is_here();
        self.mark(file, outcome, 0)?;
        part.discard().map_err(|error| Fault::local(&error))?;
        if tidy { self.tidy(line, file) } else { Ok(()) }
    }

    fn check_space(&self, file: &Candidate) -> Result<(), Fault> {
        let disk = rustix::fs::statvfs(self.parts).map_err(|error| Fault::local(&error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < file.size.saturating_add(self.keep_free) {
            return Err(Fault::DiskFull);
        }
        Ok(())
    }

    /// Links the whole file into the store and takes it in.
    fn accept(&self, file: &Candidate, part: &Path) -> Result<PullOutcome, Fault> {
        let spool = self
            .intake
            .adopt(|target| std::fs::hard_link(part, target))?;
        let name = file.path.rsplit(|byte| *byte == b'/').next();
        let arrival = Arrival {
            filename: readable(name.unwrap_or_default()),
            operator: None,
            language: None,
            source: Source::Pull,
            direction: None,
            priority: Priority::Bulk,
            started_at: None,
            details: CallDetails::default(),
        };
        let refused = |code: &str, error: &dyn std::fmt::Display| PullOutcome::Refused {
            code: code.to_owned(),
            message: error.to_string(),
        };
        Ok(match self.intake.accept(spool, arrival) {
            Ok(Accepted::New(id)) => PullOutcome::Taken(id),
            Ok(Accepted::Known(id)) => PullOutcome::Known(id),
            Err(IntakeError::Media(MediaError::Io(error))) => return Err(Fault::local(&error)),
            Err(IntakeError::Media(error)) => refused(error.code(), &error),
            Err(IntakeError::Store(error)) => return Err(error.into()),
            Err(error @ IntakeError::Erased) => refused("erased", &error),
            Err(
                error @ (IntakeError::TooLarge { .. }
                | IntakeError::Details(_)
                | IntakeError::Patterns(_)),
            ) => refused("refused", &error),
        })
    }

    fn refuse(&self, file: &Candidate, code: &str, message: &str) -> Result<(), Fault> {
        self.counters().failed += 1;
        let outcome = PullOutcome::Refused {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        self.mark(file, outcome, 0)
    }

    /// Nothing came of a file this time.
    fn failed(&self, file: &Candidate, fault: &Fault) -> Result<(), Fault> {
        self.counters().failed += 1;
        let path = readable(&file.path);
        tracing::warn!(source = self.source.name, path, %fault, "a file is left for the next run");
        if file.here {
            // It is here; only the server could not be tidied.
            return Ok(());
        }
        let outcome = PullOutcome::Failed {
            message: fault.to_string(),
        };
        self.mark(file, outcome, file.tries + 1)
    }

    fn mark(&self, file: &Candidate, outcome: PullOutcome, tries: u32) -> Result<(), Fault> {
        let pulled = PulledFile {
            size_bytes: file.size,
            modified_s: file.modified_s,
            at: Timestamp::now(),
            outcome,
            tries,
        };
        Ok(self
            .store
            .put_pulled(&self.source.name, &file.path, &pulled)?)
    }

    /// Moves or deletes on the server what is here; not what changed meanwhile.
    fn tidy(&self, line: &mut Line<'_>, file: &Candidate) -> Result<(), Fault> {
        line.again(
            || 0,
            |remote| {
                let now = remote.size(&file.path)?;
                if now.is_some_and(|now| now != file.size) {
                    return Ok(());
                }
                match &self.source.after {
                    PullAfter::Keep => Ok(()),
                    PullAfter::Delete => remote.remove(&file.path),
                    PullAfter::Move(to) => self.put_away(remote, &file.path, to.as_bytes()),
                }
            },
        )
    }

    fn put_away(&self, remote: &mut dyn Remote, path: &[u8], to: &[u8]) -> Result<(), Fault> {
        let root = self.source.dir.as_bytes();
        let rest = path.strip_prefix(root).unwrap_or(path);
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        let mut target = join(to, rest);
        let begin = to.len().saturating_sub(1);
        for (at, _) in target
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte == b'/' && *at > begin)
        {
            remote.make_dir(&target[..at])?;
        }
        let plain = target.clone();
        for number in 1..100 {
            if remote.size(&target)?.is_none() {
                break;
            }
            target = [&plain[..], format!(".{number}").as_bytes()].concat();
        }
        remote.rename(path, &target)
    }
}
