//! What an application would have done to past orders, over a stream that gateways could have written.

use axum::http::StatusCode;
use extensions::{Digest, EffectiveLimits, MandateDocument, StreamId, Timestamp};
use gateway_policy::{
    AgentEvent, AgentState, CertificateUsed, Decision, EntryAt, Facts, Known, Mandate, Order, OrderKind, OrderTerms,
    ParsedOrder, Proof, ReferencePrice, Side, TimeInForce, Validity, View, decide,
};
use ledger::Append;
use revocation_core::HouseState;
use serde_json::{Value, json};

use super::Bench;

/// A mandate that any hour is within and no score acts under, one order at most `order` EUR.
async fn asked(bench: &Bench, mandate: &str, order: &str) -> Value {
    let mut asked = bench.asks("mm-1", mandate, ("100000", order), None);
    asked["limits"]["hours"] = json!(["always"]);
    asked["conduct"]["scoring"] = json!(format!("observe until {}", bench.now().plus_seconds(86_400)));
    bench.done(&bench.ada, "/v1/applications", asked).await
}

/// A bot with a mandate in force of 500 EUR an order. Gives the document.
pub(super) async fn house(bench: &Bench) -> MandateDocument {
    bench.agent("mm-1", "desk").await;
    let asked = asked(bench, "m-1", "500").await;
    let sign = "/v1/applications/m-1/signatures";
    bench.done(&bench.ben, sign, bench.ben.signs(&asked, "approve")).await;
    let (_, shown) = bench.get(&bench.ada, "/v1/applications/m-1").await;
    serde_json::from_value(shown["document"].clone()).unwrap()
}

/// Decides and records an order of one piece at `price` EUR, as a gateway would.
pub(super) async fn sends(bench: &Bench, document: &MandateDocument, id: &str, price: &str, at: Timestamp) {
    let stream = StreamId::agent(&document.agent);
    let mut state = AgentState::new(document.agent);
    for entry in bench.ledger.read_stream(&stream, 0, 4_096).await.unwrap() {
        let place = EntryAt {
            number: entry.number,
            at: entry.at,
        };
        state.apply(place, &AgentEvent::decode(&entry.kind, entry.body()).unwrap());
    }
    let order = Order::new(OrderTerms {
        client_order_id: id.parse().unwrap(),
        counterparty: "exchange_a".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        instrument: "BTC_EUR".parse().unwrap(),
        price: Some(price.parse().unwrap()),
        quantity: "1".parse().unwrap(),
        reduce_only: false,
        side: Side::Buy,
        stop_price: None,
        time_in_force: TimeInForce::Gtc,
        kind: OrderKind::Limit,
    });
    let (order, limits) = (ParsedOrder::new(order.unwrap()), EffectiveLimits::of(&document.limits));
    let facts = Facts {
        order: &order,
        certificate: CertificateUsed {
            fingerprint: Digest::default(),
            not_after: at.plus_seconds(600),
            not_before: at.plus_seconds(-600),
            serial: extensions::Serial::new([1; 18]).unwrap(),
            validity: Validity::Current,
        },
        limits: Some(&limits),
        mandate: Some(Mandate {
            digest: document.digest(),
            document,
        }),
        baseline: None,
        house: &HouseState::default(),
        view: View::Fresh,
        proof: Proof::NotRequired,
        signed_by: None,
        region: Some("eu-west-1".parse().unwrap()),
        reference: Some(ReferencePrice {
            at,
            currency: "EUR".parse().unwrap(),
            price: price.parse().unwrap(),
        }),
        reference_max_age_ms: 5_000,
        exposure: None,
        known: Known::New,
        gateway: &"gw-1".parse().unwrap(),
        send_within_ms: 250,
        epoch: 0,
    };
    let decision = decide(&facts, &state, at);
    assert!(!matches!(decision, Decision::Halt(_)));
    let recorded = decision.decided().clone();
    let appended = bench.writer.append(Append::next(recorded, at)).await;
    appended.map_err(|error| error.to_string()).unwrap();
}

/// Three orders ten minutes ago: permitted, permitted, refused.
async fn traded(bench: &Bench) -> MandateDocument {
    let document = house(bench).await;
    let at = bench.now();
    for (second, (id, price)) in [("small", "100"), ("large", "400"), ("over", "600")]
        .into_iter()
        .enumerate()
    {
        let at = at.plus_seconds(10 * second as i64);
        sends(bench, &document, id, price, at).await;
    }
    document
}

async fn whatif(bench: &Bench, mandate: &str) -> Value {
    let (status, answer) = bench
        .get(&bench.ada, &format!("/v1/applications/{mandate}/whatif"))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// Both directions, with the code, the figures and the order; the largest order that was used beside what is asked for.
///
/// Controls: the limits in force move nothing; a bot without orders has no past.
#[tokio::test]
async fn a_narrower_and_a_wider_mandate_are_tried_on_past_orders() {
    let bench = Bench::new().await;
    traded(&bench).await;
    asked(&bench, "narrow", "200").await;
    asked(&bench, "wide", "5000").await;
    let same = whatif(&bench, "m-1").await;
    assert_eq!((&same["orders"], &same["unlike"]), (&json!(3), &json!(0)), "{same}");
    assert_eq!(
        (&same["stopped"]["count"], &same["let_through"]["count"]),
        (&json!(0), &json!(0))
    );
    let narrow = whatif(&bench, "narrow").await;
    assert_eq!(narrow["stopped"]["by_code"], json!({"MAX_NOTIONAL": 1}), "{narrow}");
    let first = &narrow["stopped"]["first"][0];
    assert_eq!(
        (&first["order"], &first["checks"][0]["code"]),
        (&json!("large"), &json!("MAX_NOTIONAL"))
    );
    assert_eq!(
        (&narrow["permitted"], &narrow["would_be_permitted"]),
        (&json!(2), &json!(1))
    );
    let wide = whatif(&bench, "wide").await;
    assert_eq!(
        (&wide["stopped"]["count"], &wide["let_through"]["count"]),
        (&json!(0), &json!(1)),
        "{wide}"
    );
    assert_eq!(wide["let_through"]["first"][0]["order"], "over");
    assert_eq!(wide["unusual"][0]["code"], "ORDER_ABOVE_USE", "{wide}");
    assert_eq!(
        (&wide["cut"], narrow["unusual"].as_array().unwrap().len()),
        (&json!(false), 1),
        "{narrow}"
    );
    bench.agent("mm-2", "desk").await;
    bench.application("mm-2", "m-2", "100000").await;
    let none = whatif(&bench, "m-2").await;
    assert_eq!(
        (&none["orders"], &none["unlike"], &none["unusual"]),
        (&json!(0), &json!(0), &json!([]))
    );
}

/// An order that does not come out as recorded is counted apart: it would speak of a state that the console does not have.
///
/// Control: the order before it, decided under the document it names, is compared. Tried: where it is not counted in `Look::take`, red.
#[tokio::test]
async fn an_order_that_does_not_come_out_again_is_not_compared() {
    let bench = Bench::new().await;
    let document = house(&bench).await;
    let mut narrower = document.clone();
    narrower.limits = {
        let mut parts = document.limits.clone().into_parts();
        parts.price_collar_bps = 0;
        parts.order_types = extensions::limits::OrderTypes::default();
        extensions::limits::Authority::new(parts).unwrap()
    };
    // Decided under limits that the document of this digest does not have.
    let at = bench.now();
    sends(&bench, &document, "first", "100", at).await;
    sends(&bench, &narrower, "second", "100", at.plus_seconds(10)).await;
    let looked = whatif(&bench, "m-1").await;
    assert_eq!(
        (&looked["orders"], &looked["unlike"]),
        (&json!(1), &json!(1)),
        "{looked}"
    );
}

/// A look reads so many entries of the period, the newest, and says that it left older ones out; and as many before the period: where more are
/// left it is refused, and the same request goes on from there.
///
/// Controls tried: without the bound of the period nothing is cut; without that of what is before it the one look reads all; without `keep`
/// the same request never comes further.
#[tokio::test]
async fn a_look_is_bounded_and_goes_on() {
    let mut bench = Bench::new().await;
    let document = traded(&bench).await;
    let all = whatif(&bench, "m-1").await;
    assert_eq!((&all["cut"], &all["orders"]), (&json!(false), &json!(3)));
    bench.console.past = std::sync::Arc::new(crate::past::Pasts {
        most: 2,
        ..Default::default()
    });
    let cut = whatif(&bench, "m-1").await;
    assert_eq!(
        (&cut["cut"], &cut["read"], &cut["orders"]),
        (&json!(true), &json!(2), &json!(2)),
        "{cut}"
    );
    let at = bench.now().plus_seconds(60);
    for (second, id) in ["fourth", "fifth", "sixth"].into_iter().enumerate() {
        sends(&bench, &document, id, "100", at.plus_seconds(10 * second as i64)).await;
    }
    let path = "/v1/applications/m-1/whatif";
    let (status, behind) = bench.get(&bench.ada, path).await;
    assert_eq!(
        (status, &behind["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("WHATIF_BEHIND"))
    );
    assert!(behind["detail"].to_string().contains("1 are left"), "{behind}");
    let (status, on) = bench.get(&bench.ada, path).await;
    assert_eq!(
        (status, &on["read"], &on["cut"]),
        (StatusCode::OK, &json!(2), &json!(true))
    );
}

/// One look at a time: a second one is refused with a stable code and a time to come again, and its page says so where the section would stand.
/// Control: once the first has ended, both are answered. Tried: with a turn for each look, red. What is out of bounds or not there is told before.
#[tokio::test]
async fn looks_are_taken_one_at_a_time() {
    let bench = Bench::new().await;
    house(&bench).await;
    let path = "/v1/applications/m-1/whatif";
    let turn = bench.console.past.turn.clone().acquire_owned().await.unwrap();
    let (status, answer) = bench.get(&bench.ada, path).await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("WHATIF_BUSY"))
    );
    let ada = super::pages::Browser::new(&bench, true).signed_in().await;
    let (status, page) = ada.get("/applications/m-1/whatif").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.contains("data-part data-again=\"3\"") && page.contains("Not looked at."),
        "{page}"
    );
    drop(turn);
    let (status, page) = ada.get("/applications/m-1/whatif").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("there is no past to try this mandate on"), "{page}");
    bench.refused_get("/v1/applications/none/whatif").await;
    for days in ["0", "91"] {
        let (status, answer) = bench.get(&bench.ada, &format!("{path}?days={days}")).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::BAD_REQUEST, &json!("DAYS")),
            "{days}"
        );
    }
    assert_eq!(
        bench.get(&bench.ada, &format!("{path}?days=90")).await.0,
        StatusCode::OK
    );
}

/// What is unusual stands in the answer and on the page: a refusal of the same applicant, and a revocation. Control: before either, neither.
/// Tried: without the view's refusals in `applications::flags`, red.
#[tokio::test]
async fn a_refusal_and_a_halt_are_told_beside_the_next_application() {
    let bench = Bench::new().await;
    house(&bench).await;
    let shown = async || bench.get(&bench.ada, "/v1/applications/m-2").await.1;
    let codes = |shown: &Value| {
        let flags = shown["unusual"].as_array().unwrap().iter();
        flags
            .map(|flag| flag["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = asked(&bench, "m-2", "500").await;
    let before = codes(&shown().await);
    assert!(!before.iter().any(|code| code.ends_with("LATELY")), "{before:?}");
    let sign = "/v1/applications/m-2/signatures";
    bench.done(&bench.ben, sign, bench.ben.signs(&first, "reject")).await;
    bench
        .done(&bench.ada, "/v1/agents/mm-1/revoke", json!({"reason": "odd"}))
        .await;
    asked(&bench, "m-2", "500").await;
    let after = codes(&shown().await);
    assert!(after.contains(&"REFUSED_LATELY".to_owned()), "{after:?}");
    assert!(after.contains(&"HALTED_LATELY".to_owned()), "{after:?}");
    let ada = super::pages::Browser::new(&bench, true).signed_in().await;
    let (_, page) = ada.get("/applications/m-2").await;
    assert!(page.contains("ada was refused for this agent 1 time in"), "{page}");
    assert!(page.contains("data-later=\"/applications/m-2/whatif\""), "{page}");
}
