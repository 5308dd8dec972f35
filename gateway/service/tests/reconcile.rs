//! What officers are told of a venue, what stands of a bot's broken bodies, and the digest of a stream that has become quiet.
//!
//! Negative controls: see each test.

mod world;

use std::{sync::Arc, time::Duration};

use extensions::{Clock, StreamId, Timestamp};
use gateway_policy::{OrdersUnread, StateDigest};
use gateway_service::{
    pipeline::{settle, slot::Report, watch::Watch},
    venue::{OrderLife, OrderReport, Trade, VenueClientId, VenueOrderId},
};
use ledger::{
    Append, CommittedEntry,
    events::{Event, GatewayEvent},
    store::fault::Fault,
    verify::{Fold as _, states::States},
};
use world::{Mood, World, agent, order};

/// What the gateway's stream holds, once all that was queued is committed.
async fn found(world: &World) -> Vec<GatewayEvent> {
    world.committed(0).await;
    let stream = StreamId::parse("gateway/gw-1").expect("stream");
    let entries = world.ledger.read_stream(&stream, 0, 100).await.expect("reads");
    let event = |entry: &Arc<CommittedEntry>| match Event::of(entry) {
        Ok(Event::Gateway(event)) => event,
        other => panic!("{other:?}"),
    };
    entries.iter().map(event).collect()
}

fn watch(world: &World, doubts: Duration) -> Watch {
    let instance = &world.instances[0];
    let (gateway, venues) = (instance.gateway.clone(), instance.venues.clone());
    let exchange = world::EXCHANGE.parse().expect("name");
    let every = Duration::from_millis(20);
    let watch = Watch::new(
        gateway,
        venues,
        exchange,
        instance.venue.clone(),
        every,
        Duration::from_secs(600),
    );
    watch.telling_after(doubts, Duration::ZERO)
}

fn listed(client: &str, number: &str) -> OrderReport {
    OrderReport {
        client_id: VenueClientId::new(client),
        venue_order_id: VenueOrderId::new(number).expect("id"),
        instrument: "BTC_EUR".parse().expect("instrument"),
        life: OrderLife::Open,
        quantity: "2".parse().expect("quantity"),
        executed: extensions::Decimal::ZERO,
        fills: Vec::new(),
    }
}

/// A doubt that stays is told once, and not before its time. Control: with a bound that is not over, nothing is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubt_that_stays_is_told_once() {
    let world = World::new(1).await;
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    world.instances[0].venue.be(Mood::LoseOrders);
    world.submit(0, &session, &order("lost")).await;
    while world.instances[0].gateway.open_doubts() == 0 {
        tokio::task::yield_now().await;
    }
    let mut patient = watch(&world, Duration::from_secs(600));
    patient.round().await;
    assert_eq!(found(&world).await, [], "the control");
    let mut watch = watch(&world, Duration::ZERO);
    watch.round().await;
    watch.round().await;
    let told = found(&world).await;
    let [GatewayEvent::DoubtUnresolved(doubt)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!((doubt.agent, doubt.client_order_id.as_str()), (agent("mm-1"), "lost"));
}

/// An order that somebody placed under the venue credential is told once, by any watch; one under an id of our making that no state holds when
/// it is found a second time. Controls: an order of ours that rests is told of never; the stray not after one look, for it may just have ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_no_permit_explains_is_told() {
    let world = World::new(1).await;
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    world.submit(0, &session, &order("rests")).await;
    let instance = &world.instances[0];
    let own = instance.venue.sends()[0].clone();
    let stray = gateway_policy::VenueOrderId::new(&agent("mm-1"), 7_777).to_string();
    {
        let mut open = instance.venue.listed.lock().expect("held");
        open.ours = vec![listed(&own, "1"), listed(&stray, "2")];
        open.foreign = vec![listed("by-hand", "3"), listed("not an id!", "4")];
        open.unread = 1;
    }
    let mut first = watch(&world, Duration::from_secs(600));
    first.round().await;
    let references = |told: &[GatewayEvent]| {
        let of = |event: &GatewayEvent| match event {
            GatewayEvent::ForeignOrder(order) => order.venue_reference.clone(),
            other => panic!("{other:?}"),
        };
        told.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(references(&found(&world).await), ["3", "4"]);
    first.round().await;
    first.round().await;
    watch(&world, Duration::from_secs(600)).round().await;
    assert_eq!(references(&found(&world).await), ["3", "4", "2"]);
    // A second watch counts what it finds anew; the record has it once.
    let counted = instance
        .gateway
        .metrics
        .foreign_orders
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(counted, 5);
}

fn trade(execution: u64, order: &str, quantity: &str, at: Timestamp) -> Trade {
    Trade {
        execution_id: world::execution(execution),
        venue_order_id: VenueOrderId::new(order).expect("id"),
        instrument: "BTC_EUR".parse().expect("instrument"),
        bought: true,
        quantity: quantity.parse().expect("quantity"),
        price: "100".parse().expect("price"),
        at,
    }
}

/// What has traded under the venue credential is matched against permits: a trade of an order placed by hand is told once, whichever watch finds it,
/// and so is one of an order under an id of our making that no permit derived, or of another quantity than its permit, or of a second order under its id. Never told of are the
/// trades of our own orders, even of one whose answer was lost, and what traded before this ledger began.
///
/// Controls tried: `permitted` that looks at the id alone, the last two are not told; one that asks nobody, the lost one is; without
/// the look at `began`, the old one is; without the reference that the venue gave the permit, the second order is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_no_permit_explains_is_told() {
    let world = World::new(1).await;
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    let instance = &world.instances[0];
    for (mood, id) in [
        (Mood::Fill, "fills"),
        (Mood::LoseAnswers, "lost"),
        (Mood::Fill, "again"),
    ] {
        instance.venue.be(mood);
        world.submit(0, &session, &order(id)).await;
    }
    // What the venue answered is recorded, as it is long before somebody uses an id again.
    let is_outcome = |entry: &&Arc<CommittedEntry>| entry.kind.as_ref() == "order.outcome";
    while world.stream("mm-1").await.iter().filter(is_outcome).count() < 3 {
        tokio::task::yield_now().await;
    }
    let own = instance.venue.sends();
    let now = world.clock.now();
    let stray = gateway_policy::VenueOrderId::new(&agent("mm-1"), 7_777).to_string();
    {
        let mut open = instance.venue.listed.lock().expect("held");
        // The lister says two of each; the permits are for one.
        open.foreign = vec![listed("by-hand", "3"), listed(&stray, "4"), listed(&own[2], "5")];
        // The id of an order that is closed, used again for as much as its permit says.
        open.foreign.push(OrderReport {
            quantity: "1".parse().expect("quantity"),
            ..listed(&own[2], "8")
        });
        let mut trades = instance.venue.trades.lock().expect("held");
        *trades = vec![
            trade(100, "6", "1", now.plus_seconds(-86_400)),
            trade(101, &format!("v-{}", own[0]), "1", now),
            trade(102, &format!("v-{}", own[1]), "0.5", now),
            trade(103, "3", "2", now),
            trade(104, "4", "2", now),
            trade(105, "5", "2", now),
            trade(106, "3", "1", now),
            trade(107, "8", "1", now),
        ];
    }
    let told = async || {
        let of = |event: &GatewayEvent| match event {
            GatewayEvent::ForeignTrade(trade) => Some((trade.execution.clone(), trade.client_id.clone())),
            _ => None,
        };
        found(&world).await.iter().filter_map(of).collect::<Vec<_>>()
    };
    let wanted = [
        ("103", "by-hand"),
        ("104", stray.as_str()),
        ("105", own[2].as_str()),
        ("106", "by-hand"),
        ("107", own[2].as_str()),
    ];
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(execution, client)| ((*execution).to_owned(), Some((*client).to_owned())))
        .collect();
    let mut first = watch(&world, Duration::from_secs(600));
    first.round().await;
    assert_eq!(told().await, wanted);
    first.round().await;
    watch(&world, Duration::from_secs(600)).round().await;
    assert_eq!(told().await, wanted, "each once");
}

/// What traded while nobody looked is looked at after the next start, from where the last one had read to, however much it is. Control tried:
/// without the mark in the ledger the newest page alone is, and the first of them are passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_of_a_time_without_a_gateway_are_told() {
    let world = World::new(1).await;
    let venue = &world.instances[0].venue;
    let now = world.clock.now();
    venue.listed.lock().expect("held").foreign = vec![listed("by-hand", "3")];
    *venue.trades.lock().expect("held") = vec![trade(100, "3", "1", now)];
    watch(&world, Duration::from_secs(600)).round().await;
    found(&world).await;
    let more = (101..121).map(|execution| trade(execution, "3", "1", now));
    venue.trades.lock().expect("held").extend(more);
    watch(&world, Duration::from_secs(600)).round().await;
    let found = found(&world).await;
    let told = found.iter().filter_map(|event| match event {
        GatewayEvent::ForeignTrade(trade) => trade.execution.parse::<u64>().ok(),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), (100..121).collect::<Vec<_>>());
}

/// A foreign trade for which the writer's queue has no room counts as unread: it is told once there is room, and the mark of how far was read
/// never stands before it. Control tried: with what `record` answers thrown away the trade is passed over for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_finds_no_room_is_told_later() {
    let mut world = World::new(1).await;
    world.reopen(1, Some((Fault::Slow(Duration::from_secs(60)), 0))).await;
    let now = world.clock.now();
    let venue = &world.instances[0].venue;
    venue.listed.lock().expect("held").foreign = vec![listed("by-hand", "3")];
    *venue.trades.lock().expect("held") = vec![trade(100, "3", "1", now)];
    let unread = OrdersUnread {
        agent: agent("mm-1"),
        count: 1,
        second: now,
    };
    let writer = &world.instances[0].gateway.writer;
    drop(writer.queue(Append::next(unread, now)).expect("room"));
    world.hangs().await;
    world.fill(0);
    let mut watch = watch(&world, Duration::from_secs(600));
    watch.round().await;
    world.disk.as_ref().expect("a slow one").wake();
    let began = std::time::Instant::now();
    while world.instances[0].gateway.writer.waiting() > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "there is room");
        tokio::task::yield_now().await;
    }
    assert!(found(&world).await.iter().all(|event| !of_trades(event)));
    watch.round().await;
    let found = found(&world).await;
    let told: Vec<_> = found.iter().filter(|event| of_trades(event)).collect();
    assert!(
        matches!(told[..], [GatewayEvent::ForeignTrade(_), GatewayEvent::TradesRead(_)]),
        "{told:?}"
    );
}

fn of_trades(event: &GatewayEvent) -> bool {
    matches!(event, GatewayEvent::ForeignTrade(_) | GatewayEvent::TradesRead(_))
}

/// A gateway that stops leaves the digest of each state behind in which one is due, whatever was looked at before. Control tried: with one look
/// alone there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_leaves_the_digest_that_is_due() {
    let world = World::new(1).await;
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    let gateway = &world.instances[0].gateway;
    let now = world.clock.now();
    for place in 0..260 {
        let unread = OrdersUnread {
            agent: agent("mm-1"),
            count: 1,
            second: now,
        };
        let report = Report::new(unread, format!("unread-{place}"), now);
        session.slot.report(&gateway.writer, [report]);
    }
    let digests = async || {
        world.committed(0).await;
        let entries = world.stream("mm-1").await;
        entries.iter().filter(|entry| &*entry.kind == StateDigest::KIND).count()
    };
    assert_eq!(digests().await, 0);
    settle::digests(gateway);
    assert_eq!(digests().await, 1);
    settle::digests(gateway);
    assert_eq!(digests().await, 1, "none is due any more");
}

/// A stream that ends without an order carries the digest of its state all the same, and the offline verifier compares it. Control: without
/// `digest_tail` nothing is compared; a stream that moves between two looks waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_stream_is_proven_to_its_end() {
    let world = World::new(1).await;
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    let instance = &world.instances[0];
    let report = |place: u32| {
        let now = world.clock.now();
        let unread = OrdersUnread {
            agent: agent("mm-1"),
            count: 1,
            second: now,
        };
        let report = Report::new(unread, format!("unread-{place}"), now);
        session.slot.report(&instance.gateway.writer, [report]);
    };
    let settled = async || {
        let stream = session.slot.stream();
        while world.ledger.stream_next(stream) < session.slot.lock().state.next_number() {
            tokio::task::yield_now().await;
        }
        while instance.gateway.writer.waiting() > 0 {
            tokio::task::yield_now().await;
        }
        world
            .raw(
                StreamId::parse("job/filler").expect("stream"),
                "test.noted",
                b"{}",
                false,
            )
            .await;
        settle::settle(&instance.gateway, &instance.venues, &session.slot);
    };
    (0..260).for_each(&report);
    settled().await;
    report(260);
    settled().await;
    let digests = async || {
        let entries = world.stream("mm-1").await;
        entries.iter().filter(|entry| &*entry.kind == StateDigest::KIND).count()
    };
    assert_eq!(digests().await, 0, "it moved meanwhile");
    settled().await;
    settled().await;
    assert_eq!(digests().await, 1);
    let mut states = States::default();
    for entry in world.stream("mm-1").await {
        states.apply(&entry).expect("the digest is that of the fold");
    }
    assert_eq!(states.compared(), 1);
}
