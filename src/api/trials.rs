//! A draft tried on a call before it is put in force. Nothing is kept but what was
//! sent to a language model.

use std::sync::Arc;

use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{Settings, Who};
use super::error::ApiError;
use super::score_view::ScoreView;
use super::scorecards::compiled;
use crate::app::Parts;
use crate::domain::egress::Purpose;
use crate::domain::prompt::{Prompt, checked};
use crate::domain::score::ModelState;
use crate::domain::{CallId, Score};
use crate::llm::LlmError;
use crate::pipeline::score::Rules;
use crate::store::StoreError;

pub(super) struct TrialsApi;

/// Who judges.
#[derive(Enum, Clone, Copy, PartialEq)]
#[oai(rename_all = "snake_case")]
enum TrialEngine {
    /// The offline rules.
    Rules,
    /// The language model; it costs what a judgement costs.
    Model,
}

/// What is tried on which call.
#[derive(Object)]
struct TrialRequest {
    call_id: String,
    /// The file of a scorecard; the one in force when left out.
    scorecard: Option<String>,
    /// Instructions for the model; those in use when left out.
    prompt: Option<String>,
    /// The rules when left out.
    engine: Option<TrialEngine>,
}

/// An item whose verdict is another, or that is in one of both only.
#[derive(Object)]
struct ChangedItemView {
    key: String,
    name: String,
    name_en: Option<String>,
    /// `met`, `failed`, `not_applicable`, `unconfirmed`; null where the item was not there.
    before: Option<String>,
    after: Option<String>,
}

/// Both scores of a call.
#[derive(Object)]
struct TrialView {
    call_id: String,
    before: ScoreView,
    after: ScoreView,
    changed: Vec<ChangedItemView>,
}

struct Trial {
    before: Score,
    after: Score,
}

#[OpenApi]
impl TrialsApi {
    /// How a call would be scored by a draft, beside how it is scored now.
    #[oai(path = "/trials", method = "post", operation_id = "tryDraft")]
    async fn attempt(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        request: Json<TrialRequest>,
    ) -> Result<Json<TrialView>, ApiError> {
        let request = request.0;
        let id = who.call(parts, &request.call_id).await?;
        let prompt = match request.prompt {
            Some(content) => Some(checked("-", &content)?.1),
            None => None,
        };
        let draft = match request.scorecard {
            Some(text) => Some(compiled(text).await?),
            None => None,
        };
        let engine = request.engine.unwrap_or(TrialEngine::Rules);
        let own = Arc::clone(parts);
        let call = id.clone();
        let trial = tokio::task::spawn_blocking(move || {
            let rules = match draft {
                Some(card) => Arc::new(Rules::compile(card)),
                None => own.runner.tools().in_force.rules(),
            };
            run(&own, &call, &rules, prompt, engine)
        })
        .await
        .map_err(|_| StoreError::Interrupted)??;
        let rules = parts.runner.tools().in_force.rules();
        Ok(Json(TrialView {
            call_id: id.to_string(),
            changed: changed(&trial),
            before: ScoreView::new(&trial.before, &[], rules.card(), false),
            after: ScoreView::new(&trial.after, &[], rules.card(), false),
        }))
    }
}

fn run(
    parts: &Parts,
    id: &CallId,
    rules: &Rules,
    prompt: Option<String>,
    engine: TrialEngine,
) -> Result<Trial, ApiError> {
    let (before, after) = parts.runner.try_rules(id, rules)?;
    if engine == TrialEngine::Rules {
        return Ok(Trial { before, after });
    }
    let judging = parts.judging.as_ref().ok_or_else(|| {
        ApiError::conflict(
            "llm_off",
            "No language model is turned on: set enabled = true in section [llm].",
        )
    })?;
    let transcript = parts
        .store
        .transcript(id)?
        .ok_or(StoreError::NotTranscribed)?;
    let in_use = parts.store.active_prompt(Purpose::Score)?;
    let now = Timestamp::now();
    let prompt = match prompt {
        Some(content) => Some(Prompt {
            id: String::new(),
            version: 0,
            purpose: Purpose::Score,
            name: String::new(),
            content,
            is_active: false,
            created_at: now,
            changed_at: now,
            author: String::new(),
        }),
        None => in_use,
    };
    let after = judging
        .judge(id, rules, &transcript, &after, prompt.as_ref(), true)
        .map_err(|error| unjudged(&error))?;
    // What the call has is its score now, where the model has judged it.
    let judged = parts.store.score(id)?.filter(|score| {
        let state = score.model.as_ref().map(|note| note.state);
        state == Some(ModelState::Judged)
    });
    Ok(Trial {
        before: judged.unwrap_or(before),
        after,
    })
}

fn unjudged(error: &LlmError) -> ApiError {
    ApiError::Outside(poem_openapi::payload::Json(super::error::ErrorView {
        code: error.code().to_owned(),
        message: format!("The language model did not judge: {error}"),
    }))
}

fn changed(trial: &Trial) -> Vec<ChangedItemView> {
    let items = |score: &Score| -> Vec<_> {
        let items = score.criteria.iter().flat_map(|criterion| &criterion.items);
        items.cloned().collect()
    };
    let (before, after) = (items(&trial.before), items(&trial.after));
    let mut changed = Vec::new();
    for item in &after {
        let old = before.iter().find(|old| old.key == item.key);
        if old.is_none_or(|old| old.verdict != item.verdict) {
            changed.push(ChangedItemView {
                key: item.key.clone(),
                name: item.name.clone(),
                name_en: item.name_en.clone(),
                before: old.map(|old| old.verdict.name().to_owned()),
                after: Some(item.verdict.name().to_owned()),
            });
        }
    }
    for old in before {
        if !after.iter().any(|item| item.key == old.key) {
            changed.push(ChangedItemView {
                key: old.key,
                name: old.name,
                name_en: old.name_en,
                before: Some(old.verdict.name().to_owned()),
                after: None,
            });
        }
    }
    changed
}
