//! Carrying a halt out: the gate first, then sessions, then cancels until the venue has answered for each (orders.md §3).

use std::sync::Arc;

use extensions::{ClientOrderId, IncidentId, Timestamp};
use gateway_policy::{CancelSource, Halt, OpenOrder};
use revocation_core::{
    HaltPlan, IncidentOpened, StandingEvent,
    halt::{CancelEnd, PlannedCancel},
    standing::AgentRevoked,
};

use super::{
    cancel::cancel,
    halt_report,
    slot::{Report, Slot},
    submit::Lost,
};
use crate::{
    gateway::{Gateway, Venues},
    listener::sessions::Whose,
    session::Session,
};

/// Stops an agent: closes its gate and its sessions at once, then cancels what the plan names, on tasks of their own,
/// and reports how that ended.
pub fn carry_out(gateway: &Arc<Gateway>, venues: &Arc<Venues>, slot: &Arc<Slot>, plan: HaltPlan, by: CancelSource) {
    slot.close_gate();
    let closed = gateway.sessions.close(Whose::Agent(slot.agent));
    tracing::warn!(agent = %slot.agent, sessions = closed, cancels = plan.cancel.len(), keeps = plan.keep.len(), "halted");
    let (gateway, venues, slot) = (gateway.clone(), venues.clone(), slot.clone());
    let carrying_out = slot.carrying_out();
    tokio::spawn(async move {
        let ends = cancel_all(&gateway, &venues, &slot, &plan.cancel, by).await;
        halt_report::report(&gateway, &slot, plan, &ends).await;
        drop(carrying_out);
    });
}

/// How cancels ended, order by order.
pub type Ends = Vec<(ClientOrderId, CancelEnd)>;

/// Cancels what is planned, all at once; answers when the venue has answered, or has not, for each.
pub async fn cancel_all(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    slot: &Arc<Slot>,
    planned: &[PlannedCancel],
    by: CancelSource,
) -> Ends {
    let open: Vec<OpenOrder> = {
        let inner = slot.lock();
        planned
            .iter()
            .filter_map(|p| inner.state.open_order(&p.client_order_id).cloned())
            .collect()
    };
    let mut tasks = tokio::task::JoinSet::new();
    for open in open {
        let (gateway, venues, slot) = (gateway.clone(), venues.clone(), slot.clone());
        tasks.spawn(async move { cancel(&gateway, &venues, &slot, &open, by).await });
    }
    let mut ends: Vec<_> = Vec::with_capacity(planned.len());
    while let Some(ended) = tasks.join_next().await {
        let Ok(ended) = ended else { continue };
        ends.push((ended.client_order_id, halt_report::end_of(ended.state)));
    }
    // An order that is no longer open when its cancel's turn comes has ended by itself.
    for planned in planned {
        if !ends.iter().any(|(id, _)| *id == planned.client_order_id) {
            ends.push((planned.client_order_id, CancelEnd::Cancelled));
        }
    }
    ends
}

/// What a halt says besides the order that led to it: the revocation and its incident. Kept until the halt is recorded.
#[derive(Clone)]
pub struct Consequence {
    revoked: AgentRevoked,
    opened: IncidentOpened,
    plan: HaltPlan,
}

/// A halt that was carried out and has no record yet: reported until it has one.
pub struct Owed {
    revoked: AgentRevoked,
    opened: IncidentOpened,
    /// Makes its report idempotent, however often it is tried.
    id: String,
    at: Timestamp,
    /// Whether a report of it waits for the ledger's answer.
    pub(super) queued: bool,
}

impl Consequence {
    /// Of a halt as `decide` made it.
    #[must_use]
    pub fn of(halt: &Halt) -> Self {
        let revoked = halt.also().iter().find_map(|event| match event {
            StandingEvent::Revoked(revoked) => Some(revoked.clone()),
            _ => None,
        });
        let both = revoked.zip(halt.opens().cloned());
        let (revoked, opened) = both.expect("`decide` gives every halt its revocation and its incident");
        let plan = halt.plan().clone();
        Self { revoked, opened, plan }
    }

    /// What is cancelled and what is kept.
    #[must_use]
    pub fn plan(&self) -> &HaltPlan {
        &self.plan
    }

    /// The incident it opens.
    #[must_use]
    pub fn incident(&self) -> IncidentId {
        self.opened.incident
    }
}

/// What happens to a halt that did not become a record.
///
/// When another writer was first, the order is decided again; until then the gate stays closed, and opens only when nothing
/// else closed it meanwhile ([`Slot::reconsider_gate`]). When the ledger cannot write, the halt happens all the same
/// (ARCHITECTURE §1): it goes to the reserve file, once, and is appended, marked late, on recovery.
pub fn unrecorded(gateway: &Arc<Gateway>, venues: &Arc<Venues>, session: &Session, lost: &Lost, of: Consequence) {
    let slot = &session.slot;
    let owed = Owed {
        revoked: of.revoked,
        opened: of.opened,
        id: format!("halt-{}", gateway.ledger.stream_next(slot.stream())),
        at: gateway.clock.now(),
        queued: false,
    };
    if matches!(lost, Lost::Conflict(_)) || !slot.halt_unrecorded(owed) {
        return;
    }
    report_owed(gateway, slot);
    slot.lock().halted_under = session.mandate(gateway).map(|mandate| mandate.digest);
    let on_halt = gateway.on_halt_of(slot);
    let plan = slot.lock().state.halt_plan(on_halt);
    carry_out(gateway, venues, slot, plan, CancelSource::Halt);
}

/// Reports a halt that has no record yet, unless a report of it is on its way. A queue without room has kept it in the reserve file; this brings
/// it into the log while the process lives.
pub fn report_owed(gateway: &Gateway, slot: &Arc<Slot>) {
    let report = slot.owed().as_ref().filter(|owed| !owed.queued).map(|owed| {
        let revoked = StandingEvent::Revoked(owed.revoked.clone());
        let report = Report::new(revoked, owed.id.clone(), owed.at);
        report.narrowing().beside(owed.opened.clone()).owed()
    });
    if let Some(report) = report {
        slot.report(&gateway.writer, [report]);
    }
}
