//! Bodies that are no order, and one order from many connections at once.

use serde_json::json;

use crate::house::{House, LONG, Setup, closing_post, house, order};

async fn posted(house: &House, body: &str) -> String {
    house.raw(&closing_post(body, ""), LONG).await.0
}

/// The honest order as text with `from` replaced.
fn changed(from: &str, to: &str) -> String {
    let text = order("json").to_string();
    assert!(text.contains(from), "{from} is in the order");
    text.replacen(from, to, 1)
}

/// Each body is refused with its code and nothing is forwarded, and its `client_order_id` stays free: the honest order under the same
/// one passes at the end, which is the negative control.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_order_is_an_order() {
    const MALFORMED: &str = "ORDER_MALFORMED";
    const INVALID: &str = "ORDER_INVALID";
    let house = house(Setup::default()).await;
    let whole = order("json").to_string();
    let quantity = |to: &str| changed("\"0.01\"", to);
    let cases = [
        ("nothing", String::new(), MALFORMED),
        ("a list", "[]".to_owned(), MALFORMED),
        ("a field twice", changed("{", "{\"quantity\":\"9\","), MALFORMED),
        (
            "a field twice, escaped",
            changed("{", "{\"quantit\\u0079\":\"9\","),
            MALFORMED,
        ),
        ("an unknown field", changed("{", "{\"leverage\":\"9\","), INVALID),
        ("a confusable field", changed("\"price\"", "\"pri\u{0441}e\""), INVALID),
        ("a confusable instrument", changed("BTC_EUR", "BT\u{0421}_EUR"), INVALID),
        ("a full-width digit", quantity("\"\u{ff11}\""), INVALID),
        (
            "depth",
            changed("{", &format!("{{\"x\":{}{},", "[".repeat(900), "]".repeat(900))),
            MALFORMED,
        ),
        (
            "huge",
            changed("{", &format!("{{\"x\":\"{}\",", "x".repeat(5_000))),
            "BODY_TOO_LARGE",
        ),
        ("NaN", quantity("NaN"), MALFORMED),
        ("NaN as text", quantity("\"NaN\""), INVALID),
        ("infinity as text", quantity("\"inf\""), INVALID),
        ("an exponent", quantity("\"1e2\""), INVALID),
        ("a number with an exponent", quantity("1e-2"), INVALID),
        ("a sign", quantity("\"+0.01\""), INVALID),
        ("below zero", quantity("\"-0.01\""), INVALID),
        ("zero", quantity("\"0\""), INVALID),
        (
            "too long a number",
            quantity(&format!("\"{}\"", "9".repeat(60))),
            INVALID,
        ),
        ("a blank in a number", quantity("\" 0.01\""), INVALID),
        ("a byte order mark", format!("\u{feff}{whole}"), MALFORMED),
        ("NUL behind", format!("{whole}\0"), MALFORMED),
        ("NUL within", changed("json", "js\\u0000on"), MALFORMED),
        ("a lone surrogate", changed("json", "\\ud800"), MALFORMED),
        ("something behind", format!("{whole}{whole}"), MALFORMED),
        ("a comment", format!("/* */{whole}"), MALFORMED),
        (
            "a comma at the end",
            format!("{},}}", &whole[..whole.len() - 1]),
            MALFORMED,
        ),
    ];
    for (what, body, code) in cases {
        let said = posted(&house, &body).await;
        assert!(
            said.contains(code) && !said.contains(" 200 "),
            "{what}: {code} expected: {said}"
        );
        assert_eq!(house.orders(), 0, "{what}: nothing was forwarded");
    }
    let said = house
        .raw(&closing_post_octets(b"{\"client_order_id\":\"\xff\xfe\"}"), LONG)
        .await
        .0;
    assert!(said.contains(MALFORMED), "not UTF-8: {said}");
    // Each factor is a number we read; the product is none we hold.
    let mut product = order("overflow");
    product["quantity"] = json!("99999999999999999");
    product["price"] = json!("99999999999999999");
    let said = posted(&house, &product.to_string()).await;
    assert!(
        said.contains(" 403 ") || said.contains(" 400 ") || said.contains(" 422 "),
        "{said}"
    );
    assert!(said.contains("\"checks\""), "it tells what failed: {said}");
    assert_eq!(house.orders(), 0, "{said}");
    house.lives("json").await;
    // None of them has an entry of its own; their count has. Control: without `no_order` the bot is never told of it.
    let began = std::time::Instant::now();
    let ask = b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 0\r\n\r\n";
    loop {
        let told = house.raw(ask, std::time::Duration::from_millis(300)).await.0;
        if told.contains("event: messages") && told.contains("\"kind\":\"orders.malformed\"") {
            break;
        }
        assert!(began.elapsed() < LONG, "{told}");
    }
    house.running.stop().await.unwrap();
}

fn closing_post_octets(body: &[u8]) -> Vec<u8> {
    let mut octets = closing_post(&"x".repeat(body.len()), "");
    octets.truncate(octets.len() - body.len());
    octets.extend_from_slice(body);
    octets
}

/// One `client_order_id` from 20 connections at once: one order at the venue, one answer for all; another body under it is refused.
/// Negative control: 20 ids in the same way are 20 orders.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_id_is_one_order() {
    let house = house(Setup::default()).await;
    let all = |ids: Vec<String>| {
        let sent = ids.into_iter().map(|id| {
            let (client, octets) = (
                house.client(Some(house.identity())),
                closing_post(&order(&id).to_string(), ""),
            );
            let port = house.port();
            tokio::spawn(async move {
                let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
                let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
                let stream = connector.connect(name, stream).await.unwrap();
                crate::house::spoken(stream, &octets, LONG).await.0
            })
        });
        sent.collect::<Vec<_>>()
    };
    let mut created = 0;
    for answer in all(vec!["same".to_owned(); 20]) {
        let answer = answer.await.unwrap();
        created += usize::from(answer.contains("\"receipt\""));
        assert!(
            [" 200 ", " 202 "].iter().any(|status| answer.contains(status)),
            "{answer}"
        );
    }
    assert_eq!((house.orders(), created), (1, 1), "one order, one receipt of it");
    let mut other = order("same");
    other["quantity"] = json!("0.02");
    let said = posted(&house, &other.to_string()).await;
    assert!(said.contains("HTTP/1.1 409"), "{said}");
    assert_eq!(house.orders(), 1, "the other body reached nobody");
    for answer in all((0..20).map(|number| format!("own-{number}")).collect()) {
        let answer = answer.await.unwrap();
        assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(house.orders(), 21, "the control");
    house.running.stop().await.unwrap();
}
