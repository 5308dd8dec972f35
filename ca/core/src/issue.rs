//! Issuing: prepare, lint under a throwaway key, sign, seal (certificates.md §6).
//!
//! The bytes that are linted are the bytes that are signed: the TBSCertificate is built once, linted in a certificate that a throwaway key
//! signed, and only then given to the real key. Before release it is compared byte for byte and the signature verified.

use extensions::{
    AuthorityLimits, Base64, Digest, KeyAlgorithm, Random, Serial, SignError, Signer, Timestamp,
    limits::{MandateRef, OverClaim},
    verify::{key_of_spki, verify_signature},
};
use thiserror::Error;

use crate::{
    approval::Approved,
    certificate::{life_of, limits_of, spki_of, tbs_of},
    checklist::Checklist,
    csr::InspectedCsr,
    der::{BIT_STRING, SEQUENCE, tlv},
    events::{CertificateIssued, CertificateReserved, HouseCertificateReserved},
    lints::{self, Finding},
    narrowing::{DIMENSIONS, within},
    profiles::{BotProfile, Profile, Settings},
    signing::{Borrowed, PublicKey},
};

/// A bot's certificate lives this long unless the house says otherwise.
pub const DEFAULT_LIFE_SECONDS: i64 = 86_400;
/// No bot's certificate lives longer.
pub const LONGEST_LIFE_SECONDS: i64 = 7 * 86_400;
/// Certificates begin this much earlier than now, for clocks that lag.
pub const BACKDATE_SECONDS: i64 = 300;

/// Why nothing was issued.
#[derive(Debug, Error)]
pub enum IssueError {
    /// The mandate is wider than the issuing CA's envelope; every dimension that is, by name.
    #[error("the mandate is wider than the issuing CA may grant: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    TooWide(Vec<OverClaim>),
    /// Not the issuer that this kind of certificate needs.
    #[error("the issuing certificate is not usable: {0}")]
    Issuer(String),
    /// The life asked for does not fit.
    #[error("no certificate: {0}")]
    Life(String),
    /// A name that a certificate cannot carry.
    #[error("{0:?} cannot stand in a certificate: 1 to 64 printable ASCII characters")]
    Name(String),
    /// The limits have no encoding.
    #[error("the limits cannot be encoded: {0}")]
    Limits(String),
    /// The key of the request is of the wrong kind.
    #[error("this kind of key is not issued for")]
    Key,
    /// A lint found something: a defect of ours, so nothing is signed.
    #[error("lint {}: {}", .0.lint, .0.reason)]
    Lint(Finding),
    /// The library could not build it.
    #[error("the certificate could not be built: {0}")]
    Build(String),
    /// The signing key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What came back is not what was prepared.
    #[error("the signed certificate is not the prepared one ({0}); it was not released")]
    Seal(&'static str),
    /// A check ran twice or not at all.
    #[error("{done} of {owed} checks ran; nothing was signed")]
    Count {
        /// How many ran.
        done: u32,
        /// How many are owed.
        owed: u32,
    },
}

/// The CA certificate that signs, with its facts read once.
#[derive(Debug, Clone)]
pub struct IssuingCa {
    certificate: Vec<u8>,
    spki: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    limits: Option<AuthorityLimits>,
}

impl IssuingCa {
    /// Reads a CA certificate of ours.
    ///
    /// # Errors
    /// When it cannot be read, or its key is of no kind of ours.
    pub fn read(certificate: &[u8], settings: &Settings) -> Result<Self, IssueError> {
        let unreadable = || IssueError::Issuer("not a certificate of ours".to_owned());
        let spki = spki_of(certificate).ok_or_else(unreadable)?;
        let (not_before, not_after) = life_of(certificate).ok_or_else(unreadable)?;
        key_of_spki(&spki).ok_or_else(unreadable)?;
        Ok(Self {
            certificate: certificate.to_vec(),
            not_before,
            not_after,
            limits: limits_of(certificate, settings.arc),
            spki,
        })
    }

    /// The certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// The envelope; `None` for the house's CAs.
    #[must_use]
    pub fn envelope(&self) -> Option<&AuthorityLimits> {
        self.limits.as_ref()
    }

    /// The end of its life.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The start of its life.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Its key, SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }
}

/// A TBSCertificate that passed every lint, not signed yet.
#[derive(Debug)]
pub struct Prepared {
    tbs: Vec<u8>,
    algorithm: KeyAlgorithm,
    signer_spki: Vec<u8>,
    serial: Serial,
    subject_spki: Vec<u8>,
    limits_checked: u32,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// A signed certificate, not checked yet.
#[derive(Debug)]
pub struct Signed {
    prepared: Prepared,
    certificate: Vec<u8>,
}

/// A certificate that may be released.
#[derive(Debug)]
pub struct Issued {
    certificate: Vec<u8>,
    serial: Serial,
    spki: Digest,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Issued {
    /// The certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Its serial.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> Digest {
        self.spki
    }

    /// Start and end of its life.
    #[must_use]
    pub fn life(&self) -> (Timestamp, Timestamp) {
        (self.not_before, self.not_after)
    }
}

impl Prepared {
    /// Signs with the real key.
    ///
    /// # Errors
    /// When the key is not the issuer's, or fails.
    pub fn sign(self, signer: &dyn Signer) -> Result<Signed, IssueError> {
        if signer.public_key_spki() != self.signer_spki {
            return Err(IssueError::Seal("the signing key is not the issuer's"));
        }
        let signature = signer.sign(&self.tbs)?;
        let algorithm: &[u8] = match self.algorithm {
            KeyAlgorithm::EcdsaP256Sha256 => &[0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
            KeyAlgorithm::EcdsaP384Sha384 => &[0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
            KeyAlgorithm::Ed25519 => &[0x30, 0x05, 6, 3, 0x2b, 0x65, 0x70],
        };
        let certificate = tlv(SEQUENCE, &[&self.tbs, algorithm, &tlv(BIT_STRING, &[&[0], &signature])]);
        Ok(Signed {
            prepared: self,
            certificate,
        })
    }

    /// SHA-256 of the TBSCertificate.
    #[must_use]
    pub fn tbs_digest(&self) -> Digest {
        Digest::of(&self.tbs)
    }

    /// The serial in it.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial
    }
}

impl Signed {
    /// Compares the TBSCertificate byte for byte with the prepared one and verifies the signature.
    ///
    /// # Errors
    /// When either fails; the certificate is not released.
    pub fn seal(self) -> Result<Issued, IssueError> {
        let Self { prepared, certificate } = self;
        let tbs = tbs_of(&certificate).ok_or(IssueError::Seal("not a certificate"))?;
        if tbs != prepared.tbs {
            return Err(IssueError::Seal("other bytes to be signed"));
        }
        let (rest, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|_| IssueError::Seal("not a certificate"))?;
        let signature = &parsed.signature_value.data;
        if !rest.is_empty() || !verify_signature(&prepared.signer_spki, tbs, signature) {
            return Err(IssueError::Seal("the signature does not verify"));
        }
        Ok(Issued {
            serial: prepared.serial,
            spki: Digest::of(&prepared.subject_spki),
            not_before: prepared.not_before,
            not_after: prepared.not_after,
            certificate,
        })
    }
}

/// What goes into a certificate besides its profile.
#[derive(Debug, Clone, Copy)]
pub struct Particulars<'a> {
    /// What the ceremony fixed.
    pub settings: &'a Settings,
    /// The subject's public key, SubjectPublicKeyInfo DER.
    pub spki: &'a [u8],
    /// The serial.
    pub serial: Serial,
    /// Start of life; whole seconds.
    pub not_before: Timestamp,
    /// End of life; whole seconds.
    pub not_after: Timestamp,
}

/// Prepares a certificate of the authority itself: roots (`issuer` is `None`), issuing CAs, servers, officers, responders. Never a bot's.
///
/// # Errors
/// When the issuer does not fit, the life does not, or a lint finds something.
pub fn prepare_house(
    profile: &Profile,
    particulars: Particulars<'_>,
    issuer: Option<&IssuingCa>,
    throwaway: &dyn Signer,
) -> Result<Prepared, IssueError> {
    if matches!(profile, Profile::Bot(_)) {
        return Err(IssueError::Issuer("a bot's certificate needs an approval".to_owned()));
    }
    prepare(profile, particulars, issuer, throwaway)
}

/// The record of the intent to sign what [`prepare_house`] made for `subject`: appended (`Exactly`, with its serial) before it is signed.
#[must_use]
pub fn house_reservation(prepared: &Prepared, subject: &str) -> HouseCertificateReserved {
    HouseCertificateReserved {
        not_after: prepared.not_after,
        not_before: prepared.not_before,
        serial: prepared.serial,
        spki: Digest::of(&prepared.subject_spki),
        subject: subject.to_owned(),
        tbs: Digest::of(&prepared.tbs),
    }
}

fn prepare(
    profile: &Profile,
    particulars: Particulars<'_>,
    issuer: Option<&IssuingCa>,
    throwaway: &dyn Signer,
) -> Result<Prepared, IssueError> {
    let Particulars { settings, spki, .. } = particulars;
    if profile.is_root() != issuer.is_none() {
        return Err(IssueError::Issuer(
            "a root signs itself, everything else has an issuer".to_owned(),
        ));
    }
    let limits_checked = match (issuer, profile.limits()) {
        (Some(issuer), Some(limits)) => narrower(limits, issuer)?,
        _ => 0,
    };
    life_fits(profile, particulars, issuer)?;
    let signer_spki = issuer.map_or(spki, |issuer| issuer.spki());
    let subject = PublicKey::of_spki(spki).ok_or(IssueError::Key)?;
    let borrowed = Borrowed {
        issuer: PublicKey::of_spki(signer_spki).ok_or(IssueError::Key)?,
        throwaway,
    };
    let algorithm = borrowed.issuer.algorithm;
    if throwaway.algorithm() != algorithm {
        return Err(IssueError::Issuer(
            "the throwaway key is of another kind than the issuer's".to_owned(),
        ));
    }
    let build = |error: rcgen::Error| IssueError::Build(error.to_string());
    let params = profile.params(
        settings,
        &particulars.serial,
        particulars.not_before,
        particulars.not_after,
    )?;
    let built = match issuer {
        None => params.self_signed(&borrowed).map_err(build)?,
        Some(issuer) => {
            let certificate = issuer.certificate.as_slice().into();
            let issuer = rcgen::Issuer::from_ca_cert_der(&certificate, borrowed).map_err(build)?;
            params.signed_by(&subject, &issuer).map_err(build)?
        }
    };
    let linted = lints::Linted {
        certificate: built.der(),
        profile,
        particulars,
        issuer,
    };
    if let Some(finding) = lints::run(&linted).into_iter().next() {
        return Err(IssueError::Lint(finding));
    }
    Ok(Prepared {
        tbs: tbs_of(built.der())
            .ok_or(IssueError::Seal("not a certificate"))?
            .to_vec(),
        algorithm,
        signer_spki: signer_spki.to_vec(),
        serial: particulars.serial,
        subject_spki: spki.to_vec(),
        limits_checked,
        not_before: particulars.not_before,
        not_after: particulars.not_after,
    })
}

/// The ten dimensions, each exactly once; gives their number.
fn narrower(limits: &AuthorityLimits, issuer: &IssuingCa) -> Result<u32, IssueError> {
    let envelope = issuer
        .envelope()
        .ok_or_else(|| IssueError::Issuer("it carries no envelope".to_owned()))?;
    let mut list = Checklist::of(DIMENSIONS.iter().map(ToString::to_string));
    let mut wide: Vec<OverClaim> = Vec::new();
    for dimension in DIMENSIONS {
        let outcome = within(limits.authority(), envelope.authority(), dimension);
        let name = dimension.to_string();
        list.check(
            &name,
            outcome.as_ref().map(|()| name.clone()).map_err(ToString::to_string),
        );
        wide.extend(outcome.err());
    }
    let checked = list.finish();
    if !wide.is_empty() {
        return Err(IssueError::TooWide(wide));
    }
    let done = checked.outcomes.len() as u32;
    if checked.passed() {
        Ok(done)
    } else {
        Err(IssueError::Count {
            done,
            owed: DIMENSIONS.len() as u32,
        })
    }
}

fn life_fits(profile: &Profile, particulars: Particulars<'_>, issuer: Option<&IssuingCa>) -> Result<(), IssueError> {
    let Particulars {
        not_before, not_after, ..
    } = particulars;
    let whole = |at: Timestamp| at.micros() % 1_000_000 == 0;
    if !whole(not_before) || !whole(not_after) || not_after <= not_before {
        return Err(IssueError::Life("it would end before it begins".to_owned()));
    }
    let seconds = not_after.seconds() - not_before.seconds();
    let longest = profile.longest_life_seconds();
    if seconds > longest {
        return Err(IssueError::Life(format!(
            "a life of {seconds} seconds is above {longest}"
        )));
    }
    if let Some(issuer) = issuer
        && (not_after > issuer.not_after || not_before < issuer.not_before)
    {
        return Err(IssueError::Life(format!(
            "it would leave its issuer's life, which ends {}",
            issuer.not_after
        )));
    }
    Ok(())
}

/// A bot's certificate, prepared, with the record of the intent to sign it.
#[derive(Debug)]
pub struct PreparedBot {
    /// What is to be signed.
    pub prepared: Prepared,
    /// The intent: appended (`Exactly`, with its serial) before anything is signed.
    pub reserved: CertificateReserved,
}

/// What a bot's certificate is prepared from besides its approval and request.
#[derive(Debug, Clone, Copy)]
pub struct BotIssue<'a> {
    /// What the ceremony fixed.
    pub settings: &'a Settings,
    /// The agents' issuing CA.
    pub issuer: &'a IssuingCa,
    /// Which issuing instance this is, 0x01 to 0x7f.
    pub instance: u8,
    /// The agent's last reinstatement, or its owner's or the house's: what begins before it stays revoked.
    pub not_earlier: Option<Timestamp>,
    /// The end of the agent's probation.
    pub not_later: Option<Timestamp>,
    /// The life asked for, in seconds; [`DEFAULT_LIFE_SECONDS`] unless the house says otherwise, at most [`LONGEST_LIFE_SECONDS`].
    pub life_seconds: i64,
}

/// The earliest of all that ends a bot's certificate, in whole seconds.
fn end_of_life(
    approved: &Approved,
    with: BotIssue<'_>,
    not_before: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, IssueError> {
    let life = with.life_seconds.clamp(1, LONGEST_LIFE_SECONDS);
    let wanted = Timestamp::from_seconds(now.seconds()).plus_seconds(life);
    let longest = not_before.plus_seconds(LONGEST_LIFE_SECONDS);
    let not_after = [
        longest,
        with.issuer.not_after,
        approved.document().expires,
        approved.agent_expires(),
    ]
    .into_iter()
    .chain(with.not_later)
    .fold(wanted, Timestamp::min);
    let not_after = Timestamp::from_seconds(not_after.seconds());
    if not_after <= now {
        return Err(IssueError::Life(
            "the mandate, the agent's registration, its probation or the issuing CA has ended".to_owned(),
        ));
    }
    Ok(not_after)
}

/// Prepares a bot's certificate from the proof of its approval: limits of the document, references to mandate and approvers, the
/// request's public key, and nothing else of the request.
///
/// # Errors
/// When the document is wider than the envelope (every dimension named), no life is left, or a lint finds something.
pub fn prepare_bot(
    approved: Approved,
    csr: &InspectedCsr,
    with: BotIssue<'_>,
    throwaway: &dyn Signer,
    now: Timestamp,
    random: &mut dyn Random,
) -> Result<PreparedBot, IssueError> {
    let document = approved.document();
    if document.environment != with.settings.environment {
        return Err(IssueError::Issuer(format!(
            "this house is {}",
            with.settings.environment
        )));
    }
    let mandate = MandateRef::new(document.mandate, approved.digest(), approved.approvers().to_vec())
        .map_err(|error| IssueError::Limits(error.to_string()))?;
    let limits = AuthorityLimits::for_agent(document.limits.clone(), document.agent_digest(), mandate)
        .map_err(|error| IssueError::Limits(error.to_string()))?;
    let backdated = Timestamp::from_seconds(now.seconds() - BACKDATE_SECONDS).max(with.issuer.not_before);
    // Certificates count whole seconds: the first one that is not before the reinstatement.
    let reinstated = with
        .not_earlier
        .map(|from| Timestamp::from_seconds(from.plus_micros(999_999).seconds()));
    let not_before = reinstated.map_or(backdated, |from| from.max(backdated));
    let not_after = end_of_life(&approved, with, not_before, now)?;
    let profile = Profile::Bot(BotProfile {
        agent: document.agent,
        owner: document.owner,
        limits,
    });
    let particulars = Particulars {
        settings: with.settings,
        spki: csr.spki(),
        serial: Serial::draw(with.instance, random),
        not_before,
        not_after,
    };
    let prepared = prepare(&profile, particulars, Some(with.issuer), throwaway)?;
    let reserved = CertificateReserved {
        agent: document.agent,
        checks: approved.checks() + prepared.limits_checked,
        csr: csr.digest(),
        document: approved.digest(),
        issuer: with.issuer.digest(),
        mandate: document.mandate,
        not_after,
        not_before,
        serial: prepared.serial(),
        spki: csr.spki_digest(),
        tbs: prepared.tbs_digest(),
    };
    Ok(PreparedBot { prepared, reserved })
}

/// The record of a released certificate.
#[must_use]
pub fn issued_event(issued: &Issued, reserved: &CertificateReserved) -> CertificateIssued {
    CertificateIssued {
        agent: reserved.agent,
        certificate: Base64(issued.certificate().to_vec()),
        csr: reserved.csr,
        mandate: reserved.mandate,
        not_after: issued.not_after,
        not_before: issued.not_before,
        serial: issued.serial,
        spki: issued.spki,
    }
}

#[cfg(test)]
mod tests;
