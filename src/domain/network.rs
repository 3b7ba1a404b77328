//! Addresses of the Internet, as limits count them.

use std::net::{IpAddr, Ipv6Addr};

/// What one subscriber holds: an IPv4 address, or a whole /64 of IPv6, which has more
/// addresses than can be counted.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_has_one_network() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        let of = |text: &str| subscriber(parse(text));
        assert_eq!(of("2001:db8::1:2:3:4"), parse("2001:db8::"));
        assert_eq!(of("::ffff:192.0.2.1"), parse("192.0.2.1"));
        assert_eq!(of("192.0.2.1"), parse("192.0.2.1"));
    }
}
