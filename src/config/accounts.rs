//! Settings of accounts.

use serde::Deserialize;
use toml::Table;

use super::Section;
use crate::domain::Role;

/// Accounts of the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Accounts {
    /// Who needs a second factor.
    pub second_factor: FactorNeeded,
    /// WebSockets that one account holds at the same time.
    pub max_websockets: usize,
}

/// Who needs a second factor to do anything but to set one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorNeeded {
    /// Nobody; everybody can have one.
    Optional,
    /// Administrators.
    Admins,
    /// Everybody.
    All,
}

impl Accounts {
    /// Whether people of this role need a second factor.
    pub fn needs_factor(&self, role: Role) -> bool {
        match self.second_factor {
            FactorNeeded::Optional => false,
            FactorNeeded::Admins => role == Role::Admin,
            FactorNeeded::All => true,
        }
    }
}

pub(super) fn read(table: Table, faults: &mut Vec<String>) -> Accounts {
    let mut section = Section {
        name: "accounts.",
        table,
        faults,
    };
    let second_factor = section.take("second_factor", FactorNeeded::Optional);
    let max_websockets: usize = section.take("max_websockets", 10);
    if !(1..=1000).contains(&max_websockets) {
        section.fault("max_websockets", "is from 1 to 1000");
    }
    section.finish();
    Accounts {
        second_factor,
        max_websockets,
    }
}
