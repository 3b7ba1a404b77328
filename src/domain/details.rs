//! What is told of a call besides its sound: by the name of the file, by the
//! telephone exchange, by the advertising system. Everything is optional;
//! nothing that is missing keeps a call out.

use serde::{Deserialize, Serialize};

use super::phone::Number;

/// Name under which the entry id of MANGO is kept.
pub const MANGO_ENTRY: &str = "mango_entry";
/// Name under which the recording id of MANGO is kept.
pub const MANGO_RECORDING: &str = "mango_recording";
/// Name under which MANGO's number of our person is kept.
pub const MANGO_USER: &str = "mango_user";
/// Name under which the call id of Calltouch is kept.
pub const CALLTOUCH: &str = "calltouch";

/// What is known of a call besides its recording.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CallDetails {
    /// Who called.
    pub caller: Option<Number>,
    /// Who was called: the number that was dialled.
    pub called: Option<Number>,
    /// The phone of our person.
    pub operator_phone: Option<Number>,
    /// Our person's extension.
    pub extension: Option<String>,
    /// Our person as the sender names them.
    pub operator_name: Option<String>,
    /// The line of the exchange that the call came over.
    pub line: Option<Number>,
    /// Where the call was forwarded to.
    pub redirect: Option<Number>,
    /// Orders that came of the call.
    pub order_ids: Vec<String>,
    /// What other systems call it.
    pub external_ids: Vec<ExternalId>,
    /// What brought the client.
    pub traffic: Traffic,
    /// Tags, as the sender gives them.
    pub tags: Vec<String>,
    /// The client called for the first time.
    pub unique: Option<bool>,
    /// The call is one of those that are counted as wanted.
    pub target: Option<bool>,
    /// Somebody answered.
    pub answered: Option<bool>,
    /// How long the client waited, in milliseconds.
    pub waiting_ms: Option<u64>,
    /// Length of the call as the sender tells it, in milliseconds.
    pub told_duration_ms: Option<u64>,
    /// The page that the client called from.
    pub url: Option<String>,
    /// A remark.
    pub comment: Option<String>,
    /// Whether a pattern knew the name of the file; `None` where it was not asked.
    pub name_recognised: Option<bool>,
    /// Name of that pattern.
    pub name_pattern: Option<String>,
    /// Who said which operator it was; `None` in records of old and where nobody said.
    pub operator_by: Option<OperatorBy>,
}

/// Where the name of a call's operator comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorBy {
    /// A person set it, or sent it with the recording.
    Person,
    /// The directory of employees.
    Directory,
    /// The sender's word, which the directory does not know.
    Sender,
}

/// What another system calls a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExternalId {
    /// Which system and which of its ids, for example `mango_entry`.
    pub system: String,
    /// The id.
    pub id: String,
}

/// What brought the client, after the words of web analytics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Where from.
    pub source: Option<String>,
    /// By which kind of advertisement.
    pub medium: Option<String>,
    /// Which campaign.
    pub campaign: Option<String>,
    /// Which advertisement.
    pub content: Option<String>,
    /// The words that were searched for.
    pub keyword: Option<String>,
}

fn keep<T>(mine: &mut Option<T>, other: &Option<T>)
where
    T: Clone,
{
    if mine.is_none() {
        mine.clone_from(other);
    }
}

fn unite<T: Clone + PartialEq>(mine: &mut Vec<T>, other: &[T]) {
    for value in other {
        if !mine.contains(value) {
            mine.push(value.clone());
        }
    }
}

impl CallDetails {
    /// Takes from `other` what is missing here; lists are united.
    pub fn absorb(&mut self, other: &CallDetails) {
        keep(&mut self.caller, &other.caller);
        keep(&mut self.called, &other.called);
        keep(&mut self.operator_phone, &other.operator_phone);
        keep(&mut self.extension, &other.extension);
        keep(&mut self.operator_name, &other.operator_name);
        keep(&mut self.line, &other.line);
        keep(&mut self.redirect, &other.redirect);
        unite(&mut self.order_ids, &other.order_ids);
        unite(&mut self.external_ids, &other.external_ids);
        keep(&mut self.traffic.source, &other.traffic.source);
        keep(&mut self.traffic.medium, &other.traffic.medium);
        keep(&mut self.traffic.campaign, &other.traffic.campaign);
        keep(&mut self.traffic.content, &other.traffic.content);
        keep(&mut self.traffic.keyword, &other.traffic.keyword);
        unite(&mut self.tags, &other.tags);
        keep(&mut self.unique, &other.unique);
        keep(&mut self.target, &other.target);
        keep(&mut self.answered, &other.answered);
        keep(&mut self.waiting_ms, &other.waiting_ms);
        keep(&mut self.told_duration_ms, &other.told_duration_ms);
        keep(&mut self.url, &other.url);
        keep(&mut self.comment, &other.comment);
        keep(&mut self.name_recognised, &other.name_recognised);
        keep(&mut self.name_pattern, &other.name_pattern);
        keep(&mut self.operator_by, &other.operator_by);
    }

    /// Adds an id of another system; the same one again changes nothing.
    pub fn add_id(&mut self, system: &str, id: &str) {
        let id = ExternalId {
            system: system.to_owned(),
            id: id.trim().to_owned(),
        };
        if !id.id.is_empty() && !self.external_ids.contains(&id) {
            self.external_ids.push(id);
        }
    }

    /// The first id of a system.
    pub fn id_of(&self, system: &str) -> Option<&str> {
        self.external_ids
            .iter()
            .find(|id| id.system == system)
            .map(|id| id.id.as_str())
    }

    /// The phone numbers of the two ends: caller and called.
    pub fn end_phones(&self) -> impl Iterator<Item = &str> {
        [&self.caller, &self.called]
            .into_iter()
            .filter_map(|end| end.as_ref()?.phone.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_stays_and_what_is_missing_is_taken() {
        let mut mine = CallDetails {
            caller: Number::of("79161234567"),
            tags: vec!["a".to_owned()],
            ..CallDetails::default()
        };
        mine.add_id(CALLTOUCH, "7");
        let mut other = CallDetails {
            caller: Number::of("70000000000"),
            called: Number::of("74951234567"),
            tags: vec!["a".to_owned(), "b".to_owned()],
            ..CallDetails::default()
        };
        other.add_id(CALLTOUCH, "7");
        other.add_id(MANGO_ENTRY, "x");
        mine.absorb(&other);
        let phones: Vec<&str> = mine.end_phones().collect();
        assert_eq!(phones, ["79161234567", "74951234567"]);
        assert_eq!(mine.tags, ["a", "b"]);
        assert_eq!(mine.external_ids.len(), 2);
        assert_eq!(mine.id_of(MANGO_ENTRY), Some("x"));
    }

    #[test]
    fn records_without_details_are_read() {
        let read: CallDetails = serde_json::from_str("{}").expect("empty");
        assert_eq!(read, CallDetails::default());
    }
}
