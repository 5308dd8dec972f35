//! Conduct: what a mandate says that is not a limit, and so stands in the document and not in the certificate.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Caps;
use crate::{Currency, Instrument, Timestamp};

/// The longest repeat window: ten minutes.
pub(crate) const LONGEST_REPEAT_WINDOW_MS: u32 = 600_000;

/// The longest probation: a day.
pub(super) const LONGEST_PROBATION_HOURS: u8 = 24;

/// What a halt does with open orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHalt {
    /// Cancel every open order.
    CancelAll,
    /// Cancel those that increase risk, keep protective ones.
    CancelRiskIncreasing,
}

/// What a warning becomes when nobody answers it in time; ordered from the mildest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnansweredWarning {
    /// Only verified reductions are permitted.
    ReduceOnly,
    /// Nothing is permitted until officers resume.
    Freeze,
    /// The certificate is revoked.
    Revoke,
}

/// Whether the score acts, or is only recorded until a date. Written `enforce`, or `observe until 2026-12-01T00:00:00.000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scoring {
    /// Warn at 0.75, halt at 0.85.
    Enforce,
    /// Record what would have happened, until then; enforced from then on.
    ObserveUntil(Timestamp),
}

const OBSERVE: &str = "observe until ";

impl Scoring {
    /// Whether the score acts at `now`.
    #[must_use]
    pub fn enforced_at(self, now: Timestamp) -> bool {
        match self {
            Self::Enforce => true,
            Self::ObserveUntil(until) => now >= until,
        }
    }
}

impl std::fmt::Display for Scoring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Enforce => formatter.write_str("enforce"),
            Self::ObserveUntil(until) => write!(formatter, "{OBSERVE}{until}"),
        }
    }
}

impl Serialize for Scoring {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scoring {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let fault =
            || serde::de::Error::custom("scoring: expected \"enforce\" or \"observe until 2026-12-01T00:00:00Z\"");
        if text == "enforce" {
            return Ok(Self::Enforce);
        }
        let until = text.strip_prefix(OBSERVE).ok_or_else(fault)?;
        Timestamp::parse(until).map(Self::ObserveUntil).map_err(|_| fault())
    }
}

/// What is done with an order that would trade with one of the bot's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTrade {
    /// It is refused.
    Refuse,
}

/// What a mandate says that is not in the certificate. A bound that is absent bounds nothing, and leaves no trace in the canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conduct {
    /// When the bot's last stream breaks, and none is back within so many seconds (1 to 3,600), every open order is cancelled. Absent:
    /// they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_after_disconnect_s: Option<u16>,
    /// The realised loss of a UTC day at which only verified reductions are permitted: one for each unit of the day's value,
    /// `["EUR 500"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_day_loss: Option<Caps<Currency>>,
    /// After how many orders that traded the bot is reduce-only until an officer resumes it, 1 to 1,000,000 (RTS 6 Art. 15(3)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_executions: Option<u32>,
    /// The most open orders at once, 1 to 256, those in doubt included; verified reductions are free of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_open_orders: Option<u16>,
    /// The largest position in each instrument, long or short, with every open order of that side counted as filled: one cap for each
    /// instrument of the limits, `["BTC_EUR 2.5"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_position: Option<Caps<Instrument>>,
    /// What a halt does with open orders.
    pub on_halt: OnHalt,
    /// What a warning becomes when nobody answers it.
    pub on_unanswered_warning: OnUnansweredWarning,
    /// This mandate is signed ahead for the time after a behavioural halt: it opens to the bot only then, for so many hours (1 to
    /// 24) from its activation. Absent in every other mandate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probation_hours: Option<u8>,
    /// Within this many milliseconds an order like the last one counts as a repeat; 0 switches the check off.
    pub repeat_window_ms: u32,
    /// Whether the score acts.
    pub scoring: Scoring,
    /// What is done with an order that would trade with one of the bot's own open orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_trade: Option<SelfTrade>,
}
