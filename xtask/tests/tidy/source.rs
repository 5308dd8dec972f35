//! Reading Rust well enough to count braces: comments, strings and characters are blanked, line breaks stay.

/// Replaces the insides of comments, strings and character literals by spaces.
pub(crate) fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => find(bytes, at, b"\n"),
            b'/' if bytes.get(at + 1) == Some(&b'*') => find(bytes, at + 2, b"*/") + 2,
            b'"' => string_end(bytes, at + 1),
            b'r' if raw_hashes(bytes, at).is_some() => raw_end(bytes, at),
            b'\'' => character_end(bytes, at),
            _ => at + 1,
        };
        let end = end.clamp(at + 1, bytes.len());
        if end > at + 1 {
            out[at..end]
                .iter_mut()
                .filter(|byte| **byte != b'\n')
                .for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(what.len())
        .position(|window| window == what)
        .map_or(bytes.len(), |place| from + place)
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Number of `#` of a raw string that begins at `at`.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|place| bytes[place]);
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() && byte != b'b' || byte == b'_') {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn raw_end(bytes: &[u8], at: usize) -> usize {
    let hashes = raw_hashes(bytes, at).unwrap_or(0);
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    find(bytes, at + hashes + 2, &close) + close.len()
}

/// End of a character literal, or the next place for a lifetime.
fn character_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at + 1) {
        Some(b'\\') => find(bytes, at + 3, b"'") + 1,
        Some(_) => {
            // The longest character is four bytes of UTF-8.
            let close = (at + 2..=at + 5).find(|place| bytes.get(*place) == Some(&b'\''));
            let one_character = |close: usize| {
                std::str::from_utf8(&bytes[at + 1..close]).is_ok_and(|inside| inside.chars().count() == 1)
            };
            close
                .filter(|close| one_character(*close))
                .map_or(at + 1, |close| close + 1)
        }
        None => at + 1,
    }
}

/// The part of a file that ships: everything before its unit tests.
pub(crate) fn shipped(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests")
        .map_or(text, |place| &text[..place])
}

#[test]
fn blanks_what_is_not_code() {
    let text = "let a = \"{\\\"\"; // {\nlet b = '{'; let c = r#\"{\"{\"#; fn f<'a>() {} /* { */ let d = b'\\'';";
    let left = blanked(text);
    assert_eq!(left.matches('{').count(), 1, "{left}");
    assert_eq!(left.matches('\n').count(), 1);
    assert!(
        left.contains("fn f<'a>() {}") && left.ends_with("let d = b    ;"),
        "{left}"
    );
}
