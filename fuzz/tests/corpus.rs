//! Each target over its corpus, and over seeded mutations of it: 20,000 each here, a million each under `soak`
//! (`MANDATUM_SOAK`). Control: let a target assert that its input is empty, and its line goes red.

use std::path::{Path, PathBuf};

use fuzz_targets::{TARGETS, mutate::Mutator};

fn executions() -> u64 {
    if std::env::var_os("MANDATUM_SOAK").is_some() {
        1_000_000
    } else {
        20_000
    }
}

fn folder(target: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The published vectors are the corpus of the limits.
    if target == "limits" {
        here.join("../fixtures/vectors/limits")
    } else {
        here.join("corpus").join(target)
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder(target))
        .unwrap_or_else(|error| panic!("the corpus of {target}: {error}"))
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| std::fs::read(path).expect("readable"))
        .collect()
}

/// A corpus that is refused at its first byte finds nothing: what should read, reads. Control tried: another version in
/// `enforced.json`.
#[test]
fn good_inputs_are_read() {
    for mut input in corpus("certificate") {
        extensions::certificate::Certificate::read(&input).expect("a certificate");
        // Found by mutation: the signed part, a SEQUENCE, under another class or as primitive.
        for tag in [0x10, 0x70, 0xb0, 0xf0] {
            input[4] = tag;
            extensions::certificate::Certificate::read(&input).expect_err("no SEQUENCE");
        }
    }
    let messages = corpus("fix_message");
    let read = |input: &Vec<u8>| gateway_service::fix::codec::decode(input).is_ok();
    assert_eq!(
        messages.iter().filter(|input| read(input)).count(),
        messages.len() - 1,
        "all but the tag twice"
    );
    for input in corpus("mandate") {
        extensions::MandateDocument::parse(&input).expect("a mandate document");
    }
    for input in corpus("note") {
        let text = std::str::from_utf8(&input).expect("text");
        ledger::checkpoint::Note::parse(text).expect("a signed note");
    }
    for input in corpus("line") {
        ledger::export::parse_line(&input).expect("a line");
    }
    for input in corpus("entry") {
        ledger::entry::parse(0, &input).expect("an entry");
    }
}

/// The names of the public functions `fuzz_...` below a folder.
fn offered(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | "fuzz" | ".git") {
            offered(&path, names);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let source = std::fs::read_to_string(&path).expect("text");
            let here = source.split("pub fn fuzz_").skip(1);
            names.extend(here.filter_map(|rest| Some(format!("fuzz_{}", rest.split_once('(')?.0))));
        }
    }
}

/// Each function over bytes that a crate offers for fuzzing is run by a target. Control tried: `fuzz_line` left out of the targets.
#[test]
fn no_target_is_forgotten() {
    let mut names = Vec::new();
    offered(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut names);
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        assert!(
            include_str!("../src/lib.rs").contains(&name),
            "{name} is run by no target"
        );
    }
}

#[test]
fn every_target_holds_over_its_corpus_and_mutations_of_it() {
    for target in TARGETS {
        let corpus = corpus(target.name);
        assert!(corpus.len() > 1, "{} has a corpus", target.name);
        corpus.iter().for_each(|input| (target.run)(input));
        let mut mutator = Mutator::new(0x6d61_6e64);
        for _ in 0..executions() {
            (target.run)(&mutator.next(&corpus));
        }
        println!(
            "soak: fuzz {}: {} inputs, {} mutations, clean",
            target.name,
            corpus.len(),
            executions()
        );
    }
}
