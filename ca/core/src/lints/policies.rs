//! The environment's policy and no other: a sandbox certificate is refused in production by it (certificates.md §2).

use super::{Context, holds};
use crate::{
    der::{self, OID, SEQUENCE, tlv},
    profiles::Profile,
};

const POLICIES: &[u8] = &[0x55, 0x1d, 0x20];

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let found = context.extension(POLICIES);
    if matches!(context.linted.profile, Profile::OcspResponder { .. }) {
        return holds(found.is_none(), "a responder has none");
    }
    let settings = context.linted.particulars.settings;
    let policy = settings.arc.policy(settings.environment);
    let wanted = tlv(SEQUENCE, &[&tlv(OID, &[policy.der_content()])]);
    let (value, _) = found.ok_or("absent")?;
    let value = der::only(value, SEQUENCE).ok_or("unreadable")?;
    holds(value.content == wanted, "not exactly the policy of the environment")?;
    holds(
        settings.arc.fits(settings.environment),
        "the documentation arc 32473 belongs to nobody: production needs an enterprise number of its own",
    )
}
