//! A running gateway instance: worker threads, each with a current-thread runtime, its own listener on the shared address and
//! its own connections to the venues (`docs/performance.md` says why), over one [`Gateway`].

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use extensions::{Clock, Counterparty, Currency, Instrument};
use ledger::{
    Append, Ledger, LedgerError, Writer,
    events::{GatewayEvent, GatewayRun},
};
use revocation_core::regions::Network;
use rustls::ServerConfig;
use thiserror::Error;
use tokio::{runtime, sync::Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    api::Bots,
    fix::acceptor::{FixBots, Kept},
    gateway::{Gateway, Settings, Venues},
    listener::accept::{Bounds, Listener, bind_shared},
    pipeline::{dead_man::DeadMan, follow, prices::PriceFeed, settle, watch::Watch},
    session::Inspected,
    venue::Venue,
};

/// Makes a venue's adapter; called once per worker thread, on its runtime.
pub type MakeVenue = Arc<dyn Fn() -> Result<Arc<dyn Venue>, String> + Send + Sync>;

/// One venue the instance trades on.
#[derive(Clone)]
pub struct VenuePlan {
    /// The name under which mandates know it.
    pub counterparty: Counterparty,
    /// What is traded there, each with the unit it is quoted in.
    pub instruments: Vec<(Instrument, Currency)>,
    /// Makes the adapter.
    pub make: MakeVenue,
    /// How long after its send an order can still appear there.
    pub longest_delay: Duration,
    /// From one round of reference prices to the next.
    pub prices_every: Duration,
    /// From one look at resting orders to the next.
    pub watch_every: Duration,
    /// How long after its last beat the venue's dead man's switch cancels, where it is used.
    pub dead_man: Option<Duration>,
}

/// What an instance is made of.
pub struct Plan {
    /// Limits and names.
    pub settings: Settings,
    /// The system of record.
    pub ledger: Ledger,
    /// The instance's own writer.
    pub writer: Writer,
    /// The decision clock.
    pub clock: Arc<dyn Clock>,
    /// The clock of certificates and signatures.
    pub real_clock: Arc<dyn Clock>,
    /// Where bots connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where bots that speak FIX connect, if they may; port 0 takes a free one.
    pub fix: Option<SocketAddr>,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Whether a balancer with PROXY protocol version 2 stands before the listener.
    pub proxy_protocol: bool,
    /// The balancers' networks.
    pub proxy_from: Arc<[Network]>,
    /// The listener's bounds, of all threads together.
    pub bounds: Bounds,
    /// TLS: see [`crate::listener::tls::server_config`].
    pub tls: Arc<ServerConfig>,
    /// The profile check that the verifier in `tls` uses.
    pub inspected: Arc<Inspected>,
    /// The venues.
    pub venues: Vec<VenuePlan>,
}

/// Why an instance does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be bound, or a thread cannot be made.
    #[error("the bots' listener at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A venue's adapter cannot be made.
    #[error("the venue {counterparty}: {reason}")]
    Venue {
        /// The venue.
        counterparty: Counterparty,
        /// Why.
        reason: String,
    },
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Writes down that an instance started or stopped. It serves, or ends, whether or not that could be recorded.
async fn ran(gateway: &Gateway, event: fn(GatewayRun) -> GatewayEvent) {
    let run = GatewayRun {
        gateway: gateway.settings.id,
    };
    let append = Append::next(event(run), gateway.clock.now());
    if let Err(error) = gateway.writer.append(append).await {
        tracing::error!(%error, "the instance's own life is not recorded");
    }
}

/// A running instance. Dropping it stops it.
pub struct Instance {
    gateway: Arc<Gateway>,
    address: SocketAddr,
    fix: Option<SocketAddr>,
    stop: CancellationToken,
    workers: Vec<JoinHandle<()>>,
    keeper: runtime::Handle,
    feeds: Vec<Arc<PriceFeed>>,
}

impl Instance {
    /// Folds the ledger, then takes orders. Returns when every worker listens.
    ///
    /// # Errors
    /// When the ledger cannot be read, a venue cannot be made or the address cannot be bound.
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        let counterparties: Vec<Counterparty> = plan.venues.iter().map(|venue| venue.counterparty).collect();
        let Plan {
            settings,
            ledger,
            writer,
            clock,
            real_clock,
            ..
        } = plan;
        let gateway = Arc::new(Gateway::new(
            settings,
            ledger,
            writer,
            clock.clone(),
            real_clock,
            &counterparties,
        ));
        let next = follow::catch_up(&gateway, 0).await?;
        let failed = |address| move |source| StartError::Listen { address, source };
        let (address, sockets) = bind_all(plan.listen, plan.threads)?;
        let (fix_address, fix_sockets) = match plan.fix {
            Some(listen) => bind_all(listen, plan.threads).map(|(address, sockets)| (Some(address), sockets))?,
            None => (None, Vec::new()),
        };
        let mut fix_sockets = fix_sockets.into_iter();
        let kept = Arc::new(Kept::default());
        let stop = CancellationToken::new();
        let free = Arc::new(Semaphore::new(plan.bounds.connections));
        let (mut workers, mut keeper, mut feeds) = (Vec::new(), None, Vec::new());
        for (place, socket) in sockets.into_iter().enumerate() {
            let worker = Worker {
                gateway: gateway.clone(),
                venues: plan.venues.clone(),
                tls: TlsAcceptor::from(plan.tls.clone()),
                bounds: plan.bounds,
                proxy_protocol: plan.proxy_protocol,
                proxy_from: plan.proxy_from.clone(),
                free: free.clone(),
                inspected: plan.inspected.clone(),
                fix: fix_sockets.next().map(|socket| (socket, kept.clone())),
                clock: clock.clone(),
                keeps: (place == 0).then_some(next),
                stop: stop.clone(),
            };
            let (told, ready) = mpsc::sync_channel(1);
            let name = format!("gateway-{place}");
            let thread = std::thread::Builder::new()
                .name(name)
                .spawn(move || worker.run(socket, &told));
            workers.push(thread.map_err(failed(address))?);
            let (handle, own_feeds) = ready
                .recv()
                .map_err(|_| failed(address)(io::Error::other("its worker ended")))??;
            if place == 0 {
                (keeper, feeds) = (Some(handle), own_feeds);
            }
        }
        let keeper = keeper.ok_or_else(|| failed(address)(io::Error::other("no worker")))?;
        ran(&gateway, GatewayEvent::Started).await;
        Ok(Self {
            gateway,
            address,
            fix: fix_address,
            stop,
            workers,
            keeper,
            feeds,
        })
    }

    /// The shared gateway.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Where bots connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where bots that speak FIX connect.
    #[must_use]
    pub fn fix_address(&self) -> Option<SocketAddr> {
        self.fix
    }

    /// Asks every venue for every reference price, now: what a stepped clock needs after each step.
    pub async fn refresh_prices(&self) {
        let feeds = self.feeds.clone();
        let asked = self.keeper.spawn(async move {
            for feed in feeds {
                feed.refresh().await;
            }
        });
        let _ = asked.await;
    }

    /// Asks the venue `counterparty` for one reference price, now.
    pub async fn refresh_price(&self, counterparty: Counterparty, instrument: Instrument) {
        let Some(feed) = self
            .feeds
            .iter()
            .find(|feed| feed.counterparty == counterparty)
            .cloned()
        else {
            return;
        };
        let _ = self
            .keeper
            .spawn(async move { feed.refresh_one(&instrument).await })
            .await;
    }

    /// Stops taking connections, ends those that are open and waits for the workers.
    pub fn stop(mut self) {
        self.stop.cancel();
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a gateway worker ended in a panic");
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// One listening socket a worker, all on one address.
fn bind_all(listen: SocketAddr, threads: usize) -> Result<(SocketAddr, Vec<std::net::TcpListener>), StartError> {
    let failed = |address| move |source| StartError::Listen { address, source };
    let first = bind_shared(listen).map_err(failed(listen))?;
    let address = first.local_addr().map_err(failed(listen))?;
    let mut sockets = vec![first];
    for _ in 1..threads.max(1) {
        sockets.push(bind_shared(address).map_err(failed(address))?);
    }
    Ok((address, sockets))
}

type Ready = Result<(runtime::Handle, Vec<Arc<PriceFeed>>), StartError>;

struct Worker {
    gateway: Arc<Gateway>,
    venues: Vec<VenuePlan>,
    tls: TlsAcceptor,
    bounds: Bounds,
    proxy_protocol: bool,
    proxy_from: Arc<[Network]>,
    free: Arc<Semaphore>,
    inspected: Arc<Inspected>,
    /// Its socket for FIX, with the numbers of the sessions, which all workers share.
    fix: Option<(std::net::TcpListener, Arc<Kept>)>,
    clock: Arc<dyn Clock>,
    /// The follower's first position, for the one worker that follows, watches and feeds.
    keeps: Option<u64>,
    stop: CancellationToken,
}

impl Worker {
    fn run(self, socket: std::net::TcpListener, told: &mpsc::SyncSender<Ready>) {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(source) => {
                let address = socket
                    .local_addr()
                    .unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
                let _ = told.send(Err(StartError::Listen { address, source }));
                return;
            }
        };
        let handle = runtime.handle().clone();
        runtime.block_on(self.serve(socket, handle, told));
    }

    async fn serve(mut self, socket: std::net::TcpListener, handle: runtime::Handle, told: &mpsc::SyncSender<Ready>) {
        let venues = match self.make_venues() {
            Ok(venues) => Arc::new(venues),
            Err(error) => {
                let _ = told.send(Err(error));
                return;
            }
        };
        let feeds = match self.keeps {
            Some(next) => {
                // It follows, watches and cancels: a disk that hangs must not hold it.
                self.gateway.writer.spare_this_thread();
                self.keep(&venues, next).await
            }
            None => Vec::new(),
        };
        if let Some(fix) = self.fix.take()
            && let Err(source) = self.serve_fix(fix, &venues)
        {
            let address = SocketAddr::from(([0, 0, 0, 0], 0));
            let _ = told.send(Err(StartError::Listen { address, source }));
            return;
        }
        let bots = Bots::new(self.gateway.clone(), venues, self.inspected.clone());
        let listener = Arc::new(Listener {
            tls: self.tls,
            bounds: self.bounds,
            proxy_protocol: self.proxy_protocol,
            proxy_from: self.proxy_from,
            free: self.free,
            service: bots,
        });
        match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => {
                let _ = told.send(Ok((handle, feeds)));
                listener.serve(socket, self.stop.clone()).await;
                // Forwards and cancels that are on their way may end; their records come first anyway.
                tokio::time::sleep(self.bounds.farewell * 5).await;
                if self.keeps.is_some() {
                    settle::digests(&self.gateway);
                    ran(&self.gateway, GatewayEvent::Stopped).await;
                }
            }
            Err(source) => {
                let address = SocketAddr::from(([0, 0, 0, 0], 0));
                let _ = told.send(Err(StartError::Listen { address, source }));
            }
        }
    }

    /// The FIX listener of this runtime: the same TLS, bounds and checks of who is there.
    fn serve_fix(&self, (socket, kept): (std::net::TcpListener, Arc<Kept>), venues: &Arc<Venues>) -> io::Result<()> {
        let mut tls = self.tls.config().as_ref().clone();
        // FIX has no name in ALPN.
        tls.alpn_protocols.clear();
        let listener = Arc::new(Listener {
            tls: TlsAcceptor::from(Arc::new(tls)),
            bounds: self.bounds,
            proxy_protocol: self.proxy_protocol,
            proxy_from: self.proxy_from.clone(),
            free: self.free.clone(),
            service: FixBots::new(self.gateway.clone(), venues.clone(), self.inspected.clone(), kept),
        });
        let socket = tokio::net::TcpListener::from_std(socket)?;
        tokio::spawn(listener.serve(socket, self.stop.clone()));
        Ok(())
    }

    fn make_venues(&self) -> Result<Venues, StartError> {
        let make = |plan: &VenuePlan| {
            let failed = |reason| StartError::Venue {
                counterparty: plan.counterparty,
                reason,
            };
            (plan.make)().map(|venue| (plan.counterparty, venue)).map_err(failed)
        };
        self.venues.iter().map(make).collect()
    }

    /// Follows the ledger, feeds prices and watches resting orders; prices are asked once before the first order is taken.
    async fn keep(&self, venues: &Arc<Venues>, next: u64) -> Vec<Arc<PriceFeed>> {
        tokio::spawn(follow::run(
            self.gateway.clone(),
            venues.clone(),
            next,
            self.stop.clone(),
        ));
        tokio::spawn(settle::run(self.gateway.clone(), venues.clone(), self.stop.clone()));
        let mut feeds = Vec::new();
        for plan in &self.venues {
            let (Some(venue), Some(prices)) = (
                venues.get(&plan.counterparty),
                self.gateway.prices.get(&plan.counterparty),
            ) else {
                continue;
            };
            let feed = Arc::new(PriceFeed {
                counterparty: plan.counterparty,
                prices: prices.clone(),
                venue: venue.clone(),
                instruments: plan.instruments.clone(),
                clock: self.clock.clone(),
                every: plan.prices_every,
            });
            feed.refresh().await;
            tokio::spawn(feed.clone().run(self.stop.clone()));
            let watch = Watch::new(
                self.gateway.clone(),
                venues.clone(),
                plan.counterparty,
                venue.clone(),
                plan.watch_every,
                plan.longest_delay,
            );
            tokio::spawn(watch.run(self.stop.clone()));
            if let Some(after) = plan.dead_man {
                let switch = DeadMan::new(self.gateway.clone(), plan.counterparty, venue.clone(), after);
                tokio::spawn(switch.run(self.stop.clone()));
            }
            feeds.push(feed);
        }
        feeds
    }
}
