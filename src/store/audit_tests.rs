//! The chain of the audit, and what tampering with it shows.

use std::sync::Barrier;

use super::*;

fn person(name: &str) -> Actor {
    Actor::Person {
        name: name.to_owned(),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(dir.path()).expect("store");
    (dir, store)
}

fn fill(store: &Store, entries: u64) {
    for number in 0..entries {
        let mut entry = Entry::new(person("olga"), Action::Viewed).about(format!("call-{number}"));
        entry.at = Timestamp::from_second(1_000_000 + number as i64).expect("a time");
        assert_eq!(store.record(entry).expect("written"), number + 1);
    }
}

fn tamper(store: &Store, change: impl FnOnce(&mut redb::Table<'_, u64, &'static [u8]>)) {
    let txn = store.write().expect("a transaction");
    change(&mut txn.open_table(AUDIT).expect("the table"));
    txn.commit().expect("durable");
}

fn raw(store: &Store, number: u64) -> Vec<u8> {
    let txn = store.read().expect("a transaction");
    let table = txn.open_table(AUDIT).expect("the table");
    let value = table.get(number).expect("read").expect("there");
    value.value().to_vec()
}

#[test]
fn what_was_written_is_found_to_be_whole() {
    let (dir, store) = store();
    let empty = store.verify_audit(None).expect("verified");
    assert_eq!((empty.entries, empty.fault), (0, None));
    fill(&store, 5);
    let found = store.verify_audit(None).expect("verified");
    assert_eq!(
        (found.entries, found.first, found.last, &found.fault),
        (5, Some(1), Some(5), &None)
    );
    assert!(found.head.starts_with("5:") && found.head.len() == 66);
    // It goes on after the store was closed.
    drop(store);
    let store = Store::open(dir.path()).expect("store");
    let entry = Entry::new(Actor::System, Action::Started);
    assert_eq!(store.record(entry).expect("written"), 6);
    let later = store.verify_audit(Some(&found.head)).expect("verified");
    assert_eq!((later.entries, later.fault), (6, None));
}

#[test]
fn every_kind_of_tampering_is_found() {
    type Change = fn(&mut redb::Table<'_, u64, &'static [u8]>);
    fn value(table: &redb::Table<'_, u64, &'static [u8]>, number: u64) -> Vec<u8> {
        let value = table.get(number).expect("read").expect("there");
        value.value().to_vec()
    }
    fn put(table: &mut redb::Table<'_, u64, &'static [u8]>, number: u64, value: &[u8]) {
        table.insert(number, value).expect("written");
    }
    let kinds: [(&str, Change, u64); 8] = [
        (
            "a byte is flipped",
            |t| {
                let mut bytes = value(t, 3);
                // In the subject: it is JSON as before.
                let at = bytes
                    .windows(6)
                    .position(|part| part == b"call-2")
                    .expect("it");
                bytes[at + 5] = b'9';
                put(t, 3, &bytes);
            },
            4,
        ),
        (
            "an entry is removed",
            |t| {
                t.remove(3).expect("removed");
            },
            3,
        ),
        (
            "the first is removed",
            |t| {
                t.remove(1).expect("removed");
            },
            1,
        ),
        (
            "the last is removed",
            |t| {
                t.remove(6).expect("removed");
            },
            6,
        ),
        (
            "the last is changed",
            |t| {
                let mut bytes = value(t, 6);
                let at = bytes
                    .windows(6)
                    .position(|part| part == b"call-5")
                    .expect("it");
                bytes[at + 5] = b'9';
                put(t, 6, &bytes);
            },
            6,
        ),
        (
            "two change places",
            |t| {
                let (a, b) = (value(t, 3), value(t, 4));
                put(t, 3, &b);
                put(t, 4, &a);
            },
            3,
        ),
        (
            "one is put in at the end",
            |t| {
                let bytes = value(t, 6);
                put(t, 7, &bytes);
            },
            7,
        ),
        (
            "one is cut short",
            |t| {
                let bytes = value(t, 2);
                put(t, 2, &bytes[..20]);
            },
            2,
        ),
    ];
    for (what, change, number) in kinds {
        let (_dir, store) = store();
        fill(&store, 6);
        assert_eq!(store.verify_audit(None).expect("verified").fault, None);
        tamper(&store, change);
        let found = store.verify_audit(None).expect("verified");
        let fault = found.fault.unwrap_or_else(|| panic!("{what} is not found"));
        assert_eq!(fault.number, number, "{what}: {}", fault.reason);
    }
}

#[test]
fn a_cut_end_shows_against_a_noted_head() {
    let (_dir, store) = store();
    fill(&store, 6);
    let noted = store.verify_audit(None).expect("verified").head;
    let shorter = Link::of(4, &raw(&store, 4));
    let txn = store.write().expect("a transaction");
    {
        let mut table = txn.open_table(AUDIT).expect("the table");
        table.remove(5).expect("removed");
        table.remove(6).expect("removed");
        let mut meta = txn.open_table(schema::META).expect("meta");
        meta.insert(HEAD, shorter.bytes().as_slice())
            .expect("written");
    }
    txn.commit().expect("durable");
    // By itself the chain is whole: only the note tells.
    assert_eq!(store.verify_audit(None).expect("verified").fault, None);
    let fault = store.verify_audit(Some(&noted)).expect("verified").fault;
    assert_eq!(fault.expect("a fault").number, 6);
    assert!(
        store
            .verify_audit(Some("nonsense"))
            .expect("verified")
            .fault
            .is_some()
    );
}

#[test]
fn pruning_keeps_the_rest_verifiable_and_is_written_down() {
    let (_dir, store) = store();
    fill(&store, 10);
    let noted = store.verify_audit(None).expect("verified").head;
    let before = Timestamp::from_second(1_000_004).expect("a time");
    assert_eq!(store.prune_audit(before).expect("pruned"), 4);
    assert_eq!(store.prune_audit(before).expect("nothing"), 0);
    let found = store.verify_audit(Some(&noted)).expect("verified");
    assert_eq!(
        (found.entries, found.first, found.last, &found.fault),
        (7, Some(5), Some(11), &None)
    );
    let (entries, next) = store
        .audit_before(&Wanted::default(), None, 1)
        .expect("read");
    assert_eq!(entries[0].entry.action, Action::AuditPruned);
    assert!(
        entries[0]
            .entry
            .detail
            .as_deref()
            .is_some_and(|detail| detail.starts_with("1–4; "))
    );
    assert_eq!(next, Some(11));
    // Everything but the newest may go; the anchor cannot be moved unseen.
    store
        .prune_audit(Timestamp::now() + jiff::SignedDuration::from_hours(1))
        .expect("pruned");
    assert_eq!(store.verify_audit(None).expect("verified").fault, None);
    let txn = store.write().expect("a transaction");
    {
        let mut meta = txn.open_table(schema::META).expect("meta");
        let forged = Link {
            number: 11,
            hash: [7; 32],
        };
        meta.insert(ANCHOR, forged.bytes().as_slice())
            .expect("written");
    }
    txn.commit().expect("durable");
    assert!(store.verify_audit(None).expect("verified").fault.is_some());
}

#[test]
fn many_threads_write_and_none_is_lost() {
    let (_dir, store) = store();
    let start = Barrier::new(8);
    std::thread::scope(|threads| {
        for thread in 0..8 {
            let (store, start) = (&store, &start);
            threads.spawn(move || {
                start.wait();
                for number in 0..10 {
                    let entry =
                        Entry::new(person("a"), Action::Viewed).about(format!("{thread}-{number}"));
                    let number = store.record(entry.clone()).expect("written");
                    let kept = parse(number, &raw(store, number)).expect("an entry");
                    assert_eq!(kept.entry.subject, entry.subject);
                }
            });
        }
    });
    let found = store.verify_audit(None).expect("verified");
    assert_eq!((found.entries, found.fault), (80, None));
}

#[test]
fn the_same_deed_within_the_window_is_one_entry() {
    let (_dir, store) = store();
    let hour = Duration::from_secs(3600);
    let view = |who: &str, call: &str| Entry::new(person(who), Action::Viewed).about(call);
    for _ in 0..3 {
        store.record_once(view("a", "1"), hour).expect("written");
    }
    store.record_once(view("b", "1"), hour).expect("written");
    store.record_once(view("a", "2"), hour).expect("written");
    store
        .record_once(view("a", "1"), Duration::ZERO)
        .expect("written");
    assert_eq!(store.verify_audit(None).expect("verified").entries, 4);
}

#[test]
fn entries_are_read_page_by_page_both_ways() {
    let (_dir, store) = store();
    fill(&store, 5);
    let wanted = Wanted::default();
    let numbers = |(entries, next): (Vec<Numbered>, Option<u64>)| {
        let numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
        (numbers, next)
    };
    let before = |before| numbers(store.audit_before(&wanted, before, 2).expect("read"));
    assert_eq!(before(None), (vec![5, 4], Some(4)));
    assert_eq!(before(Some(4)), (vec![3, 2], Some(2)));
    assert_eq!(before(Some(2)), (vec![1], None));
    let after = |after| numbers(store.audit_after(&wanted, after, 3).expect("read"));
    assert_eq!(after(0), (vec![1, 2, 3], Some(3)));
    assert_eq!(after(3), (vec![4, 5], None));
}

#[test]
fn what_begins_is_told_by_its_end_or_by_the_next_start() {
    let (dir, store) = store();
    let deed = |subject: &str| Entry::new(person("olga"), Action::Deleted).about(subject);
    let [ended, refused, _cut_off] =
        ["ended", "refused", "cut off"].map(|subject| store.begin(deed(subject)).expect("written"));
    // Nothing is told twice: what has begun is no entry yet.
    assert_eq!(store.verify_audit(None).expect("verified").entries, 0);
    store
        .settle(Some(ended), vec![deed("ended")], None)
        .expect("written");
    store
        .settle(Some(refused), Vec::new(), None)
        .expect("written");
    drop(store);
    let store = Store::open(dir.path()).expect("store");
    let (entries, _) = store
        .audit_after(&Wanted::default(), 0, 10)
        .expect("entries");
    let told: Vec<_> = entries
        .iter()
        .map(|numbered| {
            let entry = &numbered.entry;
            (entry.subject.as_deref(), entry.outcome.name())
        })
        .collect();
    assert_eq!(
        told,
        [(Some("ended"), "done"), (Some("cut off"), "unknown")]
    );
    drop(store);
    let store = Store::open(dir.path()).expect("store");
    let verified = store.verify_audit(None).expect("verified");
    assert_eq!((verified.entries, verified.fault), (2, None));
}

#[test]
fn one_deed_is_written_once_and_its_ticket_ends_each_time() {
    let (dir, store) = store();
    let look = || vec![Entry::new(person("olga"), Action::Viewed).about("call")];
    for _ in 0..3 {
        let ticket = store.begin(look().remove(0)).expect("written");
        store
            .settle(Some(ticket), look(), Some(Duration::from_secs(600)))
            .expect("written");
    }
    drop(store);
    let store = Store::open(dir.path()).expect("store");
    assert_eq!(store.verify_audit(None).expect("verified").entries, 1);
}
