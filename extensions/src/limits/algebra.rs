//! By which rule authority only narrows: subset, dimension by dimension, naming the first that is wider (certificates.md §5).

use std::fmt;

use super::{Authority, AuthorityLimits, EffectiveLimits, Field, Money, Rate, Scope, Weekdays};

/// The dimensions in which a child may not be wider than its CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Upper notional of one order.
    PerOrder,
    /// Upper notional of one day.
    PerDay,
    /// Rates of messages.
    OrderRates,
    /// What may be traded.
    Instruments,
    /// With whom.
    Counterparties,
    /// From where.
    Regions,
    /// When.
    Hours,
    /// Kinds of orders.
    OrderTypes,
    /// Distance from the reference price.
    PriceCollar,
    /// Whether orders carry a signature.
    OrderProof,
}

impl Dimension {
    /// All, in the order of the extension's fields.
    pub const ALL: [Self; 10] = [
        Self::PerOrder,
        Self::PerDay,
        Self::OrderRates,
        Self::Instruments,
        Self::Counterparties,
        Self::Regions,
        Self::Hours,
        Self::OrderTypes,
        Self::PriceCollar,
        Self::OrderProof,
    ];

    /// The field of the extension.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::PerOrder => Field::PerOrder,
            Self::PerDay => Field::PerDay,
            Self::OrderRates => Field::OrderRates,
            Self::Instruments => Field::Instruments,
            Self::Counterparties => Field::Counterparties,
            Self::Regions => Field::Regions,
            Self::Hours => Field::Hours,
            Self::OrderTypes => Field::OrderTypes,
            Self::PriceCollar => Field::PriceCollar,
            Self::OrderProof => Field::OrderProof,
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.field().fmt(formatter)
    }
}

/// A child claims more than its CA grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{dimension} is wider than the issuer's: {detail}")]
pub struct OverClaim {
    /// The first dimension violated.
    pub dimension: Dimension,
    /// What is claimed and what is granted, in words.
    pub detail: String,
}

impl Authority {
    /// Whether this grants nothing that `outer` does not.
    ///
    /// # Errors
    /// Names the first dimension in which it does.
    pub fn is_subset_of(&self, outer: &Self) -> Result<(), OverClaim> {
        for dimension in Dimension::ALL {
            if let Some(detail) = self.excess(dimension, outer) {
                return Err(OverClaim { dimension, detail });
            }
        }
        Ok(())
    }

    /// Whether this grants more than `outer`, for each of [`Dimension::ALL`].
    #[must_use]
    pub fn wider_dimensions(&self, outer: &Self) -> [bool; 10] {
        Dimension::ALL.map(|dimension| self.excess(dimension, outer).is_some())
    }

    /// What this grants in a dimension and `outer` does not, in words.
    fn excess(&self, dimension: Dimension, outer: &Self) -> Option<String> {
        let beyond = |mine: &Scope, theirs: &Scope| {
            let stray = mine.beyond(theirs)?;
            Some(format!(
                "{} is not granted",
                stray.map_or_else(|| "any".to_owned(), |item| item.to_string())
            ))
        };
        match dimension {
            Dimension::PerOrder => amounts_beyond(&self.per_order, &outer.per_order),
            Dimension::PerDay => amounts_beyond(&self.per_day, &outer.per_day),
            Dimension::OrderRates => rates_beyond(&self.order_rates, &outer.order_rates),
            Dimension::Instruments => beyond(&self.instruments, &outer.instruments),
            Dimension::Counterparties => beyond(&self.counterparties, &outer.counterparties),
            Dimension::Regions => beyond(&self.regions, &outer.regions),
            Dimension::Hours => {
                let (day, minute) = self.hours.minutes().first_beyond(&outer.hours.minutes())?;
                let day = Weekdays::new(1 << day)?;
                Some(format!(
                    "{day} {:02}:{:02} UTC is not granted",
                    minute / 60,
                    minute % 60
                ))
            }
            Dimension::OrderTypes => {
                let kind = self.order_types.without(outer.order_types).iter().next()?;
                Some(format!("{kind} is not granted"))
            }
            Dimension::PriceCollar => (self.price_collar_bps > outer.price_collar_bps).then(|| {
                format!(
                    "{} above {} basis points",
                    self.price_collar_bps, outer.price_collar_bps
                )
            }),
            Dimension::OrderProof => {
                (outer.order_proof && !self.order_proof).then(|| "signed orders are demanded".to_owned())
            }
        }
    }

    /// What both grant. The result may be empty in a dimension, which no certificate can say; so it is the compiled form.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> EffectiveLimits {
        EffectiveLimits::of(self).intersection(&EffectiveLimits::of(other))
    }
}

impl AuthorityLimits {
    /// [`Authority::is_subset_of`]; the references (subject class, agent digest, mandate) stand outside of it.
    ///
    /// # Errors
    /// Names the first dimension in which this is wider.
    pub fn is_subset_of(&self, outer: &Self) -> Result<(), OverClaim> {
        self.authority.is_subset_of(&outer.authority)
    }
}

fn amounts_beyond(mine: &[Money], theirs: &[Money]) -> Option<String> {
    mine.iter().find_map(
        |amount| match theirs.iter().find(|outer| outer.unit() == amount.unit()) {
            Some(outer) if amount.to_decimal() <= outer.to_decimal() => None,
            Some(outer) => Some(format!("{amount} above {outer}")),
            None => Some(format!("{} is not granted", amount.unit())),
        },
    )
}

/// Each of the outer windows must be there, with a count no higher; further windows only narrow.
fn rates_beyond(mine: &[Rate], theirs: &[Rate]) -> Option<String> {
    theirs
        .iter()
        .find_map(|outer| match mine.iter().find(|rate| rate.seconds == outer.seconds) {
            Some(rate) if rate.count <= outer.count => None,
            Some(rate) => Some(format!("{rate} above {outer}")),
            None => Some(format!("no rate in the window of {outer}")),
        })
}
