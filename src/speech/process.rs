//! The parent's side of a speech worker: starts the child, asks, listens,
//! kills. One a pipeline worker; blocking.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use super::protocol::{Answer, Failure, Request};

/// Lines of the child's log kept for the reason of its death.
const TAIL_LINES: usize = 12;

/// Why the child gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// It could not be started.
    #[error("the speech worker cannot be started: {0}")]
    Start(std::io::Error),
    /// It died while it worked.
    #[error("the speech worker died ({how}){}", if tail.is_empty() { String::new() } else { format!(": {tail}") })]
    Died {
        /// Exit status or signal.
        how: String,
        /// End of its log.
        tail: String,
    },
    /// It was killed on purpose.
    #[error("the work was stopped")]
    Stopped,
    /// It answered that it cannot.
    #[error("{}", .0.message)]
    Refused(Failure),
    /// It answered what was not asked.
    #[error("the speech worker gave an answer that does not belong to the question")]
    Confused,
}

/// Kills the child from another thread.
#[derive(Clone, Default)]
pub struct KillSwitch(Arc<Mutex<Killable>>);

#[derive(Default)]
struct Killable {
    child: Option<Child>,
    stopped: bool,
}

impl KillSwitch {
    fn lock(&self) -> MutexGuard<'_, Killable> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Kills the child, if there is one, and refuses to start another until [`KillSwitch::reset`].
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        if let Some(child) = &mut state.child {
            // An error means that it is dead already.
            let _ = child.kill();
        }
    }

    /// Allows work again.
    pub fn reset(&self) {
        self.lock().stopped = false;
    }

    /// True between [`KillSwitch::stop`] and [`KillSwitch::reset`].
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }
}

/// A speech worker that is started when it is first needed.
pub struct SpeechProcess {
    executable: PathBuf,
    kill: KillSwitch,
    threads: usize,
    pipes: Option<Pipes>,
    tail: Arc<Mutex<VecDeque<String>>>,
    /// Reads the child's log until the child is gone.
    log_reader: Option<JoinHandle<()>>,
}

struct Pipes {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl SpeechProcess {
    /// `executable` is this program, `kill` stops its child.
    pub fn new(executable: PathBuf, kill: KillSwitch) -> Self {
        Self {
            executable,
            kill,
            threads: 1,
            pipes: None,
            tail: Arc::default(),
            log_reader: None,
        }
    }

    /// Sets how many threads the next answers may be computed with.
    pub fn use_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// Threads to compute the next answer with.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Asks and waits for the answer; `progress` is told the share done.
    pub fn ask(
        &mut self,
        request: &Request,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Answer, SpeechError> {
        let answer = self.exchange(request, progress);
        if matches!(answer, Err(ref error) if !matches!(error, SpeechError::Refused(_))) {
            self.unload();
        }
        answer
    }

    /// Ends the child; its memory goes back to the system.
    pub fn unload(&mut self) {
        self.pipes = None;
        self.reap();
    }

    /// True when its work shall stop.
    pub fn is_stopped(&self) -> bool {
        self.kill.is_stopped()
    }

    /// True while a child is alive with its models.
    pub fn is_loaded(&self) -> bool {
        self.pipes.is_some()
    }

    fn exchange(
        &mut self,
        request: &Request,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Answer, SpeechError> {
        if self.pipes.is_none() {
            self.start()?;
        }
        let Some(pipes) = &mut self.pipes else {
            return Err(SpeechError::Confused);
        };
        let mut line = serde_json::to_vec(request).map_err(|_| SpeechError::Confused)?;
        line.push(b'\n');
        if pipes.stdin.write_all(&line).is_err() {
            return Err(self.death());
        }
        let mut line = String::new();
        loop {
            line.clear();
            match pipes.stdout.read_line(&mut line) {
                Ok(0) | Err(_) => return Err(self.death()),
                Ok(_) => {}
            }
            match serde_json::from_str(&line) {
                Ok(Answer::Progress(share)) => progress(share),
                Ok(Answer::Failed(failure)) => return Err(SpeechError::Refused(failure)),
                Ok(answer) => return Ok(answer),
                Err(_) => return Err(SpeechError::Confused),
            }
        }
    }

    fn start(&mut self) -> Result<(), SpeechError> {
        let mut state = self.kill.lock();
        if state.stopped {
            return Err(SpeechError::Stopped);
        }
        let mut child = Command::new(&self.executable)
            .arg("speech-worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(SpeechError::Start)?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(SpeechError::Confused);
        };
        state.child = Some(child);
        drop(state);
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        self.tail = Arc::clone(&tail);
        self.log_reader = Some(std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                tracing::debug!(target: "call_analytics::speech", "{line}");
                let mut tail = tail
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                if tail.len() == TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
        }));
        self.pipes = Some(Pipes {
            stdin,
            stdout: BufReader::new(stdout),
        });
        Ok(())
    }

    fn death(&mut self) -> SpeechError {
        self.pipes = None;
        let how = self.reap();
        if let Some(reader) = self.log_reader.take() {
            // Its last words are the reason; a reader that panicked has read them.
            let _ = reader.join();
        }
        if self.kill.is_stopped() {
            return SpeechError::Stopped;
        }
        let tail = self
            .tail
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
            .rev()
            .take(3)
            .rev()
            .cloned()
            .collect::<Vec<_>>()
            .join(" | ");
        SpeechError::Died { how, tail }
    }

    fn reap(&mut self) -> String {
        let child = self.kill.lock().child.take();
        match child {
            None => "it was not running".to_owned(),
            Some(mut child) => {
                let _ = child.kill();
                child
                    .wait()
                    .map_or_else(|error| error.to_string(), |status| status.to_string())
            }
        }
    }
}

impl Drop for SpeechProcess {
    fn drop(&mut self) {
        self.unload();
    }
}
