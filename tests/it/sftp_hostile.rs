//! Senders who mean ill, break off, or fill the disk.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use call_analytics::sftp::users;

use crate::fixtures::{SmallDisk, noise_bytes, repository};
use crate::process::text;
use crate::sftp_place::{PASSWORD, Place, USER, output, run, succeeded};

fn connect(place: &Place) -> TcpStream {
    let socket = TcpStream::connect(place.server.local_addr()).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time limit");
    socket
}

/// Waits until the server hangs up; how long that took.
fn until_closed(mut socket: &TcpStream) -> Duration {
    let begin = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return begin.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return begin.elapsed();
            }
            Err(error) => panic!("still open: {error}"),
        }
    }
}

fn eventually(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < end, "not soon: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn half_open_connections_keep_nobody_out() {
    let place = Place::with("max_unauthenticated = 50");
    let held: Vec<TcpStream> = (0..1000).map(|_| connect(&place)).collect();
    succeeded(&place.sftp("ls\n"));
    let (_, strangers) = place.server.connections();
    assert!(strangers <= 50, "{strangers}");
    // The newest of them still wait, the oldest were let go.
    until_closed(&held[0]);
    drop(held);
    eventually("all are gone", || place.server.connections() == (0, 0));
}

#[test]
fn slow_handshakes_are_cut_off() {
    let place = Place::with("login_timeout_s = 1");
    let silent = connect(&place);
    let mut slow = connect(&place);
    let begin = Instant::now();
    for byte in b"SSH-2.0-slow".iter().cycle() {
        if slow.write_all(&[*byte]).is_err() || begin.elapsed() > Duration::from_secs(10) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(6),
        "{:?}",
        begin.elapsed()
    );
    assert!(until_closed(&silent) < Duration::from_secs(4));
    succeeded(&place.sftp("ls\n"));
}

#[test]
fn garbage_does_no_harm() {
    let place = Place::new();
    for seed in 0..200 {
        let mut socket = connect(&place);
        let mut bytes = noise_bytes(3000, seed + 1);
        if seed % 2 == 0 {
            // A greeting, and then packets of no sense.
            bytes.splice(0..0, *b"SSH-2.0-garbage\r\n");
            bytes.splice(17..17, [0, 0, (seed % 12) as u8, 12, 4, 20]);
        }
        let _ = socket.write_all(&bytes);
    }
    eventually("all are gone", || place.server.connections() == (0, 0));
    succeeded(&place.sftp("ls\n"));
}

#[test]
fn guessing_takes_longer_each_time_and_then_the_address_is_banned() {
    let place = Place::with("ban_after = 4");
    let guess = |password: &str, from: &str| {
        let begin = Instant::now();
        let url = format!("sftp://127.0.0.1:{}/", place.port());
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--insecure", "--interface", from, "--user"])
            .arg(format!("{USER}:{password}"))
            .arg(url);
        (output(&mut curl).status.success(), begin.elapsed())
    };
    let mut times = Vec::new();
    for _ in 0..4 {
        let (let_in, time) = guess("wrong", "127.0.0.2");
        assert!(!let_in);
        times.push(time);
    }
    assert!(times[0] >= Duration::from_millis(500), "{times:?}");
    assert!(times[1] >= Duration::from_secs(1), "{times:?}");
    assert!(times[2] >= Duration::from_secs(2), "{times:?}");
    // Now even the right one does not help from there; from elsewhere it does.
    let (let_in, time) = guess(PASSWORD, "127.0.0.2");
    assert!(!let_in && time < Duration::from_secs(1), "{time:?}");
    assert!(guess(PASSWORD, "127.0.0.3").0);
    succeeded(&place.sftp("ls\n"));
}

#[test]
fn too_many_connections_are_refused_and_the_others_go_on() {
    let place = Place::with("max_connections = 3\nmax_connections_per_address = 2");
    let mut first = place.program("sftp");
    let hold = |command: &mut Command| {
        command
            .args(place.options())
            .args(["-P", &place.port().to_string()])
            .arg(format!("{USER}@127.0.0.1"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("sftp starts")
    };
    let mut held = [hold(&mut first), hold(&mut place.program("sftp"))];
    eventually("two are in", || place.server.connections().0 == 2);
    let refused = place.sftp("ls\n");
    assert!(!refused.status.success(), "{}", text(&refused));
    for child in &mut held {
        drop(child.stdin.take());
        assert!(child.wait().expect("it ends").success());
    }
    eventually("they are gone", || place.server.connections() == (0, 0));
    succeeded(&place.sftp("ls\n"));
}

#[test]
fn ten_thousand_open_files_stop_at_the_limit() {
    let place = Place::with("max_handles = 100");
    let mut script = place.program("/usr/bin/python3");
    script
        .arg(repository().join("tests/it/sftp_handles.py"))
        .args([&place.port().to_string(), USER, PASSWORD, "100"]);
    let said = run(&mut script);
    assert!(said.contains("all done"), "{said}");
    eventually("all are gone", || place.server.connections() == (0, 0));
}

#[test]
fn a_full_folder_is_said_and_nothing_is_lost() {
    let place = Place::new();
    let change = users::Change {
        quota_bytes: Some(1_500_000),
        ..users::Change::default()
    };
    users::change(&place.store, USER, change).expect("changed");
    std::fs::write(place.client("a"), noise_bytes(1_000_000, 1)).expect("written");
    succeeded(&place.sftp("put a one\n"));
    let full = place.sftp("put a two\n");
    assert!(!full.status.success());
    assert_eq!(
        std::fs::read(place.folder("one")).expect("one"),
        noise_bytes(1_000_000, 1)
    );
    succeeded(&place.sftp("rm two\nrm one\nput a three\n"));
    let said = succeeded(&place.sftp("df\n"));
    assert!(said.contains("1464"), "the bound is shown: {said}");
}

#[test]
fn a_full_disk_is_said_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    // Where there is none, the quota test has the same path.
    let Some(disk) = SmallDisk::at(dir.path(), 24) else {
        return;
    };
    let place = Place::on(dir, "");
    std::fs::write("/var/tmp/ca-sftp-a", noise_bytes(9_000_000, 1)).expect("written");
    succeeded(&place.sftp("put /var/tmp/ca-sftp-a one\n"));
    let full = place.sftp("put /var/tmp/ca-sftp-a two\nput /var/tmp/ca-sftp-a three\n");
    assert!(!full.status.success());
    assert!(place.told.has("closed one Complete"));
    assert_eq!(
        std::fs::read(place.folder("one")).expect("one"),
        noise_bytes(9_000_000, 1)
    );
    succeeded(&place.sftp("-rm two\n-rm three\nput /var/tmp/ca-sftp-a four\n"));
    std::fs::remove_file("/var/tmp/ca-sftp-a").expect("removed");
    place.server.stop();
    drop(disk);
}

#[test]
fn a_put_that_breaks_off_is_kept_and_goes_on() {
    let place = Place::new();
    let all = noise_bytes(20_000_000, 9);
    std::fs::write(place.client("a"), &all).expect("written");
    let batch = place.client("slow");
    std::fs::write(&batch, "put a\n").expect("a batch");
    let mut child = place
        .program("sftp")
        .args(place.options())
        .args(["-l", "20000", "-P", &place.port().to_string(), "-b"])
        .arg(&batch)
        .arg(format!("{USER}@127.0.0.1"))
        .stdout(Stdio::null())
        .spawn()
        .expect("sftp starts");
    let length = || std::fs::metadata(place.folder("a")).map_or(0, |file| file.len());
    eventually("a part is there", || length() > 500_000);
    let folders = place.server.folders();
    assert!(folders.is_open(USER, "a".as_ref()).expect("known"));
    child.kill().expect("killed");
    child.wait().expect("ended");
    eventually("it is told", || place.told.has("closed a Broken"));
    assert!(!folders.is_open(USER, "a".as_ref()).expect("known"));
    let part = length();
    assert!(part > 0 && part < all.len() as u64, "{part}");
    succeeded(&place.sftp("reput a\n"));
    assert_eq!(std::fs::read(place.folder("a")).expect("a"), all);
    assert!(place.told.has("closed a Complete"));
}

#[test]
fn a_sender_who_is_changed_is_sent_away() {
    let place = Place::new();
    let mut child = place
        .program("sftp")
        .args(place.options())
        .args(["-P", &place.port().to_string()])
        .arg(format!("{USER}@127.0.0.1"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("sftp starts");
    eventually("he is in", || place.server.connections().0 == 1);
    let change = users::Change {
        disabled: Some(true),
        ..users::Change::default()
    };
    let (user, _) = users::change(&place.store, USER, change).expect("changed");
    place.server.changed(&user, true);
    eventually("he is out", || place.server.connections() == (0, 0));
    drop(child.stdin.take());
    child.wait().expect("it ends");
    assert!(!place.sftp("ls\n").status.success(), "disabled");
}

#[test]
fn stopping_ends_everybody_and_tells() {
    let place = Place::new();
    std::fs::write(place.client("a"), noise_bytes(20_000_000, 9)).expect("written");
    std::fs::write(place.client("slow"), "put a\n").expect("a batch");
    let mut child = place
        .program("sftp")
        .args(place.options())
        .args(["-l", "20000", "-P", &place.port().to_string(), "-b", "slow"])
        .arg(format!("{USER}@127.0.0.1"))
        .stdout(Stdio::null())
        .spawn()
        .expect("sftp starts");
    let waiting = connect(&place);
    eventually("it is open", || place.told.has("opened a"));
    let begin = Instant::now();
    place.server.stop();
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    assert!(place.told.has("closed a Broken"));
    until_closed(&waiting);
    child.wait().expect("it ends");
    assert!(TcpStream::connect(place.server.local_addr()).is_err());
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let mut script = Command::new("/usr/bin/python3");
    script
        .arg(repository().join("tests/e2e/sftp_kill.py"))
        .args([env!("CARGO_BIN_EXE_call-analytics"), "3"]);
    let said = run(&mut script);
    assert!(said.contains("3 kills"), "{said}");
}
