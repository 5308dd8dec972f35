//! CRLs: what is made is what was asked, and each rule refuses.

use rcgen::KeyUsagePurpose;

use super::*;
use crate::testing::{DeadKey, NOW, TestCa, TestKey, ca, ca_with};

fn entry(number: u8) -> CrlEntry {
    let reasons = RevocationReason::ALL;
    CrlEntry {
        revoked: Revoked {
            at: NOW.plus_seconds(-60),
            reason: reasons[usize::from(number) % reasons.len()],
        },
        serial: Serial::new([number; 18]).unwrap(),
    }
}

fn content(number: u64, entries: u8) -> CrlContent {
    CrlContent {
        distribution_point: "http://status.mandatum.example/agents.crl".to_owned(),
        entries: (1..=entries).map(entry).collect(),
        next_update: NOW.plus_seconds(86_400),
        number,
        this_update: NOW,
    }
}

fn made(ca: &TestCa, number: u64, entries: u8) -> SealedCrl {
    let throwaway = TestKey::new();
    let prepared = prepare_crl(content(number, entries), &ca.certificate, &throwaway, None, NOW).unwrap();
    prepared.sign(&ca.key).unwrap()
}

fn fault(content: CrlContent, last: Option<u64>) -> CrlFault {
    match prepare_crl(content, &ca().certificate, &TestKey::new(), last, NOW) {
        Err(CrlError::Lint(fault)) => fault,
        other => panic!("expected a lint, got {other:?}"),
    }
}

#[test]
fn a_list_says_what_it_was_asked_to_say() {
    let ca = ca();
    let list = made(&ca, 7, 9);
    assert_eq!(list.event().number, 7);
    assert_eq!(list.event().entries, 9);
    assert_eq!(accept_crl(list.event(), list.der(), &ca.certificate, Some(6)), Ok(()));
    made(&ca, 0, 0);
    made(&ca, u64::MAX, 1);
    made(&ca, 1 << 63, 1);
}

/// Guarantee: a rolled-back number is refused when it is made and when it is served.
/// Control, tried: `<=` turned to `<` in either place.
#[test]
fn a_number_that_goes_back_is_refused() {
    for (number, last) in [(5, 5), (4, 5), (0, u64::MAX)] {
        assert_eq!(
            fault(content(number, 1), Some(last)),
            CrlFault::NumberGoesBack { number, last }
        );
    }
    let ca = ca();
    let list = made(&ca, 5, 1);
    for served in [5, 6] {
        assert_eq!(
            accept_crl(list.event(), list.der(), &ca.certificate, Some(served)),
            Err(CrlRefusal::RolledBack { offered: 5, served })
        );
    }
    let mut raised = list.event().clone();
    raised.number = 9;
    assert_eq!(
        accept_crl(&raised, list.der(), &ca.certificate, Some(8)),
        Err(CrlRefusal::Digest),
        "the number is in the list"
    );
}

#[test]
fn times_are_held_to_the_present() {
    let wrong: [fn(&mut CrlContent); 4] = [
        |content| content.this_update = NOW.plus_seconds(1),
        |content| content.next_update = NOW.plus_seconds(LONGEST_CRL_LIFE_SECONDS + 1),
        |content| {
            content.this_update = NOW.plus_seconds(-10);
            content.next_update = NOW;
        },
        |content| {
            content.this_update = NOW.plus_seconds(-2);
            content.next_update = NOW.plus_seconds(-1);
        },
    ];
    for change in wrong {
        let mut content = content(1, 1);
        change(&mut content);
        assert!(matches!(fault(content, None), CrlFault::Times { .. }));
    }
}

#[test]
fn entries_are_exactly_the_revoked_ones() {
    let mut twice = content(1, 2);
    twice.entries.push(entry(1));
    assert_eq!(fault(twice, None), CrlFault::Entries);
    let mut future = content(1, 1);
    future.entries[0].revoked.at = NOW.plus_seconds(1);
    assert_eq!(fault(future, None), CrlFault::Entries);
    let mut nowhere = content(1, 1);
    nowhere.distribution_point = String::new();
    assert!(matches!(fault(nowhere, None), CrlFault::DistributionPoint));
}

/// The lint judges the bytes, not the intention: a list built of something else is refused.
/// Negative control: any of the lint's comparisons removed lets its row through.
#[test]
fn the_lint_sees_what_was_really_built() {
    let ca = ca();
    let changes: [fn(&mut CrlContent); 7] = [
        |content| content.number += 1,
        |content| content.distribution_point.push('x'),
        |content| content.next_update = content.next_update.plus_seconds(1),
        |content| content.this_update = content.this_update.plus_seconds(-1),
        |content| content.entries.truncate(2),
        |content| content.entries[0].revoked.reason = RevocationReason::Superseded,
        |content| content.entries[0].revoked.at = NOW.plus_seconds(-61),
    ];
    for (row, change) in changes.into_iter().enumerate() {
        let intended = content(1, 3);
        let mut built = intended.clone();
        change(&mut built);
        let der = built.build(&ca.certificate, &ca.key).unwrap();
        let verdict = lint::lint(&der, &intended, &ca.certificate, None, NOW);
        assert!(matches!(verdict, Err(CrlError::Lint(_))), "row {row}");
    }
}

#[test]
fn the_issuer_must_be_able_to_sign_crls() {
    let without = ca_with(&[KeyUsagePurpose::KeyCertSign], NOW);
    let result = prepare_crl(content(1, 1), &without.certificate, &TestKey::new(), None, NOW);
    assert!(
        matches!(result, Err(CrlError::Build(_) | CrlError::Issuer(_))),
        "{result:?}"
    );
    let late = NOW.plus_seconds(400 * 86_400);
    let mut content = content(1, 1);
    content.this_update = late;
    content.next_update = late.plus_seconds(60);
    let result = prepare_crl(content, &ca().certificate, &TestKey::new(), None, late);
    assert!(matches!(result, Err(CrlError::Issuer(_))), "{result:?}");
}

/// Negative control: sealing without the comparison publishes a list nobody linted.
#[test]
fn only_the_linted_list_is_sealed() {
    let ca = ca();
    let prepared = prepare_crl(content(1, 2), &ca.certificate, &TestKey::new(), None, NOW).unwrap();
    let other = content(1, 1).build(&ca.certificate, &ca.key).unwrap();
    assert!(matches!(prepared.clone().seal(other), Err(CrlError::Changed)));
    let stranger = content(1, 2).build(&ca.certificate, &TestKey::new()).unwrap();
    assert!(matches!(prepared.clone().seal(stranger), Err(CrlError::Signature)));
    let dead = prepared.clone().sign(&DeadKey(TestKey::new()));
    assert!(matches!(dead, Err(CrlError::Signer(_))), "{dead:?}");
    assert!(prepared.sign(&ca.key).is_ok());
}

#[test]
fn a_list_of_another_ca_is_not_served() {
    let list = made(&ca(), 1, 1);
    assert_eq!(
        accept_crl(list.event(), list.der(), &ca().certificate, None),
        Err(CrlRefusal::Signature)
    );
}

/// Whatever bit is changed, the list is not taken over.
#[test]
fn no_changed_bit_is_served() {
    let ca = ca();
    let list = made(&ca, 7, 2);
    for place in 0..list.der().len() {
        for bit in 0..8 {
            let mut der = list.der().to_vec();
            der[place] ^= 1 << bit;
            let mut event = list.event().clone();
            event.digest = Digest::of(&der);
            assert!(
                accept_crl(&event, &der, &ca.certificate, None).is_err(),
                "octet {place}, bit {bit}"
            );
        }
    }
}
