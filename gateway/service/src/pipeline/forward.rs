//! Sends a recorded permit once, answers the bot, and records the outcome behind the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_policy::{AgentEvent, CloseCause, OrderFilled, OrderOutcome, OrderTerms, OutcomeState, Permit};
use ledger::Recorded;
use tokio::sync::oneshot;

use super::{
    endings::OrderStory,
    slot::{Report, Slot},
};
use crate::{
    gateway::{Gateway, Venues},
    metrics::Metrics,
    venue::{ExecutionFill, OrderLife, OrderReport, Outcome},
};

/// Forwards `recorded` unless its gate or its deadline says no. Runs to its end whatever becomes of the bot.
pub async fn forward(
    gateway: Arc<Gateway>,
    venues: Arc<Venues>,
    slot: Arc<Slot>,
    recorded: Recorded<Permit>,
    decided: Instant,
    told: oneshot::Sender<OrderStory>,
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
    let (states, fills) = states_of(&gateway, outcome);
    states.iter().for_each(|state| story.outcome(state));
    let _ = told.send(story);
    let about = About {
        gateway: &gateway,
        slot: &slot,
        order: &order,
        number,
    };
    fills.iter().for_each(|fill| about.filled(fill));
    states.into_iter().for_each(|state| about.outcome(state));
}

/// What a venue's answer means for the record: the states the order passes through, and its fills.
fn states_of(gateway: &Gateway, outcome: Outcome) -> (Vec<OutcomeState>, Vec<ExecutionFill>) {
    match outcome {
        Outcome::Accepted(report) => {
            let states = states_of_report(&report);
            (states, report.fills)
        }
        Outcome::Rejected(refused) => (vec![OutcomeState::Rejected { why: refused.text }], Vec::new()),
        Outcome::Withheld(why) => {
            Metrics::count(&gateway.metrics.withheld);
            (vec![OutcomeState::Withheld { why: why.to_string() }], Vec::new())
        }
        Outcome::Unknown(doubt) => {
            Metrics::count(&gateway.metrics.doubts);
            (vec![OutcomeState::InDoubt { why: doubt.to_string() }], Vec::new())
        }
    }
}

/// The states that a venue's report of an order stands for.
#[must_use]
pub fn states_of_report(report: &OrderReport) -> Vec<OutcomeState> {
    let accepted = OutcomeState::Accepted {
        venue_reference: report.venue_order_id.as_str().to_owned(),
    };
    let closed = |why| OutcomeState::Closed {
        executed: report.executed,
        why,
    };
    match report.life {
        OrderLife::Open => vec![accepted],
        OrderLife::Filled => vec![accepted, closed(CloseCause::Filled)],
        OrderLife::Cancelled => vec![accepted, closed(CloseCause::Cancelled)],
        OrderLife::Expired => vec![accepted, closed(CloseCause::Expired)],
        OrderLife::Rejected => vec![OutcomeState::Rejected {
            why: "the venue lists the order as rejected".to_owned(),
        }],
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
    /// Reports what the order has come to. The same state twice is one entry.
    pub fn outcome(&self, state: OutcomeState) {
        let tag = match &state {
            OutcomeState::Accepted { .. } => "accepted",
            OutcomeState::Closed { .. } => "closed",
            OutcomeState::InDoubt { .. } => "in-doubt",
            OutcomeState::Rejected { .. } => "rejected",
            OutcomeState::Withheld { .. } => "withheld",
        };
        let outcome = OrderOutcome {
            agent: self.slot.agent,
            client_order_id: self.order.client_order_id,
            order: self.number,
            state,
        };
        let id = format!("{tag}-{}", self.number);
        self.report(Report::new(
            &outcome.clone(),
            AgentEvent::Outcome(outcome),
            id,
            self.gateway.clock.now(),
        ));
    }

    /// Reports a fill. The same execution twice is one entry.
    pub fn filled(&self, fill: &ExecutionFill) {
        let fill = OrderFilled {
            agent: self.slot.agent,
            client_order_id: self.order.client_order_id,
            currency: self.order.currency,
            executed_at: self.gateway.clock.now(),
            execution_id: fill.execution_id.as_str().to_owned(),
            instrument: self.order.instrument,
            order: self.number,
            price: fill.price,
            quantity: fill.quantity,
            side: self.order.side,
        };
        let id = format!("fill-{}-{}", fill.instrument, fill.execution_id);
        self.report(Report::new(
            &fill.clone(),
            AgentEvent::Filled(fill),
            id,
            self.gateway.clock.now(),
        ));
    }

    /// Reports anything else about it.
    pub fn report(&self, report: Report) {
        self.slot.report(&self.gateway.writer, report);
    }
}
