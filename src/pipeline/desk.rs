//! The one way to the language model: within the settings' concurrency and budget,
//! paused for everybody when something is wrong, and written down. Those who ask
//! (judging, questions, summaries) keep queues of their own.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use crate::config::Llm;
use crate::domain::egress::{Egress, Purpose, Spent};
use crate::domain::{CallId, Transcript};
use crate::llm::{Client, Listener, LlmError, Mask, Message, Reply, Shape};
use crate::store::{Store, StoreError};

/// Between two attempts after a failure that may pass; doubled each time up to the last.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// How often a wait looks whether it has become needless.
const LOOK: Duration = Duration::from_millis(200);

/// Why nothing is asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Until when.
    pub until: Timestamp,
    /// What went wrong.
    pub why: LlmError,
}

#[derive(Default)]
struct State {
    stopping: bool,
    paused: Option<Paused>,
    failures: u32,
    /// Requests on their way.
    asking: usize,
    /// Requests of people who wait.
    urgent: usize,
}

/// Asks the language model. One for the program.
pub struct Desk {
    client: Client,
    store: Arc<Store>,
    zone: TimeZone,
    state: Mutex<State>,
    free: Condvar,
}

/// One request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// About which call.
    pub call: &'a CallId,
    /// What for.
    pub purpose: Purpose,
    /// What is said.
    pub messages: &'a [Message],
    /// The form of the answer.
    pub shape: &'a Shape,
    /// Pieces of personal data that were hidden.
    pub hidden: usize,
    /// Somebody waits for the answer: it goes before what works in the background.
    pub urgent: bool,
}

/// A place among the requests at the same time; given back when dropped.
struct Place<'a>(&'a Desk);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().asking -= 1;
        self.0.free.notify_all();
    }
}

impl Desk {
    /// For the server of `client`. A day of the budget begins at midnight in `zone`.
    pub fn new(client: Client, store: Arc<Store>, zone: TimeZone) -> Self {
        Self {
            client,
            store,
            zone,
            state: Mutex::default(),
            free: Condvar::new(),
        }
    }

    /// The settings of the language model.
    pub fn settings(&self) -> &Llm {
        self.client.settings()
    }

    /// Why nothing is asked now; `None`: it may be asked.
    pub fn paused(&self) -> Option<Paused> {
        let now = Timestamp::now();
        let paused = self.lock().paused.clone();
        paused.filter(|paused| paused.until > now)
    }

    /// What was sent and spent since midnight.
    pub fn today(&self) -> Result<Spent, StoreError> {
        self.store.spent_since(self.midnight(Timestamp::now()))
    }

    /// It is asked again at once, whatever went wrong before.
    pub fn resume(&self) {
        self.lock().paused = None;
    }

    /// What was asked came to a good end.
    pub fn succeeded(&self) {
        self.lock().failures = 0;
    }

    /// Nothing is asked for a while.
    pub fn pause(&self, why: LlmError) {
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

    /// The program ends: who waits gives up.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.free.notify_all();
    }

    /// Whether the program ends.
    pub fn stopping(&self) -> bool {
        self.lock().stopping
    }

    /// What hides personal data, as the settings want it; it knows all of the transcript.
    pub fn mask(&self, transcript: &Transcript) -> Mask {
        Mask::over(self.settings().mask, transcript)
    }

    /// Asks: within the budget, and written down whatever comes of it. `given_up` is
    /// looked at while it waits; `listener` hears the answer while it is written.
    pub fn ask(
        &self,
        request: Request<'_>,
        given_up: &dyn Fn() -> bool,
        listener: Option<&mut Listener<'_>>,
    ) -> Result<Reply, LlmError> {
        let stopped = || self.stopping() || given_up();
        let _place = self.place(request.urgent, &stopped)?;
        let settings = self.settings();
        let fault = |error: StoreError| LlmError::Later {
            after: None,
            reason: format!("the ledger cannot be kept: {error}"),
        };
        let now = Timestamp::now();
        if settings.daily_budget > 0.0 {
            let spent = self.store.spent_since(self.midnight(now)).map_err(fault)?;
            if spent.cost >= settings.daily_budget {
                return Err(LlmError::Budget);
            }
        }
        let (messages, shape) = (request.messages, Some(request.shape));
        let answer = match listener {
            Some(listener) => self.client.chat_aloud(messages, shape, &stopped, listener),
            None => self.client.chat(messages, shape, &stopped),
        };
        let usage = answer.as_ref().map(|reply| reply.usage).unwrap_or_default();
        let chars = |message: &Message| message.content.chars().count() as u64;
        let egress = Egress {
            at: now,
            call_id: request.call.clone(),
            host: settings.host().to_owned(),
            model: settings.model.clone(),
            purpose: request.purpose,
            chars: messages.iter().map(chars).sum(),
            hidden: u32::try_from(request.hidden).unwrap_or(u32::MAX),
            outcome: answer
                .as_ref()
                .map_or_else(LlmError::code, |_| "ok")
                .to_owned(),
            input_tokens: usage.input,
            output_tokens: usage.output,
            cost: usage.cost(settings.prices),
        };
        self.store.add_egress(&egress).map_err(fault)?;
        answer
    }

    /// Waits for a place among the requests at the same time.
    fn place(&self, urgent: bool, stopped: &dyn Fn() -> bool) -> Result<Place<'_>, LlmError> {
        let most = self.settings().concurrency;
        self.lock().urgent += usize::from(urgent);
        let taken = loop {
            // Looks at the desk itself.
            if stopped() {
                break Err(LlmError::Stopped);
            }
            let mut state = self.lock();
            if state.asking < most && (urgent || state.urgent == 0) {
                state.asking += 1;
                break Ok(Place(self));
            }
            drop(
                self.free
                    .wait_timeout(state, LOOK)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        };
        self.lock().urgent -= usize::from(urgent);
        taken
    }

    fn midnight(&self, now: Timestamp) -> Timestamp {
        now.to_zoned(self.zone.clone())
            .start_of_day()
            .map_or(now - 24.hours(), |midnight| midnight.timestamp())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after so many failures.
pub(super) fn doubled(times: u32) -> SignedDuration {
    (FIRST_PAUSE * 2_i32.pow(times.min(10))).min(LONGEST_PAUSE)
}
