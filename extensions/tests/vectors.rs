//! The committed vectors of `AuthorityLimits`, read by this crate, by Python and by OpenSSL, which must agree.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

#[path = "vectors/list.rs"]
mod list;
#[path = "vectors/openssl.rs"]
mod openssl;

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use extensions::AuthorityLimits;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors")
}

/// Control: any check removed from the decoder turns its vector into an accepted one.
#[test]
fn each_vector_is_read_as_expected() {
    let vectors = list::all();
    assert!(vectors.len() >= 50 && vectors.iter().filter(|v| v.refused.is_none()).count() >= 20);
    for vector in &vectors {
        let found = AuthorityLimits::decode(&vector.der).map_err(|e| (e.tag(), e.field().as_str()));
        assert_eq!(
            found.as_ref().err(),
            vector.refused.as_ref(),
            "{}: {}",
            vector.name,
            vector.note
        );
        if let Ok(limits) = found {
            assert_eq!(limits.encode().expect("decoded"), vector.der, "{}", vector.name);
        }
    }
}

/// Each reason that a decoder can give has a vector.
#[test]
fn each_reason_has_a_vector() {
    let reasons: BTreeSet<_> = list::all()
        .iter()
        .filter_map(|v| v.refused.map(|(reason, _)| reason))
        .collect();
    for reason in [
        "too-long",
        "not-der",
        "trailing-bytes",
        "unknown-version",
        "unexpected-tag",
        "missing",
        "unknown-scheme",
        "not-canonical",
        "out-of-range",
        "bad-text",
        "bad-count",
        "not-sorted",
        "duplicate",
        "any-for-agent",
        "wrong-subject",
    ] {
        assert!(reasons.contains(reason), "{reason}");
    }
}

#[test]
fn committed_files_are_the_generated_ones() {
    let (vectors, limits) = (list::all(), folder().join("limits"));
    let again = "cargo run -p extensions --example make_vectors";
    for vector in &vectors {
        let path = limits.join(format!("{}.der", vector.name));
        assert_eq!(
            std::fs::read(&path).ok().as_ref(),
            Some(&vector.der),
            "{}: {again}",
            path.display()
        );
    }
    assert_eq!(
        std::fs::read_to_string(limits.join("index.json")).ok(),
        Some(list::index(&vectors)),
        "{again}"
    );
    let files = std::fs::read_dir(&limits).expect("the folder").count();
    assert_eq!(files, vectors.len() + 1, "a file that no vector made: {again}");
}

/// Each octet of each good vector, inverted and with each bit flipped: refused, or another canonical value.
#[test]
fn mutated_vectors_are_refused_or_canonical() {
    for vector in list::all().iter().filter(|v| v.refused.is_none()) {
        for at in 0..vector.der.len() {
            for mask in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut der = vector.der.clone();
                der[at] ^= mask;
                if let Ok(limits) = AuthorityLimits::decode(&der) {
                    assert_eq!(limits.encode().expect("decoded"), der, "{} at {at}", vector.name);
                }
            }
        }
    }
}

fn present(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("{program} is not there: not compared");
        assert!(
            std::env::var_os("MANDATUM_PYTHON").is_none(),
            "nothing is skipped under `cargo xtask`"
        );
    }
    found
}

/// A strict reader of its own in Python agrees on every vector: outcome, reason, field and decoded value; and `cryptography`
/// finds the value in a certificate.
#[test]
fn python_reads_alike() {
    let python = std::env::var("MANDATUM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !present(&python, &["-c", "import cryptography"]) {
        return;
    }
    let output = Command::new(python)
        .arg(folder().join("check.py"))
        .output()
        .expect("python3 runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// OpenSSL finds in every good vector the values of the index, leaf by leaf, and of the bad ones parses all but those that are no DER.
/// Control: change a number in a good vector's row of the index, or a name in `BROKEN`.
#[test]
fn openssl_reads_alike() {
    if !present("openssl", &["version"]) {
        return;
    }
    let (good, bad) = openssl::read_all(&folder().join("limits"));
    assert!(good >= 20 && bad >= 50, "{good} good, {bad} bad");
}
