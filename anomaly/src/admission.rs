//! Whether a history suffices to let a score revoke: by demonstrated power, not by a count of orders.

use thiserror::Error;

use crate::baseline::Report;

/// Shortest history, calendar days.
pub const LEAST_DAYS: u32 = 7;
/// Fewest days with orders.
pub const LEAST_ACTIVE_DAYS: u32 = 5;
/// Fewest orders for the channel by order; sparser agents wait for the channel by day.
pub const LEAST_ORDERS: u64 = 100;
/// Smallest step of the drift channel, millionths.
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
    /// The agent's days differ too much from one another.
    #[error(
        "its days differ so much that only steps of {theta} of a million are safe, {LEAST_THETA} are needed: extend the observation, or approve for limits and warnings only"
    )]
    Theta {
        /// The step, millionths.
        theta: u32,
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
    /// Orders were left out.
    #[error("{dropped} orders did not fit the observation bound: observe a shorter time")]
    Dropped {
        /// How many.
        dropped: u64,
    },
}

impl Admission {
    /// Judges a fitted history.
    #[must_use]
    pub fn judge(report: &Report, theta: u32) -> Self {
        let mut reasons = Vec::new();
        let mut refuse = |applies: bool, reason: Refused| {
            if applies {
                reasons.push(reason);
            }
        };
        refuse(report.days < LEAST_DAYS, Refused::Days { days: report.days });
        let active = report.active_days;
        refuse(active < LEAST_ACTIVE_DAYS, Refused::ActiveDays { active });
        refuse(report.orders < LEAST_ORDERS, Refused::Orders { orders: report.orders });
        refuse(theta < LEAST_THETA, Refused::Theta { theta });
        let times = report.false_revocations_seen;
        refuse(times > 0, Refused::Replay { times });
        refuse(
            report.dropped > 0,
            Refused::Dropped {
                dropped: report.dropped,
            },
        );
        for attack in MUST_CATCH {
            let check = report.power.iter().find(|check| check.attack == attack);
            refuse(
                check.is_none_or(|check| check.orders.is_none()),
                Refused::Power {
                    attack: attack.to_owned(),
                    tried: check.map_or(0, |check| check.tried),
                },
            );
        }
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
