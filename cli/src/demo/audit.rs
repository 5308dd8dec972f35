//! The ledger read again after the last order, and held against what the venue received: nothing of it is taken from the bots.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use extensions::{AgentId, canonical};
use gateway_policy::{AgentEvent, CancelState, DecisionKind, OutcomeState, ScoreUse, VenueOrderId};
use ledger::{Ledger, events::Event};
use revocation_core::{
    StandingEvent,
    warning::{WarningDefault, WarningEnd},
};
use serde::Serialize;

/// Entries read at once.
const PAGE: usize = 1_024;

/// What the ledger says of one agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AgentAudit {
    /// Orders decided.
    pub orders: u64,
    /// Of those, permits.
    pub permits: u64,
    /// Refusals and halts, by the first failed check.
    pub refusals: BTreeMap<String, u64>,
    /// Warnings opened, each with its score in millionths.
    pub warnings: Vec<u32>,
    /// How warnings ended.
    pub endings: Vec<String>,
    /// What holds when a warning is not answered, as the last one said.
    pub default: Option<String>,
    /// Scores at which it was revoked, in millionths.
    pub revocations: Vec<u32>,
    /// The number of the first revocation in its stream.
    pub revoked_at: Option<u64>,
    /// Permits with a higher number than that.
    pub permits_after_revocation: u64,
    /// Cancels after its revocation: confirmed at the venue.
    pub cancelled: u64,
    /// Cancels after its revocation that could not be done.
    pub not_cancelled: u64,
    /// What became of its open orders, as the gateway's first report says.
    pub cancels: Option<String>,
    /// Open orders that the halt kept, as the mandate says.
    pub kept: u64,
    /// Orders whose recorded score would have warned or revoked, where scores are only observed.
    pub would_have: u64,
    /// Why it was revoked, in the words of the record's codes: the leading component.
    pub leading: Option<String>,
}

/// What the ledger says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Entries.
    pub entries: u64,
    /// By agent.
    pub agents: BTreeMap<AgentId, AgentAudit>,
    /// Orders the venue took whose permit the ledger does not hold.
    pub orders_without_permit: Vec<String>,
    /// Orders the venue took.
    pub venue_orders: u64,
    /// Permits that were never sent: their deadline had passed, or their agent was halted meanwhile.
    pub withheld: u64,
    /// Webhook deliveries that were recorded as attempted.
    pub deliveries: u64,
    #[serde(skip)]
    permits: BTreeSet<String>,
}

impl Audit {
    /// Reads the whole ledger.
    ///
    /// # Errors
    /// When it cannot be read, or an entry is no event.
    pub async fn of(ledger: &Ledger) -> anyhow::Result<Self> {
        let mut audit = Self::default();
        loop {
            let page = ledger.read_range(audit.entries, PAGE).await?;
            for entry in &page {
                let event = Event::of(entry).with_context(|| format!("the entry at position {}", entry.position))?;
                audit.entries += 1;
                match event {
                    Event::Agent(event) => audit.agent(entry.stream.name(), entry.number, event)?,
                    Event::Delivery(_) => audit.deliveries += 1,
                    Event::HaltReported(report) => {
                        let seen = audit.agents.entry(report.agent).or_default();
                        seen.cancels.get_or_insert(report.in_words);
                    }
                    _ => {}
                }
            }
            if page.len() < PAGE {
                return Ok(audit);
            }
        }
    }

    /// Holds the orders that the venue took (their client ids) against the permits.
    pub fn hold_against(&mut self, taken: impl IntoIterator<Item = String>) {
        for id in taken {
            self.venue_orders += 1;
            if !self.permits.contains(&id) {
                self.orders_without_permit.push(id);
            }
        }
    }

    fn agent(&mut self, name: &str, number: u64, event: AgentEvent) -> anyhow::Result<()> {
        let agent = AgentId::new(name).context("a stream of an agent is named after it")?;
        let seen = self.agents.entry(agent).or_default();
        match event {
            AgentEvent::Decided(decided) => {
                seen.orders += 1;
                if decided.decision == DecisionKind::Permit {
                    seen.permits += 1;
                    seen.permits_after_revocation += u64::from(seen.revoked_at.is_some());
                    self.permits.insert(VenueOrderId::new(&agent, number).to_string());
                } else {
                    let code = decided.primary_code().map_or("NONE", gateway_policy::Code::as_str);
                    *seen.refusals.entry(code.to_owned()).or_default() += 1;
                }
                if decided.decision == DecisionKind::Halt {
                    seen.kept += decided.plan.as_ref().map_or(0, |plan| plan.keep.len() as u64);
                    let component = decided.score.as_ref().map(anomaly::ScoreRecord::top);
                    seen.leading = component.map(|component| format!("{component:?}").to_lowercase());
                }
                seen.would_have += u64::from(matches!(
                    decided.score_use,
                    Some(ScoreUse::WouldWarn | ScoreUse::WouldRevoke)
                ));
            }
            AgentEvent::Outcome(outcome) => {
                self.withheld += u64::from(matches!(outcome.state, OutcomeState::Withheld { .. }));
            }
            AgentEvent::Standing(event) => seen.standing(number, event),
            AgentEvent::CancelOutcome(outcome) if seen.revoked_at.is_some() => match outcome.state {
                CancelState::CouldNot { .. } => seen.not_cancelled += 1,
                _ => seen.cancelled += 1,
            },
            _ => {}
        }
        Ok(())
    }
}

impl AgentAudit {
    fn standing(&mut self, number: u64, event: StandingEvent) {
        match event {
            StandingEvent::WarningOpened(opened) => {
                self.warnings.push(opened.score.unwrap_or_default());
                self.default = Some(word(&opened.default));
            }
            StandingEvent::WarningClosed(closed) => self.endings.push(word(&closed.why)),
            StandingEvent::Revoked(revoked) => {
                self.revocations.push(revoked.score.unwrap_or_default());
                self.revoked_at.get_or_insert(number);
            }
            _ => {}
        }
    }

    /// Whether a warning ended unanswered, and what then held.
    #[must_use]
    pub fn defaulted_to(&self, default: WarningDefault) -> bool {
        self.endings.contains(&word(&WarningEnd::Defaulted)) && self.default == Some(word(&default))
    }
}

/// The word by which the ledger knows a value.
fn word(value: &impl Serialize) -> String {
    String::from_utf8_lossy(&canonical::to_vec(value))
        .trim_matches('"')
        .to_owned()
}
