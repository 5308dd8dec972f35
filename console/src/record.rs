//! From a judgement to an entry: the two ways of appending, and the texts that go beside an entry.

use ca_core::events::OfficerActed;
use extensions::{Digest, OfficerId, Random as _, Record, SealedText, StreamId, Timestamp};
use ledger::{Append, AppendError, Recorded, Reserved, Task};
use serde_json::{Value, json};
use tokio::sync::RwLockReadGuard;

use crate::{Console, LONGEST_TEXT, problem::Problem, view::View};

/// How often a judgement is made anew when others write in the same stream.
const MOST_CONFLICTS: usize = 64;

/// Any record, by value.
pub(crate) struct AnyRecord(pub(crate) Box<dyn Record + Send>);

impl AnyRecord {
    pub(crate) fn of(record: impl Record + Send + 'static) -> Self {
        Self(Box::new(record))
    }
}

impl Record for AnyRecord {
    fn stream(&self) -> StreamId {
        self.0.stream()
    }
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        self.0.write_body(out);
    }
    fn sealed(&self) -> &[SealedText] {
        self.0.sealed()
    }
    fn gating(&self) -> bool {
        self.0.gating()
    }
}

/// What is to be appended in one go.
pub(crate) struct Draft {
    record: AnyRecord,
    at: Timestamp,
    also: Vec<Box<dyn Record + Send>>,
    tasks: Vec<Task>,
}

impl Draft {
    pub(crate) fn new(record: impl Record + Send + 'static, at: Timestamp) -> Self {
        Self {
            record: AnyRecord::of(record),
            at,
            also: Vec::new(),
            tasks: Vec::new(),
        }
    }

    pub(crate) fn also(mut self, record: impl Record + Send + 'static) -> Self {
        self.also.push(Box::new(record));
        self
    }

    pub(crate) fn task(mut self, task: Task) -> Self {
        self.tasks.push(task);
        self
    }

    fn filled(mut append: Append<AnyRecord>, also: Vec<Box<dyn Record + Send>>, tasks: Vec<Task>) -> Append<AnyRecord> {
        append.also = also;
        append.tasks = tasks;
        append
    }
}

impl Console {
    /// The ledger folded to its end. Drop it before an append is awaited.
    pub(crate) async fn view(&self) -> Result<RwLockReadGuard<'_, View>, Problem> {
        {
            let view = self.view.read().await;
            if view.is_at(&self.ledger.head()) {
                return Ok(view);
            }
        }
        let mut view = self.view.write().await;
        let caught_up = view.catch_up(&self.ledger).await;
        caught_up.map_err(|error| Problem::unavailable(&error.to_string()))?;
        Ok(view.downgrade())
    }

    /// Judges and appends `Exactly` where it was judged; judges again when another was first.
    pub(crate) async fn widen(
        &self,
        mut judge: impl FnMut(&View) -> Result<Draft, Problem> + Send,
    ) -> Result<Recorded<AnyRecord>, Problem> {
        for _ in 0..MOST_CONFLICTS {
            let append = {
                let view = self.view().await?;
                let Draft {
                    record,
                    at,
                    also,
                    tasks,
                } = judge(&view)?;
                let number = view.next_number(&record.stream());
                Draft::filled(Append::exactly(record, at, number, view.epoch()), also, tasks)
            };
            match self.writer.append(append).await {
                Err(AppendError::Conflict { .. }) => tokio::task::yield_now().await,
                ended => return ended.map_err(|error| refused(&error)),
            }
        }
        Err(Problem::conflict(
            "OVERTAKEN",
            "others wrote in the same stream again and again; nothing was recorded, try again",
        ))
    }

    /// Appends what narrows, to the front of the queue. It never loses.
    pub(crate) async fn narrow(&self, draft: Draft, id: Option<String>) -> Result<Recorded<AnyRecord>, Problem> {
        let mut append = Append::next(draft.record, draft.at).narrowing();
        append.id = id;
        let append = Draft::filled(append, draft.also, draft.tasks);
        self.writer.append(append).await.map_err(|error| refused(&error))
    }

    /// Appends what only reports.
    pub(crate) async fn report(&self, draft: Draft, id: Option<String>) -> Result<Recorded<AnyRecord>, Problem> {
        let mut append = Append::next(draft.record, draft.at);
        append.id = id;
        let append = Draft::filled(append, draft.also, draft.tasks);
        self.writer.append(append).await.map_err(|error| refused(&error))
    }
}

fn refused<R>(error: &AppendError<R>) -> Problem {
    match error {
        AppendError::AlreadyRecorded { position, .. } => Problem::conflict(
            "ALREADY_RECORDED",
            &format!("the same was recorded with other contents at position {position}"),
        ),
        AppendError::Unavailable {
            reserved: Reserved::Kept,
            ..
        }
        | AppendError::Unknown {
            reserved: Reserved::Kept,
            ..
        } => Problem::unavailable(
            "the ledger cannot write now; the act is kept in the reserve file and is appended first when the ledger is opened again",
        ),
        error => Problem::unavailable(&error.to_string()),
    }
}

/// 32 bytes of the operating system's randomness.
pub(crate) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    ca_keys::SystemRandom::new().fill(&mut bytes);
    bytes
}

/// A person's text, to stand sealed beside an entry. Control characters but line breaks are refused, and so are marks of direction.
pub(crate) fn seal(subject: String, what: &'static str, text: &str) -> Result<SealedText, Problem> {
    let length = text.chars().count();
    let plain = text.chars().all(|c| c == '\n' || !c.is_control() && !turns_around(c));
    if !(1..=LONGEST_TEXT).contains(&length) || !plain || text.trim().is_empty() {
        return Err(Problem::bad(
            "TEXT",
            &format!(
                "{what}: expected 1 to {LONGEST_TEXT} characters of plain text, without control characters and marks of direction, it has {length}"
            ),
        ));
    }
    Ok(SealedText {
        subject,
        salt: random_bytes(),
        text: text.to_owned(),
    })
}

/// Marks that change the direction of what stands beside them (Unicode UAX #9): a text with them may read otherwise than it is.
fn turns_around(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The entry that names the officer and the reason beside an act.
pub(crate) fn acted(officer: OfficerId, act: &str, subject: &str, reason: &str) -> Result<OfficerActed, Problem> {
    let text = seal(format!("officer:{officer}"), "reason", reason)?;
    Ok(OfficerActed {
        act: act.to_owned(),
        officer,
        reason: text.commitment(),
        sealed: vec![text],
        subject: subject.to_owned(),
    })
}

/// A one-time token and its SHA-256.
pub(crate) fn token() -> (String, Digest) {
    let token = Digest(random_bytes()).to_string();
    let digest = Digest::of(token.as_bytes());
    (token, digest)
}

/// Where an entry stands, for answers.
pub(crate) fn place<R>(recorded: &Recorded<R>) -> Value {
    let entry = recorded.entry();
    json!({
        "kind": &*entry.kind,
        "number": entry.number,
        "position": entry.position,
        "stream": entry.stream.to_string(),
    })
}
