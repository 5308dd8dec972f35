//! The client order ids and execution ids seen last: what the indexes behind the ledger may not have caught up with.

use std::collections::{HashMap, VecDeque};

use extensions::{ClientOrderId, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many order ids a state remembers; an index must never be further behind an agent's stream than this.
pub const RECENT_ORDERS: usize = 512;
/// How many executions a state remembers. The ledger itself takes each once; this guards a fold against a bad log.
const RECENT_EXECUTIONS: usize = 512;

/// One order id seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecentOrder {
    /// The body's digest.
    pub body: Digest,
    /// The bot's id.
    pub client_order_id: ClientOrderId,
    /// The number of the decision's entry.
    pub order: u64,
}

/// The last [`RECENT_ORDERS`] order ids, oldest first. The index beside the queue is for lookup only and never iterated, so
/// its random seed shows nowhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentOrders {
    queue: VecDeque<RecentOrder>,
    index: HashMap<ClientOrderId, (u64, Digest)>,
}

impl RecentOrders {
    pub(crate) fn find(&self, id: &ClientOrderId) -> Option<(u64, Digest)> {
        self.index.get(id).copied()
    }

    /// Remembers the first decision about an id; later ones under it change nothing.
    pub(crate) fn remember(&mut self, seen: RecentOrder) {
        if self.index.contains_key(&seen.client_order_id) {
            return;
        }
        while self.queue.len() >= RECENT_ORDERS {
            if let Some(oldest) = self.queue.pop_front() {
                self.index.remove(&oldest.client_order_id);
            }
        }
        self.index.insert(seen.client_order_id, (seen.order, seen.body));
        self.queue.push_back(seen);
    }

    /// The entry number from which on every id is remembered; `None` while none has been forgotten.
    pub(crate) fn complete_from(&self) -> Option<u64> {
        (self.queue.len() >= RECENT_ORDERS).then(|| self.queue.front().map_or(0, |oldest| oldest.order))
    }
}

impl PartialEq for RecentOrders {
    fn eq(&self, other: &Self) -> bool {
        self.queue == other.queue
    }
}

impl Eq for RecentOrders {}

impl Serialize for RecentOrders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.queue)
    }
}

impl<'de> Deserialize<'de> for RecentOrders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut recent = Self::default();
        for seen in Vec::<RecentOrder>::deserialize(deserializer)? {
            recent.remember(seen);
        }
        Ok(recent)
    }
}

/// The last executions, as a digest over permit and the venue's id: venues number their trades each for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RecentExecutions(VecDeque<Digest>);

impl RecentExecutions {
    fn digest(order: u64, execution_id: &str) -> Digest {
        Digest::of_parts(&[b"mandatum/execution/v2", &order.to_be_bytes(), execution_id.as_bytes()])
    }

    /// Whether the execution of the permit that is entry `order` is remembered.
    pub(crate) fn knows(&self, order: u64, execution_id: &str) -> bool {
        self.0.contains(&Self::digest(order, execution_id))
    }

    /// Remembers an execution; `false` when it is known already.
    pub(crate) fn remember(&mut self, order: u64, execution_id: &str) -> bool {
        let digest = Self::digest(order, execution_id);
        if self.0.contains(&digest) {
            return false;
        }
        while self.0.len() >= RECENT_EXECUTIONS {
            self.0.pop_front();
        }
        self.0.push_back(digest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_first_decision_stays() {
        let mut recent = RecentOrders::default();
        let id = |n: u64| ClientOrderId::new(&format!("o{n}")).expect("valid");
        for n in 0..RECENT_ORDERS as u64 + 10 {
            let body = Digest::of(&n.to_be_bytes());
            recent.remember(RecentOrder {
                body,
                client_order_id: id(n),
                order: n,
            });
            recent.remember(RecentOrder {
                body: Digest::default(),
                client_order_id: id(n),
                order: n + 1,
            });
        }
        assert_eq!(recent.queue.len(), RECENT_ORDERS);
        assert_eq!(recent.index.len(), RECENT_ORDERS);
        assert_eq!(recent.find(&id(9)), None);
        assert_eq!(recent.find(&id(10)), Some((10, Digest::of(&10_u64.to_be_bytes()))));
        assert_eq!(recent.complete_from(), Some(10));
    }
}
