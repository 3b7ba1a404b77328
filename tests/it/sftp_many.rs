//! The list of dropped files with many of them: what a page costs. Prints its
//! figures and asserts none; started by benches/files/run.sh.

use std::time::{Duration, Instant};

use call_analytics::domain::dropped::NameTold;
use call_analytics::domain::phone::Number;
use call_analytics::domain::terms::Terms;
use call_analytics::domain::{
    Call, CallDetails, CallId, DropKind, DropState, DroppedFile, Job, MediaKind, Priority, Source,
};
use call_analytics::store::{DroppedFilter, DroppedKey, DroppedSort, Store};
use jiff::Timestamp;
use redb::{Database, TableDefinition};

const CALLS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("calls");
const JOBS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("jobs");
const DROPPED: TableDefinition<'_, (&str, &[u8]), &[u8]> = TableDefinition::new("dropped_files");

fn record(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = vec![1];
    serde_json::to_writer(&mut bytes, value).expect("JSON");
    bytes
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.expect("a number") / 1024.0
}

/// Writes `count` files, three of four of them calls, past the store's own
/// transactions, one of which a file would take minutes.
fn fill(path: &std::path::Path, count: usize) {
    let db = Database::create(path).expect("the store's file");
    let txn = db.begin_write().expect("a transaction");
    {
        let mut calls = txn.open_table(CALLS).expect("calls");
        let mut jobs = txn.open_table(JOBS).expect("jobs");
        let mut dropped = txn.open_table(DROPPED).expect("files");
        let start: Timestamp = "2024-01-01T00:00:00Z".parse().expect("a time");
        for number in 0..count {
            let at = start + Duration::from_secs(number as u64 * 700);
            let caller = Number::of(&format!("79{:09}", number * 7919 % 1_000_000_000));
            let name = format!(
                "{}/{}__{}__Ivanov({})_11322899185_{number}.mp3",
                at.strftime("%Y/%m/%d"),
                at.strftime("%Y.%m.%d__%H-%M-%S"),
                caller.as_ref().map_or("", |caller| &caller.text),
                100 + number % 80,
            );
            let details = CallDetails {
                caller: caller.clone(),
                called: Number::of("74951234567"),
                extension: Some((100 + number % 80).to_string()),
                order_ids: vec![format!("A-{number}")],
                tags: vec!["новый клиент".to_owned()],
                ..CallDetails::default()
            };
            let mut state = DropState::Waiting;
            if number % 4 > 0 {
                let id = ulid::Ulid::from_parts(number as u64, number as u128).to_string();
                let id = CallId::new(id).expect("an id");
                let call = Call {
                    id: id.clone(),
                    sha256: format!("{number:064x}"),
                    filename: name.clone(),
                    operator: Some(format!("Оператор Номер {}", number % 80)),
                    language: None,
                    source: Source::Sftp,
                    direction: None,
                    media: MediaKind::Audio,
                    created_at: at,
                    started_at: Some(at),
                    duration_ms: Some((number as u64 * 31) % 900_000),
                    speakers_swapped: false,
                    separation: None,
                    score: None,
                    details: details.clone(),
                };
                let job = Job::new(id.clone(), Priority::Bulk, at);
                calls
                    .insert(id.as_str(), record(&call).as_slice())
                    .expect("put");
                jobs.insert(id.as_str(), record(&job).as_slice())
                    .expect("put");
                state = DropState::Taken(id);
            }
            let told = NameTold {
                started_at: Some(at),
                caller,
                extension: details.extension,
                ..NameTold::default()
            };
            let file = DroppedFile {
                user: "mango".to_owned(),
                path: name.clone(),
                size_bytes: 200_000 + number as u64 % 3_000_000,
                modified_at: at,
                inode: (1, number as u64),
                arrived_at: at,
                state,
                duration_ms: None,
                told: Some(Box::new(told)),
            };
            dropped
                .insert(("mango", name.as_bytes()), record(&file).as_slice())
                .expect("put");
        }
    }
    txn.commit().expect("written");
}

#[test]
#[ignore = "prints figures: benches/files/run.sh"]
fn a_page_of_many_files() {
    let count = std::env::var("FILES").map_or(100_000, |count| count.parse().expect("a number"));
    if let Some(dir) = std::env::var_os("FILL") {
        let dir = std::path::Path::new(&dir);
        drop(Store::open(dir).expect("made"));
        fill(&dir.join("call-analytics.redb"), count);
        return;
    }
    // By another process, so that this one's memory is the list's.
    let dir = tempfile::tempdir().expect("a directory");
    let filled = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "sftp_many::a_page_of_many_files"])
        .env("FILL", dir.path())
        .output()
        .expect("it runs");
    assert!(filled.status.success());
    let store = Store::open(dir.path()).expect("opened");
    // What the store itself keeps of the pages it reads is not the list's.
    let names = store.all_dropped().expect("names");
    for (user, path) in &names {
        store.dropped(user, path).expect("read");
    }
    drop(names);
    store.each_entry(drop).expect("read");
    let before = resident_mb();
    let start = Instant::now();
    store.ready_dropped().expect("the list");
    println!(
        "{count} files: the list is made in {:.2} s, {:.1} MB more in memory",
        start.elapsed().as_secs_f64(),
        resident_mb() - before
    );
    let filter = DroppedFilter::default;
    let terms = Terms::default;
    let all = [
        ("everything", filter()),
        (
            "q=ivanov(142)",
            DroppedFilter {
                text: Some("ivanov(142)".into()),
                ..filter()
            },
        ),
        (
            "q=иванов (nothing)",
            DroppedFilter {
                text: Some("иванов".into()),
                ..filter()
            },
        ),
        (
            "state=waiting",
            DroppedFilter {
                kinds: vec![DropKind::Waiting],
                ..filter()
            },
        ),
        (
            "duration 1–5 min",
            DroppedFilter {
                duration_min_ms: Some(60_000),
                duration_max_ms: Some(300_000),
                ..filter()
            },
        ),
        (
            "caller",
            DroppedFilter {
                terms: terms().caller(Some("8 (903) 12")),
                ..filter()
            },
        ),
        (
            "any phone",
            DroppedFilter {
                terms: terms().phone(Some("4567")),
                ..filter()
            },
        ),
        (
            "operator",
            DroppedFilter {
                terms: terms().operator(Some("оператор номер 7")),
                ..filter()
            },
        ),
        (
            "order",
            DroppedFilter {
                terms: terms().order(Some("a-4711")),
                ..filter()
            },
        ),
        (
            "tag",
            DroppedFilter {
                terms: terms().tag(Some("Новый клиент")),
                ..filter()
            },
        ),
    ];
    let measure = |what: &str, filter: &DroppedFilter, sort: DroppedSort, first: usize| {
        let mut times: Vec<f64> = (0..15)
            .map(|_| {
                let start = Instant::now();
                let page = store.dropped_page(filter, sort, first, 50).expect("a page");
                assert!(page.total <= count as u64);
                start.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{what:40} median {:6.2} ms, slowest {:6.2} ms",
            times[7], times[14]
        );
    };
    let arrived = DroppedSort {
        key: DroppedKey::Arrived,
        descending: true,
    };
    for (what, filter) in &all {
        measure(what, filter, arrived, 0);
    }
    for key in [
        DroppedKey::Date,
        DroppedKey::Name,
        DroppedKey::Size,
        DroppedKey::Duration,
    ] {
        for descending in [false, true] {
            let what = format!("by {key:?}, descending: {descending}");
            measure(&what, &all[0].1, DroppedSort { key, descending }, 0);
        }
    }
    measure(
        "the last page, by name",
        &all[0].1,
        DroppedSort {
            key: DroppedKey::Name,
            descending: false,
        },
        count - 50,
    );
    // Everything is said of one file to have changed, then a page is asked for.
    let id = store
        .dropped_page(&all[0].1, arrived, 0, 1)
        .expect("a page")
        .rows[0]
        .entry
        .clone();
    if let Some(entry) = id {
        let start = Instant::now();
        store
            .set_operator(&entry.call.id, Some("Другой"))
            .expect("set");
        let written = start.elapsed();
        let filter = DroppedFilter {
            terms: terms().operator(Some("другой")),
            ..filter()
        };
        let start = Instant::now();
        let page = store.dropped_page(&filter, arrived, 0, 50).expect("a page");
        assert_eq!(page.total, 1);
        println!(
            "a call changes: written in {:.2} ms, the page after it {:.2} ms",
            written.as_secs_f64() * 1000.0,
            start.elapsed().as_secs_f64() * 1000.0
        );
    }
}
