//! Random flows of orders, outcomes, fills, cancels and time, decided twice: by the crate, and by a naive oracle that keeps plain
//! lists of everything that happened and counts them anew each time, in integers of its own.
//!
//! Both must agree on every code of every order (the rate buckets alone may be early, never late). So no permitted order is outside
//! the limits, and none inside is refused. Controls tried: releasing a reservation in doubt, forgetting yesterday's open
//! orders, counting reductions in the day, `<` for `<=` at the cap, and an order's own price in place of the highest; each is found. The bounds of
//! conduct are in it too.

use std::collections::BTreeSet;

use extensions::{
    Decimal, Timestamp,
    limits::LimitsDocument,
    mandate::{Caps, Scoring, SelfTrade},
};
use proptest::prelude::*;

use crate::{
    CloseCause, Code, Decision, DecisionKind, OrderKind, OrderTerms, OutcomeState, Side, TimeInForce,
    fixture::{World, instrument, limits_document, terms, time},
};

/// Quantities and prices in hundredths, values in ten-thousandths.
const PER_ORDER: i128 = 1_000 * 10_000;
const PER_DAY: i128 = 3_000 * 10_000;
const RATE: usize = 8;
/// The bounds of conduct, where they are set: open orders, and a position in hundredths.
const MOST_OPEN: u16 = 4;
const MOST_POSITION: i64 = 2_000;
const REPEAT_MICROS: i64 = 1_000_000;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Which id, instrument, side, quantity, price, market, reduce_only.
    Send(u8, u8, bool, i64, i64, bool, bool),
    /// Which permit, what becomes of it.
    Outcome(usize, u8),
    /// Which permit, how much, at which price, under which execution id.
    Fill(usize, i64, i64, u16),
    /// Microseconds.
    Wait(i64),
    /// The reference price.
    Reference(i64),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let send = (
        any::<u8>(),
        0_u8..9,
        any::<bool>(),
        1_i64..1_500,
        8_500_i64..11_500,
        0_u8..8,
        0_u8..6,
    )
        .prop_map(|(id, which, buy, quantity, price, market, reduce)| {
            Step::Send(id, which, buy, quantity, price, market == 0, reduce == 0)
        });
    prop_oneof![
        6 => send,
        3 => (any::<usize>(), 0_u8..6).prop_map(|(order, state)| Step::Outcome(order, state)),
        4 => (any::<usize>(), 1_i64..700, 8_500_i64..11_500, 0_u16..400).prop_map(|(o, q, p, e)| Step::Fill(o, q, p, e)),
        2 => prop_oneof![0_i64..400_000, 0_i64..50_000_000, Just(3_600_000_000 * 5)].prop_map(Step::Wait),
        1 => (9_000_i64..11_000).prop_map(Step::Reference),
    ]
}

/// One permit as the oracle remembers it.
#[derive(Debug, Clone)]
struct Open {
    number: u64,
    terms: OrderTerms,
    at: Timestamp,
    quantity: i128,
    price: i128,
    counted: bool,
    filled: i128,
    executed: Option<i128>,
    answered: bool,
    gone: bool,
}

impl Open {
    /// What may still fill.
    fn remaining(&self) -> i128 {
        if self.gone {
            0
        } else {
            (self.executed.unwrap_or(self.quantity).min(self.quantity) - self.filled).max(0)
        }
    }
}

#[derive(Default)]
pub(crate) struct Oracle {
    /// Whether the mandate bounds open orders, positions and trades with oneself.
    bounded: bool,
    permits: Vec<Open>,
    /// When and how much of the day a fill took.
    spent: Vec<(Timestamp, i128)>,
    /// Signed position moves by instrument.
    moves: Vec<(String, i128)>,
    executions: BTreeSet<(usize, u16)>,
    ids: BTreeSet<String>,
    /// When each risk-carrying order came.
    sent: Vec<Timestamp>,
}

fn hundredths(decimal: Decimal) -> i128 {
    decimal.mantissa() * 10_i128.pow(2 - u32::from(decimal.scale()))
}

fn of_hundredths(value: i64) -> Decimal {
    Decimal::new(i128::from(value), 2).expect("scale")
}

impl Oracle {
    /// The bounds of conduct that the order breaks.
    fn bounds(&self, order: &OrderTerms, reduction: bool) -> Vec<Code> {
        if !self.bounded {
            return Vec::new();
        }
        let open: Vec<&Open> = self.permits.iter().filter(|open| !open.gone).collect();
        let resting = || open.iter().filter(|open| open.executed.is_none());
        let mut broken = Vec::new();
        let (buys, way) = (order.side == Side::Buy, if order.side == Side::Buy { 1 } else { -1 });
        let name = order.instrument.as_str();
        let held: i128 = self
            .moves
            .iter()
            .filter(|(i, _)| i == name)
            .map(|(_, moved)| moved)
            .sum();
        let same = open
            .iter()
            .filter(|open| open.terms.instrument == order.instrument && open.terms.side == order.side);
        let worst = held * way + same.map(|open| open.remaining()).sum::<i128>() + hundredths(order.quantity);
        let capped = ["BTC_EUR", "ETH_EUR"].contains(&name) && worst <= i128::from(MOST_POSITION);
        if !reduction && !capped {
            broken.push(Code::MaxPosition);
        }
        if !reduction && resting().count() >= usize::from(MOST_OPEN) {
            broken.push(Code::OpenOrdersCap);
        }
        let meets = |open: &&&Open| {
            let (own, at) = (open.terms.price.map(hundredths), order.price.map(hundredths));
            let reach = own
                .zip(at)
                .is_none_or(|(own, at)| if buys { at >= own } else { at <= own });
            open.terms.instrument == order.instrument && open.terms.side != order.side && reach
        };
        if resting().any(|open| meets(&open)) {
            broken.push(Code::SelfTrade);
        }
        broken
    }

    fn reduces(&self, order: &OrderTerms) -> bool {
        let name = order.instrument.as_str();
        let position: i128 = self
            .moves
            .iter()
            .filter(|(i, _)| i == name)
            .map(|(_, moved)| moved)
            .sum();
        let opposite = if order.side == Side::Sell { position } else { -position };
        let same = |open: &&Open| open.terms.instrument == order.instrument && open.terms.side == order.side;
        let open: i128 = self.permits.iter().filter(same).map(Open::remaining).sum();
        opposite > 0 && hundredths(order.quantity) + open <= opposite
    }

    fn day(&self, now: Timestamp) -> i128 {
        let spent: i128 = self
            .spent
            .iter()
            .filter(|(at, _)| at.day() == now.day())
            .map(|(_, value)| value)
            .sum();
        let open = self
            .permits
            .iter()
            .filter(|open| open.counted)
            .map(|open| open.remaining() * open.price);
        spent + open.sum::<i128>()
    }

    /// What the agent has at stake, every instrument at one price, in ten-thousandths.
    pub(crate) fn at_stake(&self, price: i128) -> i128 {
        let mut held = std::collections::BTreeMap::<&str, i128>::new();
        for (name, moved) in &self.moves {
            *held.entry(name).or_default() += moved;
        }
        let held: i128 = held.values().map(|held| held.abs() * price).sum();
        let open = self.permits.iter().filter(|open| open.counted);
        held + open.map(|open| open.remaining() * open.price).sum::<i128>()
    }

    /// The codes an order must be refused with, rates apart.
    fn codes(&self, order: &OrderTerms, reference: i128, now: Timestamp) -> BTreeSet<Code> {
        let mut codes = BTreeSet::new();
        let reduction = self.reduces(order);
        let price = order.price.map(hundredths);
        let value = hundredths(order.quantity) * price.unwrap_or(0).max(reference);
        if self.ids.contains(order.client_order_id.as_str()) {
            codes.insert(Code::Duplicate);
        }
        let repeats = |open: &&Open| {
            let mut terms = open.terms.clone();
            terms.client_order_id = order.client_order_id;
            !open.gone
                && !open.answered
                && open.terms.client_order_id != order.client_order_id
                && terms == *order
                && now.micros_since(open.at) <= REPEAT_MICROS
        };
        if self.permits.iter().any(|open| repeats(&open)) {
            codes.insert(Code::DuplicateSuspected);
        }
        if !["BTC_EUR", "ETH_EUR"].contains(&order.instrument.as_str()) {
            codes.insert(Code::InstrumentNotAllowed);
        }
        let minute = now.minute_of_day();
        let inside = now.weekday() < 5 && (420..1_200).contains(&minute);
        if !reduction && !inside {
            codes.insert(Code::OutsideHours);
        }
        if !reduction && value > PER_ORDER {
            codes.insert(Code::MaxNotional);
        }
        let outside = |price: i128| match order.side {
            Side::Buy => price * 100 > reference * 105,
            Side::Sell => price * 100 < reference * 95,
        };
        if price.is_some_and(outside) {
            codes.insert(Code::PriceCollar);
        }
        if !reduction && self.day(now) + value > PER_DAY {
            codes.insert(Code::DayNotional);
        }
        if order.reduce_only && !reduction {
            codes.insert(Code::PositionUnknown);
        }
        codes.extend(self.bounds(order, reduction));
        codes
    }

    fn within_a_second(&self, now: Timestamp) -> usize {
        self.sent.iter().filter(|at| now.micros_since(**at) < 1_000_000).count()
    }

    fn decided(&mut self, order: &OrderTerms, decision: &Decision, reference: i128, now: Timestamp) {
        let reduction = self.reduces(order);
        if !reduction {
            self.sent.push(now);
        }
        self.ids.insert(order.client_order_id.as_str().to_owned());
        if decision.decided().decision == DecisionKind::Permit {
            self.permits.push(Open {
                number: decision.number(),
                terms: order.clone(),
                at: now,
                quantity: hundredths(order.quantity),
                price: order.price.map_or(0, hundredths).max(reference),
                counted: !reduction,
                filled: 0,
                executed: None,
                answered: false,
                gone: false,
            });
        }
    }

    fn fill(&mut self, which: usize, quantity: i128, price: i128, execution: u16, now: Timestamp) {
        let open = &mut self.permits[which];
        let name = open.terms.instrument.as_str().to_owned();
        if !self.executions.insert((which, execution)) {
            return;
        }
        let signed = if open.terms.side == Side::Buy {
            quantity
        } else {
            -quantity
        };
        self.moves.push((name, signed));
        let before = open.remaining();
        let was_gone = open.gone || before == 0;
        open.filled += quantity;
        open.answered = true;
        let freed = if open.counted {
            (before - open.remaining()) * open.price
        } else {
            0
        };
        let value = if was_gone {
            quantity * price
        } else if !open.counted {
            0
        } else if price <= open.price {
            freed
        } else {
            (quantity * price).max(freed)
        };
        if open.remaining() == 0 {
            open.gone = true;
        }
        self.spent.push((now, value));
    }
}

fn send(world: &mut World, oracle: &mut Oracle, order: &OrderTerms) -> Result<(), TestCaseError> {
    let reference = hundredths(world.reference.expect("a price"));
    let expected = oracle.codes(order, reference, world.now);
    let reduction = oracle.reduces(order);
    let open = world.state.open_orders().len();
    let (_, decision) = world.send(order.clone());
    let found: Vec<Code> = decision.decided().checks.iter().map(|check| check.code).collect();
    prop_assert!(found.is_sorted());
    let mut found: BTreeSet<Code> = found.into_iter().collect();
    let limited = found.remove(&Code::RateOrders);
    prop_assert!(
        limited || reduction || oracle.within_a_second(world.now) < RATE,
        "over the rate"
    );
    prop_assert!(!limited || !reduction, "a reduction is free of rates");
    prop_assert_eq!(&found, &expected, "{:?} with {} open", order, open);
    prop_assert_eq!(matches!(decision, Decision::Permit(_)), expected.is_empty() && !limited);
    prop_assert_eq!(decision.decided().reduction, reduction);
    oracle.decided(order, &decision, reference, world.now);
    Ok(())
}

fn outcome(world: &mut World, oracle: &mut Oracle, which: usize, state: u8) {
    let open = &mut oracle.permits[which];
    let why = || "test".to_owned();
    let settled = open.gone || open.executed.is_some();
    let state = match state {
        0 | 1 => {
            open.answered = true;
            OutcomeState::Accepted { venue_reference: why() }
        }
        2 => OutcomeState::InDoubt { why: why() },
        3 | 4 if !settled && open.filled == 0 => {
            open.gone = true;
            if state == 3 {
                OutcomeState::Rejected { why: why() }
            } else {
                OutcomeState::Withheld { why: why() }
            }
        }
        _ if settled => return,
        _ => {
            // The venue may have executed more than we have seen.
            let executed = (open.filled + open.quantity / 3).min(open.quantity).max(open.filled);
            open.executed = Some(executed);
            open.answered = true;
            if open.remaining() == 0 {
                open.gone = true;
            }
            let executed = Decimal::new(executed, 2).expect("scale");
            OutcomeState::Closed {
                executed,
                venue_reference: None,
                why: CloseCause::Cancelled,
            }
        }
    };
    let (id, number) = (open.terms.client_order_id.as_str().to_owned(), open.number);
    world.outcome(&id, number, state);
}

pub(crate) fn take(world: &mut World, oracle: &mut Oracle, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Send(id, which, buy, quantity, price, market, reduce_only) => {
            let name = ["BTC_EUR", "ETH_EUR", "XRP_EUR"][usize::from(which / 4)];
            let order = OrderTerms {
                instrument: instrument(name),
                side: if buy { Side::Buy } else { Side::Sell },
                quantity: of_hundredths(quantity),
                price: (!market).then(|| of_hundredths(price)),
                kind: if market { OrderKind::Market } else { OrderKind::Limit },
                time_in_force: if market { TimeInForce::Ioc } else { TimeInForce::Gtc },
                reduce_only,
                ..terms(&format!("o{id}"))
            };
            send(world, oracle, &order)?;
        }
        Step::Outcome(which, state) if !oracle.permits.is_empty() => {
            outcome(world, oracle, which % oracle.permits.len(), state);
        }
        Step::Fill(which, quantity, price, execution) if !oracle.permits.is_empty() => {
            let which = which % oracle.permits.len();
            let open = &oracle.permits[which];
            // A venue fills no more than there is; a repeated execution id is a repeated report.
            let most = i64::try_from(open.remaining()).unwrap_or(0);
            if most > 0 {
                let quantity = quantity.min(most);
                let (number, order, now) = (open.number, open.terms.clone(), world.now);
                let [amount, at] = [quantity, price].map(|value| of_hundredths(value).to_string());
                world.fill(number, &order, &amount, &at, &execution.to_string());
                oracle.fill(which, i128::from(quantity), i128::from(price), execution, now);
            }
        }
        Step::Wait(micros) => world.now = world.now.plus_micros(micros),
        Step::Reference(price) => world.reference = Some(of_hundredths(price)),
        Step::Outcome(..) | Step::Fill(..) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_oracle_agrees_on_every_code(steps in prop::collection::vec(step(), 1..120), bounded: bool) {
        let mut world = World::with(LimitsDocument {
            order_rates: vec![format!("{RATE}/1s")],
            per_day: vec!["EUR 3000".to_owned()],
            ..limits_document()
        });
        world.document.conduct.scoring = Scoring::ObserveUntil(time("2030-01-01T00:00:00Z"));
        if bounded {
            let most = of_hundredths(MOST_POSITION);
            let conduct = &mut world.document.conduct;
            conduct.max_open_orders = Some(MOST_OPEN);
            conduct.max_position = Caps::new(["BTC_EUR", "ETH_EUR"].map(|name| (instrument(name), most)).to_vec());
            conduct.self_trade = Some(SelfTrade::Refuse);
        }
        let mut oracle = Oracle { bounded, ..Oracle::default() };
        let mut again = world.state.clone();
        for step in steps {
            take(&mut world, &mut oracle, step)?;
            let day = world.state.day_notional(&crate::fixture::currency("EUR"), world.now);
            prop_assert_eq!(day, Decimal::new(oracle.day(world.now), 4));
            // Cancels always find what is open, whatever else holds.
            let open = oracle.permits.iter().filter(|open| !open.gone && open.executed.is_none()).count();
            prop_assert_eq!(world.state.cancel_targets(None).len(), open);
        }
        prop_assert!(!world.state.faulty());
        // A snapshot is the state, and bounded.
        let snapshot = world.state.snapshot();
        prop_assert!(snapshot.len() < 512 * 1_024);
        again = crate::AgentState::from_snapshot(&snapshot, world.state.digest()).unwrap_or(again);
        prop_assert_eq!(again, world.state);
    }
}
