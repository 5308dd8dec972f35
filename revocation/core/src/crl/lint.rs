//! The rules a CRL is held to before it is signed (certificates.md §2 "Profile check", §7).

use der::Decode;
use extensions::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{
    OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, OID_X509_EXT_CRL_NUMBER, OID_X509_EXT_ISSUER_DISTRIBUTION_POINT,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::signing;

use super::{CrlContent, CrlError, CrlFault, LONGEST_CRL_LIFE_SECONDS};

/// The subjectKeyIdentifier of a certificate.
pub(super) fn subject_key_identifier<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        })
}

/// The crlNumber of a list; `None` when it has none or is no list.
pub(super) fn number_of(der: &[u8]) -> Option<u64> {
    let (_, list) = CertificateRevocationList::from_der(der).ok()?;
    u64::try_from(list.crl_number()?).ok()
}

/// The serials a list names.
pub(super) fn serials_of(der: &[u8]) -> Option<std::collections::BTreeSet<extensions::Serial>> {
    let (_, list) = CertificateRevocationList::from_der(der).ok()?;
    let serials = list.iter_revoked_certificates();
    Some(
        serials
            .filter_map(|entry| extensions::Serial::from_slice(entry.raw_serial()))
            .collect(),
    )
}

/// `Some` when `der` is signed by the CA of the certificate `issuer`, both algorithm fields agreeing (RFC 5280 §5.1.1.2).
pub(super) fn verified(der: &[u8], issuer: &[u8]) -> Option<()> {
    let (_, list) = CertificateRevocationList::from_der(der).ok()?;
    let (_, issuer) = X509Certificate::from_der(issuer).ok()?;
    let signed = signing::verified(der, issuer.public_key().raw);
    (signed.is_some() && list.signature_algorithm == list.tbs_cert_list.signature).then_some(())
}

/// The IDP extension value: `SEQUENCE { [0] { [0] { [6] uri } } }`, nothing else.
pub(super) fn distribution_point_der(uri: &str) -> Vec<u8> {
    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut out = vec![tag];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 0x80 => out.push(short),
            (Ok(one), _) => out.extend([0x81, one]),
            (_, Ok(two)) => {
                out.push(0x82);
                out.extend(two.to_be_bytes());
            }
            _ => return Vec::new(),
        }
        out.extend(content);
        out
    }
    let uri = wrap(0x86, uri.as_bytes());
    wrap(0x30, &wrap(0xa0, &wrap(0xa0, &uri)))
}

/// Holds `der` to every rule.
pub(super) fn lint(
    der: &[u8],
    content: &CrlContent,
    issuer: &[u8],
    last: Option<u64>,
    now: Timestamp,
) -> Result<(), CrlError> {
    let (_, issuer) = X509Certificate::from_der(issuer).map_err(|error| CrlError::Issuer(error.to_string()))?;
    lint_issuer(&issuer, now)?;
    let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| CrlFault::Form)?;
    let strict = der::AnyRef::from_der(der).is_ok();
    let algorithms = list.signature_algorithm == list.tbs_cert_list.signature;
    if !rest.is_empty() || !strict || !algorithms || list.version().map(|version| version.0) != Some(1) {
        return Err(CrlFault::Form.into());
    }
    if list.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(CrlFault::IssuerName.into());
    }
    lint_extensions(&list, content, &issuer)?;
    if let Some(last) = last.filter(|last| content.number <= *last) {
        let number = content.number;
        return Err(CrlFault::NumberGoesBack { number, last }.into());
    }
    lint_times(&list, content, now)?;
    lint_entries(&list, content)?;
    Ok(())
}

fn lint_issuer(issuer: &X509Certificate<'_>, now: Timestamp) -> Result<(), CrlError> {
    let wrong = |what: &str| Err(CrlError::Issuer(what.to_owned()));
    if !issuer.is_ca() {
        return wrong("it is no CA certificate");
    }
    let signs = issuer
        .key_usage()
        .ok()
        .flatten()
        .is_some_and(|usage| usage.value.crl_sign());
    if !signs {
        return wrong("its key usage lacks cRLSign");
    }
    let validity = issuer.validity();
    if now.seconds() < validity.not_before.timestamp() || now.seconds() > validity.not_after.timestamp() {
        return wrong("it is outside its validity");
    }
    Ok(())
}

fn lint_extensions(
    list: &CertificateRevocationList<'_>,
    content: &CrlContent,
    issuer: &X509Certificate<'_>,
) -> Result<(), CrlFault> {
    let only = |oid: &x509_parser::der_parser::oid::Oid<'_>| {
        let mut found = list.extensions().iter().filter(|extension| extension.oid == *oid);
        let first = found.next();
        first.filter(|_| found.next().is_none())
    };
    if list.extensions().len() != 3 {
        return Err(CrlFault::Extension);
    }
    let number = only(&OID_X509_EXT_CRL_NUMBER).is_some_and(|extension| !extension.critical);
    let named = list.crl_number().and_then(|number| u64::try_from(number).ok());
    if !number || named != Some(content.number) {
        return Err(CrlFault::Number(content.number));
    }
    let expected = distribution_point_der(&content.distribution_point);
    let point = only(&OID_X509_EXT_ISSUER_DISTRIBUTION_POINT);
    if content.distribution_point.is_empty()
        || !point.is_some_and(|extension| extension.critical && extension.value == expected)
    {
        return Err(CrlFault::DistributionPoint);
    }
    let authority =
        only(&OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER).and_then(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) if !extension.critical => id.key_identifier.as_ref(),
            _ => None,
        });
    match (authority, subject_key_identifier(issuer)) {
        (Some(authority), Some(subject)) if authority.0 == subject => Ok(()),
        _ => Err(CrlFault::AuthorityKeyIdentifier),
    }
}

fn lint_times(list: &CertificateRevocationList<'_>, content: &CrlContent, now: Timestamp) -> Result<(), CrlFault> {
    let this_update = list.last_update().timestamp();
    let next_update = list.next_update().map(|time| time.timestamp());
    let fits = this_update == content.this_update.seconds()
        && next_update == Some(content.next_update.seconds())
        && this_update <= now.seconds()
        && next_update.is_some_and(|next| {
            next > now.seconds() && next > this_update && next - this_update <= LONGEST_CRL_LIFE_SECONDS
        });
    if fits {
        return Ok(());
    }
    Err(CrlFault::Times {
        this_update: content.this_update,
        next_update: content.next_update,
        now,
    })
}

fn lint_entries(list: &CertificateRevocationList<'_>, content: &CrlContent) -> Result<(), CrlFault> {
    let mut listed = 0;
    for (found, wanted) in list.iter_revoked_certificates().zip(&content.entries) {
        let reason = found.reason_code().map(|(critical, reason)| (critical, reason.0));
        let same = found.raw_serial() == wanted.serial.octets()
            && found.revocation_date.timestamp() == wanted.revoked.at.seconds()
            && wanted.revoked.at.seconds() <= content.this_update.seconds()
            && reason == Some((false, wanted.revoked.reason.code()))
            && found.extensions().len() == 1;
        if !same {
            return Err(CrlFault::Entries);
        }
        listed += 1;
    }
    let mut serials: Vec<_> = content.entries.iter().map(|entry| entry.serial).collect();
    serials.sort_unstable();
    serials.dedup();
    let complete = listed == content.entries.len()
        && list.iter_revoked_certificates().count() == listed
        && serials.len() == content.entries.len();
    if complete { Ok(()) } else { Err(CrlFault::Entries) }
}
