//! Tests of the module `events`: what it must do and what it must refuse.

use extensions::{
    Base64, ClientOrderId, Digest, OfficerId, Record,
    approval::{ApprovalRecord, Decision},
    canonical,
};

use super::*;
use crate::fixture::{World, agent, currency, decimal, instrument, terms, time};

fn id() -> ClientOrderId {
    ClientOrderId::new("a").expect("valid")
}

fn outcome(state: OutcomeState) -> AgentEvent {
    OrderOutcome {
        agent: agent(),
        client_order_id: id(),
        order: 3,
        state,
    }
    .into()
}

fn cancel(state: CancelState) -> AgentEvent {
    CancelOutcome {
        agent: agent(),
        client_order_id: id(),
        order: 3,
        state,
    }
    .into()
}

fn examples() -> Vec<AgentEvent> {
    let why = || "timeout".to_owned();
    let mut world = World::new();
    world.send(terms("first"));
    let permit = world.ask(terms("second")).decided().clone();
    world.region = None;
    let refusal = world.ask(terms("third")).decided().clone();
    let full = OrderDecided {
        counts_executions: true,
        counts_loss: true,
        list: Some(3),
        exposure: Some(Exposure {
            all: Some(GroupExposure {
                amount: Some(decimal("5.5")),
                instrument: Some(crate::fixture::instrument("BTC_EUR")),
                priced_at: Some(world.now),
            }),
            owner: Some(GroupExposure::default()),
        }),
        overridden: Some(Overridden {
            checks: refusal.checks.clone(),
            grant: 2,
        }),
        plan: Some(world.state.halt_plan(extensions::mandate::OnHalt::CancelAll)),
        reasoning: Some(Digest::of(b"r")),
        signed_by: Some(SignedBy::Sidecar),
        signed_request: Some(Digest::of(b"s")),
        state: Some(Digest::of(b"state")),
        ..refusal.clone()
    };
    let signature = ApprovalRecord {
        decision: Decision::Approve,
        document: Digest::default(),
        key: Digest::default(),
        nonce: Digest::default(),
        officer: OfficerId::new("ann").expect("valid"),
        passkey: None,
        signature: Base64(vec![1, 2, 3]),
    };
    vec![
        permit.into(),
        refusal.into(),
        full.into(),
        outcome(OutcomeState::Accepted {
            venue_reference: "v".to_owned(),
        }),
        outcome(OutcomeState::Closed {
            executed: decimal("0.5"),
            venue_reference: None,
            why: CloseCause::Expired,
        }),
        outcome(OutcomeState::InDoubt { why: why() }),
        outcome(OutcomeState::Rejected { why: why() }),
        outcome(OutcomeState::Withheld { why: why() }),
        OrderFilled {
            agent: agent(),
            client_order_id: id(),
            currency: currency("EUR"),
            executed_at: time("2026-11-20T12:00:00Z"),
            execution_id: "e".to_owned(),
            instrument: instrument("BTC_EUR"),
            order: 3,
            price: decimal("100"),
            quantity: decimal("1"),
            side: crate::Side::Buy,
        }
        .into(),
        CancelRequested {
            agent: agent(),
            by: CancelSource::Halt,
            client_order_id: id(),
            order: 3,
        }
        .into(),
        cancel(CancelState::Cancelled),
        cancel(CancelState::CouldNot { why: why() }),
        cancel(CancelState::NotOpen),
        OrdersUnread {
            agent: agent(),
            count: 7,
            second: time("2026-11-20T12:00:00Z"),
        }
        .into(),
        OrdersMalformed {
            agent: agent(),
            count: 3,
            second: time("2026-11-20T12:00:00Z"),
        }
        .into(),
        PositionAttested {
            agent: agent(),
            instrument: instrument("BTC_EUR"),
            quantity: decimal("-2"),
            signature: signature.clone(),
        }
        .into(),
        OverrideGranted {
            agent: agent(),
            checks: vec![crate::Code::MaxNotional],
            expires: time("2026-11-20T12:00:00Z"),
            order: 3,
            reason: Digest::default(),
            signatures: vec![signature],
            terms: Digest::default(),
        }
        .into(),
        StateDigest {
            agent: agent(),
            digest: Digest::default(),
            folded_to: 3,
        }
        .into(),
    ]
}

fn record(event: &AgentEvent) -> &dyn Record {
    match event {
        AgentEvent::Decided(event) => event,
        AgentEvent::Outcome(event) => event,
        AgentEvent::Filled(event) => event,
        AgentEvent::CancelRequested(event) => event,
        AgentEvent::CancelOutcome(event) => event,
        AgentEvent::Malformed(event) => event,
        AgentEvent::Unread(event) => event,
        AgentEvent::PositionAttested(event) => event,
        AgentEvent::OverrideGranted(event) => event,
        AgentEvent::StateDigest(event) => event,
        AgentEvent::Standing(event) => event,
        AgentEvent::BaselineApproved(event) => event,
        AgentEvent::Other => panic!("not a record"),
    }
}

/// Control: declaring two members of any event the other way round turns this red.
#[test]
fn bodies_are_canonical_and_read_back() {
    let mut kinds = Vec::new();
    for event in examples() {
        let record = record(&event);
        let mut body = Vec::new();
        record.write_body(&mut body);
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(canonical::to_vec(&value), body, "{}", record.kind());
        assert_eq!(AgentEvent::decode(record.kind(), &body).expect("canonical"), event);
        assert_eq!(record.stream().to_string(), "agent/mm-1");
        kinds.push(record.kind());
    }
    kinds.dedup();
    assert_eq!(kinds, AgentEvent::KINDS);
}

#[test]
fn unknown_members_and_other_spellings_are_refused() {
    let mut body = Vec::new();
    record(&examples()[3]).write_body(&mut body);
    let text = String::from_utf8(body).expect("text");
    for bad in [
        text.replace('{', "{ "),
        text.replacen('{', "{\"extra\":1,", 1),
        text.replace("\"a\"", "\"a b\""),
    ] {
        assert!(AgentEvent::decode("order.outcome", bad.as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(
        AgentEvent::decode("incident.opened", b"{}").expect("another's"),
        AgentEvent::Other
    );
}

#[test]
fn what_an_officer_signs_for_a_position_is_canonical() {
    let value =
        serde_json::json!({"agent": "mm-1", "instrument": "BTC_EUR", "purpose": "position attest", "quantity": "-2"});
    let document = PositionAttested::document(&agent(), &instrument("BTC_EUR"), decimal("-2"));
    assert_eq!(document, Digest::of(&canonical::to_vec(&value)));
}
