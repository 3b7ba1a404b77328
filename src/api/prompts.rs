//! What the team tells the language model: prompts, their versions, which are in use.

use std::sync::Arc;

use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::auth::{Settings, Who};
use super::error::ApiError;
use super::llm::PurposeView;
use crate::app::Parts;
use crate::domain::egress::Purpose;
use crate::domain::prompt::{Prompt, PromptFault, checked};
use crate::store::{PromptChange, StoreError};

pub(super) struct PromptsApi;

/// One version of a prompt.
#[derive(Object)]
struct PromptView {
    id: String,
    version: u32,
    purpose: PurposeView,
    name: String,
    content: String,
    /// Whether it is the one in use for its purpose.
    is_active: bool,
    created_at: String,
    /// When this version was written.
    changed_at: String,
    author: String,
}

/// All prompts, by name.
#[derive(Object)]
struct PromptsView {
    items: Vec<PromptView>,
    /// Whether a language model is turned on: without one nothing reads them.
    model: bool,
}

/// All versions of a prompt, the newest first.
#[derive(Object)]
struct PromptVersionsView {
    items: Vec<PromptView>,
}

/// A new prompt.
#[derive(Object)]
struct NewPrompt {
    name: String,
    content: String,
    /// `score` when left out.
    purpose: Option<PurposeView>,
    /// Use it from now on, in the place of the one before.
    is_active: Option<bool>,
}

/// A change of a prompt; what is left out stays.
#[derive(Object)]
struct PromptPatch {
    name: Option<String>,
    content: Option<String>,
    is_active: Option<bool>,
    /// The version that was seen: a newer one refuses the change.
    version: Option<u32>,
}

impl From<Prompt> for PromptView {
    fn from(prompt: Prompt) -> Self {
        Self {
            id: prompt.id,
            version: prompt.version,
            purpose: prompt.purpose.into(),
            name: prompt.name,
            content: prompt.content,
            is_active: prompt.is_active,
            created_at: prompt.created_at.to_string(),
            changed_at: prompt.changed_at.to_string(),
            author: prompt.author,
        }
    }
}

impl From<PromptFault> for ApiError {
    fn from(fault: PromptFault) -> Self {
        let text = fault.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string());
        let message = first.unwrap_or_default() + letters.as_str() + ".";
        Self::bad_request(&format!("prompt_{}", fault.code()), message)
    }
}

#[OpenApi]
impl PromptsApi {
    /// All prompts.
    #[oai(path = "/prompts", method = "get", operation_id = "prompts")]
    async fn list(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<PromptsView>, ApiError> {
        let prompts = parts.store.run(|store| store.prompts()).await?;
        Ok(Json(PromptsView {
            items: prompts.into_iter().map(PromptView::from).collect(),
            model: parts.judging.is_some(),
        }))
    }

    /// Keep a new prompt.
    #[oai(path = "/prompts", method = "post", operation_id = "addPrompt")]
    async fn add(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        request: Json<NewPrompt>,
    ) -> Result<Json<PromptView>, ApiError> {
        let request = request.0;
        let (name, content) = checked(&request.name, &request.content)?;
        let now = Timestamp::now();
        let prompt = Prompt {
            id: ulid::Ulid::generate().to_string(),
            version: 1,
            purpose: request.purpose.map_or(Purpose::Score, Purpose::from),
            name,
            content,
            is_active: request.is_active.unwrap_or(false),
            created_at: now,
            changed_at: now,
            author: who.user().name.clone(),
        };
        let prompt = parts
            .store
            .run(move |store| store.add_prompt(&prompt).map(|()| prompt))
            .await?;
        Ok(Json(prompt.into()))
    }

    /// All versions of a prompt, the newest first.
    #[oai(
        path = "/prompts/:id/versions",
        method = "get",
        operation_id = "promptVersions"
    )]
    async fn versions(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
    ) -> Result<Json<PromptVersionsView>, ApiError> {
        let versions = parts
            .store
            .run(move |store| store.prompt_versions(&id.0))
            .await?;
        if versions.is_empty() {
            return Err(StoreError::NoSuchPrompt.into());
        }
        Ok(Json(PromptVersionsView {
            items: versions.into_iter().map(PromptView::from).collect(),
        }))
    }

    /// Change a prompt. A new name or text is a new version; the one before is kept.
    #[oai(path = "/prompts/:id", method = "put", operation_id = "changePrompt")]
    async fn change(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        id: Path<String>,
        request: Json<PromptPatch>,
    ) -> Result<Json<PromptView>, ApiError> {
        let request = request.0;
        // What is left out is not checked; anything that says something stands for it.
        let name = request.name.as_deref().unwrap_or("-");
        let content = request.content.as_deref().unwrap_or("-");
        let (name, content) = checked(name, content)?;
        let change = PromptChange {
            name: request.name.map(|_| name),
            content: request.content.map(|_| content),
            is_active: request.is_active,
            seen: request.version,
        };
        let author = who.user().name.clone();
        let prompt = parts
            .store
            .run(move |store| store.change_prompt(&id.0, change, &author, Timestamp::now()))
            .await?;
        Ok(Json(prompt.into()))
    }

    /// Remove a prompt with its versions.
    #[oai(
        path = "/prompts/:id",
        method = "delete",
        operation_id = "removePrompt"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
    ) -> Result<(), ApiError> {
        parts
            .store
            .run(move |store| store.remove_prompt(&id.0))
            .await?;
        Ok(())
    }
}
