//! Simulations on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is simulated.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Play an economy for years against the real ledger, and attack it
    #[command(after_help = "Examples:\n  remuda sim economy --profile remuda --years 20 --seed 1 \
                            --out report\n  remuda sim economy --profile my.toml --years 2 --json")]
    Economy(SimEconomyArgs),
}

/// Arguments of `sim economy`.
#[derive(Debug, Args)]
pub(crate) struct SimEconomyArgs {
    /// A profile that comes along, or a file
    #[arg(long, value_name = "PROFILE", default_value = "remuda")]
    pub(crate) profile: String,
    /// For how many years
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) years: u32,
    /// From what all chance follows: one seed gives the same bytes everywhere
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many providers there could be
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) providers: usize,
    /// How long a step is, in whole days
    #[arg(long, value_name = "DAYS", default_value = "1d", value_parser = days)]
    pub(crate) step: u32,
    /// Leave the attacks out
    #[arg(long)]
    pub(crate) no_attacks: bool,
    /// The folder for the tables and the report; it must not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Whole days, as in `7d` or `7`.
fn days(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    number.parse().map_err(|_| "write whole days, as in 7d".to_owned())
}
