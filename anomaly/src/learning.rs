//! A baseline in the making: observations gathered, nothing judged.

use std::collections::BTreeSet;

use extensions::{AgentId, Digest};

use crate::{
    baseline::{BaselineContent, ProposalFault, ProposedBaseline},
    events::ObservationsImported,
    fit,
    observation::Observation,
    settings::Settings,
};

/// Orders that a prior from peers is worth.
pub const PRIOR_ORDERS: usize = 300;
/// The most observations kept; later ones are counted as dropped, and the report says so.
pub const MOST_OBSERVATIONS: usize = 131_072;

/// The baselines before the one that is proposed.
#[derive(Debug, Clone, Copy)]
pub struct Lineage<'a> {
    /// The one in force, and its digest.
    pub current: (&'a BaselineContent, Digest),
    /// The agent's first, if it is another: the anchor.
    pub first: Option<&'a BaselineContent>,
}

/// Observations of one agent, in the order they came.
#[derive(Debug, Clone)]
pub struct Learning {
    agent: AgentId,
    observations: Vec<Observation>,
    dropped: u64,
    peers: Vec<Observation>,
}

impl Learning {
    /// Nothing observed yet.
    #[must_use]
    pub fn new(agent: AgentId) -> Self {
        Self {
            agent,
            observations: Vec::new(),
            dropped: 0,
            peers: Vec::new(),
        }
    }

    /// Lets orders of peers of the same kind stand in for a history of its own: of `peers` whole days are taken up to
    /// [`PRIOR_ORDERS`], so that n orders of its own weigh n / (n + 300).
    pub fn borrow(&mut self, peers: &[Observation]) {
        self.peers = fit::prior(peers);
    }

    /// Adds one observation. Orders of flagged periods must not be given: evidence of trouble never teaches.
    pub fn observe(&mut self, observation: Observation) {
        if self.observations.len() < MOST_OBSERVATIONS {
            self.observations.push(observation);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Adds an imported batch.
    pub fn import(&mut self, batch: &ObservationsImported) {
        batch.rows.iter().for_each(|row| self.observe(*row));
    }

    /// How many observations are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.observations.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty()
    }

    /// Distinct UTC days with an observation.
    #[must_use]
    pub fn active_days(&self) -> usize {
        self.observations
            .iter()
            .map(|seen| seen.at.day())
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// Fits a baseline, replays it against itself one day at a time, and reports. `lineage` are the baselines before
    /// it, if any.
    ///
    /// # Errors
    /// When there is too little to fit anything, or the settings are unusable. A history that fits but is not admitted gives a
    /// proposal in [`crate::Mode::WarnOnly`] whose report says why and what to do.
    pub fn propose(
        &self,
        settings: &Settings,
        lineage: Option<Lineage<'_>>,
    ) -> Result<ProposedBaseline, ProposalFault> {
        let history = fit::History {
            agent: self.agent,
            dropped: self.dropped,
            observations: &self.observations,
            peers: &self.peers,
        };
        fit::propose(&history, settings, lineage)
    }
}
