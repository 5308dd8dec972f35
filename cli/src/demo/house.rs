//! A house of its own for the demonstration: founded in a folder, started with a paper venue and a webhook receiver, peopled by
//! officers and bots. Everything goes the way it goes outside: one-time tokens, signatures, EST.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anomaly::Observation;
use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_keys::{FileSigner, Protection};
use extensions::limits::MOST_UNITS;
use extensions::{
    AgentId, ApprovalDecision, Clock as _, Counterparty, Currency, Decimal, Digest, Instrument, OfficerId, Random as _,
};
use fixtures_venue::{Account, Symbol, streams::Row};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    progress::Progress,
    receiver::Receiver,
    recorded::Recorded,
    scenario::{Bot, REGIONS, Scenario},
    trader::Identity,
};
use crate::{
    bot,
    client::Origin,
    clock::{SteppedClock, SystemClock},
    commands::send_observations,
    config::Config,
    founding,
    officer::{self, Officer},
    pem,
    serve::{self, Clocks, Roles, Running},
};

/// The officers: two who approve, one who asks.
const OFFICERS: [&str; 3] = ["officer-1", "officer-2", "officer-3"];
/// Mandates with an amount above this need both who approve.
const TWO_OFFICERS_ABOVE: &str = "EUR = \"2000000\"";
/// The highest amount of any mandate, in each unit.
const CEILING: &str = "1000000000000";
/// The gateway's account at the paper venue.
const ACCOUNT: &str = "gateway";
const LIFE_SECONDS: i64 = 30 * 86_400;

/// A running house with its world.
pub(super) struct House {
    /// The roles.
    pub(super) running: Running,
    /// How they are configured.
    pub(super) config: Config,
    /// Where it lives.
    pub(super) directory: PathBuf,
    /// The venue.
    pub(super) venue: fixtures_venue::Handle,
    /// Who receives webhooks.
    pub(super) receiver: Receiver,
    /// The decision clock.
    pub(super) clock: Arc<SteppedClock>,
    /// The house root, pinned by everybody.
    pub(super) roots: Vec<CertificateDer<'static>>,
}

struct VenueSecrets {
    key: String,
    secret: String,
}

/// What is traded: the markets, and the names under which mandates know the venue.
pub(super) struct Markets {
    /// The markets of the paper venue.
    pub(super) symbols: Vec<Symbol>,
    /// Each a name of that venue.
    pub(super) counterparties: Vec<Counterparty>,
}

impl Markets {
    /// The markets of the demonstration's own bots, walking by `seed`, with those of a recorded stream beside them.
    ///
    /// # Errors
    /// When an instrument has no two parts.
    pub(super) fn new(seed: u64, recorded: &Recorded) -> anyhow::Result<Self> {
        let mut symbols = Vec::new();
        for (name, start) in [("BTC_EUR", 50_000_u64), ("ETH_EUR", 2_500)] {
            symbols.push(Symbol::walking(Instrument::new(name)?, start.into(), seed)?);
        }
        let own: Vec<Instrument> = symbols.iter().map(|symbol| symbol.instrument).collect();
        let further = recorded
            .symbols
            .iter()
            .filter(|symbol| !own.contains(&symbol.instrument));
        symbols.extend(further.cloned());
        let mut counterparties = vec![Counterparty::new("exchange_a")?];
        counterparties.extend(
            recorded
                .counterparties
                .iter()
                .copied()
                .filter(|name| name.as_str() != "exchange_a"),
        );
        Ok(Self {
            symbols,
            counterparties,
        })
    }

    /// The ceiling in the agent root: every unit that is traded, the common ones first, as many as a certificate holds.
    fn ceiling(&self) -> String {
        let mut units: Vec<&str> = vec!["EUR"];
        for symbol in &self.symbols {
            if !units.contains(&symbol.quote.as_str()) {
                units.push(&symbol.quote);
            }
        }
        let amounts: Vec<String> = units
            .iter()
            .take(MOST_UNITS)
            .map(|unit| format!("\"{unit} {CEILING}\""))
            .collect();
        let amounts = amounts.join(", ");
        format!(
            "\n[house.ceiling]\nper_order = [{amounts}]\nper_day = [{amounts}]\norder_rates = [\"1000/1s\", \"60000/1m\"]\n\
             instruments = \"any\"\ncounterparties = \"any\"\nregions = \"any\"\nhours = [\"always\"]\n\
             order_types = [\"limit\", \"market\", \"stop_limit\", \"stop_market\"]\nprice_collar_bps = 2000\norder_proof = false\n"
        )
    }
}

fn random_text() -> String {
    let mut bytes = [0; 24];
    ca_keys::SystemRandom::new().fill(&mut bytes);
    STANDARD.encode(bytes).replace(['/', '+'], "x")
}

fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// A loopback port that is free now.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl House {
    /// Founds the house in `directory` and starts it, with every role on `clock`.
    ///
    /// # Errors
    /// When the folder holds a house already, or something cannot be made or started.
    pub(super) async fn open(
        directory: &Path,
        start: &Scenario,
        markets: Markets,
    ) -> anyhow::Result<(Self, Vec<Officer>)> {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        let file = directory.join(crate::config::FILE_NAME);
        if file.exists() {
            bail!(
                "{} holds a house already; give the demonstration a folder of its own",
                directory.display()
            );
        }
        let clock = Arc::new(SteppedClock::starting_at(start.start));
        let secrets = VenueSecrets {
            key: random_text(),
            secret: random_text(),
        };
        let venue = open_venue(directory, &markets.symbols, &clock, &secrets).await?;
        let hook_secret = format!("whsec_{}", STANDARD.encode(random_text()));
        let receiver = Receiver::open(&hook_secret).await?;
        for (name, text) in [
            ("venue.key", &secrets.key),
            ("venue.secret", &secrets.secret),
            ("webhook.secret", &hook_secret),
        ] {
            private(&directory.join(name), text)?;
        }
        fs::write(&file, configuration(&markets, &venue, &receiver)?)?;
        let config = Config::load(&file)?;
        let founded = founding::found(&config, Arc::new(SystemClock)).await?;
        let tokens = founded.tokens.clone();
        drop(founded.writer);
        founded.ledger.close().await?;
        drop(founded.ledger);
        let running = serve::run(
            &config,
            Roles::All,
            Clocks::stepped(clock.clone()),
            CancellationToken::new(),
        )
        .await?;
        let roots = vec![running.published.house_root.clone()];
        let house = Self {
            running,
            config,
            directory: directory.to_owned(),
            venue,
            receiver,
            clock,
            roots,
        };
        let mut officers = Vec::new();
        for token in &tokens {
            let folder = directory.join("officers").join(token.officer.as_str());
            let origin = house.officers()?;
            officer::enrol(
                &folder,
                origin.clone(),
                &house.roots,
                &token.token,
                token.officer.as_str(),
            )
            .await?;
            officers.push(Officer::open(&folder, origin, &house.roots)?);
        }
        Ok((house, officers))
    }

    fn officers(&self) -> anyhow::Result<Origin> {
        let address = self.running.addresses.officers.context("the officers' listener")?;
        Origin::parse(&format!("https://localhost:{}", address.port()))
    }

    /// Where bots send orders.
    ///
    /// # Errors
    /// When the gateway does not run.
    pub(super) fn gateway(&self) -> anyhow::Result<(Origin, std::net::SocketAddr)> {
        let address = self.running.addresses.gateway.context("the bots' listener")?;
        Ok((
            Origin::parse(&format!("https://localhost:{}", address.port()))?,
            address,
        ))
    }

    /// Registers a bot, has its mandate and baseline approved by others than who asked, enrols it.
    ///
    /// # Errors
    /// When the house refuses anything of it.
    pub(super) async fn admit(
        &self,
        bot: &Bot,
        officers: &mut [Officer],
        progress: &Progress,
    ) -> anyhow::Result<Identity> {
        let [approvers @ .., applicant] = officers else {
            bail!("no officers")
        };
        let (agent, mandate) = (bot.agent, format!("mandate-{}", bot.agent));
        let expires = SystemClock.now().plus_seconds(LIFE_SECONDS);
        let registration = json!({
            "agent": agent,
            "declared_model": "demonstration",
            "environment": "sandbox",
            "expires_at": expires,
            "owner": "desk-1",
            "purpose": bot.purpose,
        });
        applicant.post("/v1/agents", &registration).await?;
        let application = json!({
            "agent": agent,
            "conduct": bot.conduct,
            "expires": expires,
            "limits": bot.limits,
            "mandate": mandate,
            "rationale": bot.rationale,
        });
        applicant.post("/v1/applications", &application).await?;
        let mut signed = 0;
        for approver in approvers.iter_mut() {
            let answer = approver
                .decide_application(&mandate, ApprovalDecision::Approve, None)
                .await?;
            signed += 1;
            if answer["approved"] == json!(true) {
                break;
            }
        }
        let token = applicant.enrolment_token(agent.as_str(), &mandate).await?;
        let token = token["token"].as_str().context("an enrolment token")?;
        let folder = self.directory.join("agents").join(agent.as_str());
        let address = self.running.addresses.enrolment.context("the enrolment listener")?;
        let origin = Origin::parse(&format!("https://localhost:{}", address.port()))?;
        bot::enrol(&folder, origin, &self.roots, agent.as_str(), token, &mut |_| {}).await?;
        let mode = self.teach(bot, approvers, applicant).await?;
        let officers = if signed == 1 { "one officer" } else { "two officers" };
        progress.say(&format!(
            "{agent}: mandate approved by {officers}, certificate issued, {mode}"
        ));
        Ok(Identity {
            agent,
            chain: pem::certificates(&folder.join(bot::CHAIN_FILE))?,
            signer: Arc::new(FileSigner::open(&folder.join(bot::KEY_FILE), Protection::Plain)?),
        })
    }

    /// Imports the bot's history and has the baseline that is fitted to it approved.
    async fn teach(&self, bot: &Bot, approvers: &mut [Officer], applicant: &mut Officer) -> anyhow::Result<String> {
        let agent = bot.agent;
        if bot.history.is_empty() {
            return Ok("no baseline: scored without effect".to_owned());
        }
        let rows: Vec<Observation> = bot.history.iter().map(observation).collect();
        let source = Digest::of(&extensions::canonical::to_vec(&rows));
        send_observations(applicant, agent, &rows, source, &mut |_| {}).await?;
        let proposed = applicant
            .post(&format!("/v1/agents/{agent}/baselines"), &json!({}))
            .await?;
        let needed = proposed["officers_needed"].as_u64().unwrap_or(2) as usize;
        for approver in approvers.iter_mut().take(needed) {
            approver.approve_baseline(agent.as_str()).await?;
        }
        let mode = proposed["mode"].as_str().unwrap_or("unknown");
        Ok(format!("baseline of {} orders approved ({mode})", rows.len()))
    }

    /// The standing of a bot, in a word.
    ///
    /// # Errors
    /// When the console does not answer.
    pub(super) async fn standing(&self, agent: &AgentId, officers: &mut [Officer]) -> anyhow::Result<String> {
        let officer = officers.first_mut().context("an officer")?;
        let shown = officer.get(&format!("/v1/agents/{agent}")).await?;
        Ok(shown["standing"]["state"].as_str().unwrap_or("unknown").to_owned())
    }
}

fn observation(row: &Row) -> Observation {
    Observation {
        at: row.at,
        counterparty: row.counterparty,
        currency: row.currency,
        instrument: row.instrument,
        notional: row.quantity.checked_mul(row.price),
        refused: false,
        region: Some(row.region),
    }
}

async fn open_venue(
    directory: &Path,
    symbols: &[Symbol],
    clock: &Arc<SteppedClock>,
    secrets: &VenueSecrets,
) -> anyhow::Result<fixtures_venue::Handle> {
    let rich = Decimal::from(1_000_000_000_u64);
    let assets = symbols
        .iter()
        .flat_map(|symbol| [symbol.base.clone(), symbol.quote.clone()]);
    let account = Account {
        name: ACCOUNT.to_owned(),
        api_key: secrets.key.clone(),
        secret: secrets.secret.clone(),
        balances: assets.map(|asset| (asset, rich)).collect(),
    };
    let venue = fixtures_venue::Config {
        real_clock: Arc::new(SystemClock),
        log: Some(directory.join("venue.jsonl")),
        ..fixtures_venue::Config::new(symbols.to_vec(), vec![account], clock.clone())
    };
    Ok(fixtures_venue::serve(venue).await?)
}

/// The configuration file of the house, as an operator would write it.
fn configuration(markets: &Markets, venue: &fixtures_venue::Handle, receiver: &Receiver) -> anyhow::Result<String> {
    let officers = OFFICERS.map(|name| OfficerId::new(name).map(|name| format!("\"{name}\"")));
    let officers = officers.into_iter().collect::<Result<Vec<_>, _>>()?.join(", ");
    let mut text = format!(
        "[house]\nledger = \"demo\"\ntrust_domain = \"bots.example\"\nenvironment = \"sandbox\"\nofficers = [{officers}]\n\n\
         [house.two_officers_above]\n{TWO_OFFICERS_ABOVE}\n\n[house.regions]\n"
    );
    for (network, region) in REGIONS {
        let _ = writeln!(text, "{region} = [\"{network}\"]");
    }
    text.push_str(&markets.ceiling());
    for (section, key) in [
        ("gateway", "listen"),
        ("console", "officers"),
        ("status", "listen"),
        ("operations", "listen"),
    ] {
        let _ = writeln!(text, "\n[{section}]\n{key} = \"127.0.0.1:{}\"", free_port()?);
        if section == "console" {
            let _ = writeln!(text, "enrolment = \"127.0.0.1:{}\"", free_port()?);
        }
    }
    for counterparty in &markets.counterparties {
        let _ = writeln!(
            text,
            "\n[venues.\"{counterparty}\"]\nurl = \"{}\"\napi_key_file = \"venue.key\"\nsecret_file = \"venue.secret\"\n\
             \n[venues.\"{counterparty}\".instruments]",
            venue.url()
        );
        for symbol in &markets.symbols {
            let unit = Currency::new(&symbol.quote)?;
            let _ = writeln!(text, "\"{}\" = \"{unit}\"", symbol.instrument);
        }
    }
    let _ = writeln!(
        text,
        "\n[webhooks.desk]\nurl = \"{}\"\nsecret_file = \"webhook.secret\"\nallow_networks = [\"127.0.0.0/8\"]\n\n\
         [logs]\nlevel = \"error\"\nformat = \"text\"",
        receiver.url()
    );
    Ok(text)
}
