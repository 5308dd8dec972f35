//! The role as a whole: a revocation leads to a CRL at once, an overdue one at start, and a dead `ca` role to retries.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ca_core::events::{CaCertificateInstalled, CaCertificateUse};
use extensions::{Base64, Serial, Timestamp};
use revocation_core::standing::CertificateRevoked;
use revocation_core::{Actor, RevocationReason};

use super::*;
use crate::crl_job::OutboxCrl;
use crate::log::LogError;
use crate::testing::{Counting, HandClock, MemoryLog, TestCa, real_now, test_ca};

/// The `ca` role, in a nutshell: publishes what the ledger says is revoked.
struct FakeCa {
    ca: TestCa,
    down: AtomicBool,
    log: Arc<MemoryLog>,
    number: AtomicU64,
    revoked: Mutex<Vec<u8>>,
    file: OutboxCrl,
}

impl CrlSource for FakeCa {
    fn request(&self) -> Boxed<'_, Result<(), LogError>> {
        Box::pin(async {
            if self.down.load(Ordering::SeqCst) {
                return Err(LogError("the ca role is down".to_owned()));
            }
            let number = self.number.fetch_add(1, Ordering::SeqCst) + 1;
            let serials = self.revoked.lock().unwrap().clone();
            self.log.commit(&self.ca.crl(number, &serials, real_now()), real_now());
            Ok(())
        })
    }
    fn list(&self, digest: Digest) -> Boxed<'_, Option<Vec<u8>>> {
        self.file.list(digest)
    }
}

impl FakeCa {
    fn revoke(&self, number: u8) {
        self.revoked.lock().unwrap().push(number);
        let event = CertificateRevoked {
            agent: extensions::AgentId::new("a").unwrap(),
            by: Actor::House,
            not_after: real_now().plus_seconds(3_600),
            reason: RevocationReason::Superseded,
            serial: Serial::new([number; 18]).unwrap(),
        };
        self.log.commit(&event, real_now());
    }
}

async fn role() -> (Role, Arc<FakeCa>) {
    role_with_file(None).await
}

async fn role_with_file(file: Option<std::path::PathBuf>) -> (Role, Arc<FakeCa>) {
    let (log, ca) = (MemoryLog::new(), test_ca());
    let certificate = Base64(ca.certificate.clone());
    for purpose in [CaCertificateUse::AgentRoot, CaCertificateUse::AgentIssuing] {
        let certificate = certificate.clone();
        log.commit(&CaCertificateInstalled { certificate, purpose }, real_now());
    }
    let clock: Arc<dyn Clock> = HandClock::at(real_now().plus_seconds(2));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let outside = Outside {
        clock,
        log: log.clone(),
        random: Arc::new(Mutex::new(Counting(0))),
        tls: Arc::new(
            tls.with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        ),
    };
    let installed = CaCertificateInstalled {
        certificate: Base64(ca.responder.clone()),
        purpose: CaCertificateUse::OcspResponder,
    };
    log.commit(&installed, real_now());
    let ocsp: Arc<dyn Signer> = ca.responder_key.clone();
    let fake = Arc::new(FakeCa {
        file: OutboxCrl::new(log.clone(), Arc::clone(&outside.clock), file),
        ca,
        down: AtomicBool::new(false),
        log,
        number: AtomicU64::new(0),
        revoked: Mutex::default(),
    });
    let mut config = RoleConfig::default();
    config.status.listen = "127.0.0.1:0".parse().unwrap();
    let given = RoleOutside {
        crl: fake.clone(),
        ocsp: Some(ocsp),
        outside,
    };
    (Role::start(config, given).await.unwrap(), fake)
}

async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("it happens within 20 s");
}

/// Control, tried: without `crl_due.now()` in the follower, number 2 comes with the calendar, minutes later.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_leads_to_a_crl_at_once() {
    let (role, ca) = role().await;
    let number = || role.state().crl_record().map(|crl| crl.number);
    until(|| number() == Some(1)).await;
    assert!(
        role.replies().is_ready(),
        "the installed responder is taken from the ledger"
    );
    ca.revoke(7);
    until(|| number() == Some(2)).await;
    assert_eq!(role.state().crl_record().unwrap().entries, 1);
    ca.down.store(true, Ordering::SeqCst);
    ca.revoke(8);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(number(), Some(2), "status goes on with the list it has");
    ca.down.store(false, Ordering::SeqCst);
    until(|| number() == Some(3)).await;
    assert_eq!(role.state().health(real_now(), 60).reasons, Vec::<String>::new());
    role.stop().await;
}

/// What anybody gets who asks the status listener for the list.
async fn downloaded(address: SocketAddr) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /agents.crl HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    answer.split_off(body)
}

/// 5,000 revoked certificates make a list too long for its entry: it is served from the file, while it is being recorded and after it
/// was, and only with the entry's digest. Negative control: with `list` answering `None`, or without the file (`None` for it), the list
/// before it is served for ever and this test waits in vain.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_any_length_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crl.der");
    let next = revocation_core::crl::unrecorded_crl_file(&file);
    let (role, ca) = role_with_file(Some(file.clone())).await;
    let number = || role.state().crl_record().map(|crl| crl.number);
    until(|| number() == Some(1)).await;
    let list = |number, revoked: u16| {
        let serial = |serial: u16| {
            let [high, low] = serial.to_be_bytes();
            [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low]
        };
        ca.ca.list(number, (0..revoked).map(serial), real_now())
    };
    let long = list(2, 5_000);
    assert!(long.der().len() > revocation_core::crl::LONGEST_RECORDED_CRL && long.event().list.is_none());
    std::fs::write(&next, long.der()).unwrap();
    ca.log.commit(long.event(), real_now());
    until(|| number() == Some(2)).await;
    assert!(downloaded(role.address()).await == long.der());

    std::fs::write(&next, b"another list").unwrap();
    let longer = list(3, 5_001);
    std::fs::write(&file, longer.der()).unwrap();
    ca.log.commit(longer.event(), real_now());
    until(|| number() == Some(3)).await;
    assert!(downloaded(role.address()).await == longer.der());

    // Bytes of another list are nobody's: what is served stays until one comes that fits.
    let withheld = list(4, 5_002);
    ca.log.commit(withheld.event(), real_now());
    ca.log.commit(list(5, 1).event(), real_now());
    until(|| number() == Some(5)).await;
    assert_eq!(
        role.state().crl_wanted(),
        None,
        "a list that never came is wanted no more"
    );
    role.stop().await;
}

#[tokio::test]
async fn a_wrong_schedule_starts_nothing() {
    let (log, ca) = (MemoryLog::new(), test_ca());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let outside = Outside {
        clock: HandClock::at(Timestamp::EPOCH),
        log: log.clone(),
        random: Arc::new(Mutex::new(Counting(0))),
        tls: Arc::new(
            tls.with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        ),
    };
    let crl = crate::OutboxCrl::new(log, HandClock::at(Timestamp::EPOCH), None);
    let mut config = RoleConfig {
        crl_schedule: "now and then".to_owned(),
        ..RoleConfig::default()
    };
    config.status.listen = "127.0.0.1:0".parse().unwrap();
    drop(ca);
    let given = RoleOutside {
        crl: Arc::new(crl),
        ocsp: None,
        outside,
    };
    assert!(matches!(Role::start(config, given).await, Err(RoleError::Calendar(_))));
}

/// The outbox carries the request to the `ca` role, beside the record that it was made.
#[tokio::test]
async fn the_outbox_asks_the_ca_role() {
    let log = MemoryLog::new();
    let source = crate::OutboxCrl::new(log.clone(), HandClock::at(real_now()), None);
    source.request().await.unwrap();
    let tasks = log.tasks.lock().unwrap();
    assert_eq!(
        (tasks[0].role.as_str(), tasks[0].kind.as_str()),
        ("ca", revocation_core::jobs::CRL_PUBLISH_TASK)
    );
    assert_eq!(log.of_kind("job.ran").len(), 1);
}
