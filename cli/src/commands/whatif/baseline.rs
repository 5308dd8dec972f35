//! A proposed baseline over past orders: each scored under it.

use ::ledger::CommittedEntry;
use anomaly::{Mode, Observation, ProposedBaseline, ScorerState, rehearse, scale};
use anyhow::bail;
use extensions::{AgentId, Digest, Timestamp};
use gateway_policy::AgentEvent;
use serde_json::{Value, json};

use super::{
    super::{
        House, record,
        report::{Exit, Failure, Report},
        unknown_agent,
    },
    Told, text,
};
use crate::past::{Past, Visiting};

/// The most orders of one bot that are kept to be scored.
const MOST_ORDERS: usize = 1 << 20;

/// What the scorer saw, in its order.
enum Seen {
    Order(u64, Observation),
    Unread(Timestamp, u32),
}

pub(super) async fn run(
    house: &House,
    source: record::Source,
    agent: AgentId,
    digest: Digest,
    since: Timestamp,
) -> anyhow::Result<Report> {
    let (mut seen, mut left_out) = (Vec::new(), 0_u64);
    let mut visit = |_: &Past, entry: &CommittedEntry, event: &AgentEvent| {
        let one = match event {
            AgentEvent::Decided(decided) => Seen::Order(entry.number, decided.observation(entry.at)),
            AgentEvent::Unread(unread) => Seen::Unread(entry.at, unread.count),
            _ => return Ok(()),
        };
        if seen.len() < MOST_ORDERS {
            seen.push(one);
        } else {
            left_out += 1;
        }
        Ok(())
    };
    let mut visiting = Visiting::new(agent, &mut visit);
    record::read(house, source, "entries read", &mut visiting).await?;
    let past = visiting.into_past();
    if !past.knows(&agent) {
        return Err(unknown_agent(&agent));
    }
    if left_out > 0 {
        bail!("{agent} has more than {MOST_ORDERS} orders: {left_out} beyond; what a part of them shows would mislead");
    }
    let proposed = past
        .proposed(&agent, &digest)
        .map_err(|fault| Failure::new(Exit::Refused, fault))?;
    Ok(tried(&proposed, &seen, since).report(&agent, &proposed))
}

/// What came out.
#[derive(Default)]
struct Tried {
    scored: u64,
    away: u64,
    highest: u32,
    revocations: u64,
    warnings: u64,
    moments: Told,
}

fn tried(proposed: &ProposedBaseline, seen: &[Seen], since: Timestamp) -> Tried {
    let (mut state, mut tried) = (ScorerState::NEW, Tried::default());
    let (mut away_on, mut warned) = (None, false);
    for one in seen {
        let (number, observation) = match one {
            Seen::Unread(at, count) => {
                state.observe_unread(*at, *count);
                continue;
            }
            Seen::Order(number, observation) => (*number, observation),
        };
        let away = away_on == Some(observation.at.day());
        if away || observation.at < since {
            tried.away += u64::from(away);
            state.observe(observation);
            continue;
        }
        let record = rehearse(proposed, &state, observation);
        state.apply(&record, observation);
        tried.scored += 1;
        tried.highest = tried.highest.max(record.score);
        let verb = if record.score >= scale::REVOKE && proposed.content().mode == Mode::Enforce {
            state.reset_evidence();
            (away_on, warned) = (Some(observation.at.day()), false);
            tried.revocations += 1;
            "revoked"
        } else if record.score >= scale::WARN {
            if std::mem::replace(&mut warned, true) {
                continue;
            }
            tried.warnings += 1;
            "warned"
        } else {
            warned = false;
            continue;
        };
        tried.moments.add(|| {
            json!({
                "at": observation.at,
                "number": number,
                "score": record.score,
                "why": record.summary_under(proposed.content(), observation),
                "would_have": verb,
            })
        });
    }
    tried
}

impl Tried {
    fn report(self, agent: &AgentId, proposed: &ProposedBaseline) -> Report {
        let content = proposed.content();
        let mode = match content.mode {
            Mode::Enforce => "admitted to revocation by score",
            Mode::WarnOnly => "not admitted: it warns and never revokes",
        };
        let mut lines = vec![
            format!("{agent} under version {} of its baseline ({mode}):", content.version),
            format!(
                "{} orders scored, highest score 0.{:06}; {} warnings, {} revocations; {} orders fell on days after a revocation",
                self.scored,
                self.highest.min(999_999),
                self.warnings,
                self.revocations,
                self.away
            ),
        ];
        lines.extend(self.moments.lines(|one: &Value| {
            format!(
                "  {} entry {}: would have {}: {}",
                text(&one["at"]),
                one["number"],
                text(&one["would_have"]),
                text(&one["why"])
            )
        }));
        lines.push(
            "A baseline judges its own training days mildly: orders it learned from show less than later ones."
                .to_owned(),
        );
        Report::new(
            lines.join("\n"),
            json!({
                "agent": agent,
                "away": self.away,
                "baseline": proposed.digest(),
                "highest": self.highest,
                "mode": content.mode,
                "moments": self.moments.rows,
                "more_moments": self.moments.more,
                "revocations": self.revocations,
                "scored": self.scored,
                "version": content.version,
                "warnings": self.warnings,
            }),
        )
    }
}
