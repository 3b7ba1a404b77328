//! What FTP is spoken over: connections with and without TLS, and their lines.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::remote::{Fault, Guard};
use crate::config::PullSource;

/// Longest line of a reply or a listing, in bytes.
const MAX_LINE: usize = 8 << 10;

/// A connection, plain or within TLS.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Ends it in both directions, also where the guard still holds it.
    pub(super) fn end(&mut self) {
        let socket = match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => {
                stream.conn.send_close_notify();
                // A server that has closed its side already does not want to hear it.
                let _ = stream.flush();
                &mut stream.sock
            }
        };
        let _ = socket.shutdown(Shutdown::Both);
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Tls(stream) => match stream.read(buffer) {
                // Many servers end TLS without saying so; sizes tell whether all came.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

/// Lines of a connection.
pub(super) struct Lines {
    bytes: Vec<u8>,
    begin: usize,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            begin: 0,
        }
    }

    /// Whether something came that was not asked for yet.
    pub(super) fn has_more(&self) -> bool {
        self.begin < self.bytes.len()
    }

    /// The next line without its end; `None` at the end. Of one that is too long
    /// the rest follows as further lines.
    pub(super) fn next(
        &mut self,
        wire: &mut Wire,
        guard: &Guard,
    ) -> Result<Option<Vec<u8>>, Fault> {
        loop {
            let rest = &self.bytes[self.begin..];
            let end = rest.iter().position(|byte| *byte == b'\n');
            if end.is_some() || rest.len() >= MAX_LINE {
                let taken = end.map_or(rest.len(), |end| end + 1);
                let line = rest[..end.unwrap_or(rest.len())].to_vec();
                self.begin += taken;
                return Ok(Some(trimmed(line)));
            }
            self.bytes.drain(..self.begin);
            self.begin = 0;
            let had = self.bytes.len();
            self.bytes.resize(had + MAX_LINE, 0);
            let read = guard.wait(|| wire.read(&mut self.bytes[had..]));
            self.bytes.truncate(had + *read.as_ref().unwrap_or(&0));
            let read = read.map_err(|error| guard.broken(error))?;
            if read == 0 {
                let line = std::mem::take(&mut self.bytes);
                return Ok((!line.is_empty()).then(|| trimmed(line)));
            }
        }
    }
}

fn trimmed(mut line: Vec<u8>) -> Vec<u8> {
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    line
}

/// What a server answers.
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<Vec<u8>>,
}

impl Reply {
    /// As one text to show.
    pub(super) fn said(&self) -> String {
        let last = self.lines.last().map_or(&[][..], Vec::as_slice);
        let text = String::from_utf8_lossy(last);
        text.chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect::<String>()
    }

    pub(super) fn is(&self, first: u16) -> bool {
        self.code / 100 == first
    }
}

/// Certificates are checked against the usual authorities, and those of the
/// source. One value for all connections of a login: servers ask that the data
/// connections go on with the session of the control connection.
pub(super) fn tls(source: &PullSource) -> Result<(Arc<ClientConfig>, ServerName<'static>), Fault> {
    let fault = |error: &dyn std::fmt::Display| Fault::Tls(error.to_string());
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = &source.ca_file {
        add(&mut roots, path).map_err(|error| fault(&error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(source.host.clone()).map_err(|error| fault(&error))?;
    Ok((Arc::new(config), name))
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("ca_file {}: {error}", path.display());
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        roots
            .add(certificate.map_err(|error| wrong(&error))?)
            .map_err(|error| wrong(&error))?;
    }
    Ok(())
}
