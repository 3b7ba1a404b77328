//! How long things are kept: sections `[audit]` and `[retention]`.

use jiff::civil::Time;
use serde::Deserialize;
use toml::Table;

use super::Section;
use crate::domain::Source;
use crate::domain::job::Status;
use crate::domain::retention::{Rule, Rules};

/// Settings of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Entries are kept for so many days.
    pub keep_days: u32,
}

/// How long calls are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// What is deleted, and when.
    pub rules: Rules,
    /// At this time of every day, in the zone of the names of files.
    pub at: Time,
}

/// Reads `[audit]`.
pub(super) fn audit(table: Table, faults: &mut Vec<String>) -> Audit {
    let mut section = Section {
        name: "audit.",
        table,
        faults,
    };
    let keep_days: u32 = section.take("keep_days", 1095);
    if !(30..=36_500).contains(&keep_days) {
        section.fault("keep_days", "is from 30 to 36500");
    }
    section.finish();
    Audit { keep_days }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    days: u32,
    source: Option<String>,
    status: Option<String>,
}

/// Reads `[retention]`.
pub(super) fn retention(table: Table, faults: &mut Vec<String>) -> Retention {
    let mut section = Section {
        name: "retention.",
        table,
        faults,
    };
    let at: String = section.take("at", "03:30".to_owned());
    let time = at.parse::<Time>().ok();
    if time.is_none() || at.len() != 5 {
        section.fault("at", "is a time of the day such as \"03:30\"");
    }
    let texts: Vec<RuleText> = section.take("rules", Vec::new());
    let mut rules = Vec::new();
    for (number, text) in texts.into_iter().enumerate() {
        let key = format!("rules[{number}]");
        if text.days > 36_500 {
            section.fault(&key, "days is from 0 (kept for ever) to 36500");
        }
        let source = text.source.as_deref().map(|name| {
            let known = Source::ALL.into_iter().find(|source| source.name() == name);
            if known.is_none() {
                section.fault(&key, &format!("{name:?} is no source"));
            }
            known
        });
        let status = text.status.as_deref().map(|name| {
            let known = Status::ENDED
                .into_iter()
                .find(|status| status.name() == name);
            if known.is_none() {
                section.fault(
                    &key,
                    &format!("{name:?} is not completed, failed, cancelled or no_speech"),
                );
            }
            known
        });
        if let (None | Some(Some(_)), None | Some(Some(_))) = (source, status) {
            rules.push(Rule {
                days: text.days,
                source: source.flatten(),
                status: status.flatten(),
            });
        }
    }
    section.finish();
    Retention {
        rules: Rules(rules),
        at: time.unwrap_or_default(),
    }
}

#[cfg(test)]
#[path = "keeping_tests.rs"]
mod tests;
