//! MANGO's statistics and its list of employees, as notices and employees. Pure.

use jiff::Timestamp;
use serde_json::Value;

use super::events::{self, Parties, text};
use super::moment;
use crate::domain::details::MANGO_RECORDING;
use crate::domain::directory::Employee;
use crate::domain::notice::Notice;

/// What is asked for, in the order in which the CSV has it.
pub(super) const FIELDS: &[&str] = &[
    "records",
    "start",
    "finish",
    "answer",
    "from_extension",
    "from_number",
    "to_extension",
    "to_number",
    "disconnect_reason",
    "line_number",
    "location",
    "entry_id",
];

/// One call of the statistics, with the line that told it.
#[derive(Debug)]
pub struct Row {
    /// What it tells.
    pub notice: Notice,
    /// As it was sent.
    pub line: String,
}

/// Reads the statistics: no first line with names, `;` between the fields,
/// `[r1,r2]` for the recordings. Lines that are no calls are counted, not read.
pub fn rows(bytes: &[u8], now: Timestamp, window_s: u32) -> (Vec<Row>, u64) {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b';')
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let mut rows = Vec::new();
    let mut strange = 0;
    for record in reader.byte_records() {
        let Ok(record) = record else {
            strange += 1;
            continue;
        };
        let fields: Vec<String> = record
            .iter()
            .map(|field| String::from_utf8_lossy(field).into_owned())
            .collect();
        match row(&fields, now, window_s) {
            Some(notice) => rows.push(Row {
                notice,
                line: fields.join(";"),
            }),
            // A line of names is no call either.
            None if fields.first().is_some_and(|first| first == "records") => {}
            None => strange += 1,
        }
    }
    (rows, strange)
}

fn row(fields: &[String], now: Timestamp, window_s: u32) -> Option<Notice> {
    let get = |name: &str| -> Option<String> {
        let at = FIELDS.iter().position(|field| *field == name)?;
        let value = fields.get(at)?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    if fields.len() < FIELDS.len() {
        return None;
    }
    let time = |name: &str| moment(&Value::String(get(name)?));
    time("start")?;
    let mut notice = events::empty(&get("entry_id")?, now, window_s);
    events::parties(
        &mut notice,
        None,
        Parties {
            from_extension: get("from_extension"),
            from_number: get("from_number"),
            to_extension: get("to_extension"),
            to_number: get("to_number"),
            line: get("line_number"),
        },
    );
    events::times(&mut notice, time("start"), time("answer"), time("finish"));
    let records = get("records").unwrap_or_default();
    for recording in records.trim_matches(['[', ']']).split(',') {
        let recording = recording.trim().trim_matches('"');
        if !recording.is_empty() {
            notice.recordings.push(recording.to_owned());
            notice.details.add_id(MANGO_RECORDING, recording);
        }
    }
    Some(notice)
}

/// The employees of `config/users/request`; who has no name is left out.
pub(super) fn employees(value: &Value) -> Vec<Employee> {
    let users = value["users"].as_array().or_else(|| value.as_array());
    users
        .into_iter()
        .flatten()
        .filter_map(|user| {
            let general = &user["general"];
            let telephony = &user["telephony"];
            let mut phones: Vec<String> = text(&general["mobile"]).into_iter().collect();
            let mut sip = Vec::new();
            for number in telephony["numbers"].as_array().into_iter().flatten() {
                let Some(value) = text(number).or_else(|| text(&number["number"])) else {
                    continue;
                };
                match crate::domain::phone::normalize(&value) {
                    Some(phone) if number["protocol"] != "sip" => phones.push(phone),
                    _ => sip.push(value.trim_start_matches("sip:").to_owned()),
                }
            }
            phones.retain(|phone| crate::domain::phone::normalize(phone).is_some());
            Employee {
                id: String::new(),
                name: text(&general["name"]).or_else(|| text(&user["name"]))?,
                team: text(&general["department"]),
                extensions: text(&telephony["extension"])
                    .or_else(|| text(&user["extension"]))
                    .filter(|extension| crate::domain::phone::extension(extension).is_some())
                    .into_iter()
                    .collect(),
                phones,
                sip,
                mango_user_id: text(&general["user_id"]).or_else(|| text(&user["user_id"])),
            }
            .tidy()
            .ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::call::Direction;

    #[test]
    fn statistics_are_read_line_by_line() {
        let csv = "[r1,r2];1578664187;1578664287;1578664190;;79161234567;101;74951234567;1110;74951234567;abonent;e1\n\
                   [];1578664187;1578664200;0;101;;;79161234567;1110;74951234567;abonent;e2\n\
                   broken;line\n\
                   [r3];yesterday;;;;;;;;;;e3\n";
        let (rows, strange) = rows(
            csv.as_bytes(),
            Timestamp::from_second(1_700_000_000).expect("a time"),
            60,
        );
        assert_eq!((rows.len(), strange), (2, 2));
        assert_eq!(rows[0].notice.recordings, ["r1", "r2"]);
        assert_eq!(rows[0].notice.direction, Some(Direction::Inbound));
        assert_eq!(rows[0].notice.details.told_duration_ms, Some(97_000));
        assert!(rows[1].notice.recordings.is_empty());
        assert_eq!(rows[1].notice.direction, Some(Direction::Outbound));
        assert_eq!(rows[1].notice.details.answered, Some(false));
        assert!(rows[0].line.starts_with("[r1,r2];1578664187;"));
    }

    #[test]
    fn employees_of_mango() {
        let found = employees(&json!({"users": [
            {"general": {"name": "Ольга Щербакова", "department": "Продажи", "mobile": "89161112233", "user_id": 77},
             "telephony": {"extension": "101", "numbers": [
                {"number": "sip:olga@vpbx400.mangosip.ru", "protocol": "sip"}, {"number": "74951112233", "protocol": "tel"}]}},
            {"general": {"name": ""}}, {"telephony": {}}, {"general": {"name": "Пётр", "mobile": "нет"}}]}));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].phones, ["79161112233", "74951112233"]);
        assert_eq!(found[0].sip, ["olga@vpbx400.mangosip.ru"]);
        assert_eq!(found[0].mango_user_id.as_deref(), Some("77"));
        assert_eq!(found[1].name, "Пётр");
    }
}
