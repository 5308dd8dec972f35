//! Two orders of which one at most executes: each decided and recorded as a single one, both counted in every limit, and then sent as one list.

use std::sync::Arc;

use gateway_policy::{Code, InList, ParsedOrder};

use super::{
    endings::OrderStory,
    forward::{forward_pair, withhold},
    repeat::story,
    submit::{Signed, Submitted, held},
};
use crate::{
    gateway::{Gateway, Venues},
    session::Session,
};

/// What became of a list.
pub enum Paired {
    /// Both were sent, or were before.
    Both(Box<[OrderStory; 2]>),
    /// Neither was: what the first one that was not permitted is told.
    Neither(Box<Submitted>),
    /// One of the ids was used for another order.
    Other(Code),
}

/// Submits two orders as one list. Runs to its end; run it on a task of its own.
pub async fn submit_pair(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    session: &Arc<Session>,
    [mut first, mut second]: [ParsedOrder; 2],
    signed: &Signed,
) -> Paired {
    first.list = Some(InList::First);
    let one = match held(gateway, venues, session, &first, signed).await {
        Ok(one) => one,
        Err(Submitted::Repeated(one)) => return again(gateway, session, one, &second).await,
        Err(refused) => return Paired::Neither(Box::new(refused)),
    };
    second.list = Some(InList::Second(one.recorded.number()));
    let slot = &session.slot;
    match held(gateway, venues, session, &second, signed).await {
        Ok(two) => Paired::Both(Box::new(forward_pair(gateway, venues, slot, [one, two]).await)),
        Err(refused) => {
            withhold(gateway, slot, one, "the other order of its list was not permitted");
            match refused {
                Submitted::Repeated(_) => Paired::Other(Code::Duplicate),
                refused => Paired::Neither(Box::new(refused)),
            }
        }
    }
}

/// The same list again: the stories of both, where the other one was of it, too.
async fn again(gateway: &Gateway, session: &Session, one: OrderStory, second: &ParsedOrder) -> Paired {
    match story(gateway, &session.slot, &second.order.client_order_id).await {
        Ok(Some(two)) if two.body == second.body && two.list.is_some() && two.list == one.list => {
            Paired::Both(Box::new([one, two]))
        }
        Ok(_) => Paired::Other(Code::Duplicate),
        Err(error) => Paired::Neither(Box::new(Submitted::Unavailable(error.to_string()))),
    }
}
