//! The documented bot in JavaScript, and the documented check of a webhook, as they are.

use std::process::{Command, Output};

use crate::house::{House, Setup, house};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples");

async fn node(arguments: Vec<String>) -> Output {
    let ran = tokio::task::spawn_blocking(move || Command::new("node").args(arguments).output());
    ran.await.unwrap().expect("node runs: cargo xtask test installs it")
}

fn bot(house: &House) -> Vec<String> {
    let path = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    vec![
        std::fs::canonicalize(format!("{EXAMPLES}/bot.mjs")).map(path).unwrap(),
        format!("https://localhost:{}", house.port()),
        path(house.folder.path().join("bot")),
        path(house.config.paths.certificates.join("house.pem")),
    ]
}

/// A mandate that asks for signed orders: one is placed, once although it was sent twice, one is refused for its size, the first is cancelled.
///
/// Control tried: with a signature over another digest the first answer is `PROOF_INVALID`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bot_without_packages_trades() {
    let house = house(Setup {
        order_proof: true,
        ..Setup::default()
    })
    .await;
    let ran = node(bot(&house)).await;
    let (said, errors) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}{errors}");
    assert_eq!(lines[0], "200 open once");
    assert!(
        lines[1].starts_with("403 MAX_NOTIONAL send a smaller quantity"),
        "{said}"
    );
    assert_eq!(lines[2], "200 cancelled");
    assert_eq!(house.orders(), 1, "one order reached the venue");
    house.running.stop().await.unwrap();
}

/// The vector of the Standard Webhooks specification passes; another body, an old time and another secret do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_check_of_a_webhook_checks() {
    let script = format!(
        r#"
import {{ verify }} from "{EXAMPLES}/verify_webhook.mjs";
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", at = 1614265330;
const headers = {{ "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": String(at), "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" }};
const body = Buffer.from('{{"test": 2432232314}}');
const fails = (run) => {{ try {{ run(); }} catch {{ return true; }} return false; }};
if (verify(["whsec_AAAA", secret], headers, body, at + 299).test !== 2432232314) process.exit(1);
if (!fails(() => verify(secret, headers, Buffer.from('{{"test": 2432232315}}'), at))) process.exit(2);
if (!fails(() => verify(secret, headers, body, at + 301))) process.exit(3);
if (!fails(() => verify("whsec_AAAA", headers, body, at))) process.exit(4);
"#
    );
    let arguments = ["--input-type=module", "--eval", &script];
    let ran = node(arguments.map(str::to_owned).to_vec()).await;
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{errors}");
}
