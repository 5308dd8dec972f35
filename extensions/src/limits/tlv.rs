//! Tag, length, value: the few lines of DER reading and writing that the strict reader stands on. Lengths are read and
//! written by `der` (definite, minimal); tags are compared as octets, so that a refusal can name the one found.

use der::{Decode, Encode, Length, Reader, SliceReader};

use super::{Field, LimitsError};

/// The contents of one constructed value, read in order.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    field: Field,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(content: &'a [u8], field: Field) -> Self {
        Self { rest: content, field }
    }

    /// The next tag octet, if any.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The content of the next value, whatever its (low) tag.
    pub(crate) fn take_any(&mut self, field: Field) -> Result<(u8, &'a [u8]), LimitsError> {
        let tag = self.peek().ok_or(LimitsError::Missing { field })?;
        let (header, content) = split(self.rest).ok_or(LimitsError::NotDer { field })?;
        self.rest = &self.rest[header + content.len()..];
        Ok((tag, content))
    }

    /// The content of the next value, which must have this tag.
    pub(crate) fn take(&mut self, tag: u8, field: Field) -> Result<&'a [u8], LimitsError> {
        match self.peek() {
            None => Err(LimitsError::Missing { field }),
            Some(found) if found != tag => Err(LimitsError::UnexpectedTag { field, found }),
            Some(_) => self.take_any(field).map(|(_, content)| content),
        }
    }

    /// The next value, which must be constructed and have this tag.
    pub(crate) fn enter(&mut self, tag: u8, field: Field) -> Result<Self, LimitsError> {
        self.take(tag, field).map(|content| Self::new(content, field))
    }

    /// The entries of the next value, a list with this tag. Bounded by the value's bytes; counts are checked by the types.
    pub(crate) fn list<T>(
        &mut self,
        tag: u8,
        field: Field,
        mut read: impl FnMut(&mut Self) -> Result<T, LimitsError>,
    ) -> Result<Vec<T>, LimitsError> {
        let mut list = self.enter(tag, field)?;
        let mut entries = Vec::new();
        while list.peek().is_some() {
            entries.push(read(&mut list)?);
        }
        Ok(entries)
    }

    /// Refuses what is left over.
    pub(crate) fn finish(&self) -> Result<(), LimitsError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(LimitsError::TrailingBytes { field: self.field })
        }
    }
}

/// The first value of `bytes`: length of its tag and length octets, and its content.
fn split(bytes: &[u8]) -> Option<(usize, &[u8])> {
    // der names few tags, and refuses those it does not know; the tag is ours to judge, so only the length is read by it
    let (tag, behind) = bytes.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let mut reader = SliceReader::new(behind).ok()?;
    let length = Length::decode(&mut reader).ok()?;
    let content = reader.read_slice(length).ok()?;
    let header = bytes.len() - usize::try_from(reader.remaining_len()).ok()? - content.len();
    Some((header, content))
}

/// A two's complement INTEGER or ENUMERATED of at most 16 octets, in its shortest form (X.690 §8.3.2).
pub(crate) fn integer(field: Field, content: &[u8]) -> Result<i128, LimitsError> {
    match content {
        [] => return Err(LimitsError::NotDer { field }),
        [0x00, second, ..] if second & 0x80 == 0 => {
            return Err(LimitsError::NotCanonical {
                field,
                why: "integers are as short as they can be",
            });
        }
        [0xff, second, ..] if second & 0x80 != 0 => {
            return Err(LimitsError::NotCanonical {
                field,
                why: "integers are as short as they can be",
            });
        }
        long if long.len() > 16 => {
            return Err(LimitsError::OutOfRange {
                field,
                range: "16 octets",
            });
        }
        _ => {}
    }
    let sign = if content[0] & 0x80 == 0 { 0 } else { -1 };
    Ok(content
        .iter()
        .fold(sign, |value: i128, byte| value << 8 | i128::from(*byte)))
}

/// Appends one value.
pub(crate) fn put(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let length = Length::try_from(content.len()).and_then(|length| length.to_der());
    out.extend(length.expect("what we write is far below der's bound of 256 MiB"));
    out.extend_from_slice(content);
}

/// Appends an INTEGER or ENUMERATED in its shortest form.
pub(crate) fn put_integer(tag: u8, value: i128, out: &mut Vec<u8>) {
    let octets = value.to_be_bytes();
    let fill = if value < 0 { 0xff } else { 0 };
    let spare = octets
        .windows(2)
        .take_while(|pair| pair[0] == fill && (pair[1] ^ fill) & 0x80 == 0)
        .count();
    put(tag, &octets[spare..], out);
}
