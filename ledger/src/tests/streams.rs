//! Numbers, epochs, ids, atomicity and receipts.

use extensions::StreamKind;
use proptest::prelude::*;

use super::*;

fn verify(ledger: &Ledger, receipt: &Receipt, key: &CheckpointKey) -> Result<CommittedEntry, ReceiptError> {
    verify_receipt(receipt, ledger.id(), key.name(), key.public()).map(|(entry, _)| entry)
}

#[tokio::test]
async fn an_append_is_numbered_recorded_and_proven() {
    let (_folder, ledger, writer) = fresh().await;
    let stream = agent("mm-1");
    for number in 0..5 {
        let append = Append::exactly(note(&stream, &number.to_string()), now(), number, 0);
        let recorded = writer.append(append).await.expect("recorded");
        assert_eq!(
            (recorded.number(), recorded.epoch(), recorded.is_repeat()),
            (number, 0, false)
        );
        let receipt = recorded.receipt();
        let entry = verify(&ledger, &receipt, &key("gateway-1", 1)).expect("verifies");
        assert_eq!((entry.number, &entry.stream), (number, &stream));
        assert_eq!(ledger.receipt(recorded.position()).await.expect("reads"), receipt);
        let json = serde_json::to_vec(&receipt).expect("JSON");
        assert_eq!(serde_json::from_slice::<Receipt>(&json).expect("JSON"), receipt);
        let mut changed = receipt.clone();
        changed.entry[10] ^= 1;
        assert!(verify(&ledger, &changed, &key("gateway-1", 1)).is_err());
        assert!(verify(&ledger, &receipt, &key("gateway-1", 3)).is_err());
    }
    assert_eq!(ledger.read_stream(&stream, 2, 2).await.expect("reads").len(), 2);
    assert_eq!(ledger.streams(StreamKind::Agent), [stream]);
    assert_sound(&ledger).await;
}

#[tokio::test]
async fn a_foreign_entry_makes_exactly_lose_and_fences_what_was_decided_on_it() {
    let (_folder, ledger, writer) = fresh().await;
    let other = second(&ledger).await;
    let (stream, elsewhere) = (agent("mm-1"), agent("mm-2"));
    let revoked = other
        .append(Append::next(note(&stream, "revoked"), now()).narrowing())
        .await
        .expect("recorded");
    assert_eq!(revoked.number(), 0);
    let exactly = |number| {
        writer
            .queue(Append::exactly(note(&stream, "order"), now(), number, 0))
            .expect("queued")
    };
    let (first, second) = (exactly(0), exactly(1));
    let free = writer
        .queue(Append::exactly(note(&elsewhere, "order"), now(), 0, 0))
        .expect("queued");
    let report = writer
        .queue(Append::next(note(&stream, "fill"), now()))
        .expect("queued");
    assert!(matches!(
        first.await,
        Err(AppendError::Conflict {
            next_number: 1,
            epoch: 0,
            ..
        })
    ));
    // Number 1 is free by now, and the order that was decided on another state must not get it.
    assert!(matches!(second.await, Err(AppendError::Conflict { .. })));
    assert_eq!(free.await.expect("other streams go on").number(), 0);
    assert_eq!(report.await.expect("reports go on").number(), 1);
    // Control: without the fence, this stale order fits number 2 and is recorded.
    assert!(matches!(
        exactly(2).await,
        Err(AppendError::Conflict { next_number: 2, .. })
    ));
    writer.resume(&stream);
    assert_eq!(exactly(2).await.expect("decided again").number(), 2);
    assert_sound(&ledger).await;
}

#[tokio::test]
async fn a_gating_record_raises_the_epoch() {
    let (_folder, ledger, writer) = fresh().await;
    let stream = agent("mm-1");
    let frozen = writer
        .append(Append::next(gate(), now()).narrowing())
        .await
        .expect("recorded");
    assert_eq!((frozen.epoch(), ledger.head().epoch), (1, 1));
    let stale = writer
        .append(Append::exactly(note(&stream, "order"), now(), 0, 0))
        .await;
    assert!(matches!(
        stale,
        Err(AppendError::Conflict {
            next_number: 0,
            epoch: 1,
            ..
        })
    ));
    assert!(
        writer
            .append(Append::exactly(note(&stream, "order"), now(), 0, 1))
            .await
            .is_ok()
    );
    assert!(writer.append(Append::next(note(&stream, "fill"), now())).await.is_ok());
}

#[tokio::test]
async fn narrowing_goes_to_the_front() {
    let (_folder, _ledger, writer) = fresh().await;
    let stream = agent("mm-1");
    let orders: Vec<_> = (0..20)
        .map(|n| {
            writer
                .queue(Append::exactly(note(&stream, "order"), now(), n, 0))
                .expect("queued")
        })
        .collect();
    let halt = writer
        .queue(Append::next(note(&stream, "revoked"), now()).narrowing())
        .expect("queued");
    assert_eq!(halt.await.expect("recorded").number(), 0);
    for order in orders {
        assert!(matches!(order.await, Err(AppendError::Conflict { next_number: 1, .. })));
    }
}

#[tokio::test]
async fn an_id_is_written_once() {
    let (folder, ledger, writer) = fresh().await;
    let stream = agent("mm-1");
    let fill = |text: &str| Append::next(note(&stream, text), now()).with_id("fill-1");
    let first = writer.append(fill("a")).await.expect("recorded");
    for _ in 0..2 {
        let again = writer.append(fill("a")).await.expect("the same");
        assert!(again.is_repeat() && again.position() == first.position() && again.receipt() == first.receipt());
        let other = writer.append(fill("b")).await;
        assert!(matches!(other, Err(AppendError::AlreadyRecorded { number: 0, .. })));
        ledger.rebuild().await.expect("rebuilds");
    }
    let both = (
        writer.queue(fill("a")).expect("queued"),
        writer.queue(fill("a")).expect("queued"),
    );
    assert!(both.0.await.expect("same").is_repeat() && both.1.await.expect("same").is_repeat());
    ledger.close().await.expect("closes");
    drop((ledger, writer));
    let ledger = Ledger::open(config(folder.path())).await.expect("opens");
    let writer = second(&ledger).await;
    assert!(writer.append(fill("a")).await.expect("the same").is_repeat());
    assert_eq!(ledger.stream_next(&stream), 1);
}

#[tokio::test]
async fn serials_are_unique_and_tasks_come_with_their_entry() {
    let (_folder, ledger, writer) = fresh().await;
    let stream = agent("mm-1");
    let task = Task {
        role: "ca".into(),
        kind: "issue".into(),
        payload: "{}".into(),
        due: now(),
    };
    let reserve = |n| {
        Append::exactly(note(&stream, "reserve"), now(), n, 0)
            .serial(extensions::Serial::new([5; 18]).expect("positive"))
            .task(task.clone())
    };
    let first = writer.append(reserve(0)).await.expect("recorded");
    assert!(matches!(
        writer.append(reserve(1)).await,
        Err(AppendError::SerialTaken { .. })
    ));
    let tasks = ledger.lease_tasks("ca", now(), 1_000_000, 10).await.expect("leases");
    assert_eq!(tasks.len(), 1, "the refused append left no task");
    assert_eq!(
        (tasks[0].id.position, tasks[0].payload.as_str()),
        (first.position(), "{}")
    );
    assert!(
        ledger
            .lease_tasks("ca", now(), 1_000_000, 10)
            .await
            .expect("leases")
            .is_empty(),
        "leased"
    );
    let later = now().plus_seconds(2);
    assert_eq!(
        ledger.lease_tasks("ca", later, 1, 10).await.expect("leases")[0].attempts,
        1
    );
    ledger.bury_task(tasks[0].id).await.expect("buries");
    assert_eq!(ledger.dead_tasks("ca").await.expect("reads").len(), 1);
    ledger.retry_task(tasks[0].id, later).await.expect("revives");
    assert_eq!(ledger.lease_tasks("ca", later, 1, 10).await.expect("leases").len(), 1);
    ledger.complete_task(tasks[0].id).await.expect("completes");
    assert!(
        ledger
            .lease_tasks("ca", now().plus_seconds(9), 1, 10)
            .await
            .expect("leases")
            .is_empty()
    );
}

#[tokio::test]
async fn several_records_are_one_append() {
    let (_folder, ledger, writer) = fresh().await;
    let (stream, house) = (agent("mm-1"), StreamId::house());
    let before = ledger.stream_next(&house);
    let append = Append::exactly(note(&stream, "refused"), now(), 0, 0)
        .also(note(&stream, "revoked"))
        .also(note(&house, "x"));
    let recorded = writer.append(append).await.expect("recorded");
    assert_eq!(
        (
            recorded.number(),
            ledger.stream_next(&stream),
            ledger.stream_next(&house)
        ),
        (0, 2, before + 1)
    );
    let lost = Append::exactly(note(&stream, "refused"), now(), 0, 0).also(note(&house, "y"));
    assert!(writer.append(lost).await.is_err());
    assert_eq!(ledger.stream_next(&house), before + 1, "wholly or not at all");
}

#[tokio::test]
async fn sealed_texts_are_read_back_until_erased() {
    let (_folder, ledger, writer) = fresh().await;
    let stream = agent("mm-1");
    let record = sealed_note(&stream, "officer:ada", "because of the spread");
    let commitment = record.sealed[0].commitment();
    let recorded = writer.append(Append::next(record, now())).await.expect("recorded");
    let text = ledger.unseal(recorded.position(), &commitment).await.expect("reads");
    assert_eq!(text.as_deref(), Some("because of the spread"));
    assert_eq!(ledger.erase("officer:eve").await.expect("erases"), 0);
    assert_eq!(ledger.erase("officer:ada").await.expect("erases"), 1);
    assert_eq!(
        ledger.unseal(recorded.position(), &commitment).await.expect("reads"),
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_are_gapless_and_in_order() {
    let (_folder, ledger, writer) = fresh().await;
    let other = second(&ledger).await;
    let mut received = ledger.committed();
    let start = ledger.head().size;
    let append = |writer: Writer, name: &'static str| {
        tokio::spawn(async move {
            for _ in 0..50 {
                writer
                    .append(Append::next(note(&agent(name), "x"), now()))
                    .await
                    .expect("recorded");
            }
        })
    };
    let tasks = [append(writer, "a"), append(other, "b")];
    for task in tasks {
        task.await.expect("runs");
    }
    let mut next = start;
    while next < ledger.head().size {
        for entry in received.recv().await.expect("announced").iter() {
            assert_eq!(entry.position, next);
            next += 1;
        }
    }
}

/// More than the views may lag behind (64 in tests), and enough to bring the WAL back several times meanwhile. Control: waiting for the views
/// under the commit's lock hangs here.
#[tokio::test]
async fn a_burst_larger_than_the_views_may_lag_goes_through() {
    let (_folder, ledger, writer) = fresh().await;
    let text = "x".repeat(2_000);
    for _ in 0..4 {
        let queue = |n: usize| {
            writer
                .queue(Append::next(note(&agent(&format!("bot-{}", n % 50)), &text), now()))
                .expect("room")
        };
        let pending: Vec<_> = (0..1_000).map(queue).collect();
        for one in pending {
            one.await.expect("recorded");
        }
    }
    assert_eq!(ledger.head().size, 4_002);
    assert_sound(&ledger).await;
}

#[derive(Debug, Clone)]
enum Step {
    Exactly { writer: bool, stale: bool },
    Next { writer: bool },
    Gate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(writer, stale)| Step::Exactly { writer, stale }),
        3 => any::<bool>().prop_map(|writer| Step::Next { writer }),
        1 => Just(Step::Gate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Two writers race on one stream, each pipelining on its own tentative numbers: the stream is gapless, no acknowledged append is missing,
    /// no refused one is there, and whatever an `Exactly` follows was in its writer's view. Control: taking the `lost` set out of `sequence`
    /// turns it red.
    #[test]
    fn racing_writers(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(race(steps));
    }
}

async fn race(steps: Vec<Step>) {
    let (_folder, ledger, one) = fresh().await;
    let two = second(&ledger).await;
    let stream = agent("mm-1");
    let writers = [one, two];
    // What each writer believes comes next, refreshed only after a conflict.
    let (mut believed, mut epochs, mut seen) = ([0_u64; 2], [0_u64; 2], [0_u64; 2]);
    let mut decided = Vec::new();
    let (mut pending, mut acknowledged, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let mut gates = Vec::new();
    for (index, step) in steps.into_iter().enumerate() {
        let text = format!("{index}");
        match step {
            Step::Exactly { writer, stale } => {
                let w = usize::from(writer);
                let number = if stale {
                    believed[w].saturating_sub(1)
                } else {
                    believed[w]
                };
                let append = Append::exactly(note(&stream, &text), now(), number, epochs[w]);
                pending.push((w, Some(seen[w]), writers[w].queue(append).expect("queued")));
                believed[w] += 1;
            }
            Step::Next { writer } => {
                let w = usize::from(writer);
                pending.push((
                    w,
                    None,
                    writers[w]
                        .queue(Append::next(note(&stream, &text), now()))
                        .expect("queued"),
                ));
                believed[w] += 1;
            }
            Step::Gate => gates.push(
                writers[0]
                    .queue(Append::next(gate(), now()).narrowing())
                    .expect("queued"),
            ),
        }
        if index % 7 == 6 {
            let mut conflicted = [false; 2];
            for (w, seen, pending) in pending.drain(..) {
                match pending.await {
                    Ok(recorded) => {
                        decided.extend(seen.map(|seen| (w, seen, recorded.number())));
                        acknowledged.push((recorded.number(), recorded.into_record().text));
                    }
                    Err(AppendError::Conflict { record, .. }) if seen.is_some() => {
                        conflicted[w] = true;
                        refused.push(record.text);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            for w in 0..2 {
                if conflicted[w] {
                    writers[w].resume(&stream);
                    (believed[w], epochs[w]) = (ledger.stream_next(&stream), ledger.head().epoch);
                    seen[w] = believed[w];
                }
            }
        }
    }
    for (_, _, pending) in pending {
        match pending.await {
            Ok(recorded) => acknowledged.push((recorded.number(), recorded.into_record().text)),
            Err(error) => refused.push(error.into_record().text),
        }
    }
    // Nothing may still be on its way while the log is read.
    for gate in gates {
        gate.await.expect("recorded");
    }
    let entries = ledger.read_stream(&stream, 0, 4_096).await.expect("reads");
    for (w, seen, number) in decided {
        let between = entries.iter().filter(|entry| (seen..number).contains(&entry.number));
        let own = between.filter(|entry| &*entry.writer != writers[w].name()).count() == 0;
        assert!(
            own,
            "number {number} was decided on the first {seen} entries, and another writer stands between"
        );
    }
    let stored: Vec<(u64, String)> = entries
        .iter()
        .map(|entry| {
            let body: serde_json::Value = serde_json::from_slice(entry.body()).expect("JSON");
            (entry.number, body["text"].as_str().expect("text").to_owned())
        })
        .collect();
    acknowledged.sort();
    assert_eq!(
        acknowledged, stored,
        "exactly what was acknowledged, in the numbers that were acknowledged"
    );
    assert!(
        refused
            .iter()
            .all(|text| stored.iter().all(|(_, stored)| stored != text))
    );
    assert_sound(&ledger).await;
}

/// The entries of the next batch.
async fn batch(news: &mut tokio::sync::broadcast::Receiver<Arc<[Arc<CommittedEntry>]>>) -> Vec<String> {
    let batch = news.recv().await.expect("a batch");
    let text = |entry: &Arc<CommittedEntry>| String::from_utf8_lossy(entry.body()).into_owned();
    batch.iter().map(text).collect()
}

/// Reports wait for an order and share its commit, before it in the stream as they were queued; alone they are committed all the same.
/// Control: without `patient()` the report is a batch of its own, and the first assertion fails.
#[tokio::test]
async fn reports_share_a_commit_and_need_none() {
    let (_folder, ledger, writer) = fresh().await;
    let mut news = ledger.committed();
    let stream = agent("mm-1");
    let fill = writer
        .queue(Append::next(note(&stream, "fill"), now()).patient())
        .expect("queued");
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    let order = writer
        .queue(Append::exactly(note(&stream, "order"), now(), 1, 0))
        .expect("queued");
    let together = batch(&mut news).await;
    assert_eq!(
        together,
        [r#"{"text":"fill"}"#, r#"{"text":"order"}"#],
        "one commit for both"
    );
    assert_eq!(fill.await.expect("recorded").number(), 0);
    assert_eq!(order.await.expect("recorded").number(), 1);
    let (told, answer) = tokio::sync::oneshot::channel();
    let alone = Append::next(note(&stream, "closed"), now()).patient();
    let then = move |answer: Result<Recorded<Note>, _>| {
        let number = answer.map(|recorded| recorded.number());
        told.send(number.ok()).expect("awaited");
    };
    writer.tell(alone, then).expect("queued");
    assert_eq!(
        answer.await.expect("told"),
        Some(2),
        "nobody else came, and it was committed"
    );
    assert_eq!(batch(&mut news).await, [r#"{"text":"closed"}"#]);
}

/// A burst is committed off the thread that queued it, in order, and each answer comes back.
/// Control: answering in `answers::give_all` only those of this thread leaves the burst's futures waiting for ever.
#[tokio::test]
async fn a_burst_goes_to_the_ledgers_own_thread() {
    let (_folder, ledger, writer) = fresh().await;
    let mut news = ledger.committed();
    let stream = agent("mm-1");
    let queue = |number: u64| {
        let append = Append::exactly(note(&stream, &number.to_string()), now(), number, 0);
        writer.queue(append).expect("queued")
    };
    let burst: Vec<_> = (0..50).map(queue).collect();
    for (number, pending) in burst.into_iter().enumerate() {
        assert_eq!(pending.await.expect("recorded").number(), number as u64);
    }
    assert_eq!(batch(&mut news).await.len(), 50, "one commit");
    assert_sound(&ledger).await;
}
