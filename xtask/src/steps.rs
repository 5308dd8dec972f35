//! The steps of `test`, in the order in which they fail soonest; `install`.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::tools;

/// Every check. One that fails does not hide the next; the tests come last, their totals in Cargo's own form.
pub(crate) fn test() -> Result<(), String> {
    let began = Instant::now();
    let mut steps = Steps::default();
    let Some(python) = steps.run("tools", tools::prepare) else {
        return Err("the tests need these tools".into());
    };
    steps.run("format", || run(cargo(&["fmt", "--all", "--check"])));
    steps.run("lints", || {
        run(cargo(&[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.run("documentation", || {
        let mut doc = cargo(&["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        run(doc)
    });
    steps.run("supply chain", supply_chain);
    let mut totals = Totals::default();
    steps.run("tests", || {
        let mut test = cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
        test.env("MANDATUM_PYTHON", &python);
        totals = counted(test, |_| ())?;
        if totals.success {
            Ok(())
        } else {
            Err("tests failed".into())
        }
    });
    steps.print(began.elapsed());
    totals.print(began.elapsed());
    steps.verdict()
}

/// The strict form of what `xtask/tests/tidy` checks anyway, where cargo-deny is installed.
fn supply_chain() -> Result<(), String> {
    let there = Command::new("cargo-deny")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if there.is_err() {
        println!(
            "cargo-deny is not installed: banned crates, duplicates, sources and licences are checked by the tests alone"
        );
        return Ok(());
    }
    run(cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]))
}

/// The `mandatum` binary.
pub(crate) fn install() -> Result<(), String> {
    run(cargo(&["install", "--locked", "--path", "cli"]))
}

/// Cargo, in the project's root.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(tools::project());
    command
}

pub(crate) fn run(mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{}: {e}", shown(&command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` failed", shown(&command)))
    }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    format!("{} {}", program.to_string_lossy(), args.join(" "))
}

/// Sums of Cargo's `test result:` lines.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Cargo's own verdict; false also when a test did not compile.
    pub(crate) success: bool,
}

impl Totals {
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            return;
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else { continue };
            match pair[1] {
                "passed;" => self.passed += count,
                "failed;" => self.failed += count,
                "ignored;" => self.ignored += count,
                _ => {}
            }
        }
    }

    pub(crate) fn print(&self, took: Duration) {
        let verdict = if self.failed == 0 && self.success {
            "ok"
        } else {
            "FAILED"
        };
        let Totals {
            passed,
            failed,
            ignored,
            ..
        } = self;
        println!(
            "test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out; \
             finished in {:.2}s",
            took.as_secs_f64()
        );
    }
}

/// Runs `cargo test`, shows its output as it comes, and counts.
pub(crate) fn counted(mut command: Command, mut each: impl FnMut(&str)) -> Result<Totals, String> {
    let name = shown(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{name}: {e}"))?;
    let mut totals = Totals::default();
    let stdout = child.stdout.take().ok_or("no output to read")?;
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(|e| format!("{name}: {e}"))? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        totals.add(text.trim_end());
        each(text.trim_end());
        line.clear();
    }
    std::io::stdout().flush().ok();
    totals.success = child.wait().map_err(|e| format!("{name}: {e}"))?.success();
    Ok(totals)
}

/// What was done, how it ended and what it took.
#[derive(Default)]
struct Steps(Vec<(&'static str, bool, Duration)>);

impl Steps {
    fn run<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T, String>) -> Option<T> {
        println!("\n== {name}");
        let began = Instant::now();
        let outcome = work();
        let took = began.elapsed();
        self.0.push((name, outcome.is_ok(), took));
        match &outcome {
            Ok(_) => println!("== {name}: done in {:.1} s", took.as_secs_f64()),
            Err(message) => println!("== {name}: FAILED after {:.1} s: {message}", took.as_secs_f64()),
        }
        outcome.ok()
    }

    fn print(&self, total: Duration) {
        println!("\n== summary");
        for (name, well, took) in &self.0 {
            println!(
                "{name:>14} {:7.1} s  {}",
                took.as_secs_f64(),
                if *well { "ok" } else { "FAILED" }
            );
        }
        println!("{:>14} {:7.1} s\n", "total", total.as_secs_f64());
    }

    fn verdict(&self) -> Result<(), String> {
        let failed: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, well, _)| !well)
            .map(|(name, ..)| *name)
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(format!("failed: {}", failed.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn results_are_summed() {
        let mut totals = Totals::default();
        totals.add("running 3 tests");
        totals.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        totals.add("test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (7, 2, 1));
    }
}
