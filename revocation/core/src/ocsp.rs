//! OCSP (RFC 6960, nonce by RFC 9654): requests read within bounds, replies signed by a delegated responder.
//!
//! `good` and `revoked` come from the [`StatusBook`](crate::status::StatusBook); everything it has never heard of, and every
//! other CA's certificate, is `unknown`.

pub mod reply;
pub mod request;
mod responder;
#[cfg(test)]
mod tests;

pub use reply::{Refused, Reply, ReplyError, refused};
pub use request::{OcspQuery, RequestError, parse_request};
pub use responder::{Responder, ResponderError};

/// The longest request read, in octets. A request for one certificate has about 80.
pub const LONGEST_REQUEST: usize = 4_096;
/// Certificates one request may ask for.
pub const MOST_QUERIES: usize = 16;
/// The longest nonce echoed, in octets (RFC 9654 §2.1).
pub const LONGEST_NONCE: usize = 128;
/// How long a reply holds, in seconds: one hour, or less when the CRL or the responder's certificate ends sooner.
pub const REPLY_LIFE_SECONDS: i64 = 3_600;
