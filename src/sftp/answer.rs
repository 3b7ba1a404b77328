//! Answers of the SFTP conversation: attributes, names with their long form,
//! data, and what goes wrong in words that a sender understands.

use std::fs::File;
use std::io;

use rustix::fs::{AtFlags, Dir, FileType, Stat, StatVfs};
use rustix::io::Errno;

use super::wire::{Code, Packets, kind};

/// How a request was answered.
pub(super) enum Answer {
    /// The answer was written.
    Sent,
    /// It was done; there is no more to say.
    Done,
    /// With a code and a text.
    Status(Code, &'static str),
}

/// Bytes of names in one answer.
const NAMES: usize = 64 * 1024;
/// What longnames and clients that show a name call the owner.
const OWNER: &str = "sftp";

/// Answers that go out as packets.
pub(super) trait Reply {
    fn status(&mut self, id: u32, code: Code, text: &str);
    fn failed(&mut self, id: u32, error: &io::Error);
    fn handle(&mut self, id: u32, handle: [u8; 8]);
    fn attributes(&mut self, id: u32, stat: &Stat);
    fn name(&mut self, id: u32, name: &[u8]);
    fn names(&mut self, id: u32, listing: &mut Dir) -> io::Result<Answer>;
    fn data(&mut self, id: u32, file: &File, offset: u64, length: usize) -> io::Result<Answer>;
    fn disk(&mut self, id: u32, disk: &StatVfs);
}

impl Reply for Packets {
    fn status(&mut self, id: u32, code: Code, text: &str) {
        self.begin(kind::STATUS)
            .u32(id)
            .u32(code as u32)
            .text(text.as_bytes())
            .text(b"en")
            .end();
    }

    fn failed(&mut self, id: u32, error: &io::Error) {
        let (code, text) = explain(error);
        if code == Code::Failure {
            tracing::debug!(%error, "an SFTP request failed");
        }
        self.status(id, code, text);
    }

    fn handle(&mut self, id: u32, handle: [u8; 8]) {
        self.begin(kind::HANDLE).u32(id).text(&handle).end();
    }

    fn attributes(&mut self, id: u32, stat: &Stat) {
        self.begin(kind::ATTRS).u32(id);
        put_attributes(self, stat);
        self.end();
    }

    fn name(&mut self, id: u32, name: &[u8]) {
        self.begin(kind::NAME)
            .u32(id)
            .u32(1)
            .text(name)
            .text(name)
            .u32(0)
            .end();
    }

    fn names(&mut self, id: u32, listing: &mut Dir) -> io::Result<Answer> {
        let before = self.len();
        self.begin(kind::NAME).u32(id);
        let hole = self.hole();
        let mut count = 0u32;
        while self.len() - before < NAMES {
            let (name, stat) = match next(listing) {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) if count == 0 => {
                    self.undo();
                    return Err(error);
                }
                Err(_) => break,
            };
            self.text(&name).text(&long_name(&name, &stat));
            put_attributes(self, &stat);
            count += 1;
        }
        if count == 0 {
            self.undo();
            return Ok(Answer::Status(Code::Eof, "There are no more names."));
        }
        self.fill(hole, count);
        self.end();
        Ok(Answer::Sent)
    }

    fn data(&mut self, id: u32, file: &File, offset: u64, length: usize) -> io::Result<Answer> {
        self.begin(kind::DATA).u32(id);
        let hole = self.hole();
        let mut got = 0;
        while got < length {
            let from = offset.saturating_add(got as u64);
            match rustix::io::pread(file, self.room(length - got), from) {
                Ok(0) => break,
                Ok(read) => {
                    self.filled(read);
                    got += read;
                }
                Err(Errno::INTR) => {}
                // Beyond the longest file: nothing is there.
                Err(Errno::INVAL) if i64::try_from(from).is_err() => break,
                Err(error) => {
                    self.undo();
                    return Err(error.into());
                }
            }
        }
        if got == 0 && length > 0 {
            self.undo();
            return Ok(Answer::Status(Code::Eof, "This is the end of the file."));
        }
        self.fill(hole, got as u32);
        self.end();
        Ok(Answer::Sent)
    }

    fn disk(&mut self, id: u32, disk: &StatVfs) {
        self.begin(kind::EXTENDED_REPLY).u32(id);
        for value in [
            disk.f_bsize,
            disk.f_frsize,
            disk.f_blocks,
            disk.f_bfree,
            disk.f_bavail,
            disk.f_files,
            disk.f_ffree,
            disk.f_favail,
            disk.f_fsid,
            // 2: setuid is not honoured.
            2,
            disk.f_namemax,
        ] {
            self.u64(value);
        }
        self.end();
    }
}

fn next(listing: &mut Dir) -> io::Result<Option<(Vec<u8>, Stat)>> {
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let name = entry.file_name();
        let dir = listing.fd()?;
        // Removed meanwhile: it is not there any more.
        if let Ok(stat) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            return Ok(Some((name.to_bytes().to_vec(), stat)));
        }
    }
    Ok(None)
}

fn put_attributes(out: &mut Packets, stat: &Stat) {
    let seconds = |value: i64| u32::try_from(value.max(0)).unwrap_or(u32::MAX);
    // Size, owner, permissions, times.
    out.u32(1 | 2 | 4 | 8)
        .u64(u64::try_from(stat.st_size).unwrap_or(0))
        .u32(stat.st_uid)
        .u32(stat.st_gid)
        .u32(stat.st_mode)
        .u32(seconds(stat.st_atime))
        .u32(seconds(stat.st_mtime));
}

/// A line as `ls -l` writes it.
fn long_name(name: &[u8], stat: &Stat) -> Vec<u8> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::RegularFile => '-',
        _ => '?',
    };
    let bits: String = (0..9)
        .map(|bit| match stat.st_mode & (0o400 >> bit) {
            0 => '-',
            _ => ['r', 'w', 'x'][bit % 3],
        })
        .collect();
    let changed = jiff::Timestamp::from_second(stat.st_mtime).unwrap_or_default();
    let recent = jiff::Timestamp::now().as_second() - stat.st_mtime < 180 * 24 * 3600
        && stat.st_mtime <= jiff::Timestamp::now().as_second() + 3600;
    let form = if recent { "%b %e %H:%M" } else { "%b %e  %Y" };
    let date = changed
        .to_zoned(jiff::tz::TimeZone::UTC)
        .strftime(form)
        .to_string();
    let mut line = format!(
        "{kind}{bits} {:>4} {OWNER:<8} {OWNER:<8} {:>12} {date} ",
        stat.st_nlink, stat.st_size
    )
    .into_bytes();
    line.extend_from_slice(name);
    line
}

/// Code and text of an error.
pub(super) fn explain(error: &io::Error) -> (Code, &'static str) {
    let Some(errno) = Errno::from_io_error(error) else {
        return match error.kind() {
            io::ErrorKind::QuotaExceeded => (
                Code::Failure,
                "Quota exceeded: your folder is full; remove files or ask for more room.",
            ),
            io::ErrorKind::StorageFull => {
                (Code::Failure, "No space left: the server's disk is full.")
            }
            io::ErrorKind::InvalidFilename => (
                Code::Failure,
                "The name has a character that no name can have.",
            ),
            _ => (Code::Failure, "The server failed on this request."),
        };
    };
    match errno {
        Errno::NOENT => (Code::NoSuchFile, "No such file or directory."),
        Errno::NOTDIR => (Code::NoSuchFile, "A part of the path is not a directory."),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => (Code::PermissionDenied, "Permission denied."),
        Errno::LOOP | Errno::XDEV => (
            Code::PermissionDenied,
            "Permission denied: links are not followed on this server.",
        ),
        Errno::EXIST => (
            Code::Failure,
            "There is a file or directory of this name already.",
        ),
        Errno::NOTEMPTY => (Code::Failure, "The directory is not empty."),
        Errno::ISDIR => (Code::Failure, "This is a directory."),
        Errno::NOSPC => (Code::Failure, "No space left: the server's disk is full."),
        Errno::DQUOT => (Code::Failure, "Quota exceeded on the server's disk."),
        Errno::NAMETOOLONG => (Code::Failure, "The name is too long."),
        Errno::MFILE | Errno::NFILE => (
            Code::Failure,
            "Too many open files: close some before you open more.",
        ),
        Errno::BADF => (
            Code::Failure,
            "There is no such handle, or it was not opened for this.",
        ),
        Errno::FBIG => (Code::Failure, "The file would be too large."),
        Errno::INVAL => (Code::Failure, "The server cannot do this with these names."),
        Errno::BUSY => (Code::Failure, "The file or directory is in use."),
        _ => (
            Code::Failure,
            "The server failed on this request; its log says more.",
        ),
    }
}
