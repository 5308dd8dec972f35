//! The console role: the officers' listener and the enrolment listener.

use std::net::SocketAddr;

use anyhow::Context;
use console::{Anchors, Clocks, Config, Console, ROLE};
use extensions::passkey::RelyingParty;
use rustls::pki_types::CertificateDer;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Listeners, Start};
use crate::founding;

/// Starts both; gives the officers' address and the enrolment address.
pub(super) async fn start(
    start: &Start<'_>,
    listeners: &Listeners,
    until: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let published = &start.published;
    let anchors = Anchors {
        house_root: published.house_root.to_vec(),
        house_issuing: ders(&published.all_house_issuing()),
        agent_root: published.agent_root.to_vec(),
        agent_issuing: ders(&published.all_agent_issuing()),
    };
    let clocks = Clocks {
        decision: start.clocks.decision(),
        real: start.clocks.real(),
    };
    let bind = |key: &'static str, address: SocketAddr| async move {
        let bound = TcpListener::bind(address).await;
        bound.with_context(|| format!("{key}: {address} cannot be bound"))
    };
    let section = &start.config.console;
    let officers = bind("console.officers", section.officers).await?;
    let enrolment = bind("console.enrolment", section.enrolment).await?;
    let addresses = (officers.local_addr()?, enrolment.local_addr()?);
    let mut config = Config::new(anchors);
    config.party = RelyingParty::of_origin(&section.origin_at(addresses.0.port())).map_err(anyhow::Error::msg)?;
    let writer = start.writer(ROLE).await?;
    let console = Console::new(start.ledger.clone(), writer, clocks, config);
    let officers_tls = console.officers_tls(listeners.identity(founding::CONSOLE)?).await?;
    let enrolment_tls = console.enrolment_tls(listeners.identity(founding::ENROLMENT)?).await?;
    let (answering, stop) = (console.clone(), until.clone());
    tasks.spawn(async move { answering.serve_officers(officers, officers_tls, stop).await });
    let stop = until.clone();
    tasks.spawn(async move { console.serve_enrolment(enrolment, enrolment_tls, stop).await });
    Ok(addresses)
}

fn ders(certificates: &[CertificateDer<'_>]) -> Vec<Vec<u8>> {
    certificates.iter().map(|certificate| certificate.to_vec()).collect()
}
