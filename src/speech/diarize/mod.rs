//! Who speaks when in a one-channel call: voice activity, then the voices told
//! apart, all in Rust with models inside the program.
//!
//! Called by the speech worker (a child process), and by nothing else: models
//! are loaded there only. Everything takes mono f32 samples at 16 kHz and blocks.
//!
//! The way: [`Vad`] finds speech; [`segmentation`] tells in windows of ten
//! seconds which of up to three voices speak, by numbers that mean nothing
//! outside of the window; [`pieces`] cuts the speech where the voices change;
//! [`embedding`] makes voice prints of voices, of their runs and of slices of time;
//! [`cluster`] finds the people of the call in all prints; [`timeline`] puts the
//! windows together again. A call has two parties; a third voice (a colleague it
//! is handed to) is looked for with more caution.

use std::ops::Range;

mod cluster;
mod embedding;
mod fbank;
mod net;
mod pieces;
mod segmentation;
#[cfg(test)]
mod tests;
mod timeline;
mod vad;

use self::embedding::{Embedder, Print};
use self::net::ModelName;
use self::segmentation::{Segment, Segmenter};
use self::timeline::Voice;
pub use self::vad::{Region, RegionParams, Vad, regions};
use super::share::share;

/// Samples a second of everything here.
pub const SAMPLE_RATE: usize = 16_000;

/// Windows that are looked at together: their sound is in memory, and what the
/// line colours alike is told from what a voice does.
const BLOCK: usize = 6;

/// The voices could not be looked for. That a model inside the program fails is a
/// fault of the build.
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
    /// The samples cannot be read.
    #[error("the samples cannot be read: {0}")]
    Sound(#[source] std::io::Error),
}

/// Somebody speaks from `start_ms` to `end_ms`. Spans of two speakers may
/// overlap; spans of one do not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Begin, in milliseconds from the start of the audio.
    pub start_ms: u64,
    /// End, in milliseconds.
    pub end_ms: u64,
    /// 0 for the one who speaks first, 1 for the next, 2 for a third.
    pub speaker: u8,
    /// How clearly it is this one and not another: 0.5 a guess, 1 certain.
    pub confidence: f32,
}

/// Who speaks when.
#[derive(Debug, Clone, PartialEq)]
pub struct Diarization {
    /// In order of their begin.
    pub spans: Vec<Span>,
    /// 0 (nobody speaks) to 3. One only when both voices found are nearly
    /// the same: taking one person for two does less harm than the reverse.
    pub speakers: u8,
    /// Likeness of the voices that are most alike, -1 to 1; absent when only one was
    /// found at all. Above 0.8 two are taken for one.
    pub likeness: Option<f32>,
}

/// Where the sound comes from: read in blocks, so that memory is bounded.
pub trait Sound: Sync {
    /// Length in samples.
    fn samples(&self) -> usize;

    /// The samples from `from` up to `to`, both within the length.
    ///
    /// # Errors
    /// What the file says.
    fn read(&self, from: usize, to: usize) -> std::io::Result<Vec<f32>>;
}

/// Tells voices apart.
pub struct Diarizer {
    segmenter: Segmenter,
    embedder: Embedder,
}

/// What is found in a block before the voices of the whole are known.
struct Block {
    segments: Vec<Segment>,
    voices: Vec<Voice>,
    slices: Vec<(Region, Vec<f32>)>,
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
    /// speech ([`regions`]), in order; `threads` work on it; `progress` gets the share
    /// that is done, 0 to 1.
    ///
    /// # Errors
    /// [`DiarizeError::Run`], [`DiarizeError::Sound`].
    pub fn diarize(
        &self,
        sound: &dyn Sound,
        regions: &[Region],
        threads: usize,
        mut progress: impl FnMut(f32),
    ) -> Result<Diarization, DiarizeError> {
        let starts = segmentation::starts(sound.samples());
        let slices = embedding::slices(regions);
        let blocks: Vec<Range<usize>> = (0..starts.len())
            .step_by(BLOCK)
            .map(|first| first..(first + BLOCK).min(starts.len()))
            .collect();
        let total = blocks.len().max(1) as f64;
        let mut done = 0.0_f64;
        let mut told = |_, part| {
            done += part / total;
            progress(done.min(1.0) as f32);
        };
        let found = share(&blocks, threads, &mut told, |block, _| {
            self.block(sound, regions, &slices, block.clone(), &starts)
        })?;
        let (mut segments, mut voices, mut slices) = (Vec::new(), Vec::new(), Vec::new());
        for block in found {
            segments.extend(block.segments);
            voices.extend(block.voices);
            slices.extend(block.slices);
        }
        let prints: Vec<&Print> = voices.iter().map(|v| &v.print).collect();
        let Some(people) = cluster::people(&prints) else {
            return Ok(Diarization {
                spans: Vec::new(),
                speakers: 0,
                likeness: None,
            });
        };
        let slices: Vec<(Region, Vec<f32>)> = slices
            .into_iter()
            .map(|(slice, print)| (slice, people.likes(&print)))
            .collect();
        Ok(timeline::assemble(&timeline::Evidence {
            segments: &segments,
            voices: &voices,
            people: &people,
            slices: &slices,
            regions,
            seconds: sound.samples() as f32 / SAMPLE_RATE as f32,
        }))
    }

    /// Looks at some of the windows and at the slices that begin where they do.
    fn block(
        &self,
        sound: &dyn Sound,
        regions: &[Region],
        slices: &[Region],
        windows: Range<usize>,
        starts: &[usize],
    ) -> Result<Block, DiarizeError> {
        let last = windows.end == starts.len();
        let start = starts[windows.start];
        // The last window of a block is seen whole, its end by the next block too.
        let own_end = if last {
            sound.samples()
        } else {
            starts[windows.end]
        };
        let end = (starts[windows.end - 1] + segmentation::WINDOW).min(sound.samples());
        let samples = sound.read(start, end).map_err(DiarizeError::Sound)?;
        let segments = self.segmenter.run(&samples, &starts[windows.clone()])?;
        let pieces = pieces::pieces(&segments, regions, start, samples.len());
        let track = self.embedder.track(&samples, start, &pieces)?;
        let mut voices = Vec::new();
        for (window, segment) in windows.zip(&segments) {
            for local in 0..segmentation::LOCAL {
                if let Some(print) = self.embedder.local(&track, segment, local)? {
                    voices.push(Voice {
                        window,
                        local,
                        print,
                        runs: self.embedder.runs(&track, segment, local)?,
                    });
                }
            }
        }
        let own = |slice: &Region| {
            (start..own_end).contains(&(slice.start_ms as usize * SAMPLE_RATE / 1000))
        };
        let mut prints = Vec::new();
        for slice in slices.iter().filter(|slice| own(slice)) {
            if let Some(print) = self.embedder.slice(&track, *slice)? {
                prints.push((*slice, print));
            }
        }
        Ok(Block {
            segments,
            voices,
            slices: prints,
        })
    }
}
