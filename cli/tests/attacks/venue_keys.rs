//! The key that the gateway trades with: one that may withdraw is not used, whatever the venue speaks.

use std::sync::Arc;

use mandatum::{
    clock::SystemClock,
    doctor::house as of_house,
    founding,
    serve::{self, Clocks, Roles},
};
use tokio_util::sync::CancellationToken;

use crate::house::{Setup, configured, house};

/// A house whose venue key may withdraw does not start, and says what to do; `doctor` says the same. Nothing was ordered.
///
/// Control, built in: `kraken_is_a_venue_as_any_other` below, and every other test of this folder, start with a key that may not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_withdraw_opens_no_gateway() {
    for kraken in [false, true] {
        let setup = Setup {
            kraken,
            key_withdraws: true,
            ..Setup::default()
        };
        let (_folder, venue, config) = configured(setup).await;
        let founded = founding::found(&config, Arc::new(SystemClock)).await.unwrap();
        founded.ledger.close().await.unwrap();
        let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new()).await;
        let Err(error) = running else {
            panic!("kraken: {kraken}, it started")
        };
        let said = format!("{error:#}");
        for words in ["venues.exchange_a", "may withdraw", "Take every right from it"] {
            assert!(said.contains(words), "{said}");
        }
        let found = of_house::examine(&config).await;
        let told = found.iter().find(|finding| finding.check == "venue").unwrap();
        assert!(!told.ok && told.says.contains("may withdraw"), "{told:?}");
        assert_eq!(venue.count(|received| received.is_taken_order()), 0);
    }
}

/// A house on Kraken: an order of a bot passes and reaches the venue once, under the gateway's key; the venue's dead man's switch is held as the
/// configuration says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kraken_is_a_venue_as_any_other() {
    let house = house(Setup {
        kraken: true,
        ..Setup::default()
    })
    .await;
    house.lives("k-1").await;
    assert_eq!(house.venue.count(|received| received.is_taken_order()), 1);
    assert_eq!(house.venue.count(|received| received.path.starts_with("/api/")), 0);
    let holds = |received: &fixtures_venue::Received| received.path == "/0/private/CancelAllOrdersAfter";
    while house.venue.count(holds) == 0 {
        tokio::task::yield_now().await;
    }
    let mut config = house.config.clone();
    config.gateway.listen = house.running.addresses.gateway.unwrap();
    let found = of_house::examine(&config).await;
    let told = found.iter().find(|finding| finding.check == "venue").unwrap();
    assert!(
        told.ok && told.says.contains("its running gateway has asked"),
        "{told:?}"
    );
    house.running.stop().await.unwrap();
    let found = of_house::examine(&config).await;
    let told = found.iter().find(|finding| finding.check == "venue").unwrap();
    assert!(told.ok && told.says.contains("cannot withdraw"), "{told:?}");
}
