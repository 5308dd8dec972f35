//! Passkeys of officers: whose count, from when, until when.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use extensions::{ApprovalDecision, Base64, Signer as _, passkey::Assertion};

use super::*;
use crate::{
    events::{Event, OfficerRemoved},
    register::{PasskeyRefused, Place, Register},
    samples::{TestKey, now},
};

struct World {
    register: Register,
    position: u64,
    time: Timestamp,
}

fn ada() -> OfficerId {
    OfficerId::new("ada").unwrap()
}

fn party() -> RelyingParty {
    RelyingParty::of_origin("https://localhost:8444").unwrap()
}

fn added(key: &TestKey, token: Option<&str>) -> PasskeyAdded {
    PasskeyAdded {
        attestation: Base64(vec![]),
        authorised_by: None,
        credential: Base64(key.public_key_spki().to_vec()),
        name: None,
        officer: ada(),
        party: party(),
        sealed: vec![],
        spki: Base64(key.public_key_spki().to_vec()),
        token: token.map(|token| Digest::of(token.as_bytes())),
    }
}

/// What a passkey answers for `record`.
fn signed(mut record: ApprovalRecord, key: &TestKey) -> ApprovalRecord {
    let challenge = URL_SAFE_NO_PAD.encode(record.message().0);
    let origin = party().origin;
    let client_data = format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}"}}"#);
    let mut data = Digest::of(b"localhost").0.to_vec();
    data.extend([5, 0, 0, 0, 1]);
    let message = [data.as_slice(), &Digest::of(client_data.as_bytes()).0].concat();
    record.key = Digest::of(key.public_key_spki());
    record.signature = Base64(key.sign(&message).unwrap());
    record.passkey = Some(Assertion {
        authenticator_data: Base64(data),
        client_data: Base64(client_data.into_bytes()),
    });
    record
}

fn record(document: Digest) -> ApprovalRecord {
    ApprovalRecord {
        decision: ApprovalDecision::Approve,
        document,
        key: Digest::default(),
        nonce: Digest::of(b"nonce"),
        officer: ada(),
        passkey: None,
        signature: Base64(vec![]),
    }
}

impl World {
    fn new() -> Self {
        Self {
            register: Register::default(),
            position: 0,
            time: now(),
        }
    }

    fn apply(&mut self, event: impl Into<Event>) {
        let place = Place {
            position: self.position,
            number: self.position,
            at: self.time,
        };
        self.position += 1;
        self.register.apply(&event.into(), place);
    }

    fn token(&mut self, token: &str, seconds: i64) {
        self.apply(OfficerTokenIssued {
            issued_by: None,
            officer: ada(),
            roles: vec![Role::Approver],
            token: Digest::of(token.as_bytes()),
            use_before: self.time.plus_seconds(seconds),
        });
    }

    /// As long as a known officer's new token waits.
    fn a_day_later(&mut self) {
        self.time = self.time.plus_seconds(RECOVERY_SECONDS);
    }

    fn holds(&self, key: &TestKey) -> bool {
        let officer = self.register.officer(&ada());
        officer.is_some_and(|officer| officer.holds(&Digest::of(key.public_key_spki())))
    }
}

/// Controls tried: without the look at `used`, the second passkey of a token counts; without that at `use_before`, a late one does; without
/// `retired_at`, those of a former term do.
#[test]
fn a_first_passkey_needs_a_token_that_nobody_used() {
    let (mut world, [one, two, three]) = (World::new(), [0; 3].map(|_| TestKey::p256()));
    world.apply(added(&one, Some("never made")));
    world.apply(added(&one, None));
    world.token("late", -1);
    world.apply(added(&one, Some("late")));
    assert!(!world.holds(&one), "no token, or one that is over");
    world.token("good", 60);
    world.apply(added(&one, Some("good")));
    world.apply(added(&two, Some("good")));
    assert!(world.holds(&one) && !world.holds(&two), "a token is used once");
    world.apply(OfficerRemoved {
        officer: ada(),
        removed_by: ada(),
    });
    assert!(!world.holds(&one), "out of office");
    world.token("again", 2 * RECOVERY_SECONDS);
    world.a_day_later();
    world.apply(added(&three, Some("again")));
    assert!(
        world.holds(&three) && !world.holds(&one),
        "a new term begins with new keys"
    );
    assert!(
        world
            .register
            .officer(&ada())
            .unwrap()
            .passkey(&Digest::of(one.public_key_spki()))
            .is_some()
    );
}

/// Controls tried: without the look at the document, a signature under another passkey adds this one; without `holds`, a stranger's does.
#[test]
fn a_further_passkey_needs_a_signature_of_the_officer() {
    let (mut world, [one, two, three]) = (World::new(), [0; 3].map(|_| TestKey::p256()));
    world.token("good", 60);
    world.apply(added(&one, Some("good")));
    let by = |event: &PasskeyAdded, document, key| PasskeyAdded {
        authorised_by: Some(signed(record(document), key)),
        ..event.clone()
    };
    let (second, third) = (added(&two, None), added(&three, None));
    world.apply(by(&second, third.document(), &one));
    world.apply(by(&second, second.document(), &two));
    let mut no = record(second.document());
    no.decision = ApprovalDecision::Reject;
    world.apply(PasskeyAdded {
        authorised_by: Some(signed(no, &one)),
        ..second.clone()
    });
    assert!(!world.holds(&two));
    world.apply(by(&second, second.document(), &one));
    assert!(world.holds(&two));
    world.apply(by(&third, third.document(), &two));
    assert!(
        world.holds(&three) && world.holds(&one),
        "each signs for the next, and all count"
    );
}

/// Controls tried: a passkey's raw signature taken without its assertion, and a certificate's key taken with one, pass when `signed` looks
/// at the signature alone.
#[test]
fn a_passkey_signs_with_its_assertion_alone() {
    let (mut world, key) = (World::new(), TestKey::p256());
    world.token("good", 60);
    world.apply(added(&key, Some("good")));
    let officer = world.register.officer(&ada()).unwrap();
    let good = signed(record(Digest::of(b"document")), &key);
    assert_eq!(officer.signed(&good), Ok(()));
    let mut bare = record(Digest::of(b"document"));
    bare.key = good.key;
    bare.signature = Base64(key.sign(&bare.message().0).unwrap());
    assert_eq!(officer.signed(&bare), Err(SignatureFault::Key(ada())));
    for change in [
        |record: &mut ApprovalRecord| record.document = Digest::of(b"another"),
        |record: &mut ApprovalRecord| record.nonce = Digest::of(b"another"),
        |record: &mut ApprovalRecord| record.decision = ApprovalDecision::Reject,
    ] {
        let mut changed = good.clone();
        change(&mut changed);
        assert!(matches!(officer.signed(&changed), Err(SignatureFault::Passkey(..))));
    }
}

/// Whoever has held office comes back a day after the token was signed, so that all can hear of it; a new officer need not wait. A request that
/// comes too early binds the token to nothing.
///
/// Control, tried: without the look at `use_from` in `is_free` the early passkey counts, without that in `Register::apply` the early request does.
#[test]
fn whoever_comes_back_waits_a_day() {
    let (mut world, [one, two]) = (World::new(), [0; 2].map(|_| TestKey::p256()));
    world.token("first", 60);
    world.apply(added(&one, Some("first")));
    world.apply(OfficerRemoved {
        officer: ada(),
        removed_by: ada(),
    });
    world.token("back", 2 * RECOVERY_SECONDS);
    world.time = world.time.plus_seconds(RECOVERY_SECONDS - 1);
    world.apply(added(&two, Some("back")));
    world.apply(crate::events::OfficerRequested {
        csr: Base64(vec![1]),
        name: Digest::default(),
        officer: ada(),
        sealed: vec![],
        token: Digest::of(b"back"),
    });
    assert!(!world.holds(&two));
    let token = world.register.officer_token(&Digest::of(b"back")).unwrap();
    assert!(token.request.is_none() && !token.is_free(world.time));
    world.time = world.time.plus_seconds(1);
    world.apply(added(&two, Some("back")));
    assert!(world.holds(&two));
}

/// A passkey of a former term signs nothing in a later one; what it signed before stays signed.
///
/// Control tried: without `retired_before` in `check_signature` the later signature counts.
#[test]
fn a_passkey_of_a_former_term_signs_no_more() {
    let (mut world, [one, two]) = (World::new(), [0; 2].map(|_| TestKey::p256()));
    world.token("good", 60);
    world.apply(added(&one, Some("good")));
    let before = world.position;
    world.apply(OfficerRemoved {
        officer: ada(),
        removed_by: ada(),
    });
    world.token("again", 2 * RECOVERY_SECONDS);
    world.a_day_later();
    world.apply(added(&two, Some("again")));
    let question = crate::approval::Question {
        document: Digest::of(b"document"),
        nonce: Digest::of(b"nonce"),
        applicant: None,
        on_call: false,
    };
    let check = |key, position| {
        let record = signed(record(question.document), key);
        crate::approval::check_signature(question, &record, position, &[], &world.register)
    };
    assert_eq!(check(&one, before), Ok(()));
    assert_eq!(check(&one, world.position), Err(SignatureFault::Key(ada())));
    assert_eq!(check(&two, world.position), Ok(()));
}

/// No room leaves the token as it was: it adds a passkey once there is room, in the next term.
///
/// Controls tried: without the look at `MOST_PASSKEYS` there are ten; with that look behind `token.used = true`, the token adds nothing later.
#[test]
fn passkeys_are_bounded_and_a_token_that_meets_the_bound_is_not_used_up() {
    let mut world = World::new();
    world.token("good", 60);
    let first = TestKey::p256();
    world.apply(added(&first, Some("good")));
    for _ in 0..MOST_PASSKEYS + 2 {
        let event = added(&TestKey::p256(), None);
        let authorised_by = Some(signed(record(event.document()), &first));
        world.apply(PasskeyAdded { authorised_by, ..event });
    }
    let count = |world: &World| world.register.officer(&ada()).unwrap().passkeys().count();
    assert_eq!(count(&world), MOST_PASSKEYS);
    world.token("one more", 2 * RECOVERY_SECONDS);
    world.a_day_later();
    let late = TestKey::p256();
    world.apply(added(&late, Some("one more")));
    assert_eq!(count(&world), MOST_PASSKEYS);
    assert!(!world.holds(&late));
    world.apply(OfficerRemoved {
        officer: ada(),
        removed_by: ada(),
    });
    world.apply(added(&late, Some("one more")));
    assert!(world.holds(&late));
}

/// One key, one holder: what was seen once, as an officer's certificate, as a passkey or as a credential id, is nobody's new passkey, nor a
/// bot's key, nor another officer's certificate.
///
/// Controls tried: without the look at credential ids the second of an id counts; without `officer_of_any_key` in `may_certify` or `key_is_free`
/// the passkey's key is free.
#[test]
fn a_key_and_a_credential_have_one_holder() {
    let (mut world, [one, two]) = (World::new(), [0; 2].map(|_| TestKey::p256()));
    let (bo, bot) = (OfficerId::new("bo").unwrap(), extensions::AgentId::new("bot").unwrap());
    world.token("good", 60);
    world.apply(added(&one, Some("good")));
    let key = Digest::of(one.public_key_spki());
    let alike = PasskeyAdded {
        credential: added(&one, None).credential,
        ..added(&two, Some("again"))
    };
    world.token("again", 2 * RECOVERY_SECONDS);
    world.a_day_later();
    world.apply(alike.clone());
    assert!(!world.holds(&two), "a credential id of two passkeys");
    let register = &world.register;
    let may_add = |who, key, credential| register.may_add_passkey(who, &key, credential);
    assert_eq!(may_add(&bo, key, b"other"), Err(PasskeyRefused::KeyKnown));
    let other = Digest::of(two.public_key_spki());
    assert_eq!(
        may_add(&bo, other, &alike.credential.0),
        Err(PasskeyRefused::CredentialKnown)
    );
    assert_eq!(may_add(&bo, other, b"other"), Ok(()));
    assert!(!register.may_certify(&key, &bo), "another officer's certificate");
    assert!(!register.may_certify(&key, &ada()), "nor that of the passkey's officer");
    assert!(register.may_certify(&other, &bo));
    let free = |key| crate::renewal::key_is_free(register, &key, &bot);
    assert_eq!(free(key), Err(crate::renewal::RenewalError::KeyOfOfficer));
    assert_eq!(free(other), Ok(()));
    world.apply(added(&two, Some("again")));
    assert!(world.holds(&two), "the token was not used up by what did not count");
}
