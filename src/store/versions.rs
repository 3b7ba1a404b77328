//! Versions of transcripts: what a person corrects, and what a new recognition
//! replaces, is kept whole. The current version stands with the call's transcript,
//! the earlier ones here, compressed. Called by the pipeline and by the API.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use jiff::Timestamp;
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::calls::{get, put};
use super::record::{Record, decode, encode};
use super::{Store, StoreError, judging, schema};
use crate::domain::revise::TurnEdit;
use crate::domain::score::ModelState;
use crate::domain::transcript::{Author, Change, Version};
use crate::domain::{Call, CallId, Envelope, Job, JobState, Score, Transcript};

/// What is known of a version without its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptVersion {
    /// Its number, and who made it, when and how.
    pub version: Version,
    /// Name of the model that recognized it.
    pub model: String,
    /// ISO 639-1 code of the language it was recognized in.
    pub language: String,
    /// Whether operator and client are exchanged in it ([`Call::speakers_swapped`]).
    pub speakers_swapped: bool,
}

/// What a person does to a transcript.
#[derive(Debug)]
pub enum Revision {
    /// Corrects a turn.
    Edit(TurnEdit),
    /// Exchanges operator and client.
    Swap,
    /// Puts the version of this number back.
    Restore(u32),
}

impl Store {
    /// Changes the transcript of a call on which nobody works, and marks its score
    /// as stale. `seen` is the version the person looked at. Returns the number of
    /// the new version, or `None` when nothing changes.
    pub fn revise(
        &self,
        id: &CallId,
        seen: Option<u32>,
        revision: &Revision,
        author: &str,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let txn = self.write()?;
        let key = id.as_str();
        let mut call: Call = get(&txn, schema::CALLS, key)?.ok_or(StoreError::NotFound)?;
        let job: Job = get(&txn, schema::JOBS, key)?.ok_or(StoreError::NotFound)?;
        if !job.state.is_final() {
            return Err(StoreError::AtWork);
        }
        let swapped_before = call.speakers_swapped;
        let current: Option<Transcript> = get(&txn, schema::TRANSCRIPTS, key)?;
        let last = match &current {
            Some(transcript) => transcript.version.number,
            None => next_number(&txn, key)?.saturating_sub(1),
        };
        if let Some(seen) = seen
            && seen != last
        {
            return Err(StoreError::StaleVersion {
                seen,
                current: last,
            });
        }
        let (mut new, change) = match revision {
            Revision::Edit(edit) => {
                let mut new = current.clone().ok_or(StoreError::NotTranscribed)?;
                match new.edit(edit)? {
                    Some(change) => (new, change),
                    None => return Ok(None),
                }
            }
            Revision::Swap => {
                let mut new = current.clone().ok_or(StoreError::NotTranscribed)?;
                new.swap_speakers();
                call.speakers_swapped = !call.speakers_swapped;
                (new, Change::Swapped)
            }
            Revision::Restore(from) => {
                if job.state == JobState::NoSpeech {
                    return Err(StoreError::NotTranscribed);
                }
                if current.is_some() && *from == last {
                    return Ok(None);
                }
                let (kept, old) = read_kept(&txn, key, *from)?.ok_or(StoreError::NoSuchVersion)?;
                call.speakers_swapped = kept.speakers_swapped;
                (old, Change::Restored { from: *from })
            }
        };
        if let Some(current) = &current {
            keep(&txn, key, current, swapped_before)?;
        }
        new.version = Version {
            number: last + 1,
            author: Author::Person(author.to_owned()),
            made_at: Some(now),
            change,
        };
        put(&txn, schema::TRANSCRIPTS, key, &new)?;
        call.separation = Some(new.separation);
        mark_stale(&mut call);
        txn.put_call(&call)?;
        txn.commit()?;
        Ok(Some(new.version.number))
    }

    /// Writes the score of one version of the transcript; false when that is no
    /// longer the current one, or somebody works on the call.
    pub fn replace_score(
        &self,
        id: &CallId,
        version: u32,
        score: &Score,
    ) -> Result<bool, StoreError> {
        let txn = self.write()?;
        let key = id.as_str();
        let mut call: Call = get(&txn, schema::CALLS, key)?.ok_or(StoreError::NotFound)?;
        let job: Job = get(&txn, schema::JOBS, key)?.ok_or(StoreError::NotFound)?;
        let transcript: Option<Transcript> = get(&txn, schema::TRANSCRIPTS, key)?;
        let current = transcript.is_some_and(|transcript| transcript.version.number == version);
        if !current || !job.state.is_final() {
            return Ok(false);
        }
        let judged = |score: &Score| {
            let state = score.model.as_ref().map(|note| note.state);
            state.is_some_and(|state| state != ModelState::Waiting)
        };
        let card = |score: &Score| (score.scorecard_id.clone(), score.scorecard_version);
        if judged(score)
            && let Some(base) = get::<Score>(&txn, schema::SCORES, key)?
            && card(&base) != card(score)
        {
            // It was scored again by another scorecard while the model thought.
            return Ok(false);
        }
        judging::put_score(&txn, &mut call, score, Timestamp::now())?;
        super::insights::owe_version(&txn, key, version)?;
        txn.put_call(&call)?;
        txn.commit()?;
        Ok(true)
    }

    /// All versions of a call's transcript, the newest first; the first of them is
    /// the current one where the call has a transcript.
    pub fn versions(&self, id: &CallId) -> Result<Vec<KeptVersion>, StoreError> {
        let entry = self.entry(id)?.ok_or(StoreError::NotFound)?;
        let mut versions = Vec::new();
        if let Some(transcript) = self.transcript(id)? {
            versions.push(described(&transcript, entry.call.speakers_swapped));
        }
        let txn = self.read()?;
        let table = txn.open_table(schema::VERSIONS)?;
        for row in table
            .range((id.as_str(), 0)..=(id.as_str(), u32::MAX))?
            .rev()
        {
            versions.push(decode(row?.1.value())?);
        }
        Ok(versions)
    }

    /// The transcript as it was in one version, the current one included.
    pub fn version(&self, id: &CallId, number: u32) -> Result<Option<Transcript>, StoreError> {
        if let Some(current) = self.transcript(id)?
            && current.version.number == number
        {
            return Ok(Some(current));
        }
        let txn = self.read()?;
        let table = txn.open_table(schema::VERSION_TEXTS)?;
        table
            .get((id.as_str(), number))?
            .map(|bytes| inflate(bytes.value()))
            .transpose()
    }

    /// What scoring needs besides the transcript: loudness, and the length in milliseconds.
    pub fn scored_from(&self, id: &CallId) -> Result<(Envelope, u64), StoreError> {
        let entry = self.entry(id)?.ok_or(StoreError::NotFound)?;
        let envelope = self.envelope(id)?.unwrap_or_default();
        Ok((envelope, entry.call.duration_ms.unwrap_or(0)))
    }
}

/// Puts the current transcript aside, before a stage replaces it.
pub(super) fn set_aside(txn: &WriteTransaction, call: &Call) -> Result<(), StoreError> {
    let key = call.id.as_str();
    if let Some(current) = get::<Transcript>(txn, schema::TRANSCRIPTS, key)? {
        keep(txn, key, &current, call.speakers_swapped)?;
        txn.open_table(schema::TRANSCRIPTS)?.remove(key)?;
    }
    Ok(())
}

/// The number of the next version of a call without a current transcript.
pub(super) fn next_number(txn: &WriteTransaction, key: &str) -> Result<u32, StoreError> {
    let table = txn.open_table(schema::VERSIONS)?;
    let last = table.range((key, 0)..=(key, u32::MAX))?.next_back();
    Ok(match last.transpose()? {
        Some((row, _)) => row.value().1 + 1,
        None => 0,
    })
}

/// The score of a call no longer belongs to its transcript.
pub(super) fn mark_stale(call: &mut Call) {
    if let Some(score) = &mut call.score {
        score.stale = true;
    }
}

/// Removes all versions of a call.
pub(super) fn remove_all(txn: &WriteTransaction, key: &str) -> Result<(), StoreError> {
    for table in [schema::VERSIONS, schema::VERSION_TEXTS] {
        txn.open_table(table)?
            .retain_in((key, 0)..=(key, u32::MAX), |_, _| false)?;
    }
    Ok(())
}

fn described(transcript: &Transcript, speakers_swapped: bool) -> KeptVersion {
    KeptVersion {
        version: transcript.version.clone(),
        model: transcript.model.clone(),
        language: transcript.language.clone(),
        speakers_swapped,
    }
}

fn keep(
    txn: &WriteTransaction,
    key: &str,
    transcript: &Transcript,
    speakers_swapped: bool,
) -> Result<(), StoreError> {
    let row = (key, transcript.version.number);
    let kept = described(transcript, speakers_swapped);
    txn.open_table(schema::VERSIONS)?
        .insert(row, encode(&kept)?.as_slice())?;
    txn.open_table(schema::VERSION_TEXTS)?
        .insert(row, deflate(transcript)?.as_slice())?;
    Ok(())
}

fn read_kept(
    txn: &WriteTransaction,
    key: &str,
    number: u32,
) -> Result<Option<(KeptVersion, Transcript)>, StoreError> {
    let versions = txn.open_table(schema::VERSIONS)?;
    let texts = txn.open_table(schema::VERSION_TEXTS)?;
    let (kept, text) = (versions.get((key, number))?, texts.get((key, number))?);
    kept.zip(text)
        .map(|(kept, text)| Ok((decode(kept.value())?, inflate(text.value())?)))
        .transpose()
}

/// The record, compressed: words with their times shrink to a tenth.
fn deflate(transcript: &Transcript) -> Result<Vec<u8>, StoreError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(&encode(transcript)?)
        .and_then(|()| encoder.finish())
        .map_err(damaged)
}

fn inflate(bytes: &[u8]) -> Result<Transcript, StoreError> {
    let mut record = Vec::new();
    DeflateDecoder::new(bytes)
        .read_to_end(&mut record)
        .map_err(damaged)?;
    decode(&record)
}

fn damaged(error: std::io::Error) -> StoreError {
    StoreError::Record {
        name: Transcript::NAME,
        source: serde::de::Error::custom(error),
    }
}

#[cfg(test)]
#[path = "versions_tests.rs"]
mod tests;
