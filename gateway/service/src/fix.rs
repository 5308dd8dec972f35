//! FIX 4.4 at the gateway: a second way in for bots that speak it, through the same TLS, the same gate and into the same records (docs/fix.md).
//!
//! [`codec`] and [`session`] do no I/O: bytes and facts in, messages and acts out. `orders` puts what is asked into the gateway's terms, `reports`
//! puts what the ledger says into execution reports, `desk` does both for one session, and [`acceptor`] owns the connection.

pub mod acceptor;
pub mod codec;
mod desk;
mod feed;
mod orders;
mod reports;
pub mod session;
mod tags;
#[cfg(test)]
mod tests;

pub use codec::fuzz_message;
