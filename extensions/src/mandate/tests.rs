//! Tests of the mandate document.

use super::*;
use crate::limits::{ScopeDocument, tests::example};

fn document() -> MandateDocument {
    MandateDocument {
        agent: AgentId::new("mm-1").expect("id"),
        conduct: Conduct {
            cancel_after_disconnect_s: None,
            max_day_loss: None,
            max_executions: None,
            max_open_orders: None,
            max_position: None,
            on_halt: OnHalt::CancelRiskIncreasing,
            on_unanswered_warning: OnUnansweredWarning::Freeze,
            probation_hours: None,
            repeat_window_ms: 500,
            scoring: Scoring::ObserveUntil(Timestamp::from_seconds(1_795_000_000)),
            self_trade: None,
        },
        declared_code_digest: Some(Digest::of(b"code")),
        declared_model: "momentum 3.1".to_owned(),
        environment: Environment::Sandbox,
        expires: Timestamp::from_seconds(1_800_000_000),
        limits: Authority::try_from(example()).expect("limits"),
        mandate: MandateId::new("m-1").expect("id"),
        owner: OwnerId::new("desk-7").expect("id"),
        purpose_commitment: Digest::of(b"purpose"),
        rationale_commitment: Digest::of(b"rationale"),
        version: 1,
    }
}

fn with(change: impl FnOnce(&mut MandateDocument)) -> MandateDocument {
    let mut document = document();
    change(&mut document);
    document
}

fn with_limits(change: impl FnOnce(&mut crate::limits::LimitsDocument)) -> MandateDocument {
    let mut limits = example();
    change(&mut limits);
    with(|d| d.limits = Authority::try_from(limits).expect("limits"))
}

#[test]
fn canonical_form_round_trips_and_members_are_sorted() {
    let document = document();
    let bytes = document.to_canonical();
    assert_eq!(serde_json::to_vec(&document).expect("text"), bytes);
    assert_eq!(MandateDocument::parse(&bytes).expect("reads"), document);
    assert_eq!(document.digest(), Digest::of(&bytes));
}

/// Control: without `deny_unknown_fields` or the canonical comparison each of these reads.
#[test]
fn other_spellings_are_refused() {
    let text = String::from_utf8(document().to_canonical()).expect("text");
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"version\":1", "\"version\": 1"),
        ("\"version\":1", "\"version\":1,\"version\":1"),
        ("\"version\":1", "\"version\":1,\"zeal\":0"),
        ("EUR 500000", "EUR 500000.0"),
        ("EUR 500000", "eur 500000"),
        ("[\"BTC_EUR\",\"ETH_EUR\"]", "[\"ETH_EUR\",\"BTC_EUR\"]"),
        ("[\"BTC_EUR\",\"ETH_EUR\"]", "\"any\""),
        ("\"repeat_window_ms\":500", "\"repeat_window_ms\":600001"),
        ("momentum 3.1", "momentum\\u0000"),
        ("momentum 3.1", ""),
        ("freeze", "shrug"),
        ("observe until ", "observe until x"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(
            MandateDocument::parse(text.replacen(from, to, 1).as_bytes()).is_err(),
            "{to}"
        );
    }
    assert!(matches!(
        MandateDocument::parse(&[b' '; LONGEST_DOCUMENT + 1]),
        Err(MandateError::TooLong(_))
    ));
}

#[test]
fn a_flipped_bit_changes_the_digest_or_is_refused() {
    let (document, bytes) = (document(), document().to_canonical());
    for at in 0..bytes.len() {
        for bit in [1, 2, 4, 32, 128] {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            if let Ok(read) = MandateDocument::parse(&flipped) {
                assert_eq!(read.to_canonical(), flipped);
                assert_ne!(read.digest(), document.digest());
            }
        }
    }
}

#[test]
fn limits_that_no_certificate_could_carry_are_refused() {
    let names = (0..256)
        .map(|n| format!("A_VERY_LONG_INSTRUMENT_NAME_{n:04}"))
        .collect();
    let document = with_limits(|d| d.instruments = ScopeDocument::Names(names));
    assert!(matches!(document.check(), Err(MandateError::Limits(_))));
}

#[test]
fn the_certificate_carries_the_digest_of_the_document() {
    let document = document();
    let limits = document
        .authority_limits(vec![Digest::of(b"officer")])
        .expect("an agent's limits");
    let mandate = limits.mandate().expect("an agent");
    assert_eq!(
        (mandate.id(), mandate.document_hash()),
        (document.mandate, document.digest())
    );
    assert_eq!(document.matches(&limits), Ok(()));
    assert_eq!(
        with(|d| d.conduct.repeat_window_ms = 0).matches(&limits),
        Err(Mismatch::DocumentHash)
    );
    let digest_less = with(|d| d.declared_code_digest = None);
    assert_eq!(digest_less.agent_digest(), None);
}

/// Control: a member left out of `plain_words` or `diff` leaves two different documents without a difference.
#[test]
fn every_member_is_said_and_compared() {
    let old = document();
    assert!(old.diff(&old).is_empty());
    let variants: Vec<(&str, MandateDocument, bool)> = vec![
        (
            "mandate",
            with(|d| d.mandate = MandateId::new("m-2").expect("id")),
            false,
        ),
        ("agent", with(|d| d.agent = AgentId::new("mm-2").expect("id")), true),
        ("owner", with(|d| d.owner = OwnerId::new("desk-8").expect("id")), false),
        ("environment", with(|d| d.environment = Environment::Production), true),
        ("expires", with(|d| d.expires = d.expires.plus_seconds(1)), true),
        ("expires", with(|d| d.expires = d.expires.plus_seconds(-1)), false),
        ("declared_model", with(|d| d.declared_model.push('x')), false),
        ("declared_code_digest", with(|d| d.declared_code_digest = None), false),
        ("on_halt", with(|d| d.conduct.on_halt = OnHalt::CancelAll), false),
        (
            "on_unanswered_warning",
            with(|d| d.conduct.on_unanswered_warning = OnUnansweredWarning::ReduceOnly),
            true,
        ),
        (
            "on_unanswered_warning",
            with(|d| d.conduct.on_unanswered_warning = OnUnansweredWarning::Revoke),
            false,
        ),
        ("scoring", with(|d| d.conduct.scoring = Scoring::Enforce), false),
        ("repeat_window_ms", with(|d| d.conduct.repeat_window_ms = 0), true),
        ("probation_hours", with(|d| d.conduct.probation_hours = Some(24)), false),
        (
            "max_day_loss",
            with(|d| d.conduct.max_day_loss = losses(&["EUR 1", "USDT 2"])),
            false,
        ),
        ("max_executions", with(|d| d.conduct.max_executions = Some(5)), false),
        ("max_open_orders", with(|d| d.conduct.max_open_orders = Some(5)), false),
        (
            "max_position",
            with(|d| d.conduct.max_position = positions(&["BTC_EUR 1", "ETH_EUR 2"])),
            false,
        ),
        (
            "self_trade",
            with(|d| d.conduct.self_trade = Some(SelfTrade::Refuse)),
            false,
        ),
        (
            "purpose_commitment",
            with(|d| d.purpose_commitment = Digest::of(b"x")),
            false,
        ),
        (
            "rationale_commitment",
            with(|d| d.rationale_commitment = Digest::of(b"x")),
            false,
        ),
        (
            "limits.per_order",
            with_limits(|d| d.per_order[0] = "EUR 500001".to_owned()),
            true,
        ),
        (
            "limits.per_order",
            with_limits(|d| d.per_order[0] = "EUR 400000".to_owned()),
            false,
        ),
        (
            "limits.per_day",
            with_limits(|d| d.per_day.push("USD 1".to_owned())),
            true,
        ),
        ("limits.order_rates", with_limits(|d| d.order_rates.truncate(1)), true),
        (
            "limits.order_rates",
            with_limits(|d| d.order_rates.push("9/2s".to_owned())),
            false,
        ),
        (
            "limits.instruments",
            with_limits(|d| d.instruments = ScopeDocument::Names(vec!["BTC_EUR".to_owned()])),
            false,
        ),
        (
            "limits.counterparties",
            with_limits(|d| d.counterparties = ScopeDocument::Names(vec!["x".to_owned()])),
            true,
        ),
        (
            "limits.regions",
            with_limits(|d| d.regions = ScopeDocument::Names(vec!["x".to_owned()])),
            true,
        ),
        (
            "limits.hours",
            with_limits(|d| d.hours = vec!["always".to_owned()]),
            true,
        ),
        ("limits.order_types", with_limits(|d| d.order_types.clear()), false),
        (
            "limits.price_collar_bps",
            with_limits(|d| d.price_collar_bps = 251),
            true,
        ),
        ("limits.order_proof", with_limits(|d| d.order_proof = false), true),
    ];
    for (what, new, wider) in variants {
        let changes = old.diff(&new);
        assert_eq!(changes.len(), 1, "{what}: {changes:?}");
        assert_eq!((changes[0].what, changes[0].wider), (what, wider));
        assert_ne!(old.plain_words(), new.plain_words(), "{what}");
    }
}

fn positions(texts: &[&str]) -> Option<Caps<crate::Instrument>> {
    Some(serde_json::from_value(serde_json::json!(texts)).expect("caps"))
}

fn losses(texts: &[&str]) -> Option<Caps<crate::Currency>> {
    Some(serde_json::from_value(serde_json::json!(texts)).expect("caps"))
}

/// Documents of before the bounds are the same bytes as ever: an absent bound leaves no trace. Control: without
/// `skip_serializing_if` an absent bound is written as null, and the digest is another.
#[test]
fn a_document_without_bounds_keeps_its_bytes() {
    let text = include_str!("../../../fuzz/corpus/mandate/enforced.json").trim_end();
    let document = MandateDocument::parse(text.as_bytes()).expect("an old document");
    assert_eq!(document.to_canonical(), text.as_bytes());
    for member in [
        "cancel_after_disconnect_s",
        "max_day_loss",
        "max_executions",
        "max_open_orders",
        "max_position",
        "self_trade",
    ] {
        assert!(!text.contains(member), "{member}");
    }
}

/// Each bound out of its range, and just inside. Control: `check` without `check_bounds`, and the first ones pass.
#[test]
fn bounds_have_their_ranges_and_one_spelling() {
    for (most, fits) in [(0, false), (1, true), (256, true), (257, false)] {
        let document = with(|d| d.conduct.max_open_orders = Some(most));
        assert_eq!(document.check().is_ok(), fits, "{most}");
    }
    for (most, fits) in [(0, false), (1, true), (1_000_000, true), (1_000_001, false)] {
        let document = with(|d| d.conduct.max_executions = Some(most));
        assert_eq!(document.check().is_ok(), fits, "{most}");
    }
    let units: Vec<String> = example()
        .per_day
        .iter()
        .map(|text| text.split(' ').next().expect("unit").to_owned())
        .collect();
    let rows: Vec<String> = units.iter().map(|unit| format!("{unit} 5")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    assert!(with(|d| d.conduct.max_day_loss = losses(&rows)).check().is_ok());
    let other = with(|d| d.conduct.max_day_loss = losses(&["XXX 5"])).check();
    assert!(matches!(other, Err(MandateError::DayLoss)), "{other:?}");
    let capped = |texts: &[&str]| with(|d| d.conduct.max_position = positions(texts));
    assert!(
        capped(&["BTC_EUR 1"]).check().is_err(),
        "ETH_EUR may be traded and has no cap"
    );
    let document = capped(&["ETH_EUR 0.5", "BTC_EUR 1"]);
    assert!(document.check().is_ok());
    let text = String::from_utf8(document.to_canonical()).expect("text");
    assert!(text.contains(r#""max_position":["BTC_EUR 1","ETH_EUR 0.5"]"#), "{text}");
    assert_eq!(MandateDocument::parse(text.as_bytes()).expect("reads"), document);
    for (from, to) in [
        (r#""BTC_EUR 1","ETH_EUR 0.5""#, r#""ETH_EUR 0.5","BTC_EUR 1""#),
        ("BTC_EUR 1", "BTC_EUR 1.0"),
        ("BTC_EUR 1", "BTC_EUR 0"),
        ("BTC_EUR 1", "BTC_EUR -1"),
        ("BTC_EUR 1", "BTC_EUR  1"),
        ("BTC_EUR 1", "BTC_EUR"),
        ("BTC_EUR 1", "ETH_EUR 1"),
        ("\"max_position\":[", "\"max_open_orders\":null,\"max_position\":["),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(
            MandateDocument::parse(text.replacen(from, to, 1).as_bytes()).is_err(),
            "{to}"
        );
    }
}

/// A grace of one second to an hour; absent it leaves no trace. It may shrink; longer or gone is wider. Control: the comparison turned round.
#[test]
fn a_grace_for_a_broken_stream_is_bounded_and_may_only_shrink() {
    let with_grace = |grace: Option<u16>| with(|document| document.conduct.cancel_after_disconnect_s = grace);
    for (grace, holds) in [
        (None, true),
        (Some(0), false),
        (Some(1), true),
        (Some(3_600), true),
        (Some(3_601), false),
    ] {
        assert_eq!(with_grace(grace).check().is_ok(), holds, "{grace:?}");
    }
    let text = |grace| String::from_utf8(with_grace(grace).to_canonical()).expect("text");
    assert!(!text(None).contains("disconnect"));
    assert!(
        text(Some(30)).contains(r#""conduct":{"cancel_after_disconnect_s":30,"#),
        "{}",
        text(Some(30))
    );
    assert_eq!(
        MandateDocument::parse(text(Some(30)).as_bytes()).expect("reads"),
        with_grace(Some(30))
    );
    assert!(with_grace(Some(30)).plain_words().contains("within 30 s"));
    let wider = |new: Option<u16>, old: Option<u16>| {
        let wider = with_grace(new).conduct.wider_bounds(&with_grace(old).conduct);
        wider
            .first()
            .is_some_and(|text| text.starts_with("cancel_after_disconnect_s"))
    };
    assert!(wider(Some(31), Some(30)) && wider(None, Some(30)));
    assert!(!wider(Some(29), Some(30)) && !wider(Some(30), None) && !wider(None, None));
}

/// The same or narrower in each bound, or named as wider. Control: `wider` that forgets a bound which is gone.
#[test]
fn a_bound_that_is_raised_or_gone_is_wider() {
    let bounded = |open: Option<u16>, texts: Option<&[&str]>, own: Option<SelfTrade>| {
        let mut conduct = document().conduct;
        conduct.max_open_orders = open;
        conduct.max_position = texts.and_then(positions);
        conduct.self_trade = own;
        conduct
    };
    let two: Option<&[&str]> = Some(&["BTC_EUR 1", "ETH_EUR 2"]);
    let outer = bounded(Some(5), two, Some(SelfTrade::Refuse));
    let narrower = bounded(Some(4), Some(&["BTC_EUR 0.5"]), Some(SelfTrade::Refuse));
    assert!(outer.wider_bounds(&outer).is_empty() && narrower.wider_bounds(&outer).is_empty());
    let mut losing = outer.clone();
    losing.max_day_loss = losses(&["EUR 5"]);
    assert!(losing.wider_bounds(&outer).is_empty());
    assert!(outer.wider_bounds(&losing)[0].starts_with("max_day_loss"));
    let mut latched = outer.clone();
    latched.max_executions = Some(5);
    assert!(latched.wider_bounds(&outer).is_empty());
    assert!(outer.wider_bounds(&latched)[0].starts_with("max_executions"));
    for (conduct, what) in [
        (bounded(Some(6), two, Some(SelfTrade::Refuse)), "max_open_orders"),
        (bounded(None, two, Some(SelfTrade::Refuse)), "max_open_orders"),
        (
            bounded(Some(5), Some(&["BTC_EUR 1.1"]), Some(SelfTrade::Refuse)),
            "max_position",
        ),
        (
            bounded(Some(5), Some(&["XRP_EUR 1"]), Some(SelfTrade::Refuse)),
            "max_position",
        ),
        (bounded(Some(5), None, Some(SelfTrade::Refuse)), "max_position"),
        (bounded(Some(5), two, None), "self_trade"),
    ] {
        let wider = conduct.wider_bounds(&outer);
        assert!(wider.len() == 1 && wider[0].starts_with(what), "{what}: {wider:?}");
        assert!(outer.wider_bounds(&bounded(None, None, None)).is_empty());
    }
}

#[test]
fn plain_words_read_well() {
    let words = document().plain_words();
    for line in [
        "Agent                 mm-1 of owner desk-7, sandbox",
        "One order, at most    EUR 500000; nothing in any other unit",
        "Messages, at most     60 in 1 s, 2000 in 60 s",
        "Hours (UTC)           Mon-Fri 07:00-20:00",
        "Price collar          at most 250 basis points (2.50 %) worse than the reference price",
    ] {
        assert!(words.lines().any(|l| l == line), "{line}\n{words}");
    }
}
