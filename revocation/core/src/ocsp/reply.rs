//! Writing OCSP replies (RFC 6960 §4.2): built, checked, signed, verified; only then handed out.

use der::asn1::{BitString, GeneralizedTime, Null, ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use extensions::{KeyAlgorithm, Serial, Signer, Timestamp};
use spki::AlgorithmIdentifierOwned;
use thiserror::Error;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlReason;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspResponse, ResponderId, ResponseData, RevokedInfo,
    SingleResponse, Version,
};

use super::request::NONCE_OID;
use super::{OcspQuery, REPLY_LIFE_SECONDS, Responder};
use crate::reason::RevocationReason;
use crate::status::CertificateStatus;

/// Why a reply was not made; each is ours and is answered `internalError` or `tryLater`.
#[derive(Debug, Error)]
pub enum ReplyError {
    /// The responder's certificate is not valid now.
    #[error("the OCSP responder's certificate is valid from {not_before} to {not_after}, and it is {now}")]
    ResponderExpired {
        /// Its start.
        not_before: Timestamp,
        /// Its end.
        not_after: Timestamp,
        /// The present.
        now: Timestamp,
    },
    /// The reply could not be written.
    #[error("the OCSP reply could not be written: {0}")]
    Encoding(#[from] der::Error),
    /// What was written is not what was meant.
    #[error("the OCSP reply does not say what it should; it was not signed")]
    Lint,
    /// The key did not sign.
    #[error("the OCSP reply was not signed: {0}")]
    Signer(#[from] extensions::SignError),
    /// The signature does not verify.
    #[error("the OCSP reply's signature does not verify under the responder's certificate")]
    Signature,
}

/// A signed reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The OCSPResponse in DER.
    pub der: Vec<u8>,
    /// thisUpdate and producedAt.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
}

/// Replies without content (RFC 6960 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The request is wrong.
    MalformedRequest,
    /// We are at fault.
    InternalError,
    /// Too many requests, or the responder is not ready.
    TryLater,
    /// Asked for certificates of several CAs at once: no one signature may speak for all (RFC 5019 §2.2.3).
    Unauthorized,
}

/// The unsigned reply that refuses.
#[must_use]
pub fn refused(why: Refused) -> Vec<u8> {
    // SEQUENCE { ENUMERATED n }
    let status = match why {
        Refused::MalformedRequest => 1,
        Refused::InternalError => 2,
        Refused::TryLater => 3,
        Refused::Unauthorized => 6,
    };
    vec![0x30, 3, 0x0a, 1, status]
}

impl Responder {
    /// Answers `query` from `status`, as of `now` (real time). A reply holds for `life_seconds` at most, which the caller sets
    /// to no more than the CRL's life; never beyond an hour or the responder's certificate.
    ///
    /// # Errors
    /// When the responder's certificate is not valid, or its key does not sign. Nothing unchecked is ever returned.
    pub fn reply(
        &self,
        query: &OcspQuery,
        status: &dyn Fn(&Serial) -> CertificateStatus,
        now: Timestamp,
        life_seconds: i64,
        signer: &dyn Signer,
    ) -> Result<Reply, ReplyError> {
        let this_update = Timestamp::from_seconds(now.seconds());
        let life = life_seconds.clamp(1, REPLY_LIFE_SECONDS);
        let next_update = this_update.plus_seconds(life).min(self.not_after);
        if this_update < self.not_before || next_update <= this_update {
            return Err(ReplyError::ResponderExpired {
                not_before: self.not_before,
                not_after: self.not_after,
                now,
            });
        }
        let responses = query.certificates.iter().map(|id| {
            Ok(SingleResponse {
                cert_id: id.clone(),
                cert_status: cert_status(self.status_of(id, status))?,
                this_update: generalized(this_update)?,
                next_update: Some(generalized(next_update)?),
                single_extensions: None,
            })
        });
        let data = ResponseData {
            version: Version::V1,
            responder_id: ResponderId::ByKey(self.key_hash.clone()),
            produced_at: generalized(this_update)?,
            responses: responses.collect::<Result<_, der::Error>>()?,
            response_extensions: query
                .nonce
                .as_deref()
                .map(nonce_extension)
                .transpose()?
                .map(|nonce| vec![nonce]),
        };
        let der = self.sign(&data, query, signer)?;
        Ok(Reply {
            der,
            this_update,
            next_update,
        })
    }

    fn status_of(&self, id: &CertId, status: &dyn Fn(&Serial) -> CertificateStatus) -> CertificateStatus {
        match Serial::from_slice(id.serial_number.as_bytes()) {
            Some(serial) if self.answers_for(id) => status(&serial),
            _ => CertificateStatus::Unknown,
        }
    }

    fn sign(&self, data: &ResponseData, query: &OcspQuery, signer: &dyn Signer) -> Result<Vec<u8>, ReplyError> {
        let bytes = data.to_der()?;
        lint(&bytes, data, query)?;
        let signature = signer.sign(&bytes)?;
        if !extensions::verify::verify_signature(&self.spki, &bytes, &signature) {
            return Err(ReplyError::Signature);
        }
        let basic = BasicOcspResponse {
            tbs_response_data: data.clone(),
            signature_algorithm: AlgorithmIdentifierOwned {
                oid: signature_oid(self.algorithm),
                parameters: None,
            },
            signature: BitString::from_bytes(&signature)?,
            certs: Some(vec![self.certificate.clone()]),
        };
        Ok(OcspResponse::successful(basic)?.to_der()?)
    }
}

/// Reads the bytes about to be signed back and holds them to the query: each certificate answered once and in order, one
/// nonce if one was asked for, no other extension, times in order.
fn lint(bytes: &[u8], data: &ResponseData, query: &OcspQuery) -> Result<(), ReplyError> {
    let read = ResponseData::from_der(bytes)?;
    let answered = read
        .responses
        .iter()
        .map(|response| &response.cert_id)
        .eq(&query.certificates);
    let timely = read.responses.iter().all(|response| {
        let this = response.this_update.0.to_unix_duration();
        let next = response.next_update.map(|next| next.0.to_unix_duration());
        next.is_some_and(|next| next > this) && this <= read.produced_at.0.to_unix_duration()
    });
    let nonce = match (&query.nonce, &read.response_extensions) {
        (None, None) => true,
        (Some(nonce), Some(extensions)) => {
            let echoed = nonce_extension(nonce)?;
            extensions.len() == 1 && extensions.contains(&echoed)
        }
        _ => false,
    };
    if read == *data && answered && timely && nonce {
        Ok(())
    } else {
        Err(ReplyError::Lint)
    }
}

fn cert_status(status: CertificateStatus) -> Result<CertStatus, der::Error> {
    Ok(match status {
        CertificateStatus::Good => CertStatus::Good(Null),
        CertificateStatus::Unknown => CertStatus::Unknown(Null),
        CertificateStatus::Revoked(revoked) => CertStatus::Revoked(RevokedInfo {
            revocation_time: generalized(revoked.at)?,
            revocation_reason: Some(match revoked.reason {
                RevocationReason::KeyCompromise => CrlReason::KeyCompromise,
                RevocationReason::AffiliationChanged => CrlReason::AffiliationChanged,
                RevocationReason::Superseded => CrlReason::Superseded,
                RevocationReason::CessationOfOperation => CrlReason::CessationOfOperation,
                RevocationReason::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
            }),
        }),
    })
}

fn generalized(at: Timestamp) -> Result<OcspGeneralizedTime, der::Error> {
    let seconds = u64::try_from(at.seconds()).unwrap_or(0);
    GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds)).map(OcspGeneralizedTime)
}

fn nonce_extension(nonce: &[u8]) -> Result<Extension, der::Error> {
    Ok(Extension {
        extn_id: NONCE_OID,
        critical: false,
        extn_value: OctetString::new(OctetString::new(nonce)?.to_der()?)?,
    })
}

fn signature_oid(algorithm: KeyAlgorithm) -> ObjectIdentifier {
    match algorithm {
        KeyAlgorithm::EcdsaP256Sha256 => ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
        KeyAlgorithm::EcdsaP384Sha384 => ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
        KeyAlgorithm::Ed25519 => ObjectIdentifier::new_unwrap("1.3.101.112"),
    }
}
