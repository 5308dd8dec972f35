//! Certificate revocation lists (RFC 5280 §5): full, numbered, with a critical IDP that names the one place they belong to.
//!
//! A list is made in three steps, so that nothing wrong is ever signed by the CA key: [`prepare_crl`] signs it with a
//! throwaway key and lints the result; [`PreparedCrl::sign`] lets the real key sign; [`PreparedCrl::seal`] compares what was
//! signed byte for byte with what was linted and verifies the signature. Only a [`SealedCrl`] can be published.

use extensions::{Base64, Digest, Serial, Signer, Timestamp};
use rcgen::{
    CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, Issuer, KeyIdMethod,
    RevokedCertParams, SerialNumber,
};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::jobs::CrlPublished;
use crate::reason::RevocationReason;
use crate::signing::{RcgenKey, to_be_signed};
use crate::status::Revoked;

mod lint;
#[cfg(test)]
mod tests;

/// The longest time between thisUpdate and nextUpdate, in seconds: seven days, a leaf's longest life.
pub const LONGEST_CRL_LIFE_SECONDS: i64 = 7 * 86_400;
/// The longest list that its record holds itself, in octets; longer ones travel beside it, found by their digest.
pub const LONGEST_RECORDED_CRL: usize = 150_000;
/// Entries one list may have.
pub const MOST_CRL_ENTRIES: usize = 1_000_000;
/// The longest list there can be, in octets: an entry with serial, date and reason takes fewer than 64.
pub const LONGEST_CRL: usize = MOST_CRL_ENTRIES * 64;

/// Where a list lies while it is being recorded: beside the file of the recorded one, with `.next` behind its name.
#[must_use]
pub fn unrecorded_crl_file(recorded: &std::path::Path) -> std::path::PathBuf {
    let mut name = recorded.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

/// Where the list of an earlier issuing CA lies, by that CA's number: `crl.der` is the newest one's, `crl-1.der` the first one's.
#[must_use]
pub fn earlier_crl_file(newest: &std::path::Path, number: usize) -> std::path::PathBuf {
    let stem = newest.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = format!("{stem}-{number}");
    if let Some(extension) = newest.extension() {
        name.push('.');
        name.push_str(&extension.to_string_lossy());
    }
    newest.with_file_name(name)
}

/// One revoked certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlEntry {
    /// When and why.
    pub revoked: Revoked,
    /// Which.
    pub serial: Serial,
}

/// What a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlContent {
    /// The URI in the certificates' CDP, byte for byte, and so in the list's IDP.
    pub distribution_point: String,
    /// The revoked certificates.
    pub entries: Vec<CrlEntry>,
    /// When the next list comes at the latest.
    pub next_update: Timestamp,
    /// crlNumber, above every earlier one.
    pub number: u64,
    /// When this list was made.
    pub this_update: Timestamp,
}

/// Why a list is not made or not published. All of these are ours to mend; trying again unchanged does not help, except
/// for `Signer`.
#[derive(Debug, Error)]
pub enum CrlError {
    /// The CA certificate cannot be read or used.
    #[error("the issuing CA's certificate cannot sign CRLs: {0}")]
    Issuer(String),
    /// rcgen could not build it.
    #[error("the CRL could not be built: {0}")]
    Build(String),
    /// The list breaks a rule.
    #[error("the CRL breaks a rule and was not signed: {0}")]
    Lint(#[from] CrlFault),
    /// The key did not sign.
    #[error("the CRL was not signed: {0}")]
    Signer(String),
    /// What was signed is not what was linted.
    #[error("the signed CRL is not the one that was checked")]
    Changed,
    /// The signature does not verify under the CA certificate.
    #[error("the CRL's signature does not verify under the issuing CA's certificate")]
    Signature,
}

/// A rule a list breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CrlFault {
    /// Not a v2 list in DER, or bytes behind it.
    #[error("it is not a version 2 CRL in DER")]
    Form,
    /// RFC 5280 §5.1.2.3.
    #[error("its issuer is not the CA's subject, byte for byte")]
    IssuerName,
    /// RFC 5280 §5.2.1.
    #[error("its authority key identifier is not the CA's key identifier")]
    AuthorityKeyIdentifier,
    /// RFC 5280 §5.2.3: crlNumber absent, critical, or not the one asked for.
    #[error("its crlNumber is absent or not {0}")]
    Number(u64),
    /// A number that goes back.
    #[error("its crlNumber {number} is not above {last}, the last published one")]
    NumberGoesBack {
        /// This list's number.
        number: u64,
        /// The last one's.
        last: u64,
    },
    /// RFC 5280 §5.2.5.
    #[error("its issuing distribution point is absent, not critical, or not the configured one")]
    DistributionPoint,
    /// An extension that should not be there, or twice.
    #[error("it has an unexpected or repeated extension")]
    Extension,
    /// thisUpdate in the future, nextUpdate past, or too long a life.
    #[error("its times are wrong: made {this_update}, next {next_update}, now {now}")]
    Times {
        /// thisUpdate.
        this_update: Timestamp,
        /// nextUpdate.
        next_update: Timestamp,
        /// The present.
        now: Timestamp,
    },
    /// Entries lost, added, repeated, with another serial, date or reason.
    #[error("its entries are not the revoked certificates")]
    Entries,
    /// More than [`MOST_CRL_ENTRIES`].
    #[error("it would have {0} entries; at most {MOST_CRL_ENTRIES} are allowed")]
    TooMany(usize),
}

/// A list that has been built and linted, and awaits its signature.
#[derive(Debug, Clone)]
pub struct PreparedCrl {
    content: CrlContent,
    issuer: Vec<u8>,
    to_be_signed: Vec<u8>,
}

/// A list that was linted, signed and verified: the only form that can be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCrl {
    der: Vec<u8>,
    event: CrlPublished,
}

fn date(at: Timestamp) -> Result<time::OffsetDateTime, CrlError> {
    time::OffsetDateTime::from_unix_timestamp(at.seconds()).map_err(|error| CrlError::Build(error.to_string()))
}

fn rcgen_reason(reason: RevocationReason) -> rcgen::RevocationReason {
    match reason {
        RevocationReason::KeyCompromise => rcgen::RevocationReason::KeyCompromise,
        RevocationReason::AffiliationChanged => rcgen::RevocationReason::AffiliationChanged,
        RevocationReason::Superseded => rcgen::RevocationReason::Superseded,
        RevocationReason::CessationOfOperation => rcgen::RevocationReason::CessationOfOperation,
        RevocationReason::PrivilegeWithdrawn => rcgen::RevocationReason::PrivilegeWithdrawn,
    }
}

impl CrlContent {
    /// The list in DER, signed by `signer` in the name of the CA of `issuer`.
    fn build(&self, issuer: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, CrlError> {
        let (_, certificate) =
            X509Certificate::from_der(issuer).map_err(|error| CrlError::Issuer(error.to_string()))?;
        let key_id = lint::subject_key_identifier(&certificate)
            .ok_or_else(|| CrlError::Issuer("it has no subject key identifier".to_owned()))?;
        let entries = self.entries.iter().map(|entry| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(entry.serial.octets()),
                revocation_time: date(entry.revoked.at)?,
                reason_code: Some(rcgen_reason(entry.revoked.reason)),
                invalidity_date: None,
            })
        });
        let params = CertificateRevocationListParams {
            this_update: date(self.this_update)?,
            next_update: date(self.next_update)?,
            crl_number: SerialNumber::from(self.number),
            issuing_distribution_point: Some(CrlIssuingDistributionPoint {
                distribution_point: CrlDistributionPoint {
                    uris: vec![self.distribution_point.clone()],
                },
                scope: None,
            }),
            revoked_certs: entries.collect::<Result<_, CrlError>>()?,
            key_identifier_method: KeyIdMethod::PreSpecified(key_id.to_vec()),
        };
        let issuer = Issuer::from_ca_cert_der(&issuer.into(), RcgenKey(signer))
            .map_err(|error| CrlError::Issuer(error.to_string()))?;
        let list = params.signed_by(&issuer).map_err(|error| match error {
            rcgen::Error::RemoteKeyError => CrlError::Signer("the key refused or could not be reached".to_owned()),
            other => CrlError::Build(other.to_string()),
        })?;
        Ok(list.der().to_vec())
    }
}

/// Builds the list, signs it with `throwaway` and lints the result. `throwaway` must be of the CA key's algorithm, since the
/// algorithm is part of what is signed. `last` is the highest number ever published.
///
/// # Errors
/// When the CA certificate cannot sign CRLs, or the list breaks a rule: a number that goes back above all.
pub fn prepare_crl(
    content: CrlContent,
    issuer: &[u8],
    throwaway: &dyn Signer,
    last: Option<u64>,
    now: Timestamp,
) -> Result<PreparedCrl, CrlError> {
    if content.entries.len() > MOST_CRL_ENTRIES {
        return Err(CrlFault::TooMany(content.entries.len()).into());
    }
    let der = content.build(issuer, throwaway)?;
    lint::lint(&der, &content, issuer, last, now)?;
    let to_be_signed = to_be_signed(&der).ok_or(CrlFault::Form)?;
    Ok(PreparedCrl {
        content,
        issuer: issuer.to_vec(),
        to_be_signed,
    })
}

impl PreparedCrl {
    /// Lets the CA key sign and seals the result.
    ///
    /// # Errors
    /// When the key does not sign, or what it signed is not what was linted.
    pub fn sign(self, signer: &dyn Signer) -> Result<SealedCrl, CrlError> {
        let der = self.content.build(&self.issuer, signer)?;
        self.seal(der)
    }

    /// Takes a signed list only if it is, byte for byte, the linted one and its signature verifies.
    ///
    /// # Errors
    /// When either is not so.
    pub fn seal(self, der: Vec<u8>) -> Result<SealedCrl, CrlError> {
        let signed = to_be_signed(&der).ok_or(CrlFault::Form)?;
        if signed != self.to_be_signed {
            return Err(CrlError::Changed);
        }
        if lint::verified(&der, &self.issuer).is_none() {
            return Err(CrlError::Signature);
        }
        let event = CrlPublished {
            digest: Digest::of(&der),
            entries: u32::try_from(self.content.entries.len()).map_err(|_| CrlFault::Entries)?,
            issuer: Some(Digest::of(&self.issuer)),
            list: (der.len() <= LONGEST_RECORDED_CRL).then(|| Base64(der.clone())),
            next_update: Timestamp::from_seconds(self.content.next_update.seconds()),
            number: self.content.number,
            this_update: Timestamp::from_seconds(self.content.this_update.seconds()),
        };
        Ok(SealedCrl { der, event })
    }
}

impl SealedCrl {
    /// The list.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The event that publishes it.
    #[must_use]
    pub fn event(&self) -> &CrlPublished {
        &self.event
    }

    /// The event that publishes it.
    #[must_use]
    pub fn into_event(self) -> CrlPublished {
        self.event
    }
}

/// The serials a list names; `None` when it is no list.
#[must_use]
pub fn listed_serials(der: &[u8]) -> Option<std::collections::BTreeSet<Serial>> {
    lint::serials_of(der)
}

/// Why a publisher does not take over a list it was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CrlRefusal {
    /// The list and its event do not belong together.
    #[error("the published CRL does not match its record")]
    Digest,
    /// Not signed by the CA.
    #[error("the published CRL is not signed by the issuing CA")]
    Signature,
    /// A list older than the one being served.
    #[error("CRL number {offered} is not above {served}, which is being served: a rolled-back CRL")]
    RolledBack {
        /// The number offered.
        offered: u64,
        /// The number being served.
        served: u64,
    },
}

/// Checks the list `der` of a record before serving it: its digest, its signature, and that its number does not go back.
///
/// # Errors
/// When one of them is wrong; the list being served stays.
pub fn accept_crl(event: &CrlPublished, der: &[u8], issuer: &[u8], served: Option<u64>) -> Result<(), CrlRefusal> {
    if Digest::of(der) != event.digest || lint::number_of(der) != Some(event.number) {
        return Err(CrlRefusal::Digest);
    }
    if lint::verified(der, issuer).is_none() {
        return Err(CrlRefusal::Signature);
    }
    match served {
        Some(served) if event.number <= served => Err(CrlRefusal::RolledBack {
            offered: event.number,
            served,
        }),
        _ => Ok(()),
    }
}
