//! What plain HTTP answers beside HTTPS: the challenges of authorities, and a redirect.

use std::sync::Arc;

use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::{Method, StatusCode, header};
use poem::{EndpointExt, Request, Response};

use crate::config::Name;
use crate::https::{CHALLENGES, Certificates};

/// Answers on the port of plain HTTP; `port` is that of HTTPS.
pub fn redirect(
    certificates: Arc<Certificates>,
    names: Vec<Name>,
    port: u16,
) -> Arc<BoxEndpoint<'static, Response>> {
    let endpoint = make_sync(move |request: Request| {
        if let Some(token) = request.uri().path().strip_prefix(CHALLENGES) {
            return match certificates.challenge_file(token) {
                Some(text) => Response::builder()
                    .content_type("application/octet-stream")
                    .body(text),
                None => StatusCode::NOT_FOUND.into(),
            };
        }
        let host = request.header("host").unwrap_or_default();
        let Some(authority) = authority(host, &names) else {
            return StatusCode::BAD_REQUEST.into();
        };
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path } else { "/" };
        let port = if port == 443 {
            String::new()
        } else {
            format!(":{port}")
        };
        // 308 keeps the method and the body; old programs know 301.
        let safe = [Method::GET, Method::HEAD].contains(request.method());
        let status = if safe {
            StatusCode::MOVED_PERMANENTLY
        } else {
            StatusCode::PERMANENT_REDIRECT
        };
        Response::builder()
            .status(status)
            .header(header::LOCATION, format!("https://{authority}{port}{path}"))
            .header("x-content-type-options", "nosniff")
            .finish()
    });
    Arc::new(endpoint.boxed())
}

/// Where to send whoever asked for `host`: there, where it is ours, else to our first
/// name. `None` where what is asked for is no host.
fn authority(host: &str, names: &[Name]) -> Option<String> {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let asked: Name = bare.parse().ok()?;
    if names.is_empty() || names.contains(&asked) {
        return Some(asked.authority());
    }
    names.first().map(Name::authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_sent_to_a_name_of_ours() {
        let names: Vec<Name> = ["calls.example.com", "2001:db8::1"]
            .iter()
            .map(|name| name.parse().expect("a name"))
            .collect();
        let of = |host: &str| authority(host, &names);
        assert_eq!(
            of("CALLS.example.com:80").as_deref(),
            Some("calls.example.com")
        );
        assert_eq!(of("[2001:db8::1]:80").as_deref(), Some("[2001:db8::1]"));
        assert_eq!(of("203.0.113.9").as_deref(), Some("calls.example.com"));
        assert_eq!(of("evil.example/@x"), None);
        assert_eq!(of(""), None);
        assert_eq!(
            authority("host.local:8080", &[]).as_deref(),
            Some("host.local")
        );
    }
}
