//! The answer to a repeated order: what the first one has come to, for ever.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{ClientOrderId, canonical};
use gateway_policy::{AgentEvent, OpenOrder, OrderDecided, OutcomeState, ParsedOrder};
use ledger::LedgerError;

use super::{
    endings::{OrderStatus, OrderStory},
    forward::{ACCEPTED, CLOSED, IN_DOUBT, REJECTED, WITHHELD, outcome_id},
    slot::Slot,
    submit::Submitted,
};
use crate::gateway::Gateway;

/// How soon a slot that is being folded again is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Waits for the first order's outcome, within the repeat patience, and answers with its story.
pub async fn answer(gateway: &Gateway, slot: &Arc<Slot>, order: &ParsedOrder) -> Submitted {
    let id = order.order.client_order_id;
    let began = Instant::now();
    loop {
        let changed = slot.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        match story(gateway, slot, &id).await {
            Ok(Some(story)) if story.is_answered() => return Submitted::Repeated(story),
            Ok(Some(story)) if began.elapsed() >= gateway.settings.repeat_patience => {
                return Submitted::Repeated(story);
            }
            Ok(Some(_)) => {}
            // The first one lost its number and is being decided again; it will be there shortly.
            Ok(None) if began.elapsed() >= gateway.settings.repeat_patience => {
                return Submitted::Unavailable(
                    "the first order with this id is still being decided; ask again".to_owned(),
                );
            }
            Ok(None) => {}
            Err(error) => return Submitted::Unavailable(error.to_string()),
        }
        let left = gateway.settings.repeat_patience.saturating_sub(began.elapsed());
        let _ = tokio::time::timeout(left, changed).await;
    }
}

/// The story of an agent's order, of late or of old; `None` when it has none with that id.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn story(gateway: &Gateway, slot: &Slot, id: &ClientOrderId) -> Result<Option<OrderStory>, LedgerError> {
    {
        let inner = slot.lock();
        if let Some(story) = inner.endings.of(id) {
            return Ok(Some(story.clone()));
        }
        if !inner.known.may_hold(id) {
            return Ok(None);
        }
    }
    let Some(position) = gateway.ledger.order_position(&slot.agent, id).await? else {
        return Ok(None);
    };
    let entries = gateway.ledger.read_range(position, 1).await?;
    let Some(entry) = entries.first() else { return Ok(None) };
    let Ok(decided) = canonical::from_slice::<OrderDecided>(entry.body()) else {
        return Ok(None);
    };
    let mut story = OrderStory::begin(entry.number, entry.at, &decided);
    if story.status != OrderStatus::Refused {
        go_on(gateway, slot, &mut story).await?;
    }
    Ok(Some(story))
}

/// What became of an old permit: looked up by the ids of its outcomes and in the agent's state, however many entries came after it.
async fn go_on(gateway: &Gateway, slot: &Slot, story: &mut OrderStory) -> Result<(), LedgerError> {
    let open = open_order(gateway, slot, story.number).await?;
    for tag in [REJECTED, WITHHELD, CLOSED] {
        if let Some(state) = outcome(gateway, slot, tag, story.number).await? {
            story.outcome(&state);
            return Ok(());
        }
    }
    for tag in [ACCEPTED, IN_DOUBT] {
        if let Some(state) = outcome(gateway, slot, tag, story.number).await? {
            story.outcome(&state);
            break;
        }
    }
    match open {
        Some(open) => {
            story.executed = open.filled;
            if open.confirmed() {
                story.status = OrderStatus::Open;
            }
        }
        // Without an end of its own it ended with its last fill.
        None => {
            story.executed = story.order.quantity;
            story.status = OrderStatus::Filled;
        }
    }
    Ok(())
}

/// The order as the state holds it, once the ledger holds what the state was folded from: an end that is only queued has no outcome to find yet.
async fn open_order(gateway: &Gateway, slot: &Slot, number: u64) -> Result<Option<OpenOrder>, LedgerError> {
    let (began, mut seen) = (Instant::now(), None);
    loop {
        let mut committed = gateway.ledger.committed();
        {
            let inner = slot.lock();
            if inner.is_stale() {
                seen = None;
            } else if seen.is_none() {
                let open = inner.state.open_orders().iter().find(|open| open.number == number);
                seen = Some((open.cloned(), inner.state.next_number()));
            }
        }
        if let Some((open, _)) = seen.take_if(|(_, next)| gateway.ledger.stream_next(slot.stream()) >= *next) {
            return Ok(open);
        }
        if began.elapsed() >= gateway.settings.repeat_patience {
            return Err(LedgerError::Io {
                what: "the story of an order",
                reason: "its latest part is still on its way to the ledger; ask again".to_owned(),
            });
        }
        let _ = tokio::time::timeout(LOOK_AGAIN, committed.recv()).await;
    }
}

async fn outcome(gateway: &Gateway, slot: &Slot, tag: &str, number: u64) -> Result<Option<OutcomeState>, LedgerError> {
    let id = outcome_id(tag, number);
    let Some(position) = gateway.ledger.append_position(slot.stream(), &id).await? else {
        return Ok(None);
    };
    let entries = gateway.ledger.read_range(position, 1).await?;
    let decoded = entries
        .first()
        .map(|entry| AgentEvent::decode(&entry.kind, entry.body()));
    Ok(match decoded {
        Some(Ok(AgentEvent::Outcome(outcome))) if outcome.order == number => Some(outcome.state),
        _ => None,
    })
}
