//! The tree against the recursive definitions of RFC 9162 §2.1, written out naively here as the oracle.

use proptest::prelude::*;

use super::*;

fn leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// MTH of RFC 9162 §2.1.1, word by word.
fn mth(d: &[Digest]) -> Digest {
    match d {
        [] => Digest::of(b""),
        [one] => *one,
        _ => {
            let mut k = 1;
            while k * 2 < d.len() {
                k *= 2;
            }
            node_hash(&mth(&d[..k]), &mth(&d[k..]))
        }
    }
}

/// PATH of RFC 9162 §2.1.3.1.
fn path(m: usize, d: &[Digest]) -> Vec<Digest> {
    if d.len() <= 1 {
        return Vec::new();
    }
    let mut k = 1;
    while k * 2 < d.len() {
        k *= 2;
    }
    let (mut rest, side) = if m < k {
        (path(m, &d[..k]), mth(&d[k..]))
    } else {
        (path(m - k, &d[k..]), mth(&d[..k]))
    };
    rest.push(side);
    rest
}

/// SUBPROOF of RFC 9162 §2.1.4.1.
fn subproof(m: usize, d: &[Digest], whole: bool) -> Vec<Digest> {
    if m == d.len() {
        return if whole { Vec::new() } else { vec![mth(d)] };
    }
    let mut k = 1;
    while k * 2 < d.len() {
        k *= 2;
    }
    let (mut rest, side) = if m <= k {
        (subproof(m, &d[..k], whole), mth(&d[k..]))
    } else {
        (subproof(m - k, &d[k..], false), mth(&d[..k]))
    };
    rest.push(side);
    rest
}

fn roots(ranges: Vec<Range<u64>>, all: &[Digest]) -> Vec<Digest> {
    let mut hasher = RangeHasher::new(ranges);
    all.iter().for_each(|leaf| hasher.push(*leaf));
    hasher.finish().expect("all leaves are there")
}

#[test]
fn known_values() {
    assert_eq!(
        Frontier::new().root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        leaf_hash(b"").to_string(),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
}

#[test]
fn every_small_tree_agrees_with_the_definition() {
    for size in 1..=40_usize {
        let all = leaves(size);
        let mut frontier = Frontier::new();
        all.iter().for_each(|leaf| frontier.push(*leaf));
        assert_eq!(frontier.root(), mth(&all));
        for old in 0..size {
            let mut before = Frontier::new();
            all[..old].iter().for_each(|leaf| before.push(*leaf));
            let tree = BatchTree::grow(&before, &all[old..]);
            assert_eq!(tree.root(), mth(&all), "{old} to {size}");
            assert_eq!(tree.frontier(&before), frontier, "{old} to {size}");
            for index in 0..size {
                let proof = tree.inclusion(index as u64);
                assert_eq!(
                    proof,
                    (index >= old).then(|| path(index, &all)),
                    "{index} in {old} to {size}"
                );
            }
            let proof = roots(consistency_ranges(old as u64, size as u64), &all);
            if old > 0 {
                assert_eq!(proof, subproof(old, &all[..size], true), "{old} to {size}");
            }
            assert!(verify_consistency(
                old as u64,
                size as u64,
                &mth(&all[..old]),
                &mth(&all),
                &proof
            ));
        }
    }
}

proptest! {
    /// A proof verifies, and stops to when any hash, index or size of it is changed (the control).
    #[test]
    fn inclusion(size in 1_usize..200, at in any::<prop::sample::Index>(), spoil in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let index = at.index(size);
        let mut proof = roots(inclusion_ranges(index as u64, size as u64), &all);
        prop_assert_eq!(&proof, &path(index, &all));
        let (root, size, index) = (mth(&all), size as u64, index as u64);
        prop_assert!(verify_inclusion(&all[index as usize], index, size, &proof, &root));
        prop_assert!(!verify_inclusion(&leaf_hash(b"another"), index, size, &proof, &root));
        prop_assert!(!verify_inclusion(&all[index as usize], size, size, &proof, &root));
        prop_assert!(!verify_inclusion(&all[index as usize], index, size, &proof, &leaf_hash(b"another")));
        if index > 0 {
            prop_assert!(!verify_inclusion(&all[index as usize], index - 1, size, &proof, &root));
        }
        if !proof.is_empty() {
            let spoiled = spoil.index(proof.len());
            proof[spoiled].0[0] ^= 1;
            prop_assert!(!verify_inclusion(&all[index as usize], index, size, &proof, &root));
            proof[spoiled].0[0] ^= 1;
            proof.push(root);
            prop_assert!(!verify_inclusion(&all[index as usize], index, size, &proof, &root));
        }
    }

    /// A consistency proof verifies, and stops to when a hash or root of it is changed (the control).
    #[test]
    fn consistency(old in 1_usize..150, more in 1_usize..150, spoil in any::<prop::sample::Index>()) {
        let all = leaves(old + more);
        let (before, after) = (mth(&all[..old]), mth(&all));
        let (old, new) = (old as u64, (old + more) as u64);
        let mut proof = roots(consistency_ranges(old, new), &all);
        prop_assert!(verify_consistency(old, new, &before, &after, &proof));
        prop_assert!(!verify_consistency(old, new, &after, &after, &proof));
        prop_assert!(!verify_consistency(old, new, &before, &before, &proof));
        let spoiled = spoil.index(proof.len());
        proof[spoiled].0[31] ^= 128;
        prop_assert!(!verify_consistency(old, new, &before, &after, &proof));
    }

    /// No input makes verification panic.
    #[test]
    fn verification_takes_anything(a in any::<u64>(), b in any::<u64>(), hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let proof: Vec<Digest> = hashes.into_iter().map(Digest).collect();
        let hash = leaf_hash(b"x");
        let _ = verify_inclusion(&hash, a, b, &proof, &hash);
        let _ = verify_consistency(a, b, &hash, &hash, &proof);
    }
}
