//! Reading OCSP requests: from anybody, so within bounds, and without a way to panic.

use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use thiserror::Error;
use x509_ocsp::{CertId, OcspRequest};

use super::{LONGEST_NONCE, LONGEST_REQUEST, MOST_QUERIES};

/// id-pkix-ocsp-nonce.
pub(super) const NONCE_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");

/// Why a request is refused; each is the client's fault and is answered `malformedRequest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Too long.
    #[error("the OCSP request has {0} octets; at most {LONGEST_REQUEST} are read")]
    TooLong(usize),
    /// Not a request in DER.
    #[error("this is no OCSP request in DER")]
    Malformed,
    /// No certificate, or too many.
    #[error("the OCSP request asks for {0} certificates; 1 to {MOST_QUERIES} are answered")]
    Queries(usize),
    /// A nonce that is empty, too long, repeated or no octet string.
    #[error("the OCSP nonce must be one octet string of 1 to {LONGEST_NONCE} octets")]
    Nonce,
    /// A critical extension we do not know.
    #[error("the OCSP request has a critical extension that is not supported")]
    CriticalExtension,
}

/// A request that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspQuery {
    /// The certificates asked for, as named by the client; echoed in the reply.
    pub(super) certificates: Vec<CertId>,
    /// The nonce's octets, 1 to [`LONGEST_NONCE`].
    pub(super) nonce: Option<Vec<u8>>,
}

impl OcspQuery {
    /// Whether it has a nonce, and so needs a reply of its own.
    #[must_use]
    pub fn has_nonce(&self) -> bool {
        self.nonce.is_some()
    }

    /// What a stored reply without nonce may be found by: the certificates asked for, in DER.
    ///
    /// # Errors
    /// When it cannot be written again, which a parsed request can.
    pub fn cache_key(&self) -> Result<Vec<u8>, RequestError> {
        self.certificates.to_der().map_err(|_| RequestError::Malformed)
    }
}

/// Reads a request. Its signature and requestor name, if any, are not looked at: everybody may ask.
///
/// # Errors
/// When it is not a request we answer.
pub fn parse_request(der: &[u8]) -> Result<OcspQuery, RequestError> {
    if der.len() > LONGEST_REQUEST {
        return Err(RequestError::TooLong(der.len()));
    }
    let request = OcspRequest::from_der(der).map_err(|_| RequestError::Malformed)?;
    let request = request.tbs_request;
    let queries = request.request_list.len();
    if !(1..=MOST_QUERIES).contains(&queries) {
        return Err(RequestError::Queries(queries));
    }
    let extensions = request.request_extensions.unwrap_or_default();
    let mut nonces = extensions.iter().filter(|extension| extension.extn_id == NONCE_OID);
    let nonce = match (nonces.next(), nonces.next()) {
        (None, _) => None,
        (Some(nonce), None) => Some(nonce_octets(nonce.extn_value.as_bytes())?),
        _ => return Err(RequestError::Nonce),
    };
    let single = request
        .request_list
        .iter()
        .filter_map(|request| request.single_request_extensions.as_ref())
        .flatten();
    if extensions
        .iter()
        .chain(single)
        .any(|extension| extension.critical && extension.extn_id != NONCE_OID)
    {
        return Err(RequestError::CriticalExtension);
    }
    let certificates = request
        .request_list
        .into_iter()
        .map(|request| request.req_cert)
        .collect();
    Ok(OcspQuery { certificates, nonce })
}

fn nonce_octets(value: &[u8]) -> Result<Vec<u8>, RequestError> {
    let nonce = der::asn1::OctetStringRef::from_der(value).map_err(|_| RequestError::Nonce)?;
    let octets = nonce.as_bytes();
    if (1..=LONGEST_NONCE).contains(&octets.len()) {
        Ok(octets.to_vec())
    } else {
        Err(RequestError::Nonce)
    }
}
