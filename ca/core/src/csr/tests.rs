//! Requests as bots send them, and every way to bend them.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

use super::*;

fn request(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    change(&mut params);
    params.serialize_request(&key).unwrap().der().to_vec()
}

#[test]
fn both_kinds_of_key_pass_and_names_are_ignored() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::new(vec!["somebody-else.example".to_owned()]).unwrap();
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let der = params.serialize_request(&key).unwrap().der().to_vec();
        let csr = inspect(&der).unwrap();
        assert_eq!(csr.spki(), rcgen::PublicKeyData::subject_public_key_info(&key));
        assert_eq!(csr.digest(), Digest::of(&der));
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let ca = request(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(inspect(&ca), Err(CsrError::AsksForCa));
    let limits = request(|params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 4, 1, 32473, 1, 1],
            vec![0x30, 0],
        )];
    });
    assert_eq!(
        inspect(&limits),
        Err(CsrError::Extension {
            oid: "1.3.6.1.4.1.32473.1.1".to_owned()
        })
    );
    let weak = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let weak = CertificateParams::default().serialize_request(&weak).unwrap();
    assert_eq!(inspect(weak.der()), Err(CsrError::Key));
    assert_eq!(inspect(&vec![0x30; 4097]), Err(CsrError::TooLarge { length: 4097 }));
    let mut trailing = request(|_| {});
    trailing.push(0);
    assert!(matches!(inspect(&trailing), Err(CsrError::Malformed { .. })));
    assert!(matches!(inspect(b""), Err(CsrError::Malformed { .. })));
}

/// Somebody else's public key under one's own signature: remove the signature check to see this fail.
#[test]
fn another_ones_key_is_refused() {
    let (mine, theirs) = (request(|_| {}), request(|_| {}));
    let their_spki = inspect(&theirs).unwrap().spki().to_vec();
    let my_spki = inspect(&mine).unwrap().spki().to_vec();
    let at = mine
        .windows(my_spki.len())
        .position(|window| window == my_spki)
        .unwrap();
    let mut swapped = mine;
    swapped[at..at + their_spki.len()].copy_from_slice(&their_spki);
    assert_eq!(inspect(&swapped), Err(CsrError::Signature));
}

/// 1,000 requests, each bent in one to three places (bytes changed, inserted, removed, doubled): none is accepted, for each bit of a
/// request is either fixed by its form or covered by its signature. Remove the signature check to see this fail.
#[test]
fn a_thousand_mutated_requests_are_refused() {
    let original = request(|params| params.subject_alt_names.clear());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut tried = 0;
    while tried < 1_000 {
        let mut bent = original.clone();
        for _ in 0..=draw(3) {
            let at = draw(bent.len());
            match draw(4) {
                0 => bent[at] ^= 1 << draw(8),
                1 => bent.insert(at, draw(256) as u8),
                2 => drop(bent.remove(at)),
                _ => bent.extend_from_within(at..),
            }
        }
        if bent != original {
            tried += 1;
            assert!(inspect(&bent).is_err(), "accepted: {bent:02x?}");
        }
    }
}
