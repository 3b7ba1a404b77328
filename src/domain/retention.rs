//! How long calls are kept: rules by source and status.

use jiff::{SignedDuration, Timestamp};

use super::{Call, Job, Source, Status};

/// For how long some calls are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Days since the recording arrived; 0: for ever.
    pub days: u32,
    /// Only calls that came so.
    pub source: Option<Source>,
    /// Only calls that are so.
    pub status: Option<Status>,
}

/// Rules; the first that speaks of a call decides, and a call of which none speaks is
/// kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// Whether anything is ever deleted.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|rule| rule.days == 0)
    }

    /// The number of the rule by which the time of a call is over. A call that is worked on
    /// or waits to be is never touched.
    pub fn over(&self, call: &Call, job: &Job, now: Timestamp) -> Option<usize> {
        let status = Status::of(job.state, job.stage);
        if !job.state.is_final() {
            return None;
        }
        let speaks = |rule: &Rule| {
            rule.source.is_none_or(|source| source == call.source)
                && rule.status.is_none_or(|wanted| wanted == status)
        };
        let (number, rule) = self.0.iter().enumerate().find(|(_, rule)| speaks(rule))?;
        let kept = SignedDuration::from_hours(24 * i64::from(rule.days));
        let over = rule.days > 0 && now.duration_since(call.created_at) >= kept;
        over.then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::details::CallDetails;
    use super::super::job::{JobState, Priority, Stage};
    use super::super::{CallId, MediaKind};
    use super::*;

    fn call(source: Source, days_ago: i64, state: JobState) -> (Call, Job) {
        let id: CallId = "01K0000000000000000000000A".parse().expect("an id");
        let at = Timestamp::now() - SignedDuration::from_hours(24 * days_ago);
        let mut job = Job::new(id.clone(), Priority::Bulk, at);
        job.state = state;
        job.stage = Stage::Index;
        let call = Call {
            id,
            sha256: String::new(),
            filename: String::new(),
            operator: None,
            language: None,
            source,
            direction: None,
            media: MediaKind::Audio,
            created_at: at,
            started_at: None,
            duration_ms: None,
            speakers_swapped: false,
            separation: None,
            score: None,
            details: CallDetails::default(),
        };
        (call, job)
    }

    #[test]
    fn the_first_rule_that_speaks_of_a_call_decides() {
        let rule = |days, source, status| Rule {
            days,
            source,
            status,
        };
        let rules = Rules(vec![
            rule(0, Some(Source::Import), None),
            rule(10, None, Some(Status::Failed)),
            rule(100, None, None),
        ]);
        let over = |source, days, state| {
            let (call, job) = call(source, days, state);
            rules.over(&call, &job, Timestamp::now())
        };
        use JobState::{Completed, Failed, Queued, Running};
        assert_eq!(over(Source::Import, 5000, Completed), None);
        assert_eq!(over(Source::Import, 5000, Failed), None);
        assert_eq!(over(Source::Upload, 11, Failed), Some(1));
        assert_eq!(over(Source::Upload, 9, Failed), None);
        assert_eq!(over(Source::Upload, 11, Completed), None);
        assert_eq!(over(Source::Mango, 101, Completed), Some(2));
        for state in [Queued, Running] {
            assert_eq!(over(Source::Mango, 5000, state), None);
        }
        let (call, job) = call(Source::Mango, 5000, Completed);
        assert_eq!(Rules::default().over(&call, &job, Timestamp::now()), None);
        assert!(Rules::default().is_empty() && !rules.is_empty());
    }
}
