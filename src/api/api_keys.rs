//! Keys that programs sign in with.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::auth::{Accounts, KEY_PREFIX, Who};
use super::error::ApiError;
use super::sessions::Done;
use crate::accounts::secrets;
use crate::app::Parts;
use crate::domain::access::Permission;
use crate::domain::session::ApiKey;

/// Longest life of a key, in days.
const MOST_DAYS: u32 = 366;
/// Most requests a minute that a key can be given.
const MOST_PER_MINUTE: u32 = 6000;

pub(super) struct ApiKeysApi;

/// A key to be made.
#[derive(Object)]
struct ApiKeyRequest {
    /// What it is for.
    name: String,
    /// What it may do: names of permissions, as the operations of this document have them.
    scopes: Vec<String>,
    /// The account it stands for, one's own when left out: it never can do or see more.
    user: Option<String>,
    /// Good for so many days, 1–366.
    days: u32,
    /// Most requests a minute, 1–6000.
    #[oai(default = "per_minute")]
    per_minute: u32,
}

fn per_minute() -> u32 {
    600
}

/// A key, without what is secret of it.
#[derive(Object)]
struct ApiKeyView {
    id: String,
    name: String,
    user: String,
    scopes: Vec<String>,
    per_minute: u32,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: String,
    /// Whether it has ended.
    expired: bool,
    /// Last use, to the hour, RFC 3339.
    used_at: Option<String>,
}

#[derive(Object)]
struct MadeApiKeyView {
    key: ApiKeyView,
    /// Send it as `Authorization: Bearer …`; shown this once.
    secret: String,
}

#[derive(Object)]
struct ApiKeysView {
    /// The newest first.
    items: Vec<ApiKeyView>,
    /// Scopes that a key can have.
    scopes: Vec<String>,
}

impl ApiKeyView {
    fn new(key: &ApiKey, now: Timestamp) -> Self {
        Self {
            id: key.id.clone(),
            name: key.name.clone(),
            user: key.user.clone(),
            scopes: key
                .scopes
                .iter()
                .map(|scope| scope.name().to_owned())
                .collect(),
            per_minute: key.per_minute,
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.to_string(),
            expired: now >= key.expires_at,
            used_at: key.used_at.map(|at| at.to_string()),
        }
    }
}

#[OpenApi]
impl ApiKeysApi {
    /// All keys.
    #[oai(path = "/api-keys", method = "get", operation_id = "apiKeys")]
    async fn keys(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Accounts>,
    ) -> Result<Json<ApiKeysView>, ApiError> {
        let now = Timestamp::now();
        let keys = parts.store.run(|store| store.api_keys()).await?;
        Ok(Json(ApiKeysView {
            items: keys.iter().map(|key| ApiKeyView::new(key, now)).collect(),
            scopes: Permission::ALL
                .into_iter()
                .filter(|permission| permission.for_keys())
                .map(|permission| permission.name().to_owned())
                .collect(),
        }))
    }

    /// Make a key.
    #[oai(path = "/api-keys", method = "post", operation_id = "addApiKey")]
    async fn add(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        request: Json<ApiKeyRequest>,
    ) -> Result<Json<MadeApiKeyView>, ApiError> {
        let request = request.0;
        let bad = |message: String| ApiError::bad_request("bad_api_key", message);
        let name = request
            .name
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(bad(
                "Name what the key is for, in 1 to 100 characters.".into()
            ));
        }
        if !(1..=MOST_DAYS).contains(&request.days) {
            return Err(bad(format!("A key is good for 1 to {MOST_DAYS} days.")));
        }
        if !(1..=MOST_PER_MINUTE).contains(&request.per_minute) {
            return Err(bad(format!(
                "A key has from 1 to {MOST_PER_MINUTE} requests a minute."
            )));
        }
        let mut scopes = Vec::new();
        for scope in &request.scopes {
            match scope.parse::<Permission>() {
                Ok(permission) if permission.for_keys() => scopes.push(permission),
                _ => return Err(bad(format!("A key cannot have the scope {scope:?}."))),
            }
        }
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(bad("A key needs at least one scope.".into()));
        }
        let owner = request.user.unwrap_or_else(|| who.user().name.clone());
        let wanted = owner.clone();
        let user = parts
            .store
            .run(move |store| store.user(&wanted))
            .await?
            .ok_or_else(|| ApiError::missing("no_such_user", "There is no such account."))?;
        if let Some(beyond) = scopes.iter().find(|scope| !scope.allows(user.role)) {
            return Err(bad(format!(
                "The account's role has not the permission '{}'.",
                beyond.name()
            )));
        }
        let (id, now) = (secrets::id()?, Timestamp::now());
        let secret = format!("{KEY_PREFIX}{id}_{}", secrets::token()?);
        let key = ApiKey {
            hash: secrets::fingerprint(&secret),
            id,
            name,
            user: owner,
            scopes,
            created_at: now,
            expires_at: now + SignedDuration::from_hours(24 * i64::from(request.days)),
            per_minute: request.per_minute,
            used_at: None,
        };
        who.trace().subject(&key.id);
        let view = ApiKeyView::new(&key, now);
        parts
            .store
            .run(move |store| store.add_api_key(&key))
            .await?;
        Ok(Json(MadeApiKeyView { key: view, secret }))
    }

    /// Take a key back, at once.
    #[oai(
        path = "/api-keys/:id",
        method = "delete",
        operation_id = "removeApiKey"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Accounts>,
        id: Path<String>,
    ) -> Result<Done, ApiError> {
        who.trace().subject(&id.0);
        let known = parts
            .store
            .run(move |store| store.remove_api_key(&id.0))
            .await?;
        if known {
            Ok(Done::Done)
        } else {
            Err(ApiError::missing(
                "no_such_api_key",
                "There is no such key.",
            ))
        }
    }
}
