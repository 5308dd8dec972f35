//! The system of record (ARCHITECTURE §2): one append-only log of entries in streams, a Merkle tree over them, a signed checkpoint
//! per batch, and the proof type [`Recorded`] that everything dangerous takes by value.
//!
//! Until an append is durable, nothing has happened. [`Writer::queue`] is the one way in; [`Ledger`] is the way out.

mod answers;
pub mod append;
pub mod checkpoint;
mod committer;
pub mod entry;
pub mod events;
pub mod export;
mod files;
mod head_file;
pub mod keys;
mod ledger;
pub mod receipt;
mod recent;
pub mod reserve;
pub mod seal;
pub mod search;
pub mod store;
pub mod tree;
pub mod verify;
mod writer;

pub use append::{
    Append, AppendError, CommittedEntry, Expect, QueueFull, QueueRefusal, Recorded, Reserved, Task, Urgency,
};
pub use keys::{CheckpointKey, CheckpointKeyAuthorised, EphemeralKey, LedgerStarted, PublicKey};
pub use ledger::{Config, Head, LeasedTask, Ledger, LedgerError, TaskId};
pub use receipt::{Receipt, ReceiptError, verify_receipt};
pub use writer::{MOST_WAITING, PATIENCE, Pending, Writer};

#[cfg(test)]
mod tests;
