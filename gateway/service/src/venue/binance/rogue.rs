//! A rogue venue: scripted behaviours against the adapter (security.md §6, row *venue link*). No panic, nothing sent
//! twice, nothing believed that cannot be true.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    fuzz_reply, read_cancel, read_order, read_orders, read_price, read_queried, read_trades,
    tests::{adapter, btc, d, order},
};
use crate::venue::{Doubt, OrderKey, OrderLife, Outcome, Venue, VenueClientId, binance::CancelReply};

const ID: &str = "m0123456789abcdef-7";

fn honest() -> Value {
    json!({
        "symbol": "BTCEUR", "orderId": 28, "orderListId": -1, "clientOrderId": ID, "transactTime": 1,
        "price": "50000.00000000", "origQty": "1.00000000", "executedQty": "0.40000000",
        "cummulativeQuoteQty": "19999.6", "status": "PARTIALLY_FILLED", "timeInForce": "GTC", "type": "LIMIT",
        "side": "BUY", "fills": [
            { "price": "49999", "qty": "0.3", "commission": "0", "commissionAsset": "BTC", "tradeId": 5 },
            { "price": "50000", "qty": "0.1", "commission": "0", "commissionAsset": "BTC", "tradeId": 6 },
        ],
    })
}

fn with(change: impl Fn(&mut Value)) -> String {
    let mut body = honest();
    change(&mut body);
    body.to_string()
}

fn set(name: &'static str, value: impl Into<Value>) -> String {
    let value = value.into();
    with(move |body| body[name] = value.clone())
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn ok(body: &str) -> String {
    http("200 OK", body)
}

fn refused(code: i64, text: &str) -> String {
    http("400 Bad Request", &json!({ "code": code, "msg": text }).to_string())
}

/// What must come of a behaviour.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Must {
    Doubt,
    Accept,
    Reject,
}

/// What is written after the request was read; then the connection is closed, or held open in silence.
struct Behaviour(&'static str, String, bool, Must);

const CLOSE: bool = false;
const HOLD: bool = true;

fn truths() -> Vec<Behaviour> {
    let none = with(|body| {
        body["executedQty"] = "0.00000000".into();
        body["status"] = "NEW".into();
        body["fills"] = json!([]);
    });
    let row = |name, answer, must| Behaviour(name, answer, HOLD, must);
    vec![
        row("honest partial fill", ok(&honest().to_string()), Must::Accept),
        row("honest resting", ok(&none), Must::Accept),
        row(
            "fills not listed",
            ok(&with(|body| body["fills"] = Value::Null)),
            Must::Accept,
        ),
        row(
            "unknown members",
            ok(&set("newThing", json!({ "deep": [1, 2] }))),
            Must::Accept,
        ),
        row(
            "no funds",
            refused(-2010, "Account has insufficient balance for requested action."),
            Must::Reject,
        ),
        row("filter", refused(-1013, "Filter failure: LOT_SIZE"), Must::Reject),
        row(
            "rate",
            http("429 Too Many", r#"{"code":-1003,"msg":"Too many requests."}"#),
            Must::Reject,
        ),
        row(
            "hostile text",
            refused(-1013, &"\u{1b}[2J\r\nset-cookie: a\u{202e}".repeat(99)),
            Must::Reject,
        ),
    ]
}

fn lies() -> Vec<Behaviour> {
    let fill = |name: &'static str, value: Value| with(move |body| body["fills"][0][name] = value.clone());
    let rows = [
        ("another order's id", set("clientOrderId", "m0123456789abcdef-8")),
        ("another symbol", set("symbol", "ETHEUR")),
        ("the other side", set("side", "SELL")),
        ("another type", set("type", "MARKET")),
        ("another quantity", set("origQty", "10.00000000")),
        ("another price", set("price", "51000.00000000")),
        ("more executed than asked", set("executedQty", "1.40000000")),
        ("less than nothing executed", set("executedQty", "-0.40000000")),
        ("executed without fills of that sum", set("executedQty", "0.50000000")),
        ("filled in part only", set("status", "FILLED")),
        ("new with executions", set("status", "NEW")),
        (
            "partial without executions",
            with(|body| {
                body["executedQty"] = "0".into();
                body["fills"] = json!([]);
            }),
        ),
        (
            "partial but whole",
            with(|body| {
                body["executedQty"] = "1".into();
                body["fills"][0]["qty"] = "0.9".into();
            }),
        ),
        ("cancelled at birth", set("status", "CANCELED")),
        ("unknown status", set("status", "DANCING")),
        ("rejected with executions", set("status", "REJECTED")),
        ("fill above the limit", fill("price", "50000.01".into())),
        ("fill for nothing", fill("price", "0".into())),
        ("empty fill", fill("qty", "0".into())),
        ("negative fill", fill("qty", "-0.3".into())),
        ("one execution twice", fill("tradeId", 6.into())),
        (
            "fill without id",
            with(|body| {
                body["fills"][0].as_object_mut().expect("object").remove("tradeId");
            }),
        ),
        ("fill id below zero", fill("tradeId", (-1).into())),
        ("exponent", set("executedQty", "4e-1")),
        ("not a number", set("executedQty", "NaN")),
        ("a float", set("executedQty", 0.4)),
        (
            "too many digits",
            set("executedQty", "0.40000000000000000000000000000000000000001"),
        ),
        ("id below zero", set("orderId", -28)),
        ("id as text", set("orderId", "28")),
        (
            "id missing",
            with(|body| {
                body.as_object_mut().expect("object").remove("orderId");
            }),
        ),
        (
            "id beyond 64 bits",
            honest()
                .to_string()
                .replace("28", "340282366920938463463374607431768211456"),
        ),
        (
            "status twice",
            honest().to_string().replacen('{', r#"{"status":"FILLED","#, 1),
        ),
        ("null", "null".to_owned()),
        ("an array", format!("[{}]", honest())),
        ("nothing", String::new()),
        ("two answers in one", format!("{0}{0}", honest())),
        ("cut JSON", honest().to_string()[..80].to_owned()),
        ("deep JSON", "[".repeat(100_000)),
        ("not UTF-8 escaped", set("status", "\u{0}FILLED")),
        ("a page", "<html><body>ok</body></html>".to_owned()),
        ("an error with 200", r#"{"code":-2010,"msg":"no"}"#.to_owned()),
        (
            "acknowledged only",
            format!(r#"{{"symbol":"BTCEUR","orderId":28,"clientOrderId":"{ID}"}}"#),
        ),
    ];
    rows.map(|(name, body)| Behaviour(name, ok(&body), HOLD, Must::Doubt))
        .into()
}

fn breaches() -> Vec<Behaviour> {
    let honest = honest().to_string();
    let whole = ok(&honest);
    let head = |extra: &str| format!("HTTP/1.1 200 OK\r\n{extra}\r\n\r\n{honest}");
    let longer = format!("content-length: {}", honest.len() + 10);
    let two = format!("content-length: {}\r\ncontent-length: 5", honest.len());
    let chunked = "transfer-encoding: chunked";
    let flood = "x-a: b\r\n".repeat(500) + "content-length: 2";
    let row = |name, answer: String, after| Behaviour(name, answer, after, Must::Doubt);
    vec![
        row("hangs up", String::new(), CLOSE),
        row("silence", String::new(), HOLD),
        row("half a head", whole[..30].to_owned(), CLOSE),
        row("half a head and silence", whole[..30].to_owned(), HOLD),
        row("half a body", whole[..whole.len() - 40].to_owned(), CLOSE),
        row("half a body and silence", whole[..whole.len() - 40].to_owned(), HOLD),
        row("length too long", head(&longer), CLOSE),
        row("length too short", head("content-length: 20"), CLOSE),
        row("two lengths", head(&two), CLOSE),
        row("length of letters", head("content-length: many"), CLOSE),
        row("bad chunk", head(chunked), CLOSE),
        row(
            "endless chunks",
            format!(
                "HTTP/1.1 200 OK\r\n{chunked}\r\n\r\n{}",
                "400\r\n".to_owned() + &" ".repeat(1024) + "\r\n"
            )
            .replacen(
                "400\r\n",
                &("400\r\n".to_owned() + &" ".repeat(1024) + "\r\n").repeat(400),
                1,
            ),
            HOLD,
        ),
        row("huge body", ok(&" ".repeat(1 << 20)), HOLD),
        row("flood of headers", head(&flood), CLOSE),
        row("huge head", head(&format!("x: {}", "y".repeat(1 << 17))), CLOSE),
        row("not HTTP", "\u{1}\u{2}\u{3}lorem".repeat(50), CLOSE),
        row("HTTP/0.9", honest.clone(), CLOSE),
        row("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), CLOSE),
        row("no status", "HTTP/1.1  \r\n\r\n".to_owned(), CLOSE),
        row("header without name", head(": x\r\ncontent-length: 2"), CLOSE),
        row(
            "switches protocols",
            "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
            HOLD,
        ),
        row("continues for ever", "HTTP/1.1 100 Continue\r\n\r\n".repeat(50), HOLD),
        row("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), HOLD),
        row("another success", http("201 Created", &honest), HOLD),
        row(
            "redirect",
            format!(
                "HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: {}\r\n\r\n{honest}",
                honest.len()
            ),
            HOLD,
        ),
        row("page 502", http("502 Bad Gateway", "<html>"), HOLD),
        row("page 403", http("403 Forbidden", "<html>"), HOLD),
        row(
            "server error",
            http("500 Oh", r#"{"code":-1000,"msg":"unknown"}"#),
            HOLD,
        ),
        row(
            "server refusal",
            http("503 Busy", r#"{"code":-1013,"msg":"not executed, trust me"}"#),
            HOLD,
        ),
        row(
            "time-out of theirs",
            refused(-1007, "Timeout waiting for response from backend server."),
            HOLD,
        ),
        row("unexpected of theirs", refused(-1006, "execution status unknown"), HOLD),
        row(
            "duplicate of what was sent once",
            refused(-2010, "Duplicate order sent."),
            HOLD,
        ),
        row("refusal with a good code", refused(7, "fine"), HOLD),
        row("refusal without code", http("400 Bad", r#"{"msg":"no"}"#), HOLD),
        row("refusal as a page", http("400 Bad", "<html>"), HOLD),
        row("refusal too long", refused(-1013, &"x".repeat(1 << 20)), HOLD),
    ]
}

/// Reads one request to its end.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let mut some = [0; 4_096];
        let count = stream.read(&mut some).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}

/// Misbehaves on orders, counts them, and answers questions honestly; but one that comes on the connection of a
/// misbehaviour gets a stale answer, in which nothing has traded.
async fn rogue(answer: String, hold: bool, must: Must) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = orders.clone();
    let stale = with(|body| {
        body["executedQty"] = "0".into();
        body["status"] = "NEW".into();
        body["fills"] = json!([]);
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, counted, stale) = (answer.clone(), counted.clone(), stale.clone());
            tokio::spawn(async move {
                let mut doubtful = false;
                while let Some(request) = request(&mut stream).await {
                    if !request.starts_with("POST") {
                        let body = if doubtful { stale.clone() } else { honest().to_string() };
                        let _ = stream.write_all(ok(&body).as_bytes()).await;
                        continue;
                    }
                    doubtful = must == Must::Doubt;
                    counted.fetch_add(1, Ordering::SeqCst);
                    let id = request
                        .split("newClientOrderId=")
                        .nth(1)
                        .and_then(|rest| rest.split('&').next());
                    let answer = answer.replace("(asked)", id.unwrap_or("none"));
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if !hold {
                        return;
                    }
                }
            });
        }
    });
    (base, orders)
}

/// The truths are the control: a reader that doubted or believed everything would fail on one half of the table.
#[tokio::test]
async fn nothing_is_believed_that_cannot_be_true() {
    let rows: Vec<Behaviour> = truths().into_iter().chain(lies()).chain(breaches()).collect();
    assert!(rows.len() >= 80, "{}", rows.len());
    for Behaviour(name, answer, hold, must) in rows {
        let (base, orders) = rogue(answer, hold, must).await;
        let adapter = adapter(&base, Duration::from_millis(300));
        let outcome = adapter.send_order(&order(ID, "50000"), &|| true).await;
        let became = match &outcome {
            Outcome::Unknown(_) => Must::Doubt,
            Outcome::Accepted(_) => Must::Accept,
            Outcome::Rejected(_) | Outcome::Withheld(_) => Must::Reject,
        };
        assert_eq!(became, must, "{name}: {outcome:?}");
        if let Outcome::Rejected(refused) = &outcome {
            assert!(
                refused.text.len() <= 160 && refused.text.bytes().all(|b| (32..127).contains(&b)),
                "{name}"
            );
        }
        // The connection of a doubtful answer carries no further question, so the next answer is to the next question.
        let key = OrderKey {
            client_id: VenueClientId::new(ID).expect("fits"),
            instrument: btc(),
        };
        let known = adapter.query(&key).await;
        if name == "rate" {
            assert_eq!(known, Err(Doubt::BackingOff), "it is left alone");
            continue;
        }
        let known = known.unwrap_or_else(|doubt| panic!("{name}: {doubt:?}"));
        assert_eq!(known.expect("there").executed, d("0.4"), "{name}");
        assert_eq!(orders.load(Ordering::SeqCst), 1, "{name}: sent once");
    }
}

/// An answer that comes twice on one connection does not answer the next order: that one goes on a new connection and
/// gets its own answer. (Were the second answer taken for the next one's, its id would make it a doubt.)
#[tokio::test]
async fn a_second_answer_is_not_the_next_orders_answer() {
    let body = set("clientOrderId", "(asked)");
    let length = body.len() - "(asked)".len() + ID.len();
    let once = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    let (base, orders) = rogue(once.repeat(2), true, Must::Accept).await;
    let adapter = adapter(&base, Duration::from_secs(5));
    for id in [ID, "m0123456789abcdef-8", "m0123456789abcdef-9"] {
        let outcome = adapter.send_order(&order(id, "50000"), &|| true).await;
        let Outcome::Accepted(report) = outcome else {
            panic!("{id}: {outcome:?}")
        };
        assert_eq!(report.client_id, VenueClientId::new(id));
    }
    assert_eq!(orders.load(Ordering::SeqCst), 3);
}

#[test]
fn cancels_questions_lists_and_prices_are_held_to_what_was_asked() {
    let key = OrderKey {
        client_id: VenueClientId::new(ID).expect("fits"),
        instrument: btc(),
    };
    let symbols = [(btc(), "BTCEUR".to_owned())].into();
    let cancelled = |change: fn(&mut Value)| {
        with(|body| {
            body["status"] = "CANCELED".into();
            body["origClientOrderId"] = ID.into();
            body["clientOrderId"] = "cancel-1".into();
            change(body);
        })
    };
    let cancel = |body: &str| read_cancel(200, body.as_bytes(), &key, "BTCEUR");
    assert!(matches!(cancel(&cancelled(|_| {})), CancelReply::Closed(r) if r.life == OrderLife::Cancelled));
    for lie in [
        cancelled(|body| body["origClientOrderId"] = "m0123456789abcdef-8".into()),
        cancelled(|body| body["symbol"] = "ETHEUR".into()),
        cancelled(|body| body["status"] = "PARTIALLY_FILLED".into()),
        cancelled(|body| body["executedQty"] = "1".into()),
        cancelled(|body| body["fills"][0]["qty"] = "9".into()),
    ] {
        assert!(matches!(cancel(&lie), CancelReply::Unknown(_)), "{lie}");
    }
    assert!(read_queried(200, honest().to_string().as_bytes(), &key, "BTCEUR").is_ok_and(|r| r.is_some()));
    assert!(read_queried(200, set("clientOrderId", "x").as_bytes(), &key, "BTCEUR").is_err());
    assert!(
        read_queried(404, b"<html>", &key, "BTCEUR").is_err(),
        "a page is no proof of absence"
    );
    let no = br#"{"code":-2013,"msg":"Order does not exist."}"#;
    assert_eq!(read_queried(400, no, &key, "BTCEUR"), Ok(None));

    let list = |rows: &[String]| read_orders(200, format!("[{}]", rows.join(",")).as_bytes(), &symbols, None);
    let foreign = with(|body| {
        body["symbol"] = "DOGEUSD".into();
        body["orderId"] = 29.into();
        body["clientOrderId"] = "by hand!".into();
    });
    let seen = list(&[honest().to_string(), foreign]).expect("both can be true");
    assert_eq!(seen.ours.len(), 1);
    assert_eq!(
        (seen.foreign[0].instrument.as_str(), seen.foreign[0].client_id),
        ("DOGEUSD", None),
        "a foreign order is shown"
    );
    // Whatever stands in rows of others, they hide nothing of ours. Control tried: read like ours, each makes the whole list a doubt.
    let strange = |name: &'static str, value: Value| {
        with(move |body| {
            body["clientOrderId"] = "by hand!".into();
            body[name] = value.clone();
        })
    };
    let strangers = [
        strange("symbol", "\u{4f60}\u{597d}".into()),
        strange("status", "SUSPENDED".into()),
        strange("executedQty", "2".into()),
        strange("origQty", Value::Null),
        strange("clientOrderId", Value::Null),
        "17".to_owned(),
        "null".to_owned(),
    ];
    let mut rows = strangers.to_vec();
    rows.push(honest().to_string());
    let seen = list(&rows).expect("ours is true");
    assert_eq!(
        (seen.ours.len(), seen.foreign.len(), seen.unread),
        (1, 0, strangers.len())
    );
    assert!(list(&[honest().to_string(), honest().to_string()]).is_err());
    assert!(list(&[cancelled(|_| {})]).is_err());

    let trade =
        json!({ "symbol": "BTCEUR", "id": 9, "orderId": 28, "price": "1", "qty": "2", "time": 5, "isBuyer": true });
    let trades = |rows: Value, after| read_trades(200, rows.to_string().as_bytes(), btc(), "BTCEUR", after);
    assert_eq!(trades(json!([trade]), Some(8)).map(|t| t.len()), Ok(1));
    assert!(trades(json!([trade]), Some(9)).is_err() && trades(json!([trade, trade]), None).is_err());
    for (name, lie) in [
        ("qty", json!("0")),
        ("price", json!("-1")),
        ("symbol", json!("ETHEUR")),
        ("time", json!(-1)),
        ("isBuyer", json!("no")),
    ] {
        let mut row = trade.clone();
        row[name] = lie;
        assert!(trades(json!([row]), None).is_err(), "{name}");
    }
    let price = |text: &str| read_price(200, text.as_bytes(), "BTCEUR");
    assert_eq!(price(r#"{"symbol":"BTCEUR","price":"5.0"}"#), Ok(d("5")));
    for lie in [
        r#"{"symbol":"ETHEUR","price":"5"}"#,
        r#"{"symbol":"BTCEUR","price":"0"}"#,
        r#"{"symbol":"BTCEUR","price":5}"#,
    ] {
        assert!(price(lie).is_err(), "{lie}");
    }
}

/// Fifty thousand mutations: no panic, and what is accepted agrees with what was sent.
#[test]
fn mutated_answers_never_break_the_reader() {
    let mut source = fixtures_venue::seed::Seeded::new(20_261_120);
    let sent = order(ID, "50000");
    let words = [
        "\"", "0", "9", "-", ".", "{", "}", "[", "]", ",", ":", "null", "NEW", "FILLED", "e9", "\\u0000", "1.0",
    ];
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut bytes = honest().to_string().into_bytes();
        for _ in 0..=source.below(3) {
            let at = source.below(bytes.len() as u64) as usize;
            match source.below(3) {
                0 => bytes[at] = source.below(256) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => {
                    let word = words[source.below(words.len() as u64) as usize];
                    bytes.splice(at..at + 1, word.bytes());
                }
            }
        }
        fuzz_reply(&bytes);
        if let Outcome::Accepted(report) = read_order(200, &bytes, &sent, "BTCEUR") {
            accepted += 1;
            assert_eq!(
                (report.quantity, report.client_id),
                (sent.quantity, Some(sent.client_id))
            );
            assert!(report.executed <= report.quantity && report.fills.iter().all(|fill| fill.price <= d("50000")));
        }
    }
    assert!(accepted > 100, "some mutations are harmless: {accepted}");
}
