//! The report for people.

use std::fmt;

use super::{BotReport, Report};

fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(|| "never".to_owned(), |value| format!("{value:.1} ms"))
}

fn score(value: u32) -> String {
    format!("{:.3}", f64::from(value) / 1e6)
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "Demonstration, seed {}", self.seed)?;
        writeln!(
            out,
            "  orders {}, permits {}, refusals {}, warnings {}, revocations {}",
            self.orders,
            self.permits,
            self.orders - self.permits,
            self.warnings,
            self.revocations
        )?;
        for (code, count) in &self.refusals {
            writeln!(out, "    {count:>6}  {code}")?;
        }
        if let Some(replayed) = &self.replayed {
            writeln!(
                out,
                "  replayed {}: {} orders of {} bots, moved by {} weeks, {} rows left out",
                replayed.file.display(),
                replayed.orders,
                replayed.bots,
                replayed.weeks,
                replayed.left_out
            )?;
        }
        for bot in &self.bots {
            write!(out, "{bot}")?;
        }
        writeln!(
            out,
            "\n  permits numbered after a revocation   {}",
            self.permits_after_revocation
        )?;
        writeln!(
            out,
            "  venue orders {}, permits withheld {}, orders without a permit {}",
            self.venue_orders, self.withheld, self.orders_without_permit
        )?;
        writeln!(
            out,
            "  webhooks taken {}, with a bad signature {}",
            self.webhooks.0, self.webhooks.1
        )?;
        writeln!(out, "  ledger  {}", self.verified.as_deref().unwrap_or("NOT VERIFIED"))?;
        let place = if self.kept {
            "kept in"
        } else {
            "in a temporary folder (--dir DIR keeps them):"
        };
        writeln!(
            out,
            "  files   {} {place} {}",
            self.files.join(", "),
            self.directory.display()
        )?;
        let parts: Vec<String> = self
            .seconds
            .iter()
            .map(|(part, seconds)| format!("{part} {seconds:.1} s"))
            .collect();
        writeln!(out, "  time    {}", parts.join(", "))?;
        if self.faults.is_empty() {
            return writeln!(out, "\nEverything holds.");
        }
        writeln!(out, "\nDOES NOT HOLD")?;
        self.faults.iter().try_for_each(|fault| writeln!(out, "  - {fault}"))
    }
}

impl fmt::Display for BotReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audit = &self.audit;
        writeln!(
            out,
            "\n  {}: {} orders, {} permits; {} at the end",
            self.agent, audit.orders, audit.permits, self.standing
        )?;
        for warned in &audit.warnings {
            writeln!(out, "    warned at {}", score(*warned))?;
        }
        if !audit.endings.is_empty() {
            writeln!(out, "    warnings ended: {}", audit.endings.join(", "))?;
        }
        if let Some(reduced) = self.reduced {
            let permitted = if reduced { "permitted" } else { "REFUSED" };
            writeln!(out, "    a reduction afterwards: {permitted}")?;
        }
        if audit.would_have > 0 {
            writeln!(
                out,
                "    {} scores, observed only, would have warned or revoked",
                audit.would_have
            )?;
        }
        let Some(stopped) = &self.stopped else { return Ok(()) };
        let counted = || {
            format!(
                "cancelled {}, kept {} protective, could not cancel {}",
                audit.cancelled, audit.kept, audit.not_cancelled
            )
        };
        writeln!(
            out,
            "    revoked at {} by its {} after {} orders of that kind; {}",
            audit
                .revocations
                .first()
                .map_or_else(String::new, |value| score(*value)),
            audit.leading.as_deref().unwrap_or("score"),
            stopped.orders,
            audit.cancels.clone().unwrap_or_else(counted)
        )?;
        writeln!(
            out,
            "    from the decisive order to: reply {}, last of {} sessions closed {}, OCSP {}, CRL {}, webhook {}",
            milliseconds(stopped.reply_ms),
            stopped.sessions,
            milliseconds(stopped.sessions_closed_ms),
            milliseconds(stopped.ocsp_ms),
            milliseconds(stopped.crl_ms),
            milliseconds(stopped.webhook_ms),
        )?;
        writeln!(
            out,
            "    tried again {} times, taken {}",
            stopped.tried_again, stopped.taken_again
        )
    }
}
