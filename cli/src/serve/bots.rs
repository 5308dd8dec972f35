//! The gateway role: one instance with its TLS, its bounds and its venues, as the configuration has them.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use extensions::{
    Clock, Counterparty,
    certificate::{AgentPathProfile, LONGEST_AGENT_LIFE_SECONDS},
    oids::OidArc,
};
use gateway_service::{
    gateway::Settings,
    instance::{Instance, MakeVenue, Plan, VenuePlan},
    listener::{
        accept::Bounds,
        tls::{AgentVerifier, server_config_with},
    },
    session::Inspected,
    venue::KeyFault,
};
use rustls::ServerConfig;

use super::{Listeners, Published, Start};
use crate::{config::Venue as VenueSection, founding, venues::Account};

pub(super) async fn start(start: &Start<'_>, listeners: &Listeners) -> anyhow::Result<Instance> {
    let section = &start.config.gateway;
    let accepted = accepted(start)?;
    let inspected = Arc::new(Inspected::new(path_profile(&start.published, &accepted)));
    let mut venues = Vec::new();
    let every = [section.price_every_ms, section.watch_every_ms].map(Duration::from_millis);
    for (counterparty, venue) in &start.config.venues {
        let named = || format!("venues.{counterparty}");
        venues.push(
            plan(*counterparty, venue, every, start.clocks.real())
                .await
                .with_context(named)?,
        );
    }
    let plan = Plan {
        settings: Settings {
            messages_per_second: section.messages_per_second,
            send_deadline: Duration::from_millis(section.send_deadline_ms),
            reference_max_age: Duration::from_millis(section.price_age_ms),
            body_bytes: section.body_bytes,
            body_time: Duration::from_millis(section.body_ms),
            ..Settings::new(section.id)
        },
        ledger: start.ledger.clone(),
        writer: start.writer(section.id.as_str()).await?,
        clock: start.clocks.decision(),
        real_clock: start.clocks.real(),
        listen: section.listen,
        fix: section.fix,
        threads: section.threads,
        proxy_protocol: section.proxy_protocol,
        proxy_from: section.proxy_from.clone().into(),
        bounds: Bounds {
            connections: section.connections,
            handshake: Duration::from_millis(section.handshake_ms),
            head_bytes: section.head_bytes,
            request_head: Duration::from_millis(section.head_ms),
            ..Bounds::default()
        },
        tls: tls(start, listeners, &accepted, inspected.clone())?,
        inspected,
        venues,
    };
    Ok(Instance::start(plan).await?)
}

/// What a bot's path is held to at each handshake.
fn path_profile(published: &Published, accepted: &[OidArc]) -> AgentPathProfile {
    let issuing = published.all_agent_issuing().len();
    let mut certificates = published.settings.certificate_profile();
    certificates.arcs.extend(accepted);
    AgentPathProfile {
        certificates,
        longest_life_seconds: LONGEST_AGENT_LIFE_SECONDS,
        distribution_points: published.settings.crl_urls(issuing),
    }
}

/// The arcs accepted beside the house's own.
fn accepted(start: &Start<'_>) -> anyhow::Result<Vec<OidArc>> {
    let arcs = start.config.gateway.accepted_pens.iter().map(|pen| OidArc::new(*pen));
    arcs.collect::<Result<_, _>>().context("gateway.accepted_pens")
}

fn tls(
    start: &Start<'_>,
    listeners: &Listeners,
    accepted: &[OidArc],
    inspected: Arc<Inspected>,
) -> anyhow::Result<Arc<ServerConfig>> {
    let published = &start.published;
    let purpose = published.settings.arc.trading_agent();
    let verifier = AgentVerifier::new(
        published.agent_root.clone(),
        published.all_agent_issuing(),
        purpose.der_content(),
        Box::new(move |path, now| inspected.check_at(path, now)),
    )?;
    let also = |verifier: AgentVerifier, arc: &OidArc| verifier.also_for(arc.trading_agent().der_content());
    let verifier = accepted.iter().fold(verifier, also);
    let identity = listeners.identity(founding::GATEWAY)?;
    Ok(Arc::new(server_config_with(Arc::new(verifier), identity)?))
}

/// One venue. A key that may withdraw stops the start; one of which the venue says nothing now is asked about again before its first order.
async fn plan(
    counterparty: Counterparty,
    section: &VenueSection,
    [prices_every, watch_every]: [Duration; 2],
    real: Arc<dyn Clock>,
) -> anyhow::Result<VenuePlan> {
    let account = Account::read(section)?;
    match account.prove(real.clone()).await? {
        Err(fault @ KeyFault::MayWithdraw(_)) => return Err(fault.into()),
        Err(KeyFault::Unknown(doubt)) => {
            tracing::warn!(%counterparty, %doubt, "closed until it shows what its key may do")
        }
        Ok(()) => {}
    }
    let longest_delay = account.longest_delay();
    let make: MakeVenue = Arc::new(move || account.venue(real.clone()).map_err(|error| format!("{error:#}")));
    Ok(VenuePlan {
        counterparty,
        instruments: section
            .instruments
            .iter()
            .map(|(instrument, unit)| (*instrument, *unit))
            .collect(),
        make,
        longest_delay,
        prices_every,
        watch_every,
        dead_man: section.dead_man_s.map(Duration::from_secs),
    })
}
