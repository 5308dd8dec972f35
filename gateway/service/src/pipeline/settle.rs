//! What time alone owes the record: a warning nobody answered, messages nobody read, a bot that did not come back, and the digest of a stream that became quiet.
//!
//! Nothing waits for this: `decide` treats a passed deadline as the mandate's default by itself. It only writes down, once a
//! second, what already holds, so that webhooks and people hear of it when the bot stays silent.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{Timestamp, mandate::OnUnansweredWarning};
use gateway_policy::CancelSource;
use revocation_core::{
    Actor, IncidentOpened, RevocationReason, StandingEvent, WarningEnd,
    incident::{IncidentCause, Trigger, incident_of},
    standing::{AgentFrozen, AgentReduceOnly, AgentRevoked},
    warning::WarningClosed,
};
use tokio_util::sync::CancellationToken;

use super::{
    disconnect, halt,
    slot::{Report, Slot},
};
use crate::{
    api::orders::{report_malformed, report_unread},
    gateway::{Gateway, Venues},
};

/// How often.
const EVERY: Duration = Duration::from_millis(500);

/// Settles until `stop`.
pub async fn run(gateway: Arc<Gateway>, venues: Arc<Venues>, stop: CancellationToken) {
    loop {
        for slot in gateway.slots() {
            settle(&gateway, &venues, &slot);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// What a stop owes: the digest of each stream in which one is due and nothing is on its way. The next order would carry it, and none comes.
pub fn digests(gateway: &Gateway) {
    let (now, epoch) = (gateway.clock.now(), gateway.house.load().epoch);
    for slot in gateway.slots() {
        // Two looks, as in any quiet moment.
        (0..2).for_each(|_| slot.digest_tail(&gateway.writer, now, epoch));
    }
}

/// Writes down what is owed for one agent.
pub fn settle(gateway: &Arc<Gateway>, venues: &Arc<Venues>, slot: &Arc<Slot>) {
    let now = gateway.clock.now();
    let (unread, malformed, owed) = {
        let mut inner = slot.lock();
        // A stale slot is folded again first; on a ledger that cannot write that never comes, and the default holds without it.
        let known = !inner.is_stale() || gateway.ledger.closed().is_some() && !slot.has_unrecorded_halt();
        let owed = inner.state.standing().owes_default(now).filter(|_| known);
        let deadline = inner.state.standing().warning().map(|warning| warning.deadline);
        let (messages, at) = (&mut inner.messages, Instant::now());
        (messages.settle(at), messages.settle_malformed(at), owed.zip(deadline))
    };
    // On a ledger that has closed itself the reserve file holds it, and the next start appends it.
    if gateway.ledger.closed().is_none() {
        halt::report_owed(gateway, slot);
    }
    if unread > 0 {
        report_unread(gateway, slot, unread);
    }
    if malformed > 0 {
        report_malformed(gateway, slot, malformed);
    }
    disconnect::settle(gateway, venues, slot, now);
    slot.digest_tail(&gateway.writer, now, gateway.house.load().epoch);
    if let Some((default, deadline)) = owed {
        default_holds(gateway, venues, slot, default, deadline);
    }
}

/// A warning's deadline passed without an answer: writes down that the mandate's default holds, and carries it out.
fn default_holds(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    slot: &Arc<Slot>,
    default: OnUnansweredWarning,
    deadline: Timestamp,
) {
    let (agent, now) = (slot.agent, gateway.clock.now());
    let tag = format!("default-{}", deadline.micros());
    let report = |event: StandingEvent, part: &str| {
        let report = Report::new(event, format!("{tag}-{part}"), now);
        slot.report(&gateway.writer, [report.narrowing()]);
    };
    report(
        WarningClosed {
            agent,
            by: Actor::Mandate,
            why: WarningEnd::Defaulted,
        }
        .into(),
        "closed",
    );
    match default {
        OnUnansweredWarning::ReduceOnly => report(
            AgentReduceOnly {
                agent,
                by: Actor::Mandate,
            }
            .into(),
            "standing",
        ),
        OnUnansweredWarning::Freeze => {
            slot.close_gate();
            report(
                AgentFrozen {
                    agent,
                    by: Actor::Mandate,
                }
                .into(),
                "standing",
            );
        }
        OnUnansweredWarning::Revoke => {
            slot.close_gate();
            let on_halt = gateway.on_halt_of(slot);
            let plan = slot.lock().state.halt_plan(on_halt);
            let (by, incident) = (Actor::Mandate, incident_of(&agent, Trigger::Deadline(deadline)));
            let revoked = AgentRevoked {
                agent,
                by,
                incident: Some(incident),
                reason: RevocationReason::PrivilegeWithdrawn,
                score: None,
            };
            let opened = IncidentOpened {
                agent,
                by,
                cause: IncidentCause::UnansweredWarning,
                incident,
            };
            let revoked = Report::new(StandingEvent::Revoked(revoked), format!("{tag}-standing"), now);
            slot.report(&gateway.writer, [revoked.narrowing().beside(opened)]);
            halt::carry_out(gateway, venues, slot, plan, CancelSource::Halt);
        }
    }
}
