//! How far an order leaves the baseline that officers approved for its agent.
//!
//! A weighted e-detector over a frozen, signed baseline. Five components (size, rate, instrument mix, hour of week, origin) each
//! give a p-value, a fixed calibrator turns it into an e-value, and the weighted mean `E` of the five is an e-value under any
//! dependence between them: the weights are the false-alarm budget itself, and `w·e / E` is each component's exact share.
//! Two channels read it: *point* (this order alone) and *drift* (evidence since the last reset). The score is linear in the
//! logarithm of the expected false alarms per bot-year, so 0.75 and 0.85 have a unit.
//!
//! - [`Learning`] gathers observations, [`ProposedBaseline`] is what it fits, [`ApprovedBaseline`] is what officers signed.
//! - [`score()`] is pure and allocates nothing; [`ScorerState`] is folded with [`ScorerState::apply`] from the recorded values.
//! - Everything that scores or is recorded is integer arithmetic over tables; floats appear in [`fit`] alone, whose results are
//!   rounded to integers before they are signed. So a replay is identical to the last bit on any platform.
//!
//! Honest limits: `d` and `theta` come from the data, so with them the guarantee is empirical and no theorem; and 0.1 false
//! revocations a year from 14 days of history is an extrapolation, which the report says with its interval.

pub mod admission;
pub mod baseline;
pub mod calibrator;
pub mod components;
pub mod detector;
pub mod evaluate;
pub mod events;
pub mod exponential;
pub mod fit;
pub mod import;
pub mod learning;
pub mod logarithm;
mod name;
pub mod observation;
pub mod record;
#[cfg(test)]
mod sample;
pub mod scale;
pub mod score;
pub mod settings;
pub mod slow;
pub mod state;
pub mod window;

pub use admission::{Admission, Refused};
pub use baseline::{
    ApprovalFault, ApprovedBaseline, BaselineContent, Mode, ProposalFault, ProposedBaseline, Report, Thresholds,
    Verdict,
};
pub use components::Component;
pub use detector::Detector;
pub use events::{BaselineApproved, BaselineProposed, ObservationsImported};
pub use learning::{Learning, Lineage};
pub use observation::Observation;
pub use record::{Channel, ComponentRecord, Components, ScoreRecord};
pub use score::{Scored, Scoring, assess, recompute, rehearse, score};
pub use settings::Settings;
pub use state::ScorerState;
