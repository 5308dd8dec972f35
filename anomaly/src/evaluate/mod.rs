//! The evaluation: the protocol by which the scorer is judged on recorded order streams. Floating point counts what happened; what
//! it counts is scored by the very code of the order path.

pub mod agent;
pub mod linear;
pub mod outcome;
pub mod scenario;
pub mod seeded;

pub use agent::{History, Protocol, evaluate};
pub use outcome::{AgentOutcome, Caught, Clean, Page, Standing, Trial};
