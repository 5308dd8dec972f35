//! Canonical JSON (RFC 8785), the byte form of everything that is hashed or signed.
//!
//! Our documents hold no floats: amounts are strings, counts are integers of magnitude below 2^53.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Why bytes are not the canonical form of a value.
#[derive(Debug, Error)]
pub enum CanonicalError {
    /// Not JSON, or not of the expected shape (unknown, missing or duplicate members included).
    #[error("not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Readable, but not the one canonical spelling.
    #[error("readable, but not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// The canonical bytes of `value`.
///
/// # Panics
/// When `value` cannot be JSON at all (a map with keys that are not strings): a defect of the type, found by its test.
#[must_use]
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("our documents have string keys and no floats")
}

/// Appends `value` to `out` by way of plain `serde_json`, which is canonical *only* for types whose members are declared in
/// lexicographic order. The order path uses it; each such type is held to [`to_vec`] by a test.
///
/// # Panics
/// As [`to_vec`].
pub fn write_presorted<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, value).expect("our documents have string keys and no floats");
}

/// Whether a text that `serde_json` has written is canonical for certain: members in strictly ascending order, names of plain ASCII, whole numbers
/// that a double holds. `false` says nothing: such a text is left to the canonicaliser.
fn is_sorted(text: &[u8]) -> bool {
    // The name of the last member of each object that is open; `None` for a list, or before the first.
    let mut last: Vec<Option<&[u8]>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => last.push(None),
            b'}' | b']' => drop(last.pop()),
            b'"' => {
                let Some(length) = string_length(&text[at..]) else {
                    return false;
                };
                let string = &text[at + 1..at + length - 1];
                at += length;
                if text.get(at) != Some(&b':') {
                    continue;
                }
                let plain = string
                    .iter()
                    .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
                let Some(before) = last.last_mut() else { return false };
                if !plain || before.is_some_and(|before| before >= string) {
                    return false;
                }
                *before = Some(string);
            }
            b'-' | b'0'..=b'9' => {
                let number = text[at..].iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']'));
                let digits = number.clone().filter(|byte| byte.is_ascii_digit()).count();
                let length = number.count();
                // 10^15 is below 2^53; anything but digits behind the sign is a fraction or an exponent.
                if digits > 15 || digits + usize::from(*byte == b'-') != length || text[at..].starts_with(b"-0") {
                    return false;
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// The length of the string that `text` begins with, its quotes included.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Reads `bytes` and refuses any spelling but the canonical one.
///
/// # Errors
/// When the bytes are not JSON of the expected shape, or not canonical.
pub fn from_slice<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let value: T = serde_json::from_slice(bytes)?;
    // What is read at each start by the million is spelt by plain `serde_json` first; the canonicaliser, ten times as dear, has the last word.
    let plain = serde_json::to_vec(&value)?;
    if plain == bytes && is_sorted(bytes) || to_vec(&value) == bytes {
        Ok(value)
    } else {
        Err(CanonicalError::NotCanonical)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    /// Members out of order, as no type of ours may declare them.
    #[derive(Debug, Serialize, Deserialize)]
    struct Unsorted {
        b: u64,
        a: u64,
    }

    /// What a type spells by itself is taken only where the canonicaliser would spell it so.
    ///
    /// Controls tried: without the comparison of names the first is taken, without the bound of digits the second.
    #[test]
    fn another_spelling_is_refused_whatever_the_type_writes() {
        let refused = |text: &[u8]| matches!(from_slice::<Unsorted>(text), Err(CanonicalError::NotCanonical));
        assert!(refused(br#"{"b":1,"a":2}"#));
        assert!(refused(br#"{"a":2,"b":9007199254740993}"#));
        assert!(refused(br#"{"a":2, "b":1}"#));
        assert!(from_slice::<Unsorted>(br#"{"a":2,"b":1}"#).is_ok());
        assert!(from_slice::<Value>(br#"{"a":"\u0041"}"#).is_err());
        assert!(from_slice::<Value>(br#"{"a":[{"b":1,"c":[]},{"b":2}],"d":"x\"y:{"}"#).is_ok());
    }

    #[test]
    fn what_is_doubtful_is_left_to_the_canonicaliser() {
        for text in [
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"\u00e4":1}"#,
            r#"{"ä":1}"#,
            r#"{"a":1.5}"#,
            r#"{"a":1e3}"#,
            r#"{"a":-0}"#,
            r#"{"a":1234567890123456}"#,
            r#"[{"b":1,"a":2}]"#,
            r#"{"a":{"c":1,"b":2}}"#,
            r#"{"a"#,
        ] {
            assert!(!is_sorted(text.as_bytes()), "{text}");
        }
        for text in [
            r#"{"a":{"z":-12},"b":[{"c":1},{"a":1}]}"#,
            r#"["b","a"]"#,
            r#"{}"#,
            r#"{"a":"1.5","b":null}"#,
        ] {
            assert!(is_sorted(text.as_bytes()), "{text}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-99_i64..99).prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".{0,3}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// The quick answer is never another than the canonicaliser's.
        #[test]
        fn a_sorted_text_is_canonical(value in values()) {
            let plain = serde_json::to_vec(&value).unwrap();
            if is_sorted(&plain) {
                prop_assert_eq!(to_vec(&value), plain);
            }
        }
    }

    #[test]
    fn most_of_our_texts_take_the_quick_way() {
        let text = to_vec(
            &json!({"agent": "mm-1", "at": "2026-11-20T12:00:00.000000Z", "order": {"price": "100", "side": "buy"}}),
        );
        assert!(is_sorted(&text));
    }
}
