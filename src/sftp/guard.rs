//! Who may connect, how many at once, and for how long: limits on connections,
//! on waiting without signing in or without a word, and on guessing passwords.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::network::subscriber;

/// The limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// Signed-in connections in all.
    pub(super) connections: usize,
    /// Signed-in connections from one address.
    pub(super) connections_per_address: usize,
    /// Connections that have not signed in.
    pub(super) strangers: usize,
    /// Time to sign in.
    pub(super) login: Duration,
    /// Time without a request.
    pub(super) idle: Duration,
    /// Wrong passwords from an address after which it is banned.
    pub(super) ban_after: u32,
    /// How long it is banned.
    pub(super) ban: Duration,
}

/// Delay after the first wrong password; doubled by each further one.
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// Passwords verified at the same time: each takes 19 MiB and tens of milliseconds.
const VERIFIED_AT_ONCE: u32 = 2;
/// Most addresses that failures are remembered of.
const MOST_OFFENDERS: usize = 10_000;

/// Why a connection was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Banned,
    Stopping,
}

/// Keeps the limits.
pub(super) struct Guard {
    limits: Limits,
    state: Mutex<State>,
    /// Told when a connection ends, a password was verified, and at stop.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    next: u64,
    connections: HashMap<u64, Connection>,
    offenders: HashMap<IpAddr, Offender>,
    verifying: u32,
}

struct Connection {
    address: IpAddr,
    socket: TcpStream,
    since: Instant,
    user: Option<String>,
    /// Milliseconds after `since` at which it last gave a sign of life.
    active_ms: Arc<AtomicU64>,
    /// At work on a request: a long one is not idleness.
    closed: Arc<AtomicBool>,
}

struct Offender {
    failures: u32,
    last: Instant,
    banned_until: Option<Instant>,
}

impl Guard {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection. Where too many wait without signing in, the oldest of
    /// the address that has the most of them makes room: whoever only holds
    /// connections open keeps nobody out.
    pub(super) fn admit(
        self: &Arc<Self>,
        socket: &TcpStream,
        address: IpAddr,
    ) -> std::io::Result<Result<Slot, Refusal>> {
        let address = subscriber(address);
        let socket = socket.try_clone()?;
        let mut state = self.state();
        if state.stopping {
            return Ok(Err(Refusal::Stopping));
        }
        if state.is_banned(address) {
            return Ok(Err(Refusal::Banned));
        }
        let waiting = state.connections.values().filter(|one| one.is_stranger());
        if waiting.count() >= self.limits.strangers {
            state.drop_a_stranger();
        }
        state.next += 1;
        let id = state.next;
        let since = Instant::now();
        let (active_ms, closed) = (Arc::default(), Arc::default());
        let connection = Connection {
            address,
            socket,
            since,
            user: None,
            active_ms: Arc::clone(&active_ms),
            closed: Arc::clone(&closed),
        };
        state.connections.insert(id, connection);
        Ok(Ok(Slot {
            guard: Arc::clone(self),
            id,
            address,
            since,
            active_ms,
            closed,
        }))
    }

    /// Ends what has waited too long. Called once a second or so.
    pub(super) fn sweep(&self) {
        let mut state = self.state();
        let now = Instant::now();
        for one in state.connections.values() {
            let (limit, from) = match one.user {
                None => (self.limits.login, one.since),
                Some(_) => {
                    let active = Duration::from_millis(one.active_ms.load(Ordering::Relaxed));
                    (self.limits.idle, one.since + active)
                }
            };
            if now.saturating_duration_since(from) > limit {
                one.close();
            }
        }
        let forget = self.limits.ban.max(Duration::from_secs(600));
        state.offenders.retain(|_, offender| {
            offender.banned_until.is_some_and(|until| until > now)
                || now.saturating_duration_since(offender.last) < forget
        });
    }

    /// Ends the connections of a sender.
    pub(super) fn end_user(&self, user: &str) {
        for one in self.state().connections.values() {
            if one.user.as_deref() == Some(user) {
                one.close();
            }
        }
    }

    /// Ends all connections and takes no more; waits for their threads.
    pub(super) fn stop(&self, patience: Duration) {
        let mut state = self.state();
        state.stopping = true;
        self.changed.notify_all();
        let end = Instant::now() + patience;
        while !state.connections.is_empty() {
            for one in state.connections.values() {
                one.close();
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!(
                    left = state.connections.len(),
                    "SFTP connections did not end"
                );
                return;
            }
            let step = left.min(Duration::from_millis(200));
            state = self
                .changed
                .wait_timeout(state, step)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Connections that are signed in, and those that are not.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        let strangers = state
            .connections
            .values()
            .filter(|one| one.is_stranger())
            .count();
        (state.connections.len() - strangers, strangers)
    }

    /// Waits for `delay`, or until the server stops.
    fn pause(&self, delay: Duration) {
        let end = Instant::now() + delay;
        let mut state = self.state();
        while !state.stopping {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl State {
    fn is_banned(&self, address: IpAddr) -> bool {
        self.offenders
            .get(&address)
            .and_then(|offender| offender.banned_until)
            .is_some_and(|until| until > Instant::now())
    }

    fn drop_a_stranger(&mut self) {
        let mut held: HashMap<IpAddr, usize> = HashMap::new();
        let strangers = || self.connections.iter().filter(|(_, one)| one.is_stranger());
        for (_, one) in strangers() {
            *held.entry(one.address).or_default() += 1;
        }
        let oldest = strangers()
            .max_by_key(|(id, one)| (held[&one.address], std::cmp::Reverse(**id)))
            .map(|(id, _)| *id);
        if let Some(one) = oldest.and_then(|id| self.connections.get(&id)) {
            one.close();
        }
    }
}

impl Connection {
    fn is_stranger(&self) -> bool {
        self.user.is_none() && !self.closed.load(Ordering::Relaxed)
    }

    /// Shuts the socket down; its thread notices and ends.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The place of one connection; given back when dropped.
pub(super) struct Slot {
    guard: Arc<Guard>,
    id: u64,
    address: IpAddr,
    since: Instant,
    active_ms: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.guard.state().connections.remove(&self.id);
        self.guard.changed.notify_all();
    }
}

impl Slot {
    /// A sign of life.
    pub(super) fn active(&self) {
        let active = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.active_ms.store(active, Ordering::Relaxed);
    }

    /// True when the server ended the connection.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The client is who it says. `false`: there are too many connections.
    pub(super) fn signed_in(&self, user: &str) -> bool {
        let limits = &self.guard.limits;
        let mut state = self.guard.state();
        state.offenders.remove(&self.address);
        let signed_in = || state.connections.values().filter(|one| one.user.is_some());
        let here = signed_in()
            .filter(|one| one.address == self.address)
            .count();
        if signed_in().count() >= limits.connections || here >= limits.connections_per_address {
            return false;
        }
        self.active();
        if let Some(one) = state.connections.get_mut(&self.id) {
            one.user = Some(user.to_owned());
        }
        true
    }

    /// Verifies a password, not too many at once.
    pub(super) fn verify<T>(&self, verify: impl FnOnce() -> T) -> T {
        let mut state = self.guard.state();
        while state.verifying >= VERIFIED_AT_ONCE {
            state = self
                .guard
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.verifying += 1;
        drop(state);
        let verified = verify();
        self.guard.state().verifying -= 1;
        self.guard.changed.notify_all();
        verified
    }

    /// A wrong password: waits, longer each time, and bans the address after
    /// too many. `false` when the connection shall end.
    pub(super) fn wrong_password(&self) -> bool {
        let limits = &self.guard.limits;
        let mut state = self.guard.state();
        let now = Instant::now();
        if state.offenders.len() >= MOST_OFFENDERS && !state.offenders.contains_key(&self.address) {
            let oldest = state.offenders.iter().min_by_key(|(_, one)| one.last);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                state.offenders.remove(&oldest);
            }
        }
        let offender = state.offenders.entry(self.address).or_insert(Offender {
            failures: 0,
            last: now,
            banned_until: None,
        });
        offender.failures += 1;
        offender.last = now;
        let doubled = offender.failures.saturating_sub(1).min(10);
        let delay = (FIRST_DELAY * 2u32.pow(doubled)).min(LONGEST_DELAY);
        if offender.failures >= limits.ban_after {
            offender.failures = 0;
            offender.banned_until = Some(now + limits.ban);
            tracing::warn!(address = %self.address, seconds = limits.ban.as_secs(), "banned after wrong SFTP passwords");
            for one in state.connections.values() {
                if one.address == self.address && one.user.is_none() {
                    one.close();
                }
            }
            return false;
        }
        drop(state);
        self.guard.pause(delay);
        !self.is_closed()
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
