//! Limits stand on every certificate of the bots' path and on no other; they decode strictly and are what was meant (certificates.md §5).

use extensions::AuthorityLimits;

use super::{Context, holds};

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let oid = context.linted.particulars.settings.arc.authority_limits();
    match (context.linted.profile.limits(), context.extension(oid.der_content())) {
        (None, None) => Ok(()),
        (Some(meant), Some((value, critical))) => {
            holds(!critical, "must not be critical (certificates.md §4)")?;
            let decoded = AuthorityLimits::decode(value).map_err(|error| error.to_string())?;
            holds(decoded == *meant, "not the limits that were approved")?;
            match context.linted.issuer {
                None => Ok(()),
                Some(issuer) => {
                    let envelope = issuer.envelope().ok_or("the issuer has no envelope")?;
                    decoded.is_subset_of(envelope).map_err(|error| error.to_string())
                }
            }
        }
        (Some(_), None) => Err("absent".to_owned()),
        (None, Some(_)) => Err("only the bots' path carries limits".to_owned()),
    }
}
