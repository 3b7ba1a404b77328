//! A certificate with its key: read, checked, and what it says of itself.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Name;

/// Certificates that live shorter than this are renewed at half of their life.
const SHORT: SignedDuration = SignedDuration::from_hours(10 * 24);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PairFault {
    /// The file of the certificate is none.
    #[error("there is no certificate in it: a PEM file begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// The file of the key is none.
    #[error("there is no private key without a password in it: {0}")]
    NoKey(String),
    /// It is damaged.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// They do not belong together.
    #[error("the key does not belong to the certificate, which must be the first in its file: {0}")]
    Mismatch(rustls::Error),
    /// Its time is over, or has not come.
    #[error("the certificate is valid from {from} to {to}")]
    NotNow {
        /// When it begins.
        from: Timestamp,
        /// When it ends.
        to: Timestamp,
    },
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Pair {
    /// As TLS uses it.
    pub key: Arc<CertifiedKey>,
    /// When it begins.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// What it is for; a name that begins with `*.` is for all below.
    pub names: BTreeSet<String>,
}

impl Pair {
    /// Reads the chain and the key, each as PEM (both may be in one text).
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, PairFault> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| PairFault::Unreadable(error.to_string()))?;
        let first = chain.first().cloned().ok_or(PairFault::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| PairFault::NoKey(error.to_string()))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => PairFault::Mismatch(error),
            error => PairFault::NoKey(error.to_string()),
        })?;
        let (_, read) = X509Certificate::from_der(&first)
            .map_err(|error| PairFault::Unreadable(error.to_string()))?;
        let time = |seconds: i64| {
            Timestamp::from_second(seconds)
                .map_err(|error| PairFault::Unreadable(error.to_string()))
        };
        let names = read
            .subject_alternative_name()
            .map_err(|error| PairFault::Unreadable(error.to_string()))?
            .map(|names| names.value.general_names.iter().filter_map(name).collect())
            .unwrap_or_default();
        Ok(Self {
            not_before: time(read.validity().not_before.timestamp())?,
            not_after: time(read.validity().not_after.timestamp())?,
            names,
            key: Arc::new(key),
        })
    }

    /// Whether its time has come and is not over.
    pub fn check_time(&self, now: Timestamp) -> Result<(), PairFault> {
        if self.not_before <= now && now < self.not_after {
            return Ok(());
        }
        Err(PairFault::NotNow {
            from: self.not_before,
            to: self.not_after,
        })
    }

    /// Those of `names` that it is not for.
    pub fn lacks<'a>(&self, names: &'a [Name]) -> Vec<&'a Name> {
        names.iter().filter(|name| !self.is_for(name)).collect()
    }

    fn is_for(&self, name: &Name) -> bool {
        let text = name.to_string();
        let below = |domain: &str| {
            let parent = domain.split_once('.').map(|(_, parent)| parent);
            parent.is_some_and(|parent| self.names.contains(&format!("*.{parent}")))
        };
        self.names.contains(&text) || matches!(name, Name::Domain(domain) if below(domain))
    }

    /// The first certificate, as it is sent.
    pub fn first(&self) -> Option<&CertificateDer<'static>> {
        self.key.cert.first()
    }

    /// SHA-256 of the certificate as browsers show it.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.first().map_or(&[][..], |first| first));
        let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(":")
    }

    /// When a new one should be asked for: two thirds into its life, half where that is short.
    pub fn renew_at(&self) -> Timestamp {
        let life = self.not_after.duration_since(self.not_before);
        let part = if life < SHORT { life / 2 } else { life / 3 * 2 };
        self.not_before.checked_add(part).unwrap_or(self.not_before)
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DNSName(domain) => Some(domain.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let address = match <[u8; 4]>::try_from(*bytes) {
                Ok(v4) => IpAddr::from(Ipv4Addr::from(v4)),
                Err(_) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(*bytes).ok()?)),
            };
            Some(address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str], days: std::ops::Range<u8>) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).expect("names");
        params.not_before = rcgen::date_time_ymd(2026, 1, days.start);
        params.not_after = rcgen::date_time_ymd(2026, 1, days.end);
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_pair_says_what_it_is_for_and_when_it_is_renewed() {
        let (chain, key) = made(
            &["calls.example.com", "*.example.org", "203.0.113.7"],
            1..31,
        );
        let pair = Pair::read(chain.as_bytes(), key.as_bytes()).expect("a pair");
        let names: Vec<Name> = [
            "calls.example.com",
            "a.example.org",
            "203.0.113.7",
            "example.org",
            "a.b.example.org",
            "203.0.113.8",
        ]
        .iter()
        .map(|name| name.parse().expect("a name"))
        .collect();
        let lacks: Vec<String> = pair.lacks(&names).iter().map(ToString::to_string).collect();
        assert_eq!(lacks, ["example.org", "a.b.example.org", "203.0.113.8"]);
        assert_eq!(pair.renew_at(), at("2026-01-21T00:00:00Z"));
        assert!(pair.check_time(at("2026-01-20T00:00:00Z")).is_ok());
        assert!(pair.check_time(at("2026-01-31T00:00:00Z")).is_err());
        assert!(pair.check_time(at("2025-12-31T00:00:00Z")).is_err());
        assert_eq!(pair.fingerprint().len(), 32 * 3 - 1);
    }

    #[test]
    fn a_short_life_is_renewed_at_half() {
        let (chain, key) = made(&["203.0.113.7"], 1..7);
        let pair = Pair::read(chain.as_bytes(), key.as_bytes()).expect("a pair");
        assert_eq!(pair.renew_at(), at("2026-01-04T00:00:00Z"));
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        let (chain, key) = made(&["a.example.com"], 1..31);
        let (_, other) = made(&["a.example.com"], 1..31);
        let read = |chain: &str, key: &str| Pair::read(chain.as_bytes(), key.as_bytes());
        assert!(matches!(read(&chain, &other), Err(PairFault::Mismatch(_))));
        assert!(matches!(read("", &key), Err(PairFault::NoCertificate)));
        assert!(matches!(read(&key, &key), Err(PairFault::NoCertificate)));
        assert!(matches!(read(&chain, &chain), Err(PairFault::NoKey(_))));
        let cut = chain.replace("MII", "MIJ");
        assert!(read(&cut, &key).is_err());
    }
}
