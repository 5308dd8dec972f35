//! What the authority writes into the ledger, one struct a kind. Fields stand in alphabetical order, so that plain JSON output is
//! canonical (RFC 8785).

mod agent;
mod certificate;
mod enrolment;
mod house;
mod mandate;
mod officer;

pub use agent::{AgentRegistered, ReplacementQueued};
pub use certificate::{CertificateIssued, CertificateReserved};
pub use enrolment::{EnrolmentTokenIssued, RenewalRequested, TokenBound};
pub use house::{CaCertificateInstalled, CaCertificateUse, HouseCertificateReserved, HouseFounded, ServerCertified};
pub use mandate::{ApplicationApproved, ApplicationRejected, ApplicationSigned, ApplicationSubmitted, RuleOutcome};
pub use officer::{
    OfficerActed, OfficerProposed, OfficerRead, OfficerRefused, OfficerRegistered, OfficerRemoved, OfficerRequested,
    OfficerSigned, OfficerSignedIn, OfficerTokenIssued, PasskeyAdded, PasskeyDoubted, ProposalClosed, Role,
};

use extensions::Record;

/// Gives a struct its stream and kind, and the enum [`Event`] over all of them.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, |$event:ident| $stream:expr, gating: $gating:literal, sealed: $sealed:expr;)*) => {
        $(impl Record for $name {
            fn stream(&self) -> extensions::StreamId {
                let $event = self;
                $stream
            }
            fn kind(&self) -> &'static str {
                $kind
            }
            fn write_body(&self, out: &mut Vec<u8>) {
                extensions::canonical::write_presorted(self, out);
            }
            fn sealed(&self) -> &[extensions::record::SealedText] {
                let sealed: fn(&Self) -> &[extensions::record::SealedText] = $sealed;
                sealed(self)
            }
            fn gating(&self) -> bool {
                $gating
            }
        })*

        /// Any event of the authority.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant, reason = "events are read one at a time and folded away at once")]
        pub enum Event {
            $($(#[$doc])* $name($name),)*
        }

        impl Event {
            /// The kinds of this crate.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// Reads the body of an entry of `kind`; `None` when the kind is not of this crate.
            ///
            /// # Errors
            /// Inside the option: when the body is not the canonical form of that kind.
            #[must_use]
            pub fn decode(kind: &str, body: &[u8]) -> Option<Result<Self, extensions::canonical::CanonicalError>> {
                match kind {
                    $($kind => Some(extensions::canonical::from_slice(body).map(Self::$name)),)*
                    _ => None,
                }
            }

            /// The event as a record.
            #[must_use]
            pub fn record(&self) -> &dyn Record {
                match self {
                    $(Self::$name(event) => event,)*
                }
            }
        }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*
    };
}

events! {
    /// An operator registered an agent.
    AgentRegistered = "agent.registered", |event| extensions::StreamId::agent(&event.agent), gating: false, sealed: |event| &event.sealed;
    /// A stopped bot's next certificate waits.
    ReplacementQueued = "replacement.queued", |event| extensions::StreamId::agent(&event.agent), gating: false, sealed: |_| &[];
    /// A mandate was asked for, or its document changed.
    ApplicationSubmitted = "application.submitted", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |event| &event.sealed;
    /// An officer signed yes or no.
    ApplicationSigned = "application.signed", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |_| &[];
    /// The rules of approval are met.
    ApplicationApproved = "application.approved", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |_| &[];
    /// An officer said no.
    ApplicationRejected = "application.rejected", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |event| &event.sealed;
    /// A one-time token for the bot was made.
    EnrolmentTokenIssued = "enrolment.token_issued", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |_| &[];
    /// The token was used for the first time and is bound to that request.
    TokenBound = "enrolment.token_bound", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |_| &[];
    /// A bot asked for its next certificate.
    RenewalRequested = "enrolment.renewal_requested", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |_| &[];
    /// The intent to issue: the serial is taken.
    CertificateReserved = "certificate.reserved", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |_| &[];
    /// A certificate was signed, checked and released.
    CertificateIssued = "certificate.issued", |event| extensions::StreamId::mandate(&event.mandate), gating: false, sealed: |_| &[];
    /// A one-time token for an officer was made.
    OfficerTokenIssued = "officer.token_issued", |event| officer::stream(&event.officer), gating: false, sealed: |_| &[];
    /// An officer's certificate was issued.
    OfficerRegistered = "officer.registered", |event| officer::stream(&event.officer), gating: false, sealed: |_| &[];
    /// An officer's token was used.
    OfficerRequested = "officer.requested", |event| officer::stream(&event.officer), gating: false, sealed: |event| &event.sealed;
    /// A passkey signs for an officer.
    PasskeyAdded = "officer.passkey_added", |event| officer::stream(&event.officer), gating: false, sealed: |event| &event.sealed;
    /// A decision for officers to sign.
    OfficerProposed = "officer.proposed", |event| officer::stream(&event.proposer), gating: false, sealed: |event| &event.sealed;
    /// A proposal was decided.
    ProposalClosed = "officer.proposal_closed", |event| officer::stream(&event.proposer), gating: false, sealed: |_| &[];
    /// An officer acted, with the reason in words.
    OfficerActed = "officer.acted", |event| officer::stream(&event.officer), gating: false, sealed: |event| &event.sealed;
    /// An officer was let in.
    OfficerSignedIn = "officer.signed_in", |event| officer::stream(&event.officer), gating: false, sealed: |_| &[];
    /// Records were read.
    OfficerRead = "officer.read", |event| officer::stream(&event.officer), gating: false, sealed: |_| &[];
    /// A passkey's counter did not go on.
    PasskeyDoubted = "officer.passkey_doubted", |event| officer::stream(&event.officer), gating: false, sealed: |_| &[];
    /// Acts of an officer were refused.
    OfficerRefused = "officer.refused", |event| officer::stream(&event.officer), gating: false, sealed: |_| &[];
    /// An officer left.
    OfficerRemoved = "officer.removed", |event| officer::stream(&event.officer), gating: false, sealed: |_| &[];
    /// An officer's signature that waits for a second one (baselines, house settings, reinstatements).
    OfficerSigned = "officer.signed", |event| officer::stream(&event.approval.officer), gating: false, sealed: |_| &[];
    /// What the ceremony fixed.
    HouseFounded = "house.founded", |_event| extensions::StreamId::house(), gating: true, sealed: |_| &[];
    /// The intent to sign a certificate of the house's own: the serial is taken.
    HouseCertificateReserved = "house.certificate_reserved", |_event| extensions::StreamId::house(), gating: false, sealed: |_| &[];
    /// A listener's certificate was signed, checked and released.
    ServerCertified = "server.certified", |_event| extensions::StreamId::house(), gating: false, sealed: |_| &[];
    /// A certificate of the authority itself.
    CaCertificateInstalled = "ca.certificate_installed", |_event| extensions::StreamId::house(), gating: true, sealed: |_| &[];
}

#[cfg(test)]
mod tests;
