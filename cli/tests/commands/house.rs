//! A house of processes: `mandatum` as it was built, on ports of its own.

use std::{
    io::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The program.
pub(crate) const MANDATUM: &str = env!("CARGO_BIN_EXE_mandatum");
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);
/// The keys of the configuration that name listeners.
const LISTENERS: [&str; 5] = [
    "GATEWAY__LISTEN",
    "CONSOLE__OFFICERS",
    "CONSOLE__ENROLMENT",
    "STATUS__LISTEN",
    "OPERATIONS__LISTEN",
];

/// A port of loopback that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Overrides that put every listener on a free port.
pub(crate) fn ports() -> Vec<(String, String)> {
    // Held until all are known, so that no two are the same.
    let held: Vec<TcpListener> = LISTENERS
        .iter()
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let named = LISTENERS.iter().zip(&held);
    named
        .map(|(key, held)| (format!("MANDATUM__{key}"), held.local_addr().unwrap().to_string()))
        .collect()
}

/// Stops its process when it goes.
pub(crate) struct Process(Child);

impl Process {
    /// Asks it to end, as a service manager does; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }

    pub(crate) fn ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder and its overrides.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) environment: Vec<(String, String)>,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            environment: ports(),
        }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("house")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(MANDATUM);
        command.current_dir(self.folder.path()).args(arguments);
        command.env("MANDATUM_DIR", self.dir()).env_remove("MANDATUM_OFFICER");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs with `--json`; the exit code and the one object that was printed.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[&["--json"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(text.lines().count(), 1, "{arguments:?} prints one line: {text}{errors}");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"));
        assert!(value.is_object(), "{arguments:?}: {value}");
        (output.status.code().unwrap(), value)
    }

    /// As [`json`](Self::json), and it must succeed.
    pub(crate) fn done(&self, arguments: &[&str]) -> Value {
        let (code, value) = self.json(arguments);
        assert_eq!(code, 0, "{arguments:?}: {value}");
        value
    }

    /// As [`json`](Self::json), and it must end with this code, which the object repeats, and words that hold `wanted`.
    pub(crate) fn fails(&self, code: i32, wanted: &str, arguments: &[&str]) -> Value {
        let (got, value) = self.json(arguments);
        assert_eq!(got, code, "{arguments:?}: {value}");
        assert_eq!(value["exit"], code, "{arguments:?}: {value}");
        let words = value["error"].as_str().unwrap();
        assert!(words.contains(wanted), "{arguments:?}: {words}");
        value
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        let mut command = self.command(arguments);
        Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// A running server, once `/readyz` says so.
    pub(crate) fn serve(&self) -> Process {
        let mut server = self.spawn(&["serve"]);
        let begun = Instant::now();
        while !self.ready() {
            assert!(!server.ended(), "the server ended: {:?}", self.run(&["serve"]));
            assert!(begun.elapsed() < LONG, "the server does not become ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn ready(&self) -> bool {
        use std::io::Read as _;
        let (_, address) = self.environment.last().unwrap();
        let Ok(mut stream) = std::net::TcpStream::connect(address) else {
            return false;
        };
        let mut answer = String::new();
        let _ = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
    }

    /// A file of mode 0600.
    pub(crate) fn secret(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.dir().join(name);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        file.open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    }
}

/// So many days from now, RFC 3339.
pub(crate) fn in_days(days: i64) -> String {
    use extensions::Clock as _;
    mandatum::clock::SystemClock
        .now()
        .plus_seconds(days * 86_400)
        .to_string()
}
