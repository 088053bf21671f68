//! `remuda profile`: economies as files.

use anyhow::{Context, Result};
use remuda_ledger::Economy;
use remuda_profiles::{BUILTIN, Difference, builtin, differences, parse, rules};
use serde_json::{Value, json};

use crate::cli::ProfileCommand;
use crate::exit::{Exit, coded};
use crate::output::{Output, piece};

/// Runs a profile command.
pub(crate) fn run(command: &ProfileCommand, output: Output) -> Result<()> {
    match command {
        ProfileCommand::List => list(output),
        ProfileCommand::Show { profile } => show(profile, output),
        ProfileCommand::Check { profile } => check(profile, output),
        ProfileCommand::Diff { left, right } => diff(left, right, output),
    }
}

/// The economy that `profile` names, and its text.
pub(crate) fn load(profile: &str) -> Result<(Economy, String)> {
    let text = match builtin(profile) {
        Some(known) => known.text.to_owned(),
        None => read(profile)?,
    };
    let economy = parse(&text).map_err(|error| {
        coded(Exit::Refuted, format!("{profile} is not a profile ({}): {error}", error.code()))
    })?;
    Ok((economy, text))
}

fn read(path: &str) -> Result<String> {
    if !std::path::Path::new(path).exists() {
        let names: Vec<_> = BUILTIN.iter().map(|profile| profile.name).collect();
        let message = format!("{path} is neither a file nor one of {}", names.join(", "));
        return Err(coded(Exit::NotFound, message));
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

fn list(output: Output) -> Result<()> {
    let mut rows = Vec::new();
    for profile in BUILTIN {
        rows.push((profile.name, profile.economy()?.about));
    }
    let value: Vec<_> =
        rows.iter().map(|(name, about)| json!({ "name": name, "about": about })).collect();
    output.result(&value, || {
        let line = |(name, about): &(&str, String)| format!("{name:<10} {about}");
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn show(profile: &str, output: Output) -> Result<()> {
    let (economy, text) = load(profile)?;
    match output {
        Output::Text => piece(&text),
        Output::Json => output.result(&economy, String::new),
    }
    Ok(())
}

fn check(profile: &str, output: Output) -> Result<()> {
    let (economy, _) = load(profile)?;
    let count = rules(&economy).len();
    let value = json!({ "profile": economy.profile, "rules": count, "valid": true });
    output.result(&value, || format!("{} stands: {count} rules", economy.profile));
    Ok(())
}

fn diff(left: &str, right: &str, output: Output) -> Result<()> {
    let found = differences(&load(left)?.0, &load(right)?.0);
    output.result(&found, || found.iter().map(in_words).collect::<Vec<_>>().join("\n"));
    Ok(())
}

fn in_words(difference: &Difference) -> String {
    let word = |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_string);
    format!("{}: {} -> {}", difference.path, word(&difference.left), word(&difference.right))
}
