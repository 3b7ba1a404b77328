//! Settings of what comes from outside systems: names of files, MANGO OFFICE,
//! Calltouch. Keys and secrets never show in logs: [`Secret`] hides them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Table;

use super::Section;
use crate::domain::filename::NamePatterns;

/// Fields that what Calltouch sends can be given to.
pub const CALLTOUCH_FIELDS: &[&str] = &[
    "id",
    "site",
    "caller",
    "called",
    "operator_phone",
    "operator_name",
    "redirect",
    "time",
    "successful",
    "unique",
    "target",
    "duration",
    "waiting",
    "source",
    "medium",
    "campaign",
    "content",
    "keyword",
    "url",
    "order_id",
    "tags",
    "comment",
    "record",
    "record_link",
    "phase",
    "ct_caller_id",
    "session_id",
];
/// Longest time between a notice and its recording, in seconds.
const MAX_WINDOW_S: u32 = 24 * 3600;

/// A key or password: shown as stars.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

/// Settings of the names of files.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    /// Zone of the times in names and in what outside systems tell without one.
    pub time_zone: TimeZone,
    /// Name and regular expression of each own pattern, in the order they are tried.
    pub patterns: Vec<(String, String)>,
}

/// Settings of MANGO OFFICE.
#[derive(Debug, Clone, PartialEq)]
pub struct Mango {
    /// Whether events are taken and the API is asked.
    pub enabled: bool,
    /// The product's code.
    pub api_key: Secret,
    /// The key that signs.
    pub api_salt: Secret,
    /// Where the API is.
    pub api_url: String,
    /// Path under which the events arrive.
    pub events_path: String,
    /// Who may send events; empty for everybody who signs them.
    pub allow: Vec<Network>,
    /// How far notice and recording may lie apart, in seconds.
    pub join_window_s: u32,
    /// How long a request may take in all, in seconds.
    pub timeout_s: u64,
    /// A recording that is not there yet is asked for again after this, in seconds.
    pub retry_s: u64,
}

/// An account of Calltouch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalltouchSite {
    /// Number of the site.
    pub id: String,
    /// Key of the API.
    #[serde(default)]
    pub api_key: Secret,
}

/// Settings of Calltouch.
#[derive(Debug, Clone, PartialEq)]
pub struct Calltouch {
    /// Accounts whose API is asked.
    pub sites: Vec<CalltouchSite>,
    /// Where the API is.
    pub api_url: String,
    /// Secret of the webhook's address; `None`: one made at first start.
    pub secret: Option<Secret>,
    /// Who may send to the webhook; empty for everybody with the secret.
    pub allow: Vec<Network>,
    /// Field of the webhook → field of ours, beside the built-in ones.
    pub aliases: BTreeMap<String, String>,
    /// How far notice and recording may lie apart, in seconds.
    pub join_window_s: u32,
    /// When the calls of the day before are asked for, in the zone of the names.
    pub sync_at: Option<Time>,
    /// Directory in which each recording is put as well, with what is known of it.
    pub records_path: Option<PathBuf>,
    /// How long a request may take in all, in seconds.
    pub timeout_s: u64,
    /// A recording that is not there yet is asked for again after this, in seconds.
    pub retry_s: u64,
}

/// An address, or a range of them: `92.118.66.0/23`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(v4) => (4, u128::from(u32::from(v4)) << 96),
            IpAddr::V6(v6) => (6, u128::from(v6)),
        };
        let ((kind, first), (other, address)) = (number(self.first), number(address));
        let mask = u128::MAX
            .checked_shl(128 - u32::from(self.bits))
            .unwrap_or(0);
        kind == other && first & mask == address & mask
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is no address such as 81.88.80.132 or 92.118.66.0/23");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.trim().parse().map_err(|_| fault())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .trim()
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(fault)?,
        };
        Ok(Self { first, bits })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternEntry {
    name: String,
    regex: String,
}

pub(super) fn names(table: Table, faults: &mut Vec<String>) -> Names {
    let mut section = Section {
        name: "names.",
        table,
        faults,
    };
    let zone: String = section.take("time_zone", "Europe/Moscow".to_owned());
    let time_zone = TimeZone::get(&zone).unwrap_or_else(|_| {
        section.fault(
            "time_zone",
            &format!("{zone:?} is no time zone such as Europe/Moscow"),
        );
        TimeZone::UTC
    });
    let entries: Vec<PatternEntry> = section.take("pattern", Vec::new());
    let patterns: Vec<(String, String)> = entries
        .into_iter()
        .map(|entry| (entry.name, entry.regex))
        .collect();
    if let Err(faulty) = NamePatterns::new(&patterns) {
        for (index, what) in faulty {
            let name = patterns.get(index).map_or("", |(name, _)| name.as_str());
            section.fault("pattern", &format!("{name:?} {what}"));
        }
    }
    section.finish();
    Names {
        time_zone,
        patterns,
    }
}

fn networks(section: &mut Section) -> Vec<Network> {
    let texts: Vec<String> = section.take("allow", Vec::new());
    let mut networks = Vec::new();
    for text in texts {
        match text.parse::<Network>() {
            Ok(network) => networks.push(network),
            Err(what) => section.fault("allow", &what),
        }
    }
    networks
}

fn window(section: &mut Section) -> u32 {
    let window: u32 = section.take("join_window_s", 120);
    if window > MAX_WINDOW_S {
        section.fault("join_window_s", "is at most 86400");
    }
    window
}

fn seconds(section: &mut Section, key: &str, default: u64) -> u64 {
    let seconds: u64 = section.take(key, default);
    if !(1..=3600).contains(&seconds) {
        section.fault(key, "is from 1 to 3600");
    }
    seconds
}

fn url(section: &mut Section, default: &str) -> String {
    let url: String = section.take("api_url", default.to_owned());
    if !url.starts_with("https://") && !url.starts_with("http://") {
        section.fault("api_url", "begins with https://");
    }
    url.trim_end_matches('/').to_owned()
}

pub(super) fn mango(
    table: Table,
    env: &impl Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) -> Mango {
    let mut section = Section {
        name: "mango.",
        table,
        faults,
    };
    let mut secret = |key: &str, variable: &str| -> Secret {
        let file: String = section.take(key, String::new());
        env(variable).unwrap_or(file).into()
    };
    let api_key = secret("api_key", "MANGO_API_KEY");
    let api_salt = secret("api_salt", "MANGO_API_SALT");
    let given = !api_key.is_empty() && !api_salt.is_empty();
    if api_key.is_empty() != api_salt.is_empty() {
        section.fault("api_key", "and mango.api_salt belong together: give both");
    }
    let enabled = section.take::<Option<bool>>("enabled", None);
    if enabled == Some(true) && !given {
        section.fault("enabled", "needs mango.api_key and mango.api_salt");
    }
    let events_path: String = section.take("events_path", "/api/v1/mango".to_owned());
    let well_formed = events_path.starts_with('/')
        && events_path.len() > 1
        && !events_path.contains([':', '*', '?', '#', ' ', '<']);
    if !well_formed {
        section.fault("events_path", "is a path such as /api/v1/mango");
    }
    let mango = Mango {
        enabled: enabled.unwrap_or(given) && given,
        api_key,
        api_salt,
        api_url: url(&mut section, "https://app.mango-office.ru/vpbx"),
        events_path: events_path.trim_end_matches('/').to_owned(),
        allow: networks(&mut section),
        join_window_s: window(&mut section),
        timeout_s: seconds(&mut section, "timeout_s", 300),
        retry_s: seconds(&mut section, "retry_s", 60),
    };
    section.finish();
    mango
}

pub(super) fn calltouch(
    table: Table,
    env: &impl Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) -> Calltouch {
    let mut section = Section {
        name: "calltouch.",
        table,
        faults,
    };
    let mut sites: Vec<CalltouchSite> = section.take("site", Vec::new());
    let (id, key) = (env("CALLTOUCH_SITE_ID"), env("CALLTOUCH_API_KEY"));
    match (id, key) {
        (Some(id), Some(key)) => {
            let id = id.trim().to_owned();
            sites.retain(|site| site.id != id);
            sites.insert(
                0,
                CalltouchSite {
                    id,
                    api_key: key.into(),
                },
            );
        }
        (None, None) => {}
        _ => section.fault(
            "site",
            "CALLTOUCH_SITE_ID and CALLTOUCH_API_KEY belong together",
        ),
    }
    for (index, site) in sites.iter().enumerate() {
        if site.id.is_empty() || !site.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            section.fault("site", &format!("{:?} is no number of a site", site.id));
        }
        if site.api_key.is_empty() {
            section.fault("site", &format!("{} has no api_key", site.id));
        }
        if sites[..index].iter().any(|other| other.id == site.id) {
            section.fault("site", &format!("{} is there twice", site.id));
        }
    }
    let secret: String = section.take("webhook_secret", String::new());
    let secret = (!secret.is_empty()).then(|| Secret::from(secret));
    if let Some(secret) = &secret {
        let text = secret.expose();
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if text.len() < 16 || !plain {
            section.fault("webhook_secret", "is 16 or more letters, digits, - and _");
        }
    }
    let aliases: BTreeMap<String, String> = section.take("aliases", BTreeMap::new());
    for (field, ours) in &aliases {
        if !CALLTOUCH_FIELDS.contains(&ours.as_str()) {
            let known = CALLTOUCH_FIELDS.join(", ");
            section.fault(
                "aliases",
                &format!("{field:?} is given to {ours:?}; known are: {known}"),
            );
        }
    }
    let at: String = section.take("sync_at", "04:30".to_owned());
    let sync_at = match at.as_str() {
        "off" => None,
        text => {
            let time = text.split_once(':').and_then(|(hour, minute)| {
                Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
            });
            if time.is_none() {
                section.fault("sync_at", "is a time such as \"04:30\", or \"off\"");
            }
            time
        }
    };
    let records: String = section.take("records_path", String::new());
    let records = env("CALLTOUCH_CALL_RECORDS_PATH").unwrap_or(records);
    let calltouch = Calltouch {
        sites,
        api_url: url(&mut section, "https://api.calltouch.ru"),
        secret,
        allow: networks(&mut section),
        aliases,
        join_window_s: window(&mut section),
        sync_at,
        records_path: (!records.trim().is_empty()).then(|| PathBuf::from(records.trim())),
        timeout_s: seconds(&mut section, "timeout_s", 300),
        retry_s: seconds(&mut section, "retry_s", 60),
    };
    section.finish();
    calltouch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_networks() {
        let within = |network: &str, address: &str| {
            network
                .parse::<Network>()
                .expect("a network")
                .contains(address.parse().expect("an address"))
        };
        assert!(within("92.118.66.0/23", "92.118.67.255"));
        assert!(within("92.118.66.0/23", "::ffff:92.118.66.1"));
        assert!(!within("92.118.66.0/23", "92.118.68.0"));
        assert!(within("81.88.80.132", "81.88.80.132"));
        assert!(!within("81.88.80.132", "81.88.80.133"));
        assert!(within("::1", "::1") && !within("::1", "127.0.0.1"));
        assert!(within("0.0.0.0/0", "1.2.3.4"));
        for text in ["", "1.2.3", "1.2.3.4/33", "1.2.3.4/x"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::from("hidden".to_owned());
        assert_eq!(format!("{secret:?} {:?}", Secret::default()), "*** none");
    }
}
