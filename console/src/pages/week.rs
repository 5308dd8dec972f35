//! The baseline beside the last week as a drawing: a row a day, an hour a pair of bars, the baseline's and the week's.

use serde::Deserialize;

use super::{
    client::{Client, Refusal, segment},
    render::{Amount, When},
};

/// The drawing's own units: an hour's width, a day's height.
const HOUR: u32 = 28;
const DAY: u32 = 34;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A baseline and a week.
#[derive(Debug, Deserialize)]
pub(super) struct Compared {
    pub(super) baseline: Option<Behaviour>,
    pub(super) week: Week,
}

/// What both sides tell.
#[derive(Debug, Deserialize)]
pub(super) struct Behaviour {
    counterparties: Vec<Share>,
    hours: Vec<u64>,
    instruments: Vec<Share>,
    sizes: Vec<Size>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Week {
    #[serde(flatten)]
    seen: Behaviour,
    pub(super) orders: u64,
    pub(super) since: When,
    /// Whether all of the week was read.
    pub(super) whole: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Share {
    name: String,
    share: u64,
}

#[derive(Debug, Deserialize)]
struct Size {
    currency: String,
    p50: Option<Amount>,
    p99: Option<Amount>,
}

/// One line of the table beside the drawing.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) baseline: String,
    pub(super) week: String,
}

/// The drawing.
pub(super) struct Drawing {
    pub(super) days: Vec<Day>,
    pub(super) width: u32,
    pub(super) height: u32,
}

pub(super) struct Day {
    pub(super) name: &'static str,
    pub(super) bars: Vec<Bar>,
    pub(super) y: u32,
}

pub(super) struct Bar {
    /// `of-baseline` or `of-week`.
    pub(super) class: &'static str,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) height: u32,
}

/// Where the hours begin: the days' names stand before.
const LEFT: u32 = 48;

impl Compared {
    /// Reads the comparison.
    pub(super) async fn of(client: &Client, agent: &str) -> Result<Self, Refusal> {
        client
            .get(&format!("/v1/agents/{}/baselines/compared", segment(agent)))
            .await
    }

    /// None without a baseline.
    pub(super) fn drawing(&self) -> Option<Drawing> {
        let baseline = &self.baseline.as_ref()?.hours;
        let week = &self.week.seen.hours;
        let days = (0..).zip(DAYS).map(|(row, name)| {
            let ground = (row + 1) * DAY - 2;
            let bar = |class, shares: &[u64], hour: u32, beside: u32| {
                // Each by its own busiest hour: a week has fewer active hours than a baseline.
                let most = shares.iter().copied().max().unwrap_or(0).max(1);
                let share = shares.get((row * 24 + hour) as usize).copied().unwrap_or(0);
                let height = u32::try_from(share * u64::from(DAY - 6) / most).unwrap_or(0);
                (height > 0).then_some(Bar {
                    class,
                    x: LEFT + hour * HOUR + beside,
                    y: ground - height,
                    height,
                })
            };
            let pairs = (0..24).flat_map(|hour| {
                [
                    bar("of-baseline", baseline, hour, 2),
                    bar("of-week", week, hour, HOUR / 2),
                ]
            });
            Day {
                name,
                bars: pairs.flatten().collect(),
                y: ground,
            }
        });
        Some(Drawing {
            days: days.collect(),
            width: LEFT + 24 * HOUR,
            height: 7 * DAY,
        })
    }

    /// Names and sizes side by side.
    pub(super) fn rows(&self) -> Vec<Row> {
        let Some(baseline) = &self.baseline else {
            return Vec::new();
        };
        let week = &self.week.seen;
        let mut rows = sizes(&baseline.sizes, &week.sizes);
        rows.extend(names("orders on", &baseline.instruments, &week.instruments));
        rows.extend(names("orders with", &baseline.counterparties, &week.counterparties));
        rows
    }
}

/// A share in millionths as percent.
fn percent(share: u64) -> String {
    format!("{}.{:01} %", share / 10_000, share % 10_000 / 1_000)
}

fn names(what: &str, baseline: &[Share], week: &[Share]) -> Vec<Row> {
    let of = |shares: &[Share], name: &str| shares.iter().find(|one| one.name == name).map(|one| one.share);
    let new = week.iter().filter(|one| of(baseline, &one.name).is_none());
    let all = baseline.iter().chain(new);
    all.map(|one| Row {
        what: format!("{what} {}", one.name),
        baseline: of(baseline, &one.name).map_or_else(|| "never seen".to_owned(), percent),
        week: percent(of(week, &one.name).unwrap_or(0)),
    })
    .collect()
}

fn sizes(baseline: &[Size], week: &[Size]) -> Vec<Row> {
    let told = |amount: &Option<Amount>, currency: &str| match amount {
        Some(amount) => format!("{amount} {currency}"),
        None => "–".to_owned(),
    };
    let mut rows = Vec::new();
    for one in baseline {
        let other = week.iter().find(|other| other.currency == one.currency);
        for (what, was, is) in [
            ("median order", &one.p50, other.map(|other| &other.p50)),
            ("99th of 100 orders", &one.p99, other.map(|other| &other.p99)),
        ] {
            rows.push(Row {
                what: format!("{what} in {}", one.currency),
                baseline: told(was, &one.currency),
                week: told(is.unwrap_or(&None), &one.currency),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(week_hour: usize) -> Compared {
        let mut hours = vec![0_u64; 168];
        hours[0] = 500_000;
        let mut seen = vec![0_u64; 168];
        seen[week_hour] = 1_000_000;
        serde_json::from_value(json!({
            "baseline": {"counterparties": [], "hours": hours, "instruments": [{"name": "BTC_EUR", "share": 1_000_000}], "sizes": [{"currency": "EUR", "p50": "10", "p99": "20"}]},
            "week": {"counterparties": [], "hours": seen, "instruments": [{"name": "DOGE_EUR", "share": 1_000_000}], "orders": 4,
                "since": "2026-11-21T00:00:00.000000Z", "sizes": [], "whole": true},
        }))
        .unwrap()
    }

    /// Every bar stands inside its day's row and hour; each side is drawn by its own busiest hour.
    #[test]
    fn bars_stand_in_their_hour() {
        let drawing = compared(167).drawing().unwrap();
        let (first, last) = (&drawing.days[0].bars[0], &drawing.days[6].bars[0]);
        assert_eq!((first.class, first.x), ("of-baseline", LEFT + 2));
        assert_eq!((last.class, last.x), ("of-week", LEFT + 23 * HOUR + HOUR / 2));
        assert_eq!(last.height, first.height);
        assert!(last.x < drawing.width && last.y + last.height <= drawing.height);
    }

    #[test]
    fn what_the_baseline_never_saw_is_said_so() {
        let rows = compared(0).rows();
        let said: Vec<_> = rows
            .iter()
            .map(|row| format!("{}: {} / {}", row.what, row.baseline, row.week))
            .collect();
        assert!(
            said.contains(&"orders on DOGE_EUR: never seen / 100.0 %".to_owned()),
            "{said:?}"
        );
        assert!(said.contains(&"orders on BTC_EUR: 100.0 % / 0.0 %".to_owned()));
        assert!(said.contains(&"median order in EUR: 10 EUR / –".to_owned()));
    }
}
