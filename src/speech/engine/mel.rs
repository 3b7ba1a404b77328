//! The spectrum that Whisper hears: logarithmic mel energies, 100 frames a
//! second (openai/whisper, `audio.log_mel_spectrogram`).

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Samples in a frame.
const FRAME: usize = 400;
/// Samples from one frame to the next.
pub(super) const HOP: usize = 160;
/// Values of a frame's spectrum.
const BINS: usize = FRAME / 2 + 1;

/// Computes mel energies.
pub(super) struct Mel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// For each band its first bin and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

impl Mel {
    /// `filters`: bands × 201 weights, as the model file has them.
    pub(super) fn new(filters: &[f32]) -> Self {
        let window = (0..FRAME)
            .map(|i| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / FRAME as f32).cos())
            .collect();
        let bands = filters
            .chunks_exact(BINS)
            .map(|band| {
                let first = band.iter().position(|w| *w != 0.0).unwrap_or(0);
                let last = band.iter().rposition(|w| *w != 0.0).unwrap_or(0);
                (first, band[first..=last].to_vec())
            })
            .collect();
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(FRAME),
            window,
            bands,
        }
    }

    /// `frames` rows of mel energies of the samples (16 kHz, −1 to 1), silence after their end.
    pub(super) fn frames(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; BINS];
        let mut mel = Vec::with_capacity(frames * self.bands.len());
        let end = samples.len() as isize;
        for frame in 0..frames {
            let start = (frame * HOP) as isize - (FRAME / 2) as isize;
            for (i, (value, window)) in input.iter_mut().zip(&self.window).enumerate() {
                // The beginning is mirrored.
                let at = (start + i as isize).abs();
                *value = if at < end {
                    samples[at as usize] * window
                } else {
                    0.0
                };
            }
            // Fails only on buffers of a wrong length.
            let _ = self
                .fft
                .process_with_scratch(&mut input, &mut spectrum, &mut scratch);
            for (power, bin) in power.iter_mut().zip(&spectrum) {
                *power = bin.norm_sqr();
            }
            for (first, weights) in &self.bands {
                let energy: f32 = weights
                    .iter()
                    .zip(&power[*first..])
                    .map(|(w, p)| w * p)
                    .sum();
                mel.push(energy.max(1e-10).log10());
            }
        }
        let floor = mel.iter().copied().fold(f32::MIN, f32::max) - 8.0;
        for value in &mut mel {
            *value = (value.max(floor) + 4.0) / 4.0;
        }
        mel
    }
}
