//! Tests of the conversation, with a client that is a script of bytes.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use super::super::beneath::Root;
use super::super::folder::Common;
use super::super::{End, Watch};
use super::*;

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn add(&self, text: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watch for Told {
    fn opened(&self, _: &str, path: &Path) {
        self.add(format!("opened {}", path.display()));
    }

    fn closed(&self, _: &str, path: &Path, end: End) {
        self.add(format!("closed {} {end:?}", path.display()));
    }

    fn renamed(&self, _: &str, from: &Path, to: &Path) {
        self.add(format!("renamed {} {}", from.display(), to.display()));
    }

    fn removed(&self, _: &str, path: &Path) {
        self.add(format!("removed {}", path.display()));
    }
}

/// A folder, and a client who says everything at once.
struct Place {
    dir: TempDir,
    folder: Arc<Folder>,
    told: Arc<Told>,
}

struct Script<'a> {
    says: &'a [u8],
    /// Bytes given at a time.
    pace: usize,
    hears: Vec<u8>,
}

impl Pipe for Script<'_> {
    fn read(&mut self, into: &mut [u8]) -> usize {
        let count = self.says.len().min(into.len()).min(self.pace);
        into[..count].copy_from_slice(&self.says[..count]);
        self.says = &self.says[count..];
        count
    }

    fn write(&mut self, bytes: &[u8]) -> bool {
        self.hears.extend_from_slice(bytes);
        true
    }
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let told = Arc::new(Told::default());
        let common = Common {
            staging: Root::open(&dir.path().join("staging")).expect("staging"),
            keep_free: 0,
            watch: told.clone(),
            copies: AtomicU64::new(0),
        };
        let folder =
            Folder::open("user", &dir.path().join("root"), Arc::new(common)).expect("folder");
        Self {
            dir,
            folder: Arc::new(folder),
            told,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("root").join(name)
    }

    /// Sends bytes after the greeting; returns the answers (kind and body) and how it ended.
    fn talk_at(&self, says: &[u8], pace: usize) -> (Vec<(u8, Vec<u8>)>, Ending) {
        let mut greeting = Packets::default();
        greeting.begin(kind::INIT).u32(3).end();
        let all = [greeting.bytes(), says].concat();
        let mut script = Script {
            says: &all,
            pace,
            hears: Vec::new(),
        };
        let ending = serve(&mut script, &self.folder, 4, &|| {});
        let mut answers = Vec::new();
        let mut rest = script.hears.as_slice();
        while let Some(length) = waiting(rest) {
            answers.push((rest[4], rest[5..4 + length].to_vec()));
            rest = &rest[4 + length..];
        }
        assert_eq!(answers.remove(0).0, kind::VERSION);
        (answers, ending)
    }

    fn talk(&self, packets: &Packets) -> Vec<(u8, Vec<u8>)> {
        let (answers, ending) = self.talk_at(packets.bytes(), usize::MAX);
        assert_eq!(ending, Ending::Quiet);
        answers
    }

    /// Code and text of the answer to one request.
    fn status(&self, packets: &Packets) -> (u32, String) {
        status(self.talk(packets).last().expect("an answer"))
    }
}

fn status((kind, body): &(u8, Vec<u8>)) -> (u32, String) {
    assert_eq!(*kind, kind::STATUS, "{body:?}");
    let mut fields = Fields(body);
    fields.u32().expect("id");
    let code = fields.u32().expect("code");
    let text = fields.bytes().expect("text").to_vec();
    (code, String::from_utf8(text).expect("a text"))
}

const READ: u32 = 1;
const WRITE: u32 = 2;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
/// The handle that the first request of a conversation opens.
const FIRST: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

fn request(kind: u8, path: &[u8]) -> Packets {
    let mut packets = Packets::default();
    packets.begin(kind).u32(1).text(path).u32(0).end();
    packets
}

fn open(packets: &mut Packets, path: &[u8], flags: u32) {
    packets
        .begin(kind::OPEN)
        .u32(1)
        .text(path)
        .u32(flags)
        .u32(0)
        .end();
}

fn write(packets: &mut Packets, handle: [u8; 8], offset: u64, data: &[u8]) {
    packets
        .begin(kind::WRITE)
        .u32(2)
        .text(&handle)
        .u64(offset)
        .text(data)
        .end();
}

fn close(packets: &mut Packets, handle: [u8; 8]) {
    packets.begin(kind::CLOSE).u32(3).text(&handle).end();
}

fn put(path: &[u8], data: &[u8]) -> Packets {
    let mut packets = Packets::default();
    open(&mut packets, path, WRITE | CREATE | TRUNCATE);
    write(&mut packets, FIRST, 0, data);
    close(&mut packets, FIRST);
    packets
}

#[test]
fn a_file_arrives_however_it_is_cut() {
    let data: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    for pace in [1, 7, 4096, usize::MAX] {
        let place = Place::new();
        let (answers, ending) = place.talk_at(put("звонок.mp3".as_bytes(), &data).bytes(), pace);
        assert_eq!(ending, Ending::Quiet);
        assert_eq!(answers[0].0, kind::HANDLE);
        assert_eq!(status(&answers[2]).0, 0);
        assert_eq!(std::fs::read(place.path("звонок.mp3")).expect("file"), data);
        let told = place.told.take();
        assert_eq!(told, ["opened звонок.mp3", "closed звонок.mp3 Complete"]);
    }
}

#[test]
fn a_broken_put_is_kept_and_told() {
    let place = Place::new();
    let mut packets = Packets::default();
    open(&mut packets, b"a", WRITE | CREATE);
    write(&mut packets, FIRST, 0, b"half");
    place.talk(&packets);
    assert_eq!(std::fs::read(place.path("a")).expect("file"), b"half");
    assert_eq!(place.told.take(), ["opened a", "closed a Broken"]);
}

#[test]
fn paths_stay_in_the_folder() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("secret"), "secret").expect("written");
    for name in ["link", "up"] {
        let target = if name == "link" { "../secret" } else { ".." };
        std::os::unix::fs::symlink(target, place.path(name)).expect("link");
    }
    for path in [
        "../secret",
        "/../secret",
        "a/../../secret",
        "/../../../../etc/passwd",
        "link",
        "up/secret",
        "./up/secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "..\\secret",
    ] {
        let mut packets = Packets::default();
        open(&mut packets, path.as_bytes(), READ);
        let (code, text) = place.status(&packets);
        assert!(code == 2 || code == 3, "{path}: {code} {text}");
        for kind in [kind::REMOVE, kind::RMDIR, kind::OPENDIR] {
            if path != "link" {
                let (code, text) = place.status(&request(kind, path.as_bytes()));
                assert!(code == 2 || code == 3, "{kind} {path}: {code} {text}");
            }
        }
    }
    // A path that leads up is a path at the top.
    place.status(&put(b"../../made", b"x"));
    assert!(place.path("made").exists());
    assert!(!place.dir.path().join("made").exists());
    assert_eq!(
        std::fs::read(place.dir.path().join("secret")).expect("file"),
        b"secret"
    );
    let (code, _) = place.status(&put(b"a\0b", b"x"));
    assert_ne!(code, 0);
}

#[test]
fn links_are_refused_in_words() {
    let place = Place::new();
    for kind in [kind::SYMLINK, kind::READLINK] {
        let (code, text) = place.status(&request(kind, b"a"));
        assert_eq!(code, Code::OpUnsupported as u32);
        assert!(text.contains("no links"), "{text}");
    }
    let mut packets = Packets::default();
    packets
        .begin(kind::EXTENDED)
        .u32(1)
        .text(b"hardlink@openssh.com")
        .text(b"a")
        .text(b"b")
        .end();
    assert_eq!(place.status(&packets).0, Code::OpUnsupported as u32);
}

#[test]
fn handles_are_bounded_and_not_mistaken() {
    let place = Place::new();
    let mut packets = Packets::default();
    for number in 0..10_000 {
        open(&mut packets, format!("{number}").as_bytes(), WRITE | CREATE);
    }
    close(&mut packets, FIRST);
    close(&mut packets, FIRST);
    open(&mut packets, b"again", WRITE | CREATE);
    write(&mut packets, FIRST, 0, b"stale");
    let answers = place.talk(&packets);
    let refused = &answers[4..10_000];
    assert!(answers[..4].iter().all(|(kind, _)| *kind == kind::HANDLE));
    assert!(
        refused
            .iter()
            .all(|answer| status(answer).1.contains("Too many open files"))
    );
    assert_eq!(status(&answers[10_000]).0, 0);
    assert_eq!(status(&answers[10_001]).0, Code::Failure as u32);
    assert_eq!(answers[10_002].0, kind::HANDLE);
    assert_eq!(status(&answers[10_003]).0, Code::Failure as u32);
}

#[test]
fn the_quota_is_kept() {
    let place = Place::new();
    place.folder.set_quota(1000);
    assert_eq!(place.status(&put(b"a", &[1; 600])).0, 0);
    let answers = place.talk(&put(b"b", &[1; 600]));
    let (code, text) = status(&answers[1]);
    assert_eq!(code, Code::Failure as u32);
    assert!(text.contains("Quota exceeded"), "{text}");
    // A hole counts as well.
    let mut packets = Packets::default();
    open(&mut packets, b"c", WRITE | CREATE);
    write(&mut packets, FIRST, 1 << 40, b"x");
    assert!(status(&place.talk(&packets)[1]).1.contains("Quota"));
    // Written anew it takes no more room, and removed it takes none.
    assert_eq!(place.status(&put(b"a", &[2; 900])).0, 0);
    assert_eq!(place.folder.used(), 900);
    assert_eq!(place.status(&request(kind::REMOVE, b"a")).0, 0);
    assert_eq!(place.folder.used(), 0);
    assert_eq!(place.status(&put(b"b", &[1; 1000])).0, 0);
}

#[test]
fn what_has_a_second_name_is_not_changed() {
    for (flags, expected) in [
        (WRITE, b"NEW old".as_slice()),
        (WRITE | CREATE | TRUNCATE, b"NEW"),
    ] {
        let place = Place::new();
        place.status(&put(b"a", b"old old"));
        let kept = place.dir.path().join("kept");
        let path = Inside::from_client(b"a").expect("path");
        place.folder.link(&path, &kept).expect("linked");
        let mut packets = Packets::default();
        open(&mut packets, b"a", flags);
        write(&mut packets, FIRST, 0, b"NEW");
        close(&mut packets, FIRST);
        assert_eq!(place.status(&packets).0, 0);
        assert_eq!(std::fs::read(&kept).expect("kept"), b"old old");
        assert_eq!(std::fs::read(place.path("a")).expect("a"), expected);
        assert_eq!(place.folder.used(), expected.len() as u64);
        // By its path as well.
        place
            .folder
            .link(&path, &kept.with_extension("2"))
            .expect("linked");
        let mut packets = Packets::default();
        packets
            .begin(kind::SETSTAT)
            .u32(1)
            .text(b"a")
            .u32(1)
            .u64(1)
            .end();
        assert_eq!(place.status(&packets).0, 0);
        let linked = std::fs::read(kept.with_extension("2")).expect("kept");
        assert_eq!(linked, expected);
        assert_eq!(std::fs::read(place.path("a")).expect("a"), b"N");
        let staged = std::fs::read_dir(place.dir.path().join("staging")).expect("dir");
        assert_eq!(staged.count(), 0);
    }
}

#[test]
fn renaming_moves_what_is_open_and_replaces_only_when_asked() {
    let place = Place::new();
    place.status(&put(b"old", b"1"));
    place.status(&put(b"there", b"22"));
    place.told.take();
    let rename = |packets: &mut Packets, from: &[u8], to: &[u8]| {
        packets.begin(kind::RENAME).u32(1).text(from).text(to).end();
    };
    let mut packets = Packets::default();
    rename(&mut packets, b"old", b"there");
    let (code, text) = place.status(&packets);
    assert_eq!(code, Code::Failure as u32);
    assert!(text.contains("already"), "{text}");
    let mut packets = Packets::default();
    packets
        .begin(kind::EXTENDED)
        .u32(1)
        .text(b"posix-rename@openssh.com")
        .text(b"old")
        .text(b"there")
        .end();
    assert_eq!(place.status(&packets).0, 0);
    assert_eq!(place.folder.used(), 1);
    let mut packets = Packets::default();
    packets.begin(kind::MKDIR).u32(1).text(b"d").u32(0).end();
    open(&mut packets, b"d/x", WRITE | CREATE);
    rename(&mut packets, b"d", b"e");
    close(&mut packets, FIRST);
    assert_eq!(place.status(&packets).0, 0);
    assert_eq!(
        place.told.take(),
        [
            "renamed old there",
            "opened d/x",
            "renamed d e",
            "closed e/x Complete"
        ]
    );
}

#[test]
fn names_that_are_not_text_are_listed() {
    let place = Place::new();
    place.status(&put(b"\xff\xfe.mp3", b"1"));
    place.status(&put("имя.mp3".as_bytes(), b"1"));
    let mut packets = request(kind::OPENDIR, b"/");
    packets.begin(kind::READDIR).u32(2).text(&FIRST).end();
    packets.begin(kind::READDIR).u32(3).text(&FIRST).end();
    let answers = place.talk(&packets);
    assert_eq!(answers[1].0, kind::NAME);
    let names = &answers[1].1;
    for name in [b"\xff\xfe.mp3".as_slice(), "имя.mp3".as_bytes()] {
        assert!(names.windows(name.len()).any(|part| part == name));
    }
    assert_eq!(status(&answers[2]).0, Code::Eof as u32);
}

#[test]
fn garbage_ends_and_never_panics() {
    let place = Place::new();
    let mut seed = 7u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..2000 {
        // Packets of right length with wrong insides, then bytes of no sense.
        let mut says = Vec::new();
        for _ in 0..20 {
            let length = (next() % 60) as usize + 1;
            says.extend_from_slice(&(length as u32).to_be_bytes());
            says.push((next() % 22) as u8);
            says.extend((1..length).map(|_| (next() % 5) as u8));
        }
        says.extend((0..next() % 50).map(|_| next() as u8));
        place.talk_at(&says, usize::MAX);
    }
    for length in [0u32, 1 << 20, u32::MAX] {
        let (_, ending) = place.talk_at(&length.to_be_bytes(), usize::MAX);
        assert_eq!(ending, Ending::Garbage);
    }
}
