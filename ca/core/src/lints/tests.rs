//! Each lint finds what it is there for: a clean certificate is held against expectations that differ in one thing.

use extensions::{Environment, Serial, Signer as _};

use super::*;
use crate::{
    profiles::Settings,
    samples::{self, Ring, TestKey, authority, envelope, now, settings},
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
