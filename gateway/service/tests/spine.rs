//! One order through decide, append, act; repeats; refusals; and the agent's stop, on a real ledger.

mod world;

use gateway_policy::Code;
use gateway_service::pipeline::{endings::OrderStatus, submit::Submitted};
use world::{World, order};

fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
}

#[test]
fn a_permitted_order_is_recorded_before_it_is_sent_and_once_only() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let Submitted::Forwarded(story, receipt) = world.submit(0, &session, &order("o-1")).await else {
            panic!("permitted");
        };
        assert_eq!(story.status, OrderStatus::Open);
        assert_eq!(world.instances[0].venue.sends().len(), 1);
        assert_eq!(
            receipt.index,
            world
                .ledger
                .order_position(&session.slot.agent, &"o-1".parse().expect("id"))
                .await
                .expect("read")
                .expect("indexed")
        );
        // The same order again: the stored outcome, and nothing more at the venue.
        for _ in 0..100 {
            assert!(matches!(
                world.submit(0, &session, &order("o-1")).await,
                Submitted::Repeated(_)
            ));
        }
        assert_eq!(world.instances[0].venue.sends().len(), 1);
        // The same id for another order.
        let other = order("o-1").replace("\"quantity\":\"1\"", "\"quantity\":\"2\"");
        let Submitted::Refused(checks, _) = world.submit(0, &session, &other).await else {
            panic!("refused")
        };
        assert_eq!(checks[0].code, Code::Duplicate);
        assert_eq!(world.instances[0].venue.sends().len(), 1);
    });
}

#[test]
fn an_order_outside_the_certificate_is_refused_recorded_and_never_sent() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let big = order("o-1").replace("\"quantity\":\"1\"", "\"quantity\":\"501\"");
        let Submitted::Refused(checks, receipt) = world.submit(0, &session, &big).await else {
            panic!("refused")
        };
        assert_eq!(checks[0].code, Code::MaxNotional);
        assert!(String::from_utf8_lossy(&receipt.entry).contains("MAX_NOTIONAL"));
        assert!(world.instances[0].venue.sends().is_empty());
    });
}
