//! What the filters of lists have in common: reading them, and saying what is wrong.

use jiff::civil::Date;
use jiff::{Span as Length, Timestamp, tz::TimeZone};

use super::error::ApiError;
use crate::domain::Source;

pub(super) fn bad_filter(message: String) -> ApiError {
    ApiError::bad_request("bad_filter", message)
}

/// A text without the spaces around it; `None` when nothing is left.
pub(super) fn text(value: Option<String>) -> Option<String> {
    value
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// Seconds as milliseconds.
pub(super) fn milliseconds(name: &str, value: Option<f64>) -> Result<Option<u64>, ApiError> {
    match value {
        Some(seconds) if !(0.0..=1e9).contains(&seconds) => Err(bad_filter(format!(
            "{name} is a number of seconds from 0 on."
        ))),
        seconds => Ok(seconds.map(|seconds| (seconds * 1000.0) as u64)),
    }
}

/// Number and size of a page.
pub(super) fn page_of(page: Option<u32>, page_size: Option<u32>) -> Result<(u32, u32), ApiError> {
    let (page, page_size) = (page.unwrap_or(1), page_size.unwrap_or(25));
    if page == 0 || !(1..=200).contains(&page_size) {
        return Err(bad_filter(
            "page counts from 1 and page_size is from 1 to 200.".to_owned(),
        ));
    }
    Ok((page, page_size))
}

/// A moment, or the start (for `end`: the end) of a day in UTC.
pub(super) fn time(
    name: &str,
    value: Option<String>,
    end: bool,
) -> Result<Option<Timestamp>, ApiError> {
    time_in(&TimeZone::UTC, name, value, end)
}

/// The same with days of a zone.
pub(super) fn time_in(
    zone: &TimeZone,
    name: &str,
    value: Option<String>,
    end: bool,
) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text(value) else {
        return Ok(None);
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        // Inclusive: the list's upper bound is the first moment outside.
        return Ok(Some(if end {
            time.checked_add(Length::new().microseconds(1))
                .unwrap_or(time)
        } else {
            time
        }));
    }
    text.parse::<Date>()
        .and_then(|date| if end { date.tomorrow() } else { Ok(date) })
        .and_then(|date| date.to_zoned(zone.clone()))
        .map(|zoned| Some(zoned.timestamp()))
        .map_err(|_| {
            bad_filter(format!(
                "{name} is a date such as 2026-01-31 or a time such as 2026-01-31T09:00:00Z."
            ))
        })
}

/// Doors, separated by commas.
pub(super) fn sources(list: &str) -> Result<Vec<Source>, ApiError> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            name.parse().map_err(|()| {
                let known = Source::ALL.map(Source::name).join(", ");
                bad_filter(format!("{name:?} is not a source; known: {known}."))
            })
        })
        .collect()
}
