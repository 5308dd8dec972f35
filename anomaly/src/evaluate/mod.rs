//! The evaluation: the protocol by which the scorer is judged on recorded order streams. Floating point counts what happened; what
//! it counts is scored by the very code of the order path.

mod agent;
mod linear;
mod outcome;
mod scenario;
mod seeded;
mod summary;
mod teaching;
mod words;

pub use agent::{History, Laid, Protocol, evaluate, laid_out, observe_days};
pub use outcome::{AgentOutcome, Caught, Clean, Page, Standing, Teaching, Trial};
pub use scenario::{Injected, SCENARIOS, Scenario};
pub use summary::{Admissions, ClassSummary, CleanSummary, Rate, ScenarioSummary, Taught, summarise};
