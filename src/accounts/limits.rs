//! How often something may be tried: sign-ins by account and by address with a growing
//! delay, requests a minute by key, WebSockets by account. In memory; a restart forgets.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::network::subscriber;

/// Wrong passwords of one account before the delay begins.
const FREE_BY_ACCOUNT: u32 = 5;
/// Wrong passwords from one address before the delay begins.
const FREE_BY_ADDRESS: u32 = 10;
/// Longest delay for an account.
const LONGEST_BY_ACCOUNT: Duration = Duration::from_secs(15 * 60);
/// Longest delay for an address.
const LONGEST_BY_ADDRESS: Duration = Duration::from_secs(60 * 60);
/// Failures are forgotten after so much quiet.
const FORGOTTEN: Duration = Duration::from_secs(6 * 60 * 60);
/// Counters kept at most, of each kind; those that were quiet longest go first.
const MOST_COUNTERS: usize = 20_000;

#[derive(Clone, Copy)]
struct Counter {
    failures: u32,
    last: Instant,
}

impl Counter {
    /// Waiting time that is left.
    fn left(&self, free: u32, longest: Duration, now: Instant) -> Option<Duration> {
        let over = self.failures.checked_sub(free)?;
        let delay = Duration::from_secs(1u64 << over.min(30)).min(longest);
        (self.last + delay)
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }
}

struct Counters<K>(HashMap<K, Counter>);

impl<K: Eq + Hash + Clone> Counters<K> {
    fn left(&self, key: &K, free: u32, longest: Duration, now: Instant) -> Option<Duration> {
        self.0.get(key)?.left(free, longest, now)
    }

    fn count(&mut self, key: K, now: Instant) {
        if self.0.len() >= MOST_COUNTERS && !self.0.contains_key(&key) {
            self.0
                .retain(|_, counter| now.duration_since(counter.last) < FORGOTTEN);
            if self.0.len() >= MOST_COUNTERS {
                let mut times: Vec<Instant> = self.0.values().map(|counter| counter.last).collect();
                let middle = times.len() / 2;
                let (_, median, _) = times.select_nth_unstable(middle);
                let median = *median;
                self.0.retain(|_, counter| counter.last > median);
            }
        }
        let counter = self.0.entry(key).or_insert(Counter {
            failures: 0,
            last: now,
        });
        if now.duration_since(counter.last) >= FORGOTTEN {
            counter.failures = 0;
        }
        counter.failures = counter.failures.saturating_add(1);
        counter.last = now;
    }
}

struct SignIns {
    /// By account and, where somebody signed in to it from there lately, address: whoever
    /// guesses from elsewhere does not lock the owner out.
    accounts: Counters<(String, Option<IpAddr>)>,
    addresses: Counters<IpAddr>,
}

/// Lets sign-ins through, ever more slowly where they fail.
pub struct SignInLimits(Mutex<SignIns>);

/// A sign-in that is tried. It counts as failed until it is said to be right, so that many
/// at once are not judged by the same count.
pub struct Attempt<'a> {
    limits: &'a SignInLimits,
    account: (String, Option<IpAddr>),
    address: IpAddr,
}

impl Default for SignInLimits {
    fn default() -> Self {
        Self(Mutex::new(SignIns {
            accounts: Counters(HashMap::new()),
            addresses: Counters(HashMap::new()),
        }))
    }
}

impl SignInLimits {
    /// Lets an attempt through, or says how long to wait. `known`: somebody signed in to the
    /// account from this address lately.
    pub fn attempt(
        &self,
        account: &str,
        address: IpAddr,
        known: bool,
        now: Instant,
    ) -> Result<Attempt<'_>, Duration> {
        let address = subscriber(address);
        // No account has a longer name, and what is sent here is kept.
        let name: String = account.chars().take(64).collect();
        let account = (name.to_lowercase(), known.then_some(address));
        let mut inner = self.lock();
        let by_account = inner
            .accounts
            .left(&account, FREE_BY_ACCOUNT, LONGEST_BY_ACCOUNT, now);
        let by_address = inner
            .addresses
            .left(&address, FREE_BY_ADDRESS, LONGEST_BY_ADDRESS, now);
        if let Some(left) = by_account.max(by_address) {
            return Err(left);
        }
        inner.accounts.count(account.clone(), now);
        inner.addresses.count(address, now);
        drop(inner);
        Ok(Attempt {
            limits: self,
            account,
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, SignIns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The password was right: the account begins anew. What the address guessed at other
    /// accounts stays, less this attempt.
    pub fn succeeded(self) {
        let mut inner = self.limits.lock();
        inner.accounts.0.remove(&self.account);
        if let Some(counter) = inner.addresses.0.get_mut(&self.address) {
            counter.failures = counter.failures.saturating_sub(1);
        }
    }
}

/// Requests a minute by key: a bucket of so many that fills evenly.
#[derive(Default)]
pub struct KeyLimits(Mutex<HashMap<String, (f64, Instant)>>);

impl KeyLimits {
    /// Takes one of `per_minute`, or says how long until there is one.
    pub fn take(&self, key: &str, per_minute: u32, now: Instant) -> Result<(), Duration> {
        let most = f64::from(per_minute.max(1));
        let a_second = most / 60.0;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full bucket says nothing; keys that are gone leave no trace.
        if buckets.len() > 1000 {
            buckets.retain(|_, (_, last)| now.duration_since(*last) < Duration::from_secs(60));
        }
        let (left, last) = buckets.entry(key.to_owned()).or_insert((most, now));
        *left = (*left + now.duration_since(*last).as_secs_f64() * a_second).min(most);
        *last = now;
        if *left >= 1.0 {
            *left -= 1.0;
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - *left) / a_second))
        }
    }
}

/// Things an account holds open at the same time.
#[derive(Default, Clone)]
pub struct OpenLimits(Arc<Mutex<HashMap<String, usize>>>);

/// One of them; dropping it makes room.
pub struct Open {
    limits: OpenLimits,
    account: String,
}

impl OpenLimits {
    /// One more, unless the account holds `most` already.
    pub fn open(&self, account: &str, most: usize) -> Option<Open> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(account.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Open {
            limits: self.clone(),
            account: account.to_owned(),
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut held = self.limits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn elsewhere(n: u32) -> IpAddr {
        IpAddr::V4((0xc633_6400 + n).into())
    }

    #[test]
    fn the_delay_of_an_account_grows() {
        let limits = SignInLimits::default();
        let start = Instant::now();
        let mut now = start;
        let mut waits = Vec::new();
        for n in 0..20 {
            // Every time from another address, so that only the account counts.
            let address = elsewhere(n);
            if let Err(wait) = limits.attempt("olga", address, false, now).map(drop) {
                waits.push(wait.as_secs());
                now += wait;
                assert!(limits.attempt("OLGA", address, false, now).is_ok());
            }
        }
        assert_eq!(
            waits,
            [
                1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900
            ]
        );
        assert!(
            limits.attempt("olga", HOME, true, now).is_ok(),
            "the owner's own address is not locked out"
        );
        assert!(limits.attempt("anna", HOME, false, now).is_ok());
    }

    #[test]
    fn an_address_cannot_try_all_accounts() {
        let limits = SignInLimits::default();
        let now = Instant::now();
        for n in 0..FREE_BY_ADDRESS {
            let account = format!("user{n}");
            assert!(limits.attempt(&account, HOME, false, now).is_ok());
        }
        let wait = limits.attempt("another", HOME, false, now).map(drop);
        assert_eq!(wait, Err(Duration::from_secs(1)));
        let later = now + FORGOTTEN;
        assert!(limits.attempt("another", HOME, false, later).is_ok());
        assert!(
            limits.attempt("another", HOME, false, later).is_ok(),
            "quiet forgets"
        );
    }

    #[test]
    fn a_right_password_begins_anew() {
        let limits = SignInLimits::default();
        let now = Instant::now();
        for _ in 0..1000 {
            let attempt = limits.attempt("olga", HOME, true, now).ok();
            attempt.expect("let through").succeeded();
        }
        for _ in 0..FREE_BY_ACCOUNT {
            assert!(limits.attempt("olga", HOME, true, now).is_ok());
        }
        assert!(limits.attempt("olga", HOME, true, now).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let limits = SignInLimits::default();
        let now = Instant::now();
        for n in 0..u32::try_from(3 * MOST_COUNTERS).expect("fits") {
            let later = now + Duration::from_micros(u64::from(n));
            let _ = limits.attempt(&format!("u{n}"), elsewhere(n), false, later);
        }
        let inner = limits.lock();
        assert!(inner.accounts.0.len() <= MOST_COUNTERS);
        assert!(inner.addresses.0.len() <= MOST_COUNTERS);
        drop(inner);
    }

    #[test]
    fn requests_a_minute() {
        let limits = KeyLimits::default();
        let now = Instant::now();
        for _ in 0..60 {
            assert_eq!(limits.take("k", 60, now), Ok(()));
        }
        assert_eq!(limits.take("k", 60, now), Err(Duration::from_secs(1)));
        assert_eq!(limits.take("other", 60, now), Ok(()));
        let later = now + Duration::from_secs(2);
        assert_eq!(limits.take("k", 60, later), Ok(()));
        assert_eq!(limits.take("k", 60, later), Ok(()));
        assert!(limits.take("k", 60, later).is_err());
    }

    #[test]
    fn what_is_closed_makes_room() {
        let limits = OpenLimits::default();
        let first = limits.open("olga", 2);
        let second = limits.open("olga", 2);
        assert!(first.is_some() && second.is_some());
        assert!(limits.open("olga", 2).is_none());
        assert!(limits.open("anna", 2).is_some());
        drop(first);
        assert!(limits.open("olga", 2).is_some());
    }
}
