//! Each lint finds what it is there for: a clean certificate is held against expectations that differ in one thing.

use extensions::{AuthorityLimits, Digest, Environment, Serial, Signer as _, limits::MandateRef};

use super::*;
use crate::{
    profiles::{BotProfile, Settings},
    samples::{self, Ring, TestKey, authority, envelope, now, settings},
    signing::RcgenKey,
};

struct Bench {
    certificate: Vec<u8>,
    profile: Profile,
    settings: Settings,
    spki: Vec<u8>,
    serial: Serial,
    life: (extensions::Timestamp, extensions::Timestamp),
    issuer: Option<IssuingCa>,
}

impl Bench {
    fn found(&self) -> Vec<&'static str> {
        let particulars = Particulars {
            settings: &self.settings,
            spki: &self.spki,
            serial: self.serial,
            not_before: self.life.0,
            not_after: self.life.1,
        };
        let linted = Linted {
            certificate: &self.certificate,
            profile: &self.profile,
            particulars,
            issuer: self.issuer.as_ref(),
        };
        run(&linted).into_iter().map(|finding| finding.lint).collect()
    }
}

/// A clean issuing CA.
fn bench() -> Bench {
    let authority = authority();
    let settings = settings();
    let certificate = authority.issuing.certificate().to_vec();
    Bench {
        profile: Profile::AgentIssuing {
            name: "Agent issuing".to_owned(),
            envelope: envelope(),
        },
        spki: authority.issuing.spki().to_vec(),
        serial: crate::certificate::serial_of(&certificate).unwrap(),
        life: crate::certificate::life_of(&certificate).unwrap(),
        issuer: Some(IssuingCa::read(&authority.root, &settings).unwrap()),
        certificate,
        settings,
    }
}

#[test]
fn a_clean_certificate_has_no_findings() {
    assert_eq!(bench().found(), [""; 0]);
}

/// A bot's certificate, made from the profile's parameters after `change`.
fn bot(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Bench {
    let (authority, settings, document) = (authority(), settings(), samples::document());
    let mandate = MandateRef::new(document.mandate, document.digest(), vec![Digest::of(b"approver")]).unwrap();
    let limits = AuthorityLimits::for_agent(document.limits.clone(), Some(Digest::of(b"agent")), mandate).unwrap();
    let profile = Profile::Bot(BotProfile {
        agent: document.agent,
        owner: document.owner,
        limits,
    });
    let (serial, life) = (
        Serial::draw(1, &mut Ring::default()),
        (now(), now().plus_seconds(86_400)),
    );
    let mut params = profile.params(&settings, &serial, life.0, life.1).unwrap();
    change(&mut params);
    let key = TestKey::p256();
    let (own, above) = (
        RcgenKey::new(&key).unwrap(),
        RcgenKey::new(&authority.issuing_key).unwrap(),
    );
    let issuer = authority.issuing.certificate().into();
    let issuer = rcgen::Issuer::from_ca_cert_der(&issuer, above).unwrap();
    let certificate = params.signed_by(&own, &issuer).unwrap().der().to_vec();
    Bench {
        profile,
        spki: key.public_key_spki().to_vec(),
        serial,
        life,
        issuer: Some(authority.issuing),
        certificate,
        settings,
    }
}

/// What only a bot's certificate can get wrong, and what no profile makes. Control: the first is clean.
#[test]
fn each_difference_of_a_bot_is_found() {
    let clean = bot(|_| {});
    assert_eq!(clean.found(), [""; 0]);
    for change in [
        (|settings| settings.crl_url.push('x')) as fn(&mut Settings),
        |settings| settings.ocsp_url.push('x'),
        |settings| settings.issuer_url.push('x'),
    ] {
        let mut other = bot(|_| {});
        change(&mut other.settings);
        assert_eq!(other.found(), ["status_addresses"]);
    }
    let unknown = bot(|params| {
        let extension = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32_473, 9, 9], vec![5, 0]);
        params.custom_extensions.push(extension);
    });
    assert!(unknown.found().contains(&"extensions_known"), "{:?}", unknown.found());
    let named = bot(|params| {
        let unit = rcgen::DnValue::PrintableString("unit".try_into().unwrap());
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationalUnitName, unit);
    });
    assert!(named.found().contains(&"subject"), "{:?}", named.found());
    let text = bot(|params| {
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, rcgen::DnValue::Utf8String("mm-1".to_owned()));
    });
    assert!(text.found().contains(&"subject"), "{:?}", text.found());
    // ecdsa-with-SHA256 outside becomes ecdsa-with-SHA384.
    let mut other = bot(|_| {});
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let outer = other.certificate.windows(8).rposition(|window| window == oid).unwrap();
    other.certificate[outer + 7] = 3;
    assert!(other.found().contains(&"signature_algorithm"), "{:?}", other.found());
}

/// No lint without a test here that shows it failing.
#[test]
fn every_lint_is_shown_failing() {
    let text = include_str!("tests.rs");
    for (name, _) in ALL {
        assert!(text.contains(&format!("\"{name}\"")), "{name} is never shown failing");
    }
}

#[test]
fn each_difference_is_found() {
    let mut other = bench();
    other.serial = Serial::draw(1, &mut Ring::default());
    assert_eq!(other.found(), ["serial"]);
    let mut other = bench();
    other.spki = TestKey::p256().public_key_spki().to_vec();
    assert_eq!(other.found(), ["public_key"]);
    let mut other = bench();
    other.life.1 = now();
    assert!(other.found().contains(&"validity"));
    let mut other = bench();
    other.settings.environment = Environment::Production;
    assert_eq!(other.found(), ["handshake", "policies"]);
    let mut other = bench();
    let text = serde_json::to_string(envelope().authority())
        .unwrap()
        .replace("60/1s", "59/1s");
    other.profile = Profile::AgentIssuing {
        name: "Agent issuing".to_owned(),
        envelope: extensions::AuthorityLimits::for_ca(serde_json::from_str(&text).unwrap()),
    };
    assert_eq!(other.found(), ["authority_limits"]);
    let mut other = bench();
    let officer = extensions::OfficerId::new("ada").unwrap();
    other.profile = Profile::Officer { officer };
    for expected in [
        "alternative_names",
        "authority_limits",
        "basic_constraints",
        "extended_key_usage",
        "key_usage",
    ] {
        assert!(other.found().contains(&expected), "{expected} in {:?}", other.found());
    }
    let mut other = bench();
    let key = TestKey::p256();
    let profile = Profile::AgentRoot {
        name: "Other root".to_owned(),
        envelope: envelope(),
    };
    let root = samples::make(&profile, key.public_key_spki(), 7_000, None, &key).unwrap();
    other.issuer = Some(IssuingCa::read(&root, &settings()).unwrap());
    assert_eq!(other.found(), ["issuer_names", "key_identifiers"]);
    let mut other = bench();
    other.certificate.push(0);
    assert_eq!(other.found(), ["encoding"]);
}

/// The documentation arc belongs to nobody: a production house with it issues nothing.
#[test]
fn documentation_arc_is_for_the_sandbox_alone() {
    let mut settings = settings();
    settings.environment = Environment::Production;
    let key = TestKey::p256();
    let particulars = Particulars {
        settings: &settings,
        spki: key.public_key_spki(),
        serial: Serial::draw(1, &mut Ring::default()),
        not_before: now(),
        not_after: now().plus_seconds(3600),
    };
    let profile = Profile::HouseRoot { name: "R".to_owned() };
    let result = crate::issue::prepare_house(&profile, particulars, None, &TestKey::p256());
    assert!(
        matches!(
            result,
            Err(crate::issue::IssueError::Lint(Finding {
                lint: "policies" | "handshake",
                ..
            }))
        ),
        "{result:?}"
    );
}
