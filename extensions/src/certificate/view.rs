//! One certificate, parsed once, owned, with what the product asks of it.

use x509_parser::{asn1_rs::Tag, certificate::X509Certificate, prelude::FromDer, x509::X509Version};

use super::{Fault, extension::SEQUENCE};
use crate::{
    Digest, KeyAlgorithm, Serial, Timestamp,
    limits::tlv,
    oids::{Oid, OidArc},
    verify,
};

/// The longest certificate that is parsed.
pub const LONGEST_CERTIFICATE: usize = 16 * 1_024;
/// The most extensions of a certificate; no profile has more than ten.
const MOST_EXTENSIONS: usize = 32;

/// id-ecPublicKey signatures (RFC 5758) and Ed25519 (RFC 8410), as DER content.
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// One extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) oid: Box<[u8]>,
    pub(super) critical: bool,
    pub(super) value: Box<[u8]>,
}

/// A well-formed certificate: no duplicate extensions, keys and algorithms on the list, a serial of ours. Nothing is said yet
/// about its role, its validity or its issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Box<[u8]>,
    tbs: std::ops::Range<usize>,
    serial: Serial,
    signature_algorithm: KeyAlgorithm,
    signature: Box<[u8]>,
    issuer: Box<[u8]>,
    subject: Box<[u8]>,
    not_before: Timestamp,
    not_after: Timestamp,
    spki: Box<[u8]>,
    key_algorithm: KeyAlgorithm,
    extensions: Box<[Extension]>,
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// The first fault found.
    pub fn read(der: &[u8]) -> Result<Self, Fault> {
        if der.len() > LONGEST_CERTIFICATE {
            return Err(Fault::Malformed);
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| Fault::Malformed)?;
        if !rest.is_empty() {
            return Err(Fault::Malformed);
        }
        let tbs = &parsed.tbs_certificate;
        if tbs.version != X509Version::V3 || tbs.issuer_uid.is_some() || tbs.subject_uid.is_some() {
            return Err(Fault::Version);
        }
        if tbs.signature != parsed.signature_algorithm || parsed.signature_algorithm.parameters.is_some() {
            return Err(Fault::SignatureAlgorithm);
        }
        let spki = tbs.subject_pki.raw;
        let (key_algorithm, _) = verify::key_of_spki(spki).ok_or(Fault::KeyAlgorithm)?;
        if !printable(&tbs.subject) || !printable(&tbs.issuer) {
            return Err(Fault::Subject);
        }
        let (signature_algorithm, algorithm_oid) = match parsed.signature_algorithm.algorithm.as_bytes() {
            ECDSA_SHA256 => (KeyAlgorithm::EcdsaP256Sha256, ECDSA_SHA256),
            ECDSA_SHA384 => (KeyAlgorithm::EcdsaP384Sha384, ECDSA_SHA384),
            ED25519 => (KeyAlgorithm::Ed25519, ED25519),
            _ => return Err(Fault::SignatureAlgorithm),
        };
        let tbs_bytes: &[u8] = tbs.as_ref();
        let signature = parsed.signature_value.data.as_ref();
        let (strict, start) = sealed(tbs_bytes, algorithm_oid, signature);
        // What the signature does not cover has one spelling too; the parser takes a SEQUENCE under another class or as primitive.
        if strict != der || tbs_bytes.first() != Some(&SEQUENCE) {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            der: der.into(),
            tbs: start..start + tbs_bytes.len(),
            serial: Serial::from_slice(parsed.raw_serial()).ok_or(Fault::Serial)?,
            signature_algorithm,
            signature: signature.into(),
            issuer: tbs.issuer.as_raw().into(),
            subject: tbs.subject.as_raw().into(),
            not_before: time(tbs.validity.not_before.timestamp()),
            not_after: time(tbs.validity.not_after.timestamp()),
            spki: spki.into(),
            key_algorithm,
            extensions: extensions(&parsed)?,
        })
    }

    /// The certificate's bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the certificate's bytes. An identity is serial and key, not this alone: a signature can be re-spelled.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The serial.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`spki`](Self::spki).
    #[must_use]
    pub fn spki_hash(&self) -> Digest {
        Digest::of(&self.spki)
    }

    /// The kind of its key.
    #[must_use]
    pub fn key_algorithm(&self) -> KeyAlgorithm {
        self.key_algorithm
    }

    /// The first second in which it is valid.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second in which it is valid (RFC 5280 §4.1.2.5: inclusive).
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The issuer's name, DER.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// The subject's name, DER.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The bytes that are signed (TBSCertificate).
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.der[self.tbs.clone()]
    }

    /// The value of the extension with this identifier.
    #[must_use]
    pub fn extension(&self, oid: &Oid) -> Option<&[u8]> {
        self.find(oid.der_content()).map(|extension| &*extension.value)
    }

    /// AuthorityLimits as it stands here, with the arc it stands under: for readers that do not know whose certificate it is. Who
    /// enforces limits asks for [`extension`](Self::extension) under its own arc.
    #[must_use]
    pub fn authority_limits(&self) -> Option<(OidArc, &[u8])> {
        self.extensions.iter().find_map(|extension| {
            let oid = Oid::from_der_content(&extension.oid)?;
            Some((OidArc::of_authority_limits(&oid)?, &*extension.value))
        })
    }

    /// Judges its validity.
    ///
    /// # Errors
    /// Not yet valid, or expired.
    pub fn valid_at(&self, now: Timestamp) -> Result<(), Fault> {
        if now < self.not_before {
            return Err(Fault::NotYetValid);
        }
        // notAfter is inclusive to the second
        if now >= self.not_after.plus_seconds(1) {
            Err(Fault::Expired)
        } else {
            Ok(())
        }
    }

    /// Verifies that `issuer` named and signed this.
    ///
    /// # Errors
    /// When the names do not chain, the algorithm is not that of the issuer's key, or the signature does not verify.
    pub fn verify_issued_by(&self, issuer: &Self) -> Result<(), Fault> {
        if self.issuer != issuer.subject {
            return Err(Fault::IssuerName);
        }
        if self.signature_algorithm != issuer.key_algorithm {
            return Err(Fault::SignatureAlgorithm);
        }
        if verify::verify_signature(&issuer.spki, self.tbs(), &self.signature) {
            Ok(())
        } else {
            Err(Fault::Signature)
        }
    }

    pub(super) fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    pub(super) fn find(&self, oid: &[u8]) -> Option<&Extension> {
        self.extensions.iter().find(|extension| &*extension.oid == oid)
    }

    pub(super) fn signature_algorithm(&self) -> KeyAlgorithm {
        self.signature_algorithm
    }
}

/// The one DER spelling of a certificate with these parts, and where the signed part starts in it.
fn sealed(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> (Vec<u8>, usize) {
    let mut identifier = Vec::new();
    tlv::put(0x06, algorithm, &mut identifier);
    let mut body = tbs.to_vec();
    tlv::put(0x30, &identifier, &mut body);
    tlv::put(0x03, &[&[0], signature].concat(), &mut body);
    let mut certificate = Vec::with_capacity(body.len() + 4);
    tlv::put(0x30, &body, &mut certificate);
    let start = certificate.len() - body.len();
    (certificate, start)
}

/// Dates outside 1970 to 9999 are held to those years, which only narrows validity at the start; the end is judged by life.
fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn extensions(parsed: &X509Certificate<'_>) -> Result<Box<[Extension]>, Fault> {
    if parsed.extensions().len() > MOST_EXTENSIONS {
        return Err(Fault::Malformed);
    }
    let mut extensions: Vec<Extension> = Vec::with_capacity(parsed.extensions().len());
    for found in parsed.extensions() {
        let oid = found.oid.as_bytes();
        if extensions.iter().any(|extension| &*extension.oid == oid) {
            return Err(Fault::DuplicateExtension(shown(oid)));
        }
        extensions.push(Extension {
            oid: oid.into(),
            critical: found.critical,
            value: found.value.into(),
        });
    }
    Ok(extensions.into())
}

/// An identifier for people.
pub(super) fn shown(oid: &[u8]) -> String {
    Oid::from_der_content(oid).map_or_else(|| "with an unreadable identifier".to_owned(), |oid| oid.to_string())
}

/// Each attribute a UTF8String, PrintableString or IA5String of printable ASCII.
fn printable(name: &x509_parser::x509::X509Name<'_>) -> bool {
    name.iter_attributes().all(|attribute| {
        let value = attribute.attr_value();
        matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String)
            && !value.data.is_empty()
            && value.data.iter().all(|b| (0x20..0x7f).contains(b))
    })
}
