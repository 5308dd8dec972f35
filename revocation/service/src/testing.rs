//! A ledger in memory for this crate's tests: it can be filled, read, followed, and made to fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use extensions::{Clock, Digest, Random, Record, StreamId, Timestamp};
use ledger::CommittedEntry;
use tokio::sync::watch;

use crate::log::{Announced, Boxed, Log, LogError, Report};

pub(crate) struct MemoryLog {
    entries: Mutex<Vec<Arc<CommittedEntry>>>,
    ids: Mutex<Vec<String>>,
    announce: watch::Sender<u64>,
    pub(crate) broken: AtomicBool,
    pub(crate) tasks: Mutex<Vec<ledger::Task>>,
    /// Sealed texts, by where they stand and their commitment.
    pub(crate) texts: Mutex<Vec<(u64, Digest, String)>>,
}

impl MemoryLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            ids: Mutex::default(),
            announce: watch::Sender::new(0),
            broken: AtomicBool::new(false),
            tasks: Mutex::default(),
            texts: Mutex::default(),
        })
    }

    /// Commits one record.
    pub(crate) fn commit(&self, record: &dyn Record, at: Timestamp) -> u64 {
        let mut body = Vec::new();
        record.write_body(&mut body);
        let mut entries = self.entries.lock().unwrap();
        let stream = record.stream();
        let number = entries.iter().filter(|entry| entry.stream == stream).count() as u64;
        let position = entries.len() as u64;
        let entry = Arc::new(CommittedEntry {
            position,
            stream,
            number,
            epoch: 0,
            kind: record.kind().into(),
            at,
            late: false,
            id: None,
            recorded_at: at,
            writer: "test".into(),
            body: 0..body.len(),
            bytes: body.into(),
        });
        entries.push(entry);
        drop(entries);
        self.announce.send_replace(position + 1);
        position
    }

    /// How many entries a stream has.
    pub(crate) fn of_stream(&self, stream: &StreamId) -> u64 {
        let entries = self.entries.lock().unwrap();
        entries.iter().filter(|entry| entry.stream == *stream).count() as u64
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Vec<serde_json::Value> {
        let entries = self.entries.lock().unwrap();
        let of_kind = entries.iter().filter(|entry| &*entry.kind == kind);
        of_kind
            .map(|entry| serde_json::from_slice(entry.body()).unwrap())
            .collect()
    }

    fn check(&self) -> Result<(), LogError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(LogError("the disk is full".to_owned()));
        }
        Ok(())
    }
}

impl Log for MemoryLog {
    fn id(&self) -> String {
        "test".to_owned()
    }
    fn size(&self) -> u64 {
        self.entries.lock().unwrap().len() as u64
    }
    fn read_range(&self, from: u64, limit: usize) -> Boxed<'_, Result<Vec<Arc<CommittedEntry>>, LogError>> {
        Box::pin(async move {
            self.check()?;
            let entries = self.entries.lock().unwrap();
            Ok(entries.iter().skip(from as usize).take(limit).cloned().collect())
        })
    }
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        from: u64,
        limit: usize,
    ) -> Boxed<'a, Result<Vec<Arc<CommittedEntry>>, LogError>> {
        Box::pin(async move {
            self.check()?;
            let entries = self.entries.lock().unwrap();
            let of_stream = entries.iter().filter(|entry| entry.stream == *stream);
            Ok(of_stream.skip(from as usize).take(limit).cloned().collect())
        })
    }
    fn unseal<'a>(&'a self, position: u64, commitment: &'a Digest) -> Boxed<'a, Result<Option<String>, LogError>> {
        Box::pin(async move {
            self.check()?;
            let texts = self.texts.lock().unwrap();
            let mut found = texts
                .iter()
                .filter(|(at, known, _)| (*at, known) == (position, commitment));
            Ok(found.next().map(|(_, _, text)| text.clone()))
        })
    }
    fn announced(&self) -> Announced {
        self.announce.subscribe()
    }
    fn report(&self, report: Report) -> Boxed<'_, Result<(), LogError>> {
        Box::pin(async move {
            self.check()?;
            let mut ids = self.ids.lock().unwrap();
            let id = format!("{} {}", report.record.stream(), report.id);
            if !ids.contains(&id) {
                ids.push(id);
                self.tasks.lock().unwrap().extend(report.tasks);
                self.commit(&report.record, report.at);
            }
            Ok(())
        })
    }
}

/// A clock that stands still until it is told otherwise.
pub(crate) struct HandClock(pub(crate) Mutex<Timestamp>);

impl HandClock {
    pub(crate) fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Bytes that count up: reproducible, and good enough for jitter.
pub(crate) struct Counting(pub(crate) u8);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

/// The real clock, for judges that look at it too.
pub(crate) fn real_now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

/// A CA with a delegated OCSP responder, as the `ca` role would have made them.
pub(crate) struct TestCa {
    pair: rcgen::KeyPair,
    pub(crate) key: ca_keys::SecretKey,
    pub(crate) certificate: Vec<u8>,
    pub(crate) responder: Vec<u8>,
    pub(crate) responder_key: Arc<ca_keys::SecretKey>,
}

fn key(pair: &rcgen::KeyPair) -> ca_keys::SecretKey {
    let pkcs8 = pair.serialize_der().into();
    ca_keys::SecretKey::from_pkcs8("test", extensions::KeyAlgorithm::EcdsaP256Sha256, pkcs8).unwrap()
}

fn params(name: &str, serial: u8) -> rcgen::CertificateParams {
    let now = time::OffsetDateTime::from_unix_timestamp(real_now().seconds()).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&[serial; 18]));
    params.not_before = now - time::Duration::days(1);
    params.not_after = now + time::Duration::days(7);
    params
}

pub(crate) fn test_ca() -> TestCa {
    use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose};
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut ca = params("Issuing CA", 1);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = ca.self_signed(&pair).unwrap().der().to_vec();
    let responder_pair = rcgen::KeyPair::generate().unwrap();
    let mut leaf = params("OCSP responder", 2);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    let issuer = Issuer::from_ca_cert_der(&certificate.as_slice().into(), &pair).unwrap();
    let responder = leaf.signed_by(&responder_pair, &issuer).unwrap().der().to_vec();
    TestCa {
        key: key(&pair),
        pair,
        certificate,
        responder,
        responder_key: Arc::new(key(&responder_pair)),
    }
}

impl TestCa {
    /// A certificate of this CA, and its key.
    pub(crate) fn leaf(&self, name: &str, serial: u8) -> (Vec<u8>, ca_keys::SecretKey) {
        let pair = rcgen::KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::from_ca_cert_der(&self.certificate.as_slice().into(), &self.pair).unwrap();
        let certificate = params(name, serial).signed_by(&pair, &issuer).unwrap();
        (certificate.der().to_vec(), key(&pair))
    }

    /// A CRL of this CA with all that `serials` name, as recorded.
    pub(crate) fn crl(&self, number: u64, serials: &[u8], now: Timestamp) -> revocation_core::jobs::CrlPublished {
        let serials = serials.iter().map(|serial| [*serial; 18]);
        self.list(number, serials, now).into_event()
    }

    /// A CRL of this CA with these serials.
    pub(crate) fn list(
        &self,
        number: u64,
        serials: impl Iterator<Item = [u8; 18]>,
        now: Timestamp,
    ) -> revocation_core::crl::SealedCrl {
        use revocation_core::crl::{CrlContent, CrlEntry, prepare_crl};
        let entry = |serial| CrlEntry {
            revoked: revocation_core::status::Revoked {
                at: now,
                reason: revocation_core::RevocationReason::PrivilegeWithdrawn,
            },
            serial: extensions::Serial::new(serial).unwrap(),
        };
        let content = CrlContent {
            distribution_point: "http://127.0.0.1/agents.crl".to_owned(),
            entries: serials.map(entry).collect(),
            next_update: now.plus_seconds(86_400),
            number,
            this_update: now,
        };
        let throwaway = ca_keys::SecretKey::generate("throwaway", extensions::KeyAlgorithm::EcdsaP256Sha256).unwrap();
        let prepared = prepare_crl(content, &self.certificate, &throwaway, None, now).unwrap();
        prepared.sign(&self.key).unwrap()
    }
}
