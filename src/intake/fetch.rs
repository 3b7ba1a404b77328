//! What is to be fetched from outside systems is fetched here: a thread a lane
//! takes one errand of the durable queue after the other. An errand leaves the
//! queue when its recording is in the store, or when it can never be had.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::outside::Outside;
use super::web::Fault;
use crate::domain::notice::Errand;
use crate::store::{Next, Stopped, StoreError, Waiting};

/// A recording that does not come within this is given up.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);
/// Longest time between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(3600);
/// So many attempts at a recording that is not there follow each other without doubling.
const PROMPT: u32 = 4;
/// MANGO locks the key after a second invalid request in two minutes.
const AFTER_REFUSAL: Duration = Duration::from_secs(125);
/// Between two looks at statistics that are not ready.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// The threads look at least this often whether they shall end.
const NAP: Duration = Duration::from_secs(30);
/// Given to the threads to end.
const GRACE: Duration = Duration::from_secs(2);

/// What became of an attempt.
pub(super) enum Outcome {
    /// The errand has ended.
    Ended,
    /// It goes on, as another one (a next page, a key) or the same, after this.
    GoesOn(Errand, Duration),
}

/// Wakes the threads, and ends them.
#[derive(Default)]
pub(super) struct Signal {
    stop: AtomicBool,
    changed: Mutex<u64>,
    wake: Condvar,
}

impl Signal {
    /// Something was put into the queue.
    pub(super) fn wake(&self) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        *changed += 1;
        self.wake.notify_all();
    }

    fn seen(&self) -> u64 {
        *self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changes after `seen`, at most for `time`.
    fn sleep(&self, seen: u64, time: Duration) {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |changed: &mut u64| *changed == seen && !self.stopping();
        drop(self.wake.wait_timeout_while(changed, time.min(NAP), waits));
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The running threads.
pub struct Fetching {
    outside: Arc<Outside>,
    threads: Vec<JoinHandle<()>>,
}

impl Fetching {
    /// Starts a thread for each lane that is configured.
    pub fn start(outside: &Arc<Outside>) -> std::io::Result<Self> {
        let mut threads = Vec::new();
        for lane in outside.lanes() {
            let outside = Arc::clone(outside);
            let thread = std::thread::Builder::new()
                .name(lane.clone())
                .spawn(move || run(&outside, &lane))?;
            threads.push(thread);
        }
        Ok(Self {
            outside: Arc::clone(outside),
            threads,
        })
    }

    /// Ends the threads. One that waits for an answer from outside is not waited
    /// for: its errand stays in the queue.
    pub fn stop(self) {
        self.outside.signal().stop.store(true, Ordering::Relaxed);
        self.outside.signal().wake();
        let end = Instant::now() + GRACE;
        for thread in self.threads {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a thread that fetches recordings panicked");
            }
        }
    }
}

fn run(outside: &Outside, lane: &str) {
    let signal = outside.signal();
    // Faults of the connection one after the other.
    let mut faults = 0u32;
    while !signal.stopping() {
        let seen = signal.seen();
        match step(outside, lane, &mut faults) {
            Ok(None) => {}
            Ok(Some(wait)) => signal.sleep(seen, wait),
            Err(error) => {
                tracing::error!(lane, %error, "the queue of recordings to fetch cannot be used");
                signal.sleep(seen, Duration::from_secs(5));
            }
        }
    }
}

/// One look at the queue; returns how long to wait before the next.
fn step(outside: &Outside, lane: &str, faults: &mut u32) -> Result<Option<Duration>, StoreError> {
    let now = Timestamp::now();
    if let Some(wait) = outside.closed(lane)? {
        return Ok(Some(wait));
    }
    let waiting = match outside.store().next_errand(lane, now)? {
        Next::Idle => return Ok(Some(NAP)),
        Next::WaitUntil(at) => return Ok(Some(until(at, now))),
        Next::Errand(waiting) => *waiting,
    };
    let key = waiting.errand.key();
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        outside.attempt(&waiting.errand)
    }))
    .unwrap_or_else(|_| Err(Fault::later("an internal fault")));
    let now = Timestamp::now();
    match attempt {
        Ok(Outcome::Ended) => {
            *faults = 0;
            tracing::debug!(errand = key, "done");
        }
        Ok(Outcome::GoesOn(errand, after)) => {
            *faults = 0;
            outside.store().keep_errand(&Waiting {
                errand,
                not_before: add(now, after),
                last_error: None,
                ..waiting
            })?;
        }
        Err(fault) => return after_fault(outside, lane, waiting, &fault, faults).map(Some),
    }
    Ok(None)
}

fn after_fault(
    outside: &Outside,
    lane: &str,
    waiting: Waiting,
    fault: &Fault,
    faults: &mut u32,
) -> Result<Duration, StoreError> {
    let now = Timestamp::now();
    let reason = fault.to_string();
    let key = waiting.errand.key();
    let mut kept = Waiting {
        attempts: waiting.attempts + 1,
        last_error: Some(reason.clone()),
        ..waiting
    };
    let age = now.duration_since(kept.created_at);
    let too_old = Duration::try_from(age).is_ok_and(|age| age > PATIENCE);
    let retry = outside.retry(lane);
    let mut wait = Duration::ZERO;
    match fault {
        Fault::Later { after, .. } => {
            *faults = faults.saturating_add(1);
            let own = doubled(Duration::from_secs(5).min(retry), kept.attempts);
            kept.not_before = add(now, after.map_or(own, |after| after.max(own)));
            kept.failed = too_old;
            // The whole lane pauses: what ails one request ails the next.
            wait = after.unwrap_or(
                doubled(Duration::from_millis(500), *faults).min(Duration::from_secs(60)),
            );
            if after.is_some() {
                outside.store().change_product(lane, |product| {
                    product.paused_until = Some(add(now, wait));
                })?;
            }
        }
        Fault::NotReady(_) => {
            *faults = 0;
            // Every minute at first, then ever more seldom.
            kept.not_before = add(now, doubled(retry, kept.attempts.saturating_sub(PROMPT)));
            kept.failed = too_old;
        }
        // What broke off on the way may look like a damaged file.
        Fault::Unusable(_) => {
            kept.not_before = add(now, doubled(retry, kept.attempts));
            kept.failed = kept.attempts >= PROMPT;
        }
        Fault::Refused(_) => kept.failed = true,
        // The errand waits; it is the key that is wrong.
        Fault::Locked(_) => kept.attempts -= 1,
    }
    if kept.failed {
        tracing::warn!(errand = key, reason, "given up");
    } else {
        tracing::info!(
            errand = key,
            reason,
            attempts = kept.attempts,
            "tried again later"
        );
    }
    // The pause is written first: after a crash the same request is not made at once.
    outside.note_fault(lane, fault)?;
    outside.store().keep_errand(&kept)?;
    Ok(wait)
}

/// `base`, doubled with each attempt after the first.
fn doubled(base: Duration, attempts: u32) -> Duration {
    base.saturating_mul(1 << attempts.saturating_sub(1).min(12))
        .min(MAX_BACKOFF)
}

fn add(at: Timestamp, time: Duration) -> Timestamp {
    at.checked_add(time).unwrap_or(at)
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default() + Duration::from_millis(1)
}

impl Outside {
    /// How long nothing may be asked in a lane; `None`: now it may.
    pub(super) fn closed(&self, lane: &str) -> Result<Option<Duration>, StoreError> {
        let product = self.store().product(lane)?;
        if let Some(stopped) = &product.stopped {
            if stopped.key_mark == self.key_mark(lane) {
                return Ok(Some(NAP));
            }
            // Another key was configured.
            self.store()
                .change_product(lane, |product| product.stopped = None)?;
        }
        let now = Timestamp::now();
        Ok(product
            .paused_until
            .filter(|pause| *pause > now)
            .map(|pause| until(pause, now)))
    }

    /// Writes down what a fault means for the whole lane.
    pub(super) fn note_fault(&self, lane: &str, fault: &Fault) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let reason = fault.to_string();
        let mark = self.key_mark(lane);
        self.store().change_product(lane, |product| {
            product.last_error = Some((now, reason.clone()));
            match fault {
                Fault::Locked(_) => {
                    tracing::error!(lane, reason, "the key is refused: nothing is asked any more until it is another one or somebody resumes it in the settings");
                    product.stopped = Some(Stopped { at: now, reason, key_mark: mark });
                }
                Fault::Refused(_) if lane == crate::domain::notice::MANGO_LANE => {
                    product.paused_until = Some(add(now, AFTER_REFUSAL));
                }
                Fault::Refused(_) | Fault::Unusable(_) | Fault::Later { .. } | Fault::NotReady(_) => {}
            }
        })
    }
}
