//! Listens, lets in, signs in, and hands the channel to the conversation.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::folders::Folders;
use super::guard::{Guard, Limits, Refusal, Slot};
use super::host_keys::{self, HostKey};
use super::protocol;
use super::transport::{Acceptor, Asked, Session};
use super::{SftpError, Watch, users};
use crate::config::{Config, Sftp};
use crate::domain::SftpUser;
use crate::domain::audit::{Action, Actor, Entry, Outcome};
use crate::store::Store;

/// Stack of a connection's thread; libssh and the code here need a fraction.
const STACK: usize = 512 * 1024;
/// Tries to sign in that one connection has.
const MOST_TRIES: u32 = 30;
/// Of them, wrong passwords.
const MOST_WRONG: u32 = 6;
/// Questions after signing in that are not SFTP.
const MOST_QUESTIONS: u32 = 1000;
/// Sign-ins of one name from one address within this are one entry of the audit.
const ONE_SIGN_IN: Duration = Duration::from_secs(600);
/// Connections get this long to end when the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

struct Shared {
    store: Arc<Store>,
    folders: Arc<Folders>,
    guard: Arc<Guard>,
    acceptor: Acceptor,
    max_handles: usize,
    stopping: AtomicBool,
}

/// The SFTP server; it serves from [`Server::bind`] to [`Server::stop`].
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    host_keys: Vec<HostKey>,
    listener: TcpListener,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Server {
    /// Makes what is not there yet in `DATA_DIR/sftp` and serves at once.
    pub fn bind(
        config: &Config,
        store: Arc<Store>,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, SftpError> {
        let settings = &config.sftp;
        let dir = config.data_dir.join("sftp");
        let folders = Folders::open(&dir, settings.keep_free_bytes, watch).map_err(|source| {
            SftpError::Io {
                path: dir.clone(),
                source,
            }
        })?;
        let host_keys = host_keys::open(&dir.join("host_keys"))?;
        let paths: Vec<_> = host_keys.iter().map(|key| key.path.as_path()).collect();
        let acceptor = Acceptor::new(&paths)?;
        let in_use = |source| SftpError::Address {
            address: settings.listen,
            source,
        };
        let listener = TcpListener::bind(settings.listen).map_err(in_use)?;
        let address = listener.local_addr().map_err(in_use)?;
        allow_many_files();
        let shared = Arc::new(Shared {
            store,
            folders: Arc::new(folders),
            guard: Arc::new(Guard::new(limits(settings))),
            acceptor,
            max_handles: settings.max_handles,
            stopping: AtomicBool::new(false),
        });
        let server = Self {
            shared: Arc::clone(&shared),
            address,
            host_keys,
            listener: listener.try_clone().map_err(in_use)?,
            threads: Mutex::default(),
        };
        let guard = Arc::clone(&shared);
        server.start("sftp-accept", move || accept(&shared, &listener))?;
        server.start("sftp-guard", move || {
            while !guard.stopping.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(500));
                guard.guard.sweep();
            }
        })?;
        Ok(server)
    }

    fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), SftpError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK)
            .spawn(work)
            .map_err(SftpError::Thread)?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.push(thread);
        Ok(())
    }

    /// Where it listens (with the port the system chose for port 0).
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The keys by which clients know it.
    pub fn host_keys(&self) -> &[HostKey] {
        &self.host_keys
    }

    /// The senders' folders.
    pub fn folders(&self) -> &Arc<Folders> {
        &self.shared.folders
    }

    /// Connections that are signed in, and those that are not (yet).
    pub fn connections(&self) -> (usize, usize) {
        self.shared.guard.counts()
    }

    /// A sender was changed; `ends`: in what he signs in with, so that his
    /// connections end.
    pub fn changed(&self, user: &SftpUser, ends: bool) {
        if let Ok(folder) = self.shared.folders.get(&user.name) {
            folder.set_quota(user.quota_bytes);
        }
        if ends {
            self.end_user(&user.name);
        }
    }

    /// Ends the connections of a sender who was changed or removed.
    pub fn end_user(&self, user: &str) {
        self.shared.guard.end_user(user);
    }

    /// Ends all connections; what they had open for writing is told as broken.
    pub fn stop(&self) {
        if self.shared.stopping.swap(true, Ordering::Relaxed) {
            return;
        }
        // Wakes the thread that waits for connections.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        self.shared.guard.stop(PATIENCE);
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn limits(settings: &Sftp) -> Limits {
    Limits {
        connections: settings.max_connections,
        connections_per_address: settings.max_connections_per_address,
        strangers: settings.max_unauthenticated,
        login: Duration::from_secs(settings.login_timeout_s),
        idle: Duration::from_secs(settings.idle_timeout_s),
        ban_after: settings.ban_after,
        ban: Duration::from_secs(settings.ban_s),
    }
}

/// Raises the soft limit of open files to the hard one: every connection and
/// every handle is one.
pub(crate) fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    while !shared.stopping.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((socket, peer)) => {
                if let Err(error) = admit(shared, socket, peer.ip()) {
                    tracing::warn!(%error, %peer, "an SFTP connection cannot be taken");
                }
            }
            Err(_) if shared.stopping.load(Ordering::Relaxed) => {}
            Err(error) => {
                tracing::warn!(%error, "SFTP connections cannot be taken");
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

fn admit(shared: &Arc<Shared>, mut socket: TcpStream, address: IpAddr) -> io::Result<()> {
    let slot = match shared.guard.admit(&socket, address)? {
        Ok(slot) => slot,
        Err(refusal) => {
            // A line before the greeting is allowed, and clients show it.
            let why: &[u8] = match refusal {
                Refusal::Banned => b"Too many wrong passwords; try again later.\r\n",
                Refusal::Stopping => b"The server stops.\r\n",
            };
            socket.set_nonblocking(true)?;
            let _ = socket.write_all(why);
            return Ok(());
        }
    };
    socket.set_nodelay(true)?;
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name("sftp".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let talk = || connection(&shared, socket, address, &slot);
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(talk)).is_err() {
                tracing::error!(%address, "an SFTP connection panicked");
            }
        })?;
    Ok(())
}

fn connection(shared: &Shared, socket: TcpStream, address: IpAddr, slot: &Slot) {
    let session = match shared.acceptor.accept(socket) {
        Ok(session) => session,
        Err(error) => {
            tracing::warn!(%error, %address, "an SFTP session cannot begin");
            return;
        }
    };
    if let Err(error) = session.exchange_keys() {
        tracing::debug!(%error, %address, "no SSH connection came about");
        return;
    }
    let Some(user) = sign_in(shared, &session, slot, address) else {
        return;
    };
    tracing::info!(user = user.name, %address, "an SFTP sender signed in");
    converse(shared, &session, slot, &user);
    tracing::info!(user = user.name, %address, "an SFTP sender left");
}

fn sign_in(shared: &Shared, session: &Session, slot: &Slot, address: IpAddr) -> Option<SftpUser> {
    let known = |found: Result<Option<SftpUser>, crate::store::StoreError>| {
        found.unwrap_or_else(|error| {
            tracing::error!(%error, "an SFTP sender cannot be looked up");
            None
        })
    };
    let mut wrong = 0;
    for _ in 0..MOST_TRIES {
        let message = session.next()?;
        if slot.is_closed() {
            return None;
        }
        let user = match message.asked() {
            Asked::Password { user, password } => {
                let found =
                    slot.verify(|| known(users::by_password(&shared.store, &user, &password)));
                if found.is_none() {
                    tracing::info!(user, %address, "a wrong SFTP password");
                    let tried = Some(user.clone());
                    record(shared, Actor::Nobody { tried }, address);
                    wrong += 1;
                    if !slot.wrong_password() || wrong >= MOST_WRONG {
                        return None;
                    }
                }
                found
            }
            Asked::Key {
                user,
                base64,
                proven,
            } => {
                let found = known(users::by_key(&shared.store, &user, &base64));
                if found.is_some() && !proven {
                    message.key_would_do();
                    continue;
                }
                found
            }
            Asked::Methods
            | Asked::Session
            | Asked::Subsystem(_)
            | Asked::Service
            | Asked::Other => None,
        };
        let Some(user) = user else {
            message.refuse();
            continue;
        };
        if !slot.signed_in(&user.name) {
            tracing::warn!(user = user.name, %address, "too many SFTP connections");
            return None;
        }
        let name = user.name.clone();
        // Where it cannot be written nobody comes in.
        if !record(shared, Actor::Sender { name }, address) {
            message.refuse();
            return None;
        }
        return message.signed_in().then_some(user);
    }
    None
}

/// Writes a sign-in or a wrong password into the audit, once in a while for the same name
/// and address: senders connect for every file, and guessing is bounded by the guard.
fn record(shared: &Shared, actor: Actor, address: IpAddr) -> bool {
    let failed = matches!(actor, Actor::Nobody { .. });
    let action = if failed {
        Action::SignInFailed
    } else {
        Action::SignedIn
    };
    let mut entry = Entry::new(actor, action);
    entry.operation = Some("sftp".to_owned());
    entry.address = Some(address.to_canonical().to_string());
    if failed {
        entry.outcome = Outcome::Refused;
    }
    let written = shared.store.record_once(entry, ONE_SIGN_IN);
    written
        .inspect_err(
            |error| tracing::error!(%error, "an SFTP sign-in cannot be written into the audit"),
        )
        .is_ok()
}

/// Serves one channel after the other, until the client leaves: whoever hangs
/// up first is blamed by the other.
fn converse(shared: &Shared, session: &Session, slot: &Slot, user: &SftpUser) {
    let folder = match shared.folders.get(&user.name) {
        Ok(folder) => folder,
        Err(error) => {
            tracing::error!(user = user.name, %error, "the folder of an SFTP sender cannot be used");
            return;
        }
    };
    folder.set_quota(user.quota_bytes);
    let mut channel = None;
    for _ in 0..MOST_QUESTIONS {
        let Some(message) = session.next() else {
            return;
        };
        slot.active();
        match message.asked() {
            Asked::Session if channel.is_none() => channel = message.open_channel(),
            Asked::Subsystem(name) if name == b"sftp" => {
                let Some(mut open) = channel.take() else {
                    message.refuse();
                    continue;
                };
                session.refuse_all(true);
                if message.grant() {
                    let ending =
                        protocol::serve(&mut open, &folder, shared.max_handles, &|| slot.active());
                    tracing::debug!(user = user.name, ?ending, "an SFTP conversation ended");
                    if ending != protocol::Ending::Quiet {
                        return;
                    }
                }
                // First, so that the next channel may be asked for while this one closes.
                session.refuse_all(false);
                drop(open);
            }
            _ => message.refuse(),
        }
    }
}
