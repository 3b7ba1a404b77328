//! Signing in at an identity provider: OpenID Connect, authorization code with PKCE.
//! The conversation with the provider and the proof of what it says; who that is here,
//! `api::oidc` decides.

mod provider;
mod token;

pub use provider::{Provider, Way};

use serde_json::{Map, Value};

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider cannot be reached, or answers with a fault of its own.
    #[error("the identity provider cannot be used: {0}")]
    Unavailable(String),
    /// The provider refuses the code.
    #[error("the identity provider refuses: {0}")]
    Refused(String),
    /// What it says is not proven.
    #[error("the identity provider's token is refused: {0}")]
    Unproven(String),
    /// Random numbers cannot be made.
    #[error("no random numbers: {0}")]
    Random(String),
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who, at this provider, for ever.
    pub subject: String,
    /// What it says of them.
    pub claims: Map<String, Value>,
}

impl Person {
    /// A claim that is a text, or several.
    pub fn texts(&self, claim: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
        match self.claims.get(claim) {
            Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect()
    }
}
