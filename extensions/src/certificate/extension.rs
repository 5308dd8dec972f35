//! Extension values as bytes: the profile allows one spelling each, so they are compared, not interpreted.

use crate::{
    limits::{Field, tlv},
    oids::Oid,
};

pub(super) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
pub(super) const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
pub(super) const DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
pub(super) const POLICIES: &[u8] = &[0x55, 0x1d, 32];
pub(super) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
pub(super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
pub(super) const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
/// id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1).
pub(super) const OCSP_NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 5];

/// id-kp-serverAuth, -clientAuth, -OCSPSigning (RFC 5280 §4.2.1.12, RFC 6960).
pub(super) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub(super) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
pub(super) const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// keyUsage digitalSignature.
pub(super) const DIGITAL_SIGNATURE: &[u8] = &[0x03, 0x02, 0x07, 0x80];
/// keyUsage keyCertSign, cRLSign.
pub(super) const CERT_AND_CRL_SIGN: &[u8] = &[0x03, 0x02, 0x01, 0x06];
/// basicConstraints of a leaf.
pub(super) const NO_CA: &[u8] = &[0x30, 0x00];
/// basicConstraints of a CA without a path length.
pub(super) const ANY_CA: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];
/// basicConstraints of a CA with this path length.
pub(super) const fn ca_above(path_length: u8) -> [u8; 8] {
    [0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, path_length]
}

pub(super) const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;

fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 4);
    tlv::put(tag, content, &mut out);
    out
}

/// extKeyUsage with exactly this purpose.
pub(super) fn sole_purpose(oid_content: &[u8]) -> Vec<u8> {
    wrapped(SEQUENCE, &wrapped(OBJECT_IDENTIFIER, oid_content))
}

/// certificatePolicies with exactly this policy, no qualifiers.
pub(super) fn sole_policy(policy: &Oid) -> Vec<u8> {
    wrapped(
        SEQUENCE,
        &wrapped(SEQUENCE, &wrapped(OBJECT_IDENTIFIER, policy.der_content())),
    )
}

/// cRLDistributionPoints with exactly this URI.
pub(super) fn sole_distribution_point(uri: &str) -> Vec<u8> {
    let full_name = wrapped(0xa0, &wrapped(URI, uri.as_bytes()));
    wrapped(SEQUENCE, &wrapped(SEQUENCE, &wrapped(0xa0, &full_name)))
}

/// The only name of a subjectAltName, when it is a URI.
pub(super) fn sole_uri(value: &[u8]) -> Option<&str> {
    let mut outer = tlv::Fields::new(value, Field::Value);
    let mut names = outer.enter(SEQUENCE, Field::Value).ok()?;
    outer.finish().ok()?;
    let uri = names.take(URI, Field::Value).ok()?;
    names.finish().ok()?;
    std::str::from_utf8(uri)
        .ok()
        .filter(|uri| uri.bytes().all(|b| b.is_ascii_graphic()))
}

/// Whether a subjectAltName holds one or more DNS names and IP addresses, and nothing else.
pub(super) fn only_hosts(value: &[u8]) -> bool {
    let mut outer = tlv::Fields::new(value, Field::Value);
    let Ok(mut names) = outer.enter(SEQUENCE, Field::Value) else {
        return false;
    };
    let mut count = 0;
    while names.peek().is_some() {
        match names.take_any(Field::Value) {
            Ok((DNS_NAME, name)) if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) => count += 1,
            Ok((IP_ADDRESS, address)) if matches!(address.len(), 4 | 16) => count += 1,
            _ => return false,
        }
    }
    count > 0 && outer.finish().is_ok()
}
