//! The state of the modelled world.

use crate::{Rules, guarantees::Guarantee};

/// Orders of the bot, each with its own `client_order_id`. An order is its index.
pub const ORDERS: usize = 2;
/// Gateways on one ledger.
pub const GATEWAYS: usize = 2;
/// Ticks from the decision within which a send may start.
pub const DEADLINE_TICKS: u8 = 1;
/// Ticks a process may stall between the check and the bytes leaving; longer, and it has lost its lease and stops.
pub const LEASE_TICKS: u8 = 1;
/// Ticks bytes may be on their way to the venue; longer, and they are lost.
pub const DELAY_TICKS: u8 = 1;
/// Entries the agent's stream may hold; histories that want more are cut (only wrong rule sets reach it).
pub const LOG_LIMIT: usize = 12;

/// An entry of the agent's stream. Its number is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A recorded decision to forward.
    Permit {
        /// Which order.
        order: u8,
        /// Gateway that decided.
        gateway: u8,
        /// Its instance (counts restarts).
        instance: u8,
        /// Certificate generation it was decided under.
        certificate: u8,
        /// Ticks since the record, while the permit has no end.
        age: u8,
    },
    /// The end of a permit: it reached the venue, or its reservation is released.
    End {
        /// Number of the permit.
        permit: u8,
        /// False: withheld or not found, the reservation is released.
        reached: bool,
        /// Resolved by another instance than the sender.
        by_other: bool,
    },
    /// The agent and its certificate are revoked.
    Revoked {
        /// Id of the append: the halting gateway, or [`GATEWAYS`] for the officer.
        id: u8,
        /// Ticks since the record.
        age: u8,
    },
    /// Officers reinstated the agent with a new certificate.
    Reinstated,
}

/// An append on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// An order (`Exactly`).
    Permit {
        /// Which order.
        order: u8,
        /// Certificate generation.
        certificate: u8,
        /// Number it expects.
        number: u8,
        /// Epoch it was decided under.
        epoch: u8,
        /// Ticks since the decision.
        age: u8,
    },
    /// A report (`Next`, id = the permit's number).
    End {
        /// Number of the permit.
        permit: u8,
        /// Whether it reached the venue.
        reached: bool,
        /// Resolved by another instance.
        by_other: bool,
    },
    /// A revocation by the halting gateway (`Next`, id = the gateway).
    Revoke {
        /// Number it expects; looked at only when `NextNeverFails` is off.
        number: u8,
    },
}

/// A batch whose answer the gateway does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    /// What was handed over.
    pub items: Vec<Item>,
    /// The number each got; `None` when it lost, or the transaction was not applied.
    pub numbers: Vec<Option<u8>>,
    /// Whether the transaction was applied.
    pub applied: bool,
    /// The answer was lost.
    pub lost: bool,
    /// Length of the stream after it.
    pub upto: u8,
}

/// What a gateway holds of one order after its decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hand {
    /// Nothing.
    Empty,
    /// A recorded permit.
    Recorded {
        /// Number of the permit.
        permit: u8,
        /// Ticks on which the deadline counts.
        age: u8,
    },
    /// The check has passed, the bytes have not left.
    Sending {
        /// Number of the permit.
        permit: u8,
        /// Ticks since the check.
        age: u8,
    },
    /// The bytes have left, no answer yet.
    Sent {
        /// Number of the permit.
        permit: u8,
        /// Ticks since they left.
        age: u8,
    },
    /// The venue's answer did not come.
    Doubt {
        /// Number of the permit.
        permit: u8,
        /// Ticks since the bytes left.
        age: u8,
    },
}

/// One gateway process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// Running.
    pub up: bool,
    /// Counts restarts.
    pub instance: u8,
    /// Entries of the stream folded into its view.
    pub folded: u8,
    /// Epoch of the house it has folded.
    pub epoch: u8,
    /// This process has decided to halt the agent (cleared by a reinstatement recorded after its revocation).
    pub halted: bool,
    /// Waits for the store.
    pub queue: Vec<Item>,
    /// Is at the store.
    pub flight: Option<Batch>,
    /// Orders in hand.
    pub hand: [Hand; ORDERS],
}

/// What the officer knows about the revocation asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Officer {
    /// Nothing asked.
    Idle,
    /// The answer was lost, or the append lost: ask again, under the same id.
    Asking,
    /// Acknowledged.
    Done,
}

/// How large a world to explore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Orders the bot sends, at most [`ORDERS`].
    pub orders: u8,
    /// Crashes, over both gateways.
    pub crashes: u8,
    /// Commits (gateways' and officer's) whose answer may be lost.
    pub lost_answers: u8,
    /// Whether gateway 0 may halt the agent.
    pub halt: bool,
    /// Whether the officer may revoke.
    pub revoke: bool,
    /// Whether officers may reinstate the agent, once.
    pub reinstate: bool,
    /// Whether the house may be frozen.
    pub freeze: bool,
    /// The venue takes and answers every send at once: no stall, no doubt. Makes room for a second order.
    pub prompt_venue: bool,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The venue answers at once (constant along a history).
    pub prompt_venue: bool,
    /// Rules in force (constant along a history).
    pub rules: Rules,
    /// The agent's stream.
    pub log: Vec<Entry>,
    /// Ticks since the house was frozen; the epoch is 1 from then on.
    pub frozen: Option<u8>,
    /// The processes.
    pub gateways: [Gateway; GATEWAYS],
    /// Bytes on their way, by gateway and order: the permit's number and the ticks since they left.
    pub wire: [[Option<(u8, u8)>; ORDERS]; GATEWAYS],
    /// How often each order reached the venue.
    pub reached: [u8; ORDERS],
    /// Bit per permit number that reached the venue.
    pub reached_permits: u16,
    /// The officer's revocation.
    pub officer: Officer,
    /// Number the officer's append names when `NextNeverFails` is off.
    pub officer_read: Option<u8>,
    /// The store has processed a revocation, and no reinstatement since.
    pub stop_presented: bool,
    /// Crashes left.
    pub crashes: u8,
    /// Lost answers left.
    pub lost_answers: u8,
    /// Guarantees broken by a step (those that the state alone does not show).
    pub broken: u16,
}

impl World {
    /// The beginning: an active agent, an empty stream, two idle gateways.
    pub fn new(rules: Rules, size: Size) -> World {
        let gateway = Gateway {
            up: true,
            instance: 0,
            folded: 0,
            epoch: 0,
            halted: false,
            queue: Vec::new(),
            flight: None,
            hand: [Hand::Empty; ORDERS],
        };
        World {
            prompt_venue: size.prompt_venue,
            rules,
            log: Vec::new(),
            frozen: None,
            gateways: [gateway.clone(), gateway],
            wire: [[None; ORDERS]; GATEWAYS],
            reached: [0; ORDERS],
            reached_permits: 0,
            officer: Officer::Idle,
            officer_read: None,
            stop_presented: false,
            crashes: size.crashes,
            lost_answers: size.lost_answers,
            broken: 0,
        }
    }

    /// The house's epoch.
    pub fn epoch(&self) -> u8 {
        u8::from(self.frozen.is_some())
    }

    /// Length of the stream; the next number.
    pub fn next_number(&self) -> u8 {
        self.log.len() as u8
    }

    /// Marks a guarantee as broken.
    pub(crate) fn mark_broken(&mut self, guarantee: Guarantee) {
        self.broken |= 1 << guarantee as u16;
    }

    /// Whether the first `upto` entries leave the agent revoked.
    pub fn revoked(&self, upto: u8) -> bool {
        let last = self.log[..usize::from(upto)]
            .iter()
            .rev()
            .find(|entry| matches!(entry, Entry::Revoked { .. } | Entry::Reinstated));
        matches!(last, Some(Entry::Revoked { .. }))
    }

    /// Certificate generation in force after the first `upto` entries.
    pub fn certificate(&self, upto: u8) -> u8 {
        let reinstated = self.log[..usize::from(upto)]
            .iter()
            .filter(|entry| matches!(entry, Entry::Reinstated));
        reinstated.count() as u8
    }
}
