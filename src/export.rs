//! A transcript as a file for other programs: plain text, subtitles (SubRip,
//! WebVTT) and JSON, which can be read back. Called by the API, by `analyze` and by
//! `score-stability`.

mod json;

use std::fmt::Write;

pub use json::{ReadError, Reviewed, read};

use crate::domain::{Span, Speaker, Transcript, Turn, Word};

/// Most characters in a line of a subtitle, and most lines.
const LINE_CHARS: usize = 42;
const LINES: usize = 2;
/// A subtitle stands at most this long.
const CUE_MS: u64 = 6_000;
/// A subtitle stands at least this long, however short its words are.
const SHORTEST_CUE_MS: u64 = 100;
/// A pause between words that ends a subtitle.
const PAUSE_MS: u64 = 1_500;

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line a turn with its time and speaker.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles; the speaker is in the voice tag.
    Vtt,
    /// Everything, with the time of each word.
    Json,
}

impl Format {
    /// The file name's ending, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Txt => "txt",
            Format::Srt => "srt",
            Format::Vtt => "vtt",
            Format::Json => "json",
        }
    }

    /// The content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Txt => "text/plain; charset=utf-8",
            // Not registered; players know it by this name.
            Format::Srt => "application/x-subrip; charset=utf-8",
            Format::Vtt => "text/vtt; charset=utf-8",
            Format::Json => "application/json; charset=utf-8",
        }
    }
}

/// The language of the speakers' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Russian.
    #[default]
    Ru,
    /// English.
    En,
}

impl Names {
    /// The speaker's name; `None` where it is not known who speaks.
    pub fn of(self, speaker: Speaker) -> Option<&'static str> {
        match (self, speaker) {
            (Names::Ru, Speaker::Operator) => Some("Оператор"),
            (Names::Ru, Speaker::Client) => Some("Клиент"),
            (Names::En, Speaker::Operator) => Some("Operator"),
            (Names::En, Speaker::Client) => Some("Client"),
            (Names::Ru | Names::En, Speaker::Unknown) => None,
        }
    }
}

/// The transcript of the recording `filename` as the text of a file. `score` goes into JSON.
pub fn write(
    transcript: &Transcript,
    filename: &str,
    format: Format,
    names: Names,
    score: Option<Reviewed<'_>>,
) -> String {
    match format {
        Format::Txt => txt(&transcript.turns, filename, names),
        Format::Srt => srt(&transcript.turns, names),
        Format::Vtt => vtt(&transcript.turns, names),
        Format::Json => json::write(transcript, filename, names, score),
    }
}

/// Hours, minutes, seconds and milliseconds, with `point` before the last.
pub fn clock(ms: u64, point: char) -> String {
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{h:02}:{m:02}:{s:02}{point}{:03}", ms % 1000)
}

fn txt(turns: &[Turn], filename: &str, names: Names) -> String {
    let mut text = format!("{filename}\n\n");
    for turn in turns {
        let clock = clock(turn.span().start_ms, '.');
        let clock = clock.split('.').next().unwrap_or_default();
        let speaker = names
            .of(turn.speaker)
            .map(|name| format!("{name}: "))
            .unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[{clock}] {speaker}{}", turn.text());
    }
    text
}

fn srt(turns: &[Turn], names: Names) -> String {
    let mut text = String::new();
    for (index, cue) in cues(turns, |speaker| {
        names.of(speaker).map_or(0, |name| name.chars().count() + 2)
    })
    .iter()
    .enumerate()
    {
        let speaker = names
            .of(cue.speaker)
            .map(|name| format!("{name}: "))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "{}\n{} --> {}\n{speaker}{}\n",
            index + 1,
            clock(cue.span.start_ms, ','),
            clock(cue.span.end_ms, ','),
            // The arrow would be read as the line of times.
            cue.lines.join("\n").replace("-->", "->"),
        );
    }
    text
}

fn vtt(turns: &[Turn], names: Names) -> String {
    let mut text = "WEBVTT\n\n".to_owned();
    for cue in cues(turns, |_| 0) {
        let voice = names
            .of(cue.speaker)
            .map(|name| format!("<v {}>", escaped(name)))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "{} --> {}\n{voice}{}\n",
            clock(cue.span.start_ms, '.'),
            clock(cue.span.end_ms, '.'),
            escaped(&cue.lines.join("\n")),
        );
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// One subtitle.
struct Cue {
    speaker: Speaker,
    span: Span,
    lines: Vec<String>,
}

/// The turns divided into subtitles, ordered by start. `label` is the number of
/// characters that stand before the first line.
fn cues(turns: &[Turn], label: impl Fn(Speaker) -> usize) -> Vec<Cue> {
    let mut cues = Vec::new();
    for turn in turns {
        let label = label(turn.speaker);
        let mut open: Option<Cue> = None;
        for word in &turn.words {
            if open.as_mut().is_some_and(|cue| takes(cue, word, label)) {
                continue;
            }
            let next = Cue {
                speaker: turn.speaker,
                span: Span {
                    start_ms: word.start_ms,
                    end_ms: word.end_ms.min(word.start_ms + CUE_MS),
                },
                lines: vec![plain(&word.text)],
            };
            cues.extend(open.replace(next));
        }
        cues.extend(open);
    }
    for cue in &mut cues {
        cue.span.end_ms = cue.span.end_ms.max(cue.span.start_ms + SHORTEST_CUE_MS);
    }
    // People speak at the same time, and formats want the order of the starts.
    cues.sort_by_key(|cue| cue.span.start_ms);
    cues
}

/// Puts the word into the subtitle where there is room and time for it.
fn takes(cue: &mut Cue, word: &Word, label: usize) -> bool {
    let late = word.start_ms > cue.span.end_ms + PAUSE_MS;
    if late || word.end_ms.saturating_sub(cue.span.start_ms) > CUE_MS {
        return false;
    }
    let text = plain(&word.text);
    let before = if cue.lines.len() == 1 { label } else { 0 };
    let lines = cue.lines.len();
    let Some(line) = cue.lines.last_mut() else {
        return false;
    };
    if before + line.chars().count() + 1 + text.chars().count() <= LINE_CHARS {
        line.push(' ');
        line.push_str(&text);
    } else if lines < LINES {
        cue.lines.push(text);
    } else {
        return false;
    }
    cue.span.end_ms = cue.span.end_ms.max(word.end_ms);
    true
}

/// A word on one line.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
