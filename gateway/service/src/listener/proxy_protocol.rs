//! PROXY protocol version 2: the true source of a connection that a load balancer hands over.
//!
//! Off by default; when on, a connection without a readable header is dropped, since the region of the bot, and with it
//! its certificate's limits, hangs on this address. Only version 2 (binary) over TCP is read. Source: the HAProxy
//! "PROXY protocol" specification, section 2.2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// The 12 octets every version 2 header begins with.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
pub const FIXED_LENGTH: usize = 16;
/// The longest address part (with type-length-values) that is read.
pub const LONGEST_ADDRESSES: usize = 536;

/// Why a header is refused; the connection is then dropped without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProxyHeaderError {
    /// The first 12 octets are others: a client that does not speak the protocol.
    #[error("the connection does not begin with a PROXY protocol version 2 header")]
    NoSignature,
    /// Version other than 2 or command other than LOCAL and PROXY.
    #[error("unknown PROXY protocol version or command {0:#04x}")]
    Version(u8),
    /// Family or transport other than TCP over IPv4 or IPv6.
    #[error("unsupported address family {0:#04x}: only TCP over IPv4 or IPv6")]
    Family(u8),
    /// Longer than [`LONGEST_ADDRESSES`] or shorter than its family needs.
    #[error("the header states {0} octets of addresses")]
    Length(u16),
}

/// What a header says of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxySource {
    /// The balancer speaks for itself (health check): use the socket's own address.
    Local,
    /// The client behind the balancer.
    Client(SocketAddr),
}

/// Reads the fixed part and gives the length of the rest.
///
/// # Errors
/// When the header cannot be what it must be.
pub fn inspect_fixed(fixed: &[u8; FIXED_LENGTH]) -> Result<usize, ProxyHeaderError> {
    if fixed[..12] != SIGNATURE {
        return Err(ProxyHeaderError::NoSignature);
    }
    if !matches!(fixed[12], 0x20 | 0x21) {
        return Err(ProxyHeaderError::Version(fixed[12]));
    }
    let length = u16::from_be_bytes([fixed[14], fixed[15]]);
    if usize::from(length) > LONGEST_ADDRESSES {
        return Err(ProxyHeaderError::Length(length));
    }
    Ok(usize::from(length))
}

/// Reads a whole header: the fixed part and the addresses it announced.
///
/// # Errors
/// When the family is not TCP over IP, or the addresses are too short for it.
pub fn parse(fixed: &[u8; FIXED_LENGTH], addresses: &[u8]) -> Result<ProxySource, ProxyHeaderError> {
    let length = inspect_fixed(fixed)?;
    if addresses.len() != length {
        return Err(ProxyHeaderError::Length(
            u16::try_from(addresses.len()).unwrap_or(u16::MAX),
        ));
    }
    if fixed[12] == 0x20 {
        return Ok(ProxySource::Local);
    }
    let short = ProxyHeaderError::Length(u16::try_from(length).unwrap_or(u16::MAX));
    match fixed[13] {
        0x11 => {
            let a: &[u8; 12] = addresses.first_chunk().ok_or(short)?;
            let ip = Ipv4Addr::new(a[0], a[1], a[2], a[3]);
            Ok(ProxySource::Client(SocketAddr::new(
                IpAddr::V4(ip),
                u16::from_be_bytes([a[8], a[9]]),
            )))
        }
        0x21 => {
            let a: &[u8; 36] = addresses.first_chunk().ok_or(short)?;
            let octets: [u8; 16] = *a.first_chunk().ok_or(short)?;
            Ok(ProxySource::Client(SocketAddr::new(
                IpAddr::V6(Ipv6Addr::from(octets)),
                u16::from_be_bytes([a[32], a[33]]),
            )))
        }
        other => Err(ProxyHeaderError::Family(other)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, addresses: &[u8]) -> ([u8; FIXED_LENGTH], Vec<u8>) {
        let mut fixed = [0; FIXED_LENGTH];
        fixed[..12].copy_from_slice(&SIGNATURE);
        fixed[12] = command;
        fixed[13] = family;
        fixed[14..].copy_from_slice(&u16::try_from(addresses.len()).expect("short").to_be_bytes());
        (fixed, addresses.to_vec())
    }

    #[test]
    fn addresses_are_read() {
        let (fixed, rest) = header(0x21, 0x11, &[10, 0, 0, 7, 127, 0, 0, 1, 0x1f, 0x90, 0, 80]);
        assert_eq!(
            parse(&fixed, &rest),
            Ok(ProxySource::Client("10.0.0.7:8080".parse().expect("address")))
        );
        let (fixed, rest) = header(0x20, 0, &[]);
        assert_eq!(parse(&fixed, &rest), Ok(ProxySource::Local));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let (fixed, rest) = header(0x21, 0x12, &[0; 12]);
        assert_eq!(parse(&fixed, &rest), Err(ProxyHeaderError::Family(0x12)));
        let (fixed, rest) = header(0x11, 0x11, &[0; 12]);
        assert_eq!(parse(&fixed, &rest), Err(ProxyHeaderError::Version(0x11)));
        let (fixed, rest) = header(0x21, 0x11, &[0; 11]);
        assert_eq!(parse(&fixed, &rest), Err(ProxyHeaderError::Length(11)));
        assert_eq!(inspect_fixed(b"GET / HTTP/1.1\r\n"), Err(ProxyHeaderError::NoSignature));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(fixed in any::<[u8; FIXED_LENGTH]>(), rest in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&fixed, &rest);
        }
    }
}
