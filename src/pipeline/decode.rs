//! The decode stage: a file becomes 16 kHz samples of one or two channels on
//! disk, with bounded memory whatever the length. Called by the runner and by
//! `analyze`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Indexing, Resampler, WindowFunction};
use symphonia::core::errors::Error as SymphoniaError;

use super::media::{self, MediaError};
use crate::domain::call::ChannelEnvelope;
use crate::domain::{Envelope, MediaInfo};

/// Sample rate of the decoded samples in Hz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// Length of one frame of the envelope.
const FRAME_MS: u32 = 50;
const FRAME_SAMPLES: usize = (SAMPLE_RATE_HZ * FRAME_MS / 1000) as usize;
/// Frames given to the resampler at once.
const CHUNK: usize = 4096;
/// Two channels that correlate this much carry one signal, at whatever level
/// (two parties on one line reach some tenths by cross-talk).
const SAME_SIGNAL: f64 = 0.95;
/// A channel that never exceeds this sample value is silent.
const SILENT_PEAK: f32 = 1e-3;

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

/// Decodes `source` into `work`, which is made anew. It ends with
/// [`MediaError::Stopped`] soon after `stopped` becomes true. `progress` is told
/// the share done, where the container says how long the recording is.
pub fn decode(
    source: &Path,
    work: &Path,
    stopped: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(f64),
) -> Result<Decoded, MediaError> {
    let mut opened = media::open(source)?;
    if let Err(error) = fs::remove_dir_all(work)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error.into());
    }
    fs::create_dir_all(work)?;
    let mut sink: Option<Sink> = None;
    let mut samples: Vec<f32> = Vec::new();
    let mut damaged_packets = 0u32;
    let mut frames_done = 0u64;
    let mut rate_hz = opened.sample_rate_hz.unwrap_or(0);
    let mut channels = 0;
    let mut last_fault = String::from("no sound track data");
    loop {
        if stopped() {
            return Err(MediaError::Stopped);
        }
        let packet = match opened.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(SymphoniaError::ResetRequired) => break,
            // A truncated file ends in an error: what was read so far is kept.
            Err(error) => {
                last_fault = error.to_string();
                damaged_packets += 1;
                break;
            }
        };
        if packet.track_id != opened.track_id {
            continue;
        }
        let buffer = match opened.decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(SymphoniaError::DecodeError(what)) => {
                last_fault = what.to_owned();
                damaged_packets += 1;
                continue;
            }
            Err(error) => {
                last_fault = error.to_string();
                damaged_packets += 1;
                break;
            }
        };
        let frames = buffer.frames();
        if frames == 0 {
            continue;
        }
        let found_rate = buffer.spec().rate();
        let found_channels = buffer.num_planes();
        buffer.copy_to_vec_interleaved(&mut samples);
        let sink = match &mut sink {
            Some(sink) => sink,
            none => {
                rate_hz = found_rate;
                channels = found_channels;
                none.insert(Sink::create(work, found_rate, found_channels)?)
            }
        };
        sink.push(&samples, found_rate, found_channels)?;
        frames_done += frames as u64;
        if let Some(total) = opened.frames.filter(|total| *total > 0) {
            progress((frames_done as f64 / total as f64).min(1.0));
        }
    }
    let Some(sink) = sink else {
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

/// Resamples and writes one or two channels.
struct Sink {
    lanes: usize,
    rate_hz: u32,
    resampler: Option<Fft<f32>>,
    pending: Vec<Vec<f32>>,
    /// Output frames still to be dropped: the resampler's delay.
    skip: usize,
    /// Exact number of output frames owed for the input so far.
    owed: f64,
    writers: Vec<LaneWriter>,
    /// Power of the first and the second channel, and their product.
    powers: [f64; 3],
}

impl Sink {
    fn create(work: &Path, rate_hz: u32, channels: usize) -> Result<Self, MediaError> {
        // More than two channels are mixed into one: which party is where cannot be known.
        let lanes = if channels == 2 { 2 } else { 1 };
        let writers = pcm_paths(work, lanes as u16)
            .iter()
            .map(|path| LaneWriter::create(path))
            .collect::<Result<_, _>>()?;
        let mut sink = Self {
            lanes,
            rate_hz: 0,
            resampler: None,
            pending: vec![Vec::new(); lanes],
            skip: 0,
            owed: 0.0,
            writers,
            powers: [0.0; 3],
        };
        sink.set_rate(rate_hz)?;
        Ok(sink)
    }

    fn set_rate(&mut self, rate_hz: u32) -> Result<(), MediaError> {
        if !(1_000..=768_000).contains(&rate_hz) {
            return Err(MediaError::Damaged(format!(
                "a sample rate of {rate_hz} Hz is not possible"
            )));
        }
        self.rate_hz = rate_hz;
        self.resampler = None;
        self.skip = 0;
        if rate_hz != SAMPLE_RATE_HZ {
            let resampler = Fft::new_custom(
                rate_hz as usize,
                SAMPLE_RATE_HZ as usize,
                CHUNK,
                CHUNK / 1024,
                self.lanes,
                WindowFunction::BlackmanHarris2,
                FixedSync::Input,
            )
            .map_err(|error| MediaError::Damaged(error.to_string()))?;
            self.skip = resampler.output_delay();
            self.resampler = Some(resampler);
        }
        Ok(())
    }

    /// Takes interleaved samples. A change of rate or channels in the middle of a stream is followed.
    fn push(&mut self, samples: &[f32], rate_hz: u32, channels: usize) -> Result<(), MediaError> {
        if rate_hz != self.rate_hz {
            self.drain()?;
            self.set_rate(rate_hz)?;
        }
        for frame in samples.chunks_exact(channels) {
            if self.lanes == 2 {
                let (left, right) = (frame[0], *frame.get(1).unwrap_or(&frame[0]));
                self.pending[0].push(left);
                self.pending[1].push(right);
                let (left, right) = (f64::from(left), f64::from(right));
                self.powers[0] += left * left;
                self.powers[1] += right * right;
                self.powers[2] += left * right;
            } else {
                self.pending[0].push(frame.iter().sum::<f32>() / channels as f32);
            }
        }
        let frames = samples.len() / channels.max(1);
        self.owed += frames as f64 * f64::from(SAMPLE_RATE_HZ) / f64::from(rate_hz);
        self.process(false)
    }

    fn process(&mut self, all: bool) -> Result<(), MediaError> {
        let Some(resampler) = &mut self.resampler else {
            for (lane, writer) in self.pending.iter_mut().zip(&mut self.writers) {
                writer.write(lane)?;
                lane.clear();
            }
            return Ok(());
        };
        let fault = |error: &dyn std::fmt::Display| MediaError::Damaged(error.to_string());
        let mut at = 0;
        let available = self.pending[0].len();
        while available - at >= resampler.input_frames_next() || (all && at < available) {
            let partial =
                (available - at < resampler.input_frames_next()).then_some(available - at);
            let mut indexing = Indexing::new().input_offset(at);
            if let Some(frames) = partial {
                indexing = indexing.partial_len(frames);
            }
            let input = SequentialSliceOfVecs::new(&self.pending, self.lanes, available)
                .map_err(|error| fault(&error))?;
            let capacity = resampler.output_frames_next();
            let mut out = vec![vec![0.0f32; capacity]; self.lanes];
            let mut output = SequentialSliceOfVecs::new_mut(&mut out, self.lanes, capacity)
                .map_err(|error| fault(&error))?;
            let (used, made) = resampler
                .process_into_buffer(&input, &mut output, Some(&indexing))
                .map_err(|error| fault(&error))?;
            at += partial.unwrap_or(used).max(1);
            let skipped = self.skip.min(made);
            self.skip -= skipped;
            for (lane, writer) in out.iter().zip(&mut self.writers) {
                writer.write(&lane[skipped..made])?;
            }
        }
        for lane in &mut self.pending {
            lane.drain(..at.min(available));
        }
        Ok(())
    }

    /// Flushes what the resampler still holds, so that the output is as long as the input.
    fn drain(&mut self) -> Result<(), MediaError> {
        self.process(true)?;
        let owed = self.owed.round() as u64;
        while self.resampler.is_some() && self.writers[0].samples < owed {
            let frames = self
                .resampler
                .as_ref()
                .map_or(0, Resampler::input_frames_next);
            for lane in &mut self.pending {
                lane.resize(frames, 0.0);
            }
            self.process(true)?;
        }
        for writer in &mut self.writers {
            writer.limit(owed)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Finished, MediaError> {
        self.drain()?;
        let mut lanes = Vec::new();
        for writer in self.writers {
            lanes.push(writer.finish()?);
        }
        let samples = lanes.first().map_or(0, |lane| lane.samples);
        if samples == 0 {
            return Err(MediaError::Damaged("it has no samples".to_owned()));
        }
        Ok(Finished {
            samples,
            same_signal: self.lanes == 2
                && self.powers[2].abs() > SAME_SIGNAL * (self.powers[0] * self.powers[1]).sqrt(),
            lanes,
        })
    }
}

struct Finished {
    samples: u64,
    same_signal: bool,
    lanes: Vec<FinishedLane>,
}

struct Kept {
    dual_mono: bool,
    envelope: Envelope,
}

impl Finished {
    /// Decides which channels are worth keeping and makes them durable.
    fn keep(&self, work: &Path) -> Result<Kept, MediaError> {
        let paths = pcm_paths(work, self.lanes.len() as u16);
        let silent = |lane: &FinishedLane| lane.peak < SILENT_PEAK;
        let kept = match self.lanes.as_slice() {
            [left, right] if self.same_signal || silent(right) || silent(left) => {
                if silent(left) && !silent(right) {
                    fs::rename(&paths[1], &paths[0])?;
                    vec![right]
                } else {
                    fs::remove_file(&paths[1])?;
                    vec![left]
                }
            }
            lanes => lanes.iter().collect(),
        };
        for path in &paths[..kept.len()] {
            File::open(path)?.sync_all()?;
        }
        File::open(work)?.sync_all()?;
        Ok(Kept {
            dual_mono: kept.len() < self.lanes.len(),
            envelope: Envelope {
                frame_ms: FRAME_MS,
                channels: kept.into_iter().map(|lane| lane.envelope.clone()).collect(),
            },
        })
    }
}

struct FinishedLane {
    samples: u64,
    peak: f32,
    envelope: ChannelEnvelope,
}

/// Writes one channel and measures it on the way.
struct LaneWriter {
    file: BufWriter<File>,
    samples: u64,
    peak: f32,
    frame: Vec<f32>,
    envelope: ChannelEnvelope,
}

impl LaneWriter {
    fn create(path: &Path) -> Result<Self, MediaError> {
        Ok(Self {
            file: BufWriter::with_capacity(1 << 16, File::create(path)?),
            samples: 0,
            peak: 0.0,
            frame: Vec::with_capacity(FRAME_SAMPLES),
            envelope: ChannelEnvelope::default(),
        })
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), MediaError> {
        for &sample in samples {
            let sample = if sample.is_finite() { sample } else { 0.0 };
            let value = (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16;
            self.file.write_all(&value.to_le_bytes())?;
            self.peak = self.peak.max(sample.abs());
            self.frame.push(sample);
            if self.frame.len() == FRAME_SAMPLES {
                self.end_frame();
            }
        }
        self.samples += samples.len() as u64;
        Ok(())
    }

    fn end_frame(&mut self) {
        let peak = self.frame.iter().fold(0f32, |peak, s| peak.max(s.abs()));
        let power = self.frame.iter().map(|s| f64::from(s * s)).sum::<f64>()
            / self.frame.len().max(1) as f64;
        let rms = (10.0 * power.max(1e-12).log10()).round().clamp(-120.0, 0.0);
        self.envelope
            .peak
            .push((peak * 255.0).round().min(255.0) as u8);
        self.envelope.rms_dbfs.push(rms as i8);
        self.envelope
            .clipped
            .push(self.frame.iter().filter(|s| s.abs() >= 0.999).count() as u16);
        self.frame.clear();
    }

    /// Cuts what was written beyond `samples`.
    fn limit(&mut self, samples: u64) -> Result<(), MediaError> {
        if self.samples > samples {
            self.file.flush()?;
            self.file.get_ref().set_len(samples * 2)?;
            use std::io::Seek;
            self.file.seek(std::io::SeekFrom::Start(samples * 2))?;
            self.samples = samples;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<FinishedLane, MediaError> {
        if !self.frame.is_empty() {
            self.end_frame();
        }
        self.file.flush()?;
        // Frames of what `limit` cut off.
        let frames = (self.samples as usize).div_ceil(FRAME_SAMPLES);
        self.envelope.peak.truncate(frames);
        self.envelope.rms_dbfs.truncate(frames);
        self.envelope.clipped.truncate(frames);
        Ok(FinishedLane {
            samples: self.samples,
            peak: self.peak,
            envelope: self.envelope,
        })
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
