//! kill -9 at any point, and a disk that refuses: whatever was acknowledged is there after the next start.
//!
//! The tests start themselves as a child process that appends in a loop and prints each acknowledged number.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use extensions::{AgentId, Clock, Record, Signer, StreamId, Timestamp};
use ledger::{
    Append, AppendError, CheckpointKey, Config, EphemeralKey, Ledger, PublicKey, Reserved,
    verify::{Options, verify_directory},
};

const FOLDER: &str = "LEDGER_CRASH_FOLDER";
const LIMITED: &str = "LEDGER_CRASH_LIMITED";
/// How many appends the child makes, one after the other's answer; without it, for ever and several in flight.
const ONE_BY_ONE: &str = "LEDGER_CRASH_ONE_BY_ONE";

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }
}

#[derive(Debug)]
struct Order(String);

impl Record for Order {
    fn stream(&self) -> StreamId {
        StreamId::agent(&AgentId::new("mm-1").expect("id"))
    }
    fn kind(&self) -> &'static str {
        "test.noted"
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{{\"text\":\"{}\"}}", self.0).as_bytes());
    }
}

fn config(folder: &Path) -> Config {
    Config {
        wal_bytes: 1 << 20,
        ..Config::new(folder, Arc::new(Fixed))
    }
}

fn root() -> EphemeralKey {
    EphemeralKey::from_seed(&[9; 32]).expect("seed")
}

fn key() -> CheckpointKey {
    CheckpointKey::new(
        "house-1",
        "gateway-1",
        Arc::new(EphemeralKey::from_seed(&[1; 32]).expect("seed")),
    )
    .expect("key")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
}

/// The child: appends for ever, several in flight, and prints what is acknowledged.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    runtime().block_on(async {
        let ledger = Ledger::open(config(Path::new(&folder))).await.expect("opens");
        let writer = ledger.writer(key(), None).await.expect("authorised");
        let mut number = ledger.stream_next(&Order(String::new()).stream());
        if let Ok(count) = std::env::var(ONE_BY_ONE) {
            for n in number..number + count.parse::<u64>().expect("a count") {
                let recorded = writer.append(Append::exactly(Order("one".into()), Fixed.now(), n, 0));
                println!("acknowledged {}", recorded.await.expect("recorded").number());
            }
            return;
        }
        loop {
            let filler = "x".repeat(2_000);
            let queue = |n| {
                writer
                    .queue(Append::exactly(Order(filler.clone()), Fixed.now(), n, 0))
                    .expect("room")
            };
            let pending: Vec<_> = (number..number + 5).map(queue).collect();
            number += 5;
            for one in pending {
                match one.await {
                    Ok(recorded) => println!("acknowledged {}", recorded.number()),
                    Err(error) => {
                        assert!(error.is_unavailable(), "{error}");
                        let halt = Append::next(Order("revoked".into()), Fixed.now())
                            .narrowing()
                            .with_id("halt-1");
                        match writer.append(halt).await {
                            Err(AppendError::Unavailable { reserved, .. }) => {
                                assert_eq!(reserved, Reserved::Kept);
                                println!("reserved");
                            }
                            other => panic!("{other:?}"),
                        }
                        return;
                    }
                }
            }
        }
    });
}

fn start(folder: &Path, limited: bool) -> Child {
    let this = std::env::current_exe().expect("this program");
    // `ulimit -f` (RLIMIT_FSIZE, in KiB) makes a write beyond the limit fail as a full disk does; the signal is ignored.
    let shell = if limited {
        "trap '' XFSZ; ulimit -f 3000; exec \"$0\" \"$@\""
    } else {
        "exec \"$0\" \"$@\""
    };
    let mut command = Command::new("bash");
    command
        .args(["-c", shell])
        .arg(this)
        .args(["--exact", "child", "--nocapture"]);
    command
        .env(FOLDER, folder)
        .env(LIMITED, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().expect("starts")
}

fn create(folder: &Path) {
    runtime().block_on(async {
        let (ledger, _) = Ledger::create(config(folder), "house-1", &root(), key())
            .await
            .expect("creates");
        ledger.close().await.expect("closes");
    });
}

/// Opens after the crash: every acknowledged number is there, and the whole verifies.
fn check(folder: &Path, acknowledged: Option<u64>) {
    runtime().block_on(async {
        let ledger = Ledger::open(config(folder)).await.expect("opens after a crash");
        let next = ledger.stream_next(&Order(String::new()).stream());
        assert!(
            acknowledged.is_none_or(|last| next > last),
            "{next} entries, {acknowledged:?} was acknowledged"
        );
        ledger.close().await.expect("closes");
        let root = PublicKey::from_spki(root().public_key_spki());
        let options = Options {
            ledger_root: root,
            head_file: Some(folder.join("head")),
            fold: None,
        };
        let report = verify_directory(folder, options).await.expect("verifies after a crash");
        assert_eq!(report.entries, next + 2);
    });
}

fn number(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.parse().ok()
}

/// Control: with `synchronous=OFF` in place of FULL this still passes (the kernel keeps the pages), with the reply before the commit it fails.
#[test]
fn killed_at_any_point_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().expect("folder");
    create(folder.path());
    let rounds: u64 = if std::env::var_os("MANDATUM_SOAK").is_some() {
        200
    } else {
        8
    };
    for round in 0..rounds {
        let mut child = start(folder.path(), false);
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut last = None;
        let wanted = 1 + round * 37 % 60;
        let mut seen = 0;
        for line in lines {
            let line = line.expect("reads");
            if let Some(number) = number(&line) {
                last = Some(number);
                seen += 1;
                if seen == wanted {
                    child.kill().expect("kills");
                }
            }
        }
        child.wait().expect("ends");
        assert!(seen >= wanted, "the child appended");
        check(folder.path(), last);
    }
    println!("soak: {rounds} kills of an appending ledger, every acknowledged entry there and verified");
}

/// What a process did, as `strace` saw it: in this order, whatever its threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A write to the database's log.
    Written,
    /// The log was brought to the disk.
    Synced,
    /// An append was acknowledged.
    Acknowledged,
}

/// Reads the trace. A call that another thread's line cuts in two counts where it ends, a write where it begins.
fn seen(trace: &str) -> Vec<Seen> {
    let one = |line: &str| {
        let of_log = line.contains("ledger.db-wal");
        let ends = !line.contains("<unfinished") && line.contains("= 0");
        if line.contains("\"acknowledged ") {
            Some(Seen::Acknowledged)
        } else if line.contains("pwrite") && of_log {
            Some(Seen::Written)
        } else if line.contains("fdatasync") || line.contains("fsync") {
            // A resumed call names no file: one that began on the log is the only one that can be under way then.
            (ends && (of_log || line.contains("resumed"))).then_some(Seen::Synced)
        } else {
            None
        }
    };
    trace.lines().filter_map(one).collect()
}

/// How many acknowledgements came with everything on the disk that was written before, and each behind a write of its own.
fn durable(seen: &[Seen]) -> Result<usize, usize> {
    let (mut written, mut synced, mut good) = (false, false, 0);
    for one in seen {
        match one {
            Seen::Written => (written, synced) = (true, false),
            Seen::Synced => synced = written,
            Seen::Acknowledged if written && synced => (written, synced, good) = (false, false, good + 1),
            Seen::Acknowledged => return Err(good),
        }
    }
    Ok(good)
}

/// What a kill cannot show, since the kernel keeps the pages: no append is acknowledged, and so no permit forwarded, before the log that holds it
/// is on the disk.
///
/// Control, in the test: the same trace without its fsyncs is found out at the first acknowledgement. Control tried: `synchronous=OFF` in
/// `append.rs`, and it is found out as well.
#[test]
fn nothing_is_acknowledged_before_it_is_on_the_disk() {
    let folder = tempfile::tempdir().expect("folder");
    create(folder.path());
    let trace = folder.path().join("trace");
    let ended = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-s",
            "32",
            "-e",
            "trace=pwrite64,pwritev,write,fdatasync,fsync",
            "-o",
        ])
        .arg(&trace)
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(ONE_BY_ONE, "20")
        .output()
        .expect("strace runs: `cargo xtask test` installs it");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let trace = std::fs::read_to_string(trace).expect("trace");
    let seen = seen(&trace);
    assert_eq!(durable(&seen), Ok(20), "{trace}");
    let unsynced: Vec<Seen> = seen.into_iter().filter(|one| *one != Seen::Synced).collect();
    assert_eq!(durable(&unsynced), Err(0), "the control");
}

/// A write refused as by a full disk: the ledger closes itself, the halt goes to the reserve file and comes back late, first, once.
#[test]
fn a_full_disk_closes_the_ledger_and_the_halt_is_kept() {
    let folder = tempfile::tempdir().expect("folder");
    create(folder.path());
    let mut child = start(folder.path(), true);
    let (mut last, mut reserved) = (None, false);
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("reads");
        last = number(&line).or(last);
        reserved |= line == "reserved";
    }
    assert!(child.wait().expect("ends").success(), "the child ended in order");
    assert!(reserved && last.is_some(), "acknowledged {last:?}, reserved {reserved}");
    check(folder.path(), last);
    runtime().block_on(async {
        let ledger = Ledger::open(config(folder.path())).await.expect("opens");
        let stream = Order(String::new()).stream();
        let before = ledger.stream_next(&stream);
        ledger.writer(key(), None).await.expect("authorised");
        let late = ledger.read_stream(&stream, before, 10).await.expect("reads");
        assert_eq!(late.len(), 1);
        assert!(late[0].late && late[0].id.as_deref() == Some("halt-1"));
    });
    check(folder.path(), None);
}
