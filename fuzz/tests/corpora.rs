//! Every target on its corpus, and on thousands of mutations of it that are the same in every
//! run. A finding prints the target and the input in hexadecimal digits: keep it as a file in
//! `corpus/<target>/`, where it fails until it is mended.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use remuda_fuzz::mutate::{Random, mutate};
use remuda_fuzz::{TARGETS, each_target, run};

/// Mutations of each target; `REMUDA_FUZZ_MUTATIONS` sets another number.
const MUTATIONS: usize = 10_000;
/// Mutations of targets that compile something: one in so many of the others.
const SLOWNESS: usize = 20;
/// Those targets.
const SLOW: [&str; 2] = ["chat_template", "constraint"];
/// The most bytes of all corpora together.
const CORPORA_BYTES_MAX: u64 = 300 << 10;

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = home().join("corpus").join(name);
    let entries = fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{name} has no corpus: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus of {name} is empty");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn hex_of(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

fn try_input(name: &str, bytes: &[u8]) {
    // Shows the input also when the process itself dies.
    if std::env::var_os("REMUDA_FUZZ_TRACE").is_some() {
        println!("{name} {}", hex_of(bytes));
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| run(name, bytes)));
    assert!(outcome.is_ok(), "target {name} broke on this input (hexadecimal): {}", hex_of(bytes));
}

fn check(name: &str) {
    let corpus = corpus(name);
    try_input(name, b"");
    corpus.iter().for_each(|bytes| try_input(name, bytes));
    let mut random = Random::of(name);
    let wanted = std::env::var("REMUDA_FUZZ_MUTATIONS").map(|number| number.parse().unwrap());
    let wanted = wanted.unwrap_or(MUTATIONS);
    let count = if SLOW.contains(&name) { wanted / SLOWNESS } else { wanted };
    (0..count).for_each(|_| try_input(name, &mutate(&corpus, &mut random)));
}

macro_rules! tests {
    ($($module:ident { $($name:ident)* })*) => {
        $($(#[test]
        fn $name() {
            check(stringify!($name));
        })*)*
    };
}

each_target!(tests);

#[test]
fn a_broken_property_is_shown_with_its_input() {
    let outcome = catch_unwind(|| try_input("no_such_target", b"\x01\xff"));
    let message = outcome.unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    assert!(message.contains("no_such_target") && message.contains("01ff"), "{message}");
}

#[test]
fn corpora_binaries_and_targets_fit_each_other() {
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(home().join(folder)).unwrap();
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<_> = entries.map(|entry| stem(entry.unwrap().path())).collect();
        names.sort();
        names
    };
    let mut targets: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    targets.sort();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
    let manifest = fs::read_to_string(home().join("Cargo.toml")).unwrap();
    for target in &targets {
        let path = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(manifest.contains(&path), "{target} has no [[bin]]");
    }
}

#[test]
fn corpora_stay_small() {
    let files = TARGETS.iter().flat_map(|(name, _)| corpus(name));
    let bytes: u64 = files.map(|bytes| bytes.len() as u64).sum();
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes: minimize them with `cargo fuzz cmin`");
}

#[test]
fn mutations_are_the_same_in_every_run() {
    let corpus = vec![b"remuda".to_vec(), vec![0; 40]];
    let some = |name| {
        let mut random = Random::of(name);
        (0..50).map(|_| mutate(&corpus, &mut random)).collect::<Vec<_>>()
    };
    assert_eq!(some("a"), some("a"));
    assert_ne!(some("a"), some("b"));
}
