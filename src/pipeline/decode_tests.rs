//! Tests of decoding on files made here, sample by sample. Files made by ffmpeg
//! are tested in `tests/it`.

use super::*;

fn wav(rate_hz: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let data = samples.len() as u32 * 2;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(1u16.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((rate_hz * u32::from(channels) * 2).to_le_bytes());
    bytes.extend((channels * 2).to_le_bytes());
    bytes.extend(16u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    bytes
}

fn tone(rate_hz: u32, seconds: f64, hz: f64) -> Vec<i16> {
    (0..(f64::from(rate_hz) * seconds) as usize)
        .map(|n| {
            let phase = n as f64 / f64::from(rate_hz) * hz * std::f64::consts::TAU;
            (phase.sin() * 16_000.0) as i16
        })
        .collect()
}

struct Run {
    decoded: Decoded,
    dir: tempfile::TempDir,
}

fn run(bytes: &[u8]) -> Result<Run, MediaError> {
    let dir = tempfile::tempdir().expect("dir");
    let source = dir.path().join("source");
    std::fs::write(&source, bytes).expect("written");
    let input = Input::accepted(&source, "");
    let decoded = decode(&input, &dir.path().join("work"), &|| false, &mut |_| {})?;
    Ok(Run { decoded, dir })
}

impl Run {
    fn samples(&self, channel: usize) -> Vec<i16> {
        let kept = self.decoded.media.kept_channels;
        let path = &pcm_paths(&self.dir.path().join("work"), kept)[channel];
        std::fs::read(path)
            .expect("samples")
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }
}

/// Power of one frequency ÷ power of all.
fn purity(samples: &[i16], hz: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let phase = n as f64 / f64::from(SAMPLE_RATE_HZ) * hz * std::f64::consts::TAU;
        let sample = f64::from(*sample);
        re += sample * phase.cos();
        im += sample * phase.sin();
        all += sample * sample;
    }
    2.0 * (re * re + im * im) / (samples.len() as f64 * all)
}

#[test]
fn every_rate_becomes_16_khz_of_the_same_length_and_tone() {
    for rate_hz in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 192_000] {
        let run = run(&wav(rate_hz, 1, &tone(rate_hz, 1.5, 440.0))).expect("decoded");
        let samples = run.samples(0);
        assert!(samples.len().abs_diff(24_000) <= 1, "{rate_hz}");
        assert!(run.decoded.media.duration_ms.abs_diff(1_500) <= 1);
        assert_eq!(run.decoded.media.sample_rate_hz, rate_hz);
        let purity = purity(&samples[1_600..22_400], 440.0);
        assert!(purity > 0.999, "{rate_hz}: {purity}");
        // No delay: the sine begins at its zero crossing.
        let first = samples.iter().position(|s| s.abs() > 3_000).expect("sound");
        assert!(first < 20, "{rate_hz}: {first}");
    }
}

#[test]
fn two_channels_stay_apart() {
    let left = tone(8_000, 1.0, 300.0);
    let right = tone(8_000, 1.0, 700.0);
    let both: Vec<i16> = left
        .iter()
        .zip(&right)
        .flat_map(|(l, r)| [*l, *r])
        .collect();
    let run = run(&wav(8_000, 2, &both)).expect("decoded");
    assert_eq!(
        (run.decoded.media.kept_channels, run.decoded.media.dual_mono),
        (2, false)
    );
    assert!(purity(&run.samples(0), 300.0) > 0.99);
    assert!(purity(&run.samples(1), 700.0) > 0.99);
    assert_eq!(run.decoded.envelope.channels.len(), 2);
    assert_eq!(run.decoded.envelope.channels[0].peak.len(), 20);
}

#[test]
fn one_signal_in_two_channels_is_mono() {
    let signal = tone(8_000, 1.0, 300.0);
    let twice: Vec<i16> = signal.iter().flat_map(|s| [*s, *s]).collect();
    let right_only: Vec<i16> = signal.iter().flat_map(|s| [0, *s]).collect();
    let left_only: Vec<i16> = signal.iter().flat_map(|s| [*s, 0]).collect();
    for samples in [twice, right_only, left_only] {
        let run = run(&wav(8_000, 2, &samples)).expect("decoded");
        let media = &run.decoded.media;
        assert_eq!(
            (media.channels, media.kept_channels, media.dual_mono),
            (2, 1, true)
        );
        assert!(
            purity(&run.samples(0), 300.0) > 0.99,
            "the channel with the sound is kept"
        );
    }
}

#[test]
fn many_channels_are_mixed() {
    let signal = tone(8_000, 0.5, 300.0);
    let six: Vec<i16> = signal.iter().flat_map(|s| [*s; 6]).collect();
    let run = run(&wav(8_000, 6, &six)).expect("decoded");
    assert_eq!(
        (run.decoded.media.channels, run.decoded.media.kept_channels),
        (6, 1)
    );
}

#[test]
fn a_truncated_file_keeps_what_it_has() {
    let bytes = wav(8_000, 1, &tone(8_000, 2.0, 440.0));
    let run = run(&bytes[..44 + 16_000]).expect("decoded");
    assert_eq!(run.decoded.media.duration_ms, 1_000);
}

#[test]
fn what_is_no_recording_is_refused_with_a_reason() {
    let code = |bytes: &[u8]| match run(bytes) {
        Ok(run) => panic!("decoded: {:?}", run.decoded.media),
        Err(error) => error.code(),
    };
    assert_eq!(code(b""), "empty_file");
    assert_eq!(
        code(b"hello, this is a text and no sound at all"),
        "unsupported_type"
    );
    assert_eq!(code(&[0u8; 10_000]), "unsupported_type");
    assert_eq!(code(&wav(8_000, 1, &[])), "damaged_file");
    assert_eq!(code(b"#!AMR\n and what follows"), "unsupported_codec");
    let with = |at: usize, bytes: &[u8]| {
        let mut wav = wav(8_000, 1, &tone(8_000, 1.0, 440.0));
        wav[at..at + bytes.len()].copy_from_slice(bytes);
        wav
    };
    assert_eq!(code(&with(20, &[0x61, 0x01])), "unsupported_codec");
    for rate_hz in [0u32, 1, 999, 768_001, u32::MAX] {
        assert_eq!(
            code(&with(24, &rate_hz.to_le_bytes())),
            "damaged_file",
            "{rate_hz} Hz"
        );
    }
    for channels in [0u16, 65, 255, u16::MAX] {
        assert_eq!(
            code(&with(22, &channels.to_le_bytes())),
            "damaged_file",
            "{channels}"
        );
    }
    for bits in [0u16, 33, 128, u16::MAX] {
        assert_eq!(
            code(&with(34, &bits.to_le_bytes())),
            "damaged_file",
            "{bits} bits"
        );
    }
}

#[test]
fn lengths_that_a_header_gets_wrong_do_not_matter() {
    let whole = wav(8_000, 1, &tone(8_000, 2.0, 440.0));
    for (riff, data) in [
        (0u32, 0u32),
        (u32::MAX, u32::MAX),
        (100, 1_000_000),
        (0, 1_600),
    ] {
        let mut wav = whole.clone();
        wav[4..8].copy_from_slice(&riff.to_le_bytes());
        wav[40..44].copy_from_slice(&data.to_le_bytes());
        let run = run(&wav).expect("decoded");
        assert_eq!(run.decoded.media.duration_ms, 2_000, "{riff} {data}");
    }
}

#[test]
fn a_chunk_after_the_sound_is_no_sound() {
    let mut wav = wav(8_000, 1, &tone(8_000, 1.0, 440.0));
    wav.extend(b"LIST");
    wav.extend(8_000u32.to_le_bytes());
    wav.extend([0x7f; 8_000]);
    assert_eq!(run(&wav).expect("decoded").decoded.media.duration_ms, 1_000);
}

#[test]
fn the_envelope_measures_loudness_and_clipping() {
    let mut samples = tone(16_000, 0.1, 500.0);
    samples.extend(vec![i16::MAX; 800]);
    samples.extend(vec![0; 800]);
    let run = run(&wav(16_000, 1, &samples)).expect("decoded");
    let channel = &run.decoded.envelope.channels[0];
    assert_eq!(run.decoded.envelope.frame_ms, 50);
    assert_eq!(channel.rms_dbfs, [-9, -9, 0, -120]);
    assert_eq!(channel.clipped, [0, 0, 800, 0]);
    assert_eq!(channel.peak[3], 0);
}

#[test]
fn a_decoding_can_be_stopped() {
    let dir = tempfile::tempdir().expect("dir");
    let source = dir.path().join("source");
    std::fs::write(&source, wav(8_000, 1, &tone(8_000, 60.0, 440.0))).expect("written");
    let asked = std::cell::Cell::new(0);
    let stopped = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    let input = Input::accepted(&source, "");
    let result = decode(&input, &dir.path().join("work"), &stopped, &mut |_| {});
    assert!(matches!(result, Err(MediaError::Stopped)));
    assert_eq!(asked.get(), 4);
}

#[test]
fn samples_that_are_no_numbers_are_silence() {
    let mut bytes = wav(8_000, 1, &[]);
    bytes[20] = 3;
    bytes[34] = 32;
    for n in 0..16_000 {
        let sample = [
            0.1,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            1e30,
        ][n % 6];
        bytes.extend(sample.to_le_bytes());
    }
    let run = run(&bytes).expect("decoded");
    assert_eq!(run.decoded.media.duration_ms, 2_000);
    assert!(run.samples(0).iter().any(|sample| *sample != 0));
}
