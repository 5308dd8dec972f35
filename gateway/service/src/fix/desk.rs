//! What one session asks for, done: orders through the one gate, cancels past it, and the answers that no entry of the ledger gives.

use std::sync::Arc;

use extensions::{ClientOrderId, EffectiveLimits};
use gateway_policy::{CancelState, Code, OpenOrder, ParsedOrder, Proof};
use ledger::CommittedEntry;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    codec::Message,
    orders,
    reports::{self, Book},
    tags::{
        BUSINESS_MESSAGE_REJECT, BUSINESS_REJECT_REASON, BUSINESS_REJECT_REF_ID, CL_ORD_ID, CXL_REJ_REASON,
        CXL_REJ_RESPONSE_TO, MASS_CANCEL_REJECT_REASON, MASS_CANCEL_REQUEST_TYPE, MASS_CANCEL_RESPONSE, MSG_SEQ_NUM,
        NEW_ORDER_SINGLE, ORD_STATUS, ORDER_CANCEL_REJECT, ORDER_CANCEL_REPLACE_REQUEST, ORDER_CANCEL_REQUEST,
        ORDER_ID, ORDER_MASS_CANCEL_REPORT, ORDER_MASS_CANCEL_REQUEST, ORDER_STATUS_REQUEST, ORIG_CL_ORD_ID,
        REF_MSG_TYPE, REF_SEQ_NUM, REF_TAG_ID, REJECT, SESSION_REJECT_REASON, TEXT, TOTAL_AFFECTED_ORDERS,
    },
};
use crate::{
    api::{
        Side,
        binance::order::plain_symbol,
        orders::{admit, cancel_on_task, count_malformed, unsigned},
    },
    pipeline::{
        repeat::story,
        replacing::{Claim, executed},
        submit::{Submitted, submit},
    },
    session::Session,
};

/// Orders and questions of one session that are under way at a time; one more is refused.
pub(super) const ORDERS_IN_FLIGHT: usize = 64;
/// Cancels of one session that are under way at a time; nothing is read while there are so many.
pub(super) const CANCELS_IN_FLIGHT: usize = 512;

/// The ends of what was asked, as far as the session has to hear of them.
#[derive(Default)]
pub(super) struct Done {
    tell: Vec<Message>,
    /// A cancel that came to nothing.
    failed_cancel: Option<ClientOrderId>,
    /// A replacement that became no order.
    failed_replacement: Option<ClientOrderId>,
}

/// One session's desk.
pub(super) struct Desk {
    side: Arc<Side>,
    session: Arc<Session>,
    book: Book,
    tasks: JoinSet<Done>,
    orders: Arc<Semaphore>,
    cancels: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(side: Arc<Side>, session: Arc<Session>, book: Book) -> Self {
        Self {
            side,
            session,
            book,
            tasks: JoinSet::new(),
            orders: Arc::new(Semaphore::new(ORDERS_IN_FLIGHT)),
            cancels: Arc::new(Semaphore::new(CANCELS_IN_FLIGHT)),
        }
    }

    /// Whether another message may be read now.
    pub(super) fn has_room(&self) -> bool {
        self.cancels.available_permits() > 0
    }

    /// What the ledger says, as reports.
    pub(super) fn news(&mut self, entries: &[Arc<CommittedEntry>]) -> Vec<Message> {
        entries.iter().filter_map(|entry| self.book.report(entry)).collect()
    }

    /// Waits for the end of something that was asked. May be dropped at any time.
    pub(super) async fn ended(&mut self) -> Vec<Message> {
        match self.tasks.join_next().await {
            Some(Ok(done)) => {
                if let Some(order) = &done.failed_cancel {
                    self.book.cancel_failed(order);
                }
                if let Some(new) = &done.failed_replacement {
                    self.book.replacement_failed(new);
                }
                done.tell
            }
            Some(Err(error)) => {
                tracing::error!(%error, "a task of a FIX session ended without an answer");
                Vec::new()
            }
            None => std::future::pending().await,
        }
    }

    /// The connection is gone; what was asked goes on.
    pub(super) fn leave(mut self) {
        self.tasks.detach_all();
    }

    /// Takes a message of the application; what can be said at once is the answer.
    pub(super) fn take(&mut self, message: &Message) -> Vec<Message> {
        match message.kind() {
            NEW_ORDER_SINGLE => self.order(message),
            ORDER_CANCEL_REPLACE_REQUEST => self.replace(message),
            ORDER_CANCEL_REQUEST => self.cancel(message),
            ORDER_MASS_CANCEL_REQUEST => self.cancel_all(message),
            ORDER_STATUS_REQUEST => self.status(message),
            _ => vec![not_taken(message, 3, "this gateway takes D, F, G, H and q")],
        }
    }

    /// Admits and reads what asks for an order.
    fn read(&self, message: &Message) -> Result<ParsedOrder, Message> {
        if message.text(CL_ORD_ID).is_none() {
            return Err(lacks(message, CL_ORD_ID));
        }
        let (gateway, slot) = (&self.side.gateway, &self.session.slot);
        if admit(gateway, slot).is_err() {
            let most = gateway.settings.messages_per_second;
            let detail =
                format!("more than {most} messages in a second: not read, its ClOrdID is still free; slow down");
            return Err(reports::unread(message, Code::RateMessages, &detail));
        }
        let agent = slot.agent.to_string();
        orders::read(message, &agent, &self.side.venues).map_err(|(code, detail)| {
            count_malformed(gateway, slot);
            reports::unread(message, code, &detail)
        })
    }

    fn order(&mut self, message: &Message) -> Vec<Message> {
        let order = match self.read(message) {
            Ok(order) => order,
            Err(refused) => return vec![refused],
        };
        let Ok(permit) = self.orders.clone().try_acquire_owned() else {
            return vec![crowded(message)];
        };
        let (side, session, message) = (self.side.clone(), self.session.clone(), message.clone());
        self.tasks.spawn(async move {
            let done = submitted(&side, &session, &message, &order).await;
            drop(permit);
            done
        });
        Vec::new()
    }

    /// The open order that OrigClOrdID (41) names, or the answer that there is none.
    fn target(&self, message: &Message) -> Result<OpenOrder, Message> {
        let Some(named) = message.text(ORIG_CL_ORD_ID) else {
            return Err(lacks(message, ORIG_CL_ORD_ID));
        };
        let id = ClientOrderId::new(named).ok();
        let inner = self.session.slot.lock();
        let targets = id.map(|id| inner.state.cancel_targets(Some(&id)));
        let target = targets.and_then(|targets| targets.first().map(|open| (*open).clone()));
        target.ok_or_else(|| {
            let known = id.and_then(|id| inner.endings.of(&id));
            let (reason, status) = known.map_or((1, '8'), |story| (0, reports::status_of(story)));
            let number = known.map(|story| story.number);
            cancel_refused(
                message,
                (number, status),
                reason,
                "ORDER_NOT_FOUND: no open order with that OrigClOrdID",
            )
        })
    }

    fn cancel(&mut self, message: &Message) -> Vec<Message> {
        let Some(request) = message.text(CL_ORD_ID) else {
            return vec![lacks(message, CL_ORD_ID)];
        };
        let target = match self.target(message) {
            Ok(target) => target,
            Err(refused) => return vec![refused],
        };
        self.book.cancel_asked(target.order.client_order_id, request);
        let (side, session, message) = (self.side.clone(), self.session.clone(), message.clone());
        let permit = self.cancels.clone().try_acquire_owned();
        self.tasks.spawn(async move {
            let state = cancel_on_task(&side, &session, target.clone()).await.state;
            drop(permit);
            let tell: Vec<Message> = not_cancelled(&session, &message, &target, &state).into_iter().collect();
            let failed_cancel = (!tell.is_empty()).then_some(target.order.client_order_id);
            Done {
                tell,
                failed_cancel,
                failed_replacement: None,
            }
        });
        Vec::new()
    }

    /// A cancel, which nothing refuses, and then a new order like any other: what raises risk is decided anew.
    fn replace(&mut self, message: &Message) -> Vec<Message> {
        // What cannot be read changes nothing, neither half.
        let order = match self.read(message) {
            Ok(order) => order,
            Err(refused) => return vec![refused],
        };
        let target = match self.target(message) {
            Ok(target) => target,
            Err(refused) => return vec![refused],
        };
        let same = plain_symbol(target.order.instrument.as_str()) == plain_symbol(order.order.instrument.as_str());
        if !same || target.order.side != order.order.side {
            let text = "ORDER_INVALID: a replacement keeps Symbol (55) and Side (54); cancel, and send a new order";
            return vec![cancel_refused(message, (Some(target.number), '0'), 2, text)];
        }
        let Some(claim) = Claim::of(&self.session.slot, target.number) else {
            let text = "another replacement of that order is under way; wait for its answer";
            return vec![cancel_refused(message, (Some(target.number), 'E'), 3, text)];
        };
        let Ok(permit) = self.orders.clone().try_acquire_owned() else {
            return vec![crowded(message)];
        };
        let new = order.order.client_order_id;
        self.book.replacement_asked(new, target.order.client_order_id.as_str());
        let (side, session, message) = (self.side.clone(), self.session.clone(), message.clone());
        self.tasks.spawn(async move {
            let done = replaced(&side, &session, &message, &target, &order).await;
            drop((permit, claim));
            Done {
                failed_replacement: (!done.tell.is_empty()).then_some(new),
                ..done
            }
        });
        Vec::new()
    }

    fn cancel_all(&mut self, message: &Message) -> Vec<Message> {
        let Some(request) = message.text(CL_ORD_ID) else {
            return vec![lacks(message, CL_ORD_ID)];
        };
        let report = Message::new(ORDER_MASS_CANCEL_REPORT)
            .with(CL_ORD_ID, request)
            .with(
                ORDER_ID,
                format!("mass-{}", message.number(MSG_SEQ_NUM).unwrap_or_default()),
            )
            .with(
                MASS_CANCEL_REQUEST_TYPE,
                message.text(MASS_CANCEL_REQUEST_TYPE).unwrap_or("7"),
            );
        if message.text(MASS_CANCEL_REQUEST_TYPE) != Some("7") {
            let refused = report.with(MASS_CANCEL_RESPONSE, 0).with(MASS_CANCEL_REJECT_REASON, 0);
            return vec![refused.with(
                TEXT,
                "MassCancelRequestType (530) has to be 7: all orders of this agent",
            )];
        }
        let targets: Vec<OpenOrder> = {
            let inner = self.session.slot.lock();
            inner.state.cancel_targets(None).into_iter().cloned().collect()
        };
        let (side, session) = (self.side.clone(), self.session.clone());
        let permit = self.cancels.clone().try_acquire_owned();
        self.tasks.spawn(async move {
            let cancel = |open| cancel_on_task(&side, &session, open);
            let started: Vec<_> = targets.into_iter().map(cancel).collect();
            let (mut cancelled, mut unsure) = (0, 0);
            for ended in started {
                match ended.await.state {
                    CancelState::Cancelled => cancelled += 1,
                    CancelState::NotOpen => {}
                    CancelState::CouldNot { .. } => unsure += 1,
                }
            }
            drop(permit);
            let report = report.with(TOTAL_AFFECTED_ORDERS, cancelled);
            // Success is never claimed for all when it holds for some.
            let tell = vec![if unsure == 0 {
                report.with(MASS_CANCEL_RESPONSE, 7)
            } else {
                let text = format!("IN_DOUBT: {unsure} not confirmed by the venue; ask for each, or ask again");
                report
                    .with(MASS_CANCEL_RESPONSE, 0)
                    .with(MASS_CANCEL_REJECT_REASON, 99)
                    .with(TEXT, text)
            }];
            Done {
                tell,
                ..Done::default()
            }
        });
        Vec::new()
    }

    fn status(&mut self, message: &Message) -> Vec<Message> {
        let Some(named) = message.text(CL_ORD_ID) else {
            return vec![lacks(message, CL_ORD_ID)];
        };
        let unknown = "no order of this agent has that ClOrdID";
        let Ok(id) = ClientOrderId::new(named) else {
            return vec![reports::unread(message, Code::OrderNotFound, unknown)];
        };
        let permit = self.orders.clone().try_acquire_owned();
        let (true, Ok(permit)) = (self.session.slot.admits_question(std::time::Instant::now()), permit) else {
            return vec![not_taken(message, 0, "RATE_MESSAGES: too many questions; slow down")];
        };
        let (side, session, message) = (self.side.clone(), self.session.clone(), message.clone());
        self.tasks.spawn(async move {
            let told = match story(&side.gateway, &session.slot, &id).await {
                Ok(Some(story)) => told(&session, &story),
                Ok(None) => reports::unread(&message, Code::OrderNotFound, unknown),
                Err(error) => not_taken(&message, 4, &format!("{}: {error}", Code::LedgerUnavailable)),
            };
            drop(permit);
            Done {
                tell: vec![told],
                ..Done::default()
            }
        });
        Vec::new()
    }
}

/// Submits as `POST /v1/orders` does. Decisions and outcomes are told by the ledger; here is what it has no entry for.
async fn submitted(side: &Side, session: &Arc<Session>, message: &Message, order: &ParsedOrder) -> Done {
    let wanted = session.limits.as_ref().is_some_and(EffectiveLimits::order_proof);
    // FIX has no signature of RFC 9421: where the mandate asks for one, each order is refused, and recorded so.
    let signed = unsigned(if wanted { Proof::Missing } else { Proof::NotRequired });
    let tell = match submit(&side.gateway, &side.venues, session, order, &signed).await {
        Submitted::Forwarded(..) | Submitted::Refused(..) | Submitted::Halted(..) => Vec::new(),
        Submitted::Repeated(story) => vec![told(session, &story)],
        Submitted::Unavailable(reason) => {
            let text = format!(
                "{}: {reason}; not sent, try again with the same ClOrdID",
                Code::LedgerUnavailable
            );
            vec![not_taken(message, 4, &text)]
        }
    };
    Done {
        tell,
        ..Done::default()
    }
}

/// Both halves of a replacement. OrderQty (38) is that of the chain, as the standard has it: what the first has executed is taken off.
async fn replaced(
    side: &Arc<Side>,
    session: &Arc<Session>,
    message: &Message,
    target: &OpenOrder,
    order: &ParsedOrder,
) -> Done {
    let state = cancel_on_task(side, session, target.clone()).await.state;
    if let Some(refused) = not_cancelled(session, message, target, &state) {
        return Done {
            tell: vec![refused],
            ..Done::default()
        };
    }
    let Some(executed) = executed(&side.gateway, &session.slot, target).await else {
        let text = format!("{}: cancelled, and nothing new is ordered", Code::LedgerUnavailable);
        return Done {
            tell: vec![cancel_refused(message, (Some(target.number), '4'), 99, &text)],
            ..Done::default()
        };
    };
    let left = order
        .order
        .quantity
        .checked_sub(executed)
        .filter(|left| left.is_positive());
    let Some(left) = left.and_then(|left| orders::with_quantity(order, left)) else {
        let text = format!("cancelled, and {executed} of it were executed: of OrderQty (38) nothing is left to order");
        return Done {
            tell: vec![cancel_refused(message, (Some(target.number), '4'), 0, &text)],
            ..Done::default()
        };
    };
    submitted(side, session, message, &left).await
}

fn told(session: &Session, story: &crate::pipeline::endings::OrderStory) -> Message {
    let inner = session.slot.lock();
    let traded = inner.endings.traded(&story.order.client_order_id);
    reports::status(story, traded.and_then(|traded| traded.paid_for(story.executed)))
}

/// The answer to a cancel that did not succeed; one that did is told by the ledger.
fn not_cancelled(session: &Session, message: &Message, target: &OpenOrder, state: &CancelState) -> Option<Message> {
    let (reason, text) = match state {
        CancelState::Cancelled => return None,
        CancelState::NotOpen => (0, "ORDER_NOT_FOUND: the order is no longer open".to_owned()),
        CancelState::CouldNot { why } => (99, format!("IN_DOUBT: {why}; ask for the order before anything else")),
    };
    let inner = session.slot.lock();
    let status = inner
        .endings
        .of(&target.order.client_order_id)
        .map_or('0', reports::status_of);
    Some(cancel_refused(message, (Some(target.number), status), reason, &text))
}

fn cancel_refused(message: &Message, (number, status): (Option<u64>, char), reason: u8, text: &str) -> Message {
    let replacing = message.kind() == ORDER_CANCEL_REPLACE_REQUEST;
    Message::new(ORDER_CANCEL_REJECT)
        .with(
            ORDER_ID,
            number.map_or_else(|| "NONE".to_owned(), |number| number.to_string()),
        )
        .with_some(CL_ORD_ID, message.text(CL_ORD_ID))
        .with_some(ORIG_CL_ORD_ID, message.text(ORIG_CL_ORD_ID))
        .with(ORD_STATUS, status)
        .with(CXL_REJ_RESPONSE_TO, if replacing { 2 } else { 1 })
        .with(CXL_REJ_REASON, reason)
        .with(TEXT, text)
}

/// A message that lacks a field without which it cannot even be answered.
fn lacks(message: &Message, tag: u32) -> Message {
    Message::new(REJECT)
        .with(REF_SEQ_NUM, message.number(MSG_SEQ_NUM).unwrap_or_default())
        .with(REF_TAG_ID, tag)
        .with(REF_MSG_TYPE, message.kind())
        .with(SESSION_REJECT_REASON, 1)
        .with(TEXT, format!("tag {tag} is missing"))
}

fn not_taken(message: &Message, reason: u8, text: &str) -> Message {
    let about = message.text(CL_ORD_ID);
    Message::new(BUSINESS_MESSAGE_REJECT)
        .with(REF_SEQ_NUM, message.number(MSG_SEQ_NUM).unwrap_or_default())
        .with(REF_MSG_TYPE, message.kind())
        .with_some(BUSINESS_REJECT_REF_ID, about)
        .with(BUSINESS_REJECT_REASON, reason)
        .with(TEXT, text)
}

fn crowded(message: &Message) -> Message {
    let detail =
        format!("{ORDERS_IN_FLIGHT} orders are under way: not read, its ClOrdID is still free; wait for an answer");
    reports::unread(message, Code::RateMessages, &detail)
}
