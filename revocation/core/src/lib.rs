//! Who may trade, and how the world learns that somebody no longer may.
//!
//! This crate decides; it does nothing. It holds the standing of an agent with its allowed moves, the freezes of the house,
//! warnings with their deadlines, incidents and their reviews, the plan and the report of a halt, and the content of CRLs
//! and OCSP replies. It is pure: no clock, file, socket or SQL; `now` and the signer come in.

pub mod actor;
pub mod crl;
pub mod exposure;
pub mod halt;
pub mod house;
pub mod incident;
pub mod jobs;
#[cfg(test)]
mod judges;
pub mod levels;
pub mod ocsp;
pub mod reason;
pub mod regions;
mod signing;
pub mod standing;
pub mod status;
#[cfg(test)]
mod testing;
pub mod warning;
pub mod webhooks;

pub use actor::Actor;
pub use exposure::{ExposureLimits, ExposureSet};
pub use halt::{HaltPlan, HaltReport, HaltReported};
pub use house::{HouseEvent, HouseMode, HouseScope, HouseState, Thresholds};
pub use incident::{IncidentOpened, IncidentState};
pub use jobs::JobEvent;
pub use levels::ScoreLevels;
pub use reason::RevocationReason;
pub use regions::RegionTable;
pub use standing::{Standing, StandingEvent, StandingState};
pub use warning::{WarningDefault, WarningEnd};

mod event;
#[cfg(test)]
mod event_tests;
