//! Tests of the profile check: one good path, and for each item of certificates.md §2 a path in which only that item is off.

use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, SanType, SerialNumber,
};

use super::*;
use crate::{
    AuthorityLimits, Digest, MandateId, Timestamp,
    limits::{Authority, LimitsDocument, MandateRef, ScopeDocument, tests::example},
    oids::{Environment, Oid, OidArc},
};

const NOW: i64 = 1_795_174_800;
const CRL: &str = "http://status.example.org/agents.crl";
const LEAF_SAN: &str = "spiffe://bots.example.org/agent/mm-1/a";

/// How one certificate is made; each test changes one thing.
struct Spec {
    params: CertificateParams,
    limits: Option<Vec<u8>>,
    critical_limits: bool,
    policy: Option<Oid>,
    key: KeyPair,
}

fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).expect("a key")
}

fn spec(name: &str, serial: u8, is_ca: IsCa, usages: Vec<KeyUsagePurpose>, days: i64) -> Spec {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&[serial; 18]));
    params.is_ca = is_ca;
    params.key_usages = usages;
    params.use_authority_key_identifier_extension = true;
    params.not_before = time::OffsetDateTime::from_unix_timestamp(NOW - 60).expect("time");
    params.not_after = time::OffsetDateTime::from_unix_timestamp(NOW - 60 + days * 86_400).expect("time");
    let policy = Some(OidArc::DEVELOPMENT.policy(Environment::Sandbox));
    Spec {
        params,
        limits: None,
        critical_limits: false,
        policy,
        key: key(&PKCS_ECDSA_P256_SHA256),
    }
}

fn envelope(change: impl FnOnce(&mut LimitsDocument)) -> Option<Vec<u8>> {
    let mut document = example();
    document.instruments = ScopeDocument::Word("any".to_owned());
    change(&mut document);
    let authority = Authority::try_from(document).expect("limits");
    Some(AuthorityLimits::for_ca(authority).encode().expect("small"))
}

fn agent_limits(change: impl FnOnce(&mut LimitsDocument)) -> Option<Vec<u8>> {
    let mut document = example();
    change(&mut document);
    let authority = Authority::try_from(document).expect("limits");
    let reference = MandateRef::new(
        MandateId::new("m-1").expect("id"),
        Digest::of(b"d"),
        vec![Digest::of(b"o")],
    )
    .expect("one");
    Some(
        AuthorityLimits::for_agent(authority, None, reference)
            .expect("sets")
            .encode()
            .expect("small"),
    )
}

fn ca_usages() -> Vec<KeyUsagePurpose> {
    vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]
}

fn root() -> Spec {
    let mut spec = spec(
        "Agent Root",
        1,
        IsCa::Ca(BasicConstraints::Unconstrained),
        ca_usages(),
        3_650,
    );
    spec.limits = envelope(|_| {});
    spec.key = key(&PKCS_ECDSA_P384_SHA384);
    spec
}

fn issuing() -> Spec {
    let mut spec = spec(
        "Agent Issuing",
        2,
        IsCa::Ca(BasicConstraints::Constrained(0)),
        ca_usages(),
        365,
    );
    spec.limits = envelope(|_| {});
    spec
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

fn purpose(oid: &Oid) -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(oid.arcs())
}

fn leaf() -> Spec {
    let mut spec = spec("mm-1", 3, IsCa::NoCa, vec![KeyUsagePurpose::DigitalSignature], 1);
    spec.params.subject_alt_names = vec![uri(LEAF_SAN)];
    spec.params.extended_key_usages = vec![purpose(&OidArc::DEVELOPMENT.trading_agent())];
    spec.params.crl_distribution_points = vec![CrlDistributionPoint {
        uris: vec![CRL.to_owned()],
    }];
    spec.limits = agent_limits(|d| d.instruments = ScopeDocument::Names(vec!["BTC_EUR".to_owned()]));
    spec
}

fn custom(oid: &Oid, value: Vec<u8>, critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&oid.arcs(), value);
    extension.set_criticality(critical);
    extension
}

fn finished(spec: &Spec) -> CertificateParams {
    let mut params = spec.params.clone();
    if let Some(policy) = &spec.policy {
        let policies = Oid::from_der_content(extension::POLICIES).expect("an identifier");
        params
            .custom_extensions
            .push(custom(&policies, extension::sole_policy(policy), false));
    }
    if let Some(limits) = &spec.limits {
        params.custom_extensions.push(custom(
            &OidArc::DEVELOPMENT.authority_limits(),
            limits.clone(),
            spec.critical_limits,
        ));
    }
    params
}

fn issued(spec: &Spec, issuer: &Spec) -> Vec<u8> {
    let issuer = Issuer::new(finished(issuer), &issuer.key);
    finished(spec)
        .signed_by(&spec.key, &issuer)
        .expect("a certificate")
        .der()
        .to_vec()
}

fn profile() -> AgentPathProfile {
    AgentPathProfile {
        certificates: CertificateProfile {
            arcs: vec![OidArc::DEVELOPMENT],
            environment: Environment::Sandbox,
            trust_domain: TrustDomain::new("bots.example.org").expect("a domain"),
            critical_limits: false,
        },
        longest_life_seconds: LONGEST_AGENT_LIFE_SECONDS,
        distribution_points: vec![CRL.to_owned()],
    }
}

fn path(root: &Spec, issuing: &Spec, leaf: &Spec) -> [Vec<u8>; 3] {
    [issued(root, root), issued(issuing, root), issued(leaf, issuing)]
}

fn inspect_at(path: &[Vec<u8>; 3], profile: &AgentPathProfile, now: i64) -> Result<AgentCertificate, ProfileError> {
    let [root, issuing, leaf] = path;
    AgentCertificate::inspect_at(leaf, &[issuing, root], profile, Timestamp::from_seconds(now))
}

fn refused(path: &[Vec<u8>; 3], profile: &AgentPathProfile, now: i64) -> (Role, &'static str) {
    let error = inspect_at(path, profile, now).expect_err("refused");
    (error.role, error.fault.tag())
}

fn with_leaf(change: impl FnOnce(&mut Spec)) -> (Role, &'static str) {
    let mut leaf = leaf();
    change(&mut leaf);
    refused(&path(&root(), &issuing(), &leaf), &profile(), NOW)
}

fn with_issuing(change: impl FnOnce(&mut Spec)) -> (Role, &'static str) {
    let mut issuing = issuing();
    change(&mut issuing);
    refused(&path(&root(), &issuing, &leaf()), &profile(), NOW)
}

fn with_root(change: impl FnOnce(&mut Spec)) -> (Role, &'static str) {
    let mut root = root();
    change(&mut root);
    refused(&path(&root, &issuing(), &leaf()), &profile(), NOW)
}

#[test]
fn a_good_path_passes_and_says_what_it_says() {
    let path = path(&root(), &issuing(), &leaf());
    let certificate = inspect_at(&path, &profile(), NOW).expect("the whole profile holds");
    assert_eq!(
        (certificate.agent().as_str(), certificate.instance().as_str()),
        ("mm-1", "a")
    );
    assert_eq!(certificate.serial().octets(), &[3; 18]);
    assert_eq!(certificate.fingerprint(), Digest::of(&path[2]));
    assert_eq!(certificate.mandate().id().as_str(), "m-1");
    assert_eq!(certificate.effective().instruments().map(<[_]>::len), Some(1));
    assert!(certificate.is_valid_at(Timestamp::from_seconds(NOW)));
    assert!(!certificate.is_valid_at(Timestamp::from_seconds(NOW + 86_400)));
    let mut explicit = leaf();
    explicit.params.is_ca = IsCa::ExplicitNoCa;
    explicit.key = key(&PKCS_ED25519);
    let path = self::path(&root(), &issuing(), &explicit);
    assert!(
        inspect_at(&path, &profile(), NOW).is_ok(),
        "cA false said aloud, an Ed25519 key"
    );
}

/// Control: each line is the only test of one check; without the check the path passes and `expect_err` fails.
#[test]
fn leaves_off_the_profile_are_refused() {
    let (leaf_role, days) = (Role::Agent, |spec: &mut Spec, days| {
        spec.params.not_after = spec.params.not_before + time::Duration::days(days)
    });
    assert_eq!(
        with_leaf(|s| s.params.serial_number = Some(SerialNumber::from_slice(&[5; 16]))),
        (leaf_role, "serial")
    );
    assert_eq!(
        with_leaf(|s| s.params.serial_number = Some(SerialNumber::from_slice(&[0x85; 20]))),
        (leaf_role, "serial")
    );
    assert_eq!(
        with_leaf(|s| s.key = key(&PKCS_ECDSA_P384_SHA384)),
        (leaf_role, "key-algorithm")
    );
    assert_eq!(with_leaf(|s| days(s, 8)), (leaf_role, "life"));
    assert_eq!(
        with_leaf(|s| s.params.not_before += time::Duration::days(1)),
        (leaf_role, "not-yet-valid")
    );
    assert_eq!(
        with_leaf(|s| s.params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
        (leaf_role, "basic-constraints")
    );
    assert_eq!(
        with_leaf(|s| s.params.key_usages.push(KeyUsagePurpose::KeyAgreement)),
        (leaf_role, "key-usage")
    );
    assert_eq!(with_leaf(|s| s.params.key_usages.clear()), (leaf_role, "key-usage"));
    assert_eq!(
        with_leaf(|s| s.params.extended_key_usages.clear()),
        (leaf_role, "extended-key-usage")
    );
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    assert_eq!(
        with_leaf(|s| s.params.extended_key_usages = vec![client.clone()]),
        (leaf_role, "extended-key-usage")
    );
    assert_eq!(
        with_leaf(|s| s.params.extended_key_usages.push(client.clone())),
        (leaf_role, "extended-key-usage")
    );
    assert_eq!(
        with_leaf(|s| s.params.subject_alt_names.clear()),
        (leaf_role, "alternative-name")
    );
    assert_eq!(
        with_leaf(|s| s
            .params
            .subject_alt_names
            .push(uri("spiffe://bots.example.org/agent/mm-1/b"))),
        (leaf_role, "alternative-name")
    );
    for other in [
        "spiffe://bots.example.com/agent/mm-1/a",
        "spiffe://bots.example.org.evil.com/agent/mm-1/a",
        "spiffe://bots.example.org/agent/mm-1",
        "spiffe://bots.example.org/agent/MM-1/a",
        "spiffe://bots.example.org/agent/mm-1/a/",
        "spiffe://bots.example.org/officer/mm-1",
        "https://bots.example.org/agent/mm-1/a",
    ] {
        assert_eq!(
            with_leaf(|s| s.params.subject_alt_names = vec![uri(other)]),
            (leaf_role, "alternative-name"),
            "{other}"
        );
    }
    assert_eq!(
        with_leaf(|s| s.params.subject_alt_names = vec![SanType::DnsName("a.example.org".try_into().expect("name"))]),
        (leaf_role, "alternative-name")
    );
    assert_eq!(with_leaf(|s| s.policy = None), (leaf_role, "policy"));
    assert_eq!(
        with_leaf(|s| s.policy = Some(OidArc::DEVELOPMENT.policy(Environment::Production))),
        (leaf_role, "policy")
    );
    assert_eq!(
        with_leaf(|s| s.params.crl_distribution_points.clear()),
        (leaf_role, "distribution-point")
    );
    assert_eq!(
        with_leaf(|s| s.params.crl_distribution_points[0].uris[0].push('x')),
        (leaf_role, "distribution-point")
    );
    assert_eq!(
        with_leaf(|s| s
            .params
            .distinguished_name
            .push(DnType::OrganizationName, "Ве\u{202e}nd")),
        (leaf_role, "subject")
    );
    assert_eq!(
        with_leaf(|s| s.params.distinguished_name = DistinguishedName::new()),
        (leaf_role, "subject")
    );
}

#[test]
fn extensions_off_the_profile_are_refused() {
    let limits = OidArc::DEVELOPMENT.authority_limits();
    let twice = |s: &mut Spec| {
        let value = s.limits.clone().expect("limits");
        s.params
            .custom_extensions
            .push(custom(&OidArc::DEVELOPMENT.authority_limits(), value, false));
    };
    assert_eq!(with_leaf(twice), (Role::Agent, "duplicate-extension"));
    assert_eq!(with_issuing(twice), (Role::AgentIssuing, "duplicate-extension"));
    let stray = OidArc::new(7).expect("PEN").authority_limits();
    assert_eq!(
        with_leaf(|s| s.params.custom_extensions.push(custom(&stray, vec![5, 0], false))),
        (Role::Agent, "unexpected-extension")
    );
    assert_eq!(with_leaf(|s| s.critical_limits = true), (Role::Agent, "criticality"));
    assert_eq!(with_leaf(|s| s.limits = None), (Role::Agent, "limits-absent"));
    assert_eq!(with_issuing(|s| s.limits = None), (Role::AgentIssuing, "limits-absent"));
    assert_eq!(with_root(|s| s.limits = None), (Role::AgentRoot, "limits-absent"));
    assert_eq!(
        with_leaf(|s| s.limits.as_mut().expect("limits").push(0)),
        (Role::Agent, "limits")
    );
    assert_eq!(
        with_leaf(|s| s.limits = envelope(|_| {})),
        (Role::Agent, "subject-class")
    );
    assert_eq!(
        with_issuing(|s| s.limits = agent_limits(|_| {})),
        (Role::AgentIssuing, "subject-class")
    );
    let second = OidArc::new(7).expect("PEN");
    let mut both = profile();
    both.certificates.arcs.push(second);
    let mut leaf = leaf();
    leaf.params.custom_extensions.push(custom(
        &second.authority_limits(),
        agent_limits(|_| {}).expect("limits"),
        false,
    ));
    assert_eq!(
        refused(&path(&root(), &issuing(), &leaf), &both, NOW),
        (Role::Agent, "unexpected-extension")
    );
    assert_eq!(limits.to_string(), "1.3.6.1.4.1.32473.1.1");
}

#[test]
fn issuers_off_the_profile_are_refused() {
    let (issuing, root) = (Role::AgentIssuing, Role::AgentRoot);
    assert_eq!(
        with_issuing(|s| s.params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1))),
        (issuing, "basic-constraints")
    );
    assert_eq!(
        with_issuing(|s| s.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        (issuing, "basic-constraints")
    );
    assert_eq!(
        with_issuing(|s| s.params.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
        (issuing, "key-usage")
    );
    assert_eq!(
        with_issuing(|s| s.params.subject_alt_names = vec![uri(LEAF_SAN)]),
        (issuing, "unexpected-extension")
    );
    assert_eq!(with_issuing(|s| s.key = key(&PKCS_ED25519)), (issuing, "key-algorithm"));
    assert_eq!(with_issuing(|s| s.policy = None), (issuing, "policy"));
    assert_eq!(
        with_issuing(|s| s.params.not_after = s.params.not_before + time::Duration::hours(12)),
        (Role::Agent, "outlives-issuer")
    );
    assert_eq!(
        with_root(|s| s.params.not_after = s.params.not_before + time::Duration::days(30)),
        (issuing, "outlives-issuer")
    );
    assert_eq!(
        with_root(|s| s.params.not_after = s.params.not_before + time::Duration::seconds(30)),
        (root, "expired")
    );
    assert_eq!(
        with_root(|s| s.params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
        (root, "basic-constraints")
    );
    assert_eq!(with_root(|s| s.key = key(&PKCS_ED25519)), (root, "key-algorithm"));
}

/// Control: dropping `is_subset_of` from the path lets every one of these pass.
#[test]
fn an_over_claim_anywhere_refuses() {
    assert_eq!(
        with_leaf(|s| s.limits = agent_limits(|d| d.per_order[0] = "EUR 500001".to_owned())),
        (Role::Agent, "over-claim")
    );
    assert_eq!(
        with_leaf(|s| s.limits = agent_limits(|d| d.order_proof = false)),
        (Role::Agent, "over-claim")
    );
    assert_eq!(
        with_issuing(|s| s.limits = envelope(|d| d.price_collar_bps = 251)),
        (Role::AgentIssuing, "over-claim")
    );
    // the leaf fits the root, but not the issuing CA between them
    assert_eq!(
        with_issuing(|s| s.limits = envelope(|d| d.price_collar_bps = 249)),
        (Role::Agent, "over-claim")
    );
}

#[test]
fn foreign_signatures_and_paths_are_refused() {
    let [mut root_der, issuing_der, leaf_der] = path(&root(), &issuing(), &leaf());
    let other = path(&root(), &issuing(), &leaf());
    let mixed = [root_der.clone(), issuing_der.clone(), other[2].clone()];
    assert_eq!(refused(&mixed, &profile(), NOW), (Role::Agent, "signature"));
    let mixed = [other[0].clone(), issuing_der.clone(), leaf_der.clone()];
    assert_eq!(refused(&mixed, &profile(), NOW), (Role::AgentIssuing, "signature"));
    let mut renamed = issuing();
    renamed
        .params
        .distinguished_name
        .push(DnType::OrganizationName, "other");
    let mixed = [other[0].clone(), other[1].clone(), issued(&leaf(), &renamed)];
    assert_eq!(refused(&mixed, &profile(), NOW), (Role::Agent, "issuer-name"));
    let error = AgentCertificate::inspect_at(&leaf_der, &[&root_der], &profile(), Timestamp::from_seconds(NOW));
    assert_eq!(error.expect_err("short").fault, Fault::PathLength(2));
    root_der.push(0);
    assert_eq!(
        refused(&[root_der, issuing_der, leaf_der], &profile(), NOW),
        (Role::AgentRoot, "malformed")
    );
}

#[test]
fn time_and_environment_decide() {
    let path = path(&root(), &issuing(), &leaf());
    assert_eq!(refused(&path, &profile(), NOW + 86_400), (Role::Agent, "expired"));
    assert_eq!(refused(&path, &profile(), NOW - 61), (Role::AgentRoot, "not-yet-valid"));
    assert!(
        inspect_at(&path, &profile(), NOW - 60 + 86_400).is_ok(),
        "the last second is inside"
    );
    let mut production = profile();
    production.certificates.environment = Environment::Production;
    assert_eq!(refused(&path, &production, NOW), (Role::AgentRoot, "policy"));
    let named = |mut spec: Spec| {
        spec.policy = Some(OidArc::DEVELOPMENT.policy(Environment::Production));
        spec
    };
    let path = self::path(&named(root()), &named(issuing()), &named(leaf()));
    assert_eq!(refused(&path, &production, NOW), (Role::AgentRoot, "development-arc"));
    let mut short = profile();
    short.longest_life_seconds = 3_600;
    let path = self::path(&root(), &issuing(), &leaf());
    assert_eq!(refused(&path, &short, NOW), (Role::Agent, "life"));
}

#[test]
fn house_and_responder_profiles_differ() {
    let certificates = profile().certificates;
    let now = Timestamp::from_seconds(NOW);
    let tag = |spec: &Spec, role| {
        let der = issued(spec, &issuing());
        certificates
            .check_at(&Certificate::read(&der).expect("readable"), role, now)
            .map_err(|e| e.fault.tag())
    };
    let bare = |purpose, names: Vec<SanType>| {
        let mut spec = leaf();
        (
            spec.limits,
            spec.params.extended_key_usages,
            spec.params.subject_alt_names,
        ) = (None, vec![purpose], names);
        spec
    };
    let host = || SanType::DnsName("gateway.example.org".try_into().expect("name"));
    let server = bare(ExtendedKeyUsagePurpose::ServerAuth, vec![host()]);
    assert_eq!(tag(&server, Role::Server), Ok(()));
    assert_eq!(tag(&server, Role::Agent), Err("extended-key-usage"));
    let officer = bare(
        ExtendedKeyUsagePurpose::ClientAuth,
        vec![uri("spiffe://bots.example.org/officer/ann")],
    );
    assert_eq!(tag(&officer, Role::Officer), Ok(()));
    assert_eq!(tag(&officer, Role::Server), Err("extended-key-usage"));
    assert_eq!(
        tag(&leaf(), Role::Officer),
        Err("unexpected-extension"),
        "limits are for bots alone"
    );
    let mut responder = bare(ExtendedKeyUsagePurpose::OcspSigning, vec![]);
    responder.params.crl_distribution_points.clear();
    assert_eq!(tag(&responder, Role::OcspResponder), Ok(()));
    responder.params.subject_alt_names = vec![host()];
    assert_eq!(tag(&responder, Role::OcspResponder), Err("unexpected-extension"));
    let mut house_root = root();
    let judged = |spec: &Spec| {
        let der = issued(spec, spec);
        certificates
            .check_at(&Certificate::read(&der).expect("readable"), Role::HouseRoot, now)
            .map_err(|e| e.fault.tag())
    };
    assert_eq!(judged(&house_root), Err("unexpected-extension"));
    house_root.limits = None;
    assert_eq!(judged(&house_root), Ok(()));
}

/// Each octet of each certificate of a good path, flipped: never a panic, and never a pass (a signature covers all of it; of the
/// signature itself no bit is free).
#[test]
fn a_flipped_octet_never_passes() {
    let path = path(&root(), &issuing(), &leaf());
    for certificate in 0..3 {
        for at in 0..path[certificate].len() {
            let mut flipped = path.clone();
            flipped[certificate][at] ^= 1 << (at % 8);
            assert!(
                inspect_at(&flipped, &profile(), NOW).is_err(),
                "certificate {certificate}, octet {at}"
            );
        }
    }
}

#[test]
fn any_bytes_are_refused_without_a_panic() {
    for length in 0..300_usize {
        let bytes: Vec<u8> = (0..length).map(|n| (n * 31 + length * 7) as u8).collect();
        assert!(Certificate::read(&bytes).is_err());
    }
    assert_eq!(
        Certificate::read(&vec![0x30; LONGEST_CERTIFICATE + 1]),
        Err(Fault::Malformed)
    );
}
