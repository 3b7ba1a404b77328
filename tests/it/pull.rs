//! Recordings are pulled from real servers: what is new arrives once, whatever
//! happens to the servers, the connections and the program meanwhile.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::fixtures::{model, scripted_call, tones};
use crate::process::Process;
use crate::pull_place::{Remote, Slow, begin, counters, ended, pull, source};
use crate::server::{Server, Setup, eventually};
use crate::sftp_place::{PASSWORD, Place, USER};

/// Windows-1251 for «звонок.wav».
const CP1251: &[u8] = b"\xe7\xe2\xee\xed\xee\xea.wav";

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn server(sections: String) -> Server {
    Server::start(&Setup {
        sections,
        ..Setup::scripted()
    })
    .await
}

/// Hashes of the recordings that are kept.
fn kept(server: &Server) -> Vec<String> {
    let mut names: Vec<String> = server
        .files("audio")
        .iter()
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

fn hashes(contents: &[&[u8]]) -> Vec<String> {
    let mut all: Vec<String> = contents.iter().map(|bytes| sha256(bytes)).collect();
    all.sort();
    all
}

async fn filenames(client: &Client) -> Vec<String> {
    let page = client.get("/results?page_size=100").await;
    let mut names: Vec<String> = page["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|call| call["filename"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    names
}

/// A recording of about `megabytes`.
fn large(megabytes: u32, tone: f64) -> Vec<u8> {
    tones(f64::from(megabytes) * 32.8, 8000, &[tone, tone + 400.0])
}

/// Everything that any of the servers shall do: what is new arrives, once.
/// `bytes`: it takes names that are no UTF-8.
async fn brings_what_is_new(remote: &Remote, bytes: bool) {
    let (first, second, third) = (scripted_call(1), scripted_call(2), scripted_call(3));
    let name = "2026.11.20__10-33-20__79161234567__79031234567_11322899185_2661322.wav";
    remote.put(name, &first, 5000);
    remote.put("2026/11/папка с пробелами/звонок 1.wav", &second, 4000);
    remote.put("copy.wav", &first, 3000);
    remote.put("notes.txt", b"nothing", 3000);
    remote.put("empty.wav", b"", 3000);
    remote.put("damaged.mp3", b"this is no mp3", 2000);
    remote.put(OsStr::from_bytes(CP1251), &third, 1000);
    let server = server(remote.section("")).await;
    let run = pull(&server).await;
    assert_eq!(run["error"], Value::Null, "{run}");
    // What cannot be asked for fails by itself, and is tried again.
    let lost = u64::from(!bytes);
    assert_eq!(counters(&run), [7, 3 - lost, 1, 2, 1 + lost], "{run}");
    assert!(run["bytes"].as_u64() > Some(2 * first.len() as u64));
    let mut contents: Vec<&[u8]> = vec![&first, &second];
    let mut names = vec![name, "звонок 1.wav"];
    if bytes {
        contents.push(&third);
        names.push("звонок.wav");
    }
    assert_eq!(kept(&server), hashes(&contents));
    assert_eq!(filenames(&server).await, names);
    let calls = server.get("/results?page_size=100&source=pull").await;
    assert_eq!(calls["total"], 3 - lost, "{calls}");
    let by_name = calls["items"].as_array().expect("items").iter();
    let mut times = by_name.filter(|call| call["filename"] == name);
    let started = times.next().expect("the call")["started_at"].clone();
    assert_eq!(started, "2026-11-20T07:33:20Z", "the name tells it");
    // The second time there is nothing, also of what was refused.
    let run = pull(&server).await;
    assert_eq!(counters(&run), [7, 0, 0, 7 - lost, lost], "{run}");
    assert_eq!(run["bytes"], 0);
    // What changed is taken again; what is new as well.
    remote.put("damaged.mp3", &scripted_call(4), 100);
    remote.put("new.wav", &scripted_call(5), 100);
    let run = pull(&server).await;
    assert_eq!(counters(&run), [8, 2, 0, 6 - lost, lost], "{run}");
    let runs = server.get("/pull/runs?source=source").await;
    assert_eq!(runs["total"], 3);
    assert_eq!(runs["items"][0]["trigger"], "manual");
    // Nothing is left of the transfers.
    assert_eq!(server.files("pull"), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_gives_what_is_new() {
    brings_what_is_new(&Remote::openssh(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pyftpdlib_gives_what_is_new() {
    brings_what_is_new(&Remote::pyftpdlib(&[]), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_lists_and_announces_an_unreachable_address_gives_what_is_new() {
    let remote = Remote::pyftpdlib(&["--list-only", "--announce", "203.0.113.9"]);
    brings_what_is_new(&remote, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pyftpdlib_within_tls_gives_what_is_new() {
    brings_what_is_new(&Remote::pyftpdlib_tls(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_gives_what_is_new() {
    brings_what_is_new(&Remote::vsftpd(false), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_that_demands_the_session_on_data_connections_gives_what_is_new() {
    brings_what_is_new(&Remote::vsftpd(true), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_host_key_is_refused_before_anything_is_said() {
    let mut remote = Remote::openssh();
    remote.put("a.wav", &scripted_call(1), 100);
    let server = server(remote.section("")).await;
    assert_eq!(counters(&pull(&server).await)[1], 1);
    let pinned = source(&server).await["host_key"].clone();
    let pinned = pinned.as_str().expect("a key").to_owned();
    remote.kill();
    remote.new_host_key();
    std::fs::remove_file(remote.own("log")).expect("gone");
    remote.start_openssh();
    remote.put("b.wav", &scripted_call(2), 50);
    let run = pull(&server).await;
    assert_eq!(run["error_code"], "host_key_changed", "{run}");
    let error = run["error"].as_str().expect("words");
    assert!(
        error.contains(&pinned) && error.matches("SHA256:").count() == 2,
        "{error}"
    );
    // It heard neither a name nor a password.
    let log = remote.log();
    assert!(
        log.contains("kex") && !log.contains("userauth-request"),
        "{log}"
    );
    let (status, body) = server
        .send(
            reqwest::Method::DELETE,
            "/pull/sources/source/host-key",
            None,
        )
        .await;
    assert_eq!(status, 204, "{body}");
    assert_eq!(counters(&pull(&server).await)[1], 1);
    assert!(remote.log().contains("userauth-request"));
    assert_ne!(source(&server).await["host_key"], pinned.as_str());
    drop(server);
    // A key of the settings counts alone.
    let wrong = format!("host_key = \"SHA256:{}\"\n", "a".repeat(43));
    let other = self::server(remote.section(&wrong)).await;
    assert_eq!(pull(&other).await["error_code"], "host_key_changed");
    let (status, _) = other
        .send(
            reqwest::Method::DELETE,
            "/pull/sources/source/host-key",
            None,
        )
        .await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_or_for_another_name_is_refused() {
    let (remote, other) = (Remote::pyftpdlib_tls(), Remote::pyftpdlib_tls());
    for (section, words) in [
        (
            other.section_at(remote.port, ""),
            "invalid peer certificate",
        ),
        (remote.section("").replace("127.0.0.1", "127.0.0.2"), ""),
        (
            remote.section("").replace("ca_file", "# ca_file"),
            "UnknownIssuer",
        ),
    ] {
        let server = server(section).await;
        let run = pull(&server).await;
        let refused = if words.is_empty() {
            "connection"
        } else {
            "tls"
        };
        assert_eq!(run["error_code"], refused, "{run}");
        let error = run["error"].as_str().expect("words");
        assert!(error.contains(words), "{error}");
    }
    assert!(!remote.log().contains("USER"), "{}", remote.log());
    // Nor is a server trusted that offers no TLS.
    let plain = Remote::pyftpdlib(&[]);
    let server = server(remote.section_at(plain.port, "")).await;
    assert_eq!(pull(&server).await["error_code"], "tls");
    assert!(!plain.log().contains("PASS"), "{}", plain.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_has_a_name() {
    let remote = Remote::pyftpdlib(&[]);
    let ssh = Remote::openssh();
    let hole = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let hole = hole
        .local_addr()
        .map(|address| (hole, address.port()))
        .expect("a port");
    let closed = crate::pull_place::free_port();
    for (section, code) in [
        (
            remote.section("").replace("correct horse", "wrong"),
            "login_refused",
        ),
        (remote.section("dir = \"nowhere\"\n"), "directory_missing"),
        (
            ssh.section("").replace("/files\"", "/nowhere\""),
            "directory_missing",
        ),
        (
            ssh.section("").replace("user = \"", "user = \"no"),
            "login_refused",
        ),
        (remote.section_at(hole.1, "timeout_s = 1\n"), "timeout"),
        (ssh.section_at(hole.1, "timeout_s = 1\n"), "timeout"),
        (remote.section_at(closed, ""), "connection"),
        // An FTP client at an SSH server, and the other way round.
        (remote.section_at(ssh.port, "timeout_s = 3\n"), "protocol"),
        (ssh.section_at(remote.port, "timeout_s = 2\n"), "timeout"),
    ] {
        let server = server(section.clone()).await;
        let run = pull(&server).await;
        assert_eq!(run["error_code"], code, "{section}: {run}");
        assert!(
            !run["error"].as_str().expect("words").contains("correct"),
            "{run}"
        );
    }
    let server = server(remote.section("")).await;
    let (status, body) = server.post("/pull/sources/other/run").await;
    assert_eq!((status, &body["code"]), (404, &"no_such_source".into()));
    let (status, body) = server.post("/pull/sources/source/stop").await;
    assert_eq!((status, &body["code"]), (409, &"pull_idle".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_lets_in_over_ssh() {
    // OpenSSH would need a user of the system with a password: our own server takes one.
    let place = Place::new();
    std::fs::create_dir_all(place.folder("")).expect("made");
    std::fs::write(place.folder("a.wav"), scripted_call(1)).expect("written");
    let section = |password: &str| {
        format!(
            "[[pull.source]]\nname = \"source\"\nprotocol = \"sftp\"\nhost = \"127.0.0.1\"\nport = {}\nuser = {USER:?}\npassword = {password:?}\n",
            place.port()
        )
    };
    let server = server(section(PASSWORD)).await;
    let run = pull(&server).await;
    assert_eq!(counters(&run), [1, 1, 0, 0, 0], "{run}");
    assert_eq!(kept(&server), [sha256(&scripted_call(1))]);
    let other = self::server(section("wrong")).await;
    let run = pull(&other).await;
    assert_eq!(run["error_code"], "login_refused", "{run}");
}

/// The server dies in the middle of a large file; the next run goes on there.
async fn goes_on(remote: &mut Remote, restart: impl Fn(&mut Remote)) {
    let call = large(30, 500.0);
    remote.put("large.wav", &call, 100);
    let way = Slow::to(remote.port, 12_000_000);
    // FTP announces ports of its own: what travels is told by the run itself.
    let server = server(remote.section_at(way.port, "timeout_s = 5\n")).await;
    begin(&server).await;
    loop {
        let current = source(&server).await["current"].clone();
        assert!(!current.is_null(), "it was too fast");
        if current["bytes"].as_u64() > Some(9_000_000) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (status, body) = server.post("/pull/sources/source/run").await;
    assert_eq!((status, &body["code"]), (409, &"pull_running".into()));
    remote.kill();
    let run = ended(&server, 90).await;
    assert_eq!(run["error_code"], "connection", "{run}");
    assert_eq!(counters(&run), [1, 0, 0, 0, 1], "{run}");
    let first = run["bytes"].as_u64().expect("bytes");
    assert!(first < call.len() as u64, "{run}");
    restart(remote);
    way.hurry();
    let before = way.passed.load(Ordering::Relaxed);
    let run = pull(&server).await;
    assert_eq!(counters(&run), [1, 1, 0, 0, 0], "{run}");
    let second = run["bytes"].as_u64().expect("bytes");
    assert_eq!(first + second, call.len() as u64, "nothing travelled twice");
    let passed = way.passed.load(Ordering::Relaxed) - before;
    assert!(passed < call.len() as u64 - first + 3_000_000, "{passed}");
    assert_eq!(kept(&server), [sha256(&call)]);
    assert_eq!(server.files("pull"), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_broke_off_goes_on_over_sftp() {
    goes_on(&mut Remote::openssh(), Remote::start_openssh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_broke_off_goes_on_over_ftp() {
    let mut remote = Remote::pyftpdlib(&[]);
    // Its data connections pass the slow way by: the server itself is slow.
    remote.kill();
    remote.start_pyftpdlib(&["--rate", "8000000"]);
    goes_on(&mut remote, |remote| remote.start_pyftpdlib(&[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_here_is_moved_or_deleted_where_so_configured() {
    for ftp in [false, true] {
        let remote = if ftp {
            Remote::pyftpdlib(&[])
        } else {
            Remote::openssh()
        };
        remote.put("a.wav", &scripted_call(1), 100);
        remote.put("in/b.wav", &scripted_call(2), 100);
        remote.put("bad.mp3", b"no recording", 100);
        remote.put("done/a.wav", b"another", 100);
        let done = if ftp {
            "done".to_owned()
        } else {
            remote.file("done").display().to_string()
        };
        let more = format!("after = \"move\"\nmove_to = {done:?}\n");
        let server = server(remote.section(&more)).await;
        let run = pull(&server).await;
        assert_eq!(counters(&run), [3, 2, 0, 0, 1], "{run}");
        for (path, there) in [
            ("a.wav", false),
            ("in/b.wav", false),
            ("done/a.wav.1", true),
            ("done/in/b.wav", true),
            ("bad.mp3", true),
        ] {
            assert_eq!(remote.file(path).exists(), there, "{path}");
        }
        assert_eq!(
            std::fs::read(remote.file("done/a.wav")).expect("file"),
            b"another"
        );
        let (data, password) = server.stop().await;
        // What was taken before it was so configured is deleted as well.
        remote.put("c.wav", &scripted_call(3), 100);
        let sections = remote.section("");
        let setup = |sections| Setup {
            sections,
            ..Setup::scripted()
        };
        let server = Server::start_in(data, Some(password), &setup(sections)).await;
        assert_eq!(counters(&pull(&server).await)[1], 1);
        assert!(remote.file("c.wav").exists());
        let (data, password) = server.stop().await;
        let sections = remote.section("after = \"delete\"\ninclude = [\"c.wav\", \"d*.wav\"]\n");
        remote.put("d.wav", &scripted_call(4), 100);
        let server = Server::start_in(data, Some(password), &setup(sections)).await;
        let run = pull(&server).await;
        assert_eq!(run["new"], 1, "{run}");
        assert!(!remote.file("c.wav").exists() && !remote.file("d.wav").exists());
        assert!(remote.file("bad.mp3").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_is_left_for_the_next_run() {
    let call = large(4, 600.0);
    for ftp in [false, true] {
        let remote = if ftp {
            Remote::pyftpdlib(&["--rate", "3000000"])
        } else {
            Remote::openssh()
        };
        remote.put("growing.wav", &call[..3_000_000], 1000);
        let way = Slow::to(remote.port, 3_000_000);
        let server = server(remote.section_at(way.port, "")).await;
        begin(&server).await;
        while source(&server).await["current"]["bytes"].as_u64() < Some(500_000) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut file = std::fs::File::options()
            .append(true)
            .open(remote.file("growing.wav"))
            .expect("file");
        std::io::Write::write_all(&mut file, &call[3_000_000..]).expect("it grows");
        let run = ended(&server, 60).await;
        assert_eq!(counters(&run), [1, 0, 0, 1, 0], "{run}");
        assert_eq!(run["error"], Value::Null, "{run}");
        assert_eq!(kept(&server), Vec::<String>::new());
        way.hurry();
        let run = pull(&server).await;
        assert_eq!(counters(&run), [1, 1, 0, 0, 0], "{run}");
        assert_eq!(kept(&server), [sha256(&call)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_in_the_middle_ends_in_time_and_a_run_can_be_stopped() {
    let remote = Remote::openssh();
    remote.put("large.wav", &large(6, 700.0), 10);
    let way = Slow::to(remote.port, 1_000_000);
    let server = server(remote.section_at(way.port, "")).await;
    begin(&server).await;
    while source(&server).await["current"]["bytes"].as_u64() < Some(200_000) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (status, _) = server.post("/pull/sources/source/stop").await;
    assert_eq!(status, 204);
    let run = ended(&server, 20).await;
    assert_eq!(run["error_code"], "stopped", "{run}");
    // The program as well does not wait for it.
    begin(&server).await;
    let (data, password) = server.stop().await;
    let setup = Setup {
        sections: remote.section(""),
        ..Setup::scripted()
    };
    let server = Server::start_in(data, Some(password), &setup).await;
    let runs = server.get("/pull/runs").await;
    let last = &runs["items"][0]["error_code"];
    assert!(*last == "stopped" || *last == "interrupted", "{runs}");
    assert_eq!(counters(&pull(&server).await)[1], 1);
}

fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .expect("a peak");
    let number = line.split_whitespace().nth(1).expect("a number");
    number.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_files_are_listed_in_little_memory_while_others_are_served() {
    for ftp in [false, true] {
        let remote = if ftp {
            Remote::pyftpdlib(&[])
        } else {
            Remote::openssh()
        };
        for number in 0..50_000 {
            let name = format!("2026.11.20__10-33-20__79161234567__79031234567_{number:08}.mp3");
            std::fs::write(remote.file(&name), b"x").expect("written");
        }
        let data = tempfile::tempdir().expect("dir");
        let process =
            Process::start_with(&data.path().join("store"), &model(), &remote.section(""));
        let client = process
            .admin(process.first_password.as_deref().expect("made"))
            .await;
        client.get("/results").await;
        let before = peak_kib(process.id());
        let begun = std::time::Instant::now();
        begin(&client).await;
        loop {
            let current = source(&client).await["current"].clone();
            assert!(!current.is_null());
            client.get("/results").await;
            if current["bytes"].as_u64() > Some(0) {
                assert_eq!(current["found"], 50_000, "{current}");
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!(
            "50,000 files are listed and the first is here after {:?}",
            begun.elapsed()
        );
        let (status, _) = client.post("/pull/sources/source/stop").await;
        assert_eq!(status, 204);
        let run = ended(&client, 30).await;
        assert_eq!(run["error_code"], "stopped", "{run}");
        let grown = peak_kib(process.id()).saturating_sub(before) / 1024;
        println!("memory grew by {grown} MiB");
        assert!(grown < 64, "{grown} MiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_run_loses_nothing() {
    let remote = Remote::openssh();
    let calls: Vec<Vec<u8>> = (1..=12)
        .map(|n| tones(24.0, 8000, &[f64::from(n) * 50.0, 900.0]))
        .collect();
    for (number, call) in calls.iter().enumerate() {
        remote.put(format!("{number}.wav"), call, 1000 - number as u64);
    }
    let way = Slow::to(remote.port, 3_000_000);
    let data = tempfile::tempdir().expect("dir");
    let store = data.path().join("store");
    let section = remote.section_at(way.port, "");
    let process = Process::start_with(&store, &model(), &section);
    let password = process.first_password.clone().expect("made");
    let client = process.admin(&password).await;
    begin(&client).await;
    while source(&client).await["current"]["new"].as_u64() < Some(4) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill();
    way.hurry();
    let process = Process::start_with(&store, &model(), &section);
    let client = process.admin(&password).await;
    let run = source(&client).await["last"].clone();
    assert_eq!(run["error_code"], "interrupted", "{run}");
    let run = pull(&client).await;
    assert_eq!(run["error"], Value::Null, "{run}");
    let page = client.get("/results?page_size=100").await;
    assert_eq!(page["total"], 12, "{page}");
    let run = pull(&client).await;
    assert_eq!(counters(&run), [12, 0, 0, 12, 0], "{run}");
    let audio = crate::server::files(&store.join("audio"));
    let mut names: Vec<String> = audio
        .iter()
        .map(|path| {
            path.file_name()
                .expect("name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let contents: Vec<&[u8]> = calls.iter().map(Vec::as_slice).collect();
    assert_eq!(names, hashes(&contents));
    for path in audio {
        assert_eq!(
            sha256(&std::fs::read(&path).expect("file")),
            path.file_name().expect("name").to_string_lossy()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variables_of_the_previous_deployment_work() {
    let remote = Remote::pyftpdlib(&[]);
    remote.put("calls/a.wav", &scripted_call(1), 100);
    remote.put("elsewhere/b.wav", &scripted_call(2), 100);
    let data = tempfile::tempdir().expect("dir");
    let port = remote.port.to_string();
    let process = Process::start_in(
        &data.path().join("store"),
        &model(),
        "",
        &[
            ("MANGO_FTP_HOST", "127.0.0.1"),
            ("MANGO_FTP_USER", "mango"),
            ("MANGO_FTP_PASSWORD", "correct horse"),
            ("MANGO_FTP_PORT", &port),
            ("MANGO_FTP_DIR", "/calls"),
        ],
    );
    let client = process
        .admin(process.first_password.as_deref().expect("made"))
        .await;
    let source = source(&client).await;
    assert_eq!(
        (&source["name"], &source["at"]),
        (&"mango".into(), &"03:00".into())
    );
    assert_eq!(
        (&source["protocol"], &source["fallback_hours"]),
        (&"ftp".into(), &6.into())
    );
    assert!(!source.to_string().contains("horse"), "{source}");
    let run = pull(&client).await;
    assert_eq!(counters(&run), [1, 1, 0, 0, 0], "{run}");
    assert!(!process.log().contains("horse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daily_run_begins_by_the_clock() {
    let remote = Remote::openssh();
    remote.put("a.wav", &scripted_call(1), 100);
    let now =
        jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::get("Asia/Omsk").expect("a zone"));
    // A full minute is left to start in.
    let second = now.second();
    let at = now + jiff::SignedDuration::from_secs(60 + if second < 40 { 0 } else { 60 });
    let section = remote
        .section("")
        .replace("\"off\"", &format!("\"{}\"", at.strftime("%H:%M")));
    let server = server(format!("[names]\ntime_zone = \"Asia/Omsk\"\n{section}")).await;
    assert!(!source(&server).await["next_at"].is_null());
    eventually("the recording is here", 150, || kept(&server).len() == 1).await;
    let run = ended(&server, 10).await;
    assert_eq!(
        (&run["trigger"], &run["new"]),
        (&"daily".into(), &1.into()),
        "{run}"
    );
}
