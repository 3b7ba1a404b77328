//! A notice: what an outside system tells of a conversation, before, after or
//! without its recording. It is joined to the call by an id or by a phone and
//! the time. Pure; kept by `store::notices`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::call::Direction;
use super::details::{CALLTOUCH, MANGO_ENTRY, MANGO_RECORDING};
use super::{Call, CallDetails, CallId, Source};

/// Name under which the first number at the end of MANGO's file names is kept.
pub const NAME_ID: &str = "name_id1";
/// Ids that belong to one conversation only.
const JOINING: [&str; 4] = [MANGO_ENTRY, MANGO_RECORDING, CALLTOUCH, NAME_ID];
/// A number of a file's name joins only within this time, in seconds: its
/// meaning is not documented.
const NAME_ID_WINDOW_S: i64 = 12 * 3600;

/// What an outside system tells of one conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Which system.
    pub source: Source,
    /// Its id there: MANGO's entry id, Calltouch's call id.
    pub id: String,
    /// The account there, where there may be several.
    #[serde(default)]
    pub site: String,
    /// What it tells.
    pub details: CallDetails,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// When the conversation began.
    pub started_at: Option<Timestamp>,
    /// Ids of recordings that were told.
    pub recordings: Vec<String>,
    /// Those of them that have been taken in or found not to be needed.
    pub taken: Vec<String>,
    /// The calls it was joined to.
    pub calls: Vec<CallId>,
    /// How far the times of notice and recording may lie apart, in seconds.
    pub window_s: u32,
    /// When it was first heard of.
    pub received_at: Timestamp,
}

impl Notice {
    /// Key in the store, from which its payloads are found too.
    pub fn key(&self) -> String {
        key(self.source, &self.id)
    }

    /// Takes in what the same system tells later; the newer word counts.
    pub fn renew(&mut self, newer: Notice) {
        let mut details = newer.details;
        details.absorb(&self.details);
        self.details = details;
        self.direction = newer.direction.or(self.direction);
        self.started_at = newer.started_at.or(self.started_at);
        if !newer.site.is_empty() {
            self.site = newer.site;
        }
        self.window_s = newer.window_s;
        for recording in newer.recordings {
            if !self.recordings.contains(&recording) {
                self.recordings.push(recording);
            }
        }
    }

    /// How far apart notice and call are in seconds, where they are one
    /// conversation; 0 for the same id.
    pub fn distance_s(&self, call: &Call) -> Option<u64> {
        let apart = match (self.started_at, call.started_at) {
            (Some(a), Some(b)) => Some(a.as_second().abs_diff(b.as_second())),
            _ => None,
        };
        for id in &self.details.external_ids {
            if JOINING.contains(&id.system.as_str()) && call.details.external_ids.contains(id) {
                let sure = id.system != NAME_ID
                    || apart.is_some_and(|apart| apart <= NAME_ID_WINDOW_S as u64);
                if sure {
                    return Some(0);
                }
            }
        }
        let contradiction = self.direction.is_some()
            && call.direction.is_some()
            && self.direction != call.direction;
        if contradiction || !self.same_client(call) {
            return None;
        }
        apart.filter(|apart| *apart <= u64::from(self.window_s))
    }

    /// Whether the client's number is the same: of what each end says.
    fn same_client(&self, call: &Call) -> bool {
        let mine = clients(self.direction, &self.details);
        let theirs = clients(call.direction, &call.details);
        mine.iter().any(|phone| theirs.contains(phone))
    }
}

/// Numbers of which one is the client's.
fn clients(direction: Option<Direction>, details: &CallDetails) -> Vec<&str> {
    let phone =
        |end: &'_ Option<super::phone::Number>| -> Option<String> { end.as_ref()?.phone.clone() };
    let wanted = match direction {
        Some(Direction::Inbound) => phone(&details.caller),
        Some(Direction::Outbound) => phone(&details.called),
        None => None,
    };
    details
        .end_phones()
        .filter(|phone| wanted.as_deref().is_none_or(|wanted| wanted == *phone))
        .collect()
}

/// Key of a notice in the store.
pub fn key(source: Source, id: &str) -> String {
    format!("{}/{id}", source.name())
}

/// An id of an outside system as the name of a file.
pub fn file_name(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// What a conversation is found by.
pub struct Traces<'a> {
    /// What is told of it.
    pub details: &'a CallDetails,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// When it began.
    pub started_at: Option<Timestamp>,
}

impl<'a> From<&'a Notice> for Traces<'a> {
    fn from(notice: &'a Notice) -> Self {
        Self {
            details: &notice.details,
            direction: notice.direction,
            started_at: notice.started_at,
        }
    }
}

impl<'a> From<&'a Call> for Traces<'a> {
    fn from(call: &'a Call) -> Self {
        Self {
            details: &call.details,
            direction: call.direction,
            started_at: call.started_at,
        }
    }
}

/// Seconds of a day.
const DAY_S: i64 = 86_400;

impl Traces<'_> {
    /// Texts under which a call or a notice is kept: its ids, and the client's
    /// number with the day. The line that everybody calls is none of them where
    /// the direction is known, and the day keeps what shares a number few.
    pub fn keys(&self) -> Vec<String> {
        self.near(0..=0)
    }

    /// Texts under which what may be the same conversation is kept: with the days
    /// around. What is found so is compared by [`Notice::distance_s`].
    pub fn wanted(&self) -> Vec<String> {
        self.near(-1..=1)
    }

    fn near(&self, days: std::ops::RangeInclusive<i64>) -> Vec<String> {
        let ids = self
            .details
            .external_ids
            .iter()
            .filter(|id| JOINING.contains(&id.system.as_str()))
            .map(|id| format!("id:{}/{}", id.system, id.id));
        let mut keys: Vec<String> = ids.collect();
        if let Some(at) = self.started_at {
            let day = at.as_second().div_euclid(DAY_S);
            for phone in clients(self.direction, self.details) {
                keys.extend(
                    days.clone()
                        .map(|more| format!("phone:{phone}@{}", day + more)),
                );
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }
}

/// The lane of MANGO's errands.
pub const MANGO_LANE: &str = "mango";

/// The lane of the errands of an account of Calltouch.
pub fn calltouch_lane(site: &str) -> String {
    format!("calltouch/{site}")
}

/// Something to be fetched from an outside system; waits in the store until it
/// has been done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Errand {
    /// A recording of MANGO.
    MangoRecording {
        /// The call.
        entry_id: String,
        /// The recording.
        recording_id: String,
    },
    /// The list of MANGO's calls.
    MangoHistory {
        /// From, Unix seconds.
        from_s: i64,
        /// To, Unix seconds.
        to_s: i64,
        /// Under which the answer is asked for, once the request was taken.
        key: Option<String>,
    },
    /// A recording of Calltouch.
    CalltouchRecording {
        /// The account.
        site: String,
        /// The call.
        call_id: String,
    },
    /// A page of Calltouch's list of calls.
    CalltouchDiary {
        /// The account.
        site: String,
        /// First day.
        from: jiff::civil::Date,
        /// Last day.
        to: jiff::civil::Date,
        /// Counts from 1.
        page: u32,
    },
}

impl Errand {
    /// The same errand twice is one.
    pub fn key(&self) -> String {
        match self {
            Errand::MangoRecording { recording_id, .. } => {
                format!("mango/recording/{recording_id}")
            }
            Errand::MangoHistory { from_s, to_s, .. } => format!("mango/history/{from_s}-{to_s}"),
            Errand::CalltouchRecording { site, call_id } => {
                format!("calltouch/{site}/recording/{call_id}")
            }
            Errand::CalltouchDiary { site, from, to, .. } => {
                format!("calltouch/{site}/diary/{from}-{to}")
            }
        }
    }

    /// Errands of one lane are done one after the other: an account of an outside
    /// system, whose keys all begin with it.
    pub fn lane(&self) -> String {
        match self {
            Errand::MangoRecording { .. } | Errand::MangoHistory { .. } => MANGO_LANE.to_owned(),
            Errand::CalltouchRecording { site, .. } | Errand::CalltouchDiary { site, .. } => {
                calltouch_lane(site)
            }
        }
    }

    /// Key of the notice and id of the recording that is fetched.
    pub fn recording(&self) -> Option<(String, &str)> {
        match self {
            Errand::MangoRecording {
                entry_id,
                recording_id,
            } => Some((key(Source::Mango, entry_id), recording_id)),
            Errand::CalltouchRecording { call_id, .. } => {
                Some((key(Source::Calltouch, call_id), call_id))
            }
            Errand::MangoHistory { .. } | Errand::CalltouchDiary { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::phone::Number;
    use super::super::{MediaKind, details};
    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(1_752_566_587 + second).expect("a time"))
    }

    fn notice() -> Notice {
        let mut details = CallDetails {
            caller: Number::of("89161234567"),
            called: Number::of("74951234567"),
            ..CallDetails::default()
        };
        details.add_id(CALLTOUCH, "7");
        details.add_id(NAME_ID, "5009411022");
        Notice {
            source: Source::Calltouch,
            id: "7".to_owned(),
            site: String::new(),
            details,
            direction: Some(Direction::Inbound),
            started_at: at(0),
            recordings: Vec::new(),
            taken: Vec::new(),
            calls: Vec::new(),
            window_s: 120,
            received_at: at(60).expect("a time"),
        }
    }

    fn call(caller: &str, called: &str, second: i64) -> Call {
        Call {
            id: "01K0000000000000000000000A".parse().expect("an id"),
            sha256: String::new(),
            filename: String::new(),
            operator: None,
            language: None,
            source: Source::Sftp,
            direction: None,
            media: MediaKind::Audio,
            created_at: at(1000).expect("a time"),
            started_at: at(second),
            duration_ms: None,
            speakers_swapped: false,
            separation: None,
            score: None,
            details: CallDetails {
                caller: Number::of(caller),
                called: Number::of(called),
                ..CallDetails::default()
            },
        }
    }

    #[test]
    fn one_conversation_is_told_by_the_clients_number_and_the_time() {
        let notice = notice();
        let of = |caller, called, second| notice.distance_s(&call(caller, called, second));
        assert_eq!(of("+7 916 123-45-67", "101", 30), Some(30));
        assert_eq!(of("+7 916 123-45-67", "101", -120), Some(120));
        assert_eq!(of("+7 916 123-45-67", "101", 121), None);
        // The line that everybody calls does not make two clients one.
        assert_eq!(of("79160000000", "74951234567", 0), None);
        let mut outbound = call("101", "79161234567", 0);
        assert_eq!(notice.distance_s(&outbound), Some(0));
        outbound.direction = Some(Direction::Outbound);
        assert_eq!(notice.distance_s(&outbound), None);
        let mut timeless = call("79161234567", "101", 0);
        timeless.started_at = None;
        assert_eq!(notice.distance_s(&timeless), None);
        timeless.details.add_id(CALLTOUCH, "7");
        assert_eq!(notice.distance_s(&timeless), Some(0));
    }

    #[test]
    fn a_number_of_the_name_joins_on_the_same_day_only() {
        let notice = notice();
        let mut far = call("Иван", "Пётр", 40_000);
        far.details.add_id(NAME_ID, "5009411022");
        assert_eq!(notice.distance_s(&far), Some(0));
        far.started_at = at(50_000);
        assert_eq!(notice.distance_s(&far), None);
        let keys = Traces::from(&notice).keys();
        let wanted = Traces::from(&far).wanted();
        assert!(wanted.iter().any(|key| keys.contains(key)));
        // The line that was called is not what anybody is found by.
        assert!(
            !keys.iter().any(|key| key.contains("74951234567")),
            "{keys:?}"
        );
    }

    #[test]
    fn the_newer_word_counts_and_nothing_is_lost() {
        let mut known = notice();
        known.details.comment = Some("old".to_owned());
        known.details.url = Some("https://a".to_owned());
        let mut newer = notice();
        newer.details.comment = Some("new".to_owned());
        newer.started_at = None;
        newer.recordings = vec!["r".to_owned()];
        known.renew(newer);
        assert_eq!(known.details.comment.as_deref(), Some("new"));
        assert_eq!(known.details.url.as_deref(), Some("https://a"));
        assert_eq!(known.started_at, at(0));
        assert_eq!(known.recordings, ["r"]);
        assert_eq!(known.details.id_of(details::CALLTOUCH), Some("7"));
    }
}
