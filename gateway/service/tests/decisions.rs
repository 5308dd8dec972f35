//! What officers did not sign moves nothing at a gateway, whoever wrote it into the log (ARCHITECTURE §5, guarantees 2, 4 and 5).

mod world;

use extensions::{ApprovalRecord, Base64, Clock as _, Digest, Record, StreamId};
use gateway_policy::{Code, Order, OrderTerms, OverrideGranted, events::PositionAttested};
use gateway_service::pipeline::submit::Submitted;
use revocation_core::{
    Actor, HouseMode, HouseScope, RevocationReason, Standing,
    house::{HouseReinstated, HouseRevoked},
    standing::{AgentReinstated, AgentRevoked, CertificateRevoked, ProbationStarted},
};
use serde_json::json;
use world::{World, agent, document_with, order};

fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
}

fn revoked() -> AgentRevoked {
    AgentRevoked {
        agent: agent("mm-1"),
        by: Actor::Officer("ada".parse().expect("id")),
        incident: None,
        reason: RevocationReason::PrivilegeWithdrawn,
        score: None,
    }
}

fn reinstated(signatures: Vec<ApprovalRecord>) -> AgentReinstated {
    AgentReinstated {
        agent: agent("mm-1"),
        certificates_from: world::noon(),
        incident: None,
        signatures,
    }
}

/// A record in another stream than its own.
#[derive(Debug)]
struct Elsewhere<R>(StreamId, R);

impl<R: Record> Record for Elsewhere<R> {
    fn stream(&self) -> StreamId {
        self.0.clone()
    }
    fn kind(&self) -> &'static str {
        self.1.kind()
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        self.1.write_body(out);
    }
}

/// What officers signed for one agent, written into another's stream; certificates from before the signatures; a position that nobody signed: none
/// moves anything. Then the control: the same where it belongs, as it was signed.
///
/// Controls tried: without `in_its_stream` the first reinstates, without `dated` the second, with `position.attested` no held kind the third is a position.
#[test]
fn signatures_count_for_their_agent_from_their_time() {
    rt().block_on(async {
        let world = World::new(1).await;
        world.agent("mm-1").await;
        world.agent("mm-2").await;
        let number = world.record(revoked()).await;
        let ask = |name: &str| json!({"agent": name, "purpose": "reinstate", "revoked_at": number});
        let (signatures, _) = world.decided("agent.reinstated", &ask("mm-2"), &["ada", "op"]).await;
        let other = AgentReinstated {
            agent: agent("mm-2"),
            ..reinstated(signatures)
        };
        world.record(Elsewhere(StreamId::agent(&agent("mm-1")), other)).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "another's");
        let (signatures, _) = world.decided("agent.reinstated", &ask("mm-1"), &["ada", "op"]).await;
        let early = AgentReinstated {
            certificates_from: world::noon().plus_seconds(-86_400),
            ..reinstated(signatures.clone())
        };
        world.record(early).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "backdated");
        world.record(reinstated(signatures)).await;
        assert_eq!(standing(&world).await, Standing::Active);
        let forged = PositionAttested {
            agent: agent("mm-1"),
            instrument: "BTC_EUR".parse().expect("instrument"),
            quantity: 1_000_000.into(),
            signature: forged(world.decided("none", &json!({}), &["ada"]).await.0).remove(0),
        };
        world.record(forged).await;
        standing(&world).await;
        let slot = world.instances[0].gateway.slot(&agent("mm-1"));
        assert!(slot.lock().state.positions().is_empty(), "nobody signed it");
    });
}

/// An override that one officer signed, or whose terms are others than those signed, lets nothing pass; then the control: the one that two signed
/// does, once, and the same entry written again does not.
///
/// Control tried: `order.override_granted` no held kind, and the first order passes.
#[test]
fn only_signed_overrides_are_obeyed() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let large = |id: &str| order(id).replace(r#""quantity":"1""#, r#""quantity":"600""#);
        let terms = Order::from_json(large("a").as_bytes())
            .expect("order")
            .order
            .into_terms();
        let ends = world.clock.now().plus_seconds(600);
        let document = |terms: &OrderTerms| {
            json!({
                "agent": "mm-1", "checks": ["MAX_NOTIONAL"], "expires": ends, "order": 0,
                "purpose": "order.override_granted", "reason": Digest::default(), "terms": terms.terms_digest(),
            })
        };
        let granted = |signatures| OverrideGranted {
            agent: agent("mm-1"),
            checks: vec![Code::MaxNotional],
            expires: ends,
            order: 0,
            reason: Digest::default(),
            signatures,
            terms: terms.terms_digest(),
        };
        let sent = async |id: &str| {
            standing(&world).await;
            world.submit(0, &session, &large(id)).await
        };
        let refused = |submitted: &Submitted| matches!(submitted, Submitted::Refused(..));
        let kind = OverrideGranted::KIND;
        let (one, _) = world.decided(kind, &document(&terms), &["ada"]).await;
        world.record(granted(one)).await;
        assert!(refused(&sent("one").await), "one officer");
        let mut other = terms.clone();
        other.quantity = 599.into();
        let (both, _) = world.decided(kind, &document(&other), &["ada", "op"]).await;
        world.record(granted(both)).await;
        assert!(refused(&sent("other").await), "another order");
        let (both, _) = world.decided(kind, &document(&terms), &["ada", "op"]).await;
        world.record(granted(both.clone())).await;
        let passed = sent("both").await;
        assert!(matches!(passed, Submitted::Forwarded(..)), "{passed:?}");
        world.record(granted(both)).await;
        assert!(refused(&sent("again").await), "once");
    });
}

/// Two names under a signature nobody made.
fn forged(mut signatures: Vec<ApprovalRecord>) -> Vec<ApprovalRecord> {
    for record in &mut signatures {
        record.signature = Base64(vec![7; 64]);
    }
    signatures
}

async fn standing(world: &World) -> Standing {
    world.followed(0).await;
    let slot = world.instances[0].gateway.slot(&agent("mm-1"));
    // The report of a halt's cancels may have lost its number to an entry of ours: then the slot is folded again by its follower.
    loop {
        {
            let inner = slot.lock();
            if !inner.is_stale() {
                return inner.state.standing_at(world.clock.now());
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Signatures nobody made, of one officer alone, of another proposal, of the same one a second time, after a further revocation: none of them
/// reinstates, neither while the log is followed nor when it is folded again. Then the control: two that answer the latest revocation do.
///
/// Control tried: `Decisions::holds` always true, the forged one reinstates.
#[test]
fn only_signed_reinstatements_are_obeyed() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        world.agent("mm-1").await;
        let ask = |number: u64| json!({"agent": "mm-1", "purpose": "reinstate", "revoked_at": number});
        let both = ["ada", "op"];
        let first = world.record(revoked()).await;
        let (one, _) = world.decided("agent.reinstated", &ask(first), &["ada"]).await;
        let mut twice = one.clone();
        twice.extend(forged(one.clone()));
        twice[1].officer = "op".parse().expect("id");
        let (other, _) = world.decided("house.thresholds_set", &json!({}), &both).await;
        for signatures in [Vec::new(), one, twice, forged(other.clone()), other] {
            world.record(reinstated(signatures)).await;
            assert_eq!(standing(&world).await, Standing::Revoked);
        }
        let (good, _) = world.decided("agent.reinstated", &ask(first), &both).await;
        let second = world.record(revoked()).await;
        world.record(reinstated(good.clone())).await;
        assert_eq!(
            standing(&world).await,
            Standing::Revoked,
            "it answers another revocation"
        );
        world.reopen(1, None).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "folded anew");
        let (good, _) = world.decided("agent.reinstated", &ask(second), &both).await;
        let mut moved = reinstated(good.clone());
        moved.incident = Some("i-1".parse().expect("id"));
        world.record(moved).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "it says what nobody signed");
        world.record(reinstated(good.clone())).await;
        assert_eq!(standing(&world).await, Standing::Active);
        world.record(revoked()).await;
        world.record(reinstated(good)).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "a signature decides once");
    });
}

/// After a behavioural halt the signed reinstatement alone is not obeyed, nor with the review; only once a baseline was approved behind the
/// halt.
///
/// Control tried: `explained` always `Ok`, the first one reinstates.
#[test]
fn a_behavioural_halt_ends_by_review_and_baseline() {
    rt().block_on(async {
        let world = World::new(1).await;
        world.scored("mm-1", ["cancel_all", "freeze", "enforce"]).await;
        let incident: extensions::IncidentId = "i-1".parse().expect("id");
        let number = world
            .record(AgentRevoked {
                by: Actor::Scorer,
                incident: Some(incident),
                score: Some(900_000),
                ..revoked()
            })
            .await;
        let both = ["ada", "op"];
        let document = json!({"agent": "mm-1", "purpose": "reinstate", "revoked_at": number});
        let (signatures, _) = world.decided("agent.reinstated", &document, &both).await;
        world.record(reinstated(signatures.clone())).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "not reviewed");
        let root_cause = extensions::Digest::of(b"a loop");
        let document = json!({
            "agent": "mm-1", "finding": "confirmed", "incident": incident, "purpose": "review", "root_cause": root_cause,
        });
        let (review, _) = world.decided("incident.reviewed", &document, &both).await;
        let reviewed = revocation_core::incident::IncidentReviewed {
            agent: agent("mm-1"),
            finding: revocation_core::incident::Finding::Confirmed,
            impact: None,
            incident,
            lessons: None,
            root_cause,
            signatures: review,
        };
        world.record(reviewed).await;
        world.record(reinstated(signatures.clone())).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "held to the same baseline");
        let proposed = world::proposed("mm-1");
        world.record(anomaly::BaselineProposed::of(&proposed)).await;
        let document = serde_json::to_value(proposed.content()).expect("document");
        let (_, approvals) = world.decided("baseline.approved", &document, &both).await;
        world
            .record(anomaly::BaselineApproved {
                agent: agent("mm-1"),
                approvals,
                baseline: proposed.digest(),
                version: proposed.content().version,
            })
            .await;
        world.record(reinstated(signatures)).await;
        assert_eq!(standing(&world).await, Standing::Active);
    });
}

fn probation(document: &serde_json::Value, signatures: Vec<ApprovalRecord>) -> ProbationStarted {
    ProbationStarted {
        agent: agent("mm-1"),
        certificates_from: world::noon(),
        document: serde_json::from_value(document["document"].clone()).expect("digest"),
        hours: 2,
        incident: "i-1".parse().expect("id"),
        mandate: "m-small".parse().expect("id"),
        signatures,
    }
}

/// A probation begins only after a behavioural halt, by one officer on call and another who approves, over exactly what it says, and once. It
/// ends by itself.
///
/// Controls tried: `may_begin_probation` always `Ok`, the agent that an officer revoked and the one with a lost key are opened, and there is a
/// second probation; `is_approved` by number alone, two who are not on call open it.
#[test]
fn a_probation_takes_somebody_on_call_and_a_halt_for_behaviour() {
    rt().block_on(async {
        let world = World::new(1).await;
        world.agent("mm-1").await;
        let both = ["ada", "op"];
        let halted = AgentRevoked {
            by: Actor::Scorer,
            incident: Some("i-1".parse().expect("id")),
            score: Some(900_000),
            ..revoked()
        };
        let ask = |number: u64| {
            json!({
                "agent": "mm-1", "document": extensions::Digest::of(b"small"), "hours": 2, "incident": "i-1",
                "mandate": "m-small", "purpose": "probation", "revoked_at": number,
            })
        };
        let begin = async |document: &serde_json::Value, officers: &[&str]| {
            let (signatures, _) = world.decided("agent.probation_started", document, officers).await;
            let event = probation(document, signatures);
            world.record(event.clone()).await;
            (standing(&world).await, event)
        };
        // By an officer, not for its behaviour.
        let number = world.record(revoked()).await;
        assert_eq!(begin(&ask(number), &both).await.0, Standing::Revoked);
        let number = world.record(halted.clone()).await;
        world.record(probation(&ask(number), Vec::new())).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "unsigned");
        for alone in [["ada"], ["op"]] {
            assert_eq!(begin(&ask(number), &alone).await.0, Standing::Revoked, "one of them");
        }
        assert_eq!(
            begin(&ask(number - 1), &both).await.0,
            Standing::Revoked,
            "another halt"
        );
        let (other, _) = world.decided("house.thresholds_set", &json!({}), &both).await;
        world.record(probation(&ask(number), other)).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "another question");

        let (now, begun) = begin(&ask(number), &both).await;
        assert_eq!(now, Standing::Active);
        world.clock.plus_seconds(2 * 3_600);
        assert_eq!(
            standing(&world).await,
            Standing::Revoked,
            "it is over, and nobody wrote so"
        );
        world.record(begun).await;
        assert_eq!(standing(&world).await, Standing::Revoked, "a signature decides once");
        assert_eq!(
            begin(&ask(number), &both).await.0,
            Standing::Revoked,
            "there is one probation"
        );
        let number = world.record(halted).await;
        assert_eq!(
            begin(&ask(number), &both).await.0,
            Standing::Revoked,
            "also after the next halt"
        );
    });
}

/// Never after a key was compromised: of the agent, or of one certificate of its.
#[test]
fn no_probation_after_a_compromise() {
    rt().block_on(async {
        for certificate in [false, true] {
            let world = World::new(1).await;
            world.agent("mm-1").await;
            if certificate {
                let lost = CertificateRevoked {
                    agent: agent("mm-1"),
                    by: Actor::House,
                    not_after: world::noon(),
                    reason: RevocationReason::KeyCompromise,
                    serial: extensions::Serial::new([1; 18]).expect("serial"),
                };
                world.record(lost).await;
            } else {
                let lost = AgentRevoked {
                    reason: RevocationReason::KeyCompromise,
                    ..revoked()
                };
                world.record(lost).await;
            }
            let number = world
                .record(AgentRevoked {
                    by: Actor::Scorer,
                    incident: Some("i-1".parse().expect("id")),
                    ..revoked()
                })
                .await;
            let document = json!({
                "agent": "mm-1", "document": extensions::Digest::of(b"small"), "hours": 2, "incident": "i-1",
                "mandate": "m-small", "purpose": "probation", "revoked_at": number,
            });
            let (signatures, _) = world
                .decided("agent.probation_started", &document, &["ada", "op"])
                .await;
            world.record(probation(&document, signatures)).await;
            assert_eq!(standing(&world).await, Standing::Revoked);
        }
    });
}

/// A slot that lost its place and reads its stream again asks about entries the follower has not come to yet.
///
/// Control tried: `resync` without `reach`, the signed reinstatement is not obeyed either.
#[test]
fn a_slot_that_is_folded_again_asks_too() {
    rt().block_on(async {
        let world = World::new(1).await;
        world.agent("mm-1").await;
        world.followed(0).await;
        let gateway = world.instances[0].gateway.clone();
        world.instances[0].stop.cancel();
        let slot = gateway.slot(&agent("mm-1"));
        let again = async || {
            slot.answered(true);
            slot.resync(&gateway.ledger, &gateway.writer).await.expect("folded");
            slot.lock().state.standing_at(world.clock.now())
        };
        let number = world.record(revoked()).await;
        world.record(reinstated(Vec::new())).await;
        assert_eq!(again().await, Standing::Revoked);
        let document = json!({"agent": "mm-1", "purpose": "reinstate", "revoked_at": number});
        let (signatures, _) = world.decided("agent.reinstated", &document, &["ada", "op"]).await;
        world.record(reinstated(signatures)).await;
        assert_eq!(again().await, Standing::Active);
    });
}

/// Region table and reinstatement of the house: unsigned they change nothing but the epoch; signed they do.
#[test]
fn the_house_is_changed_by_two_alone() {
    rt().block_on(async {
        let world = World::new(1).await;
        let region = |address: &str| {
            let house = world.instances[0].gateway.house.load();
            house.state.region_of(address.parse().expect("address")).is_some()
        };
        world.record(world.regions("10.0.0.0/8", Vec::new())).await;
        world.followed(0).await;
        assert!(!region("10.0.0.1") && region("127.0.0.1"));
        let wanted = world.regions("10.0.0.0/8", Vec::new());
        let document = json!({"networks": wanted.networks, "purpose": "regions"});
        let (signatures, _) = world.decided("house.regions_set", &document, &["ada", "op"]).await;
        let other = world.regions("0.0.0.0/0", signatures.clone());
        world.record(other).await;
        world.followed(0).await;
        assert!(!region("192.0.2.1"), "another table than the signed one");
        world.record(world.regions("10.0.0.0/8", signatures)).await;
        world.followed(0).await;
        assert!(region("10.0.0.1") && !region("127.0.0.1"));

        let scope = HouseScope::All;
        let number = world
            .record(HouseRevoked {
                by: Actor::Officer("ada".parse().expect("id")),
                reason: RevocationReason::PrivilegeWithdrawn,
                scope,
            })
            .await;
        let document = json!({"purpose": "reinstate", "revoked_at": number, "scope": scope});
        let (signatures, _) = world.decided("house.reinstated", &document, &["ada", "op"]).await;
        for (signatures, mode) in [
            (forged(signatures.clone()), HouseMode::Revoked),
            (signatures, HouseMode::Active),
        ] {
            let event = HouseReinstated {
                certificates_from: world.clock.now(),
                scope,
                signatures,
            };
            world.record(event).await;
            world.followed(0).await;
            assert_eq!(world.instances[0].gateway.house.load().state.mode_of_all(), mode);
        }
    });
}

/// A connection under a certificate that was revoked with its owner, or with all, does not stay: neither while that holds, nor under the same
/// certificate after the reinstatement, though the gate is open again.
///
/// Controls tried: without the look at the mode, the first stays; without `certificates_from`, the last does.
#[test]
fn who_was_revoked_with_the_house_stays_out() {
    rt().block_on(async {
        for all in [false, true] {
            let world = World::new(1).await;
            let leaf = world.agent("mm-1").await;
            let session = world.session(0, &leaf).await;
            let gateway = &world.instances[0].gateway;
            let owner = session.owner(gateway).expect("an owner");
            let scope = if all { HouseScope::All } else { HouseScope::Owner(owner) };
            let may_stay = || session.may_stay(gateway, world.clock.now());
            assert!(may_stay());
            let begins = session.certificate.leaf().not_before();
            for (from, stays) in [(begins, true), (begins.plus_seconds(1), false)] {
                let number = world
                    .record(HouseRevoked {
                        by: Actor::Officer("ada".parse().expect("id")),
                        reason: RevocationReason::PrivilegeWithdrawn,
                        scope,
                    })
                    .await;
                world.followed(0).await;
                assert!(!may_stay(), "{scope} is revoked");
                let document = json!({"purpose": "reinstate", "revoked_at": number, "scope": scope});
                // Signed before the certificate began, so that it may count again.
                world.clock.plus_seconds(-86_400);
                let (signatures, _) = world.decided("house.reinstated", &document, &["ada", "op"]).await;
                world.clock.plus_seconds(86_400);
                world
                    .record(HouseReinstated {
                        certificates_from: from,
                        scope,
                        signatures,
                    })
                    .await;
                world.followed(0).await;
                assert_eq!(gateway.house.load().state.mode_of(&owner), HouseMode::Active);
                assert_eq!(may_stay(), stays, "{scope}, certificates from {from}");
            }
        }
    });
}

/// An officer whom no token invited, or whose certificate no CA of this house signed, is none: the signature counts for nothing.
///
/// Control tried: `Register::certified` that answers `Ok`, and eve is the second officer.
#[test]
fn nobody_becomes_an_officer_by_an_entry() {
    rt().block_on(async {
        let world = World::new(1).await;
        world.agent("mm-1").await;
        let number = world.record(revoked()).await;
        let document = json!({"agent": "mm-1", "purpose": "reinstate", "revoked_at": number});
        let eve = world.impostor("eve").await;
        let asked = world.ask("agent.reinstated", &document).await;
        let mut signatures = Vec::new();
        for (name, key) in [("ada", world.approver()), ("eve", &eve)] {
            signatures.push(world.answer(&asked, name, key).await.0);
        }
        world.record(reinstated(signatures)).await;
        assert_eq!(standing(&world).await, Standing::Revoked);
    });
}

/// A baseline comes into force by an officer's signature over it; one that nobody signed leaves the one in force, or none.
///
/// Control tried: `Decisions::holds` always true, the baseline is in force.
#[test]
fn a_baseline_nobody_signed_is_not_in_force() {
    rt().block_on(async {
        let world = World::new(1).await;
        world
            .agent_of(document_with("mm-1", ["cancel_all", "freeze", "enforce"]))
            .await;
        let in_force = async || {
            world.followed(0).await;
            let slot = world.instances[0].gateway.slot(&agent("mm-1"));
            slot.lock().baseline.clone()
        };
        let proposed = world::proposed("mm-1");
        let approved = anomaly::BaselineApproved {
            agent: agent("mm-1"),
            approvals: vec!["officer/ada/9".to_owned()],
            baseline: proposed.digest(),
            version: proposed.content().version,
        };
        world.record(anomaly::BaselineProposed::of(&proposed)).await;
        world.record(approved.clone()).await;
        assert!(in_force().await.is_none());
        let document = serde_json::to_value(proposed.content()).expect("document");
        let (_, own) = world.decided("baseline.approved", &document, &["op"]).await;
        let by_proposer = anomaly::BaselineApproved {
            approvals: own,
            ..approved.clone()
        };
        world.record(by_proposer).await;
        assert!(in_force().await.is_none(), "the proposer alone");
        let (_, approvals) = world.decided("baseline.approved", &document, &["ada"]).await;
        world.record(anomaly::BaselineApproved { approvals, ..approved }).await;
        assert!(in_force().await.is_some());
    });
}
