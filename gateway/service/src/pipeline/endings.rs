//! How each order of late was decided and what became of it: the answer to a repeated `client_order_id`.
//!
//! Bounded: older orders are read from the ledger.

use std::collections::{HashMap, VecDeque};

use extensions::{ClientOrderId, Decimal, Digest, Timestamp};
use gateway_policy::{
    DecisionKind, FailedCheck, Known, OrderDecided, OrderFilled, OrderOutcome, OrderTerms, OutcomeState,
};
use serde::Serialize;

use super::traded::Traded;
use crate::venue::ExecutionFill;

/// How many orders of one agent are remembered.
pub const REMEMBERED_ORDERS: usize = 4_096;

/// What an order has come to, as bots read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Recorded; the venue has not answered yet.
    Permitted,
    /// The venue holds it.
    Open,
    /// It may or may not be at the venue.
    InDoubt,
    /// Filled whole.
    Filled,
    /// Cancelled, by whomever.
    Cancelled,
    /// Its time ended at the venue.
    Expired,
    /// Refused by a check.
    Refused,
    /// The venue refused it.
    Rejected,
    /// Never sent: past its send deadline, or halted.
    Withheld,
}

/// One order's story so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderStory {
    /// The digest of its terms.
    #[serde(skip)]
    pub body: Digest,
    /// Every failed check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<FailedCheck>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The executed quantity known from the venue's answers and fills.
    pub executed: Decimal,
    /// The executions that the venue's answer to the order listed: for the bot's first answer alone, the record keeps each as an entry.
    #[serde(skip)]
    pub fills: Vec<ExecutionFill>,
    /// The list that it is one of two of, by the number of the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<u64>,
    /// The number of its entry in the agent's stream.
    pub number: u64,
    /// The order.
    pub order: OrderTerms,
    /// What it has come to.
    pub status: OrderStatus,
    /// The venue's own id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub venue_order_id: Option<String>,
    /// Why, in words, where there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl OrderStory {
    /// The story as it begins with its decision.
    #[must_use]
    pub fn begin(number: u64, at: Timestamp, decided: &OrderDecided) -> Self {
        Self {
            body: decided.body,
            checks: decided.checks.clone(),
            decided_at: at,
            executed: Decimal::ZERO,
            fills: Vec::new(),
            list: decided.list,
            number,
            order: decided.order.clone(),
            status: if decided.decision == DecisionKind::Permit {
                OrderStatus::Permitted
            } else {
                OrderStatus::Refused
            },
            venue_order_id: None,
            why: None,
        }
    }

    /// Goes on with an outcome.
    pub fn outcome(&mut self, state: &OutcomeState) {
        use gateway_policy::CloseCause;
        // A cancel that overtook the record of the venue's first answer has ended it: that answer, late, opens nothing again.
        let first = matches!(state, OutcomeState::Accepted { .. } | OutcomeState::InDoubt { .. });
        if first && self.is_over() {
            return;
        }
        // A doubt that was resolved explains nothing any more.
        self.why = None;
        match state {
            OutcomeState::Accepted { venue_reference } => {
                self.status = OrderStatus::Open;
                self.venue_order_id = Some(venue_reference.clone());
            }
            OutcomeState::Closed {
                executed,
                venue_reference,
                why,
            } => {
                self.executed = *executed;
                if venue_reference.is_some() {
                    self.venue_order_id.clone_from(venue_reference);
                }
                self.status = match why {
                    CloseCause::Filled => OrderStatus::Filled,
                    CloseCause::Cancelled => OrderStatus::Cancelled,
                    CloseCause::Expired => OrderStatus::Expired,
                };
            }
            OutcomeState::InDoubt { why } => {
                self.status = OrderStatus::InDoubt;
                self.why = Some(why.clone());
            }
            OutcomeState::Rejected { why } => {
                self.status = OrderStatus::Rejected;
                self.why = Some(why.clone());
            }
            OutcomeState::Withheld { why } => {
                self.status = OrderStatus::Withheld;
                self.why = Some(why.clone());
            }
        }
    }

    /// Goes on with a fill.
    pub fn filled(&mut self, fill: &OrderFilled) {
        if matches!(
            self.status,
            OrderStatus::Permitted | OrderStatus::Open | OrderStatus::InDoubt
        ) {
            self.executed = self.executed.checked_add(fill.quantity).unwrap_or(self.executed);
            // The last fill ends an order by itself: no outcome follows when the venue was only asked for its executions.
            if self.executed >= self.order.quantity {
                self.status = OrderStatus::Filled;
            }
        }
    }

    /// Whether nothing of it can trade any more, as far as is known.
    fn is_over(&self) -> bool {
        !matches!(
            self.status,
            OrderStatus::Permitted | OrderStatus::Open | OrderStatus::InDoubt
        )
    }

    /// Whether the venue has answered, or never will be asked.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.status != OrderStatus::Permitted
    }
}

/// The stories of one agent's latest orders.
#[derive(Debug, Default)]
pub struct Endings {
    stories: HashMap<ClientOrderId, Remembered>,
    order: VecDeque<ClientOrderId>,
    /// The number of the latest order that is remembered no longer.
    forgotten: Option<u64>,
}

#[derive(Debug)]
struct Remembered {
    story: OrderStory,
    traded: Traded,
}

impl Endings {
    /// The story of an order, when it is of late.
    #[must_use]
    pub fn of(&self, id: &ClientOrderId) -> Option<&OrderStory> {
        self.stories.get(id).map(|remembered| &remembered.story)
    }

    /// What the fills of an order come to, when it is of late.
    #[must_use]
    pub fn traded(&self, id: &ClientOrderId) -> Option<&Traded> {
        self.stories.get(id).map(|remembered| &remembered.traded)
    }

    /// The orders of late, oldest first, with what their fills come to.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (&OrderStory, &Traded)> {
        let known = |id| self.stories.get(id);
        self.order.iter().filter_map(known).map(|one| (&one.story, &one.traded))
    }

    /// The number below which, itself included, orders are remembered no longer; `None` while all are.
    #[must_use]
    pub fn forgotten(&self) -> Option<u64> {
        self.forgotten
    }

    /// Takes note of a decision. A refused repeat of a used id does not replace the story of the first.
    pub fn decided(&mut self, number: u64, at: Timestamp, decided: &OrderDecided) {
        let id = decided.order.client_order_id;
        if self.stories.contains_key(&id) || decided.known != Known::New {
            return;
        }
        if self.order.len() >= REMEMBERED_ORDERS
            && let Some(oldest) = self.order.pop_front()
            && let Some(oldest) = self.stories.remove(&oldest)
        {
            self.forgotten = Some(oldest.story.number);
        }
        self.order.push_back(id);
        let (story, traded) = (OrderStory::begin(number, at, decided), Traded::default());
        self.stories.insert(id, Remembered { story, traded });
    }

    /// Takes note of an outcome.
    pub fn outcome(&mut self, outcome: &OrderOutcome) {
        if let Some(remembered) = self.numbered(&outcome.client_order_id, outcome.order) {
            remembered.story.outcome(&outcome.state);
        }
    }

    /// Takes note of a fill.
    pub fn filled(&mut self, fill: &OrderFilled) {
        if let Some(remembered) = self.numbered(&fill.client_order_id, fill.order) {
            remembered.story.filled(fill);
            remembered.traded.add(fill);
        }
    }

    fn numbered(&mut self, id: &ClientOrderId, number: u64) -> Option<&mut Remembered> {
        self.stories
            .get_mut(id)
            .filter(|remembered| remembered.story.number == number)
    }
}

#[cfg(test)]
mod tests {
    use gateway_policy::{CloseCause, Order};

    use super::*;

    /// The bot's cancel may be answered before the venue's first answer is recorded.
    ///
    /// Control, tried: without the look at the end the order is open for ever; a test of edits found it so now and then.
    #[test]
    fn a_late_first_answer_opens_nothing_again() {
        let body = br#"{"client_order_id":"k-1","counterparty":"a","currency":"EUR","instrument":"BTC_EUR","price":"1","quantity":"1","side":"buy","type":"limit"}"#;
        let order = Order::from_json(body).expect("an order");
        let mut story = OrderStory {
            body: order.body,
            checks: Vec::new(),
            decided_at: Timestamp::EPOCH,
            executed: Decimal::ZERO,
            fills: Vec::new(),
            list: None,
            number: 1,
            order: order.order.into_terms(),
            status: OrderStatus::Permitted,
            venue_order_id: None,
            why: None,
        };
        story.outcome(&OutcomeState::Closed {
            executed: Decimal::ZERO,
            venue_reference: None,
            why: CloseCause::Cancelled,
        });
        story.outcome(&OutcomeState::Accepted {
            venue_reference: "v".to_owned(),
        });
        assert_eq!(story.status, OrderStatus::Cancelled);
    }
}
