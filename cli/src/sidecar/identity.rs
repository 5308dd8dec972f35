//! What the sidecar is towards the gateway: the bot's key and certificate, as connections present them and orders are signed with them.

use std::{path::Path, sync::Arc};

use anyhow::anyhow;
use extensions::{Timestamp, certificate::Certificate};
use rustls::{ClientConfig, pki_types::CertificateDer};

use crate::{
    bot,
    client::client_config,
    clock::SystemClock,
    proof::{self, OrderProof},
};

/// One certificate with its key.
pub(super) struct Identity {
    /// How connections are made with it.
    pub(super) tls: Arc<ClientConfig>,
    /// Signs orders, where the certificate asks for it.
    pub(super) proof: Option<OrderProof>,
    /// Its serial.
    pub(super) serial: String,
    /// From when it is good.
    pub(super) not_before: Timestamp,
    /// Until when.
    pub(super) not_after: Timestamp,
}

impl Identity {
    /// Reads key and chain of a folder; a renewal that was interrupted there is finished first.
    ///
    /// # Errors
    /// When a file is missing, readable by others, or not what it has to be.
    pub(super) fn open(folder: &Path, roots: &[CertificateDer<'static>]) -> anyhow::Result<Self> {
        let (chain, key) = bot::papers(folder)?;
        let leaf = chain.first().ok_or_else(|| anyhow!("an empty chain"))?;
        let read = Certificate::read(leaf).map_err(|fault| anyhow!("{fault}"))?;
        let (serial, not_before, not_after) = (read.serial().to_string(), read.not_before(), read.not_after());
        let proof = proof::is_asked(&chain).then(|| OrderProof::new(leaf, key.clone(), Arc::new(SystemClock)));
        let tls = client_config(roots, Some(ca_keys::tls::certified_key(chain, key)))?;
        Ok(Self {
            tls: Arc::new(tls),
            proof,
            serial,
            not_before,
            not_after,
        })
    }

    /// For the line at the start.
    pub(super) fn in_words(&self) -> String {
        let signs = if self.proof.is_some() { ", signs orders" } else { "" };
        format!("certificate until {}{signs}", self.not_after)
    }
}
