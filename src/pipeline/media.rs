//! What a file is, found from its bytes; its name counts only for sound without
//! a header. Called by intake before a file is accepted; the decode stage and
//! `analyze` name their input with [`Input`].

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use super::formats;
use crate::domain::raw::ambiguous_ending;
use crate::domain::{MediaKind, RawEndings, RawFormat};

/// Longest recording in hours.
pub const MAX_HOURS: u64 = 24;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// It has no bytes.
    #[error("The file is empty: check the recording and send it again.")]
    Empty,
    /// It is no audio or video format that is known.
    #[error(
        "The file is not an audio or video recording that can be read. Send mp3, wav, m4a, mp4, flac, ogg or opus, gsm, mkv or webm."
    )]
    UnsupportedType,
    /// The format is known, and that it cannot be read.
    #[error("{0} files cannot be read. Convert the recording to mp3 or wav and send it again.")]
    UnsupportedFormat(&'static str),
    /// Sound without a header whose coding only the configuration can tell.
    #[error(
        "A .{0} file has no header that tells how it is coded. Ask the administrator to name the coding of .{0} files in section [raw] of the configuration, or send a wav file."
    )]
    UnknownRaw(String),
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
    /// High-efficiency AAC, of which only a part could be decoded.
    #[error(
        "The sound is coded as HE-AAC (AAC+), which cannot be read. Convert it to AAC-LC, mp3 or wav and send it again."
    )]
    HeAac,
    /// A video without sound.
    #[error("The file has no sound track.")]
    NoAudioTrack,
    /// An mp4 file whose index was never written.
    #[error(
        "The file is cut off: its recorder or its transfer did not finish it, and without the index at its end no sound can be found. Send the whole file."
    )]
    Unfinished,
    /// Nothing in it could be decoded.
    #[error("The file is damaged: no sound could be read from it ({0}). Send it again.")]
    Damaged(String),
    /// It plays for longer than [`MAX_HOURS`].
    #[error("The recording is longer than {MAX_HOURS} hours: cut it and send the parts.")]
    TooLong,
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
            MediaError::UnknownRaw(_) => "unknown_raw",
            MediaError::UnsupportedFormat(_) | MediaError::UnsupportedCodec { .. } => {
                "unsupported_codec"
            }
            MediaError::HeAac => "he_aac",
            MediaError::NoAudioTrack => "no_audio_track",
            MediaError::Unfinished => "unfinished_file",
            MediaError::Damaged(_) => "damaged_file",
            MediaError::TooLong => "too_long",
            MediaError::Stopped => "stopped",
            MediaError::Io(_) => "io",
        }
    }
}

/// A recording to be read: where it is, and how it is coded where its bytes do
/// not tell.
#[derive(Debug, Clone)]
pub struct Input {
    path: PathBuf,
    raw: Option<RawFormat>,
    ambiguous_ending: Option<String>,
}

impl Input {
    /// A file with its sender's name for it.
    pub fn named(path: &Path, filename: &str, endings: &RawEndings) -> Self {
        Self {
            path: path.to_owned(),
            raw: endings.of(filename),
            ambiguous_ending: ambiguous_ending(filename),
        }
    }

    /// A file that was accepted, with the content type that [`inspect`] found.
    pub fn accepted(path: &Path, content_type: &str) -> Self {
        Self {
            path: path.to_owned(),
            raw: RawFormat::from_content_type(content_type),
            ambiguous_ending: None,
        }
    }

    /// Where the bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn raw(&self) -> Option<RawFormat> {
        self.raw
    }

    pub(super) fn ambiguous_ending(&self) -> Option<&str> {
        self.ambiguous_ending.as_deref()
    }
}

/// What intake wants to know of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Content type, for example `audio/mpeg`.
    pub content_type: String,
    /// Sound or video.
    pub kind: MediaKind,
    /// Length in milliseconds, where the header tells it; decoding counts it.
    pub duration_ms: Option<u64>,
}

/// Reads the head of the file; refuses what the decode stage could not use.
pub fn inspect(input: &Input) -> Result<Inspected, MediaError> {
    inspect_file(std::fs::File::open(input.path())?, input)
}

/// The same of a file that is open already; the path of `input` is not looked at.
pub fn inspect_file(file: std::fs::File, input: &Input) -> Result<Inspected, MediaError> {
    guarded(|| {
        let opened = formats::open_file(file, input)?;
        let kind = if opened.has_video {
            MediaKind::Video
        } else {
            MediaKind::Audio
        };
        let content_type = match (opened.container, kind) {
            ("mp3" | "mp2" | "mp1" | "mpa", _) => "audio/mpeg",
            ("wave", _) => "audio/wav",
            ("gsm", _) => "audio/x-gsm",
            ("isomp4", MediaKind::Video) => "video/mp4",
            ("isomp4", MediaKind::Audio) => "audio/mp4",
            ("matroska" | "mkv", MediaKind::Video) => "video/webm",
            ("matroska" | "mkv", MediaKind::Audio) => "audio/webm",
            ("flac", _) => "audio/flac",
            ("ogg", _) => "audio/ogg",
            ("aac" | "adts", _) => "audio/aac",
            _ => "application/octet-stream",
        };
        Ok(Inspected {
            content_type: match input.raw().filter(|_| opened.raw) {
                Some(format) => format.content_type(),
                None => content_type.to_owned(),
            },
            kind,
            // A header may tell anything.
            duration_ms: opened
                .told_ms
                .filter(|ms| (1..=MAX_HOURS * 3_600_000).contains(ms)),
        })
    })
}

/// Runs what reads a recording. A panic in one of the decoders is a fault of
/// the recording: the same bytes would bring it about again.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, MediaError>) -> Result<T, MediaError> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("a decoder panicked; the recording is refused as damaged");
        Err(MediaError::Damaged(
            "the decoder of this format failed on it".to_owned(),
        ))
    })
}
