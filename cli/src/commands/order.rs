//! `order`: what a bot does, by hand.

use clap::{Args, Subcommand};
use extensions::{AgentId, ClientOrderId, Counterparty, Currency, Decimal, Instrument};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    House, WhichAgent,
    report::{Exit, Failure, Report},
};
use crate::{bot::Bot, client::Reply};

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one value lives for the whole process")]
pub(super) enum Command {
    /// Send one order; prints the outcome with its receipt, or the reasons of the refusal.
    ///
    /// Example: mandatum order send --agent bot-1 --id 1 --side buy --quantity 0.1 --price 60000 --counterparty exchange_a BTC_EUR
    Send(Send),
    /// Cancel one order, or all open ones.
    Cancel {
        #[command(flatten)]
        which: WhichAgent,
        /// The order's own id.
        #[arg(required_unless_present = "all")]
        id: Option<ClientOrderId>,
        /// Every open order.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Open orders.
    List {
        #[command(flatten)]
        which: WhichAgent,
    },
    /// One order's story.
    Show {
        #[command(flatten)]
        which: WhichAgent,
        /// The order's own id.
        id: ClientOrderId,
    },
}

#[derive(Debug, Args)]
pub(super) struct Send {
    #[command(flatten)]
    which: WhichAgent,
    /// The bot's own id of the order; the same id and order again gives the stored outcome.
    #[arg(long)]
    id: ClientOrderId,
    /// What is traded: BTC_EUR.
    instrument: Instrument,
    /// buy or sell.
    #[arg(long)]
    side: String,
    /// How much.
    #[arg(long)]
    quantity: Decimal,
    /// The limit; a market order without.
    #[arg(long)]
    price: Option<Decimal>,
    /// The trigger of a stop order.
    #[arg(long)]
    stop_price: Option<Decimal>,
    /// limit, market, stop_limit, stop_market; from the prices when absent.
    #[arg(long = "type")]
    kind: Option<String>,
    /// The unit of the price; the instrument's last part when absent.
    #[arg(long)]
    currency: Option<Currency>,
    /// Where; the first venue of the configuration when absent.
    #[arg(long)]
    counterparty: Option<Counterparty>,
    /// gtc, ioc, fok.
    #[arg(long)]
    time_in_force: Option<String>,
    /// Refuse what does not reduce a position.
    #[arg(long)]
    reduce_only: bool,
    /// Why; sealed beside the record.
    #[arg(long)]
    reasoning: Option<String>,
}

fn open(house: &House, agent: &AgentId) -> anyhow::Result<Bot> {
    let config = house.config()?;
    let origin = house.origin(&config.gateway.names, config.gateway.listen)?;
    Bot::open(&house.folder("agents", agent.as_str()), origin, &House::roots(&config)?)
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    match command {
        Command::Send(send) => {
            let order = body(house, &send)?;
            let reply = open(house, &send.which.agent)?.send(&order).await?;
            told(&reply)
        }
        Command::Cancel { which, id, all: _ } => {
            let path = id.map_or_else(|| "/v1/orders".to_owned(), |id| format!("/v1/orders/{id}"));
            told(&open(house, &which.agent)?.call("DELETE", &path, "").await?)
        }
        Command::List { which } => told(
            &open(house, &which.agent)?
                .call("GET", "/v1/orders?status=open", "")
                .await?,
        ),
        Command::Show { which, id } => told(
            &open(house, &which.agent)?
                .call("GET", &format!("/v1/orders/{id}"), "")
                .await?,
        ),
    }
}

fn body(house: &House, send: &Send) -> anyhow::Result<Value> {
    let usage = |message: &str| Failure::new(Exit::Usage, message);
    let counterparty = match send.counterparty {
        Some(counterparty) => counterparty,
        None => *house
            .config()?
            .venues
            .keys()
            .next()
            .ok_or_else(|| usage("no venue is configured: name one with --counterparty"))?,
    };
    let currency = match send.currency {
        Some(currency) => currency,
        None => {
            let last = send.instrument.as_str().rsplit('_').next().unwrap_or_default();
            Currency::new(last).map_err(|_| usage("the unit of the price is not clear: name it with --currency"))?
        }
    };
    let kind = send.kind.clone().unwrap_or_else(|| {
        let kind = match (send.price, send.stop_price) {
            (Some(_), None) => "limit",
            (None, None) => "market",
            (Some(_), Some(_)) => "stop_limit",
            (None, Some(_)) => "stop_market",
        };
        kind.to_owned()
    });
    let mut order = json!({
        "client_order_id": send.id,
        "counterparty": counterparty,
        "currency": currency,
        "instrument": send.instrument,
        "quantity": send.quantity,
        "side": send.side,
        "type": kind,
    });
    for (member, value) in [
        ("price", send.price.map(|price| json!(price))),
        ("stop_price", send.stop_price.map(|price| json!(price))),
        ("time_in_force", send.time_in_force.as_ref().map(|word| json!(word))),
        ("reasoning", send.reasoning.as_ref().map(|text| json!(text))),
        ("reduce_only", send.reduce_only.then_some(Value::Bool(true))),
    ] {
        if let Some(value) = value {
            order[member] = value;
        }
    }
    Ok(order)
}

/// The gateway's answer; refusals with every failed check, its limit and the value seen.
fn told(reply: &Reply) -> anyhow::Result<Report> {
    let answer = reply.json()?;
    if reply.status.is_success() {
        return Ok(Report::of_json(answer));
    }
    let unavailable = reply.status.is_server_error() || reply.status == StatusCode::TOO_MANY_REQUESTS;
    let exit = if unavailable { Exit::Unavailable } else { Exit::Refused };
    let message = format!(
        "refused ({}): {}\n{}",
        reply.status.as_u16(),
        answer["detail"].as_str().unwrap_or_default(),
        serde_json::to_string_pretty(&answer).unwrap_or_default()
    );
    Err(Failure {
        exit,
        message,
        answer: Some(answer),
    }
    .into())
}
