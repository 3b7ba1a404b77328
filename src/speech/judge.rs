//! What is believed of what the model wrote: invented text is told by the
//! decoder's own measures, never by a list of phrases. Called by recognition.

use std::io::Write;

use super::recognizer::{WindowSegment, WindowWord};

/// Text that zlib shrinks more than this repeats itself (the measure of OpenAI's Whisper).
const MAX_COMPRESSION: f64 = 2.4;
/// Below this mean log-probability a segment is doubtful (the measure of OpenAI's Whisper).
const MIN_LOG_PROBABILITY: f32 = -1.0;
/// Above this probability of no speech a doubtful segment is dropped.
const NO_SPEECH: f32 = 0.6;
/// Nobody speaks more letters a second over a sentence of some words.
const MAX_LETTERS_A_SECOND: f64 = 40.0;
/// From this many words on a sentence has a speed.
const SENTENCE_WORDS: usize = 3;

/// What becomes of a window's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was said.
    Keep,
    /// It may be wrong: another attempt decides.
    TryAgain,
    /// It was not said.
    Drop,
}

/// Judges the text of a window that is `window_ms` long.
pub(super) fn judge(segment: &WindowSegment, window_ms: u64) -> Verdict {
    if segment.words.is_empty() || lies_beyond(segment, window_ms) {
        return Verdict::Drop;
    }
    let doubtful = segment.log_probability < MIN_LOG_PROBABILITY;
    if doubtful && segment.no_speech > NO_SPEECH {
        return Verdict::Drop;
    }
    if !segment.ended || repeats_itself(&segment.words) || doubtful {
        return Verdict::TryAgain;
    }
    Verdict::Keep
}

/// The last word on a segment: true when nothing speaks against it but doubt.
pub(super) fn credible(segment: &WindowSegment, window_ms: u64) -> bool {
    judge(segment, window_ms) != Verdict::Drop && segment.ended && !repeats_itself(&segment.words)
}

/// Takes out sentences that were not spoken: no time is left for them.
pub(super) fn drop_unspoken(words: &mut Vec<WindowWord>) {
    let mut kept = Vec::with_capacity(words.len());
    for sentence in words.split_inclusive(|word| word.text.ends_with(['.', '!', '?', '…'])) {
        if !too_fast(sentence) {
            kept.extend_from_slice(sentence);
        }
    }
    *words = kept;
}

fn too_fast(sentence: &[WindowWord]) -> bool {
    let (Some(first), Some(last)) = (sentence.first(), sentence.last()) else {
        return false;
    };
    let letters: usize = sentence.iter().map(|word| word.text.chars().count()).sum();
    let seconds = last.end_ms.saturating_sub(first.start_ms) as f64 / 1000.0;
    sentence.len() >= SENTENCE_WORDS && letters as f64 > MAX_LETTERS_A_SECOND * seconds.max(0.02)
}

/// True when the words are a loop.
fn repeats_itself(words: &[WindowWord]) -> bool {
    let text: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    compression_ratio(&text.join(" ")) > MAX_COMPRESSION
}

/// True when most of a segment's time is after the end of the window: the model
/// goes on by itself in the silence it was filled up with.
fn lies_beyond(segment: &WindowSegment, window_ms: u64) -> bool {
    let start = segment.words.first().map_or(0, |word| word.start_ms);
    let end = segment.words.last().map_or(0, |word| word.end_ms);
    let inside = window_ms.saturating_sub(start);
    inside * 2 < end.saturating_sub(start)
}

/// Length of the text ÷ length of its zlib form.
fn compression_ratio(text: &str) -> f64 {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into a vector cannot fail.
    let compressed = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .map_or(1, |bytes| bytes.len().max(1));
    // Cyrillic letters have two bytes, which alone compress well: count letters as one.
    text.chars().count() as f64 * 1.5 / compressed as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start_ms: u64, end_ms: u64) -> WindowWord {
        WindowWord {
            start_ms,
            end_ms,
            text: text.into(),
            confidence: 0.8,
        }
    }

    fn segment(words: Vec<WindowWord>) -> WindowSegment {
        WindowSegment {
            words,
            no_speech: 0.0,
            log_probability: -0.3,
            ended: true,
        }
    }

    #[test]
    fn text_after_the_end_of_the_audio_is_noticed() {
        let at = |start_ms, end_ms| segment(vec![word("слово", start_ms, end_ms)]);
        assert!(lies_beyond(&at(20_950, 25_920), 21_220));
        assert!(!lies_beyond(&at(16_180, 24_800), 23_280));
        assert!(!lies_beyond(&at(22_970, 23_880), 23_492));
    }

    #[test]
    fn loops_are_told_from_speech() {
        let speech = "Подскажите, пожалуйста, номер вашего заказа. Сейчас, одну минуту, я посмотрю в почте. Вот, нашёл. Номер заказа сорок пять семьсот двенадцать.";
        let repeated = "Продолжение следует... ".repeat(8);
        assert!(compression_ratio(speech) < MAX_COMPRESSION);
        assert!(compression_ratio(&repeated) > MAX_COMPRESSION);
        assert!(compression_ratio("Да, да, да.") < MAX_COMPRESSION);
    }

    #[test]
    fn doubt_asks_for_another_attempt_and_silence_drops() {
        let mut said = segment(vec![word("Да.", 0, 400)]);
        assert_eq!(judge(&said, 1_000), Verdict::Keep);
        said.log_probability = -1.4;
        assert_eq!(judge(&said, 1_000), Verdict::TryAgain);
        assert!(credible(&said, 1_000));
        said.no_speech = 0.9;
        assert_eq!(judge(&said, 1_000), Verdict::Drop);
        said.no_speech = 0.0;
        said.ended = false;
        assert!(!credible(&said, 1_000));
    }

    #[test]
    fn a_sentence_without_time_was_not_spoken() {
        let mut words = vec![
            word("Добрый", 0, 400),
            word("день.", 400, 900),
            word("Редактор", 1_000, 1_020),
            word("субтитров", 1_020, 1_040),
            word("Синецкая.", 1_040, 1_060),
        ];
        drop_unspoken(&mut words);
        assert_eq!(words.len(), 2);
        let mut short = vec![word("Да.", 900, 920)];
        drop_unspoken(&mut short);
        assert_eq!(short.len(), 1);
    }
}
