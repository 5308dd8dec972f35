//! Every event of this crate: its body is canonical JSON, and decoding gives it back.

use extensions::approval::{ApprovalRecord, Decision};
use extensions::{
    AgentId, Base64, Currency, Decimal, Digest, IncidentId, OfficerId, OwnerId, Record, Region, Serial, Timestamp,
    canonical,
};

use crate::actor::Actor;
use crate::exposure::{ExposureLimits, ExposureSet};
use crate::house::*;
use crate::incident::*;
use crate::jobs::*;
use crate::reason::RevocationReason;
use crate::regions::{Network, NetworkRegion, RegionTable};
use crate::standing::*;
use crate::warning::*;

/// The plain and the canonical serialisation of the body must be the same bytes.
/// Negative control: swap any two fields of an event struct.
fn canonical_body(event: &dyn Record) -> Vec<u8> {
    let mut body = Vec::new();
    event.write_body(&mut body);
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        String::from_utf8(canonical::to_vec(&value)).unwrap(),
        String::from_utf8(body.clone()).unwrap(),
        "{}: fields must be declared in alphabetical order",
        event.kind()
    );
    body
}

fn signatures() -> Vec<ApprovalRecord> {
    vec![ApprovalRecord {
        decision: Decision::Approve,
        document: Digest::of(b"document"),
        key: Digest::of(b"key"),
        nonce: Digest::of(b"nonce"),
        officer: OfficerId::new("ann").unwrap(),
        passkey: None,
        signature: Base64(b"signature".to_vec()),
    }]
}

fn standing_events() -> Vec<StandingEvent> {
    let agent = AgentId::new("mm-1").unwrap();
    let by = Actor::Officer(OfficerId::new("ann").unwrap());
    let incident = Some(IncidentId::new("i-1").unwrap());
    let at = Timestamp::from_seconds(1_700_000_000);
    let reason = RevocationReason::KeyCompromise;
    let serial = Serial::new([7; 18]).unwrap();
    vec![
        AgentFrozen { agent, by }.into(),
        AgentReduceOnly {
            agent,
            by: Actor::Mandate,
        }
        .into(),
        AgentResumed { agent, by }.into(),
        AgentRevoked {
            agent,
            by: Actor::Scorer,
            incident,
            reason,
            score: Some(1),
        }
        .into(),
        CertificateRevoked {
            agent,
            by,
            not_after: at,
            reason,
            serial,
        }
        .into(),
        CertificateFrozen {
            agent,
            by,
            not_after: at,
            serial,
        }
        .into(),
        CertificateReduceOnly {
            agent,
            by,
            not_after: at,
            serial,
        }
        .into(),
        CertificateResumed { agent, by, serial }.into(),
        AgentReinstated {
            agent,
            certificates_from: at,
            incident,
            signatures: signatures(),
        }
        .into(),
        WarningOpened {
            agent,
            by,
            deadline: at,
            default: WarningDefault::ReduceOnly,
            score: None,
        }
        .into(),
        WarningClosed {
            agent,
            by,
            why: WarningEnd::FalseAlarm,
        }
        .into(),
    ]
}

fn house_events() -> Vec<HouseEvent> {
    let by = Actor::Officer(OfficerId::new("ann").unwrap());
    let scope = HouseScope::Owner(OwnerId::new("desk-1").unwrap());
    let mut thresholds = Thresholds::default();
    for currency in ["USDT", "EUR"] {
        let currency = Currency::new(currency).unwrap();
        thresholds.two_officers_above.insert(currency, Decimal::from(10_000));
    }
    let networks = RegionTable::new(vec![NetworkRegion {
        network: Network::parse("10.0.0.0/8").unwrap(),
        region: Region::new("eu-west-1").unwrap(),
    }])
    .unwrap();
    vec![
        HouseFrozen {
            by,
            scope: HouseScope::All,
        }
        .into(),
        HouseReduceOnly { by, scope }.into(),
        HouseResumed { by, scope }.into(),
        HouseRevoked {
            by,
            reason: RevocationReason::AffiliationChanged,
            scope,
        }
        .into(),
        HouseReinstated {
            certificates_from: Timestamp::from_seconds(9),
            scope,
            signatures: signatures(),
        }
        .into(),
        ThresholdsSet {
            signatures: signatures(),
            thresholds,
        }
        .into(),
        RegionsSet {
            networks,
            signatures: signatures(),
        }
        .into(),
        ExposureSet {
            limits: ExposureLimits::try_from(std::collections::BTreeMap::from([(
                Currency::new("EUR").unwrap(),
                Decimal::from(9),
            )]))
            .unwrap(),
            scope,
            signatures: signatures(),
        }
        .into(),
    ]
}

#[test]
fn subscriptions_are_canonical_and_round_trip() {
    use crate::webhooks::{WebhookEvent, WebhookFormat, WebhookRemoved, WebhookSet, WebhookSettings};
    let set = WebhookSet {
        signatures: signatures(),
        subscription: "desk".to_owned(),
        webhook: WebhookSettings {
            format: WebhookFormat::Pagerduty,
            kinds: vec!["agent.*".to_owned()],
            secret: Digest::of(b"secret"),
            url: "https://desk.example.com/".to_owned(),
        },
    };
    let removed = WebhookRemoved {
        signatures: signatures(),
        subscription: "desk".to_owned(),
    };
    for event in [WebhookEvent::from(set), removed.into()] {
        let body = canonical_body(&event);
        assert_eq!(WebhookEvent::decode(event.kind(), &body).unwrap().unwrap(), event);
        assert_eq!(event.stream().to_string(), "house");
        assert!(!event.gating(), "no order is decided by it");
    }
}

#[test]
fn events_are_canonical_and_round_trip() {
    for event in standing_events() {
        let body = canonical_body(&event);
        assert_eq!(StandingEvent::decode(event.kind(), &body).unwrap().unwrap(), event);
        assert!(!event.gating());
        assert_eq!(event.stream().to_string(), "agent/mm-1");
    }
    for event in house_events() {
        let body = canonical_body(&event);
        assert_eq!(HouseEvent::decode(event.kind(), &body).unwrap().unwrap(), event);
        assert!(event.gating(), "{} must raise the epoch", event.kind());
        assert_eq!(event.stream().to_string(), "house");
    }
    assert!(StandingEvent::decode("order.decided", b"{}").is_none());
    assert!(StandingEvent::decode("agent.frozen", b"{}").unwrap().is_err());
    assert!(
        StandingEvent::decode("agent.frozen", br#"{"agent":"mm-1","by":"scorer","x":1}"#)
            .unwrap()
            .is_err()
    );
}

#[test]
fn reports_are_canonical_and_round_trip() {
    let agent = AgentId::new("mm-1").unwrap();
    let incident = IncidentId::new("i-1").unwrap();
    let officer = OfficerId::new("ann").unwrap();
    let finding = Finding::FalseAlarm;
    let events: [IncidentEvent; 3] = [
        IncidentOpened {
            agent,
            by: Actor::Scorer,
            cause: IncidentCause::Score,
            incident,
        }
        .into(),
        IncidentAcknowledged {
            agent,
            incident,
            officer,
        }
        .into(),
        IncidentReviewed {
            agent,
            finding,
            impact: Some(Digest::of(b"y")),
            incident,
            lessons: Some(Digest::of(b"z")),
            root_cause: Digest::of(b"x"),
            signatures: signatures(),
        }
        .into(),
    ];
    for event in events {
        let body = canonical_body(&event);
        assert_eq!(IncidentEvent::decode(event.kind(), &body).unwrap().unwrap(), event);
    }
    let [cancelled, kept] = ["o-1", "o-2"].map(|id| extensions::ClientOrderId::new(id).unwrap());
    let plan = crate::HaltPlan {
        cancel: vec![crate::halt::PlannedCancel {
            because: crate::halt::CancelCause::InDoubt,
            client_order_id: cancelled,
        }],
        keep: vec![kept],
    };
    let report = plan.report(|_| None);
    let reported = crate::HaltReported::new(agent, extensions::GatewayId::new("gw-1").unwrap(), 7, plan, report);
    let body = canonical_body(&reported);
    assert_eq!(
        extensions::canonical::from_slice::<crate::HaltReported>(&body).unwrap(),
        reported
    );
    assert_eq!(
        reported.in_words,
        "cancelled 0, kept 1 protective, could not cancel 1: no answer yet"
    );
    assert_eq!(reported.defect(8), None);
    assert!(reported.defect(7).is_some(), "no revocation stands behind its report");
    let silent = crate::HaltReported {
        report: crate::HaltReport::default(),
        ..reported.clone()
    };
    assert!(silent.defect(8).is_some(), "an order of the plan is not answered");
    let flattering = crate::HaltReported {
        in_words: "cancelled 1, kept 1 protective".to_owned(),
        ..reported
    };
    assert!(flattering.defect(8).is_some());
}

#[test]
fn job_reports_are_canonical_and_round_trip() {
    let at = Timestamp::from_seconds(1_700_000_000);
    let published = CrlPublished {
        digest: Digest::of(b""),
        entries: 3,
        issuer: Some(Digest::of(b"a CA")),
        list: Some(Base64(vec![0x30, 0])),
        next_update: at,
        number: 7,
        this_update: at,
    };
    let jobs: [JobEvent; 2] = [
        published.into(),
        JobRan {
            due: at,
            fault: Some("no signer".to_owned()),
            job: Job::Heartbeat,
        }
        .into(),
    ];
    for event in jobs {
        let body = canonical_body(&event);
        assert_eq!(JobEvent::decode(event.kind(), &body).unwrap().unwrap(), event);
    }
    let (message, subscription) = ("msg-1".to_owned(), "desk".to_owned());
    let deliveries: [DeliveryEvent; 4] = [
        DeliverySubscribed {
            from: 7,
            subscription: subscription.clone(),
        }
        .into(),
        DeliveryAttempted {
            attempt: 1,
            entry: Some(3),
            fault: None,
            message: message.clone(),
            status: Some(204),
            subscription: subscription.clone(),
            through: 4,
        }
        .into(),
        DeliveryAsked {
            officer: OfficerId::new("ada").unwrap(),
            replay: Some(3),
            subscription: subscription.clone(),
        }
        .into(),
        DeliveryDead {
            attempts: 9,
            entry: None,
            fault: "timeout".to_owned(),
            message,
            subscription,
        }
        .into(),
    ];
    for event in deliveries {
        let body = canonical_body(&event);
        assert_eq!(DeliveryEvent::decode(event.kind(), &body).unwrap().unwrap(), event);
        assert_eq!(event.stream().to_string(), "delivery/desk");
    }
}

#[test]
fn jobs_have_streams() {
    assert_eq!(Job::Crl.stream().to_string(), "job/crl");
    assert_eq!(Job::Heartbeat.stream().to_string(), "job/heartbeat");
}

/// The house: exact scopes, the narrower of owner and all, moves that refuse.
/// Control, tried: `mode_of` without the `max` lets an owner trade while all are frozen.
#[test]
fn house_states_fold() {
    let ann = Actor::Officer(OfficerId::new("ann").unwrap());
    let desk = OwnerId::new("desk-1").unwrap();
    let (all, owner) = (HouseScope::All, HouseScope::Owner(desk));
    let mut house = HouseState::default();
    assert!(house.apply(&HouseReduceOnly { by: ann, scope: owner }.into()));
    assert!(house.apply(&HouseFrozen { by: ann, scope: all }.into()));
    assert_eq!(house.mode_of(&desk), Mode::Frozen);
    assert!(
        !house.apply(
            &HouseResumed {
                by: Actor::Scorer,
                scope: all
            }
            .into()
        ),
        "only officers resume"
    );
    assert!(house.apply(&HouseResumed { by: ann, scope: all }.into()));
    assert_eq!(
        house.mode_of(&desk),
        Mode::ReduceOnly,
        "the owner's own state is still there"
    );
    let other = OwnerId::new("desk-2").unwrap();
    assert_eq!(house.mode_of(&other), Mode::Active);
    let reason = RevocationReason::AffiliationChanged;
    assert!(
        house.apply(
            &HouseRevoked {
                by: ann,
                reason,
                scope: owner
            }
            .into()
        )
    );
    assert!(
        !house.apply(&HouseResumed { by: ann, scope: owner }.into()),
        "resume is for freezes"
    );
    assert!(
        !house.apply(
            &HouseReinstated {
                certificates_from: Timestamp::from_seconds(9),
                scope: owner,
                signatures: signatures()
            }
            .into()
        ),
        "one officer"
    );
    assert_eq!(house.mode_of(&desk), Mode::Revoked);
    for event in house_events() {
        house.apply(&event);
    }
    assert_eq!(
        house.region_of("10.9.9.9".parse().unwrap()).unwrap().as_str(),
        "eu-west-1"
    );
    let euro = Currency::new("EUR").unwrap();
    let limits = house.exposures().of_owner(&desk).unwrap();
    assert_eq!(limits.of(&euro), Some(Decimal::from(9)));
    assert_eq!(house.thresholds().officers_for(&euro, Decimal::from(10_000)), 1);
    assert_eq!(house.thresholds().officers_for(&euro, Decimal::from(10_001)), 2);
    assert_eq!(
        house
            .thresholds()
            .officers_for(&Currency::new("GBP").unwrap(), Decimal::from(1)),
        2
    );
}

/// Control, tried: allowing a review without acknowledgement, or by one officer, turns it red.
#[test]
fn incidents_are_acknowledged_then_reviewed_by_two() {
    let agent = AgentId::new("mm-1").unwrap();
    let incident = IncidentId::new("i-1").unwrap();
    let opened = IncidentOpened {
        agent,
        by: Actor::Scorer,
        cause: IncidentCause::Score,
        incident,
    };
    let seen: IncidentEvent = IncidentAcknowledged {
        agent,
        incident,
        officer: OfficerId::new("ann").unwrap(),
    }
    .into();
    let review = |officers: &[&str]| -> IncidentEvent {
        let signature = |name: &&str| ApprovalRecord {
            officer: OfficerId::new(name).unwrap(),
            ..signatures().remove(0)
        };
        IncidentReviewed {
            agent,
            finding: Finding::Confirmed,
            impact: None,
            incident,
            lessons: None,
            root_cause: Digest::of(b"x"),
            signatures: officers.iter().map(signature).collect(),
        }
        .into()
    };
    let mut state = IncidentState::open(&opened);
    assert_eq!(
        state.step(&review(&["ann", "bob"])),
        Err(IncidentError::NotAcknowledged)
    );
    state.step(&seen).unwrap();
    assert_eq!(state.step(&seen), Err(IncidentError::AlreadyAcknowledged));
    assert_eq!(
        state.step(&review(&["ann", "ann"])),
        Err(IncidentError::TooFewOfficers(1))
    );
    state.step(&review(&["ann", "bob"])).unwrap();
    assert_eq!(state.finding(), Some(Finding::Confirmed));
    assert_eq!(
        state.step(&review(&["ann", "bob"])),
        Err(IncidentError::AlreadyReviewed)
    );
}
