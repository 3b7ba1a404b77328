//! Sign-ins and API keys, as they are kept.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::access::Permission;

/// A session that is not used ends after this.
pub const IDLE: SignedDuration = SignedDuration::from_hours(24 * 7);
/// A session ends after this in any case.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The refresh token before the present one is taken for this long: requests that were
/// sent at once carry it still.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedInBy {
    /// With the password alone.
    Password,
    /// With password and a code of the authenticator.
    Code,
    /// With password and a recovery code.
    Recovery,
    /// By an invitation.
    Invitation,
    /// At the identity provider.
    Provider,
}

impl SignedInBy {
    /// Name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            SignedInBy::Password => "password",
            SignedInBy::Code => "code",
            SignedInBy::Recovery => "recovery",
            SignedInBy::Invitation => "invitation",
            SignedInBy::Provider => "provider",
        }
    }
}

/// Somebody's sign-in on one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Random; part of every token.
    pub id: String,
    /// The account.
    pub user: String,
    /// How.
    pub by: SignedInBy,
    /// When.
    pub created_at: Timestamp,
    /// Last renewed.
    pub seen_at: Timestamp,
    /// From where, at the last renewal.
    pub address: String,
    /// Name that the browser or program gave itself, at most 200 characters.
    pub agent: String,
    /// SHA-256, in hex, of the refresh token.
    pub refresh: String,
    /// That of the one before, and when it was replaced.
    pub before: Option<(String, Timestamp)>,
}

/// What a refresh token is, to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Right: a new one takes its place.
    Replace,
    /// The one before, just replaced: right, and nothing changes.
    Keep,
    /// Of a session that has ended by its time.
    Expired,
    /// An old one, used again: somebody copied it.
    Reused,
}

impl Session {
    /// When it ends unless it is used.
    pub fn expires_at(&self) -> Timestamp {
        (self.seen_at + IDLE).min(self.created_at + LONGEST)
    }

    /// What the token with this hash is. The one before the present is still right, because
    /// the answer that carried the present one may have been lost; where it was copied, the
    /// one that is pushed out so shows it by coming back.
    pub fn judge(&self, hash: &str, now: Timestamp) -> Refresh {
        if now >= self.expires_at() {
            return Refresh::Expired;
        }
        if self.refresh == hash {
            return Refresh::Replace;
        }
        match &self.before {
            Some((before, since)) if before == hash => {
                if now < *since + GRACE {
                    Refresh::Keep
                } else {
                    Refresh::Replace
                }
            }
            _ => Refresh::Reused,
        }
    }
}

/// A key that a program signs in with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Public part of the key.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The account it stands for: it never can do or see more.
    pub user: String,
    /// SHA-256, in hex, of the whole key.
    pub hash: String,
    /// What it may do.
    pub scopes: Vec<Permission>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Most requests a minute.
    pub per_minute: u32,
    /// Last use, to the hour.
    #[serde(default)]
    pub used_at: Option<Timestamp>,
}

/// An account that waits for its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256, in hex, of the token in the link.
    pub hash: String,
    /// Name of the account.
    pub name: String,
    /// Its role.
    pub role: super::Role,
    /// Its calls.
    pub reach: super::user::Reach,
    /// Who invites.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
    /// Good until then.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens() {
        let at = |s: i64| Timestamp::from_second(1_000_000 + s).expect("a time");
        let mut session = Session {
            id: "s".into(),
            user: "u".into(),
            by: SignedInBy::Password,
            created_at: at(0),
            seen_at: at(0),
            address: String::new(),
            agent: String::new(),
            refresh: "b".into(),
            before: Some(("a".into(), at(100))),
        };
        assert_eq!(session.judge("b", at(101)), Refresh::Replace);
        assert_eq!(session.judge("a", at(101)), Refresh::Keep);
        assert_eq!(session.judge("x", at(101)), Refresh::Reused);
        assert_eq!(
            session.judge("a", at(1000)),
            Refresh::Replace,
            "the answer with the newer one was lost"
        );
        assert_eq!(session.judge("b", at(7 * 86_400)), Refresh::Expired);
        session.seen_at = at(29 * 86_400);
        assert_eq!(session.judge("b", at(30 * 86_400)), Refresh::Expired);
        assert_eq!(session.judge("b", at(30 * 86_400 - 1)), Refresh::Replace);
    }
}
