//! Observing for longer: a bot whose baseline nobody signs yet goes on under its limits, its score recorded and not acted on, until a date that
//! officers sign with the reason. It is a revision of the bot's mandate like any other, in which nothing changes but that date.

use axum::{
    Extension,
    extract::{Path, State},
};
use ca_core::register::{Mandate, MandateStatus};
use extensions::{AgentId, MandateDocument, MandateId, Timestamp, mandate::Scoring};
use serde::Deserialize;

use super::{Answer, Body, By, applications, book, parse};
use crate::{Console, problem::Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Longer {
    /// The mandate that is observed for longer; when absent, the one the bot trades under.
    #[serde(default)]
    mandate: Option<MandateId>,
    /// Why, for those who sign; sealed, as the rationale of the change.
    reason: String,
    /// From this moment on the score acts.
    until: Timestamp,
}

/// Asks for it. The same rules as for any mandate say who signs.
pub(super) async fn extend(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<Longer>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let times = (console.clocks.decision.now(), console.clocks.real.now());
    let document = {
        let view = console.view().await?;
        let registered = view.register.agent(&agent);
        registered.ok_or_else(|| Problem::missing("such agent"))?;
        let found = match &body.mandate {
            Some(mandate) => view.register.mandate(mandate).filter(|one| *one.agent() == agent),
            None => book::in_force(&view, &agent, times),
        };
        let missing = || Problem::missing("mandate of this agent in force that could be observed for longer");
        extended(found.ok_or_else(missing)?, &body, times.1)?
    };
    applications::ask(&console, caller, document, &body.reason).await
}

/// The mandate in force with the later date.
fn extended(mandate: &Mandate, body: &Longer, now: Timestamp) -> Result<MandateDocument, Problem> {
    if *mandate.status() == MandateStatus::Pending && now < mandate.expires_at() {
        let detail = "a change of this mandate waits for its signatures: sign or refuse it first";
        return Err(Problem::conflict("PENDING", detail));
    }
    let in_force = mandate.in_force().filter(|revision| !revision.is_for_probation());
    let in_force = in_force.ok_or_else(|| Problem::missing("mandate for every day of this name in force"))?;
    let mut document = in_force.document().clone();
    let present = match document.conduct.scoring {
        Scoring::ObserveUntil(until) if until > now => until,
        _ => now,
    };
    if body.until <= present || body.until > document.expires {
        let detail = format!(
            "until is {}: choose a time behind {present} and not behind the mandate's end, {}",
            body.until, document.expires
        );
        return Err(Problem::bad("UNTIL", &detail));
    }
    document.conduct.scoring = Scoring::ObserveUntil(body.until);
    Ok(document)
}
