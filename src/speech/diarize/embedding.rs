//! Voice prints: 192 numbers that are alike for pieces of one voice (CAM++).
//! Called by [`super::Diarizer`].
//!
//! The model looks at frames, then pools them (mean and deviation), then makes
//! the print of that. The first part is nearly all of the work and is done once
//! for each frame ([`Embedder::track`]); any choice of frames is pooled for next
//! to nothing ([`Embedder::print`]).

use std::ops::Range;

use super::fbank::{BANDS, Fbank, HOP};
use super::net::{ModelName, Net};
use super::segmentation::{FIRST_S, FRAME_S, Segment};
use super::vad::Region;
use super::{DiarizeError, SAMPLE_RATE};

/// The value between both parts, one column of [`FEATURES`] for each step.
const FRAME_LEVEL: &str = "/xvector/out_nonlinear/relu/Relu_output_0";
const POOLED: &str = "/xvector/stats/Concat_output_0";
const FEATURES: usize = 512;
/// Samples from one step to the next: the model halves the frames.
const STEP: usize = 2 * HOP;
/// From the first sample of a frame (25 ms) to its middle.
const MIDDLE: usize = 200;
/// A voice heard for less than this in a window is not looked at.
const SHORTEST_S: f32 = 0.1;
/// From here on, what is spoken alone is enough without what is spoken over.
const ENOUGH_ALONE_S: f32 = 0.4;
/// The model was trained on longer pieces; shorter ones are repeated up to this.
const FEWEST_FRAMES: usize = 20;
/// Frames of a window that belong together although the voice pauses between them.
const RUN_GAP: usize = 12;
/// Length of a slice of speech that is compared with the voices.
const SLICE_MS: u64 = 1500;
/// From one slice to the next.
const SLICE_STEP_MS: u64 = 500;

pub(super) struct Embedder {
    net: Net,
    fbank: Fbank,
}

/// A voice print and what it was made from.
pub(super) struct Print {
    /// Of length 1.
    pub(super) values: Vec<f32>,
    /// Seconds of speech it was made from.
    pub(super) used_s: f32,
    /// Seconds in which nobody else spoke.
    pub(super) alone_s: f32,
}

/// What a local voice says without a pause.
pub(super) struct Run {
    /// Frames of the window.
    pub(super) frames: Range<usize>,
    /// Of length 1.
    pub(super) print: Vec<f32>,
}

/// What the first part of the model makes of the speech in a stretch of sound.
pub(super) struct Track {
    /// The sample in the middle of each step, ascending.
    at: Vec<usize>,
    /// [`FEATURES`] for each step.
    values: Vec<f32>,
}

impl Track {
    /// The steps between two samples.
    fn between(&self, from: usize, to: usize) -> Range<usize> {
        let first = |sample| self.at.partition_point(|at| *at < sample);
        first(from)..first(to)
    }
}

impl Embedder {
    pub(super) fn new() -> Result<Self, DiarizeError> {
        Ok(Self {
            net: Net::load(ModelName::VoicePrint)?,
            fbank: Fbank::new(),
        })
    }

    /// Computes the first part of the model on `pieces` of `samples`, which begin at
    /// the sample `start` of the recording; so do the positions in the result.
    pub(super) fn track(
        &self,
        samples: &[f32],
        start: usize,
        pieces: &[Range<usize>],
    ) -> Result<Track, DiarizeError> {
        let heard: Vec<_> = pieces
            .iter()
            .map(|piece| {
                // The last frame that begins in the piece reaches beyond it.
                let end = (piece.end + MIDDLE + HOP / 2).min(samples.len());
                self.fbank.run(&samples[piece.start.min(end)..end])
            })
            .collect();
        // The line colours all alike: its mean over everything is taken off.
        let mut mean = [0.0; BANDS];
        let total = heard.iter().map(Vec::len).sum::<usize>() as f32;
        for frame in heard.iter().flatten() {
            mean.iter_mut()
                .zip(frame)
                .for_each(|(m, v)| *m += v / total);
        }
        let mut track = Track {
            at: Vec::new(),
            values: Vec::new(),
        };
        for (piece, mut frames) in pieces.iter().zip(heard) {
            let given = frames.len();
            if given == 0 {
                continue;
            }
            for i in given..FEWEST_FRAMES {
                frames.push(frames[i % given]);
            }
            let input = frames
                .iter()
                .flat_map(|frame| frame.iter().zip(&mean).map(|(v, m)| v - m))
                .collect();
            let shape = [1, frames.len(), BANDS];
            let values = self.net.part("feats", FRAME_LEVEL, (&shape, input))?;
            let steps = values.len() / FEATURES;
            for step in 0..steps.min(given.div_ceil(2)) {
                track.at.push(start + piece.start + step * STEP + MIDDLE);
                let feature = |i: usize| values[i * steps + step];
                track.values.extend((0..FEATURES).map(feature));
            }
        }
        Ok(track)
    }

    /// The print of some steps of a track; none without a step.
    fn print(
        &self,
        track: &Track,
        steps: impl Iterator<Item = usize>,
    ) -> Result<Option<Vec<f32>>, DiarizeError> {
        let mut sums = [[0.0_f64; FEATURES]; 2];
        let mut n = 0.0;
        for step in steps {
            n += 1.0;
            let values = &track.values[step * FEATURES..][..FEATURES];
            let [sum, squares] = &mut sums;
            for ((sum, square), value) in sum.iter_mut().zip(squares).zip(values) {
                let value = f64::from(*value);
                *sum += value;
                *square += value * value;
            }
        }
        if n == 0.0 {
            return Ok(None);
        }
        let [sum, squares] = &sums;
        let deviation = sum.iter().zip(squares).map(|(sum, square)| {
            let variance = (square - sum * sum / n) / (n - 1.0).max(1.0);
            variance.max(0.0).sqrt() as f32
        });
        let pooled = sum.iter().map(|sum| (sum / n) as f32).chain(deviation);
        let input = (&[1, 2 * FEATURES][..], pooled.collect());
        let mut print = self.net.part(POOLED, "emb", input)?;
        super::cluster::normalise(&mut print);
        Ok(Some(print))
    }

    /// The print of one voice of a window; none when it hardly speaks there.
    pub(super) fn local(
        &self,
        track: &Track,
        segment: &Segment,
        local: usize,
    ) -> Result<Option<Print>, DiarizeError> {
        let seconds = |n: usize| n as f32 * FRAME_S;
        let active = seconds(segment.frames.iter().filter(|f| f.speaking[local]).count());
        let alone_s = seconds(segment.frames.iter().filter(|f| f.alone(local)).count());
        if active < SHORTEST_S {
            return Ok(None);
        }
        let only_alone = alone_s >= ENOUGH_ALONE_S;
        let all = segment_sample(segment, 0)..segment_sample(segment, segment.frames.len());
        let steps = track.between(all.start, all.end).filter(|step| {
            let frame = segment.frames.get(frame_at(segment, track.at[*step]));
            frame.is_some_and(|frame| {
                if only_alone {
                    frame.alone(local)
                } else {
                    frame.speaking[local]
                }
            })
        });
        let print = self.print(track, steps)?;
        Ok(print.map(|values| Print {
            values,
            used_s: if only_alone { alone_s } else { active },
            alone_s,
        }))
    }

    /// The prints of what one voice of a window says between its pauses, as far as
    /// nobody else speaks. A window can take two people for one voice; their turns
    /// are still runs of their own.
    pub(super) fn runs(
        &self,
        track: &Track,
        segment: &Segment,
        local: usize,
    ) -> Result<Vec<Run>, DiarizeError> {
        let mut spoken: Vec<Range<usize>> = Vec::new();
        let speaking =
            |(_, frame): &(usize, &super::segmentation::SegmentFrame)| frame.speaking[local];
        for (i, _) in segment.frames.iter().enumerate().filter(speaking) {
            match spoken.last_mut() {
                Some(last) if i < last.end + RUN_GAP => last.end = i + 1,
                _ => spoken.push(i..i + 1),
            }
        }
        let mut runs = Vec::new();
        for frames in spoken {
            let (from, to) = (
                segment_sample(segment, frames.start),
                segment_sample(segment, frames.end),
            );
            let steps = track.between(from, to).filter(|step| {
                let frame = segment.frames.get(frame_at(segment, track.at[*step]));
                frame.is_some_and(|frame| frame.alone(local))
            });
            if let Some(print) = self.print(track, steps)? {
                runs.push(Run { frames, print });
            }
        }
        Ok(runs)
    }

    /// The print of everything in a slice of time.
    pub(super) fn slice(
        &self,
        track: &Track,
        slice: Region,
    ) -> Result<Option<Vec<f32>>, DiarizeError> {
        let at = |ms: u64| ms as usize * SAMPLE_RATE / 1000;
        self.print(track, track.between(at(slice.start_ms), at(slice.end_ms)))
    }

    /// The print of frames that belong to one voice, as the model was trained.
    #[cfg(test)]
    pub(super) fn whole(&self, frames: &[super::fbank::Frame]) -> Result<Vec<f32>, DiarizeError> {
        let n = frames.len();
        let mean = |band: usize| frames.iter().map(|f| f[band]).sum::<f32>() / n as f32;
        let means: [f32; BANDS] = std::array::from_fn(mean);
        let input = frames
            .iter()
            .flat_map(|f| f.iter().zip(&means).map(|(v, m)| v - m))
            .collect();
        let [mut print] = self.net.run(vec![(&[1, n, BANDS], input)])?;
        super::cluster::normalise(&mut print);
        Ok(print)
    }
}

/// The first sample of the recording that belongs to a frame of a window.
fn segment_sample(segment: &Segment, frame: usize) -> usize {
    let s = (frame as f32 * FRAME_S + FIRST_S - FRAME_S / 2.0).max(0.0);
    segment.start + (s * SAMPLE_RATE as f32) as usize
}

/// The frame of a window that a sample of the recording belongs to.
fn frame_at(segment: &Segment, sample: usize) -> usize {
    let s = sample.saturating_sub(segment.start) as f32 / SAMPLE_RATE as f32;
    ((s - FIRST_S) / FRAME_S).round().max(0.0) as usize
}

/// Cuts regions of speech into overlapping slices.
pub(super) fn slices(regions: &[Region]) -> Vec<Region> {
    let mut out = Vec::new();
    for region in regions {
        let mut start_ms = region.start_ms;
        while start_ms + SLICE_MS < region.end_ms {
            out.push(Region {
                start_ms,
                end_ms: start_ms + SLICE_MS,
            });
            start_ms += SLICE_STEP_MS;
        }
        let start_ms = region.end_ms.saturating_sub(SLICE_MS).max(region.start_ms);
        out.push(Region {
            start_ms,
            end_ms: region.end_ms,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_every_region_to_its_end() {
        let region = |start_ms, end_ms| Region { start_ms, end_ms };
        let got = slices(&[region(100, 900), region(2000, 5000)]);
        assert_eq!(got[0], region(100, 900));
        assert_eq!(
            got[1..],
            [
                region(2000, 3500),
                region(2500, 4000),
                region(3000, 4500),
                region(3500, 5000),
            ]
        );
        assert!(slices(&[]).is_empty());
    }
}
