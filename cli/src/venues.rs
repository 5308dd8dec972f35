//! The adapters of the configured venues: which one a section means, with its credential and its roots, and what the venue has shown of the key.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use extensions::Clock;
use gateway_service::venue::{
    KeyFault, Venue,
    binance::{self, Settings},
    kraken,
};

use crate::{
    client,
    config::{Venue as Section, VenueKind},
    founding, pem,
};

/// How one venue is reached, and under which credential. Adapters made of it share what the venue has said of both.
pub(crate) struct Account {
    settings: Settings,
    credential: Credential,
}

enum Credential {
    Binance(binance::Credential),
    Kraken(kraken::Credential),
}

/// One adapter.
enum Adapter {
    Binance(binance::Binance),
    Kraken(kraken::Kraken),
}

impl Account {
    /// Reads a section's files; the credential is read here alone and goes to the adapters.
    pub(crate) fn read(section: &Section) -> anyhow::Result<Self> {
        let key = founding::read_private(&section.api_key_file)?;
        let secret = founding::read_private(&section.secret_file)?;
        let (key, secret) = (key.trim(), secret.trim());
        let base = section.url.parse().with_context(|| format!("url {:?}", section.url))?;
        let instruments = section.instruments.keys().copied();
        let (mut settings, credential) = match section.kind {
            VenueKind::Binance => (
                Settings::new(base, instruments),
                Credential::Binance(binance::Credential::new(key, secret)?),
            ),
            VenueKind::Kraken => (
                kraken::settings(base, instruments),
                Credential::Kraken(kraken::Credential::new(key, secret)?),
            ),
        };
        let named = section.symbols.iter();
        settings
            .symbols
            .extend(named.map(|(instrument, symbol)| (*instrument, symbol.clone())));
        if let Some(roots) = &section.roots_file {
            settings.tls = Some(Arc::new(client::client_config(&pem::certificates(roots)?, None)?));
        }
        Ok(Self { settings, credential })
    }

    /// How long after its send an order can still appear there.
    pub(crate) fn longest_delay(&self) -> Duration {
        Duration::from_millis(self.settings.longest_delay_ms())
    }

    /// An adapter for one runtime. `real` is the real clock.
    pub(crate) fn venue(&self, real: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Venue>> {
        Ok(match self.adapter(real)? {
            Adapter::Binance(venue) => Arc::new(venue),
            Adapter::Kraken(venue) => Arc::new(venue),
        })
    }

    /// Asks the venue whether the key could move what the account owns.
    pub(crate) async fn prove(&self, real: Arc<dyn Clock>) -> anyhow::Result<Result<(), KeyFault>> {
        Ok(match self.adapter(real)? {
            Adapter::Binance(venue) => venue.prove().await,
            Adapter::Kraken(venue) => venue.prove().await,
        })
    }

    fn adapter(&self, real: Arc<dyn Clock>) -> anyhow::Result<Adapter> {
        let settings = self.settings.clone();
        Ok(match &self.credential {
            Credential::Binance(credential) => {
                Adapter::Binance(binance::Binance::new(settings, credential.clone(), real)?)
            }
            Credential::Kraken(credential) => Adapter::Kraken(kraken::Kraken::new(settings, credential.clone(), real)?),
        })
    }
}
