//! The bots' listener: TLS with client certificates, the accept loop, and the registry of live connections.

pub mod accept;
pub mod proxy_protocol;
pub mod sessions;
pub mod streams;
pub mod tls;
