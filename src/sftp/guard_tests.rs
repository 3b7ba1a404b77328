//! Tests of the limits.

use std::net::{Ipv4Addr, TcpListener};

use super::*;

fn limits() -> Limits {
    Limits {
        connections: 3,
        connections_per_address: 2,
        strangers: 4,
        login: Duration::from_secs(30),
        idle: Duration::from_secs(30),
        ban_after: 3,
        ban: Duration::from_secs(60),
    }
}

struct Door {
    listener: TcpListener,
    guard: Arc<Guard>,
}

impl Door {
    fn new(limits: Limits) -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").expect("bound"),
            guard: Arc::new(Guard::new(limits)),
        }
    }

    fn knock(&self, last: u8) -> Result<Slot, Refusal> {
        let address = self.listener.local_addr().expect("address");
        let socket = TcpStream::connect(address).expect("connected");
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        self.guard.admit(&socket, address).expect("admitted")
    }
}

#[test]
fn whoever_waits_makes_room_for_the_next() {
    let door = Door::new(limits());
    let greedy: Vec<Slot> = (0..4).map(|_| door.knock(1).expect("in")).collect();
    let polite = door.knock(2).expect("in");
    let closed: Vec<bool> = greedy.iter().map(Slot::is_closed).collect();
    assert_eq!(closed, [true, false, false, false]);
    door.knock(1).expect("in");
    assert!(!polite.is_closed());
    assert!(greedy[1].is_closed());
}

#[test]
fn connections_are_counted_in_all_and_by_address() {
    let door = Door::new(limits());
    let one = door.knock(1).expect("in");
    let two = door.knock(1).expect("in");
    let three = door.knock(1).expect("in");
    let other = door.knock(2).expect("in");
    let last = door.knock(3).expect("in");
    assert!(one.signed_in("a") && two.signed_in("a"));
    assert!(!three.signed_in("a"), "two from one address");
    assert!(other.signed_in("b"));
    assert!(!last.signed_in("c"), "three in all");
    assert_eq!(door.guard.counts(), (3, 2));
    drop(one);
    assert!(last.signed_in("c"));
    door.guard.end_user("a");
    assert!(two.is_closed() && !other.is_closed());
}

#[test]
fn wrong_passwords_cost_time_and_then_the_door() {
    let door = Door::new(limits());
    let waiting = door.knock(1).expect("in");
    let slot = door.knock(1).expect("in");
    let begin = Instant::now();
    assert!(slot.wrong_password());
    let first = begin.elapsed();
    assert!(slot.wrong_password());
    let second = begin.elapsed() - first;
    assert!(first >= FIRST_DELAY && second >= FIRST_DELAY * 2);
    assert!(!slot.wrong_password());
    assert!(waiting.is_closed());
    assert!(matches!(door.knock(1), Err(Refusal::Banned)));
    assert!(door.knock(2).is_ok());
}

#[test]
fn slow_and_idle_connections_end() {
    let door = Door::new(Limits {
        login: Duration::from_millis(100),
        idle: Duration::from_millis(300),
        ..limits()
    });
    let slow = door.knock(1).expect("in");
    let idle = door.knock(1).expect("in");
    assert!(idle.signed_in("a"));
    std::thread::sleep(Duration::from_millis(150));
    idle.active();
    door.guard.sweep();
    assert!(slow.is_closed() && !idle.is_closed());
    std::thread::sleep(Duration::from_millis(350));
    door.guard.sweep();
    assert!(idle.is_closed());
    drop((slow, idle));
    door.guard.stop(Duration::from_secs(1));
    assert!(matches!(door.knock(1), Err(Refusal::Stopping)));
}
