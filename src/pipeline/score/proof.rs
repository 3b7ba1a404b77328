//! Quotes for everything that is no score: answers, summaries, topics.

use crate::domain::Span;
use crate::domain::Transcript;
use crate::domain::question::Quote;
use crate::domain::score::EvidenceKind;

use super::evidence;
use super::phrases::Match;
use super::quotes::Quotes;
use super::rules::Found;

/// A transcript in which claims are looked up.
pub struct Proofs<'a> {
    transcript: &'a Transcript,
    quotes: Quotes<'a>,
}

impl<'a> Proofs<'a> {
    /// For one transcript.
    pub fn new(transcript: &'a Transcript) -> Self {
        Self {
            transcript,
            quotes: Quotes::new(transcript),
        }
    }

    /// What was really said where `text` is claimed to be said, in the turn `near` or the
    /// nearest to it; `None` where nobody said it.
    pub fn find(&self, near: usize, text: &str) -> Option<Quote> {
        let found = self.quotes.find(near, text)?;
        Some(quoted(self.transcript, &found))
    }
}

/// The sentence that these words of a turn stand in.
pub fn said(transcript: &Transcript, turn: usize, words: Match) -> Quote {
    let spoken = &transcript.turns[turn].words;
    let found = Found {
        turn,
        words,
        span: Span {
            start_ms: spoken[words.first_word].start_ms,
            end_ms: spoken[words.last_word].end_ms,
        },
    };
    quoted(transcript, &found)
}

fn quoted(transcript: &Transcript, found: &Found) -> Quote {
    let evidence = evidence::quote(transcript, found, EvidenceKind::Quote);
    Quote {
        turn_index: found.turn,
        speaker: evidence.speaker,
        text: evidence.quote,
        start_ms: evidence.start_ms,
        end_ms: evidence.end_ms,
    }
}
