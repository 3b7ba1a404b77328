//! People who sign in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a person may do: `domain::access` has the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Works with the calls of some teams or of all: corrects, reviews, asks.
    Supervisor,
    /// Sees their own calls and can dispute their scores.
    Operator,
    /// Sees the calls of some teams or of all.
    Viewer,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Role; 4] = [Role::Admin, Role::Supervisor, Role::Operator, Role::Viewer];

    /// Name in records, on the wire and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Supervisor => "supervisor",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                format!("'{text}' is not a role; known: {known}")
            })
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which calls an account is for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// All, those without an operator too.
    #[default]
    All,
    /// Those of the employees of these teams, as the directory names them.
    Teams(Vec<String>),
    /// Those of this operator.
    Operator(String),
}

impl Reach {
    /// In its one form, or why it does not go with the role.
    pub fn tidy(self, role: Role) -> Result<Self, String> {
        match (role, self) {
            (Role::Admin | Role::Supervisor | Role::Viewer, Reach::All) => Ok(Reach::All),
            (Role::Supervisor | Role::Viewer, Reach::Teams(teams)) => {
                let mut teams: Vec<String> =
                    teams.iter().map(|team| team.trim().to_owned()).collect();
                teams.retain(|team| !team.is_empty());
                teams.sort();
                teams.dedup();
                if teams.is_empty() {
                    return Err("Name at least one team, or give all calls.".into());
                }
                if teams.len() > 100 || teams.iter().any(|team| team.chars().count() > 120) {
                    return Err("At most 100 teams of 120 characters each.".into());
                }
                Ok(Reach::Teams(teams))
            }
            (Role::Operator, Reach::Operator(name)) => {
                let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
                if name.is_empty() || name.chars().count() > 120 {
                    return Err("Name the operator as they stand with the calls.".into());
                }
                Ok(Reach::Operator(name))
            }
            (Role::Admin, _) => Err("An administrator sees all calls.".into()),
            (Role::Operator, _) => {
                Err("An account of an operator names the operator whose calls it shows.".into())
            }
            (Role::Supervisor | Role::Viewer, Reach::Operator(_)) => {
                Err("Only an account of an operator is tied to one operator.".into())
            }
        }
    }
}

/// A second factor: codes by time (RFC 6238) and codes for the day the phone is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// Shared with the authenticator.
    pub secret: Vec<u8>,
    /// Number of the last step that was used: no code is good twice.
    #[serde(default)]
    pub last_step: u64,
    /// SHA-256, in hex, of the recovery codes that are left.
    pub recovery: Vec<String>,
    /// Since when.
    pub since: Timestamp,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Name to sign in with: 1–64 characters, no control characters or spaces at the ends.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Which calls.
    #[serde(default)]
    pub reach: Reach,
    /// argon2id hash in PHC form; empty where the person signs in elsewhere only.
    pub password_hash: String,
    /// Nothing else can be done before the password is changed.
    #[serde(default)]
    pub must_change_password: bool,
    /// Cannot sign in.
    #[serde(default)]
    pub disabled: bool,
    /// Asked for after the password.
    #[serde(default)]
    pub second_factor: Option<SecondFactor>,
    /// A secret that was shown and not yet proven.
    #[serde(default)]
    pub pending_factor: Option<Vec<u8>>,
    /// The person at the identity provider: issuer, a space, subject.
    #[serde(default)]
    pub identity: Option<String>,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl User {
    /// An account that can sign in, of everything in sight of its role.
    pub fn new(name: String, role: Role, password_hash: String, created_at: Timestamp) -> Self {
        Self {
            name,
            role,
            reach: Reach::All,
            password_hash,
            must_change_password: false,
            disabled: false,
            second_factor: None,
            pending_factor: None,
            identity: None,
            created_at,
        }
    }
}

/// Refuses a name that cannot be shown or typed reliably.
pub fn validate_user_name(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if length == 0 || length > 64 {
        return Err("A user name has 1 to 64 characters.".into());
    }
    if name.trim() != name || name.chars().any(char::is_control) || name.contains('/') {
        return Err(
            "A user name has no control characters and no '/', and does not begin or end with a space.".into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for bad in ["", " a", "a\n", "a/b", &"x".repeat(65)] {
            assert!(validate_user_name(bad).is_err(), "{bad:?}");
        }
        assert!(validate_user_name("Ольга Петрова").is_ok());
    }

    #[test]
    fn roles_have_names() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            let json = serde_json::to_string(&role).expect("JSON");
            assert_eq!(json, format!("\"{role}\""));
        }
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn a_reach_goes_with_its_role() {
        let teams = |names: &[&str]| Reach::Teams(names.iter().map(|&n| n.to_owned()).collect());
        assert_eq!(Reach::All.tidy(Role::Admin), Ok(Reach::All));
        assert_eq!(
            teams(&[" B", "A", "B "]).tidy(Role::Supervisor),
            Ok(teams(&["A", "B"]))
        );
        assert_eq!(
            Reach::Operator(" Иван  Петров ".into()).tidy(Role::Operator),
            Ok(Reach::Operator("Иван Петров".into()))
        );
        for (role, reach) in [
            (Role::Admin, teams(&["A"])),
            (Role::Supervisor, teams(&[" "])),
            (Role::Viewer, Reach::Operator("x".into())),
            (Role::Operator, Reach::All),
            (Role::Operator, teams(&["A"])),
            (Role::Operator, Reach::Operator(" ".into())),
        ] {
            assert!(reach.clone().tidy(role).is_err(), "{role} {reach:?}");
        }
    }
}
