//! What a call was about: summary, next step, objections, topics.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{EditCalls, ReadCalls, Who};
use super::calls::entry;
use super::error::ApiError;
use super::question_views::{QuoteView, WhyView};
use crate::app::Parts;
use crate::domain::CallId;
use crate::domain::insight::{Insight, Point, Summary, Topic};
use crate::domain::score::Engine;
use crate::domain::tracker::Trackers;

pub(super) struct InsightsApi;

/// Who made a summary.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum MadeBy {
    /// Rules, of the call's own words.
    Rules,
    /// A language model, in its words.
    Model,
}

/// Something that was said.
#[derive(Object)]
struct PointView {
    text: String,
    /// Null: a model says so, and its proof is not in the transcript.
    quote: Option<QuoteView>,
}

/// A short summary.
#[derive(Object)]
struct SummaryView {
    by: MadeBy,
    /// What the call was about; by rules the client's request.
    about: Option<PointView>,
    next_step: Option<PointView>,
    objections: Vec<PointView>,
    model: Option<String>,
    /// Why no model made it.
    why: Option<WhyView>,
}

/// A topic that was touched.
#[derive(Object)]
struct TopicView {
    key: String,
    name: String,
    name_en: Option<String>,
    /// How often.
    count: u32,
    /// The first places.
    quotes: Vec<QuoteView>,
}

/// What a call was about.
#[derive(Object)]
struct InsightView {
    summary: SummaryView,
    /// Whether a model is still to make a better summary.
    waits: bool,
    topics: Vec<TopicView>,
    /// Version of the transcript it is about.
    version: u32,
}

/// What is known of what a call was about.
#[derive(Object)]
struct CallInsightView {
    /// Null until it is made, and for a call without words.
    insight: Option<InsightView>,
    /// Whether a model makes summaries at all.
    has_model: bool,
}

impl From<&Point> for PointView {
    fn from(point: &Point) -> Self {
        Self {
            text: point.text.clone(),
            quote: point.quote.as_ref().map(QuoteView::from),
        }
    }
}

impl From<&Summary> for SummaryView {
    fn from(summary: &Summary) -> Self {
        Self {
            by: match summary.by {
                Engine::Rules => MadeBy::Rules,
                Engine::Model => MadeBy::Model,
            },
            about: summary.about.as_ref().map(PointView::from),
            next_step: summary.next_step.as_ref().map(PointView::from),
            objections: summary.objections.iter().map(PointView::from).collect(),
            model: summary.model.clone(),
            why: summary.why.as_ref().map(WhyView::from),
        }
    }
}

/// A topic under its present name; a tracker that was removed is a topic no more.
fn topic(topic: &Topic, trackers: &Trackers) -> Option<TopicView> {
    let tracker = trackers.items.iter().find(|t| t.key == topic.key)?;
    Some(TopicView {
        key: topic.key.clone(),
        name: tracker.name.clone(),
        name_en: tracker.name_en.clone(),
        count: topic.count,
        quotes: topic.quotes.iter().map(QuoteView::from).collect(),
    })
}

fn view(insight: &Insight, trackers: &Trackers) -> InsightView {
    InsightView {
        summary: SummaryView::from(&insight.summary),
        waits: insight.waits,
        topics: insight
            .topics
            .iter()
            .filter_map(|found| topic(found, trackers))
            .collect(),
        version: insight.version,
    }
}

async fn read(parts: &Arc<Parts>, id: CallId) -> Result<Json<CallInsightView>, ApiError> {
    let (insight, trackers) = parts
        .store
        .run(move |store| Ok((store.insight(&id)?, store.trackers()?)))
        .await?;
    Ok(Json(CallInsightView {
        insight: insight.map(|insight| view(&insight, &trackers)),
        has_model: parts.insights.has_model(),
    }))
}

#[OpenApi]
impl InsightsApi {
    /// What a call was about: summary, next step, objections, topics.
    #[oai(
        path = "/results/:id/insight",
        method = "get",
        operation_id = "insight"
    )]
    async fn insight(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<CallInsightView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        entry(parts, id.clone()).await?;
        read(parts, id).await
    }

    /// Have the language model sum a call up, also where it was before.
    #[oai(path = "/results/:id/insight", method = "post", operation_id = "sumUp")]
    async fn again(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<EditCalls>,
        id: Path<String>,
    ) -> Result<Json<CallInsightView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        entry(parts, id.clone()).await?;
        if !parts.insights.has_model() {
            return Err(ApiError::conflict(
                "llm_off",
                "No language model makes summaries: set enabled = true in section [llm].",
            ));
        }
        let (insights, wanted) = (Arc::clone(&parts.insights), id.clone());
        parts.store.run(move |_| insights.again(&wanted)).await?;
        read(parts, id).await
    }
}
