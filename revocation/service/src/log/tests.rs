//! This role on the real ledger: reports are idempotent, followers gapless, tasks reach the `ca` role.

use extensions::{AgentId, Clock, KeyAlgorithm};
use ledger::{CheckpointKey, Config};
use revocation_core::jobs::{CRL_PUBLISH_TASK, DeliverySubscribed};
use revocation_core::standing::AgentRevoked;
use revocation_core::{Actor, RevocationReason};

use super::*;
use crate::crl_job::{CrlSource as _, OutboxCrl};
use crate::follow::Follower;
use crate::testing::real_now;

struct Real;

impl Clock for Real {
    fn now(&self) -> Timestamp {
        real_now()
    }
}

fn report(id: &str, from: u64) -> Report {
    let subscription = "desk".to_owned();
    Report {
        at: real_now(),
        id: id.to_owned(),
        record: AnyRecord::new(DeliverySubscribed { from, subscription }),
        tasks: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_ledger_does_what_is_asked_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = ca_keys::SecretKey::generate("root", KeyAlgorithm::Ed25519).unwrap();
    let mut config = Config::new(folder.path(), Arc::new(Real));
    config.wal_bytes = 1 << 20;
    let key = CheckpointKey::ephemeral("test", "revocation");
    let (ledger, writer) = Ledger::create(config, "test", &root, key).await.unwrap();
    let log: Arc<dyn Log> = Arc::new(LedgerLog::new(ledger.clone(), writer.clone()));
    let start = log.size();
    let mut follower = Follower::new(Arc::clone(&log), start);
    log.report(report("a", 1)).await.unwrap();
    log.report(report("a", 1)).await.unwrap();
    log.report(report("a", 2)).await.unwrap();
    log.report(report("b", 3)).await.unwrap();
    let agent = AgentId::new("mm-1").unwrap();
    let reason = RevocationReason::PrivilegeWithdrawn;
    let revoked = AgentRevoked {
        agent,
        by: Actor::Scorer,
        incident: None,
        reason,
        score: None,
    };
    writer
        .append(Append::next(revoked, real_now()).narrowing())
        .await
        .unwrap();
    let mut kinds = Vec::new();
    while kinds.len() < 3 {
        kinds.extend(
            follower
                .next()
                .await
                .unwrap()
                .iter()
                .map(|entry| entry.kind.to_string()),
        );
    }
    assert_eq!(
        kinds,
        ["delivery.subscribed", "delivery.subscribed", "agent.revoked"],
        "a repeated id is one entry"
    );
    assert_eq!(follower.position(), log.size());
    let stream = StreamId::parse("delivery/desk").unwrap();
    assert_eq!(log.read_stream(&stream, 0, 10).await.unwrap().len(), 2);
    OutboxCrl::new(Arc::clone(&log), Arc::new(Real), None)
        .request()
        .await
        .unwrap();
    let tasks = ledger
        .lease_tasks("ca", real_now().plus_seconds(1), 1_000_000, 10)
        .await
        .unwrap();
    assert_eq!(
        tasks.iter().map(|task| task.kind.as_str()).collect::<Vec<_>>(),
        [CRL_PUBLISH_TASK]
    );
    ledger.close().await.unwrap();
}
