//! A founding that stops halfway, and one that does not.

use std::sync::Arc;

use super::{CeremonyError, found};
use crate::tests::{Set, now, plan};

fn clock() -> Arc<Set> {
    Arc::new(Set(std::sync::Mutex::new(now())))
}

/// A ceremony that cannot go on names all it has written; until that is deleted the next one refuses, naming it again; then it founds.
/// What was there before stays. Negative control: `will_write` without its note founds nothing either, and the second attempt would say
/// no more than that some key file exists.
#[tokio::test]
async fn a_founding_that_stops_halfway_names_what_it_left() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, at) = (plan(folder.path()), |name: &str| folder.path().join(name));
    let again = || found(&plan, ledger::Config::new(at("ledger"), clock()), now());
    std::fs::create_dir_all(at("keys")).unwrap();
    std::fs::write(at("keys/ocsp.key"), "somebody's").unwrap();
    let stopped = again().await.err().unwrap();
    assert!(matches!(&stopped, CeremonyError::Stopped { .. }), "{stopped}");
    let left = [
        "roots/agent-root.key",
        "roots/house-root.key",
        "keys/agent-issuing.key",
        "keys/house-issuing.key",
    ];
    let told = stopped.to_string();
    assert!(told.contains("keys/ocsp.key exists already"), "{told}");
    for file in left {
        assert!(told.contains(&at(file).display().to_string()), "{file}: {told}");
    }
    std::fs::remove_file(at("keys/ocsp.key")).unwrap();
    let remains = again().await.err().unwrap();
    let CeremonyError::Remains(paths) = &remains else {
        panic!("{remains}");
    };
    assert_eq!(paths.len(), left.len() + 1, "the note itself too: {remains}");
    for path in paths {
        std::fs::remove_file(path).unwrap();
    }
    let founded = again().await.unwrap();
    founded.ledger.close().await.unwrap();
    assert!(!at("ca").join(super::UNFINISHED_NOTE).exists());
    let refused = again().await.err().unwrap();
    assert!(
        matches!(refused, CeremonyError::Exists(_)),
        "a founded house stays: {refused}"
    );
}
