//! The command line's help is a snapshot: a change to it is a change to the interface.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::process::Command;

fn help(words: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_remuda")).args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of the subcommands that a help text lists.
fn subcommands(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

fn collect(words: &[&str], into: &mut String) {
    let text = help(words);
    *into += &format!("$ remuda {} --help\n{text}\n", words.join(" "));
    for name in subcommands(&text) {
        collect(&[words, &[name.as_str()]].concat(), into);
    }
}

#[test]
fn help_of_every_command() {
    let mut all = String::new();
    collect(&[], &mut all);
    assert!(all.matches("$ remuda").count() > 20);
    insta::assert_snapshot!(all);
}
