//! The page, embedded in the binary. Public: it holds no data.

use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response, endpoint::make_sync};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CALL_ANALYTICS_WEB_DIST"]
struct Web;

/// Serves the embedded files; `/` is `index.html`.
pub(super) fn endpoint() -> impl Endpoint<Output = Response> {
    make_sync(|request: Request| serve(&request))
}

fn serve(request: &Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(file) = Web::get(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let hash = file.metadata.sha256_hash();
    let etag = format!(
        "\"{}\"",
        hash[..12]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    );
    // Names under assets/ carry a hash of their content, the others do not.
    let cache = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let response = Response::builder()
        .header(header::ETAG, &etag)
        .header(header::CACHE_CONTROL, cache);
    if request.header("if-none-match") == Some(etag.as_str()) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let charset = if mime.type_() == "text" {
        "; charset=utf-8"
    } else {
        ""
    };
    response
        .content_type(format!("{mime}{charset}"))
        .body(file.data.into_owned())
}
