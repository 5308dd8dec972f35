//! The names of amended orders. A venue's amend keeps the order's name, where here each new order has an id of its own, used once; so the id of the new one says
//! whose place it takes: `am:42:1:k-1` is the first that came in place of the bot's `k-1`, the decision of entry 42. At the venues' own paths such a chain is one
//! order under its first name, with what all of it executed; our own routes and the record show each by itself.

use std::collections::HashMap;

use extensions::{ClientOrderId, Decimal};
use gateway_policy::{OpenOrder, OrderFilled};

use crate::pipeline::{
    endings::{OrderStatus, OrderStory},
    slot::Inner,
    traded::Traded,
};

const PREFIX: &str = "am:";
/// How often one order is replaced, refusals included: more than any bot amends one.
const MOST_STEPS: u32 = 100_000;

/// What an id of a chain says.
struct Link<'a> {
    first: u64,
    step: u32,
    id: &'a str,
}

fn link(id: &ClientOrderId) -> Option<Link<'_>> {
    let mut parts = id.as_str().strip_prefix(PREFIX)?.splitn(3, ':');
    let (first, step, id) = (parts.next()?, parts.next()?, parts.next()?);
    let (first, step) = (first.parse().ok()?, step.parse().ok()?);
    Some(Link { first, step, id })
}

/// Whether an id has the form of a chain's, which bots do not choose at the venues' paths.
pub(super) fn is_reserved(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// The number of the first order of a chain; an order's own where it takes no other one's place.
pub(super) fn first(id: &ClientOrderId, number: u64) -> u64 {
    link(id).map_or(number, |link| link.first)
}

/// The bot's own id of it.
pub(super) fn own_id(id: &ClientOrderId) -> &str {
    link(id).map_or(id.as_str(), |link| link.id)
}

/// The id of the order that takes the place of an open one; none where it would be too long, or the order was replaced too often. The same on every gateway that
/// has read the same, so that two of them do not order twice.
pub(super) fn next(inner: &Inner, open: &OpenOrder) -> Option<ClientOrderId> {
    let old = &open.order.client_order_id;
    let (first, id) = (first(old, open.number), own_id(old));
    let step = link(old).map_or(0, |link| link.step);
    free(inner, step.saturating_add(1), |step| {
        format!("{PREFIX}{first}:{step}:{id}")
    })
}

/// The first id of such a row that was not used.
pub(super) fn free(inner: &Inner, from: u32, written: impl Fn(u32) -> String) -> Option<ClientOrderId> {
    let mut steps = from..MOST_STEPS;
    let unused = |step| {
        let id = ClientOrderId::new(&written(step)).ok();
        id.map_or(Some(None), |id| (!inner.known.may_hold(&id)).then_some(Some(id)))
    };
    steps.find_map(unused).flatten()
}

/// The latest order of a chain by the bot's own id, or by the number of its first: the one that is open, else the last that was permitted. None where nothing
/// took that one's place, as far as is remembered.
pub(super) fn latest(inner: &Inner, is: impl Fn(u64, &str) -> bool) -> Option<ClientOrderId> {
    let of_chain = |id: &ClientOrderId| link(id).is_some_and(|link| is(link.first, link.id));
    let open = inner.state.open_orders().iter().rev();
    let mut open = open
        .filter(|open| open.may_rest())
        .map(|open| open.order.client_order_id);
    if let Some(id) = open.find(of_chain) {
        return Some(id);
    }
    let mut ended = inner.endings.all().rev();
    let last = ended.find(|(story, _)| story.status != OrderStatus::Refused && of_chain(&story.order.client_order_id));
    last.map(|(story, _)| story.order.client_order_id)
}

/// The last permitted order of each chain that is remembered, by the number of the first.
pub(super) fn lasts(inner: &Inner) -> HashMap<u64, u64> {
    let permitted = inner
        .endings
        .all()
        .filter(|(story, _)| story.status != OrderStatus::Refused);
    let links = permitted.filter_map(|(story, _)| Some((link(&story.order.client_order_id)?.first, story.number)));
    links.collect()
}

/// Whether a list of ended orders shows this one: of a chain it shows the last.
pub(super) fn is_shown(lasts: &HashMap<u64, u64>, story: &OrderStory) -> bool {
    let first = first(&story.order.client_order_id, story.number);
    lasts.get(&first).is_none_or(|last| *last == story.number)
}

/// What the earlier orders of a chain executed; none where they are no longer remembered: then an order is shown by itself.
struct Before {
    executed: Decimal,
    traded: Traded,
}

impl Before {
    fn of(inner: &Inner, id: &ClientOrderId, number: u64) -> Option<Self> {
        let link = link(id)?;
        let mut all = Self {
            executed: Decimal::ZERO,
            traded: Traded::default(),
        };
        let mut whole = false;
        for (story, traded) in inner.endings.all() {
            if story.number < number && first(&story.order.client_order_id, story.number) == link.first {
                whole |= story.number == link.first;
                all.executed = all.executed.checked_add(story.executed)?;
                all.traded = all.traded.and(traded);
            }
        }
        whole.then_some(all)
    }
}

/// What the orders before this one executed.
pub(super) fn executed_before(inner: &Inner, open: &OpenOrder) -> Option<Decimal> {
    let id = &open.order.client_order_id;
    if link(id).is_none() {
        return Some(Decimal::ZERO);
    }
    Before::of(inner, id, open.number).map(|before| before.executed)
}

/// A story as that of its whole chain.
pub(super) fn story(inner: &Inner, story: &OrderStory, traded: &Traded) -> (OrderStory, Traded) {
    let (mut shown, mut sums) = (story.clone(), *traded);
    let id = story.order.client_order_id;
    if let Some(before) = Before::of(inner, &id, story.number) {
        shown.number = first(&id, story.number);
        shown.order.client_order_id = ClientOrderId::new(own_id(&id)).unwrap_or(id);
        shown.order.quantity = sum(shown.order.quantity, before.executed);
        shown.executed = sum(shown.executed, before.executed);
        sums = sums.and(&before.traded);
    }
    (shown, sums)
}

/// An open order as its whole chain, with what its fills come to.
pub(super) fn open(inner: &Inner, open: &OpenOrder) -> (OpenOrder, Traded) {
    let id = open.order.client_order_id;
    let mut sums = inner.endings.traded(&id).copied().unwrap_or_default();
    let mut shown = open.clone();
    if let Some(before) = Before::of(inner, &id, open.number) {
        shown.number = first(&id, open.number);
        shown.order.client_order_id = ClientOrderId::new(own_id(&id)).unwrap_or(id);
        shown.order.quantity = sum(shown.order.quantity, before.executed);
        shown.filled = sum(shown.filled, before.executed);
        sums = sums.and(&before.traded);
    }
    (shown, sums)
}

/// A fill under the first name of its order.
pub(super) fn fill(fill: &OrderFilled) -> OrderFilled {
    let id = fill.client_order_id;
    OrderFilled {
        client_order_id: ClientOrderId::new(own_id(&id)).unwrap_or(id),
        order: first(&id, fill.order),
        ..fill.clone()
    }
}

fn sum(one: Decimal, other: Decimal) -> Decimal {
    one.checked_add(other).unwrap_or(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ClientOrderId {
        ClientOrderId::new(text).expect("id")
    }

    #[test]
    fn an_id_says_whose_place_it_takes() {
        for (text, number, own) in [
            ("am:42:1:k-1", 42, "k-1"),
            ("am:42:7:a:b:c", 42, "a:b:c"),
            ("k-1", 9, "k-1"),
            ("am:x:1:k-1", 9, "am:x:1:k-1"),
            ("am:42:k-1", 9, "am:42:k-1"),
            ("am:", 9, "am:"),
        ] {
            assert_eq!((first(&id(text), 9), own_id(&id(text))), (number, own), "{text}");
        }
    }
}
