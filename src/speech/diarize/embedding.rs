//! Voice prints: 192 numbers that are alike for pieces of one voice (CAM++).
//! Called by [`super::Diarizer`].

use super::fbank::{BANDS, Fbank, Frame, HOP};
use super::net::{ModelName, Net};
use super::segmentation::{FIRST_S, FRAME_S, Segment};
use super::vad::Region;
use super::{DiarizeError, SAMPLE_RATE};

/// A voice heard for less than this in a window is not looked at.
const SHORTEST_S: f32 = 0.1;
/// From here on, what is spoken alone is enough without what is spoken over.
const ENOUGH_ALONE_S: f32 = 0.4;
/// The model was trained on longer pieces; shorter ones are repeated up to this.
const FEWEST_FRAMES: usize = 20;
/// More than this of a voice in a window costs time and tells no more.
const MOST_FRAMES: usize = 400;
/// Length of a slice of speech that is compared with both voices.
const SLICE_MS: u64 = 1500;
/// From one slice to the next.
const SLICE_STEP_MS: u64 = 1100;

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

impl Embedder {
    pub(super) fn new() -> Result<Self, DiarizeError> {
        Ok(Self {
            net: Net::load(ModelName::VoicePrint)?,
            fbank: Fbank::new(),
        })
    }

    /// The print of one voice of a window; none when it hardly speaks there.
    pub(super) fn local(
        &self,
        samples: &[f32],
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
        let frames = self.fbank.run(segment.samples(samples));
        let mut used = vec![false; frames.len()];
        for (i, frame) in segment.frames.iter().enumerate() {
            let counts = if only_alone {
                frame.alone(local)
            } else {
                frame.speaking[local]
            };
            if counts {
                // A frame of the filter bank is 25 ms wide and there is one every
                // 10 ms, so one of 17 ms here covers two there.
                let middle = FIRST_S + i as f32 * FRAME_S;
                let first = ((middle - 0.0125) * 100.0).round().max(0.0) as usize;
                used.iter_mut().skip(first).take(2).for_each(|u| *u = true);
            }
        }
        let frames: Vec<Frame> = frames
            .into_iter()
            .zip(used)
            .filter_map(|(f, used)| used.then_some(f))
            .take(MOST_FRAMES)
            .collect();
        let used_s = if only_alone { alone_s } else { active };
        self.print(frames).map(|values| {
            values.map(|values| Print {
                values,
                used_s,
                alone_s,
            })
        })
    }

    /// The print of everything in a slice of time.
    pub(super) fn slice(
        &self,
        samples: &[f32],
        slice: Region,
    ) -> Result<Option<Vec<f32>>, DiarizeError> {
        let at = |ms: u64| (ms as usize * SAMPLE_RATE / 1000 / HOP * HOP).min(samples.len());
        self.print(
            self.fbank
                .run(&samples[at(slice.start_ms)..at(slice.end_ms)]),
        )
    }

    pub(super) fn print(&self, mut frames: Vec<Frame>) -> Result<Option<Vec<f32>>, DiarizeError> {
        if frames.is_empty() {
            return Ok(None);
        }
        let given = frames.len();
        for i in given..FEWEST_FRAMES {
            frames.push(frames[i % given]);
        }
        let n = frames.len();
        let mut mean = [0.0; BANDS];
        for frame in &frames {
            mean.iter_mut()
                .zip(frame)
                .for_each(|(m, v)| *m += v / n as f32);
        }
        let input = frames
            .iter()
            .flat_map(|f| f.iter().zip(&mean).map(|(v, m)| v - m))
            .collect();
        let [mut values] = self.net.run(vec![(&[1, n, BANDS], input)])?;
        super::cluster::normalise(&mut values);
        Ok(Some(values))
    }
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
            [region(2000, 3500), region(3100, 4600), region(3500, 5000),]
        );
        assert!(slices(&[]).is_empty());
    }
}
