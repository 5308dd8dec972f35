//! The README's ten minutes by hand, line for line.

use std::{fmt::Write as _, process::Command};

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

/// One line of the tour as a line of the script: what a reader would fill in is filled in, and each must end as it says.
fn scripted(line: &str, port: u16) -> String {
    let mut line = line.replace(":9090", &format!(":{port}"));
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

/// Control: with another code behind `# refused:` in the README, or another limit in its mandate, a line is red.
#[test]
fn the_readme_s_ten_minutes() {
    let (house, port) = (House::new(), free_port());
    let examples = house.folder.path().join("docs/examples");
    std::fs::create_dir_all(&examples).unwrap();
    let mandate = include_str!("../../../docs/examples/mandate.toml");
    let mandate = mandate
        .replace("2027-06-30T00:00:00Z", &in_days(60))
        .replace("2027-01-31T00:00:00Z", &in_days(30));
    std::fs::write(examples.join("mandate.toml"), mandate).unwrap();
    let mut script = HEAD.to_owned();
    let lines = lines();
    assert!(lines.len() > 25, "{lines:?}");
    for line in &lines {
        let last = line.starts_with("mandatum --officer joan agent revoke");
        let _ = writeln!(script, "{}", scripted(line, port));
        if line.starts_with("mandatum serve") {
            script.push_str(READY);
        }
        if last {
            // What a revoked bot is told is read, whatever the connection's end is.
            let _ = writeln!(
                script,
                "expect() {{ if [ \"$1\" -eq 0 ]; then echo \"done: $3\"; exit 1; fi; }}"
            );
        }
    }
    let bin = std::path::Path::new(MANDATUM)
        .parent()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(house.folder.path())
        .env("PATH", path);
    command.envs(house.environment.iter().map(|(name, value)| (name, value)));
    let output = command.env_remove("MANDATUM_OFFICER").output().unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("is enrolled") && said.contains("verified: "), "{said}");
}
