//! What everybody did: searched, exported, checked.

use std::sync::Arc;

use futures_util::stream;
use jiff::Timestamp;
use poem::Body;
use poem::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Binary, Json, Response};
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{Audit, Who};
use super::error::ApiError;
use super::export::disposition;
use crate::app::Parts;
use crate::domain::audit::{Action, Numbered, Wanted};
use crate::domain::spreadsheet::cell;
use crate::store::StoreError;

/// Entries a page.
const PAGE: u32 = 100;
/// Most entries a page.
const MOST: u32 = 500;
/// Entries that an export reads at once.
const PIECE: usize = 2000;
/// Longest text of a filter, in characters.
const MAX_TEXT: usize = 200;

pub(super) struct AuditApi;

/// One thing that was done or refused.
#[derive(Object)]
struct AuditEntryView {
    /// Counts from 1 without a gap.
    number: u64,
    /// RFC 3339.
    at: String,
    /// `person`, `key`, `sender`, `command_line`, `system` or `nobody`.
    actor: String,
    /// Name of who did it; of `nobody` the name that was tried.
    who: Option<String>,
    /// Id of the key.
    key: Option<String>,
    /// Stable name of what was done.
    action: String,
    /// `done`, `refused`, `failed` or `unknown` (begun and cut off).
    outcome: String,
    /// Status of the answer.
    status: Option<u16>,
    /// Operation of this document, or the command.
    operation: Option<String>,
    /// Id of what it was done to.
    subject: Option<String>,
    /// Id of the session.
    session: Option<String>,
    /// From where.
    address: Option<String>,
    user_agent: Option<String>,
    detail: Option<String>,
}

/// Entries, the newest first.
#[derive(Object)]
struct AuditPage {
    items: Vec<AuditEntryView>,
    /// `before` of the next page; absent at the end. A page can be short, even empty, where
    /// few of very many entries fit.
    next: Option<u64>,
    /// All actions there are, for a filter.
    actions: Vec<String>,
}

/// Whether the audit is as it was written.
#[derive(Object)]
struct VerificationView {
    /// Entries that are there and follow each other.
    entries: u64,
    first: Option<u64>,
    last: Option<u64>,
    /// Number and hash of the newest entry. Note it elsewhere: only against a note does it
    /// show that the end was cut off or that everything was written anew.
    head: String,
    /// Whether no fault was found.
    whole: bool,
    /// The entry at which the chain breaks.
    fault_number: Option<u64>,
    /// What is wrong with it.
    fault: Option<String>,
}

/// The form of the file.
#[derive(Clone, Copy, PartialEq, Enum)]
#[oai(rename_all = "snake_case")]
enum AuditFormat {
    Csv,
    /// One JSON value a line.
    Jsonl,
}

#[OpenApi]
impl AuditApi {
    /// Entries of the audit, the newest first.
    #[oai(path = "/audit", method = "get", operation_id = "audit")]
    #[allow(clippy::too_many_arguments)]
    async fn entries(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Audit>,
        /// Not before, RFC 3339.
        from: Query<Option<String>>,
        /// Before, RFC 3339.
        to: Query<Option<String>>,
        /// Part of the name of who did it.
        who: Query<Option<String>>,
        /// Names of actions; several separated by commas.
        action: Query<Option<String>>,
        /// `done`, `refused`, `failed` or `unknown` (begun and cut off).
        outcome: Query<Option<String>>,
        /// The whole id of what it was done to.
        subject: Query<Option<String>>,
        /// Beginning of the address.
        address: Query<Option<String>>,
        /// Part of anything in the entry.
        text: Query<Option<String>>,
        /// Only entries with smaller numbers: `next` of the page before.
        before: Query<Option<u64>>,
        /// 1–500, 100 when left out.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<AuditPage>, ApiError> {
        let wanted = wanted(
            [from.0, to.0],
            who.0,
            action.0,
            outcome.0,
            [subject.0, address.0, text.0],
        )?;
        let most = page_size.0.unwrap_or(PAGE);
        if !(1..=MOST).contains(&most) {
            let message = format!("page_size is from 1 to {MOST}.");
            return Err(ApiError::bad_request("bad_request", message));
        }
        let before = before.0;
        let (entries, next) = parts
            .store
            .run(move |store| store.audit_before(&wanted, before, most as usize))
            .await?;
        Ok(Json(AuditPage {
            items: entries.into_iter().map(view).collect(),
            next,
            actions: Action::ALL
                .iter()
                .map(|action| action.name().to_owned())
                .collect(),
        }))
    }

    /// All entries that fit, as a file, the oldest first.
    #[oai(path = "/audit/export", method = "get", operation_id = "exportAudit")]
    #[allow(clippy::too_many_arguments)]
    async fn export(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Audit>,
        /// `csv` when left out.
        format: Query<Option<AuditFormat>>,
        from: Query<Option<String>>,
        to: Query<Option<String>>,
        who: Query<Option<String>>,
        action: Query<Option<String>>,
        outcome: Query<Option<String>>,
        subject: Query<Option<String>>,
        address: Query<Option<String>>,
        text: Query<Option<String>>,
    ) -> Result<Response<Binary<Body>>, ApiError> {
        let wanted = wanted(
            [from.0, to.0],
            who.0,
            action.0,
            outcome.0,
            [subject.0, address.0, text.0],
        )?;
        let format = format.0.unwrap_or(AuditFormat::Csv);
        let (kind, ending) = match format {
            AuditFormat::Csv => ("text/csv; charset=utf-8", "csv"),
            AuditFormat::Jsonl => ("application/x-ndjson", "jsonl"),
        };
        let name = format!("audit-{}.{ending}", Timestamp::now().strftime("%Y-%m-%d"));
        let reader = Reader {
            parts: Arc::clone(parts),
            wanted: Arc::new(wanted),
            format,
            after: Some(0),
            begun: false,
        };
        let pieces = stream::unfold(reader, |mut reader| async move {
            let piece = reader.piece().await?;
            Some((piece, reader))
        });
        Ok(Response::new(Binary(Body::from_bytes_stream(pieces)))
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_DISPOSITION, disposition("attachment", &name)))
    }

    /// Whether no entry was changed, removed, moved or put in. Reads all of them.
    #[oai(path = "/audit/verify", method = "get", operation_id = "verifyAudit")]
    async fn verify(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Audit>,
        /// A head that was noted before, `number:hash`.
        noted: Query<Option<String>>,
    ) -> Result<Json<VerificationView>, ApiError> {
        let noted = short("noted", noted.0)?;
        let found = parts
            .store
            .run(move |store| store.verify_audit(noted.as_deref()))
            .await?;
        let (fault_number, fault) = found
            .fault
            .map(|fault| (fault.number, fault.reason))
            .unzip();
        Ok(Json(VerificationView {
            entries: found.entries,
            first: found.first,
            last: found.last,
            head: found.head,
            whole: fault.is_none(),
            fault_number,
            fault,
        }))
    }
}

fn short(name: &str, text: Option<String>) -> Result<Option<String>, ApiError> {
    let text = text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > MAX_TEXT)
    {
        let message = format!("{name} has at most {MAX_TEXT} characters.");
        return Err(ApiError::bad_request("bad_request", message));
    }
    Ok(text)
}

fn wanted(
    [from, to]: [Option<String>; 2],
    who: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    [subject, address, text]: [Option<String>; 3],
) -> Result<Wanted, ApiError> {
    let bad = |message: String| ApiError::bad_request("bad_request", message);
    let time = |name: &str, text: Option<String>| {
        text.map(|text| {
            text.parse::<Timestamp>()
                .map_err(|_| bad(format!("{name} is a time such as 2026-01-31T00:00:00Z.")))
        })
        .transpose()
    };
    let actions = action
        .iter()
        .flat_map(|names| names.split(','))
        .filter(|name| !name.is_empty())
        .map(|name| name.parse().map_err(|error| bad(format!("{error}."))))
        .collect::<Result<_, _>>()?;
    let outcome = outcome
        .filter(|name| !name.is_empty())
        .map(|name| name.parse().map_err(|error| bad(format!("{error}."))))
        .transpose()?;
    Ok(Wanted {
        from: time("from", from)?,
        to: time("to", to)?,
        who: short("who", who)?,
        actions,
        outcome,
        subject: short("subject", subject)?,
        address: short("address", address)?,
        text: short("text", text)?,
    })
}

fn view(numbered: Numbered) -> AuditEntryView {
    let entry = numbered.entry;
    let key = match &entry.actor {
        crate::domain::audit::Actor::Key { id, .. } => Some(id.clone()),
        _ => None,
    };
    AuditEntryView {
        number: numbered.number,
        at: entry.at.to_string(),
        actor: entry.actor.kind().to_owned(),
        who: entry.actor.name(),
        key,
        action: entry.action.name().to_owned(),
        outcome: entry.outcome.name().to_owned(),
        status: entry.status,
        operation: entry.operation,
        subject: entry.subject,
        session: entry.session,
        address: entry.address,
        user_agent: entry.user_agent,
        detail: entry.detail,
    }
}

/// Reads the audit piece by piece while it is sent.
struct Reader {
    parts: Arc<Parts>,
    wanted: Arc<Wanted>,
    format: AuditFormat,
    /// `None`: all was read.
    after: Option<u64>,
    begun: bool,
}

impl Reader {
    /// The next piece; an error cuts the file off, which the other end sees.
    async fn piece(&mut self) -> Option<Result<Vec<u8>, std::io::Error>> {
        let mut bytes = Vec::new();
        if !self.begun && self.format == AuditFormat::Csv {
            bytes.extend_from_slice(&[0xef, 0xbb, 0xbf]);
            row(&mut bytes, &COLUMNS.map(str::to_owned));
        }
        self.begun = true;
        let after = self.after?;
        let wanted = Arc::clone(&self.wanted);
        let found = self
            .parts
            .store
            .run(move |store| store.audit_after(&wanted, after, PIECE))
            .await;
        let (entries, next) = match found {
            Ok(found) => found,
            Err(error) => {
                self.after = None;
                return Some(Err(broken(&error)));
            }
        };
        self.after = next;
        for entry in entries {
            match self.format {
                AuditFormat::Jsonl => {
                    bytes.extend_from_slice(entry.line().as_bytes());
                }
                AuditFormat::Csv => row(&mut bytes, &cells(view(entry))),
            }
        }
        Some(Ok(bytes))
    }
}

fn broken(error: &StoreError) -> std::io::Error {
    tracing::error!(%error, "an export of the audit broke off");
    std::io::Error::other("the audit cannot be read")
}

const COLUMNS: [&str; 13] = [
    "number",
    "at",
    "actor",
    "who",
    "action",
    "outcome",
    "status",
    "operation",
    "subject",
    "session",
    "address",
    "user_agent",
    "detail",
];

fn cells(entry: AuditEntryView) -> [String; 13] {
    let text = Option::unwrap_or_default;
    [
        entry.number.to_string(),
        entry.at,
        entry.actor,
        text(entry.who),
        entry.action,
        entry.outcome,
        text(entry.status.map(|status| status.to_string())),
        text(entry.operation),
        text(entry.subject),
        text(entry.session),
        text(entry.address),
        text(entry.user_agent),
        text(entry.detail),
    ]
}

/// A line for spreadsheets.
fn row(bytes: &mut Vec<u8>, cells: &[String; 13]) {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(csv::Terminator::CRLF)
        .from_writer(bytes);
    // Writing into memory does not fail.
    let _ = writer.write_record(cells.iter().map(|text| cell(text)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Actor, Entry};

    #[test]
    fn hostile_names_are_texts_in_a_spreadsheet() {
        let names = [
            "=HYPERLINK(\"http://x\")",
            "a;b\"c",
            "<img src=x onerror=alert(1)>",
        ];
        let mut bytes = Vec::new();
        for name in names {
            let actor = Actor::Nobody {
                tried: Some(name.into()),
            };
            let entry = Entry::new(actor, Action::SignInFailed).tidy();
            row(&mut bytes, &cells(view(Numbered { number: 1, entry })));
        }
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b';')
            .has_headers(false)
            .from_reader(bytes.as_slice());
        let read: Vec<String> = reader
            .records()
            .map(|line| line.expect("a line")[3].to_owned())
            .collect();
        assert_eq!(read, ["'=HYPERLINK(\"http://x\")", names[1], names[2]]);
    }
}
