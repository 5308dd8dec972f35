//! What OpenSSL and Python's `cryptography` say of our CRLs and OCSP replies. Both are independent of everything we build on.
//!
//! Skipped with a note where the judge is not installed; `cargo xtask test` installs them, and then nothing is skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use extensions::{Serial, Timestamp};
use rcgen::ExtendedKeyUsagePurpose;

use crate::crl::{CrlContent, CrlEntry, prepare_crl};
use crate::ocsp::{Responder, parse_request};
use crate::reason::RevocationReason;
use crate::status::{Revoked, StatusBook};
use crate::testing::{TestCa, TestKey, ca_at};

/// The judges look at the real clock, so these tests must too.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_seconds(i64::try_from(since.as_secs()).unwrap())
}

struct Judged {
    _folder: tempfile::TempDir,
    at: PathBuf,
    ca: TestCa,
    book: StatusBook,
    now: Timestamp,
}

fn serial(number: u8) -> Serial {
    Serial::new([number; 18]).unwrap()
}

/// A CA with certificate 1 good, 2 to 6 revoked for each reason, others never issued.
fn judged() -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let now = now();
    let ca = ca_at(now);
    let mut book = StatusBook::default();
    book.reserved(serial(1), None, now.plus_seconds(86_400));
    for (number, reason) in (2..).zip(RevocationReason::ALL) {
        let at = now.plus_seconds(-60);
        book.certificate_revoked(serial(number), now.plus_seconds(86_400), Revoked { at, reason });
    }
    let at = folder.path().to_owned();
    std::fs::write(at.join("ca.der"), &ca.certificate).unwrap();
    let judged = Judged {
        _folder: folder,
        at,
        ca,
        book,
        now,
    };
    run(
        "openssl",
        &judged.at,
        &["x509", "-inform", "DER", "-in", "ca.der", "-out", "ca.pem"],
    );
    judged
}

fn has(program: &str, arguments: &[&str]) -> bool {
    let there = Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: {program} {arguments:?} is not installed");
        assert!(
            std::env::var_os("MANDATUM_PYTHON").is_none(),
            "nothing is skipped under `cargo xtask`"
        );
    }
    there
}

/// The interpreter that has the packages of `xtask/requirements.txt`.
fn python() -> String {
    std::env::var("MANDATUM_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn run(program: &str, at: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(at).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn write_crl(judged: &Judged, number: u64) -> Vec<u8> {
    let content = CrlContent {
        distribution_point: "http://status.mandatum.example/agents.crl".to_owned(),
        entries: judged.book.crl_entries(judged.now, 86_400),
        next_update: judged.now.plus_seconds(86_400),
        number,
        this_update: judged.now,
    };
    assert_eq!(content.entries.len(), 5);
    let _: &CrlEntry = &content.entries[0];
    let prepared = prepare_crl(content, &judged.ca.certificate, &TestKey::new(), None, judged.now).unwrap();
    let sealed = prepared.sign(&judged.ca.key).unwrap();
    std::fs::write(judged.at.join("agents.crl"), sealed.der()).unwrap();
    sealed.der().to_vec()
}

/// Negative control, built in: one changed byte of the signed part, and OpenSSL refuses.
#[test]
fn openssl_verifies_the_crl() {
    if !has("openssl", &["version"]) {
        return;
    }
    let judged = judged();
    let mut der = write_crl(&judged, 4_711);
    let arguments = [
        "crl",
        "-inform",
        "DER",
        "-in",
        "agents.crl",
        "-CAfile",
        "ca.pem",
        "-verify",
        "-noout",
        "-text",
    ];
    let (_, text) = run("openssl", &judged.at, &arguments);
    assert!(text.contains("verify OK"), "{text}");
    for wanted in [
        "4711",
        "X509v3 Issuing Distribution Point: critical",
        "URI:http://status.mandatum.example/agents.crl",
        "Key Compromise",
        "Affiliation Changed",
        "Superseded",
        "Cessation Of Operation",
        "Privilege Withdrawn",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in {text}");
    }
    let place = der.len() / 2;
    der[place] ^= 1;
    std::fs::write(judged.at.join("agents.crl"), &der).unwrap();
    let (_, text) = run("openssl", &judged.at, &arguments);
    assert!(!text.contains("verify OK"), "{text}");
}

#[test]
fn python_and_gnutls_read_the_crl() {
    let judged = judged();
    write_crl(&judged, u64::MAX);
    if has("certtool", &["--version"]) {
        let arguments = [
            "--verify-crl",
            "--load-ca-certificate",
            "ca.der",
            "--inder",
            "--infile",
            "agents.crl",
        ];
        let (fine, text) = run("certtool", &judged.at, &arguments);
        assert!(fine && text.contains("Verified"), "{text}");
    }
    if !has(&python(), &["-c", "import cryptography"]) {
        return;
    }
    let script = r#"
from cryptography import x509
ca = x509.load_der_x509_certificate(open("ca.der", "rb").read())
crl = x509.load_der_x509_crl(open("agents.crl", "rb").read())
assert crl.is_signature_valid(ca.public_key())
assert crl.issuer == ca.subject
assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2**64 - 1
idp = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
assert idp.critical and idp.value.full_name[0].value == "http://status.mandatum.example/agents.crl"
aki = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
assert aki == ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
serial = lambda n: int.from_bytes(bytes([n]) * 18, "big")
assert crl.get_revoked_certificate_by_serial_number(serial(1)) is None
reasons = [crl.get_revoked_certificate_by_serial_number(serial(n)).extensions.get_extension_for_class(x509.CRLReason).value.reason.name for n in range(2, 7)]
assert reasons == ["key_compromise", "affiliation_changed", "superseded", "cessation_of_operation", "privilege_withdrawn"], reasons
print("fine")
"#;
    let (fine, text) = run(&python(), &judged.at, &["-c", script]);
    assert!(fine, "{text}");
}

fn responder(judged: &Judged) -> (Responder, TestKey) {
    let key = TestKey::new();
    let certificate = judged
        .ca
        .issue("OCSP responder", 9, &key, &[ExtendedKeyUsagePurpose::OcspSigning]);
    (Responder::new(&judged.ca.certificate, &certificate, &key).unwrap(), key)
}

fn answer(judged: &Judged, responder: &Responder, key: &TestKey) -> Vec<u8> {
    let request = std::fs::read(judged.at.join("request.der")).unwrap();
    let query = parse_request(&request).unwrap();
    let status = |serial: &Serial| judged.book.status(serial);
    let reply = responder.reply(&query, &status, judged.now, 3_600, key).unwrap();
    std::fs::write(judged.at.join("reply.der"), &reply.der).unwrap();
    reply.der
}

/// Both hashes, with and without nonce; the control is a changed byte.
#[test]
fn openssl_verifies_ocsp_replies() {
    if !has("openssl", &["version"]) {
        return;
    }
    let judged = judged();
    let (responder, key) = responder(&judged);
    let hex = |number: u8| format!("0x{}", serial(number));
    for (hash, nonce) in [
        ("-sha1", "-nonce"),
        ("-sha256", "-nonce"),
        ("-sha1", "-no_nonce"),
        ("-sha256", "-no_nonce"),
    ] {
        let (one, two, nine) = (hex(1), hex(2), hex(0x33));
        let serials = [hash, "-serial", &one, hash, "-serial", &two, hash, "-serial", &nine];
        let ask = [
            &["ocsp", "-issuer", "ca.pem"][..],
            &serials,
            &[nonce, "-reqout", "request.der"],
        ]
        .concat();
        let (fine, text) = run("openssl", &judged.at, &ask);
        assert!(fine, "{text}");
        let mut der = answer(&judged, &responder, &key);
        let check = [
            "ocsp",
            "-issuer",
            "ca.pem",
            "-CAfile",
            "ca.pem",
            "-reqin",
            "request.der",
            "-respin",
            "reply.der",
            "-no_nonce",
        ];
        let check = [&check[..], &serials].concat();
        let (_, text) = run("openssl", &judged.at, &check);
        assert!(text.contains("Response verify OK"), "{text}");
        for (number, wanted) in [(&one, "good"), (&two, "revoked"), (&nine, "unknown")] {
            assert!(text.contains(&format!("{number}: {wanted}")), "{text}");
        }
        assert!(text.contains("Reason: keyCompromise"), "{text}");
        assert!(!text.contains("Nonce Verify error"), "{text}");
        let place = der.len() / 4;
        der[place] ^= 1;
        std::fs::write(judged.at.join("reply.der"), &der).unwrap();
        let (_, text) = run("openssl", &judged.at, &check);
        assert!(!text.contains("Response verify OK"), "{text}");
    }
}

#[test]
fn python_reads_ocsp_replies() {
    if !has(&python(), &["-c", "import cryptography"]) {
        return;
    }
    let judged = judged();
    let (responder, key) = responder(&judged);
    for (number, hash, nonce, status) in [
        (1, "SHA1", 0, "GOOD"),
        (2, "SHA256", 32, "REVOKED"),
        (6, "SHA256", 128, "REVOKED"),
        (0x33, "SHA256", 1, "UNKNOWN"),
    ] {
        let make = format!(
            r#"
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.hazmat.primitives import hashes, serialization
ca = x509.load_der_x509_certificate(open("ca.der", "rb").read())
key = ca.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
def digest(data):
    h = hashes.Hash(hashes.{hash}()); h.update(data); return h.finalize()
builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(digest(ca.subject.public_bytes()), digest(key), int("{serial}", 16), hashes.{hash}())
if {nonce}:
    builder = builder.add_extension(x509.OCSPNonce(b"n" * {nonce}), False)
open("request.der", "wb").write(builder.build().public_bytes(serialization.Encoding.DER))
"#,
            serial = serial(number)
        );
        let (fine, text) = run(&python(), &judged.at, &["-c", &make]);
        assert!(fine, "{text}");
        answer(&judged, &responder, &key);
        let judge = format!(
            r#"
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
ca = x509.load_der_x509_certificate(open("ca.der", "rb").read())
reply = ocsp.load_der_ocsp_response(open("reply.der", "rb").read())
assert reply.response_status.name == "SUCCESSFUL"
assert reply.certificate_status.name == "{status}", reply.certificate_status
signer = reply.certificates[0]
signer.verify_directly_issued_by(ca)
assert x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING in signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
signer.public_key().verify(reply.signature, reply.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
assert reply.next_update_utc > reply.this_update_utc
if {nonce}:
    assert reply.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * {nonce}
else:
    assert len(reply.extensions) == 0
if {number} == 6:
    assert reply.revocation_reason.name == "privilege_withdrawn"
"#
        );
        let (fine, text) = run(&python(), &judged.at, &["-c", &judge]);
        assert!(fine, "{text}");
    }
}
