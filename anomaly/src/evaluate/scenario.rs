//! What is injected: attacks that must be caught, and clean controls that must not. Each turns the orders the agent would have
//! sent into the orders that arrive.

use extensions::{Counterparty, Decimal, Instrument, Region};

use super::seeded::Seeded;
use crate::{components::Component, observation::Observation};

/// One day in microseconds.
const DAY: i64 = 86_400_000_000;
/// A name no history has; in lower case valid as counterparty and region too.
const NEVER_SEEN: &str = "NEVER-SEEN";

/// An attack or a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Its name in reports.
    pub name: &'static str,
    /// The components that carry what was injected; empty where none is singled out.
    pub injects: &'static [Component],
    /// Whether it must not fire.
    pub control: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Times(u64),
    TenMaxima,
    Loop { mixed: bool },
    Instrument(u64),
    Shift(i64),
    Region,
    Counterparty,
    RampByOrder,
    RampByDay,
    Salami,
    Replay,
    Mimicry,
    Surge,
    Listing,
    Outage,
}

/// An order of a scenario, and whether it was injected or changed.
#[derive(Debug, Clone, Copy)]
pub struct Injected {
    /// The order.
    pub seen: Observation,
    /// Whether it is part of the attack.
    pub attack: bool,
    /// The notional that the agent would have sent instead, zero for an order of the attacker's own.
    pub instead: Option<Decimal>,
}

/// What a scenario draws on besides the stream.
#[derive(Debug)]
pub struct Source<'a> {
    /// The baseline's orders, by time.
    pub history: &'a [Observation],
    /// The stream the agent would send, by time.
    pub stream: &'a [Observation],
}

const fn attack(name: &'static str, injects: &'static [Component], kind: Kind) -> Scenario {
    Scenario {
        name,
        injects,
        control: false,
        kind,
    }
}

const fn control(name: &'static str, kind: Kind) -> Scenario {
    Scenario {
        name,
        injects: &[],
        control: true,
        kind,
    }
}

use Component::{Hour, Instrument as Mix, Origin, Rate, Size};

/// All of them.
pub const SCENARIOS: [Scenario; 21] = [
    attack("fat_finger_x10", &[Size], Kind::Times(10)),
    attack("fat_finger_x50", &[Size], Kind::Times(50)),
    attack("fat_finger_10_maxima", &[Size], Kind::TenMaxima),
    attack("runaway_identical", &[Rate, Mix], Kind::Loop { mixed: false }),
    attack("runaway_mixed", &[Rate], Kind::Loop { mixed: true }),
    attack("new_instrument_100", &[Mix], Kind::Instrument(100)),
    attack("new_instrument_20", &[Mix], Kind::Instrument(20)),
    attack("new_instrument_5", &[Mix], Kind::Instrument(5)),
    attack("off_hours_12h", &[Hour], Kind::Shift(DAY / 2)),
    attack("new_region", &[Origin], Kind::Region),
    attack("counterparty_switch", &[Mix], Kind::Counterparty),
    attack("ramp_order", &[Size], Kind::RampByOrder),
    attack("ramp_day", &[Size], Kind::RampByDay),
    attack("salami_3x", &[Rate, Size], Kind::Salami),
    attack("replay", &[], Kind::Replay),
    attack("mimicry", &[], Kind::Mimicry),
    control("surge", Kind::Surge),
    control("listing", Kind::Listing),
    control("daylight_saving", Kind::Shift(DAY / 24)),
    control("outage", Kind::Outage),
    control("untouched", Kind::Shift(0)),
];

impl Scenario {
    /// A strategy upgrade that was announced; played apart, since it comes with a baseline of its own.
    pub const UPGRADE: Self = control("announced_upgrade", Kind::Shift(0));

    /// The orders that arrive instead of `source.stream`.
    #[must_use]
    pub fn inject(&self, source: &Source<'_>, random: &mut Seeded) -> Vec<Injected> {
        let each = |change: &mut dyn FnMut(usize, &mut Observation) -> bool| -> Vec<Injected> {
            source
                .stream
                .iter()
                .enumerate()
                .map(|(at, seen)| {
                    let mut changed = *seen;
                    let attack = change(at, &mut changed);
                    Injected {
                        seen: changed,
                        attack,
                        instead: seen.notional,
                    }
                })
                .collect()
        };
        match self.kind {
            Kind::Times(factor) => each(&mut |at, seen| at == 0 && times(seen, factor)),
            Kind::TenMaxima => each(&mut |at, seen| at == 0 && ten_maxima(source.history, seen)),
            Kind::Loop { mixed } => looped(source, mixed),
            Kind::Instrument(percent) => each(&mut |_, seen| random.percent(percent) && rename(seen)),
            Kind::Shift(micros) => each(&mut |_, seen| {
                seen.at = seen.at.plus_micros(micros);
                true
            }),
            Kind::Region => each(&mut |_, seen| {
                seen.region = Region::new(&NEVER_SEEN.to_ascii_lowercase()).ok();
                true
            }),
            Kind::Counterparty => each(&mut |_, seen| {
                Counterparty::new(&NEVER_SEEN.to_ascii_lowercase())
                    .map(|name| seen.counterparty = name)
                    .is_ok()
            }),
            Kind::RampByOrder => each(&mut |at, seen| grow(seen, at as i32 + 1, 1.005)),
            Kind::RampByDay => {
                let first = source.stream.first().map_or(0, |seen| seen.at.day());
                each(&mut |_, seen| grow(seen, (seen.at.day() - first) as i32 + 1, 1.01))
            }
            Kind::Salami => salami(source, random),
            Kind::Replay => replayed(source, random),
            Kind::Mimicry => mimicked(source, random),
            Kind::Surge => surge(source, random),
            Kind::Listing => each(&mut |_, seen| random.percent(2) && rename(seen)),
            Kind::Outage => outage(source),
        }
    }
}

fn times(seen: &mut Observation, factor: u64) -> bool {
    seen.notional = seen
        .notional
        .and_then(|notional| notional.checked_mul(Decimal::from(factor)));
    true
}

fn ten_maxima(history: &[Observation], seen: &mut Observation) -> bool {
    let same = history.iter().filter(|past| past.currency == seen.currency);
    let largest = same.filter_map(|past| past.notional).max();
    seen.notional = largest.and_then(|largest| largest.checked_mul(Decimal::from(10)));
    seen.notional.is_some()
}

fn rename(seen: &mut Observation) -> bool {
    Instrument::new(NEVER_SEEN).map(|name| seen.instrument = name).is_ok()
}

/// Multiplies the notional by `factor` to the power of `steps`, to a thousandth.
fn grow(seen: &mut Observation, steps: i32, factor: f64) -> bool {
    let thousandths = (factor.powi(steps.min(2_000)) * 1_000.0).round() as i128;
    let factor = Decimal::new(thousandths, 3);
    seen.notional = seen
        .notional
        .zip(factor)
        .and_then(|(notional, factor)| notional.checked_mul(factor));
    true
}

/// 200 orders in 60 s behind the first order: that one again, or the next ones of the stream.
fn looped(source: &Source<'_>, mixed: bool) -> Vec<Injected> {
    let Some(first) = source.stream.first() else {
        return Vec::new();
    };
    (0..200)
        .map(|at| {
            let model = if mixed {
                source.stream[at % source.stream.len()]
            } else {
                *first
            };
            let seen = Observation {
                at: first.at.plus_millis(at as i64 * 300),
                ..model
            };
            Injected {
                seen,
                attack: true,
                instead: Some(Decimal::ZERO),
            }
        })
        .collect()
}

/// Three orders for each one, at a random place before the next, none above the median.
fn salami(source: &Source<'_>, random: &mut Seeded) -> Vec<Injected> {
    let mut small: Vec<Observation> = source.history.to_vec();
    small.retain(|seen| seen.notional.is_some());
    small.sort_by_key(|seen| seen.notional);
    small.truncate(small.len().div_ceil(2));
    let stream = source.stream;
    let mut all = Vec::new();
    for (at, seen) in stream.iter().enumerate() {
        let gap = stream
            .get(at + 1)
            .map_or(DAY / 24, |next| next.at.micros() - seen.at.micros())
            .clamp(3, DAY / 8);
        for part in 0..3 {
            let late = if part == 0 {
                0
            } else {
                random.below(gap as usize) as i64
            };
            let like = small.get(random.below(small.len())).copied().unwrap_or(*seen);
            all.push(Injected {
                seen: Observation {
                    at: seen.at.plus_micros(late),
                    ..like
                },
                attack: true,
                instead: if part == 0 { seen.notional } else { Some(Decimal::ZERO) },
            });
        }
    }
    all.sort_by_key(|one| one.seen.at);
    all
}

/// The busiest day of the history once more, thirteen hours and a weekday away, over the stream.
fn replayed(source: &Source<'_>, random: &mut Seeded) -> Vec<Injected> {
    let Some(first) = source.stream.first() else {
        return Vec::new();
    };
    let mut days: Vec<i64> = source.history.iter().map(|seen| seen.at.day()).collect();
    days.dedup();
    let day = days[random.below(days.len())];
    let shift = (first.at.day() - day) * DAY + 13 * DAY / 24;
    let again = source
        .history
        .iter()
        .filter(|seen| seen.at.day() == day)
        .map(|seen| Injected {
            seen: Observation {
                at: seen.at.plus_micros(shift),
                ..*seen
            },
            attack: true,
            instead: Some(Decimal::ZERO),
        });
    merged(source.stream, again.collect())
}

/// Orders of the history, drawn at random, at the times of the stream.
fn mimicked(source: &Source<'_>, random: &mut Seeded) -> Vec<Injected> {
    let each = source.stream.iter().map(|seen| {
        let like = source.history[random.below(source.history.len())];
        Injected {
            seen: Observation { at: seen.at, ..like },
            attack: true,
            instead: seen.notional,
        }
    });
    each.collect()
}

/// A day on which the market moves: half as many orders again, half as large again.
fn surge(source: &Source<'_>, random: &mut Seeded) -> Vec<Injected> {
    let Some(first) = source.stream.first() else {
        return Vec::new();
    };
    let day = first.at.day();
    let mut all = Vec::new();
    for seen in source.stream {
        let moved = seen.at.day() == day;
        let mut one = Injected {
            seen: *seen,
            attack: moved,
            instead: seen.notional,
        };
        if moved {
            let half = Decimal::new(15, 1);
            one.seen.notional = seen
                .notional
                .zip(half)
                .and_then(|(notional, half)| notional.checked_mul(half));
        }
        all.push(one);
        if moved && random.percent(50) {
            one.seen.at = one.seen.at.plus_seconds(random.below(1_800) as i64);
            all.push(one);
        }
    }
    all.sort_by_key(|one| one.seen.at);
    all
}

/// Two days of silence, then everything at its time again, with three of the missed orders within five minutes.
fn outage(source: &Source<'_>) -> Vec<Injected> {
    let Some(first) = source.stream.first() else {
        return Vec::new();
    };
    let back = first.at.plus_seconds(2 * 86_400);
    let missed = source
        .stream
        .iter()
        .take_while(|seen| seen.at < back)
        .take(3)
        .enumerate();
    let mut all: Vec<Injected> = missed
        .map(|(at, seen)| Injected {
            seen: Observation {
                at: back.plus_seconds(at as i64 * 100),
                ..*seen
            },
            attack: true,
            instead: seen.notional,
        })
        .collect();
    let later = source.stream.iter().filter(|seen| seen.at >= back);
    all.extend(later.map(|seen| Injected {
        seen: *seen,
        attack: true,
        instead: seen.notional,
    }));
    all.sort_by_key(|one| one.seen.at);
    all
}

fn merged(stream: &[Observation], mut added: Vec<Injected>) -> Vec<Injected> {
    added.extend(stream.iter().map(|seen| Injected {
        seen: *seen,
        attack: false,
        instead: seen.notional,
    }));
    added.sort_by_key(|one| one.seen.at);
    added
}
