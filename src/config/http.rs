//! Settings of connections and of what stands in front, section `[http]`.

use std::time::Duration;

use serde::Deserialize;
use toml::Table;

use super::{Network, Section};

/// Settings of connections, encrypted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Reverse proxies, whose word on who asks is taken.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they tell it.
    pub proxy_header: ProxyHeader,
    /// Where a proxy shows the page: `/calls`, or empty for the root.
    pub base_path: String,
    /// Connections at once, in all.
    pub max_connections: usize,
    /// Connections at once from one address; trusted proxies are not counted.
    pub max_connections_per_address: usize,
    /// The first request's head, and a TLS handshake, must arrive within this.
    pub header_timeout: Duration,
    /// A connection without a request ends after this.
    pub idle_timeout: Duration,
    /// A body that does not move for this long is cut off.
    pub stall_timeout: Duration,
    /// A body must bring at least this many bytes a second, on average over `stall_timeout`.
    pub min_bytes_per_s: u64,
    /// Largest body other than an upload, in bytes.
    pub max_body_bytes: u64,
}

/// The header in which proxies tell who asks. Only one is read: what the proxy does not
/// write itself, it passes on from anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Reads the section.
pub(super) fn read(table: Table, faults: &mut Vec<String>) -> Http {
    let mut section = Section {
        name: "http.",
        table,
        faults,
    };
    let texts: Vec<String> = section.take("trusted_proxies", Vec::new());
    let mut trusted_proxies = Vec::new();
    for text in texts {
        match text.parse::<Network>() {
            Ok(network) => trusted_proxies.push(network),
            Err(fault) => section.fault("trusted_proxies", &fault),
        }
    }
    let proxy_header = section.take("proxy_header", ProxyHeader::XForwardedFor);
    let base_path: String = section.take("base_path", String::new());
    let base_path = base_path.trim_end_matches('/').to_owned();
    if !base_path.is_empty() && !valid_path(&base_path) {
        section.fault(
            "base_path",
            "begins with / and has letters, digits, '-', '_', '.' and '/' only, such as \"/calls\"",
        );
    }
    let mut number = |key: &str, default: u64, most: u64| {
        let value = section.take(key, default);
        if !(1..=most).contains(&value) {
            section.fault(key, &format!("is from 1 to {most}"));
        }
        value
    };
    let http = Http {
        trusted_proxies,
        proxy_header,
        base_path,
        max_connections: number("max_connections", 4096, 60_000) as usize,
        max_connections_per_address: number("max_connections_per_address", 512, 60_000) as usize,
        header_timeout: Duration::from_secs(number("header_timeout_s", 20, 600)),
        idle_timeout: Duration::from_secs(number("idle_timeout_s", 75, 3600)),
        stall_timeout: Duration::from_secs(number("stall_timeout_s", 60, 3600)),
        min_bytes_per_s: number("min_bytes_per_s", 256, 1 << 30),
        max_body_bytes: number("max_body_mb", 16, 4096) * 1024 * 1024,
    };
    section.finish();
    http
}

fn valid_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains("//")
        && path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !path.split('/').any(|part| part == "." || part == "..")
}
