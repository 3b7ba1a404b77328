//! Takes speech out of a channel that is only the other party, heard faintly
//! (cross-talk of the line, or the echo of a loudspeaker), so that no sentence is
//! written twice. Called by recognition before anything is recognized.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::pcm::{Pcm, SAMPLE_RATE};
use crate::domain::Span;

/// Speech is compared in stretches of this length.
const STRETCH_MS: u64 = 800;
/// From one stretch to the next.
const STEP_MS: u64 = 400;
/// An echo comes back within this time; a line has hardly any delay.
const MOST_DELAY_MS: u64 = 250;
/// A copy is at least this much quieter than what it is a copy of, as a ratio of
/// powers (6 dB); otherwise each could be the copy.
const QUIETER: f64 = 0.25;
/// Correlation from which one is a copy of the other: then more than a third of its
/// power is. Two people who speak at once reach 0.2 to 0.3.
const COPY: f64 = 0.6;
/// What remains of a region is kept from this length on.
const SHORTEST_MS: u64 = 200;

/// Removes from the speech of each of two channels what is a copy of the other.
pub(super) fn remove(channels: &[Pcm; 2], speech: &mut [Vec<Span>; 2]) -> io::Result<()> {
    let compare = Compare::new();
    let [left, right] = &*speech;
    let cleaned = [
        cleaned(&compare, [&channels[0], &channels[1]], left, right)?,
        cleaned(&compare, [&channels[1], &channels[0]], right, left)?,
    ];
    *speech = cleaned;
    Ok(())
}

/// The regions of the first channel without copies of the second.
fn cleaned(
    compare: &Compare,
    [own, other]: [&Pcm; 2],
    regions: &[Span],
    others: &[Span],
) -> io::Result<Vec<Span>> {
    let mut kept = Vec::new();
    for region in regions {
        let near = others.iter().any(|other| other.overlap_ms(*region) > 0);
        if !near {
            kept.push(*region);
            continue;
        }
        let mut from = region.start_ms;
        for copy in copies(compare, own, other, *region)? {
            kept.extend(long_enough(from, copy.start));
            from = copy.end;
        }
        if from == region.start_ms {
            kept.push(*region);
        } else {
            kept.extend(long_enough(from, region.end_ms));
        }
    }
    Ok(kept)
}

fn long_enough(start_ms: u64, end_ms: u64) -> Option<Span> {
    (end_ms >= start_ms + SHORTEST_MS).then_some(Span { start_ms, end_ms })
}

/// The parts of a region that are a copy, in milliseconds, in order.
fn copies(compare: &Compare, own: &Pcm, other: &Pcm, region: Span) -> io::Result<Vec<Range<u64>>> {
    let mut copies: Vec<Range<u64>> = Vec::new();
    let mut start = region.start_ms;
    loop {
        let end = (start + STRETCH_MS).min(region.end_ms);
        let from = end.saturating_sub(STRETCH_MS).max(region.start_ms);
        if compare.is_copy(own, other, from..end)? {
            match copies.last_mut() {
                Some(last) if last.end >= from => last.end = end,
                _ => copies.push(from..end),
            }
        }
        if end == region.end_ms {
            break;
        }
        start += STEP_MS;
    }
    Ok(copies)
}

/// Correlates two stretches of sound.
struct Compare {
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
}

impl Compare {
    fn new() -> Self {
        let at = |ms: u64| (ms * SAMPLE_RATE / 1000) as usize;
        let size = (at(STRETCH_MS) * 2 + at(MOST_DELAY_MS)).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        Self {
            forward: planner.plan_fft_forward(size),
            back: planner.plan_fft_inverse(size),
        }
    }

    /// True when what `own` has in `time` is `other`, later by up to [`MOST_DELAY_MS`].
    fn is_copy(&self, own: &Pcm, other: &Pcm, time: Range<u64>) -> io::Result<bool> {
        let at = |ms: u64| ms * SAMPLE_RATE / 1000;
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        own.read(at(time.start), at(time.end), &mut mine)?;
        let before = at(MOST_DELAY_MS).min(at(time.start));
        other.read(at(time.start) - before, at(time.end), &mut theirs)?;
        let power = |samples: &[f32]| samples.iter().map(|s| f64::from(s * s)).sum::<f64>();
        let own_power = power(&mine);
        if mine.len() < 2 || theirs.len() < mine.len() || own_power <= 0.0 {
            return Ok(false);
        }
        let Some(correlation) = self.correlate(&mine, &theirs) else {
            return Ok(false);
        };
        // Power of the other's stretch at each delay, from sums up to each sample.
        let mut sums = vec![0.0];
        for sample in &theirs {
            sums.push(sums[sums.len() - 1] + f64::from(sample * sample));
        }
        let delays = theirs.len() - mine.len() + 1;
        Ok(correlation[..delays].iter().enumerate().any(|(i, sum)| {
            let their_power = sums[i + mine.len()] - sums[i];
            own_power < QUIETER * their_power
                && f64::from(sum.abs()) > COPY * (own_power * their_power).sqrt()
        }))
    }

    /// For each place in `theirs` the sum of products with `mine` put there.
    fn correlate(&self, mine: &[f32], theirs: &[f32]) -> Option<Vec<f32>> {
        let spectrum = |samples: &[f32]| -> Option<Vec<Complex<f32>>> {
            let mut input = self.forward.make_input_vec();
            input.get_mut(..samples.len())?.copy_from_slice(samples);
            let mut output = self.forward.make_output_vec();
            self.forward.process(&mut input, &mut output).ok()?;
            Some(output)
        };
        let mine = spectrum(mine)?;
        let mut product = spectrum(theirs)?;
        let size = self.back.len() as f32;
        for (theirs, mine) in product.iter_mut().zip(mine) {
            *theirs = *theirs * mine.conj() / size;
        }
        let mut sums = self.back.make_output_vec();
        self.back.process(&mut product, &mut sums).ok()?;
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Two seconds of somebody: noise whose loudness goes up and down, of a seed.
    fn voice(seed: u32, samples: usize) -> Vec<f32> {
        let mut state = seed;
        (0..samples)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let loud = (i as f32 / 1600.0 + seed as f32).sin().abs();
                ((state >> 8) as f32 / 16_777_216.0 - 0.5) * loud * 0.5
            })
            .collect()
    }

    fn pcm(dir: &std::path::Path, name: &str, samples: &[f32]) -> Pcm {
        let path = dir.join(name);
        let mut file = std::fs::File::create(&path).expect("a file");
        for sample in samples {
            let value = (sample * 32_767.0) as i16;
            file.write_all(&value.to_le_bytes()).expect("written");
        }
        Pcm::open(&path).expect("a file")
    }

    fn span(start_ms: u64, end_ms: u64) -> Span {
        Span { start_ms, end_ms }
    }

    /// The left speaks from 0 to 2 s, the right from 3 to 5 s and, in the left
    /// channel, at `level` and `delay` samples later; the left answers with `own`.
    fn after(level: f32, delay: usize, own: f32) -> [Vec<Span>; 2] {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut left, mut right) = (vec![0.0; 96_000], vec![0.0; 96_000]);
        left[..32_000].copy_from_slice(&voice(1, 32_000));
        right[48_000..80_000].copy_from_slice(&voice(2, 32_000));
        for i in 48_000..80_000 {
            left[i + delay] += right[i] * level;
        }
        for (sample, own_sample) in left[48_000..].iter_mut().zip(voice(3, 32_000)) {
            *sample += own_sample * own;
        }
        let mut speech = [
            vec![span(0, 2000), span(3000, 5000)],
            vec![span(3000, 5000)],
        ];
        let channels = [pcm(dir.path(), "l", &left), pcm(dir.path(), "r", &right)];
        remove(&channels, &mut speech).expect("read");
        speech
    }

    #[test]
    fn a_faint_copy_is_taken_out() {
        for (level, delay) in [(0.1, 0), (0.03, 40), (-0.3, 3200)] {
            let [left, right] = after(level, delay, 0.0);
            assert_eq!(left, [span(0, 2000)], "{level} {delay}");
            assert_eq!(right, [span(3000, 5000)], "{level} {delay}");
        }
    }

    #[test]
    fn who_speaks_at_the_same_time_stays() {
        let both = [span(0, 2000), span(3000, 5000)];
        for (level, own) in [(0.0, 0.1), (0.0, 1.0), (0.05, 0.2), (0.1, 1.0)] {
            let [left, right] = after(level, 0, own);
            assert_eq!(left, both, "{level} {own}");
            assert_eq!(right, [span(3000, 5000)], "{level} {own}");
        }
    }

    #[test]
    fn what_is_said_before_a_copy_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let right: Vec<f32> = [vec![0.0; 32_000], voice(2, 32_000)].concat();
        let mut left: Vec<f32> = right.iter().map(|s| s * 0.1).collect();
        left[..32_000].copy_from_slice(&voice(1, 32_000));
        let mut speech = [vec![span(0, 4000)], vec![span(2000, 4000)]];
        let channels = [pcm(dir.path(), "l", &left), pcm(dir.path(), "r", &right)];
        remove(&channels, &mut speech).expect("read");
        let [left, _] = speech;
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(
            left[0].start_ms == 0 && (1600..=2400).contains(&left[0].end_ms),
            "{left:?}"
        );
    }
}
