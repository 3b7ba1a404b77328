//! The certificate that HTTPS is served with: files of somebody else, one that an
//! authority gives (ACME), or one of our own; kept, renewed, replaced while it serves.

mod acme;
mod keeper;
mod kept;
mod pair;
mod resolver;
mod self_signed;
mod transport;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;

pub use pair::{Pair, PairFault};
pub(crate) use resolver::{ACME_TLS, Resolver};

use crate::config::{CertificateSource, Https};
use acme::Authority;
use kept::Kept;

/// Where challenges are answered over HTTP.
pub const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// A file cannot be read or written.
    #[error("files of certificates: {0}")]
    Files(#[from] std::io::Error),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Pair(#[from] PairFault),
    /// The files named in the configuration cannot be used.
    #[error("https.certificate {certificate} with https.key {key}: {fault}")]
    Named {
        /// Path of the certificate.
        certificate: String,
        /// Path of the key.
        key: String,
        /// What is wrong.
        fault: Box<HttpsError>,
    },
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Made(#[from] rcgen::Error),
    /// TLS refuses.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The conversation with the authority failed.
    #[error("the authority: {0}")]
    Acme(#[from] instant_acme::Error),
    /// The authority does not offer the profile.
    #[error("https.acme.profile: the authority does not offer {wanted:?}; it offers: {offered}")]
    Profile {
        /// The one configured.
        wanted: String,
        /// Those it has.
        offered: String,
    },
    /// The authority refuses.
    #[error("{0}")]
    Refused(String),
}

/// The certificate in force and what keeps it so.
pub struct Certificates {
    settings: Https,
    kept: Kept,
    resolver: Arc<Resolver>,
    tls: Arc<ServerConfig>,
}

impl Certificates {
    /// Loads the certificate, or makes one. Until an authority gave its first one, ours serves.
    pub fn open(settings: &Https, data_dir: &Path) -> Result<Self, HttpsError> {
        let kept = Kept::open(data_dir.join("https"))?;
        let now = Timestamp::now();
        let pair = match &settings.source {
            CertificateSource::SelfSigned => self_signed::ensure(&kept, &settings.names, now)?,
            CertificateSource::Files { certificate, key } => {
                let pair = keeper::read_files(certificate, key)?;
                keeper::warn_of(&pair, settings, now);
                pair
            }
            CertificateSource::Acme(acme) => {
                let authority = authority(settings, acme, &kept);
                match authority.kept_pair(now)? {
                    Some(pair) => pair,
                    None => self_signed::ensure(&kept, &settings.names, now)?,
                }
            }
        };
        let resolver = Arc::new(Resolver::new(pair));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&resolver) as Arc<_>);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if matches!(settings.source, CertificateSource::Acme(_)) {
            tls.alpn_protocols.push(ACME_TLS.to_vec());
        }
        tls.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        Ok(Self {
            settings: settings.clone(),
            kept,
            resolver,
            tls: Arc::new(tls),
        })
    }

    /// The pair in force.
    pub fn current(&self) -> Arc<Pair> {
        self.resolver.current()
    }

    /// What TLS is spoken with.
    pub fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// The text that an authority looks for under [`CHALLENGES`].
    pub fn challenge_file(&self, token: &str) -> Option<String> {
        self.resolver.file(token)
    }
}

fn authority<'a>(
    settings: &'a Https,
    acme: &'a crate::config::Acme,
    kept: &'a Kept,
) -> Authority<'a> {
    Authority {
        settings: acme,
        names: &settings.names,
        plain: settings.redirect_from.is_some(),
        kept,
    }
}
