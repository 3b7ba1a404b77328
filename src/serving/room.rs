//! How many connections there are, in all and from one address. Where there is no
//! room, whoever waits longest without a request makes it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{Http, Network};
use crate::domain::network::subscriber;

/// The connections that there are.
pub struct Room {
    most: usize,
    most_each: usize,
    exempt: Vec<Network>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    places: HashMap<u64, (IpAddr, Arc<Activity>)>,
    counts: HashMap<IpAddr, usize>,
}

impl Inner {
    fn remove(&mut self, id: u64) {
        let Some((address, _)) = self.places.remove(&id) else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&address);
            }
        }
    }

    /// Cuts the connection that is idle longest among those of `address`, or of all.
    fn make_room(&mut self, address: Option<IpAddr>) -> bool {
        let longest = self
            .places
            .iter()
            .filter(|(_, (from, _))| address.is_none_or(|address| address == *from))
            .filter_map(|(id, (_, activity))| Some((activity.idle_since()?, *id)))
            .min();
        let Some((_, id)) = longest else {
            return false;
        };
        if let Some((_, activity)) = self.places.get(&id) {
            activity.cut.cancel();
        }
        self.remove(id);
        true
    }
}

/// What a connection does.
pub(super) struct Activity {
    requests: AtomicUsize,
    state: Mutex<State>,
    changed: Notify,
    /// Cancelled when the connection must make room.
    pub(super) cut: CancellationToken,
}

struct State {
    since: Instant,
    served: bool,
}

impl Activity {
    fn new() -> Self {
        Self {
            requests: AtomicUsize::new(0),
            state: Mutex::new(State {
                since: Instant::now(),
                served: false,
            }),
            changed: Notify::new(),
            cut: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_since(&self) -> Option<Instant> {
        (self.requests.load(Ordering::Acquire) == 0).then(|| self.state().since)
    }

    /// A request begins; it ends when the value is dropped.
    pub(super) fn request(self: &Arc<Self>) -> Request {
        self.requests.fetch_add(1, Ordering::AcqRel);
        Request(Some(Arc::clone(self)))
    }

    /// Resolves when there was no request for as long as the settings allow.
    pub(super) async fn idle(&self, settings: &Http) {
        loop {
            let changed = self.changed.notified();
            let Some(since) = self.idle_since() else {
                changed.await;
                continue;
            };
            let limit = if self.state().served {
                settings.idle_timeout
            } else {
                settings.header_timeout
            };
            let end = since + limit;
            if Instant::now() >= end {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(end) => {}
                () = changed => {}
            }
        }
    }
}

/// A request that is being answered.
pub(super) struct Request(Option<Arc<Activity>>);

impl Request {
    /// It became something that lasts as long as the connection, which is never idle again.
    pub(super) fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let Some(activity) = self.0.take() else {
            return;
        };
        {
            let mut state = activity.state();
            state.since = Instant::now();
            state.served = true;
        }
        activity.requests.fetch_sub(1, Ordering::AcqRel);
        activity.changed.notify_one();
    }
}

/// A connection's place; given back when dropped.
pub(super) struct Place {
    room: Arc<Room>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.inner().remove(self.id);
    }
}

impl Room {
    /// As large as the settings say.
    pub fn new(settings: &Http) -> Arc<Self> {
        Arc::new(Self {
            most: settings.max_connections,
            most_each: settings.max_connections_per_address,
            exempt: settings.trusted_proxies.clone(),
            inner: Mutex::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`; `None` where there is no room.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let exempt = self.exempt.iter().any(|network| network.contains(address));
        let address = subscriber(address);
        let mut inner = self.inner();
        let count = inner.counts.get(&address).copied().unwrap_or(0);
        if !exempt && count >= self.most_each && !inner.make_room(Some(address)) {
            return None;
        }
        if inner.places.len() >= self.most && !inner.make_room(None) {
            return None;
        }
        let id = inner.next;
        inner.next += 1;
        let activity = Arc::new(Activity::new());
        inner.places.insert(id, (address, Arc::clone(&activity)));
        *inner.counts.entry(address).or_default() += 1;
        drop(inner);
        Some(Place {
            room: Arc::clone(self),
            id,
            activity,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(most: usize, most_each: usize) -> Http {
        Http {
            trusted_proxies: vec!["10.0.0.1".parse().expect("a network")],
            proxy_header: crate::config::ProxyHeader::XForwardedFor,
            base_path: String::new(),
            max_connections: most,
            max_connections_per_address: most_each,
            header_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(60),
            min_bytes_per_s: 256,
            max_body_bytes: 1,
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[tokio::test(start_paused = true)]
    async fn the_idle_make_room_for_the_next_and_the_busy_do_not() {
        let room = Room::new(&settings(100, 2));
        let first = room.enter(address("192.0.2.1")).expect("room");
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = room.enter(address("192.0.2.1")).expect("room");
        let busy = first.activity.request();
        let third = room.enter(address("192.0.2.1")).expect("room");
        assert!(!first.activity.cut.is_cancelled());
        assert!(second.activity.cut.is_cancelled());
        let also_busy = third.activity.request();
        assert!(room.enter(address("192.0.2.1")).is_none());
        assert!(room.enter(address("192.0.2.2")).is_some());
        drop((busy, also_busy));
        assert!(room.enter(address("192.0.2.1")).is_some());
        drop((first, second, third));
        assert!(room.inner().places.is_empty());
        assert!(room.inner().counts.is_empty());
    }

    #[tokio::test]
    async fn one_sender_is_a_network_of_ipv6_and_a_proxy_is_none() {
        let room = Room::new(&settings(100, 1));
        let held = room.enter(address("2001:db8::1")).expect("room");
        let _busy = held.activity.request();
        assert!(room.enter(address("2001:db8::2")).is_none());
        assert!(room.enter(address("2001:db8:0:1::2")).is_some());
        let proxied: Vec<_> = (0..5).map(|_| room.enter(address("10.0.0.1"))).collect();
        assert!(proxied.iter().all(Option::is_some));
    }

    #[tokio::test]
    async fn all_together_are_bounded() {
        let room = Room::new(&settings(2, 2));
        let one = room.enter(address("192.0.2.1")).expect("room");
        let two = room.enter(address("192.0.2.2")).expect("room");
        let _busy = (one.activity.request(), two.activity.request());
        assert!(room.enter(address("192.0.2.3")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_from_its_begin_and_from_its_last_request() {
        let settings = settings(1, 1);
        let room = Room::new(&settings);
        let place = room.enter(address("192.0.2.1")).expect("room");
        let begun = Instant::now();
        place.activity.idle(&settings).await;
        assert_eq!(begun.elapsed().as_secs(), 20);
        let request = place.activity.request();
        let wait = tokio::time::timeout(Duration::from_secs(9999), place.activity.idle(&settings));
        assert!(wait.await.is_err(), "it is not idle while it is answered");
        drop(request);
        let begun = Instant::now();
        place.activity.idle(&settings).await;
        assert_eq!(begun.elapsed().as_secs(), 75);
    }
}
