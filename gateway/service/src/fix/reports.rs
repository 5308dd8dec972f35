//! Execution reports from the entries of an agent's stream: nothing is told before it is durable, and orders of other routes are told too.
//!
//! Quantities and prices are those of the record. AvgPx (6) alone is computed, and cut after 18 decimals where it does not end.

use std::collections::{HashMap, VecDeque};

use extensions::{ClientOrderId, Decimal, Timestamp};
use gateway_policy::{
    AgentEvent, CancelSource, CloseCause, Code, DecisionKind, FailedCheck, OrderDecided, OrderFilled, OrderKind,
    OrderOutcome, OrderTerms, OutcomeState, Side, TimeInForce,
};
use ledger::CommittedEntry;

use super::{
    codec::{self, Message},
    tags::{
        AVG_PX, CL_ORD_ID, CUM_QTY, CURRENCY, EXEC_ID, EXEC_RESTATEMENT_REASON, EXEC_TYPE, EXECUTION_REPORT, LAST_PX,
        LAST_QTY, LEAVES_QTY, ORD_REJ_REASON, ORD_STATUS, ORD_TYPE, ORDER_ID, ORDER_QTY, ORIG_CL_ORD_ID, PRICE,
        SECURITY_EXCHANGE, SIDE, STOP_PX, SYMBOL, TEXT, TIME_IN_FORCE, TRANSACT_TIME,
    },
};
use crate::pipeline::{
    endings::{OrderStatus, OrderStory},
    salt_number,
    slot::Inner,
};

/// Ended orders that a session remembers, for fills that come late.
const ENDED_REMEMBERED: usize = 4_096;
/// The most decimals of an average.
const AVERAGE_DECIMALS: u32 = 18;

/// One order as its reports have told it so far.
#[derive(Debug, Clone)]
struct Line {
    terms: OrderTerms,
    /// What the fills come to.
    filled: Decimal,
    /// What was paid for them; `None` when not all are known exactly.
    value: Option<Decimal>,
    /// What the venue says was executed in all, where that is ahead of the fills.
    executed: Decimal,
    /// The OrdStatus (39) it ended with.
    ended: Option<char>,
    /// The order it replaces.
    replaces: Option<String>,
    cancelled_by: Option<CancelSource>,
}

impl Line {
    fn begin(terms: OrderTerms) -> Self {
        Self {
            terms,
            filled: Decimal::ZERO,
            value: Some(Decimal::ZERO),
            executed: Decimal::ZERO,
            ended: None,
            replaces: None,
            cancelled_by: None,
        }
    }

    fn done(&self) -> Decimal {
        self.executed.max(self.filled)
    }

    fn status(&self) -> char {
        match self.ended {
            Some(status) => status,
            None if self.done() >= self.terms.quantity => '2',
            None if self.done().is_positive() => '1',
            None => '0',
        }
    }

    fn average(&self) -> Decimal {
        let value = self.value.filter(|_| self.filled == self.done());
        value
            .and_then(|value| average(value, self.filled))
            .unwrap_or(Decimal::ZERO)
    }
}

/// The orders of a session: what is open, and what ended of late.
#[derive(Debug, Default)]
pub(super) struct Book {
    lines: HashMap<u64, Line>,
    ended: VecDeque<u64>,
    /// The cancel requests under way: the order's id, and the id of the request.
    cancels: HashMap<ClientOrderId, String>,
    /// Replacements under way: the new order's id, and that of the old one.
    replacements: HashMap<ClientOrderId, String>,
}

impl Book {
    /// The open orders as the state has them.
    pub(super) fn of(inner: &Inner) -> Self {
        let mut book = Self::default();
        for open in inner.state.open_orders() {
            let id = &open.order.client_order_id;
            let mut line = Line::begin(open.order.clone());
            line.filled = open.filled;
            line.value = inner.endings.traded(id).and_then(|traded| traded.paid_for(open.filled));
            if !open.may_rest() {
                let story = inner.endings.of(id);
                line.ended = Some(story.map_or('4', status_of));
                line.executed = story.map_or(open.filled, |story| story.executed);
            }
            book.lines.insert(open.number, line);
        }
        book
    }

    /// The bot asks to cancel an order: its report will carry the id of the request.
    pub(super) fn cancel_asked(&mut self, order: ClientOrderId, request: &str) {
        self.cancels.insert(order, request.to_owned());
    }

    /// That cancel came to nothing.
    pub(super) fn cancel_failed(&mut self, order: &ClientOrderId) {
        self.cancels.remove(order);
    }

    /// The bot asks to replace an order.
    pub(super) fn replacement_asked(&mut self, new: ClientOrderId, old: &str) {
        self.replacements.insert(new, old.to_owned());
    }

    /// No order came of that replacement.
    pub(super) fn replacement_failed(&mut self, new: &ClientOrderId) {
        self.replacements.remove(new);
    }

    /// The report of an entry, for those that are told.
    pub(super) fn report(&mut self, entry: &CommittedEntry) -> Option<Message> {
        match AgentEvent::decode(&entry.kind, entry.body()).ok()? {
            AgentEvent::Decided(decided) => self.decided(entry, &decided),
            AgentEvent::Outcome(outcome) => self.outcome(entry, &outcome),
            AgentEvent::Filled(fill) => self.filled(entry, &fill),
            AgentEvent::CancelRequested(asked) => {
                if let Some(line) = self.lines.get_mut(&asked.order) {
                    line.cancelled_by = Some(asked.by);
                }
                None
            }
            _ => None,
        }
    }

    fn decided(&mut self, entry: &CommittedEntry, decided: &OrderDecided) -> Option<Message> {
        let id = &decided.order.client_order_id;
        let replaces = self.replacements.remove(id);
        let mut line = Line::begin(decided.order.clone());
        line.replaces = replaces;
        if decided.decision == DecisionKind::Permit {
            self.lines.insert(entry.number, line);
            return None;
        }
        line.ended = Some('8');
        let (code, text) = first_of(&decided.checks);
        Some(refused(told(&line, entry.number, entry, '8'), code, &text))
    }

    fn outcome(&mut self, entry: &CommittedEntry, outcome: &OrderOutcome) -> Option<Message> {
        let number = outcome.order;
        let line = self.lines.get_mut(&number)?;
        let report = match &outcome.state {
            OutcomeState::Accepted { .. } => Some(told(line, number, entry, '0')),
            OutcomeState::InDoubt { why } => {
                let text = format!("IN_DOUBT: {why}; it is asked for, and never sent again");
                let report = told_as(line, number, entry, ('A', 'A')).with(TEXT, text);
                Some(report)
            }
            OutcomeState::Rejected { why } => {
                line.ended = Some('8');
                let text = format!("{}: {why}", Code::VenueRejected);
                Some(refused(told(line, number, entry, '8'), Code::VenueRejected, &text))
            }
            OutcomeState::Withheld { why } => {
                line.ended = Some('8');
                let text = format!("{}: {why}; send it again under a new ClOrdID", Code::Withheld);
                Some(refused(told(line, number, entry, '8'), Code::Withheld, &text))
            }
            OutcomeState::Closed { executed, why, .. } => {
                line.executed = *executed;
                let request = self.cancels.remove(&outcome.client_order_id);
                closed(line, number, entry, *why, request)
            }
        };
        if self.lines.get(&number).is_some_and(|line| line.ended.is_some()) {
            self.remember(number);
        }
        report
    }

    fn filled(&mut self, entry: &CommittedEntry, fill: &OrderFilled) -> Option<Message> {
        let line = self.lines.get_mut(&fill.order)?;
        line.filled = line.filled.checked_add(fill.quantity)?;
        let value = fill.quantity.checked_mul(fill.price);
        line.value = line.value.zip(value).and_then(|(sum, value)| sum.checked_add(value));
        let report = told(line, fill.order, entry, 'F')
            .with(LAST_QTY, fill.quantity)
            .with(LAST_PX, fill.price);
        if line.status() == '2' && line.ended.is_none() {
            line.ended = Some('2');
            self.remember(fill.order);
        }
        Some(report)
    }

    fn remember(&mut self, ended: u64) {
        if !self.ended.contains(&ended) {
            self.ended.push_back(ended);
        }
        if self.ended.len() > ENDED_REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.lines.remove(&oldest);
        }
    }
}

fn closed(
    line: &mut Line,
    number: u64,
    entry: &CommittedEntry,
    why: CloseCause,
    request: Option<String>,
) -> Option<Message> {
    // What filled it whole is told by its fills.
    if why == CloseCause::Filled {
        line.ended = Some('2');
        return None;
    }
    let status = if why == CloseCause::Cancelled { '4' } else { 'C' };
    line.ended = Some(status);
    let report = told(line, number, entry, status);
    Some(match (request, line.cancelled_by) {
        (Some(request), _) => {
            let order = line.terms.client_order_id;
            let fields = report
                .fields()
                .iter()
                .skip(1)
                .filter(|(tag, _)| *tag != CL_ORD_ID && *tag != ORIG_CL_ORD_ID);
            let named = Message::new(EXECUTION_REPORT)
                .with(CL_ORD_ID, request)
                .with(ORIG_CL_ORD_ID, order);
            fields.fold(named, |report, (tag, value)| report.with(*tag, value))
        }
        // Not asked for: a halt is a cancel on a trading halt (6), an officer's word the broker's option (4).
        (None, Some(CancelSource::Halt)) => report.with(EXEC_RESTATEMENT_REASON, 6),
        (None, Some(CancelSource::Officer)) => report.with(EXEC_RESTATEMENT_REASON, 4),
        (None, _) => report,
    })
}

/// A report with the order's status as it is now.
fn told(line: &Line, number: u64, entry: &CommittedEntry, kind: char) -> Message {
    told_as(line, number, entry, (kind, line.status()))
}

fn told_as(line: &Line, number: u64, entry: &CommittedEntry, (kind, status): (char, char)) -> Message {
    let done = line.done();
    let leaves = match line.ended {
        None => line.terms.quantity.checked_sub(done).unwrap_or(Decimal::ZERO),
        Some(_) => Decimal::ZERO,
    };
    let message = head(&line.terms, number, &entry.number.to_string(), entry.at)
        .with(EXEC_TYPE, kind)
        .with(ORD_STATUS, status)
        .with(CUM_QTY, done)
        .with(LEAVES_QTY, leaves)
        .with(AVG_PX, line.average());
    message.with_some(ORIG_CL_ORD_ID, line.replaces.as_ref())
}

/// What every report of an order holds.
fn head(terms: &OrderTerms, number: u64, execution: &str, at: Timestamp) -> Message {
    Message::new(EXECUTION_REPORT)
        .with(CL_ORD_ID, terms.client_order_id)
        .with(ORDER_ID, number)
        .with(EXEC_ID, execution)
        .with(SYMBOL, terms.instrument)
        .with(SECURITY_EXCHANGE, terms.counterparty)
        .with(CURRENCY, terms.currency)
        .with(SIDE, if terms.side == Side::Buy { 1 } else { 2 })
        .with(ORDER_QTY, terms.quantity)
        .with(ORD_TYPE, kind_of(terms.kind))
        .with_some(PRICE, terms.price)
        .with_some(STOP_PX, terms.stop_price)
        .with(TIME_IN_FORCE, time_of(terms.time_in_force))
        .with(TRANSACT_TIME, codec::written_time(at))
}

fn kind_of(kind: OrderKind) -> char {
    match kind {
        OrderKind::Market => '1',
        OrderKind::Limit => '2',
        OrderKind::StopMarket => '3',
        OrderKind::StopLimit => '4',
    }
}

fn time_of(time: TimeInForce) -> char {
    match time {
        TimeInForce::Gtc => '1',
        TimeInForce::Ioc => '3',
        TimeInForce::Fok => '4',
    }
}

fn refused(report: Message, code: Code, text: &str) -> Message {
    report.with(ORD_REJ_REASON, reason_of(code)).with(TEXT, text)
}

/// The first failed check: its code, and that code in words.
fn first_of(checks: &[FailedCheck]) -> (Code, String) {
    match checks.first() {
        Some(check) => (check.code, format!("{}: {}", check.code, check.change)),
        None => (Code::StatusUnknown, Code::StatusUnknown.meaning().to_owned()),
    }
}

/// OrdRejReason (103) of a code. The stable code itself stands at the beginning of Text (58).
#[must_use]
pub(super) fn reason_of(code: Code) -> u8 {
    match code {
        Code::InstrumentNotAllowed => 1,
        Code::OutsideHours => 2,
        Code::MaxNotional
        | Code::DayNotional
        | Code::DayLoss
        | Code::MaxPosition
        | Code::GroupExposure
        | Code::OpenOrdersMax
        | Code::OpenOrdersCap
        | Code::PriceCollar
        | Code::RateOrders
        | Code::RateMessages
        | Code::RepeatExecution => 3,
        Code::OrderNotFound => 5,
        Code::Duplicate | Code::DuplicateSuspected => 6,
        Code::OrderInvalid | Code::OrderMalformed | Code::OrderTypeNotAllowed | Code::UnitNotAllowed => 11,
        Code::AnomalyRevoked => 12,
        _ => 99,
    }
}

/// The OrdStatus (39) of a story.
pub(super) fn status_of(story: &OrderStory) -> char {
    match story.status {
        OrderStatus::Permitted | OrderStatus::InDoubt => 'A',
        OrderStatus::Open if story.executed.is_positive() => '1',
        OrderStatus::Open => '0',
        OrderStatus::Filled => '2',
        OrderStatus::Cancelled => '4',
        OrderStatus::Expired => 'C',
        OrderStatus::Refused | OrderStatus::Rejected | OrderStatus::Withheld => '8',
    }
}

/// What an order has come to, for a bot that asks or repeats itself. `paid` is what its executions cost, where all of them are known.
pub(super) fn status(story: &OrderStory, paid: Option<Decimal>) -> Message {
    let status = status_of(story);
    let open = matches!(status, 'A' | '0' | '1');
    let leaves = story.order.quantity.checked_sub(story.executed).filter(|_| open);
    let average = paid.and_then(|paid| average(paid, story.executed));
    let report = head(&story.order, story.number, &own_id(), story.decided_at)
        .with(EXEC_TYPE, 'I')
        .with(ORD_STATUS, status)
        .with(CUM_QTY, story.executed)
        .with(LEAVES_QTY, leaves.unwrap_or(Decimal::ZERO))
        .with(AVG_PX, average.unwrap_or(Decimal::ZERO));
    match story.status {
        OrderStatus::Refused => {
            let (code, text) = first_of(&story.checks);
            refused(report, code, &text)
        }
        OrderStatus::Rejected => {
            let text = format!("{}: {}", Code::VenueRejected, story.why.as_deref().unwrap_or_default());
            refused(report, Code::VenueRejected, &text)
        }
        OrderStatus::Withheld => {
            let text = format!("{}: {}", Code::Withheld, story.why.as_deref().unwrap_or_default());
            refused(report, Code::Withheld, &text)
        }
        _ => report.with_some(TEXT, story.why.as_ref()),
    }
}

/// The refusal of what is no order, or was not read: it has no entry, so its ids are of nothing else.
pub(super) fn unread(asked: &Message, code: Code, detail: &str) -> Message {
    let echoed = |report: Message, tag| report.with_some(tag, asked.text(tag));
    let report = Message::new(EXECUTION_REPORT)
        .with(ORDER_ID, "NONE")
        .with(EXEC_ID, own_id())
        .with(EXEC_TYPE, '8')
        .with(ORD_STATUS, '8')
        .with(CUM_QTY, 0)
        .with(LEAVES_QTY, 0)
        .with(AVG_PX, 0)
        .with(SYMBOL, asked.text(SYMBOL).unwrap_or("NONE"))
        .with(SIDE, asked.text(SIDE).unwrap_or("7"));
    let report = [CL_ORD_ID, ORIG_CL_ORD_ID, ORDER_QTY].into_iter().fold(report, echoed);
    refused(report, code, &format!("{code}: {detail}"))
}

/// An id for what is told and has no entry.
fn own_id() -> String {
    format!("x-{:016x}", salt_number())
}

/// `value / quantity`, cut after 18 decimals, or earlier where that many do not fit.
fn average(value: Decimal, quantity: Decimal) -> Option<Decimal> {
    if !quantity.is_positive() {
        return None;
    }
    (0..=AVERAGE_DECIMALS).rev().find_map(|decimals| {
        let up = 10_i128.checked_pow(decimals + u32::from(quantity.scale()))?;
        let down = 10_i128.checked_pow(u32::from(value.scale()))?;
        let quotient = value.mantissa().checked_mul(up)? / quantity.mantissa().checked_mul(down)?;
        Decimal::new(quotient, u8::try_from(decimals).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect("decimal")
    }

    /// Control tried: another power of ten in `up`.
    #[test]
    fn an_average_is_exact_where_it_ends() {
        for (value, quantity, expected) in [
            ("470", "0.01", "47000"),
            ("0.17", "1", "0.17"),
            ("10", "4", "2.5"),
            ("1", "3", "0.333333333333333333"),
            ("0.000000000000000001", "1", "0.000000000000000001"),
        ] {
            assert_eq!(
                average(decimal(value), decimal(quantity)),
                Some(decimal(expected)),
                "{value}/{quantity}"
            );
        }
        assert_eq!(average(decimal("1"), Decimal::ZERO), None);
    }

    /// What a client does with a reason of its own depends on it; `docs/fix.md` says each.
    ///
    /// Control, tried: another number for one code.
    #[test]
    fn the_table_of_refusals_is_this_one() {
        let page = include_str!("../../../../docs/fix.md");
        for code in Code::ALL {
            let row = format!("| `{code}` | {} |", reason_of(*code));
            assert!(page.contains(&row), "{row}");
        }
    }
}
