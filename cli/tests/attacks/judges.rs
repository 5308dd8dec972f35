//! What OpenSSL, GnuTLS and Python's `cryptography` say of our chain, CRL and OCSP: each stack's own verdict, as the table has it. None of
//! them is used by the house, and none knows our purpose or our extension.
//!
//! Skipped with a note where a judge is not installed; under `cargo xtask` nothing is skipped.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    certificates::{DAY, by_issuing_ca, limits_oid, parts},
    house::{House, Setup, house},
};

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// The bot's own certificate.
    Good,
    /// The same, when it is asked to be a TLS client: our purpose is none that others know.
    AsClient,
    /// The same with AuthorityLimits critical, which we never issue.
    Critical,
    /// The same, past its end.
    Expired,
    /// The bot's own with the CRL of before its revocation.
    Listed,
    /// And with the CRL of after it.
    Revoked,
}

use Case::{AsClient, Critical, Expired, Good, Listed, Revoked};

/// Each stack's verdict: what its answer holds; nothing when it accepts.
#[rustfmt::skip]
const TABLE: [(Case, [Option<&str>; 3]); 6] = [
    //          OpenSSL               GnuTLS                                        cryptography
    (Good,     [None,                 None,                                         None]),
    (AsClient, [Some("error 26 at 0"), Some("Not verified"),                         Some("required EKU not found")]),
    (Critical, [Some("error 34 at 0"), Some("Not verified"),                         Some("unaccounted-for critical extensions")]),
    (Expired,  [Some("error 10 at 0"), Some("expired"),                              Some("not valid at validation time")]),
    (Listed,   [None,                 None,                                         None]),
    (Revoked,  [Some("error 23 at 0"), Some("revoked"),                              Some("revoked")]),
];

fn python() -> String {
    std::env::var("MANDATUM_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

pub(crate) fn present(program: &str, arguments: &[&str]) -> bool {
    let there = Command::new(program).args(arguments).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: {program} {arguments:?} is not installed");
        assert!(
            std::env::var_os("MANDATUM_PYTHON").is_none(),
            "nothing is skipped under `cargo xtask`"
        );
    }
    there
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Runs a judge where the files are; whether it accepted, and all it said.
pub(crate) fn asked(at: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = Command::new(program).args(arguments).current_dir(at).output().unwrap();
    (
        status.success(),
        String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(),
    )
}

fn leaf(case: Case) -> &'static str {
    match case {
        Critical => "critical",
        Expired => "expired",
        _ => "good",
    }
}

fn crl(case: Case) -> Option<&'static str> {
    match case {
        Listed => Some("before.crl"),
        Revoked => Some("after.crl"),
        _ => None,
    }
}

fn openssl(at: &Path, case: Case) -> (bool, String) {
    let mut arguments = vec![
        "verify",
        "-x509_strict",
        "-CAfile",
        "root.pem",
        "-untrusted",
        "issuing.pem",
    ];
    if let Some(crl) = crl(case) {
        arguments.extend(["-crl_check", "-CRLfile", crl]);
    }
    if case == AsClient {
        arguments.extend(["-purpose", "sslclient"]);
    }
    let file = format!("{}.pem", leaf(case));
    arguments.push(&file);
    asked(at, "openssl", &arguments)
}

fn gnutls(at: &Path, case: Case) -> (bool, String) {
    let chain = format!("{}-chain.pem", leaf(case));
    let mut arguments = vec!["--verify", "--load-ca-certificate", "root.pem", "--infile", &chain];
    if let Some(crl) = crl(case) {
        arguments.extend(["--load-crl", crl]);
    }
    if case == AsClient {
        arguments.push("--verify-purpose=1.3.6.1.5.5.7.3.2");
    }
    asked(at, "certtool", &arguments)
}

/// The verifier leaves purposes and CRLs to whoever calls it: the usual client verifier for [`AsClient`], an open one else.
const VERIFIER: &str = r#"
import sys, datetime
from cryptography import x509
from cryptography.x509 import verification as v
leaf, crl, client = sys.argv[1], sys.argv[2], sys.argv[3] == "client"
read = lambda name: x509.load_pem_x509_certificate(open(name, "rb").read())
builder = v.PolicyBuilder().store(v.Store([read("root.pem")]))
if not client:
    builder = builder.extension_policies(ca_policy=v.ExtensionPolicy.webpki_defaults_ca(), ee_policy=v.ExtensionPolicy.permit_all())
try:
    chain = builder.build_client_verifier().verify(read(leaf), [read("issuing.pem")]).chain
except v.VerificationError as error:
    print(error); sys.exit(1)
if crl != "-":
    crl = x509.load_pem_x509_crl(open(crl, "rb").read())
    assert crl.is_signature_valid(chain[1].public_key()) and crl.issuer == chain[0].issuer
    if crl.get_revoked_certificate_by_serial_number(chain[0].serial_number) is not None:
        print("revoked"); sys.exit(1)
"#;

fn cryptography(at: &Path, case: Case) -> (bool, String) {
    let file = format!("{}.pem", leaf(case));
    let purpose = if case == AsClient { "client" } else { "any" };
    asked(
        at,
        &python(),
        &["-c", VERIFIER, &file, crl(case).unwrap_or("-"), purpose],
    )
}

fn write(at: &Path, name: &str, chain: &[&[u8]]) {
    let texts: Vec<String> = chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
    std::fs::write(at.join(format!("{name}.pem")), &texts[0]).unwrap();
    std::fs::write(at.join(format!("{name}-chain.pem")), texts.concat()).unwrap();
}

/// The CRL that the status listener serves, once it lists `wanted` certificates.
async fn served_crl(house: &House, wanted: usize) -> Vec<u8> {
    let to = format!("http://{}", house.running.addresses.status.unwrap());
    let to = mandatum::client::Origin::parse(&to).unwrap();
    let mut client = mandatum::client::Client::new(to, &[], None).unwrap();
    let begun = Instant::now();
    loop {
        let reply = client.send("GET", "/agents.crl", &[], "").await.unwrap();
        let listed = revocation_core::crl::listed_serials(&reply.body).map(|listed| listed.len());
        if listed == Some(wanted) {
            return reply.body.to_vec();
        }
        assert!(
            begun.elapsed() < crate::house::LONG,
            "the CRL lists {listed:?}, not {wanted}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What each stack says by OCSP, asked of the running listener.
fn ocsp(at: &Path, url: &str, openssl: &str, gnutls: &str, python_says: &str) {
    let (_, text) = asked(
        at,
        "openssl",
        &[
            "ocsp",
            "-issuer",
            "issuing.pem",
            "-cert",
            "good.pem",
            "-CAfile",
            "bundle.pem",
            "-url",
            url,
        ],
    );
    assert!(
        text.contains("Response verify OK") && text.contains(&format!("good.pem: {openssl}")),
        "{text}"
    );
    let (_, text) = asked(
        at,
        "openssl",
        &[
            "ocsp",
            "-issuer",
            "issuing.pem",
            "-cert",
            "good.pem",
            "-CAfile",
            "other.pem",
            "-url",
            url,
        ],
    );
    assert!(
        !text.contains("Response verify OK"),
        "control: under another root {text}"
    );
    if present("ocsptool", &["--version"]) {
        let to = format!("--ask={url}");
        let ask = |trust: &str| {
            asked(
                at,
                "ocsptool",
                &[
                    &to,
                    "--load-cert",
                    "good.pem",
                    "--load-issuer",
                    "issuing.pem",
                    "--load-trust",
                    trust,
                ],
            )
        };
        let (fine, text) = ask("bundle.pem");
        assert!(
            fine && text.contains("Verifying OCSP Response: Success") && text.contains(gnutls),
            "{text}"
        );
        let (_, text) = ask("other.pem");
        assert!(
            !text.contains("Verifying OCSP Response: Success"),
            "control: under another root {text}"
        );
    }
    if present(&python(), &["-c", "import cryptography"]) {
        let (fine, text) = asked(at, &python(), &["-c", OCSP, url, python_says]);
        assert!(fine, "{text}");
    }
}

const OCSP: &str = r#"
import sys, urllib.request
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
read = lambda name: x509.load_pem_x509_certificate(open(name, "rb").read())
leaf, issuer = read("good.pem"), read("issuing.pem")
request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build().public_bytes(serialization.Encoding.DER)
sent = urllib.request.Request(sys.argv[1], request, {"Content-Type": "application/ocsp-request"})
reply = ocsp.load_der_ocsp_response(urllib.request.urlopen(sent).read())
signer = reply.certificates[0]
signer.verify_directly_issued_by(issuer)
signer.public_key().verify(reply.signature, reply.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
assert reply.serial_number == leaf.serial_number and reply.certificate_status.name == sys.argv[2], reply.certificate_status
"#;

fn files(house: &House, at: &Path) {
    let published = &house.running.published;
    let chain = house.chain();
    let root = mandatum::pem::certificates(&house.config.paths.certificates.join("root.pem"))
        .unwrap()
        .remove(0);
    let issuing: &[u8] = &published.agent_issuing;
    write(at, "root", &[&root]);
    write(at, "issuing", &[issuing]);
    std::fs::write(
        at.join("bundle.pem"),
        pem("CERTIFICATE", &root) + &pem("CERTIFICATE", issuing),
    )
    .unwrap();
    write(at, "other", &[&house.roots()[0]]);
    write(at, "good", &[&chain[0], issuing]);
    let mut critical = parts(house);
    for part in &mut critical.extensions {
        part.1 |= part.0 == limits_oid(house);
    }
    write(at, "critical", &[&by_issuing_ca(house, &critical), issuing]);
    let mut expired = parts(house);
    expired.life = (-2 * DAY, -DAY);
    write(at, "expired", &[&by_issuing_ca(house, &expired), issuing]);
}

/// Each row of the table, each judge. The controls are the table's own: every stack accepts the good one and refuses for one reason each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stack_judges_as_the_table_says() {
    let mut house = house(Setup::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    files(&house, at);
    std::fs::write(at.join("before.crl"), pem("X509 CRL", &served_crl(&house, 0).await)).unwrap();
    let url = format!("http://{}/ocsp", house.running.addresses.status.unwrap());
    ocsp(at, &url, "good", "Certificate Status: good", "GOOD");
    let revoked = json!({ "reason": "a test", "revocation_reason": "key_compromise" });
    house.ada.post("/v1/agents/mm-1/revoke", &revoked).await.unwrap();
    std::fs::write(at.join("after.crl"), pem("X509 CRL", &served_crl(&house, 1).await)).unwrap();
    ocsp(at, &url, "revoked", "Certificate Status: revoked", "REVOKED");
    type Judge = fn(&Path, Case) -> (bool, String);
    let judges: [(&str, bool, Judge); 3] = [
        ("OpenSSL", present("openssl", &["version"]), openssl),
        ("GnuTLS", present("certtool", &["--version"]), gnutls),
        (
            "cryptography",
            present(&python(), &["-c", "import cryptography"]),
            cryptography,
        ),
    ];
    for (case, verdicts) in TABLE {
        for ((name, there, judge), verdict) in judges.iter().zip(verdicts) {
            if !there {
                continue;
            }
            let (accepted, said) = judge(at, case);
            assert_eq!(accepted, verdict.is_none(), "{name}, {case:?}: {said}");
            assert!(
                verdict.is_none_or(|reason| said.contains(reason)),
                "{name}, {case:?}: {said}"
            );
        }
    }
    house.running.stop().await.unwrap();
}
