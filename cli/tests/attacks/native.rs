//! Binance's own interface at the gateway: stock ccxt trades under a mandate, and what is no order of ours is refused in the venue's shape.

use std::process::Command;

use super::house::{House, Setup, house};

pub(crate) fn ccxt() -> Option<String> {
    let demanded = std::env::var("MANDATUM_PYTHON");
    let python = demanded.clone().unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import ccxt"]).output();
    if probe.is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    assert!(demanded.is_err(), "ccxt is missing: run cargo xtask test");
    eprintln!("skipped: this test needs ccxt of xtask/requirements.txt");
    None
}

/// A documented bot runs to its end.
async fn runs(house: &House, python: String, script: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples");
    let mut command = Command::new(python);
    command
        .arg(format!("{folder}/{script}"))
        .arg(format!("https://localhost:{}", house.port()))
        .arg(house.folder.path().join("bot"))
        .arg(house.config.paths.certificates.join("house.pem"));
    let ended = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("OK"), "{said}");
}

/// The documented bot: asks for prices, places, reads, edits, cancels, buys; what its mandate does not allow raises `PermissionDenied`, and nothing of it
/// reaches the venue. Its questions about the market reach the venue without a credential.
///
/// Control, built in: the script itself fails when a refusal raises anything else, and the venue saw its permitted orders alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_ccxt_trades_under_a_mandate() {
    let Some(python) = ccxt() else { return };
    let house = house(Setup::default()).await;
    runs(&house, python, "ccxt_bot.py").await;
    assert_eq!(
        house.orders(),
        5,
        "the resting one, the market order, and an edited one before and after, and less of it"
    );
    for path in ["ticker/24hr", "depth", "aggTrades", "exchangeInfo"] {
        let path = format!("/api/v3/{path}");
        let of = |keyed: bool| {
            house
                .venue
                .count(|request| request.path == path && request.account.is_some() == keyed)
        };
        assert!(of(false) > 0 && of(true) == 0, "{path}");
    }
    house.running.stop().await.unwrap();
}

/// The asynchronous one, whose orders go side by side.
///
/// Control, built in: as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asynchronous_ccxt_trades_under_a_mandate() {
    let Some(python) = ccxt() else { return };
    let house = house(Setup::default()).await;
    runs(&house, python, "ccxt_async_bot.py").await;
    assert_eq!(house.orders(), 4, "three side by side, and one edited");
    house.running.stop().await.unwrap();
}

/// Stock ccxt speaks Kraken's interface to a house on Kraken: places, reads, cancels, buys, asks for prices without a credential; and what each refusal becomes.
/// Its batches and amends are single orders at the venue, and what moves money is refused before it is read.
///
/// Control, built in: as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_ccxt_trades_on_kraken_under_a_mandate() {
    let Some(python) = ccxt() else { return };
    let house = house(Setup {
        kraken: true,
        ..Setup::default()
    })
    .await;
    runs(&house, python, "ccxt_kraken_bot.py").await;
    assert_eq!(
        house.orders(),
        9,
        "the resting one, the market order, two to cancel together, two of one batch and one of another, an amended and an edited one again"
    );
    for path in ["Ticker", "Depth", "AssetPairs"] {
        let path = format!("/0/public/{path}");
        let of = |keyed: bool| {
            house
                .venue
                .count(|request| request.path == path && request.account.is_some() == keyed)
        };
        assert!(of(false) > 0 && of(true) == 0, "{path}");
    }
    let moved = |request: &fixtures_venue::Received| {
        ["Withdraw", "Deposit", "Wallet", "Amend", "Edit", "Batch"]
            .iter()
            .any(|word| request.path.contains(word))
            && !request.path.ends_with("/WithdrawMethods")
    };
    assert_eq!(house.venue.count(moved), 0);
    house.running.stop().await.unwrap();
}

/// In Kraken's words, too: numbers exact or refused, a name twice or an unknown one refused, every other path refused, and nothing of it reaches the venue.
///
/// Control: the same order spelt once more, which passes, and is the same order when it comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_order_is_refused_in_krakens_shape() {
    let house = house(Setup {
        kraken: true,
        ..Setup::default()
    })
    .await;
    let post = |body: &str| house.curl(&["-X", "POST", "-d", body], "/0/private/AddOrder");
    let order = "pair=XBTEUR&type=buy&ordertype=limit&price=47000";
    for (body, code) in [
        (format!("{order}&volume=0.01&volume=0.02"), "ORDER_MALFORMED"),
        (format!("{order}&volume=0.01&close[ordertype]=limit"), "ORDER_INVALID"),
        (
            format!("{order}&volume=0.01&deadline=2030-01-01T00:00:00Z"),
            "ORDER_INVALID",
        ),
        (format!("{order}&volume=0.01&oflags=post"), "ORDER_INVALID"),
        (format!("{order}&volume=0.01&leverage=5"), "ORDER_INVALID"),
        (format!("{order}&volume=0.01&price2=46000"), "ORDER_INVALID"),
        (format!("{order}&volume=1e-99"), "ORDER_INVALID"),
        (format!("{order}&volume=-0.01"), "ORDER_INVALID"),
        (order.replace("XBTEUR", "XDGEUR") + "&volume=0.01", "ORDER_INVALID"),
        (
            order.replace("=limit", "=trailing-stop") + "&volume=0.01",
            "ORDER_INVALID",
        ),
    ] {
        let answer = post(&body);
        let said = format!("EMandatum:{code}: ");
        assert!(answer.contains(&said) && answer.contains(" 200 "), "{body}: {answer}");
    }
    for path in [
        "AddOrderBatchX",
        "CancelAllOrdersAfter",
        "Withdraw",
        "WithdrawMethods",
        "WalletTransfer",
        "DepositAddresses",
        "GetApiKeyInfo",
        "GetWebSocketsToken",
        "CreateSubaccount",
        "Earn/Allocate",
    ] {
        let answer = house.curl(&["-X", "POST", "-d", "nonce=1"], &format!("/0/private/{path}"));
        assert!(
            answer.contains("PATH_UNKNOWN") && answer.contains("\"EGeneral:Permission denied\""),
            "{path}: {answer}"
        );
    }
    assert_eq!(house.orders(), 0);
    for pair in ["XXBTZEUR", "XBT%2FEUR"] {
        let answer = post(&format!(
            "nonce=7&{}&volume=1.0e-2&cl_ord_id=n-1&otp=junk",
            order.replace("XBTEUR", pair)
        ));
        assert!(
            answer.contains("\"txid\":[\"O") && answer.contains("buy 0.01 XBTEUR @ limit 47000"),
            "{answer}"
        );
        assert_eq!(house.orders(), 1, "the same order again is the same order");
    }
    let answer = house.curl(&["-X", "POST", "-d", "cl_ord_id=n-1"], "/0/private/CancelOrder");
    assert!(answer.contains("{\"error\":[],\"result\":{\"count\":1}}"), "{answer}");
    house.running.stop().await.unwrap();
}

/// A list reaches the venue as one, and ends as one: the cancel of one order, or of the list.
///
/// Control, built in: the books of the venue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_reaches_the_venue_as_one() {
    let house = house(Setup {
        stops: true,
        ..Setup::default()
    })
    .await;
    let call = |method: &str, path: &str, body: &str| house.curl(&["-X", method, "-d", body], path);
    let lists = || house.venue.count(|request| request.path == "/api/v3/orderList/oco");
    let list = "symbol=BTCEUR&side=SELL&quantity=0.01&aboveType=LIMIT_MAKER&abovePrice=52000&belowType=STOP_LOSS_LIMIT&belowStopPrice=48000&belowPrice=47900&belowTimeInForce=GTC";
    for (id, cancel) in [("a", "origClientOrderId=a-stop"), ("b", "origClientOrderId=b-limit")] {
        let before = lists();
        let form = format!("{list}&aboveClientOrderId={id}-limit&belowClientOrderId={id}-stop");
        for _ in 0..2 {
            let said = call("POST", "/api/v3/orderList/oco", &form);
            assert!(
                said.contains("\"contingencyType\":\"OCO\"") && said.contains(" 200 "),
                "{said}"
            );
        }
        assert_eq!(lists(), before + 1, "the same list again is the same list");
        let said = house.curl(&[], "/api/v3/openOrders?symbol=BTCEUR");
        assert!(
            said.contains(&format!("{id}-limit")) && said.contains(&format!("{id}-stop")),
            "{said}"
        );
        let said = house.curl(&["-X", "DELETE"], &format!("/api/v3/order?symbol=BTCEUR&{cancel}"));
        assert!(said.contains("\"status\":\"CANCELED\""), "{said}");
        let mut said = String::new();
        for _ in 0..100 {
            said = house.curl(&[], "/api/v3/openOrders?symbol=BTCEUR");
            if said.starts_with("[] ") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(said.starts_with("[] "), "{said}");
    }
    house.running.stop().await.unwrap();
}

/// Stock ccxt raises for each answer what `docs/clients.md` says, and never `InvalidOrder`. That the table is the gateway's own, a test beside its
/// code says.
///
/// Control, tried: `RateLimitExceeded` exchanged for `BadRequest` in one row.
#[test]
fn stock_ccxt_raises_what_the_table_says() {
    let Some(python) = ccxt() else { return };
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    let ended = Command::new(python)
        .args([format!("{docs}/examples/ccxt_table.py"), format!("{docs}/clients.md")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
}

/// Numbers and names as clients really send them: exact, or refused; a name twice, an unknown one, another path, another method are refused, and
/// nothing of it reaches the venue.
///
/// Control: the same order spelt once more, which passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_order_is_refused_in_the_venues_shape() {
    let house = house(Setup::default()).await;
    let post = |body: &str| house.curl(&["-X", "POST", "-d", body], "/api/v3/order");
    let order = "symbol=BTCEUR&side=BUY&type=LIMIT&timeInForce=GTC&price=47000";
    for (body, code, status) in [
        (format!("{order}&quantity=0.01&quantity=0.02"), "ORDER_MALFORMED", "400"),
        (
            format!("{order}&quantity=0.01&icebergQty=0.001"),
            "ORDER_INVALID",
            "400",
        ),
        (format!("{order}&quantity=1e-99"), "ORDER_INVALID", "400"),
        (format!("{order}&quantity=-0.01"), "ORDER_INVALID", "400"),
        (format!("{order}&quantity=NaN"), "ORDER_INVALID", "400"),
        (
            order.replace("BTCEUR", "DOGEEUR") + "&quantity=0.01",
            "ORDER_INVALID",
            "400",
        ),
        (format!("{order}&quantity=0.01&side=%42UY"), "ORDER_MALFORMED", "400"),
    ] {
        let answer = post(&body);
        assert!(
            answer.contains(&format!("\"msg\":\"{code}")) && answer.contains(&format!(" {status} ")),
            "{body}: {answer}"
        );
    }
    for path in [
        "/api/v3/orderList/oto",
        "/sapi/v1/capital/withdraw/apply",
        "/sapi/v1/userDataStream",
        "/wapi/v3/withdraw.html",
    ] {
        let answer = house.curl(&["-X", "POST", "-d", "a=1"], path);
        assert!(
            answer.contains("PATH_UNKNOWN") && answer.contains("\"code\":-1002"),
            "{path}: {answer}"
        );
    }
    assert_eq!(house.orders(), 0);
    let answer = post(&format!(
        "{order}&quantity=1.0e-2&newClientOrderId=n-1&timestamp=1&signature=junk"
    ));
    assert!(
        answer.contains("\"status\":\"NEW\"") && answer.contains("\"origQty\":\"0.01\""),
        "{answer}"
    );
    let again = post(&format!("newClientOrderId=n-1&{order}&quantity=0.01"));
    assert!(
        again.contains("\"clientOrderId\":\"n-1\"") && again.contains(" 200 "),
        "{again}"
    );
    assert_eq!(house.orders(), 1, "the same order again is the same order");
    house.running.stop().await.unwrap();
}
