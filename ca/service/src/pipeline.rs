//! A bot's certificate, from recorded approval to record: check again, reserve, sign, verify, record.

use ca_core::{
    approval::{ApprovalError, verify_approval},
    csr,
    events::{CaCertificateUse, CertificateReserved},
    issue::{BotIssue, PreparedBot, issued_event, prepare_bot},
    register::RequestState,
    renewal,
    succession::Issuing,
};
use ca_keys::SystemRandom;
use extensions::Timestamp;
use ledger::{Append, AppendError};
use revocation_core::{Actor, RevocationReason, standing::CertificateRevoked, status::CertificateStatus};

use crate::{CaError, CaService, IssueTask, view::View};

/// How often a reservation is decided anew when others write in the same stream.
const MOST_CONFLICTS: usize = 8;

impl CaService {
    pub(crate) async fn issue_task(&self, payload: &str) -> Result<(), CaError> {
        let task: IssueTask = serde_json::from_str(payload)
            .map_err(|error| CaError::Refused(format!("the task is unreadable: {error}")))?;
        self.issue(&task).await
    }

    /// Issues, unless it was issued already.
    ///
    /// # Errors
    /// When a record does not hold, or the ledger fails.
    pub async fn issue(&self, task: &IssueTask) -> Result<(), CaError> {
        for _ in 0..MOST_CONFLICTS {
            let mut view = self.view.lock().await;
            let epoch = view.catch_up(&self.ledger).await?;
            let issuing = Self::newest(&view.register, CaCertificateUse::AgentIssuing)?;
            let Some((prepared, number)) = self.prepare(&view, task, &issuing)? else {
                return Ok(());
            };
            let (_, _, signer) = self.authority(&view.register, &issuing)?;
            let PreparedBot { prepared, reserved } = prepared;
            let append = Append::exactly(reserved, self.clock.now(), number, epoch).serial(prepared.serial());
            let reserved = match self.writer.append(append).await {
                Ok(recorded) => recorded.into_record(),
                Err(AppendError::Conflict { .. } | AppendError::SerialTaken { .. }) => continue,
                Err(error) => return Err(CaError::Append(error.to_string())),
            };
            let superseded = superseded(&view, task, &reserved, self.clock.now());
            drop(view);
            // From here on the serial is spent: whatever fails, the next attempt reserves another.
            let issued = prepared.sign(signer.as_ref())?.seal()?;
            let event = issued_event(&issued, &reserved);
            let id = format!("issued-{}", event.serial);
            let append = Append::next(event, self.clock.now()).with_id(id);
            let append = superseded.into_iter().fold(append, Append::also);
            self.writer
                .append(append)
                .await
                .map_err(|error| CaError::Append(error.to_string()))?;
            return Ok(());
        }
        Err(CaError::Append(format!(
            "lost {MOST_CONFLICTS} times to other writers of the mandate's stream"
        )))
    }

    /// Every check again, on the records alone. `None` when there is nothing to do.
    fn prepare(&self, view: &View, task: &IssueTask, issuing: &Issuing) -> Result<Option<(PreparedBot, u64)>, CaError> {
        let register = &view.register;
        let refused = |reason: &str| CaError::Refused(reason.to_owned());
        let mandate = register
            .mandate(&task.mandate)
            .ok_or_else(|| refused("no such mandate"))?;
        let request = mandate.request(&task.csr).ok_or_else(|| refused("no such request"))?;
        if matches!(request.state, RequestState::Issued { .. }) {
            return Ok(None);
        }
        let in_force = mandate.in_force().ok_or(ApprovalError::NotApproved)?;
        self.in_step_with(view)?;
        let now = self.clock.now();
        if view.is_revoked(in_force.agent(), in_force.owner(), now) {
            return Err(refused("the agent, its owner or all are revoked"));
        }
        if !view.is_open(in_force, now) {
            return Err(refused(
                "a mandate that was signed ahead opens by its agent's probation alone, and during that nothing else does",
            ));
        }
        let csr = csr::inspect(&request.csr)?;
        if csr.digest() != request.digest || csr.spki_digest() != request.spki {
            return Err(refused("the recorded request is not the one its record names"));
        }
        if view.is_compromised(&csr.spki_digest()) {
            return Err(refused("this key was revoked as compromised: make a new one"));
        }
        renewal::key_is_free(register, &csr.spki_digest(), in_force.agent())?;
        if let Some(current) = request.renews {
            let admitted = renewal::admit(register, current, &csr, now)?;
            if admitted.id() != mandate.id() {
                return Err(refused("the renewal is of another mandate's certificate"));
            }
        }
        let threshold = |currency: &_, amount| view.officers_at(in_force, currency, amount);
        let approved = verify_approval(mandate, register, &threshold)?;
        let (settings, issuer, _) = self.authority(register, issuing)?;
        let with = BotIssue {
            settings: &settings,
            issuer: &issuer,
            instance: self.config.instance,
            not_earlier: view.certificates_from(in_force.agent(), in_force.owner()),
            not_later: view.probation_ends(in_force),
            life_seconds: self.config.bot_life_seconds,
        };
        let mut random = SystemRandom::new();
        let prepared = prepare_bot(approved, &csr, with, self.throwaway.as_ref(), now, &mut random)?;
        Ok(Some((prepared, mandate.next_number())))
    }
}

/// One agent has one live key (certificates.md §7). A token is a new beginning of the bot, so what was certified for another key ends with
/// it, recorded beside the new certificate: whoever holds the old key is refused from there on. A renewal overlaps with what it renews.
/// What was only reserved counts too: it may be signed at this moment, by an attempt that began before.
fn superseded(view: &View, task: &IssueTask, by: &CertificateReserved, now: Timestamp) -> Vec<CertificateRevoked> {
    let mandate = view.register.mandate(&task.mandate);
    let renews = mandate.and_then(|mandate| mandate.request(&task.csr)?.renews);
    if renews.is_some() {
        return Vec::new();
    }
    view.register
        .certificates_of(&by.agent)
        .filter(|(serial, facts)| {
            facts.spki != by.spki && facts.not_after > now && view.book.status(serial) == CertificateStatus::Good
        })
        .map(|(serial, facts)| CertificateRevoked {
            agent: by.agent,
            by: Actor::House,
            not_after: facts.not_after,
            reason: RevocationReason::Superseded,
            serial: *serial,
        })
        .collect()
}
