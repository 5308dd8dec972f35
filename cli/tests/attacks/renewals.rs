//! A bot's next certificate: a token's ends the one before, a renewal does not, and one that was interrupted locks nobody out.

use std::path::{Path, PathBuf};

use extensions::certificate::Certificate;
use mandatum::{
    bot::{self, Bot},
    pem,
};

use crate::house::{House, LONG, Setup, closing_post, house, order, origin, spoken};

/// So short that it may be renewed at once: half of its life, back-dating included, is over when it is issued.
const SHORT_SECONDS: i64 = 120;

pub(crate) fn serial(folder: &Path) -> String {
    let chain = pem::certificates(&folder.join(bot::CHAIN_FILE)).unwrap();
    Certificate::read(&chain[0]).unwrap().serial().to_string()
}

async fn enrolled_again(house: &mut House, folder: &str) -> PathBuf {
    let token = house.ada.enrolment_token("mm-1", "m-1").await.unwrap();
    let to = origin(house.running.addresses.enrolment);
    let folder = house.folder.path().join(folder);
    let token = token["token"].as_str().unwrap();
    bot::enrol(&folder, to, &house.roots(), "mm-1", token, &mut |_| {})
        .await
        .unwrap();
    folder
}

/// What the gateway says to an order by whoever lives in `folder`; nothing when it is refused in the handshake.
pub(crate) async fn trades(house: &House, folder: &Path, id: &str) -> bool {
    let to = origin(house.running.addresses.gateway);
    let Ok(mut bot) = Bot::open(folder, to, &house.roots()) else {
        return false;
    };
    bot.send(&order(id)).await.is_ok_and(|reply| reply.status.is_success())
}

/// Reason codes of the CRL that is served, by serial.
fn listed(house: &House) -> Vec<(String, Option<u8>)> {
    let file = std::fs::read(&house.config.paths.crl).unwrap();
    let (_, list) = x509_parser::parse_x509_crl(&file).unwrap();
    let entry = |entry: &x509_parser::revocation_list::RevokedCertificate<'_>| {
        let serial = entry.raw_serial().iter().map(|octet| format!("{octet:02x}")).collect();
        (serial, entry.reason_code().map(|(_, code)| code.0))
    };
    list.iter_revoked_certificates().map(entry).collect()
}

/// A bot has one live key (certificates.md §7): a token's certificate ends the one before it, whose open
/// connection closes and whose next handshake or order is refused, and the CRL calls it superseded (RFC 5280 §5.3.1: 4). Negative
/// control inside: just before, the same connection answers; answer an empty list from `superseded` in the role `ca` and it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tokens_certificate_ends_the_one_before() {
    let mut house = house(Setup::default()).await;
    let first = house.folder.path().join("bot");
    let ask = b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let stream = house.dial(Some(house.identity())).await.unwrap();
    let open = tokio::spawn(spoken(stream, ask, LONG));
    house.lives("before").await;
    assert!(!open.is_finished(), "the control: it stays open");

    let second = enrolled_again(&mut house, "second").await;
    let (_, closed) = open.await.unwrap();
    assert!(closed, "the old key's connection is closed");
    let before = house.orders();
    let said = match house.dial(Some(house.identity())).await {
        Ok(stream) => {
            spoken(stream, &closing_post(&order("old").to_string(), ""), LONG)
                .await
                .0
        }
        Err(_) => String::new(),
    };
    assert!(said.is_empty() || said.contains("REVOKED"), "{said}");
    assert_eq!(house.orders(), before, "nothing of the old key was forwarded");
    assert!(trades(&house, &second, "new").await, "the new one trades");

    let superseded = vec![(serial(&first), Some(4))];
    let published = async {
        while listed(&house) != superseded {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, published).await.expect("on the CRL");
    house.running.stop().await.unwrap();
}

fn state(house: &House, name: &str, files: &[(&str, PathBuf)]) -> PathBuf {
    let folder = house.folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (file, from) in files {
        std::fs::copy(from, folder.join(file)).unwrap();
    }
    folder
}

/// Whatever `agent renew` had written when it was interrupted, the bot trades and renews again. The states are put together from the files
/// of before and after a real renewal. Negative control inside: the same files without the new key cannot be used by anybody; leave
/// `unfinished::finish` out of `Bot::open` and the second state is as dead as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_was_interrupted_locks_nobody_out() {
    let short = Setup {
        bot_life_seconds: Some(SHORT_SECONDS),
        ..Setup::default()
    };
    let house = house(short).await;
    let now = house.folder.path().join("bot");
    let all = ["key.pem", "certificate.pem", "chain.pem", "roots.pem"];
    let old = all.map(|file| (file, now.join(file)));
    let old = state(&house, "old", &old);
    let to = || origin(house.running.addresses.enrolment);
    bot::renew(&now, to(), &house.roots()).await.unwrap();
    assert_ne!(serial(&now), serial(&old));
    assert!(!now.join("next-key.pem").exists());
    assert!(trades(&house, &now, "renewed").await);
    assert!(trades(&house, &old, "overlap").await, "a renewal ends nothing");

    let before = |file: &'static str| (file, old.join(file));
    let after = |file: &'static str| (file, now.join(file));
    let next = || ("next-key.pem", now.join("key.pem"));
    let empty = house.folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let states = [
        (
            "asked",
            vec![
                before("key.pem"),
                before("certificate.pem"),
                before("chain.pem"),
                next(),
            ],
        ),
        (
            "chain",
            vec![before("key.pem"), before("certificate.pem"), after("chain.pem"), next()],
        ),
        (
            "certificate",
            vec![before("key.pem"), after("certificate.pem"), after("chain.pem"), next()],
        ),
        (
            "done",
            vec![after("key.pem"), after("certificate.pem"), after("chain.pem")],
        ),
    ];
    for (name, files) in &states {
        let folder = state(&house, name, files);
        assert!(trades(&house, &folder, name).await, "{name}");
        bot::renew(&folder, to(), &house.roots()).await.expect(name);
        assert!(trades(&house, &folder, &format!("{name}-renewed")).await, "{name}");
        let leaf = pem::certificates(&folder.join("certificate.pem")).unwrap();
        assert_eq!(
            leaf[0],
            pem::certificates(&folder.join("chain.pem")).unwrap()[0],
            "{name}"
        );
        assert!(!folder.join("next-key.pem").exists(), "{name}");
    }
    let cut_short = vec![
        before("key.pem"),
        before("certificate.pem"),
        before("chain.pem"),
        ("next-key.pem", empty),
    ];
    let folder = state(&house, "cut-short", &cut_short);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(folder.join("next-key.pem"), mode).unwrap();
    assert!(trades(&house, &folder, "cut-short").await);
    bot::renew(&folder, to(), &house.roots()).await.unwrap();

    let lost = state(
        &house,
        "lost",
        &[before("key.pem"), before("certificate.pem"), after("chain.pem")],
    );
    assert!(
        !trades(&house, &lost, "lost").await,
        "the control: a chain without its key"
    );
    house.running.stop().await.unwrap();
}
