//! Wire types of calls, and how they are made from what is stored.

use poem_openapi::{Enum, Object};

use super::error::ErrorView;
use crate::domain::call::{CriterionSummary, Direction};
use crate::domain::{JobState, MediaKind, Separation, Source, Speaker, Stage, Status};
use crate::store::Entry;

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum StatusView {
    Queued,
    Processing,
    Completed,
    Failed,
    Cancelled,
    NoSpeech,
}

impl StatusView {
    pub(super) fn of(state: JobState, stage: Stage) -> Self {
        match Status::of(state, stage) {
            Status::Queued => Self::Queued,
            Status::Processing => Self::Processing,
            Status::Completed => Self::Completed,
            Status::NoSpeech => Self::NoSpeech,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// The five stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum StageView {
    Decode,
    Transcribe,
    Diarize,
    Score,
    Index,
}

impl From<Stage> for StageView {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Decode => Self::Decode,
            Stage::Transcribe => Self::Transcribe,
            Stage::Diarize => Self::Diarize,
            Stage::Score => Self::Score,
            Stage::Index => Self::Index,
        }
    }
}

impl From<StageView> for Stage {
    fn from(stage: StageView) -> Self {
        match stage {
            StageView::Decode => Self::Decode,
            StageView::Transcribe => Self::Transcribe,
            StageView::Diarize => Self::Diarize,
            StageView::Score => Self::Score,
            StageView::Index => Self::Index,
        }
    }
}

/// Sound or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum MediaKindView {
    Audio,
    Video,
}

/// By which door a recording came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum SourceView {
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

impl From<Source> for SourceView {
    fn from(source: Source) -> Self {
        match source {
            Source::Upload => Self::Upload,
            Source::Sftp => Self::Sftp,
            Source::Pull => Self::Pull,
            Source::Import => Self::Import,
            Source::Mango => Self::Mango,
            Source::Calltouch => Self::Calltouch,
        }
    }
}

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum DirectionView {
    /// The client called.
    Inbound,
    /// Our person called.
    Outbound,
}

impl From<Direction> for DirectionView {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Inbound,
            Direction::Outbound => Self::Outbound,
        }
    }
}

/// How the speakers were told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum SpeakersView {
    /// Each has a channel.
    Channels,
    /// By voice: an estimate.
    Diarized,
    /// Not.
    Unseparated,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum SpeakerView {
    Operator,
    Client,
    Unknown,
}

impl From<Speaker> for SpeakerView {
    fn from(speaker: Speaker) -> Self {
        match speaker {
            Speaker::Operator => Self::Operator,
            Speaker::Client => Self::Client,
            Speaker::Unknown => Self::Unknown,
        }
    }
}

impl From<SpeakerView> for Speaker {
    fn from(speaker: SpeakerView) -> Self {
        match speaker {
            SpeakerView::Operator => Self::Operator,
            SpeakerView::Client => Self::Client,
            SpeakerView::Unknown => Self::Unknown,
        }
    }
}

/// One criterion's percent.
#[derive(Debug, Clone, Object)]
pub(super) struct CriterionView {
    key: String,
    /// As the team wrote it.
    name: String,
    name_en: Option<String>,
    /// 0–100; null when none of its items applied.
    percent: Option<f64>,
}

impl From<&CriterionSummary> for CriterionView {
    fn from(criterion: &CriterionSummary) -> Self {
        Self {
            key: criterion.key.clone(),
            name: criterion.name.clone(),
            name_en: criterion.name_en.clone(),
            percent: criterion.percent,
        }
    }
}

/// A call in a list.
#[derive(Debug, Clone, Object)]
pub(super) struct CallView {
    /// ULID.
    pub(super) id: String,
    pub(super) filename: String,
    pub(super) status: StatusView,
    pub(super) stage: StageView,
    /// Share of the whole work that is done, 0–1.
    pub(super) progress: f64,
    /// Why it failed, or why its last attempt did.
    error: Option<ErrorView>,
    operator: Option<String>,
    /// When it arrived, RFC 3339.
    created_at: String,
    /// When the conversation began, RFC 3339.
    started_at: Option<String>,
    duration_ms: Option<u64>,
    language: Option<String>,
    media: MediaKindView,
    source: SourceView,
    /// Who called whom, where that is known.
    direction: Option<DirectionView>,
    /// Who called, as sent.
    caller: Option<String>,
    /// Who was called, as sent.
    called: Option<String>,
    /// 0–100, with what people said of the verdicts.
    overall_percent: Option<f64>,
    /// By the machine alone, where people changed a verdict.
    machine_percent: Option<f64>,
    /// Items whose verdict people changed.
    changed_items: u32,
    /// Disputes about its verdicts that nobody has settled yet.
    open_disputes: u32,
    /// The transcript has changed since it was scored.
    score_stale: bool,
    criteria: Vec<CriterionView>,
    /// 1 speakers and language model, 2 rules, 3 speakers not told apart, 4 not
    /// transcribed; null while it is worked on and where there is nothing to score.
    level: Option<u8>,
    speakers: Option<SpeakersView>,
    /// How often the current stage was begun.
    attempts: u32,
}

impl CallView {
    /// `stage_progress` is the share of the current stage that is done, 0–1.
    pub(super) fn new(entry: &Entry, stage_progress: f64) -> Self {
        let (call, job) = (&entry.call, &entry.job);
        Self {
            id: call.id.to_string(),
            filename: call.filename.clone(),
            status: StatusView::of(job.state, job.stage),
            stage: job.stage.into(),
            progress: overall_progress(job.state, job.stage, stage_progress),
            error: job.error.as_ref().map(|error| ErrorView {
                code: error.code.clone(),
                message: error.message.clone(),
            }),
            operator: call.operator.clone(),
            created_at: call.created_at.to_string(),
            started_at: call.started_at.map(|time| time.to_string()),
            duration_ms: call.duration_ms,
            language: call.language.clone(),
            media: match call.media {
                MediaKind::Audio => MediaKindView::Audio,
                MediaKind::Video => MediaKindView::Video,
            },
            source: call.source.into(),
            direction: call.direction.map(DirectionView::from),
            caller: call.details.caller.as_ref().map(|end| end.text.clone()),
            called: call.details.called.as_ref().map(|end| end.text.clone()),
            score_stale: call.score.as_ref().is_some_and(|score| score.stale),
            overall_percent: call.score.as_ref().and_then(|score| score.overall_percent),
            machine_percent: call
                .score
                .as_ref()
                .filter(|score| score.changed > 0)
                .and_then(|score| score.machine_percent),
            changed_items: call.score.as_ref().map_or(0, |score| score.changed),
            open_disputes: call.score.as_ref().map_or(0, |score| score.disputes),
            criteria: call
                .score
                .iter()
                .flat_map(|score| &score.criteria)
                .map(CriterionView::from)
                .collect(),
            level: entry.level(),
            speakers: call.separation.map(|separation| match separation {
                Separation::Channels => SpeakersView::Channels,
                Separation::Diarized => SpeakersView::Diarized,
                Separation::Unseparated => SpeakersView::Unseparated,
            }),
            attempts: job.attempts,
        }
    }
}

/// Share of the whole work that is done, 0–1.
pub(super) fn overall_progress(state: JobState, stage: Stage, stage_progress: f64) -> f64 {
    let (from, to) = stage.progress_range();
    match state {
        JobState::Completed | JobState::NoSpeech => 1.0,
        JobState::Running => from + (to - from) * stage_progress.clamp(0.0, 1.0),
        JobState::Queued | JobState::Failed | JobState::Cancelled => from,
    }
}
