//! CA bits exactly where they belong, critical, path length 0 on issuing CAs (certificates.md §2).

use super::{Context, holds};

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let found = context
        .parsed
        .basic_constraints()
        .map_err(|_| "appears twice")?
        .ok_or("absent")?;
    let profile = context.linted.profile;
    holds(found.critical, "must be critical")?;
    holds(found.value.ca == profile.is_ca(), "the CA bit is wrong for this kind")?;
    let length = (profile.is_ca() && !profile.is_root()).then_some(0);
    holds(
        found.value.path_len_constraint == length,
        "the path length is wrong for this kind",
    )
}
