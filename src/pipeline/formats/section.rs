//! A stretch of a file as a source of its own, with a bound on how much may be
//! read from it: a container that sends its reader in circles ends in an error
//! and not in a worker that never comes back. Used for everything that is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// A reader that follows an index back and forth reads parts of a file again.
/// More often than this, plus [`READ_SPARE`], is going in circles.
const READ_TIMES: u64 = 16;
const READ_SPARE: u64 = 64 << 20;

/// The bytes of a file from one place to another.
pub(super) struct Section {
    file: File,
    start: u64,
    end: u64,
    at: u64,
    /// `at` is not where the file is.
    moved: bool,
    may_read: u64,
    told: Told,
}

/// What a reader is told of the length.
enum Told {
    /// As it is.
    Length,
    /// Nothing, and that it can only go on.
    Stream,
    /// That the end is here, in bytes, if it looks for it; nothing if it asks.
    Longer(u64),
}

impl Section {
    /// The bytes from `start` up to `end` (cut at the end of the file).
    pub(super) fn new(mut file: File, start: u64, end: u64) -> io::Result<Self> {
        let end = end.min(file.metadata()?.len());
        let start = start.min(end);
        file.seek(SeekFrom::Start(start))?;
        Ok(Self {
            file,
            start,
            end,
            at: start,
            moved: false,
            told: Told::Length,
            may_read: (end - start)
                .saturating_mul(READ_TIMES)
                .saturating_add(READ_SPARE),
        })
    }

    /// To be read from its beginning on only, with no word of its length: some
    /// readers refuse a file that is shorter than its index says, where they
    /// could read what is there.
    pub(super) fn into_stream(self) -> Self {
        Self {
            told: Told::Stream,
            ..self
        }
    }

    /// Tells `length` bytes, more than there are, for the same reason.
    pub(super) fn pretend_whole(self, length: u64) -> Self {
        Self {
            told: Told::Longer(length),
            ..self
        }
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (self.end.saturating_sub(self.at)).min(buffer.len() as u64) as usize;
        if length == 0 {
            return Ok(0);
        }
        if std::mem::take(&mut self.moved) {
            self.file.seek(SeekFrom::Start(self.at))?;
        }
        let read = self.file.read(&mut buffer[..length])? as u64;
        self.at += read;
        self.may_read = self.may_read.checked_sub(read).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "its index leads back and forth without end",
            )
        })?;
        Ok(read as usize)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => self.start.checked_add(at),
            SeekFrom::End(by) => match self.told {
                Told::Longer(length) => self.start.saturating_add(length),
                Told::Length | Told::Stream => self.end,
            }
            .checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        match target {
            // The file itself is moved when it is read: what is far beyond its end
            // would be an error of the system.
            Some(target) if target >= self.start => {
                self.moved |= target != self.at;
                self.at = target;
                Ok(target - self.start)
            }
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a place that is not in the file",
            )),
        }
    }
}

impl MediaSource for Section {
    fn is_seekable(&self) -> bool {
        !matches!(self.told, Told::Stream)
    }

    fn byte_len(&self) -> Option<u64> {
        matches!(self.told, Told::Length).then_some(self.end - self.start)
    }
}
