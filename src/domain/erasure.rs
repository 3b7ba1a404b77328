//! Erasing what is kept of a phone number: what belongs to it, and the report. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::call::Direction;
use super::phone::{self, Number};
use super::{Call, CallDetails};

/// Digits that a number needs to be looked for in texts: fewer would be found by chance.
const MIN_IN_TEXT: usize = 10;

/// The number whose calls are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// With the country's code, without a plus.
    digits: String,
    /// The part that stays however it is written; `None` where it is too short to be looked
    /// for in texts.
    core: Option<String>,
}

/// Why a call belongs to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is the client's number.
    Client,
    /// The name of the file has it.
    FileName,
    /// Something else that was told of the call has it.
    Details,
}

impl Reason {
    /// Name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Client => "client",
            Reason::FileName => "file_name",
            Reason::Details => "details",
        }
    }
}

impl Subject {
    /// As a person writes it.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = phone::normalize(text)
            .ok_or("phone: a whole number is needed, such as +7 916 123-45-67")?;
        // A Russian number is written with 7, with 8 and without either.
        let national = digits.strip_prefix('7').filter(|rest| rest.len() == 10);
        let core = national.unwrap_or(&digits);
        let core = (core.len() >= MIN_IN_TEXT).then(|| core.to_owned());
        Ok(Self { digits, core })
    }

    /// With the country's code, without a plus.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// For a report: the first digit and the last two.
    pub fn masked(&self) -> String {
        let hidden = "•".repeat(self.digits.len().saturating_sub(3));
        let first = self.digits.get(..1).unwrap_or_default();
        let last = self.digits.get(self.digits.len().saturating_sub(2)..);
        format!("{first}{hidden}{}", last.unwrap_or_default())
    }

    /// Whether the number is in a text, whatever stands between its digits.
    pub fn is_in(&self, text: &str) -> bool {
        let Some(core) = &self.core else {
            return phone::normalize(text).is_some_and(|number| number == self.digits);
        };
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.contains(core.as_str())
    }

    fn is(&self, number: Option<&Number>) -> bool {
        number.is_some_and(|number| {
            number.phone.as_deref() == Some(&self.digits) || self.is_in(&number.text)
        })
    }

    /// Why a call belongs to the number, if it does. The client's end counts; our own
    /// numbers (the line, the operator's phone, our end where the direction is known) do not:
    /// else one request could erase the calls of everybody.
    pub fn reason(&self, call: &Call) -> Option<Reason> {
        if let Some(reason) = self.reason_of(&call.details, call.direction) {
            return Some(reason);
        }
        let ours = self.is_ours(&call.details, call.direction);
        (!ours && self.is_in(&call.filename)).then_some(Reason::FileName)
    }

    /// Why what is told belongs to the number.
    pub fn reason_of(&self, told: &CallDetails, direction: Option<Direction>) -> Option<Reason> {
        let ends = [&told.caller, &told.called];
        let client = match direction {
            Some(Direction::Inbound) => &ends[..1],
            Some(Direction::Outbound) => &ends[1..],
            None => &ends[..],
        };
        if client.iter().any(|end| self.is(end.as_ref())) {
            return Some(Reason::Client);
        }
        if self.is_ours(told, direction) {
            return None;
        }
        let texts = [&told.url, &told.comment, &told.operator_name]
            .into_iter()
            .flatten()
            .chain(&told.tags)
            .chain(&told.order_ids);
        let told_so =
            self.is(told.redirect.as_ref()) || texts.into_iter().any(|text| self.is_in(text));
        told_so.then_some(Reason::Details)
    }

    fn is_ours(&self, told: &CallDetails, direction: Option<Direction>) -> bool {
        let own_end = match direction {
            Some(Direction::Inbound) => told.called.as_ref(),
            Some(Direction::Outbound) => told.caller.as_ref(),
            None => None,
        };
        [own_end, told.line.as_ref(), told.operator_phone.as_ref()]
            .into_iter()
            .any(|number| self.is(number))
    }
}

/// How much was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Removed {
    /// Calls with their recordings.
    pub calls: u64,
    /// Transcripts with the versions before.
    pub transcripts: u64,
    /// Scores with what people said of them.
    pub scores: u64,
    /// Answers to questions.
    pub answers: u64,
    /// Rows of analyses.
    pub analysis_rows: u64,
    /// Summaries.
    pub insights: u64,
    /// What outside systems told of calls.
    pub notices: u64,
    /// Messages of outside systems, byte by byte.
    pub payloads: u64,
    /// Things still to be fetched.
    pub errands: u64,
    /// Files in senders' folders.
    pub dropped_files: u64,
    /// Names of files on servers that are pulled from.
    pub pulled_names: u64,
    /// Questions and filters that named the number.
    pub questions: u64,
    /// Copies in the directory of Calltouch's recordings.
    pub copies: u64,
    /// Copies of the store from before an upgrade.
    pub store_copies: u64,
}

impl Removed {
    /// Adds what was removed besides.
    pub fn add(&mut self, more: &Removed) {
        self.calls += more.calls;
        self.transcripts += more.transcripts;
        self.scores += more.scores;
        self.answers += more.answers;
        self.analysis_rows += more.analysis_rows;
        self.insights += more.insights;
        self.notices += more.notices;
        self.payloads += more.payloads;
        self.errands += more.errands;
        self.dropped_files += more.dropped_files;
        self.pulled_names += more.pulled_names;
        self.questions += more.questions;
        self.copies += more.copies;
        self.store_copies += more.store_copies;
    }
}

/// Why something is left of what was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// The number that was ordered cannot be read.
    Number,
    /// A file in the folder of a sender over SFTP.
    DroppedFile,
    /// A copy of a recording beside the store.
    Copy,
    /// A stage of a call did not end in time: its words can be in the index until the
    /// next restart.
    Stage,
    /// The index cannot be purged: its directory is to be deleted, and the server restarted.
    Index,
    /// What `detail` says.
    Other,
}

impl LeftReason {
    /// Name in answers.
    pub fn name(self) -> &'static str {
        match self {
            LeftReason::Number => "number",
            LeftReason::DroppedFile => "dropped_file",
            LeftReason::Copy => "copy",
            LeftReason::Stage => "stage",
            LeftReason::Index => "index",
            LeftReason::Other => "other",
        }
    }
}

/// Something that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredLeft")]
pub struct Left {
    /// Why.
    pub reason: LeftReason,
    /// What the system says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Earlier reports have a text alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredLeft {
    Told {
        reason: LeftReason,
        detail: Option<String>,
    },
    Text(String),
}

impl From<StoredLeft> for Left {
    fn from(stored: StoredLeft) -> Self {
        match stored {
            StoredLeft::Told { reason, detail } => Self { reason, detail },
            StoredLeft::Text(text) => Self {
                reason: LeftReason::Other,
                detail: Some(text),
            },
        }
    }
}

impl From<LeftReason> for Left {
    fn from(reason: LeftReason) -> Self {
        Self {
            reason,
            detail: None,
        }
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = match self.reason {
            LeftReason::Number => "the number cannot be read",
            LeftReason::DroppedFile => "a file in a folder of SFTP",
            LeftReason::Copy => "a copy of a recording",
            LeftReason::Stage => {
                "a stage of a call did not end in time; its words can be in the index until the next restart"
            }
            LeftReason::Index => {
                "the index of the search cannot be purged: delete the directory 'index' and restart"
            }
            LeftReason::Other => "something",
        };
        match &self.detail {
            Some(detail) => write!(f, "{reason}: {detail}"),
            None => f.write_str(reason),
        }
    }
}

/// An order to erase what is kept of a number, and its report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Its id: a ULID.
    pub id: String,
    /// Who ordered it.
    pub author: String,
    /// When.
    pub ordered_at: Timestamp,
    /// The number, until it is done.
    pub phone: Option<String>,
    /// What is shown of it.
    pub masked: String,
    /// Keyed hash of it: the same number gives the same, and only this store can tell.
    pub mark: String,
    /// What was removed so far.
    pub removed: Removed,
    /// What could not be removed.
    pub left: Vec<Left>,
    /// When it was done.
    pub ended_at: Option<Timestamp>,
    /// The store's file was written anew, so that nothing is left in its unused pages.
    pub rewritten: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(caller: &str, called: &str) -> CallDetails {
        CallDetails {
            caller: Number::of(caller),
            called: Number::of(called),
            ..CallDetails::default()
        }
    }

    #[test]
    fn reports_of_earlier_versions_are_read() {
        let read = |json: &str| serde_json::from_str::<Left>(json).expect("read");
        assert_eq!(read("\"a file\"").to_string(), "something: a file");
        let stage = Left::from(LeftReason::Stage);
        let json = serde_json::to_string(&stage).expect("JSON");
        assert_eq!(json, r#"{"reason":"stage"}"#);
        assert_eq!(read(&json), stage);
    }

    #[test]
    fn the_clients_number_counts_and_ours_does_not() {
        let subject = |text: &str| Subject::parse(text).expect("a number");
        let client = subject("8 (916) 123-45-67");
        let line = subject("+7 495 123 45 67");
        let told = details("+79161234567", "74951234567");
        use Direction::{Inbound, Outbound};
        assert_eq!(client.reason_of(&told, Some(Inbound)), Some(Reason::Client));
        assert_eq!(client.reason_of(&told, None), Some(Reason::Client));
        assert_eq!(client.reason_of(&told, Some(Outbound)), None);
        assert_eq!(line.reason_of(&told, Some(Inbound)), None);
        assert_eq!(line.reason_of(&told, Some(Outbound)), Some(Reason::Client));
        let mut told = details("101", "102");
        told.operator_phone = Number::of("89161234567");
        told.comment = Some("перезвонить 8 916 123 45 67".into());
        assert_eq!(client.reason_of(&told, None), None, "it is the operator's");
        told.operator_phone = None;
        assert_eq!(client.reason_of(&told, None), Some(Reason::Details));
    }

    #[test]
    fn numbers_are_found_however_they_are_written() {
        let subject = Subject::parse("+79161234567").expect("a number");
        for text in [
            "2026-07-01__79161234567__101.mp3",
            "8(916)123-45-67.wav",
            "9161234567",
            "phone=%2B79161234567&x",
        ] {
            assert!(subject.is_in(text), "{text}");
        }
        assert!(!subject.is_in("2026-07-01__79161234568.mp3"));
        // A short number is never found inside something longer.
        let short = Subject::parse("1234567").expect("a number");
        assert!(short.is_in("123-45-67") && !short.is_in("2026-01-02_11234567.mp3"));
        assert_eq!(subject.masked(), "7••••••••67");
        for bad in ["", "101", "Иван", "+7916123456a"] {
            assert!(Subject::parse(bad).is_err(), "{bad}");
        }
    }
}
