//! The parsers of this crate as plain functions over bytes, for fuzzing on stable: each states what must hold of any input.
//!
//! None may panic, and each panics itself when its law is broken, which is what a fuzzer looks for.

use crate::{AuthorityLimits, EffectiveLimits, MandateDocument, certificate::Certificate, oids::Oid};

/// Whatever decodes encodes to the same bytes, is within itself, and compiles.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_limits(data: &[u8]) {
    if let Ok(limits) = AuthorityLimits::decode(data) {
        assert_eq!(limits.encode().as_deref(), Ok(data));
        assert_eq!(limits.is_subset_of(&limits), Ok(()));
        let compiled = EffectiveLimits::compile(&limits, [&limits]);
        assert!(compiled == EffectiveLimits::of(limits.authority()) && compiled.while_warned().is_subset_of(&compiled));
    }
}

/// Whatever reads as a certificate has its bytes, and its signed part is inside them.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::read(data) {
        assert_eq!(certificate.der(), data);
        assert!(certificate.tbs().first() == Some(&0x30) && certificate.tbs().len() < data.len());
    }
}

/// Whatever reads as a mandate document is canonical, can be said, and fits a certificate.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_mandate(data: &[u8]) {
    if let Ok(document) = MandateDocument::parse(data) {
        assert_eq!(document.to_canonical(), data);
        assert!(document.diff(&document).is_empty() && !document.plain_words().is_empty());
        assert!(document.authority_limits(vec![document.digest()]).is_ok());
    }
}

/// Whatever reads as an object identifier prints as its arcs.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_oid(data: &[u8]) {
    if let Some(oid) = Oid::from_der_content(data) {
        assert_eq!(oid.der_content(), data);
        assert_eq!(oid.to_string().split('.').count(), oid.arcs().len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEEDS: [&[u8]; 3] = [
        include_bytes!("../../fixtures/vectors/limits/counterparties-schemes.der"),
        include_bytes!("../../fixtures/vectors/limits/money-three-schemes.der"),
        include_bytes!("../../fixtures/vectors/limits/ca-any.der"),
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// Splices of good values: cut, repeated, overwritten.
        #[test]
        fn spliced_values(one in 0..3_usize, other in 0..3_usize, at in 0..400_usize, from in 0..400_usize, octet in any::<u8>()) {
            let (one, other) = (SEEDS[one], SEEDS[other]);
            let mut bytes = [&one[..at.min(one.len())], &other[from.min(other.len())..]].concat();
            fuzz_limits(&bytes);
            if let Some(place) = bytes.get_mut(from) {
                *place = octet;
            }
            fuzz_limits(&bytes);
            fuzz_certificate(&bytes);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            fuzz_limits(&bytes);
            fuzz_certificate(&bytes);
            fuzz_mandate(&bytes);
            fuzz_oid(&bytes);
        }
    }
}
