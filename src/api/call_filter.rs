//! Which calls, as a list takes it in its query and other requests in their body.

use poem_openapi::Object;

use super::error::ApiError;
use super::filters::{bad_filter, milliseconds, sources, text, time};
use crate::domain::Status;
use crate::domain::access::Sight;
use crate::report::Filter;

/// Which calls; an empty filter takes all. The same names as the query of `/results`.
#[derive(Debug, Clone, Default, Object)]
pub(super) struct CallFilter {
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
    /// 1 to 4, several separated by commas.
    #[oai(skip_serializing_if_is_none)]
    pub(super) level: Option<String>,
    /// An id of another system.
    #[oai(skip_serializing_if_is_none)]
    pub(super) external_id: Option<String>,
    /// With an open dispute about a verdict, or without one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) disputed: Option<bool>,
    /// Words said, file name, operator.
    #[oai(skip_serializing_if_is_none)]
    pub(super) q: Option<String>,
    /// Key of a topic that was touched.
    #[oai(skip_serializing_if_is_none)]
    pub(super) topic: Option<String>,
}

impl CallFilter {
    /// As reports take it.
    ///
    /// # Errors
    /// `bad_filter`, which says what is wrong.
    pub(super) fn read(self, sight: &Sight) -> Result<Filter, ApiError> {
        let percent = |name: &str, value: Option<f64>| match value {
            Some(percent) if !(0.0..=100.0).contains(&percent) => {
                Err(bad_filter(format!("{name} is a percent from 0 to 100.")))
            }
            percent => Ok(percent),
        };
        Ok(Filter {
            sight: sight.clone(),
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
            levels: levels(self.level.as_deref().unwrap_or_default())?,
            external_id: text(self.external_id),
            query: text(self.q),
            disputed: self.disputed,
            topic: text(self.topic),
        })
    }
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

fn levels(list: &str) -> Result<Vec<u8>, ApiError> {
    list.split(',')
        .map(str::trim)
        .filter(|level| !level.is_empty())
        .map(|level| match level.parse() {
            Ok(level @ 1..=4) => Ok(level),
            _ => Err(bad_filter(format!("{level:?} is not a level from 1 to 4."))),
        })
        .collect()
}
