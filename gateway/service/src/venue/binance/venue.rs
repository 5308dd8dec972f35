//! The adapter itself: each question as one signed request and one checked answer.

use std::{collections::BTreeMap, fmt, sync::Arc};

use extensions::{Clock, Decimal, Instrument};
use http_body_util::Full;
use hyper::{
    Method, Request,
    body::Bytes,
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};

use gateway_policy::Permit;
use ledger::Recorded;

use super::{
    credential::Credential,
    list::VenueList,
    order::{VenueOrder, escaped},
    reply::{self, CancelReply},
};
use crate::venue::{
    Answer, CancelOutcome, Doubt, ExecutionId, NotSent, OpenOrders, OrderKey, OrderReport, Outcome, Prices,
    ReferencePrice, SendGate, Trade, Venue, VenueOrderId,
    market::{LONGEST_MARKET_ANSWER, MarketQuestion, MarketRules},
    reach::{
        connection::{Connections, Failure, Reply},
        settings::{LONGEST_LIST_REPLY, LONGEST_ORDER_REPLY, PRICES_PAGE, Settings, SettingsError, TRADES_PAGE},
    },
};

/// What the venue counts for its list of markets.
const RULES_WEIGHT: u32 = 20;
const API_KEY: HeaderName = HeaderName::from_static("x-mbx-apikey");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A venue that speaks Binance spot REST.
pub struct Binance {
    settings: Arc<Settings>,
    pub(super) credential: Credential,
    /// Real time: the venue judges the timestamps of signatures.
    clock: Arc<dyn Clock>,
    connections: Connections,
    host: HeaderValue,
}

impl Binance {
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

    fn symbol(&self, instrument: Instrument) -> Option<&str> {
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
        let request = self.signed(Method::POST, "/api/v3/order", order.parameters(symbol));
        match self
            .connections
            .exchange(request, Some(gate), LONGEST_ORDER_REPLY)
            .await
        {
            Err(Failure::NotSent(why)) => Outcome::Withheld(why),
            Err(Failure::Doubt(doubt)) => Outcome::Unknown(doubt),
            Ok(answer) => {
                let outcome = reply::read_order(answer.status, &answer.body, order, symbol);
                if !matches!(outcome, Outcome::Unknown(_)) {
                    answer.believed();
                }
                outcome
            }
        }
    }

    /// Sends a list, at most once. Private to the venue module, as [`Self::send_order`].
    pub(super) async fn send_list(&self, list: &VenueList, gate: &dyn SendGate) -> [Outcome; 2] {
        let withheld = |why: NotSent| [(); 2].map(|()| Outcome::Withheld(why));
        let Some(symbol) = self.symbol(list.orders[0].instrument) else {
            return withheld(NotSent::NotListed);
        };
        if self.settings.back_off.rests() {
            return withheld(NotSent::BackingOff);
        }
        if self.prove().await.is_err() {
            return withheld(NotSent::KeyUnproven);
        }
        let request = self.signed(Method::POST, "/api/v3/orderList/oco", list.parameters(symbol));
        let sent = self
            .connections
            .exchange(request, Some(gate), LONGEST_ORDER_REPLY)
            .await;
        match sent {
            Err(Failure::NotSent(why)) => withheld(why),
            Err(Failure::Doubt(doubt)) => [(); 2].map(|()| Outcome::Unknown(doubt)),
            Ok(answer) => {
                let outcomes = reply::read_list(answer.status, &answer.body, list, symbol);
                if !outcomes.iter().any(|outcome| matches!(outcome, Outcome::Unknown(_))) {
                    answer.believed();
                }
                outcomes
            }
        }
    }

    async fn cancel_order(&self, order: &OrderKey) -> CancelOutcome {
        let Some(symbol) = self.symbol(order.instrument) else {
            return CancelOutcome::Unknown(Doubt::NotListed);
        };
        let parameters = format!("symbol={symbol}&origClientOrderId={}", escaped(&order.client_id));
        let request = self.signed(Method::DELETE, "/api/v3/order", parameters);
        // A cancel goes out while the rest keeps still, unless the venue has banned us.
        if self.settings.back_off.banned() {
            return CancelOutcome::Unknown(Doubt::BackingOff);
        }
        let answer = match self.exchange(request, LONGEST_ORDER_REPLY).await {
            Ok(answer) => answer,
            Err(doubt) => return CancelOutcome::Unknown(doubt),
        };
        let refused = match reply::read_cancel(answer.status, &answer.body, order, symbol) {
            CancelReply::Closed(report) => {
                answer.believed();
                return CancelOutcome::Closed(report);
            }
            CancelReply::Unknown(doubt) => return CancelOutcome::Unknown(doubt),
            CancelReply::Refused(refused) => {
                answer.believed();
                refused
            }
        };
        match self.query_order(order).await {
            Ok(Some(report)) if report.life.is_final() => CancelOutcome::Closed(report),
            Ok(Some(report)) => CancelOutcome::StillOpen(report, refused),
            Ok(None) => CancelOutcome::NotThere,
            Err(doubt) => CancelOutcome::Unknown(doubt),
        }
    }

    async fn query_order(&self, order: &OrderKey) -> Result<Option<OrderReport>, Doubt> {
        let symbol = self.symbol(order.instrument).ok_or(Doubt::NotListed)?;
        let parameters = format!("symbol={symbol}&origClientOrderId={}", escaped(&order.client_id));
        let answer = self
            .ask(
                self.signed(Method::GET, "/api/v3/order", parameters),
                LONGEST_ORDER_REPLY,
            )
            .await?;
        let report = reply::read_queried(answer.status, &answer.body, order, symbol);
        settled(answer, report)
    }

    async fn list_open(&self, instrument: Option<Instrument>) -> Result<OpenOrders, Doubt> {
        let parameters = match instrument {
            Some(instrument) => format!("symbol={}", self.symbol(instrument).ok_or(Doubt::NotListed)?),
            None => String::new(),
        };
        let answer = self
            .ask(
                self.signed(Method::GET, "/api/v3/openOrders", parameters),
                LONGEST_LIST_REPLY,
            )
            .await?;
        let orders = reply::read_orders(answer.status, &answer.body, &self.settings.symbols, instrument);
        settled(answer, orders)
    }

    async fn list_trades(
        &self,
        instrument: Instrument,
        order: &VenueOrderId,
        after: Option<ExecutionId>,
    ) -> Result<Vec<Trade>, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let after = after.map(|id| id.as_str().parse::<u64>()).transpose();
        let after = after.map_err(|_| Doubt::Contradiction("fromId"))?;
        // The venue's own number of the order, as digits: whatever else it was, the venue would not know it.
        let number: u64 = order.as_str().parse().map_err(|_| Doubt::Contradiction("orderId"))?;
        let from = after.map_or(0, |id| id.saturating_add(1));
        let parameters = format!("symbol={symbol}&orderId={number}&fromId={from}&limit={TRADES_PAGE}");
        let answer = self
            .ask(
                self.signed(Method::GET, "/api/v3/myTrades", parameters),
                LONGEST_LIST_REPLY,
            )
            .await?;
        let trades = reply::read_trades(answer.status, &answer.body, instrument, symbol, after);
        let foreign = |trades: &Vec<Trade>| trades.iter().any(|trade| trade.venue_order_id != *order);
        settled(answer, trades).and_then(|trades| match foreign(&trades) {
            true => Err(Doubt::Contradiction("orderId")),
            false => Ok(trades),
        })
    }

    async fn list_all_trades(&self, instrument: Instrument, after: Option<ExecutionId>) -> Result<Vec<Trade>, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let after = after.map(|id| id.as_str().parse::<u64>()).transpose();
        let after = after.map_err(|_| Doubt::Contradiction("fromId"))?;
        // Without a place to begin at the venue lists the newest.
        let from = after.map_or(String::new(), |id| format!("&fromId={}", id.saturating_add(1)));
        let parameters = format!("symbol={symbol}{from}&limit={TRADES_PAGE}");
        let request = self.signed(Method::GET, "/api/v3/myTrades", parameters);
        let answer = self.ask(request, LONGEST_LIST_REPLY).await?;
        let trades = reply::read_trades(answer.status, &answer.body, instrument, symbol, after);
        settled(answer, trades)
    }

    async fn query_numbered(&self, instrument: Instrument, order: &VenueOrderId) -> Result<Option<OrderReport>, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let number: u64 = order.as_str().parse().map_err(|_| Doubt::Contradiction("orderId"))?;
        let request = self.signed(
            Method::GET,
            "/api/v3/order",
            format!("symbol={symbol}&orderId={number}"),
        );
        let answer = self.ask(request, LONGEST_ORDER_REPLY).await?;
        let report = reply::read_numbered(answer.status, &answer.body, number, instrument, symbol);
        settled(answer, report)
    }

    async fn price(&self, instrument: Instrument) -> Result<ReferencePrice, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let request = self.plain(&format!("/api/v3/ticker/price?symbol={symbol}"));
        let answer = self.ask(request, LONGEST_ORDER_REPLY).await?;
        let price = reply::read_price(answer.status, &answer.body, symbol);
        let at = self.clock.now();
        settled(answer, price).map(|price| ReferencePrice { price, at })
    }

    /// The prices of several symbols in one answer.
    async fn prices_of(&self, part: &[Instrument]) -> Result<BTreeMap<String, Decimal>, Doubt> {
        let symbols = part.iter().filter_map(|instrument| self.symbol(*instrument));
        let symbols: Vec<String> = symbols.map(|symbol| format!("%22{symbol}%22")).collect();
        let request = self.plain(&format!("/api/v3/ticker/price?symbols=%5B{}%5D", symbols.join(",")));
        let answer = self.ask(request, LONGEST_LIST_REPLY).await?;
        let prices = reply::read_prices(answer.status, &answer.body);
        settled(answer, prices)
    }

    /// One question for many: the venue counts questions. Where it refuses them together (one symbol of them is unknown there), each is asked alone.
    async fn prices(&self, instruments: &[Instrument]) -> Prices {
        let mut all = Vec::with_capacity(instruments.len());
        for part in instruments.chunks(PRICES_PAGE) {
            let together = match part {
                [one] => {
                    all.push((*one, self.price(*one).await));
                    continue;
                }
                _ => self.prices_of(part).await,
            };
            let at = self.clock.now();
            for instrument in part {
                let price = match (&together, self.symbol(*instrument)) {
                    (_, None) => Err(Doubt::NotListed),
                    (Ok(prices), Some(symbol)) => match prices.get(symbol) {
                        Some(price) => Ok(ReferencePrice { price: *price, at }),
                        None => Err(Doubt::Contradiction("symbol")),
                    },
                    (Err(Doubt::Refused { .. }), Some(_)) => self.price(*instrument).await,
                    (Err(doubt), Some(_)) => Err(*doubt),
                };
                all.push((*instrument, price));
            }
        }
        all
    }

    /// Passes a question about the market on, and its answer back under our spelling of the symbol.
    async fn ask_market(&self, instrument: Instrument, question: &MarketQuestion) -> Result<Bytes, Doubt> {
        let symbol = self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let target = question.target(symbol).ok_or(Doubt::NotListed)?;
        let _turn = self.settings.market.take(question.weight()).ok_or(Doubt::BackingOff)?;
        let request = self.plain(&target);
        let answer = self.ask(request, LONGEST_MARKET_ANSWER).await?;
        let body = reply::read_market(answer.status, &answer.body);
        let body = settled(answer, body)?;
        let ours = instrument.as_str().replace(['_', '-'], "");
        if ours == symbol {
            return Ok(body);
        }
        let text = std::str::from_utf8(&body).map_err(|_| Doubt::Unreadable { status: 200 })?;
        let named = |symbol: &str| format!("\"symbol\":\"{symbol}\"");
        Ok(text.replace(&named(symbol), &named(&ours)).into())
    }

    async fn list_rules(&self) -> Result<Vec<MarketRules>, Doubt> {
        let _turn = self.settings.market.take(RULES_WEIGHT).ok_or(Doubt::BackingOff)?;
        let symbols = self.settings.symbols.values().take(PRICES_PAGE);
        let symbols: Vec<String> = symbols.map(|symbol| format!("%22{symbol}%22")).collect();
        let request = self.plain(&format!("/api/v3/exchangeInfo?symbols=%5B{}%5D", symbols.join(",")));
        let answer = self.ask(request, LONGEST_LIST_REPLY).await?;
        let rules = reply::read_rules(answer.status, &answer.body, &self.settings.symbols);
        settled(answer, rules)
    }

    pub(super) async fn ask(&self, request: Request<Full<Bytes>>, longest: usize) -> Result<Reply<'_>, Doubt> {
        if self.settings.back_off.rests() {
            return Err(Doubt::BackingOff);
        }
        self.exchange(request, longest).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, longest: usize) -> Result<Reply<'_>, Doubt> {
        self.connections
            .exchange(request, None, longest)
            .await
            .map_err(|failure| match failure {
                Failure::NotSent(NotSent::BackingOff) => Doubt::BackingOff,
                Failure::NotSent(_) => Doubt::NoConnection,
                Failure::Doubt(doubt) => doubt,
            })
    }

    /// A signed request; the parameters of a `POST` travel in its body, all others in the query.
    pub(super) fn signed(&self, method: Method, path: &str, mut parameters: String) -> Request<Full<Bytes>> {
        let joint = if parameters.is_empty() { "" } else { "&" };
        let (window, now) = (self.settings.recv_window_ms, self.clock.now().millis());
        parameters.push_str(&format!("{joint}recvWindow={window}&timestamp={now}"));
        self.credential.sign(&mut parameters);
        let (target, body) = if method == Method::POST {
            (path.to_owned(), Bytes::from(parameters))
        } else {
            (format!("{path}?{parameters}"), Bytes::new())
        };
        let mut request = self.plain(&target);
        if method == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, FORM);
        }
        *request.method_mut() = method;
        *request.body_mut() = Full::new(body);
        request.headers_mut().insert(API_KEY, self.credential.api_key());
        request
    }

    /// An unsigned `GET`.
    fn plain(&self, target: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = target.parse().expect("targets are made of closed alphabets");
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(ACCEPT, JSON);
        request
    }
}

/// Keeps the connection of an answer that settled the question.
fn settled<T>(answer: Reply<'_>, value: Result<T, Doubt>) -> Result<T, Doubt> {
    if matches!(value, Ok(_) | Err(Doubt::Refused { .. })) {
        answer.believed();
    }
    value
}

impl Venue for Binance {
    fn forward(&self, permit: Recorded<Permit>, gate: Arc<dyn SendGate>) -> Answer<'_, Outcome> {
        Box::pin(async move {
            match VenueOrder::of(permit.record()) {
                Some(order) => self.send_order(&order, gate.as_ref()).await,
                None => Outcome::Withheld(NotSent::NotListed),
            }
        })
    }

    fn forward_pair(
        &self,
        first: Recorded<Permit>,
        second: Recorded<Permit>,
        gate: Arc<dyn SendGate>,
    ) -> Answer<'_, [Outcome; 2]> {
        Box::pin(async move {
            match VenueList::of(first.record(), second.record()) {
                Some(list) => self.send_list(&list, gate.as_ref()).await,
                None => [(); 2].map(|()| Outcome::Withheld(NotSent::NotOffered)),
            }
        })
    }

    fn cancel<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, CancelOutcome> {
        Box::pin(self.cancel_order(order))
    }

    fn query<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, Result<Option<OrderReport>, Doubt>> {
        Box::pin(self.query_order(order))
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

    fn rules(&self) -> Answer<'_, Result<Vec<MarketRules>, Doubt>> {
        Box::pin(self.list_rules())
    }

    fn reference_prices<'a>(&'a self, instruments: &'a [Instrument]) -> Answer<'a, Prices> {
        Box::pin(self.prices(instruments))
    }
}

impl fmt::Debug for Binance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Binance({:?})", self.connections)
    }
}
