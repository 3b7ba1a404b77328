//! Who is asking. A handler that takes [`SignedIn`] cannot be reached without
//! a valid token in the session cookie or the `Authorization` header.

use std::sync::Arc;

use poem::Request;
use poem_openapi::SecurityScheme;
use poem_openapi::auth::{ApiKey, Bearer};

use super::sessions::COOKIE;
use crate::app::Parts;
use crate::domain::User;

/// A program's token in the `Authorization` header.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", bearer_format = "JWT", checker = "check_bearer")]
pub(super) struct BearerToken(User);

/// The page's token in an HttpOnly cookie.
#[derive(SecurityScheme)]
#[oai(
    ty = "api_key",
    key_name = "call_analytics_session",
    key_in = "cookie",
    checker = "check_cookie"
)]
pub(super) struct SessionCookie(User);

/// Somebody who is signed in.
#[derive(SecurityScheme)]
pub(super) enum SignedIn {
    /// By header.
    Bearer(BearerToken),
    /// By cookie.
    Cookie(SessionCookie),
}

impl SignedIn {
    /// The account.
    pub(super) fn user(&self) -> &User {
        match self {
            SignedIn::Bearer(token) => &token.0,
            SignedIn::Cookie(cookie) => &cookie.0,
        }
    }
}

async fn check_bearer(request: &Request, bearer: Bearer) -> Option<User> {
    check(request, &bearer.token).await
}

async fn check_cookie(request: &Request, key: ApiKey) -> Option<User> {
    check(request, &key.key).await
}

async fn check(request: &Request, token: &str) -> Option<User> {
    let parts: &Arc<Parts> = request.data()?;
    let claims = parts.tokens.read(token)?;
    let user = parts
        .store
        .run(move |store| store.user(&claims.sub))
        .await
        .inspect_err(|error| tracing::error!(%error, "the account cannot be read"))
        .ok()??;
    (user.session_epoch == claims.epoch).then_some(user)
}

const _: () = assert!(
    matches!(COOKIE.as_bytes(), b"call_analytics_session"),
    "the attribute above names the cookie"
);
