//! From the ceremony to a bot's certificate, on a real ledger.

use std::sync::Arc;

use ca_core::{
    certificate,
    events::{
        AgentRegistered, ApplicationApproved, ApplicationSigned, ApplicationSubmitted, CertificateReserved,
        OfficerRequested, TokenBound,
    },
};
use ca_keys::{Protection, SecretKey};
use extensions::{
    AgentId, ApprovalDecision, ApprovalRecord, AuthorityLimits, Base64, Clock, Decimal, Digest, Environment,
    KeyAlgorithm, MandateDocument, MandateId, OfficerId, OwnerId, Record, Serial, Signer as _, Timestamp,
    certificate::{AgentCertificate, AgentPathProfile, TrustDomain},
    oids::OidArc,
};
use ledger::{Append, CheckpointKey, Ledger, Task, Writer};
use revocation_core::{
    Actor, RevocationReason,
    house::Thresholds,
    standing::{AgentRevoked, CertificateRevoked},
};

use crate::{
    CaConfig, CaKeys, CaService, ISSUE_TASK, IssueTask, OFFICER_TASK, OfficerTask, authorise_checkpoint_key,
    ceremony::{Plan, Server, found},
};

mod decisions;

/// A clock that stands still until it is set.
pub(crate) struct Set(pub(crate) std::sync::Mutex<Timestamp>);
impl Clock for Set {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
}

fn envelope() -> AuthorityLimits {
    let text = r#"{"counterparties":"any","hours":["always"],"instruments":"any","order_proof":false,"order_rates":["60/1s"],"order_types":["limit","market"],"per_day":["EUR 10000000"],"per_order":["EUR 100000"],"price_collar_bps":500,"regions":"any"}"#;
    AuthorityLimits::for_ca(serde_json::from_str(text).unwrap())
}

fn document(per_order: &str) -> MandateDocument {
    let text = r#"{"agent":"mm-1","conduct":{"on_halt":"cancel_all","on_unanswered_warning":"freeze","repeat_window_ms":1000,"scoring":"enforce"},"declared_model":"m","environment":"sandbox","expires":"2027-01-01T00:00:00.000000Z","limits":{"counterparties":["exchange_a"],"hours":["Mon-Fri 07:00-20:00"],"instruments":["BTC_EUR"],"order_proof":false,"order_rates":["60/1s"],"order_types":["limit"],"per_day":["EUR 500000"],"per_order":["EUR 50000"],"price_collar_bps":200,"regions":["eu-west-1"]},"mandate":"m-1","owner":"desk","purpose_commitment":"0000000000000000000000000000000000000000000000000000000000000000","rationale_commitment":"0000000000000000000000000000000000000000000000000000000000000000","version":1}"#;
    serde_json::from_str(&text.replace("EUR 50000\"", &format!("EUR {per_order}\""))).unwrap()
}

fn csr(key: &rcgen::KeyPair) -> Vec<u8> {
    rcgen::CertificateParams::default()
        .serialize_request(key)
        .unwrap()
        .der()
        .to_vec()
}

struct Bench {
    _folder: tempfile::TempDir,
    ledger: Ledger,
    writer: Writer,
    service: CaService,
    officers: Vec<(OfficerId, SecretKey, Digest)>,
    path: (Vec<u8>, Vec<u8>),
    clock: Arc<Set>,
}

/// What the benches found, below `folder`.
pub(crate) fn plan(folder: &std::path::Path) -> Plan<'static> {
    let at = |name: &str| folder.join(name);
    let settings = ca_core::profiles::Settings {
        arc: OidArc::DEVELOPMENT,
        environment: Environment::Sandbox,
        trust_domain: TrustDomain::new("bots.example").unwrap(),
        crl_url: "http://status.example/crl".into(),
        ocsp_url: "http://status.example/ocsp".into(),
        issuer_url: "http://status.example/ca".into(),
    };
    let (eur, limit) = ("EUR".parse().unwrap(), Decimal::from(1_000_000));
    Plan {
        settings,
        root_envelope: envelope(),
        issuing_envelope: envelope(),
        certificate_folder: at("ca"),
        key_folder: at("keys"),
        root_folder: at("roots"),
        protection: Protection::Plain,
        root_protection: Protection::Plain,
        servers: vec![Server {
            name: "gateway".into(),
            hosts: vec!["localhost".into()],
            addresses: vec!["127.0.0.1".parse().unwrap()],
        }],
        officers: vec![OfficerId::new("ada").unwrap(), OfficerId::new("ben").unwrap()],
        thresholds: Thresholds {
            two_officers_above: [(eur, limit)].into(),
            ..Thresholds::default()
        },
        regions: None,
        ledger_id: "test".into(),
    }
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plan = plan(folder.path());
    let clock = Arc::new(Set(std::sync::Mutex::new(now())));
    let founded = found(&plan, ledger::Config::new(at("ledger"), clock.clone()), now())
        .await
        .unwrap();
    for (token, secret) in founded.tokens.iter().map(|token| (&founded.transcript, &token.token)) {
        assert!(!token.contains(secret), "the transcript holds no secret");
    }
    // The roots are gone before anything is served: nothing below may need them.
    std::fs::remove_dir_all(at("roots")).unwrap();
    let keys = CaKeys::open(&at("keys"), Protection::Plain).unwrap();
    let key = CheckpointKey::ephemeral("test", "ca");
    let authorised = authorise_checkpoint_key(&keys, "test", &key, now()).unwrap();
    let writer = founded.ledger.writer(key, Some(authorised)).await.unwrap();
    let config = CaConfig {
        crl_file: Some(at("crl.der")),
        ..CaConfig::default()
    };
    let service = CaService::new(founded.ledger.clone(), writer.clone(), keys, config, clock.clone()).unwrap();
    let mut officers = Vec::new();
    for token in &founded.tokens {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = SecretKey::from_pkcs8("officer", KeyAlgorithm::EcdsaP256Sha256, pair.serialize_der().into()).unwrap();
        let digest = Digest::of(token.token.as_bytes());
        let requested = OfficerRequested {
            csr: Base64(csr(&pair)),
            name: Digest::default(),
            officer: token.officer,
            sealed: vec![],
            token: digest,
        };
        let task = task(OFFICER_TASK, OfficerTask { token: digest }.to_payload());
        writer.append(Append::next(requested, now()).task(task)).await.unwrap();
        let spki = Digest::of(key.public_key_spki());
        officers.push((token.officer, key, spki));
    }
    service.work().await.unwrap();
    let pem = |name: &str| {
        let text = std::fs::read_to_string(at("ca").join(name)).unwrap();
        let body: String = text.lines().filter(|line| !line.starts_with("---")).collect();
        serde_json::from_value::<Base64>(body.into()).unwrap().0
    };
    Bench {
        clock,
        path: (pem("issuing.pem"), pem("root.pem")),
        _folder: folder,
        ledger: founded.ledger,
        writer,
        service,
        officers,
    }
}

fn task(kind: &str, payload: String) -> Task {
    Task {
        role: crate::ROLE.into(),
        kind: kind.into(),
        payload,
        due: now(),
    }
}

impl Bench {
    /// Sets the clock of house and ledger to so many seconds after `now()`.
    fn set(&self, seconds: i64) {
        *self.clock.0.lock().unwrap() = now().plus_seconds(seconds);
    }

    async fn append(&self, record: impl Record + Send + 'static) {
        self.writer
            .append(Append::next(record, now()))
            .await
            .map_err(|error| error.to_string())
            .unwrap();
    }

    /// Records a whole application, whatever its signatures are worth.
    async fn apply(&self, document: &MandateDocument, signer: usize, over: &MandateDocument) -> Digest {
        let (agent, owner) = (AgentId::new("mm-1").unwrap(), OwnerId::new("desk").unwrap());
        let (applicant, mandate) = (self.officers[0].0, MandateId::new("m-1").unwrap());
        self.append(AgentRegistered {
            agent,
            declared_code_digest: None,
            declared_model: "m".into(),
            environment: Environment::Sandbox,
            expires_at: now().plus_seconds(86_400 * 30),
            owner,
            purpose: Digest::default(),
            registered_by: applicant,
            sealed: vec![],
        })
        .await;
        let nonce = Digest([3; 32]);
        self.append(ApplicationSubmitted {
            agent,
            applicant,
            document: document.clone(),
            document_digest: document.digest(),
            expires_at: now().plus_seconds(3600),
            mandate,
            narrowed_by: None,
            nonce,
            owner,
            revision: 1,
            sealed: vec![],
        })
        .await;
        let (officer, key, spki) = &self.officers[signer];
        let mut approval = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document: over.digest(),
            key: *spki,
            nonce,
            officer: *officer,
            passkey: None,
            signature: Base64(vec![]),
        };
        approval.signature = Base64(key.sign(&approval.message().0).unwrap());
        self.append(ApplicationSigned {
            approval,
            mandate,
            revision: 1,
        })
        .await;
        self.append(ApplicationApproved {
            agent,
            approvers: vec![*spki],
            document: document.digest(),
            mandate,
            revision: 1,
            rules: vec![],
        })
        .await;
        let pair = rcgen::KeyPair::generate().unwrap();
        let csr = csr(&pair);
        let digest = Digest::of(&csr);
        let bound = TokenBound {
            agent,
            csr_digest: digest,
            mandate,
            spki: ca_core::csr::inspect(&csr).unwrap().spki_digest(),
            csr: Base64(csr),
            token: Digest::default(),
        };
        let issue = task(ISSUE_TASK, IssueTask { csr: digest, mandate }.to_payload());
        self.writer
            .append(Append::next(bound, now()).task(issue))
            .await
            .unwrap();
        digest
    }

    async fn issued(&self, csr: &Digest) -> Option<Vec<u8>> {
        self.service.work().await.unwrap();
        let mut view = self.service.view.lock().await;
        view.catch_up(&self.ledger).await.unwrap();
        let mandate = view.register.mandate(&MandateId::new("m-1").unwrap())?;
        match &mandate.request(csr)?.state {
            ca_core::register::RequestState::Issued { certificate, .. } => Some(certificate.clone()),
            _ => None,
        }
    }
}

/// The whole first journey without HTTP; the gateway's own check of the path accepts what comes out.
#[tokio::test]
async fn from_ceremony_to_a_certificate_the_gateway_accepts() {
    let bench = bench().await;
    let csr = bench.apply(&document("50000"), 1, &document("50000")).await;
    let leaf = bench.issued(&csr).await.expect("issued");
    let profile = AgentPathProfile {
        certificates: bench
            .service
            .view
            .lock()
            .await
            .register
            .house()
            .map(ca_core::profiles::Settings::from)
            .unwrap()
            .certificate_profile(),
        longest_life_seconds: 7 * 86_400,
        distribution_points: vec!["http://status.example/crl".into()],
    };
    let path = AgentCertificate::inspect_at(&leaf, &[&bench.path.0, &bench.path.1], &profile, now()).unwrap();
    assert_eq!(path.agent().as_str(), "mm-1");
    assert!(document("50000").digest() == path.mandate().document_hash());
    // The same task again issues nothing more.
    let serial = certificate::serial_of(&leaf).unwrap();
    bench
        .service
        .issue(&IssueTask {
            csr,
            mandate: MandateId::new("m-1").unwrap(),
        })
        .await
        .unwrap();
    assert_eq!(
        bench
            .service
            .view
            .lock()
            .await
            .register
            .certificates_of(&path.agent())
            .count(),
        1
    );
    assert!(bench.ledger.certificate(&serial).await.unwrap().is_some());
    assert!(
        bench.service.view.lock().await.last_crl.is_some(),
        "a first CRL is published"
    );
}

/// The console's claim of approval is not believed: own application, another document's signature. Control: the test above.
#[tokio::test]
async fn a_recorded_approval_is_checked_again_before_signing() {
    for (signer, over) in [(0, document("50000")), (1, document("40000"))] {
        let bench = bench().await;
        let csr = bench.apply(&document("50000"), signer, &over).await;
        assert_eq!(bench.issued(&csr).await, None);
        assert_eq!(bench.ledger.dead_tasks(crate::ROLE).await.unwrap().len(), 1);
    }
}

/// Above the issuing CA's envelope nothing is issued, whatever officers signed.
#[tokio::test]
async fn officers_cannot_widen_the_envelope() {
    let bench = bench().await;
    let csr = bench.apply(&document("100001"), 1, &document("100001")).await;
    assert_eq!(bench.issued(&csr).await, None);
}

/// A process that died between intent and signature: the serial stays spent, the next attempt reserves another.
#[tokio::test]
async fn a_reservation_without_a_certificate_is_not_signed_later() {
    let bench = bench().await;
    let csr = bench.apply(&document("50000"), 1, &document("50000")).await;
    let mandate = MandateId::new("m-1").unwrap();
    let lost = Serial::draw(1, &mut ca_keys::SystemRandom::new());
    let reserved = CertificateReserved {
        agent: AgentId::new("mm-1").unwrap(),
        checks: 20,
        csr,
        document: document("50000").digest(),
        issuer: Digest::default(),
        mandate,
        not_after: now().plus_seconds(3600),
        not_before: now(),
        serial: lost,
        spki: Digest::default(),
        tbs: Digest::default(),
    };
    bench
        .writer
        .append(Append::next(reserved, now()).serial(lost))
        .await
        .unwrap();
    let leaf = bench.issued(&csr).await.expect("issued");
    assert_ne!(certificate::serial_of(&leaf), Some(lost));
}

/// A revocation is on the next CRL, whose number is one higher, and a revoked agent gets nothing more.
#[tokio::test]
async fn a_revocation_is_published_and_ends_issuing() {
    let bench = bench().await;
    let csr = bench.apply(&document("50000"), 1, &document("50000")).await;
    let leaf = bench.issued(&csr).await.expect("issued");
    let serial = certificate::serial_of(&leaf).unwrap();
    let before = bench.service.view.lock().await.last_crl.unwrap().0;
    let agent = AgentId::new("mm-1").unwrap();
    bench
        .append(AgentRevoked {
            agent,
            by: Actor::Officer(bench.officers[0].0),
            incident: None,
            reason: RevocationReason::PrivilegeWithdrawn,
            score: None,
        })
        .await;
    bench.service.work().await.unwrap();
    let view = bench.service.view.lock().await;
    assert_eq!(view.last_crl.unwrap().0, before + 1);
    assert_eq!(view.book.crl_entries(now(), 86_400)[0].serial, serial);
    drop(view);
    let file = std::fs::read(bench._folder.path().join("crl.der")).unwrap();
    assert!(
        file.windows(18).any(|window| window == serial.octets()),
        "the file holds it too"
    );
    bench.service.work().await.unwrap();
    assert_eq!(
        bench.service.view.lock().await.last_crl.unwrap().0,
        before + 1,
        "and no further one is made"
    );
    let pair = rcgen::KeyPair::generate().unwrap();
    let again = csr_bound(&bench, &pair).await;
    assert_eq!(bench.issued(&again).await, None);
}

async fn csr_bound(bench: &Bench, pair: &rcgen::KeyPair) -> Digest {
    let csr = csr(pair);
    let digest = Digest::of(&csr);
    let mandate = MandateId::new("m-1").unwrap();
    let bound = TokenBound {
        agent: AgentId::new("mm-1").unwrap(),
        csr_digest: digest,
        mandate,
        spki: ca_core::csr::inspect(&csr).unwrap().spki_digest(),
        csr: Base64(csr),
        token: Digest::of(b"other"),
    };
    let issue = task(ISSUE_TASK, IssueTask { csr: digest, mandate }.to_payload());
    bench
        .writer
        .append(Append::next(bound, now()).task(issue))
        .await
        .unwrap();
    digest
}

/// A key that was given up as compromised is not certified again, though the agent is in good standing. Control: another key of the same
/// agent is. Leave the check out of the pipeline to see the first half fail.
#[tokio::test]
async fn a_compromised_key_is_never_certified_again() {
    let bench = bench().await;
    let csr = bench.apply(&document("50000"), 1, &document("50000")).await;
    bench.issued(&csr).await.expect("issued");
    let pair = rcgen::KeyPair::generate().unwrap();
    let second = csr_bound(&bench, &pair).await;
    let leaf = bench.issued(&second).await.expect("issued");
    bench
        .append(CertificateRevoked {
            agent: AgentId::new("mm-1").unwrap(),
            by: Actor::Officer(bench.officers[0].0),
            not_after: certificate::life_of(&leaf).unwrap().1,
            reason: RevocationReason::KeyCompromise,
            serial: certificate::serial_of(&leaf).unwrap(),
        })
        .await;
    let same_key = csr_bound(&bench, &pair).await;
    assert_eq!(bench.issued(&same_key).await, None);
    let new_key = csr_bound(&bench, &rcgen::KeyPair::generate().unwrap()).await;
    assert!(bench.issued(&new_key).await.is_some());
}

/// Nor is one whose loss was found when the agent was revoked already, for something else: the second revocation moves no standing, and its keys
/// are remembered. Control tried: `remember_compromise` behind the look at what moved, and it is not.
#[tokio::test]
async fn a_compromise_found_after_the_revocation_is_remembered() {
    let bench = bench().await;
    let csr = bench.apply(&document("50000"), 1, &document("50000")).await;
    let leaf = bench.issued(&csr).await.expect("issued");
    let key = Digest::of(&certificate::spki_of(&leaf).unwrap());
    for (reason, lost) in [
        (RevocationReason::PrivilegeWithdrawn, false),
        (RevocationReason::KeyCompromise, true),
    ] {
        bench
            .append(AgentRevoked {
                agent: AgentId::new("mm-1").unwrap(),
                by: Actor::Officer(bench.officers[0].0),
                incident: None,
                reason,
                score: None,
            })
            .await;
        let mut view = bench.service.view.lock().await;
        view.catch_up(&bench.ledger).await.unwrap();
        assert_eq!(view.is_compromised(&key), lost);
    }
}

/// Revokes another agent that `count` certificates are reserved for: what one CRL then lists.
async fn revoke_many(bench: &Bench, count: u32) {
    let agent = AgentId::new("other").unwrap();
    let purpose = ca_core::events::CaCertificateUse::AgentIssuing;
    let issuer = CaService::newest(&bench.service.view.lock().await.register, purpose)
        .unwrap()
        .digest();
    let reserved = |number: u32| {
        let mut octets = [1; 18];
        octets[14..].copy_from_slice(&number.to_be_bytes());
        let record = CertificateReserved {
            agent,
            checks: 20,
            csr: Digest::default(),
            document: Digest::default(),
            issuer,
            mandate: MandateId::new("m-1").unwrap(),
            not_after: now().plus_seconds(86_400),
            not_before: now(),
            serial: Serial::new(octets).unwrap(),
            spki: Digest::default(),
            tbs: Digest::default(),
        };
        let writer = bench.writer.clone();
        async move { writer.append(Append::next(record, now())).await }
    };
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..count {
        let appended = reserved(number);
        waiting.spawn(async move {
            appended.await.unwrap();
        });
        if waiting.len() >= 256 {
            waiting.join_next().await.unwrap().unwrap();
        }
    }
    waiting.join_all().await;
    bench
        .append(AgentRevoked {
            agent,
            by: Actor::Officer(bench.officers[0].0),
            incident: None,
            reason: RevocationReason::PrivilegeWithdrawn,
            score: None,
        })
        .await;
}

async fn last_published(bench: &Bench) -> revocation_core::jobs::CrlPublished {
    let entries = bench.ledger.read_range(0, 100_000).await.unwrap();
    let last = entries.iter().rfind(|entry| &*entry.kind == "crl.published").unwrap();
    serde_json::from_slice(last.body()).unwrap()
}

/// A list too long for its entry is in its file, found by the digest of the entry, and was there before the entry: where the file cannot be
/// written nothing is recorded. Neither is a reason not to issue. Negative controls: let `write_before` answer `Ok` to a failed write, and
/// a list is recorded that nobody has; put `?` behind `publish_if_due` in `work`, and the bot gets no certificate.
#[tokio::test]
async fn a_long_list_is_in_its_file_before_it_is_recorded_and_a_failing_one_stops_nobody() {
    let mut bench = bench().await;
    let csr = bench.apply(&document("50000"), 1, &document("50000")).await;
    let before = last_published(&bench).await;
    let file = bench.service.config.crl_file.clone().unwrap();
    bench.service.config.crl_file = Some(file.join("not-a-folder/crl.der"));
    revoke_many(&bench, 3_200).await;
    assert!(bench.issued(&csr).await.is_some(), "issuing goes on");
    assert_eq!(
        last_published(&bench).await,
        before,
        "nothing is recorded that cannot be served"
    );
    bench.service.config.crl_file = Some(file.clone());
    bench.service.work().await.unwrap();
    let published = last_published(&bench).await;
    assert_eq!((published.entries, published.list), (3_200, None));
    assert_eq!(Digest::of(&std::fs::read(&file).unwrap()), published.digest);
    let next = revocation_core::crl::unrecorded_crl_file(&file);
    assert!(!next.exists(), "it became the file of the recorded list");
}

fn of_kind(entries: &[Arc<ledger::CommittedEntry>], kind: &str) -> Vec<serde_json::Value> {
    let of_kind = entries.iter().filter(|entry| &*entry.kind == kind);
    of_kind
        .map(|entry| serde_json::from_slice(entry.body()).unwrap())
        .collect()
}

const DAY: i64 = 86_400;

/// A clock that was set back issues nothing, spends no serial and loses no task; within two seconds of the last record, and once it has
/// passed it, it issues. Let `in_step_with` answer `Ok` and the first half turns red.
#[tokio::test]
async fn a_clock_behind_the_last_record_issues_nothing() {
    let bench = bench().await;
    bench.set(10);
    let csr = bench.apply(&document("50000"), 1, &document("50000")).await;
    let mandate = MandateId::new("m-1").unwrap();
    for behind in [7, -3_600] {
        bench.set(behind);
        assert_eq!(bench.issued(&csr).await, None, "{behind}");
        let direct = bench.service.issue(&IssueTask { csr, mandate }).await;
        assert!(matches!(direct, Err(crate::CaError::Clock { .. })), "{direct:?}");
    }
    let entries = bench.ledger.read_range(0, 10_000).await.unwrap();
    assert_eq!(of_kind(&entries, "certificate.reserved").len(), 0);
    assert_eq!(bench.ledger.dead_tasks(crate::ROLE).await.unwrap().len(), 0);
    bench.set(8);
    assert!(bench.issued(&csr).await.is_some(), "two seconds are slack");
}

/// A CRL and a responder's certificate that a wrong clock dated ahead are made anew as soon as the clock is right, though nothing else is
/// issued then; and only once. Leave `now < made`, or `now < from` in `due`, out to see its line red.
#[tokio::test]
async fn what_was_dated_ahead_is_made_anew() {
    let bench = bench().await;
    bench.set(20 * DAY);
    bench.service.work().await.unwrap();
    let ahead = last_published(&bench).await;
    assert_eq!(ahead.this_update, now().plus_seconds(20 * DAY));
    bench.set(60);
    for _ in 0..2 {
        bench.service.work().await.unwrap();
        let published = last_published(&bench).await;
        assert_eq!(
            (published.this_update, published.number),
            (now().plus_seconds(60), ahead.number + 1)
        );
        let view = bench.service.view.lock().await;
        let purpose = ca_core::events::CaCertificateUse::OcspResponder;
        let responder = view.register.authority_certificate(purpose).unwrap();
        let (from, to) = certificate::life_of(responder).unwrap();
        assert!(
            from <= now().plus_seconds(60) && to > now().plus_seconds(29 * DAY),
            "{from} {to}"
        );
    }
}

/// Listeners' certificates are made anew at half of their life, without a root's key (the bench has deleted both), for the same key and
/// names, each with its serial on record before it is signed; before half of it nothing happens. Leave `renew_servers_if_due` out of
/// `work` to see it red.
#[tokio::test]
async fn listeners_certificates_renew_by_themselves() {
    let bench = bench().await;
    let current = || async {
        bench.service.work().await.unwrap();
        let view = bench.service.view.lock().await;
        let (name, certificate) = view.register.servers().next().unwrap();
        assert_eq!(name, "gateway");
        certificate.to_vec()
    };
    bench.set(44 * DAY);
    let first = current().await;
    assert!(certificate::life_of(&first).unwrap().0 < now(), "the ceremony's");
    bench.set(46 * DAY);
    let second = current().await;
    let (from, to) = certificate::life_of(&second).unwrap();
    assert_eq!(
        (from.seconds(), to.seconds()),
        (now().seconds() + 46 * DAY - 300, now().seconds() + 136 * DAY)
    );
    assert_eq!(certificate::spki_of(&first), certificate::spki_of(&second));
    assert_eq!(
        certificate::server_names_of(&first),
        certificate::server_names_of(&second)
    );
    assert_ne!(certificate::serial_of(&first), certificate::serial_of(&second));
    assert_eq!(current().await, second, "once");
    let view = bench.service.view.lock().await;
    let house = view
        .register
        .authority_certificate(ca_core::events::CaCertificateUse::HouseIssuing)
        .unwrap();
    assert!(extensions::verify::verify_signature(
        &certificate::spki_of(house).unwrap(),
        certificate::tbs_of(&second).unwrap(),
        &x509_signature(&second)
    ));
}

/// The signature of a certificate: the last BIT STRING of it.
fn x509_signature(certificate: &[u8]) -> Vec<u8> {
    let tbs = certificate::tbs_of(certificate).unwrap();
    let start = certificate.windows(tbs.len()).position(|part| part == tbs).unwrap() + tbs.len();
    let rest = &certificate[start..];
    let algorithm = 2 + usize::from(rest[1]);
    rest[algorithm + 3..].to_vec()
}

/// Each certificate of the house's own, an officer's, a listener's, the responder's, is announced with its serial before it is on record:
/// the intent stands first, and its digest of what was to be signed is the certificate's. Sign before the append in `certify`, or take a
/// fresh serial behind it, to see it red.
#[tokio::test]
async fn the_houses_own_serials_are_reserved_before_signing() {
    let bench = bench().await;
    bench.set(46 * DAY);
    bench.service.work().await.unwrap();
    let entries = bench.ledger.read_range(0, 10_000).await.unwrap();
    let mut reserved = std::collections::BTreeMap::new();
    let mut seen = Vec::new();
    for entry in &entries {
        let body: serde_json::Value = serde_json::from_slice(entry.body()).unwrap();
        if &*entry.kind == "house.certificate_reserved" {
            let tbs = body["tbs"].as_str().unwrap().to_owned();
            assert_eq!(reserved.insert(body["serial"].as_str().unwrap().to_owned(), tbs), None);
        }
        let by_ceremony = &*entry.writer == "init";
        if !by_ceremony
            && matches!(
                &*entry.kind,
                "officer.registered" | "server.certified" | "ca.certificate_installed"
            )
        {
            let der: Base64 = serde_json::from_value(body["certificate"].clone()).unwrap();
            let serial = certificate::serial_of(&der.0).unwrap().to_string();
            let tbs = Digest::of(certificate::tbs_of(&der.0).unwrap()).to_string();
            assert_eq!(reserved.get(&serial), Some(&tbs), "{} {serial}", entry.kind);
            seen.push(entry.kind.to_string());
        }
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            "ca.certificate_installed",
            "officer.registered",
            "officer.registered",
            "server.certified"
        ]
    );
}

/// A second token's certificate ends what the agent held under another key, on the CRL as superseded, in the same append; for the same key
/// it ends nothing, and a renewal overlaps with what it renews. Answer an empty list from `superseded` to see the first half red, leave
/// its test of `renews` out for the last.
#[tokio::test]
async fn one_agent_has_one_live_key() {
    let bench = bench().await;
    let asked = bench.apply(&document("50000"), 1, &document("50000")).await;
    let first = bench.issued(&asked).await.expect("issued");
    let pair = rcgen::KeyPair::generate().unwrap();
    let second = csr_bound(&bench, &pair).await;
    let second = bench.issued(&second).await.expect("issued");
    bench.service.work().await.unwrap();
    let first = certificate::serial_of(&first).unwrap();
    let file = std::fs::read(bench.service.config.crl_file.as_ref().unwrap()).unwrap();
    assert!(revocation_core::crl::listed_serials(&file).unwrap().contains(&first));
    let revoked = || async {
        let entries = bench.ledger.read_range(0, 10_000).await.unwrap();
        let of_kind = of_kind(&entries, "certificate.revoked");
        of_kind
            .iter()
            .map(|body| (body["serial"].clone(), body["reason"].clone()))
            .collect::<Vec<_>>()
    };
    let expected = vec![(serde_json::json!(first), serde_json::json!("superseded"))];
    assert_eq!(revoked().await, expected);

    let same = csr_bound(&bench, &pair).await;
    assert!(bench.issued(&same).await.is_some());
    assert_eq!(revoked().await, expected, "the same key again");

    bench.set(DAY / 2);
    let next = csr(&rcgen::KeyPair::generate().unwrap());
    let (mandate, digest) = (MandateId::new("m-1").unwrap(), Digest::of(&next));
    let renewal = ca_core::events::RenewalRequested {
        agent: AgentId::new("mm-1").unwrap(),
        csr_digest: digest,
        current: certificate::serial_of(&second).unwrap(),
        mandate,
        spki: ca_core::csr::inspect(&next).unwrap().spki_digest(),
        csr: Base64(next),
    };
    let issue = task(ISSUE_TASK, IssueTask { csr: digest, mandate }.to_payload());
    bench
        .writer
        .append(Append::next(renewal, now()).task(issue))
        .await
        .unwrap();
    assert!(bench.issued(&digest).await.is_some(), "renewed with another key");
    assert_eq!(revoked().await, expected, "a renewal overlaps");
}
