//! Why the scorer warned or stopped an agent, for the officer who has five minutes to answer: the score of the order that did it, what each
//! component gave, the leading reason in words.

use anomaly::{BaselineApproved, BaselineContent, Component, ProposedBaseline, ScoreRecord};
use extensions::{AgentId, Digest, StreamId, canonical};
use gateway_policy::OrderDecided;
use ledger::Ledger;
use serde_json::{Value, json};

use super::baselines::content_at;
use crate::{Console, problem::Problem};

/// How far before the warning, or the revocation, the order may stand: they are one append.
const MOST_BEFORE: u64 = 4;

/// The scorer's latest intervention; `null` when there was none, or its order stands nowhere.
pub(super) async fn shown(console: &Console, agent: &AgentId) -> Result<Value, Problem> {
    let (number, positions) = {
        let view = console.view().await?;
        let Some(number) = view.scored.get(agent).copied() else {
            return Ok(Value::Null);
        };
        let baselines = view.baselines.get(agent).cloned().unwrap_or_default();
        let in_force = baselines.approved.and_then(|(one, at)| at.map(|at| (one.baseline, at)));
        let proposed = baselines.proposed.iter().map(|one| (one.digest, one.position));
        (number, in_force.into_iter().chain(proposed).collect::<Vec<_>>())
    };
    let Some(order) = deciding_order(&console.ledger, agent, number).await? else {
        return Ok(Value::Null);
    };
    let Some(score) = order.decided.score else {
        return Ok(Value::Null);
    };
    let position = positions.iter().find(|(digest, _)| *digest == score.baseline);
    let content = match position {
        Some((_, position)) => Some(content_at(&console.ledger, *position).await?),
        None => None,
    };
    let reasons = content.and_then(|content| reasons(content, &score, &order));
    Ok(told(number, &order, &score, reasons))
}

struct Ordered {
    number: u64,
    at: extensions::Timestamp,
    decided: OrderDecided,
}

async fn deciding_order(ledger: &Ledger, agent: &AgentId, number: u64) -> Result<Option<Ordered>, Problem> {
    let from = number.saturating_sub(MOST_BEFORE);
    let entries = ledger
        .read_stream(&StreamId::agent(agent), from, MOST_BEFORE as usize)
        .await;
    let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let mut before = entries.iter().rev().filter(|entry| entry.number < number);
    Ok(before.find_map(|entry| {
        (&*entry.kind == OrderDecided::KIND).then_some(())?;
        Some(Ordered {
            number: entry.number,
            at: entry.at,
            decided: canonical::from_slice(entry.body()).ok()?,
        })
    }))
}

/// Each component's reason, and the whole in one sentence, against the baseline it was scored under.
fn reasons(content: BaselineContent, score: &ScoreRecord, order: &Ordered) -> Option<(Vec<String>, String)> {
    let proposed = ProposedBaseline::new(content).ok()?;
    let as_approved = BaselineApproved {
        agent: proposed.content().agent,
        approvals: vec![String::new()],
        baseline: proposed.digest(),
        version: proposed.content().version,
    };
    let baseline = proposed.approve(&as_approved).ok()?;
    let observation = order.decided.observation(order.at);
    Some((
        score.reasons(&baseline, &observation).into(),
        score.summary(&baseline, &observation),
    ))
}

fn told(number: u64, order: &Ordered, score: &ScoreRecord, reasons: Option<(Vec<String>, String)>) -> Value {
    let (each, whole) = reasons.unzip();
    let contribution = |(at, component): (usize, &Component)| {
        json!({
            "component": component,
            "evidence": score.components.of(*component),
            "reason": each.as_ref().and_then(|each| each.get(at)),
        })
    };
    let baseline: Digest = score.baseline;
    json!({
        "at": order.at,
        "baseline": baseline,
        "channel": score.channel,
        "client_order_id": order.decided.order.client_order_id,
        "contributions": Component::ALL.iter().enumerate().map(contribution).collect::<Vec<_>>(),
        "in_words": whole,
        "leading": score.top(),
        "number": order.number,
        "orders": score.orders,
        "outcome": number,
        "score": score.score,
    })
}
