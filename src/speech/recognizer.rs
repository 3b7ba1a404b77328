//! What recognition needs of a loaded model, whichever program computes it: our
//! own [`Engine`] for the number formats it reads, whisper.cpp for the others.

use std::path::Path;

use super::engine::{Engine, Search};
use super::model::ModelError;
use super::whisper::{Decoding, Whisper, WhisperFault};

/// A word in a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowWord {
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) text: String,
    pub(super) confidence: f32,
}

/// Text in a window with the decoder's measures of doubt.
#[derive(Debug, Clone)]
pub(super) struct WindowSegment {
    pub(super) words: Vec<WindowWord>,
    /// Probability of the "no speech" token.
    pub(super) no_speech: f32,
    /// Mean log-probability of the tokens.
    pub(super) log_probability: f32,
    /// False when the model went on writing until it was stopped.
    pub(super) ended: bool,
}

/// How windows are recognized.
#[derive(Debug, Clone)]
pub(super) struct Manner<'a> {
    /// ISO 639-1 code.
    pub(super) language: &'a str,
    /// Hypotheses followed; 1 = greedy.
    pub(super) beam: usize,
    /// What may have been said before: the team's own words.
    pub(super) prompt: &'a str,
    /// Silence after the window that the model sees, in milliseconds.
    pub(super) margin_ms: u64,
}

/// Why recognition is not possible.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecognizerFault {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Whisper(#[from] WhisperFault),
}

/// A loaded model.
pub(super) enum Recognizer {
    /// Computed here.
    Own(Box<Engine>),
    /// Computed by whisper.cpp.
    WhisperCpp(Box<Whisper>),
}

impl Recognizer {
    /// Loads a model file that was verified.
    pub(super) fn load(path: &Path) -> Result<Self, RecognizerFault> {
        if !Engine::can_read(path)? {
            return Ok(Self::WhisperCpp(Box::new(Whisper::load(path)?)));
        }
        Ok(Self::Own(Box::new(Engine::load(path)?)))
    }

    /// What computes, for the log.
    pub(super) fn description(&self) -> &'static str {
        match self {
            Self::Own(_) => super::cpu::instructions(),
            Self::WhisperCpp(_) => "whisper.cpp",
        }
    }

    /// Windows that are best recognized together.
    pub(super) fn batch(&self) -> usize {
        match self {
            Self::Own(_) => Engine::BATCH,
            Self::WhisperCpp(_) => 1,
        }
    }

    /// Threads that can call [`Recognizer::recognize`] at once, of `threads`.
    pub(super) fn callers(&self, threads: usize) -> usize {
        match self {
            Self::Own(_) => threads.max(1),
            Self::WhisperCpp(_) => 1,
        }
    }

    /// Language of samples with speech: an ISO 639-1 code.
    pub(super) fn detect_language(&self, samples: &[f32]) -> Result<String, RecognizerFault> {
        match self {
            Self::Own(engine) => Ok(engine.detect_language(samples).to_owned()),
            Self::WhisperCpp(whisper) => Ok(whisper.detect_language(samples, 1)?),
        }
    }

    /// Recognizes windows of at most 30 s; `threads` is for whisper.cpp, which has
    /// one caller. `done` is told the share that is done.
    pub(super) fn recognize(
        &self,
        windows: &[Vec<f32>],
        manner: &Manner,
        threads: usize,
        done: &mut (dyn FnMut(f64) + Send),
    ) -> Result<Vec<Vec<WindowSegment>>, RecognizerFault> {
        match self {
            Self::Own(engine) => {
                let search = Search {
                    language: manner.language,
                    beam: manner.beam,
                    prompt: manner.prompt,
                    margin_ms: manner.margin_ms,
                };
                Ok(engine.recognize(windows, &search, done))
            }
            Self::WhisperCpp(whisper) => {
                let decoding = Decoding {
                    threads,
                    beam: manner.beam,
                    margin_ms: manner.margin_ms,
                };
                windows
                    .iter()
                    .map(|samples| {
                        Ok(whisper.recognize(samples, manner.language, manner.prompt, decoding)?)
                    })
                    .collect()
            }
        }
    }
}

/// Joins tokens into words: a token that begins with a space begins a word.
/// Tokens are bytes, because a letter may be divided between two of them.
#[derive(Default)]
pub(super) struct Words {
    done: Vec<WindowWord>,
    bytes: Vec<u8>,
    probability: f32,
    tokens: usize,
    start_ms: u64,
    end_ms: u64,
}

impl Words {
    pub(super) fn push(&mut self, bytes: &[u8], probability: f32, start_ms: u64, end_ms: u64) {
        if bytes.first() == Some(&b' ') {
            self.end_word();
        }
        if self.tokens == 0 {
            self.start_ms = start_ms;
            self.end_ms = end_ms;
        }
        self.bytes.extend_from_slice(bytes);
        self.probability += probability;
        self.tokens += 1;
        self.end_ms = self.end_ms.max(end_ms);
    }

    fn end_word(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes).trim().to_owned();
        if text.chars().any(char::is_alphanumeric) {
            self.done.push(WindowWord {
                start_ms: self.start_ms,
                end_ms: self.end_ms.max(self.start_ms),
                text,
                confidence: self.probability / self.tokens.max(1) as f32,
            });
        } else if let Some(last) = self.done.last_mut()
            && !text.is_empty()
        {
            // A lone dash or full stop belongs to the word before it.
            last.text.push_str(&text);
        }
        self.bytes.clear();
        self.probability = 0.0;
        self.tokens = 0;
    }

    pub(super) fn finish(mut self) -> Vec<WindowWord> {
        self.end_word();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_words_even_when_a_letter_is_divided() {
        let mut words = Words::default();
        let hello = " Привет".as_bytes();
        words.push(&hello[..4], 1.0, 100, 200);
        words.push(&hello[4..], 0.5, 200, 400);
        words.push(b",", 0.9, 400, 410);
        words.push(" мир".as_bytes(), 0.8, 500, 700);
        words.push(b" -", 0.8, 700, 710);
        let words = words.finish();
        assert_eq!(words.len(), 2);
        assert_eq!(
            (words[0].text.as_str(), words[0].start_ms, words[0].end_ms),
            ("Привет,", 100, 410)
        );
        assert!((words[0].confidence - 0.8).abs() < 1e-6);
        assert_eq!(words[1].text, "мир-");
    }
}
