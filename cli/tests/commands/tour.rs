//! The README's ten minutes by hand, line for line; and how long it is from a built clone to the first order of one's own bot.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use crate::house::{House, MANDATUM, free_port, in_days};

/// The commands of the README's tour, continued lines joined.
fn lines() -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let tour = text.split_once("## Ten minutes, by hand").unwrap().1;
    let tour = tour.split_once("\n## ").unwrap().0;
    let code = tour.lines().filter_map(|line| line.strip_prefix("    "));
    let joined = code.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().map(str::to_owned).collect()
}

/// The line with which the reader's own bot trades.
const OWN_BOT: &str = "python3 bot.py";

/// A Python that has ccxt.
fn ccxt() -> Option<String> {
    let demanded = std::env::var("MANDATUM_PYTHON");
    let python = demanded.clone().unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import ccxt"]).output();
    if probe.is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    assert!(demanded.is_err(), "ccxt is missing: run cargo xtask test");
    eprintln!("left out: the reader's own bot needs ccxt of xtask/requirements.txt");
    None
}

/// One line of the tour as a line of the script: what a reader would fill in is filled in, and each must end as it says.
fn scripted(line: &str, port: u16, python: Option<&str>) -> String {
    let mut line = line.replace(":9090", &format!(":{port}"));
    if line == OWN_BOT {
        let Some(python) = python else { return String::new() };
        return format!("'{python}' bot.py > bot.out; expect $? 0 'the own bot'; cat bot.out");
    }
    for officer in ["ada", "grace", "joan"] {
        let words = format!("TOKEN-OF-{}", officer.to_uppercase());
        line = line.replace(&words, &format!("\"$(token {officer} init.out)\""));
    }
    line = line.replace("TOKEN-OF-THE-BOT", "\"$(tail -n 2 agent.out | head -n 1 | tr -d ' ')\"");
    line = line.replace("DIGEST", "\"$(sed -n 's/^document //p' application.out)\"");
    if line.starts_with("cargo build") {
        return "export MANDATUM_DIR=house".to_owned();
    }
    if line.starts_with("mandatum paper-venue") {
        line = line.replace(
            "mandatum paper-venue",
            &format!("mandatum paper-venue --listen 127.0.0.1:{port}"),
        );
    }
    if line.ends_with('&') {
        return line;
    }
    if line.starts_with("kill ") {
        return line;
    }
    let refused = line.split_once("# refused: ").map(|(_, code)| code.trim().to_owned());
    let line = line.split("  #").next().unwrap().trim_end().to_owned();
    if let Some(code) = refused {
        return format!(
            "{line} > refused.out 2>&1; expect $? 3 '{line}'; grep -q {code} refused.out; expect $? 0 {code}"
        );
    }
    let kept = [
        ("mandatum init", "init.out"),
        ("agent token", "agent.out"),
        ("application show", "application.out"),
    ];
    let kept = kept.iter().find(|(command, _)| line.contains(command));
    match kept {
        Some((_, file)) => format!("{line} > {file}; expect $? 0 '{}'", line.replace('\'', "")),
        None => format!("{line}; expect $? 0 '{}'", line.replace('\'', "")),
    }
}

const HEAD: &str = r#"
set -m
trap 'kill $(jobs -p) 2> /dev/null' EXIT
expect() { if [ "$1" -ne "$2" ]; then echo "exit code $1, not $2: $3"; exit 1; fi; }
token() { sed -n "s/^  $1  \([^ ]*\)  use before.*/\1/p" "$2"; }
"#;

const READY: &str = r#"
for try in $(seq 600); do curl -s -o ready.out "http://$MANDATUM__OPERATIONS__LISTEN/readyz" && grep -q '"ready"' ready.out && break; sleep 0.1; done
grep -q '"ready"' ready.out; expect $? 0 'the server becomes ready'
"#;

/// What a clone has beside the program: the documented files, with the ports of this house and days that are yet to come.
fn clone(house: &House) {
    let examples = house.folder.path().join("docs/examples");
    std::fs::create_dir_all(&examples).unwrap();
    let mandate = include_str!("../../../docs/examples/mandate.toml");
    let mandate = mandate
        .replace("2027-06-30T00:00:00Z", &in_days(60))
        .replace("2027-01-31T00:00:00Z", &in_days(30));
    std::fs::write(examples.join("mandate.toml"), mandate).unwrap();
    std::fs::write(
        examples.join("stock_bot.py"),
        include_str!("../../../docs/examples/stock_bot.py"),
    )
    .unwrap();
    let listens = house
        .environment
        .iter()
        .find(|(key, _)| key == "MANDATUM__GATEWAY__LISTEN");
    let (_, port) = listens.unwrap().1.rsplit_once(':').unwrap();
    let patch = PATCH.replace(":8443", &format!(":{port}"));
    std::fs::write(examples.join("stock_bot.patch"), patch).unwrap();
}

const PATCH: &str = include_str!("../../../docs/examples/stock_bot.patch");

/// Runs these lines as one script in the house's folder.
fn walked(house: &House, lines: &[String], python: Option<&str>) -> Output {
    let port = free_port();
    let mut script = HEAD.to_owned();
    for line in lines {
        let _ = writeln!(script, "{}", scripted(line, port, python));
        if line.starts_with("mandatum serve") {
            script.push_str(READY);
        }
        if line.starts_with("mandatum --officer joan agent revoke") {
            // What a revoked bot is told is read, whatever the connection's end is.
            let _ = writeln!(
                script,
                "expect() {{ if [ \"$1\" -eq 0 ]; then echo \"done: $3\"; exit 1; fi; }}"
            );
        }
    }
    let bin: PathBuf = Path::new(MANDATUM).parent().unwrap().to_owned();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(house.folder.path())
        .env("PATH", path);
    command.envs(house.environment.iter().map(|(name, value)| (name, value)));
    command.env_remove("MANDATUM_OFFICER").output().unwrap()
}

/// Control: with another code behind `# refused:` in the README, or another limit in its mandate, a line is red.
#[test]
fn the_readme_s_ten_minutes() {
    let house = House::new();
    clone(&house);
    let lines = lines();
    assert!(lines.len() > 25, "{lines:?}");
    let output = walked(&house, &lines, ccxt().as_deref());
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("is enrolled") && said.contains("verified: "), "{said}");
}

/// From a built clone to the first own order: the README's lines up to the reader's bot, timed, in a clean folder. The order is permitted and filled, and of the
/// bot at most three lines differ. `--nocapture` shows the figure and the lines.
///
/// Control, tried: with a fourth line in the patch the count is red.
#[test]
fn the_first_order_of_a_bot_of_one_s_own() {
    let Some(python) = ccxt() else { return };
    let of = |sign: char, file: &str| {
        PATCH
            .lines()
            .filter(|line| line.starts_with(sign) && !line.starts_with(file))
            .count()
    };
    let (added, removed) = (of('+', "+++"), of('-', "---"));
    assert!(added <= 3 && removed <= added, "{added} lines differ:\n{PATCH}");
    let house = House::new();
    clone(&house);
    let mut lines = lines();
    let own = lines
        .iter()
        .position(|line| line == OWN_BOT)
        .expect("the README's own bot");
    lines.truncate(own + 1);
    let began = Instant::now();
    let output = walked(&house, &lines, Some(&python));
    let took = began.elapsed();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    let order = said.lines().last().unwrap_or_default();
    assert!(order.contains(": closed, 0.01 of 0.01 at "), "{said}\n{errors}");
    assert!(took < Duration::from_secs(15 * 60), "{took:?}");
    println!(
        "{order}\n{} commands, {:.1} s; {added} lines differ:\n{PATCH}",
        lines.len(),
        took.as_secs_f64()
    );
}
