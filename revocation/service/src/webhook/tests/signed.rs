//! Subscriptions that officers signed run, change and end while everything else goes on.

use extensions::Digest;
use revocation_core::webhooks::{WebhookFormat, WebhookSettings};

use super::*;

fn inside() -> Rules {
    Rules {
        console: None,
        networks: vec![Network::parse("127.0.0.0/8").unwrap()],
    }
}

/// One whose secret is sealed at position 0.
fn one(log: &MemoryLog, name: &str, url: &str, since: u64) -> Signed {
    let secret = Digest::of(SECRET.as_bytes());
    log.texts.lock().unwrap().push((0, secret, SECRET.to_owned()));
    Signed {
        name: name.to_owned(),
        secret_at: Some(0),
        since,
        webhook: WebhookSettings {
            format: WebhookFormat::CloudEvents,
            kinds: vec!["agent.*".to_owned()],
            secret,
            url: url.to_owned(),
        },
    }
}

fn position_of(got: &Got) -> u64 {
    let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
    body["data"]["position"].as_u64().unwrap()
}

/// It is told from where it was added, its change goes on where the former one was, its end is the end, and a name used anew begins afresh.
///
/// Control tried: without `since` the first receiver hears nothing of what came before its worker ran; without `begin_at` the last hears of what
/// happened while it was removed.
#[tokio::test]
async fn what_is_signed_runs_and_what_is_not_ends() {
    let log = MemoryLog::new();
    let (mut first, mut second) = (receiver(|_| "200 OK").await, receiver(|_| "200 OK").await);
    let running = start(&log, &[]).await;
    revoke(&log);
    let since = log.size();
    let told = revoke(&log);
    let added = one(&log, "desk", &first.url, since);
    assert!(running.hooks.arrange(std::slice::from_ref(&added), &inside()).await);
    assert_eq!(position_of(&next(&mut first).await), told);
    until(|| log.of_kind("delivery.attempted").len() == 1).await;
    let changed = one(&log, "desk", &second.url, since);
    assert!(running.hooks.arrange(&[changed], &inside()).await);
    let moved = revoke(&log);
    assert_eq!(position_of(&next(&mut second).await), moved);
    until(|| log.of_kind("delivery.attempted").len() == 2).await;
    assert!(running.hooks.arrange(&[], &inside()).await);
    revoke(&log);
    let anew = one(&log, "desk", &first.url, log.size());
    let last = revoke(&log);
    assert!(running.hooks.arrange(&[anew], &inside()).await);
    assert_eq!(position_of(&next(&mut first).await), last);
    assert_eq!(
        (first.hits.load(Ordering::SeqCst), second.hits.load(Ordering::SeqCst)),
        (2, 1)
    );
    running.end().await;
}

/// Nobody opens a way to the inside by signing, nor takes over a name of the configuration, nor runs one whose secret is not to be had.
///
/// Control, built in: the same address under rules that allow its network is called above.
#[tokio::test]
async fn a_signature_opens_no_way_inside() {
    let log = MemoryLog::new();
    let honeypot = receiver(|_| "200 OK").await;
    let mut configured = receiver(|_| "200 OK").await;
    let running = start(&log, &[("desk", subscription(&configured.url, true))]).await;
    let since = log.size();
    let mut bare = one(&log, "bare", &honeypot.url, since);
    bare.secret_at = Some(7);
    let wanted = [
        one(&log, "desk", &honeypot.url, since),
        one(&log, "inner", &honeypot.url, since),
        bare,
    ];
    assert!(running.hooks.arrange(&wanted, &Rules::default()).await);
    revoke(&log);
    next(&mut configured).await;
    until(|| log.of_kind("delivery.attempted").len() >= 2).await;
    let tried = log.of_kind("delivery.attempted");
    let of = |name: &str| tried.iter().find(|record| record["subscription"] == name);
    assert!(
        of("inner").unwrap()["fault"]
            .as_str()
            .unwrap()
            .contains("not a public address")
    );
    assert!(of("bare").is_none() && of("desk").unwrap()["fault"].is_null());
    assert_eq!(honeypot.hits.load(Ordering::SeqCst), 0);
    running.end().await;
}
