//! Settings of signing in at an identity provider, section `[oidc]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Table;

use super::{Secret, Section};
use crate::domain::Role;
use crate::domain::user::Reach;

/// Signing in at an identity provider (OpenID Connect).
#[derive(Debug, Clone, PartialEq)]
pub struct Oidc {
    /// Whether people can.
    pub enabled: bool,
    /// Who the provider is: its address, as it says it itself.
    pub issuer: String,
    /// Our name at the provider.
    pub client_id: String,
    /// Our password there; empty: none (PKCE alone).
    pub client_secret: Secret,
    /// Where people see our page, without a slash at the end.
    pub public_url: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What the button says.
    pub label: String,
    /// The claim that names the account.
    pub account_claim: String,
    /// Whether an address of e-mail must be verified to name one.
    pub verified_email: bool,
    /// Whether accounts are made for people who have none.
    pub create: bool,
    /// The claim that tells the role; empty: none does.
    pub role_claim: String,
    /// Values of that claim for each role.
    pub roles: BTreeMap<String, Vec<String>>,
    /// The role of those whom no value gives one; `None`: they are not let in.
    pub default_role: Option<Role>,
    /// The claim with the teams whose calls are seen; empty: none.
    pub teams_claim: String,
    /// The teams where no claim names any.
    pub default_teams: Vec<String>,
    /// The claim with the name of the operator, for the role operator.
    pub operator_claim: String,
    /// Authorities that the provider's certificate is checked against in place of the usual ones.
    pub ca_file: Option<PathBuf>,
}

/// Reads the section; the secret from the environment wins.
pub(super) fn read(
    table: Table,
    env: &impl Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) -> Oidc {
    let mut section = Section {
        name: "oidc.",
        table,
        faults,
    };
    let enabled = section.take("enabled", false);
    let mut text = |key: &str, default: &str| -> String { section.take(key, default.to_owned()) };
    let issuer = text("issuer", "");
    let client_id = text("client_id", "");
    let client_secret = text("client_secret", "");
    let public_url = text("public_url", "");
    let label = text("label", "");
    let account_claim = text("account_claim", "email");
    let role_claim = text("role_claim", "");
    let default_role = text("default_role", "viewer");
    let teams_claim = text("teams_claim", "");
    let operator_claim = text("operator_claim", "name");
    let ca_file = text("ca_file", "");
    let scopes = ["openid", "profile", "email"].map(str::to_owned).to_vec();
    let oidc = Oidc {
        enabled,
        issuer,
        client_id,
        client_secret: env("CALL_ANALYTICS_OIDC_SECRET")
            .unwrap_or(client_secret)
            .into(),
        public_url: public_url.trim_end_matches('/').to_owned(),
        scopes: section.take("scopes", scopes),
        label,
        account_claim,
        verified_email: section.take("verified_email", true),
        create: section.take("create", false),
        role_claim,
        roles: section.take("roles", BTreeMap::new()),
        default_role: match default_role.as_str() {
            "none" => None,
            name => name
                .parse()
                .map_err(|fault: String| {
                    section.fault("default_role", &format!("{fault}; or \"none\""));
                })
                .ok(),
        },
        teams_claim,
        default_teams: section.take("default_teams", Vec::new()),
        operator_claim,
        ca_file: (!ca_file.is_empty()).then(|| PathBuf::from(ca_file)),
    };
    if enabled {
        check(&oidc, &mut section);
    }
    section.finish();
    oidc
}

fn check(oidc: &Oidc, section: &mut Section) {
    if !is_protected(&oidc.issuer) {
        section.fault(
            "issuer",
            "is the address of the provider and begins with https:// (http:// on this machine only)",
        );
    }
    if !is_protected(&oidc.public_url) {
        section.fault(
            "public_url",
            "is where people see this page, such as \"https://calls.example.com\"",
        );
    }
    if oidc.client_id.is_empty() {
        section.fault(
            "client_id",
            "is the name that the provider gave this program",
        );
    }
    if !oidc.scopes.iter().any(|scope| scope == "openid") {
        section.fault("scopes", "has \"openid\" in it");
    }
    if oidc.account_claim.is_empty() {
        section.fault(
            "account_claim",
            "names the claim that is the account's name, such as \"email\"",
        );
    }
    for role in oidc.roles.keys() {
        if let Err(fault) = role.parse::<Role>() {
            section.fault("roles", &fault);
        }
    }
    if oidc.role_claim.is_empty() && !oidc.roles.is_empty() {
        section.fault("role_claim", "names the claim that [oidc.roles] is about");
    }
    if oidc.create && oidc.teams_claim.is_empty() && oidc.default_teams.is_empty() {
        section.fault(
            "default_teams",
            "says whose calls people see whose accounts are made, or teams_claim does; [\"*\"]: all calls",
        );
    }
    if let Some(path) = &oidc.ca_file
        && let Err(error) = std::fs::read(path)
    {
        section.fault("ca_file", &format!("{}: {error}", path.display()));
    }
}

/// Whether nobody can read along: HTTPS, or this machine.
pub(crate) fn is_protected(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    // What stands before an @ is no host.
    if host.is_empty() || authority.contains('@') {
        return false;
    }
    match scheme {
        "https" => true,
        "http" => matches!(host, "localhost" | "127.0.0.1" | "::1"),
        _ => false,
    }
}

/// What a person of this role sees whose claims name these teams.
pub(crate) fn reach(role: Role, teams: Vec<String>, operator: Option<String>) -> Option<Reach> {
    let reach = match role {
        Role::Admin => Reach::All,
        Role::Operator => Reach::Operator(operator?),
        Role::Supervisor | Role::Viewer if teams.iter().any(|team| team == "*") => Reach::All,
        Role::Supervisor | Role::Viewer => Reach::Teams(teams),
    };
    reach.tidy(role).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_is_https_or_this_machine() {
        for good in [
            "https://id.example.com/x",
            "http://127.0.0.1:9/x",
            "http://[::1]:9",
            "http://localhost",
        ] {
            assert!(is_protected(good), "{good}");
        }
        for bad in [
            "http://id.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1@example.com/",
            "https://",
            "ftp://localhost",
            "",
        ] {
            assert!(!is_protected(bad), "{bad}");
        }
    }
}
