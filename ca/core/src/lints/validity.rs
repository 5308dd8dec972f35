//! Life is explicit, the one that was meant, no longer than its kind may live, and inside the issuer's (certificates.md §6).

use super::{Context, holds};

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let validity = context.parsed.validity();
    let (from, to) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let meant = &context.linted.particulars;
    holds(
        from == meant.not_before.seconds() && to == meant.not_after.seconds(),
        "not the life that was meant",
    )?;
    holds(from < to, "ends before it begins")?;
    holds(
        to - from <= context.linted.profile.longest_life_seconds(),
        "longer than this kind may live",
    )?;
    match context.linted.issuer {
        None => Ok(()),
        Some(issuer) => holds(to <= issuer.not_after().seconds(), "ends after its issuer"),
    }
}
