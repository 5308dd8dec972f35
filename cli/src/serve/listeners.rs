//! What the listeners present: their keys from files, their certificates from the ledger, the next one as soon as the role `ca` has
//! recorded it. A handshake takes the newest; an open connection is not touched.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use ca_core::{
    Event,
    certificate::{life_of, spki_of},
    succession::Issuing,
};
use ca_keys::tls::ServerIdentity;
use ca_service::files::{certificates_pem, write_whole};
use extensions::{StreamId, Timestamp};
use ledger::Ledger;
use rustls::pki_types::CertificateDer;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Start, chain};
use crate::founding;

/// Entries of the house's stream read at once.
const READ_AT_ONCE: usize = 256;

struct Listener {
    name: &'static str,
    identity: Arc<ServerIdentity>,
    /// Where the chain is also written, for other programs.
    file: PathBuf,
}

/// The three listeners that present a certificate.
pub(super) struct Listeners {
    all: Vec<Listener>,
    issuing: Vec<CertificateDer<'static>>,
    /// The next entry of the house's stream to look at.
    next: Mutex<u64>,
}

impl Listeners {
    /// Opens the keys and takes the newest certificates on record.
    pub(super) async fn open(start: &Start<'_>) -> anyhow::Result<Self> {
        let folder = &start.config.paths.certificates;
        let mut all = Vec::new();
        for name in [founding::GATEWAY, founding::CONSOLE, founding::ENROLMENT] {
            all.push(Listener {
                name,
                identity: Arc::new(ServerIdentity::new(chain(folder, name)?, start.key_file(name)?)),
                file: folder.join(format!("{name}.pem")),
            });
        }
        let listeners = Self {
            all,
            issuing: start.published.all_house_issuing(),
            next: Mutex::new(0),
        };
        listeners.catch_up(start.ledger).await?;
        Ok(listeners)
    }

    /// What a listener presents.
    pub(super) fn identity(&self, name: &str) -> anyhow::Result<Arc<ServerIdentity>> {
        let found = self.all.iter().find(|listener| listener.name == name);
        Ok(Arc::clone(
            &found.with_context(|| format!("no listener {name}"))?.identity,
        ))
    }

    /// The ends of the certificates that are presented, by listener.
    pub(super) fn ends(&self) -> Vec<(&'static str, Timestamp)> {
        let end = |listener: &Listener| {
            let presented = listener.identity.presented();
            life_of(presented.cert.first()?).map(|(_, end)| (listener.name, end))
        };
        self.all.iter().filter_map(end).collect()
    }

    /// Takes each new certificate as it is recorded, until `stop`.
    pub(super) async fn follow(self: Arc<Self>, ledger: Ledger, stop: CancellationToken) {
        // Orders are no news: nobody is woken here for them.
        let mut news = ledger.news();
        loop {
            if let Err(error) = self.catch_up(&ledger).await {
                tracing::error!(
                    error = format!("{error:#}"),
                    "a listener goes on with the certificate it has"
                );
            }
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = news.changed() => looked,
            };
            // The ledger is gone.
            if looked.is_err() {
                return;
            }
        }
    }

    async fn catch_up(&self, ledger: &Ledger) -> anyhow::Result<()> {
        let house = StreamId::house();
        let mut next = self.next.lock().await;
        while *next < ledger.stream_next(&house) {
            let entries = ledger.read_stream(&house, *next, READ_AT_ONCE).await?;
            let Some(last) = entries.last() else { break };
            *next = last.number + 1;
            for entry in &entries {
                if &*entry.kind == "server.certified"
                    && let Some(Ok(Event::ServerCertified(event))) = Event::decode(&entry.kind, entry.body())
                {
                    self.take(&event.server, event.certificate.0)?;
                }
            }
        }
        Ok(())
    }

    fn take(&self, server: &str, certificate: Vec<u8>) -> anyhow::Result<()> {
        let Some(listener) = self.all.iter().find(|listener| listener.name == server) else {
            return Ok(());
        };
        if spki_of(&certificate).as_deref() != Some(listener.identity.spki()) {
            bail!("the recorded certificate of the listener {server} is for another key than {server}.key");
        }
        let Some(issuer) = self.issuing.iter().find(|issuer| issued(issuer, &certificate)) else {
            bail!("the recorded certificate of the listener {server} is of no issuing CA on record at the start");
        };
        let chain = vec![CertificateDer::from(certificate), issuer.clone()];
        if listener.identity.presented().cert == chain {
            return Ok(());
        }
        let pem = certificates_pem(&[&chain[0], &chain[1]]);
        listener.identity.present(chain);
        if let Err(error) = write_whole(&listener.file, pem.as_bytes()) {
            tracing::error!(path = %listener.file.display(), %error, "a renewed certificate is presented, but its file was not written");
        }
        Ok(())
    }
}

fn issued(issuer: &CertificateDer<'_>, certificate: &[u8]) -> bool {
    let issuing = Issuing {
        certificate: issuer.to_vec(),
        number: 1,
    };
    issuing.issued(certificate)
}
