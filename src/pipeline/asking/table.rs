//! The answers of an analysis as a file.

use serde_json::{Value, json as value};

use crate::domain::Speaker;
use crate::domain::question::{Analysis, AnswerKind, Finding, Quote, Row};
use crate::domain::spreadsheet::cell;

/// The language of headings and of speakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Russian.
    Ru,
    /// English.
    En,
}

impl Words {
    fn headings(self) -> [&'static str; 9] {
        match self {
            Words::Ru => [
                "Звонок",
                "Файл",
                "Оператор",
                "Дата",
                "Ответ",
                "Кто ответил",
                "Подтверждён",
                "Цитаты",
                "Причина",
            ],
            Words::En => [
                "Call",
                "File",
                "Operator",
                "Date",
                "Answer",
                "Answered by",
                "Confirmed",
                "Quotes",
                "Reason",
            ],
        }
    }

    fn yes(self, yes: bool) -> &'static str {
        match (self, yes) {
            (Words::Ru, true) => "да",
            (Words::Ru, false) => "нет",
            (Words::En, true) => "yes",
            (Words::En, false) => "no",
        }
    }

    fn kind(self, kind: AnswerKind) -> &'static str {
        match (self, kind) {
            (Words::Ru, AnswerKind::Model) => "модель",
            (Words::Ru, AnswerKind::Search) => "поиск по словам",
            (Words::En, AnswerKind::Model) => "model",
            (Words::En, AnswerKind::Search) => "search for words",
        }
    }

    fn speaker(self, speaker: Speaker) -> &'static str {
        match (self, speaker) {
            (Words::Ru, Speaker::Operator) => "Оператор",
            (Words::Ru, Speaker::Client) => "Клиент",
            (Words::Ru, Speaker::Unknown) => "Голос",
            (Words::En, Speaker::Operator) => "Operator",
            (Words::En, Speaker::Client) => "Client",
            (Words::En, Speaker::Unknown) => "Voice",
        }
    }
}

/// A time in a call: `1:02:03` or `2:03`.
fn clock(ms: u64) -> String {
    let s = ms / 1000;
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 {
        format!("{h}:{m:02}:{s:02}")
    } else {
        format!("{m}:{s:02}")
    }
}

fn quotes(quotes: &[Quote], words: Words) -> String {
    let said: Vec<String> = quotes
        .iter()
        .map(|quote| {
            let who = words.speaker(quote.speaker);
            format!("{} {who}: «{}»", clock(quote.start_ms), quote.text)
        })
        .collect();
    said.join("\n")
}

/// CSV for spreadsheets: UTF-8 with its mark, `;` between the cells, a line a call.
pub fn csv(rows: &[Row], words: Words) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(csv::Terminator::CRLF)
        .from_writer(vec![0xef, 0xbb, 0xbf]);
    let headings = words.headings().map(str::to_owned);
    let lines = std::iter::once(headings).chain(rows.iter().map(|row| line(row, words)));
    for line in lines {
        // Writing into memory does not fail.
        let _ = writer.write_record(line.iter().map(|text| cell(text)));
    }
    writer.into_inner().unwrap_or_default()
}

fn line(row: &Row, words: Words) -> [String; 9] {
    let found = row.found.as_ref();
    let of = |of: &dyn Fn(&Finding) -> String| found.map(of).unwrap_or_default();
    let why = row
        .why
        .as_ref()
        .or(found.and_then(|found| found.why.as_ref()));
    [
        row.call_id.to_string(),
        row.filename.clone(),
        row.operator.clone().unwrap_or_default(),
        row.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        of(&|found| found.text.clone()),
        of(&|found| words.kind(found.kind).to_owned()),
        of(&|found| words.yes(found.confirmed).to_owned()),
        of(&|found| quotes(&found.quotes, words)),
        why.map(|why| why.message.clone()).unwrap_or_default(),
    ]
}

/// Everything as JSON.
pub fn json(analysis: &Analysis, rows: &[Row]) -> Vec<u8> {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut line = value!({
                "call_id": row.call_id,
                "filename": row.filename,
                "operator": row.operator,
                "at": row.at,
                "reason": row.why,
            });
            if let Some(found) = &row.found {
                line["kind"] = value!(found.kind);
                line["answer"] = value!(found.text);
                line["confirmed"] = value!(found.confirmed);
                line["quotes"] = value!(found.quotes);
                line["model"] = value!(found.model);
                line["reason"] = value!(row.why.as_ref().or(found.why.as_ref()));
            }
            line
        })
        .collect();
    let whole = value!({
        "question": analysis.question,
        "state": analysis.state,
        "asked_at": analysis.asked_at,
        "asked_by": analysis.asked_by,
        "calls": analysis.calls,
        "cost": analysis.cost,
        "rows": rows,
    });
    whole.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CallId;
    use crate::domain::question::Why;
    use jiff::Timestamp;

    fn row(answer: Option<&str>, quote: &str) -> Row {
        Row {
            call_id: CallId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV".into()).expect("an id"),
            filename: "=cmd|' /C calc'!A0".into(),
            operator: Some("Иванова; Анна".into()),
            at: Timestamp::UNIX_EPOCH,
            found: answer.map(|text| Finding {
                kind: AnswerKind::Model,
                text: text.into(),
                quotes: vec![Quote {
                    turn_index: 3,
                    speaker: Speaker::Client,
                    text: quote.into(),
                    start_ms: 3_723_000,
                    end_ms: 3_724_000,
                }],
                confirmed: true,
                why: None,
                model: Some("m".into()),
                tokens: (1, 1),
                cost: 0.0,
                version: 0,
            }),
            why: answer
                .is_none()
                .then(|| Why::new("deleted", "the call was deleted")),
        }
    }

    #[test]
    fn a_spreadsheet_reads_it_and_runs_nothing() {
        let rows = [
            row(Some("-2+3"), "да; \"нет\"\nпотом"),
            row(Some(" @SUM(A1)"), "x"),
            row(None, ""),
        ];
        let bytes = csv(&rows, Words::Ru);
        assert!(bytes.starts_with(&[0xef, 0xbb, 0xbf]));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b';')
            .from_reader(&bytes[3..]);
        assert_eq!(reader.headers().expect("headings").get(2), Some("Оператор"));
        let lines: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("a line")).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(&lines[0][1], "'=cmd|' /C calc'!A0");
        assert_eq!(&lines[0][2], "Иванова; Анна");
        assert_eq!(&lines[0][4], "'-2+3");
        assert_eq!(&lines[0][7], "1:02:03 Клиент: «да; \"нет\"\nпотом»");
        assert_eq!(&lines[1][4], "' @SUM(A1)");
        assert_eq!((&lines[2][4], &lines[2][8]), ("", "the call was deleted"));
        for line in &lines {
            for text in line {
                assert!(
                    !text.trim_start().starts_with(['=', '+', '-', '@']),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn times_are_those_of_a_player() {
        assert_eq!(
            (clock(0), clock(61_900), clock(3_600_000)),
            ("0:00".into(), "1:01".into(), "1:00:00".into())
        );
    }
}
