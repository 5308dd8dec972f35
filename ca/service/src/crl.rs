//! The agents' CRL: at each revocation, and again at half of its life.

use std::path::Path;

use ca_core::{events::CaCertificateUse, succession::Issuing};
use extensions::Timestamp;
use ledger::Append;
use revocation_core::crl::{CrlContent, SealedCrl, earlier_crl_file, prepare_crl, unrecorded_crl_file};

use crate::{
    CaError, CaService,
    files::write_whole,
    view::{LastCrl, View},
};

impl CaService {
    /// Publishes for each issuing CA in use of which something was revoked since the last CRL this process made, or whose last one is past
    /// half of its life or dated ahead.
    pub(crate) async fn publish_if_due(&self) -> Result<(), CaError> {
        let mut view = self.view.lock().await;
        view.catch_up(&self.ledger).await?;
        if view.register.house().is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        let due = |view: &View, issuing: &Issuing| {
            view.crls.get(&issuing.digest()).is_none_or(|last| {
                let half = last
                    .this_update
                    .plus_micros(last.next_update.micros_since(last.this_update) / 2);
                // One dated ahead was made by a clock that was wrong: nobody may use it before its thisUpdate comes.
                now >= half || now < last.this_update || last.takes_in < view.revocations
            })
        };
        self.publish_those(&mut view, now, &due).await.map(drop)
    }

    /// Publishes a new CRL of each issuing CA in use now; gives the newest CA's.
    ///
    /// # Errors
    /// When one does not pass its lints, a key fails, or the ledger does.
    pub async fn publish(&self) -> Result<SealedCrl, CaError> {
        let mut view = self.view.lock().await;
        view.catch_up(&self.ledger).await?;
        let now = self.clock.now();
        let published = self.publish_those(&mut view, now, &|_, _| true).await?;
        published.ok_or(CaError::NotFounded("issuing CA"))
    }

    /// One CA's failure is not another's: all are tried, then the first failure is told.
    async fn publish_those(
        &self,
        view: &mut View,
        now: Timestamp,
        due: &(dyn Fn(&View, &Issuing) -> bool + Sync),
    ) -> Result<Option<SealedCrl>, CaError> {
        let all = view.register.issuing(CaCertificateUse::AgentIssuing);
        let newest = all.last().map(|issuing| issuing.number);
        let (mut failed, mut published) = (None, None);
        for issuing in all {
            let newest = newest == Some(issuing.number);
            if (newest || issuing.is_in_use(now)) && due(view, &issuing) {
                match self.publish_under(view, now, &issuing, newest).await {
                    Ok(sealed) => published = Some(sealed),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        failed.map_or(Ok(published), Err)
    }

    async fn publish_under(
        &self,
        view: &mut View,
        now: Timestamp,
        issuing: &Issuing,
        newest: bool,
    ) -> Result<SealedCrl, CaError> {
        let (settings, issuer, signer) = self.authority(&view.register, issuing)?;
        let takes_in = view.revocations;
        let last = view.last_crl.map(|(number, ..)| number);
        let made = Timestamp::from_seconds(now.seconds());
        let life = self.config.crl_life_seconds;
        let mut entries = view.book.crl_entries_of(&issuing.digest(), now, life);
        // A stepped sandbox clock may have dated a revocation later than real time: a CRL may not.
        for entry in &mut entries {
            entry.revoked.at = entry.revoked.at.min(made);
        }
        let content = CrlContent {
            distribution_point: settings.crl_url.clone(),
            entries,
            next_update: made.plus_seconds(life),
            number: last.map_or(1, |last| last + 1),
            this_update: made,
        };
        let prepared = prepare_crl(content, issuer.certificate(), self.throwaway.as_ref(), last, now)?;
        let sealed = prepared.sign(signer.as_ref())?;
        let file = self.config.crl_file.as_ref().map(|file| {
            if newest {
                file.clone()
            } else {
                earlier_crl_file(file, issuing.number)
            }
        });
        write_before(&sealed, file.as_deref())?;
        let event = sealed.event().clone();
        let (number, this_update, next_update) = (event.number, event.this_update, event.next_update);
        let append = Append::next(event, now).with_id(format!("crl-{number}"));
        self.writer
            .append(append)
            .await
            .map_err(|error| CaError::Append(error.to_string()))?;
        view.last_crl = Some((number, this_update, next_update));
        let last = LastCrl {
            this_update,
            next_update,
            takes_in,
        };
        view.crls.insert(issuing.digest(), last);
        if let Some(path) = &file
            && let Err(error) = std::fs::rename(unrecorded_crl_file(path), path)
        {
            tracing::error!(path = %path.display(), %error, "the CRL was published but its file could not be put in place");
        }
        Ok(sealed)
    }
}

/// Writes the list beside its file, where it is found by the digest of the entry that follows. A list too long for its entry is
/// nowhere else, so then the entry waits for the file.
fn write_before(sealed: &SealedCrl, file: Option<&Path>) -> Result<(), CaError> {
    let recorded = sealed.event().list.is_some();
    let Some(path) = file.map(unrecorded_crl_file) else {
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
