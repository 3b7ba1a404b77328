//! What was said, when, and by whom.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A stretch of time in milliseconds from the start of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First millisecond.
    pub start_ms: u64,
    /// First millisecond after it.
    pub end_ms: u64,
}

impl Span {
    /// Length in milliseconds.
    pub fn length_ms(self) -> u64 {
        self.end_ms.saturating_sub(self.start_ms)
    }

    /// Milliseconds that both have in common.
    pub fn overlap_ms(self, other: Span) -> u64 {
        self.end_ms
            .min(other.end_ms)
            .saturating_sub(self.start_ms.max(other.start_ms))
    }
}

/// One word, as recognized or as a person wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// First millisecond.
    pub start_ms: u64,
    /// First millisecond after it.
    pub end_ms: u64,
    /// The word with its punctuation.
    pub text: String,
    /// Mean probability of its tokens, 0–1; 1 when a person wrote it.
    pub confidence: f32,
    /// True when a person wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub corrected: bool,
}

/// Text of the model with its times, from one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The words in order; never empty.
    pub words: Vec<Word>,
}

impl Segment {
    /// From its first word's start to its last word's end.
    pub fn span(&self) -> Span {
        Span {
            start_ms: self.words.first().map_or(0, |word| word.start_ms),
            end_ms: self.words.last().map_or(0, |word| word.end_ms),
        }
    }
}

/// What was recognized in one kept channel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChannelRecognition {
    /// Where somebody speaks, by voice activity.
    pub speech: Vec<Span>,
    /// What was said, in order.
    pub segments: Vec<Segment>,
    /// Speech in which text may be missing, after a second attempt; in order.
    #[serde(default)]
    pub doubtful: Vec<Span>,
}

/// Output of the transcribe stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recognition {
    /// ISO 639-1 code of the language recognized.
    pub language: String,
    /// Name of the model.
    pub model: String,
    /// One entry a kept channel.
    pub channels: Vec<ChannelRecognition>,
}

impl Recognition {
    /// True when nobody speaks: no word in any channel.
    pub fn is_empty(&self) -> bool {
        self.channels
            .iter()
            .all(|channel| channel.segments.is_empty())
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Our person.
    Operator,
    /// The other party.
    Client,
    /// The voices could not be told apart.
    Unknown,
}

impl Speaker {
    /// Operator and client exchanged.
    pub fn swapped(self) -> Speaker {
        match self {
            Speaker::Operator => Speaker::Client,
            Speaker::Client => Speaker::Operator,
            Speaker::Unknown => Speaker::Unknown,
        }
    }
}

/// How the speakers were told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Separation {
    /// Each has a channel of their own: certain.
    Channels,
    /// By voice, from one channel: an estimate.
    Diarized,
    /// They could not be told apart.
    Unseparated,
}

/// Consecutive segments of one speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub speaker: Speaker,
    /// The words in order; never empty.
    pub words: Vec<Word>,
}

impl Turn {
    /// From its first word's start to its last word's end.
    pub fn span(&self) -> Span {
        Span {
            start_ms: self.words.first().map_or(0, |word| word.start_ms),
            end_ms: self.words.last().map_or(0, |word| word.end_ms),
        }
    }

    /// The words with single spaces between them.
    pub fn text(&self) -> String {
        join_words(&self.words)
    }
}

/// Words with single spaces between them.
pub fn join_words(words: &[Word]) -> String {
    let mut text = String::new();
    for word in words {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    text
}

/// Where one party speaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartySpeech {
    /// Who.
    pub speaker: Speaker,
    /// The kept channel the party is heard in.
    pub channel: u16,
    /// When, by voice activity; ordered, not overlapping.
    pub spans: Vec<Span>,
}

impl PartySpeech {
    /// Sum of the spans in milliseconds.
    pub fn total_ms(&self) -> u64 {
        self.spans.iter().map(|span| span.length_ms()).sum()
    }
}

/// Who made a version of a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The stages.
    #[default]
    Pipeline,
    /// A person, by the name of the account.
    Person(String),
}

/// What made a version out of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was recognized, for the first time or anew.
    #[default]
    Recognized,
    /// A turn was corrected.
    Edited {
        /// Start of that turn in milliseconds.
        start_ms: u64,
        /// Its text before, shortened.
        before: String,
        /// Its text after, shortened; empty when it was removed.
        after: String,
        /// True when somebody else is the speaker now, of all or of a part.
        speaker: bool,
    },
    /// Operator and client were exchanged.
    Swapped,
    /// An earlier version was put back.
    Restored {
        /// Number of that version.
        from: u32,
    },
}

/// Which version of a call's transcript it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Version {
    /// 0 for the first recognition, then counted up; never given twice.
    pub number: u32,
    /// Who made it.
    pub author: Author,
    /// When; `None` where it was made before versions were kept.
    pub made_at: Option<Timestamp>,
    /// How it came to be.
    pub change: Change,
}

/// Output of the diarize stage: who said what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// ISO 639-1 code.
    pub language: String,
    /// Name of the model.
    pub model: String,
    /// How the speakers were told apart.
    pub separation: Separation,
    /// Turns ordered by their start.
    pub turns: Vec<Turn>,
    /// Where each party speaks; one entry with [`Speaker::Unknown`] when unseparated.
    pub speech: Vec<PartySpeech>,
    /// Share of the speech time that words cover, 0–100; `None` without speech.
    pub coverage_percent: Option<f64>,
    /// Speech in which text may be missing, ordered by its start.
    #[serde(default)]
    pub doubtful: Vec<Span>,
    /// How sure it is who of the two is the operator, 0–1; `None` where the
    /// speakers were not told apart, or before it was measured.
    #[serde(default)]
    pub operator_confidence: Option<f64>,
    /// Voices that have words: three where the call was handed to a colleague, who
    /// counts as the operator; 0 where it was not counted.
    #[serde(default)]
    pub voices: u8,
    /// Which version it is.
    #[serde(default)]
    pub version: Version,
}

/// Below this coverage the transcript may be incomplete.
pub const MIN_COVERAGE_PERCENT: f64 = 75.0;

impl Transcript {
    /// True when words cover too little of the speech.
    pub fn may_be_incomplete(&self) -> bool {
        self.coverage_percent
            .is_some_and(|percent| percent < MIN_COVERAGE_PERCENT)
    }

    /// Speech of one party, where it is known.
    pub fn party(&self, speaker: Speaker) -> Option<&PartySpeech> {
        self.speech.iter().find(|party| party.speaker == speaker)
    }

    /// Operator and client exchanged by a person, who is taken to be sure.
    pub fn swap_speakers(&mut self) {
        if self.operator_confidence.is_some() {
            self.operator_confidence = Some(1.0);
        }
        for turn in &mut self.turns {
            turn.speaker = turn.speaker.swapped();
        }
        for party in &mut self.speech {
            party.speaker = party.speaker.swapped();
        }
    }
}
