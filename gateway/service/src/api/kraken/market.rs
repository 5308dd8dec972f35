//! What anybody may ask a venue about a market, passed on for bots as Binance's questions are; and the markets that a pair names here.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use extensions::{Decimal, Instrument};
use gateway_policy::Code;
use serde_json::{Map, Value, json};

use super::{answered, names, reads::refused, refusal};
use crate::{
    api::{
        Side,
        binance::{
            market::{asked, listed},
            parameters::Parameters,
            read_query,
        },
    },
    session::Session,
    venue::{
        kraken::{asset_of, symbol_of},
        market::MarketRules,
    },
};

/// `GET` of a listed path.
pub(super) async fn ask(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
) -> Response {
    match asked(&bots, &session, &uri, ("/0/public/", "pair"), names::market).await {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], body).into_response()
        }
        Err(refused) => refusal::response(&refused),
    }
}

/// `GET /0/public/Time`.
pub(super) async fn time(State(bots): State<Arc<Side>>) -> Response {
    let now = bots.gateway.real_clock.now();
    answered(Ok(json!({ "unixtime": now.seconds(), "rfc3339": now.to_string() })))
}

/// `GET /0/public/SystemStatus`: of this gateway.
pub(super) async fn status(State(bots): State<Arc<Side>>) -> Response {
    let now = bots.gateway.real_clock.now();
    answered(Ok(json!({ "status": "online", "timestamp": now.to_string() })))
}

fn halves(instrument: Instrument) -> (String, String) {
    let (base, quote) = instrument
        .as_str()
        .rsplit_once(['_', '-'])
        .unwrap_or((instrument.as_str(), ""));
    (asset_of(base), asset_of(quote))
}

/// `GET /0/public/Assets`: of the markets that a pair names here.
pub(super) async fn assets(State(bots): State<Arc<Side>>, uri: Uri) -> Response {
    let asked = read_query(&uri).and_then(|parameters| parameters.only(&["aclass"]).map_err(refused));
    if let Err(refused) = asked {
        return refusal::response(&refused);
    }
    let instruments = bots.venues.values().flat_map(|venue| venue.instruments());
    let all: BTreeSet<String> = instruments
        .flat_map(|instrument| <[String; 2]>::from(halves(instrument)))
        .filter(|asset| !asset.is_empty())
        .collect();
    let shown = |asset: String| {
        let shown =
            json!({"aclass": "currency", "altname": asset, "decimals": 8, "display_decimals": 8, "status": "enabled"});
        (asset, shown)
    };
    answered(Ok(Value::Object(all.into_iter().map(shown).collect())))
}

/// `GET /0/public/AssetPairs`: the markets that a pair names here, with the venue's own bounds where it has told them.
pub(super) async fn pairs(State(bots): State<Arc<Side>>, uri: Uri) -> Response {
    let found = async {
        let parameters: Parameters = read_query(&uri)?;
        parameters.only(&["pair", "info"]).map_err(refused)?;
        if !matches!(parameters.text("info"), None | Some("info")) {
            return Err(refused((Code::OrderInvalid, "info may be info".to_owned())));
        }
        let wanted: Option<Vec<&str>> = parameters.text("pair").map(|list| list.split(',').collect());
        let fits = |instrument: Instrument| {
            let any = |names: &Vec<&str>| names.iter().any(|name| names::is_named(name, instrument));
            wanted.as_ref().is_none_or(any)
        };
        let listed = listed(&bots).await.into_iter().filter(|(one, _)| fits(*one));
        let shown = listed.map(|(one, rules)| (symbol_of(one), pair(one, rules.as_ref())));
        Ok(Value::Object(shown.collect::<Map<_, _>>()))
    };
    answered(found.await)
}

/// A market. Without the venue's bounds as fine as amounts go at all: how coarse the venue is, its own refusals say then.
fn pair(instrument: Instrument, rules: Option<&MarketRules>) -> Value {
    let (base, quote) = halves(instrument);
    let finest = Decimal::new(1, 8).unwrap_or_default();
    let price = rules.and_then(|rules| rules.price).map_or(finest, |[.., step]| step);
    let [least, _, lot] = rules.and_then(|rules| rules.lot).unwrap_or([finest; 3]);
    let mut shown = json!({
        "altname": symbol_of(instrument), "wsname": format!("{base}/{quote}"), "aclass_base": "currency", "base": base,
        "aclass_quote": "currency", "quote": quote, "lot": "unit", "pair_decimals": price.scale(), "lot_decimals": lot.scale(),
        "cost_decimals": 8, "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [], "tick_size": price.to_string(),
        "ordermin": least.to_string(), "status": "online",
    });
    if let Some(least) = rules.and_then(|rules| rules.least_notional) {
        shown["costmin"] = least.to_string().into();
    }
    shown
}
