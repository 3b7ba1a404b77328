//! What follows a person's change of a transcript: a new score at once, and an
//! index that finds the new words. The rules take milliseconds, so nothing is
//! queued. Called by the API.

use std::panic::AssertUnwindSafe;

use jiff::Timestamp;

use super::Runner;
use crate::domain::CallId;
use crate::store::{Revision, StoreError};

impl Runner {
    /// Changes the transcript of a call on which nobody works. `seen` is the
    /// version the person looked at, `author` the name of the account. Blocks.
    ///
    /// The change is durable and the score marked as stale before the new score is
    /// made: where that fails the log says why and the mark stays.
    pub fn revise(
        &self,
        id: &CallId,
        seen: Option<u32>,
        revision: &Revision,
        author: &str,
    ) -> Result<(), StoreError> {
        let changed = self
            .store
            .revise(id, seen, revision, author, Timestamp::now())?;
        let Some(version) = changed else {
            return Ok(());
        };
        if let Err(error) = self.score_again(id, version) {
            tracing::error!(call = %id, %error, "the changed transcript cannot be scored; its score stays stale");
        }
        self.index_again(id)?;
        if let Some(entry) = self.store.entry(id)? {
            self.announce(&entry.job);
        }
        Ok(())
    }

    fn score_again(&self, id: &CallId, version: u32) -> Result<(), StoreError> {
        let Some(transcript) = self.store.version(id, version)? else {
            return Ok(());
        };
        let (envelope, duration_ms) = self.store.scored_from(id)?;
        let scored = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.tools.score(&transcript, &envelope, duration_ms)
        }));
        match scored {
            Ok(score) => {
                self.store.replace_score(id, version, &score)?;
            }
            Err(_) => tracing::error!(call = %id, "scoring panicked; the score stays stale"),
        }
        Ok(())
    }

    /// Makes a call that is not being worked on findable by what is known of it now.
    pub fn index_again(&self, id: &CallId) -> Result<(), StoreError> {
        let entry = self.store.entry(id)?.ok_or(StoreError::NotFound)?;
        if entry.job.state.is_final() {
            let transcript = self.store.transcript(id)?;
            if let Err(error) = self.search.put(&entry.call, transcript.as_ref()) {
                tracing::error!(call = %id, %error, "the call cannot be indexed again");
            }
        }
        Ok(())
    }
}
