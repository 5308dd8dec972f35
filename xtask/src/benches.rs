//! `bench`: criterion's benches beside each crate, and by name those of the whole product, which live in `cli/examples/bench`.

use crate::{
    steps::{cargo, run as run_command},
    tools,
};

/// The benches that run the product as processes, beside their peers.
const WHOLE: [&str; 9] = [
    "path",
    "halt",
    "start",
    "memory",
    "pages",
    "issue",
    "ocsp",
    "handshakes",
    "sidecar",
];

/// Runs one of the whole product, or `cargo bench` with these arguments.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let name = args.first().map_or("", String::as_str);
    if name != "help" && !WHOLE.contains(&name) {
        let mut bench = cargo(&["bench", "--locked", "--workspace"]);
        bench.args(args);
        return run_command(bench);
    }
    tools::peer(name)?;
    let mut bench = cargo(&[
        "run",
        "--release",
        "--locked",
        "--quiet",
        "-p",
        "mandatum",
        "--example",
        "bench",
        "--",
    ]);
    bench.args(args);
    run_command(bench)
}
