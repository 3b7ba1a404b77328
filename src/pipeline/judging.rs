//! Has a language model judge what the rules have scored. A call is never held up:
//! its score is that of the rules until the model's is there, and stays it where the
//! model cannot be asked; what waits is in the store and outlives a restart.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use super::Runner;
use super::score::{Brief, Rules, card_of, judge};
use crate::domain::egress::{Egress, Purpose, Spent};
use crate::domain::prompt::{Prompt, PromptRef};
use crate::domain::score::{ModelNote, ModelState, Score};
use crate::domain::{CallId, Transcript};
use crate::llm::{Client, LlmError, Mask, Message, Reply, Shape};
use crate::store::StoreError;

/// How often the queue is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Between two attempts after a failure that may pass; doubled each time up to the last.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// How long a request may still last when the program stops.
const PATIENCE: Duration = Duration::from_secs(3);
/// Answers that cannot be used, until a call keeps the score of the rules.
const ATTEMPTS: u32 = 3;

/// Why nothing is asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Until when.
    pub until: Timestamp,
    /// What went wrong.
    pub why: LlmError,
}

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
    stopping: bool,
    at_work: HashSet<CallId>,
    paused: Option<Paused>,
    failures: u32,
}

/// Judges calls. One for the program.
pub struct Judging {
    runner: Arc<Runner>,
    client: Client,
    zone: TimeZone,
    state: Mutex<State>,
    wake: Condvar,
}

/// The threads that judge.
pub struct Judges {
    judging: Arc<Judging>,
    threads: Vec<JoinHandle<()>>,
}

impl Judging {
    /// Starts as many threads as requests are allowed at once. A day of the budget begins
    /// at midnight in `zone`.
    pub fn start(
        runner: Arc<Runner>,
        client: Client,
        zone: TimeZone,
    ) -> std::io::Result<(Arc<Self>, Judges)> {
        let judging = Arc::new(Self {
            runner,
            client,
            zone,
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let threads = (0..judging.client.settings().concurrency)
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
        let store = &self.runner.store;
        let now = Timestamp::now();
        let paused = self
            .lock()
            .paused
            .clone()
            .filter(|paused| paused.until > now);
        Ok(Standing {
            waiting: store.judging()?,
            paused,
            today: store.spent_since(self.midnight(now))?,
        })
    }

    /// Asks again at once, whatever went wrong before.
    pub fn resume(&self) {
        self.lock().paused = None;
        self.wake.notify_all();
    }

    fn midnight(&self, now: Timestamp) -> Timestamp {
        now.to_zoned(self.zone.clone())
            .start_of_day()
            .map_or(now - 24.hours(), |midnight| midnight.timestamp())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.lock().stopping
    }

    fn work(&self) {
        while let Some(id) = self.next() {
            let judged = std::panic::catch_unwind(AssertUnwindSafe(|| self.call(&id)));
            let kept = match judged {
                Ok(Ok(Ok(()))) => {
                    self.lock().failures = 0;
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
                self.pause(LlmError::Later {
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
            let mut state = self.lock();
            if state.stopping {
                return None;
            }
            let now = Timestamp::now();
            let paused = state
                .paused
                .as_ref()
                .is_some_and(|paused| paused.until > now);
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
        match self.judge(id, &rules, &transcript, &base, prompt.as_ref()) {
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
    /// is what the rules say. Nothing is kept but what was sent. Blocks.
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
    ) -> Result<Score, LlmError> {
        let settings = self.client.settings();
        let mut mask = Mask::over(settings.mask, transcript);
        let hidden = mask.count();
        let brief = Brief {
            team: prompt.map_or("", |prompt| &prompt.content),
            context_tokens: settings.context_tokens,
            answer_tokens: settings.answer_tokens,
        };
        let mut ask = |messages: &[Message], shape: &Shape| {
            self.ask(id, Purpose::Score, messages, shape, hidden)
        };
        let mut score = judge(rules, transcript, base, brief, &mut mask, &mut ask)?;
        if let Some(note) = &mut score.model {
            note.model.clone_from(&settings.model);
            note.prompt = prompt.map(PromptRef::from);
        }
        Ok(score)
    }

    /// One request: within the budget, and written down whatever comes of it.
    fn ask(
        &self,
        id: &CallId,
        purpose: Purpose,
        messages: &[Message],
        shape: &Shape,
        hidden: usize,
    ) -> Result<Reply, LlmError> {
        let settings = self.client.settings();
        let store = &self.runner.store;
        let fault = |error: StoreError| LlmError::Later {
            after: None,
            reason: format!("the ledger cannot be kept: {error}"),
        };
        let now = Timestamp::now();
        if settings.daily_budget > 0.0 {
            let spent = store.spent_since(self.midnight(now)).map_err(fault)?;
            if spent.cost >= settings.daily_budget {
                return Err(LlmError::Budget);
            }
        }
        let answer = self.client.chat(messages, Some(shape), &|| self.stopping());
        let usage = answer.as_ref().map(|reply| reply.usage).unwrap_or_default();
        let egress = Egress {
            at: now,
            call_id: id.clone(),
            host: settings.host().to_owned(),
            model: settings.model.clone(),
            purpose,
            chars: messages
                .iter()
                .map(|m| m.content.chars().count() as u64)
                .sum(),
            hidden: u32::try_from(hidden).unwrap_or(u32::MAX),
            outcome: answer
                .as_ref()
                .map_or_else(LlmError::code, |_| "ok")
                .to_owned(),
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost: usage.cost(settings.prices),
        };
        store.add_egress(&egress).map_err(fault)?;
        answer
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
                    let score = kept(score, &self.client.settings().model, code, &message);
                    store.replace_score(id, transcript.version.number, &score)?;
                }
                store.forget_judging(id)?;
            }
            LlmError::Later { .. }
            | LlmError::Quota(_)
            | LlmError::Denied(_)
            | LlmError::Budget => {
                // The pause holds all back; the call is first again when it ends.
                self.pause(error);
                store.postpone_judging(id, Timestamp::now(), code, &message, false)?;
            }
        }
        if let Some(entry) = store.entry(id)? {
            self.runner.announce(&entry.job);
        }
        Ok(())
    }

    /// Nothing is asked for a while.
    fn pause(&self, why: LlmError) {
        let now = Timestamp::now();
        let mut state = self.lock();
        let length = match &why {
            LlmError::Later { after, .. } => {
                let asked = after.and_then(|after| SignedDuration::try_from(after).ok());
                asked.unwrap_or_default().max(doubled(state.failures))
            }
            LlmError::Budget => {
                let tomorrow = self.midnight(now) + SignedDuration::from_hours(24);
                tomorrow.duration_since(now)
            }
            _ => LONGEST_PAUSE,
        };
        state.failures = state.failures.saturating_add(1);
        let until = now + length.max(FIRST_PAUSE);
        tracing::error!(code = why.code(), %why, %until, "the language model is not asked for a while");
        state.paused = Some(Paused { until, why });
    }
}

impl Judges {
    /// Ends them. Blocks for a moment.
    pub fn stop(self) {
        self.judging.lock().stopping = true;
        self.judging.wake.notify_all();
        // A request cannot be called back: one that lasts is left to end with the program,
        // and the call is still in the queue.
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience && !self.threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn doubled(times: u32) -> SignedDuration {
    (FIRST_PAUSE * 2_i32.pow(times.min(10))).min(LONGEST_PAUSE)
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
