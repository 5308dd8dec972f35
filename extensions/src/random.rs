//! The one way randomness enters the pure crates.

/// A source of bytes. Serials, nonces and tokens take a cryptographic one; fixtures take a seeded one.
pub trait Random {
    /// Fills `bytes`; an implementation that cannot must panic rather than return predictable bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}
