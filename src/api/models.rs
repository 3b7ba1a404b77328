//! The speech models that a call can be recognized with, and the languages.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::auth::{Upload, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::language::LANGUAGES;
use crate::speech::model::{ModelError, ModelState};

pub(super) struct ModelsApi;

/// A speech model.
#[derive(Object)]
struct ModelView {
    name: String,
    /// It is on the server and whole. Another one is brought by `call-analytics model pull NAME`.
    installed: bool,
    size_bytes: u64,
    /// False for one that knows English only.
    multilingual: bool,
}

/// What a call can be recognized with.
#[derive(Object)]
struct ModelsView {
    /// The model of the settings; a path where they name a file.
    default_model: String,
    /// The language of the settings, or `auto`.
    default_language: String,
    models: Vec<ModelView>,
    /// ISO 639 codes; besides them there is `auto`.
    languages: Vec<String>,
}

#[OpenApi]
impl ModelsApi {
    /// The speech models, there or to be had, and the languages they know.
    #[oai(path = "/models", method = "get", operation_id = "models")]
    async fn models(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Upload>,
    ) -> Result<Json<ModelsView>, ApiError> {
        let tools = parts.runner.tools().clone();
        let default_model = tools.speech.model.clone();
        let default_language = tools.speech.language.clone();
        let (installed, known) = tokio::task::spawn_blocking(move || {
            let known: Vec<(String, u64)> = tools
                .models
                .manifest()
                .entries()
                .iter()
                .map(|entry| (entry.name.clone(), entry.size_bytes))
                .collect();
            tools.models.list().map(|installed| (installed, known))
        })
        .await
        .map_err(|error| ApiError::internal(&error))?
        .map_err(|error| ApiError::internal(&error))?;
        let mut models: Vec<ModelView> = installed
            .into_iter()
            .filter_map(|model| match model.state {
                ModelState::Valid(path) => Some(ModelView {
                    name: model.name,
                    installed: true,
                    size_bytes: path.size_bytes,
                    multilingual: path.multilingual,
                }),
                ModelState::Invalid(_) => None,
            })
            .collect();
        for (name, size_bytes) in known {
            if models.iter().all(|model| model.name != name) {
                models.push(ModelView {
                    multilingual: !name.contains(".en"),
                    name,
                    installed: false,
                    size_bytes,
                });
            }
        }
        let mut languages: Vec<String> = LANGUAGES.iter().map(|code| (*code).to_owned()).collect();
        languages.sort_unstable();
        Ok(Json(ModelsView {
            default_model,
            default_language,
            models,
            languages,
        }))
    }
}

/// Refuses a model that cannot be used for `language`, and says what would help.
pub(super) async fn check(
    parts: &Arc<Parts>,
    name: String,
    language: &str,
) -> Result<(), ApiError> {
    let tools = parts.runner.tools().clone();
    let is_known = tools.models.manifest().find(&name).is_some();
    let (models, wanted) = (Arc::clone(&tools.models), name.clone());
    // A path is for whoever writes the settings: by name, only the models directory is read.
    if name.contains('/') || name.ends_with(".bin") {
        return Err(unknown(&name));
    }
    let resolved = tokio::task::spawn_blocking(move || models.resolve(&wanted))
        .await
        .map_err(|error| ApiError::internal(&error))?;
    match resolved {
        Ok(model) if !model.multilingual && language != "en" => Err(ApiError::bad_request(
            "model_english_only",
            format!("The model {name:?} knows English only; choose another one."),
        )),
        Ok(_) => Ok(()),
        Err(ModelError::NotInstalled { .. }) if is_known => Err(ApiError::bad_request(
            "model_not_installed",
            format!(
                "The model {name:?} is not on the server: get it there with 'call-analytics model pull {name}'."
            ),
        )),
        Err(ModelError::NotInstalled { .. } | ModelError::BadName(_)) => Err(unknown(&name)),
        Err(error) => {
            tracing::error!(%error, "a model cannot be used");
            Err(ApiError::bad_request(
                "model_damaged",
                format!(
                    "The file of the model {name:?} cannot be used; pull or import it again with 'call-analytics model'."
                ),
            ))
        }
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::bad_request(
        "unknown_model",
        format!("There is no model {name:?}; /models lists those that can be asked for."),
    )
}
