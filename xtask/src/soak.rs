//! Long runs. The tests read `MANDATUM_SOAK` and take their large counts (500 kills, 10,000 rounds of races, a million mutations of each
//! fuzz target, the larger worlds of the model); each prints its result as a line that begins with `soak: `, and those lines are kept,
//! dated, in `docs/soak.md`. A run of everything ends with the release benches.

use std::{fs, process::Command, time::Instant};

use crate::{benches, calendar, steps, tools};

/// The parts that can be run by name, each with the package and the test file that are built for it.
const PARTS: &[(&str, &str, &str)] = &[
    ("crash", "ledger", "crash"),
    ("fuzz", "fuzz-targets", "corpus"),
    ("kills", "gateway-service", "kills"),
    ("model", "ledger-model", "model"),
    ("races", "gateway-service", "races"),
];

const HEADING: &str = "# Long runs\n\nWritten by `cargo xtask soak`, newest first.\n";

/// What `args` ask for: the arguments of `cargo test` that choose the package, and the filter.
fn chosen(args: &[String]) -> (Vec<&str>, Vec<&str>) {
    let part = args
        .first()
        .and_then(|name| PARTS.iter().find(|(part, ..)| part == name));
    match part {
        Some((_, package, file)) => (vec!["-p", package, "--test", file], Vec::new()),
        None => (vec!["--workspace"], args.iter().map(String::as_str).collect()),
    }
}

/// Runs the long variants: all, a part by its name, or those whose test's name contains the argument; after all of them, the release benches.
/// What the tests print is shown as it comes.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let python = tools::prepare()?;
    let began = Instant::now();
    let (packages, filter) = chosen(args);
    let mut command = steps::cargo(&["test", "--locked", "--release", "--no-fail-fast"]);
    command.args(packages).args(["--", "--nocapture", "--test-threads=1"]);
    command.args(filter);
    command.env("MANDATUM_SOAK", "1").env("MANDATUM_PYTHON", python);
    let mut results = Vec::new();
    // A test that prints shares its line with the runner's `test name ... `, hence not only at the line's beginning.
    let totals = steps::counted(command, |line| {
        if let Some((_, result)) = line.split_once("soak: ") {
            results.push(format!("- {result}"));
        }
    })?;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let what = if args.is_empty() {
        "everything".into()
    } else {
        args.join(" ")
    };
    let mut section = format!(
        "\n## {} ({}, {what})\n\n{} passed, {} failed, {minutes:.0} min on {} cores.\n\n",
        calendar::today(),
        commit(),
        totals.passed,
        totals.failed,
        std::thread::available_parallelism().map_or(1, |cores| cores.get()),
    );
    section.push_str(&results.join("\n"));
    section.push('\n');
    record(&section)?;
    totals.print(began.elapsed());
    if totals.failed > 0 || !totals.success {
        return Err("the long run failed".into());
    }
    if args.is_empty() { benches::run(&[]) } else { Ok(()) }
}

fn record(section: &str) -> Result<(), String> {
    let path = tools::project().join("docs/soak.md");
    let earlier = fs::read_to_string(&path).unwrap_or_default();
    let earlier = earlier.strip_prefix(HEADING).unwrap_or(&earlier);
    fs::write(&path, format!("{HEADING}{section}{earlier}")).map_err(|e| format!("{}: {e}", path.display()))
}

fn commit() -> String {
    let output = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .current_dir(tools::project())
        .output();
    output.map_or_else(
        |_| "unknown commit".into(),
        |out| String::from_utf8_lossy(&out.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_one_package_and_anything_else_a_filter() {
        let of = |name: &str| vec![name.to_owned()];
        assert_eq!(
            chosen(&of("kills")),
            (vec!["-p", "gateway-service", "--test", "kills"], vec![])
        );
        assert_eq!(chosen(&of("judges")), (vec!["--workspace"], vec!["judges"]));
        assert_eq!(chosen(&[]), (vec!["--workspace"], vec![]));
    }
}
