//! Recordings for the tests: cut and converted by ffmpeg from one real call, or
//! computed. What ffmpeg makes is kept in Cargo's directory for test files.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// 75 s of a two-party Russian call, the operator on the left.
pub(crate) fn whole_call() -> PathBuf {
    repository().join("tests/e2e/call.mp3")
}

/// The speech model.
pub(crate) fn model() -> PathBuf {
    let path = match std::env::var_os("CALL_ANALYTICS_TEST_MODEL") {
        Some(path) => PathBuf::from(path),
        None => repository().join("data/models/ggml-base-q8_0.bin"),
    };
    assert!(
        path.is_file(),
        "there is no speech model at {}: run ./install.sh test, or name a ggml file in CALL_ANALYTICS_TEST_MODEL",
        path.display()
    );
    path
}

/// The file `name` that ffmpeg makes with `arguments` (all but the output).
/// `{call}` in an argument stands for the real call.
pub(crate) fn ffmpeg(name: &str, arguments: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let mut hash = DefaultHasher::new();
    (name, arguments).hash(&mut hash);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recordings");
    let path = dir.join(format!("{:016x}-{name}", hash.finish()));
    if path.exists() {
        return path;
    }
    std::fs::create_dir_all(&dir).expect("the directory of the recordings");
    // Tests run at the same time: the name is given to a whole file only.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let part = dir.join(format!("part-{}-{number}-{name}", std::process::id()));
    let call = whole_call();
    let output =
        Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
            .args(arguments.split_whitespace().map(|argument| {
                argument.replace("{call}", call.to_str().expect("a path in UTF-8"))
            }))
            .arg(&part)
            .output()
            .expect("ffmpeg cannot be started: install it (on Debian: apt-get install ffmpeg)");
    assert!(
        output.status.success(),
        "ffmpeg {arguments} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::rename(&part, &path).expect("the recording gets its name");
    path
}

/// The first `seconds` of the call as mp3, both channels.
pub(crate) fn clip(seconds: u32) -> PathBuf {
    ffmpeg(
        "clip.mp3",
        &format!("-i {{call}} -t {seconds} -map_metadata -1 -c:a libmp3lame -b:a 64k"),
    )
}

/// More than four hours of the call: many seconds of decoding.
pub(crate) fn long_call() -> PathBuf {
    ffmpeg(
        "long.mp3",
        "-stream_loop 200 -i {call} -map_metadata -1 -c copy",
    )
}

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A WAV file with `tones[n]` Hz in channel `n`; others tones make other bytes.
pub(crate) fn tones(seconds: f64, rate_hz: u32, tones: &[f64]) -> Vec<u8> {
    let frames = (seconds * f64::from(rate_hz)) as u32;
    let mut samples = Vec::new();
    for frame in 0..frames {
        for tone in tones {
            let phase = std::f64::consts::TAU * tone * f64::from(frame) / f64::from(rate_hz);
            let value = (phase.sin() * 12_000.0) as i16;
            samples.extend_from_slice(&value.to_le_bytes());
        }
    }
    let channels = tones.len() as u16;
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + samples.len() as u32).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    wav.extend_from_slice(&1u16.to_le_bytes());
    wav.extend_from_slice(&channels.to_le_bytes());
    wav.extend_from_slice(&rate_hz.to_le_bytes());
    wav.extend_from_slice(&(rate_hz * u32::from(channels) * 2).to_le_bytes());
    wav.extend_from_slice(&(channels * 2).to_le_bytes());
    wav.extend_from_slice(&16u16.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&(samples.len() as u32).to_le_bytes());
    wav.extend_from_slice(&samples);
    wav
}

/// A stereo call for tests in which a script plays the speech worker; every
/// `number` makes other bytes.
pub(crate) fn scripted_call(number: u32) -> Vec<u8> {
    let number = f64::from(number);
    tones(8.0, 8000, &[300.0 + number, 700.0 + number])
}

/// The same with one channel.
pub(crate) fn scripted_mono(number: u32) -> Vec<u8> {
    tones(8.0, 8000, &[300.0 + f64::from(number)])
}

/// Bytes without a pattern.
pub(crate) fn noise_bytes(length: usize, mut seed: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        })
        .collect()
}

/// A disk in memory, which can get full; gone when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Of so many megabytes in the place of a directory; `None` without root, who alone
    /// may mount something.
    pub(crate) fn at(dir: &Path, megabytes: u32) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "none"])
            .arg(dir)
            .output();
        mount
            .is_ok_and(|mount| mount.status.success())
            .then(|| Self(dir.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
