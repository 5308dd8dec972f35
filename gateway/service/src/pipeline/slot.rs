//! One agent as this gateway holds it: its folded state, its gate, what is on its way to the ledger.
//!
//! The state is *tentative*: it counts entries that are queued and not yet durable, so that the next order need not wait for
//! the last one's fsync. When one of them loses its number to another writer the slot is *stale*; it is then folded again from
//! the ledger before anything else is decided ([`Slot::resync`]). Nothing is sent or answered before durability, so a wrong
//! guess is never seen outside.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use anomaly::ApprovedBaseline;
use ca_core::{events::AgentRegistered, register::is_held};
use extensions::{AgentId, Digest, OwnerId, Record, StreamId, Timestamp, canonical};
use gateway_policy::{AgentEvent, AgentExposure, AgentState, CancelState, DecisionKind, EntryAt, StateDigest};
use ledger::{Append, AppendError, CommittedEntry, Ledger, LedgerError, Recorded, Writer};
use revocation_core::{HaltReported, Standing, StandingEvent, standing::Mode};
use tokio::sync::Notify;

use super::{
    cancel::Running,
    decisions::Decisions,
    endings::Endings,
    exposures::Exposures,
    halt::Owed,
    known_ids::KnownIds,
    replacing::Replacing,
    unread::{Admission, MessageBound, QUESTIONS_PER_SECOND},
};
use crate::api::nonces::Nonces;

/// Entries read from the ledger at a time while folding.
const FOLD_PAGE: usize = 4_096;
/// Reports that may wait for a stale slot to be folded again.
const DEFERRED_REPORTS: usize = 4_096;

/// One agent.
pub struct Slot {
    /// The agent.
    pub agent: AgentId,
    stream: StreamId,
    halted: AtomicBool,
    /// The halt that was carried out and has no record yet.
    owed: Mutex<Option<Owed>>,
    carrying_out: Arc<AtomicUsize>,
    inner: Mutex<Inner>,
    decisions: Arc<Decisions>,
    exposures: Arc<Exposures>,
    syncing: tokio::sync::Mutex<()>,
    drained: Notify,
    /// The cancels that this process is sending, by the number of the permit.
    pub(super) cancels: Running,
    /// The orders that this process is replacing.
    pub(super) replacing: Replacing,
    /// Told whenever an outcome, a fill or a standing was recorded.
    pub changed: Notify,
}

/// What the slot's lock guards.
pub struct Inner {
    /// The state, queued entries included.
    pub state: AgentState,
    /// Every id the agent ever used.
    pub known: KnownIds,
    /// The baseline in force.
    pub baseline: Option<Arc<ApprovedBaseline>>,
    /// Nonces of signed requests.
    pub nonces: Nonces,
    /// Who answers for it, by its registration.
    pub owner: Option<OwnerId>,
    /// The flood bound.
    pub messages: MessageBound,
    /// The bound on questions that read the ledger or the venue.
    pub questions: MessageBound,
    /// How each order of late ended.
    pub endings: Endings,
    /// The mandate that a halt by score or by a passed deadline was decided under, until officers reinstate.
    pub halted_under: Option<Digest>,
    proposed: Option<anomaly::BaselineProposed>,
    /// The next number when a digest was due and nothing on its way, as looked at last.
    quiet_at: Option<u64>,
    /// Entries below this number were read back from the ledger, whoever wrote them.
    folded_to: u64,
    /// The number of the latest revocation, and whether somebody reported its cancels.
    revocation: Option<(u64, bool)>,
    unreadable: bool,
    stale: bool,
    pending: usize,
    deferred: Vec<Report>,
}

/// A report that waits for its turn: told without a number, appended `Next`.
pub struct Report {
    event: AgentEvent,
    kind: &'static str,
    body: Vec<u8>,
    id: String,
    at: Timestamp,
    narrowing: bool,
    noticed: bool,
    owed: bool,
    beside: Vec<Box<dyn Record + Send>>,
}

impl Report {
    /// A report of `record` at `at`, idempotent by `id`.
    pub fn new(record: impl Record + Into<AgentEvent>, id: String, at: Timestamp) -> Self {
        let mut body = Vec::with_capacity(256);
        record.write_body(&mut body);
        Self {
            kind: record.kind(),
            event: record.into(),
            body,
            id,
            at,
            narrowing: false,
            noticed: false,
            owed: false,
            beside: Vec::new(),
        }
    }

    /// The same, for what was noticed by looking: it is dropped when the state knows it already.
    #[must_use]
    pub fn noticed(mut self) -> Self {
        self.noticed = true;
        self
    }

    /// The same, for the halt that has no record yet: it is owed no longer once this is recorded.
    #[must_use]
    pub(super) fn owed(mut self) -> Self {
        self.owed = true;
        self
    }

    /// The same, with `record` of the same stream in the same append: one that moves no state of the order path.
    #[must_use]
    pub fn beside(mut self, record: impl Record + Send + 'static) -> Self {
        self.beside.push(Box::new(record));
        self
    }

    /// The same to the front of the queue, and to the reserve file when the ledger cannot write.
    #[must_use]
    pub fn narrowing(mut self) -> Self {
        self.narrowing = true;
        self
    }
}

/// Whether it matters what stands before it. What narrows is recorded before reports that were queued earlier: with most that makes the same
/// state, but a cancel that could not be sent ends no later one, and a revocation is answered by its number.
fn goes_by_order(event: &AgentEvent) -> bool {
    match event {
        AgentEvent::CancelOutcome(outcome) => matches!(outcome.state, CancelState::CouldNot { .. }),
        AgentEvent::Standing(event) => matches!(event, StandingEvent::Revoked(_)),
        _ => false,
    }
}

/// A halt is being carried out.
pub struct CarryingOut(Arc<AtomicUsize>);

impl Drop for CarryingOut {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The written form of a report: what the ledger takes.
struct Written {
    stream: StreamId,
    kind: &'static str,
    body: Vec<u8>,
}

impl Record for Written {
    fn stream(&self) -> StreamId {
        self.stream.clone()
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.body);
    }
}

impl Slot {
    /// The slot of an agent whose stream is empty so far.
    #[must_use]
    pub fn new(agent: AgentId, decisions: Arc<Decisions>, exposures: Arc<Exposures>) -> Self {
        Self {
            agent,
            stream: StreamId::agent(&agent),
            halted: AtomicBool::new(false),
            owed: Mutex::default(),
            carrying_out: Arc::default(),
            inner: Mutex::new(Inner::empty(agent)),
            decisions,
            exposures,
            syncing: tokio::sync::Mutex::new(()),
            drained: Notify::new(),
            cancels: Running::default(),
            replacing: Replacing::default(),
            changed: Notify::new(),
        }
    }

    /// Closes the gate: from now on nothing is sent for this agent by this process. Needs no lock and cannot fail.
    pub fn close_gate(&self) {
        self.halted.store(true, Ordering::SeqCst);
    }

    /// Opens the gate when nothing that is folded or queued keeps it closed at `now`: after officers resumed or reinstated the
    /// agent, and after a halt lost its number to another writer. A stale slot is looked at again once it is folded. While the house or
    /// the owner is revoked it stays closed, whatever the agent's own standing: `house` is what it may do at most.
    pub fn reconsider_gate(&self, house: Mode, now: Timestamp) {
        if house == Mode::Revoked {
            return;
        }
        let inner = self.lock();
        let stopped = matches!(inner.state.standing_at(now), Standing::Revoked | Standing::Frozen);
        if !inner.stale && !stopped && !self.has_unrecorded_halt() {
            self.halted.store(false, Ordering::SeqCst);
        }
    }

    /// Closes the gate until the halt has its record: the agent was halted and the ledger could not write it down. Says whether that is news.
    pub fn halt_unrecorded(&self, halt: Owed) -> bool {
        self.close_gate();
        let mut owed = self.owed();
        let news = owed.is_none();
        owed.get_or_insert(halt);
        news
    }

    /// The halt that has no record yet.
    pub(super) fn owed(&self) -> MutexGuard<'_, Option<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the agent was halted without a record.
    #[must_use]
    pub fn has_unrecorded_halt(&self) -> bool {
        self.owed().is_some()
    }

    /// Counts a halt whose cancels this process sends, until the guard is dropped.
    pub fn carrying_out(&self) -> CarryingOut {
        self.carrying_out.fetch_add(1, Ordering::SeqCst);
        CarryingOut(self.carrying_out.clone())
    }

    /// The number of a revocation whose cancels nobody has reported and nobody here is sending.
    #[must_use]
    pub fn abandoned_halt(&self) -> Option<u64> {
        let idle = self.carrying_out.load(Ordering::SeqCst) == 0;
        let revocation = self.lock().revocation();
        revocation.and_then(|(number, reported)| (idle && !reported).then_some(number))
    }

    /// Whether orders may be sent.
    #[must_use]
    pub fn gate_open(&self) -> bool {
        !self.halted.load(Ordering::SeqCst)
    }

    /// Whether another question that scans the ledger, or asks the venue, is within the bot's bound.
    pub fn admits_question(&self, now: Instant) -> bool {
        let admission = self.lock().questions.admit(now, QUESTIONS_PER_SECOND);
        matches!(admission, Admission::Read(_))
    }

    /// The agent's stream.
    #[must_use]
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The lock. Held for a decision and its queueing, never across an await.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Folds an entry that the ledger committed. `own` says that this gateway wrote it, and so has folded it already.
    pub fn follow(&self, entry: &CommittedEntry, own: bool) {
        let mut inner = self.lock();
        let known = entry.number < inner.folded_to || own && entry.number < inner.state.next_number();
        if known || inner.stale {
            return;
        }
        if entry.number == inner.state.next_number() {
            inner.fold(entry, &self.decisions);
        } else {
            // Another writer took a number that was meant for one of ours, or an entry was missed.
            inner.stale = true;
        }
        self.weigh(&inner);
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Puts what the agent has at stake, as `inner` says, where limits above it are kept. Called with the lock held whenever that may have moved.
    ///
    /// While the state waits to be folded again its part stays as it was: it counts what was queued and lost, and leaves out no permit of this
    /// gateway's.
    pub fn weigh(&self, inner: &Inner) {
        if !self.exposures.is_kept() {
            return;
        }
        let part = if inner.unreadable {
            AgentExposure::untold()
        } else {
            AgentExposure::of(&inner.state)
        };
        let mut book = self.exposures.lock();
        book.put(self.agent, inner.owner, part);
        book.stale(self.agent, inner.stale);
    }

    /// Reports events in their order: applies them to the state, counts their numbers, queues them. A stale slot keeps them until it is
    /// folded again, unless they narrow: those are queued at once, and read back when the slot is folded.
    ///
    /// The answer of the ledger is not waited for; a report that cannot be written is found again by recovery, or kept in the
    /// reserve file when it narrows.
    pub fn report(self: &Arc<Self>, writer: &Writer, reports: impl IntoIterator<Item = Report>) {
        let mut inner = self.lock();
        for report in reports {
            if report.noticed && !inner.stale && inner.state.knows(&report.event) {
                continue;
            }
            if !inner.stale || report.narrowing {
                self.queue_report(&mut inner, writer, report);
            } else if inner.deferred.len() < DEFERRED_REPORTS {
                inner.deferred.push(report);
            } else {
                tracing::error!(agent = %self.agent, "too many reports wait for the ledger; one is left to recovery");
            }
        }
        self.weigh(&inner);
        drop(inner);
        self.changed.notify_waiters();
    }

    fn queue_report(self: &Arc<Self>, inner: &mut Inner, writer: &Writer, report: Report) {
        let Report {
            event,
            kind,
            body,
            id,
            at,
            narrowing,
            noticed: _,
            owed,
            beside,
        } = report;
        let further = beside.len();
        let mut append = Append::next(
            Written {
                stream: self.stream.clone(),
                kind,
                body,
            },
            at,
        )
        .with_id(id);
        append.also = beside;
        let append = if narrowing {
            append.narrowing()
        } else {
            append.patient()
        };
        let slot = self.clone();
        let place = (!inner.stale && goes_by_order(&event)).then(|| inner.state.next_number());
        if let Some(halt) = self.owed().as_mut().filter(|_| owed) {
            halt.queued = true;
        }
        let told = writer.tell(append, move |answer| slot.reported(answer, owed, place));
        match told {
            Ok(()) => {
                if !inner.stale {
                    inner.apply(at, &event);
                    (0..further).for_each(|_| inner.apply(at, &AgentEvent::Other));
                }
                inner.pending += 1;
            }
            Err(refused) => {
                tracing::error!(agent = %self.agent, error = %refused, "a report was not queued; recovery will find it");
                if owed {
                    self.owe_again();
                }
                // Nothing of it was folded: the state is still what the log says. What narrows lies in the reserve file.
            }
        }
    }

    /// Appends the digest of the state when one is due and nothing has moved since this was called last: the next order would carry it, and none
    /// comes. It names the number it was made at, so it is never told of another state.
    pub fn digest_tail(self: &Arc<Self>, writer: &Writer, now: Timestamp, epoch: u64) {
        let mut inner = self.lock();
        let next = inner.state.next_number();
        let due = inner.state.digest_due() && !inner.stale && !inner.unreadable && inner.pending == 0;
        let quiet = std::mem::replace(&mut inner.quiet_at, due.then_some(next)) == Some(next);
        let Some(folded_to) = inner.state.folded_to().filter(|_| due && quiet) else {
            return;
        };
        let digest = StateDigest {
            agent: self.agent,
            digest: inner.state.digest(),
            folded_to,
        };
        let mut body = Vec::with_capacity(256);
        digest.write_body(&mut body);
        let written = Written {
            stream: self.stream.clone(),
            kind: StateDigest::KIND,
            body,
        };
        let append = Append::exactly(written, now, next, epoch).patient();
        let slot = self.clone();
        if writer
            .tell(append, move |answer| slot.reported(answer, false, None))
            .is_ok()
        {
            inner.apply(now, &digest.into());
            inner.pending += 1;
        }
    }

    /// Takes note of the ledger's answer to a report; `place` is the number it was folded under, where another one makes another state.
    fn reported(&self, answer: Result<Recorded<Written>, AppendError<Written>>, owed: bool, place: Option<u64>) {
        let lost = match answer {
            Ok(recorded) => {
                if owed {
                    // From now on the stream says it, and officers may end it.
                    *self.owed() = None;
                }
                recorded.is_repeat() || place.is_some_and(|place| place != recorded.number())
            }
            Err(error) => {
                tracing::error!(agent = %self.agent, %error, "a report was not recorded");
                if owed {
                    self.owe_again();
                }
                true
            }
        };
        self.answered(lost);
    }

    fn owe_again(&self) {
        if let Some(halt) = self.owed().as_mut() {
            halt.queued = false;
        }
    }

    /// Counts an append that was queued under the lock.
    pub fn queued(inner: &mut Inner) {
        inner.pending += 1;
    }

    /// Takes note of the ledger's answer to a queued append; `lost` when the state no longer holds.
    pub fn answered(&self, lost: bool) {
        let mut inner = self.lock();
        inner.pending = inner.pending.saturating_sub(1);
        inner.stale |= lost;
        if lost {
            self.weigh(&inner);
        }
        let drained = inner.pending == 0;
        drop(inner);
        if drained {
            self.drained.notify_waiters();
        }
    }

    /// Folds a stale slot again from the ledger. One caller does it, the others wait.
    ///
    /// # Errors
    /// When the ledger cannot be read; the slot stays stale and decides nothing.
    pub async fn resync(self: &Arc<Self>, ledger: &Ledger, writer: &Writer) -> Result<(), LedgerError> {
        let _one = self.syncing.lock().await;
        while self.lock().stale {
            self.drain().await;
            let mut fresh = Inner::empty(self.agent);
            loop {
                let page = ledger
                    .read_stream(&self.stream, fresh.state.next_number(), FOLD_PAGE)
                    .await?;
                for entry in page.iter() {
                    if is_held(&entry.kind) {
                        self.decisions.reach(ledger, entry.position).await?;
                    }
                    fresh.fold(entry, &self.decisions);
                }
                if page.len() < FOLD_PAGE {
                    break;
                }
            }
            let mut inner = self.lock();
            if inner.pending > 0 || fresh.state.next_number() < ledger.stream_next(&self.stream) {
                continue;
            }
            fresh.folded_to = fresh.state.next_number();
            fresh.nonces = std::mem::take(&mut inner.nonces);
            fresh.messages = std::mem::take(&mut inner.messages);
            fresh.questions = std::mem::take(&mut inner.questions);
            if self.has_unrecorded_halt() {
                fresh.halted_under = fresh.halted_under.or(inner.halted_under);
            }
            let deferred = std::mem::take(&mut inner.deferred);
            *inner = fresh;
            writer.resume(&self.stream);
            for report in deferred {
                self.queue_report(&mut inner, writer, report);
            }
            self.weigh(&inner);
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// Whether somebody is folding it again.
    #[must_use]
    pub fn is_syncing(&self) -> bool {
        self.syncing.try_lock().is_err()
    }

    async fn drain(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if self.lock().pending == 0 {
                return;
            }
            drained.await;
        }
    }
}

impl Inner {
    fn empty(agent: AgentId) -> Self {
        Self {
            state: AgentState::new(agent),
            known: KnownIds::default(),
            baseline: None,
            nonces: Nonces::default(),
            owner: None,
            messages: MessageBound::default(),
            questions: MessageBound::default(),
            endings: Endings::default(),
            halted_under: None,
            proposed: None,
            quiet_at: None,
            folded_to: 0,
            revocation: None,
            unreadable: false,
            stale: false,
            pending: 0,
            deferred: Vec::new(),
        }
    }

    /// Whether the state may be decided on; otherwise [`Slot::resync`] first.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// The number of the latest revocation, when it stands in a folded stream, and whether its cancels are reported.
    #[must_use]
    pub fn revocation(&self) -> Option<(u64, bool)> {
        self.revocation.filter(|_| !self.stale)
    }

    /// Takes note that the cancels of the revocation `revoked` are reported.
    pub fn halt_reported(&mut self, revoked: u64) {
        self.revocation = self
            .revocation
            .map(|(number, told)| (number, told || number == revoked));
    }

    /// Whether every entry of the stream could be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !self.unreadable
    }

    /// Applies an event of ours under the next number, before it is durable.
    pub fn apply(&mut self, at: Timestamp, event: &AgentEvent) {
        let number = self.state.next_number();
        match event {
            AgentEvent::Decided(decided) => {
                self.known.insert(&decided.order.client_order_id);
                self.endings.decided(number, at, decided);
                if decided.decision == DecisionKind::Halt {
                    self.halted_under = decided.mandate;
                }
            }
            AgentEvent::Outcome(outcome) => self.endings.outcome(outcome),
            // A fill that is told twice, by the order's answer and by the watch, is one.
            AgentEvent::Filled(fill) if !self.state.knows(event) => self.endings.filled(fill),
            AgentEvent::Standing(StandingEvent::Revoked(_)) => self.revocation = Some((number, false)),
            AgentEvent::Standing(StandingEvent::Reinstated(_) | StandingEvent::ProbationStarted(_)) => {
                self.halted_under = None;
                self.revocation = None;
            }
            _ => {}
        }
        self.state.apply(EntryAt { number, at }, event);
    }

    /// Folds a committed entry. One that officers should have signed and did not only takes its number.
    fn fold(&mut self, entry: &CommittedEntry, decisions: &Decisions) {
        if decisions.holds(entry) {
            self.apply_body(entry.at, &entry.kind, entry.body());
        } else {
            self.apply(entry.at, &AgentEvent::Other);
        }
    }

    /// Applies a body of ours that goes into the same append as a decision.
    pub fn apply_body(&mut self, at: Timestamp, kind: &str, body: &[u8]) {
        match AgentEvent::decode(kind, body) {
            Ok(event) => self.apply(at, &event),
            Err(error) => {
                tracing::error!(kind, %error, "an entry of an agent's stream cannot be read; the agent is refused");
                self.unreadable = true;
                self.apply(at, &AgentEvent::Other);
            }
        }
        match kind {
            // The first entry of the stream: whoever may append cannot put another before it.
            "agent.registered" if self.owner.is_none() => {
                self.owner = canonical::from_slice::<AgentRegistered>(body)
                    .ok()
                    .map(|registered| registered.owner);
            }
            "baseline.proposed" => self.proposed = canonical::from_slice(body).ok(),
            "baseline.approved" => self.approve_baseline(body),
            HaltReported::KIND => {
                if let Ok(reported) = canonical::from_slice::<HaltReported>(body) {
                    self.halt_reported(reported.revoked);
                }
            }
            _ => {}
        }
    }

    fn approve_baseline(&mut self, body: &[u8]) {
        let approval = canonical::from_slice::<anomaly::BaselineApproved>(body).ok();
        let proposed = self
            .proposed
            .take()
            .and_then(|p| anomaly::ProposedBaseline::new(p.baseline).ok());
        let (Some(approval), Some(proposed)) = (approval, proposed) else {
            self.baseline = None;
            return;
        };
        self.baseline = proposed.approve(&approval).ok().map(Arc::new);
    }
}
