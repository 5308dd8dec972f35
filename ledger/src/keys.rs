//! Who may sign checkpoints: each appending process has its own short-lived key, authorised by an entry that the ledger root key
//! signed (ARCHITECTURE §2).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use extensions::{Digest, KeyAlgorithm, Record, SignError, Signer, StreamId, Timestamp, canonical};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// What stands before the 32 key bytes in the SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const AUTHORISE_DOMAIN: &[u8] = b"mandatum/checkpoint-key/v1";
const RESERVE_DOMAIN: &[u8] = b"mandatum/reserve/v1";

/// An Ed25519 public key; base64 in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Reads SubjectPublicKeyInfo DER; `None` for another algorithm.
    #[must_use]
    pub fn from_spki(spki: &[u8]) -> Option<Self> {
        Some(Self(spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?))
    }

    /// The SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        [&SPKI_PREFIX[..], &self.0].concat()
    }

    /// Reads standard base64 of the 32 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(STANDARD.decode(text).ok()?.try_into().ok()?))
    }

    /// The key id of C2SP signed notes: the first four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)`.
    #[must_use]
    pub fn key_id(&self, name: &str) -> [u8; 4] {
        let digest = Digest::of_parts(&[name.as_bytes(), &[0x0a, 0x01], &self.0]).0;
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected the base64 of 32 key bytes"))
    }
}

/// A checkpoint key must be Ed25519, and its names plain.
#[derive(Debug, Error)]
pub enum KeyError {
    /// Another algorithm.
    #[error("a checkpoint key must be Ed25519")]
    NotEd25519,
    /// Ledger id or writer outside `[a-z0-9-]`, empty or longer than 64.
    #[error("ledger id and writer must be 1 to 64 of [a-z0-9-]")]
    Name,
    /// No randomness to make a key from.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// A writer's key for checkpoints and for the reserve file.
#[derive(Clone)]
pub struct CheckpointKey {
    name: String,
    writer: Arc<str>,
    public: PublicKey,
    signer: Arc<dyn Signer>,
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CheckpointKey({}, {})", self.name, self.public)
    }
}

fn plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The name of a writer's key in signed notes: `mandatum/<ledger id>/<writer>`.
#[must_use]
pub fn key_name(ledger_id: &str, writer: &str) -> String {
    format!("mandatum/{ledger_id}/{writer}")
}

impl CheckpointKey {
    /// The key of `writer` (a gateway id or a role) in the ledger `ledger_id`.
    ///
    /// # Errors
    /// When the signer is not Ed25519 or a name is not plain.
    pub fn new(ledger_id: &str, writer: &str, signer: Arc<dyn Signer>) -> Result<Self, KeyError> {
        if !plain(ledger_id) || !plain(writer) {
            return Err(KeyError::Name);
        }
        let public = PublicKey::from_spki(signer.public_key_spki()).ok_or(KeyError::NotEd25519)?;
        if signer.algorithm() != KeyAlgorithm::Ed25519 {
            return Err(KeyError::NotEd25519);
        }
        Ok(Self {
            name: key_name(ledger_id, writer),
            writer: writer.into(),
            public,
            signer,
        })
    }

    /// A fresh key that lives in memory only.
    ///
    /// # Panics
    /// When the names are not plain or the system gives no random bytes: meant for tests and demonstrations.
    #[must_use]
    pub fn ephemeral(ledger_id: &str, writer: &str) -> Self {
        let key = EphemeralKey::generate().expect("the system gives random bytes");
        Self::new(ledger_id, writer, Arc::new(key)).expect("plain names")
    }

    /// The name in signed notes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The writer.
    #[must_use]
    pub fn writer(&self) -> &Arc<str> {
        &self.writer
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer.sign(message)
    }

    pub(crate) fn sign_reserved(&self, payload: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer.sign(&[RESERVE_DOMAIN, payload].concat())
    }
}

impl PublicKey {
    pub(crate) fn verify_reserved(&self, payload: &[u8], signature: &[u8]) -> bool {
        self.verify(&[RESERVE_DOMAIN, payload].concat(), signature)
    }
}

/// An Ed25519 key in memory, made anew by each process that appends.
pub struct EphemeralKey {
    pair: Ed25519KeyPair,
    spki: Vec<u8>,
}

impl EphemeralKey {
    /// A fresh key from the system's randomness.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn generate() -> Result<Self, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new());
        let document = document.map_err(|_| KeyError::NoRandomness)?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self::from_pair(pair))
    }

    /// The key of a seed: for fixtures that must come out the same each time.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self::from_pair)
    }

    fn from_pair(pair: Ed25519KeyPair) -> Self {
        let spki = [&SPKI_PREFIX[..], pair.public_key().as_ref()].concat();
        Self { pair, spki }
    }
}

impl Signer for EphemeralKey {
    fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::Ed25519
    }

    fn public_key_spki(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }
}

/// `ledger.started`: the first entry of every ledger. Names the ledger and the key that authorises checkpoint keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerStarted {
    /// 1 to 64 of `[a-z0-9-]`.
    pub ledger_id: String,
    /// The ledger root public key.
    pub ledger_root: PublicKey,
}

impl LedgerStarted {
    /// The kind.
    pub const KIND: &'static str = "ledger.started";
}

impl Record for LedgerStarted {
    fn stream(&self) -> StreamId {
        StreamId::house()
    }

    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn write_body(&self, out: &mut Vec<u8>) {
        canonical::write_presorted(self, out);
    }
}

/// `checkpoint_key.authorised`: a writer's key, signed by the ledger root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointKeyAuthorised {
    /// From when.
    pub from: Timestamp,
    /// The checkpoint key.
    pub key: PublicKey,
    /// The ledger it is for.
    pub ledger_id: String,
    /// Base64 of the root key's Ed25519 signature over `"mandatum/checkpoint-key/v1" ‖` the canonical JSON of the other members.
    pub signature: String,
    /// Whose key it is.
    pub writer: String,
}

#[derive(Serialize)]
struct Authorised<'a> {
    from: Timestamp,
    key: PublicKey,
    ledger_id: &'a str,
    writer: &'a str,
}

impl CheckpointKeyAuthorised {
    /// The kind.
    pub const KIND: &'static str = "checkpoint_key.authorised";

    /// Signs the authorisation of `key` with the ledger root key.
    ///
    /// # Errors
    /// When the root key cannot sign.
    pub fn sign(ledger_id: &str, key: &CheckpointKey, from: Timestamp, root: &dyn Signer) -> Result<Self, SignError> {
        let mut authorised = Self {
            from,
            key: key.public,
            ledger_id: ledger_id.to_owned(),
            signature: String::new(),
            writer: key.writer.to_string(),
        };
        authorised.signature = STANDARD.encode(root.sign(&authorised.signed_bytes())?);
        Ok(authorised)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = AUTHORISE_DOMAIN.to_vec();
        let Self { from, key, .. } = *self;
        canonical::write_presorted(
            &Authorised {
                from,
                key,
                ledger_id: &self.ledger_id,
                writer: &self.writer,
            },
            &mut bytes,
        );
        bytes
    }

    /// Whether the ledger root key signed this, for this ledger.
    #[must_use]
    pub fn is_signed_by(&self, ledger_id: &str, root: &PublicKey) -> bool {
        self.ledger_id == ledger_id
            && STANDARD
                .decode(&self.signature)
                .is_ok_and(|signature| root.verify(&self.signed_bytes(), &signature))
    }
}

impl Record for CheckpointKeyAuthorised {
    fn stream(&self) -> StreamId {
        StreamId::house()
    }

    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn write_body(&self, out: &mut Vec<u8>) {
        canonical::write_presorted(self, out);
    }
}
