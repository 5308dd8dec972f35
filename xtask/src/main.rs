//! `cargo xtask`: one command for everything around the code. It uses the standard library alone, so that it starts
//! at once on a fresh clone.
//!
//! - `test`: installs what is missing, then every check in order. Continuous integration runs exactly this.
//! - `soak`: the long variants of the tests; dated results go to `docs/soak.md`.
//! - `bench`: release benches; `bench path` and its like run the whole product beside its peers. `install`: the `mandatum` binary. `tools`: only what `test` installs.

mod benches;
mod calendar;
mod soak;
mod steps;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <COMMAND> [ARGS]

Commands:
  test     install what is missing, then format, lints, documentation and all tests
  soak     the long variants of the tests, in release; `soak crash|fuzz|kills|model|races|schema` one part, `soak schema 20000` with so many; results are dated in docs/soak.md
  bench    release benches; `bench help` lists those that run the whole product beside its peers, other arguments go to `cargo bench`
  install  put the `mandatum` binary into Cargo's bin folder
  tools    install or check only what the tests need
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "test" => steps::test(),
        "soak" => soak::run(&rest),
        "bench" => benches::run(&rest),
        "install" => steps::install(),
        "tools" => tools::prepare().map(|_| ()),
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => Err(format!("no command `{other}`\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
