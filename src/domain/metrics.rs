//! Conversation metrics of one call. Times come from speech regions and turns,
//! never from text length; what one channel cannot tell is `None` with a
//! reason, never 0. The definitions are those of Amazon Connect Contact Lens
//! and Gong where they exist; ARCHITECTURE.md has the table.

use serde::{Deserialize, Serialize};

use super::{Span, Speaker};

/// One value a party.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ByParty<T> {
    /// Our person's.
    pub operator: T,
    /// The other party's.
    pub client: T,
}

/// How often and how long a party broke in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Interruptions {
    /// How often.
    pub count: u32,
    /// Time both spoke because of it, in milliseconds.
    pub overlap_ms: u64,
}

/// Loudness of one party over their own speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Loudness {
    /// Mean level in dBFS.
    pub rms_dbfs: f64,
    /// Largest sample in dBFS.
    pub peak_dbfs: f64,
    /// True when more than 0.1 % of the frames have samples at full scale.
    pub clipping: bool,
    /// True below −45 dBFS: hard to hear, hard to recognize.
    pub near_silent: bool,
}

/// One party spoke into the other's speech and kept on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// Who broke in.
    pub by: Speaker,
    /// The time both spoke.
    pub span: Span,
}

/// A metric that could not be computed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// Name of the metric.
    pub metric: String,
    /// Stable name of the reason: `speakers_unknown`, `no_speech`, `too_few_turns`.
    pub reason: String,
}

/// All metrics of one call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Length of the call in milliseconds.
    pub duration_ms: u64,
    /// Time in which at least one party speaks.
    pub speech_ms: u64,
    /// Operator's speech ÷ length of the call, 0–100.
    pub operator_talk_share: Option<f64>,
    /// Operator's speech ÷ the speech of both, 0–100.
    pub operator_speech_share: Option<f64>,
    /// Client's speech ÷ the speech of both, 0–100.
    pub client_speech_share: Option<f64>,
    /// Sum of the silences of both longer than 3 s.
    pub non_talk_ms: u64,
    /// The same ÷ length of the call, 0–100.
    pub non_talk_share: f64,
    /// Longest silence of both between two utterances.
    pub longest_pause_ms: u64,
    /// Sum of the silences over 15 s that follow a phrase such as «оставайтесь на линии».
    pub hold_ms: u64,
    /// A party starts at least 0.3 s before the other ends and keeps on; back-channels do not count.
    pub interruptions: Option<ByParty<Interruptions>>,
    /// Time both speak ÷ time anybody speaks, 0–100.
    pub overtalk_share: Option<f64>,
    /// Words ÷ own speaking minutes.
    pub speech_rate_wpm: ByParty<Option<f64>>,
    /// Median of faster ÷ slower over adjacent turns of both with at least five words each.
    pub pace_mismatch: Option<f64>,
    /// Longest turn of the operator.
    pub longest_monologue_ms: Option<u64>,
    /// Longest turn of the client.
    pub customer_story_ms: Option<u64>,
    /// Median gap from the client's end to the operator's start.
    pub patience_ms: Option<u64>,
    /// Changes of speaker a minute.
    pub interactivity_per_min: Option<f64>,
    /// From the start of the call to the operator's first word.
    pub first_response_ms: Option<u64>,
    /// Loudness of each party.
    pub loudness: ByParty<Option<Loudness>>,
    /// What could not be computed.
    pub unavailable: Vec<Unavailable>,
    /// The interruptions behind the counts, in order.
    pub interruption_moments: Vec<Interruption>,
    /// The silences longer than 3 s, in order.
    pub pauses: Vec<Span>,
}
