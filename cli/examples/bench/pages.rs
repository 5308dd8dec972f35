//! `pages`: what a page of the console takes in a house of many agents, applications and orders, asked one after the other on a kept connection.
//! What is timed holds TLS, the session, the page and every call of the API behind it.

use std::time::{Duration, Instant};

use anyhow::Context;
use mandatum::{
    client::{Client, Origin},
    officer::{CERTIFICATE_FILE, KEY_FILE},
    pem,
};

use crate::{house::Plan, options::Options, peer_house::PeerHouse, process};

/// The goal, at the 95th percentile.
const GOAL: Duration = Duration::from_millis(50);

/// The main pages, `N` in place of an agent's number.
const PAGES: [&str; 17] = [
    "/",
    "/agents",
    "/agents?after=crowd-{}",
    "/agents/crowd-{}",
    "/agents/crowd-0",
    "/agents/crowd-{}/orders",
    "/agents/crowd-{}/baselines",
    "/incidents",
    "/applications",
    "/applications?after=m-crowd-{}",
    "/applications/m-crowd-{}",
    "/proposals",
    "/entries",
    "/entries?agent=crowd-{}",
    "/entries?kind=agent.revoked",
    "/entries?code=MAX_NOTIONAL",
    "/entries/{}",
];

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (agents, orders) = (options.number("agents", 10_000)?, options.number("orders", 1_000_000)?);
    let rounds = options.number("rounds", 60)?.max(1);
    let begun = Instant::now();
    let house = PeerHouse::start(&Plan {
        crowd: agents.max(1),
        orders,
        ..Plan::default()
    })?;
    let folder = house.folder()?;
    println!("{}", process::machine(&folder));
    println!(
        "{agents} agents, each with an approved application and a baseline, {orders} orders: made and started in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    house.settle()?;
    let (most, now) = process::resident(house.pid())?;
    println!("{} MB resident, at most {} MB", now >> 20, most >> 20);
    options.begin()?;
    let mut browser = Browser::sign_in(&house).await?;
    for page in PAGES {
        let mut times = Vec::with_capacity(rounds);
        let mut size = 0;
        // One beside, that is not counted: what is folded once stays.
        for round in 0..=rounds {
            let place = (round * 7_919 + 13) % agents.max(1);
            let begun = Instant::now();
            size = browser.get(&page.replace("{}", &place.to_string())).await?;
            times.push(begun.elapsed());
        }
        let first = times.remove(0);
        times.sort_unstable();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        println!(
            "  {page:32} p50 {:6.1} ms, p95 {:6.1} ms{}, first {:6.1} ms, {size} bytes",
            ms(at(50)),
            ms(at(95)),
            if at(95) > GOAL { " MISSED" } else { "" },
            ms(first),
        );
    }
    let entries = house.stop()?;
    println!("{entries} entries in the ledger at the end, {rounds} rounds a page");
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// An officer in a browser, let in by a certificate.
struct Browser {
    client: Client,
    cookie: String,
}

impl Browser {
    async fn sign_in(house: &PeerHouse) -> anyhow::Result<Self> {
        let folder = house.folder()?.join("officers").join("ada");
        let chain = pem::certificates(&folder.join(CERTIFICATE_FILE))?;
        let key = ca_keys::FileSigner::open(&folder.join(KEY_FILE), ca_keys::Protection::Plain)?;
        let identity = ca_keys::tls::certified_key(chain, std::sync::Arc::new(key));
        let origin = house.said("officers")?;
        let roots = pem::certificates(house.said("roots")?.as_ref())?;
        let mut client = Client::new(Origin::parse(origin)?, &roots, Some(identity))?;
        let headers = [
            ("origin", origin),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let reply = client.send("POST", "/sign-in/certificate", &headers, "").await?;
        let cookie = reply.headers.get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        let cookie = cookie
            .with_context(|| format!("no session: {}", reply.status))?
            .to_owned();
        Ok(Self { client, cookie })
    }

    /// The size of a page, which must be there.
    async fn get(&mut self, path: &str) -> anyhow::Result<usize> {
        let reply = self.client.send("GET", path, &[("cookie", &self.cookie)], "").await?;
        anyhow::ensure!(reply.status == 200, "{path}: {}", reply.status);
        Ok(reply.body.len())
    }
}
