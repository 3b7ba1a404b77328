//! An archive on its way into a server that runs: the command line asks for each
//! file whether its content is known, and sends the bytes of those that are not,
//! because the server may be somebody who cannot read the files.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Command, ControlError, Reply, socket_path};

/// Longest line in bytes.
const MAX_LINE: u64 = 64 << 10;
/// Either side waits so long for the other: a large file is hashed meanwhile.
const PATIENCE: Duration = Duration::from_secs(900);

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// It is a new call.
    New(String),
    /// The same content is known as this call.
    Known(String),
    /// It is no recording.
    Other,
    /// It is one that cannot be worked on.
    Refused {
        /// Stable name of the reason.
        code: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// It could not be taken in this time.
    Failed(String),
}

/// Who takes the files of an archive in.
pub trait Archive: Send + Sync {
    /// The call with this content (SHA-256, lower-case hex).
    ///
    /// # Errors
    /// Why that cannot be said.
    fn known(&self, sha256: &str) -> Result<Option<String>, String>;

    /// Takes a file of `size` bytes in.
    fn take(&self, name: &str, size: u64, bytes: &mut dyn Read) -> Taken;
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    /// Whether this content is known.
    Offer { sha256: String },
    /// So many bytes follow.
    Send { name: String, size_bytes: u64 },
}

fn write_line(stream: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// `None` at the end.
fn read_line<T: DeserializeOwned>(stream: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = String::new();
    if stream.by_ref().take(MAX_LINE).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}

/// Answers until the other side has nothing more. Blocks.
pub(super) fn answer(stream: UnixStream, archive: &Arc<dyn Archive>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut write = stream.try_clone()?;
    let mut read = BufReader::with_capacity(256 << 10, stream);
    while let Some(ask) = read_line::<Ask>(&mut read)? {
        match ask {
            Ask::Offer { sha256 } => write_line(&mut write, &archive.known(&sha256))?,
            Ask::Send { name, size_bytes } => {
                let mut bytes = read.by_ref().take(size_bytes);
                let taken = archive.take(&name, size_bytes, &mut bytes);
                // What was not wanted is on its way all the same.
                io::copy(&mut bytes, &mut io::sink())?;
                write_line(&mut write, &taken)?;
            }
        }
    }
    Ok(())
}

/// The server that has the store open, seen from the command line.
pub struct Remote {
    read: BufReader<UnixStream>,
    write: UnixStream,
    path: PathBuf,
}

impl Remote {
    /// Reaches the server.
    ///
    /// # Errors
    /// [`ControlError`] when it cannot be reached or does not take archives.
    pub fn connect(data_dir: &Path) -> Result<Self, ControlError> {
        let path = socket_path(data_dir);
        let begin = || -> io::Result<(Self, Reply)> {
            let mut write = UnixStream::connect(&path)?;
            write.set_read_timeout(Some(PATIENCE))?;
            write.set_write_timeout(Some(PATIENCE))?;
            let mut read = BufReader::new(write.try_clone()?);
            write_line(&mut write, &Command::Import)?;
            let reply = read_line(&mut read)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let path = path.clone();
            Ok((Self { read, write, path }, reply))
        };
        match begin() {
            Ok((remote, Reply::Done(_))) => Ok(remote),
            Ok((_, Reply::Failed(reason))) => Err(ControlError::Refused(reason)),
            Err(source) => Err(ControlError::Unreachable { path, source }),
        }
    }

    fn broken(&self, source: io::Error) -> ControlError {
        ControlError::Unreachable {
            path: self.path.clone(),
            source,
        }
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T, ControlError> {
        match read_line(&mut self.read) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// As [`Archive::known`].
    ///
    /// # Errors
    /// [`ControlError`] when the server is gone or cannot say.
    pub fn known(&mut self, sha256: &str) -> Result<Option<String>, ControlError> {
        let ask = Ask::Offer {
            sha256: sha256.to_owned(),
        };
        write_line(&mut self.write, &ask).map_err(|error| self.broken(error))?;
        let known: Result<Option<String>, String> = self.answer()?;
        known.map_err(ControlError::Refused)
    }

    /// As [`Archive::take`].
    ///
    /// # Errors
    /// [`ControlError`] when the server is gone, or the file became shorter: then
    /// this connection is of no more use.
    pub fn take(
        &mut self,
        name: &str,
        size: u64,
        bytes: &mut dyn Read,
    ) -> Result<Taken, ControlError> {
        let ask = Ask::Send {
            name: name.to_owned(),
            size_bytes: size,
        };
        let mut send = || -> io::Result<()> {
            write_line(&mut self.write, &ask)?;
            if io::copy(&mut bytes.take(size), &mut self.write)? != size {
                return Err(io::Error::other("the file became shorter"));
            }
            Ok(())
        };
        send().map_err(|error| self.broken(error))?;
        self.answer()
    }
}
