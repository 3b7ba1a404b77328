//! Erasing what is kept of a person's number, and what the retention would remove.

use std::sync::Arc;

use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::auth::{Erase, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::Call;
use crate::domain::erasure::{Erasure, Removed};
use crate::erasure::ErasureError;
use crate::store::StoreError;

/// Calls that a list shows; the counts are of all.
const SHOWN: usize = 500;

pub(super) struct ErasuresApi;

/// Whose calls.
#[derive(Object)]
struct ErasureRequest {
    /// The client's whole number, however it is written.
    phone: String,
}

/// A call that would be removed.
#[derive(Object)]
struct DoomedView {
    id: String,
    filename: String,
    operator: Option<String>,
    source: String,
    /// When the conversation began, else when it arrived, RFC 3339.
    at: String,
    /// `client`, `file_name` or `details`: where the number is; of the retention `rule N`.
    reason: String,
}

/// What an order would remove.
#[derive(Object)]
struct ErasurePreview {
    /// First and last digits of the number.
    masked: String,
    /// At most 500 of the calls.
    calls: Vec<DoomedView>,
    /// How many calls there are.
    total: u64,
    /// What outside systems told of conversations.
    notices: u64,
    /// Files in senders' folders.
    dropped_files: u64,
    /// Names of files on servers that are pulled from.
    pulled_names: u64,
}

/// How much was removed.
#[derive(Object)]
struct ErasedCountsView {
    calls: u64,
    transcripts: u64,
    scores: u64,
    answers: u64,
    analysis_rows: u64,
    insights: u64,
    notices: u64,
    payloads: u64,
    errands: u64,
    dropped_files: u64,
    pulled_names: u64,
    questions: u64,
    copies: u64,
    store_copies: u64,
}

/// An order and its report. The number itself is not kept in it.
#[derive(Object)]
struct ErasureView {
    id: String,
    /// Who ordered it.
    author: String,
    /// RFC 3339.
    ordered_at: String,
    /// First and last digits of the number.
    masked: String,
    /// The same for the same number; only this server can tell which.
    mark: String,
    /// Everything is done, and the store's file was written anew.
    done: bool,
    /// RFC 3339.
    ended_at: Option<String>,
    removed: ErasedCountsView,
    /// What could not be removed.
    left: Vec<LeftView>,
}

#[derive(Object)]
struct LeftView {
    /// `number`, `dropped_file`, `copy`, `stage`, `index` or `other`.
    reason: String,
    /// What the system says of it.
    detail: Option<String>,
}

#[derive(Object)]
struct ErasuresView {
    /// The latest first.
    items: Vec<ErasureView>,
}

/// What the next night removes.
#[derive(Object)]
struct RetentionPreview {
    /// When, at local time.
    at: String,
    rules: Vec<RetentionRuleView>,
    /// At most 500 of the calls.
    calls: Vec<DoomedView>,
    /// How many calls there are.
    total: u64,
}

/// For how long some calls are kept.
#[derive(Object)]
struct RetentionRuleView {
    /// Days since arrival; 0: for ever.
    days: u32,
    /// Only calls that came so.
    source: Option<String>,
    /// Only calls with this status.
    status: Option<String>,
    /// Calls that it removes now.
    calls: u64,
}

#[derive(ApiResponse)]
enum Ordered {
    /// Ordered; it is done in the background.
    #[oai(status = 202)]
    Ordered(Json<ErasureView>),
}

impl From<ErasureError> for ApiError {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Phone(message) => ApiError::bad_request("bad_phone", message),
            ErasureError::Store(error) => error.into(),
        }
    }
}

#[OpenApi]
impl ErasuresApi {
    /// What is kept of a number; nothing is removed.
    #[oai(
        path = "/erasures/preview",
        method = "post",
        operation_id = "previewErasure"
    )]
    async fn preview(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Erase>,
        body: Json<ErasureRequest>,
    ) -> Result<Json<ErasurePreview>, ApiError> {
        let shared = Arc::clone(parts);
        let found = blocking(move || {
            let subject = shared.erasures.subject(&body.0.phone)?;
            Ok((shared.erasures.preview(&subject)?, subject))
        });
        let (kept, subject) = found.await?;
        Ok(Json(ErasurePreview {
            masked: subject.masked(),
            total: kept.calls.len() as u64,
            calls: kept
                .calls
                .iter()
                .take(SHOWN)
                .map(|(call, reason)| doomed(call, reason.name().to_owned()))
                .collect(),
            notices: kept.notices.len() as u64,
            dropped_files: kept.dropped.len() as u64,
            pulled_names: kept.pulled.len() as u64,
        }))
    }

    /// Erase everything of a number: recordings, transcripts with all versions, scores, answers,
    /// summaries, messages of outside systems, dropped files, the index. It cannot be undone. What
    /// is sent here again is refused, byte for byte; a new call of the same number is a new call.
    #[oai(path = "/erasures", method = "post", operation_id = "erase")]
    async fn erase(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Erase>,
        body: Json<ErasureRequest>,
    ) -> Result<Ordered, ApiError> {
        let (shared, author) = (Arc::clone(parts), who.user().name.clone());
        let erasure = blocking(move || {
            let subject = shared.erasures.subject(&body.0.phone)?;
            Ok(shared.erasures.begin(&subject, &author)?)
        })
        .await?;
        who.trace().subject(&erasure.id);
        Ok(Ordered::Ordered(Json(report(erasure))))
    }

    /// All orders with their reports.
    #[oai(path = "/erasures", method = "get", operation_id = "erasures")]
    async fn erasures(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Erase>,
    ) -> Result<Json<ErasuresView>, ApiError> {
        let all = parts.store.run(|store| store.erasures()).await?;
        Ok(Json(ErasuresView {
            items: all.into_iter().map(report).collect(),
        }))
    }

    /// An order with its report.
    #[oai(path = "/erasures/:id", method = "get", operation_id = "erasure")]
    async fn erasure(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Erase>,
        id: Path<String>,
    ) -> Result<Json<ErasureView>, ApiError> {
        let found = parts.store.run(move |store| store.erasure(&id.0)).await?;
        found
            .map(|erasure| Json(report(erasure)))
            .ok_or_else(|| ApiError::missing("no_such_erasure", "There is no such order to erase."))
    }

    /// What the rules of `[retention]` would remove now; nothing is removed.
    #[oai(
        path = "/retention/preview",
        method = "get",
        operation_id = "previewRetention"
    )]
    async fn retention(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Erase>,
    ) -> Result<Json<RetentionPreview>, ApiError> {
        let shared = Arc::clone(parts);
        let over = blocking(move || Ok(shared.erasures.over(Timestamp::now())?)).await?;
        let rules = parts.erasures.rules().0.iter().enumerate();
        let at = parts.config.retention.at;
        Ok(Json(RetentionPreview {
            at: format!("{:02}:{:02}", at.hour(), at.minute()),
            rules: rules
                .map(|(number, rule)| RetentionRuleView {
                    days: rule.days,
                    source: rule.source.map(|source| source.name().to_owned()),
                    status: rule.status.map(|status| status.name().to_owned()),
                    calls: over.iter().filter(|(_, by)| *by == number).count() as u64,
                })
                .collect(),
            total: over.len() as u64,
            calls: over
                .iter()
                .take(SHOWN)
                .map(|(call, rule)| doomed(call, format!("rule {}", rule + 1)))
                .collect(),
        }))
    }
}

/// On a thread where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ErasureError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| StoreError::Interrupted)?
        .map_err(ApiError::from)
}

fn doomed(call: &Call, reason: String) -> DoomedView {
    DoomedView {
        id: call.id.to_string(),
        filename: call.filename.clone(),
        operator: call.operator.clone(),
        source: call.source.name().to_owned(),
        at: call.started_at.unwrap_or(call.created_at).to_string(),
        reason,
    }
}

fn report(erasure: Erasure) -> ErasureView {
    let Removed {
        calls,
        transcripts,
        scores,
        answers,
        analysis_rows,
        insights,
        notices,
        payloads,
        errands,
        dropped_files,
        pulled_names,
        questions,
        copies,
        store_copies,
    } = erasure.removed;
    ErasureView {
        id: erasure.id,
        author: erasure.author,
        ordered_at: erasure.ordered_at.to_string(),
        masked: erasure.masked,
        mark: erasure.mark,
        done: erasure.rewritten,
        ended_at: erasure.ended_at.map(|at| at.to_string()),
        removed: ErasedCountsView {
            calls,
            transcripts,
            scores,
            answers,
            analysis_rows,
            insights,
            notices,
            payloads,
            errands,
            dropped_files,
            pulled_names,
            questions,
            copies,
            store_copies,
        },
        left: erasure
            .left
            .into_iter()
            .map(|left| LeftView {
                reason: left.reason.name().to_owned(),
                detail: left.detail,
            })
            .collect(),
    }
}
