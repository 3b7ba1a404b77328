//! Turns places in a transcript into evidence: exact quotes with their times.
//! Called by the rules.

use crate::domain::score::{Evidence, EvidenceKind};
use crate::domain::scorecard::Window;
use crate::domain::transcript::join_words;
use crate::domain::{Span, Speaker, Transcript, Turn};

use super::rules::Found;

/// A quote is widened to its sentence up to this many words.
const SENTENCE_WORDS: usize = 24;

/// The part of a call that a window is; `whole` is from its first word to its last.
pub(super) fn part_of(window: Window, whole: Span) -> Span {
    let (start_ms, end_ms) = match window {
        Window::Whole => (0, u64::MAX),
        Window::First { seconds } => (0, whole.start_ms + (seconds * 1000.0) as u64),
        Window::Last { seconds } => (
            whole.end_ms.saturating_sub((seconds * 1000.0) as u64),
            u64::MAX,
        ),
    };
    Span { start_ms, end_ms }
}

fn ends_sentence(word: &str) -> bool {
    word.ends_with(['.', '!', '?', '…'])
}

fn of_words(
    transcript: &Transcript,
    turn_index: usize,
    first: usize,
    last: usize,
    kind: EvidenceKind,
) -> Evidence {
    let turn = &transcript.turns[turn_index];
    let words = &turn.words[first..=last];
    Evidence {
        kind,
        turn_index: Some(turn_index),
        speaker: turn.speaker,
        quote: join_words(words),
        start_ms: words.first().map_or(0, |word| word.start_ms),
        end_ms: words.last().map_or(0, |word| word.end_ms),
    }
}

/// The sentence a match stands in, or the match alone when the sentence is long.
pub(super) fn quote(transcript: &Transcript, found: &Found, kind: EvidenceKind) -> Evidence {
    let words = &transcript.turns[found.turn].words;
    let (mut first, mut last) = (found.words.first_word, found.words.last_word);
    while first > 0 && !ends_sentence(&words[first - 1].text) {
        first -= 1;
    }
    while last + 1 < words.len() && !ends_sentence(&words[last].text) {
        last += 1;
    }
    if last - first >= SENTENCE_WORDS {
        first = found.words.first_word.saturating_sub(3);
        last = (found.words.last_word + 3).min(words.len() - 1);
    }
    of_words(transcript, found.turn, first, last, kind)
}

/// The place where something was expected and not said: the first or last turn
/// of the party in the window; for the whole call, its first answer to the other.
pub(super) fn expected_at(
    transcript: &Transcript,
    speaker: Option<Speaker>,
    window: Window,
) -> Option<Evidence> {
    let turns = &transcript.turns;
    let of_party = |turn: &Turn| speaker.is_none_or(|speaker| speaker == turn.speaker);
    let first = turns.iter().position(of_party);
    let index = match window {
        Window::First { .. } => first,
        Window::Last { .. } => turns.iter().rposition(of_party),
        Window::Whole => turns
            .iter()
            .enumerate()
            .position(|(index, turn)| index > 0 && of_party(turn) && !of_party(&turns[index - 1]))
            .or(first),
    }
    .or(if turns.is_empty() { None } else { Some(0) })?;
    let words = turns[index].words.len();
    let (from, to) = match window {
        Window::Last { .. } => (words.saturating_sub(SENTENCE_WORDS), words - 1),
        Window::First { .. } | Window::Whole => (0, (words - 1).min(SENTENCE_WORDS)),
    };
    Some(of_words(
        transcript,
        index,
        from,
        to,
        EvidenceKind::Expected,
    ))
}

/// A span of a metric, with what `speaker` (or anybody) says in it.
pub(super) fn at_moment(transcript: &Transcript, span: Span, speaker: Option<Speaker>) -> Evidence {
    let spoken = transcript
        .turns
        .iter()
        .enumerate()
        .find_map(|(index, turn)| {
            if speaker.is_some_and(|speaker| speaker != turn.speaker) {
                return None;
            }
            let inside = |start: u64, end: u64| start < span.end_ms && end > span.start_ms;
            let first = turn
                .words
                .iter()
                .position(|word| inside(word.start_ms, word.end_ms))?;
            let last = turn
                .words
                .iter()
                .rposition(|word| inside(word.start_ms, word.end_ms))?;
            let last = last.min(first + SENTENCE_WORDS);
            Some(of_words(
                transcript,
                index,
                first,
                last,
                EvidenceKind::Moment,
            ))
        });
    match spoken {
        Some(evidence) if speaker.is_some() => Evidence {
            start_ms: span.start_ms,
            end_ms: span.end_ms,
            ..evidence
        },
        _ => Evidence {
            kind: EvidenceKind::Moment,
            turn_index: None,
            speaker: Speaker::Unknown,
            quote: String::new(),
            start_ms: span.start_ms,
            end_ms: span.end_ms,
        },
    }
}

/// What was listened through without finding anything: the party's speech from
/// its first to its last word, quoted by its first words.
pub(super) fn sample_of(transcript: &Transcript, speaker: Option<Speaker>) -> Vec<Evidence> {
    let of_party = |turn: &Turn| speaker.is_none_or(|speaker| speaker == turn.speaker);
    let Some(first) = transcript.turns.iter().position(of_party) else {
        return Vec::new();
    };
    let end_ms = transcript
        .turns
        .iter()
        .filter(|turn| of_party(turn))
        .map(|turn| turn.span().end_ms)
        .max()
        .unwrap_or(0);
    let words = transcript.turns[first].words.len();
    let evidence = of_words(
        transcript,
        first,
        0,
        (words - 1).min(7),
        EvidenceKind::Checked,
    );
    vec![Evidence { end_ms, ..evidence }]
}
