//! The Merkle tree of RFC 9162 §2.1: leaf and node hashes, the frontier that grows it, inclusion and consistency proofs and
//! their verification. Pure; no store knows more about the tree than what is here.

use std::ops::Range;

use extensions::Digest;

/// The most hashes of a proof: one per level of a tree of 2^64 leaves, twice for consistency.
pub const LONGEST_PROOF: usize = 128;

/// `SHA-256(0x00 ‖ entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// `SHA-256(0x01 ‖ left ‖ right)`.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut block = [0; 65];
    block[0] = 1;
    block[1..33].copy_from_slice(&left.0);
    block[33..].copy_from_slice(&right.0);
    Digest::of(&block)
}

/// The root of the empty tree: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

/// The right edge of a tree: the roots of its perfect subtrees, largest first. All that growing it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Digest>,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier from its parts; `None` when the count of nodes does not fit the size.
    #[must_use]
    pub fn from_parts(size: u64, nodes: Vec<Digest>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Self { size, nodes })
    }

    /// A frontier from its size and the 32-byte hashes one after the other.
    #[must_use]
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let chunks = bytes.chunks_exact(32);
        if !chunks.remainder().is_empty() {
            return None;
        }
        let nodes = chunks.map(|chunk| {
            let mut hash = [0; 32];
            hash.copy_from_slice(chunk);
            Digest(hash)
        });
        Self::from_parts(size, nodes.collect())
    }

    /// The hashes, one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.nodes.iter().flat_map(|node| node.0).collect()
    }

    /// The count of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Grows the tree by one leaf.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.nodes.pop().expect("one node per set bit of the size");
            node = node_hash(&left, &node);
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else { return empty_root() };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The perfect subtree of `level` at the right edge, when the size has that bit.
    fn node(&self, level: u32) -> Option<Digest> {
        let above = self.size.checked_shr(level + 1).unwrap_or(0).count_ones() as usize;
        (self.size >> level & 1 == 1).then(|| self.nodes[above])
    }
}

/// A tree grown by one batch, with just the nodes that prove the batch's own leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchTree {
    before: u64,
    size: u64,
    /// Per level: the index of the first node held, and the complete nodes from there on.
    levels: Vec<(u64, Vec<Digest>)>,
    /// Per level: the hash of the last node, complete or ragged.
    last: Vec<Digest>,
}

impl BatchTree {
    /// Grows `frontier` by `leaves` (at least one) and keeps the nodes.
    #[must_use]
    pub fn grow(frontier: &Frontier, leaves: &[Digest]) -> Self {
        let (before, size) = (frontier.size, frontier.size + leaves.len() as u64);
        let depth = 64 - size.saturating_sub(1).leading_zeros();
        let mut levels: Vec<(u64, Vec<Digest>)> = Vec::with_capacity(depth as usize + 1);
        let mut made = leaves.to_vec();
        for level in 0..=depth {
            let mut start = before.checked_shr(level).unwrap_or(0);
            let mut nodes = Vec::with_capacity(made.len() + 1);
            if level < 64
                && let Some(left) = frontier.node(level)
            {
                start -= 1;
                nodes.push(left);
            }
            nodes.append(&mut made);
            made = nodes
                .chunks_exact(2)
                .map(|pair| node_hash(&pair[0], &pair[1]))
                .collect();
            levels.push((start, nodes));
        }
        let mut tree = Self {
            before,
            size,
            levels,
            last: Vec::new(),
        };
        tree.hash_last(depth);
        tree
    }

    fn hash_last(&mut self, depth: u32) {
        let mut index = self.size.saturating_sub(1);
        let mut last = self.at(0, index).unwrap_or_else(empty_root);
        self.last.push(last);
        for level in 0..depth {
            if index & 1 == 1
                && let Some(left) = self.at(level, index - 1)
            {
                last = node_hash(&left, &last);
            }
            index >>= 1;
            self.last.push(last);
        }
    }

    fn at(&self, level: u32, index: u64) -> Option<Digest> {
        let (start, nodes) = self.levels.get(level as usize)?;
        nodes.get(usize::try_from(index.checked_sub(*start)?).ok()?).copied()
    }

    /// The size after the batch.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The size before the batch.
    #[must_use]
    pub fn size_before(&self) -> u64 {
        self.before
    }

    /// The root after the batch.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.last.last().copied().unwrap_or_else(empty_root)
    }

    /// The frontier after the batch.
    #[must_use]
    pub fn frontier(&self, before: &Frontier) -> Frontier {
        let nodes = (0..64).rev().filter(|level| self.size >> level & 1 == 1);
        let nodes = nodes.filter_map(|level| {
            let index = (self.size >> level) - 1;
            self.at(level, index).or_else(|| before.node(level))
        });
        Frontier {
            size: self.size,
            nodes: nodes.collect(),
        }
    }

    /// The inclusion proof of a leaf of this batch in the tree after the batch (RFC 9162 §2.1.3.1).
    #[must_use]
    pub fn inclusion(&self, index: u64) -> Option<Vec<Digest>> {
        if index < self.before || index >= self.size {
            return None;
        }
        let (mut node, mut end) = (index, self.size - 1);
        let mut proof = Vec::new();
        for level in 0.. {
            if end == 0 {
                break;
            }
            if node & 1 == 1 {
                proof.push(self.at(level, node - 1)?);
            } else if node + 1 == end {
                proof.push(*self.last.get(level as usize)?);
            } else if node < end {
                proof.push(self.at(level, node + 1)?);
            }
            (node, end) = (node >> 1, end >> 1);
        }
        Some(proof)
    }
}

/// The largest power of two below `size` (`size` ≥ 2).
fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// The subtrees, as ranges of leaves, whose roots are the inclusion proof of `index` in a tree of `size` (RFC 9162 §2.1.3.1).
#[must_use]
pub fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while index < size && tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The subtrees whose roots are the consistency proof from `old` to `new` (RFC 9162 §2.1.4.1).
#[must_use]
pub fn consistency_ranges(old: u64, new: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    if old == 0 || old >= new {
        return ranges;
    }
    let mut tree = 0..new;
    let mut whole = true;
    while old != tree.end {
        let middle = tree.start + split(tree.end - tree.start);
        if old <= middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push(tree);
    }
    ranges.reverse();
    ranges
}

/// Collects the roots of some subtrees in one pass over the leaves, in bounded memory.
#[derive(Debug)]
pub struct RangeHasher {
    open: Vec<(Range<u64>, Frontier)>,
    next: u64,
}

impl RangeHasher {
    /// A pass for `ranges`.
    #[must_use]
    pub fn new(ranges: Vec<Range<u64>>) -> Self {
        Self {
            open: ranges.into_iter().map(|range| (range, Frontier::new())).collect(),
            next: 0,
        }
    }

    /// The next leaf.
    pub fn push(&mut self, leaf: Digest) {
        for (range, frontier) in &mut self.open {
            if range.contains(&self.next) {
                frontier.push(leaf);
            }
        }
        self.next += 1;
    }

    /// The roots, in the order of the ranges; `None` when leaves were missing.
    #[must_use]
    pub fn finish(self) -> Option<Vec<Digest>> {
        let whole = |(range, frontier): (Range<u64>, Frontier)| {
            (frontier.size == range.end - range.start).then(|| frontier.root())
        };
        self.open.into_iter().map(whole).collect()
    }
}

/// Whether `proof` shows that `leaf` stands at `index` of the tree of `size` with `root` (RFC 9162 §2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, proof: &[Digest], root: &Digest) -> bool {
    if index >= size || proof.len() > LONGEST_PROOF {
        return false;
    }
    let (mut node, mut end, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if end == 0 {
            return false;
        }
        if node & 1 == 1 || node == end {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, end) = (node >> 1, end >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, end) = (node >> 1, end >> 1);
    }
    end == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162 §2.1.4.2).
#[must_use]
pub fn verify_consistency(old: u64, new: u64, old_root: &Digest, new_root: &Digest, proof: &[Digest]) -> bool {
    if old > new || proof.len() > LONGEST_PROOF {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    let (first, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
        None => return false,
    };
    let (mut node, mut end) = (old - 1, new - 1);
    let shift = node.trailing_ones();
    (node, end) = (
        node.checked_shr(shift).unwrap_or(0),
        end.checked_shr(shift).unwrap_or(0),
    );
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if end == 0 {
            return false;
        }
        if node & 1 == 1 || node == end {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, end) = (node >> 1, end >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (node, end) = (node >> 1, end >> 1);
    }
    end == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests;
