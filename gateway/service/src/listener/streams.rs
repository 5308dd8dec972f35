//! The open `/v1/stream` sessions of each agent, their bounds, and when the grace of an agent ends whose last one broke.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use extensions::{AgentId, Timestamp};

/// The most sessions of one agent at a time; each follows the agent's events.
pub const STREAMS_PER_AGENT: usize = 16;

/// Bounds of one session.
#[derive(Debug, Clone, Copy)]
pub struct StreamBounds {
    /// Orders and cancels that are not answered yet; the next message is not read before one is.
    pub in_flight: usize,
    /// Silence after which the gateway pings.
    pub ping: Duration,
    /// Silence after which it closes: no message, no pong.
    pub idle: Duration,
    /// How long one message to the bot may wait for the bot to read.
    pub slow: Duration,
    /// What answers that are on their way, and the bot's own close, get before the connection is cut.
    pub farewell: Duration,
}

impl Default for StreamBounds {
    fn default() -> Self {
        Self {
            in_flight: 32,
            ping: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            slow: Duration::from_secs(5),
            farewell: Duration::from_millis(100),
        }
    }
}

type Open = Arc<Mutex<HashMap<AgentId, OfAgent>>>;

/// What is known of one agent: forgotten once it has neither.
#[derive(Debug, Default)]
struct OfAgent {
    open: usize,
    /// When the grace ends; never while a session is open.
    due: Option<Timestamp>,
}

/// The registry of open sessions.
#[derive(Default)]
pub struct Streams(Open);

/// One session; dropping it takes it off the registry.
pub struct Entered {
    open: Open,
    agent: AgentId,
    due: Option<Timestamp>,
}

impl Entered {
    /// The session broke, and its mandate says what happens then: unless another is open, or comes, by then.
    pub fn breaks(&mut self, due: Option<Timestamp>) {
        self.due = due;
    }
}

impl Streams {
    /// Registers a session, which ends a grace that runs; `None` when its agent holds [`STREAMS_PER_AGENT`] already.
    #[must_use]
    pub fn enter(&self, agent: AgentId) -> Option<Entered> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_agent = open.entry(agent).or_default();
        if of_agent.open >= STREAMS_PER_AGENT {
            return None;
        }
        of_agent.open += 1;
        of_agent.due = None;
        drop(open);
        Some(Entered {
            open: self.0.clone(),
            agent,
            due: None,
        })
    }

    /// How many sessions of `agent` are open.
    #[must_use]
    pub fn open_of(&self, agent: &AgentId) -> usize {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(agent).map_or(0, |of_agent| of_agent.open)
    }

    /// Whether the grace of `agent` has ended by `now`; said once.
    pub fn overdue(&self, agent: &AgentId, now: Timestamp) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let overdue = open
            .get(agent)
            .and_then(|of_agent| of_agent.due)
            .is_some_and(|due| due <= now);
        if overdue {
            open.remove(agent);
        }
        overdue
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_agent) = open.get_mut(&self.agent) {
            of_agent.open -= 1;
            if of_agent.open == 0 {
                // The last one says how the agent left.
                of_agent.due = self.due;
                if self.due.is_none() {
                    open.remove(&self.agent);
                }
            }
        }
    }
}
