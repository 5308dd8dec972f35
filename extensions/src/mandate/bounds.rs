//! The bounds in conduct: what a mandate caps beside the certificate's limits. Each is absent or in force; an absent one bounds nothing.

use super::{Caps, Conduct, MandateDocument, MandateError, SelfTrade};
use crate::{Currency, Instrument, limits::EffectiveLimits};

/// The most open orders that a mandate can allow: as many as a gateway follows.
pub const MOST_OPEN_ORDERS: u16 = 256;
/// The most executed orders that a mandate can allow before a person has to resume the bot.
pub const MOST_EXECUTIONS: u32 = 1_000_000;

/// The longest grace for a bot whose last stream broke: an hour.
pub const LONGEST_DISCONNECT_GRACE_S: u16 = 3_600;

impl MandateDocument {
    /// What the types do not say of the bounds: a cap by name covers every name that the limits permit, so that nothing is forgotten.
    pub(super) fn check_bounds(&self) -> Result<(), MandateError> {
        let conduct = &self.conduct;
        let most = conduct.max_open_orders;
        if most.is_some_and(|most| !(1..=MOST_OPEN_ORDERS).contains(&most)) {
            return Err(MandateError::OpenOrders);
        }
        let executions = conduct.max_executions;
        if executions.is_some_and(|most| !(1..=MOST_EXECUTIONS).contains(&most)) {
            return Err(MandateError::Executions);
        }
        let grace = conduct.cancel_after_disconnect_s;
        if grace.is_some_and(|grace| !(1..=LONGEST_DISCONNECT_GRACE_S).contains(&grace)) {
            return Err(MandateError::Disconnect);
        }
        let limits = EffectiveLimits::of(&self.limits);
        if let Some(caps) = &conduct.max_day_loss {
            let units: Vec<Currency> = limits.per_day_all().iter().map(|(unit, _)| *unit).collect();
            if !caps.cover(&units) {
                return Err(MandateError::DayLoss);
            }
        }
        let covered = |caps: &Caps<Instrument>| limits.instruments().is_some_and(|names| caps.cover(names));
        if conduct.max_position.as_ref().is_some_and(|caps| !covered(caps)) {
            return Err(MandateError::Positions);
        }
        Ok(())
    }
}

/// One bound in two conducts: its member, both as people read them, and whether the new one allows more than the old.
pub(super) struct Compared {
    pub(super) what: &'static str,
    pub(super) old: String,
    pub(super) new: String,
    pub(super) wider: bool,
}

impl Conduct {
    /// Every bound of this conduct beside that of a new one.
    pub(super) fn bounds_beside(&self, new: &Self) -> Vec<Compared> {
        let text = |bounds: &Self| {
            bounds
                .bounds_in_words()
                .map(|(_, text)| text.unwrap_or_else(|| "none".to_owned()))
        };
        let wider = [
            wider(
                self.cancel_after_disconnect_s.as_ref(),
                new.cancel_after_disconnect_s.as_ref(),
                |new, old| new <= old,
            ),
            wider(self.max_day_loss.as_ref(), new.max_day_loss.as_ref(), |new, old| {
                new.is_within(old)
            }),
            wider(self.max_executions.as_ref(), new.max_executions.as_ref(), |new, old| {
                new <= old
            }),
            wider(
                self.max_open_orders.as_ref(),
                new.max_open_orders.as_ref(),
                |new, old| new <= old,
            ),
            wider(self.max_position.as_ref(), new.max_position.as_ref(), |new, old| {
                new.is_within(old)
            }),
            wider(
                self.self_trade.as_ref(),
                new.self_trade.as_ref(),
                |SelfTrade::Refuse, SelfTrade::Refuse| true,
            ),
        ];
        const NAMES: [&str; 6] = [
            "cancel_after_disconnect_s",
            "max_day_loss",
            "max_executions",
            "max_open_orders",
            "max_position",
            "self_trade",
        ];
        let texts = text(self).into_iter().zip(text(new));
        NAMES
            .into_iter()
            .zip(texts)
            .zip(wider)
            .map(|((what, (old, new)), wider)| Compared { what, old, new, wider })
            .collect()
    }

    /// The bounds in which this conduct allows more than `outer`, in words; empty when it is the same or narrower in each.
    #[must_use]
    pub fn wider_bounds(&self, outer: &Self) -> Vec<String> {
        let compared = outer.bounds_beside(self).into_iter();
        let wider = compared.filter(|bound| bound.wider);
        wider
            .map(|bound| format!("{}: {} is wider than {}", bound.what, bound.new, bound.old))
            .collect()
    }

    /// Each bound with its label and its text; no text where there is none.
    pub(super) fn bounds_in_words(&self) -> [(&'static str, Option<String>); 6] {
        let grace = self.cancel_after_disconnect_s;
        let (executions, open) = (self.max_executions, self.max_open_orders);
        let positions = self.max_position.as_ref();
        let loss = self.max_day_loss.as_ref();
        let self_trade = self.self_trade.map(|SelfTrade::Refuse| {
            "an order that would trade with one of the bot's own open orders is refused".to_owned()
        });
        [
            (
                "Disconnected",
                grace.map(|grace| {
                    format!(
                        "when its last stream breaks and none is back within {grace} s, every open order is cancelled"
                    )
                }),
            ),
            (
                "Day's loss",
                loss.map(|caps| format!("from {caps} realised in a UTC day on, only reductions are permitted")),
            ),
            (
                "Executions",
                executions.map(|most| {
                    format!("after {most} orders that traded it may only reduce, until an officer resumes it")
                }),
            ),
            (
                "Open orders",
                open.map(|most| format!("at most {most} at once; reductions are free of it")),
            ),
            (
                "Position, at most",
                positions.map(|caps| format!("{caps}; long or short, open orders counted as filled")),
            ),
            ("Self-trade", self_trade),
        ]
    }
}

/// Whether the new bound allows more: it is gone, or does not lie within the old.
fn wider<T>(old: Option<&T>, new: Option<&T>, within: impl Fn(&T, &T) -> bool) -> bool {
    old.is_some_and(|old| new.is_none_or(|new| !within(new, old)))
}
