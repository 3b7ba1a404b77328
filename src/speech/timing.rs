//! From times in a window to times in the recording, and which speech no word
//! accounts for. Called by recognition.

use super::recognizer::{WindowSegment, WindowWord};
use super::windows::{MAX_GAP_MS, Window};
use crate::domain::Span;
use crate::domain::transcript::{Segment, Word};

/// Pauses longer than this divide a segment.
const SEGMENT_PAUSE_MS: u64 = 1_000;
/// Share of a sentence's time that may reach over a join by mistake.
const EDGE: f64 = 0.4;
/// As much of a sentence may reach over a join by mistake, however short it is.
const TIMING_ERROR_MS: u64 = 150;
/// Time a word needs at most: so much and so much for each letter.
const WORD_MS: u64 = 350;
const LETTER_MS: u64 = 90;
/// Speech without a word for at least this long is looked at again …
const SHORTEST_GAP_MS: u64 = 700;
/// … and so is a whole region without any, a short «да», from this length on.
const SHORTEST_REGION_MS: u64 = 380;

/// Words with times of the recording instead of the window's; `speech`: the
/// regions with speech, `margin_ms`: what was added to them on both sides.
pub(super) fn to_source(
    segment: &WindowSegment,
    window: &Window,
    speech: &[Span],
    margin_ms: u64,
) -> Vec<Word> {
    let mut words = segment.words.clone();
    let joins: Vec<u64> = window.joins().collect();
    for sentence in words.split_inclusive_mut(|word| word.text.ends_with(['.', '!', '?', '…'])) {
        for join in &joins {
            keep_together(sentence, *join);
        }
    }
    words
        .into_iter()
        .map(|word| {
            let span = within_speech(
                window.to_source(word.start_ms, word.end_ms),
                &word.text,
                speech,
                margin_ms,
            );
            Word {
                start_ms: span.start_ms,
                end_ms: span.end_ms,
                text: word.text,
                confidence: word.confidence,
                corrected: false,
            }
        })
        .collect()
}

/// Words as segments, divided at long pauses.
pub(super) fn segments(mut words: Vec<Word>) -> Vec<Segment> {
    words.sort_by_key(|word| word.start_ms);
    let mut segments: Vec<Segment> = Vec::new();
    for word in words {
        match segments.last_mut() {
            Some(last) if word.start_ms <= last.span().end_ms + SEGMENT_PAUSE_MS => {
                last.words.push(word);
            }
            _ => segments.push(Segment { words: vec![word] }),
        }
    }
    segments
}

/// A word is not in the silence beside it, and not longer than it can be: it
/// ends where the next one begins only if nobody pauses.
fn within_speech(mut span: Span, text: &str, speech: &[Span], margin_ms: u64) -> Span {
    let longest = WORD_MS + LETTER_MS * text.chars().count() as u64;
    let middle = u64::midpoint(span.start_ms, span.end_ms);
    let nearest = speech.iter().min_by_key(|region| {
        let before = region.start_ms.saturating_sub(middle);
        let after = middle.saturating_sub(region.end_ms);
        (
            before.max(after),
            std::cmp::Reverse(region.overlap_ms(span)),
        )
    });
    if let Some(region) = nearest {
        let inner = margin_ms.min(region.length_ms() / 4);
        let (first, last) = (region.start_ms + inner, region.end_ms - inner);
        if span.start_ms < first {
            span.start_ms = first.min(span.end_ms.max(region.start_ms));
        }
        if span.end_ms > last {
            span.end_ms = last.max(span.start_ms);
        }
    }
    span.end_ms = span.end_ms.min(span.start_ms + longest).max(span.start_ms);
    span
}

/// Speech that no word accounts for.
pub(super) fn uncovered(speech: &[Span], words: &[Word]) -> Vec<Span> {
    let mut gaps = Vec::new();
    for region in speech {
        let mut from = region.start_ms;
        let mut silent = true;
        let mut found = Vec::new();
        for word in words {
            if word.end_ms <= region.start_ms || word.start_ms >= region.end_ms {
                continue;
            }
            silent = false;
            found.push((from, word.start_ms));
            from = from.max(word.end_ms);
        }
        found.push((from, region.end_ms));
        let shortest = if silent {
            SHORTEST_REGION_MS
        } else {
            SHORTEST_GAP_MS
        };
        gaps.extend(found.into_iter().filter_map(|(start_ms, end_ms)| {
            let gap = Span { start_ms, end_ms };
            (gap.length_ms() >= shortest).then_some(gap)
        }));
    }
    gaps
}

/// Those of them that are worth a flag when they stay without words: a breath is not.
pub(super) fn worth_a_flag(mut gaps: Vec<Span>) -> Vec<Span> {
    gaps.retain(|gap| gap.length_ms() >= SHORTEST_GAP_MS);
    gaps
}

/// The recognizer's times are some tenths of a second off, mostly early, so a
/// sentence seems to begin in the silence before it or even before that silence.
/// One that reaches only a little over a join is moved to its side; one with
/// speech on both sides is divided there.
fn keep_together(sentence: &mut [WindowWord], join: u64) {
    let (Some(first), Some(last)) = (sentence.first(), sentence.last()) else {
        return;
    };
    let (start, end) = (first.start_ms, last.end_ms);
    if join <= start || join >= end {
        return;
    }
    let before = (join - MAX_GAP_MS / 2).saturating_sub(start);
    let after = end.saturating_sub(join + MAX_GAP_MS / 2);
    let edge = ((before + after) as f64 * EDGE) as u64;
    let side = if before <= edge.max(TIMING_ERROR_MS) {
        Some(false)
    } else if after <= edge.max(TIMING_ERROR_MS) {
        Some(true)
    } else {
        None
    };
    for word in sentence {
        let middle = u64::midpoint(word.start_ms, word.end_ms);
        if side.unwrap_or(middle < join) {
            word.end_ms = word.end_ms.min(join - 1);
            word.start_ms = word.start_ms.min(word.end_ms);
        } else {
            word.start_ms = word.start_ms.max(join);
            word.end_ms = word.end_ms.max(word.start_ms + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::windows::pack;

    fn span(start_ms: u64, end_ms: u64) -> Span {
        Span { start_ms, end_ms }
    }

    #[test]
    fn a_sentence_is_not_torn_by_a_join() {
        let word = |text: &str, start_ms, end_ms| WindowWord {
            start_ms,
            end_ms,
            text: text.into(),
            confidence: 1.0,
        };
        let speech = [span(0, 5_000), span(20_000, 25_000)];
        let windows = pack(&speech, 28_000, 800);
        let segment = WindowSegment {
            words: vec![
                word("помочь?", 4_100, 4_700),
                word("Очень", 4_800, 5_130),
                word("жаль", 5_270, 6_000),
                word("слышать.", 6_400, 7_400),
            ],
            no_speech: 0.0,
            log_probability: -0.1,
            ended: true,
        };
        let segments = segments(to_source(&segment, &windows[0], &speech, 150));
        assert_eq!(segments.len(), 2);
        assert_eq!(segments[0].words.len(), 1);
        assert!(segments[1].words[0].start_ms >= 19_600, "{segments:?}");
    }

    #[test]
    fn a_word_is_where_somebody_speaks_and_not_longer_than_it_can_be() {
        let speech = [span(1_000, 3_000), span(6_000, 8_000)];
        let within =
            |start_ms, end_ms, text| within_speech(span(start_ms, end_ms), text, &speech, 150);
        // It seemed to begin in the silence before.
        assert_eq!(within(600, 1_700, "Здравствуйте!"), span(1_150, 1_700));
        // It seemed to last until the next one, after a pause.
        assert_eq!(within(2_500, 6_100, "да"), span(2_500, 2_850));
        assert_eq!(within(6_500, 7_000, "хорошо"), span(6_500, 7_000));
    }

    #[test]
    fn speech_without_words_is_found() {
        let word = |start_ms, end_ms| Word {
            start_ms,
            end_ms,
            text: "слово".into(),
            confidence: 1.0,
            corrected: false,
        };
        let speech = [
            span(0, 4_000),
            span(10_000, 11_000),
            span(20_000, 20_500),
            span(30_000, 30_300),
        ];
        let words = [word(100, 900), word(3_200, 3_900)];
        let gaps = uncovered(&speech, &words);
        assert_eq!(
            gaps,
            [span(900, 3_200), span(10_000, 11_000), span(20_000, 20_500)]
        );
        assert_eq!(worth_a_flag(gaps).len(), 2);
    }
}
