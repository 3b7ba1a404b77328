//! The durable queue. A job's next state and the stage's output are written in
//! one transaction; no transaction is open while a stage computes.

use jiff::Timestamp;
use redb::{ReadableTable, WriteTransaction};

use super::calls::{get, put, rank};
use super::record::decode;
use super::{Store, StoreError, judging, schema, versions};
use crate::domain::transcript::Version;
use crate::domain::{
    Call, CallId, Envelope, Job, JobError, JobEvent, JobState, MediaInfo, Recognition, Recording,
    Score, Stage, Transcript,
};

/// What a stage made.
#[derive(Debug)]
pub enum StageOutput {
    /// Of decode.
    Decoded {
        /// What the file is.
        media: MediaInfo,
        /// Its loudness over time.
        envelope: Envelope,
    },
    /// Of transcribe.
    Recognized(Recognition),
    /// Of diarize.
    Diarized(Transcript),
    /// Of score.
    Scored(Box<Score>),
    /// Of index: the index itself is elsewhere.
    Indexed,
}

/// What a person asks for when a call is to be worked on again.
#[derive(Debug, Clone, Default)]
pub struct Retry {
    /// From this stage on; `None` is where it ended, or recognition when it was finished.
    pub from: Option<Stage>,
    /// With this model instead of the one of the settings.
    pub model: Option<String>,
    /// In this language from now on: ISO 639-1 code or `auto`.
    pub language: Option<String>,
}

/// Answer to a worker that asks for work.
#[derive(Debug)]
pub enum Claim {
    /// Do this job's current stage.
    Job(Box<Job>),
    /// Nothing can be done before this moment.
    WaitUntil(Timestamp),
    /// The queue is empty.
    Idle,
}

impl Store {
    /// Takes the first job that may run at `now`.
    pub fn claim(&self, now: Timestamp) -> Result<Claim, StoreError> {
        loop {
            if let Some(claim) = self.try_claim(now)? {
                return Ok(claim);
            }
        }
    }

    /// `None` when somebody else took the job that was found.
    fn try_claim(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        let mut earliest = None;
        let next = {
            let txn = self.read()?;
            let queue = txn.open_table(schema::QUEUE)?;
            let mut next = None;
            for entry in queue.iter()? {
                let (key, not_before) = entry?;
                let not_before = not_before.value();
                if not_before <= now.as_millisecond() {
                    next = Some(key.value().2.to_owned());
                    break;
                }
                earliest = Some(earliest.map_or(not_before, |e: i64| e.min(not_before)));
            }
            next
        };
        let Some(id) = next else {
            return Ok(Some(match earliest {
                Some(ms) => Claim::WaitUntil(Timestamp::from_millisecond(ms).unwrap_or(now)),
                None => Claim::Idle,
            }));
        };
        let txn = self.write()?;
        let claimed = match get::<Job>(&txn, schema::JOBS, &id)? {
            // Another worker took it, or it was cancelled, since the look above.
            Some(job) if job.state == JobState::Queued => {
                change(&txn, job, &JobEvent::Claimed, now)?
            }
            Some(_) | None => return Ok(None),
        };
        txn.commit()?;
        Ok(Some(Claim::Job(Box::new(claimed))))
    }

    /// Writes a stage's output and the job's next state. `None` when the job was
    /// cancelled, deleted or taken over meanwhile: the output is dropped.
    pub fn finish_stage(
        &self,
        claimed: &Job,
        output: &StageOutput,
        now: Timestamp,
    ) -> Result<Option<Job>, StoreError> {
        let txn = self.write()?;
        let Some(job) = current(&txn, claimed)? else {
            return Ok(None);
        };
        let key = job.call_id.as_str().to_owned();
        let mut call: Call = get(&txn, schema::CALLS, &key)?.ok_or(StoreError::NotFound)?;
        let mut speech = true;
        match output {
            StageOutput::Decoded { media, envelope } => {
                call.duration_ms = Some(media.duration_ms);
                let mut recording: Recording =
                    get(&txn, schema::RECORDINGS, &call.sha256)?.ok_or(StoreError::NotFound)?;
                recording.media = Some(media.clone());
                put(&txn, schema::RECORDINGS, &call.sha256, &recording)?;
                put(&txn, schema::ENVELOPES, &key, envelope)?;
            }
            StageOutput::Recognized(recognition) => {
                speech = !recognition.is_empty();
                put(&txn, schema::RECOGNITIONS, &key, recognition)?;
                // What stood on an earlier recognition is no longer true, but may hold corrections.
                versions::set_aside(&txn, &call)?;
                txn.open_table(schema::SCORES)?.remove(key.as_str())?;
                super::insights::forget_call(&txn, &key)?;
                call.score = None;
                call.separation = None;
            }
            StageOutput::Diarized(transcript) => {
                versions::set_aside(&txn, &call)?;
                let mut transcript = transcript.clone();
                transcript.version = Version {
                    number: versions::next_number(&txn, &key)?,
                    made_at: Some(now),
                    ..Version::default()
                };
                call.separation = Some(transcript.separation);
                versions::mark_stale(&mut call);
                put(&txn, schema::TRANSCRIPTS, &key, &transcript)?;
            }
            StageOutput::Scored(score) => {
                judging::put_score(&txn, &mut call, score, now)?;
                super::insights::owe(&txn, &key)?;
            }
            StageOutput::Indexed => {}
        }
        txn.put_call(&call)?;
        let job = change(&txn, job, &JobEvent::StageDone { speech }, now)?;
        txn.commit()?;
        Ok(Some(job))
    }

    /// Writes a stage's failure. `None` as for [`Store::finish_stage`].
    pub fn fail_stage(
        &self,
        claimed: &Job,
        error: JobError,
        now: Timestamp,
    ) -> Result<Option<Job>, StoreError> {
        let txn = self.write()?;
        let Some(job) = current(&txn, claimed)? else {
            return Ok(None);
        };
        let job = change(&txn, job, &JobEvent::StageFailed(error), now)?;
        txn.commit()?;
        Ok(Some(job))
    }

    /// Stops a job that waits or runs.
    pub fn cancel(&self, id: &CallId, now: Timestamp) -> Result<Job, StoreError> {
        self.apply(id, &JobEvent::Cancelled, now)
    }

    /// Puts a job that ended into the queue again, as `retry` says.
    pub fn retry(&self, id: &CallId, retry: &Retry, now: Timestamp) -> Result<Job, StoreError> {
        let txn = self.write()?;
        let key = id.as_str();
        let job: Job = get(&txn, schema::JOBS, key)?.ok_or(StoreError::NotFound)?;
        let goes_on = matches!(job.state, JobState::Failed | JobState::Cancelled);
        let anew = retry.model.is_some() || retry.language.is_some();
        let from = retry.from.unwrap_or(match goes_on {
            // Another model is of no use to the stages after.
            true if anew => job.stage.min(Stage::Transcribe),
            true => job.stage,
            false => Stage::Transcribe,
        });
        if retry.from.is_some() && !reached(&txn, key, from)? {
            return Err(StoreError::NotReached(from));
        }
        // What goes on where it ended goes on with what was asked for then.
        let model = match &retry.model {
            None if goes_on => job.model.clone(),
            asked => asked.clone(),
        };
        let job = change(&txn, job, &JobEvent::Retried { from, model }, now)?;
        if let Some(language) = &retry.language {
            let mut call: Call = get(&txn, schema::CALLS, key)?.ok_or(StoreError::NotFound)?;
            call.language = Some(language.clone());
            txn.put_call(&call)?;
        }
        txn.commit()?;
        Ok(job)
    }

    /// Puts what an earlier process left running back into the queue.
    pub fn recover(&self, now: Timestamp) -> Result<Vec<Job>, StoreError> {
        let txn = self.write()?;
        let mut running = Vec::new();
        for entry in txn.open_table(schema::JOBS)?.iter()? {
            let job: Job = decode(entry?.1.value())?;
            if job.state == JobState::Running {
                running.push(job);
            }
        }
        let mut recovered = Vec::new();
        for job in running {
            recovered.push(change(&txn, job, &JobEvent::Recovered, now)?);
        }
        txn.commit()?;
        Ok(recovered)
    }

    fn apply(&self, id: &CallId, event: &JobEvent, now: Timestamp) -> Result<Job, StoreError> {
        let txn = self.write()?;
        let job: Job = get(&txn, schema::JOBS, id.as_str())?.ok_or(StoreError::NotFound)?;
        let job = change(&txn, job, event, now)?;
        txn.commit()?;
        Ok(job)
    }
}

/// Whether what `stage` works on was made.
fn reached(txn: &WriteTransaction, key: &str, stage: Stage) -> Result<bool, StoreError> {
    Ok(match stage {
        Stage::Decode => true,
        Stage::Transcribe => {
            let call: Call = get(txn, schema::CALLS, key)?.ok_or(StoreError::NotFound)?;
            call.duration_ms.is_some()
        }
        Stage::Diarize => get::<Recognition>(txn, schema::RECOGNITIONS, key)?
            .is_some_and(|recognition| !recognition.is_empty()),
        Stage::Score | Stage::Index => get::<Transcript>(txn, schema::TRANSCRIPTS, key)?.is_some(),
    })
}

/// The stored job, if the worker's claim still holds.
fn current(txn: &WriteTransaction, claimed: &Job) -> Result<Option<Job>, StoreError> {
    let job: Option<Job> = get(txn, schema::JOBS, claimed.call_id.as_str())?;
    Ok(job.filter(|job| job.state == JobState::Running && job.claim == claimed.claim))
}

fn change(
    txn: &WriteTransaction,
    mut job: Job,
    event: &JobEvent,
    now: Timestamp,
) -> Result<Job, StoreError> {
    let before = job.clone();
    job.apply(event, now)?;
    put_job(txn, Some(&before), &job)?;
    Ok(job)
}

/// Writes a job and keeps the queue in step with its state.
pub(super) fn put_job(
    txn: &WriteTransaction,
    before: Option<&Job>,
    job: &Job,
) -> Result<(), StoreError> {
    if let Some(before) = before {
        unqueue(txn, before)?;
    }
    if job.state == JobState::Queued {
        let not_before = job.not_before.map_or(i64::MIN, Timestamp::as_millisecond);
        txn.open_table(schema::QUEUE)?
            .insert(queue_key(job), not_before)?;
    }
    put(txn, schema::JOBS, job.call_id.as_str(), job)
}

/// Takes a job out of the queue's order.
pub(super) fn unqueue(txn: &WriteTransaction, job: &Job) -> Result<(), StoreError> {
    txn.open_table(schema::QUEUE)?.remove(queue_key(job))?;
    Ok(())
}

fn queue_key(job: &Job) -> (u8, i64, &str) {
    (
        rank(job.priority),
        job.enqueued_at.as_microsecond(),
        job.call_id.as_str(),
    )
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
