//! Makes the insights of calls: the rules at once after the score, a model's summary
//! after its judgement. All again, but for the summary, when the trackers change.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::answering::{Asked, pause, why};
use super::offline::{self, Compiled, Marks};
use super::one;
use crate::domain::egress::{Pending, Purpose};
use crate::domain::insight::{Insight, Point, Summary};
use crate::domain::question::Why;
use crate::domain::score::Engine;
use crate::domain::{CallId, Transcript};
use crate::llm::LlmError;
use crate::pipeline::Runner;
use crate::pipeline::desk::{Desk, doubled};
use crate::pipeline::score::Brief;
use crate::store::StoreError;

/// How often the queues are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many calls are read from the queue at a time.
const BATCH: usize = 64;
/// How long a request may still last when the program stops.
const PATIENCE: Duration = Duration::from_secs(3);
/// Answers that cannot be used, until a call keeps the summary of the rules.
const ATTEMPTS: u32 = 3;

/// Makes insights. One for the program.
pub struct Insights {
    runner: Arc<Runner>,
    /// Where summaries are asked for; `None`: the rules alone.
    desk: Option<Arc<Desk>>,
    stopping: Mutex<bool>,
    wake: Condvar,
}

/// The threads that make them.
pub struct Making {
    insights: Arc<Insights>,
    threads: Vec<JoinHandle<()>>,
}

impl Insights {
    /// Takes up what is owed and starts the threads. `desk`: where a model is asked for
    /// summaries.
    pub fn start(
        runner: Arc<Runner>,
        desk: Option<Arc<Desk>>,
    ) -> Result<(Arc<Self>, Making), StoreError> {
        runner.store.owe_missing_insights()?;
        if desk.is_none() {
            runner.store.stop_summaries()?;
        }
        let insights = Arc::new(Self {
            runner,
            desk,
            stopping: Mutex::default(),
            wake: Condvar::new(),
        });
        let spawn = |name: &str, work: fn(&Self)| {
            let insights = Arc::clone(&insights);
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || work(&insights))
                .map_err(|source| StoreError::Io {
                    path: "thread".into(),
                    source,
                })
        };
        let mut threads = vec![spawn("insights", Self::by_rules)?];
        if insights.desk.is_some() {
            threads.push(spawn("summaries", Self::by_model)?);
        }
        let making = Making {
            insights: Arc::clone(&insights),
            threads,
        };
        Ok((insights, making))
    }

    /// Something is owed.
    pub fn wake(&self) {
        self.wake.notify_all();
    }

    /// Whether a model makes summaries.
    pub fn has_model(&self) -> bool {
        self.desk.is_some()
    }

    /// Has a model sum a call up, also one that has a summary.
    pub fn again(&self, id: &CallId) -> Result<bool, StoreError> {
        let store = &self.runner.store;
        let Some(known) = store.insight(id)? else {
            return Err(StoreError::NotTranscribed);
        };
        let kept = store.keep_summary(id, known.version, true, |_| {})?;
        self.wake();
        Ok(kept)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment; true at the end.
    fn rest(&self) -> bool {
        let stopping = self.lock();
        if *stopping {
            return true;
        }
        *self
            .wake
            .wait_timeout(stopping, LOOK)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn by_rules(&self) {
        let marks = Marks::default();
        let mut compiled = Compiled::new(crate::domain::tracker::Trackers::default());
        let mut after: Option<CallId> = None;
        loop {
            let owed = match self.runner.store.owed_insights(after.as_ref(), BATCH) {
                Ok(owed) => owed,
                Err(error) => {
                    tracing::error!(%error, "the calls without insight cannot be read");
                    Vec::new()
                }
            };
            if !owed.is_empty() {
                match self.runner.store.trackers() {
                    Ok(trackers) if trackers.revision != compiled.revision() => {
                        compiled = Compiled::new(trackers);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "the trackers cannot be read"),
                }
            }
            after = owed.last().map(|(id, _)| id.clone());
            for (id, fresh) in &owed {
                if *self.lock() {
                    return;
                }
                let made = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    self.rules(id, *fresh, &compiled, &marks)
                }));
                match made {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(call = %id, %error, "the insight cannot be kept");
                    }
                    Err(_) => {
                        tracing::error!(call = %id, "making the insight panicked");
                        let _ = self.runner.store.forget_owed_insight(id);
                    }
                }
            }
            if after.is_none() && self.rest() {
                return;
            }
        }
    }

    /// Makes the insight of a call by the rules. A summary of a model for the same
    /// transcript stays.
    fn rules(
        &self,
        id: &CallId,
        fresh: bool,
        compiled: &Compiled,
        marks: &Marks,
    ) -> Result<(), StoreError> {
        let store = &self.runner.store;
        let Some(transcript) = store.transcript(id)? else {
            return store.forget_owed_insight(id);
        };
        let tokens = offline::tokens(&transcript);
        let known = store.insight(id)?;
        let version = transcript.version.number;
        let same = known.as_ref().filter(|known| known.version == version);
        let (summary, waits) = match same {
            Some(known) if known.summary.by == Engine::Model => {
                (known.summary.clone(), known.waits)
            }
            Some(known) => {
                let why = known.summary.why.clone();
                let summary = offline::summary(&transcript, &tokens, marks, why);
                (summary, known.waits)
            }
            None => {
                let off = Why::new("llm_off", "no language model makes summaries");
                let why = self.desk.is_none().then_some(off);
                let summary = offline::summary(&transcript, &tokens, marks, why);
                (summary, fresh && self.desk.is_some())
            }
        };
        let insight = Insight {
            summary,
            waits,
            topics: compiled.topics(&transcript, &tokens),
            version,
            trackers: compiled.revision(),
            made_at: Timestamp::now(),
        };
        let changed = known.is_none_or(|known| {
            known.topics != insight.topics
                || known.summary != insight.summary
                || known.waits != insight.waits
        });
        if store.keep_insight(id, &insight)? && changed {
            self.announce(id)?;
        }
        Ok(())
    }

    fn announce(&self, id: &CallId) -> Result<(), StoreError> {
        if let Some(entry) = self.runner.store.entry(id)? {
            self.runner.announce(&entry.job);
        }
        Ok(())
    }

    fn by_model(&self) {
        let Some(desk) = &self.desk else { return };
        while !desk.stopping() {
            let due = if desk.paused().is_some() {
                Ok(None)
            } else {
                self.runner.store.due_summary(Timestamp::now())
            };
            let made = match due {
                Ok(None) => {
                    if self.rest() {
                        return;
                    }
                    continue;
                }
                Ok(Some((id, pending))) => {
                    let made = std::panic::catch_unwind(AssertUnwindSafe(|| {
                        self.summary(desk, &id, pending)
                    }));
                    made.unwrap_or_else(|_| {
                        tracing::error!(call = %id, "summing up panicked; the summary of the rules stays");
                        self.runner.store.forget_owed_insight(&id)
                    })
                }
                Err(error) => Err(error),
            };
            if let Err(error) = made {
                tracing::error!(%error, "a summary cannot be kept");
                if self.rest() {
                    return;
                }
            }
        }
    }

    fn summary(&self, desk: &Desk, id: &CallId, pending: Pending) -> Result<(), StoreError> {
        let store = &self.runner.store;
        let Some(transcript) = store.transcript(id)? else {
            return store.forget_owed_insight(id);
        };
        let version = transcript.version.number;
        let kept = match self.summarized(desk, id, &transcript) {
            Ok(summary) => {
                desk.succeeded();
                store.keep_summary(id, version, false, |known| *known = summary)?
            }
            Err(LlmError::Stopped) => return Ok(()),
            Err(error) => {
                let unusable = matches!(error, LlmError::Unusable(_));
                let attempts = pending.attempts + u32::from(unusable);
                let waits = match &error {
                    LlmError::Unusable(_) => attempts < ATTEMPTS,
                    LlmError::Refused(_) => false,
                    _ => true,
                };
                let told = why(&error);
                tracing::warn!(call = %id, code = told.code, waits, "the summary of the rules stays");
                let kept = store.keep_summary(id, version, waits, |known| {
                    known.why = Some(told);
                })?;
                let not_before = if unusable {
                    Timestamp::now() + doubled(attempts)
                } else {
                    Timestamp::now()
                };
                store.postpone_summary(
                    id,
                    Pending {
                        attempts,
                        not_before,
                        ..pending
                    },
                )?;
                pause(desk, error);
                kept
            }
        };
        if kept {
            self.announce(id)
        } else {
            // Of another version of the transcript: the rules make that one first.
            let soon = Timestamp::now() + jiff::SignedDuration::from_secs(2);
            store.postpone_summary(
                id,
                Pending {
                    not_before: soon,
                    ..pending
                },
            )
        }
    }

    fn summarized(
        &self,
        desk: &Desk,
        id: &CallId,
        transcript: &Transcript,
    ) -> Result<Summary, LlmError> {
        let settings = desk.settings();
        let mut mask = desk.mask(transcript);
        let team = super::team(&self.runner.store, Purpose::Summary)?;
        let brief = Brief {
            team: &team,
            context_tokens: settings.context_tokens,
            answer_tokens: settings.answer_tokens,
        };
        let mut asked = Asked {
            desk,
            call: id,
            purpose: Purpose::Summary,
            hidden: mask.count(),
            given_up: &AtomicBool::new(false),
            heard: None,
        };
        let made = one::summarize(transcript, brief, &mut mask, &mut asked)?;
        Ok(Summary {
            by: Engine::Model,
            about: Some(Point {
                text: made.text,
                quote: None,
            }),
            next_step: made.next_step,
            objections: made.objections,
            model: Some(settings.model.clone()),
            why: None,
        })
    }
}

impl Making {
    /// Ends them. The desk is stopped before. Blocks for a moment.
    pub fn stop(self) {
        *self.insights.lock() = true;
        self.insights.wake.notify_all();
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience && !self.threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
