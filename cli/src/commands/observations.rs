//! `observations import`: a bot's history, in batches, with the digest of the file it came from.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use anomaly::{Observation, events::MOST_ROWS, import};
use anyhow::{Context, bail};
use clap::Subcommand;
use extensions::{AgentId, Digest};
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{House, report::Report};
use crate::officer::Officer;

/// The longest file that is read, uncompressed, in bytes.
const LONGEST_FILE: u64 = 1 << 30;
/// The most rows of one import.
const MOST_OBSERVATIONS: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Import the history of one bot from FILE.csv or FILE.csv.gz.
    ///
    /// Columns: agent,at,instrument,side,quantity,price,currency,counterparty,region,label
    /// Example: mandatum --officer ada observations import history.csv.gz --agent bot-1
    #[command(verbatim_doc_comment)]
    Import {
        /// The file.
        file: PathBuf,
        /// The bot whose history it becomes.
        #[arg(long)]
        agent: AgentId,
        /// Only the rows of this name in the file; all when absent.
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let Command::Import { file, agent, only } = command;
    let (rows, source) = read_observations(&file, only.as_deref())?;
    let bar = ProgressBar::new(rows.len() as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let sent = send_observations(&mut house.officer()?, agent, &rows, source, &mut |sent| {
        bar.set_position(sent)
    })
    .await;
    bar.finish_and_clear();
    let answer = sent?;
    let text = format!(
        "{} observations of {agent} imported. Next: mandatum baseline propose {agent}",
        rows.len()
    );
    Ok(Report::new(text, answer))
}

/// Reads the observations of a file, by time, with the SHA-256 of the file as it lies there.
///
/// # Errors
/// Names the file, the line and the field.
pub fn read_observations(file: &Path, only: Option<&str>) -> anyhow::Result<(Vec<Observation>, Digest)> {
    let named = || format!("cannot read {}", file.display());
    let bytes = std::fs::read(file).with_context(named)?;
    let source = Digest::of(&bytes);
    let plain: Box<dyn Read> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(&bytes[..]))
    } else {
        Box::new(&bytes[..])
    };
    let mut rows = Vec::new();
    for (at, line) in BufReader::new(plain.take(LONGEST_FILE)).lines().enumerate() {
        let line = line.with_context(named)?;
        if at == 0 && line.trim_end() == import::HEADER || line.trim().is_empty() {
            continue;
        }
        let order = import::parse_row(&line).with_context(|| format!("{}, line {}", file.display(), at + 1))?;
        if only.is_none_or(|only| only == order.agent) {
            rows.push(order.observation);
        }
        if rows.len() > MOST_OBSERVATIONS {
            bail!(
                "{} has more than {MOST_OBSERVATIONS} rows; import a shorter period",
                file.display()
            );
        }
    }
    if rows.is_empty() {
        bail!(
            "{} has no row{}",
            file.display(),
            only.map_or_else(String::new, |only| format!(" of {only}"))
        );
    }
    rows.sort_by_key(|row| row.at);
    Ok((rows, source))
}

/// Sends observations in batches; `progress` hears how many rows are recorded. The same file again records nothing twice.
///
/// # Errors
/// When the server refuses or cannot be reached.
pub async fn send_observations(
    officer: &mut Officer,
    agent: AgentId,
    rows: &[Observation],
    source: Digest,
    progress: &mut (dyn FnMut(u64) + Send),
) -> anyhow::Result<Value> {
    let batches = rows.chunks(MOST_ROWS).count();
    let path = format!("/v1/agents/{agent}/observations");
    let mut sent = 0;
    for (batch, part) in rows.chunks(MOST_ROWS).enumerate() {
        let body = json!({ "batch": batch, "batches": batches, "rows": part, "source": source });
        officer.post(&path, &body).await?;
        sent += part.len() as u64;
        progress(sent);
    }
    Ok(json!({ "agent": agent, "batches": batches, "rows": sent, "source": source }))
}
