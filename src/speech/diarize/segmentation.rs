//! Which of up to three voices speak in a window of ten seconds (pyannote
//! segmentation 3.0). Called by [`super::Diarizer`].
//!
//! The model gives log-probabilities of seven cases for each of 589 frames:
//! nobody, one of three voices, two of them at once ("powerset"). The numbers of
//! the voices hold within a window only.

use super::net::{ModelName, Net};
use super::{DiarizeError, SAMPLE_RATE};

/// Voices that a window can hold.
pub(super) const LOCAL: usize = 3;
/// Seconds from one frame to the next.
pub(super) const FRAME_S: f32 = 270.0 / SAMPLE_RATE as f32;
/// The middle of the first frame: half of the model's view of 991 samples.
pub(super) const FIRST_S: f32 = 991.0 / 2.0 / SAMPLE_RATE as f32;

pub(super) const WINDOW: usize = 10 * SAMPLE_RATE;
/// From one window to the next: a third of each is seen by both. Half costs half as
/// much again and was no better on the calls it was measured on; a tenth is worse.
pub(super) const HOP: usize = WINDOW * 3 / 4;
/// Windows that the model sees at once: its recurrent layers go through the time of all
/// together, which takes half as long as one after the other. More take more memory
/// (20 MB each) for a tenth of the time.
const TOGETHER: usize = 3;
const CASES: usize = 7;
const SPEAKING: [[bool; LOCAL]; CASES] = [
    [false, false, false],
    [true, false, false],
    [false, true, false],
    [false, false, true],
    [true, true, false],
    [true, false, true],
    [false, true, true],
];

pub(super) struct Segmenter {
    net: Net,
}

/// What the model says of one window.
pub(super) struct Segment {
    /// First sample of the window.
    pub(super) start: usize,
    pub(super) frames: Vec<SegmentFrame>,
}

/// One frame of a window.
#[derive(Clone, Copy)]
pub(super) struct SegmentFrame {
    /// Who speaks, in the most probable case.
    pub(super) speaking: [bool; LOCAL],
    /// The probability that each speaks, over all cases.
    pub(super) activity: [f32; LOCAL],
}

impl SegmentFrame {
    pub(super) fn count(&self) -> usize {
        self.speaking.iter().filter(|s| **s).count()
    }

    /// Only this one speaks.
    pub(super) fn alone(&self, local: usize) -> bool {
        self.speaking[local] && self.count() == 1
    }
}

/// The first samples of the windows that cover a recording. The last one ends where
/// the recording does: in a window that is mostly silence one voice looks like two.
pub(super) fn starts(samples: usize) -> Vec<usize> {
    let last = samples.saturating_sub(WINDOW);
    let mut starts: Vec<usize> = (0..last).step_by(HOP).collect();
    if samples > 0 {
        starts.push(last);
    }
    starts
}

impl Segmenter {
    pub(super) fn new() -> Result<Self, DiarizeError> {
        Ok(Self {
            net: Net::load(ModelName::Segmentation)?,
        })
    }

    /// Runs the model on the windows that begin at `starts`, samples of the recording;
    /// `samples` are those from the first of them on. Where they end there is silence.
    pub(super) fn run(
        &self,
        samples: &[f32],
        starts: &[usize],
    ) -> Result<Vec<Segment>, DiarizeError> {
        let mut segments = Vec::with_capacity(starts.len());
        for together in starts.chunks(TOGETHER) {
            let mut input = vec![0.0; together.len() * WINDOW];
            for (window, start) in input.chunks_exact_mut(WINDOW).zip(together) {
                let heard = samples.get(start - starts[0]..).unwrap_or_default();
                let heard = &heard[..heard.len().min(WINDOW)];
                window[..heard.len()].copy_from_slice(heard);
            }
            let [cases] = self.net.run(vec![(&[together.len(), 1, WINDOW], input)])?;
            let cases = cases.as_chunks().0;
            let each = (cases.len() / together.len()).max(1);
            segments.extend(
                together
                    .iter()
                    .zip(cases.chunks(each))
                    .map(|(start, cases)| Segment {
                        start: *start,
                        frames: cases.iter().map(frame).collect(),
                    }),
            );
        }
        Ok(segments)
    }
}

fn frame(log_probs: &[f32; CASES]) -> SegmentFrame {
    let best = (0..CASES)
        .max_by(|a, b| log_probs[*a].total_cmp(&log_probs[*b]))
        .unwrap_or(0);
    let mut activity = [0.0; LOCAL];
    for (log_prob, speaking) in log_probs.iter().zip(SPEAKING) {
        for (sum, speaks) in activity.iter_mut().zip(speaking) {
            if speaks {
                *sum += log_prob.exp();
            }
        }
    }
    SegmentFrame {
        speaking: SPEAKING[best],
        activity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_recording() {
        assert!(starts(0).is_empty());
        assert_eq!(starts(1), [0]);
        assert_eq!(starts(WINDOW), [0]);
        assert_eq!(starts(WINDOW + 1), [0, 1]);
        assert_eq!(starts(WINDOW + HOP), [0, HOP]);
        let many = starts(1_234_567);
        assert_eq!(many.last(), Some(&(1_234_567 - WINDOW)));
        assert!(many.windows(2).all(|two| two[1] - two[0] <= HOP));
    }

    #[test]
    fn cases_become_voices() {
        let log_probs = [0.05_f32, 0.1, 0.05, 0.1, 0.6, 0.05, 0.05].map(f32::ln);
        let frame = frame(&log_probs);
        assert_eq!(frame.speaking, [true, true, false]);
        assert_eq!(frame.count(), 2);
        assert!(!frame.alone(0));
        for (got, want) in frame.activity.iter().zip([0.75, 0.7, 0.2]) {
            assert!((got - want).abs() < 1e-5);
        }
    }
}
