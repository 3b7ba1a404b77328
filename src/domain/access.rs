//! Who may do what: permissions of roles, and which calls are in sight. The API's
//! extractor asks here; nothing else decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::user::{Reach, Role};

/// One kind of thing that can be done. Also the scopes of API keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// One's own account.
    #[serde(rename = "profile")]
    Profile,
    /// Look at calls in sight, listen to them, export them.
    #[serde(rename = "calls:read")]
    ReadCalls,
    /// Bring recordings in.
    #[serde(rename = "calls:upload")]
    Upload,
    /// Correct calls in sight and have them worked on again.
    #[serde(rename = "calls:edit")]
    EditCalls,
    /// Delete calls with their recordings.
    #[serde(rename = "calls:delete")]
    DeleteCalls,
    /// Speak about the verdicts of calls in sight; an operator can only dispute.
    #[serde(rename = "reviews:write")]
    Review,
    /// Ask questions of calls in sight.
    #[serde(rename = "questions:ask")]
    Ask,
    /// Criteria, prompts, directory, doors, everything that is set for all.
    #[serde(rename = "settings")]
    Settings,
    /// Other people's accounts and keys.
    #[serde(rename = "accounts")]
    Accounts,
    /// What everybody did.
    #[serde(rename = "audit:read")]
    Audit,
    /// Erase all that is known of a person.
    #[serde(rename = "erasure")]
    Erase,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 11] = [
        Permission::Profile,
        Permission::ReadCalls,
        Permission::Upload,
        Permission::EditCalls,
        Permission::DeleteCalls,
        Permission::Review,
        Permission::Ask,
        Permission::Settings,
        Permission::Accounts,
        Permission::Audit,
        Permission::Erase,
    ];

    /// Name in records, in the API's document and as a scope.
    pub const fn name(self) -> &'static str {
        match self {
            Permission::Profile => "profile",
            Permission::ReadCalls => "calls:read",
            Permission::Upload => "calls:upload",
            Permission::EditCalls => "calls:edit",
            Permission::DeleteCalls => "calls:delete",
            Permission::Review => "reviews:write",
            Permission::Ask => "questions:ask",
            Permission::Settings => "settings",
            Permission::Accounts => "accounts",
            Permission::Audit => "audit:read",
            Permission::Erase => "erasure",
        }
    }

    /// Whether people of this role have it.
    pub const fn allows(self, role: Role) -> bool {
        use Permission::{
            Accounts, Ask, Audit, DeleteCalls, EditCalls, Erase, Profile, ReadCalls, Review,
            Settings, Upload,
        };
        match self {
            Profile | ReadCalls => true,
            Upload | EditCalls | Ask => matches!(role, Role::Admin | Role::Supervisor),
            Review => matches!(role, Role::Admin | Role::Supervisor | Role::Operator),
            DeleteCalls | Settings | Accounts | Audit | Erase => matches!(role, Role::Admin),
        }
    }

    /// Whether an API key can have it: keys never touch accounts.
    pub const fn for_keys(self) -> bool {
        !matches!(
            self,
            Permission::Profile | Permission::Accounts | Permission::Erase
        )
    }
}

impl std::str::FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.name() == text)
            .ok_or_else(|| format!("'{text}' is not a permission"))
    }
}

/// Which calls are in sight.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sight {
    /// All.
    #[default]
    All,
    /// Those of these operators, names in lower case. A call that nobody is named for is
    /// in sight of those only who see all.
    Operators(Arc<BTreeSet<String>>),
}

impl Sight {
    /// What an account sees by the directory as it is now.
    pub fn of(reach: &Reach, directory: &Directory) -> Self {
        match reach {
            Reach::All => Sight::All,
            Reach::Operator(name) => Sight::Operators(Arc::new([name.to_lowercase()].into())),
            Reach::Teams(teams) => {
                let of_teams = directory.employees().iter().filter(|employee| {
                    employee
                        .team
                        .as_ref()
                        .is_some_and(|team| teams.contains(team))
                });
                Sight::Operators(Arc::new(
                    of_teams
                        .map(|employee| employee.name.to_lowercase())
                        .collect(),
                ))
            }
        }
    }

    /// Whether a call of this operator is in sight.
    pub fn sees(&self, operator: Option<&str>) -> bool {
        match self {
            Sight::All => true,
            Sight::Operators(names) => {
                operator.is_some_and(|name| names.contains(&name.to_lowercase()))
            }
        }
    }

    /// Whether nothing is hidden.
    pub fn is_all(&self) -> bool {
        matches!(self, Sight::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::directory::Employee;

    #[test]
    fn permissions_have_names() {
        for permission in Permission::ALL {
            assert_eq!(permission.name().parse(), Ok(permission));
            let json = serde_json::to_string(&permission).expect("JSON");
            assert_eq!(json, format!("\"{}\"", permission.name()));
            assert!(permission.allows(Role::Admin), "{permission:?}");
        }
    }

    #[test]
    fn a_viewer_changes_nothing() {
        let may = |role: Role| -> Vec<_> {
            Permission::ALL
                .into_iter()
                .filter(|permission| permission.allows(role))
                .collect()
        };
        assert_eq!(
            may(Role::Viewer),
            [Permission::Profile, Permission::ReadCalls]
        );
        assert_eq!(
            may(Role::Operator),
            [
                Permission::Profile,
                Permission::ReadCalls,
                Permission::Review
            ]
        );
    }

    #[test]
    fn teams_see_their_own() {
        let employee = |name: &str, team: Option<&str>| Employee {
            id: name.to_owned(),
            name: name.to_owned(),
            team: team.map(str::to_owned),
            ..Employee::default()
        };
        let directory = Directory::new(vec![
            employee("Анна", Some("Продажи")),
            employee("Борис", Some("Сервис")),
            employee("Вера", None),
        ]);
        let sales = Sight::of(&Reach::Teams(vec!["Продажи".into()]), &directory);
        assert!(sales.sees(Some("АННА")));
        for other in [Some("Борис"), Some("Вера"), Some("Глеб"), None] {
            assert!(!sales.sees(other), "{other:?}");
        }
        let own = Sight::of(&Reach::Operator("Глеб".into()), &directory);
        assert!(own.sees(Some("глеб")) && !own.sees(Some("Анна")) && !own.sees(None));
        assert!(Sight::of(&Reach::All, &directory).sees(None));
    }
}
