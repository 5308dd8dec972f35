//! What a certificate says, and the words everybody else uses to say it.
//!
//! A trading bot's mandate is written into its X.509 certificate as one extension, [`AuthorityLimits`](limits). This
//! crate holds that extension, its strict DER form, the algebra by which authority only narrows, the typed view of a
//! certificate, the mandate document whose hash the certificate carries, and the vocabulary (ids, amounts, times) and
//! seams (signer, clock, randomness, record) of the whole product. It is pure: no clock, file, socket or SQL.

pub mod approval;
pub mod base64_bytes;
pub mod canonical;
pub mod certificate;
pub mod clock;
pub mod decimal;
pub mod digest;
pub mod fuzz;
pub mod ids;
pub mod inline;
pub mod limits;
pub mod mandate;
pub mod oids;
pub mod passkey;
pub mod random;
pub mod record;
pub mod serial;
pub mod signer;
pub mod timestamp;
pub mod verify;

pub use approval::{ApprovalRecord, Decision as ApprovalDecision};
pub use base64_bytes::Base64;
pub use clock::Clock;
pub use decimal::Decimal;
pub use digest::Digest;
pub use ids::*;
pub use limits::{AuthorityLimits, EffectiveLimits};
pub use mandate::MandateDocument;
pub use oids::Environment;
pub use random::Random;
pub use record::{Record, SealedText, StreamId, StreamKind};
pub use serial::Serial;
pub use signer::{KeyAlgorithm, SignError, Signer};
pub use timestamp::Timestamp;
