//! Tells the world who may no longer trade: CRL, OCSP and CA certificates over plain HTTP, webhooks, calendar jobs.
//!
//! Everything here follows the ledger and reports into it; nothing here decides, holds a CA key, or stands in the way of
//! an order. When this role is down, halts still halt: the gateway reads standing from the ledger (ARCHITECTURE §5, 9).

pub mod calendar;
pub mod crl_job;
pub mod follow;
pub mod log;
pub mod role;
pub mod status;
pub mod webhook;

pub use calendar::{Calendar, CalendarError};
pub use crl_job::{CrlSource, OutboxCrl};
pub use log::{LedgerLog, Log, LogError};
pub use role::{Role, RoleConfig, RoleError, RoleOutside};
pub use status::{StatusConfig, StatusState};
pub use webhook::{SubscriptionConfig, Webhooks};

#[cfg(test)]
mod testing;
