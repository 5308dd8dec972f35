//! A slow ledger and one without room: orders are answered in time and never sent late, cancels and halts wait for neither (ARCHITECTURE §1).
//!
//! Negative controls: see each test.

mod world;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_policy::{CancelRequested, CancelSource, CancelState};
use gateway_service::{
    listener::sessions::Holder,
    pipeline::{cancel::cancel, endings::OrderStatus, settle, submit::Submitted},
    session::Session,
};
use ledger::store::fault::Fault;
use world::{ENFORCED, World, order, rt, runaway};

/// Far longer than a test takes: the disk hangs until it is woken.
const LONG: Duration = Duration::from_secs(60);

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn quick(settings: &mut gateway_service::gateway::Settings) {
    settings.send_deadline = Duration::from_millis(100);
    settings.commit_margin = Duration::from_millis(250);
}

/// A world with one resting order, opened again on a disk that hangs at its next commit.
async fn hanging(name: &str, orders: &[String]) -> (World, Arc<Session>) {
    let mut world = World::new(0).await;
    world.tune = quick;
    world.start(1).await;
    let leaf = world.scored(name, ENFORCED).await;
    let session = world.session(0, &leaf).await;
    for text in orders {
        let submitted = world.submit(0, &session, text).await;
        assert!(matches!(submitted, Submitted::Forwarded(..)), "{submitted:?}");
    }
    until("all is answered", || {
        let inner = session.slot.lock();
        !inner.state.open_orders().iter().any(|open| open.unanswered())
    })
    .await;
    world.reopen(1, Some((Fault::Slow(LONG), 0))).await;
    let session = world.session(0, &leaf).await;
    (world, session)
}

/// The bot hears within the send deadline and a margin that the ledger is slow. The append goes on: once it is durable the permit's deadline is
/// over, so nothing is sent, and the same id is answered with that. The next order passes.
///
/// Controls: without the wait's end in `in_time` the answer comes when the disk is back, as a story instead of the 503; with a gate that
/// asks no deadline the order is sent a minute late.
#[test]
fn a_slow_commit_is_answered_in_time_and_sent_never() {
    rt().block_on(async {
        let (world, session) = hanging("mm-1", &[order("rests")]).await;
        let before = world.instances[0].venue.sends();
        let submitted = world.submit(0, &session, &order("slow")).await;
        let Submitted::Unavailable(reason) = &submitted else {
            panic!("{submitted:?}")
        };
        assert!(reason.contains("350 ms"), "{reason}");
        let disk = world.disk.as_ref().expect("a slow one");
        assert!(disk.hangs(), "answered while it hangs");
        disk.wake();
        let again = world.submit(0, &session, &order("slow")).await;
        let Submitted::Repeated(story) = &again else {
            panic!("{again:?}")
        };
        assert_eq!(story.status, OrderStatus::Withheld, "{story:?}");
        assert_eq!(world.instances[0].venue.sends(), before, "it was not sent");
        let next = world.submit(0, &session, &order("next")).await;
        assert!(matches!(next, Submitted::Forwarded(..)), "{next:?}");
    });
}

/// On one thread, as a gateway's worker is: a cancel reaches the venue and is answered while the disk hangs. Control tried: when a lone append
/// that narrows is committed on the thread that queued it, the disk is back before the venue is told.
#[test]
fn a_hung_disk_holds_no_cancel() {
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build();
    one.expect("runtime").block_on(async {
        let (world, session) = hanging("mm-1", &[order("rests")]).await;
        let instance = &world.instances[0];
        let open = session.slot.lock().state.open_orders()[0].clone();
        let cancel = cancel(
            &instance.gateway,
            &instance.venues,
            &session.slot,
            &open,
            CancelSource::Bot,
        );
        let (ended, ()) = tokio::join!(cancel, world.hangs());
        assert_eq!(ended.state, CancelState::Cancelled);
        let disk = world.disk.as_ref().expect("a slow one");
        assert!(disk.hangs(), "the venue was told while it hangs");
        disk.wake();
        until("it is recorded", || session.slot.lock().state.open_orders().is_empty()).await;
    });
}

/// The queue has no room, not for what narrows either. A cancel reaches the venue; the last order of a runaway halts it: gate, connections,
/// cancels. Both records lie in the reserve file; the halt's is brought into the log when there is room, and is owed no more: the gate is the
/// officers' again. The next start brings the cancel's in, marked late.
///
/// Controls tried: without `report_owed` in `settle` the stream holds no revocation until a restart; without `keep_aside` in the writer the cancel
/// is never on record.
#[test]
fn a_full_queue_stops_neither_cancels_nor_a_halt() {
    rt().block_on(async {
        let (mut world, session) = hanging("mm-1", &before_the_fuse().await).await;
        let instance = &world.instances[0];
        let open = session.slot.lock().state.open_orders().to_vec();
        let withdraw = async |place: usize| {
            let (gateway, venues) = (&instance.gateway, &instance.venues);
            let ended = cancel(gateway, venues, &session.slot, &open[place], CancelSource::Bot).await;
            assert_eq!(ended.state, CancelState::Cancelled);
        };
        withdraw(0).await;
        world.hangs().await;
        world.fill(0);
        withdraw(1).await;
        let holder = Holder {
            agent: session.slot.agent,
            owner: None,
            serial: *session.certificate.serial().octets(),
        };
        let connection = instance.gateway.sessions.register(holder).expect("room");
        let last = world.submit(0, &session, &runaway("last")).await;
        assert!(matches!(last, Submitted::Unavailable(_)), "{last:?}");
        assert!(session.slot.has_unrecorded_halt() && !session.slot.gate_open());
        assert!(connection.closing.is_cancelled(), "its connections are closed");
        let confirmed = open.iter().filter(|open| open.confirmed()).count();
        until("open orders are cancelled", || {
            instance.venue.cancels().len() >= confirmed
        })
        .await;
        world.disk.as_ref().expect("a slow one").wake();
        until("there is room", || instance.gateway.writer.waiting() == 0).await;
        settle::settle(&instance.gateway, &instance.venues, &session.slot);
        until("the halt is recorded", || !session.slot.has_unrecorded_halt()).await;
        let revocations = |entries: &[Arc<ledger::CommittedEntry>]| {
            let of = entries.iter().filter(|entry| &*entry.kind == "agent.revoked");
            of.map(|entry| entry.late).collect::<Vec<_>>()
        };
        assert_eq!(revocations(&world.stream("mm-1").await), [false], "once");
        let requests = async |world: &World| {
            let entries = world.stream("mm-1").await;
            let of_cancel = entries
                .iter()
                .filter(|entry| &*entry.kind == CancelRequested::KIND && entry.late);
            of_cancel.count()
        };
        assert_eq!(requests(&world).await, 0);
        world.reopen(1, None).await;
        assert!(
            requests(&world).await > 0,
            "the cancel that found no room, from the reserve file"
        );
        assert_eq!(revocations(&world.stream("mm-1").await), [false], "still once");
    });
}

/// Orders of the usual size that rest and runaway ones up to the last that passes.
async fn before_the_fuse() -> Vec<String> {
    let world = World::new(1).await;
    let leaf = world.scored("mm-1", ENFORCED).await;
    let session = world.session(0, &leaf).await;
    let mut orders: Vec<String> = ["rest-1", "rest-2"].map(order).into();
    for text in &orders {
        world.submit(0, &session, text).await;
    }
    for count in 1..200 {
        let next = runaway(&format!("run-{count}"));
        match world.submit(0, &session, &next).await {
            Submitted::Forwarded(..) => orders.push(next),
            Submitted::Halted(..) => return orders,
            other => panic!("{other:?}"),
        }
    }
    panic!("a runaway is caught");
}
