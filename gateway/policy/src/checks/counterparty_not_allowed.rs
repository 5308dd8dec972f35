//! `COUNTERPARTY_NOT_ALLOWED`: allow-list of the certificate; a venue is a counterparty (orders.md §2, row 3).

use super::{Context, fail, listed};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let (limits, counterparty) = (context.facts.limits?, &context.order.counterparty);
    if limits.permits_counterparty(counterparty) {
        return None;
    }
    let change = match limits.nearest_counterparty(counterparty.as_str()) {
        Some(nearest) => format!("did you mean {nearest}? Otherwise apply for a mandate that lists {counterparty}"),
        None => format!("trade with one of those listed, or apply for a mandate that lists {counterparty}"),
    };
    let listed = listed(
        limits
            .counterparties()
            .unwrap_or_default()
            .iter()
            .map(|item| item.as_str()),
    );
    fail(Code::CounterpartyNotAllowed, listed, counterparty.as_str(), change)
}
