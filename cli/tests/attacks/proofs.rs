//! A mandate that asks for a signature over each order (RFC 9421): what is not exactly the bot's own is refused.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_keys::{FileSigner, Protection};
use extensions::{Digest, KeyAlgorithm, Signer};
use gateway_service::api::proof::content_digest;

use crate::house::{House, LONG, Setup, closing_post, house, order, origin};

/// The two numbers of a DER signature, each in 32 octets (RFC 9421 §3.3.4).
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut both = Vec::new();
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.len().saturating_sub(32)..];
        both.extend(std::iter::repeat_n(0, 32 - number.len()));
        both.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    both
}

/// How one signature is made.
#[derive(Clone)]
pub(crate) struct Signing {
    pub(crate) created: i64,
    pub(crate) expires: i64,
    pub(crate) nonce: &'static str,
    /// The body that is digested and signed.
    pub(crate) body: String,
}

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

pub(crate) fn headers(house: &House, key: &FileSigner, signing: &Signing) -> String {
    let digest = content_digest(signing.body.as_bytes());
    let keyid = Digest::of(&house.chain()[0]);
    let input = format!(
        "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\");created={};expires={};nonce=\"{}\";keyid=\"{keyid}\"",
        signing.created, signing.expires, signing.nonce
    );
    let base = format!(
        "\"@method\": POST\n\"@target-uri\": https://localhost/v1/orders\n\"content-digest\": {digest}\n\"content-type\": application/json\n\"@signature-params\": {input}"
    );
    let signature = STANDARD.encode(fixed(&key.sign(base.as_bytes()).unwrap()));
    format!("content-digest: {digest}\r\nsignature-input: sig={input}\r\nsignature: sig=:{signature}:\r\n")
}

async fn sent(house: &House, body: &str, headers: &str) -> String {
    house.raw(&closing_post(body, headers), LONG).await.0
}

/// Negative control: the first and the last pass, made by the same function; each other differs from them in one thing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_proven_by_its_bot_alone() {
    let house = house(Setup {
        order_proof: true,
        ..Setup::default()
    })
    .await;
    let own = house.bot_key();
    let other = FileSigner::create(
        &house.folder.path().join("other"),
        KeyAlgorithm::EcdsaP256Sha256,
        Protection::Plain,
    );
    let other = other.unwrap();
    let body = |id: &str| order(id).to_string();
    let usual = |id: &str, nonce: &'static str| Signing {
        created: now(),
        expires: now() + 30,
        nonce,
        body: body(id),
    };
    let good = headers(&house, &own, &usual("good", "n-good"));
    let said = sent(&house, &body("good"), &good).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");

    let said = sent(&house, &body("missing"), "").await;
    assert!(said.contains("PROOF_REQUIRED"), "{said}");
    let window = |nonce: &'static str, from: i64, until: i64| Signing {
        created: now() + from,
        expires: now() + until,
        ..usual(nonce, nonce)
    };
    let one_field = |drop: &str| {
        let kept = good.split_inclusive("\r\n").filter(|line| !line.starts_with(drop));
        kept.collect::<String>()
    };
    let acceptable = "window is not acceptable";
    let cases = [
        (
            "by another key",
            headers(&house, &other, &usual("key", "n-key")),
            "key",
            "does not verify",
        ),
        (
            "with a used nonce",
            headers(&house, &own, &usual("nonce", "n-good")),
            "nonce",
            "nonce was used before",
        ),
        (
            "dated ahead",
            headers(&house, &own, &window("n-1", 20, 50)),
            "n-1",
            acceptable,
        ),
        (
            "expired",
            headers(&house, &own, &window("n-2", -50, -5)),
            "n-2",
            acceptable,
        ),
        (
            "for too long",
            headers(&house, &own, &window("n-3", 0, 3_600)),
            "n-3",
            acceptable,
        ),
        (
            "ending before it begins",
            headers(&house, &own, &window("n-4", 0, -1)),
            "n-4",
            acceptable,
        ),
        (
            "of another body",
            headers(&house, &own, &usual("signed", "n-body")),
            "sent",
            "Content-Digest",
        ),
        (
            "without its input",
            one_field("signature-input"),
            "input",
            "carries no HTTP message signature",
        ),
        (
            "without its value",
            one_field("signature:"),
            "value",
            "carries no HTTP message signature",
        ),
        (
            "without a digest",
            one_field("content-digest"),
            "digest",
            "Content-Digest",
        ),
        (
            "without a digest, replayed",
            one_field("content-digest"),
            "good-2",
            "Content-Digest",
        ),
    ];
    for (what, headers, id, why) in cases {
        let said = sent(&house, &body(id), &headers).await;
        assert!(
            said.contains("PROOF_INVALID") && !said.contains(" 200 "),
            "{what}: {said}"
        );
        // Told to the bot's developer as the cause of this one. Control: without `explained` all say the same.
        assert!(said.contains(why), "{what}: {said}");
        assert_eq!(house.orders(), 1, "{what}: nothing was forwarded");
    }
    // A whole request again, octet for octet: the order's story once more, never a second order.
    let said = sent(&house, &body("good"), &good).await;
    assert!(
        !said.contains("\"receipt\"") || said.contains("PROOF_INVALID"),
        "{said}"
    );
    assert_eq!(house.orders(), 1, "a replay reaches nobody");
    the_command_line_s_bot_signs(&house).await;
    let again = headers(&house, &own, &usual("again", "n-again"));
    let said = sent(&house, &body("again"), &again).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    house.running.stop().await.unwrap();
}

/// The bot of the command line signs by itself, because its certificate asks for it; the same order again is signed anew and gets the
/// stored outcome. Control: without the fields that `Bot::send` adds, the same bot's order is `PROOF_REQUIRED`.
async fn the_command_line_s_bot_signs(house: &House) {
    let to = origin(house.running.addresses.gateway);
    let mut bot = mandatum::bot::Bot::open(&house.folder.path().join("bot"), to, &house.roots()).unwrap();
    let before = house.orders();
    for _ in 0..2 {
        let reply = bot.send(&order("by-cli")).await.unwrap();
        assert_eq!(reply.status, 200, "{:?}", reply.json());
    }
    assert_eq!(house.orders(), before + 1);
    let bare = bot.call("POST", "/v1/orders", &order("bare").to_string()).await;
    let bare = bare.unwrap().json().unwrap();
    assert_eq!(bare["code"], serde_json::json!("PROOF_REQUIRED"), "{bare}");
}
