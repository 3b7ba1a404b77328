//! Has questions answered: those of people who wait first, then the rows of analyses.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::answering::{by_search, off, pause, why, without};
use super::live::{Live, Watch};
use crate::domain::CallId;
use crate::domain::question::{Analysis, AnalysisState, Answer, Row, Why};
use crate::llm::LlmError;
use crate::pipeline::Runner;
use crate::pipeline::desk::Desk;
use crate::store::StoreError;

/// How often the queues are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a request may still last when the program stops.
const PATIENCE: Duration = Duration::from_secs(3);
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Work {
    Answer(CallId, String),
    Row(String, u32),
}

/// An analysis that runs.
pub(super) struct Running {
    pub(super) id: String,
    pub(super) waiting: VecDeque<u32>,
    pub(super) given_up: Arc<AtomicBool>,
    /// What the calls that are being asked may cost at most.
    pub(super) reserved: f64,
}

#[derive(Default)]
pub(super) struct State {
    stopping: bool,
    at_work: HashSet<Work>,
    /// Served in turn.
    pub(super) running: VecDeque<Running>,
}

/// Answers questions. One for the program.
pub struct Asking {
    pub(super) runner: Arc<Runner>,
    pub(super) desk: Option<Arc<Desk>>,
    live: Live,
    state: Mutex<State>,
    wake: Condvar,
}

/// The threads that ask.
pub struct Askers {
    asking: Arc<Asking>,
    threads: Vec<JoinHandle<()>>,
}

impl Asking {
    /// Takes up what an earlier process left, and starts the threads. Without a `desk`
    /// all answers are those of the search.
    pub fn start(
        runner: Arc<Runner>,
        desk: Option<Arc<Desk>>,
    ) -> Result<(Arc<Self>, Askers), StoreError> {
        let asking = Arc::new(Self {
            runner,
            desk,
            live: Live::default(),
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let store = &asking.runner.store;
        for analysis in store.analyses()?.into_iter().rev() {
            if analysis.state == AnalysisState::Running {
                let waiting = store.waiting_rows(&analysis.id)?.into();
                asking.run(analysis.id, waiting);
            }
        }
        // One more than requests at once: it is there for those who wait.
        let most = asking
            .desk
            .as_ref()
            .map_or(1, |desk| desk.settings().concurrency);
        let threads = (0..=most)
            .map(|number| {
                let asking = Arc::clone(&asking);
                std::thread::Builder::new()
                    .name(format!("ask-{number}"))
                    .spawn(move || asking.work(number > 0))
                    .map_err(|source| StoreError::Io {
                        path: "thread".into(),
                        source,
                    })
            })
            .collect::<Result<_, _>>()?;
        let askers = Askers {
            asking: Arc::clone(&asking),
            threads,
        };
        Ok((asking, askers))
    }

    /// Keeps a question; where no model can be asked it is answered at once by the search.
    pub fn ask(&self, mut answer: Answer) -> Result<Answer, StoreError> {
        let store = &self.runner.store;
        let transcript = store
            .transcript(&answer.call_id)?
            .ok_or(StoreError::NotTranscribed)?;
        let why = match &self.desk {
            None => Some(off()),
            Some(desk) => desk.paused().map(|paused| why(&paused.why)),
        };
        answer.found = why.map(|why| by_search(&transcript, &answer.question, why));
        store.keep_answer(&answer)?;
        self.wake.notify_all();
        Ok(answer)
    }

    /// Removes a question with its answer; one that is being answered is given up.
    pub fn delete_answer(&self, call: &CallId, id: &str) -> Result<(), StoreError> {
        self.runner.store.delete_answer(call, id)?;
        self.live.close(id);
        Ok(())
    }

    /// An answer, and how to hear it while it is written; no watch where it is there.
    pub fn watch(&self, call: &CallId, id: &str) -> Result<(Answer, Option<Watch>), StoreError> {
        let store = &self.runner.store;
        let known = || store.answer(call, id)?.ok_or(StoreError::NotFound);
        if let Some(done) = Some(known()?).filter(|answer| answer.found.is_some()) {
            return Ok((done, None));
        }
        let watch = self.live.watch(id);
        let answer = known().inspect_err(|_| self.live.close(id))?;
        if answer.found.is_some() {
            self.live.close(id);
            return Ok((answer, None));
        }
        Ok((answer, Some(watch)))
    }

    /// Keeps an analysis and has its calls asked.
    pub fn analyze(&self, analysis: &Analysis, rows: &[Row]) -> Result<(), StoreError> {
        self.runner.store.start_analysis(analysis, rows)?;
        self.run(analysis.id.clone(), (0..analysis.calls).collect());
        self.wake.notify_all();
        Ok(())
    }

    /// Stops an analysis; what is answered stays.
    pub fn cancel(&self, id: &str) -> Result<Analysis, StoreError> {
        self.forget(id);
        let why = Why::new("cancelled", "the analysis was stopped before this call");
        let now = Timestamp::now();
        self.runner
            .store
            .end_analysis(id, AnalysisState::Cancelled, &why, now)
    }

    /// Removes an analysis, running or not.
    pub fn delete(&self, id: &str) -> Result<(), StoreError> {
        self.forget(id);
        self.runner.store.delete_analysis(id)
    }

    /// Why no model is asked now; `None`: it is.
    pub fn unavailable(&self) -> Option<Why> {
        match &self.desk {
            None => Some(off()),
            Some(desk) => desk.paused().map(|paused| why(&paused.why)),
        }
    }

    fn run(&self, id: String, waiting: VecDeque<u32>) {
        self.lock().running.push_back(Running {
            id,
            waiting,
            given_up: Arc::default(),
            reserved: 0.0,
        });
    }

    pub(super) fn forget(&self, id: &str) {
        self.lock().running.retain(|running| {
            if running.id == id {
                running.given_up.store(true, Ordering::Relaxed);
            }
            running.id != id
        });
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, rows: bool) {
        while let Some(work) = self.next(rows) {
            let done = std::panic::catch_unwind(AssertUnwindSafe(|| match &work {
                Work::Answer(call, id) => self.answer(call, id),
                Work::Row(id, number) => self.row(id, *number),
            }));
            match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(?work, %error, "what became of a question cannot be kept");
                    std::thread::sleep(LOOK);
                }
                Err(_) => {
                    tracing::error!(?work, "answering panicked");
                    self.give_up(&work);
                }
            }
            self.lock().at_work.remove(&work);
            self.wake.notify_all();
        }
    }

    /// What can never be answered does not wait for ever.
    fn give_up(&self, work: &Work) {
        let failed = Why::new(
            "internal",
            "the program failed on this call; its log says more",
        );
        let store = &self.runner.store;
        let kept = match work {
            Work::Answer(call, id) => {
                let kept = store.finish_answer(call, id, without(failed)).map(drop);
                self.live.close(id);
                kept
            }
            Work::Row(id, number) => {
                if let Some(running) = self.lock().running.iter_mut().find(|r| r.id == *id) {
                    running.reserved = 0.0;
                }
                store
                    .finish_row(id, *number, Err(failed), Timestamp::now())
                    .map(drop)
            }
        };
        if let Err(error) = kept {
            tracing::error!(?work, %error, "that a question failed cannot be kept");
        }
    }

    /// What is to be done next, once there is something; `None` at the end. `rows`: also
    /// what works in the background.
    fn next(&self, rows: bool) -> Option<Work> {
        loop {
            let mut state = self.lock();
            if state.stopping {
                return None;
            }
            match self.runner.store.owed_answers(state.at_work.len() + 1) {
                Ok(owed) => {
                    let new = owed
                        .into_iter()
                        .map(|(call, id)| Work::Answer(call, id))
                        .find(|work| !state.at_work.contains(work));
                    if let Some(work) = new {
                        state.at_work.insert(work.clone());
                        return Some(work);
                    }
                }
                Err(error) => tracing::error!(%error, "the questions cannot be read"),
            }
            let open = self
                .desk
                .as_ref()
                .is_none_or(|desk| desk.paused().is_none());
            if rows && open {
                for _ in 0..state.running.len() {
                    let Some(mut running) = state.running.pop_front() else {
                        break;
                    };
                    let number = running.waiting.pop_front();
                    let work = number.map(|number| Work::Row(running.id.clone(), number));
                    state.running.push_back(running);
                    if let Some(work) = work {
                        state.at_work.insert(work.clone());
                        return Some(work);
                    }
                }
            }
            drop(
                self.wake
                    .wait_timeout(state, LOOK)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Answers the question of somebody who waits.
    fn answer(&self, call: &CallId, id: &str) -> Result<(), StoreError> {
        let store = &self.runner.store;
        let given_up = self.live.open(id);
        let asked = store.answer(call, id)?;
        let (Some(answer), Some(transcript)) = (asked, store.transcript(call)?) else {
            // The question was deleted, or the call is being recognized anew.
            let gone = Why::new("no_transcript", "the call has no transcript any more");
            store.finish_answer(call, id, without(gone))?;
            self.live.close(id);
            return Ok(());
        };
        let found = match &self.desk {
            None => by_search(&transcript, &answer.question, off()),
            Some(desk) => {
                let heard = Some((&self.live, id));
                match self.by_model(desk, call, &transcript, &answer.question, &given_up, heard) {
                    Ok(found) => {
                        desk.succeeded();
                        found
                    }
                    Err(LlmError::Stopped) => {
                        if !desk.stopping() {
                            self.live.close(id);
                        }
                        return Ok(());
                    }
                    Err(error) => {
                        let why = why(&error);
                        pause(desk, error);
                        by_search(&transcript, &answer.question, why)
                    }
                }
            }
        };
        store.finish_answer(call, id, found)?;
        self.live.close(id);
        Ok(())
    }
}

impl Askers {
    /// Ends them. The desk is stopped before. Blocks for a moment.
    pub fn stop(self) {
        self.asking.lock().stopping = true;
        self.asking.wake.notify_all();
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience && !self.threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
