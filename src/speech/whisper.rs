//! One window of samples through whisper.cpp: words with times and the
//! decoder's own measures of doubt.

use std::path::Path;

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState,
};

/// A loaded model.
pub(super) struct Whisper {
    context: WhisperContext,
    state: WhisperState,
}

/// How a window is decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoding {
    pub(super) threads: usize,
    /// 1 = greedy.
    pub(super) beam: usize,
    /// Encoder positions (50 a second); 0 = all 1500.
    pub(super) audio_ctx: usize,
}

/// A word in a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowWord {
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) text: String,
    pub(super) confidence: f32,
}

/// A segment in a window with the decoder's measures.
#[derive(Debug, Clone)]
pub(super) struct WindowSegment {
    pub(super) words: Vec<WindowWord>,
    /// Probability of the "no speech" token.
    pub(super) no_speech: f32,
    /// Mean log-probability of the tokens.
    pub(super) log_probability: f32,
}

/// What whisper.cpp cannot do with what it was given.
#[derive(Debug, thiserror::Error)]
pub(super) enum WhisperFault {
    #[error("the model cannot be loaded: {0}")]
    Load(whisper_rs::WhisperError),
    #[error("recognition failed: {0}")]
    Run(whisper_rs::WhisperError),
}

impl Whisper {
    pub(super) fn load(path: &Path) -> Result<Self, WhisperFault> {
        let mut parameters = WhisperContextParameters::default();
        // Flash attention is slower than plain attention on processors.
        parameters.use_gpu(false).flash_attn(false);
        let context =
            WhisperContext::new_with_params(path, parameters).map_err(WhisperFault::Load)?;
        let state = context.create_state().map_err(WhisperFault::Load)?;
        Ok(Self { context, state })
    }

    /// Language of the samples: an ISO 639-1 code.
    pub(super) fn detect_language(
        &mut self,
        samples: &[f32],
        threads: usize,
    ) -> Result<String, WhisperFault> {
        if !self.context.is_multilingual() {
            return Ok("en".to_owned());
        }
        self.state
            .pcm_to_mel(samples, threads)
            .and_then(|()| self.state.lang_detect(0, threads))
            .map(|(id, _)| whisper_rs::get_lang_str(id).unwrap_or("ru").to_owned())
            .map_err(WhisperFault::Run)
    }

    /// Recognizes at most 30 s of samples.
    pub(super) fn recognize(
        &mut self,
        samples: &[f32],
        language: &str,
        decoding: Decoding,
    ) -> Result<Vec<WindowSegment>, WhisperFault> {
        let strategy = if decoding.beam > 1 {
            SamplingStrategy::BeamSearch {
                beam_size: decoding.beam as i32,
                patience: -1.0,
            }
        } else {
            SamplingStrategy::Greedy { best_of: 1 }
        };
        let mut params = FullParams::new(strategy);
        params.set_n_threads(decoding.threads as i32);
        params.set_language(Some(language));
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_timestamps(false);
        params.set_print_special(false);
        // A window knows nothing of the one before it, so a loop cannot spread.
        params.set_no_context(true);
        params.set_suppress_nst(true);
        params.set_token_timestamps(true);
        params.set_audio_ctx(decoding.audio_ctx as i32);
        self.state
            .full(params, samples)
            .map_err(WhisperFault::Run)?;
        let end_of_text = self.context.token_eot();
        let mut segments = Vec::new();
        for segment in self.state.as_iter() {
            let mut words = Words::default();
            let mut sum = 0.0;
            let mut count = 0;
            for index in 0..segment.n_tokens() {
                let Some(token) = segment.get_token(index) else {
                    continue;
                };
                let data = token.token_data();
                if data.id >= end_of_text {
                    continue;
                }
                sum += data.plog;
                count += 1;
                if let Ok(bytes) = token.to_bytes() {
                    words.push(bytes, data.p, data.t0, data.t1);
                }
            }
            segments.push(WindowSegment {
                words: words.finish(),
                no_speech: segment.no_speech_probability(),
                log_probability: if count == 0 { 0.0 } else { sum / count as f32 },
            });
        }
        Ok(segments)
    }
}

/// Joins tokens into words: a token that begins with a space begins a word.
/// Tokens are bytes, because a letter may be divided between two of them.
#[derive(Default)]
struct Words {
    done: Vec<WindowWord>,
    bytes: Vec<u8>,
    probability: f32,
    tokens: usize,
    start_ms: u64,
    end_ms: u64,
}

impl Words {
    /// `t0` and `t1` are in hundredths of a second.
    fn push(&mut self, bytes: &[u8], probability: f32, t0: i64, t1: i64) {
        if bytes.first() == Some(&b' ') {
            self.end_word();
        }
        let ms = |time: i64| time.max(0) as u64 * 10;
        if self.tokens == 0 {
            self.start_ms = ms(t0);
            self.end_ms = ms(t1);
        }
        self.bytes.extend_from_slice(bytes);
        self.probability += probability;
        self.tokens += 1;
        self.end_ms = self.end_ms.max(ms(t1));
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

    fn finish(mut self) -> Vec<WindowWord> {
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
        words.push(&hello[..4], 1.0, 10, 20);
        words.push(&hello[4..], 0.5, 20, 40);
        words.push(b",", 0.9, 40, 41);
        words.push(" мир".as_bytes(), 0.8, 50, 70);
        words.push(b" -", 0.8, 70, 71);
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
