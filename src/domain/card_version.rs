//! Where versions of scorecards come from, and drafts of the next ones.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Names one version of one scorecard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardKey {
    /// Id of the scorecard.
    pub id: String,
    /// Its version.
    pub version: u32,
}

/// Who made a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardOrigin {
    /// It came with the program.
    BuiltIn,
    /// The file that the configuration names.
    File,
    /// A person, on the page.
    Person,
}

/// What is known of a version besides the compiled scorecard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardNote {
    /// The file as it was written.
    pub text: String,
    /// When it was kept.
    pub created_at: Timestamp,
    /// Who made it.
    pub origin: CardOrigin,
    /// The account, where it was a person.
    pub author: Option<String>,
    /// What the person says of the change.
    pub comment: String,
}

/// What will perhaps be the next version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardDraft {
    /// Stable id.
    pub id: String,
    /// The file as it is written; it may have faults.
    pub text: String,
    /// What it was begun from.
    pub base: Option<CardKey>,
    /// When it was saved last.
    pub saved_at: Timestamp,
    /// Raised with every saving, so that none overwrites another unseen.
    pub revision: u32,
    /// The account that saved it last.
    pub author: String,
}
