//! Serials: one instance byte and 136 random bits (certificates.md §6). Uniqueness is the ledger's, before anything is signed.

use extensions::Random;

use crate::events::SerialNumber;

/// Which of several issuing instances this is: 0x01 to 0x7f, so that a serial is positive and keeps its 18 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceByte(u8);

impl InstanceByte {
    /// The first instance.
    pub const FIRST: Self = Self(1);

    /// An instance; `None` outside 0x01 to 0x7f.
    #[must_use]
    pub fn new(byte: u8) -> Option<Self> {
        (0x01..=0x7f).contains(&byte).then_some(Self(byte))
    }
}

impl SerialNumber {
    /// A new serial.
    #[must_use]
    pub fn draw(instance: InstanceByte, random: &mut dyn Random) -> Self {
        let mut bytes = [0; 18];
        random.fill(&mut bytes[1..]);
        bytes[0] = instance.0;
        Self(bytes)
    }

    /// Whether a serial read from somewhere has the form that [`draw`](Self::draw) gives it.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        InstanceByte::new(self.0[0]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    struct Ring(ring::rand::SystemRandom);
    impl Random for Ring {
        fn fill(&mut self, bytes: &mut [u8]) {
            ring::rand::SecureRandom::fill(&self.0, bytes).unwrap();
        }
    }

    /// 100,000 serials: none twice, each byte value about equally often in each of the 17 places (chi-square below 400 with 255
    /// degrees of freedom; the chance above it is under 1 in 10^8). Draw 16 bits instead to see it fail.
    #[test]
    fn serials_do_not_repeat_and_are_even() {
        let mut random = Ring(ring::rand::SystemRandom::new());
        let mut seen = HashSet::new();
        let mut counts = vec![[0_u32; 256]; 17];
        let total = 100_000_u32;
        for _ in 0..total {
            let serial = SerialNumber::draw(InstanceByte::FIRST, &mut random);
            assert!(serial.is_well_formed() && serial.0[0] == 1);
            for (place, byte) in serial.0[1..].iter().enumerate() {
                counts[place][usize::from(*byte)] += 1;
            }
            assert!(seen.insert(serial));
        }
        let expected = f64::from(total) / 256.0;
        for place in counts {
            let chi: f64 = place
                .iter()
                .map(|count| (f64::from(*count) - expected).powi(2) / expected)
                .sum();
            assert!(chi < 400.0, "{chi}");
        }
    }
}
