//! The obvious design, for comparison: each component's surprise clipped to one, weighted and summed.

use crate::{calibrator::surprise, record::ScoreRecord};

/// The clipped linear score of an order, millionths.
#[must_use]
pub(super) fn clipped(record: &ScoreRecord) -> u32 {
    let most = surprise(1).unsigned_abs();
    let parts = record.components.in_order();
    parts
        .iter()
        .map(|part| (u64::from(part.weight) * surprise(part.p).unsigned_abs() / most) as u32)
        .sum()
}
