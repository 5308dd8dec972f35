//! What one sees while the demonstration runs: a bar on a terminal, plain lines elsewhere. All on standard error.

use std::time::{Duration, Instant};

use extensions::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};

/// Live progress.
pub(super) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    quiet: bool,
}

impl Progress {
    /// Progress over `steps` orders; `quiet` shows nothing.
    #[must_use]
    pub(super) fn new(quiet: bool) -> Self {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0)
        };
        let style = ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {pos}/{len} orders  {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self {
            bar,
            begun: Instant::now(),
            quiet,
        }
    }

    /// How many orders there will be.
    pub(super) fn expect(&self, orders: usize) {
        self.bar.set_length(orders as u64);
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    /// One order further; `at` is the decision clock.
    pub(super) fn step(&self, at: Timestamp) {
        self.bar.inc(1);
        if self.bar.position().is_multiple_of(16) {
            self.bar.set_message(at.to_string());
        }
    }

    /// A line that stays.
    pub(super) fn say(&self, line: &str) {
        if self.quiet {
        } else if self.bar.is_hidden() {
            eprintln!("{:>6.1} s  {line}", self.begun.elapsed().as_secs_f64());
        } else {
            self.bar.println(line);
        }
    }

    /// The bar goes.
    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
