//! The servers that recordings are pulled from: their state, their runs, run now.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::auth::{Settings, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::config::{PullAfter, PullSource};
use crate::domain::{PullRun, PullTrigger};
use crate::intake::pull::{PullRefusal, Pulls};
use crate::store::StoreError;

pub(super) struct PullApi;

/// Why a run was begun.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum PullTriggerView {
    /// It was time.
    Daily,
    /// The daily one failed or brought nothing.
    Fallback,
    /// A person asked for it.
    Manual,
}

/// One look at a server.
#[derive(Object)]
struct PullRunView {
    source: String,
    trigger: PullTriggerView,
    /// RFC 3339.
    started_at: String,
    /// RFC 3339; null while it runs.
    ended_at: Option<String>,
    /// So far, where it runs.
    duration_ms: u64,
    /// Files in the listing.
    found: u64,
    /// Files that became calls.
    new: u64,
    /// Files whose content was known already.
    known: u64,
    /// Files that were left alone: taken before, no recordings, empty, too old, still growing.
    skipped: u64,
    /// Files that could not be fetched or worked on.
    failed: u64,
    /// Bytes that travelled.
    bytes: u64,
    /// Stable name of the reason why the run did not come to its end.
    error_code: Option<String>,
    /// What is wrong and what to do.
    error: Option<String>,
}

/// A server that recordings are pulled from; no secrets.
#[derive(Object)]
struct PullSourceView {
    name: String,
    /// `ftp`, `ftps` or `sftp`.
    protocol: String,
    host: String,
    port: u16,
    user: String,
    /// Directory there; empty: where signing in leads to.
    dir: String,
    recursive: bool,
    /// Endings and patterns of names; empty: all recordings.
    include: Vec<String>,
    /// When the daily run begins; null: never.
    at: Option<String>,
    time_zone: String,
    /// Hours between the runs that follow a daily one that failed; 0: none.
    fallback_hours: u32,
    /// `keep`, `move` or `delete`.
    after: String,
    move_to: Option<String>,
    /// Fingerprint of the host key that is trusted (SFTP).
    host_key: Option<String>,
    /// It is the settings that name that key.
    host_key_configured: bool,
    /// The run that is under way.
    current: Option<PullRunView>,
    /// The last run that ended.
    last: Option<PullRunView>,
    /// When the next daily run begins, RFC 3339.
    next_at: Option<String>,
}

/// The servers that recordings are pulled from.
#[derive(Object)]
struct PullSourceList {
    items: Vec<PullSourceView>,
}

/// One page of the runs, the latest first.
#[derive(Object)]
struct PullRunsPage {
    items: Vec<PullRunView>,
    /// Runs that pass the filter.
    total: u64,
    page: u32,
    page_size: u32,
}

#[derive(ApiResponse)]
enum RunAnswer {
    /// It has begun.
    #[oai(status = 202)]
    Begun,
}

#[derive(ApiResponse)]
enum DoneAnswer {
    /// Done.
    #[oai(status = 204)]
    Done,
}

impl From<PullRun> for PullRunView {
    fn from(run: PullRun) -> Self {
        let end = run.ended_at.unwrap_or_else(jiff::Timestamp::now);
        let duration = end.duration_since(run.started_at);
        let (error_code, error) = run.error.map_or((None, None), |error| {
            (Some(error.code), Some(error.message))
        });
        Self {
            source: run.source,
            trigger: match run.trigger {
                PullTrigger::Daily => PullTriggerView::Daily,
                PullTrigger::Fallback => PullTriggerView::Fallback,
                PullTrigger::Manual => PullTriggerView::Manual,
            },
            started_at: run.started_at.to_string(),
            ended_at: run.ended_at.map(|at| at.to_string()),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(0),
            found: run.found,
            new: run.new,
            known: run.known,
            skipped: run.skipped,
            failed: run.failed,
            bytes: run.bytes,
            error_code,
            error,
        }
    }
}

impl From<PullRefusal> for ApiError {
    fn from(refusal: PullRefusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            PullRefusal::Unknown(_) => Self::missing("no_such_source", message),
            PullRefusal::Running(_) => Self::conflict("pull_running", message),
            PullRefusal::Idle(_) => Self::conflict("pull_idle", message),
            PullRefusal::Stopping => Self::conflict("stopping", message),
            PullRefusal::Store(error) => error.into(),
            PullRefusal::Thread(error) => Self::internal(&error),
        }
    }
}

fn view(parts: &Parts, pulls: &Pulls, source: &PullSource) -> Result<PullSourceView, StoreError> {
    let store = &parts.store;
    let address = format!("{}:{}", source.host, source.port);
    let pinned = store
        .pinned_host_key(&source.name)?
        .filter(|(of, _)| *of == address)
        .map(|(_, key)| key);
    let last = store
        .pull_runs(Some(&source.name))?
        .into_iter()
        .find(|run| run.ended_at.is_some());
    let zone = &parts.config.names.time_zone;
    let next_at = source.at.and_then(|at| {
        let now = jiff::Timestamp::now().to_zoned(zone.clone());
        let today = zone.to_timestamp(now.date().to_datetime(at)).ok()?;
        if today > now.timestamp() {
            return Some(today);
        }
        let tomorrow = now.date().tomorrow().ok()?;
        zone.to_timestamp(tomorrow.to_datetime(at)).ok()
    });
    Ok(PullSourceView {
        name: source.name.clone(),
        protocol: source.protocol.name().to_owned(),
        host: source.host.clone(),
        port: source.port,
        user: source.user.clone(),
        dir: source.dir.clone(),
        recursive: source.recursive,
        include: source.include.clone(),
        at: source.at.map(|at| at.strftime("%H:%M").to_string()),
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        fallback_hours: source.fallback_hours,
        after: match &source.after {
            PullAfter::Keep => "keep",
            PullAfter::Move(_) => "move",
            PullAfter::Delete => "delete",
        }
        .to_owned(),
        move_to: match &source.after {
            PullAfter::Move(to) => Some(to.clone()),
            PullAfter::Keep | PullAfter::Delete => None,
        },
        host_key_configured: source.host_key.is_some(),
        host_key: source.host_key.clone().or(pinned),
        current: pulls.current(&source.name).map(PullRunView::from),
        last: last.map(PullRunView::from),
        next_at: next_at.map(|at| at.to_string()),
    })
}

#[OpenApi]
impl PullApi {
    /// The servers that recordings are pulled from, with what is under way.
    #[oai(path = "/pull/sources", method = "get", operation_id = "pullSources")]
    async fn sources(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<PullSourceList>, ApiError> {
        let all = Arc::clone(parts);
        let items = parts
            .store
            .run(move |_| {
                let sources = all.pulls.sources().iter();
                sources
                    .map(|source| view(&all, &all.pulls, source))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        Ok(Json(PullSourceList { items }))
    }

    /// Begin a run now.
    #[oai(
        path = "/pull/sources/:name/run",
        method = "post",
        operation_id = "runPull"
    )]
    async fn run(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        name: Path<String>,
    ) -> Result<RunAnswer, ApiError> {
        tracing::info!(
            user = who.user().name,
            source = name.0,
            "a run is asked for"
        );
        let pulls = Arc::clone(&parts.pulls);
        parts
            .store
            .run(move |_| Ok(pulls.begin(&name.0, PullTrigger::Manual)))
            .await??;
        Ok(RunAnswer::Begun)
    }

    /// End the run that is under way; what has come is kept.
    #[oai(
        path = "/pull/sources/:name/stop",
        method = "post",
        operation_id = "stopPull"
    )]
    async fn stop(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        name: Path<String>,
    ) -> Result<DoneAnswer, ApiError> {
        tracing::info!(user = who.user().name, source = name.0, "a run is stopped");
        parts.pulls.end(&name.0)?;
        Ok(DoneAnswer::Done)
    }

    /// Forget the host key that a server showed first: the next one is trusted.
    #[oai(
        path = "/pull/sources/:name/host-key",
        method = "delete",
        operation_id = "forgetPullHostKey"
    )]
    async fn forget(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        name: Path<String>,
    ) -> Result<DoneAnswer, ApiError> {
        tracing::warn!(
            user = who.user().name,
            source = name.0,
            "a host key is forgotten"
        );
        let pulls = Arc::clone(&parts.pulls);
        let known = parts
            .store
            .run(move |_| Ok(pulls.forget_host_key(&name.0)))
            .await??;
        if known {
            Ok(DoneAnswer::Done)
        } else {
            Err(ApiError::missing(
                "no_host_key",
                "No host key is kept for this source.",
            ))
        }
    }

    /// Runs, the latest first.
    #[oai(path = "/pull/runs", method = "get", operation_id = "pullRuns")]
    async fn runs(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        /// Of this source.
        source: Query<Option<String>>,
        /// From 1.
        page: Query<Option<u32>>,
        /// 1 to 200; 25 unless told.
        page_size: Query<Option<u32>>,
    ) -> Result<Json<PullRunsPage>, ApiError> {
        let (page, page_size) = (page.0.unwrap_or(1), page_size.0.unwrap_or(25));
        if page == 0 || !(1..=200).contains(&page_size) {
            return Err(ApiError::bad_request(
                "bad_filter",
                "page counts from 1 and page_size is from 1 to 200.",
            ));
        }
        let pulls = Arc::clone(&parts.pulls);
        let runs = parts
            .store
            .run(move |store| {
                let runs = store.pull_runs(source.0.as_deref())?.into_iter();
                // Of a run that is under way more is known than is written down.
                let as_they_stand = runs.map(|run| match pulls.current(&run.source) {
                    Some(now) if now.started_at == run.started_at => now,
                    _ => run,
                });
                Ok(as_they_stand.collect::<Vec<_>>())
            })
            .await?;
        let total = runs.len() as u64;
        let first = (page as usize - 1).saturating_mul(page_size as usize);
        let items = runs.into_iter().skip(first).take(page_size as usize);
        Ok(Json(PullRunsPage {
            items: items.map(PullRunView::from).collect(),
            total,
            page,
            page_size,
        }))
    }
}
