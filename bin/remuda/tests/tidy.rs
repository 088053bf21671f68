//! Reads manifests and sources and holds them to `STYLE.md`: layers, purity of the core, and
//! sizes that may only shrink.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. A crate may depend only on crates of a lower layer.
const LAYERS: &[&[&str]] = &[
    &["types"],
    &["ledger", "market", "proof"],
    &["profiles"],
    &["sim"],
    &["net"],
    &["engine", "models"],
    &["chain"],
    &["client"],
    &["gateway", "provider", "indexer"],
    &["remuda"],
];

/// Crates that take events and return effects: nothing of the outside world may enter.
const PURE: &[&str] = &["types", "ledger", "market", "proof", "profiles"];

/// What may not appear among a pure crate's dependencies.
const IMPURE: &[&str] = &["tokio", "iroh", "redb", "reqwest", "axum", "hyper", "rand", "rustix"];

/// What may not appear in a pure crate's sources (outside its tests). An address is a value; a
/// socket is not.
const IMPURE_CODE: &[&str] = &[
    "std::fs",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "SystemTime",
    "Instant::now",
    "thread_rng",
];

/// The most lines of a source file.
const FILE_LINES_MAX: usize = 520;
/// The most lines of a function.
const FUNCTION_LINES_MAX: usize = 75;
/// The widest line, in characters; addresses and raw strings (JSON of others) may be wider.
const LINE_WIDTH_MAX: usize = 100;

/// Words that may not stay, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("FIXME", "mend it, or open an issue"),
    ("XXX", "mend it, or open an issue"),
    ("todo!(", "write it"),
    ("unimplemented!(", "write it"),
    ("std::env::set_var", "pass configuration as arguments"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Crate name without prefix, and its folder.
fn crates() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::from([("remuda".to_owned(), root().join("bin/remuda"))]);
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        found.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), path);
    }
    found
}

fn dependencies(folder: &Path, table: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let names = manifest.get(table).and_then(toml::Value::as_table);
    names.map(|names| names.keys().cloned().collect()).unwrap_or_default()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in crates().values().chain([&root().join("bench")]) {
        for part in ["src", "tests", "examples"] {
            sources(&folder.join(part), &mut files);
        }
    }
    files.sort();
    files
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

#[test]
fn arrows_point_down() {
    let layer_of: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(layer, names)| names.iter().map(move |name| (*name, layer)))
        .collect();
    let mut wrong = Vec::new();
    for (name, folder) in crates() {
        let Some(own) = layer_of.get(name.as_str()) else {
            wrong.push(format!("{name} has no place in LAYERS"));
            continue;
        };
        for dependency in dependencies(&folder, "dependencies") {
            let Some(other) = dependency.strip_prefix("remuda-") else { continue };
            if layer_of.get(other).is_none_or(|layer| layer >= own) {
                wrong.push(format!("{name} may not depend on {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_stays_pure() {
    let mut wrong = Vec::new();
    for (name, folder) in crates().iter().filter(|(name, _)| PURE.contains(&name.as_str())) {
        for dependency in dependencies(folder, "dependencies") {
            if IMPURE.contains(&dependency.as_str()) {
                wrong.push(format!("{name} may not depend on {dependency}"));
            }
        }
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
            let text = fs::read_to_string(file).unwrap();
            for word in IMPURE_CODE.iter().filter(|word| without_tests(&text).contains(**word)) {
                wrong.push(format!("{} may not use {word}", relative(file)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_says_what_it_is() {
    for (name, folder) in crates() {
        let file = if name == "remuda" { "src/main.rs" } else { "src/lib.rs" };
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let lines = text.lines().take_while(|line| line.starts_with("//!")).count();
        assert!(lines >= 3, "{name}: {file} must open with `//!`: what it is and is not");
    }
}

/// The sizes that stand above the limits today. Entries may shrink or go, never grow.
fn ratchet() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("bin/remuda/tests/tidy_ratchet.txt")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (size, name) = line.split_once(' ').unwrap();
            (name.trim().to_owned(), size.parse().unwrap())
        })
        .collect()
}

#[test]
fn files_and_functions_stay_small() {
    let allowed = ratchet();
    let mut wrong = Vec::new();
    let mut check = |name: String, size: usize, limit: usize| {
        let limit = allowed.get(&name).copied().unwrap_or(limit);
        if size > limit {
            wrong.push(format!("{size} {name} (at most {limit})"));
        }
    };
    for file in all_sources() {
        let text = fs::read_to_string(&file).unwrap();
        check(relative(&file), without_tests(&text).lines().count(), FILE_LINES_MAX);
        for (function, lines) in functions(&text) {
            check(format!("{}::{function}", relative(&file)), lines, FUNCTION_LINES_MAX);
        }
    }
    assert!(wrong.is_empty(), "too long:\n{}", wrong.join("\n"));
}

/// Names and lengths of the functions that have a body, in rustfmt's layout.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = lines.iter().enumerate();
    let named = begins.filter_map(|(start, line)| Some((start, function_name(line)?)));
    named.filter_map(|(start, name)| Some((name, function_length(&lines[start..])?))).collect()
}

/// The function that a line begins.
fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let qualifier = |word: &str| {
        matches!(word, "pub" | "async" | "const" | "unsafe" | "extern" | "\"C\"")
            || word.starts_with("pub(")
    };
    let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (before.split_whitespace().all(qualifier) && !name.is_empty()).then_some(name)
}

/// How many lines the function takes that begins at the first line; `None` when it is only
/// declared. It ends at the first line that holds nothing but a brace at its indentation.
fn function_length(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let signature_ends = |line: &&&str| line.ends_with(['{', '}', ';']);
    if !lines.iter().find(signature_ends)?.ends_with('{') {
        return None;
    }
    let closing = format!("{}}}", &first[..first.len() - first.trim_start().len()]);
    lines.iter().position(|line| *line == closing).map(|last| last + 1)
}

#[test]
fn banned_words_and_wide_lines_do_not_stay() {
    let mut wrong = Vec::new();
    for file in all_sources().iter().filter(|file| !file.ends_with("tidy.rs")) {
        let text = fs::read_to_string(file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                wrong.push(format!("{}:{}: {word}: {instead}", relative(file), number + 1));
            }
            let may_be_wide = ["https://", "r#\""].iter().any(|sign| line.contains(sign));
            if line.chars().count() > LINE_WIDTH_MAX && !may_be_wide {
                wrong.push(format!("{}:{}: too wide", relative(file), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_function_finder_finds() {
    let text = "impl A {\n    pub fn one(&self) {\n        x();\n    }\n}\nfn two() {\n}\n";
    assert_eq!(functions(text), [("one".to_owned(), 3), ("two".to_owned(), 2)]);
}

#[test]
fn the_function_finder_takes_no_declaration_for_a_function() {
    let declared = "trait A {\n    fn one(&self);\n    fn two(\n        &self,\n    ) -> u8;\n";
    let empty = "    fn three(&self) {}\n";
    let whole = "    async fn four(\n        &self,\n    ) {\n        x();\n    }\n}\n";
    let text = [declared, empty, whole].concat();
    assert_eq!(functions(&text), [("four".to_owned(), 5)]);
}
