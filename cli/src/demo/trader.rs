//! A bot of the demonstration: sends orders over mTLS, signs them where its mandate asks for it, and takes a refusal for an answer.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Instant};

use anyhow::Context;
use extensions::{AgentId, Clock, Decimal, Signer};
use fixtures_venue::streams::{Row, Side};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::{
    client::{Client, Origin, Reply},
    proof::{self, OrderProof},
};

/// How often an order is sent again, under its own id, when a connection ends before the answer.
const ATTEMPTS: usize = 3;

/// Who a bot is: its certificate with the chain, leaf first, and its key.
#[derive(Clone)]
pub(super) struct Identity {
    /// The bot.
    pub(super) agent: AgentId,
    /// Leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub(super) signer: Arc<dyn Signer>,
}

/// What the gateway made of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Forwarded: its status at the venue.
    Taken(String),
    /// Refused: every code, the primary first.
    Refused(Vec<String>),
    /// No answer: the gateway closed the connection.
    Closed,
}

/// An answer with the real moments around it.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    /// What was said.
    pub(super) told: Told,
    /// When the order was sent.
    pub(super) sent: Instant,
    /// When the answer was there.
    pub(super) answered: Instant,
}

/// One bot, or whoever holds its key, by the addresses it is used from.
pub(super) struct Trader {
    identity: Identity,
    origin: Origin,
    roots: Vec<CertificateDer<'static>>,
    /// Signs each order, where the mandate asks for it.
    proof: Option<OrderProof>,
    connections: BTreeMap<IpAddr, Client>,
    /// Orders sent so far; names the next one.
    pub(super) sent: u64,
    /// Orders that rest at the venue since the last sweep.
    pub(super) resting: usize,
}

impl Trader {
    /// A bot that talks to the gateway at `origin`, and signs each order when its certificate asks for it. `clock` is real time.
    #[must_use]
    pub(super) fn new(
        identity: Identity,
        origin: Origin,
        roots: Vec<CertificateDer<'static>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let leaf = identity.chain.first().filter(|_| proof::is_asked(&identity.chain));
        let proof = leaf.map(|leaf| OrderProof::new(leaf, identity.signer.clone(), clock));
        Self {
            identity,
            origin,
            roots,
            proof,
            connections: BTreeMap::new(),
            sent: 0,
            resting: 0,
        }
    }

    /// Who it is.
    #[must_use]
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    fn connection(&mut self, from: IpAddr) -> anyhow::Result<&mut Client> {
        if !self.connections.contains_key(&from) {
            let key = ca_keys::tls::certified_key(self.identity.chain.clone(), self.identity.signer.clone());
            let client = Client::new(self.origin.clone(), &self.roots, Some(key))?.from_address(from);
            self.connections.insert(from, client);
        }
        self.connections.get_mut(&from).context("a connection was just made")
    }

    /// Sends a row as a limit order from `from`. A replayed row that does not trade at once is withdrawn, others rest.
    ///
    /// # Errors
    /// When the order cannot be written or the answer is none of the gateway's.
    pub(super) async fn order(&mut self, row: &Row, from: IpAddr, rests: bool) -> anyhow::Result<Answered> {
        let terms = json!({
            "counterparty": row.counterparty,
            "currency": row.currency,
            "instrument": row.instrument,
            "price": row.price,
            "quantity": row.quantity,
            "side": if row.side == Side::Buy { "buy" } else { "sell" },
            "time_in_force": if rests { "gtc" } else { "ioc" },
            "type": "limit",
        });
        self.send(terms, from).await
    }

    /// Sells `quantity` of what it holds, a little below `row`'s price, and says that it only reduces.
    ///
    /// # Errors
    /// As [`order`](Self::order).
    pub(super) async fn reduce(&mut self, row: &Row, quantity: Decimal, from: IpAddr) -> anyhow::Result<Answered> {
        let cents = Decimal::new(1, 2).unwrap_or_default();
        let (ticks, _) = fixtures_venue::exact::steps(row.price, cents).context("a price in cents")?;
        let price = fixtures_venue::exact::times(cents, ticks * 99 / 100).context("a price in cents")?;
        let terms = json!({
            "counterparty": row.counterparty,
            "currency": row.currency,
            "instrument": row.instrument,
            "price": price,
            "quantity": quantity,
            "reduce_only": true,
            "side": "sell",
            "time_in_force": "ioc",
            "type": "limit",
        });
        self.send(terms, from).await
    }

    async fn send(&mut self, mut terms: Value, from: IpAddr) -> anyhow::Result<Answered> {
        self.sent += 1;
        terms["client_order_id"] = json!(format!("{}-{}", self.identity.agent, self.sent));
        let body = terms.to_string();
        let sent = Instant::now();
        for _ in 0..ATTEMPTS {
            let signed = match &self.proof {
                Some(proof) => proof.headers(&format!("{}/v1/orders", self.origin.url()), &body)?,
                None => Vec::new(),
            };
            let headers: Vec<(&str, &str)> = std::iter::once(("content-type", "application/json"))
                .chain(signed.iter().map(|(name, value)| (*name, value.as_str())))
                .collect();
            match self
                .connection(from)?
                .send("POST", "/v1/orders", &headers, body.clone())
                .await
            {
                Ok(reply) => {
                    let answered = Instant::now();
                    let told = told(&reply)?;
                    self.resting += usize::from(told == Told::Taken("open".to_owned()));
                    return Ok(Answered { told, sent, answered });
                }
                // The same order under the same id: the gateway answers from its record if it has one.
                Err(_) => self.connections.remove(&from),
            };
        }
        Ok(Answered {
            told: Told::Closed,
            sent,
            answered: Instant::now(),
        })
    }

    /// Withdraws every open order; how many answers came back.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub(super) async fn sweep(&mut self, from: IpAddr) -> anyhow::Result<usize> {
        self.resting = 0;
        let reply = self
            .connection(from)?
            .send("DELETE", "/v1/orders", &[], "")
            .await?
            .json()?;
        Ok(reply["cancels"].as_array().map_or(0, Vec::len))
    }

    /// Its confirmed positions, as the gateway has them.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub(super) async fn positions(&mut self, from: IpAddr) -> anyhow::Result<BTreeMap<String, Decimal>> {
        let reply = self
            .connection(from)?
            .send("GET", "/v1/positions", &[], "")
            .await?
            .json()?;
        let rows = reply["positions"].as_array().cloned().unwrap_or_default();
        let read = |row: &Value| {
            let quantity = row["quantity"].as_str().and_then(|text| Decimal::parse(text).ok())?;
            Some((row["instrument"].as_str()?.to_owned(), quantity))
        };
        Ok(rows.iter().filter_map(read).collect())
    }
}

fn told(reply: &Reply) -> anyhow::Result<Told> {
    let value = reply.json()?;
    if reply.status.is_success() {
        return Ok(Told::Taken(value["status"].as_str().unwrap_or_default().to_owned()));
    }
    let primary = value["code"]
        .as_str()
        .with_context(|| format!("an answer {} without a code", reply.status))?;
    let mut codes = vec![primary.to_owned()];
    for check in value["checks"].as_array().into_iter().flatten() {
        codes.extend(
            check["code"]
                .as_str()
                .filter(|code| *code != primary)
                .map(str::to_owned),
        );
    }
    Ok(Told::Refused(codes))
}
