//! Where outside systems send to: MANGO's events and Calltouch's webhook. They
//! cannot sign in; the signature or the secret is what lets them in. They are
//! answered 200 only once what they sent is on disk.

use std::sync::Arc;

use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::web::Data;
use poem::{Body, Request, Response, handler};

use super::error;
use super::peer::Peer;
use crate::app::Parts;
use crate::config::Network;
use crate::intake::mango::events::Kind;
use crate::intake::outside::Message;
use crate::store::StoreError;

/// Largest message in bytes.
const MAX_MESSAGE: usize = 1 << 20;

fn no(status: StatusCode, code: &str, message: &str) -> Response {
    error::body(status, code, message)
}

fn forbidden(what: &str) -> Response {
    no(StatusCode::FORBIDDEN, "forbidden", what)
}

fn allowed(networks: &[Network], request: &Request) -> bool {
    let sender = Peer::of(request).ip;
    networks.is_empty() || networks.iter().any(|network| network.contains(sender))
}

fn kept(done: Result<(), StoreError>) -> Response {
    match done {
        Ok(()) => Response::builder().content_type("text/plain").body("OK"),
        Err(error) => {
            tracing::error!(%error, "a message from outside cannot be kept");
            let status = if error.is_storage_full() {
                StatusCode::INSUFFICIENT_STORAGE
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            };
            no(
                status,
                "not_kept",
                "The message was not kept: send it again.",
            )
        }
    }
}

/// An event of MANGO: a form with `vpbx_api_key`, `sign` and `json`.
#[handler]
pub(super) async fn mango(
    request: &Request,
    body: Body,
    Data(parts): Data<&Arc<Parts>>,
) -> Response {
    let settings = parts.outside.mango().settings();
    if !settings.enabled {
        return no(
            StatusCode::NOT_FOUND,
            "not_found",
            "MANGO is not configured here.",
        );
    }
    if !allowed(&settings.allow, request) {
        tracing::warn!(sender = %Peer::of(request).ip, "an event from an address that is not allowed");
        return forbidden("This address may not send events.");
    }
    let Ok(bytes) = body.into_bytes_limit(MAX_MESSAGE).await else {
        return no(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "The event is too large.",
        );
    };
    let field = |wanted: &str| {
        form_urlencoded::parse(&bytes)
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let (Some(key), Some(sign), Some(json)) = (field("vpbx_api_key"), field("sign"), field("json"))
    else {
        return no(
            StatusCode::BAD_REQUEST,
            "bad_event",
            "An event is a form with vpbx_api_key, sign and json.",
        );
    };
    if !parts.outside.mango().is_genuine(&key, &sign, &json) {
        tracing::warn!(sender = %Peer::of(request).ip, "an event with a wrong key or signature");
        return forbidden("The key or the signature is wrong.");
    }
    let path = request.uri().path();
    let kind = path
        .strip_prefix(&settings.events_path)
        .and_then(|path| path.strip_prefix("/events/"));
    let Some(kind) = kind.and_then(Kind::of) else {
        // Messages, tones, tests: nothing that has to do with recordings.
        return kept(Ok(()));
    };
    let outside = Arc::clone(&parts.outside);
    kept(
        parts
            .store
            .run(move |_| outside.mango_event(kind, &json))
            .await,
    )
}

/// A message of Calltouch: GET or POST; query, form or JSON; the secret in the
/// path or in a field `secret`.
#[handler]
pub(super) async fn calltouch(
    request: &Request,
    body: Body,
    Data(parts): Data<&Arc<Parts>>,
) -> Response {
    if !allowed(&parts.outside.calltouch().settings().allow, request) {
        tracing::warn!(sender = %Peer::of(request).ip, "a webhook from an address that is not allowed");
        return forbidden("This address may not send here.");
    }
    let Ok(bytes) = body.into_bytes_limit(MAX_MESSAGE).await else {
        return no(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "The message is too large.",
        );
    };
    let in_path = request.raw_path_param("secret").map(str::to_owned);
    let message = message(
        request.method(),
        request.headers(),
        request.uri().query(),
        &bytes,
    );
    let (message, in_fields) = match message {
        Ok(read) => read,
        Err(what) => return no(StatusCode::BAD_REQUEST, "bad_message", what),
    };
    let secret = in_path.or(in_fields).unwrap_or_default();
    if !parts.outside.is_webhook_secret(&secret) {
        tracing::warn!(sender = %Peer::of(request).ip, "a webhook with a wrong secret");
        return forbidden("The secret of the address is wrong.");
    }
    let outside = Arc::clone(&parts.outside);
    kept(
        parts
            .store
            .run(move |_| outside.calltouch_message(message))
            .await,
    )
}

/// Reads a message, and the secret out of it: that is not kept.
fn message(
    method: &Method,
    headers: &HeaderMap,
    query: Option<&str>,
    body: &[u8],
) -> Result<(Message, Option<String>), &'static str> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut secret = None;
    let mut pairs = Vec::new();
    let mut take = |text: &[u8]| {
        for (name, value) in form_urlencoded::parse(text) {
            if name == "secret" {
                secret = Some(value.into_owned());
            } else {
                pairs.push((name.into_owned(), value.into_owned()));
            }
        }
    };
    take(query.unwrap_or_default().as_bytes());
    let mut json = None;
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if content_type.starts_with("application/json") || matches!(first, Some(b'{' | b'[')) {
        let mut value: serde_json::Value =
            serde_json::from_slice(body).map_err(|_| "The message is no JSON.")?;
        let Some(object) = value.as_object_mut() else {
            return Err("The message is a JSON object.");
        };
        if let Some(serde_json::Value::String(text)) = object.remove("secret") {
            secret = Some(text);
        }
        for (name, text) in pairs.drain(..) {
            object.entry(name).or_insert(text.into());
        }
        json = Some(value);
    } else {
        take(body);
    }
    let body = match &json {
        Some(json) => json.to_string().into_bytes(),
        None => form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&pairs)
            .finish()
            .into_bytes(),
    };
    let message = Message {
        method: method.to_string(),
        content_type: content_type.to_owned(),
        body,
        pairs,
        json,
    };
    Ok((message, secret))
}
