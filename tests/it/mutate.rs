//! Damages recordings at random, but always the same way for the same seed:
//! what a bad line, a bad disk or a bad program does to a file.

use std::path::{Path, PathBuf};

use crate::fixtures::{bytes, ffmpeg};

/// A real recording of a second or two in each format.
pub(crate) fn originals() -> Vec<PathBuf> {
    const CALL: &str = "-ss 6 -t 1.5 -i {call} -map_metadata -1";
    const VIDEO: &str = "-f lavfi -i testsrc=size=32x32:rate=5:duration=1.5 -ss 6 -t 1.5 -i {call} -map 0:v -map 1:a -shortest -map_metadata -1";
    let sound = [
        ("s16.wav", "-c:a pcm_s16le"),
        ("s24.wav", "-ac 3 -c:a pcm_s24le"),
        ("f32.wav", "-c:a pcm_f32le -ar 44100"),
        ("rf64.wav", "-c:a pcm_s16le -rf64 always"),
        ("alaw.wav", "-c:a pcm_alaw -ar 8000"),
        ("mulaw.wav", "-c:a pcm_mulaw -ar 8000"),
        ("ima.wav", "-c:a adpcm_ima_wav -ar 8000"),
        ("ms.wav", "-c:a adpcm_ms -ar 8000"),
        ("wav49.wav", "-ac 1 -ar 8000 -c:a libgsm_ms"),
        ("mp3.wav", "-ac 1 -ar 8000 -c:a libmp3lame -f wav"),
        ("g722.wav", "-ac 1 -ar 16000 -c:a g722 -f wav"),
        ("a.gsm", "-ac 1 -ar 8000 -c:a libgsm"),
        ("a.g722", "-ac 1 -ar 16000 -c:a g722"),
        ("a.ulaw", "-ac 1 -ar 8000 -c:a pcm_mulaw -f mulaw"),
        ("a.sln", "-ac 1 -ar 8000 -c:a pcm_s16le -f s16le"),
        ("cbr.mp3", "-c:a libmp3lame -b:a 64k"),
        (
            "vbr.mp3",
            "-c:a libmp3lame -q:a 4 -ar 44100 -metadata title=Call",
        ),
        ("a.flac", "-c:a flac"),
        ("a.ogg", "-c:a libvorbis -ar 44100"),
        ("flac.ogg", "-c:a flac -f ogg"),
        ("a.opus", "-c:a libopus -b:a 32k"),
        ("a.webm", "-c:a libopus -b:a 32k"),
        ("a.mka", "-c:a flac"),
        ("vorbis.mka", "-c:a libvorbis"),
        ("a.aac", "-c:a aac -f adts"),
        ("a.m4a", "-c:a aac -ar 44100"),
        ("alac.m4a", "-c:a alac"),
        ("opus.mp4", "-c:a libopus -b:a 32k"),
        (
            "frag.mp4",
            "-c:a aac -movflags frag_keyframe+empty_moov -frag_duration 300000",
        ),
    ];
    let video = [
        ("v.mp4", "-c:v libx264 -pix_fmt yuv420p -c:a aac -ar 44100"),
        ("v.mkv", "-c:v libx264 -pix_fmt yuv420p -c:a libmp3lame"),
    ];
    let mut paths: Vec<_> = sound
        .iter()
        .map(|(name, arguments)| ffmpeg(name, &format!("{CALL} {arguments}")))
        .collect();
    paths.extend(
        video
            .iter()
            .map(|(name, arguments)| ffmpeg(name, &format!("{VIDEO} {arguments}"))),
    );
    paths
}

/// A file that was damaged.
pub(crate) struct Mutant {
    /// Name with the ending of the original.
    pub(crate) name: String,
    /// What is left of it.
    pub(crate) bytes: Vec<u8>,
}

/// Makes mutants: the same number of the same seed is the same file.
pub(crate) struct Mutator {
    originals: Vec<(String, Vec<u8>)>,
    seed: u64,
}

impl Mutator {
    pub(crate) fn new(originals: &[PathBuf], seed: u64) -> Self {
        let name = |path: &Path| {
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            // Without the hash that the cache puts before it.
            name.split_once('-')
                .map_or(name.clone(), |(_, own)| own.to_owned())
        };
        Self {
            originals: originals
                .iter()
                .map(|path| (name(path), bytes(path)))
                .collect(),
            seed,
        }
    }

    /// The mutant with this number; the originals take turns.
    pub(crate) fn mutant(&self, number: u64) -> Mutant {
        let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number + 1));
        random.next();
        let (name, original) = &self.originals[number as usize % self.originals.len()];
        let mut bytes = original.clone();
        for _ in 0..=random.below(4) {
            let other = &self.originals[random.below(self.originals.len())].1;
            mutate(&mut bytes, other, &mut random);
        }
        Mutant {
            name: format!("{number}-{name}"),
            bytes,
        }
    }
}

/// Values that programs get wrong.
const VALUES: [u32; 14] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x0001_0000,
    0x00ff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    // Headers are where damage does most.
    let place = |random: &mut Random| {
        let end = match random.below(3) {
            0 => length.min(64),
            1 => length.min(1_024),
            _ => length,
        };
        random.below(end)
    };
    let stretch = |random: &mut Random| {
        let start = place(random);
        let most = 1 << random.below(13);
        let size = 1 + random.below(most);
        start..(start + size).min(length)
    };
    match random.below(12) {
        0 | 1 => {
            for _ in 0..=random.below(16) {
                let at = place(random);
                bytes[at] ^= 1 << random.below(8);
            }
        }
        2 | 3 => {
            let (at, value) = (place(random), VALUES[random.below(VALUES.len())]);
            let field = if random.below(2) == 0 {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            };
            let width = [1, 2, 4][random.below(3)];
            let from = if random.below(2) == 0 { 0 } else { 4 - width };
            for (byte, new) in bytes[at..].iter_mut().zip(&field[from..from + width]) {
                *byte = *new;
            }
        }
        4 => bytes.truncate(random.below(length)),
        5 => drop(bytes.drain(..place(random))),
        6 => {
            let twice = bytes[stretch(random)].to_vec();
            let at = place(random);
            bytes.splice(at..at, twice);
        }
        7 => drop(bytes.drain(stretch(random))),
        8 => bytes[stretch(random)].fill(0),
        9 => {
            for byte in &mut bytes[stretch(random)] {
                *byte = random.next() as u8;
            }
        }
        10 => {
            let (at, from) = (place(random), random.below(other.len().max(1)));
            bytes.truncate(at);
            bytes.extend(&other[from.min(other.len())..]);
        }
        _ => {
            let (one, two) = (stretch(random), stretch(random));
            let copy = bytes[one].to_vec();
            for (byte, new) in bytes[two].iter_mut().zip(copy) {
                *byte = new;
            }
        }
    }
}

/// xorshift64*: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `end`, which is at least 1.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
