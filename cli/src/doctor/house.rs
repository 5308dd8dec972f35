//! The house's side: configuration, keys, disk, ledger, listeners, venues. Reads beside a running server.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use ledger::verify::{Options, verify_directory};
use tokio::{net::TcpStream, time::timeout};

use super::{Finding, disk};
use crate::{
    client::{self, Origin},
    clock::SystemClock,
    config::{Config, Venue, VenueKind},
    venues::Account,
};

/// The longest wait for a connection.
const PATIENCE: Duration = Duration::from_secs(3);
/// Ends the reading of a ledger of which the first entry is enough.
const ENOUGH: &str = "enough is read";

/// Every check of a house whose configuration was understood.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let mut found = vec![
        Finding::good("config", "understood"),
        keys(&config.paths.keys),
        disk::check(&config.paths.ledger, disk::LEAST_MIB),
        ledger(&config.paths.ledger).await,
    ];
    let listeners = [
        ("gateway", config.gateway.listen),
        ("officers", config.console.officers),
        ("enrolment", config.console.enrolment),
        ("status", config.status.listen),
        ("operations", config.operations.listen),
    ];
    found.push(listening(&listeners).await);
    for (name, venue) in &config.venues {
        found.push(reached(name.as_str(), venue, config.gateway.listen).await);
    }
    found
}

/// The configuration that could not be understood.
#[must_use]
pub fn unreadable(why: &str) -> Finding {
    let fix = "`mandatum init` writes one; `--dir` names the house's folder";
    Finding::bad("config", why, fix)
}

/// Every key file is its owner's alone.
fn keys(folder: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = folder.display();
    let fix = |what: &str| format!("{what}; `mandatum init` makes them where there are none");
    let Ok(files) = std::fs::read_dir(folder) else {
        return Finding::bad(
            "keys",
            format!("{shown} cannot be read"),
            fix("run as the user that owns it"),
        );
    };
    let files: Vec<_> = files.filter_map(Result::ok).map(|file| file.path()).collect();
    let open = |path: &std::path::PathBuf| {
        let found = std::fs::metadata(path);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0)
    };
    match files.iter().find(|path| open(path)) {
        _ if files.is_empty() => Finding::bad("keys", format!("{shown} is empty"), fix("put the keys back")),
        Some(path) => {
            let path = path.display();
            Finding::bad(
                "keys",
                format!("{path} may be read by others"),
                format!("chmod 600 {path}"),
            )
        }
        None => Finding::good("keys", format!("{} files in {shown}, their owner's alone", files.len())),
    }
}

/// The store opens for reading and its first entry reads.
async fn ledger(folder: &Path) -> Finding {
    let mut first = |_: &ledger::CommittedEntry| Err(ENOUGH.to_owned());
    let options = Options {
        fold: Some(&mut first),
        ..Options::default()
    };
    match verify_directory(folder, options).await {
        Err(fault) if fault.reason == ENOUGH => Finding::good(
            "ledger",
            format!("{} opens; `mandatum verify` checks the whole of it", folder.display()),
        ),
        Err(fault) => {
            let fix = "do not write to it: `mandatum verify` names the place; restore the disk or a copy first";
            Finding::bad("ledger", format!("{}: {fault}", folder.display()), fix)
        }
        Ok(_) => Finding::bad(
            "ledger",
            format!("{} is empty", folder.display()),
            "`mandatum init` founds a house",
        ),
    }
}

/// All listeners take connections.
async fn listening(listeners: &[(&str, SocketAddr)]) -> Finding {
    let mut silent = Vec::new();
    for (name, address) in listeners {
        let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
        if !matches!(connected, Ok(Ok(_))) {
            silent.push(format!("{name} ({address})"));
        }
    }
    if silent.is_empty() {
        return Finding::good("listeners", "all take connections");
    }
    let fix = "`mandatum serve` runs them; its log says why one does not open";
    Finding::bad("listeners", format!("no connection to {}", silent.join(", ")), fix)
}

/// A venue takes connections, and its key cannot withdraw.
async fn reached(name: &str, venue: &Venue, gateway: SocketAddr) -> Finding {
    let url = &venue.url;
    let fix =
        "orders to it are withheld meanwhile: look at its status page, this machine's firewall, and venues.NAME.url";
    let bad = |why: String| Finding::bad("venue", format!("{name} at {url}: {why}"), fix);
    let origin = match Origin::parse(url) {
        Ok(origin) => origin,
        Err(error) => return bad(format!("{error:#}")),
    };
    match timeout(PATIENCE, client::reach(&origin, None)).await {
        Ok(Ok(_)) => key_of(name, venue, gateway).await,
        Ok(Err(error)) => bad(format!("{error:#}")),
        Err(_) => bad(format!("no connection within {} s", PATIENCE.as_secs())),
    }
}

/// What a venue that takes connections says of the key.
async fn key_of(name: &str, venue: &Venue, gateway: SocketAddr) -> Finding {
    let reached = format!("{name} takes connections at {}", venue.url);
    let bad = |why: String| {
        let fix = "give the gateway a key that may read and trade and nothing else, in files of its own (api_key_file, secret_file)";
        Finding::bad("venue", format!("{reached}; {why}"), fix)
    };
    let account = match Account::read(venue) {
        Ok(account) => account,
        Err(error) => return bad(format!("{error:#}")),
    };
    // Two who count one key's nonces would cost the other its orders.
    let counts = venue.kind == VenueKind::Kraken;
    if counts && matches!(timeout(PATIENCE, TcpStream::connect(gateway)).await, Ok(Ok(_))) {
        let told = format!("{reached}; its running gateway has asked it what the key may do");
        return Finding::good("venue", told);
    }
    match timeout(PATIENCE, account.prove(Arc::new(SystemClock))).await {
        Ok(Ok(Ok(()))) => Finding::good("venue", format!("{reached}; its key cannot withdraw")),
        Ok(Ok(Err(fault))) => bad(fault.to_string()),
        Ok(Err(error)) => bad(format!("{error:#}")),
        Err(_) => bad(format!("it says nothing of its key within {} s", PATIENCE.as_secs())),
    }
}
