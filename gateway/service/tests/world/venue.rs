//! A venue that remembers what it was sent, and fails as it is told.

use super::*;

/// Trades in one page of this venue.
const TRADES_PAGE: usize = 8;

/// What a venue is told to do with the next orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Accept.
    Accept,
    /// Act, and never answer.
    LoseAnswers,
    /// Lose the order itself, and never answer.
    LoseOrders,
    /// Fill whole at once, at 100.
    Fill,
    /// Refuse.
    Reject,
    /// Be slow: wait for `CountingVenue::go` before the gate is asked.
    Wait,
}

/// A venue that counts: each send with the id it was sent under and the monotonic moment.
pub struct CountingVenue {
    pub sent: Mutex<Vec<(String, std::time::Instant)>>,
    pub cancelled: Mutex<Vec<String>>,
    pub mood: Mutex<Mood>,
    /// Lets orders go on that wait.
    pub go: tokio::sync::Semaphore,
    /// How many orders have come to wait so far.
    pub waits: AtomicI64,
    /// Orders that ended at the venue.
    pub ended: Mutex<HashMap<String, OrderLife>>,
    /// How much of an order was executed by the time of its cancel, by what was ordered of it.
    pub partly: Mutex<HashMap<extensions::Decimal, extensions::Decimal>>,
    /// Pairs that came as one list: one of them at most executes, and a cancel of one ends both.
    pub lists: Mutex<Vec<[String; 2]>>,
    /// Cancels that are still lost.
    pub deaf: AtomicI64,
    /// What was ordered, of orders that are not for one.
    pub ordered: Mutex<HashMap<String, extensions::Decimal>>,
    /// What it lists as open.
    pub listed: Mutex<OpenOrders>,
    /// What traded since.
    pub trades: Mutex<Vec<Trade>>,
    /// How often its dead man's switch was held.
    pub beats: AtomicI64,
}

impl CountingVenue {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            sent: Mutex::default(),
            cancelled: Mutex::default(),
            mood: Mutex::new(Mood::Accept),
            go: tokio::sync::Semaphore::new(0),
            waits: AtomicI64::new(0),
            ended: Mutex::default(),
            partly: Mutex::default(),
            lists: Mutex::default(),
            deaf: AtomicI64::new(0),
            ordered: Mutex::default(),
            listed: Mutex::default(),
            trades: Mutex::default(),
            beats: AtomicI64::new(0),
        })
    }

    /// Sets what it does with the next orders.
    pub fn be(&self, mood: Mood) {
        *self.mood.lock().expect("held") = mood;
    }

    /// The ids whose cancels it was sent, each once.
    pub fn cancels(&self) -> Vec<String> {
        let mut ids = self.cancelled.lock().expect("held").clone();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn ordered(&self, id: &str) -> extensions::Decimal {
        let ordered = self.ordered.lock().expect("held");
        ordered.get(id).copied().unwrap_or(extensions::Decimal::from(1))
    }

    pub fn sends(&self) -> Vec<String> {
        self.sent
            .lock()
            .expect("held")
            .iter()
            .map(|(id, _)| id.clone())
            .collect()
    }
}

/// The id of one execution.
pub fn execution(number: u64) -> ExecutionId {
    ExecutionId::new(&number.to_string()).expect("id")
}

fn report(id: &str, instrument: Instrument, quantity: extensions::Decimal) -> OrderReport {
    OrderReport {
        client_id: gateway_service::venue::VenueClientId::new(id),
        venue_order_id: gateway_service::venue::VenueOrderId::new(&format!("v-{id}")).expect("id"),
        instrument,
        life: OrderLife::Open,
        quantity,
        executed: extensions::Decimal::ZERO,
        fills: Vec::new(),
    }
}

impl Venue for CountingVenue {
    fn cancel_all_after(&self, _: Duration) -> Answer<'_, Result<(), Doubt>> {
        self.beats.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }

    fn forward(&self, permit: Recorded<Permit>, gate: Arc<dyn SendGate>) -> Answer<'_, Outcome> {
        Box::pin(async move {
            // As the wire is: the gate is asked, then the bytes leave, with nothing between.
            let id = permit.record().venue_order_id().to_string();
            let mood = *self.mood.lock().expect("held");
            if mood == Mood::Wait {
                self.waits.fetch_add(1, Ordering::SeqCst);
                self.go.acquire().await.expect("open").forget();
            }
            if !gate.may_send() {
                return Outcome::Withheld(gateway_service::venue::NotSent::GateClosed);
            }
            if mood == Mood::LoseOrders {
                return Outcome::Unknown(Doubt::Timeout);
            }
            self.sent
                .lock()
                .expect("held")
                .push((id.clone(), std::time::Instant::now()));
            let quantity = permit.record().order().quantity;
            self.ordered.lock().expect("held").insert(id.clone(), quantity);
            tokio::task::yield_now().await;
            match mood {
                Mood::LoseAnswers => return Outcome::Unknown(Doubt::Timeout),
                Mood::Reject => return Outcome::Rejected(gateway_service::venue::Refused::new(-2010, "no")),
                _ => {}
            }
            let order = permit.record().order();
            let mut report = report(&id, order.instrument, order.quantity);
            if mood == Mood::Fill {
                self.ended.lock().expect("held").insert(id, OrderLife::Filled);
                report.life = OrderLife::Filled;
                report.executed = order.quantity;
                report.fills.push(ExecutionFill {
                    execution_id: execution(1_000_000 + permit.record().number()),
                    quantity: order.quantity,
                    price: "100".parse().expect("price"),
                });
            }
            Outcome::Accepted(report)
        })
    }

    fn forward_pair(
        &self,
        first: Recorded<Permit>,
        second: Recorded<Permit>,
        gate: Arc<dyn SendGate>,
    ) -> Answer<'_, [Outcome; 2]> {
        Box::pin(async move {
            let mood = *self.mood.lock().expect("held");
            let both = |outcome: Outcome| [outcome.clone(), outcome];
            if !gate.may_send() {
                return both(Outcome::Withheld(gateway_service::venue::NotSent::GateClosed));
            }
            if mood == Mood::LoseOrders {
                return both(Outcome::Unknown(Doubt::Timeout));
            }
            let pair = [first.record(), second.record()];
            let ids = pair.map(|permit| permit.venue_order_id().to_string());
            for (permit, id) in pair.iter().zip(&ids) {
                self.sent
                    .lock()
                    .expect("held")
                    .push((id.clone(), std::time::Instant::now()));
                let quantity = permit.order().quantity;
                self.ordered.lock().expect("held").insert(id.clone(), quantity);
            }
            self.lists.lock().expect("held").push(ids.clone());
            tokio::task::yield_now().await;
            match mood {
                Mood::LoseAnswers => both(Outcome::Unknown(Doubt::Timeout)),
                Mood::Reject => both(Outcome::Rejected(gateway_service::venue::Refused::new(-2010, "no"))),
                _ => [0, 1].map(|at| {
                    let order = pair[at].order();
                    Outcome::Accepted(report(&ids[at], order.instrument, order.quantity))
                }),
            }
        })
    }

    fn cancel<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, CancelOutcome> {
        Box::pin(async move {
            let id = order.client_id.as_str().to_owned();
            self.cancelled.lock().expect("held").push(id.clone());
            if self.deaf.fetch_sub(1, Ordering::SeqCst) > 0 {
                return CancelOutcome::Unknown(Doubt::Timeout);
            }
            if !self.sends().contains(&id) {
                return CancelOutcome::NotThere;
            }
            let mut report = report(&id, order.instrument, self.ordered(&id));
            let mut ended = self.ended.lock().expect("held");
            let lists = self.lists.lock().expect("held");
            for both in lists.iter().filter(|both| both.contains(&id)) {
                for one in both {
                    ended.entry(one.clone()).or_insert(OrderLife::Cancelled);
                }
            }
            report.life = *ended.entry(id).or_insert(OrderLife::Cancelled);
            if report.life == OrderLife::Filled {
                report.executed = report.quantity;
            } else if let Some(executed) = self.partly.lock().expect("held").get(&report.quantity) {
                report.executed = *executed;
            }
            CancelOutcome::Closed(report)
        })
    }

    fn query<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, Result<Option<OrderReport>, Doubt>> {
        Box::pin(async move {
            let id = order.client_id.as_str().to_owned();
            if !self.sends().contains(&id) {
                return Ok(None);
            }
            let mut report = report(&id, order.instrument, self.ordered(&id));
            if let Some(life) = self.ended.lock().expect("held").get(&id) {
                report.life = *life;
                if *life == OrderLife::Filled {
                    report.executed = report.quantity;
                }
            }
            Ok(Some(report))
        })
    }

    fn open_orders(&self, _instrument: Option<Instrument>) -> Answer<'_, Result<OpenOrders, Doubt>> {
        Box::pin(async move { Ok(self.listed.lock().expect("held").clone()) })
    }

    fn trades_of<'a>(
        &'a self,
        _: Instrument,
        order: &'a VenueOrderId,
        after: Option<ExecutionId>,
    ) -> Answer<'a, Result<Vec<Trade>, Doubt>> {
        Box::pin(async move {
            let trades = self.trades.lock().expect("held");
            let new = trades
                .iter()
                .filter(|trade| trade.venue_order_id == *order)
                .filter(|trade| after.is_none_or(|after| trade.execution_id > after));
            Ok(new.cloned().collect())
        })
    }

    fn instruments(&self) -> Vec<Instrument> {
        vec!["BTC_EUR".parse().expect("instrument")]
    }

    fn trades(&self, _: Instrument, after: Option<ExecutionId>) -> Answer<'_, Result<Vec<Trade>, Doubt>> {
        Box::pin(async move {
            let trades = self.trades.lock().expect("held");
            let new = trades
                .iter()
                .filter(|trade| after.is_none_or(|after| trade.execution_id > after));
            // As venues do it: the newest page, or the page behind an execution.
            let older = match after {
                None => trades.len().saturating_sub(TRADES_PAGE),
                Some(_) => 0,
            };
            Ok(new.skip(older).take(TRADES_PAGE).cloned().collect())
        })
    }

    fn order_of<'a>(
        &'a self,
        instrument: Instrument,
        order: &'a VenueOrderId,
    ) -> Answer<'a, Result<Option<OrderReport>, Doubt>> {
        Box::pin(async move {
            let listed = self.listed.lock().expect("held");
            let found = listed.foreign.iter().chain(&listed.ours);
            if let Some(found) = found.clone().find(|report| report.venue_order_id == *order) {
                return Ok(Some(found.clone()));
            }
            let own = self.sends().into_iter().find(|id| format!("v-{id}") == order.as_str());
            Ok(own.map(|id| report(&id, instrument, self.ordered(&id))))
        })
    }

    fn reference_price(
        &self,
        _instrument: Instrument,
    ) -> Answer<'_, Result<gateway_service::venue::ReferencePrice, Doubt>> {
        Box::pin(async move { Err(Doubt::NotListed) })
    }
}
