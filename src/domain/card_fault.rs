//! What can be wrong with a scorecard, and where.

use std::fmt;

/// One fault with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub code: FaultCode,
    /// Path of keys in the file, such as `criteria.standards.greeting`; the line for a fault of the form.
    pub place: String,
    /// Number of the criterion, from 0.
    pub criterion: Option<usize>,
    /// Number of the item in it, from 0.
    pub item: Option<usize>,
    /// What it is about: a phrase, a name, or what the reader of the form says.
    pub detail: String,
}

macro_rules! codes {
    ($($code:ident, $name:literal, $text:literal;)*) => {
        /// Kinds of faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultCode { $(#[doc = $text] $code,)* }

        impl FaultCode {
            /// Stable name.
            pub fn name(self) -> &'static str {
                match self { $(FaultCode::$code => $name),* }
            }

            fn text(self) -> &'static str {
                match self { $(FaultCode::$code => $text),* }
            }
        }
    };
}

codes! {
    Form, "form", "this cannot be read";
    NoName, "no_name", "a name is needed";
    TooLong, "too_long", "this is too long";
    TooMany, "too_many", "these are too many";
    NoCriteria, "no_criteria", "at least one criterion is needed";
    NoItems, "no_items", "at least one item is needed";
    BadKey, "bad_key", "a key has lower-case Latin letters, digits and _";
    KeyTwice, "key_twice", "this key is used twice";
    BadWeight, "bad_weight", "a weight is above 0 and at most 1000";
    EmptyPhrase, "empty_phrase", "this phrase has no word that must be said";
    NoLexicon, "no_lexicon", "there is no lexicon of this name";
    MetricAndPhrases, "metric_and_phrases", "an item has either a metric or phrases, not both";
    MetricBounds, "metric_bounds", "a metric needs min or max";
    MinAboveMax, "min_above_max", "min is larger than max";
    NoPhrases, "no_phrases", "phrases, lexicons or a metric are needed";
    TwoWindows, "two_windows", "first_s and last_s cannot be used together";
    BadWindow, "bad_window", "the window must be longer than 0 s";
    AfterWithMax, "after_with_max", "after cannot be used together with max";
    BadTrigger, "bad_trigger", "within_s is above 0 and min_share from 0 to 1";
    BadCount, "bad_count", "min and max of phrases are whole numbers from 0 to 10000";
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(self.code.text())?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// Why a scorecard was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the scorecard has faults:\n{}", lines(.faults))]
pub struct InvalidScorecard {
    /// All that was found.
    pub faults: Vec<Fault>,
}

fn lines(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}
