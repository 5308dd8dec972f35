//! The gateway role: runtimes side by side, each with its own listener on the shared address and its own connections to venues; one
//! more runtime that follows the ledger, the prices and what rests at the venues.

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use anyhow::{Context, bail};
use ca_core::profiles::Settings as House;
use extensions::{
    Clock, Counterparty,
    certificate::{AgentPathProfile, LONGEST_AGENT_LIFE_SECONDS},
};
use gateway_service::{
    api::Bots,
    gateway::{Gateway, Settings, Venues},
    listener::{
        accept::{Bounds, Listener, bind_shared},
        tls::{AgentVerifier, server_config_with},
    },
    pipeline::{follow, prices::PriceFeed, watch::Watch},
    session::Inspected,
    venue::{Venue, binance},
};
use rustls::ServerConfig;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Start, chain};
use crate::{
    client,
    config::{Config, VenueKind},
    founding, pem,
};

/// What a request under way gets to end after a stop, beside the send deadline.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// The running role.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) gateway: Arc<Gateway>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

pub(super) async fn start(start: &Start<'_>) -> anyhow::Result<Running> {
    let config = start.config;
    let section = &config.gateway;
    let settings = Settings {
        messages_per_second: section.messages_per_second,
        send_deadline: Duration::from_millis(section.send_deadline_ms),
        reference_max_age: Duration::from_millis(section.price_age_ms),
        body_bytes: section.body_bytes,
        ..Settings::new(section.id)
    };
    let counterparties: Vec<Counterparty> = config.venues.keys().copied().collect();
    let gateway = Arc::new(Gateway::new(
        settings,
        start.ledger.clone(),
        start.writer(section.id.as_str()).await?,
        start.clocks.decision(),
        start.clocks.real(),
        &counterparties,
    ));
    // One set to find what is wrong with a venue before anything listens.
    drop(venues(config, &start.clocks.real())?);
    let next = follow::catch_up(&gateway, 0).await?;
    let inspected = Arc::new(Inspected::new(path_profile(&start.published.settings)));
    let tls = tls(start, inspected.clone())?;
    let mut threads = vec![follower(start, gateway.clone(), next)?];
    let free = Arc::new(Semaphore::new(section.connections));
    let mut address = section.listen;
    for place in 0..section.threads {
        let socket = bind_shared(address).with_context(|| format!("gateway.listen: {address} cannot be bound"))?;
        address = socket.local_addr()?;
        threads.push(listener(start, place, socket, &gateway, &inspected, &tls, &free)?);
    }
    Ok(Running {
        address,
        gateway,
        threads,
    })
}

/// What a bot's path is held to at each handshake.
fn path_profile(house: &House) -> AgentPathProfile {
    AgentPathProfile {
        certificates: house.certificate_profile(),
        longest_life_seconds: LONGEST_AGENT_LIFE_SECONDS,
        distribution_point: Some(house.crl_url.clone()),
    }
}

fn tls(start: &Start<'_>, inspected: Arc<Inspected>) -> anyhow::Result<Arc<ServerConfig>> {
    let published = &start.published;
    let purpose = published.settings.arc.trading_agent();
    let verifier = AgentVerifier::new(
        published.agent_root.clone(),
        vec![published.agent_issuing.clone()],
        purpose.der_content(),
        Box::new(move |path, now| inspected.check_at(path, now)),
    )?;
    let chain = chain(&start.config.paths.certificates, founding::GATEWAY)?;
    let key = ca_keys::tls::certified_key(chain, start.key_file(founding::GATEWAY)?);
    Ok(Arc::new(server_config_with(Arc::new(verifier), key)?))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn listener(
    start: &Start<'_>,
    place: usize,
    socket: std::net::TcpListener,
    gateway: &Arc<Gateway>,
    inspected: &Arc<Inspected>,
    tls: &Arc<ServerConfig>,
    free: &Arc<Semaphore>,
) -> anyhow::Result<JoinHandle<()>> {
    let section = &start.config.gateway;
    let bounds = Bounds {
        connections: section.connections,
        handshake: Duration::from_millis(section.handshake_ms),
        head_bytes: section.head_bytes,
        ..Bounds::default()
    };
    let venues = Arc::new(venues(start.config, &start.clocks.real())?);
    let listener = Arc::new(Listener {
        tls: TlsAcceptor::from(tls.clone()),
        bounds,
        proxy_protocol: section.proxy_protocol,
        free: free.clone(),
        service: Bots::new(gateway.clone(), venues, inspected.clone()),
    });
    let (gateway, stop, runtime) = (gateway.clone(), start.stop.clone(), runtime()?);
    let work = move || {
        runtime.block_on(async move {
            match TcpListener::from_std(socket) {
                Ok(socket) => listener.serve(socket, stop).await,
                Err(error) => return tracing::error!(%error, "the gateway's socket cannot be used"),
            }
            // Orders that were permitted are sent within their deadline; their outcomes are appended behind.
            tokio::time::sleep(gateway.settings.send_deadline + LAST_ANSWERS).await;
        });
    };
    Ok(std::thread::Builder::new()
        .name(format!("gateway-{place}"))
        .spawn(work)?)
}

/// The runtime beside the order path: the ledger's follower, each venue's prices, each venue's watch.
fn follower(start: &Start<'_>, gateway: Arc<Gateway>, next: u64) -> anyhow::Result<JoinHandle<()>> {
    let config = start.config;
    let venues = Arc::new(venues(config, &start.clocks.real())?);
    let every = Duration::from_millis(config.gateway.price_every_ms);
    let mut feeds = Vec::new();
    let mut watches = Vec::new();
    for (counterparty, section) in &config.venues {
        let (Some(venue), Some(prices)) = (venues.get(counterparty), gateway.prices.get(counterparty)) else {
            bail!("venue {counterparty} has no adapter");
        };
        feeds.push(PriceFeed {
            prices: prices.clone(),
            venue: venue.clone(),
            instruments: section
                .instruments
                .iter()
                .map(|(instrument, unit)| (*instrument, *unit))
                .collect(),
            clock: gateway.clock.clone(),
            every,
        });
        let longest = Duration::from_millis(settings(section)?.longest_delay_ms());
        let watch = Watch::new(
            gateway.clone(),
            venues.clone(),
            *counterparty,
            venue.clone(),
            every,
            longest,
        );
        watches.push(watch);
    }
    let (stop, runtime) = (start.stop.clone(), runtime()?);
    let work = move || {
        runtime.block_on(async move {
            // Followed a little longer than orders are answered, so that the last outcomes are folded.
            let last = CancellationToken::new();
            let mut tasks = tokio::task::JoinSet::new();
            for feed in feeds {
                tasks.spawn(feed.run(stop.clone()));
            }
            for watch in watches {
                tasks.spawn(watch.run(stop.clone()));
            }
            tasks.spawn(follow::run(gateway.clone(), venues, next, last.clone()));
            stop.cancelled().await;
            tokio::time::sleep(gateway.settings.send_deadline + LAST_ANSWERS).await;
            last.cancel();
            while tasks.join_next().await.is_some() {}
        });
    };
    Ok(std::thread::Builder::new()
        .name("gateway-follow".to_owned())
        .spawn(work)?)
}

fn settings(section: &crate::config::Venue) -> anyhow::Result<binance::Settings> {
    let base = section
        .url
        .parse()
        .with_context(|| format!("venue url {:?}", section.url))?;
    let mut settings = binance::Settings::new(base, section.instruments.keys().copied());
    settings.symbols.extend(
        section
            .symbols
            .iter()
            .map(|(instrument, symbol)| (*instrument, symbol.clone())),
    );
    if let Some(roots) = &section.roots_file {
        settings.tls = Some(Arc::new(client::client_config(&pem::certificates(roots)?, None)?));
    }
    Ok(settings)
}

/// One adapter for each venue, for one runtime.
fn venues(config: &Config, real: &Arc<dyn Clock>) -> anyhow::Result<Venues> {
    let mut venues = Venues::new();
    for (counterparty, section) in &config.venues {
        let named = || format!("venues.{counterparty}");
        let secret = |path| Ok::<_, anyhow::Error>(founding::read_private(path)?.trim().to_owned());
        let (key, secret) = (secret(&section.api_key_file), secret(&section.secret_file));
        let credential = binance::Credential::new(&key.with_context(named)?, &secret.with_context(named)?);
        let VenueKind::Binance = section.kind;
        let venue = binance::Binance::new(settings(section).with_context(named)?, credential?, real.clone());
        venues.insert(*counterparty, Arc::new(venue.with_context(named)?) as Arc<dyn Venue>);
    }
    Ok(venues)
}
