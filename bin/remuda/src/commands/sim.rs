//! `remuda sim`: what an economy does over the years.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use remuda_sim::{Attack, Progress, Settings, Simulation, SimulationError, Verdict, simulate};
use serde_json::{Value, json};

use super::profile;
use crate::cli::{SimCommand, SimEconomyArgs};
use crate::exit::{Exit, coded};
use crate::output::Output;

/// Runs a simulation.
pub(crate) fn run(command: &SimCommand, output: Output) -> Result<()> {
    let SimCommand::Economy(args) = command;
    let (economy, _) = profile::load(&args.profile)?;
    if let Some(out) = &args.out {
        check_free(out)?;
    }
    let settings = Settings {
        years: args.years,
        seed: args.seed,
        providers: args.providers,
        step_days: args.step,
        attacks: !args.no_attacks,
        ..Settings::default()
    };
    let mut told = |progress| match progress {
        Progress::Years(years) => output.note(&format!("year {years} of {}", args.years)),
        Progress::Attack(name) => output.note(&format!("attack: {name}")),
    };
    let simulation = simulate(&economy, &settings, &mut told).map_err(|error| exit_of(&error))?;
    if let Some(out) = &args.out {
        write(&simulation, out)?;
    }
    output.result(&summary(&simulation, args), || in_words(&simulation, args));
    Ok(())
}

fn exit_of(error: &SimulationError) -> anyhow::Error {
    let exit = match error {
        SimulationError::Audit(_) => Exit::Refuted,
        _ => Exit::Failed,
    };
    coded(exit, format!("{} ({})", error, error.code()))
}

fn check_free(out: &Path) -> Result<()> {
    if out.exists() {
        let message = format!("{} is there already: name a new folder", out.display());
        return Err(coded(Exit::Local, message));
    }
    Ok(())
}

/// Writes all files beside the folder and moves them there at the end: whoever interrupts finds
/// nothing half done.
fn write(simulation: &Simulation, out: &Path) -> Result<()> {
    let mut name = out.file_name().context("the folder has no name")?.to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial: PathBuf = out.with_file_name(name);
    let written = write_all(simulation, &partial).and_then(|()| {
        fs::rename(&partial, out).with_context(|| format!("cannot write {}", out.display()))
    });
    if written.is_err() {
        // What went wrong is reported; what is left is of no use.
        let _ = fs::remove_dir_all(&partial);
    }
    written
}

fn write_all(simulation: &Simulation, folder: &Path) -> Result<()> {
    let wrong = || format!("cannot write {}", folder.display());
    fs::create_dir_all(folder).with_context(wrong)?;
    for (name, text) in simulation.files() {
        fs::write(folder.join(name), text).with_context(wrong)?;
    }
    Ok(())
}

fn summary(simulation: &Simulation, args: &SimEconomyArgs) -> Value {
    let last = |table: &remuda_sim::Table| -> Value {
        let row = table.rows.last();
        let value = |(index, name): (usize, &String)| {
            (name.clone(), json!(row.and_then(|row| row.get(index))))
        };
        table.columns.iter().enumerate().map(value).collect::<serde_json::Map<_, _>>().into()
    };
    let tables = &simulation.tables;
    json!({
        "profile": simulation.profile,
        "settings": simulation.settings,
        "blocks": simulation.blocks,
        "applied": simulation.applied,
        "refused": simulation.refused,
        "supply": last(&tables.supply),
        "price": last(&tables.price),
        "income": last(&tables.income),
        "fairness": last(&tables.fairness),
        "treasury": last(&tables.treasury),
        "attacks": simulation.attacks,
        "spiral": simulation.spiral,
        "out": args.out,
    })
}

fn in_words(simulation: &Simulation, args: &SimEconomyArgs) -> String {
    let last = |table: &remuda_sim::Table, column: usize| {
        table.rows.last().and_then(|row| row.get(column)).copied().unwrap_or(f64::NAN)
    };
    let tables = &simulation.tables;
    let mut lines = vec![
        format!(
            "{} after {} years: {} blocks, {} transactions; the ledger adds up",
            simulation.profile, args.years, simulation.blocks, simulation.applied
        ),
        format!(
            "supply {:.0} {}, price {:.6} dollars, treasury {:.0} {}",
            last(&tables.supply, 1),
            simulation.symbol,
            last(&tables.price, 1),
            last(&tables.treasury, 1),
            simulation.symbol
        ),
        format!(
            "{:.0} active providers, Gini {:.2}, longest wait {:.0} days",
            last(&tables.fairness, 4),
            last(&tables.fairness, 1),
            last(&tables.fairness, 2)
        ),
    ];
    lines.extend(simulation.attacks.iter().map(attack_in_words));
    if let Some(out) = &args.out {
        lines.push(format!("written to {}: open report.html", out.display()));
    }
    lines.join("\n")
}

fn attack_in_words(attack: &Attack) -> String {
    let verdict = attack.verdict.text();
    match attack.verdict {
        Verdict::NotPossible => format!("{}: {verdict}", attack.name),
        _ => format!("{}: {verdict} ({:.1} %)", attack.name, attack.gain * 100.0),
    }
}
