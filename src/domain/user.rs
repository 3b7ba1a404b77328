//! People who sign in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "admin" => Ok(Role::Admin),
            other => Err(format!("'{other}' is not a role; known: admin")),
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Admin => "admin",
        })
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Name to sign in with: 1–64 characters, no control characters or spaces at the ends.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// argon2id hash in PHC form.
    pub password_hash: String,
    /// Part of every token; raised to end all sessions of the account.
    pub session_epoch: u64,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Refuses a name that cannot be shown or typed reliably.
pub fn validate_user_name(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if length == 0 || length > 64 {
        return Err("A user name has 1 to 64 characters.".into());
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        return Err(
            "A user name has no control characters and does not begin or end with a space.".into(),
        );
    }
    Ok(())
}

/// Shortest password that is accepted.
pub const MIN_PASSWORD_CHARS: usize = 10;

/// Refuses a password that is too short, too long or too plain.
pub fn validate_password(password: &str, user_name: &str) -> Result<(), String> {
    let length = password.chars().count();
    if length < MIN_PASSWORD_CHARS {
        return Err(format!(
            "The password is too short: use at least {MIN_PASSWORD_CHARS} characters."
        ));
    }
    if length > 256 {
        return Err("The password is too long: use at most 256 characters.".into());
    }
    let mut distinct: Vec<char> = password.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 5 || password.to_lowercase().contains(&user_name.to_lowercase()) {
        return Err(
            "The password is too easy to guess: do not repeat a few characters or use the user name.".into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        assert!(validate_password("short", "a").is_err());
        assert!(validate_password("aaaaaaaaaaaaaaaa", "x").is_err());
        assert!(validate_password("my-Admin-password", "admin").is_err());
        assert!(validate_password("верная лошадь батарея", "admin").is_ok());
    }

    #[test]
    fn names() {
        for bad in ["", " a", "a\n", &"x".repeat(65)] {
            assert!(validate_user_name(bad).is_err(), "{bad:?}");
        }
        assert!(validate_user_name("Ольга Петрова").is_ok());
    }
}
