//! The agents' CRL: at each revocation, and again at half of its life.

use ca_core::events::CaCertificateUse;
use extensions::Timestamp;
use ledger::Append;
use revocation_core::crl::{CrlContent, SealedCrl, prepare_crl, unrecorded_crl_file};

use crate::{CaError, CaService, files::write_whole, view::View};

impl CaService {
    /// Publishes when something was revoked since the last CRL this process made, or when the last one is past half of its life
    /// or dated ahead.
    pub(crate) async fn publish_if_due(&self) -> Result<(), CaError> {
        let mut view = self.view.lock().await;
        view.catch_up(&self.ledger).await?;
        if view.register.house().is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        let old = view.last_crl.is_none_or(|(_, made, next)| {
            let half = made.plus_micros(next.micros_since(made) / 2);
            // One dated ahead was made by a clock that was wrong: nobody may use it before its thisUpdate comes.
            now >= half || now < made
        });
        if old || view.revocations > 0 {
            self.publish_under(&mut view, now).await?;
        }
        Ok(())
    }

    /// Publishes a new CRL now.
    ///
    /// # Errors
    /// When it does not pass its lints, the key fails, or the ledger does.
    pub async fn publish(&self) -> Result<SealedCrl, CaError> {
        let mut view = self.view.lock().await;
        view.catch_up(&self.ledger).await?;
        let now = self.clock.now();
        self.publish_under(&mut view, now).await
    }

    async fn publish_under(&self, view: &mut View, now: Timestamp) -> Result<SealedCrl, CaError> {
        let settings = Self::settings(&view.register)?;
        let issuer = Self::issuer(&view.register, &settings, CaCertificateUse::AgentIssuing)?;
        let seen = view.revocations;
        let last = view.last_crl.map(|(number, ..)| number);
        let made = Timestamp::from_seconds(now.seconds());
        let mut entries = view.book.crl_entries(now, self.config.crl_life_seconds);
        // A stepped sandbox clock may have dated a revocation later than real time: a CRL may not.
        for entry in &mut entries {
            entry.revoked.at = entry.revoked.at.min(made);
        }
        let content = CrlContent {
            distribution_point: settings.crl_url.clone(),
            entries,
            next_update: made.plus_seconds(self.config.crl_life_seconds),
            number: last.map_or(1, |last| last + 1),
            this_update: made,
        };
        let prepared = prepare_crl(content, issuer.certificate(), self.throwaway.as_ref(), last, now)?;
        let sealed = prepared.sign(self.keys.agent_issuing.as_ref())?;
        self.write_before(&sealed)?;
        let event = sealed.event().clone();
        let known = (event.number, event.this_update, event.next_update);
        let id = format!("crl-{}", event.number);
        let append = Append::next(event, now).with_id(id);
        self.writer
            .append(append)
            .await
            .map_err(|error| CaError::Append(error.to_string()))?;
        view.last_crl = Some(known);
        view.revocations -= seen;
        if let Some(path) = &self.config.crl_file
            && let Err(error) = std::fs::rename(unrecorded_crl_file(path), path)
        {
            tracing::error!(path = %path.display(), %error, "the CRL was published but its file could not be put in place");
        }
        Ok(sealed)
    }

    /// Writes the list beside its file, where it is found by the digest of the entry that follows. A list too long for its entry is
    /// nowhere else, so then the entry waits for the file.
    fn write_before(&self, sealed: &SealedCrl) -> Result<(), CaError> {
        let recorded = sealed.event().list.is_some();
        let Some(path) = self.config.crl_file.as_deref().map(unrecorded_crl_file) else {
            let long = || format!("a CRL of {} octets needs a file: set paths.crl", sealed.der().len());
            return if recorded {
                Ok(())
            } else {
                Err(CaError::Refused(long()))
            };
        };
        match write_whole(&path, sealed.der()) {
            Err(error) if !recorded => Err(CaError::Refused(format!(
                "a CRL of {} octets is not published before it is in {}: {error}",
                sealed.der().len(),
                path.display()
            ))),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the CRL could not be written to its file; its entry holds it");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
