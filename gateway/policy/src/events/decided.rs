//! `order.decided`: one well-formed order, what was decided about it, and every fact the decision rests on, so that
//! `mandatum replay` can take it again.

use anomaly::{Observation, ScoreRecord};
use extensions::{AgentId, Currency, Decimal, Digest, GatewayId, Region, Serial, Timestamp};
use revocation_core::HaltPlan;
use serde::{Deserialize, Serialize};

use super::{Exposure, Overridden, record};
use crate::{codes::Code, order::OrderTerms};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Forwarded once this entry is durable.
    Permit,
    /// Not forwarded.
    Refusal,
    /// Not forwarded, and the agent is revoked in the same append.
    Halt,
}

/// Whether the certificate is inside its validity, by the gateway's *real* clock (never the stepped one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// Inside.
    Current,
    /// Outside, at either end.
    Outside,
}

/// The certificate of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateUsed {
    /// SHA-256 of the certificate's DER.
    pub fingerprint: Digest,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// The start of its validity.
    pub not_before: Timestamp,
    /// Its serial.
    pub serial: Serial,
    /// Its validity by the gateway's real clock.
    pub validity: Validity,
}

/// The result of the order's own signature (RFC 9421), judged in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Not looked at: the certificate does not ask for it.
    NotRequired,
    /// None was sent.
    Missing,
    /// It verifies with the certificate's key, inside its window, and was not seen before.
    Valid,
    /// It does not.
    Invalid,
}

/// Who says to have made a signature that verified, where it was not the bot itself. It is a claim: whoever holds the certificate's key
/// can make either. The signature covers it, as the parameter `tag` (RFC 9421 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedBy {
    /// The sidecar that holds the key for a bot that cannot sign.
    Sidecar,
}

impl SignedBy {
    /// The tag of a sidecar's signatures.
    pub const SIDECAR_TAG: &str = "mandatum-sidecar";

    /// What a signature's tag claims; nothing for no tag, and for one that means nothing here.
    #[must_use]
    pub fn of_tag(tag: Option<&str>) -> Option<Self> {
        (tag == Some(Self::SIDECAR_TAG)).then_some(Self::Sidecar)
    }
}

/// What the index of client order ids knows of this id, beyond the recent ids in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// Never seen.
    New,
    /// Seen with the same body: the stored outcome is the answer, and there is no second decision.
    SameBody,
    /// Seen with another body.
    OtherBody,
}

/// How fresh the gateway's view of the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Inside its lease.
    Fresh,
    /// Older than its lease, or of a state that could not be read: nothing is permitted.
    Stale,
}

/// The price an instrument trades at on the venue, with its age and the unit it is quoted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferencePrice {
    /// When it was observed, by the decision clock.
    pub at: Timestamp,
    /// The unit the venue quotes the instrument in. An order in another unit is refused: the cap in a cheap unit must
    /// not open the door to a dear one.
    pub currency: Currency,
    /// The price; above zero.
    pub price: Decimal,
}

/// How the score was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreUse {
    /// It warns and revokes.
    Enforced,
    /// Recorded without effect; enforced, nothing would have happened either.
    Observed,
    /// Recorded without effect; enforced, it would have warned.
    WouldWarn,
    /// Recorded without effect; enforced, it would have revoked.
    WouldRevoke,
}

/// One check that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedCheck {
    /// What to change, in words for the bot's developer.
    pub change: String,
    /// The stable code.
    pub code: Code,
    /// The limit, as text with its unit.
    pub limit: String,
    /// The value the order has, or would lead to.
    pub observed: String,
}

/// One well-formed order and the decision about it. Plain data: reading it back never makes a
/// [`Permit`](crate::Permit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderDecided {
    /// The agent.
    pub agent: AgentId,
    /// [`Order::body_digest`](crate::Order::body_digest).
    pub body: Digest,
    /// The certificate of the session.
    pub certificate: CertificateUsed,
    /// Every failed check, in decision order; empty for a permit.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub checks: Vec<FailedCheck>,
    /// Whether the mandate bounds executions: from the first such entry on the state counts the orders that traded.
    #[serde(skip_serializing_if = "is_false", default)]
    pub counts_executions: bool,
    /// Whether the mandate caps the day's loss: from the first such entry on the state keeps what positions cost.
    #[serde(skip_serializing_if = "is_false", default)]
    pub counts_loss: bool,
    /// What was decided.
    pub decision: DecisionKind,
    /// What the groups that have limits had at stake; none where no group of the agent's had any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exposure: Option<Exposure>,
    /// The number of the last entry folded into the state the decision was taken on; none in an empty stream.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folded_to: Option<u64>,
    /// The gateway instance; only it may send a permit.
    pub gateway: GatewayId,
    /// What the index knew of the id.
    pub known: Known,
    /// The list that it is one of two of, by the number of the first one's entry: one of them at most executes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub list: Option<u64>,
    /// The digest of the mandate document, when the gateway holds it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mandate: Option<Digest>,
    /// Quantity times the highest of order, stop and reference price; none when that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notional: Option<Decimal>,
    /// The order.
    pub order: OrderTerms,
    /// The override that it was permitted by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub overridden: Option<Overridden>,
    /// What the halt does with each open order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<HaltPlan>,
    /// The result of its signature.
    pub proof: Proof,
    /// The commitment to its sealed reasoning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reasoning: Option<Digest>,
    /// Whether it is a verified reduction.
    pub reduction: bool,
    /// The reference price.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<ReferencePrice>,
    /// The longest age of a reference price that the gateway accepts, in milliseconds.
    pub reference_max_age_ms: u32,
    /// The region of its network; none when unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<Region>,
    /// The score with every contribution; none when there was no baseline to score against.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score: Option<ScoreRecord>,
    /// How the score was used; none when there is no score.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score_use: Option<ScoreUse>,
    /// A permit is sent within this many milliseconds (monotonic) of its decision, or never.
    pub send_within_ms: u32,
    /// Who says to have signed it, where that was not the bot itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_by: Option<SignedBy>,
    /// The commitment to its sealed signed request, where it was signed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_request: Option<Digest>,
    /// The digest of the state at `folded_to`: in the first `order.decided` at or after each 256th entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<Digest>,
    /// The freshness of the gateway's view.
    pub view: View,
}
record!(OrderDecided, "order.decided");

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl OrderDecided {
    /// The primary code: the first failed check.
    #[must_use]
    pub fn primary_code(&self) -> Option<Code> {
        self.checks.first().map(|check| check.code)
    }

    /// What the scorer sees of it.
    #[must_use]
    pub fn observation(&self, at: Timestamp) -> Observation {
        Observation {
            at,
            counterparty: self.order.counterparty,
            currency: self.order.currency,
            instrument: self.order.instrument,
            notional: self.notional,
            refused: self
                .checks
                .iter()
                .any(|check| !matches!(check.code, Code::AnomalyRevoked | Code::BaselineMissing)),
            region: self.region,
        }
    }

    /// Whether it counts against the certificate's `orderRates`: every order that carries risk, refused or not.
    #[must_use]
    pub fn counts_against_rates(&self) -> bool {
        !self.reduction
    }
}
