//! What this role knows: the ledger folded up to a position, always caught up before it decides.

use std::collections::{BTreeMap, BTreeSet};

use ca_core::{
    Event, Register,
    events::CaCertificateUse,
    register::{MandateStatus, Place, Revision},
};
use extensions::{AgentId, Currency, Decimal, Digest, OwnerId, Serial, Timestamp};
use ledger::{CommittedEntry, Ledger, LedgerError};
use revocation_core::{
    HouseEvent, HouseState, JobEvent, RevocationReason, StandingEvent, StandingState,
    house::{HouseMode, Thresholds},
    standing::Standing,
    status::{Revoked, StatusBook},
};

/// Entries read at once.
const READ_AT_ONCE: usize = 1_024;

/// A CA's last CRL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastCrl {
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    /// The view's `revocations` that it takes in; none, unless this process made it.
    pub(crate) takes_in: u64,
}

#[derive(Default)]
pub(crate) struct View {
    pub(crate) register: Register,
    house: HouseState,
    /// Thresholds with the position from which they hold: an approval is judged by those in force when it was given.
    thresholds: Vec<(u64, Thresholds)>,
    standing: BTreeMap<AgentId, StandingState>,
    pub(crate) book: StatusBook,
    /// Number, thisUpdate and nextUpdate of the last CRL, whichever CA's: the numbers of all grow together.
    pub(crate) last_crl: Option<(u64, Timestamp, Timestamp)>,
    /// The last one of each issuing CA, by the SHA-256 of its certificate.
    pub(crate) crls: BTreeMap<Digest, LastCrl>,
    /// Keys of certificates that were revoked as compromised: never certified again, whoever asks.
    compromised: BTreeSet<Digest>,
    /// Raised by each entry that changes what a CRL says.
    pub(crate) revocations: u64,
    /// When the latest entry was recorded, by the ledger's clock.
    pub(crate) recorded: Option<Timestamp>,
    next: u64,
}

impl View {
    /// Reads on to the end of the log; gives the epoch that held there.
    pub(crate) async fn catch_up(&mut self, ledger: &Ledger) -> Result<u64, LedgerError> {
        loop {
            let head = ledger.head();
            while self.next < head.size {
                for entry in ledger.read_range(self.next, READ_AT_ONCE).await? {
                    self.apply(&entry);
                    self.next = entry.position + 1;
                }
            }
            if ledger.head().size == self.next {
                return Ok(head.epoch);
            }
        }
    }

    fn apply(&mut self, entry: &CommittedEntry) {
        self.recorded = self.recorded.max(Some(entry.recorded_at));
        let place = Place {
            position: entry.position,
            number: entry.number,
            at: entry.at,
        };
        if let Err(why) = self.register.admits(&entry.kind, &entry.stream, entry.body(), place) {
            tracing::error!(position = entry.position, kind = &*entry.kind, %why, "an entry that officers did not decide is not followed");
            return;
        }
        if let Some(event) = Event::decode(&entry.kind, entry.body()) {
            match event {
                Ok(event) => self.authority(&event, place),
                Err(error) => tracing::error!(position = entry.position, %error, "an entry does not decode"),
            }
        } else if let Some(Ok(event)) = StandingEvent::decode(&entry.kind, entry.body()) {
            self.standing_of(entry, &event);
        } else if let Some(Ok(event)) = HouseEvent::decode(&entry.kind, entry.body()) {
            self.house_decided(entry, &event);
        } else if let Some(Ok(JobEvent::CrlPublished(event))) = JobEvent::decode(&entry.kind, entry.body()) {
            self.last_crl = Some((event.number, event.this_update, event.next_update));
            let first = || {
                self.register
                    .authority_certificates(CaCertificateUse::AgentIssuing)
                    .next()
            };
            if let Some(issuer) = event.issuer.or_else(|| first().map(Digest::of)) {
                let known = self.crls.get(&issuer).map_or(0, |known| known.takes_in);
                let last = LastCrl {
                    this_update: event.this_update,
                    next_update: event.next_update,
                    takes_in: known,
                };
                self.crls.insert(issuer, last);
            }
        }
    }

    fn authority(&mut self, event: &Event, place: Place) {
        match event {
            Event::AgentRegistered(agent) => self.book.registered(agent.agent, agent.owner),
            Event::CertificateReserved(reserved) => {
                self.book
                    .reserved(reserved.serial, Some(reserved.agent), reserved.not_after);
                self.book.issued_by(&reserved.serial, reserved.issuer);
            }
            _ => {}
        }
        self.register.apply(event, place);
    }

    fn standing_of(&mut self, entry: &CommittedEntry, event: &StandingEvent) {
        let Ok(agent) = AgentId::new(entry.stream.name()) else {
            return;
        };
        // Also of an agent that is revoked already: its standing moves no further, its keys were lost all the same.
        self.remember_compromise(agent, event);
        if !self.standing.entry(agent).or_default().apply(event, entry.at) {
            return;
        }
        let revoked = |reason| Revoked { at: entry.at, reason };
        match event {
            StandingEvent::Revoked(event) => self.book.agent_revoked(agent, revoked(event.reason)),
            StandingEvent::CertificateRevoked(event) => {
                self.book
                    .certificate_revoked(event.serial, event.not_after, revoked(event.reason));
            }
            StandingEvent::Reinstated(_) | StandingEvent::ProbationStarted(_) => self.book.agent_reinstated(agent),
            _ => return,
        }
        self.revocations += 1;
    }

    fn remember_compromise(&mut self, agent: AgentId, event: &StandingEvent) {
        let lost: Option<Serial> = match event {
            StandingEvent::Revoked(event) if event.reason == RevocationReason::KeyCompromise => None,
            StandingEvent::CertificateRevoked(event) if event.reason == RevocationReason::KeyCompromise => {
                Some(event.serial)
            }
            _ => return,
        };
        let certificates = self.register.certificates_of(&agent);
        let keys = certificates.filter(|(serial, _)| lost.is_none_or(|lost| lost == **serial));
        self.compromised.extend(keys.map(|(_, facts)| facts.spki));
    }

    /// Whether a certificate with this key was ever revoked as compromised.
    pub(crate) fn is_compromised(&self, spki: &Digest) -> bool {
        self.compromised.contains(spki)
    }

    fn house_decided(&mut self, entry: &CommittedEntry, event: &HouseEvent) {
        if !self.house.apply(event) {
            return;
        }
        match event {
            HouseEvent::ThresholdsSet(event) => self.thresholds.push((entry.position, event.thresholds.clone())),
            HouseEvent::Revoked(event) => {
                let revoked = Revoked {
                    at: entry.at,
                    reason: event.reason,
                };
                self.book.house_revoked(event.scope, revoked);
                self.revocations += 1;
            }
            HouseEvent::Reinstated(event) => {
                self.book.house_reinstated(event.scope);
                self.revocations += 1;
            }
            _ => {}
        }
    }

    /// How many officers an amount took when a mandate was approved; two for every amount while no threshold was set.
    pub(crate) fn officers_at(&self, in_force: &Revision, currency: &Currency, amount: Decimal) -> usize {
        let at = match in_force.status() {
            MandateStatus::Approved { position, .. } => *position,
            _ => u64::MAX,
        };
        let in_force = self.thresholds.iter().rev().find(|(from, _)| *from <= at);
        in_force.map_or(2, |(_, thresholds)| thresholds.officers_for(currency, amount))
    }

    /// The last reinstatement that reaches the agent: certificates that begin earlier stay revoked.
    pub(crate) fn certificates_from(&self, agent: &AgentId, owner: &OwnerId) -> Option<Timestamp> {
        let own = self.standing.get(agent).and_then(StandingState::certificates_from);
        own.max(self.house.certificates_from(owner))
    }

    /// Whether a certificate may be issued under the mandate as far as probations go.
    pub(crate) fn is_open(&self, in_force: &Revision, now: Timestamp) -> bool {
        let standing = self.standing.get(in_force.agent());
        let probation = standing.and_then(|standing| standing.probation(now));
        in_force.is_open(probation.as_ref().map(|one| (&one.mandate, &one.document)))
    }

    /// The end of what a probation's mandate is good for, in real time.
    pub(crate) fn probation_ends(&self, in_force: &Revision) -> Option<Timestamp> {
        let hours = in_force.document().conduct.probation_hours?;
        let began = self.standing.get(in_force.agent())?.certificates_from()?;
        Some(began.plus_seconds(i64::from(hours) * 3_600))
    }

    /// Whether the agent, its owner or all are revoked: then nothing is issued.
    pub(crate) fn is_revoked(&self, agent: &AgentId, owner: &OwnerId, now: Timestamp) -> bool {
        let own = self
            .standing
            .get(agent)
            .is_some_and(|standing| standing.effective(now) == Standing::Revoked);
        own || self.house.mode_of(owner) == HouseMode::Revoked
    }
}
