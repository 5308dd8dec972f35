//! What the console knows: the ledger folded up to a position, caught up before each judgement.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anomaly::{BaselineApproved, BaselineProposed};
use ca_core::{
    Event, Register,
    events::{ApplicationRejected, OfficerActed},
    register::{Mandate, Place, is_held},
    unusual::Refused,
};
use extensions::{
    AgentId, Currency, Decimal, Digest, IncidentId, MandateId, OfficerId, OwnerId, StreamId, Timestamp, canonical,
};
use gateway_policy::OrderDecided;
use ledger::{CommittedEntry, Head, Ledger, LedgerError};
use revocation_core::{
    Actor, HaltReported, HouseEvent, HouseScope, HouseState, IncidentState, RevocationReason, StandingEvent,
    StandingState,
    incident::IncidentEvent,
    jobs::{CrlPublished, DeliveryEvent},
    warning::WarningEnd,
    webhooks::{WebhookBook, WebhookEvent},
};

use crate::api::{narrowing::NARROWED, questions::ASKED};

/// Entries read at once.
const READ_AT_ONCE: usize = 1_024;
/// Proposed baselines remembered of one agent; the oldest leaves.
const MOST_PROPOSED: usize = 8;
/// Dead letters remembered of one webhook, as many as its worker remembers; the oldest leaves.
const MOST_DEAD: usize = 10_000;
/// Reports of one revocation's cancels remembered: as many gateways as tell.
const MOST_REPORTS: usize = 16;

/// Questions and answers remembered of one application; the oldest leaves.
const MOST_ASKED: usize = 32;

/// Refusals remembered of one agent; the oldest leaves.
const MOST_REFUSALS: usize = 16;

/// Events of the house remembered one by one, to say how it stood at an earlier entry; the oldest becomes part of what was before all of them.
const MOST_HOUSE_EVENTS: usize = 1_024;

/// Entries whose deliveries are remembered, and lists of revoked certificates; the oldest leave.
const MOST_TOLD: usize = 4_096;
const MOST_LISTS: usize = 1_024;

/// Entries nobody signed that are told apart.
const MOST_REFUSED: usize = 4_096;

/// A proposed baseline: its content is read where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub(crate) digest: Digest,
    pub(crate) version: u32,
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
}

/// The baselines of one agent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Baselines {
    pub(crate) proposed: Vec<Proposed>,
    /// The one in force, and where its proposal stands.
    pub(crate) approved: Option<(BaselineApproved, Option<u64>)>,
    /// The first that was approved: the anchor of all later ones, kept however many proposals came since.
    pub(crate) first: Option<Proposed>,
    /// The number the one in force was approved under.
    pub(crate) approved_at: Option<u64>,
}

/// A house revocation that is in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HouseRevocation {
    /// Its number in the stream of the house.
    pub(crate) number: u64,
    pub(crate) position: u64,
    pub(crate) scope: HouseScope,
    pub(crate) reason: RevocationReason,
}

/// A message to a webhook that was given up.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetter {
    pub(crate) attempts: u32,
    pub(crate) fault: String,
    pub(crate) at: Timestamp,
}

/// How far one webhook is with telling of an entry: its latest attempt.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
    pub(crate) attempts: u32,
    /// Why it failed; none when the receiver took it.
    pub(crate) fault: Option<String>,
    /// Whether it was given up.
    pub(crate) dead: bool,
}

/// A list of revoked certificates that was signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
    pub(crate) number: u64,
    pub(crate) entries: u32,
}

/// A question about an application, or the answer to one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) officer: OfficerId,
    pub(crate) position: u64,
    pub(crate) at: Timestamp,
    /// The commitment to its text.
    pub(crate) text: Digest,
    /// Whether it says why an officer grants less.
    pub(crate) narrowed: bool,
}

/// The latest revocation of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgentRevocation {
    /// Its number in the agent's stream.
    pub(crate) number: u64,
    /// The incident it opened.
    pub(crate) incident: Option<IncidentId>,
    /// The latest one by the scorer, or by the mandate after its warning, that nobody has answered: the agent comes back under another baseline.
    pub(crate) behavioural: Option<u64>,
}

/// How the house stood at each earlier entry.
#[derive(Debug, Clone, Default)]
pub(crate) struct HousePast {
    before: HouseState,
    events: VecDeque<(u64, HouseEvent)>,
}

impl HousePast {
    fn take(&mut self, position: u64, event: &HouseEvent) {
        if self.events.len() >= MOST_HOUSE_EVENTS
            && let Some((_, oldest)) = self.events.pop_front()
        {
            self.before.apply(&oldest);
        }
        self.events.push_back((position, event.clone()));
    }

    /// The house before the entry at `position`. Ask in the order of the log: what is behind does not come back.
    pub(crate) fn at(&mut self, position: u64) -> &HouseState {
        while let Some((_, event)) = self.events.pop_front_if(|(at, _)| *at < position) {
            self.before.apply(&event);
        }
        &self.before
    }
}

/// The fold.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) register: Register,
    pub(crate) house: HouseState,
    pub(crate) house_past: HousePast,
    thresholds_set: bool,
    pub(crate) house_revocations: Vec<HouseRevocation>,
    pub(crate) standing: BTreeMap<AgentId, StandingState>,
    pub(crate) revocations: BTreeMap<AgentId, AgentRevocation>,
    /// When each agent was revoked last, whoever brought it back since.
    pub(crate) halted: BTreeMap<AgentId, Timestamp>,
    /// Applications that officers refused, by agent.
    refusals: BTreeMap<AgentId, Vec<Refused>>,
    /// The number of the scorer's latest intervention: a warning, or a revocation.
    pub(crate) scored: BTreeMap<AgentId, u64>,
    /// The number of the revocation that opened an incident.
    revoked_with: BTreeMap<IncidentId, u64>,
    /// Agents whose warning ended by its default, since when; until a person acts on them.
    pub(crate) unanswered: BTreeMap<AgentId, Timestamp>,
    /// What became of cancels, by agent and the number of its revocation: one report of each gateway.
    halts: BTreeMap<(AgentId, u64), Vec<HaltReported>>,
    pub(crate) incidents: BTreeMap<IncidentId, (AgentId, IncidentState, Timestamp)>,
    pub(crate) baselines: BTreeMap<AgentId, Baselines>,
    /// Webhook subscriptions with their dead letters, by the position of the entry each tells of.
    pub(crate) webhooks: BTreeMap<String, BTreeMap<u64, DeadLetter>>,
    /// The latest attempt of each webhook to tell of an entry, by the entry's position.
    deliveries: BTreeMap<u64, BTreeMap<String, Delivery>>,
    /// Lists of revoked certificates, the oldest first.
    lists: VecDeque<List>,
    /// What was asked and answered about applications.
    asked: BTreeMap<MandateId, Vec<Asked>>,
    /// Subscriptions that officers signed.
    pub(crate) webhook_book: WebhookBook,
    /// The positions of entries that officers should have decided and did not.
    refused: BTreeSet<u64>,
    /// The position of each agent's latest order.
    pub(crate) latest_order: BTreeMap<AgentId, u64>,
    numbers: BTreeMap<StreamId, u64>,
    epoch: u64,
    next: u64,
}

impl View {
    /// Whether nothing was committed since.
    pub(crate) fn is_at(&self, head: &Head) -> bool {
        self.next == head.size && self.next > 0
    }

    /// Reads on to the end of the log.
    pub(crate) async fn catch_up(&mut self, ledger: &Ledger) -> Result<(), LedgerError> {
        loop {
            let head = ledger.head();
            while self.next < head.size {
                for entry in ledger.read_range(self.next, READ_AT_ONCE).await? {
                    self.apply(&entry);
                    self.next = entry.position + 1;
                }
            }
            if self.next == head.size {
                self.epoch = head.epoch;
                return Ok(());
            }
        }
    }

    /// Whether the entry may be followed: it takes no signatures, or has them. Once too many have none, none that takes some is.
    pub(crate) fn obeys(&self, entry: &CommittedEntry) -> bool {
        !is_held(&entry.kind) || self.refused.len() < MOST_REFUSED && !self.refused.contains(&entry.position)
    }

    /// The epoch under which is judged.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The position the next entry will have at the earliest.
    pub(crate) fn next_position(&self) -> u64 {
        self.next
    }

    /// The number the next entry of a stream has, as far as this view has read.
    pub(crate) fn next_number(&self, stream: &StreamId) -> u64 {
        self.numbers.get(stream).copied().unwrap_or(0)
    }

    /// Every stream with the number that its next entry has.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = (&StreamId, u64)> {
        self.numbers.iter().map(|(stream, next)| (stream, *next))
    }

    fn apply(&mut self, entry: &CommittedEntry) {
        match self.numbers.get_mut(&entry.stream) {
            Some(number) => *number = entry.number + 1,
            None => drop(self.numbers.insert(entry.stream.clone(), entry.number + 1)),
        }
        let place = Place {
            position: entry.position,
            number: entry.number,
            at: entry.at,
        };
        let (kind, body) = (&*entry.kind, entry.body());
        if kind.starts_with("order.") {
            let agent = (kind == OrderDecided::KIND).then(|| AgentId::new(entry.stream.name()).ok());
            self.latest_order
                .extend(agent.flatten().map(|agent| (agent, entry.position)));
            return;
        }
        if let Err(why) = self.register.admits(kind, &entry.stream, body, place) {
            tracing::error!(position = entry.position, kind, %why, "an entry that officers did not decide is not followed");
            if self.refused.len() < MOST_REFUSED {
                self.refused.insert(entry.position);
            }
            return;
        }
        if let Some(event) = Event::decode(kind, body) {
            match event {
                Ok(event) => {
                    match &event {
                        Event::OfficerActed(event) => self.acted(event, place),
                        Event::ApplicationRejected(event) => self.application_refused(event, place.at),
                        _ => {}
                    }
                    self.register.apply(&event, place);
                }
                Err(error) => tracing::error!(position = entry.position, %error, "an entry does not decode"),
            }
        } else if let Some(Ok(event)) = StandingEvent::decode(kind, body) {
            if let Ok(agent) = AgentId::new(entry.stream.name()) {
                self.stands(agent, &event, place);
            }
        } else if let Some(Ok(event)) = HouseEvent::decode(kind, body) {
            self.house_decided(&event, place);
        } else if let Some(Ok(event)) = IncidentEvent::decode(kind, body) {
            self.incident(&event, entry.at);
        } else if let Some(Ok(event)) = WebhookEvent::decode(kind, body) {
            self.webhook_book.apply(&event, place.position);
        } else if let Some(Ok(event)) = DeliveryEvent::decode(kind, body) {
            self.told(&event, place);
            self.delivery(event, entry.at);
        } else {
            self.reported(kind, body, place);
        }
    }

    fn acted(&mut self, event: &OfficerActed, place: Place) {
        let mandate = event.subject.strip_prefix("mandate/");
        let mandate = mandate.filter(|_| [ASKED, NARROWED].contains(&event.act.as_str()));
        if let Some(Ok(mandate)) = mandate.map(MandateId::new) {
            let said = self.asked.entry(mandate).or_default();
            if said.len() >= MOST_ASKED {
                said.remove(0);
            }
            said.push(Asked {
                officer: event.officer,
                position: place.position,
                at: place.at,
                text: event.reason,
                narrowed: event.act == NARROWED,
            });
        }
    }

    /// Who had asked is what the register still knows.
    fn application_refused(&mut self, event: &ApplicationRejected, at: Timestamp) {
        let asked = self
            .register
            .mandate(&event.mandate)
            .map(|mandate| *mandate.applicant());
        let refusals = self.refusals.entry(event.agent).or_default();
        if refusals.len() >= MOST_REFUSALS {
            refusals.remove(0);
        }
        refusals.extend(asked.map(|applicant| Refused {
            applicant,
            by: event.rejected_by,
            at,
        }));
    }

    /// The latest refusals of applications for an agent, the oldest first.
    pub(crate) fn refusals_of(&self, agent: &AgentId) -> &[Refused] {
        self.refusals.get(agent).map_or(&[], Vec::as_slice)
    }

    /// What was asked and answered about an application, the oldest first.
    pub(crate) fn asked_of(&self, mandate: &MandateId) -> &[Asked] {
        self.asked.get(mandate).map_or(&[], Vec::as_slice)
    }

    fn stands(&mut self, agent: AgentId, event: &StandingEvent, place: Place) {
        let moved = self.standing.entry(agent).or_default().apply(event, place.at);
        let of_score = match event {
            StandingEvent::WarningOpened(event) => event.score,
            StandingEvent::Revoked(event) => event.score,
            _ => None,
        };
        self.scored.extend(of_score.map(|_| (agent, place.number)));
        self.answered(agent, event, place.at);
        match event {
            // A second revocation moves nothing, and is to be explained all the same.
            StandingEvent::Revoked(event) => {
                let behavioural = matches!(event.by, Actor::Scorer | Actor::Mandate).then_some(place.number);
                let earlier = self.revocation_of(&agent).and_then(|earlier| earlier.behavioural);
                let revocation = AgentRevocation {
                    number: place.number,
                    incident: event.incident,
                    behavioural: behavioural.or(earlier),
                };
                self.revocations.insert(agent, revocation);
                self.halted.insert(agent, place.at);
                self.revoked_with
                    .extend(event.incident.map(|incident| (incident, place.number)));
            }
            StandingEvent::Reinstated(_) if moved => drop(self.revocations.remove(&agent)),
            _ => {}
        }
    }

    /// Whether a person has acted since a warning ran out.
    fn answered(&mut self, agent: AgentId, event: &StandingEvent, at: Timestamp) {
        let by = match event {
            StandingEvent::WarningClosed(event) if event.why == WarningEnd::Defaulted => {
                self.unanswered.insert(agent, at);
                return;
            }
            StandingEvent::Frozen(event) => event.by,
            StandingEvent::ReduceOnly(event) => event.by,
            StandingEvent::Resumed(event) => event.by,
            StandingEvent::Revoked(event) => event.by,
            StandingEvent::Reinstated(_) | StandingEvent::ProbationStarted(_) => {
                self.unanswered.remove(&agent);
                return;
            }
            _ => return,
        };
        if matches!(by, Actor::Officer(_)) {
            self.unanswered.remove(&agent);
        }
    }

    fn house_decided(&mut self, event: &HouseEvent, place: Place) {
        self.thresholds_set |= matches!(event, HouseEvent::ThresholdsSet(_));
        let moved = self.house.apply(event);
        self.house_past.take(place.position, event);
        match event {
            HouseEvent::Revoked(event) if moved => self.house_revocations.push(HouseRevocation {
                number: place.number,
                position: place.position,
                scope: event.scope,
                reason: event.reason,
            }),
            HouseEvent::Reinstated(event) if moved => {
                self.house_revocations
                    .retain(|revocation| revocation.scope != event.scope);
            }
            _ => {}
        }
    }

    fn incident(&mut self, event: &IncidentEvent, at: Timestamp) {
        let id = match event {
            IncidentEvent::Opened(event) => {
                let opened = (event.agent, IncidentState::open(event), at);
                self.incidents.entry(event.incident).or_insert(opened);
                return;
            }
            IncidentEvent::Acknowledged(event) => event.incident,
            IncidentEvent::Reviewed(event) => event.incident,
        };
        if let Some((_, incident, _)) = self.incidents.get_mut(&id) {
            // A step that is not allowed leaves the incident as it was.
            let _ = incident.step(event);
        }
    }

    fn told(&mut self, event: &DeliveryEvent, place: Place) {
        let (entry, subscription, attempts, fault, dead) = match event {
            DeliveryEvent::Attempted(one) => (one.entry, &one.subscription, one.attempt, one.fault.clone(), false),
            DeliveryEvent::Dead(one) => (
                one.entry,
                &one.subscription,
                one.attempts,
                Some(one.fault.clone()),
                true,
            ),
            _ => return,
        };
        let Some(entry) = entry else { return };
        let delivery = Delivery {
            position: place.position,
            at: place.at,
            attempts,
            fault,
            dead,
        };
        let of_entry = self.deliveries.entry(entry).or_default();
        of_entry.insert(subscription.clone(), delivery);
        if self.deliveries.len() > MOST_TOLD {
            self.deliveries.pop_first();
        }
    }

    /// What webhooks did to tell of the entry at a position, by their names.
    pub(crate) fn deliveries_of(&self, position: u64) -> impl Iterator<Item = (&String, &Delivery)> {
        self.deliveries.get(&position).into_iter().flatten()
    }

    /// The first list of revoked certificates that was signed behind a position, as far back as lists are remembered.
    pub(crate) fn list_behind(&self, position: u64) -> Option<List> {
        let forgotten = self.lists.len() >= MOST_LISTS && self.lists.front()?.position > position;
        let mut behind = self.lists.iter().filter(|list| list.position > position && !forgotten);
        behind.next().copied()
    }

    fn delivery(&mut self, event: DeliveryEvent, at: Timestamp) {
        match event {
            DeliveryEvent::Subscribed(event) => {
                let letters = self.webhooks.entry(event.subscription).or_default();
                *letters = letters.split_off(&event.from);
            }
            DeliveryEvent::Dead(event) => {
                let (Some(position), letters) = (event.entry, self.webhooks.entry(event.subscription).or_default())
                else {
                    return;
                };
                let letter = DeadLetter {
                    attempts: event.attempts,
                    fault: event.fault,
                    at,
                };
                letters.insert(position, letter);
                if letters.len() > MOST_DEAD {
                    letters.pop_first();
                }
            }
            // Whether it is delivered or given up anew, it is not dead any more.
            DeliveryEvent::Asked(event) => {
                if let (Some(position), Some(letters)) = (event.replay, self.webhooks.get_mut(&event.subscription)) {
                    letters.remove(&position);
                }
            }
            DeliveryEvent::Attempted(event) => {
                let letters = self
                    .webhooks
                    .get_mut(&event.subscription)
                    .filter(|_| event.fault.is_none());
                if let (Some(position), Some(letters)) = (event.entry, letters) {
                    letters.remove(&position);
                }
            }
        }
    }

    fn reported(&mut self, kind: &str, body: &[u8], place: Place) {
        match kind {
            HaltReported::KIND => {
                let Ok(event) = canonical::from_slice::<HaltReported>(body) else {
                    return;
                };
                let reports = self.halts.entry((event.agent, event.revoked)).or_default();
                if reports.len() < MOST_REPORTS {
                    reports.push(event);
                }
            }
            CrlPublished::KIND => {
                let Ok(event) = canonical::from_slice::<CrlPublished>(body) else {
                    return;
                };
                if self.lists.len() >= MOST_LISTS {
                    self.lists.pop_front();
                }
                self.lists.push_back(List {
                    position: place.position,
                    at: place.at,
                    number: event.number,
                    entries: event.entries,
                });
            }
            "baseline.proposed" => {
                let Ok(event) = canonical::from_slice::<BaselineProposed>(body) else {
                    return;
                };
                let proposed = &mut self.baselines.entry(event.baseline.agent).or_default().proposed;
                if proposed.len() >= MOST_PROPOSED {
                    proposed.remove(0);
                }
                proposed.push(Proposed {
                    digest: event.digest,
                    version: event.baseline.version,
                    position: place.position,
                    at: place.at,
                });
            }
            "baseline.approved" => {
                let Ok(event) = canonical::from_slice::<BaselineApproved>(body) else {
                    return;
                };
                let baselines = self.baselines.entry(event.agent).or_default();
                let mut proposed = baselines.proposed.iter().rev();
                let content = proposed.find(|proposed| proposed.digest == event.baseline);
                baselines.first = baselines.first.or(content.copied());
                baselines.approved_at = Some(place.number);
                baselines.approved = Some((event, content.map(|proposed| proposed.position)));
            }
            _ => {}
        }
    }

    /// How many officers an amount takes now; two while no threshold was ever set.
    pub(crate) fn officers_for(&self, currency: &Currency, amount: Decimal) -> usize {
        if self.thresholds_set {
            self.house.thresholds().officers_for(currency, amount)
        } else {
            2
        }
    }

    /// The standing of an agent; active while nothing was said of it.
    pub(crate) fn standing_of(&self, agent: &AgentId) -> StandingState {
        self.standing.get(agent).cloned().unwrap_or_default()
    }

    /// The latest revocation of an agent that nobody reinstated, once it stands in the ledger.
    pub(crate) fn revocation_of(&self, agent: &AgentId) -> Option<AgentRevocation> {
        self.revocations.get(agent).copied()
    }

    /// The number of the behavioural revocation in force, as long as no baseline was approved behind it.
    pub(crate) fn baseline_owed(&self, agent: &AgentId) -> Option<u64> {
        let owed = self.revocation_of(agent)?.behavioural?;
        let approved = self.baselines.get(agent).and_then(|baselines| baselines.approved_at);
        approved.is_none_or(|approved| approved < owed).then_some(owed)
    }

    /// Whether the agent's next certificate waits under this mandate: after the behavioural revocation that is in force.
    pub(crate) fn replacement_waits(&self, agent: &AgentId, mandate: &MandateId) -> bool {
        let queued = self.register.replacement(mandate);
        let revocation = self.revocation_of(agent).map(|revocation| revocation.number);
        queued.is_some_and(|queued| queued.agent == *agent && Some(queued.revoked) == revocation)
    }

    /// Whether the agent's next certificate under this mandate has to wait: for the reinstatement that a replacement is queued for, or, where
    /// the mandate was signed ahead, for the probation that opens it. Nothing but that opens during a probation.
    pub(crate) fn certificate_waits(&self, mandate: &Mandate, now: Timestamp) -> bool {
        let agent = mandate.agent();
        let probation = self.standing_of(agent).probation(now);
        let probation = probation.as_ref().map(|one| (&one.mandate, &one.document));
        match mandate.in_force() {
            Some(in_force) if in_force.is_for_probation() => !in_force.is_open(probation),
            Some(_) => probation.is_some() || self.replacement_waits(agent, mandate.id()),
            None => false,
        }
    }

    /// What became of an agent's cancels at the revocation of this number.
    pub(crate) fn halt_reports(&self, agent: &AgentId, revoked: u64) -> &[HaltReported] {
        self.halts.get(&(*agent, revoked)).map_or(&[], Vec::as_slice)
    }

    /// What became of them at the revocation that opened an incident.
    pub(crate) fn halt_reports_of(&self, agent: &AgentId, incident: &IncidentId) -> &[HaltReported] {
        let revoked = self.revoked_with.get(incident);
        revoked.map_or(&[], |revoked| self.halt_reports(agent, *revoked))
    }

    /// The number of the revocation that opened an incident, in the agent's stream.
    pub(crate) fn revoked_with(&self, incident: &IncidentId) -> Option<u64> {
        self.revoked_with.get(incident).copied()
    }

    /// The revocation of exactly this scope that is in force.
    pub(crate) fn house_revocation(&self, scope: HouseScope) -> Option<HouseRevocation> {
        let mut all = self.house_revocations.iter();
        all.find(|revocation| revocation.scope == scope).copied()
    }

    /// The newest revocation of the house that covers an owner.
    pub(crate) fn house_revocation_of(&self, owner: &OwnerId) -> Option<HouseRevocation> {
        let mut newest = self.house_revocations.iter().rev();
        newest.find(|revocation| revocation.scope.covers(owner)).copied()
    }
}
