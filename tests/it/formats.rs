//! Formats of telephony: GSM, Opus, G.722, sound without a header, WAV files of
//! all kinds. Where another decoder exists, its samples are the measure: what
//! ffmpeg decodes to a WAV file has to come out the same.

use std::path::{Path, PathBuf};

use call_analytics::domain::{MediaInfo, RawEndings};
use call_analytics::pipeline::decode::decode;
use call_analytics::pipeline::media::{self, Input};
use tempfile::TempDir;

use crate::client::file;
use crate::decode::{decoded, frequency, input, samples};
use crate::fixtures::{bytes, ffmpeg, tones};
use crate::server::{Server, Setup};

/// Ten seconds in which both parties speak.
pub(crate) const CALL: &str = "-ss 5 -t 10 -i {call} -map_metadata -1";

/// A file of the call and what ffmpeg makes of it again.
fn pair(name: &str, arguments: &str, how_to_read: &str) -> (PathBuf, PathBuf) {
    let coded = ffmpeg(name, &format!("{CALL} {arguments}"));
    let path = coded.to_str().expect("a path in UTF-8");
    let reference = ffmpeg(
        &format!("{name}.reference.wav"),
        &format!("{how_to_read} -i {path} -c:a pcm_s16le"),
    );
    (coded, reference)
}

/// Largest difference of two recordings, sample by sample.
fn difference(one: &TempDir, other: &TempDir) -> i32 {
    let (one, other) = (samples(one, 0), samples(other, 0));
    assert_eq!(one.len(), other.len());
    one.iter()
        .zip(&other)
        .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs())
        .max()
        .expect("samples")
}

/// Correlation of two recordings, where one begins up to 200 ms before the other:
/// decoders differ in how much of a coder's delay they drop.
fn likeness(one: &[i16], other: &[i16]) -> f64 {
    let at_once = |one: &[i16], other: &[i16]| {
        let sums = one.iter().zip(other).fold([0.0; 3], |[x, y, xy], (a, b)| {
            let (a, b) = (f64::from(*a), f64::from(*b));
            [x + a * a, y + b * b, xy + a * b]
        });
        sums[2] / (sums[0] * sums[1]).sqrt()
    };
    (0..3_200)
        .flat_map(|by| [at_once(&one[by..], other), at_once(one, &other[by..])])
        .fold(0.0, f64::max)
}

/// Code of the refusal.
pub(crate) fn code(path: &Path) -> &'static str {
    match media::inspect(&input(path)) {
        Ok(found) => panic!("{}: accepted as {found:?}", path.display()),
        Err(error) => error.code(),
    }
}

#[test]
fn telephone_codings_decode_to_the_last_bit() {
    let mono = "-ac 1 -ar 8000";
    let cases = [
        // (name, how it is made, how ffmpeg reads it, container, codec, rate)
        (
            "a.gsm",
            format!("{mono} -c:a libgsm"),
            "",
            "gsm",
            "gsm",
            8_000,
        ),
        (
            "wav49.wav",
            format!("{mono} -c:a libgsm_ms"),
            "",
            "wave",
            "gsm",
            8_000,
        ),
        (
            "a.ulaw",
            format!("{mono} -c:a pcm_mulaw -f mulaw"),
            "-f mulaw -ar 8000 -ac 1",
            "raw",
            "pcm_mulaw",
            8_000,
        ),
        (
            "a.alaw",
            format!("{mono} -c:a pcm_alaw -f alaw"),
            "-f alaw -ar 8000 -ac 1",
            "raw",
            "pcm_alaw",
            8_000,
        ),
        (
            "a.sln",
            format!("{mono} -c:a pcm_s16le -f s16le"),
            "-f s16le -ar 8000 -ac 1",
            "raw",
            "pcm_s16le",
            8_000,
        ),
        (
            "a.sln16",
            "-ac 1 -ar 16000 -c:a pcm_s16le -f s16le".to_owned(),
            "-f s16le -ar 16000 -ac 1",
            "raw",
            "pcm_s16le",
            16_000,
        ),
        (
            "a.g722",
            "-ac 1 -ar 16000 -c:a g722".to_owned(),
            "",
            "raw",
            "g722",
            16_000,
        ),
        (
            "g722.wav",
            "-ac 1 -ar 16000 -c:a g722 -f wav".to_owned(),
            "",
            "wave",
            "g722",
            16_000,
        ),
    ];
    for (name, arguments, how_to_read, container, codec, rate_hz) in cases {
        let (coded, reference) = pair(name, &arguments, how_to_read);
        let (coded, work) = decoded(&coded);
        let (_, expected) = decoded(&reference);
        let MediaInfo {
            sample_rate_hz,
            channels,
            damaged_packets,
            ..
        } = coded.media;
        assert_eq!(
            (coded.media.container.as_str(), coded.media.codec.as_str()),
            (container, codec),
            "{name}"
        );
        assert_eq!(
            (sample_rate_hz, channels, damaged_packets),
            (rate_hz, 1, 0),
            "{name}"
        );
        let length = samples(&expected, 0).len();
        assert!(length.abs_diff(160_000) <= 640, "{name}: {length} samples");
        // The standard leaves the last filter of G.722 to the decoder.
        let most = if codec == "g722" { 100 } else { 0 };
        let difference = difference(&work, &expected);
        assert!(difference <= most, "{name}: {difference}");
    }
}

#[test]
fn gsm_decodes_any_bytes_as_the_reference_does() {
    // Half of the frames hit at random: parameters that no coder would choose.
    let (coded, _) = pair("wild.gsm", "-ac 1 -ar 8000 -c:a libgsm", "");
    let mut wild = bytes(&coded);
    let noise = crate::fixtures::noise_bytes(wild.len(), 6);
    for (n, frame) in wild.chunks_exact_mut(33).enumerate() {
        if n % 2 == 0 {
            frame[1..].copy_from_slice(&noise[n * 33 + 1..n * 33 + 33]);
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let wild_path = dir.path().join("wild.gsm");
    std::fs::write(&wild_path, wild).expect("written");
    let reference = dir.path().join("reference.wav");
    let status = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-c:a", "libgsm", "-i"])
        .arg(&wild_path)
        .args(["-c:a", "pcm_s16le"])
        .arg(&reference)
        .status()
        .expect("ffmpeg runs");
    assert!(status.success());
    let (_, work) = decoded(&wild_path);
    let (_, expected) = decoded(&reference);
    assert_eq!(difference(&work, &expected), 0);
}

#[test]
fn what_sox_writes_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("source.wav");
    std::fs::write(&source, tones(3.0, 8_000, &[440.0])).expect("written");
    for (name, container, codec) in [
        ("a.gsm", "gsm", "gsm"),
        ("a.ul", "raw", "pcm_mulaw"),
        ("a.al", "raw", "pcm_alaw"),
        ("a.sln", "raw", "pcm_s16le"),
        ("gsm.wav", "wave", "gsm"),
        ("ima.wav", "wave", "adpcm_ima_wav"),
    ] {
        let path = dir.path().join(name);
        let mut sox = std::process::Command::new("sox");
        sox.arg(&source);
        match name {
            "gsm.wav" => drop(sox.args(["-e", "gsm-full-rate"])),
            "ima.wav" => drop(sox.args(["-e", "ima-adpcm"])),
            _ => {}
        }
        let output = sox
            .arg(&path)
            .output()
            .expect("sox cannot be started: install it (on Debian: apt-get install sox)");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {said}");
        let (decoded, work) = decoded(&path);
        let media = decoded.media;
        assert_eq!(
            (media.container.as_str(), media.codec.as_str()),
            (container, codec)
        );
        assert!(media.duration_ms.abs_diff(3_000) <= 60, "{name}: {media:?}");
        assert!(
            (frequency(&samples(&work, 0)) - 440.0).abs() < 3.0,
            "{name}"
        );
    }
}

#[test]
fn opus_is_read_from_every_container() {
    let stereo = "-c:a libopus -b:a 64k";
    let voice = "-ac 1 -ar 8000 -c:a libopus -b:a 12k -application voip";
    let cases = [
        ("a.ogg", stereo, "ogg", 2),
        ("a.opus", voice, "ogg", 1),
        (
            "long.opus",
            "-ac 1 -c:a libopus -b:a 24k -frame_duration 60",
            "ogg",
            1,
        ),
        (
            "short.opus",
            "-ac 1 -c:a libopus -b:a 24k -frame_duration 2.5 -application lowdelay",
            "ogg",
            1,
        ),
        ("a.webm", stereo, "matroska", 2),
        ("voice.webm", voice, "matroska", 1),
        ("a.mka", stereo, "matroska", 2),
        ("a.mp4", stereo, "isomp4", 2),
    ];
    for (name, arguments, container, channels) in cases {
        let (coded, reference) = pair(name, arguments, "-c:a libopus");
        let (found, work) = decoded(&coded);
        let (_, expected) = decoded(&reference);
        let media = found.media;
        assert_eq!(
            (
                media.container.as_str(),
                media.codec.as_str(),
                media.channels
            ),
            (container, "opus", channels),
            "{name}"
        );
        assert_eq!(
            (media.sample_rate_hz, media.damaged_packets),
            (48_000, 0),
            "{name}"
        );
        // Containers without a length of their own end with a whole packet.
        assert!(
            media.duration_ms.abs_diff(10_000) <= 70,
            "{name}: {media:?}"
        );
        let likeness = likeness(&samples(&work, 0), &samples(&expected, 0));
        assert!(likeness > 0.98, "{name}: {likeness}");
    }
}

#[test]
fn mp3_in_wav_is_mp3() {
    let (coded, reference) = pair("mp3.wav", "-ac 1 -ar 8000 -c:a libmp3lame -f wav", "");
    let (found, work) = decoded(&coded);
    assert_eq!(
        (found.media.container.as_str(), found.media.codec.as_str()),
        ("wave", "mp3")
    );
    assert!(
        found.media.duration_ms.abs_diff(10_000) < 250,
        "{:?}",
        found.media
    );
    let (_, expected) = decoded(&reference);
    let likeness = likeness(&samples(&work, 0), &samples(&expected, 0));
    assert!(likeness > 0.98, "{likeness}");
}

#[test]
fn wav_files_of_all_kinds_are_read_alike() {
    let (_, expected) = decoded(&ffmpeg("plain.wav", &format!("{CALL} -c:a pcm_s16le")));
    let same = |path: &Path, most: i32| {
        let (found, work) = decoded(path);
        assert_eq!(found.media.container, "wave", "{}", path.display());
        let difference = difference(&work, &expected);
        assert!(difference <= most, "{}: {difference}", path.display());
    };
    same(&ffmpeg("s24.wav", &format!("{CALL} -c:a pcm_s24le")), 1);
    same(&ffmpeg("s32.wav", &format!("{CALL} -c:a pcm_s32le")), 1);
    same(&ffmpeg("f64.wav", &format!("{CALL} -c:a pcm_f64le")), 1);
    same(
        &ffmpeg("rf64.wav", &format!("{CALL} -c:a pcm_s16le -rf64 always")),
        0,
    );
    // Written to a pipe: no lengths, as recorders leave them.
    let plain = bytes(&ffmpeg("plain.wav", &format!("{CALL} -c:a pcm_s16le")));
    let data = plain
        .windows(4)
        .position(|four| four == b"data")
        .expect("data");
    let dir = tempfile::tempdir().expect("a directory");
    for (name, riff, length) in [
        ("piped.wav", u32::MAX, u32::MAX),
        ("never finished.wav", 0, 0),
        ("of an earlier moment.wav", 1_000, 2_048),
    ] {
        let mut wav = plain.clone();
        wav[4..8].copy_from_slice(&riff.to_le_bytes());
        wav[data + 4..data + 8].copy_from_slice(&length.to_le_bytes());
        let path = dir.path().join(name);
        std::fs::write(&path, wav).expect("written");
        same(&path, 0);
    }
    let six = ffmpeg("six.wav", &format!("{CALL} -ac 6 -c:a pcm_s24le"));
    assert_eq!(bytes(&six)[20..22], [0xfe, 0xff], "WAVE_FORMAT_EXTENSIBLE");
    assert_eq!(decoded(&six).0.media.channels, 6);
}

#[test]
fn sound_without_a_header_needs_a_name() {
    let ulaw = ffmpeg(
        "a.ulaw",
        &format!("{CALL} -ac 1 -ar 8000 -c:a pcm_mulaw -f mulaw"),
    );
    let dir = tempfile::tempdir().expect("a directory");
    let named = |name: &str| {
        let path = dir.path().join(name);
        std::fs::copy(&ulaw, &path).expect("copied");
        path
    };
    for name in ["a.raw", "a.PCM", "a.vox"] {
        assert_eq!(code(&named(name)), "unknown_raw", "{name}");
    }
    let message = media::inspect(&input(&named("a.pcm")))
        .expect_err("refused")
        .to_string();
    assert!(
        message.contains(".pcm") && message.contains("[raw]"),
        "{message}"
    );
    assert_eq!(code(&named("a.bin")), "unsupported_type");
    // As configured; what is accepted is decoded by its content type alone.
    let mut endings = RawEndings::default();
    endings.set("pcm", Some("mulaw 8000 2".parse().expect("a format")));
    let path = named("a.pcm");
    let found = media::inspect(&Input::named(&path, "Звонок.PCM", &endings)).expect("accepted");
    assert_eq!(found.content_type, "audio/PCMU;rate=8000;channels=2");
    let work = tempfile::tempdir().expect("a directory");
    let accepted = Input::accepted(&path, &found.content_type);
    let decoded = decode(&accepted, work.path(), &|| false, &mut |_| {}).expect("decoded");
    assert_eq!(decoded.media.channels, 2);
    assert!(
        decoded.media.duration_ms.abs_diff(5_000) <= 1,
        "{:?}",
        decoded.media
    );
    // A file with a header is what its header says, whatever its name.
    let wav = dir.path().join("wav.ulaw");
    std::fs::write(&wav, tones(1.0, 44_100, &[440.0])).expect("written");
    assert_eq!(
        media::inspect(&input(&wav)).expect("accepted").content_type,
        "audio/wav"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_without_a_header_goes_the_whole_way() {
    let server = Server::start(&Setup::scripted()).await;
    let ulaw = ffmpeg(
        "a.ulaw",
        &format!("{CALL} -ac 1 -ar 8000 -c:a pcm_mulaw -f mulaw"),
    );
    let (status, body) = server
        .upload(
            vec![file("a.ulaw", bytes(&ulaw)), file("a.pcm", bytes(&ulaw))],
            &[],
        )
        .await;
    assert_eq!(status, 202, "{body}");
    let id = body["files"][0]["id"].as_str().expect("an id");
    server.completed(id).await;
    let media = server.result(id).await;
    assert_eq!(
        media["recording"]["content_type"], "audio/PCMU;rate=8000;channels=1",
        "{media}"
    );
    // The same bytes are the same recording, under whatever name.
    assert_eq!(body["files"][1]["duplicate"], true, "{body}");
}
