//! `INSTRUMENT_NOT_ALLOWED`: allow-list of the certificate; unknown is denied (orders.md §2, row 3).

use super::{Context, fail, listed};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let (limits, instrument) = (context.facts.limits?, &context.order.instrument);
    if limits.permits_instrument(instrument) {
        return None;
    }
    let change = match limits.nearest_instrument(instrument.as_str()) {
        Some(nearest) => format!("did you mean {nearest}? Otherwise apply for a mandate that lists {instrument}"),
        None => format!("trade one of the listed instruments, or apply for a mandate that lists {instrument}"),
    };
    let listed = listed(
        limits
            .instruments()
            .unwrap_or_default()
            .iter()
            .map(|item| item.as_str()),
    );
    fail(Code::InstrumentNotAllowed, listed, instrument.as_str(), change)
}
