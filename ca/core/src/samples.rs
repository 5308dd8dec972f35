//! Values for this crate's tests.

use extensions::{
    AuthorityLimits, Environment, KeyAlgorithm, MandateDocument, Random, Serial, SignError, Signer, Timestamp,
    oids::OidArc,
};

use crate::{
    issue::{IssueError, IssuingCa, Particulars, prepare_house},
    profiles::{Profile, Settings},
};

/// The operating system's randomness.
pub(crate) struct Ring(ring::rand::SystemRandom);

impl Default for Ring {
    fn default() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Random for Ring {
    fn fill(&mut self, bytes: &mut [u8]) {
        ring::rand::SecureRandom::fill(&self.0, bytes).unwrap();
    }
}

/// 2026-11-20T12:00:00Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

/// A small, valid document.
pub(crate) fn document() -> MandateDocument {
    let text = r#"{"agent":"mm-1","conduct":{"on_halt":"cancel_all","on_unanswered_warning":"freeze","repeat_window_ms":1000,"scoring":"enforce"},"declared_model":"m","environment":"sandbox","expires":"2027-01-01T00:00:00.000000Z","limits":{"counterparties":["exchange_a"],"hours":["Mon-Fri 07:00-20:00"],"instruments":["BTC_EUR"],"order_proof":false,"order_rates":["60/1s"],"order_types":["limit"],"per_day":["EUR 5000000"],"per_order":["EUR 50000"],"price_collar_bps":200,"regions":["eu-west-1"]},"mandate":"m-1","owner":"desk","purpose_commitment":"0000000000000000000000000000000000000000000000000000000000000000","rationale_commitment":"0000000000000000000000000000000000000000000000000000000000000000","version":1}"#;
    let document: MandateDocument = serde_json::from_str(text).unwrap();
    document.check().unwrap();
    document
}

/// A key of the test's own.
pub(crate) struct TestKey {
    pair: rcgen::KeyPair,
    spki: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl TestKey {
    pub(crate) fn new(algorithm: KeyAlgorithm) -> Self {
        let pair = rcgen::KeyPair::generate_for(crate::signing::rcgen_algorithm(algorithm)).unwrap();
        Self {
            spki: rcgen::PublicKeyData::subject_public_key_info(&pair),
            pair,
            algorithm,
        }
    }

    pub(crate) fn p256() -> Self {
        Self::new(KeyAlgorithm::EcdsaP256Sha256)
    }

    /// A request with this key.
    pub(crate) fn csr(&self) -> Vec<u8> {
        rcgen::CertificateParams::default()
            .serialize_request(&self.pair)
            .unwrap()
            .der()
            .to_vec()
    }
}

impl Signer for TestKey {
    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }
    fn public_key_spki(&self) -> &[u8] {
        &self.spki
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(rcgen::SigningKey::sign(&self.pair, message).unwrap())
    }
}

/// The ceremony's settings.
pub(crate) fn settings() -> Settings {
    Settings {
        arc: OidArc::DEVELOPMENT,
        environment: Environment::Sandbox,
        trust_domain: extensions::certificate::TrustDomain::new("bots.example").unwrap(),
        crl_url: "http://status.example/crl".to_owned(),
        ocsp_url: "http://status.example/ocsp".to_owned(),
        issuer_url: "http://status.example/ca".to_owned(),
    }
}

/// An envelope that covers [`document`] and not much more.
pub(crate) fn envelope() -> AuthorityLimits {
    let text = r#"{"counterparties":"any","hours":["always"],"instruments":"any","order_proof":false,"order_rates":["60/1s"],"order_types":["limit","market"],"per_day":["EUR 10000000"],"per_order":["EUR 100000"],"price_collar_bps":500,"regions":"any"}"#;
    AuthorityLimits::for_ca(serde_json::from_str(text).unwrap())
}

/// Two CAs above bots, with their keys, living around [`now`].
pub(crate) struct Authority {
    pub(crate) root: Vec<u8>,
    pub(crate) issuing: IssuingCa,
    pub(crate) issuing_key: TestKey,
}

/// Makes a certificate whole: prepared, signed, sealed.
pub(crate) fn make(
    profile: &Profile,
    spki: &[u8],
    days: i64,
    issuer: Option<&IssuingCa>,
    signer: &TestKey,
) -> Result<Vec<u8>, IssueError> {
    let settings = settings();
    let particulars = Particulars {
        settings: &settings,
        spki,
        serial: Serial::draw(1, &mut Ring::default()),
        not_before: now().plus_seconds(-3600),
        not_after: now().plus_seconds(-3600 + days * 86_400),
    };
    let throwaway = TestKey::new(signer.algorithm);
    let prepared = prepare_house(profile, particulars, issuer, &throwaway)?;
    Ok(prepared.sign(signer)?.seal()?.certificate().to_vec())
}

/// The agents' root and issuing CA.
pub(crate) fn authority() -> Authority {
    let root_key = TestKey::new(KeyAlgorithm::EcdsaP384Sha384);
    let name = "Agent root".to_owned();
    let root = Profile::AgentRoot {
        name,
        envelope: envelope(),
    };
    let root = make(&root, &root_key.spki, 7_000, None, &root_key).unwrap();
    let anchor = IssuingCa::read(&root, &settings()).unwrap();
    let issuing_key = TestKey::p256();
    let name = "Agent issuing".to_owned();
    let issuing = Profile::AgentIssuing {
        name,
        envelope: envelope(),
    };
    let issuing = make(&issuing, &issuing_key.spki, 300, Some(&anchor), &root_key).unwrap();
    Authority {
        root,
        issuing: IssuingCa::read(&issuing, &settings()).unwrap(),
        issuing_key,
    }
}
