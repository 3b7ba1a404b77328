//! What is in force after starts and choices.

use super::*;
use crate::domain::scorecard_toml::{DEFAULT_SCORECARD, parse};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(dir.path()).expect("store");
    (dir, store)
}

fn renamed(name: &str) -> (Scorecard, String) {
    let text = DEFAULT_SCORECARD.replace("Звонок по телефону", name);
    (parse(&text, 0).expect("valid"), text)
}

fn start(store: &Store, name: &str, origin: CardOrigin) -> (String, u32) {
    let (card, text) = renamed(name);
    let card = store
        .adopt_scorecard(card, &text, origin, Timestamp::now())
        .expect("adopted");
    (card.name, card.version)
}

fn by_person(store: &Store, name: &str) -> CardKey {
    let (card, text) = renamed(name);
    let note = CardNote {
        text,
        created_at: Timestamp::now(),
        origin: CardOrigin::Person,
        author: Some("admin".to_owned()),
        comment: "why".to_owned(),
    };
    key_of(&store.keep_scorecard(card, &note).expect("kept"))
}

#[test]
fn what_people_chose_outlives_starts_and_new_programs() {
    let (_dir, store) = store();
    assert_eq!(start(&store, "A", CardOrigin::BuiltIn), ("A".to_owned(), 1));
    // A new program brings a new card; nobody has chosen another.
    assert_eq!(start(&store, "B", CardOrigin::BuiltIn), ("B".to_owned(), 2));
    let own = by_person(&store, "Own");
    store
        .enforce_scorecard(&own, "admin", Timestamp::now())
        .expect("in force");
    assert_eq!(start(&store, "B", CardOrigin::BuiltIn).0, "Own");
    assert_eq!(start(&store, "C", CardOrigin::BuiltIn).0, "Own");
    let by: Vec<_> = store
        .enforced()
        .expect("history")
        .into_iter()
        .map(|one| (one.key.version, one.by))
        .collect();
    assert_eq!(by, [(3, Some("admin".to_owned())), (2, None), (1, None)]);
}

#[test]
fn a_file_takes_over_when_it_changes_and_only_then() {
    let (_dir, store) = store();
    start(&store, "Built in", CardOrigin::BuiltIn);
    assert_eq!(start(&store, "File 1", CardOrigin::File).0, "File 1");
    let own = by_person(&store, "Own");
    store
        .enforce_scorecard(&own, "admin", Timestamp::now())
        .expect("in force");
    assert_eq!(start(&store, "File 1", CardOrigin::File).0, "Own");
    assert_eq!(start(&store, "File 2", CardOrigin::File).0, "File 2");
    // Without the file the built-in one is back.
    assert_eq!(start(&store, "Built in", CardOrigin::BuiltIn).0, "Built in");
}

#[test]
fn the_same_content_is_the_same_version() {
    let (_dir, store) = store();
    start(&store, "A", CardOrigin::BuiltIn);
    let own = by_person(&store, "Own");
    assert_eq!(own.version, 2);
    assert_eq!(by_person(&store, "A").version, 1);
    assert_eq!(by_person(&store, "Own"), own);
    assert_eq!(store.scorecard_versions().expect("list").len(), 2);
    let text = store.scorecard_text(&own).expect("read").expect("text");
    assert!(text.contains("name = \"Own\"") && text.starts_with("# The built-in"));
}

#[test]
fn nobody_overwrites_a_draft_unseen() {
    let (_dir, store) = store();
    let draft = CardDraft {
        id: "d".to_owned(),
        text: "unfinished".to_owned(),
        base: None,
        saved_at: Timestamp::now(),
        revision: 0,
        author: "a".to_owned(),
    };
    let first = store.save_card_draft(draft.clone()).expect("saved");
    assert_eq!(first.revision, 1);
    let second = store.save_card_draft(first.clone()).expect("saved");
    let refused = store.save_card_draft(first).expect_err("stale");
    assert!(matches!(refused, StoreError::StaleDraft));
    store.remove_card_draft("d").expect("removed");
    let gone = store.save_card_draft(second).expect_err("gone");
    assert!(matches!(gone, StoreError::NoSuchDraft));
}
