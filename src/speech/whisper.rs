//! One window of samples through whisper.cpp, for the number formats that our
//! own engine does not read: words with times and the decoder's own measures of
//! doubt. Called by the recognizer.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState,
};

use super::recognizer::{WindowSegment, Words};

/// whisper.cpp wants at least a second of samples.
const MIN_SAMPLES: usize = 17_600;

/// A loaded model; one caller at a time.
pub(super) struct Whisper {
    context: WhisperContext,
    state: Mutex<WhisperState>,
}

/// How a window is decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoding {
    pub(super) threads: usize,
    /// 1 = greedy.
    pub(super) beam: usize,
    /// Silence after the window that the model sees, in milliseconds.
    pub(super) margin_ms: u64,
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
        Ok(Self {
            context,
            state: Mutex::new(state),
        })
    }

    /// Language of the samples: an ISO 639-1 code.
    pub(super) fn detect_language(
        &self,
        samples: &[f32],
        threads: usize,
    ) -> Result<String, WhisperFault> {
        if !self.context.is_multilingual() {
            return Ok("en".to_owned());
        }
        let mut state = self.state();
        state
            .pcm_to_mel(samples, threads)
            .and_then(|()| state.lang_detect(0, threads))
            .map(|(id, _)| whisper_rs::get_lang_str(id).unwrap_or("ru").to_owned())
            .map_err(WhisperFault::Run)
    }

    /// Recognizes at most 30 s of samples.
    pub(super) fn recognize(
        &self,
        samples: &[f32],
        language: &str,
        prompt: &str,
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
        params.set_audio_ctx(audio_ctx(samples.len(), decoding.margin_ms));
        if !prompt.is_empty() {
            params.set_initial_prompt(prompt);
        }
        let mut padded = Vec::new();
        let samples = if samples.len() < MIN_SAMPLES {
            padded.extend_from_slice(samples);
            padded.resize(MIN_SAMPLES, 0.0);
            &padded
        } else {
            samples
        };
        let mut state = self.state();
        state.full(params, samples).map_err(WhisperFault::Run)?;
        let end_of_text = self.context.token_eot();
        let mut segments = Vec::new();
        for segment in state.as_iter() {
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
                    let ms = |hundredths: i64| hundredths.max(0) as u64 * 10;
                    words.push(bytes, data.p, ms(data.t0), ms(data.t1));
                }
            }
            segments.push(WindowSegment {
                words: words.finish(),
                no_speech: segment.no_speech_probability(),
                log_probability: if count == 0 { 0.0 } else { sum / count as f32 },
                ended: true,
            });
        }
        Ok(segments)
    }

    fn state(&self) -> MutexGuard<'_, WhisperState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encoder positions (50 a second) for a window; 0 = all 1500. Multiples of 16
/// are computed fastest, and fewer than 3 s invent words.
fn audio_ctx(samples: usize, margin_ms: u64) -> i32 {
    let positions = (samples as u64 / 16 + margin_ms).max(3_000) / 20;
    let fitted = positions.next_multiple_of(16);
    if fitted >= 1_488 { 0 } else { fitted as i32 }
}
