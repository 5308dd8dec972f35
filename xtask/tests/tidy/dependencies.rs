//! The supply chain: what is banned, what may be there twice, how large a build may be, under which licences.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use crate::project::{none, root};

/// Crates that must never be locked: `deny.toml` says why.
const BANNED: [&str; 4] = ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"];

/// Packages of a clean debug build: ours, and what they need to build and run.
const BUILD_CRATES_MAX: usize = 250;

/// Crates of which the product's build has several versions: name, how many, and who holds the older ones.
const SEVERAL: [(&str, usize, &str); 9] = [
    ("base64", 3, "standardwebhooks is on 0.21, pem (of rcgen) on 0.23"),
    (
        "block-buffer",
        2,
        "argon2 is on the new RustCrypto generation, sha2 of sqlx on the old",
    ),
    ("console", 2, "ours, and indicatif's terminal crate of that name"),
    ("cpufeatures", 2, "as block-buffer"),
    ("crypto-common", 2, "as block-buffer"),
    ("digest", 2, "as block-buffer"),
    ("getrandom", 2, "ring is on 0.2"),
    ("hashbrown", 2, "sqlx is on 0.16"),
    (
        "syn",
        2,
        "der, asn1-rs and tracing derive with 2, serde and clap with 3",
    ),
];

/// Licences we accept.
const LICENCES: [&str; 10] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "BSD-2-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "MPL-2.0",
];

fn cargo(args: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(args)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo speaks UTF-8")
}

/// The target this machine builds for: packages of other systems are not downloaded here.
fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host")
        .to_owned()
}

/// `name version` of everything that a build of the `mandatum` binary compiles.
fn build() -> BTreeSet<(String, String)> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--offline",
        "-p",
        "mandatum",
        "-e",
        "normal,build",
        "--prefix",
        "none",
    ]);
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    tree.lines().filter_map(line).collect()
}

#[test]
fn banned_crates_are_absent() {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock"))
        .expect("there")
        .parse()
        .expect("TOML");
    let packages = lock["package"].as_array().expect("a list");
    let field = |package: &toml::Value, field: &str| package.get(field)?.as_str().map(str::to_owned);
    let names: BTreeSet<String> = packages.iter().filter_map(|package| field(package, "name")).collect();
    assert!(names.contains("ring"), "the list is read");
    none(
        BANNED
            .iter()
            .filter(|name| names.contains(**name))
            .map(|name| (*name).to_owned())
            .collect(),
        "banned crates",
    );
    let sources: BTreeSet<String> = packages.iter().filter_map(|package| field(package, "source")).collect();
    let one = sources
        .iter()
        .filter(|source| !source.ends_with("github.com/rust-lang/crates.io-index"));
    none(
        one.cloned().collect(),
        "packages from elsewhere than the public registry",
    );
}

#[test]
fn a_build_stays_small() {
    let build = build();
    println!("{} crates in a debug build", build.len());
    assert!(
        build.len() <= BUILD_CRATES_MAX,
        "{} crates, {BUILD_CRATES_MAX} allowed: trim features",
        build.len()
    );
}

#[test]
fn one_version_of_each_crate() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, version) in build() {
        versions.entry(name).or_default().push(version);
    }
    let allowed = |name: &str| {
        SEVERAL
            .iter()
            .find(|(several, ..)| *several == name)
            .map_or(1, |(_, count, _)| *count)
    };
    let twice: Vec<String> = versions
        .into_iter()
        .filter(|(name, versions)| versions.len() > allowed(name))
        .map(|(name, versions)| format!("{name}: {}", versions.join(", ")))
        .collect();
    none(
        twice,
        "several versions of one crate: align them, or list it with a reason",
    );
}

#[test]
fn licences_are_accepted() {
    let host = host();
    let platform = ["--filter-platform", &host];
    let metadata = cargo(
        &[
            &["metadata", "--locked", "--offline", "--format-version", "1"],
            &platform[..],
        ]
        .concat(),
    );
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let refused = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none");
        (!accepted(licence)).then(|| format!("{}: {licence}", package["name"]))
    });
    none(refused.collect(), "licences that nobody has accepted");
    assert!(!accepted("GPL-3.0") && !accepted("MIT AND AGPL-3.0") && accepted("(MIT OR GPL-3.0) AND ISC"));
}

/// Whether a licence expression can be satisfied: every `AND` part needs one accepted `OR` choice.
fn accepted(expression: &str) -> bool {
    let parts = expression.replace('/', " OR ");
    if !parts.contains('(') {
        // `AND` binds more tightly than `OR`.
        return parts
            .split(" OR ")
            .any(|choice| choice.split(" AND ").all(|part| LICENCES.contains(&part.trim())));
    }
    parts.split(" AND ").all(|part| {
        let inside = part.trim().trim_start_matches('(').trim_end_matches(')');
        inside.split(" OR ").any(|choice| LICENCES.contains(&choice.trim()))
    })
}
