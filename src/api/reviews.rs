//! What people say of a score, disputes over all calls, agreement, and percents over time.

use std::sync::Arc;

use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{ReadCalls, Review, Who};
use super::calls::detail;
use super::detail::CallDetail;
use super::error::ApiError;
use super::filters::{page_of, text, time_in};
use super::review_view::{ItemReviewView, ReviewEntryView};
use super::score_view::{EngineView, VerdictView};
use super::views::CriterionView;
use crate::app::Parts;
use crate::domain::Role;
use crate::domain::access::Sight;
use crate::domain::agreement::{Confusion, MIN_SAMPLE, NoKappa};
use crate::domain::periods::Step as PeriodStep;
use crate::domain::review::{Given, Seen, Step};
use crate::report::quality::{self, AgreementFilter, Dispute, DisputeState, ItemAgreement, Scope};
use crate::store::StoreError;

pub(super) struct ReviewsApi;

/// What a person wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum ReviewActRequest {
    /// The verdict that counts is right.
    Confirm,
    /// Another verdict.
    Change,
    /// Take back what people said: the machine's verdict counts again.
    Withdraw,
    /// The verdict that counts is wrong; somebody else shall decide.
    Dispute,
    /// Settle the dispute with another verdict.
    Accept,
    /// Settle the dispute and leave the verdict.
    Decline,
}

/// What a person says of an item.
#[derive(Object)]
struct ReviewRequest {
    /// Key of the item.
    item: String,
    act: ReviewActRequest,
    /// For `change` and `accept`: `met`, `failed` or `not_applicable`.
    verdict: Option<VerdictView>,
    /// Why; needed for all but `confirm` and `withdraw`.
    comment: Option<String>,
    /// The verdict that counted when it was looked at; another one refuses the review.
    seen_verdict: VerdictView,
    /// `revision` of the item that was looked at; another one refuses the review.
    revision: u32,
}

#[derive(Object)]
struct ReviewsView {
    /// By the key of the item.
    items: Vec<ItemReviewView>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum DisputeStateView {
    Open,
    Accepted,
    Declined,
}

/// A dispute about a verdict.
#[derive(Object)]
struct DisputeRowView {
    call_id: String,
    filename: String,
    operator: Option<String>,
    /// When the conversation began, or else when it arrived, RFC 3339.
    call_at: String,
    item: String,
    name: String,
    name_en: Option<String>,
    state: DisputeStateView,
    opened: ReviewEntryView,
    settled: Option<ReviewEntryView>,
    /// What counts now; null when the item is no longer scored.
    verdict: Option<VerdictView>,
    /// What the machine says now.
    machine_verdict: Option<VerdictView>,
    /// Entries about the item: sent back with what settles it.
    revision: u32,
}

#[derive(Object)]
struct DisputesPage {
    /// The latest first.
    items: Vec<DisputeRowView>,
    /// Disputes in the state asked for.
    total: u64,
    /// Open disputes in all.
    open: u64,
    page: u32,
    page_size: u32,
}

/// Why there is no kappa.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum NoKappaView {
    /// Fewer pairs than `min_sample`.
    TooFew,
    /// The machine or the people always said the same.
    OneCategory,
}

/// How often the machine and people said the same.
#[derive(Object)]
struct VerdictPairsView {
    /// Pairs of verdicts.
    n: u64,
    /// Share of the same ones, 0–1; null without any.
    share: Option<f64>,
    /// Cohen's kappa, −1 to 1.
    kappa: Option<f64>,
    no_kappa: Option<NoKappaView>,
    /// `counts[machine][person]`; both in the order met, failed, not_applicable.
    counts: Vec<Vec<u64>>,
    /// Items on which the machine gave no verdict it could prove; in no other number.
    undecided: u64,
}

#[derive(Object)]
struct ItemAgreementView {
    scorecard_id: String,
    item: String,
    name: String,
    name_en: Option<String>,
    pairs: VerdictPairsView,
}

/// How far people and the machine agree.
#[derive(Object)]
struct AgreementView {
    /// The worst first.
    items: Vec<ItemAgreementView>,
    /// Over all items.
    all: VerdictPairsView,
    /// Calls that people looked at.
    calls: u64,
    /// Words that left the machine's verdict as it was.
    confirmed: u64,
    /// Words that changed it.
    changed: u64,
    /// Fewer pairs than this give no kappa.
    min_sample: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enum)]
#[oai(rename_all = "snake_case")]
enum PeriodStepView {
    Day,
    /// From Monday on.
    Week,
    Month,
}

#[derive(Object)]
struct ScorePeriodView {
    /// First day, `YYYY-MM-DD`.
    start: String,
    /// Calls that have an overall percent.
    scored: u64,
    /// Mean of their overall percents, with what people said of the verdicts.
    overall_percent: Option<f64>,
    /// Mean of each criterion.
    criteria: Vec<CriterionView>,
}

#[derive(Object)]
struct DynamicsView {
    operator: Option<String>,
    step: PeriodStepView,
    /// By the clock of this zone.
    time_zone: String,
    /// One after the other, those without calls as well.
    periods: Vec<ScorePeriodView>,
}

/// Under whose name the step is taken: an operator can dispute, and nothing else.
fn reviewer(who: &Who<Review>, step: Step) -> Result<String, ApiError> {
    let user = who.user();
    if user.role == Role::Operator && !matches!(step, Step::Dispute) {
        return Err(ApiError::forbidden(
            "only_dispute",
            "An operator can dispute a verdict; a supervisor decides.",
        ));
    }
    who.trace().note(format!("{step:?}"));
    tracing::info!(user = user.name, ?step, "a verdict is reviewed");
    Ok(user.name.clone())
}

#[OpenApi]
impl ReviewsApi {
    /// Confirm or change the verdict on an item, take that back, dispute it, or settle a dispute.
    /// The machine's verdict stays visible; the percents follow the people's word.
    #[oai(
        path = "/results/:id/reviews",
        method = "post",
        operation_id = "reviewItem"
    )]
    async fn review(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Review>,
        id: Path<String>,
        request: Json<ReviewRequest>,
    ) -> Result<Json<CallDetail>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let ReviewRequest {
            item,
            act,
            verdict,
            comment,
            seen_verdict,
            revision,
        } = request.0;
        let wanted = || {
            verdict.map(Into::into).ok_or_else(|| {
                ApiError::bad_request(
                    "bad_verdict",
                    "Say which verdict it shall be: met, failed or not_applicable.",
                )
            })
        };
        let step = match act {
            ReviewActRequest::Confirm => Step::Confirm,
            ReviewActRequest::Change => Step::Change(wanted()?),
            ReviewActRequest::Withdraw => Step::Withdraw,
            ReviewActRequest::Dispute => Step::Dispute,
            ReviewActRequest::Accept => Step::Accept(wanted()?),
            ReviewActRequest::Decline => Step::Decline,
        };
        let author = reviewer(&who, step)?;
        let (runner, wanted) = (Arc::clone(&parts.runner), id.clone());
        parts
            .store
            .run(move |store| {
                let given = Given {
                    step,
                    seen: Seen {
                        verdict: seen_verdict.into(),
                        revision,
                    },
                    comment: comment.as_deref().unwrap_or_default(),
                    author: &author,
                    at: Timestamp::now(),
                };
                store.review(&wanted, &item, &given)?;
                let entry = store.entry(&wanted)?.ok_or(StoreError::NotFound)?;
                runner.announce(&entry.job);
                Ok(())
            })
            .await?;
        detail(parts, id).await
    }

    /// All that people said of a call's verdicts.
    #[oai(
        path = "/results/:id/reviews",
        method = "get",
        operation_id = "reviews"
    )]
    async fn reviews(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<ReviewsView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let (reviews, score) = parts
            .store
            .run(move |store| {
                store.entry(&id)?.ok_or(StoreError::NotFound)?;
                Ok((store.reviews(&id)?, store.score(&id)?))
            })
            .await?;
        let scored = |key: &str| {
            let criteria = score.iter().flat_map(|score| &score.criteria);
            criteria
                .flat_map(|criterion| &criterion.items)
                .any(|item| item.key == key)
        };
        Ok(Json(ReviewsView {
            items: reviews
                .iter()
                .map(|review| ItemReviewView::new(review, scored(&review.item)))
                .collect(),
        }))
    }

    /// Disputes about verdicts, over all calls.
    #[oai(path = "/disputes", method = "get", operation_id = "disputes")]
    async fn disputes(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        /// Those of any state when left out.
        state: Query<Option<DisputeStateView>>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1–200, 25 when left out.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<DisputesPage>, ApiError> {
        let (page, page_size) = page_of(page.0, page_size.0)?;
        let state = state.0.map(|state| match state {
            DisputeStateView::Open => DisputeState::Open,
            DisputeStateView::Accepted => DisputeState::Accepted,
            DisputeStateView::Declined => DisputeState::Declined,
        });
        let sight = who.sight().clone();
        let found = parts
            .store
            .run(move |store| {
                quality::disputes(store, &sight, state, page as usize, page_size as usize)
            })
            .await?;
        Ok(Json(DisputesPage {
            items: found.rows.iter().map(DisputeRowView::from).collect(),
            total: found.total,
            open: found.open,
            page,
            page_size,
        }))
    }

    /// How far people and the machine agree on each item, over the items that people looked at.
    #[oai(
        path = "/quality/agreement",
        method = "get",
        operation_id = "agreement"
    )]
    #[allow(clippy::too_many_arguments)]
    async fn agreement(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        /// Operator's name.
        operator: Query<Option<String>>,
        /// Calls from then on: RFC 3339 time or `YYYY-MM-DD` in the zone of the settings.
        from: Query<Option<String>>,
        /// Calls up to then; inclusive.
        to: Query<Option<String>>,
        /// Id of a scorecard.
        scorecard: Query<Option<String>>,
        /// Its version.
        scorecard_version: Query<Option<u32>>,
        /// Verdicts of the rules or of a language model.
        engine: Query<Option<EngineView>>,
        /// Name of a language model.
        model: Query<Option<String>>,
    ) -> Result<Json<AgreementView>, ApiError> {
        let filter = AgreementFilter {
            scope: scope(parts, who.sight(), operator.0, from.0, to.0)?,
            scorecard: text(scorecard.0),
            scorecard_version: scorecard_version.0,
            engine: engine.0.map(Into::into),
            model: text(model.0),
        };
        let found = parts
            .store
            .run(move |store| quality::agreement(store, &filter))
            .await?;
        Ok(Json(AgreementView {
            items: found.items.iter().map(ItemAgreementView::from).collect(),
            all: VerdictPairsView::from(&found.total),
            calls: found.calls,
            confirmed: found.confirmed,
            changed: found.changed,
            min_sample: MIN_SAMPLE,
        }))
    }

    /// Mean percents over time, of one operator or of all.
    #[oai(path = "/quality/dynamics", method = "get", operation_id = "dynamics")]
    async fn dynamics(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        /// Operator's name; all calls when left out.
        operator: Query<Option<String>>,
        /// Calls from then on: RFC 3339 time or `YYYY-MM-DD` in the zone of the settings.
        from: Query<Option<String>>,
        /// Calls up to then; inclusive.
        to: Query<Option<String>>,
        /// `week` when left out.
        step: Query<Option<PeriodStepView>>,
    ) -> Result<Json<DynamicsView>, ApiError> {
        let zone = parts.config.names.time_zone.clone();
        let time_zone = zone.iana_name().unwrap_or("UTC").to_owned();
        let scope = scope(parts, who.sight(), operator.0, from.0, to.0)?;
        let operator = scope.operator.clone();
        let view = step.0.unwrap_or(PeriodStepView::Week);
        let step = match view {
            PeriodStepView::Day => PeriodStep::Day,
            PeriodStepView::Week => PeriodStep::Week,
            PeriodStepView::Month => PeriodStep::Month,
        };
        let periods = parts
            .store
            .run(move |store| Ok(quality::dynamics(store, &scope, step, &zone)))
            .await??;
        Ok(Json(DynamicsView {
            operator,
            step: view,
            time_zone,
            periods: periods
                .into_iter()
                .map(|period| ScorePeriodView {
                    start: period.start.to_string(),
                    scored: period.averages.scored,
                    overall_percent: period.averages.overall_percent,
                    criteria: period
                        .averages
                        .criteria
                        .iter()
                        .map(CriterionView::from)
                        .collect(),
                })
                .collect(),
        }))
    }
}

fn scope(
    parts: &Parts,
    sight: &Sight,
    operator: Option<String>,
    from: Option<String>,
    to: Option<String>,
) -> Result<Scope, ApiError> {
    let zone = &parts.config.names.time_zone;
    Ok(Scope {
        sight: sight.clone(),
        operator: text(operator),
        from: time_in(zone, "from", from, false)?,
        to: time_in(zone, "to", to, true)?,
    })
}

impl From<&Dispute> for DisputeRowView {
    fn from(dispute: &Dispute) -> Self {
        let counts = dispute
            .machine
            .map(|machine| dispute.review.verdict(machine));
        Self {
            call_id: dispute.call_id.to_string(),
            filename: dispute.filename.clone(),
            operator: dispute.operator.clone(),
            call_at: dispute.call_at.to_string(),
            item: dispute.review.item.clone(),
            name: dispute.review.name.clone(),
            name_en: dispute.review.name_en.clone(),
            state: match dispute.state() {
                DisputeState::Open => DisputeStateView::Open,
                DisputeState::Accepted => DisputeStateView::Accepted,
                DisputeState::Declined => DisputeStateView::Declined,
            },
            opened: ReviewEntryView::from(&dispute.opened),
            settled: dispute.settled.as_ref().map(ReviewEntryView::from),
            verdict: counts.map(Into::into),
            machine_verdict: dispute.machine.map(Into::into),
            revision: dispute.review.revision(),
        }
    }
}

impl From<&Confusion> for VerdictPairsView {
    fn from(pairs: &Confusion) -> Self {
        let kappa = pairs.kappa();
        Self {
            n: pairs.n(),
            share: pairs.share(),
            kappa: kappa.ok(),
            no_kappa: kappa.err().map(|why| match why {
                NoKappa::TooFew => NoKappaView::TooFew,
                NoKappa::OneCategory => NoKappaView::OneCategory,
            }),
            counts: pairs.counts.iter().map(|row| row.to_vec()).collect(),
            undecided: pairs.undecided,
        }
    }
}

impl From<&ItemAgreement> for ItemAgreementView {
    fn from(item: &ItemAgreement) -> Self {
        Self {
            scorecard_id: item.scorecard_id.clone(),
            item: item.item.clone(),
            name: item.name.clone(),
            name_en: item.name_en.clone(),
            pairs: VerdictPairsView::from(&item.confusion),
        }
    }
}
