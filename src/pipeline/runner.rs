//! The loop claim → run → commit. One thread a worker, each with a speech
//! process of its own. A worker wakes up when a job is queued, when a delayed
//! job is due, when it has been idle long enough to give its model back, and
//! when the server stops.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::media::Input;
use super::stages::{StageError, Tools, Wanted};
use crate::domain::job::MAX_ATTEMPTS;
use crate::domain::{CallId, Job, JobError, JobState, Stage};
use crate::events::{Event, Events};
use crate::search::{Search, SearchError};
use crate::speech::process::{KillSwitch, SpeechError, SpeechProcess};
use crate::store::{Again, Claim, Retry, StageOutput, Store, StoreError};

/// Progress is told to watchers at most this often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// What the workers share.
pub struct Runner {
    pub(super) store: Arc<Store>,
    pub(super) search: Arc<Search>,
    events: Events,
    pub(super) tools: Tools,
    executable: PathBuf,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// Counts calls of [`Runner::wake`], so that none is lost between a look at the queue and the wait.
    wakes: u64,
    stopping: bool,
    running: HashMap<CallId, Running>,
}

struct Running {
    /// Whose entry it is: a call that is cancelled and tried again at once has
    /// its next worker before the one before has noticed.
    claim: u64,
    kill: KillSwitch,
    stage_progress: f64,
}

/// Worker threads; they end with [`Workers::stop`].
pub struct Workers {
    runner: Arc<Runner>,
    threads: Vec<JoinHandle<()>>,
}

impl Runner {
    /// Binds the parts; nothing runs before [`Runner::start`].
    pub fn new(
        store: Arc<Store>,
        search: Arc<Search>,
        events: Events,
        tools: Tools,
        executable: PathBuf,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            search,
            events,
            tools,
            executable,
            state: Mutex::default(),
            wake: Condvar::new(),
        })
    }

    /// Puts what an earlier process left running back into the queue and starts the workers.
    pub fn start(self: &Arc<Self>) -> Result<Workers, StoreError> {
        for job in self.store.recover(Timestamp::now())? {
            tracing::info!(call = %job.call_id, stage = %job.stage, state = ?job.state, "taken up after a restart");
        }
        let threads = (0..self.tools.speech.workers)
            .map(|number| {
                let runner = Arc::clone(self);
                std::thread::Builder::new()
                    .name(format!("pipeline-{number}"))
                    .spawn(move || runner.work())
                    .map_err(|source| StoreError::Io {
                        path: PathBuf::from("thread"),
                        source,
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Workers {
            runner: Arc::clone(self),
            threads,
        })
    }

    /// The store it works on.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The scorecard, models and settings in use.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Tells the workers that the queue has changed.
    pub fn wake(&self) {
        self.lock().wakes += 1;
        self.wake.notify_all();
    }

    /// Share of the current stage that is done, 0–1, of a job that runs.
    pub fn stage_progress(&self, id: &CallId) -> f64 {
        self.lock()
            .running
            .get(id)
            .map_or(0.0, |running| running.stage_progress)
    }

    /// Stops a job that waits or runs; a running stage is killed at once.
    pub fn cancel(&self, id: &CallId) -> Result<Job, StoreError> {
        let job = self.store.cancel(id, Timestamp::now())?;
        match self.lock().running.get(id) {
            Some(running) => running.kill.stop(),
            // It waited for another attempt: nobody else removes its samples.
            None => self.store.blobs().remove_work(id, job.run),
        }
        self.announce(&job);
        Ok(job)
    }

    /// Puts a job that ended into the queue again.
    pub fn retry(&self, id: &CallId, retry: &Retry) -> Result<Job, StoreError> {
        let job = self.store.retry(id, retry, Timestamp::now())?;
        self.announce(&job);
        self.wake();
        Ok(job)
    }

    /// Deletes a call with all that was made of it, running or not.
    pub fn delete(&self, id: &CallId) -> Result<(), StoreError> {
        self.remove(id, Again::Welcome)
    }

    /// The same; says whether its recording may come again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub fn remove(&self, id: &CallId, again: Again) -> Result<(), StoreError> {
        self.store.remove_call(id, again)?;
        if let Some(running) = self.lock().running.get(id) {
            running.kill.stop();
        }
        if let Err(error) = self.search.remove(id) {
            // The index only misleads until it is rebuilt: hits without a record are not shown.
            tracing::error!(call = %id, %error, "the call cannot be taken out of the index");
        }
        self.events.send(Event::Deleted { id: id.clone() });
        Ok(())
    }

    /// Waits until no stage of these calls runs; false when one still does after `most`.
    pub fn wait_for(&self, ids: &[CallId], most: Duration) -> bool {
        let end = Instant::now() + most;
        loop {
            let busy = {
                let state = self.lock();
                ids.iter().any(|id| state.running.contains_key(id))
            };
            if !busy || Instant::now() >= end {
                return !busy;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes the words of calls out of the files of the index, not only out of what is found.
    ///
    /// # Errors
    /// [`SearchError`] when the index cannot be written.
    pub fn purge_index(&self, ids: &[CallId]) -> Result<(), SearchError> {
        self.search.purge(ids)
    }

    /// Tells watchers where a job is.
    pub fn announce(&self, job: &Job) {
        self.events.send(Event::Call {
            id: job.call_id.clone(),
            state: job.state,
            stage: job.stage,
            stage_progress: self.stage_progress(&job.call_id),
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let kill = KillSwitch::default();
        let mut speech = SpeechProcess::new(self.executable.clone(), kill.clone());
        let idle_unload = Duration::from_secs(self.tools.speech.idle_unload_s);
        let mut idle_since = Instant::now();
        loop {
            let seen = {
                let state = self.lock();
                if state.stopping {
                    return;
                }
                state.wakes
            };
            let now = Timestamp::now();
            let mut wait = match self.store.claim(now) {
                Ok(Claim::Job(job)) => {
                    self.run(*job, &mut speech, &kill);
                    idle_since = Instant::now();
                    continue;
                }
                Ok(Claim::WaitUntil(due)) => Duration::try_from(due.duration_since(now))
                    .unwrap_or_default()
                    .max(Duration::from_millis(50)),
                Ok(Claim::Idle) => Duration::from_secs(3600),
                Err(error) => {
                    tracing::error!(%error, "the queue cannot be read");
                    Duration::from_secs(10)
                }
            };
            if speech.is_loaded() {
                match idle_unload.checked_sub(idle_since.elapsed()) {
                    Some(left) if !left.is_zero() => wait = wait.min(left),
                    _ => {
                        tracing::info!("no work: the speech model is unloaded");
                        speech.unload();
                    }
                }
            }
            let state = self.lock();
            // The guard comes back at once; what woke us is seen at the top of the loop.
            drop(
                self.wake
                    .wait_timeout_while(state, wait, |state| state.wakes == seen && !state.stopping)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Runs one stage of a claimed job and commits what came of it.
    fn run(&self, job: Job, speech: &mut SpeechProcess, kill: &KillSwitch) {
        let id = job.call_id.clone();
        {
            let mut state = self.lock();
            if state.stopping {
                // Stays Running: the next start takes it up.
                return;
            }
            if kill.is_stopped() {
                // A stop that came too late for the stage before killed the idle child.
                speech.unload();
                kill.reset();
            }
            state.running.insert(
                id.clone(),
                Running {
                    claim: job.claim,
                    kill: kill.clone(),
                    stage_progress: 0.0,
                },
            );
        }
        self.announce(&job);
        let begun = Instant::now();
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| self.stage(&job, speech, kill)));
        let stopping = {
            let mut state = self.lock();
            if state
                .running
                .get(&id)
                .is_some_and(|own| own.claim == job.claim)
            {
                state.running.remove(&id);
            }
            state.stopping
        };
        if stopping && !matches!(result, Ok(Ok(_))) {
            return;
        }
        let now = Timestamp::now();
        let committed = match result {
            Ok(Ok(output)) => self.store.finish_stage(&job, &output, now),
            Ok(Err(error)) => {
                let error = error.to_job_error();
                tracing::warn!(call = %id, stage = %job.stage, attempt = job.attempts, code = error.code, "{}", error.message);
                self.store.fail_stage(&job, error, now)
            }
            Err(panic) => {
                let what = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("panic");
                tracing::error!(call = %id, stage = %job.stage, what, "the stage panicked");
                let error = JobError {
                    code: "internal".to_owned(),
                    message: "The recording met a fault of the program; the log says more. Try again, and report it if it happens once more.".to_owned(),
                    retryable: true,
                };
                self.store.fail_stage(&job, error, now)
            }
        };
        match committed {
            Ok(Some(next)) => {
                tracing::info!(
                    call = %id,
                    stage = %job.stage,
                    state = ?next.state,
                    took_ms = begun.elapsed().as_millis() as u64,
                    "stage ended"
                );
                if next.state.is_final() {
                    self.store.blobs().remove_work(&id, job.run);
                }
                self.announce(&next);
            }
            Ok(None) => {
                tracing::info!(call = %id, stage = %job.stage, "the result is dropped: the job was cancelled or deleted");
                self.store.blobs().remove_work(&id, job.run);
            }
            // The job stays Running until the next start, which takes it up.
            Err(error) => tracing::error!(call = %id, %error, "the result cannot be stored"),
        }
    }

    fn stage(
        &self,
        job: &Job,
        speech: &mut SpeechProcess,
        kill: &KillSwitch,
    ) -> Result<StageOutput, StageError> {
        let id = &job.call_id;
        let entry = self.store.entry(id)?.ok_or(StoreError::NotFound)?;
        if entry.job.state != JobState::Running || entry.job.claim != job.claim {
            // Cancelled between the claim and now, when there was nothing to kill yet.
            return Err(SpeechError::Stopped.into());
        }
        let path = self.store.blobs().path(&entry.call.sha256);
        let content_type = self
            .store
            .recording(&entry.call.sha256)?
            .map_or_else(String::new, |recording| recording.content_type);
        let source = Input::accepted(&path, &content_type);
        let work = self.store.blobs().work_dir(id, job.run);
        // Alone it may have all threads; the more calls at once, the fewer for each.
        let at_once = self.lock().running.len().max(1);
        speech.use_threads(self.tools.speech.threads / at_once);
        let mut last_told = Instant::now();
        let mut progress = |share: f64| {
            let share = share.clamp(0.0, 1.0);
            if let Some(running) = self.lock().running.get_mut(id)
                && running.claim == job.claim
            {
                running.stage_progress = share;
            }
            if last_told.elapsed() >= PROGRESS_INTERVAL {
                last_told = Instant::now();
                self.announce(job);
            }
        };
        let media = || -> Result<_, StageError> {
            self.store
                .recording(&entry.call.sha256)?
                .and_then(|recording| recording.media)
                .ok_or(StageError::Missing)
        };
        match job.stage {
            Stage::Decode => {
                let decoded = self.tools.decode(&source, &work, kill, &mut progress)?;
                Ok(StageOutput::Decoded {
                    media: decoded.media,
                    envelope: decoded.envelope,
                })
            }
            Stage::Transcribe => {
                let wanted = Wanted {
                    model: entry.job.model.as_deref(),
                    language: entry.call.language.as_deref(),
                };
                let recognition = self.tools.transcribe(
                    &source,
                    &work,
                    &media()?,
                    wanted,
                    speech,
                    &mut progress,
                )?;
                Ok(StageOutput::Recognized(recognition))
            }
            Stage::Diarize => {
                let recognition = self.store.recognition(id)?.ok_or(StageError::Missing)?;
                let known = self.tools.known(&entry.call);
                let found = self.tools.diarize(
                    &source,
                    &work,
                    &media()?,
                    &recognition,
                    known,
                    speech,
                    &mut progress,
                );
                let transcript = match found {
                    // What recognition found stands, whatever happens here.
                    Err(StageError::Speech(error @ SpeechError::Died { .. }))
                        if job.attempts >= MAX_ATTEMPTS =>
                    {
                        tracing::warn!(call = %id, %error, "voices were not told apart");
                        self.tools.unseparated(&recognition, known)
                    }
                    found => found?,
                };
                Ok(StageOutput::Diarized(transcript))
            }
            Stage::Score => {
                let transcript = self.store.transcript(id)?.ok_or(StageError::Missing)?;
                let envelope = self.store.envelope(id)?.unwrap_or_default();
                let duration_ms = entry.call.duration_ms.unwrap_or(0);
                Ok(StageOutput::Scored(Box::new(self.tools.score(
                    &transcript,
                    &envelope,
                    duration_ms,
                ))))
            }
            Stage::Index => {
                let transcript = self.store.transcript(id)?;
                self.search.put(&entry.call, transcript.as_ref())?;
                Ok(StageOutput::Indexed)
            }
        }
    }
}

impl Workers {
    /// Stops the workers. A stage that runs is killed; the next start takes it up.
    pub fn stop(self) {
        {
            let mut state = self.runner.lock();
            state.stopping = true;
            for running in state.running.values() {
                running.kill.stop();
            }
        }
        self.runner.wake.notify_all();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker ended by a panic");
            }
        }
    }
}
