//! `NO_REFERENCE_PRICE`: a missing or old price is never taken as zero, nor as the bot's own (orders.md §2, row 7).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    if context.reference.is_some() {
        return None;
    }
    let (instrument, most) = (&context.order.instrument, context.facts.reference_max_age_ms);
    let observed = match context.facts.reference {
        None => "none".to_owned(),
        Some(price) if !price.price.is_positive() => format!("a price of {}", price.price),
        Some(price) => format!(
            "one of {}, {} ms old",
            price.at,
            context.now.micros_since(price.at) / 1_000
        ),
    };
    fail(
        Code::NoReferencePrice,
        format!("a reference price for {instrument} no older than {most} ms"),
        observed,
        "nothing in the order: check that the venue quotes the instrument, and send it again under a fresh client_order_id",
    )
}
