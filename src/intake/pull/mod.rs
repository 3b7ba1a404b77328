//! Recordings are pulled from servers of somebody else, by FTP, FTPS or SFTP. A
//! run is a thread of its own, one at a time a source; a watching thread ends the
//! connections of those that wait too long. Started by `schedule`, the API, `app`.

mod ftp;
mod listing;
mod part;
mod remote;
mod run;
mod sftp;
mod sftp_login;
mod wanted;
mod wire;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Intake;
use crate::config::{Config, PullSource};
use crate::domain::pull::fallback_due;
use crate::domain::{PullError, PullRun, PullTrigger};
use crate::store::{Store, StoreError};
use remote::{Fault, Guard};
pub use wanted::is_recording;

/// The watching thread looks this often.
const LOOK: Duration = Duration::from_millis(250);
/// Given to the runs to end when the program stops.
const GRACE: Duration = Duration::from_secs(5);

/// Why a run cannot be begun or ended.
#[derive(Debug, thiserror::Error)]
pub enum PullRefusal {
    /// There is no such source.
    #[error("There is no source {0:?}; see [[pull.source]] in the settings.")]
    Unknown(String),
    /// It runs already.
    #[error("A run of {0:?} is under way.")]
    Running(String),
    /// It does not run.
    #[error("No run of {0:?} is under way.")]
    Idle(String),
    /// The program stops.
    #[error("The program stops.")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread cannot be started.
    #[error("A thread cannot be started: {0}.")]
    Thread(#[source] std::io::Error),
}

/// A run that is under way.
struct Running {
    guard: Arc<Guard>,
    run: Arc<Mutex<PullRun>>,
    thread: JoinHandle<()>,
}

/// The sources, and what is under way.
pub struct Pulls {
    sources: Vec<PullSource>,
    intake: Arc<Intake>,
    store: Arc<Store>,
    parts: PathBuf,
    keep_free: u64,
    running: Mutex<HashMap<String, Running>>,
    stopping: AtomicBool,
}

impl Pulls {
    /// As the settings say. Runs that an earlier process did not end are ended.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub fn new(
        config: &Config,
        store: Arc<Store>,
        intake: Arc<Intake>,
    ) -> Result<Self, StoreError> {
        store.interrupt_pull_runs()?;
        Ok(Self {
            sources: config.pull.clone(),
            intake,
            store,
            parts: config.data_dir.join("pull"),
            keep_free: config.sftp.keep_free_bytes,
            running: Mutex::default(),
            stopping: AtomicBool::new(false),
        })
    }

    /// Starts the thread that watches the runs.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<Watching> {
        let pulls = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("pull".to_owned())
            .spawn(move || {
                while !pulls.stopping.load(Ordering::Relaxed) {
                    for running in pulls.lock().values() {
                        running.guard.look();
                    }
                    std::thread::sleep(LOOK);
                }
            })?;
        Ok(Watching {
            pulls: Arc::clone(self),
            thread,
        })
    }

    /// The sources.
    pub fn sources(&self) -> &[PullSource] {
        &self.sources
    }

    fn source(&self, name: &str) -> Result<&PullSource, PullRefusal> {
        self.sources
            .iter()
            .find(|source| source.name == name)
            .ok_or_else(|| PullRefusal::Unknown(name.to_owned()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of a source that is under way, as it stands.
    pub fn current(&self, name: &str) -> Option<PullRun> {
        let running = self.lock();
        let running = running
            .get(name)
            .filter(|running| !running.thread.is_finished())?;
        let run = running.run.lock().unwrap_or_else(PoisonError::into_inner);
        Some(run.clone())
    }

    /// Begins a run of a source.
    ///
    /// # Errors
    /// [`PullRefusal`] when there is no such source, or it runs already.
    pub fn begin(self: &Arc<Self>, name: &str, trigger: PullTrigger) -> Result<(), PullRefusal> {
        let source = self.source(name)?.clone();
        let mut all = self.lock();
        if self.stopping.load(Ordering::Relaxed) {
            return Err(PullRefusal::Stopping);
        }
        if all
            .get(name)
            .is_some_and(|running| !running.thread.is_finished())
        {
            return Err(PullRefusal::Running(name.to_owned()));
        }
        let run = PullRun::begin(name, trigger);
        self.store.put_pull_run(&run)?;
        let run = Arc::new(Mutex::new(run));
        let guard = Arc::new(Guard::new(Duration::from_secs(source.timeout_s)));
        let (pulls, shared, watched) = (Arc::clone(self), Arc::clone(&run), Arc::clone(&guard));
        let thread = std::thread::Builder::new()
            .name(format!("pull-{name}"))
            .spawn(move || pulls.work(&source, &watched, &shared))
            .map_err(PullRefusal::Thread)?;
        all.insert(name.to_owned(), Running { guard, run, thread });
        Ok(())
    }

    /// Begins a run where the last daily one failed or brought nothing, and no run
    /// since brought anything. Without a daily run, always.
    ///
    /// # Errors
    /// As [`Pulls::begin`].
    pub fn fall_back(self: &Arc<Self>, name: &str) -> Result<bool, PullRefusal> {
        let due = self.source(name)?.at.is_none()
            || fallback_due(&self.store.pull_runs(Some(name))?, Timestamp::now());
        if due {
            self.begin(name, PullTrigger::Fallback)?;
        }
        Ok(due)
    }

    /// Asks the run of a source to end.
    ///
    /// # Errors
    /// [`PullRefusal`] when there is no such source, or no run of it.
    pub fn end(&self, name: &str) -> Result<(), PullRefusal> {
        self.source(name)?;
        let all = self.lock();
        let running = all
            .get(name)
            .filter(|running| !running.thread.is_finished())
            .ok_or_else(|| PullRefusal::Idle(name.to_owned()))?;
        running.guard.stop();
        Ok(())
    }

    /// Forgets the host key that a source showed first; false when none was kept.
    ///
    /// # Errors
    /// [`PullRefusal`] when there is no such source.
    pub fn forget_host_key(&self, name: &str) -> Result<bool, PullRefusal> {
        self.source(name)?;
        Ok(self.store.forget_host_key(name)?)
    }

    fn work(&self, source: &PullSource, guard: &Arc<Guard>, run: &Mutex<PullRun>) {
        let name = source.name.as_str();
        tracing::info!(source = name, "a run begins");
        let work = run::Work {
            source,
            intake: &self.intake,
            store: &self.store,
            guard,
            run,
            parts: &self.parts.join(name),
            keep_free: self.keep_free,
        };
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| work.pull()))
            .unwrap_or_else(|_| Err(Fault::Local("An internal fault.".to_owned())));
        let ended = {
            let mut run = run.lock().unwrap_or_else(PoisonError::into_inner);
            run.ended_at = Some(Timestamp::now());
            run.error = done.err().map(|fault| PullError {
                code: fault.code().to_owned(),
                message: fault.to_string(),
            });
            run.clone()
        };
        match &ended.error {
            None => {
                let (found, new, failed) = (ended.found, ended.new, ended.failed);
                tracing::info!(source = name, found, new, failed, "a run has ended");
            }
            Some(error) => {
                tracing::warn!(
                    source = name,
                    code = error.code,
                    error = error.message,
                    "a run failed"
                );
            }
        }
        if let Err(error) = self.store.put_pull_run(&ended) {
            tracing::error!(source = name, %error, "how a run ended cannot be kept");
        }
    }
}

/// The thread that watches the runs.
pub struct Watching {
    pulls: Arc<Pulls>,
    thread: JoinHandle<()>,
}

impl Watching {
    /// Ends the runs and the watching. A run that does not end in time is left:
    /// the next start goes on with it. Blocks.
    pub fn stop(self) {
        self.pulls.stopping.store(true, Ordering::Relaxed);
        let running: Vec<Running> = self.pulls.lock().drain().map(|(_, run)| run).collect();
        for run in &running {
            run.guard.stop();
        }
        let end = Instant::now() + GRACE;
        for run in running {
            while !run.thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
            if run.thread.is_finished() && run.thread.join().is_err() {
                tracing::error!("a run panicked");
            }
        }
        if self.thread.join().is_err() {
            tracing::error!("the thread that watches the runs panicked");
        }
    }
}
