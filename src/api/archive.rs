//! Dropped files as one ZIP archive that is made while it is sent: nothing is
//! kept in memory or on disk but a buffer and the names. Sound is compressed
//! already, so the files are stored as they are.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Bytes that are sent at once.
const PIECE: usize = 128 << 10;
/// Pieces that wait for the reader.
const PIECES: usize = 4;
/// A reader who takes nothing for so long has gone away.
const PATIENCE: Duration = Duration::from_secs(300);
/// Larger files need the longer fields of Zip64.
const LARGE: u64 = u32::MAX as u64 - (1 << 20);
/// Name of the text that tells what is missing.
const MISSING: &str = "not included.txt";

/// A file of the archive.
pub(super) struct Member {
    /// Its name in the archive, with '/' between the parts.
    pub(super) name: String,
    pub(super) modified_at: Timestamp,
}

/// What an archive is sent as.
pub(super) type Piece = Result<Vec<u8>, io::Error>;

/// Where an archive is written to and where it is read from.
pub(super) fn pipe() -> (Pipe, mpsc::Receiver<Piece>) {
    let (sender, receiver) = mpsc::channel(PIECES);
    let pipe = Pipe {
        sender,
        runtime: Handle::current(),
        piece: Vec::with_capacity(PIECE),
    };
    (pipe, receiver)
}

/// The writing end; used on a thread where blocking is allowed.
pub(super) struct Pipe {
    sender: mpsc::Sender<Piece>,
    runtime: Handle,
    piece: Vec<u8>,
}

impl Pipe {
    fn send(&self, piece: Piece) -> io::Result<()> {
        let sent = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.sender.send(piece)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Breaks the answer off, so that the reader does not take it for a whole archive.
    pub(super) fn fail(&self, error: io::Error) {
        let _ = self.send(Err(error));
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.send(Ok(piece))
    }
}

/// Writes an archive of `members`. `open` opens one by its number or says why it
/// cannot be had; a text in the archive tells of those. Blocks.
pub(super) fn write<W: Write>(
    into: W,
    members: impl Iterator<Item = Member>,
    mut open: impl FnMut(usize) -> Result<File, String>,
    zone: &TimeZone,
) -> io::Result<W> {
    let mut archive = ZipWriter::new_stream(into);
    let mut missing = String::new();
    for (number, member) in members.enumerate() {
        let told = |why: &str| format!("{}: {why}\r\n", member.name);
        let mut file = match open(number) {
            Ok(file) => file,
            Err(why) => {
                missing.push_str(&told(&why));
                continue;
            }
        };
        let size = file.metadata()?.len();
        let options = options(time(member.modified_at, zone)).large_file(size > LARGE);
        start(&mut archive, &member.name, options)?;
        if let Err(why) = copy(&mut file, &mut archive, size)? {
            missing.push_str(&told(&why));
        }
    }
    if !missing.is_empty() {
        start(&mut archive, MISSING, options(DateTime::default()))?;
        archive.write_all(missing.as_bytes())?;
    }
    let mut into = archive.finish()?.into_inner();
    into.flush()?;
    Ok(into)
}

fn options(time: DateTime) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(0o644)
        .last_modified_time(time)
}

/// Begins a file; one that has the name of another gets a number.
fn start<W: Write>(
    archive: &mut ZipWriter<StreamWriter<W>>,
    name: &str,
    options: SimpleFileOptions,
) -> io::Result<()> {
    let name = harmless(name);
    for number in 1.. {
        let numbered = match (number, name.rsplit_once('.')) {
            (1, _) => name.clone(),
            (number, Some((stem, ending))) if !ending.contains('/') => {
                format!("{stem} ({number}).{ending}")
            }
            (number, _) => format!("{name} ({number})"),
        };
        match archive.start_file(numbered, options) {
            // Names that are no UTF-8 or have odd characters may become the same.
            Err(ZipError::InvalidArchive(_)) if number < 10_000 => {}
            started => return Ok(started?),
        }
    }
    Ok(())
}

/// A name that no program takes for something else.
fn harmless(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            c if c.is_control() => '_',
            c => c,
        })
        .collect()
}

/// Copies `size` bytes; says what went wrong with the file. An error is one of the reader.
fn copy(file: &mut File, into: &mut impl Write, size: u64) -> io::Result<Result<(), String>> {
    let mut left = size;
    let mut buffer = vec![0; PIECE];
    while left > 0 {
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = match file.read(&mut buffer[..most]) {
            Ok(0) => return Ok(Err("it became shorter while it was read".to_owned())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::error!(%error, "a dropped file cannot be read");
                return Ok(Err("the rest of it cannot be read".to_owned()));
            }
        };
        into.write_all(&buffer[..read])?;
        left -= read as u64;
    }
    Ok(Ok(()))
}

/// As archives keep times: of the place, from 1980 on.
fn time(at: Timestamp, zone: &TimeZone) -> DateTime {
    let at = at.to_zoned(zone.clone());
    let small = |value: i8| u8::try_from(value).unwrap_or(0);
    u16::try_from(at.year())
        .ok()
        .and_then(|year| {
            DateTime::from_date_and_time(
                year,
                small(at.month()),
                small(at.day()),
                small(at.hour()),
                small(at.minute()),
                small(at.second()),
            )
            .ok()
        })
        .unwrap_or_default()
}
