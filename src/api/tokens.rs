//! Access tokens: short-lived JWTs (RFC 7519, HS256) that name a session. The session is
//! looked up at every request, so that ending it works at once; the token keeps a stolen
//! cookie from being good for longer than minutes.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::accounts::secrets;
use crate::domain::session::Session;
use crate::store::{Store, StoreError, TokenKey};

/// How long an access token is good.
pub(super) const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// New tokens get another key after this.
const ROTATION: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Makes and reads signed tokens.
pub struct Tokens {
    store: Arc<Store>,
    /// The newest first.
    keys: RwLock<Vec<TokenKey>>,
}

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Name of the account.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Expires at, Unix seconds.
    pub exp: i64,
}

impl Tokens {
    /// Reads the keys of the store; makes the first one. Blocks.
    ///
    /// # Errors
    /// The store failed, or the system has no random numbers.
    pub fn open(store: Arc<Store>, now: Timestamp) -> Result<Self, StoreError> {
        let keys = store.token_keys()?;
        let tokens = Self {
            store,
            keys: RwLock::new(keys),
        };
        tokens.rotate_when_due(now)?;
        Ok(tokens)
    }

    /// A token for a session, and when it expires. Blocks where a new key is due.
    pub(super) fn issue(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<(String, Timestamp), StoreError> {
        self.rotate_when_due(now)?;
        let expires_at = now + LIFETIME;
        let claims = Claims {
            sub: session.user.clone(),
            sid: session.id.clone(),
            iat: now.as_second(),
            exp: expires_at.as_second(),
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.first().ok_or(StoreError::NotFound)?;
        let header = Header {
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let encoding = EncodingKey::from_secret(&key.secret);
        // Text and two numbers in a known form cannot fail to be signed.
        jsonwebtoken::encode(&header, &claims, &encoding)
            .map(|token| (token, expires_at))
            .map_err(|_| StoreError::Interrupted)
    }

    /// What a valid token says; `None` when it is not ours, was changed or has expired.
    pub(super) fn read(&self, token: &str) -> Option<Claims> {
        let id = jsonwebtoken::decode_header(token).ok()?.kid?;
        let decoding = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let key = keys.iter().find(|key| key.id == id)?;
            DecodingKey::from_secret(&key.secret)
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        jsonwebtoken::decode::<Claims>(token, &decoding, &validation)
            .ok()
            .map(|data| data.claims)
    }

    /// Signs with another key from now on; what was signed before is good no more, and
    /// each session makes itself a new access token. Blocks.
    pub(super) fn replace(&self, now: Timestamp) -> Result<(), StoreError> {
        self.add(now, now)
    }

    fn rotate_when_due(&self, now: Timestamp) -> Result<(), StoreError> {
        let fresh = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .first()
            .is_some_and(|key| now < key.created_at + ROTATION);
        if fresh {
            return Ok(());
        }
        // Tokens of the key before expire by themselves; the one after it goes.
        self.add(now, now - ROTATION - ROTATION)
    }

    fn add(&self, now: Timestamp, keep_from: Timestamp) -> Result<(), StoreError> {
        let make = || -> Option<TokenKey> {
            Some(TokenKey {
                id: secrets::id().ok()?,
                secret: secrets::random::<32>().ok()?,
                created_at: now,
            })
        };
        let key = make().ok_or(StoreError::Interrupted)?;
        self.store.add_token_key(&key, keep_from)?;
        let keys = self.store.token_keys()?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        tracing::info!("tokens are signed with another key");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::session::SignedInBy;

    fn session(now: Timestamp) -> Session {
        Session {
            id: "session".into(),
            user: "olga".into(),
            by: SignedInBy::Password,
            created_at: now,
            seen_at: now,
            address: String::new(),
            agent: String::new(),
            refresh: String::new(),
            before: None,
        }
    }

    #[test]
    fn keys_are_rotated_and_replaced() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Arc::new(Store::open(dir.path()).expect("store"));
        let now = Timestamp::now();
        let past = now - ROTATION - ROTATION / 2;
        let tokens = Tokens::open(Arc::clone(&store), past).expect("opened");
        let (old, _) = tokens.issue(&session(past), past).expect("issued");
        assert!(tokens.read(&old).is_none(), "it has expired");
        let (before, until) = tokens.issue(&session(now), now).expect("issued");
        assert_eq!(until, now + LIFETIME);
        assert_eq!(store.token_keys().expect("keys").len(), 2, "rotated");
        let claims = tokens.read(&before).expect("good");
        assert_eq!(
            (claims.sub.as_str(), claims.sid.as_str()),
            ("olga", "session")
        );
        let again = Tokens::open(Arc::clone(&store), now).expect("opened");
        assert!(again.read(&before).is_some(), "keys outlive a restart");
        tokens
            .replace(now + SignedDuration::from_secs(1))
            .expect("replaced");
        assert!(tokens.read(&before).is_none());
        assert_eq!(store.token_keys().expect("keys").len(), 1);
    }

    #[test]
    fn a_token_of_another_kind_is_not_taken() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Arc::new(Store::open(dir.path()).expect("store"));
        let now = Timestamp::now();
        let tokens = Tokens::open(Arc::clone(&store), now).expect("opened");
        let key = store.token_keys().expect("keys").remove(0);
        let claims = Claims {
            sub: "olga".into(),
            sid: "s".into(),
            iat: now.as_second(),
            exp: now.as_second() + 600,
        };
        let signed = |algorithm, kid: Option<&str>, secret: &[u8]| {
            let header = Header {
                kid: kid.map(str::to_owned),
                ..Header::new(algorithm)
            };
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret))
                .expect("signed")
        };
        let id = Some(key.id.as_str());
        assert!(
            tokens
                .read(&signed(Algorithm::HS256, id, &key.secret))
                .is_some()
        );
        assert!(
            tokens
                .read(&signed(Algorithm::HS384, id, &key.secret))
                .is_none()
        );
        assert!(
            tokens
                .read(&signed(Algorithm::HS256, None, &key.secret))
                .is_none()
        );
        assert!(
            tokens
                .read(&signed(Algorithm::HS256, Some("x"), &key.secret))
                .is_none()
        );
        assert!(
            tokens
                .read(&signed(Algorithm::HS256, id, b"another"))
                .is_none()
        );
        // {"alg":"none","kid":…}
        let good = signed(Algorithm::HS256, id, &key.secret);
        let body = good.split('.').nth(1).expect("a body");
        use base64::Engine;
        let head = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(format!("{{\"alg\":\"none\",\"kid\":\"{}\"}}", key.id));
        assert!(tokens.read(&format!("{head}.{body}.")).is_none());
        for garbage in ["", ".", "..", "a.b.c", &"x".repeat(10_000)] {
            assert!(tokens.read(garbage).is_none());
        }
    }
}
