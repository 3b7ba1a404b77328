//! Reads stretches of a sample file, so that memory is bounded by a window and
//! not by the length of the recording.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Samples a second.
pub(super) const SAMPLE_RATE: u64 = 16_000;

/// An open sample file: 16-bit little-endian, 16 kHz, mono.
pub(super) struct Pcm {
    file: File,
    samples: u64,
}

impl Pcm {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let samples = file.metadata()?.len() / 2;
        Ok(Self { file, samples })
    }

    /// Length in samples.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// Length in milliseconds.
    pub(super) fn duration_ms(&self) -> u64 {
        self.samples * 1000 / SAMPLE_RATE
    }

    /// Appends the samples from `start` up to `end` (both cut at the end of the file).
    pub(super) fn read(&self, start: u64, end: u64, into: &mut Vec<f32>) -> io::Result<()> {
        let end = end.min(self.samples);
        let start = start.min(end);
        let mut bytes = vec![0u8; ((end - start) * 2) as usize];
        self.file.read_exact_at(&mut bytes, start * 2)?;
        into.extend(
            bytes
                .chunks_exact(2)
                .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0),
        );
        Ok(())
    }
}

impl super::diarize::Sound for Pcm {
    fn samples(&self) -> usize {
        self.samples as usize
    }

    fn read(&self, from: usize, to: usize) -> io::Result<Vec<f32>> {
        let mut samples = Vec::new();
        Pcm::read(self, from as u64, to as u64, &mut samples)?;
        Ok(samples)
    }
}
