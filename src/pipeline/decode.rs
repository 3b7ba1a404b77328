//! The decode stage: a file becomes 16 kHz samples of one or two channels on
//! disk, with bounded memory whatever the length. Called by the runner and by
//! `analyze`.

use std::fs;
use std::path::{Path, PathBuf};

use super::formats::{self, Step};
use super::lanes::Sink;
use super::media::{Input, MAX_HOURS, MediaError, guarded};
use crate::domain::{Envelope, MediaInfo};

/// Sample rate of the decoded samples in Hz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// Samples of one channel of the longest recording.
const MAX_SAMPLES: u64 = MAX_HOURS * 3600 * SAMPLE_RATE_HZ as u64;

/// What the stage made; the samples are in `pcm`.
#[derive(Debug)]
pub struct Decoded {
    /// What the file is.
    pub media: MediaInfo,
    /// Its loudness over time.
    pub envelope: Envelope,
}

/// The sample files of a work directory, one a kept channel: 16-bit little-endian, 16 kHz, mono.
pub fn pcm_paths(work: &Path, kept_channels: u16) -> Vec<PathBuf> {
    (0..kept_channels)
        .map(|channel| work.join(format!("channel-{channel}.s16")))
        .collect()
}

/// Decodes `input` into `work`, which is made anew. It ends with
/// [`MediaError::Stopped`] soon after `stopped` becomes true. `progress` is told
/// the share done, where the container says how long the recording is.
pub fn decode(
    input: &Input,
    work: &Path,
    stopped: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(f64),
) -> Result<Decoded, MediaError> {
    guarded(|| decode_unguarded(input, work, stopped, progress))
}

fn decode_unguarded(
    input: &Input,
    work: &Path,
    stopped: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(f64),
) -> Result<Decoded, MediaError> {
    let mut opened = formats::open(input)?;
    if let Err(error) = fs::remove_dir_all(work)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error.into());
    }
    fs::create_dir_all(work)?;
    // The sink, with sample rate and channels of the first sound.
    let mut begun: Option<(Sink, u32, usize)> = None;
    let mut samples: Vec<f32> = Vec::new();
    let mut damaged_packets = 0u32;
    let mut frames_done = 0u64;
    let mut last_fault = String::from("it has no samples");
    loop {
        if stopped() {
            return Err(MediaError::Stopped);
        }
        let (rate_hz, channels) = match opened.step(&mut samples)? {
            Step::Sound { rate_hz, channels } => (rate_hz, channels),
            Step::Nothing => continue,
            Step::Fault(what) => {
                last_fault = what;
                damaged_packets = damaged_packets.saturating_add(1);
                continue;
            }
            Step::End(None) => break,
            Step::End(Some(what)) => {
                last_fault = what;
                damaged_packets = damaged_packets.saturating_add(1);
                break;
            }
        };
        let (sink, ..) = match &mut begun {
            Some(begun) => begun,
            none => none.insert((Sink::create(work, rate_hz, channels)?, rate_hz, channels)),
        };
        sink.push(&samples, rate_hz, channels)?;
        if sink.samples() > MAX_SAMPLES {
            return Err(MediaError::TooLong);
        }
        frames_done += (samples.len() / channels) as u64;
        if let Some(total) = opened.frames.filter(|total| *total > 0) {
            progress((frames_done as f64 / total as f64).min(1.0));
        }
    }
    let Some((sink, rate_hz, channels)) = begun else {
        return Err(MediaError::Damaged(last_fault));
    };
    let finished = sink.finish()?;
    let kept = finished.keep(work)?;
    Ok(Decoded {
        media: MediaInfo {
            container: opened.container.to_owned(),
            codec: opened.codec.to_owned(),
            sample_rate_hz: rate_hz,
            channels: channels as u16,
            duration_ms: finished.samples * 1000 / u64::from(SAMPLE_RATE_HZ),
            dual_mono: kept.dual_mono,
            kept_channels: kept.envelope.channels.len() as u16,
            damaged_packets,
        },
        envelope: kept.envelope,
    })
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
