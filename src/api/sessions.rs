//! Signing in and out, and the tokens that stand for it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use poem::web::Data;
use poem::web::cookie::{Cookie, CookieJar, SameSite};
use poem_openapi::payload::Json;
use poem_openapi::types::Password;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::auth::SignedIn;
use super::error::ApiError;
use crate::accounts;
use crate::app::Parts;
use crate::domain::User;

/// Name of the session cookie.
pub const COOKIE: &str = "call_analytics_session";
/// How long a sign-in lasts.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Makes and reads signed tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Name of the account.
    pub sub: String,
    /// Must equal the account's, which grows when its sessions are ended.
    pub epoch: u64,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Expires at, Unix seconds.
    pub exp: i64,
}

impl Tokens {
    /// Signs with HMAC-SHA256 and `key`.
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
        }
    }

    /// A token for `user` and when it expires.
    fn issue(&self, user: &User, now: Timestamp) -> Result<(String, Timestamp), ApiError> {
        let expires_at = now + LIFETIME;
        let claims = Claims {
            sub: user.name.clone(),
            epoch: user.session_epoch,
            iat: now.as_second(),
            exp: expires_at.as_second(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| ApiError::internal(&error))?;
        Ok((token, expires_at))
    }

    /// What a valid token says; `None` when it is not ours, was changed or has expired.
    pub fn read(&self, token: &str) -> Option<Claims> {
        let validation = Validation::new(Algorithm::HS256);
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .ok()
            .map(|data| data.claims)
    }
}

pub(super) struct SessionsApi;

/// Name and password.
#[derive(Object)]
struct LoginRequest {
    username: String,
    password: Password,
}

/// A person who is signed in.
#[derive(Object)]
struct UserView {
    /// Name of the account.
    name: String,
    /// What the person may do.
    role: String,
}

/// A sign-in that succeeded.
#[derive(Object)]
struct LoginView {
    user: UserView,
    /// For programs: send it as `Authorization: Bearer …`.
    token: String,
    /// When it expires, RFC 3339.
    expires_at: String,
}

/// A change of one's own password.
#[derive(Object)]
struct PasswordRequest {
    current_password: Password,
    new_password: Password,
}

#[derive(ApiResponse)]
enum Done {
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
        cookies: &CookieJar,
        request: Json<LoginRequest>,
    ) -> Result<Json<LoginView>, ApiError> {
        let LoginRequest { username, password } = request.0;
        let user = parts
            .verify_password(username, password.to_string())
            .await?
            .ok_or_else(|| {
                ApiError::unauthorized("bad_credentials", "The name or the password is wrong.")
            })?;
        let (token, expires_at) = parts.tokens.issue(&user, Timestamp::now())?;
        cookies.add(session_cookie(token.clone()));
        tracing::info!(user = user.name, "signed in");
        Ok(Json(LoginView {
            user: user_view(&user),
            token,
            expires_at: expires_at.to_string(),
        }))
    }

    /// Sign out: the cookie is taken back.
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, cookies: &CookieJar, _who: SignedIn) -> Done {
        let mut cookie = session_cookie(String::new());
        cookie.make_removal();
        cookies.add(cookie);
        Done::Done
    }

    /// Who is signed in.
    #[oai(path = "/auth/me", method = "get", operation_id = "me")]
    async fn me(&self, who: SignedIn) -> Result<Json<UserView>, ApiError> {
        Ok(Json(user_view(who.user())))
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
        cookies: &CookieJar,
        who: SignedIn,
        request: Json<PasswordRequest>,
    ) -> Result<Done, ApiError> {
        let PasswordRequest {
            current_password,
            new_password,
        } = request.0;
        let name = who.user().name.clone();
        parts
            .verify_password(name.clone(), current_password.to_string())
            .await?
            .ok_or_else(|| {
                ApiError::unauthorized("bad_credentials", "The current password is wrong.")
            })?;
        crate::domain::user::validate_password(&new_password, &name)
            .map_err(|message| ApiError::bad_request("weak_password", message))?;
        let hash = parts.hash_password(new_password.to_string()).await?;
        let user = parts
            .store
            .run(move |store| accounts::set_password_hash(store, &name, hash))
            .await?;
        let (token, _) = parts.tokens.issue(&user, Timestamp::now())?;
        cookies.add(session_cookie(token));
        Ok(Done::Done)
    }
}

fn user_view(user: &User) -> UserView {
    UserView {
        name: user.name.clone(),
        role: user.role.to_string(),
    }
}

fn session_cookie(token: String) -> Cookie {
    let mut cookie = Cookie::new_with_str(COOKIE, token);
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_path("/");
    cookie.set_max_age(LIFETIME.unsigned_abs());
    cookie
}
