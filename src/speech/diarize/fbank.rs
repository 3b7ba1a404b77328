//! Kaldi's log mel filter bank of 80 bands (25 ms every 10 ms, Povey window,
//! pre-emphasis 0.97, no dither), which the voice-print model was trained on.
//! Called by [`super::embedding`].

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Bands in a frame.
pub(super) const BANDS: usize = 80;
/// Samples from one frame to the next.
pub(super) const HOP: usize = 160;
const LENGTH: usize = 400;
const FFT: usize = 512;

/// One frame.
pub(super) type Frame = [f32; BANDS];

pub(super) struct Fbank {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// For each band the first bin and the weights from there.
    bands: Vec<(usize, Vec<f32>)>,
}

impl Fbank {
    pub(super) fn new() -> Self {
        let mel = |hz: f64| 1127.0 * (1.0 + hz / 700.0).ln();
        let (low, high) = (mel(20.0), mel(8000.0));
        let step = (high - low) / (BANDS + 1) as f64;
        let bands = (0..BANDS)
            .map(|band| {
                let left = low + band as f64 * step;
                let weight = |bin: usize| {
                    let at = (mel(bin as f64 * 16_000.0 / FFT as f64) - left) / step;
                    at.min(2.0 - at).max(0.0)
                };
                let first = (0..FFT / 2).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
                let weights = (first..FFT / 2).map(weight).take_while(|w| *w > 0.0);
                (first, weights.map(|w| w as f32).collect())
            })
            .collect();
        let turn = 2.0 * std::f64::consts::PI / (LENGTH - 1) as f64;
        let window = (0..LENGTH).map(|i| (0.5 - 0.5 * (turn * i as f64).cos()).powf(0.85) as f32);
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(FFT),
            window: window.collect(),
            bands,
        }
    }

    /// All whole frames of `samples`.
    pub(super) fn run(&self, samples: &[f32]) -> Vec<Frame> {
        let mut buffer = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        samples
            .windows(LENGTH)
            .step_by(HOP)
            .map(|piece| {
                let mean = piece.iter().sum::<f32>() / LENGTH as f32;
                let mut before = piece[0] - mean;
                for ((out, x), window) in buffer.iter_mut().zip(piece).zip(&self.window) {
                    let x = x - mean;
                    *out = (x - 0.97 * before) * window;
                    before = x;
                }
                buffer[LENGTH..].fill(0.0);
                // The lengths are the plan's own, the only thing that can be wrong.
                if self
                    .fft
                    .process_with_scratch(&mut buffer, &mut spectrum, &mut scratch)
                    .is_err()
                {
                    return [f32::EPSILON.ln(); BANDS];
                }
                std::array::from_fn(|band| {
                    let (first, weights) = &self.bands[band];
                    let bins = spectrum[*first..].iter().zip(weights);
                    bins.map(|(c, w)| c.norm_sqr() * w)
                        .sum::<f32>()
                        .max(f32::EPSILON)
                        .ln()
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_loudest_in_its_band() {
        let tone: Vec<f32> = (0..16_000)
            .map(|i| (i as f32 * 1000.0 * std::f32::consts::TAU / 16_000.0).sin())
            .collect();
        let frames = Fbank::new().run(&tone);
        assert_eq!(frames.len(), 98);
        let loudest = |f: &Frame| (0..BANDS).max_by(|a, b| f[*a].total_cmp(&f[*b]));
        // 1000 Hz is mel 1000; 81 steps from 31.7 to 2840 put it near band 27.
        assert!(frames.iter().all(|f| matches!(loudest(f), Some(26..=28))));
        assert!(Fbank::new().run(&tone[..399]).is_empty());
    }

    #[test]
    fn silence_is_the_floor() {
        let frames = Fbank::new().run(&[0.0; 800]);
        assert!(
            frames
                .iter()
                .flatten()
                .all(|v| (v - f32::EPSILON.ln()).abs() < 1e-5)
        );
    }
}
