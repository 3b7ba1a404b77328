//! What is kept of a number is found in every table, and nothing of it is left.

use std::path::Path;

use jiff::Timestamp;

use super::*;
use crate::domain::call::Direction;
use crate::domain::details::CALLTOUCH;
use crate::domain::job::Priority;
use crate::domain::phone::Number;
use crate::domain::{
    CallDetails, DropState, DroppedFile, Job, MediaKind, PullOutcome, Recording, Source,
};
use crate::store::{News, Payload};

const PHONE: &str = "79161234567";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_752_566_587 + second).expect("a time")
}

fn told(caller: &str) -> CallDetails {
    let mut details = CallDetails {
        caller: Number::of(caller),
        called: Number::of("74951234567"),
        ..CallDetails::default()
    };
    details.add_id(CALLTOUCH, &format!("c{caller}"));
    details
}

fn accept(store: &Store, id: &str, caller: &str, filename: &str) -> CallId {
    let id: CallId = id.parse().expect("an id");
    let mut spool = store.blobs().spool().expect("a spool");
    spool.write(id.as_str().as_bytes()).expect("bytes");
    let sha256 = spool.sha256();
    let recording = Recording {
        sha256: sha256.clone(),
        size_bytes: 26,
        content_type: "audio/mpeg".into(),
        call_id: id.clone(),
        media: None,
    };
    let call = Call {
        id: id.clone(),
        sha256,
        filename: filename.to_owned(),
        operator: Some("Ольга".into()),
        language: None,
        source: Source::Sftp,
        direction: Some(Direction::Inbound),
        media: MediaKind::Audio,
        created_at: at(0),
        started_at: Some(at(0)),
        duration_ms: None,
        speakers_swapped: false,
        separation: None,
        score: None,
        details: told(caller),
    };
    let job = Job::new(id.clone(), Priority::Bulk, at(0));
    let taken = store
        .accept(spool, &recording, &call, &job)
        .expect("stored");
    assert_eq!(taken, Ok(()));
    id
}

fn news(id: &str, caller: &str) -> News {
    let key = format!("calltouch/{id}");
    News {
        payload: Some(Payload {
            received_at: at(5),
            method: "POST".into(),
            content_type: "application/json".into(),
            body: format!("{{\"phone\": \"+{caller}\"}}").into_bytes(),
        }),
        notice: Some(Notice {
            source: Source::Calltouch,
            id: id.to_owned(),
            site: "1".into(),
            details: told(caller),
            direction: Some(Direction::Inbound),
            started_at: Some(at(1)),
            recordings: vec![id.to_owned()],
            taken: Vec::new(),
            calls: Vec::new(),
            window_s: 120,
            received_at: at(5),
        }),
        fetch_at: Some(at(60)),
        key,
    }
}

/// Files below the directory that have these bytes.
fn having(dir: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(having(&path, bytes));
        } else if std::fs::read(&path)
            .expect("a file")
            .windows(bytes.len())
            .any(|part| part == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn nothing_of_a_number_is_left_and_the_rest_stays() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(dir.path()).expect("store");
    let subject = Subject::parse("8 916 123-45-67").expect("a number");
    let gone = accept(
        &store,
        "01K0000000000000000000000A",
        "+79161234567",
        "a.mp3",
    );
    let named = accept(
        &store,
        "01K0000000000000000000000B",
        "101",
        "2026-07-01__89161234567__101.mp3",
    );
    let other = accept(
        &store,
        "01K0000000000000000000000C",
        "+79990000000",
        "c.mp3",
    );
    store
        .take_news(vec![news("c+79161234567", PHONE), news("lost", PHONE)])
        .expect("kept");
    store
        .take_news(vec![news("x", "79990000000")])
        .expect("kept");
    let dropped = DroppedFile {
        user: "mango".into(),
        path: format!("in/{PHONE}.mp3"),
        size_bytes: 1,
        modified_at: at(0),
        inode: (1, 2),
        arrived_at: at(0),
        state: DropState::Waiting,
        duration_ms: None,
        told: None,
    };
    store
        .put_dropped(dropped.path.as_bytes(), &dropped)
        .expect("kept");
    let pulled_file = PulledFile {
        size_bytes: 3,
        modified_s: Some(1),
        at: at(0),
        outcome: PullOutcome::Known(gone.clone()),
        tries: 0,
    };
    let path = format!("/out/{PHONE}.mp3").into_bytes();
    store.put_pulled("pbx", &path, &pulled_file).expect("kept");
    assert!(having(dir.path(), PHONE.as_bytes()).len() == 1);

    let kept = store.kept_of(&subject).expect("found");
    let calls: Vec<_> = kept
        .calls
        .iter()
        .map(|(call, why)| (&call.id, *why))
        .collect();
    assert_eq!(calls, [(&gone, Reason::Client), (&named, Reason::FileName)]);
    assert_eq!(kept.notices, ["calltouch/c+79161234567", "calltouch/lost"]);
    assert_eq!((kept.dropped.len(), kept.pulled.len()), (1, 1));

    let sha256 = kept.calls[0].0.sha256.clone();
    for (call, _) in &kept.calls {
        store
            .remove_call(&call.id, Again::Refused)
            .expect("removed");
    }
    let removed = store.erase_notices(&kept.notices, 1).expect("removed");
    // The message about the first call went with the call.
    assert_eq!(
        (removed.notices, removed.payloads, removed.errands),
        (2, 1, 2)
    );
    store.erase_pulled(&kept.pulled).expect("marked");
    store.forget_all_dropped(&kept.dropped).expect("forgotten");
    store.erase_mentions(&subject).expect("removed");
    assert!(
        !having(dir.path(), PHONE.as_bytes()).is_empty(),
        "old pages have it"
    );
    store.rewrite().expect("written anew");
    for part in [PHONE, "9161234567", "89161234567"] {
        assert_eq!(having(dir.path(), part.as_bytes()), Vec::<String>::new());
    }

    // What was erased does not come back; what was not stays.
    assert!(store.is_erased(&sha256).expect("read"));
    store.take_news(vec![news("lost", PHONE)]).expect("heard");
    assert!(
        store
            .notice_by_key("calltouch/lost")
            .expect("read")
            .is_none()
    );
    assert!(store.payloads("calltouch/lost").expect("read").is_empty());
    let known = store
        .pulled()
        .expect("read")
        .get("pbx", &path)
        .expect("read");
    let known = known.expect("it was fetched");
    assert_eq!((known.size_bytes, known.modified_s), (3, Some(1)));
    assert!(store.entry(&other).expect("read").is_some());
    assert!(store.notice_by_key("calltouch/x").expect("read").is_some());
    let again = store.kept_of(&subject).expect("found");
    assert!(again.calls.is_empty() && again.notices.is_empty() && again.pulled.is_empty());
}

#[test]
fn the_mark_of_a_number_tells_it_only_here() {
    let subject = Subject::parse("+79161234567").expect("a number");
    let mark = || {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("store");
        let first = store.phone_mark(&subject).expect("a mark");
        assert_eq!(first, store.phone_mark(&subject).expect("a mark"));
        first
    };
    assert_ne!(mark(), mark());
}
