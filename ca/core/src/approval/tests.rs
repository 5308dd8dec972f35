//! Four eyes: each attack beside the honest case that differs in one thing.

use extensions::{AgentId, Base64, MandateId, OwnerId, Signer as _, StreamId};

use super::*;
use crate::{
    events::{
        AgentRegistered, ApplicationApproved, ApplicationRejected, ApplicationSigned, ApplicationSubmitted, Event,
        OfficerRegistered, OfficerRemoved,
    },
    profiles::Profile,
    register::Place,
    samples::{self, TestKey, document, now},
};

/// A house with four officers: `op` asks, `ada`, `ben` and `cy` may approve.
pub(crate) struct House {
    pub(crate) register: Register,
    keys: Vec<(OfficerId, TestKey)>,
    position: u64,
    mandate_number: u64,
}

fn officer(name: &str) -> OfficerId {
    OfficerId::new(name).unwrap()
}

fn one(_: &Currency, _: Decimal) -> usize {
    1
}

fn two(_: &Currency, _: Decimal) -> usize {
    2
}

impl House {
    pub(crate) fn new() -> Self {
        let mut house = Self {
            register: Register::default(),
            keys: Vec::new(),
            position: 0,
            mandate_number: 0,
        };
        let root_key = TestKey::p256();
        let root = Profile::HouseRoot {
            name: "House root".to_owned(),
        };
        let root = samples::make(&root, root_key.public_key_spki(), 7_000, None, &root_key).unwrap();
        let root = crate::issue::IssuingCa::read(&root, &samples::settings()).unwrap();
        for (place, name) in ["op", "ada", "ben", "cy"].into_iter().enumerate() {
            let algorithm = [
                extensions::KeyAlgorithm::EcdsaP256Sha256,
                extensions::KeyAlgorithm::Ed25519,
            ][place % 2];
            let key = TestKey::new(algorithm);
            let profile = Profile::Officer { officer: officer(name) };
            let certificate = samples::make(&profile, key.public_key_spki(), 90, Some(&root), &root_key).unwrap();
            house.apply(OfficerRegistered {
                serial: crate::certificate::serial_of(&certificate).unwrap(),
                certificate: Base64(certificate),
                key: Digest::of(key.public_key_spki()),
                officer: officer(name),
                roles: vec![Role::Approver, Role::Operator],
                token: Digest::default(),
            });
            house.keys.push((officer(name), key));
        }
        let document = document();
        house.apply(AgentRegistered {
            agent: document.agent,
            declared_code_digest: None,
            declared_model: document.declared_model.clone(),
            environment: document.environment,
            expires_at: now().plus_seconds(86_400 * 30),
            owner: document.owner,
            purpose: Digest::default(),
            registered_by: officer("op"),
            sealed: vec![],
        });
        house
    }

    /// Another certificate, with another key, and these roles.
    fn certified_anew(&mut self, name: &str, roles: Vec<Role>) {
        let (key, root_key) = (TestKey::p256(), TestKey::p256());
        let root = Profile::HouseRoot {
            name: "House root".to_owned(),
        };
        let root = samples::make(&root, root_key.public_key_spki(), 7_000, None, &root_key).unwrap();
        let root = crate::issue::IssuingCa::read(&root, &samples::settings()).unwrap();
        let profile = Profile::Officer { officer: officer(name) };
        let certificate = samples::make(&profile, key.public_key_spki(), 90, Some(&root), &root_key).unwrap();
        self.apply(OfficerRegistered {
            serial: crate::certificate::serial_of(&certificate).unwrap(),
            certificate: Base64(certificate),
            key: Digest::of(key.public_key_spki()),
            officer: officer(name),
            roles,
            token: Digest::default(),
        });
    }

    pub(crate) fn apply(&mut self, event: impl Into<Event>) {
        let event = event.into();
        let in_mandate = event.record().stream() == StreamId::mandate(&mandate());
        let place = Place {
            position: self.position,
            number: if in_mandate { self.mandate_number } else { 0 },
            at: now(),
        };
        self.mandate_number += u64::from(in_mandate);
        self.position += 1;
        self.register.apply(&event, place);
    }

    pub(crate) fn submit(&mut self, document: &MandateDocument, nonce: u8, revision: u32) {
        self.apply(ApplicationSubmitted {
            agent: AgentId::new("mm-1").unwrap(),
            applicant: officer("op"),
            document: document.clone(),
            document_digest: document.digest(),
            expires_at: now().plus_seconds(3600),
            mandate: mandate(),
            narrowed_by: None,
            nonce: Digest([nonce; 32]),
            owner: OwnerId::new("desk").unwrap(),
            revision,
            sealed: vec![],
        });
    }

    fn sign(&self, who: &str, document: &MandateDocument, nonce: u8) -> ApprovalRecord {
        let (id, key) = self.keys.iter().find(|(id, _)| id.as_str() == who).unwrap();
        let mut record = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document: document.digest(),
            key: Digest::of(key.public_key_spki()),
            nonce: Digest([nonce; 32]),
            officer: *id,
            passkey: None,
            signature: Base64(vec![]),
        };
        record.signature = Base64(key.sign(&record.message().0).unwrap());
        record
    }

    pub(crate) fn add(&mut self, approval: ApprovalRecord, revision: u32) {
        self.apply(ApplicationSigned {
            approval,
            mandate: mandate(),
            revision,
        });
    }

    pub(crate) fn approve_by(&mut self, who: &str, nonce: u8, revision: u32) {
        let document = self.register.mandate(&mandate()).unwrap().document().clone();
        let record = self.sign(who, &document, nonce);
        self.add(record, revision);
    }

    /// Records the approval as the console would, whatever is behind it: `verify_approval` must not believe it.
    pub(crate) fn claim_approved(&mut self, threshold: Threshold<'_>) {
        let current = self.register.mandate(&mandate()).unwrap();
        let judgement = judge(current, None, &self.register, threshold);
        let event = ApplicationApproved {
            agent: *current.agent(),
            approvers: judgement.approvers,
            document: current.digest(),
            mandate: mandate(),
            revision: current.revision(),
            rules: judgement.rules,
        };
        self.apply(event);
    }

    /// Records an officer's no.
    pub(crate) fn reject(&mut self, revision: u32) {
        let current = self.register.mandate(&mandate()).unwrap();
        let event = ApplicationRejected {
            agent: *current.agent(),
            document: current.digest(),
            mandate: mandate(),
            reason: Digest::default(),
            rejected_by: officer("ada"),
            revision,
            sealed: vec![],
        };
        self.apply(event);
    }

    pub(crate) fn verify(&self, threshold: Threshold<'_>) -> Result<Approved, ApprovalError> {
        verify_approval(self.register.mandate(&mandate()).unwrap(), &self.register, threshold)
    }
}

pub(crate) fn mandate() -> MandateId {
    MandateId::new("m-1").unwrap()
}

/// An approved mandate, for other tests.
pub(crate) fn approved() -> (House, Approved) {
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.approve_by("ada", 1, 1);
    house.claim_approved(&one);
    let approved = house.verify(&one).unwrap();
    (house, approved)
}

fn rule(result: Result<Approved, ApprovalError>) -> String {
    match result {
        Err(ApprovalError::Rule { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_other_officer_is_enough_below_the_threshold() {
    let (house, approved) = approved();
    assert_eq!(approved.approvers().len(), 1);
    assert_eq!(approved.digest(), document().digest());
    assert_eq!(
        approved.checks() as usize,
        NAMES.len() + 1 + 1,
        "each name, one approval, the number of officers"
    );
    let judged = judge(house.register.mandate(&mandate()).unwrap(), None, &house.register, &one);
    let mut names: Vec<_> = judged.rules.iter().map(|outcome| outcome.rule.clone()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), judged.rules.len(), "no rule twice");
}

/// Control: with two different officers the same mandate passes. Drop the rule `officers` to see the first half fail.
#[test]
fn above_the_threshold_one_officer_is_not_enough() {
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.approve_by("ada", 1, 1);
    house.claim_approved(&two);
    assert!(rule(house.verify(&two)).contains("1 of 2 officers"));
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.approve_by("ada", 1, 1);
    house.approve_by("ben", 1, 1);
    house.claim_approved(&two);
    assert_eq!(house.verify(&two).unwrap().approvers().len(), 2);
}

/// Control: [`one_other_officer_is_enough_below_the_threshold`], where only the officer differs.
#[test]
fn self_approval_is_refused() {
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.approve_by("op", 1, 1);
    house.claim_approved(&one);
    assert!(rule(house.verify(&one)).contains("cannot approve it"));
}

#[test]
fn one_officer_twice_is_one_officer() {
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.approve_by("ada", 1, 1);
    house.approve_by("ada", 1, 1);
    house.claim_approved(&two);
    assert!(rule(house.verify(&two)).contains("answered this application already"));
}

/// An old signature over the same document, from an earlier application: only the nonce tells them apart.
#[test]
fn a_replayed_nonce_is_refused() {
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.submit(&document(), 2, 2);
    let old = house.sign("ada", &document(), 1);
    house.add(old, 2);
    house.claim_approved(&one);
    assert!(rule(house.verify(&one)).contains("nonce"));
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.submit(&document(), 2, 2);
    house.approve_by("ada", 2, 2);
    house.claim_approved(&one);
    assert!(house.verify(&one).is_ok(), "control: the new nonce passes");
}

fn wider() -> MandateDocument {
    let text = serde_json::to_string(&document())
        .unwrap()
        .replace("EUR 50000\"", "EUR 90000\"");
    let wider: MandateDocument = serde_json::from_str(&text).unwrap();
    assert_ne!(wider.digest(), document().digest());
    wider
}

/// Approve one document, put another in its place: by a change (signatures void), by a signature over another digest, and by an entry
/// whose stated digest is the old one's.
#[test]
fn a_swapped_document_is_refused() {
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.approve_by("ada", 1, 1);
    house.claim_approved(&one);
    house.submit(&wider(), 2, 2);
    assert_eq!(
        house.verify(&one).unwrap().digest(),
        document().digest(),
        "what was approved stays in force, and only that"
    );
    house.claim_approved(&one);
    assert!(
        matches!(house.verify(&one), Err(ApprovalError::Rule { .. })),
        "what was signed for the old document counts nothing for the new one"
    );

    let mut house = House::new();
    house.submit(&wider(), 1, 1);
    let over_the_old = house.sign("ada", &document(), 1);
    house.add(over_the_old, 1);
    house.claim_approved(&one);
    assert!(rule(house.verify(&one)).contains("is over document"));

    let mut house = House::new();
    house.apply(ApplicationSubmitted {
        agent: AgentId::new("mm-1").unwrap(),
        applicant: officer("op"),
        document: wider(),
        document_digest: document().digest(),
        expires_at: now().plus_seconds(3600),
        mandate: mandate(),
        narrowed_by: None,
        nonce: Digest([1; 32]),
        owner: OwnerId::new("desk").unwrap(),
        revision: 1,
        sealed: vec![],
    });
    let record = house.sign("ada", &document(), 1);
    house.add(record, 1);
    house.claim_approved(&one);
    assert!(house.verify(&one).is_err());
}

#[test]
fn a_forged_or_borrowed_signature_is_refused() {
    for bend in [
        |record: &mut ApprovalRecord| record.signature.0[10] ^= 1,
        |record: &mut ApprovalRecord| record.officer = officer("ben"),
        |record: &mut ApprovalRecord| record.officer = officer("nobody"),
        |record: &mut ApprovalRecord| record.decision = ApprovalDecision::Reject,
    ] {
        let mut house = House::new();
        house.submit(&document(), 1, 1);
        let mut record = house.sign("ada", &document(), 1);
        bend(&mut record);
        house.add(record, 1);
        house.claim_approved(&one);
        assert!(house.verify(&one).is_err());
    }
}

#[test]
fn who_left_before_signing_does_not_count_who_left_after_does() {
    let mut house = House::new();
    house.submit(&document(), 1, 1);
    house.apply(OfficerRemoved {
        officer: officer("ada"),
        removed_by: officer("ben"),
    });
    house.approve_by("ada", 1, 1);
    house.claim_approved(&one);
    assert!(rule(house.verify(&one)).contains("not an officer in office"));
    let (mut house, _) = approved();
    house.apply(OfficerRemoved {
        officer: officer("ada"),
        removed_by: officer("ben"),
    });
    assert!(house.verify(&one).is_ok());
}

/// Controls tried: with `had` asking for the present roles, the first is refused; with no `retired_at` on a certificate's key, the second counts.
#[test]
fn a_signature_is_judged_by_the_role_and_the_key_of_its_place() {
    let (mut house, _) = approved();
    house.certified_anew("ada", vec![Role::Responder]);
    assert!(house.verify(&one).is_ok(), "she was an approver when she signed");
    house.submit(&document(), 2, 2);
    house.approve_by("ada", 2, 2);
    house.claim_approved(&one);
    assert!(house.verify(&one).is_err(), "and is none now");

    let mut house = House::new();
    house.certified_anew("ada", vec![Role::Approver]);
    house.submit(&document(), 1, 1);
    house.approve_by("ada", 1, 1);
    house.claim_approved(&one);
    assert!(house.verify(&one).is_err(), "the former key signs no more");
}

#[test]
fn names_must_be_the_registrations() {
    let text = serde_json::to_string(&document())
        .unwrap()
        .replace("\"declared_model\":\"m\"", "\"declared_model\":\"n\"");
    let other: MandateDocument = serde_json::from_str(&text).unwrap();
    let mut house = House::new();
    house.submit(&other, 1, 1);
    house.approve_by("ada", 1, 1);
    house.claim_approved(&one);
    assert!(rule(house.verify(&one)).contains("declared model differs"));
}

#[test]
fn thresholds_look_at_each_unit_and_the_largest_counts() {
    let limit = Decimal::parse("5000000").unwrap();
    let by_amount = |_: &Currency, amount: Decimal| if amount <= limit { 1 } else { 2 };
    assert_eq!(officers_needed(&document(), &by_amount), 1);
    let limit = Decimal::parse("4999999").unwrap();
    let by_amount = |_: &Currency, amount: Decimal| if amount <= limit { 1 } else { 2 };
    assert_eq!(officers_needed(&document(), &by_amount), 2);
}

/// 10,000 random workflows against an oracle that knows who really signed what: never approved without the signatures the rules ask for,
/// and always approved with them. Switch any guard of `check_signature` off to see the first half fail.
#[test]
fn random_workflows_are_approved_exactly_when_the_rules_say_so() {
    let house = House::new();
    let documents = [document(), wider()];
    let mut state = 7_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    // Each officer's signature over each document, nonce and decision, made once.
    let names = ["op", "ada", "ben", "cy"];
    let mut signed = Vec::new();
    for who in names {
        for document in &documents {
            for nonce in [1, 2] {
                let good = house.sign(who, document, nonce);
                let mut forged = good.clone();
                forged.signature.0[12] ^= 4;
                let mut no = good.clone();
                no.decision = ApprovalDecision::Reject;
                signed.push((who, document.digest(), nonce, [good, forged, no]));
            }
        }
    }
    let (mut approved, mut refused) = (0, 0);
    for _ in 0..10_000 {
        let mut house = House {
            register: house.register.clone(),
            keys: Vec::new(),
            position: house.position,
            mandate_number: 0,
        };
        let (current, nonce) = (draw(2), 1 + draw(2) as u8);
        if draw(2) == 0 {
            house.submit(&documents[draw(2)], 3 - nonce, 1);
        }
        house.submit(&documents[current], nonce, 9);
        let needed = 1 + draw(2);
        let (mut right, mut wrong) = (Vec::new(), false);
        for _ in 0..1 + draw(3) {
            // Mostly the honest choice, so that both outcomes are common.
            let who = names[1 + draw(3)];
            let who = if draw(8) == 0 { "op" } else { who };
            let over = if draw(6) == 0 { draw(2) } else { current };
            let under = if draw(6) == 0 { 1 + draw(2) as u8 } else { nonce };
            let kind = if draw(6) == 0 { draw(3) } else { 0 };
            let (_, digest, _, kinds) = signed
                .iter()
                .find(|(name, digest, number, _)| {
                    *name == who && *digest == documents[over].digest() && *number == under
                })
                .unwrap();
            let honest = kind == 0 && *digest == documents[current].digest() && under == nonce && who != "op";
            wrong |= !honest || right.contains(&who);
            right.push(who);
            house.add(kinds[kind].clone(), 9);
        }
        let threshold = |_: &Currency, _: Decimal| needed;
        house.claim_approved(&threshold);
        let expected = !wrong && right.len() >= needed;
        assert_eq!(house.verify(&threshold).is_ok(), expected, "{right:?} needed {needed}");
        *(if expected { &mut approved } else { &mut refused }) += 1;
    }
    assert!(
        approved > 1_000 && refused > 1_000,
        "{approved} approved, {refused} refused"
    );
}
