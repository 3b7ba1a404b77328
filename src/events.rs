//! What changed, to whoever watches (the WebSocket). Events say only which call
//! and where it is; the watcher fetches the rest.

use tokio::sync::broadcast;

use crate::domain::{CallId, JobState, Stage};

/// How many events a slow watcher may lag behind before it is told to fetch anew.
const BACKLOG: usize = 1024;

/// Something changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A call arrived or its job moved.
    Call {
        /// Which.
        id: CallId,
        /// State of its job.
        state: JobState,
        /// Stage of its job.
        stage: Stage,
        /// Share of the current stage that is done, 0–1.
        stage_progress: f64,
    },
    /// A call was deleted.
    Deleted {
        /// Which.
        id: CallId,
    },
}

/// Sends events to all watchers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Events {
    /// Tells all watchers; nobody watching is no error.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }

    /// Watches from now on.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
