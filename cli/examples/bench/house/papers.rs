//! What the bench house is configured to be, what its bots ask for, and the past they are taught from.

use std::path::Path;

use anomaly::Observation;
use extensions::{
    AgentId, Clock as _, Counterparty, Currency, Decimal, Digest, Instrument, MandateDocument, MandateId, OwnerId,
    Region, Timestamp,
    limits::{Authority, LimitsDocument},
    oids::Environment,
};
use mandatum::{clock::SystemClock, config::Config};
use serde_json::{Value, json};

use super::{Plan, venue};

/// Days of history, and orders on each.
const DAYS: i64 = 14;
const ORDERS_A_DAY: i64 = 40;
/// The quantity of every order, past and to come.
const QUANTITY: &str = "0.5";

fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

/// Writes the configuration of a house in `folder` and reads it back.
pub(super) fn configure(folder: &Path, venue: u16, plan: &Plan) -> anyhow::Result<Config> {
    private(&folder.join("key"), "public\n")?;
    private(&folder.join("secret"), "private\n")?;
    let mut text = format!(
        r#"
[house]
ledger = "bench"
trust_domain = "bots.example"
environment = "sandbox"
officers = ["ada", "grace"]
two_officers_above = {{ EUR = "1000000000000000000" }}
regions = {{ eu-west-1 = ["127.0.0.0/8"] }}
[house.ceiling]
counterparties = "any"
hours = ["always"]
instruments = "any"
order_proof = false
order_rates = ["1000000/1s"]
order_types = ["limit", "market"]
per_day = ["EUR 1000000000000000"]
per_order = ["EUR 1000000"]
price_collar_bps = 1000
regions = "any"
[gateway]
listen = "127.0.0.1:0"
messages_per_second = 1000000
[console]
officers = "127.0.0.1:0"
enrolment = "127.0.0.1:0"
[status]
listen = "127.0.0.1:0"
url = "http://status.example"
[operations]
listen = "127.0.0.1:0"
[venues.exchange_b]
url = "http://127.0.0.1:{venue}"
api_key_file = "key"
secret_file = "secret"
instruments = {{ ETH_EUR = "EUR" }}
"#
    );
    if let Some(port) = plan.webhook {
        private(
            &folder.join("webhook"),
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr\n",
        )?;
        text.push_str(&format!(
            "[webhooks.bench]\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"webhook\"\nallow_networks = [\"127.0.0.0/8\"]\n"
        ));
    }
    let file = folder.join("mandatum.toml");
    std::fs::write(&file, text)?;
    Ok(Config::load(&file)?)
}

fn in_days(days: i64) -> Timestamp {
    SystemClock.now().plus_seconds(days * 86_400)
}

pub(super) fn registration(agent: &AgentId) -> Value {
    json!({
        "agent": agent,
        "declared_model": "bench",
        "environment": "sandbox",
        "expires_at": in_days(90),
        "owner": "desk",
        "purpose": "load",
    })
}

/// Wide limits. `signing`: the mandate asks for the bot's signature on each order. `enforced`: a score may halt; otherwise it is computed
/// and recorded all the same, and only acted on by nobody, since no bot whose past is like anything may send ten thousand orders a second.
pub(super) fn application(agent: &AgentId, mandate: &str, signing: bool, enforced: bool) -> Value {
    let scoring = if enforced {
        "enforce".to_owned()
    } else {
        format!("observe until {}", in_days(60))
    };
    json!({
        "agent": agent,
        "conduct": {
            "on_halt": "cancel_all",
            "on_unanswered_warning": "reduce_only",
            "repeat_window_ms": 0,
            "scoring": scoring,
        },
        "expires": in_days(60),
        "limits": {
            "counterparties": ["exchange_b"],
            "hours": ["always"],
            "instruments": ["ETH_EUR"],
            "order_proof": signing,
            "order_rates": ["1000000/1s"],
            "order_types": ["limit", "market"],
            "per_day": ["EUR 1000000000000000"],
            "per_order": ["EUR 20000"],
            "price_collar_bps": 500,
            "regions": ["eu-west-1"],
        },
        "mandate": mandate,
        "rationale": "load",
    })
}

/// The mandate document of an agent that is only there to be held in memory: the same limits and conduct.
pub(super) fn document(agent: AgentId, mandate: MandateId, owner: OwnerId) -> anyhow::Result<MandateDocument> {
    let mut asked = application(&agent, mandate.as_str(), false, false);
    let limits: LimitsDocument = serde_json::from_value(asked["limits"].take())?;
    Ok(MandateDocument {
        agent,
        conduct: serde_json::from_value(asked["conduct"].take())?,
        declared_code_digest: None,
        declared_model: "bench".to_owned(),
        environment: Environment::Sandbox,
        expires: in_days(60),
        limits: Authority::try_from(limits)?,
        mandate,
        owner,
        purpose_commitment: Digest::of(b"load"),
        rationale_commitment: Digest::of(b"load"),
        version: 1,
    })
}

/// Fourteen days of a quiet bot: around the clock, an order every half hour or so, sizes within a few per cent.
pub(super) fn history() -> anyhow::Result<Vec<Observation>> {
    let first = in_days(-DAYS - 1);
    let price = Decimal::parse(venue::PRICE)?;
    (0..DAYS * ORDERS_A_DAY)
        .map(|order| {
            let offset = order * 86_400 / ORDERS_A_DAY + (order * 7_919) % 900;
            let quantity = Decimal::parse(QUANTITY)?;
            let notional = quantity.checked_mul(price);
            let moved = Decimal::new(i128::from(order * 104_729 % 5_000), 2);
            Ok(Observation {
                at: first.plus_seconds(offset),
                counterparty: Counterparty::new("exchange_b")?,
                currency: Currency::new("EUR")?,
                instrument: Instrument::new("ETH_EUR")?,
                notional: notional.and_then(|notional| notional.checked_add(moved?)),
                refused: false,
                region: Some(Region::new("eu-west-1")?),
            })
        })
        .collect()
}
