//! Calls of the past are scored again with the scorecard in force.

use std::collections::HashSet;
use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{Settings, Who};
use super::call_filter::CallFilter;
use super::error::ApiError;
use super::filters::page_of;
use super::results::AveragesView;
use super::views::CriterionView;
use crate::app::Parts;
use crate::domain::call::ScoreSummary;
use crate::domain::rescoring::{Rescored, RescoredState, Rescoring, RescoringState};
use crate::domain::{CallId, JobState};
use crate::report;
use crate::store::{Entry, StoreError};

pub(super) struct RescoringsApi;

#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum RescoringStateView {
    Running,
    Completed,
    Cancelled,
}

#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum RescoredStateView {
    Waiting,
    Scored,
    NoTranscript,
    AtWork,
    Deleted,
    Failed,
}

/// One order.
#[derive(Object)]
struct RescoringView {
    id: String,
    state: RescoringStateView,
    scorecard_id: String,
    scorecard_version: u32,
    scorecard_name: String,
    author: String,
    started_at: String,
    ended_at: Option<String>,
    /// Calls in it.
    total: u64,
    /// Done, those left out included.
    done: u64,
    /// Left out: without a transcript, at work, deleted.
    skipped: u64,
}

/// All orders that are kept, the latest first.
#[derive(Object)]
struct RescoringsView {
    items: Vec<RescoringView>,
}

/// Which calls; neither ids nor a filter is all that have a score.
#[derive(Object)]
struct RescoringRequest {
    ids: Option<Vec<String>>,
    filter: Option<CallFilter>,
}

/// Percents of a call.
#[derive(Object)]
struct PercentsView {
    overall_percent: Option<f64>,
    criteria: Vec<CriterionView>,
}

/// One call of an order.
#[derive(Object)]
struct RescoredView {
    call_id: String,
    filename: Option<String>,
    operator: Option<String>,
    state: RescoredStateView,
    before: Option<PercentsView>,
    /// Right after, by the rules.
    after: Option<PercentsView>,
    /// What the call has now: a language model may have judged it since.
    now: Option<PercentsView>,
    /// Items whose verdict became another.
    changed_items: u32,
}

/// What the order changed, the largest differences first.
#[derive(Object)]
struct RescoringReport {
    order: RescoringView,
    /// Averages over the calls that were scored.
    before: AveragesView,
    after: AveragesView,
    now: AveragesView,
    /// Calls with another overall percent than before: lower, the same, higher.
    lower: u64,
    same: u64,
    higher: u64,
    items: Vec<RescoredView>,
    total: u64,
    page: u32,
    page_size: u32,
}

impl From<Rescoring> for RescoringView {
    fn from(order: Rescoring) -> Self {
        Self {
            id: order.id,
            state: match order.state {
                RescoringState::Running => RescoringStateView::Running,
                RescoringState::Completed => RescoringStateView::Completed,
                RescoringState::Cancelled => RescoringStateView::Cancelled,
            },
            scorecard_id: order.card.id,
            scorecard_version: order.card.version,
            scorecard_name: order.card_name,
            author: order.author,
            started_at: order.started_at.to_string(),
            ended_at: order.ended_at.map(|at| at.to_string()),
            total: order.total,
            done: order.done,
            skipped: order.skipped,
        }
    }
}

impl From<&ScoreSummary> for PercentsView {
    fn from(score: &ScoreSummary) -> Self {
        Self {
            overall_percent: score.overall_percent,
            criteria: score.criteria.iter().map(CriterionView::from).collect(),
        }
    }
}

fn row_view(row: Rescored, entry: Option<Entry>) -> RescoredView {
    let call = entry.map(|entry| entry.call);
    RescoredView {
        call_id: row.call_id.to_string(),
        filename: call.as_ref().map(|call| call.filename.clone()),
        operator: call.as_ref().and_then(|call| call.operator.clone()),
        state: match row.state {
            RescoredState::Waiting => RescoredStateView::Waiting,
            RescoredState::Scored => RescoredStateView::Scored,
            RescoredState::NoTranscript => RescoredStateView::NoTranscript,
            RescoredState::AtWork => RescoredStateView::AtWork,
            RescoredState::Deleted => RescoredStateView::Deleted,
            RescoredState::Failed => RescoredStateView::Failed,
        },
        before: row.before.as_ref().map(PercentsView::from),
        after: row.after.as_ref().map(PercentsView::from),
        now: call
            .and_then(|call| call.score)
            .as_ref()
            .map(PercentsView::from),
        changed_items: row.changed_items,
    }
}

/// How far the overall percent went, for the order of a report.
fn distance(row: &Rescored) -> f64 {
    let overall = |score: &Option<ScoreSummary>| score.as_ref().and_then(|s| s.overall_percent);
    match (overall(&row.before), overall(&row.after)) {
        (Some(before), Some(after)) => (after - before).abs(),
        (None, None) => -1.0,
        _ => 100.0,
    }
}

#[OpenApi]
impl RescoringsApi {
    /// All orders to score calls again, the latest first.
    #[oai(path = "/rescorings", method = "get", operation_id = "rescorings")]
    async fn list(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<RescoringsView>, ApiError> {
        let orders = parts.store.run(|store| store.rescorings()).await?;
        Ok(Json(RescoringsView {
            items: orders.into_iter().map(RescoringView::from).collect(),
        }))
    }

    /// Score calls of the past with the scorecard in force, in the background.
    #[oai(path = "/rescorings", method = "post", operation_id = "rescore")]
    async fn begin(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        request: Json<RescoringRequest>,
    ) -> Result<Json<RescoringView>, ApiError> {
        let request = request.0;
        let author = who.user().name.clone();
        let chosen: Option<HashSet<CallId>> = match request.ids {
            Some(ids) => {
                let parsed = ids
                    .iter()
                    .map(|id| id.parse().map_err(|_| ApiError::not_found()));
                Some(parsed.collect::<Result<_, _>>()?)
            }
            None => None,
        };
        let filter = request.filter.unwrap_or_default().read(who.sight())?;
        let (search, rescorings) = (Arc::clone(&parts.search), Arc::clone(&parts.rescorings));
        let order = parts
            .store
            .run(move |store| {
                let calls = report::select(store, &search, &filter).map(|entries| {
                    let wanted = entries.into_iter().filter(|entry| {
                        let id = &entry.call.id;
                        entry.job.state == JobState::Completed
                            && chosen.as_ref().is_none_or(|chosen| chosen.contains(id))
                    });
                    wanted.map(|entry| entry.call.id).collect::<Vec<_>>()
                });
                Ok(calls.map(|calls| match calls.as_slice() {
                    [] => None,
                    calls => Some(rescorings.begin(calls, &author)),
                }))
            })
            .await??;
        match order {
            Some(order) => Ok(Json(order?.into())),
            None => Err(ApiError::bad_request(
                "no_calls",
                "No call of these has a transcript that could be scored.",
            )),
        }
    }

    /// How far an order is, and what it changed.
    #[oai(path = "/rescorings/:id", method = "get", operation_id = "rescoring")]
    async fn one(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1–200, 25 when left out.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<RescoringReport>, ApiError> {
        let (page, page_size) = page_of(page.0, page_size.0)?;
        let report = parts
            .store
            .run(move |store| {
                let order = store.rescoring(&id.0)?.ok_or(StoreError::NoSuchRescoring)?;
                let mut rows = store.rescored(&id.0, None, usize::MAX)?;
                rows.sort_by(|a, b| {
                    let scored = |row: &Rescored| row.state == RescoredState::Scored;
                    scored(b)
                        .cmp(&scored(a))
                        .then_with(|| distance(b).total_cmp(&distance(a)))
                        .then_with(|| b.changed_items.cmp(&a.changed_items))
                });
                let (mut lower, mut same, mut higher) = (0, 0, 0);
                let mut now = Vec::new();
                for row in rows.iter().filter(|row| row.state == RescoredState::Scored) {
                    let entry = store.entry(&row.call_id)?;
                    let current = entry.and_then(|entry| entry.call.score);
                    let overall = |score: &Option<ScoreSummary>| score.as_ref()?.overall_percent;
                    match overall(&row.before).partial_cmp(&overall(&current)) {
                        Some(std::cmp::Ordering::Greater) => lower += 1,
                        Some(std::cmp::Ordering::Less) => higher += 1,
                        _ => same += 1,
                    }
                    now.extend(current);
                }
                let averages = |scores: &mut dyn Iterator<Item = &ScoreSummary>| {
                    AveragesView::from(report::averages_of(scores))
                };
                let before = averages(&mut rows.iter().filter_map(|row| row.before.as_ref()));
                let after = averages(&mut rows.iter().filter_map(|row| row.after.as_ref()));
                let total = rows.len() as u64;
                let mut items = Vec::new();
                let skipped = (page as usize - 1).saturating_mul(page_size as usize);
                for row in rows.into_iter().skip(skipped).take(page_size as usize) {
                    let entry = store.entry(&row.call_id)?;
                    items.push(row_view(row, entry));
                }
                Ok(RescoringReport {
                    order: order.into(),
                    before,
                    after,
                    now: averages(&mut now.iter()),
                    lower,
                    same,
                    higher,
                    items,
                    total,
                    page,
                    page_size,
                })
            })
            .await?;
        Ok(Json(report))
    }

    /// Stop an order. What was scored stays so.
    #[oai(
        path = "/rescorings/:id/cancel",
        method = "post",
        operation_id = "cancelRescoring"
    )]
    async fn cancel(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
    ) -> Result<Json<RescoringView>, ApiError> {
        let rescorings = Arc::clone(&parts.rescorings);
        let order = parts.store.run(move |_| rescorings.cancel(&id.0)).await?;
        Ok(Json(order.into()))
    }
}
