//! Kraken's spot REST interface at the bots' listener, over the same gate as `POST /v1/orders` and the same readers as Binance's: only the words differ.
//!
//! Key, signature and nonce of the bot are placeholders and read by nobody. Every answer is HTTP 200 with `{"error":[…],"result":…}`, as the venue's are. What is
//! not listed in [`routes`] is refused: deposits, withdrawals, transfers, sub-accounts.

mod amend;
mod batch;
mod cancels;
mod market;
mod names;
mod place;
mod reads;
mod refusal;
mod shown;
mod trades;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use extensions::Instrument;
use gateway_policy::Code;
use serde_json::{Value, json};

use super::{
    Side,
    binance::{parameters::Parameters, refusal::Refused},
    orders::whole_body,
};
use crate::venue::market::{MarketQuestion, Words};

/// The most rows of one page, as at the venue.
const PAGE: usize = 50;

/// The venue's paths that are answered; every other one below its prefix is refused.
pub(super) fn routes() -> Router<Arc<Side>> {
    let routes = Router::new()
        .route("/0", any(unknown))
        .route("/0/{*path}", any(unknown));
    let routes = MarketQuestion::paths(Words::Kraken).fold(routes, |routes, path| {
        routes.route(&format!("/0/public/{path}"), get(market::ask))
    });
    routes
        .route("/0/public/Time", get(market::time))
        .route("/0/public/SystemStatus", get(market::status))
        .route("/0/public/Assets", get(market::assets))
        .route("/0/public/AssetPairs", get(market::pairs))
        .route("/0/private/AddOrder", post(place::add))
        .route("/0/private/AddOrderBatch", post(batch::add))
        .route("/0/private/AmendOrder", post(amend::amend_order))
        .route("/0/private/EditOrder", post(amend::edit))
        .route("/0/private/CancelOrder", post(cancels::one))
        .route("/0/private/CancelOrderBatch", post(batch::cancel))
        .route("/0/private/CancelAll", post(cancels::all))
        .route("/0/private/OpenOrders", post(reads::open))
        .route("/0/private/ClosedOrders", post(reads::closed))
        .route("/0/private/QueryOrders", post(reads::query))
        .route("/0/private/TradesHistory", post(trades::history))
        .route("/0/private/Balance", post(reads::balance))
        .route("/0/private/BalanceEx", post(reads::extended_balance))
        .method_not_allowed_fallback(unknown)
}

/// The body is read and dropped, within its bounds: over HTTP/2 an answer before its end looks like a broken stream to some clients.
async fn unknown(State(bots): State<Arc<Side>>, body: Body) -> Response {
    drop(whole_body(&bots.gateway, body).await);
    refusal::response(&Refused::of(Code::PathUnknown))
}

/// An answer in the venue's envelope.
fn answered(answer: Result<Value, Refused>) -> Response {
    match answer {
        Ok(result) => Json(json!({ "error": [], "result": result })).into_response(),
        Err(refused) => refusal::response(&refused),
    }
}

/// Feeds arbitrary bytes to the readers of what a bot sends: forms and JSON, orders, batches and amends. None may panic, and what reads keeps its bounds.
pub fn fuzz_kraken_form(data: &[u8]) {
    let market = |_: &str| {
        let instrument = Instrument::new("BTC_EUR").map_err(|error| (Code::OrderInvalid, error.to_string()))?;
        Ok(("exchange_a".to_owned(), instrument))
    };
    batch::hold(data, market);
    let Ok(parameters) = Parameters::read(None, data) else {
        return;
    };
    amend::hold(&parameters);
    if let Ok(order) = market("").and_then(|market| place::read_order(&parameters.without(&["pair", "nonce"]), market))
    {
        assert!(order.order.quantity.is_positive());
    }
}
