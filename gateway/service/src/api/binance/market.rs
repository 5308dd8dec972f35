//! What anybody may ask a venue about a market, passed on for bots: listed paths and parameters alone, without a credential, within bounds of the bot and
//! of the venue. The answers are the venue's; nothing here believes them. And what a market takes, from the venue's own list, kept for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use extensions::{Counterparty, Instrument};
use gateway_policy::Code;
use serde_json::{Value, json};

use super::{admit_question, order, parameters::Fault, read_query, refusal::Refused, shown};
use crate::{
    api::Side,
    gateway::Venues,
    session::Session,
    venue::{
        Doubt, Venue,
        market::{MarketQuestion, MarketRules},
    },
};

/// A venue's rules are asked for again after this, and after a failure once this has passed.
const ASK_AGAIN: Duration = Duration::from_secs(600);
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Rules older than this are told no more.
const OLDEST_RULES: Duration = Duration::from_secs(3_600);

/// `GET` of a listed path.
pub(super) async fn ask(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
) -> Response {
    match asked(&bots, &session, &uri, ("/api/v3/", "symbol"), order::market).await {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], body).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// The venue's own answer to a question below `prefix` about the market that the parameter `named` names.
pub(in crate::api) async fn asked(
    bots: &Side,
    session: &Session,
    uri: &Uri,
    (prefix, named): (&str, &'static str),
    market: impl Fn(&str, &Venues) -> Result<(String, Instrument), Fault>,
) -> Result<Bytes, Refused> {
    let refused = |(code, detail): Fault| Refused::of(code).because(&detail);
    admit_question(session)?;
    let parameters = read_query(uri)?;
    let path = uri.path().trim_start_matches(prefix);
    let mut names = MarketQuestion::names(path);
    names.push(named);
    parameters.only(&names).map_err(refused)?;
    let one = parameters.needed(named).map_err(refused)?;
    let (counterparty, instrument) = market(one, &bots.venues).map_err(refused)?;
    let question = MarketQuestion::read(path, |name| parameters.text(name))
        .map_err(|detail| refused((Code::OrderInvalid, detail)))?;
    passed_on(bots, &counterparty, instrument, &question).await
}

/// The venue's own answer.
async fn passed_on(
    bots: &Side,
    counterparty: &str,
    instrument: Instrument,
    question: &MarketQuestion,
) -> Result<Bytes, Refused> {
    let venue = bots.venues.iter().find(|(name, _)| name.as_str() == counterparty);
    let (_, venue) = venue.ok_or_else(Refused::venue_refused)?;
    venue.market(instrument, question).await.map_err(unanswered)
}

fn unanswered(doubt: Doubt) -> Refused {
    match doubt {
        Doubt::BackingOff => {
            Refused::of(Code::RateMessages).because("all bots together ask this venue too much; slow down")
        }
        Doubt::Refused { .. } | Doubt::NotListed => Refused::venue_refused(),
        _ => Refused::venue_away(),
    }
}

/// The rules of each venue as it told them last.
#[derive(Default)]
pub(in crate::api) struct Rules(Mutex<HashMap<Counterparty, Told>>);

#[derive(Clone, Default)]
struct Told {
    tried: Option<Instant>,
    told: Option<(Instant, Arc<[MarketRules]>)>,
}

impl Rules {
    /// A venue's rules, asked for when they are due; none when it has told none of late.
    async fn of(&self, counterparty: Counterparty, venue: &dyn Venue) -> Option<Arc<[MarketRules]>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let young = |told: &Told| told.told.as_ref().is_some_and(|(at, _)| at.elapsed() < ASK_AGAIN);
        let due = {
            let mut all = lock();
            let told = all.entry(counterparty).or_default();
            let due = !young(told) && told.tried.is_none_or(|tried| tried.elapsed() >= TRY_AGAIN);
            if due {
                told.tried = Some(Instant::now());
            }
            due
        };
        if due && let Ok(rules) = venue.rules().await {
            lock().entry(counterparty).or_default().told = Some((Instant::now(), rules.into()));
        }
        let told = lock().get(&counterparty).and_then(|told| told.told.clone());
        told.filter(|(at, _)| at.elapsed() < OLDEST_RULES)
            .map(|(_, rules)| rules)
    }
}

/// `GET /api/v3/exchangeInfo`: the markets that a symbol names here, with the venue's own bounds where it has told them.
pub(super) async fn markets(State(bots): State<Arc<Side>>) -> Response {
    let listed = listed(&bots).await;
    let symbols: Vec<Value> = listed
        .iter()
        .map(|(one, rules)| shown::market(one, rules.as_ref()))
        .collect();
    let now = bots.gateway.real_clock.now().millis();
    Json(json!({"exchangeFilters": [], "rateLimits": [], "serverTime": now, "symbols": symbols, "timezone": "UTC"}))
        .into_response()
}

/// Every market with its venue's rules, where it has told them of late.
pub(in crate::api) async fn listed(bots: &Side) -> Vec<(Instrument, Option<MarketRules>)> {
    let mut all = Vec::new();
    for (counterparty, venue) in bots.venues.iter() {
        let rules = bots.rules.of(*counterparty, venue.as_ref()).await;
        let of = |instrument: &Instrument| {
            let mut told = rules.iter().flat_map(|rules| rules.iter());
            told.find(|rules| rules.instrument == *instrument).copied()
        };
        all.extend(venue.instruments().iter().map(|one| (*one, of(one))));
    }
    all
}
