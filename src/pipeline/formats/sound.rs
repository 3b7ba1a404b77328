//! From a packet to samples, whichever decoder it takes. Called when a
//! recording is opened and for each of its packets.

use std::sync::LazyLock;

use audio_codec::Decoder as _;
use audio_codec::g722::G722Decoder;
use symphonia::core::audio::{Channels, layouts};
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP3, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::packet::Packet;
use symphonia::core::units::Duration;
use symphonia_adapter_libopus::OpusDecoder;

use super::super::media::MediaError;
use super::{check_channels, gsm};

/// Largest packet in samples of all channels that a header may announce: eight
/// channels of FLAC's longest block.
const MAX_PACKET_SAMPLES: u64 = 8 * 65_536;
/// G.722 is always coded at this rate in Hz.
pub(super) const G722_RATE_HZ: u32 = 16_000;
/// Opus is decoded at this rate in Hz, whatever rate the container tells.
const OPUS_RATE_HZ: u32 = 48_000;

/// Symphonia's decoders and libopus.
static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    codecs.register_audio_decoder::<OpusDecoder>();
    codecs
});

/// A decoder with its memory.
pub(super) enum Sound {
    Library(Box<dyn AudioDecoder>),
    Mp3(Box<Mp3>),
    Gsm {
        decoder: Box<gsm::Decoder>,
        rate_hz: u32,
        decoded: Vec<i16>,
    },
    G722 {
        decoder: Box<G722Decoder>,
        decoded: Vec<i16>,
    },
}

/// Symphonia's mp3 decoder keeps to the sample rate and the channels of its
/// first frame; recordings that were put together change them.
pub(super) struct Mp3 {
    decoder: Box<dyn AudioDecoder>,
    params: AudioCodecParameters,
    /// What the frames that are decoded have in their headers.
    kind: Option<u32>,
    /// What the frame before had, where that is something else.
    other_kind: Option<u32>,
}

impl Mp3 {
    /// A new decoder from the second frame of another kind on: one alone is noise
    /// that looks like a frame.
    fn follow(&mut self, packet: &Packet) -> Result<(), SymphoniaError> {
        // Version, layer, sample rate, and whether there is one channel.
        let kind = packet.data.first_chunk().map(|head| {
            let head = u32::from_be_bytes(*head);
            (head & 0x001e_0c00) | u32::from(head >> 6 & 3 == 3)
        });
        if self.kind.is_none() || self.kind == kind {
            (self.kind, self.other_kind) = (kind, None);
        } else if self.other_kind == kind {
            self.decoder = CODECS.make_audio_decoder(&self.params, &Default::default())?;
            (self.kind, self.other_kind) = (kind, None);
        } else {
            self.other_kind = kind;
        }
        Ok(())
    }
}

/// True when there is a decoder for it.
pub(super) fn is_known(params: &AudioCodecParameters) -> bool {
    CODECS.get_audio_decoder(params.codec).is_some()
}

/// One channel, two channels, or so many that nothing is known of.
pub(super) fn channels(count: u16) -> Channels {
    match count {
        1 => layouts::CHANNEL_LAYOUT_MONO,
        2 => layouts::CHANNEL_LAYOUT_STEREO,
        more => Channels::Discrete(more),
    }
}

impl Sound {
    /// The decoder of a coding, and the coding's short name. What would take too
    /// much memory is refused before any is taken.
    pub(super) fn new(
        params: &AudioCodecParameters,
        container: &str,
    ) -> Result<(Self, &'static str), MediaError> {
        let unsupported = |what: String| MediaError::UnsupportedCodec {
            container: container.to_owned(),
            codec: what,
        };
        let codec = CODECS
            .get_audio_decoder(params.codec)
            .map(|registered| registered.codec.info.short_name)
            .ok_or_else(|| unsupported(format!("codec {}", params.codec)))?;
        let count = params.channels.as_ref().map(Channels::count);
        if let Some(count) = count {
            check_channels(count)?;
        }
        let packet = params.max_frames_per_packet.unwrap_or(0);
        if packet.saturating_mul(count.unwrap_or(1) as u64) > MAX_PACKET_SAMPLES {
            return Err(MediaError::Damaged(format!(
                "packets of {packet} samples are not possible"
            )));
        }
        let mut params = params.clone();
        if params.codec == CODEC_ID_AAC {
            check_aac(params.extra_data.as_deref(), container)?;
        }
        if params.codec == CODEC_ID_OPUS {
            params.with_sample_rate(OPUS_RATE_HZ);
            if container == "isomp4"
                && let Some(head) = &mut params.extra_data
                && let Some(pre_skip) = head.get_mut(10..12)
            {
                // High byte first in mp4, low byte first for the decoder.
                pre_skip.reverse();
            }
        }
        let decoder = CODECS
            .make_audio_decoder(&params, &AudioDecoderOptions::default())
            .map_err(|error| unsupported(format!("{codec}: {error}")))?;
        if params.codec == CODEC_ID_MP3 {
            let mp3 = Mp3 {
                decoder,
                params,
                kind: None,
                other_kind: None,
            };
            return Ok((Sound::Mp3(Box::new(mp3)), codec));
        }
        Ok((Sound::Library(decoder), codec))
    }

    pub(super) fn gsm(packing: gsm::Packing, rate_hz: u32) -> Self {
        Sound::Gsm {
            decoder: Box::new(gsm::Decoder::new(packing)),
            rate_hz,
            decoded: Vec::new(),
        }
    }

    pub(super) fn g722() -> Self {
        Sound::G722 {
            decoder: Box::default(),
            decoded: Vec::new(),
        }
    }

    /// Puts the interleaved samples of a packet into `samples`; gives their
    /// sample rate in Hz and their channels.
    pub(super) fn decode(
        &mut self,
        mut packet: Packet,
        samples: &mut Vec<f32>,
    ) -> Result<(u32, usize), SymphoniaError> {
        match self {
            Sound::Library(decoder) => library(decoder.as_mut(), &packet, samples),
            Sound::Mp3(mp3) => {
                mp3.follow(&packet)?;
                // Cut by a length that was guessed, or is that of the first of several parts.
                packet.trim_end = Duration::ZERO;
                library(mp3.decoder.as_mut(), &packet, samples)
            }
            Sound::Gsm {
                decoder,
                rate_hz,
                decoded,
            } => {
                decoded.clear();
                decoder.decode(&packet.data, decoded);
                fill(samples, decoded);
                Ok((*rate_hz, 1))
            }
            Sound::G722 { decoder, decoded } => {
                decoded.resize(decoder.max_decode_samples(packet.data.len()), 0);
                let made = decoder
                    .decode_into(&packet.data, decoded)
                    .map_err(|_| SymphoniaError::DecodeError("g722: a packet is too long"))?;
                decoded.truncate(made);
                fill(samples, decoded);
                Ok((G722_RATE_HZ, 1))
            }
        }
    }
}

fn library(
    decoder: &mut dyn AudioDecoder,
    packet: &Packet,
    samples: &mut Vec<f32>,
) -> Result<(u32, usize), SymphoniaError> {
    let buffer = decoder.decode(packet)?;
    buffer.copy_to_vec_interleaved(samples);
    Ok((buffer.spec().rate(), buffer.num_planes()))
}

fn fill(samples: &mut Vec<f32>, decoded: &[i16]) {
    samples.clear();
    samples.extend(decoded.iter().map(|sample| f32::from(*sample) / 32_768.0));
}

/// Refuses what the decoder would refuse without saying what it is. The object
/// type is the first field of an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
fn check_aac(config: Option<&[u8]>, container: &str) -> Result<(), MediaError> {
    let Some([first, second, ..]) = config else {
        return Ok(());
    };
    let short = first >> 3;
    let object_type = match short {
        31 => 32 + ((first & 7) << 3 | second >> 5),
        other => other,
    };
    let name = match object_type {
        5 | 29 => return Err(MediaError::HeAac),
        1 => "AAC Main",
        3 => "AAC SSR",
        4 => "AAC LTP",
        23 => "AAC-LD",
        39 => "AAC-ELD",
        42 => "xHE-AAC",
        _ => return Ok(()),
    };
    Err(MediaError::UnsupportedCodec {
        container: container.to_owned(),
        codec: name.to_owned(),
    })
}
