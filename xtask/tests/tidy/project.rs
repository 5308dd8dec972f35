//! The project's files, as Git tracks them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// One tracked text file.
pub(crate) struct File {
    /// Path from the project's root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the project")
        .to_path_buf()
}

/// Every tracked or new file that is not ignored and is text.
pub(crate) fn files() -> Vec<File> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the project's files");
    let list = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files: Vec<File> = list
        .lines()
        .filter_map(|path| {
            let text = fs::read_to_string(root().join(path)).ok()?;
            Some(File {
                path: path.to_owned(),
                text,
            })
        })
        .collect();
    assert!(files.len() > 50, "only {} files: is this a Git checkout?", files.len());
    files
}

/// Those whose name ends in `suffix`.
pub(crate) fn ending(suffix: &str) -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(suffix)).collect()
}

/// Fails with one line per finding.
pub(crate) fn none(findings: Vec<String>, rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}

/// Shipped source: no tests, no benches, no examples, no module that only tests compile.
pub(crate) fn shipped_sources() -> Vec<File> {
    let sources: Vec<File> = ending(".rs")
        .into_iter()
        .filter(|file| file.path.contains("/src/"))
        .collect();
    let test_modules: Vec<String> = sources.iter().flat_map(test_modules).collect();
    let only_tests = |path: &str| {
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
        test_modules
            .iter()
            .any(|test| module == test || module.starts_with(&format!("{test}/")))
    };
    sources.into_iter().filter(|file| !only_tests(&file.path)).collect()
}

/// Modules in files of their own that `file` declares under `#[cfg(test)]`, as paths without `.rs`.
fn test_modules(file: &File) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let inside = match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    };
    let mut found = Vec::new();
    let mut under_test = false;
    for line in file.text.lines().map(str::trim) {
        let words = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        if let Some(module) = words.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
            && under_test
        {
            found.push(format!("{inside}/{module}"));
        }
        under_test = line == "#[cfg(test)]" || under_test && line.starts_with("#[");
    }
    found
}

#[test]
fn test_modules_are_found() {
    let text =
        "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[allow(x)]\npub(crate) mod doubles;\nmod b;\n".to_owned();
    let file = File {
        path: "x/src/y.rs".into(),
        text,
    };
    assert_eq!(test_modules(&file), ["x/src/y/tests", "x/src/y/doubles"]);
}
