//! Who speaks when in a one-channel call: voice activity, then two voices told
//! apart, all in Rust with models inside the program.
//!
//! Called by the speech worker (a child process), and by nothing else: models
//! are loaded there only. Everything takes mono f32 samples at 16 kHz and blocks.
//!
//! The way: [`Vad`] finds speech; [`segmentation`] tells in windows of ten
//! seconds which of up to three voices speak, by numbers that mean nothing
//! outside of the window; [`embedding`] makes a voice print of each; [`cluster`]
//! finds the two people of the call in all prints; [`timeline`] puts the windows
//! together again. A call has two parties, so never more than two are looked for.

mod cluster;
mod embedding;
mod fbank;
mod net;
mod segmentation;
#[cfg(test)]
mod tests;
mod timeline;
mod vad;

use self::embedding::{Embedder, Print};
use self::net::ModelName;
use self::segmentation::Segmenter;
pub use self::vad::{Region, RegionParams, Vad, regions};
use super::share::share;

/// Samples a second of everything here.
pub const SAMPLE_RATE: usize = 16_000;

/// A model inside the program failed, which is a fault of the build.
#[derive(Debug, thiserror::Error)]
pub enum DiarizeError {
    /// The model does not load.
    #[error("the embedded {model} model does not load: {reason}")]
    Load {
        /// Which one.
        model: ModelName,
        /// What the runtime says.
        reason: String,
    },
    /// The model does not run.
    #[error("the embedded {model} model failed: {reason}")]
    Run {
        /// Which one.
        model: ModelName,
        /// What the runtime says.
        reason: String,
    },
}

/// Somebody speaks from `start_ms` to `end_ms`. Spans of the two speakers may
/// overlap; spans of one do not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Begin, in milliseconds from the start of the audio.
    pub start_ms: u64,
    /// End, in milliseconds.
    pub end_ms: u64,
    /// 0 for the one who speaks first, 1 for the other.
    pub speaker: u8,
    /// How clearly it is this one and not the other: 0.5 a guess, 1 certain.
    pub confidence: f32,
}

/// Who speaks when.
#[derive(Debug, Clone, PartialEq)]
pub struct Diarization {
    /// In order of their begin.
    pub spans: Vec<Span>,
    /// 0 (nobody speaks), 1 or 2. One only when both voices found are nearly
    /// the same: taking one person for two does less harm than the reverse.
    pub speakers: u8,
    /// Likeness of the two voices, -1 to 1; absent when only one was found at all.
    /// Above 0.8 they are taken for one.
    pub likeness: Option<f32>,
}

/// Tells two voices apart.
pub struct Diarizer {
    segmenter: Segmenter,
    embedder: Embedder,
}

impl Diarizer {
    /// Loads the models (about 14 MB inside the program).
    ///
    /// # Errors
    /// [`DiarizeError::Load`].
    pub fn new() -> Result<Self, DiarizeError> {
        Ok(Self {
            segmenter: Segmenter::new()?,
            embedder: Embedder::new()?,
        })
    }

    /// Finds who speaks when in a whole recording. `regions` are its parts with
    /// speech ([`regions`]); `threads` work on it; `progress` gets the share that is done, 0 to 1.
    ///
    /// # Errors
    /// [`DiarizeError::Run`].
    pub fn diarize(
        &self,
        samples: &[f32],
        regions: &[Region],
        threads: usize,
        mut progress: impl FnMut(f32),
    ) -> Result<Diarization, DiarizeError> {
        let windows = segmentation::starts(samples.len());
        let slices = embedding::slices(regions);
        let total = (windows.len() + slices.len()).max(1) as f32;
        let mut done = 0.0;
        let mut step = |part: f64| {
            done += part as f32;
            progress(done / total);
        };
        let heard = share(&windows, threads, &mut |_, part| step(part), |start, _| {
            let segment = self.segmenter.run(samples, *start)?;
            let prints = (0..segmentation::LOCAL)
                .map(|local| self.embedder.local(samples, &segment, local))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((segment, prints))
        })?;
        let mut segments = Vec::with_capacity(heard.len());
        let mut voices = Vec::new();
        for (window, (segment, prints)) in heard.into_iter().enumerate() {
            segments.push(segment);
            voices.extend(prints.into_iter().enumerate().filter_map(|(local, print)| {
                print.map(|print| timeline::Voice {
                    window,
                    local,
                    print,
                })
            }));
        }
        let prints: Vec<&Print> = voices.iter().map(|v| &v.print).collect();
        let Some(pair) = cluster::two_voices(&prints) else {
            return Ok(Diarization {
                spans: Vec::new(),
                speakers: 0,
                likeness: None,
            });
        };

        let prints = share(&slices, threads, &mut |_, part| step(part), |slice, _| {
            self.embedder.slice(samples, *slice)
        })?;
        let sides: Vec<(Region, f32)> = slices
            .into_iter()
            .zip(prints)
            .filter_map(|(slice, print)| Some((slice, pair.side(&print?))))
            .collect();
        let seconds = samples.len() as f32 / SAMPLE_RATE as f32;
        Ok(timeline::assemble(&timeline::Evidence {
            segments: &segments,
            voices: &voices,
            pair: &pair,
            sides: &sides,
            regions,
            seconds,
        }))
    }
}
