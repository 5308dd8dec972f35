//! What the scorer sees of one order: only what the gateway observed itself, nothing the bot says about itself.

use extensions::{Counterparty, Currency, Decimal, Instrument, Region, Timestamp};
use serde::{Deserialize, Serialize};

/// One well-formed order of an authenticated agent, refused by a limit or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// When the gateway decided it: the decision clock, never the bot's.
    pub at: Timestamp,
    /// The venue or counterparty named by the order.
    pub counterparty: Counterparty,
    /// The unit of the notional.
    pub currency: Currency,
    /// What is traded.
    pub instrument: Instrument,
    /// Quantity times price, exact; `None` when no price was known (the order is then refused by a limit, and the size component
    /// stays silent).
    pub notional: Option<Decimal>,
    /// Whether a limit refused the order. It does not change the score; refused orders teach a baseline rates, and nothing else.
    pub refused: bool,
    /// Where it came from by the gateway's table; `None`, an unknown network, counts as never seen.
    pub region: Option<Region>,
}
