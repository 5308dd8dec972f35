//! The standing of one agent: a fold over its stream, with a closed table of moves.
//!
//! What is not in the table does not happen: `apply` leaves the state as it was and says so, so the fold cannot fail and a
//! forged or misplaced event cannot widen anything.

use extensions::approval::ApprovalRecord;
use extensions::{AgentId, IncidentId, Serial, StreamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, distinct_officers};
use crate::event::{record, record_enum};
use crate::reason::RevocationReason;
use crate::warning::{Warning, WarningClosed, WarningDefault, WarningEnd, WarningOpened};

mod probation;
mod restricted;

pub use probation::{Probation, ProbationStarted};
pub use restricted::{CertificateMove, MOST_RESTRICTED_CERTIFICATES, Restricted};

/// Distinct officers who must have signed a reinstatement.
pub const REINSTATEMENT_OFFICERS: usize = 2;

/// Revoked certificates an agent's state remembers one by one; beyond them the mark of [`StandingState`] stands in.
pub const MOST_REVOKED_CERTIFICATES: usize = 8;

/// What an agent may do now, leaving limits and checks aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Everything within its limits.
    Active,
    /// As active, with tightened caps, until the deadline.
    Warned {
        /// From this moment on the default holds.
        deadline: Timestamp,
        /// What holds then.
        default: WarningDefault,
    },
    /// Verified reductions and cancels.
    ReduceOnly,
    /// Cancels and reads.
    Frozen,
    /// Nothing, until officers sign a reinstatement.
    Revoked,
}

/// The lasting part of standing, from wide to narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything within its limits.
    Active,
    /// Verified reductions and cancels.
    ReduceOnly,
    /// Cancels and reads.
    Frozen,
    /// Nothing.
    Revoked,
}

impl From<WarningDefault> for Mode {
    fn from(default: WarningDefault) -> Self {
        match default {
            WarningDefault::ReduceOnly => Self::ReduceOnly,
            WarningDefault::Freeze => Self::Frozen,
            WarningDefault::Revoke => Self::Revoked,
        }
    }
}

/// An agent may only cancel and read until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentFrozen {
    /// The agent.
    pub agent: AgentId,
    /// Who froze it.
    pub by: Actor,
}
record!(AgentFrozen, "agent.frozen", |event| StreamId::agent(&event.agent));

/// An agent may only reduce and cancel until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentReduceOnly {
    /// The agent.
    pub agent: AgentId,
    /// Who decided it.
    pub by: Actor,
}
record!(AgentReduceOnly, "agent.reduce_only", |event| StreamId::agent(
    &event.agent
));

/// A frozen or reduce-only agent may trade again. Only officers resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentResumed {
    /// The agent.
    pub agent: AgentId,
    /// Who resumed it.
    pub by: Actor,
}
record!(AgentResumed, "agent.resumed", |event| StreamId::agent(&event.agent));

/// An agent is revoked: every certificate it has ever had, until officers sign a reinstatement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentRevoked {
    /// The agent.
    pub agent: AgentId,
    /// Who revoked it.
    pub by: Actor,
    /// The incident it opened, if any.
    pub incident: Option<IncidentId>,
    /// Why, for CRL and OCSP.
    pub reason: RevocationReason,
    /// The score that led to it, in millionths; none when an officer revoked.
    pub score: Option<u32>,
}
record!(AgentRevoked, "agent.revoked", |event| StreamId::agent(&event.agent));

/// One certificate of an agent is revoked; the agent goes on with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRevoked {
    /// The agent.
    pub agent: AgentId,
    /// Who revoked it.
    pub by: Actor,
    /// The end of the certificate's validity; afterwards it need not be remembered.
    pub not_after: Timestamp,
    /// Why, for CRL and OCSP.
    pub reason: RevocationReason,
    /// The certificate.
    pub serial: Serial,
}
record!(CertificateRevoked, "certificate.revoked", |event| StreamId::agent(
    &event.agent
));

/// Over one certificate an agent may only cancel and read until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFrozen {
    /// The agent.
    pub agent: AgentId,
    /// Who froze it.
    pub by: Actor,
    /// The end of the certificate's validity.
    pub not_after: Timestamp,
    /// The certificate.
    pub serial: Serial,
}
record!(CertificateFrozen, "certificate.frozen", |event| StreamId::agent(
    &event.agent
));

/// Over one certificate an agent may only reduce and cancel until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateReduceOnly {
    /// The agent.
    pub agent: AgentId,
    /// Who decided it.
    pub by: Actor,
    /// The end of the certificate's validity.
    pub not_after: Timestamp,
    /// The certificate.
    pub serial: Serial,
}
record!(CertificateReduceOnly, "certificate.reduce_only", |event| {
    StreamId::agent(&event.agent)
});

/// A frozen or reduce-only certificate may be traded under again. Only officers resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateResumed {
    /// The agent.
    pub agent: AgentId,
    /// Who resumed it.
    pub by: Actor,
    /// The certificate.
    pub serial: Serial,
}
record!(CertificateResumed, "certificate.resumed", |event| StreamId::agent(
    &event.agent
));

/// A revoked agent may trade again, under new certificates only. Data; `ca-core` checks the signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentReinstated {
    /// The agent.
    pub agent: AgentId,
    /// In real time: certificates whose validity begins before this moment stay revoked for ever. The CA begins the next
    /// one no earlier.
    pub certificates_from: Timestamp,
    /// The reviewed incident, if one was open.
    pub incident: Option<IncidentId>,
    /// The officers' signatures over this decision; at least [`REINSTATEMENT_OFFICERS`] distinct ones.
    pub signatures: Vec<ApprovalRecord>,
}
record!(AgentReinstated, "agent.reinstated", |event| StreamId::agent(
    &event.agent
));

record_enum! {
    /// Everything in an agent's stream that moves its standing.
    StandingEvent {
        /// Cancels and reads only.
        Frozen(AgentFrozen),
        /// Reductions and cancels only.
        ReduceOnly(AgentReduceOnly),
        /// May trade again after a freeze or reduce-only.
        Resumed(AgentResumed),
        /// Revoked, with all certificates.
        Revoked(AgentRevoked),
        /// One certificate revoked.
        CertificateRevoked(CertificateRevoked),
        /// One certificate: cancels and reads only.
        CertificateFrozen(CertificateFrozen),
        /// One certificate: reductions and cancels only.
        CertificateReduceOnly(CertificateReduceOnly),
        /// One certificate may be traded under again.
        CertificateResumed(CertificateResumed),
        /// May trade again after a revocation.
        Reinstated(AgentReinstated),
        /// May trade for some hours, under a mandate that was signed ahead.
        ProbationStarted(ProbationStarted),
        /// Warned.
        WarningOpened(WarningOpened),
        /// The warning ended.
        WarningClosed(WarningClosed),
    }
}

/// What an event asks of standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Open a warning.
    Warn,
    /// End a warning without narrowing.
    EndWarning,
    /// Reductions only, by an officer.
    ReduceOnly,
    /// Reductions only, by scorer or mandate: may narrow, never widen.
    ReduceOnlyByDefault,
    /// Freeze.
    Freeze,
    /// Revoke.
    Revoke,
    /// Resume, by an officer.
    Resume,
    /// Reinstate, with enough officers' signatures.
    Reinstate,
    /// Begin a probation, with enough officers' signatures.
    Probation,
}

/// The standing of one agent, folded from its stream. Small, bounded, cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingState {
    /// Certificates whose validity begins earlier are revoked: they were, when the agent was.
    certificates_from: Option<Timestamp>,
    mode: Mode,
    /// The probation that is under way, or over; none since a revocation or a reinstatement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probation: Option<Probation>,
    /// Certificates that are frozen or may only reduce.
    #[serde(default, skip_serializing_if = "Restricted::is_none")]
    restricted: Restricted,
    /// Revoked certificates, latest end first, at most [`MOST_REVOKED_CERTIFICATES`].
    revoked: Vec<RevokedCertificate>,
    /// Certificates that end at or before this moment count as revoked: the overflow of `revoked`.
    revoked_through: Option<Timestamp>,
    warning: Option<Warning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedCertificate {
    not_after: Timestamp,
    serial: Serial,
}

impl Default for StandingState {
    fn default() -> Self {
        Self {
            certificates_from: None,
            mode: Mode::Active,
            probation: None,
            restricted: Restricted::default(),
            revoked_through: None,
            revoked: Vec::new(),
            warning: None,
        }
    }
}

impl StandingState {
    /// The standing at `now`. A warning whose deadline has come is its default, whoever is or is not alive.
    #[must_use]
    pub fn effective(&self, now: Timestamp) -> Standing {
        match self.warning {
            Some(warning) if now < warning.deadline && self.mode == Mode::Active => Standing::Warned {
                deadline: warning.deadline,
                default: warning.default,
            },
            _ => match self.mode_at(now) {
                Mode::Active => Standing::Active,
                Mode::ReduceOnly => Standing::ReduceOnly,
                Mode::Frozen => Standing::Frozen,
                Mode::Revoked => Standing::Revoked,
            },
        }
    }

    /// The open warning, if any, its deadline passed or not.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        self.warning
    }

    /// Whether a warning's deadline has come and its end is not yet recorded: the caller owes a `warning.closed`.
    #[must_use]
    pub fn owes_default(&self, now: Timestamp) -> Option<WarningDefault> {
        self.warning
            .filter(|warning| now >= warning.deadline)
            .map(|warning| warning.default)
    }

    /// Whether the certificate `serial`, valid from `not_before` until `not_after`, was revoked: on its own, or with its
    /// agent before a reinstatement. (Under a revoked agent no certificate counts: see [`effective`](Self::effective).)
    #[must_use]
    pub fn certificate_revoked(&self, serial: &Serial, not_before: Timestamp, not_after: Timestamp) -> bool {
        self.certificates_from.is_some_and(|from| not_before < from)
            || self.revoked_through.is_some_and(|through| not_after <= through)
            || self.revoked.iter().any(|revoked| revoked.serial == *serial)
    }

    /// What may be done over one certificate at most, whatever the agent's own standing; `not_after` is the end of its validity.
    #[must_use]
    pub fn certificate_mode(&self, serial: &Serial, not_after: Timestamp) -> Mode {
        self.restricted.mode_of(serial, not_after)
    }

    /// Whether a move of one certificate is in the table.
    #[must_use]
    pub fn permits_certificate(&self, wanted: CertificateMove, serial: &Serial, not_after: Timestamp) -> bool {
        self.restricted.permits(wanted, serial, not_after)
    }

    /// No certificate of this agent that begins earlier is ever accepted again.
    #[must_use]
    pub fn certificates_from(&self) -> Option<Timestamp> {
        self.certificates_from
    }

    /// The probation under which the agent trades at `now`, whatever narrows it further.
    #[must_use]
    pub fn probation(&self, now: Timestamp) -> Option<Probation> {
        self.probation.filter(|probation| now < probation.until)
    }

    /// Whether `wanted` is in the table at `now`. Everything else refuses.
    #[must_use]
    pub fn permits(&self, wanted: Move, now: Timestamp) -> bool {
        self.after(wanted, now).is_some()
    }

    /// Folds one event decided at `at`. Returns whether it moved anything; an event outside the table does not.
    pub fn apply(&mut self, event: &StandingEvent, at: Timestamp) -> bool {
        let wanted = match event {
            StandingEvent::CertificateRevoked(event) => return self.remember(event),
            StandingEvent::CertificateFrozen(event) => {
                return self.restricted.frozen(event.serial, event.not_after);
            }
            StandingEvent::CertificateReduceOnly(event) => {
                let by_officer = matches!(event.by, Actor::Officer(_));
                return by_officer && self.restricted.reduce_only(event.serial, event.not_after);
            }
            StandingEvent::CertificateResumed(event) => {
                let by_officer = matches!(event.by, Actor::Officer(_));
                return by_officer && self.restricted.resumed(&event.serial);
            }
            StandingEvent::WarningOpened(event) => {
                if !self.permits(Move::Warn, at) {
                    return false;
                }
                self.settle(at);
                self.warning = Some(Warning {
                    deadline: event.deadline,
                    default: event.default,
                });
                return true;
            }
            StandingEvent::WarningClosed(event) => return self.end_warning(event.why, at),
            StandingEvent::Frozen(_) => Move::Freeze,
            StandingEvent::ReduceOnly(event) => match event.by {
                Actor::Officer(_) => Move::ReduceOnly,
                _ => Move::ReduceOnlyByDefault,
            },
            StandingEvent::Resumed(event) => match event.by {
                Actor::Officer(_) => Move::Resume,
                _ => return false,
            },
            StandingEvent::Revoked(_) => Move::Revoke,
            StandingEvent::Reinstated(event) => {
                if distinct_officers(&event.signatures) < REINSTATEMENT_OFFICERS {
                    return false;
                }
                Move::Reinstate
            }
            StandingEvent::ProbationStarted(event) => {
                if distinct_officers(&event.signatures) < REINSTATEMENT_OFFICERS {
                    return false;
                }
                Move::Probation
            }
        };
        let Some(mode) = self.after(wanted, at) else {
            return false;
        };
        if let StandingEvent::Reinstated(event) = event {
            self.certificates_from = self.certificates_from.max(Some(event.certificates_from));
        }
        match event {
            StandingEvent::ProbationStarted(event) => {
                self.certificates_from = self.certificates_from.max(Some(event.certificates_from));
                self.probation = Some(Probation::of(event, at));
            }
            StandingEvent::Reinstated(_) | StandingEvent::Revoked(_) => self.probation = None,
            _ => {}
        }
        self.mode = mode;
        self.warning = None;
        true
    }

    /// The table: the mode after `wanted`, or `None` when the move is not allowed.
    fn after(&self, wanted: Move, now: Timestamp) -> Option<Mode> {
        let warned = self.warning.is_some_and(|warning| now < warning.deadline);
        match (self.mode_at(now), wanted) {
            (Mode::Active, Move::Warn) if !warned => Some(Mode::Active),
            (Mode::Active, Move::EndWarning) if warned => Some(Mode::Active),
            (Mode::Active, Move::ReduceOnly | Move::ReduceOnlyByDefault) => Some(Mode::ReduceOnly),
            (Mode::Frozen, Move::ReduceOnly) => Some(Mode::ReduceOnly),
            (Mode::Active | Mode::ReduceOnly, Move::Freeze) => Some(Mode::Frozen),
            (Mode::Active | Mode::ReduceOnly | Mode::Frozen, Move::Revoke) => Some(Mode::Revoked),
            (Mode::ReduceOnly | Mode::Frozen, Move::Resume) => Some(Mode::Active),
            (Mode::Revoked, Move::Reinstate) => Some(Mode::Active),
            // Once after a revocation: what a probation leaves behind is no ground for another.
            (Mode::Revoked, Move::Probation) if self.probation.is_none() => Some(Mode::Active),
            // The review ended before the probation did. What narrows the agent by then stays.
            (mode, Move::Reinstate) if self.probation.is_some() => Some(mode),
            _ => None,
        }
    }

    fn mode_at(&self, now: Timestamp) -> Mode {
        // A probation ends by itself, whoever is or is not alive.
        if self.probation.is_some_and(|probation| now >= probation.until) {
            return Mode::Revoked;
        }
        match self.owes_default(now) {
            Some(default) => self.mode.max(default.into()),
            None => self.mode,
        }
    }

    /// Makes a passed deadline's default lasting.
    fn settle(&mut self, at: Timestamp) {
        if self.owes_default(at).is_some() {
            self.mode = self.mode_at(at);
            self.warning = None;
        }
    }

    fn end_warning(&mut self, why: WarningEnd, at: Timestamp) -> bool {
        let Some(warning) = self.warning else {
            return false;
        };
        let late = at >= warning.deadline || why == WarningEnd::Defaulted;
        let narrowed = match why {
            WarningEnd::ReducedOnly => Mode::ReduceOnly,
            WarningEnd::Frozen => Mode::Frozen,
            WarningEnd::Revoked => Mode::Revoked,
            _ => Mode::Active,
        };
        let default = if late { warning.default.into() } else { Mode::Active };
        self.mode = self.mode.max(default).max(narrowed);
        self.warning = None;
        true
    }

    /// Which certificates have ended is a question of real time; the fold only has the decision clock, so nothing is
    /// forgotten by time: what no longer fits raises the mark instead.
    fn remember(&mut self, event: &CertificateRevoked) -> bool {
        let known = self.revoked.iter().any(|revoked| revoked.serial == event.serial);
        if known || self.revoked_through.is_some_and(|through| event.not_after <= through) {
            return false;
        }
        let place = self
            .revoked
            .partition_point(|revoked| revoked.not_after >= event.not_after);
        self.revoked.insert(
            place,
            RevokedCertificate {
                not_after: event.not_after,
                serial: event.serial,
            },
        );
        if self.revoked.len() > MOST_REVOKED_CERTIFICATES
            && let Some(oldest) = self.revoked.pop()
        {
            self.revoked_through = self.revoked_through.max(Some(oldest.not_after));
        }
        true
    }
}

#[cfg(test)]
mod tests;
