//! The SFTP server: senders drop their recordings here. libssh does the
//! transport and the signing in ([`transport`]), everything above it is ours:
//! the conversation (`protocol`, `handles`, `answer`, `wire`), each sender's
//! folder that nothing leads out of (`beneath`, `folder`, [`Folders`]), the
//! limits (`guard`), the senders themselves ([`users`]). One thread a
//! connection; nothing here is async.

mod answer;
mod beneath;
mod folder;
mod folders;
mod guard;
mod handles;
mod host_keys;
mod protocol;
mod server;
mod transport;
pub mod users;
pub(crate) mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use folders::{Folders, Found};
pub use host_keys::HostKey;
pub use server::Server;
pub(crate) use server::allow_many_files;

/// How the writing of a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The sender closed the file, and it is on disk.
    Complete,
    /// The connection ended before, or the file could not be put on disk.
    Broken,
}

/// Told what happens in the senders' folders; paths are from the root of the
/// folder. Called by connection threads, before the sender gets his answer: it
/// must not block for long. It may ask [`Folders`].
pub trait Watch: Send + Sync + 'static {
    /// A file was opened for writing; it may have been made or emptied by that.
    fn opened(&self, user: &str, path: &Path);
    /// One who had it open for writing closed it, where it is now; others may
    /// still have it open ([`Folders::is_open`]).
    fn closed(&self, user: &str, path: &Path, end: End);
    /// A file or directory has another name; what was there is replaced.
    fn renamed(&self, user: &str, from: &Path, to: &Path);
    /// A file or directory was removed.
    fn removed(&self, user: &str, path: &Path);
}

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    /// A file or directory of the server cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address cannot be used.
    #[error(
        "the SFTP address {address} cannot be used: {source}; set 'listen' or 'enabled = false' in [sftp]"
    )]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread for the SFTP server cannot be started: {0}")]
    Thread(std::io::Error),
    /// Host keys or libssh.
    #[error("the SFTP host keys cannot be used: {0}")]
    HostKeys(String),
}

impl From<transport::TransportError> for SftpError {
    fn from(error: transport::TransportError) -> Self {
        Self::HostKeys(error.to_string())
    }
}
