//! How it stands with the language model, and what was sent to it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{ReadCalls, Settings, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::egress::{Egress, Purpose, Spent};
use crate::store::StoreError;

pub(super) struct LlmApi;

/// What was sent and spent.
#[derive(Object)]
struct SpentView {
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
    /// By the prices of the settings.
    cost: f64,
}

/// Why nothing is asked now.
#[derive(Object)]
struct PausedView {
    /// It is asked again then.
    until: String,
    /// Stable name of the reason.
    code: String,
    message: String,
}

/// How it stands with the language model.
#[derive(Object)]
struct LlmView {
    /// Whether one is turned on in the settings.
    enabled: bool,
    /// Host and port of its server.
    host: Option<String>,
    model: Option<String>,
    /// Whether what is sent stays on this machine.
    local: Option<bool>,
    /// Calls that wait for it.
    waiting: u64,
    paused: Option<PausedView>,
    today: Option<SpentView>,
    /// What may be spent in a day; null is no limit.
    daily_budget: Option<f64>,
}

/// What was sent to one model in one day.
#[derive(Object)]
struct DaySpentView {
    /// `YYYY-MM-DD`, in the zone of `names.time_zone`.
    day: String,
    model: String,
    spent: SpentView,
}

/// What was sent and spent, the latest day first.
#[derive(Object)]
struct SpendingView {
    items: Vec<DaySpentView>,
}

/// What a language model is used for.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
pub(super) enum PurposeView {
    Score,
    Question,
    Summary,
}

/// One request that was sent.
#[derive(Object)]
struct EgressView {
    at: String,
    call_id: String,
    host: String,
    model: String,
    purpose: PurposeView,
    /// Characters that were sent.
    chars: u64,
    /// Different pieces of personal data that were hidden.
    hidden: u32,
    /// `ok`, or the stable name of what went wrong.
    outcome: String,
    input_tokens: u32,
    output_tokens: u32,
    cost: f64,
}

/// One page of what was sent, the latest first.
#[derive(Object)]
struct EgressPage {
    items: Vec<EgressView>,
    total: u64,
    page: u32,
    page_size: u32,
}

impl From<Purpose> for PurposeView {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Score => PurposeView::Score,
            Purpose::Question => PurposeView::Question,
            Purpose::Summary => PurposeView::Summary,
        }
    }
}

impl From<PurposeView> for Purpose {
    fn from(purpose: PurposeView) -> Self {
        match purpose {
            PurposeView::Score => Purpose::Score,
            PurposeView::Question => Purpose::Question,
            PurposeView::Summary => Purpose::Summary,
        }
    }
}

impl From<Spent> for SpentView {
    fn from(spent: Spent) -> Self {
        Self {
            requests: spent.requests,
            input_tokens: spent.input_tokens,
            output_tokens: spent.output_tokens,
            cost: spent.cost,
        }
    }
}

impl From<Egress> for EgressView {
    fn from(egress: Egress) -> Self {
        Self {
            at: egress.at.to_string(),
            call_id: egress.call_id.to_string(),
            host: egress.host,
            model: egress.model,
            purpose: egress.purpose.into(),
            chars: egress.chars,
            hidden: egress.hidden,
            outcome: egress.outcome,
            input_tokens: egress.input_tokens,
            output_tokens: egress.output_tokens,
            cost: egress.cost,
        }
    }
}

#[OpenApi]
impl LlmApi {
    /// Whether a language model judges, what waits for it and what it cost today.
    #[oai(path = "/llm", method = "get", operation_id = "llm")]
    async fn standing(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<ReadCalls>,
    ) -> Result<Json<LlmView>, ApiError> {
        standing(parts).await
    }

    /// Ask the language model again at once, whatever went wrong before.
    #[oai(path = "/llm/resume", method = "post", operation_id = "llmResume")]
    async fn resume(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<LlmView>, ApiError> {
        match &parts.judging {
            Some(judging) => judging.resume(),
            None => {
                return Err(ApiError::conflict(
                    "llm_off",
                    "No language model is turned on: set enabled = true in section [llm].",
                ));
            }
        }
        standing(parts).await
    }

    /// Tokens and cost by day and model; what one call cost is in its score and in the ledger.
    #[oai(path = "/llm/spending", method = "get", operation_id = "llmSpending")]
    async fn spending(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// How many days back, today included; 1 to 366, 31 unless told.
        days: Query<Option<u32>>,
    ) -> Result<Json<SpendingView>, ApiError> {
        let days = days.0.unwrap_or(31);
        if !(1..=366).contains(&days) {
            return Err(ApiError::bad_request(
                "bad_filter",
                "days is from 1 to 366.",
            ));
        }
        let zone = parts.config.names.time_zone.clone();
        let from = Timestamp::now() - SignedDuration::from_hours(24 * (i64::from(days) - 1));
        let from = from
            .to_zoned(zone.clone())
            .start_of_day()
            .map_or(from, |start| start.timestamp());
        let items = parts
            .store
            .run(move |store| store.spending(from, &zone))
            .await?;
        Ok(Json(SpendingView {
            items: items
                .into_iter()
                .map(|one| DaySpentView {
                    day: one.day.to_string(),
                    model: one.model,
                    spent: one.spent.into(),
                })
                .collect(),
        }))
    }

    /// What was sent to language models, the latest first.
    #[oai(path = "/llm/egress", method = "get", operation_id = "llmEgress")]
    async fn egress(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1 to 200; 25 unless told.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<EgressPage>, ApiError> {
        let (page, page_size) = (page.0.unwrap_or(1), page_size.0.unwrap_or(25));
        if page == 0 || !(1..=200).contains(&page_size) {
            return Err(ApiError::bad_request(
                "bad_filter",
                "page counts from 1 and page_size is from 1 to 200.",
            ));
        }
        let skipped = (page as usize - 1).saturating_mul(page_size as usize);
        let (items, total) = parts
            .store
            .run(move |store| store.egress(skipped, page_size as usize))
            .await?;
        Ok(Json(EgressPage {
            items: items.into_iter().map(EgressView::from).collect(),
            total,
            page,
            page_size,
        }))
    }
}

async fn standing(parts: &Arc<Parts>) -> Result<Json<LlmView>, ApiError> {
    let settings = &parts.config.llm;
    let Some(judging) = parts.judging.clone() else {
        return Ok(Json(LlmView {
            enabled: false,
            host: None,
            model: None,
            local: None,
            waiting: 0,
            paused: None,
            today: None,
            daily_budget: None,
        }));
    };
    let standing = tokio::task::spawn_blocking(move || judging.standing())
        .await
        .map_err(|_| StoreError::Interrupted)??;
    Ok(Json(LlmView {
        enabled: true,
        host: Some(settings.host().to_owned()),
        model: Some(settings.model.clone()),
        local: Some(settings.is_local()),
        waiting: standing.waiting,
        paused: standing.paused.map(|paused| PausedView {
            until: paused.until.to_string(),
            code: paused.why.code().to_owned(),
            message: paused.why.to_string(),
        }),
        today: Some(standing.today.into()),
        daily_budget: (settings.daily_budget > 0.0).then_some(settings.daily_budget),
    }))
}
