//! The revocation role: status listener, webhooks, calendar.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use ca_keys::SystemRandom;
use revocation_service::{
    LedgerLog, Log, OutboxCrl, Role, RoleConfig, RoleOutside, StatusConfig, SubscriptionConfig,
    webhook::{Outside, Rules, Secret},
};

use super::Start;
use crate::{
    client,
    config::{Console, Webhook},
    founding, pem,
};

pub(super) async fn start(start: &Start<'_>) -> anyhow::Result<Role> {
    let writer = start.writer("revocation").await?;
    let log: Arc<dyn Log> = Arc::new(LedgerLog::new(start.ledger.clone(), writer));
    let mut webhooks = BTreeMap::new();
    for (name, section) in &start.config.webhooks {
        let read = subscription(section, &start.config.console).with_context(|| format!("webhooks.{name}"))?;
        webhooks.insert(name.clone(), read);
    }
    let config = RoleConfig {
        status: StatusConfig {
            listen: start.config.status.listen,
            ..StatusConfig::default()
        },
        signed_webhooks: Rules {
            console: Some(console_address(&start.config.console)),
            networks: start.config.status.webhook_networks.clone(),
        },
        webhooks,
        crl_schedule: start.config.status.crl_schedule.clone(),
        heartbeat_schedule: start.config.status.heartbeat_schedule.clone(),
    };
    // Receivers behind https are pinned to the roots of the file, as everything here is; without one, none is trusted.
    let roots = match &start.config.paths.webhook_roots_file {
        Some(path) => pem::certificates(path)?,
        None => Vec::new(),
    };
    let outside = Outside {
        clock: start.clocks.real(),
        log: log.clone(),
        random: Arc::new(Mutex::new(SystemRandom::new())),
        tls: Arc::new(client::client_config(&roots, None)?),
    };
    let given = RoleOutside {
        crl: Arc::new(OutboxCrl::new(
            log,
            start.clocks.real(),
            Some(start.config.paths.crl.clone()),
        )),
        ocsp: Some(start.key_file("ocsp")?),
        outside,
    };
    Ok(Role::start(config, given).await?)
}

/// Where officers open the console.
fn console_address(console: &Console) -> String {
    console.origin_at(console.officers.port())
}

fn subscription(section: &Webhook, console: &Console) -> anyhow::Result<SubscriptionConfig> {
    let secret = |path| Ok::<_, anyhow::Error>(Secret(founding::read_private(path)?.trim().to_owned()));
    Ok(SubscriptionConfig {
        console: Some(console_address(console)),
        format: section.format,
        allow_networks: section.allow_networks.clone(),
        kinds: section.kinds.clone(),
        previous_secret: section.previous_secret_file.as_deref().map(secret).transpose()?,
        secret: secret(section.secret_file.as_path())?,
        url: section.url.clone(),
    })
}
