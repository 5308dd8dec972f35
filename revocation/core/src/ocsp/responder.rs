//! Who signs OCSP replies: a responder the CA has delegated to, with a key of its own (RFC 6960 §4.2.2.2).

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use extensions::{KeyAlgorithm, Signer, Timestamp};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use thiserror::Error;
use x509_cert::Certificate;
use x509_ocsp::CertId;
use x509_parser::prelude::{FromDer, X509Certificate};

/// id-sha1, for CertIDs alone: the default of most clients (RFC 6960 §4.3).
const SHA1_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// id-sha256.
const SHA256_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Why a certificate cannot answer for a CA.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResponderError {
    /// A certificate that cannot be read.
    #[error("the {0} certificate cannot be read")]
    Unreadable(&'static str),
    /// Issued by somebody else.
    #[error("the OCSP responder's certificate is not issued by this CA; ask the `ca` role for one")]
    NotDelegated,
    /// No id-kp-OCSPSigning, or more than it.
    #[error("the OCSP responder's certificate must have id-kp-OCSPSigning as its only extended key usage")]
    Purpose,
    /// Of another key.
    #[error("the OCSP responder's certificate is not of the responder's key")]
    Key,
}

/// The names by which clients mean one CA, under one hash (RFC 6960 §4.1.1).
struct IssuerHashes {
    algorithm: ObjectIdentifier,
    name: Vec<u8>,
    key: Vec<u8>,
}

/// A delegated responder for one issuing CA.
pub struct Responder {
    hashes: [IssuerHashes; 2],
    pub(super) certificate: Certificate,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) key_hash: OctetString,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) spki: Vec<u8>,
}

impl Responder {
    /// The responder of `certificate` (DER) for the CA of `issuer` (DER), signing with `signer`.
    ///
    /// # Errors
    /// When the CA has not delegated to that certificate, or it is not of that key.
    pub fn new(issuer: &[u8], certificate: &[u8], signer: &dyn Signer) -> Result<Self, ResponderError> {
        let unreadable = |what| move |_| ResponderError::Unreadable(what);
        let (_, ca) = X509Certificate::from_der(issuer).map_err(|_| ResponderError::Unreadable("CA's"))?;
        let (_, own) = X509Certificate::from_der(certificate).map_err(|_| ResponderError::Unreadable("responder's"))?;
        let delegated = own.issuer().as_raw() == ca.subject().as_raw()
            && own.signature_algorithm == own.tbs_certificate.signature
            && crate::signing::verified(certificate, ca.public_key().raw).is_some();
        if !delegated {
            return Err(ResponderError::NotDelegated);
        }
        let usage = own.extended_key_usage().ok().flatten().map(|usage| usage.value);
        let only = usage.is_some_and(|usage| {
            let others = usage.any || usage.server_auth || usage.client_auth || usage.code_signing;
            let more = usage.email_protection || usage.time_stamping || !usage.other.is_empty();
            usage.ocsp_signing && !others && !more
        });
        if !only {
            return Err(ResponderError::Purpose);
        }
        if own.public_key().raw != signer.public_key_spki() {
            return Err(ResponderError::Key);
        }
        let parsed = Certificate::from_der(certificate).map_err(unreadable("responder's"))?;
        if parsed.to_der().map_err(unreadable("responder's"))? != certificate {
            return Err(ResponderError::Unreadable("responder's"));
        }
        let (name, key) = (ca.subject().as_raw(), &*ca.public_key().subject_public_key.data);
        let own_key = digest(&SHA1_FOR_LEGACY_USE_ONLY, &own.public_key().subject_public_key.data);
        let hashes = [(SHA1_OID, &SHA1_FOR_LEGACY_USE_ONLY), (SHA256_OID, &SHA256)];
        Ok(Self {
            hashes: hashes.map(|(algorithm, hash)| IssuerHashes {
                algorithm,
                name: digest(hash, name).as_ref().to_vec(),
                key: digest(hash, key).as_ref().to_vec(),
            }),
            certificate: parsed,
            algorithm: signer.algorithm(),
            key_hash: OctetString::new(own_key.as_ref()).map_err(unreadable("responder's"))?,
            not_before: Timestamp::from_seconds(own.validity().not_before.timestamp()),
            not_after: Timestamp::from_seconds(own.validity().not_after.timestamp()),
            spki: own.public_key().raw.to_vec(),
        })
    }

    /// The last moment it can sign for.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether a request asks for any certificate of this CA.
    #[must_use]
    pub fn is_asked(&self, query: &super::OcspQuery) -> bool {
        query.certificates.iter().any(|id| self.answers_for(id))
    }

    /// Whether `id` names a certificate of this CA, by SHA-1 or SHA-256. Parameters of the hash are absent or NULL.
    pub(super) fn answers_for(&self, id: &CertId) -> bool {
        let null = id
            .hash_algorithm
            .parameters
            .as_ref()
            .is_none_or(|parameters| parameters.is_null());
        null && self.hashes.iter().any(|hashes| {
            id.hash_algorithm.oid == hashes.algorithm
                && id.issuer_name_hash.as_bytes() == hashes.name
                && id.issuer_key_hash.as_bytes() == hashes.key
        })
    }
}
