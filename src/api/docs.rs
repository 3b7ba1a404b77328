//! The viewer of the API's document at `/docs`. The library gives it as one page with
//! everything inside; here it is taken apart, so that nothing inline has to be allowed.

use poem::http::header;
use poem::{Endpoint, Response, Route, endpoint::make_sync, get};

const STYLE: (&str, &str) = ("<style charset=\"UTF-8\">", "</style>");
const SCRIPT: (&str, &str) = ("<script charset=\"UTF-8\">", "</script>\n</head>");

/// No `unsafe-inline`: the viewer sets styles through the document's objects only.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Relative addresses: the page may be shown below a path of a proxy.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>call-analytics API</title>
<link rel="stylesheet" href="docs/viewer.css?v={version}">
<script src="docs/viewer.js?v={version}"></script>
</head>
<body>
<div id="ui"></div>
<script src="docs/start.js?v={version}"></script>
</body>
</html>
"#;

const START: &str = r##"fetch("api/v1/openapi.json")
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: new URL("api/v1", window.location.href).pathname }];
    SwaggerUIBundle({ dom_id: "#ui", spec, deepLinking: true });
  });
"##;

/// `/docs` and what it loads; `whole` is the page of the library.
pub(super) fn endpoint(whole: &str) -> impl Endpoint<Output = Response> + use<> {
    let style = between(whole, STYLE);
    let script = between(whole, SCRIPT);
    let page = PAGE.replace("{version}", env!("CARGO_PKG_VERSION"));
    Route::new()
        .at("/", file("text/html; charset=utf-8", page))
        .at("/viewer.css", file("text/css; charset=utf-8", style))
        .at("/viewer.js", file("text/javascript; charset=utf-8", script))
        .at(
            "/start.js",
            file("text/javascript; charset=utf-8", START.to_owned()),
        )
}

fn between(text: &str, (from, to): (&str, &str)) -> String {
    let inner = text
        .split_once(from)
        .and_then(|(_, rest)| rest.split_once(to))
        .map(|(inner, _)| inner);
    inner.unwrap_or_default().to_owned()
}

fn file(kind: &'static str, text: String) -> impl Endpoint<Output = Response> {
    // Cloned for each answer without copying.
    let bytes = hyper::body::Bytes::from(text);
    get(make_sync(move |_| {
        Response::builder()
            .content_type(kind)
            .header(header::CACHE_CONTROL, "public, max-age=86400")
            .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
            .body(bytes.clone())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_library_can_be_taken_apart() {
        let whole = crate::api::service().swagger_ui_html();
        let (style, script) = (between(&whole, STYLE), between(&whole, SCRIPT));
        assert!(style.starts_with(".swagger-ui{"), "{:.80}", style);
        assert!(script.contains("SwaggerUIBundle") && script.len() > 500_000);
        assert!(!PAGE.contains("<style") && !PAGE.contains("onload"));
    }
}
