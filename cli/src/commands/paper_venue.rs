//! `paper-venue`: the small honest exchange, by itself.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use extensions::{Decimal, Instrument};
use fixtures_venue::{Account, Config, Symbol, serve};
use serde_json::json;

use super::report::Report;
use super::{House, report::Exit, report::Failure};
use crate::{clock::SystemClock, founding};

const SET_UP: &str = "\
A house that trades on it:
  umask 077; mkdir house/venues
  openssl rand -hex 16 > house/venues/exchange_a.key
  openssl rand -hex 32 > house/venues/exchange_a.secret
  mandatum paper-venue --api-key-file house/venues/exchange_a.key --secret-file house/venues/exchange_a.secret BTC_EUR=50000 &

and in house/mandatum.toml, before `mandatum serve`:
  [venues.exchange_a]
  url = \"http://127.0.0.1:9090\"
  api_key_file = \"venues/exchange_a.key\"
  secret_file = \"venues/exchange_a.secret\"
  instruments = { BTC_EUR = \"EUR\" }";

/// A small exchange that speaks Binance's and Kraken's spot REST APIs on loopback: resting orders, fills, filters, and a log of every request.
///
/// Example: mandatum paper-venue --listen 127.0.0.1:9090 --api-key-file key --secret-file secret BTC_EUR=60000 ETH_EUR=2500
#[derive(Debug, Args)]
#[command(after_long_help = SET_UP)]
pub(super) struct PaperVenue {
    /// Where it listens; loopback only.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// Its markets with their first prices.
    #[arg(required = true, value_name = "INSTRUMENT=PRICE")]
    markets: Vec<String>,
    /// The API key of its one account, in a file.
    #[arg(long)]
    api_key_file: PathBuf,
    /// The account's secret, in a file.
    #[arg(long)]
    secret_file: PathBuf,
    /// What the account owns of each asset.
    #[arg(long, default_value = "1000000")]
    balance: Decimal,
    /// The seed of its price paths.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Its key may withdraw, as no gateway's may: to see `serve` and `doctor` refuse it.
    #[arg(long)]
    key_withdraws: bool,
    /// Where every request is written, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

pub(super) async fn run(_house: &House, command: PaperVenue) -> anyhow::Result<Report> {
    let mut symbols = Vec::new();
    let mut balances = BTreeMap::new();
    for market in &command.markets {
        let usage = || {
            Failure::new(
                Exit::Usage,
                format!("{market:?}: expected INSTRUMENT=PRICE, as in BTC_EUR=60000"),
            )
        };
        let (name, price) = market.split_once('=').ok_or_else(usage)?;
        let instrument = Instrument::new(name)?;
        let symbol = Symbol::walking(instrument, Decimal::parse(price).map_err(|_| usage())?, command.seed)?;
        balances.insert(symbol.base.clone(), command.balance);
        balances.insert(symbol.quote.clone(), command.balance);
        symbols.push(symbol);
    }
    let account = Account {
        name: "main".to_owned(),
        api_key: founding::read_private(&command.api_key_file)?.trim().to_owned(),
        secret: founding::read_private(&command.secret_file)?.trim().to_owned(),
        balances,
    };
    let mut config = Config::new(symbols, vec![account], Arc::new(SystemClock));
    config.listen = command.listen;
    config.log = command.log;
    config.rights.withdraw = command.key_withdraws;
    let venue = serve(config).await?;
    eprintln!("paper venue at {}", venue.url());
    tokio::signal::ctrl_c().await.context("no signals")?;
    let total = venue.total_received();
    venue.stop().await;
    Ok(Report::new(
        format!("{total} requests received"),
        json!({ "received": total }),
    ))
}
