//! What tests of halts look at: marks of open orders, sessions, the reports of cancels.

use std::time::Instant;

use gateway_policy::OpenMark;
use gateway_service::{
    listener::sessions::{Holder, Registered},
    pipeline::watch::Watch,
};
use revocation_core::{Actor, HaltReported, RevocationReason, standing::AgentRevoked};

use super::*;

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn connection(world: &World, instance: usize, session: &Arc<Session>) -> Registered {
    let holder = Holder {
        agent: session.slot.agent,
        owner: None,
        serial: *session.certificate.serial().octets(),
    };
    world.instances[instance]
        .gateway
        .sessions
        .register(holder)
        .expect("room")
}

pub fn marks(session: &Arc<Session>, mark: OpenMark) -> usize {
    let inner = session.slot.lock();
    inner
        .state
        .open_orders()
        .iter()
        .filter(|open| open.mark == mark)
        .count()
}

pub fn open(session: &Arc<Session>) -> usize {
    session.slot.lock().state.open_orders().len()
}

pub fn watch(world: &World, instance: usize, longest_delay: Duration) -> Watch {
    let instance = &world.instances[instance];
    let (gateway, venues) = (instance.gateway.clone(), instance.venues.clone());
    let every = Duration::from_millis(20);
    let exchange = EXCHANGE.parse().expect("name");
    Watch::new(gateway, venues, exchange, instance.venue.clone(), every, longest_delay)
}

/// The reports of an agent's halts, once there are `count`.
pub async fn reports(world: &World, name: &str, count: usize) -> Vec<HaltReported> {
    let began = Instant::now();
    loop {
        let entries = world.stream(name).await;
        let found = entries.iter().filter(|entry| &*entry.kind == HaltReported::KIND);
        let found: Vec<HaltReported> = found
            .map(|entry| extensions::canonical::from_slice(entry.body()).expect("report"))
            .collect();
        if found.len() >= count {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the report is missing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn by_ada(name: &str) -> AgentRevoked {
    AgentRevoked {
        agent: agent(name),
        by: Actor::Officer("ada".parse().expect("id")),
        incident: None,
        reason: RevocationReason::PrivilegeWithdrawn,
        score: None,
    }
}
