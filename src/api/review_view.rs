//! Wire types of what people say of a score.

use poem_openapi::{Enum, Object};

use super::score_view::{EngineView, VerdictView};
use crate::domain::review::{Act, Entry, ItemReview};
use crate::domain::score::{Score, Verdict};

/// What a person did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum ActView {
    /// Said that the verdict is right.
    Confirmed,
    /// Put another verdict in its place.
    Changed,
    /// Took back what people said: the machine's verdict counts again.
    Withdrawn,
    /// Said that the verdict is wrong; somebody else has to decide.
    Disputed,
    /// Settled a dispute with another verdict.
    Accepted,
    /// Settled a dispute: the verdict stays.
    Declined,
}

impl From<Act> for ActView {
    fn from(act: Act) -> Self {
        match act {
            Act::Confirmed => Self::Confirmed,
            Act::Changed => Self::Changed,
            Act::Withdrawn => Self::Withdrawn,
            Act::Disputed => Self::Disputed,
            Act::Accepted => Self::Accepted,
            Act::Declined => Self::Declined,
        }
    }
}

/// A person's word on an item.
#[derive(Object)]
pub(super) struct ReviewWordView {
    act: ActView,
    /// Name of the account.
    author: String,
    /// RFC 3339.
    at: String,
    /// May be empty for a confirmation.
    comment: String,
    /// Version of the scorecard that it was given on.
    scorecard_version: u32,
    /// It was given on another scorecard or version than the score is of.
    other_scorecard: bool,
    /// Version of the transcript that it was given on.
    transcript_version: Option<u32>,
    /// What the machine said then.
    machine_then: VerdictView,
    /// The machine says something else now.
    machine_changed: bool,
}

impl ReviewWordView {
    /// `machine` is what the machine says now, in `score`.
    pub(super) fn new(word: &Entry, machine: Verdict, score: &Score) -> Self {
        let given_on = (word.scorecard_id.as_str(), word.scorecard_version);
        Self {
            act: word.act.into(),
            author: word.author.clone(),
            at: word.at.to_string(),
            comment: word.comment.clone(),
            scorecard_version: word.scorecard_version,
            other_scorecard: given_on != (score.scorecard_id.as_str(), score.scorecard_version),
            transcript_version: word.transcript_version,
            machine_then: word.machine.into(),
            machine_changed: word.machine != machine,
        }
    }
}

/// A dispute that nobody has settled yet.
#[derive(Object)]
pub(super) struct OpenDisputeView {
    /// Name of the account.
    author: String,
    /// RFC 3339.
    at: String,
    comment: String,
}

impl From<&Entry> for OpenDisputeView {
    fn from(entry: &Entry) -> Self {
        Self {
            author: entry.author.clone(),
            at: entry.at.to_string(),
            comment: entry.comment.clone(),
        }
    }
}

/// One thing that a person did.
#[derive(Object)]
pub(super) struct ReviewEntryView {
    act: ActView,
    /// Name of the account.
    author: String,
    /// RFC 3339.
    at: String,
    comment: String,
    /// The verdict that counted before.
    from: VerdictView,
    /// The verdict that counts after.
    to: VerdictView,
    /// What the machine said then.
    machine: VerdictView,
    /// Which machine.
    engine: EngineView,
    /// Name of the language model, where it was one.
    model: Option<String>,
    scorecard_id: String,
    scorecard_version: u32,
    transcript_version: Option<u32>,
}

impl From<&Entry> for ReviewEntryView {
    fn from(entry: &Entry) -> Self {
        Self {
            act: entry.act.into(),
            author: entry.author.clone(),
            at: entry.at.to_string(),
            comment: entry.comment.clone(),
            from: entry.from.into(),
            to: entry.to.into(),
            machine: entry.machine.into(),
            engine: entry.engine.into(),
            model: entry.model.clone(),
            scorecard_id: entry.scorecard_id.clone(),
            scorecard_version: entry.scorecard_version,
            transcript_version: entry.transcript_version,
        }
    }
}

/// All that people did about an item.
#[derive(Object)]
pub(super) struct ItemReviewView {
    /// Key of the item.
    item: String,
    name: String,
    name_en: Option<String>,
    /// The item is in the call's score.
    scored: bool,
    /// The oldest first.
    entries: Vec<ReviewEntryView>,
}

impl ItemReviewView {
    pub(super) fn new(review: &ItemReview, scored: bool) -> Self {
        Self {
            item: review.item.clone(),
            name: review.name.clone(),
            name_en: review.name_en.clone(),
            scored,
            entries: review.entries.iter().map(ReviewEntryView::from).collect(),
        }
    }
}
