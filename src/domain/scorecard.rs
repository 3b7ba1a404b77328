//! A scorecard: what a team checks in a call. It is data; the rules engine
//! applies it. A version that was used to score a call is never changed.

use serde::{Deserialize, Serialize};

use super::Speaker;

/// A team's criteria.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// Stable id of the scorecard.
    pub id: String,
    /// 1, 2, …: raised when the content changes.
    pub version: u32,
    /// Name as the team wrote it.
    pub name: String,
    /// The criteria; at least one.
    pub criteria: Vec<Criterion>,
    /// Phrases that announce a hold («оставайтесь на линии»), for the metrics.
    pub hold_phrases: Vec<String>,
    /// Phrases only the operator says (greeting, company, «меня зовут»): they tell who is who.
    pub operator_phrases: Vec<String>,
    /// Words that agree without taking the floor («угу»): they do not interrupt.
    pub back_channels: Vec<String>,
}

/// A part of the score with a percent of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// Key, unique in the scorecard.
    pub key: String,
    /// Name as the team wrote it.
    pub name: String,
    /// English name, optional.
    pub name_en: Option<String>,
    /// Weight in the overall percent, above 0.
    pub weight: f64,
    /// Its items; at least one.
    pub items: Vec<Item>,
}

/// One checkable question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Key, unique in the scorecard.
    pub key: String,
    /// Name as the team wrote it.
    pub name: String,
    /// English name, optional.
    pub name_en: Option<String>,
    /// Weight within the criterion, above 0.
    pub weight: f64,
    /// True when failing it makes the criterion 0.
    pub auto_fail: bool,
    /// How it is checked.
    pub check: Check,
}

/// How an item is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Check {
    /// Something is said, or is not said.
    Phrase(PhraseCheck),
    /// A metric is within bounds.
    Metric(MetricCheck),
}

/// Something is said (or must not be said) by somebody, somewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhraseCheck {
    /// Who has to say it; `None` = anybody.
    pub speaker: Option<Speaker>,
    /// Any of these counts.
    pub phrases: Vec<String>,
    /// A match that overlaps one of these does not count.
    pub except: Vec<String>,
    /// Where in the call.
    pub window: Window,
    /// Fewest matches, when it must be said.
    pub min: Option<u32>,
    /// Most matches; 0 = must not be said.
    pub max: Option<u32>,
    /// Only where the other did something first.
    pub after: Option<Trigger>,
}

/// What an item answers to, for example a client's objection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Who.
    pub speaker: Option<Speaker>,
    /// Says any of these.
    pub phrases: Vec<String>,
    /// Matches that overlap one of these are no trigger.
    pub except: Vec<String>,
    /// The answer has to come within this time after the trigger's end, in seconds.
    pub within_s: f64,
    /// Share of the triggers that must be answered, 0–1.
    pub min_share: f64,
}

/// A part of the call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Window {
    /// All of it.
    Whole,
    /// From the first word on, this many seconds.
    First {
        /// Length in seconds.
        seconds: f64,
    },
    /// Up to the last word, this many seconds.
    Last {
        /// Length in seconds.
        seconds: f64,
    },
}

/// A metric held against bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricCheck {
    /// Which.
    pub metric: MetricName,
    /// Smallest value that is met.
    pub min: Option<f64>,
    /// Largest value that is met.
    pub max: Option<f64>,
}

macro_rules! metric_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:literal;)*) => {
        /// Metrics that a scorecard can hold against bounds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum MetricName { $($(#[$doc])* $variant,)* }

        impl MetricName {
            /// All of them.
            pub const ALL: &'static [MetricName] = &[$(MetricName::$variant),*];

            /// Name in a scorecard file.
            pub fn name(self) -> &'static str {
                match self { $(MetricName::$variant => $name),* }
            }

            /// Unit of the value: `percent`, `per_min`, `s`, `wpm`, `ratio`, `count`, `dbfs`.
            pub fn unit(self) -> &'static str {
                match self { $(MetricName::$variant => $unit),* }
            }
        }
    };
}

metric_names! {
    /// How often the operator interrupts.
    OperatorInterruptions = "operator_interruptions", "count";
    /// The same a minute.
    OperatorInterruptionsPerMin = "operator_interruptions_per_min", "per_min";
    /// How often the client interrupts.
    ClientInterruptions = "client_interruptions", "count";
    /// Operator's share of the speech of both.
    OperatorSpeechShare = "operator_speech_share", "percent";
    /// Operator's share of the length of the call.
    OperatorTalkShare = "operator_talk_share", "percent";
    /// Share of long silences in the call.
    NonTalkShare = "non_talk_share", "percent";
    /// Longest silence between utterances.
    LongestPause = "longest_pause", "s";
    /// Time on hold.
    Hold = "hold", "s";
    /// Share of simultaneous speech.
    OvertalkShare = "overtalk_share", "percent";
    /// Operator's words a minute.
    OperatorSpeechRate = "operator_speech_rate", "wpm";
    /// Faster ÷ slower pace of the parties.
    PaceMismatch = "pace_mismatch", "ratio";
    /// Longest turn of the operator.
    LongestMonologue = "longest_monologue", "s";
    /// Median gap before the operator answers.
    Patience = "patience", "s";
    /// Changes of speaker a minute.
    Interactivity = "interactivity", "per_min";
    /// From the start to the operator's first word.
    FirstResponse = "first_response", "s";
    /// Mean level of the operator's voice.
    OperatorLoudness = "operator_loudness", "dbfs";
}
