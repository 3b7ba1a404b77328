//! What is told of a call besides its sound, and the messages that told it.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{ReadCalls, Who};
use super::calls::entry;
use super::error::ApiError;
use super::views::DirectionView;
use crate::app::Parts;
use crate::domain::details::{CALLTOUCH, MANGO_ENTRY, OperatorBy};
use crate::domain::notice::{self, Notice};
use crate::domain::phone::Number;
use crate::domain::{CallDetails, Source};
use crate::intake::outside;
use crate::store::{Payload, StoreError};

pub(super) struct MetadataApi;

/// An end of a call.
#[derive(Debug, Clone, Object)]
pub(super) struct NumberView {
    /// As it was sent.
    text: String,
    /// Digits with the country's code, where it is a phone number.
    phone: Option<String>,
}

impl From<&Number> for NumberView {
    fn from(number: &Number) -> Self {
        Self {
            text: number.text.clone(),
            phone: number.phone.clone(),
        }
    }
}

/// What another system calls a call.
#[derive(Object)]
struct ExternalIdView {
    /// For example `mango_entry`, `mango_recording`, `calltouch`, `name_id1`.
    system: String,
    id: String,
}

/// What brought the client.
#[derive(Object)]
struct TrafficView {
    source: Option<String>,
    medium: Option<String>,
    campaign: Option<String>,
    content: Option<String>,
    keyword: Option<String>,
}

/// Who named the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum OperatorByView {
    /// A person.
    Person,
    /// The directory of employees.
    Directory,
    /// The name of the file or the outside system.
    Sender,
}

/// What is told of a call; everything is optional.
#[derive(Object)]
pub(super) struct DetailsView {
    caller: Option<NumberView>,
    called: Option<NumberView>,
    operator_phone: Option<NumberView>,
    extension: Option<String>,
    /// Our person as the sender names them.
    operator_name: Option<String>,
    operator_by: Option<OperatorByView>,
    line: Option<NumberView>,
    redirect: Option<NumberView>,
    order_ids: Vec<String>,
    external_ids: Vec<ExternalIdView>,
    traffic: TrafficView,
    tags: Vec<String>,
    unique: Option<bool>,
    target: Option<bool>,
    answered: Option<bool>,
    waiting_ms: Option<u64>,
    told_duration_ms: Option<u64>,
    url: Option<String>,
    comment: Option<String>,
    /// Whether a pattern knew the name of the file.
    name_recognised: Option<bool>,
    name_pattern: Option<String>,
}

impl From<&CallDetails> for DetailsView {
    fn from(details: &CallDetails) -> Self {
        let number = |number: &Option<Number>| number.as_ref().map(NumberView::from);
        Self {
            caller: number(&details.caller),
            called: number(&details.called),
            operator_phone: number(&details.operator_phone),
            extension: details.extension.clone(),
            operator_name: details.operator_name.clone(),
            operator_by: details.operator_by.map(|by| match by {
                OperatorBy::Person => OperatorByView::Person,
                OperatorBy::Directory => OperatorByView::Directory,
                OperatorBy::Sender => OperatorByView::Sender,
            }),
            line: number(&details.line),
            redirect: number(&details.redirect),
            order_ids: details.order_ids.clone(),
            external_ids: details
                .external_ids
                .iter()
                .map(|id| ExternalIdView {
                    system: id.system.clone(),
                    id: id.id.clone(),
                })
                .collect(),
            traffic: TrafficView {
                source: details.traffic.source.clone(),
                medium: details.traffic.medium.clone(),
                campaign: details.traffic.campaign.clone(),
                content: details.traffic.content.clone(),
                keyword: details.traffic.keyword.clone(),
            },
            tags: details.tags.clone(),
            unique: details.unique,
            target: details.target,
            answered: details.answered,
            waiting_ms: details.waiting_ms,
            told_duration_ms: details.told_duration_ms,
            url: details.url.clone(),
            comment: details.comment.clone(),
            name_recognised: details.name_recognised,
            name_pattern: details.name_pattern.clone(),
        }
    }
}

/// A message of an outside system, as it came.
#[derive(Object)]
struct PayloadView {
    /// RFC 3339.
    received_at: String,
    /// `GET`, `POST …`, or the list it was read from.
    method: String,
    content_type: String,
    /// All of it; bytes that are no UTF-8 are shown as �.
    body: String,
}

impl From<Payload> for PayloadView {
    fn from(payload: Payload) -> Self {
        Self {
            received_at: payload.received_at.to_string(),
            method: payload.method,
            content_type: payload.content_type,
            body: String::from_utf8_lossy(&payload.body).into_owned(),
        }
    }
}

/// The messages about a call, oldest first.
#[derive(Object)]
struct PayloadsView {
    items: Vec<PayloadView>,
}

/// What Calltouch told of a conversation, with or without a recording.
#[derive(Object)]
struct MetadataView {
    /// Calltouch's id.
    id: String,
    site: Option<String>,
    started_at: Option<String>,
    direction: Option<DirectionView>,
    details: DetailsView,
    /// Our calls that it belongs to.
    calls: Vec<String>,
    /// Recordings are on their way or were taken in.
    recordings: Vec<String>,
    /// What was sent.
    payloads: Vec<PayloadView>,
}

#[OpenApi]
impl MetadataApi {
    /// The messages of outside systems about a call, as they came.
    #[oai(
        path = "/results/:id/payloads",
        method = "get",
        operation_id = "payloads"
    )]
    async fn payloads(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<PayloadsView>, ApiError> {
        let call = entry(parts, who.call(parts, &id.0).await?).await?.call;
        let items = parts
            .store
            .run(move |store| {
                let mut found = Vec::new();
                for id in &call.details.external_ids {
                    let source = match id.system.as_str() {
                        MANGO_ENTRY => Source::Mango,
                        CALLTOUCH => Source::Calltouch,
                        _ => continue,
                    };
                    found.extend(store.payloads(&notice::key(source, &id.id))?);
                }
                found.sort_by_key(|payload| payload.received_at);
                Ok(found)
            })
            .await?;
        Ok(Json(PayloadsView {
            items: items.into_iter().map(PayloadView::from).collect(),
        }))
    }

    /// What Calltouch told: by our id of a call or by Calltouch's own.
    #[oai(
        path = "/calltouch/metadata/:file_id",
        method = "get",
        operation_id = "calltouchMetadata"
    )]
    async fn metadata(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        file_id: Path<String>,
    ) -> Result<Json<MetadataView>, ApiError> {
        let (id, sight) = (file_id.0, who.sight().clone());
        let found = parts
            .store
            .run(move |store| {
                let Some(found) = find(store, &id)? else {
                    return Ok(None);
                };
                // What no call was made of has no operator yet.
                let mut seen = sight.is_all();
                for call in &found.0.calls {
                    let entry = store.entry(call)?;
                    seen |= entry.is_some_and(|it| sight.sees(it.call.operator.as_deref()));
                }
                Ok(seen.then_some(found))
            })
            .await?
            .ok_or_else(|| {
                ApiError::missing("not_found", "Calltouch has told nothing of this call.")
            })?;
        let (notice, payloads) = found;
        Ok(Json(MetadataView {
            id: notice.id,
            site: (!notice.site.is_empty()).then_some(notice.site),
            started_at: notice.started_at.map(|at| at.to_string()),
            direction: notice.direction.map(DirectionView::from),
            details: DetailsView::from(&notice.details),
            calls: notice.calls.iter().map(ToString::to_string).collect(),
            recordings: notice.recordings,
            payloads: payloads.into_iter().map(PayloadView::from).collect(),
        }))
    }
}

fn find(
    store: &crate::store::Store,
    id: &str,
) -> Result<Option<(Notice, Vec<Payload>)>, StoreError> {
    let ours = match id.parse() {
        Ok(call) => store.entry(&call)?,
        Err(_) => None,
    };
    let theirs = match &ours {
        Some(entry) => entry.call.details.id_of(CALLTOUCH).map(str::to_owned),
        None => Some(id.to_owned()),
    };
    let Some(theirs) = theirs else {
        return Ok(None);
    };
    let key = outside::calltouch_key(&theirs);
    let Some(notice) = store.notice_by_key(&key)? else {
        return Ok(None);
    };
    Ok(Some((notice, store.payloads(&key)?)))
}
