//! Recordings that are hard on the decoder, in a process of their own, so that
//! its memory is the decoder's: thousands that are damaged, and long ones.
//! `tests/e2e/mutate.sh` runs the first with another count.

#[path = "../it/fixtures.rs"]
#[allow(dead_code)]
mod fixtures;
#[path = "../it/mutate.rs"]
mod mutate;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use call_analytics::domain::RawEndings;
use call_analytics::pipeline::decode::{Decoded, decode};
use call_analytics::pipeline::media::{self, Input, MediaError};

use crate::fixtures::ffmpeg;
use crate::mutate::{Mutator, originals};

/// One at a time: memory is measured.
static ALONE: Mutex<()> = Mutex::new(());

/// Time for one damaged file of a second or two: a hundred times what a sound one takes.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// Memory that a damaged file may take beyond what was taken before.
const MUTANT_MIB: u64 = 128;
/// The same for a long file: its samples would take 110 MiB in half an hour.
const LONG_MIB: u64 = 48;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}: {text:?} is no number"))
    })
}

/// A line of `/proc/self/status`, in MiB.
fn status_mib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status of the process");
    let line = status
        .lines()
        .find(|line| line.starts_with(key))
        .expect("the line");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number");
    kib / 1024
}

/// Largest growth of memory in MiB while `work` runs.
fn growth_mib(work: impl FnOnce()) -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak is forgotten");
    let before = status_mib("VmRSS:");
    work();
    status_mib("VmHWM:").saturating_sub(before)
}

/// As intake and the decode stage do it.
fn take_in(path: &Path, name: &str, work: &Path) -> Result<Decoded, MediaError> {
    let found = media::inspect(&Input::named(path, name, &RawEndings::default()))?;
    let input = Input::accepted(path, &found.content_type);
    decode(&input, work, &|| false, &mut |_| {})
}

#[test]
fn damaged_files_end_in_sound_or_in_a_reason() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let count = number("CALL_ANALYTICS_MUTANTS", 300);
    let seed = number("CALL_ANALYTICS_MUTATION_SEED", 1);
    let mutator = Mutator::new(&originals(), seed);
    let dir = tempfile::tempdir().expect("a directory");
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    for index in 0..count {
        let mutant = mutator.mutant(index);
        // Kept when the test fails, under a name that says which it is.
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mutant-{seed}-{}", mutant.name));
        std::fs::write(&path, &mutant.bytes).expect("written");
        let (path_inside, work) = (path.clone(), dir.path().join("work"));
        let name = mutant.name.clone();
        let begun = Instant::now();
        let mut end = None;
        let grown = growth_mib(|| {
            let (tell, told) = channel();
            let thread = std::thread::spawn(move || {
                let _ = tell.send(take_in(&path_inside, &name, &work));
            });
            end = match told.recv_timeout(TIME_LIMIT) {
                Ok(end) => Some(end),
                Err(RecvTimeoutError::Timeout) => panic!("{}: no end", path.display()),
                // The panic of the thread is on standard error.
                Err(RecvTimeoutError::Disconnected) => panic!("{}: a panic", path.display()),
            };
            thread.join().expect("the thread ends");
        });
        slowest = slowest.max(begun.elapsed());
        largest = largest.max(grown);
        assert!(grown <= MUTANT_MIB, "{}: {grown} MiB", path.display());
        let what = match end.expect("an end") {
            Ok(decoded) => {
                let media = &decoded.media;
                assert!(
                    media.duration_ms > 0 || media.damaged_packets == 0,
                    "{media:?}"
                );
                "decoded".to_owned()
            }
            Err(MediaError::Io(error)) => panic!("{}: {error}", path.display()),
            Err(error) if error.to_string().contains("decoder of this format failed") => {
                format!("{} (a panic that was caught)", error.code())
            }
            Err(error) => error.code().to_owned(),
        };
        *ends.entry(what).or_default() += 1;
        std::fs::remove_file(&path).expect("removed");
    }
    println!("{count} damaged files, seed {seed}: {ends:#?}");
    println!("slowest {slowest:?}, largest growth {largest} MiB");
    assert_eq!(ends.values().sum::<u64>(), count);
    if count >= 300 {
        let decoded = ends.get("decoded").copied().unwrap_or(0);
        assert!(
            decoded > count / 10 && decoded < count,
            "the damage is not of the right size: {decoded} of {count} decoded"
        );
    }
}

#[test]
fn long_files_take_no_more_memory_than_short_ones() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let minutes = number("CALL_ANALYTICS_LONG_MINUTES", 30);
    // The call lasts 75 s.
    let times = minutes * 60 / 75;
    for (name, coding, rate_hz) in [
        ("long.wav", "-c:a pcm_mulaw -ar 8000", 8_000),
        ("long.mp3", "-c:a libmp3lame -b:a 32k -ar 22050", 22_050),
        ("long.opus", "-c:a libopus -b:a 24k", 48_000),
        ("long.m4a", "-c:a aac -b:a 32k -ar 16000", 16_000),
        ("192k.wav", "-ac 1 -c:a pcm_s16le -ar 192000", 192_000),
    ] {
        // It takes 23 MB a minute.
        let times = if rate_hz == 192_000 {
            times.div_ceil(6)
        } else {
            times
        };
        let one = ffmpeg(name, &format!("-i {{call}} -map_metadata -1 {coding}"));
        let one = one.to_str().expect("a path in UTF-8");
        let long = ffmpeg(
            name,
            &format!("-stream_loop {} -i {one} -c copy", times - 1),
        );
        let work = tempfile::tempdir().expect("a directory");
        let mut decoded = None;
        let begun = Instant::now();
        let grown = growth_mib(|| {
            decoded = Some(take_in(&long, name, work.path()).expect("decoded"));
        });
        let media = decoded.expect("an end").media;
        println!(
            "{name}: {} s decoded in {:.1?}, {grown} MiB",
            media.duration_ms / 1000,
            begun.elapsed()
        );
        assert_eq!(media.sample_rate_hz, rate_hz, "{name}");
        let expected = times * 75_000;
        assert!(
            media.duration_ms.abs_diff(expected) < expected / 100,
            "{name}: {media:?}"
        );
        assert!(grown <= LONG_MIB, "{name}: {grown} MiB");
    }
}
