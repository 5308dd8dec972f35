//! The play: one merged timeline, the decision clock stepped to each order's time, every order over mTLS.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use extensions::{AgentId, Decimal};
use fixtures_venue::streams::{Label, Side};
use gateway_service::instance::Instance;
use rustls::pki_types::CertificateDer;

use super::{
    progress::Progress,
    receiver::Receiver,
    report::Stopped,
    scenario::{Bot, Fate, Sender, Step},
    trader::{Answered, Told, Trader},
    watch::{Sessions, Watched},
};
use crate::clock::SteppedClock;

/// Idle sessions held open of a bot that will be stopped.
const IDLE_SESSIONS: usize = 4;
/// Orders that are tried with a revoked certificate.
const KNOCKS: u64 = 5;
/// A bot withdraws what rests when this many orders do.
const SWEEP_AT: usize = 40;

/// What the play needs of the running house.
pub(super) struct Stage<'a> {
    /// The decision clock.
    pub(super) clock: Arc<SteppedClock>,
    /// The gateway, whose reference prices have to keep pace with the clock.
    pub(super) instance: &'a Instance,
    /// The bots' listener.
    pub(super) gateway: SocketAddr,
    /// Its name in its certificate.
    pub(super) host: String,
    /// What bots pin.
    pub(super) roots: Vec<CertificateDer<'static>>,
    /// The status listener: `http://127.0.0.1:8180`.
    pub(super) status: String,
    /// The agents' issuing CA, DER.
    pub(super) issuer: Vec<u8>,
}

/// One bot in the play.
pub(super) struct Player {
    /// Who.
    pub(super) bot: Bot,
    /// Its connections.
    pub(super) trader: Trader,
    /// What was measured when it was stopped.
    pub(super) stopped: Option<Stopped>,
    /// Orders of its misfortune so far.
    pub(super) misfortune: u64,
    /// Orders it never sent, because it was stopped.
    pub(super) unsent: u64,
    /// Whether a reduction was permitted after its standing had narrowed.
    pub(super) reduced: Option<bool>,
    /// How its first order from an unlisted region was answered.
    pub(super) foreign: Option<String>,
    /// Told that it may only reduce, or nothing: it does not go on increasing.
    narrowed: bool,
    sessions: Option<Sessions>,
}

impl Player {
    /// A bot at the start.
    #[must_use]
    pub(super) fn new(bot: Bot, trader: Trader) -> Self {
        Self {
            bot,
            trader,
            stopped: None,
            misfortune: 0,
            unsent: 0,
            reduced: None,
            foreign: None,
            narrowed: false,
            sessions: None,
        }
    }
}

impl Stage<'_> {
    /// Plays every step in order.
    ///
    /// # Errors
    /// When the house does not answer as it should.
    pub(super) async fn play(
        &self,
        steps: &[Step],
        players: &mut BTreeMap<AgentId, Player>,
        receiver: &Receiver,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        for step in steps {
            progress.step(step.row.at);
            let player = players
                .get_mut(&step.row.agent)
                .context("an order of a bot that is not there")?;
            self.step(step, player, receiver, progress)
                .await
                .with_context(|| format!("an order of {} at {}", step.row.agent, step.row.at))?;
        }
        Ok(())
    }

    async fn step(
        &self,
        step: &Step,
        player: &mut Player,
        receiver: &Receiver,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let knocked_enough = player
            .stopped
            .as_ref()
            .is_some_and(|stopped| stopped.tried_again >= KNOCKS);
        if knocked_enough || player.narrowed {
            player.unsent += 1;
            return Ok(());
        }
        self.clock.step_to(step.row.at);
        self.instance
            .refresh_price(step.row.counterparty, step.row.instrument)
            .await;
        let fatal = matches!(player.bot.fate, Fate::RunsAway | Fate::KeyStolen) && step.row.label != Label::Clean;
        if fatal && player.stopped.is_none() {
            self.befall(step, player, progress).await?;
        }
        let rests = player.bot.fate != Fate::Replays;
        let answered = player.trader.order(&step.row, step.from, rests).await?;
        if let Some(stopped) = &mut player.stopped {
            stopped.tried_again += 1;
            stopped.taken_again += u64::from(matches!(answered.told, Told::Taken(_)));
            return Ok(());
        }
        if let Told::Refused(codes) = &answered.told {
            let named = |wanted: [&str; 2]| codes.iter().any(|code| wanted.contains(&code.as_str()));
            let said = format!("{}  {}", step.row.at, player.bot.agent);
            if step.sender == Sender::Thief && player.foreign.is_none() {
                let region = codes.iter().find(|code| *code == "REGION_NOT_ALLOWED");
                player.foreign = region.or(codes.first()).cloned();
            }
            if named(["ANOMALY_REVOKED", "AGENT_REVOKED"]) {
                progress.say(&format!("{said}: stopped ({})", codes.join(", ")));
                player.stopped = Some(self.measure(player, &answered, receiver).await?);
            } else if named(["STATE_REDUCE_ONLY", "STATE_FROZEN"]) {
                progress.say(&format!("{said}: {}", codes.join(", ")));
                self.narrow(step, player).await?;
            }
        }
        if player.trader.resting >= SWEEP_AT {
            player.trader.sweep(step.from).await?;
        }
        Ok(())
    }

    /// One more order of a misfortune; idle sessions are opened at its first, to see them close.
    async fn befall(&self, step: &Step, player: &mut Player, progress: &Progress) -> anyhow::Result<()> {
        player.misfortune += 1;
        if player.sessions.is_none() {
            let what = misfortune(player.bot.fate);
            progress.say(&format!("{}  {}: {what}", step.row.at, player.bot.agent));
            player.sessions = Some(self.idle(player, step.from).await?);
        }
        Ok(())
    }

    async fn idle(&self, player: &Player, from: IpAddr) -> anyhow::Result<Sessions> {
        let identity = player.trader.identity();
        Sessions::open(IDLE_SESSIONS, identity, self.gateway, &self.host, &self.roots, from).await
    }

    /// A bot that is told that it may only reduce does so, and does not go on.
    async fn narrow(&self, step: &Step, player: &mut Player) -> anyhow::Result<()> {
        player.narrowed = true;
        player.trader.sweep(step.from).await?;
        let positions = player.trader.positions(step.from).await?;
        let held = positions.get(step.row.instrument.as_str()).copied().unwrap_or_default();
        let Some(row) = step.row.clone().in_steps(Decimal::new(1, 5).unwrap_or_default()) else {
            return Ok(());
        };
        let quantity = row.quantity.min(held);
        if step.row.side == Side::Buy && quantity.is_positive() {
            let answered = player.trader.reduce(&row, quantity, step.from).await?;
            player.reduced = Some(matches!(answered.told, Told::Taken(_)));
        }
        Ok(())
    }

    /// What the world sees of the revocation, from the moment the decisive order was sent.
    async fn measure(&self, player: &mut Player, decisive: &Answered, receiver: &Receiver) -> anyhow::Result<Stopped> {
        let since = |at: Instant| at.saturating_duration_since(decisive.sent).as_secs_f64() * 1_000.0;
        let leaf = player.trader.identity().chain.first().context("a certificate")?;
        let watched = Watched::new(leaf, &self.issuer, &self.status, "/ocsp", "/agents.crl")?;
        let sessions = player.sessions.take();
        let count = sessions.as_ref().map_or(0, Sessions::count);
        let last = async {
            match sessions {
                Some(sessions) => sessions.last().await,
                None => None,
            }
        };
        let subject = format!("agent/{}", player.bot.agent);
        let (last, ocsp, crl, webhook) = tokio::join!(
            last,
            watched.revoked_in_ocsp(),
            watched.listed_in_crl(),
            receiver.wait_for("mandatum.agent.revoked", &subject),
        );
        Ok(Stopped {
            orders: player.misfortune,
            reply_ms: Some(since(decisive.answered)),
            sessions: count,
            sessions_closed_ms: last.map(since),
            ocsp_ms: ocsp?.map(since),
            crl_ms: crl?.map(|(at, _)| since(at)),
            webhook_ms: webhook.map(since),
            ..Stopped::default()
        })
    }
}

fn misfortune(fate: Fate) -> &'static str {
    match fate {
        Fate::RunsAway => "runs away",
        Fate::KeyStolen => "somebody else uses its key",
        Fate::Drifts => "drifts",
        Fate::Unharmed | Fate::Replays => "goes on",
    }
}
