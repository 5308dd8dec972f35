//! Why a FIX session ends while its connection is open.

use gateway_service::fix::acceptor::reason_to_end;

use super::{
    recorded, rt,
    world::{World, by_ada},
};

/// The end of the certificate by the real clock, and a revocation, whoever decided it. Control: inside the certificate's time there is no reason.
#[test]
fn a_session_ends_with_its_certificate_and_with_its_agent() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("a-1").await;
        let session = world.session(0, &leaf).await;
        let gateway = &world.instances[0].gateway;
        let why = || reason_to_end(gateway, &session);
        assert_eq!(why(), None);
        world.clock.plus_seconds(86_399);
        assert_eq!(why(), None);
        world.clock.plus_seconds(2);
        assert!(why().is_some_and(|why| why.starts_with("CERT_EXPIRED")));
        recorded(&world, by_ada("a-1")).await;
        assert!(why().is_some_and(|why| why.starts_with("AGENT_REVOKED")));
    });
}
