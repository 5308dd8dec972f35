//! Open warnings as people can live with them: bots that were warned within five minutes of one another are one event, most likely one move of
//! the market, and one act holds them all.

use axum::{Extension, Json, extract::State};
use extensions::{AgentId, Timestamp};
use revocation_core::{
    Actor,
    standing::{Move, Standing},
    warning::{WARNING_SECONDS, Warning, WarningClosed, WarningEnd},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By};
use crate::{
    Console,
    problem::Problem,
    record::{Draft, acted, place},
    view::View,
};

/// Warnings that open within this time of the one before belong to one event, seconds.
const TOGETHER_SECONDS: i64 = 300;
/// The most bots one act holds.
const MOST_HELD: usize = 256;

/// One open warning.
#[derive(Debug, Clone, Copy)]
struct Open {
    agent: AgentId,
    opened: Timestamp,
    warning: Warning,
}

/// The open warnings, by the moment they opened.
fn open(view: &View, now: Timestamp) -> Vec<Open> {
    let warned = view.standing.iter().filter_map(|(agent, standing)| {
        let Standing::Warned { .. } = standing.effective(now) else {
            return None;
        };
        let warning = standing.warning()?;
        Some(Open {
            agent: *agent,
            opened: warning.deadline.plus_seconds(-WARNING_SECONDS),
            warning,
        })
    });
    let mut open: Vec<Open> = warned.collect();
    open.sort_by_key(|one| (one.opened, one.agent));
    open
}

/// The events among warnings that are sorted by the moment they opened.
fn events(open: &[Open]) -> impl Iterator<Item = &[Open]> {
    let together = TOGETHER_SECONDS * 1_000_000;
    open.chunk_by(move |a, b| b.opened.micros_since(a.opened) <= together)
}

fn shown(event: &[Open]) -> Value {
    let first = event.first().map(|one| one.opened);
    let deadline = event.iter().map(|one| one.warning.deadline).min();
    let warnings: Vec<Value> = event
        .iter()
        .map(|one| {
            json!({
                "agent": one.agent,
                "deadline": one.warning.deadline,
                "default": one.warning.default,
                "opened": one.opened,
            })
        })
        .collect();
    json!({ "began": first, "bots": event.len(), "first_deadline": deadline, "warnings": warnings })
}

pub(super) async fn list(State(console): State<Console>) -> Answer {
    let now = console.clocks.decision.now();
    let open = open(&*console.view().await?, now);
    let events: Vec<Value> = events(&open).map(shown).collect();
    Ok(Json(json!({ "events": events })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    /// The bots the officer has seen, and no others that joined since.
    agents: Vec<AgentId>,
    reason: String,
}

/// Answers the open warnings of all of them at once: each may only reduce until an officer resumes it. It narrows, so that nothing is lost if
/// it turns out to be the market; nobody is revoked by a deadline that passes meanwhile.
pub(super) async fn hold(State(console): State<Console>, Extension(caller): By, Body(body): Body<Hold>) -> Answer {
    if !(1..=MOST_HELD).contains(&body.agents.len()) {
        return Err(Problem::bad(
            "BODY",
            &format!("agents: 1 to {MOST_HELD} bots with an open warning"),
        ));
    }
    let (mut held, mut not_open) = (Vec::new(), Vec::new());
    for agent in body.agents {
        let now = console.clocks.decision.now();
        if !console.view().await?.standing_of(&agent).permits(Move::EndWarning, now) {
            not_open.push(agent);
            continue;
        }
        let stream = format!("agent/{agent}");
        let reason = acted(caller.officer, WarningClosed::KIND, &stream, &body.reason)?;
        let closed = WarningClosed {
            agent,
            by: Actor::Officer(caller.officer),
            why: WarningEnd::ReducedOnly,
        };
        let recorded = console.narrow(Draft::new(closed, now).also(reason), None).await?;
        held.push(json!({ "agent": agent, "entry": place(&recorded) }));
    }
    if held.is_empty() {
        return Err(Problem::conflict(
            "NO_WARNING",
            "no warning of these bots is open; one whose deadline has passed has become the mandate's default",
        ));
    }
    Ok(Json(json!({ "held": held, "not_open": not_open })))
}

#[cfg(test)]
mod tests {
    use revocation_core::warning::WarningDefault;

    use super::*;

    /// Control: a warning that opens later than five minutes after the last is an event of its own.
    #[test]
    fn warnings_close_together_are_one_event() {
        let at = |agent: &str, seconds: i64| Open {
            agent: AgentId::new(agent).unwrap(),
            opened: Timestamp::from_seconds(seconds),
            warning: Warning {
                deadline: Timestamp::from_seconds(seconds + WARNING_SECONDS),
                default: WarningDefault::Freeze,
            },
        };
        let open = [at("a", 0), at("b", 300), at("c", 500), at("d", 801)];
        let sizes: Vec<usize> = events(&open).map(<[Open]>::len).collect();
        assert_eq!(sizes, [3, 1]);
        let first = shown(&open[..3]);
        assert_eq!(
            (&first["bots"], &first["warnings"][2]["agent"]),
            (&json!(3), &json!("c"))
        );
        assert_eq!(first["first_deadline"], json!(Timestamp::from_seconds(300)));
    }
}
