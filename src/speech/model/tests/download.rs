//! Tests of the download against a server in the test that can answer parts,
//! break off, ignore `Range` and refuse.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::fixture::Tiny;
use crate::speech::model::{
    Manifest, ManifestEntry, ModelError, ModelStore, Origin, Quantize, Step, files,
};

/// How the server behaves.
#[derive(Clone, Copy)]
enum Manner {
    Good,
    /// Closes the connection after this many bytes of a body, the first N times.
    Breaks {
        after: usize,
        times: usize,
    },
    /// Always sends the whole file.
    NoRanges,
    Status(u16),
}

struct Server {
    url: String,
    ranges: Arc<Mutex<Vec<String>>>,
}

fn serve(content: Vec<u8>, manner: Manner) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("addr"));
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ranges);
    std::thread::spawn(move || {
        let connections = AtomicUsize::new(0);
        for stream in listener.incoming().flatten() {
            let n = connections.fetch_add(1, Ordering::SeqCst);
            let _ = answer(stream, &content, manner, n, &seen);
        }
    });
    Server { url, ranges }
}

fn answer(
    mut stream: TcpStream,
    content: &[u8],
    manner: Manner,
    connection: usize,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: ") {
            range = value.to_owned();
        }
    }
    seen.lock().expect("lock").push(range.clone());
    let from = range
        .strip_prefix("bytes=")
        .and_then(|r| r.strip_suffix('-'))
        .and_then(|n| n.parse::<usize>().ok())
        .filter(|_| !matches!(manner, Manner::NoRanges));
    if let Manner::Status(status) = manner {
        return write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let body = &content[from.unwrap_or(0)..];
    match from {
        Some(from) => write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\n",
            content.len() - 1,
            content.len()
        )?,
        None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
    }
    write!(
        stream,
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    let end = match manner {
        Manner::Breaks { after, times } if connection < times => after.min(body.len()),
        _ => body.len(),
    };
    stream.write_all(&body[..end])
}

/// A whole tiny model, its manifest entry under the name `tiny`, and an empty store.
fn setup() -> (TempDir, Vec<u8>, ManifestEntry) {
    let dir = tempfile::tempdir().expect("tempdir");
    let ct2 = dir.path().join("ct2");
    Tiny::new().write_ct2(&ct2, false);
    let made = ModelStore::open(dir.path().join("made"))
        .import(&ct2, Some("m"), Quantize::Q8_0, &mut |_| {})
        .expect("import");
    let content = fs::read(&made.path).expect("read");
    let sha256 = files::sha256(&made.path, |_| {}).expect("hash");
    let entry = ManifestEntry {
        name: "tiny".into(),
        size_bytes: content.len() as u64,
        sha256,
    };
    (dir, content, entry)
}

fn store(dir: &TempDir, url: &str, entry: &ManifestEntry) -> ModelStore {
    ModelStore::open(dir.path().join("models"))
        .with_manifest(Manifest::for_tests(url, vec![entry.clone()]))
}

#[test]
fn a_model_arrives_whole_and_is_kept() {
    let (dir, content, entry) = setup();
    let server = serve(content.clone(), Manner::Good);
    let store = store(&dir, &server.url, &entry);
    let mut steps = Vec::new();
    let model = store.pull("tiny", &mut |p| steps.push(p)).expect("pull");
    assert_eq!(model.origin, Origin::Published);
    assert_eq!(fs::read(&model.path).expect("read"), content);
    let last = steps.last().expect("progress");
    assert_eq!(
        (last.step, last.done_bytes),
        (Step::Download, entry.size_bytes)
    );

    store.pull("tiny", &mut |_| {}).expect("again");
    assert_eq!(
        server.ranges.lock().expect("lock").len(),
        1,
        "the good file was kept"
    );
    assert!(matches!(
        store.pull("huge", &mut |_| {}),
        Err(ModelError::UnknownName { .. })
    ));
}

#[test]
fn a_broken_connection_goes_on_where_it_stopped() {
    let (dir, content, entry) = setup();
    let server = serve(
        content,
        Manner::Breaks {
            after: 1_000_000,
            times: 2,
        },
    );
    let store = store(&dir, &server.url, &entry);
    store.pull("tiny", &mut |_| {}).expect("pull");
    let ranges = server.ranges.lock().expect("lock").clone();
    assert_eq!(ranges[0], "");
    assert!(
        ranges.len() == 3 && ranges[1..].iter().all(|r| r.starts_with("bytes=")),
        "{ranges:?}"
    );
}

#[test]
fn an_earlier_try_is_continued() {
    let (dir, content, entry) = setup();
    let server = serve(content.clone(), Manner::Good);
    let store = store(&dir, &server.url, &entry);
    fs::create_dir_all(store.dir()).expect("mkdir");
    fs::write(store.dir().join("ggml-tiny.bin.part"), &content[..777]).expect("part");
    store.pull("tiny", &mut |_| {}).expect("pull");
    assert_eq!(*server.ranges.lock().expect("lock"), ["bytes=777-"]);
    assert!(!store.dir().join("ggml-tiny.bin.part").exists());
}

#[test]
fn a_server_without_ranges_starts_again() {
    let (dir, content, entry) = setup();
    let server = serve(content.clone(), Manner::NoRanges);
    let store = store(&dir, &server.url, &entry);
    fs::create_dir_all(store.dir()).expect("mkdir");
    fs::write(store.dir().join("ggml-tiny.bin.part"), &content[..777]).expect("part");
    let model = store.pull("tiny", &mut |_| {}).expect("pull");
    assert_eq!(fs::read(model.path).expect("read"), content);
}

#[test]
fn other_bytes_are_thrown_away() {
    let (dir, mut content, entry) = setup();
    content[5_000] ^= 1;
    let server = serve(content, Manner::Good);
    let store = store(&dir, &server.url, &entry);
    assert!(matches!(
        store.pull("tiny", &mut |_| {}),
        Err(ModelError::WrongDownload { .. })
    ));
    assert_eq!(fs::read_dir(store.dir()).expect("dir").count(), 0);
}

#[test]
fn refusals_and_silence_are_told_apart() {
    let (dir, _, entry) = setup();
    let server = serve(Vec::new(), Manner::Status(404));
    let store_404 = store(&dir, &server.url, &entry);
    let error = store_404.pull("tiny", &mut |_| {}).expect_err("404");
    let left = fs::read_dir(store_404.dir()).expect("dir").count();
    assert_eq!(left, 0, "no empty file is left");
    assert!(
        matches!(error, ModelError::Refused { status: 404, .. }),
        "{error}"
    );

    let server = serve(Vec::new(), Manner::Status(503));
    let error = store(&dir, &server.url, &entry)
        .pull("tiny", &mut |_| {})
        .expect_err("503");
    assert!(matches!(error, ModelError::Offline { .. }), "{error}");

    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("bind")
        .local_addr()
        .expect("addr");
    let url = format!("http://{closed}");
    let error = store(&dir, &url, &entry)
        .pull("tiny", &mut |_| {})
        .expect_err("closed");
    assert!(matches!(error, ModelError::Offline { .. }), "{error}");
    assert!(error.to_string().contains("CALL_ANALYTICS_MODEL_MIRROR"));
}

#[test]
fn two_at_once_do_not_mix() {
    let (dir, content, entry) = setup();
    let server = serve(content, Manner::Good);
    let store = store(&dir, &server.url, &entry);
    fs::create_dir_all(store.dir()).expect("mkdir");
    let held = files::PartFile::open(&store.dir().join("ggml-tiny.bin"), 1).expect("part");
    assert!(matches!(
        store.pull("tiny", &mut |_| {}),
        Err(ModelError::Busy(_))
    ));
    drop(held);
    store.pull("tiny", &mut |_| {}).expect("free again");
}
