//! Roles and reaches on the wire.

use poem_openapi::{Enum, Object};

use super::error::ApiError;
use crate::domain::Role;
use crate::domain::user::Reach;

/// What a person may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum RoleView {
    /// Everything.
    Admin,
    /// Works with the calls of some teams or of all.
    Supervisor,
    /// Sees their own calls and can dispute their scores.
    Operator,
    /// Sees the calls of some teams or of all.
    Viewer,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => RoleView::Admin,
            Role::Supervisor => RoleView::Supervisor,
            Role::Operator => RoleView::Operator,
            Role::Viewer => RoleView::Viewer,
        }
    }
}

impl From<RoleView> for Role {
    fn from(role: RoleView) -> Self {
        match role {
            RoleView::Admin => Role::Admin,
            RoleView::Supervisor => Role::Supervisor,
            RoleView::Operator => Role::Operator,
            RoleView::Viewer => Role::Viewer,
        }
    }
}

/// Which calls: of an operator, of teams, or, with neither, all.
#[derive(Clone, Debug, Default, Object)]
pub(super) struct ReachView {
    /// Names of teams, as the directory of employees has them.
    teams: Option<Vec<String>>,
    /// Name of an operator, as it stands with the calls.
    operator: Option<String>,
}

impl ReachView {
    pub(super) fn of(reach: &Reach) -> Self {
        match reach {
            Reach::All => Self::default(),
            Reach::Teams(teams) => Self {
                teams: Some(teams.clone()),
                operator: None,
            },
            Reach::Operator(name) => Self {
                teams: None,
                operator: Some(name.clone()),
            },
        }
    }

    /// In its one form for a role.
    ///
    /// # Errors
    /// `bad_reach`, which says what does not go together.
    pub(super) fn read(self, role: Role) -> Result<Reach, ApiError> {
        let reach = match (self.teams, self.operator) {
            (None, None) => Reach::All,
            (Some(teams), None) => Reach::Teams(teams),
            (None, Some(name)) => Reach::Operator(name),
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_request(
                    "bad_reach",
                    "An account is for teams or for one operator, not for both.",
                ));
            }
        };
        reach
            .tidy(role)
            .map_err(|message| ApiError::bad_request("bad_reach", message))
    }
}
