//! Public detectors beside ours, on the same recorded streams with the same injected attacks: a Random Cut Forest and Half-Space Trees, each
//! with the threshold that lets it raise as few false alarms on the clean tails as ours did, chosen in hindsight in its favour.
//!
//! `cargo bench -p anomaly --bench peers -- FOLDER [MOST_AGENTS]`; each file of the folder is one class.

#[path = "peers/half_space.rs"]
mod half_space;

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    io::{BufRead as _, BufReader},
    time::Instant,
};

use anomaly::{
    Observation,
    evaluate::{AgentOutcome, History, Laid, Protocol, Standing, Trial, evaluate, laid_out, observe_days},
    import,
};
use flate2::read::MultiGzDecoder;
use half_space::HalfSpaceTrees;
use rcf3::Forest;

/// What a peer sees of an order.
const FEATURES: usize = 7;
type Point = [f32; FEATURES];
/// As their authors set them.
const FOREST_TREES: usize = 50;
const FOREST_SAMPLES: usize = 256;

/// A detector that scores a point and then learns it.
trait Peer: Clone {
    fn take(&mut self, point: &Point) -> f64;
}

impl Peer for Forest {
    fn take(&mut self, point: &Point) -> f64 {
        self.update_and_score(point).unwrap_or(0.0)
    }
}

impl Peer for HalfSpaceTrees<FEATURES> {
    fn take(&mut self, point: &Point) -> f64 {
        self.score_and_learn(point)
    }
}

/// Turns orders into points, with what the baseline knows.
struct Features {
    last: i64,
    counterparties: BTreeMap<String, f32>,
    instruments: BTreeMap<String, f32>,
    regions: Vec<String>,
}

impl Features {
    fn of(baseline: &[Observation]) -> Self {
        let shares = |name: &dyn Fn(&Observation) -> String| {
            let mut counts: BTreeMap<String, f32> = BTreeMap::new();
            for seen in baseline {
                *counts.entry(name(seen)).or_default() += 1.0 / baseline.len() as f32;
            }
            counts
        };
        Self {
            last: baseline.first().map_or(0, |seen| seen.at.micros()),
            counterparties: shares(&|seen| seen.counterparty.to_string()),
            instruments: shares(&|seen| seen.instrument.to_string()),
            regions: baseline
                .iter()
                .filter_map(|seen| Some(seen.region?.to_string()))
                .collect(),
        }
    }

    /// ln notional, ln gap, place on the day's circle, rarity of instrument and counterparty, a new region.
    fn point(&mut self, seen: &Observation) -> Point {
        let notional = seen.notional.map_or(0.0, |notional| {
            (notional.mantissa() as f64 / 10_f64.powi(i32::from(notional.scale())))
                .max(1e-9)
                .ln()
        });
        let gap = (seen.at.micros() - self.last).max(0) as f64 / 1e6;
        self.last = seen.at.micros();
        let turn = f64::from(seen.at.minute_of_day()) / 1_440.0 * std::f64::consts::TAU;
        let rarity = |shares: &BTreeMap<String, f32>, name: &str| -shares.get(name).unwrap_or(&1e-6).ln();
        let known = seen
            .region
            .is_some_and(|region| self.regions.iter().any(|one| *one == region.to_string()));
        [
            notional as f32,
            (gap + 0.01).ln() as f32,
            turn.sin() as f32,
            turn.cos() as f32,
            rarity(&self.instruments, seen.instrument.as_str()),
            rarity(&self.counterparties, seen.counterparty.as_str()),
            if known { 0.0 } else { 10.0 },
        ]
    }
}

/// One agent's scores of one peer: on each order of the clean tail with its day, and of each attack the running maximum.
struct Scored {
    clean: Vec<(i64, f64)>,
    attacks: Vec<(&'static str, Vec<f64>)>,
    nanos: f64,
}

fn run<P: Peer>(laid: &Laid, mut peer: P) -> Scored {
    let mut features = Features::of(&laid.baseline);
    let mut usual = Vec::new();
    for (at, seen) in laid.baseline.iter().enumerate() {
        let score = peer.take(&features.point(seen));
        if at >= laid.baseline.len() / 2 {
            usual.push(score);
        }
    }
    // Scores of different agents are made comparable by the second half of the baseline.
    let mean = usual.iter().sum::<f64>() / usual.len().max(1) as f64;
    let spread = (usual.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / usual.len().max(1) as f64).sqrt();
    let scaled = |score: f64| (score - mean) / spread.max(1e-9);
    let (start, last) = (peer.clone(), features.last);
    let began = Instant::now();
    let clean: Vec<(i64, f64)> = laid
        .tail
        .iter()
        .map(|seen| (seen.at.day(), scaled(black_box(peer.take(&features.point(seen))))))
        .collect();
    let nanos = began.elapsed().as_nanos() as f64 / clean.len().max(1) as f64;
    let attacks = laid.attacks.iter().map(|(scenario, injected)| {
        let mut peer = start.clone();
        features.last = last;
        let scores = injected.iter().filter_map(|one| {
            let score = scaled(peer.take(&features.point(&one.seen)));
            one.attack.then_some(score)
        });
        (scenario.name, scores.collect())
    });
    Scored {
        clean,
        attacks: attacks.collect(),
        nanos,
    }
}

/// The lowest threshold with which no more than `allowed` agent-days of the clean tails raise an alarm.
fn threshold(scored: &[Scored], allowed: usize) -> f64 {
    let mut days: Vec<f64> = Vec::new();
    for one in scored {
        for day in one.clean.chunk_by(|a, b| a.0 == b.0) {
            days.push(day.iter().map(|(_, score)| *score).fold(f64::MIN, f64::max));
        }
    }
    days.sort_by(|a, b| b.total_cmp(a));
    days.get(allowed).copied().unwrap_or(f64::MIN)
}

/// Caught of tried, and the median orders to detection.
fn caught(scored: &[Scored], scenario: &str, threshold: f64) -> (usize, usize, usize) {
    let trials = scored
        .iter()
        .flat_map(|one| &one.attacks)
        .filter(|(name, _)| *name == scenario);
    let (mut tried, mut orders) = (0, Vec::new());
    for (_, scores) in trials {
        tried += 1;
        orders.extend(scores.iter().position(|score| *score > threshold).map(|at| at + 1));
    }
    orders.sort_unstable();
    (
        orders.len(),
        tried,
        orders.get(orders.len().saturating_sub(1) / 2).copied().unwrap_or(0),
    )
}

fn histories(file: &std::path::Path, most: usize) -> Vec<History> {
    let bytes = fs::read(file).expect("a readable file");
    let plain: Box<dyn std::io::Read> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(&bytes[..]))
    } else {
        Box::new(&bytes[..])
    };
    let mut histories: BTreeMap<String, History> = BTreeMap::new();
    for line in BufReader::new(plain).lines().map_while(Result::ok) {
        let Ok(order) = import::parse_row(&line) else { continue };
        let history = histories.entry(order.agent.to_owned()).or_insert_with(|| History {
            name: order.agent.to_owned(),
            orders: Vec::new(),
        });
        history.orders.push((order.observation, order.label));
    }
    let step = histories.len().div_ceil(most.max(1)).max(1);
    let mut histories: Vec<History> = histories.into_values().step_by(step).collect();
    histories
        .iter_mut()
        .for_each(|history| history.orders.sort_by_key(|(seen, _)| seen.at));
    histories
}

fn class(file: &std::path::Path, most: usize) {
    let histories = histories(file, most);
    let protocol = Protocol {
        observe_days: observe_days(&histories),
        seed: 1,
        nanos: None,
    };
    let mut ours: Vec<AgentOutcome> = Vec::new();
    let (mut forests, mut trees) = (Vec::new(), Vec::new());
    for history in &histories {
        let outcome = evaluate(history, &protocol);
        if outcome.standing != Standing::Admitted || outcome.extended {
            continue;
        }
        let Some(laid) = laid_out(history, &protocol) else {
            continue;
        };
        let forest = Forest::builder(FEATURES)
            .num_trees(FOREST_TREES)
            .capacity(FOREST_SAMPLES)
            .seed(1)
            .build();
        forests.push(run(&laid, forest.expect("settings as documented")));
        let mut features = Features::of(&laid.baseline);
        let points: Vec<Point> = laid.baseline.iter().map(|seen| features.point(seen)).collect();
        trees.push(run(&laid, HalfSpaceTrees::fitted(&points, 1)));
        ours.push(outcome);
    }
    report(file, &ours, &forests, &trees);
}

fn report(file: &std::path::Path, ours: &[AgentOutcome], forests: &[Scored], trees: &[Scored]) {
    let tails: Vec<_> = ours.iter().filter_map(|one| one.clean.as_ref()).collect();
    let false_alarms: usize = tails.iter().map(|clean| clean.revocations.len()).sum();
    let years: f64 = tails.iter().map(|clean| clean.years()).sum();
    if years <= 0.0 {
        println!(
            "\n{}: no agent is admitted and has a clean tail to set a threshold on",
            file.display()
        );
        return;
    }
    println!(
        "\n{}: {} agents, {years:.2} bot-years; {false_alarms} false alarms allowed to each",
        file.display(),
        ours.len()
    );
    table(
        "at 0.85, as many false alarms as ours",
        ours,
        [forests, trees],
        false_alarms,
        |trial| trial.caught.map(|caught| caught.orders),
    );
    // A warning keeps no count of the orders before it.
    let warned = |trial: &Trial| trial.warned.then_some(0);
    table(
        "at 0.75, four false alarms a bot-year",
        ours,
        [forests, trees],
        (4.0 * years) as usize,
        warned,
    );
    let mean = |scored: &[Scored]| scored.iter().map(|one| one.nanos).sum::<f64>() / scored.len().max(1) as f64;
    println!(
        "ns an order: random cut forest {:.0}, half-space trees {:.0}; ours: bench `score`",
        mean(forests),
        mean(trees)
    );
}

/// One table: ours as `detected` says it, the peers at the threshold that allows so many false alarms.
fn table(
    title: &str,
    ours: &[AgentOutcome],
    peers: [&[Scored]; 2],
    allowed: usize,
    detected: impl Fn(&Trial) -> Option<usize>,
) {
    println!(
        "{title:<40} {:>18} {:>18} {:>18}",
        "ours", "random cut forest", "half-space trees"
    );
    let thresholds = peers.map(|scored| threshold(scored, allowed));
    let names = peers[0]
        .first()
        .map_or_else(Vec::new, |one| one.attacks.iter().map(|(name, _)| *name).collect());
    let cell = |(caught, tried, median): (usize, usize, usize)| match median {
        0 => format!("{caught} of {tried}"),
        _ => format!("{caught} of {tried}, {median}"),
    };
    for name in names {
        let trials = ours
            .iter()
            .flat_map(|one| &one.trials)
            .filter(|trial| trial.scenario.name == name);
        let (mut tried, mut orders) = (0, Vec::new());
        for trial in trials {
            tried += 1;
            orders.extend(detected(trial));
        }
        orders.sort_unstable();
        let median = orders.get(orders.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        println!(
            "{name:<40} {:>18} {:>18} {:>18}",
            cell((orders.len(), tried, median)),
            cell(caught(peers[0], name, thresholds[0])),
            cell(caught(peers[1], name, thresholds[1]))
        );
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(folder) = arguments.next() else {
        println!("peers: name a folder of order streams: cargo bench -p anomaly --bench peers -- FOLDER [MOST_AGENTS]");
        return;
    };
    let most = arguments
        .next()
        .and_then(|most| most.parse().ok())
        .unwrap_or(usize::MAX);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("a readable folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".csv.gz") || path.to_string_lossy().ends_with(".csv"))
        .collect();
    files.sort();
    files.iter().for_each(|file| class(file, most));
}
