//! A mandate as an officer reads it, and what changed between two.

use std::fmt::Write;

use super::{MandateDocument, OnHalt, OnUnansweredWarning, Scoring};
use crate::limits::{Authority, LimitsDocument, ScopeDocument};

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changed: a member of the document.
    pub what: &'static str,
    /// As it was.
    pub old: String,
    /// As it would be.
    pub new: String,
    /// Whether the new grants more than the old: never without officers' new approval.
    pub wider: bool,
}

impl std::fmt::Display for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wider = if self.wider { "  (WIDER)" } else { "" };
        write!(formatter, "{}: {} -> {}{wider}", self.what, self.old, self.new)
    }
}

impl MandateDocument {
    /// The document in plain words, one statement a line; every member of it is said.
    #[must_use]
    pub fn plain_words(&self) -> String {
        let mut out = String::with_capacity(2_048);
        let mut line = |label: &str, text: &str| {
            // writing to a String cannot fail
            let _ = writeln!(out, "{label:<22}{text}");
        };
        line(
            "Mandate",
            &format!("{} (document version {})", self.mandate, self.version),
        );
        line(
            "Agent",
            &format!("{} of owner {}, {}", self.agent, self.owner, self.environment),
        );
        line(
            "Ends",
            &format!("{}; no certificate under it lives longer", self.expires),
        );
        line(
            "Declared model",
            &format!("{} (declared by the operator, not verified)", self.declared_model),
        );
        let code = self
            .declared_code_digest
            .map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        line(
            "Declared code",
            &format!("{code} (declared by the operator, not verified)"),
        );
        for (label, text) in limits_in_words(&self.limits) {
            line(label, &text);
        }
        line("On a halt", on_halt(self.conduct.on_halt));
        line("Unanswered warning", on_warning(self.conduct.on_unanswered_warning));
        line("Scoring", &scoring(self.conduct.scoring));
        line("Repeats", &repeats(self.conduct.repeat_window_ms));
        for (label, text) in self.conduct.bounds_in_words() {
            if let Some(text) = text {
                line(label, &text);
            }
        }
        if let Some(hours) = self.conduct.probation_hours {
            let text = format!(
                "signed ahead: opens only after a halt for behaviour, once an on-call person and an officer activate it, for {hours} h"
            );
            line("Probation", &text);
        }
        line("Purpose, sealed", &self.purpose_commitment.to_string());
        line("Rationale, sealed", &self.rationale_commitment.to_string());
        out
    }

    /// What differs in `new`, member by member, widenings marked. Empty when the documents are equal.
    #[must_use]
    pub fn diff(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut compare = |what, old: String, new: String, wider| {
            if old != new {
                changes.push(Change { what, old, new, wider });
            }
        };
        let digest = |document: &Self| {
            document
                .declared_code_digest
                .map_or_else(|| "none".to_owned(), |d| d.to_string())
        };
        compare("mandate", self.mandate.to_string(), new.mandate.to_string(), false);
        compare("agent", self.agent.to_string(), new.agent.to_string(), true);
        compare("owner", self.owner.to_string(), new.owner.to_string(), false);
        compare(
            "environment",
            self.environment.to_string(),
            new.environment.to_string(),
            true,
        );
        compare(
            "expires",
            self.expires.to_string(),
            new.expires.to_string(),
            new.expires > self.expires,
        );
        compare(
            "declared_model",
            self.declared_model.clone(),
            new.declared_model.clone(),
            false,
        );
        compare("declared_code_digest", digest(self), digest(new), false);
        for (what, old, new, wider) in limits_changes(&self.limits, &new.limits) {
            compare(what, old, new, wider);
        }
        let (old, conduct) = (&self.conduct, &new.conduct);
        let softer = old.on_halt == OnHalt::CancelAll;
        compare(
            "on_halt",
            on_halt(old.on_halt).to_owned(),
            on_halt(conduct.on_halt).to_owned(),
            softer,
        );
        let softer = conduct.on_unanswered_warning < old.on_unanswered_warning;
        let (was, is) = (
            on_warning(old.on_unanswered_warning),
            on_warning(conduct.on_unanswered_warning),
        );
        compare("on_unanswered_warning", was.to_owned(), is.to_owned(), softer);
        let softer = match (old.scoring, conduct.scoring) {
            (_, Scoring::Enforce) => false,
            (Scoring::Enforce, Scoring::ObserveUntil(_)) => true,
            (Scoring::ObserveUntil(old), Scoring::ObserveUntil(new)) => new > old,
        };
        compare("scoring", old.scoring.to_string(), conduct.scoring.to_string(), softer);
        let softer = conduct.repeat_window_ms < old.repeat_window_ms;
        compare(
            "repeat_window_ms",
            old.repeat_window_ms.to_string(),
            conduct.repeat_window_ms.to_string(),
            softer,
        );
        let hours = |hours: Option<u8>| hours.map_or_else(|| "none".to_owned(), |hours| format!("{hours} h"));
        // Whoever takes the mark away makes an everyday mandate of one for emergencies.
        let softer = old
            .probation_hours
            .is_some_and(|was| conduct.probation_hours.is_none_or(|is| is > was));
        compare(
            "probation_hours",
            hours(old.probation_hours),
            hours(conduct.probation_hours),
            softer,
        );
        for bound in old.bounds_beside(conduct) {
            compare(bound.what, bound.old, bound.new, bound.wider);
        }
        let (was, is) = (self.purpose_commitment, new.purpose_commitment);
        compare("purpose_commitment", was.to_string(), is.to_string(), false);
        let (was, is) = (self.rationale_commitment, new.rationale_commitment);
        compare("rationale_commitment", was.to_string(), is.to_string(), false);
        compare("version", self.version.to_string(), new.version.to_string(), false);
        changes
    }
}

fn scope(document: &ScopeDocument) -> String {
    match document {
        ScopeDocument::Word(word) => word.clone(),
        ScopeDocument::Names(names) => names.join(", "),
    }
}

fn limits_in_words(limits: &Authority) -> [(&'static str, String); 10] {
    let LimitsDocument {
        counterparties,
        hours,
        instruments,
        order_proof,
        order_rates: _,
        order_types,
        per_day,
        per_order,
        price_collar_bps,
        regions,
    } = LimitsDocument::from(limits);
    let kinds = if order_types.is_empty() {
        "none at all".to_owned()
    } else {
        order_types.join(", ")
    };
    let rates: Vec<String> = limits
        .order_rates()
        .iter()
        .map(|r| format!("{} in {} s", r.count(), r.seconds()))
        .collect();
    let proof = if order_proof {
        "each order must carry the bot's own signature"
    } else {
        "not demanded"
    };
    let percent = format!("{}.{:02} %", price_collar_bps / 100, price_collar_bps % 100);
    [
        (
            "One order, at most",
            format!("{}; nothing in any other unit", per_order.join(", ")),
        ),
        (
            "One day, at most",
            format!("{} per UTC day, filled plus open", per_day.join(", ")),
        ),
        ("Messages, at most", rates.join(", ")),
        ("Instruments", scope(&instruments)),
        ("Counterparties", scope(&counterparties)),
        ("Regions", scope(&regions)),
        ("Hours (UTC)", hours.join("; ")),
        ("Order types", kinds),
        (
            "Price collar",
            format!("at most {price_collar_bps} basis points ({percent}) worse than the reference price"),
        ),
        ("Order signatures", proof.to_owned()),
    ]
}

/// Each dimension's text form before and after, and whether the new one is wider in it.
fn limits_changes(old: &Authority, new: &Authority) -> Vec<(&'static str, String, String, bool)> {
    const NAMES: [&str; 10] = [
        "limits.per_order",
        "limits.per_day",
        "limits.order_rates",
        "limits.instruments",
        "limits.counterparties",
        "limits.regions",
        "limits.hours",
        "limits.order_types",
        "limits.price_collar_bps",
        "limits.order_proof",
    ];
    let wider = new.wider_dimensions(old);
    limits_in_words(old)
        .into_iter()
        .zip(limits_in_words(new))
        .zip(NAMES)
        .zip(wider)
        .map(|((((_, old), (_, new)), name), wider)| (name, old, new, wider))
        .collect()
}

fn on_halt(on_halt: OnHalt) -> &'static str {
    match on_halt {
        OnHalt::CancelAll => "cancel every open order",
        OnHalt::CancelRiskIncreasing => "cancel open orders that increase risk, keep protective ones",
    }
}

fn on_warning(default: OnUnansweredWarning) -> &'static str {
    match default {
        OnUnansweredWarning::ReduceOnly => "only reductions are permitted",
        OnUnansweredWarning::Freeze => "nothing is permitted until officers resume",
        OnUnansweredWarning::Revoke => "the certificate is revoked",
    }
}

fn scoring(scoring: Scoring) -> String {
    match scoring {
        Scoring::Enforce => "enforced: warn at 0.75, halt at 0.85, or where the house has set its levels".to_owned(),
        Scoring::ObserveUntil(until) => format!("observed only, nothing is done, until {until}; enforced from then on"),
    }
}

fn repeats(window_ms: u32) -> String {
    match window_ms {
        0 => "not looked for".to_owned(),
        ms => format!("an order like the last one within {ms} ms is refused"),
    }
}
