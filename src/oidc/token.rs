//! The proof of an ID token (OpenID Connect Core, 3.1.3.7).

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::{OidcError, Person};

/// Ways to sign that a provider can use: with a key that it alone has.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// How far clocks may lie apart, in seconds.
const LEEWAY: u64 = 60;
/// A token is for the sign-in that goes on: an older one is refused, in seconds.
const OLDEST: i64 = 15 * 60;

/// What a token must be for.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// Unix seconds.
    pub(super) now: i64,
}

/// The keys that may have signed it; empty where the provider's keys must be fetched anew.
pub(super) fn candidates<'a>(keys: &'a JwkSet, token: &str) -> Result<Vec<&'a Jwk>, OidcError> {
    let header = jsonwebtoken::decode_header(token)
        .map_err(|error| unproven(format!("its head cannot be read: {error}")))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(unproven(format!("it is signed with {:?}", header.alg)));
    }
    let signs = |key: &&Jwk| {
        key.common
            .public_key_use
            .as_ref()
            .is_none_or(|usage| *usage == PublicKeyUse::Signature)
    };
    let named = |key: &&Jwk| match &header.kid {
        Some(kid) => key.common.key_id.as_ref() == Some(kid),
        None => true,
    };
    Ok(keys.keys.iter().filter(signs).filter(named).collect())
}

/// Whom a token is of.
pub(super) fn prove(
    keys: &[&Jwk],
    token: &str,
    expected: &Expected<'_>,
) -> Result<Person, OidcError> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| unproven(error.to_string()))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(unproven(format!("it is signed with {:?}", header.alg)));
    }
    let mut rules = Validation::new(header.alg);
    rules.leeway = LEEWAY;
    rules.set_issuer(&[expected.issuer]);
    rules.set_audience(&[expected.client_id]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.validate_nbf = true;
    let mut fault = unproven("the provider has no key of this name");
    for key in keys {
        let decoded = DecodingKey::from_jwk(key)
            .and_then(|key| jsonwebtoken::decode::<Map<String, Value>>(token, &key, &rules));
        match decoded {
            Ok(decoded) => return claims(decoded.claims, expected),
            Err(error) => fault = unproven(error.to_string()),
        }
    }
    Err(fault)
}

fn claims(claims: Map<String, Value>, expected: &Expected<'_>) -> Result<Person, OidcError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let nonce = text("nonce").unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(unproven("it belongs to another sign-in (nonce)"));
    }
    let several = claims
        .get("aud")
        .and_then(Value::as_array)
        .is_some_and(|audiences| audiences.len() > 1);
    match text("azp") {
        Some(party) if party != expected.client_id => {
            return Err(unproven("it was given to another program (azp)"));
        }
        None if several => {
            return Err(unproven(
                "it is for several, and does not say to whom it was given",
            ));
        }
        _ => {}
    }
    let issued = claims
        .get("iat")
        .and_then(Value::as_f64)
        .ok_or_else(|| unproven("it does not say when it was given (iat)"))?
        as i64;
    if issued > expected.now + LEEWAY as i64 || issued < expected.now - OLDEST {
        return Err(unproven("it was not given now (iat)"));
    }
    let subject = text("sub")
        .filter(|subject| !subject.is_empty() && subject.len() <= 255)
        .ok_or_else(|| unproven("it does not say of whom it is (sub)"))?
        .to_owned();
    Ok(Person { subject, claims })
}

fn unproven(reason: impl Into<String>) -> OidcError {
    OidcError::Unproven(reason.into())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;

    use super::*;

    /// A key of P-256 and what the provider tells of it.
    fn key(name: &str) -> (EncodingKey, JwkSet) {
        let pair = rcgen::KeyPair::generate().expect("a key");
        let point = pair.public_key_raw();
        let part = |bytes: &[u8]| {
            use base64::Engine;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
        };
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": name, "use": "sig", "alg": "ES256",
            "x": part(&point[1..33]), "y": part(&point[33..65])}]});
        let set = serde_json::from_value(set).expect("keys");
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        (key, set)
    }

    fn now() -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn good() -> Value {
        json!({"iss": "https://id.test", "aud": "calls", "sub": "7", "nonce": "n", "iat": now(), "exp": now() + 300, "email": "a@b.test"})
    }

    fn checked(keys: &JwkSet, token: &str) -> Result<Person, OidcError> {
        let expected = Expected {
            issuer: "https://id.test",
            client_id: "calls",
            nonce: "n",
            now: now(),
        };
        prove(&candidates(keys, token)?, token, &expected)
    }

    fn signed(key: &EncodingKey, name: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(name.to_owned());
        jsonwebtoken::encode(&header, claims, key).expect("a token")
    }

    #[test]
    fn a_token_for_this_sign_in_is_believed_and_no_other() {
        let (key, keys) = key("a");
        let person = checked(&keys, &signed(&key, "a", &good())).expect("it is good");
        assert_eq!(
            (person.subject.as_str(), person.texts("email")),
            ("7", vec!["a@b.test".to_owned()])
        );
        let changes = [
            ("iss", json!("https://evil.test")),
            ("iss", Value::Null),
            ("aud", json!("another")),
            ("aud", json!(["calls", "another"])),
            ("azp", json!("another")),
            ("nonce", json!("m")),
            ("nonce", Value::Null),
            ("exp", json!(now() - 3600)),
            ("exp", Value::Null),
            ("iat", json!(now() - 3600)),
            ("iat", json!(now() + 3600)),
            ("iat", Value::Null),
            ("nbf", json!(now() + 3600)),
            ("sub", json!("")),
            ("sub", Value::Null),
        ];
        for (name, value) in changes {
            let mut claims = good();
            let object = claims.as_object_mut().expect("an object");
            if value.is_null() {
                object.remove(name);
            } else {
                object.insert(name.to_owned(), value.clone());
            }
            let refused = checked(&keys, &signed(&key, "a", &claims));
            assert!(
                matches!(refused, Err(OidcError::Unproven(_))),
                "{name}: {value}: {refused:?}"
            );
        }
        let mut several = good();
        several["aud"] = json!(["calls", "another"]);
        several["azp"] = json!("calls");
        assert!(checked(&keys, &signed(&key, "a", &several)).is_ok());
    }

    #[test]
    fn only_the_providers_own_signature_counts() {
        use base64::Engine;
        let (key_a, keys) = key("a");
        let (other, _) = key("a");
        assert!(checked(&keys, &signed(&other, "a", &good())).is_err());
        // A key that is not known yet: fetched anew by the caller.
        let unknown = signed(&other, "b", &good());
        assert!(candidates(&keys, &unknown).expect("it is read").is_empty());
        let encode = |value: &Value| {
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
        };
        let none = format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&good()));
        assert!(checked(&keys, &none).is_err());
        // The public key used as if it were a shared secret.
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("a".to_owned());
        let secret =
            EncodingKey::from_secret(serde_json::to_string(&keys).expect("text").as_bytes());
        let shared = jsonwebtoken::encode(&header, &good(), &secret).expect("a token");
        assert!(matches!(
            checked(&keys, &shared),
            Err(OidcError::Unproven(_))
        ));
        let good = signed(&key_a, "a", &good());
        let (rest, _) = good.rsplit_once('.').expect("a signature");
        assert!(checked(&keys, &format!("{rest}.")).is_err());
        assert!(checked(&keys, "rubbish").is_err());
    }
}
