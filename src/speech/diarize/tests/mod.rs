//! Tests with the real models, on 23.5 s of a call of our own text spoken by two
//! synthetic voices (8 kHz, µ-law; `shared/audio/call_mono_8k.flac` shortened).

use super::embedding::Embedder;
use super::fbank::{BANDS, Frame};
use super::*;

/// Turns of the two in the fixture, in milliseconds.
const TURNS: [(u64, u64, u8); 4] = [
    (1200, 5754, 0),
    (6354, 12_601, 1),
    (13_101, 17_371, 0),
    (18_871, 22_558, 1),
];

/// The fixture at 16 kHz; between two samples of µ-law their mean is put.
fn call() -> Vec<f32> {
    let bytes = include_bytes!("two_voices_8k.ulaw");
    let narrow: Vec<f32> = bytes
        .iter()
        .map(|b| f32::from(mu_law(*b)) / 32_768.0)
        .collect();
    let next = narrow.iter().skip(1).chain(narrow.last());
    narrow
        .iter()
        .zip(next)
        .flat_map(|(a, b)| [*a, (a + b) / 2.0])
        .collect()
}

/// ITU-T G.711.
fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let (exponent, mantissa) = (byte >> 4 & 7, i16::from(byte & 0x0f));
    let value = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if byte & 0x80 == 0 { value } else { -value }
}

struct Heard<'a>(&'a [f32]);

impl Sound for Heard<'_> {
    fn samples(&self) -> usize {
        self.0.len()
    }

    fn read(&self, from: usize, to: usize) -> std::io::Result<Vec<f32>> {
        Ok(self.0[from..to].to_vec())
    }
}

fn speech(samples: &[f32]) -> Vec<Region> {
    let mut vad = Vad::new().expect("model");
    let mut probs = vad.speech_probs(samples).expect("vad");
    probs.extend(vad.finish().expect("vad"));
    regions(&probs, RegionParams::default())
}

fn diarize(samples: &[f32]) -> Diarization {
    let regions = speech(samples);
    let mut shares = Vec::new();
    let found = Diarizer::new()
        .expect("models")
        .diarize(&Heard(samples), &regions, 2, |share| shares.push(share))
        .expect("diarize");
    assert!(shares.is_sorted() && shares.last().is_none_or(|s| (s - 1.0).abs() < 1e-3));
    assert!(found.spans.is_sorted_by_key(|s| s.start_ms));
    found
}

/// The share of the milliseconds of both lists of spans that agree.
fn share_right(found: &Diarization, turns: &[(u64, u64, u8)]) -> f32 {
    let (mut right, mut total) = (0.0, 0.0);
    for (start, end, speaker) in turns {
        for ms in (*start..*end).step_by(10) {
            let at = |s: &&Span| s.start_ms <= ms && ms < s.end_ms;
            let mut here = found.spans.iter().filter(at).peekable();
            total += 1.0;
            if here.peek().is_some() && here.all(|s| s.speaker == *speaker) {
                right += 1.0;
            }
        }
    }
    right / total
}

#[test]
fn two_voices_are_told_apart() {
    let found = diarize(&call());
    assert_eq!(found.speakers, 2);
    assert!(found.likeness.expect("two voices") < 0.7);
    let right = share_right(&found, &TURNS);
    assert!(right > 0.9, "{right}");
    assert!(
        found
            .spans
            .iter()
            .all(|s| (0.5..=1.0).contains(&s.confidence)),
        "{:?}",
        found.spans
    );
}

#[test]
fn one_voice_is_one() {
    let call = call();
    let mut alone = Vec::new();
    for (start, end, speaker) in TURNS {
        if speaker == 1 {
            alone.extend_from_slice(&call[start as usize * 16..end as usize * 16]);
            alone.extend_from_slice(&[0.0; 8000]);
        }
    }
    let found = diarize(&alone);
    assert_eq!(found.speakers, 1, "{:?}", found.likeness);
    assert!(found.spans.iter().all(|s| s.speaker == 0));
    let spoken: u64 = found.spans.iter().map(|s| s.end_ms - s.start_ms).sum();
    assert!((9000..=11_000).contains(&spoken), "{spoken}");
}

#[test]
fn nobody_is_nobody() {
    for samples in [vec![], vec![0.0; 100], vec![0.0; 16_000 * 25]] {
        let found = diarize(&samples);
        assert_eq!(
            (found.speakers, found.spans.len()),
            (0, 0),
            "{}",
            samples.len()
        );
    }
    // Hum and hiss are no speech either.
    let mut seed = 1_u32;
    let noise: Vec<f32> = (0..16_000 * 12)
        .map(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (seed >> 8) as f32 / 16_777_216.0 - 0.5;
            hiss * 0.02 + 0.1 * (i as f32 * 50.0 * std::f32::consts::TAU / 16_000.0).sin()
        })
        .collect();
    assert!(speech(&noise).is_empty());
    assert_eq!(diarize(&noise).speakers, 0);
}

#[test]
fn speech_is_found_where_it_is() {
    let found = speech(&call());
    for (start, end, _) in TURNS {
        let heard: u64 = found
            .iter()
            .map(|r| r.end_ms.min(end).saturating_sub(r.start_ms.max(start)))
            .sum();
        assert!(
            heard * 10 > (end - start) * 8,
            "{start}: {heard} of {}",
            end - start
        );
    }
    assert!(found.iter().all(|r| r.start_ms > 900), "{found:?}");
}

#[test]
fn a_recording_fed_in_pieces_gives_the_same() {
    let samples = &call()[..16_000 * 9 + 77];
    let mut vad = Vad::new().expect("model");
    let mut whole = vad.speech_probs(samples).expect("vad");
    whole.extend(vad.finish().expect("vad"));
    assert_eq!(whole.len(), samples.len().div_ceil(vad::FRAME));

    let mut pieces = Vec::new();
    let mut rest = samples;
    for n in [1, 511, 512, 513, 40_000, 3, 160, 99_999].iter().cycle() {
        let (piece, others) = rest.split_at((*n).min(rest.len()));
        pieces.extend(vad.speech_probs(piece).expect("vad"));
        rest = others;
        if rest.is_empty() {
            break;
        }
    }
    pieces.extend(vad.finish().expect("vad"));
    assert_eq!(whole.len(), pieces.len());
    for (i, (a, b)) in whole.iter().zip(&pieces).enumerate() {
        assert!((a - b).abs() < 1e-4, "frame {i}: {a} {b}");
    }
}

/// The same input to the original model in onnxruntime gave these numbers. The
/// first two are shorter than the model's pooling windows, whose padding is
/// written differently in the embedded copy (see `assets/models/NOTICE`).
#[test]
fn voice_prints_are_those_of_the_original_model() {
    let embedder = Embedder::new().expect("model");
    for (n, expected) in [
        (60, [-0.1186, -0.0171, 0.0368, -0.0988, -0.0404, 0.0309]),
        (148, [-0.1224, -0.01, 0.0679, -0.0602, -0.0497, 0.0625]),
        (333, [-0.106, -0.0108, 0.0667, -0.0543, -0.0386, 0.08]),
    ] {
        let frame = |t: usize| -> Frame {
            std::array::from_fn(|band: usize| ((t * 31 + band * 17) % 97) as f32 / 48.0 - 1.0)
        };
        assert_eq!(BANDS, 80);
        let print = embedder
            .whole(&(0..n).map(frame).collect::<Vec<_>>())
            .expect("run");
        for (got, want) in print.iter().zip(expected) {
            assert!((got - want).abs() < 2e-3, "{n}: {got} {want}");
        }
    }
}
