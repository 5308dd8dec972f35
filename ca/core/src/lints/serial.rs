//! 18 octets, positive, the one that was reserved (certificates.md §6).

use extensions::Serial;

use super::{Context, holds};

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let found = Serial::from_slice(context.parsed.raw_serial()).ok_or("not 18 positive octets")?;
    holds(
        found == context.linted.particulars.serial,
        "not the serial that was reserved",
    )
}
