//! Recognizes a recording: voice activity, windows, the model, and the
//! safeguards against invented and against missing text. Called by the worker in
//! the child process.

use std::path::{Path, PathBuf};

use super::crosstalk;
use super::diarize::{RegionParams, Vad, regions};
use super::judge::{self, Verdict};
use super::pcm::{Pcm, SAMPLE_RATE};
use super::protocol::Transcribe;
use super::recognizer::{Manner, Recognizer, RecognizerFault, WindowSegment};
use super::share::share;
use super::timing;
use super::windows::{MAX_GAP_MS, Window, pack};
use crate::domain::transcript::{ChannelRecognition, Recognition, Span, Word};

/// Longest window in milliseconds of audio.
const MAX_WINDOW_MS: u64 = 26_000;
/// Hypotheses followed.
const BEAM: usize = 5;
/// Silence that the model sees after a window, in milliseconds.
const MARGIN_MS: u64 = 1_500;
/// The same for another attempt, which shall see something else.
const SECOND_MARGIN_MS: u64 = 4_000;
/// Longest window of another attempt.
const SECOND_WINDOW_MS: u64 = 12_000;
/// What is added to speech that no word accounts for, on both sides.
const AROUND_MS: u64 = 300;
/// Text found only there must be this likely (mean log-probability) …
const FOUND_LOG_PROBABILITY: f32 = -0.7;
/// … and the model must not take it for silence.
const FOUND_NO_SPEECH: f32 = 0.5;
/// Windows that are asked for their language.
const LANGUAGE_WINDOWS: usize = 3;
/// Stretches of speech are bounded generously: a word cut off is a word lost.
const SPEECH: RegionParams = RegionParams {
    begin: 0.5,
    end: 0.35,
    pause_ms: 300,
    shortest_ms: 120,
    margin_ms: 150,
};
/// Samples given to voice activity at once: a minute.
const VAD_CHUNK: u64 = 60 * SAMPLE_RATE;
/// Share of the work that the first attempt is.
const FIRST_SHARE: f64 = 0.9;

/// Why recognition failed; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecognizeFault {
    #[error("the samples cannot be read: {0}")]
    Samples(#[from] std::io::Error),
    #[error("voice activity failed: {0}")]
    Vad(String),
    #[error(transparent)]
    Recognizer(#[from] RecognizerFault),
}

/// A window of a channel.
#[derive(Clone)]
struct Task {
    channel: usize,
    window: Window,
}

fn length_ms(tasks: &[Task]) -> f64 {
    tasks
        .iter()
        .map(|task| task.window.length_ms())
        .sum::<u64>() as f64
}

/// What was heard in a window.
type Heard = Vec<WindowSegment>;

/// Recognizes all channels; `progress` is told the share done.
pub(super) fn recognize(
    recognizer: &Recognizer,
    request: &Transcribe,
    progress: &mut dyn FnMut(f64),
) -> Result<Recognition, RecognizeFault> {
    let speech = speech_of(&request.channels, request.threads)?;
    let mut tasks = Vec::new();
    for (channel, regions) in speech.iter().enumerate() {
        let windows = pack(regions, MAX_WINDOW_MS, MAX_GAP_MS);
        tasks.extend(windows.into_iter().map(|window| Task { channel, window }));
    }
    let language = match request.language.as_str() {
        "auto" => language(recognizer, request, &tasks)?,
        fixed => fixed.to_owned(),
    };
    let prompt = prompt(request);
    let mut work = Work {
        recognizer,
        request,
        speech: &speech,
        words: vec![Vec::new(); request.channels.len()],
    };
    let mut manner = Manner {
        language: &language,
        beam: BEAM,
        prompt: &prompt,
        margin_ms: MARGIN_MS,
    };
    let again = work.first(tasks, &manner, &mut |share| progress(share * FIRST_SHARE))?;
    manner.margin_ms = SECOND_MARGIN_MS;
    // The prompt may have been what the model repeated.
    manner.prompt = "";
    work.again(again, &manner)?;
    let doubtful = work.look_for_missing(&manner)?;
    progress(1.0);

    let channels = speech
        .iter()
        .zip(work.words)
        .zip(doubtful)
        .map(|((speech, words), doubtful)| ChannelRecognition {
            // Without a word the voice activity was a noise.
            speech: if words.is_empty() {
                Vec::new()
            } else {
                speech.clone()
            },
            doubtful: if words.is_empty() {
                Vec::new()
            } else {
                doubtful
            },
            segments: timing::segments(words),
        })
        .collect();
    Ok(Recognition {
        language,
        model: request.model_name.clone(),
        channels,
    })
}

/// What the model is told before every window.
fn prompt(request: &Transcribe) -> String {
    let mut prompt = request.vocabulary.join(", ");
    if !prompt.is_empty() {
        prompt.push_str(". ");
    }
    prompt.push_str(request.prompt.trim());
    prompt.trim().to_owned()
}

/// The language that most of the longest windows are in. A window holds speech,
/// so a ring tone has no say.
fn language(
    recognizer: &Recognizer,
    request: &Transcribe,
    tasks: &[Task],
) -> Result<String, RecognizeFault> {
    let mut longest: Vec<&Task> = tasks.iter().collect();
    longest.sort_by_key(|task| std::cmp::Reverse(task.window.length_ms()));
    let mut votes: Vec<(String, usize)> = Vec::new();
    for task in longest.into_iter().take(LANGUAGE_WINDOWS) {
        let samples = read_window(&request.channels[task.channel], &task.window)?;
        let heard = recognizer.detect_language(&samples)?;
        match votes.iter_mut().find(|(language, _)| *language == heard) {
            Some((_, votes)) => *votes += 1,
            None => votes.push((heard, 1)),
        }
    }
    // Of equals the one of the longest window comes first.
    votes.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
    Ok(votes
        .into_iter()
        .next()
        .map_or_else(|| "ru".to_owned(), |(language, _)| language))
}

/// Recognition under way.
struct Work<'a> {
    recognizer: &'a Recognizer,
    request: &'a Transcribe,
    speech: &'a [Vec<Span>],
    /// What is believed so far, for each channel.
    words: Vec<Vec<Word>>,
}

impl Work<'_> {
    /// Recognizes everything; returns what has to be tried again.
    fn first(
        &mut self,
        tasks: Vec<Task>,
        manner: &Manner,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<Task>, RecognizeFault> {
        let mut again = Vec::new();
        for (task, heard) in self.run(tasks, manner, progress)? {
            let length = task.window.length_ms();
            let verdicts: Vec<Verdict> = heard
                .iter()
                .map(|part| judge::judge(part, length))
                .collect();
            if verdicts.contains(&Verdict::TryAgain) {
                again.push(task);
                continue;
            }
            for (part, verdict) in heard.into_iter().zip(verdicts) {
                if verdict == Verdict::Keep {
                    self.keep(part, &task);
                }
            }
        }
        Ok(again)
    }

    /// Tries windows again in shorter pieces and believes what is credible.
    fn again(&mut self, tasks: Vec<Task>, manner: &Manner) -> Result<(), RecognizeFault> {
        let pieces = tasks
            .iter()
            .flat_map(|task| {
                let sources: Vec<Span> = task.window.sources().collect();
                pack(&sources, SECOND_WINDOW_MS, MAX_GAP_MS)
                    .into_iter()
                    .map(|window| Task {
                        channel: task.channel,
                        window,
                    })
            })
            .collect();
        for (task, heard) in self.run(pieces, manner, &mut |_| ())? {
            for part in heard {
                if judge::credible(&part, task.window.length_ms()) {
                    self.keep(part, &task);
                }
            }
        }
        Ok(())
    }

    /// Listens again where somebody speaks and no word was found; returns for each
    /// channel where there still is none.
    fn look_for_missing(&mut self, manner: &Manner) -> Result<Vec<Vec<Span>>, RecognizeFault> {
        for words in &mut self.words {
            words.sort_by_key(|word| word.start_ms);
        }
        let mut tasks = Vec::new();
        for (channel, (speech, words)) in self.speech.iter().zip(&self.words).enumerate() {
            // Without a single word nobody speaks: the voice activity was a noise.
            if words.is_empty() {
                continue;
            }
            for gap in timing::uncovered(speech, words) {
                let around = Span {
                    start_ms: gap.start_ms.saturating_sub(AROUND_MS),
                    end_ms: gap.end_ms + AROUND_MS,
                };
                tasks.extend(
                    pack(&[around], SECOND_WINDOW_MS, MAX_GAP_MS)
                        .into_iter()
                        .map(|window| Task { channel, window }),
                );
            }
        }
        for (task, heard) in self.run(tasks, manner, &mut |_| ())? {
            for part in heard {
                let likely = part.log_probability > FOUND_LOG_PROBABILITY
                    && part.no_speech < FOUND_NO_SPEECH;
                if likely && judge::judge(&part, task.window.length_ms()) == Verdict::Keep {
                    self.fill(part, &task);
                }
            }
        }
        Ok(self
            .speech
            .iter()
            .zip(&self.words)
            .map(|(speech, words)| timing::worth_a_flag(timing::uncovered(speech, words)))
            .collect())
    }

    fn keep(&mut self, mut part: WindowSegment, task: &Task) {
        judge::drop_unspoken(&mut part.words);
        let words = timing::to_source(
            &part,
            &task.window,
            &self.speech[task.channel],
            SPEECH.margin_ms,
        );
        self.words[task.channel].extend(words);
    }

    /// Keeps only words where none was.
    fn fill(&mut self, mut part: WindowSegment, task: &Task) {
        judge::drop_unspoken(&mut part.words);
        let found = timing::to_source(
            &part,
            &task.window,
            &self.speech[task.channel],
            SPEECH.margin_ms,
        );
        let words = &mut self.words[task.channel];
        let free = |word: &Word, words: &[Word]| {
            let span = Span {
                start_ms: word.start_ms,
                end_ms: word.end_ms,
            };
            words.iter().all(|other| {
                let other = Span {
                    start_ms: other.start_ms,
                    end_ms: other.end_ms,
                };
                span.overlap_ms(other) * 2 < span.length_ms().max(1)
            })
        };
        let new: Vec<Word> = found.into_iter().filter(|word| free(word, words)).collect();
        words.extend(new);
        words.sort_by_key(|word| word.start_ms);
    }

    /// Recognizes windows on all threads, the longest first, so that windows of
    /// like length go through the model together and the threads end together.
    fn run(
        &self,
        mut tasks: Vec<Task>,
        manner: &Manner,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<(Task, Heard)>, RecognizeFault> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        tasks.sort_by_key(|task| std::cmp::Reverse(task.window.length_ms()));
        let callers = self.recognizer.callers(self.request.threads);
        let size = self
            .recognizer
            .batch()
            .min(tasks.len().div_ceil(callers))
            .max(1);
        let batches: Vec<&[Task]> = tasks.chunks(size).collect();
        let mut done_ms = vec![0.0; batches.len()];
        let heard = share(
            &batches,
            callers,
            &mut |at, part| {
                done_ms[at] = part * length_ms(batches[at]);
                progress(done_ms.iter().sum::<f64>() / length_ms(&tasks).max(1.0));
            },
            |batch, done| self.batch(batch, manner, done),
        )?;
        Ok(tasks
            .iter()
            .cloned()
            .zip(heard.into_iter().flatten())
            .collect())
    }

    fn batch(
        &self,
        tasks: &[Task],
        manner: &Manner,
        done: &mut (dyn FnMut(f64) + Send),
    ) -> Result<Vec<Heard>, RecognizeFault> {
        let windows = tasks
            .iter()
            .map(|task| read_window(&self.request.channels[task.channel], &task.window))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self
            .recognizer
            .recognize(&windows, manner, self.request.threads, done)?)
    }
}

/// Where somebody speaks in each channel.
fn speech_of(paths: &[PathBuf], threads: usize) -> Result<Vec<Vec<Span>>, RecognizeFault> {
    let channels: Vec<Pcm> = paths
        .iter()
        .map(|path| Pcm::open(path))
        .collect::<Result<_, _>>()?;
    let speech = share(&channels, threads, &mut |_, _| {}, |pcm, _| {
        speech_regions(pcm)
    })?;
    let (Ok(channels), Ok(mut pair)) = (
        <[Pcm; 2]>::try_from(channels),
        <[Vec<Span>; 2]>::try_from(speech.clone()),
    ) else {
        return Ok(speech);
    };
    crosstalk::remove(&channels, &mut pair)?;
    Ok(pair.into())
}

fn speech_regions(pcm: &Pcm) -> Result<Vec<Span>, RecognizeFault> {
    let fault = |error: &dyn std::fmt::Display| RecognizeFault::Vad(error.to_string());
    let mut vad = Vad::new().map_err(|error| fault(&error))?;
    let mut probabilities = Vec::new();
    let mut samples = Vec::new();
    let mut at = 0;
    while at < pcm.samples() {
        samples.clear();
        pcm.read(at, at + VAD_CHUNK, &mut samples)?;
        at += VAD_CHUNK;
        probabilities.extend(vad.speech_probs(&samples).map_err(|error| fault(&error))?);
    }
    probabilities.extend(vad.finish().map_err(|error| fault(&error))?);
    let end_ms = pcm.duration_ms();
    Ok(regions(&probabilities, SPEECH)
        .into_iter()
        .map(|region| Span {
            start_ms: region.start_ms.min(end_ms),
            end_ms: region.end_ms.min(end_ms),
        })
        .filter(|span| span.length_ms() > 0)
        .collect())
}

fn read_window(path: &Path, window: &Window) -> Result<Vec<f32>, RecognizeFault> {
    let pcm = Pcm::open(path)?;
    let mut samples = Vec::new();
    for source in window.sources() {
        pcm.read(
            source.start_ms * SAMPLE_RATE / 1000,
            source.end_ms * SAMPLE_RATE / 1000,
            &mut samples,
        )?;
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_teams_words_come_before_its_prompt() {
        let mut request = Transcribe {
            channels: Vec::new(),
            model: "m".into(),
            model_name: "m".into(),
            language: "ru".into(),
            threads: 1,
            vocabulary: Vec::new(),
            prompt: String::new(),
        };
        assert_eq!(prompt(&request), "");
        request.vocabulary = vec!["Ромашка".into(), "Манго".into()];
        assert_eq!(prompt(&request), "Ромашка, Манго.");
        request.prompt = " Звонок в отдел продаж. ".into();
        assert_eq!(prompt(&request), "Ромашка, Манго. Звонок в отдел продаж.");
    }
}
