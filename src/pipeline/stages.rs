//! What each stage does with a recording, without the store: the runner wraps
//! it in transactions, `analyze` calls it one after the other.

use std::path::{Path, PathBuf};

use crate::config::{Sources, Speech as SpeechConfig};
use crate::domain::score::{ModelNote, ModelState};
use crate::domain::{Call, Envelope, JobError, MediaInfo, Recognition, Score, Transcript};
use crate::speech::model::{ModelError, ModelStore};
use crate::speech::process::{KillSwitch, SpeechError, SpeechProcess};
use crate::speech::protocol::{Answer, Diarize, Request, Transcribe, Voice};

use super::decode::{self, Decoded};
use super::media::{Input, MediaError};
use super::roles::Known;
use super::score::{self, InForce, Rules};

/// Why a stage could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The recording cannot be decoded.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// There is no usable model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The speech worker failed.
    #[error(transparent)]
    Speech(#[from] SpeechError),
    /// What an earlier stage made is missing.
    #[error("the output of the stage before is missing; retry the call")]
    Missing,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The search index failed.
    #[error(transparent)]
    Index(#[from] crate::search::SearchError),
}

impl StageError {
    /// As kept with the job and shown to people.
    pub fn to_job_error(&self) -> JobError {
        let (code, retryable) = match self {
            StageError::Media(error @ (MediaError::Io(_) | MediaError::Stopped)) => {
                (error.code(), true)
            }
            StageError::Media(error) => (error.code(), false),
            StageError::Model(_) => ("model_missing", false),
            StageError::Speech(SpeechError::Refused(failure)) => {
                (failure.code.as_str(), failure.retryable)
            }
            StageError::Speech(SpeechError::Stopped) => ("stopped", true),
            StageError::Speech(SpeechError::Died { .. }) => ("speech_worker_died", true),
            StageError::Speech(SpeechError::Start(_) | SpeechError::Confused) => {
                ("speech_worker_failed", true)
            }
            StageError::Missing => ("stage_output_missing", false),
            StageError::Store(_) => ("store", true),
            StageError::Index(_) => ("index", true),
        };
        JobError {
            code: code.to_owned(),
            message: self.to_string(),
            retryable,
        }
    }
}

/// What is asked of one recognition; `None` is what the settings say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Name of a model in the models directory.
    pub model: Option<&'a str>,
    /// ISO 639-1 code or `auto`.
    pub language: Option<&'a str>,
}

/// What the stages need besides the recording.
#[derive(Clone)]
pub struct Tools {
    /// Settings of recognition.
    pub speech: SpeechConfig,
    /// What is known of recordings by their source.
    pub sources: Sources,
    /// The models directory.
    pub models: std::sync::Arc<ModelStore>,
    /// The scorecard in force.
    pub in_force: std::sync::Arc<InForce>,
    /// The language model that judges after the rules; `None`: the rules alone.
    pub judge: Option<String>,
}

impl Tools {
    /// Decodes `source` into `work`.
    pub fn decode(
        &self,
        source: &Input,
        work: &Path,
        kill: &KillSwitch,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Decoded, StageError> {
        Ok(decode::decode(
            source,
            work,
            &|| kill.is_stopped(),
            progress,
        )?)
    }

    /// Recognizes what was decoded into `work`; decodes again when the samples are gone.
    pub fn transcribe(
        &self,
        source: &Input,
        work: &Path,
        media: &MediaInfo,
        wanted: Wanted<'_>,
        speech: &mut SpeechProcess,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Recognition, StageError> {
        let model = self
            .models
            .resolve(wanted.model.unwrap_or(&self.speech.model))?;
        let request = Request::Transcribe(Transcribe {
            channels: samples(source, work, media, speech)?,
            model: model.path,
            model_name: model.name,
            language: wanted.language.unwrap_or(&self.speech.language).to_owned(),
            threads: speech.threads(),
            vocabulary: self.speech.vocabulary.clone(),
            prompt: self.speech.prompt.clone(),
        });
        match speech.ask(&request, progress)? {
            Answer::Recognized(recognition) => Ok(recognition),
            _ => Err(SpeechError::Confused.into()),
        }
    }

    /// Gives the words to speakers. Where telling voices apart fails, the
    /// transcript stands without speakers.
    #[allow(clippy::too_many_arguments)]
    pub fn diarize(
        &self,
        source: &Input,
        work: &Path,
        media: &MediaInfo,
        recognition: &Recognition,
        known: Known,
        speech: &mut SpeechProcess,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Transcript, StageError> {
        let voices = match recognition.channels.as_slice() {
            [only] if !only.segments.is_empty() => {
                let channels = samples(source, work, media, speech)?;
                let Some(channel) = channels.into_iter().next() else {
                    return Err(StageError::Missing);
                };
                let request = Request::Diarize(Diarize {
                    channel,
                    speech: only.speech.clone(),
                    threads: speech.threads(),
                });
                voices(speech.ask(&request, progress))?
            }
            _ => Vec::new(),
        };
        Ok(super::diarize::transcript(
            recognition,
            &voices,
            &self.in_force.rules(),
            known,
        ))
    }

    /// The transcript without telling voices apart.
    pub fn unseparated(&self, recognition: &Recognition, known: Known) -> Transcript {
        super::diarize::transcript(recognition, &[], &self.in_force.rules(), known)
    }

    /// What is known of a call besides what is said in it.
    pub fn known(&self, call: &Call) -> Known {
        Known {
            operator_channel: self.sources.of(call.source).operator_channel,
            direction: call.direction,
            swapped: call.speakers_swapped,
        }
    }

    /// Applies the scorecard by the rules, and says whether a model is still to judge.
    pub fn score(&self, transcript: &Transcript, envelope: &Envelope, duration_ms: u64) -> Score {
        self.score_by(&self.in_force.rules(), transcript, envelope, duration_ms)
    }

    /// The same by other rules than those in force.
    pub fn score_by(
        &self,
        rules: &Rules,
        transcript: &Transcript,
        envelope: &Envelope,
        duration_ms: u64,
    ) -> Score {
        let mut score = score::score(rules, transcript, envelope, duration_ms);
        score.model = self.judge.as_ref().map(|model| ModelNote {
            model: model.clone(),
            ..ModelNote::new(ModelState::Waiting)
        });
        score
    }
}

fn voices(answer: Result<Answer, SpeechError>) -> Result<Vec<Voice>, StageError> {
    match answer {
        Ok(Answer::Voices(voices)) => Ok(voices),
        Ok(_) => Err(SpeechError::Confused.into()),
        Err(SpeechError::Refused(failure)) => {
            tracing::warn!(reason = failure.message, "voices were not told apart");
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

fn samples(
    source: &Input,
    work: &Path,
    media: &MediaInfo,
    speech: &SpeechProcess,
) -> Result<Vec<PathBuf>, StageError> {
    let paths = decode::pcm_paths(work, media.kept_channels);
    if !paths.iter().all(|path| path.exists()) {
        // Work files are derived; they are gone when a finished job is tried again.
        decode::decode(source, work, &|| speech.is_stopped(), &mut |_| {})?;
    }
    Ok(paths)
}
