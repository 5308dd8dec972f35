//! An agent's orders with their scores, and what it holds, has open and may still do today.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;

use super::{
    Session,
    client::{Client, Refusal, segment},
    plot::Plot,
    render::{self, Amount, First, Frame, When, page},
};

/// Open orders and positions that a page lists, of each.
const MOST_LISTED: usize = 50;
/// Orders of one page.
const ORDERS: usize = 50;

/// Orders, the newest first.
#[derive(Debug, Deserialize)]
pub(super) struct Orders {
    levels: Levels,
    pub(super) next: Option<u64>,
    pub(super) orders: Vec<Order>,
}

#[derive(Debug, Deserialize)]
struct Levels {
    revoke: u64,
    warn: u64,
}

/// One order, and what became of it.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) at: When,
    pub(super) checks: Vec<Check>,
    decision: String,
    #[serde(default)]
    notional: Option<Amount>,
    pub(super) order: Terms,
    #[serde(default)]
    outcome: Option<Outcome>,
    pub(super) number: u64,
    #[serde(default)]
    overridden: Option<Vec<String>>,
    pub(super) position: u64,
    #[serde(default)]
    pub(super) region: Option<String>,
    pub(super) score: Option<Score>,
    #[serde(default)]
    score_use: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Terms {
    pub(super) client_order_id: String,
    pub(super) instrument: String,
    pub(super) side: String,
    #[serde(rename = "type")]
    kind: String,
    quantity: Amount,
    #[serde(default)]
    price: Option<Amount>,
    currency: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Check {
    pub(super) code: String,
    pub(super) change: String,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    became: String,
    #[serde(default)]
    executed: Option<Amount>,
    #[serde(default)]
    why: Option<String>,
}

/// A score with its five parts.
#[derive(Debug, Deserialize)]
pub(super) struct Score {
    pub(super) contributions: Vec<Contribution>,
    leading: String,
    pub(super) score: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Contribution {
    pub(super) component: String,
    pub(super) share: u64,
}

/// A score in millionths as people read it.
pub(super) fn score_in_words(score: u64) -> String {
    format!("{}.{:02}", score / 1_000_000, score % 1_000_000 / 10_000)
}

impl Score {
    /// The score and its leading component.
    pub(super) fn words(&self) -> String {
        format!("{}, most from {}", score_in_words(self.score), self.leading)
    }
}

impl Terms {
    pub(super) fn words(&self) -> String {
        let price = self
            .price
            .as_ref()
            .map(|price| format!(" at {price}"))
            .unwrap_or_default();
        let kind = self.kind.replace('_', " ");
        format!(
            "{} {} {}, {kind}{price} {}",
            self.side, self.quantity, self.instrument, self.currency
        )
    }
}

impl Order {
    pub(super) fn words(&self) -> String {
        let worth = self.notional.as_ref();
        let worth = worth.map(|notional| format!(" (worth {notional} {})", self.order.currency));
        format!("{}{}", self.order.words(), worth.unwrap_or_default())
    }

    pub(super) fn decided(&self) -> String {
        match (self.decision.as_str(), &self.overridden) {
            ("permit", Some(codes)) => format!("permitted once by two officers, past {}", codes.join(", ")),
            ("permit", None) => "permitted".to_owned(),
            ("refusal", _) => "refused".to_owned(),
            ("halt", _) => "refused, and the bot was stopped".to_owned(),
            (other, _) => other.to_owned(),
        }
    }

    /// What became of a permit.
    pub(super) fn ended(&self) -> String {
        let Some(outcome) = &self.outcome else {
            return if self.decision == "permit" {
                "no answer of the venue yet"
            } else {
                ""
            }
            .to_owned();
        };
        let why = outcome.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let executed = outcome.executed.as_ref().map(|amount| format!(", {amount} executed"));
        format!(
            "{}{why}{}",
            outcome.became.replace('_', " "),
            executed.unwrap_or_default()
        )
    }

    /// What the score would have done, where it is only observed.
    pub(super) fn would(&self) -> &str {
        match self.score_use.as_deref() {
            Some("would_warn") => "would have warned",
            Some("would_revoke") => "would have stopped it",
            Some("observed") => "only observed",
            _ => "",
        }
    }
}

impl Orders {
    /// Reads one page of an agent's orders.
    pub(super) async fn of(client: &Client, agent: &str, before: Option<u64>) -> Result<Self, Refusal> {
        let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
        client
            .get(&format!("/v1/agents/{}/orders?limit={ORDERS}{before}", segment(agent)))
            .await
    }

    pub(super) fn plot(&self) -> Option<Plot> {
        Plot::of(&self.orders, self.levels.warn, self.levels.revoke)
    }
}

/// What an agent holds and has open.
#[derive(Debug, Deserialize)]
pub(super) struct Book {
    pub(super) behind: u64,
    pub(super) bounds: Option<Vec<Bound>>,
    pub(super) day: Option<Vec<Day>>,
    pub(super) exposure: Vec<GroupLimit>,
    halt_would: Option<HaltWould>,
    pub(super) mandate: Option<String>,
    pub(super) observes: Option<Observes>,
    pub(super) open_orders: Vec<Open>,
    pub(super) positions: Vec<Position>,
    pub(super) rates: Option<Vec<Rate>>,
}

/// A bound of the mandate's conduct, and what is left of it.
#[derive(Debug, Deserialize)]
pub(super) struct Bound {
    bound: String,
    pub(super) limit: Amount,
    of: Option<String>,
    pub(super) used: Option<Amount>,
    pub(super) left: Option<Amount>,
}

impl Bound {
    /// Of what, in words.
    pub(super) fn words(&self) -> String {
        let of = self.of.as_deref().unwrap_or_default();
        match self.bound.as_str() {
            "max_day_loss" => format!("{of} of realised loss in a UTC day"),
            "max_executions" => "orders that traded since an officer last resumed it".to_owned(),
            "max_open_orders" => "open orders".to_owned(),
            "max_position" => format!("{of}: position with open orders filled"),
            other => format!("{other} {of}"),
        }
    }
}

/// A limit of all agents of its owner together, or of all agents.
#[derive(Debug, Deserialize)]
pub(super) struct GroupLimit {
    pub(super) limit: Amount,
    scope: String,
    pub(super) unit: String,
}

impl GroupLimit {
    /// Of whom, in words.
    pub(super) fn words(&self) -> &str {
        match self.scope.as_str() {
            "owner" => "at stake for all bots of its owner together",
            _ => "at stake for all bots together",
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Day {
    pub(super) limit: Amount,
    pub(super) unit: String,
    pub(super) used: Option<Amount>,
    pub(super) left: Option<Amount>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rate {
    pub(super) limit: u32,
    pub(super) seconds: u32,
    pub(super) used: u64,
}

#[derive(Debug, Deserialize)]
struct HaltWould {
    cancel: usize,
    keep: usize,
}

/// Until when the score is only observed, and who approved that.
#[derive(Debug, Deserialize)]
pub(super) struct Observes {
    pub(super) approved_by: Vec<String>,
    pub(super) until: When,
}

#[derive(Debug, Deserialize)]
pub(super) struct Open {
    kept_by_a_halt: Option<bool>,
    pub(super) mark: String,
    pub(super) order: Terms,
    pub(super) permitted_at: When,
    pub(super) remaining: Amount,
}

impl Open {
    pub(super) fn at_a_halt(&self) -> &str {
        match self.kept_by_a_halt {
            Some(true) => "kept: it only reduces",
            Some(false) => "cancelled",
            None => "–",
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Position {
    pub(super) instrument: String,
    quantity: Amount,
    unknown: bool,
}

impl Position {
    pub(super) fn words(&self) -> String {
        if self.unknown {
            return "unknown: an officer must attest it".to_owned();
        }
        let quantity = self.quantity.to_string();
        match quantity.strip_prefix('-') {
            Some(short) => format!("short {short}"),
            None => format!("long {quantity}"),
        }
    }
}

impl Book {
    /// Reads what an agent holds.
    pub(super) async fn of(client: &Client, agent: &str) -> Result<Self, Refusal> {
        client.get(&format!("/v1/agents/{}/book", segment(agent))).await
    }

    pub(super) fn listed_orders(&self) -> First<'_, Open> {
        First::of(&self.open_orders, MOST_LISTED)
    }

    pub(super) fn listed_positions(&self) -> First<'_, Position> {
        First::of(&self.positions, MOST_LISTED)
    }

    /// What a revocation would leave, in words.
    pub(super) fn revocation_leaves(&self) -> String {
        let orders = match &self.halt_would {
            Some(plan) => format!("would cancel {} open orders and keep {}", plan.cancel, plan.keep),
            None => format!("finds {} open orders and no mandate in force", self.open_orders.len()),
        };
        format!("Now it {orders}; {}.", self.positions_stay())
    }

    /// What stays whatever is done.
    pub(super) fn positions_stay(&self) -> String {
        if self.positions.is_empty() {
            return "no position would stay".to_owned();
        }
        let First { shown, left } = self.listed_positions();
        let each = shown.iter().map(|one| format!("{} {}", one.instrument, one.words()));
        let more = (left > 0).then(|| format!("{left} more"));
        let all: Vec<String> = each.chain(more).collect();
        format!("these positions stay: {}", all.join(", "))
    }
}

/// From where on to list.
#[derive(Deserialize)]
pub(super) struct Before {
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct List<'a> {
    frame: Frame,
    agent: &'a str,
    listed: Orders,
    plot: Option<Plot>,
}

/// `/agents/ID/orders`.
pub(super) async fn list(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
    Query(Before { before }): Query<Before>,
) -> Response {
    match Orders::of(&client, &agent, before).await {
        Ok(listed) => page(&List {
            frame: Frame::of(&session),
            agent: &agent,
            plot: listed.plot(),
            listed,
        }),
        Err(refusal) => render::refused(&session, &refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_written_to_the_hundredth_and_never_rounded_up() {
        assert_eq!(score_in_words(849_999), "0.84");
        assert_eq!(score_in_words(1_000_000), "1.00");
        assert_eq!(score_in_words(9_999), "0.00");
    }
}
