//! `replay`: every recorded decision and score computed again from the record, byte for byte.

use std::collections::VecDeque;

use ::ledger::{CommittedEntry, verify::Fold};
use clap::Args;
use extensions::StreamId;
use gateway_policy::{AgentEvent, AgentState, OrderDecided, replay_decision};
use serde_json::{Value, json};

use super::{
    House, record,
    report::{Exit, Failure, Report},
};
use crate::past::{Past, of_agent};

/// The longest value that a difference shows, characters.
const LONGEST_VALUE: usize = 120;

/// Take every recorded decision again, and compute every score again, from the record alone; names the first that differs.
///
/// Each order is decided by this build's own rules on the facts its entry holds, the agent's state folded from the entries before
/// it, and the certificate, mandate and baseline that it names. The result must be the recorded bytes: checks, every number of
/// the score, and the warning, revocation and incident behind it. Needs no key and no text; reads beside a running server.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum --dir house replay\n  mandatum replay /media/copy/ledger --key BASE64\n  mandatum replay audit.txt --json"
)]
pub(super) struct Replay {
    #[command(flatten)]
    source: record::Source,
}

pub(super) async fn run(house: &House, command: Replay) -> anyhow::Result<Report> {
    let mut again = Again::default();
    let read = record::read(house, command.source, "entries taken again", &mut again).await;
    let verified = match (read, again.difference.take()) {
        (Ok(report), None) => report,
        (_, Some(difference)) => return Err(differs(&difference).into()),
        (Err(error), None) => return Err(error),
    };
    let Again {
        decisions,
        scores,
        behind_compared,
        ..
    } = again;
    let text = format!(
        "{decisions} decisions taken again from {} entries, {scores} of them with a score: every byte is the same; {behind_compared} warnings, \
         revocations and incidents behind them too",
        verified.entries
    );
    Ok(Report::new(
        text,
        json!({
            "behind": behind_compared,
            "decisions": decisions,
            "entries": verified.entries,
            "ok": true,
            "root": verified.root,
            "scores": scores,
        }),
    ))
}

fn differs(difference: &Difference) -> Failure {
    let Difference {
        position,
        stream,
        number,
        reason,
    } = difference;
    Failure {
        exit: Exit::Unverified,
        message: format!("the first difference is entry {number} of {stream}, at position {position}: {reason}"),
        answer: Some(json!({
            "number": number, "ok": false, "position": position, "reason": reason, "stream": stream.to_string(),
        })),
    }
}

/// Where the record says something else than the rules give.
struct Difference {
    position: u64,
    stream: StreamId,
    number: u64,
    reason: String,
}

/// The fold that decides again.
#[derive(Default)]
struct Again {
    past: Past,
    /// What must stand behind the last decision, in the same append.
    behind: VecDeque<(StreamId, &'static str, Vec<u8>)>,
    behind_compared: u64,
    decisions: u64,
    scores: u64,
    difference: Option<Difference>,
}

impl Fold for Again {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        let event = of_agent(entry)?;
        let mut same = self.follows(entry);
        if let (Ok(()), Some((_, AgentEvent::Decided(decided)))) = (&same, &event) {
            same = self.decide(entry, decided);
        }
        if let Err(reason) = &same {
            self.difference = Some(Difference {
                position: entry.position,
                stream: entry.stream.clone(),
                number: entry.number,
                reason: reason.clone(),
            });
        }
        same?;
        self.past.take(entry, event.as_ref())
    }
}

impl Again {
    fn follows(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        let Some((stream, kind, body)) = self.behind.pop_front() else {
            return Ok(());
        };
        if entry.stream != stream || *entry.kind != *kind {
            return Err(format!(
                "the decision before it asks for {kind} here, and {} stands here",
                entry.kind
            ));
        }
        self.behind_compared += 1;
        same(entry.body(), &body)
    }

    fn decide(&mut self, entry: &CommittedEntry, decided: &OrderDecided) -> Result<(), String> {
        let first;
        let state = match self.past.state(&decided.agent) {
            Some(state) => state,
            None => {
                first = AgentState::new(decided.agent);
                &first
            }
        };
        let again = replay_decision(decided, entry.at, entry.epoch, state, self.past.facts(decided)?)
            .map_err(|fault| fault.to_string())?;
        same(entry.body(), &again.body)?;
        self.decisions += 1;
        self.scores += u64::from(decided.score.is_some());
        let behind = again.behind.into_iter();
        self.behind = behind.map(|(kind, body)| (entry.stream.clone(), kind, body)).collect();
        Ok(())
    }
}

/// Whether two bodies are the same bytes; else the first member that differs, by its path.
fn same(recorded: &[u8], again: &[u8]) -> Result<(), String> {
    if recorded == again {
        return Ok(());
    }
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let first = first_difference("", &read(recorded), &read(again));
    Err(first.unwrap_or_else(|| "the same members in other bytes".to_owned()))
}

fn first_difference(path: &str, recorded: &Value, again: &Value) -> Option<String> {
    if recorded == again {
        return None;
    }
    let at = |member: &str| {
        if path.is_empty() {
            member.to_owned()
        } else {
            format!("{path}.{member}")
        }
    };
    match (recorded, again) {
        (Value::Object(a), Value::Object(b)) => {
            let mut members: Vec<&String> = a.keys().chain(b.keys()).collect();
            members.sort_unstable();
            let missing = Value::Null;
            members.into_iter().find_map(|member| {
                let (a, b) = (a.get(member), b.get(member));
                first_difference(&at(member), a.unwrap_or(&missing), b.unwrap_or(&missing))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(place, (a, b))| first_difference(&at(&place.to_string()), a, b))
        }
        _ => Some(format!(
            "{path} is recorded as {}, and comes out as {}",
            short(recorded),
            short(again)
        )),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::ledger::verify::{Options, verify_directory};

    use super::*;
    use crate::demo;

    /// Records other than the rules give, as a gateway with other rules would have written them.
    struct Changed {
        again: Again,
        from: &'static str,
        to: &'static str,
        kind: &'static str,
    }

    impl Fold for Changed {
        fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
            let body = String::from_utf8(entry.body().to_vec()).map_err(|error| error.to_string())?;
            if *entry.kind != *self.kind || !body.contains(self.from) {
                return self.again.apply(entry);
            }
            let body = body.replacen(self.from, self.to, 1).into_bytes();
            let changed = CommittedEntry {
                body: 0..body.len(),
                bytes: Arc::from(body),
                ..entry.clone()
            };
            self.again.apply(&changed)
        }
    }

    /// The demonstration's whole record comes out the same: permits, refusals, warnings, two halts with their incidents. A record of a decision, of
    /// a score, or of what stands behind a decision that is not what the rules give is named. Negative control: the first of the four
    /// changes nothing; comparing only decisions lets the last through.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_decision_that_the_rules_do_not_give_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let args = demo::Args {
            dir: Some(folder.path().join("house")),
            seed: 3,
            quiet: true,
            ..demo::Args::default()
        };
        let report = demo::run(&args).await.unwrap();
        let ledger = folder.path().join("house/ledger");
        for (kind, from, to, named) in [
            ("order.decided", "no such text", "", None),
            (
                "order.decided",
                r#""decision":"permit""#,
                r#""decision":"refusal""#,
                Some("decision is recorded as"),
            ),
            ("order.decided", r#""score":0"#, r#""score":1"#, Some("score.")),
            (
                "warning.opened",
                r#""deadline":"2"#,
                r#""deadline":"3"#,
                Some("deadline is recorded as"),
            ),
        ] {
            let again = Again::default();
            let mut changed = Changed { again, from, to, kind };
            let options = Options {
                fold: Some(&mut changed),
                ..Options::default()
            };
            let verified = verify_directory(&ledger, options).await;
            let difference = changed.again.difference;
            assert_eq!(verified.is_ok(), named.is_none(), "{verified:?}");
            let reason = difference.map(|difference| difference.reason);
            assert_eq!(reason.is_some(), named.is_some(), "{reason:?}");
            if let (Some(named), Some(reason)) = (named, reason) {
                assert!(reason.contains(named), "{reason}");
            } else {
                assert!(changed.again.decisions >= report.permits, "{}", changed.again.decisions);
                assert!(changed.again.scores > 0 && changed.again.behind_compared as usize >= 2 * report.revocations);
            }
        }
    }

    /// Control: the same bytes have none.
    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let recorded = br#"{"a":1,"score":{"e":5,"drift":[1,2,3]},"z":0}"#;
        assert_eq!(same(recorded, recorded), Ok(()));
        for (again, reason) in [
            (
                r#"{"a":1,"score":{"e":6,"drift":[1,2,3]},"z":1}"#,
                "score.e is recorded as 5, and comes out as 6",
            ),
            (
                r#"{"a":1,"score":{"e":5,"drift":[1,7,3]},"z":0}"#,
                "score.drift.1 is recorded as 2, and comes out as 7",
            ),
            (
                r#"{"a":1,"score":{"e":5,"drift":[1,2,3]}}"#,
                "z is recorded as 0, and comes out as null",
            ),
        ] {
            assert_eq!(same(recorded, again.as_bytes()), Err(reason.to_owned()));
        }
        assert!(short(&json!("x".repeat(500))).chars().count() <= LONGEST_VALUE + 1);
    }
}
