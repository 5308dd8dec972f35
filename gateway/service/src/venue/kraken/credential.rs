//! The venue credential and its nonce: held by the gateway alone, never printed, never sent but as a signature.
//!
//! The venue takes a nonce only above the last one it saw of the key, so one private request is under way at a time, whichever connection or runtime it goes by:
//! two side by side could arrive in the other order.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use extensions::Timestamp;
use hyper::header::HeaderValue;
use ring::{digest, hmac};
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard};

use crate::venue::reach::proof::Proof;

/// How far a refused nonce first moves the next ones ahead of the clock, in microseconds, and how far at most: a day, and the next start begins at the clock
/// again and finds its way as this one did.
const FIRST_LEAD_US: u64 = 1_000_000;
const LONGEST_LEAD_US: u64 = 86_400_000_000;

/// A key or secret that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a Kraken API key is 1 to 256 printable ASCII characters without spaces, and its secret is base64 of at least 16 bytes"
)]
pub struct CredentialError;

/// An API key with the HMAC key made of its secret. Clones share the nonce.
#[derive(Clone)]
pub struct Credential {
    api_key: HeaderValue,
    secret: hmac::Key,
    nonce: Arc<Mutex<Nonce>>,
    /// That it cannot withdraw.
    pub(super) proof: Arc<Proof>,
}

/// The last nonce. Of the clock, so that a new start goes on above it without a file.
#[derive(Debug, Default)]
pub(super) struct Nonce {
    last: u64,
    lead_us: u64,
}

impl Nonce {
    /// The next one: the real time in microseconds, and always above the last.
    pub(super) fn next(&mut self, now: Timestamp) -> u64 {
        let clock = u64::try_from(now.micros()).unwrap_or(0);
        let wanted = clock.saturating_add(self.lead_us);
        self.last = wanted.max(self.last.saturating_add(1));
        self.last
    }

    /// The venue has seen a higher one: this clock, or the one before, was set back. Each refusal doubles the lead.
    pub(super) fn refused(&mut self) {
        self.lead_us = (self.lead_us * 2).clamp(FIRST_LEAD_US, LONGEST_LEAD_US);
    }
}

impl Credential {
    /// Takes an API key and its secret.
    ///
    /// # Errors
    /// When the key is empty, longer than 256 characters or not printable ASCII, or the secret is not base64 of 16 to 256 bytes.
    pub fn new(api_key: &str, secret: &str) -> Result<Self, CredentialError> {
        if !(1..=256).contains(&api_key.len()) || !api_key.bytes().all(|b| b.is_ascii_graphic()) || secret.len() > 512 {
            return Err(CredentialError);
        }
        let mut api_key = HeaderValue::from_str(api_key).map_err(|_| CredentialError)?;
        api_key.set_sensitive(true);
        let secret = STANDARD.decode(secret).map_err(|_| CredentialError)?;
        if !(16..=256).contains(&secret.len()) {
            return Err(CredentialError);
        }
        Ok(Self {
            api_key,
            secret: hmac::Key::new(hmac::HMAC_SHA512, &secret),
            nonce: Arc::default(),
            proof: Arc::default(),
        })
    }

    pub(super) fn api_key(&self) -> HeaderValue {
        self.api_key.clone()
    }

    /// Waits for the turn of a private request.
    pub(super) async fn turn(&self) -> MutexGuard<'_, Nonce> {
        self.nonce.lock().await
    }

    /// `API-Sign`: base64 of the HMAC-SHA512 over the path and SHA-256(nonce + body).
    pub(super) fn sign(&self, path: &str, nonce: u64, body: &str) -> String {
        let hash = digest::digest(&digest::SHA256, format!("{nonce}{body}").as_bytes());
        let signed = [path.as_bytes(), hash.as_ref()].concat();
        STANDARD.encode(hmac::sign(&self.secret, &signed))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the venue's own documentation.
    #[test]
    fn signs_as_documented() {
        let secret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
        let credential = Credential::new("key", secret).expect("fits");
        let body = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
        assert_eq!(
            credential.sign("/0/private/AddOrder", 1_616_492_376_594, body),
            "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
        );
        assert!(!format!("{credential:?}").contains("key"));
        assert!(Credential::new("key", "no base64!").is_err() && Credential::new("a b", secret).is_err());
    }

    /// A clock that stands or steps back gives growing nonces all the same, and a venue that is ahead is reached in a few refusals.
    ///
    /// Control: without the floor of the last one the second nonce equals the first.
    #[test]
    fn a_nonce_only_grows() {
        let (mut nonce, at) = (Nonce::default(), Timestamp::from_seconds(1_000_000));
        let first = nonce.next(at);
        assert!(nonce.next(at) > first);
        assert!(nonce.next(at.plus_seconds(-5)) > first + 1);
        let ahead = first + 3_600_000_000;
        let refusals = (0..40).take_while(|_| {
            let behind = nonce.next(at) <= ahead;
            nonce.refused();
            behind
        });
        assert!(refusals.count() < 20);
    }
}
