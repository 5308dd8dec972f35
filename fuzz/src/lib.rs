//! Every parser of hostile bytes as a plain function over bytes. A target may not panic, and panics itself when its law breaks.
//!
//! They run on stable Rust: `tests/corpus.rs` takes each over its corpus and over seeded mutations of it (`soak`: a million
//! each). A coverage-guided fuzzer can call the same functions.

pub mod mutate;

use gateway_policy::Order;
use gateway_service::listener::proxy_protocol::{FIXED_LENGTH, inspect_fixed, parse};

/// A parser under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: the folder of its corpus.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "limits",
        run: extensions::fuzz::fuzz_limits,
    },
    Target { name: "csr", run: csr },
    Target {
        name: "order",
        run: order,
    },
    Target {
        name: "ocsp",
        run: ocsp,
    },
    Target {
        name: "entry",
        run: entry,
    },
    Target {
        name: "proxy",
        run: proxy,
    },
    Target {
        name: "row",
        run: anomaly::import::fuzz_row,
    },
    Target {
        name: "reply",
        run: gateway_service::venue::binance::fuzz_reply,
    },
    Target {
        name: "reply_kraken",
        run: gateway_service::venue::kraken::fuzz_kraken_reply,
    },
    Target {
        name: "form_kraken",
        run: gateway_service::api::fuzz_kraken_form,
    },
    Target {
        name: "oid",
        run: extensions::fuzz::fuzz_oid,
    },
    Target {
        name: "certificate",
        run: extensions::fuzz::fuzz_certificate,
    },
    Target {
        name: "mandate",
        run: extensions::fuzz::fuzz_mandate,
    },
    Target {
        name: "reserve",
        run: ledger::reserve::fuzz_reserve,
    },
    Target {
        name: "note",
        run: ledger::checkpoint::fuzz_note,
    },
    Target {
        name: "line",
        run: ledger::export::fuzz_line,
    },
    Target {
        name: "json",
        run: console::fuzz_json,
    },
    Target {
        name: "passkey",
        run: console::fuzz_passkey,
    },
    Target {
        name: "stream",
        run: gateway_service::api::fuzz_stream_message,
    },
    Target {
        name: "fix_message",
        run: gateway_service::fix::fuzz_message,
    },
];

/// A request that is accepted names its own bytes, and has a key of ours.
fn csr(data: &[u8]) {
    if let Ok(inspected) = ca_core::csr::inspect(data) {
        assert_eq!(inspected.digest(), extensions::Digest::of(data));
        assert!(!inspected.spki().is_empty());
    }
}

/// An order that is accepted says the same again in our own serialisation, and its amounts are above zero.
fn order(data: &[u8]) {
    if let Ok(parsed) = Order::from_json(data) {
        assert!(parsed.order.quantity.is_positive());
        let ours = extensions::canonical::to_vec(&*parsed.order);
        let again = Order::from_json(&ours).expect("our own serialisation is an order");
        assert_eq!(again.order, parsed.order);
        assert_eq!(again.order.body_digest(), parsed.order.body_digest());
    }
}

/// A status request that is read can be answered from the cache by one key.
fn ocsp(data: &[u8]) {
    if let Ok(query) = revocation_core::ocsp::parse_request(data) {
        let _ = (query.has_nonce(), query.cache_key());
    }
}

fn entry(data: &[u8]) {
    ledger::entry::fuzz_entry(data);
    ledger::events::fuzz_event(data);
}

/// A header that is read was announced with its length.
fn proxy(data: &[u8]) {
    let Some((fixed, rest)) = data.split_first_chunk::<FIXED_LENGTH>() else {
        return;
    };
    if let Ok(length) = inspect_fixed(fixed) {
        let _ = parse(fixed, rest.get(..length).unwrap_or(rest));
    }
}
