//! Whether a history suffices to let a score revoke: by demonstrated power, not by a count of orders.

use thiserror::Error;

use crate::baseline::{PowerCheck, Report};

/// Shortest history, calendar days.
pub const LEAST_DAYS: u32 = 7;
/// Fewest days with orders.
pub const LEAST_ACTIVE_DAYS: u32 = 5;
/// Fewest orders for the channel by order; sparser agents have the channel by day alone.
pub const LEAST_ORDERS: u64 = 100;
/// Fewest orders of its own when peers stand in for the rest.
pub const LEAST_ORDERS_WITH_PEERS: u64 = 50;
/// Smallest step with which a detector still adds up, millionths; below it, it is left out.
pub const LEAST_THETA: u32 = 250_000;
/// The attacks that must be caught when they are injected into the baseline's own history.
pub const MUST_CATCH: [&str; 2] = ["runaway", "new_region"];

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Scores may warn and revoke.
    Admitted,
    /// Scores may warn only; every reason is named.
    Refused(Vec<Refused>),
}

/// One reason why scores may not revoke, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The history is too short.
    #[error("the history spans {days} days, {LEAST_DAYS} are needed: observe on")]
    Days {
        /// Calendar days.
        days: u32,
    },
    /// Too few days with orders.
    #[error("orders on {active} days, {LEAST_ACTIVE_DAYS} are needed: extend the observation, to 28 days if need be")]
    ActiveDays {
        /// Days with orders.
        active: u32,
    },
    /// Too few orders.
    #[error(
        "{orders} orders, {LEAST_ORDERS} are needed to judge single orders: extend the observation to 28 days, or approve for limits and warnings only"
    )]
    Orders {
        /// Orders.
        orders: u64,
    },
    /// It would have revoked on the agent's own healthy days.
    #[error(
        "it would have revoked {times} times on the agent's own days: approve for limits and warnings only, or narrow what the agent does"
    )]
    Replay {
        /// How often.
        times: u32,
    },
    /// It would not catch an attack it must catch.
    #[error(
        "it does not catch the attack {attack} within {tried} orders: extend the observation, or approve for limits and warnings only"
    )]
    Power {
        /// Which.
        attack: String,
        /// Orders injected.
        tried: u32,
    },
    /// It goes beyond what may change without a new certificate.
    #[error(
        "{what} went from {from} in the first baseline to {to}, beyond what baselines may move: apply for a mandate of another scope"
    )]
    Cap {
        /// What.
        what: String,
        /// In the first baseline.
        from: String,
        /// Now.
        to: String,
    },
    /// The slow detector holds that the agent drifted from its first baseline.
    #[error(
        "its {component} drifted from the first baseline over {weeks} weeks: review what it became before you sign"
    )]
    Slow {
        /// Which.
        component: &'static str,
        /// Weeks.
        weeks: u32,
    },
    /// Orders were left out.
    #[error("{dropped} orders did not fit the observation bound: observe a shorter time")]
    Dropped {
        /// How many.
        dropped: u64,
    },
}

/// What the history shows of one channel.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The history.
    pub report: &'a Report,
    /// How often the channel would have revoked in the history's own replay.
    pub revocations: u32,
    /// The attacks, with this channel alone.
    pub power: &'a [PowerCheck],
}

impl Admission {
    /// Judges the channel by order.
    #[must_use]
    pub fn by_order(shown: Shown<'_>) -> Self {
        let orders = shown.report.orders;
        let mut reasons = Vec::new();
        let least = if shown.report.peers > 0 {
            LEAST_ORDERS_WITH_PEERS
        } else {
            LEAST_ORDERS
        };
        if orders < least {
            reasons.push(Refused::Orders { orders });
        }
        reasons.extend(refused(shown));
        Self::of(reasons)
    }

    /// Judges the channel by day.
    #[must_use]
    pub fn by_day(shown: Shown<'_>) -> Self {
        Self::of(refused(shown).collect())
    }

    fn of(reasons: Vec<Refused>) -> Self {
        if reasons.is_empty() {
            Self::Admitted
        } else {
            Self::Refused(reasons)
        }
    }

    /// The reasons in words; empty when admitted.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Self::Admitted => Vec::new(),
            Self::Refused(reasons) => reasons.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What either channel needs.
fn refused(shown: Shown<'_>) -> impl Iterator<Item = Refused> {
    let (days, active_days, dropped) = (shown.report.days, shown.report.active_days, shown.report.dropped);
    let times = shown.revocations;
    let power = MUST_CATCH.into_iter().filter_map(move |attack| {
        let check = shown.power.iter().find(|check| check.attack == attack);
        check
            .is_none_or(|check| check.orders.is_none())
            .then(|| Refused::Power {
                attack: attack.to_owned(),
                tried: check.map_or(0, |check| check.tried),
            })
    });
    let caps = shown
        .report
        .changes
        .iter()
        .filter(|change| change.beyond_cap)
        .map(|change| Refused::Cap {
            what: change.what.clone(),
            from: change.from.clone(),
            to: change.to.clone(),
        });
    let slow = shown
        .report
        .slow
        .iter()
        .filter(|one| one.flagged)
        .map(|one| Refused::Slow {
            component: one.component.as_str(),
            weeks: one.weeks,
        });
    [
        (days < LEAST_DAYS, Refused::Days { days }),
        (
            active_days < LEAST_ACTIVE_DAYS,
            Refused::ActiveDays { active: active_days },
        ),
        (times > 0, Refused::Replay { times }),
        (dropped > 0, Refused::Dropped { dropped }),
    ]
    .into_iter()
    .filter(|(applies, _)| *applies)
    .map(|(_, reason)| reason)
    .chain(power)
    .chain(caps)
    .chain(slow)
}
