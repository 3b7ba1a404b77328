//! The rows of the list, as small as they get: 100,000 of them stay below 40 MB.

use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use jiff::Timestamp;

use crate::domain::terms::{Field, Told};
use crate::domain::{Call, CallId, DropKind, DroppedFile, Source};

/// Length of a call's id in bytes.
const ID: usize = 26;
/// Before each text that is told, and between it and the phone number that it is.
const FIELD: u8 = 1;
const PHONE: u8 = 2;
/// Texts of one kind that are kept: more are for nobody to search in.
const MAX_TEXTS: usize = 16;
/// Longest text kept, in characters.
const MAX_TEXT: usize = 100;

/// A dropped file. Of its texts one follows the other in one piece of memory.
pub(super) struct Row {
    /// Path, id of the call where there is one, what is told.
    text: Box<[u8]>,
    pub(super) size_bytes: u64,
    /// In µs.
    pub(super) arrived_at: i64,
    /// When the conversation began, else when it arrived, in µs.
    pub(super) date: i64,
    pub(super) duration_ms: Option<u32>,
    path_len: u16,
    user: u16,
    pub(super) kind: DropKind,
    source: Source,
    has_call: bool,
    /// The path is UTF-8.
    is_text: bool,
}

/// All rows, found by file and by call.
#[derive(Default)]
pub(super) struct Index {
    pub(super) rows: Vec<Row>,
    users: Vec<String>,
    hasher: RandomState,
    /// Numbers of rows by the hash of their file.
    by_file: HashTable<u32>,
    /// The same by the hash of their call; several files may have the same one.
    by_call: HashTable<u32>,
}

impl Row {
    pub(super) fn path(&self) -> &[u8] {
        &self.text[..usize::from(self.path_len)]
    }

    fn call(&self) -> Option<&[u8]> {
        let at = usize::from(self.path_len);
        self.has_call.then(|| &self.text[at..at + ID])
    }

    fn told(&self) -> &[u8] {
        let at = usize::from(self.path_len) + if self.has_call { ID } else { 0 };
        &self.text[at..]
    }

    /// In whatever case; names that are the same but for it are in the order of
    /// their bytes. It is the order of one key, whatever the bytes are: names come
    /// from outside.
    pub(super) fn by_name(&self, other: &Self) -> Ordering {
        let (a, b) = (self.path(), other.path());
        let in_lower_case = if self.is_text && other.is_text {
            // Paths of one folder begin alike: that is not worth a look at each letter.
            let mut same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            match (a.get(same), b.get(same)) {
                (Some(a), Some(b)) if a.is_ascii() && b.is_ascii() => {
                    a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase())
                }
                _ => Ordering::Equal,
            }
            .then_with(|| {
                let inside = |byte: Option<&u8>| byte.is_some_and(|byte| byte & 0xc0 == 0x80);
                while inside(a.get(same)) || inside(b.get(same)) {
                    same -= 1;
                }
                letters(text(&a[same..])).cmp(letters(text(&b[same..])))
            })
        } else {
            letters(&String::from_utf8_lossy(a)).cmp(letters(&String::from_utf8_lossy(b)))
        };
        in_lower_case.then_with(|| a.cmp(b))
    }
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// What was text when it was written.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

impl Told for Row {
    fn any(&self, field: Field, test: &mut dyn FnMut(&str, Option<&str>) -> bool) -> bool {
        let mark = mark(field);
        self.told()
            .split(|byte| *byte == FIELD)
            .filter_map(|said| said.strip_prefix(&[mark]))
            .any(|said| {
                let mut parts = said.split(|byte| *byte == PHONE).map(text);
                let said = parts.next().unwrap_or_default();
                let phone = parts.next();
                test(
                    said,
                    phone.map(|phone| if phone.is_empty() { said } else { phone }),
                )
            })
    }

    fn source(&self) -> Source {
        self.source
    }
}

fn mark(field: Field) -> u8 {
    match field {
        Field::Caller => b'a',
        Field::Called => b'b',
        Field::OperatorPhone => b'c',
        Field::Extension => b'd',
        Field::Operator => b'e',
        Field::Order => b'f',
        Field::Tag => b'g',
    }
}

/// Writes down what is told.
fn tell(told: &impl Told, into: &mut Vec<u8>) {
    for field in Field::ALL {
        let mut texts = 0;
        told.any(field, &mut |said, phone| {
            into.extend_from_slice(&[FIELD, mark(field)]);
            let kept = said.chars().filter(|c| !c.is_control()).take(MAX_TEXT);
            into.extend_from_slice(kept.collect::<String>().as_bytes());
            if let Some(phone) = phone {
                into.push(PHONE);
                // Most are sent as they are kept: nothing stands for that.
                if phone != said {
                    into.extend_from_slice(phone.as_bytes());
                }
            }
            texts += 1;
            texts == MAX_TEXTS
        });
    }
}

impl Index {
    /// The sender whose file a row is.
    pub(super) fn user(&self, row: &Row) -> &str {
        &self.users[usize::from(row.user)]
    }

    /// The number of a sender; `None` where there is no file of one.
    pub(super) fn user_number(&self, user: &str) -> Option<u16> {
        let at = self.users.iter().position(|known| known == user)?;
        u16::try_from(at).ok()
    }

    /// True when the row is of the sender with this number.
    pub(super) fn is_of(&self, row: &Row, user: u16) -> bool {
        row.user == user
    }

    fn hash(&self, user: u16, path: &[u8]) -> u64 {
        self.hasher.hash_one((user, path))
    }

    fn find(&self, user: u16, path: &[u8]) -> Option<u32> {
        let same = |at: &u32| {
            let row = &self.rows[*at as usize];
            row.user == user && row.path() == path
        };
        self.by_file.find(self.hash(user, path), same).copied()
    }

    /// True when a file has this call.
    pub(super) fn has_call(&self, id: &CallId) -> bool {
        let mut found = false;
        self.each_of_call(id, |_, _| found = true);
        found
    }

    /// Calls `each` for every file that has this call.
    pub(super) fn each_of_call(&self, id: &CallId, mut each: impl FnMut(&str, &[u8])) {
        let id = id.as_str().as_bytes();
        for at in self.by_call.iter_hash(self.hasher.hash_one(id)) {
            let row = &self.rows[*at as usize];
            if row.call() == Some(id) {
                each(self.user(row), row.path());
            }
        }
    }

    /// Adds a file or replaces what is known of it.
    pub(super) fn put(&mut self, user: &str, path: &[u8], file: &DroppedFile, call: Option<&Call>) {
        self.remove(user, path);
        let user = match self.user_number(user) {
            Some(number) => number,
            None => {
                let Ok(number) = u16::try_from(self.users.len()) else {
                    return;
                };
                self.users.push(user.to_owned());
                number
            }
        };
        let Ok(at) = u32::try_from(self.rows.len()) else {
            return;
        };
        let row = row(user, path, file, call);
        let Self {
            rows,
            hasher,
            by_file,
            by_call,
            ..
        } = self;
        let hash = hasher.hash_one((user, path));
        if let Some(id) = row.call() {
            let hash = hasher.hash_one(id);
            by_call.insert_unique(hash, at, |at| {
                hasher.hash_one(rows[*at as usize].call().unwrap_or_default())
            });
        }
        by_file.insert_unique(hash, at, |at| {
            let row = &rows[*at as usize];
            hasher.hash_one((row.user, row.path()))
        });
        self.rows.push(row);
    }

    /// Takes a file out.
    pub(super) fn remove(&mut self, user: &str, path: &[u8]) {
        let Some(at) = self
            .user_number(user)
            .and_then(|user| self.find(user, path))
        else {
            return;
        };
        self.unlink(at, None);
        let last = (self.rows.len() - 1) as u32;
        if at != last {
            // The last row takes its place.
            self.unlink(last, Some(at));
        }
        self.rows.swap_remove(at as usize);
    }

    /// Takes the number of a row out of the tables, or puts another in its place.
    fn unlink(&mut self, at: u32, instead: Option<u32>) {
        let row = &self.rows[at as usize];
        let of_file = self.hash(row.user, row.path());
        let of_call = row.call().map(|id| self.hasher.hash_one(id));
        let unlink = |table: &mut HashTable<u32>, hash| {
            if let Ok(mut entry) = table.find_entry(hash, |known| *known == at) {
                match instead {
                    Some(instead) => *entry.get_mut() = instead,
                    None => drop(entry.remove()),
                }
            }
        };
        unlink(&mut self.by_file, of_file);
        if let Some(of_call) = of_call {
            unlink(&mut self.by_call, of_call);
        }
    }

    /// Gives back the memory that growing took in advance.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }
}

fn row(user: u16, path: &[u8], file: &DroppedFile, call: Option<&Call>) -> Row {
    // No path is longer than a client may give (`sftp::beneath`).
    let path = &path[..path.len().min(usize::from(u16::MAX))];
    let mut text = path.to_vec();
    // A deleted call is not found by its id: it does not come back.
    let id = call.map(|call| call.id.as_str().as_bytes());
    text.extend_from_slice(id.unwrap_or_default());
    match (call, &file.told) {
        (Some(call), _) => tell(call, &mut text),
        (None, Some(told)) => tell(told.as_ref(), &mut text),
        (None, None) => {}
    }
    let micros = Timestamp::as_microsecond;
    let told_at = file.told.as_ref().and_then(|told| told.started_at);
    let started_at = call.and_then(|call| call.started_at).or(told_at);
    let duration_ms = call.and_then(|call| call.duration_ms).or(file.duration_ms);
    Row {
        text: text.into_boxed_slice(),
        size_bytes: file.size_bytes,
        arrived_at: micros(file.arrived_at),
        date: micros(started_at.unwrap_or(file.arrived_at)),
        duration_ms: duration_ms.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX)),
        path_len: path.len() as u16,
        user,
        kind: DropKind::of(&file.state, call.is_some()),
        source: call.map_or(Source::Sftp, |call| call.source),
        has_call: id.is_some(),
        is_text: std::str::from_utf8(path).is_ok(),
    }
}
