//! The answer to a repeated order: what the first one has come to, for ever.

use std::{sync::Arc, time::Instant};

use extensions::{ClientOrderId, canonical};
use gateway_policy::{AgentEvent, OrderDecided, ParsedOrder};
use ledger::LedgerError;

use super::{endings::OrderStory, slot::Slot, submit::Submitted};
use crate::gateway::Gateway;

/// Entries read at a time while an old order's story is put together.
const STORY_PAGE: usize = 1_024;
/// The most entries that are read for one old order's story.
const STORY_ENTRIES: usize = 262_144;

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
    let mut next = entry.number + 1;
    for _ in 0..STORY_ENTRIES / STORY_PAGE {
        let page = gateway.ledger.read_stream(slot.stream(), next, STORY_PAGE).await?;
        for entry in &page {
            match AgentEvent::decode(&entry.kind, entry.body()) {
                Ok(AgentEvent::Outcome(outcome)) if outcome.order == story.number => story.outcome(&outcome.state),
                Ok(AgentEvent::Filled(fill)) if fill.order == story.number => story.filled(&fill),
                _ => {}
            }
        }
        next += page.len() as u64;
        if page.len() < STORY_PAGE {
            break;
        }
    }
    Ok(Some(story))
}
