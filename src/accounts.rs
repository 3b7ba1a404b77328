//! Accounts: passwords hashed with argon2id, and what the command line does
//! with accounts. Called by the API, the command line and the control socket.
//! Hashing takes tens of milliseconds and memory: it blocks.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::user::{validate_password, validate_user_name};
use crate::domain::{Role, User};
use crate::store::{Store, StoreError};

/// Why something was not done with an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Name or password does not follow the rules; the text says which.
    #[error("{0}")]
    Rule(String),
    /// The name is taken.
    #[error("There is a user '{0}' already.")]
    Exists(String),
    /// There is no such account.
    #[error("There is no user '{0}'.")]
    Unknown(String),
    /// The last administrator cannot be removed.
    #[error("'{0}' is the last administrator and cannot be removed; add another one first.")]
    LastAdmin(String),
    /// Hashing failed.
    #[error("The password cannot be hashed: {0}")]
    Hash(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// argon2id with the library's defaults (those of OWASP), PHC form.
pub fn hash_password(password: &str) -> Result<String, AccountError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| AccountError::Hash(error.to_string()))
}

/// True when the password is the user's. Without a user as much time is spent,
/// so that an answer does not tell which names exist.
pub fn verify_password(user: Option<&User>, password: &str) -> bool {
    verify_hash(user.map(|user| user.password_hash.as_str()), password)
}

/// True when the password is the one of the hash; without a hash as much time is spent.
pub fn verify_hash(known: Option<&str>, password: &str) -> bool {
    // argon2id of a random value that nobody knows.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$rDHWqsoXKQvWCxk2jw8EVKkNyjtEh6W5RUXcbVwqBXM";
    let hash = known.unwrap_or(NOBODY);
    let matches = PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    });
    matches && known.is_some()
}

/// Stores another hash and ends all sessions of the account.
pub fn set_password_hash(store: &Store, name: &str, hash: String) -> Result<User, StoreError> {
    store.change_user(name, |user| {
        user.password_hash = hash;
        user.session_epoch += 1;
    })
}

/// A random password: 20 characters of 31 that cannot be mistaken, 99 bits.
pub fn random_password() -> Result<String, AccountError> {
    const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let mut password = String::new();
    while password.len() < 20 {
        let mut byte = [0u8; 1];
        getrandom::fill(&mut byte).map_err(|error| AccountError::Hash(error.to_string()))?;
        // Bytes beyond the last whole multiple would make some letters likelier.
        if usize::from(byte[0]) < 256 / ALPHABET.len() * ALPHABET.len() {
            password.push(char::from(ALPHABET[usize::from(byte[0]) % ALPHABET.len()]));
        }
    }
    Ok(password)
}

/// Makes the user `admin` where there is no account at all; returns its password.
pub fn ensure_first_admin(store: &Store) -> Result<Option<String>, AccountError> {
    if !store.users()?.is_empty() {
        return Ok(None);
    }
    let password = random_password()?;
    let user = new_user("admin", Role::Admin, &password, 0)?;
    Ok(store.add_first_user(&user)?.then_some(password))
}

fn new_user(
    name: &str,
    role: Role,
    password: &str,
    session_epoch: u64,
) -> Result<User, AccountError> {
    Ok(User {
        name: name.to_owned(),
        role,
        password_hash: hash_password(password)?,
        session_epoch,
        created_at: Timestamp::now(),
    })
}

/// What `call-analytics user …` asks for; travels over the control socket when the server runs.
#[derive(Serialize, Deserialize)]
#[serde(tag = "user", rename_all = "snake_case")]
pub enum UserCommand {
    /// Make an account.
    Add {
        /// Its name.
        name: String,
        /// What it may do.
        role: Role,
        /// Its password.
        password: String,
    },
    /// Set another password.
    Passwd {
        /// The account.
        name: String,
        /// The new password.
        password: String,
    },
    /// List the accounts.
    List,
    /// Remove an account.
    Remove {
        /// The account.
        name: String,
    },
}

/// Does what was asked; returns what to print.
pub fn execute(store: &Store, command: UserCommand) -> Result<String, AccountError> {
    match command {
        UserCommand::Add {
            name,
            role,
            password,
        } => {
            validate_user_name(&name).map_err(AccountError::Rule)?;
            validate_password(&password, &name).map_err(AccountError::Rule)?;
            // Never used before: a token of a removed account must not fit a new one of the same name.
            let epoch = Timestamp::now().as_microsecond().unsigned_abs();
            if !store.add_user(&new_user(&name, role, &password, epoch)?)? {
                return Err(AccountError::Exists(name));
            }
            Ok(format!("The user '{name}' was added."))
        }
        UserCommand::Passwd { name, password } => {
            validate_password(&password, &name).map_err(AccountError::Rule)?;
            if store.user(&name)?.is_none() {
                return Err(AccountError::Unknown(name));
            }
            set_password_hash(store, &name, hash_password(&password)?)?;
            Ok(format!(
                "The password of '{name}' was changed; its sessions have ended."
            ))
        }
        UserCommand::List => Ok(store
            .users()?
            .iter()
            .map(|user| format!("{}\t{}\t{}", user.name, user.role, user.created_at))
            .collect::<Vec<_>>()
            .join("\n")),
        UserCommand::Remove { name } => {
            let users = store.users()?;
            if !users.iter().any(|user| user.name == name) {
                return Err(AccountError::Unknown(name));
            }
            if !users
                .iter()
                .any(|user| user.name != name && user.role == Role::Admin)
            {
                return Err(AccountError::LastAdmin(name));
            }
            store.remove_user(&name)?;
            Ok(format!("The user '{name}' was removed."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_verified_and_random_ones_differ() {
        let password = random_password().expect("random");
        assert_eq!(password.len(), 20);
        assert_ne!(password, random_password().expect("random"));
        let user = new_user("a", Role::Admin, &password, 0).expect("user");
        assert!(user.password_hash.starts_with("$argon2id$"));
        assert!(verify_password(Some(&user), &password));
        assert!(!verify_password(Some(&user), "other"));
        assert!(!verify_password(None, &password));
    }

    #[test]
    fn the_last_administrator_stays() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("store");
        let first = ensure_first_admin(&store).expect("made");
        assert!(first.is_some());
        assert!(ensure_first_admin(&store).expect("kept").is_none());
        let remove = |name: &str| execute(&store, UserCommand::Remove { name: name.into() });
        assert!(matches!(remove("admin"), Err(AccountError::LastAdmin(_))));
        assert!(matches!(remove("nobody"), Err(AccountError::Unknown(_))));
        let add = |name: &str, password: &str| {
            execute(
                &store,
                UserCommand::Add {
                    name: name.into(),
                    role: Role::Admin,
                    password: password.into(),
                },
            )
        };
        assert!(matches!(add("olga", "short"), Err(AccountError::Rule(_))));
        add("olga", "верная лошадь").expect("added");
        assert!(matches!(
            add("olga", "верная лошадь"),
            Err(AccountError::Exists(_))
        ));
        remove("admin").expect("removed");
    }
}
