//! Counters of one gateway, in Prometheus' text form. No label is ever a serial or an order id.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {
        /// Counters of one gateway.
        #[derive(Debug, Default)]
        pub struct Metrics { $($(#[doc = $doc])* pub $name: AtomicU64,)* }

        impl Metrics {
            /// The counters in Prometheus' text exposition format, version 0.0.4.
            #[must_use]
            pub fn render(&self, gateway: &str) -> String {
                let mut text = String::new();
                $(
                    let name = concat!("mandatum_gateway_", stringify!($name), "_total");
                    let value = self.$name.load(Ordering::Relaxed);
                    let _ = writeln!(text, "# HELP {name}{}", concat!($($doc),*));
                    let _ = writeln!(text, "# TYPE {name} counter\n{name}{{gateway=\"{gateway}\"}} {value}");
                )*
                text
            }
        }
    };
}

counters! {
    /// Orders decided.
    orders,
    /// Orders permitted.
    permits,
    /// Orders refused.
    refusals,
    /// Agents halted by their score.
    halts,
    /// Orders whose outcome at the venue is or was in doubt.
    doubts,
    /// Permits that were not sent.
    withheld,
    /// Messages above the bound, counted and not read.
    unread,
    /// Bodies that were no order.
    malformed,
    /// Orders at the venue, under our credential, that no permit explains.
    foreign_orders,
    /// Trades at the venue, under our credential, that no permit explains.
    foreign_trades,
    /// Times that a venue was told not to cancel what rests there.
    dead_man_beats,
    /// Times that a venue was left to cancel what rests there, since not all was well.
    dead_man_withheld,
    /// Decisions taken again because another writer was first.
    conflicts,
    /// Orders refused because the ledger could not record.
    unavailable,
    /// Connections that did not reach a request.
    failed_handshakes,
}

impl Metrics {
    /// Adds one.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
