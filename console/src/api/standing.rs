//! Standing of one agent: freeze, reduce only, resume, revoke, reinstate, and the answer to a warning.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use extensions::{AgentId, Digest, IncidentId, Timestamp};
use revocation_core::{
    Actor, RevocationReason,
    incident::{IncidentCause, IncidentOpened},
    standing::{AgentFrozen, AgentReduceOnly, AgentResumed, AgentRevoked, Move, Standing},
    warning::{WarningClosed, WarningEnd},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, agents::standing_shown, parse, proposals};
use crate::{
    Console,
    access::Caller,
    problem::Problem,
    record::{Draft, acted, place, random_bytes},
    view::View,
};

/// Why, in words; and for a revocation the code that CRL and OCSP carry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActBody {
    pub(super) reason: String,
    #[serde(default)]
    revocation_reason: Option<RevocationReason>,
}

impl ActBody {
    /// The code; behaviour, when none is given.
    pub(super) fn code(&self) -> RevocationReason {
        self.revocation_reason.unwrap_or(RevocationReason::PrivilegeWithdrawn)
    }

    /// No code where nothing is revoked.
    pub(super) fn without_code(&self) -> Result<(), Problem> {
        match self.revocation_reason {
            None => Ok(()),
            Some(_) => Err(Problem::bad("BODY", "revocation_reason: only a revocation carries one")),
        }
    }
}

pub(super) fn new_incident() -> Result<IncidentId, Problem> {
    let text = Digest(random_bytes()).to_string();
    parse("INCIDENT", &format!("inc-{}", text.get(..24).unwrap_or(&text)))
}

fn known(view: &View, agent: &AgentId) -> Result<(), Problem> {
    view.register
        .agent(agent)
        .map(drop)
        .ok_or_else(|| Problem::missing("such agent"))
}

/// Whether the move is in the table now.
fn allowed(view: &View, agent: &AgentId, wanted: Move, now: Timestamp) -> Result<(), Problem> {
    known(view, agent)?;
    let standing = view.standing_of(agent);
    if standing.permits(wanted, now) {
        return Ok(());
    }
    let detail = format!(
        "{agent} is {}: from there {} is not possible",
        standing_shown(standing.effective(now))["state"].as_str().unwrap_or("?"),
        format!("{wanted:?}").to_ascii_lowercase()
    );
    Err(Problem::conflict("STANDING", &detail))
}

pub(super) fn answered(recorded: &ledger::Recorded<crate::record::AnyRecord>) -> Value {
    json!({"already": false, "entry": place(recorded)})
}

pub(super) async fn freeze(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    body.without_code()?;
    let now = console.clocks.decision.now();
    {
        let view = console.view().await?;
        known(&view, &agent)?;
        if view.standing_of(&agent).effective(now) == Standing::Frozen {
            return Ok(Json(json!({"already": true})));
        }
        allowed(&view, &agent, Move::Freeze, now)?;
    }
    let by = Actor::Officer(caller.officer);
    let reason = acted(
        caller.officer,
        AgentFrozen::KIND,
        &format!("agent/{agent}"),
        &body.reason,
    )?;
    let draft = Draft::new(AgentFrozen { agent, by }, now).also(reason);
    Ok(Json(answered(&console.narrow(draft, None).await?)))
}

pub(super) async fn reduce_only(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    body.without_code()?;
    let by = Actor::Officer(caller.officer);
    let kind = AgentReduceOnly::KIND;
    let now = console.clocks.decision.now();
    let narrows = {
        let view = console.view().await?;
        known(&view, &agent)?;
        let standing = view.standing_of(&agent);
        if standing.effective(now) == Standing::ReduceOnly {
            return Ok(Json(json!({"already": true})));
        }
        allowed(&view, &agent, Move::ReduceOnly, now)?;
        standing.permits(Move::Freeze, now)
    };
    let draft = || -> Result<Draft, Problem> {
        let reason = acted(caller.officer, kind, &format!("agent/{agent}"), &body.reason)?;
        Ok(Draft::new(AgentReduceOnly { agent, by }, now).also(reason))
    };
    let recorded = if narrows {
        console.narrow(draft()?, None).await?
    } else {
        // From frozen it widens: only on exactly the state that was looked at.
        console
            .widen(|view| {
                allowed(view, &agent, Move::ReduceOnly, now)?;
                draft()
            })
            .await?
    };
    Ok(Json(answered(&recorded)))
}

pub(super) async fn resume(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    body.without_code()?;
    let by = Actor::Officer(caller.officer);
    let recorded = console
        .widen(|view| {
            let now = console.clocks.decision.now();
            allowed(view, &agent, Move::Resume, now)?;
            let reason = acted(
                caller.officer,
                AgentResumed::KIND,
                &format!("agent/{agent}"),
                &body.reason,
            )?;
            Ok(Draft::new(AgentResumed { agent, by }, now).also(reason))
        })
        .await?;
    Ok(Json(answered(&recorded)))
}

pub(super) async fn revoke(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let now = console.clocks.decision.now();
    known(&*console.view().await?, &agent)?;
    revoke_now(&console, caller, agent, body.code(), &body.reason, now).await
}

async fn revoke_now(
    console: &Console,
    caller: Caller,
    agent: AgentId,
    code: RevocationReason,
    words: &str,
    now: Timestamp,
) -> Answer {
    {
        let view = console.view().await?;
        // A compromise that is found out later is recorded on top: no probation follows it, and its keys are never certified again.
        let tells = code == RevocationReason::KeyCompromise && !view.register.is_compromised(&agent);
        if view.standing_of(&agent).effective(now) == Standing::Revoked && !tells {
            return Ok(Json(json!({"already": true})));
        }
    }
    let (by, incident) = (Actor::Officer(caller.officer), new_incident()?);
    let opened = IncidentOpened {
        agent,
        by,
        cause: IncidentCause::Officer,
        incident,
    };
    let revoked = AgentRevoked {
        agent,
        by,
        incident: Some(incident),
        reason: code,
        score: None,
    };
    let reason = acted(caller.officer, AgentRevoked::KIND, &format!("agent/{agent}"), words)?;
    let recorded = console
        .narrow(Draft::new(revoked, now).also(opened).also(reason), None)
        .await?;
    let mut answer = answered(&recorded);
    answer["incident"] = json!(incident);
    Ok(Json(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reinstatement {
    /// The reviewed incident, if one was opened.
    #[serde(default)]
    incident: Option<IncidentId>,
}

/// Asks for a reinstatement after the latest revocation, which the document names: two officers sign it.
pub(super) async fn reinstate(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<Reinstatement>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let revoked_at = {
        let view = console.view().await?;
        known(&view, &agent)?;
        let revocation = view.revocation_of(&agent);
        let none = || Problem::conflict("STANDING", "no revocation of the agent stands in the ledger");
        revocation.ok_or_else(none)?.number
    };
    let document =
        json!({"agent": agent, "incident": body.incident, "purpose": "agent.reinstated", "revoked_at": revoked_at});
    proposals::propose(&console, caller, "agent.reinstated", document, Vec::new()).await
}

/// How an officer answers a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Acknowledge,
    ReduceOnly,
    Freeze,
    Revoke,
    FalseAlarm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WarningAnswer {
    answer: Reply,
    reason: String,
}

/// Answers an open warning before its deadline.
pub(super) async fn answer(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<WarningAnswer>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let now = console.clocks.decision.now();
    let open = |view: &View| -> Result<(), Problem> {
        known(view, &agent)?;
        if view.standing_of(&agent).permits(Move::EndWarning, now) {
            return Ok(());
        }
        Err(Problem::conflict(
            "NO_WARNING",
            "no warning of this agent is open; one whose deadline has passed has become the mandate's default",
        ))
    };
    open(&*console.view().await?)?;
    let why = match body.answer {
        // A revocation answers the warning by itself, and is what CRL and OCSP read.
        Reply::Revoke => {
            let code = RevocationReason::PrivilegeWithdrawn;
            return revoke_now(&console, caller, agent, code, &body.reason, now).await;
        }
        Reply::Acknowledge => WarningEnd::Acknowledged,
        Reply::FalseAlarm => WarningEnd::FalseAlarm,
        Reply::ReduceOnly => WarningEnd::ReducedOnly,
        Reply::Freeze => WarningEnd::Frozen,
    };
    let by = Actor::Officer(caller.officer);
    let draft = || -> Result<Draft, Problem> {
        let reason = acted(
            caller.officer,
            WarningClosed::KIND,
            &format!("agent/{agent}"),
            &body.reason,
        )?;
        Ok(Draft::new(WarningClosed { agent, by, why }, now).also(reason))
    };
    let recorded = if matches!(why, WarningEnd::ReducedOnly | WarningEnd::Frozen) {
        console.narrow(draft()?, None).await?
    } else {
        // The full caps come back: only on exactly the state that was looked at.
        console
            .widen(|view| {
                open(view)?;
                draft()
            })
            .await?
    };
    Ok(Json(answered(&recorded)))
}
