//! What the decode stage makes of files: codecs and containers that callers
//! send, rates, channels, and files that are damaged.

use std::path::Path;

use call_analytics::domain::{MediaKind, RawEndings};
use call_analytics::pipeline::decode::{Decoded, decode, pcm_paths};
use call_analytics::pipeline::media::{self, Input, MediaError};
use tempfile::TempDir;

use crate::fixtures::{bytes, ffmpeg, noise_bytes, tones};

/// The file as it would be taken in under its name.
pub(crate) fn input(path: &Path) -> Input {
    let name = path.file_name().expect("a name").to_string_lossy();
    Input::named(path, &name, &RawEndings::default())
}

/// Decodes into a fresh directory; the samples are in it while it lives.
pub(crate) fn decoded(path: &Path) -> (Decoded, TempDir) {
    let work = tempfile::tempdir().expect("a directory");
    let decoded = decode(&input(path), work.path(), &|| false, &mut |_| {})
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (decoded, work)
}

pub(crate) fn decoded_bytes(bytes: &[u8]) -> (Decoded, TempDir) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    decoded(file.path())
}

/// Samples of a kept channel.
pub(crate) fn samples(work: &TempDir, channel: usize) -> Vec<i16> {
    let path = &pcm_paths(work.path(), channel as u16 + 1)[channel];
    bytes(path)
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// Frequency of a tone at 16 kHz, by its upward zero crossings.
pub(crate) fn frequency(samples: &[i16]) -> f64 {
    let middle = &samples[samples.len() / 8..samples.len() * 7 / 8];
    let crossings = middle
        .windows(2)
        .filter(|pair| pair[0] < 0 && pair[1] >= 0)
        .count();
    crossings as f64 * 16_000.0 / middle.len() as f64
}

fn rms(samples: &[i16]) -> f64 {
    let middle = &samples[samples.len() / 8..samples.len() * 7 / 8];
    (middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64).sqrt()
}

// Both parties speak in it.
const SOUND: &str = "-ss 5 -t 3 -i {call} -map_metadata -1";
const VIDEO: &str = "-f lavfi -i testsrc=size=64x64:rate=5:duration=3 -ss 5 -t 3 -i {call}";

#[test]
fn formats_that_callers_send() {
    let sound = |name: &str, arguments: &str| ffmpeg(name, &format!("{SOUND} {arguments}"));
    let video = |name: &str, arguments: &str| {
        ffmpeg(
            name,
            &format!("{VIDEO} {arguments} -map 0:v -map 1:a -shortest"),
        )
    };
    let cases = [
        (
            sound("a.mp3", "-c:a libmp3lame"),
            "mp3",
            16_000,
            "audio/mpeg",
        ),
        (
            sound("mpeg25.mp3", "-c:a libmp3lame -ar 8000"),
            "mp3",
            8_000,
            "audio/mpeg",
        ),
        (
            sound("vbr.mp3", "-c:a libmp3lame -q:a 4 -ar 44100"),
            "mp3",
            44_100,
            "audio/mpeg",
        ),
        (
            sound("s16.wav", "-c:a pcm_s16le"),
            "pcm_s16le",
            16_000,
            "audio/wav",
        ),
        (
            sound("u8.wav", "-c:a pcm_u8"),
            "pcm_u8",
            16_000,
            "audio/wav",
        ),
        (
            sound("s24.wav", "-c:a pcm_s24le"),
            "pcm_s24le",
            16_000,
            "audio/wav",
        ),
        (
            sound("f32.wav", "-c:a pcm_f32le"),
            "pcm_f32le",
            16_000,
            "audio/wav",
        ),
        (
            sound("alaw.wav", "-c:a pcm_alaw -ar 8000"),
            "pcm_alaw",
            8_000,
            "audio/wav",
        ),
        (
            sound("mulaw.wav", "-c:a pcm_mulaw -ar 8000"),
            "pcm_mulaw",
            8_000,
            "audio/wav",
        ),
        (
            sound("ima.wav", "-c:a adpcm_ima_wav -ar 8000"),
            "adpcm_ima_wav",
            8_000,
            "audio/wav",
        ),
        (
            sound("ms.wav", "-c:a adpcm_ms -ar 8000"),
            "adpcm_ms",
            8_000,
            "audio/wav",
        ),
        (
            sound("192k.wav", "-c:a pcm_s16le -ar 192000"),
            "pcm_s16le",
            192_000,
            "audio/wav",
        ),
        (
            sound("a.flac", "-c:a flac -ar 48000"),
            "flac",
            48_000,
            "audio/flac",
        ),
        (
            sound("a.ogg", "-c:a libvorbis -ar 44100"),
            "vorbis",
            44_100,
            "audio/ogg",
        ),
        (
            sound("a.m4a", "-c:a aac -ar 44100"),
            "aac",
            44_100,
            "audio/mp4",
        ),
        (
            sound("phone.m4a", "-c:a aac -ar 16000"),
            "aac",
            16_000,
            "audio/mp4",
        ),
        (
            sound("a.aac", "-c:a aac -ar 44100 -f adts"),
            "aac",
            44_100,
            "audio/aac",
        ),
        (sound("a.mka", "-c:a flac"), "flac", 16_000, "audio/webm"),
        (
            video("a.mp4", "-c:v libx264 -pix_fmt yuv420p -c:a aac -ar 44100"),
            "aac",
            44_100,
            "video/mp4",
        ),
        (
            video(
                "fast.mp4",
                "-c:v libx264 -pix_fmt yuv420p -c:a aac -ar 48000 -movflags +faststart",
            ),
            "aac",
            48_000,
            "video/mp4",
        ),
        (
            video(
                "frag.mp4",
                "-c:v libx264 -pix_fmt yuv420p -c:a aac -ar 48000 -movflags frag_keyframe+empty_moov",
            ),
            "aac",
            48_000,
            "video/mp4",
        ),
        (
            video("a.mov", "-c:v libx264 -pix_fmt yuv420p -c:a aac -ar 44100"),
            "aac",
            44_100,
            "video/mp4",
        ),
        (
            video("a.mkv", "-c:v libx264 -pix_fmt yuv420p -c:a aac -ar 44100"),
            "aac",
            44_100,
            "video/webm",
        ),
        (
            video("a.webm", "-c:v libvpx -c:a libvorbis -ar 44100"),
            "vorbis",
            44_100,
            "video/webm",
        ),
    ];
    let mut faults = Vec::new();
    for (path, codec, rate_hz, content_type) in cases {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let kind = if content_type.starts_with("video/") {
            MediaKind::Video
        } else {
            MediaKind::Audio
        };
        match media::inspect(&input(&path)) {
            Ok(found) => {
                if (found.kind, found.content_type.as_str()) != (kind, content_type) {
                    faults.push(format!("{name}: {found:?}"));
                }
            }
            Err(error) => faults.push(format!("{name}: {error}")),
        }
        let work = tempfile::tempdir().expect("a directory");
        match decode(&input(&path), work.path(), &|| false, &mut |_| {}) {
            Err(error) => faults.push(format!("{name}: {error}")),
            Ok(Decoded { media, envelope }) => {
                let kept = samples(&work, 0).len() as u64 / 16;
                let right = media.codec == codec
                    && media.sample_rate_hz == rate_hz
                    && media.channels == 2
                    && media.kept_channels == 2
                    && !media.dual_mono
                    && media.damaged_packets == 0
                    && media.duration_ms.abs_diff(3000) <= 100
                    && kept.abs_diff(media.duration_ms) <= 1
                    && envelope.channels.len() == 2;
                if !right {
                    faults.push(format!("{name}: {media:?}, {kept} ms of samples"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rate_keeps_pitch_length_and_loudness() {
    for rate_hz in [
        8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000,
    ] {
        let (decoded, work) = decoded_bytes(&tones(2.0, rate_hz, &[1000.0]));
        assert_eq!(decoded.media.duration_ms, 2000, "{rate_hz} Hz");
        let samples = samples(&work, 0);
        let (pitch, loud) = (frequency(&samples), rms(&samples));
        assert!(
            (pitch - 1000.0).abs() < 10.0,
            "{rate_hz} Hz: a tone of {pitch} Hz"
        );
        let expected = 12_000.0 / 2f64.sqrt();
        assert!(
            (loud / expected - 1.0).abs() < 0.03,
            "{rate_hz} Hz: {loud} for {expected}"
        );
    }
}

#[test]
fn what_16_khz_cannot_hold_does_not_come_back_as_another_tone() {
    let (_, work) = decoded_bytes(&tones(2.0, 48_000, &[11_000.0]));
    let left = rms(&samples(&work, 0));
    assert!(left < 12.0, "an alias of {left} (full scale 32768)");
}

#[test]
fn channels_stay_apart_and_in_order() {
    let (decoded, work) = decoded_bytes(&tones(2.0, 44_100, &[440.0, 880.0]));
    assert_eq!(
        (decoded.media.channels, decoded.media.kept_channels),
        (2, 2)
    );
    assert!((frequency(&samples(&work, 0)) - 440.0).abs() < 5.0);
    assert!((frequency(&samples(&work, 1)) - 880.0).abs() < 5.0);
}

#[test]
fn two_channels_with_one_signal_are_one() {
    let (exact, _work) = decoded_bytes(&tones(2.0, 8_000, &[440.0, 440.0]));
    assert!(exact.media.dual_mono);
    assert_eq!((exact.media.channels, exact.media.kept_channels), (2, 1));
    // As an mp3 coder leaves them: not the same to the last bit.
    let lossy = ffmpeg(
        "dual.mp3",
        "-t 6 -i {call} -filter_complex pan=stereo|c0=c0+c1|c1=c0+c1 -c:a libmp3lame -b:a 32k -joint_stereo 0",
    );
    let (lossy, _work) = decoded(&lossy);
    assert!(lossy.media.dual_mono, "{:?}", lossy.media);
    assert_eq!(lossy.media.kept_channels, 1);
}

#[test]
fn one_signal_at_two_levels_is_one() {
    // One voice that is louder on one side is still one voice.
    let uneven = ffmpeg(
        "uneven.wav",
        "-t 6 -i {call} -filter_complex pan=stereo|c0=0.7*c0+0.7*c1|c1=0.35*c0+0.35*c1 -c:a pcm_s16le",
    );
    let (uneven, _work) = decoded(&uneven);
    assert_eq!(uneven.media.kept_channels, 1, "{:?}", uneven.media);
    // And with the sign of one side turned.
    let turned = ffmpeg(
        "turned.wav",
        "-t 6 -i {call} -filter_complex pan=stereo|c0=0.5*c0+0.5*c1|c1=-0.5*c0+-0.5*c1 -c:a pcm_s16le",
    );
    let (turned, _work) = decoded(&turned);
    assert_eq!(turned.media.kept_channels, 1, "{:?}", turned.media);
}

#[test]
fn a_silent_channel_is_no_party() {
    let (decoded, work) = decoded_bytes(&tones(2.0, 8_000, &[0.0, 440.0]));
    assert_eq!(decoded.media.kept_channels, 1);
    assert!(
        (frequency(&samples(&work, 0)) - 440.0).abs() < 5.0,
        "the silent one was kept"
    );
}

#[test]
fn more_than_two_channels_are_mixed() {
    let surround = ffmpeg("surround.wav", "-t 3 -i {call} -ac 6 -c:a pcm_s16le");
    let (decoded, _work) = decoded(&surround);
    assert_eq!(
        (decoded.media.channels, decoded.media.kept_channels),
        (6, 1)
    );
}

#[test]
fn damaged_files_give_what_is_left_of_them() {
    let mp3 = bytes(&ffmpeg(
        "whole.mp3",
        "-t 10 -i {call} -map_metadata -1 -c:a libmp3lame -b:a 64k",
    ));
    let (cut, _work) = decoded_bytes(&mp3[..mp3.len() * 6 / 10]);
    assert!(
        cut.media.duration_ms.abs_diff(6000) < 300,
        "{:?}",
        cut.media
    );
    let mut hurt = mp3.clone();
    let middle = hurt.len() / 2;
    hurt[middle..middle + 4000].copy_from_slice(&noise_bytes(4000, 7));
    let (hurt, _work) = decoded_bytes(&hurt);
    assert!(hurt.media.duration_ms > 8500, "{:?}", hurt.media);
    let wav = tones(4.0, 8_000, &[440.0]);
    let (cut, _work) = decoded_bytes(&wav[..wav.len() / 2]);
    assert!(cut.media.duration_ms.abs_diff(2000) < 50, "{:?}", cut.media);
    let flac = bytes(&ffmpeg("whole.flac", "-t 10 -i {call} -c:a flac"));
    let (cut, _work) = decoded_bytes(&flac[..flac.len() / 2]);
    assert!(
        (3500..7000).contains(&cut.media.duration_ms),
        "{:?}",
        cut.media
    );
}

#[test]
fn a_cover_picture_is_no_video() {
    let cover = ffmpeg(
        "cover.mp3",
        "-t 3 -i {call} -f lavfi -i testsrc=size=64x64:rate=1:duration=1 -map 0:a -map 1:v -frames:v 1 -c:v png -disposition:v attached_pic -id3v2_version 3 -metadata title=Звонок",
    );
    let inspected = media::inspect(&input(&cover)).expect("accepted");
    assert_eq!(inspected.kind, MediaKind::Audio);
    let (decoded, _work) = decoded(&cover);
    assert!(
        decoded.media.duration_ms.abs_diff(3000) <= 100,
        "{:?}",
        decoded.media
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let silent = |name: &str, arguments: &str| {
        ffmpeg(
            name,
            &format!("-f lavfi -i testsrc=size=64x64:rate=5:duration=1 {arguments}"),
        )
    };
    let sound = |name: &str, arguments: &str| ffmpeg(name, &format!("{SOUND} {arguments}"));
    let made = [
        (
            silent("mute.mp4", "-c:v libx264 -pix_fmt yuv420p"),
            "no_audio_track",
        ),
        (
            silent("mute.mkv", "-c:v libx264 -pix_fmt yuv420p"),
            "no_audio_track",
        ),
        (silent("mute.webm", "-c:v libvpx"), "no_audio_track"),
        (silent("picture.png", "-frames:v 1"), "unsupported_type"),
        (
            silent("picture.jpg", "-frames:v 1 -s 1600x1200"),
            "unsupported_type",
        ),
        (silent("picture.gif", ""), "unsupported_type"),
        (sound("wma.wav", "-c:a wmav2 -f wav"), "unsupported_codec"),
    ];
    let mut faults = Vec::new();
    let mut hold =
        |name: String, found: Result<media::Inspected, MediaError>, code: &str| match found {
            Ok(inspected) => faults.push(format!("{name}: accepted as {inspected:?}, not {code}")),
            Err(error) if error.code() != code => {
                faults.push(format!("{name}: {} ({error}), not {code}", error.code()))
            }
            Err(_) => {}
        };
    for (path, code) in made {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        hold(name, media::inspect(&input(&path)), code);
    }
    let m4a = bytes(&sound("cut.m4a", "-c:a aac -ar 44100"));
    let mut zip = b"PK\x03\x04\x14\x00\x00\x00\x08\x00".to_vec();
    zip.extend(noise_bytes(300_000, 3));
    let raw = [
        ("empty", Vec::new(), "empty_file"),
        (
            "text",
            "Стенограмма звонка. ".repeat(5000).into_bytes(),
            "unsupported_type",
        ),
        ("one byte", vec![0xff], "unsupported_type"),
        ("zeros", vec![0; 100_000], "unsupported_type"),
        ("zip", zip, "unsupported_type"),
        ("random", noise_bytes(2_000_000, 11), "unsupported_type"),
        (
            "m4a without its end",
            m4a[..m4a.len() / 2].to_vec(),
            "unfinished_file",
        ),
        (
            "RIFF alone",
            b"RIFF\x00\x00\x00\x00WAVE".to_vec(),
            "damaged_file",
        ),
    ];
    for (name, content, code) in raw {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        hold(name.to_owned(), media::inspect(&input(file.path())), code);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
