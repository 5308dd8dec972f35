//! Tests of the module `order`: what it must do and what it must refuse.

use proptest::prelude::*;

use super::*;
use crate::codes::Code;

const GOOD: &str = r#"{"client_order_id":"b-1","instrument":"ETH_EUR","side":"buy","type":"limit","quantity":"0.5","price":"3120.55","currency":"EUR","counterparty":"exchange_b","time_in_force":"gtc","reduce_only":false,"reasoning":"bench"}"#;

fn parse(text: &str) -> Result<ParsedOrder, Vec<OrderFault>> {
    Order::from_json(text.as_bytes())
}

/// `GOOD` with one field's text replaced (or the field dropped, with an empty text).
fn with(field: &str, value: &str) -> String {
    let start = GOOD.find(&format!("\"{field}\":")).expect("a field of GOOD");
    let end = GOOD[start..].find(",\"").map_or(GOOD.len() - 1, |at| start + at);
    if value.is_empty() {
        let end = if end == GOOD.len() - 1 { end } else { end + 1 };
        format!("{}{}", &GOOD[..start], &GOOD[end..])
    } else {
        format!("{}\"{field}\":{value}{}", &GOOD[..start], &GOOD[end..])
    }
}

#[track_caller]
fn fault(text: &str, field: &str, kind: FaultKind) -> String {
    let faults = parse(text).expect_err(text);
    let found = faults.iter().find(|fault| fault.field == field && fault.kind == kind);
    found.unwrap_or_else(|| panic!("{text}: {faults:?}")).message.clone()
}

#[test]
fn a_good_order_is_read_whole() {
    let parsed = parse(GOOD).expect("good");
    let order = &parsed.order;
    assert_eq!(order.quantity.to_string(), "0.5");
    assert_eq!(order.price.map(|price| price.to_string()).as_deref(), Some("3120.55"));
    assert_eq!(
        (order.side, order.kind, order.time_in_force),
        (Side::Buy, OrderKind::Limit, TimeInForce::Gtc)
    );
    assert_eq!(parsed.reasoning.as_ref().map(Reasoning::as_str), Some("bench"));
    assert!(!format!("{parsed:?}").contains("bench"), "reasoning is never printed");
}

/// Decimals are exact as strings and as numbers. Control: reading numbers by way of f64 turns the second into 0.1000000000000000055.
#[test]
fn numbers_are_exact_and_plain() {
    for (value, read) in [
        ("0.1", "0.1"),
        ("\"0.10\"", "0.1"),
        ("12", "12"),
        ("0.1000000000000000001", ""),
        ("9999999999999999999", "9999999999999999999"),
    ] {
        match parse(&with("quantity", value)) {
            Ok(parsed) => assert_eq!(parsed.order.quantity.to_string(), read),
            Err(_) => assert_eq!(read, "", "{value}"),
        }
    }
    for value in [
        "1e3",
        "1E3",
        "1e-3",
        "\"1e3\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"\"",
        "\"0x1\"",
        "\" 1\"",
        "\"1,5\"",
        "\"+1\"",
        "\"１\"",
        "-1",
        "0",
        "\"0.0\"",
        "\"-0\"",
    ] {
        fault(&with("quantity", value), "quantity", FaultKind::BadValue);
    }
    for value in ["true", "null", "[1]", "{\"a\":1}"] {
        fault(&with("quantity", value), "quantity", FaultKind::WrongType);
    }
    for value in ["NaN", "Infinity", "-", "01", "1.", ".5", "+1", "1e"] {
        fault(&with("quantity", value), "body", FaultKind::Malformed);
    }
}

#[test]
fn strictness_of_the_body() {
    fault(&format!("\u{feff}{GOOD}"), "body", FaultKind::Malformed);
    fault(&GOOD.replace("bench", "be\0ch"), "body", FaultKind::Malformed);
    fault(&GOOD.replace("bench", "be\u{1}ch"), "body", FaultKind::Malformed);
    fault(&format!("{GOOD}{GOOD}"), "body", FaultKind::Malformed);
    fault(
        &GOOD.replace("\"side\"", "\"\\u0073ide\""),
        "body",
        FaultKind::Malformed,
    );
    fault(&GOOD.replace("\"bench\"", "\"\\ud800\""), "body", FaultKind::Malformed);
    fault(&GOOD.replace("\"bench\"", "\"\\u0000\""), "body", FaultKind::Malformed);
    fault(&GOOD[..GOOD.len() - 1], "body", FaultKind::Malformed);
    fault(&GOOD.replace("false,", "false,,"), "body", FaultKind::Malformed);
    for text in ["", "[]", "null", "{", "{}x", "{\"a\"}", "{'a':1}"] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert!(Order::from_json(b"{\"side\":\"\xff\"}").is_err());
    let fault = parse(&format!("{{\"side\":\"{}\"}}", "a".repeat(LONGEST_BODY))).expect_err("long");
    assert_eq!(fault[0].code(), Code::BodyTooLarge);
}

#[test]
fn keys_stand_once_and_are_known() {
    fault(&GOOD.replace("\"side\"", "\"price\""), "price", FaultKind::Repeated);
    let message = fault(&GOOD.replace("}", ",\"leverage\":5}"), "leverage", FaultKind::Unknown);
    assert!(message.contains("stop_price"), "{message}");
    // Look-alikes and other cases are other fields.
    for name in ["Side", "ѕide", "side "] {
        let faults = parse(&GOOD.replace("\"side\"", &format!("\"{name}\""))).expect_err(name);
        assert!(
            faults.iter().any(|fault| fault.kind == FaultKind::Unknown),
            "{faults:?}"
        );
        assert!(
            faults
                .iter()
                .any(|fault| fault.kind == FaultKind::Missing && fault.field == "side"),
            "{faults:?}"
        );
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{{\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    fault(&nested(7), "x", FaultKind::Unknown);
    let message = fault(&nested(8), "body", FaultKind::Malformed);
    assert!(message.contains("8 levels"), "{message}");
    assert!(parse(&format!("{{\"x\":{}", "[".repeat(LONGEST_BODY - 10))).is_err());
}

#[test]
fn ids_are_plain_ascii() {
    for (field, bad) in [
        ("instrument", "\"ВТС_EUR\""),
        ("instrument", "\"eth_eur\""),
        ("counterparty", "\"Exchange\""),
        ("currency", "\"EUR \""),
        ("client_order_id", "\"\""),
        ("client_order_id", "\"a b\""),
        ("client_order_id", "\"a\\u0062\""),
    ] {
        fault(&with(field, bad), field, FaultKind::BadValue);
    }
    fault(&with("client_order_id", "12"), "client_order_id", FaultKind::WrongType);
    fault(
        &with("client_order_id", &format!("\"{}\"", "a".repeat(65))),
        "client_order_id",
        FaultKind::BadValue,
    );
    assert!(parse(&with("client_order_id", &format!("\"{}\"", "a".repeat(64)))).is_ok());
}

#[test]
fn prices_belong_to_their_types() {
    fault(&with("price", ""), "price", FaultKind::Missing);
    fault(&with("price", "null"), "price", FaultKind::Missing);
    fault(&with("type", "\"market\""), "price", FaultKind::Unexpected);
    fault(&with("type", "\"stop_limit\""), "stop_price", FaultKind::Missing);
    fault(&with("price", "\"-1\""), "price", FaultKind::BadValue);
    fault(&with("type", "\"iceberg\""), "type", FaultKind::BadValue);
    fault(&with("time_in_force", "\"day\""), "time_in_force", FaultKind::BadValue);
    let market = with("type", "\"market\"").replace("\"price\":\"3120.55\",", "");
    fault(&market, "time_in_force", FaultKind::BadValue);
    let market = parse(&market.replace("\"gtc\"", "null"))
        .map_or_else(|_| market.replace(",\"time_in_force\":\"gtc\"", ""), |_| market.clone());
    assert_eq!(parse(&market).expect("market").order.time_in_force, TimeInForce::Ioc);
}

/// What no venue is told is not taken: a market order that asks for all or nothing would have filled in part, and the time in force of a
/// stop_market order would have been dropped. Control tried: without `refuse_unkept` both are orders. Just inside: what the types do by
/// themselves, and the same words on the types that keep them.
#[test]
fn a_time_in_force_that_would_be_dropped_is_refused() {
    let market = with("type", "\"market\"").replace("\"price\":\"3120.55\",", "");
    let stop = market.replace("\"market\"", "\"stop_market\",\"stop_price\":\"3000\"");
    let timed = |body: &str, word: &str| body.replace("\"gtc\"", word);
    fault(&timed(&market, "\"fok\""), "time_in_force", FaultKind::BadValue);
    for word in ["\"gtc\"", "\"ioc\"", "\"fok\""] {
        fault(&timed(&stop, word), "time_in_force", FaultKind::Unexpected);
    }
    let untimed = |body: &str| body.replace(",\"time_in_force\":\"gtc\"", "");
    for inside in [
        timed(&market, "\"ioc\""),
        untimed(&market),
        untimed(&stop),
        with("time_in_force", "\"fok\""),
    ] {
        assert!(parse(&inside).is_ok(), "{inside}");
    }
    // An entry of a log that holds such an order is still one.
    let mut terms = parse(&untimed(&market)).expect("market").order.into_terms();
    terms.time_in_force = TimeInForce::Fok;
    assert!(Order::new(terms).is_ok());
}

#[test]
fn every_fault_is_reported_at_once() {
    let faults = parse(r#"{"quantity":"x","side":"up","extra":1}"#).expect_err("faulty");
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "extra",
            "client_order_id",
            "counterparty",
            "currency",
            "instrument",
            "quantity",
            "side",
            "type"
        ]
    );
    assert!(faults.iter().all(|fault| fault.code() == Code::OrderInvalid));
}

#[test]
fn reasoning_is_bounded_text() {
    let reason = |text: &str| parse(&with("reasoning", &format!("\"{text}\"")));
    let longest = "é".repeat(LONGEST_REASONING);
    assert_eq!(
        reason(&longest).expect("fits").reasoning.map(|r| r.into_string()),
        Some(longest.clone())
    );
    assert!(reason(&format!("{longest}x")).is_err());
    let spelt = reason("a\\n\\\"\\u00e9\\ud83d\\ude00")
        .expect("escapes")
        .reasoning
        .expect("text");
    assert_eq!(spelt.as_str(), "a\n\"é😀");
    assert!(reason("").expect("empty").reasoning.is_none());
}

/// Control: hashing the body as it came makes the first two differ, and with reasoning in it the third.
#[test]
fn the_identity_is_of_the_terms_however_spelt() {
    let first = parse(GOOD).expect("good").body;
    for same in [
        with("quantity", "0.50"),
        format!(" {}", GOOD.replace(",", " ,\n")),
        with("reasoning", "\"other words\""),
        with("time_in_force", ""),
    ] {
        assert_eq!(parse(&same).expect(&same).body, first, "{same}");
    }
    for other in [
        with("quantity", "0.51"),
        with("side", "\"sell\""),
        with("reduce_only", "true"),
        with("client_order_id", "\"b-2\""),
    ] {
        assert_ne!(parse(&other).expect(&other).body, first, "{other}");
    }
}

proptest! {
    /// Whatever is accepted is JSON of the same content to an independent reader, and re-serialises canonically.
    #[test]
    fn an_independent_reader_agrees(body in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..230, byte in any::<u8>()) {
        let _ = Order::from_json(&body);
        let mut mutated = GOOD.as_bytes().to_vec();
        let at = at % mutated.len();
        mutated[at] = byte;
        if let Ok(parsed) = Order::from_json(&mutated) {
            let value: serde_json::Value = serde_json::from_slice(&mutated).expect("JSON to another reader");
            prop_assert_eq!(value["client_order_id"].as_str(), Some(parsed.order.client_order_id.as_str()));
            prop_assert_eq!(value["instrument"].as_str(), Some(parsed.order.instrument.as_str()));
            prop_assert_eq!(value["side"].as_str(), Some(parsed.order.side.as_str()));
            let again = canonical::to_vec(&*parsed.order);
            let mut fast = Vec::new();
            canonical::write_presorted(&*parsed.order, &mut fast);
            prop_assert_eq!(&fast, &again);
            let terms: OrderTerms = canonical::from_slice(&again).expect("canonical");
            prop_assert_eq!(Order::new(terms).expect("well-formed").body_digest(), parsed.body);
        }
    }
}

#[test]
fn every_field_has_its_own_slot() {
    for (slot, field) in super::parse::FIELDS.iter().enumerate() {
        assert_eq!(super::parse::slot_of(field), Some(slot));
    }
    assert!(super::parse::FIELDS.is_sorted());
}
