//! An officer's certificate, from a used one-time token.

use ca_core::{
    csr::{self, InspectedCsr},
    events::{CaCertificateUse, OfficerRegistered, Role},
    profiles::Profile,
};
use extensions::{Base64, OfficerId, StreamId, StreamKind};
use ledger::{Append, AppendError};

use crate::{CaError, CaService, OfficerTask, house::Wanted, view::View};

/// How often a reservation is decided anew when others write in the same stream.
const MOST_CONFLICTS: usize = 8;

impl CaService {
    pub(crate) async fn officer_task(&self, payload: &str) -> Result<(), CaError> {
        let task: OfficerTask = serde_json::from_str(payload)
            .map_err(|error| CaError::Refused(format!("the task is unreadable: {error}")))?;
        for _ in 0..MOST_CONFLICTS {
            let mut view = self.view.lock().await;
            view.catch_up(&self.ledger).await?;
            let Some(asked) = asked(&view, &task)? else {
                return Ok(());
            };
            self.in_step_with(&view)?;
            let subject = asked.officer.to_string();
            let wanted = Wanted {
                profile: Profile::Officer { officer: asked.officer },
                subject: &subject,
                spki: asked.csr.spki(),
                life_seconds: self.config.officer_life_seconds,
                issuer: Self::newest(&view.register, CaCertificateUse::HouseIssuing)?,
            };
            let issued = self.certify(&mut view, &wanted).await?;
            // The token may have been used, or the officer have left, while this was signed: judged again, at the number it is appended at.
            let epoch = view.catch_up(&self.ledger).await?;
            if self::asked(&view, &task)? != Some(asked.clone()) {
                continue;
            }
            let event = OfficerRegistered {
                certificate: Base64(issued.certificate().to_vec()),
                key: issued.spki(),
                officer: asked.officer,
                roles: asked.roles,
                serial: issued.serial(),
                token: task.token,
            };
            let stream = StreamId::new(StreamKind::Officer, event.officer.as_str())
                .map_err(|error| CaError::Refused(error.to_string()))?;
            let number = self.ledger.stream_next(&stream);
            let append = Append::exactly(event, self.clock.now(), number, epoch);
            match self.writer.append(append).await {
                Ok(_) => return Ok(()),
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => return Err(CaError::Append(error.to_string())),
            }
        }
        Err(CaError::Append(format!(
            "lost {MOST_CONFLICTS} times to other writers of the officer's stream"
        )))
    }
}

/// What a used token asks for.
#[derive(Clone, PartialEq)]
struct Asked {
    officer: OfficerId,
    roles: Vec<Role>,
    csr: InspectedCsr,
}

/// The request of a token that was used once; `None` when its certificate was issued already.
fn asked(view: &View, task: &OfficerTask) -> Result<Option<Asked>, CaError> {
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
    if !register.may_certify(&csr.spki_digest(), &token.officer) {
        return Err(refused("this key is in use by somebody else"));
    }
    Ok(Some(Asked {
        officer: token.officer,
        roles: token.roles.clone(),
        csr,
    }))
}
