//! `AuthorityLimits` version 1: what the certificate lets a bot do (certificates.md §5).
//!
//! Types here hold only canonical values: what exists can be encoded, and what is decoded encodes to the same bytes.
//! [`Authority`] is the part that narrows (the ten dimensions); [`AuthorityLimits`] adds the subject's references, which
//! stand outside the subset algebra; [`EffectiveLimits`] is the compiled intersection of a whole path for the order path.

mod algebra;
mod der;
mod document;
mod effective;
mod error;
mod hours;
mod money;
mod order_types;
mod rate;
mod scope;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod tlv;

pub use algebra::{Dimension, OverClaim};
pub use der::LONGEST_DER;
pub use document::{LimitsDocument, ScopeDocument};
pub use effective::{EffectiveLimits, EffectiveRate};
pub use error::{Field, LimitsError};
pub use hours::{Hours, WeekMinutes, Weekdays, Window};
pub use money::{Money, Unit, UnitScheme};
pub use order_types::{OrderType, OrderTypes};
pub use rate::Rate;
pub use scope::{Item, ItemScheme, Scope};

use serde::{Deserialize, Serialize};

use crate::{Digest, MandateId};

/// The most units of an amount list.
pub const MOST_UNITS: usize = 8;
/// The most rates.
pub const MOST_RATES: usize = 4;
/// The most approvers of a mandate reference.
pub const MOST_APPROVERS: usize = 4;
/// The widest price collar, in basis points.
pub const WIDEST_COLLAR_BPS: u16 = 10_000;

/// The ten dimensions of authority, each in canonical form. Its serde form is [`LimitsDocument`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LimitsDocument", into = "LimitsDocument")]
pub struct Authority {
    per_order: Box<[Money]>,
    per_day: Box<[Money]>,
    order_rates: Box<[Rate]>,
    instruments: Scope,
    counterparties: Scope,
    regions: Scope,
    hours: Hours,
    order_types: OrderTypes,
    price_collar_bps: u16,
    order_proof: bool,
}

/// The parts of an [`Authority`], for building one. Lists must already be sorted and unique, as in the certificate;
/// [`LimitsDocument`] sorts for people.
#[derive(Debug, Clone)]
pub struct AuthorityParts {
    /// Upper notional of one order: 1 to 8 amounts, sorted by unit, units unique.
    pub per_order: Vec<Money>,
    /// Upper notional of one UTC day, filled plus open reservations: likewise.
    pub per_day: Vec<Money>,
    /// Risk-carrying messages: 1 to 4 rates sorted by window, windows unique.
    pub order_rates: Vec<Rate>,
    /// What may be traded.
    pub instruments: Scope,
    /// With whom.
    pub counterparties: Scope,
    /// From where.
    pub regions: Scope,
    /// When, in UTC.
    pub hours: Hours,
    /// Which kinds of orders; the empty set permits none.
    pub order_types: OrderTypes,
    /// Basis points from the reference price on the worse side, 0 to 10,000.
    pub price_collar_bps: u16,
    /// Whether each order must carry the bot's own signature (RFC 9421).
    pub order_proof: bool,
}

impl Authority {
    /// Authority of these parts.
    ///
    /// # Errors
    /// When a count, order, uniqueness or range is off.
    pub fn new(parts: AuthorityParts) -> Result<Self, LimitsError> {
        amounts(Field::PerOrder, &parts.per_order)?;
        amounts(Field::PerDay, &parts.per_day)?;
        counted(Field::OrderRates, parts.order_rates.len(), MOST_RATES, "1 to 4")?;
        sorted_unique(Field::OrderRates, &parts.order_rates, |rate| rate.seconds)?;
        if parts.price_collar_bps > WIDEST_COLLAR_BPS {
            return Err(LimitsError::OutOfRange {
                field: Field::PriceCollar,
                range: "0..10000",
            });
        }
        for (field, scope) in [
            (Field::Instruments, &parts.instruments),
            (Field::Counterparties, &parts.counterparties),
            (Field::Regions, &parts.regions),
        ] {
            let items = scope.items().unwrap_or_default();
            if let Some(stray) = items
                .iter()
                .find(|item| Item::new(field, item.scheme(), item.as_str()).is_err())
            {
                return Err(LimitsError::bad_text(
                    field,
                    stray.as_str().as_bytes(),
                    "an item of this field",
                ));
            }
        }
        Ok(Self {
            per_order: parts.per_order.into(),
            per_day: parts.per_day.into(),
            order_rates: parts.order_rates.into(),
            instruments: parts.instruments,
            counterparties: parts.counterparties,
            regions: parts.regions,
            hours: parts.hours,
            order_types: parts.order_types,
            price_collar_bps: parts.price_collar_bps,
            order_proof: parts.order_proof,
        })
    }

    /// Upper notional of one order, sorted by unit. A unit that is not listed permits nothing.
    #[must_use]
    pub fn per_order(&self) -> &[Money] {
        &self.per_order
    }

    /// Upper notional of one UTC day, sorted by unit.
    #[must_use]
    pub fn per_day(&self) -> &[Money] {
        &self.per_day
    }

    /// Rates of risk-carrying messages, sorted by window.
    #[must_use]
    pub fn order_rates(&self) -> &[Rate] {
        &self.order_rates
    }

    /// What may be traded.
    #[must_use]
    pub fn instruments(&self) -> &Scope {
        &self.instruments
    }

    /// With whom.
    #[must_use]
    pub fn counterparties(&self) -> &Scope {
        &self.counterparties
    }

    /// From where.
    #[must_use]
    pub fn regions(&self) -> &Scope {
        &self.regions
    }

    /// When, in UTC.
    #[must_use]
    pub fn hours(&self) -> &Hours {
        &self.hours
    }

    /// Which kinds of orders.
    #[must_use]
    pub fn order_types(&self) -> OrderTypes {
        self.order_types
    }

    /// Basis points from the reference price on the worse side.
    #[must_use]
    pub fn price_collar_bps(&self) -> u16 {
        self.price_collar_bps
    }

    /// Whether each order must carry the bot's own signature.
    #[must_use]
    pub fn order_proof(&self) -> bool {
        self.order_proof
    }

    /// The parts, for building a variant.
    #[must_use]
    pub fn into_parts(self) -> AuthorityParts {
        AuthorityParts {
            per_order: self.per_order.into(),
            per_day: self.per_day.into(),
            order_rates: self.order_rates.into(),
            instruments: self.instruments,
            counterparties: self.counterparties,
            regions: self.regions,
            hours: self.hours,
            order_types: self.order_types,
            price_collar_bps: self.price_collar_bps,
            order_proof: self.order_proof,
        }
    }
}

/// The mandate an agent's certificate refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MandateRef {
    id: MandateId,
    document_hash: Digest,
    approvers: Box<[Digest]>,
}

impl MandateRef {
    /// A reference.
    ///
    /// # Errors
    /// When there are no approvers or above 4, unsorted or one twice.
    pub fn new(id: MandateId, document_hash: Digest, approvers: Vec<Digest>) -> Result<Self, LimitsError> {
        counted(Field::Mandate, approvers.len(), MOST_APPROVERS, "1 to 4")?;
        sorted_unique(Field::Mandate, &approvers, |key| *key)?;
        Ok(Self {
            id,
            document_hash,
            approvers: approvers.into(),
        })
    }

    /// The mandate.
    #[must_use]
    pub fn id(&self) -> MandateId {
        self.id
    }

    /// SHA-256 of the canonical mandate document.
    #[must_use]
    pub fn document_hash(&self) -> Digest {
        self.document_hash
    }

    /// SHA-256 of each approver's SubjectPublicKeyInfo, sorted.
    #[must_use]
    pub fn approvers(&self) -> &[Digest] {
        &self.approvers
    }
}

/// Whose limits they are, with the references only agents carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A CA: the ceiling of what it may grant.
    Ca,
    /// An agent.
    Agent {
        /// Declared digest of model and code.
        agent_digest: Option<Digest>,
        /// The mandate.
        mandate: MandateRef,
    },
}

/// The extension's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityLimits {
    subject: Subject,
    authority: Authority,
}

impl AuthorityLimits {
    /// A CA's envelope. Only here may scopes be `any`.
    #[must_use]
    pub fn for_ca(authority: Authority) -> Self {
        Self {
            subject: Subject::Ca,
            authority,
        }
    }

    /// An agent's limits.
    ///
    /// # Errors
    /// When a scope is `any`.
    pub fn for_agent(
        authority: Authority,
        agent_digest: Option<Digest>,
        mandate: MandateRef,
    ) -> Result<Self, LimitsError> {
        for (field, scope) in [
            (Field::Instruments, &authority.instruments),
            (Field::Counterparties, &authority.counterparties),
            (Field::Regions, &authority.regions),
        ] {
            if scope.is_any() {
                return Err(LimitsError::AnyForAgent { field });
            }
        }
        Ok(Self {
            subject: Subject::Agent { agent_digest, mandate },
            authority,
        })
    }

    /// Reads the extension's value: strict DER, re-encoded and compared byte for byte.
    ///
    /// # Errors
    /// The first reason found.
    pub fn decode(bytes: &[u8]) -> Result<Self, LimitsError> {
        der::decode(bytes)
    }

    /// The one encoding.
    ///
    /// # Errors
    /// Only when it would be above 4 KiB (many long names).
    pub fn encode(&self) -> Result<Vec<u8>, LimitsError> {
        der::encode(self)
    }

    /// Whose limits.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The mandate; `None` in CA certificates.
    #[must_use]
    pub fn mandate(&self) -> Option<&MandateRef> {
        match &self.subject {
            Subject::Ca => None,
            Subject::Agent { mandate, .. } => Some(mandate),
        }
    }

    /// The declared digest of model and code, if any.
    #[must_use]
    pub fn agent_digest(&self) -> Option<Digest> {
        match &self.subject {
            Subject::Ca => None,
            Subject::Agent { agent_digest, .. } => *agent_digest,
        }
    }

    /// The ten dimensions.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

fn counted(field: Field, count: usize, most: usize, range: &'static str) -> Result<(), LimitsError> {
    if (1..=most).contains(&count) {
        Ok(())
    } else {
        Err(LimitsError::BadCount { field, count, range })
    }
}

fn amounts(field: Field, amounts: &[Money]) -> Result<(), LimitsError> {
    counted(field, amounts.len(), MOST_UNITS, "1 to 8")?;
    sorted_unique(field, amounts, |money| money.unit())?;
    let twice = |(at, money): (usize, &Money)| amounts[..at].iter().any(|m| m.unit().as_str() == money.unit().as_str());
    if amounts.iter().enumerate().any(twice) {
        return Err(LimitsError::Duplicate { field }); // the same code in two schemes: orders could not tell them apart
    }
    Ok(())
}

/// Refuses what is not strictly ascending by `key`.
fn sorted_unique<T, K: Ord>(field: Field, entries: &[T], key: impl Fn(&T) -> K) -> Result<(), LimitsError> {
    for pair in entries.windows(2) {
        match key(&pair[0]).cmp(&key(&pair[1])) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Err(LimitsError::Duplicate { field }),
            std::cmp::Ordering::Greater => return Err(LimitsError::NotSorted { field }),
        }
    }
    Ok(())
}
