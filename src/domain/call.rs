//! A recording (one immutable audio file) and the call in it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::job::{JobState, Stage};
use super::transcript::Separation;

/// Identifies a call: a ULID, 26 characters, sortable by the time of arrival.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(String);

/// The text is not a call id.
#[derive(Debug, thiserror::Error)]
#[error("not a call id: 26 letters and digits are expected")]
pub struct InvalidCallId;

impl CallId {
    /// Takes a ULID made by the caller (the domain makes no random numbers).
    pub fn new(ulid: String) -> Result<Self, InvalidCallId> {
        let well_formed = ulid.len() == 26
            && ulid
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        if well_formed {
            Ok(Self(ulid))
        } else {
            Err(InvalidCallId)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CallId {
    type Err = InvalidCallId;

    fn from_str(text: &str) -> Result<Self, InvalidCallId> {
        Self::new(text.to_owned())
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// By which door a recording came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Through the page or the API.
    Upload,
    /// Put here over SFTP.
    Sftp,
    /// Taken from a server of somebody else.
    Pull,
    /// An archive on this machine.
    Import,
    /// Downloaded from MANGO OFFICE.
    Mango,
    /// Downloaded from Calltouch.
    Calltouch,
}

impl Source {
    /// Every door.
    pub const ALL: [Source; 6] = [
        Source::Upload,
        Source::Sftp,
        Source::Pull,
        Source::Import,
        Source::Mango,
        Source::Calltouch,
    ];

    /// Name in settings and records.
    pub fn name(self) -> &'static str {
        match self {
            Source::Upload => "upload",
            Source::Sftp => "sftp",
            Source::Pull => "pull",
            Source::Import => "import",
            Source::Mango => "mango",
            Source::Calltouch => "calltouch",
        }
    }
}

impl FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|source| source.name() == text)
            .ok_or(())
    }
}

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The client called.
    Inbound,
    /// Our person called.
    Outbound,
}

/// Whether the file that arrived carries pictures as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Sound only.
    Audio,
    /// A video whose sound track is used.
    Video,
}

/// One immutable file, known by the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// SHA-256 of the bytes, lower-case hex. The key of the record and of the file.
    pub sha256: String,
    /// Length in bytes.
    pub size_bytes: u64,
    /// Content type found from the bytes, for example `audio/mpeg`.
    pub content_type: String,
    /// The call made of it.
    pub call_id: CallId,
    /// What decoding found; `None` until it has run.
    pub media: Option<MediaInfo>,
}

/// What the decoder found in a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaInfo {
    /// Short name of the container format, for example `wave`.
    pub container: String,
    /// Short name of the audio codec, for example `mp3`.
    pub codec: String,
    /// Sample rate of the file in Hz.
    pub sample_rate_hz: u32,
    /// Channels in the file.
    pub channels: u16,
    /// Length in milliseconds, counted from decoded samples.
    pub duration_ms: u64,
    /// True when two channels carry one signal (or one of them is silent), so
    /// that the recording is treated as mono.
    pub dual_mono: bool,
    /// Channels kept for recognition: 1 or 2.
    pub kept_channels: u16,
    /// Packets that could not be decoded and were skipped.
    pub damaged_packets: u32,
}

/// Loudness over time of each kept channel: the waveform on the page and the
/// loudness metrics come from it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// Length of one frame in milliseconds.
    pub frame_ms: u32,
    /// One entry a kept channel.
    pub channels: Vec<ChannelEnvelope>,
}

/// Loudness over time of one channel; the vectors have one entry a frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChannelEnvelope {
    /// Largest absolute sample of the frame, 255 = full scale.
    pub peak: Vec<u8>,
    /// Root mean square of the frame in dBFS, −120 for digital silence.
    pub rms_dbfs: Vec<i8>,
    /// Samples of the frame at full scale.
    pub clipped: Vec<u16>,
}

/// The conversation in a recording, with what is known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// The recording it was made of.
    pub sha256: String,
    /// Name of the file as the sender gave it.
    pub filename: String,
    /// Our person, by name; `None` when nobody said who.
    pub operator: Option<String>,
    /// Language asked for: an ISO 639-1 code or `auto`; `None` is the default of the configuration.
    pub language: Option<String>,
    /// By which door it came.
    pub source: Source,
    /// Who called whom, where that is known.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Sound or video.
    pub media: MediaKind,
    /// When it arrived.
    pub created_at: Timestamp,
    /// When the conversation began, where that is known.
    pub started_at: Option<Timestamp>,
    /// Length in milliseconds, known after decoding.
    pub duration_ms: Option<u64>,
    /// True when a person exchanged operator and client.
    pub speakers_swapped: bool,
    /// How the speakers were told apart, known after diarization.
    pub separation: Option<super::Separation>,
    /// Short form of the score for lists.
    pub score: Option<ScoreSummary>,
    /// What is told of it besides its sound.
    #[serde(default)]
    pub details: super::CallDetails,
}

/// The percents of a score, kept with the call so that lists need one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreSummary {
    /// Weighted mean of the criteria, 0–100; `None` when nothing applied.
    pub overall_percent: Option<f64>,
    /// One entry a criterion, in the order of the scorecard.
    pub criteria: Vec<CriterionSummary>,
    /// True when the transcript has changed since.
    #[serde(default)]
    pub stale: bool,
    /// Level of the score; absent in records of programs that knew the rules only.
    #[serde(default)]
    pub level: Option<u8>,
    /// The overall percent by the machine alone; the one above has the people's word in it.
    #[serde(default)]
    pub machine_percent: Option<f64>,
    /// Items whose verdict is another one than the machine's.
    #[serde(default)]
    pub changed: u32,
    /// Items on which a person's word is in force, confirmations included.
    #[serde(default)]
    pub reviewed: u32,
    /// Disputes that nobody has settled yet.
    #[serde(default)]
    pub disputes: u32,
}

/// How much of what is possible was done for a call: 1 speakers told apart and judged by
/// a language model, 2 scored by the rules, 3 speakers not told apart, 4 not transcribed.
/// `None` while it is worked on, and where there is nothing to score.
pub fn level(call: &Call, state: JobState, stage: Stage) -> Option<u8> {
    if let Some(score) = &call.score {
        return score.level.or(match call.separation {
            Some(Separation::Unseparated) => Some(3),
            _ => Some(2),
        });
    }
    let unheard = matches!(stage, Stage::Decode | Stage::Transcribe);
    (state == JobState::Failed && unheard).then_some(4)
}

/// One criterion's percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionSummary {
    /// Key in the scorecard.
    pub key: String,
    /// Name as the team wrote it.
    pub name: String,
    /// English name, where the scorecard gives one.
    pub name_en: Option<String>,
    /// 0–100; `None` when none of its items applied.
    pub percent: Option<f64>,
}
