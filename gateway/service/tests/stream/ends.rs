//! How a session ends without the bot: halts, certificates, silence, a bot that does not read.

use std::{sync::atomic::Ordering, time::Duration};

use revocation_core::standing::CertificateRevoked;
use revocation_core::{Actor, RevocationReason};
use serde_json::json;

use super::{
    client::{Client, placing},
    world::{ENFORCED, Mood, World, agent, by_ada, order, rt, runaway, until},
};

/// An officer's revocation closes every session of the agent, though one has an order in flight and others wait behind it: none of them is sent, and
/// nothing is decided for them afterwards. Another agent's session goes on.
///
/// Control tried: without `closing` in `until_end` and `put` (the halt's hook) no close comes.
#[test]
fn a_halt_closes_every_session_of_the_agent() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| {
            settings.send_deadline = Duration::from_secs(30);
            settings.stream.in_flight = 1;
        };
        world.start(1).await;
        let (leaf, other) = (world.agent("mm-1").await, world.agent("mm-2").await);
        let (mut one, mut two) = (Client::of(&world, &leaf).await, Client::of(&world, &leaf).await);
        let mut neighbour = Client::of(&world, &other).await;
        let venue = world.instances[0].venue.clone();
        venue.be(Mood::Wait);
        one.send(placing("1", &order("flying"))).await;
        until("it waits for its send", || venue.waits.load(Ordering::SeqCst) == 1).await;
        one.send(placing("2", &order("behind"))).await;
        world.record(by_ada("mm-1")).await;
        assert_eq!(two.closed().await, (1008, "AGENT_REVOKED".to_owned()));
        assert_eq!(one.closed().await, (1008, "AGENT_REVOKED".to_owned()));
        one.send(placing("3", &order("after"))).await;
        venue.be(Mood::Accept);
        venue.go.add_permits(16);
        let passes = neighbour.ask("4", placing("4", &order("n"))).await;
        assert_eq!(passes["status"], 200, "{passes}");
        world.committed(0).await;
        assert_eq!(venue.sends().len(), 1, "the neighbour's alone");
        assert_eq!(world.permits("mm-1").await.len(), 1, "the one in flight");
        let gateway = &world.instances[0].gateway;
        until("no session is left", || gateway.streams.open_of(&agent("mm-1")) == 0).await;
    });
}

/// The order that halts its agent is answered, then the session is closed.
#[test]
fn the_order_that_halts_is_answered_before_the_close() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.stream.farewell = Duration::from_secs(10);
        world.start(1).await;
        let leaf = world.scored("mm-1", ENFORCED).await;
        let mut bot = Client::of(&world, &leaf).await;
        let mut sent = 0;
        while world.instances[0].gateway.slot(&agent("mm-1")).gate_open() && sent < 200 {
            sent += 1;
            let id = format!("run-{sent}");
            bot.send(placing(&id, &runaway(&id))).await;
            if bot.answered(&id).await["body"]["code"] == "ANOMALY_REVOKED" {
                break;
            }
        }
        assert!(sent > 1 && sent < 200, "a runaway is caught: {sent}");
        assert_eq!(bot.closed().await, (1008, "AGENT_REVOKED".to_owned()));
    });
}

/// A certificate that is revoked alone, and one that ends, close their sessions with their own codes.
///
/// Control, built in: a session under another certificate of the agent stays.
#[test]
fn a_certificate_takes_its_sessions_with_it() {
    rt().block_on(async {
        let world = World::new(1).await;
        let (leaf, newer) = (world.agent("mm-1").await, world.issue(&super::world::document("mm-1")));
        let (mut old, mut new) = (Client::of(&world, &leaf).await, Client::of(&world, &newer).await);
        let session = world.session(0, &leaf).await;
        world
            .record(CertificateRevoked {
                agent: agent("mm-1"),
                by: Actor::Officer("ada".parse().expect("id")),
                not_after: session.certificate.leaf().not_after(),
                reason: RevocationReason::Superseded,
                serial: session.certificate.serial(),
            })
            .await;
        assert_eq!(old.closed().await, (1008, "CERT_REVOKED".to_owned()));
        let passes = new.ask("1", json!({"id": "1", "op": "cancel_all"})).await;
        assert_eq!(passes["status"], 200, "{passes}");
        world.clock.plus_seconds(300 * 86_400);
        assert_eq!(new.closed().await, (1008, "CERT_EXPIRED".to_owned()));
    });
}

/// Silence is asked for with pings, and ends the session when nothing answers; a bot that answers stays.
///
/// Control tried: without `Idle` in `look` the silent one stays.
#[test]
fn silence_ends_a_session() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| {
            settings.stream.ping = Duration::from_millis(10);
            settings.stream.idle = Duration::from_millis(500);
        };
        world.start(1).await;
        let leaf = world.agent("mm-1").await;
        let mut silent = Client::of(&world, &leaf).await;
        assert_eq!(silent.frame().await, Some((9, Vec::new())));
        assert_eq!(silent.closed().await.1, "IDLE: answer pings");
        world.instances[0].venue.be(Mood::Accept);
    });
}

/// A bot that does not read is cut off, and holds nothing; sessions of one agent are bounded.
///
/// Control tried: without the time-out in `put` the session stays.
#[test]
fn a_bot_that_does_not_read_is_cut_off() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.stream.slow = Duration::from_millis(100);
        world.start(1).await;
        let leaf = world.agent("mm-1").await;
        let gateway = world.instances[0].gateway.clone();
        let mut deaf = Client::opened(&world, &leaf, "", 2_048).await.expect("a stream");
        let open = || gateway.streams.open_of(&agent("mm-1"));
        assert_eq!(open(), 1);
        for _ in 0..20 {
            deaf.send(json!({"op": "nothing"})).await;
        }
        until("it is cut off", || open() == 0).await;
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(Client::of(&world, &leaf).await);
        }
        let more = Client::opened(&world, &leaf, "", 2_048).await.err().expect("no room");
        assert!(more.starts_with("HTTP/1.1 429"), "{more}");
        held[0].upgrades.stopping.cancel();
        assert_eq!(held[0].closed().await.0, 1001);
        assert!(held[0].has("1").is_none());
    });
}
