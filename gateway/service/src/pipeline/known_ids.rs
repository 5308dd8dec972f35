//! Every `client_order_id` an agent ever used, as 64-bit hashes: whether an id is new is known without a look-up.
//!
//! A hash that is absent proves the id new, since every decision of the stream was folded into the set. One that is present
//! is looked up in the ledger's index, so a collision costs a look-up and never an answer. Eight bytes an order.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use extensions::ClientOrderId;

/// The used ids of one agent.
#[derive(Debug, Default)]
pub struct KnownIds {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl KnownIds {
    /// Whether the id may have been used; `false` is certain.
    #[must_use]
    pub fn may_hold(&self, id: &ClientOrderId) -> bool {
        self.hashes.contains(&self.hasher.hash_one(id))
    }

    /// Takes note of a used id.
    pub fn insert(&mut self, id: &ClientOrderId) {
        self.hashes.insert(self.hasher.hash_one(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_id_is_never_called_new() {
        let mut known = KnownIds::default();
        for n in 0..10_000 {
            known.insert(&ClientOrderId::new(&format!("o-{n}")).expect("id"));
        }
        assert!((0..10_000).all(|n| known.may_hold(&ClientOrderId::new(&format!("o-{n}")).expect("id"))));
        assert!(!known.may_hold(&ClientOrderId::new("another").expect("id")));
    }
}
