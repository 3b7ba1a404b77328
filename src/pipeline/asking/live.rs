//! Answers while they are written, for whoever watches.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, Receiver, Sender};

/// How many pieces a slow watcher may lag behind.
const BACKLOG: usize = 256;

/// What is told of an answer; the end of the channel is the end of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The next piece of its text.
    Text(String),
    /// All text so far is void.
    Again,
    /// So many parts of a long call are read, of so many.
    Part(usize, usize),
}

struct Stream {
    text: String,
    part: Option<(usize, usize)>,
    tell: Sender<Told>,
    given_up: Arc<AtomicBool>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            text: String::new(),
            part: None,
            tell: broadcast::channel(BACKLOG).0,
            given_up: Arc::default(),
        }
    }
}

/// What is known of an answer so far, and how to hear the rest.
pub struct Watch {
    /// Its text so far.
    pub text: String,
    /// Parts of a long call that are read, of how many.
    pub part: Option<(usize, usize)>,
    /// What comes.
    pub told: Receiver<Told>,
}

/// All answers that are being written, by id.
#[derive(Default)]
pub(super) struct Live(Mutex<HashMap<String, Stream>>);

impl Live {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an answer; the switch tells when nobody wants it any more.
    pub(super) fn open(&self, id: &str) -> Arc<AtomicBool> {
        Arc::clone(&self.lock().entry(id.to_owned()).or_default().given_up)
    }

    /// Tells watchers.
    pub(super) fn tell(&self, id: &str, told: Told) {
        let mut streams = self.lock();
        let Some(stream) = streams.get_mut(id) else {
            return;
        };
        match &told {
            Told::Text(piece) => stream.text += piece,
            Told::Again => stream.text.clear(),
            Told::Part(done, of) => stream.part = Some((*done, *of)),
        }
        // Nobody watching is no error.
        let _ = stream.tell.send(told);
    }

    /// Watches an answer that is owed. The caller looks into the store afterwards, and
    /// closes it where the answer is there already.
    pub(super) fn watch(&self, id: &str) -> Watch {
        let mut streams = self.lock();
        let stream = streams.entry(id.to_owned()).or_default();
        Watch {
            text: stream.text.clone(),
            part: stream.part,
            told: stream.tell.subscribe(),
        }
    }

    /// The answer is in the store, or not wanted any more.
    pub(super) fn close(&self, id: &str) {
        if let Some(stream) = self.lock().remove(id) {
            stream.given_up.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_late_gets_all() {
        let live = Live::default();
        let switch = live.open("a");
        live.tell("a", Told::Text("До".into()));
        live.tell("a", Told::Again);
        live.tell("a", Told::Text("Де".into()));
        live.tell("a", Told::Part(1, 3));
        let mut late = live.watch("a");
        assert_eq!((late.text.as_str(), late.part), ("Де", Some((1, 3))));
        live.tell("a", Told::Text("шево".into()));
        live.close("a");
        assert_eq!(late.told.try_recv(), Ok(Told::Text("шево".into())));
        assert!(matches!(
            late.told.try_recv(),
            Err(broadcast::error::TryRecvError::Closed)
        ));
        assert!(switch.load(Ordering::Relaxed));
        live.tell("a", Told::Text("x".into()));
        assert!(live.lock().is_empty());
    }
}
