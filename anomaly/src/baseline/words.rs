//! A baseline in words: what an officer reads before signing, line by line.

use super::{BaselineContent, Change, Expected, Mode, PowerCheck};
use crate::{detector::Detector, window::SPAN_WORDS};

impl BaselineContent {
    /// The report in plain words, one line each, worst news first.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let report = &self.report;
        let mut lines = vec![match self.mode {
            Mode::Enforce => format!(
                "Admitted{}: a score of 0.85 halts and revokes, 0.75 warns, unless the house has set other levels.",
                match (self.channels.order, self.channels.day) {
                    (true, true) => "",
                    (true, false) => ", by single orders only",
                    _ => ", by days only",
                }
            ),
            Mode::WarnOnly => "Not admitted: certificate limits and warnings only, no revocation by score.".to_owned(),
        }];
        lines.extend(report.reasons.iter().map(|reason| format!("Why: {reason}.")));
        lines.push(format!(
            "History: {} orders ({} refused) on {} active days of {}; {} instruments, {} of 168 hours, regions: {}.",
            report.orders,
            report.refused,
            report.active_days,
            report.days,
            report.instruments_seen,
            report.hours_seen,
            self.regions
                .iter()
                .map(|region| region.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ));
        for size in &self.sizes.currencies {
            lines.push(format!(
                "Size in {}: p50 {}, p99 {}.",
                size.currency, size.p50, size.p99
            ));
        }
        for (rate, span) in self.rates.iter().zip(SPAN_WORDS) {
            lines.push(format!("Rate: p50 {} and p99 {} {span}.", rate.p50, rate.p99));
        }
        lines.push(format!(
            "New names: {} of a day's orders on new instruments, {} with new counterparties.",
            share(self.instruments.unseen_ppb),
            share(self.counterparties.unseen_ppb)
        ));
        lines.push(expected("revocations", &report.false_revocations));
        lines.push(expected("warnings", &report.false_warnings));
        lines.extend(report.power.iter().map(caught));
        lines.extend(report.trends.iter().map(|trend| {
            format!(
                "CAUTION: within the history {} rises to {} times; days in no order would show it in {} of cases. Somebody may be teaching the baseline.",
                trend.component.as_str(),
                hundredths(u64::from(trend.times)),
                share(trend.p)
            )
        }));
        lines.extend(report.slow.iter().filter(|one| one.flagged).map(|one| {
            format!(
                "CAUTION: over {} weeks {} drifted from the first baseline, whatever was approved between.",
                one.weeks,
                one.component.as_str()
            )
        }));
        lines.extend(report.changes.iter().map(changed));
        lines.extend(self.not_added_up());
        lines
    }

    /// The detectors whose evidence is not added up over orders.
    fn not_added_up(&self) -> Option<String> {
        let steps = Detector::ALL.iter().zip(&self.drift);
        let off: Vec<&str> = steps
            .filter(|(_, step)| step.theta == 0)
            .map(|(one, _)| one.as_str())
            .collect();
        let named = || format!("Not added up, since its days differ too much: {}.", off.join(", "));
        (!off.is_empty()).then(named)
    }
}

fn expected(what: &str, expected: &Expected) -> String {
    format!(
        "Expected false {what} a year: {} by the score's meaning, an extrapolation; {} in its own replay, which by itself allows {} to {} a \
         year (95 %).",
        thousandths(expected.promised_milli),
        expected.seen,
        thousandths(expected.lower_milli),
        thousandths(expected.upper_milli)
    )
}

fn changed(change: &Change) -> String {
    format!(
        "{}{}: {} -> {} (against the {} baseline).",
        if change.beyond_cap {
            "BEYOND THE CAP: "
        } else {
            "Change: "
        },
        change.what,
        change.from,
        change.to,
        if change.from_first { "first" } else { "current" }
    )
}

/// The strength of an attack in words.
fn strength(check: &PowerCheck) -> String {
    let share = check.strength;
    match check.attack.as_str() {
        "runaway" => format!("{} orders a minute", share / 100),
        "new_instrument" | "new_counterparty" => format!("{share} % of orders"),
        "off_hours" => format!("{} hours later", share / 100),
        "larger_orders" => format!("{} times as large", hundredths(u64::from(share))),
        "salami" => format!("{} times as many, none above the median", hundredths(u64::from(share))),
        _ => "all orders".to_owned(),
    }
}

fn caught(check: &PowerCheck) -> String {
    let (attack, strength) = (check.attack.replace('_', " "), strength(check));
    match (check.orders, check.days) {
        (Some(orders), Some(days)) => {
            format!(
                "Attack \"{attack}\": the smallest that is caught is {strength}, after {orders} orders, on day {days}."
            )
        }
        _ => format!(
            "Attack \"{attack}\": NOT caught at {strength} within {} orders.",
            check.tried
        ),
    }
}

fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

fn thousandths(value: u64) -> String {
    format!("{}.{:03}", value / 1_000, value % 1_000)
}

fn share(ppb: u32) -> String {
    format!("{}.{:02} %", ppb / 10_000_000, ppb / 100_000 % 100)
}

#[cfg(test)]
mod tests {
    use crate::sample;

    #[test]
    fn an_officer_can_read_it() {
        let words = sample::proposed(&sample::orders(1, 0, 14))
            .content()
            .in_words()
            .join("\n");
        for part in [
            "Admitted: a score of 0.85",
            "on 14 active days of 14; 5 instruments",
            "regions: eu-west-1.",
            "Size in EUR: p50 ",
            "orders in 1 min.",
            "0.100 by the score's meaning, an extrapolation; 0 in its own replay",
            "4.000 by the score's meaning",
            "Attack \"new region\": the smallest that is caught is all orders, after ",
        ] {
            assert!(words.contains(part), "{part} not in\n{words}");
        }
        let thin = sample::proposed(&sample::orders(1, 0, 3)).content().in_words();
        assert!(thin[0].starts_with("Not admitted"), "{thin:?}");
        let why = |line: &String| line.starts_with("Why: the history spans 3 days");
        assert!(thin.iter().any(why), "{thin:?}");
    }
}
