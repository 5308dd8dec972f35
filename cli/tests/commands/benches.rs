//! The benches measure orders that were permitted and sent: a venue that no longer satisfies the gateway would leave figures of refusals.

use std::{path::PathBuf, process::Command};

/// Beside the tests that Cargo builds lie the examples.
fn bench() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.parent().unwrap().parent().unwrap().join("examples/bench")
}

/// Orders go directly and through the sidecar to the benches' house, and are answered by its venue.
///
/// Control: with a venue that does not answer for its key's rights every order is withheld, and the bench ends in an error.
#[test]
fn a_bench_of_orders_runs() {
    let done = Command::new(bench())
        .args(["sidecar", "rounds=1", "seconds=0.1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("resident:"), "{said}");
}
