//! Tests of the durable queue on a real store.

use super::*;
use crate::domain::access::Sight;
use crate::domain::{MediaKind, Priority, Source};

struct Fixture {
    store: Store,
    _dir: tempfile::TempDir,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("time")
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().expect("dir");
    Fixture {
        store: Store::open(dir.path()).expect("store"),
        _dir: dir,
    }
}

impl Fixture {
    fn arrive(&self, bytes: &[u8], priority: Priority, second: i64) -> CallId {
        let mut spool = self.store.blobs().spool().expect("spool");
        spool.write(bytes).expect("written");
        let id = CallId::new(ulid::Ulid::generate().to_string()).expect("id");
        let sha256 = spool.sha256();
        let recording = Recording {
            sha256: sha256.clone(),
            size_bytes: bytes.len() as u64,
            content_type: "audio/wav".into(),
            call_id: id.clone(),
            media: None,
        };
        let call = Call {
            id: id.clone(),
            sha256,
            filename: "a.wav".into(),
            operator: Some("Ольга".into()),
            language: None,
            source: Source::Upload,
            direction: None,
            media: MediaKind::Audio,
            created_at: at(second),
            started_at: None,
            duration_ms: None,
            speakers_swapped: false,
            separation: None,
            score: None,
            details: Default::default(),
        };
        let job = Job::new(id.clone(), priority, at(second));
        self.store
            .accept(spool, &recording, &call, &job)
            .expect("stored")
            .expect("new");
        id
    }

    fn claim(&self, second: i64) -> Job {
        match self.store.claim(at(second)).expect("claim") {
            Claim::Job(job) => *job,
            other => panic!("nothing to do: {other:?}"),
        }
    }

    fn state(&self, id: &CallId) -> JobState {
        self.store
            .entry(id)
            .expect("read")
            .expect("there")
            .job
            .state
    }
}

fn decoded() -> StageOutput {
    StageOutput::Decoded {
        media: MediaInfo {
            container: "wave".into(),
            codec: "pcm_s16le".into(),
            sample_rate_hz: 8000,
            channels: 1,
            duration_ms: 1234,
            dual_mono: false,
            kept_channels: 1,
            damaged_packets: 0,
        },
        envelope: Envelope::default(),
    }
}

#[test]
fn interactive_work_overtakes_and_the_rest_is_in_order() {
    let f = fixture();
    let first = f.arrive(b"1", Priority::Bulk, 0);
    let second = f.arrive(b"2", Priority::Bulk, 1);
    let urgent = f.arrive(b"3", Priority::Interactive, 2);
    let order: Vec<CallId> = (0..3).map(|_| f.claim(10).call_id).collect();
    assert_eq!(order, [urgent, first, second]);
    assert!(matches!(f.store.claim(at(10)), Ok(Claim::Idle)));
}

#[test]
fn output_and_next_state_are_written_together() {
    let f = fixture();
    let id = f.arrive(b"1", Priority::Bulk, 0);
    let job = f.claim(1);
    let next = f
        .store
        .finish_stage(&job, &decoded(), at(2))
        .expect("written")
        .expect("current");
    assert_eq!(
        (next.stage, next.state),
        (Stage::Transcribe, JobState::Queued)
    );
    let entry = f.store.entry(&id).expect("read").expect("there");
    assert_eq!(entry.call.duration_ms, Some(1234));
    assert!(f.store.envelope(&id).expect("read").is_some());
}

#[test]
fn a_cancelled_or_deleted_job_drops_its_result() {
    let f = fixture();
    let id = f.arrive(b"1", Priority::Bulk, 0);
    let job = f.claim(1);
    f.store.cancel(&id, at(2)).expect("cancelled");
    assert!(
        f.store
            .finish_stage(&job, &decoded(), at(3))
            .expect("ok")
            .is_none()
    );
    assert_eq!(f.state(&id), JobState::Cancelled);
    // Tried again, the old claim is still not the current one.
    f.store
        .retry(&id, &Retry::default(), at(4))
        .expect("retried");
    let again = f.claim(5);
    assert!(
        f.store
            .finish_stage(&job, &decoded(), at(6))
            .expect("ok")
            .is_none()
    );
    assert!(
        f.store
            .finish_stage(&again, &decoded(), at(7))
            .expect("ok")
            .is_some()
    );
    let job = f.claim(8);
    f.store.delete_call(&id).expect("deleted");
    assert!(
        f.store
            .finish_stage(&job, &decoded(), at(9))
            .expect("ok")
            .is_none()
    );
    assert!(f.store.entry(&id).expect("read").is_none());
    assert!(
        f.store
            .operators("", &Sight::All, 9)
            .expect("read")
            .is_empty()
    );
    assert!(matches!(f.store.claim(at(10)), Ok(Claim::Idle)));
}

#[test]
fn a_delayed_retry_is_not_claimed_early_and_does_not_block_others() {
    let f = fixture();
    let broken = f.arrive(b"1", Priority::Interactive, 0);
    let job = f.claim(1);
    let error = JobError {
        code: "x".into(),
        message: "x".into(),
        retryable: true,
    };
    f.store.fail_stage(&job, error, at(1)).expect("ok");
    let other = f.arrive(b"2", Priority::Bulk, 2);
    assert_eq!(f.claim(3).call_id, other);
    let Claim::WaitUntil(due) = f.store.claim(at(3)).expect("claim") else {
        panic!("it must wait");
    };
    assert_eq!(due, at(1) + Job::retry_delay(1));
    assert_eq!(f.claim(7).call_id, broken);
}

#[test]
fn what_ran_when_the_process_died_is_queued_again() {
    let dir = tempfile::tempdir().expect("dir");
    let f = Fixture {
        store: Store::open(dir.path()).expect("store"),
        _dir: tempfile::tempdir().expect("dir"),
    };
    let id = f.arrive(b"1", Priority::Bulk, 0);
    f.claim(1);
    drop(f);
    let store = Store::open(dir.path()).expect("opened again");
    assert_eq!(store.recover(at(2)).expect("recovered").len(), 1);
    store.sweep().expect("swept");
    let entry = store.entry(&id).expect("read").expect("there");
    assert_eq!((entry.job.state, entry.job.attempts), (JobState::Queued, 1));
    assert!(store.blobs().path(&entry.call.sha256).exists());
}

#[test]
fn the_sweep_takes_only_what_nobody_knows() {
    let f = fixture();
    let id = f.arrive(b"kept", Priority::Bulk, 0);
    let known = f
        .store
        .entry(&id)
        .expect("read")
        .expect("there")
        .call
        .sha256;
    let mut orphan = f.store.blobs().spool().expect("spool");
    orphan.write(b"orphan").expect("written");
    let orphan = f.store.blobs().keep(orphan).expect("kept");
    std::mem::forget(f.store.blobs().spool().expect("half a spool"));
    f.store.sweep().expect("swept");
    assert!(f.store.blobs().path(&known).exists());
    assert!(!f.store.blobs().path(&orphan).exists());
}

#[test]
fn the_same_bytes_are_one_recording() {
    let f = fixture();
    let id = f.arrive(b"same", Priority::Bulk, 0);
    let entry = f.store.entry(&id).expect("read").expect("there");
    let recording = f
        .store
        .recording(&entry.call.sha256)
        .expect("read")
        .expect("there");
    let mut spool = f.store.blobs().spool().expect("spool");
    spool.write(b"same").expect("written");
    let again = f
        .store
        .accept(spool, &recording, &entry.call, &entry.job)
        .expect("ok");
    assert_eq!(again, Err(id));
}
