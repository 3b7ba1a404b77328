//! Who is asking. A handler that takes [`Who`] cannot be reached without a valid token or
//! key, and without the permission that the type names; the API's document shows that
//! permission as the operation's security, and the table of roles is made from there.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use poem::http::{HeaderMap, HeaderValue, Method, header};
use poem::{Endpoint, Request, RequestBody, Response};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::audited;
use super::error::ApiError;
use super::peer::Peer;
use super::tokens::LIFETIME;
use super::trace::Trace;
use crate::accounts::secrets;
use crate::app::Parts;
use crate::domain::access::{Permission, Sight};
use crate::domain::audit::{Action, Actor, Entry, Outcome};
use crate::domain::session::{IDLE, Session, SignedInBy};
use crate::domain::{CallId, User};
use crate::store::{Holder, Renewed};

/// What API keys begin with, so that scanners for lost secrets know them.
pub(super) const KEY_PREFIX: &str = "cak_";

/// Name of the cookie with the access token.
const ACCESS: &str = "call_analytics_session";
/// Name of the cookie with the refresh token.
const REFRESH: &str = "call_analytics_refresh";
/// Before the names under HTTPS: the browser then takes the cookie from this host only.
const HOST: &str = "__Host-";

/// Names a permission in the type of an extractor.
pub(super) trait Rule: Send + Sync + 'static {
    /// What is asked for.
    const PERMISSION: Permission;
}

macro_rules! rules {
    ($($rule:ident)*) => {$(
        #[doc = concat!("[`Permission::", stringify!($rule), "`].")]
        pub(super) struct $rule;
        impl Rule for $rule {
            const PERMISSION: Permission = Permission::$rule;
        }
    )*};
}
rules!(Profile ReadCalls Upload EditCalls DeleteCalls Review Ask Settings Accounts Audit Erase);

/// Somebody who may do it.
pub(super) struct Who<R> {
    holder: Arc<Holder>,
    trace: Arc<Trace>,
    rule: PhantomData<fn() -> R>,
}

impl<R> Who<R> {
    /// The account.
    pub(super) fn user(&self) -> &User {
        &self.holder.user
    }

    /// The session, unless it is a key.
    pub(super) fn session(&self) -> Option<&Session> {
        self.holder.session.as_ref()
    }

    /// Which calls.
    pub(super) fn sight(&self) -> &Sight {
        &self.holder.sight
    }

    /// Everything that was found of it.
    pub(super) fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }

    /// The request's trace.
    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// A call in sight: the only way from a path to a call. Another one is not found.
    pub(super) async fn call(&self, parts: &Arc<Parts>, id: &str) -> Result<CallId, ApiError> {
        let id: CallId = id.parse().map_err(|_| ApiError::not_found())?;
        self.trace.subject(id.as_str());
        if !self.sight().is_all() {
            let (wanted, sight) = (id.clone(), self.sight().clone());
            let seen = parts
                .store
                .run(move |store| {
                    let entry = store.entry(&wanted)?;
                    Ok(entry.is_some_and(|entry| sight.sees(entry.call.operator.as_deref())))
                })
                .await?;
            if !seen {
                return Err(ApiError::not_found());
            }
        }
        Ok(id)
    }

    /// Refuses to have a call given to an operator who is out of sight.
    pub(super) fn may_name(&self, operator: Option<&str>) -> Result<(), ApiError> {
        if self.sight().sees(operator) {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "not_your_team",
            "Name an operator of a team of yours.",
        ))
    }
}

impl<'a, R: Rule> ApiExtractor<'a> for Who<R> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            R::PERMISSION.name(),
            MetaSecurityScheme {
                ty: "http",
                description: Some("An access token or an API key; the page sends a cookie."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![R::PERMISSION.name()]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let parts: &Arc<Parts> = request.data().ok_or_else(not_signed_in)?;
        let (holder, trace) = identify(parts, request).await?;
        admit(parts, &holder, R::PERMISSION)?;
        audited::begin(parts, &trace, request.method(), request.uri().path()).await?;
        Ok(Self {
            holder,
            trace,
            rule: PhantomData,
        })
    }
}

/// Who asks, whatever they may do.
async fn identify(
    parts: &Arc<Parts>,
    request: &Request,
) -> Result<(Arc<Holder>, Arc<Trace>), ApiError> {
    let trace = Trace::of(request).ok_or_else(not_signed_in)?;
    let holder = match bearer(request) {
        Some(token) => holder_of(parts, token).await?,
        None => {
            let holder = match request.data::<Arc<Holder>>() {
                Some(renewed) => Some(Arc::clone(renewed)),
                None => match cookie(request.headers(), ACCESS, trace.peer.secure) {
                    Some(token) => holder_of(parts, token).await?,
                    None => None,
                },
            };
            // A browser sends its cookies whoever's page asks it to.
            let safe = matches!(*request.method(), Method::GET | Method::HEAD);
            if holder.is_some() && !safe && trace.peer.is_foreign(request) {
                return Err(ApiError::forbidden(
                    "foreign_origin",
                    "The request was sent by a page of another site.",
                ));
            }
            holder
        }
    };
    let holder = holder.ok_or_else(not_signed_in)?;
    trace.identified(&holder);
    Ok((holder, trace))
}

/// Whether the holder may do this now.
fn admit(parts: &Parts, holder: &Holder, permission: Permission) -> Result<(), ApiError> {
    if let Some(key) = &holder.key {
        if !key.scopes.contains(&permission) || !permission.for_keys() {
            return Err(ApiError::forbidden(
                "no_scope",
                format!("The key has not the scope '{}'.", permission.name()),
            ));
        }
        parts
            .key_limits
            .take(&key.id, key.per_minute, Instant::now())
            .map_err(|wait| {
                ApiError::too_many(
                    "too_many_requests",
                    "The key has sent more requests than it may in a minute.",
                    wait,
                )
            })?;
    }
    if !permission.allows(holder.user.role) {
        return Err(ApiError::forbidden(
            "forbidden",
            format!(
                "Accounts with the role '{}' may not do this.",
                holder.user.role
            ),
        ));
    }
    if permission != Permission::Profile {
        if holder.user.must_change_password && holder.key.is_none() {
            return Err(ApiError::forbidden(
                "password_change_needed",
                "The password is for the first sign-in only: choose another one.",
            ));
        }
        if lacks_factor(parts, holder) {
            return Err(ApiError::forbidden(
                "second_factor_needed",
                "A second factor is needed here: set one up in your account.",
            ));
        }
    }
    Ok(())
}

/// Whether a second factor must be set up first. Who signed in at the identity provider
/// has that one's word.
pub(super) fn lacks_factor(parts: &Parts, holder: &Holder) -> bool {
    let by = holder.session.as_ref().map(|session| session.by);
    parts.config.accounts.needs_factor(holder.user.role)
        && holder.user.second_factor.is_none()
        && by != Some(SignedInBy::Provider)
}

fn not_signed_in() -> ApiError {
    ApiError::unauthorized("not_signed_in", "Sign in first.")
}

fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn holder_of(parts: &Arc<Parts>, token: &str) -> Result<Option<Arc<Holder>>, ApiError> {
    let now = Timestamp::now();
    if let Some((id, _)) = token
        .strip_prefix(KEY_PREFIX)
        .and_then(|rest| rest.split_once('_'))
    {
        let (id, hash) = (id.to_owned(), secrets::fingerprint(token));
        let found = parts
            .store
            .run(move |store| store.key_holder(&id, |known| secrets::same(known, &hash), now))
            .await?;
        return Ok(found.map(Arc::new));
    }
    let Some(claims) = parts.tokens.read(token) else {
        return Ok(None);
    };
    let found = parts
        .store
        .run(move |store| store.session_holder(&claims.sid, now))
        .await?;
    Ok(found
        .filter(|holder| holder.user.name == claims.sub)
        .map(Arc::new))
}

/// Whether the holder of a long connection still may have it; what they see by now.
pub(super) async fn still(parts: &Arc<Parts>, holder: &Holder) -> Option<Arc<Holder>> {
    let now = Timestamp::now();
    let (session, key) = (holder.session.clone(), holder.key.clone());
    parts
        .store
        .run(move |store| match (session, key) {
            (Some(session), _) => store.session_holder(&session.id, now),
            (None, Some(key)) => store.key_holder(&key.id, |hash| hash == key.hash, now),
            (None, None) => Ok(None),
        })
        .await
        .ok()?
        .map(Arc::new)
}

/// Begins the trace of each request, and makes the access token anew from the refresh token
/// where a browser's has expired: a page, a player and a WebSocket need not know of it.
pub(super) async fn around<E: Endpoint>(
    endpoint: Arc<E>,
    mut request: Request,
) -> poem::Result<Response> {
    let trace = Trace::begin(&mut request);
    let cookies = renew(&mut request, &trace.peer).await?;
    let mut response = endpoint.get_response(request).await;
    // What the handler says of the session is newer.
    if !cookies.is_empty() && !response.headers().contains_key(header::SET_COOKIE) {
        append(response.headers_mut(), &cookies);
    }
    Ok(response)
}

async fn renew(request: &mut Request, peer: &Peer) -> Result<Vec<String>, ApiError> {
    let Some(parts) = request.data::<Arc<Parts>>().cloned() else {
        return Ok(Vec::new());
    };
    if bearer(request).is_some() {
        return Ok(Vec::new());
    }
    let headers = request.headers();
    let good = cookie(headers, ACCESS, peer.secure)
        .is_some_and(|token| parts.tokens.read(token).is_some());
    let Some(token) = cookie(headers, REFRESH, peer.secure).filter(|_| !good) else {
        return Ok(Vec::new());
    };
    let (token, address, secure) = (token.to_owned(), peer.ip.to_string(), peer.secure);
    let Some(renewal) = renewal(&parts, token, address).await? else {
        return Ok(Vec::new());
    };
    let cookies = renewal.cookies(secure);
    request.set_data(renewal.holder);
    Ok(cookies)
}

/// A session that goes on.
pub(super) struct Renewal {
    /// Who holds it.
    pub(super) holder: Arc<Holder>,
    /// The new access token.
    pub(super) access: String,
    /// When that expires.
    pub(super) expires_at: Timestamp,
    /// The new refresh token, unless the one that was shown was replaced a moment ago.
    pub(super) refresh: Option<String>,
}

impl Renewal {
    /// What a browser is told to keep.
    pub(super) fn cookies(&self, secure: bool) -> Vec<String> {
        let mut cookies = vec![access_cookie(&self.access, secure)];
        if let Some(refresh) = &self.refresh {
            cookies.push(refresh_cookie(refresh, secure));
        }
        cookies
    }
}

/// Renews the session that a refresh token is of; `None` where it is good for nothing. One
/// that comes back after it was replaced ends the session: it was copied.
pub(super) async fn renewal(
    parts: &Arc<Parts>,
    token: String,
    address: String,
) -> Result<Option<Renewal>, ApiError> {
    let (shared, now) = (Arc::clone(parts), Timestamp::now());
    let fresh = secrets::token()?;
    parts
        .store
        .run(move |store| {
            let Some((id, _)) = token.split_once('.') else {
                return Ok(None);
            };
            let refresh = format!("{id}.{fresh}");
            let (old, new) = (secrets::fingerprint(&token), secrets::fingerprint(&refresh));
            let (session, refresh) = match store.renew_session(id, &old, &new, &address, now)? {
                Renewed::Replaced(session) => (session, Some(refresh)),
                Renewed::Kept(session) => (session, None),
                Renewed::Gone => return Ok(None),
                Renewed::Reused(session) => {
                    tracing::warn!(
                        user = session.user,
                        address,
                        "an old refresh token was used again; the session is ended"
                    );
                    let tried = Some(session.user);
                    let mut entry = Entry::new(Actor::Nobody { tried }, Action::SignInFailed);
                    entry.outcome = Outcome::Refused;
                    entry.session = Some(session.id);
                    entry.address = Some(address);
                    store.record(entry.saying("an old refresh token; the session is ended"))?;
                    return Ok(None);
                }
            };
            let Some(holder) = store.session_holder(&session.id, now)? else {
                return Ok(None);
            };
            let (access, expires_at) = shared.tokens.issue(&session, now)?;
            Ok(Some(Renewal {
                holder: Arc::new(holder),
                access,
                expires_at,
                refresh,
            }))
        })
        .await
        .map_err(ApiError::from)
}

/// The value of one of our cookies.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str, secure: bool) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| {
            let key = match (secure, key.strip_prefix(HOST)) {
                (true, Some(key)) => key,
                (false, None) => key,
                _ => return None,
            };
            (key == name && !value.is_empty()).then_some(value)
        })
}

fn access_cookie(token: &str, secure: bool) -> String {
    set(ACCESS, token, LIFETIME.unsigned_abs(), secure)
}

/// The cookie with the refresh token.
fn refresh_cookie(token: &str, secure: bool) -> String {
    set(REFRESH, token, IDLE.unsigned_abs(), secure)
}

/// What makes a browser forget the session.
pub(super) fn removal(secure: bool) -> Vec<String> {
    [ACCESS, REFRESH]
        .map(|name| set(name, "", Duration::ZERO, secure))
        .to_vec()
}

fn set(name: &str, value: &str, age: Duration, secure: bool) -> String {
    let (prefix, mark) = if secure { (HOST, "; Secure") } else { ("", "") };
    format!(
        "{prefix}{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{mark}",
        age.as_secs()
    )
}

/// Adds `Set-Cookie` lines.
pub(super) fn append(headers: &mut HeaderMap, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}
