//! An officer's certificate, from a used one-time token.

use ca_core::{
    csr,
    events::{CaCertificateUse, OfficerRegistered},
    issue::{BACKDATE_SECONDS, Particulars, prepare_house},
    profiles::Profile,
};
use ca_keys::SystemRandom;
use extensions::{Base64, Serial, StreamId, StreamKind, Timestamp};
use ledger::{Append, AppendError};

use crate::{CaError, CaService, OfficerTask};

/// How often a reservation is decided anew when others write in the same stream.
const MOST_CONFLICTS: usize = 8;

impl CaService {
    pub(crate) async fn officer_task(&self, payload: &str) -> Result<(), CaError> {
        let task: OfficerTask = serde_json::from_str(payload)
            .map_err(|error| CaError::Refused(format!("the task is unreadable: {error}")))?;
        for _ in 0..MOST_CONFLICTS {
            let mut view = self.view.lock().await;
            let epoch = view.catch_up(&self.ledger).await?;
            let Some(event) = self.officer_certificate(&view, &task)? else {
                return Ok(());
            };
            let stream = StreamId::new(StreamKind::Officer, event.officer.as_str())
                .map_err(|error| CaError::Refused(error.to_string()))?;
            let number = self.ledger.stream_next(&stream);
            let serial = event.serial;
            let append = Append::exactly(event, self.clock.now(), number, epoch).serial(serial);
            match self.writer.append(append).await {
                Ok(_) => return Ok(()),
                Err(AppendError::Conflict { .. } | AppendError::SerialTaken { .. }) => {}
                Err(error) => return Err(CaError::Append(error.to_string())),
            }
        }
        Err(CaError::Append(format!(
            "lost {MOST_CONFLICTS} times to other writers of the officer's stream"
        )))
    }

    /// The certificate for a token that was used once; `None` when it was issued already.
    fn officer_certificate(
        &self,
        view: &crate::view::View,
        task: &OfficerTask,
    ) -> Result<Option<OfficerRegistered>, CaError> {
        let register = &view.register;
        let refused = |reason: &str| CaError::Refused(reason.to_owned());
        let token = register
            .officer_token(&task.token)
            .ok_or_else(|| refused("no such token"))?;
        if token.used {
            return Ok(None);
        }
        let request = token
            .request
            .as_ref()
            .ok_or_else(|| refused("the token was not used"))?;
        let csr = csr::inspect(request)?;
        let spki = csr.spki_digest();
        let taken = register
            .officers()
            .any(|officer| officer.id() != &token.officer && officer.key(&spki).is_some());
        if taken || register.agent_of_key(&spki).is_some() {
            return Err(refused("this key is in use by somebody else"));
        }
        let settings = Self::settings(register)?;
        let issuer = Self::issuer(register, &settings, CaCertificateUse::HouseIssuing)?;
        let now = self.clock.now();
        let wanted = Timestamp::from_seconds(now.seconds()).plus_seconds(self.config.officer_life_seconds);
        let particulars = Particulars {
            settings: &settings,
            spki: csr.spki(),
            serial: Serial::draw(self.config.instance, &mut SystemRandom::new()),
            not_before: Timestamp::from_seconds(now.seconds() - BACKDATE_SECONDS).max(issuer.not_before()),
            not_after: wanted.min(issuer.not_after()),
        };
        let profile = Profile::Officer { officer: token.officer };
        let prepared = prepare_house(&profile, particulars, Some(&issuer), self.throwaway.as_ref())?;
        let issued = prepared.sign(self.keys.house_issuing.as_ref())?.seal()?;
        Ok(Some(OfficerRegistered {
            certificate: Base64(issued.certificate().to_vec()),
            key: issued.spki(),
            officer: token.officer,
            roles: token.roles.clone(),
            serial: issued.serial(),
            token: task.token,
        }))
    }
}
