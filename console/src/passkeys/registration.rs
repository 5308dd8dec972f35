//! A new passkey as the browser brings it: `clientDataJSON` and the attestation object (level 2, §6.5 and §7.1).

use extensions::{
    passkey::{RelyingParty, check_authenticator_data, check_client_data},
    verify::{ED25519_SPKI, P256_SPKI},
};

use super::cbor::{self, Value};

/// The longest attestation object that is recorded, in bytes.
const LONGEST_ATTESTATION: usize = 8_192;
/// The longest credential id (§4), in bytes.
const LONGEST_CREDENTIAL: usize = 1_023;
/// Flag: the data holds a new credential.
const CREDENTIAL_DATA: u8 = 0x40;
/// COSE algorithms (RFC 9053): ECDSA with SHA-256, EdDSA.
const ES256: i64 = -7;
const EDDSA: i64 = -8;

/// A new passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The credential's id.
    pub(crate) credential: Vec<u8>,
    /// SubjectPublicKeyInfo, DER.
    pub(crate) spki: Vec<u8>,
    /// The attestation object.
    pub(crate) attestation: Vec<u8>,
}

/// Reads what `navigator.credentials.create` gave, and holds it to our question.
///
/// # Errors
/// Says in words what is wrong.
pub(crate) fn read(
    client_data: &[u8],
    attestation: &[u8],
    challenge: &[u8],
    party: &RelyingParty,
) -> Result<Registration, String> {
    check_client_data(client_data, "webauthn.create", challenge, party).map_err(|fault| fault.to_string())?;
    if attestation.len() > LONGEST_ATTESTATION {
        return Err(format!(
            "the attestation has {} bytes, at most {LONGEST_ATTESTATION} are taken",
            attestation.len()
        ));
    }
    let unread = || "the attestation does not read".to_owned();
    let (object, rest) = cbor::first(attestation).ok_or_else(unread)?;
    let data = object.named("authData").and_then(Value::bytes).ok_or_else(unread)?;
    if !rest.is_empty() {
        return Err(unread());
    }
    check_authenticator_data(data, party).map_err(|fault| fault.to_string())?;
    let (credential, key) = credential_data(data).ok_or_else(unread)?;
    let spki = spki_of(&key).ok_or(
        "this passkey's key is of another kind than P-256 (ES256) or Ed25519 (EdDSA): use another authenticator",
    )?;
    Ok(Registration {
        credential: credential.to_vec(),
        spki,
        attestation: attestation.to_vec(),
    })
}

/// §6.5.1: AAGUID, length, id, COSE key. Extensions behind it are not looked at.
fn credential_data(data: &[u8]) -> Option<(&[u8], Value<'_>)> {
    if data.get(32)? & CREDENTIAL_DATA == 0 {
        return None;
    }
    let (length, rest) = data.get(37 + 16..)?.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (credential, rest) = rest.split_at_checked(length)?;
    if credential.is_empty() || credential.len() > LONGEST_CREDENTIAL {
        return None;
    }
    let (key, _) = cbor::first(rest)?;
    Some((credential, key))
}

/// RFC 9053 §7: kty 2 (EC2) on curve 1 (P-256), or kty 1 (OKP) on curve 6 (Ed25519).
fn spki_of(key: &Value<'_>) -> Option<Vec<u8>> {
    let number = |name| match key.numbered(name) {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    };
    let coordinate = |name| {
        key.numbered(name)
            .and_then(Value::bytes)
            .filter(|bytes| bytes.len() == 32)
    };
    match (number(1)?, number(3)?, number(-1)?) {
        (2, ES256, 1) => Some([P256_SPKI, &[4], coordinate(-2)?, coordinate(-3)?].concat()),
        (1, EDDSA, 6) => Some([ED25519_SPKI, coordinate(-2)?].concat()),
        _ => None,
    }
}

/// Any bytes as attestation object, and as client data. What reads is recorded as it came, has a credential and a key of a kind that signs,
/// and stands alone: with one more byte behind it, it does not read.
#[doc(hidden)]
pub fn fuzz_passkey(data: &[u8]) {
    let party = RelyingParty {
        id: "localhost".to_owned(),
        origin: "https://localhost:8444".to_owned(),
    };
    // The challenge is `q`.
    let client_data = br#"{"type":"webauthn.create","challenge":"cQ","origin":"https://localhost:8444"}"#;
    let reads = |attestation: &[u8]| read(client_data, attestation, b"q", &party);
    if let Ok(found) = reads(data) {
        assert_eq!(found.attestation, data);
        assert!((1..=LONGEST_CREDENTIAL).contains(&found.credential.len()));
        assert!([P256_SPKI.len() + 65, ED25519_SPKI.len() + 32].contains(&found.spki.len()));
        assert!(reads(&[data, &[0]].concat()).is_err());
    }
    drop(read(data, &[], b"q", &party));
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use extensions::Digest;

    use super::*;

    fn party() -> RelyingParty {
        RelyingParty {
            id: "localhost".into(),
            origin: "https://localhost:8444".into(),
        }
    }

    fn client_data(kind: &str) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(b"q");
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"https://localhost:8444"}}"#).into_bytes()
    }

    /// An attestation object of format "none" around this COSE key.
    fn attestation(flags: u8, key: &[u8]) -> Vec<u8> {
        let mut data = Digest::of(b"localhost").0.to_vec();
        data.extend([flags, 0, 0, 0, 0]);
        data.extend([0; 16]);
        data.extend([0, 3, 7, 7, 7]);
        data.extend(key);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        object
    }

    fn es256() -> Vec<u8> {
        [
            &[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..],
            &[1; 32],
            &[0x22, 0x58, 32],
            &[2; 32],
        ]
        .concat()
    }

    /// Controls tried: without the look at flags, algorithm or the bytes behind the object, the case of each passes.
    #[test]
    fn a_registration_reads_and_what_is_not_one_does_not() {
        let good = read(
            &client_data("webauthn.create"),
            &attestation(0x45, &es256()),
            b"q",
            &party(),
        )
        .unwrap();
        assert_eq!(good.credential, [7, 7, 7]);
        assert_eq!(good.spki, [P256_SPKI, &[4], &[1; 32], &[2; 32]].concat());
        let refused = |kind: &str, object: &[u8]| read(&client_data(kind), object, b"q", &party()).unwrap_err();
        assert!(refused("webauthn.get", &attestation(0x45, &es256())).contains("another kind"));
        assert!(refused("webauthn.create", &attestation(0x41, &es256())).contains("did not verify the person"));
        assert!(refused("webauthn.create", &attestation(0x05, &es256())).contains("does not read"));
        // RS256: kty 3, alg -257.
        let rsa = [0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x41, 1, 0x21, 0x41, 1];
        assert!(refused("webauthn.create", &attestation(0x45, &rsa)).contains("another kind than"));
        let longer = [attestation(0x45, &es256()), vec![0]].concat();
        assert!(refused("webauthn.create", &longer).contains("does not read"));
        // What the fuzzed corpus begins with reads, or its mutations would end at the first byte.
        for good in ["es256", "eddsa"] {
            let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/passkey/");
            let object = std::fs::read(format!("{here}{good}")).unwrap();
            assert!(
                read(&client_data("webauthn.create"), &object, b"q", &party()).is_ok(),
                "{good}"
            );
        }
        for end in 0..attestation(0x45, &es256()).len() {
            refused("webauthn.create", &attestation(0x45, &es256())[..end]);
        }
    }
}
