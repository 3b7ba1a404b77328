//! What happens by the clock. Started and stopped by `app`.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::config::Config;
use crate::intake::outside::Outside;

/// The running schedule.
pub struct Schedule {
    scheduler: Option<JobScheduler>,
}

/// Starts what the settings name.
///
/// # Errors
/// [`JobSchedulerError`] when the scheduler refuses a job.
pub async fn start(config: &Config, outside: &Arc<Outside>) -> Result<Schedule, JobSchedulerError> {
    let (Some(at), false) = (config.calltouch.sync_at, config.calltouch.sites.is_empty()) else {
        return Ok(Schedule { scheduler: None });
    };
    let zone = config.names.time_zone.clone();
    // The scheduler has a time zone database of its own.
    let name = zone.iana_name().unwrap_or("UTC");
    let theirs: chrono_tz::Tz = name.parse().unwrap_or(chrono_tz::UTC);
    let every_day = format!("0 {} {} * * *", at.minute(), at.hour());
    let scheduler = JobScheduler::new().await?;
    let outside = Arc::clone(outside);
    scheduler
        .add(Job::new_async_tz(
            every_day.as_str(),
            theirs,
            move |_, _| {
                let (outside, zone) = (Arc::clone(&outside), zone.clone());
                Box::pin(async move {
                    let today = Timestamp::now().to_zoned(zone).date();
                    let yesterday = today.saturating_sub(1.day());
                    let begun = tokio::task::spawn_blocking(move || {
                        outside.calltouch_sync(yesterday, today)
                    });
                    match begun.await {
                        Ok(Ok(errands)) => {
                            tracing::info!(errands, "Calltouch is asked for its calls")
                        }
                        Ok(Err(error)) => tracing::error!(%error, "Calltouch cannot be asked"),
                        Err(error) => tracing::error!(%error, "Calltouch cannot be asked"),
                    }
                })
            },
        )?)
        .await?;
    scheduler.start().await?;
    Ok(Schedule {
        scheduler: Some(scheduler),
    })
}

impl Schedule {
    /// Nothing more is started.
    pub async fn stop(mut self) {
        if let Some(scheduler) = &mut self.scheduler
            && let Err(error) = scheduler.shutdown().await
        {
            tracing::warn!(%error, "the schedule does not stop");
        }
    }
}
