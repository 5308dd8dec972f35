//! Attacks injected behind the agent's own history: of each kind, the smallest that the proposed baseline would catch.

use extensions::{Counterparty, Decimal, Digest, Instrument, Region};

use super::Row;
use crate::{
    admission::MUST_CATCH,
    baseline::{BaselineContent, PowerCheck},
    observation::Observation,
    scale::REVOKE,
    score::judge,
    state::ScorerState,
};

/// Orders injected per attack.
const MOST_ORDERS: u32 = 200;
/// A name no history has; valid as instrument, and in lower case as counterparty and region.
const NEVER_SEEN: &str = "NEVER-SEEN";

/// A kind of attack and its strengths, hundredths, from weak to strong.
#[derive(Clone, Copy)]
enum Attack {
    /// One of its own orders again and again, this many a minute.
    Runaway,
    /// From a region never seen.
    Region,
    /// This share on an instrument never seen.
    Instrument,
    /// This share with a counterparty never seen.
    Counterparty,
    /// All orders this many hours later.
    Shift,
    /// All orders this many times as large.
    Larger,
    /// This many orders, each at or below the median, for each one.
    Salami,
}

use Attack::{Larger, Runaway, Salami, Shift};

const KINDS: [(&str, Attack, &[u32]); 7] = [
    ("runaway", Runaway, &[600, 2_000, 6_000, 20_000]),
    ("new_region", Attack::Region, &[100]),
    ("new_instrument", Attack::Instrument, &[5, 10, 20, 50, 100]),
    ("new_counterparty", Attack::Counterparty, &[5, 10, 20, 50, 100]),
    ("off_hours", Shift, &[200, 400, 600, 900, 1_200]),
    ("larger_orders", Larger, &[150, 200, 300, 500, 1_000, 5_000]),
    ("salami", Salami, &[150, 200, 300, 500, 1_000]),
];

/// Where the attacks begin: in the middle of the history, with the counters of what came before.
pub(super) struct Field<'a> {
    rows: &'a [Row],
    from: usize,
    state: ScorerState,
    median: Option<Decimal>,
}

impl<'a> Field<'a> {
    pub(super) fn of(rows: &'a [Row]) -> Self {
        let from = rows.len() / 2;
        let mut state = ScorerState::NEW;
        rows[..from].iter().for_each(|row| state.observe(&row.observation));
        let mut sizes: Vec<Decimal> = rows.iter().filter_map(|row| row.observation.notional).collect();
        sizes.sort_unstable();
        let median = sizes.get(sizes.len().saturating_sub(1) / 2).copied();
        Self {
            rows,
            from,
            state,
            median,
        }
    }

    /// The attacks that decide on admission, at full strength.
    pub(super) fn decisive(&self, content: &BaselineContent) -> Vec<PowerCheck> {
        let kinds = KINDS.into_iter().filter(|(name, ..)| MUST_CATCH.contains(name));
        kinds
            .map(|(name, attack, strengths)| self.check(content, name, attack, strengths[strengths.len() - 1]))
            .collect()
    }

    /// Of each kind the smallest that is caught, or the largest that is not.
    pub(super) fn smallest(&self, content: &BaselineContent) -> Vec<PowerCheck> {
        KINDS
            .into_iter()
            .map(|(name, attack, strengths)| {
                let mut best = None;
                for strength in strengths.iter().rev() {
                    let check = self.check(content, name, attack, *strength);
                    let caught = check.orders.is_some();
                    if caught || best.is_none() {
                        best = Some(check);
                    }
                    if !caught {
                        break;
                    }
                }
                best.unwrap_or_else(|| self.check(content, name, attack, strengths[0]))
            })
            .collect()
    }

    fn check(&self, content: &BaselineContent, name: &str, attack: Attack, strength: u32) -> PowerCheck {
        let mut state = self.state;
        let (mut injected, mut days, mut day, mut caught) = (0, 0, i64::MIN, None);
        for (observation, hostile) in self
            .orders(attack, strength)
            .into_iter()
            .take(20 * MOST_ORDERS as usize)
        {
            injected += u32::from(hostile);
            if hostile && observation.at.day() != day {
                (days, day) = (days + 1, observation.at.day());
            }
            let record = judge(content, Digest([0; 32]), &state, &observation);
            state.apply(&record, &observation);
            if record.score >= REVOKE && injected > 0 {
                caught = Some(injected);
                break;
            }
            if injected >= MOST_ORDERS {
                break;
            }
        }
        PowerCheck {
            attack: name.to_owned(),
            days: caught.map(|_| days),
            orders: caught,
            strength,
            tried: MOST_ORDERS,
        }
    }

    /// The orders that arrive, and which of them are the attacker's.
    fn orders(&self, attack: Attack, strength: u32) -> Vec<(Observation, bool)> {
        let lower = NEVER_SEEN.to_ascii_lowercase();
        // Every `every`th order: a share without chance.
        let every = (100 / strength.max(1)).max(1) as usize;
        let each = |change: &mut dyn FnMut(&mut Observation)| -> Vec<(Observation, bool)> {
            let changed = self.repeated().enumerate().map(|(at, mut seen)| {
                let hostile = at % every == 0;
                if hostile {
                    change(&mut seen);
                }
                (seen, hostile)
            });
            changed.collect()
        };
        match attack {
            Runaway => self.looped(strength),
            Salami => self.salami(strength),
            Attack::Region => each(&mut |seen| seen.region = Region::new(&lower).ok()),
            Attack::Instrument => each(&mut |seen| {
                Instrument::new(NEVER_SEEN)
                    .map(|name| seen.instrument = name)
                    .unwrap_or_default();
            }),
            Attack::Counterparty => each(&mut |seen| {
                Counterparty::new(&lower)
                    .map(|name| seen.counterparty = name)
                    .unwrap_or_default();
            }),
            Shift => each(&mut |seen| seen.at = seen.at.plus_seconds(i64::from(strength) * 36)),
            Larger => each(&mut |seen| {
                let factor = Decimal::new(i128::from(strength), 2);
                seen.notional = seen
                    .notional
                    .zip(factor)
                    .and_then(|(size, factor)| size.checked_mul(factor));
            }),
        }
    }

    /// The history from the middle on, then again from its start, by whole weeks later.
    fn repeated(&self) -> impl Iterator<Item = Observation> {
        let (rows, from) = (self.rows, self.from);
        let weeks = rows.last().map_or(0, |last| last.day - rows[0].day) / 7 + 1;
        let most = 20 * MOST_ORDERS as usize;
        rows.iter()
            .cycle()
            .enumerate()
            .skip(from)
            .take(most)
            .map(move |(at, row)| {
                let round = (at / rows.len()) as i64;
                Observation {
                    at: row.observation.at.plus_seconds(round * weeks * 7 * 86_400),
                    ..row.observation
                }
            })
    }

    fn looped(&self, per_minute: u32) -> Vec<(Observation, bool)> {
        let last = self.rows[self.from].observation;
        let gap = 6_000_000_000 / i64::from(per_minute.max(1));
        let each = (1..=i64::from(MOST_ORDERS)).map(|order| {
            (
                Observation {
                    at: last.at.plus_micros(order * gap),
                    ..last
                },
                true,
            )
        });
        each.collect()
    }

    fn salami(&self, strength: u32) -> Vec<(Observation, bool)> {
        let mut all = Vec::new();
        let mut owed = 0;
        for seen in self.repeated().take(MOST_ORDERS as usize) {
            owed += strength;
            for part in 0..owed / 100 {
                let size = seen.notional.zip(self.median).map(|(own, median)| own.min(median));
                // A quarter of an hour apart, in hours of its own.
                let at = seen.at.plus_seconds(i64::from(part) * 900);
                all.push((
                    Observation {
                        at,
                        notional: size,
                        ..seen
                    },
                    true,
                ));
            }
            owed %= 100;
        }
        all.sort_by_key(|(seen, _)| seen.at);
        all
    }
}
