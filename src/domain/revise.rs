//! A person's corrections of a transcript: the words of one turn are replaced,
//! and times and speech follow. Called by the store inside the transaction that
//! keeps the version before.

use super::transcript::{Change, PartySpeech, join_words};
use super::{Separation, Span, Speaker, Transcript, Turn, Word};

/// Longest text of a turn in characters.
pub const MAX_TURN_CHARS: usize = 100_000;
/// Most parts that one turn is divided into.
pub const MAX_PARTS: usize = 50;
/// Largest table of the word alignment; beyond it all words between the first
/// and the last difference count as new.
const MAX_CELLS: usize = 4_000_000;
/// Characters of a text kept in the description of a change.
const SHORT_CHARS: usize = 160;

/// What shall stand in place of one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnEdit {
    /// Index of the turn.
    pub turn: usize,
    /// The new contents.
    pub to: NewTurn,
}

/// The new contents of a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum NewTurn {
    /// Another text, another speaker, or both; what is `None` stays. Without any
    /// word in the text the turn is removed.
    Changed {
        /// The text.
        text: Option<String>,
        /// The speaker.
        speaker: Option<Speaker>,
    },
    /// The turn divided: each part with its speaker and text, in order.
    Divided(Vec<(Speaker, String)>),
}

/// Why a correction is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The transcript has fewer turns.
    #[error("There is no turn {0} in this version of the transcript.")]
    NoSuchTurn(usize),
    /// The text is too long.
    #[error("The text is too long: a turn has at most {MAX_TURN_CHARS} characters.")]
    TooLong,
    /// The turn is divided into nothing or into too many parts.
    #[error("A turn is divided into 1 to {MAX_PARTS} parts.")]
    Parts,
    /// The speakers of the call are told apart, and stay so.
    #[error("A speaker is the operator or the client.")]
    Speaker,
}

impl Transcript {
    /// Makes the correction; `None` when it changes nothing.
    pub fn edit(&mut self, edit: &TurnEdit) -> Result<Option<Change>, EditError> {
        let turn = self
            .turns
            .get(edit.turn)
            .ok_or(EditError::NoSuchTurn(edit.turn))?
            .clone();
        let parts = parts(&turn, &edit.to)?;
        let unknown_allowed = self.separation == Separation::Unseparated;
        if parts
            .iter()
            .any(|(speaker, _)| *speaker == Speaker::Unknown && !unknown_allowed)
        {
            return Err(EditError::Speaker);
        }
        let new = aligned(&turn, &parts);
        if new == [turn.clone()] {
            return Ok(None);
        }
        let after: Vec<Word> = new.iter().flat_map(|turn| turn.words.clone()).collect();
        let change = Change::Edited {
            start_ms: turn.span().start_ms,
            before: shortened(&turn.text()),
            after: shortened(&join_words(&after)),
            speaker: new.iter().any(|part| part.speaker != turn.speaker),
        };
        // Where each has a channel, the speech was measured there and stays.
        if self.separation != Separation::Channels {
            for part in new.iter().filter(|part| part.speaker != turn.speaker) {
                move_speech(&mut self.speech, part.span(), turn.speaker, part.speaker);
            }
        }
        self.turns.splice(edit.turn..=edit.turn, new);
        self.turns = merged(std::mem::take(&mut self.turns));
        if self.separation == Separation::Unseparated
            && self
                .turns
                .iter()
                .all(|turn| turn.speaker != Speaker::Unknown)
        {
            // A person has told all voices apart.
            self.separation = Separation::Diarized;
            self.operator_confidence = Some(1.0);
            self.speech
                .retain(|party| party.speaker != Speaker::Unknown);
        }
        Ok(Some(change))
    }
}

/// Speakers and words of what shall stand in the turn's place.
fn parts(turn: &Turn, to: &NewTurn) -> Result<Vec<(Speaker, Vec<String>)>, EditError> {
    let words = |text: &str| {
        if text.chars().count() > MAX_TURN_CHARS {
            return Err(EditError::TooLong);
        }
        Ok(text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>())
    };
    let parts = match to {
        NewTurn::Changed { text, speaker } => {
            let words = match text {
                Some(text) => words(text)?,
                None => turn.words.iter().map(|word| word.text.clone()).collect(),
            };
            vec![(speaker.unwrap_or(turn.speaker), words)]
        }
        NewTurn::Divided(parts) if (1..=MAX_PARTS).contains(&parts.len()) => parts
            .iter()
            .map(|(speaker, text)| Ok((*speaker, words(text)?)))
            .collect::<Result<_, EditError>>()?,
        NewTurn::Divided(_) => return Err(EditError::Parts),
    };
    Ok(parts)
}

/// The parts with times: a word that was there before keeps its own.
fn aligned(turn: &Turn, parts: &[(Speaker, Vec<String>)]) -> Vec<Turn> {
    let texts: Vec<&str> = parts
        .iter()
        .flat_map(|(_, words)| words.iter().map(String::as_str))
        .collect();
    let mut words = retimed(&turn.words, &texts).into_iter();
    parts
        .iter()
        .map(|(speaker, texts)| Turn {
            speaker: *speaker,
            words: words.by_ref().take(texts.len()).collect(),
        })
        .filter(|turn| !turn.words.is_empty())
        .collect()
}

/// The new texts with times. A word with the same letters keeps the times of the
/// old one, and its confidence where nothing at all differs; new words share the
/// time of those they replace, or of the pause they stand in, by their length.
fn retimed(old: &[Word], new: &[&str]) -> Vec<Word> {
    let pairs = pairs(old, new);
    let mut words = Vec::with_capacity(new.len());
    let (mut old_at, mut new_at) = (0, 0);
    let end = (old.len(), new.len());
    for (old_next, new_next) in pairs.into_iter().chain([end]) {
        let inserted = new.get(new_at..new_next).unwrap_or_default();
        let replaced = old.get(old_at..old_next).unwrap_or_default();
        words.extend(spread(inserted, gap(old, old_at, old_next, replaced)));
        if let (Some(kept), Some(text)) = (old.get(old_next), new.get(new_next)) {
            words.push(kept_word(kept, text));
        }
        (old_at, new_at) = (old_next + 1, new_next + 1);
    }
    words
}

fn kept_word(old: &Word, text: &str) -> Word {
    if old.text == text {
        return old.clone();
    }
    Word {
        text: text.to_owned(),
        confidence: 1.0,
        corrected: true,
        ..*old
    }
}

/// The time that new words between two kept ones have.
fn gap(old: &[Word], from: usize, to: usize, replaced: &[Word]) -> Span {
    if let (Some(first), Some(last)) = (replaced.first(), replaced.last()) {
        return Span {
            start_ms: first.start_ms,
            end_ms: last.end_ms.max(first.start_ms),
        };
    }
    let before = from.checked_sub(1).and_then(|index| old.get(index));
    let after = old.get(to);
    let start_ms = before
        .map(|word| word.end_ms)
        .or_else(|| after.map(|word| word.start_ms))
        .unwrap_or(0);
    Span {
        start_ms,
        end_ms: after.map_or(start_ms, |word| word.start_ms).max(start_ms),
    }
}

fn spread(texts: &[&str], gap: Span) -> Vec<Word> {
    let weight = |text: &str| text.chars().count() as u64;
    let total: u64 = texts.iter().map(|text| weight(text)).sum::<u64>().max(1);
    let mut done = 0;
    texts
        .iter()
        .map(|text| {
            let start_ms = gap.start_ms + gap.length_ms() * done / total;
            done += weight(text);
            Word {
                start_ms,
                end_ms: gap.start_ms + gap.length_ms() * done / total,
                text: (*text).to_owned(),
                confidence: 1.0,
                corrected: true,
            }
        })
        .collect()
}

/// Letters and digits of a word, by which words are held to be the same.
fn letters(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    if plain.is_empty() {
        text.to_owned()
    } else {
        plain
    }
}

/// Indices of words that are the same in both, ascending: a longest common subsequence.
fn pairs(old: &[Word], new: &[&str]) -> Vec<(usize, usize)> {
    let old: Vec<String> = old.iter().map(|word| letters(&word.text)).collect();
    let new: Vec<String> = new.iter().map(|text| letters(text)).collect();
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let old_rest = &old_rest[..old_rest.len() - tail];
    let new_rest = &new_rest[..new_rest.len() - tail];
    let mut pairs: Vec<(usize, usize)> = (0..head).map(|index| (index, index)).collect();
    pairs.extend(
        common(old_rest, new_rest)
            .into_iter()
            .map(|(a, b)| (a + head, b + head)),
    );
    pairs.extend(
        (0..tail)
            .rev()
            .map(|back| (old.len() - 1 - back, new.len() - 1 - back)),
    );
    pairs
}

fn common(old: &[String], new: &[String]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > MAX_CELLS {
        return Vec::new();
    }
    // longest[a * width + b] is the length for old[a..] and new[b..].
    let mut longest = vec![0u32; (old.len() + 1) * width];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            longest[a * width + b] = if old[a] == new[b] {
                longest[(a + 1) * width + b + 1] + 1
            } else {
                longest[(a + 1) * width + b].max(longest[a * width + b + 1])
            };
        }
    }
    let (mut a, mut b, mut found) = (0, 0, Vec::new());
    while a < old.len() && b < new.len() {
        if old[a] == new[b] {
            found.push((a, b));
            (a, b) = (a + 1, b + 1);
        } else if longest[(a + 1) * width + b] >= longest[a * width + b + 1] {
            a += 1;
        } else {
            b += 1;
        }
    }
    found
}

/// Gives the speech of one party within `span` to another.
fn move_speech(speech: &mut Vec<PartySpeech>, span: Span, from: Speaker, to: Speaker) {
    let Some(giver) = speech.iter_mut().find(|party| party.speaker == from) else {
        return;
    };
    let channel = giver.channel;
    let mut moved = Vec::new();
    let mut left = Vec::new();
    for own in std::mem::take(&mut giver.spans) {
        let inner = Span {
            start_ms: own.start_ms.max(span.start_ms),
            end_ms: own.end_ms.min(span.end_ms),
        };
        if inner.start_ms >= inner.end_ms {
            left.push(own);
            continue;
        }
        moved.push(inner);
        let before = Span {
            end_ms: inner.start_ms,
            ..own
        };
        let after = Span {
            start_ms: inner.end_ms,
            ..own
        };
        left.extend(
            [before, after]
                .into_iter()
                .filter(|span| span.length_ms() > 0),
        );
    }
    giver.spans = left;
    match speech.iter_mut().find(|party| party.speaker == to) {
        Some(taker) => {
            taker.spans.extend(moved);
            taker.spans = united(std::mem::take(&mut taker.spans));
        }
        None => speech.push(PartySpeech {
            speaker: to,
            channel,
            spans: moved,
        }),
    }
}

/// Ordered spans that do not overlap.
fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.start_ms);
    let mut united: Vec<Span> = Vec::new();
    for span in spans {
        match united.last_mut() {
            Some(last) if span.start_ms <= last.end_ms => {
                last.end_ms = last.end_ms.max(span.end_ms)
            }
            _ => united.push(span),
        }
    }
    united
}

/// Consecutive turns of one speaker as one.
pub fn merged(turns: Vec<Turn>) -> Vec<Turn> {
    let mut merged: Vec<Turn> = Vec::new();
    for turn in turns {
        match merged.last_mut() {
            Some(last) if last.speaker == turn.speaker => last.words.extend(turn.words),
            _ => merged.push(turn),
        }
    }
    merged
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHORT_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
#[path = "revise_tests.rs"]
mod tests;
