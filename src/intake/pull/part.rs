//! Files on their way: what has come of a file is kept between connections, runs
//! and starts of the program, together with what it belongs to.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::intake::web::hex;

/// So many bytes are written before they are made durable and counted as kept.
const STEP: u64 = 8 << 20;

/// What a part belongs to, and how much of it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    size_bytes: u64,
    modified_s: Option<i64>,
    kept: u64,
}

/// The parts of a source.
pub(super) struct Parts {
    dir: PathBuf,
}

/// A file on its way.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    note: Note,
    /// Bytes in the file.
    length: u64,
}

impl Parts {
    /// In `dir`, which is made where it is not there.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Begins with a file, or goes on where the same one stopped.
    pub(super) fn begin(
        &self,
        path: &[u8],
        size_bytes: u64,
        modified_s: Option<i64>,
    ) -> io::Result<Part> {
        let path = self.path(&name(path));
        let fresh = Note {
            size_bytes,
            modified_s,
            kept: 0,
        };
        let known = fs::read(note_path(&path))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok())
            .filter(|note| (note.size_bytes, note.modified_s) == (size_bytes, modified_s));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        let there = file.metadata()?.len();
        let mut note = known.unwrap_or(fresh);
        note.kept = if note.kept <= there.min(size_bytes) {
            note.kept
        } else {
            0
        };
        file.set_len(note.kept)?;
        file.seek(SeekFrom::Start(note.kept))?;
        let part = Part {
            path,
            file,
            length: note.kept,
            note,
        };
        part.write_note()?;
        Ok(part)
    }

    /// Removes what belongs to none of these paths.
    pub(super) fn sweep(&self, wanted: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if !stem.is_some_and(|stem| wanted.contains(stem)) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Name of the part of a path, without its ending.
pub(super) fn stem(path: &[u8]) -> String {
    hex(&Sha256::digest(path)[..16])
}

fn name(path: &[u8]) -> String {
    format!("{}.part", stem(path))
}

fn note_path(part: &Path) -> PathBuf {
    part.with_extension("json")
}

impl Part {
    /// Bytes that have come.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        if self.length - self.note.kept >= STEP {
            self.keep()?;
        }
        Ok(())
    }

    /// Makes durable what has come: from there it goes on later.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.note.kept = self.length;
        self.write_note()
    }

    fn write_note(&self) -> io::Result<()> {
        let path = note_path(&self.path);
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(&self.note)?)?;
        fs::rename(fresh, path)
    }

    /// Removes it: it is taken in, or of no use.
    pub(super) fn discard(self) -> io::Result<()> {
        fs::remove_file(note_path(&self.path))?;
        fs::remove_file(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_on_only_with_the_same_file() {
        let dir = tempfile::tempdir().expect("dir");
        let parts = Parts::open(&dir.path().join("a")).expect("parts");
        let mut part = parts.begin(b"x.mp3", 10, Some(1)).expect("begun");
        part.write(b"12345").expect("written");
        part.keep().expect("kept");
        part.write(b"lost").expect("written");
        drop(part);
        let part = parts.begin(b"x.mp3", 10, Some(1)).expect("again");
        assert_eq!(part.length(), 5, "what was not kept is not trusted");
        drop(part);
        assert_eq!(parts.begin(b"y.mp3", 10, Some(1)).expect("y").length(), 0);
        for (size, modified) in [(11, Some(1)), (10, Some(2)), (10, None)] {
            let mut part = parts.begin(b"x.mp3", 10, Some(1)).expect("begun");
            part.write(b"12345").expect("written");
            part.keep().expect("kept");
            drop(part);
            let other = parts.begin(b"x.mp3", size, modified).expect("begun");
            assert_eq!(other.length(), 0);
        }
        parts
            .sweep(&HashSet::from([stem(b"y.mp3")]))
            .expect("swept");
        assert_eq!(fs::read_dir(&parts.dir).expect("dir").count(), 2);
        let part = parts.begin(b"y.mp3", 10, Some(1)).expect("begun");
        part.discard().expect("gone");
        assert_eq!(fs::read_dir(&parts.dir).expect("dir").count(), 0);
    }
}
