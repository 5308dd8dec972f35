//! The venue credential: held by the gateway alone, never printed, never sent but as a signature.

use std::{fmt, sync::Arc};

use hyper::header::HeaderValue;
use ring::hmac;
use thiserror::Error;

use crate::venue::reach::proof::Proof;

/// A key or secret that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a venue API key and its secret are 1 to 256 printable ASCII characters without spaces")]
pub struct CredentialError;

/// An API key with the HMAC key made of its secret. The secret's text is not kept.
#[derive(Clone)]
pub struct Credential {
    api_key: HeaderValue,
    secret: hmac::Key,
    /// That it cannot withdraw: shared by clones.
    pub(super) proof: Arc<Proof>,
}

impl Credential {
    /// Takes an API key and its secret.
    ///
    /// # Errors
    /// When either is empty, longer than 256 characters or not printable ASCII.
    pub fn new(api_key: &str, secret: &str) -> Result<Self, CredentialError> {
        let fits = |text: &str| (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !fits(api_key) || !fits(secret) {
            return Err(CredentialError);
        }
        let mut api_key = HeaderValue::from_str(api_key).map_err(|_| CredentialError)?;
        api_key.set_sensitive(true);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Ok(Self {
            api_key,
            secret,
            proof: Arc::default(),
        })
    }

    pub(super) fn api_key(&self) -> HeaderValue {
        self.api_key.clone()
    }

    /// Appends `&signature=` and the hexadecimal HMAC of what stands in `parameters`.
    pub(super) fn sign(&self, parameters: &mut String) {
        let tag = hmac::sign(&self.secret, parameters.as_bytes());
        parameters.push_str("&signature=");
        for byte in tag.as_ref() {
            for nibble in [byte >> 4, byte & 15] {
                parameters.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
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
        let credential = Credential::new(
            "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
            "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
        )
        .expect("fits");
        let mut text = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559".to_owned();
        credential.sign(&mut text);
        assert!(text.ends_with("&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"));
    }

    #[test]
    fn neither_half_is_printed() {
        let printed = format!("{:?}", Credential::new("public-half", "private-half").expect("fits"));
        assert!(!printed.contains("half"), "{printed}");
        assert!(Credential::new("", "x").is_err() && Credential::new("a\r\nb", "x").is_err());
    }
}
