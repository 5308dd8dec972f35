//! The report of a demonstration, and its verdict: what did not hold, each by name.

mod words;

use std::{collections::BTreeMap, path::PathBuf};

use extensions::AgentId;
use revocation_core::warning::WarningDefault;
use serde::Serialize;

use super::{
    audit::{AgentAudit, Audit},
    scenario::Fate,
};

/// The score that warns and the one that revokes, in millionths.
const WARN: u32 = 750_000;
const REVOKE: u32 = 850_000;

/// What was measured when a bot was stopped: real milliseconds since its decisive order was sent. What never came is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stopped {
    /// Orders of the misfortune until it was stopped, the decisive one included.
    pub orders: u64,
    /// Until the refusal was there.
    pub reply_ms: Option<f64>,
    /// Idle sessions held open.
    pub sessions: usize,
    /// Until the last of them had ended.
    pub sessions_closed_ms: Option<f64>,
    /// Until OCSP said revoked.
    pub ocsp_ms: Option<f64>,
    /// Until the CRL listed it.
    pub crl_ms: Option<f64>,
    /// Until the webhook was there.
    pub webhook_ms: Option<f64>,
    /// Orders that were tried with its certificate afterwards.
    pub tried_again: u64,
    /// Of those, forwarded.
    pub taken_again: u64,
}

/// One bot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BotReport {
    /// Its name.
    pub agent: AgentId,
    /// What the story had in store for it.
    pub fate: Fate,
    /// What its mandate says of an unanswered warning.
    pub default: WarningDefault,
    /// Where it stands at the end.
    pub standing: String,
    /// What the ledger says.
    pub audit: AgentAudit,
    /// What was measured when it was stopped.
    pub stopped: Option<Stopped>,
    /// Orders it never sent, because it was stopped.
    pub unsent: u64,
    /// Whether the CRL that is kept lists its certificate; absent for a bot that was not stopped.
    pub in_crl_file: Option<bool>,
    /// After its warning ended in the default: a reduction that was permitted, an increase that was refused.
    pub reduced: Option<bool>,
}

/// The recorded stream that further bots replayed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The file.
    pub file: PathBuf,
    /// Bots.
    pub bots: usize,
    /// Orders.
    pub orders: usize,
    /// Rows left out.
    pub left_out: usize,
    /// Weeks by which they were moved.
    pub weeks: i64,
}

/// Everything there is to say.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The folder.
    pub directory: PathBuf,
    /// Whether that folder stays.
    pub kept: bool,
    /// Orders decided.
    pub orders: u64,
    /// Permits.
    pub permits: u64,
    /// Refusals by code.
    pub refusals: BTreeMap<String, u64>,
    /// Warnings.
    pub warnings: usize,
    /// Revocations.
    pub revocations: usize,
    /// Permits numbered after their agent's revocation.
    pub permits_after_revocation: u64,
    /// Orders the venue took.
    pub venue_orders: u64,
    /// Permits that were never sent.
    pub withheld: u64,
    /// Orders the venue took without a permit in the ledger.
    pub orders_without_permit: u64,
    /// The order from a region that the certificate does not list: how it was answered.
    pub foreign_region: Option<String>,
    /// Entries of the ledger.
    pub entries: u64,
    /// Webhooks taken, and refused for their signature.
    pub webhooks: (usize, u64),
    /// Each bot.
    pub bots: Vec<BotReport>,
    /// The recorded stream.
    pub replayed: Option<Replayed>,
    /// What the offline verification said.
    pub verified: Option<String>,
    /// Where the offline verification stopped.
    pub tampered: Option<String>,
    /// Certificates and other files that were kept.
    pub files: Vec<String>,
    /// Real seconds of each part.
    pub seconds: Vec<(String, f64)>,
    /// What does not hold. Empty when everything does.
    pub faults: Vec<String>,
}

impl Report {
    /// Takes the figures of the ledger.
    pub fn take(&mut self, audit: &Audit) {
        self.entries = audit.entries;
        self.venue_orders = audit.venue_orders;
        self.withheld = audit.withheld;
        self.orders_without_permit = audit.orders_without_permit.len() as u64;
        for agent in audit.agents.values() {
            self.orders += agent.orders;
            self.permits += agent.permits;
            self.warnings += agent.warnings.len();
            self.revocations += agent.revocations.len();
            self.permits_after_revocation += agent.permits_after_revocation;
            for (code, count) in &agent.refusals {
                *self.refusals.entry(code.clone()).or_default() += count;
            }
        }
    }

    /// What does not hold, in words.
    #[must_use]
    pub fn judge(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut hold = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        hold(self.permits > 0, "no order was permitted".to_owned());
        hold(
            self.permits_after_revocation == 0,
            format!(
                "{} permits are numbered after their agent's revocation",
                self.permits_after_revocation
            ),
        );
        hold(
            self.orders_without_permit == 0,
            format!(
                "the venue took {} orders that have no permit in the ledger",
                self.orders_without_permit
            ),
        );
        hold(self.venue_orders > 0, "the venue took no order".to_owned());
        let why = self.tampered.as_deref().unwrap_or("nothing was read");
        hold(self.verified.is_some(), format!("the ledger was not verified: {why}"));
        hold(
            self.webhooks.1 == 0,
            format!("{} webhooks had no valid signature", self.webhooks.1),
        );
        hold(
            self.foreign_region.as_deref() == Some("REGION_NOT_ALLOWED"),
            format!(
                "an order from an unlisted region was answered {:?}, not REGION_NOT_ALLOWED",
                self.foreign_region
            ),
        );
        for bot in &self.bots {
            faults.extend(bot.judge());
        }
        faults
    }
}

impl BotReport {
    fn judge(&self) -> Vec<String> {
        match self.fate {
            Fate::RunsAway | Fate::KeyStolen => self.judge_stopped(),
            Fate::Drifts => self.judge_warned(),
            Fate::Unharmed => self.judge_unharmed(),
            Fate::Replays => self.judge_replayed(),
        }
    }

    fn judge_stopped(&self) -> Vec<String> {
        let name = &self.agent;
        let Some(stopped) = self.stopped.as_ref().filter(|_| self.audit.revoked_at.is_some()) else {
            return vec![format!("{name} was not stopped")];
        };
        let mut faults = Vec::new();
        let sessions = format!("the last of {} idle sessions closing", stopped.sessions);
        for (what, measured) in [
            ("the refusal", stopped.reply_ms),
            (
                sessions.as_str(),
                stopped.sessions_closed_ms.filter(|_| stopped.sessions > 0),
            ),
            ("OCSP saying revoked", stopped.ocsp_ms),
            ("the CRL listing it", stopped.crl_ms),
            ("the webhook", stopped.webhook_ms),
        ] {
            if measured.is_none() {
                faults.push(format!("{name}: {what} was not seen"));
            }
        }
        if self.audit.revocations.first().is_none_or(|score| *score < REVOKE) {
            faults.push(format!(
                "{name} was revoked at {:?}, not by its score",
                self.audit.revocations
            ));
        }
        if self.in_crl_file != Some(true) {
            faults.push(format!("{name}: crl.der does not list its certificate"));
        }
        if stopped.taken_again > 0 {
            faults.push(format!(
                "{name}: {} orders were taken after its revocation",
                stopped.taken_again
            ));
        }
        if self.audit.not_cancelled > 0 {
            faults.push(format!(
                "{name}: {} open orders could not be cancelled",
                self.audit.not_cancelled
            ));
        }
        faults
    }

    fn judge_warned(&self) -> Vec<String> {
        let (name, audit) = (&self.agent, &self.audit);
        let mut faults = Vec::new();
        if !audit.warnings.iter().any(|score| (WARN..REVOKE).contains(score)) {
            faults.push(format!("{name} was not warned"));
        } else if !audit.defaulted_to(self.default) {
            faults.push(format!(
                "{name}'s warning ended {:?}, not in its mandate's default",
                audit.endings
            ));
        }
        if audit.revoked_at.is_some() {
            faults.push(format!("{name} was revoked instead of warned"));
        }
        if self.default == WarningDefault::ReduceOnly && self.reduced != Some(true) {
            faults.push(format!("{name} may only reduce, and its reduction was not permitted"));
        }
        faults
    }

    fn judge_unharmed(&self) -> Vec<String> {
        let (name, audit) = (&self.agent, &self.audit);
        let mut faults = Vec::new();
        if !audit.warnings.is_empty() || audit.revoked_at.is_some() {
            faults.push(format!(
                "{name} did nothing wrong, and was warned {} times",
                audit.warnings.len()
            ));
        }
        if audit.permits == 0 || self.unsent > 0 {
            faults.push(format!("{name} did not go on to the end"));
        }
        faults
    }

    fn judge_replayed(&self) -> Vec<String> {
        let audit = &self.audit;
        if audit.permits == 0 || audit.revoked_at.is_some() || !audit.warnings.is_empty() {
            return vec![format!(
                "{} replays under observed scoring, and was refused or stopped",
                self.agent
            )];
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bot(fate: Fate, name: &str) -> BotReport {
        BotReport {
            agent: AgentId::new(name).unwrap(),
            fate,
            default: WarningDefault::ReduceOnly,
            standing: String::new(),
            audit: AgentAudit {
                permits: 9,
                ..AgentAudit::default()
            },
            stopped: None,
            unsent: 0,
            reduced: None,
            in_crl_file: None,
        }
    }

    fn good() -> Report {
        let mut stopped = bot(Fate::RunsAway, "a");
        stopped.in_crl_file = Some(true);
        stopped.audit.revoked_at = Some(7);
        stopped.audit.revocations = vec![900_000];
        stopped.stopped = Some(Stopped {
            sessions: 4,
            reply_ms: Some(1.0),
            sessions_closed_ms: Some(1.0),
            ocsp_ms: Some(1.0),
            crl_ms: Some(1.0),
            webhook_ms: Some(1.0),
            ..Stopped::default()
        });
        let mut warned = bot(Fate::Drifts, "b");
        warned.audit.warnings = vec![760_000];
        warned.audit.endings = vec!["defaulted".to_owned()];
        warned.audit.default = Some("reduce_only".to_owned());
        warned.reduced = Some(true);
        Report {
            permits: 9,
            venue_orders: 9,
            verified: Some("fine".to_owned()),
            foreign_region: Some("REGION_NOT_ALLOWED".to_owned()),
            bots: vec![stopped, warned, bot(Fate::Unharmed, "c"), bot(Fate::Replays, "d")],
            ..Report::default()
        }
    }

    /// A good report has no fault; each single thing that is off has exactly its own.
    #[test]
    fn whatever_does_not_hold_is_named() {
        assert_eq!(good().judge(), Vec::<String>::new());
        type Change = fn(&mut Report);
        let off: [(Change, &str); 12] = [
            (|report| report.permits_after_revocation = 1, "numbered after"),
            (|report| report.orders_without_permit = 1, "no permit"),
            (|report| report.verified = None, "not verified"),
            (|report| report.foreign_region = None, "unlisted region"),
            (|report| report.bots[0].stopped = None, "a was not stopped"),
            (|report| report.bots[0].stopped.as_mut().unwrap().ocsp_ms = None, "OCSP"),
            (
                |report| report.bots[0].stopped.as_mut().unwrap().taken_again = 1,
                "after its revocation",
            ),
            (|report| report.bots[0].in_crl_file = Some(false), "crl.der"),
            (|report| report.bots[1].audit.warnings.clear(), "b was not warned"),
            (
                |report| report.bots[1].audit.endings = vec!["decayed".to_owned()],
                "default",
            ),
            (|report| report.bots[2].audit.warnings.push(760_000), "nothing wrong"),
            (|report| report.bots[3].audit.revoked_at = Some(1), "d replays"),
        ];
        for (change, named) in off {
            let mut report = good();
            change(&mut report);
            let faults = report.judge();
            assert!(faults.len() == 1 && faults[0].contains(named), "{named}: {faults:?}");
        }
    }
}
