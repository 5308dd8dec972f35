//! A small model of the agent stream: two gateways, one bot, officers, a venue, time, lost answers and crashes.
//!
//! It exists because guarantees 1 to 3 of the architecture (no send without a durable record, no permit after a
//! revocation, no order twice) rest on a handful of rules that only matter in races no test run would meet. The
//! tests of this crate let a model checker walk through *every* interleaving of a small world: with all [`Rule`]s
//! on, no [`Guarantee`] breaks; with any single rule off, the checker prints a history that breaks one.
//!
//! **The world.** One agent with [`ORDERS`] orders, each of which the bot may hand to either gateway (a resend
//! after a time-out). A gateway decides on its own fold of the stream plus what it has queued, hands a batch to
//! the store, learns the result, sends what was recorded, reports the end. An officer revokes (the answer to the
//! commit may be lost), reinstates, freezes the house. Gateway 0 may halt the agent by itself. A gateway may crash
//! and come back as a new instance. Time moves in ticks; the send deadline, a stalled process's lease and the
//! venue's longest delay are one tick each.
//!
//! **What is left out.** Limits, scores, cancels, fills and the reserve file: they do not decide about numbering
//! or sending. Refused orders are answered and not recorded here, since they can only lengthen the stream.
//! The store is one atomic step per batch, as the `head` row's lock makes it; that two commits exclude each other
//! is the database's promise and is tested on the real store.
//!
//! `docs/model.md` maps each rule to the sentence it stands for.

mod actions;
mod gateway;
mod guarantees;
mod rules;
mod store;
mod world;

pub use actions::{Action, Fate, actions, step};
pub use guarantees::{Guarantee, Milestone, breaks};
pub use rules::{Rule, Rules};
pub use world::{
    Batch, DEADLINE_TICKS, DELAY_TICKS, Entry, GATEWAYS, Gateway, Hand, Item, LEASE_TICKS, LOG_LIMIT, ORDERS, Officer,
    Size, World,
};
