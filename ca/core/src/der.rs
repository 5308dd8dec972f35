//! The few lines of DER (X.690) that the libraries do not write or do not read strictly enough: definite minimal lengths, one
//! encoding a value, nothing behind the end.

/// SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// SET.
pub(crate) const SET: u8 = 0x31;
/// INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// BIT STRING.
pub(crate) const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER.
pub(crate) const OID: u8 = 0x06;

/// The deepest nesting that [`well_formed`] follows.
const DEEPEST: u8 = 16;

/// One value: tag, length, content.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len() - 1);
        out.push(0x80 | (bytes.len() - first) as u8);
        out.extend_from_slice(&bytes[first..]);
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A value read: its tag, its content, and all of its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// Reads values one after the other. `None` for anything that is not DER.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value, of any tag below 31.
    pub(crate) fn next(&mut self) -> Option<Value<'a>> {
        let bytes = self.0;
        let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, header) = match first {
            0..=0x7f => (usize::from(first), 2),
            0x81..=0x83 => {
                let count = usize::from(first & 0x7f);
                let digits = bytes.get(2..2 + count)?;
                let length = digits.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
                if digits[0] == 0 || length < 0x80 {
                    return None;
                }
                (length, 2 + count)
            }
            _ => return None,
        };
        let whole = bytes.get(..header + length)?;
        self.0 = &bytes[header + length..];
        Some(Value {
            tag,
            content: &whole[header..],
            whole,
        })
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<Value<'a>> {
        self.next().filter(|value| value.tag == tag)
    }

    /// Whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The one value that `bytes` are, nothing behind it.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Option<Value<'_>> {
    let mut reader = Reader(bytes);
    reader.expect(tag).filter(|_| reader.is_empty())
}

/// Whether all of `bytes` is DER, down to 16 levels: constructed values are followed, booleans and integers are minimal.
pub(crate) fn well_formed(bytes: &[u8]) -> bool {
    fn walk(bytes: &[u8], depth: u8) -> bool {
        let mut reader = Reader(bytes);
        while !reader.is_empty() {
            let Some(value) = reader.next() else { return false };
            let fine = match value.tag {
                tag if tag & 0x20 != 0 => depth < DEEPEST && walk(value.content, depth + 1),
                0x01 => matches!(value.content, [0x00 | 0xff]),
                INTEGER => !matches!(value.content, [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..]),
                _ => true,
            };
            if !fine {
                return false;
            }
        }
        true
    }
    walk(bytes, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal_both_ways() {
        for length in [0_usize, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![0xaa; length];
            let value = tlv(OCTET_STRING, &[&content]);
            assert_eq!(only(&value, OCTET_STRING).unwrap().content, content);
        }
        assert!(
            only(&[0x04, 0x81, 0x01, 0xaa], OCTET_STRING).is_none(),
            "long form of a short length"
        );
        assert!(only(&[0x04, 0x80, 0x00, 0x00], OCTET_STRING).is_none(), "indefinite");
        assert!(only(&[0x04, 0x01, 0xaa, 0x00], OCTET_STRING).is_none(), "trailing");
        assert!(!well_formed(&[0x01, 0x01, 0x01]), "TRUE is 0xff");
        assert!(!well_formed(&[0x02, 0x02, 0x00, 0x01]), "padded integer");
    }
}
