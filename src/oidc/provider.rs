//! The conversation with the provider: what it is, where to send people, what it says of
//! those who come back. Blocking; called on threads for that.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use ureq::Agent;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::token::{self, Expected};
use super::{OidcError, Person};
use crate::config::{Oidc, is_protected};

/// A request takes at most this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer in bytes.
const MAX_ANSWER: u64 = 1 << 20;
/// What the provider tells of itself is good for this long.
const FRESH: Duration = Duration::from_secs(3600);
/// Sign-ins that ask it at the same time.
const AT_ONCE: usize = 8;
/// Keys are not asked for more often, whatever tokens come.
const KEYS_AGAIN: Duration = Duration::from_secs(10);

/// What the provider tells of itself (OpenID Connect Discovery).
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

struct Known<T> {
    value: Arc<T>,
    since: Instant,
}

/// The secrets of one sign-in, which the browser brings back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Comes back in the address.
    pub state: String,
    /// Comes back in the token.
    pub nonce: String,
    /// Proves that the code was asked for here (PKCE).
    pub verifier: String,
}

impl Way {
    /// A new one.
    pub fn new() -> Result<Self, OidcError> {
        let random = || -> Result<String, OidcError> {
            let mut bytes = [0u8; 32];
            getrandom::fill(&mut bytes).map_err(|error| OidcError::Random(error.to_string()))?;
            Ok(URL_SAFE_NO_PAD.encode(bytes))
        };
        Ok(Self {
            state: random()?,
            nonce: random()?,
            verifier: random()?,
        })
    }

    /// As one text for a cookie.
    pub fn to_text(&self) -> String {
        format!("{}.{}.{}", self.state, self.nonce, self.verifier)
    }

    /// Reads [`Way::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        match parts[..] {
            [state, nonce, verifier] if parts.iter().all(|part| part.len() == 43) => Some(Self {
                state: state.to_owned(),
                nonce: nonce.to_owned(),
                verifier: verifier.to_owned(),
            }),
            _ => None,
        }
    }
}

/// An identity provider.
pub struct Provider {
    settings: Oidc,
    agent: Agent,
    metadata: Mutex<Option<Known<Metadata>>>,
    keys: Mutex<Option<Known<JwkSet>>>,
    places: Semaphore,
}

impl Provider {
    /// Of the settings; the provider is not asked yet.
    pub fn new(settings: &Oidc) -> Result<Self, OidcError> {
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ));
        if let Some(path) = &settings.ca_file {
            let fault = |error: &dyn std::fmt::Display| {
                OidcError::Unavailable(format!("oidc.ca_file: {error}"))
            };
            let mut roots = Vec::new();
            for der in CertificateDer::pem_file_iter(path).map_err(|error| fault(&error))? {
                let der = der.map_err(|error| fault(&error))?;
                roots.push(Certificate::from_der(&der).to_owned());
            }
            tls = tls.root_certs(RootCerts::Specific(Arc::new(roots)));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        Ok(Self {
            settings: settings.clone(),
            agent,
            metadata: Mutex::default(),
            keys: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Oidc {
        &self.settings
    }

    /// A place among those who ask it; `None` where too many wait already.
    pub fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    fn redirect_uri(&self) -> String {
        format!("{}/api/v1/auth/oidc/callback", self.settings.public_url)
    }

    /// Where to send somebody who wants to sign in.
    pub fn begin(&self, way: &Way) -> Result<String, OidcError> {
        let metadata = self.metadata()?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(way.verifier.as_bytes()));
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", &way.state)
            .append_pair("nonce", &way.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let to = &metadata.authorization_endpoint;
        let sign = if to.contains('?') { '&' } else { '?' };
        Ok(format!("{to}{sign}{query}"))
    }

    /// Whom a code stands for.
    pub fn finish(&self, way: &Way, code: &str, now: i64) -> Result<Person, OidcError> {
        let metadata = self.metadata()?;
        let tokens = self.redeem(&metadata, way, code)?;
        let id_token = tokens
            .id_token
            .ok_or_else(|| OidcError::Unproven("there is none".to_owned()))?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &way.nonce,
            now,
        };
        let keys = self.keys_for(&metadata, &id_token)?;
        let mut person = token::prove(&token::candidates(&keys, &id_token)?, &id_token, &expected)?;
        if let (Some(endpoint), Some(access)) = (&metadata.userinfo_endpoint, &tokens.access_token)
        {
            self.ask_more(endpoint, access, &mut person)?;
        }
        Ok(person)
    }

    fn redeem(&self, metadata: &Metadata, way: &Way, code: &str) -> Result<Tokens, OidcError> {
        let (id, secret) = (&self.settings.client_id, &self.settings.client_secret);
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("code_verifier", &way.verifier);
        let mut request = self
            .agent
            .post(&metadata.token_endpoint)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json");
        // Where nothing is said, the header is the way (RFC 8414).
        let in_header = methods.is_empty() || methods.iter().any(|m| m == "client_secret_basic");
        if secret.is_empty() {
            form.append_pair("client_id", id);
        } else if in_header {
            let encoded =
                |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(id), encoded(secret.expose()));
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
        } else {
            form.append_pair("client_id", id)
                .append_pair("client_secret", secret.expose());
        }
        let response = request.send(form.finish()).map_err(|e| on_the_way(&e))?;
        let status = response.status();
        let body = text(response)?;
        if status.is_success() {
            return serde_json::from_str(&body)
                .map_err(|_| OidcError::Unavailable("its answer cannot be read".to_owned()));
        }
        let said: Map<String, Value> = serde_json::from_str(&body).unwrap_or_default();
        let said = said
            .get("error")
            .and_then(Value::as_str)
            .unwrap_or("no reason");
        let said: String = said.chars().filter(|c| !c.is_control()).take(100).collect();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Err(OidcError::Unavailable(format!("HTTP {}", status.as_u16())))
        } else {
            Err(OidcError::Refused(said))
        }
    }

    /// Claims that the provider gives over its second door only.
    fn ask_more(&self, endpoint: &str, access: &str, person: &mut Person) -> Result<(), OidcError> {
        let s = &self.settings;
        let wanted = [&s.account_claim, &s.role_claim, &s.teams_claim];
        if wanted
            .iter()
            .all(|claim| claim.is_empty() || person.claims.contains_key(*claim))
        {
            return Ok(());
        }
        let request = self
            .agent
            .get(endpoint)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {access}"));
        let more: Map<String, Value> = self.json(request.call())?;
        // Of somebody else: mixed up, or swapped (OpenID Connect Core, 5.3.2).
        if more.get("sub").and_then(Value::as_str) != Some(person.subject.as_str()) {
            return Err(OidcError::Unproven(
                "what it says besides is of somebody else".to_owned(),
            ));
        }
        for (name, value) in more {
            person.claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        let mut known = lock(&self.metadata);
        if let Some(known) = known.as_ref().filter(|known| known.since.elapsed() < FRESH) {
            return Ok(Arc::clone(&known.value));
        }
        let issuer = &self.settings.issuer;
        let url = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let found: Metadata = self.json(self.agent.get(&url).call())?;
        if found.issuer != *issuer {
            return Err(OidcError::Unavailable(format!(
                "it calls itself {:?}; write that as oidc.issuer",
                found.issuer.chars().take(200).collect::<String>()
            )));
        }
        let doors = [
            Some(&found.authorization_endpoint),
            Some(&found.token_endpoint),
            Some(&found.jwks_uri),
            found.userinfo_endpoint.as_ref(),
        ];
        if !doors.into_iter().flatten().all(|door| is_protected(door)) {
            return Err(OidcError::Unavailable(
                "it wants to be asked without protection".to_owned(),
            ));
        }
        let value = Arc::new(found);
        *known = Some(Known {
            value: Arc::clone(&value),
            since: Instant::now(),
        });
        Ok(value)
    }

    /// The provider's keys; anew where the one that signed is not among those known.
    fn keys_for(&self, metadata: &Metadata, id_token: &str) -> Result<Arc<JwkSet>, OidcError> {
        let mut known = lock(&self.keys);
        if let Some(known) = known.as_ref() {
            let age = known.since.elapsed();
            let has = !token::candidates(&known.value, id_token)?.is_empty();
            if (has && age < FRESH) || age < KEYS_AGAIN {
                return Ok(Arc::clone(&known.value));
            }
        }
        // A key of a kind that is not known here must not spoil the others.
        let mut found: Value = self.json(self.agent.get(&metadata.jwks_uri).call())?;
        if let Some(keys) = found.get_mut("keys").and_then(Value::as_array_mut) {
            keys.retain(|key| {
                serde_json::from_value::<jsonwebtoken::jwk::Jwk>(key.clone()).is_ok()
            });
        }
        let set: JwkSet = serde_json::from_value(found)
            .map_err(|_| OidcError::Unavailable("its keys cannot be read".to_owned()))?;
        let value = Arc::new(set);
        *known = Some(Known {
            value: Arc::clone(&value),
            since: Instant::now(),
        });
        Ok(value)
    }

    fn json<T: DeserializeOwned>(
        &self,
        response: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, OidcError> {
        let response = response.map_err(|error| on_the_way(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(OidcError::Unavailable(format!("HTTP {}", status.as_u16())));
        }
        serde_json::from_str(&text(response)?)
            .map_err(|_| OidcError::Unavailable("its answer cannot be read".to_owned()))
    }
}

fn text(response: Response<ureq::Body>) -> Result<String, OidcError> {
    let mut text = String::new();
    response
        .into_body()
        .into_with_config()
        .limit(MAX_ANSWER)
        .reader()
        .read_to_string(&mut text)
        .map_err(|error| OidcError::Unavailable(error.to_string()))?;
    Ok(text)
}

fn on_the_way(error: &ureq::Error) -> OidcError {
    OidcError::Unavailable(error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_survives_its_cookie() {
        let way = Way::new().expect("random");
        assert_eq!(Way::from_text(&way.to_text()), Some(way));
        for bad in ["", "a.b.c", "..", &format!("{}.x", "a".repeat(43))] {
            assert_eq!(Way::from_text(bad), None);
        }
    }
}
