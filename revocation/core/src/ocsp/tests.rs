//! OCSP: requests from anybody, replies that say exactly what the book says.

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use extensions::{Serial, Signer, Timestamp};
use proptest::prelude::*;
use rcgen::ExtendedKeyUsagePurpose;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::serial_number::SerialNumber;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspRequest, OcspResponse, OcspResponseStatus, Request, TbsRequest,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::request::NONCE_OID;
use super::*;
use crate::reason::RevocationReason;
use crate::status::{CertificateStatus, Revoked};
use crate::testing::{DeadKey, NOW, TestCa, TestKey, ca};

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

struct House {
    ca: TestCa,
    key: TestKey,
    responder: Responder,
}

fn house() -> House {
    house_of(ca())
}

fn house_of(ca: TestCa) -> House {
    let key = TestKey::new();
    let certificate = ca.issue("OCSP responder", 9, &key, &[ExtendedKeyUsagePurpose::OcspSigning]);
    let responder = Responder::new(&ca.certificate, &certificate, &key).unwrap();
    House { ca, key, responder }
}

fn cert_id(ca: &[u8], hash: ObjectIdentifier, serial: &[u8]) -> CertId {
    let (_, ca) = X509Certificate::from_der(ca).unwrap();
    let algorithm = if hash == SHA1 {
        &ring::digest::SHA1_FOR_LEGACY_USE_ONLY
    } else {
        &ring::digest::SHA256
    };
    let of = |bytes: &[u8]| OctetString::new(ring::digest::digest(algorithm, bytes).as_ref()).unwrap();
    CertId {
        hash_algorithm: AlgorithmIdentifierOwned {
            oid: hash,
            parameters: None,
        },
        issuer_name_hash: of(ca.subject().as_raw()),
        issuer_key_hash: of(&ca.public_key().subject_public_key.data),
        serial_number: SerialNumber::new(serial).unwrap(),
    }
}

fn extension(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Extension {
    Extension {
        extn_id: oid,
        critical,
        extn_value: OctetString::new(value).unwrap(),
    }
}

fn nonce(octets: &[u8]) -> Extension {
    extension(NONCE_OID, false, &OctetString::new(octets).unwrap().to_der().unwrap())
}

fn request(ids: Vec<CertId>, extensions: Vec<Extension>) -> Vec<u8> {
    let request_list = ids
        .into_iter()
        .map(|req_cert| Request {
            req_cert,
            single_request_extensions: None,
        })
        .collect();
    let tbs_request = TbsRequest {
        request_list,
        request_extensions: (!extensions.is_empty()).then_some(extensions),
        ..TbsRequest::default()
    };
    OcspRequest {
        tbs_request,
        optional_signature: None,
    }
    .to_der()
    .unwrap()
}

/// Serials of 1s are good, of 2s revoked, all others never issued.
fn book(serial: &Serial) -> CertificateStatus {
    match serial.octets()[0] {
        1 => CertificateStatus::Good,
        2 => CertificateStatus::Revoked(Revoked {
            at: NOW.plus_seconds(-60),
            reason: RevocationReason::KeyCompromise,
        }),
        _ => CertificateStatus::Unknown,
    }
}

fn basic(reply: &Reply) -> BasicOcspResponse {
    let response = OcspResponse::from_der(&reply.der).unwrap();
    assert_eq!(response.response_status, OcspResponseStatus::Successful);
    BasicOcspResponse::from_der(response.response_bytes.unwrap().response.as_bytes()).unwrap()
}

fn ask(house: &House, request: &[u8]) -> BasicOcspResponse {
    let query = parse_request(request).unwrap();
    basic(&house.responder.reply(&query, &book, NOW, 3_600, &house.key).unwrap())
}

/// Negative control: answering `good` for what the book does not know turns the fourth row red.
#[test]
fn good_revoked_unknown_by_both_hashes() {
    let house = house();
    let other = ca();
    for hash in [SHA1, SHA256] {
        let id = |ca: &TestCa, number: u8| cert_id(&ca.certificate, hash, &[number; 18]);
        let short = cert_id(&house.ca.certificate, hash, &[1; 17]);
        let ids = vec![
            id(&house.ca, 1),
            id(&house.ca, 2),
            id(&house.ca, 3),
            id(&other, 1),
            short,
        ];
        let reply = ask(&house, &request(ids.clone(), vec![]));
        let said: Vec<_> = reply
            .tbs_response_data
            .responses
            .iter()
            .map(|one| (&one.cert_id, one.cert_status))
            .collect();
        assert!(
            said.iter().map(|(id, _)| *id).eq(&ids),
            "every certificate is answered, in order"
        );
        assert!(matches!(said[0].1, CertStatus::Good(_)));
        assert!(matches!(said[1].1, CertStatus::Revoked(_)));
        assert!(
            said[2..]
                .iter()
                .all(|(_, status)| matches!(status, CertStatus::Unknown(_))),
            "{said:?}"
        );
        assert!(reply.nonce().is_none());
    }
}

#[test]
fn the_nonce_is_echoed_within_its_bounds() {
    let house = house();
    let id = || vec![cert_id(&house.ca.certificate, SHA1, &[1; 18])];
    for length in [1, 32, LONGEST_NONCE] {
        let octets = vec![7; length];
        let reply = ask(&house, &request(id(), vec![nonce(&octets)]));
        assert_eq!(reply.nonce().unwrap().0.as_bytes(), octets);
    }
    for bad in [
        vec![nonce(&[])],
        vec![nonce(&[7; LONGEST_NONCE + 1])],
        vec![nonce(&[1]), nonce(&[2])],
        vec![extension(NONCE_OID, false, &[1, 2, 3])],
    ] {
        assert_eq!(parse_request(&request(id(), bad)), Err(RequestError::Nonce));
    }
}

#[test]
fn requests_are_bounded() {
    let house = house();
    let id = |number: u8| cert_id(&house.ca.certificate, SHA256, &[number; 18]);
    let many = |count: usize| request((0..count).map(|_| id(1)).collect(), vec![]);
    assert!(parse_request(&many(MOST_QUERIES)).is_ok());
    assert_eq!(parse_request(&many(MOST_QUERIES + 1)), Err(RequestError::Queries(17)));
    assert_eq!(parse_request(&request(vec![], vec![])), Err(RequestError::Queries(0)));
    assert_eq!(
        parse_request(&vec![0x30; LONGEST_REQUEST + 1]),
        Err(RequestError::TooLong(LONGEST_REQUEST + 1))
    );
    let unknown = ObjectIdentifier::new_unwrap("1.2.3.4");
    let critical = request(vec![id(1)], vec![extension(unknown, true, &[5, 0])]);
    assert_eq!(parse_request(&critical), Err(RequestError::CriticalExtension));
    assert!(parse_request(&request(vec![id(1)], vec![extension(unknown, false, &[5, 0])])).is_ok());
    let mut trailing = request(vec![id(1)], vec![]);
    trailing.push(0);
    assert_eq!(parse_request(&trailing), Err(RequestError::Malformed));
}

/// Control, tried: without the `min`, a reply outlives the certificate that signed it.
#[test]
fn a_reply_never_outlives_crl_or_responder() {
    let house = house();
    let query = parse_request(&request(vec![cert_id(&house.ca.certificate, SHA1, &[1; 18])], vec![])).unwrap();
    let reply = |now: Timestamp, life| house.responder.reply(&query, &book, now, life, &house.key);
    assert_eq!(reply(NOW, 60).unwrap().next_update, NOW.plus_seconds(60));
    assert_eq!(
        reply(NOW, 999_999).unwrap().next_update,
        NOW.plus_seconds(REPLY_LIFE_SECONDS)
    );
    let end = house.responder.not_after();
    assert_eq!(reply(end.plus_seconds(-5), 60).unwrap().next_update, end);
    for outside in [end, end.plus_seconds(1), NOW.plus_seconds(-2 * 86_400)] {
        assert!(matches!(reply(outside, 60), Err(ReplyError::ResponderExpired { .. })));
    }
}

/// Only whom the CA has delegated to may answer.
/// Negative control: dropping the check of `delegated`, `only` or the key lets its row through.
#[test]
fn the_responder_must_be_delegated() {
    let (ca, key) = (ca(), TestKey::new());
    let ocsp = [ExtendedKeyUsagePurpose::OcspSigning];
    let made = |certificate: &[u8], key: &TestKey| Responder::new(&ca.certificate, certificate, key).err();
    assert_eq!(made(&ca.issue("r", 9, &key, &ocsp), &key), None);
    let stranger = crate::testing::ca().issue("r", 9, &key, &ocsp);
    assert_eq!(made(&stranger, &key), Some(ResponderError::NotDelegated));
    for usages in [
        vec![],
        vec![ExtendedKeyUsagePurpose::ClientAuth],
        vec![ocsp[0].clone(), ExtendedKeyUsagePurpose::ServerAuth],
    ] {
        assert_eq!(
            made(&ca.issue("r", 9, &key, &usages), &key),
            Some(ResponderError::Purpose)
        );
    }
    assert_eq!(
        made(&ca.issue("r", 9, &key, &ocsp), &TestKey::new()),
        Some(ResponderError::Key)
    );
}

#[test]
fn a_key_that_fails_gives_no_reply() {
    let house = house();
    let query = parse_request(&request(vec![cert_id(&house.ca.certificate, SHA1, &[1; 18])], vec![])).unwrap();
    let reply = |key: &dyn Signer| house.responder.reply(&query, &book, NOW, 60, key);
    assert!(matches!(reply(&DeadKey(TestKey::new())), Err(ReplyError::Signer(_))));
    assert!(
        matches!(reply(&TestKey::new()), Err(ReplyError::Signature)),
        "a key swapped behind our back"
    );
}

#[test]
fn refusals_are_responses() {
    for (why, status) in [
        (Refused::MalformedRequest, OcspResponseStatus::MalformedRequest),
        (Refused::InternalError, OcspResponseStatus::InternalError),
        (Refused::TryLater, OcspResponseStatus::TryLater),
        (Refused::Unauthorized, OcspResponseStatus::Unauthorized),
    ] {
        let response = OcspResponse::from_der(&refused(why)).unwrap();
        assert_eq!((response.response_status, response.response_bytes), (status, None));
    }
}

proptest! {
    /// Fuzz in small: whatever arrives is read or refused, never a panic, and what is read can be answered.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_request(&bytes);
    }

    #[test]
    fn mutated_requests_are_answered_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        thread_local!(static HOUSE: House = house());
        HOUSE.with(|house| {
            let ids = vec![cert_id(&house.ca.certificate, SHA256, &[1; 18]), cert_id(&house.ca.certificate, SHA1, &[2; 18])];
            let mut bytes = request(ids, vec![nonce(&[9; 32])]);
            for (place, byte) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            if cut.index(4) == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(query) = parse_request(&bytes) {
                let reply = house.responder.reply(&query, &book, NOW, 60, &house.key);
                assert!(matches!(reply, Ok(_) | Err(ReplyError::Encoding(_) | ReplyError::Lint)), "{reply:?}");
            }
        });
    }
}
