//! Tests of versions on a real store, and of stores from before there were any.

use redb::Database;

use super::*;
use crate::domain::revise::NewTurn;
use crate::domain::{JobState, Speaker, Stage};
use crate::store::StageOutput;

const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// Records as schema 1 wrote them.
const CALL: &str = r#"{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","sha256":"aa","filename":"a.wav","operator":null,"language":null,"source":"upload","media":"audio","created_at":"2026-01-01T00:00:00Z","started_at":null,"duration_ms":8000,"speakers_swapped":false,"separation":"diarized","score":{"overall_percent":50.0,"criteria":[]}}"#;
const JOB: &str = r#"{"call_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","priority":"interactive","state":"completed","stage":"index","attempts":0,"claim":5,"run":0,"not_before":null,"error":null,"no_speech":false,"enqueued_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
const TRANSCRIPT: &str = r#"{"language":"ru","model":"base","separation":"diarized","turns":[{"speaker":"operator","words":[{"start_ms":0,"end_ms":500,"text":"Алло","confidence":0.9}]},{"speaker":"client","words":[{"start_ms":900,"end_ms":1500,"text":"заказ","confidence":0.4}]}],"speech":[{"speaker":"operator","channel":0,"spans":[{"start_ms":0,"end_ms":500}]},{"speaker":"client","channel":0,"spans":[{"start_ms":900,"end_ms":1500}]}],"coverage_percent":100.0}"#;
const RECOGNITION: &str = r#"{"language":"ru","model":"base","channels":[{"speech":[{"start_ms":0,"end_ms":500}],"segments":[{"words":[{"start_ms":0,"end_ms":500,"text":"Алло","confidence":0.9}]}]}]}"#;

fn id() -> CallId {
    CallId::new(ID.to_owned()).expect("id")
}

fn now() -> Timestamp {
    Timestamp::from_second(1_780_000_000).expect("time")
}

/// A store with one completed call, as a program that knew schema 1 left it.
fn old_store() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("call-analytics.redb");
    let db = Database::create(&path).expect("made");
    let db = schema::prepare(db, &path, &[]).expect("schema 1");
    let txn = db.begin_write().expect("write");
    for (table, json) in [
        (schema::CALLS, CALL),
        (schema::JOBS, JOB),
        (schema::TRANSCRIPTS, TRANSCRIPT),
        (schema::RECOGNITIONS, RECOGNITION),
    ] {
        let record = [&b"\x01"[..], json.as_bytes()].concat();
        let mut table = txn.open_table(table).expect("table");
        table.insert(ID, record.as_slice()).expect("written");
    }
    txn.commit().expect("committed");
    drop(db);
    (Store::open(dir.path()).expect("migrated"), dir)
}

fn said(transcript: &Transcript) -> Vec<String> {
    transcript.turns.iter().map(|turn| turn.text()).collect()
}

fn edit(store: &Store, seen: u32, turn: usize, text: &str) -> Result<Option<u32>, StoreError> {
    let to = NewTurn::Changed {
        text: Some(text.to_owned()),
        speaker: None,
    };
    let revision = Revision::Edit(TurnEdit { turn, to });
    store.revise(&id(), Some(seen), &revision, "olga", now())
}

fn current(store: &Store) -> Transcript {
    store.transcript(&id()).expect("read").expect("there")
}

fn score_is_stale(store: &Store) -> bool {
    let entry = store.entry(&id()).expect("read").expect("there");
    entry.call.score.expect("a score").stale
}

#[test]
fn an_old_store_opens_and_its_transcript_is_version_0() {
    let (store, dir) = old_store();
    assert_eq!(store.schema(), 4);
    let copy = dir.path().join("call-analytics.schema-1.redb");
    assert!(copy.exists(), "the file before the migration is kept");
    let transcript = current(&store);
    assert_eq!(transcript.version, Version::default());
    assert!(!score_is_stale(&store));
    let versions = store.versions(&id()).expect("read");
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0].model, "base");
    let entry = store.entry(&id()).expect("read").expect("there");
    assert_eq!((entry.job.model, entry.call.direction), (None, None));
}

#[test]
fn every_version_is_kept_and_can_be_put_back() {
    let (store, _dir) = old_store();
    assert_eq!(edit(&store, 0, 1, "Заказ номер пять").expect("ok"), Some(1));
    assert_eq!(
        edit(&store, 1, 0, "Алло").expect("ok"),
        None,
        "nothing changes"
    );
    assert_eq!(edit(&store, 1, 0, "Алло, да").expect("ok"), Some(2));
    assert_eq!(said(&current(&store)), ["Алло, да", "Заказ номер пять"]);
    let version = |number| store.version(&id(), number).expect("read").expect("kept");
    assert_eq!(said(&version(0)), ["Алло", "заказ"]);
    assert_eq!(said(&version(1)), ["Алло", "Заказ номер пять"]);
    assert_eq!(version(2), current(&store));
    let restored = store.revise(&id(), Some(2), &Revision::Restore(0), "ivan", now());
    assert_eq!(restored.expect("ok"), Some(3));
    assert_eq!(current(&store).turns, version(0).turns);
    let versions = store.versions(&id()).expect("read");
    let told: Vec<(u32, Author)> = versions
        .into_iter()
        .map(|kept| (kept.version.number, kept.version.author))
        .collect();
    let olga = || Author::Person("olga".into());
    assert_eq!(
        told,
        [
            (3, Author::Person("ivan".into())),
            (2, olga()),
            (1, olga()),
            (0, Author::Pipeline)
        ]
    );
    assert!(store.version(&id(), 9).expect("read").is_none());
    let nowhere = store.revise(&id(), Some(3), &Revision::Restore(9), "ivan", now());
    assert!(matches!(nowhere, Err(StoreError::NoSuchVersion)));
}

#[test]
fn who_saw_an_older_version_changes_nothing() {
    let (store, _dir) = old_store();
    edit(&store, 0, 1, "Заказ").expect("ok");
    let before = current(&store);
    let late = edit(&store, 0, 1, "Приказ");
    assert!(matches!(
        late,
        Err(StoreError::StaleVersion {
            seen: 0,
            current: 1
        })
    ));
    assert_eq!(current(&store), before);
}

#[test]
fn the_score_is_stale_until_it_is_made_of_the_current_version() {
    let (store, _dir) = old_store();
    edit(&store, 0, 1, "Заказ").expect("ok");
    assert!(score_is_stale(&store));
    edit(&store, 1, 1, "Приказ").expect("ok");
    let card =
        crate::domain::scorecard_toml::parse(crate::domain::scorecard_toml::DEFAULT_SCORECARD, 1)
            .expect("valid");
    let score = Score {
        scorecard_id: card.id,
        scorecard_version: 1,
        scorecard_name: card.name,
        engine: crate::domain::score::Engine::Rules,
        level: 2,
        overall_percent: Some(70.0),
        criteria: Vec::new(),
        metrics: crate::domain::Metrics::default(),
        model: None,
    };
    assert!(
        !store.replace_score(&id(), 1, &score).expect("ok"),
        "too late"
    );
    assert!(score_is_stale(&store));
    assert!(store.replace_score(&id(), 2, &score).expect("ok"));
    assert!(!score_is_stale(&store));
}

#[test]
fn a_new_recognition_is_a_new_version_and_corrections_stay() {
    let (store, _dir) = old_store();
    edit(&store, 0, 1, "Заказ номер пять").expect("ok");
    store
        .revise(&id(), Some(1), &Revision::Swap, "olga", now())
        .expect("ok");
    let corrected = current(&store);
    assert_eq!(corrected.turns[0].speaker, Speaker::Client);
    let retry = crate::store::Retry {
        model: Some("small".into()),
        language: Some("en".into()),
        from: None,
    };
    let job = store.retry(&id(), &retry, now()).expect("queued");
    assert_eq!(
        (job.stage, job.model.as_deref()),
        (Stage::Transcribe, Some("small"))
    );
    assert!(matches!(
        edit(&store, 2, 0, "поздно"),
        Err(StoreError::AtWork)
    ));
    let claim = || match store.claim(now()).expect("claim") {
        crate::store::Claim::Job(job) => *job,
        other => panic!("nothing to do: {other:?}"),
    };
    let recognition = store.recognition(&id()).expect("read").expect("there");
    store
        .finish_stage(&claim(), &StageOutput::Recognized(recognition), now())
        .expect("ok");
    assert!(store.transcript(&id()).expect("read").is_none());
    let mut anew = corrected.clone();
    anew.model = "small".into();
    anew.turns.truncate(1);
    store
        .finish_stage(&claim(), &StageOutput::Diarized(anew), now())
        .expect("ok");
    let versions = store.versions(&id()).expect("read");
    let told: Vec<(u32, &str, bool)> = versions
        .iter()
        .map(|kept| {
            (
                kept.version.number,
                kept.model.as_str(),
                kept.speakers_swapped,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (3, "small", true),
            (2, "base", true),
            (1, "base", false),
            (0, "base", false)
        ]
    );
    assert_eq!(versions[0].version.author, Author::Pipeline);
    let kept = store.version(&id(), 2).expect("read").expect("kept");
    assert_eq!(kept, corrected);
    // A stop between two stages leaves no transcript, and what was there can be put back.
    store.cancel(&id(), now()).expect("cancelled");
    let restored = store.revise(&id(), Some(3), &Revision::Restore(1), "olga", now());
    assert_eq!(restored.expect("ok"), Some(4));
    let entry = store.entry(&id()).expect("read").expect("there");
    assert!(!entry.call.speakers_swapped, "as it was in that version");
    assert_eq!(entry.call.language.as_deref(), Some("en"));
    assert_eq!(entry.job.state, JobState::Cancelled);
}

#[test]
fn a_retry_begins_only_where_there_is_something_to_work_on() {
    let (store, _dir) = old_store();
    let from = |stage| crate::store::Retry {
        from: Some(stage),
        ..crate::store::Retry::default()
    };
    let txn = store.write().expect("write");
    txn.open_table(schema::RECOGNITIONS)
        .expect("table")
        .remove(ID)
        .expect("removed");
    txn.commit().expect("committed");
    let refused = store.retry(&id(), &from(Stage::Diarize), now());
    assert!(matches!(
        refused,
        Err(StoreError::NotReached(Stage::Diarize))
    ));
    let job = store
        .retry(&id(), &from(Stage::Score), now())
        .expect("queued");
    assert_eq!((job.stage, job.state), (Stage::Score, JobState::Queued));
}

#[test]
fn deleting_takes_the_versions_with_it() {
    let (store, _dir) = old_store();
    edit(&store, 0, 1, "Заказ").expect("ok");
    store.delete_call(&id()).expect("deleted");
    let txn = store.read().expect("read");
    for table in [schema::VERSIONS, schema::VERSION_TEXTS] {
        let table = txn.open_table(table).expect("table");
        assert_eq!(table.iter().expect("rows").count(), 0);
    }
}
