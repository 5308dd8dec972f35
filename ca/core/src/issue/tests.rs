//! Certificates from approval to seal, judged by OpenSSL and by the rules one by one.

use std::{io::Write as _, process::Command};

use extensions::limits::Dimension;

use super::*;
use crate::{
    approval::tests::approved,
    csr,
    samples::{self, Ring, TestKey, authority, document, now, settings},
};

fn issue_with(
    authority: &samples::Authority,
    approved: Approved,
    life_seconds: i64,
    at: Timestamp,
) -> Result<(Issued, CertificateReserved), IssueError> {
    let settings = settings();
    let with = BotIssue {
        settings: &settings,
        issuer: &authority.issuing,
        instance: 1,
        not_earlier: None,
        not_later: None,
        life_seconds,
    };
    let csr = csr::inspect(&TestKey::p256().csr()).unwrap();
    let throwaway = TestKey::p256();
    let prepared = prepare_bot(approved, &csr, with, &throwaway, at, &mut Ring::default())?;
    let issued = prepared.prepared.sign(&authority.issuing_key)?.seal()?;
    Ok((issued, prepared.reserved))
}

#[test]
fn a_bot_gets_what_was_approved_and_nothing_else() {
    let authority = authority();
    let (issued, reserved) = issue_with(&authority, approved().1, DEFAULT_LIFE_SECONDS, now()).unwrap();
    let limits = limits_of(issued.certificate(), settings().arc).unwrap();
    assert_eq!(*limits.authority(), document().limits);
    assert_eq!(limits.mandate().unwrap().document_hash(), document().digest());
    let (from, to) = life_of(issued.certificate()).unwrap();
    assert_eq!(
        (from, to),
        (
            now().plus_seconds(-BACKDATE_SECONDS),
            now().plus_seconds(DEFAULT_LIFE_SECONDS)
        )
    );
    assert_eq!(Digest::of(tbs_of(issued.certificate()).unwrap()), reserved.tbs);
    assert_eq!(
        reserved.checks,
        10 + 10,
        "ten limits; eight names, one approval, the number of officers"
    );
    let event = issued_event(&issued, &reserved);
    assert_eq!((event.serial, event.spki), (reserved.serial, reserved.spki));
}

#[test]
fn life_never_leaves_mandate_issuer_or_seven_days() {
    let authority = authority();
    let long = issue_with(&authority, approved().1, 30 * 86_400, now()).unwrap().0;
    assert_eq!(long.life().1.seconds() - long.life().0.seconds(), LONGEST_LIFE_SECONDS);
    // The agent's registration ends 30 days from now: a day before, that is all there is.
    let late = now().plus_seconds(86_400 * 30 - 3600);
    let short = issue_with(&authority, approved().1, DEFAULT_LIFE_SECONDS, late)
        .unwrap()
        .0;
    assert_eq!(short.life().1, now().plus_seconds(86_400 * 30));
    let over = issue_with(
        &authority,
        approved().1,
        DEFAULT_LIFE_SECONDS,
        now().plus_seconds(86_400 * 30),
    );
    assert!(matches!(over, Err(IssueError::Life(_))), "{over:?}");
}

/// Each dimension made wider than the envelope by itself: the refusal names it and no other. The control is the same document unchanged.
#[test]
fn narrowing_names_each_dimension() {
    let envelope = samples::envelope();
    let wider = [
        ("\"EUR 50000\"", "\"EUR 100001\"", Dimension::PerOrder),
        ("\"EUR 5000000\"", "\"EUR 10000001\"", Dimension::PerDay),
        ("60/1s", "61/1s", Dimension::OrderRates),
        ("[\"limit\"]", "[\"stop_limit\"]", Dimension::OrderTypes),
        (
            "\"price_collar_bps\":200",
            "\"price_collar_bps\":501",
            Dimension::PriceCollar,
        ),
    ];
    let text = serde_json::to_string(&document().limits).unwrap();
    for (from, to, dimension) in wider {
        assert!(text.contains(from), "{from} in {text}");
        let limits: extensions::limits::Authority = serde_json::from_str(&text.replace(from, to)).unwrap();
        for other in DIMENSIONS {
            let outcome = within(&limits, envelope.authority(), other);
            assert_eq!(outcome.is_err(), other == dimension, "{other}: {outcome:?}");
        }
    }
    let narrow = r#"{"counterparties":["a"],"hours":["Mon 00:00-01:00"],"instruments":["X"],"order_proof":true,"order_rates":["60/1s"],"order_types":["limit"],"per_day":["EUR 10000000"],"per_order":["EUR 100000"],"price_collar_bps":500,"regions":["r"]}"#;
    let narrow: extensions::limits::Authority = serde_json::from_str(narrow).unwrap();
    for dimension in [
        Dimension::Instruments,
        Dimension::Counterparties,
        Dimension::Regions,
        Dimension::Hours,
        Dimension::OrderProof,
    ] {
        assert_eq!(
            within(&document().limits, &narrow, dimension).unwrap_err().dimension,
            dimension
        );
    }
    for dimension in DIMENSIONS {
        assert!(
            within(&document().limits, envelope.authority(), dimension).is_ok(),
            "control"
        );
    }
}

#[test]
fn an_issuing_ca_cannot_be_wider_than_its_root() {
    let root_key = TestKey::p256();
    let profile = Profile::AgentRoot {
        name: "R".to_owned(),
        envelope: samples::envelope(),
    };
    let root = samples::make(&profile, root_key.public_key_spki(), 7_000, None, &root_key).unwrap();
    let root = IssuingCa::read(&root, &settings()).unwrap();
    let text = serde_json::to_string(samples::envelope().authority())
        .unwrap()
        .replace("60/1s", "61/1s");
    let envelope = AuthorityLimits::for_ca(serde_json::from_str(&text).unwrap());
    let profile = Profile::AgentIssuing {
        name: "I".to_owned(),
        envelope,
    };
    let refused = samples::make(&profile, TestKey::p256().public_key_spki(), 300, Some(&root), &root_key);
    assert!(
        matches!(&refused, Err(IssueError::TooWide(wide)) if wide[0].dimension == Dimension::OrderRates),
        "{refused:?}"
    );
    let profile = Profile::AgentIssuing {
        name: "I".to_owned(),
        envelope: samples::envelope(),
    };
    let past = samples::make(
        &profile,
        TestKey::p256().public_key_spki(),
        7_001,
        Some(&root),
        &root_key,
    );
    assert!(matches!(past, Err(IssueError::Life(_))));
}

/// What was issued before a reinstatement stays revoked, so what is issued after it begins no earlier, in whole seconds. Control tried:
/// `not_earlier` left out, and the certificate is born revoked.
#[test]
fn a_certificate_after_a_reinstatement_begins_after_it() {
    let (authority, settings) = (authority(), settings());
    let csr = csr::inspect(&TestKey::p256().csr()).unwrap();
    for (ago, begins) in [(299_500_001, -299), (1, 0), (400_000_000, -BACKDATE_SECONDS)] {
        let with = BotIssue {
            settings: &settings,
            issuer: &authority.issuing,
            instance: 1,
            not_earlier: Some(now().plus_micros(-ago)),
            not_later: None,
            life_seconds: DEFAULT_LIFE_SECONDS,
        };
        let throwaway = TestKey::p256();
        let prepared = prepare_bot(approved().1, &csr, with, &throwaway, now(), &mut Ring::default()).unwrap();
        assert_eq!(prepared.reserved.not_before, now().plus_seconds(begins), "{ago} µs ago");
    }
}

/// Under a mandate for probations no certificate outlives the probation. Control tried: `not_later` left out of the fold, it lives a day.
#[test]
fn a_certificate_ends_with_the_probation() {
    let (authority, settings) = (authority(), settings());
    let csr = csr::inspect(&TestKey::p256().csr()).unwrap();
    let prepared = |seconds| {
        let with = BotIssue {
            settings: &settings,
            issuer: &authority.issuing,
            instance: 1,
            not_earlier: None,
            not_later: Some(now().plus_seconds(seconds)),
            life_seconds: DEFAULT_LIFE_SECONDS,
        };
        prepare_bot(approved().1, &csr, with, &TestKey::p256(), now(), &mut Ring::default())
    };
    assert_eq!(prepared(1_800).unwrap().reserved.not_after, now().plus_seconds(1_800));
    assert!(
        matches!(prepared(0), Err(IssueError::Life(_))),
        "and none is issued once it is over"
    );
}

/// Another key, other bytes, a broken signature: nothing is released. Remove either check of `seal` to see it fail.
#[test]
fn nothing_is_sealed_that_was_not_prepared() {
    let authority = authority();
    let settings = settings();
    let with = BotIssue {
        settings: &settings,
        issuer: &authority.issuing,
        instance: 1,
        not_earlier: None,
        not_later: None,
        life_seconds: 3600,
    };
    let csr = csr::inspect(&TestKey::p256().csr()).unwrap();
    let prepare = || {
        let throwaway = TestKey::p256();
        prepare_bot(approved().1, &csr, with, &throwaway, now(), &mut Ring::default())
            .unwrap()
            .prepared
    };
    assert!(matches!(prepare().sign(&TestKey::p256()), Err(IssueError::Seal(_))));
    let mut other = prepare().sign(&authority.issuing_key).unwrap();
    other.certificate = prepare().sign(&authority.issuing_key).unwrap().certificate;
    assert!(matches!(
        other.seal(),
        Err(IssueError::Seal("other bytes to be signed"))
    ));
    let mut broken = prepare().sign(&authority.issuing_key).unwrap();
    let last = broken.certificate.len() - 1;
    broken.certificate[last] ^= 1;
    assert!(matches!(
        broken.seal(),
        Err(IssueError::Seal("the signature does not verify"))
    ));
    assert!(
        prepare().sign(&authority.issuing_key).unwrap().seal().is_ok(),
        "control"
    );
}

fn pem(certificates: &[&[u8]]) -> String {
    use std::fmt::Write as _;
    certificates.iter().fold(String::new(), |mut text, der| {
        let _ = write!(text, "{}", Base64(der.to_vec()));
        let body = std::mem::take(&mut text);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    })
}

/// OpenSSL judges the chain (without purpose: it does not know ours), and refuses it as a TLS client (certificates.md §4).
#[test]
fn openssl_verifies_the_chain() {
    let authority = authority();
    let (issued, _) = issue_with(&authority, approved().1, DEFAULT_LIFE_SECONDS, now()).unwrap();
    let file = |der: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem(&[der]).as_bytes()).unwrap();
        file
    };
    let (root, issuing, leaf) = (
        file(&authority.root),
        file(authority.issuing.certificate()),
        file(issued.certificate()),
    );
    let verify = |more: &[&str]| {
        Command::new("openssl")
            .args(["verify", "-x509_strict", "-attime", &now().seconds().to_string()])
            .args(more)
            .arg("-CAfile")
            .arg(root.path())
            .arg("-untrusted")
            .arg(issuing.path())
            .arg(leaf.path())
            .output()
    };
    let Ok(output) = verify(&[]) else {
        eprintln!("openssl is not installed: skipped");
        assert!(
            std::env::var_os("MANDATUM_PYTHON").is_none(),
            "nothing is skipped under `cargo xtask`"
        );
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let as_client = verify(&["-purpose", "sslclient"]).unwrap();
    assert!(
        !as_client.status.success(),
        "a stock verifier fails closed on our purpose"
    );
}
