//! What is unusual about an application: plain comparisons with what the register holds, each said in words with its figures, for the officer
//! who reads beside them. A flag decides nothing, and none is needed to say no.

mod compared;
mod usage;

use std::collections::BTreeMap;

use extensions::{Currency, Decimal, MandateDocument, OfficerId, Timestamp, limits::Authority};
use serde::Serialize;

use crate::register::{Mandate, Register, Revision};

/// The days in which a refusal or a halt is told of.
pub const LATELY_DAYS: i64 = 30;
/// An amount above so many times the largest order, or day, that was used is told of.
pub const TIMES_USED: u32 = 5;
/// Mandates of one owner that are compared, the first by id.
pub const MOST_COMPARED: usize = 1_024;

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flag {
    /// Its stable code.
    pub code: &'static str,
    /// What is asked for, with its unit.
    pub asked: String,
    /// What it is compared with; none when there is nothing to compare with.
    pub against: Option<String>,
    /// Both in a sentence.
    pub words: String,
}

/// A refusal of something that was asked for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Who had asked.
    pub applicant: OfficerId,
    /// Who said no.
    pub by: OfficerId,
    /// When.
    pub at: Timestamp,
}

/// The agent's latest revocation. It may be told on another clock than applications are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halted {
    /// When.
    pub at: Timestamp,
    /// How long ago, on the clock it was told on.
    pub seconds_ago: i64,
}

/// What the register does not hold: what became of the agent and of what was asked for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lately<'a> {
    /// Refusals of applications for this agent.
    pub refused: &'a [Refused],
    /// The agent's latest revocation.
    pub halted: Option<Halted>,
    /// The document that the application is compared with: what the agent may do now.
    pub current: Option<&'a MandateDocument>,
}

/// The largest order and the largest UTC day that were permitted, by currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// One order.
    pub order: BTreeMap<Currency, Decimal>,
    /// One UTC day.
    pub day: BTreeMap<Currency, Decimal>,
}

/// A mandate that somebody holds now.
struct Held<'a> {
    mandate: &'a Mandate,
    revision: &'a Revision,
}

/// All that is unusual, as things stand at `now`. The same register gives the same flags in the same order.
#[must_use]
pub fn unusual(application: &Mandate, register: &Register, lately: Lately<'_>, now: Timestamp) -> Vec<Flag> {
    let held: Vec<Held<'_>> = register
        .mandates()
        .filter_map(|mandate| Some((mandate, mandate.in_force()?)))
        .map(|(mandate, revision)| Held { mandate, revision })
        .filter(|held| held.revision.document().expires > now && !held.revision.is_for_probation())
        .filter(|held| held.revision.digest() != application.asked().digest())
        .collect();
    let document = application.document();
    let mut flags = compared::owner(document, &held);
    flags.extend(compared::first_uses(&document.limits, &held));
    flags.extend(compared::hours(document, lately.current));
    flags.extend(compared::expiry(application, &held));
    flags.extend(compared::code(document, lately.current));
    flags.extend(compared::refused(application, lately.refused, now));
    flags.extend(compared::halted(application, lately.halted));
    flags
}

/// Amounts far above what the agent has used in `days` days. Without an order in a currency nothing is said of it.
#[must_use]
pub fn above_use(limits: &Authority, used: &Used, days: u32) -> Vec<Flag> {
    usage::above(limits, used, days)
}

#[cfg(test)]
mod tests;
