//! One order through the spine: decide, record, act (ARCHITECTURE §1, §4).
//!
//! The agent's turn ends when its entry is queued. If the entry then loses its number to another writer, the slot is folded
//! again and the order decided again; nothing is answered or sent before its record is durable.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{IncidentId, Record, SealedText};
use gateway_policy::{
    AgentEvent, AgentExposure, AgentState, Decision, Exposure, Facts, FailedCheck, Halt, Known, OrderDecided,
    ParsedOrder, Permit, Proof, Refusal, SignedBy, decide, facts::Mandate,
};
use ledger::{Append, AppendError, Pending, QueueFull, Receipt, Recorded};
use tokio::{sync::oneshot, time::timeout};

use super::{
    endings::OrderStory,
    forward, halt,
    slot::{Inner, Slot},
};
use crate::{
    gateway::{Gateway, HouseView, Venues},
    metrics::Metrics,
    session::Session,
};

/// How often an order is decided again because others wrote first, before it is given up.
pub(super) const MOST_ATTEMPTS: u32 = 32;
/// How long a slot that lost a number may take to be folded again.
pub(super) const FOLD_PATIENCE: Duration = Duration::from_secs(5);
/// How long a decision waits for a newer epoch to be followed.
const EPOCH_PATIENCE: Duration = Duration::from_secs(1);

/// How one order ended, for its bot.
#[derive(Debug)]
pub enum Submitted {
    /// The venue has answered, or it is in doubt, or it was withheld.
    Forwarded(OrderStory, Receipt),
    /// The id was used before for the same order: the story so far.
    Repeated(OrderStory),
    /// Refused, and recorded so.
    Refused(Vec<FailedCheck>, Receipt),
    /// Refused, and the agent revoked; the incident that was opened.
    Halted(Vec<FailedCheck>, Receipt, IncidentId),
    /// Nothing could be recorded; the order does not stand.
    Unavailable(String),
}

/// What comes with an order besides itself.
pub struct Signed {
    /// The result of its signature.
    pub proof: Proof,
    /// Who says to have made it, where that is not the bot itself.
    pub by: Option<SignedBy>,
    /// What was signed, kept sealed as evidence.
    pub evidence: Option<String>,
}

/// A permit that is recorded and waits for the other one of its list. Whoever has it forwards or withholds it.
pub struct Held {
    /// The recorded permit.
    pub recorded: Recorded<Permit>,
    /// When it was decided.
    pub decided: Instant,
}

/// What becomes of a permit once it is recorded.
#[derive(Clone, Copy)]
enum Way {
    /// It is sent.
    Sent,
    /// It waits.
    Held,
    /// There is none: the order is to take the place of this open one.
    Instead(u64),
}

/// How a decision ended.
#[allow(clippy::large_enum_variant)] // nearly every end is the large one; boxing would allocate on the order path
enum Ended {
    Told(Submitted),
    Held(Box<Held>),
    /// It would be permitted once the order whose place it takes is gone.
    Free,
}

/// A decision on its way to the ledger.
enum Queued {
    Permit(Pending<Permit>, Instant),
    Refusal(Pending<Refusal>),
    Halt(Pending<Halt>, Box<halt::Consequence>),
}

#[allow(clippy::large_enum_variant)] // nearly every turn is the large one; boxing would allocate on the order path
enum Turn {
    Queued(Queued),
    Repeat,
    Full(String),
    HaltFull(String, Box<halt::Consequence>),
    /// It would be permitted once the order whose place it takes is gone.
    Free,
    Stale,
}

/// Submits one well-formed order of an authenticated session.
pub async fn submit(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    session: &Arc<Session>,
    order: &ParsedOrder,
    signed: &Signed,
) -> Submitted {
    Metrics::count(&gateway.metrics.orders);
    match decided(gateway, venues, session, order, signed, Way::Sent).await {
        Ended::Told(submitted) => submitted,
        Ended::Held(_) | Ended::Free => unavailable(gateway, "it was decided as another order".to_owned()),
    }
}

/// Decides and records an order, and hands a permit out instead of sending it.
///
/// # Errors
/// What the bot is told when there is no permit.
pub async fn held(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    session: &Arc<Session>,
    order: &ParsedOrder,
    signed: &Signed,
) -> Result<Held, Submitted> {
    Metrics::count(&gateway.metrics.orders);
    match decided(gateway, venues, session, order, signed, Way::Held).await {
        Ended::Held(held) => Ok(*held),
        Ended::Told(submitted) => Err(submitted),
        Ended::Free => Err(unavailable(gateway, "it was decided as another order".to_owned())),
    }
}

/// Asks the gate about an order that is to take the place of an open one, `instead`. `None` when it would be permitted once that one is gone: then nothing is
/// recorded and nothing is sent. Otherwise it is decided as any order, beside the open one, which only makes it harder to permit, and recorded so.
pub async fn refused_instead(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    session: &Arc<Session>,
    order: &ParsedOrder,
    signed: &Signed,
    instead: u64,
) -> Option<Submitted> {
    match decided(gateway, venues, session, order, signed, Way::Instead(instead)).await {
        Ended::Told(refused) => {
            Metrics::count(&gateway.metrics.orders);
            Some(refused)
        }
        Ended::Held(_) | Ended::Free => None,
    }
}

/// Decides until the decision is recorded.
async fn decided(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    session: &Arc<Session>,
    order: &ParsedOrder,
    signed: &Signed,
    way: Way,
) -> Ended {
    let told = |submitted| Ended::Told(submitted);
    let slot = &session.slot;
    for _ in 0..MOST_ATTEMPTS {
        let known = match indexed(gateway, slot, order).await {
            Ok(known) => known,
            Err(error) => return told(unavailable(gateway, error.to_string())),
        };
        let lost = match take_turn(gateway, session, order, signed, known, way) {
            Turn::Queued(queued) => match concluded(gateway, venues, session, queued, way).await {
                Ok(ended) => return ended,
                Err(lost) => lost,
            },
            Turn::Free => return Ended::Free,
            Turn::Repeat => return told(super::repeat::answer(gateway, slot, order).await),
            Turn::Full(reason) => return told(unavailable(gateway, reason)),
            Turn::HaltFull(reason, consequence) => {
                let lost = Lost::Unavailable(reason.clone());
                halt::unrecorded(gateway, venues, session, &lost, *consequence);
                return told(unavailable(gateway, reason));
            }
            Turn::Stale => Lost::Conflict(0),
        };
        match lost {
            Lost::Conflict(epoch) => {
                Metrics::count(&gateway.metrics.conflicts);
                match timeout(FOLD_PATIENCE, slot.resync(&gateway.ledger, &gateway.writer)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return told(unavailable(gateway, error.to_string())),
                    Err(_) => {
                        let patience = FOLD_PATIENCE.as_secs();
                        let reason = format!("what this agent's orders wait for was not recorded within {patience} s");
                        return told(unavailable(gateway, reason));
                    }
                }
                gateway.reconsider_gate(slot);
                reach_epoch(gateway, epoch).await;
            }
            Lost::Unavailable(reason) => return told(unavailable(gateway, reason)),
        }
    }
    told(unavailable(gateway, "other writers were first too often".to_owned()))
}

type Told = oneshot::Sender<Result<Ended, Lost>>;

/// What follows a queued decision, on a task of its own: a bot that hangs up leaves no uncounted answer of the ledger, no half-sent order and
/// no halt undone behind.
async fn concluded(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    session: &Arc<Session>,
    queued: Queued,
    way: Way,
) -> Result<Ended, Lost> {
    let (told, ended) = oneshot::channel();
    tokio::spawn(conclude(
        gateway.clone(),
        venues.clone(),
        session.clone(),
        queued,
        (way, told),
    ));
    ended.await.unwrap_or_else(|_| {
        let reason = "the gateway is stopping; ask again for the order by its id";
        Ok(Ended::Told(Submitted::Unavailable(reason.to_owned())))
    })
}

async fn conclude(
    gateway: Arc<Gateway>,
    venues: Arc<Venues>,
    session: Arc<Session>,
    queued: Queued,
    (way, told): (Way, Told),
) {
    let slot = session.slot.clone();
    let mut teller = Teller(Some(told));
    match queued {
        Queued::Permit(pending, decided) => {
            let settled = settled(&gateway, &slot, pending);
            match in_time(&gateway, settled, || teller.slow(&gateway)).await {
                Ok(recorded) => {
                    Metrics::count(&gateway.metrics.permits);
                    if matches!(way, Way::Held) {
                        let held = Held { recorded, decided };
                        if let Some(unheard) = teller.hand_over(held) {
                            forward::withhold(&gateway, &slot, unheard, "nobody waited for its permit any more");
                        }
                        return;
                    }
                    let receipt = recorded.receipt();
                    let told = move |story| teller.tell(Ok(Submitted::Forwarded(story, receipt)));
                    forward::forward(&gateway, &venues, &slot, recorded, decided, told).await;
                }
                Err(lost) => teller.tell(Err(lost)),
            }
        }
        Queued::Refusal(pending) => {
            let settled = settled(&gateway, &slot, pending);
            let settled = in_time(&gateway, settled, || teller.slow(&gateway)).await;
            teller.tell(settled.map(|recorded| {
                Metrics::count(&gateway.metrics.refusals);
                Submitted::Refused(recorded.record().checks().to_vec(), recorded.receipt())
            }));
        }
        Queued::Halt(pending, consequence) => {
            conclude_halt(&gateway, &venues, &session, pending, *consequence, teller).await;
        }
    }
}

/// A halt narrows, so it waits for its record no longer than its bot does.
async fn conclude_halt(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    session: &Arc<Session>,
    pending: Pending<Halt>,
    consequence: halt::Consequence,
    mut teller: Teller,
) {
    let slot = &session.slot;
    let carry_out = || {
        halt::carry_out(
            gateway,
            venues,
            slot,
            consequence.plan().clone(),
            gateway_policy::CancelSource::Halt,
        )
    };
    let mut acted = false;
    let settled = in_time(gateway, settled(gateway, slot, pending), || {
        teller.slow(gateway);
        acted = true;
        carry_out();
    });
    match settled.await {
        Ok(recorded) => {
            Metrics::count(&gateway.metrics.halts);
            let (checks, incident) = (recorded.record().checks().to_vec(), consequence.incident());
            teller.tell(Ok(Submitted::Halted(checks, recorded.receipt(), incident)));
            if !acted {
                carry_out();
            }
        }
        Err(lost) => {
            // What was carried out stands, whoever was first: it is reported as what it is.
            let happened = Lost::Unavailable("the halt was carried out before its record".to_owned());
            let how = if acted { &happened } else { &lost };
            halt::unrecorded(gateway, venues, session, how, consequence);
            teller.tell(Err(lost));
        }
    }
}

/// Tells the bot once: how the decision ended, or that the ledger is slow.
struct Teller(Option<Told>);

impl Teller {
    fn tell(&mut self, submitted: Result<Submitted, Lost>) {
        if let Some(told) = self.0.take() {
            // Nobody listening is no error: what was decided happens all the same.
            drop(told.send(submitted.map(Ended::Told)));
        }
    }

    /// Hands a permit over; it comes back where nobody waits for it.
    fn hand_over(&mut self, held: Held) -> Option<Held> {
        let Some(told) = self.0.take() else {
            return Some(held);
        };
        match told.send(Ok(Ended::Held(Box::new(held)))) {
            Err(Ok(Ended::Held(held))) => Some(*held),
            _ => None,
        }
    }

    fn slow(&mut self, gateway: &Gateway) {
        let reason = slow(gateway);
        tracing::error!(gateway = %gateway.settings.id, %reason, "a decision waits for its commit");
        self.tell(Ok(unavailable(gateway, reason)));
    }
}

/// How long an answer of the ledger is waited for. Past it no permit may be sent any more, whatever the ledger says later.
fn patience(gateway: &Gateway) -> Duration {
    gateway.settings.send_deadline + gateway.settings.commit_margin
}

fn slow(gateway: &Gateway) -> String {
    let patience = patience(gateway).as_millis();
    format!(
        "the ledger has not answered within {patience} ms; should it record the order after all, that is withheld, not sent"
    )
}

/// Waits for the ledger's answer to its end; calls `late` when it takes longer than is waited for.
async fn in_time<T>(gateway: &Gateway, settled: impl Future<Output = T>, late: impl FnOnce()) -> T {
    let mut settled = std::pin::pin!(settled);
    match timeout(patience(gateway), settled.as_mut()).await {
        Ok(answer) => answer,
        Err(_) => {
            late();
            settled.await
        }
    }
}

fn unavailable(gateway: &Gateway, reason: String) -> Submitted {
    Metrics::count(&gateway.metrics.unavailable);
    Submitted::Unavailable(reason)
}

/// Why an append did not become a record.
pub enum Lost {
    /// Decide again, under this epoch or a later one.
    Conflict(u64),
    /// The ledger cannot write.
    Unavailable(String),
}

async fn settled<R: Record>(gateway: &Gateway, slot: &Slot, pending: Pending<R>) -> Result<Recorded<R>, Lost> {
    let answer = pending.await;
    slot.answered(answer.is_err());
    answer.map_err(|error| match error {
        AppendError::Conflict { epoch, .. } => Lost::Conflict(epoch),
        AppendError::SerialTaken { .. } | AppendError::AlreadyRecorded { .. } => Lost::Conflict(0),
        error => {
            tracing::error!(agent = %slot.agent, gateway = %gateway.settings.id, %error, "a decision was not recorded");
            Lost::Unavailable(error.to_string())
        }
    })
}

/// Looks an id up in the ledger's index when the state does not remember it and its hash is known.
pub(super) async fn indexed(gateway: &Gateway, slot: &Slot, order: &ParsedOrder) -> Result<Known, ledger::LedgerError> {
    let id = order.order.client_order_id;
    let body = order.body;
    {
        let inner = slot.lock();
        // What the state remembers is handed on: by the time of the turn it may have forgotten it.
        let remembered = inner.state.known(&id, &body).0;
        if remembered != Known::New || !inner.known.may_hold(&id) {
            return Ok(remembered);
        }
    }
    let Some(position) = gateway.ledger.order_position(&slot.agent, &id).await? else {
        return Ok(Known::New);
    };
    let entries = gateway.ledger.read_range(position, 1).await?;
    let stored = entries
        .first()
        .and_then(|e| extensions::canonical::from_slice::<OrderDecided>(e.body()).ok());
    Ok(if stored.is_some_and(|decided| decided.body == body) {
        Known::SameBody
    } else {
        Known::OtherBody
    })
}

/// Decides and queues, under the slot's lock.
fn take_turn(
    gateway: &Gateway,
    session: &Session,
    order: &ParsedOrder,
    signed: &Signed,
    indexed: Known,
    way: Way,
) -> Turn {
    let slot = &session.slot;
    let mut inner = slot.lock();
    if inner.is_stale() {
        return Turn::Stale;
    }
    let body = order.body;
    let known = match inner.state.known(&order.order.client_order_id, &body).0 {
        Known::New => indexed,
        remembered => remembered,
    };
    if known == Known::SameBody {
        return Turn::Repeat;
    }
    let decided = Instant::now();
    let decision = match way {
        Way::Instead(number) => match judged_instead(gateway, session, &inner, order, signed, (known, number)) {
            Some(decision) => decision,
            None => return Turn::Free,
        },
        Way::Sent | Way::Held => judged_and_reserved(gateway, session, &inner, order, signed, known),
    };
    match decision {
        Decision::Permit(_) if matches!(way, Way::Instead(_)) => {
            Turn::Full("the gate's answers with and without the order to replace do not agree".to_owned())
        }
        Decision::Permit(permit) => queue(gateway, slot, &mut inner, permit, order, signed, |pending| {
            Queued::Permit(pending, decided)
        }),
        Decision::Refusal(refusal) => queue(gateway, slot, &mut inner, refusal, order, signed, Queued::Refusal),
        Decision::Halt(halt) => {
            // The gate closes before anything that can fail.
            slot.close_gate();
            let consequence = Box::new(halt::Consequence::of(&halt));
            let kept = consequence.clone();
            let queued = |pending| Queued::Halt(pending, consequence);
            match queue(gateway, slot, &mut inner, halt, order, signed, queued) {
                Turn::Full(reason) => Turn::HaltFull(reason, kept),
                turn => turn,
            }
        }
    }
}

/// Decides, and where groups have limits does so with their book held: a permit is in it before another order is decided.
fn judged_and_reserved(
    gateway: &Gateway,
    session: &Session,
    inner: &Inner,
    order: &ParsedOrder,
    signed: &Signed,
    known: Known,
) -> Decision {
    let house = gateway.house.load();
    let mut book = (!house.state.exposures().is_empty()).then(|| gateway.exposures.lock());
    let unit = &order.order.currency;
    let exposure = book
        .as_ref()
        .and_then(|book| book.told_to(gateway, session, inner, &house.state, unit));
    let found = Found {
        exposure,
        house: &house,
        known,
    };
    let decision = judged(gateway, session, inner, order, (signed.proof, signed.by), found);
    if let (Some(book), Decision::Permit(permit)) = (&mut book, &decision)
        && let Some(value) = permit.reserves()
    {
        book.reserve(session.slot.agent, inner.owner, *unit, value);
    }
    decision
}

/// The gate's word on an order in the place of the open one `number`: none when it would be permitted once that one is gone, in its group too; otherwise
/// the decision beside it. Nothing is reserved.
fn judged_instead(
    gateway: &Gateway,
    session: &Session,
    inner: &Inner,
    order: &ParsedOrder,
    signed: &Signed,
    (known, number): (Known, u64),
) -> Option<Decision> {
    let house = gateway.house.load();
    let without = inner.state.without(number, gateway.clock.now());
    let (alone, beside) = if house.state.exposures().is_empty() {
        (None, None)
    } else {
        let (mut book, unit) = (gateway.exposures.lock(), &order.order.currency);
        let beside = book.told_to(gateway, session, inner, &house.state, unit);
        let part = AgentExposure::of(&without);
        let alone = book.told_with(part, gateway, session, inner, &house.state, unit);
        (alone, beside)
    };
    let judged_with = |state: &AgentState, exposure| {
        let found = Found {
            exposure,
            house: &house,
            known,
        };
        judged_on(
            gateway,
            session,
            (inner, state),
            order,
            (signed.proof, signed.by),
            found,
        )
    };
    let fits = matches!(judged_with(&without, alone), Decision::Permit(_));
    (!fits).then(|| judged_with(&inner.state, beside))
}

/// What was found out about an order beside the order.
pub(super) struct Found<'a> {
    /// What the groups with limits have at stake.
    pub exposure: Option<Exposure>,
    /// The house.
    pub house: &'a HouseView,
    /// What the index knows of its id.
    pub known: Known,
}

/// Gathers what a decision looks at, and decides. Nothing of it is queued here.
pub(super) fn judged(
    gateway: &Gateway,
    session: &Session,
    inner: &Inner,
    order: &ParsedOrder,
    made: (Proof, Option<SignedBy>),
    found: Found<'_>,
) -> Decision {
    judged_on(gateway, session, (inner, &inner.state), order, made, found)
}

/// The same on another state than the agent's.
fn judged_on(
    gateway: &Gateway,
    session: &Session,
    (inner, state): (&Inner, &AgentState),
    order: &ParsedOrder,
    (proof, signed_by): (Proof, Option<SignedBy>),
    Found { exposure, house, known }: Found<'_>,
) -> Decision {
    let mandate = session.mandate(gateway);
    let facts = Facts {
        order,
        certificate: session.certificate_at(gateway.real_clock.now()),
        limits: session.limits.as_ref(),
        mandate: mandate.map(|m| Mandate {
            digest: m.digest,
            document: &m.document,
        }),
        baseline: inner.baseline.as_deref(),
        house: &house.state,
        view: if inner.is_readable() {
            gateway.view()
        } else {
            gateway_policy::View::Stale
        },
        proof,
        signed_by,
        region: house.state.region_of(session.address.ip()),
        reference: gateway
            .prices
            .get(&order.order.counterparty)
            .and_then(|p| p.of(&order.order.instrument)),
        reference_max_age_ms: millis(gateway.settings.reference_max_age),
        exposure,
        known,
        gateway: &gateway.settings.id,
        send_within_ms: millis(gateway.settings.send_deadline),
        epoch: house.epoch,
    };
    decide(&facts, state, gateway.clock.now())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// What the three decisions have in common here.
trait Decided: Record + Send + 'static {
    fn seal(&mut self, reasoning: Option<SealedText>, evidence: Option<SealedText>);
    fn parts(
        &mut self,
    ) -> (
        OrderDecided,
        Vec<Box<dyn Record + Send>>,
        u64,
        u64,
        extensions::Timestamp,
    );
}

macro_rules! decided {
    ($type:ty) => {
        impl Decided for $type {
            fn seal(&mut self, reasoning: Option<SealedText>, evidence: Option<SealedText>) {
                if let Some(text) = reasoning {
                    self.seal_reasoning(text);
                }
                if let Some(text) = evidence {
                    self.seal_signed_request(text);
                }
            }
            fn parts(
                &mut self,
            ) -> (
                OrderDecided,
                Vec<Box<dyn Record + Send>>,
                u64,
                u64,
                extensions::Timestamp,
            ) {
                let also = self.take_also();
                (
                    self.decided().clone(),
                    also,
                    self.number(),
                    self.epoch(),
                    self.decided_at(),
                )
            }
        }
    };
}
decided!(Permit);
decided!(Refusal);
decided!(Halt);

fn queue<R: Decided>(
    gateway: &Gateway,
    slot: &Slot,
    inner: &mut Inner,
    mut record: R,
    order: &ParsedOrder,
    signed: &Signed,
    queued: impl FnOnce(Pending<R>) -> Queued,
) -> Turn {
    let seal = |text: &str| SealedText {
        subject: format!("agent:{}", slot.agent),
        salt: super::salt(),
        text: text.to_owned(),
    };
    let reasoning = order.reasoning.as_ref().map(|reasoning| seal(reasoning.as_str()));
    record.seal(reasoning, signed.evidence.as_deref().map(seal));
    let (decided, also, number, epoch, at) = record.parts();
    let bodies: Vec<(&'static str, Vec<u8>)> = also.iter().map(|record| body_of(record.as_ref())).collect();
    let mut append = Append::exactly(record, at, number, epoch);
    append.also = also;
    match gateway.writer.queue(append) {
        Ok(pending) => {
            inner.apply(at, &AgentEvent::Decided(decided));
            bodies.iter().for_each(|(kind, body)| inner.apply_body(at, kind, body));
            Slot::queued(inner);
            slot.weigh(inner);
            Turn::Queued(queued(pending))
        }
        Err(QueueFull { reason, .. }) => {
            // Nothing of it was folded: what was reserved for it is free again.
            slot.weigh(inner);
            Turn::Full(reason.to_string())
        }
    }
}

fn body_of(record: &dyn Record) -> (&'static str, Vec<u8>) {
    let mut body = Vec::with_capacity(256);
    record.write_body(&mut body);
    (record.kind(), body)
}

/// Waits until the house has been followed to `epoch`.
async fn reach_epoch(gateway: &Gateway, epoch: u64) {
    let began = Instant::now();
    while gateway.house.load().epoch < epoch && began.elapsed() < EPOCH_PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
