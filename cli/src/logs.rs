//! Logs: one line an event on standard error, JSON or text. Secrets are kept out by their types, whose `Debug` shows none.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{LogFormat, LogLevel, Logs};

/// Starts logging for this process; a second call changes nothing.
pub fn start(logs: &Logs) {
    let level = match logs.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match logs.format {
        LogFormat::Json => lines.json().with_filter(level).boxed(),
        LogFormat::Text => lines.with_ansi(false).with_filter(level).boxed(),
    };
    // Already started is no failure: the first one stays.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
