//! The house the tests act in. Certificates are judged in real time by the TLS stack, so the clock here is the system's.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{
    Extension,
    body::Body,
    http::{Request, StatusCode},
};
use ca_core::events::Role;
use ca_keys::{FileSigner, Protection, SecretKey};
use ca_service::{
    CaConfig, CaKeys, CaService, authorise_checkpoint_key,
    ceremony::{Plan, Server, found},
};
use extensions::{
    ApprovalDecision, AuthorityLimits, Base64, Clock, Decimal, Digest, Environment, KeyAlgorithm, OfficerId, Signer,
    Timestamp, approval::approval_message, certificate::TrustDomain, oids::OidArc,
};
use ledger::{Append, CheckpointKey, Ledger, Writer};
use revocation_core::house::Thresholds;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{Anchors, Clocks, Config, Console, Identity, listener::Peer};

struct System;
impl Clock for System {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Timestamp::from_seconds(i64::try_from(since.as_secs()).unwrap())
    }
}

/// The system's time, some seconds on: for what lapses.
#[derive(Default)]
struct Ahead(AtomicI64);
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        System.now().plus_seconds(self.0.load(Ordering::SeqCst))
    }
}

/// An officer with key and certificate.
pub(crate) struct Member {
    pub(crate) id: OfficerId,
    pub(crate) key: SecretKey,
    pub(crate) certificate: CertificateDer<'static>,
    pkcs8: Vec<u8>,
}

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ledger: Ledger,
    pub(crate) writer: Writer,
    pub(crate) console: Console,
    pub(crate) ada: Member,
    pub(crate) ben: Member,
    ahead: Arc<Ahead>,
    working: tokio::task::JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.working.abort();
    }
}

pub(crate) fn csr(key: &rcgen::KeyPair) -> Vec<u8> {
    rcgen::CertificateParams::default()
        .serialize_request(key)
        .unwrap()
        .der()
        .to_vec()
}

fn envelope() -> AuthorityLimits {
    let text = r#"{"counterparties":"any","hours":["always"],"instruments":"any","order_proof":false,"order_rates":["60/1s"],"order_types":["limit","market"],"per_day":["EUR 10000000"],"per_order":["EUR 100000"],"price_collar_bps":500,"regions":"any"}"#;
    AuthorityLimits::for_ca(serde_json::from_str(text).unwrap())
}

/// Certificates of bots here are past half of their life at once (they are back-dated five minutes), so that renewal can be asked for.
const BOT_LIFE_SECONDS: i64 = 120;

impl Bench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let clock: Arc<dyn Clock> = Arc::new(System);
        let plan = Plan {
            settings: ca_core::profiles::Settings {
                arc: OidArc::DEVELOPMENT,
                environment: Environment::Sandbox,
                trust_domain: TrustDomain::new("bots.example").unwrap(),
                crl_url: "http://status.example/crl".into(),
                ocsp_url: "http://status.example/ocsp".into(),
                issuer_url: "http://status.example/ca".into(),
            },
            root_envelope: envelope(),
            issuing_envelope: envelope(),
            certificate_folder: at("ca"),
            key_folder: at("keys"),
            root_folder: at("roots"),
            protection: Protection::Plain,
            root_protection: Protection::Plain,
            servers: ["console", "enrolment"].map(server).into(),
            officers: ["ada", "ben"].map(|id| OfficerId::new(id).unwrap()).into(),
            thresholds: Thresholds {
                two_officers_above: [("EUR".parse().unwrap(), Decimal::from(1_000_000))].into(),
                ..Thresholds::default()
            },
            regions: None,
            ledger_id: "test".into(),
        };
        let config = ledger::Config::new(at("ledger"), clock.clone());
        let founded = found(&plan, config, clock.now()).await.unwrap();
        let keys = CaKeys::open(&at("keys"), Protection::Plain).unwrap();
        let mut writers = Vec::new();
        for role in ["ca", crate::ROLE] {
            let key = CheckpointKey::ephemeral("test", role);
            let authorised = authorise_checkpoint_key(&keys, "test", &key, clock.now()).unwrap();
            writers.push(founded.ledger.writer(key, Some(authorised)).await.unwrap());
        }
        let [for_ca, writer] = <[Writer; 2]>::try_from(writers).ok().unwrap();
        let config = CaConfig {
            bot_life_seconds: BOT_LIFE_SECONDS,
            ..CaConfig::default()
        };
        let service = CaService::new(founded.ledger.clone(), for_ca, keys, config, clock.clone()).unwrap();
        let working = tokio::spawn(async move { service.run().await });
        let der = |name: &str| CertificateDer::from_pem_file(at("ca").join(name)).unwrap().to_vec();
        let anchors = Anchors {
            house_root: der("house.pem"),
            house_issuing: vec![der("house-issuing.pem")],
            agent_root: der("root.pem"),
            agent_issuing: vec![der("issuing.pem")],
        };
        let ahead = Arc::<Ahead>::default();
        let clocks = Clocks {
            decision: clock,
            real: ahead.clone(),
        };
        let mut config = Config::new(anchors);
        config.patience = std::time::Duration::from_secs(20);
        let console = Console::new(founded.ledger.clone(), writer.clone(), clocks, config);
        let mut members = Vec::new();
        for token in &founded.tokens {
            members.push(enrol(&console, token.officer, &token.token).await);
        }
        let [ada, ben] = <[Member; 2]>::try_from(members).ok().unwrap();
        Self {
            folder,
            ledger: founded.ledger,
            writer,
            console,
            ada,
            ben,
            ahead,
            working,
        }
    }

    /// An officer with these roles.
    pub(crate) async fn officer(&self, id: &str, roles: &[Role]) -> Member {
        let token = self.invited(id, roles).await;
        self.enrolled(id, &token).await
    }

    pub(crate) async fn enrolled(&self, id: &str, token: &str) -> Member {
        enrol(&self.console, OfficerId::new(id).unwrap(), token).await
    }

    /// The token of a further officer: ada asks for it, both sign it.
    pub(crate) async fn invited(&self, id: &str, roles: &[Role]) -> String {
        let asked = self
            .done(&self.ada, "/v1/officers", json!({"officer": id, "roles": roles}))
            .await;
        let proposal = asked["proposal"].as_str().unwrap().trim_start_matches("officer/");
        let path = format!("/v1/proposals/{proposal}/signatures");
        for by in [&self.ada, &self.ben] {
            self.done(by, &path, by.signs(&asked, "approve")).await;
        }
        asked["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn append(&self, record: impl extensions::Record + Send + 'static) {
        let appended = self.writer.append(Append::next(record, System.now())).await;
        appended.map_err(|error| error.to_string()).unwrap();
    }

    /// For the console, real time goes on by this much.
    pub(crate) fn later(&self, seconds: i64) {
        self.ahead.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        System.now()
    }

    pub(crate) async fn get(&self, by: &Member, path: &str) -> (StatusCode, Value) {
        ask(&self.console, Some(by), "GET", path, "").await
    }

    pub(crate) async fn post(&self, by: &Member, path: &str, body: Value) -> (StatusCode, Value) {
        ask(&self.console, Some(by), "POST", path, &body.to_string()).await
    }

    /// As [`post`](Self::post), and it must succeed.
    pub(crate) async fn done(&self, by: &Member, path: &str, body: Value) -> Value {
        let (status, answer) = self.post(by, path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// As [`post`](Self::post), and it must be refused with this code.
    pub(crate) async fn refused(&self, by: &Member, path: &str, body: Value, code: &str) {
        let (status, answer) = self.post(by, path, body).await;
        assert!(!status.is_success(), "{path}: {status} {answer}");
        assert_eq!(answer["code"], code, "{path}: {answer}");
    }

    /// Ada asks for what is not there.
    pub(crate) async fn refused_get(&self, path: &str) {
        assert_eq!(self.get(&self.ada, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }

    pub(crate) async fn agent(&self, id: &str, owner: &str) {
        let body = json!({
            "agent": id, "declared_model": "m", "environment": "sandbox", "owner": owner, "purpose": "makes markets",
            "expires_at": self.now().plus_seconds(86_400 * 30),
        });
        self.done(&self.ada, "/v1/agents", body).await;
    }

    /// Ada asks for a mandate.
    pub(crate) async fn application(&self, agent: &str, mandate: &str, per_day: &str) -> Value {
        let asked = self.asks(agent, mandate, (per_day, "50000"), None);
        self.done(&self.ada, "/v1/applications", asked).await
    }

    /// An application: what one day and one order may come to, and the hours of a mandate that is signed ahead.
    pub(crate) fn asks(&self, agent: &str, mandate: &str, (day, order): (&str, &str), probation: Option<u8>) -> Value {
        let mut asked = json!({
            "agent": agent, "mandate": mandate, "rationale": "small",
            "expires": self.now().plus_seconds(86_400 * 20),
            "conduct": {"on_halt": "cancel_all", "on_unanswered_warning": "freeze", "repeat_window_ms": 1000, "scoring": "enforce"},
            "limits": {
                "counterparties": ["exchange_a"], "hours": ["Mon-Fri 07:00-20:00"], "instruments": ["BTC_EUR"],
                "order_proof": false, "order_rates": ["60/1s"], "order_types": ["limit"],
                "per_day": [format!("EUR {day}")], "per_order": [format!("EUR {order}")],
                "price_collar_bps": 200, "regions": ["eu-west-1"],
            },
        });
        if let Some(hours) = probation {
            asked["conduct"]["probation_hours"] = json!(hours);
        }
        asked
    }

    /// Ada's private key, PKCS#8, for other programs.
    pub(crate) fn ada_key(&self) -> &[u8] {
        &self.ada.pkcs8
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        let chain = self.folder.path().join("ca").join(format!("{name}.pem"));
        let chain = CertificateDer::pem_file_iter(chain)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let key = self.folder.path().join("keys").join(format!("{name}.key"));
        let key: Arc<dyn Signer> = Arc::new(FileSigner::open(&key, Protection::Plain).unwrap());
        Arc::new(ca_keys::tls::ServerIdentity::new(chain, key))
    }
}

fn server(name: &str) -> Server {
    Server {
        name: name.into(),
        hosts: vec!["localhost".into()],
        addresses: vec!["127.0.0.1".parse().unwrap()],
    }
}

impl Member {
    /// The body of a signature over what `question` shows.
    pub(crate) fn signs(&self, question: &Value, decision: &str) -> Value {
        let digest = |name: &str| Digest::parse(question[name].as_str().unwrap()).unwrap();
        let (nonce, document) = (digest("nonce"), digest("document_digest"));
        let kind = if decision == "approve" {
            ApprovalDecision::Approve
        } else {
            ApprovalDecision::Reject
        };
        let signature = self.key.sign(&approval_message(&nonce, &document, kind).0).unwrap();
        json!({
            "decision": decision, "document": document, "nonce": nonce, "reason": "as it should be",
            "signature": Base64(signature),
        })
    }
}

async fn enrol(console: &Console, officer: OfficerId, token: &str) -> Member {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = SecretKey::from_pkcs8("officer", KeyAlgorithm::EcdsaP256Sha256, pair.serialize_der().into()).unwrap();
    let body = json!({"csr": Base64(csr(&pair)), "name": "A Person", "token": token}).to_string();
    let (status, answer) = ask(console, None, "POST", "/v1/officers/enrol", &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let pem = answer["certificate"].as_str().unwrap();
    Member {
        id: officer,
        key,
        pkcs8: pair.serialize_der(),
        certificate: CertificateDer::from_pem_slice(pem.as_bytes()).unwrap(),
    }
}

pub(crate) async fn ask(
    console: &Console,
    by: Option<&Member>,
    method: &str,
    path: &str,
    body: &str,
) -> (StatusCode, Value) {
    ask_on(console, peer(by), method, path, body).await
}

/// A connection of its own.
pub(crate) fn peer(by: Option<&Member>) -> Peer {
    Peer::new("127.0.0.1:1".parse().unwrap(), by.map(|by| by.certificate.clone()))
}

pub(crate) async fn ask_on(console: &Console, peer: Peer, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
    let router = console.officers_router().layer(Extension(peer));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    let request = request.body(Body::from(body.to_owned())).unwrap();
    json_of(router.oneshot(request).await.unwrap()).await
}

pub(crate) async fn json_of(response: axum::response::Response) -> (StatusCode, Value) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}
