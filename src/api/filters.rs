//! What the filters of lists have in common: reading them, and saying what is wrong.

use jiff::civil::Date;
use jiff::{Span as Length, Timestamp, tz::TimeZone};
use poem_openapi::Object;

use super::error::ApiError;
use crate::domain::{Source, Status};
use crate::report::Filter;

/// Which calls; as the parameters of `/results`, an empty one takes all.
#[derive(Debug, Clone, Default, Object)]
pub(super) struct CallsFilter {
    /// Operator's name.
    #[oai(skip_serializing_if_is_none)]
    pub(super) operator: Option<String>,
    /// RFC 3339 time or `YYYY-MM-DD`; inclusive.
    #[oai(skip_serializing_if_is_none)]
    pub(super) date_from: Option<String>,
    /// RFC 3339 time or `YYYY-MM-DD`; inclusive.
    #[oai(skip_serializing_if_is_none)]
    pub(super) date_to: Option<String>,
    /// Overall percent at least.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score_min: Option<f64>,
    /// Overall percent at most.
    #[oai(skip_serializing_if_is_none)]
    pub(super) score_max: Option<f64>,
    /// One or several, separated by commas.
    #[oai(skip_serializing_if_is_none)]
    pub(super) status: Option<String>,
    /// Seconds.
    #[oai(skip_serializing_if_is_none)]
    pub(super) duration_min: Option<f64>,
    /// Seconds.
    #[oai(skip_serializing_if_is_none)]
    pub(super) duration_max: Option<f64>,
    /// Digits of the caller's number, in any form.
    #[oai(skip_serializing_if_is_none)]
    pub(super) callerphone: Option<String>,
    /// Digits of the number that was called.
    #[oai(skip_serializing_if_is_none)]
    pub(super) calledphone: Option<String>,
    /// Digits of our person's phone, or the extension.
    #[oai(skip_serializing_if_is_none)]
    pub(super) operatorphone: Option<String>,
    /// An order.
    #[oai(skip_serializing_if_is_none)]
    pub(super) order_id: Option<String>,
    /// Doors, separated by commas.
    #[oai(skip_serializing_if_is_none)]
    pub(super) source: Option<String>,
    /// A tag.
    #[oai(skip_serializing_if_is_none)]
    pub(super) tag: Option<String>,
    /// An id of another system.
    #[oai(skip_serializing_if_is_none)]
    pub(super) external_id: Option<String>,
    /// Words said (any form), file name, operator; "in quotes" as a phrase.
    #[oai(skip_serializing_if_is_none)]
    pub(super) q: Option<String>,
    /// Key of a topic that was touched.
    #[oai(skip_serializing_if_is_none)]
    pub(super) topic: Option<String>,
}

impl CallsFilter {
    /// Reads it, or says what is wrong.
    pub(super) fn read(self) -> Result<Filter, ApiError> {
        let percent = |name: &str, value: Option<f64>| match value {
            Some(percent) if !(0.0..=100.0).contains(&percent) => {
                Err(bad_filter(format!("{name} is a percent from 0 to 100.")))
            }
            percent => Ok(percent),
        };
        Ok(Filter {
            operator: text(self.operator),
            from: time("date_from", self.date_from, false)?,
            to: time("date_to", self.date_to, true)?,
            score_min: percent("score_min", self.score_min)?,
            score_max: percent("score_max", self.score_max)?,
            statuses: statuses(self.status.as_deref().unwrap_or_default())?,
            duration_min_ms: milliseconds("duration_min", self.duration_min)?,
            duration_max_ms: milliseconds("duration_max", self.duration_max)?,
            caller: text(self.callerphone),
            called: text(self.calledphone),
            operator_phone: text(self.operatorphone),
            order_id: text(self.order_id),
            sources: sources(self.source.as_deref().unwrap_or_default())?,
            tag: text(self.tag),
            external_id: text(self.external_id),
            query: text(self.q),
            topic: text(self.topic),
        })
    }
}

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
        .and_then(|date| date.to_zoned(TimeZone::UTC))
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

fn statuses(list: &str) -> Result<Vec<Status>, ApiError> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| match name {
            "queued" => Ok(Status::Queued),
            "processing" => Ok(Status::Processing),
            "completed" => Ok(Status::Completed),
            "failed" => Ok(Status::Failed),
            "cancelled" => Ok(Status::Cancelled),
            "no_speech" => Ok(Status::NoSpeech),
            _ => Err(bad_filter(format!(
                "{name:?} is not a status; known: queued, processing, completed, failed, cancelled, no_speech."
            ))),
        })
        .collect()
}
