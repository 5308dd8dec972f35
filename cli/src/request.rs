//! Certificate requests (PKCS#10), and the patience with which their answers are waited for.

use std::time::Duration;

use anyhow::Context;
use ca_core::signing::RcgenKey;
use extensions::Signer;

use crate::client::Reply;

/// How often an answer is asked for before giving up.
pub const MOST_POLLS: usize = 600;
/// The longest wait between two questions.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The wait when the server gives no hint.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// A request for the key's certificate, DER. It names nothing: the server takes the key alone.
///
/// # Errors
/// When the key cannot sign.
pub fn of_key(key: &dyn Signer) -> anyhow::Result<Vec<u8>> {
    let lent = RcgenKey::new(key).context("requests are signed with P-256, P-384 or Ed25519 keys")?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let request = params
        .serialize_request(&lent)
        .context("the request cannot be signed")?;
    Ok(request.der().to_vec())
}

/// How long the server asks us to wait, within bounds.
#[must_use]
pub fn retry_after(reply: &Reply) -> Duration {
    let header = reply
        .headers
        .get(hyper::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = header.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    seconds.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT)
}
