//! A bot's request (PKCS#10, RFC 2986): read strictly, believed in one thing alone, that its sender holds the private key.
//!
//! Names, usages and purposes asked for are ignored, for the server sets them; a request to become a CA, and any extension or
//! attribute that is not known, is refused with its reason (certificates.md §6). No library's `signed_by` ever sees a request.

use extensions::{
    Digest, KeyAlgorithm,
    verify::{key_of_spki, verify_signature},
};
use thiserror::Error;

use crate::der::{self, Reader};

/// The largest request that is read.
pub const LARGEST_BYTES: usize = 4096;

const ECDSA_WITH_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
/// 1.2.840.113549.1.9.14, extensionRequest (RFC 2985 §5.4.2).
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
/// 1.2.840.113549.1.9.7, challengePassword: some clients always send one; it is ignored.
const CHALLENGE_PASSWORD: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// keyUsage, subjectAltName, extKeyUsage, subjectKeyIdentifier: ignored.
const IGNORED: [&[u8]; 4] = [
    &[0x55, 0x1d, 0x0f],
    &[0x55, 0x1d, 0x11],
    &[0x55, 0x1d, 0x25],
    &[0x55, 0x1d, 0x0e],
];

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CsrError {
    /// Above the cap; nothing of it was read.
    #[error("the request has {length} bytes: at most {LARGEST_BYTES} are read")]
    TooLarge {
        /// Its length.
        length: usize,
    },
    /// Not a PKCS#10 request in DER.
    #[error("not a certificate request: expected one PKCS#10 value in strict DER ({part})")]
    Malformed {
        /// Where reading stopped.
        part: &'static str,
    },
    /// A kind of key that is not issued for.
    #[error("the request's key is not P-256 or Ed25519 in its one DER form: make a new key of one of these")]
    Key,
    /// The self-signature is by another algorithm than the key's.
    #[error("the request must be signed with {expected}")]
    Algorithm {
        /// What fits the key.
        expected: &'static str,
    },
    /// The sender does not hold the private key.
    #[error("the request's own signature does not verify: the sender has not shown that it holds the private key")]
    Signature,
    /// An extension that nobody may ask for.
    #[error("the request asks for extension {oid}, which is not accepted: limits come from the approved mandate alone")]
    Extension {
        /// Its OID, dotted.
        oid: String,
    },
    /// An attribute that is not known.
    #[error("the request holds attribute {oid}, which is not accepted")]
    Attribute {
        /// Its OID, dotted.
        oid: String,
    },
    /// CA:TRUE.
    #[error("the request asks to become a certificate authority; a bot cannot")]
    AsksForCa,
}

/// A request that its sender can answer for: the public key, and nothing else of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedCsr {
    spki: Vec<u8>,
    algorithm: KeyAlgorithm,
    digest: Digest,
}

impl InspectedCsr {
    /// The public key, SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the public key.
    #[must_use]
    pub fn spki_digest(&self) -> Digest {
        Digest::of(&self.spki)
    }

    /// P-256 or Ed25519.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SHA-256 of the whole request, by which a polling client is known again.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Inspects a request.
///
/// # Errors
/// As [`CsrError`] says; nothing is repaired.
pub fn inspect(bytes: &[u8]) -> Result<InspectedCsr, CsrError> {
    let malformed = |part| CsrError::Malformed { part };
    if bytes.len() > LARGEST_BYTES {
        return Err(CsrError::TooLarge { length: bytes.len() });
    }
    if !der::well_formed(bytes) {
        return Err(malformed("encoding"));
    }
    let mut request = Reader(
        der::only(bytes, der::SEQUENCE)
            .ok_or_else(|| malformed("request"))?
            .content,
    );
    let info = request
        .expect(der::SEQUENCE)
        .ok_or_else(|| malformed("certificationRequestInfo"))?;
    let algorithm = request
        .expect(der::SEQUENCE)
        .ok_or_else(|| malformed("signatureAlgorithm"))?;
    let signature = request.expect(der::BIT_STRING).ok_or_else(|| malformed("signature"))?;
    let (Some((0, signature)), true) = (signature.content.split_first(), request.is_empty()) else {
        return Err(malformed("signature"));
    };
    let mut fields = Reader(info.content);
    let version = fields.expect(der::INTEGER).ok_or_else(|| malformed("version"))?;
    let subject = fields.expect(der::SEQUENCE);
    let spki = fields
        .expect(der::SEQUENCE)
        .ok_or_else(|| malformed("subjectPublicKeyInfo"))?;
    if version.content != [0] || subject.is_none() {
        return Err(malformed("version"));
    }
    let (kind, _) = key_of_spki(spki.whole).ok_or(CsrError::Key)?;
    let (expected, name) = match kind {
        KeyAlgorithm::EcdsaP256Sha256 => (ECDSA_WITH_SHA256, "ecdsa-with-SHA256"),
        KeyAlgorithm::Ed25519 => (ED25519, "Ed25519"),
        KeyAlgorithm::EcdsaP384Sha384 => return Err(CsrError::Key),
    };
    if algorithm.whole != expected {
        return Err(CsrError::Algorithm { expected: name });
    }
    // The signature first: nobody's words are explained to somebody who cannot sign them.
    if !verify_signature(spki.whole, info.whole, signature) {
        return Err(CsrError::Signature);
    }
    attributes(fields)?;
    Ok(InspectedCsr {
        spki: spki.whole.to_vec(),
        algorithm: kind,
        digest: Digest::of(bytes),
    })
}

/// The attributes `[0]`, which some clients leave out when there are none.
fn attributes(mut fields: Reader<'_>) -> Result<(), CsrError> {
    let malformed = || CsrError::Malformed { part: "attributes" };
    if fields.is_empty() {
        return Ok(());
    }
    let mut attributes = Reader(fields.expect(0xa0).ok_or_else(malformed)?.content);
    if !fields.is_empty() {
        return Err(malformed());
    }
    let mut asked = false;
    while !attributes.is_empty() {
        let mut attribute = Reader(attributes.expect(der::SEQUENCE).ok_or_else(malformed)?.content);
        let oid = attribute.expect(der::OID).ok_or_else(malformed)?.content;
        let values = attribute.expect(der::SET).ok_or_else(malformed)?.content;
        match oid {
            CHALLENGE_PASSWORD => {}
            EXTENSION_REQUEST if !asked => {
                asked = true;
                extensions_asked(values)?;
            }
            EXTENSION_REQUEST => return Err(malformed()),
            other => return Err(CsrError::Attribute { oid: dotted(other) }),
        }
        if !attribute.is_empty() {
            return Err(malformed());
        }
    }
    Ok(())
}

fn extensions_asked(values: &[u8]) -> Result<(), CsrError> {
    let malformed = || CsrError::Malformed {
        part: "extensionRequest",
    };
    let mut asked = Reader(der::only(values, der::SEQUENCE).ok_or_else(malformed)?.content);
    let mut seen: Vec<&[u8]> = Vec::new();
    while !asked.is_empty() {
        let mut extension = Reader(asked.expect(der::SEQUENCE).ok_or_else(malformed)?.content);
        let oid = extension.expect(der::OID).ok_or_else(malformed)?.content;
        let mut value = extension.next().ok_or_else(malformed)?;
        if value.tag == 0x01 {
            value = extension.next().ok_or_else(malformed)?;
        }
        if value.tag != der::OCTET_STRING || !extension.is_empty() || seen.contains(&oid) {
            return Err(malformed());
        }
        seen.push(oid);
        if oid == BASIC_CONSTRAINTS {
            // The default FALSE is absent in DER, so anything but an empty SEQUENCE asks for CA:TRUE or is malformed; clients
            // that write FALSE out are let pass.
            match der::only(value.content, der::SEQUENCE).ok_or_else(malformed)?.content {
                [] | [0x01, 0x01, 0x00] => {}
                _ => return Err(CsrError::AsksForCa),
            }
        } else if !IGNORED.contains(&oid) {
            return Err(CsrError::Extension { oid: dotted(oid) });
        }
    }
    Ok(())
}

/// An OID in dots, arcs up to 2^32; for messages.
pub(crate) fn dotted(content: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    for byte in content.iter().take(64) {
        arc = arc << 7 & 0xffff_ffff_ffff | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    let mut text = String::new();
    for (place, arc) in arcs.into_iter().enumerate() {
        if place == 0 {
            let first = (arc / 40).min(2);
            text = format!("{first}.{}", arc - first * 40);
        } else {
            text = format!("{text}.{arc}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
