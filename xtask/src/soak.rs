//! Long runs. The tests read `MANDATUM_SOAK` and take their large counts (500 kills, 10,000 rounds of races, a million mutations of each
//! fuzz target, the larger worlds of the model); each prints its result as a line that begins with `soak: `, and those lines are kept,
//! dated, in `docs/soak.md`. A run of everything ends with the release benches.

use std::{fs, process::Command, time::Instant};

use crate::{benches, calendar, steps, tools};

/// A part that can be run by name.
struct Part {
    name: &'static str,
    /// The package and the test file that are built for it.
    package: &'static str,
    file: &'static str,
    /// What its tests' names contain; empty: the whole file.
    filter: &'static str,
    /// What says how many, where `NAME COUNT` may say so.
    count: Option<&'static str>,
}

const fn part(name: &'static str, package: &'static str, file: &'static str) -> Part {
    Part {
        name,
        package,
        file,
        filter: "",
        count: None,
    }
}

const PARTS: &[Part] = &[
    part("crash", "ledger", "crash"),
    part("fuzz", "fuzz-targets", "corpus"),
    Part {
        count: Some("MANDATUM_KILLS"),
        ..part("kills", "gateway-service", "kills")
    },
    part("model", "ledger-model", "model"),
    part("races", "gateway-service", "races"),
    Part {
        filter: "the_api_is_what_its_document_says",
        count: Some("MANDATUM_CASES"),
        ..part("schema", "mandatum", "attacks")
    },
];

const HEADING: &str = "# Long runs\n\nWritten by `cargo xtask soak`, newest first.\n";

/// What a run builds and does.
#[derive(Debug, PartialEq, Eq)]
struct Chosen<'a> {
    /// The arguments of `cargo test` that choose the package.
    packages: Vec<&'a str>,
    filter: Vec<&'a str>,
    /// The variable that says how many, and how many.
    count: Option<(&'a str, u64)>,
}

/// What `args` ask for.
fn chosen(args: &[String]) -> Result<Chosen<'_>, String> {
    let part = args
        .first()
        .and_then(|name| PARTS.iter().find(|part| part.name == name));
    let Some(part) = part else {
        return Ok(Chosen {
            packages: vec!["--workspace"],
            filter: args.iter().map(String::as_str).collect(),
            count: None,
        });
    };
    let count = match (args.get(1), part.count) {
        (None, _) => None,
        (Some(count), Some(variable)) => {
            let read = count.parse();
            Some((
                variable,
                read.map_err(|_| format!("`{count}` is no number: {} how many?", part.name))?,
            ))
        }
        (Some(count), None) => return Err(format!("{} takes no count, and `{count}` was given", part.name)),
    };
    Ok(Chosen {
        packages: vec!["-p", part.package, "--test", part.file],
        filter: Some(part.filter)
            .filter(|filter| !filter.is_empty())
            .into_iter()
            .collect(),
        count,
    })
}

/// Runs the long variants: all, a part by its name, or those whose test's name contains the argument; after all of them, the release benches.
/// What the tests print is shown as it comes.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let python = tools::prepare()?;
    let began = Instant::now();
    let chosen = chosen(args)?;
    let mut command = steps::cargo(&["test", "--locked", "--release", "--no-fail-fast"]);
    command
        .args(chosen.packages)
        .args(["--", "--nocapture", "--test-threads=1"]);
    command.args(chosen.filter);
    if let Some((variable, count)) = chosen.count {
        command.env(variable, count.to_string());
    }
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
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let is = |args: &[&str], packages: &[&str], filter: &[&str], count| {
            let args = of(args);
            let chosen = chosen(&args).unwrap();
            assert_eq!(
                (chosen.packages, chosen.filter, chosen.count),
                (packages.into(), filter.into(), count)
            );
        };
        let kills = ["-p", "gateway-service", "--test", "kills"];
        is(&["kills"], &kills, &[], None);
        is(&["kills", "120"], &kills, &[], Some(("MANDATUM_KILLS", 120)));
        let schema = ["-p", "mandatum", "--test", "attacks"];
        let filter = ["the_api_is_what_its_document_says"];
        is(&["schema", "20000"], &schema, &filter, Some(("MANDATUM_CASES", 20_000)));
        is(&["judges"], &["--workspace"], &["judges"], None);
        is(&[], &["--workspace"], &[], None);
        for wrong in [["schema", "many"], ["crash", "7"]] {
            assert!(chosen(&of(&wrong)).is_err(), "{wrong:?}");
        }
    }
}
