//! How commands end: what they print, as text or JSON, and their exit codes.

use std::fmt;

use serde_json::{Value, json};

/// Exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: the command line or the configuration is not understood.
    Usage,
    /// 3: understood and refused, by a rule or an officer.
    Refused,
    /// 4: a server or the ledger cannot be reached; try again.
    Unavailable,
    /// 5: something does not verify.
    Unverified,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unavailable => 4,
            Self::Unverified => 5,
        }
    }
}

/// A failure that knows its exit code. Anything else that fails ends with 1.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What happened, and what to do next.
    pub message: String,
    /// The server's whole answer, when there is one.
    pub answer: Option<Value>,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// A failure with this code.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            answer: None,
        }
    }
}

/// What a command says: for people, and for programs.
#[derive(Debug, Clone)]
pub struct Report {
    /// For people.
    pub text: String,
    /// For programs, printed with `--json`.
    pub json: Value,
}

impl Report {
    /// Both forms.
    #[must_use]
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
        }
    }

    /// JSON shown to people indented as well.
    #[must_use]
    pub fn of_json(json: Value) -> Self {
        Self {
            text: serde_json::to_string_pretty(&json).unwrap_or_default(),
            json,
        }
    }
}

/// Prints what a command came to; gives the exit code.
#[must_use]
pub fn finish(outcome: anyhow::Result<Report>, as_json: bool) -> u8 {
    match outcome {
        Ok(report) if as_json => println(&report.json.to_string()),
        Ok(report) if report.text.is_empty() => {}
        Ok(report) => println(report.text.trim_end()),
        Err(error) => {
            let failure = error.downcast_ref::<Failure>();
            let exit = failure.map_or(Exit::Failed, |failure| failure.exit);
            if as_json {
                let answer = failure.and_then(|failure| failure.answer.clone());
                println(&json!({ "error": format!("{error:#}"), "exit": exit.code(), "answer": answer }).to_string());
            } else {
                eprintln!("mandatum: {error:#}");
            }
            return exit.code();
        }
    }
    Exit::Done.code()
}

/// A pipe that was closed early (`| head`) is no failure.
fn println(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}
