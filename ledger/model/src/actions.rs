//! Every step that can happen next, and what it does.

use crate::{
    DEADLINE_TICKS, DELAY_TICKS, Entry, GATEWAYS, Hand, Item, LEASE_TICKS, LOG_LIMIT, Officer, Rule, Size, World,
};

/// What becomes of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Applied, and the answer arrives.
    Answered,
    /// Applied, the answer is lost.
    AppliedLost,
    /// Not applied, the answer is lost.
    FailedLost,
}

/// One step. `g` is a gateway, `o` an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes.
    Tick,
    /// Order `o`, handed to gateway `g` under a certificate generation, is permitted and queued: the bot may hand it
    /// to both gateways, and again after it lost. (A refusal changes nothing here, so it is no step.)
    Submit(usize, usize, u8),
    /// The gateway hands its queue to the store.
    Commit(usize, Fate),
    /// The gateway learns what became of its batch.
    Learn(usize),
    /// The gateway reads the stream up to its end.
    Follow(usize),
    /// The scorer halts the agent in this gateway.
    Halt(usize),
    /// Gate and deadline are checked, a send starts.
    StartSend(usize, usize),
    /// The bytes leave.
    Write(usize, usize),
    /// A recorded permit that may no longer be sent is withheld.
    Withhold(usize, usize),
    /// The bytes reach the venue.
    Arrive(usize, usize),
    /// The venue's answer arrives.
    VenueAnswers(usize, usize),
    /// The venue's answer does not come: in doubt.
    VenueSilent(usize, usize),
    /// The order in doubt is sent again (possible only with `DoubtNeverResent` off).
    Resend(usize, usize),
    /// The own instance asks the venue about its doubt.
    ResolveOwn(usize, usize),
    /// Another instance resolves the permit with this number.
    TakeOver(usize, u8),
    /// The process dies.
    Crash(usize),
    /// It comes back as a new instance.
    Restart(usize),
    /// The officer's process reads the stream's end (only with `NextNeverFails` off).
    OfficerRead,
    /// The officer's revocation is handed to the store, again if need be.
    Revoke(Fate),
    /// Officers reinstate the agent.
    Reinstate,
    /// Officers freeze the house.
    Freeze,
}

/// Everything that can happen next.
pub fn actions(world: &World, size: Size, out: &mut Vec<Action>) {
    out.push(Action::Tick);
    for g in 0..GATEWAYS {
        if world.gateways[g].up {
            bot_actions(world, size, g, out);
            ledger_actions(world, g, out);
            send_actions(world, g, out);
            if world.crashes > 0 {
                out.push(Action::Crash(g));
            }
        } else {
            out.push(Action::Restart(g));
        }
        for o in 0..usize::from(size.orders) {
            if world.wire[g][o].is_some() {
                out.push(Action::Arrive(g, o));
            }
        }
    }
    if size.halt && world.gateways[0].up && may_halt(world) {
        out.push(Action::Halt(0));
    }
    officer_actions(world, size, out);
}

fn fates(world: &World) -> &'static [Fate] {
    if world.lost_answers > 0 {
        &[Fate::Answered, Fate::AppliedLost, Fate::FailedLost]
    } else {
        &[Fate::Answered]
    }
}

fn may_halt(world: &World) -> bool {
    let own = &world.gateways[0];
    let recorded = world
        .log
        .iter()
        .any(|entry| matches!(entry, Entry::Revoked { id: 0, .. }));
    !own.halted && !recorded && !world.revoked(own.folded) && world.log.len() < LOG_LIMIT
}

fn bot_actions(world: &World, size: Size, g: usize, out: &mut Vec<Action>) {
    // Until one of them is somewhere, the orders differ in nothing but their name: begin with order 0.
    let orders = if world.has_any_order() { size.orders } else { 1 };
    for o in 0..usize::from(orders) {
        for certificate in 0..=world.certificate(world.next_number()) {
            if world.permits(g, o as u8, certificate) {
                out.push(Action::Submit(g, o, certificate));
            }
        }
    }
}

fn ledger_actions(world: &World, g: usize, out: &mut Vec<Action>) {
    let own = &world.gateways[g];
    if own.flight.is_some() {
        out.push(Action::Learn(g));
    } else if !own.queue.is_empty() {
        out.extend(fates(world).iter().map(|fate| Action::Commit(g, *fate)));
    }
    if own.flight.is_none() && (own.folded < world.next_number() || own.epoch != world.epoch()) {
        out.push(Action::Follow(g));
    }
    for permit in 0..own.folded {
        if !world.prompt_venue && world.may_take_over(g, permit) {
            out.push(Action::TakeOver(g, permit));
        }
    }
}

fn send_actions(world: &World, g: usize, out: &mut Vec<Action>) {
    for (o, hand) in world.gateways[g].hand.iter().enumerate() {
        match *hand {
            Hand::Empty => {}
            Hand::Recorded { age, .. } if world.may_start(g, age) => out.push(Action::StartSend(g, o)),
            Hand::Recorded { .. } => out.push(Action::Withhold(g, o)),
            Hand::Sending { age, .. } if age <= LEASE_TICKS => out.push(Action::Write(g, o)),
            Hand::Sending { .. } => out.push(Action::Withhold(g, o)),
            Hand::Sent { permit, .. } => {
                if world.venue_has(permit) {
                    out.push(Action::VenueAnswers(g, o));
                }
                out.push(Action::VenueSilent(g, o));
            }
            Hand::Doubt { permit, age } => {
                if world.venue_has(permit) || world.own_doubt_over(age) {
                    out.push(Action::ResolveOwn(g, o));
                }
                if !world.rules.has(Rule::DoubtNeverResent) {
                    out.push(Action::Resend(g, o));
                }
            }
        }
    }
}

fn officer_actions(world: &World, size: Size, out: &mut Vec<Action>) {
    if world.log.len() >= LOG_LIMIT {
        return;
    }
    let next_never_fails = world.rules.has(Rule::NextNeverFails);
    if size.revoke && world.officer != Officer::Done {
        if !next_never_fails && world.officer_read != Some(world.next_number()) {
            out.push(Action::OfficerRead);
        }
        if next_never_fails || world.officer_read.is_some() {
            out.extend(fates(world).iter().map(|fate| Action::Revoke(*fate)));
        }
    }
    let next = world.next_number();
    if size.reinstate && world.revoked(next) && world.certificate(next) == 0 {
        out.push(Action::Reinstate);
    }
    if size.freeze && world.frozen.is_none() {
        out.push(Action::Freeze);
    }
}

/// The world after `action`.
pub fn step(world: &World, action: Action) -> World {
    let mut next = world.clone();
    match action {
        Action::Tick => next.tick(),
        Action::Submit(g, o, certificate) => next.decide(g, o as u8, certificate),
        Action::Commit(g, fate) => {
            next.lost_answers -= u8::from(fate != Fate::Answered);
            next.hand_over(g, fate);
        }
        Action::Learn(g) => next.learn(g),
        Action::Follow(g) => {
            next.fold(g, next.next_number());
            next.gateways[g].epoch = next.epoch();
        }
        Action::Halt(g) => next.halt(g),
        Action::Arrive(g, o) => next.arrive(g, o),
        Action::TakeOver(g, permit) => {
            let reached = next.venue_has(permit);
            next.gateways[g].queue.push(Item::End {
                permit,
                reached,
                by_other: true,
            });
        }
        Action::Crash(g) => next.crash(g),
        Action::Restart(g) => next.restart(g),
        Action::OfficerRead => next.officer_read = Some(next.next_number()),
        Action::Revoke(fate) => next.revoke(fate),
        Action::Reinstate => next.reinstate(),
        Action::Freeze => next.frozen = Some(0),
        Action::StartSend(g, o)
        | Action::Write(g, o)
        | Action::Withhold(g, o)
        | Action::VenueAnswers(g, o)
        | Action::VenueSilent(g, o)
        | Action::Resend(g, o)
        | Action::ResolveOwn(g, o) => next.send_step(action, g, o),
    }
    next.forget_idle_ages();
    next
}

/// What another instance waits before it resolves a doubt.
const ALL_WAITS_TICKS: u8 = LEASE_TICKS + DEADLINE_TICKS + DELAY_TICKS;

/// One tick more, up to the first that is past `limit`.
fn grow(age: &mut u8, limit: u8) {
    *age = (*age + 1).min(limit + 1);
}

impl World {
    /// Every age grows, up to the point from which it makes no difference: so time is unbounded and the world finite.
    fn tick(&mut self) {
        let ends: Vec<u8> = self.ended().collect();
        for (number, entry) in self.log.iter_mut().enumerate() {
            match entry {
                Entry::Permit { age, .. } if !self.prompt_venue && !ends.contains(&(number as u8)) => {
                    grow(age, ALL_WAITS_TICKS)
                }
                Entry::Revoked { age, .. } => grow(age, DEADLINE_TICKS),
                _ => {}
            }
        }
        if let Some(age) = &mut self.frozen {
            grow(age, DEADLINE_TICKS);
        }
        for wire in self.wire.iter_mut().flatten() {
            *wire = wire
                .map(|(permit, age)| (permit, age + 1))
                .filter(|(_, age)| *age <= DELAY_TICKS);
        }
        for gateway in &mut self.gateways {
            let flight = gateway.flight.iter_mut().flat_map(|batch| &mut batch.items);
            for item in flight.chain(&mut gateway.queue) {
                if let Item::Permit { age, .. } = item {
                    grow(age, DEADLINE_TICKS);
                }
            }
            for hand in &mut gateway.hand {
                match hand {
                    Hand::Empty => {}
                    Hand::Recorded { age, .. } => grow(age, DEADLINE_TICKS),
                    Hand::Sending { age, .. } => grow(age, LEASE_TICKS),
                    Hand::Sent { age, .. } | Hand::Doubt { age, .. } => grow(age, DELAY_TICKS),
                }
            }
        }
    }

    /// Makes worlds equal that differ only in an age nothing will ask for again: how long ago a stop was recorded
    /// matters only while a permit is on its way to being sent.
    fn forget_idle_ages(&mut self) {
        let waiting = self.gateways.iter().any(|own| {
            let held = own.hand.iter().any(|hand| matches!(hand, Hand::Recorded { .. }));
            let mut items = own.flight.iter().flat_map(|batch| &batch.items).chain(&own.queue);
            held || items.any(|item| matches!(item, Item::Permit { .. }))
        });
        if waiting {
            return;
        }
        for entry in &mut self.log {
            if let Entry::Revoked { age, .. } = entry {
                *age = DEADLINE_TICKS + 1;
            }
        }
        if let Some(age) = &mut self.frozen {
            *age = DEADLINE_TICKS + 1;
        }
    }

    fn ended(&self) -> impl Iterator<Item = u8> + '_ {
        self.log.iter().filter_map(|entry| match entry {
            Entry::End { permit, .. } => Some(*permit),
            _ => None,
        })
    }

    fn send_step(&mut self, action: Action, g: usize, o: usize) {
        let hand = self.gateways[g].hand[o];
        match (action, hand) {
            (Action::StartSend(..), Hand::Recorded { permit, .. }) => {
                self.start_send(g, o, permit);
                if self.prompt_venue {
                    self.write(g, o, permit);
                    self.arrive(g, o);
                    self.report(g, o, permit, true);
                }
            }
            (Action::Write(..), Hand::Sending { permit, .. }) | (Action::Resend(..), Hand::Doubt { permit, .. }) => {
                self.write(g, o, permit);
            }
            (Action::Withhold(..), Hand::Recorded { permit, .. } | Hand::Sending { permit, .. }) => {
                self.report(g, o, permit, false);
            }
            (Action::VenueAnswers(..), Hand::Sent { permit, .. }) => self.report(g, o, permit, true),
            (Action::VenueSilent(..), Hand::Sent { permit, age }) => {
                self.gateways[g].hand[o] = Hand::Doubt { permit, age };
            }
            (Action::ResolveOwn(..), Hand::Doubt { permit, .. }) => {
                let reached = self.venue_has(permit);
                self.report(g, o, permit, reached);
            }
            _ => {}
        }
    }

    fn arrive(&mut self, g: usize, o: usize) {
        if let Some((permit, _)) = self.wire[g][o].take() {
            self.reached[o] = (self.reached[o] + 1).min(2);
            self.reached_permits |= 1 << permit;
        }
    }

    fn crash(&mut self, g: usize) {
        self.crashes -= 1;
        let gateway = &mut self.gateways[g];
        gateway.up = false;
        gateway.halted = false;
        gateway.queue.clear();
        gateway.flight = None;
        gateway.hand = [Hand::Empty; crate::ORDERS];
        gateway.folded = 0;
        gateway.epoch = 0;
    }

    fn restart(&mut self, g: usize) {
        let (folded, epoch) = (self.next_number(), self.epoch());
        let gateway = &mut self.gateways[g];
        gateway.up = true;
        gateway.instance += 1;
        gateway.folded = folded;
        gateway.epoch = epoch;
    }

    fn revoke(&mut self, fate: Fate) {
        self.lost_answers -= u8::from(fate != Fate::Answered);
        let number = self.officer_read.take().unwrap_or_default();
        let recorded = fate != Fate::FailedLost && self.append_revocation(GATEWAYS as u8, number).is_some();
        self.officer = if recorded && fate == Fate::Answered {
            Officer::Done
        } else {
            Officer::Asking
        };
    }
}
