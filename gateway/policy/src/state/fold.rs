//! The fold: what each event of an agent's stream does to its state.

use anomaly::ScorerState;
use extensions::{Decimal, Timestamp};
use revocation_core::StandingEvent;

use super::{
    AgentState, DIGEST_EVERY, EntryAt, MOST_OPEN_ORDERS, OpenMark, OpenOrder, losses::Losses, recent::RecentOrder,
    value_of,
};
use crate::{
    decision::Decision,
    events::{
        AgentEvent, CancelState, DecisionKind, Known, OrderDecided, OrderFilled, OrderOutcome, OutcomeState,
        PositionAttested,
    },
};

impl AgentState {
    /// Folds one entry of the agent's stream. It cannot fail and is safe to repeat: an entry below
    /// [`next_number`](Self::next_number) is known and changes nothing; a gap marks the state [`faulty`](Self::faulty).
    pub fn apply(&mut self, entry: EntryAt, event: &AgentEvent) {
        if !self.advance(entry) {
            return;
        }
        match event {
            AgentEvent::Decided(decided) => self.decided(entry, decided),
            AgentEvent::Outcome(outcome) => self.outcome(entry.at, outcome),
            AgentEvent::Filled(fill) => self.filled(entry.at, fill),
            AgentEvent::CancelRequested(cancel) => self.cancelling(cancel.order, true),
            AgentEvent::CancelOutcome(cancel) => {
                if matches!(cancel.state, CancelState::CouldNot { .. }) {
                    self.cancelling(cancel.order, false);
                }
            }
            AgentEvent::Malformed(malformed) => self.scorer.observe_unread(entry.at, malformed.count),
            AgentEvent::Unread(unread) => self.scorer.observe_unread(entry.at, unread.count),
            AgentEvent::PositionAttested(attested) => self.attested(attested),
            AgentEvent::OverrideGranted(granted) => self.overrides.grant(entry, granted),
            AgentEvent::StateDigest(_) => self.digest_due = false,
            AgentEvent::Standing(event) => self.stand(entry.at, event),
            AgentEvent::BaselineApproved(_) => self.scorer.reset_evidence(),
            AgentEvent::Other => {}
        }
    }

    /// Folds a decision of our own and the records of its append: the tentative state on which the next order is decided
    /// while this one waits for its commit. The same as applying the entries once they are read back.
    pub fn apply_decision(&mut self, decision: &Decision) {
        let mut entry = EntryAt {
            number: decision.number(),
            at: decision.decided_at(),
        };
        if self.advance(entry) {
            self.decided(entry, decision.decided());
        }
        for event in decision.also() {
            entry.number += 1;
            if self.advance(entry) {
                self.stand(entry.at, event);
            }
        }
        if decision.opens().is_some() {
            entry.number += 1;
            self.advance(entry);
        }
    }

    /// Whether a report would say nothing new: an execution that is counted, a state that the order is in, or was. Who watches a venue asks this
    /// before it reports what the answer to the order may have told already.
    #[must_use]
    pub fn knows(&self, event: &AgentEvent) -> bool {
        match event {
            AgentEvent::Filled(fill) => self.executions.knows(fill.order, &fill.execution_id),
            AgentEvent::Outcome(outcome) => {
                let open = self.open.iter().find(|open| open.number == outcome.order);
                open.is_none_or(|open| match outcome.state {
                    OutcomeState::Accepted { .. } => {
                        open.mark != OpenMark::Unanswered && open.mark != OpenMark::InDoubt
                    }
                    OutcomeState::InDoubt { .. } => open.mark != OpenMark::Unanswered,
                    OutcomeState::Closed { .. } => open.mark == OpenMark::Closing,
                    OutcomeState::Rejected { .. } | OutcomeState::Withheld { .. } => false,
                })
            }
            _ => false,
        }
    }

    /// The state as it would be if an open order had ended where it stands: what an order that is to take its place would be decided on.
    #[must_use]
    pub fn without(&self, number: u64, at: Timestamp) -> Self {
        let mut state = self.clone();
        if let Some(place) = state.open.iter().position(|open| open.number == number) {
            state.close(place, at);
        }
        state
    }

    fn advance(&mut self, entry: EntryAt) -> bool {
        if entry.number < self.next {
            return false;
        }
        self.faulty |= entry.number > self.next;
        self.next = entry.number.saturating_add(1);
        self.digest_due |= entry.number > 0 && entry.number.is_multiple_of(DIGEST_EVERY);
        true
    }

    fn decided(&mut self, entry: EntryAt, decided: &OrderDecided) {
        if decided.state.is_some() {
            self.digest_due = false;
        }
        // A refused repeat of an id that is older than what is remembered is not the id's order: the index knows which one is.
        if decided.known == Known::New {
            self.recent.remember(RecentOrder {
                body: decided.body,
                client_order_id: decided.order.client_order_id,
                order: entry.number,
            });
        }
        if decided.counts_loss && self.losses.is_none() {
            self.losses = Some(Losses::default());
        }
        if decided.counts_executions {
            self.executed.get_or_insert(0);
        }
        if decided.counts_against_rates() {
            self.rates.add(entry.at);
        }
        let observation = decided.observation(entry.at);
        match &decided.score {
            Some(score) => self.scorer.apply(score, &observation),
            None => self.scorer.observe(&observation),
        }
        if let Some(overridden) = &decided.overridden {
            self.overrides.use_up(overridden.grant);
        }
        if decided.decision == DecisionKind::Permit {
            self.open_order_of(entry, decided);
        }
    }

    fn open_order_of(&mut self, entry: EntryAt, decided: &OrderDecided) {
        let order = &decided.order;
        let negative = |price: Option<Decimal>| price.is_some_and(|price| !price.is_positive());
        let senseless = !order.quantity.is_positive() || negative(order.price) || negative(order.stop_price);
        if senseless || self.open.len() >= MOST_OPEN_ORDERS {
            self.faulty = true;
            return;
        }
        let reserve_price = reserve_price(decided);
        let reserved = reserved_by(decided);
        match reserved {
            Some(amount) => self.day.reserve(decided.order.currency, amount, entry.at),
            None if decided.reduction => {}
            None => self.faulty = true,
        }
        self.open.push(OpenOrder {
            body: decided.body,
            cancelling: false,
            filled: Decimal::ZERO,
            gateway: decided.gateway,
            list: decided.list,
            mark: OpenMark::Unanswered,
            number: entry.number,
            permitted_at: entry.at,
            remaining: decided.order.quantity,
            reserved: reserved.unwrap_or_default(),
            reserve_price,
            send_within_ms: decided.send_within_ms,
            order: decided.order.clone(),
        });
    }

    fn outcome(&mut self, at: Timestamp, outcome: &OrderOutcome) {
        let Some(place) = self.open.iter().position(|open| open.number == outcome.order) else {
            return;
        };
        let open = &mut self.open[place];
        match &outcome.state {
            OutcomeState::Accepted { .. } if open.mark != OpenMark::Closing => open.mark = OpenMark::Accepted,
            OutcomeState::InDoubt { .. } if open.mark == OpenMark::Unanswered => open.mark = OpenMark::InDoubt,
            OutcomeState::Accepted { .. } | OutcomeState::InDoubt { .. } => {}
            OutcomeState::Rejected { .. } | OutcomeState::Withheld { .. } => self.close(place, at),
            OutcomeState::Closed { executed, .. } => {
                let unseen = executed.checked_sub(open.filled).unwrap_or_default();
                if unseen.is_positive() {
                    open.mark = OpenMark::Closing;
                    let (unit, freed) = (open.order.currency, open.set_remaining(unseen.min(open.remaining)));
                    self.day.release(unit, freed, at);
                } else {
                    self.close(place, at);
                }
            }
        }
    }

    fn close(&mut self, place: usize, at: Timestamp) {
        let open = self.open.remove(place);
        self.day.release(open.order.currency, open.reserved, at);
    }

    fn filled(&mut self, at: Timestamp, fill: &OrderFilled) {
        if !fill.quantity.is_positive() || !self.executions.remember(fill.order, &fill.execution_id) {
            return;
        }
        if let Some(losses) = &mut self.losses {
            losses.fill(fill, self.positions.of(&fill.instrument), at);
        }
        self.positions.fill(fill.instrument, fill.side, fill.quantity);
        let Some(place) = self.open.iter().position(|open| open.number == fill.order) else {
            // The order is gone from the state (a fill after its final outcome): the value still counts today, and so does its execution.
            self.executed = self.executed.map(|executed| executed.saturating_add(1));
            self.count_fill(fill, Decimal::ZERO, Some(fill.price), at);
            return;
        };
        let open = &mut self.open[place];
        if open.filled.is_zero() {
            self.executed = self.executed.map(|executed| executed.saturating_add(1));
        }
        if open.unanswered() {
            open.mark = OpenMark::Accepted;
        }
        open.filled = open.filled.checked_add(fill.quantity).unwrap_or(open.order.quantity);
        let remaining = open
            .remaining
            .checked_sub(fill.quantity)
            .unwrap_or_default()
            .max(Decimal::ZERO);
        let freed = open.set_remaining(remaining);
        let price = open.reserve_price.map(|reserved| reserved.max(fill.price));
        let better = open.reserve_price.is_some_and(|reserved| fill.price <= reserved);
        if better {
            // Within the reservation: what it frees is exactly what it fills, so the day's value does not move.
            self.day.fill(fill.currency, freed, freed, at);
        } else {
            self.count_fill(fill, freed, price, at);
        }
        if !remaining.is_positive() {
            self.close(place, at);
        }
    }

    /// A position that is another than the fills say has no known cost.
    fn attested(&mut self, attested: &PositionAttested) {
        let (instrument, quantity) = (attested.instrument, attested.quantity);
        if let Some(losses) = &mut self.losses
            && self.positions.of(&instrument) != Some(quantity)
        {
            losses.forget(&instrument);
        }
        self.positions.attest(instrument, quantity);
    }

    fn count_fill(&mut self, fill: &OrderFilled, freed: Decimal, price: Option<Decimal>, at: Timestamp) {
        match price.map(|price| value_of(fill.quantity, price)) {
            Some(Some(value)) => self.day.fill(fill.currency, freed, value.max(freed), at),
            Some(None) => self.day.overflow(),
            None => {}
        }
    }

    fn cancelling(&mut self, number: u64, cancelling: bool) {
        if let Some(open) = self.open.iter_mut().find(|open| open.number == number) {
            open.cancelling = cancelling;
        }
    }

    fn stand(&mut self, at: Timestamp, event: &StandingEvent) {
        let moved = self.standing.apply(event, at);
        let again = matches!(event, StandingEvent::Reinstated(_) | StandingEvent::ProbationStarted(_));
        if moved && again {
            ScorerState::reset_evidence(&mut self.scorer);
        }
        if moved && (again || matches!(event, StandingEvent::Resumed(_))) {
            self.executed = self.executed.map(|_| 0);
        }
    }
}

/// What a permit reserves; none for a reduction, and where it cannot be told.
pub(crate) fn reserved_by(decided: &OrderDecided) -> Option<Decimal> {
    value_of(decided.order.quantity, reserve_price(decided)?)
}

/// The highest of order, stop and reference price: what a reservation is made at; none for a reduction.
fn reserve_price(decided: &OrderDecided) -> Option<Decimal> {
    if decided.reduction {
        return None;
    }
    let reference = decided.reference.map(|reference| reference.price);
    [decided.order.price, decided.order.stop_price, reference]
        .into_iter()
        .flatten()
        .max()
}
