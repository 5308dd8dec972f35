//! What the world's bots bring along: mandates, a history, orders.

use super::*;

/// Orders of working hours, log-normal about 1,000 EUR, the same in every run.
pub(super) fn history() -> Vec<anomaly::Observation> {
    let mut random = 7_u64;
    let mut below = |limit: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    let mut seen = Vec::new();
    for day in 0..14 {
        for _ in 0..25 + below(11) {
            let normal = (0..12).map(|_| below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0;
            let cents = (100_000.0 * (0.5 * normal).exp()) as i128;
            let micros = (7 * 3_600_000_000 + below(11 * 3_600_000_000)) as i64;
            let first = Timestamp::parse("2026-11-02T00:00:00Z").expect("time");
            seen.push(anomaly::Observation {
                at: first.plus_seconds(day * 86_400).plus_micros(micros),
                counterparty: Counterparty::new(EXCHANGE).expect("name"),
                currency: "EUR".parse().expect("unit"),
                instrument: "BTC_EUR".parse().expect("instrument"),
                notional: extensions::Decimal::new(cents, 2),
                refused: false,
                region: Some("eu-west-1".parse().expect("region")),
            });
        }
    }
    seen.sort_by_key(|observation| observation.at);
    seen
}

/// The baseline that history makes.
pub fn proposed(name: &str) -> anomaly::ProposedBaseline {
    let mut learning = anomaly::Learning::new(agent(name));
    history().into_iter().for_each(|seen| learning.observe(seen));
    let proposed = learning.propose(&anomaly::Settings::house(), None).expect("fits");
    let content = proposed.content();
    assert_eq!(content.mode, anomaly::Mode::Enforce, "{:?}", content.report);
    proposed
}

/// An order forty times the usual size.
pub fn runaway(id: &str) -> String {
    order(id).replace(r#""quantity":"1""#, r#""quantity":"450""#)
}

pub(super) fn envelope() -> AuthorityLimits {
    let text = r#"{"counterparties":"any","hours":["always"],"instruments":"any","order_proof":false,"order_rates":["100000/1s"],"order_types":["limit","market","stop_limit","stop_market"],"per_day":["EUR 100000000"],"per_order":["EUR 1000000"],"price_collar_bps":500,"regions":"any"}"#;
    AuthorityLimits::for_ca(serde_json::from_str(text).expect("limits"))
}

/// A mandate that trades BTC_EUR, scored by nobody: scoring is observed far into the future.
pub fn document(agent: &str) -> MandateDocument {
    document_with(
        agent,
        ["cancel_all", "freeze", "observe until 2030-01-01T00:00:00.000000Z"],
    )
}

/// The same, with its own `on_halt`, `on_unanswered_warning` and `scoring`.
pub fn document_with(agent: &str, [on_halt, unanswered, scoring]: [&str; 3]) -> MandateDocument {
    let text = format!(
        r#"{{"agent":"{agent}","conduct":{{"on_halt":"{on_halt}","on_unanswered_warning":"{unanswered}","repeat_window_ms":0,"scoring":"{scoring}"}},"declared_model":"m","environment":"sandbox","expires":"2027-01-01T00:00:00.000000Z","limits":{{"counterparties":["{EXCHANGE}"],"hours":["always"],"instruments":["BTC_EUR"],"order_proof":false,"order_rates":["100000/1s"],"order_types":["limit","market","stop_market"],"per_day":["EUR 50000000"],"per_order":["EUR 50000"],"price_collar_bps":200,"regions":["eu-west-1"]}},"mandate":"m-{agent}","owner":"desk","purpose_commitment":"{zero}","rationale_commitment":"{zero}","version":1}}"#,
        zero = "0".repeat(64),
    );
    let document: MandateDocument = serde_json::from_str(&text).expect("document");
    document.check().expect("document");
    document
}

/// A small limit order.
pub fn order(id: &str) -> String {
    format!(
        r#"{{"client_order_id":"{id}","instrument":"BTC_EUR","side":"buy","type":"limit","quantity":"1","price":"100","currency":"EUR","counterparty":"{EXCHANGE}","time_in_force":"gtc"}}"#
    )
}

/// The id an agent of `AgentId::new(name)` has.
pub fn agent(name: &str) -> AgentId {
    AgentId::new(name).expect("id")
}

/// An officer's approval, unsigned: for events that a fold alone reads.
pub fn yes(officer: &str) -> extensions::ApprovalRecord {
    extensions::ApprovalRecord {
        decision: extensions::ApprovalDecision::Approve,
        document: extensions::Digest::default(),
        key: extensions::Digest::default(),
        nonce: extensions::Digest::default(),
        officer: officer.parse().expect("id"),
        passkey: None,
        signature: extensions::Base64(Vec::new()),
    }
}
