//! Subscriptions that officers signed: started, changed and ended as the ledger says, beside those of the configuration.
//!
//! The configuration is the operator's and comes first: a name that stands in it is not taken over by a signature. Where these may connect is the
//! configuration's to say too ([`Rules::networks`]), so no officer opens a way to the inside.

use std::sync::Arc;
use std::time::Duration;

use extensions::Digest;
use revocation_core::regions::Network;
use revocation_core::webhooks::WebhookSettings;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::config::{Secret, Subscription, SubscriptionConfig};
use super::{Handle, Webhooks};

/// How long is waited before what could not be read is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the configuration says of subscriptions that officers sign.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Where officers open the console.
    pub console: Option<String>,
    /// Networks among those otherwise refused to which they may connect.
    pub networks: Vec<Network>,
}

/// One that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Its name.
    pub name: String,
    /// The position of the proposal beside which its secret is sealed.
    pub secret_at: Option<u64>,
    /// It is told of entries from here on.
    pub since: u64,
    /// What was signed.
    pub webhook: WebhookSettings,
}

/// Keeps what runs as `wanted` says, until `stop`.
pub(crate) async fn keep(
    webhooks: Arc<Webhooks>,
    rules: Rules,
    mut wanted: watch::Receiver<Vec<Signed>>,
    stop: CancellationToken,
) {
    loop {
        let now = wanted.borrow_and_update().clone();
        let done = webhooks.arrange(&now, &rules).await;
        tokio::select! {
            () = stop.cancelled() => return,
            changed = wanted.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if !done => {}
        }
    }
}

impl Webhooks {
    /// Ends what is not wanted any more, starts what is new or has changed. Whether everything could be read.
    pub async fn arrange(&self, wanted: &[Signed], rules: &Rules) -> bool {
        for (name, handle) in self.ended_by(wanted) {
            handle.stop.cancel();
            // Its last attempt is recorded before another worker reads what was delivered.
            if let Err(error) = handle.worker.await {
                tracing::error!(webhook = name, %error, "a worker ended badly");
            }
        }
        let mut complete = true;
        for one in wanted {
            match self.signed_of(&one.name) {
                Some(None) => tracing::warn!(webhook = one.name, "the configuration names it too; its section counts"),
                Some(Some(_)) => {}
                None => complete &= self.begin(one, rules).await,
            }
        }
        complete
    }

    /// Takes out those that officers signed and that are wanted otherwise now, or not at all.
    fn ended_by(&self, wanted: &[Signed]) -> Vec<(String, Handle)> {
        let mut handles = self.handles();
        let ended = |handle: &Handle| handle.signed.as_ref().is_some_and(|one| !wanted.contains(one));
        let names: Vec<String> = handles
            .iter()
            .filter(|(_, handle)| ended(handle))
            .map(|(name, _)| name.clone())
            .collect();
        names.iter().filter_map(|name| handles.remove_entry(name)).collect()
    }

    /// Under this name: nothing, one of the configuration, or one that was signed.
    fn signed_of(&self, name: &str) -> Option<Option<Signed>> {
        self.handles().get(name).map(|handle| handle.signed.clone())
    }

    /// Starts one. Whether it need not be tried again.
    async fn begin(&self, one: &Signed, rules: &Rules) -> bool {
        let secret = match self.secret(one.secret_at, &one.webhook.secret).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                tracing::error!(
                    webhook = one.name,
                    "its secret is not to be had: sign it again with a new one"
                );
                return true;
            }
            Err(error) => {
                tracing::warn!(webhook = one.name, %error, "it waits for the ledger");
                return false;
            }
        };
        let config = SubscriptionConfig {
            allow_networks: rules.networks.clone(),
            console: rules.console.clone(),
            format: one.webhook.format,
            kinds: one.webhook.kinds.clone(),
            previous_secret: None,
            secret,
            url: one.webhook.url.clone(),
        };
        match Subscription::new(&one.name, &config) {
            Ok(subscription) => {
                let handle = self.spawn(subscription, Some(one.clone()));
                self.handles().insert(one.name.clone(), handle);
            }
            Err(error) => tracing::error!(webhook = one.name, %error, "signed, and cannot run"),
        }
        true
    }

    async fn secret(&self, at: Option<u64>, commitment: &Digest) -> Result<Option<Secret>, crate::log::LogError> {
        let Some(at) = at else { return Ok(None) };
        let text = self.outside.log.unseal(at, commitment).await?;
        Ok(text.map(Secret))
    }
}
