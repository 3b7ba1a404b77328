//! SSH by libssh: key exchange, what the client asks for, and the one channel.
//! The only file with `unsafe`: it turns libssh's pointers into values that are
//! freed once and used by one thread. Everything that is not explicitly accepted
//! is refused: shell, exec, pty, environment, forwarding, agent, X11.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::os::fd::IntoRawFd;
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};
use std::sync::{Mutex, Once, PoisonError};

use libssh_rs_sys as ssh;

/// What the server calls itself after `SSH-2.0-`.
const BANNER: &CStr = c"call-analytics";

/// libssh failed; the text is its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct TransportError(String);

/// Kind of a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Ed25519,
    Rsa,
}

/// `OPENSSL_INIT_NO_LOAD_CONFIG`.
const OPENSSL_NO_LOAD_CONFIG: u64 = 0x80;

unsafe extern "C" {
    // Of OpenSSL; the crate openssl-sys, which links it, does not name it.
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
}

fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: no pointers go in or out; in a static program nothing else
        // calls these, and `Once` keeps other calls of libssh behind them. No
        // file of the machine changes what OpenSSL does.
        unsafe {
            OPENSSL_init_crypto(OPENSSL_NO_LOAD_CONFIG, null());
            ssh::ssh_init();
        }
    });
}

fn c_path(path: &Path) -> Result<CString, TransportError> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| TransportError("a path with a zero byte".into()))
}

/// Text of libssh, copied.
///
/// # Safety
/// `text` is null or a C string that lives during the call.
unsafe fn copied(text: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: not null, and a C string by the contract of this function.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes().to_vec())
}

/// A key of libssh.
struct Key(ssh::ssh_key);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key is ours and freed here only; null is allowed.
        unsafe { ssh::ssh_key_free(self.0) };
    }
}

impl Key {
    fn read(path: &Path) -> Result<Self, TransportError> {
        init();
        let name = c_path(path)?;
        let mut key = null_mut();
        // SAFETY: a C string, no passphrase, no callback, and a place for the key.
        let done = unsafe {
            ssh::ssh_pki_import_privkey_file(name.as_ptr(), null(), None, null_mut(), &mut key)
        };
        let key = Key(key);
        if done == ssh::SSH_OK as c_int && !key.0.is_null() {
            Ok(key)
        } else {
            Err(TransportError(format!(
                "{} is not a host key",
                path.display()
            )))
        }
    }
}

/// Makes a host key and writes its private part to `path`.
pub(super) fn make_key(kind: KeyKind, path: &Path) -> Result<(), TransportError> {
    init();
    let name = c_path(path)?;
    let (kind, bits) = match kind {
        KeyKind::Ed25519 => (ssh::ssh_keytypes_e_SSH_KEYTYPE_ED25519, 0),
        KeyKind::Rsa => (ssh::ssh_keytypes_e_SSH_KEYTYPE_RSA, 3072),
    };
    let mut key = null_mut();
    // SAFETY: a known kind and a place for the key.
    let made = unsafe { ssh::ssh_pki_generate(kind, bits, &mut key) };
    let key = Key(key);
    if made != ssh::SSH_OK as c_int {
        return Err(TransportError("a host key cannot be made".into()));
    }
    // SAFETY: the key was made just now; a C string, no passphrase, no callback.
    let written =
        unsafe { ssh::ssh_pki_export_privkey_file(key.0, null(), None, null_mut(), name.as_ptr()) };
    if written != ssh::SSH_OK as c_int {
        return Err(TransportError(format!(
            "{} cannot be written",
            path.display()
        )));
    }
    Ok(())
}

/// The public part in base64 of the private key in a file.
pub(super) fn public_part(path: &Path) -> Result<String, TransportError> {
    let key = Key::read(path)?;
    public_base64(key.0).ok_or_else(|| TransportError(format!("{} is damaged", path.display())))
}

fn public_base64(key: ssh::ssh_key) -> Option<String> {
    let mut text = null_mut();
    // SAFETY: callers give a key that lives during the call; a place for the text.
    if unsafe { ssh::ssh_pki_export_pubkey_base64(key, &mut text) } != ssh::SSH_OK as c_int {
        return None;
    }
    // SAFETY: libssh made the text for us, it is freed once and not used after.
    let base64 = unsafe {
        let base64 = copied(text);
        ssh::ssh_string_free_char(text);
        base64
    };
    String::from_utf8(base64?).ok()
}

/// Options and host keys that sessions begin with.
pub(super) struct Acceptor {
    bind: Mutex<Bind>,
}

struct Bind(NonNull<ssh::ssh_bind_struct>);

// SAFETY: an `ssh_bind` has no tie to a thread; the mutex in `Acceptor` lets one
// thread at a time use it, and sessions copy what they need out of it.
unsafe impl Send for Bind {}

impl Drop for Bind {
    fn drop(&mut self) {
        // SAFETY: ours, freed here only; it has no socket of its own.
        unsafe { ssh::ssh_bind_free(self.0.as_ptr()) };
    }
}

impl Acceptor {
    /// With the private host keys in these files.
    pub(super) fn new(keys: &[&Path]) -> Result<Self, TransportError> {
        init();
        // SAFETY: no arguments.
        let bind = NonNull::new(unsafe { ssh::ssh_bind_new() })
            .map(Bind)
            .ok_or_else(|| TransportError("out of memory".into()))?;
        let set = |option, value: *const c_void| {
            // SAFETY: `bind` lives; each option below gets the type that it asks
            // for, and libssh copies it.
            let done = unsafe { ssh::ssh_bind_options_set(bind.0.as_ptr(), option, value) };
            if done == 0 {
                Ok(())
            } else {
                // SAFETY: `bind` lives, and its error text until its next use.
                let text = unsafe { copied(ssh::ssh_get_error(bind.0.as_ptr().cast())) };
                let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
                Err(TransportError(text))
            }
        };
        use ssh::ssh_bind_options_e::*;
        // No file of the machine changes what is offered here.
        let process_config = false;
        set(
            SSH_BIND_OPTIONS_PROCESS_CONFIG,
            (&raw const process_config).cast(),
        )?;
        set(SSH_BIND_OPTIONS_BANNER, BANNER.as_ptr().cast())?;
        for path in keys {
            let name = c_path(path)?;
            set(SSH_BIND_OPTIONS_HOSTKEY, name.as_ptr().cast())?;
        }
        Ok(Self {
            bind: Mutex::new(bind),
        })
    }

    /// Begins a session on a connection, which belongs to the session from now on.
    pub(super) fn accept(&self, socket: TcpStream) -> Result<Session, TransportError> {
        // SAFETY: no arguments.
        let session = NonNull::new(unsafe { ssh::ssh_new() })
            .map(|raw| Session { raw })
            .ok_or_else(|| TransportError("out of memory".into()))?;
        // From here on the session closes the socket.
        let socket = socket.into_raw_fd();
        let bind = self.bind.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: both live; the lock is held, so no other thread uses `bind`.
        let done =
            unsafe { ssh::ssh_bind_accept_fd(bind.0.as_ptr(), session.raw.as_ptr(), socket) };
        if done == ssh::SSH_OK as c_int {
            Ok(session)
        } else {
            Err(session.error())
        }
    }
}

/// A wait without a limit of its own: the watchdog shuts the socket down.
const FOR_EVER: c_int = -1;

/// One client. Stays on the thread that made it.
pub(super) struct Session {
    raw: NonNull<ssh::ssh_session_struct>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: ours and freed here only. Messages and channels borrow the
        // session, so none is left. Closes the socket.
        unsafe {
            ssh::ssh_disconnect(self.raw.as_ptr());
            ssh::ssh_free(self.raw.as_ptr());
        }
    }
}

/// What a client asks for.
pub(super) enum Asked {
    /// To sign in with a password.
    Password { user: String, password: String },
    /// To sign in with a key; `proven`: it was signed with, else it is asked whether it would do.
    Key {
        user: String,
        base64: String,
        proven: bool,
    },
    /// Which ways to sign in there are.
    Methods,
    /// A channel for a session.
    Session,
    /// A subsystem in the channel.
    Subsystem(Vec<u8>),
    /// That the connection goes on with signing in.
    Service,
    /// Anything else.
    Other,
}

/// A question of a client, to be answered once.
pub(super) struct Message<'s> {
    raw: NonNull<ssh::ssh_message_struct>,
    session: PhantomData<&'s Session>,
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: ours and freed here only; the session lives.
        unsafe { ssh::ssh_message_free(self.raw.as_ptr()) };
    }
}

impl Session {
    fn error(&self) -> TransportError {
        // SAFETY: the session lives, and its error text until its next use.
        let text = unsafe { copied(ssh::ssh_get_error(self.raw.as_ptr().cast())) };
        TransportError(String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
    }

    /// Agrees on keys. Blocks until done; whoever has a time limit shuts the socket down.
    pub(super) fn exchange_keys(&self) -> Result<(), TransportError> {
        let methods = ssh::SSH_AUTH_METHOD_PASSWORD | ssh::SSH_AUTH_METHOD_PUBLICKEY;
        // SAFETY: the session lives and is used by this thread alone.
        let done = unsafe {
            ssh::ssh_set_auth_methods(self.raw.as_ptr(), methods as c_int);
            ssh::ssh_handle_key_exchange(self.raw.as_ptr())
        };
        if done == ssh::SSH_OK as c_int {
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// The next question; `None` when the connection has ended.
    pub(super) fn next(&self) -> Option<Message<'_>> {
        // SAFETY: the session lives and is used by this thread alone.
        let raw = unsafe { ssh::ssh_message_get(self.raw.as_ptr()) };
        NonNull::new(raw).map(|raw| Message {
            raw,
            session: PhantomData,
        })
    }

    /// From now on every question is refused without coming to [`Session::next`], or no longer.
    pub(super) fn refuse_all(&self, refuse: bool) {
        unsafe extern "C" fn refused(
            _: ssh::ssh_session,
            _: ssh::ssh_message,
            _: *mut c_void,
        ) -> c_int {
            // 1: libssh gives its default answer, which is no.
            1
        }
        let callback: Option<unsafe extern "C" fn(_, _, _) -> _> =
            if refuse { Some(refused) } else { None };
        // SAFETY: the session lives; the function needs no data and lives for ever.
        unsafe { ssh::ssh_set_message_callback(self.raw.as_ptr(), callback, null_mut()) };
    }
}

impl<'s> Message<'s> {
    /// What is asked.
    pub(super) fn asked(&self) -> Asked {
        use ssh::ssh_requests_e::*;
        let raw = self.raw.as_ptr();
        // SAFETY: here and below the message lives; texts are copied at once.
        let (kind, subtype) =
            unsafe { (ssh::ssh_message_type(raw), ssh::ssh_message_subtype(raw)) };
        let text = |text: *const c_char| {
            // SAFETY: libssh keeps the text until the message is freed.
            unsafe { copied(text) }.and_then(|text| String::from_utf8(text).ok())
        };
        if kind == SSH_REQUEST_SERVICE as c_int {
            return Asked::Service;
        }
        if kind == SSH_REQUEST_AUTH as c_int {
            // SAFETY: a message of this kind.
            let user = text(unsafe { ssh::ssh_message_auth_user(raw) }).unwrap_or_default();
            return match subtype as u32 {
                ssh::SSH_AUTH_METHOD_NONE => Asked::Methods,
                ssh::SSH_AUTH_METHOD_PASSWORD => {
                    // SAFETY: a message of this kind and subtype.
                    let password = text(unsafe { ssh::ssh_message_auth_password(raw) });
                    Asked::Password {
                        user,
                        password: password.unwrap_or_default(),
                    }
                }
                ssh::SSH_AUTH_METHOD_PUBLICKEY => {
                    use ssh::ssh_publickey_state_e::*;
                    // SAFETY: a message of this kind and subtype, which keeps its key.
                    let (state, key) = unsafe {
                        (
                            ssh::ssh_message_auth_publickey_state(raw),
                            ssh::ssh_message_auth_pubkey(raw),
                        )
                    };
                    match (state, public_base64(key)) {
                        (SSH_PUBLICKEY_STATE_NONE | SSH_PUBLICKEY_STATE_VALID, Some(base64)) => {
                            Asked::Key {
                                user,
                                base64,
                                proven: state == SSH_PUBLICKEY_STATE_VALID,
                            }
                        }
                        _ => Asked::Other,
                    }
                }
                _ => Asked::Other,
            };
        }
        if kind == SSH_REQUEST_CHANNEL_OPEN as c_int
            && subtype == ssh::ssh_channel_type_e::SSH_CHANNEL_SESSION as c_int
        {
            return Asked::Session;
        }
        if kind == SSH_REQUEST_CHANNEL as c_int
            && subtype == ssh::ssh_channel_requests_e::SSH_CHANNEL_REQUEST_SUBSYSTEM as c_int
        {
            // SAFETY: a message of this kind and subtype.
            let name = unsafe { copied(ssh::ssh_message_channel_request_subsystem(raw)) };
            return Asked::Subsystem(name.unwrap_or_default());
        }
        Asked::Other
    }

    /// Answers no; to a request for a service, yes.
    pub(super) fn refuse(self) {
        // SAFETY: the message lives and is answered once.
        unsafe { ssh::ssh_message_reply_default(self.raw.as_ptr()) };
    }

    /// The client is signed in.
    pub(super) fn signed_in(self) -> bool {
        // SAFETY: as above; only called for a question about signing in.
        unsafe { ssh::ssh_message_auth_reply_success(self.raw.as_ptr(), 0) == 0 }
    }

    /// The key would do.
    pub(super) fn key_would_do(self) {
        // SAFETY: as above; only called for a key that is not proven.
        unsafe { ssh::ssh_message_auth_reply_pk_ok_simple(self.raw.as_ptr()) };
    }

    /// Opens the channel.
    pub(super) fn open_channel(self) -> Option<Channel<'s>> {
        // SAFETY: as above; only called for a request for a channel.
        let raw = unsafe { ssh::ssh_message_channel_request_open_reply_accept(self.raw.as_ptr()) };
        NonNull::new(raw).map(|raw| Channel {
            raw,
            session: PhantomData,
        })
    }

    /// Grants what is asked for in the channel.
    pub(super) fn grant(self) -> bool {
        // SAFETY: as above; only called for a request in a channel.
        unsafe { ssh::ssh_message_channel_request_reply_success(self.raw.as_ptr()) == 0 }
    }
}

/// Bytes both ways.
pub(super) struct Channel<'s> {
    raw: NonNull<ssh::ssh_channel_struct>,
    session: PhantomData<&'s Session>,
}

impl Drop for Channel<'_> {
    fn drop(&mut self) {
        // SAFETY: ours and freed here only; the session lives. Tells the client
        // that all went well: one that copies asks for this.
        unsafe {
            let raw = self.raw.as_ptr();
            ssh::ssh_channel_request_send_exit_status(raw, 0);
            ssh::ssh_channel_send_eof(raw);
            ssh::ssh_channel_close(raw);
            ssh::ssh_channel_free(raw);
        }
    }
}

impl super::protocol::Pipe for Channel<'_> {
    /// Waits for bytes; 0 when there will be no more.
    fn read(&mut self, into: &mut [u8]) -> usize {
        let count = u32::try_from(into.len()).unwrap_or(u32::MAX);
        // SAFETY: the channel lives; `into` has room for `count` bytes.
        let read = unsafe {
            ssh::ssh_channel_read_timeout(
                self.raw.as_ptr(),
                into.as_mut_ptr().cast(),
                count,
                0,
                FOR_EVER,
            )
        };
        usize::try_from(read).unwrap_or(0).min(into.len())
    }

    /// Sends all bytes; `false` when the client is gone.
    fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            // SAFETY: the channel lives; `bytes` has `count` bytes.
            let sent =
                unsafe { ssh::ssh_channel_write(self.raw.as_ptr(), bytes.as_ptr().cast(), count) };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => bytes = &bytes[sent.min(bytes.len())..],
                _ => return false,
            }
        }
        true
    }
}
