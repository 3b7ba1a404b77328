//! Accounts: passwords, second factors, secrets, limits, and what the command line
//! does with accounts. Called by the API, the command line and the control socket.

pub mod factor;
pub mod limits;
mod password;
pub mod provider;
pub mod secrets;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use password::{
    MIN_CHARS, hash_password, random_password, validate_password, verify_hash, verify_password,
};

use crate::domain::user::{Reach, validate_user_name};
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

/// Stores another hash and ends the sessions of the account but for `keep`. `temporary`:
/// its owner must choose another one first.
pub fn set_password_hash(
    store: &Store,
    name: &str,
    hash: String,
    temporary: bool,
    keep: Option<&str>,
) -> Result<User, StoreError> {
    store.change_user(name, keep, |user| {
        user.password_hash = hash;
        user.must_change_password = temporary;
    })
}

/// Makes the user `admin` where there is no account at all; returns its password.
pub fn ensure_first_admin(store: &Store) -> Result<Option<String>, AccountError> {
    if !store.users()?.is_empty() {
        return Ok(None);
    }
    let password = random_password()?;
    // It was printed, perhaps into a log: it is good for one thing only.
    let user = User {
        must_change_password: true,
        ..new_user("admin", Role::Admin, &password)?
    };
    Ok(store.add_first_user(&user)?.then_some(password))
}

fn new_user(name: &str, role: Role, password: &str) -> Result<User, AccountError> {
    let hash = hash_password(password)?;
    Ok(User::new(name.to_owned(), role, hash, Timestamp::now()))
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
        /// Which calls.
        #[serde(default)]
        reach: Reach,
        /// Its password.
        password: String,
        /// Its owner must choose another password first.
        #[serde(default)]
        temporary: bool,
    },
    /// Set another password.
    Passwd {
        /// The account.
        name: String,
        /// The new password.
        password: String,
        /// Its owner must choose another password first.
        #[serde(default)]
        temporary: bool,
    },
    /// Take the second factor away: its owner has neither authenticator nor codes.
    ResetFactor {
        /// The account.
        name: String,
    },
    /// End all sessions of an account.
    EndSessions {
        /// The account.
        name: String,
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
            reach,
            password,
            temporary,
        } => {
            validate_user_name(&name).map_err(AccountError::Rule)?;
            let reach = reach.tidy(role).map_err(AccountError::Rule)?;
            validate_password(&password, &name).map_err(AccountError::Rule)?;
            let user = User {
                reach,
                must_change_password: temporary,
                ..new_user(&name, role, &password)?
            };
            if !store.add_user(&user)? {
                return Err(AccountError::Exists(name));
            }
            Ok(format!("The user '{name}' was added."))
        }
        UserCommand::Passwd {
            name,
            password,
            temporary,
        } => {
            validate_password(&password, &name).map_err(AccountError::Rule)?;
            let hash = hash_password(&password)?;
            set_password_hash(store, &name, hash, temporary, None)
                .map_err(|error| of_account(error, &name))?;
            Ok(format!(
                "The password of '{name}' was changed; its sessions have ended."
            ))
        }
        UserCommand::ResetFactor { name } => {
            store
                .change_user(&name, None, |user| {
                    user.second_factor = None;
                    user.pending_factor = None;
                })
                .map_err(|error| of_account(error, &name))?;
            Ok(format!("'{name}' signs in without a second factor."))
        }
        UserCommand::EndSessions { name } => {
            if store.user(&name)?.is_none() {
                return Err(AccountError::Unknown(name));
            }
            let ended = store.end_sessions(&name, None)?;
            Ok(format!("{ended} sessions of '{name}' were ended."))
        }
        UserCommand::List => Ok(store
            .users()?
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")),
        UserCommand::Remove { name } => {
            store
                .remove_user(&name)
                .map_err(|error| of_account(error, &name))?;
            Ok(format!("The user '{name}' was removed."))
        }
    }
}

/// Name, role, when it was made, calls, and what is special, between tabs.
fn line(user: &User) -> String {
    let reach = match &user.reach {
        Reach::All => "all calls".to_owned(),
        Reach::Teams(teams) => format!("teams: {}", teams.join(", ")),
        Reach::Operator(name) => format!("operator: {name}"),
    };
    let mut marks = Vec::new();
    if user.disabled {
        marks.push("disabled");
    }
    if user.must_change_password {
        marks.push("must change the password");
    }
    if user.second_factor.is_some() {
        marks.push("second factor");
    }
    format!(
        "{}\t{}\t{}\t{reach}\t{}",
        user.name,
        user.role,
        user.created_at,
        marks.join(", ")
    )
}

fn of_account(error: StoreError, name: &str) -> AccountError {
    match error {
        StoreError::NotFound => AccountError::Unknown(name.to_owned()),
        StoreError::LastAdmin => AccountError::LastAdmin(name.to_owned()),
        other => AccountError::Store(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    reach: Reach::All,
                    password: password.into(),
                    temporary: false,
                },
            )
        };
        assert!(matches!(add("olga", "short"), Err(AccountError::Rule(_))));
        add("olga", "верная лошадь батарея").expect("added");
        assert!(matches!(
            add("olga", "верная лошадь батарея"),
            Err(AccountError::Exists(_))
        ));
        remove("admin").expect("removed");
    }
}
