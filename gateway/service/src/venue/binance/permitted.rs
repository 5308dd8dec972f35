//! A permitted order in the venue's terms.

use gateway_policy::{OrderKind, OrderTerms, Permit};

use super::order::{Kind, Side, TimeInForce, VenueOrder};
use crate::venue::VenueClientId;

impl VenueOrder {
    /// The order of a permit; `None` when its terms lack a price that their type needs, which no permit's do.
    pub(in crate::venue) fn of(permit: &Permit) -> Option<Self> {
        let terms = permit.order();
        Some(Self {
            client_id: VenueClientId::from(permit.venue_order_id()),
            instrument: terms.instrument,
            side: match terms.side {
                gateway_policy::Side::Buy => Side::Buy,
                gateway_policy::Side::Sell => Side::Sell,
            },
            kind: kind_of(terms)?,
            quantity: terms.quantity,
        })
    }
}

fn kind_of(terms: &OrderTerms) -> Option<Kind> {
    let time_in_force = match terms.time_in_force {
        gateway_policy::TimeInForce::Gtc => TimeInForce::GoodTillCancelled,
        gateway_policy::TimeInForce::Ioc => TimeInForce::ImmediateOrCancel,
        gateway_policy::TimeInForce::Fok => TimeInForce::FillOrKill,
    };
    Some(match terms.kind {
        OrderKind::Limit => Kind::Limit {
            price: terms.price?,
            time_in_force,
        },
        OrderKind::Market => Kind::Market,
        OrderKind::StopLimit => Kind::StopLimit {
            price: terms.price?,
            stop_price: terms.stop_price?,
            time_in_force,
        },
        OrderKind::StopMarket => Kind::StopMarket {
            stop_price: terms.stop_price?,
        },
    })
}
