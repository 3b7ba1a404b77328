//! Has a language model judge what the rules have scored. A call is never held up:
//! its score is that of the rules until the model's is there, and stays it where the
//! model cannot be asked; what waits is in the store and outlives a restart.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::Runner;
use super::desk::{Desk, Paused, Request, doubled};
use super::score::{Brief, Rules, card_of, judge};
use crate::domain::egress::{Purpose, Spent};
use crate::domain::prompt::{Prompt, PromptRef};
use crate::domain::score::{ModelNote, ModelState, Score};
use crate::domain::{CallId, Transcript};
use crate::llm::{LlmError, Message, Shape};
use crate::store::StoreError;

/// How often the queue is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long a request may still last when the program stops.
const PATIENCE: Duration = Duration::from_secs(3);
/// Answers that cannot be used, until a call keeps the score of the rules.
const ATTEMPTS: u32 = 3;

/// How it stands with the language model.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Calls that wait.
    pub waiting: u64,
    /// Why nothing is asked now.
    pub paused: Option<Paused>,
    /// What was sent and spent since midnight.
    pub today: Spent,
}

#[derive(Default)]
struct State {
    at_work: HashSet<CallId>,
}

/// Judges calls. One for the program.
pub struct Judging {
    runner: Arc<Runner>,
    desk: Arc<Desk>,
    state: Mutex<State>,
    wake: Condvar,
}

/// The threads that judge.
pub struct Judges {
    judging: Arc<Judging>,
    threads: Vec<JoinHandle<()>>,
}

impl Judging {
    /// Starts as many threads as requests are allowed at once.
    pub fn start(runner: Arc<Runner>, desk: Arc<Desk>) -> std::io::Result<(Arc<Self>, Judges)> {
        let judging = Arc::new(Self {
            runner,
            desk,
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let threads = (0..judging.desk.settings().concurrency)
            .map(|number| {
                let judging = Arc::clone(&judging);
                std::thread::Builder::new()
                    .name(format!("judge-{number}"))
                    .spawn(move || judging.work())
            })
            .collect::<Result<_, _>>()?;
        let judges = Judges {
            judging: Arc::clone(&judging),
            threads,
        };
        Ok((judging, judges))
    }

    /// How it stands.
    pub fn standing(&self) -> Result<Standing, StoreError> {
        Ok(Standing {
            waiting: self.runner.store.judging()?,
            paused: self.desk.paused(),
            today: self.desk.today()?,
        })
    }

    /// Asks again at once, whatever went wrong before.
    pub fn resume(&self) {
        self.desk.resume();
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(id) = self.next() {
            let judged = std::panic::catch_unwind(AssertUnwindSafe(|| self.call(&id)));
            let kept = match judged {
                Ok(Ok(Ok(()))) => {
                    self.desk.succeeded();
                    Ok(())
                }
                Ok(Ok(Err(error))) => self.failed(&id, error),
                Ok(Err(error)) => Err(error),
                Err(_) => {
                    tracing::error!(call = %id, "judging panicked; the score of the rules stays");
                    self.runner.store.forget_judging(&id)
                }
            };
            if let Err(error) = kept {
                tracing::error!(call = %id, %error, "what became of a judgement cannot be kept");
                self.desk.pause(LlmError::Later {
                    after: None,
                    reason: "the store failed".to_owned(),
                });
            }
            self.lock().at_work.remove(&id);
        }
    }

    /// The next call, once there is one and the server may be asked; `None` at the end.
    fn next(&self) -> Option<CallId> {
        loop {
            if self.desk.stopping() {
                return None;
            }
            let now = Timestamp::now();
            let paused = self.desk.paused().is_some();
            let mut state = self.lock();
            if !paused {
                let most = state.at_work.len() + 1;
                match self.runner.store.due_judging(now, most) {
                    Ok((due, _)) => {
                        if let Some(id) = due.into_iter().find(|id| !state.at_work.contains(id)) {
                            state.at_work.insert(id.clone());
                            return Some(id);
                        }
                    }
                    Err(error) => tracing::error!(%error, "the calls that wait cannot be read"),
                }
            }
            drop(
                self.wake
                    .wait_timeout(state, LOOK)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Judges a call and keeps what comes of it.
    fn call(&self, id: &CallId) -> Result<Result<(), LlmError>, StoreError> {
        let store = &self.runner.store;
        let (Some(entry), Some(transcript), Some(base)) =
            (store.entry(id)?, store.transcript(id)?, store.score(id)?)
        else {
            store.forget_judging(id)?;
            return Ok(Ok(()));
        };
        if !entry.job.state.is_final() {
            // It is being indexed, or worked on again: then a new score comes.
            let soon = Timestamp::now() + SignedDuration::from_secs(2);
            store.postpone_judging(id, soon, "at_work", "the call is being worked on", false)?;
            return Ok(Ok(()));
        }
        let Some(rules) = self.rules_of(&base)? else {
            store.forget_judging(id)?;
            return Ok(Ok(()));
        };
        let prompt = store.active_prompt(Purpose::Score)?;
        match self.judge(id, &rules, &transcript, &base, prompt.as_ref(), false) {
            Ok(score) => {
                // A newer transcript has a newer score, which waits by itself.
                if store.replace_score(id, transcript.version.number, &score)? {
                    self.runner.announce(&entry.job);
                }
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// The rules that a score was made with.
    fn rules_of(&self, score: &Score) -> Result<Option<Arc<Rules>>, StoreError> {
        let rules = self.runner.tools.in_force.rules();
        let key = card_of(score);
        if (rules.card().id.as_str(), rules.card().version) == (key.id.as_str(), key.version) {
            return Ok(Some(rules));
        }
        let card = self.runner.store.scorecard(&key)?;
        Ok(card.map(|card| Arc::new(Rules::compile(card))))
    }

    /// What the model says of a call by these rules and with these instructions; `base`
    /// is what the rules say. Nothing is kept but what was sent. `urgent`: somebody waits.
    /// Blocks.
    ///
    /// # Errors
    /// As [`judge`].
    pub fn judge(
        &self,
        id: &CallId,
        rules: &Rules,
        transcript: &Transcript,
        base: &Score,
        prompt: Option<&Prompt>,
        urgent: bool,
    ) -> Result<Score, LlmError> {
        let settings = self.desk.settings();
        let mut mask = self.desk.mask(transcript);
        let hidden = mask.count();
        let brief = Brief {
            team: prompt.map_or("", |prompt| &prompt.content),
            context_tokens: settings.context_tokens,
            answer_tokens: settings.answer_tokens,
        };
        let mut ask = |messages: &[Message], shape: &Shape| {
            let request = Request {
                call: id,
                purpose: Purpose::Score,
                messages,
                shape,
                hidden,
                urgent,
            };
            self.desk.ask(request, &|| false, None)
        };
        let mut score = judge(rules, transcript, base, brief, &mut mask, &mut ask)?;
        if let Some(note) = &mut score.model {
            note.model.clone_from(&settings.model);
            note.prompt = prompt.map(PromptRef::from);
        }
        Ok(score)
    }

    /// What follows a failure: the call waits on, or keeps the score of the rules.
    fn failed(&self, id: &CallId, error: LlmError) -> Result<(), StoreError> {
        let store = &self.runner.store;
        let (code, message) = (error.code(), error.to_string());
        let attempts = store
            .pending_judging(id)?
            .map_or(0, |pending| pending.attempts + 1);
        match &error {
            LlmError::Stopped => return Ok(()),
            LlmError::Unusable(_) if attempts < ATTEMPTS => {
                let later = Timestamp::now() + doubled(attempts);
                store.postpone_judging(id, later, code, &message, true)?;
            }
            LlmError::Unusable(_) | LlmError::Refused(_) => {
                tracing::warn!(call = %id, code, message, "the score of the rules stays");
                if let (Some(transcript), Some(score)) = (store.transcript(id)?, store.score(id)?) {
                    let score = kept(score, &self.desk.settings().model, code, &message);
                    store.replace_score(id, transcript.version.number, &score)?;
                }
                store.forget_judging(id)?;
            }
            LlmError::Later { .. }
            | LlmError::Quota(_)
            | LlmError::Denied(_)
            | LlmError::Budget => {
                // The pause holds all back; the call is first again when it ends.
                self.desk.pause(error);
                store.postpone_judging(id, Timestamp::now(), code, &message, false)?;
            }
        }
        if let Some(entry) = store.entry(id)? {
            self.runner.announce(&entry.job);
        }
        Ok(())
    }
}

impl Judges {
    /// Ends them. Blocks for a moment.
    pub fn stop(self) {
        self.judging.desk.stop();
        self.judging.wake.notify_all();
        // A request cannot be called back: one that lasts is left to end with the program,
        // and the call is still in the queue.
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience && !self.threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The score of the rules, with why it is not a model's.
fn kept(mut score: Score, model: &str, code: &str, message: &str) -> Score {
    score.model = Some(ModelNote {
        model: model.to_owned(),
        code: Some(code.to_owned()),
        message: Some(message.to_owned()),
        ..ModelNote::new(ModelState::Failed)
    });
    score
}
