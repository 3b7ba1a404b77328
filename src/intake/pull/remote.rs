//! What a run asks of a server, whichever protocol it speaks; why that fails; and
//! the guard that ends connections which say nothing or are not wanted any more.

use std::io;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::StoreError;

/// Why something brought nothing; what to do about it is in the variant.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Somebody stopped the run, or the program ends.
    #[error("The run was stopped.")]
    Stopped,
    /// The connection broke, or never came about.
    #[error("The connection failed: {0}. Check host, port and network.")]
    Connection(String),
    /// The server said nothing for too long.
    #[error("The server said nothing for {0} s.")]
    Timeout(u64),
    /// User or password is wrong.
    #[error(
        "The server refused the login of {user:?}: {said}. Check user and password (or key) of the source."
    )]
    Login { user: String, said: String },
    /// The server shows another key than before. Nothing was sent to it.
    #[error(
        "The server shows the host key {found}, but {expected} is expected. Either the server was set up anew, or somebody is in between. No password was sent. Ask the server's administrator for the fingerprint; if the new one is right, forget the old key in the settings (or change host_key)."
    )]
    HostKey { expected: String, found: String },
    /// The server's certificate is not to be trusted, or it speaks no TLS.
    #[error(
        "TLS: {0}. The password was not sent. Give the name that is in the certificate as host, and its authority as ca_file where it is your own."
    )]
    Tls(String),
    /// There is no such directory.
    #[error("There is no directory {0:?} on the server, or it may not be read.")]
    Directory(String),
    /// Something with this one file only.
    #[error("{0}")]
    File(String),
    /// Too little space for the next file.
    #[error("The disk is full: free some space; the next run goes on.")]
    DiskFull,
    /// The server does not keep to the protocol.
    #[error("The server's answer is not understood: {0}.")]
    Protocol(String),
    /// A file here cannot be read or written.
    #[error("{0}")]
    Local(String),
}

impl Fault {
    /// Stable name of the reason.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Connection(_) => "connection",
            Self::Timeout(_) => "timeout",
            Self::Login { .. } => "login_refused",
            Self::HostKey { .. } => "host_key_changed",
            Self::Tls(_) => "tls",
            Self::Directory(_) => "directory_missing",
            Self::File(_) => "file",
            Self::DiskFull => "disk_full",
            Self::Protocol(_) => "protocol",
            Self::Local(_) => "internal",
        }
    }

    /// Whether another connection may do better.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Connection(_) | Self::Timeout(_) | Self::Protocol(_)
        )
    }

    /// A fault of a file on this machine.
    pub(super) fn local(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            Self::DiskFull
        } else {
            Self::Local(format!("A file here cannot be written: {error}."))
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if error.is_storage_full() {
            return Self::DiskFull;
        }
        tracing::error!(%error, "a run cannot use the store");
        Self::Local("The store failed; the log says more.".to_owned())
    }
}

/// What an entry of a listing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Dir,
    /// A link, a device: left alone.
    Other,
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) size: u64,
    /// Unix seconds, as exactly as the listing tells.
    pub(super) modified_s: Option<i64>,
}

/// A server, signed in. Paths are bytes.
pub(super) trait Remote {
    /// Gives every entry of a directory, as they come.
    fn list(
        &mut self,
        dir: &[u8],
        each: &mut dyn FnMut(Entry) -> Result<(), Fault>,
    ) -> Result<(), Fault>;
    /// Gives the bytes of a file from `offset` to its end, which is expected at
    /// `size`. More than that many are not asked for.
    fn read(
        &mut self,
        path: &[u8],
        offset: u64,
        size: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault>;
    /// Size of a file now; none where there is no such file or it cannot be told.
    fn size(&mut self, path: &[u8]) -> Result<Option<u64>, Fault>;
    /// Gives a file another name; what has that name already is not replaced.
    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Fault>;
    /// Makes a directory; one that is there already is no fault.
    fn make_dir(&mut self, path: &[u8]) -> Result<(), Fault>;
    /// Deletes a file.
    fn remove(&mut self, path: &[u8]) -> Result<(), Fault>;
}

/// Ends the connections of a run that wait for too long, or when the run shall stop.
pub(super) struct Guard {
    limit: Duration,
    begin: Instant,
    /// Milliseconds after `begin` when a wait for the server began, plus one; 0: none does.
    waits: AtomicU64,
    stop: AtomicBool,
    late: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Guard {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            begin: Instant::now(),
            waits: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            late: AtomicBool::new(false),
            sockets: Mutex::default(),
        }
    }

    /// How long a server may say nothing.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Asks the run to end; its connections are ended at once.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.end_all();
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Ends the connections when the server says nothing for too long. Called by
    /// the watching thread every now and then.
    pub(super) fn look(&self) {
        let since = self.waits.load(Ordering::Relaxed);
        let now = self.begin.elapsed().as_millis() as u64 + 1;
        if since != 0 && now.saturating_sub(since) > self.limit.as_millis() as u64 {
            self.late.store(true, Ordering::Relaxed);
            self.end_all();
        }
    }

    fn end_all(&self) {
        for socket in self.sockets().drain(..) {
            // One that is ended already is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn sockets(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before another connection: what was held is let go.
    pub(super) fn renew(&self) {
        self.sockets().clear();
        self.late.store(false, Ordering::Relaxed);
    }

    /// Connects, and holds the connection.
    pub(super) fn connect(&self, address: &[std::net::SocketAddr]) -> Result<TcpStream, Fault> {
        let mut last = Fault::Connection("the host is not known".to_owned());
        for address in address {
            if self.stopping() {
                return Err(Fault::Stopped);
            }
            match TcpStream::connect_timeout(address, self.limit) {
                Ok(stream) => {
                    // An answer of a few bytes shall not wait for the next.
                    let _ = stream.set_nodelay(true);
                    self.hold(&stream)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    last = Fault::Timeout(self.limit.as_secs());
                }
                Err(error) => last = Fault::Connection(error.to_string()),
            }
        }
        Err(last)
    }

    /// Connects to a host by name.
    pub(super) fn connect_to(&self, host: &str, port: u16) -> Result<TcpStream, Fault> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (bare, port)
            .to_socket_addrs()
            .map_err(|error| Fault::Connection(error.to_string()))?;
        self.connect(&addresses.collect::<Vec<_>>())
    }

    fn hold(&self, stream: &TcpStream) -> Result<(), Fault> {
        let clone = stream
            .try_clone()
            .map_err(|error| Fault::Connection(error.to_string()))?;
        let mut sockets = self.sockets();
        // The control connection stays first; of the others the last ones are enough.
        if sockets.len() >= 4 {
            sockets.remove(1);
        }
        sockets.push(clone);
        drop(sockets);
        // A stop that came in between found nothing to end.
        if self.stopping() {
            self.end_all();
            return Err(Fault::Stopped);
        }
        Ok(())
    }

    /// Does something that waits for the server.
    pub(super) fn wait<T>(&self, work: impl FnOnce() -> T) -> T {
        let now = self.begin.elapsed().as_millis() as u64 + 1;
        self.waits.store(now, Ordering::Relaxed);
        let done = work();
        self.waits.store(0, Ordering::Relaxed);
        done
    }

    /// What it means that something on the connection failed: the guard may have ended it.
    pub(super) fn broken(&self, error: impl std::fmt::Display) -> Fault {
        if self.stopping() {
            Fault::Stopped
        } else if self.late.load(Ordering::Relaxed) {
            Fault::Timeout(self.limit.as_secs())
        } else {
            Fault::Connection(error.to_string())
        }
    }

    /// Sleeps, unless the run is stopped.
    pub(super) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.stopping() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_that_says_nothing_or_is_not_wanted_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let guard = Guard::new(Duration::ZERO);
        for stops in [false, true] {
            let guard = if stops {
                Guard::new(Duration::from_secs(100))
            } else {
                Guard::new(Duration::from_millis(1))
            };
            let mut stream = guard.connect_to("127.0.0.1", address.port()).expect("open");
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(20));
                    if stops {
                        guard.stop();
                    } else {
                        guard.look();
                    }
                });
                let read = guard.wait(|| stream.read(&mut [0]));
                assert_eq!(read.expect("ended"), 0);
            });
            let fault = guard.broken("");
            assert_eq!(
                fault.code(),
                if stops { "stopped" } else { "timeout" },
                "{fault}"
            );
        }
        // Nobody waits: nothing ends.
        guard.look();
        assert!(!guard.late.load(Ordering::Relaxed));
    }
}
