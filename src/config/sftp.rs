//! Settings of the SFTP server, section `[sftp]`.

use std::net::SocketAddr;

use toml::Table;

use super::Section;

/// Settings of the SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sftp {
    /// Whether there is one.
    pub enabled: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// A file is complete when it was closed and did not change for this long.
    pub settle_ms: u64,
    /// Connections that are signed in.
    pub max_connections: usize,
    /// Of them, from one address.
    pub max_connections_per_address: usize,
    /// Connections that have not signed in.
    pub max_unauthenticated: usize,
    /// Files and directories that one connection has open.
    pub max_handles: usize,
    /// Time to sign in.
    pub login_timeout_s: u64,
    /// A connection without a request ends after this.
    pub idle_timeout_s: u64,
    /// Wrong passwords after which an address is banned.
    pub ban_after: u32,
    /// How long it is banned.
    pub ban_s: u64,
    /// Bytes of the disk that are left free.
    pub keep_free_bytes: u64,
}

/// Reads the section; `listen` from the environment wins.
pub(super) fn read(table: Table, listen: Option<String>, faults: &mut Vec<String>) -> Sftp {
    let mut section = Section {
        name: "sftp.",
        table,
        faults,
    };
    let enabled = section.take("enabled", true);
    let listen_file: String = section.take("listen", "0.0.0.0:2022".to_owned());
    let listen = listen.unwrap_or(listen_file);
    let listen = listen.parse().unwrap_or_else(|_| {
        section.fault(
            "listen",
            &format!("{listen:?} is not an address and port such as 0.0.0.0:2022"),
        );
        SocketAddr::from(([0, 0, 0, 0], 2022))
    });
    let mut number = |key: &str, default: u64, most: u64| {
        let value = section.take(key, default);
        if !(1..=most).contains(&value) {
            section.fault(key, &format!("is from 1 to {most}"));
        }
        value
    };
    let sftp = Sftp {
        enabled,
        listen,
        settle_ms: number("settle_ms", 2000, 600_000),
        max_connections: number("max_connections", 100, 10_000) as usize,
        max_connections_per_address: number("max_connections_per_address", 32, 10_000) as usize,
        max_unauthenticated: number("max_unauthenticated", 100, 10_000) as usize,
        max_handles: number("max_handles", 128, 10_000) as usize,
        login_timeout_s: number("login_timeout_s", 30, 3600),
        idle_timeout_s: number("idle_timeout_s", 900, 86_400),
        ban_after: number("ban_after", 10, 1_000_000) as u32,
        ban_s: number("ban_s", 900, 30 * 86_400),
        keep_free_bytes: number("keep_free_mb", 200, 1_000_000_000) * 1024 * 1024,
    };
    section.finish();
    sftp
}
