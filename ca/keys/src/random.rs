//! The operating system's randomness, behind the seam of the pure crates.

use extensions::Random;
use ring::rand::SecureRandom as _;

/// Cryptographic randomness of the operating system.
#[derive(Debug, Clone)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// The source.
    #[must_use]
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    /// # Panics
    /// When the operating system gives no randomness: going on with predictable bytes would be worse.
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("the operating system's random source works; without it nothing may be signed");
    }
}
