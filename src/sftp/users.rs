//! Senders: made, changed and removed by the command line and the API, and
//! recognized when they sign in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accounts::{self, AccountError};
use crate::domain::sftp_user::validate_sender_name;
use crate::domain::{DropMode, SenderKey, SftpUser};
use crate::store::{Store, StoreError};

/// Name of the sender that is made at first start.
pub const FIRST: &str = "mango";
/// Most keys of one sender.
const MOST_KEYS: usize = 50;

/// Why something was not done with a sender.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// Name, password or key does not follow the rules; the text says which.
    #[error("{0}")]
    Rule(String),
    /// The name is taken.
    #[error("There is an SFTP user '{0}' already.")]
    Exists(String),
    /// There is no such sender.
    #[error("There is no SFTP user '{0}'.")]
    Unknown(String),
    /// There is no such key.
    #[error("The SFTP user '{user}' has no key {fingerprint}.")]
    UnknownKey {
        /// The sender.
        user: String,
        /// Of the key.
        fingerprint: String,
    },
    /// The password cannot be made or hashed.
    #[error(transparent)]
    Password(#[from] AccountError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a new sender signs in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Password {
    /// This one.
    Given(String),
    /// A random one.
    Random,
    /// Keys only.
    None,
}

/// What is changed of a sender; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The password.
    pub password: Option<Password>,
    /// All keys.
    pub keys: Option<Vec<SenderKey>>,
    /// What becomes of recordings.
    pub mode: Option<DropMode>,
    /// Most bytes in the folder; 0 for no bound.
    pub quota_bytes: Option<u64>,
    /// May not sign in.
    pub disabled: Option<bool>,
}

/// Makes the sender `mango` where there never was one; returns its password.
pub fn ensure_first(store: &Store) -> Result<Option<String>, SenderError> {
    if !store.sftp_users()?.is_empty() {
        return Ok(None);
    }
    let (hash, password) = hashed(&Password::Random, FIRST)?;
    let made = store.add_first_sftp_user(&new(FIRST, hash))?;
    Ok(password.filter(|_| made))
}

fn new(name: &str, password_hash: Option<String>) -> SftpUser {
    SftpUser {
        name: name.to_owned(),
        password_hash,
        keys: Vec::new(),
        mode: DropMode::Auto,
        quota_bytes: 0,
        created_at: Timestamp::now(),
        disabled: false,
    }
}

/// Hash, and the password where it was made here.
fn hashed(
    password: &Password,
    name: &str,
) -> Result<(Option<String>, Option<String>), SenderError> {
    match password {
        Password::None => Ok((None, None)),
        Password::Given(given) => {
            accounts::validate_password(given, name).map_err(SenderError::Rule)?;
            Ok((Some(accounts::hash_password(given)?), None))
        }
        Password::Random => {
            let made = accounts::random_password()?;
            Ok((Some(accounts::hash_password(&made)?), Some(made)))
        }
    }
}

/// Makes a sender; returns it, and the password where it was made here.
pub fn add(
    store: &Store,
    name: &str,
    change: Change,
) -> Result<(SftpUser, Option<String>), SenderError> {
    validate_sender_name(name).map_err(SenderError::Rule)?;
    let password = change.password.clone().unwrap_or(Password::Random);
    let (hash, made) = hashed(&password, name)?;
    let mut user = new(name, hash);
    apply(&mut user, change)?;
    if !store.add_sftp_user(&user)? {
        return Err(SenderError::Exists(name.to_owned()));
    }
    Ok((user, made))
}

/// Changes a sender; returns it, and the password where it was made here.
pub fn change(
    store: &Store,
    name: &str,
    change: Change,
) -> Result<(SftpUser, Option<String>), SenderError> {
    let (hash, made) = match &change.password {
        Some(password) => {
            let (hash, made) = hashed(password, name)?;
            (Some(hash), made)
        }
        None => (None, None),
    };
    let mut fault = None;
    let user = store
        .change_sftp_user(name, |user| {
            let before = user.clone();
            if let Err(error) = apply(user, change) {
                fault = Some(error);
                *user = before;
            } else if let Some(hash) = hash {
                user.password_hash = hash;
            }
        })
        .map_err(unknown(name))?;
    match fault {
        Some(fault) => Err(fault),
        None => Ok((user, made)),
    }
}

/// All but the password, which takes long to hash.
fn apply(user: &mut SftpUser, change: Change) -> Result<(), SenderError> {
    if let Some(keys) = change.keys {
        if keys.len() > MOST_KEYS {
            return Err(SenderError::Rule(format!(
                "An SFTP user has at most {MOST_KEYS} keys."
            )));
        }
        user.keys = Vec::new();
        for key in keys {
            if !user.keys.iter().any(|known| known.base64 == key.base64) {
                user.keys.push(key);
            }
        }
    }
    user.mode = change.mode.unwrap_or(user.mode);
    user.quota_bytes = change.quota_bytes.unwrap_or(user.quota_bytes);
    user.disabled = change.disabled.unwrap_or(user.disabled);
    Ok(())
}

/// Removes a sender; the folder stays.
pub fn remove(store: &Store, name: &str) -> Result<(), SenderError> {
    store.remove_sftp_user(name).map_err(unknown(name))
}

fn unknown(name: &str) -> impl FnOnce(StoreError) -> SenderError + '_ {
    move |error| match error {
        StoreError::NotFound => SenderError::Unknown(name.to_owned()),
        other => other.into(),
    }
}

/// The sender, when the password is his. Takes as long for a name that is not there.
pub(super) fn by_password(
    store: &Store,
    name: &str,
    password: &str,
) -> Result<Option<SftpUser>, StoreError> {
    let user = store.sftp_user(name)?.filter(|user| !user.disabled);
    let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let right = accounts::verify_hash(hash, password);
    Ok(user.filter(|_| right))
}

/// The sender, when the key is one of his.
pub(super) fn by_key(
    store: &Store,
    name: &str,
    base64: &str,
) -> Result<Option<SftpUser>, StoreError> {
    let user = store.sftp_user(name)?.filter(|user| !user.disabled);
    Ok(user.filter(|user| user.keys.iter().any(|key| key.base64 == base64)))
}

/// What `call-analytics sftp-user …` asks for; travels over the control socket
/// when the server runs.
#[derive(Serialize, Deserialize)]
#[serde(tag = "sftp_user", rename_all = "snake_case")]
pub enum SenderCommand {
    /// Make a sender.
    Add {
        /// The name.
        name: String,
        /// What to sign in with.
        password: Password,
        /// What becomes of recordings.
        mode: DropMode,
        /// Most bytes in the folder; 0 for no bound.
        quota_bytes: u64,
    },
    /// Set another password.
    Passwd {
        /// The sender.
        name: String,
        /// The new one.
        password: Password,
    },
    /// Add a key.
    AddKey {
        /// The sender.
        name: String,
        /// Line of a `.pub` file.
        line: String,
    },
    /// List the keys.
    Keys {
        /// The sender.
        name: String,
    },
    /// Remove a key.
    RemoveKey {
        /// The sender.
        name: String,
        /// Of the key.
        fingerprint: String,
    },
    /// List the senders.
    List,
    /// Remove a sender.
    Remove {
        /// The sender.
        name: String,
    },
}

/// Does what was asked; returns what to print. `ended` is called with a sender
/// whose connections shall end.
pub fn execute(
    store: &Store,
    command: SenderCommand,
    ended: &dyn Fn(&str),
) -> Result<String, SenderError> {
    let get = |name: &str| -> Result<SftpUser, SenderError> {
        store
            .sftp_user(name)?
            .ok_or_else(|| SenderError::Unknown(name.to_owned()))
    };
    match command {
        SenderCommand::Add {
            name,
            password,
            mode,
            quota_bytes,
        } => {
            let new = Change {
                password: Some(password),
                mode: Some(mode),
                quota_bytes: Some(quota_bytes),
                ..Change::default()
            };
            let (_, made) = add(store, &name, new)?;
            Ok(with_password(
                format!("The SFTP user '{name}' was added."),
                made,
            ))
        }
        SenderCommand::Passwd { name, password } => {
            let new = Change {
                password: Some(password),
                ..Change::default()
            };
            let (_, made) = change(store, &name, new)?;
            ended(&name);
            Ok(with_password(
                format!("The password of the SFTP user '{name}' was changed."),
                made,
            ))
        }
        SenderCommand::AddKey { name, line } => {
            let key = SenderKey::parse(&line).map_err(SenderError::Rule)?;
            let fingerprint = key.fingerprint();
            let mut keys = get(&name)?.keys;
            keys.push(key);
            set_keys(store, &name, keys)?;
            Ok(format!("The key {fingerprint} was added to '{name}'."))
        }
        SenderCommand::Keys { name } => {
            let keys = get(&name)?.keys;
            let lines = keys
                .iter()
                .map(|key| format!("{}\t{}\t{}", key.fingerprint(), key.kind, key.comment));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        SenderCommand::RemoveKey { name, fingerprint } => {
            let mut keys = get(&name)?.keys;
            let before = keys.len();
            keys.retain(|key| key.fingerprint() != fingerprint);
            if keys.len() == before {
                return Err(SenderError::UnknownKey {
                    user: name,
                    fingerprint,
                });
            }
            set_keys(store, &name, keys)?;
            ended(&name);
            Ok(format!("The key {fingerprint} was removed from '{name}'."))
        }
        SenderCommand::List => {
            let lines = store.sftp_users()?.into_iter().map(|user| {
                let quota = match user.quota_bytes {
                    0 => "no quota".to_owned(),
                    bytes => format!("{} MB", bytes.div_ceil(1024 * 1024)),
                };
                let password = match user.password_hash {
                    Some(_) => "password",
                    None => "no password",
                };
                let state = if user.disabled { "\tdisabled" } else { "" };
                format!(
                    "{}\t{}\t{password}\t{} key(s)\t{quota}\t{}{state}",
                    user.name,
                    user.mode,
                    user.keys.len(),
                    user.created_at
                )
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        SenderCommand::Remove { name } => {
            remove(store, &name)?;
            ended(&name);
            Ok(format!(
                "The SFTP user '{name}' was removed; the files of '{name}' stay."
            ))
        }
    }
}

fn set_keys(store: &Store, name: &str, keys: Vec<SenderKey>) -> Result<(), SenderError> {
    let new = Change {
        keys: Some(keys),
        ..Change::default()
    };
    change(store, name, new).map(drop)
}

fn with_password(text: String, made: Option<String>) -> String {
    match made {
        Some(password) => format!("{text} Password (shown only now): {password}"),
        None => text,
    }
}
