//! What the ceremony published, and that it is this ledger's.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use ca_core::{
    Event,
    certificate::life_of,
    events::{CaCertificateUse, HouseFounded},
    profiles::Settings,
};
use extensions::{StreamId, Timestamp};
use ledger::Ledger;
use rustls::pki_types::CertificateDer;

use crate::config::Config;

/// Entries of the house's stream read at once.
const READ_AT_ONCE: usize = 1_024;

/// The house's certificates and settings, from its ledger.
pub struct Published {
    /// What all certificates share.
    pub settings: Settings,
    /// The agent root.
    pub agent_root: CertificateDer<'static>,
    /// The newest agent issuing CA.
    pub agent_issuing: CertificateDer<'static>,
    /// Those before it, the first one first: what they issued stays valid until it ends.
    pub earlier_agent_issuing: Vec<CertificateDer<'static>>,
    /// The house root: what bots and officers pin.
    pub house_root: CertificateDer<'static>,
    /// The newest house issuing CA.
    pub house_issuing: CertificateDer<'static>,
    /// Those before it, likewise.
    pub earlier_house_issuing: Vec<CertificateDer<'static>>,
}

impl Published {
    /// Reads them from the ledger: files may be changed, the ledger not.
    pub(super) async fn read(config: &Config, ledger: &Ledger) -> anyhow::Result<Self> {
        let mut founded: Option<HouseFounded> = None;
        let mut certificates: BTreeMap<CaCertificateUse, Vec<CertificateDer<'static>>> = BTreeMap::new();
        let mut from = 0;
        loop {
            let entries = ledger.read_stream(&StreamId::house(), from, READ_AT_ONCE).await?;
            let Some(last) = entries.last() else { break };
            from = last.number + 1;
            for entry in &entries {
                match Event::decode(&entry.kind, entry.body()) {
                    Some(Ok(Event::HouseFounded(event))) => founded = Some(event),
                    Some(Ok(Event::CaCertificateInstalled(event))) => {
                        let installed = certificates.entry(event.purpose).or_default();
                        installed.push(CertificateDer::from(event.certificate.0));
                    }
                    _ => {}
                }
            }
        }
        let founded = founded.context("this ledger was never founded: run `mandatum init`")?;
        if founded.environment != config.house.environment {
            bail!(
                "house.environment is {} in the configuration, but this ledger was founded as {}; the two never mix",
                config.house.environment,
                founded.environment
            );
        }
        let mut take = |purpose: CaCertificateUse| {
            certificates
                .get_mut(&purpose)
                .and_then(Vec::pop)
                .with_context(|| format!("this ledger has no certificate for {purpose:?}: was `init` interrupted?"))
        };
        let (agent_issuing, house_issuing) = (CaCertificateUse::AgentIssuing, CaCertificateUse::HouseIssuing);
        Ok(Self {
            settings: Settings::from(&founded),
            agent_root: take(CaCertificateUse::AgentRoot)?,
            agent_issuing: take(agent_issuing)?,
            house_root: take(CaCertificateUse::HouseRoot)?,
            house_issuing: take(house_issuing)?,
            earlier_agent_issuing: certificates.remove(&agent_issuing).unwrap_or_default(),
            earlier_house_issuing: certificates.remove(&house_issuing).unwrap_or_default(),
        })
    }

    /// The end of each CA's certificate, by a name that says which: `agent_root`, `agent_issuing_2`.
    #[must_use]
    pub fn ends(&self) -> Vec<(String, Timestamp)> {
        let roots = [("agent_root", &self.agent_root), ("house_root", &self.house_root)];
        let roots = roots.map(|(name, certificate)| (name.to_owned(), certificate.clone()));
        let issuing = |name: &str, all: Vec<CertificateDer<'static>>| {
            let all = all.into_iter().enumerate();
            all.map(|(index, certificate)| (format!("{name}_{}", index + 1), certificate))
                .collect::<Vec<_>>()
        };
        let agents = issuing("agent_issuing", self.all_agent_issuing());
        let all = roots.into_iter().chain(agents);
        all.chain(issuing("house_issuing", self.all_house_issuing()))
            .filter_map(|(name, certificate)| Some((name, life_of(&certificate)?.1)))
            .collect()
    }

    /// The agents' issuing CAs, the newest last.
    #[must_use]
    pub fn all_agent_issuing(&self) -> Vec<CertificateDer<'static>> {
        let newest = std::iter::once(&self.agent_issuing);
        self.earlier_agent_issuing.iter().chain(newest).cloned().collect()
    }

    /// The house's issuing CAs, the newest last.
    #[must_use]
    pub fn all_house_issuing(&self) -> Vec<CertificateDer<'static>> {
        let newest = std::iter::once(&self.house_issuing);
        self.earlier_house_issuing.iter().chain(newest).cloned().collect()
    }
}
