//! The diarize stage: gives words to speakers, builds turns, and finds out
//! which party is the operator ([`super::roles`]). Pure but for the voices, which
//! the speech worker finds. Called by the runner and by `analyze`.

use crate::config::OperatorChannel;
use crate::domain::revise::merged;
use crate::domain::score::one_decimal;
use crate::domain::transcript::{
    ChannelRecognition, PartySpeech, Recognition, Transcript, Version,
};
use crate::domain::{Separation, Span, Speaker, Turn, Word};
use crate::speech::protocol::Voice;

use super::roles::{self, Known};
use super::score::Rules;

/// A pause longer than this ends a turn's piece, so that the other party's words can come between.
const PIECE_PAUSE_MS: u64 = 700;
/// A word is covered speech up to this far from its bounds.
const COVER_MARGIN_MS: u64 = 600;

/// What the words of one party are, before it is known who the party is.
struct Party {
    channel: u16,
    spans: Vec<Span>,
    words: Vec<Word>,
}

/// Builds the transcript. `voices` are those of a one-channel recording; empty
/// when they could not be told apart.
pub(super) fn transcript(
    recognition: &Recognition,
    voices: &[Voice],
    rules: &Rules,
    known: Known,
) -> Transcript {
    let (separation, parties) = match recognition.channels.as_slice() {
        [only] => match by_voice(only, voices) {
            Some(parties) => (Separation::Diarized, parties),
            None => (Separation::Unseparated, vec![whole(only)]),
        },
        channels => (
            Separation::Channels,
            channels
                .iter()
                .enumerate()
                .map(|(index, channel)| Party {
                    channel: index as u16,
                    ..whole(channel)
                })
                .collect(),
        ),
    };
    let words: Vec<&[Word]> = parties.iter().map(|party| party.words.as_slice()).collect();
    let operator = match separation {
        Separation::Unseparated => None,
        Separation::Channels => Some(roles::find_operator(&words, rules, known)),
        Separation::Diarized => {
            // The voices share one channel, so the map of channels says nothing.
            let known = Known {
                operator_channel: OperatorChannel::Auto,
                ..known
            };
            Some(roles::find_operator(&words, rules, known))
        }
    };
    let speaker = |party: usize| match &operator {
        None => Speaker::Unknown,
        Some(operator) if operator.is(party) => Speaker::Operator,
        Some(_) => Speaker::Client,
    };
    let mut pieces: Vec<Turn> = parties
        .iter()
        .enumerate()
        .flat_map(|(index, party)| pieces(speaker(index), &party.words))
        .collect();
    pieces.sort_by_key(|piece| piece.span().start_ms);
    Transcript {
        language: recognition.language.clone(),
        model: recognition.model.clone(),
        separation,
        turns: merged(pieces),
        coverage_percent: coverage(recognition),
        doubtful: doubtful(recognition),
        operator_confidence: operator.as_ref().map(|operator| operator.confidence),
        version: Version::default(),
        voices: parties.len() as u8,
        speech: speech(
            parties
                .into_iter()
                .enumerate()
                .map(|(index, party)| (speaker(index), party)),
        ),
    }
}

/// Where each side speaks; a side of two voices is one.
fn speech(parties: impl Iterator<Item = (Speaker, Party)>) -> Vec<PartySpeech> {
    let mut sides: Vec<PartySpeech> = Vec::new();
    for (speaker, party) in parties {
        match sides.iter_mut().find(|side| side.speaker == speaker) {
            None => sides.push(PartySpeech {
                speaker,
                channel: party.channel,
                spans: party.spans,
            }),
            Some(side) => {
                side.spans.extend(party.spans);
                side.spans.sort_by_key(|span| span.start_ms);
                side.spans.dedup_by(|next, span| {
                    let joined = next.start_ms <= span.end_ms;
                    if joined {
                        span.end_ms = span.end_ms.max(next.end_ms);
                    }
                    joined
                });
            }
        }
    }
    sides
}

fn whole(channel: &ChannelRecognition) -> Party {
    Party {
        channel: 0,
        spans: channel.speech.clone(),
        words: channel
            .segments
            .iter()
            .flat_map(|segment| segment.words.iter().cloned())
            .collect(),
    }
}

/// The parties of one channel that have words, or `None` without two of them.
fn by_voice(channel: &ChannelRecognition, voices: &[Voice]) -> Option<Vec<Party>> {
    let count = voices.iter().map(|voice| voice.voice + 1).max()?;
    let mut parties: Vec<Party> = (0..count)
        .map(|voice| Party {
            channel: 0,
            spans: voices
                .iter()
                .filter(|other| other.voice == voice)
                .map(|other| other.span)
                .collect(),
            words: Vec::new(),
        })
        .collect();
    for segment in &channel.segments {
        for word in &segment.words {
            let span = Span {
                start_ms: word.start_ms,
                end_ms: word.end_ms.max(word.start_ms + 1),
            };
            parties[nearest(span, voices)?].words.push(word.clone());
        }
    }
    parties.retain(|party| !party.words.is_empty());
    (parties.len() > 1).then_some(parties)
}

/// The voice that shares most time with the word, else the one closest to it.
fn nearest(word: Span, voices: &[Voice]) -> Option<usize> {
    let shared = |voice: &Voice| {
        let same = voices.iter().filter(|other| other.voice == voice.voice);
        same.map(|other| other.span.overlap_ms(word)).sum::<u64>()
    };
    let near = voices
        .iter()
        .map(|voice| (shared(voice), voice.voice))
        .filter(|(shared, _)| *shared > 0);
    // Where two share as much, who begins first.
    if let Some((most, voice)) = near.clone().rev().max_by_key(|(shared, _)| *shared)
        && near
            .filter(|(shared, other)| *shared == most && *other != voice)
            .count()
            == 0
    {
        return Some(voice);
    }
    voices
        .iter()
        .min_by_key(|voice| {
            let after = word.start_ms.saturating_sub(voice.span.end_ms);
            let before = voice.span.start_ms.saturating_sub(word.end_ms);
            after.max(before)
        })
        .map(|voice| voice.voice)
}

/// Words divided at pauses.
fn pieces(speaker: Speaker, words: &[Word]) -> Vec<Turn> {
    let mut pieces: Vec<Turn> = Vec::new();
    for word in words {
        match pieces.last_mut() {
            Some(piece) if word.start_ms <= piece.span().end_ms + PIECE_PAUSE_MS => {
                piece.words.push(word.clone());
            }
            _ => pieces.push(Turn {
                speaker,
                words: vec![word.clone()],
            }),
        }
    }
    pieces
}

/// Where text may be missing in any channel, ordered by start.
fn doubtful(recognition: &Recognition) -> Vec<Span> {
    let mut spans: Vec<Span> = recognition
        .channels
        .iter()
        .flat_map(|channel| channel.doubtful.iter().copied())
        .collect();
    spans.sort_by_key(|span| (span.start_ms, span.end_ms));
    spans
}

/// Share of the speech time that lies near a word, 0–100.
fn coverage(recognition: &Recognition) -> Option<f64> {
    let (mut speech_ms, mut covered_ms) = (0u64, 0u64);
    for channel in &recognition.channels {
        let near: Vec<Span> = channel
            .segments
            .iter()
            .flat_map(|segment| &segment.words)
            .map(|word| Span {
                start_ms: word.start_ms.saturating_sub(COVER_MARGIN_MS),
                end_ms: word.end_ms + COVER_MARGIN_MS,
            })
            .collect();
        for span in &channel.speech {
            speech_ms += span.length_ms();
            let mut at = span.start_ms;
            for word in &near {
                let from = word.start_ms.max(at);
                let to = word.end_ms.min(span.end_ms);
                if to > from {
                    covered_ms += to - from;
                    at = to;
                }
            }
        }
    }
    (speech_ms > 0).then(|| one_decimal(covered_ms as f64 / speech_ms as f64 * 100.0))
}

#[cfg(test)]
#[path = "diarize_tests.rs"]
mod tests;
