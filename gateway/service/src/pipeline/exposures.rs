//! What owners and all agents have at stake, as this gateway knows it: the fact behind `GROUP_EXPOSURE`.
//!
//! Each slot puts its agent's part in here whenever its state has moved, queued entries included, and under its own lock. An order is decided with
//! the book held, and a permit's value is in the book before it is let go: of two orders that are decided at once and of which one fits, one
//! passes, on whichever threads. The book is the innermost lock; nothing is awaited and no other lock of a slot is taken while it is held.
//!
//! What other gateways permitted comes in as it is followed (`docs/decisions/0016-exposure-of-groups.md` says how much that can be). A house
//! without limits keeps no book.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use extensions::{AgentId, Counterparty, Currency, Instrument, OwnerId, Timestamp};
use gateway_policy::{AgentExposure, Exposure, GroupExposure, GroupSum, Quoted};
use revocation_core::HouseState;

use super::{prices::Prices, slot::Inner};
use crate::{gateway::Gateway, session::Session};

/// The book of a gateway.
#[derive(Debug, Default)]
pub struct Exposures {
    kept: AtomicBool,
    book: Mutex<Book>,
}

/// The parts of all agents, and their sums.
#[derive(Debug, Default)]
pub struct Book {
    agents: HashMap<AgentId, Row>,
    all: GroupSum,
    owners: HashMap<OwnerId, GroupSum>,
    /// Agents whose state waits to be folded again, and since when: what others wrote about them meanwhile is not in their parts.
    stale: HashMap<AgentId, Instant>,
}

#[derive(Debug, Default)]
struct Row {
    owner: Option<OwnerId>,
    part: AgentExposure,
}

/// What the value of a group is told by.
pub struct Quotes<'a> {
    /// The prices of every venue.
    pub venues: &'a HashMap<Counterparty, std::sync::Arc<Prices>>,
    /// The decision clock.
    pub now: Timestamp,
    /// The oldest price that is accepted.
    pub longest: Duration,
    /// How long an agent's state may wait to be folded again before its part is not believed any more.
    pub lease: Duration,
}

impl Quotes<'_> {
    /// The highest of the prices that are young enough; without one the latest, whose age then refuses.
    fn of(&self, instrument: &Instrument, unit: &Currency) -> Quoted {
        let all = self.venues.values().filter_map(|prices| prices.of(instrument));
        let (mut quoted, mut best) = (false, None);
        for price in all {
            quoted = true;
            if price.currency != *unit {
                continue;
            }
            let young = u128::from(self.now.micros_since(price.at).unsigned_abs()) <= self.longest.as_micros();
            let rank = (
                young,
                if young { Timestamp::from_micros(0) } else { price.at },
                price.price,
            );
            if best.is_none_or(|(known, _)| known < rank) {
                best = Some((rank, price));
            }
        }
        match best {
            Some((_, price)) => Quoted::At(price),
            None if quoted => Quoted::Otherwise,
            None => Quoted::Nowhere,
        }
    }
}

impl Exposures {
    /// Begins to keep the book, when that was not done: says whether every slot has to put its agent in it now. It comes before anybody decides
    /// by the first limits.
    pub fn begin(&self) -> bool {
        !self.kept.swap(true, Ordering::SeqCst)
    }

    /// Whether the book is kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.kept.load(Ordering::SeqCst)
    }

    /// The book.
    pub fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Puts an agent's part in the place of its earlier one.
    pub fn put(&mut self, agent: AgentId, owner: Option<OwnerId>, part: AgentExposure) {
        let row = self.agents.entry(agent).or_default();
        if row.owner == owner && row.part == part {
            return;
        }
        let nothing = AgentExposure::default();
        if row.owner == owner {
            if let Some(owner) = owner {
                self.owners.entry(owner).or_default().replace(&row.part, &part);
            }
        } else {
            if let Some(sum) = row.owner.and_then(|owner| self.owners.get_mut(&owner)) {
                sum.replace(&row.part, &nothing);
            }
            if let Some(owner) = owner {
                self.owners.entry(owner).or_default().replace(&nothing, &part);
            }
        }
        self.all.replace(&row.part, &part);
        *row = Row { owner, part };
        self.mend();
    }

    /// Adds a permitted order to its agent's part, before the agent's state has it.
    pub fn reserve(&mut self, agent: AgentId, owner: Option<OwnerId>, unit: Currency, value: extensions::Decimal) {
        let mut part = self.agents.get(&agent).map(|row| row.part.clone()).unwrap_or_default();
        part.reserve(unit, value);
        self.put(agent, owner, part);
    }

    /// Notes that an agent's state waits to be folded again, or no longer does.
    pub fn stale(&mut self, agent: AgentId, stale: bool) {
        if stale {
            self.stale.entry(agent).or_insert_with(Instant::now);
        } else {
            self.stale.remove(&agent);
        }
    }

    /// What the groups with limits have at stake in a unit; none when neither the owner nor all have limits.
    #[must_use]
    pub fn told(
        &self,
        house: &HouseState,
        owner: Option<&OwnerId>,
        unit: &Currency,
        quotes: &Quotes<'_>,
    ) -> Option<Exposure> {
        let limits = house.exposures();
        let owner = owner.filter(|owner| limits.of_owner(owner).is_some());
        let exposure = Exposure {
            all: limits.of_all().map(|_| self.of(None, unit, quotes)),
            owner: owner.map(|owner| self.of(Some(owner), unit, quotes)),
        };
        (exposure != Exposure::default()).then_some(exposure)
    }

    /// The same, of the groups that the agent of a session belongs to.
    pub fn told_to(
        &self,
        gateway: &Gateway,
        session: &Session,
        inner: &Inner,
        house: &HouseState,
        unit: &Currency,
    ) -> Option<Exposure> {
        let quotes = Quotes {
            venues: &gateway.prices,
            now: gateway.clock.now(),
            longest: gateway.settings.reference_max_age,
            lease: gateway.settings.view_lease,
        };
        // An agent counts for the owner it is registered under. Should its mandate name another, nothing is told of that one, which refuses.
        let owner = session.owner(gateway).filter(|owner| inner.owner == Some(*owner));
        self.told(house, owner.as_ref(), unit, &quotes)
    }

    /// The same, with another part in the agent's place; the book is as before when it returns.
    pub fn told_with(
        &mut self,
        part: AgentExposure,
        gateway: &Gateway,
        session: &Session,
        inner: &Inner,
        house: &HouseState,
        unit: &Currency,
    ) -> Option<Exposure> {
        let agent = session.slot.agent;
        let kept = self.agents.get(&agent).map(|row| row.part.clone()).unwrap_or_default();
        self.put(agent, inner.owner, part);
        let told = self.told_to(gateway, session, inner, house, unit);
        self.put(agent, inner.owner, kept);
        told
    }

    fn of(&self, owner: Option<&OwnerId>, unit: &Currency, quotes: &Quotes<'_>) -> GroupExposure {
        let overdue = |(agent, since): (&AgentId, &Instant)| {
            let of_group = || owner.is_none() || self.agents.get(agent).and_then(|row| row.owner.as_ref()) == owner;
            since.elapsed() > quotes.lease && of_group()
        };
        if self.stale.iter().any(overdue) {
            return GroupExposure::default();
        }
        match owner {
            None => self.all.told(unit, |instrument| quotes.of(instrument, unit)),
            Some(owner) => match self.owners.get(owner) {
                Some(sum) => sum.told(unit, |instrument| quotes.of(instrument, unit)),
                None => GroupSum::default().told(unit, |_| Quoted::Nowhere),
            },
        }
    }

    /// Sums anew what left its range: once what was too much is gone, it is told again.
    fn mend(&mut self) {
        // Nothing in a sum is below zero: that of an owner leaves its range no earlier than that of all.
        if !self.all.is_beyond() {
            return;
        }
        let agents = &self.agents;
        self.all = GroupSum::of(agents.values().map(|row| &row.part));
        for (owner, sum) in &mut self.owners {
            let own = agents.values().filter(|row| row.owner.as_ref() == Some(owner));
            *sum = GroupSum::of(own.map(|row| &row.part));
        }
    }
}

/// What the groups of an agent have at stake now, in a unit, where they have limits; nothing is reserved.
#[must_use]
pub fn at_stake(
    gateway: &Gateway,
    session: &Session,
    inner: &Inner,
    house: &HouseState,
    unit: &Currency,
) -> Option<Exposure> {
    if house.exposures().is_empty() {
        return None;
    }
    gateway.exposures.lock().told_to(gateway, session, inner, house, unit)
}

#[cfg(test)]
mod tests;
