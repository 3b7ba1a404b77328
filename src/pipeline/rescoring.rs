//! Scores calls of the past again with the scorecard in force. No speech work is
//! repeated: the rules read the transcripts that are there, and a language model,
//! where one is on, judges afterwards as it does with any new score. What is left to
//! do is in the store and outlives a restart.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use super::Runner;
use super::score::Rules;
use crate::domain::card_version::CardKey;
use crate::domain::rescoring::{RescoredState, Rescoring, RescoringState};
use crate::domain::{CallId, Score};
use crate::store::{Outcome, StoreError};

/// Calls that are written in one transaction: each waits for the disk once.
const BATCH: usize = 64;
/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(10);

/// Scores the past again. One for the program.
pub struct Rescorings {
    runner: Arc<Runner>,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// Counts new orders, so that none is missed between a look and the wait.
    orders: u64,
}

/// The thread that scores.
pub struct Rescorer {
    rescorings: Arc<Rescorings>,
    thread: JoinHandle<()>,
}

impl Rescorings {
    /// Starts the thread, which takes up what an earlier process left undone.
    pub fn start(runner: Arc<Runner>) -> std::io::Result<(Arc<Self>, Rescorer)> {
        let rescorings = Arc::new(Self {
            runner,
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let own = Arc::clone(&rescorings);
        let thread = std::thread::Builder::new()
            .name("rescoring".to_owned())
            .spawn(move || own.work())?;
        let rescorer = Rescorer {
            rescorings: Arc::clone(&rescorings),
            thread,
        };
        Ok((rescorings, rescorer))
    }

    /// Orders these calls to be scored by the scorecard in force.
    ///
    /// # Errors
    /// [`StoreError::RescoringRuns`] while another order is worked on.
    pub fn begin(&self, calls: &[CallId], author: &str) -> Result<Rescoring, StoreError> {
        let rules = self.runner.tools.in_force.rules();
        let card = rules.card();
        let order = Rescoring {
            id: ulid::Ulid::generate().to_string(),
            state: RescoringState::Running,
            card: CardKey {
                id: card.id.clone(),
                version: card.version,
            },
            card_name: card.name.clone(),
            author: author.to_owned(),
            started_at: Timestamp::now(),
            ended_at: None,
            total: calls.len() as u64,
            done: 0,
            skipped: 0,
        };
        self.runner.store.begin_rescoring(&order, calls)?;
        self.lock().orders += 1;
        self.wake.notify_all();
        Ok(order)
    }

    /// Stops an order; what was scored stays so.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRescoring`].
    pub fn cancel(&self, id: &str) -> Result<Rescoring, StoreError> {
        let now = Timestamp::now();
        self.runner
            .store
            .end_rescoring(id, RescoringState::Cancelled, now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.lock().stopping
    }

    fn work(&self) {
        loop {
            let seen = self.lock().orders;
            let done = self.next();
            let state = self.lock();
            if state.stopping {
                return;
            }
            let waited = match done {
                Ok(true) => continue,
                Ok(false) => self
                    .wake
                    .wait_while(state, |state| state.orders == seen && !state.stopping)
                    .map(drop)
                    .is_ok(),
                Err(error) => {
                    tracing::error!(%error, "calls cannot be scored again for now");
                    self.wake
                        .wait_timeout_while(state, PAUSE, |state| !state.stopping)
                        .map(drop)
                        .is_ok()
                }
            };
            if !waited {
                return;
            }
        }
    }

    /// Works on the order that runs; false where there is none.
    fn next(&self) -> Result<bool, StoreError> {
        let store = &self.runner.store;
        let orders = store.rescorings()?;
        let Some(order) = orders
            .into_iter()
            .find(|order| order.state == RescoringState::Running)
        else {
            return Ok(false);
        };
        let in_force = self.runner.tools.in_force.rules();
        let rules = if (in_force.card().id.as_str(), in_force.card().version)
            == (order.card.id.as_str(), order.card.version)
        {
            in_force
        } else {
            let card = store.scorecard(&order.card)?;
            Arc::new(Rules::compile(card.ok_or(StoreError::NoSuchCard)?))
        };
        let mut last: Option<CallId> = None;
        loop {
            let rows = store.rescored(&order.id, last.as_ref(), BATCH)?;
            let Some(end) = rows.last() else {
                break;
            };
            last = Some(end.call_id.clone());
            let waiting = rows
                .into_iter()
                .filter(|row| row.state == RescoredState::Waiting);
            let mut outcomes = Vec::new();
            for row in waiting {
                if self.stopping() {
                    return Ok(true);
                }
                let outcome = self.outcome(&row.call_id, &rules)?;
                outcomes.push((row.call_id, outcome));
            }
            if outcomes.is_empty() {
                continue;
            }
            if !store.rescore(&order.id, &outcomes, Timestamp::now())? {
                // Somebody stopped it.
                return Ok(true);
            }
            for (id, _) in &outcomes {
                if let Some(entry) = store.entry(id)? {
                    self.runner.announce(&entry.job);
                }
            }
        }
        let ended = store.end_rescoring(&order.id, RescoringState::Completed, Timestamp::now())?;
        tracing::info!(
            order = ended.id,
            calls = ended.total,
            left_out = ended.skipped,
            "calls were scored again"
        );
        Ok(true)
    }

    fn outcome(&self, id: &CallId, rules: &Rules) -> Result<Outcome, StoreError> {
        let store = &self.runner.store;
        let Some(entry) = store.entry(id)? else {
            return Ok(Outcome::Skip(RescoredState::Deleted));
        };
        if !entry.job.state.is_final() {
            return Ok(Outcome::Skip(RescoredState::AtWork));
        }
        // A call without speech has a transcript and no score.
        let (Some(transcript), Some(_)) = (store.transcript(id)?, store.score(id)?) else {
            return Ok(Outcome::Skip(RescoredState::NoTranscript));
        };
        let envelope = store.envelope(id)?.unwrap_or_default();
        let duration_ms = entry.call.duration_ms.unwrap_or(0);
        let scored = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.runner
                .tools
                .score_by(rules, &transcript, &envelope, duration_ms)
        }));
        Ok(match scored {
            Ok(score) => Outcome::Score(transcript.version.number, Box::new(score)),
            Err(_) => {
                tracing::error!(call = %id, "scoring panicked; the score before stays");
                Outcome::Skip(RescoredState::Failed)
            }
        })
    }
}

impl Rescorer {
    /// Ends it after the call it is at. Blocks for a moment.
    pub fn stop(self) {
        self.rescorings.lock().stopping = true;
        self.rescorings.wake.notify_all();
        if self.thread.join().is_err() {
            tracing::error!("the thread that scores again panicked");
        }
    }
}

impl Runner {
    /// The score that these rules give a call, and the one of the rules in force; both
    /// without a language model. Nothing is written.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NotTranscribed`].
    pub fn try_rules(&self, id: &CallId, draft: &Rules) -> Result<(Score, Score), StoreError> {
        let (envelope, duration_ms) = self.store.scored_from(id)?;
        let transcript = self
            .store
            .transcript(id)?
            .ok_or(StoreError::NotTranscribed)?;
        let by = |rules: &Rules| super::score::score(rules, &transcript, &envelope, duration_ms);
        Ok((by(&self.tools.in_force.rules()), by(draft)))
    }
}
