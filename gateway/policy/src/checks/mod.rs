//! The checks: one file and one stable code each, run in decision order, all of them (orders.md §2).
//!
//! A check is a pure function of the `Context`: nothing when it passes, without allocating, or one [`FailedCheck`]. No switch
//! demotes a failure to a warning. Cancels meet no check at all: see [`AgentState::cancel_targets`].

mod agent_revoked;
mod anomaly_revoked;
mod baseline_missing;
mod cert_expired;
mod cert_revoked;
mod counterparty_not_allowed;
mod day_loss;
mod day_notional;
mod duplicate;
mod duplicate_suspected;
mod extension_unreadable;
mod group_exposure;
mod instrument_not_allowed;
mod mandate_missing;
mod max_notional;
mod max_position;
mod no_reference_price;
mod open_orders_cap;
mod open_orders_max;
mod order_type_not_allowed;
mod outside_hours;
mod position_unknown;
mod price_collar;
mod proof_invalid;
mod proof_required;
mod rate_orders;
mod region_not_allowed;
mod repeat_execution;
mod self_trade;
mod state_frozen;
mod state_reduce_only;
mod status_unknown;
mod unit_not_allowed;

use anomaly::{Observation, Scored};
use extensions::{Decimal, Timestamp, mandate::Conduct};
use revocation_core::{Standing, standing::Mode};

use crate::{
    codes::Code,
    events::{FailedCheck, ReferencePrice},
    facts::Facts,
    order::OrderTerms,
    state::AgentState,
};

/// Every check but the score's, in decision order.
const CHECKS: &[fn(&Context<'_>) -> Option<FailedCheck>] = &[
    extension_unreadable::check,
    mandate_missing::check,
    status_unknown::check,
    agent_revoked::check,
    cert_revoked::check,
    cert_expired::check,
    state_frozen::check,
    state_reduce_only::check,
    duplicate::check,
    duplicate_suspected::check,
    instrument_not_allowed::check,
    counterparty_not_allowed::check,
    outside_hours::check,
    region_not_allowed::check,
    order_type_not_allowed::check,
    proof_required::check,
    proof_invalid::check,
    max_notional::check,
    unit_not_allowed::check,
    price_collar::check,
    no_reference_price::check,
    self_trade::check,
    rate_orders::check,
    repeat_execution::check,
    open_orders_max::check,
    open_orders_cap::check,
    day_notional::check,
    day_loss::check,
    max_position::check,
    group_exposure::check,
    position_unknown::check,
    baseline_missing::check,
];

/// What the checks look at: the facts, the state, and what both say together, worked out once.
pub(crate) struct Context<'a> {
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) state: &'a AgentState,
    pub(crate) now: Timestamp,
    pub(crate) order: &'a OrderTerms,
    /// A verified reduction: free of hours, upper size, rates, day notional and score, and of nothing else.
    pub(crate) reduction: bool,
    /// The agent's own standing now.
    pub(crate) standing: Standing,
    /// What the house lets its owner's agents do at most.
    pub(crate) house: Mode,
    /// What may be done over the session's certificate at most.
    pub(crate) certificate: Mode,
    /// The reference price, when it is positive and young enough.
    pub(crate) reference: Option<ReferencePrice>,
    /// Quantity times the highest of order, stop and reference price, exact; none when a price is missing or it does not fit.
    pub(crate) notional: Option<Decimal>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, state: &'a AgentState, now: Timestamp) -> Self {
        let order: &OrderTerms = &facts.order.order;
        let longest = i64::from(facts.reference_max_age_ms).saturating_mul(1_000);
        let reference = facts.reference.filter(|reference| {
            // A price from the future is as little known as an old one.
            reference.price.is_positive() && now.micros_since(reference.at).abs() <= longest
        });
        let house = match facts.mandate {
            Some(mandate) => facts.house.mode_of(&mandate.document.owner),
            None => facts.house.mode_of_all(),
        };
        let mut context = Self {
            facts,
            state,
            now,
            order,
            reduction: state.is_reduction(order),
            standing: state.standing_at(now),
            house,
            certificate: state
                .standing()
                .certificate_mode(&facts.certificate.serial, facts.certificate.not_after),
            reference,
            notional: None,
        };
        context.notional = context
            .highest_price()
            .and_then(|price| order.quantity.checked_mul(price));
        context
    }

    /// The highest of order, stop and reference price; none for a market order without a reference.
    pub(crate) fn highest_price(&self) -> Option<Decimal> {
        let reference = self.reference.map(|reference| reference.price);
        [self.order.price, self.order.stop_price, reference]
            .into_iter()
            .flatten()
            .max()
    }

    /// The scores at which something happens: the house's own, else 0.75 and 0.85.
    pub(crate) fn thresholds(&self) -> anomaly::Thresholds {
        let set = self.facts.house.thresholds().score;
        set.map_or_else(anomaly::Thresholds::default, |levels| anomaly::Thresholds {
            warn: levels.warn(),
            revoke: levels.revoke(),
        })
    }

    /// Whether the caps are halved.
    pub(crate) fn warned(&self) -> bool {
        matches!(self.standing, Standing::Warned { .. })
    }

    /// The mandate's conduct, when the gateway holds it.
    pub(crate) fn conduct(&self) -> Option<&'a Conduct> {
        self.facts.mandate.map(|mandate| &mandate.document.conduct)
    }

    /// Whether the score acts now. Without a mandate nothing says what it should do; the order is refused anyway.
    pub(crate) fn enforced(&self) -> bool {
        self.conduct()
            .is_some_and(|conduct| conduct.scoring.enforced_at(self.now))
    }

    /// What the scorer sees, but for whether a limit refused it (which moves no score).
    pub(crate) fn observation(&self) -> Observation {
        Observation {
            at: self.now,
            counterparty: self.order.counterparty,
            currency: self.order.currency,
            instrument: self.order.instrument,
            notional: self.notional,
            refused: false,
            region: self.facts.region,
        }
    }
}

/// Every failed check, in decision order. Empty, and unallocated, when all pass.
pub(crate) fn run(context: &Context<'_>) -> Vec<FailedCheck> {
    CHECKS.iter().filter_map(|check| check(context)).collect()
}

/// The check behind the score.
pub(crate) fn of_score(context: &Context<'_>, revokes: bool, scored: Option<&Scored>) -> Option<FailedCheck> {
    anomaly_revoked::check(context, revokes, scored)
}

/// A failed check; always `Some`, so that a check can end with it.
fn fail(
    code: Code,
    limit: impl Into<String>,
    observed: impl Into<String>,
    change: impl Into<String>,
) -> Option<FailedCheck> {
    Some(FailedCheck {
        change: change.into(),
        code,
        limit: limit.into(),
        observed: observed.into(),
    })
}

/// The first few items in words: `BTC_EUR, ETH_EUR and 7 more`.
fn listed<'a>(items: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let items: Vec<&str> = items.collect();
    match items.len() {
        0 => "nothing".to_owned(),
        count if count <= SHOWN => items.join(", "),
        count => format!("{} and {} more", items[..SHOWN].join(", "), count - SHOWN),
    }
}

/// What is left to reduce, in words.
fn reducible_text(context: &Context<'_>) -> String {
    let order = context.order;
    let (side, instrument) = (order.side.as_str(), &order.instrument);
    match context.state.reducible(instrument, order.side) {
        Some(left) => format!("{side} at most {left} {instrument} (confirmed position less open reductions)"),
        None => format!("{side} nothing: the position in {instrument} is unknown"),
    }
}

/// A score in millionths as people read it.
fn score_text(millionths: u32) -> String {
    Decimal::new(i128::from(millionths), 6).map_or_else(|| millionths.to_string(), |score| score.to_string())
}

#[cfg(test)]
mod tests;
