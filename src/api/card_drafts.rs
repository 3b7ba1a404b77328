//! Drafts of scorecards: saved as one types, faults and all.

use std::sync::Arc;

use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::auth::{Settings, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::card_version::{CardDraft, CardKey};
use crate::domain::scorecard_toml::{self, MAX_TEXT};

pub(super) struct CardDraftsApi;

/// What will perhaps be the next version.
#[derive(Object)]
pub(super) struct CardDraftView {
    id: String,
    text: String,
    /// The name in it, as far as it can be read.
    name: Option<String>,
    base_id: Option<String>,
    base_version: Option<u32>,
    saved_at: String,
    /// To be sent back with the next saving.
    revision: u32,
    author: String,
}

/// What is kept of a draft.
#[derive(Object)]
struct DraftRequest {
    text: String,
    /// What it was begun from.
    base_id: Option<String>,
    base_version: Option<u32>,
    /// The one that was seen; left out for a new draft.
    revision: Option<u32>,
}

impl From<&CardDraft> for CardDraftView {
    fn from(draft: &CardDraft) -> Self {
        Self {
            id: draft.id.clone(),
            name: scorecard_toml::read(&draft.text).ok().map(|card| card.name),
            text: draft.text.clone(),
            base_id: draft.base.as_ref().map(|base| base.id.clone()),
            base_version: draft.base.as_ref().map(|base| base.version),
            saved_at: draft.saved_at.to_string(),
            revision: draft.revision,
            author: draft.author.clone(),
        }
    }
}

#[OpenApi]
impl CardDraftsApi {
    /// Begin a draft. It may have faults.
    #[oai(
        path = "/scorecard-drafts",
        method = "post",
        operation_id = "addScorecardDraft"
    )]
    async fn add_draft(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        request: Json<DraftRequest>,
    ) -> Result<Json<CardDraftView>, ApiError> {
        let id = ulid::Ulid::generate().to_string();
        save(parts, &who, id, request.0, 0).await
    }

    /// Save a draft. It may have faults.
    #[oai(
        path = "/scorecard-drafts/:id",
        method = "put",
        operation_id = "saveScorecardDraft"
    )]
    async fn save_draft(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        id: Path<String>,
        request: Json<DraftRequest>,
    ) -> Result<Json<CardDraftView>, ApiError> {
        let revision = request.0.revision.filter(|seen| *seen > 0).ok_or_else(|| {
            ApiError::bad_request(
                "bad_draft",
                "Send the revision of the draft that you have seen.",
            )
        })?;
        save(parts, &who, id.0, request.0, revision).await
    }

    /// Throw a draft away.
    #[oai(
        path = "/scorecard-drafts/:id",
        method = "delete",
        operation_id = "removeScorecardDraft"
    )]
    async fn remove_draft(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
    ) -> Result<(), ApiError> {
        parts
            .store
            .run(move |store| store.remove_card_draft(&id.0))
            .await?;
        Ok(())
    }
}

async fn save(
    parts: &Arc<Parts>,
    who: &Who<Settings>,
    id: String,
    request: DraftRequest,
    revision: u32,
) -> Result<Json<CardDraftView>, ApiError> {
    if request.text.len() > MAX_TEXT {
        return Err(ApiError::bad_request(
            "bad_draft",
            format!("A scorecard has at most {MAX_TEXT} bytes."),
        ));
    }
    let draft = CardDraft {
        id,
        text: request.text,
        base: request
            .base_id
            .zip(request.base_version)
            .map(|(id, version)| CardKey { id, version }),
        saved_at: Timestamp::now(),
        revision,
        author: who.user().name.clone(),
    };
    let draft = parts
        .store
        .run(move |store| store.save_card_draft(draft))
        .await?;
    Ok(Json(CardDraftView::from(&draft)))
}
