//! Who is at the other end of the connection, and how it is protected.

use std::net::{IpAddr, Ipv4Addr};

use poem::Request;
use poem::http::uri::Scheme;

/// The other end of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its address.
    pub(super) ip: IpAddr,
    /// Whether nobody on the way can read along.
    pub(super) secure: bool,
    /// The host that was asked, with its port where that is not the usual one.
    pub(super) host: String,
}

impl Peer {
    /// The other end of this request.
    pub(super) fn of(request: &Request) -> Self {
        let ip = request
            .remote_addr()
            .as_socket_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| {
                address.ip().to_canonical()
            });
        Self {
            ip,
            secure: *request.scheme() == Scheme::HTTPS,
            host: request.header("host").unwrap_or_default().to_owned(),
        }
    }

    /// Whether a page of somebody else has the browser send this (Fetch Metadata, RFC 6454).
    /// A program sends neither header.
    pub(super) fn is_foreign(&self, request: &Request) -> bool {
        match request.header("sec-fetch-site") {
            Some(site) => !matches!(site, "same-origin" | "none"),
            None => request.header("origin").is_some_and(|origin| {
                origin
                    .split_once("://")
                    .is_none_or(|(_, host)| !host.eq_ignore_ascii_case(&self.host))
            }),
        }
    }
}
