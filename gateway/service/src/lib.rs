//! The enforcement point: holds every order of every bot to its certificate, records it, forwards it once.

pub mod api;
pub mod listener;
pub mod venue;
