//! The one way into the ledger: a bounded queue per writer and a leader that commits what waits when the last commit returned.
//!
//! The first append that finds no leader makes one, which runs on the same runtime after the tasks that are ready, so that a burst becomes one
//! batch. A lone append is committed right there and pays no wake across threads; a burst goes to the ledger's own thread. So does whatever
//! narrows, whatever a spared thread queues, and everything while the disk is slow: a disk that hangs may hold orders, and nothing else. No timer
//! delays what decides or narrows; reports alone (an order's outcome, a fill) wait up to [`PATIENCE`] for a commit that they can share.

use std::{
    borrow::Cow,
    collections::{HashSet, VecDeque},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use extensions::{Record, StreamId, record::SealedText};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    answers::{self, Home, Reply, Sink},
    append::{Append, AppendError, Expect, MOST_PARTS, QueueFull, QueueRefusal, Recorded, Reserved, Urgency},
    entry::{Draft, LONGEST_ENTRY},
    keys::CheckpointKey,
    ledger::Inner,
    store::{Committed, Item, MOST_ITEMS, Outcome, StoreError},
};

/// The most appends that wait in one writer's queue.
pub const MOST_WAITING: usize = 16_384;
/// How long reports wait at most for a commit that they can share. What a report tells has happened already, and a crash before its commit is found
/// again by asking the venue, as one before its append would be.
pub const PATIENCE: Duration = Duration::from_millis(2);
/// A commit that takes longer says that the disk is slow: the next is not made on the thread of whoever queued it.
const SLOW: Duration = Duration::from_millis(5);
/// Records that narrow and found no room, on their way to the reserve file at a time; more are only counted there.
const MOST_KEEPING: usize = 1_024;
/// A batch ends when its bodies pass this, in bytes.
const BATCH_BYTES: usize = 4 << 20;
/// What an entry holds besides its body, at most.
const ENVELOPE_BYTES: usize = 512;

/// Appends for one writer (a gateway instance, a role). Cheap to clone; all clones share one queue.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Arc<Inner>,
    key: CheckpointKey,
    home: Handle,
    queue: Mutex<Queue>,
    /// A thread on which nothing is committed: see [`Writer::spare_this_thread`].
    spared: OnceLock<ThreadId>,
    slow: AtomicBool,
    keeping: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    urgent: VecDeque<Waiting>,
    ordinary: VecDeque<Waiting>,
    /// Streams on which an `Exactly` lost and the caller has not resumed.
    fenced: HashSet<StreamId>,
    /// How many wait that no report is.
    impatient: usize,
    leading: bool,
    /// Whether a timer runs for the reports that wait.
    timed: bool,
    made_ids: u64,
}

struct Waiting {
    item: Item,
    /// The stream, when the append names its number.
    exact: Option<StreamId>,
    sealed: Vec<(usize, SealedText)>,
    urgency: Urgency,
    sink: Sink,
}

/// What is sealed beside an item: the index of its draft, and the text.
type Sealed = Vec<(usize, SealedText)>;

/// The records of an append, serialised.
pub(crate) fn prepare<R: Record>(append: &Append<R>) -> Result<(Item, Sealed), QueueRefusal> {
    let parts = [append.also.len(), append.tasks.len(), append.serials.len()];
    if parts.iter().any(|count| *count > MOST_PARTS) || append.id.as_ref().is_some_and(|id| id.len() > 128) {
        return Err(QueueRefusal::TooManyParts);
    }
    let also = append.also.iter().map(|record| &**record as &dyn Record);
    let (mut drafts, mut sealed) = (Vec::with_capacity(1 + append.also.len()), Vec::new());
    for (index, record) in std::iter::once(&append.record as &dyn Record).chain(also).enumerate() {
        let mut body = Vec::with_capacity(1_024);
        record.write_body(&mut body);
        let bytes = body.len() + ENVELOPE_BYTES;
        if bytes > LONGEST_ENTRY {
            return Err(QueueRefusal::TooLong { bytes });
        }
        drafts.push(Draft {
            at: append.at,
            body,
            kind: Cow::Borrowed(record.kind()),
            late: false,
            stream: record.stream(),
            gating: record.gating(),
        });
        sealed.extend(record.sealed().iter().map(|text| (index, text.clone())));
    }
    let item = Item {
        drafts,
        expect: append.expect,
        id: append.id.as_deref().map(Arc::from),
        sealed: Vec::new(),
        tasks: append.tasks.clone(),
        serials: append.serials.clone(),
    };
    Ok((item, sealed))
}

impl Writer {
    pub(crate) fn new(ledger: Arc<Inner>, key: CheckpointKey, home: Handle) -> Self {
        Self {
            shared: Arc::new(Shared {
                ledger,
                key,
                home,
                queue: Mutex::default(),
                spared: OnceLock::new(),
                slow: AtomicBool::new(false),
                keeping: AtomicUsize::new(0),
            }),
        }
    }

    /// Queues an append; the order of calls is the order of numbers. Cheap, never blocks. The append goes on when the answer is dropped.
    ///
    /// After an `Exactly` append lost, every `Exactly` append of this writer on that stream comes back as a conflict, those queued before the
    /// loss was known included, until [`resume`](Self::resume): what was decided on a tentative state cannot slip into a number that
    /// happens to fit. `Next` appends and other streams go on.
    ///
    /// # Errors
    /// When the queue is full or the append is malformed; gives the append back. What narrows and finds no room goes to the reserve file.
    pub fn queue<R: Record + Send + 'static>(&self, append: Append<R>) -> Result<Pending<R>, QueueFull<R>> {
        let (future, answer) = oneshot::channel();
        let record = self.push(append, |record| (Sink::Future(future, Home::here()), Some(record)))?;
        Ok(Pending { record, answer })
    }

    /// As [`queue`](Self::queue), for reports that nobody waits for: `then` is called with the answer on the thread that committed, and must be
    /// quick.
    ///
    /// # Errors
    /// As [`queue`](Self::queue); `then` is not called.
    pub fn tell<R: Record + Send + 'static>(
        &self,
        append: Append<R>,
        then: impl FnOnce(Result<Recorded<R>, AppendError<R>>) + Send + 'static,
    ) -> Result<(), QueueFull<R>> {
        self.push(append, |record| {
            let call = move |reply| then(concluded(record, reply));
            (Sink::Call(Box::new(call)), None)
        })?;
        Ok(())
    }

    /// Queues; `sink` makes of the record where the answer goes, and what the caller keeps.
    fn push<R: Record + Send + 'static>(
        &self,
        append: Append<R>,
        sink: impl FnOnce(R) -> (Sink, Option<R>),
    ) -> Result<Option<R>, QueueFull<R>> {
        let (mut item, sealed) = match prepare(&append) {
            Ok(prepared) => prepared,
            Err(reason) => {
                return Err(QueueFull {
                    append: Box::new(append),
                    reason,
                });
            }
        };
        let mut queue = self.shared.queue();
        let waiting = queue.urgent.len() + queue.ordinary.len();
        let narrowing = append.urgency == Urgency::Narrowing;
        if narrowing && item.id.is_none() {
            // The reserve file is idempotent by id.
            queue.made_ids += 1;
            item.id = Some(format!("{}-{}", self.shared.ledger.boot_id(), queue.made_ids).into());
        }
        // Orders leave a quarter of the queue to what narrows.
        let room = if narrowing { MOST_WAITING } else { MOST_WAITING / 4 * 3 };
        if waiting >= room {
            drop(queue);
            if narrowing {
                self.shared.keep_aside(item);
            }
            return Err(QueueFull {
                append: Box::new(append),
                reason: QueueRefusal::Full { waiting },
            });
        }
        let (sink, kept) = sink(append.record);
        let exact = exact_stream(&item);
        if let Some(stream) = exact.as_ref().filter(|stream| queue.fenced.contains(stream)) {
            sink.give(self.shared.conflict(stream));
            return Ok(kept);
        }
        let next = queue.push(Waiting {
            item,
            exact,
            sealed,
            urgency: append.urgency,
            sink,
        });
        drop(queue);
        self.shared.go_on(next);
        Ok(kept)
    }

    /// Queues and waits; for callers that do not pipeline. On a conflict the stream is resumed for the caller.
    ///
    /// # Errors
    /// As the append ends; a full queue or a malformed append is `Unavailable`.
    pub async fn append<R: Record + Send + 'static>(&self, append: Append<R>) -> Result<Recorded<R>, AppendError<R>> {
        let stream = append.record.stream();
        let outcome = match self.queue(append) {
            Ok(pending) => pending.await,
            Err(QueueFull { append, .. }) => {
                return Err(AppendError::Unavailable {
                    record: append.record,
                    reserved: Reserved::No,
                });
            }
        };
        if matches!(
            outcome,
            Err(AppendError::Conflict { .. } | AppendError::SerialTaken { .. })
        ) {
            self.resume(&stream);
        }
        outcome
    }

    /// Says that the caller has dropped its tentative state of `stream` and read what came between. Call it after a conflict (or a taken serial),
    /// under the same lock as the state, before queueing on the stream again.
    pub fn resume(&self, stream: &StreamId) {
        self.shared.queue().fenced.remove(stream);
    }

    /// Says that the calling thread, and the runtime it drives, must go on whatever the disk does: what is queued from it is committed
    /// elsewhere. For the one thread of a writer that follows the log, watches and cancels.
    pub fn spare_this_thread(&self) {
        // A second thread that asks is not spared: one is meant, and the first has the word.
        let _ = self.shared.spared.set(thread::current().id());
    }

    /// The writer's name.
    pub fn name(&self) -> &str {
        self.shared.key.writer()
    }

    /// How many appends wait for the commit that is in flight.
    pub fn waiting(&self) -> usize {
        let queue = self.shared.queue();
        queue.urgent.len() + queue.ordinary.len()
    }
}

/// The stream of an append that names its number.
fn exact_stream(item: &Item) -> Option<StreamId> {
    item.drafts
        .first()
        .filter(|_| item.expect != Expect::Next)
        .map(|draft| draft.stream.clone())
}

/// What has to be started once the queue's lock is free.
enum Start {
    /// A leader.
    Leader,
    /// A timer for reports.
    Timer,
    Nothing,
}

impl Queue {
    fn push(&mut self, waiting: Waiting) -> Start {
        let patient = waiting.urgency == Urgency::Patient;
        self.impatient += usize::from(!patient);
        if waiting.urgency == Urgency::Narrowing {
            self.urgent.push_back(waiting);
        } else {
            self.ordinary.push_back(waiting);
        }
        match (self.leading, patient) {
            (true, _) => Start::Nothing,
            (false, true) => self.time(),
            (false, false) => {
                self.leading = true;
                Start::Leader
            }
        }
    }

    fn time(&mut self) -> Start {
        if std::mem::replace(&mut self.timed, true) {
            Start::Nothing
        } else {
            Start::Timer
        }
    }

    fn pop(&mut self) -> Option<Waiting> {
        let next = self.urgent.pop_front().or_else(|| self.ordinary.pop_front())?;
        self.impatient -= usize::from(next.urgency != Urgency::Patient);
        Some(next)
    }

    /// The next batch: what waits. Nobody leads any more when it is empty.
    fn take(&mut self) -> Vec<Waiting> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MOST_ITEMS && bytes < BATCH_BYTES {
            let Some(next) = self.pop() else { break };
            bytes += next.item.drafts.iter().map(|draft| draft.body.len()).sum::<usize>();
            batch.push(next);
        }
        self.leading = !batch.is_empty();
        batch
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conflict(&self, stream: &StreamId) -> Reply {
        Reply::Conflict {
            next_number: self.ledger.store().stream_next(stream),
            epoch: self.ledger.store().head().epoch,
        }
    }

    fn go_on(self: &Arc<Self>, start: Start) {
        let runtime = || Handle::try_current().unwrap_or_else(|_| self.home.clone());
        match start {
            Start::Leader => drop(runtime().spawn(Leader::new(self).lead())),
            Start::Timer => drop(runtime().spawn(lead_reports(Arc::clone(self)))),
            Start::Nothing => {}
        }
    }

    /// The next batch; `None` when nothing waits but reports that may wait longer. Then nobody leads any more.
    fn take(self: &Arc<Self>) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        if queue.impatient == 0 {
            queue.leading = false;
            let start = if queue.ordinary.is_empty() {
                Start::Nothing
            } else {
                queue.time()
            };
            drop(queue);
            self.go_on(start);
            return None;
        }
        Some(queue.take())
    }

    /// Fences the streams on which something lost and takes out what was queued behind it; before any answer is given.
    fn fence(&self, lost: Vec<StreamId>) {
        if lost.is_empty() {
            return;
        }
        let mut behind = Vec::new();
        {
            let mut queue = self.queue();
            queue.fenced.extend(lost);
            let Queue {
                urgent,
                ordinary,
                fenced,
                impatient,
                ..
            } = &mut *queue;
            for part in [urgent, ordinary] {
                for waiting in std::mem::take(part) {
                    if waiting.exact.as_ref().is_some_and(|stream| fenced.contains(stream)) {
                        *impatient -= usize::from(waiting.urgency != Urgency::Patient);
                        behind.push(waiting);
                    } else {
                        part.push_back(waiting);
                    }
                }
            }
        }
        answers::give_all(behind.into_iter().map(|Waiting { exact, sink, .. }| {
            let stream = exact.unwrap_or_else(StreamId::house);
            (sink, self.conflict(&stream))
        }));
    }

    fn answer(&self, batch: Vec<Waiting>, committed: Committed) {
        let lost = batch
            .iter()
            .zip(&committed.outcomes)
            .filter(|(_, outcome)| matches!(outcome, Outcome::Conflict { .. } | Outcome::SerialTaken));
        self.fence(lost.filter_map(|(waiting, _)| waiting.exact.clone()).collect());
        answers::give_all(batch.into_iter().zip(committed.outcomes).map(|(waiting, outcome)| {
            let reply = match outcome {
                Outcome::Recorded(proof) => Reply::Recorded(proof.0),
                Outcome::Conflict { next_number, epoch } => Reply::Conflict { next_number, epoch },
                Outcome::SerialTaken => Reply::SerialTaken,
                Outcome::AlreadyRecorded { position, number } => Reply::AlreadyRecorded { position, number },
            };
            (waiting.sink, reply)
        }));
    }

    /// Whether a batch may be committed on the calling thread: a lone append that widens, while the disk is quick.
    fn fits_here(&self, batch: &[Waiting]) -> bool {
        let alone = batch.iter().filter(|one| one.urgency != Urgency::Patient).count() == 1;
        let narrows = batch.iter().any(|one| one.urgency == Urgency::Narrowing);
        let spared = self.spared.get() == Some(&thread::current().id());
        alone && !narrows && !spared && !self.slow.load(Ordering::Relaxed)
    }

    /// What narrows goes to the reserve file when the queue has no room for it: it happens all the same, and is found again at the next start.
    fn keep_aside(self: &Arc<Self>, item: Item) {
        if self.keeping.fetch_add(1, Ordering::AcqRel) >= MOST_KEEPING {
            self.keeping.fetch_sub(1, Ordering::AcqRel);
            tracing::error!("the reserve file does not keep up; a record of an act that narrows is lost");
            return;
        }
        let shared = Arc::clone(self);
        let runtime = Handle::try_current().unwrap_or_else(|_| self.home.clone());
        drop(runtime.spawn(async move {
            let reserved = shared.ledger.keep(item, shared.key.clone()).await;
            shared.keeping.fetch_sub(1, Ordering::AcqRel);
            tracing::warn!(
                ?reserved,
                "the ledger's queue is full; a record of an act that narrows went to the reserve file"
            );
        }));
    }

    /// Nothing was written, or nobody knows. What narrows goes to the reserve file.
    async fn answer_failed(&self, batch: Vec<Waiting>, error: &StoreError) {
        self.fence(batch.iter().filter_map(|waiting| waiting.exact.clone()).collect());
        let unknown = matches!(error, StoreError::Failed(_));
        for waiting in batch {
            let reserved = if waiting.urgency == Urgency::Narrowing {
                self.ledger.keep(waiting.item, self.key.clone()).await
            } else {
                Reserved::No
            };
            waiting.sink.give(if unknown {
                Reply::Unknown(reserved)
            } else {
                Reply::Unavailable(reserved)
            });
        }
    }
}

/// Whoever commits for a writer. Dropped half-way (its runtime went away), it closes the ledger: nobody knows how the commit ended.
struct Leader {
    shared: Arc<Shared>,
    in_flight: bool,
    done: bool,
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if self.in_flight {
            self.shared
                .ledger
                .close_because("a commit was abandoned: the runtime that ran it went away");
        }
        self.shared.queue().leading = false;
    }
}

/// Commits the reports that waited long enough, unless somebody did.
async fn lead_reports(shared: Arc<Shared>) {
    tokio::time::sleep(PATIENCE).await;
    let batch = {
        let mut queue = shared.queue();
        queue.timed = false;
        if queue.leading {
            return;
        }
        queue.take()
    };
    if !batch.is_empty() {
        Leader::new(&shared).hand_over(batch);
    }
}

impl Leader {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            in_flight: false,
            done: false,
        }
    }

    /// Commits a lone append here where it may; all else, and what arrives meanwhile, goes to the ledger's thread.
    async fn lead(mut self) {
        let Some(first) = self.shared.take() else {
            return self.finish();
        };
        if !self.shared.fits_here(&first) {
            return self.hand_over(first);
        }
        self.commit(first).await;
        match self.shared.take() {
            Some(next) => self.hand_over(next),
            None => self.finish(),
        }
    }

    fn hand_over(mut self, first: Vec<Waiting>) {
        let ledger = Arc::clone(&self.shared.ledger);
        ledger.committer().spawn(async move {
            let mut batch = first;
            loop {
                self.commit(batch).await;
                match self.shared.take() {
                    Some(next) => batch = next,
                    None => break,
                }
            }
            self.finish();
        });
    }

    fn finish(mut self) {
        self.done = true;
    }

    async fn commit(&mut self, mut batch: Vec<Waiting>) {
        self.in_flight = true;
        let shared = &self.shared;
        let items: Result<Vec<Item>, _> = batch
            .iter_mut()
            .map(|waiting| {
                for (draft, text) in std::mem::take(&mut waiting.sealed) {
                    waiting.item.sealed.push((draft, shared.ledger.seal(&text)?));
                }
                // Only what narrows is needed again, for the reserve file.
                let kept = if waiting.urgency == Urgency::Narrowing {
                    waiting.item.clone()
                } else {
                    Item::default()
                };
                Ok(std::mem::replace(&mut waiting.item, kept))
            })
            .collect();
        let began = Instant::now();
        let outcome = match items {
            Ok(items) => shared.ledger.commit(items, &shared.key).await,
            Err(error) => Err(error),
        };
        shared.slow.store(began.elapsed() > SLOW, Ordering::Relaxed);
        match outcome {
            Ok(committed) => shared.answer(batch, committed),
            Err(error) => shared.answer_failed(batch, &error).await,
        }
        self.in_flight = false;
    }
}

/// The answer to a queued append.
#[must_use = "nothing has happened until the append is recorded"]
pub struct Pending<R> {
    record: Option<R>,
    answer: oneshot::Receiver<Reply>,
}

impl<R> Unpin for Pending<R> {}

impl<R> Future for Pending<R> {
    type Output = Result<Recorded<R>, AppendError<R>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(reply) = Pin::new(&mut self.answer).poll(context) else {
            return Poll::Pending;
        };
        let record = self
            .record
            .take()
            .expect("a future is not polled again after it was ready");
        Poll::Ready(concluded(record, reply.unwrap_or(Reply::Unknown(Reserved::No))))
    }
}

/// The record with the proof that it is durable, or with the reason why not.
fn concluded<R>(record: R, reply: Reply) -> Result<Recorded<R>, AppendError<R>> {
    match reply {
        Reply::Recorded(proof) => Ok(Recorded { record, proof }),
        Reply::Conflict { next_number, epoch } => Err(AppendError::Conflict {
            record,
            next_number,
            epoch,
        }),
        Reply::SerialTaken => Err(AppendError::SerialTaken { record }),
        Reply::AlreadyRecorded { position, number } => Err(AppendError::AlreadyRecorded {
            record,
            position,
            number,
        }),
        Reply::Unavailable(reserved) => Err(AppendError::Unavailable { record, reserved }),
        Reply::Unknown(reserved) => Err(AppendError::Unknown { record, reserved }),
    }
}
