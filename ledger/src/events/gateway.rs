//! What a gateway instance writes of itself, and of what it has found that only officers can explain.

use extensions::{
    AgentId, ClientOrderId, Counterparty, Decimal, GatewayId, Instrument, Record, StreamId, StreamKind, Timestamp,
    canonical::{self, CanonicalError},
};
use gateway_policy::Side;
use serde::{Deserialize, Serialize};

/// A gateway instance's own life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRun {
    /// The instance.
    pub gateway: GatewayId,
}

/// A permit of which nobody knows, after a long time of asking, whether the venue holds it. Its reservation stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoubtUnresolved {
    /// The agent.
    pub agent: AgentId,
    /// The bot's id of the order.
    pub client_order_id: ClientOrderId,
    /// The venue.
    pub counterparty: Counterparty,
    /// The instance that asks.
    pub gateway: GatewayId,
    /// What it trades.
    pub instrument: Instrument,
    /// The number of the permit's entry in the agent's stream.
    pub order: u64,
    /// When it was permitted.
    pub since: Timestamp,
}

/// An order at the venue, under our credential, that no permit explains: somebody trades past the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignOrder {
    /// The id it was placed under, where it is of an alphabet that we record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<String>,
    /// The venue.
    pub counterparty: Counterparty,
    /// The instance that found it.
    pub gateway: GatewayId,
    /// What it trades: by our name, or by the venue's where it is not configured.
    pub instrument: Instrument,
    /// Its whole quantity.
    pub quantity: Decimal,
    /// The venue's own id of it.
    pub venue_reference: String,
}

/// A trade at the venue, under our credential, of an order that no permit explains: a bypass of the gateway that has moved money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignTrade {
    /// The id its order was placed under, where it is of an alphabet that we record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<String>,
    /// The venue.
    pub counterparty: Counterparty,
    /// The venue's id of the execution.
    pub execution: String,
    /// The instance that found it.
    pub gateway: GatewayId,
    /// What was traded.
    pub instrument: Instrument,
    /// At what price.
    pub price: Decimal,
    /// How much.
    pub quantity: Decimal,
    /// Which way.
    pub side: Side,
    /// When, by the venue.
    pub traded_at: Timestamp,
    /// The venue's own id of the order.
    pub venue_reference: String,
}

/// How far a gateway has read what traded at a venue: what it looks at after its next start begins behind this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TradesRead {
    /// The venue.
    pub counterparty: Counterparty,
    /// The newest execution that is explained or told.
    pub execution: String,
    /// The instance that read it.
    pub gateway: GatewayId,
    /// Of which instrument.
    pub instrument: Instrument,
}

/// What stands in a `gateway/` stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayEvent {
    /// It serves from here on.
    Started(GatewayRun),
    /// It stopped in order.
    Stopped(GatewayRun),
    /// A doubt that asking does not resolve.
    DoubtUnresolved(DoubtUnresolved),
    /// An order that is not ours.
    ForeignOrder(ForeignOrder),
    /// A trade that is not ours.
    ForeignTrade(ForeignTrade),
    /// How far trades were read.
    TradesRead(TradesRead),
}

impl GatewayEvent {
    /// Reads the body of an entry of `kind`; `None` when the kind is of another family.
    ///
    /// # Errors
    /// When the body is not the canonical form of that kind.
    pub fn decode(kind: &str, body: &[u8]) -> Option<Result<Self, CanonicalError>> {
        Some(match kind {
            "gateway.started" => canonical::from_slice(body).map(Self::Started),
            "gateway.stopped" => canonical::from_slice(body).map(Self::Stopped),
            "order.doubt_unresolved" => canonical::from_slice(body).map(Self::DoubtUnresolved),
            "venue.foreign_order" => canonical::from_slice(body).map(Self::ForeignOrder),
            "venue.foreign_trade" => canonical::from_slice(body).map(Self::ForeignTrade),
            "venue.trades_read" => canonical::from_slice(body).map(Self::TradesRead),
            _ => return None,
        })
    }

    fn gateway(&self) -> &GatewayId {
        match self {
            Self::Started(run) | Self::Stopped(run) => &run.gateway,
            Self::DoubtUnresolved(doubt) => &doubt.gateway,
            Self::ForeignOrder(order) => &order.gateway,
            Self::ForeignTrade(trade) => &trade.gateway,
            Self::TradesRead(read) => &read.gateway,
        }
    }
}

impl Record for GatewayEvent {
    fn stream(&self) -> StreamId {
        StreamId::new(StreamKind::Gateway, self.gateway().as_str()).expect("a gateway id fits a stream's name")
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Started(_) => "gateway.started",
            Self::Stopped(_) => "gateway.stopped",
            Self::DoubtUnresolved(_) => "order.doubt_unresolved",
            Self::ForeignOrder(_) => "venue.foreign_order",
            Self::ForeignTrade(_) => "venue.foreign_trade",
            Self::TradesRead(_) => "venue.trades_read",
        }
    }

    fn write_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Started(run) | Self::Stopped(run) => canonical::write_presorted(run, out),
            Self::DoubtUnresolved(doubt) => canonical::write_presorted(doubt, out),
            Self::ForeignOrder(order) => canonical::write_presorted(order, out),
            Self::ForeignTrade(trade) => canonical::write_presorted(trade, out),
            Self::TradesRead(read) => canonical::write_presorted(read, out),
        }
    }
}
