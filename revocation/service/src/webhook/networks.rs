//! Where webhooks may not go: every address that is not plainly on the public internet (CWE-918).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use revocation_core::regions::Network;

/// Whether we may connect to `address`: it is public, or in one of the networks the subscription allows.
pub(super) fn permitted(address: IpAddr, allow: &[Network]) -> bool {
    let address = address.to_canonical();
    allow.iter().any(|network| network.contains(address)) || is_public(address)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Not of the special-purpose registry of IANA (RFC 6890 and its updates).
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

/// Global unicast (2000::/3) without documentation, benchmarking, Teredo and ORCHID; 6to4 and NAT64 by what they wrap.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [a, b, c, d, ..] = v6.segments();
    let octets = v6.octets();
    let wrapped = |at: usize| {
        let [w, x, y, z] = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b) {
        (0x64, 0xff9b) => c == 0 && d == 0 && wrapped(12),
        (0x2002, _) => wrapped(2),
        (0x2001, 0x0..=0x1ff | 0xdb8) | (0x3fff, 0x0..=0xfff) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Negative control: any line of the tables above removed lets its row through.
    #[test]
    fn inner_addresses_are_refused() {
        for inner in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
        ] {
            assert!(!permitted(inner.parse().unwrap(), &[]), "{inner}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "2a00::1",
            "64:ff9b::808:808",
        ] {
            assert!(permitted(public.parse().unwrap(), &[]), "{public}");
        }
    }

    #[test]
    fn a_configured_network_is_permitted_and_no_other() {
        let allow = [Network::parse("10.1.0.0/16").unwrap()];
        assert!(permitted("10.1.2.3".parse().unwrap(), &allow));
        assert!(permitted("::ffff:10.1.2.3".parse().unwrap(), &allow));
        assert!(!permitted("10.2.2.3".parse().unwrap(), &allow));
        assert!(!permitted("127.0.0.1".parse().unwrap(), &allow));
    }
}
