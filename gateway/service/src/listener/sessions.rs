//! The live connections of each agent, so that a halt can close them.
//!
//! A connection registers *before* standing is looked at again: a revocation that falls between the handshake and the
//! registration would otherwise miss it (crates.md §3, "peer identity, live kill").

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use extensions::{AgentId, OwnerId};
use tokio_util::sync::CancellationToken;

/// The most connections one agent may hold open at a time.
pub const CONNECTIONS_PER_AGENT: usize = 1_024;

/// Who holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The agent in its certificate.
    pub agent: AgentId,
    /// Whoever answers for the agent, by its mandate.
    pub owner: Option<OwnerId>,
    /// The certificate's serial number.
    pub serial: [u8; 18],
}

/// Which connections to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those made with one certificate.
    Certificate(AgentId, [u8; 18]),
    /// Those of one agent.
    Agent(AgentId),
    /// Those of every agent of an owner.
    Owner(OwnerId),
    /// All.
    All,
}

impl Whose {
    fn covers(&self, holder: &Holder) -> bool {
        match self {
            Self::Certificate(agent, serial) => holder.agent == *agent && holder.serial == *serial,
            Self::Agent(agent) => holder.agent == *agent,
            Self::Owner(owner) => holder.owner == Some(*owner),
            Self::All => true,
        }
    }
}

/// The registry of live connections.
#[derive(Default)]
pub struct Sessions {
    live: Arc<Live>,
    next: AtomicU64,
}

type Live = Mutex<HashMap<AgentId, HashMap<u64, (Holder, CancellationToken)>>>;

/// One registered connection; dropping it takes it off the registry.
pub struct Registered {
    sessions: Arc<Live>,
    agent: AgentId,
    id: u64,
    /// Cancelled when the connection has to close.
    pub closing: CancellationToken,
}

impl Sessions {
    /// Registers a connection; `None` when its agent holds [`CONNECTIONS_PER_AGENT`] already.
    pub fn register(&self, holder: Holder) -> Option<Registered> {
        let closing = CancellationToken::new();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let of_agent = live.entry(holder.agent).or_default();
        if of_agent.len() >= CONNECTIONS_PER_AGENT {
            return None;
        }
        of_agent.insert(id, (holder, closing.clone()));
        Some(Registered {
            sessions: self.live.clone(),
            agent: holder.agent,
            id,
            closing,
        })
    }

    /// Tells the connections of `whose` to close, and says how many there were.
    pub fn close(&self, whose: Whose) -> usize {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let holders: Box<dyn Iterator<Item = &(Holder, CancellationToken)>> = match whose {
            Whose::Certificate(agent, _) | Whose::Agent(agent) => {
                Box::new(live.get(&agent).into_iter().flat_map(|m| m.values()))
            }
            Whose::Owner(_) | Whose::All => Box::new(live.values().flat_map(|m| m.values())),
        };
        let closed: Vec<_> = holders.filter(|(holder, _)| whose.covers(holder)).collect();
        closed.iter().for_each(|(_, token)| token.cancel());
        closed.len()
    }

    /// How many connections of `agent` are open.
    pub fn open_of(&self, agent: &AgentId) -> usize {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(agent)
            .map_or(0, HashMap::len)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .map(HashMap::len)
            .sum()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut live = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_agent) = live.get_mut(&self.agent) {
            of_agent.remove(&self.id);
            if of_agent.is_empty() {
                live.remove(&self.agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(agent: &str, serial: u8) -> Holder {
        Holder {
            agent: AgentId::new(agent).expect("id"),
            owner: OwnerId::new("desk-1").ok(),
            serial: [serial; 18],
        }
    }

    #[test]
    fn closing_reaches_exactly_those_meant() {
        let sessions = Sessions::default();
        let a1 = sessions.register(holder("a", 1)).expect("room");
        let a2 = sessions.register(holder("a", 2)).expect("room");
        let b = sessions.register(holder("b", 3)).expect("room");
        assert_eq!(sessions.close(Whose::Certificate(holder("a", 1).agent, [1; 18])), 1);
        assert!(a1.closing.is_cancelled() && !a2.closing.is_cancelled());
        assert_eq!(sessions.close(Whose::Agent(holder("a", 1).agent)), 2);
        assert!(a2.closing.is_cancelled() && !b.closing.is_cancelled());
        drop((a1, a2));
        assert_eq!(sessions.close(Whose::Owner(holder("b", 3).owner.expect("owner"))), 1);
        assert!(b.closing.is_cancelled());
    }

    #[test]
    fn connections_of_one_agent_are_bounded() {
        let sessions = Sessions::default();
        let held: Vec<_> = (0..CONNECTIONS_PER_AGENT)
            .filter_map(|_| sessions.register(holder("a", 1)))
            .collect();
        assert_eq!(held.len(), CONNECTIONS_PER_AGENT);
        assert!(sessions.register(holder("a", 1)).is_none());
        assert!(
            sessions.register(holder("b", 1)).is_some(),
            "another agent is not held up"
        );
        drop(held);
        assert_eq!(sessions.open(), 0);
    }
}
