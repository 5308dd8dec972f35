//! What bots call: orders, cancels, reads and events over HTTP/1.1 and HTTP/2.

pub mod nonces;
pub mod problem;
pub mod proof;
