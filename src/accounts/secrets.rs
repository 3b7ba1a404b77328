//! Random secrets that are shown once and kept as their SHA-256: refresh tokens, API
//! keys, links of invitations, recovery codes. They have enough random bits that a slow
//! hash would add nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::AccountError;

/// `N` random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], AccountError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| AccountError::Hash(error.to_string()))?;
    Ok(bytes)
}

/// 256 random bits as text for addresses and headers.
pub fn token() -> Result<String, AccountError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// A random public name: 96 bits.
pub fn id() -> Result<String, AccountError> {
    Ok(hex(&random::<12>()?))
}

/// SHA-256 in lower-case hex.
pub fn fingerprint(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Compares two fingerprints in constant time.
pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_known_by_their_hash() {
        let (a, b) = (token().expect("random"), token().expect("random"));
        assert_eq!(a.len(), 43);
        assert_ne!(a, b);
        assert!(same(&fingerprint(&a), &fingerprint(&a)));
        assert!(!same(&fingerprint(&a), &fingerprint(&b)));
        assert_eq!(id().expect("random").len(), 24);
        assert_eq!(
            fingerprint(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
