//! The queue: nothing blocks everything, and nothing is held for ever.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use call_analytics::domain::{Call, CallId, Job, MediaKind, Priority, Recording, Source};
use call_analytics::store::{Claim, Store};
use serde_json::Value;

use crate::fixtures::scripted_call;
use crate::process::speech_workers;
use crate::server::{Server, Setup, eventually};

/// Puts a call into the store that has no sound; it is only to be claimed.
fn enqueue(store: &Store, number: u32, priority: Priority) -> CallId {
    let now = "2026-01-31T09:00:00Z".parse().expect("a time");
    let id = CallId::new(format!("01ARZ3NDEKTSV4RRFFQ69G{number:04}")).expect("an id");
    let mut spool = store.blobs().spool().expect("a spool");
    spool.write(&number.to_le_bytes()).expect("written");
    let sha256 = spool.sha256();
    let recording = Recording {
        sha256: sha256.clone(),
        size_bytes: 4,
        content_type: "audio/wav".to_owned(),
        call_id: id.clone(),
        media: None,
    };
    let call = Call {
        id: id.clone(),
        sha256,
        filename: format!("{number}.wav"),
        operator: None,
        language: None,
        source: Source::Upload,
        direction: None,
        media: MediaKind::Audio,
        created_at: now,
        started_at: None,
        duration_ms: None,
        speakers_swapped: false,
        separation: None,
        score: None,
        details: Default::default(),
    };
    let job = Job::new(id.clone(), priority, now);
    store
        .accept(spool, &recording, &call, &job)
        .expect("stored")
        .expect("new");
    id
}

#[test]
fn many_workers_claim_each_call_once_and_never_wait_for_ever() {
    const CALLS: u32 = 60;
    const THREADS: usize = 6;
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Store::open(dir.path()).expect("a store"));
    for number in 0..CALLS {
        enqueue(&store, number, Priority::Bulk);
    }
    let barrier = Arc::new(std::sync::Barrier::new(THREADS));
    let (sender, claimed) = mpsc::channel();
    for _ in 0..THREADS {
        let (store, barrier, sender) = (Arc::clone(&store), Arc::clone(&barrier), sender.clone());
        std::thread::spawn(move || {
            let now = "2026-01-31T10:00:00Z".parse().expect("a time");
            barrier.wait();
            while let Ok(Claim::Job(job)) = store.claim(now) {
                if sender.send(job.call_id.to_string()).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut ids = Vec::new();
    loop {
        match claimed.recv_timeout(Duration::from_secs(20)) {
            Ok(id) => ids.push(id),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!(
                    "the workers wait for each other: {} of {CALLS} calls claimed",
                    ids.len()
                )
            }
        }
    }
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(
        (all, ids.len()),
        (CALLS as usize, CALLS as usize),
        "each once"
    );
}

#[test]
fn who_waits_at_the_page_goes_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    enqueue(&store, 1, Priority::Bulk);
    enqueue(&store, 2, Priority::Bulk);
    let urgent = enqueue(&store, 3, Priority::Interactive);
    let now = "2026-01-31T10:00:00Z".parse().expect("a time");
    match store.claim(now).expect("a claim") {
        Claim::Job(job) => assert_eq!(job.call_id, urgent),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_long_call_does_not_block_the_others() {
    let server = Server::start(&Setup {
        workers: 2,
        ..Setup::scripted()
    })
    .await;
    let slow = server
        .accepted("slow.wav", scripted_call(1), &[("language", "sl")])
        .await;
    server.transcribing(&slow).await;
    for number in 2..6 {
        let id = server
            .accepted("quick.wav", scripted_call(number), &[])
            .await;
        server
            .wait(&id, 8, "completed", |status| {
                status["status"] == "completed"
            })
            .await;
    }
    let status = server.get(&format!("/status/{slow}")).await;
    assert_eq!(
        (&status["status"], &status["error"]),
        (&"processing".into(), &Value::Null)
    );
    let health = server.get("/server").await;
    assert_eq!(health["queue"]["running"], 1, "{health}");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_due_does_not_wait_for_a_busy_worker() {
    let server = Server::start(&Setup {
        workers: 2,
        ..Setup::scripted()
    })
    .await;
    // The worker that it failed in gets a long call next; the other one is free.
    let broken = server
        .accepted("broken.wav", scripted_call(1), &[("language", "da")])
        .await;
    server
        .wait(&broken, 10, "between two attempts", |status| {
            status["error"].is_object()
        })
        .await;
    let slow = server
        .accepted("slow.wav", scripted_call(2), &[("language", "sl")])
        .await;
    server.transcribing(&slow).await;
    let end = std::time::Instant::now() + Duration::from_secs(12);
    loop {
        let attempts = server.result(&broken).await["call"]["attempts"].as_u64();
        if attempts >= Some(2) {
            break;
        }
        assert!(
            std::time::Instant::now() < end,
            "no second attempt within 12 s (it is due after 5)"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_given_back_when_idle() {
    // A script of its own name, so that other tests' workers are not counted.
    let dir = tempfile::tempdir().expect("a directory");
    let worker = dir.path().join("idle_worker.sh");
    std::os::unix::fs::symlink(Setup::scripted().worker, &worker).expect("a link");
    let count = || {
        speech_workers(std::process::id())
            .into_iter()
            .filter(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                    .is_ok_and(|line| line.contains("idle_worker"))
            })
            .count()
    };
    let server = Server::start(&Setup {
        worker: worker.clone(),
        idle_unload_s: 1,
        ..Setup::scripted()
    })
    .await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    assert_eq!(count(), 1, "the model stays for a moment");
    eventually("the idle worker ends", 5, || count() == 0).await;
    let id = server.accepted("b.wav", scripted_call(2), &[]).await;
    let result = server.completed(&id).await;
    assert_eq!(result["call"]["error"], Value::Null);
    let _ = server.stop().await;
    assert_eq!(count(), 0, "none outlives the server");
}
