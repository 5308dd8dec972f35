//! What the tests of this crate share: keys, a CA and an OCSP responder's certificate. Not part of the product.

use extensions::verify::P256_SPKI;
use extensions::{KeyAlgorithm, SignError, Signer, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SerialNumber,
};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use crate::signing::RcgenKey;

/// The present, in every test of CRLs and OCSP: 2026-01-01T12:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_767_268_800);

pub(crate) struct TestKey {
    pair: EcdsaKeyPair,
    spki: Vec<u8>,
}

impl TestKey {
    pub(crate) fn new() -> Self {
        let random = ring::rand::SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        let spki = [P256_SPKI, pair.public_key().as_ref()].concat();
        Self { pair, spki }
    }
}

impl Signer for TestKey {
    fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::EcdsaP256Sha256
    }
    fn public_key_spki(&self) -> &[u8] {
        &self.spki
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.pair.sign(&ring::rand::SystemRandom::new(), message);
        Ok(signature.unwrap().as_ref().to_vec())
    }
}

/// A key that refuses, as an HSM that was pulled out.
pub(crate) struct DeadKey(pub(crate) TestKey);

impl Signer for DeadKey {
    fn algorithm(&self) -> KeyAlgorithm {
        self.0.algorithm()
    }
    fn public_key_spki(&self) -> &[u8] {
        self.0.public_key_spki()
    }
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError {
            key: "hsm".to_owned(),
            reason: "unplugged".to_owned(),
        })
    }
}

pub(crate) struct TestCa {
    pub(crate) key: TestKey,
    pub(crate) certificate: Vec<u8>,
    now: Timestamp,
}

fn params(name: &str, serial: u8, now: Timestamp, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Mandatum test");
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&[serial; 18]));
    params.not_before = time::OffsetDateTime::from_unix_timestamp(now.seconds() - 86_400).unwrap();
    params.not_after = time::OffsetDateTime::from_unix_timestamp(now.seconds() + days * 86_400).unwrap();
    params
}

pub(crate) fn ca_with(usages: &[KeyUsagePurpose], now: Timestamp) -> TestCa {
    let key = TestKey::new();
    let mut params = params("Issuing CA", 1, now, 365);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = usages.to_vec();
    let certificate = params.self_signed(&RcgenKey(&key)).unwrap().der().to_vec();
    TestCa { key, certificate, now }
}

pub(crate) fn ca() -> TestCa {
    ca_at(NOW)
}

pub(crate) fn ca_at(now: Timestamp) -> TestCa {
    ca_with(&[KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign], now)
}

impl TestCa {
    /// The certificate of `key`, issued by this CA.
    pub(crate) fn issue(&self, name: &str, serial: u8, key: &TestKey, usages: &[ExtendedKeyUsagePurpose]) -> Vec<u8> {
        let mut params = params(name, serial, self.now, 7);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages.to_vec();
        params.use_authority_key_identifier_extension = true;
        if usages.contains(&ExtendedKeyUsagePurpose::OcspSigning) {
            // id-pkix-ocsp-nocheck: NULL
            params.custom_extensions = vec![CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 5, 5, 7, 48, 1, 5],
                vec![5, 0],
            )];
        }
        let issuer = Issuer::from_ca_cert_der(&self.certificate.as_slice().into(), RcgenKey(&self.key)).unwrap();
        params.signed_by(&RcgenKey(key), &issuer).unwrap().der().to_vec()
    }
}
