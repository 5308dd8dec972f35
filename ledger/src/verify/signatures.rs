//! Every signature of a person or a bot that the log rests on, verified again from the log alone (ARCHITECTURE §1: a stored record
//! "becomes a proof again only by re-checking its signatures").
//!
//! Officers: each `application.signed` and `officer.signed` under the certificate its officer held there, and each entry that needs
//! signatures (an approval, a baseline, a reinstatement, a review, a house setting, a token, an attested position) by the rules of §4 over
//! exactly what it says. Bots: the RFC 9421 signature of each order that says its signature was valid, from its sealed evidence.

use std::collections::HashMap;

use ca_core::{
    Event, Register,
    approval::{Question, check_signature, verify_approval},
    events::{ApplicationApproved, ApplicationSigned, OfficerSigned},
    register::Place,
};
use extensions::{Currency, Decimal, Digest, canonical};
use revocation_core::house::{Thresholds, ThresholdsSet};

use super::{
    Fold, Text,
    evidence::{Claim, Evidence},
};
use crate::append::CommittedEntry;

/// How many signatures were verified, and how many could not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Officers' signatures, each under the certificate held at its entry.
    pub officers: u64,
    /// Entries that needed officers' signatures and have enough, over exactly what they say.
    pub decisions: u64,
    /// Bots' signatures over orders.
    pub bots: u64,
    /// Bots' signatures whose evidence is erased: *erased, not checked*.
    pub bots_erased: u64,
    /// Bots' signatures whose evidence was left out of what was given: an export without texts.
    pub bots_left_out: u64,
}

/// The fold; give it to [`Options::fold`](super::Options::fold), alone or in an [`Audit`].
#[derive(Default)]
pub struct Signatures {
    register: Register,
    thresholds: Vec<(u64, Thresholds)>,
    certificates: HashMap<Digest, Claim>,
    pending: HashMap<u64, Evidence>,
    counts: Counts,
}

impl Signatures {
    /// What was verified so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn authority(&mut self, event: &Event, place: Place) -> Result<(), String> {
        match event {
            Event::ApplicationSigned(signed) => self.application_signed(signed, place)?,
            Event::OfficerSigned(signed) => self.proposal_signed(signed, place)?,
            _ => {}
        }
        self.register.apply(event, place);
        match event {
            Event::ApplicationApproved(approved) => self.approved(approved, place)?,
            Event::OfficerRegistered(registered) => {
                let officer = self.register.officer(&registered.officer);
                if officer.is_none_or(|officer| !officer.holds(&registered.key)) {
                    return Err(format!(
                        "its key is not the key of the certificate of {}",
                        registered.officer
                    ));
                }
            }
            Event::PasskeyAdded(added) => {
                let officer = self.register.officer(&added.officer);
                if officer.is_none_or(|officer| !officer.holds(&Digest::of(&added.spki.0))) {
                    return Err(format!(
                        "neither a one-time token nor a signature of {} stands behind this passkey",
                        added.officer
                    ));
                }
            }
            Event::CertificateIssued(issued) => {
                let claim = Claim::of(issued).ok_or("holds a certificate that does not read")?;
                self.certificates.insert(Digest::of(&issued.certificate.0), claim);
            }
            _ => {}
        }
        Ok(())
    }

    fn application_signed(&mut self, signed: &ApplicationSigned, place: Place) -> Result<(), String> {
        let mandate = self.register.mandate(&signed.mandate);
        let mandate = mandate.filter(|mandate| mandate.revision() == signed.revision);
        let mandate = mandate.ok_or("signs a revision that is not the one being asked for")?;
        let question = Question {
            document: mandate.document().digest(),
            nonce: mandate.nonce(),
            applicant: Some(mandate.applicant()),
            on_call: false,
        };
        let earlier: Vec<_> = mandate.signatures().iter().map(|signed| &signed.record).collect();
        check_signature(question, &signed.approval, place.position, &earlier, &self.register)
            .map_err(|fault| fault.to_string())?;
        self.counts.officers += 1;
        Ok(())
    }

    fn proposal_signed(&mut self, signed: &OfficerSigned, place: Place) -> Result<(), String> {
        let proposal = self.register.proposal(&signed.subject);
        let proposal = proposal.ok_or_else(|| format!("signs {}, which is no proposal", signed.subject))?;
        if place.at > proposal.expires_at() {
            return Err(format!("signs a proposal that lapsed at {}", proposal.expires_at()));
        }
        let question = Question {
            document: proposal.digest(),
            nonce: proposal.nonce(),
            applicant: None,
            on_call: proposal.is_answered_on_call(),
        };
        let earlier: Vec<_> = proposal.signatures().collect();
        check_signature(question, &signed.approval, place.position, &earlier, &self.register)
            .map_err(|fault| fault.to_string())?;
        self.counts.officers += 1;
        Ok(())
    }

    /// Every name and signature of an approval, by the thresholds that were in force.
    fn approved(&mut self, approved: &ApplicationApproved, place: Place) -> Result<(), String> {
        let mandate = self
            .register
            .mandate(&approved.mandate)
            .ok_or("approves no application")?;
        let revision = mandate
            .in_force()
            .filter(|revision| revision.number() == approved.revision);
        revision.ok_or("approves a revision that is not the one being asked for")?;
        let in_force = self.thresholds.iter().rev().find(|(from, _)| *from <= place.position);
        let threshold = |currency: &Currency, amount: Decimal| {
            in_force.map_or(2, |(_, thresholds)| thresholds.officers_for(currency, amount))
        };
        let proof = verify_approval(mandate, &self.register, &threshold).map_err(|error| error.to_string())?;
        if proof.digest() != approved.document {
            return Err(format!(
                "approves {}, the officers signed {}",
                approved.document,
                proof.digest()
            ));
        }
        self.counts.decisions += 1;
        Ok(())
    }
}

impl Fold for Signatures {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        let place = Place {
            position: entry.position,
            number: entry.number,
            at: entry.at,
        };
        let admitted = self.register.admits(&entry.kind, &entry.stream, entry.body(), place);
        self.counts.decisions += u64::from(admitted.map_err(|why| why.to_string())?);
        match &*entry.kind {
            "order.decided" => {
                if let Some(evidence) = Evidence::wanted(entry, &self.certificates)? {
                    self.pending.insert(entry.position, evidence);
                }
            }
            "house.thresholds_set" => {
                let set: ThresholdsSet = canonical::from_slice(entry.body()).map_err(|error| error.to_string())?;
                self.thresholds.push((entry.position, set.thresholds));
            }
            "position.attested" => self.counts.officers += 1,
            kind => {
                if let Some(event) = Event::decode(kind, entry.body()) {
                    self.authority(&event.map_err(|error| error.to_string())?, place)?;
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, position: u64, commitment: &Digest, text: &Text) -> Result<(), String> {
        let Some(evidence) = self
            .pending
            .get(&position)
            .filter(|one| one.commitment() == *commitment)
        else {
            return Ok(());
        };
        match text {
            Text::Open(text) => {
                evidence.check(&text.text)?;
                self.counts.bots += 1;
            }
            Text::Erased | Text::Wrong => self.counts.bots_erased += 1,
        }
        self.pending.remove(&position);
        Ok(())
    }

    fn settled(&mut self) {
        self.counts.bots_left_out += self.pending.len() as u64;
        self.pending.clear();
    }
}

/// What `mandatum verify` holds a log against besides its form: the agents' states, and every signature.
#[derive(Default)]
pub struct Audit {
    /// Folded states and their recorded digests.
    pub states: super::states::States,
    /// Officers' and bots' signatures.
    pub signatures: Signatures,
}

impl Fold for Audit {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        self.states.apply(entry)?;
        self.signatures.apply(entry)
    }

    fn text(&mut self, position: u64, commitment: &Digest, text: &Text) -> Result<(), String> {
        self.signatures.text(position, commitment, text)
    }

    fn settled(&mut self) {
        self.signatures.settled();
    }
}
