//! A baseline in words: what an officer reads before signing, line by line.

use super::{BaselineContent, Mode, PowerCheck};
use crate::window::SPAN_WORDS;

impl BaselineContent {
    /// The report in plain words, one line each, worst news first.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let report = &self.report;
        let mut lines = vec![match self.mode {
            Mode::Enforce => "Admitted: a score of 0.85 halts and revokes, 0.75 warns.".to_owned(),
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
        lines.push(format!(
            "Expected false revocations a year: {} by the score's meaning, an extrapolation; {} in its own replay, which by itself \
             rules out only rates above {} a year (95 %).",
            thousandths(report.false_revocations_promised_milli),
            report.false_revocations_seen,
            thousandths(report.false_revocations_upper_milli)
        ));
        lines.extend(report.power.iter().map(caught));
        lines
    }
}

fn caught(check: &PowerCheck) -> String {
    let attack = check.attack.replace('_', " ");
    match check.orders {
        Some(orders) => format!("Attack \"{attack}\": caught after {orders} orders."),
        None => format!("Attack \"{attack}\": NOT caught within {} orders.", check.tried),
    }
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
            "Attack \"new region\": caught after 2 orders.",
        ] {
            assert!(words.contains(part), "{part} not in\n{words}");
        }
        let thin = sample::proposed(&sample::orders(1, 0, 3)).content().in_words();
        assert!(thin[0].starts_with("Not admitted") && thin[1].starts_with("Why: the history spans 3 days"));
    }
}
