//! A job is one recording's path through the five stages. [`Job::apply`] holds
//! every legal move; callers persist the result in the same transaction as the
//! stage's output.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CallId;

/// How often a stage is tried before the job fails.
pub const MAX_ATTEMPTS: u32 = 3;

/// The stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The file becomes 16 kHz samples.
    Decode,
    /// Samples become words with times.
    Transcribe,
    /// Words are given to speakers.
    Diarize,
    /// The scorecard is applied.
    Score,
    /// The call becomes searchable.
    Index,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Stage; 5] = [
        Stage::Decode,
        Stage::Transcribe,
        Stage::Diarize,
        Stage::Score,
        Stage::Index,
    ];

    /// The stage after this one.
    pub fn next(self) -> Option<Stage> {
        Self::ALL.into_iter().find(|stage| *stage > self)
    }

    /// Share of the whole work done when this stage begins, and when it ends,
    /// as measured on calls of some minutes with the base model.
    pub fn progress_range(self) -> (f64, f64) {
        match self {
            Stage::Decode => (0.0, 0.04),
            Stage::Transcribe => (0.04, 0.88),
            Stage::Diarize => (0.88, 0.97),
            Stage::Score => (0.97, 0.98),
            Stage::Index => (0.98, 1.0),
        }
    }

    /// Name used in the API, in records and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Transcribe => "transcribe",
            Stage::Diarize => "diarize",
            Stage::Score => "score",
            Stage::Index => "index",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which work goes first. Interactive work overtakes bulk work in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody waits for it at the page.
    Interactive,
    /// It arrived by itself.
    Bulk,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker, perhaps until [`Job::not_before`].
    Queued,
    /// A worker has it.
    Running,
    /// All stages are done.
    Completed,
    /// All that applies is done: nobody speaks in the recording.
    NoSpeech,
    /// Gave up; [`Job::error`] says why. Can be tried again by a person.
    Failed,
    /// Stopped by a person. Can be tried again.
    Cancelled,
}

impl JobState {
    /// True when nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        match self {
            JobState::Queued | JobState::Running => false,
            JobState::Completed | JobState::NoSpeech | JobState::Failed | JobState::Cancelled => {
                true
            }
        }
    }
}

/// Where a job is, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits for its first stage.
    Queued,
    /// Is being worked on, or waits between two stages or attempts.
    Processing,
    /// All stages are done.
    Completed,
    /// Gave up.
    Failed,
    /// Stopped by a person.
    Cancelled,
    /// Nobody speaks in the recording.
    NoSpeech,
}

impl Status {
    /// What a call that nobody works on any more can be.
    pub const ENDED: [Status; 4] = [
        Status::Completed,
        Status::Failed,
        Status::Cancelled,
        Status::NoSpeech,
    ];

    /// Name in requests, answers and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::NoSpeech => "no_speech",
        }
    }

    /// Of a job in `state` at `stage`.
    pub fn of(state: JobState, stage: Stage) -> Self {
        match state {
            JobState::Queued if stage == Stage::Decode => Self::Queued,
            JobState::Queued | JobState::Running => Self::Processing,
            JobState::Completed => Self::Completed,
            JobState::NoSpeech => Self::NoSpeech,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}

/// Why a stage could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Stable name of the reason, for example `damaged_file`.
    pub code: String,
    /// One English sentence that says what to do.
    pub message: String,
    /// False when trying again cannot help (the file is damaged).
    pub retryable: bool,
}

/// What can happen to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEvent {
    /// A worker takes it.
    Claimed,
    /// The current stage's output is being stored.
    StageDone {
        /// False when recognition found nobody speaking.
        speech: bool,
    },
    /// The current stage could not be done.
    StageFailed(JobError),
    /// A person stops it.
    Cancelled,
    /// A person asks for it again.
    Retried {
        /// From this stage on.
        from: Stage,
        /// With this model; `None` is the one of the settings.
        model: Option<String>,
    },
    /// The server starts and finds it running.
    Recovered,
}

/// The move is not possible from the state the job is in.
#[derive(Debug, thiserror::Error)]
#[error("a job that is {state:?} cannot take {event}")]
pub struct IllegalMove {
    state: JobState,
    event: &'static str,
}

/// One recording's path through the stages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The call it works on.
    pub call_id: CallId,
    /// Order in the queue.
    pub priority: Priority,
    /// Where it is.
    pub state: JobState,
    /// The stage that is to be done, or was being done when it ended.
    pub stage: Stage,
    /// How often the current stage was begun.
    pub attempts: u32,
    /// Grows with every claim: a worker whose claim is no longer the current one may not store its result.
    pub claim: u64,
    /// Grows with every retry by a person: each has work files of its own, so that
    /// a worker that is being stopped does not step on its successor.
    #[serde(default)]
    pub run: u32,
    /// Model that a person asked for; `None` is the one of the settings.
    #[serde(default)]
    pub model: Option<String>,
    /// Not to be claimed before this moment.
    pub not_before: Option<Timestamp>,
    /// The last failure.
    pub error: Option<JobError>,
    /// True once recognition found nobody speaking.
    pub no_speech: bool,
    /// When it was put into the queue.
    pub enqueued_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

impl Job {
    /// A new job that waits for its first stage.
    pub fn new(call_id: CallId, priority: Priority, now: Timestamp) -> Self {
        Self {
            call_id,
            priority,
            state: JobState::Queued,
            stage: Stage::Decode,
            attempts: 0,
            claim: 0,
            run: 0,
            model: None,
            not_before: None,
            error: None,
            no_speech: false,
            enqueued_at: now,
            updated_at: now,
        }
    }

    /// Waiting time before attempt number `attempts + 1`.
    pub fn retry_delay(attempts: u32) -> Duration {
        match attempts {
            0 | 1 => Duration::from_secs(5),
            2 => Duration::from_secs(60),
            _ => Duration::from_secs(600),
        }
    }

    /// Makes the move `event` at `now`, or refuses it and changes nothing.
    pub fn apply(&mut self, event: &JobEvent, now: Timestamp) -> Result<(), IllegalMove> {
        use JobState::{Cancelled, Completed, Failed, NoSpeech, Queued, Running};
        match (self.state, event) {
            (Queued, JobEvent::Claimed) => {
                self.state = Running;
                self.attempts += 1;
                self.claim += 1;
                self.not_before = None;
            }
            (Running, JobEvent::StageDone { speech }) => {
                self.attempts = 0;
                self.error = None;
                if !speech {
                    self.no_speech = true;
                }
                let next = if self.no_speech && self.stage < Stage::Index {
                    Some(Stage::Index)
                } else {
                    self.stage.next()
                };
                match next {
                    Some(stage) => {
                        self.stage = stage;
                        self.state = Queued;
                    }
                    None if self.no_speech => self.state = NoSpeech,
                    None => self.state = Completed,
                }
            }
            (Running, JobEvent::StageFailed(error)) => {
                if error.retryable && self.attempts < MAX_ATTEMPTS {
                    self.state = Queued;
                    self.not_before = Some(now + Self::retry_delay(self.attempts));
                } else {
                    self.state = Failed;
                }
                self.error = Some(error.clone());
            }
            (Queued | Running, JobEvent::Cancelled) => {
                self.state = Cancelled;
                self.not_before = None;
            }
            (Completed | NoSpeech | Failed | Cancelled, JobEvent::Retried { from, model }) => {
                self.state = Queued;
                self.stage = *from;
                self.model.clone_from(model);
                self.run += 1;
                self.attempts = 0;
                self.error = None;
                self.no_speech = false;
                self.not_before = None;
                self.priority = Priority::Interactive;
                self.enqueued_at = now;
            }
            (Running, JobEvent::Recovered) => {
                // The attempt counts: a file that kills the process must not do so for ever.
                if self.attempts >= MAX_ATTEMPTS {
                    self.state = Failed;
                    self.error = Some(JobError {
                        code: "interrupted".into(),
                        message: format!(
                            "The server stopped {MAX_ATTEMPTS} times during the stage '{}' of this recording. Try again, and look into the log if it happens once more.",
                            self.stage
                        ),
                        retryable: false,
                    });
                } else {
                    self.state = Queued;
                }
            }
            (state, event) => {
                return Err(IllegalMove {
                    state,
                    event: event.name(),
                });
            }
        }
        self.updated_at = now;
        Ok(())
    }
}

impl JobEvent {
    fn name(&self) -> &'static str {
        match self {
            JobEvent::Claimed => "claimed",
            JobEvent::StageDone { .. } => "stage done",
            JobEvent::StageFailed(_) => "stage failed",
            JobEvent::Cancelled => "cancelled",
            JobEvent::Retried { .. } => "retried",
            JobEvent::Recovered => "recovered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let id = CallId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV".into()).expect("id");
        Job::new(id, Priority::Bulk, Timestamp::UNIX_EPOCH)
    }

    fn step(job: &mut Job, event: JobEvent) {
        job.apply(&event, Timestamp::UNIX_EPOCH).expect("legal");
    }

    fn again(from: Stage) -> JobEvent {
        JobEvent::Retried {
            from,
            model: Some("small".into()),
        }
    }

    fn broken(retryable: bool) -> JobEvent {
        JobEvent::StageFailed(JobError {
            code: "x".into(),
            message: "x".into(),
            retryable,
        })
    }

    #[test]
    fn goes_through_all_stages() {
        let mut job = job();
        for stage in Stage::ALL {
            assert_eq!(job.stage, stage);
            step(&mut job, JobEvent::Claimed);
            step(&mut job, JobEvent::StageDone { speech: true });
        }
        assert_eq!(job.state, JobState::Completed);
    }

    #[test]
    fn no_speech_skips_to_the_index() {
        let mut job = job();
        step(&mut job, JobEvent::Claimed);
        step(&mut job, JobEvent::StageDone { speech: true });
        step(&mut job, JobEvent::Claimed);
        step(&mut job, JobEvent::StageDone { speech: false });
        assert_eq!(job.stage, Stage::Index);
        step(&mut job, JobEvent::Claimed);
        step(&mut job, JobEvent::StageDone { speech: true });
        assert_eq!(job.state, JobState::NoSpeech);
    }

    #[test]
    fn attempts_are_capped_and_delays_grow() {
        let mut job = job();
        let mut delays = Vec::new();
        for _ in 0..MAX_ATTEMPTS {
            step(&mut job, JobEvent::Claimed);
            step(&mut job, broken(true));
            delays.push(job.not_before);
        }
        assert_eq!(job.state, JobState::Failed);
        assert!(delays[0] < delays[1]);
        assert_eq!(job.error.as_ref().map(|e| e.code.as_str()), Some("x"));
    }

    #[test]
    fn a_hopeless_failure_is_not_tried_again() {
        let mut job = job();
        step(&mut job, JobEvent::Claimed);
        step(&mut job, broken(false));
        assert_eq!(job.state, JobState::Failed);
    }

    #[test]
    fn a_file_that_kills_the_server_ends_failed() {
        let mut job = job();
        for _ in 0..MAX_ATTEMPTS {
            assert_eq!(job.state, JobState::Queued);
            step(&mut job, JobEvent::Claimed);
            step(&mut job, JobEvent::Recovered);
        }
        assert_eq!(job.state, JobState::Failed);
        assert_eq!(job.error.map(|e| e.code).as_deref(), Some("interrupted"));
    }

    #[test]
    fn illegal_moves_change_nothing() {
        let mut job = job();
        let before = job.clone();
        for event in [
            JobEvent::StageDone { speech: true },
            broken(true),
            again(Stage::Decode),
            JobEvent::Recovered,
        ] {
            assert!(job.apply(&event, Timestamp::UNIX_EPOCH).is_err());
            assert_eq!(job, before);
        }
        step(&mut job, JobEvent::Cancelled);
        assert!(
            job.apply(&JobEvent::Claimed, Timestamp::UNIX_EPOCH)
                .is_err()
        );
        step(&mut job, again(Stage::Score));
        assert_eq!((job.state, job.stage), (JobState::Queued, Stage::Score));
        assert_eq!(job.model.as_deref(), Some("small"));
    }
}
