//! A founding that stops halfway, and one that does not; new issuing CAs a year later.

use std::{path::Path, sync::Arc};

use ca_core::{
    certificate::{life_of, limits_of, spki_of},
    events::CaCertificateUse,
};
use ca_keys::{FileSigner, Protection};
use extensions::{Digest, KeyAlgorithm, Signer as _, certificate::Certificate};
use ledger::{CheckpointKey, CommittedEntry, Ledger};

use super::{CeremonyError, Rekey, found, rekey};
use crate::{
    CaConfig, CaKeys, CaService, authorise_checkpoint_key,
    tests::{Set, now, plan},
};

const DAY: i64 = 86_400;

fn clock(days: i64) -> Arc<Set> {
    Arc::new(Set(std::sync::Mutex::new(now().plus_seconds(days * DAY))))
}

/// A ceremony that cannot go on names all it has written; until that is deleted the next one refuses, naming it again; then it founds.
/// What was there before stays. Negative control: `will_write` without its note founds nothing either, and the second attempt would say
/// no more than that some key file exists.
#[tokio::test]
async fn a_founding_that_stops_halfway_names_what_it_left() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, at) = (plan(folder.path()), |name: &str| folder.path().join(name));
    let again = || found(&plan, ledger::Config::new(at("ledger"), clock(0)), now());
    std::fs::create_dir_all(at("keys")).unwrap();
    std::fs::write(at("keys/ocsp.key"), "somebody's").unwrap();
    let stopped = again().await.err().unwrap();
    assert!(matches!(&stopped, CeremonyError::Stopped { .. }), "{stopped}");
    let left = [
        "roots/agent-root.key",
        "roots/house-root.key",
        "keys/agent-issuing.key",
        "keys/house-issuing.key",
    ];
    let told = stopped.to_string();
    assert!(told.contains("keys/ocsp.key exists already"), "{told}");
    for file in left {
        assert!(told.contains(&at(file).display().to_string()), "{file}: {told}");
    }
    std::fs::remove_file(at("keys/ocsp.key")).unwrap();
    let remains = again().await.err().unwrap();
    let CeremonyError::Remains(paths) = &remains else {
        panic!("{remains}");
    };
    assert_eq!(paths.len(), left.len() + 1, "the note itself too: {remains}");
    for path in paths {
        std::fs::remove_file(path).unwrap();
    }
    let founded = again().await.unwrap();
    founded.ledger.close().await.unwrap();
    assert!(!at("ca").join(super::UNFINISHED_NOTE).exists());
    let refused = again().await.err().unwrap();
    assert!(
        matches!(refused, CeremonyError::Exists(_)),
        "a founded house stays: {refused}"
    );
}

fn renewal(folder: &Path) -> Rekey<'static> {
    let at = |name: &str| folder.join(name);
    Rekey {
        certificate_folder: at("ca"),
        key_folder: at("keys"),
        root_folder: at("roots"),
        protection: Protection::Plain,
        root_protection: Protection::Plain,
    }
}

/// The role on the ledger of `folder`, as many days later.
async fn served(folder: &Path, days: i64) -> (CaService, Ledger, Arc<Set>) {
    let (clock, keys) = (
        clock(days),
        CaKeys::open(&folder.join("keys"), Protection::Plain).unwrap(),
    );
    let ledger = Ledger::open(ledger::Config::new(folder.join("ledger"), clock.clone()))
        .await
        .unwrap();
    let key = CheckpointKey::ephemeral("test", "ca");
    let authorised = authorise_checkpoint_key(&keys, "test", &key, now().plus_seconds(days * DAY)).unwrap();
    let writer = ledger.writer(key, Some(authorised)).await.unwrap();
    let config = CaConfig {
        crl_file: Some(folder.join("crl.der")),
        ..CaConfig::default()
    };
    let service = CaService::new(ledger.clone(), writer, keys, config, clock.clone()).unwrap();
    (service, ledger, clock)
}

async fn of_kind(ledger: &Ledger, kind: &str) -> Vec<Arc<CommittedEntry>> {
    let entries = ledger.read_range(0, 10_000).await.unwrap();
    entries.into_iter().filter(|entry| &*entry.kind == kind).collect()
}

/// Whose CRLs are on record, in their order, by the CA's number.
async fn published(ledger: &Ledger, issuing: &[Digest]) -> Vec<usize> {
    let entries = of_kind(ledger, "crl.published").await;
    let event = |entry: &CommittedEntry| -> revocation_core::jobs::CrlPublished {
        serde_json::from_slice(entry.body()).unwrap()
    };
    let number = |issuer: Option<Digest>| issuing.iter().position(|known| Some(*known) == issuer).unwrap() + 1;
    entries.iter().map(|entry| number(event(entry).issuer)).collect()
}

/// Three hundred days on, both roots sign a new issuing CA each, with the envelope of the one before and a key and a name of its own; the
/// key of an attempt that was interrupted is taken up again. Then each CA in use has a CRL and a responder of its own; one whose key is
/// lost does not keep the other from having them, and one that has ended has none. Negative controls: the roots' keys exchanged certify
/// nothing; leave `is_in_use` out of `publish_those`, or `?` in its loop, to see the last rows red.
#[tokio::test]
async fn new_issuing_cas_follow_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, at) = (plan(folder.path()), |name: &str| folder.path().join(name));
    let founded = found(&plan, ledger::Config::new(at("ledger"), clock(0)), now())
        .await
        .unwrap();
    let beside = renewal(folder.path());
    let again = || {
        rekey(
            &beside,
            ledger::Config::new(at("ledger"), clock(300)),
            now().plus_seconds(300 * DAY),
        )
    };
    let refused = again().await.unwrap_err();
    assert!(
        matches!(refused, CeremonyError::Ledger(ledger::LedgerError::InUse(_))),
        "beside another process: {refused}"
    );
    founded.ledger.close().await.unwrap();

    for (from, to) in [("agent-root", "kept"), ("house-root", "agent-root")] {
        std::fs::rename(
            at("roots").join(format!("{from}.key")),
            at("roots").join(format!("{to}.key")),
        )
        .unwrap();
    }
    let refused = again().await.unwrap_err();
    assert!(matches!(refused, CeremonyError::NotTheRoot(_)), "{refused}");
    for (from, to) in [("agent-root", "house-root"), ("kept", "agent-root")] {
        std::fs::rename(
            at("roots").join(format!("{from}.key")),
            at("roots").join(format!("{to}.key")),
        )
        .unwrap();
    }
    let kept = FileSigner::create(
        &at("keys/agent-issuing-2.key"),
        KeyAlgorithm::EcdsaP256Sha256,
        Protection::Plain,
    );
    let transcript = again().await.unwrap();
    assert!(transcript.contains("House issuing CA 2"), "{transcript}");
    std::fs::remove_dir_all(at("roots")).unwrap();

    let (service, ledger, clock) = served(folder.path(), 300).await;
    service.work().await.unwrap();
    let view = service.view.lock().await;
    let agents = view.register.issuing(CaCertificateUse::AgentIssuing);
    let root = view
        .register
        .authority_certificate(CaCertificateUse::AgentRoot)
        .unwrap();
    let [first, second] = &agents[..] else { panic!("two") };
    assert_eq!(spki_of(&second.certificate).unwrap(), kept.unwrap().public_key_spki());
    let arc = plan.settings.arc;
    assert_eq!(limits_of(&first.certificate, arc), limits_of(&second.certificate, arc));
    let (from, to) = life_of(&second.certificate).unwrap();
    assert_eq!(
        (
            to.seconds() - from.seconds(),
            view.register.issuing(CaCertificateUse::HouseIssuing).len()
        ),
        (365 * DAY, 2)
    );
    let read = |der: &[u8]| Certificate::read(der).unwrap();
    read(&second.certificate).verify_issued_by(&read(root)).unwrap();
    let responders: Vec<&[u8]> = view
        .register
        .authority_certificates(CaCertificateUse::OcspResponder)
        .collect();
    for issuing in &agents {
        let newest = responders.iter().rev().find(|responder| issuing.issued(responder));
        assert!(
            life_of(newest.unwrap()).unwrap().1 > now().plus_seconds(301 * DAY),
            "{}",
            issuing.number
        );
    }
    let issuing = [first.digest(), second.digest()];
    drop(view);
    assert_eq!(published(&ledger, &issuing).await, [1, 2]);
    ledger.close().await.unwrap();
    drop((service, clock));

    std::fs::rename(at("keys/agent-issuing.key"), at("lost.key")).unwrap();
    let (service, ledger, _clock) = served(folder.path(), 301).await;
    service.work().await.unwrap();
    assert_eq!(
        published(&ledger, &issuing).await,
        [1, 2, 2],
        "the lost key is the first one's"
    );
    ledger.close().await.unwrap();
    drop(service);
    std::fs::rename(at("lost.key"), at("keys/agent-issuing.key")).unwrap();
    let (service, ledger, _clock) = served(folder.path(), 366).await;
    service.work().await.unwrap();
    assert_eq!(
        published(&ledger, &issuing).await,
        [1, 2, 2, 2],
        "the first one has ended"
    );
    service.publish().await.unwrap();
    assert_eq!(published(&ledger, &issuing).await.len(), 5, "when asked for, too");
    ledger.close().await.unwrap();
}
