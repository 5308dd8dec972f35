//! What a proposed mandate would have done to an agent's past orders: its stream folded as the gateways fold it, and each order of the period
//! decided again.
//!
//! One look at a time in a process, on a thread that may block. A look reads so many entries at most; the state that a period begins with is kept,
//! so that a stream of millions is caught up with over several looks, each of which answers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use anomaly::{ApprovedBaseline, BaselineProposed, ProposedBaseline};
use ca_core::unusual::Used;
use extensions::{AgentId, Currency, Decimal, Digest, EffectiveLimits, MandateDocument, Timestamp, canonical};
use gateway_policy::{
    AgentEvent, AgentState, DecisionKind, EntryAt, Mandate, OrderDecided, Replay,
    whatif::{Compared, DecidedAt, comes_out_again},
};
use ledger::CommittedEntry;
use tokio::sync::Semaphore;

use crate::view::HousePast;

/// The days that a look may go back.
pub(crate) const MOST_DAYS: u32 = 90;
/// Orders of one direction that are told one by one.
const MOST_TOLD: usize = 5;
/// Agents whose beginning of a period is kept; the one that was looked at longest ago leaves.
const MOST_KEPT: usize = 16;
/// Baselines of an agent that are kept, proposed and approved; the oldest leaves.
const MOST_BASELINES: usize = 16;

/// Entries of the period that one look reads, and as many before it.
const MOST_ENTRIES: u64 = 50_000;

/// Whose turn it is, and where looks began.
pub(crate) struct Pasts {
    pub(crate) turn: Arc<Semaphore>,
    /// How many entries a look reads of the period, and as many before it.
    pub(crate) most: u64,
    pub(crate) kept: Mutex<Vec<Before>>,
}

impl Default for Pasts {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            most: MOST_ENTRIES,
            kept: Mutex::default(),
        }
    }
}

impl Pasts {
    /// The agent as a look left it, if that is not behind `number` already; else its very beginning.
    pub(crate) fn take(&self, agent: &AgentId, number: u64) -> Before {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|before| before.state.agent() == agent);
        let found = at.map(|at| kept.remove(at));
        let found = found.filter(|before| before.state.next_number() <= number);
        found.unwrap_or_else(|| Before::new(*agent))
    }

    pub(crate) fn keep(&self, before: Before) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|known| known.state.agent() != before.state.agent());
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push(before);
    }
}

/// An agent before an entry of its stream.
#[derive(Clone)]
pub(crate) struct Before {
    state: AgentState,
    proposed: Vec<Arc<BaselineProposed>>,
    approved: Vec<Arc<ApprovedBaseline>>,
}

impl Before {
    fn new(agent: AgentId) -> Self {
        Self {
            state: AgentState::new(agent),
            proposed: Vec::new(),
            approved: Vec::new(),
        }
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.state.next_number()
    }

    /// Takes an entry in; one that officers should have decided and did not only takes its number, as at the gateways.
    pub(crate) fn take(&mut self, entry: &CommittedEntry, obeyed: bool) {
        let event = if obeyed { event(entry) } else { AgentEvent::Other };
        self.take_event(entry, &event);
    }

    fn take_event(&mut self, entry: &CommittedEntry, event: &AgentEvent) {
        let place = EntryAt {
            number: entry.number,
            at: entry.at,
        };
        self.state.apply(place, event);
        if &*entry.kind == "baseline.proposed"
            && let Ok(proposed) = canonical::from_slice::<BaselineProposed>(entry.body())
        {
            pushed(&mut self.proposed, Arc::new(proposed));
        }
        if let AgentEvent::BaselineApproved(approval) = event {
            let mut proposed = self.proposed.iter();
            let content = proposed.find(|one| one.digest == approval.baseline);
            let proposed = content.and_then(|one| ProposedBaseline::new(one.baseline.clone()).ok());
            if let Some(Ok(approved)) = proposed.map(|proposed| proposed.approve(approval)) {
                pushed(&mut self.approved, Arc::new(approved));
            }
        }
    }
}

fn event(entry: &CommittedEntry) -> AgentEvent {
    AgentEvent::decode(&entry.kind, entry.body()).unwrap_or(AgentEvent::Other)
}

fn pushed<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() >= MOST_BASELINES {
        kept.remove(0);
    }
    kept.push(one);
}

/// A document with its limits compiled, as a gateway holds it.
pub(crate) struct Held {
    digest: Digest,
    document: MandateDocument,
    limits: EffectiveLimits,
}

impl Held {
    pub(crate) fn new(document: MandateDocument) -> Self {
        Self {
            digest: document.digest(),
            limits: EffectiveLimits::of(&document.limits),
            document,
        }
    }

    fn mandate(&self) -> Mandate<'_> {
        Mandate {
            digest: self.digest,
            document: &self.document,
        }
    }
}

/// One look.
pub(crate) struct Look {
    pub(crate) before: Before,
    house: HousePast,
    /// The mandates that the agent was asked for, by digest.
    documents: HashMap<Digest, Held>,
    asked: Held,
    since: Timestamp,
    /// What came out.
    pub(crate) compared: Compared,
    /// Orders of the period that do not come out as recorded from what is at hand, and so were not compared.
    pub(crate) unlike: u64,
    order: BTreeMap<Currency, Decimal>,
    days: BTreeMap<(Currency, i64), Decimal>,
}

impl Look {
    pub(crate) fn new(
        before: Before,
        house: HousePast,
        documents: Vec<MandateDocument>,
        asked: MandateDocument,
        since: Timestamp,
    ) -> Self {
        let held = documents.into_iter().map(Held::new);
        Self {
            before,
            house,
            documents: held.map(|held| (held.digest, held)).collect(),
            asked: Held::new(asked),
            since,
            compared: Compared::new(MOST_TOLD),
            unlike: 0,
            order: BTreeMap::new(),
            days: BTreeMap::new(),
        }
    }

    /// An entry of the period.
    pub(crate) fn take(&mut self, entry: &CommittedEntry, obeyed: bool) {
        let event = if obeyed { event(entry) } else { AgentEvent::Other };
        if let AgentEvent::Decided(decided) = &event
            && entry.at >= self.since
        {
            self.use_of(entry.at, decided);
            if self.decided(entry, decided).is_none() {
                self.unlike += 1;
            }
        }
        self.before.take_event(entry, &event);
    }

    fn use_of(&mut self, at: Timestamp, decided: &OrderDecided) {
        let Some(notional) = decided.notional.filter(|_| decided.decision == DecisionKind::Permit) else {
            return;
        };
        let currency = decided.order.currency;
        let largest = self.order.entry(currency).or_insert(notional);
        *largest = notional.max(*largest);
        let day = self.days.entry((currency, at.day())).or_default();
        *day = day.checked_add(notional).unwrap_or(*day);
    }

    /// None when the order cannot be compared.
    fn decided(&mut self, entry: &CommittedEntry, decided: &OrderDecided) -> Option<()> {
        let place = DecidedAt {
            number: entry.number,
            epoch: entry.epoch,
            at: entry.at,
        };
        let held = self.documents.get(&decided.mandate?)?;
        let baseline = match decided.score {
            Some(score) => {
                let mut approved = self.before.approved.iter();
                Some(&**approved.find(|one| one.digest() == score.baseline)?)
            }
            None => None,
        };
        let then = Replay {
            limits: Some(&held.limits),
            mandate: Some(held.mandate()),
            baseline,
            house: self.house.at(entry.position),
        };
        let state = &self.before.state;
        if !comes_out_again(decided, place, state, then) {
            return None;
        }
        let asked = Replay {
            limits: Some(&self.asked.limits),
            mandate: Some(self.asked.mandate()),
            ..then
        };
        self.compared.take(decided, place, state, asked).ok()
    }

    /// The largest order and day that were permitted.
    pub(crate) fn used(&self) -> Used {
        let mut day = BTreeMap::<Currency, Decimal>::new();
        for ((currency, _), total) in &self.days {
            let largest = day.entry(*currency).or_insert(*total);
            *largest = (*total).max(*largest);
        }
        Used {
            order: self.order.clone(),
            day,
        }
    }
}
