//! `evaluate`: the protocol by which the scorer is judged, on any folder of order streams in the import format. One file is one class.

mod plot;

use std::{
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    sync::{Mutex, OnceLock, PoisonError},
    time::Instant,
};

use anomaly::{
    evaluate::{AgentOutcome, ClassSummary, History, Protocol, evaluate, observe_days, summarise},
    import,
};
use anyhow::{Context, bail};
use clap::Args;
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::report::Report;

/// The longest file that is read, uncompressed, in bytes.
const LONGEST_FILE: u64 = 1 << 30;

/// Judge the scorer on recorded order streams: false alarms on clean days, attacks injected behind them.
///
/// Each FILE.csv or FILE.csv.gz in DIR is one class of bots, in the columns
///   agent,at,instrument,side,quantity,price,currency,counterparty,region,label
/// Example: mandatum evaluate streams --plots plots
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Evaluate {
    /// The folder of streams.
    folder: PathBuf,
    /// The seed of every injection: the same seed gives the same figures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also draw each class as an SVG into this folder.
    #[arg(long, value_name = "OUT")]
    plots: Option<PathBuf>,
}

pub(super) fn run(command: &Evaluate) -> anyhow::Result<Report> {
    let began = Instant::now();
    let mut classes = Vec::new();
    for file in streams(&command.folder)? {
        classes.push(class(&file, command.seed)?);
    }
    if let Some(folder) = &command.plots {
        plot::write(folder, &classes)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut lines: Vec<String> = classes.iter().flat_map(ClassSummary::in_words).collect();
    lines.push(format!(
        "{} classes in {seconds:.0} s, seed {}",
        classes.len(),
        command.seed
    ));
    Ok(Report::new(
        lines.join("\n"),
        json!({ "classes": classes, "seconds": seconds, "seed": command.seed }),
    ))
}

/// The streams of a folder, by name.
fn streams(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let named = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(named)? {
        let path = entry.with_context(named)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".csv") || name.ends_with(".csv.gz") {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!(
            "{} holds no .csv or .csv.gz file: each is one class of bots",
            folder.display()
        );
    }
    files.sort();
    Ok(files)
}

fn class(file: &Path, seed: u64) -> anyhow::Result<ClassSummary> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("stream");
    let name = name.trim_end_matches(".gz").trim_end_matches(".csv").to_owned();
    let (histories, unread) = read(file)?;
    let protocol = Protocol {
        observe_days: observe_days(&histories),
        seed,
        nanos: Some(nanos),
    };
    let bar = ProgressBar::new(histories.len() as u64).with_message(name.clone());
    let style = ProgressStyle::with_template("{msg:20} {bar:40} {pos}/{len} agents {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let outcomes = all(&histories, &protocol, &bar);
    bar.finish_and_clear();
    let mut summary = summarise(&name, protocol.observe_days, &outcomes);
    summary.unread_rows = unread;
    Ok(summary)
}

/// Every agent, on all cores; the outcomes in the order of the file, so that the figures do not depend on the cores.
fn all(histories: &[History], protocol: &Protocol, bar: &ProgressBar) -> Vec<AgentOutcome> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, AgentOutcome)>> = Mutex::new(Vec::new());
    let work = || {
        while let Some((at, history)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, histories.get(at)?)))
        {
            let outcome = evaluate(history, protocol);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, outcome));
            bar.inc(1);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let mut outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(at, _)| *at);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The histories of a file, each by time, and how many rows did not read. A file of which no row reads is refused with its first fault.
fn read(file: &Path) -> anyhow::Result<(Vec<History>, usize)> {
    let named = || format!("cannot read {}", file.display());
    let bytes = std::fs::read(file).with_context(named)?;
    let plain: Box<dyn Read> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(&bytes[..]))
    } else {
        Box::new(&bytes[..])
    };
    let mut histories: std::collections::BTreeMap<String, History> = std::collections::BTreeMap::new();
    let (mut unread, mut first_fault) = (0, None);
    for (at, line) in BufReader::new(plain.take(LONGEST_FILE)).lines().enumerate() {
        let line = line.with_context(named)?;
        if at == 0 && line.trim_end() == import::HEADER || line.trim().is_empty() {
            continue;
        }
        let order = match import::parse_row(&line) {
            Ok(order) => order,
            Err(fault) => {
                first_fault.get_or_insert_with(|| format!("{}, line {}: {fault}", file.display(), at + 1));
                unread += 1;
                continue;
            }
        };
        let history = histories.entry(order.agent.to_owned()).or_insert_with(|| History {
            name: order.agent.to_owned(),
            orders: Vec::new(),
        });
        history.orders.push((order.observation, order.label));
    }
    let mut histories: Vec<History> = histories.into_values().collect();
    histories
        .iter_mut()
        .for_each(|history| history.orders.sort_by_key(|(seen, _)| seen.at));
    match first_fault {
        Some(fault) if histories.is_empty() => bail!(fault),
        _ => Ok((histories, unread)),
    }
}

/// Nanoseconds since the first call.
fn nanos() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BEGAN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A folder of one small class: figures come out, twice the same, and a plot with them.
    #[test]
    fn a_folder_is_judged_the_same_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = format!("{}\n", import::HEADER);
        for day in 1..=28 {
            for order in 0..12 {
                let (hour, size) = (8 + order % 10, 100 + (day * 37 + order * 61) % 50);
                writeln!(
                    rows,
                    "bot,2026-11-{day:02}T{hour:02}:0{}:00Z,BTC_EUR,buy,1,{size},EUR,venue,eu-west-1,0",
                    order % 6
                )
                .unwrap();
            }
        }
        std::fs::write(folder.path().join("small.csv"), rows).unwrap();
        let command = Evaluate {
            folder: folder.path().to_owned(),
            seed: 7,
            plots: Some(folder.path().join("plots")),
        };
        let figures = |report: &Report| {
            let mut class = report.json["classes"][0].clone();
            class["nanos"] = serde_json::Value::Null;
            class
        };
        let (first, second) = (run(&command).unwrap(), run(&command).unwrap());
        assert_eq!(figures(&first), figures(&second));
        let class = &first.json["classes"][0];
        assert_eq!((&class["class"], &class["agents"]), (&json!("small"), &json!(1)));
        assert_eq!(class["replayed"][0], class["replayed"][1]);
        assert!(
            first.text.contains("1 agents, baselines of 14 active days"),
            "{}",
            first.text
        );
        assert!(folder.path().join("plots/small.svg").exists());
    }

    #[test]
    fn an_empty_folder_says_what_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            streams(folder.path())
                .unwrap_err()
                .to_string()
                .contains("each is one class")
        );
    }
}
