//! State of the outside systems, and what can be asked of them.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::BASE;
use super::auth::{Settings, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::domain::notice::{MANGO_LANE, calltouch_lane};
use crate::intake::Fault;
use crate::intake::outside::{Outside, SyncError};
use crate::store::StoreError;

/// Most errands shown.
const SHOWN: usize = 50;

pub(super) struct OutsideApi;

/// Something that is to be fetched.
#[derive(Object)]
struct ErrandView {
    /// What it is; no key in it.
    name: String,
    attempts: u32,
    /// RFC 3339; null when nothing more happens by itself.
    next_at: Option<String>,
    error: Option<String>,
}

/// State of an account of an outside system.
#[derive(Object)]
struct LaneView {
    /// `mango` or `calltouch/SITE`.
    name: String,
    /// Nothing is asked of it any more: why.
    stopped: Option<String>,
    /// Nothing is asked of it before, RFC 3339.
    paused_until: Option<String>,
    last_error: Option<String>,
    last_error_at: Option<String>,
    /// What the last synchronisation found.
    synced: Option<String>,
    synced_at: Option<String>,
    /// Errands that wait.
    waiting: u64,
    /// Errands that were given up.
    failed: u64,
    /// The first of both, those that were given up first.
    errands: Vec<ErrandView>,
}

/// State of MANGO OFFICE.
#[derive(Object)]
struct MangoView {
    enabled: bool,
    /// Path of the external system's address, to be written into MANGO.
    events_path: String,
    lane: Option<LaneView>,
}

/// State of Calltouch.
#[derive(Object)]
struct CalltouchView {
    /// Path of the webhook with its secret, to be written into Calltouch.
    webhook_path: String,
    /// When the calls of the last two days are asked for.
    sync_at: Option<String>,
    lanes: Vec<LaneView>,
}

/// A range of time.
#[derive(Object)]
struct RangeRequest {
    /// `YYYY-MM-DD`.
    date_from: String,
    /// `YYYY-MM-DD`, inclusive.
    date_to: String,
}

/// What was begun.
#[derive(Object)]
struct BegunView {
    /// Requests that wait now; 0: the same ones wait already.
    errands: u64,
}

/// What is tried again.
#[derive(Object)]
struct ResumedView {
    /// Errands that were given up and wait again.
    errands: u64,
}

/// The answer to what could not be asked of an outside system.
pub(super) fn outside_error(error: SyncError) -> ApiError {
    match error {
        SyncError::Wrong(message) => ApiError::bad_request("bad_request", message),
        SyncError::Store(error) => error.into(),
        SyncError::Fault(
            Fault::Later { .. }
            | Fault::NotReady(_)
            | Fault::Refused(_)
            | Fault::Unusable(_)
            | Fault::Locked(_),
        ) => ApiError::outside(&error),
    }
}

fn lane(outside: &Outside, name: String) -> Result<LaneView, StoreError> {
    let (product, mut errands) = outside.state(&name)?;
    errands.sort_by_key(|waiting| (!waiting.failed, waiting.not_before));
    let failed = errands.iter().filter(|waiting| waiting.failed).count();
    let now = Timestamp::now();
    Ok(LaneView {
        name,
        stopped: product
            .stopped
            .map(|stopped| format!("{} ({})", stopped.reason, stopped.at)),
        paused_until: product
            .paused_until
            .filter(|pause| *pause > now)
            .map(|pause| pause.to_string()),
        last_error_at: product.last_error.as_ref().map(|(at, _)| at.to_string()),
        last_error: product.last_error.map(|(_, reason)| reason),
        synced_at: product.synced.as_ref().map(|(at, _)| at.to_string()),
        synced: product.synced.map(|(_, what)| what),
        waiting: (errands.len() - failed) as u64,
        failed: failed as u64,
        errands: errands
            .into_iter()
            .take(SHOWN)
            .map(|waiting| ErrandView {
                name: waiting.errand.key(),
                attempts: waiting.attempts,
                next_at: (!waiting.failed).then(|| waiting.not_before.to_string()),
                error: waiting.last_error,
            })
            .collect(),
    })
}

fn days(range: &RangeRequest) -> Result<(Date, Date), ApiError> {
    let day = |name: &str, text: &str| {
        text.trim().parse::<Date>().map_err(|_| {
            ApiError::bad_request(
                "bad_request",
                format!("{name} is a date such as 2026-01-31."),
            )
        })
    };
    Ok((
        day("date_from", &range.date_from)?,
        day("date_to", &range.date_to)?,
    ))
}

#[OpenApi]
impl OutsideApi {
    /// State of MANGO OFFICE.
    #[oai(path = "/mango", method = "get", operation_id = "mango")]
    async fn mango(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<MangoView>, ApiError> {
        let outside = Arc::clone(&parts.outside);
        let enabled = parts.config.mango.enabled;
        let lane = parts
            .store
            .run(move |_| {
                enabled
                    .then(|| lane(&outside, MANGO_LANE.to_owned()))
                    .transpose()
            })
            .await?;
        Ok(Json(MangoView {
            enabled,
            events_path: parts.config.mango.events_path.clone(),
            lane,
        }))
    }

    /// Ask MANGO for the calls of some days and fetch the recordings that are missing.
    #[oai(path = "/mango/sync", method = "post", operation_id = "syncMango")]
    async fn sync_mango(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        range: Json<RangeRequest>,
    ) -> Result<Json<BegunView>, ApiError> {
        let (from, to) = days(&range.0)?;
        let zone = parts.config.names.time_zone.clone();
        let begin = |day: Date| {
            zone.to_timestamp(day.at(0, 0, 0, 0))
                .map_err(|error| ApiError::bad_request("bad_request", error.to_string()))
        };
        let after = to
            .tomorrow()
            .map_err(|error| ApiError::bad_request("bad_request", error.to_string()))?;
        let (from, to) = (begin(from)?, begin(after)?.min(Timestamp::now()));
        let outside = Arc::clone(&parts.outside);
        let errands = parts
            .store
            .run(move |_| Ok(outside.mango_sync(from, to)))
            .await?
            .map_err(outside_error)?;
        Ok(Json(BegunView { errands }))
    }

    /// Ask MANGO again after it refused the key, and try what was given up.
    #[oai(path = "/mango/resume", method = "post", operation_id = "resumeMango")]
    async fn resume_mango(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
    ) -> Result<Json<ResumedView>, ApiError> {
        tracing::info!(user = who.user().name, "MANGO is asked again");
        let outside = Arc::clone(&parts.outside);
        let errands = parts.store.run(move |_| outside.resume(MANGO_LANE)).await?;
        Ok(Json(ResumedView { errands }))
    }

    /// State of Calltouch, with the address of the webhook.
    #[oai(path = "/calltouch", method = "get", operation_id = "calltouch")]
    async fn calltouch(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<CalltouchView>, ApiError> {
        let outside = Arc::clone(&parts.outside);
        let lanes = parts
            .store
            .run(move |_| {
                let sites = outside.calltouch().sites();
                sites
                    .into_iter()
                    .map(|site| lane(&outside, calltouch_lane(site)))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        Ok(Json(CalltouchView {
            webhook_path: format!(
                "{BASE}/calltouch/webhook/{}",
                parts.outside.webhook_secret()
            ),
            sync_at: parts
                .config
                .calltouch
                .sync_at
                .map(|at| at.strftime("%H:%M").to_string()),
            lanes,
        }))
    }

    /// Ask Calltouch for the calls of some days and fetch the recordings that are missing.
    #[oai(
        path = "/calltouch/sync",
        method = "post",
        operation_id = "syncCalltouch"
    )]
    async fn sync_calltouch(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        range: Json<RangeRequest>,
    ) -> Result<Json<BegunView>, ApiError> {
        let (from, to) = days(&range.0)?;
        let outside = Arc::clone(&parts.outside);
        let errands = parts
            .store
            .run(move |_| Ok(outside.calltouch_sync(from, to)))
            .await?
            .map_err(outside_error)?;
        Ok(Json(BegunView { errands }))
    }

    /// Ask Calltouch again after it refused a key, and try what was given up.
    #[oai(
        path = "/calltouch/resume",
        method = "post",
        operation_id = "resumeCalltouch"
    )]
    async fn resume_calltouch(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
    ) -> Result<Json<ResumedView>, ApiError> {
        tracing::info!(user = who.user().name, "Calltouch is asked again");
        let outside = Arc::clone(&parts.outside);
        let errands = parts
            .store
            .run(move |_| {
                let mut again = 0;
                for site in outside.calltouch().sites() {
                    again += outside.resume(&calltouch_lane(site))?;
                }
                Ok(again)
            })
            .await?;
        Ok(Json(ResumedView { errands }))
    }
}
