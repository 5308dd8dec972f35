//! The sidecar: one small process on loopback for bots that cannot do mTLS. Plain HTTP/1.1 and WebSocket in, TLS 1.3 with the bot's certificate out.
//!
//! It decides nothing: every path goes on as it is, and the gateway is the gate. It holds the bot's key, enrols, renews at half of the
//! certificate's life, keeps connections, and signs orders where the certificate asks for it and the bot did not. Whoever can open a
//! connection on this machine's loopback trades as the bot, so it listens nowhere else and lets no browser in (`guard`).

mod accept;
mod forward;
mod guard;
mod health;
mod hop;
mod identity;
mod keeper;
mod refusal;
mod tunnel;
mod upstream;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context;
use extensions::{AgentId, Clock as _};
use rustls::pki_types::CertificateDer;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    bot,
    client::Origin,
    clock::SystemClock,
    commands::report::{Exit, Failure},
};
use identity::Identity;
use keeper::Renewal;
use upstream::Upstream;

/// How long a stop waits for open connections.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a sidecar is told.
pub struct Settings {
    /// Whose key it holds.
    pub agent: AgentId,
    /// Key, certificate and chain; made there when there are none.
    pub folder: PathBuf,
    /// Where it listens: loopback only.
    pub listen: SocketAddr,
    /// The gateway.
    pub gateway: Origin,
    /// The enrolment listener.
    pub enrolment: Origin,
    /// What both are pinned by.
    pub roots: Vec<CertificateDer<'static>>,
    /// The one-time token, where there is no certificate yet.
    pub token: Option<String>,
}

/// What its tasks share.
struct Sidecar {
    settings: Settings,
    /// What new connections present; nothing before enrolment.
    identity: RwLock<Option<Arc<Identity>>>,
    upstream: Upstream,
    /// The refusal that said the bot or its certificate is revoked, while nothing else was heard.
    halted: Mutex<Option<String>>,
    renewal: Mutex<Renewal>,
    /// Free places for open WebSockets.
    tunnels: Arc<Semaphore>,
    /// Ends them.
    stop: CancellationToken,
}

impl Sidecar {
    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// New connections present this from now on; what is under way ends on the old ones.
    fn adopt(&self, identity: Identity) {
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(identity));
        self.remember(None);
    }

    fn halted(&self) -> Option<String> {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, code: Option<&str>) {
        let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        if halted.as_deref() != code {
            if let Some(code) = code {
                tracing::warn!(
                    code,
                    "the gateway says that this bot is halted; nothing of it is sent any more"
                );
            }
            *halted = code.map(str::to_owned);
        }
    }

    fn renewal(&self) -> Renewal {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A running sidecar.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// One line for people.
    pub started: String,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

impl Running {
    /// Ends it; what is being answered gets two seconds.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// Starts a sidecar on the present runtime.
///
/// # Errors
/// When the address is not loopback or taken, the key cannot be used, or there is neither certificate nor token.
pub async fn start(settings: Settings, stop: CancellationToken) -> anyhow::Result<Running> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    if !settings.listen.ip().is_loopback() {
        let message = format!(
            "the sidecar speaks for the bot to whoever reaches it, so it listens on loopback alone: {} is none; use 127.0.0.1:{}",
            settings.listen.ip(),
            settings.listen.port()
        );
        return Err(usage(message).into());
    }
    let identity = present(&settings)?;
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;
    let started = format!(
        "sidecar: {} at http://{address} to {}, {}; GET /sidecar/healthz tells its state",
        settings.agent,
        settings.gateway.url(),
        identity
            .as_ref()
            .map_or_else(|| "enrolling".to_owned(), Identity::in_words)
    );
    let sidecar = Arc::new(Sidecar {
        identity: RwLock::new(identity.map(Arc::new)),
        upstream: Upstream::new(settings.gateway.clone()),
        halted: Mutex::default(),
        renewal: Mutex::default(),
        tunnels: Arc::new(Semaphore::new(tunnel::TUNNELS)),
        stop: stop.clone(),
        settings,
    });
    let tasks = [
        tokio::spawn(accept::run(listener, sidecar.clone(), stop.clone())),
        tokio::spawn(keeper::run(sidecar, stop.clone())),
    ];
    Ok(Running {
        address,
        started,
        stop,
        tasks,
    })
}

/// The certificate that is there, if it is still good; otherwise there has to be a token.
fn present(settings: &Settings) -> anyhow::Result<Option<Identity>> {
    let folder = settings.folder.display();
    let next = "ask an officer for a one-time token (`mandatum agent token`) and give it with --token";
    if settings.folder.join(bot::CHAIN_FILE).exists() {
        let identity = Identity::open(&settings.folder, &settings.roots)?;
        if SystemClock.now() < identity.not_after {
            return Ok(Some(identity));
        }
        if settings.token.is_none() {
            let message = format!("the certificate in {folder} ended at {}: {next}", identity.not_after);
            return Err(Failure::new(Exit::Refused, message).into());
        }
    } else if settings.token.is_none() {
        let message = format!("no certificate in {folder}: {next}");
        return Err(Failure::new(Exit::Usage, message).into());
    }
    Ok(None)
}
