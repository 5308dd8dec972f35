//! By which rule authority only narrows: subset, dimension by dimension, naming the first that is wider (certificates.md §5).

use std::fmt;

use super::{Authority, AuthorityLimits, EffectiveLimits, Field, Money};

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

impl OverClaim {
    pub(super) fn new(dimension: Dimension, detail: String) -> Self {
        Self { dimension, detail }
    }
}

impl Authority {
    /// Whether this grants nothing that `outer` does not.
    ///
    /// # Errors
    /// Names the first dimension in which it does.
    pub fn is_subset_of(&self, outer: &Self) -> Result<(), OverClaim> {
        amounts_within(Dimension::PerOrder, &self.per_order, &outer.per_order)?;
        amounts_within(Dimension::PerDay, &self.per_day, &outer.per_day)?;
        for theirs in &outer.order_rates {
            match self.order_rates.iter().find(|mine| mine.seconds == theirs.seconds) {
                Some(mine) if mine.count <= theirs.count => {}
                Some(mine) => return Err(OverClaim::new(Dimension::OrderRates, format!("{mine} above {theirs}"))),
                None => {
                    return Err(OverClaim::new(
                        Dimension::OrderRates,
                        format!("no rate for the issuer's window of {theirs}"),
                    ));
                }
            }
        }
        for (dimension, mine, theirs) in [
            (Dimension::Instruments, &self.instruments, &outer.instruments),
            (Dimension::Counterparties, &self.counterparties, &outer.counterparties),
            (Dimension::Regions, &self.regions, &outer.regions),
        ] {
            if let Some(stray) = mine.beyond(theirs) {
                let detail = stray.map_or_else(|| "any".to_owned(), |item| item.to_string());
                return Err(OverClaim::new(dimension, format!("{detail} is not granted")));
            }
        }
        if let Some((day, minute)) = self.hours.minutes().first_beyond(&outer.hours.minutes()) {
            let detail = format!(
                "weekday {} at {:02}:{:02} UTC is not granted",
                day + 1,
                minute / 60,
                minute % 60
            );
            return Err(OverClaim::new(Dimension::Hours, detail));
        }
        if let Some(kind) = self.order_types.without(outer.order_types).iter().next() {
            return Err(OverClaim::new(Dimension::OrderTypes, format!("{kind} is not granted")));
        }
        if self.price_collar_bps > outer.price_collar_bps {
            let detail = format!(
                "{} above {} basis points",
                self.price_collar_bps, outer.price_collar_bps
            );
            return Err(OverClaim::new(Dimension::PriceCollar, detail));
        }
        if outer.order_proof && !self.order_proof {
            return Err(OverClaim::new(
                Dimension::OrderProof,
                "the issuer demands signed orders".to_owned(),
            ));
        }
        Ok(())
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

fn amounts_within(dimension: Dimension, mine: &[Money], theirs: &[Money]) -> Result<(), OverClaim> {
    for amount in mine {
        match theirs.iter().find(|outer| outer.unit() == amount.unit()) {
            Some(outer) if amount.to_decimal() <= outer.to_decimal() => {}
            Some(outer) => return Err(OverClaim::new(dimension, format!("{amount} above {outer}"))),
            None => return Err(OverClaim::new(dimension, format!("{} is not granted", amount.unit()))),
        }
    }
    Ok(())
}
