//! Just enough CBOR (RFC 8949) for an attestation object and a COSE key: whole numbers, byte and text strings, arrays and maps of
//! definite length. Everything else is refused, as is what stands behind the value.

/// Deeper than this is refused; an attestation object with a certificate chain has four levels.
const DEEPEST: u8 = 8;
/// The most items of one array or map.
const MOST_ITEMS: u64 = 64;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A whole number; negative ones too.
    Number(i64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text string.
    Text(&'a str),
    /// An array.
    List(Vec<Value<'a>>),
    /// A map, in the order it came.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// `true` or `false`.
    Truth(bool),
}

impl<'a> Value<'a> {
    /// What a map holds under a name.
    pub(super) fn named(&self, name: &str) -> Option<&Value<'a>> {
        self.find(&Value::Text(name))
    }

    /// What a map holds under a number.
    pub(super) fn numbered(&self, number: i64) -> Option<&Value<'a>> {
        self.find(&Value::Number(number))
    }

    /// Its bytes, when it is a byte string.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn find(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

/// The first value of `bytes`, and what stands behind it.
pub(super) fn first(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    value(bytes, 0)
}

fn value(bytes: &[u8], depth: u8) -> Option<(Value<'_>, &[u8])> {
    if depth >= DEEPEST {
        return None;
    }
    let (&initial, rest) = bytes.split_first()?;
    let (major, info) = (initial >> 5, initial & 0x1f);
    if major == 7 {
        return match info {
            20 => Some((Value::Truth(false), rest)),
            21 => Some((Value::Truth(true), rest)),
            _ => None,
        };
    }
    let (argument, rest) = argument(info, rest)?;
    match major {
        0 => Some((Value::Number(i64::try_from(argument).ok()?), rest)),
        1 => Some((Value::Number(-1 - i64::try_from(argument).ok()?), rest)),
        2 | 3 => {
            let length = usize::try_from(argument).ok()?;
            let (taken, rest) = rest.split_at_checked(length)?;
            let string = if major == 2 {
                Value::Bytes(taken)
            } else {
                Value::Text(std::str::from_utf8(taken).ok()?)
            };
            Some((string, rest))
        }
        4 => list(argument, rest, depth),
        5 => map(argument, rest, depth),
        _ => None,
    }
}

fn argument(info: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    let width = match info {
        0..=23 => return Some((u64::from(info), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (taken, rest) = rest.split_at_checked(width)?;
    let number = taken.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Some((number, rest))
}

fn list(count: u64, mut rest: &[u8], depth: u8) -> Option<(Value<'_>, &[u8])> {
    if count > MOST_ITEMS {
        return None;
    }
    let mut items = Vec::new();
    for _ in 0..count {
        let (item, behind) = value(rest, depth + 1)?;
        items.push(item);
        rest = behind;
    }
    Some((Value::List(items), rest))
}

fn map(count: u64, mut rest: &[u8], depth: u8) -> Option<(Value<'_>, &[u8])> {
    if count > MOST_ITEMS {
        return None;
    }
    let mut members: Vec<(Value<'_>, Value<'_>)> = Vec::new();
    for _ in 0..count {
        let (key, behind) = value(rest, depth + 1)?;
        let (held, behind) = value(behind, depth + 1)?;
        // Two readers of a doubled key can disagree.
        if members.iter().any(|(name, _)| *name == key) {
            return None;
        }
        members.push((key, held));
        rest = behind;
    }
    Some((Value::Map(members), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read() {
        let text = [
            0xa2, 0x63, b'f', b'm', b't', 0x64, b'n', b'o', b'n', b'e', 0x20, 0x42, 1, 2, 9,
        ];
        let (map, rest) = first(&text).unwrap();
        assert_eq!(map.named("fmt"), Some(&Value::Text("none")));
        assert_eq!(map.numbered(-1).and_then(Value::bytes), Some(&[1, 2][..]));
        assert_eq!(rest, [9]);
        assert_eq!(
            first(&[0x82, 0x19, 1, 0, 0xf5]).unwrap().0,
            Value::List(vec![Value::Number(256), Value::Truth(true)])
        );
    }

    /// Controls tried: without `DEEPEST`, `MOST_ITEMS` or the look for doubled keys, the last three read.
    #[test]
    fn what_is_no_value_of_ours_is_refused() {
        let deep = [vec![0x81; 20], vec![0]].concat();
        let many = [vec![0x98, 65], vec![0; 65]].concat();
        let doubled = vec![0xa2, 1, 1, 1, 2];
        for bytes in [
            vec![],
            vec![0x42, 1],
            vec![0x5f, 0xff],
            vec![0xf9, 0, 0],
            vec![0xc0, 0],
            deep,
            many,
            doubled,
        ] {
            assert_eq!(first(&bytes), None, "{bytes:?}");
        }
    }
}
