//! The adapter against the paper venue and against scripted answers: signed as the venue reads it, sent once or not at all, and every doubt a doubt.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use extensions::{AgentId, Clock, Decimal, Instrument, Timestamp};
use fixtures_venue::{Account, Fault, Handle, PricePath, Scripted, Symbol};
use gateway_policy::VenueOrderId as PermitId;

use super::{Credential, Kraken, settings};
use crate::venue::{
    CancelOutcome, Doubt, KeyFault, NotSent, OrderKey, OrderLife, Outcome, Venue, VenueClientId, VenueOrderId,
    binance::{Kind, Side, TimeInForce, VenueOrder},
};

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_micros(i64::try_from(since.expect("after 1970").as_micros()).expect("fits"))
    }
}

const SECRET: &str = "Z2F0ZXdheS1zZWNyZXQtb2YtYS1wYXBlci12ZW51ZQ==";

fn d(text: &str) -> Decimal {
    Decimal::parse(text).expect(text)
}

fn btc() -> Instrument {
    Instrument::new("BTC_EUR").expect("fits")
}

fn eth() -> Instrument {
    Instrument::new("ETH_EUR").expect("fits")
}

fn permit(number: u64) -> VenueClientId {
    PermitId::new(&AgentId::new("mm-1").expect("valid"), number).into()
}

fn order(number: u64, price: &str) -> VenueOrder {
    VenueOrder {
        client_id: permit(number),
        instrument: btc(),
        side: Side::Buy,
        kind: Kind::Limit {
            price: d(price),
            time_in_force: TimeInForce::GoodTillCancelled,
        },
        quantity: d("1"),
    }
}

fn key(number: u64) -> OrderKey {
    OrderKey {
        client_id: permit(number),
        instrument: btc(),
    }
}

fn adapter_at(base: &str, clock: Arc<dyn Clock>) -> Kraken {
    let mut settings = settings(base.parse().expect("address"), [btc(), eth()]);
    settings.reply_time = Duration::from_secs(20);
    let credential = Credential::new("gateway-key", SECRET).expect("fits");
    Kraken::new(settings, credential, clock).expect("works")
}

async fn paper_with(changed: impl FnOnce(&mut fixtures_venue::Config)) -> (Handle, Kraken) {
    let symbol = |instrument, price: &str| {
        let mut symbol = Symbol::walking(instrument, d(price), 1).expect("two parts");
        symbol.path = PricePath::Fed(vec![(Timestamp::EPOCH, d(price))]);
        symbol
    };
    let account = Account {
        name: "gateway".to_owned(),
        api_key: "gateway-key".to_owned(),
        secret: SECRET.to_owned(),
        balances: BTreeMap::from([("EUR".to_owned(), d("10000000")), ("BTC".to_owned(), d("10"))]),
    };
    let symbols = vec![symbol(btc(), "50000"), symbol(eth(), "2500")];
    let mut config = fixtures_venue::Config::new(symbols, vec![account], Arc::new(RealClock));
    changed(&mut config);
    let venue = fixtures_venue::serve(config).await.expect("opens");
    let adapter = adapter_at(&venue.url(), Arc::new(RealClock));
    (venue, adapter)
}

async fn paper() -> (Handle, Kraken) {
    paper_with(|_| {}).await
}

fn at(path: &'static str, times: u32, fault: Fault) -> Scripted {
    Scripted {
        method: None,
        path,
        times,
        fault,
    }
}

fn refuse(text: &str) -> Fault {
    Fault::Refuse {
        status: 200,
        code: -1,
        text: text.to_owned(),
    }
}

/// A resting order, one that trades, what each is asked for, and a cancel; under the ids of permits, with the fills that the venue lists.
///
/// Control: with HMAC-SHA256 for the signature, or the body without its nonce, every private request is refused.
#[tokio::test]
async fn an_order_lives_and_ends_at_the_paper_venue() {
    let (venue, adapter) = paper().await;
    let open = || true;
    let Outcome::Accepted(rests) = adapter.send_order(&order(1, "40000"), &open).await else {
        panic!("taken")
    };
    assert_eq!((rests.life, rests.executed), (OrderLife::Open, Decimal::ZERO));
    assert_eq!(rests.client_id, Some(permit(1)));
    let Outcome::Accepted(trades) = adapter.send_order(&order(2, "60000"), &open).await else {
        panic!("taken")
    };
    assert_eq!(
        (trades.life, trades.fills.len(), trades.fills[0].price),
        (OrderLife::Filled, 1, d("50000.01"))
    );
    let listed = adapter.open_orders(None).await.expect("known");
    assert_eq!(
        (listed.ours, listed.foreign, listed.unread),
        (vec![rests.clone()], vec![], 0)
    );
    assert_eq!(adapter.query(&key(1)).await.expect("known"), Some(rests.clone()));
    let ended = adapter.query(&key(2)).await.expect("known").expect("there");
    assert_eq!(ended.life, OrderLife::Filled);
    assert_eq!(adapter.query(&key(9)).await.expect("known"), None);
    let id = &trades.venue_order_id;
    let page = adapter.trades_of(btc(), id, None).await.expect("known");
    assert_eq!((page.len(), page[0].quantity, page[0].bought), (1, d("1"), true));
    let after = Some(page[0].execution_id);
    assert_eq!(adapter.trades_of(btc(), id, after).await, Ok(vec![]));
    assert_eq!(adapter.trades(btc(), None).await, Ok(page));
    assert_eq!(adapter.trades(btc(), after).await, Ok(vec![]));
    assert_eq!(adapter.trades(eth(), None).await, Ok(vec![]));
    let found = adapter.order_of(btc(), id).await.expect("known").expect("there");
    assert_eq!(found.client_id, Some(permit(2)));
    let unknown = VenueOrderId::new("O00000-00000-009999").expect("fits");
    assert_eq!(adapter.order_of(btc(), &unknown).await, Ok(None));
    let CancelOutcome::Closed(closed) = adapter.cancel(&key(1)).await else {
        panic!("cancelled")
    };
    assert_eq!(closed.life, OrderLife::Cancelled);
    assert!(
        matches!(adapter.cancel(&key(1)).await, CancelOutcome::Closed(_)),
        "safe to repeat"
    );
    assert_eq!(adapter.cancel(&key(9)).await, CancelOutcome::NotThere);
    assert_eq!(adapter.reference_price(btc()).await.expect("known").price, d("50000"));
    let prices = adapter.reference_prices(&[btc(), eth()]).await;
    assert!(prices.iter().all(|(_, price)| price.is_ok()), "{prices:?}");
    let rules = adapter.rules().await.expect("known");
    assert_eq!(rules[0].price.expect("told")[2], d("0.01"));
    let of_market = |path: &str| venue.count(|received| received.path.contains(path) && received.account.is_some());
    assert_eq!(of_market("/0/public/"), 0, "no credential goes with a public question");
    assert!(!format!("{adapter:?}").contains("gateway-"));
}

/// The history of trades is read onward across pages that hold other markets too, and each trade once.
///
/// Control: reading the first page whatever the count leaves out the oldest.
#[tokio::test]
async fn the_history_goes_on_where_it_was_read_to() {
    let (_venue, adapter) = paper().await;
    let open = || true;
    let mut number = 0;
    let mut buy = async |instrument, price: &str| {
        number += 1;
        let order = VenueOrder {
            instrument,
            quantity: d("0.01"),
            ..order(number, price)
        };
        let Outcome::Accepted(report) = adapter.send_order(&order, &open).await else {
            panic!("taken")
        };
        report.fills[0].execution_id
    };
    let first = buy(btc(), "60000").await;
    let second = buy(btc(), "60000").await;
    for _ in 0..60 {
        buy(eth(), "3000").await;
    }
    let last = buy(btc(), "60000").await;
    let ids = async |after| {
        let page = adapter.trades(btc(), Some(after)).await.expect("known");
        page.iter().map(|trade| trade.execution_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(first).await, [second], "the oldest page");
    assert_eq!(ids(second).await, [last], "past a page without one");
    assert!(ids(last).await.is_empty());
}

/// No order goes before the venue has shown that the key cannot withdraw; a key that may is named. Cancels and questions go all the same.
///
/// Control, tried: without the proof in `send_order` the first order is taken.
#[tokio::test]
async fn a_key_that_may_withdraw_orders_nothing() {
    let open = || true;
    let unproven = Outcome::Withheld(NotSent::KeyUnproven);
    let (venue, adapter) = paper_with(|config| config.rights.withdraw = true).await;
    assert!(matches!(adapter.prove().await, Err(KeyFault::MayWithdraw(_))));
    assert_eq!(adapter.send_order(&order(1, "40000"), &open).await, unproven);
    assert_eq!(adapter.cancel(&key(1)).await, CancelOutcome::NotThere);
    assert_eq!(venue.count(|received| received.is_taken_order()), 0);

    let (venue, adapter) = paper().await;
    venue.script(at("/GetApiKeyInfo", 1, refuse("EService:Unavailable")));
    assert!(matches!(adapter.prove().await, Err(KeyFault::Unknown(_))));
    adapter.credential.proof.forget();
    venue.script(at("/WithdrawMethods", 1, refuse("EGeneral:Invalid arguments")));
    assert_eq!(
        adapter.send_order(&order(1, "40000"), &open).await,
        unproven,
        "another refusal proves nothing"
    );
    adapter.credential.proof.forget();
    assert_eq!(adapter.prove().await, Ok(()));
    assert!(matches!(
        adapter.send_order(&order(1, "40000"), &open).await,
        Outcome::Accepted(_)
    ));
}

/// A clock an hour behind the one of an earlier start: the venue refuses its nonces until they lead the clock, and then no more.
///
/// Control: without the lead every question ends in a refusal.
#[tokio::test]
async fn a_clock_that_was_set_back_finds_a_nonce_again() {
    struct Behind;
    impl Clock for Behind {
        fn now(&self) -> Timestamp {
            RealClock.now().plus_seconds(-3_600)
        }
    }
    let (venue, adapter) = paper().await;
    adapter.open_orders(None).await.expect("known");
    let restarted = adapter_at(&venue.url(), Arc::new(Behind));
    restarted.open_orders(None).await.expect("known");
    let refused = venue.count(|received| received.code != 0);
    assert!((1..20).contains(&refused), "{refused}");
    restarted.open_orders(None).await.expect("known");
    assert_eq!(venue.count(|received| received.code != 0), refused, "found for good");
}

/// Side by side, from adapters that share a credential: no nonce is refused.
///
/// Control, tried: with the turn given back before the request is sent, some are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonces_arrive_in_their_order() {
    let (venue, first) = paper().await;
    let settings = first.settings().clone();
    let second = Kraken::new(settings, first.credential.clone(), Arc::new(RealClock)).expect("works");
    let adapters = [Arc::new(first), Arc::new(second)];
    let asked: Vec<_> = (0..40)
        .map(|turn| {
            let adapter = adapters[turn % 2].clone();
            tokio::spawn(async move { adapter.open_orders(None).await.is_ok() })
        })
        .collect();
    for one in asked {
        assert!(one.await.expect("joins"));
    }
    assert_eq!(venue.count(|received| received.code != 0), 0);
}

/// What a venue says that cannot be true, or does not say, is a doubt; what it plainly refuses is a refusal; and the order is asked for under its id.
///
/// Control: the first row, a plain refusal. Tried: without the look at the side of a taken order, and at id, quantity and side of its row, the answer to another
/// order (the sixth) is believed.
#[tokio::test]
async fn what_cannot_be_true_is_a_doubt() {
    let (venue, adapter) = paper().await;
    let open = || true;
    adapter.prove().await.expect("may not withdraw");
    let instead = |body: &str| Fault::Instead {
        status: 200,
        body: body.to_owned(),
    };
    let taken =
        r#"{"error":[],"result":{"descr":{"order":"sell 1 XBTEUR @ limit 40000"},"txid":["O00000-00000-000001"]}}"#;
    for (number, fault, doubtful) in [
        (1, refuse("EOrder:Insufficient funds"), false),
        (2, refuse("EService:Unavailable"), true),
        (3, refuse("EService:Deadline elapsed"), true),
        (4, refuse("EGeneral:Internal error"), true),
        (5, refuse("EOrder:Duplicate client order id"), true),
        (6, instead(taken), true),
        (
            7,
            instead(r#"{"error":[],"result":{"descr":{"order":"buy"},"txid":[]}}"#),
            true,
        ),
        (
            8,
            instead(r#"{"error":["EOrder:Cost minimum not met"],"result":{"txid":["O"]}}"#),
            true,
        ),
        (9, instead(r#"{"error":[]}"#), true),
        (10, Fault::Html(502), true),
        (11, Fault::DropAfter, true),
        (12, Fault::Half, true),
        (13, Fault::Twice, true),
        (14, Fault::DropBefore, true),
    ] {
        venue.script(at("/AddOrder", 1, fault));
        let outcome = adapter.send_order(&order(number, "40000"), &open).await;
        assert_eq!(matches!(outcome, Outcome::Unknown(_)), doubtful, "{number} {outcome:?}");
        assert_eq!(
            matches!(outcome, Outcome::Rejected(_)),
            !doubtful,
            "{number} {outcome:?}"
        );
    }
    let asked = adapter
        .query(&key(11))
        .await
        .expect("known")
        .expect("it had been taken");
    assert_eq!(asked.life, OrderLife::Open);
    assert_eq!(adapter.query(&key(14)).await.expect("known"), None, "it never was");
    let withheld = adapter.send_order(&order(20, "40000"), &(|| false)).await;
    assert_eq!(withheld, Outcome::Withheld(NotSent::GateClosed));
    venue.script(at(
        "/OpenOrders",
        1,
        instead(r#"{"error":[],"result":{"open":{"O1":{},"O1":{}}}}"#),
    ));
    assert_eq!(adapter.query(&key(1)).await, Err(Doubt::Unreadable { status: 200 }));
}

/// The venue says with HTTP 200 that it is asked too much: orders and questions keep still, cancels go.
///
/// Control: without `told` the order goes out.
#[tokio::test]
async fn a_venue_that_is_asked_too_much_is_left_alone() {
    let (venue, adapter) = paper().await;
    adapter.prove().await.expect("may not withdraw");
    venue.script(at("/OpenOrders", 1, refuse("EAPI:Rate limit exceeded")));
    assert_eq!(adapter.open_orders(None).await, Err(Doubt::Refused { code: 0 }));
    let order = adapter.send_order(&order(1, "40000"), &(|| true)).await;
    assert_eq!(order, Outcome::Withheld(NotSent::BackingOff));
    assert_eq!(adapter.open_orders(None).await, Err(Doubt::BackingOff));
    assert_eq!(adapter.cancel(&key(1)).await, CancelOutcome::NotThere);
}

/// The switch that is held leaves what rests; the one that nobody holds cancels it, by the venue's own clock.
///
/// Control, tried: with a beat that asks for another time, or an answer that names another one, the adapter's word is a contradiction.
#[tokio::test]
async fn the_dead_mans_switch_fires_when_it_is_not_held() {
    let clock = Arc::new(SteppedClock(Mutex::new(RealClock.now())));
    let real = clock.clone();
    let (_venue, adapter) = paper_with(move |config| config.real_clock = real).await;
    let open = || true;
    let Outcome::Accepted(rests) = adapter.send_order(&order(1, "40000"), &open).await else {
        panic!("taken")
    };
    let life = async || adapter.query(&key(1)).await.expect("known").expect("there").life;
    let minute = Duration::from_secs(60);
    assert_eq!(adapter.cancel_all_after(minute).await, Ok(()));
    clock.pass(59);
    assert_eq!(life().await, rests.life);
    assert_eq!(adapter.cancel_all_after(minute).await, Ok(()), "held");
    clock.pass(59);
    assert_eq!(life().await, OrderLife::Open, "held in time");
    clock.pass(1);
    assert_eq!(life().await, OrderLife::Cancelled);
}

struct SteppedClock(Mutex<Timestamp>);

impl SteppedClock {
    fn pass(&self, seconds: i64) {
        let mut now = self.0.lock().expect("held");
        *now = now.plus_seconds(seconds);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("held")
    }
}

#[test]
fn an_answer_of_the_switch_counts_what_was_asked() {
    let read =
        |result: &str| super::reply::read_armed(200, format!(r#"{{"error":[],"result":{result}}}"#).as_bytes(), 60);
    let times = |now: &str, then: &str| read(&format!(r#"{{"currentTime":"{now}","triggerTime":"{then}"}}"#));
    assert_eq!(times("2026-03-24T17:41:56Z", "2026-03-24T17:42:56Z"), Ok(()));
    assert_eq!(times("2026-03-24T17:41:56Z", "2026-03-24T17:42:55Z"), Ok(()));
    for (now, then) in [
        ("2026-03-24T17:41:56Z", "0"),
        ("2026-03-24T17:41:56Z", "2026-03-24T17:43:56Z"),
        ("2026-03-24T17:41:56Z", "2026-03-24T17:40:56Z"),
        ("now", "then"),
    ] {
        assert_eq!(times(now, then), Err(Doubt::Contradiction("triggerTime")), "{then}");
    }
    assert!(read("{}").is_err() && read("[]").is_err());
}
