//! SFTP version 3 over libssh: the host key is checked before anything else is
//! said; requests for a file follow each other without waiting for the answers.

use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use libssh_rs::{Channel, LogLevel, PublicKeyHashType, Session, SshOption};

use super::listing;
use super::remote::{Entry, Fault, Guard, Kind, Remote};
use super::sftp_login::{login, words};
use crate::config::PullSource;
use crate::sftp::wire::{Attributes, Code, Fields, Malformed, Packets, kind};

/// Longest packet that is taken, in bytes.
const MAX_PACKET: usize = 512 << 10;
/// Bytes asked for at once: what every server gives.
const CHUNK: u64 = 32 << 10;
/// Requests for bytes on their way at the same time.
const AHEAD: usize = 64;
/// Requests for names on their way at the same time.
const NAMES_AHEAD: usize = 4;

/// A server, signed in.
pub(super) struct Sftp {
    channel: Channel,
    /// Outlives its channel.
    _session: Session,
    guard: Arc<Guard>,
    next: u32,
    /// What came and was not looked at: from `begin` to `end`.
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

/// An answer to a request.
enum Answer {
    Status(u32, String),
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<(Vec<u8>, Attributes)>),
    Attributes(Attributes),
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Fault::Protocol("a damaged SFTP packet".to_owned())
    }
}

impl Sftp {
    /// Connects and signs in, once `trusted` agrees with the fingerprint of the host key.
    pub(super) fn connect(
        source: &PullSource,
        guard: &Arc<Guard>,
        trusted: &mut dyn FnMut(&str) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let stream = guard.connect_to(&source.host, source.port)?;
        let broken = |error: libssh_rs::Error| guard.broken(words(&error));
        let session = Session::new().map_err(broken)?;
        for option in [
            SshOption::ProcessConfig(false),
            SshOption::LogLevel(LogLevel::NoLogging),
            SshOption::Hostname(source.host.clone()),
            SshOption::Port(source.port),
            SshOption::User(Some(source.user.clone())),
            SshOption::Timeout(patience(guard)),
            SshOption::KnownHosts(Some("/dev/null".to_owned())),
            SshOption::GlobalKnownHosts(Some("/dev/null".to_owned())),
            // libssh closes it.
            SshOption::Socket(stream.into_raw_fd()),
        ] {
            session.set_option(option).map_err(broken)?;
        }
        guard.wait(|| session.connect()).map_err(broken)?;
        let hash = session
            .get_server_public_key()
            .and_then(|key| key.get_public_key_hash(PublicKeyHashType::Sha256))
            .map_err(broken)?;
        trusted(&format!("SHA256:{}", STANDARD_NO_PAD.encode(hash)))?;
        login(&session, source, guard)?;
        let channel = session.new_channel().map_err(broken)?;
        guard
            .wait(|| {
                channel.open_session()?;
                channel.request_subsystem("sftp")
            })
            .map_err(|error| match guard.broken(words(&error)) {
                Fault::Connection(said) => Fault::Protocol(format!("no SFTP is offered: {said}")),
                fault => fault,
            })?;
        let mut sftp = Self {
            channel,
            _session: session,
            guard: Arc::clone(guard),
            next: 0,
            bytes: vec![0; 2 * MAX_PACKET],
            begin: 0,
            end: 0,
        };
        let mut packets = Packets::default();
        packets.begin(kind::INIT).u32(3).end();
        sftp.send(&packets)?;
        let (is, _) = sftp.packet()?;
        if is != kind::VERSION {
            return Err(Fault::Protocol("no SFTP is offered".to_owned()));
        }
        Ok(sftp)
    }

    fn send(&mut self, packets: &Packets) -> Result<(), Fault> {
        let channel = &self.channel;
        self.guard
            .wait(|| channel.stdin().write_all(packets.bytes()))
            .map_err(|error| self.guard.broken(error))
    }

    /// Makes sure that `length` bytes have come; at most a packet and its length.
    fn fill(&mut self, length: usize) -> Result<(), Fault> {
        while self.end - self.begin < length {
            if self.bytes.len() - self.begin < length {
                self.bytes.copy_within(self.begin..self.end, 0);
                self.end -= self.begin;
                self.begin = 0;
            }
            let (channel, limit) = (&self.channel, patience(&self.guard));
            let room = &mut self.bytes[self.end..];
            let read = self
                .guard
                .wait(|| channel.read_timeout(room, false, Some(limit)));
            match read {
                Ok(0) if self.channel.is_eof() => {
                    return Err(self.guard.broken("the server closed it"));
                }
                Ok(0) => return Err(Fault::Timeout(self.guard.limit().as_secs())),
                Ok(read) => self.end += read,
                Err(error) => return Err(self.guard.broken(words(&error))),
            }
        }
        Ok(())
    }

    /// The next packet: its type and its fields.
    fn packet(&mut self) -> Result<(u8, &[u8]), Fault> {
        self.fill(4)?;
        let length = Fields(&self.bytes[self.begin..]).u32()? as usize;
        if length == 0 || length > MAX_PACKET {
            return Err(Fault::Protocol("an SFTP packet without end".to_owned()));
        }
        self.fill(4 + length)?;
        let packet = &self.bytes[self.begin + 4..self.begin + 4 + length];
        self.begin += 4 + length;
        Ok((packet[0], &packet[1..]))
    }

    /// The next answer and the request it belongs to.
    fn answer(&mut self) -> Result<(u32, Answer), Fault> {
        let (is, bytes) = self.packet()?;
        let mut fields = Fields(bytes);
        let id = fields.u32()?;
        let answer = match is {
            kind::STATUS => {
                let code = fields.u32()?;
                let said = String::from_utf8_lossy(fields.bytes().unwrap_or_default());
                let said = said.chars().filter(|c| !c.is_control()).take(200);
                Answer::Status(code, said.collect())
            }
            kind::HANDLE => Answer::Handle(fields.bytes()?.to_vec()),
            kind::DATA => Answer::Data(fields.bytes()?.to_vec()),
            kind::ATTRS => Answer::Attributes(fields.attributes()?),
            kind::NAME => {
                let mut names = Vec::new();
                for _ in 0..fields.u32()? {
                    let name = fields.bytes()?.to_vec();
                    fields.bytes()?;
                    names.push((name, fields.attributes()?));
                }
                Answer::Names(names)
            }
            _ => return Err(Fault::Protocol("an unknown SFTP packet".to_owned())),
        };
        Ok((id, answer))
    }

    fn id(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// One request and its answer; `write` puts its fields.
    fn ask(&mut self, kind: u8, write: impl FnOnce(&mut Packets)) -> Result<Answer, Fault> {
        let id = self.id();
        let mut packets = Packets::default();
        packets.begin(kind).u32(id);
        write(&mut packets);
        packets.end();
        self.send(&packets)?;
        match self.answer()? {
            (answered, answer) if answered == id => Ok(answer),
            _ => Err(Fault::Protocol(
                "an SFTP answer nobody asked for".to_owned(),
            )),
        }
    }

    /// A request that is only done or not.
    fn done(&mut self, kind: u8, write: impl FnOnce(&mut Packets)) -> Result<(), Fault> {
        match self.ask(kind, write)? {
            Answer::Status(code, _) if code == Code::Ok as u32 => Ok(()),
            Answer::Status(code, said) => Err(refused(code, &said)),
            _ => Err(unexpected()),
        }
    }

    fn handle(&mut self, kind: u8, write: impl FnOnce(&mut Packets)) -> Result<Vec<u8>, Fault> {
        match self.ask(kind, write)? {
            Answer::Handle(handle) => Ok(handle),
            Answer::Status(code, said) => Err(refused(code, &said)),
            _ => Err(unexpected()),
        }
    }

    fn close(&mut self, handle: &[u8]) -> Result<(), Fault> {
        let closed = self.done(kind::CLOSE, |packets| {
            packets.text(handle);
        });
        match closed {
            // It was only read: nothing is lost.
            Err(Fault::File(_)) => Ok(()),
            closed => closed,
        }
    }

    fn names(
        &mut self,
        handle: &[u8],
        each: &mut dyn FnMut(Entry) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut asked = VecDeque::new();
        let mut ended = false;
        loop {
            let mut packets = Packets::default();
            while !ended && asked.len() < NAMES_AHEAD {
                let id = self.id();
                packets.begin(kind::READDIR).u32(id).text(handle).end();
                asked.push_back(id);
            }
            if packets.len() > 0 {
                self.send(&packets)?;
            }
            if asked.is_empty() {
                return Ok(());
            }
            let (id, answer) = self.answer()?;
            let Some(at) = asked.iter().position(|asked| *asked == id) else {
                return Err(unexpected());
            };
            asked.remove(at);
            match answer {
                Answer::Names(names) if names.is_empty() => ended = true,
                Answer::Names(names) => {
                    for (name, attributes) in names {
                        if listing::is_name(&name) {
                            each(entry(name, &attributes))?;
                        }
                    }
                }
                Answer::Status(code, _) if code == Code::Eof as u32 => ended = true,
                Answer::Status(code, said) => {
                    self.drain(asked.len())?;
                    return Err(refused(code, &said));
                }
                _ => return Err(unexpected()),
            }
        }
    }

    /// Takes answers that are not wanted any more.
    fn drain(&mut self, answers: usize) -> Result<(), Fault> {
        for _ in 0..answers {
            self.answer()?;
        }
        Ok(())
    }

    fn bytes_of(
        &mut self,
        handle: &[u8],
        offset: u64,
        size: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        // In the order of the file: id, offset, length, what came.
        let mut asked: VecDeque<(u32, u64, u64, Option<Vec<u8>>)> = VecDeque::new();
        let mut next = offset;
        let mut end = size;
        loop {
            let mut packets = Packets::default();
            while next < end && asked.len() < AHEAD {
                let length = CHUNK.min(end - next);
                let id = self.id();
                read_request(&mut packets, id, handle, next, length);
                asked.push_back((id, next, length, None));
                next += length;
            }
            if packets.len() > 0 {
                self.send(&packets)?;
            }
            if asked.is_empty() {
                return Ok(());
            }
            let (id, answer) = self.answer()?;
            let Some(request) = asked.iter_mut().find(|(asked, ..)| *asked == id) else {
                return Err(unexpected());
            };
            match answer {
                Answer::Data(data) if data.len() as u64 <= request.2 && !data.is_empty() => {
                    request.3 = Some(data);
                }
                Answer::Status(code, _) if code == Code::Eof as u32 => {
                    end = end.min(request.1);
                    request.3 = Some(Vec::new());
                }
                Answer::Status(code, said) => {
                    let open = asked.iter().filter(|(.., data)| data.is_none()).count();
                    self.drain(open - 1)?;
                    return Err(refused(code, &said));
                }
                _ => return Err(unexpected()),
            }
            while asked.front().is_some_and(|(.., data)| data.is_some()) {
                let Some((_, at, length, Some(data))) = asked.pop_front() else {
                    break;
                };
                let came = data.len() as u64;
                if at < end {
                    sink(&data)?;
                }
                if came < length && at + came < end {
                    // Less than was asked for: the rest is asked for again.
                    let id = self.id();
                    let (at, length) = (at + came, length - came);
                    let mut packets = Packets::default();
                    read_request(&mut packets, id, handle, at, length);
                    self.send(&packets)?;
                    asked.push_front((id, at, length, None));
                }
            }
        }
    }
}

fn read_request(packets: &mut Packets, id: u32, handle: &[u8], at: u64, length: u64) {
    let packets = packets.begin(kind::READ).u32(id).text(handle);
    packets.u64(at).u32(length as u32).end();
}

fn entry(name: Vec<u8>, attributes: &Attributes) -> Entry {
    // The bits of stat(2) that tell the type.
    let kind = match attributes.permissions.map(|mode| mode & 0o170_000) {
        Some(0o100_000) => Kind::File,
        Some(0o040_000) => Kind::Dir,
        _ => Kind::Other,
    };
    Entry {
        name,
        kind,
        size: attributes.size.unwrap_or(0),
        modified_s: attributes.times.map(|(_, modified)| modified.into()),
    }
}

/// libssh waits a little longer than the guard, who knows what it means.
fn patience(guard: &Guard) -> Duration {
    guard.limit() + Duration::from_secs(5)
}

fn unexpected() -> Fault {
    Fault::Protocol("an SFTP answer that does not fit".to_owned())
}

fn refused(code: u32, said: &str) -> Fault {
    let reason = match code {
        code if code == Code::NoSuchFile as u32 => "there is no such file",
        code if code == Code::PermissionDenied as u32 => "it is not permitted",
        _ => said,
    };
    Fault::File(format!("The server says: {reason}"))
}

impl Remote for Sftp {
    fn list(
        &mut self,
        dir: &[u8],
        each: &mut dyn FnMut(Entry) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let path = if dir.is_empty() { &b"."[..] } else { dir };
        let opened = self.handle(kind::OPENDIR, |packets| {
            packets.text(path);
        });
        let handle = match opened {
            Err(Fault::File(_)) => {
                return Err(Fault::Directory(String::from_utf8_lossy(dir).into_owned()));
            }
            handle => handle?,
        };
        self.names(&handle, each)?;
        self.close(&handle)
    }

    fn read(
        &mut self,
        path: &[u8],
        offset: u64,
        size: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        // For reading, no attributes.
        let handle = self.handle(kind::OPEN, |packets| {
            packets.text(path).u32(1).u32(0);
        })?;
        self.bytes_of(&handle, offset, size, sink)?;
        self.close(&handle)
    }

    fn size(&mut self, path: &[u8]) -> Result<Option<u64>, Fault> {
        let answer = self.ask(kind::STAT, |packets| {
            packets.text(path);
        })?;
        match answer {
            Answer::Attributes(attributes) => Ok(attributes.size),
            Answer::Status(..) => Ok(None),
            _ => Err(unexpected()),
        }
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Fault> {
        self.done(kind::RENAME, |packets| {
            packets.text(from).text(to);
        })
    }

    fn make_dir(&mut self, path: &[u8]) -> Result<(), Fault> {
        let made = self.done(kind::MKDIR, |packets| {
            packets.text(path).u32(0);
        });
        match made {
            // It may be there already: what is put into it tells.
            Err(Fault::File(_)) => Ok(()),
            made => made,
        }
    }

    fn remove(&mut self, path: &[u8]) -> Result<(), Fault> {
        self.done(kind::REMOVE, |packets| {
            packets.text(path);
        })
    }
}
