//! The adapter itself: each question as one signed request and one checked answer.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use extensions::{Clock, Decimal, Instrument};
use gateway_policy::Permit;
use http_body_util::Full;
use hyper::{
    Method, Request,
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use ledger::Recorded;

use super::{
    credential::Credential,
    names,
    order::{self, escaped},
    reply::{self, Added, Manners},
};
use crate::venue::{
    Answer, CancelOutcome, Doubt, ExecutionId, NotSent, OpenOrders, OrderKey, OrderLife, OrderReport, Outcome, Prices,
    ReferencePrice, SendGate, Trade, Venue, VenueOrderId,
    binance::VenueOrder,
    market::{LONGEST_MARKET_ANSWER, MarketQuestion, MarketRules},
    reach::{
        connection::{Connections, Failure, Reply},
        settings::{LONGEST_LIST_REPLY, LONGEST_ORDER_REPLY, PRICES_PAGE, Settings, SettingsError},
    },
};

const API_KEY: HeaderName = HeaderName::from_static("api-key");
const API_SIGN: HeaderName = HeaderName::from_static("api-sign");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How often a question whose nonce was too low is asked again: enough to lead the clock by a day.
const NONCE_TRIES: usize = 18;
/// How long we keep still when the venue says that we ask too much, in seconds: its counters sink by one in three seconds at the slowest.
const PAUSE_S: u64 = 15;
/// What is kept of the venue's budget for its list of markets.
const RULES_WEIGHT: u32 = 20;

/// A venue that speaks Kraken's spot REST.
pub struct Kraken {
    settings: Arc<Settings>,
    pub(super) credential: Credential,
    /// Real time: nonces and deadlines are judged by it.
    clock: Arc<dyn Clock>,
    connections: Connections,
    host: HeaderValue,
}

impl Kraken {
    /// An adapter for one account. `clock` is the real one.
    ///
    /// # Errors
    /// When a setting cannot work; nothing is connected here.
    pub fn new(settings: Settings, credential: Credential, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        settings.check()?;
        let settings = Arc::new(settings);
        let authority = settings.base.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(authority).map_err(|_| SettingsError::Base(authority.to_owned()))?;
        Ok(Self {
            connections: Connections::new(settings.clone())?,
            settings,
            credential,
            clock,
            host,
        })
    }

    /// Where and how the venue is reached.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn symbol(&self, instrument: Instrument) -> Option<&str> {
        self.settings.symbols.get(&instrument).map(String::as_str)
    }

    /// Sends one order, at most once. Private to the venue module: the world reaches it through `forward` alone.
    pub(super) async fn send_order(&self, order: &VenueOrder, gate: &dyn SendGate) -> Outcome {
        let Some(symbol) = self.symbol(order.instrument) else {
            return Outcome::Withheld(NotSent::NotListed);
        };
        if self.settings.back_off.rests() {
            return Outcome::Withheld(NotSent::BackingOff);
        }
        if self.prove().await.is_err() {
            return Outcome::Withheld(NotSent::KeyUnproven);
        }
        let deadline = self.clock.now().plus_millis(i64::from(self.settings.recv_window_ms));
        let Some(parameters) = order::parameters(order, symbol, deadline) else {
            return Outcome::Withheld(NotSent::NotOffered);
        };
        let sent = self
            .private("/0/private/AddOrder", &parameters, Some(gate), LONGEST_ORDER_REPLY)
            .await;
        let answer = match sent {
            Err(Failure::NotSent(why)) => return Outcome::Withheld(why),
            Err(Failure::Doubt(doubt)) => return Outcome::Unknown(doubt),
            Ok(answer) => answer,
        };
        match reply::read_added(answer.status, &answer.body, order) {
            Added::Unknown(doubt) => Outcome::Unknown(doubt),
            Added::Refused(refused) => {
                answer.believed();
                Outcome::Rejected(refused)
            }
            Added::Taken(id) => {
                answer.believed();
                self.taken_order(order, symbol, id).await
            }
        }
    }

    /// What became of an order that was taken: the answer to it says no more than its id.
    async fn taken_order(&self, order: &VenueOrder, symbol: &str, id: VenueOrderId) -> Outcome {
        let known = OrderReport {
            client_id: Some(order.client_id),
            venue_order_id: id,
            instrument: order.instrument,
            life: OrderLife::Open,
            quantity: order.quantity,
            executed: Decimal::ZERO,
            fills: Vec::new(),
        };
        match self.queried(order.instrument, symbol, &id).await {
            Ok(Some(row)) => match row.of(order) {
                Ok(report) => Outcome::Accepted(self.with_fills(report).await),
                Err(doubt) => Outcome::Unknown(doubt),
            },
            Err(doubt @ Doubt::Contradiction(_)) => Outcome::Unknown(doubt),
            // It is there; the watch finds what it has come to.
            Ok(None) | Err(_) => Outcome::Accepted(known),
        }
    }

    async fn queried(
        &self,
        instrument: Instrument,
        symbol: &str,
        id: &VenueOrderId,
    ) -> Result<Option<reply::Row>, Doubt> {
        let asked = format!("txid={id}");
        let answer = self
            .question("/0/private/QueryOrders", &asked, LONGEST_ORDER_REPLY)
            .await?;
        let row = reply::read_queried(answer.status, &answer.body, id.as_str(), instrument, symbol);
        settled(answer, row)
    }

    async fn cancel_order(&self, order: &OrderKey) -> CancelOutcome {
        if self.symbol(order.instrument).is_none() {
            return CancelOutcome::Unknown(Doubt::NotListed);
        }
        // A cancel goes out while the rest keeps still, unless the venue has locked us out.
        if self.settings.back_off.banned() {
            return CancelOutcome::Unknown(Doubt::BackingOff);
        }
        let named = format!("cl_ord_id={}", escaped(&names::to_venue(&order.client_id)));
        let answer = match self
            .exchange("/0/private/CancelOrder", &named, LONGEST_ORDER_REPLY)
            .await
        {
            Ok(answer) => answer,
            Err(doubt) => return CancelOutcome::Unknown(doubt),
        };
        let refused = match reply::read_cancel(answer.status, &answer.body) {
            Ok(refused) => refused,
            Err(doubt) => return CancelOutcome::Unknown(doubt),
        };
        answer.believed();
        match (self.query_order(order, true).await, refused) {
            (Ok(Some(report)), _) if report.life.is_final() => CancelOutcome::Closed(report),
            (Ok(Some(report)), Some(refused)) => CancelOutcome::StillOpen(report, refused),
            // Taken and not done yet.
            (Ok(_), None) => CancelOutcome::Unknown(Doubt::VenueUnsure { status: 200, code: 0 }),
            (Ok(None), Some(_)) => CancelOutcome::NotThere,
            (Err(doubt), _) => CancelOutcome::Unknown(doubt),
        }
    }

    /// Among the open orders first, then among the closed ones: an order only ever goes from those to these, so one that is there is seen.
    async fn query_order(&self, order: &OrderKey, cancelling: bool) -> Result<Option<OrderReport>, Doubt> {
        let symbol = self.symbol(order.instrument).ok_or(Doubt::NotListed)?;
        let named = format!("cl_ord_id={}", escaped(&names::to_venue(&order.client_id)));
        let ask = async |path: &str| match cancelling {
            true => self.exchange(path, &named, LONGEST_LIST_REPLY).await,
            false => self.question(path, &named, LONGEST_LIST_REPLY).await,
        };
        let answer = ask("/0/private/OpenOrders").await?;
        let open = reply::read_named(answer.status, &answer.body, order, symbol);
        if let Some(report) = settled(answer, open)? {
            return Ok(Some(report));
        }
        let answer = ask("/0/private/ClosedOrders").await?;
        let closed = reply::read_closed(answer.status, &answer.body, order, symbol);
        settled(answer, closed)
    }

    async fn list_open(&self, instrument: Option<Instrument>) -> Result<OpenOrders, Doubt> {
        if let Some(instrument) = instrument {
            self.symbol(instrument).ok_or(Doubt::NotListed)?;
        }
        let answer = self.question("/0/private/OpenOrders", "", LONGEST_LIST_REPLY).await?;
        let open = reply::read_open(answer.status, &answer.body, &self.settings.symbols, instrument);
        settled(answer, open)
    }

    async fn query_numbered(&self, instrument: Instrument, order: &VenueOrderId) -> Result<Option<OrderReport>, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let row = self.queried(instrument, symbol, order).await?;
        Ok(row.map(|row| row.report))
    }

    async fn price(&self, instrument: Instrument) -> Result<ReferencePrice, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let answer = self
            .public(&format!("/0/public/Ticker?pair={symbol}"), LONGEST_ORDER_REPLY)
            .await?;
        let price = reply::read_price(answer.status, &answer.body, symbol);
        let at = self.clock.now();
        settled(answer, price).map(|price| ReferencePrice { price, at })
    }

    /// One question for many. Where the venue refuses them together, each is asked alone.
    async fn prices(&self, instruments: &[Instrument]) -> Prices {
        let mut all = Vec::with_capacity(instruments.len());
        for part in instruments.chunks(PRICES_PAGE) {
            let symbols: Vec<&str> = part.iter().filter_map(|one| self.symbol(*one)).collect();
            let target = format!("/0/public/Ticker?pair={}", symbols.join("%2C"));
            let together = match self.public(&target, LONGEST_LIST_REPLY).await {
                Ok(answer) => {
                    let prices = reply::read_prices(answer.status, &answer.body, &self.settings.symbols);
                    settled(answer, prices)
                }
                Err(doubt) => Err(doubt),
            };
            let at = self.clock.now();
            for instrument in part {
                let price = match &together {
                    _ if self.symbol(*instrument).is_none() => Err(Doubt::NotListed),
                    Ok(prices) => {
                        let price = prices.get(instrument).copied();
                        let price = price.ok_or(Doubt::Contradiction("pair"));
                        price.map(|price| ReferencePrice { price, at })
                    }
                    Err(Doubt::Refused { .. }) => self.price(*instrument).await,
                    Err(doubt) => Err(*doubt),
                };
                all.push((*instrument, price));
            }
        }
        all
    }

    async fn ask_market(&self, instrument: Instrument, question: &MarketQuestion) -> Result<Bytes, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let target = question.kraken_target(symbol).ok_or(Doubt::NotListed)?;
        let _turn = self.settings.market.take(question.weight()).ok_or(Doubt::BackingOff)?;
        let answer = self.public(&target, LONGEST_MARKET_ANSWER).await?;
        let body = reply::read_market(answer.status, &answer.body, instrument, symbol);
        settled(answer, body)
    }

    /// The venue counts in whole seconds.
    async fn arm(&self, after: Duration) -> Result<(), Doubt> {
        let seconds = after.as_secs().max(1);
        let asked = format!("timeout={seconds}");
        let answer = self
            .question("/0/private/CancelAllOrdersAfter", &asked, LONGEST_ORDER_REPLY)
            .await?;
        let armed = reply::read_armed(answer.status, &answer.body, seconds);
        settled(answer, armed)
    }

    async fn list_rules(&self) -> Result<Vec<MarketRules>, Doubt> {
        let _turn = self.settings.market.take(RULES_WEIGHT).ok_or(Doubt::BackingOff)?;
        let symbols = self.settings.symbols.values().take(PRICES_PAGE);
        let symbols: Vec<&str> = symbols.map(String::as_str).collect();
        let target = format!("/0/public/AssetPairs?pair={}", symbols.join("%2C"));
        let answer = self.public(&target, LONGEST_LIST_REPLY).await?;
        let rules = reply::read_rules(answer.status, &answer.body, &self.settings.symbols);
        settled(answer, rules)
    }

    /// A private question, unless the venue has asked us to keep still.
    pub(super) async fn question(&self, path: &str, asked: &str, longest: usize) -> Result<Reply<'_>, Doubt> {
        if self.settings.back_off.rests() {
            return Err(Doubt::BackingOff);
        }
        self.exchange(path, asked, longest).await
    }

    async fn exchange(&self, path: &str, asked: &str, longest: usize) -> Result<Reply<'_>, Doubt> {
        for _ in 1..NONCE_TRIES {
            let answer = self.private(path, asked, None, longest).await.map_err(doubt)?;
            if reply::manners(answer.status, &answer.body) != Manners::Nonce {
                return Ok(answer);
            }
            answer.believed();
        }
        self.private(path, asked, None, longest).await.map_err(doubt)
    }

    /// One signed request, in its turn.
    async fn private(
        &self,
        path: &str,
        asked: &str,
        gate: Option<&dyn SendGate>,
        longest: usize,
    ) -> Result<Reply<'_>, Failure> {
        let mut nonce = self.credential.turn().await;
        let number = nonce.next(self.clock.now());
        let joint = if asked.is_empty() { "" } else { "&" };
        let body = format!("nonce={number}{joint}{asked}");
        let signature = self.credential.sign(path, number, &body);
        let mut request = self.plain(path);
        *request.method_mut() = Method::POST;
        *request.body_mut() = Full::new(Bytes::from(body));
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, FORM);
        headers.insert(API_KEY, self.credential.api_key());
        let mut signature = HeaderValue::from_str(&signature).expect("base64 is ASCII");
        signature.set_sensitive(true);
        headers.insert(API_SIGN, signature);
        let answer = self.connections.exchange(request, gate, longest).await?;
        if self.heeded(&answer) == Manners::Nonce {
            nonce.refused();
        }
        Ok(answer)
    }

    /// A question that anybody may ask: no credential goes with it.
    async fn public(&self, target: &str, longest: usize) -> Result<Reply<'_>, Doubt> {
        if self.settings.back_off.rests() {
            return Err(Doubt::BackingOff);
        }
        let answer = self.connections.exchange(self.plain(target), None, longest).await;
        let answer = answer.map_err(doubt)?;
        self.heeded(&answer);
        Ok(answer)
    }

    /// Takes note of what the venue says of how we ask: it says so with HTTP 200.
    fn heeded(&self, answer: &Reply<'_>) -> Manners {
        let manners = reply::manners(answer.status, &answer.body);
        match manners {
            Manners::TooMuch => self.settings.back_off.told(429, Some(PAUSE_S)),
            Manners::LockedOut => self.settings.back_off.told(418, Some(PAUSE_S)),
            Manners::Good | Manners::Nonce => {}
        }
        manners
    }

    fn plain(&self, target: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = target.parse().expect("targets are made of closed alphabets");
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(ACCEPT, JSON);
        request
    }
}

/// The report of an order of which no more is known than that it was taken.
pub(super) fn taken(report: OrderReport) -> OrderReport {
    OrderReport {
        life: OrderLife::Open,
        executed: Decimal::ZERO,
        fills: Vec::new(),
        ..report
    }
}

fn doubt(failure: Failure) -> Doubt {
    match failure {
        Failure::NotSent(NotSent::BackingOff) => Doubt::BackingOff,
        Failure::NotSent(_) => Doubt::NoConnection,
        Failure::Doubt(doubt) => doubt,
    }
}

/// Keeps the connection of an answer that settled the question.
fn settled<T>(answer: Reply<'_>, value: Result<T, Doubt>) -> Result<T, Doubt> {
    if matches!(value, Ok(_) | Err(Doubt::Refused { .. })) {
        answer.believed();
    }
    value
}
impl Venue for Kraken {
    fn forward(&self, permit: Recorded<Permit>, gate: Arc<dyn SendGate>) -> Answer<'_, Outcome> {
        Box::pin(async move {
            match VenueOrder::of(permit.record()) {
                Some(order) => self.send_order(&order, gate.as_ref()).await,
                None => Outcome::Withheld(NotSent::NotListed),
            }
        })
    }

    fn cancel<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, CancelOutcome> {
        Box::pin(self.cancel_order(order))
    }

    fn query<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, Result<Option<OrderReport>, Doubt>> {
        Box::pin(self.query_order(order, false))
    }

    fn open_orders(&self, instrument: Option<Instrument>) -> Answer<'_, Result<OpenOrders, Doubt>> {
        Box::pin(self.list_open(instrument))
    }

    fn trades_of<'a>(
        &'a self,
        instrument: Instrument,
        order: &'a VenueOrderId,
        after: Option<ExecutionId>,
    ) -> Answer<'a, Result<Vec<Trade>, Doubt>> {
        Box::pin(self.list_trades(instrument, order, after))
    }

    fn instruments(&self) -> Vec<Instrument> {
        self.settings.symbols.keys().copied().collect()
    }

    fn trades(&self, instrument: Instrument, after: Option<ExecutionId>) -> Answer<'_, Result<Vec<Trade>, Doubt>> {
        Box::pin(self.list_all_trades(instrument, after))
    }

    fn order_of<'a>(
        &'a self,
        instrument: Instrument,
        order: &'a VenueOrderId,
    ) -> Answer<'a, Result<Option<OrderReport>, Doubt>> {
        Box::pin(self.query_numbered(instrument, order))
    }

    fn reference_price(&self, instrument: Instrument) -> Answer<'_, Result<ReferencePrice, Doubt>> {
        Box::pin(self.price(instrument))
    }

    fn market<'a>(&'a self, instrument: Instrument, question: &'a MarketQuestion) -> Answer<'a, Result<Bytes, Doubt>> {
        Box::pin(self.ask_market(instrument, question))
    }

    fn cancel_all_after(&self, after: Duration) -> Answer<'_, Result<(), Doubt>> {
        Box::pin(self.arm(after))
    }

    fn rules(&self) -> Answer<'_, Result<Vec<MarketRules>, Doubt>> {
        Box::pin(self.list_rules())
    }

    fn reference_prices<'a>(&'a self, instruments: &'a [Instrument]) -> Answer<'a, Prices> {
        Box::pin(self.prices(instruments))
    }
}

impl fmt::Debug for Kraken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Kraken({:?})", self.connections)
    }
}
