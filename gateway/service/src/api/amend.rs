//! An amend, in whatever venue's words: a cancel, and in the cancelled order's place a new one of what is left, which is decided, recorded and sent like any other.
//! No venue is asked to amend: what raises risk needs a permit of its own, and what only lowers it gets one as easily.
//!
//! The gate is asked first, as if the open order were gone; where it refuses, that is recorded and the open order stays, so that an amend beyond the mandate
//! costs no bot its stop. Both are never at the venue together: the new one is decided once the venue has confirmed the end of the old one, and a doubt about
//! that ends it there.

use std::sync::Arc;

use extensions::{ClientOrderId, Decimal};
use gateway_policy::{CancelState, Code, OpenOrder, Order, OrderFault, ParsedOrder, Proof};

use super::{
    Side,
    binance::{place, refusal::Refused},
    chain,
    orders::{asks_for_proof, cancel_on_task, unsigned},
};
use crate::{
    pipeline::{
        endings::OrderStory,
        replacing::{Claim, executed},
        slot::Inner,
        submit::{Signed, refused_instead, submit},
    },
    session::Session,
};

/// What an amend changes; what it does not name stays.
#[derive(Debug, Default, Clone)]
pub(super) struct Changes {
    /// How much in all, what was executed already included, as venues have it.
    pub(super) quantity: Option<Decimal>,
    pub(super) price: Option<Decimal>,
    pub(super) stop_price: Option<Decimal>,
}

/// What became of an amend that was not refused.
pub(super) enum Amended {
    /// The open order says all of it already.
    Same(Box<OpenOrder>),
    /// The new order stands.
    Done(Box<OrderStory>),
    /// The old one is cancelled, and no new one stands.
    Half(Refused),
}

/// How the id of the new order is made from the open one.
pub(super) type Naming = fn(&Inner, &OpenOrder) -> Option<ClientOrderId>;

/// Amends an open order. An error means that it stays as it is, unless it is a doubt.
pub(super) async fn amend(
    bots: &Arc<Side>,
    session: &Arc<Session>,
    open: OpenOrder,
    changes: Changes,
    naming: Naming,
) -> Result<Amended, Refused> {
    let slot = &session.slot;
    // Whoever has it has not ended yet: what this one should change is not known.
    let claim = Claim::of(slot, open.number).ok_or_else(Refused::in_doubt)?;
    let (id, before) = {
        let inner = slot.lock();
        (naming(&inner, &open), chain::executed_before(&inner, &open))
    };
    let invalid = |detail: &str| Refused::of(Code::OrderInvalid).because(detail);
    let (Some(id), Some(before)) = (id, before) else {
        return Err(invalid(
            "its id is too long to amend, or it was amended too often; cancel it and send a new order",
        ));
    };
    if open.list.is_some() {
        return Err(invalid("it is one of a list; cancel the list and place another"));
    }
    let amend = Amend {
        open,
        changes,
        id,
        before,
    };
    if amend.changes_nothing() {
        return Ok(Amended::Same(Box::new(amend.open)));
    }
    let new = amend.order(amend.open.filled).map_err(|detail| invalid(&detail))?;
    let signed = signature(session);
    let (gateway, venues) = (&bots.gateway, &bots.venues);
    if let Some(refused) = refused_instead(gateway, venues, session, &new, &signed, amend.open.number).await {
        return Err(place::ended(refused)
            .err()
            .unwrap_or_else(|| Refused::of(Code::Duplicate)));
    }
    let (bots, session) = (bots.clone(), session.clone());
    // A bot that hangs up between the halves loses neither.
    let halves = tokio::spawn(async move {
        let amended = amend.carry_out(&bots, &session, &signed).await;
        drop(claim);
        amended
    });
    halves.await.unwrap_or_else(|_| Err(Refused::in_doubt()))
}

/// An amend says less than an order, so no signature over it is one over the order: where the mandate asks for one, there is none.
fn signature(session: &Session) -> Signed {
    unsigned(if asks_for_proof(session) {
        Proof::Missing
    } else {
        Proof::NotRequired
    })
}

struct Amend {
    open: OpenOrder,
    changes: Changes,
    id: ClientOrderId,
    /// What the orders whose place the open one took have executed.
    before: Decimal,
}

impl Amend {
    fn changes_nothing(&self) -> bool {
        let (own, new) = (&self.open.order, &self.changes);
        let total = own.quantity.checked_add(self.before);
        new.quantity.is_none_or(|quantity| Some(quantity) == total)
            && new.price.is_none_or(|price| Some(price) == own.price)
            && new.stop_price.is_none_or(|price| Some(price) == own.stop_price)
    }

    /// The new order, of what is left when the open one has executed so much.
    fn order(&self, executed: Decimal) -> Result<ParsedOrder, String> {
        let mut terms = self.open.order.clone();
        let done = self.before.checked_add(executed);
        let total = self
            .changes
            .quantity
            .or_else(|| terms.quantity.checked_add(self.before));
        let left = total.zip(done).and_then(|(total, done)| total.checked_sub(done));
        let Some(left) = left.filter(|left| left.is_positive()) else {
            let done = done.map_or_else(String::new, |done| done.to_string());
            return Err(format!(
                "{done} of it are executed: of that quantity nothing is left to order"
            ));
        };
        terms.client_order_id = self.id;
        terms.quantity = left;
        terms.price = self.changes.price.or(terms.price);
        terms.stop_price = self.changes.stop_price.or(terms.stop_price);
        let fields = |faults: Vec<OrderFault>| faults.iter().map(|fault| fault.field.clone()).collect::<Vec<_>>();
        let order = Order::new(terms).map_err(|faults| format!("at fault: {}", fields(faults).join(", ")))?;
        Ok(ParsedOrder::new(order))
    }

    async fn carry_out(self, bots: &Arc<Side>, session: &Arc<Session>, signed: &Signed) -> Result<Amended, Refused> {
        match cancel_on_task(bots, session, self.open.clone()).await.state {
            CancelState::Cancelled => {}
            CancelState::NotOpen => return Err(Refused::not_cancelled()),
            CancelState::CouldNot { .. } => return Err(Refused::in_doubt()),
        }
        let Some(executed) = executed(&bots.gateway, &session.slot, &self.open).await else {
            return Ok(Amended::Half(Refused::of(Code::LedgerUnavailable)));
        };
        // It went on trading until its cancel.
        let new = match self.order(executed) {
            Ok(new) => new,
            Err(detail) => return Ok(Amended::Half(Refused::of(Code::OrderInvalid).because(&detail))),
        };
        let submitted = submit(&bots.gateway, &bots.venues, session, &new, signed).await;
        match place::ended(submitted) {
            Ok(story) => Ok(Amended::Done(Box::new(story))),
            Err(refused) if refused.is_in_doubt() => Err(refused),
            Err(refused) => Ok(Amended::Half(refused)),
        }
    }
}

/// The id of an order that takes another one's place under a new name.
pub(super) fn renamed(inner: &Inner, open: &OpenOrder) -> Option<ClientOrderId> {
    chain::free(inner, 1, |step| format!("edit:{}:{step}", open.number))
}
