//! The encoding of FIX 4.4: `tag=value`, fields ended by SOH, BodyLength (9) and CheckSum (10).
//!
//! What is not exactly a message is none: a length of another form, a tag twice, a value outside printable ASCII are refused, never read somehow.
//! No message here has a field that holds SOH itself, or a repeating group.

use std::fmt;

use extensions::Timestamp;

use super::tags::{MSG_SEQ_NUM, MSG_TYPE, POSS_DUP_FLAG};

/// The most digits of a number.
const LONGEST_NUMBER: usize = 15;
/// The longest body that is read, in bytes: far more than an order needs.
pub const LONGEST_BODY: usize = 4_096;
/// The most fields of one message.
pub const MOST_FIELDS: usize = 64;
/// The longest text in words that is sent, in characters.
const LONGEST_TEXT: usize = 500;

const SOH: u8 = 1;
const BEGIN: &[u8] = b"8=FIX.4.4\x019=";
/// `10=NNN` and its SOH.
const TRAILER_LENGTH: usize = 7;

/// A message without BeginString, BodyLength and CheckSum: MsgType (35) first, each tag once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(u32, String)>,
}

impl Message {
    /// A message of a type without further fields.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self {
            fields: vec![(MSG_TYPE, kind.to_owned())],
        }
    }

    /// With a further field. What cannot stand in one is replaced by `?`, and a text longer than a message bears is cut.
    #[must_use]
    pub fn with(mut self, tag: u32, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        let printable = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
        let value: String = value.chars().take(LONGEST_TEXT).map(printable).collect();
        if !value.is_empty() {
            self.fields.push((tag, value));
        }
        self
    }

    /// With a field where there is a value for it.
    #[must_use]
    pub fn with_some(self, tag: u32, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(tag, value),
            None => self,
        }
    }

    /// The MsgType (35).
    #[must_use]
    pub fn kind(&self) -> &str {
        self.fields.first().map_or("", |(_, kind)| kind)
    }

    /// The value of a field.
    #[must_use]
    pub fn text(&self, tag: u32) -> Option<&str> {
        self.fields
            .iter()
            .find_map(|(at, value)| (*at == tag).then_some(value.as_str()))
    }

    /// A field that holds a number without sign, of at most `LONGEST_NUMBER` digits: what is counted on from it stays a number.
    #[must_use]
    pub fn number(&self, tag: u32) -> Option<u64> {
        let text = self.text(tag)?;
        let digits = text.len() <= LONGEST_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn is_set(&self, flag: u32) -> bool {
        self.text(flag) == Some("Y")
    }

    /// Its fields in order, MsgType first.
    #[must_use]
    pub fn fields(&self) -> &[(u32, String)] {
        &self.fields
    }

    /// Whether it says to be a repeat on the session's level (43).
    #[must_use]
    pub fn is_possible_duplicate(&self) -> bool {
        self.is_set(POSS_DUP_FLAG)
    }
}

/// Why octets are no message, and reading them on is of no use: where the next one begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not the beginning of one.
    #[error("a message begins with 8=FIX.4.4 and 9=BodyLength")]
    NoBeginning,
    /// Its length.
    #[error("BodyLength (9) is a number from 5 to {LONGEST_BODY} without leading zeros")]
    Length,
    /// Its end is not where its length says.
    #[error("CheckSum (10) does not stand where BodyLength (9) says")]
    NoEnd,
}

/// The length of the message that `buffer` begins with; `None` while it is not whole.
///
/// # Errors
/// When no message can come of it, however many octets follow.
pub fn frame(buffer: &[u8]) -> Result<Option<usize>, FrameError> {
    let compared = buffer.len().min(BEGIN.len());
    if buffer[..compared] != BEGIN[..compared] {
        return Err(FrameError::NoBeginning);
    }
    let rest = &buffer[compared..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let leading_zero = rest.first() == Some(&b'0');
    if digits > 4 || leading_zero || (digits < rest.len() && (digits == 0 || rest[digits] != SOH)) {
        return Err(FrameError::Length);
    }
    if digits == rest.len() {
        return Ok(None);
    }
    let length = rest[..digits]
        .iter()
        .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    if !(5..=LONGEST_BODY).contains(&length) {
        return Err(FrameError::Length);
    }
    let end = BEGIN.len() + digits + 1 + length;
    let Some(trailer) = buffer.get(end..end + TRAILER_LENGTH) else {
        return Ok(None);
    };
    let closed = buffer[end - 1] == SOH
        && trailer.starts_with(b"10=")
        && trailer[3..6].iter().all(u8::is_ascii_digit)
        && trailer[6] == SOH;
    closed.then_some(Some(end + TRAILER_LENGTH)).ok_or(FrameError::NoEnd)
}

/// Why a framed message is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The checksum is another: it is as if it had not come (FIX 4.4 vol. 2, "garbled messages").
    #[error("the checksum is {found:03}, not {counted:03}")]
    Checksum {
        /// As sent.
        found: u8,
        /// As counted.
        counted: u8,
    },
    /// A field is not one. The message is refused under its number, where it has one.
    #[error("{text}")]
    Field {
        /// The number of the message, where it could be read.
        number: Option<u64>,
        /// The field, where it has a tag.
        tag: Option<u32>,
        /// SessionRejectReason (373).
        reason: u8,
        /// In words.
        text: &'static str,
    },
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// Reads a whole message, as [`frame`] found it.
///
/// # Errors
/// When its checksum or one of its fields does not hold.
pub fn decode(message: &[u8]) -> Result<Message, DecodeError> {
    let end = message.len().saturating_sub(TRAILER_LENGTH);
    let counted = checksum(&message[..end]);
    let found = message[end..]
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .skip(2)
        .fold(0_u16, |sum, digit| (sum * 10 + u16::from(digit - b'0')) % 1_000);
    if found != u16::from(counted) {
        let found = u8::try_from(found).unwrap_or(u8::MAX);
        return Err(DecodeError::Checksum { found, counted });
    }
    let from = BEGIN.len()
        + message[BEGIN.len().min(end)..end]
            .iter()
            .take_while(|byte| **byte != SOH)
            .count()
        + 1;
    let mut fields: Vec<(u32, String)> = Vec::with_capacity(24);
    let refused = |fields: &[(u32, String)], tag, reason, text| {
        let number = fields.iter().find(|(at, _)| *at == MSG_SEQ_NUM);
        let number = number.and_then(|(_, value)| value.parse().ok());
        Err(DecodeError::Field {
            number,
            tag,
            reason,
            text,
        })
    };
    let body = message.get(from..end).unwrap_or_default();
    let mut fault = None;
    for field in body.strip_suffix(&[SOH]).unwrap_or(body).split(|byte| *byte == SOH) {
        match read_field(field, &fields) {
            Ok(field) => fields.push(field),
            Err(found) => fault = fault.or(Some(found)),
        }
        if fields.len() > MOST_FIELDS {
            fault = Some((None, 99, "has more than 64 fields"));
            break;
        }
    }
    if fields.first().is_none_or(|(tag, _)| *tag != MSG_TYPE) {
        fault = Some((Some(MSG_TYPE), 14, "MsgType (35) does not stand first in the body"));
    }
    match fault {
        Some((tag, reason, text)) => refused(&fields, tag, reason, text),
        None => Ok(Message { fields }),
    }
}

type Fault = (Option<u32>, u8, &'static str);

fn read_field(field: &[u8], known: &[(u32, String)]) -> Result<(u32, String), Fault> {
    let equals = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
    let (tag, value) = field.split_at(equals);
    let well_formed = (1..=5).contains(&tag.len()) && tag[0] != b'0' && tag.iter().all(u8::is_ascii_digit);
    if !well_formed {
        return Err((None, 0, "a tag is a number from 1 to 99999 without leading zeros"));
    }
    let tag = tag.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let value = value.get(1..).unwrap_or_default();
    if value.is_empty() {
        return Err((Some(tag), 4, "the field has no value"));
    }
    if known.iter().any(|(at, _)| *at == tag) {
        return Err((
            Some(tag),
            13,
            "the tag stands twice; no message here has a repeating group",
        ));
    }
    match std::str::from_utf8(value) {
        Ok(text) if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => Ok((tag, text.to_owned())),
        _ => Err((Some(tag), 5, "the value holds something else than printable ASCII")),
    }
}

/// Writes a message out.
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    use std::io::Write as _;
    let mut body = Vec::with_capacity(512);
    for (tag, value) in &message.fields {
        // Writing to a vector cannot fail.
        let _ = write!(body, "{tag}={value}\x01");
    }
    let mut out = Vec::with_capacity(body.len() + 32);
    out.extend_from_slice(BEGIN);
    let _ = write!(out, "{}\x01", body.len());
    out.extend_from_slice(&body);
    let sum = checksum(&out);
    let _ = write!(out, "10={sum:03}\x01");
    out
}

/// A UTCTimestamp: `20261120-12:00:00` with 0 to 6 decimals of a second.
#[must_use]
pub fn read_time(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_once('-')?;
    let day = (day.len() == 8 && day.is_ascii()).then_some(day)?;
    let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
    Timestamp::parse(&format!("{year}-{month}-{day}T{time}Z")).ok()
}

/// A UTCTimestamp to the millisecond.
#[must_use]
pub fn written_time(time: Timestamp) -> String {
    let text = Timestamp::from_millis(time.millis()).to_string();
    let plain: String = text.chars().filter(|c| !matches!(c, '-' | 'Z')).collect();
    let plain = plain.replace('T', "-");
    let millis = time.millis().rem_euclid(1_000);
    let seconds = plain.split('.').next().unwrap_or_default();
    format!("{seconds}.{millis:03}")
}

/// Any octets: what is read says the same again when it is written, and what is not whole is waited for or refused.
pub fn fuzz_message(data: &[u8]) {
    let Ok(Some(length)) = frame(data) else { return };
    if let Ok(message) = decode(&data[..length]) {
        assert!(!message.kind().is_empty() && message.fields().len() <= MOST_FIELDS);
        assert_eq!(encode(&message), data[..length], "one message, one spelling");
    }
}
