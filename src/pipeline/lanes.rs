//! From samples of any rate to 16 kHz files of one or two channels, measured on
//! the way. Used by the decode stage only; what is in memory is a chunk of the
//! resampler and the envelope (160 bytes a second of sound).

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Indexing, Resampler, WindowFunction};

use super::decode::{SAMPLE_RATE_HZ, pcm_paths};
use super::formats::check_rate;
use super::media::MediaError;
use crate::domain::Envelope;
use crate::domain::call::ChannelEnvelope;

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

/// Resamples and writes one or two channels.
pub(super) struct Sink {
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
    pub(super) fn create(work: &Path, rate_hz: u32, channels: usize) -> Result<Self, MediaError> {
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
        check_rate(rate_hz)?;
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
    pub(super) fn push(
        &mut self,
        samples: &[f32],
        rate_hz: u32,
        channels: usize,
    ) -> Result<(), MediaError> {
        if rate_hz != self.rate_hz {
            self.drain()?;
            self.set_rate(rate_hz)?;
        }
        for frame in samples.chunks_exact(channels) {
            if self.lanes == 2 {
                let (left, right) = (sound(frame[0]), sound(*frame.get(1).unwrap_or(&frame[0])));
                self.pending[0].push(left);
                self.pending[1].push(right);
                let (left, right) = (f64::from(left), f64::from(right));
                self.powers[0] += left * left;
                self.powers[1] += right * right;
                self.powers[2] += left * right;
            } else {
                let sum: f32 = frame.iter().map(|sample| sound(*sample)).sum();
                self.pending[0].push(sum / channels as f32);
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
            // The last chunk is filled up: what it gives beyond the input is no sound.
            let room = (self.owed.round() as u64).saturating_sub(self.writers[0].samples);
            let end = made.min(skipped.saturating_add(room as usize));
            for (lane, writer) in out.iter().zip(&mut self.writers) {
                writer.write(&lane[skipped..end])?;
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
        Ok(())
    }

    /// Samples of one channel written so far.
    pub(super) fn samples(&self) -> u64 {
        self.writers[0].samples
    }

    pub(super) fn finish(mut self) -> Result<Finished, MediaError> {
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

/// Floating-point files can hold anything: the resampler panics at what is no
/// number, and what is far beyond full scale becomes that in it.
fn sound(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-8.0, 8.0)
    } else {
        0.0
    }
}

/// All samples are written.
pub(super) struct Finished {
    /// Samples of one channel.
    pub(super) samples: u64,
    same_signal: bool,
    lanes: Vec<FinishedLane>,
}

/// What is worth keeping of the channels.
pub(super) struct Kept {
    pub(super) dual_mono: bool,
    pub(super) envelope: Envelope,
}

impl Finished {
    /// Decides which channels are worth keeping and makes them durable.
    pub(super) fn keep(&self, work: &Path) -> Result<Kept, MediaError> {
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

    fn finish(mut self) -> Result<FinishedLane, MediaError> {
        if !self.frame.is_empty() {
            self.end_frame();
        }
        self.file.flush()?;
        Ok(FinishedLane {
            samples: self.samples,
            peak: self.peak,
            envelope: self.envelope,
        })
    }
}
