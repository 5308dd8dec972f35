//! Why bytes or a document are not `AuthorityLimits`: one reason each, with a stable tag that vectors and messages share.

use thiserror::Error;

/// The fields of `AuthorityLimits` (certificates.md §5), as named in its ASN.1 module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The whole value.
    Value,
    /// `version`.
    Version,
    /// `subjectClass`.
    SubjectClass,
    /// `perOrder`.
    PerOrder,
    /// `perDay`.
    PerDay,
    /// `orderRates`.
    OrderRates,
    /// `instruments`.
    Instruments,
    /// `counterparties`.
    Counterparties,
    /// `regions`.
    Regions,
    /// `hours`.
    Hours,
    /// `orderTypes`.
    OrderTypes,
    /// `priceCollar`.
    PriceCollar,
    /// `orderProof`.
    OrderProof,
    /// `agentDigest`.
    AgentDigest,
    /// `mandate`.
    Mandate,
}

impl Field {
    /// The name in the ASN.1 module.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "AuthorityLimits",
            Self::Version => "version",
            Self::SubjectClass => "subjectClass",
            Self::PerOrder => "perOrder",
            Self::PerDay => "perDay",
            Self::OrderRates => "orderRates",
            Self::Instruments => "instruments",
            Self::Counterparties => "counterparties",
            Self::Regions => "regions",
            Self::Hours => "hours",
            Self::OrderTypes => "orderTypes",
            Self::PriceCollar => "priceCollar",
            Self::OrderProof => "orderProof",
            Self::AgentDigest => "agentDigest",
            Self::Mandate => "mandate",
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Why a value is refused. Nothing is repaired, trimmed or guessed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LimitsError {
    /// Above 4 KiB.
    #[error("AuthorityLimits of {length} bytes: at most 4096 are read; name fewer or shorter items")]
    TooLong {
        /// Bytes found.
        length: usize,
    },
    /// Not DER: a length that is cut short, indefinite or not minimal, or a tag number above 30.
    #[error("{field}: not DER (a length or tag is cut short, indefinite or not minimal)")]
    NotDer {
        /// Where.
        field: Field,
    },
    /// Bytes behind the end of a value.
    #[error("{field}: bytes behind the end of the value")]
    TrailingBytes {
        /// Where.
        field: Field,
    },
    /// A version other than 1.
    #[error("version is not 1: this reader knows version 1 only; upgrade gateways before issuing another")]
    UnknownVersion,
    /// Another tag than the one the field has.
    #[error("{field}: unexpected tag {found:#04x}")]
    UnexpectedTag {
        /// Where.
        field: Field,
        /// The tag octet found.
        found: u8,
    },
    /// A field is missing.
    #[error("{field} is missing: absent means nothing is permitted, so the value is refused")]
    Missing {
        /// Which.
        field: Field,
    },
    /// A naming scheme (CHOICE alternative) that this version does not know, or does not allow in this field.
    #[error("{field}: naming scheme with tag {found:#04x} is not known here")]
    UnknownScheme {
        /// Where.
        field: Field,
        /// The tag octet found.
        found: u8,
    },
    /// A value of the right type whose encoding is not the one canonical encoding.
    #[error("{field}: not in canonical form ({why})")]
    NotCanonical {
        /// Where.
        field: Field,
        /// What would be canonical.
        why: &'static str,
    },
    /// A number outside its range.
    #[error("{field}: a number outside {range}")]
    OutOfRange {
        /// Where.
        field: Field,
        /// The permitted range.
        range: &'static str,
    },
    /// A text of the wrong length or alphabet.
    #[error("{field}: {text:?} is not {expected}")]
    BadText {
        /// Where.
        field: Field,
        /// The text, cut to 40 characters, non-ASCII replaced.
        text: String,
        /// What is expected.
        expected: &'static str,
    },
    /// Too many or too few entries.
    #[error("{field}: {count} entries, expected {range}")]
    BadCount {
        /// Where.
        field: Field,
        /// Entries found.
        count: usize,
        /// The permitted range.
        range: &'static str,
    },
    /// Entries out of order.
    #[error("{field}: entries are not in sorted order")]
    NotSorted {
        /// Where.
        field: Field,
    },
    /// The same key twice.
    #[error("{field}: the same entry twice")]
    Duplicate {
        /// Where.
        field: Field,
    },
    /// `any` in an agent's certificate.
    #[error("{field}: \"any\" is for CA certificates only; list what the agent may use")]
    AnyForAgent {
        /// Where.
        field: Field,
    },
    /// A mandate reference or agent digest in a CA certificate, or no mandate reference in an agent's.
    #[error("{field}: present exactly in agents' certificates")]
    WrongSubject {
        /// Where.
        field: Field,
    },
    /// A readable document entry that cannot be read.
    #[error("{field}: {text:?} cannot be read: expected {expected}")]
    Unreadable {
        /// Where.
        field: Field,
        /// The entry, cut to 80 characters.
        text: String,
        /// An example of what is expected.
        expected: &'static str,
    },
}

impl LimitsError {
    /// The stable tag of the reason, as in the vectors' index.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::NotDer { .. } => "not-der",
            Self::TrailingBytes { .. } => "trailing-bytes",
            Self::UnknownVersion => "unknown-version",
            Self::UnexpectedTag { .. } => "unexpected-tag",
            Self::Missing { .. } => "missing",
            Self::UnknownScheme { .. } => "unknown-scheme",
            Self::NotCanonical { .. } => "not-canonical",
            Self::OutOfRange { .. } => "out-of-range",
            Self::BadText { .. } => "bad-text",
            Self::BadCount { .. } => "bad-count",
            Self::NotSorted { .. } => "not-sorted",
            Self::Duplicate { .. } => "duplicate",
            Self::AnyForAgent { .. } => "any-for-agent",
            Self::WrongSubject { .. } => "wrong-subject",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The field concerned.
    #[must_use]
    pub fn field(&self) -> Field {
        match self {
            Self::TooLong { .. } => Field::Value,
            Self::UnknownVersion => Field::Version,
            Self::NotDer { field }
            | Self::TrailingBytes { field }
            | Self::UnexpectedTag { field, .. }
            | Self::Missing { field }
            | Self::UnknownScheme { field, .. }
            | Self::NotCanonical { field, .. }
            | Self::OutOfRange { field, .. }
            | Self::BadText { field, .. }
            | Self::BadCount { field, .. }
            | Self::NotSorted { field }
            | Self::Duplicate { field }
            | Self::AnyForAgent { field }
            | Self::WrongSubject { field }
            | Self::Unreadable { field, .. } => *field,
        }
    }

    pub(crate) fn bad_text(field: Field, text: &[u8], expected: &'static str) -> Self {
        let text = text
            .iter()
            .take(40)
            .map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' })
            .collect();
        Self::BadText { field, text, expected }
    }

    pub(crate) fn unreadable(field: Field, text: &str, expected: &'static str) -> Self {
        Self::Unreadable {
            field,
            text: text.chars().take(80).collect(),
            expected,
        }
    }
}
