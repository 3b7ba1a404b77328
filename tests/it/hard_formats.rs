//! Recordings that are not as they should be: formats that are refused by name,
//! files that are cut off, that change in the middle, that were damaged.

use std::path::{Path, PathBuf};

use call_analytics::pipeline::decode::decode;
use call_analytics::pipeline::media::{self, MediaError};

use crate::client::file;
use crate::decode::{decoded, decoded_bytes, frequency, input, samples};
use crate::fixtures::{bytes, ffmpeg, tones};
use crate::formats::{CALL, code};
use crate::mutate::{Mutator, originals};
use crate::server::{Server, Setup};

#[test]
fn he_aac_is_refused_by_name_and_its_plain_part_alone_is_read() {
    let m4a = ffmpeg("lc.m4a", &format!("{CALL} -ac 1 -ar 16000 -c:a aac"));
    let original = bytes(&m4a);
    // ffmpeg writes an AudioSpecificConfig of five bytes: AAC-LC, 16 kHz, one
    // channel, then that there is no SBR.
    let config = [0x14, 0x08, 0x56, 0xe5, 0x00];
    let at = original
        .windows(5)
        .position(|bytes| bytes == config)
        .expect("the config");
    let dir = tempfile::tempdir().expect("a directory");
    let with = |name: &str, config: [u8; 5]| {
        let mut changed = original.clone();
        changed[at..at + 5].copy_from_slice(&config);
        let path = dir.path().join(name);
        std::fs::write(&path, changed).expect("written");
        path
    };
    // Object type 5 (SBR) or 29 (PS), core 16 kHz, one channel, output 32 kHz, core AAC-LC.
    assert_eq!(
        code(&with("he.m4a", [0x2c, 0x0a, 0x88, 0x00, 0x00])),
        "he_aac"
    );
    assert_eq!(
        code(&with("he2.m4a", [0xec, 0x0a, 0x88, 0x00, 0x00])),
        "he_aac"
    );
    assert_eq!(
        code(&with("eld.m4a", [0xf8, 0xf0, 0x20, 0x00, 0x00])),
        "unsupported_codec"
    );
    // SBR announced after a plain configuration: the plain part is all the speech there is.
    let (found, _work) = decoded(&with("implicit.m4a", [0x14, 0x08, 0x56, 0xe5, 0x80]));
    assert_eq!(
        (found.media.codec.as_str(), found.media.sample_rate_hz),
        ("aac", 16_000)
    );
}

#[test]
fn formats_that_are_not_read_are_named() {
    let make = |name: &str, arguments: &str| ffmpeg(name, &format!("{CALL} {arguments}"));
    let write = |name: &str, head: &[u8]| {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
        let mut content = head.to_vec();
        content.resize(4_000, 0x3c);
        std::fs::write(&path, content).expect("written");
        path
    };
    let cases = [
        (make("a.wma", "-c:a wmav2"), "Windows Media"),
        (make("a.au", "-c:a pcm_mulaw"), "Sun audio"),
        (make("a.aiff", ""), "AIFF"),
        (make("a.avi", "-c:a libmp3lame"), "AVI"),
        (make("a.w64", ""), "Wave64"),
        (make("speex.ogg", "-ac 1 -ar 8000 -c:a libspeex"), "Speex"),
        (make("ac3.mkv", "-c:a ac3"), "matroska"),
        (make("ac3.mp4", "-c:a ac3"), "isomp4"),
        (
            make("g726.wav", "-ac 1 -ar 8000 -c:a g726 -b:a 32k"),
            "G.726",
        ),
        (make("mp2.wav", "-ar 48000 -c:a mp2 -f wav"), "MPEG layer 2"),
        (write("a.amr", b"#!AMR\n"), "AMR"),
        (write("a.awb", b"#!AMR-WB\n"), "AMR-WB"),
        (write("a.silk", b"\x02#!SILK_V3"), "SILK"),
        (write("a.ra", b".ra\xfd\x00\x04"), "RealAudio"),
        (write("a.rm", b".RMF\x00\x00\x00\x12"), "RealMedia"),
    ];
    for (path, name) in cases {
        let error = media::inspect(&input(&path)).expect_err("refused");
        assert_eq!(
            error.code(),
            "unsupported_codec",
            "{}: {error}",
            path.display()
        );
        assert!(
            error.to_string().contains(name),
            "{}: {error}",
            path.display()
        );
    }
}

#[test]
fn truncated_files_give_what_is_there() {
    let half = |path: PathBuf| {
        let content = bytes(&path);
        let dir = tempfile::tempdir().expect("a directory");
        let cut = dir.path().join(path.file_name().expect("a name"));
        std::fs::write(&cut, &content[..content.len() / 2]).expect("written");
        decoded(&cut).0.media
    };
    for (name, arguments) in [
        ("a.ogg", "-c:a libvorbis -ar 44100"),
        ("a.opus", "-c:a libopus -b:a 32k"),
        ("a.webm", "-c:a libopus -b:a 32k"),
        ("a.mka", "-c:a flac"),
        ("a.aac", "-c:a aac -f adts"),
        ("a.gsm", "-ac 1 -ar 8000 -c:a libgsm"),
        ("wav49.wav", "-ac 1 -ar 8000 -c:a libgsm_ms"),
        ("ima.wav", "-ac 1 -ar 8000 -c:a adpcm_ima_wav"),
        ("mp3.wav", "-ac 1 -ar 8000 -c:a libmp3lame -f wav"),
        ("fast.m4a", "-c:a aac -ar 44100 -movflags +faststart"),
        (
            "frag.mp4",
            "-c:a aac -ar 44100 -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 500000",
        ),
    ] {
        let media = half(ffmpeg(name, &format!("{CALL} {arguments}")));
        assert!(
            (3_000..7_500).contains(&media.duration_ms),
            "{name}: {media:?}"
        );
    }
    let whole = bytes(&ffmpeg("end.m4a", &format!("{CALL} -c:a aac -ar 44100")));
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("cut.m4a");
    for share in [3, 30, 60, 95] {
        std::fs::write(&path, &whole[..whole.len() * share / 100]).expect("written");
        assert_eq!(code(&path), "unfinished_file", "{share} %");
    }
}

#[test]
fn files_without_sound_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let silent_end = |name: &str, content: Vec<u8>| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        let work = tempfile::tempdir().expect("a directory");
        match decode(&input(&path), work.path(), &|| false, &mut |_| {}) {
            Ok(decoded) => panic!("{name}: {:?}", decoded.media),
            Err(error) => error.code(),
        }
    };
    assert_eq!(
        silent_end("zero.wav", tones(0.0, 8_000, &[440.0])),
        "damaged_file"
    );
    assert_eq!(silent_end("zero.ulaw", Vec::new()), "empty_file");
    assert_eq!(silent_end("one.sln", vec![1]), "damaged_file");
    let opus = bytes(&ffmpeg("a.opus", &format!("{CALL} -c:a libopus -b:a 32k")));
    let second = 28
        + opus[28..]
            .windows(4)
            .position(|four| four == b"OggS")
            .expect("a page");
    let third = second
        + 28
        + opus[second + 28..]
            .windows(4)
            .position(|four| four == b"OggS")
            .expect("a page");
    assert_eq!(
        silent_end("headers.opus", opus[..third].to_vec()),
        "damaged_file"
    );
    let mp3 = ffmpeg("a.mp3", &format!("{CALL} -c:a libmp3lame"));
    let tag = bytes(&mp3);
    assert!(
        ["damaged_file", "unsupported_type"].contains(&silent_end("tag.mp3", tag[..45].to_vec()))
    );
}

#[test]
fn a_rate_that_changes_in_the_middle_is_followed() {
    let tone = |name: &str, hz: u32, rate: u32, coding: &str| {
        bytes(&ffmpeg(
            name,
            &format!(
                "-f lavfi -i sine=frequency={hz}:duration=3 -ac 1 -ar {rate} -map_metadata -1 {coding}"
            ),
        ))
    };
    for (ending, coding, rates) in [
        (
            "mp3",
            "-c:a libmp3lame -b:a 64k -write_xing 0 -id3v2_version 0",
            [8_000, 44_100],
        ),
        ("ogg", "-c:a libvorbis", [44_100, 16_000]),
        ("opus", "-c:a libopus -b:a 32k", [48_000, 16_000]),
    ] {
        let first = tone(&format!("one.{ending}"), 440, rates[0], coding);
        let second = tone(&format!("two.{ending}"), 880, rates[1], coding);
        let (found, work) = decoded_bytes(&[first, second].concat());
        let media = &found.media;
        assert!(
            media.duration_ms.abs_diff(6_000) <= 250,
            "{ending}: {media:?}"
        );
        let samples = samples(&work, 0);
        let pitch = |from: usize| frequency(&samples[from..from + 24_000]);
        assert!(
            (pitch(8_000) - 440.0).abs() < 5.0,
            "{ending}: {}",
            pitch(8_000)
        );
        assert!(
            (pitch(64_000) - 880.0).abs() < 5.0,
            "{ending}: {}",
            pitch(64_000)
        );
        // The envelope goes with the samples, also after the change.
        let frames = found.envelope.channels[0].peak.len();
        assert_eq!(frames, samples.len().div_ceil(800), "{ending}");
    }
}

#[test]
fn a_header_that_asks_for_much_memory_is_refused() {
    let flac = bytes(&ffmpeg("a.flac", &format!("{CALL} -c:a flac")));
    let mut lie = flac.clone();
    // STREAMINFO, 20 bits: the sample rate; zero is not allowed.
    lie[18..20].fill(0);
    lie[20] &= 0x0f;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.flac");
    std::fs::write(&path, lie).expect("written");
    let work = tempfile::tempdir().expect("a directory");
    let error = decode(&input(&path), work.path(), &|| false, &mut |_| {});
    assert!(matches!(error, Err(MediaError::Damaged(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_survives_damaged_files() {
    let server = Server::start(&Setup::scripted()).await;
    let mutator = Mutator::new(&originals(), 2);
    let mut ends = Vec::new();
    for part in 0..4 {
        let files = (part * 20..part * 20 + 20)
            .map(|number| mutator.mutant(number))
            .map(|mutant| file(&mutant.name, mutant.bytes))
            .collect();
        let (status, body) = server.upload(files, &[]).await;
        // 400 when none of them was accepted.
        assert!([202, 400].contains(&status), "{body}");
        for file in body["files"].as_array().expect("files") {
            let refused = file["error"]["code"].as_str();
            ends.push(match (refused, file["id"].as_str()) {
                (Some(code), _) => code.to_owned(),
                (None, Some(id)) => server.finished(id).await,
                (None, None) => panic!("neither refused nor accepted: {file}"),
            });
        }
    }
    assert_eq!(ends.len(), 80);
    assert!(ends.iter().all(|end| end != "internal"), "{ends:?}");
    assert!(ends.iter().any(|end| end == "completed"), "{ends:?}");
    assert!(ends.iter().any(|end| end == "damaged_file"), "{ends:?}");
    assert_eq!(server.get("/health").await["status"], "ok");
}
