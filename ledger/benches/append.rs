//! P5: group commit against one plain row per commit, in the same run, on the same disk, both with WAL and `synchronous=FULL`.
//!
//! `cargo bench -p ledger --bench append`. Entries of about 700 bytes, batches of 64, a random one of 1,000 agents per entry; the tree, the signed
//! checkpoints and the views behind the commit are all in. `--test` runs each once.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use extensions::{AgentId, Clock, Record, StreamId, Timestamp};
use ledger::{Append, CheckpointKey, Config, EphemeralKey, Ledger, Writer};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};

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

/// A small generator, so that runs are alike.
fn random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 20
}

fn row(state: &mut u64) -> Row {
    let agent = AgentId::new(&format!("bot-{}", random(state) % 1_000)).expect("id");
    let id = format!("{:016x}{:016x}", random(state), random(state));
    let body = format!("{{\"client_order_id\":\"{id}\",\"filler\":\"{}\"}}", "x".repeat(500)).into_bytes();
    Row {
        stream: StreamId::agent(&agent),
        body,
    }
}

async fn batch(writer: &Writer, state: &mut u64, size: usize) {
    let queue = |_| {
        writer
            .queue(Append::next(row(state), Wall.now()))
            .unwrap_or_else(|_| panic!("room"))
    };
    let pending: Vec<_> = (0..size).map(queue).collect();
    for one in pending {
        one.await.expect("recorded");
    }
}

async fn plain(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let options = options
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .disable_statement_logging();
    let mut connection = options.connect().await.expect("opens");
    let sql =
        "CREATE TABLE entries(position INTEGER PRIMARY KEY, bytes BLOB NOT NULL, recorded_at INTEGER NOT NULL) STRICT";
    sqlx::query(sql).execute(&mut connection).await.expect("makes");
    connection
}

fn append(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let folder = tempfile::tempdir_in(std::env::var_os("BENCH_DIR").unwrap_or_else(|| ".".into())).expect("folder");
    let mut state = 1;
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    let mut connection = runtime.block_on(plain(&folder.path().join("plain.db")));
    group.throughput(Throughput::Elements(1));
    group.bench_function("one plain row per commit", |bencher| {
        bencher.iter(|| {
            let bytes = row(&mut state).body;
            let query = sqlx::query("INSERT INTO entries(bytes, recorded_at) VALUES(?, 1)").bind(bytes);
            runtime.block_on(query.execute(&mut connection)).expect("inserts");
        });
    });
    let root = EphemeralKey::generate().expect("random");
    let config = Config::new(folder.path().join("ledger"), Arc::new(Wall));
    let key = CheckpointKey::ephemeral("bench", "gateway-1");
    let (ledger, writer) = runtime
        .block_on(Ledger::create(config, "bench", &root, key))
        .expect("creates");
    for size in [1, 8, 32, 64, 256] {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::new("ledger, batch of", size), &size, |bencher, size| {
            bencher.iter(|| runtime.block_on(batch(&writer, &mut state, *size)));
        });
    }
    group.finish();
    ratio(&runtime, &mut connection, &writer, &ledger);
    runtime.block_on(ledger.close()).expect("closes");
}

/// The figure of the issue: interleaved rounds, medians, commits counted.
fn ratio(runtime: &tokio::runtime::Runtime, plain: &mut SqliteConnection, writer: &Writer, ledger: &Ledger) {
    const ROUNDS: usize = 7;
    const TIME: Duration = Duration::from_millis(700);
    let mut state = 9;
    let (mut ones, mut groups, mut commits) = (Vec::new(), Vec::new(), 0_u64);
    for _ in 0..ROUNDS {
        let (start, mut rows) = (Instant::now(), 0_u32);
        while start.elapsed() < TIME {
            let query = sqlx::query("INSERT INTO entries(bytes, recorded_at) VALUES(?, 1)").bind(row(&mut state).body);
            runtime.block_on(query.execute(&mut *plain)).expect("inserts");
            rows += 1;
        }
        ones.push(f64::from(rows) / start.elapsed().as_secs_f64());
        let (start, before) = (Instant::now(), ledger.head().size);
        while start.elapsed() < TIME {
            runtime.block_on(batch(writer, &mut state, 64));
            commits += 1;
        }
        groups.push((ledger.head().size - before) as f64 / start.elapsed().as_secs_f64());
    }
    ones.sort_by(f64::total_cmp);
    groups.sort_by(f64::total_cmp);
    let (one, group) = (ones[ROUNDS / 2], groups[ROUNDS / 2]);
    println!(
        "P5: plain rows {one:.0}/s, one fsync each; ledger {group:.0} entries/s in batches of 64, {commits} commits, one fsync each: {:.1} x",
        group / one
    );
}

criterion_group!(benches, append);
criterion_main!(benches);
