//! The list against the store: what is written is in it, in every order.

use jiff::Timestamp;

use super::*;
use crate::domain::dropped::NameTold;
use crate::domain::phone::Number;
use crate::domain::terms::Terms;
use crate::domain::{CallDetails, DropState, MediaKind, Source};

fn file(user: &str, path: &str, state: DropState) -> DroppedFile {
    DroppedFile {
        user: user.to_owned(),
        path: path.to_owned(),
        size_bytes: path.len() as u64,
        modified_at: Timestamp::UNIX_EPOCH,
        inode: (1, 2),
        arrived_at: Timestamp::UNIX_EPOCH,
        state,
        duration_ms: None,
        told: Some(Box::new(NameTold {
            caller: Number::of("79161234567"),
            ..NameTold::default()
        })),
    }
}

fn call(id: &CallId) -> Call {
    Call {
        id: id.clone(),
        sha256: id.as_str().to_lowercase(),
        filename: "a.wav".to_owned(),
        operator: Some("Анна".to_owned()),
        language: None,
        source: Source::Sftp,
        direction: None,
        media: MediaKind::Audio,
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        duration_ms: Some(5000),
        speakers_swapped: false,
        separation: None,
        score: None,
        details: CallDetails::default(),
    }
}

fn put_call(store: &Store, call: &Call) {
    let txn = store.write().expect("a transaction");
    txn.put_call(call).expect("put");
    let job = Job::new(
        call.id.clone(),
        crate::domain::Priority::Bulk,
        call.created_at,
    );
    super::super::calls::put(&txn, schema::JOBS, call.id.as_str(), &job).expect("put");
    txn.commit().expect("written");
}

fn put(store: &Store, file: &DroppedFile) {
    store.put_dropped(file.path.as_bytes(), file).expect("put");
}

fn sorted(key: DroppedKey, descending: bool) -> DroppedSort {
    DroppedSort { key, descending }
}

fn paths(store: &Store, filter: &DroppedFilter, sort: DroppedSort) -> Vec<String> {
    let page = store.dropped_page(filter, sort, 0, 100).expect("a page");
    assert_eq!(page.total as usize, page.rows.len());
    page.rows.into_iter().map(|row| row.file.path).collect()
}

fn id(number: u64) -> CallId {
    CallId::new(ulid::Ulid::from_parts(number, 1).to_string()).expect("an id")
}

#[test]
fn the_list_follows_calls_and_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let by_name = sorted(DroppedKey::Name, false);
    let of = |name: &str| DroppedFilter {
        terms: Terms::default().operator(Some(name)),
        ..DroppedFilter::default()
    };
    let of_kind = |kind| DroppedFilter {
        kinds: vec![kind],
        ..DroppedFilter::default()
    };
    let all = DroppedFilter::default();
    let mut changes = store.watch_dropped();
    put(&store, &file("a", "1.wav", DropState::Taken(id(1))));
    put(&store, &file("b", "1.wav", DropState::Known(id(1))));
    put(&store, &file("a", "dir/2.wav", DropState::Waiting));
    assert!(changes.has_changed().expect("watched"));
    changes.mark_unchanged();
    // A call that is not there was deleted.
    assert_eq!(paths(&store, &of_kind(DropKind::Deleted), by_name).len(), 2);
    // One of no file in the list is nobody's matter.
    put_call(&store, &call(&id(9)));
    assert!(!changes.has_changed().expect("watched"));
    put_call(&store, &call(&id(1)));
    put(&store, &file("a", "1.wav", DropState::Taken(id(1))));
    put(&store, &file("b", "1.wav", DropState::Known(id(1))));
    changes.mark_unchanged();
    assert_eq!(paths(&store, &of("анна"), by_name), ["1.wav", "1.wav"]);
    store.set_operator(&id(1), Some("Вера")).expect("set");
    assert!(changes.has_changed().expect("watched"));
    assert!(paths(&store, &of("Анна"), by_name).is_empty());
    assert_eq!(paths(&store, &of("ВЕРА"), by_name).len(), 2);
    // The name's word counts while there is no call.
    let phone = DroppedFilter {
        terms: Terms::default().phone(Some("8 916 123-45-67")),
        ..DroppedFilter::default()
    };
    assert_eq!(paths(&store, &phone, by_name), ["dir/2.wav"]);
    store.delete_call(&id(1)).expect("deleted");
    assert_eq!(paths(&store, &of_kind(DropKind::Deleted), by_name).len(), 2);
    assert_eq!(paths(&store, &phone, by_name).len(), 3);
    store.rename_dropped("a", b"dir", b"other").expect("moved");
    assert_eq!(
        paths(&store, &all, by_name),
        ["1.wav", "1.wav", "other/2.wav"]
    );
    store.forget_dropped("a", b"other").expect("gone");
    store.forget_dropped("b", b"1.wav").expect("gone");
    let page = store.dropped_page(&all, by_name, 0, 10).expect("a page");
    assert_eq!((page.total, page.sendable), (1, 1));
    assert_eq!(page.rows[0].file.user, "a");
    // As it was made, so it is made anew.
    drop(store);
    let store = Store::open(dir.path()).expect("a store");
    assert_eq!(paths(&store, &all, by_name), ["1.wav"]);
}

#[test]
fn many_changes_that_nobody_looks_at_are_caught_up_with() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    store.ready_dropped().expect("ready");
    let files: Vec<DroppedFile> = (0..MAX_STALE + 10)
        .map(|number| file("a", &format!("{number}.wav"), DropState::Waiting))
        .collect();
    let txn = store.write().expect("a transaction");
    for file in &files {
        let mut table = txn.open_table(DROPPED).expect("a table");
        let record = super::super::record::encode(file).expect("encoded");
        table
            .insert(("a", file.path.as_bytes()), record.as_slice())
            .expect("put");
        txn.file_changes("a", file.path.as_bytes());
    }
    txn.commit().expect("written");
    assert!(store.listing.lock().files.is_empty());
    let page = store.dropped_page(
        &DroppedFilter::default(),
        sorted(DroppedKey::Name, true),
        0,
        2,
    );
    let page = page.expect("a page");
    assert_eq!(page.total as usize, files.len());
    assert_eq!(page.rows[0].file.path, "999.wav");
    let half: Vec<FileKey> = files
        .iter()
        .step_by(2)
        .map(|file| ("a".to_owned(), file.path.clone().into_bytes()))
        .collect();
    store.forget_all_dropped(&half).expect("gone");
    let left = store
        .dropped_matching(&DroppedFilter::default(), usize::MAX)
        .expect("left");
    assert_eq!(left.len(), files.len() / 2);
    assert!(left.iter().all(|name| {
        let number: usize = String::from_utf8_lossy(&name.path)
            .trim_end_matches(".wav")
            .parse()
            .expect("a number");
        number % 2 == 1
    }));
}

#[test]
fn orders_and_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let names = ["б.wav", "A/z.wav", "a/B.wav", "Я.wav", "a.wav", "c.wav"];
    for (number, name) in names.into_iter().enumerate() {
        let mut file = file("a", name, DropState::Waiting);
        file.size_bytes = 10 - number as u64;
        file.duration_ms = (number > 2).then_some(number as u64 * 1000);
        file.arrived_at = Timestamp::from_second(1_700_000_000 + number as i64).expect("a time");
        put(&store, &file);
    }
    // Not UTF-8: in order all the same, whatever it is next to.
    for name in [&b"\xff\xfe.wav"[..], b"a\xd0.wav", b"\xd0"] {
        let shown = String::from_utf8_lossy(name).into_owned();
        let mut file = file("a", &shown, DropState::Waiting);
        file.size_bytes = 0;
        store.put_dropped(name, &file).expect("put");
    }
    let all = DroppedFilter::default();
    let up = paths(&store, &all, sorted(DroppedKey::Name, false));
    let mut down = paths(&store, &all, sorted(DroppedKey::Name, true));
    down.reverse();
    assert_eq!(up, down);
    let known: Vec<&String> = up
        .iter()
        .filter(|name| !name.contains('\u{fffd}'))
        .collect();
    assert_eq!(
        known,
        ["a.wav", "a/B.wav", "A/z.wav", "c.wav", "б.wav", "Я.wav"]
    );
    let lengths = paths(&store, &all, sorted(DroppedKey::Duration, true));
    assert_eq!(lengths[..3], ["c.wav", "a.wav", "Я.wav"]);
    let lengths = paths(&store, &all, sorted(DroppedKey::Duration, false));
    assert_eq!(lengths[..3], ["Я.wav", "a.wav", "c.wav"]);
    assert_eq!(
        paths(&store, &all, sorted(DroppedKey::Size, true))[0],
        "б.wav"
    );
    assert_eq!(
        paths(&store, &all, sorted(DroppedKey::Arrived, true))[0],
        "c.wav"
    );
    let mut pages = Vec::new();
    for first in (0..9).step_by(2) {
        let page = store.dropped_page(&all, sorted(DroppedKey::Name, false), first, 2);
        pages.extend(
            page.expect("a page")
                .rows
                .into_iter()
                .map(|row| row.file.path),
        );
    }
    assert_eq!(pages, up);
    let beyond = store.dropped_page(&all, sorted(DroppedKey::Size, false), 100, 2);
    let beyond = beyond.expect("a page");
    assert_eq!((beyond.total, beyond.rows.len()), (9, 0));
    let text = |text: &str| DroppedFilter {
        text: Some(text.to_owned()),
        ..DroppedFilter::default()
    };
    assert_eq!(
        paths(&store, &text("a/b"), sorted(DroppedKey::Name, false)),
        ["a/B.wav"]
    );
    assert_eq!(
        paths(&store, &text("я"), sorted(DroppedKey::Name, false)),
        ["Я.wav"]
    );
    assert!(paths(&store, &text(".*"), sorted(DroppedKey::Name, false)).is_empty());
}
