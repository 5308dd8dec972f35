//! A bot's certificate names the CRL's one address, equal to the CRL's IDP, and where OCSP is answered (certificates.md §2).

use super::{Context, holds};
use crate::{
    der::{self, OID, Reader, SEQUENCE},
    profiles::Profile,
};

const CRL_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
const AUTHORITY_INFO: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let (points, info) = (context.extension(CRL_POINTS), context.extension(AUTHORITY_INFO));
    if !matches!(context.linted.profile, Profile::Bot(_)) {
        return holds(
            points.is_none() && info.is_none(),
            "only a bot's certificate names them",
        );
    }
    let settings = context.linted.particulars.settings;
    holds(
        points.and_then(|(value, _)| single_point(value)) == Some(settings.crl_url.as_bytes()),
        "not the CRL's address",
    )?;
    let (value, _) = info.ok_or("no authority information")?;
    let mut accesses = Reader(der::only(value, SEQUENCE).ok_or("unreadable")?.content);
    for url in [&settings.ocsp_url, &settings.issuer_url] {
        let mut access = Reader(accesses.expect(SEQUENCE).ok_or("an address is missing")?.content);
        access.expect(OID).ok_or("unreadable")?;
        let found = access.expect(0x86).ok_or("not a URI")?;
        holds(found.content == url.as_bytes(), "not the configured address")?;
        holds(
            url.starts_with("http://"),
            "status addresses are plain http, for status is signed by itself",
        )?;
    }
    holds(accesses.is_empty(), "more addresses than configured")
}

/// The one URI of the one distribution point: `SEQUENCE { SEQUENCE { [0] { [0] { [6] uri } } } }`.
fn single_point(value: &[u8]) -> Option<&[u8]> {
    let point = der::only(der::only(value, SEQUENCE)?.content, SEQUENCE)?;
    let name = der::only(point.content, 0xa0)?;
    let full = der::only(name.content, 0xa0)?;
    der::only(full.content, 0x86).map(|uri| uri.content)
}
