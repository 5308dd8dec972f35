//! Following the ledger: every entry, gaplessly by position, folded into what the gateway decides on.
//!
//! Freezes, revocations and approvals made elsewhere arrive here. Being late is harmless: the stream refuses a permit that
//! was decided without them. Being deaf is not, so the view has a lease ([`Gateway::view`]).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{StreamKind, canonical};
use gateway_policy::{CancelSource, OpenMark, OpenOrder, OutcomeState};
use ledger::{CommittedEntry, LedgerError};
use revocation_core::{HouseEvent, StandingEvent, house::HouseScope};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{forward::About, halt, slot::Slot};
use crate::{
    gateway::{Gateway, Venues},
    listener::sessions::Whose,
    metrics::Metrics,
};

/// Entries read at a time.
const PAGE: usize = 4_096;
/// How often the follower makes sure that it has everything.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// How long orders' entries may wait for those that come next: this gateway's own are folded already. Whatever else happens is news, and is
/// followed at once.
const ORDERS_EVERY: Duration = Duration::from_millis(2);

/// Folds the whole log, before orders are taken. Returns the position after the last entry folded.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn catch_up(gateway: &Gateway, from: u64) -> Result<u64, LedgerError> {
    let mut next = from;
    // One page is read while the one before it is folded: at a start there are hundreds.
    let read = |next| {
        let ledger = gateway.ledger.clone();
        tokio::spawn(async move { ledger.read_range(next, PAGE).await })
    };
    let mut reading = Some(read(next));
    while let Some(page) = reading.take() {
        let page = match page.await {
            Ok(page) => page?,
            Err(_) => gateway.ledger.read_range(next, PAGE).await?,
        };
        next += page.len() as u64;
        reading = (page.len() == PAGE).then(|| read(next));
        page.iter().for_each(|entry| fold(gateway, entry));
    }
    for slot in gateway.slots() {
        let standing = slot.lock().state.standing_at(gateway.clock.now());
        if matches!(
            standing,
            revocation_core::Standing::Revoked | revocation_core::Standing::Frozen
        ) {
            slot.close_gate();
        }
        doubt_own(gateway, &slot);
    }
    gateway.followed(next);
    gateway.seen_now();
    Ok(next)
}

/// Permits of an earlier life of this instance whose outcome was never recorded: sent or not, nobody knows until the venue is asked. Their bots
/// read so from the first moment.
fn doubt_own(gateway: &Gateway, slot: &Arc<Slot>) {
    let unanswered: Vec<OpenOrder> = {
        let inner = slot.lock();
        let own = |open: &&OpenOrder| open.mark == OpenMark::Unanswered && open.gateway == gateway.settings.id;
        inner.state.open_orders().iter().filter(own).cloned().collect()
    };
    for open in unanswered {
        Metrics::count(&gateway.metrics.doubts);
        let about = About {
            gateway,
            slot,
            order: &open.order,
            number: open.number,
        };
        let why = "the gateway ended before the venue's answer was recorded".to_owned();
        about.noticed(&[], Some(OutcomeState::InDoubt { why }));
    }
}

/// Follows the ledger from position `next` until `stop`.
pub async fn run(gateway: Arc<Gateway>, venues: Arc<Venues>, mut next: u64, stop: CancellationToken) {
    let mut batches = gateway.ledger.committed();
    let mut news = gateway.ledger.news();
    let mut swept = Instant::now();
    loop {
        if swept.elapsed() >= HEARTBEAT {
            fold_stale(&gateway);
            swept = Instant::now();
        }
        // A receiver that lagged reads by position, below.
        while let Ok(batch) = batches.try_recv() {
            take(&gateway, &venues, &batch, &mut next);
        }
        if let Err(error) = read_missed(&gateway, &venues, &mut next).await {
            tracing::error!(%error, "the ledger cannot be read; orders will be refused when the view's lease ends");
        }
        let batch = tokio::select! {
            () = stop.cancelled() => return,
            batch = tokio::time::timeout(HEARTBEAT, batches.recv()) => batch,
        };
        match batch {
            Ok(Ok(batch)) => take(&gateway, &venues, &batch, &mut next),
            Ok(Err(RecvError::Closed)) => return,
            Ok(Err(RecvError::Lagged(_))) | Err(_) => continue,
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ORDERS_EVERY) => {}
            // News, or the ledger is gone: look.
            _ = news.changed() => {}
        }
    }
}

fn take(gateway: &Arc<Gateway>, venues: &Arc<Venues>, batch: &[Arc<CommittedEntry>], next: &mut u64) {
    for entry in batch {
        if entry.position == *next {
            live(gateway, venues, entry);
            *next += 1;
            gateway.followed(*next);
        }
    }
}

/// Folds slots again that lost a number to another writer: a bot that is silent, or was revoked, does not do it by its orders.
/// On a ledger that cannot write nothing is gained by it.
fn fold_stale(gateway: &Arc<Gateway>) {
    if gateway.ledger.closed().is_some() {
        return;
    }
    for slot in gateway.slots() {
        if !slot.lock().is_stale() || slot.is_syncing() {
            continue;
        }
        let gateway = gateway.clone();
        tokio::spawn(async move {
            match slot.resync(&gateway.ledger, &gateway.writer).await {
                Ok(()) => gateway.reconsider_gate(&slot),
                Err(error) => tracing::error!(agent = %slot.agent, %error, "an agent's stream cannot be read"),
            }
        });
    }
}

async fn read_missed(gateway: &Arc<Gateway>, venues: &Arc<Venues>, next: &mut u64) -> Result<(), LedgerError> {
    while *next < gateway.ledger.head().size {
        let page = gateway.ledger.read_range(*next, PAGE).await?;
        if page.is_empty() {
            break;
        }
        page.iter().for_each(|entry| live(gateway, venues, entry));
        *next += page.len() as u64;
        gateway.followed(*next);
    }
    gateway.seen_now();
    Ok(())
}

fn fold(gateway: &Gateway, entry: &Arc<CommittedEntry>) {
    gateway.decisions.fold(entry);
    match entry.stream.kind() {
        StreamKind::Agent => {
            if let Ok(agent) = extensions::AgentId::new(entry.stream.name()) {
                gateway
                    .slot(&agent)
                    .follow(entry, *entry.writer == *gateway.writer.name());
            }
        }
        StreamKind::Mandate => gateway.mandates.follow(entry),
        StreamKind::House => fold_house(gateway, entry),
        _ => {}
    }
}

fn fold_house(gateway: &Gateway, entry: &CommittedEntry) {
    let mut view = (**gateway.house.load()).clone();
    match HouseEvent::decode(&entry.kind, entry.body()) {
        Some(Ok(event)) if gateway.decisions.holds(entry) => {
            view.state.apply(&event);
        }
        Some(Err(error)) => {
            tracing::error!(kind = %entry.kind, %error, "an entry of the house cannot be read; every order is refused");
            view.unreadable = true;
        }
        Some(Ok(_)) | None => {}
    }
    // A gating entry carries the epoch it begins.
    view.epoch = entry.epoch;
    view.next = entry.number + 1;
    if !view.state.exposures().is_empty() && gateway.exposures.begin() {
        // Every agent is in the book before the first order is held to a limit.
        gateway.slots().iter().for_each(|slot| slot.weigh(&slot.lock()));
    }
    gateway.house.store(Arc::new(view));
}

fn live(gateway: &Arc<Gateway>, venues: &Arc<Venues>, entry: &Arc<CommittedEntry>) {
    fold(gateway, entry);
    match entry.stream.kind() {
        StreamKind::Agent => standing_effects(gateway, venues, entry),
        StreamKind::House => house_effects(gateway, venues, entry),
        _ => {}
    }
}

/// What a standing decided elsewhere does here.
fn standing_effects(gateway: &Arc<Gateway>, venues: &Arc<Venues>, entry: &CommittedEntry) {
    let Some(Ok(event)) = StandingEvent::decode(&entry.kind, entry.body()) else {
        return;
    };
    let Ok(agent) = extensions::AgentId::new(entry.stream.name()) else {
        return;
    };
    let slot = gateway.slot(&agent);
    match event {
        StandingEvent::Revoked(_) if *entry.writer == *gateway.writer.name() => {}
        StandingEvent::Revoked(_) => {
            let on_halt = gateway.on_halt_of(&slot);
            let plan = slot.lock().state.halt_plan(on_halt);
            halt::carry_out(gateway, venues, &slot, plan, CancelSource::Officer);
        }
        StandingEvent::Frozen(_) => slot.close_gate(),
        StandingEvent::Resumed(_) | StandingEvent::Reinstated(_) | StandingEvent::ProbationStarted(_) => {
            gateway.reconsider_gate(&slot);
        }
        StandingEvent::CertificateRevoked(revoked) => {
            gateway
                .sessions
                .close(Whose::Certificate(agent, *revoked.serial.octets()));
        }
        _ => {}
    }
}

/// A revocation of an owner or of all stops every agent of theirs here and now; that each gets an entry of its own is the console's work, and
/// nothing waits for it.
fn house_effects(gateway: &Arc<Gateway>, venues: &Arc<Venues>, entry: &CommittedEntry) {
    if let Ok(revoked) = canonical::from_slice::<revocation_core::house::HouseRevoked>(entry.body())
        && &*entry.kind == revocation_core::house::HouseRevoked::KIND
    {
        let closed = gateway.sessions.close(match revoked.scope {
            HouseScope::All => Whose::All,
            HouseScope::Owner(owner) => Whose::Owner(owner),
        });
        tracing::warn!(sessions = closed, "the house revoked; sessions are closed");
        for agent in gateway.mandates.agents_of(revoked.scope) {
            let slot = gateway.slot(&agent);
            let on_halt = gateway.on_halt_of(&slot);
            let plan = slot.lock().state.halt_plan(on_halt);
            halt::carry_out(gateway, venues, &slot, plan, CancelSource::Officer);
        }
    }
    if let Some(Ok(HouseEvent::Reinstated(reinstated))) = HouseEvent::decode(&entry.kind, entry.body()) {
        for agent in gateway.mandates.agents_of(reinstated.scope) {
            gateway.reconsider_gate(&gateway.slot(&agent));
        }
    }
}
