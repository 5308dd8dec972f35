//! The decision: every check, then the score, then what follows from both. Pure, and without allocation for a permit.

use anomaly::{Observation, Scored, Scoring, Verdict};
use extensions::{Timestamp, mandate::OnHalt, mandate::OnUnansweredWarning};
use revocation_core::{
    Actor, IncidentOpened, RevocationReason, Standing, StandingEvent,
    incident::{IncidentCause, Trigger, incident_of},
    standing::{AgentReduceOnly, AgentRevoked},
    warning::{WARNING_SECONDS, WarningClosed, WarningEnd, WarningOpened},
};

use crate::{
    checks::{self, Context},
    codes::Code,
    decision::{Body, Decision},
    events::{DecisionKind, FailedCheck, OrderDecided, Overridden, ScoreUse},
    facts::Facts,
    order::InList,
    state::AgentState,
};

/// Decides one order on the agent's state, at `now` of the decision clock.
///
/// Every check runs and every failure is reported; the score runs once, refused or not. What follows from it (a warning, its
/// end, a revocation with its incident) is part of the decision and goes into the same append ([`Decision::also`]).
#[must_use]
pub fn decide(facts: &Facts<'_>, state: &AgentState, now: Timestamp) -> Decision {
    let context = Context::new(facts, state, now);
    let mut failed = checks::run(&context);
    let mut overridden = overridden(&context, &mut failed);
    let scored = score(&context, !failed.is_empty());
    let mut act = act_on(&context, scored.as_ref());
    if let Some(check) = checks::of_score(&context, act.verdict_revokes, scored.as_ref()) {
        failed.push(check);
        failed.sort_by_key(|check| check.code);
    }
    if !failed.is_empty()
        && let Some(unused) = overridden.take()
    {
        // The score refuses all the same, and nothing of the override is used up.
        failed.extend(unused.checks);
        failed.sort_by_key(|check| check.code);
    }
    act.latches = failed.iter().any(|check| check.code == Code::RepeatExecution);
    let (also, opens) = consequences(&context, &act);
    let decision = match (act.halts(), failed.is_empty()) {
        (true, _) => DecisionKind::Halt,
        (false, true) => DecisionKind::Permit,
        (false, false) => DecisionKind::Refusal,
    };
    let body = Body {
        decided: OrderDecided {
            overridden,
            ..record(&context, decision, failed, scored, &act)
        },
        number: state.next_number(),
        epoch: facts.epoch,
        at: now,
        also,
        opens,
        sealed: Vec::new(),
    };
    Decision::of(body)
}

/// What officers let this one order pass: taken out of what failed, and kept for the record.
fn overridden(context: &Context<'_>, failed: &mut Vec<FailedCheck>) -> Option<Overridden> {
    let grant = context.state.overrides(context.order, failed, context.now)?;
    let checks = std::mem::take(failed);
    Some(Overridden { checks, grant })
}

fn score(context: &Context<'_>, refused: bool) -> Option<Scored> {
    let order = context.order;
    let observation = Observation {
        at: context.now,
        counterparty: order.counterparty,
        currency: order.currency,
        instrument: order.instrument,
        notional: context.notional,
        refused,
        region: context.facts.region,
    };
    match anomaly::assess(context.facts.baseline, context.state.scorer(), &observation) {
        Scoring::Scored(scored) => Some(scored),
        Scoring::NoBaseline => None,
    }
}

/// What the score and a passed deadline ask for.
struct Act {
    score_use: Option<ScoreUse>,
    score: Option<u32>,
    /// Enforced, at the revocation level, and neither a reduction nor already revoked.
    verdict_revokes: bool,
    warns: bool,
    clears: bool,
    /// A warning's deadline has passed and nobody has recorded it yet.
    defaulted: Option<OnUnansweredWarning>,
    /// As many orders have traded as the mandate allows before a person resumes the agent.
    latches: bool,
}

impl Act {
    fn halts(&self) -> bool {
        self.verdict_revokes || self.defaulted == Some(OnUnansweredWarning::Revoke)
    }
}

fn act_on(context: &Context<'_>, scored: Option<&Scored>) -> Act {
    let defaulted = context.state.standing().owes_default(context.now);
    let mut act = Act {
        score_use: None,
        score: scored.map(Scored::score),
        verdict_revokes: false,
        warns: false,
        clears: false,
        defaulted,
        latches: false,
    };
    let (Some(scored), Some(baseline)) = (scored, context.facts.baseline) else {
        return act;
    };
    let verdict = baseline.verdict(scored.record(), context.thresholds());
    let revokes = verdict == Verdict::Revoke && !context.reduction && context.standing != Standing::Revoked;
    if context.enforced() {
        act.score_use = Some(ScoreUse::Enforced);
        act.verdict_revokes = revokes;
        act.warns = verdict >= Verdict::Warn && !revokes && context.standing == Standing::Active;
        act.clears = verdict == Verdict::Clear && matches!(context.standing, Standing::Warned { .. });
    } else {
        act.score_use = Some(match verdict {
            Verdict::Clear => ScoreUse::Observed,
            _ if revokes => ScoreUse::WouldRevoke,
            _ => ScoreUse::WouldWarn,
        });
    }
    act
}

/// The events of standing that go into the same append, and the incident a revocation opens. Empty, and unallocated, almost always.
fn consequences(context: &Context<'_>, act: &Act) -> (Vec<StandingEvent>, Option<IncidentOpened>) {
    let (mut also, mut opens) = (Vec::new(), None);
    let agent = *context.state.agent();
    if act.defaulted.is_some() {
        also.push(
            WarningClosed {
                agent,
                by: Actor::Mandate,
                why: WarningEnd::Defaulted,
            }
            .into(),
        );
    }
    if act.halts() {
        let (revoked, opened) = revocation(context, act);
        also.push(revoked.into());
        opens = Some(opened);
    } else if let (true, Some(conduct)) = (act.warns, context.conduct()) {
        let opened = WarningOpened {
            agent,
            by: Actor::Scorer,
            deadline: context.now.plus_seconds(WARNING_SECONDS),
            default: conduct.on_unanswered_warning,
            score: act.score,
        };
        also.push(opened.into());
    } else if act.clears {
        also.push(
            WarningClosed {
                agent,
                by: Actor::Scorer,
                why: WarningEnd::Decayed,
            }
            .into(),
        );
    } else if act.latches && context.standing == Standing::Active {
        // A warning is answered first: what stands in its place would end it unanswered.
        also.push(
            AgentReduceOnly {
                agent,
                by: Actor::Mandate,
            }
            .into(),
        );
    }
    (also, opens)
}

/// The revocation and its incident. An unanswered warning is known by its deadline, whoever writes its end down.
fn revocation(context: &Context<'_>, act: &Act) -> (AgentRevoked, IncidentOpened) {
    let agent = *context.state.agent();
    let warning = context.state.standing().warning();
    let deadline = warning.map(|warning| Trigger::Deadline(warning.deadline));
    let (by, cause, trigger) = match deadline {
        Some(deadline) if !act.verdict_revokes => (Actor::Mandate, IncidentCause::UnansweredWarning, deadline),
        _ => (
            Actor::Scorer,
            IncidentCause::Score,
            Trigger::Decision(context.state.next_number()),
        ),
    };
    let incident = incident_of(&agent, trigger);
    let revoked = AgentRevoked {
        agent,
        by,
        incident: Some(incident),
        reason: RevocationReason::PrivilegeWithdrawn,
        score: if act.verdict_revokes { act.score } else { None },
    };
    let opened = IncidentOpened {
        agent,
        by,
        cause,
        incident,
    };
    (revoked, opened)
}

fn record(
    context: &Context<'_>,
    decision: DecisionKind,
    checks: Vec<FailedCheck>,
    scored: Option<Scored>,
    act: &Act,
) -> OrderDecided {
    let (facts, state) = (context.facts, context.state);
    let plan = (decision == DecisionKind::Halt)
        .then(|| state.halt_plan(context.conduct().map_or(OnHalt::CancelAll, |conduct| conduct.on_halt)));
    OrderDecided {
        agent: *state.agent(),
        body: facts.order.body,
        certificate: facts.certificate,
        checks,
        counts_executions: context
            .conduct()
            .is_some_and(|conduct| conduct.max_executions.is_some()),
        counts_loss: context.conduct().is_some_and(|conduct| conduct.max_day_loss.is_some()),
        decision,
        exposure: facts.exposure,
        folded_to: state.folded_to(),
        gateway: *facts.gateway,
        known: facts.known,
        list: facts.order.list.map(|place| match place {
            InList::First => state.next_number(),
            InList::Second(first) => first,
        }),
        mandate: facts.mandate.map(|mandate| mandate.digest),
        notional: context.notional,
        order: context.order.clone(),
        overridden: None,
        plan,
        proof: facts.proof,
        reasoning: None,
        reduction: context.reduction,
        reference: facts.reference,
        reference_max_age_ms: facts.reference_max_age_ms,
        region: facts.region,
        score: scored.map(|scored| *scored.record()),
        score_use: act.score_use,
        send_within_ms: facts.send_within_ms,
        signed_by: facts.signed_by,
        signed_request: None,
        state: state.digest_due().then(|| state.digest()),
        view: facts.view,
    }
}

#[cfg(test)]
mod tests;
