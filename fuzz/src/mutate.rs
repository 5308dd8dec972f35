//! Seeded mutations of a corpus: the same seed gives the same inputs, so a finding can be run again.

/// The longest input that is made, in bytes.
pub const LONGEST_INPUT: usize = 8_192;

/// Pieces that parsers of ours look at.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"-0",
    b"1e309",
    b"NaN",
    b"\\u0000",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r\n",
    b"\xff\xff\xff\xff",
    b"\x30\x80",
    b"\x30\x84",
    b"\x02\x01\x00",
    b"\x06\x00",
    b"\x80\x00",
    b"9999999999999999999",
    b"0.",
];

/// A small generator (SplitMix64): mutations need spread, not secrecy.
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// A mutator that always does the same for the same `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// One input made of `corpus`, which must not be empty: one to eight small changes of one of its members.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            self.change(&mut input, corpus);
        }
        input.truncate(LONGEST_INPUT);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(7) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.draw().to_le_bytes()[0],
            2 => {
                let end = (at + self.below(16)).min(input.len());
                input.drain(at..end);
            }
            3 => {
                let piece = PIECES[self.below(PIECES.len())];
                input.splice(at..at, piece.iter().copied());
            }
            4 => {
                let end = (at + self.below(64)).min(input.len());
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            5 => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => input.truncate(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let corpus = [b"abc".to_vec(), b"{\"a\":1}".to_vec()];
        let run = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..100).map(|_| mutator.next(&corpus)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
