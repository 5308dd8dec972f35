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
/// The most rows left out that are named one by one.
pub const MOST_NAMED: usize = 20;
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
    let History {
        rows,
        source,
        rejected,
        rejected_count,
    } = read_history(&file, only.as_deref())?;
    let bar = ProgressBar::new(rows.len() as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let sent = send_observations(&mut house.officer()?, agent, &rows, source, &mut |sent| {
        bar.set_position(sent)
    })
    .await;
    bar.finish_and_clear();
    let mut answer = sent?;
    let mut text = format!("{} observations of {agent} imported.", rows.len());
    if rejected_count > 0 {
        text.push_str(&format!(" {rejected_count} rows were left out:"));
        for row in &rejected {
            text.push_str(&format!("\n  line {}: {}", row.line, row.reason));
        }
        if rejected_count > rejected.len() {
            text.push_str("\n  …");
        }
        text.push('\n');
    }
    text.push_str(&format!(" Next: mandatum baseline propose {agent}"));
    let named = rejected
        .iter()
        .map(|row| json!({ "line": row.line, "reason": row.reason }));
    answer["rejected"] = named.collect();
    answer["rejected_count"] = json!(rejected_count);
    Ok(Report::new(text, answer))
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Its line, from 1.
    pub line: usize,
    /// Which field, and what was expected.
    pub reason: String,
}

/// What a file holds of one bot.
#[derive(Debug, Clone)]
pub struct History {
    /// The observations, by time.
    pub rows: Vec<Observation>,
    /// SHA-256 of the file as it lies there.
    pub source: Digest,
    /// The first rows that cannot be used, at most [`MOST_NAMED`].
    pub rejected: Vec<RejectedRow>,
    /// How many there are.
    pub rejected_count: usize,
}

/// Reads the observations of a file, by time, with the SHA-256 of the file as it lies there. Every row must be good.
///
/// # Errors
/// Names the file, the line and the field.
pub fn read_observations(file: &Path, only: Option<&str>) -> anyhow::Result<(Vec<Observation>, Digest)> {
    let history = read_history(file, only)?;
    if let Some(RejectedRow { line, reason }) = history.rejected.first() {
        bail!("{}, line {line}: {reason}", file.display());
    }
    Ok((history.rows, history.source))
}

/// Reads the observations of a file. A row that cannot be used is left out and named: a history of months is not refused for one of its
/// rows, and what was left out is for the person to judge who signs the baseline. With `only`, rows of others are not looked at.
///
/// # Errors
/// When the file cannot be read, has too many rows, or none that is good.
pub fn read_history(file: &Path, only: Option<&str>) -> anyhow::Result<History> {
    let named = || format!("cannot read {}", file.display());
    let bytes = std::fs::read(file).with_context(named)?;
    let plain: Box<dyn Read> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(&bytes[..]))
    } else {
        Box::new(&bytes[..])
    };
    let mut history = History {
        rows: Vec::new(),
        source: Digest::of(&bytes),
        rejected: Vec::new(),
        rejected_count: 0,
    };
    for (at, line) in BufReader::new(plain.take(LONGEST_FILE)).lines().enumerate() {
        let line = line.with_context(named)?;
        let of_another = only.is_some_and(|only| line.split(',').next() != Some(only));
        if at == 0 && line.trim_end() == import::HEADER || line.trim().is_empty() || of_another {
            continue;
        }
        match usable(&line) {
            Ok(observation) => history.rows.push(observation),
            Err(reason) => {
                history.rejected_count += 1;
                if history.rejected.len() < MOST_NAMED {
                    history.rejected.push(RejectedRow { line: at + 1, reason });
                }
            }
        }
        if history.rows.len() > MOST_OBSERVATIONS {
            bail!(
                "{} has more than {MOST_OBSERVATIONS} rows; import a shorter period",
                file.display()
            );
        }
    }
    if history.rows.is_empty() {
        let of = only.map_or_else(String::new, |only| format!(" of {only}"));
        let why = history.rejected.first();
        let why = why.map_or_else(String::new, |row| {
            format!(" that is good; line {}: {}", row.line, row.reason)
        });
        bail!("{} has no row{of}{why}", file.display());
    }
    history.rows.sort_by_key(|row| row.at);
    Ok(history)
}

fn usable(line: &str) -> Result<Observation, String> {
    import::parse_row(line)
        .map(|order| order.observation)
        .map_err(|fault| fault.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "mm-1,2026-11-01T08:00:00Z,BTC_EUR,buy,0.1,50000,EUR,exchange_a,eu-west-1,0";

    fn file(rows: &[&str]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), rows.join("\n")).unwrap();
        file
    }

    /// Controls: the good rows beside the bad ones are there, and a file of bad rows alone is refused with its first reason.
    #[test]
    fn a_bad_row_is_named_and_does_not_refuse_the_others() {
        let zero = GOOD.replace("0.1", "0");
        let other = zero.replace("mm-1", "mm-2");
        let written = file(&[import::HEADER, GOOD, &zero, "nonsense", GOOD, &other]);
        let history = read_history(written.path(), None).unwrap();
        assert_eq!((history.rows.len(), history.rejected_count), (2, 3));
        assert_eq!(history.rejected[0].line, 3);
        assert!(
            history.rejected[0].reason.contains("quantity"),
            "{:?}",
            history.rejected
        );
        assert!(history.rejected[1].reason.contains("fields"), "{:?}", history.rejected);
        let own = read_history(written.path(), Some("mm-1")).unwrap();
        assert_eq!(
            (own.rows.len(), own.rejected_count),
            (2, 1),
            "rows of others are not looked at"
        );
        let strict = read_observations(written.path(), None).unwrap_err().to_string();
        assert!(strict.contains("line 3"), "{strict}");
        let none = read_history(file(&[&zero]).path(), None).unwrap_err().to_string();
        assert!(none.contains("line 1: quantity"), "{none}");
        let many = vec!["nonsense"; 30];
        let history = read_history(file(&[&[GOOD], &many[..]].concat()).path(), None).unwrap();
        assert_eq!((history.rejected.len(), history.rejected_count), (MOST_NAMED, 30));
    }
}
