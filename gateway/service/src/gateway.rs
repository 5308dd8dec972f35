//! One gateway instance: what its sessions, its pipeline and its followers share.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use extensions::{AgentId, Clock, Counterparty, GatewayId, mandate::OnHalt};
use gateway_policy::{OpenMark, View};
use ledger::{Ledger, Writer};
use revocation_core::{HouseState, Standing, standing::Mode};

use crate::{
    listener::{
        sessions::Sessions,
        streams::{StreamBounds, Streams},
    },
    metrics::Metrics,
    pipeline::{
        bypass::Explained, decisions::Decisions, exposures::Exposures, mandates::Mandates, prices::Prices, slot::Slot,
    },
    venue::Venue,
};

/// What one instance is told to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name; also the name of its writer.
    pub id: GatewayId,
    /// Messages of one agent that are read in a second; more are counted, not read.
    pub messages_per_second: u32,
    /// A permit is sent within this time of its decision, or never.
    pub send_deadline: Duration,
    /// How long a commit may take beyond the send deadline before its bot is told that the ledger is slow.
    pub commit_margin: Duration,
    /// The oldest reference price that is accepted, by the decision clock.
    pub reference_max_age: Duration,
    /// A view of the ledger older than this refuses.
    pub view_lease: Duration,
    /// How long a repeated order waits for the first one's outcome before it is answered 202.
    pub repeat_patience: Duration,
    /// The longest order body, in bytes.
    pub body_bytes: usize,
    /// From the end of an order's head to the end of its body: a body that comes later is not waited for.
    pub body_time: Duration,
    /// Bounds of `/v1/stream`.
    pub stream: StreamBounds,
}

impl Settings {
    /// The defaults for an instance named `id`.
    #[must_use]
    pub fn new(id: GatewayId) -> Self {
        Self {
            id,
            messages_per_second: 1_000,
            send_deadline: Duration::from_millis(250),
            commit_margin: Duration::from_millis(250),
            reference_max_age: Duration::from_secs(5),
            view_lease: Duration::from_secs(2),
            repeat_patience: Duration::from_secs(5),
            body_bytes: 16 * 1_024,
            body_time: Duration::from_secs(10),
            stream: StreamBounds::default(),
        }
    }
}

/// The house as this gateway last saw it.
#[derive(Debug, Clone, Default)]
pub struct HouseView {
    /// Freezes, regions, thresholds.
    pub state: HouseState,
    /// The epoch that state stands under.
    pub epoch: u64,
    /// The number of the next entry of the house's stream.
    pub next: u64,
    /// An entry could not be read: what the house has decided since is not known, whatever else is read later.
    pub unreadable: bool,
}

/// The venues of one runtime, by the name under which mandates know them.
pub type Venues = HashMap<Counterparty, Arc<dyn Venue>>;

/// One gateway instance.
pub struct Gateway {
    /// What it was told to be.
    pub settings: Settings,
    /// The system of record.
    pub ledger: Ledger,
    /// Its way in.
    pub writer: Writer,
    /// The decision clock.
    pub clock: Arc<dyn Clock>,
    /// The clock of certificates and signatures.
    pub real_clock: Arc<dyn Clock>,
    /// The house.
    pub house: ArcSwap<HouseView>,
    /// Approved documents.
    pub mandates: Mandates,
    /// What officers signed.
    pub decisions: Arc<Decisions>,
    /// What owners and all have at stake, where limits are set for it.
    pub exposures: Arc<Exposures>,
    /// Reference prices, by counterparty.
    pub prices: HashMap<Counterparty, Arc<Prices>>,
    /// The venue's ids of orders of ours.
    pub explained: Explained,
    /// Live connections.
    pub sessions: Sessions,
    /// Open `/v1/stream` sessions.
    pub streams: Streams,
    /// Counters for operators.
    pub metrics: Metrics,
    slots: RwLock<HashMap<AgentId, Arc<Slot>>>,
    started: Instant,
    seen_micros: AtomicU64,
    followed: AtomicU64,
}

impl Gateway {
    /// An instance that has followed nothing yet: see [`crate::pipeline::follow`].
    #[must_use]
    pub fn new(
        settings: Settings,
        ledger: Ledger,
        writer: Writer,
        clock: Arc<dyn Clock>,
        real_clock: Arc<dyn Clock>,
        counterparties: &[Counterparty],
    ) -> Self {
        Self {
            settings,
            ledger,
            writer,
            clock,
            real_clock,
            house: ArcSwap::from_pointee(HouseView::default()),
            mandates: Mandates::default(),
            decisions: Arc::default(),
            exposures: Arc::default(),
            prices: counterparties.iter().map(|c| (*c, Arc::default())).collect(),
            explained: Explained::default(),
            sessions: Sessions::default(),
            streams: Streams::default(),
            metrics: Metrics::default(),
            slots: RwLock::default(),
            started: Instant::now(),
            seen_micros: AtomicU64::new(0),
            followed: AtomicU64::new(0),
        }
    }

    /// The slot of an agent, made when it is the first time.
    pub fn slot(&self, agent: &AgentId) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(agent) {
            return slot.clone();
        }
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots
            .entry(*agent)
            .or_insert_with(|| Arc::new(Slot::new(*agent, self.decisions.clone(), self.exposures.clone())))
            .clone()
    }

    /// Opens an agent's gate when neither its own standing nor the house's keeps it closed ([`Slot::reconsider_gate`]).
    pub fn reconsider_gate(&self, slot: &Slot) {
        slot.reconsider_gate(self.house_mode_of(slot), self.clock.now());
    }

    /// What the house lets the agent do at most.
    fn house_mode_of(&self, slot: &Slot) -> Mode {
        let house = self.house.load();
        let mandate = self.mandates.latest_of(&slot.agent);
        mandate.map_or_else(
            || house.state.mode_of_all(),
            |mandate| house.state.mode_of(&mandate.document.owner),
        )
    }

    /// Whether the agent's orders may go on resting: neither it nor its house is frozen or revoked, and its state is known.
    #[must_use]
    pub fn may_rest(&self, slot: &Slot) -> bool {
        let standing = {
            let inner = slot.lock();
            inner.is_readable().then(|| inner.state.standing_at(self.clock.now()))
        };
        let stopped = standing.is_none_or(|standing| matches!(standing, Standing::Revoked | Standing::Frozen));
        let house = matches!(self.house_mode_of(slot), Mode::Frozen | Mode::Revoked);
        slot.gate_open() && !slot.has_unrecorded_halt() && !stopped && !house
    }

    /// What the agent's halt does with its open orders: by the mandate it was halted under, and otherwise by its latest one. A document that officers
    /// approve later withdraws nothing that the halt's own plan kept.
    #[must_use]
    pub fn on_halt_of(&self, slot: &Slot) -> OnHalt {
        let under = slot.lock().halted_under;
        let mandate = under.and_then(|digest| self.mandates.approved(&digest));
        match mandate {
            Some(mandate) => mandate.document.conduct.on_halt,
            None => self.mandates.on_halt_of(&slot.agent),
        }
    }

    /// Every slot.
    #[must_use]
    pub fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// How many permits are in doubt now, of all agents.
    #[must_use]
    pub fn open_doubts(&self) -> usize {
        let doubts = |slot: &Arc<Slot>| {
            let inner = slot.lock();
            let open = inner.state.open_orders();
            open.iter().filter(|open| open.mark == OpenMark::InDoubt).count()
        };
        self.slots().iter().map(doubts).sum()
    }

    /// The position after the last entry that was followed.
    #[must_use]
    pub fn followed_to(&self) -> u64 {
        self.followed.load(Ordering::Acquire)
    }

    /// Takes note of the position after the last entry that was followed.
    pub fn followed(&self, next: u64) {
        self.followed.store(next, Ordering::Release);
    }

    /// Takes note that the follower has everything the ledger has.
    pub fn seen_now(&self) {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.seen_micros.store(micros, Ordering::Release);
    }

    /// Whether the view of the ledger is inside its lease, and all of the house's stream could be read.
    #[must_use]
    pub fn view(&self) -> View {
        if self.house.load().unreadable {
            return View::Stale;
        }
        let seen = Duration::from_micros(self.seen_micros.load(Ordering::Acquire));
        let fresh = self.started.elapsed().saturating_sub(seen) <= self.settings.view_lease;
        if fresh { View::Fresh } else { View::Stale }
    }
}
