//! What the name of a file tells of the call in it. Patterns are regular
//! expressions with named groups, tried in order: those of the configuration,
//! then MANGO's. Pure; called by `intake::names`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use regex::{Captures, Regex};

use super::call::Direction;
use super::details::{CALLTOUCH, CallDetails, MANGO_ENTRY, MANGO_RECORDING};
use super::directory::Directory;
use super::phone::{self, Number};
use super::translit;

/// Named groups that a pattern may have.
pub const GROUPS: &[&str] = &[
    "date",
    "time",
    "datetime",
    "caller",
    "callee",
    "operator",
    "phone",
    "extension",
    "line",
    "direction",
    "order_id",
    "id1",
    "id2",
    "entry_id",
    "recording_id",
    "calltouch_id",
    "vpbx",
];

/// MANGO's own names: date, time, who called, with whom they spoke, and ids.
const MANGO: &str = r"^(?<date>\d{4}\.\d{2}\.\d{2})__(?<time>\d{2}-\d{2}-\d{2})__(?<caller>.+?)__(?<callee>.+?)(?:_vpbx(?<vpbx>\d+)|(?:_(?<id1>\d{6,}))?(?:_(?<id2>\d+))?)$";
/// Longest pattern in bytes.
const MAX_PATTERN: usize = 1000;
/// Memory of a compiled pattern in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// One pattern.
#[derive(Debug, Clone)]
struct Pattern {
    name: String,
    regex: Regex,
}

/// Patterns in the order they are tried.
#[derive(Debug, Clone)]
pub struct NamePatterns {
    own: Vec<Pattern>,
    mango: Regex,
}

/// What a name tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NameFacts {
    /// Name of the pattern that knew it.
    pub pattern: Option<String>,
    /// When the call began.
    pub started_at: Option<Timestamp>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// The rest.
    pub details: CallDetails,
}

impl NamePatterns {
    /// Of `own` patterns (name, expression), then the built-in ones. Says for each
    /// faulty one (by its place from 0) what is wrong.
    pub fn new(own: &[(String, String)]) -> Result<Self, Vec<(usize, String)>> {
        let mut faults = Vec::new();
        let mut patterns = Vec::new();
        for (index, (name, expression)) in own.iter().enumerate() {
            match compile(expression) {
                Ok(regex) => patterns.push(Pattern {
                    name: name.clone(),
                    regex,
                }),
                Err(what) => faults.push((index, what)),
            }
        }
        let mango = match compile(MANGO) {
            Ok(mango) => mango,
            Err(what) => return Err(vec![(own.len(), what)]),
        };
        if faults.is_empty() {
            Ok(Self {
                own: patterns,
                mango,
            })
        } else {
            Err(faults)
        }
    }

    /// Reads a name. Times without a zone are in `zone`. A name that no pattern
    /// knows gives nothing but that.
    pub fn read(&self, filename: &str, zone: &TimeZone, directory: &Directory) -> NameFacts {
        let stem = stem(filename);
        for pattern in &self.own {
            // A person may have written the ending into the pattern.
            if let Some(found) = pattern
                .regex
                .captures(stem)
                .or_else(|| pattern.regex.captures(filename))
            {
                return facts(&pattern.name, &Groups::Regex(found), zone, directory);
            }
        }
        if let Some(found) = self.mango.captures(stem) {
            return facts("mango", &Groups::Regex(found), zone, directory);
        }
        if let Some(parts) = by_shape(stem) {
            return facts("mango-parts", &Groups::Parts(parts), zone, directory);
        }
        let mut nothing = NameFacts::default();
        nothing.details.name_recognised = Some(false);
        nothing
    }
}

fn compile(expression: &str) -> Result<Regex, String> {
    if expression.len() > MAX_PATTERN {
        return Err(format!("is longer than {MAX_PATTERN} bytes"));
    }
    let regex = regex::RegexBuilder::new(expression)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| format!("is no regular expression: {error}"))?;
    let names: Vec<&str> = regex.capture_names().flatten().collect();
    if let Some(unknown) = names.iter().find(|name| !GROUPS.contains(name)) {
        return Err(format!(
            "has the group {unknown:?}; known are: {}",
            GROUPS.join(", ")
        ));
    }
    if names.is_empty() {
        return Err(format!(
            "has no named group such as (?<caller>.+); known are: {}",
            GROUPS.join(", ")
        ));
    }
    Ok(regex)
}

/// The name without directories and without an ending of a file.
fn stem(filename: &str) -> &str {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, ending))
            if (2..=5).contains(&ending.len())
                && ending.bytes().all(|b| b.is_ascii_alphanumeric())
                && ending.bytes().any(|b| b.is_ascii_alphabetic()) =>
        {
            stem
        }
        _ => name,
    }
}

enum Groups<'a> {
    Regex(Captures<'a>),
    Parts(Vec<(&'static str, &'a str)>),
}

impl Groups<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let text = match self {
            Groups::Regex(captures) => captures.name(name)?.as_str(),
            Groups::Parts(parts) => parts.iter().find(|(known, _)| *known == name)?.1,
        };
        let text = text.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// The account may put MANGO's parts in another order and write the date in
/// another way: parts are told by their shape, the ends by their order.
fn by_shape(stem: &str) -> Option<Vec<(&'static str, &str)>> {
    let mut parts = Vec::new();
    let mut ends = ["caller", "callee"].into_iter();
    for part in stem.split("__") {
        let known = |name: &str| parts.iter().any(|(known, _)| *known == name);
        if date(part).is_some() && !known("date") {
            parts.push(("date", part));
        } else if part.contains(['-', ':', '.']) && time(part).is_some() && !known("time") {
            parts.push(("time", part));
        } else if let Some(number) = part.strip_prefix("vpbx") {
            parts.push(("vpbx", number));
        } else {
            parts.push((ends.next()?, part));
        }
    }
    let found = |name: &str| parts.iter().any(|(known, _)| *known == name);
    if !found("date") || !found("time") || !found("callee") {
        return None;
    }
    let last = parts.len() - 1;
    let (name, text) = parts[last];
    if matches!(name, "caller" | "callee") {
        // Ids stand at the end of the last part.
        let is_id = |text: &str, from: usize| {
            text.len() >= from && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if let Some((rest, id2)) = text
            .rsplit_once('_')
            .filter(|(rest, id)| is_id(id, 1) && !rest.is_empty())
        {
            parts[last].1 = rest;
            match rest
                .rsplit_once('_')
                .filter(|(rest, id)| is_id(id, 6) && !rest.is_empty())
            {
                Some((rest, id1)) => {
                    parts[last].1 = rest;
                    parts.extend([("id1", id1), ("id2", id2)]);
                }
                None => parts.push((if id2.len() >= 6 { "id1" } else { "id2" }, id2)),
            }
        }
    }
    Some(parts)
}

/// One end of a call in a name.
struct End {
    number: Option<Number>,
    name: Option<String>,
    extension: Option<String>,
    /// Certainly ours, certainly not, or not known.
    ours: Option<bool>,
}

fn end(text: &str, directory: &Directory) -> End {
    let (outside, inside) = match text.split_once('(') {
        _ if phone::normalize(text).is_some() => (text, ""),
        Some((outside, inside)) => (outside.trim(), inside.trim_end_matches(')').trim()),
        None => (text, ""),
    };
    let pieces: Vec<&str> = [outside, inside]
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .collect();
    let number = pieces
        .iter()
        .find_map(|piece| Number::of(piece).filter(|number| number.phone.is_some()));
    let extension = pieces.iter().find_map(|piece| phone::extension(piece));
    let spoken = outside.replace('_', " ").trim().to_owned();
    let hidden = ["anonymous", "unknown", "аноним", "скрыт", "неизвестный"]
        .contains(&spoken.to_lowercase().as_str());
    let letters = spoken.chars().any(char::is_alphabetic) && !hidden;
    let name = letters.then_some(spoken);
    let employee = name
        .as_deref()
        .and_then(|name| directory.of_name(name))
        .or_else(|| directory.of_extension(extension.as_deref()?))
        .or_else(|| directory.of_phone(number.as_ref()?.phone.as_deref()?));
    let ours = if employee.is_some() || extension.is_some() {
        Some(true)
    } else if hidden {
        Some(false)
    } else if name.is_some() {
        // A name may also be a contact of the address book: the other end decides.
        None
    } else {
        Some(false)
    };
    End {
        number: number.or_else(|| Number::of(text)),
        name,
        extension,
        ours,
    }
}

fn facts(pattern: &str, groups: &Groups<'_>, zone: &TimeZone, directory: &Directory) -> NameFacts {
    let mut details = CallDetails {
        name_recognised: Some(true),
        name_pattern: Some(pattern.to_owned()),
        line: groups.get("line").and_then(Number::of),
        extension: groups.get("extension").and_then(phone::extension),
        operator_name: groups.get("operator").map(translit::readable),
        ..CallDetails::default()
    };
    for (group, system) in [
        ("id1", "name_id1"),
        ("id2", "name_id2"),
        ("vpbx", "vpbx"),
        ("entry_id", MANGO_ENTRY),
        ("recording_id", MANGO_RECORDING),
        ("calltouch_id", CALLTOUCH),
    ] {
        if let Some(id) = groups.get(group) {
            details.add_id(system, id);
        }
    }
    details
        .order_ids
        .extend(groups.get("order_id").map(str::to_owned));
    let mut direction = groups.get("direction").and_then(told_direction);
    let caller = groups.get("caller").map(|text| end(text, directory));
    let callee = groups.get("callee").map(|text| end(text, directory));
    if let (Some(caller), Some(callee)) = (&caller, &callee) {
        let ours = match (caller.ours, callee.ours) {
            // The end with a name is ours where the other is a number from outside.
            (None, Some(false)) => (true, false),
            (Some(false), None) => (false, true),
            (a, b) => (a == Some(true), b == Some(true)),
        };
        let inferred = match ours {
            (true, false) => Some(Direction::Outbound),
            (false, true) => Some(Direction::Inbound),
            _ => None,
        };
        direction = direction.or(inferred);
        let operator = match direction {
            Some(Direction::Outbound) => Some(caller),
            Some(Direction::Inbound) => Some(callee),
            None => None,
        };
        if let Some(operator) = operator {
            if details.operator_name.is_none() {
                details.operator_name = operator.name.as_deref().map(translit::readable);
            }
            if details.extension.is_none() {
                details.extension.clone_from(&operator.extension);
            }
            details.operator_phone = operator
                .number
                .clone()
                .filter(|number| number.phone.is_some());
        }
    }
    details.caller = caller.and_then(|end| end.number);
    details.called = callee.and_then(|end| end.number);
    if let Some(client) = groups.get("phone").and_then(Number::of) {
        // The client's phone stands alone: it is the end that is not ours.
        match direction {
            Some(Direction::Outbound) => details.called = details.called.or(Some(client)),
            Some(Direction::Inbound) | None => details.caller = details.caller.or(Some(client)),
        }
    }
    NameFacts {
        pattern: Some(pattern.to_owned()),
        started_at: moment(groups, zone),
        direction,
        details,
    }
}

fn told_direction(text: &str) -> Option<Direction> {
    match text.to_lowercase().as_str() {
        "in" | "inbound" | "incoming" | "вх" | "входящий" | "1" => {
            Some(Direction::Inbound)
        }
        "out" | "outbound" | "outgoing" | "исх" | "исходящий" | "2" => {
            Some(Direction::Outbound)
        }
        _ => None,
    }
}

fn moment(groups: &Groups<'_>, zone: &TimeZone) -> Option<Timestamp> {
    if let Some(text) = groups.get("datetime") {
        return told_time(text, zone);
    }
    let day = date(groups.get("date")?)?;
    let time = groups
        .get("time")
        .and_then(time)
        .unwrap_or(Time::midnight());
    Some(zone.to_timestamp(day.to_datetime(time)).ok()?).filter(|at| plausible(*at))
}

/// Between 1990 and 2100: anything else is no time of a call.
fn plausible(at: Timestamp) -> bool {
    (631_152_000..4_102_444_800).contains(&at.as_second())
}

/// A moment as systems write it: seconds or milliseconds since 1970, RFC 3339, or
/// date and time in any usual order; without a zone it is in `zone`.
pub fn told_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let found = if digits && (9..=10).contains(&text.len()) {
        Timestamp::from_second(text.parse().ok()?).ok()
    } else if digits && text.len() == 13 {
        Timestamp::from_millisecond(text.parse().ok()?).ok()
    } else if let Ok(at) = text.parse::<Timestamp>() {
        Some(at)
    } else if digits && text.len() == 14 {
        zone.to_timestamp(date(&text[..8])?.to_datetime(time(&text[8..])?))
            .ok()
    } else {
        let (day, rest) = text.split_once(['T', ' ', '_', ','])?;
        let at: DateTime = date(day.trim())?.to_datetime(time(rest.trim_matches(['_', ' ']))?);
        zone.to_timestamp(at).ok()
    };
    found.filter(|at| plausible(*at))
}

fn numbers(text: &str) -> Option<Vec<i16>> {
    text.split(['.', '-', '/', '_', ':'])
        .map(|part| part.parse().ok())
        .collect()
}

/// `2021.03.30`, `30.03.2021`, with any separator, or `20210330`.
fn date(text: &str) -> Option<Date> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Date::new(
            text[..4].parse().ok()?,
            text[4..6].parse().ok()?,
            text[6..].parse().ok()?,
        )
        .ok();
    }
    let parts = numbers(text)?;
    let [a, b, c] = parts[..] else { return None };
    let (year, day) = match (a, c) {
        (1970.., _) => (a, c),
        (_, 1970..) => (c, a),
        _ => return None,
    };
    Date::new(year, b.try_into().ok()?, day.try_into().ok()?).ok()
}

/// `10-33-20`, `10:33`, with any separator, or `103320`.
fn time(text: &str) -> Option<Time> {
    let parts = if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        vec![
            text[..2].parse().ok()?,
            text[2..4].parse().ok()?,
            text[4..].parse().ok()?,
        ]
    } else {
        numbers(text)?
    };
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    Time::new(
        hour.try_into().ok()?,
        minute.try_into().ok()?,
        second.try_into().ok()?,
        0,
    )
    .ok()
}

#[cfg(test)]
#[path = "filename_tests.rs"]
mod tests;
