//! The bench house as a process of its own, so that its processor time is its own too.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    house::{Plan, venue},
    load::{Identity, Target},
    process::{self, Owned},
};

/// The longest wait until what a load left behind is written.
const SETTLING: Duration = Duration::from_secs(10);
/// Processor time in a look of `LOOK` below which the house counts as idle.
const LOOK: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_millis(20);

/// A running house.
pub(crate) struct PeerHouse {
    child: Owned,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: BTreeMap<String, String>,
}

impl PeerHouse {
    /// Starts it and waits until its bots are enrolled.
    pub(crate) fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("house");
        for (name, value) in [
            ("bots", plan.bots),
            ("signing", plan.signing),
            ("enforced", plan.enforced),
            ("applicants", plan.applicants.0),
            ("tokens", plan.applicants.1),
            ("crowd", plan.crowd),
            ("orders", plan.orders),
            ("webhook", plan.webhook.unwrap_or(0).into()),
        ] {
            command.arg(format!("{name}={value}"));
        }
        if let Some(folder) = &plan.folder {
            command.arg(format!("folder={}", folder.display()));
        }
        Self::listen_to(&mut command)
    }

    /// Opens the house that lies in `folder`; it says where its gateway is, and no more.
    pub(crate) fn reopen(folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("reopen").arg(format!("folder={}", folder.display()));
        Self::listen_to(&mut command)
    }

    fn listen_to(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = Owned::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let mut house = Self {
            input: child.0.stdin.take(),
            output: BufReader::new(child.0.stdout.take().context("the house's output")?),
            said: BTreeMap::new(),
            child,
        };
        loop {
            let line = house.line()?;
            if line == "ready" {
                return Ok(house);
            }
            let (name, value) = line.split_once(' ').unwrap_or((&line, ""));
            house.said.insert(name.to_owned(), value.to_owned());
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        anyhow::ensure!(self.output.read_line(&mut line)? > 0, "the house ended");
        Ok(line.trim_end().to_owned())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What it said under a name.
    pub(crate) fn said(&self, name: &str) -> anyhow::Result<&str> {
        let said = self.said.get(name).map(String::as_str);
        said.with_context(|| format!("the house said nothing of {name}"))
    }

    pub(crate) fn list(&self, name: &str) -> anyhow::Result<Vec<&str>> {
        Ok(self.said(name)?.split(',').filter(|one| !one.is_empty()).collect())
    }

    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        Ok(self.said("folder")?.into())
    }

    /// Entries and commits so far.
    pub(crate) fn figures(&mut self) -> anyhow::Result<(u64, u64)> {
        let input = self.input.as_mut().context("the house's input")?;
        writeln!(input, "figures")?;
        let line = self.line()?;
        let mut words = line.split(' ').skip(1).map(str::parse);
        match (words.next(), words.next()) {
            (Some(Ok(entries)), Some(Ok(commits))) => Ok((entries, commits)),
            _ => anyhow::bail!("the house answered {line:?}"),
        }
    }

    /// The gateway's address with the bots of a kind (`""`, `signing-`, `enforced-`).
    pub(crate) fn target(&self, kind: &str) -> anyhow::Result<Target> {
        let url = self.said("gateway")?;
        let port = url.rsplit_once(':').context("a port")?.1.parse()?;
        let chains = self.list(&format!("{kind}certificates"))?;
        let keys = self.list(&format!("{kind}keys"))?;
        let identities = chains
            .iter()
            .zip(keys)
            .map(|(chain, key)| Identity::open(chain.as_ref(), key.as_ref()));
        Ok(Target {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            origin: url.to_owned(),
            roots: mandatum::pem::certificates(self.said("roots")?.as_ref())?,
            identities: identities
                .collect::<anyhow::Result<Vec<_>>>()?
                .into_iter()
                .map(Arc::new)
                .collect(),
        })
    }

    /// Its processor time so far, its venue's left out.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.pid(), venue::THREAD)
    }

    /// Waits until what a load has left behind is done.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut before = self.cpu()?;
        while begun.elapsed() < SETTLING {
            std::thread::sleep(LOOK);
            let now = self.cpu()?;
            if now.saturating_sub(before) <= IDLE {
                return Ok(());
            }
            before = now;
        }
        Ok(())
    }

    /// Ends it in order; gives the entries of its ledger.
    pub(crate) fn stop(mut self) -> anyhow::Result<u64> {
        drop(self.input.take());
        let line = self.line()?;
        let entries = line.strip_prefix("entries ").context("the house's last word")?;
        self.child.0.wait()?;
        Ok(entries.parse()?)
    }
}
