//! Who may import whom, what pure means, where SQL and the system clock live.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    project::{File, ending, none, shipped_sources},
    source::{blanked, shipped},
};

/// The pure crates, by folder.
const PURE: [(&str, &str); 5] = [
    ("extensions", "extensions/"),
    ("ca-core", "ca/core/"),
    ("anomaly", "anomaly/"),
    ("revocation-core", "revocation/core/"),
    ("gateway-policy", "gateway/policy/"),
];

/// For each of our crates, which of ours it may use. The composition root and the tasks may use all.
const MAY_IMPORT: [(&str, &[&str]); 14] = [
    ("extensions", &[]),
    ("ca-core", &["extensions"]),
    ("anomaly", &["extensions"]),
    ("revocation-core", &["extensions"]),
    ("gateway-policy", &["extensions", "anomaly", "revocation-core"]),
    (
        "ledger",
        &["extensions", "ca-core", "anomaly", "revocation-core", "gateway-policy"],
    ),
    ("ledger-model", &[]),
    ("ca-keys", &["extensions"]),
    ("ca-service", SHELL),
    ("revocation-service", SHELL),
    ("gateway-service", SHELL),
    ("console", SHELL),
    ("gateway-sidecar", &["extensions", "ca-keys"]),
    ("fixtures-venue", &["extensions", "ca-keys"]),
];

/// Shells see the ledger, the keys and any pure crate; never one another.
const SHELL: &[&str] = &[
    "ledger",
    "ca-keys",
    "extensions",
    "ca-core",
    "anomaly",
    "revocation-core",
    "gateway-policy",
];

/// May use all of ours.
const ROOTS: [&str; 2] = ["mandatum", "xtask"];

/// Foreign crates with one home.
const HOMES: [(&str, &[&str]); 7] = [
    ("sqlx", &["ledger"]),
    ("libsqlite3-sys", &["ledger"]),
    ("clap", &["mandatum"]),
    ("anyhow", &["mandatum"]),
    ("indicatif", &["mandatum"]),
    ("statrs", &["anomaly"]),
    ("tokio-cron-scheduler", &["revocation-service"]),
];

/// Foreign crates that do what a pure crate must not.
const IMPURE: [&str; 12] = [
    "tokio",
    "tokio-util",
    "tokio-rustls",
    "axum",
    "hyper",
    "hyper-util",
    "rustls",
    "sqlx",
    "libsqlite3-sys",
    "socket2",
    "tracing",
    "rand",
];

/// What no pure crate may say.
const IMPURE_WORDS: [&str; 16] = [
    "SystemTime",
    "Instant::now",
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "std::process",
    "std::thread",
    "std::io::stdout",
    "async fn",
    ".await",
    "tokio::",
    "sqlx::",
    "println!",
    "SystemRandom::new",
    "TcpListener",
    "std::env",
];

/// Name and direct dependencies (build dependencies included, dev-dependencies not) of each manifest.
fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for file in ending("Cargo.toml") {
        let manifest: toml::Table = file.text.parse().expect("manifests are TOML");
        let Some(name) = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(|name| name.as_str())
        else {
            continue;
        };
        let mut dependencies = BTreeSet::new();
        let target_tables = manifest.get("target").and_then(|target| target.as_table());
        let tables = target_tables
            .into_iter()
            .flat_map(|targets| targets.values())
            .filter_map(|t| t.as_table());
        for table in tables.chain([&manifest]) {
            for section in ["dependencies", "build-dependencies"] {
                let section = table.get(section).and_then(|section| section.as_table());
                dependencies.extend(section.into_iter().flat_map(|section| section.keys().cloned()));
            }
        }
        found.insert(name.to_owned(), dependencies);
    }
    found
}

fn wrong_imports(manifests: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, dependencies) in manifests {
        if ROOTS.contains(&name.as_str()) || name.starts_with("fuzz") {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(of, _)| of == name) else {
            wrong.push(format!("`{name}` is not in the table of the architecture"));
            continue;
        };
        let ours = dependencies
            .iter()
            .filter(|dependency| manifests.contains_key(*dependency));
        wrong.extend(
            ours.filter(|d| !allowed.contains(&d.as_str()))
                .map(|d| format!("`{name}` imports `{d}`")),
        );
    }
    wrong
}

fn strangers(manifests: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, dependencies) in manifests {
        for dependency in dependencies {
            let impure = PURE.iter().any(|(pure, _)| pure == name) && IMPURE.contains(&dependency.as_str());
            let home = HOMES.iter().find(|(stranger, _)| stranger == dependency);
            let away = home.is_some_and(|(_, homes)| !homes.contains(&name.as_str()));
            if impure || away {
                found.push(format!("`{name}` depends on `{dependency}`"));
            }
        }
    }
    found
}

#[test]
fn imports_follow_the_table() {
    none(
        wrong_imports(&manifests()),
        "imports that the architecture does not allow",
    );
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    none(strangers(&manifests()), "foreign crates in the wrong room");
}

#[test]
fn the_tables_can_fail() {
    let mut manifests = manifests();
    let policy = manifests.get_mut("gateway-policy").expect("there");
    policy.extend(["ledger".to_owned(), "tokio".to_owned()]);
    assert_eq!(wrong_imports(&manifests), ["`gateway-policy` imports `ledger`"]);
    assert_eq!(strangers(&manifests), ["`gateway-policy` depends on `tokio`"]);
}

fn impurities(file: &File) -> Vec<String> {
    let code = blanked(shipped(&file.text));
    let lines = code.lines().enumerate();
    let found = lines.flat_map(|(number, line)| {
        let words = IMPURE_WORDS.iter().filter(move |word| line.contains(*word));
        words.map(move |word| format!("{}:{}: `{word}`", file.path, number + 1))
    });
    found.collect()
}

#[test]
fn pure_crates_are_pure() {
    let pure = |path: &str| PURE.iter().any(|(_, folder)| path.starts_with(folder));
    let found = shipped_sources()
        .iter()
        .filter(|file| pure(&file.path))
        .flat_map(impurities)
        .collect();
    none(
        found,
        "a pure crate reaches for a clock, a file, a socket, a thread or randomness of its own",
    );
    let text = "fn f() { let now = std::time::Instant::now(); } // Instant::now is fine here".to_owned();
    assert_eq!(impurities(&File { path: "a".into(), text }), ["a:1: `Instant::now`"]);
}

#[test]
fn only_the_composition_root_reads_the_system_clock() {
    let allowed = |path: &str| path.starts_with("cli/") || path.starts_with("xtask/");
    let found = shipped_sources()
        .into_iter()
        .filter(|file| !allowed(&file.path))
        .filter_map(|file| {
            let reads = blanked(shipped(&file.text)).contains("SystemTime::now");
            reads.then_some(file.path)
        });
    none(
        found.collect(),
        "the system clock is read outside of cli/: take a `Clock`",
    );
}

#[test]
fn sql_lives_in_the_ledger() {
    let statements = [
        "\"SELECT ",
        "\"INSERT ",
        "\"UPDATE ",
        "\"DELETE FROM ",
        "\"CREATE TABLE",
        "\"PRAGMA ",
    ];
    let found = shipped_sources()
        .into_iter()
        .filter(|file| !file.path.starts_with("ledger/"))
        .filter_map(|file| {
            let statement = statements
                .iter()
                .find(|statement| shipped(&file.text).contains(*statement))?;
            Some(format!("{}: {statement}", file.path))
        });
    // This test's own list is not shipped source.
    none(found.collect(), "SQL outside of the ledger");
}
