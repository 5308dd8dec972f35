//! The open `/v1/stream` sessions of each agent, and their bounds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use extensions::AgentId;

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

type Open = Arc<Mutex<HashMap<AgentId, usize>>>;

/// The registry of open sessions.
#[derive(Default)]
pub struct Streams(Open);

/// One session; dropping it takes it off the registry.
pub struct Entered {
    open: Open,
    agent: AgentId,
}

impl Streams {
    /// Registers a session; `None` when its agent holds [`STREAMS_PER_AGENT`] already.
    #[must_use]
    pub fn enter(&self, agent: AgentId) -> Option<Entered> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(agent).or_default();
        if *count >= STREAMS_PER_AGENT {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Entered {
            open: self.0.clone(),
            agent,
        })
    }

    /// How many sessions of `agent` are open.
    #[must_use]
    pub fn open_of(&self, agent: &AgentId) -> usize {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(agent).copied().unwrap_or_default()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.agent) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.agent);
            }
        }
    }
}
