//! One purpose and no other: ours for bots, so that stock verifiers fail closed (certificates.md §4). Compared as DER bytes.

use super::{Context, holds};
use crate::{
    der::{self, Reader},
    profiles::Profile,
};

const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// serverAuth, clientAuth, OCSPSigning: 1.3.6.1.5.5.7.3.1, .2 and .9.
const PURPOSES: [u8; 7] = [0x2b, 6, 1, 5, 5, 7, 3];

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let standard = |number: u8| [&PURPOSES[..], &[number]].concat();
    let wanted = match context.linted.profile {
        Profile::Bot(_) => context
            .linted
            .particulars
            .settings
            .arc
            .trading_agent()
            .der_content()
            .to_vec(),
        Profile::Server { .. } => standard(1),
        Profile::Officer { .. } => standard(2),
        Profile::OcspResponder { .. } => standard(9),
        _ => return holds(context.extension(EXTENDED_KEY_USAGE).is_none(), "a CA has none"),
    };
    let (value, _) = context.extension(EXTENDED_KEY_USAGE).ok_or("absent")?;
    let mut purposes = Reader(der::only(value, der::SEQUENCE).ok_or("unreadable")?.content);
    let first = purposes.expect(der::OID).ok_or("unreadable")?;
    holds(
        first.content == wanted && purposes.is_empty(),
        "not exactly the one purpose of this kind",
    )
}
