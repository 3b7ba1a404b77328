//! One call: its status, its details, and what can be done with it.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::auth::{DeleteCalls, EditCalls, ReadCalls, Who};
use super::detail::CallDetail;
use super::error::{ApiError, ErrorView};
use super::models;
use super::views::{CallView, StageView, StatusView, overall_progress};
use crate::app::Parts;
use crate::config::valid_language;
use crate::domain::{CallId, Stage};
use crate::store::{Entry, Retry, Revision, StoreError};

pub(super) struct CallsApi;

/// Where a call is.
#[derive(Object)]
pub(super) struct StatusDetailView {
    id: String,
    status: StatusView,
    stage: StageView,
    /// Share of the current stage that is done, 0–1.
    stage_progress: f64,
    /// Share of the whole work that is done, 0–1.
    progress: f64,
    error: Option<ErrorView>,
}

/// What shall change; what is left out stays.
#[derive(Object)]
struct CallPatch {
    /// Another operator, or null for none.
    operator: MaybeUndefined<String>,
    /// Exchange operator and client; the call is scored again.
    swap_speakers: Option<bool>,
    /// Version of the transcript that the exchange is about; a newer one is not touched.
    version: Option<u32>,
}

#[derive(ApiResponse)]
enum Deleted {
    /// Deleted.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi]
impl CallsApi {
    /// Where a call is.
    #[oai(path = "/status/:id", method = "get", operation_id = "status")]
    async fn status(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<StatusDetailView>, ApiError> {
        status_of(parts, who.call(parts, &id.0).await?).await
    }

    /// Everything about a call: metadata, turns with word times, score with evidence, metrics.
    #[oai(path = "/results/:id", method = "get", operation_id = "result")]
    async fn result(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<CallDetail>, ApiError> {
        detail(parts, who.call(parts, &id.0).await?).await
    }

    /// Change the operator or exchange the speakers.
    #[oai(path = "/results/:id", method = "patch", operation_id = "patchResult")]
    async fn patch(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<EditCalls>,
        id: Path<String>,
        patch: Json<CallPatch>,
    ) -> Result<Json<CallDetail>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let operator = match patch.0.operator {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(name) => Some(
                crate::intake::clean_operator(Some(&name))
                    .map_err(|error| ApiError::bad_request("bad_details", error.to_string()))?,
            ),
        };
        if let Some(operator) = &operator {
            who.may_name(operator.as_deref())?;
        }
        let swap = patch.0.swap_speakers.unwrap_or(false);
        let (seen, author) = (patch.0.version, who.user().name.clone());
        let (runner, wanted) = (Arc::clone(&parts.runner), id.clone());
        parts
            .store
            .run(move |store| {
                if let Some(operator) = operator {
                    store.set_operator(&wanted, operator.as_deref())?;
                    runner.index_again(&wanted)?;
                    let entry = store.entry(&wanted)?.ok_or(StoreError::NotFound)?;
                    runner.announce(&entry.job);
                }
                if swap {
                    runner.revise(&wanted, seen, &Revision::Swap, &author)?;
                }
                Ok(())
            })
            .await?;
        detail(parts, id).await
    }

    /// Delete a call with its recording and all that was made of it.
    #[oai(
        path = "/results/:id",
        method = "delete",
        operation_id = "deleteResult"
    )]
    async fn delete(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<DeleteCalls>,
        id: Path<String>,
    ) -> Result<Deleted, ApiError> {
        let id = who.call(parts, &id.0).await?;
        tracing::info!(call = %id, user = who.user().name, "deleted");
        let runner = Arc::clone(&parts.runner);
        parts.store.run(move |_| runner.delete(&id)).await?;
        Ok(Deleted::Deleted)
    }

    /// Stop the work on a call at once.
    #[oai(
        path = "/results/:id/cancel",
        method = "post",
        operation_id = "cancelResult"
    )]
    async fn cancel(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<EditCalls>,
        id: Path<String>,
    ) -> Result<Json<CallView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let (runner, wanted) = (Arc::clone(&parts.runner), id.clone());
        let cancelled = parts.store.run(move |_| runner.cancel(&wanted)).await;
        match cancelled {
            Err(StoreError::IllegalMove(_)) => Err(ApiError::conflict(
                "not_running",
                "Nothing is being done with this call, so there is nothing to cancel.",
            )),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(Json(view(parts, id).await?)),
        }
    }

    /// Work on a call again: from where it failed, or recognize it anew; from
    /// another stage on, with another model or in another language where asked for.
    #[oai(
        path = "/results/:id/retry",
        method = "post",
        operation_id = "retryResult"
    )]
    async fn retry(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<EditCalls>,
        id: Path<String>,
        /// From this stage on.
        from: Query<Option<StageView>>,
        /// A model of `/models`; the one of the settings when left out.
        model: Query<Option<String>>,
        /// A language of `/models`, or `auto`, from now on.
        language: Query<Option<String>>,
    ) -> Result<Json<CallView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let retry = Retry {
            from: from.0.map(Stage::from),
            model: model.0,
            language: language.0,
        };
        let late = retry.from.is_some_and(|stage| stage > Stage::Transcribe);
        if late && (retry.model.is_some() || retry.language.is_some()) {
            return Err(ApiError::bad_request(
                "bad_retry",
                "Model and language matter to recognition only: begin with the stage 'transcribe' or leave it out.",
            ));
        }
        let language = retry.language.as_deref();
        if language.is_some_and(|language| !valid_language(language)) {
            return Err(ApiError::bad_request(
                "unknown_language",
                "The language is the code of a language that Whisper knows, such as \"ru\", or \"auto\".",
            ));
        }
        if let Some(model) = &retry.model {
            let call = entry(parts, id.clone()).await?.call;
            let language = language
                .or(call.language.as_deref())
                .unwrap_or(&parts.config.speech.language);
            models::check(parts, model.clone(), language).await?;
        }
        tracing::info!(call = %id, user = who.user().name, from = ?retry.from, model = ?retry.model, language = ?retry.language, "tried again");
        let (runner, wanted) = (Arc::clone(&parts.runner), id.clone());
        let retried = parts
            .store
            .run(move |_| runner.retry(&wanted, &retry))
            .await;
        match retried {
            Err(StoreError::IllegalMove(_)) => Err(StoreError::AtWork.into()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(Json(view(parts, id).await?)),
        }
    }
}

/// A call with its job.
pub(super) async fn entry(parts: &Arc<Parts>, id: CallId) -> Result<Entry, ApiError> {
    parts
        .store
        .run(move |store| store.entry(&id))
        .await?
        .ok_or_else(ApiError::not_found)
}

async fn view(parts: &Arc<Parts>, id: CallId) -> Result<CallView, ApiError> {
    let progress = parts.runner.stage_progress(&id);
    Ok(CallView::new(&entry(parts, id).await?, progress))
}

pub(super) async fn status_of(
    parts: &Arc<Parts>,
    id: CallId,
) -> Result<Json<StatusDetailView>, ApiError> {
    let stage_progress = parts.runner.stage_progress(&id);
    let entry = entry(parts, id).await?;
    let job = entry.job;
    Ok(Json(StatusDetailView {
        id: job.call_id.to_string(),
        status: StatusView::of(job.state, job.stage),
        stage: job.stage.into(),
        stage_progress,
        progress: overall_progress(job.state, job.stage, stage_progress),
        error: job.error.map(|error| ErrorView {
            code: error.code,
            message: error.message,
        }),
    }))
}

pub(super) async fn detail(parts: &Arc<Parts>, id: CallId) -> Result<Json<CallDetail>, ApiError> {
    let progress = parts.runner.stage_progress(&id);
    let runner = Arc::clone(&parts.runner);
    parts
        .store
        .run(move |store| {
            let Some(entry) = store.entry(&id)? else {
                return Ok(None);
            };
            let recording = store
                .recording(&entry.call.sha256)?
                .ok_or(StoreError::NotFound)?;
            let transcript = store.transcript(&id)?;
            let score = store.score(&id)?;
            let reviews = store.reviews(&id)?;
            Ok(Some(CallDetail::new(
                &entry,
                progress,
                &recording,
                transcript.as_ref(),
                score.as_ref().map(|score| (score, reviews.as_slice())),
                runner.tools().in_force.rules().card(),
            )))
        })
        .await?
        .map(Json)
        .ok_or_else(ApiError::not_found)
}
