//! Cancel on disconnect: a bot whose last `/v1/stream` session broke and that is not back within its mandate's grace has its open orders cancelled,
//! as by `DELETE /v1/orders`. The gateway at which the session was does it; a gateway that itself restarts has forgotten it.

use std::sync::Arc;

use extensions::Timestamp;
use gateway_policy::{CancelSource, OpenOrder};

use super::{cancel::cancel, slot::Slot};
use crate::{
    gateway::{Gateway, Venues},
    session::Session,
};

/// When the grace of a session that breaks now ends; never, where its mandate keeps orders.
#[must_use]
pub fn due(gateway: &Gateway, session: &Session) -> Option<Timestamp> {
    let grace = session.mandate(gateway)?.document.conduct.cancel_after_disconnect_s?;
    Some(gateway.clock.now().plus_seconds(i64::from(grace)))
}

/// Cancels every open order of an agent whose grace has ended by `now`, each on a task of its own.
pub(super) fn settle(gateway: &Arc<Gateway>, venues: &Arc<Venues>, slot: &Arc<Slot>, now: Timestamp) {
    if !gateway.streams.overdue(&slot.agent, now) {
        return;
    }
    let open: Vec<OpenOrder> = slot.lock().state.cancel_targets(None).into_iter().cloned().collect();
    tracing::warn!(agent = %slot.agent, cancels = open.len(), "its last stream broke and it is not back; its open orders are cancelled");
    for open in open {
        let (gateway, venues, slot) = (gateway.clone(), venues.clone(), slot.clone());
        tokio::spawn(async move { cancel(&gateway, &venues, &slot, &open, CancelSource::Disconnect).await });
    }
}
