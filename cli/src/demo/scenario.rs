//! What happens in the demonstration, as plain data by seed: five bots with their mandates, fourteen days of history, two days of
//! trading, and three misfortunes. Nothing here knows a score: who is stopped, and when, is the scorer's doing.

use std::net::{IpAddr, Ipv4Addr};

use extensions::{
    AgentId, Region, Timestamp,
    limits::{LimitsDocument, ScopeDocument},
    mandate::{Conduct, OnHalt, OnUnansweredWarning, Scoring},
};
use fixtures_venue::streams::{
    Profile, Row,
    attack::{self, Drift, Runaway, StolenKey},
    demo_bots,
};
use serde::Serialize;

/// The seed of a demonstration that is not given one.
pub const DEFAULT_SEED: u64 = 7;
/// Days of history that are imported.
pub(super) const HISTORY_DAYS: u32 = 14;
/// Days that are traded.
pub const TRADING_DAYS: u32 = 2;
/// The first traded moment: Monday 2 March 2026, 00:00 UTC. Whole weeks of history lie before it.
const FIRST_DAY: i64 = 1_772_409_600;

/// The networks of the demonstration, by region; the third network is in no region.
pub(super) const REGIONS: [(&str, &str); 2] = [("127.0.1.0/24", "eu-west-1"), ("127.0.2.0/24", "us-east-1")];
const AT_HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));
const ABROAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 2, 66));
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 3, 66));

/// What the story has in store for a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nothing: it goes on to the end.
    Unharmed,
    /// It runs away, and has to be stopped.
    RunsAway,
    /// Its key is stolen, and has to be stopped.
    KeyStolen,
    /// It drifts, and has to be warned.
    Drifts,
    /// It replays a recorded stream.
    Replays,
}

/// A bot with what its officers are asked to approve.
#[derive(Debug, Clone)]
pub(super) struct Bot {
    /// Its name.
    pub(super) agent: AgentId,
    /// What the story has in store for it.
    pub(super) fate: Fate,
    /// Its limits.
    pub(super) limits: LimitsDocument,
    /// Its conduct.
    pub(super) conduct: Conduct,
    /// Why it exists.
    pub(super) purpose: String,
    /// Why these limits fit the purpose.
    pub(super) rationale: String,
    /// Its own past, oldest first; empty when none is known.
    pub(super) history: Vec<Row>,
}

/// Who sends an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// The bot.
    Bot,
    /// Somebody who has the bot's key.
    Thief,
}

/// One order of the timeline.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The order.
    pub(super) row: Row,
    /// The loopback address it is sent from.
    pub(super) from: IpAddr,
    /// Who sends it.
    pub(super) sender: Sender,
}

/// The whole story.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    /// Where the decision clock begins.
    pub(super) start: Timestamp,
    /// The bots.
    pub(super) bots: Vec<Bot>,
    /// Every order, oldest first.
    pub(super) steps: Vec<Step>,
}

impl Scenario {
    /// The story of `seed` over `days` days. `enforced` is what every mandate says of scoring: without it nobody is stopped, and
    /// the demonstration fails, as it has to.
    #[must_use]
    pub(super) fn of(seed: u64, days: u32, enforced: bool) -> Self {
        let start = Timestamp::from_seconds(FIRST_DAY);
        let from = start.plus_seconds(-i64::from(HISTORY_DAYS) * 86_400);
        let far = start.plus_seconds(i64::from(days) * 86_400 + 86_400 * 3_650);
        let scoring = if enforced {
            Scoring::Enforce
        } else {
            Scoring::ObserveUntil(far)
        };
        let (mut bots, mut steps) = (Vec::new(), Vec::new());
        for profile in demo_bots().into_iter().map(quieter) {
            let fate = fate_of(&profile);
            let mut rows = profile.healthy(seed, from, HISTORY_DAYS + days);
            let history: Vec<Row> = rows.by_ref().take_while(|row| row.at < start).collect();
            let own = profile
                .healthy(seed, from, HISTORY_DAYS + days)
                .filter(|row| row.at >= start);
            let mut own: Vec<Step> = own.map(|row| step(row, AT_HOME, Sender::Bot)).collect();
            befall(&profile, fate, seed, start, days, &mut own);
            steps.append(&mut own);
            bots.push(bot(&profile, fate, scoring, history));
        }
        steps.sort_by_key(|step| step.row.at);
        Self { start, bots, steps }
    }
}

/// The loopback address that stands for a region; one outside every region for a name that is not in the table.
pub(super) fn address_of(region: &Region) -> IpAddr {
    match region.as_str() {
        "eu-west-1" => AT_HOME,
        "us-east-1" => ABROAD,
        _ => NOWHERE,
    }
}

fn step(row: Row, from: IpAddr, sender: Sender) -> Step {
    Step { row, from, sender }
}

/// The two busiest bots at less than their usual pace, so that the whole story is told in a minute.
fn quieter(mut profile: Profile) -> Profile {
    profile.orders_a_day = profile.orders_a_day.min(240.0);
    profile
}

fn fate_of(profile: &Profile) -> Fate {
    match profile.agent.as_str() {
        "mm-1" => Fate::RunsAway,
        "rebalancer-1" => Fate::KeyStolen,
        "accumulator-1" => Fate::Drifts,
        _ => Fate::Unharmed,
    }
}

/// Adds the misfortune of a bot to its healthy days.
fn befall(profile: &Profile, fate: Fate, seed: u64, start: Timestamp, days: u32, own: &mut Vec<Step>) {
    match fate {
        Fate::RunsAway => {
            let from = start.plus_seconds(10 * 3_600);
            let rows = attack::runaway(profile, seed, from, Runaway::default());
            own.extend(rows.map(|row| step(row, AT_HOME, Sender::Bot)));
        }
        Fate::KeyStolen => {
            let from = start.plus_seconds(14 * 3_600);
            let how = StolenKey {
                region: region("us-east-1"),
                rate: 8.0,
                seconds: 1_800,
            };
            let rows = attack::stolen_key(profile, seed, from, how);
            // The first attempt comes from a network that the certificate does not allow; then the thief knows better.
            let places = std::iter::once(NOWHERE).chain(std::iter::repeat(ABROAD));
            own.extend(rows.zip(places).map(|(row, from)| step(row, from, Sender::Thief)));
        }
        Fate::Drifts => {
            let how = Drift {
                size: DRIFT_SIZE,
                rate: DRIFT_RATE,
                days,
            };
            *own = attack::drift(profile, seed, start, how)
                .map(|row| step(row, AT_HOME, Sender::Bot))
                .collect();
        }
        Fate::Unharmed | Fate::Replays => {}
    }
}

/// How far the drifting bot has gone at the end: a model that degrades, slow enough to be warned before it is stopped.
pub(super) const DRIFT_SIZE: f64 = 1.9;
/// The same of its rate.
pub(super) const DRIFT_RATE: f64 = 1.4;

fn region(name: &str) -> Region {
    Region::new(name).expect("a constant of the alphabet")
}

pub(super) fn names(names: impl IntoIterator<Item = impl ToString>) -> ScopeDocument {
    ScopeDocument::Names(names.into_iter().map(|name| name.to_string()).collect())
}

fn bot(profile: &Profile, fate: Fate, scoring: Scoring, history: Vec<Row>) -> Bot {
    let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (hours, on_halt, default, purpose): (&[&str], _, _, _) = match profile.agent.as_str() {
        "mm-1" => (
            &["always"],
            OnHalt::CancelAll,
            OnUnansweredWarning::Freeze,
            "Makes markets in two pairs around the clock.",
        ),
        "arb-1" => (
            &["always"],
            OnHalt::CancelRiskIncreasing,
            OnUnansweredWarning::Revoke,
            "Takes small differences between pairs.",
        ),
        "rebalancer-1" => (
            &["Mon-Fri 08:00-17:00"],
            OnHalt::CancelRiskIncreasing,
            OnUnansweredWarning::Freeze,
            "Keeps a portfolio near its weights.",
        ),
        "hedger-1" => (
            &["Mon-Fri 07:00-21:00"],
            OnHalt::CancelRiskIncreasing,
            OnUnansweredWarning::ReduceOnly,
            "Hedges what other desks hold.",
        ),
        _ => (
            &["always"],
            OnHalt::CancelAll,
            OnUnansweredWarning::ReduceOnly,
            "Buys small amounts over the day.",
        ),
    };
    // The reference price may lie above an order's own, and a cap counts the higher one: a tenth of room.
    let per_order = (profile.most_notional * 1.1).ceil();
    let per_day = (profile.orders_a_day * profile.median_notional * 3.0).ceil();
    let mut regions = vec!["eu-west-1"];
    if fate == Fate::KeyStolen {
        regions.push("us-east-1");
    }
    Bot {
        agent: profile.agent,
        fate,
        limits: LimitsDocument {
            counterparties: names(profile.counterparties.iter().map(|(name, _)| name)),
            hours: words(hours),
            instruments: names(profile.traded.iter().map(|traded| traded.instrument)),
            order_proof: profile.agent.as_str() == "hedger-1",
            order_rates: words(&["20/1s", "120/1m"]),
            order_types: words(&["limit"]),
            per_day: vec![format!("{} {per_day}", profile.currency)],
            per_order: vec![format!("{} {per_order}", profile.currency)],
            price_collar_bps: 300,
            regions: names(regions),
        },
        conduct: conduct(on_halt, default, scoring),
        purpose: purpose.to_owned(),
        rationale: "A tenth above the largest order of its strategy; three times what it trades on a usual day."
            .to_owned(),
        history,
    }
}

/// Conduct without bounds of its own.
fn conduct(on_halt: OnHalt, on_unanswered_warning: OnUnansweredWarning, scoring: Scoring) -> Conduct {
    Conduct {
        cancel_after_disconnect_s: None,
        max_day_loss: None,
        max_executions: None,
        max_open_orders: None,
        max_position: None,
        on_halt,
        on_unanswered_warning,
        probation_hours: None,
        repeat_window_ms: 0,
        scoring,
        self_trade: None,
    }
}

#[cfg(test)]
mod tests {
    use anomaly::{BaselineApproved, Learning, Mode, Observation, ScorerState, Settings, score};

    use super::*;

    fn observed(step: &Row, region: Option<Region>) -> Observation {
        Observation {
            at: step.at,
            counterparty: step.counterparty,
            currency: step.currency,
            instrument: step.instrument,
            notional: step.quantity.checked_mul(step.price),
            refused: false,
            region,
        }
    }

    /// The highest score of a bot over its orders, by the scorer alone: no gateway, no warning, nobody stopped.
    fn highest(scenario: &Scenario, bot: &Bot) -> u32 {
        let mut learning = Learning::new(bot.agent);
        for row in &bot.history {
            learning.observe(observed(row, Some(row.region)));
        }
        let proposed = learning.propose(&Settings::house(), None).unwrap();
        assert_eq!(proposed.content().mode, Mode::Enforce, "{}", bot.agent);
        let approval = BaselineApproved {
            agent: bot.agent,
            approvals: vec!["officer/officer-1/1".to_owned()],
            baseline: proposed.digest(),
            version: proposed.content().version,
        };
        let baseline = proposed.approve(&approval).unwrap();
        let mut state = ScorerState::NEW;
        let own = scenario.steps.iter().filter(|step| step.row.agent == bot.agent);
        let scores = own.map(|step| {
            let region = (step.from != NOWHERE).then_some(step.row.region);
            let observation = observed(&step.row, region);
            let scored = score(&baseline, &state, &observation);
            state.apply(scored.record(), &observation);
            scored.score()
        });
        scores.max().unwrap_or_default()
    }

    /// The story comes out by the scorer for several seeds, not for one that was found. Control: a `DRIFT_SIZE` of 1.1, or a
    /// runaway of rate and size 1, turns it red.
    #[test]
    fn misfortunes_show_in_the_score_and_nothing_else_does() {
        for seed in [DEFAULT_SEED, 1, 2, 3] {
            let scenario = Scenario::of(seed, TRADING_DAYS, true);
            for bot in &scenario.bots {
                let (least, most) = match bot.fate {
                    Fate::RunsAway | Fate::KeyStolen => (850_000, 1_000_000),
                    Fate::Drifts => (750_000, 1_000_000),
                    Fate::Unharmed | Fate::Replays => (0, 749_999),
                };
                let score = highest(&scenario, bot);
                assert!((least..=most).contains(&score), "seed {seed}, {}: {score}", bot.agent);
            }
        }
    }
}
