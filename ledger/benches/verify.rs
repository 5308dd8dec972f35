//! P12: what the offline verifier does in a second of one core: leaf and tree hashes alone, then a whole verification of the store and of an
//! export with everything else that it checks, and a checkpoint's signature beside them.
//!
//! `cargo bench -p ledger --bench verify`. `ENTRIES` (200,000) entries of about 700 bytes in batches of 64. `--test` runs each once on few.

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{AgentId, Clock, Record, StreamId, Timestamp};
use ledger::{
    Append, CheckpointKey, CommittedEntry, Config, EphemeralKey, Ledger, PublicKey, Writer,
    checkpoint::Note,
    export,
    tree::{self, Frontier},
    verify::{Options, verify_directory, verify_export},
};

/// Entries per batch, and repetitions of each measurement.
const BATCH: usize = 64;
const ROUNDS: usize = 5;

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }
}

#[derive(Debug)]
struct Row {
    stream: StreamId,
    body: Vec<u8>,
}

impl Record for Row {
    fn stream(&self) -> StreamId {
        self.stream.clone()
    }
    fn kind(&self) -> &'static str {
        "order.decided"
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.body);
    }
}

async fn fill(writer: &Writer, entries: usize) {
    for batch in 0..entries.div_ceil(BATCH) {
        let queue = |place: usize| {
            let number = batch * BATCH + place;
            let agent = AgentId::new(&format!("bot-{}", number * 7_919 % 1_000)).expect("id");
            let body = format!(
                "{{\"client_order_id\":\"b-{number:020}\",\"filler\":\"{}\"}}",
                "x".repeat(500)
            );
            let row = Row {
                stream: StreamId::agent(&agent),
                body: body.into_bytes(),
            };
            writer
                .queue(Append::next(row, Wall.now()))
                .unwrap_or_else(|_| panic!("room"))
        };
        for one in (0..BATCH).map(queue).collect::<Vec<_>>() {
            one.await.expect("recorded");
        }
    }
}

/// The least time of several, and this process's processor time in it: the verifier of a store uses every core.
fn timed(rounds: usize, mut work: impl FnMut()) -> (f64, f64) {
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..rounds {
        let (start, before) = (Instant::now(), processor());
        work();
        let took = (start.elapsed().as_secs_f64(), (processor() - before).as_secs_f64());
        best = (best.0.min(took.0), best.1.min(took.1));
    }
    best
}

/// User and system time of this process, in ticks of ten milliseconds (proc(5), fields 14 and 15).
fn processor() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux's /proc");
    let fields: Vec<&str> = text
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .collect();
    let of = |place: usize| fields[place].parse::<u32>().expect("ticks");
    Duration::from_millis(10) * (of(11) + of(12))
}

fn main() {
    let test = std::env::args().any(|argument| argument == "--test");
    let wanted = std::env::var("ENTRIES").ok().and_then(|text| text.parse().ok());
    let (entries, rounds) = if test {
        (1_024, 1)
    } else {
        (wanted.unwrap_or(200_000), ROUNDS)
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("runtime");
    let folder = tempfile::tempdir_in(std::env::var_os("BENCH_DIR").unwrap_or_else(|| ".".into())).expect("folder");
    let directory = folder.path().join("ledger");
    let config = Config::new(&directory, Arc::new(Wall));
    let root = EphemeralKey::generate().expect("random");
    let key = CheckpointKey::ephemeral("bench", "gateway-1");
    let (name, public) = (key.name().to_owned(), *key.public());
    let made = runtime.block_on(Ledger::create(config, "bench", &root, key));
    let (ledger, writer) = made.expect("creates");
    runtime.block_on(fill(&writer, entries));
    let all = runtime.block_on(read(&ledger));
    let note = ledger.head().checkpoint.clone();
    let file = folder.path().join("export");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file).expect("a file"));
    runtime
        .block_on(export::export(&ledger, false, &mut out))
        .expect("exports");
    drop((out, writer));
    runtime.block_on(ledger.close()).expect("closes");
    drop(ledger);
    let bytes: usize = all.iter().map(|entry| entry.bytes.len()).sum();
    println!(
        "{} entries of {} bytes, batches of {BATCH}, best of {rounds} rounds",
        all.len(),
        bytes / all.len()
    );
    hashes(&all, rounds);
    signature(&note, &name, &public, rounds);
    whole(&runtime, &directory, &file, all.len(), rounds);
}

async fn read(ledger: &Ledger) -> Vec<Arc<CommittedEntry>> {
    let (size, mut all) = (ledger.head().size, Vec::new());
    while (all.len() as u64) < size {
        all.extend(ledger.read_range(all.len() as u64, 1_024).await.expect("reads"));
    }
    all
}

fn hashes(all: &[Arc<CommittedEntry>], rounds: usize) {
    let (took, _) = timed(rounds, || {
        let mut frontier = Frontier::new();
        for batch in all.chunks(BATCH) {
            for entry in batch {
                frontier.push(tree::leaf_hash(black_box(&entry.bytes)));
            }
            black_box(frontier.root());
        }
    });
    println!(
        "P12: leaf and tree hashes, a root a batch: {:.2} M records/s on one core",
        all.len() as f64 / took / 1e6
    );
}

fn signature(note: &str, name: &str, key: &PublicKey, rounds: usize) {
    const TIMES: u32 = 5_000;
    let (took, _) = timed(rounds, || {
        for _ in 0..TIMES {
            let note = Note::parse(black_box(note)).expect("a note");
            note.verify(name, key).expect("signed");
        }
    });
    let each = took * 1e6 / f64::from(TIMES);
    println!(
        "  a checkpoint read and its Ed25519 signature verified: {each:.1} µs, {:.2} µs an entry",
        each / BATCH as f64
    );
}

fn whole(runtime: &tokio::runtime::Runtime, directory: &Path, file: &Path, entries: usize, rounds: usize) {
    let report = |what: &str, (took, cpu): (f64, f64)| {
        println!(
            "  {what}: {:.0}k records/s, {:.0}k a second of one core",
            entries as f64 / took / 1e3,
            entries as f64 / cpu.max(1e-9) / 1e3
        );
    };
    let store = timed(rounds, || {
        let verified = runtime.block_on(verify_directory(directory, Options::default()));
        assert_eq!(verified.expect("verifies").entries, entries as u64);
    });
    report(
        "the whole store (hashes, canonical form, streams, signatures, SQLite)",
        store,
    );
    let export = timed(rounds, || {
        let verified = verify_export(file, Options::default());
        assert_eq!(verified.expect("verifies").entries, entries as u64);
    });
    report("the whole export (the same from a text file)", export);
}
