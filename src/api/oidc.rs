//! Signing in at an identity provider. The browser goes there and comes back; whatever
//! happens on the way, the password's door stays as it is.

use std::sync::Arc;

use jiff::Timestamp;
use poem::Request;
use poem::web::Data;
use poem::web::cookie::{Cookie, CookieJar};
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use subtle::ConstantTimeEq;

use super::auth;
use super::error::ApiError;
use super::sessions::{begin, keep};
use super::trace::Trace;
use crate::accounts::provider::{Known, Refused, admit};
use crate::app::Parts;
use crate::config::{Oidc, reach};
use crate::domain::Role;
use crate::domain::session::SignedInBy;
use crate::oidc::{OidcError, Person, Provider, Way};

/// Holds a sign-in that goes on, in the browser that began it.
const COOKIE: &str = "call_analytics_provider";
/// It must be finished within this, in seconds.
const WAY_S: u32 = 600;

pub(super) struct OidcApi;

/// How people can sign in.
#[derive(Object)]
struct WaysView {
    /// The identity provider, where there is one.
    provider: Option<ProviderView>,
}

/// An identity provider.
#[derive(Object)]
struct ProviderView {
    /// What the button says; empty: the page's own words.
    label: String,
}

/// The browser is sent on.
#[derive(ApiResponse)]
enum Onward {
    /// There.
    #[oai(status = 303)]
    There(#[oai(header = "Location")] String),
}

/// Why somebody comes back to the page without a session; its name is in the address.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Unavailable,
    Refused,
    Expired,
    Unproven,
    NoAccount,
    Disabled,
}

impl Failure {
    fn name(self) -> &'static str {
        match self {
            Failure::Unavailable => "provider_unavailable",
            Failure::Refused => "provider_refused",
            Failure::Expired => "sign_in_expired",
            Failure::Unproven => "provider_unproven",
            Failure::NoAccount => "no_account",
            Failure::Disabled => "account_disabled",
        }
    }
}

impl From<&OidcError> for Failure {
    fn from(error: &OidcError) -> Self {
        match error {
            OidcError::Unavailable(_) | OidcError::Random(_) => Failure::Unavailable,
            OidcError::Refused(_) => Failure::Refused,
            OidcError::Unproven(_) => Failure::Unproven,
        }
    }
}

#[OpenApi]
impl OidcApi {
    /// How people can sign in. Public.
    #[oai(path = "/auth/ways", method = "get", operation_id = "signInWays")]
    async fn ways(&self, Data(parts): Data<&Arc<Parts>>) -> Json<WaysView> {
        Json(WaysView {
            provider: parts.provider.as_ref().map(|provider| ProviderView {
                label: provider.settings().label.clone(),
            }),
        })
    }

    /// Sends the browser to the identity provider. Public.
    #[oai(path = "/auth/oidc/start", method = "get", operation_id = "oidcStart")]
    async fn start(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        request: &Request,
        cookies: &CookieJar,
    ) -> Result<Onward, ApiError> {
        let provider = provider(parts)?;
        let trace = Trace::of(request).ok_or_else(|| ApiError::internal(&"no trace"))?;
        let way = Way::new().map_err(|error| ApiError::internal(&error))?;
        let text = way.to_text();
        let asked = asked(Arc::clone(&provider), move |provider| provider.begin(&way)).await;
        match asked {
            Ok(to) => {
                set(cookies, &text, WAY_S, trace.peer.secure);
                Ok(Onward::There(to))
            }
            Err(error) => {
                tracing::warn!(%error, "nobody can sign in at the provider");
                Ok(back(&provider, Failure::from(&error)))
            }
        }
    }

    /// Where the identity provider sends the browser back to. Public: the code is the proof.
    #[oai(
        path = "/auth/oidc/callback",
        method = "get",
        operation_id = "oidcCallback"
    )]
    #[allow(clippy::too_many_arguments)]
    async fn callback(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        request: &Request,
        cookies: &CookieJar,
        code: Query<Option<String>>,
        state: Query<Option<String>>,
        error: Query<Option<String>>,
        iss: Query<Option<String>>,
    ) -> Result<Onward, ApiError> {
        let provider = provider(parts)?;
        let trace = Trace::of(request).ok_or_else(|| ApiError::internal(&"no trace"))?;
        let way =
            auth::cookie(request.headers(), COOKIE, trace.peer.secure).and_then(Way::from_text);
        // Good once, whatever comes of it.
        set(cookies, "", 0, trace.peer.secure);
        let failed = |failure: Failure, why: &dyn std::fmt::Display| {
            trace.note(failure.name());
            tracing::info!(address = %trace.peer.ip, reason = %why, "a sign-in at the provider failed");
            Ok(back(&provider, failure))
        };
        let same = |way: &Way, state: &str| -> bool {
            way.state.as_bytes().ct_eq(state.as_bytes()).into()
        };
        let way = way.filter(|way| state.0.as_deref().is_some_and(|state| same(way, state)));
        let Some(way) = way else {
            return failed(
                Failure::Expired,
                &"it was not begun in this browser, or too long ago",
            );
        };
        // Another provider's answer is not this one's (RFC 9207).
        if iss
            .0
            .as_ref()
            .is_some_and(|iss| *iss != provider.settings().issuer)
        {
            return failed(Failure::Unproven, &"the answer is of another provider");
        }
        let Some(code) = code.0.filter(|code| !code.is_empty() && error.0.is_none()) else {
            return failed(Failure::Refused, &"the provider gave no code");
        };
        let now = Timestamp::now();
        let finish = move |provider: &Provider| provider.finish(&way, &code, now.as_second());
        let person = match asked(Arc::clone(&provider), finish).await {
            Ok(person) => person,
            Err(error) => return failed(Failure::from(&error), &error),
        };
        let Some(known) = known(provider.settings(), &person) else {
            return failed(
                Failure::NoAccount,
                &"the claim that names the account is missing, or its e-mail is not verified",
            );
        };
        trace.person(&known.name.chars().take(64).collect::<String>());
        let admitted = parts
            .store
            .run(move |store| admit(store, &known, now))
            .await?;
        let user = match admitted {
            Ok(user) => user,
            Err(Refused::Disabled) => return failed(Failure::Disabled, &"the account is disabled"),
            Err(refused) => return failed(Failure::NoAccount, &format!("{refused:?}")),
        };
        let renewal = begin(parts, &user, &trace, SignedInBy::Provider).await?;
        keep(cookies, &renewal, trace.peer.secure);
        tracing::info!(user = user.name, address = %trace.peer.ip, "signed in at the provider");
        Ok(Onward::There(format!(
            "{}/",
            provider.settings().public_url
        )))
    }
}

fn provider(parts: &Parts) -> Result<Arc<Provider>, ApiError> {
    parts
        .provider
        .clone()
        .ok_or_else(|| ApiError::missing("no_provider", "No identity provider is configured here."))
}

/// Asks the provider on a thread that may wait; an outage holds a few of them at most.
async fn asked<T: Send + 'static>(
    provider: Arc<Provider>,
    ask: impl FnOnce(&Provider) -> Result<T, OidcError> + Send + 'static,
) -> Result<T, OidcError> {
    let busy = || OidcError::Unavailable("too many wait for it".to_owned());
    let waiting = Arc::clone(&provider);
    let _place = waiting.place().ok_or_else(busy)?;
    tokio::task::spawn_blocking(move || ask(&provider))
        .await
        .map_err(|error| OidcError::Unavailable(error.to_string()))?
}

fn back(provider: &Provider, failure: Failure) -> Onward {
    let page = &provider.settings().public_url;
    Onward::There(format!("{page}/?sign_in={}", failure.name()))
}

/// A cookie that comes along when the provider's page sends the browser back.
fn set(jar: &CookieJar, value: &str, age_s: u32, secure: bool) {
    let (prefix, mark) = if secure {
        ("__Host-", "; Secure")
    } else {
        ("", "")
    };
    let line =
        format!("{prefix}{COOKIE}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{mark}");
    if let Ok(cookie) = Cookie::parse(&line) {
        jar.add(cookie);
    }
}

/// What the claims say of somebody's account; `None` where they do not name one.
fn known(settings: &Oidc, person: &Person) -> Option<Known> {
    let claim = settings.account_claim.as_str();
    let name = person.texts(claim).into_iter().next()?;
    let verified = person.claims.get("email_verified");
    let verified = verified.is_some_and(|it| it.as_bool() == Some(true) || it == "true");
    if claim == "email" && settings.verified_email && !verified {
        return None;
    }
    let told = (!settings.role_claim.is_empty()).then(|| {
        let values = person.texts(&settings.role_claim);
        // The mightiest that a value gives.
        Role::ALL.into_iter().find(|role| {
            let giving = settings.roles.get(role.name());
            giving.is_some_and(|giving| giving.iter().any(|value| values.contains(value)))
        })
    });
    let role = told.flatten().or(settings.default_role);
    let mut teams = match settings.teams_claim.as_str() {
        "" => Vec::new(),
        claim => person.texts(claim),
    };
    // Nobody but the configuration gives all calls.
    teams.retain(|team| team != "*");
    if teams.is_empty() {
        teams.clone_from(&settings.default_teams);
    }
    let operator = person.texts(&settings.operator_claim).into_iter().next();
    Some(Known {
        identity: format!("{} {}", settings.issuer, person.subject),
        name,
        role,
        reach: role.and_then(|role| reach(role, teams, operator)),
        follows: !settings.role_claim.is_empty(),
        create: settings.create,
    })
}
