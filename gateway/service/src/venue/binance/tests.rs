//! The adapter against the paper venue and against bare sockets: sent once or not at all, and every doubt a doubt.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use extensions::{Clock, Decimal, Instrument, Timestamp};
use fixtures_venue::{Account, Fault, Handle, PricePath, Scripted, Symbol};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Binance, Credential, Kind, Settings, Side, TimeInForce, VenueOrder};
use crate::venue::{
    CancelOutcome, Doubt, KeyFault, NotSent, OrderKey, OrderLife, Outcome, Venue, VenueClientId, VenueOrderId,
};

pub(super) struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Timestamp::from_micros(i64::try_from(since.as_micros()).expect("fits"))
    }
}

pub(super) fn d(text: &str) -> Decimal {
    Decimal::parse(text).expect(text)
}

pub(super) fn btc() -> Instrument {
    Instrument::new("BTC_EUR").expect("fits")
}

pub(super) fn order(id: &str, price: &str) -> VenueOrder {
    VenueOrder {
        client_id: VenueClientId::new(id).expect("fits"),
        instrument: btc(),
        side: Side::Buy,
        kind: Kind::Limit {
            price: d(price),
            time_in_force: TimeInForce::GoodTillCancelled,
        },
        quantity: d("1"),
    }
}

fn key(id: &str) -> OrderKey {
    OrderKey {
        client_id: VenueClientId::new(id).expect("fits"),
        instrument: btc(),
    }
}

/// One that the venue has shown to withdraw nothing.
fn credential() -> Credential {
    let credential = Credential::new("gateway-key", "gateway-secret").expect("fits");
    credential.proof.assume();
    credential
}

pub(super) fn adapter(base: &str, reply_time: Duration) -> Binance {
    let mut settings = Settings::new(base.parse().expect("address"), [btc()]);
    settings.reply_time = reply_time;
    Binance::new(settings, credential(), Arc::new(RealClock)).expect("works")
}

pub(super) const LONG: Duration = Duration::from_secs(20);

fn paper_config() -> fixtures_venue::Config {
    let mut symbol = Symbol::walking(btc(), d("50000"), 1).expect("two parts");
    symbol.path = PricePath::Fed(vec![(Timestamp::EPOCH, d("50000"))]);
    let account = Account {
        name: "gateway".to_owned(),
        api_key: "gateway-key".to_owned(),
        secret: "gateway-secret".to_owned(),
        balances: BTreeMap::from([("EUR".to_owned(), d("1000000")), ("BTC".to_owned(), d("10"))]),
    };
    fixtures_venue::Config::new(vec![symbol], vec![account], Arc::new(RealClock))
}

pub(super) async fn paper() -> (Handle, Binance) {
    let venue = fixtures_venue::serve(paper_config()).await.expect("opens");
    let adapter = adapter(&venue.url(), LONG);
    (venue, adapter)
}

#[tokio::test]
async fn an_order_lives_and_ends_at_the_paper_venue() {
    let (venue, adapter) = paper().await;
    let open = || true;
    let Outcome::Accepted(rests) = adapter.send_order(&order("m-1", "40000"), &open).await else {
        panic!("taken")
    };
    assert_eq!((rests.life, rests.executed), (OrderLife::Open, Decimal::ZERO));
    let Outcome::Accepted(trades) = adapter.send_order(&order("m-2", "60000"), &open).await else {
        panic!("taken")
    };
    assert_eq!(
        (trades.life, trades.fills.len(), trades.fills[0].price),
        (OrderLife::Filled, 1, d("50000.01"))
    );
    let listed = adapter.open_orders(None).await.expect("known");
    assert_eq!(
        (listed.ours.len(), listed.foreign, listed.unread),
        (0, vec![rests.clone()], 0)
    );
    assert_eq!(adapter.query(&key("m-1")).await.expect("known"), Some(rests));
    let listed = adapter
        .trades_of(btc(), &trades.venue_order_id, None)
        .await
        .expect("known");
    assert_eq!((listed.len(), listed[0].quantity, listed[0].bought), (1, d("1"), true));
    assert_eq!(listed[0].venue_order_id, trades.venue_order_id);
    assert_eq!(
        adapter
            .trades_of(btc(), &trades.venue_order_id, Some(listed[0].execution_id))
            .await
            .expect("known"),
        vec![]
    );
    assert_eq!(adapter.trades(btc(), None).await.expect("known"), listed);
    let after = Some(listed[0].execution_id);
    assert_eq!(adapter.trades(btc(), after).await.expect("known"), vec![]);
    let behind = adapter.order_of(btc(), &trades.venue_order_id).await.expect("known");
    assert_eq!(behind.map(|order| order.client_id), Some(trades.client_id));
    let unknown = VenueOrderId::new("987654").expect("fits");
    assert_eq!(adapter.order_of(btc(), &unknown).await.expect("known"), None);
    assert_eq!(adapter.reference_price(btc()).await.expect("known").price, d("50000"));

    let CancelOutcome::Closed(closed) = adapter.cancel(&key("m-1")).await else {
        panic!("closed")
    };
    assert_eq!(closed.life, OrderLife::Cancelled);
    let CancelOutcome::Closed(again) = adapter.cancel(&key("m-1")).await else {
        panic!("closed")
    };
    assert_eq!(
        again.life,
        OrderLife::Cancelled,
        "-2011 leads to the order's final state"
    );
    let CancelOutcome::Closed(filled) = adapter.cancel(&key("m-2")).await else {
        panic!("closed")
    };
    assert_eq!((filled.life, filled.executed), (OrderLife::Filled, d("1")));
    assert_eq!(adapter.cancel(&key("m-3")).await, CancelOutcome::NotThere);
    assert_eq!(adapter.query(&key("m-3")).await, Ok(None));
    let mut large = order("m-4", "40000");
    large.quantity = d("9000");
    assert!(matches!(adapter.send_order(&large, &open).await, Outcome::Rejected(refused) if refused.code == -2010));
    assert_eq!(venue.count(|received| received.method == "POST"), 3);
    assert!(!format!("{adapter:?} {:?}", adapter.settings().base).contains("gateway-"));
}

/// Every way to lose an answer leaves a doubt, the order sent once, and the question answerable. Control: the first
/// row loses nothing and leaves none.
#[tokio::test]
async fn lost_answers_are_doubts_and_are_never_sent_again() {
    let (venue, adapter) = paper().await;
    for (at, (fault, there)) in [
        (Fault::LateAnswer(Duration::ZERO), true),
        (Fault::DropBefore, false),
        (Fault::DropAfter, true),
        (Fault::Half, true),
        (Fault::Twice, true),
        (Fault::Html(502), true),
        (Fault::Html(200), true),
        (Fault::Huge(1 << 20), true),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("m-{at}");
        venue.script(Scripted::orders(1, fault.clone()));
        let outcome = adapter.send_order(&order(&id, "40000"), &|| true).await;
        assert_eq!(matches!(outcome, Outcome::Unknown(_)), at > 0, "{fault:?}: {outcome:?}");
        let known = adapter.query(&key(&id)).await.expect("the venue answers again");
        assert_eq!(known.is_some(), there, "{fault:?}");
        let sent = venue.count(|received| received.parameter("newClientOrderId") == Some(id.as_str()));
        assert_eq!(sent, 1, "{fault:?}");
    }
    venue.script(Scripted::refuse_cancels(1));
    let outcome = adapter.cancel(&key("m-0")).await;
    assert!(matches!(outcome, CancelOutcome::StillOpen(_, refused) if refused.code == -2011));
    venue.script(Scripted::cancels(1, Fault::DropAfter));
    assert_eq!(adapter.cancel(&key("m-0")).await, CancelOutcome::Unknown(Doubt::Broken));
    assert!(matches!(adapter.cancel(&key("m-0")).await, CancelOutcome::Closed(_)));
}

/// No order goes before the venue has shown that the key can neither withdraw nor transfer: not when it may, not when the answer cannot be read, is
/// refused, or does not come. Cancels and questions go all the same.
///
/// Control, tried: without the proof in `send_order` the first order is taken. The last one here is.
#[tokio::test]
async fn a_key_that_may_withdraw_orders_nothing() {
    let unproven = Outcome::Withheld(NotSent::KeyUnproven);
    let rights = |changed: fn(&mut fixtures_venue::KeyRights)| {
        let mut config = paper_config();
        changed(&mut config.rights);
        config
    };
    for config in [
        rights(|rights| rights.withdraw = true),
        rights(|rights| rights.internal_transfer = true),
        rights(|rights| rights.universal_transfer = true),
    ] {
        let venue = fixtures_venue::serve(config).await.expect("opens");
        let adapter = adapter(&venue.url(), LONG);
        adapter.credential.proof.forget();
        assert!(matches!(adapter.prove().await, Err(KeyFault::MayWithdraw(_))));
        assert_eq!(adapter.send_order(&order("m-1", "40000"), &|| true).await, unproven);
        assert_eq!(adapter.cancel(&key("m-1")).await, CancelOutcome::NotThere);
        assert_eq!(venue.count(|received| received.method == "POST"), 0);
    }
    let (venue, adapter) = paper().await;
    let instead = |body: &str| Fault::Instead {
        status: 200,
        body: body.to_owned(),
    };
    for fault in [
        Fault::Html(404),
        Fault::DropAfter,
        Fault::Half,
        instead("{}"),
        instead(r#"{"enableWithdrawals":false}"#),
        Fault::Refuse {
            status: 401,
            code: -2015,
            text: "Invalid API-key, IP, or permissions for action.".to_owned(),
        },
    ] {
        adapter.credential.proof.forget();
        venue.script(Scripted {
            method: None,
            path: "/apiRestrictions",
            times: 1,
            fault: fault.clone(),
        });
        let outcome = adapter.send_order(&order("m-1", "40000"), &|| true).await;
        assert_eq!(outcome, unproven, "{fault:?}");
    }
    let asked = || venue.count(|received| received.path.ends_with("/apiRestrictions"));
    let before = asked();
    assert_eq!(adapter.send_order(&order("m-1", "40000"), &|| true).await, unproven);
    assert_eq!(asked(), before, "not again at once");
    adapter.credential.proof.forget();
    let outcome = adapter.send_order(&order("m-1", "40000"), &|| true).await;
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    assert_eq!(asked(), before + 1);
}

#[tokio::test]
async fn silence_ends_in_a_doubt() {
    let (venue, _) = paper().await;
    let hasty = adapter(&venue.url(), Duration::from_millis(100));
    venue.script(Scripted::orders(1, Fault::Silence));
    assert_eq!(
        hasty.send_order(&order("m-1", "40000"), &|| true).await,
        Outcome::Unknown(Doubt::Timeout)
    );
    assert!(venue.order("gateway", "m-1").is_some());
}

/// A server that counts its connections and the bytes on them, and answers each request with `answer`.
pub(super) async fn counting(answer: String, close: bool) -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let (connections, bytes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (connections.clone(), bytes.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counts.0.fetch_add(1, Ordering::SeqCst);
            let (answer, bytes) = (answer.clone(), counts.1.clone());
            tokio::spawn(async move {
                let mut buffer = vec![0; 16 << 10];
                while let Ok(read) = stream.read(&mut buffer).await {
                    bytes.fetch_add(read, Ordering::SeqCst);
                    if read == 0 || stream.write_all(answer.as_bytes()).await.is_err() || close {
                        return;
                    }
                }
            });
        }
    });
    (base, connections, bytes)
}

fn price_answer() -> String {
    let body = r#"{"symbol":"BTCEUR","price":"50000.00000000"}"#;
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// The gate is asked when the connection stands, with nothing awaited before the write: a gate that closes while the
/// connection is made lets no byte out. Control: the last row, whose gate stays open, sends bytes.
#[tokio::test]
async fn a_gate_that_closes_while_connecting_lets_no_byte_out() {
    for (open_for, connections, sent) in [(0, 0, false), (1, 1, false), (2, 1, true)] {
        let (base, connected, bytes) = counting("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned(), true).await;
        let asked = AtomicUsize::new(0);
        let gate = || asked.fetch_add(1, Ordering::SeqCst) < open_for;
        let outcome = adapter(&base, LONG).send_order(&order("m-1", "40000"), &gate).await;
        let withheld = Outcome::Withheld(NotSent::GateClosed);
        assert_eq!(outcome == withheld, !sent, "{outcome:?}");
        // The server sees the end of the closed connection before it can be asked again.
        while connected.load(Ordering::SeqCst) < connections {
            tokio::task::yield_now().await;
        }
        assert_eq!(bytes.load(Ordering::SeqCst) > 0, sent, "gate open for {open_for}");
    }
}

#[tokio::test]
async fn no_connection_withholds_and_an_unlisted_instrument_is_not_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let adapter = adapter(&base, LONG);
    let outcome = adapter.send_order(&order("m-1", "1"), &|| true).await;
    assert_eq!(outcome, Outcome::Withheld(NotSent::NoConnection));
    assert_eq!(
        adapter.cancel(&key("m-1")).await,
        CancelOutcome::Unknown(Doubt::NoConnection)
    );
    let mut foreign = order("m-1", "1");
    foreign.instrument = Instrument::new("ETH_EUR").expect("fits");
    assert_eq!(
        adapter.send_order(&foreign, &|| true).await,
        Outcome::Withheld(NotSent::NotListed)
    );
}

/// One connection carries request after request; one that the venue closed while idle is replaced before anything is
/// sent, and costs no doubt.
#[tokio::test]
async fn connections_are_kept_and_closed_ones_replaced() {
    for (closes, wanted) in [(false, 1), (true, 5)] {
        let (base, connected, _) = counting(price_answer(), closes).await;
        let adapter = adapter(&base, LONG);
        for _ in 0..5 {
            let price = adapter.reference_price(btc()).await.expect("known");
            assert_eq!(price.price, d("50000"));
            // Lets the end of the connection arrive.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(connected.load(Ordering::SeqCst), wanted, "closes: {closes}");
    }
}

/// Over TLS the venue's root is pinned. Control: an adapter that pins another root connects to nobody.
#[tokio::test]
async fn only_the_pinned_venue_is_spoken_to() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = || rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let (venues, others) = (own(), own());
    let chain = vec![venues.cert.der().clone()];
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(venues.signing_key.serialize_der().into());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("fits");
    let mut config = paper_config();
    config.tls = Some(Arc::new(server));
    let venue = fixtures_venue::serve(config).await.expect("opens");
    for (root, known) in [(&venues, true), (&others, false)] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root.cert.der().clone()).expect("a root");
        let client = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut settings = Settings::new(venue.url().parse().expect("address"), [btc()]);
        settings.tls = Some(Arc::new(client));
        let adapter = Binance::new(settings, credential(), Arc::new(RealClock)).expect("works");
        let outcome = adapter.send_order(&order("m-1", "40000"), &|| true).await;
        assert_eq!(matches!(outcome, Outcome::Accepted(_)), known, "{outcome:?}");
        assert_eq!(outcome == Outcome::Withheld(NotSent::NoConnection), !known);
    }
    assert_eq!(venue.total_received(), 1);
}

/// A venue that answers once with `first`, and afterwards with `then`; what it was asked.
async fn in_turn(first: String, then: String) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("free");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = asked.clone();
    tokio::spawn(async move {
        let mut answers = std::iter::once(first).chain(std::iter::repeat(then));
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4_096];
            let count = stream.read(&mut head).await.unwrap_or(0);
            let line = String::from_utf8_lossy(&head[..count]);
            let line = line.split(" HTTP/").next().unwrap_or_default().to_owned();
            heard.lock().expect("held").push(line);
            let answer = answers.next().expect("for ever");
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    (base, asked)
}

fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

const TOO_MUCH: &str = r#"{"code":-1003,"msg":"Too much request weight used."}"#;

/// Asked too much, the venue is left alone by every adapter of the same settings: an order is withheld and nothing of it sent, a question is a
/// doubt, a cancel goes out. Under a ban that keeps still too. Control tried: without `back_off` the order is sent and rejected.
#[tokio::test]
async fn a_venue_that_is_asked_too_much_is_left_alone() {
    for (status, cancels) in [("429 Too Many Requests", 1), ("418 I'm a teapot", 0)] {
        let first = answer(&format!("{status}\r\nretry-after: 3600"), TOO_MUCH);
        let (base, asked) = in_turn(first, answer("400 Bad Request", TOO_MUCH)).await;
        let one = adapter(&base, LONG);
        let other = Binance::new(one.settings().clone(), credential(), Arc::new(RealClock)).expect("works");
        assert_eq!(one.query(&key("m-1")).await, Err(Doubt::Refused { code: -1003 }));
        let sent = other.send_order(&order("m-2", "40000"), &(|| true)).await;
        assert_eq!(sent, Outcome::Withheld(NotSent::BackingOff));
        assert_eq!(other.query(&key("m-1")).await, Err(Doubt::BackingOff));
        assert_eq!(one.reference_price(btc()).await, Err(Doubt::BackingOff));
        drop(one.cancel(&key("m-1")).await);
        let heard = asked.lock().expect("held").clone();
        let of = |method: &str| heard.iter().filter(|line| line.starts_with(method)).count();
        assert_eq!(
            (of("POST"), of("DELETE"), heard.len()),
            (0, cancels, 1 + cancels),
            "{heard:?}"
        );
    }
}

/// Many prices are one question; where one symbol is unknown there, the others still have their price.
#[tokio::test]
async fn prices_are_asked_for_together() {
    let mut config = paper_config();
    let eth = Instrument::new("ETH_EUR").expect("fits");
    let mut symbol = Symbol::walking(eth, d("3000"), 1).expect("two parts");
    symbol.path = PricePath::Fed(vec![(Timestamp::EPOCH, d("3000"))]);
    config.symbols.push(symbol);
    let venue = fixtures_venue::serve(config).await.expect("opens");
    let asked = |path: &str| venue.count(|request| request.path == path);
    for (unlisted, questions) in [(None, 1), (Some("DOGE_EUR"), 4)] {
        let before = asked("/api/v3/ticker/price");
        let unlisted = unlisted.map(|name| Instrument::new(name).expect("fits"));
        let all: Vec<Instrument> = [btc(), eth].into_iter().chain(unlisted).collect();
        let settings = Settings::new(venue.url().parse().expect("address"), all.clone());
        let adapter = Binance::new(settings, credential(), Arc::new(RealClock)).expect("works");
        let prices = adapter.reference_prices(&all).await;
        let of = |place: usize| prices[place].1.as_ref().map(|price| price.price).ok();
        assert_eq!((of(0), of(1)), (Some(d("50000")), Some(d("3000"))));
        assert_eq!(prices.get(2).map(|(_, price)| price.is_err()), unlisted.map(|_| true));
        assert_eq!(asked("/api/v3/ticker/price") - before, questions);
    }
}
