//! What every request goes through: the path behind a proxy, the bound of its body, and
//! the headers that tell browsers what they may do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use poem::http::{HeaderName, HeaderValue, StatusCode, Uri, header, uri};
use poem::{Body, Endpoint, Request, Response};

use super::peer::Peer;
use super::{BASE, error, upload};
use crate::app::Parts;

/// What only this page may load and do; nothing inline, nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
/// Nothing of a device is used.
const PERMISSIONS_POLICY: &str = "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// Set unless the answer has its own.
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("permissions-policy", PERMISSIONS_POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Lets a request through to `endpoint`.
pub(super) async fn pass(
    parts: Arc<Parts>,
    endpoint: Arc<impl Endpoint<Output = Response>>,
    mut request: Request,
) -> poem::Result<Response> {
    request.set_data(Arc::clone(&parts));
    let peer = Peer::of(&request);
    let http = &parts.config.http;
    let path = request.uri().path();
    let path = path.strip_prefix(&http.base_path).unwrap_or(path);
    let api = path.starts_with(BASE);
    let mut response = match beneath(&http.base_path, request.uri()) {
        Beneath::Root => Response::builder()
            .status(StatusCode::PERMANENT_REDIRECT)
            .header(header::LOCATION, format!("{}/", http.base_path))
            .finish(),
        Beneath::At(uri) => {
            *request.uri_mut() = uri;
            bounded(endpoint, request, http.max_body_bytes).await
        }
        Beneath::Elsewhere => bounded(endpoint, request, http.max_body_bytes).await,
    };
    if api {
        // What is told is for the one who asked.
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
    let hsts = parts.config.https.hsts.as_secs();
    if peer.secure
        && hsts > 0
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={hsts}"))
    {
        response
            .headers_mut()
            .insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    Ok(response)
}

enum Beneath {
    /// The base itself, without the slash that relative addresses need.
    Root,
    /// What is asked for, seen from the base.
    At(Uri),
    /// Not beneath it: a proxy that cuts the base off, or none at all.
    Elsewhere,
}

fn beneath(base: &str, uri: &Uri) -> Beneath {
    if base.is_empty() {
        return Beneath::Elsewhere;
    }
    let Some(rest) = uri.path().strip_prefix(base) else {
        return Beneath::Elsewhere;
    };
    if rest.is_empty() {
        return Beneath::Root;
    }
    if !rest.starts_with('/') {
        return Beneath::Elsewhere;
    }
    let path = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let mut parts = uri::Parts::default();
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).map_or(Beneath::Elsewhere, Beneath::At)
}

/// Answers 413 where the body is larger than `limit` bytes. Uploads have bounds of their
/// own and are never whole in memory.
async fn bounded(
    endpoint: Arc<impl Endpoint<Output = Response>>,
    mut request: Request,
    limit: u64,
) -> Response {
    let path = request.uri().path().strip_prefix(BASE);
    if path.is_some_and(|path| upload::PATHS.contains(&path)) {
        return endpoint.get_response(request).await;
    }
    let too_large = || {
        let mut response = error::body(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "The request is too large (http.max_body_mb).",
        );
        // What is left of it is not read.
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    };
    let told: Option<u64> = request
        .header("content-length")
        .and_then(|length| length.parse().ok());
    if told.is_some_and(|length| length > limit) {
        return too_large();
    }
    let over = Arc::new(AtomicBool::new(false));
    let (noticed, mut left) = (Arc::clone(&over), limit);
    let stream = request.take_body().into_bytes_stream().map(move |piece| {
        let piece = piece?;
        match left.checked_sub(piece.len() as u64) {
            Some(rest) => {
                left = rest;
                Ok(piece)
            }
            None => {
                noticed.store(true, Ordering::Release);
                Err(io::Error::other("the request is too large"))
            }
        }
    });
    request.set_body(Body::from_bytes_stream(stream));
    let response = endpoint.get_response(request).await;
    if over.load(Ordering::Acquire) {
        return too_large();
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_base() {
        let of = |base: &str, path: &str| match beneath(base, &path.parse().expect("a path")) {
            Beneath::Root => "root".to_owned(),
            Beneath::At(uri) => uri.to_string(),
            Beneath::Elsewhere => "elsewhere".to_owned(),
        };
        assert_eq!(of("", "/calls/a"), "elsewhere");
        assert_eq!(of("/calls", "/calls"), "root");
        assert_eq!(of("/calls", "/calls/"), "/");
        assert_eq!(of("/calls", "/calls/api/v1/x?a=%2F"), "/api/v1/x?a=%2F");
        assert_eq!(of("/calls", "/callsign"), "elsewhere");
        assert_eq!(of("/calls", "/api/v1/x"), "elsewhere");
    }
}
