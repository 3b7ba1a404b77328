//! The SFTP conversation: takes packets from a pipe, does what they ask in the
//! sender's folder, answers. Synchronous: requests that a client sends ahead are
//! answered in order, their answers sent together.

use std::io;
use std::sync::Arc;

use super::answer::{Answer, Reply};
use super::beneath::Inside;
use super::folder::Folder;
use super::handles::Handles;
use super::wire::{Code, Fields, Malformed, Packets, kind};

/// Longest packet taken, that of OpenSSH; what a client may write at once is told it.
const MAX_PACKET: usize = 256 * 1024;
/// Most bytes read from a file for one request.
pub(super) const MAX_DATA: u32 = (MAX_PACKET - 1024) as u32;
/// Answers are sent at the latest when this much waits.
const SEND_AT: usize = 256 * 1024;
/// Room for input at first.
const FIRST_ROOM: usize = 64 * 1024;

/// Where packets come from and go to.
pub(super) trait Pipe {
    /// Waits for bytes; 0 when there will be no more.
    fn read(&mut self, into: &mut [u8]) -> usize;
    /// Sends all bytes; `false` when the other side is gone.
    fn write(&mut self, bytes: &[u8]) -> bool;
}

/// Why a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client said no more.
    Quiet,
    /// The client could no longer be reached.
    Gone,
    /// What came is not SFTP.
    Garbage,
}

/// Talks until the client has no more to say. `active` is called at every sign of life.
pub(super) fn serve(
    pipe: &mut dyn Pipe,
    folder: &Arc<Folder>,
    max_handles: usize,
    active: &dyn Fn(),
) -> Ending {
    let mut input = vec![0u8; FIRST_ROOM];
    let mut filled = 0;
    let mut desk = Desk {
        folder,
        handles: Handles::new(max_handles),
        greeted: false,
        max_handles,
    };
    let mut out = Packets::default();
    loop {
        let mut at = 0;
        let mut garbage = false;
        while let Some(length) = waiting(&input[at..filled]) {
            if length == 0 || length > MAX_PACKET {
                garbage = true;
                break;
            }
            let Some(packet) = input[at + 4..filled].get(..length) else {
                break;
            };
            if desk.take(packet, &mut out).is_err() {
                garbage = true;
                break;
            }
            at += 4 + length;
            if out.len() >= SEND_AT {
                active();
                if !pipe.write(out.bytes()) {
                    return Ending::Gone;
                }
                out.clear();
            }
        }
        if out.len() > 0 {
            if !pipe.write(out.bytes()) {
                return Ending::Gone;
            }
            out.clear();
        }
        if garbage {
            return Ending::Garbage;
        }
        if at > 0 {
            input.copy_within(at..filled, 0);
            filled -= at;
        }
        let needed = waiting(&input[..filled]).map_or(FIRST_ROOM, |length| 4 + length);
        if input.len() < needed.min(MAX_PACKET + 4) {
            // Room for one packet and the beginning of the next.
            input.resize(MAX_PACKET + FIRST_ROOM, 0);
        }
        let read = pipe.read(&mut input[filled..]);
        if read == 0 {
            return if filled == 0 {
                Ending::Quiet
            } else {
                Ending::Garbage
            };
        }
        filled += read;
        active();
    }
}

/// Length of the packet that begins here, where that is known already.
fn waiting(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*length) as usize)
}

struct Desk<'a> {
    folder: &'a Arc<Folder>,
    handles: Handles,
    greeted: bool,
    max_handles: usize,
}

impl Desk<'_> {
    /// Does one request. An error is something that no SFTP client sends.
    fn take(&mut self, packet: &[u8], out: &mut Packets) -> Result<(), Malformed> {
        let mut fields = Fields(packet);
        let kind = fields.u8()?;
        if kind == kind::INIT {
            fields.u32()?;
            self.greeted = true;
            greet(out);
            return Ok(());
        }
        if !self.greeted {
            return Err(Malformed);
        }
        let id = fields.u32()?;
        match self.request(kind, id, &mut fields, out) {
            Ok(Answer::Sent) => {}
            Ok(Answer::Done) => out.status(id, Code::Ok, "OK"),
            Ok(Answer::Status(code, text)) => out.status(id, code, text),
            Err(Trouble::Malformed) => {
                out.status(id, Code::BadMessage, "The request is not understood.");
            }
            Err(Trouble::Io(error)) => out.failed(id, &error),
        }
        Ok(())
    }

    fn request(
        &mut self,
        kind: u8,
        id: u32,
        fields: &mut Fields,
        out: &mut Packets,
    ) -> Result<Answer, Trouble> {
        let path = |fields: &mut Fields| -> Result<Inside, Trouble> {
            Ok(Inside::from_client(fields.bytes()?)?)
        };
        match kind {
            kind::WRITE => {
                let handle = fields.bytes()?;
                let offset = fields.u64()?;
                self.handles.write(handle, offset, fields.bytes()?)?;
                Ok(Answer::Done)
            }
            kind::READ => {
                let handle = fields.bytes()?;
                let offset = fields.u64()?;
                let length = fields.u32()?.min(MAX_DATA) as usize;
                let file = self.handles.readable(handle)?;
                Ok(out.data(id, file, offset, length)?)
            }
            kind::OPEN => {
                let path = path(fields)?;
                let flags = fields.u32()?;
                let handle = self.handles.open(self.folder, &path, flags)?;
                out.handle(id, handle);
                Ok(Answer::Sent)
            }
            kind::CLOSE => {
                self.handles.close(fields.bytes()?)?;
                Ok(Answer::Done)
            }
            kind::STAT | kind::LSTAT => {
                let stat = self.folder.root().stat(&path(fields)?)?;
                out.attributes(id, &stat);
                Ok(Answer::Sent)
            }
            kind::FSTAT => {
                let stat = self.handles.stat(fields.bytes()?)?;
                out.attributes(id, &stat);
                Ok(Answer::Sent)
            }
            kind::SETSTAT => {
                let path = path(fields)?;
                let attributes = fields.attributes()?;
                self.handles.set_path(self.folder, &path, &attributes)?;
                Ok(Answer::Done)
            }
            kind::FSETSTAT => {
                let handle = fields.bytes()?;
                self.handles.set(handle, &fields.attributes()?)?;
                Ok(Answer::Done)
            }
            kind::OPENDIR => {
                let handle = self.handles.open_dir(self.folder, &path(fields)?)?;
                out.handle(id, handle);
                Ok(Answer::Sent)
            }
            kind::READDIR => {
                let listing = self.handles.listing(fields.bytes()?)?;
                Ok(out.names(id, listing)?)
            }
            kind::REALPATH => {
                out.name(id, &path(fields)?.shown());
                Ok(Answer::Sent)
            }
            kind::REMOVE => {
                self.folder.remove(&path(fields)?, true)?;
                Ok(Answer::Done)
            }
            kind::RMDIR => {
                self.folder.rmdir(&path(fields)?)?;
                Ok(Answer::Done)
            }
            kind::MKDIR => {
                self.folder.mkdir(&path(fields)?)?;
                Ok(Answer::Done)
            }
            kind::RENAME => {
                let (from, to) = (path(fields)?, path(fields)?);
                self.folder.rename(&from, &to, false)?;
                Ok(Answer::Done)
            }
            kind::SYMLINK | kind::READLINK => Ok(Answer::Status(
                Code::OpUnsupported,
                "There are no links on this server.",
            )),
            kind::EXTENDED => self.extended(id, fields, out),
            _ => Ok(Answer::Status(
                Code::OpUnsupported,
                "The server does not know this request.",
            )),
        }
    }

    fn extended(
        &mut self,
        id: u32,
        fields: &mut Fields,
        out: &mut Packets,
    ) -> Result<Answer, Trouble> {
        match fields.bytes()? {
            b"posix-rename@openssh.com" => {
                let from = Inside::from_client(fields.bytes()?)?;
                let to = Inside::from_client(fields.bytes()?)?;
                self.folder.rename(&from, &to, true)?;
                Ok(Answer::Done)
            }
            b"fsync@openssh.com" => {
                self.handles.sync(fields.bytes()?)?;
                Ok(Answer::Done)
            }
            b"statvfs@openssh.com" => {
                self.folder
                    .root()
                    .stat(&Inside::from_client(fields.bytes()?)?)?;
                out.disk(id, &self.folder.disk()?);
                Ok(Answer::Sent)
            }
            b"fstatvfs@openssh.com" => {
                self.handles.stat(fields.bytes()?)?;
                out.disk(id, &self.folder.disk()?);
                Ok(Answer::Sent)
            }
            b"limits@openssh.com" => {
                out.begin(kind::EXTENDED_REPLY)
                    .u32(id)
                    .u64(MAX_PACKET as u64)
                    .u64(MAX_DATA.into())
                    .u64(MAX_DATA.into())
                    .u64(self.max_handles as u64)
                    .end();
                Ok(Answer::Sent)
            }
            b"hardlink@openssh.com" => Ok(Answer::Status(
                Code::OpUnsupported,
                "There are no links on this server.",
            )),
            _ => Ok(Answer::Status(
                Code::OpUnsupported,
                "The server does not know this extension.",
            )),
        }
    }
}

fn greet(out: &mut Packets) {
    out.begin(kind::VERSION).u32(3);
    for (name, version) in [
        ("posix-rename@openssh.com", "1"),
        ("statvfs@openssh.com", "2"),
        ("fstatvfs@openssh.com", "2"),
        ("fsync@openssh.com", "1"),
        ("limits@openssh.com", "1"),
    ] {
        out.text(name.as_bytes()).text(version.as_bytes());
    }
    out.end();
}

/// Why a request was not done.
enum Trouble {
    Malformed,
    Io(io::Error),
}

impl From<Malformed> for Trouble {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
