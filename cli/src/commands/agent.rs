//! `agent`: register, enrol, look, and everything that stops or lets go.

use std::time::Duration;

use clap::{Args, Subcommand};
use extensions::{AgentId, Clock as _, Digest, IncidentId, MandateId, OwnerId, Serial, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    House, proposal,
    report::{Exit, Failure, Report},
};
use crate::{bot, clock::SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Register a bot: who answers for it, what it is for, what its owner declares it to be.
    ///
    /// Example: mandatum --officer ada agent register bot-1 --owner desk --model m-1 --purpose 'market making in BTC_EUR'
    Register(Register),
    /// Make a one-time token for the bot's first certificate; it must be used within ten minutes.
    Token {
        /// The bot.
        agent: AgentId,
        /// The mandate whose certificate it asks for.
        #[arg(long)]
        mandate: MandateId,
    },
    /// Make the bot's key here (mode 0600), ask with the token, wait for approval, write certificate.pem, chain.pem, roots.pem.
    Enrol {
        /// The bot.
        agent: AgentId,
        /// The one-time token.
        #[arg(long, env = "MANDATUM_TOKEN", hide_env_values = true)]
        token: String,
    },
    /// Renew the bot's certificate, with a new key, over mTLS with the present one.
    Renew {
        /// The bot.
        agent: AgentId,
    },
    /// All bots, with their standing.
    List,
    /// One bot: declarations, standing, certificates, mandates, incidents.
    Show {
        /// The bot.
        agent: AgentId,
    },
    /// Permit nothing but cancels and reads, until an officer resumes.
    Freeze(Act),
    /// Permit nothing but verified reductions and cancels.
    ReduceOnly(Act),
    /// End a freeze or reduce-only.
    Resume(Act),
    /// Revoke: nothing is permitted, sessions close, open orders are cancelled as the mandate says.
    Revoke(Act),
    /// Propose that what is revoked comes back; two officers sign it with `proposal sign`. Old certificates stay revoked.
    Reinstate(Reinstate),
    /// Propose that a bot that was stopped for its behaviour trades for some hours, under a mandate that officers signed ahead
    /// (`conduct.probation_hours`); somebody on call and an officer sign it with `proposal sign`. Once after a halt.
    Probation {
        /// The bot.
        agent: AgentId,
        /// The mandate.
        #[arg(long)]
        mandate: MandateId,
    },
    /// Propose that one refused order may pass, once and within minutes, when the bot sends the same again under a fresh id; two officers sign it
    /// with `proposal sign`. Never for who asks, what is traded with whom, or the score.
    Override {
        /// The bot.
        agent: AgentId,
        /// The number of the refused order's entry, as `agent show` and the agent's page tell it.
        #[arg(long)]
        order: u64,
        /// How long it may be used, 1 to 15 minutes from now on.
        #[arg(long, default_value_t = 10)]
        minutes: u8,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Answer an open warning before its deadline.
    Answer {
        /// The bot.
        agent: AgentId,
        /// acknowledge, false_alarm, reduce_only, freeze or revoke.
        answer: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Register {
    /// The bot's id, for ever.
    agent: AgentId,
    /// Who answers for it.
    #[arg(long)]
    owner: OwnerId,
    /// The model, as its owner declares it; never verified.
    #[arg(long)]
    model: String,
    /// SHA-256 of its code, as its owner declares it.
    #[arg(long)]
    code_digest: Option<String>,
    /// What it is for, in words; sealed in the record.
    #[arg(long)]
    purpose: String,
    /// The end of its registration, RFC 3339; a year from now when absent.
    #[arg(long)]
    expires: Option<String>,
}

/// Whom an act concerns.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum --officer ada agent freeze bot-1 --reason 'strange fills'\n  mandatum --officer ada agent freeze --owner desk --reason 'desk closed'\n  mandatum --officer ada agent freeze --all --reason 'firm-wide stop'"
)]
pub(super) struct Act {
    /// The bot.
    #[arg(required_unless_present_any = ["owner", "all", "certificate"])]
    agent: Option<AgentId>,
    /// Every bot of an owner.
    #[arg(long, conflicts_with_all = ["agent", "all"])]
    owner: Option<OwnerId>,
    /// Every bot.
    #[arg(long, conflicts_with = "agent")]
    all: bool,
    /// One certificate alone, by its serial.
    #[arg(long, conflicts_with_all = ["agent", "owner", "all"])]
    certificate: Option<String>,
    /// Why, in words; recorded.
    #[arg(long)]
    reason: String,
    /// The code for CRL and OCSP (revoke only): key_compromise, privilege_withdrawn, superseded, …
    #[arg(long)]
    code: Option<String>,
}

/// Who comes back.
#[derive(Debug, Args)]
pub(super) struct Reinstate {
    /// The bot.
    #[arg(required_unless_present_any = ["owner", "all"])]
    agent: Option<AgentId>,
    /// The incident whose review this follows.
    #[arg(long, conflicts_with_all = ["owner", "all"])]
    incident: Option<IncidentId>,
    /// Every bot of an owner, after the owner's revocation.
    #[arg(long, conflicts_with_all = ["agent", "all"])]
    owner: Option<OwnerId>,
    /// The whole house, after its revocation.
    #[arg(long, conflicts_with = "agent")]
    all: bool,
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    match command {
        Command::Register(command) => register(house, command).await,
        Command::Token { agent, mandate } => {
            let mut officer = house.officer()?;
            let made = officer.enrolment_token(agent.as_str(), mandate.as_str()).await?;
            let text = format!(
                "One-time token of {agent}, to be used before {}:\n  {}\nNext: mandatum agent enrol {agent} --token TOKEN",
                made["use_before"].as_str().unwrap_or("?"),
                made["token"].as_str().unwrap_or("?")
            );
            Ok(Report::new(text, made))
        }
        Command::Enrol { agent, token } => enrol(house, agent, &token).await,
        Command::Renew { agent } => {
            let config = house.config()?;
            let origin = house.origin(&config.console.names, config.console.enrolment)?;
            let folder = house.folder("agents", agent.as_str());
            Ok(Report::of_json(
                bot::renew(&folder, origin, &House::roots(&config)?).await?,
            ))
        }
        Command::List => Ok(Report::of_json(house.officer()?.list("/v1/agents", "agents").await?)),
        Command::Show { agent } => {
            let shown = house.officer()?.get(&format!("/v1/agents/{agent}")).await?;
            Ok(match scored(&shown["scored"]) {
                Some(words) => Report::new(format!("{words}\n{shown:#}"), shown),
                None => Report::of_json(shown),
            })
        }
        Command::Freeze(act) => acted(house, "freeze", act).await,
        Command::ReduceOnly(act) => acted(house, "reduce-only", act).await,
        Command::Resume(act) => acted(house, "resume", act).await,
        Command::Revoke(act) => acted(house, "revoke", act).await,
        Command::Reinstate(whom) => reinstate(house, whom).await,
        Command::Probation { agent, mandate } => {
            let path = format!("/v1/agents/{agent}/probation");
            let made = house.officer()?.post(&path, &json!({ "mandate": mandate })).await?;
            Ok(proposal::proposed(made))
        }
        Command::Override {
            agent,
            order,
            minutes,
            reason,
        } => {
            let path = format!("/v1/agents/{agent}/overrides");
            let body = json!({ "minutes": minutes, "order": order, "reason": reason });
            Ok(proposal::proposed(house.officer()?.post(&path, &body).await?))
        }
        Command::Answer { agent, answer, reason } => {
            let path = format!("/v1/agents/{agent}/warnings/answer");
            let body = json!({ "answer": answer, "reason": reason });
            Ok(Report::of_json(house.officer()?.post(&path, &body).await?))
        }
    }
}

/// Why the scorer warned or stopped it, in words; none when it never did.
fn scored(scored: &Value) -> Option<String> {
    let text = |member: &str| scored[member].as_str().unwrap_or("?").to_owned();
    let mut words = format!(
        "Scored {:.3} by order number {} ({}), leading: {}",
        scored["score"].as_f64()? / 1e6,
        scored["number"],
        text("client_order_id"),
        text("leading"),
    );
    if let Some(whole) = scored["in_words"].as_str() {
        words.push_str(&format!("\n  {whole}"));
    }
    for part in scored["contributions"].as_array().into_iter().flatten() {
        let share = part["evidence"]["share"].as_f64().unwrap_or_default() / 1e4;
        let component = part["component"].as_str().unwrap_or("?");
        let reason = part["reason"].as_str().unwrap_or("no baseline to compare with");
        words.push_str(&format!("\n  {component:<10} {share:>5.1} % of this order   {reason}"));
    }
    Some(words)
}

async fn register(house: &House, command: Register) -> anyhow::Result<Report> {
    let config = house.config()?;
    let expires = match &command.expires {
        Some(text) => Timestamp::parse(text)?,
        None => SystemClock.now().plus_seconds(365 * 86_400),
    };
    let mut body = json!({
        "agent": command.agent,
        "declared_model": command.model,
        "environment": config.house.environment,
        "expires_at": expires,
        "owner": command.owner,
        "purpose": command.purpose,
    });
    if let Some(text) = &command.code_digest {
        let digest = Digest::parse(text)
            .ok_or_else(|| Failure::new(Exit::Usage, "--code-digest: a digest is 64 hexadecimal characters"))?;
        body["declared_code_digest"] = json!(digest);
    }
    let answer = house.officer()?.post("/v1/agents", &body).await?;
    let text = format!(
        "{} is registered. Next: mandatum application submit MANDATE.toml",
        command.agent
    );
    Ok(Report::new(text, answer))
}

async fn enrol(house: &House, agent: AgentId, token: &str) -> anyhow::Result<Report> {
    let config = house.config()?;
    let origin = house.origin(&config.console.names, config.console.enrolment)?;
    let folder = house.folder("agents", agent.as_str());
    let spinner = ProgressBar::new_spinner();
    spinner.set_style(
        ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let mut waiting = |wait: Duration| {
        spinner.set_message(format!(
            "officers have not approved yet; asking again in {} s",
            wait.as_secs()
        ));
        spinner.tick();
    };
    let roots = House::roots(&config)?;
    let made = bot::enrol(&folder, origin, &roots, agent.as_str(), token, &mut waiting).await;
    spinner.finish_and_clear();
    let made = made?;
    let text = format!(
        "{agent} has a certificate until {}: certificate.pem, chain.pem, key.pem, roots.pem in {}",
        made["not_after"].as_str().unwrap_or("?"),
        folder.display()
    );
    Ok(Report::new(text, made))
}

async fn acted(house: &House, act: &str, whom: Act) -> anyhow::Result<Report> {
    let path = match (&whom.agent, &whom.owner, &whom.certificate) {
        (Some(agent), _, None) => format!("/v1/agents/{agent}/{act}"),
        (_, Some(owner), _) => format!("/v1/owners/{owner}/{act}"),
        (_, _, Some(serial)) => {
            let serial = Serial::parse(serial)
                .ok_or_else(|| Failure::new(Exit::Usage, "a serial is 36 lower-case hexadecimal characters"))?;
            format!("/v1/certificates/{serial}/{act}")
        }
        _ => format!("/v1/house/{act}"),
    };
    let mut body = json!({ "reason": whom.reason });
    if let Some(code) = whom.code {
        body["revocation_reason"] = Value::String(code);
    }
    Ok(Report::of_json(house.officer()?.post(&path, &body).await?))
}

async fn reinstate(house: &House, whom: Reinstate) -> anyhow::Result<Report> {
    let path = match (&whom.agent, &whom.owner) {
        (Some(agent), _) => format!("/v1/agents/{agent}/reinstate"),
        (None, Some(owner)) => format!("/v1/owners/{owner}/reinstate"),
        (None, None) => "/v1/house/reinstate".to_owned(),
    };
    let mut body = json!({});
    if let Some(incident) = whom.incident {
        body["incident"] = json!(incident);
    }
    Ok(proposal::proposed(house.officer()?.post(&path, &body).await?))
}
