//! What other limits would have done to past orders: each is decided again on the state it was decided on, and the two answers are compared.
//! The command line and the console ask the same; what they read, and how much of it, is theirs.

use std::collections::BTreeMap;

use extensions::{ClientOrderId, Decimal, Timestamp};
use serde::Serialize;

use crate::{
    events::{DecisionKind, FailedCheck, OrderDecided},
    replay::{Replay, ReplayFault, decide_again},
    state::AgentState,
};

/// Where a recorded decision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecidedAt {
    /// Its number in the agent's stream.
    pub number: u64,
    /// The epoch it was decided under.
    pub epoch: u64,
    /// When.
    pub at: Timestamp,
}

/// An order that would have been answered otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// When it was decided.
    pub at: Timestamp,
    /// The checks that stand in its way: under the other limits where these stop it, under its own where those let it through.
    pub checks: Vec<FailedCheck>,
    /// What it was worth.
    pub notional: Option<Decimal>,
    /// Its number in the agent's stream.
    pub number: u64,
    /// The bot's own id of it.
    pub order: ClientOrderId,
}

/// Orders that would have been answered otherwise, in one direction: all are counted, the first ones are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Direction {
    /// How many.
    pub count: u64,
    /// How many of them each code stands in the way of; an order has one code or several.
    pub by_code: BTreeMap<&'static str, u64>,
    /// The first ones.
    pub rows: Vec<Moved>,
}

/// What came out so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    most_told: usize,
    /// Orders looked at.
    pub orders: u64,
    /// Those that were permitted.
    pub permitted: u64,
    /// Those that would be.
    pub would_be_permitted: u64,
    /// How often each code would stand in an order's way, whatever became of the order then.
    pub by_code: BTreeMap<&'static str, u64>,
    /// Permitted then, refused by the other limits.
    pub stopped: Direction,
    /// Refused then, permitted by the other limits.
    pub let_through: Direction,
}

impl Direction {
    fn add(&mut self, most_told: usize, moved: Moved) {
        self.count += 1;
        for check in &moved.checks {
            *self.by_code.entry(check.code.as_str()).or_default() += 1;
        }
        if self.rows.len() < most_told {
            self.rows.push(moved);
        }
    }

    /// Those that are only counted.
    #[must_use]
    pub fn more(&self) -> u64 {
        self.count - self.rows.len() as u64
    }
}

fn permits(decided: &OrderDecided) -> bool {
    decided.decision == DecisionKind::Permit
}

impl Compared {
    /// Nothing yet; of each direction the first `most_told` are told one by one.
    #[must_use]
    pub fn new(most_told: usize) -> Self {
        Self {
            most_told,
            orders: 0,
            permitted: 0,
            would_be_permitted: 0,
            by_code: BTreeMap::new(),
            stopped: Direction::default(),
            let_through: Direction::default(),
        }
    }

    /// Decides a recorded order again, `with` the other limits, on the state it was decided on. An order that these permit and that was
    /// refused does not become a position: each order is asked about by itself.
    ///
    /// # Errors
    /// When the record is no decision, or `state` is not the one it was taken on; then nothing was counted.
    pub fn take(
        &mut self,
        recorded: &OrderDecided,
        place: DecidedAt,
        state: &AgentState,
        with: Replay<'_>,
    ) -> Result<(), ReplayFault> {
        let again = decide_again(recorded, place.at, place.epoch, state, with)?;
        let again = again.decided();
        self.orders += 1;
        self.permitted += u64::from(permits(recorded));
        self.would_be_permitted += u64::from(permits(again));
        for check in &again.checks {
            *self.by_code.entry(check.code.as_str()).or_default() += 1;
        }
        let moved = |checks: &[FailedCheck]| Moved {
            at: place.at,
            checks: checks.to_vec(),
            notional: again.notional,
            number: place.number,
            order: again.order.client_order_id,
        };
        match (permits(recorded), permits(again)) {
            (true, false) => self.stopped.add(self.most_told, moved(&again.checks)),
            (false, true) => self.let_through.add(self.most_told, moved(&recorded.checks)),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a recorded decision comes out as it is recorded, from what is at hand: the same answer for the same reasons. Whoever looks at a part
/// of the record alone learns by it which orders that part cannot speak of.
#[must_use]
pub fn comes_out_again(recorded: &OrderDecided, place: DecidedAt, state: &AgentState, with: Replay<'_>) -> bool {
    let Ok(again) = decide_again(recorded, place.at, place.epoch, state, with) else {
        return false;
    };
    let again = again.decided();
    let codes = |decided: &OrderDecided| decided.checks.iter().map(|check| check.code).collect::<Vec<_>>();
    again.decision == recorded.decision && codes(again) == codes(recorded)
}

#[cfg(test)]
mod tests;
