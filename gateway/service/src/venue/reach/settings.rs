//! Where the venue is, what it lists and how long we wait: the bounds of this adapter in one place.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use extensions::Instrument;
use hyper::Uri;
use thiserror::Error;

use super::{back_off::BackOff, budget::Budget};

/// The most bytes of one order's answer.
pub(in crate::venue) const LONGEST_ORDER_REPLY: usize = 256 << 10;
/// The most bytes of an answer that lists orders or trades.
pub(in crate::venue) const LONGEST_LIST_REPLY: usize = 2 << 20;
/// The most idle connections that are kept.
pub(in crate::venue) const MOST_IDLE: usize = 64;
/// How long an idle connection is kept; venues close theirs later.
pub(in crate::venue) const IDLE_TIME: Duration = Duration::from_secs(20);
/// The most symbols whose prices are asked for in one question.
pub(in crate::venue) const PRICES_PAGE: usize = 100;
/// The most trades asked for in one page (the venue's own bound).
pub(in crate::venue) const TRADES_PAGE: usize = 1_000;

/// How one Binance-shaped venue is reached.
#[derive(Clone)]
pub struct Settings {
    /// `https://api.binance.com`, or a paper venue's `http://127.0.0.1:PORT`.
    pub base: Uri,
    /// Roots and provider for `https`; pinned by the caller. Needed exactly when `base` is `https`.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// What is traded here, with the venue's own symbol: `BTC_EUR` -> `BTCEUR`.
    pub symbols: BTreeMap<Instrument, String>,
    /// How long making a connection may take.
    pub connect_time: Duration,
    /// How long a whole answer may take, counted from the send.
    pub reply_time: Duration,
    /// What the venue has told any adapter made of these settings, or of a clone of them, about asking too much.
    pub back_off: Arc<BackOff>,
    /// What bots' questions about the market may take, of any adapter made of these settings, or of a clone of them.
    pub market: Arc<Budget>,
    /// The venue refuses a message that reaches it later than this after its timestamp, 1 to 60,000 ms.
    pub recv_window_ms: u32,
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The base address.
    #[error("the venue's base address {0} is not http://HOST[:PORT] or https://HOST[:PORT] without a path")]
    Base(String),
    /// TLS where none is, or none where it is.
    #[error("https needs pinned roots, and http takes none")]
    Tls,
    /// Plain HTTP to another machine.
    #[error("plain http is taken for loopback only; use https for {0}")]
    PlainHttp(String),
    /// A symbol.
    #[error("the venue's symbol {0:?} is not 1 to 20 of [A-Z0-9-_.]")]
    Symbol(String),
    /// The receive window.
    #[error("recv_window_ms {0} is outside 1 to 60,000")]
    RecvWindow(u32),
}

impl Settings {
    /// Settings with the documented defaults (connect 1 s, answer 5 s, window 3 s) and symbols made of the instruments
    /// without their separators.
    #[must_use]
    pub fn new(base: Uri, instruments: impl IntoIterator<Item = Instrument>) -> Self {
        let symbol = |instrument: Instrument| (instrument, instrument.as_str().replace(['_', '-'], ""));
        Self {
            base,
            tls: None,
            symbols: instruments.into_iter().map(symbol).collect(),
            connect_time: Duration::from_secs(1),
            reply_time: Duration::from_secs(5),
            back_off: Arc::default(),
            market: Arc::default(),
            recv_window_ms: 3_000,
        }
    }

    /// How long after its send an order can still appear at the venue.
    #[must_use]
    pub fn longest_delay_ms(&self) -> u64 {
        u64::from(self.recv_window_ms) + 1_000
    }

    pub(in crate::venue) fn check(&self) -> Result<(), SettingsError> {
        let base = || SettingsError::Base(self.base.to_string());
        let host = self.base.host().ok_or_else(base)?;
        if !matches!(self.base.path(), "" | "/") || self.base.query().is_some() {
            return Err(base());
        }
        match (self.base.scheme_str(), &self.tls) {
            (Some("https"), Some(_)) => {}
            (Some("http"), None) if loopback(host) => {}
            (Some("http"), None) => return Err(SettingsError::PlainHttp(host.to_owned())),
            (Some("http" | "https"), _) => return Err(SettingsError::Tls),
            _ => return Err(base()),
        }
        let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        let unfit = |symbol: &&String| !(1..=20).contains(&symbol.len()) || !symbol.bytes().all(fits);
        if let Some(symbol) = self.symbols.values().find(unfit) {
            return Err(SettingsError::Symbol(symbol.clone()));
        }
        if !(1..=60_000).contains(&self.recv_window_ms) {
            return Err(SettingsError::RecvWindow(self.recv_window_ms));
        }
        Ok(())
    }
}

fn loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_bases_are_taken() {
        for (base, good) in [
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://10.0.0.1:9000", false),
            ("http://api.binance.com", false),
            ("https://api.binance.com", false),
            ("http://127.0.0.1:9000/api", false),
            ("/api", false),
        ] {
            let settings = Settings::new(base.parse().expect(base), []);
            assert_eq!(settings.check().is_ok(), good, "{base}");
        }
    }
}
