//! Sizes: a file is one concept, a function fits on a screen.

use crate::{
    project::{File, ending, none, shipped_sources},
    source::{blanked, shipped},
};

/// Lines of a file, tests included.
const FILE_LINES_MAX: usize = 800;
/// Lines of a shipped function, its signature included (a test may be one long table).
const FUNCTION_LINES_MAX: usize = 70;

/// Longer functions that stay whole for a reason: path, function, reason.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[
    (
        "ca/core/src/register/mod.rs",
        "apply",
        "a fold: one arm per kind of event",
    ),
    (
        "extensions/src/mandate/words.rs",
        "diff",
        "one comparison per member of the document",
    ),
    (
        "fixtures/venue/src/api/orders.rs",
        "account_answer",
        "one arm per request of the venue's API",
    ),
    (
        "gateway/policy/src/order/parse.rs",
        "into_order",
        "one line per field of an order",
    ),
];

#[test]
fn files_are_short() {
    let long = ending(".rs").into_iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
    });
    none(
        long.collect(),
        "files of more than 800 lines: split what does not belong together",
    );
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for file in shipped_sources() {
        let file = File {
            text: shipped(&file.text).to_owned(),
            ..file
        };
        for (name, line, lines) in functions(&file) {
            let excused = LONG_FUNCTIONS
                .iter()
                .any(|(path, function, _)| *path == file.path && *function == name);
            if lines > FUNCTION_LINES_MAX && !excused {
                long.push(format!("{}:{line}: `{name}` has {lines} lines", file.path));
            }
        }
    }
    none(
        long,
        "functions of more than 70 lines: branch in the parent, compute in leaves",
    );
}

#[test]
fn files_say_why_they_exist() {
    let silent = ending(".rs")
        .into_iter()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.path);
    none(silent.collect(), "files that do not open with `//!` and why they exist");
}

/// Name, first line and number of lines of each function with a body.
fn functions(file: &File) -> Vec<(String, usize, usize)> {
    let code = blanked(&file.text);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(place) = code[from..].find("fn ").map(|place| from + place) {
        from = place + 3;
        let starts_word =
            place == 0 || !code.as_bytes()[place - 1].is_ascii_alphanumeric() && code.as_bytes()[place - 1] != b'_';
        let name: String = code[from..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !starts_word || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(&code[from..]) {
            let first = code[..place].matches('\n').count() + 1;
            found.push((name, first, code[place..from + end].matches('\n').count() + 1));
        }
    }
    found
}

/// Place of the brace that closes the first body of `code`, unless a `;` outside of brackets comes first.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (place, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if braces == 0 && brackets == 0 => return None,
            b'{' => braces += 1,
            b'}' if braces == 1 => return Some(place),
            b'}' => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[test]
fn functions_are_measured() {
    let text = format!(
        "trait T {{ fn no_body(a: [u8; 2]); }}\nfn long() {{\n{}}}\nfn short() {{ let s = \"}}\"; }}\n",
        "  x;\n".repeat(70)
    );
    let found = functions(&File {
        path: String::new(),
        text,
    });
    assert_eq!(found, [("long".to_owned(), 2, 72), ("short".to_owned(), 74, 1)]);
}
