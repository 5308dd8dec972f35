//! No extension twice, and none that this kind does not have (certificates.md §2).

use super::Context;
use crate::profiles::Profile;

const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const CRL_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
const POLICIES: &[u8] = &[0x55, 0x1d, 0x20];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const AUTHORITY_INFO: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
const NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5];

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let limits = context.linted.particulars.settings.arc.authority_limits();
    let limits = limits.der_content();
    let mut known = match context.linted.profile {
        Profile::AgentRoot { .. } => vec![POLICIES, limits],
        Profile::AgentIssuing { .. } => vec![POLICIES, AUTHORITY_KEY, limits],
        Profile::HouseRoot { .. } => vec![POLICIES],
        Profile::HouseIssuing { .. } => vec![POLICIES, AUTHORITY_KEY],
        Profile::Bot(_) => vec![
            POLICIES,
            AUTHORITY_KEY,
            limits,
            ALTERNATIVE_NAMES,
            EXTENDED_KEY_USAGE,
            CRL_POINTS,
            AUTHORITY_INFO,
        ],
        Profile::Server { .. } | Profile::Officer { .. } => {
            vec![POLICIES, AUTHORITY_KEY, ALTERNATIVE_NAMES, EXTENDED_KEY_USAGE]
        }
        Profile::OcspResponder { .. } => vec![AUTHORITY_KEY, EXTENDED_KEY_USAGE, NO_CHECK],
    };
    known.extend([SUBJECT_KEY, KEY_USAGE, BASIC_CONSTRAINTS]);
    let mut found: Vec<&[u8]> = context
        .parsed
        .extensions()
        .iter()
        .map(|extension| extension.oid.as_bytes())
        .collect();
    found.sort_unstable();
    known.sort_unstable();
    if found == known {
        Ok(())
    } else {
        let text = |oids: &[&[u8]]| {
            oids.iter()
                .map(|oid| crate::csr::dotted(oid))
                .collect::<Vec<_>>()
                .join(" ")
        };
        Err(format!(
            "extensions are [{}], expected [{}]",
            text(&found),
            text(&known)
        ))
    }
}
