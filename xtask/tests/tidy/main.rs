//! The house rules as ordinary tests: who may import whom, what pure means, sizes, texts, the supply chain.
//!
//! Each rule is a function over paths and text, with a negative control beside it that shows it something forbidden.

mod architecture;
mod dependencies;
mod project;
mod sizes;
mod source;
mod texts;
