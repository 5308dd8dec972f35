//! What a decision is taken on besides the agent's state: everything the gateway found out before it asked.

use extensions::{Digest, GatewayId, Region, limits::EffectiveLimits, mandate::MandateDocument};
use revocation_core::HouseState;

use crate::{
    events::{CertificateUsed, Exposure, Known, Proof, ReferencePrice, SignedBy, View},
    order::ParsedOrder,
};

/// How long a permit may wait for its send, in milliseconds (ARCHITECTURE §4).
pub const SEND_WITHIN_MS: u32 = 250;
/// The oldest reference price a gateway accepts unless configured lower, in milliseconds.
pub const REFERENCE_MAX_AGE_MS: u32 = 5_000;

/// The mandate document behind a certificate and its digest, computed once per handshake.
#[derive(Debug, Clone, Copy)]
pub struct Mandate<'a> {
    /// The digest, equal to the one in the certificate.
    pub digest: Digest,
    /// The document.
    pub document: &'a MandateDocument,
}

/// The facts of one decision. Borrowed, so that gathering them copies nothing.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The order.
    pub order: &'a ParsedOrder,
    /// The certificate of the session.
    pub certificate: CertificateUsed,
    /// The certificate's compiled limits; none when the extension is absent or cannot be decoded.
    pub limits: Option<&'a EffectiveLimits>,
    /// The mandate document; none when the gateway does not hold it.
    pub mandate: Option<Mandate<'a>>,
    /// The approved baseline in force; none when there is none or it cannot be read.
    pub baseline: Option<&'a anomaly::ApprovedBaseline>,
    /// The state of the house.
    pub house: &'a HouseState,
    /// The freshness of the view that `house` and the agent's state come from.
    pub view: View,
    /// The result of the order's signature.
    pub proof: Proof,
    /// Who says to have made it, where it is valid and not the bot's own.
    pub signed_by: Option<SignedBy>,
    /// The region of the network it came from; none when the table does not know it.
    pub region: Option<Region>,
    /// The reference price of the instrument at the venue; none when there is none.
    pub reference: Option<ReferencePrice>,
    /// The oldest reference price accepted, in milliseconds of the decision clock.
    pub reference_max_age_ms: u32,
    /// What the groups that have limits have at stake without this order; none where no group of the agent's has any.
    pub exposure: Option<Exposure>,
    /// What the index knows of the client order id (the state knows the recent ones itself).
    pub known: Known,
    /// This gateway instance.
    pub gateway: &'a GatewayId,
    /// How long a permit may wait for its send; [`SEND_WITHIN_MS`].
    pub send_within_ms: u32,
    /// The epoch of the house that `house` stands at; the append names it.
    pub epoch: u64,
}
