//! What became of a halt's cancels, as an entry: written when the venue has answered for each of them, or has not.
//!
//! After a crash between the revocation and this entry, the watch writes it, from the cancels that stand in the stream and those that are
//! still owed.

use std::sync::Arc;

use extensions::{canonical, mandate::OnHalt};
use gateway_policy::{CancelOutcome, CancelSource, CancelState};
use ledger::LedgerError;
use revocation_core::{
    HaltPlan, HaltReported,
    halt::{CancelCause, CancelEnd, PlannedCancel},
};

use super::{
    halt::{Ends, cancel_all},
    slot::{Report, Slot},
};
use crate::gateway::{Gateway, Venues};

/// Entries behind a revocation that are looked through for cancels.
const MOST_LOOKED_AT: usize = 4_096;
/// How often a slot is folded again for the number of its revocation.
const MOST_FOLDS: usize = 32;

/// How one cancel ended, in the words of the report.
pub(crate) fn end_of(state: CancelState) -> CancelEnd {
    match state {
        CancelState::Cancelled | CancelState::NotOpen => CancelEnd::Cancelled,
        CancelState::CouldNot { why } => CancelEnd::CouldNot { why },
    }
}

/// Writes down what became of `plan`, beside the latest revocation. One report for each revocation and instance.
pub async fn report(gateway: &Arc<Gateway>, slot: &Arc<Slot>, plan: HaltPlan, ends: &Ends) {
    let report = plan.report(|id| ends.iter().find(|(ended, _)| ended == id).map(|(_, end)| end));
    tracing::warn!(agent = %slot.agent, %report, "the halt's cancels have ended");
    let Some(revoked) = revocation(gateway, slot).await else {
        return;
    };
    let reported = HaltReported::new(slot.agent, gateway.settings.id, revoked, plan, report);
    let id = format!("halt-report-{revoked}-{}", gateway.settings.id);
    slot.report(&gateway.writer, [Report::new(reported, id, gateway.clock.now())]);
    slot.lock().halt_reported(revoked);
}

/// The number of the revocation. Only a folded slot knows it, and where several gateways report, each unseats the others' slots again and again; on
/// a ledger that cannot write, the next process reports.
async fn revocation(gateway: &Gateway, slot: &Arc<Slot>) -> Option<u64> {
    for _ in 0..MOST_FOLDS {
        {
            let inner = slot.lock();
            if !inner.is_stale() {
                return inner.revocation().map(|(number, _)| number);
            }
        }
        if let Err(error) = slot.resync(&gateway.ledger, &gateway.writer).await {
            tracing::error!(agent = %slot.agent, %error, "the report of a halt is left to the next start");
            return None;
        }
    }
    tracing::error!(agent = %slot.agent, folds = MOST_FOLDS, "the report of a halt is left to the watch: others write faster than this is folded");
    None
}

/// Carries out what is left of a halt that an earlier process began, and reports the whole.
pub async fn finish(gateway: &Arc<Gateway>, venues: &Arc<Venues>, slot: &Arc<Slot>, revoked: u64) {
    let on_halt = gateway.mandates.on_halt_of(&slot.agent);
    let mut plan = slot.lock().state.halt_plan(on_halt);
    let mut ends = cancel_all(gateway, venues, slot, &plan.cancel, CancelSource::Halt).await;
    match cancelled_before(gateway, slot, revoked).await {
        Ok(before) => {
            let because = match on_halt {
                OnHalt::CancelAll => CancelCause::MandateCancelsAll,
                OnHalt::CancelRiskIncreasing => CancelCause::IncreasesRisk,
            };
            for (client_order_id, end) in before {
                if !ends.iter().any(|(ended, _)| *ended == client_order_id) {
                    plan.cancel.push(PlannedCancel {
                        because,
                        client_order_id,
                    });
                    ends.push((client_order_id, end));
                }
            }
            report(gateway, slot, plan, &ends).await;
        }
        Err(error) => tracing::error!(agent = %slot.agent, %error, "the report of a halt waits for its stream"),
    }
}

async fn cancelled_before(gateway: &Gateway, slot: &Slot, revoked: u64) -> Result<Ends, LedgerError> {
    let entries = gateway
        .ledger
        .read_stream(slot.stream(), revoked, MOST_LOOKED_AT)
        .await?;
    let cancels = entries.iter().filter(|entry| &*entry.kind == CancelOutcome::KIND);
    let ends = cancels.filter_map(|entry| canonical::from_slice::<CancelOutcome>(entry.body()).ok());
    Ok(ends.map(|end| (end.client_order_id, end_of(end.state))).collect())
}
