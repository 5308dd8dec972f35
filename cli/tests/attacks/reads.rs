//! What a bot may read and cancel, by a stock client over both versions of HTTP; events without a gap; what may not start.

use std::time::Duration;

use mandatum::{
    config::Config,
    officer::Officer,
    serve::{self, Clocks, Roles},
};
use tokio_util::sync::CancellationToken;

use crate::house::{House, LONG, Setup, house, order, origin};

/// Numbers of the events in an answer.
fn numbers(said: &str) -> Vec<u64> {
    let ids = said.lines().filter_map(|line| line.strip_prefix("id: "));
    ids.map(|id| id.trim().parse().unwrap()).collect()
}

async fn events(house: &House, last: &str) -> String {
    let ask = format!("GET /v1/events HTTP/1.1\r\nhost: localhost\r\n{last}\r\n");
    house.raw(ask.as_bytes(), Duration::from_millis(400)).await.0
}

/// A bot that was away reads on where it stopped: nothing twice, nothing left out. Negative control: without `Last-Event-ID` the
/// stream begins with what comes next, so the same events are absent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_on_where_they_stopped() {
    let house = house(Setup::default()).await;
    for id in ["e-1", "e-2", "e-3"] {
        house.lives(id).await;
    }
    let all = events(&house, "last-event-id: 0\r\n").await;
    let found = numbers(&all);
    for id in ["e-1", "e-2", "e-3"] {
        assert!(all.contains(id), "{id} in {all}");
    }
    assert!(found.is_sorted() && found.len() >= 6, "{found:?}");
    for at in 0..found.len() {
        let rest = numbers(&events(&house, &format!("last-event-id: {}\r\n", found[at])).await);
        assert_eq!(rest, found[at + 1..], "after {}", found[at]);
    }
    assert!(numbers(&events(&house, "").await).is_empty(), "the control");
    for last in ["18446744073709551615", "9223372036854775807", "9223372036854775808"] {
        let said = events(&house, &format!("last-event-id: {last}\r\n")).await;
        assert!(numbers(&said).is_empty(), "{said}");
    }
    for last in ["-1", "x", "1e3", "18446744073709551616"] {
        let said = events(&house, &format!("last-event-id: {last}\r\n")).await;
        assert!(said.contains("ORDER_INVALID"), "{last}: {said}");
    }
    house.lives("after").await;
    house.running.stop().await.unwrap();
}

fn read_and_cancelled(house: &House, version: &str, shown: &str) {
    let ids: [String; 3] = ["a", "b", "c"].map(|letter| format!("{letter}-{shown}"));
    for id in &ids {
        let body = order(id).to_string();
        let said = house.curl(
            &[version, "-H", "content-type: application/json", "-d", &body],
            "/v1/orders",
        );
        assert!(said.ends_with(&format!(" 200 {shown}")), "{said}");
    }
    let me = house.curl(&[version], "/v1/me");
    assert!(
        me.contains("\"agent\":\"mm-1\"") && me.contains("\"open_orders\":3"),
        "{me}"
    );
    for path in [
        "/v1/fills",
        "/v1/fills?since=0",
        "/v1/fills?since=18446744073709551615",
        "/v1/positions",
    ] {
        let said = house.curl(&[version], path);
        assert!(said.ends_with(&format!(" 200 {shown}")), "{path}: {said}");
    }
    let open = house.curl(&[version], "/v1/orders?status=open");
    assert!(ids.iter().all(|id| open.contains(id.as_str())), "{open}");
    let one = house.curl(&[version, "-X", "DELETE"], &format!("/v1/orders/{}", ids[0]));
    assert!(
        one.ends_with(&format!(" 200 {shown}")) && one.contains(&ids[0]),
        "{one}"
    );
    assert_eq!(house.venue.open_orders("main").len(), 2);
    let rest = house.curl(&[version, "-X", "DELETE"], "/v1/orders");
    assert!(rest.contains(&ids[1]) && rest.contains(&ids[2]), "{rest}");
    assert_eq!(house.venue.open_orders("main").len(), 0, "all are cancelled");
    let ended = house.curl(&[version], &format!("/v1/orders/{}", ids[0]));
    assert!(ended.contains("cancel"), "{ended}");
    let refusals = [
        ("/v1/orders/nobody", "GET", " 404 "),
        ("/v1/orders/%00", "DELETE", " 404 "),
        ("/v1/orders/%ff", "GET", " 404 "),
        ("/v1/orders?status=all", "GET", " 422 "),
        ("/v1/orders?statsu=open", "GET", " 422 "),
        ("/v1/fills?since=x", "GET", " 422 "),
        ("/v1/nothing", "GET", " 404 "),
        ("/v1/me", "PUT", " 404 "),
    ];
    for (path, method, status) in refusals {
        let said = house.curl(&[version, "-X", method], path);
        assert!(said.contains(&format!("{status}{shown}")), "{method} {path}: {said}");
        assert!(
            said.contains("\"code\":"),
            "{method} {path}: a problem with its code: {said}"
        );
    }
}

/// `curl` reads and cancels the same over HTTP/1.1 and HTTP/2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_http_serve_all_of_it() {
    let house = house(Setup::default()).await;
    read_and_cancelled(&house, "--http1.1", "1.1");
    read_and_cancelled(&house, "--http2", "2");
    house.running.stop().await.unwrap();
}

/// A freeze of all reaches a bot that only reads: `/v1/me` says what its orders would meet, an open event stream is told as it happens,
/// a new one at once, and the numbers that a bot resumes by stay those of its own stream. Controls: `/v1/me` from the agent's own
/// standing reads `active`; without the house's stream in `Feed::read` the open stream stays silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_of_the_house_is_told() {
    let house = house(Setup::default()).await;
    house.lives("before").await;
    let folder = house.folder.path().join("officers/ada");
    let mut ada = Officer::open(&folder, origin(house.running.addresses.officers), &house.roots()).unwrap();
    let me = || house.curl(&["--http1.1"], "/v1/me");
    let said = me();
    assert!(said.contains(r#""standing":{"is":"active","scope":"agent"}"#), "{said}");
    assert!(
        said.contains(r#""per_order":["EUR 20000"]"#),
        "the certificate's: {said}"
    );
    let reason = serde_json::json!({ "reason": "a stop of the firm" });
    let freeze = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        ada.post("/v1/house/freeze", &reason).await.unwrap();
    };
    let ask = b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let ((told, _), ()) = tokio::join!(house.raw(ask, Duration::from_millis(1_500)), freeze);
    assert!(
        told.contains("event: standing") && told.contains(r#""kind":"house.frozen""#),
        "{told}"
    );
    let unnumbered = |event: &str| !event.contains("event: standing") || numbers(event).is_empty();
    assert!(told.split("\n\n").all(unnumbered), "{told}");
    let said = me();
    assert!(said.contains(r#""standing":{"is":"frozen","scope":"all"}"#), "{said}");
    let anew = events(&house, "").await;
    assert!(
        anew.contains(r#""kind":"house.standing""#) && anew.contains(r#""is":"frozen""#),
        "{anew}"
    );
    ada.post("/v1/house/resume", &reason).await.unwrap();
    let began = std::time::Instant::now();
    while !me().contains(r#""standing":{"is":"active","scope":"agent"}"#) {
        assert!(began.elapsed() < LONG, "it follows");
    }
    assert!(
        !events(&house, "").await.contains("house."),
        "the control: nothing narrows any more"
    );
    house.lives("after").await;
    house.running.stop().await.unwrap();
}

/// A second server on the same ledger, and a configuration with a key that nobody knows. Negative control: the first runs on, and the
/// same file without the key is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_start_harms_nobody() {
    let house = house(Setup::default()).await;
    let second = serve::run(&house.config, Roles::All, Clocks::system(), CancellationToken::new()).await;
    let said = format!("{:#}", second.err().unwrap());
    assert!(said.contains("another process"), "{said}");
    let file = house.folder.path().join("mandatum.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let none = Vec::<(String, String)>::new;
    assert!(Config::parse(&text, &file, none()).is_ok(), "the control");
    let unknown = text.replace("[gateway]", "[gateway]\nlisten_everywhere = true");
    let said = Config::parse(&unknown, &file, none()).err().unwrap().to_string();
    assert!(said.contains("gateway.listen_everywhere"), "{said}");
    house.lives("after").await;
    house.running.stop().await.unwrap();
}
