//! One question of many calls: started, watched, stopped, taken away as a table.

use std::sync::Arc;

use jiff::Timestamp;
use poem::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Binary, Json, Response};
use poem_openapi::types::ToJSON;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::analysis_calls::{MOST_CALLS, chosen};
use super::auth::{Ask, Who};
use super::call_filter::CallFilter;
use super::error::ApiError;
use super::export::disposition;
use super::filters::{bad_filter, page_of};
use super::question_views::{AnalysisView, AnswerView, RowView, WhyView, text_of};
use super::questions;
use crate::app::Parts;
use crate::domain::Role;
use crate::domain::question::{Analysis, AnalysisState, Row};
use crate::pipeline::asking::{self, Words};
use crate::store::StoreError;

/// Most analyses kept.
const MOST_KEPT: usize = 200;
/// Most that run at the same time.
const MOST_RUNNING: usize = 20;

pub(super) struct AnalysisApi;

/// What is asked, and of which calls.
#[derive(Object)]
struct AnalysisRequest {
    /// What is asked; left out, the text of the saved question.
    question: Option<String>,
    /// A saved question.
    saved_id: Option<String>,
    /// Calls with a transcript that pass; an empty one takes all. Left out where ids are given.
    filter: Option<CallFilter>,
    /// These calls.
    ids: Option<Vec<String>>,
    /// At most so many calls, the latest first: 1 to 5000, 100 when left out.
    most_calls: Option<u32>,
    /// What it may cost in all, by the prices of the settings.
    most_cost: Option<f64>,
}

/// What is asked of one call or of many.
#[derive(Object)]
struct CustomQuery {
    /// What is asked; left out, the text of the saved question.
    question: Option<String>,
    /// A saved question.
    saved_id: Option<String>,
    /// One call. Left out where a filter or ids are given.
    call_id: Option<String>,
    /// As for `/analysis/start`.
    filter: Option<CallFilter>,
    /// As for `/analysis/start`.
    ids: Option<Vec<String>>,
    /// As for `/analysis/start`.
    most_calls: Option<u32>,
    /// As for `/analysis/start`.
    most_cost: Option<f64>,
}

/// What was asked: of one call an answer, of many an analysis.
#[derive(Object)]
struct CustomQueryView {
    /// Its text comes at `/results/{id}/answers/{answer}/events` while it is null here.
    answer: Option<AnswerView>,
    analysis: Option<AnalysisView>,
}

/// What an analysis would take.
#[derive(Object)]
struct EstimateView {
    /// Calls with a transcript that pass the filter.
    matching: u64,
    /// Calls that would be asked.
    calls: u64,
    /// Their length in milliseconds.
    duration_ms: u64,
    /// Roughly; 0 where no model is asked.
    tokens: u64,
    /// Roughly, by the prices of the settings.
    cost: f64,
    /// Why no model is asked now; null where it is.
    why: Option<WhyView>,
}

/// All analyses, the latest first.
#[derive(Object)]
struct AnalysesView {
    items: Vec<AnalysisView>,
}

/// An analysis with a page of its table.
#[derive(Object)]
struct AnalysisPage {
    analysis: AnalysisView,
    items: Vec<RowView>,
    /// Rows in all.
    total: u64,
    page: u32,
    page_size: u32,
}

#[derive(ApiResponse)]
enum Removed {
    /// Removed.
    #[oai(status = 204)]
    Removed,
}

/// The form of a table.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum TableFormat {
    /// For spreadsheets: UTF-8, `;` between the cells.
    Csv,
    Json,
}

/// The language of headings.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum TableWords {
    Ru,
    En,
}

fn no_such_analysis(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound => ApiError::missing("not_found", "There is no such analysis."),
        other => other.into(),
    }
}

async fn start(
    parts: &Arc<Parts>,
    request: AnalysisRequest,
    who: &Who<Ask>,
) -> Result<AnalysisView, ApiError> {
    let question = text_of(parts, request.question, request.saved_id.as_deref()).await?;
    if let Some(cost) = request.most_cost
        && !(cost.is_finite() && cost > 0.0)
    {
        return Err(bad_filter("most_cost is above 0.".to_owned()));
    }
    if request.most_cost.is_some() && parts.config.llm.prices == (0.0, 0.0) {
        return Err(bad_filter(
            "most_cost needs llm.price_in and llm.price_out in the settings.".to_owned(),
        ));
    }
    let filter = request.filter.as_ref().map(ToJSON::to_json_string);
    let chosen = chosen(parts, who, request.filter, request.ids, request.most_calls).await?;
    if chosen.entries.is_empty() {
        return Err(ApiError::conflict(
            "no_calls",
            "No call with a transcript passes this filter.",
        ));
    }
    let rows: Vec<Row> = chosen
        .entries
        .into_iter()
        .map(|entry| Row {
            at: entry.call.started_at.unwrap_or(entry.call.created_at),
            call_id: entry.call.id,
            filename: entry.call.filename,
            operator: entry.call.operator,
            found: None,
            why: None,
        })
        .collect();
    let analysis = Analysis {
        id: ulid::Ulid::generate().to_string(),
        question,
        saved_id: request.saved_id,
        filter,
        matching: chosen.matching,
        calls: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        most_cost: request.most_cost,
        state: AnalysisState::Running,
        done: 0,
        confirmed: 0,
        answered: 0,
        tokens: (0, 0),
        cost: 0.0,
        asked_by: who.user().name.clone(),
        asked_at: Timestamp::now(),
        ended_at: None,
    };
    let view = AnalysisView::new(&analysis, parts);
    let asking = Arc::clone(&parts.asking);
    let fits = parts
        .store
        .run(move |store| {
            let known = store.analyses()?;
            let running = |known: &&Analysis| known.state == AnalysisState::Running;
            let fits =
                known.len() < MOST_KEPT && known.iter().filter(running).count() < MOST_RUNNING;
            if fits {
                asking.analyze(&analysis, &rows)?;
            }
            Ok(fits)
        })
        .await?;
    if !fits {
        return Err(ApiError::conflict(
            "too_many_analyses",
            format!(
                "At most {MOST_KEPT} analyses are kept and {MOST_RUNNING} run at the same time; delete one first."
            ),
        ));
    }
    Ok(view)
}

#[OpenApi]
impl AnalysisApi {
    /// Ask a question of one call, or of many.
    #[oai(
        path = "/analysis/custom-query",
        method = "post",
        operation_id = "customQuery"
    )]
    async fn custom_query(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        request: Json<CustomQuery>,
    ) -> Result<Json<CustomQueryView>, ApiError> {
        let CustomQuery {
            question,
            saved_id,
            call_id,
            filter,
            ids,
            most_calls,
            most_cost,
        } = request.0;
        let Some(call) = call_id else {
            let request = AnalysisRequest {
                question,
                saved_id,
                filter,
                ids,
                most_calls,
                most_cost,
            };
            return Ok(Json(CustomQueryView {
                answer: None,
                analysis: Some(start(parts, request, &who).await?),
            }));
        };
        if filter.is_some() || ids.is_some() {
            return Err(bad_filter(
                "Either call_id, or filter, or ids say which calls are asked.".to_owned(),
            ));
        }
        let answer = questions::ask(parts, &call, question, saved_id, &who).await?;
        Ok(Json(CustomQueryView {
            answer: Some(answer),
            analysis: None,
        }))
    }

    /// What asking so many calls would take; nothing is asked.
    #[oai(
        path = "/analysis/estimate",
        method = "post",
        operation_id = "estimateAnalysis"
    )]
    async fn estimate(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        request: Json<AnalysisRequest>,
    ) -> Result<Json<EstimateView>, ApiError> {
        let AnalysisRequest {
            filter,
            ids,
            most_calls,
            ..
        } = request.0;
        let chosen = chosen(parts, &who, filter, ids, most_calls).await?;
        let calls = chosen.entries.len() as u64;
        let lengths = chosen.entries.iter().map(|entry| entry.call.duration_ms);
        let duration_ms = lengths.flatten().sum();
        let takes = parts.asking.estimate(calls, duration_ms);
        Ok(Json(EstimateView {
            matching: chosen.matching,
            calls,
            duration_ms,
            tokens: takes.tokens,
            cost: takes.cost,
            why: parts.asking.unavailable().as_ref().map(WhyView::from),
        }))
    }

    /// Ask a question of many calls, in the background.
    #[oai(
        path = "/analysis/start",
        method = "post",
        operation_id = "startAnalysis"
    )]
    async fn start(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        request: Json<AnalysisRequest>,
    ) -> Result<Json<AnalysisView>, ApiError> {
        Ok(Json(start(parts, request.0, &who).await?))
    }

    /// One's own analyses, an administrator's all, the latest first.
    #[oai(path = "/analysis", method = "get", operation_id = "analyses")]
    async fn list(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
    ) -> Result<Json<AnalysesView>, ApiError> {
        let analyses = parts.store.run(|store| store.analyses()).await?;
        Ok(Json(AnalysesView {
            items: analyses
                .iter()
                .filter(|analysis| own(&who, analysis))
                .map(|analysis| AnalysisView::new(analysis, parts))
                .collect(),
        }))
    }

    /// Where an analysis is, and a page of its table.
    #[oai(path = "/analysis/:id", method = "get", operation_id = "analysis")]
    async fn get(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        id: Path<String>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1–200, 25 when left out.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<AnalysisPage>, ApiError> {
        let (page, page_size) = page_of(page.0, page_size.0)?;
        let first = (page - 1).saturating_mul(page_size);
        let (analysis, rows, total) = read(parts, &who, id.0, first, page_size).await?;
        Ok(Json(AnalysisPage {
            analysis: AnalysisView::new(&analysis, parts),
            items: rows.iter().map(RowView::from).collect(),
            total,
            page,
            page_size,
        }))
    }

    /// Stop an analysis; what is answered stays.
    #[oai(
        path = "/analysis/:id/cancel",
        method = "post",
        operation_id = "cancelAnalysis"
    )]
    async fn cancel(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        id: Path<String>,
    ) -> Result<Json<AnalysisView>, ApiError> {
        check_own(parts, &who, &id.0).await?;
        let asking = Arc::clone(&parts.asking);
        let analysis = parts
            .store
            .run(move |_| asking.cancel(&id.0))
            .await
            .map_err(no_such_analysis)?;
        Ok(Json(AnalysisView::new(&analysis, parts)))
    }

    /// Delete an analysis with its table, running or not.
    #[oai(
        path = "/analysis/:id",
        method = "delete",
        operation_id = "deleteAnalysis"
    )]
    async fn delete(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        id: Path<String>,
    ) -> Result<Removed, ApiError> {
        check_own(parts, &who, &id.0).await?;
        let asking = Arc::clone(&parts.asking);
        parts
            .store
            .run(move |_| asking.delete(&id.0))
            .await
            .map_err(no_such_analysis)?;
        Ok(Removed::Removed)
    }

    /// The whole table as a file.
    #[oai(
        path = "/analysis/:id/export",
        method = "get",
        operation_id = "exportAnalysis"
    )]
    async fn export(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        id: Path<String>,
        /// `csv` when left out.
        format: Query<Option<TableFormat>>,
        /// Language of the headings, `ru` when left out.
        lang: Query<Option<TableWords>>,
    ) -> Result<Response<Binary<Vec<u8>>>, ApiError> {
        let (analysis, rows, _) = read(parts, &who, id.0, 0, MOST_CALLS).await?;
        let words = match lang.0 {
            None | Some(TableWords::Ru) => Words::Ru,
            Some(TableWords::En) => Words::En,
        };
        let (bytes, kind, extension) = match format.0 {
            None | Some(TableFormat::Csv) => {
                (asking::csv(&rows, words), "text/csv; charset=utf-8", "csv")
            }
            Some(TableFormat::Json) => (asking::json(&analysis, &rows), "application/json", "json"),
        };
        let date = analysis.asked_at.strftime("%Y-%m-%d");
        let name = format!("analysis-{date}.{extension}");
        Ok(Response::new(Binary(bytes))
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_DISPOSITION, disposition("attachment", &name)))
    }
}

/// Whether the analysis is shown: to who asked, and to administrators.
fn own(who: &Who<Ask>, analysis: &Analysis) -> bool {
    analysis.asked_by == who.user().name || who.user().role == Role::Admin
}

async fn check_own(parts: &Arc<Parts>, who: &Who<Ask>, id: &str) -> Result<(), ApiError> {
    read(parts, who, id.to_owned(), 0, 0).await.map(drop)
}

/// An analysis, some of its rows, and how many there are: those of calls that are still in
/// sight.
async fn read(
    parts: &Arc<Parts>,
    who: &Who<Ask>,
    id: String,
    first: u32,
    most: u32,
) -> Result<(Analysis, Vec<Row>, u64), ApiError> {
    let sight = who.sight().clone();
    let found = parts.store.run(move |store| {
        let analysis = store.analysis(&id)?.ok_or(StoreError::NotFound)?;
        if sight.is_all() {
            let rows = store.analysis_rows(&id, first, most)?;
            let total = u64::from(analysis.calls);
            return Ok((
                analysis,
                rows.into_iter().map(|(_, row)| row).collect(),
                total,
            ));
        }
        let rows = store.analysis_rows(&id, 0, MOST_CALLS)?;
        let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        rows.retain(|row| sight.sees(row.operator.as_deref()));
        let total = rows.len() as u64;
        let rows = rows
            .into_iter()
            .skip(first as usize)
            .take(most as usize)
            .collect();
        Ok((analysis, rows, total))
    });
    let found: (Analysis, Vec<Row>, u64) = found.await.map_err(no_such_analysis)?;
    if own(who, &found.0) {
        Ok(found)
    } else {
        Err(no_such_analysis(StoreError::NotFound))
    }
}
