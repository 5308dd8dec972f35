//! A whole small house in one process for the gateway's tests: real ledger, real certificates, several gateway instances.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ca_core::{
    approval::{judge, verify_approval},
    events::{AgentRegistered, ApplicationApproved, ApplicationSigned, ApplicationSubmitted, Event},
    issue::{BotIssue, IssuingCa, Particulars, prepare_bot, prepare_house},
    profiles::{Profile, Settings as Ceremony},
    register::{Place, Register},
    signing::RcgenKey,
};
use ca_keys::{SecretKey as Key, SystemRandom};
use extensions::{
    AgentId, ApprovalDecision, ApprovalRecord, AuthorityLimits, Base64, Clock, Counterparty, Digest, Environment,
    GatewayId, Instrument, KeyAlgorithm, MandateDocument, OfficerId, Record, Serial, Signer, Timestamp,
    certificate::{AgentPathProfile, LONGEST_AGENT_LIFE_SECONDS, TrustDomain},
    oids::OidArc,
};
use gateway_policy::{AgentEvent, Order, Permit, ReferencePrice};
use gateway_service::{
    gateway::{Gateway, Settings, Venues},
    pipeline::{
        follow,
        submit::{Signed, Submitted, submit},
    },
    session::{Inspected, Session},
    venue::{
        Answer, CancelOutcome, Doubt, ExecutionFill, ExecutionId, OpenOrders, OrderKey, OrderLife, OrderReport,
        Outcome, SendGate, Trade, Venue, VenueOrderId,
    },
};
use ledger::{
    Append, CheckpointKey, CheckpointKeyAuthorised, Config, EphemeralKey, Ledger, Recorded, Writer,
    store::{
        Store,
        fault::{Fault, FaultStore},
        sqlite::SqliteStore,
    },
};
use tokio_util::sync::CancellationToken;

mod halting;
mod officers;
mod papers;
mod venue;
pub mod wire;

/// The conduct of most bots here: scores act.
pub const ENFORCED: [&str; 3] = ["cancel_all", "freeze", "enforce"];

/// The runtime of tests in which instances and senders run side by side.
pub fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("runtime")
}

pub use halting::*;
pub use officers::exposure_set;
pub use papers::*;
pub use venue::*;

/// A clock that tests set.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn at(time: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(time.micros())))
    }

    pub fn plus_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// 2026-11-20T12:00:00Z, a Friday.
pub fn noon() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").expect("time")
}

/// One gateway instance of the world.
pub struct Instance {
    pub gateway: Arc<Gateway>,
    pub venues: Arc<Venues>,
    pub venue: Arc<CountingVenue>,
    /// Stops its follower.
    pub stop: CancellationToken,
}

/// The house.
pub struct World {
    pub clock: Arc<TestClock>,
    pub ledger: Ledger,
    pub officer: Writer,
    pub instances: Vec<Instance>,
    pub directory: tempfile::TempDir,
    /// The store that fails as told, since [`World::reopen`] was told to make one.
    pub disk: Option<Arc<FaultStore>>,
    pub stop: CancellationToken,
    /// The one venue of all further instances; without it each has its own.
    pub shared: Option<Arc<CountingVenue>>,
    /// What the settings of further instances are changed by.
    pub tune: fn(&mut Settings),
    root: Vec<u8>,
    issuing: IssuingCa,
    issuing_key: Key,
    ceremony: Ceremony,
    inspected: Inspected,
    register: Mutex<(Register, u64)>,
    approver: Key,
    operator: Key,
}

/// The venue's name in mandates.
pub const EXCHANGE: &str = "exchange_a";

/// A ledger that allocates little ahead: most of a small world's start is that.
pub fn small(directory: &std::path::Path, clock: Arc<dyn Clock>) -> Config {
    Config {
        wal_bytes: 1 << 20,
        ..Config::new(directory, clock)
    }
}

/// The ledger root key, the same in every process of a test.
pub fn ledger_root() -> EphemeralKey {
    EphemeralKey::from_seed(&[9; 32]).expect("seed")
}

/// The profile every certificate of the world is held to.
pub fn inspected() -> Inspected {
    Inspected::new(AgentPathProfile {
        certificates: ceremony().certificate_profile(),
        longest_life_seconds: LONGEST_AGENT_LIFE_SECONDS,
        distribution_points: Vec::new(),
    })
}

fn ceremony() -> Ceremony {
    Ceremony {
        arc: OidArc::DEVELOPMENT,
        environment: Environment::Sandbox,
        trust_domain: TrustDomain::new("bots.example").expect("domain"),
        crl_url: "http://status.example/crl".to_owned(),
        ocsp_url: "http://status.example/ocsp".to_owned(),
        issuer_url: "http://status.example/ca".to_owned(),
    }
}

fn key(algorithm: KeyAlgorithm) -> Key {
    Key::generate("test", algorithm).expect("key")
}

fn sealed(profile: &Profile, spki: &[u8], issuer: Option<&IssuingCa>, signer: &Key, ceremony: &Ceremony) -> Vec<u8> {
    let serial = Serial::draw(1, &mut SystemRandom::new());
    let (not_before, not_after) = (noon().plus_seconds(-3_600), noon().plus_seconds(200 * 86_400));
    let particulars = Particulars {
        settings: ceremony,
        spki,
        serial,
        not_before,
        not_after,
    };
    let throwaway = key(signer.algorithm());
    let prepared = prepare_house(profile, particulars, issuer, &throwaway).expect("prepared");
    prepared
        .sign(signer)
        .expect("signed")
        .seal()
        .expect("sealed")
        .certificate()
        .to_vec()
}

impl World {
    /// A house with `count` gateway instances on one store.
    pub async fn new(count: usize) -> Self {
        let clock = TestClock::at(noon());
        let directory = tempfile::tempdir().expect("folder");
        let ceremony = ceremony();
        let root_key = key(KeyAlgorithm::EcdsaP256Sha256);
        let profile = Profile::AgentRoot {
            name: "Agent root".to_owned(),
            envelope: envelope(),
        };
        let root = sealed(&profile, root_key.public_key_spki(), None, &root_key, &ceremony);
        let anchor = IssuingCa::read(&root, &ceremony).expect("root");
        let issuing_key = key(KeyAlgorithm::EcdsaP256Sha256);
        let profile = Profile::AgentIssuing {
            name: "Agent issuing".to_owned(),
            envelope: envelope(),
        };
        let issuing = sealed(
            &profile,
            issuing_key.public_key_spki(),
            Some(&anchor),
            &root_key,
            &ceremony,
        );
        let inspected = inspected();
        let ledger_root = ledger_root();
        let config = small(directory.path(), clock.clone());
        let officer_key = CheckpointKey::ephemeral("test", "console");
        let (ledger, officer) = Ledger::create(config, "test", &ledger_root, officer_key)
            .await
            .expect("ledger");
        let mut world = Self {
            clock,
            ledger,
            officer,
            instances: Vec::new(),
            directory,
            disk: None,
            stop: CancellationToken::new(),
            shared: None,
            tune: |_| {},
            root,
            issuing: IssuingCa::read(&issuing, &ceremony).expect("issuing"),
            issuing_key,
            ceremony,
            inspected,
            register: Mutex::new((Register::default(), 0)),
            approver: key(KeyAlgorithm::Ed25519),
            operator: key(KeyAlgorithm::Ed25519),
        };
        world.found().await;
        world.start(count).await;
        world
    }

    /// Starts further gateway instances, up to `count` of them.
    pub async fn start(&mut self, count: usize) {
        for place in self.instances.len()..count {
            let instance = self.instance(&format!("gw-{}", place + 1), &ledger_root()).await;
            self.instances.push(instance);
        }
    }

    /// Stops every instance and opens the ledger again, under `count` new instances: on a store that fails as told after the
    /// given count of commits, or on a sound one. The venues remember: they outlive gateways.
    pub async fn reopen(&mut self, count: usize, fault: Option<(Fault, u64)>) {
        self.stop.cancel();
        self.stop = CancellationToken::new();
        let venues: Vec<_> = self.instances.drain(..).map(|instance| instance.venue).collect();
        drop(self.ledger.close().await);
        let config = small(self.directory.path(), self.clock.clone());
        let store = SqliteStore::open(&config.directory, config.wal_bytes)
            .await
            .expect("opens");
        let mut store: Arc<dyn Store> = Arc::new(store);
        self.disk = None;
        if let Some((fault, passes)) = fault {
            // The authorisations of the console's key and of each instance's come first.
            let disk = Arc::new(FaultStore::new(store, fault, passes + 1 + count as u64));
            self.disk = Some(disk.clone());
            store = disk;
        }
        self.ledger = Ledger::open_on(config, store).await.expect("opens");
        self.officer = self.writer("console").await;
        self.start(count).await;
        if self.shared.is_some() {
            return;
        }
        for (instance, old) in self.instances.iter().zip(venues) {
            *instance.venue.sent.lock().expect("held") = old.sent.lock().expect("held").clone();
            *instance.venue.ordered.lock().expect("held") = old.ordered.lock().expect("held").clone();
            *instance.venue.ended.lock().expect("held") = old.ended.lock().expect("held").clone();
        }
    }

    /// A writer with a key of its own.
    pub async fn writer(&self, name: &str) -> Writer {
        let key = CheckpointKey::ephemeral("test", name);
        let authorised = CheckpointKeyAuthorised::sign("test", &key, self.clock.now(), &ledger_root());
        let authorised = authorised.expect("authorised");
        self.ledger.writer(key, Some(authorised)).await.expect("writer")
    }

    async fn instance(&self, name: &str, ledger_root: &dyn Signer) -> Instance {
        let key = CheckpointKey::ephemeral("test", name);
        let authorisation = CheckpointKeyAuthorised::sign("test", &key, noon(), ledger_root).expect("authorised");
        let writer = self.ledger.writer(key, Some(authorisation)).await.expect("writer");
        let exchange = Counterparty::new(EXCHANGE).expect("name");
        let mut settings = Settings::new(GatewayId::new(name).expect("id"));
        settings.messages_per_second = 1_000_000;
        settings.view_lease = Duration::from_secs(60);
        // A machine under load is no slow ledger.
        settings.commit_margin = Duration::from_secs(60);
        // A busy machine is no late order; what the deadline does is tried by itself.
        settings.send_deadline = Duration::from_secs(30);
        (self.tune)(&mut settings);
        let gateway = Gateway::new(
            settings,
            self.ledger.clone(),
            writer,
            self.clock.clone(),
            self.clock.clone(),
            &[exchange],
        );
        let gateway = Arc::new(gateway);
        let venue = self.shared.clone().unwrap_or_else(CountingVenue::new);
        let venues: Arc<Venues> = Arc::new([(exchange, venue.clone() as Arc<dyn Venue>)].into_iter().collect());
        self.quote(&gateway, "100");
        let next = follow::catch_up(&gateway, 0).await.expect("caught up");
        let stop = self.stop.child_token();
        tokio::spawn(follow::run(gateway.clone(), venues.clone(), next, stop.clone()));
        Instance {
            gateway,
            venues,
            venue,
            stop,
        }
    }

    /// Sets the reference price of BTC_EUR, as of now.
    pub fn quote(&self, gateway: &Gateway, price: &str) {
        let quote = ReferencePrice {
            at: self.clock.now(),
            currency: "EUR".parse().expect("unit"),
            price: price.parse().expect("price"),
        };
        for prices in gateway.prices.values() {
            prices.observe("BTC_EUR".parse().expect("instrument"), quote, std::time::Instant::now());
        }
    }

    async fn append(&self, event: impl Into<Event>) -> Place {
        let event = event.into();
        let record = event.record();
        let mut body = Vec::new();
        record.write_body(&mut body);
        let raw = Raw {
            stream: record.stream(),
            kind: record.kind(),
            body,
            gating: record.gating(),
        };
        let recorded = self
            .officer
            .append(Append::next(raw, self.clock.now()))
            .await
            .expect("appended");
        let mut register = self.register.lock().expect("held");
        let place = Place {
            position: recorded.position(),
            number: recorded.number(),
            at: self.clock.now(),
        };
        register.0.apply(&event, place);
        place
    }

    /// Registers an agent, has its mandate approved, issues its certificate: its leaf.
    pub async fn agent(&self, name: &str) -> Vec<u8> {
        self.agent_of(document(name)).await
    }

    /// The same, with a mandate of its own.
    pub async fn agent_of(&self, document: MandateDocument) -> Vec<u8> {
        let name = document.agent.to_string();
        self.append(AgentRegistered {
            agent: document.agent,
            declared_code_digest: None,
            declared_model: document.declared_model.clone(),
            environment: document.environment,
            expires_at: noon().plus_seconds(86_400 * 30),
            owner: document.owner,
            purpose: Digest::default(),
            registered_by: "op".parse().expect("id"),
            sealed: Vec::new(),
        })
        .await;
        let nonce = Digest::of(name.as_bytes());
        self.append(ApplicationSubmitted {
            agent: document.agent,
            applicant: "op".parse().expect("id"),
            document_digest: document.digest(),
            document: document.clone(),
            expires_at: noon().plus_seconds(86_400),
            mandate: document.mandate,
            narrowed_by: None,
            nonce,
            owner: document.owner,
            revision: 1,
            sealed: Vec::new(),
        })
        .await;
        let mut approval = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document: document.digest(),
            key: Digest::of(self.approver.public_key_spki()),
            nonce,
            officer: "ada".parse().expect("id"),
            passkey: None,
            signature: Base64(Vec::new()),
        };
        approval.signature = Base64(self.approver.sign(&approval.message().0).expect("signature"));
        self.append(ApplicationSigned {
            approval,
            mandate: document.mandate,
            revision: 1,
        })
        .await;
        let approved = {
            let register = self.register.lock().expect("held");
            let mandate = register.0.mandate(&document.mandate).expect("mandate");
            let judgement = judge(mandate, None, &register.0, &|_, _| 1);
            assert!(judgement.met, "{:?}", judgement.rules);
            ApplicationApproved {
                agent: document.agent,
                approvers: judgement.approvers,
                document: document.digest(),
                mandate: document.mandate,
                revision: 1,
                rules: judgement.rules,
            }
        };
        self.append(approved).await;
        self.issue(&document)
    }

    /// Registers an agent with that conduct and an approved baseline: thirty orders of some 1,000 EUR on each of fourteen days.
    pub async fn scored(&self, name: &str, conduct: [&str; 3]) -> Vec<u8> {
        let leaf = self.agent_of(document_with(name, conduct)).await;
        let proposed = proposed(name);
        let approved = anomaly::BaselineApproved {
            agent: agent(name),
            approvals: Vec::new(),
            baseline: proposed.digest(),
            version: proposed.content().version,
        };
        self.record(anomaly::BaselineProposed::of(&proposed)).await;
        let document = serde_json::to_value(proposed.content()).expect("document");
        let (_, approvals) = self.decided("baseline.approved", &document, &["ada"]).await;
        self.record(anomaly::BaselineApproved { approvals, ..approved }).await;
        leaf
    }

    /// What the agent's stream holds: kind, and whether it came late.
    pub async fn stream(&self, name: &str) -> Vec<Arc<ledger::CommittedEntry>> {
        let stream = extensions::StreamId::agent(&agent(name));
        let entries = self.ledger.read_stream(&stream, 0, 4_096).await.expect("read");
        for (place, entry) in entries.iter().enumerate() {
            assert_eq!(entry.number, place as u64, "gapless");
        }
        entries
    }

    /// The venue ids of the agent's recorded permits.
    pub async fn permits(&self, name: &str) -> Vec<String> {
        let mut permits = Vec::new();
        for entry in self.stream(name).await {
            if let Ok(AgentEvent::Decided(decided)) = AgentEvent::decode(&entry.kind, entry.body())
                && decided.decision == gateway_policy::DecisionKind::Permit
            {
                permits.push(gateway_policy::VenueOrderId::new(&agent(name), entry.number).to_string());
            }
        }
        permits
    }

    pub fn issue(&self, document: &MandateDocument) -> Vec<u8> {
        let register = self.register.lock().expect("held");
        let mandate = register.0.mandate(&document.mandate).expect("mandate");
        let approved = verify_approval(mandate, &register.0, &|_, _| 1).expect("approved");
        let bot = key(KeyAlgorithm::EcdsaP256Sha256);
        let lent = RcgenKey::new(&bot).expect("key");
        let request = rcgen::CertificateParams::default()
            .serialize_request(&lent)
            .expect("request");
        let csr = ca_core::csr::inspect(request.der()).expect("request");
        let with = BotIssue {
            settings: &self.ceremony,
            issuer: &self.issuing,
            instance: 1,
            not_earlier: None,
            not_later: None,
            life_seconds: 86_400,
        };
        let throwaway = key(KeyAlgorithm::EcdsaP256Sha256);
        let prepared =
            prepare_bot(approved, &csr, with, &throwaway, noon(), &mut SystemRandom::new()).expect("prepared");
        prepared
            .prepared
            .sign(&self.issuing_key)
            .expect("signed")
            .seal()
            .expect("sealed")
            .certificate()
            .to_vec()
    }

    /// The issuing CA's certificate and the root's.
    pub fn issuers(&self) -> [Vec<u8>; 2] {
        [self.issuing.certificate().to_vec(), self.root.clone()]
    }

    /// A session of the certificate at one instance, once that instance has followed the mandate.
    pub async fn session(&self, instance: usize, leaf: &[u8]) -> Arc<Session> {
        self.followed(instance).await;
        let session = self.early_session(instance, leaf);
        let gateway = &self.instances[instance].gateway;
        assert!(session.mandate(gateway).is_some(), "the gateway holds the mandate");
        session
    }

    /// A session of the certificate at one instance, whatever that instance has followed.
    pub fn early_session(&self, instance: usize, leaf: &[u8]) -> Arc<Session> {
        self.inspected
            .check_at(&[leaf, self.issuing.certificate(), &self.root], noon())
            .expect("profile");
        let certificate = self.inspected.of(leaf).expect("inspected");
        let gateway = &self.instances[instance].gateway;
        let address = "127.0.0.1:40000".parse().expect("address");
        Arc::new(Session::open(gateway, certificate, address))
    }

    /// Waits until an instance has folded everything that is committed.
    pub async fn followed(&self, instance: usize) {
        let gateway = &self.instances[instance].gateway;
        let head = self.ledger.head().size;
        while gateway.followed_to() < head {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a commit hangs in the disk of [`World::disk`].
    pub async fn hangs(&self) {
        while !self.disk.as_ref().is_some_and(|disk| disk.hangs()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Fills an instance's queue with appends that narrow, to its bound, while the disk hangs.
    pub fn fill(&self, instance: usize) {
        let writer = &self.instances[instance].gateway.writer;
        let raw = || Raw {
            stream: extensions::StreamId::parse("job/filler").expect("stream"),
            kind: "test.noted",
            body: b"{}".to_vec(),
            gating: false,
        };
        while writer.queue(Append::next(raw(), self.clock.now()).narrowing()).is_ok() {}
    }

    /// Appends any body to any stream, as a gating kind where said.
    pub async fn raw(&self, stream: extensions::StreamId, kind: &'static str, body: &[u8], gating: bool) {
        let raw = Raw {
            stream,
            kind,
            body: body.to_vec(),
            gating,
        };
        let append = Append::next(raw, self.clock.now());
        self.officer.append(append).await.expect("recorded");
    }

    /// Returns when everything that a gateway has queued so far is committed: an entry of its own writer stands behind it.
    pub async fn committed(&self, instance: usize) {
        let raw = Raw {
            stream: extensions::StreamId::parse("job/filler").expect("stream"),
            kind: "test.noted",
            body: b"{}".to_vec(),
            gating: false,
        };
        let append = Append::next(raw, self.clock.now());
        let writer = &self.instances[instance].gateway.writer;
        writer.append(append).await.expect("recorded");
    }

    /// Submits `order` on a session.
    pub async fn submit(&self, instance: usize, session: &Arc<Session>, order: &str) -> Submitted {
        let parsed = Order::from_json(order.as_bytes()).expect("order");
        let signed = Signed {
            proof: gateway_policy::Proof::NotRequired,
            by: None,
            evidence: None,
        };
        let instance = &self.instances[instance];
        submit(&instance.gateway, &instance.venues, session, &parsed, &signed).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Debug)]
struct Raw {
    stream: extensions::StreamId,
    kind: &'static str,
    body: Vec<u8>,
    gating: bool,
}

impl Record for Raw {
    fn stream(&self) -> extensions::StreamId {
        self.stream.clone()
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.body);
    }
    fn gating(&self) -> bool {
        self.gating
    }
}
