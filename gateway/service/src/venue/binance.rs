//! Binance spot REST: our own serialisation, our own credential, hostile replies.
//!
//! Orders go out as `POST /api/v3/order` with the client id that the permit derived, a fresh timestamp and an HMAC
//! (SHA-256) over the exact bytes sent. What bounds a doubt in time is `recvWindow`: past it the venue refuses the
//! message, so an order that was not there [`Settings::longest_delay_ms`] after its send never will be.

mod credential;
mod list;
mod order;
mod permitted;
mod proof;
mod reply;
mod venue;

#[cfg(test)]
mod rogue;
#[cfg(test)]
mod tests;

pub use super::reach::{BackOff, Budget, Settings, SettingsError};
pub use credential::{Credential, CredentialError};
pub use list::VenueList;
pub use order::{Kind, Side, TimeInForce, VenueOrder};
pub use reply::{
    CancelReply, fuzz_reply, read_cancel, read_list, read_market, read_numbered, read_order, read_orders, read_price,
    read_prices, read_queried, read_rights, read_rules, read_trades,
};
pub use venue::Binance;
