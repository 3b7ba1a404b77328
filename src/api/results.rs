//! Lists of calls with filters.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::auth::{ReadCalls, Who};
use super::call_filter::CallFilter;
use super::error::ApiError;
use super::filters::{bad_filter, page_of, text};
use super::views::{CallView, CriterionView};
use crate::app::Parts;
use crate::report::{self, Averages, Sort, SortKey};

pub(super) struct ResultsApi;

/// Averages over a set of calls.
#[derive(Object)]
pub(super) struct AveragesView {
    /// Calls that have an overall percent.
    scored: u64,
    overall_percent: Option<f64>,
    criteria: Vec<CriterionView>,
}

/// One page of a list.
#[derive(Object)]
struct ResultsPage {
    items: Vec<CallView>,
    /// Calls in the whole filtered set.
    total: u64,
    page: u32,
    page_size: u32,
    averages: AveragesView,
    levels: LevelsView,
}

/// How many calls of the filtered set are at which level.
#[derive(Object)]
struct LevelsView {
    /// 1: speakers told apart, judged by a language model.
    full: u64,
    /// 2: scored by the rules.
    rules: u64,
    /// 3: speakers not told apart.
    unseparated: u64,
    /// 4: not transcribed.
    unheard: u64,
}

impl From<Averages> for AveragesView {
    fn from(averages: Averages) -> Self {
        Self {
            scored: averages.scored,
            overall_percent: averages.overall_percent,
            criteria: averages.criteria.iter().map(CriterionView::from).collect(),
        }
    }
}

#[OpenApi]
impl ResultsApi {
    /// Calls that pass the filters, a page of them, with the averages of all of them.
    #[oai(path = "/results", method = "get", operation_id = "results")]
    #[allow(clippy::too_many_arguments)]
    async fn results(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        /// Operator's name.
        operator: Query<Option<String>>,
        /// RFC 3339 time or `YYYY-MM-DD`; inclusive.
        date_from: Query<Option<String>>,
        /// RFC 3339 time or `YYYY-MM-DD`; inclusive.
        date_to: Query<Option<String>>,
        /// Overall percent at least.
        score_min: Query<Option<f64>>,
        /// Overall percent at most.
        score_max: Query<Option<f64>>,
        /// One or several, separated by commas.
        status: Query<Option<String>>,
        /// Seconds.
        duration_min: Query<Option<f64>>,
        /// Seconds.
        duration_max: Query<Option<f64>>,
        /// Digits of the caller's number, in any form.
        callerphone: Query<Option<String>>,
        /// Digits of the number that was called.
        calledphone: Query<Option<String>>,
        /// Digits of our person's phone, or the extension.
        operatorphone: Query<Option<String>>,
        /// An order.
        order_id: Query<Option<String>>,
        /// `upload`, `sftp`, `pull`, `import`, `mango`, `calltouch`; several separated by commas.
        source: Query<Option<String>>,
        /// A tag.
        tag: Query<Option<String>>,
        /// 1 to 4, several separated by commas: see `level` of a call.
        level: Query<Option<String>>,
        /// An id of another system: of MANGO, of Calltouch, of the file's name.
        external_id: Query<Option<String>>,
        /// `true`: with an open dispute about a verdict; `false`: without one.
        disputed: Query<Option<bool>>,
        /// Words said (any form), file name, operator; "in quotes" as a phrase.
        q: Query<Option<String>>,
        /// Key of a topic of `/trackers` that was touched.
        topic: Query<Option<String>>,
        /// `created_at`, `started_at`, `duration`, `score`, `operator`, `filename`, `status` or `criterion:KEY`; `-` in front for descending.
        sort: Query<Option<String>>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1–200, 25 when left out.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<ResultsPage>, ApiError> {
        let filter = CallFilter {
            operator: operator.0,
            date_from: date_from.0,
            date_to: date_to.0,
            score_min: score_min.0,
            score_max: score_max.0,
            status: status.0,
            duration_min: duration_min.0,
            duration_max: duration_max.0,
            callerphone: callerphone.0,
            calledphone: calledphone.0,
            operatorphone: operatorphone.0,
            order_id: order_id.0,
            source: source.0,
            tag: tag.0,
            level: level.0,
            external_id: external_id.0,
            disputed: disputed.0,
            q: q.0,
            topic: topic.0,
        }
        .read(who.sight())?;
        let sort = parse_sort(text(sort.0).as_deref().unwrap_or("-created_at"))?;
        let (page, page_size) = page_of(page.0, page_size.0)?;
        let search = Arc::clone(&parts.search);
        let found = parts
            .store
            .run(move |store| {
                Ok(report::list(
                    store,
                    &search,
                    &filter,
                    &sort,
                    page as usize,
                    page_size as usize,
                ))
            })
            .await??;
        Ok(Json(ResultsPage {
            items: found
                .entries
                .iter()
                .map(|entry| CallView::new(entry, parts.runner.stage_progress(&entry.call.id)))
                .collect(),
            total: found.total,
            page,
            page_size,
            averages: found.averages.into(),
            levels: LevelsView {
                full: found.levels[0],
                rules: found.levels[1],
                unseparated: found.levels[2],
                unheard: found.levels[3],
            },
        }))
    }
}

fn parse_sort(text: &str) -> Result<Sort, ApiError> {
    let (descending, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text),
    };
    let key = match name {
        "created_at" => SortKey::CreatedAt,
        "started_at" => SortKey::StartedAt,
        "duration" => SortKey::Duration,
        "score" => SortKey::Score,
        "operator" => SortKey::Operator,
        "filename" => SortKey::Filename,
        "status" => SortKey::Status,
        other => match other.strip_prefix("criterion:") {
            Some(key) if !key.is_empty() => SortKey::Criterion(key.to_owned()),
            _ => {
                return Err(bad_filter(format!(
                    "The list cannot be ordered by {name:?}."
                )));
            }
        },
    };
    Ok(Sort { key, descending })
}
