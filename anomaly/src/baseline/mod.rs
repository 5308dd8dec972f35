//! A baseline: what is normal for one agent, as integers that can be hashed and signed. Proposed by the system, approved by
//! officers, frozen: nothing in the order path learns.

mod approved;
mod content;
mod proposed;
mod report;
mod words;

pub use approved::{ApprovedBaseline, Thresholds, Verdict};
pub use content::{
    BaselineContent, Channels, CurrencySize, DayChannel, DayKnot, DayTable, HOURS, HourBin, MOST_CURRENCIES,
    MOST_KNOTS, MOST_NAMES, Mix, Mode, RateKnot, RateScale, SeenName, SizeKnot, Sizes, Step,
};
pub use proposed::{ApprovalFault, ProposalFault, ProposedBaseline};
pub use report::{Change, Expected, PowerCheck, Report, SlowDrift, Trend};
