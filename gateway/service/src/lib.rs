//! The enforcement point: holds every order of every bot to its certificate, records it, forwards it once.

pub mod api;
pub mod fix;
pub mod gateway;
pub mod instance;
pub mod listener;
pub mod metrics;
pub mod pipeline;
pub mod session;
pub mod venue;
