//! `PRICE_COLLAR`: no price further on the worse side than the certificate's collar (orders.md §2, row 7).
//!
//! A limit price is held to the reference; a stop order's limit price to its own stop price, since it acts only there. The stop
//! price itself must lie on the waiting side of the reference, or the order would fire at once. Better prices always pass.

use extensions::Decimal;

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck, order::Side};

/// Basis points in one.
const WHOLE_BPS: u64 = 10_000;

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let collar = context.facts.limits?.price_collar_bps();
    let (order, reference) = (context.order, context.reference?.price);
    if let Some(stop) = order.stop_price {
        let waits = match order.side {
            Side::Buy => stop >= reference,
            Side::Sell => stop <= reference,
        };
        if !waits {
            let (word, side) = if order.side == Side::Buy {
                ("at or above", "buy")
            } else {
                ("at or below", "sell")
            };
            return fail(
                Code::PriceCollar,
                format!("a {side} stop {word} the reference price {reference}"),
                format!("stop_price {stop}"),
                format!("set stop_price {word} {reference}, or send a limit order if it should act now"),
            );
        }
    }
    let (price, anchor) = (order.price?, order.stop_price.unwrap_or(reference));
    let name = if order.stop_price.is_some() {
        "its stop price"
    } else {
        "the reference price"
    };
    let bound = bound(anchor, order.side, collar);
    let inside = bound.is_some_and(|bound| match order.side {
        Side::Buy => price <= bound,
        Side::Sell => price >= bound,
    });
    if inside {
        return None;
    }
    let (word, bound) = (
        if order.side == Side::Buy { "at most" } else { "at least" },
        bound.unwrap_or(anchor),
    );
    fail(
        Code::PriceCollar,
        format!("{word} {bound}: {collar} basis points from {name} {anchor}"),
        format!("price {price}"),
        format!("set a price of {word} {bound}"),
    )
}

/// The worst price allowed; `None` when it does not fit.
fn bound(anchor: Decimal, side: Side, collar: u16) -> Option<Decimal> {
    let bps = match side {
        Side::Buy => WHOLE_BPS.checked_add(u64::from(collar)),
        Side::Sell => WHOLE_BPS.checked_sub(u64::from(collar)),
    }?;
    anchor.checked_mul(Decimal::new(i128::from(bps), 4)?)
}
