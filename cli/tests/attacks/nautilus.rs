//! Stock NautilusTrader through the sidecar: orders by HTTP, what becomes of them by the venue's user data stream.

use std::process::Command;

use crate::{
    house::{Setup, house},
    sidecar::{beside, decisions},
};

fn nautilus() -> Option<String> {
    let demanded = std::env::var("MANDATUM_PYTHON");
    let python = demanded.clone().unwrap_or_else(|_| "python3".to_owned());
    let mut probe = Command::new(&python);
    probe.args(["-c", "import nautilus_trader.adapters.binance"]);
    if probe.output().is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    assert!(demanded.is_err(), "NautilusTrader is missing: run cargo xtask test");
    eprintln!("skipped: this test needs nautilus_trader of xtask/requirements-alone.txt");
    None
}

/// A whole node, stock: it loads the market, places, hears that the order rests, cancels, hears it, buys, hears of the fill; an order above the cap is
/// rejected with our code, and nothing of it reaches the venue.
///
/// Control, built in: each step of its strategy waits for the event of the step before. Tried: with the report of the cancel left out it still hears of it, from the
/// answer to the cancel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_nautilus_trades_under_a_mandate() {
    let Some(python) = nautilus() else { return };
    let house = house(Setup::default()).await;
    let sidecar = beside(&house).await;
    let mut command = Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/nautilus_bot.py"))
        .arg(format!("http://{}", sidecar.address))
        .current_dir(house.folder.path());
    let ended = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("OK"), "{said}");
    assert_eq!(house.orders(), 2, "the one that rested and the one that was filled");
    assert_eq!(decisions(&house).await.len(), 3);
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}
