//! What the ceremony published, and that it is this ledger's.

use anyhow::{Context, bail};
use ca_core::{
    Event,
    events::{CaCertificateUse, HouseFounded},
    profiles::Settings,
};
use extensions::StreamId;
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
    /// The house root: what bots and officers pin.
    pub house_root: CertificateDer<'static>,
    /// The newest house issuing CA.
    pub house_issuing: CertificateDer<'static>,
}

impl Published {
    /// Reads them from the ledger: files may be changed, the ledger not.
    pub(super) async fn read(config: &Config, ledger: &Ledger) -> anyhow::Result<Self> {
        let mut founded: Option<HouseFounded> = None;
        let mut certificates = std::collections::BTreeMap::new();
        let mut from = 0;
        loop {
            let entries = ledger.read_stream(&StreamId::house(), from, READ_AT_ONCE).await?;
            let Some(last) = entries.last() else { break };
            from = last.number + 1;
            for entry in &entries {
                match Event::decode(&entry.kind, entry.body()) {
                    Some(Ok(Event::HouseFounded(event))) => founded = Some(event),
                    Some(Ok(Event::CaCertificateInstalled(event))) => {
                        certificates.insert(event.purpose, CertificateDer::from(event.certificate.0));
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
                .remove(&purpose)
                .with_context(|| format!("this ledger has no certificate for {purpose:?}: was `init` interrupted?"))
        };
        Ok(Self {
            settings: Settings::from(&founded),
            agent_root: take(CaCertificateUse::AgentRoot)?,
            agent_issuing: take(CaCertificateUse::AgentIssuing)?,
            house_root: take(CaCertificateUse::HouseRoot)?,
            house_issuing: take(CaCertificateUse::HouseIssuing)?,
        })
    }
}
