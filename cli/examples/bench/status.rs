//! OCSP requests and CRLs as a relying party sees them.

use std::net::SocketAddr;

use anyhow::Context;
use der::{
    Decode as _, Encode as _,
    asn1::{ObjectIdentifier, OctetString},
};
use extensions::Serial;
use x509_cert::{ext::Extension, serial_number::SerialNumber};
use x509_ocsp::{BasicOcspResponse, CertId, CertStatus, OcspRequest, OcspResponse, Request, TbsRequest};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
/// The media type of a request (RFC 6960, appendix A).
pub(crate) const OCSP_REQUEST: &str = "application/ocsp-request";

/// A request about the certificate of `issuer` with that serial; with a nonce, of eight octets, the reply has to be signed anew.
pub(crate) fn ocsp_request(issuer: &[u8], serial: &[u8], nonce: Option<u64>) -> anyhow::Result<Vec<u8>> {
    let (_, issuer) = X509Certificate::from_der(issuer).context("the issuing CA's certificate")?;
    let hash = |bytes: &[u8]| OctetString::new(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    let req_cert = CertId {
        hash_algorithm: spki::AlgorithmIdentifierOwned {
            oid: SHA256,
            parameters: None,
        },
        issuer_name_hash: hash(issuer.subject().as_raw())?,
        issuer_key_hash: hash(&issuer.public_key().subject_public_key.data)?,
        serial_number: SerialNumber::new(serial)?,
    };
    let request = Request {
        req_cert,
        single_request_extensions: None,
    };
    let extension = |nonce: u64| -> anyhow::Result<Extension> {
        let value = OctetString::new(nonce.to_be_bytes().as_slice())?.to_der()?;
        Ok(Extension {
            extn_id: NONCE,
            critical: false,
            extn_value: OctetString::new(value)?,
        })
    };
    let tbs_request = TbsRequest {
        request_list: vec![request],
        request_extensions: nonce.map(|nonce| extension(nonce).map(|one| vec![one])).transpose()?,
        ..TbsRequest::default()
    };
    Ok(OcspRequest {
        tbs_request,
        optional_signature: None,
    }
    .to_der()?)
}

/// Whether a reply says `revoked`. Its signature is the tests' affair.
pub(crate) fn says_revoked(reply: &[u8]) -> bool {
    let basic = OcspResponse::from_der(reply)
        .ok()
        .and_then(|reply| reply.response_bytes);
    let basic = basic.and_then(|bytes| BasicOcspResponse::from_der(bytes.response.as_bytes()).ok());
    basic.is_some_and(|basic| {
        let responses = basic.tbs_response_data.responses;
        responses
            .iter()
            .any(|one| matches!(one.cert_status, CertStatus::Revoked(_)))
    })
}

/// A request for the CRL.
pub(crate) fn crl_request(address: SocketAddr) -> Vec<u8> {
    format!("GET /agents.crl HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes()
}

/// Whether a CRL lists the serial.
pub(crate) fn lists(crl: &[u8], serial: &Serial) -> bool {
    revocation_core::crl::listed_serials(crl).is_some_and(|listed| listed.contains(serial))
}
