//! A bot enrols and renews as its makers would do it: curl and openssl against the real listener.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::tests::Bench;

fn has(program: &str) -> bool {
    let there = Command::new(program).arg("version").output().is_ok()
        || Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: {program} is not installed");
        assert!(
            std::env::var_os("MANDATUM_PYTHON").is_none(),
            "nothing is skipped under `cargo xtask`"
        );
    }
    there
}

fn run(at: &Path, program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).current_dir(at).output().unwrap()
}

/// Status and headers of a request by curl; the body is in `out`.
async fn curl(at: &Path, arguments: &[&str]) -> (u16, String) {
    let fixed = [
        "-sS",
        "--cacert",
        "ca/house.pem",
        "-o",
        "out",
        "-D",
        "headers",
        "-w",
        "%{http_code}",
        "--max-time",
        "30",
    ];
    let all: Vec<String> = fixed.iter().chain(arguments).map(|text| (*text).to_owned()).collect();
    let folder = at.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        run(&folder, "curl", &all)
    });
    let output = output.await.unwrap();
    let status = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0);
    assert_ne!(status, 0, "{}", String::from_utf8_lossy(&output.stderr));
    (
        status,
        std::fs::read_to_string(at.join("headers"))
            .unwrap()
            .to_ascii_lowercase(),
    )
}

fn request(at: &Path, name: &str) {
    let key = format!("{name}.key");
    run(
        at,
        "openssl",
        &[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &key,
        ],
    );
    run(
        at,
        "openssl",
        &[
            "req",
            "-new",
            "-key",
            &key,
            "-subj",
            "/CN=whatever",
            "-outform",
            "DER",
            "-out",
            "csr.der",
        ],
    );
    run(
        at,
        "openssl",
        &["base64", "-in", "csr.der", "-out", &format!("{name}.b64")],
    );
}

/// The certificate in `out`, by stock tools.
fn certificate(at: &Path, name: &str) -> String {
    run(at, "openssl", &["base64", "-d", "-in", "out", "-out", "out.p7"]);
    let output = run(
        at,
        "openssl",
        &[
            "pkcs7",
            "-inform",
            "DER",
            "-in",
            "out.p7",
            "-print_certs",
            "-out",
            "both.pem",
        ],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let both = std::fs::read_to_string(at.join("both.pem")).unwrap();
    let mut leaf = String::new();
    for part in both.split_inclusive("-----END CERTIFICATE-----") {
        let Some(start) = part.find("-----BEGIN") else { continue };
        std::fs::write(at.join("one.pem"), &part[start..]).unwrap();
        let text = run(at, "openssl", &["x509", "-in", "one.pem", "-noout", "-text"]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        if text.contains("CA:TRUE") {
            continue;
        }
        std::fs::copy(at.join("one.pem"), at.join(name)).unwrap();
        leaf = text;
    }
    leaf
}

mod probation;
mod replacement;

async fn listening(bench: &Bench) -> (String, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!(
        "https://localhost:{}/.well-known/est",
        listener.local_addr().unwrap().port()
    );
    let tls = bench.console.enrolment_tls(bench.identity("enrolment")).await.unwrap();
    let (console, stop) = (bench.console.clone(), CancellationToken::new());
    let stopped = stop.clone();
    tokio::spawn(async move { console.serve_enrolment(listener, tls, stopped).await });
    (origin, stop)
}

/// The whole of certificates.md §8: 401, 202 while pending, 200, the same request again, another request on the same token, renewal,
/// the same path without a certificate, renewal of a revoked bot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enrolment_and_renewal_with_stock_tools() {
    if !has("curl") || !has("openssl") {
        return;
    }
    let bench = Bench::new().await;
    let at = bench.folder.path();
    let (origin, stop) = listening(&bench).await;
    bench.agent("mm-1", "desk").await;
    let asked = bench.application("mm-1", "m-1", "500000").await;
    let token = bench
        .done(
            &bench.ada,
            "/v1/agents/mm-1/enrolment-tokens",
            json!({"mandate": "m-1"}),
        )
        .await;
    let user = format!("bot:{}", token["token"].as_str().unwrap());
    let post = ["-H", "Content-Type: application/pkcs10", "--data-binary"];
    let (enrol, reenrol) = (format!("{origin}/simpleenroll"), format!("{origin}/simplereenroll"));

    let (status, headers) = curl(at, &[&format!("{origin}/cacerts")]).await;
    assert_eq!(status, 200);
    assert!(
        headers.contains("content-type: application/pkcs7-mime\r\n"),
        "{headers}"
    );
    assert_eq!(certificate(at, "none.pem"), "", "authorities only");

    request(at, "bot");
    request(at, "other");
    let send = |file: &'static str| [&post[..], &[file]].concat();
    let (status, headers) = curl(at, &[&send("@bot.b64")[..], &[&enrol]].concat()).await;
    assert_eq!(status, 401);
    assert!(headers.contains("www-authenticate: basic"), "{headers}");
    let (status, _) = curl(at, &[&send("@bot.b64")[..], &["-u", "bot:guess", &enrol]].concat()).await;
    assert_eq!(status, 401);
    let (status, headers) = curl(at, &[&send("@bot.b64")[..], &["-u", &user, &enrol]].concat()).await;
    assert_eq!(status, 202, "officers have not decided");
    assert!(headers.contains("retry-after: "), "{headers}");
    let (status, _) = curl(at, &[&send("@other.b64")[..], &["-u", &user, &enrol]].concat()).await;
    assert_eq!(status, 403, "the token is bound to the first request");
    bench
        .done(
            &bench.ben,
            "/v1/applications/m-1/signatures",
            bench.ben.signs(&asked, "approve"),
        )
        .await;
    let (status, headers) = curl(at, &[&send("@bot.b64")[..], &[&enrol]].concat()).await;
    assert_eq!(status, 200, "the same request polls without the token");
    assert!(
        headers.contains("content-type: application/pkcs7-mime; smime-type=certs-only\r\n"),
        "{headers}"
    );
    assert!(headers.contains("content-transfer-encoding: base64"), "{headers}");
    let text = certificate(at, "bot.pem");
    assert!(text.contains("URI:spiffe://bots.example/"), "{text}");
    assert!(!text.contains("whatever"), "names of the request are ignored");

    let (status, _) = curl(at, &[&send("@other.b64")[..], &[&reenrol]].concat()).await;
    assert_eq!(status, 401, "renewal without a certificate");
    let with = ["--cert", "bot.pem", "--key", "bot.key"];
    // A change that nobody has approved yet takes nothing from the bot.
    bench.application("mm-1", "m-1", "900000").await;
    // A frozen certificate is not left behind by renewing it.
    let (_, shown) = bench.get(&bench.ada, "/v1/agents/mm-1").await;
    let serial = shown["certificates"][0]["serial"].as_str().unwrap().to_owned();
    let act = |act: &str| format!("/v1/certificates/{serial}/{act}");
    bench.done(&bench.ada, &act("freeze"), json!({"reason": "drill"})).await;
    let (status, _) = curl(at, &[&with[..], &send("@other.b64"), &[&reenrol]].concat()).await;
    assert_eq!(status, 403, "frozen");
    bench.done(&bench.ada, &act("resume"), json!({"reason": "drill"})).await;
    let (status, _) = curl(at, &[&with[..], &send("@other.b64"), &[&reenrol]].concat()).await;
    assert_eq!(status, 200, "{}", std::fs::read_to_string(at.join("out")).unwrap());
    let renewed = certificate(at, "renewed.pem");
    assert!(renewed.contains("URI:spiffe://bots.example/") && renewed != text);

    bench
        .done(&bench.ada, "/v1/agents/mm-1/revoke", json!({"reason": "drill"}))
        .await;
    request(at, "third");
    let (status, _) = curl(at, &[&with[..], &send("@third.b64"), &[&reenrol]].concat()).await;
    assert_eq!(status, 403, "revoked");
    let (status, _) = curl(
        at,
        &[&send("@third.b64")[..], &["-H", "Content-Type: text/plain", &enrol]].concat(),
    )
    .await;
    assert!((400..500).contains(&status));
    stop.cancel();
}

/// What officers refused is told with their reason, for as long as the bot asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_told_with_its_reason() {
    if !has("curl") || !has("openssl") {
        return;
    }
    let bench = Bench::new().await;
    let at = bench.folder.path();
    let (origin, stop) = listening(&bench).await;
    bench.agent("mm-1", "desk").await;
    let asked = bench.application("mm-1", "m-1", "500000").await;
    let token = bench
        .done(
            &bench.ada,
            "/v1/agents/mm-1/enrolment-tokens",
            json!({"mandate": "m-1"}),
        )
        .await;
    let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap());
    let enrol = format!("{origin}/simpleenroll");
    request(at, "bot");
    let send = [
        "-H",
        "Content-Type: application/pkcs10",
        "--data-binary",
        "@bot.b64",
        "-H",
        &bearer,
        &enrol,
    ];
    assert_eq!(curl(at, &send).await.0, 202);
    bench
        .done(
            &bench.ben,
            "/v1/applications/m-1/signatures",
            bench.ben.signs(&asked, "reject"),
        )
        .await;
    assert_eq!(curl(at, &send).await.0, 403);
    let told = std::fs::read_to_string(at.join("out")).unwrap();
    assert!(told.contains("officer ben: as it should be"), "{told}");
    stop.cancel();
}

/// Control inside: an officer's certificate is nobody here, and a connection without one gets as far as 401.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trees_are_kept_apart() {
    if !has("curl") || !has("openssl") {
        return;
    }
    let bench = Bench::new().await;
    let at = bench.folder.path();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let officers = format!("https://localhost:{}/v1/whoami", listener.local_addr().unwrap().port());
    let tls = bench.console.officers_tls(bench.identity("console")).await.unwrap();
    let (console, stop) = (bench.console.clone(), CancellationToken::new());
    let stopped = stop.clone();
    tokio::spawn(async move { console.serve_officers(listener, tls, stopped).await });
    let (enrolment, stop_enrolment) = listening(&bench).await;

    std::fs::write(at.join("ada.der"), &bench.ada.certificate).unwrap();
    run(
        at,
        "openssl",
        &["x509", "-inform", "DER", "-in", "ada.der", "-out", "ada.pem"],
    );
    std::fs::write(at.join("ada.pk8"), bench.ada_key()).unwrap();
    run(
        at,
        "openssl",
        &[
            "pkcs8", "-inform", "DER", "-nocrypt", "-in", "ada.pk8", "-out", "ada.key",
        ],
    );
    let with = ["--cert", "ada.pem", "--key", "ada.key"];
    assert_eq!(curl(at, &[&officers]).await.0, 401);
    assert_eq!(curl(at, &[&with[..], &[&officers]].concat()).await.0, 200);
    let output = tokio::task::spawn_blocking({
        let (at, address) = (at.to_owned(), format!("{enrolment}/cacerts"));
        move || {
            run(
                &at,
                "curl",
                &[
                    "-sS",
                    "--cacert",
                    "ca/house.pem",
                    "--cert",
                    "ada.pem",
                    "--key",
                    "ada.key",
                    &address,
                ],
            )
        }
    });
    assert!(
        !output.await.unwrap().status.success(),
        "an officer's certificate ends the handshake of the bots' listener"
    );
    stop.cancel();
    stop_enrolment.cancel();
}

#[test]
fn any_bytes_are_a_request_or_a_refusal() {
    for seed in 0..2_000_u32 {
        let bytes: Vec<u8> = (0..seed % 300)
            .map(|n| (seed.wrapping_mul(2_654_435_761).rotate_left(n) >> 5) as u8)
            .collect();
        super::fuzz_request(&bytes);
    }
}
