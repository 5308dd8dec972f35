//! Guarantee 8 over the routes: whatever refuses an order lets its cancel through.

use std::time::Duration;

use extensions::{Clock, MandateDocument};
use gateway_policy::{OpenMark, OrdersUnread};
use ledger::{Append, MOST_WAITING, store::fault::Fault};
use revocation_core::{
    Actor, HouseScope,
    house::{HouseFrozen, HouseReduceOnly},
    standing::{AgentFrozen, AgentReduceOnly},
    warning::{WarningDefault, WarningOpened},
};

use super::{edited, later, recorded, rt, until};
use crate::world::{World, agent, document, order, wire::Wire};

const ENFORCED: [&str; 3] = ["cancel_all", "freeze", "enforce"];
const FAR: &str = "10.9.8.7:40000";

fn ada() -> Actor {
    Actor::Officer("ada".parse().expect("id"))
}

/// An agent with one order that rests at the venue.
async fn resting(world: &World, document: MandateDocument) -> (Vec<u8>, Wire) {
    let name = document.agent.to_string();
    let leaf = world.agent_of(document).await;
    let wire = Wire::of(world, &leaf).await;
    rests(world, &wire, &name).await;
    (leaf, wire)
}

async fn rests(world: &World, wire: &Wire, name: &str) {
    let told = wire.post(&order("rests")).await;
    assert_eq!(told.status, 200, "{told:?}");
    let slot = world.instances[0].gateway.slot(&agent(name));
    until("it rests", || {
        let inner = slot.lock();
        inner
            .state
            .open_orders()
            .iter()
            .any(|open| open.mark == OpenMark::Accepted)
    })
    .await;
}

/// The next order is refused with `code`, the cancel of the resting one passes and reaches the venue.
async fn refused_and_cancelled(world: &World, wire: &Wire, next: &str, code: &str) {
    let told = wire.post(next).await;
    assert_eq!(told.code(), Some(code), "{told:?}");
    let before = world.instances[0].venue.cancels().len();
    let cancelled = wire.cancel("rests").await;
    assert_eq!(cancelled.status, 200, "{code}: {cancelled:?}");
    assert_eq!(cancelled.body["became"], "cancelled", "{code}: {cancelled:?}");
    assert_eq!(world.instances[0].venue.cancels().len(), before + 1, "{code}");
}

/// Frozen, reduce-only, warned; and the same of the whole house, last, since it stays so.
///
/// Control tried: a refusal in `delete_one` of whoever's own standing is not active, and the frozen one's order stays.
#[test]
fn no_standing_holds_a_cancel_back() {
    rt().block_on(async {
        let world = World::new(1).await;
        let frozen = resting(&world, document("frozen")).await.1;
        let reducing = resting(&world, document("reducing")).await.1;
        let warned = resting(&world, document("warned")).await.1;
        let of_house = resting(&world, document("of-house")).await.1;
        let (agent, by) = (agent("frozen"), ada());
        recorded(&world, AgentFrozen { agent, by }).await;
        refused_and_cancelled(&world, &frozen, &order("next"), "STATE_FROZEN").await;
        let (agent, by) = (crate::world::agent("reducing"), ada());
        recorded(&world, AgentReduceOnly { agent, by }).await;
        refused_and_cancelled(&world, &reducing, &order("next"), "STATE_REDUCE_ONLY").await;
        let opened = WarningOpened {
            agent: crate::world::agent("warned"),
            by: ada(),
            deadline: world.clock.now().plus_seconds(300),
            default: WarningDefault::Freeze,
            score: None,
        };
        recorded(&world, opened).await;
        let large = order("next").replace(r#""quantity":"1""#, r#""quantity":"251""#);
        refused_and_cancelled(&world, &warned, &large, "MAX_NOTIONAL").await;
        let (by, scope) = (ada(), HouseScope::All);
        recorded(&world, HouseFrozen { by, scope }).await;
        refused_and_cancelled(&world, &of_house, &order("next"), "STATE_FROZEN").await;
    });
}

/// Hours, region, certificate, price, baseline, and a house that may only reduce.
///
/// Control tried: `delete_one` that asks `certificate_at` for a current certificate, and the expired one's order stays.
#[test]
fn no_limit_and_nothing_missing_holds_a_cancel_back() {
    rt().block_on(async {
        let world = World::new(1).await;
        let hours = edited("hours", &[(r#"["Mon-Sun 00:00-24:00"]"#, r#"["Mon-Fri 11:00-13:00"]"#)]);
        let hours = resting(&world, hours).await.1;
        let region = resting(&world, document("region")).await.0;
        let priceless = resting(&world, document("priceless")).await.1;
        let expired = resting(&world, document("expired")).await.1;
        let leaf = world.scored("baseline", ENFORCED).await;
        let baseline = Wire::of(&world, &leaf).await;
        rests(&world, &baseline, "baseline").await;
        let reducing = resting(&world, document("of-house")).await.1;

        let far = Wire::open(&world, 0, Some(&region), FAR);
        refused_and_cancelled(&world, &far, &order("next"), "REGION_NOT_ALLOWED").await;
        // Two officers approve a baseline whose proposal stands nowhere.
        let mut document = serde_json::to_value(crate::world::proposed("baseline").content()).expect("document");
        document["version"] = serde_json::json!(2);
        let (_, approvals) = world.decided("baseline.approved", &document, &["ada", "op"]).await;
        let unknown = anomaly::BaselineApproved {
            agent: agent("baseline"),
            approvals,
            baseline: extensions::Digest::of(&extensions::canonical::to_vec(&document)),
            version: 2,
        };
        recorded(&world, unknown).await;
        refused_and_cancelled(&world, &baseline, &order("next"), "BASELINE_MISSING").await;
        world.clock.plus_seconds(30);
        refused_and_cancelled(&world, &priceless, &order("next"), "NO_REFERENCE_PRICE").await;
        later(&world, 2 * 3_600);
        refused_and_cancelled(&world, &hours, &order("next"), "OUTSIDE_HOURS").await;
        let (by, scope) = (ada(), HouseScope::All);
        recorded(&world, HouseReduceOnly { by, scope }).await;
        refused_and_cancelled(&world, &reducing, &order("next"), "STATE_REDUCE_ONLY").await;
        later(&world, 2 * 86_400);
        let told = expired.post(&order("next")).await;
        let codes: Vec<_> = told.body["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .map(|check| &check["code"])
            .collect();
        assert!(codes.iter().any(|code| *code == "CERT_EXPIRED"), "{told:?}");
        assert_eq!(expired.cancel("rests").await.body["became"], "cancelled");
    });
}

/// More messages than are read in a second: orders are not read, a cancel is. What is not read leaves its id free, and one count a second in
/// the record, which is scored.
///
/// Control tried: `admit` in `delete_one`, and the cancel is answered `RATE_MESSAGES`.
#[test]
fn a_flood_holds_no_cancel_back_and_is_counted_once_a_second() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.messages_per_second = 1;
        world.start(1).await;
        let (_, wire) = resting(&world, document("mm-1")).await;
        let mut unread = 0;
        for place in 0..500 {
            let id = if unread > 0 {
                "flood".to_owned()
            } else {
                format!("first-{place}")
            };
            let told = wire.post(&order(&id)).await;
            if told.code() == Some("RATE_MESSAGES") {
                unread += 1;
            } else {
                // The next second has begun: the id was free.
                assert_eq!(told.status, 200, "{told:?}");
                if unread > 0 {
                    break;
                }
            }
            let cancelled = wire.cancel("rests").await;
            assert!(matches!(cancelled.status, 200 | 404), "{cancelled:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(unread > 0 && world.instances[0].venue.cancels().len() == 1);
        let counts: Vec<u32> = world
            .stream("mm-1")
            .await
            .iter()
            .filter(|entry| &*entry.kind == "orders.unread")
            .map(|entry| {
                extensions::canonical::from_slice::<OrdersUnread>(entry.body())
                    .expect("count")
                    .count
            })
            .collect();
        assert_eq!(counts, [unread], "one entry for the second");
    });
}

/// The ledger hangs and its queue is full to the last place: orders are answered `LEDGER_UNAVAILABLE`, the cancel reaches the venue.
///
/// Control tried: `send` in `pipeline::cancel` that gives up when its request is not queued, and nothing reaches the venue.
#[test]
fn a_full_queue_holds_no_cancel_back() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        rests(&world, &Wire::of(&world, &leaf).await, "mm-1").await;
        world.reopen(1, Some((Fault::Late(Duration::from_secs(60)), 0))).await;
        let wire = Wire::of(&world, &leaf).await;
        let gateway = world.instances[0].gateway.clone();
        let queue = || {
            let other = OrdersUnread {
                agent: agent("other"),
                count: 1,
                second: world.clock.now(),
            };
            gateway.writer.queue(Append::next(other, world.clock.now()).narrowing())
        };
        let mut waiting = vec![queue().expect("room")];
        until("the first one hangs", || gateway.writer.waiting() == 0).await;
        waiting.extend((0..MOST_WAITING).map(|_| queue().expect("room")));
        assert!(queue().is_err(), "full");
        refused_and_cancelled(&world, &wire, &order("next"), "LEDGER_UNAVAILABLE").await;
        assert_eq!(gateway.writer.waiting(), MOST_WAITING, "control: it is full still");
    });
}
