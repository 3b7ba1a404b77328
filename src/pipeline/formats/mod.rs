//! Opens a recording and gives its sound packet by packet. Most containers and
//! codings are symphonia's; WAV headers, GSM, G.722 and files without a header
//! are read here. Called by `media` before a file is accepted and by the decode
//! stage. A packet is all that is in memory, whatever the length of the file.

mod blocks;
mod gsm;
mod known;
mod section;
mod sound;
mod wave;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_F32LE,
    CODEC_ID_PCM_F64LE, CODEC_ID_PCM_MULAW, CODEC_ID_PCM_S16BE, CODEC_ID_PCM_S16LE,
    CODEC_ID_PCM_S24LE, CODEC_ID_PCM_S32LE, CODEC_ID_PCM_U8,
};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use self::blocks::Blocks;
use self::known::Known;
use self::section::Section;
use self::sound::Sound;
use self::wave::{Wave, tag};
use super::media::{Input, MediaError};
use crate::domain::{RawCoding, RawFormat};

/// Faults of a container in a row after which the rest is given up.
const MAX_FAULTS: u32 = 64;
/// Packets without a byte in a row after which the rest is given up: an index of
/// a few bytes can tell of billions.
const MAX_EMPTY: u32 = 10_000;

/// An opened recording: its format and the decoder of its sound track.
pub(super) struct Opened {
    reader: Reader,
    sound: Sound,
    track_id: u32,
    faults: u32,
    empty: u32,
    /// Playable frames, where the container tells.
    pub(super) frames: Option<u64>,
    /// Length that the container tells, in milliseconds.
    pub(super) told_ms: Option<u64>,
    /// Short name of the container format.
    pub(super) container: &'static str,
    /// Short name of the coding.
    pub(super) codec: &'static str,
    pub(super) has_video: bool,
    /// The name told the format, not the bytes.
    pub(super) raw: bool,
}

enum Reader {
    Container(Box<dyn FormatReader>),
    Blocks(Blocks),
}

/// What a step through the recording brought.
pub(super) enum Step {
    /// Interleaved samples.
    Sound {
        /// Sample rate in Hz.
        rate_hz: u32,
        /// Interleaved channels.
        channels: usize,
    },
    /// Nothing that matters.
    Nothing,
    /// Something that could not be read.
    Fault(String),
    /// The end, early where a reason is given.
    End(Option<String>),
}

/// Opens the recording and its default sound track.
pub(super) fn open(input: &Input) -> Result<Opened, MediaError> {
    open_file(File::open(input.path())?, input)
}

/// The same of a file that is open already; the path of `input` is not looked at.
pub(super) fn open_file(mut file: File, input: &Input) -> Result<Opened, MediaError> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Err(MediaError::Empty);
    }
    let mut head = Vec::with_capacity(known::HEAD_BYTES);
    (&mut file)
        .take(known::HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    match known::look(&head) {
        Known::Wave => open_wave(file),
        Known::Gsm => gsm(file, 0, length, gsm::Packing::Plain, gsm::RATE_HZ, "gsm"),
        Known::Refused(name) => Err(MediaError::UnsupportedFormat(name)),
        Known::Container(name) => container(file, 0, length, Some(name)),
        Known::Nothing => match (input.raw(), input.ambiguous_ending()) {
            (Some(format), _) => raw(file, length, format),
            (None, Some(ending)) => Err(MediaError::UnknownRaw(ending.to_owned())),
            (None, None) => container(file, 0, length, None),
        },
    }
}

impl Opened {
    /// The next stretch of sound, as interleaved samples in `samples`. An error
    /// is one of the disk; a fault of the recording is in the step.
    pub(super) fn step(&mut self, samples: &mut Vec<f32>) -> Result<Step, MediaError> {
        let packet = match self.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(Step::End(None)),
            Err(SymphoniaError::ResetRequired) => {
                // Another recording follows in the same file.
                return Ok(match self.select() {
                    Ok(()) => Step::Nothing,
                    Err(error) => Step::End(Some(error.to_string())),
                });
            }
            Err(SymphoniaError::IoError(error)) if error.raw_os_error().is_some() => {
                return Err(error.into());
            }
            // A truncated file ends in an error: what was read so far is kept.
            Err(error @ SymphoniaError::IoError(_)) => {
                return Ok(Step::End(Some(error.to_string())));
            }
            Err(error) => {
                self.faults += 1;
                return Ok(if self.faults > MAX_FAULTS {
                    Step::End(Some(error.to_string()))
                } else {
                    Step::Fault(error.to_string())
                });
            }
        };
        self.faults = 0;
        if packet.data.is_empty() {
            self.empty += 1;
            return Ok(if self.empty > MAX_EMPTY {
                Step::End(Some("its packets are empty".to_owned()))
            } else {
                Step::Nothing
            });
        }
        self.empty = 0;
        if packet.track_id != self.track_id {
            return Ok(Step::Nothing);
        }
        match self.sound.decode(packet, samples) {
            Ok((rate_hz, channels)) if channels > 0 && !samples.is_empty() => {
                Ok(Step::Sound { rate_hz, channels })
            }
            Ok(_) => Ok(Step::Nothing),
            Err(error) => Ok(Step::Fault(error.to_string())),
        }
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, SymphoniaError> {
        match &mut self.reader {
            Reader::Container(format) => format.next_packet(),
            Reader::Blocks(blocks) => Ok(blocks.next_packet()?),
        }
    }

    /// Chooses the sound track of the container as it is now.
    fn select(&mut self) -> Result<(), MediaError> {
        let Reader::Container(format) = &self.reader else {
            return Ok(());
        };
        let (track_id, params, frames) = track(format.as_ref(), self.container)?;
        let (sound, codec) = Sound::new(&params, self.container)?;
        (self.track_id, self.frames) = (track_id, frames);
        (self.sound, self.codec) = (sound, codec);
        Ok(())
    }
}

/// Opens what symphonia reads. `known` is what the first bytes say it is.
fn container(
    file: File,
    start: u64,
    end: u64,
    known: Option<&'static str>,
) -> Result<Opened, MediaError> {
    let probe = |section| {
        symphonia::default::get_probe().probe(
            &Hint::new(),
            MediaSourceStream::new(Box::new(section), MediaSourceStreamOptions::default()),
            FormatOptions::default(),
            MetadataOptions::default(),
        )
    };
    let section = || Section::new(file.try_clone()?, start, end);
    let mut index = None;
    let format = match known {
        Some("mp4") => {
            let found = mp4_index(&mut file.try_clone()?, end)?;
            index = Some(found.is_there);
            if found.is_there && found.end > end {
                probe(section()?.pretend_whole(found.end))
            } else {
                probe(section()?)
            }
        }
        Some("mkv") => match probe(section()?) {
            // One that is cut off, perhaps.
            Err(_) => probe(section()?.into_stream()),
            format => format,
        },
        _ => probe(section()?),
    };
    let format = match (format, known) {
        (Ok(format), _) => format,
        (Err(SymphoniaError::IoError(error)), _) if error.raw_os_error().is_some() => {
            return Err(error.into());
        }
        (Err(_), None) => return Err(MediaError::UnsupportedType),
        (Err(_), Some(_)) if index == Some(false) => return Err(MediaError::Unfinished),
        (Err(error), Some(_)) => return Err(MediaError::Damaged(error.to_string())),
    };
    let container = format.format_info().short_name;
    let has_video = format
        .tracks()
        .iter()
        .any(|track| matches!(track.codec_params, Some(CodecParameters::Video(_))));
    let (track_id, params, frames) = track(format.as_ref(), container)?;
    let (sound, codec) = Sound::new(&params, container)?;
    let told_ms = told_ms(format.as_ref(), track_id);
    Ok(Opened {
        reader: Reader::Container(format),
        sound,
        track_id,
        faults: 0,
        empty: 0,
        frames,
        told_ms,
        container,
        codec,
        has_video,
        raw: false,
    })
}

/// Length of a track as the container tells it.
fn told_ms(format: &dyn FormatReader, track_id: u32) -> Option<u64> {
    let track = format.tracks().iter().find(|track| track.id == track_id)?;
    let length = track.time_base?.calc_duration(track.duration?)?;
    u64::try_from(length.as_millis()).ok()
}

/// The sound track: its number, its coding, its length in frames.
fn track(
    format: &dyn FormatReader,
    container: &str,
) -> Result<(u32, AudioCodecParameters, Option<u64>), MediaError> {
    let unknown = || MediaError::UnsupportedCodec {
        container: container.to_owned(),
        codec: "unknown codec".to_owned(),
    };
    let known = format
        .tracks()
        .iter()
        .find(|track| matches!(&track.codec_params, Some(CodecParameters::Audio(params)) if sound::is_known(params)));
    let track = known
        .or_else(|| format.default_track(TrackType::Audio))
        .ok_or_else(|| {
            let has_video = format
                .tracks()
                .iter()
                .any(|track| matches!(track.codec_params, Some(CodecParameters::Video(_))));
            if has_video {
                MediaError::NoAudioTrack
            } else {
                unknown()
            }
        })?;
    match &track.codec_params {
        Some(CodecParameters::Audio(params)) => Ok((track.id, params.clone(), track.num_frames)),
        _ => Err(unknown()),
    }
}

/// What the top level of an mp4 file shows.
struct Mp4Index {
    /// The index is there, whole. Recorders write it last: a recording that was
    /// cut off has none.
    is_there: bool,
    /// Where the last part ends, or would end in bytes.
    end: u64,
}

/// Parts of an mp4 file at most: a day in pieces of a quarter of a second.
const MAX_PARTS: usize = 1_000_000;

fn mp4_index(file: &mut File, file_end: u64) -> Result<Mp4Index, MediaError> {
    let mut is_there = false;
    let mut at = 0u64;
    for _ in 0..MAX_PARTS {
        if at.saturating_add(8) > file_end {
            break;
        }
        let mut head = [0u8; 16];
        file.seek(SeekFrom::Start(at))?;
        let read = if at + 16 <= file_end { 16 } else { 8 };
        file.read_exact(&mut head[..read])?;
        let [a, b, c, d, kind @ .., _, _, _, _, _, _, _, _] = head;
        let size = match u32::from_be_bytes([a, b, c, d]) {
            // Up to the end of the file.
            0 => file_end - at,
            1 => head
                .last_chunk()
                .map_or(0, |bytes| u64::from_be_bytes(*bytes)),
            size => u64::from(size),
        };
        at = at.saturating_add(size.max(8));
        is_there |= &kind == b"moov" && at <= file_end;
    }
    Ok(Mp4Index { is_there, end: at })
}

fn open_wave(mut file: File) -> Result<Opened, MediaError> {
    let wave = wave::read(&mut file)?;
    if wave.start >= wave.end {
        return Err(MediaError::Damaged("it has no samples".to_owned()));
    }
    let bytes = wave.bits.div_ceil(8);
    let frame = |bytes: u16| usize::from(wave.channels) * usize::from(bytes);
    let (codec, block_bytes, block_frames) = match (wave.tag, bytes) {
        (tag::PCM, 1) => (CODEC_ID_PCM_U8, frame(1), 1),
        (tag::PCM, 2) => (CODEC_ID_PCM_S16LE, frame(2), 1),
        (tag::PCM, 3) => (CODEC_ID_PCM_S24LE, frame(3), 1),
        (tag::PCM, 4) => (CODEC_ID_PCM_S32LE, frame(4), 1),
        (tag::FLOAT, 4) => (CODEC_ID_PCM_F32LE, frame(4), 1),
        (tag::FLOAT, 8) => (CODEC_ID_PCM_F64LE, frame(8), 1),
        (tag::PCM | tag::FLOAT, _) => {
            return Err(MediaError::Damaged(format!(
                "samples of {} bits are not possible",
                wave.bits
            )));
        }
        (tag::ALAW, _) => (CODEC_ID_PCM_ALAW, frame(1), 1),
        (tag::MULAW, _) => (CODEC_ID_PCM_MULAW, frame(1), 1),
        (tag::ADPCM_MS, _) => (
            CODEC_ID_ADPCM_MS,
            usize::from(wave.block_bytes),
            adpcm_frames(&wave, 7, 2)?,
        ),
        (tag::ADPCM_IMA, _) => (
            CODEC_ID_ADPCM_IMA_WAV,
            usize::from(wave.block_bytes),
            adpcm_frames(&wave, 4, 1)?,
        ),
        (tag::GSM, _) => {
            check_rate(wave.rate_hz)?;
            let packing = gsm::Packing::Wav;
            return gsm(file, wave.start, wave.end, packing, wave.rate_hz, "wave");
        }
        (tag::G722, _) => return g722(file, wave.start, wave.end, "wave"),
        (tag::MP3, _) => {
            let opened = container(file, wave.start, wave.end, Some("mp3"))?;
            return Ok(Opened {
                container: "wave",
                ..opened
            });
        }
        (other, _) => {
            return Err(MediaError::UnsupportedCodec {
                container: "wav".to_owned(),
                codec: known::wave_coding(other),
            });
        }
    };
    check_rate(wave.rate_hz)?;
    check_channels(usize::from(wave.channels))?;
    let section = Section::new(file, wave.start, wave.end)?;
    let blocks = Blocks::new(section, block_bytes, block_frames);
    let mut params = AudioCodecParameters::new();
    params
        .for_codec(codec)
        .with_sample_rate(wave.rate_hz)
        .with_channels(sound::channels(wave.channels))
        .with_frames_per_block(block_frames as u64)
        .with_max_frames_per_packet((blocks.packet_blocks * block_frames) as u64);
    let (sound, codec) = Sound::new(&params, "wave")?;
    Ok(of_blocks(blocks, sound, wave.rate_hz, "wave", codec))
}

/// Frames in a block of ADPCM: `header` bytes a channel give `header_frames`
/// frames, and each further half byte one of one channel.
fn adpcm_frames(wave: &Wave, header: usize, header_frames: usize) -> Result<usize, MediaError> {
    let channels = usize::from(wave.channels);
    if !(1..=2).contains(&channels) {
        return Err(MediaError::Damaged(format!(
            "{channels} channels are not possible in ADPCM"
        )));
    }
    usize::from(wave.block_bytes)
        .checked_sub(header * channels)
        .map(|bytes| bytes * 2 / channels + header_frames)
        .ok_or_else(|| MediaError::Damaged("its blocks are too small".to_owned()))
}

/// Opens a file without a header.
fn raw(file: File, length: u64, format: RawFormat) -> Result<Opened, MediaError> {
    let (codec, bytes) = match format.coding {
        RawCoding::Mulaw => (CODEC_ID_PCM_MULAW, 1),
        RawCoding::Alaw => (CODEC_ID_PCM_ALAW, 1),
        RawCoding::S16le => (CODEC_ID_PCM_S16LE, 2),
        RawCoding::S16be => (CODEC_ID_PCM_S16BE, 2),
        RawCoding::G722 => {
            let mut opened = g722(file, 0, length, "raw")?;
            opened.raw = true;
            return Ok(opened);
        }
    };
    let section = Section::new(file, 0, length)?;
    let blocks = Blocks::new(section, bytes * usize::from(format.channels), 1);
    let mut params = AudioCodecParameters::new();
    params
        .for_codec(codec)
        .with_sample_rate(format.rate_hz)
        .with_channels(sound::channels(format.channels))
        .with_max_frames_per_packet(blocks.packet_blocks as u64);
    let (sound, codec) = Sound::new(&params, "raw")?;
    let mut opened = of_blocks(blocks, sound, format.rate_hz, "raw", codec);
    opened.raw = true;
    Ok(opened)
}

fn gsm(
    file: File,
    start: u64,
    end: u64,
    packing: gsm::Packing,
    rate_hz: u32,
    container: &'static str,
) -> Result<Opened, MediaError> {
    let section = Section::new(file, start, end)?;
    let blocks = Blocks::new(section, packing.block_bytes(), packing.block_samples());
    Ok(of_blocks(
        blocks,
        Sound::gsm(packing, rate_hz),
        rate_hz,
        container,
        "gsm",
    ))
}

fn g722(file: File, start: u64, end: u64, container: &'static str) -> Result<Opened, MediaError> {
    let section = Section::new(file, start, end)?;
    // A byte is two samples.
    let blocks = Blocks::new(section, 1, 2);
    let sound = Sound::g722();
    Ok(of_blocks(
        blocks,
        sound,
        sound::G722_RATE_HZ,
        container,
        "g722",
    ))
}

fn of_blocks(
    blocks: Blocks,
    sound: Sound,
    rate_hz: u32,
    container: &'static str,
    codec: &'static str,
) -> Opened {
    let frames = blocks.frames();
    Opened {
        frames: Some(frames),
        told_ms: frames
            .checked_mul(1000)
            .map(|frames| frames / u64::from(rate_hz.max(1))),
        reader: Reader::Blocks(blocks),
        sound,
        track_id: 0,
        faults: 0,
        empty: 0,
        container,
        codec,
        has_video: false,
        raw: false,
    }
}

/// Refuses a sample rate in Hz that no recording has.
pub(super) fn check_rate(rate_hz: u32) -> Result<(), MediaError> {
    if (1_000..=768_000).contains(&rate_hz) {
        Ok(())
    } else {
        Err(MediaError::Damaged(format!(
            "a sample rate of {rate_hz} Hz is not possible"
        )))
    }
}

fn check_channels(channels: usize) -> Result<(), MediaError> {
    if (1..=64).contains(&channels) {
        Ok(())
    } else {
        Err(MediaError::Damaged(format!(
            "{channels} channels are not possible"
        )))
    }
}
