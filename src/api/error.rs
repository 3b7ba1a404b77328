//! From errors of the modules below to answers: the table is exhaustive. A
//! client gets `{code, message}`; the details of a 5xx go to the log only.

use std::time::Duration;

use poem::Response;
use poem::http::StatusCode;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object};

use crate::accounts::AccountError;
use crate::domain::review::ReviewError;
use crate::intake::IntakeError;
use crate::intake::drop::DropError;
use crate::pipeline::media::MediaError;
use crate::report::ReportError;
use crate::sftp::users::SenderError;
use crate::store::StoreError;

/// Every answer other than a success.
#[derive(Debug, Clone, Object)]
#[oai(rename = "ErrorView")]
pub(super) struct ErrorView {
    /// Stable name of the reason.
    pub(super) code: String,
    /// One English sentence that says what to do.
    pub(super) message: String,
}

/// An answer other than a success.
#[derive(Debug, ApiResponse)]
pub(super) enum ApiError {
    /// The request is not understood.
    #[oai(status = 400)]
    BadRequest(Json<ErrorView>),
    /// Nobody is signed in.
    #[oai(status = 401)]
    Unauthorized(Json<ErrorView>),
    /// Somebody is signed in who may not do this.
    #[oai(status = 403)]
    Forbidden(Json<ErrorView>),
    /// There is no such thing.
    #[oai(status = 404)]
    NotFound(Json<ErrorView>),
    /// Not in this state.
    #[oai(status = 409)]
    Conflict(Json<ErrorView>),
    /// Too often: wait as long as the header says.
    #[oai(status = 429)]
    TooMany(
        Json<ErrorView>,
        /// Seconds.
        #[oai(header = "Retry-After")]
        u64,
    ),
    /// The program failed; its log says more.
    #[oai(status = 500)]
    Internal(Json<ErrorView>),
    /// An outside system did not do what was asked of it.
    #[oai(status = 502)]
    Outside(Json<ErrorView>),
    /// The disk is full.
    #[oai(status = 507)]
    StorageFull(Json<ErrorView>),
}

fn view(code: &str, message: impl Into<String>) -> Json<ErrorView> {
    Json(ErrorView {
        code: code.to_owned(),
        message: message.into(),
    })
}

const INTERNAL: &str = "The server failed on this request; its log says more.";

impl ApiError {
    pub(super) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::BadRequest(view(code, message))
    }

    pub(super) fn unauthorized(code: &str, message: impl Into<String>) -> Self {
        Self::Unauthorized(view(code, message))
    }

    pub(super) fn forbidden(code: &str, message: impl Into<String>) -> Self {
        Self::Forbidden(view(code, message))
    }

    /// To be tried again after `wait`.
    pub(super) fn too_many(code: &str, message: &str, wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
        Self::TooMany(view(code, message), seconds)
    }

    pub(super) fn not_found() -> Self {
        Self::NotFound(view("not_found", "There is no such call."))
    }

    pub(super) fn missing(code: &str, message: impl Into<String>) -> Self {
        Self::NotFound(view(code, message))
    }

    pub(super) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::Conflict(view(code, message))
    }

    /// `error` tells what the outside system answered; no key is in it.
    pub(super) fn outside(error: &dyn std::fmt::Display) -> Self {
        let message = format!("The outside system did not do it: {error}.");
        Self::Outside(view("outside", message))
    }

    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::Internal(view("internal", INTERNAL))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound => Self::not_found(),
            StoreError::IllegalMove(_) => Self::conflict(
                "illegal_move",
                "The call is not in a state that allows this; look at its status.",
            ),
            StoreError::AtWork => Self::conflict(
                "still_running",
                "The call is still being worked on; wait, or cancel it first.",
            ),
            StoreError::NotTranscribed => Self::conflict(
                "not_completed",
                "The call has no transcript yet; it can be changed once it is recognized.",
            ),
            StoreError::NoSuchVersion => Self::missing(
                "no_such_version",
                "There is no such version of the transcript.",
            ),
            StoreError::NoSuchCard => Self::missing(
                "no_such_scorecard",
                "There is no such version of a scorecard.",
            ),
            StoreError::NoSuchDraft => Self::missing(
                "no_such_draft",
                "There is no such draft; perhaps somebody published it or threw it away.",
            ),
            StoreError::StaleDraft => Self::conflict(
                "stale_draft",
                "Somebody saved the draft meanwhile; load it again and repeat the change.",
            ),
            StoreError::NoSuchPrompt => Self::missing("no_such_prompt", "There is no such prompt."),
            StoreError::StalePrompt => Self::conflict(
                "stale_prompt",
                "Somebody changed the prompt meanwhile; load it again and repeat the change.",
            ),
            StoreError::LastAdmin => Self::conflict(
                "last_admin",
                "This is the last administrator: make another one first.",
            ),
            StoreError::NoSuchRescoring => Self::missing(
                "no_such_rescoring",
                "There is no such order to score calls again.",
            ),
            StoreError::RescoringRuns => Self::conflict(
                "rescoring_runs",
                "Calls are being scored again already; wait for the end, or cancel that.",
            ),
            StoreError::StaleVersion { .. } => Self::conflict(
                "stale_version",
                "Somebody changed the transcript meanwhile; load it again and repeat the change.",
            ),
            StoreError::Edit(edit) => Self::bad_request("bad_edit", edit.to_string()),
            StoreError::Review(review) => refused_review(review),
            StoreError::NotReached(stage) => Self::conflict(
                "not_reached",
                format!(
                    "The call cannot be worked on from the stage '{stage}': the stages before it have made nothing yet. Leave the stage out, or begin with an earlier one."
                ),
            ),
            StoreError::Io { .. } | StoreError::Database(_) if error.is_storage_full() => {
                tracing::error!(%error, "the disk is full");
                Self::StorageFull(view(
                    "storage_full",
                    "The disk of the server is full; free some space and try again.",
                ))
            }
            StoreError::InUse { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Record { .. }
            | StoreError::Empty { .. }
            | StoreError::UnknownTable { .. }
            | StoreError::Io { .. }
            | StoreError::Database(_)
            | StoreError::Interrupted => Self::internal(&error),
        }
    }
}

/// What a person says of a score and cannot be taken; the error's own words say what to do.
fn refused_review(error: &ReviewError) -> ApiError {
    let text = error.to_string();
    let mut message = text.clone();
    if let Some(first) = text.chars().next() {
        message = first.to_uppercase().chain(text.chars().skip(1)).collect();
    }
    message.push('.');
    match error {
        ReviewError::Stale => ApiError::conflict("stale_review", message),
        ReviewError::NoItem => ApiError::missing("no_such_item", message),
        ReviewError::NoScore => ApiError::conflict("not_scored", message),
        ReviewError::Disputed => ApiError::conflict("disputed", message),
        ReviewError::NotDisputed => ApiError::conflict("not_disputed", message),
        ReviewError::NothingToWithdraw => ApiError::conflict("not_reviewed", message),
        ReviewError::TooMany => ApiError::conflict("too_many_reviews", message),
        ReviewError::SameVerdict => ApiError::bad_request("same_verdict", message),
        ReviewError::Undecided => ApiError::bad_request("bad_verdict", message),
        ReviewError::NoComment | ReviewError::LongComment => {
            ApiError::bad_request("bad_comment", message)
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Rule(rule) => Self::bad_request("bad_account", rule),
            AccountError::Exists(_) => Self::conflict("user_exists", error.to_string()),
            AccountError::Unknown(_) => Self::missing("no_such_user", error.to_string()),
            AccountError::LastAdmin(_) => Self::conflict("last_admin", error.to_string()),
            AccountError::Hash(_) => Self::internal(&error),
            AccountError::Store(error) => error.into(),
        }
    }
}

impl From<SenderError> for ApiError {
    fn from(error: SenderError) -> Self {
        match error {
            SenderError::Rule(rule) => Self::bad_request("bad_sftp_user", rule),
            SenderError::Exists(_) => Self::conflict("sftp_user_exists", error.to_string()),
            SenderError::Unknown(_) => Self::missing("no_such_sftp_user", error.to_string()),
            SenderError::UnknownKey { .. } => Self::missing("no_such_sftp_key", error.to_string()),
            SenderError::Password(error) => Self::internal(&error),
            SenderError::Store(error) => error.into(),
        }
    }
}

impl From<DropError> for ApiError {
    fn from(error: DropError) -> Self {
        match error {
            DropError::Missing => ApiError::missing("no_such_file", "There is no such file."),
            DropError::Incomplete => ApiError::conflict(
                "not_complete",
                "The file is not complete: the sender has to finish it first.",
            ),
            DropError::BeingWritten => ApiError::conflict(
                "being_written",
                "The file is being written: wait until the sender is done with it.",
            ),
            DropError::Full(_) => ApiError::conflict("too_many_waiting", error.to_string()),
            DropError::Io(error) => StoreError::Io {
                path: "a dropped file".into(),
                source: error,
            }
            .into(),
            DropError::Store(error) => error.into(),
        }
    }
}

impl From<ReportError> for ApiError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Search(error) => Self::internal(&error),
            ReportError::TooManyPeriods => Self::bad_request("too_many_periods", error.to_string()),
        }
    }
}

/// Code and message of a file that was not accepted.
pub(super) fn refusal(error: &IntakeError) -> ErrorView {
    let code = match error {
        IntakeError::Media(media @ MediaError::Io(_)) => {
            tracing::error!(error = %media, "an upload cannot be read back");
            "internal"
        }
        IntakeError::Media(media) => media.code(),
        IntakeError::TooLarge { .. } => "file_too_large",
        IntakeError::Erased => "erased",
        IntakeError::Details(_) | IntakeError::Patterns(_) => "bad_details",
        IntakeError::Store(store) if store.is_storage_full() => {
            tracing::error!(error = %store, "the disk is full");
            "storage_full"
        }
        IntakeError::Store(store) => {
            tracing::error!(error = %store, "an upload cannot be stored");
            "internal"
        }
    };
    let message = match code {
        "internal" => INTERNAL.to_owned(),
        "storage_full" => {
            "The disk of the server is full; free some space and try again.".to_owned()
        }
        _ => error.to_string(),
    };
    ErrorView {
        code: code.to_owned(),
        message,
    }
}

/// An answer with the given code and message.
pub(super) fn body(status: StatusCode, code: &str, message: &str) -> Response {
    let json = serde_json::json!({"code": code, "message": message});
    Response::builder()
        .status(status)
        .content_type("application/json; charset=utf-8")
        .body(json.to_string())
}

/// Gives errors of the framework (unknown route, wrong parameter, too large) the same form.
pub(super) async fn render(error: poem::Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    let status = error.status();
    let detail = error.to_string();
    match status {
        StatusCode::UNAUTHORIZED => body(status, "not_signed_in", "Sign in first."),
        StatusCode::FORBIDDEN => body(status, "forbidden", "Your role does not allow this."),
        StatusCode::NOT_FOUND => body(
            status,
            "not_found",
            "There is no such path in the API; see /docs.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => body(
            status,
            "method_not_allowed",
            "This path does not take this method; see /docs.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => body(status, "too_large", "The request is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => body(status, "unsupported_media_type", &detail),
        StatusCode::RANGE_NOT_SATISFIABLE => body(status, "bad_range", &detail),
        status if status.is_server_error() => {
            tracing::error!(error = detail, "a request failed");
            body(status, "internal", INTERNAL)
        }
        status => body(status, "bad_request", &detail),
    }
}

/// Answer of a handler that panicked.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    body(StatusCode::INTERNAL_SERVER_ERROR, "internal", INTERNAL)
}
