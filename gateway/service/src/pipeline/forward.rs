//! Sends a recorded permit once, answers the bot, and records the outcome behind the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::Decimal;
use gateway_policy::{CloseCause, OrderFilled, OrderOutcome, OrderTerms, OutcomeState, Permit};
use ledger::Recorded;

use super::{
    endings::OrderStory,
    slot::{Report, Slot},
    submit::Held,
};
use crate::{
    gateway::{Gateway, Venues},
    metrics::Metrics,
    venue::{ExecutionFill, OrderLife, OrderReport, Outcome, VenueOrderId},
};

/// How the ids of outcomes begin: one outcome of a kind for each permit.
pub(super) const ACCEPTED: &str = "accepted";
pub(super) const CLOSED: &str = "closed";
pub(super) const IN_DOUBT: &str = "in-doubt";
pub(super) const REJECTED: &str = "rejected";
pub(super) const WITHHELD: &str = "withheld";

/// The id under which the outcome of a permit is recorded, and found again.
pub(super) fn outcome_id(tag: &str, number: u64) -> String {
    format!("{tag}-{number}")
}

/// Forwards `recorded` unless its gate or its deadline says no. Runs to its end whatever becomes of the bot.
pub async fn forward(
    gateway: &Gateway,
    venues: &Venues,
    slot: &Arc<Slot>,
    recorded: Recorded<Permit>,
    decided: Instant,
    told: impl FnOnce(OrderStory),
) {
    let number = recorded.number();
    let permit = recorded.record();
    let deadline = decided + Duration::from_millis(u64::from(permit.send_within_ms()));
    let order = permit.order().clone();
    let mut story = OrderStory::begin(number, permit.decided_at(), permit.decided());
    let outcome = match venues.get(&order.counterparty) {
        None => Outcome::Withheld(crate::venue::NotSent::NotListed),
        Some(venue) => {
            let gated = slot.clone();
            let gate = move || gated.gate_open() && Instant::now() < deadline;
            venue.forward(recorded, Arc::new(gate)).await
        }
    };
    let (state, fills) = concluded(gateway, outcome);
    go_on(&mut story, &state, &fills);
    told(story);
    let about = About {
        gateway,
        slot,
        order: &order,
        number,
    };
    about.happened(&fills, Some(state));
}

fn go_on(story: &mut OrderStory, state: &OutcomeState, fills: &[ExecutionFill]) {
    story.outcome(state);
    let executed = fills
        .iter()
        .try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.quantity));
    story.executed = executed.unwrap_or(story.executed).max(story.executed);
    story.fills = fills.to_vec();
}

/// Forwards two permits as one list of which the venue lets one at most execute, unless their gate or the earlier of their deadlines says no. Runs to its end
/// whatever becomes of the bot.
pub async fn forward_pair(gateway: &Gateway, venues: &Venues, slot: &Arc<Slot>, pair: [Held; 2]) -> [OrderStory; 2] {
    let deadline =
        |held: &Held| held.decided + Duration::from_millis(u64::from(held.recorded.record().send_within_ms()));
    let deadline = deadline(&pair[0]).min(deadline(&pair[1]));
    let stories = pair.each_ref().map(|held| {
        let permit = held.recorded.record();
        OrderStory::begin(held.recorded.number(), permit.decided_at(), permit.decided())
    });
    let counterparty = stories[0].order.counterparty;
    let [first, second] = pair.map(|held| held.recorded);
    let outcomes = match venues.get(&counterparty) {
        None => [(); 2].map(|()| Outcome::Withheld(crate::venue::NotSent::NotListed)),
        Some(venue) => {
            let gated = slot.clone();
            let gate = move || gated.gate_open() && Instant::now() < deadline;
            venue.forward_pair(first, second, Arc::new(gate)).await
        }
    };
    let mut ended = stories.into_iter().zip(outcomes).map(|(mut story, outcome)| {
        let (state, fills) = concluded(gateway, outcome);
        go_on(&mut story, &state, &fills);
        let about = About {
            gateway,
            slot,
            order: &story.order,
            number: story.number,
        };
        about.happened(&fills, Some(state));
        story
    });
    std::array::from_fn(|_| ended.next().expect("there are two"))
}

/// Records that a permit is never sent.
pub fn withhold(gateway: &Gateway, slot: &Arc<Slot>, held: Held, why: &str) {
    Metrics::count(&gateway.metrics.withheld);
    let about = About {
        gateway,
        slot,
        order: held.recorded.record().order(),
        number: held.recorded.number(),
    };
    about.happened(&[], Some(OutcomeState::Withheld { why: why.to_owned() }));
}

/// What a venue's answer means for the record: the state the order is in now, and its fills.
fn concluded(gateway: &Gateway, outcome: Outcome) -> (OutcomeState, Vec<ExecutionFill>) {
    match outcome {
        Outcome::Accepted(report) => (state_of(&report), report.fills),
        Outcome::Rejected(refused) => (OutcomeState::Rejected { why: refused.text }, Vec::new()),
        Outcome::Withheld(why) => {
            Metrics::count(&gateway.metrics.withheld);
            (OutcomeState::Withheld { why: why.to_string() }, Vec::new())
        }
        Outcome::Unknown(doubt) => {
            Metrics::count(&gateway.metrics.doubts);
            (OutcomeState::InDoubt { why: doubt.to_string() }, Vec::new())
        }
    }
}

/// The state that a venue's report of an order stands for.
#[must_use]
pub fn state_of(report: &OrderReport) -> OutcomeState {
    let venue_reference = report.venue_order_id.as_str().to_owned();
    let closed = |why| OutcomeState::Closed {
        executed: report.executed,
        venue_reference: Some(report.venue_order_id.as_str().to_owned()),
        why,
    };
    match report.life {
        OrderLife::Open => OutcomeState::Accepted { venue_reference },
        OrderLife::Filled => closed(CloseCause::Filled),
        OrderLife::Cancelled => closed(CloseCause::Cancelled),
        OrderLife::Expired => closed(CloseCause::Expired),
        OrderLife::Rejected => OutcomeState::Rejected {
            why: "the venue lists the order as rejected".to_owned(),
        },
    }
}

/// One permitted order, for what is reported about it.
pub struct About<'a> {
    /// The gateway.
    pub gateway: &'a Gateway,
    /// The agent.
    pub slot: &'a Arc<Slot>,
    /// The terms.
    pub order: &'a OrderTerms,
    /// The number of its permit.
    pub number: u64,
}

impl About<'_> {
    /// Reports fills, and then what the order has come to. The same fill or state twice is one entry.
    pub fn happened(&self, fills: &[ExecutionFill], state: Option<OutcomeState>) {
        self.slot.report(&self.gateway.writer, self.reports(fills, state));
    }

    /// The same for what was found by looking: what the answer to the order has told already is not told again.
    pub fn noticed(&self, fills: &[ExecutionFill], state: Option<OutcomeState>) {
        let reports = self.reports(fills, state).map(Report::noticed);
        self.slot.report(&self.gateway.writer, reports);
    }

    fn reports(&self, fills: &[ExecutionFill], state: Option<OutcomeState>) -> impl Iterator<Item = Report> {
        let fills = fills.iter().map(|fill| self.filled(fill));
        fills.chain(state.map(|state| self.outcome(state)))
    }

    fn outcome(&self, state: OutcomeState) -> Report {
        let reference = match &state {
            OutcomeState::Accepted { venue_reference } => Some(venue_reference),
            OutcomeState::Closed { venue_reference, .. } => venue_reference.as_ref(),
            _ => None,
        };
        if let Some(id) = reference.and_then(|reference| VenueOrderId::new(reference)) {
            self.gateway.explained.insert(self.order.counterparty, id);
        }
        let tag = match &state {
            OutcomeState::Accepted { .. } => ACCEPTED,
            OutcomeState::Closed { .. } => CLOSED,
            OutcomeState::InDoubt { .. } => IN_DOUBT,
            OutcomeState::Rejected { .. } => REJECTED,
            OutcomeState::Withheld { .. } => WITHHELD,
        };
        let outcome = OrderOutcome {
            agent: self.slot.agent,
            client_order_id: self.order.client_order_id,
            order: self.number,
            state,
        };
        Report::new(outcome, outcome_id(tag, self.number), self.gateway.clock.now())
    }

    fn filled(&self, fill: &ExecutionFill) -> Report {
        let now = self.gateway.clock.now();
        // Venues number their trades each for itself; the permit says which venue's this is.
        let id = format!("fill-{}-{}", self.number, fill.execution_id);
        let fill = OrderFilled {
            agent: self.slot.agent,
            client_order_id: self.order.client_order_id,
            currency: self.order.currency,
            executed_at: now,
            execution_id: fill.execution_id.as_str().to_owned(),
            instrument: self.order.instrument,
            order: self.number,
            price: fill.price,
            quantity: fill.quantity,
            side: self.order.side,
        };
        Report::new(fill, id, now)
    }

    /// Reports anything else about it.
    pub fn report(&self, report: Report) {
        self.slot.report(&self.gateway.writer, [report]);
    }
}
