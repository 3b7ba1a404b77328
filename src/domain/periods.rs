//! Days, weeks and months of a calendar: what figures over time are grouped by.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Most periods that are looked at together.
pub const MAX_PERIODS: usize = 400;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From midnight to midnight.
    Day,
    /// From Monday on.
    Week,
    /// From the first of the month on.
    Month,
}

/// The day of a moment, where the clock shows the time of `zone`.
pub fn day_of(time: Timestamp, zone: &TimeZone) -> Date {
    time.to_zoned(zone.clone()).date()
}

impl Step {
    /// First day of the period that `day` is in.
    pub fn start(self, day: Date) -> Date {
        match self {
            Step::Day => day,
            Step::Week => {
                let back = day.weekday().since(Weekday::Monday);
                day.saturating_sub(i32::from(back).days())
            }
            Step::Month => day.first_of_month(),
        }
    }

    /// First day of the next period; `start` is the first day of one.
    pub fn next(self, start: Date) -> Date {
        start.saturating_add(match self {
            Step::Day => 1.day(),
            Step::Week => 1.week(),
            Step::Month => 1.month(),
        })
    }

    /// First days of all periods from the one of `first` to the one of `last`, both
    /// included; `None` when there are more than [`MAX_PERIODS`].
    pub fn between(self, first: Date, last: Date) -> Option<Vec<Date>> {
        let (mut at, end) = (self.start(first), self.start(last));
        let mut starts = Vec::new();
        while at <= end {
            if starts.len() == MAX_PERIODS {
                return None;
            }
            starts.push(at);
            let next = self.next(at);
            // The calendar has an end.
            if next == at {
                break;
            }
            at = next;
        }
        Some(starts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn at(time: &str, zone: &TimeZone) -> Date {
        day_of(time.parse().expect("a time"), zone)
    }

    #[test]
    fn a_day_is_that_of_the_zone() {
        let moscow = TimeZone::get("Europe/Moscow").expect("known");
        // Moscow is three hours ahead the whole year.
        assert_eq!(at("2026-01-31T20:59:59Z", &moscow), date(2026, 1, 31));
        assert_eq!(at("2026-01-31T21:00:00Z", &moscow), date(2026, 2, 1));
        assert_eq!(at("2026-07-31T21:00:00Z", &moscow), date(2026, 8, 1));
        assert_eq!(
            at("2026-01-31T21:00:00Z", &TimeZone::UTC),
            date(2026, 1, 31)
        );
        // Where clocks are changed the day of 23 hours is a day.
        let berlin = TimeZone::get("Europe/Berlin").expect("known");
        assert_eq!(at("2026-03-28T23:00:00Z", &berlin), date(2026, 3, 29));
        assert_eq!(at("2026-03-29T21:59:59Z", &berlin), date(2026, 3, 29));
        assert_eq!(at("2026-03-29T22:00:00Z", &berlin), date(2026, 3, 30));
    }

    #[test]
    fn periods_begin_on_mondays_and_firsts() {
        // 2026-02-01 is a Sunday.
        assert_eq!(Step::Week.start(date(2026, 2, 1)), date(2026, 1, 26));
        assert_eq!(Step::Week.start(date(2026, 2, 2)), date(2026, 2, 2));
        assert_eq!(Step::Month.start(date(2024, 2, 29)), date(2024, 2, 1));
        assert_eq!(Step::Day.start(date(2024, 2, 29)), date(2024, 2, 29));
        assert_eq!(Step::Week.start(Date::MIN), Date::MIN);
    }

    #[test]
    fn periods_follow_each_other_over_ends_of_months_and_years() {
        let starts = |step: Step, first, last| step.between(first, last).expect("few");
        assert_eq!(
            starts(Step::Day, date(2024, 2, 28), date(2024, 3, 1)),
            [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
        );
        assert_eq!(
            starts(Step::Month, date(2025, 12, 31), date(2026, 2, 28)),
            [date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]
        );
        assert_eq!(
            starts(Step::Week, date(2025, 12, 31), date(2026, 1, 5)),
            [date(2025, 12, 29), date(2026, 1, 5)]
        );
        assert_eq!(starts(Step::Day, date(2026, 1, 2), date(2026, 1, 1)), []);
        assert_eq!(Step::Day.between(date(2020, 1, 1), date(2026, 1, 1)), None);
        let last = starts(Step::Month, date(9999, 11, 1), Date::MAX);
        assert_eq!(last.len(), 2);
    }
}
