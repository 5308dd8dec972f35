//! Reading our own certificates, as far as issuing needs it.

use extensions::{AuthorityLimits, Timestamp, oids::OidArc, verify::verify_signature};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::der;

/// A certificate's SubjectPublicKeyInfo, DER; `None` when it is none.
#[must_use]
pub fn spki_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    rest.is_empty().then(|| parsed.public_key().raw.to_vec())
}

/// The TBSCertificate of a certificate, byte for byte.
#[must_use]
pub fn tbs_of(certificate: &[u8]) -> Option<&[u8]> {
    let mut fields = der::Reader(der::only(certificate, der::SEQUENCE)?.content);
    fields.expect(der::SEQUENCE).map(|tbs| tbs.whole)
}

/// Whether the key of the certificate `above` signed `certificate`. Says nothing of names, lives or profiles.
#[must_use]
pub fn is_signed_by(certificate: &[u8], above: &[u8]) -> bool {
    let Ok((rest, parsed)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let (Some(tbs), Some(key)) = (tbs_of(certificate), spki_of(above)) else {
        return false;
    };
    rest.is_empty() && verify_signature(&key, tbs, &parsed.signature_value.data)
}

/// The serial, when it is one of ours.
#[must_use]
pub fn serial_of(certificate: &[u8]) -> Option<extensions::Serial> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    extensions::Serial::from_slice(parsed.raw_serial())
}

/// Start and end of a certificate's life.
#[must_use]
pub fn life_of(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let validity = parsed.validity();
    Some((
        Timestamp::from_seconds(validity.not_before.timestamp()),
        Timestamp::from_seconds(validity.not_after.timestamp()),
    ))
}

/// The AuthorityLimits of a certificate; `None` when absent, twice there, or not readable.
#[must_use]
pub fn limits_of(certificate: &[u8], arc: OidArc) -> Option<AuthorityLimits> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let oid = arc.authority_limits();
    let mut found = parsed
        .extensions()
        .iter()
        .filter(|extension| extension.oid.as_bytes() == oid.der_content());
    let extension = found.next()?;
    if found.next().is_some() {
        return None;
    }
    AuthorityLimits::decode(extension.value).ok()
}

/// The DNS names and IP addresses a server's certificate is for; `None` when it holds any other, or none.
#[must_use]
pub fn server_names_of(certificate: &[u8]) -> Option<(Vec<String>, Vec<std::net::IpAddr>)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
    for name in &parsed.subject_alternative_name().ok()??.value.general_names {
        match name {
            GeneralName::DNSName(host) => hosts.push((*host).to_owned()),
            GeneralName::IPAddress(octets) => addresses.push(match octets.len() {
                4 => <[u8; 4]>::try_from(*octets).ok()?.into(),
                _ => <[u8; 16]>::try_from(*octets).ok()?.into(),
            }),
            _ => return None,
        }
    }
    (!hosts.is_empty() || !addresses.is_empty()).then_some((hosts, addresses))
}
