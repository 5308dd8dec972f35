//! The OCSP responder's certificate lives for days: it is made anew for the same key at half of its life.

use ca_core::{
    certificate::{life_of, spki_of},
    events::{CaCertificateInstalled, CaCertificateUse},
    issue::{BACKDATE_SECONDS, Particulars, prepare_house},
    profiles::Profile,
};
use ca_keys::SystemRandom;
use extensions::{Base64, Serial, StreamId, Timestamp};
use ledger::Append;

use crate::{CaError, CaService, ceremony::RESPONDER_LIFE_SECONDS};

impl CaService {
    /// Makes the next responder certificate when the current one is past half of its life. Whoever holds the responder's key takes it from
    /// the ledger.
    pub(crate) async fn renew_responder_if_due(&self) -> Result<(), CaError> {
        let mut view = self.view.lock().await;
        let epoch = view.catch_up(&self.ledger).await?;
        let Some(current) = view.register.authority_certificate(CaCertificateUse::OcspResponder) else {
            return Ok(());
        };
        let unreadable = || CaError::Refused("the responder's certificate is unreadable".to_owned());
        let (from, to) = life_of(current).ok_or_else(unreadable)?;
        let now = self.clock.now();
        if now < from.plus_micros(to.micros_since(from) / 2) {
            return Ok(());
        }
        let spki = spki_of(current).ok_or_else(unreadable)?;
        let settings = Self::settings(&view.register)?;
        let issuer = Self::issuer(&view.register, &settings, CaCertificateUse::AgentIssuing)?;
        let wanted = Timestamp::from_seconds(now.seconds()).plus_seconds(RESPONDER_LIFE_SECONDS - BACKDATE_SECONDS);
        let particulars = Particulars {
            settings: &settings,
            spki: &spki,
            serial: Serial::draw(self.config.instance, &mut SystemRandom::new()),
            not_before: Timestamp::from_seconds(now.seconds() - BACKDATE_SECONDS).max(issuer.not_before()),
            not_after: wanted.min(issuer.not_after()),
        };
        let profile = Profile::OcspResponder {
            name: "OCSP responder 1".to_owned(),
        };
        let prepared = prepare_house(&profile, particulars, Some(&issuer), self.throwaway.as_ref())?;
        let issued = prepared.sign(self.keys.agent_issuing.as_ref())?.seal()?;
        let event = CaCertificateInstalled {
            certificate: Base64(issued.certificate().to_vec()),
            purpose: CaCertificateUse::OcspResponder,
        };
        let number = self.ledger.stream_next(&StreamId::house());
        let append = Append::exactly(event, now, number, epoch).serial(issued.serial());
        self.writer
            .append(append)
            .await
            .map(drop)
            .map_err(|error| CaError::Append(error.to_string()))
    }
}
