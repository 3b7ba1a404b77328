//! Recognizes a recording: voice activity, windows, whisper, and the safeguards
//! against invented text. Called by the worker in the child process.

use std::io::Write;

use super::diarize::{RegionParams, Vad, regions};
use super::pcm::{Pcm, SAMPLE_RATE};
use super::protocol::Transcribe;
use super::whisper::{Decoding, Whisper, WindowSegment, WindowWord};
use super::windows::{Window, pack};
use crate::domain::transcript::{ChannelRecognition, Recognition, Segment, Span, Word};

/// Longest window in milliseconds of audio.
const MAX_WINDOW_MS: u64 = 26_000;
/// Silence kept between two stretches of speech in a window.
const MAX_GAP_MS: u64 = 800;
/// Beam of the first decoding.
const BEAM: usize = 5;
/// Encoder positions beyond the window's end, in milliseconds.
const CONTEXT_MARGIN_MS: u64 = 1_500;
/// whisper.cpp wants at least a second of samples.
const MIN_SAMPLES: usize = 17_600;
/// Text that zlib shrinks more than this repeats itself (the measure of OpenAI's Whisper).
const MAX_COMPRESSION: f64 = 2.4;
/// Below this mean log-probability a segment is doubtful (the measure of OpenAI's Whisper).
const MIN_LOG_PROBABILITY: f32 = -1.0;
/// Above this probability of no speech a doubtful segment is dropped.
const NO_SPEECH: f32 = 0.6;
/// Pauses longer than this divide a segment.
const SEGMENT_PAUSE_MS: u64 = 1_000;
/// Stretches of speech are bounded generously: a word cut off is a word lost.
const SPEECH: RegionParams = RegionParams {
    begin: 0.5,
    end: 0.35,
    pause_ms: 300,
    shortest_ms: 120,
    margin_ms: 150,
};
/// Share of a sentence's time that may reach over a join by mistake.
const EDGE: f64 = 0.4;
/// As much of a sentence may reach over a join by mistake, however short it is.
const TIMING_ERROR_MS: u64 = 150;
/// Samples given to voice activity at once: a minute.
const VAD_CHUNK: u64 = 60 * SAMPLE_RATE;

/// Why recognition failed; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecognizeFault {
    #[error("the samples cannot be read: {0}")]
    Samples(#[from] std::io::Error),
    #[error("voice activity failed: {0}")]
    Vad(String),
    #[error(transparent)]
    Whisper(#[from] super::whisper::WhisperFault),
}

/// Recognizes all channels; `progress` is told the share done.
pub(super) fn recognize(
    whisper: &mut Whisper,
    request: &Transcribe,
    progress: &mut dyn FnMut(f64),
) -> Result<Recognition, RecognizeFault> {
    let mut inputs = Vec::new();
    for path in &request.channels {
        let mut pcm = Pcm::open(path)?;
        let speech = speech_regions(&mut pcm)?;
        let windows = pack(&speech, MAX_WINDOW_MS, MAX_GAP_MS);
        inputs.push((pcm, speech, windows));
    }
    let total_ms: u64 = inputs
        .iter()
        .flat_map(|(_, _, windows)| windows.iter().map(Window::length_ms))
        .sum();
    let mut language = (request.language != "auto").then(|| request.language.clone());
    let mut done_ms = 0;
    let mut channels = Vec::new();
    for (mut pcm, speech, windows) in inputs {
        let mut segments = Vec::new();
        for window in windows {
            let samples = read_window(&mut pcm, &window)?;
            let language = match &mut language {
                Some(language) => language,
                // The first speech decides, never a ring tone: silence is not in a window.
                none => none.insert(whisper.detect_language(&samples, request.threads)?),
            };
            let found = recognize_window(whisper, &samples, &window, language, request.threads)?;
            segments.extend(
                found
                    .into_iter()
                    .flat_map(|segment| to_source(&segment, &window)),
            );
            done_ms += window.length_ms();
            progress(done_ms as f64 / total_ms.max(1) as f64);
        }
        channels.push(ChannelRecognition {
            // Without a word the voice activity was a noise.
            speech: if segments.is_empty() {
                Vec::new()
            } else {
                speech
            },
            segments,
            doubtful: Vec::new(),
        });
    }
    Ok(Recognition {
        language: language.unwrap_or_else(|| "ru".to_owned()),
        model: request.model_name.clone(),
        channels,
    })
}

fn speech_regions(pcm: &mut Pcm) -> Result<Vec<Span>, RecognizeFault> {
    let fault = |error: &dyn std::fmt::Display| RecognizeFault::Vad(error.to_string());
    let mut vad = Vad::new().map_err(|error| fault(&error))?;
    let mut probabilities = Vec::new();
    let mut samples = Vec::new();
    let mut at = 0;
    while at < pcm.samples() {
        samples.clear();
        pcm.read(at, at + VAD_CHUNK, &mut samples)?;
        at += VAD_CHUNK;
        probabilities.extend(vad.speech_probs(&samples).map_err(|error| fault(&error))?);
    }
    probabilities.extend(vad.finish().map_err(|error| fault(&error))?);
    let end_ms = pcm.duration_ms();
    Ok(regions(&probabilities, SPEECH)
        .into_iter()
        .map(|region| Span {
            start_ms: region.start_ms.min(end_ms),
            end_ms: region.end_ms.min(end_ms),
        })
        .filter(|span| span.length_ms() > 0)
        .collect())
}

fn read_window(pcm: &mut Pcm, window: &Window) -> Result<Vec<f32>, RecognizeFault> {
    let mut samples = Vec::new();
    for source in window.sources() {
        pcm.read(
            source.start_ms * SAMPLE_RATE / 1000,
            source.end_ms * SAMPLE_RATE / 1000,
            &mut samples,
        )?;
    }
    if samples.len() < MIN_SAMPLES {
        samples.resize(MIN_SAMPLES, 0.0);
    }
    Ok(samples)
}

/// Decodes a window; one whose text repeats itself is decoded once more with the
/// whole context, and what still repeats itself is dropped.
fn recognize_window(
    whisper: &mut Whisper,
    samples: &[f32],
    window: &Window,
    language: &str,
    threads: usize,
) -> Result<Vec<WindowSegment>, RecognizeFault> {
    let positions = (window.length_ms() + CONTEXT_MARGIN_MS).max(3_000) / 20;
    // Multiples of 16 are computed fastest.
    let fitted = positions.div_ceil(16) * 16;
    let audio_ctx = if fitted >= 1_488 { 0 } else { fitted as usize };
    let mut decoding = Decoding {
        threads,
        beam: BEAM,
        audio_ctx,
    };
    let mut segments = whisper.recognize(samples, language, decoding)?;
    if segments.iter().any(repeats_itself) {
        decoding.audio_ctx = 0;
        segments = whisper.recognize(samples, language, decoding)?;
    }
    segments.retain(|segment| {
        let doubtful = segment.log_probability < MIN_LOG_PROBABILITY;
        !(segment.words.is_empty()
            || repeats_itself(segment)
            || lies_beyond(segment, window.length_ms())
            || doubtful && segment.no_speech > NO_SPEECH)
    });
    Ok(segments)
}

fn repeats_itself(segment: &WindowSegment) -> bool {
    let text: Vec<&str> = segment
        .words
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    compression_ratio(&text.join(" ")) > MAX_COMPRESSION
}

/// True when most of a segment's time is after the end of the window: the model
/// goes on by itself («Редактор субтитров…») in the silence it was filled up with.
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

/// Times of the recording instead of the window's, divided at long pauses.
fn to_source(segment: &WindowSegment, window: &Window) -> Vec<Segment> {
    let mut words = segment.words.clone();
    let joins: Vec<u64> = window.joins().collect();
    for sentence in words.split_inclusive_mut(|word| word.text.ends_with(['.', '!', '?', '…'])) {
        for join in &joins {
            keep_together(sentence, *join);
        }
    }
    let mut segments: Vec<Segment> = Vec::new();
    for word in words {
        let span = window.to_source(word.start_ms, word.end_ms);
        let word = Word {
            start_ms: span.start_ms,
            end_ms: span.end_ms,
            text: word.text,
            confidence: word.confidence,
            corrected: false,
        };
        match segments.last_mut() {
            Some(last) if word.start_ms <= last.span().end_ms + SEGMENT_PAUSE_MS => {
                last.words.push(word);
            }
            _ => segments.push(Segment { words: vec![word] }),
        }
    }
    segments
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

    #[test]
    fn a_sentence_is_not_torn_by_a_join() {
        let word = |text: &str, start_ms, end_ms| WindowWord {
            start_ms,
            end_ms,
            text: text.into(),
            confidence: 1.0,
        };
        let span = |start_ms, end_ms| Span { start_ms, end_ms };
        let windows = pack(&[span(0, 5_000), span(20_000, 25_000)], 28_000, 800);
        let segment = WindowSegment {
            words: vec![
                word("помочь?", 4_100, 4_700),
                word("Очень", 4_800, 5_130),
                word("жаль", 5_270, 6_000),
                word("слышать.", 6_400, 7_400),
            ],
            no_speech: 0.0,
            log_probability: -0.1,
        };
        let segments = to_source(&segment, &windows[0]);
        assert_eq!(segments.len(), 2);
        assert_eq!(segments[0].words.len(), 1);
        assert!(segments[1].words[0].start_ms >= 19_600, "{segments:?}");
    }

    #[test]
    fn text_after_the_end_of_the_audio_is_noticed() {
        let segment = |start_ms, end_ms| WindowSegment {
            words: vec![WindowWord {
                start_ms,
                end_ms,
                text: "слово".into(),
                confidence: 0.8,
            }],
            no_speech: 0.0,
            log_probability: -0.3,
        };
        assert!(lies_beyond(&segment(20_950, 25_920), 21_220));
        assert!(!lies_beyond(&segment(16_180, 24_800), 23_280));
        assert!(!lies_beyond(&segment(22_970, 23_880), 23_492));
    }

    #[test]
    fn loops_are_told_from_speech() {
        let speech = "Подскажите, пожалуйста, номер вашего заказа. Сейчас, одну минуту, я посмотрю в почте. Вот, нашёл. Номер заказа сорок пять семьсот двенадцать.";
        let repeated = "Продолжение следует... ".repeat(8);
        assert!(
            compression_ratio(speech) < MAX_COMPRESSION,
            "{}",
            compression_ratio(speech)
        );
        assert!(
            compression_ratio(&repeated) > MAX_COMPRESSION,
            "{}",
            compression_ratio(&repeated)
        );
        assert!(compression_ratio("Да, да, да.") < MAX_COMPRESSION);
    }
}
