//! Texts: no path of one machine, no unfinished notes, no dead link.

use std::path::Path;

use crate::project::{ending, files, none, root};

/// Pieces of a path that exists on one machine only; written in halves so that this file does not contain them.
const MACHINE_PATHS: [[&str; 2]; 6] = [
    ["/ho", "me/"],
    ["/ro", "ot/"],
    ["/Use", "rs/"],
    ["/wo", "rk/"],
    ["/tm", "p/w/"],
    ["C:\\", "Users"],
];

/// Notes of unfinished work, and hosts of package registries (the lock file's source line is checked elsewhere).
const UNFINISHED: [[&str; 2]; 7] = [
    ["TO", "DO"],
    ["FIX", "ME"],
    ["XX", "X:"],
    ["//! place", "holder"],
    ["lorem", " ipsum"],
    ["pypi", ".org/simple"],
    ["index.", "crates.io"],
];

fn findings(path: &str, text: &str, list: &[[&str; 2]]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for words in list {
            let words = words.concat();
            if line.contains(&words) {
                found.push(format!("{path}:{}: `{words}`", number + 1));
            }
        }
    }
    found
}

#[test]
fn no_machine_paths() {
    let found = files()
        .iter()
        .flat_map(|file| findings(&file.path, &file.text, &MACHINE_PATHS))
        .collect();
    none(found, "absolute paths of one machine");
    assert_eq!(
        findings("a", &["see /ho", "me/me"].concat(), &MACHINE_PATHS).len(),
        1,
        "the rule sees one"
    );
}

#[test]
fn nothing_unfinished() {
    let kept = files().into_iter().filter(|file| file.path != "Cargo.lock");
    let found = kept
        .flat_map(|file| findings(&file.path, &file.text, &UNFINISHED))
        .collect();
    none(found, "notes of unfinished work");
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for file in ending(".md") {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new("")).to_path_buf();
        for link in links(&file.text) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !root().join(&folder).join(target).exists() {
                dead.push(format!("{}: {link}", file.path));
            }
        }
    }
    none(dead, "dead relative links");
}

/// Targets of Markdown links that are not URLs.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

#[test]
fn links_are_found() {
    assert_eq!(
        links("see [a](docs/a.md#b), [c](https://example.org/d) and ![e](e.svg)"),
        ["docs/a.md#b", "e.svg"]
    );
}
