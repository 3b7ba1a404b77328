//! What a file is, found from its bytes and never from its name. Called by
//! intake before a file is accepted and by the decode stage.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use crate::domain::MediaKind;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// It has no bytes.
    #[error("The file is empty: check the recording and send it again.")]
    Empty,
    /// It is no audio or video format that is known.
    #[error(
        "The file is not an audio or video recording that can be read. Send mp3, wav, m4a, mp4, flac, ogg (Vorbis), mkv or webm."
    )]
    UnsupportedType,
    /// The container is known, but not the codec in it.
    #[error(
        "The sound in this {container} file is coded in a way that cannot be read ({codec}). Convert it to mp3 or wav and send it again."
    )]
    UnsupportedCodec {
        /// Container format.
        container: String,
        /// What is known of the codec.
        codec: String,
    },
    /// A video without sound.
    #[error("The file has no sound track.")]
    NoAudioTrack,
    /// Nothing in it could be decoded.
    #[error("The file is damaged: no sound could be read from it ({0}). Send it again.")]
    Damaged(String),
    /// The work was stopped on purpose.
    #[error("The work on the recording was stopped.")]
    Stopped,
    /// It cannot be read from disk or the samples cannot be written.
    #[error("The recording cannot be read or its samples cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

impl MediaError {
    /// Stable name of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            MediaError::Empty => "empty_file",
            MediaError::UnsupportedType => "unsupported_type",
            MediaError::UnsupportedCodec { .. } => "unsupported_codec",
            MediaError::NoAudioTrack => "no_audio_track",
            MediaError::Damaged(_) => "damaged_file",
            MediaError::Stopped => "stopped",
            MediaError::Io(_) => "io",
        }
    }
}

/// An opened recording: its format and the decoder of its sound track.
pub(super) struct Opened {
    pub(super) format: Box<dyn FormatReader>,
    pub(super) decoder: Box<dyn AudioDecoder>,
    pub(super) track_id: u32,
    /// Playable frames, where the container tells.
    pub(super) frames: Option<u64>,
    pub(super) sample_rate_hz: Option<u32>,
    pub(super) container: &'static str,
    pub(super) codec: &'static str,
    has_video: bool,
}

/// Opens the file and its default sound track.
pub(super) fn open(path: &Path) -> Result<Opened, MediaError> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Err(MediaError::Empty);
    }
    let mut head = [0u8; 12];
    let known = match file.read_exact(&mut head) {
        Ok(()) => known_container(&head),
        Err(_) => None,
    };
    file.rewind()?;
    let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
    let format = symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|error| match (error, known) {
            (SymphoniaError::IoError(error), _)
                if error.kind() != std::io::ErrorKind::UnexpectedEof =>
            {
                MediaError::Io(error)
            }
            (_, None) => MediaError::UnsupportedType,
            // The wav reader looks at the codec, the others only miss parts of the file here.
            (SymphoniaError::Unsupported(what), Some("wav")) => MediaError::UnsupportedCodec {
                container: "wav".to_owned(),
                codec: what.to_owned(),
            },
            (error, Some(_)) => MediaError::Damaged(error.to_string()),
        })?;
    let container = format.format_info().short_name;
    let has_video = format
        .tracks()
        .iter()
        .any(|track| matches!(track.codec_params, Some(CodecParameters::Video(_))));
    let track = format
        .first_track_known_codec(TrackType::Audio)
        .or_else(|| format.default_track(TrackType::Audio))
        .ok_or_else(|| {
            if has_video {
                MediaError::NoAudioTrack
            } else {
                MediaError::UnsupportedCodec {
                    container: container.to_owned(),
                    codec: "unknown codec".to_owned(),
                }
            }
        })?;
    let unsupported = |what: String| MediaError::UnsupportedCodec {
        container: container.to_owned(),
        codec: what,
    };
    let Some(CodecParameters::Audio(params)) = &track.codec_params else {
        return Err(unsupported("unknown codec".to_owned()));
    };
    let codec = symphonia::default::get_codecs()
        .get_audio_decoder(params.codec)
        .map(|registered| registered.codec.info.short_name)
        .ok_or_else(|| unsupported(format!("codec {}", params.codec)))?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &Default::default())
        .map_err(|error| unsupported(format!("{codec}: {error}")))?;
    Ok(Opened {
        track_id: track.id,
        frames: track.num_frames,
        sample_rate_hz: params.sample_rate,
        container,
        codec,
        has_video,
        decoder,
        format,
    })
}

/// The container a file says it is, where its first bytes say so.
fn known_container(head: &[u8; 12]) -> Option<&'static str> {
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => Some("wav"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("mp4"),
        [b'O', b'g', b'g', b'S', ..] => Some("ogg"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("mkv"),
        [b'f', b'L', b'a', b'C', ..] => Some("flac"),
        _ => None,
    }
}

/// What intake wants to know of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Content type, for example `audio/mpeg`.
    pub content_type: &'static str,
    /// Sound or video.
    pub kind: MediaKind,
}

/// Reads the head of the file; refuses what the decode stage could not use.
pub fn inspect(path: &Path) -> Result<Inspected, MediaError> {
    let opened = open(path)?;
    let kind = if opened.has_video {
        MediaKind::Video
    } else {
        MediaKind::Audio
    };
    let content_type = match (opened.container, kind) {
        ("mp3" | "mp2" | "mp1" | "mpa", _) => "audio/mpeg",
        ("wave", _) => "audio/wav",
        ("isomp4", MediaKind::Video) => "video/mp4",
        ("isomp4", MediaKind::Audio) => "audio/mp4",
        ("matroska" | "mkv", MediaKind::Video) => "video/webm",
        ("matroska" | "mkv", MediaKind::Audio) => "audio/webm",
        ("flac", _) => "audio/flac",
        ("ogg", _) => "audio/ogg",
        ("aac" | "adts", _) => "audio/aac",
        _ => "application/octet-stream",
    };
    Ok(Inspected { content_type, kind })
}
