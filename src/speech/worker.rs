//! The child process: `call-analytics speech-worker`. Reads requests, computes,
//! answers; ends with its standard input.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use super::diarize::Diarizer;
use super::pcm::Pcm;
use super::protocol::{Answer, Diarize, Failure, Request, Transcribe, Voice};
use super::recognize::recognize;
use super::recognizer::{Recognizer, RecognizerFault};
use crate::domain::Span;

/// Runs until standard input ends.
pub fn run() -> std::process::ExitCode {
    prefer_to_be_killed();
    let (sender, requests) = mpsc::channel();
    // A thread of its own notices the end of standard input (the server is gone)
    // even while a recording is being computed.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) => {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        std::process::exit(0);
    });
    let mut models = Models::default();
    while let Ok(line) = requests.recv() {
        let answer = match serde_json::from_str(&line) {
            Ok(Request::Transcribe(request)) => models.transcribe(&request),
            Ok(Request::Diarize(request)) => models.diarize(&request),
            Err(error) => failed("protocol", error.to_string(), false),
        };
        say(&answer);
    }
    std::process::ExitCode::SUCCESS
}

fn load(model: &Path) -> Result<Recognizer, RecognizerFault> {
    let start = Instant::now();
    let recognizer = Recognizer::load(model)?;
    tracing::info!(
        model = %model.display(),
        instructions = recognizer.description(),
        load_ms = start.elapsed().as_millis() as u64,
        "the speech model is loaded"
    );
    Ok(recognizer)
}

/// When memory runs out the child goes before the server.
fn prefer_to_be_killed() {
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "500") {
        tracing::debug!(%error, "the out-of-memory score cannot be set");
    }
}

fn say(answer: &Answer) {
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer(&mut out, answer)
        .map_err(std::io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if written.is_err() {
        // The parent is gone.
        std::process::exit(0);
    }
}

fn failed(code: &str, message: String, retryable: bool) -> Answer {
    Answer::Failed(Failure {
        code: code.to_owned(),
        message,
        retryable,
    })
}

/// What is loaded; it stays loaded between requests.
#[derive(Default)]
struct Models {
    recognizer: Option<(PathBuf, Recognizer)>,
    diarizer: Option<Diarizer>,
}

impl Models {
    fn transcribe(&mut self, request: &Transcribe) -> Answer {
        let loaded = self
            .recognizer
            .take()
            .filter(|(path, _)| *path == request.model);
        let recognizer = match loaded {
            Some((_, recognizer)) => recognizer,
            None => match load(&request.model) {
                Ok(recognizer) => recognizer,
                Err(error) => {
                    return failed(
                        "model_unusable",
                        format!(
                            "{error}. Remove the model and pull or import it again ('call-analytics model')."
                        ),
                        false,
                    );
                }
            },
        };
        let (_, recognizer) = self.recognizer.insert((request.model.clone(), recognizer));
        match recognize(recognizer, request, &mut |share| {
            say(&Answer::Progress(share))
        }) {
            Ok(recognition) => Answer::Recognized(recognition),
            Err(error) => failed("recognition_failed", error.to_string(), true),
        }
    }

    fn diarize(&mut self, request: &Diarize) -> Answer {
        match self.voices(request) {
            Ok(voices) => Answer::Voices(voices),
            Err(message) => failed("diarization_failed", message, true),
        }
    }

    fn voices(&mut self, request: &Diarize) -> Result<Vec<Voice>, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let pcm = Pcm::open(&request.channel).map_err(|error| text(&error))?;
        let diarizer = match &mut self.diarizer {
            Some(diarizer) => diarizer,
            none => none.insert(Diarizer::new().map_err(|error| text(&error))?),
        };
        let regions: Vec<super::diarize::Region> = request
            .speech
            .iter()
            .map(|span| super::diarize::Region {
                start_ms: span.start_ms,
                end_ms: span.end_ms,
            })
            .collect();
        let found = diarizer
            .diarize(&pcm, &regions, request.threads, |share| {
                say(&Answer::Progress(f64::from(share)));
            })
            .map_err(|error| text(&error))?;
        if found.speakers < 2 {
            return Ok(Vec::new());
        }
        Ok(found
            .spans
            .iter()
            .map(|span| Voice {
                voice: usize::from(span.speaker),
                span: Span {
                    start_ms: span.start_ms,
                    end_ms: span.end_ms,
                },
            })
            .collect())
    }
}
