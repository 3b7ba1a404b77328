//! An archive on this machine: its files go through the same door as all others.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use super::without_workers;
use crate::config::Config;
use crate::control::import::{Archive, Taken};
use crate::domain::{CallDetails, Priority, Source};
use crate::intake::names::Names;
use crate::intake::{Accepted, Arrival, Intake, IntakeError};
use crate::pipeline::media::MediaError;
use crate::store::Store;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// Takes the files of an archive in.
pub struct ArchiveDoor {
    store: Arc<Store>,
    intake: Arc<Intake>,
}

impl ArchiveDoor {
    /// Of a server that runs.
    pub(super) fn new(store: Arc<Store>, intake: Arc<Intake>) -> Self {
        Self { store, intake }
    }

    /// Into a store that no server has open: the recordings wait for its start.
    ///
    /// # Errors
    /// When the index or the scorecard cannot be used.
    pub fn without_server(
        config: &Config,
        store: Store,
        executable: PathBuf,
    ) -> anyhow::Result<Self> {
        let (store, runner) = without_workers(config, store, executable)?;
        let intake = Intake::new(
            Arc::clone(&store),
            runner,
            config.max_upload_bytes,
            config.raw.clone(),
            Names::new(&config.names)?,
        );
        Ok(Self::new(store, Arc::new(intake)))
    }

    fn accept(
        &self,
        name: &str,
        size: u64,
        bytes: &mut dyn Read,
    ) -> Result<Accepted, Result<IntakeError, String>> {
        let mut spool = self.intake.spool().map_err(Ok)?;
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = bytes
                .read(&mut buffer)
                .map_err(|error| Err(error.to_string()))?;
            if read == 0 {
                break;
            }
            self.intake.write(&mut spool, &buffer[..read]).map_err(Ok)?;
        }
        if spool.size_bytes() != size {
            return Err(Err("the file changed while it was read".to_owned()));
        }
        let arrival = Arrival {
            filename: name.to_owned(),
            operator: None,
            language: None,
            source: Source::Import,
            direction: None,
            priority: Priority::Bulk,
            // The time of the file is when it was copied: only its name tells of the call.
            started_at: None,
            details: CallDetails::default(),
        };
        self.intake.accept(spool, arrival).map_err(Ok)
    }
}

impl Archive for ArchiveDoor {
    fn known(&self, sha256: &str) -> Result<Option<String>, String> {
        let known = self.store.call_of_recording(sha256);
        known
            .map(|call| call.map(|call| call.to_string()))
            .map_err(|error| error.to_string())
    }

    fn take(&self, name: &str, size: u64, bytes: &mut dyn Read) -> Taken {
        let refused = |code: &str, error: &IntakeError| Taken::Refused {
            code: code.to_owned(),
            message: error.to_string(),
        };
        match self.accept(name, size, bytes) {
            Ok(Accepted::New(id)) => Taken::New(id.to_string()),
            Ok(Accepted::Known(id)) => Taken::Known(id.to_string()),
            Err(Err(reason)) => Taken::Failed(reason),
            Err(Ok(IntakeError::Media(MediaError::UnsupportedType))) => Taken::Other,
            Err(Ok(IntakeError::Media(MediaError::Io(error)))) => Taken::Failed(error.to_string()),
            Err(Ok(IntakeError::Store(error))) if error.is_storage_full() => {
                Taken::Failed("the disk is full".to_owned())
            }
            Err(Ok(IntakeError::Store(error))) => Taken::Failed(error.to_string()),
            Err(Ok(ref error @ IntakeError::Media(ref media))) => refused(media.code(), error),
            Err(Ok(ref error @ IntakeError::Erased)) => refused("erased", error),
            Err(Ok(ref error @ IntakeError::TooLarge { .. })) => refused("file_too_large", error),
            Err(Ok(ref error @ (IntakeError::Details(_) | IntakeError::Patterns(_)))) => {
                refused("refused", error)
            }
        }
    }
}
