//! The files that senders dropped over SFTP.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::SignedIn;
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::{DropState, DroppedFile};
use crate::intake::drop::DropError;

pub(super) struct SftpFilesApi;

/// Most files that one request sends to recognition.
const MOST_AT_ONCE: usize = 1000;

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
}

/// A file in a sender's folder.
#[derive(Object)]
struct SftpFileView {
    user: String,
    /// Where in the folder, with '/' between the parts.
    path: String,
    size_bytes: u64,
    /// When it was changed, as the sender says.
    modified_at: String,
    /// When it was first seen.
    arrived_at: String,
    state: DropStateView,
    /// The call it became, or that had the same content.
    call_id: Option<String>,
    /// Stable name of the reason why it was refused.
    reason: Option<String>,
    /// What is wrong with it and what to do.
    message: Option<String>,
}

/// One page of the files, the latest first.
#[derive(Object)]
struct SftpFilesPage {
    items: Vec<SftpFileView>,
    /// Files that pass the filters.
    total: u64,
    page: u32,
    page_size: u32,
}

/// A file.
#[derive(Object)]
struct SftpFileName {
    user: String,
    path: String,
}

/// Files to be sent to recognition.
#[derive(Object)]
struct ProcessRequest {
    files: Vec<SftpFileName>,
}

/// What became of one of them.
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

/// What became of all of them, in the order of the request.
#[derive(Object)]
struct ProcessedList {
    items: Vec<ProcessedView>,
}

impl From<&DropState> for DropStateView {
    fn from(state: &DropState) -> Self {
        match state {
            DropState::Receiving => Self::Receiving,
            DropState::Incomplete => Self::Incomplete,
            DropState::Waiting => Self::Waiting,
            DropState::Taken(_) => Self::Taken,
            DropState::Known(_) => Self::Known,
            DropState::Other => Self::Other,
            DropState::Refused { .. } => Self::Refused,
        }
    }
}

impl From<DroppedFile> for SftpFileView {
    fn from(file: DroppedFile) -> Self {
        let (reason, message) = match &file.state {
            DropState::Refused { code, message } => (Some(code.clone()), Some(message.clone())),
            _ => (None, None),
        };
        Self {
            state: (&file.state).into(),
            call_id: file.state.call().map(ToString::to_string),
            reason,
            message,
            user: file.user,
            path: file.path,
            size_bytes: file.size_bytes,
            modified_at: file.modified_at.to_string(),
            arrived_at: file.arrived_at.to_string(),
        }
    }
}

#[OpenApi]
impl SftpFilesApi {
    /// Files that senders dropped, the latest first.
    #[oai(path = "/sftp/files", method = "get", operation_id = "sftpFiles")]
    #[allow(clippy::too_many_arguments)]
    async fn files(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: SignedIn,
        /// A part of the path, in whatever case.
        q: Query<Option<String>>,
        /// Of this sender.
        user: Query<Option<String>>,
        /// In this state.
        state: Query<Option<DropStateView>>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1 to 200; 25 unless told.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<SftpFilesPage>, ApiError> {
        let (page, page_size) = (page.0.unwrap_or(1), page_size.0.unwrap_or(25));
        if page == 0 || !(1..=200).contains(&page_size) {
            return Err(ApiError::bad_request(
                "bad_filter",
                "page counts from 1 and page_size is from 1 to 200.",
            ));
        }
        let all = parts.store.run(|store| store.all_dropped()).await?;
        let q = q.0.unwrap_or_default().to_lowercase();
        let mut files: Vec<DroppedFile> = all
            .into_iter()
            .map(|(_, file)| file)
            .filter(|file| {
                user.0.as_ref().is_none_or(|user| *user == file.user)
                    && state.0.is_none_or(|state| state == (&file.state).into())
                    && file.path.to_lowercase().contains(&q)
            })
            .collect();
        files.sort_by(|a, b| (b.arrived_at, &a.path).cmp(&(a.arrived_at, &b.path)));
        let total = files.len() as u64;
        let first = (page as usize - 1).saturating_mul(page_size as usize);
        let items = files.into_iter().skip(first).take(page_size as usize);
        Ok(Json(SftpFilesPage {
            items: items.map(SftpFileView::from).collect(),
            total,
            page,
            page_size,
        }))
    }

    /// Send files to recognition, also those whose sender's files wait.
    #[oai(
        path = "/sftp/process",
        method = "post",
        operation_id = "processSftpFiles"
    )]
    async fn process(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: SignedIn,
        request: Json<ProcessRequest>,
    ) -> Result<Json<ProcessedList>, ApiError> {
        let files = request.0.files;
        if files.len() > MOST_AT_ONCE {
            return Err(ApiError::bad_request(
                "too_many_files",
                "At most 1000 files can be sent to recognition at once.",
            ));
        }
        let Some(drop_box) = parts.drop_box.clone() else {
            return Err(ApiError::conflict(
                "sftp_off",
                "The SFTP server is off: set enabled = true in section [sftp].",
            ));
        };
        let items = parts
            .store
            .run(move |_| {
                let process = |file: SftpFileName| {
                    let path = OsStr::from_bytes(file.path.as_bytes());
                    let done = drop_box.process(&file.user, path.as_ref());
                    if let Err(error @ (DropError::Io(_) | DropError::Store(_))) = &done {
                        tracing::error!(%error, "a dropped file cannot be taken in");
                    }
                    ProcessedView {
                        state: done.as_ref().ok().map(DropStateView::from),
                        call_id: done
                            .as_ref()
                            .ok()
                            .and_then(|state| state.call().map(ToString::to_string)),
                        message: match done {
                            Ok(DropState::Refused { message, .. }) => Some(message),
                            Ok(_) => None,
                            Err(DropError::Io(_) | DropError::Store(_)) => {
                                Some("The file cannot be read; the log says why.".to_owned())
                            }
                            Err(error) => Some(error.to_string()),
                        },
                        user: file.user,
                        path: file.path,
                    }
                };
                Ok(files.into_iter().map(process).collect())
            })
            .await?;
        Ok(Json(ProcessedList { items }))
    }
}
