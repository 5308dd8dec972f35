//! Whether a mandate's limits lie inside the issuing CA's envelope: each of the ten dimensions by itself, so that the decision record
//! has a reason for each and a refusal names every one that is too wide, not only the first.

use extensions::limits::{Authority, Dimension, OverClaim};

/// The ten dimensions, in the order of the extension.
pub const DIMENSIONS: [Dimension; 10] = [
    Dimension::PerOrder,
    Dimension::PerDay,
    Dimension::OrderRates,
    Dimension::Instruments,
    Dimension::Counterparties,
    Dimension::Regions,
    Dimension::Hours,
    Dimension::OrderTypes,
    Dimension::PriceCollar,
    Dimension::OrderProof,
];

/// Whether `child` is no wider than `outer` in one dimension.
///
/// # Errors
/// Says what is claimed and what is granted.
pub fn within(child: &Authority, outer: &Authority, dimension: Dimension) -> Result<(), OverClaim> {
    // Everything is the envelope's own but the one dimension, so only that one can be too wide.
    let (mut parts, mine) = (outer.clone().into_parts(), child.clone().into_parts());
    match dimension {
        Dimension::PerOrder => parts.per_order = mine.per_order,
        Dimension::PerDay => parts.per_day = mine.per_day,
        Dimension::OrderRates => parts.order_rates = mine.order_rates,
        Dimension::Instruments => parts.instruments = mine.instruments,
        Dimension::Counterparties => parts.counterparties = mine.counterparties,
        Dimension::Regions => parts.regions = mine.regions,
        Dimension::Hours => parts.hours = mine.hours,
        Dimension::OrderTypes => parts.order_types = mine.order_types,
        Dimension::PriceCollar => parts.price_collar_bps = mine.price_collar_bps,
        Dimension::OrderProof => parts.order_proof = mine.order_proof,
    }
    let mixed = Authority::new(parts).map_err(|error| OverClaim {
        dimension,
        detail: error.to_string(),
    })?;
    mixed.is_subset_of(outer)
}
