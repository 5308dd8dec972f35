//! What the bounds of a mandate's conduct leave of an agent's room: for the bot, and for who looks after it.

use extensions::{Decimal, Timestamp, mandate::Conduct};
use serde::Serialize;

use super::AgentState;
use crate::order::Side;

/// One bound: what is used of it and what is left. What cannot be told is absent, and refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoundLeft {
    /// The member of the conduct: `max_position`.
    pub bound: &'static str,
    /// What is left; never below zero.
    pub left: Option<Decimal>,
    /// The bound.
    pub limit: Decimal,
    /// Of what: `buy BTC_EUR`; none where there is one for all.
    pub of: Option<String>,
    /// What is used; below zero where the position lies the other way, or the day brought a gain.
    pub used: Option<Decimal>,
}

impl BoundLeft {
    fn new(bound: &'static str, of: Option<String>, limit: Decimal, used: Option<Decimal>) -> Self {
        let left = used.and_then(|used| limit.checked_sub(used));
        let left = left.map(|left| left.max(Decimal::ZERO));
        Self {
            bound,
            left,
            limit,
            of,
            used,
        }
    }
}

impl AgentState {
    /// What is left of each bound that the conduct sets, as the next order meets it.
    #[must_use]
    pub fn bounds_left(&self, conduct: &Conduct, now: Timestamp) -> Vec<BoundLeft> {
        let mut rows = Vec::new();
        for (unit, cap) in conduct.max_day_loss.iter().flat_map(|caps| caps.rows()) {
            let lost = self.day_loss(unit, now);
            rows.push(BoundLeft::new("max_day_loss", Some(unit.to_string()), *cap, lost));
        }
        if let Some(most) = conduct.max_executions {
            let used = Decimal::from(self.executed());
            rows.push(BoundLeft::new(
                "max_executions",
                None,
                u64::from(most).into(),
                Some(used),
            ));
        }
        if let Some(most) = conduct.max_open_orders {
            let open = u64::try_from(self.may_rest()).map(Decimal::from);
            let most = Decimal::from(u64::from(most));
            rows.push(BoundLeft::new("max_open_orders", None, most, open.ok()));
        }
        for (instrument, cap) in conduct.max_position.iter().flat_map(|caps| caps.rows()) {
            for side in [Side::Buy, Side::Sell] {
                let of = format!("{} {instrument}", side.as_str());
                let used = self.worst_position(instrument, side);
                rows.push(BoundLeft::new("max_position", Some(of), *cap, used));
            }
        }
        rows
    }
}
