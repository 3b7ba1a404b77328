//! What people say of a machine's verdicts: they confirm or change one, take that
//! back, dispute it, settle a dispute. The machine's score is never touched; what a
//! call's lists show is the score with the people's word applied to it.
//!
//! A person's word is about an item (by its key), not about one score: it stands when
//! the call is scored again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::call::ScoreSummary;
use super::score::{Engine, ItemScore, Score, Verdict, criterion_percent, overall_percent};

/// Longest comment, in characters.
pub const MAX_COMMENT: usize = 2000;
/// Most entries about one item of one call.
pub const MAX_ENTRIES: usize = 200;

/// What a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
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

/// One thing that a person did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who: the name of the account.
    pub author: String,
    /// What.
    pub act: Act,
    /// Why; may be empty where nothing changed.
    pub comment: String,
    /// The verdict that counted before.
    pub from: Verdict,
    /// The verdict that counts after.
    pub to: Verdict,
    /// What the machine said then.
    pub machine: Verdict,
    /// Which machine.
    pub engine: Engine,
    /// Name of the language model, where it was one.
    pub model: Option<String>,
    /// Id of the scorecard then.
    pub scorecard_id: String,
    /// Its version then.
    pub scorecard_version: u32,
    /// Version of the transcript then.
    pub transcript_version: Option<u32>,
}

/// All that people said of one item of one call; never empty in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemReview {
    /// Key of the item in the scorecard.
    pub item: String,
    /// Its name at the last entry.
    pub name: String,
    /// Its English name at the last entry.
    pub name_en: Option<String>,
    /// The oldest first.
    pub entries: Vec<Entry>,
}

/// What a person wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The verdict that counts is right.
    Confirm,
    /// Another verdict.
    Change(Verdict),
    /// Take back what people said.
    Withdraw,
    /// Dispute the verdict that counts.
    Dispute,
    /// Settle the dispute with another verdict.
    Accept(Verdict),
    /// Settle the dispute and leave the verdict.
    Decline,
}

/// What the person looked at; when it is no longer so, nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The verdict that counted.
    pub verdict: Verdict,
    /// How many entries there were about the item.
    pub revision: u32,
}

/// A step with who takes it.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// What is wanted.
    pub step: Step,
    /// What the person looked at.
    pub seen: Seen,
    /// Why.
    pub comment: &'a str,
    /// Name of the account.
    pub author: &'a str,
    /// When.
    pub at: Timestamp,
}

/// What the machine says of the item now.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Its verdict.
    pub machine: Verdict,
    /// Which machine.
    pub engine: Engine,
    /// Name of the language model, where it is one.
    pub model: Option<String>,
    /// Id of the scorecard.
    pub scorecard_id: String,
    /// Its version.
    pub scorecard_version: u32,
    /// Version of the transcript.
    pub transcript_version: Option<u32>,
}

/// Why a step cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// Somebody or something else changed it meanwhile.
    #[error(
        "the verdict changed after it was looked at: load the call again, look at it and repeat"
    )]
    Stale,
    /// The score has no such item.
    #[error("the call's score has no item with this key: load the call again")]
    NoItem,
    /// There is no score.
    #[error("the call has no score: wait until it is scored")]
    NoScore,
    /// A dispute is to be settled first.
    #[error("the verdict is disputed: accept or decline the dispute first")]
    Disputed,
    /// There is no dispute.
    #[error("the verdict is not disputed, so there is nothing to settle: load the call again")]
    NotDisputed,
    /// Nobody said anything.
    #[error("nobody reviewed the item, so there is nothing to take back: load the call again")]
    NothingToWithdraw,
    /// The verdict is that one already.
    #[error("the item has this verdict already: confirm it, or choose another one")]
    SameVerdict,
    /// A machine's doubt is no verdict of a person.
    #[error("a person decides: choose met, failed or not_applicable")]
    Undecided,
    /// The reason is missing.
    #[error("a comment is needed: say why, so that everybody can follow it")]
    NoComment,
    /// The reason is too long.
    #[error("the comment is longer than {MAX_COMMENT} characters: shorten it")]
    LongComment,
    /// So much was never meant to be said of one item.
    #[error("the item has {MAX_ENTRIES} entries, which is the most there can be")]
    TooMany,
}

impl ItemReview {
    /// Of an item about which nobody has said anything.
    pub fn new(item: &ItemScore) -> Self {
        Self {
            item: item.key.clone(),
            name: item.name.clone(),
            name_en: item.name_en.clone(),
            entries: Vec::new(),
        }
    }

    /// How many entries there are: what [`Seen::revision`] is compared with.
    pub fn revision(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// The person's word in force. A dispute that was declined is one as well:
    /// somebody looked and left the verdict.
    pub fn word(&self) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.act != Act::Disputed)
            .filter(|entry| entry.act != Act::Withdrawn && entry.to != Verdict::Unconfirmed)
    }

    /// The dispute that nobody has settled yet.
    pub fn open_dispute(&self) -> Option<&Entry> {
        self.entries.last().filter(|last| last.act == Act::Disputed)
    }

    /// Every dispute with its settlement, the oldest first. Nothing but a settlement
    /// can follow a dispute.
    pub fn disputes(&self) -> impl Iterator<Item = (&Entry, Option<&Entry>)> {
        let entries = self.entries.iter().enumerate();
        entries
            .filter(|(_, entry)| entry.act == Act::Disputed)
            .map(|(at, entry)| (entry, self.entries.get(at + 1)))
    }

    /// The verdict that counts where the machine says `machine`.
    pub fn verdict(&self, machine: Verdict) -> Verdict {
        self.word().map_or(machine, |word| word.to)
    }

    /// What the machine said at the last entry, for an item that is no longer scored.
    pub fn last_scene(&self) -> Option<Scene> {
        self.entries.last().map(|last| Scene {
            machine: last.machine,
            engine: last.engine,
            model: last.model.clone(),
            scorecard_id: last.scorecard_id.clone(),
            scorecard_version: last.scorecard_version,
            transcript_version: last.transcript_version,
        })
    }

    /// Takes a step.
    ///
    /// # Errors
    /// When it is not possible; nothing has changed then.
    pub fn take(&mut self, given: &Given<'_>, scene: Scene) -> Result<(), ReviewError> {
        let from = self.verdict(scene.machine);
        if given.seen.revision != self.revision() || given.seen.verdict != from {
            return Err(ReviewError::Stale);
        }
        if self.entries.len() >= MAX_ENTRIES {
            return Err(ReviewError::TooMany);
        }
        let settles = matches!(given.step, Step::Accept(_) | Step::Decline);
        match (self.open_dispute().is_some(), settles) {
            (true, false) => return Err(ReviewError::Disputed),
            (false, true) => return Err(ReviewError::NotDisputed),
            (true, true) | (false, false) => {}
        }
        let (act, to) = match given.step {
            Step::Confirm | Step::Change(_) | Step::Accept(_)
                if given.step.verdict().unwrap_or(from) == Verdict::Unconfirmed =>
            {
                return Err(ReviewError::Undecided);
            }
            Step::Change(to) | Step::Accept(to) if to == from => {
                return Err(ReviewError::SameVerdict);
            }
            Step::Withdraw if self.word().is_none() => return Err(ReviewError::NothingToWithdraw),
            Step::Confirm => (Act::Confirmed, from),
            Step::Change(to) => (Act::Changed, to),
            Step::Withdraw => (Act::Withdrawn, scene.machine),
            Step::Dispute => (Act::Disputed, from),
            Step::Accept(to) => (Act::Accepted, to),
            Step::Decline => (Act::Declined, from),
        };
        let comment = comment(given.comment)?;
        if comment.is_empty() && !matches!(act, Act::Confirmed | Act::Withdrawn) {
            return Err(ReviewError::NoComment);
        }
        self.entries.push(Entry {
            at: given.at,
            author: given.author.to_owned(),
            act,
            comment,
            from,
            to,
            machine: scene.machine,
            engine: scene.engine,
            model: scene.model,
            scorecard_id: scene.scorecard_id,
            scorecard_version: scene.scorecard_version,
            transcript_version: scene.transcript_version,
        });
        Ok(())
    }
}

impl Step {
    /// The verdict that it asks for.
    fn verdict(self) -> Option<Verdict> {
        match self {
            Step::Change(verdict) | Step::Accept(verdict) => Some(verdict),
            Step::Confirm | Step::Withdraw | Step::Dispute | Step::Decline => None,
        }
    }
}

/// The comment as it is kept: without spaces around it and without control
/// characters other than ends of lines.
fn comment(text: &str) -> Result<String, ReviewError> {
    let kept: String = text
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect();
    let kept = kept.trim();
    if kept.chars().count() > MAX_COMMENT {
        return Err(ReviewError::LongComment);
    }
    Ok(kept.to_owned())
}

/// What people said of an item.
pub fn of<'r>(reviews: &'r [ItemReview], item: &str) -> Option<&'r ItemReview> {
    reviews.iter().find(|review| review.item == item)
}

/// The score with the people's word in place of the machine's: what counts. Reasons and
/// evidence stay the machine's. Reviews of items that the score does not have change nothing.
pub fn apply(score: &Score, reviews: &[ItemReview]) -> Score {
    let mut counts = score.clone();
    let mut changed = false;
    for criterion in &mut counts.criteria {
        let mut touched = false;
        for item in &mut criterion.items {
            if let Some(review) = of(reviews, &item.key) {
                let verdict = review.verdict(item.verdict);
                touched |= verdict != item.verdict;
                item.verdict = verdict;
            }
        }
        if touched {
            (criterion.percent, criterion.auto_failed) = criterion_percent(&criterion.items);
            changed = true;
        }
    }
    if changed {
        counts.overall_percent = overall_percent(&counts.criteria);
    }
    counts
}

/// What lists show of a score with its reviews.
pub fn summary(score: &Score, reviews: &[ItemReview]) -> ScoreSummary {
    let counts = apply(score, reviews);
    let mut summary = counts.summary();
    summary.machine_percent = score.overall_percent;
    let items = |score: &Score| -> Vec<Verdict> {
        let items = score.criteria.iter().flat_map(|criterion| &criterion.items);
        items.map(|item| item.verdict).collect()
    };
    let pairs = items(score).into_iter().zip(items(&counts));
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    summary.changed = number(pairs.filter(|(machine, counts)| machine != counts).count());
    let reviewed = || {
        let items = score.criteria.iter().flat_map(|criterion| &criterion.items);
        items.filter_map(|item| of(reviews, &item.key))
    };
    summary.reviewed = number(reviewed().filter(|review| review.word().is_some()).count());
    // One about an item that is gone is open as well: somebody waits for an answer.
    let open = reviews
        .iter()
        .filter(|review| review.open_dispute().is_some());
    summary.disputes = number(open.count());
    summary
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
