//! After the last order: the ledger is read and held against the venue's log, the house stopped, the ledger verified offline.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use extensions::{AgentId, certificate::Certificate};
use serde_json::json;

use super::{
    audit::Audit,
    house::House,
    play::Player,
    report::{BotReport, Report},
    scenario::{Fate, Scenario},
};
use crate::{bot, officer::Officer, pem};

/// How long the house must have been silent before its ledger is read, and how long that is waited for.
const SILENCE: Duration = Duration::from_millis(600);
const SILENCE_WITHIN: Duration = Duration::from_secs(15);

/// Reads what happened: from the ledger, the venue's log, the webhook receiver and the files.
///
/// # Errors
/// When one of them cannot be read.
pub(super) async fn examine(
    house: &House,
    officers: &mut [Officer],
    players: BTreeMap<AgentId, Player>,
    report: &mut Report,
) -> anyhow::Result<()> {
    silence(house).await;
    let mut audit = Audit::of(&house.running.ledger).await?;
    audit.hold_against(taken(&house.directory.join("venue.jsonl"))?);
    report.take(&audit);
    report.webhooks = house.receiver.counts();
    for (agent, player) in players {
        report.foreign_region = report.foreign_region.take().or_else(|| player.foreign.clone());
        let stopped = player.stopped.is_some();
        report.bots.push(BotReport {
            agent,
            fate: player.bot.fate,
            default: player.bot.conduct.on_unanswered_warning,
            standing: house.standing(&agent, officers).await?,
            audit: audit.agents.get(&agent).cloned().unwrap_or_default(),
            stopped: player.stopped,
            unsent: player.unsent,
            reduced: player.reduced,
            in_crl_file: if stopped {
                Some(in_crl_file(house, &agent)?)
            } else {
                None
            },
        });
    }
    report.files = kept(&house.directory, &report.bots);
    Ok(())
}

/// Whether the CRL that is kept lists the bot's certificate.
fn in_crl_file(house: &House, agent: &AgentId) -> anyhow::Result<bool> {
    let folder = house.directory.join("agents").join(agent.as_str());
    let leaf = pem::certificates(&folder.join(bot::CERTIFICATE_FILE))?;
    let leaf = leaf.first().context("a certificate")?;
    let serial = Certificate::read(leaf)
        .map_err(|fault| anyhow::anyhow!("{fault}"))?
        .serial();
    let crl = std::fs::read(&house.config.paths.crl).unwrap_or_default();
    Ok(revocation_core::crl::listed_serials(&crl).is_some_and(|listed| listed.contains(&serial)))
}

/// Shows the report so far, verified beside the running house, and keeps everything running until interrupted.
///
/// # Errors
/// When the signal cannot be waited for.
pub(super) async fn hold(
    house: &House,
    scenario: &Scenario,
    officers: &mut [Officer],
    report: &mut Report,
) -> anyhow::Result<()> {
    verify(house.running.ledger.root_key(), &house.config, report).await;
    report.faults = report.judge();
    eprintln!("{report}");
    tell_how(house, scenario)?;
    eprintln!(
        "In a browser, as a further officer (one-time link; the certificate is the sandbox's own):\n  {}\n",
        invitation(house, officers).await?
    );
    Ok(tokio::signal::ctrl_c().await?)
}

/// A one-time link for a further officer, as two of the present ones sign it.
async fn invitation(house: &House, officers: &mut [Officer]) -> anyhow::Result<String> {
    const GUEST: &str = "guest";
    let [approvers @ .., proposer] = officers else {
        anyhow::bail!("no officers")
    };
    let roles = ["administrator", "approver", "operator", "responder"];
    let invited = json!({"officer": GUEST, "roles": roles});
    let proposed = proposer.post("/v1/officers", &invited).await?;
    let proposal = proposed["proposal"].as_str().context("a proposal")?;
    for approver in approvers.iter_mut().take(2) {
        approver.sign_proposal(proposal, None, None).await?;
    }
    let port = house
        .running
        .addresses
        .officers
        .context("the officers' listener")?
        .port();
    let token = proposed["token"].as_str().context("a token")?;
    Ok(format!("{}/join#{token}", house.config.console.origin_at(port)))
}

/// Stops the house, then verifies its ledger with its public root key alone.
///
/// # Errors
/// When the house cannot be stopped in order.
pub(super) async fn stop_and_verify(house: House, report: &mut Report) -> anyhow::Result<()> {
    let House {
        running, config, venue, ..
    } = house;
    let root = running.ledger.root_key();
    running.stop().await?;
    // The venue goes last: cancels and questions of the stopping gateway are still answered.
    drop(venue);
    verify(root, &config, report).await;
    Ok(())
}

async fn verify(root: ledger::PublicKey, config: &crate::config::Config, report: &mut Report) {
    let mut audit = ledger::verify::signatures::Audit::default();
    let options = ledger::verify::Options {
        ledger_root: Some(root),
        head_file: Some(config.paths.head.clone()),
        fold: Some(&mut audit),
    };
    let verified = ledger::verify::verify_directory(&config.paths.ledger, options).await;
    let (states, signed) = (audit.states.compared(), audit.signatures.counts());
    (report.verified, report.tampered) = match verified {
        Ok(_) if states == 0 || signed.decisions == 0 => (
            None,
            Some("no state digest or no signed decision was found to compare".to_owned()),
        ),
        Ok(verified) => {
            let officers = format!(
                "{} officers' signatures behind {} decisions",
                signed.officers, signed.decisions
            );
            (
                Some(format!(
                    "verified offline: {verified}; {states} state digests, {officers}"
                )),
                None,
            )
        }
        Err(fault) => (None, Some(fault.to_string())),
    };
}

/// Waits until nothing is appended any more: outcomes, deliveries.
async fn silence(house: &House) {
    let begun = Instant::now();
    let mut size = house.running.ledger.head().size;
    while begun.elapsed() < SILENCE_WITHIN {
        tokio::time::sleep(SILENCE).await;
        let now = house.running.ledger.head().size;
        if now == size {
            return;
        }
        size = now;
    }
}

/// The client ids of the orders that the venue took, from its own log.
fn taken(log: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    let mut taken = Vec::new();
    for line in text.lines() {
        let received: serde_json::Value = serde_json::from_str(line).context("a line of the venue's log")?;
        let order = received["method"] == "POST" && received["path"] == "/api/v3/order" && received["status"] == 200;
        if order {
            let parameters = received["parameters"].as_str().unwrap_or_default();
            let id = parameters
                .split('&')
                .find_map(|pair| pair.strip_prefix("newClientOrderId="));
            taken.push(id.unwrap_or_default().to_owned());
        }
    }
    Ok(taken)
}

/// The files that a reader will look for, as far as they are there.
fn kept(directory: &Path, bots: &[BotReport]) -> Vec<String> {
    let mut files = [
        "ca/root.pem",
        "ca/issuing.pem",
        "ca/house.pem",
        "crl.der",
        "ledger",
        "venue.jsonl",
    ]
    .map(str::to_owned)
    .to_vec();
    files.extend(bots.iter().map(|bot| format!("agents/{}/certificate.pem", bot.agent)));
    files.retain(|file| directory.join(file).exists());
    files
}

/// Addresses and examples for whoever looks around while it is held.
fn tell_how(house: &House, scenario: &Scenario) -> anyhow::Result<()> {
    let (origin, _) = house.gateway()?;
    let directory = house.directory.display();
    let status = house.config.status.public_url();
    let bot = scenario
        .bots
        .iter()
        .find(|bot| bot.fate == Fate::Unharmed)
        .context("a bot that goes on")?;
    eprintln!(
        "\nHeld until Ctrl-C.\n  bots       {0}\n  status     {status}\n  addresses  {2:?}\n\n\
         curl --cacert {directory}/ca/house.pem --cert {directory}/agents/{1}/chain.pem --key {directory}/agents/{1}/key.pem \\\n  \
         --interface 127.0.1.1 {0}/v1/me\ncurl -s {status}/agents.crl | openssl crl -inform DER -noout -text\n",
        origin.url(),
        bot.agent,
        house.running.addresses,
    );
    Ok(())
}
