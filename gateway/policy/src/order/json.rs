//! A strict reader of one flat JSON object (RFC 8259, I-JSON manners): no byte order mark, no duplicate keys, no escapes in keys,
//! at most [`DEEPEST`] levels. It borrows from the body and allocates nothing.
//!
//! Why not a general reader: those keep the last of two equal keys, turn numbers into floats and forgive what a venue reads
//! otherwise. Two readers that disagree about an order are an attack.

use super::fault::{FaultKind, OrderFault, excerpt};

/// The deepest nesting that is read before the body is refused.
pub(super) const DEEPEST: usize = 8;

/// A value as it stands in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A string without escapes.
    Text(&'a str),
    /// A string with escapes, still in them.
    Escaped(&'a str),
    /// A number, as written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An object or an array; no field of an order takes one.
    Compound,
}

impl Value<'_> {
    /// What it is, for people.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Escaped(_) => "a string",
            Self::Number(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Null => "null",
            Self::Compound => "an object or a list",
        }
    }
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

fn malformed(message: impl Into<String>) -> OrderFault {
    OrderFault::new("body", FaultKind::Malformed, message)
}

impl<'a> Scanner<'a> {
    pub(super) fn new(body: &'a [u8]) -> Result<Self, OrderFault> {
        if body.starts_with(&[0xef, 0xbb, 0xbf]) {
            return Err(malformed("begins with a byte order mark; send plain UTF-8 without one"));
        }
        if body.contains(&0) {
            return Err(malformed("holds a NUL byte; send JSON text only"));
        }
        let text = std::str::from_utf8(body).map_err(|error| {
            malformed(format!(
                "is not UTF-8 from byte {}; encode it as UTF-8",
                error.valid_up_to()
            ))
        })?;
        Ok(Self { text, at: 0 })
    }

    /// Reads the whole body as one object and hands each member to `member`.
    pub(super) fn object(
        mut self,
        mut member: impl FnMut(&'a str, Value<'a>) -> Result<(), OrderFault>,
    ) -> Result<(), OrderFault> {
        self.space();
        if self.peek() != Some(b'{') {
            return Err(malformed("is not a JSON object; send {\"client_order_id\": ...}"));
        }
        self.members(1, &mut member)?;
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.unexpected("after the object; send one object and nothing else"))
        }
    }

    fn members(
        &mut self,
        depth: usize,
        member: &mut impl FnMut(&'a str, Value<'a>) -> Result<(), OrderFault>,
    ) -> Result<(), OrderFault> {
        self.at += 1;
        self.space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            let key = match self.string()? {
                Value::Text(key) => key,
                _ => {
                    return Err(malformed(
                        "has an escape in a field name; write field names in plain ASCII",
                    ));
                }
            };
            self.space();
            if !self.take(b':') {
                return Err(self.unexpected("where a colon belongs"));
            }
            let value = self.value(depth)?;
            member(key, value)?;
            self.space();
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.unexpected("where a comma or the closing brace belongs"));
            }
        }
    }

    fn elements(&mut self, depth: usize) -> Result<(), OrderFault> {
        self.at += 1;
        self.space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.space();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.unexpected("where a comma or the closing bracket belongs"));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, OrderFault> {
        self.space();
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{' | b'[') if depth >= DEEPEST => Err(malformed(format!(
                "is nested deeper than {DEEPEST} levels; an order is one flat object"
            ))),
            Some(b'{') => self.members(depth + 1, &mut |_, _| Ok(())).map(|()| Value::Compound),
            Some(b'[') => self.elements(depth + 1).map(|()| Value::Compound),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value<'a>, OrderFault> {
        let rest = &self.text[self.at..];
        for (word, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        if rest.starts_with("NaN") || rest.starts_with("Infinity") {
            return Err(malformed(
                "holds NaN or Infinity; amounts are plain decimals such as \"0.125\"",
            ));
        }
        Err(self.unexpected("where a value belongs"))
    }

    fn string(&mut self) -> Result<Value<'a>, OrderFault> {
        if !self.take(b'"') {
            return Err(self.unexpected("where a string in double quotes belongs"));
        }
        let (start, mut escaped) = (self.at, false);
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                None => return Err(malformed("ends inside a string")),
                Some(b'"') => break,
                Some(0..0x20) => {
                    return Err(malformed(
                        "holds a control character inside a string; escape it as \\n or \\u000a",
                    ));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        // A quote or a backslash is one byte, and so is what follows a backslash when it is an escape; anything else is refused
        // by `unescape`, or here when it splits a character.
        let text = self
            .text
            .get(start..self.at)
            .ok_or_else(|| malformed("holds an unknown escape"))?;
        self.at += 1;
        if escaped && unescape(text).is_none() {
            return Err(malformed("holds an unknown escape, half a surrogate pair or \\u0000"));
        }
        Ok(if escaped {
            Value::Escaped(text)
        } else {
            Value::Text(text)
        })
    }

    fn number(&mut self) -> Result<Value<'a>, OrderFault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while bytes
            .get(self.at)
            .is_some_and(|b| b.is_ascii_digit() || b"+-.eE".contains(b))
        {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        if json_number(text.as_bytes()) {
            Ok(Value::Number(text))
        } else {
            Err(malformed(format!(
                "holds {:?}, which is no JSON number; write amounts as \"0.125\"",
                excerpt(text)
            )))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, place: &str) -> OrderFault {
        malformed(match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => format!("has {:?} at byte {} {place}", excerpt(&found.to_string()), self.at),
            None => format!("ends too early, {place}"),
        })
    }
}

/// RFC 8259 §6: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
fn json_number(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(after) = rest.strip_prefix(b".") {
        let decimals = after.iter().take_while(|b| b.is_ascii_digit()).count();
        if decimals == 0 {
            return false;
        }
        rest = &after[decimals..];
    }
    match rest {
        [] => true,
        [b'e' | b'E', sign, digits @ ..] => {
            let digits = if matches!(sign, b'+' | b'-') {
                digits
            } else {
                &rest[1..]
            };
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// The text behind the escapes; `None` for an unknown escape, half a surrogate pair or NUL.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        out.push(match code {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, after) = unicode(rest)?;
                rest = after;
                character
            }
            _ => return None,
        });
    }
    out.push_str(rest);
    Some(out)
}

fn unicode(rest: &str) -> Option<(char, &str)> {
    let high = hex4(rest)?;
    let rest = &rest[4..];
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).filter(|c| *c != '\0').map(|c| (c, rest));
    }
    let low = hex4(rest.strip_prefix("\\u")?)?;
    if !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).map(|c| (c, &rest[6..]))
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    if digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        u32::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}
