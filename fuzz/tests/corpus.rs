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

#[test]
fn every_target_holds_over_its_corpus_and_mutations_of_it() {
    for target in TARGETS {
        let corpus = corpus(target.name);
        assert!(!corpus.is_empty(), "{} has a corpus", target.name);
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
