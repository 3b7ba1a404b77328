//! Who is on the other end: the address and whether the way is encrypted. Where a
//! proxy of ours stands in between, its word counts; nobody else's does.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use poem::Request;
use poem::http::HeaderMap;
use poem::http::uri::Scheme;

use crate::app::Parts;
use crate::config::{Network, ProxyHeader};

/// Who asks, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    /// The address.
    pub(super) ip: IpAddr,
    /// Whether nobody in between can read along.
    pub(super) secure: bool,
    /// The host that was asked, with its port where that is not the usual one.
    pub(super) host: String,
}

impl Peer {
    /// Of a request.
    pub(super) fn of(request: &Request) -> Self {
        let (ip, secure) = connection(request);
        // HTTP/2 has the host in the address.
        let authority = request.uri().authority().map(ToString::to_string);
        let host = authority
            .or_else(|| request.header("host").map(str::to_owned))
            .unwrap_or_default();
        match trusting(request, ip) {
            Some((proxies, header)) => {
                let said = Said::read(request.headers(), header);
                let https = |proto: String| proto.eq_ignore_ascii_case("https");
                Self {
                    ip: said.client(ip, proxies),
                    secure: secure || said.proto.is_some_and(https),
                    host: said.host.unwrap_or(host),
                }
            }
            None => Self { ip, secure, host },
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

fn connection(request: &Request) -> (IpAddr, bool) {
    let ip = request
        .remote_addr()
        .as_socket_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| {
            address.ip().to_canonical()
        });
    (ip, *request.scheme() == Scheme::HTTPS)
}

/// The proxies and their header, where the connection comes from one of them.
fn trusting(request: &Request, ip: IpAddr) -> Option<(&[Network], ProxyHeader)> {
    let http = &request.data::<Arc<Parts>>()?.config.http;
    is_in(&http.trusted_proxies, ip).then_some((&http.trusted_proxies, http.proxy_header))
}

fn is_in(networks: &[Network], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(ip))
}

/// What the proxies said: addresses in the order of the way, `None` for what is none.
#[derive(Default)]
struct Said {
    addresses: Vec<Option<IpAddr>>,
    proto: Option<String>,
    host: Option<String>,
}

impl Said {
    fn read(headers: &HeaderMap, header: ProxyHeader) -> Self {
        match header {
            ProxyHeader::XForwardedFor => Self {
                addresses: list(headers, "x-forwarded-for")
                    .iter()
                    .map(|text| address(text))
                    .collect(),
                proto: list(headers, "x-forwarded-proto").pop(),
                host: list(headers, "x-forwarded-host").pop(),
            },
            ProxyHeader::Forwarded => Self::forwarded(headers),
        }
    }

    /// RFC 7239.
    fn forwarded(headers: &HeaderMap) -> Self {
        let mut said = Self::default();
        for element in list(headers, "forwarded") {
            let mut from = None;
            (said.proto, said.host) = (None, None);
            for pair in element.split(';') {
                let Some((name, value)) = pair.split_once('=') else {
                    continue;
                };
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => from = address(value),
                    "proto" => said.proto = Some(value.to_owned()),
                    "host" => said.host = Some(value.to_owned()),
                    _ => {}
                }
            }
            said.addresses.push(from);
        }
        said
    }

    /// From the right: the first that is no proxy of ours. What stands left of it, or of
    /// something unreadable, anybody may have written.
    fn client(&self, connection: IpAddr, proxies: &[Network]) -> IpAddr {
        let mut client = connection;
        for said in self.addresses.iter().rev() {
            let Some(ip) = said else {
                break;
            };
            client = *ip;
            if !is_in(proxies, *ip) {
                break;
            }
        }
        client
    }
}

/// Values of a field that may come several times, and with commas in it.
fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]`, `[::1]:5`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(header: ProxyHeader, lines: &[(&'static str, &str)]) -> Said {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        Said::read(&headers, header)
    }

    fn client(said: &Said) -> String {
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        let connection = "10.0.0.1".parse().expect("an address");
        said.client(connection, &proxies).to_string()
    }

    #[test]
    fn the_rightmost_that_is_no_proxy_is_the_client() {
        let of = |lines: &[(&'static str, &str)]| client(&said(ProxyHeader::XForwardedFor, lines));
        assert_eq!(of(&[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
        assert_eq!(
            of(&[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2")]),
            "203.0.113.9"
        );
        assert_eq!(
            of(&[
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-for", "203.0.113.9:4711")
            ]),
            "203.0.113.9"
        );
        assert_eq!(of(&[("x-forwarded-for", "[2001:db8::1]:9")]), "2001:db8::1");
        assert_eq!(
            of(&[("x-forwarded-for", "1.1.1.1, unknown, 10.0.0.2")]),
            "10.0.0.2"
        );
        assert_eq!(of(&[("x-forwarded-for", "1.1.1.1, _hidden")]), "10.0.0.1");
        assert_eq!(of(&[("forwarded", "for=1.1.1.1")]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_where_it_is_chosen() {
        let said = said(
            ProxyHeader::Forwarded,
            &[
                ("forwarded", "for=1.1.1.1;proto=http"),
                (
                    "forwarded",
                    "For=\"[2001:db8::7]:80\"; proto=https;host=calls.example.com, for=10.0.0.3;proto=https;host=h",
                ),
                ("x-forwarded-for", "9.9.9.9"),
            ],
        );
        assert_eq!(client(&said), "2001:db8::7");
        assert_eq!(said.proto.as_deref(), Some("https"));
        assert_eq!(said.host.as_deref(), Some("h"));
    }
}
