//! Scorecards: versions, which none changes, the one in force, and drafts of the next.

use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::calls::{get, put};
use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::Scorecard;
use crate::domain::card_document::CardDocument;
use crate::domain::card_version::{CardDraft, CardKey, CardNote, CardOrigin};

/// (scorecard id, version) → what is known of the version besides the scorecard.
pub(super) const NOTES: TableDefinition<'static, (&'static str, u32), &'static [u8]> =
    TableDefinition::new("scorecard_notes");
/// Draft's id → draft.
pub(super) const DRAFTS: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("scorecard_drafts");
/// (Unix µs, id of the scorecard) → what was put in force then.
pub(super) const IN_FORCE: TableDefinition<'static, (i64, &'static str), &'static [u8]> =
    TableDefinition::new("scorecards_in_force");

/// Key in the table of small values: what the last start was given.
const GIVEN: &str = "scorecard_given";

/// A version that came into force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enforced {
    /// Which.
    pub key: CardKey,
    /// When.
    pub at: Timestamp,
    /// The account, where it was a person.
    pub by: Option<String>,
}

/// A version with what is known of it.
#[derive(Debug, Clone)]
pub struct CardVersion {
    /// Which.
    pub key: CardKey,
    /// Its name.
    pub name: String,
    /// What is known of it; versions of the first programs have no note.
    pub note: Option<CardNote>,
}

impl Store {
    /// The scorecard in force after a start that was given `card` (version 0). What
    /// people chose stays, unless the configuration's file has changed.
    pub fn adopt_scorecard(
        &self,
        card: Scorecard,
        text: &str,
        origin: CardOrigin,
        now: Timestamp,
    ) -> Result<Scorecard, StoreError> {
        let txn = self.write()?;
        let note = CardNote {
            text: text.to_owned(),
            created_at: now,
            origin,
            author: None,
            comment: String::new(),
        };
        let given = key_of(&keep(&txn, card, &note)?);
        let before: Option<CardKey> = get(&txn, schema::META, GIVEN)?;
        let enforced = newest(&txn)?.map(|enforced| enforced.key);
        let takes_over = match (&before, &enforced) {
            (_, None) => true,
            // A store of a program that had no choice.
            (None, Some(_)) => true,
            (Some(before), Some(enforced)) => {
                *before != given && (origin == CardOrigin::File || before == enforced)
            }
        };
        if takes_over && enforced.as_ref() != Some(&given) {
            enforce(&txn, &given, None, now)?;
        }
        put(&txn, schema::META, GIVEN, &given)?;
        let key = newest(&txn)?.map_or(given, |enforced| enforced.key);
        let card = card_of(&txn, &key)?.ok_or(StoreError::NotFound)?;
        txn.commit()?;
        Ok(card)
    }

    /// Keeps a scorecard under the next free version, unless one of its versions says
    /// the same; returns it with its version.
    pub fn keep_scorecard(
        &self,
        card: Scorecard,
        note: &CardNote,
    ) -> Result<Scorecard, StoreError> {
        let txn = self.write()?;
        let card = keep(&txn, card, note)?;
        txn.commit()?;
        Ok(card)
    }

    /// Puts a version in force.
    ///
    /// # Errors
    /// [`StoreError::NoSuchCard`].
    pub fn enforce_scorecard(
        &self,
        key: &CardKey,
        by: &str,
        now: Timestamp,
    ) -> Result<Scorecard, StoreError> {
        let txn = self.write()?;
        let card = card_of(&txn, key)?.ok_or(StoreError::NoSuchCard)?;
        enforce(&txn, key, Some(by), now)?;
        txn.commit()?;
        Ok(card)
    }

    /// One version.
    pub fn scorecard(&self, key: &CardKey) -> Result<Option<Scorecard>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(schema::SCORECARDS)?;
        table
            .get((key.id.as_str(), key.version))?
            .map(|value| decode(value.value()))
            .transpose()
    }

    /// The file of one version, as it was written.
    pub fn scorecard_text(&self, key: &CardKey) -> Result<Option<String>, StoreError> {
        let note: Option<CardNote> = {
            let txn = self.read()?;
            let table = txn.open_table(NOTES)?;
            table
                .get((key.id.as_str(), key.version))?
                .map(|value| decode(value.value()))
                .transpose()?
        };
        if let Some(note) = note {
            return Ok(Some(note.text));
        }
        let card = self.scorecard(key)?;
        Ok(card.map(|card| CardDocument::from(&card).to_toml()))
    }

    /// All versions of all scorecards, the newest of each first.
    pub fn scorecard_versions(&self) -> Result<Vec<CardVersion>, StoreError> {
        let txn = self.read()?;
        let notes = txn.open_table(NOTES)?;
        let mut versions = Vec::new();
        for row in txn.open_table(schema::SCORECARDS)?.iter()?.rev() {
            let card: Scorecard = decode(row?.1.value())?;
            let note = notes.get((card.id.as_str(), card.version))?;
            versions.push(CardVersion {
                key: key_of(&card),
                name: card.name,
                note: note.map(|note| decode(note.value())).transpose()?,
            });
        }
        Ok(versions)
    }

    /// What was in force and since when, the latest first.
    pub fn enforced(&self) -> Result<Vec<Enforced>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(IN_FORCE)?;
        table
            .iter()?
            .rev()
            .map(|row| decode(row?.1.value()))
            .collect()
    }

    /// All drafts, the one saved last first.
    pub fn card_drafts(&self) -> Result<Vec<CardDraft>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(DRAFTS)?;
        let mut drafts: Vec<CardDraft> = table
            .iter()?
            .map(|row| decode(row?.1.value()))
            .collect::<Result<_, _>>()?;
        drafts.sort_by_key(|draft| std::cmp::Reverse(draft.saved_at));
        Ok(drafts)
    }

    /// One draft.
    pub fn card_draft(&self, id: &str) -> Result<Option<CardDraft>, StoreError> {
        self.read_one(DRAFTS, id)
    }

    /// Saves a draft; `draft.revision` is the one the person has seen, 0 for a new draft.
    ///
    /// # Errors
    /// [`StoreError::StaleDraft`] where somebody saved another meanwhile, and
    /// [`StoreError::NoSuchDraft`] where it is gone.
    pub fn save_card_draft(&self, mut draft: CardDraft) -> Result<CardDraft, StoreError> {
        let txn = self.write()?;
        let known: Option<CardDraft> = get(&txn, DRAFTS, &draft.id)?;
        match known {
            None if draft.revision > 0 => return Err(StoreError::NoSuchDraft),
            Some(known) if known.revision != draft.revision => {
                return Err(StoreError::StaleDraft);
            }
            _ => draft.revision += 1,
        }
        put(&txn, DRAFTS, &draft.id, &draft)?;
        txn.commit()?;
        Ok(draft)
    }

    /// Throws a draft away.
    ///
    /// # Errors
    /// [`StoreError::NoSuchDraft`].
    pub fn remove_card_draft(&self, id: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        let known = txn.open_table(DRAFTS)?.remove(id)?.is_some();
        txn.commit()?;
        known.then_some(()).ok_or(StoreError::NoSuchDraft)
    }
}

fn key_of(card: &Scorecard) -> CardKey {
    CardKey {
        id: card.id.clone(),
        version: card.version,
    }
}

fn card_of(txn: &WriteTransaction, key: &CardKey) -> Result<Option<Scorecard>, StoreError> {
    let table = txn.open_table(schema::SCORECARDS)?;
    table
        .get((key.id.as_str(), key.version))?
        .map(|value| decode(value.value()))
        .transpose()
}

fn keep(
    txn: &WriteTransaction,
    mut card: Scorecard,
    note: &CardNote,
) -> Result<Scorecard, StoreError> {
    let mut table = txn.open_table(schema::SCORECARDS)?;
    let mut last = 0;
    for row in table
        .range((card.id.as_str(), 0)..=(card.id.as_str(), u32::MAX))?
        .rev()
    {
        let known: Scorecard = decode(row?.1.value())?;
        card.version = known.version;
        last = last.max(known.version);
        if known == card {
            return Ok(card);
        }
    }
    card.version = last + 1;
    let key = (card.id.as_str(), card.version);
    table.insert(key, encode(&card)?.as_slice())?;
    txn.open_table(NOTES)?
        .insert(key, encode(note)?.as_slice())?;
    Ok(card)
}

fn newest(txn: &WriteTransaction) -> Result<Option<Enforced>, StoreError> {
    let table = txn.open_table(IN_FORCE)?;
    let last = table.iter()?.next_back().transpose()?;
    last.map(|(_, value)| decode(value.value())).transpose()
}

fn enforce(
    txn: &WriteTransaction,
    key: &CardKey,
    by: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    // A clock that goes back must not put an older version in force.
    let at = newest(txn)?.map_or(now, |last| {
        now.max(last.at + jiff::SignedDuration::from_micros(1))
    });
    let enforced = Enforced {
        key: key.clone(),
        at,
        by: by.map(str::to_owned),
    };
    txn.open_table(IN_FORCE)?.insert(
        (at.as_microsecond(), key.id.as_str()),
        encode(&enforced)?.as_slice(),
    )?;
    Ok(())
}

#[cfg(test)]
#[path = "scorecards_tests.rs"]
mod tests;
