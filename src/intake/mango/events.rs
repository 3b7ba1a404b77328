//! What MANGO's events tell. Pure: from a message to a notice. A field that is
//! missing or strange is left out; a message never fails.

use jiff::Timestamp;
use serde_json::Value;

use super::{moment, number};
use crate::domain::call::Direction;
use crate::domain::details::{MANGO_ENTRY, MANGO_RECORDING, MANGO_USER};
use crate::domain::notice::{NAME_ID, Notice};
use crate::domain::phone::{self, Number};
use crate::domain::{CallDetails, Source};

/// Kinds of events, by the end of their path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call changes.
    Call,
    /// A call has ended.
    Summary,
    /// A recording begins or ends.
    Recording,
    /// A recording is there.
    RecordAdded,
}

impl Kind {
    /// `None` for events that tell nothing of a recording (messages, tones, tests).
    pub fn of(path: &str) -> Option<Self> {
        match path.trim_matches('/') {
            "call" => Some(Self::Call),
            "summary" => Some(Self::Summary),
            "recording" => Some(Self::Recording),
            "record/added" => Some(Self::RecordAdded),
            _ => None,
        }
    }
}

/// What an event tells, and whether a recording that it names is there now (as
/// far as MANGO says). `None` when it names no call.
pub fn read(kind: Kind, event: &Value, now: Timestamp, window_s: u32) -> Option<(Notice, bool)> {
    let entry = text(&event["entry_id"])?;
    let mut notice = empty(&entry, now, window_s);
    let mut there = false;
    match kind {
        Kind::Call => {
            ends(&mut notice, event, number(&event["call_direction"]));
            // Only the first state has the time of the beginning.
            if event["call_state"] == "Appeared" {
                notice.started_at = moment(&event["timestamp"]);
            }
        }
        Kind::Summary => {
            ends(&mut notice, event, number(&event["call_direction"]));
            let (created, talked, ended) = (
                moment(&event["create_time"]),
                moment(&event["talk_time"]),
                moment(&event["end_time"]),
            );
            times(&mut notice, created, talked, ended);
        }
        Kind::Recording => {
            if event["recording_state"] == "Completed" {
                notice.recordings.extend(text(&event["recording_id"]));
            }
            who(&mut notice, event);
        }
        Kind::RecordAdded => {
            notice.recordings.extend(text(&event["recording_id"]));
            there = true;
            who(&mut notice, event);
        }
    }
    for recording in &notice.recordings {
        notice.details.add_id(MANGO_RECORDING, recording);
    }
    Some((notice, there))
}

/// A notice that tells nothing but its id.
pub(super) fn empty(entry: &str, now: Timestamp, window_s: u32) -> Notice {
    let mut details = CallDetails::default();
    details.add_id(MANGO_ENTRY, entry);
    if let Some(number) = entry_number(entry) {
        // The same number stands at the end of the file names, it seems.
        details.add_id(NAME_ID, &number);
    }
    Notice {
        source: Source::Mango,
        id: entry.to_owned(),
        site: String::new(),
        details,
        direction: None,
        started_at: None,
        recordings: Vec::new(),
        taken: Vec::new(),
        calls: Vec::new(),
        window_s,
        received_at: now,
    }
}

/// Beginning, how long the client waited, how long they talked.
pub(super) fn times(
    notice: &mut Notice,
    created: Option<Timestamp>,
    talked: Option<Timestamp>,
    ended: Option<Timestamp>,
) {
    notice.started_at = created.or(talked);
    notice.details.answered = Some(talked.is_some());
    let apart = |from: Option<Timestamp>, to: Option<Timestamp>| {
        u64::try_from(to?.as_millisecond() - from?.as_millisecond()).ok()
    };
    notice.details.waiting_ms = apart(created, talked.or(ended));
    notice.details.told_duration_ms = apart(talked, ended);
}

/// Who called whom: `direction` is 1 for incoming, 2 for outgoing.
fn ends(notice: &mut Notice, event: &Value, direction: Option<i64>) {
    let part = |path: &str| event.pointer(path).and_then(text);
    parties(
        notice,
        direction,
        Parties {
            from_extension: part("/from/extension"),
            from_number: part("/from/number"),
            to_extension: part("/to/extension"),
            to_number: part("/to/number"),
            line: part("/line_number")
                .or_else(|| part("/to/line_number"))
                .or_else(|| part("/from/line_number")),
        },
    );
}

/// The ends of a call as MANGO names them.
pub(super) struct Parties {
    pub(super) from_extension: Option<String>,
    pub(super) from_number: Option<String>,
    pub(super) to_extension: Option<String>,
    pub(super) to_number: Option<String>,
    pub(super) line: Option<String>,
}

pub(super) fn parties(notice: &mut Notice, direction: Option<i64>, parties: Parties) {
    let of = |text: &Option<String>| text.as_deref().and_then(Number::of);
    let (from, to) = (of(&parties.from_number), of(&parties.to_number));
    let line = of(&parties.line);
    let direction = match direction {
        Some(0) => None,
        Some(1) => Some(Direction::Inbound),
        Some(2) => Some(Direction::Outbound),
        // Not told: the end with an extension is ours.
        _ => match (&parties.from_extension, &parties.to_extension) {
            (None, Some(_)) => Some(Direction::Inbound),
            (Some(_), None) => Some(Direction::Outbound),
            _ => None,
        },
    };
    let details = &mut notice.details;
    match direction {
        Some(Direction::Inbound) => {
            details.extension = parties.to_extension.as_deref().and_then(phone::extension);
            details.operator_phone = to.clone().filter(|to| Some(to) != line.as_ref());
            details.caller = from;
            details.called = line.clone().or(to);
        }
        Some(Direction::Outbound) => {
            details.extension = parties.from_extension.as_deref().and_then(phone::extension);
            details.operator_phone = from.clone().filter(|from| Some(from) != line.as_ref());
            details.caller = line
                .clone()
                .or(from)
                .or_else(|| of(&parties.from_extension));
            details.called = to;
        }
        None => {
            details.extension = parties.from_extension.as_deref().and_then(phone::extension);
            details.caller = from.or_else(|| of(&parties.from_extension));
            details.called = to.or_else(|| of(&parties.to_extension));
        }
    }
    details.line = line;
    notice.direction = direction;
}

fn who(notice: &mut Notice, event: &Value) {
    notice.details.extension = text(&event["extension"])
        .as_deref()
        .and_then(phone::extension);
    if let Some(user) = text(&event["user_id"]) {
        notice.details.add_id(MANGO_USER, &user);
    }
}

/// A text, also where it is sent as a number.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && text.len() <= 500).then_some(text)
}

/// The number that an entry id holds in base64, as `NTAwOTQxMTAyMg==` does.
fn entry_number(entry: &str) -> Option<String> {
    let mut bits = 0u32;
    let mut count = 0;
    let mut out = String::new();
    for byte in entry.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let byte = (bits >> count) as u8;
            if !byte.is_ascii_digit() {
                return None;
            }
            out.push(char::from(byte));
        }
    }
    (out.len() >= 6).then_some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).expect("a time")
    }

    #[test]
    fn the_documented_summary() {
        let event = json!({"entry_id":"232wc3e3w3s222","call_direction":1,"from":{"number":"7800123635242"},
            "to":{"extension":"123","number":"7800123456789"},"line_number":"7800123456789",
            "create_time":1_399_906_976,"forward_time":1_399_906_978,"talk_time":"1399906980",
            "end_time":1_399_906_990,"entry_result":1,"disconnect_reason":1100});
        let (notice, there) = read(Kind::Summary, &event, now(), 60).expect("a notice");
        assert!(!there && notice.recordings.is_empty());
        assert_eq!(notice.key(), "mango/232wc3e3w3s222");
        assert_eq!(notice.direction, Some(Direction::Inbound));
        let details = &notice.details;
        assert_eq!(
            details.caller.as_ref().expect("a caller").text,
            "7800123635242"
        );
        assert_eq!(
            details.called.as_ref().expect("called").text,
            "7800123456789"
        );
        assert_eq!(details.extension.as_deref(), Some("123"));
        assert_eq!(details.operator_phone, None);
        assert_eq!(
            (
                details.waiting_ms,
                details.told_duration_ms,
                details.answered
            ),
            (Some(4000), Some(10_000), Some(true))
        );
        assert_eq!(
            notice.started_at.expect("a time").as_second(),
            1_399_906_976
        );
    }

    #[test]
    fn a_missed_call_and_an_outgoing_one() {
        let missed = json!({"entry_id":"x","call_direction":"1","from":{"number":"79161234567"},"to":{},
            "create_time":"1399906976","talk_time":"0","end_time":1_399_906_990,"entry_result":1});
        let (notice, _) = read(Kind::Summary, &missed, now(), 60).expect("a notice");
        assert_eq!(
            (notice.details.answered, notice.details.told_duration_ms),
            (Some(false), None)
        );
        let out = json!({"entry_id":"x","call_direction":2,"from":{"extension":"101","number":"sip:a@b"},
            "to":{"number":"79161234567"},"line_number":"74951234567"});
        let (notice, _) = read(Kind::Summary, &out, now(), 60).expect("a notice");
        assert_eq!(notice.direction, Some(Direction::Outbound));
        assert_eq!(
            notice.details.called.expect("called").phone.as_deref(),
            Some("79161234567")
        );
        assert_eq!(notice.details.extension.as_deref(), Some("101"));
    }

    #[test]
    fn the_documented_record() {
        let event = json!({"entry_id":"NTAwOTQxMTAyMg==","product_id":300_022_532,"user_id":300_049_012,
            "timestamp":1_578_664_187,"recording_id":"MToxMDAwNjA4NTo1MDA5NDExMDIyOjE="});
        let (notice, there) = read(Kind::RecordAdded, &event, now(), 60).expect("a notice");
        assert!(there);
        assert_eq!(notice.recordings, ["MToxMDAwNjA4NTo1MDA5NDExMDIyOjE="]);
        assert_eq!(notice.details.id_of(NAME_ID), Some("5009411022"));
        assert_eq!(notice.details.id_of(MANGO_USER), Some("300049012"));
        let started = json!({"entry_id":"a","recording_state":"Started","recording_id":"r"});
        let (notice, there) = read(Kind::Recording, &started, now(), 60).expect("a notice");
        assert!(!there && notice.recordings.is_empty());
        assert_eq!(
            read(Kind::RecordAdded, &json!({"recording_id":"r"}), now(), 60),
            None
        );
        assert_eq!(read(Kind::Call, &json!([1]), now(), 60), None);
    }
}
