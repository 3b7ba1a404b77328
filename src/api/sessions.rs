//! Signing in and out, sessions, and one's own password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use poem::Request;
use poem::web::Data;
use poem::web::cookie::{Cookie, CookieJar};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Password;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::account_view::{ReachView, RoleView};
use super::auth::{self, Profile, Renewal, Who};
use super::error::ApiError;
use super::trace::Trace;
use crate::accounts::{self, factor, secrets};
use crate::app::Parts;
use crate::domain::User;
use crate::domain::access::Permission;
use crate::domain::session::{Session, SignedInBy};
use crate::store::{Holder, StoreError};

/// Somebody whose password could not be judged at once comes again after this.
const BUSY: Duration = Duration::from_secs(2);

pub(super) struct SessionsApi;

/// Name and password.
#[derive(Object)]
struct LoginRequest {
    username: String,
    password: Password,
    /// Of the authenticator, or a recovery code; needed where `code_needed` was answered.
    code: Option<Password>,
}

/// The refresh token of a program; a page has it in a cookie.
#[derive(Object)]
struct RefreshRequest {
    refresh_token: Password,
}

/// A person who is signed in.
#[derive(Object)]
pub(super) struct UserView {
    /// Name of the account.
    name: String,
    role: RoleView,
    reach: ReachView,
    /// What the person may do.
    permissions: Vec<String>,
    /// The password is for the first sign-in only: nothing else can be done before it is changed.
    must_change_password: bool,
    /// Whether a second factor is set up.
    second_factor: bool,
    /// Nothing else can be done before a second factor is set up.
    must_set_second_factor: bool,
    /// Id of this session.
    session: Option<String>,
}

/// A sign-in that succeeded.
#[derive(Object)]
pub(super) struct LoginView {
    user: UserView,
    /// For programs: send it as `Authorization: Bearer …`.
    token: String,
    /// When it expires, RFC 3339.
    expires_at: String,
    /// For programs: `/auth/refresh` gives new tokens for it, once. Empty where the one that
    /// was shown was replaced a moment ago.
    refresh_token: String,
}

/// A change of one's own password.
#[derive(Object)]
struct PasswordRequest {
    current_password: Password,
    new_password: Password,
}

/// A sign-in on one device.
#[derive(Object)]
pub(super) struct SessionView {
    id: String,
    /// The one that asks.
    current: bool,
    /// `password`, `code`, `recovery`, `invitation` or `provider`.
    by: String,
    /// RFC 3339.
    created_at: String,
    /// Renewed last, RFC 3339.
    seen_at: String,
    /// Ends then unless it is used, RFC 3339.
    expires_at: String,
    address: String,
    /// How the browser or program calls itself.
    agent: String,
}

#[derive(Object)]
pub(super) struct SessionsView {
    /// The last seen first.
    items: Vec<SessionView>,
}

#[derive(ApiResponse)]
pub(super) enum Done {
    /// Done.
    #[oai(status = 204)]
    Done,
}

#[OpenApi]
impl SessionsApi {
    /// Sign in. Public.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        request: &Request,
        cookies: &CookieJar,
        body: Json<LoginRequest>,
    ) -> Result<Json<LoginView>, ApiError> {
        let trace = Trace::of(request).ok_or_else(|| ApiError::internal(&"no trace"))?;
        let LoginRequest {
            username,
            password,
            code,
        } = body.0;
        trace.person(&username.chars().take(64).collect::<String>());
        let (user, by) = checked(parts, username, password, code, trace.peer.ip).await?;
        let renewal = begin(parts, &user, &trace, by).await?;
        keep(cookies, &renewal, trace.peer.secure);
        tracing::info!(user = user.name, address = %trace.peer.ip, "signed in");
        Ok(Json(login_view(parts, renewal)))
    }

    /// New tokens for a refresh token, which is good once. Public. A page need not: its
    /// cookies are renewed with any request.
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        request: &Request,
        body: Json<RefreshRequest>,
    ) -> Result<Json<LoginView>, ApiError> {
        let trace = Trace::of(request).ok_or_else(|| ApiError::internal(&"no trace"))?;
        let token = body.0.refresh_token.to_string();
        let renewal = auth::renewal(parts, token, trace.peer.ip.to_string())
            .await?
            .ok_or_else(|| {
                ApiError::unauthorized("not_signed_in", "The session has ended: sign in again.")
            })?;
        trace.identified(&renewal.holder);
        Ok(Json(login_view(parts, renewal)))
    }

    /// Sign out: the session ends.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        cookies: &CookieJar,
        who: Who<Profile>,
    ) -> Result<Done, ApiError> {
        if let Some(session) = who.session() {
            let (user, id) = (session.user.clone(), session.id.clone());
            parts
                .store
                .run(move |store| store.end_session(&user, &id))
                .await?;
        }
        set(cookies, auth::removal(who.trace().peer.secure));
        Ok(Done::Done)
    }

    /// Who is signed in.
    #[oai(path = "/auth/me", method = "get", operation_id = "me")]
    async fn me(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
    ) -> Result<Json<UserView>, ApiError> {
        Ok(Json(user_view(parts, who.holder())))
    }

    /// Change one's own password. All other sessions of the account end.
    #[oai(
        path = "/auth/password",
        method = "post",
        operation_id = "changePassword"
    )]
    async fn password(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
        request: Json<PasswordRequest>,
    ) -> Result<Done, ApiError> {
        let PasswordRequest {
            current_password,
            new_password,
        } = request.0;
        let (name, ip) = (who.user().name.clone(), who.trace().peer.ip);
        verified(parts, &name, current_password.to_string(), ip).await?;
        if *current_password == *new_password {
            return Err(ApiError::bad_request(
                "same_password",
                "Choose another password than the present one.",
            ));
        }
        let hash = hashed(parts, new_password.to_string(), &name).await?;
        let session = who.session().map(|session| session.id.clone());
        parts
            .store
            .run(move |store| {
                accounts::set_password_hash(store, &name, hash, false, session.as_deref())
            })
            .await?;
        Ok(Done::Done)
    }

    /// One's own sessions.
    #[oai(path = "/auth/sessions", method = "get", operation_id = "ownSessions")]
    async fn sessions(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
    ) -> Result<Json<SessionsView>, ApiError> {
        let current = who.session().map(|session| session.id.clone());
        sessions_of(parts, who.user().name.clone(), current).await
    }

    /// End one of one's own sessions, at once.
    #[oai(
        path = "/auth/sessions/:id",
        method = "delete",
        operation_id = "endOwnSession"
    )]
    async fn end(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
        id: Path<String>,
    ) -> Result<Done, ApiError> {
        let name = who.user().name.clone();
        let ended = parts
            .store
            .run(move |store| store.end_session(&name, &id.0))
            .await?;
        if ended {
            Ok(Done::Done)
        } else {
            Err(ApiError::missing(
                "no_such_session",
                "There is no such session; perhaps it has ended.",
            ))
        }
    }

    /// End all of one's own sessions but this one.
    #[oai(
        path = "/auth/sessions",
        method = "delete",
        operation_id = "endOtherSessions"
    )]
    async fn end_others(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Profile>,
    ) -> Result<Done, ApiError> {
        let name = who.user().name.clone();
        let current = who.session().map(|session| session.id.clone());
        parts
            .store
            .run(move |store| store.end_sessions(&name, current.as_deref()))
            .await?;
        Ok(Done::Done)
    }
}

/// Sessions of an account.
pub(super) async fn sessions_of(
    parts: &Arc<Parts>,
    user: String,
    current: Option<String>,
) -> Result<Json<SessionsView>, ApiError> {
    let now = Timestamp::now();
    let sessions = parts
        .store
        .run(move |store| store.sessions(&user, now))
        .await?;
    Ok(Json(SessionsView {
        items: sessions
            .into_iter()
            .map(|session| SessionView {
                current: current.as_ref() == Some(&session.id),
                by: session.by.name().to_owned(),
                created_at: session.created_at.to_string(),
                seen_at: session.seen_at.to_string(),
                expires_at: session.expires_at().to_string(),
                id: session.id,
                address: session.address,
                agent: session.agent,
            })
            .collect(),
    }))
}

/// The account, when the password is right; wrong ones are let through ever more slowly.
pub(super) async fn verified(
    parts: &Arc<Parts>,
    name: &str,
    password: String,
    ip: IpAddr,
) -> Result<User, ApiError> {
    checked_password(parts, name, password, ip)
        .await
        .map(|(user, attempt)| {
            attempt.succeeded();
            user
        })
}

async fn checked_password<'a>(
    parts: &'a Arc<Parts>,
    name: &str,
    password: String,
    ip: IpAddr,
) -> Result<(User, accounts::limits::Attempt<'a>), ApiError> {
    let _place = parts.hash_place().ok_or_else(|| {
        ApiError::too_many(
            "busy",
            "Too many people sign in at the same time: try again.",
            BUSY,
        )
    })?;
    let (account, address) = (name.to_owned(), ip.to_string());
    let known = parts
        .store
        .run(move |store| {
            let sessions = store.sessions(&account, Timestamp::now())?;
            Ok(sessions.iter().any(|session| session.address == address))
        })
        .await?;
    let attempt = parts
        .sign_ins
        .attempt(name, ip, known, Instant::now())
        .map_err(|wait| {
            ApiError::too_many(
                "too_many_attempts",
                "There were too many wrong attempts: wait, then try again.",
                wait,
            )
        })?;
    let user = parts
        .verify_password(name.to_owned(), password)
        .await?
        .filter(|user| !user.disabled)
        .ok_or_else(|| {
            tracing::info!(address = %ip, "a sign-in failed");
            ApiError::unauthorized("bad_credentials", "The name or the password is wrong.")
        })?;
    Ok((user, attempt))
}

async fn checked(
    parts: &Arc<Parts>,
    name: String,
    password: Password,
    code: Option<Password>,
    ip: IpAddr,
) -> Result<(User, SignedInBy), ApiError> {
    let (user, attempt) = checked_password(parts, &name, password.to_string(), ip).await?;
    if user.second_factor.is_none() {
        attempt.succeeded();
        return Ok((user, SignedInBy::Password));
    }
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        return Err(ApiError::unauthorized(
            "code_needed",
            "Send the code of the authenticator, or a recovery code, as well.",
        ));
    };
    let (user, used) = parts
        .store
        .run(move |store| {
            let mut used = None;
            let user = store.change_user(&name, None, |user| {
                if let Some(known) = &mut user.second_factor {
                    used = factor::use_code(known, &code, Timestamp::now());
                }
            })?;
            Ok((user, used))
        })
        .await?;
    let by = match used {
        Some(factor::Code::Time) => SignedInBy::Code,
        Some(factor::Code::Recovery) => SignedInBy::Recovery,
        None => {
            return Err(ApiError::unauthorized(
                "bad_code",
                "The code is wrong or was used before; wait for the next one.",
            ));
        }
    };
    attempt.succeeded();
    Ok((user, by))
}

/// The hash of a new password that is good enough.
pub(super) async fn hashed(
    parts: &Arc<Parts>,
    password: String,
    user: &str,
) -> Result<String, ApiError> {
    let (text, name) = (password.clone(), user.to_owned());
    tokio::task::spawn_blocking(move || accounts::validate_password(&text, &name))
        .await
        .map_err(|_| StoreError::Interrupted)?
        .map_err(|message| ApiError::bad_request("weak_password", message))?;
    Ok(parts.hash_password(password).await?)
}

/// Begins a session of somebody who has proven who they are.
pub(super) async fn begin(
    parts: &Arc<Parts>,
    user: &User,
    trace: &Trace,
    by: SignedInBy,
) -> Result<Renewal, ApiError> {
    let now = Timestamp::now();
    let id = secrets::id()?;
    let refresh = format!("{id}.{}", secrets::token()?);
    let session = Session {
        refresh: secrets::fingerprint(&refresh),
        id,
        user: user.name.clone(),
        by,
        created_at: now,
        seen_at: now,
        address: trace.peer.ip.to_string(),
        agent: trace.agent.clone(),
        before: None,
    };
    let shared = Arc::clone(parts);
    let (holder, access, expires_at) = parts
        .store
        .run(move |store| {
            store.add_session(&session)?;
            let holder = store
                .session_holder(&session.id, now)?
                .ok_or(StoreError::NotFound)?;
            let (access, expires_at) = shared.tokens.issue(&session, now)?;
            Ok((holder, access, expires_at))
        })
        .await?;
    trace.identified(&holder);
    Ok(Renewal {
        holder: Arc::new(holder),
        access,
        expires_at,
        refresh: Some(refresh),
    })
}

/// Has a browser keep the session.
pub(super) fn keep(jar: &CookieJar, renewal: &Renewal, secure: bool) {
    set(jar, renewal.cookies(secure));
}

fn set(jar: &CookieJar, lines: Vec<String>) {
    for line in lines {
        if let Ok(cookie) = Cookie::parse(&line) {
            jar.add(cookie);
        }
    }
}

/// What is answered to a sign-in.
pub(super) fn login_view(parts: &Parts, renewal: Renewal) -> LoginView {
    LoginView {
        user: user_view(parts, &renewal.holder),
        token: renewal.access,
        expires_at: renewal.expires_at.to_string(),
        refresh_token: renewal.refresh.unwrap_or_default(),
    }
}

fn user_view(parts: &Parts, holder: &Holder) -> UserView {
    let user = &holder.user;
    UserView {
        name: user.name.clone(),
        role: user.role.into(),
        reach: ReachView::of(&user.reach),
        permissions: Permission::ALL
            .into_iter()
            .filter(|permission| permission.allows(user.role))
            .map(|permission| permission.name().to_owned())
            .collect(),
        must_change_password: user.must_change_password,
        second_factor: user.second_factor.is_some(),
        must_set_second_factor: auth::lacks_factor(parts, holder),
        session: holder.session.as_ref().map(|session| session.id.clone()),
    }
}
