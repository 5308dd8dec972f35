//! What every pure crate's events have in common with the ledger: a stream, a kind, canonical bytes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::inline::Inline;

/// The families of streams (ARCHITECTURE §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// One agent: orders, outcomes, fills, standing, baselines.
    Agent,
    /// One owner of agents.
    Owner,
    /// One officer: registration, sign-ins.
    Officer,
    /// One mandate: application, approvals, certificates.
    Mandate,
    /// One webhook subscription: deliveries.
    Delivery,
    /// One gateway instance: start, lease, stop.
    Gateway,
    /// One calendar job: runs, CRL numbers.
    Job,
    /// Decisions above one agent; its gating kinds raise the epoch.
    House,
}

impl StreamKind {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Agent, "agent"),
        (Self::Owner, "owner"),
        (Self::Officer, "officer"),
        (Self::Mandate, "mandate"),
        (Self::Delivery, "delivery"),
        (Self::Gateway, "gateway"),
        (Self::Job, "job"),
        (Self::House, "house"),
    ];

    /// The word before the slash.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("house", |(_, word)| word)
    }
}

/// A stream's name: `agent/mm-1`, or plain `house`. Its entries are numbered from 0 without gaps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    kind: StreamKind,
    /// Held in place: every entry names its stream, and the order path copies it. None for the house.
    name: Option<Inline<64>>,
}

/// A text that names no stream.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} names no stream: expected `house` or one of agent/ owner/ officer/ mandate/ delivery/ gateway/ job/ and 1 to 64 of [A-Za-z0-9._-]"
)]
pub struct StreamIdError(String);

impl StreamId {
    /// The one stream of the house.
    #[must_use]
    pub fn house() -> Self {
        Self {
            kind: StreamKind::House,
            name: None,
        }
    }

    /// The stream of `kind` named `name`.
    ///
    /// # Errors
    /// When `name` is empty, longer than 64 or outside `[A-Za-z0-9._-]`.
    pub fn new(kind: StreamKind, name: &str) -> Result<Self, StreamIdError> {
        let fits = kind != StreamKind::House && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        match Inline::new(name).filter(|_| fits) {
            Some(name) => Ok(Self { kind, name: Some(name) }),
            None => Err(StreamIdError(format!("{}/{name}", kind.as_str()))),
        }
    }

    /// The stream of one agent.
    #[must_use]
    pub fn agent(agent: &crate::AgentId) -> Self {
        Self {
            kind: StreamKind::Agent,
            name: Inline::new(agent.as_str()),
        }
    }

    /// The stream of one mandate.
    #[must_use]
    pub fn mandate(mandate: &crate::MandateId) -> Self {
        Self {
            kind: StreamKind::Mandate,
            name: Inline::new(mandate.as_str()),
        }
    }

    /// The family.
    #[must_use]
    pub fn kind(&self) -> StreamKind {
        self.kind
    }

    /// The part after the slash; empty for the house.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_ref().map_or("", Inline::as_str)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// When the text names no stream.
    pub fn parse(text: &str) -> Result<Self, StreamIdError> {
        if text == "house" {
            return Ok(Self::house());
        }
        let (word, name) = text.split_once('/').ok_or_else(|| StreamIdError(text.to_owned()))?;
        let kind = StreamKind::ALL
            .iter()
            .find(|(_, w)| *w == word)
            .ok_or_else(|| StreamIdError(text.to_owned()))?
            .0;
        Self::new(kind, name)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            StreamKind::House => formatter.write_str("house"),
            kind => write!(formatter, "{}/{}", kind.as_str(), self.name()),
        }
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A text that belongs to a person. The ledger keeps a salted commitment in the entry and the text beside it, encrypted
/// under the subject's key (ARCHITECTURE §2).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedText {
    /// Whose key encrypts it: `agent:<id>`, `officer:<id>`, `owner:<id>`.
    pub subject: String,
    /// 32 bytes that make the commitment hiding; drawn once per text.
    pub salt: [u8; 32],
    /// The text itself. Never logged.
    pub text: String,
}

impl SealedText {
    /// What the entry holds: `SHA-256("mandatum/seal/v1" ‖ salt ‖ text)`.
    #[must_use]
    pub fn commitment(&self) -> crate::Digest {
        crate::Digest::of_parts(&[b"mandatum/seal/v1", &self.salt, self.text.as_bytes()])
    }
}

impl fmt::Debug for SealedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealedText({}, {})", self.subject, self.commitment())
    }
}

/// An event that can become one entry of the ledger.
///
/// `write_body` must write canonical JSON (RFC 8785), the same bytes each time, and decoding those bytes must give the event
/// back: the ledger hashes them, `verify` folds them again.
pub trait Record {
    /// The stream the entry belongs to.
    fn stream(&self) -> StreamId;
    /// The stable name of the kind, `noun.verb`: `order.decided`.
    fn kind(&self) -> &'static str;
    /// Appends the body, canonical JSON, to `out`.
    fn write_body(&self, out: &mut Vec<u8>);
    /// The texts whose commitments the body holds.
    fn sealed(&self) -> &[SealedText] {
        &[]
    }
    /// Whether this kind raises the epoch (gating kinds of the house stream).
    fn gating(&self) -> bool {
        false
    }
}
