//! Values for this crate's tests.

use extensions::{MandateDocument, Random, Timestamp};

/// The operating system's randomness.
pub(crate) struct Ring(ring::rand::SystemRandom);

impl Default for Ring {
    fn default() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Random for Ring {
    fn fill(&mut self, bytes: &mut [u8]) {
        ring::rand::SecureRandom::fill(&self.0, bytes).unwrap();
    }
}

/// 2026-11-20T12:00:00Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

/// A small, valid document.
pub(crate) fn document() -> MandateDocument {
    let text = r#"{"agent":"mm-1","conduct":{"on_halt":"cancel_all","on_unanswered_warning":"freeze","repeat_window_ms":1000,"scoring":"enforce"},"declared_model":"m","environment":"sandbox","expires":"2027-01-01T00:00:00.000000Z","limits":{"counterparties":["exchange_a"],"hours":["Mon-Fri 07:00-20:00"],"instruments":["BTC_EUR"],"order_proof":false,"order_rates":["60/1s"],"order_types":["limit"],"per_day":["EUR 5000000"],"per_order":["EUR 50000"],"price_collar_bps":200,"regions":["eu-west-1"]},"mandate":"m-1","owner":"desk","purpose_commitment":"0000000000000000000000000000000000000000000000000000000000000000","rationale_commitment":"0000000000000000000000000000000000000000000000000000000000000000","version":1}"#;
    let document: MandateDocument = serde_json::from_str(text).unwrap();
    document.check().unwrap();
    document
}
