//! A class's figures as a table for a person.

use super::summary::{ClassSummary, CleanSummary, ScenarioSummary};

impl ClassSummary {
    /// The figures in lines of text.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let admitted = self.admissions;
        let mut lines = vec![
            format!(
                "{}: {} agents, baselines of {} active days",
                self.class, self.agents, self.observe_days
            ),
            format!(
                "  admitted {} of {} candidates: {} by order and day, {} by order, {} by day ({} after 28 days); {} limits and warnings only, {} \
                 without enough orders to fit; {} agents have fewer days",
                admitted.both + admitted.order + admitted.day,
                admitted.candidates,
                admitted.both,
                admitted.order,
                admitted.day,
                admitted.extended,
                admitted.warn_only,
                admitted.unfitted,
                admitted.too_short
            ),
        ];
        if self.unread_rows > 0 {
            lines.push(format!("  {} rows did not read and were left out", self.unread_rows));
        }
        lines.extend(clean("admitted", &self.clean));
        lines.extend(clean("warnings only", &self.clean_warn_only));
        if !self.scenarios.is_empty() {
            lines.push(format!(
                "  {:<22} {:>10} {:>7} {:>6}  {:>11} {:>9} {:>17} {:>13} {:>9}  {:<9} channels",
                "scenario",
                "at 0.85",
                "recall",
                "0.75",
                "orders",
                "days",
                "seconds",
                "leaked days",
                "top right",
                "linear"
            ));
            lines.extend(self.scenarios.iter().map(scenario));
            lines.push("    (pairs: median / 90th percentile of those caught; linear: agents at 0.85 / 0.75 of the clipped linear score)".to_owned());
        }
        let taught = self.taught;
        lines.push(format!(
            "  teaching: tenfold ramp within the observation pointed out {} of {} (as it is: {} of {}); threefold next baseline stopped {} of {} (as it \
             is: {} of {})",
            taught.within[0],
            taught.within[1],
            taught.within_clean[0],
            taught.within_clean[1],
            taught.between[0],
            taught.between[1],
            taught.between_clean[0],
            taught.between_clean[1]
        ));
        let nanos = self.nanos.map_or_else(
            || "not timed".to_owned(),
            |[a, b, c]| format!("{a} / {b} / {c} ns (p50 / p99 / p99.9)"),
        );
        lines.push(format!(
            "  one score {nanos}; {} bytes of state per bot; replayed the same {} of {}",
            self.state_bytes, self.replayed[0], self.replayed[1]
        ));
        lines
    }
}

fn clean(who: &str, clean: &CleanSummary) -> Vec<String> {
    if clean.agents == 0 {
        return Vec::new();
    }
    let rate = |what: &str, rate: &super::Rate| {
        format!(
            "{} false {what}: {:.2} a bot-year (95 % {:.2} to {:.2}), promised {:.1}, observed/promised {:.2}",
            rate.seen, rate.per_year, rate.lower, rate.upper, rate.promised, rate.ratio
        )
    };
    let by: Vec<String> = clean
        .revoked_by
        .iter()
        .map(|(by, count)| format!("{count} {by}"))
        .collect();
    vec![
        format!(
            "  clean tails, {who}: {} agents, {:.2} bot-years",
            clean.agents, clean.bot_years
        ),
        format!(
            "    {}{}",
            rate("revocations", &clean.revocations),
            if by.is_empty() {
                String::new()
            } else {
                format!(" ({})", by.join(", "))
            }
        ),
        format!("    {}", rate("warnings", &clean.warnings)),
        format!(
            "    per week and 100 bots {:.2} warnings, {:.2} pages; {:.2} false halts a year for a firm of these bots; clipped linear score at most {:.2}",
            clean.warnings_per_week_per_100,
            clean.pages_per_week_per_100,
            clean.false_halts_per_firm_year,
            f64::from(clean.linear_highest) / 1e6
        ),
    ]
}

fn scenario(one: &ScenarioSummary) -> String {
    let pair = |pair: Option<[f64; 2]>, places: usize| {
        pair.map_or_else(|| "-".to_owned(), |[a, b]| format!("{a:.places$} / {b:.places$}"))
    };
    let channels: Vec<String> = one
        .channels
        .iter()
        .map(|(channel, count)| format!("{channel} {count}"))
        .collect();
    format!(
        "  {:<22} {:>10} {:>7} {:>6}  {:>11} {:>9} {:>17} {:>13} {:>9}  {:<9} {}",
        format!("{}{}", one.scenario, if one.control { " (no)" } else { "" }),
        format!("{} of {}", one.caught, one.tried),
        one.recall
            .map_or_else(|| "-".to_owned(), |recall| format!("{:.1} %", recall * 100.0)),
        one.warned,
        pair(one.orders, 0),
        pair(one.days, 0),
        pair(one.seconds, 0),
        pair(one.leaked_days, 2),
        one.attributed.map_or_else(|| "-".to_owned(), |right| right.to_string()),
        format!("{}/{}", one.linear[0], one.linear[1]),
        channels.join(", ")
    )
}
