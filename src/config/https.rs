//! Settings of HTTPS, sections `[https]` and `[https.acme]`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

use super::Section;

/// The authority that is asked unless another is named.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Names and addresses that one certificate has at most.
const MAX_NAMES: usize = 100;

/// Settings of HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// Whether it is served.
    pub enabled: bool,
    /// Where.
    pub listen: SocketAddr,
    /// Where plain HTTP is answered with a redirect; `None`: nowhere.
    pub redirect_from: Option<SocketAddr>,
    /// What the page is called: domains and bare addresses.
    pub names: Vec<Name>,
    /// How long browsers are told to come by HTTPS only; zero: they are not told.
    pub hsts: Duration,
    /// Where the certificate comes from.
    pub source: CertificateSource,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// Made here at first start.
    SelfSigned,
    /// Files of somebody else: the chain and its key, as PEM.
    Files {
        /// The certificate and those between it and the authority's.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// An authority that speaks ACME.
    Acme(Acme),
}

/// An authority that speaks ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// Address of its directory.
    pub directory: String,
    /// Where it may write to: `mailto:…`.
    pub contact: Vec<String>,
    /// Which of its profiles; empty: its default, and `shortlived` for bare addresses.
    pub profile: String,
    /// How control of the names is shown.
    pub challenge: Challenge,
    /// Authorities that its own certificate is checked against in place of the usual ones.
    pub ca_file: Option<PathBuf>,
}

/// How control of a name is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Challenge {
    /// On the port of HTTPS, then on that of HTTP.
    #[serde(rename = "any")]
    Any,
    /// A file over plain HTTP, port 80.
    #[serde(rename = "http-01")]
    Http01,
    /// A certificate over TLS, port 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// A domain or a bare address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A domain in lower case.
    Domain(String),
    /// An address.
    Address(IpAddr),
}

impl Name {
    /// As it is written in an address of the web.
    pub fn authority(&self) -> String {
        match self {
            Name::Domain(domain) => domain.clone(),
            Name::Address(IpAddr::V4(address)) => address.to_string(),
            Name::Address(IpAddr::V6(address)) => format!("[{address}]"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Domain(domain) => f.write_str(domain),
            Name::Address(address) => write!(f, "{address}"),
        }
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Name::Address(address.to_canonical()));
        }
        let domain = text.trim_end_matches('.').to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last_is_number = domain
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if domain.len() > 253 || last_is_number || !domain.split('.').all(label) {
            return Err(format!(
                "{text:?} is neither a domain such as calls.example.com (in its xn-- form where it is not Latin) nor an address such as 203.0.113.7"
            ));
        }
        Ok(Name::Domain(domain))
    }
}

/// Reads the sections; `listen` from the environment wins.
pub(super) fn read(mut table: Table, listen: Option<String>, faults: &mut Vec<String>) -> Https {
    let acme = match table.remove("acme") {
        None => Table::new(),
        Some(Value::Table(acme)) => acme,
        Some(_) => {
            faults.push("https.acme: is a section: write [https.acme]".to_owned());
            Table::new()
        }
    };
    let mut section = Section {
        name: "https.",
        table,
        faults,
    };
    let enabled = section.take("enabled", false);
    let listen_file: String = section.take("listen", "0.0.0.0:443".to_owned());
    let listen = address(
        &mut section,
        "listen",
        &listen.unwrap_or(listen_file),
        "0.0.0.0:443",
    );
    let redirect: String = section.take("redirect_from", "0.0.0.0:80".to_owned());
    let redirect_from = match redirect.as_str() {
        "off" => None,
        text => address(&mut section, "redirect_from", text, "0.0.0.0:80\" or \"off"),
    };
    let texts: Vec<String> = section.take("domains", Vec::new());
    let mut names = Vec::new();
    for text in &texts {
        match text.parse::<Name>() {
            Ok(name) if names.contains(&name) => {
                section.fault("domains", &format!("{name} is named twice"));
            }
            Ok(name) => names.push(name),
            Err(fault) => section.fault("domains", &fault),
        }
    }
    if names.len() > MAX_NAMES {
        section.fault("domains", &format!("has more than {MAX_NAMES} names"));
    }
    let hsts_days: u64 = section.take("hsts_days", 365);
    if hsts_days > 3650 {
        section.fault("hsts_days", "is from 0 to 3650");
    }
    let certificate: String = section.take("certificate", String::new());
    let key: String = section.take("key", String::new());
    let files = match (certificate.is_empty(), key.is_empty()) {
        (true, true) => None,
        (false, false) => Some((PathBuf::from(certificate), PathBuf::from(key))),
        (true, false) => {
            section.fault("certificate", "is needed where there is a key");
            None
        }
        (false, true) => {
            section.fault("key", "is needed where there is a certificate");
            None
        }
    };
    section.finish();
    let (acme_enabled, acme) = read_acme(acme, enabled, faults);
    let source = match (files, acme_enabled) {
        (Some(_), true) if enabled => {
            faults.push(
                "https.acme.enabled: the certificate comes from files (https.certificate) or from an authority, not from both"
                    .to_owned(),
            );
            CertificateSource::SelfSigned
        }
        (Some((certificate, key)), _) => {
            for (name, path) in [("certificate", &certificate), ("key", &key)] {
                readable(enabled, &format!("https.{name}"), path, faults);
            }
            CertificateSource::Files { certificate, key }
        }
        (None, true) => {
            if enabled && names.is_empty() {
                faults.push(
                    "https.domains: an authority needs to know them: write the domain or the public address of this machine"
                        .to_owned(),
                );
            }
            if enabled && acme.challenge == Challenge::Http01 && redirect_from.is_none() {
                faults.push(
                    "https.redirect_from: http-01 needs port 80: write \"0.0.0.0:80\", or choose challenge = \"tls-alpn-01\""
                        .to_owned(),
                );
            }
            CertificateSource::Acme(acme)
        }
        (None, false) => CertificateSource::SelfSigned,
    };
    Https {
        enabled,
        listen: listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 443))),
        redirect_from,
        names,
        hsts: Duration::from_secs(hsts_days * 24 * 3600),
        source,
    }
}

fn read_acme(table: Table, https: bool, faults: &mut Vec<String>) -> (bool, Acme) {
    let mut section = Section {
        name: "https.acme.",
        table,
        faults,
    };
    let enabled = section.take("enabled", false);
    let agreed = section.take("agree_to_terms", false);
    if https && enabled && !agreed {
        section.fault(
            "agree_to_terms",
            "read the authority's terms of service (Let's Encrypt: https://letsencrypt.org/repository) and write true",
        );
    }
    let directory: String = section.take("directory", LETS_ENCRYPT.to_owned());
    if !directory.starts_with("https://") {
        section.fault(
            "directory",
            "is the address of the authority's directory and begins with https://",
        );
    }
    let contact: String = section.take("contact", String::new());
    let contact: Vec<String> = contact
        .split(',')
        .map(|address| address.trim().trim_start_matches("mailto:"))
        .filter(|address| !address.is_empty())
        .map(|address| format!("mailto:{address}"))
        .collect();
    if contact
        .iter()
        .any(|address| !address.contains('@') || address.contains(char::is_whitespace))
    {
        section.fault("contact", "is an address of e-mail, or empty");
    }
    let ca_file: String = section.take("ca_file", String::new());
    let ca_file = (!ca_file.is_empty()).then(|| PathBuf::from(ca_file));
    let acme = Acme {
        directory,
        contact,
        profile: section.take("profile", String::new()),
        challenge: section.take("challenge", Challenge::Any),
        ca_file: ca_file.clone(),
    };
    section.finish();
    if let Some(path) = &ca_file {
        readable(https && enabled, "https.acme.ca_file", path, faults);
    }
    (enabled, acme)
}

fn readable(used: bool, key: &str, path: &Path, faults: &mut Vec<String>) {
    if used && let Err(error) = std::fs::read(path) {
        faults.push(format!("{key}: {}: {error}", path.display()));
    }
}

fn address(section: &mut Section, key: &str, text: &str, such_as: &str) -> Option<SocketAddr> {
    let parsed = text.parse().ok();
    if parsed.is_none() {
        section.fault(
            key,
            &format!("{text:?} is not an address and port such as \"{such_as}\""),
        );
    }
    parsed
}
