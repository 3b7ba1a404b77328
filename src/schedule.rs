//! What happens by the clock. Started and stopped by `app`.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::config::Config;
use crate::domain::PullTrigger;
use crate::erasure::Erasures;
use crate::intake::outside::Outside;
use crate::intake::pull::{PullRefusal, Pulls};

/// The running schedule.
pub struct Schedule {
    scheduler: JobScheduler,
}

/// Starts what the settings name.
///
/// # Errors
/// [`JobSchedulerError`] when the scheduler refuses a job.
pub async fn start(
    config: &Config,
    outside: &Arc<Outside>,
    pulls: &Arc<Pulls>,
    erasures: &Arc<Erasures>,
) -> Result<Schedule, JobSchedulerError> {
    let zone = config.names.time_zone.clone();
    let mut jobs = Vec::new();
    if let (Some(at), false) = (config.calltouch.sync_at, config.calltouch.sites.is_empty()) {
        let outside = Arc::clone(outside);
        let here = zone.clone();
        jobs.push(daily(at, &zone, move || ask_calltouch(&outside, &here))?);
    }
    // The scheduler keeps its jobs after it was stopped: the store must not stay open for that.
    let tidied = Arc::downgrade(erasures);
    jobs.push(daily(config.retention.at, &zone, move || {
        let done = tidied
            .upgrade()
            .map(|erasures| erasures.tidy(Timestamp::now()));
        if let Some(Err(error)) = done {
            tracing::error!(%error, "what is kept too long cannot be removed");
        }
    })?);
    for source in pulls.sources() {
        let name = source.name.clone();
        if let Some(at) = source.at {
            let (pulls, name) = (Arc::clone(pulls), name.clone());
            jobs.push(daily(at, &zone, move || {
                told(&name, pulls.begin(&name, PullTrigger::Daily));
            })?);
        }
        if source.fallback_hours > 0 {
            let pulls = Arc::clone(pulls);
            let every = Duration::from_secs(u64::from(source.fallback_hours) * 3600);
            jobs.push(Job::new_repeated_async(every, move |_, _| {
                let (pulls, name) = (Arc::clone(&pulls), name.clone());
                blocking(move || told(&name, pulls.fall_back(&name).map(|_| ())))
            })?);
        }
    }
    let scheduler = JobScheduler::new().await?;
    for job in jobs {
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    Ok(Schedule { scheduler })
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that blocks, away from the scheduler's threads.
fn blocking(work: impl FnOnce() + Send + 'static) -> Work {
    Box::pin(async move {
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "what was due failed");
        }
    })
}

/// A job of every day at a time of the zone.
fn daily(
    at: Time,
    zone: &TimeZone,
    work: impl Fn() + Clone + Send + Sync + 'static,
) -> Result<Job, JobSchedulerError> {
    // The scheduler has a time zone database of its own.
    let name = zone.iana_name().unwrap_or("UTC");
    let theirs: chrono_tz::Tz = name.parse().unwrap_or(chrono_tz::UTC);
    let every_day = format!("0 {} {} * * *", at.minute(), at.hour());
    Job::new_async_tz(every_day.as_str(), theirs, move |_, _| {
        blocking(work.clone())
    })
}

fn ask_calltouch(outside: &Outside, zone: &TimeZone) {
    let today = Timestamp::now().to_zoned(zone.clone()).date();
    match outside.calltouch_sync(today.saturating_sub(1.day()), today) {
        Ok(errands) => tracing::info!(errands, "Calltouch is asked for its calls"),
        Err(error) => tracing::error!(%error, "Calltouch cannot be asked"),
    }
}

fn told(source: &str, begun: Result<(), PullRefusal>) {
    if let Err(error) = begun {
        tracing::warn!(source, %error, "a run that was due does not begin");
    }
}

impl Schedule {
    /// Nothing more is started.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the schedule does not stop");
        }
    }
}
