//! Kraken spot REST: our own serialisation, our own credential and nonce, hostile replies.
//!
//! Orders go out as `POST /0/private/AddOrder` under a `cl_ord_id` made of the id that the permit derived, signed with HMAC-SHA512 over the exact bytes sent.
//! What bounds a doubt in time is `deadline`: past it the venue's engine refuses the order. Nothing is ordered before the venue has shown that the key cannot
//! withdraw ([`Kraken::prove`]).

mod credential;
mod names;
mod order;
mod proof;
mod reply;
mod trades;
mod venue;

#[cfg(test)]
mod tests;

pub use credential::{Credential, CredentialError};
pub use names::{asset_of, is_named, settings, symbol_of};
pub use reply::fuzz_kraken_reply;
pub use venue::Kraken;
