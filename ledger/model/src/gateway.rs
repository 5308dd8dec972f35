//! One gateway: decide on the tentative state, hand over, learn, send, report.

use crate::{
    Batch, DEADLINE_TICKS, DELAY_TICKS, Entry, Fate, GATEWAYS, Hand, Item, LEASE_TICKS, LOG_LIMIT, Rule, World,
    guarantees::Guarantee,
};

impl World {
    /// Entries this gateway's next order would come behind: folded, at the store, and queued (its reports included).
    fn tentative_number(&self, gateway: usize) -> u8 {
        let own = &self.gateways[gateway];
        let flight = own.flight.as_ref().map_or(0, |batch| batch.items.len());
        own.folded + (flight + own.queue.len()) as u8
    }

    fn own_items(&self, gateway: usize) -> impl Iterator<Item = &Item> {
        let own = &self.gateways[gateway];
        own.flight.iter().flat_map(|batch| &batch.items).chain(&own.queue)
    }

    fn knows_order(&self, gateway: usize, order: u8) -> bool {
        let folded = &self.log[..usize::from(self.gateways[gateway].folded)];
        folded
            .iter()
            .any(|entry| matches!(entry, Entry::Permit { order: o, .. } if *o == order))
            || self
                .own_items(gateway)
                .any(|item| matches!(item, Item::Permit { order: o, .. } if *o == order))
    }

    /// Whether an order is anywhere in the world.
    pub(crate) fn has_any_order(&self) -> bool {
        self.log.iter().any(|entry| matches!(entry, Entry::Permit { .. }))
            || (0..GATEWAYS).any(|g| self.own_items(g).any(|item| matches!(item, Item::Permit { .. })))
            || self
                .gateways
                .iter()
                .any(|own| own.hand.iter().any(|hand| *hand != Hand::Empty))
    }

    /// Whether this process may start a send for the agent.
    pub(crate) fn gate_open(&self, gateway: usize) -> bool {
        let own = &self.gateways[gateway];
        let closed_by_halt = own.halted && self.rules.has(Rule::GateClosedFirst);
        !closed_by_halt && !self.revoked(own.folded)
    }

    /// Whether `decide` permits: standing, certificate, house and known ids on the tentative state.
    pub(crate) fn permits(&self, gateway: usize, order: u8, certificate: u8) -> bool {
        let own = &self.gateways[gateway];
        let stopped = self.revoked(own.folded)
            || own.halted
            || own.epoch > 0
            || self.own_items(gateway).any(|item| matches!(item, Item::Revoke { .. }));
        let revoked_certificate =
            self.rules.has(Rule::RevokedCertificateStays) && certificate < self.certificate(own.folded);
        let known = self.rules.has(Rule::IdUniqueByFold) && self.knows_order(gateway, order);
        let busy = self.gateways[gateway].hand[usize::from(order)] != Hand::Empty
            || self
                .own_items(gateway)
                .any(|item| matches!(item, Item::Permit { order: o, .. } if *o == order));
        !stopped && !revoked_certificate && !known && !busy && self.log.len() < LOG_LIMIT
    }

    /// Queues the permit that `decide` gave.
    pub(crate) fn decide(&mut self, gateway: usize, order: u8, certificate: u8) {
        let number = self.tentative_number(gateway);
        let own = &mut self.gateways[gateway];
        let epoch = own.epoch;
        own.queue.push(Item::Permit {
            order,
            certificate,
            number,
            epoch,
            age: 0,
        });
        if !self.rules.has(Rule::AppendBeforeSend) {
            own.hand[usize::from(order)] = Hand::Recorded { permit: number, age: 0 };
        }
    }

    /// `decide` has returned a halt: the gate closes, the revocation is queued.
    pub(crate) fn halt(&mut self, gateway: usize) {
        let number = self.tentative_number(gateway);
        let front = self.rules.has(Rule::NarrowingToFront);
        let own = &mut self.gateways[gateway];
        own.halted = true;
        let place = if front { 0 } else { own.queue.len() };
        own.queue.insert(place, Item::Revoke { number });
    }

    /// Hands the whole queue to the store.
    pub(crate) fn hand_over(&mut self, gateway: usize, fate: Fate) {
        let items = std::mem::take(&mut self.gateways[gateway].queue);
        let applied = fate != Fate::FailedLost;
        let numbers = if applied {
            self.commit(gateway, &items)
        } else {
            vec![None; items.len()]
        };
        let upto = self.next_number();
        let lost = fate != Fate::Answered;
        self.gateways[gateway].flight = Some(Batch {
            items,
            numbers,
            applied,
            lost,
            upto,
        });
    }

    /// The gateway learns what became of its batch, by the answer or by looking the checkpoint up.
    pub(crate) fn learn(&mut self, gateway: usize) {
        let Some(batch) = self.gateways[gateway].flight.take() else {
            return;
        };
        let believe = batch.lost && !self.rules.has(Rule::LostAnswerIsUnknown);
        let mut loser = false;
        let mut repeat = Vec::new();
        for (item, number) in batch.items.iter().zip(&batch.numbers) {
            match (*item, *number) {
                (
                    Item::Permit {
                        order,
                        number: expected,
                        age,
                        ..
                    },
                    number,
                ) if number.is_some() || believe => {
                    self.hold(gateway, order, number.unwrap_or(expected), age);
                }
                (Item::Permit { .. }, _) => loser = true,
                (_, Some(_)) => {}
                (item, None) => repeat.push(item),
            }
        }
        self.fold(gateway, batch.upto);
        if loser {
            self.drop_queued_orders(gateway);
            self.gateways[gateway].epoch = self.epoch();
        }
        let next = self.next_number();
        for item in &mut repeat {
            if let Item::Revoke { number } = item {
                *number = next;
            }
        }
        repeat.append(&mut self.gateways[gateway].queue);
        self.gateways[gateway].queue = repeat;
    }

    fn hold(&mut self, gateway: usize, order: u8, permit: u8, age: u8) {
        if !self.rules.has(Rule::AppendBeforeSend) {
            return;
        }
        let age = if self.rules.has(Rule::DeadlineFromDecision) {
            age
        } else {
            0
        };
        self.gateways[gateway].hand[usize::from(order)] = Hand::Recorded { permit, age };
    }

    fn drop_queued_orders(&mut self, gateway: usize) {
        if !self.rules.has(Rule::DropBehindLoser) {
            return;
        }
        self.gateways[gateway]
            .queue
            .retain(|item| !matches!(item, Item::Permit { .. }));
    }

    /// Reads the stream up to `upto`. A reinstatement behind this process's own revocation reopens its gate.
    pub(crate) fn fold(&mut self, gateway: usize, upto: u8) {
        let own_id = gateway as u8;
        let upto = upto.max(self.gateways[gateway].folded);
        let folded = &self.log[..usize::from(upto)];
        let revoked = folded
            .iter()
            .position(|entry| matches!(entry, Entry::Revoked { id, .. } if *id == own_id));
        let reinstated = folded.iter().rposition(|entry| matches!(entry, Entry::Reinstated));
        let own = &mut self.gateways[gateway];
        own.folded = upto;
        if let (Some(revoked), Some(reinstated)) = (revoked, reinstated)
            && reinstated > revoked
        {
            own.halted = false;
        }
    }

    /// Whether a send may start: gate open, deadline not passed.
    pub(crate) fn may_start(&self, gateway: usize, age: u8) -> bool {
        self.gate_open(gateway) && (age <= DEADLINE_TICKS || !self.rules.has(Rule::SendDeadline))
    }

    /// The check just before the send; from here on a send has started.
    pub(crate) fn start_send(&mut self, gateway: usize, order: usize, permit: u8) {
        let recorded = matches!(self.log.get(usize::from(permit)),
            Some(Entry::Permit { order: o, gateway: g, .. }) if usize::from(*o) == order && usize::from(*g) == gateway);
        if !recorded {
            self.mark_broken(Guarantee::RecordBeforeSend);
        }
        if self.gateways[gateway].halted {
            self.mark_broken(Guarantee::NoSendAfterHalt);
        }
        let late = |age: u8| age > DEADLINE_TICKS;
        let after = self.log.get(usize::from(permit)..).unwrap_or_default();
        let revoked_long_ago = after
            .iter()
            .any(|entry| matches!(entry, Entry::Revoked { age, .. } if late(*age)));
        if revoked_long_ago || self.frozen.is_some_and(late) {
            self.mark_broken(Guarantee::NoLateSendElsewhere);
        }
        self.gateways[gateway].hand[order] = Hand::Sending { permit, age: 0 };
    }

    /// The bytes leave.
    pub(crate) fn write(&mut self, gateway: usize, order: usize, permit: u8) {
        self.wire[gateway][order] = Some((permit, 0));
        self.gateways[gateway].hand[order] = Hand::Sent { permit, age: 0 };
    }

    /// Queues the end of an order that this instance holds.
    pub(crate) fn report(&mut self, gateway: usize, order: usize, permit: u8, reached: bool) {
        self.gateways[gateway].hand[order] = Hand::Empty;
        self.gateways[gateway].queue.push(Item::End {
            permit,
            reached,
            by_other: false,
        });
    }

    /// Whether the venue has the order of this permit (what a query by client id answers).
    pub(crate) fn venue_has(&self, permit: u8) -> bool {
        self.reached_permits & (1 << permit) != 0
    }

    /// Whether this instance may call its own unanswered order "not there".
    pub(crate) fn own_doubt_over(&self, age: u8) -> bool {
        !self.rules.has(Rule::OwnWaitsForDelay) || age > DELAY_TICKS
    }

    /// Whether `gateway` may resolve the permit `permit` of another instance.
    pub(crate) fn may_take_over(&self, gateway: usize, permit: u8) -> bool {
        let own = &self.gateways[gateway];
        let view = &self.log[..usize::from(own.folded)];
        let Some(&Entry::Permit {
            gateway: g,
            instance,
            age,
            ..
        }) = view.get(usize::from(permit))
        else {
            return false;
        };
        let mine = usize::from(g) == gateway && instance == own.instance;
        let ended = view
            .iter()
            .any(|entry| matches!(entry, Entry::End { permit: p, .. } if *p == permit))
            || self
                .own_items(gateway)
                .any(|item| matches!(item, Item::End { permit: p, .. } if *p == permit));
        let ticks = |rule, ticks: u8| if self.rules.has(rule) { ticks } else { 0 };
        let wait = ticks(Rule::OtherWaitsForLease, LEASE_TICKS)
            + ticks(Rule::OtherWaitsForDeadline, DEADLINE_TICKS)
            + ticks(Rule::OtherWaitsForDelay, DELAY_TICKS);
        !mine && !ended && age > wait
    }
}
