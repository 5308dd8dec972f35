//! What the tests need beside Rust: programs that judge our output, and Python packages that trade with us.
//!
//! On Debian and its children missing programs are installed; elsewhere the message says what to install. Nothing is
//! skipped in silence: what is still missing ends the run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program the tests call.
struct Tool {
    /// How to ask whether it is there.
    probe: &'static [&'static str],
    /// Debian's package.
    package: &'static str,
    /// What the tests use it for.
    purpose: &'static str,
}

const TOOLS: [Tool; 10] = [
    Tool {
        probe: &["git", "--version"],
        package: "git",
        purpose: "which files are part of the project",
    },
    Tool {
        probe: &["cc", "--version"],
        package: "build-essential",
        purpose: "ring and SQLite are C",
    },
    Tool {
        probe: &["openssl", "version"],
        package: "openssl",
        purpose: "judges certificates, CRLs and OCSP replies",
    },
    Tool {
        probe: &["certtool", "--version"],
        package: "gnutls-bin",
        purpose: "judges certificates",
    },
    Tool {
        probe: &["curl", "--version"],
        package: "curl",
        purpose: "a bot without an SDK",
    },
    Tool {
        probe: &["python3", "-c", "import venv, ensurepip"],
        package: "python3-venv",
        purpose: "bots and verifiers of other authors",
    },
    Tool {
        probe: &["node", "--version"],
        package: "nodejs",
        purpose: "bots and verifiers in JavaScript",
    },
    Tool {
        probe: &["strace", "--version"],
        package: "strace",
        purpose: "sees that the disk is waited for before an answer",
    },
    Tool {
        probe: &["chromium", "--version"],
        package: "chromium",
        purpose: "the officers' browser",
    },
    Tool {
        probe: &["chromedriver", "--version"],
        package: "chromium-driver",
        purpose: "drives the officers' browser",
    },
];

/// What the whole product is measured beside, by the bench that needs it.
const PEERS: [(&str, Tool); 4] = [
    ("path", NGINX),
    ("handshakes", NGINX),
    (
        "issue",
        Tool {
            probe: &["cfssl", "version"],
            package: "golang-cfssl",
            purpose: "the peer of issuance",
        },
    ),
    (
        "ocsp",
        Tool {
            probe: &["openssl", "version"],
            package: "openssl",
            purpose: "the peer of OCSP replies",
        },
    ),
];

const NGINX: Tool = Tool {
    probe: &["nginx", "-v"],
    package: "nginx",
    purpose: "the peer of an order's path and of handshakes",
};

/// Installs the peer of a bench when it is missing.
pub(crate) fn peer(bench: &str) -> Result<(), String> {
    let missing = PEERS.iter().filter(|(of, tool)| *of == bench && !present(tool));
    let missing: Vec<&Tool> = missing.map(|(_, tool)| tool).collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Installs what is missing; gives the Python interpreter that has the packages.
pub(crate) fn prepare() -> Result<PathBuf, String> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !present(tool)).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    python_packages()
}

fn present(tool: &Tool) -> bool {
    let [program, args @ ..] = tool.probe else { return false };
    let status = Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn install(missing: &[&Tool]) -> Result<(), String> {
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    let list: Vec<String> = missing
        .iter()
        .map(|tool| format!("  {} ({})", tool.package, tool.purpose))
        .collect();
    let list = list.join("\n");
    if !Path::new("/etc/debian_version").exists() {
        return Err(format!(
            "these programs are needed (names of Debian's packages):\n{list}\nInstall them with your system's package \
             manager, e.g. `brew install openssl gnutls curl python` or `dnf install openssl gnutls-utils curl python3`."
        ));
    }
    println!("installing {}", packages.join(" "));
    let quiet = ["-qq", "-y", "--no-install-recommends"];
    let update = privileged("apt-get").args(["update", "-qq"]).status();
    let install = privileged("apt-get")
        .arg("install")
        .args(quiet)
        .args(&packages)
        .status();
    let installed = update.is_ok_and(|s| s.success()) && install.is_ok_and(|s| s.success());
    let still: Vec<&str> = missing
        .iter()
        .filter(|tool| !present(tool))
        .map(|tool| tool.package)
        .collect();
    if installed && still.is_empty() {
        return Ok(());
    }
    Err(format!(
        "could not install what is needed:\n{list}\nRun: sudo apt-get install {}",
        packages.join(" ")
    ))
}

/// `apt-get` as root, or by `sudo` where it asks no question.
fn privileged(program: &str) -> Command {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout == b"0\n");
    let mut command = if root {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "DEBIAN_FRONTEND=noninteractive", program]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

/// What pip is given, one file after the other, and how.
const REQUIREMENTS: [(&str, &[&str]); 2] = [
    ("xtask/requirements.txt", &[]),
    ("xtask/requirements-alone.txt", &["--no-deps"]),
];

/// A virtual environment beside the build's output, filled anew whenever one of the files of `REQUIREMENTS` changes.
fn python_packages() -> Result<PathBuf, String> {
    let mut wanted = String::new();
    for (file, _) in REQUIREMENTS {
        wanted += &fs::read_to_string(project().join(file)).map_err(|e| format!("{file}: {e}"))?;
    }
    let folder = target().join("venv");
    let python = folder.join("bin").join("python3");
    let stamp = folder.join("installed.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    println!("installing Python packages into {}", folder.display());
    let made = Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return Err("`python3 -m venv` failed: install python3-venv".into());
    }
    for (file, how) in REQUIREMENTS {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        let status = pip.args(how).arg("-r").arg(project().join(file)).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("pip could not install {file}: is the package index reachable?"));
        }
    }
    fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(python)
}

/// The project's root.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), PathBuf::from)
}
