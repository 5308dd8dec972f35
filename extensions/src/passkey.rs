//! A passkey's signature as evidence (W3C Web Authentication, level 2, §6.1 and §7.2).
//!
//! A browser does not sign our message itself: the authenticator signs its own data and the digest of what the browser says it was asked,
//! in which our message stands as the challenge. Both are recorded with the signature, so that whoever verifies it later needs the key
//! and the origin it was made for, and nothing of this server.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Base64, Digest, verify::verify_signature};

/// The longest `clientDataJSON` that is read, in bytes.
pub const LONGEST_CLIENT_DATA: usize = 2_048;
/// The longest authenticator data of an assertion that is read, in bytes.
pub const LONGEST_AUTHENTICATOR_DATA: usize = 1_024;
/// SHA-256 of the relying party, flags, counter (§6.1).
const SHORTEST_AUTHENTICATOR_DATA: usize = 37;
/// Flag: somebody touched it.
const USER_PRESENT: u8 = 0x01;
/// Flag: it knows who (a PIN, a finger, a face).
const USER_VERIFIED: u8 = 0x04;

/// Where a passkey may be used: fixed when it is made, recorded with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelyingParty {
    /// The relying party's id: the host's name, `localhost`.
    pub id: String,
    /// The one origin whose pages may ask: `https://localhost:8444`.
    pub origin: String,
}

impl RelyingParty {
    /// The relying party of an origin: `https://`, a host's name (no address: browsers refuse those), and a port where it is not 443.
    ///
    /// # Errors
    /// Says what the text is not.
    pub fn of_origin(origin: &str) -> Result<Self, &'static str> {
        let rest = origin
            .strip_prefix("https://")
            .ok_or("an origin begins with https://")?;
        let (host, port) = rest
            .split_once(':')
            .map_or((rest, None), |(host, port)| (host, Some(port)));
        let labels = host.split('.').all(|label| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=63).contains(&label.len()) && label.bytes().all(plain)
        });
        if !labels || host.len() > 253 {
            return Err("an origin names a host in lower case, and nothing behind it but a port");
        }
        if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err("an origin for passkeys names its host by name, not by address");
        }
        if port.is_some_and(|port| port.parse::<u16>().is_err() || port == "443" || port.starts_with('0')) {
            return Err("the port is 1 to 65535, and not written when it is 443");
        }
        Ok(Self {
            id: host.to_owned(),
            origin: origin.to_owned(),
        })
    }
}

/// What the authenticator signed beside our message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The authenticator's data: relying party, flags, counter.
    pub authenticator_data: Base64,
    /// `clientDataJSON` as the browser made it.
    pub client_data: Base64,
}

/// Why an assertion does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AssertionFault {
    /// Too long, too short, not JSON.
    #[error("what the authenticator signed does not read")]
    Form,
    /// An assertion of another ceremony: a registration, a payment.
    #[error("it answers another kind of question")]
    Kind,
    /// The challenge is not our message: an old answer, or one to another question.
    #[error("it answers another question than this one")]
    Challenge,
    /// A page of another origin asked.
    #[error("a page of another origin asked for it")]
    Origin,
    /// The authenticator was asked for another relying party.
    #[error("it was made for another site")]
    RelyingParty,
    /// Nobody was there, or the authenticator did not check who.
    #[error("the authenticator did not verify the person: a PIN, finger or face is needed")]
    UserVerification,
    /// The signature does not verify under the passkey.
    #[error("the signature does not verify under this passkey")]
    Signature,
}

/// `CollectedClientData` (§5.8.1). What browsers add beside it is not looked at.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
}

/// What a page's question was answered with: its kind (`webauthn.create`, `webauthn.get`), our challenge, its origin.
///
/// # Errors
/// Says which of them is another.
pub fn check_client_data(
    client_data: &[u8],
    kind: &str,
    challenge: &[u8],
    party: &RelyingParty,
) -> Result<(), AssertionFault> {
    if client_data.len() > LONGEST_CLIENT_DATA {
        return Err(AssertionFault::Form);
    }
    let read: ClientData = serde_json::from_slice(client_data).map_err(|_| AssertionFault::Form)?;
    if read.kind != kind {
        return Err(AssertionFault::Kind);
    }
    if read.challenge != URL_SAFE_NO_PAD.encode(challenge) {
        return Err(AssertionFault::Challenge);
    }
    if read.origin != party.origin || read.cross_origin {
        return Err(AssertionFault::Origin);
    }
    Ok(())
}

/// Whether the head of authenticator data is for this relying party, with the person verified.
///
/// # Errors
/// Says which is not so.
pub fn check_authenticator_data(data: &[u8], party: &RelyingParty) -> Result<(), AssertionFault> {
    if data.len() < SHORTEST_AUTHENTICATOR_DATA {
        return Err(AssertionFault::Form);
    }
    if data[..32] != Digest::of(party.id.as_bytes()).0 {
        return Err(AssertionFault::RelyingParty);
    }
    if data[32] & (USER_PRESENT | USER_VERIFIED) != USER_PRESENT | USER_VERIFIED {
        return Err(AssertionFault::UserVerification);
    }
    Ok(())
}

impl Assertion {
    /// Whether the passkey of `spki`, made for `party`, signed exactly this challenge with its person verified.
    ///
    /// # Errors
    /// Says what does not hold; the signature is looked at last.
    pub fn check(
        &self,
        challenge: &[u8],
        party: &RelyingParty,
        spki: &[u8],
        signature: &[u8],
    ) -> Result<(), AssertionFault> {
        let data = &self.authenticator_data.0;
        if data.len() > LONGEST_AUTHENTICATOR_DATA {
            return Err(AssertionFault::Form);
        }
        check_client_data(&self.client_data.0, "webauthn.get", challenge, party)?;
        check_authenticator_data(data, party)?;
        let signed = [data.as_slice(), &Digest::of(&self.client_data.0).0].concat();
        if verify_signature(spki, &signed, signature) {
            Ok(())
        } else {
            Err(AssertionFault::Signature)
        }
    }

    /// The authenticator's count of signatures; zero where it keeps none.
    #[must_use]
    pub fn counter(&self) -> u32 {
        let counter = self.authenticator_data.0.get(33..SHORTEST_AUTHENTICATOR_DATA);
        let counter = counter.and_then(|bytes| bytes.try_into().ok());
        counter.map_or(0, u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::P256_SPKI;
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
    };

    fn party() -> RelyingParty {
        RelyingParty {
            id: "localhost".into(),
            origin: "https://localhost:8444".into(),
        }
    }

    struct Authenticator(EcdsaKeyPair);

    impl Authenticator {
        fn new() -> Self {
            let random = SystemRandom::new();
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap())
        }

        fn spki(&self) -> Vec<u8> {
            [P256_SPKI, self.0.public_key().as_ref()].concat()
        }

        fn signs(&self, kind: &str, challenge: &[u8], origin: &str, rp: &str, flags: u8) -> (Assertion, Vec<u8>) {
            let client_data = format!(
                r#"{{"type":"{kind}","challenge":"{}","origin":"{origin}","crossOrigin":false,"other":1}}"#,
                URL_SAFE_NO_PAD.encode(challenge)
            );
            let mut data = Digest::of(rp.as_bytes()).0.to_vec();
            data.extend([flags, 0, 0, 0, 7]);
            let signed = [data.as_slice(), &Digest::of(client_data.as_bytes()).0].concat();
            let signature = self.0.sign(&SystemRandom::new(), &signed).unwrap();
            let assertion = Assertion {
                authenticator_data: Base64(data),
                client_data: Base64(client_data.into_bytes()),
            };
            (assertion, signature.as_ref().to_vec())
        }
    }

    const GET: &str = "webauthn.get";
    const ORIGIN: &str = "https://localhost:8444";

    /// Each guard has its case here. Controls tried: every comparison of `check_client_data` and `check_authenticator_data`
    /// left out in turn makes its case pass.
    #[test]
    fn an_assertion_counts_for_its_question_alone() {
        let key = Authenticator::new();
        let check = |made: (Assertion, Vec<u8>)| made.0.check(b"question", &party(), &key.spki(), &made.1);
        let good = key.signs(GET, b"question", ORIGIN, "localhost", 5);
        assert_eq!(good.0.counter(), 7);
        assert_eq!(check(good), Ok(()));
        let cases = [
            (
                key.signs("webauthn.create", b"question", ORIGIN, "localhost", 5),
                AssertionFault::Kind,
            ),
            (
                key.signs(GET, b"another", ORIGIN, "localhost", 5),
                AssertionFault::Challenge,
            ),
            (
                key.signs(GET, b"question", "https://localhost:1", "localhost", 5),
                AssertionFault::Origin,
            ),
            (
                key.signs(GET, b"question", ORIGIN, "example.org", 5),
                AssertionFault::RelyingParty,
            ),
            (
                key.signs(GET, b"question", ORIGIN, "localhost", 1),
                AssertionFault::UserVerification,
            ),
            (
                key.signs(GET, b"question", ORIGIN, "localhost", 4),
                AssertionFault::UserVerification,
            ),
            (
                Authenticator::new().signs(GET, b"question", ORIGIN, "localhost", 5),
                AssertionFault::Signature,
            ),
        ];
        for (made, fault) in cases {
            assert_eq!(check(made), Err(fault));
        }
    }

    #[test]
    fn an_origin_is_a_name_and_a_port() {
        for (origin, id) in [
            ("https://localhost:8444", Some("localhost")),
            ("https://console.example.org", Some("console.example.org")),
            ("http://localhost:8444", None),
            ("https://127.0.0.1:8444", None),
            ("https://localhost:443", None),
            ("https://localhost:08444", None),
            ("https://localhost:8444/", None),
            ("https://Localhost", None),
            ("https://a..b", None),
            ("https://", None),
        ] {
            let party = RelyingParty::of_origin(origin);
            assert_eq!(party.ok().map(|party| party.id).as_deref(), id, "{origin}");
        }
    }

    #[test]
    fn what_does_not_read_does_not_count() {
        let key = Authenticator::new();
        let (good, signature) = key.signs(GET, b"q", ORIGIN, "localhost", 5);
        for client_data in [&b""[..], b"{", b"[]", b"{\"type\":\"webauthn.get\"}", &[b' '; 4_096]] {
            let mut broken = good.clone();
            broken.client_data = Base64(client_data.to_vec());
            let ended = broken.check(b"q", &party(), &key.spki(), &signature);
            assert_eq!(ended, Err(AssertionFault::Form));
        }
        for length in [0, 36, LONGEST_AUTHENTICATOR_DATA + 1] {
            let mut broken = good.clone();
            broken.authenticator_data = Base64(vec![0; length]);
            let ended = broken.check(b"q", &party(), &key.spki(), &signature);
            assert_eq!(ended, Err(AssertionFault::Form), "{length}");
        }
    }
}
