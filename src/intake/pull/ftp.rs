//! FTP and explicit FTPS (RFC 959, 2428, 3659, 4217): passive, binary, names as
//! bytes. What a server may send is bounded in length; its data connections go to
//! the address of the control connection, whatever address it announces.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::listing;
use super::remote::{Entry, Fault, Guard, Remote};
use super::wire::{Lines, Reply, Wire, tls};
use crate::config::{PullProtocol, PullSource};

/// Longest reply, in bytes.
const MAX_REPLY: usize = 64 << 10;
/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A server, signed in.
pub(super) struct Ftp {
    wire: Option<Wire>,
    lines: Lines,
    guard: Arc<Guard>,
    peer: SocketAddr,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Where signing in led to, with a slash at its end.
    home: Vec<u8>,
    mlsd: bool,
    epsv: bool,
}

impl Ftp {
    /// Connects and signs in.
    pub(super) fn connect(source: &PullSource, guard: &Arc<Guard>) -> Result<Self, Fault> {
        let tls = match source.protocol {
            PullProtocol::Ftps => Some(tls(source)?),
            PullProtocol::Ftp | PullProtocol::Sftp => None,
        };
        let stream = guard.connect_to(&source.host, source.port)?;
        let peer = stream.peer_addr().map_err(|error| guard.broken(error))?;
        let mut ftp = Self {
            wire: Some(Wire::Plain(stream)),
            lines: Lines::new(),
            guard: Arc::clone(guard),
            peer,
            tls: None,
            home: Vec::new(),
            mlsd: false,
            epsv: peer.is_ipv6(),
        };
        let greeting = ftp.reply()?;
        if !greeting.is(2) {
            return Err(Fault::Connection(greeting.said()));
        }
        if let Some(tls) = tls {
            ftp.secure(tls)?;
        }
        ftp.login(source)?;
        Ok(ftp)
    }

    /// AUTH TLS, the handshake, and protection for the data connections.
    fn secure(&mut self, tls: (Arc<ClientConfig>, ServerName<'static>)) -> Result<(), Fault> {
        let reply = self.ask(b"AUTH TLS")?;
        if !reply.is(2) {
            return Err(Fault::Tls(format!(
                "the server offers none ({})",
                reply.said()
            )));
        }
        if self.lines.has_more() {
            // What somebody in between slipped in would pass as said within TLS.
            return Err(Fault::Tls("something was said before it began".to_owned()));
        }
        let Some(Wire::Plain(mut stream)) = self.wire.take() else {
            return Err(Fault::Tls("it began twice".to_owned()));
        };
        let (config, name) = tls;
        let mut connection = ClientConnection::new(Arc::clone(&config), name.clone())
            .map_err(|error| Fault::Tls(error.to_string()))?;
        while connection.is_handshaking() {
            self.guard
                .wait(|| connection.complete_io(&mut stream))
                .map_err(|error| self.tls_fault(&error))?;
        }
        let stream = StreamOwned::new(connection, stream);
        self.wire = Some(Wire::Tls(Box::new(stream)));
        self.tls = Some((config, name));
        for command in [&b"PBSZ 0"[..], b"PROT P"] {
            let reply = self.ask(command)?;
            if !reply.is(2) {
                return Err(Fault::Tls(format!(
                    "the server does not protect recordings ({})",
                    reply.said()
                )));
            }
        }
        Ok(())
    }

    fn tls_fault(&self, error: &io::Error) -> Fault {
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            Some(fault) => Fault::Tls(fault.to_string()),
            None => self.guard.broken(error),
        }
    }

    fn login(&mut self, source: &PullSource) -> Result<(), Fault> {
        let mut reply = self.ask(format!("USER {}", source.user).as_bytes())?;
        if reply.code == 331 {
            reply = self.ask(format!("PASS {}", source.password.expose()).as_bytes())?;
        }
        match reply.code {
            200..300 => {}
            421 => return Err(Fault::Connection(reply.said())),
            _ => {
                return Err(Fault::Login {
                    user: source.user.clone(),
                    said: reply.said(),
                });
            }
        }
        let features = self.ask(b"FEAT")?;
        let has = |name: &str| {
            features.lines.iter().any(|line| {
                let line = String::from_utf8_lossy(line).trim().to_ascii_uppercase();
                line.split([' ', ';']).next() == Some(name)
            })
        };
        // What MLSD gives is announced as MLST.
        self.mlsd = features.is(2) && has("MLST");
        if features.is(2) && has("UTF8") {
            self.ask(b"OPTS UTF8 ON")?;
        }
        let binary = self.ask(b"TYPE I")?;
        if !binary.is(2) {
            return Err(Fault::Protocol(binary.said()));
        }
        let here = self.ask(b"PWD")?;
        if here.code == 257 {
            self.home = quoted(here.lines.first().map_or(&[][..], Vec::as_slice));
            if self.home.last().is_some_and(|byte| *byte != b'/') {
                self.home.push(b'/');
            }
        }
        Ok(())
    }

    /// The path as the server knows it wherever one is.
    fn full(&self, path: &[u8]) -> Vec<u8> {
        if path.starts_with(b"/") {
            return path.to_vec();
        }
        [self.home.as_slice(), path].concat()
    }

    fn wire(&mut self) -> Result<&mut Wire, Fault> {
        self.wire
            .as_mut()
            .ok_or_else(|| Fault::Connection("it has ended".to_owned()))
    }

    fn send(&mut self, command: &[u8]) -> Result<(), Fault> {
        if command.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Fault::File(
                "The name cannot be sent in a command.".to_owned(),
            ));
        }
        let line = [command, b"\r\n"].concat();
        let guard = Arc::clone(&self.guard);
        let wire = self.wire()?;
        guard
            .wait(|| wire.write_all(&line).and_then(|()| wire.flush()))
            .map_err(|error| guard.broken(error))
    }

    fn reply(&mut self) -> Result<Reply, Fault> {
        let guard = Arc::clone(&self.guard);
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut size = 0;
        let mut code = None;
        loop {
            let wire = self
                .wire
                .as_mut()
                .ok_or_else(|| Fault::Connection("it has ended".to_owned()))?;
            let line = self
                .lines
                .next(wire, &guard)?
                .ok_or_else(|| guard.broken("the server closed it"))?;
            size += line.len();
            if size > MAX_REPLY {
                return Err(Fault::Protocol("an endless reply".to_owned()));
            }
            let number = line
                .get(..3)
                .filter(|digits| digits.iter().all(u8::is_ascii_digit))
                .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
            let ends = line.get(3).is_none_or(|byte| *byte == b' ');
            match (code, number) {
                (None, None) => {
                    return Err(Fault::Protocol(
                        "no FTP server answers at this port".to_owned(),
                    ));
                }
                (None, first) => code = first,
                _ => {}
            }
            lines.push(line);
            if let Some(code) = code
                && ends
                && number == Some(code)
            {
                return Ok(Reply { code, lines });
            }
        }
    }

    fn ask(&mut self, command: &[u8]) -> Result<Reply, Fault> {
        self.send(command)?;
        self.reply()
    }

    /// Opens a data connection and gives the command that uses it. What the server
    /// says against the command comes back as its reply.
    fn data(&mut self, command: &[u8], offset: u64) -> Result<Result<Wire, Reply>, Fault> {
        let port = self.passive()?;
        let stream = self
            .guard
            .connect(&[SocketAddr::new(self.peer.ip(), port)])?;
        if offset > 0 {
            let reply = self.ask(format!("REST {offset}").as_bytes())?;
            if reply.code != 350 {
                return Ok(Err(reply));
            }
        }
        let reply = self.ask(command)?;
        if !reply.is(1) {
            return Ok(Err(reply));
        }
        let Some((config, name)) = &self.tls else {
            return Ok(Ok(Wire::Plain(stream)));
        };
        let connection = ClientConnection::new(Arc::clone(config), name.clone())
            .map_err(|error| Fault::Tls(error.to_string()))?;
        let stream = StreamOwned::new(connection, stream);
        Ok(Ok(Wire::Tls(Box::new(stream))))
    }

    /// The port that the server listens at for a data connection.
    fn passive(&mut self) -> Result<u16, Fault> {
        if !self.epsv {
            let reply = self.ask(b"PASV")?;
            if reply.code == 227 {
                return pasv_port(&reply.said()).ok_or_else(|| Fault::Protocol(reply.said()));
            }
            self.epsv = true;
        }
        let reply = self.ask(b"EPSV")?;
        let said = reply.said();
        said.split_once("|||")
            .and_then(|(_, rest)| rest.split('|').next()?.parse().ok())
            .filter(|_| reply.code == 229)
            .ok_or(Fault::Connection(format!(
                "no data connection can be made: {said}"
            )))
    }

    /// Lines of the directory that is current; false where it cannot be had this way.
    fn lines_of(
        &mut self,
        command: &[u8],
        each: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<Result<(), Reply>, Fault> {
        let mut wire = match self.data(command, 0)? {
            Ok(wire) => wire,
            Err(reply) => return Ok(Err(reply)),
        };
        let mut lines = Lines::new();
        while let Some(line) = lines.next(&mut wire, &self.guard)? {
            each(&line)?;
        }
        self.end_data(wire);
        let reply = self.reply()?;
        if reply.is(2) {
            Ok(Ok(()))
        } else {
            // A half of a listing is none.
            Err(Fault::Connection(reply.said()))
        }
    }

    /// Ends a data connection, whatever the server still wants to say over it.
    fn end_data(&self, mut wire: Wire) {
        self.guard.wait(|| wire.end());
    }
}

impl Drop for Ftp {
    fn drop(&mut self) {
        // Said for the server's log; the answer is not waited for.
        let _ = self.send(b"QUIT");
    }
}

/// The text in the quotes of a reply; a doubled quote stands for one.
fn quoted(line: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let Some(begin) = line.iter().position(|byte| *byte == b'"') else {
        return text;
    };
    let mut rest = line[begin + 1..].iter().peekable();
    while let Some(byte) = rest.next() {
        if *byte == b'"' && rest.next_if(|next| **next == b'"').is_none() {
            break;
        }
        text.push(*byte);
    }
    text
}

/// The last two of six numbers: `227 Entering Passive Mode (10,0,0,1,195,80)`.
fn pasv_port(said: &str) -> Option<u16> {
    let numbers: Vec<u16> = said
        .get(3..)?
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    match numbers.as_slice() {
        [.., high, low] if numbers.len() >= 6 && *high < 256 && *low < 256 => {
            Some(high * 256 + low)
        }
        _ => None,
    }
}

impl Remote for Ftp {
    fn list(
        &mut self,
        dir: &[u8],
        each: &mut dyn FnMut(Entry) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let full = self.full(dir);
        if !full.is_empty() && !self.ask(&[b"CWD ", full.as_slice()].concat())?.is(2) {
            return Err(Fault::Directory(String::from_utf8_lossy(dir).into_owned()));
        }
        if self.mlsd {
            let listed = self.lines_of(b"MLSD", &mut |line| match listing::mlsd(line) {
                Some(entry) => each(entry),
                None => Ok(()),
            })?;
            match listed {
                Ok(()) => return Ok(()),
                Err(reply) if reply.code / 10 == 50 => self.mlsd = false,
                Err(reply) => return Err(refused_list(&reply, dir)),
            }
        }
        let now = Timestamp::now();
        let listed = self.lines_of(b"LIST", &mut |line| match listing::list(line, now) {
            Some(entry) => each(entry),
            None => Ok(()),
        })?;
        match listed {
            // Some servers say so of a directory without files.
            Err(reply) if matches!(reply.code, 450 | 550) => Ok(()),
            Err(reply) => Err(refused_list(&reply, dir)),
            Ok(()) => Ok(()),
        }
    }

    fn read(
        &mut self,
        path: &[u8],
        offset: u64,
        size: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let command = [b"RETR ", self.full(path).as_slice()].concat();
        let mut skip = 0;
        let mut opened = self.data(&command, offset)?;
        if offset > 0 && opened.as_ref().is_err_and(|reply| reply.code / 10 == 50) {
            // A server that cannot begin in the middle.
            skip = offset;
            opened = self.data(&command, 0)?;
        }
        let mut wire = opened.map_err(|reply| refused(&reply))?;
        let mut left = size - offset;
        let mut buffer = vec![0; CHUNK];
        while left > 0 {
            let read = self
                .guard
                .wait(|| wire.read(&mut buffer))
                .map_err(|error| self.guard.broken(error))?;
            if read == 0 {
                break;
            }
            let mut bytes = &buffer[..read];
            let skipped = (skip as usize).min(bytes.len());
            bytes = &bytes[skipped..];
            skip -= skipped as u64;
            bytes = &bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            left -= bytes.len() as u64;
            sink(bytes)?;
        }
        // Whether there is more, the size tells afterwards.
        let more = left == 0 && {
            let read = self.guard.wait(|| wire.read(&mut buffer[..1]));
            read.map_err(|error| self.guard.broken(error))? > 0
        };
        self.end_data(wire);
        let reply = self.reply()?;
        if reply.is(2) || more {
            Ok(())
        } else {
            Err(Fault::Connection(reply.said()))
        }
    }

    fn size(&mut self, path: &[u8]) -> Result<Option<u64>, Fault> {
        let reply = self.ask(&[b"SIZE ", self.full(path).as_slice()].concat())?;
        if reply.code != 213 {
            return Ok(None);
        }
        let said = reply.said();
        Ok(said.get(4..).and_then(|size| size.trim().parse().ok()))
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Fault> {
        let reply = self.ask(&[b"RNFR ", self.full(from).as_slice()].concat())?;
        if reply.code != 350 {
            return Err(refused(&reply));
        }
        let reply = self.ask(&[b"RNTO ", self.full(to).as_slice()].concat())?;
        reply.is(2).then_some(()).ok_or_else(|| refused(&reply))
    }

    fn make_dir(&mut self, path: &[u8]) -> Result<(), Fault> {
        // One that is there already is refused as one that may not be made: what
        // is put into it tells.
        self.ask(&[b"MKD ", self.full(path).as_slice()].concat())?;
        Ok(())
    }

    fn remove(&mut self, path: &[u8]) -> Result<(), Fault> {
        let reply = self.ask(&[b"DELE ", self.full(path).as_slice()].concat())?;
        reply.is(2).then_some(()).ok_or_else(|| refused(&reply))
    }
}

fn refused(reply: &Reply) -> Fault {
    match reply.code {
        421 | 425 | 426 => Fault::Connection(reply.said()),
        _ => Fault::File(format!("The server says: {}", reply.said())),
    }
}

fn refused_list(reply: &Reply, dir: &[u8]) -> Fault {
    match reply.code {
        421 | 425 | 426 | 522 => Fault::Connection(reply.said()),
        _ => Fault::Directory(String::from_utf8_lossy(dir).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_paths_are_read_from_replies() {
        let port = |said| pasv_port(said);
        assert_eq!(
            port("227 Entering Passive Mode (10,0,0,1,195,80)."),
            Some(50_000)
        );
        assert_eq!(port("227 =10,0,0,1,0,21"), Some(21));
        for said in [
            "227 (1,2,3)",
            "227 (1,2,3,4,256,1)",
            "227 (1,2,3,4,99999,1)",
            "2",
        ] {
            assert_eq!(port(said), None, "{said}");
        }
        assert_eq!(quoted(b"257 \"/a \"\"b\"\"\" is here"), b"/a \"b\"");
        assert_eq!(quoted(b"257 none"), b"");
    }
}
