//! What to do with open orders: the plan of a halt, what later fills leave of it, and the targets of a cancel.

use extensions::{ClientOrderId, Decimal, Instrument, mandate::OnHalt};
use revocation_core::halt::{CancelCause, HaltPlan, PlannedCancel};

use super::{AgentState, OpenOrder};
use crate::order::Side;

impl AgentState {
    /// What a halt does with each open order. Permits the venue has not confirmed are always cancelled. With
    /// `cancel_risk_increasing`, stops that together reduce the confirmed position stay, oldest first.
    #[must_use]
    pub fn halt_plan(&self, on_halt: OnHalt) -> HaltPlan {
        let mut plan = HaltPlan::default();
        let mut kept: Vec<(Instrument, Side, Decimal)> = Vec::new();
        for open in self.open.iter().filter(|open| open.may_rest()) {
            let id = open.order.client_order_id;
            let because = match on_halt {
                _ if !open.confirmed() => CancelCause::InDoubt,
                OnHalt::CancelAll => CancelCause::MandateCancelsAll,
                // The venue ends both orders of a list with the cancel of one: none of them can be kept.
                OnHalt::CancelRiskIncreasing
                    if open.list.is_none() && open.order.kind.has_stop_price() && self.fits(open, &mut kept) =>
                {
                    plan.keep.push(id);
                    continue;
                }
                OnHalt::CancelRiskIncreasing => CancelCause::IncreasesRisk,
            };
            plan.cancel.push(PlannedCancel {
                because,
                client_order_id: id,
            });
        }
        plan
    }

    /// After a halt and each later fill: the orders still open that the plan would now cancel. A cancel that was recorded says nothing of
    /// whether anybody still sends it: the process may have died since. Who cancels knows what it is sending.
    #[must_use]
    pub fn reconsider_kept(&self, on_halt: OnHalt) -> Vec<PlannedCancel> {
        self.halt_plan(on_halt).cancel
    }

    /// What a cancel concerns: one order of this agent or all of them. Nothing refuses a cancel: not standing, rates, hours, score
    /// or a missing mandate; an order that is not open is simply not among them.
    #[must_use]
    pub fn cancel_targets(&self, one: Option<&ClientOrderId>) -> Vec<&OpenOrder> {
        let concerned = |open: &&OpenOrder| one.is_none_or(|id| open.order.client_order_id == *id);
        self.open
            .iter()
            .filter(|open| open.may_rest())
            .filter(concerned)
            .collect()
    }

    /// Whether the order, beside those already kept, only reduces the confirmed position; counts it when so.
    fn fits(&self, open: &OpenOrder, kept: &mut Vec<(Instrument, Side, Decimal)>) -> bool {
        let (instrument, side) = (open.order.instrument, open.side());
        let opposite = match (self.positions.of(&instrument), side) {
            (Some(position), Side::Sell) if position.is_positive() => position,
            (Some(position), Side::Buy) if position.is_negative() => position.abs(),
            _ => return false,
        };
        let place = kept
            .iter()
            .position(|(i, s, _)| (*i, *s) == (instrument, side))
            .unwrap_or_else(|| {
                kept.push((instrument, side, Decimal::ZERO));
                kept.len() - 1
            });
        match kept[place].2.checked_add(open.remaining) {
            Some(sum) if sum <= opposite => {
                kept[place].2 = sum;
                true
            }
            _ => false,
        }
    }
}
