//! Certificates of the house's own: officers', listeners', the OCSP responder's. As with bots' certificates the serial is recorded first;
//! whatever fails after that, it is spent, and the next attempt reserves another.

use ca_core::{
    certificate::{life_of, server_names_of, spki_of},
    events::{CaCertificateInstalled, CaCertificateUse, ServerCertified},
    issue::{BACKDATE_SECONDS, Issued, IssuingCa, Particulars, house_reservation, prepare_house},
    profiles::{Profile, Settings},
    succession::Issuing,
};
use ca_keys::SystemRandom;
use extensions::{Base64, Record, Serial, StreamId, Timestamp};
use ledger::{Append, AppendError};

use crate::{
    CaError, CaService,
    ceremony::{RESPONDER_LIFE_SECONDS, SERVER_LIFE_SECONDS},
    view::View,
};

/// How often a reservation is decided anew when others write in the house's stream.
const MOST_CONFLICTS: usize = 8;

/// What is wanted.
pub(crate) struct Wanted<'a> {
    pub(crate) profile: Profile,
    pub(crate) subject: &'a str,
    pub(crate) spki: &'a [u8],
    pub(crate) life_seconds: i64,
    pub(crate) issuer: Issuing,
}

impl CaService {
    /// Prepares, reserves, signs and checks a certificate; what becomes of it is the caller's to record. The view is held all the while.
    pub(crate) async fn certify(&self, view: &mut View, wanted: &Wanted<'_>) -> Result<Issued, CaError> {
        for _ in 0..MOST_CONFLICTS {
            let epoch = view.catch_up(&self.ledger).await?;
            let now = self.clock.now();
            let (settings, issuer, signer) = self.authority(&view.register, &wanted.issuer)?;
            let particulars = self.particulars(&settings, &issuer, wanted, now);
            let prepared = prepare_house(&wanted.profile, particulars, Some(&issuer), self.throwaway.as_ref())?;
            let number = self.ledger.stream_next(&StreamId::house());
            let reserved = house_reservation(&prepared, wanted.subject);
            let append = Append::exactly(reserved, now, number, epoch).serial(prepared.serial());
            match self.writer.append(append).await {
                Ok(_) => return Ok(prepared.sign(signer.as_ref())?.seal()?),
                Err(AppendError::Conflict { .. } | AppendError::SerialTaken { .. }) => {}
                Err(error) => return Err(CaError::Append(error.to_string())),
            }
        }
        Err(CaError::Append(format!(
            "lost {MOST_CONFLICTS} times to other writers of the house's stream"
        )))
    }

    fn particulars<'a>(
        &self,
        settings: &'a Settings,
        issuer: &IssuingCa,
        wanted: &Wanted<'a>,
        now: Timestamp,
    ) -> Particulars<'a> {
        let begin = Timestamp::from_seconds(now.seconds());
        Particulars {
            settings,
            spki: wanted.spki,
            serial: Serial::draw(self.config.instance, &mut SystemRandom::new()),
            not_before: begin.plus_seconds(-BACKDATE_SECONDS).max(issuer.not_before()),
            not_after: begin.plus_seconds(wanted.life_seconds).min(issuer.not_after()),
        }
    }

    /// Makes the next OCSP responder's certificate, for the same key, for each issuing CA in use that has none, or whose current one is
    /// past half of its life. Whoever holds the key takes it from the ledger.
    pub(crate) async fn renew_responder_if_due(&self) -> Result<(), CaError> {
        let mut view = self.view.lock().await;
        view.catch_up(&self.ledger).await?;
        let responders = view.register.authority_certificates(CaCertificateUse::OcspResponder);
        let responders: Vec<Vec<u8>> = responders.map(<[u8]>::to_vec).collect();
        let Some(newest) = responders.last() else {
            return Ok(());
        };
        let unreadable = || CaError::Refused("the responder's certificate is unreadable".to_owned());
        let spki = spki_of(newest).ok_or_else(unreadable)?;
        let now = self.clock.now();
        for issuing in view.register.issuing(CaCertificateUse::AgentIssuing) {
            let current = responders.iter().rev().find(|responder| issuing.issued(responder));
            let old = current.is_none_or(|current| due(current, now) != Some(false));
            if !old || !issuing.is_in_use(now) {
                continue;
            }
            let wanted = Wanted {
                profile: Profile::OcspResponder {
                    name: RESPONDER.to_owned(),
                },
                subject: RESPONDER,
                spki: &spki,
                life_seconds: RESPONDER_LIFE_SECONDS - BACKDATE_SECONDS,
                issuer: issuing,
            };
            let issued = self.certify(&mut view, &wanted).await?;
            let event = CaCertificateInstalled {
                certificate: Base64(issued.certificate().to_vec()),
                purpose: CaCertificateUse::OcspResponder,
            };
            self.released(event, &issued).await?;
        }
        Ok(())
    }

    /// Makes the next certificate of each listener whose current one is past half of its life: for the same key and the same names, from
    /// the house's issuing CA. The listeners take it from the ledger, for handshakes to come.
    pub(crate) async fn renew_servers_if_due(&self) -> Result<(), CaError> {
        let mut view = self.view.lock().await;
        view.catch_up(&self.ledger).await?;
        let now = self.clock.now();
        let old = |(_, current): &(&str, &[u8])| due(current, now) != Some(false);
        let servers = view.register.servers().filter(old);
        let servers: Vec<_> = servers
            .map(|(name, current)| (name.to_owned(), current.to_vec()))
            .collect();
        for (server, current) in servers {
            let unreadable = || CaError::Refused(format!("the certificate of the listener {server} is unreadable"));
            let (hosts, addresses) = server_names_of(&current).ok_or_else(unreadable)?;
            let wanted = Wanted {
                profile: Profile::Server {
                    name: server.clone(),
                    hosts,
                    addresses,
                },
                subject: &server,
                spki: &spki_of(&current).ok_or_else(unreadable)?,
                life_seconds: SERVER_LIFE_SECONDS,
                issuer: Self::newest(&view.register, CaCertificateUse::HouseIssuing)?,
            };
            let issued = self.certify(&mut view, &wanted).await?;
            tracing::info!(server, until = %issued.life().1, "a listener's certificate was renewed");
            let event = ServerCertified {
                certificate: Base64(issued.certificate().to_vec()),
                server: server.clone(),
            };
            self.released(event, &issued).await?;
        }
        Ok(())
    }

    async fn released(&self, event: impl Record + Send + 'static, issued: &Issued) -> Result<(), CaError> {
        let append = Append::next(event, self.clock.now()).with_id(format!("released-{}", issued.serial()));
        let recorded = self.writer.append(append).await;
        recorded.map(drop).map_err(|error| CaError::Append(error.to_string()))
    }
}

const RESPONDER: &str = "OCSP responder 1";

/// Whether a certificate is past half of its life at `now`, or dated ahead of it: made by a clock that was wrong.
fn due(certificate: &[u8], now: Timestamp) -> Option<bool> {
    let (from, to) = life_of(certificate)?;
    let half = from.plus_micros(to.micros_since(from) / 2);
    Some(now >= half || now < from)
}
