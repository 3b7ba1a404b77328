//! The files that senders dropped over SFTP: the list, sending to recognition, removing.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::auth::{Settings, Who};
use super::error::ApiError;
use super::filters::{bad_filter, page_of, text};
use super::sftp_names::{
    Chosen, SftpFilter, SftpSelection, file_of, key, path, too_many, url_name,
};
use super::views::StatusView;
use crate::app::Parts;
use crate::domain::phone::Number;
use crate::domain::{DropKind, DropState};
use crate::intake::drop::{DropBox, DropError};
use crate::store::{DroppedKey, DroppedRow, DroppedSort, Store};

pub(super) struct SftpFilesApi;

/// Most files that one request sends to recognition by name; by filter there is no bound.
const MOST_BY_NAME: usize = 1000;
/// Most files that one request removes.
const MOST_REMOVED: usize = 10_000;
/// Of files that were not removed so many are told.
const MOST_TOLD: usize = 100;

/// What became of a dropped file.
#[derive(Enum, Clone, Copy, PartialEq)]
#[oai(rename_all = "snake_case")]
enum DropStateView {
    /// It is being written.
    Receiving,
    /// Its transfer broke off; the sender can go on with it.
    Incomplete,
    /// It is complete and waits to be sent to recognition.
    Waiting,
    /// It is a call.
    Taken,
    /// The same content was known already.
    Known,
    /// It is no recording.
    Other,
    /// It cannot be worked on.
    Refused,
    /// It was a call, which was deleted; it can be sent again.
    Deleted,
}

/// A file in a sender's folder.
#[derive(Object)]
struct SftpFileView {
    user: String,
    /// Where in the folder, with '/' between the parts, to be shown.
    path: String,
    /// What names it in requests; the path, unless that is no UTF-8.
    key: String,
    /// The key as a part of an address: `/sftp/files/{name}/stream?user=…`.
    name: String,
    size_bytes: u64,
    /// When it was changed, as the sender says.
    modified_at: String,
    /// When it was first seen.
    arrived_at: String,
    /// When the conversation began, by its call or else by its name.
    started_at: Option<String>,
    /// Length: the call's, or else what the file's header tells.
    duration_ms: Option<u64>,
    state: DropStateView,
    /// True when it can be sent to recognition.
    can_be_sent: bool,
    /// The call it became, or that had the same content; absent when it was deleted.
    call_id: Option<String>,
    /// Where the work on the call is.
    call_status: Option<StatusView>,
    operator: Option<String>,
    caller: Option<String>,
    called: Option<String>,
    operator_phone: Option<String>,
    order_ids: Vec<String>,
    /// Stable name of the reason why it was refused.
    reason: Option<String>,
    /// What is wrong with it and what to do.
    message: Option<String>,
}

/// One page of the files.
#[derive(Object)]
struct SftpFilesPage {
    items: Vec<SftpFileView>,
    /// Files that pass the filters.
    total: u64,
    /// Their bytes.
    total_bytes: u64,
    /// How many of them can be sent to recognition.
    sendable: u64,
    /// Files of whatever filter that were chosen and wait to be sent to recognition.
    sending: u64,
    page: u32,
    page_size: u32,
}

/// What became of a file that was sent to recognition.
#[derive(Object)]
struct ProcessedView {
    user: String,
    path: String,
    /// Absent where it could not be done.
    state: Option<DropStateView>,
    call_id: Option<String>,
    /// Why it could not be done.
    message: Option<String>,
}

/// What became of all of them.
#[derive(Object)]
struct ProcessedList {
    /// Of files by name, in the order of the request.
    items: Vec<ProcessedView>,
    /// Files that passed the filter and are sent one after the other; their states tell how it goes.
    queued: u64,
}

/// A file that was not removed.
#[derive(Object)]
struct NotRemovedView {
    user: String,
    path: String,
    /// Why.
    message: String,
}

/// What became of files that were to be removed.
#[derive(Object)]
struct RemovedView {
    removed: u64,
    failed: u64,
    /// The first of those that were not removed.
    failures: Vec<NotRemovedView>,
}

#[derive(ApiResponse)]
enum Removed {
    /// Removed; its call and recording stay.
    #[oai(status = 204)]
    Removed,
}

impl From<DropKind> for DropStateView {
    fn from(kind: DropKind) -> Self {
        match kind {
            DropKind::Receiving => Self::Receiving,
            DropKind::Incomplete => Self::Incomplete,
            DropKind::Waiting => Self::Waiting,
            DropKind::Taken => Self::Taken,
            DropKind::Known => Self::Known,
            DropKind::Other => Self::Other,
            DropKind::Refused => Self::Refused,
            DropKind::Deleted => Self::Deleted,
        }
    }
}

impl From<DroppedRow> for SftpFileView {
    fn from(row: DroppedRow) -> Self {
        let file = row.file;
        let (reason, message) = match file.state {
            DropState::Refused { code, message } => (Some(code), Some(message)),
            _ => (None, None),
        };
        let key = key(&row.path);
        let told = file.told.map(|told| *told).unwrap_or_default();
        let number = |number: Option<Number>| number.map(|number| number.text);
        let mut view = Self {
            name: url_name(&key),
            key,
            user: file.user,
            path: file.path,
            size_bytes: file.size_bytes,
            modified_at: file.modified_at.to_string(),
            arrived_at: file.arrived_at.to_string(),
            started_at: told.started_at.map(|time| time.to_string()),
            duration_ms: file.duration_ms,
            state: row.kind.into(),
            can_be_sent: row.kind.can_be_sent(),
            call_id: None,
            call_status: None,
            operator: told.operator,
            caller: number(told.caller),
            called: number(told.called),
            operator_phone: number(told.operator_phone).or(told.extension),
            order_ids: told.order_ids,
            reason,
            message,
        };
        if let Some(entry) = row.entry {
            let (call, job) = (entry.call, entry.job);
            let details = call.details;
            view.call_id = Some(call.id.to_string());
            view.call_status = Some(StatusView::of(job.state, job.stage));
            view.started_at = call.started_at.map(|time| time.to_string());
            view.duration_ms = call.duration_ms.or(view.duration_ms);
            view.operator = call.operator;
            view.caller = number(details.caller);
            view.called = number(details.called);
            view.operator_phone = number(details.operator_phone).or(details.extension);
            view.order_ids = details.order_ids;
        }
        view
    }
}

#[OpenApi]
impl SftpFilesApi {
    /// Files that senders dropped and that pass the filters, a page of them.
    #[oai(path = "/sftp/files", method = "get", operation_id = "sftpFiles")]
    #[allow(clippy::too_many_arguments)]
    async fn files(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// A part of the path, in whatever case.
        q: Query<Option<String>>,
        /// Of this sender.
        user: Query<Option<String>>,
        /// `receiving`, `incomplete`, `waiting`, `taken`, `known`, `other`, `refused`, `deleted`; several separated by commas.
        state: Query<Option<String>>,
        /// RFC 3339 time or `YYYY-MM-DD` of the conversation, or else of arrival; inclusive.
        date_from: Query<Option<String>>,
        /// RFC 3339 time or `YYYY-MM-DD`; inclusive.
        date_to: Query<Option<String>>,
        /// Seconds.
        duration_min: Query<Option<f64>>,
        /// Seconds.
        duration_max: Query<Option<f64>>,
        /// Operator's name.
        operator: Query<Option<String>>,
        /// Digits of the number of any party.
        phone: Query<Option<String>>,
        /// Digits of the caller's number, in any form.
        callerphone: Query<Option<String>>,
        /// Digits of the number that was called.
        calledphone: Query<Option<String>>,
        /// Digits of our person's phone, or the extension.
        operatorphone: Query<Option<String>>,
        /// An order.
        order_id: Query<Option<String>>,
        /// By which door the call came first; several separated by commas.
        source: Query<Option<String>>,
        /// A tag.
        tag: Query<Option<String>>,
        /// `arrived_at`, `date`, `name`, `size`, `duration`; `-` in front for descending.
        sort: Query<Option<String>>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1–200, 25 when left out.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<SftpFilesPage>, ApiError> {
        let filter = SftpFilter {
            q: q.0,
            user: user.0,
            state: state.0,
            date_from: date_from.0,
            date_to: date_to.0,
            duration_min: duration_min.0,
            duration_max: duration_max.0,
            operator: operator.0,
            phone: phone.0,
            callerphone: callerphone.0,
            calledphone: calledphone.0,
            operatorphone: operatorphone.0,
            order_id: order_id.0,
            source: source.0,
            tag: tag.0,
        };
        let filter = filter.read()?;
        let sort = sort_of(text(sort.0).as_deref().unwrap_or("-arrived_at"))?;
        let (page, page_size) = page_of(page.0, page_size.0)?;
        let first = (page as usize - 1).saturating_mul(page_size as usize);
        let found = parts
            .store
            .run(move |store| store.dropped_page(&filter, sort, first, page_size as usize))
            .await?;
        let sending = parts.drop_box.as_ref().map(DropBox::waiting_to_be_sent);
        Ok(Json(SftpFilesPage {
            items: found.rows.into_iter().map(SftpFileView::from).collect(),
            total: found.total,
            total_bytes: found.bytes,
            sendable: found.sendable,
            sending: sending.unwrap_or(0) as u64,
            page,
            page_size,
        }))
    }

    /// Send files to recognition, also those whose sender's files wait. Files by name are
    /// sent before the answer; all that pass a filter after it, one after the other.
    #[oai(
        path = "/sftp/process",
        method = "post",
        operation_id = "processSftpFiles"
    )]
    async fn process(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<SftpSelection>,
    ) -> Result<Json<ProcessedList>, ApiError> {
        let chosen = request.0.read(MOST_BY_NAME)?;
        let drop_box = drop_box(parts)?;
        let done = parts
            .store
            .run(move |store| Ok(process(store, &drop_box, chosen)))
            .await??;
        Ok(Json(done))
    }

    /// Remove a file. Its call and recording stay.
    #[oai(
        path = "/sftp/files/:filename",
        method = "delete",
        operation_id = "removeSftpFile"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// The `name` of the list: the path as one part of the address ('/' as %2F).
        filename: Path<String>,
        /// Whose folder.
        user: Query<String>,
    ) -> Result<Removed, ApiError> {
        let file = file_of(&user.0, &filename.0)?;
        let drop_box = drop_box(parts)?;
        let done = parts
            .store
            .run(move |_| Ok(drop_box.remove(&[file])))
            .await?;
        match done.into_iter().next() {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(Removed::Removed),
        }
    }

    /// Remove files, at most 10000 at once. Their calls and recordings stay.
    #[oai(
        path = "/sftp/delete",
        method = "post",
        operation_id = "removeSftpFiles"
    )]
    async fn remove_many(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<SftpSelection>,
    ) -> Result<Json<RemovedView>, ApiError> {
        let chosen = request.0.read(MOST_REMOVED)?;
        let drop_box = drop_box(parts)?;
        let done = parts
            .store
            .run(move |store| {
                Ok(names(store, chosen, MOST_REMOVED).map(|files| {
                    let done = drop_box.remove(&files);
                    (files, done)
                }))
            })
            .await?;
        let (files, done) = done?;
        let mut answer = RemovedView {
            removed: 0,
            failed: 0,
            failures: Vec::new(),
        };
        for ((user, path), done) in files.into_iter().zip(done) {
            let Err(error) = done else {
                answer.removed += 1;
                continue;
            };
            answer.failed += 1;
            if answer.failures.len() < MOST_TOLD {
                answer.failures.push(NotRemovedView {
                    user,
                    path: key(&path),
                    message: why(error),
                });
            }
        }
        Ok(Json(answer))
    }
}

/// Who works on dropped files.
pub(super) fn drop_box(parts: &Parts) -> Result<DropBox, ApiError> {
    parts.drop_box.clone().ok_or_else(|| {
        ApiError::conflict(
            "sftp_off",
            "The SFTP server is off: set enabled = true in section [sftp].",
        )
    })
}

/// Senders and paths of what was chosen.
fn names(store: &Store, chosen: Chosen, most: usize) -> Result<Vec<(String, Vec<u8>)>, ApiError> {
    match chosen {
        Chosen::Files(files) => Ok(files),
        Chosen::All(filter) => {
            let found = store.dropped_matching(&filter, most + 1)?;
            if found.len() > most {
                return Err(too_many(most));
            }
            Ok(found
                .into_iter()
                .map(|file| (file.user, file.path))
                .collect())
        }
    }
}

fn process(store: &Store, drop_box: &DropBox, chosen: Chosen) -> Result<ProcessedList, ApiError> {
    match chosen {
        Chosen::Files(files) => Ok(ProcessedList {
            items: files
                .into_iter()
                .map(|file| process_one(drop_box, file))
                .collect(),
            queued: 0,
        }),
        Chosen::All(filter) => {
            let files = store.dropped_matching(&filter, usize::MAX)?;
            let files: Vec<_> = files
                .into_iter()
                .filter(|file| file.kind.can_be_sent())
                .map(|file| (file.user, path(file.path)))
                .collect();
            let queued = files.len() as u64;
            drop_box.process_later(files.into_iter())?;
            Ok(ProcessedList {
                items: Vec::new(),
                queued,
            })
        }
    }
}

fn process_one(drop_box: &DropBox, (user, bytes): (String, Vec<u8>)) -> ProcessedView {
    let name = key(&bytes);
    let mut view = ProcessedView {
        path: name,
        state: None,
        call_id: None,
        message: None,
        user,
    };
    match drop_box.process(&view.user, &path(bytes)) {
        Ok(state) => {
            view.state = Some(DropKind::of(&state, true).into());
            view.call_id = state.call().map(ToString::to_string);
            if let DropState::Refused { message, .. } = state {
                view.message = Some(message);
            }
        }
        Err(error) => view.message = Some(why(error)),
    }
    view
}

/// Why something could not be done with a file, for whoever asked.
fn why(error: DropError) -> String {
    if let DropError::Io(_) | DropError::Store(_) = &error {
        tracing::error!(%error, "a dropped file cannot be worked on");
        return "The file cannot be read; the log says why.".to_owned();
    }
    error.to_string()
}

fn sort_of(text: &str) -> Result<DroppedSort, ApiError> {
    let (descending, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text),
    };
    let key = match name {
        "arrived_at" => DroppedKey::Arrived,
        "date" => DroppedKey::Date,
        "name" => DroppedKey::Name,
        "size" => DroppedKey::Size,
        "duration" => DroppedKey::Duration,
        _ => {
            return Err(bad_filter(format!(
                "The files cannot be ordered by {name:?}; known: arrived_at, date, name, size, duration."
            )));
        }
    };
    Ok(DroppedSort { key, descending })
}
