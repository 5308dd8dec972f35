//! What an order would be refused for, without being one: the same pure decision on the same state, and nothing of it is appended, sent or counted.
//!
//! It uses up no id and moves no limit. What the score would say is not told: a
//! stolen bot could ask until it knows what passes.

use std::sync::Arc;

use gateway_policy::{Code, FailedCheck, ParsedOrder, Proof};
use tokio::time::timeout;

use super::{
    exposures::at_stake,
    submit::{FOLD_PATIENCE, Found, MOST_ATTEMPTS, indexed, judged},
};
use crate::{gateway::Gateway, session::Session};

/// Every check that the order would fail now, in decision order; none when it would be permitted.
///
/// # Errors
/// In words, when the state cannot be read.
pub async fn rehearse(
    gateway: &Arc<Gateway>,
    session: &Session,
    order: &ParsedOrder,
    proof: Proof,
) -> Result<Vec<FailedCheck>, String> {
    let slot = &session.slot;
    for _ in 0..MOST_ATTEMPTS {
        let known = indexed(gateway, slot, order).await.map_err(|error| error.to_string())?;
        {
            let inner = slot.lock();
            if !inner.is_stale() {
                let house = gateway.house.load();
                let exposure = at_stake(gateway, session, &inner, &house.state, &order.order.currency);
                let decision = judged(
                    gateway,
                    session,
                    &inner,
                    order,
                    (proof, None),
                    Found {
                        exposure,
                        house: &house,
                        known,
                    },
                );
                let told = |check: &&FailedCheck| check.code != Code::AnomalyRevoked;
                return Ok(decision.decided().checks.iter().filter(told).cloned().collect());
            }
        }
        match timeout(FOLD_PATIENCE, slot.resync(&gateway.ledger, &gateway.writer)).await {
            Ok(folded) => folded.map_err(|error| error.to_string())?,
            Err(_) => break,
        }
    }
    Err("the agent's latest entries are still on their way to the ledger; ask again".to_owned())
}
