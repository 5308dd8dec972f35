//! A house for load tools: founded in a folder, with bots whose mandates are wide and whose baselines are approved, and a venue in the same
//! process. It prints where it listens and each bot's files, a name and a value a line, `ready` last; then it runs until its input ends.
//! To the line `figures` it answers how many entries and commits there have been.

mod clerk;
mod crowd;
mod papers;
mod trade;
pub(crate) mod venue;

use std::{
    io::{BufRead as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use extensions::{AgentId, ApprovalDecision, Digest};
use mandatum::{
    bot,
    client::Origin,
    clock::SystemClock,
    commands::send_observations,
    config::Config,
    founding,
    officer::{self, Officer},
    pem,
    serve::{self, Clocks, Roles, Running},
};
use tokio::sync::broadcast::error::TryRecvError;
use tokio_util::sync::CancellationToken;

/// What a house is to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Where it lives; a temporary folder when absent.
    pub(crate) folder: Option<PathBuf>,
    /// Bots whose scores are observed.
    pub(crate) bots: usize,
    /// Further bots whose mandates ask for their signature on each order.
    pub(crate) signing: usize,
    /// Further bots whose scores are enforced.
    pub(crate) enforced: usize,
    /// Further bots that are not enrolled yet, each with as many one-time tokens.
    pub(crate) applicants: (usize, usize),
    /// Further agents that only exist, with mandate and baseline.
    pub(crate) crowd: usize,
    /// Orders that those agents have sent in all.
    pub(crate) orders: usize,
    /// The loopback port of a webhook receiver.
    pub(crate) webhook: Option<u16>,
}

/// How a bot came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Observed,
    Signing,
    Enforced,
}

/// Founds it, says so, and runs it until the input ends.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = plan.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let venue = venue::start()?;
    let config = papers::configure(&folder, venue, &plan)?;
    let founded = founding::found(&config, Arc::new(SystemClock)).await?;
    crowd::register(&founded.writer, &config, plan.crowd).await?;
    trade::trade(&founded.writer, plan.crowd, plan.orders).await?;
    founded.ledger.close().await?;
    let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new()).await?;
    let mut house = House {
        folder,
        officers: Vec::new(),
        roots: pem::certificates(&config.paths.certificates.join("house.pem"))?,
        running,
        config,
        venue,
    };
    for token in &founded.tokens {
        house.appoint(token.officer.as_str(), &token.token).await?;
    }
    let mut said = vec![Said::default(), Said::default(), Said::default()];
    let kinds = [
        (Kind::Observed, plan.bots),
        (Kind::Signing, plan.signing),
        (Kind::Enforced, plan.enforced),
    ];
    for (said, (kind, count)) in said.iter_mut().zip(kinds) {
        for place in 0..count {
            let home = house.admit(kind, place).await?;
            said.agents.push(AgentId::new(&name_of(kind, place))?.to_string());
            said.certificates.push(home.join(bot::CHAIN_FILE).display().to_string());
            said.keys.push(home.join(bot::KEY_FILE).display().to_string());
        }
    }
    let tokens = house.applicants(plan.applicants).await?;
    house.say(&said, &tokens)?;
    house.until_input_ends().await
}

/// What is printed of the bots of one kind.
#[derive(Default)]
struct Said {
    agents: Vec<String>,
    certificates: Vec<String>,
    keys: Vec<String>,
}

struct House {
    folder: PathBuf,
    config: Config,
    roots: Vec<rustls::pki_types::CertificateDer<'static>>,
    officers: Vec<Officer>,
    running: Running,
    venue: u16,
}

fn name_of(kind: Kind, place: usize) -> String {
    let kind = match kind {
        Kind::Observed => "bench",
        Kind::Signing => "signing",
        Kind::Enforced => "enforced",
    };
    format!("{kind}-{place}")
}

fn to(address: Option<std::net::SocketAddr>) -> anyhow::Result<Origin> {
    let port = address.ok_or_else(|| anyhow::anyhow!("a listener is missing"))?.port();
    Origin::parse(&format!("https://localhost:{port}"))
}

impl House {
    async fn appoint(&mut self, officer: &str, token: &str) -> anyhow::Result<()> {
        let home = self.folder.join("officers").join(officer);
        let origin = to(self.running.addresses.officers)?;
        officer::enrol(&home, origin.clone(), &self.roots, token, officer).await?;
        self.officers.push(Officer::open(&home, origin, &self.roots)?);
        Ok(())
    }

    /// Registers a bot and has its mandate approved; gives the mandate.
    async fn mandate(&mut self, agent: &AgentId, kind: Kind) -> anyhow::Result<String> {
        let [applicant, approver] = &mut self.officers[..] else {
            anyhow::bail!("two officers")
        };
        let mandate = format!("m-{agent}");
        applicant.post("/v1/agents", &papers::registration(agent)).await?;
        let document = papers::application(agent, &mandate, kind == Kind::Signing, kind == Kind::Enforced);
        applicant.post("/v1/applications", &document).await?;
        approver
            .decide_application(&mandate, ApprovalDecision::Approve, None)
            .await?;
        Ok(mandate)
    }

    async fn token(&mut self, agent: &AgentId, mandate: &str) -> anyhow::Result<String> {
        let token = self.officers[0].enrolment_token(agent.as_str(), mandate).await?;
        let token = token["token"].as_str();
        Ok(token.ok_or_else(|| anyhow::anyhow!("no token"))?.to_owned())
    }

    /// A bot with certificate and approved baseline; gives its folder.
    async fn admit(&mut self, kind: Kind, place: usize) -> anyhow::Result<PathBuf> {
        let agent = AgentId::new(&name_of(kind, place))?;
        let mandate = self.mandate(&agent, kind).await?;
        let token = self.token(&agent, &mandate).await?;
        let home = self.folder.join("agents").join(agent.as_str());
        let origin = to(self.running.addresses.enrolment)?;
        bot::enrol(&home, origin, &self.roots, agent.as_str(), &token, &mut |_| {}).await?;
        let rows = papers::history()?;
        let source = Digest::of(&extensions::canonical::to_vec(&rows));
        let [applicant, approver] = &mut self.officers[..] else {
            anyhow::bail!("two officers")
        };
        send_observations(applicant, agent, &rows, source, &mut |_| {}).await?;
        let path = format!("/v1/agents/{agent}/baselines");
        let proposed = applicant.post(&path, &serde_json::json!({})).await?;
        anyhow::ensure!(
            proposed["mode"] == "enforce",
            "the baseline is not admitted: {proposed}"
        );
        approver.approve_baseline(agent.as_str()).await?;
        Ok(home)
    }

    /// Bots that could enrol: `agent token` each.
    async fn applicants(&mut self, (agents, tokens): (usize, usize)) -> anyhow::Result<Vec<String>> {
        let mut told = Vec::new();
        for place in 0..agents {
            let agent = AgentId::new(&format!("applicant-{place}"))?;
            let mandate = self.mandate(&agent, Kind::Observed).await?;
            for _ in 0..tokens {
                told.push(format!("{agent}:{}", self.token(&agent, &mandate).await?));
            }
        }
        Ok(told)
    }

    fn say(&self, said: &[Said], tokens: &[String]) -> anyhow::Result<()> {
        let certificates: &Path = &self.config.paths.certificates;
        let address = |address: Option<std::net::SocketAddr>| address.map(|a| a.to_string()).unwrap_or_default();
        let addresses = &self.running.addresses;
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "gateway {}\nroots {}\nprocess {}",
            to(addresses.gateway)?.url(),
            certificates.join("house.pem").display(),
            std::process::id()
        )?;
        writeln!(out, "folder {}\nvenue {}", self.folder.display(), self.venue)?;
        writeln!(out, "issuer {}", certificates.join("issuing.pem").display())?;
        writeln!(out, "status {}", address(addresses.status))?;
        writeln!(out, "enrolment {}", address(addresses.enrolment))?;
        writeln!(out, "officers {}", to(addresses.officers)?.url())?;
        for (name, said) in ["", "signing-", "enforced-"].iter().zip(said) {
            writeln!(out, "{name}agents {}", said.agents.join(","))?;
            writeln!(out, "{name}certificates {}", said.certificates.join(","))?;
            writeln!(out, "{name}keys {}", said.keys.join(","))?;
        }
        writeln!(out, "tokens {}\nready", tokens.join(","))?;
        Ok(out.flush()?)
    }

    async fn until_input_ends(self) -> anyhow::Result<()> {
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        // Never waited on, only counted: nobody is woken for it.
        let mut batches = self.running.ledger.committed();
        let mut commits = 0;
        while let Some(line) = heard.recv().await {
            if line.trim() == "figures" {
                commits += waiting(&mut batches);
                println!("figures {} {commits}", self.running.ledger.head().size);
            }
        }
        let size = self.running.ledger.head().size;
        self.running.stop().await?;
        println!("entries {size}");
        Ok(())
    }
}

/// How many messages there have been since the last look, those included that were overwritten unread.
fn waiting<T: Clone>(receiver: &mut tokio::sync::broadcast::Receiver<T>) -> u64 {
    let mut count = 0;
    loop {
        match receiver.try_recv() {
            Ok(_) => count += 1,
            Err(TryRecvError::Lagged(missed)) => count += missed,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return count,
        }
    }
}
