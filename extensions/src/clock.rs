//! The one way a clock enters the product; the only system clock is made in `cli/`.

use crate::Timestamp;

/// A source of the present. Two are always carried apart: the *decision* clock (hours, rates, day, score, deadlines),
/// which a sandbox may step, and the *real* clock (certificates, TLS, signatures, webhooks), which nobody may.
pub trait Clock: Send + Sync {
    /// The present, in UTC.
    fn now(&self) -> Timestamp;
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}
