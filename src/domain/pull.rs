//! Files that are pulled from servers of somebody else, and the runs that do so.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CallId;

/// What is known of a file on a server that is pulled from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PulledFile {
    /// Its size there when it was listed, in bytes.
    pub size_bytes: u64,
    /// When it was changed there, in Unix seconds, as exactly as the listing tells.
    pub modified_s: Option<i64>,
    /// When it was last looked at.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: PullOutcome,
    /// How often it was tried in vain.
    pub tries: u32,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullOutcome {
    /// It became a call.
    Taken(CallId),
    /// The same content was known already as this call.
    Known(CallId),
    /// It cannot be worked on; it is fetched again only when it changes.
    Refused {
        /// Stable name of the reason.
        code: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// It could not be fetched; the next run tries again.
    Failed {
        /// Why.
        message: String,
    },
}

/// Whether two listings tell the same time of a file. Where one tells only the
/// day, as FTP servers do of old files, the day decides.
pub fn same_time(a: Option<i64>, b: Option<i64>) -> bool {
    const DAY_S: i64 = 86_400;
    match (a, b) {
        (Some(a), Some(b)) => {
            let one_is_a_day = a.rem_euclid(DAY_S) == 0 || b.rem_euclid(DAY_S) == 0;
            a == b || one_is_a_day && a.div_euclid(DAY_S) == b.div_euclid(DAY_S)
        }
        (a, b) => a == b,
    }
}

impl PullOutcome {
    /// The call it belongs to.
    pub fn call(&self) -> Option<&CallId> {
        match self {
            Self::Taken(id) | Self::Known(id) => Some(id),
            Self::Refused { .. } | Self::Failed { .. } => None,
        }
    }

    /// Whether the content is here.
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Taken(_) | Self::Known(_))
    }
}

/// Why a run was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullTrigger {
    /// It was time.
    Daily,
    /// The daily one failed or brought nothing.
    Fallback,
    /// A person asked for it.
    Manual,
}

/// One look at a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullRun {
    /// Name of the source.
    pub source: String,
    /// Why it was begun.
    pub trigger: PullTrigger,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it runs.
    pub ended_at: Option<Timestamp>,
    /// Files in the listing.
    pub found: u64,
    /// Files that became calls.
    pub new: u64,
    /// Files whose content was known already.
    pub known: u64,
    /// Files that were left alone: taken before, no recordings, empty, too old, still growing.
    pub skipped: u64,
    /// Files that could not be fetched or worked on.
    pub failed: u64,
    /// Bytes that travelled.
    pub bytes: u64,
    /// Why the run did not come to its end.
    pub error: Option<PullError>,
}

/// Why a run did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullError {
    /// Stable name of the reason.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl PullRun {
    /// One that begins now.
    pub fn begin(source: &str, trigger: PullTrigger) -> Self {
        Self {
            source: source.to_owned(),
            trigger,
            started_at: Timestamp::now(),
            ended_at: None,
            found: 0,
            new: 0,
            known: 0,
            skipped: 0,
            failed: 0,
            bytes: 0,
            error: None,
        }
    }

    /// Whether it ended well and brought something.
    pub fn brought(&self) -> bool {
        self.ended_at.is_some() && self.error.is_none() && self.new > 0
    }
}

/// Whether the fallback is due: `runs` are those of a source, the latest first.
/// It is not where a run that ended well brought something, at or after the last
/// daily run; a daily run that is more than a day and an hour ago was missed.
pub fn fallback_due(runs: &[PullRun], now: Timestamp) -> bool {
    const DAY_S: i64 = 25 * 3600;
    for run in runs {
        if now.duration_since(run.started_at).as_secs() > DAY_S {
            break;
        }
        if run.brought() {
            return false;
        }
        if run.trigger == PullTrigger::Daily {
            break;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(trigger: PullTrigger, hours_ago: i64, new: u64, fails: bool) -> PullRun {
        let mut run = PullRun::begin("a", trigger);
        run.started_at -= jiff::SignedDuration::from_hours(hours_ago);
        run.ended_at = Some(run.started_at);
        run.new = new;
        run.error = fails.then(|| PullError {
            code: "timeout".to_owned(),
            message: String::new(),
        });
        run
    }

    #[test]
    fn times_are_compared_as_exactly_as_they_are_told() {
        let day = 86_400 * 20_000;
        assert!(same_time(None, None) && !same_time(None, Some(day)));
        assert!(same_time(Some(day + 60), Some(day + 60)));
        assert!(!same_time(Some(day + 60), Some(day + 120)));
        assert!(same_time(Some(day), Some(day + 120)));
        assert!(!same_time(Some(day), Some(day - 60)));
    }

    #[test]
    fn the_fallback_follows_a_daily_run_that_brought_nothing() {
        use PullTrigger::{Daily, Fallback, Manual};
        let due = |runs: &[PullRun]| fallback_due(runs, Timestamp::now());
        assert!(due(&[]));
        assert!(due(&[run(Daily, 5, 0, false)]));
        assert!(due(&[run(Daily, 5, 9, true)]), "it failed");
        assert!(!due(&[run(Daily, 5, 1, false)]));
        assert!(!due(&[run(Fallback, 1, 2, false), run(Daily, 5, 0, true)]));
        assert!(!due(&[run(Manual, 1, 2, false), run(Daily, 5, 0, true)]));
        assert!(due(&[run(Daily, 5, 0, true), run(Manual, 6, 2, false)]));
        assert!(due(&[run(Daily, 30, 5, false)]), "the daily run was missed");
    }
}
