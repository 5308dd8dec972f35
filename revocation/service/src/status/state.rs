//! What is known, folded from the ledger: the book of statuses, the served CRL, the authority's certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use ca_core::events::{CaCertificateUse, Event as CaEvent};
use ca_core::register::{Held, Place};
use ca_core::succession::Issuing;
use extensions::{Digest, Serial, Timestamp};
use ledger::CommittedEntry;
use revocation_core::crl::{accept_crl, listed_serials};
use revocation_core::house::HouseEvent;
use revocation_core::jobs::{CrlPublished, JobEvent};
use revocation_core::standing::StandingEvent;
use revocation_core::status::{CertificateStatus, Revoked, StatusBook};

use super::hooks::Hooks;
use crate::webhook::Signed;

/// What the entries folded since the last look ask for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// A CRL that lacks a revoked certificate is being served.
    pub crl_due: bool,
    /// A CRL was recorded without its bytes: they must be fetched by this digest.
    pub crl_wanted: Option<Digest>,
    /// Officers signed another subscription to webhooks, or the end of one.
    pub webhooks: bool,
}

/// The CRL being served.
#[derive(Debug, Clone)]
pub(crate) struct ServedCrl {
    pub(crate) der: Bytes,
    pub(crate) event: CrlPublished,
    listed: BTreeSet<Serial>,
}

/// Where the house says its lists and certificates are to be found: the paths of the URLs in the certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The CRL's.
    pub crl: String,
    /// The issuing CA certificate's.
    pub issuer: String,
    /// OCSP's.
    pub ocsp: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            crl: "/agents.crl".to_owned(),
            issuer: "/agents-issuing.cer".to_owned(),
            ocsp: "/ocsp".to_owned(),
        }
    }
}

fn path_of(url: &str, otherwise: String) -> String {
    let path = url.parse::<hyper::Uri>().ok().map(|uri| uri.path().to_owned());
    path.filter(|path| path.len() > 1).unwrap_or(otherwise)
}

#[derive(Default)]
struct Inner {
    book: StatusBook,
    /// What officers decided, by their signatures in the log.
    held: Held,
    certificates: BTreeMap<CaCertificateUse, Vec<Bytes>>,
    /// Each list by the number of its CA, from 1; likewise those whose bytes have not come yet.
    crls: BTreeMap<usize, ServedCrl>,
    pending: BTreeMap<usize, CrlPublished>,
    paths: Paths,
    folded_to: u64,
    hooks: Hooks,
    /// Whether a served list lacked a certificate when last looked at, and under which generation and newest list that was.
    lacks: Option<(u64, Option<u64>, bool)>,
}

/// The state of the status service. Readers take short locks; one follower writes.
#[derive(Default)]
pub struct StatusState {
    inner: RwLock<Inner>,
}

/// How the status service is doing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// Certificates known.
    pub certificates: usize,
    /// Seconds until the served CRL's nextUpdate; negative when it has passed, none without a CRL.
    pub crl_next_update_seconds: Option<i64>,
    /// The served CRL's number.
    pub crl_number: Option<u64>,
    /// The ledger position that was folded to.
    pub folded_to: u64,
    /// In words, what is wrong; empty when all is well.
    pub reasons: Vec<String>,
}

impl StatusState {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Folds committed entries. Revocations are dated by `recorded_at`, real time as `now` is, and never later than it.
    pub fn fold(&self, entries: &[std::sync::Arc<CommittedEntry>], now: Timestamp) -> Changed {
        let mut inner = self.write();
        for entry in entries
            .iter()
            .filter(|entry| entry.position >= inner.folded_to)
            .collect::<Vec<_>>()
        {
            inner.fold_one(entry, now);
            inner.folded_to = entry.position + 1;
        }
        Changed {
            crl_due: inner.crl_lacks(now),
            crl_wanted: inner.wanted(),
            webhooks: inner.hooks.moved(),
        }
    }

    /// The digest of a CRL that was recorded without its bytes and has not come yet.
    #[must_use]
    pub fn crl_wanted(&self) -> Option<Digest> {
        self.read().wanted()
    }

    /// Hands over the bytes of a CRL that was recorded without them.
    pub fn provide_crl(&self, der: Vec<u8>) {
        let mut inner = self.write();
        let digest = Digest::of(&der);
        let of = inner.pending.iter().find(|(_, event)| event.digest == digest);
        if let Some(event) = of
            .map(|(number, _)| *number)
            .and_then(|number| inner.pending.remove(&number))
        {
            inner.serve(event, der);
        }
    }

    /// The subscriptions to webhooks that officers signed.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Signed> {
        self.read().hooks.current()
    }

    /// The status of a certificate.
    #[must_use]
    pub fn status(&self, serial: &Serial) -> CertificateStatus {
        self.read().book.status(serial)
    }

    /// The status of a certificate when it is asked for under a CA's name, by the SHA-256 of that CA's certificate.
    #[must_use]
    pub fn status_under(&self, issuer: &Digest, serial: &Serial) -> CertificateStatus {
        self.read().book.status_under(issuer, serial)
    }

    /// The book's generation: replies made under another are stale.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.read().book.generation()
    }

    /// The newest certificate of the authority for a purpose, DER.
    #[must_use]
    pub fn certificate(&self, purpose: CaCertificateUse) -> Option<Bytes> {
        self.read().certificates.get(&purpose)?.last().cloned()
    }

    /// All of them, the newest last.
    #[must_use]
    pub fn certificates(&self, purpose: CaCertificateUse) -> Vec<Bytes> {
        self.read().certificates.get(&purpose).cloned().unwrap_or_default()
    }

    /// Every CA certificate (not the OCSP responder's), DER.
    #[must_use]
    pub fn ca_certificates(&self) -> Vec<Bytes> {
        let inner = self.read();
        let of_cas = inner
            .certificates
            .iter()
            .filter(|(purpose, _)| **purpose != CaCertificateUse::OcspResponder);
        of_cas.flat_map(|(_, certificates)| certificates.clone()).collect()
    }

    /// Where the certificates say things are to be found.
    #[must_use]
    pub fn paths(&self) -> Paths {
        self.read().paths.clone()
    }

    /// The list of the agents' issuing CA number `number`.
    pub(crate) fn crl(&self, number: usize) -> Option<ServedCrl> {
        self.read().crls.get(&number).cloned()
    }

    /// The record of the newest CRL being served.
    #[must_use]
    pub fn crl_record(&self) -> Option<CrlPublished> {
        self.read().newest().cloned()
    }

    /// Whether a CRL must be asked for now: a CA in use has none, one lacks a certificate, half its life is over, or it
    /// is dated ahead, by a clock that was wrong.
    #[must_use]
    pub fn crl_due(&self, now: Timestamp) -> bool {
        let mut inner = self.write();
        inner.crl_lacks(now)
            || inner.in_use(now).iter().any(|issuing| {
                inner.crls.get(&issuing.number).is_none_or(|crl| {
                    let life = crl.event.next_update.micros_since(crl.event.this_update);
                    now.micros_since(crl.event.this_update) >= life / 2 || now < crl.event.this_update
                })
            })
    }

    /// Forgets certificates that ended long ago.
    pub fn forget(&self, now: Timestamp) {
        self.write().book.forget(now);
    }

    /// How it is doing. `crl_alarm_seconds` before nextUpdate the alarm is raised.
    #[must_use]
    pub fn health(&self, now: Timestamp, crl_alarm_seconds: i64) -> Health {
        let inner = self.read();
        let in_use = inner.in_use(now);
        let mut served = in_use.iter().filter_map(|issuing| inner.crls.get(&issuing.number));
        let first = if served.clone().count() == in_use.len() {
            served.clone().map(|crl| crl.event.next_update).min()
        } else {
            None
        };
        let newest = served.next_back().map(|crl| crl.event.number);
        let left = first.map(|first| first.micros_since(now).div_euclid(1_000_000));
        let mut reasons = Vec::new();
        match left {
            None => reasons.push("a CA in use has published no CRL yet".to_owned()),
            Some(left) if left < crl_alarm_seconds => {
                reasons.push(format!(
                    "the CRL's nextUpdate is {left} s away; the alarm is at {crl_alarm_seconds} s"
                ));
            }
            Some(_) => {}
        }
        Health {
            certificates: inner.book.len(),
            crl_next_update_seconds: left,
            crl_number: newest,
            folded_to: inner.folded_to,
            reasons,
        }
    }
}

impl Inner {
    fn fold_one(&mut self, entry: &CommittedEntry, now: Timestamp) {
        let (kind, body, at) = (&*entry.kind, entry.body(), entry.recorded_at.min(now));
        let place = Place {
            position: entry.position,
            number: entry.number,
            at: entry.at,
        };
        if let Err(why) = self.held.fold(kind, &entry.stream, body, place) {
            tracing::error!(position = entry.position, kind, %why, "an entry that officers did not decide is not obeyed");
            return;
        }
        self.hooks.fold(kind, body, entry.position);
        if let Some(event) = StandingEvent::decode(kind, body) {
            match event {
                Ok(event) => self.fold_standing(event, at),
                Err(error) => tracing::error!(position = entry.position, kind, %error, "unreadable entry"),
            }
        } else if let Some(event) = HouseEvent::decode(kind, body) {
            match event {
                Ok(event) => self.fold_house(event, at),
                Err(error) => tracing::error!(position = entry.position, kind, %error, "unreadable entry"),
            }
        } else if let Some(event) = CaEvent::decode(kind, body) {
            match event {
                Ok(event) => self.fold_authority(event),
                Err(error) => tracing::error!(position = entry.position, kind, %error, "unreadable entry"),
            }
        } else if let Some(Ok(JobEvent::CrlPublished(mut event))) = JobEvent::decode(kind, body) {
            match event.list.take() {
                Some(list) => self.serve(event, list.0),
                None => {
                    if let Some(number) = self.number_of(&event) {
                        self.pending.insert(number, event);
                    }
                }
            }
        }
    }

    fn fold_standing(&mut self, event: StandingEvent, at: Timestamp) {
        match event {
            StandingEvent::Revoked(event) => {
                let reason = event.reason;
                self.book.agent_revoked(event.agent, Revoked { at, reason });
            }
            StandingEvent::CertificateRevoked(event) => {
                let reason = event.reason;
                self.book
                    .certificate_revoked(event.serial, event.not_after, Revoked { at, reason });
            }
            StandingEvent::Reinstated(event) => self.book.agent_reinstated(event.agent),
            StandingEvent::ProbationStarted(event) => self.book.agent_reinstated(event.agent),
            _ => {}
        }
    }

    fn fold_house(&mut self, event: HouseEvent, at: Timestamp) {
        match event {
            HouseEvent::Revoked(event) => {
                let reason = event.reason;
                self.book.house_revoked(event.scope, Revoked { at, reason });
            }
            HouseEvent::Reinstated(event) => self.book.house_reinstated(event.scope),
            _ => {}
        }
    }

    fn fold_authority(&mut self, event: CaEvent) {
        match event {
            CaEvent::AgentRegistered(event) => self.book.registered(event.agent, event.owner),
            CaEvent::CertificateReserved(event) => {
                self.book.reserved(event.serial, Some(event.agent), event.not_after);
                self.book.issued_by(&event.serial, event.issuer);
            }
            CaEvent::HouseFounded(event) => {
                let otherwise = Paths::default();
                self.paths = Paths {
                    crl: path_of(&event.crl_url, otherwise.crl),
                    issuer: path_of(&event.issuer_url, otherwise.issuer),
                    ocsp: path_of(&event.ocsp_url, otherwise.ocsp),
                };
            }
            CaEvent::CaCertificateInstalled(event) => {
                let installed = self.certificates.entry(event.purpose).or_default();
                installed.push(event.certificate.0.into());
                self.lacks = None;
            }
            _ => {}
        }
    }

    /// The agents' issuing CAs whose certificates may still be in use, the newest last; the newest always, so that its absence shows.
    fn in_use(&self, now: Timestamp) -> Vec<Issuing> {
        let all = self.certificates.get(&CaCertificateUse::AgentIssuing);
        let issuing = all
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, certificate)| Issuing {
                certificate: certificate.to_vec(),
                number: index + 1,
            });
        let mut issuing: Vec<Issuing> = issuing.collect();
        let newest = issuing.pop();
        issuing.retain(|issuing| issuing.is_in_use(now));
        issuing.extend(newest);
        issuing
    }

    fn wanted(&self) -> Option<Digest> {
        self.pending.values().next().map(|event| event.digest)
    }

    fn newest(&self) -> Option<&CrlPublished> {
        self.crls
            .values()
            .map(|crl| &crl.event)
            .max_by_key(|event| event.number)
    }

    /// Whose list it is.
    fn number_of(&self, event: &CrlPublished) -> Option<usize> {
        let all = self.certificates.get(&CaCertificateUse::AgentIssuing)?;
        match event.issuer {
            None => Some(1),
            Some(issuer) => all
                .iter()
                .position(|known| Digest::of(known) == issuer)
                .map(|index| index + 1),
        }
    }

    /// Serves a recorded CRL, unless it is not the CA's or its number goes back; then the old one stays.
    fn serve(&mut self, event: CrlPublished, der: Vec<u8>) {
        let number = self.number_of(&event);
        let all = self.certificates.get(&CaCertificateUse::AgentIssuing);
        let issuer = number.and_then(|number| all?.get(number - 1));
        let Some((number, issuer)) = number.zip(issuer) else {
            tracing::error!(number = event.number, "a CRL of a CA that is not on record; not served");
            return;
        };
        let served = self.crls.get(&number).map(|crl| crl.event.number);
        match accept_crl(&event, &der, issuer, served) {
            Ok(()) => {
                let listed = listed_serials(&der).unwrap_or_default();
                let der = der.into();
                // One that never came is wanted no more once a later one is served.
                if self
                    .pending
                    .get(&number)
                    .is_some_and(|pending| pending.number <= event.number)
                {
                    self.pending.remove(&number);
                }
                self.crls.insert(number, ServedCrl { der, event, listed });
            }
            Err(refusal) => tracing::error!(number = event.number, %refusal, "a CRL is not served"),
        }
    }

    /// Whether a certificate that belongs on a list is not on it. Looked at only when book or lists have changed, since every
    /// batch of orders comes by here.
    fn crl_lacks(&mut self, now: Timestamp) -> bool {
        let seen = (self.book.generation(), self.newest().map(|event| event.number));
        match self.lacks {
            Some((generation, number, lacks)) if (generation, number) == seen => lacks,
            _ => {
                let in_use = self.in_use(now);
                let lacks = in_use.is_empty() || in_use.iter().any(|issuing| self.lacks_one(issuing, now));
                self.lacks = Some((seen.0, seen.1, lacks));
                lacks
            }
        }
    }

    fn lacks_one(&self, issuing: &Issuing, now: Timestamp) -> bool {
        self.crls.get(&issuing.number).is_none_or(|crl| {
            let entries = self.book.crl_entries_of(&issuing.digest(), now, 0);
            entries.iter().any(|entry| !crl.listed.contains(&entry.serial))
        })
    }
}
