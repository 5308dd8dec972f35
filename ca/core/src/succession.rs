//! Issuing CAs that follow one another under the same root. A key signs for a year at most (certificates.md §2), so each gets a successor
//! with a key, a name and addresses of its own; what the earlier one issued stays valid until it ends, and has its status under the
//! earlier one's name.

use extensions::{Digest, Timestamp};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{Register, certificate::life_of, events::CaCertificateUse, profiles::Settings};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuing {
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Which one, from 1, in the order of installation.
    pub number: usize,
}

impl Issuing {
    /// SHA-256 of its certificate, by which records name it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// Whether anything it issued may still be in use.
    #[must_use]
    pub fn is_in_use(&self, now: Timestamp) -> bool {
        life_of(&self.certificate).is_some_and(|(_, end)| now <= end)
    }

    /// Whether it issued a certificate, by the names in both (RFC 5280 §4.1.2.4): each has a name of its own.
    #[must_use]
    pub fn issued(&self, certificate: &[u8]) -> bool {
        let own = X509Certificate::from_der(&self.certificate);
        let other = X509Certificate::from_der(certificate);
        own.is_ok_and(|(_, own)| other.is_ok_and(|(_, other)| other.issuer().as_raw() == own.subject().as_raw()))
    }
}

impl Register {
    /// The issuing CAs of a purpose, the newest last.
    #[must_use]
    pub fn issuing(&self, purpose: CaCertificateUse) -> Vec<Issuing> {
        let certificates = self.authority_certificates(purpose).enumerate();
        let issuing = certificates.map(|(index, certificate)| Issuing {
            certificate: certificate.to_vec(),
            number: index + 1,
        });
        issuing.collect()
    }

    /// The issuing CA of a purpose that issued `certificate`: what completes its path.
    #[must_use]
    pub fn issuer_of(&self, purpose: CaCertificateUse, certificate: &[u8]) -> Option<Vec<u8>> {
        let mut issuing = self.issuing(purpose).into_iter();
        issuing
            .find(|issuing| issuing.issued(certificate))
            .map(|issuing| issuing.certificate)
    }
}

impl Settings {
    /// The same, with the addresses of the agents' issuing CA `number`; those of the first are the house's.
    #[must_use]
    pub fn of_issuing(&self, number: usize) -> Self {
        Self {
            crl_url: numbered(&self.crl_url, number),
            issuer_url: numbered(&self.issuer_url, number),
            ..self.clone()
        }
    }

    /// Where the CRLs of the first `issuing` CAs are: what a bot's certificate may name.
    #[must_use]
    pub fn crl_urls(&self, issuing: usize) -> Vec<String> {
        (1..=issuing).map(|number| numbered(&self.crl_url, number)).collect()
    }
}

/// An address or file name as the `number`th has it: `/agents.crl`, `/agents-2.crl`.
#[must_use]
pub fn numbered(address: &str, number: usize) -> String {
    if number < 2 {
        return address.to_owned();
    }
    let name = address.rfind('/').map_or(0, |slash| slash + 1);
    match address[name..].rfind('.') {
        Some(dot) => format!("{}-{number}{}", &address[..name + dot], &address[name + dot..]),
        None => format!("{address}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_addresses_of_its_own() {
        for (address, second) in [
            ("http://status.example/agents.crl", "http://status.example/agents-2.crl"),
            ("http://status.example/crl", "http://status.example/crl-2"),
            ("http://status.example/v1.0/crl", "http://status.example/v1.0/crl-2"),
            ("/agents-issuing.cer", "/agents-issuing-2.cer"),
        ] {
            assert_eq!(numbered(address, 1), address);
            assert_eq!(numbered(address, 2), second);
        }
    }
}
