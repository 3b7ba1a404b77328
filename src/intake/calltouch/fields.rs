//! What Calltouch tells of a call. The owner of the account chooses the names
//! of the webhook's fields, so all that are known are taken, and further ones
//! from the configuration. Pure: from fields to a notice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::call::Direction;
use crate::domain::details::CALLTOUCH;
use crate::domain::filename::told_time;
use crate::domain::notice::Notice;
use crate::domain::phone::Number;
use crate::domain::{CallDetails, Source};

/// Names of fields (small letters, no `_` or `-`) and which of ours they are.
/// Where several name one, the first that is not empty counts.
const ALIASES: &[(&str, &str)] = &[
    ("callid", "id"),
    ("id", "id"),
    ("siteid", "site"),
    ("site", "site"),
    ("callerphone", "caller"),
    ("callernumber", "caller"),
    ("caller", "caller"),
    ("calledphone", "called"),
    ("phonenumber", "called"),
    ("called", "called"),
    ("operatorphone", "operator_phone"),
    ("manager", "operator_name"),
    ("managername", "operator_name"),
    ("operator", "operator_name"),
    ("operatorname", "operator_name"),
    ("redirectnumber", "redirect"),
    ("redirectphone", "redirect"),
    ("calltime", "time"),
    ("calldate", "time"),
    ("date", "time"),
    ("datetime", "time"),
    ("timestamp", "time"),
    ("status", "successful"),
    ("successful", "successful"),
    ("unique", "unique"),
    ("uniquecall", "unique"),
    ("target", "target"),
    ("targetcall", "target"),
    ("duration", "duration"),
    ("waitingtime", "waiting"),
    ("waitingconnect", "waiting"),
    ("utmsource", "source"),
    ("source", "source"),
    ("utmmedium", "medium"),
    ("medium", "medium"),
    ("utmcampaign", "campaign"),
    ("campaign", "campaign"),
    ("utmcontent", "content"),
    ("content", "content"),
    ("utmterm", "keyword"),
    ("keyword", "keyword"),
    ("callurl", "url"),
    ("url", "url"),
    ("orderid", "order_id"),
    ("ordernumber", "order_id"),
    ("tags", "tags"),
    ("calltags", "tags"),
    ("comment", "comment"),
    ("comments", "comment"),
    ("record", "record"),
    ("recordlink", "record_link"),
    ("reclink", "record_link"),
    ("callphase", "phase"),
    ("ctcallerid", "ct_caller_id"),
    ("sessionid", "session_id"),
];

/// What Calltouch tells, by our names.
#[derive(Debug, Default)]
pub struct Fields {
    known: BTreeMap<&'static str, Vec<(usize, String)>>,
    /// Orders and tags of the API, which are no plain texts.
    orders: Vec<String>,
    tags: Vec<String>,
}

/// What is known where the message itself does not say.
pub struct Context<'a> {
    /// Numbers of the configured accounts.
    pub sites: &'a [&'a str],
    /// Zone of times without one.
    pub zone: &'a jiff::tz::TimeZone,
    /// Now.
    pub now: Timestamp,
    /// How far notice and recording may lie apart, in seconds.
    pub window_s: u32,
    /// Id where the message has none.
    pub id: &'a str,
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

impl Fields {
    /// Of names and texts, as in a query or a form. `own` are the aliases of the
    /// configuration (field → ours), which come first.
    pub fn of_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        own: &BTreeMap<String, String>,
    ) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            fields.add(name, value, own);
        }
        fields
    }

    /// Of a JSON object: a webhook's, or a record of the API.
    pub fn of_json(value: &Value, own: &BTreeMap<String, String>) -> Self {
        let mut fields = Self::default();
        for (name, value) in value.as_object().into_iter().flatten() {
            match value {
                Value::String(text) => fields.add(name, text, own),
                Value::Number(_) | Value::Bool(_) => fields.add(name, &value.to_string(), own),
                Value::Array(list) => fields.add_list(&plain(name), list),
                Value::Object(_) | Value::Null => {}
            }
        }
        fields
    }

    fn add(&mut self, name: &str, value: &str, own: &BTreeMap<String, String>) {
        let value = value.trim();
        if value.is_empty() || value == "null" {
            return;
        }
        let value: String = value
            .chars()
            .filter(|c| !c.is_control())
            .take(2000)
            .collect();
        let mine = own.iter().find(|(field, _)| plain(field) == plain(name));
        let found = match mine {
            Some((_, ours)) => crate::config::CALLTOUCH_FIELDS
                .iter()
                .find(|field| *field == ours)
                .map(|ours| (0, *ours)),
            None => ALIASES
                .iter()
                .position(|(field, _)| *field == plain(name))
                .map(|at| (at + 1, ALIASES[at].1)),
        };
        if let Some((rank, ours)) = found {
            let known = self.known.entry(ours).or_default();
            known.push((rank, value));
            known.sort_by_key(|(rank, _)| *rank);
        }
    }

    fn add_list(&mut self, name: &str, list: &[Value]) {
        let texts = |value: &Value, keys: &[&str]| -> Option<String> {
            let text = |value: &Value| match value {
                Value::String(text) => Some(text.trim().to_owned()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            text(value)
                .or_else(|| keys.iter().find_map(|key| text(&value[*key])))
                .filter(|text| !text.is_empty())
        };
        match name {
            "calltags" | "tags" => {
                for tag in list {
                    match tag["names"].as_array() {
                        Some(names) => self
                            .tags
                            .extend(names.iter().filter_map(|name| texts(name, &[]))),
                        None => self.tags.extend(texts(tag, &["name"])),
                    }
                }
            }
            "orders" => {
                for order in list {
                    self.orders
                        .extend(texts(order, &["orderId", "order_id", "id"]));
                    self.orders.extend(texts(&order["orderNumber"], &[]));
                }
            }
            "comments" => {
                let comments: Vec<String> = list
                    .iter()
                    .filter_map(|comment| texts(comment, &["comment", "text"]))
                    .collect();
                if !comments.is_empty() {
                    self.known
                        .entry("comment")
                        .or_default()
                        .push((1, comments.join("; ")));
                }
            }
            _ => {}
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.known
            .get(name)?
            .first()
            .map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_lowercase().as_str() {
            "1" | "true" | "yes" | "да" | "successful" | "success" | "answered" => Some(true),
            "0" | "false" | "no" | "нет" | "unsuccessful" | "lost" | "missed" | "failed" => {
                Some(false)
            }
            _ => None,
        }
    }

    fn milliseconds(&self, name: &str) -> Option<u64> {
        let seconds: f64 = self.get(name)?.replace(',', ".").parse().ok()?;
        (0.0..1e7)
            .contains(&seconds)
            .then_some((seconds * 1000.0) as u64)
    }

    /// The notice, and whether Calltouch should have a recording of the call.
    pub fn notice(&self, context: &Context<'_>) -> (Notice, bool) {
        let number = |name: &str| self.get(name).and_then(Number::of);
        let text = |name: &str| self.get(name).map(str::to_owned);
        let mut details = CallDetails {
            caller: number("caller"),
            called: number("called"),
            operator_phone: number("operator_phone").or_else(|| number("redirect")),
            operator_name: text("operator_name"),
            redirect: number("redirect"),
            line: number("called"),
            unique: self.flag("unique"),
            target: self.flag("target"),
            answered: self.flag("successful"),
            waiting_ms: self.milliseconds("waiting"),
            told_duration_ms: self.milliseconds("duration"),
            url: text("url"),
            comment: text("comment"),
            tags: self.tags.clone(),
            order_ids: self.orders.clone(),
            ..CallDetails::default()
        };
        for tag in self
            .get("tags")
            .into_iter()
            .flat_map(|tags| tags.split([',', ';', '|']))
        {
            let tag = tag.trim().to_owned();
            if !tag.is_empty() && !details.tags.contains(&tag) {
                details.tags.push(tag);
            }
        }
        for (_, order) in self.known.get("order_id").into_iter().flatten() {
            if !details.order_ids.contains(order) {
                details.order_ids.push(order.clone());
            }
        }
        details.traffic.source = text("source");
        details.traffic.medium = text("medium");
        details.traffic.campaign = text("campaign");
        details.traffic.content = text("content");
        details.traffic.keyword = text("keyword");
        let told = self.get("id").filter(|id| id.len() <= 100);
        let id = told.unwrap_or(context.id).to_owned();
        details.add_id(CALLTOUCH, &id);
        for (field, system) in [
            ("ct_caller_id", "calltouch_caller"),
            ("session_id", "calltouch_session"),
        ] {
            if let Some(value) = self.get(field) {
                details.add_id(system, value);
            }
        }
        let site = self
            .get("site")
            .and_then(|site| context.sites.iter().find(|known| **known == site))
            .or(match context.sites {
                [only] if self.get("site").is_none() => Some(only),
                _ => None,
            })
            .map_or(String::new(), |site| (*site).to_owned());
        let expected = told.is_some() && self.recording_expected();
        let times = self.known.get("time");
        let started_at = times
            .into_iter()
            .flatten()
            .find_map(|(_, time)| told_time(time, context.zone));
        let notice = Notice {
            source: Source::Calltouch,
            id: id.clone(),
            site,
            details,
            // Calltouch follows those who call because of an advertisement.
            direction: Some(Direction::Inbound),
            started_at,
            recordings: if expected { vec![id] } else { Vec::new() },
            taken: Vec::new(),
            calls: Vec::new(),
            window_s: context.window_s,
            received_at: context.now,
        };
        (notice, expected)
    }

    /// A link or a mark says so; without one, a call that was answered has one
    /// once it is over.
    fn recording_expected(&self) -> bool {
        if self.get("record_link").is_some() {
            return true;
        }
        match self.flag("record") {
            Some(told) => told,
            None => {
                let phase = self.get("phase").map(plain).unwrap_or_default();
                let over = ![
                    "callconnected",
                    "callstarted",
                    "callstart",
                    "connected",
                    "calllost",
                ]
                .contains(&phase.as_str());
                over && self.flag("successful") == Some(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;

    fn read(fields: &Fields, sites: &[&str]) -> (Notice, bool) {
        let zone = TimeZone::get("Europe/Moscow").expect("a zone");
        let now = Timestamp::from_second(1_752_600_000).expect("a time");
        fields.notice(&Context {
            sites,
            zone: &zone,
            now,
            window_s: 60,
            id: "w1",
        })
    }

    #[test]
    fn a_webhook_by_any_names() {
        let own = BTreeMap::from([("my_order".to_owned(), "order_id".to_owned())]);
        for (names, time) in [
            (
                [
                    "callerphone",
                    "calledphone",
                    "operatorphone",
                    "calltime",
                    "id",
                ],
                "1752566587",
            ),
            (
                [
                    "CallerPhone",
                    "phonenumber",
                    "operator_phone",
                    "callDate",
                    "call_id",
                ],
                "2025-07-15 11:03:07",
            ),
        ] {
            let values = [
                "8 (916) 123-45-67",
                "74951234567",
                "79991112233",
                time,
                "42",
            ];
            let mut pairs: Vec<(&str, &str)> = names.into_iter().zip(values).collect();
            pairs.extend([
                ("status", "successful"),
                ("utm_source", "yandex"),
                ("source", "(direct)"),
                ("duration", "63"),
                ("my_order", "A-7"),
                ("unique", "true"),
                ("tags", "hot, new"),
                ("siteId", "9"),
            ]);
            let (notice, expected) = read(&Fields::of_pairs(pairs, &own), &["9", "10"]);
            assert!(expected, "{names:?}");
            assert_eq!(notice.id, "42");
            assert_eq!(notice.site, "9");
            assert_eq!(
                notice.details.caller.expect("a caller").phone.as_deref(),
                Some("79161234567")
            );
            assert_eq!(
                notice
                    .details
                    .operator_phone
                    .expect("ours")
                    .phone
                    .as_deref(),
                Some("79991112233")
            );
            assert_eq!(
                notice.started_at.expect("a time").as_second(),
                1_752_566_587
            );
            assert_eq!(notice.details.traffic.source.as_deref(), Some("yandex"));
            assert_eq!(notice.details.order_ids, ["A-7"]);
            assert_eq!(notice.details.tags, ["hot", "new"]);
            assert_eq!(
                (notice.details.unique, notice.details.told_duration_ms),
                (Some(true), Some(63_000))
            );
        }
    }

    #[test]
    fn a_record_of_the_api() {
        let record = json!({"callId": 77, "date": "15/07/2025 11:03:07", "duration": 12, "waitingConnect": 5,
            "callerNumber": "79161234567", "phoneNumber": "74951234567", "manager": "Ольга", "successful": true,
            "uniqueCall": false, "targetCall": true, "utmCampaign": "brand", "callTags": [{"category": "a", "type": "b", "names": ["x", "y"]}],
            "orders": [{"orderId": 5, "orderNumber": "N5"}], "ctCallerId": null});
        let (notice, expected) = read(&Fields::of_json(&record, &BTreeMap::new()), &["9"]);
        assert!(expected);
        assert_eq!((notice.id.as_str(), notice.site.as_str()), ("77", "9"));
        assert_eq!(
            notice.started_at.expect("a time").as_second(),
            1_752_566_587
        );
        assert_eq!(notice.details.tags, ["x", "y"]);
        assert_eq!(notice.details.order_ids, ["5", "N5"]);
        assert_eq!(notice.details.operator_name.as_deref(), Some("Ольга"));
        assert_eq!(
            (notice.details.unique, notice.details.target),
            (Some(false), Some(true))
        );
    }

    #[test]
    fn when_a_recording_is_expected() {
        for (pairs, wanted) in [
            (&[("id", "1"), ("record", "1")][..], true),
            (
                &[("id", "1"), ("record", "0"), ("status", "successful")],
                false,
            ),
            (&[("id", "1"), ("reclink", "https://x/y")], true),
            (
                &[
                    ("id", "1"),
                    ("status", "successful"),
                    ("callphase", "callconnected"),
                ],
                false,
            ),
            (
                &[
                    ("id", "1"),
                    ("status", "successful"),
                    ("callphase", "callcompleted"),
                ],
                true,
            ),
            (&[("id", "1"), ("status", "unsuccessful")], false),
            (&[("record", "1")], false),
        ] {
            let (notice, expected) = read(
                &Fields::of_pairs(pairs.iter().copied(), &BTreeMap::new()),
                &[],
            );
            assert_eq!(expected, wanted, "{pairs:?}");
            assert_eq!(notice.site, "");
        }
        let (notice, _) = read(
            &Fields::of_pairs([("callerphone", "x")], &BTreeMap::new()),
            &[],
        );
        assert_eq!(notice.id, "w1");
    }
}
