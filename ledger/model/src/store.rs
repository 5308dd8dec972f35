//! The store: one batch is one atomic step under the lock of the head row.

use crate::{Entry, GATEWAYS, Item, LOG_LIMIT, Rule, World, guarantees::Guarantee};

impl World {
    /// Applies a gateway's batch; gives the number each item has got.
    pub(crate) fn commit(&mut self, gateway: usize, items: &[Item]) -> Vec<Option<u8>> {
        let mut lost = false;
        let mut numbers = Vec::with_capacity(items.len());
        for item in items {
            let number = match *item {
                Item::Permit { .. } if lost && self.rules.has(Rule::DropBehindLoser) => None,
                Item::Permit {
                    order,
                    certificate,
                    number,
                    epoch,
                    ..
                } => self.append_permit(gateway, order, certificate, number, epoch),
                Item::End {
                    permit,
                    reached,
                    by_other,
                } => Some(self.append_end(permit, reached, by_other)),
                Item::Revoke { number } => self.append_revocation(gateway as u8, number),
            };
            lost |= number.is_none();
            numbers.push(number);
        }
        numbers
    }

    fn append_permit(&mut self, gateway: usize, order: u8, certificate: u8, number: u8, epoch: u8) -> Option<u8> {
        let wrong_number = self.rules.has(Rule::ExactNumber) && number != self.next_number();
        let old_epoch = self.rules.has(Rule::EpochCompared) && epoch != self.epoch();
        if wrong_number || old_epoch || self.log.len() >= LOG_LIMIT {
            return None;
        }
        if self.frozen.is_some() {
            self.mark_broken(Guarantee::NoPermitUnderFreeze);
        }
        if self.stop_presented {
            self.mark_broken(Guarantee::StopIsNotDelayed);
        }
        if self.gateways[gateway].halted {
            self.mark_broken(Guarantee::HaltIsAheadOfOrders);
        }
        let instance = self.gateways[gateway].instance;
        self.log.push(Entry::Permit {
            order,
            gateway: gateway as u8,
            instance,
            certificate,
            age: 0,
        });
        Some(self.next_number() - 1)
    }

    fn append_end(&mut self, permit: u8, reached: bool, by_other: bool) -> u8 {
        let known = self
            .log
            .iter()
            .position(|entry| matches!(entry, Entry::End { permit: p, .. } if *p == permit));
        match known {
            Some(number) if self.rules.has(Rule::NextIdempotent) || self.log.len() >= LOG_LIMIT => number as u8,
            _ => {
                if let Some(Entry::Permit { age, .. }) = self.log.get_mut(usize::from(permit)) {
                    *age = 0;
                }
                self.log.push(Entry::End {
                    permit,
                    reached,
                    by_other,
                });
                self.next_number() - 1
            }
        }
    }

    /// Appends a revocation; `number` counts only when `NextNeverFails` is off.
    pub(crate) fn append_revocation(&mut self, id: u8, number: u8) -> Option<u8> {
        debug_assert!(usize::from(id) <= GATEWAYS);
        let known = self
            .log
            .iter()
            .position(|entry| matches!(entry, Entry::Revoked { id: i, .. } if *i == id));
        if let Some(known) = known
            && (self.rules.has(Rule::NextIdempotent) || self.log.len() >= LOG_LIMIT)
        {
            return Some(known as u8);
        }
        self.stop_presented = true;
        if !self.rules.has(Rule::NextNeverFails) && number != self.next_number() {
            return None;
        }
        self.log.push(Entry::Revoked { id, age: 0 });
        Some(self.next_number() - 1)
    }

    /// Officers reinstate: `Exactly`, on a view read in the same step.
    pub(crate) fn reinstate(&mut self) {
        self.log.push(Entry::Reinstated);
        self.stop_presented = false;
    }
}
